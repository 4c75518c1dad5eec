/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: lanes
 */
#ifndef __IOPF_LANE_H
#define __IOPF_LANE_H

#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/time64.h>

#include "group.h"

/* Pages in a lane's queue for each further worker that takes groups from it. */
#define IOPF_WORKER_BACKLOG	64
/* The same in CPU time, for pages that take long: huge ones, copies. */
#define IOPF_WORKER_BACKLOG_NS	(400 * NSEC_PER_USEC)
#define IOPF_LONG_PAGE_NS	(32 * NSEC_PER_USEC)
/* Lanes that a device keeps for PASIDs without a group, however long. */
#define IOPF_IDLE_LANES		64
/* How long it keeps those beyond that, at least. */
#define IOPF_IDLE_MS		1000
/* Lanes that are looked at in one hold of iopf_dev.lock. */
#define IOPF_LANES_PER_HOLD	16

/**
 * struct iopf_lane - the groups of one PASID on one device
 * @idev: the device, whose lock guards everything here
 * @pasid_valid: the lane of a PASID
 * @pasid: the PASID
 * @partial: groups that wait for their last request, in order of arrival
 * @pending: groups that are owed an answer, in order of completion, but for those in
 *	@delivered
 * @delivered: groups that the handler of the PASID's domain owns, in order of delivery
 * @queue: pending groups of an SVA domain that no worker has taken yet
 * @claimed: groups that workers have handled and not yet answered
 * @workers: workers that take groups from it, those that are asleep last
 * @ready_node: in iopf_dev.ready while it wants a worker, or in iopf_dev.starved
 * @busy_node: in iopf_dev.busy: the look has to see it
 * @idle_node: in iopf_dev.idle while the lane has no user
 * @idle_since: jiffies when it lost its last user
 * @mm: the address space of the PASID, as its groups without an answer have it; NULL
 *	if there is none, or the next group has to ask the domain again
 * @mm_uses: groups that may yet be begun without asking
 * @nr_mm: groups without an answer that hold it, or did before a flush
 * @nr_users: groups, workers and answers on their way
 * @nr_queued: length of @queue
 * @queued_pages: requests of the groups in @queue
 * @nr_deferred: length of @claimed
 * @nr_following: queued groups that wait for a worker asleep for one of their pages,
 *	and are not in @queue
 * @nr_workers: length of @workers
 * @nr_asleep: those of them that were seen asleep
 * @nr_slept: workers that were seen to fall asleep since the last look
 * @nr_eager: workers that may take groups from it whatever the backlog, as those
 *	before them fell asleep at once
 * @nr_throttled: workers that wait as their owner's cgroup has too much memory
 * @starved: in iopf_dev.starved: there is no room for a further sleeper
 * @taken: groups that workers have taken from @queue
 * @looked: what @taken was at the last look
 * @page_ns: CPU time that a page of a request takes, a moving average
 * @prefault_max: pages to fault in ahead of the device, negative for those of the
 *	queue; set by iopf_lane_set_prefault()
 * @prefault_window: how many it would be next. Like @prefault_next a guess, without
 *	the lock
 * @prefault_next: where the device comes back if the guess was right
 * @nr_answering: claimed groups whose answers are on their way
 * @requests: page requests of its groups
 * @groups: groups completed by their last request
 * @answers: answers sent, by response code
 * @latency: answers by their latency, see iopf_count_answer()
 */
struct iopf_lane {
	struct iopf_dev *idev;
	bool pasid_valid;
	u32 pasid;
	struct list_head partial;
	struct list_head pending;
	struct list_head delivered;
	struct list_head queue;
	struct list_head claimed;
	struct list_head workers;
	struct list_head ready_node;
	struct list_head busy_node;
	struct list_head idle_node;
	unsigned long idle_since;
	struct mm_struct *mm;
	unsigned int mm_uses;
	unsigned int nr_mm;
	unsigned int nr_users;
	unsigned int nr_queued;
	unsigned int queued_pages;
	unsigned int nr_deferred;
	unsigned int nr_following;
	unsigned int nr_workers;
	unsigned int nr_asleep;
	unsigned int nr_slept;
	unsigned int nr_eager;
	unsigned int nr_throttled;
	bool starved;
	unsigned long taken;
	unsigned long looked;
	u64 page_ns;
	int prefault_max;
	unsigned int prefault_window;
	u64 prefault_next;
	unsigned int nr_answering;
	u64 requests;
	u64 groups;
	u64 answers[3];
	u32 latency[IOPF_LATENCY_BUCKETS];
};

/* lane.c */
struct iopf_lane *iopf_lane_look_up(struct iopf_dev *idev,
				    const struct iopf_key *key);
struct iopf_lane *iopf_lane_new(struct iopf_dev *idev,
				const struct iopf_key *key);
void iopf_lane_wake(struct iopf_lane *lane);
void iopf_lane_idle(struct iopf_lane *lane);
void iopf_lane_age(struct iopf_lane *lane);

/* Are there idle lanes beyond those that are kept? */
static inline bool iopf_lanes_are_many(const struct iopf_dev *idev)
{
	return idev->nr_idle > IOPF_IDLE_LANES;
}

/* The lane of @key, NULL if there is none. */
static inline struct iopf_lane *iopf_lane_find(struct iopf_dev *idev,
					       const struct iopf_key *key)
{
	struct iopf_lane *lane = idev->recent;

	lockdep_assert_held(&idev->lock);
	if (lane && lane->pasid == key->pasid &&
	    lane->pasid_valid == iopf_key_has_pasid(key))
		return lane;
	return iopf_lane_look_up(idev, key);
}

