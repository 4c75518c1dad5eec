// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: page request groups
 *
 * A group is found by its key in the device's table from its first request
 * until it is answered. Its objects come from slab caches with a reserve per
 * queue, so that a machine without free memory can still fault pages in.
 */
#include <linux/jiffies.h>
#include <linux/rhashtable.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <trace/events/iopf.h>

#include "iopf.h"

static struct kmem_cache *iopf_grp_cache;
static struct kmem_cache *iopf_request_cache;

const struct rhashtable_params iopf_table_params = {
	.key_len = sizeof(struct iopf_key),
	.key_offset = offsetof(struct iopf_grp, key),
	.head_offset = offsetof(struct iopf_grp, table_node),
	.automatic_shrinking = true,
};

/* Early: IOMMU drivers allocate their queues from subsys_initcall() on. */
static int __init iopf_group_init(void)
{
	iopf_grp_cache = KMEM_CACHE(iopf_grp, SLAB_PANIC);
	iopf_request_cache = KMEM_CACHE(iopf_fault, SLAB_PANIC);
	return 0;
}
core_initcall(iopf_group_init);

int iopf_reserve_init(struct iopf_q *q)
{
	int ret;

	ret = mempool_init_slab_pool(&q->groups, IOPF_RESERVE_GROUPS,
				     iopf_grp_cache);
	if (ret)
		return ret;
	ret = mempool_init_slab_pool(&q->requests, IOPF_RESERVE_REQUESTS,
				     iopf_request_cache);
	if (ret)
		mempool_exit(&q->groups);
	return ret;
}

void iopf_reserve_exit(struct iopf_q *q)
{
	mempool_exit(&q->requests);
	mempool_exit(&q->groups);
}

/*
 * Returns NULL without memory or if the device is on its way out. The reporter
 * must not wait for reclaim, which may wait for this very device.
 */
struct iopf_grp *iopf_grp_alloc(struct iopf_dev *idev,
				const struct iopf_key *key,
				const struct iommu_fault *fault)
{
	struct iopf_grp *grp;

	if (!refcount_inc_not_zero(&idev->pub.users))
		return NULL;
	grp = mempool_alloc(&idev->q->groups, GFP_NOWAIT | __GFP_NOWARN);
	if (!grp) {
		iopf_dev_put(idev);
		return NULL;
	}

	memset(grp, 0, offsetof(struct iopf_grp, requests));
	grp->pub.fault_param = &idev->pub;
	grp->pub.last_fault.fault = *fault;
	INIT_LIST_HEAD(&grp->pub.faults);
	INIT_LIST_HEAD(&grp->pub.pending_node);
	INIT_LIST_HEAD(&grp->pub.node);
	refcount_set(&grp->users, 1);
	grp->key = *key;
	return grp;
}

static bool iopf_is_inline(struct iopf_grp *grp, struct iopf_fault *request)
{
	return request == &grp->pub.last_fault ||
	       (request >= grp->requests &&
		request < grp->requests + IOPF_INLINE_REQUESTS);
}

static void iopf_grp_free(struct iopf_grp *grp)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);
	struct iopf_fault *request;
	struct iopf_fault *next;

	list_for_each_entry_safe(request, next, &grp->pub.faults, list) {
		if (!iopf_is_inline(grp, request))
			mempool_free(request, &idev->q->requests);
	}
	if (grp->mm)
		mmdrop(grp->mm);
	mempool_free(grp, &idev->q->groups);
	iopf_dev_put(idev);
}

/* Not under iopf_dev.lock. */
void iopf_grp_put(struct iopf_grp *grp)
{
	if (refcount_dec_and_test(&grp->users))
		iopf_grp_free(grp);
}

/* Give back a group that never made it into the table. */
void iopf_grp_cancel(struct iopf_grp *grp)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);

	spin_lock(&idev->lock);
	iopf_lane_unuse(grp->lane);
	spin_unlock(&idev->lock);
	iopf_grp_put(grp);
}

/* NULL if there is no such group, and always for a dead device. */
struct iopf_grp *iopf_grp_find(struct iopf_dev *idev,
			       const struct iopf_key *key)
{
	lockdep_assert_held(&idev->lock);
	if (idev->dead)
		return NULL;
	return rhashtable_lookup_fast(&idev->table, key, iopf_table_params);
}

