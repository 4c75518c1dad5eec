// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: memory of groups and requests
 *
 * A machine without free memory can still fault pages in: a queue has a reserve.
 * And a busy device does not allocate at all: it keeps a few groups for the next
 * ones, and a group has room for its first requests. Further ones come in chunks.
 */
#include <linux/mempool.h>
#include <linux/slab.h>

#include "iopf.h"

/* A group that is used again hides a use after free from KASAN. */
#define IOPF_SPARE_GROUPS	(IS_ENABLED(CONFIG_KASAN) ? 0 : 64)

static struct kmem_cache *iopf_grp_cache;
static struct kmem_cache *iopf_chunk_cache;

/* Early: IOMMU drivers allocate their queues from subsys_initcall() on. */
static int __init iopf_memory_init(void)
{
	iopf_grp_cache = KMEM_CACHE(iopf_grp, SLAB_PANIC);
	iopf_chunk_cache = KMEM_CACHE(iopf_chunk, SLAB_PANIC);
	return 0;
}
core_initcall(iopf_memory_init);

int iopf_reserve_init(struct iopf_q *q)
{
	int ret;

	ret = mempool_init_slab_pool(&q->groups, IOPF_RESERVE_GROUPS,
				     iopf_grp_cache);
	if (ret)
		return ret;
	ret = mempool_init_slab_pool(&q->chunks, IOPF_RESERVE_CHUNKS,
				     iopf_chunk_cache);
	if (ret)
		mempool_exit(&q->groups);
	return ret;
}

void iopf_reserve_exit(struct iopf_q *q)
{
	mempool_exit(&q->chunks);
	mempool_exit(&q->groups);
}

/* A spare group: those that came back meanwhile, all at once, when there is none. */
static struct iopf_grp *iopf_grp_reuse(struct iopf_dev *idev)
{
	struct llist_node *spare;

	if (!idev->reuse && !llist_empty(&idev->spare)) {
		idev->reuse = llist_del_all(&idev->spare);
		/* One that comes just now is not counted: one too many, some day. */
		atomic_set(&idev->nr_spare, 0);
	}
	spare = idev->reuse;
	if (!spare)
		return NULL;
	idev->reuse = spare->next;
	return llist_entry(spare, struct iopf_grp, spare_node);
}

/*
 * Memory for a group, of which iopf_grp_new() sets what has to be set. NULL without
 * memory: the reporter must not wait for reclaim, which may wait for this very device.
 */
struct iopf_grp *iopf_grp_alloc(struct iopf_dev *idev)
{
	struct iopf_grp *grp;

	lockdep_assert_held(&idev->lock);
	grp = iopf_grp_reuse(idev);
	if (!grp)
		grp = mempool_alloc(&idev->q->groups,
				    GFP_NOWAIT | __GFP_NOWARN);
	if (!grp)
		return NULL;
	grp->slot = grp->requests;
	grp->nr_slots = IOPF_INLINE_REQUESTS;
	grp->chunks = NULL;
	return grp;
}

/* Nobody has @grp any more: its memory goes to @freed, but for that of its chunks. */
void iopf_grp_free(struct iopf_dev *idev, struct iopf_grp *grp,
		   struct iopf_freed *freed)
{
	struct iopf_chunk *chunk;

	while ((chunk = grp->chunks)) {
		grp->chunks = chunk->next;
		mempool_free(chunk, &idev->q->chunks);
	}
	if (grp->seq) {
		freed->groups++;
		freed->requests += grp->pub.fault_count - 1;
	}
	if (!freed->nr++)
		freed->last = &grp->spare_node;
	grp->spare_node.next = freed->first;
	freed->first = &grp->spare_node;
}

static void iopf_free_list(struct iopf_dev *idev, struct llist_node *list)
{
	struct iopf_grp *grp;
	struct iopf_grp *next;

	llist_for_each_entry_safe(grp, next, list, spare_node)
		mempool_free(grp, &idev->q->groups);
}

/* Give back what is in @freed. The caller drops the groups' references to @idev. */
void iopf_freed_end(struct iopf_dev *idev, struct iopf_freed *freed)
{
	if (freed->groups)
		atomic_add(freed->groups, &idev->groups_freed);
	if (freed->requests)
		atomic_add(freed->requests, &idev->requests_freed);
	/* May be a few too many, for a moment. */
	if (atomic_read(&idev->nr_spare) + freed->nr <= IOPF_SPARE_GROUPS) {
		atomic_add(freed->nr, &idev->nr_spare);
		llist_add_batch(freed->first, freed->last, &idev->spare);
	} else {
		freed->last->next = NULL;
		iopf_free_list(idev, freed->first);
	}
}

/* Keep nothing. Nobody else works with the device. */
void iopf_spare_free(struct iopf_dev *idev)
{
	iopf_free_list(idev, idev->reuse);
	idev->reuse = NULL;
	iopf_free_list(idev, llist_del_all(&idev->spare));
}

/* Room for more requests of @grp; false without memory. */
bool iopf_grp_add_slots(struct iopf_dev *idev, struct iopf_grp *grp)
{
	struct iopf_chunk *chunk;

	lockdep_assert_held(&idev->lock);
	chunk = mempool_alloc(&idev->q->chunks, GFP_NOWAIT | __GFP_NOWARN);
	if (!chunk)
		return false;
	chunk->next = grp->chunks;
	grp->chunks = chunk;
	grp->slot = chunk->requests;
	grp->nr_slots = IOPF_CHUNK_REQUESTS;
	return true;
}
