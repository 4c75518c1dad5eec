// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: memory of groups, and limits
 */
#include <kunit/static_stub.h>
#include <linux/mempool.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "objects.h"

/**
 * DOC: Memory and limits
 *
 * Allocations of the reporter do not sleep, because reclaim may wait for this very
 * device. About 64 freed groups of a device are kept for reuse, and a group has room for
 * its first eight requests and the last one, so a busy device with small groups does not
 * allocate. Further requests come in chunks of sixteen. When an allocation fails, a queue
 * has a reserve of groups and chunks. PASID queues have none.
 *
 * A group counts towards the limits from its first request until it is claimed if it is
 * unfinished, and until its last reference is dropped if it is complete. So do its
 * requests. References to complete groups are dropped without the device's lock, but for
 * those of groups that are alone. Therefore groups made are counted under the lock, groups
 * freed by an atomic counter, and the latter is read only when a limit seems to be
 * reached.
 *
 * PRI bounds how many requests a device may have outstanding. The default limits are
 * twice as much: a group whose fault sleeps keeps its memory after its response was sent,
 * and the device may replace it. See iopf_is_half_full().
 */

/* Groups that a device keeps for reuse. Reuse would hide a use after free from KASAN. */
#define IOPF_SPARE_GROUPS	(IS_ENABLED(CONFIG_KASAN) ? 0 : 64)

static struct kmem_cache *iopf_prg_cache;
static struct kmem_cache *iopf_chunk_cache;

/* IOMMU drivers allocate their queues from subsys_initcall() on. */
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

/* Take a freed group. Groups that were freed meanwhile are fetched all at once. */
static struct iopf_prg *iopf_prg_reuse(struct iopf_device *fdev)
{
	struct llist_node *spare;

	if (!fdev->reuse && !llist_empty(&fdev->spare)) {
		fdev->reuse = llist_del_all(&fdev->spare);
		/* A group that is freed right now may be counted and not fetched. */
		atomic_set(&fdev->nr_spare, 0);
	}
	spare = fdev->reuse;
	if (!spare)
		return NULL;
	fdev->reuse = spare->next;
	return llist_entry(spare, struct iopf_prg, spare_node);
}

/*
 * Keep @prg, whose response was sent, for the next group of its address space. It keeps
 * its references to the device and the mm, so that a device with one group at a time
 * changes neither count, and writes neither cache line. Return the group that the caller
 * has to drop, or NULL: the one that was kept before, or @prg if it has a second
 * reference, or if the monitor, which ends this, is not armed.
 */
struct iopf_prg *iopf_prg_keep(struct iopf_device *fdev, struct iopf_prg *prg)
{
	struct iopf_prg *old = fdev->kept;

	lockdep_assert_held(&fdev->lock);
	if (!IOPF_SPARE_GROUPS || !fdev->monitoring || fdev->dead || prg->chunks ||
	    refcount_read(&prg->users) > 1)
		return prg;
	fdev->groups_made--;
	if (prg->base.fault_count > 1)
		fdev->requests_made -= prg->base.fault_count - 1;
	prg->complete = false;
	fdev->kept = prg;
	return old;
}

/* Take the group that is kept, or NULL. The caller drops it by iopf_prg_put(). */
struct iopf_prg *iopf_prg_unkeep(struct iopf_device *fdev)
{
	struct iopf_prg *prg = fdev->kept;

	lockdep_assert_held(&fdev->lock);
	fdev->kept = NULL;
	return prg;
}

/*
 * Allocate a group with references to the device, and to @mm unless it is NULL, which
 * iopf_prg_new() initializes. NULL: no memory, not even in the reserve.
 */
struct iopf_prg *iopf_prg_alloc(struct iopf_device *fdev, struct mm_struct *mm)
{
	struct iopf_prg *prg = fdev->kept;

	lockdep_assert_held(&fdev->lock);
	if (prg && prg->mm == mm) {
		fdev->kept = NULL;
	} else {
		prg = iopf_prg_reuse(fdev);
		if (!prg)
			prg = mempool_alloc(&fdev->fq->groups,
					    GFP_NOWAIT | __GFP_NOWARN);
		if (!prg)
			return NULL;
		/* The device is not dead, so the queue has a reference to it. */
		refcount_inc(&fdev->base.users);
		if (mm)
			mmgrab(mm);
		prg->mm = mm;
	}
	prg->slot = prg->requests;
	prg->nr_slots = IOPF_INLINE_REQUESTS;
	prg->chunks = NULL;
	return prg;
}

