/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: private structures
 *
 * A page request walks the files in this order:
 *
 *	report.c    checks it and finds out whom its group belongs to
 *	group.c     joins it to its group
 *	lane.c      queues a complete group of an SVA domain on its PASID's lane
 *	worker.c    takes groups from lanes, on the workqueue
 *	fault.c     asks the mm for the pages
 *	respond.c   sends the one answer of the group
 *
 * queue.c and device.c make and remove what these work on, flush.c ends groups
 * before their time and deadline.c those whose time is over.
 *
 * Locks
 * =====
 *
 *	iopf_queue.lock (mutex)		the queue's list of devices
 *	  dev_iommu.lock (mutex)	dev->iommu->fault_param
 *	    iopf_dev.lock (spinlock)	everything else that can change
 *
 * taken in this order. iopf_dev.lock nests inside any lock of the callers, of
 * the kernel only the locks of rhashtable, xarray, slab, workqueue, timer, wait
 * queue and scheduler nest inside it. No lock of the library is held when it calls
 * iommu_ops.page_response, an iopf_handler or the mm. Workers never take
 * iommu_sva_lock, which unbinding holds while it waits for flush.c.
 *
 * References
 * ==========
 *
 *	iopf_grp    one from the library until the group is answered, one from
 *	            its holder: the lane or worker, or the owner of the handler
 *	iopf_dev    one from the queue, one per group, one per scheduled worker,
 *	            one per flush, one from its watch
 *	iopf_q      one from the driver, one per device
 *	iopf_lane   none: lives as long as its iopf_dev unless it is idle, that
 *	            is, has no group, no scheduled worker and no answer on the way
 */
#ifndef __IOPF_H
#define __IOPF_H

#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/list.h>
#include <linux/mempool.h>
#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"

/* Requests that a group holds without a further allocation. */
#define IOPF_INLINE_REQUESTS	8
/* Faults of one PASID that may sleep at the same time. */
#define IOPF_LANE_WORKERS	16
/* Lanes that a device keeps for PASIDs without a group. */
#define IOPF_IDLE_LANES		64
/* What a device may have of everything unless it is told otherwise. */
#define IOPF_DEFAULT_LIMIT	4096
/* Objects that a queue holds back for times without memory. */
#define IOPF_RESERVE_GROUPS	64
#define IOPF_RESERVE_REQUESTS	256

/**
 * struct iopf_q - a fault queue
 * @pub: what <linux/iommu.h> shows of it; @pub.lock guards @pub.devices
 * @users: see References above
 * @groups: reserve of &struct iopf_grp
 * @requests: reserve of &struct iopf_fault beyond a group's own
 * @timeout_ms: for its groups, in milliseconds; 0: none, negative: the one of
 *	the module
 * @debugfs: its folder
 * @release: destroys the queue, away from the workers that may drop the last
 *	reference
 */
struct iopf_q {
	struct iopf_queue pub;
	refcount_t users;
	mempool_t groups;
	mempool_t requests;
	int timeout_ms;
	struct dentry *debugfs;
	struct work_struct release;
};

/**
 * struct iopf_stats - what a device counts, guarded by iopf_dev.lock
 * @requests: page requests reported
 * @groups: groups completed by their last request
 * @answers: answers sent, by response code
 * @late: answers of groups that had been answered before
 * @malformed: requests that no device should send
 * @unhandled: groups of a PASID that nobody handles
 * @limited: requests beyond a limit of the device
 * @nomem: requests dropped because even the reserve was empty
 * @discarded: groups that never got their last request
 * @disowned: groups answered while their fault was still being handled
 * @overdue: groups answered because their time was over
 */
struct iopf_stats {
	u64 requests;
	u64 groups;
	u64 answers[3];
	u64 late;
	u64 malformed;
	u64 unhandled;
	u64 limited;
	u64 nomem;
	u64 discarded;
	u64 disowned;
	u64 overdue;
};

