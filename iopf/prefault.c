// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: pages that nobody has asked for yet
 *
 * A device that goes through memory asks for one page after the other, and each
 * request costs several times what its page does. If a PASID's groups follow each
 * other, the worker goes on behind the last page, under the VMA lock that it has:
 * twice as far each time that the device comes back just behind what was prepared,
 * half as far when it does not. Off unless somebody asks for it.
 *
 * Only for anonymous memory: files have a readahead of their own. Only inside the
 * VMA, and not when the memory cgroup is nearly full.
 */
#include <linux/export.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "iopf.h"

/* Where a window begins to grow from, in pages. */
#define IOPF_PREFAULT_MIN	4

#ifdef CONFIG_MEMCG
/* An eighth of what it may have is left to the process itself. */
static bool iopf_memcg_has_room(struct mem_cgroup *memcg, unsigned int pages)
{
	for (; memcg; memcg = parent_mem_cgroup(memcg)) {
		unsigned long max = min(READ_ONCE(memcg->memory.max),
					READ_ONCE(memcg->memory.high));

		if (page_counter_read(&memcg->memory) + pages > max - max / 8)
			return false;
	}
	return true;
}
#else
static bool iopf_memcg_has_room(struct mem_cgroup *memcg, unsigned int pages)
{
	return true;
}
#endif

/*
 * The window for a group that begins at @first. Several workers of a lane may be
 * here at a time: then the groups do not come one after the other anyway.
 */
static unsigned int iopf_prefault_window(struct iopf_lane *lane, u64 first,
					 unsigned int max)
{
	unsigned int window = READ_ONCE(lane->prefault_window);

	if (first == READ_ONCE(lane->prefault_next))
		window = window ? window * 2 : IOPF_PREFAULT_MIN;
	else
		window /= 2;
	window = min(window, max);
	WRITE_ONCE(lane->prefault_window, window);
	return window;
}

static bool iopf_may_prefault(struct iopf_mm *imm, unsigned int pages)
{
	return imm->vma && vma_is_anonymous(imm->vma) &&
	       !userfaultfd_armed(imm->vma) &&
	       iopf_memcg_has_room(imm->memcg, pages);
}

/*
 * @grp has its pages, the last one with @flags for handle_mm_fault(). Returns how
 * many more there are now.
 */
unsigned int iopf_prefault(struct iopf_mm *imm, struct iopf_grp *grp,
			   unsigned int flags)
{
	struct iopf_lane *lane = grp->lane;
	struct iopf_fault *request;
	unsigned int window;
	unsigned int done;
	vm_fault_t ret;
	u64 addr;

	request = list_first_entry(&grp->pub.faults, struct iopf_fault, list);
	window = iopf_prefault_window(lane, request->fault.prm.addr & PAGE_MASK,
				      iopf_prefault_max(lane));
	addr = (grp->pub.last_fault.fault.prm.addr & PAGE_MASK) + PAGE_SIZE;
	if (!iopf_may_prefault(imm, window))
		window = 0;
	for (done = 0; done < window && addr < imm->vma->vm_end; done++) {
		/* Somebody else has the group, and its address space may be going. */
		if (iopf_grp_is_claimed(grp))
			break;
		ret = handle_mm_fault(imm->vma, addr, flags, NULL);
		if (ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED))
			imm->vma = NULL;
		if (ret & VM_FAULT_OOM)
			mem_cgroup_oom_synchronize(false);
		if (!imm->vma || (ret & VM_FAULT_ERROR))
			break;
		addr += PAGE_SIZE;
	}
	WRITE_ONCE(lane->prefault_next, addr);
	return done;
}

/**
 * iopf_queue_set_prefault() - Fault in ahead of devices that go through memory
 * @queue: the queue
 * @pages: how far ahead, at most, in pages; 0, the default, for not at all
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @pages is more than %IOPF_MAX_PREFAULT.
 */
int iopf_queue_set_prefault(struct iopf_queue *queue, unsigned int pages)
{
	if (pages > IOPF_MAX_PREFAULT)
		return -EINVAL;
	WRITE_ONCE(to_iopf_q(queue)->prefault_max, pages);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_set_prefault);

/**
 * iopf_pasid_set_prefault() - The same for one PASID
 * @dev: the device
 * @pasid: the PASID
 * @pages: how far ahead, at most, in pages; 0 for not at all, negative for what the
 *	queue says
 *
 * Ends with iopf_queue_flush_pasid(), as it is meant for one address space.
 *
 * Context: Process context.
 * Return:
 * * %0 - done
 * * %-EINVAL - more than %IOPF_MAX_PREFAULT pages
 * * %-ENODEV - the device is on no fault queue
 * * %-ENOMEM - no memory, or a limit of the device is reached
 */
int iopf_pasid_set_prefault(struct device *dev, u32 pasid, int pages)
{
	struct iopf_key key = {
		.pasid_valid = pasid != IOMMU_NO_PASID,
		.pasid = pasid,
	};
	struct iopf_lane *lane;
	struct iopf_dev *idev;

	if (pages > (int)IOPF_MAX_PREFAULT)
		return -EINVAL;
	idev = iopf_dev_get(dev);
	if (!idev)
		return -ENODEV;

	spin_lock(&idev->lock);
	lane = idev->dead ? NULL : iopf_lane_get(idev, &key);
	if (lane) {
		iopf_lane_set_prefault(lane, pages);
		iopf_lane_unuse(lane);
	}
	spin_unlock(&idev->lock);
	iopf_dev_put(idev);
	return lane ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(iopf_pasid_set_prefault);

/* A lane with a setting of its own does not become idle. */
void iopf_lane_set_prefault(struct iopf_lane *lane, int pages)
{
	bool had = lane->prefault_max >= 0;
	bool has = pages >= 0;

	lockdep_assert_held(&lane->idev->lock);
	if (has && !had)
		iopf_lane_use(lane);
	WRITE_ONCE(lane->prefault_max, has ? pages : -1);
	if (had && !has)
		iopf_lane_unuse(lane);
}
