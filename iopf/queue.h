/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: queues and their devices
 */
#ifndef __IOPF_QUEUE_H
#define __IOPF_QUEUE_H

#include <linux/hrtimer.h>
#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/llist.h>
#include <linux/mempool.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"
#include "stats.h"
#include "table.h"

struct iopf_grp;
struct iopf_handler;
struct iopf_lane;
struct iopf_worker;

/* What a PCI device may have of everything unless it is told otherwise. */
#define IOPF_DEFAULT_LIMIT	4096
/* And one that stalls: as many groups as an SMMU's tags of 16 bits tell apart. */
#define IOPF_STALL_LIMIT	65536
/* Objects that a queue holds back for times without memory. */
#define IOPF_RESERVE_GROUPS	64
#define IOPF_RESERVE_CHUNKS	16

/*
 * Workers of a queue. As many faults of one PASID may sleep as there are work items of
 * the queue that this replaces; that leaves a quarter for others.
 */
#define IOPF_WORKERS		(WQ_DFL_ACTIVE + WQ_DFL_ACTIVE / 3)
/* A lane may have so many sleepers for each worker that is left. */
#define IOPF_SLEEPERS_PER_FREE	3
/* Lists of workers by the page that they are asleep for. */
#define IOPF_SLEEPER_BITS	6

/**
 * struct iopf_pool - the workers of a queue
 * @lock: guards what follows; nests inside iopf_dev.lock
 * @free: those that no device uses
 * @nr_free: length of @free; readable without the lock where a guess is enough
 * @starved: devices that wait until one comes back
 * @nr_near: workers in use from which on others are queued on @far
 * @near: workqueue whose workers begin in the cache domain of who queues them
 * @far: the same without a domain: the number of its workers is not divided among
 *	the NUMA nodes; they have a larger share of a CPU
 * @workers: all of them
 */
struct iopf_pool {
	spinlock_t lock; /* nests inside iopf_dev.lock */
	struct list_head free;
	unsigned int nr_free;
	struct list_head starved;
	unsigned int nr_near;
	struct workqueue_struct *near;
	struct workqueue_struct *far;
	struct iopf_worker *workers;
};

/**
 * struct iopf_q - a fault queue
 * @pub: what <linux/iommu.h> shows of it; @pub.lock guards @pub.devices
 * @users: see References above
 * @groups: reserve of &struct iopf_grp
 * @chunks: reserve of &struct iopf_chunk
 * @pool: its workers
 * @ops: what its driver can do better, or NULL
 * @timeout_ms: for its groups, in milliseconds; 0: none, negative: the one of
 *	the module
 * @domain_timeout_ms: the same for those that a domain's handler owns
 * @prefault_max: pages to fault in ahead of its devices
 * @debugfs: its folder
 * @release: destroys the queue, away from the workers that may drop the last
 *	reference
 */
struct iopf_q {
	struct iopf_queue pub;
	refcount_t users;
	mempool_t groups;
	mempool_t chunks;
	struct iopf_pool pool;
	const struct iopf_queue_ops *ops;
	int timeout_ms;
	int domain_timeout_ms;
	unsigned int prefault_max;
	struct dentry *debugfs;
	struct work_struct release;
};

/**
 * struct iopf_flush - somebody who waits until groups of a device have ended
 * @node: in iopf_dev.flushes
 * @lane: those of this lane, or NULL for all; the lane is used
 * @seq: groups up to this number
 * @nr_faulting: those of them that are the workers' to handle
 * @claims: groups up to this claim
 * @nr_answering: those of them whose answers are on their way
 *
 * On the stack of who waits. iopf_dev.lock guards it; the two counts are read without the
 * lock to see whether they are zero. What came later is not counted, so it cannot make the
 * wait longer.
 */
struct iopf_flush {
	struct list_head node;
	struct iopf_lane *lane;
	u64 seq;
	unsigned int nr_faulting;
	u64 claims;
	unsigned int nr_answering;
};

