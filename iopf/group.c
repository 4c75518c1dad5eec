// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: page request groups
 *
 * A group is found by its key in the device's table from its first request
 * until it is answered.
 */
#include <kunit/static_stub.h>
#include <linux/jiffies.h>
#include <linux/sched/mm.h>
#include <trace/events/iopf.h>

#include "iopf.h"

/* The owners that a group may go to from each of them. */
static const u8 iopf_next_owners[IOPF_NR_OWNERS] = {
	[IOPF_OWNER_ASSEMBLING] = BIT(IOPF_OWNER_QUEUED) |
				  BIT(IOPF_OWNER_DOMAIN) |
				  BIT(IOPF_OWNER_HANDLER) |
				  BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_QUEUED] = BIT(IOPF_OWNER_WORKER) | BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_WORKER] = BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_DOMAIN] = BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_HANDLER] = BIT(IOPF_OWNER_QUEUED) |
			       BIT(IOPF_OWNER_DOMAIN) |
			       BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_CLAIMED] = 0,
};

/* A KUnit case takes this function's place to see the check fire. */
void iopf_grp_bad_owner(struct iopf_grp *grp, enum iopf_owner owner)
{
	KUNIT_STATIC_STUB_REDIRECT(iopf_grp_bad_owner, grp, owner);
	WARN_ONCE(1, "group %u of PASID %u goes from owner %u to %u\n",
		  grp->key.grpid, grp->key.pasid, grp->owner, owner);
}

/* Under iopf_dev.lock, see iopf_grp_set_owner(). */
void iopf_grp_check_owner(struct iopf_grp *grp, enum iopf_owner owner)
{
	bool queued = !list_empty(&grp->pub.node);

	if (!(iopf_next_owners[grp->owner] & BIT(owner)) ||
	    (owner != IOPF_OWNER_ASSEMBLING && owner != IOPF_OWNER_CLAIMED &&
	     !grp->seq) ||
	    (owner == IOPF_OWNER_QUEUED && (!queued || !grp->mm)) ||
	    (owner == IOPF_OWNER_WORKER && (queued || !grp->mm)) ||
	    (owner == IOPF_OWNER_CLAIMED && queued &&
	     grp->owner == IOPF_OWNER_QUEUED))
		iopf_grp_bad_owner(grp, owner);
}

/* It may have been another group before. What its holder sets is left alone. */
static void iopf_grp_init(struct iopf_dev *idev, struct iopf_grp *grp)
{
	INIT_LIST_HEAD(&grp->pub.faults);
	INIT_LIST_HEAD(&grp->pub.node);
	grp->pub.fault_count = 0;
	grp->pub.attach_handle = NULL;
	grp->pub.fault_param = &idev->pub;
	refcount_set(&grp->users, 1);
	grp->mm = NULL;
	grp->owner = IOPF_OWNER_ASSEMBLING;
	grp->worker = NULL;
	grp->rejected = false;
	grp->prefaulted = 0;
	grp->by_pair = false;
	grp->seq = 0;
	grp->times.begun = iopf_now();
	grp->times.complete = 0;
	grp->times.taken = 0;
	grp->times.sent = 0;
	grp->marks = 0;
}

/*
 * A group of @key; the table takes the one reference that it is born with. NULL without
 * memory.
 */
struct iopf_grp *iopf_grp_new(struct iopf_dev *idev, const struct iopf_key *key)
{
	struct iopf_lane *lane;
	struct iopf_grp *grp;

	lockdep_assert_held(&idev->lock);
	lane = iopf_lane_get(idev, key);
	if (!lane)
		return NULL;
	grp = iopf_grp_alloc(idev);
	if (!grp) {
		idev->stats.nomem++;
		iopf_lane_unuse(lane);
		return NULL;
	}

	/* The queue has a reference as long as the device is not dead. */
	refcount_inc(&idev->pub.users);
	iopf_grp_init(idev, grp);
	grp->key = *key;
	grp->lane = lane;
	iopf_table_insert(&idev->table, key, &grp->table_node);
	list_add_tail(&grp->pub.pending_node, &lane->partial);
	idev->nr_unfinished++;
	grp->since = jiffies;
	return grp;
}

/* As iopf_grp_put(), for several: the caller ends with iopf_freed_put(). */
void iopf_grp_drop(struct iopf_dev *idev, struct iopf_grp *grp,
		   struct iopf_freed *freed)
{
	if (!refcount_dec_and_test(&grp->users))
		return;
	if (grp->mm)
		mmdrop(grp->mm);
	iopf_grp_free(idev, grp, freed);
}

/* Free what is in @freed, and drop the groups' references to @idev. */
void iopf_freed_put(struct iopf_dev *idev, struct iopf_freed *freed)
{
	if (!freed->nr)
		return;
	iopf_freed_end(idev, freed);
	iopf_dev_put_many(idev, freed->nr);
}