/**
 * struct iopf_dev - a device on a fault queue
 * @pub: what <linux/iommu.h> shows of it; @pub.users counts references
 * @q: the queue, referenced
 * @ops: the device's iommu_ops
 * @debugfs: its folder
 * @lock: guards all that follows, and all lanes and groups of the device
 * @dead: removed from its queue: no new groups
 * @table: all groups that are not answered, by &struct iopf_key
 * @lanes: the lanes, by iopf_lane_index()
 * @idle: idle lanes, the longest idle one first
 * @nr_lanes: lanes in @lanes
 * @nr_idle: lanes in @idle
 * @nr_partial: requests that wait for the last one of their group
 * @nr_rejected: groups that exist only to be refused when their last request
 *	comes
 * @nr_pending: complete groups that are not answered
 * @limits: for @nr_partial and, apart from it, @nr_rejected; for @nr_pending; for
 *	@nr_lanes
 * @pri_limits: @limits have been compared with what PRI grants
 * @seq: number of the youngest complete group
 * @watch: looks for groups whose time is over
 * @watching: @watch is on its way
 * @flush_lock: one flush at a time may turn the lanes' phases (outside @lock)
 * @nr_flushing: those that sleep on @flushed
 * @flushed: woken, if anybody waits, when an answer has been sent
 * @stats: counters
 */
struct iopf_dev {
	struct iommu_fault_param pub;
	struct iopf_q *q;
	const struct iommu_ops *ops;
	struct dentry *debugfs;

	spinlock_t lock; /* all that follows, lanes and groups */
	bool dead;
	struct rhashtable table;
	struct xarray lanes;
	struct list_head idle;
	unsigned int nr_lanes;
	unsigned int nr_idle;
	unsigned int nr_partial;
	unsigned int nr_rejected;
	unsigned int nr_pending;
	struct iopf_limits limits;
	bool pri_limits;
	u64 seq;
	struct delayed_work watch;
	bool watching;
	struct mutex flush_lock; /* the phases of lanes */
	unsigned int nr_flushing;
	wait_queue_head_t flushed;
	struct iopf_stats stats;
};

/**
 * struct iopf_key - what makes page requests a group, per device
 * @pasid_valid: a PASID came with the request
 * @pasid: the PASID, 0 without one
 * @grpid: Page Request Group Index
 */
struct iopf_key {
	u32 pasid_valid;
	u32 pasid;
	u32 grpid;
};

/**
 * enum iopf_state - the life of a group
 * @IOPF_PARTIAL: waits for its last request
 * @IOPF_PENDING: complete and owed an answer
 * @IOPF_ANSWERED: somebody has taken it upon himself to answer
 *
 * Only ever moves forward, under iopf_dev.lock. Whoever moves it to
 * @IOPF_ANSWERED sends the one answer.
 */
enum iopf_state {
	IOPF_PARTIAL,
	IOPF_PENDING,
	IOPF_ANSWERED,
};

/**
 * struct iopf_grp - a page request group
 * @pub: what <linux/iommu.h> shows of it. @pub.pending_node is on the lane's
 *	partial or pending list, @pub.node on its queue or, for other handlers,
 *	on a list of theirs. Until the last request comes, @pub.last_fault holds
 *	the first one, for an early answer
 * @users: see References above
 * @key: its identity, constant
 * @table_node: in iopf_dev.table until it is answered
 * @lane: the lane of its PASID, valid until it is answered
 * @mm: for SVA domains, the address space, referenced by mm_count; constant
 * @state: guarded by iopf_dev.lock; readable without it where a stale
 *	@IOPF_PENDING does no harm
 * @rejected: refuse it when its last request comes; guarded by iopf_dev.lock
 * @phase: the phase of its lane that it is answered in
 * @seq: place in the order of complete groups
 * @since: jiffies when it came to the list that it is on
 * @nr_inline: slots used in @requests; guarded by iopf_dev.lock
 * @requests: room for the first requests
 */
