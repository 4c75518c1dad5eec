// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: memory of groups and requests, and how many there may be
 *
 * A machine without free memory can still fault pages in: a queue has a reserve.
 * And a busy device does not allocate at all: it keeps a few groups for the next
 * ones, and a group has room for its first requests. Further ones come in chunks.
 *
 * A group counts from its first request until its last holder has dropped it, and so do
 * its requests. Those that hold complete groups drop them without the device's lock, so
 * what was made is counted under the lock, what was freed beside it, and the latter is
 * looked at only when a limit seems to be reached.
 *
 * PRI bounds what a device has under way. It may have as much as that beside what was
 * answered and is held on by a fault that sleeps: see iopf_is_half_full().
 */
#include <kunit/static_stub.h>
#include <linux/mempool.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "objects.h"

/* A group that is used again hides a use after free from KASAN. */
#define IOPF_SPARE_GROUPS	(IS_ENABLED(CONFIG_KASAN) ? 0 : 64)

static struct kmem_cache *iopf_prg_cache;
static struct kmem_cache *iopf_chunk_cache;

/* Early: IOMMU drivers allocate their queues from subsys_initcall() on. */
static int __init iopf_memory_init(void)
{
	iopf_prg_cache = KMEM_CACHE(iopf_prg, SLAB_PANIC);
	iopf_chunk_cache = KMEM_CACHE(iopf_chunk, SLAB_PANIC);
	return 0;
}
core_initcall(iopf_memory_init);

int iopf_reserve_init(struct iopf_fault_queue *fq)
{
	int ret;

	ret = mempool_init_slab_pool(&fq->groups, IOPF_RESERVE_GROUPS,
				     iopf_prg_cache);
	if (ret)
		return ret;
	ret = mempool_init_slab_pool(&fq->chunks, IOPF_RESERVE_CHUNKS,
				     iopf_chunk_cache);
	if (ret)
		mempool_exit(&fq->groups);
	return ret;
}

void iopf_reserve_exit(struct iopf_fault_queue *fq)
{
	mempool_exit(&fq->chunks);
	mempool_exit(&fq->groups);
}

/* A spare group: those that came back meanwhile, all at once, when there is none. */
static struct iopf_prg *iopf_prg_reuse(struct iopf_device *fdev)
{
	struct llist_node *spare;

	if (!fdev->reuse && !llist_empty(&fdev->spare)) {
		fdev->reuse = llist_del_all(&fdev->spare);
		/* One that comes just now is not counted: one too many, some day. */
		atomic_set(&fdev->nr_spare, 0);
	}
	spare = fdev->reuse;
	if (!spare)
		return NULL;
	fdev->reuse = spare->next;
	return llist_entry(spare, struct iopf_prg, spare_node);
}

/*
 * Memory for a group, of which iopf_prg_new() sets what has to be set. NULL without
 * memory: the reporter must not wait for reclaim, which may wait for this very device.
 */
struct iopf_prg *iopf_prg_alloc(struct iopf_device *fdev)
{
	struct iopf_prg *prg;

	lockdep_assert_held(&fdev->lock);
	prg = iopf_prg_reuse(fdev);
	if (!prg)
		prg = mempool_alloc(&fdev->fq->groups,
				    GFP_NOWAIT | __GFP_NOWARN);
	if (!prg)
		return NULL;
	prg->slot = prg->requests;
	prg->nr_slots = IOPF_INLINE_REQUESTS;
	prg->chunks = NULL;
	return prg;
}

/* Nobody has @prg any more: its memory goes to @freed, but for that of its chunks. */
void iopf_prg_free(struct iopf_device *fdev, struct iopf_prg *prg,
		   struct iopf_freed *freed)
{
	struct iopf_chunk *chunk;

	while ((chunk = prg->chunks)) {
		prg->chunks = chunk->next;
		mempool_free(chunk, &fdev->fq->chunks);
	}
	if (prg->seq) {
		freed->groups++;
		freed->requests += prg->base.fault_count - 1;
	}
	if (!freed->nr++)
		freed->last = &prg->spare_node;
	prg->spare_node.next = freed->first;
	freed->first = &prg->spare_node;
}

static void iopf_free_list(struct iopf_device *fdev, struct llist_node *list)
{
	struct iopf_prg *prg;
	struct iopf_prg *next;

	llist_for_each_entry_safe(prg, next, list, spare_node)
		mempool_free(prg, &fdev->fq->groups);
}