/* Drop a reference. The caller ends with iopf_freed_put(), for one or several groups. */
void iopf_prg_drop(struct iopf_device *fdev, struct iopf_prg *prg,
		   struct iopf_freed *freed)
{
	struct iopf_chunk *chunk;

	if (!refcount_dec_and_test(&prg->users))
		return;
	if (prg->mm)
		mmdrop(prg->mm);
	while ((chunk = prg->chunks)) {
		prg->chunks = chunk->next;
		mempool_free(chunk, &fdev->fq->chunks);
	}
	if (prg->complete) {
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

/* Reuse or free the groups of @freed. The caller drops their references to @fdev. */
void iopf_freed_end(struct iopf_device *fdev, struct iopf_freed *freed)
{
	if (freed->groups)
		atomic_add(freed->groups, &fdev->groups_freed);
	if (freed->requests)
		atomic_add(freed->requests, &fdev->requests_freed);
	/* Not exact: a few too many may be kept for a moment. */
	if (atomic_read(&fdev->nr_spare) + freed->nr <= IOPF_SPARE_GROUPS) {
		atomic_add(freed->nr, &fdev->nr_spare);
		llist_add_batch(freed->first, freed->last, &fdev->spare);
	} else {
		freed->last->next = NULL;
		iopf_free_list(fdev, freed->first);
	}
}

/* Free the groups for reuse, as the last reference to @fdev is gone. */
void iopf_spare_free(struct iopf_device *fdev)
{
	iopf_free_list(fdev, fdev->reuse);
	fdev->reuse = NULL;
	iopf_free_list(fdev, llist_del_all(&fdev->spare));
}

/* Add room for requests to @prg. False: no memory. */
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

/* Return the default limit of unfinished groups and of their requests. */
unsigned int iopf_default_unfinished(const struct iopf_limits *limits,
				     struct device *dev)
{
	unsigned int half = max(min(limits->groups, limits->requests) / 2, 1U);

	/* Each stalled transaction is the last request of its group. */
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
 * Return how many requests PRI lets the device have outstanding. Its VFs share them. A
 * KUnit case replaces this function.
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

/*
 * Raise limits that the driver has not set to twice what PRI grants. PRI may be enabled
 * after the device was added, and its allocation does not change while it is enabled.
 */
static void iopf_limits_grant(struct iopf_device *fdev)
{
	unsigned int granted = min(iopf_pri_allocation(fdev->base.dev),
				   UINT_MAX / 2);
	const struct iopf_limits *own = &fdev->driver_limits;
	struct iopf_limits *limits = &fdev->limits;

	if (!own->groups)
		limits->groups = max(limits->groups, 2 * granted);
	if (!own->requests)
		limits->requests = max(limits->requests, 2 * granted);
	if (!own->unfinished && !own->groups && !own->requests)
		limits->unfinished = max(limits->unfinished, granted);
	if (!own->pasids)
		limits->pasids = max(limits->pasids, 2 * granted);
	fdev->pri_limits = true;
}

/* Read what was freed and what PRI grants, as a limit seems to be reached. */
void iopf_limits_refresh(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	fdev->groups_seen = atomic_read(&fdev->groups_freed);
	fdev->requests_seen = atomic_read(&fdev->requests_freed);
	if (!fdev->pri_limits)
		iopf_limits_grant(fdev);
}

/*
 * Return true if more than half of a limit is in use. Then a group whose fault sleeps
 * gets no response at its timeout: it would keep its memory, and the device, which PRI
 * bounds by the responses that it waits for, would send another one in its place.
 */
bool iopf_is_half_full(struct iopf_device *fdev)
{
	iopf_limits_refresh(fdev);
	return iopf_held_groups(fdev) > fdev->limits.groups / 2 ||
	       iopf_held_requests(fdev) > fdev->limits.requests / 2;
}