struct iopf_grp {
	struct iopf_group pub;
	refcount_t users;
	struct iopf_key key;
	struct rhash_head table_node;
	struct iopf_lane *lane;
	struct mm_struct *mm;
	enum iopf_state state;
	bool rejected;
	u8 phase;
	u64 seq;
	unsigned long since;
	unsigned int nr_inline;
	struct iopf_fault requests[IOPF_INLINE_REQUESTS];
};

/**
 * struct iopf_worker - one drain work item of a lane
 * @work: on the queue's workqueue
 * @lane: the lane
 * @scheduled: queued or running; guarded by iopf_dev.lock
 * @cpu: where to queue it; set by whoever set @scheduled
 * @task: the thread that handles @grp; guarded by iopf_dev.lock
 * @grp: the group being handled; guarded by iopf_dev.lock
 */
struct iopf_worker {
	struct work_struct work;
	struct iopf_lane *lane;
	bool scheduled;
	int cpu;
	struct task_struct *task;
	struct iopf_grp *grp;
};

/**
 * struct iopf_lane - the groups of one PASID on one device
 * @idev: the device, whose lock guards everything here
 * @pasid_valid: the lane of a PASID
 * @pasid: the PASID
 * @partial: groups that wait for their last request, in order of arrival
 * @pending: groups that are owed an answer, in order of completion
 * @queue: pending groups of an SVA domain that no worker has taken yet
 * @idle_node: in iopf_dev.idle while the lane has no user
 * @nr_users: groups, scheduled workers and answers on their way
 * @nr_queued: length of @queue
 * @nr_scheduled: workers queued or running
 * @nr_waiting: of these, queued and not yet running
 * @phase: which of @answering counts new answers
 * @answering: answers on their way, by the phase they were begun in: a flush
 *	turns the phase and waits for the old one to run dry, which answers
 *	begun later cannot delay
 * @workers: its work items: as many of its faults may sleep
 */
struct iopf_lane {
	struct iopf_dev *idev;
	bool pasid_valid;
	u32 pasid;
	struct list_head partial;
	struct list_head pending;
	struct list_head queue;
	struct list_head idle_node;
	unsigned int nr_users;
	unsigned int nr_queued;
	unsigned int nr_scheduled;
	unsigned int nr_waiting;
	u8 phase;
	unsigned int answering[2];
	struct iopf_worker workers[IOPF_LANE_WORKERS];
};

static inline struct iopf_q *to_iopf_q(struct iopf_queue *queue)
{
	return container_of(queue, struct iopf_q, pub);
}

static inline struct iopf_dev *to_iopf_dev(struct iommu_fault_param *param)
{
	return container_of(param, struct iopf_dev, pub);
}

static inline struct iopf_grp *to_iopf_grp(struct iopf_group *group)
{
	return container_of(group, struct iopf_grp, pub);
}

/* The group's device: valid as long as the group. */
static inline struct iopf_dev *iopf_grp_dev(struct iopf_grp *grp)
{
	return to_iopf_dev(grp->pub.fault_param);
}

/* queue.c */
void iopf_q_put(struct iopf_q *q);

/* device.c */
struct iopf_dev *iopf_dev_rcu(struct device *dev);
struct iopf_dev *iopf_dev_get(struct device *dev);
void iopf_dev_put(struct iopf_dev *idev);

/* group.c */
extern const struct rhashtable_params iopf_table_params;

int iopf_reserve_init(struct iopf_q *q);
void iopf_reserve_exit(struct iopf_q *q);
struct iopf_grp *iopf_grp_alloc(struct iopf_dev *idev,
				const struct iopf_key *key,
				const struct iommu_fault *fault);
void iopf_grp_put(struct iopf_grp *grp);
void iopf_grp_cancel(struct iopf_grp *grp);
struct iopf_grp *iopf_grp_find(struct iopf_dev *idev,
			       const struct iopf_key *key);
