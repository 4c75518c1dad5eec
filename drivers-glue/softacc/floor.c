// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: faulting in pages without page requests
 *
 * The engine faults in the pages of a group itself, under one hold of mmap_lock. No page
 * request, queue, worker or response is involved. This is the least that a group can
 * cost, with which benchmarks compare fault queues.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "core.h"

static int softacc_fault_in_locked(struct mm_struct *mm, u64 addr, u32 count,
				   bool write)
{
	unsigned int flags = FAULT_FLAG_USER | FAULT_FLAG_REMOTE |
			     (write ? FAULT_FLAG_WRITE : 0);
	struct vm_area_struct *vma = NULL;
	vm_fault_t ret;

	for (; count--; addr += PAGE_SIZE) {
		if (!vma || addr >= vma->vm_end)
			vma = vma_lookup(mm, addr);
		if (!vma || !(vma->vm_flags & (write ? VM_WRITE : VM_READ)))
			return -EFAULT;
		/* Without FAULT_FLAG_ALLOW_RETRY, mmap_lock stays held. */
		ret = handle_mm_fault(vma, addr, flags, NULL);
		if (ret & VM_FAULT_ERROR)
			return -EFAULT;
	}
	return 0;
}

/* Fault in the pages that a group would request. Return 0 or -EFAULT. */
int softacc_fault_in(struct softacc_queue *queue,
		     const struct softacc_miss *miss)
{
	struct mm_struct *mm = queue->mm;
	int ret;

	if (!mmget_not_zero(mm))
		return -EFAULT;
	mmap_read_lock(mm);
	ret = softacc_fault_in_locked(mm, miss->addr,
				      softacc_miss_pages(queue, miss),
				      miss->perm & IOMMU_FAULT_PERM_WRITE);
	mmap_read_unlock(mm);
	mmput_async(mm);
	return ret;
}
