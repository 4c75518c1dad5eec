/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: lanes and their workers
 */
#ifndef __IOPF_LANE_H
#define __IOPF_LANE_H

#include <linux/list.h>
#include <linux/workqueue.h>

#include "group.h"

/* Faults of one PASID that may sleep at the same time. */
#define IOPF_LANE_WORKERS	16
/* Pages in a lane's queue for each worker that helps on another CPU. */
#define IOPF_WORKER_BACKLOG	64
/* Lanes that a device keeps for PASIDs without a group. */
#define IOPF_IDLE_LANES		64

/**
 * struct iopf_worker - one drain work item of a lane
 * @work: on the queue's workqueue
 * @lane: the lane
 * @scheduled: queued or running; guarded by iopf_dev.lock
 * @cpu: where to queue it; set by whoever set @scheduled
 * @helps: on another CPU than the lane's; as @cpu
 * @task: the thread that handles @grp; guarded by iopf_dev.lock
 * @grp: the group being handled; guarded by iopf_dev.lock
 * @code: what became of @grp, when it is through; the thread's own
 */
struct iopf_worker {
	struct work_struct work;
	struct iopf_lane *lane;
	bool scheduled;
	unsigned int cpu;
	bool helps;
	struct task_struct *task;
	struct iopf_grp *grp;
	enum iommu_page_response_code code;
};

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
 * @idle_node: in iopf_dev.idle while the lane has no user
 * @mm: the address space of the PASID, as its groups without an answer have it; NULL
 *	if there is none, or the next group has to ask the domain again
 * @mm_uses: groups that may yet be begun without asking
 * @nr_mm: groups without an answer that hold it, or did before a flush
 * @nr_users: groups, scheduled workers and answers on their way
 * @nr_queued: length of @queue
 * @queued_pages: requests of the groups in @queue
 * @nr_scheduled: workers queued or running
 * @nr_waiting: of these, queued and not yet running, or polling for a group
 * @nr_helpers: of these, on other CPUs than @cpu
 * @cpu: the CPU of its workers, chosen with the first
 * @poll_pause: how many looks for a next group to leave out when the next one is in vain
 * @poll_skip: how many are yet to be left out
 * @prefault_max: pages to fault in ahead of the device, negative for those of the
 *	queue; set by iopf_lane_set_prefault()
 * @prefault_window: how many it would be next. Like @prefault_next a guess, without
 *	the lock
 * @prefault_next: where the device comes back if the guess was right
 * @phase: which of @answering counts new answers
 * @answering: answers on their way, by the phase they were begun in: a flush
 *	turns the phase and waits for the old one to run dry, which answers
 *	begun later cannot delay
 * @requests: page requests of its groups
 * @groups: groups completed by their last request
 * @answers: answers sent, by response code
 * @latency: answers by their latency, see iopf_count_answer()
 * @workers: its work items: as many of its faults may sleep
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
	struct list_head idle_node;
	struct mm_struct *mm;
	unsigned int mm_uses;
	unsigned int nr_mm;
	unsigned int nr_users;
	unsigned int nr_queued;
	unsigned int queued_pages;
	unsigned int nr_scheduled;
	unsigned int nr_waiting;
	unsigned int nr_helpers;
	unsigned int cpu;
	u8 poll_pause;
	u8 poll_skip;
	int prefault_max;
	unsigned int prefault_window;
	u64 prefault_next;
	u8 phase;
	unsigned int answering[2];
	u64 requests;
	u64 groups;
	u64 answers[3];
	u32 latency[IOPF_LATENCY_BUCKETS];
	struct iopf_worker workers[IOPF_LANE_WORKERS];
};

/* lane.c */
struct iopf_lane *iopf_lane_look_up(struct iopf_dev *idev,
				    const struct iopf_key *key);
struct iopf_lane *iopf_lane_new(struct iopf_dev *idev,
				const struct iopf_key *key);
void iopf_lane_wake(struct iopf_lane *lane);
void iopf_lane_idle(struct iopf_lane *lane);

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

/* @grp, in its lane's queue, is not to be handled by the next worker any more. */
static inline void iopf_lane_unqueue(struct iopf_grp *grp)
{
	struct iopf_lane *lane = grp->lane;

	lockdep_assert_held(&lane->idev->lock);
	list_del_init(&grp->pub.node);
	lane->nr_queued--;
	lane->queued_pages -= grp->pub.fault_count;
}

struct iopf_worker *iopf_lane_push(struct iopf_lane *lane,
				   struct iopf_grp *grp);
void iopf_lanes_destroy(struct iopf_dev *idev);

/* worker.c */
void iopf_workers_init(struct iopf_lane *lane);
struct iopf_worker *iopf_worker_schedule(struct iopf_lane *lane, bool helps);
void iopf_worker_queue(struct iopf_worker *worker);
void iopf_worker_disturb(struct iopf_grp *grp);

/*
 * The worker to be queued, by iopf_worker_queue() and without the lock, when
 * the lane has groups, or answers to be sent, and no worker on its way, or has so
 * many groups that another CPU had better help. Without one left NULL: those that
 * run look for further groups before they end.
 */
static inline struct iopf_worker *iopf_worker_wanted(struct iopf_lane *lane)
{
	bool helps = lane->nr_waiting;

	lockdep_assert_held(&lane->idev->lock);
	if (helps ? lane->queued_pages < IOPF_WORKER_BACKLOG :
		    !lane->nr_queued && list_empty(&lane->claimed))
		return NULL;
	return iopf_worker_schedule(lane, helps);
}

/* poll.c */
bool iopf_poll_has_time(u64 begun);
bool iopf_poll_wanted(struct iopf_lane *lane);
void iopf_poll_done(struct iopf_lane *lane);
void iopf_poll(struct iopf_lane *lane, const atomic_t *nr_workers);

/* How many pages a worker of @lane may be ahead of the device. */
static inline unsigned int iopf_prefault_max(const struct iopf_lane *lane)
{
	int pages = READ_ONCE(lane->prefault_max);

	return pages < 0 ? READ_ONCE(lane->idev->q->prefault_max) : pages;
}

#endif /* __IOPF_LANE_H */