bool iopf_grp_room(struct iopf_dev *idev, const struct iommu_fault *fault);
int iopf_grp_insert(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_grp_remove(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_grp_reject(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_grp_add_partial(struct iopf_dev *idev, struct iopf_grp *grp,
			  const struct iommu_fault *fault);
void iopf_grp_complete(struct iopf_dev *idev, struct iopf_grp *grp,
		       const struct iommu_fault *fault);

static inline bool iopf_is_last(const struct iommu_fault *fault)
{
	return fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
}

/* lane.c */
struct iopf_lane *iopf_lane_find(struct iopf_dev *idev,
				 const struct iopf_key *key);
struct iopf_lane *iopf_lane_get(struct iopf_dev *idev,
				const struct iopf_key *key);
void iopf_lane_use(struct iopf_lane *lane);
void iopf_lane_unuse(struct iopf_lane *lane);
struct iopf_worker *iopf_lane_push(struct iopf_lane *lane,
				   struct iopf_grp *grp);
struct iopf_grp *iopf_lane_pop(struct iopf_lane *lane);
void iopf_lanes_destroy(struct iopf_dev *idev);

/* worker.c */
void iopf_workers_init(struct iopf_lane *lane);
struct iopf_worker *iopf_worker_wanted(struct iopf_lane *lane);
void iopf_worker_queue(struct iopf_worker *worker);
void iopf_worker_disturb(struct iopf_grp *grp);

/* fault.c */
/**
 * struct iopf_mm - the address space that a worker works on
 * @mm: referenced by mm_users, NULL when there is none
 * @memcg: charged while it is set
 * @old_memcg: what @memcg stands in for
 */
struct iopf_mm {
	struct mm_struct *mm;
	struct mem_cgroup *memcg;
	struct mem_cgroup *old_memcg;
};

bool iopf_mm_enter(struct iopf_mm *imm, struct mm_struct *mm);
void iopf_mm_leave(struct iopf_mm *imm);
enum iommu_page_response_code iopf_fault_group(struct iopf_grp *grp);

/* respond.c */
bool iopf_claim(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_send(struct iopf_grp *grp, enum iommu_page_response_code code);
void iopf_send_list(struct list_head *claimed,
		    enum iommu_page_response_code code);
void iopf_forget_list(struct list_head *claimed);
void iopf_answer(struct iopf_grp *grp, enum iommu_page_response_code code);

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void iopf_debugfs_add_queue(struct iopf_q *q, const char *name);
void iopf_debugfs_remove_queue(struct iopf_q *q);
void iopf_debugfs_add_device(struct iopf_dev *idev);
void iopf_debugfs_remove_device(struct iopf_dev *idev);
#else
static inline void iopf_debugfs_add_queue(struct iopf_q *q, const char *name)
{
}

static inline void iopf_debugfs_remove_queue(struct iopf_q *q)
{
}

static inline void iopf_debugfs_add_device(struct iopf_dev *idev)
{
}

static inline void iopf_debugfs_remove_device(struct iopf_dev *idev)
{
}
#endif

/* limits.c */
void iopf_limits_init(struct iopf_dev *idev);
bool iopf_over_partial(struct iopf_dev *idev, unsigned int nr);
bool iopf_over_pending(struct iopf_dev *idev);

/* deadline.c */
void iopf_watch_init(struct iopf_dev *idev);
void iopf_watch(struct iopf_dev *idev);
void iopf_watch_stop(struct iopf_dev *idev);

/* flush.c */
void iopf_claim_partial(struct iopf_lane *lane, struct list_head *claimed);
void iopf_claim_pending(struct iopf_lane *lane, u64 seq, bool all,
			struct list_head *claimed);
void iopf_claim_early(struct iopf_grp *grp, struct list_head *claimed);
void iopf_wait_answers(struct iopf_dev *idev);

#endif /* __IOPF_H */
