// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: asking the mm
 *
 * What a process could touch, its device can: faults are allowed to sleep and to be
 * retried, as the CPU's are, so userfaultfd, swap, file systems and the like work. Like
 * the CPU's they end when nobody waits for them any more, where a sleep can be
 * interrupted or killed: see iopf_worker_interrupt(). A fault takes the lock of its VMA, which
 * is kept for the next pages, and mmap_lock only where that is not enough. New pages and
 * page tables are charged to the process's memory cgroup, and come from the NUMA nodes
 * that it has them from.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "path.h"

/* Pages in a row that the lock of a VMA is kept for. */
#define IOPF_VMA_PAGES		64

/*
 * Make @mm the one to work on. False if its process is gone. The pages of an
 * mm_users reference would outlive the process, so it is held for one run of a
 * worker and not for the life of a group.
 */
bool iopf_mm_enter(struct iopf_mm *imm, struct mm_struct *mm)
{
	bool orphan = iopf_mm_is_orphan(mm);

	if (imm->mm == mm && !orphan)
		return true;
	iopf_mm_leave(imm);
	if (orphan || !mmget_not_zero(mm))
		return false;
	imm->mm = mm;
	imm->memcg = get_mem_cgroup_from_mm(mm);
	imm->old_memcg = set_active_memcg(imm->memcg);
	iopf_policy_begin(imm);
	iopf_account_begin(imm);
	return true;
}

static void iopf_mm_put_fn(struct work_struct *work)
{
	mmput(container_of(work, struct mm_struct, async_put_work));
}

/*
 * The last user of an mm must not tear it down here, which may take long and sleep.
 * mmput_async() has the same work item, but a per-CPU workqueue. Only the last user
 * queues it, and stays one until it runs, so that nobody else can be the last meanwhile.
 */
static void iopf_mm_put(struct mm_struct *mm)
{
	if (atomic_add_unless(&mm->mm_users, -1, 1))
		return;
	INIT_WORK(&mm->async_put_work, iopf_mm_put_fn);
	queue_work(system_dfl_wq, &mm->async_put_work);
}

void iopf_mm_leave(struct iopf_mm *imm)
{
	if (!imm->mm)
		return;
	iopf_mm_unlock(imm);
	iopf_account_end(imm);
	iopf_policy_end(imm);
	set_active_memcg(imm->old_memcg);
	mem_cgroup_put(imm->memcg);
	iopf_mm_put(imm->mm);
	imm->mm = NULL;
}

/*
 * The VMA at @addr, locked, or NULL if only mmap_lock helps. The lock is kept from
 * page to page, but not so long that a writer notices.
 */
static struct vm_area_struct *iopf_mm_lock_vma(struct iopf_mm *imm,
					       unsigned long addr)
{
	struct vm_area_struct *vma = imm->vma;

	if (vma && imm->vma_pages && addr >= vma->vm_start &&
	    addr < vma->vm_end) {
		imm->vma_pages--;
		return vma;
	}
	iopf_mm_unlock(imm);
	imm->vma = lock_vma_under_rcu(imm->mm, addr);
	imm->vma_pages = IOPF_VMA_PAGES;
	return imm->vma;
}

/**
 * struct iopf_access - one access to one page
 * @addr: address of the page
 * @vm_flags: VMA permissions that it needs
 * @flags: FAULT_FLAG_* values
 */
struct iopf_access {
	unsigned long addr;
	vm_flags_t vm_flags;
	unsigned int flags;
};

static inline struct iopf_access iopf_access(const struct iommu_fault *fault)
{
	u32 perm = fault->prm.perm;

	return (struct iopf_access){
		.addr = fault->prm.addr & PAGE_MASK,
		.vm_flags =
			(perm & IOMMU_FAULT_PERM_READ ? VM_READ : 0) |
			(perm & IOMMU_FAULT_PERM_WRITE ? VM_WRITE : 0) |
			(perm & IOMMU_FAULT_PERM_EXEC ? VM_EXEC : 0),
		.flags =
			FAULT_FLAG_REMOTE | FAULT_FLAG_DEFAULT |
			(perm & IOMMU_FAULT_PERM_WRITE ? FAULT_FLAG_WRITE : 0) |
			(perm & IOMMU_FAULT_PERM_EXEC ?
				FAULT_FLAG_INSTRUCTION : 0) |
			(perm & IOMMU_FAULT_PERM_PRIV ? 0 : FAULT_FLAG_USER),
	};
}

/*
 * Page tables of CPUs and IOMMUs have no pages that are writable and not readable. To a
 * shadow stack only instructions of the CPU write that devices do not have: a device
 * would ask for its pages for ever.
 */
static bool iopf_may_access(const struct iopf_access *access,
			    struct vm_area_struct *vma)
{
	vm_flags_t allowed = vma->vm_flags;

	if (allowed & VM_WRITE)
		allowed |= VM_READ;
	if (allowed & VM_SHADOW_STACK)
		allowed &= ~VM_WRITE;
	return !(access->vm_flags & ~allowed);
}