/*
 * May @fault begin a group? Beyond the limit for partial requests groups are
 * made only to remember that they are to be refused, and not without a limit
 * either. Then a request is dropped, and a device that sends the last one of
 * its group later will ask for the rest again.
 */
bool iopf_grp_room(struct iopf_dev *idev, const struct iommu_fault *fault)
{
	lockdep_assert_held(&idev->lock);
	if (iopf_is_last(fault) ? iopf_over_pending(idev) :
				  iopf_over_partial(idev, idev->nr_rejected)) {
		idev->stats.limited++;
		return false;
	}
	return true;
}

/*
 * Make @grp, if there is one, the group of its key. The table takes the one
 * reference that it was born with.
 */
int iopf_grp_insert(struct iopf_dev *idev, struct iopf_grp *grp)
{
	lockdep_assert_held(&idev->lock);
	if (idev->dead)
		return -ENODEV;
	if (!grp)
		return -ENOMEM;
	if (rhashtable_insert_fast(&idev->table, &grp->table_node,
				   iopf_table_params)) {
		idev->stats.nomem++;
		return -ENOMEM;
	}
	list_add_tail(&grp->pub.pending_node, &grp->lane->partial);
	grp->since = jiffies;
	iopf_watch(idev);
	return 0;
}

/*
 * Nobody finds the group by its key or its lane any more. Its index may be used
 * again as soon as the answer is out, so this comes before the answer.
 */
void iopf_grp_remove(struct iopf_dev *idev, struct iopf_grp *grp)
{
	lockdep_assert_held(&idev->lock);
	rhashtable_remove_fast(&idev->table, &grp->table_node,
			       iopf_table_params);
	list_del_init(&grp->pub.pending_node);
	if (grp->state == IOPF_PENDING) {
		idev->nr_pending--;
	} else {
		idev->nr_partial -= grp->pub.fault_count;
		idev->nr_rejected -= grp->rejected;
	}
}

/* Refuse an unfinished group when its last request comes. */
void iopf_grp_reject(struct iopf_dev *idev, struct iopf_grp *grp)
{
	lockdep_assert_held(&idev->lock);
	if (!grp->rejected)
		idev->nr_rejected++;
	grp->rejected = true;
}

static struct iopf_fault *iopf_request_slot(struct iopf_dev *idev,
					    struct iopf_grp *grp)
{
	if (grp->nr_inline < IOPF_INLINE_REQUESTS)
		return &grp->requests[grp->nr_inline++];
	return mempool_alloc(&idev->q->requests, GFP_NOWAIT | __GFP_NOWARN);
}

/*
 * A request that cannot be kept spoils its group, which is refused when its
 * last request comes.
 */
void iopf_grp_add_partial(struct iopf_dev *idev, struct iopf_grp *grp,
			  const struct iommu_fault *fault)
{
	struct iopf_fault *request;

	lockdep_assert_held(&idev->lock);
	if (grp->rejected)
		return;
	if (iopf_over_partial(idev, idev->nr_partial)) {
		idev->stats.limited++;
		iopf_grp_reject(idev, grp);
		return;
	}
	request = iopf_request_slot(idev, grp);
	if (!request) {
		idev->stats.nomem++;
		iopf_grp_reject(idev, grp);
		return;
	}
	request->fault = *fault;
	list_add_tail(&request->list, &grp->pub.faults);
	grp->pub.fault_count++;
	idev->nr_partial++;
}

/* The last request is here; the group's holder gets a reference. */
void iopf_grp_complete(struct iopf_dev *idev, struct iopf_grp *grp,
		       const struct iommu_fault *fault)
{
	lockdep_assert_held(&idev->lock);
	idev->nr_rejected -= grp->rejected;
	if (iopf_over_pending(idev)) {
		idev->stats.limited++;
		grp->rejected = true;
	}
	grp->pub.last_fault.fault = *fault;
	list_add_tail(&grp->pub.last_fault.list, &grp->pub.faults);
	idev->nr_partial -= grp->pub.fault_count++;
	idev->nr_pending++;
	idev->stats.groups++;
	grp->seq = ++idev->seq;
	WRITE_ONCE(grp->state, IOPF_PENDING);
	refcount_inc(&grp->users);
	list_move_tail(&grp->pub.pending_node, &grp->lane->pending);
	grp->since = jiffies;
	trace_iopf_complete(idev->pub.dev, grp->key.pasid, grp->key.grpid,
			    grp->pub.fault_count);
}