/**
 * struct iopf_dev - a device on a fault queue
 * @pub: what <linux/iommu.h> shows of it; @pub.users counts references
 * @q: the queue, referenced
 * @ops: the device's iommu_ops
 * @debugfs: its folder
 * @spare: groups to be used again, as they have come back, without @lock
 * @nr_spare: length of @spare, more or less
 * @groups_freed: complete groups that were freed, ever, and
 * @requests_freed: requests in them beside the last ones; both without @lock
 * @lock: guards all that follows, and all lanes and groups of the device
 * @dead: removed from its queue: no new groups
 * @reuse: groups to be used again, the next ones
 * @table: all groups that are not answered
 * @joined: the group that the last request has joined, unfinished and not rejected,
 *	or NULL: most often the next one joins it, too
 * @lanes: the lanes, by iopf_lane_index()
 * @recent: the lane that was found last, or NULL
 * @idle: idle lanes, the longest idle one first
 * @ready: lanes that want a worker, in the order in which they are served
 * @starved: lanes that have groups, and sleepers already, while others may need the
 *	workers that are left
 * @busy: lanes that the look has to see
 * @awake: workers that handle a group and were not seen asleep
 * @sleepers: workers that were seen asleep, by lane and page
 * @ending: groups claimed by the device's removal, which sends their answers
 * @nr_lanes: lanes in @lanes
 * @nr_idle: lanes in @idle
 * @nr_unfinished: groups that wait for their last request
 * @nr_partial: requests in them
 * @nr_pending: complete groups that are not answered
 * @groups_made: complete groups, ever, and
 * @requests_made: requests in them beside the last ones
 * @groups_seen: what @groups_freed was when it was last looked at, and
 * @requests_seen: what @requests_freed was
 * @nr_handled: those of them that a registered handler owns
 * @handler: who has registered; read under RCU, and under @lock by those who
 *	count @nr_handled up
 * @limits: see there, and limits.c
 * @pri_limits: @limits have been compared with what PRI grants
 * @seq: number of the youngest complete group; another device, or the same one
 *	after it was removed, has other numbers
 * @nr_queued: groups in the queues of all lanes; readable without the lock where a guess
 *	is enough
 * @nr_deferred: responses that workers have deferred; readable like @nr_queued
 * @nr_ready: length of @ready
 * @nr_workers: workers that run
 * @nr_waiting: workers that are queued and have not begun, or poll for a group
 * @nr_far: those of @nr_waiting that are queued on iopf_pool.far
 * @nr_asleep: those of @nr_workers that were seen asleep
 * @nr_eager: workers beyond the CPUs that lanes may have, see iopf_lane.nr_eager
 * @nr_cpus: CPUs that workers may use, as they were at the last look
 * @taken: groups that workers have taken; readable like @nr_queued
 * @looked: what @taken was at the last look
 * @poll_pause: how many looks for a next group to leave out when the next one is in vain
 * @poll_skip: how many are yet to be left out
 * @look_timer: finds out whether it is time for @look
 * @ticks_waiting: what its ticks, up to the last, amount to in which something was queued
 *	or deferred; the timer's own while it runs, as the next two
 * @ticks_quiet: in how many of them nothing was
 * @tick_taken: what @taken was in the last one
 * @look: sees to it that queued groups are begun
 * @looking: @look_timer or @look is on its way
 * @room: workers have come back since @starved lanes were refused
 * @starved_node: in iopf_pool.starved, whose lock guards it
 * @watch: looks for groups whose time is over
 * @watching: @watch is on its way
 * @nr_faulting: groups that are the workers' to handle, @IOPF_OWNER_QUEUED or
 *	@IOPF_OWNER_WORKER
 * @claims: number of the last claim
 * @nr_answering: claimed groups whose answers are on their way
 * @flushes: those who wait for groups to end
 * @flushed: woken when a count of one of @flushes gets to zero
 * @stats: counters
 * @latency: answers by their latency, see iopf_count_answer()
 */
struct iopf_dev {
	struct iommu_fault_param pub;
	struct iopf_q *q;
	const struct iommu_ops *ops;
	struct dentry *debugfs;
	struct llist_head spare;
	atomic_t nr_spare;
	atomic_t groups_freed;
	atomic_t requests_freed;