/* Not under iopf_dev.lock. */
void iopf_grp_put(struct iopf_grp *grp)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);
	struct iopf_freed freed = {};

	iopf_grp_drop(idev, grp, &freed);
	iopf_freed_put(idev, &freed);
}

/* NULL if there is no such group, and always for a dead device. */
struct iopf_grp *iopf_grp_find(struct iopf_dev *idev,
			       const struct iopf_key *key)
{
	struct iopf_grp *grp;

	lockdep_assert_held(&idev->lock);
	if (idev->joined && iopf_key_equal(&idev->joined->key, key))
		return idev->joined;
	if (idev->dead)
		return NULL;
	hlist_for_each_entry(grp, iopf_table_bucket(&idev->table, key),
			     table_node)
		if (iopf_key_equal(&grp->key, key))
			return grp;
	return NULL;
}

/* Another one with the key of @grp: only keys with IOPF_KEY_SOLO may have it. */
struct iopf_grp *iopf_grp_next(struct iopf_grp *grp)
{
	const struct iopf_key *key = &grp->key;

	hlist_for_each_entry_continue(grp, table_node)
		if (iopf_key_equal(&grp->key, key))
			return grp;
	return NULL;
}

/*
 * May a request begin a group, or be one by itself if it is @whole? If not, it is
 * dropped, and a device that sends the last one of its group later will ask for the rest
 * again.
 */
bool iopf_grp_room(struct iopf_dev *idev, bool whole)
{
	if (iopf_has_group_room(idev, whole))
		return true;
	idev->stats.limited++;
	return false;
}

/* The next request does not just join @grp. */
static void iopf_grp_close(struct iopf_dev *idev, struct iopf_grp *grp)
{
	if (idev->joined == grp)
		idev->joined = NULL;
}

/*
 * Nobody finds the group by its key or its lane any more. Its index may be used
 * again as soon as the answer is out, so this comes before the answer.
 */
void iopf_grp_remove(struct iopf_dev *idev, struct iopf_grp *grp)
{
	lockdep_assert_held(&idev->lock);
	iopf_table_remove(&idev->table, &grp->table_node);
	iopf_grp_close(idev, grp);
	list_del_init(&grp->pub.pending_node);
	if (grp->mm && !--grp->lane->nr_mm)
		grp->lane->mm = NULL;
	if (grp->seq) {
		idev->nr_pending--;
	} else {
		idev->nr_unfinished--;
		idev->nr_partial -= grp->pub.fault_count;
	}
}

/* Refuse an unfinished group when its last request comes. */
void iopf_grp_reject(struct iopf_dev *idev, struct iopf_grp *grp)
{
	lockdep_assert_held(&idev->lock);
	grp->rejected = true;
	iopf_grp_close(idev, grp);
}

/*
 * A request that cannot be kept spoils its group, which is refused when its
 * last request comes.
 */
void iopf_grp_add_partial(struct iopf_dev *idev, struct iopf_grp *grp,
			  const struct iommu_fault *fault)
{
	lockdep_assert_held(&idev->lock);
	if (grp->rejected)
		return;
	if (!iopf_has_request_room(idev)) {
		idev->stats.limited++;
		iopf_grp_reject(idev, grp);
		return;
	}
	if (!grp->nr_slots && !iopf_grp_add_slots(idev, grp)) {
		idev->stats.nomem++;
		iopf_grp_reject(idev, grp);
		return;
	}
	iopf_grp_append(idev, grp, fault);
	/* Solo ones, of which there may be several of a key, do not come here. */
	idev->joined = grp;
}

/* The last request is here. The caller finds the group's next owner: iopf_route(). */
void iopf_grp_complete(struct iopf_dev *idev, struct iopf_grp *grp,
		       const struct iommu_fault *fault)
{
	lockdep_assert_held(&idev->lock);
	iopf_grp_close(idev, grp);
	grp->pub.last_fault.fault = *fault;
	list_add_tail(&grp->pub.last_fault.list, &grp->pub.faults);
	idev->nr_unfinished--;
	idev->nr_partial -= grp->pub.fault_count;
	idev->groups_made++;
	idev->requests_made += grp->pub.fault_count;
	grp->pub.fault_count++;
	idev->nr_pending++;
	idev->stats.groups++;
	grp->lane->groups++;
	grp->lane->requests += grp->pub.fault_count;
	grp->seq = ++idev->seq;
	list_move_tail(&grp->pub.pending_node, &grp->lane->pending);
	grp->since = jiffies;
	grp->times.complete = iopf_now();
	trace_iopf_complete(idev->pub.dev, grp->key.pasid, grp->key.grpid,
			    grp->pub.fault_count);
}
