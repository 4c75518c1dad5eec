// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: pages that were not requested yet
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/userfaultfd_k.h>

#include "path.h"

/**
 * DOC: Prefault
 *
 * A device that reads or writes memory in order requests one page after the other, and a
 * request costs several times as much as its page. If the groups of a PASID follow each
 * other, the worker continues behind the last page, under the VMA lock that it has. The
 * window doubles each time that the device continues just behind it, and is halved
 * otherwise. Off by default.
 *
 * Only anonymous memory is faulted in ahead: files have readahead. It stays inside the
 * VMA, and stops when the memory cgroup is nearly full.
 */

/* The first window, in pages. */
#define IOPF_PREFAULT_MIN	4

#ifdef CONFIG_MEMCG
/* Leave an eighth of its limits to the process. */
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
 * Return the window for a group that starts at @first. Several workers of a PASID queue
 * may race here: then the groups do not follow each other.
 */
static unsigned int iopf_prefault_window(struct iopf_pasid_queue *pq, u64 first,
					 unsigned int max)
{
	unsigned int window = READ_ONCE(pq->prefault_window);

	if (first == READ_ONCE(pq->prefault_next))
		window = window ? window * 2 : IOPF_PREFAULT_MIN;
	else
		window /= 2;
	window = min(window, max);
	WRITE_ONCE(pq->prefault_window, window);
	return window;
}

static bool iopf_may_prefault(struct iopf_mm *imm, unsigned int pages)
{
	return imm->vma && vma_is_anonymous(imm->vma) &&
	       !userfaultfd_armed(imm->vma) &&
	       iopf_memcg_has_room(imm->memcg, pages);
}

/*
 * Fault in pages behind @prg, whose own pages are present. @flags: for handle_mm_fault().
 * Return how many pages.
 */
unsigned int iopf_prefault(struct iopf_mm *imm, struct iopf_prg *prg,
			   unsigned int flags)
{
	struct iopf_pasid_queue *pq = prg->pq;
	struct iopf_fault *request;
	unsigned int window;
	unsigned int done;
	vm_fault_t ret;
	u64 addr;

	request = list_first_entry(&prg->base.faults, struct iopf_fault, list);
	window = iopf_prefault_window(pq, request->fault.prm.addr & PAGE_MASK,
				      iopf_prefault_max(pq));
	addr = (prg->base.last_fault.fault.prm.addr & PAGE_MASK) + PAGE_SIZE;
	if (!iopf_may_prefault(imm, window))
		window = 0;
	for (done = 0; done < window && addr < imm->vma->vm_end; done++) {
		/* The group was cancelled, maybe because its address space goes. */
		if (iopf_prg_is_claimed(prg))
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
	WRITE_ONCE(pq->prefault_next, addr);
	return done;
}
