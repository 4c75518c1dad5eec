// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: faults that sleep
 *
 * A worker asleep in the mm keeps its group, and others have to go on in its place. An
 * unbound workqueue does not tell that a worker sleeps, so the scheduler is asked: at
 * each report about the worker that the lane's next group waits for, and by the look
 * about all of them. A worker that was seen asleep is noted; it takes the note back
 * itself when it goes on.
 *
 * A group that asks for a page for which a worker is already asleep would only put
 * another worker to sleep. It waits for that one, as a follower. Followers stay queued
 * groups, which time out and can be claimed like any other, and when the worker goes
 * on they are handled like any other: their access may differ from its own, and it
 * may have failed.
 */
#include <linux/hash.h>
#include <linux/sched.h>

#include "iopf.h"

static struct hlist_head *iopf_sleepers(struct iopf_lane *lane,
					unsigned long page)
{
	u64 key = (u64)page ^ (unsigned long)lane;

	return &lane->idev->sleepers[hash_64(key, IOPF_SLEEPER_BITS)];
}

/*
 * Note that @worker, which handles a group, is asleep, if it is: true.
 *
 * The thread may be woken at the same time. It looks at @asleep after it was woken, and
 * here it is looked at whether it was woken after @asleep is set: smp_mb() pairs with
 * the barriers of the scheduler between the two, and one of them sees the other. So
 * each note is taken back, and @page is the one of the sleep that was seen.
 */
bool iopf_worker_note_asleep(struct iopf_worker *worker)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_dev *idev = worker->idev;
	unsigned long page;

	lockdep_assert_held(&idev->lock);
	if (worker->asleep || task_is_runnable(worker->task))
		return false;
	WRITE_ONCE(worker->asleep, true);
	/* See above: pairs with the scheduler. */
	smp_mb();
	if (task_is_runnable(worker->task)) {
		WRITE_ONCE(worker->asleep, false);
		return false;
	}
	page = READ_ONCE(worker->page);
	if (page != IOPF_NO_PAGE)
		hlist_add_head(&worker->sleeper_node,
			       iopf_sleepers(lane, page));
	list_del_init(&worker->node);
	list_move_tail(&worker->lane_node, &lane->workers);
	idev->nr_asleep++;
	lane->nr_asleep++;
	lane->nr_slept++;
	return true;
}

/* Note those of the lane's workers that are asleep; those that are noted come last. */
void iopf_lane_note_sleepers(struct iopf_lane *lane)
{
	struct iopf_worker *worker;
	struct iopf_worker *next;

	list_for_each_entry_safe(worker, next, &lane->workers, lane_node) {
		if (worker->asleep)
			break;
		iopf_worker_note_asleep(worker);
	}
}

/* The groups that have waited for @worker are the next ones of their lane. */
static void iopf_release_followers(struct iopf_worker *worker)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_grp *grp;

	list_for_each_entry(grp, &worker->followers, pub.node) {
		grp->worker = NULL;
		lane->nr_following--;
		iopf_lane_count_queued(grp);
	}
	list_splice_init(&worker->followers, &lane->queue);
	iopf_look_at(lane);
}

/* @worker, which was seen asleep, goes on. */
void iopf_worker_woke(struct iopf_worker *worker)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_dev *idev = worker->idev;

	lockdep_assert_held(&idev->lock);
	WRITE_ONCE(worker->asleep, false);
	worker->slept = true;
	hlist_del_init(&worker->sleeper_node);
	list_add(&worker->node, &idev->awake);
	list_move(&worker->lane_node, &lane->workers);
	idev->nr_asleep--;
	lane->nr_asleep--;
	if (!list_empty(&worker->followers))
		iopf_release_followers(worker);
	/* With one sleeper less there may be room for another. */
	if (lane->starved && iopf_pool_allows(lane, 1))
		iopf_lane_feed(lane);
	iopf_lane_offer(lane);
}

/* @worker, which was seen asleep, goes on to the next page, or begins with the first. */
void iopf_worker_leave_page(struct iopf_worker *worker)
{
	struct iopf_worker *next;

	spin_lock(&worker->idev->lock);
	/* It may have been taken back meanwhile. */
	if (worker->asleep)
		iopf_worker_woke(worker);
	next = iopf_worker_wanted(worker->idev);
	spin_unlock(&worker->idev->lock);
	if (next)
		iopf_worker_queue(next);
}

/* A PASID may be another address space's by now, so this is not told by the lane. */
static struct iopf_worker *iopf_find_sleeper(struct iopf_grp *grp,
					     unsigned long page)
{
	struct iopf_worker *worker;

	hlist_for_each_entry(worker, iopf_sleepers(grp->lane, page),
			     sleeper_node)
		if (worker->lane == grp->lane && worker->grp->mm == grp->mm &&
		    READ_ONCE(worker->page) == page)
			return worker;
	return NULL;
}

/* @grp, which waits for a worker, is claimed. */
void iopf_grp_unfollow(struct iopf_grp *grp)
{
	lockdep_assert_held(&grp->lane->idev->lock);
	list_del_init(&grp->pub.node);
	grp->lane->nr_following--;
}

/*
 * Let @grp, the next one in its lane's queue, wait for the worker that sleeps for one
 * of its pages. False if there is none.
 */
bool iopf_grp_follow(struct iopf_grp *grp)
{
	struct iopf_lane *lane = grp->lane;
	struct iopf_worker *worker;
	struct iopf_fault *request;

	lockdep_assert_held(&lane->idev->lock);
	list_for_each_entry(request, &grp->pub.faults, list) {
		worker = iopf_find_sleeper(grp, request->fault.prm.addr &
						PAGE_MASK);
		if (!worker)
			continue;
		iopf_lane_unqueue(grp);
		grp->worker = worker;
		list_add_tail(&grp->pub.node, &worker->followers);
		lane->nr_following++;
		lane->idev->stats.followed++;
		return true;
	}
	return false;
}
