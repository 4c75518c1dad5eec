// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: lanes
 *
 * A lane holds the groups of one PASID on one device. The device's workers take them
 * lane by lane, so that what one PASID does to its lane, the lanes of others do not see.
 * Lanes are made when a PASID first sends something. Idle ones are kept for a
 * while, but not many for long: a guest that chooses its PASIDs could make a million.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "objects.h"

/* A request without PASID has a lane, too, beyond all PASIDs. */
static unsigned long iopf_lane_index(const struct iopf_key *key)
{
	return iopf_key_has_pasid(key) ? key->pasid : ULONG_MAX;
}

/* Not the recent one, see iopf_lane_find(). */
struct iopf_lane *iopf_lane_look_up(struct iopf_dev *idev,
				    const struct iopf_key *key)
{
	idev->recent = xa_load(&idev->lanes, iopf_lane_index(key));
	return idev->recent;
}

/* The first user is there. */
void iopf_lane_wake(struct iopf_lane *lane)
{
	if (list_empty(&lane->idle_node))
		return;
	list_del_init(&lane->idle_node);
	lane->idev->nr_idle--;
}

static void iopf_lane_erase(struct iopf_lane *lane)
{
	struct iopf_dev *idev = lane->idev;
	struct iopf_key key = {
		.pasid_valid = lane->pasid_valid,
		.pasid = lane->pasid,
	};

	if (idev->recent == lane)
		idev->recent = NULL;
	xa_erase(&idev->lanes, iopf_lane_index(&key));
	list_del(&lane->idle_node);
	list_del(&lane->busy_node);
	idev->nr_lanes--;
	idev->nr_idle--;
	kfree(lane);
}

/* Make room: false if all lanes are in use. */
static bool iopf_lane_erase_idle(struct iopf_dev *idev)
{
	struct iopf_lane *lane;

	lane = list_first_entry_or_null(&idev->idle, struct iopf_lane,
					idle_node);
	if (lane)
		iopf_lane_erase(lane);
	return lane;
}

/* The last user has gone. */
void iopf_lane_idle(struct iopf_lane *lane)
{
	struct iopf_dev *idev = lane->idev;

	list_add_tail(&lane->idle_node, &idev->idle);
	lane->idle_since = jiffies;
	idev->nr_idle++;
}

/*
 * End the lane if it has been idle for long and there are more idle ones than are kept:
 * PASIDs that take turns are not to have theirs made for each group.
 */
void iopf_lane_age(struct iopf_lane *lane)
{
	lockdep_assert_held(&lane->idev->lock);
	if (!list_empty(&lane->idle_node) && iopf_lanes_are_many(lane->idev) &&
	    time_after_eq(jiffies, lane->idle_since + msecs_to_jiffies(IOPF_IDLE_MS)))
		iopf_lane_erase(lane);
}

static struct iopf_lane *iopf_lane_alloc(struct iopf_dev *idev,
					 const struct iopf_key *key)
{
	struct iopf_lane *lane;

	lane = kzalloc(sizeof(*lane), GFP_NOWAIT | __GFP_NOWARN);
	if (!lane)
		return NULL;
	lane->idev = idev;
	lane->pasid_valid = iopf_key_has_pasid(key);
	lane->pasid = key->pasid;
	INIT_LIST_HEAD(&lane->partial);
	INIT_LIST_HEAD(&lane->pending);
	INIT_LIST_HEAD(&lane->delivered);
	INIT_LIST_HEAD(&lane->queue);
	INIT_LIST_HEAD(&lane->claimed);
	INIT_LIST_HEAD(&lane->workers);
	INIT_LIST_HEAD(&lane->ready_node);
	INIT_LIST_HEAD(&lane->busy_node);
	INIT_LIST_HEAD(&lane->idle_node);
	lane->prefault_max = -1;
	return lane;
}

/* See iopf_lane_get(). */
struct iopf_lane *iopf_lane_new(struct iopf_dev *idev,
				const struct iopf_key *key)
{
	struct iopf_lane *lane;

	if (idev->nr_lanes >= idev->limits.lanes &&
	    !iopf_lane_erase_idle(idev)) {
		idev->stats.limited++;
		return NULL;
	}
	/* PASIDs that take turns faster than lanes age. */
	if (idev->nr_idle >= IOPF_DEFAULT_LIMIT)
		iopf_lane_erase_idle(idev);
	lane = iopf_lane_alloc(idev, key);
	/* Idle lanes are the reserve. */
	if (!lane && iopf_lane_erase_idle(idev))
		lane = iopf_lane_alloc(idev, key);
	if (lane && !xa_insert(&idev->lanes, iopf_lane_index(key), lane,
			       GFP_NOWAIT | __GFP_NOWARN)) {
		idev->nr_lanes++;
		return lane;
	}
	idev->stats.nomem++;
	kfree(lane);
	return NULL;
}

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

/* All references to the device are gone, so all lanes are idle. */
void iopf_lanes_destroy(struct iopf_dev *idev)
{
	struct iopf_lane *lane;
	unsigned long index;

	xa_for_each(&idev->lanes, index, lane)
		kfree(lane);
	xa_destroy(&idev->lanes);
}
