/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: the address space that a worker works on
 */
#ifndef __IOPF_MM_H
#define __IOPF_MM_H

#include <linux/mm_types.h>

#include "group.h"

/* fault.c */
/**
 * struct iopf_mm - the address space that a worker works on
 * @mm: referenced by mm_users, NULL when there is none
 * @vma: read-locked, NULL when there is none
 * @vma_pages: pages that may yet be faulted in before others have their turn
 * @memcg: charged while it is set
 * @old_memcg: what @memcg stands in for
 * @min_flt: the worker's count of minor faults when it began
 * @maj_flt: that of major ones
 */
struct iopf_mm {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned int vma_pages;
	struct mem_cgroup *memcg;
	struct mem_cgroup *old_memcg;
	unsigned long min_flt;
	unsigned long maj_flt;
};

bool iopf_mm_is_orphan(struct mm_struct *mm);
bool iopf_mm_enter(struct iopf_mm *imm, struct mm_struct *mm);
void iopf_mm_leave(struct iopf_mm *imm);
void iopf_mm_unlock(struct iopf_mm *imm);
enum iommu_page_response_code iopf_fault_group(struct iopf_mm *imm,
					       struct iopf_worker *worker);

/* account.c */
void iopf_account_begin(struct iopf_mm *imm);
void iopf_account_end(struct iopf_mm *imm);

/* prefault.c */
unsigned int iopf_prefault(struct iopf_mm *imm, struct iopf_grp *grp,
			   unsigned int flags);
void iopf_lane_set_prefault(struct iopf_lane *lane, int pages);

#endif /* __IOPF_MM_H */
