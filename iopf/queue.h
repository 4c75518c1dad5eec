/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: queues and their devices
 */
#ifndef __IOPF_QUEUE_H
#define __IOPF_QUEUE_H

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

/* What a device may have of everything unless it is told otherwise. */
#define IOPF_DEFAULT_LIMIT	4096
/* Objects that a queue holds back for times without memory. */
#define IOPF_RESERVE_GROUPS	64
#define IOPF_RESERVE_CHUNKS	16

/**
 * struct iopf_q - a fault queue
 * @pub: what <linux/iommu.h> shows of it; @pub.lock guards @pub.devices
 * @users: see References above
 * @groups: reserve of &struct iopf_grp
 * @chunks: reserve of &struct iopf_chunk
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
	const struct iopf_queue_ops *ops;
	int timeout_ms;
	int domain_timeout_ms;
	unsigned int prefault_max;
	struct dentry *debugfs;
	struct work_struct release;
};

/**
 * struct iopf_dev - a device on a fault queue
 * @pub: what <linux/iommu.h> shows of it; @pub.users counts references
 * @q: the queue, referenced
 * @ops: the device's iommu_ops
 * @debugfs: its folder
 * @spare: groups to be used again, as they have come back, without @lock
 * @nr_spare: length of @spare, more or less
 * @lock: guards all that follows, and all lanes and groups of the device
 * @dead: removed from its queue: no new groups
 * @ready: groups to be used again, the next ones
 * @table: all groups that are not answered
 * @joined: the group that the last request has joined, unfinished and not rejected,
 *	or NULL: most often the next one joins it, too
 * @lanes: the lanes, by iopf_lane_index()
 * @recent: the lane that was found last, or NULL
 * @idle: idle lanes, the longest idle one first
 * @ending: groups claimed by the device's removal, which sends their answers
 * @nr_lanes: lanes in @lanes
 * @nr_idle: lanes in @idle
 * @nr_partial: requests that wait for the last one of their group
 * @nr_rejected: groups that exist only to be refused when their last request
 *	comes
 * @nr_pending: complete groups that are not answered
 * @nr_handled: those of them that a registered handler owns
 * @handler: who has registered; read under RCU, and under @lock by those who
 *	count @nr_handled up
 * @limits: for @nr_partial and, apart from it, @nr_rejected; for @nr_pending; for
 *	@nr_lanes
 * @pri_limits: @limits have been compared with what PRI grants
 * @seq: number of the youngest complete group; another device, or the same one
 *	after it was removed, has other numbers
 * @watch: looks for groups whose time is over
 * @watching: @watch is on its way
 * @flush_lock: one flush at a time may turn the lanes' phases (outside @lock)
 * @nr_flushing: those that sleep on @flushed
 * @flushed: woken, if anybody waits, when an answer has been sent
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

	spinlock_t lock; /* all that follows, lanes and groups */
	bool dead;
	struct llist_node *ready;
	struct iopf_table table;
	struct iopf_grp *joined;
	struct xarray lanes;
	struct iopf_lane *recent;
	struct list_head idle;
	struct list_head ending;
	unsigned int nr_lanes;
	unsigned int nr_idle;
	unsigned int nr_partial;
	unsigned int nr_rejected;
	unsigned int nr_pending;
	unsigned int nr_handled;
	struct iopf_handler __rcu *handler;
	struct iopf_limits limits;
	bool pri_limits;
	u64 seq;
	struct delayed_work watch;
	bool watching;
	struct mutex flush_lock; /* the phases of lanes */
	unsigned int nr_flushing;
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
bool iopf_is_granted(struct iopf_dev *idev, unsigned int nr,
		     const unsigned int *limit);

/* May @nr, which counts partial requests or what stands for them, not grow? */
static inline bool iopf_over_partial(struct iopf_dev *idev, unsigned int nr)
{
	lockdep_assert_held(&idev->lock);
	return unlikely(nr >= idev->limits.partial) &&
	       !iopf_is_granted(idev, nr, &idev->limits.partial);
}

/* May there be no further pending group? */
static inline bool iopf_over_pending(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	return unlikely(idev->nr_pending >= idev->limits.pending) &&
	       !iopf_is_granted(idev, idev->nr_pending, &idev->limits.pending);
}

/* Does the device have page request group indices as wide as the one of @fault? */
static inline bool iopf_fits(struct iopf_dev *idev,
			     const struct iommu_fault *fault)
{
	return !((u64)fault->prm.grpid >> READ_ONCE(idev->limits.grpid_bits));
}

#endif /* __IOPF_QUEUE_H */