/*
 * One attempt with the lock of the VMA alone. VM_FAULT_RETRY: go on under
 * mmap_lock, which also finds out what is wrong with the address.
 */
static vm_fault_t iopf_try_vma_lock(struct iopf_mm *imm,
				    struct iopf_access *access)
{
	struct vm_area_struct *vma = iopf_mm_lock_vma(imm, access->addr);
	vm_fault_t ret;

	if (!vma || !iopf_may_access(access, vma))
		return VM_FAULT_RETRY;
	ret = handle_mm_fault(vma, access->addr,
			      access->flags | FAULT_FLAG_VMA_LOCK, NULL);
	if (ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))
		imm->vma = NULL;
	if (ret & VM_FAULT_MAJOR)
		access->flags |= FAULT_FLAG_TRIED;
	return ret;
}

/* With mmap_lock, which the caller holds, if there is a VMA; else it is dropped. */
static struct vm_area_struct *iopf_find_vma(struct mm_struct *mm,
					    unsigned long addr)
{
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr)
		return vma;
	/* Looks again under the write lock; drops it on failure. */
	if (vma && vma->vm_flags & VM_GROWSDOWN)
		return iopf_expand_stack(mm, addr);
	mmap_read_unlock(mm);
	return NULL;
}

static vm_fault_t iopf_try_mmap_lock(struct mm_struct *mm,
				     struct iopf_access *access)
{
	struct vm_area_struct *vma;
	vm_fault_t ret;

	/* Killed: the worker was stopped. */
	if (mmap_read_lock_killable(mm))
		return VM_FAULT_RETRY;
	vma = iopf_find_vma(mm, access->addr);
	if (!vma)
		return VM_FAULT_SIGSEGV;
	if (!iopf_may_access(access, vma)) {
		mmap_read_unlock(mm);
		return VM_FAULT_SIGSEGV;
	}
	ret = handle_mm_fault(vma, access->addr, access->flags, NULL);
	if (!(ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)))
		mmap_read_unlock(mm);
	access->flags |= FAULT_FLAG_TRIED;
	return ret;
}

/*
 * Stopped means that nobody waits for the page. Pairs with iopf_worker_interrupt(), which
 * wakes: a worker that this reaches in its sleep sees it, for waking orders the two.
 * One that has not slept yet may miss it once, tries again, finds the signal still
 * pending and so comes back here. A group that has timed out is claimed, and its worker
 * is not stopped: the device asks again, and waits for what this worker waits for.
 */
static enum iommu_page_response_code
iopf_fault_page(struct iopf_mm *imm, struct iopf_worker *worker,
		const struct iommu_fault *fault)
{
	struct iopf_access access = iopf_access(fault);
	vm_fault_t ret;

	WRITE_ONCE(worker->page, access.addr);
	ret = iopf_try_vma_lock(imm, &access);
	if (ret & VM_FAULT_RETRY)
		iopf_mm_unlock(imm);
	while (ret & VM_FAULT_RETRY) {
		if (READ_ONCE(worker->interrupted))
			return IOMMU_PAGE_RESP_INVALID;
		cond_resched();
		ret = iopf_try_mmap_lock(imm->mm, &access);
	}
	if (unlikely(READ_ONCE(worker->asleep)))
		iopf_worker_leave_page(worker);

	/* Out of memory is the device's answer: nobody here is to be killed. */
	if (ret & VM_FAULT_OOM)
		mem_cgroup_oom_synchronize(false);
	return ret & VM_FAULT_ERROR ? IOMMU_PAGE_RESP_INVALID :
				      IOMMU_PAGE_RESP_SUCCESS;
}

/*
 * Fault in the pages of the group that @worker handles, in the order that they were
 * asked for. The group has one response, so the first failure decides it. Gives up when
 * the group is claimed by somebody else.
 */
enum iommu_page_response_code iopf_fault_group(struct iopf_mm *imm,
					       struct iopf_worker *worker)
{
	enum iommu_page_response_code code = IOMMU_PAGE_RESP_SUCCESS;
	struct iopf_prg *prg = worker->prg;
	struct iopf_fault *request;

	/* It may have slept while it sent responses. */
	if (unlikely(READ_ONCE(worker->asleep)))
		iopf_worker_leave_page(worker);
	list_for_each_entry(request, &prg->base.faults, list) {
		if (iopf_prg_is_claimed(prg))
			return code;
		code = iopf_fault_page(imm, worker, &request->fault);
		if (unlikely(iopf_is_over_high()))
			iopf_throttle(imm, worker);
		if (code != IOMMU_PAGE_RESP_SUCCESS)
			return code;
	}
	if (unlikely(iopf_prefault_max(prg->pq))) {
		struct iopf_access access =
			iopf_access(&prg->base.last_fault.fault);

		/* Nobody who asks for a page of the group has to wait for others. */
		WRITE_ONCE(worker->page, IOPF_NO_PAGE);
		prg->prefaulted = iopf_prefault(imm, prg, access.flags |
						FAULT_FLAG_VMA_LOCK);
		if (unlikely(iopf_is_over_high()))
			iopf_throttle(imm, worker);
	}
	return code;
}