/*
 * For xa_for_each() over iopf_dev.lanes: others have the lock now and then. A lane that
 * comes meanwhile may be left out, and the one that was seen last may be gone.
 */
static inline void iopf_lanes_pause(struct iopf_dev *idev, unsigned int *nr)
{
	lockdep_assert_held(&idev->lock);
	if (++*nr % IOPF_LANES_PER_HOLD)
		return;
	spin_unlock(&idev->lock);
	cond_resched();
	spin_lock(&idev->lock);
}

/* As long as it has a user, a lane stays. */
static inline void iopf_lane_use(struct iopf_lane *lane)
{
	lockdep_assert_held(&lane->idev->lock);
	if (!lane->nr_users++)
		iopf_lane_wake(lane);
}

/*
 * The lane of @key, made if there is none, and used for the caller. NULL without
 * memory or beyond the device's limit.
 */
static inline struct iopf_lane *iopf_lane_get(struct iopf_dev *idev,
					      const struct iopf_key *key)
{
	struct iopf_lane *lane = iopf_lane_find(idev, key);

	if (unlikely(!lane))
		lane = iopf_lane_new(idev, key);
	if (lane)
		iopf_lane_use(lane);
	return lane;
}

/* The caller's use of the lane ends, and maybe the lane with it. */
static inline void iopf_lane_unuse(struct iopf_lane *lane)
{
	lockdep_assert_held(&lane->idev->lock);
	if (!--lane->nr_users)
		iopf_lane_idle(lane);
}

/* The lane wants no worker any more, or none for the time being. */
static inline void iopf_lane_withdraw(struct iopf_lane *lane)
{
	lockdep_assert_held(&lane->idev->lock);
	if (list_empty(&lane->ready_node))
		return;
	list_del_init(&lane->ready_node);
	if (!lane->starved)
		lane->idev->nr_ready--;
	lane->starved = false;
}

/* There is no worker for the lane, and it is not to try again before there is room. */
static inline void iopf_lane_starve(struct iopf_lane *lane)
{
	iopf_lane_withdraw(lane);
	list_add_tail(&lane->ready_node, &lane->idev->starved);
	lane->starved = true;
}

/* @grp is in its lane's queue now, put there by the caller. */
static inline void iopf_lane_count_queued(struct iopf_grp *grp)
{
	struct iopf_lane *lane = grp->lane;
	struct iopf_dev *idev = lane->idev;

	lockdep_assert_held(&idev->lock);
	lane->nr_queued++;
	lane->queued_pages += grp->pub.fault_count;
	WRITE_ONCE(idev->nr_queued, idev->nr_queued + 1);
}

/* @grp, in its lane's queue, is not to be handled by the next worker any more. */
static inline void iopf_lane_unqueue(struct iopf_grp *grp)
{
	struct iopf_lane *lane = grp->lane;

	lockdep_assert_held(&lane->idev->lock);
	list_del_init(&grp->pub.node);
	lane->queued_pages -= grp->pub.fault_count;
	WRITE_ONCE(lane->idev->nr_queued, lane->idev->nr_queued - 1);
	if (!--lane->nr_queued)
		iopf_lane_withdraw(lane);
}

/* The lane's workers that were not seen asleep. */
static inline unsigned int iopf_lane_nr_awake(const struct iopf_lane *lane)
{
	return lane->nr_workers - lane->nr_asleep;
}

/*
 * Does the lane want one worker more? If it has groups and nobody awake to take them,
 * or so many of them that another CPU had better help.
 */
static inline bool iopf_lane_wants(const struct iopf_lane *lane)
{
	unsigned int awake = iopf_lane_nr_awake(lane);

	if (!lane->nr_queued || unlikely(lane->nr_throttled))
		return false;
	return awake < max(lane->nr_eager, 1U) ||
	       lane->queued_pages >= IOPF_WORKER_BACKLOG * awake ||
	       (lane->page_ns >= IOPF_LONG_PAGE_NS &&
		lane->queued_pages * lane->page_ns >=
		IOPF_WORKER_BACKLOG_NS * awake);
}

/* Let a worker come to the lane, if it wants one. */
static inline void iopf_lane_offer(struct iopf_lane *lane)
{
	lockdep_assert_held(&lane->idev->lock);
	if (list_empty(&lane->ready_node) && iopf_lane_wants(lane)) {
		list_add_tail(&lane->ready_node, &lane->idev->ready);
		lane->idev->nr_ready++;
	}
}

/* The responses that workers have deferred are the caller's to send, by iopf_send(). */
static inline void iopf_take_held(struct iopf_lane *lane,
				  struct list_head *claimed)
{
	struct iopf_dev *idev = lane->idev;

	lockdep_assert_held(&idev->lock);
	list_splice_tail_init(&lane->claimed, claimed);
	WRITE_ONCE(idev->nr_deferred, idev->nr_deferred - lane->nr_deferred);
	lane->nr_deferred = 0;
}

struct iopf_worker *iopf_lane_push(struct iopf_lane *lane,
				   struct iopf_grp *grp);
void iopf_lanes_destroy(struct iopf_dev *idev);

/* How many pages a worker of @lane may be ahead of the device. */
static inline unsigned int iopf_prefault_max(const struct iopf_lane *lane)
{
	int pages = READ_ONCE(lane->prefault_max);

	return pages < 0 ? READ_ONCE(lane->idev->q->prefault_max) : pages;
}

#endif /* __IOPF_LANE_H */