	spinlock_t lock; /* all that follows, lanes and groups */
	bool dead;
	struct llist_node *reuse;
	struct iopf_table table;
	struct iopf_grp *joined;
	struct xarray lanes;
	struct iopf_lane *recent;
	struct list_head idle;
	struct list_head ready;
	struct list_head starved;
	struct list_head busy;
	struct list_head awake;
	struct hlist_head sleepers[BIT(IOPF_SLEEPER_BITS)];
	struct list_head ending;
	unsigned int nr_lanes;
	unsigned int nr_idle;
	unsigned int nr_unfinished;
	unsigned int nr_partial;
	unsigned int nr_pending;
	unsigned int groups_made;
	unsigned int requests_made;
	unsigned int groups_seen;
	unsigned int requests_seen;
	unsigned int nr_handled;
	struct iopf_handler __rcu *handler;
	struct iopf_limits limits;
	bool pri_limits;
	u64 seq;
	unsigned int nr_queued;
	unsigned int nr_deferred;
	unsigned int nr_ready;
	unsigned int nr_workers;
	unsigned int nr_waiting;
	unsigned int nr_far;
	unsigned int nr_asleep;
	unsigned int nr_eager;
	unsigned int nr_cpus;
	unsigned long taken;
	unsigned long looked;
	u8 poll_pause;
	u8 poll_skip;
	struct hrtimer look_timer;
	u8 ticks_waiting;
	u8 ticks_quiet;
	unsigned long tick_taken;
	struct work_struct look;
	bool looking;
	bool room;
	struct list_head starved_node;
	struct delayed_work watch;
	bool watching;
	unsigned int nr_faulting;
	u64 claims;
	unsigned int nr_answering;
	struct list_head flushes;
	wait_queue_head_t flushed;
	struct iopf_stats stats;
	u64 latency[IOPF_LATENCY_BUCKETS];
};

static inline struct iopf_q *to_iopf_q(struct iopf_queue *queue)
{
	return container_of(queue, struct iopf_q, pub);
}

static inline struct iopf_dev *to_iopf_dev(struct iommu_fault_param *param)
{
	return container_of(param, struct iopf_dev, pub);
}

/* queue.c */
void iopf_q_put(struct iopf_q *q);

/* device.c */
int iopf_dev_install(struct iopf_queue *queue, struct device *dev,
		     struct iopf_dev **left);
struct iopf_dev *iopf_dev_unlink(struct iopf_queue *queue, struct device *dev);
void iopf_dev_end(struct iopf_dev *idev);
struct iopf_dev *iopf_dev_rcu(struct device *dev);
struct iopf_dev *iopf_dev_get(struct device *dev);
void iopf_dev_put_many(struct iopf_dev *idev, int n);

static inline void iopf_dev_put(struct iopf_dev *idev)
{
	iopf_dev_put_many(idev, 1);
}

/* limits.c */
void iopf_limits_init(struct iopf_limits *limits, struct device *dev);
unsigned int iopf_pri_allocation(struct device *dev);
void iopf_limits_look(struct iopf_dev *idev);
bool iopf_is_half_full(struct iopf_dev *idev);

/* Groups that take memory, by what was last seen of those that were freed. */
static inline unsigned int iopf_held_groups(const struct iopf_dev *idev)
{
	return idev->nr_unfinished + idev->groups_made - idev->groups_seen;
}

/* The same of requests, beside the last ones of complete groups. */
static inline unsigned int iopf_held_requests(const struct iopf_dev *idev)
{
	return idev->nr_partial + idev->requests_made - idev->requests_seen;
}

static inline bool iopf_is_below_limits(const struct iopf_dev *idev, bool whole)
{
	if (!whole && idev->nr_unfinished >= idev->limits.unfinished)
		return false;
	return iopf_held_groups(idev) < idev->limits.groups;
}

/* Is there room for a group that will be complete at once, if it is @whole? */
static inline bool iopf_has_group_room(struct iopf_dev *idev, bool whole)
{
	lockdep_assert_held(&idev->lock);
	if (likely(iopf_is_below_limits(idev, whole)))
		return true;
	iopf_limits_look(idev);
	return iopf_is_below_limits(idev, whole);
}

/* Requests that unfinished groups may get, by what was last seen. */
static inline unsigned int iopf_request_room(const struct iopf_dev *idev)
{
	unsigned int held = iopf_held_requests(idev);

	if (held >= idev->limits.requests ||
	    idev->nr_partial >= idev->limits.unfinished)
		return 0;
	return min(idev->limits.requests - held,
		   idev->limits.unfinished - idev->nr_partial);
}

static inline bool iopf_has_request_room(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	if (likely(iopf_request_room(idev)))
		return true;
	iopf_limits_look(idev);
	return iopf_request_room(idev);
}

/* Does the device have page request group indices as wide as the one of @fault? */
static inline bool iopf_fits(struct iopf_dev *idev,
			     const struct iommu_fault *fault)
{
	return !((u64)fault->prm.grpid >> READ_ONCE(idev->limits.grpid_bits));
}

#endif /* __IOPF_QUEUE_H */
