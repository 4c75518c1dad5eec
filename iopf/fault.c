// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: faults of a group
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "path.h"

/**
 * DOC: Faults
 *
 * What a process can access, its device can. Faults may sleep and be retried as the CPU's
 * are, so userfaultfd, swap and file systems work. A fault whose group was cancelled ends
 * where its sleep can be interrupted or killed, see iopf_worker_interrupt(). A fault
 * takes the lock of its VMA, which is kept for the next pages, and mmap_lock only where
 * that is not enough. Pages and page tables are charged to the memory cgroup of the
 * process, and come from its NUMA nodes.
 */

/* Consecutive pages for which the lock of a VMA is kept. */
#define IOPF_VMA_PAGES		64

/*
 * Make @mm the address space to work on. False: its process is gone. The mm_users
 * reference is held for a run of the worker only: pages of an exited process would stay
 * as long as it is held.
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
 * Drop an mm_users reference without tearing the mm down here, which may take long and
 * sleep. Does what mmput_async() does, but not on a per-CPU workqueue. The last user
 * keeps its reference until the work runs, so only one can queue it.
 */
static void iopf_mm_put(struct mm_struct *mm)
{
	if (atomic_add_unless(&mm->mm_users, -1, 1))
		return;
	INIT_WORK(&mm->async_put_work, iopf_mm_put_fn);
	queue_work(system_dfl_wq, &mm->async_put_work);
}

/* Leave the address space that iopf_mm_enter() has entered. */
void iopf_mm_exit(struct iopf_mm *imm)
{
	iopf_mm_unlock(imm);
	iopf_account_end(imm);
	iopf_policy_end(imm);
	set_active_memcg(imm->old_memcg);
	mem_cgroup_put(imm->memcg);
	iopf_mm_put(imm->mm);
	imm->mm = NULL;
}

/*
 * Lock the VMA at @addr. NULL: mmap_lock is needed. The lock is kept for IOPF_VMA_PAGES,
 * so that writers do not wait long.
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
 * Return true if @vma allows the access. Page tables have no pages that can be written
 * and not read. Only special instructions of the CPU write to a shadow stack: the device
 * would fault for ever.
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
 * Try once with the lock of the VMA. VM_FAULT_RETRY: continue under mmap_lock, which also
 * finds out what is wrong with the address.
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

/* Find the VMA with mmap_lock held. If there is none it is unlocked. */
static struct vm_area_struct *iopf_find_vma(struct mm_struct *mm,
					    unsigned long addr)
{
	struct vm_area_struct *vma;

	mmap_assert_locked(mm);
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr)
		return vma;
	/* Checks again under the write lock, and unlocks on failure. */
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

	/* Killed: the worker was interrupted. */
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
 * Fault in one page. A worker is interrupted when its group was cancelled. Pairs with
 * iopf_worker_interrupt(), whose wake-up orders @interrupted for a sleeper. A worker that
 * has not slept yet may miss it once, retries, finds the signal pending and comes back
 * here. The worker of a group that has timed out is not interrupted: the device sends the
 * request again, and the new group follows this worker.
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

	/* Out of memory ends in a response: do not kill a task for it. */
	if (ret & VM_FAULT_OOM)
		mem_cgroup_oom_synchronize(false);
	return ret & VM_FAULT_ERROR ? IOMMU_PAGE_RESP_INVALID :
				      IOMMU_PAGE_RESP_SUCCESS;
}

/*
 * Fault in the pages of the worker's group, in the order of the requests. The first
 * failure decides the response. Stops when the group was cancelled.
 */
enum iommu_page_response_code iopf_fault_group(struct iopf_mm *imm,
					       struct iopf_worker *worker)
{
	enum iommu_page_response_code code = IOMMU_PAGE_RESP_SUCCESS;
	struct iopf_prg *prg = worker->prg;
	struct iopf_fault *request;

	/* The worker may have slept while it sent responses. */
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

		/* The group's own pages are present: groups need not follow this worker. */
		WRITE_ONCE(worker->page, IOPF_NO_PAGE);
		prg->prefaulted = iopf_prefault(imm, prg, access.flags |
						FAULT_FLAG_VMA_LOCK);
		if (unlikely(iopf_is_over_high()))
			iopf_throttle(imm, worker);
	}
	return code;
}
