/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: the address space that a worker works on
 */
#ifndef __IOPF_MM_H
#define __IOPF_MM_H

#include <linux/mempolicy.h>
#include <linux/mm_types.h>
#include <linux/sched.h>

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
 * @policy: the memory policy of its owner, the worker's meanwhile
 * @has_policy: it has one
 * @has_nodes: the worker has the nodes of its owner's cpuset meanwhile
 */
struct iopf_mm {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned int vma_pages;
	struct mem_cgroup *memcg;
	struct mem_cgroup *old_memcg;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct mempolicy policy;
	bool has_policy;
	bool has_nodes;
};

bool iopf_mm_enter(struct iopf_mm *imm, struct mm_struct *mm);
void iopf_mm_leave(struct iopf_mm *imm);
void iopf_mm_unlock(struct iopf_mm *imm);
enum iommu_page_response_code iopf_fault_group(struct iopf_mm *imm,
					       struct iopf_worker *worker);

/* owner.c */
bool iopf_mm_is_orphan(struct mm_struct *mm);
struct vm_area_struct *iopf_expand_stack(struct mm_struct *mm,
					 unsigned long addr);
void iopf_policy_begin(struct iopf_mm *imm);
void iopf_policy_end(struct iopf_mm *imm);

#ifdef CONFIG_MEMCG
void iopf_throttle(struct iopf_mm *imm, struct iopf_worker *worker);

/* Has the worker taken more than the memory.high of a cgroup allows? */
static inline bool iopf_is_over_high(void)
{
	return current->memcg_nr_pages_over_high;
}
#else
static inline void iopf_throttle(struct iopf_mm *imm, struct iopf_worker *worker)
{
}

static inline bool iopf_is_over_high(void)
{
	return false;
}
#endif

/* account.c */
void iopf_account_begin(struct iopf_mm *imm);
void iopf_account_end(struct iopf_mm *imm);

/* prefault.c */
unsigned int iopf_prefault(struct iopf_mm *imm, struct iopf_grp *grp,
			   unsigned int flags);
void iopf_lane_set_prefault(struct iopf_lane *lane, int pages);

#endif /* __IOPF_MM_H */
