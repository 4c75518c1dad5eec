/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: workers
 */
#ifndef __IOPF_WORKER_H
#define __IOPF_WORKER_H

#include <linux/list.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "group.h"
#include "lane.h"

/* No page: the worker is not in a fault. */
#define IOPF_NO_PAGE		(~0UL)

/**
 * struct iopf_worker - a work item that handles groups
 * @work: on a workqueue of the queue's pool
 * @far: which of the two
 * @idev: the device that uses it, referenced
 * @node: in iopf_pool.free, or in iopf_dev.awake while it has a lane and is not
 *	@asleep; under the lock of that list
 * @lane: the lane that it takes groups from, or NULL; guarded by iopf_dev.lock, as all
 *	that follows unless it says otherwise
 * @lane_node: in iopf_lane.workers
 * @task: the thread that handles @grp
 * @grp: the group being handled
 * @code: what became of @grp, when it is through; the thread's own
 * @page: the page that it asks the mm for, or %IOPF_NO_PAGE; written by the thread
 *	without the lock
 * @stopped: nobody waits for @grp any more, and the thread was woken to see it;
 *	readable without the lock
 * @asleep: it was seen asleep and has not gone on since; readable without the lock, by
 *	the thread itself
 * @slept: it was @asleep since it took @grp
 * @sleeper_node: in iopf_dev.sleepers while @asleep in a fault
 * @followers: groups that wait until it has gone on
 * @runtime: CPU time of the thread when it was looked at last; the thread's own
 */
struct iopf_worker {
	struct work_struct work;
	bool far;
	struct iopf_dev *idev;
	struct list_head node;
	struct iopf_lane *lane;
	struct list_head lane_node;
	struct task_struct *task;
	struct iopf_grp *grp;
	enum iommu_page_response_code code;
	unsigned long page;
	bool stopped;
	bool asleep;
	bool slept;
	struct hlist_node sleeper_node;
	struct list_head followers;
	u64 runtime;
};

/* pool.c */
int iopf_pool_init(struct iopf_pool *pool, const char *name);
void iopf_pool_exit(struct iopf_pool *pool);
struct iopf_worker *iopf_pool_get(struct iopf_dev *idev);
bool iopf_pool_allows(struct iopf_lane *lane, unsigned int more);
bool iopf_pool_has_room(struct iopf_lane *lane, unsigned int more);
void iopf_pool_put(struct iopf_worker *worker);
void iopf_pool_leave(struct iopf_dev *idev);

/* worker.c */
void iopf_workers_init(struct iopf_pool *pool);
struct iopf_worker *iopf_worker_more(struct iopf_dev *idev);
void iopf_worker_queue(struct iopf_worker *worker);
void iopf_worker_stop(struct iopf_worker *worker);
void iopf_lane_stop(struct iopf_lane *lane, u64 seq);
void iopf_lane_stop_orphans(struct iopf_lane *lane, struct list_head *claimed);

/* Workers that are on their way or awake. */
static inline unsigned int iopf_nr_active(const struct iopf_dev *idev)
{
	return idev->nr_waiting + idev->nr_workers - idev->nr_asleep;
}

/*
 * The worker to be queued, by iopf_worker_queue() and without the lock, when a lane
 * wants one, nobody is on the way and a CPU is left. Else NULL: those that run look for
 * further groups before they end, and when they do not, the look finds out.
 */
static inline struct iopf_worker *iopf_worker_wanted(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	if (idev->nr_ready <= idev->nr_waiting ||
	    iopf_nr_active(idev) >= idev->nr_cpus + idev->nr_eager)
		return NULL;
	return iopf_worker_more(idev);
}

/* sleeper.c */
bool iopf_worker_note_asleep(struct iopf_worker *worker);
void iopf_lane_note_sleepers(struct iopf_lane *lane);
void iopf_worker_woke(struct iopf_worker *worker);
void iopf_worker_leave_page(struct iopf_worker *worker);
void iopf_grp_unfollow(struct iopf_grp *grp);
bool iopf_grp_follow(struct iopf_grp *grp);

/* The worker that the next group of @lane waits for is the one that came last. */
static inline void iopf_lane_note_asleep(struct iopf_lane *lane)
{
	struct iopf_worker *worker;

	lockdep_assert_held(&lane->idev->lock);
	if (!lane->nr_workers)
		return;
	worker = list_first_entry(&lane->workers, struct iopf_worker, lane_node);
	if (unlikely(!task_is_runnable(worker->task)))
		iopf_worker_note_asleep(worker);
}

/* look.c */
void iopf_look_init(struct iopf_dev *idev);
void iopf_look_soon(struct iopf_dev *idev);
void iopf_look_stop(struct iopf_dev *idev);

/* There is something in @lane that may not wait for ever. */
static inline void iopf_look_at(struct iopf_lane *lane)
{
	struct iopf_dev *idev = lane->idev;

	lockdep_assert_held(&idev->lock);
	if (list_empty(&lane->busy_node)) {
		list_add_tail(&lane->busy_node, &idev->busy);
		lane->looked = lane->taken - 1;
		lane->nr_slept = 0;
	}
	if (!idev->looking)
		iopf_look_soon(idev);
}

/* There is room: @lane, which was starved, may be offered again. */
static inline void iopf_lane_feed(struct iopf_lane *lane)
{
	iopf_lane_withdraw(lane);
	iopf_look_at(lane);
}

/* poll.c */
bool iopf_poll_has_time(u64 begun);
bool iopf_poll_wanted(struct iopf_dev *idev);
void iopf_poll_done(struct iopf_dev *idev);
void iopf_poll(struct iopf_dev *idev);

#endif /* __IOPF_WORKER_H */