/* Give back what is in @freed. The caller drops the groups' references to @fdev. */
void iopf_freed_end(struct iopf_device *fdev, struct iopf_freed *freed)
{
	if (freed->groups)
		atomic_add(freed->groups, &fdev->groups_freed);
	if (freed->requests)
		atomic_add(freed->requests, &fdev->requests_freed);
	/* May be a few too many, for a moment. */
	if (atomic_read(&fdev->nr_spare) + freed->nr <= IOPF_SPARE_GROUPS) {
		atomic_add(freed->nr, &fdev->nr_spare);
		llist_add_batch(freed->first, freed->last, &fdev->spare);
	} else {
		freed->last->next = NULL;
		iopf_free_list(fdev, freed->first);
	}
}

/* Keep nothing. Nobody else works with the device. */
void iopf_spare_free(struct iopf_device *fdev)
{
	iopf_free_list(fdev, fdev->reuse);
	fdev->reuse = NULL;
	iopf_free_list(fdev, llist_del_all(&fdev->spare));
}

/* Room for more requests of @prg; false without memory. */
bool iopf_prg_add_slots(struct iopf_device *fdev, struct iopf_prg *prg)
{
	struct iopf_chunk *chunk;

	lockdep_assert_held(&fdev->lock);
	chunk = mempool_alloc(&fdev->fq->chunks, GFP_NOWAIT | __GFP_NOWARN);
	if (!chunk)
		return false;
	chunk->next = prg->chunks;
	prg->chunks = chunk;
	prg->slot = chunk->requests;
	prg->nr_slots = IOPF_CHUNK_REQUESTS;
	return true;
}

/* Of groups that wait for their last request, and of requests in them. */
unsigned int iopf_default_unfinished(const struct iopf_limits *limits,
				     struct device *dev)
{
	unsigned int half = max(min(limits->groups, limits->requests) / 2, 1U);

	/* A stalled transaction is the last request of its group. */
	return dev_is_pci(dev) ? half : min(half, IOPF_DEFAULT_LIMIT);
}

void iopf_limits_init(struct iopf_limits *limits, struct device *dev)
{
	unsigned int most = dev_is_pci(dev) ? IOPF_DEFAULT_LIMIT :
					      IOPF_STALL_LIMIT;

	*limits = (struct iopf_limits){
		.groups = most,
		.requests = most,
		.pasids = most,
		.grpid_bits = 32,
	};
	limits->unfinished = iopf_default_unfinished(limits, dev);
}

/*
 * Requests that PRI lets the device have under way; its VFs share them. A KUnit case
 * takes this function's place.
 */
unsigned int iopf_pri_allocation(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(iopf_pri_allocation, dev);
#ifdef CONFIG_PCI_PRI
	if (dev_is_pci(dev))
		return pci_physfn(to_pci_dev(dev))->pri_reqs_alloc;
#endif
	return 0;
}

/* PRI may be enabled after the device was put on its queue; it does not change then. */
static void iopf_limits_grant(struct iopf_device *fdev)
{
	unsigned int granted = min(iopf_pri_allocation(fdev->base.dev),
				   UINT_MAX / 2);
	struct iopf_limits *limits = &fdev->limits;

	limits->groups = max(limits->groups, 2 * granted);
	limits->requests = max(limits->requests, 2 * granted);
	limits->unfinished = max(limits->unfinished, granted);
	limits->pasids = max(limits->pasids, 2 * granted);
	fdev->pri_limits = true;
}

/* A limit seems to be reached. See what was freed, and what PRI has granted. */
void iopf_limits_refresh(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	fdev->groups_seen = atomic_read(&fdev->groups_freed);
	fdev->requests_seen = atomic_read(&fdev->requests_freed);
	if (!fdev->pri_limits)
		iopf_limits_grant(fdev);
}

/*
 * Is more than half of what the device may have held? Then a group whose fault sleeps is
 * not answered when its time is over: it would be held on, and the device, which PRI bounds
 * by what it has no response to, would send another one for it.
 */
bool iopf_is_half_full(struct iopf_device *fdev)
{
	iopf_limits_refresh(fdev);
	return iopf_held_groups(fdev) > fdev->limits.groups / 2 ||
	       iopf_held_requests(fdev) > fdev->limits.requests / 2;
}
