/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: private structures
 *
 * A page request walks the files in this order:
 *
 *	report.c    checks it (request.h) and finds out whom its group belongs to
 *	group.c     joins it to its group, which table.c finds
 *	lane.c      queues a complete group of an SVA domain on its PASID's lane
 *	worker.c    takes groups from lanes, on the workqueue
 *	fault.c     asks the mm for the pages, prefault.c for those that may follow
 *	respond.c   sends the one answer of the group
 *
 * One that somebody has registered for, or that has a mark, comes by ask.c after
 * report.c, and its answer by reply.c; handler.c knows who has registered, and
 * quarantine.c which answers of theirs may be late. queue.c and device.c make and
 * remove what these work on, memory.c has the memory of groups, limits.c says how
 * many there may be. flush.c ends groups before their time and deadline.c those
 * whose time is over; refuse.c takes requests that the driver itself refuses.
 * stats.c and account.c count, debugfs.c shows.
 *
 * Locks
 * =====
 *
 *	iopf_handlers_lock (mutex)	who has registered; coming and going of
 *					devices
 *	  iopf_queue.lock (mutex)	the queue's list of devices
 *	    dev_iommu.lock (mutex)	dev->iommu->fault_param
 *	      iopf_dev.lock (spinlock)	everything else that can change
 *	        iopf_handler.lock (spinlock)	the handler's quarantine
 *
 * taken in this order. iopf_dev.lock nests inside any lock of the callers, of
 * the kernel only the locks of xarray (the PASIDs of the device's group, too), slab,
 * mempool, workqueue, timer, wait queue and scheduler nest inside it. No lock of the
 * library is held when it calls iommu_ops.page_response, an iopf_handler or the mm. A
 * worker may take iopf_dev.lock with a VMA read-locked, but lets go of the VMA before
 * it sends an answer. Workers never take
 * iommu_sva_lock, which unbinding holds while it waits for flush.c.
 *
 * References
 * ==========
 *
 *	iopf_grp    one from the library until the group is answered, one from
 *	            its holder: the lane or worker, or the owner of the handler. A
 *	            registered handler holds none: he knows only key and cookie
 *	iopf_dev    one from the queue, one per group, one per scheduled worker,
 *	            one per flush, one from its watch
 *	iopf_q      one from the driver, one per device
 *	iopf_handler  one from its registration, one per call under way
 *	iopf_lane   none: lives as long as its iopf_dev unless it is idle, that
 *	            is, has no group, no scheduled worker, no answer on the way and
 *	            no prefault setting of its own
 */
#ifndef __IOPF_H
#define __IOPF_H

#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mempool.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"
#include "request.h"
#include "stats.h"
#include "table.h"

struct iopf_handler;

/* In place of a response code: the device does not wait for an answer. */
#define IOPF_FORGET		(-1)
/* Requests that a group holds without a further allocation. */
#define IOPF_INLINE_REQUESTS	8
/* Requests that are allocated together, beyond those. */
#define IOPF_CHUNK_REQUESTS	16
/* Faults of one PASID that may sleep at the same time. */
#define IOPF_LANE_WORKERS	16
/* Pages in a lane's queue for each worker that helps on another CPU. */
#define IOPF_WORKER_BACKLOG	64
/* Lanes that a device keeps for PASIDs without a group. */
#define IOPF_IDLE_LANES		64
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
 * @nr_handled: those of them that a registered handler has
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
 * enum iopf_handled - a registered handler's hold on a group
 * @IOPF_NOT_HANDLED: none
 * @IOPF_PARKED: none, but it would be his turn; goes on at once
 * @IOPF_BY_PAIR: he will answer by PASID and index
 * @IOPF_BY_COOKIE: he will answer by the cookie, which he has taken
 */
enum iopf_handled {
	IOPF_NOT_HANDLED,
	IOPF_PARKED,
	IOPF_BY_PAIR,
	IOPF_BY_COOKIE,
};

/**
 * struct iopf_chunk - room for further requests of a group
 * @next: more of it
 * @requests: requests, on the group's list
 */
struct iopf_chunk {
	struct iopf_chunk *next;
	struct iopf_fault requests[IOPF_CHUNK_REQUESTS];
};

/**
 * struct iopf_grp - a page request group
 * @pub: what <linux/iommu.h> shows of it. @pub.pending_node is on the lane's
 *	partial, pending or claimed list, @pub.node on its queue or, for other handlers,
 *	on a list of theirs. Until the last request comes, @pub.last_fault holds
 *	the first one, for an early answer
 * @users: see References above
 * @key: its identity, constant
 * @table_node: in iopf_dev.table until it is answered
 * @lane: the lane of its PASID, valid until it is answered
 * @mm: for SVA domains, the address space, referenced by mm_count; constant, but
 *	for what follows
 * @parked_mm: @mm while a registered handler has the group, as nobody is to fault
 *	on it; guarded by iopf_dev.lock
 * @state: guarded by iopf_dev.lock; readable without it where a stale
 *	@IOPF_PENDING does no harm
 * @rejected: refuse it when its last request comes; guarded by iopf_dev.lock
 * @code: the answer, %IOPF_FORGET for none; set when it is claimed
 * @prefaulted: pages beyond its own; set by its worker
 * @phase: the phase of its lane that it is answered in
 * @handled: &enum iopf_handled; guarded by iopf_dev.lock
 * @seq: place in the order of complete groups
 * @since: jiffies when it came to the list that it is on
 * @times: see there
 * @slot: room for the next request; guarded by iopf_dev.lock, as the next two
 * @nr_slots: how many there are from there on
 * @chunks: where @requests is not enough
 * @spare_node: in iopf_dev.spare, when it is no group any more
 * @marks: of the request that is answered; private data is in @pub.last_fault
 * @requests: room for the first requests
 */
struct iopf_grp {
	struct iopf_group pub;
	refcount_t users;
	struct iopf_key key;
	struct hlist_node table_node;
	struct iopf_lane *lane;
	struct mm_struct *mm;
	struct mm_struct *parked_mm;
	enum iopf_state state;
	bool rejected;
	int code;
	unsigned int prefaulted;
	u8 phase;
	u8 handled;
	u64 seq;
	unsigned long since;
	struct iopf_times times;
	struct iopf_fault *slot;
	unsigned int nr_slots;
	struct iopf_chunk *chunks;
	struct llist_node spare_node;
	u32 marks;
	struct iopf_fault requests[IOPF_INLINE_REQUESTS];
};

/**
 * struct iopf_freed - groups whose memory is to be given back, see iopf_freed_end()
 * @first: by spare_node
 * @last: the last of them
 * @nr: how many
 */
struct iopf_freed {
	struct llist_node *first;
	struct llist_node *last;
	int nr;
};

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
 * @pending: groups that are owed an answer, in order of completion
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

/* report.c */
void iopf_stop_pasid(struct iopf_dev *idev, const struct iopf_key *key);
bool iopf_is_too_wide(struct iopf_dev *idev, const struct iommu_fault *fault);
struct iopf_grp *iopf_begin_group(struct iopf_dev *idev, struct device *dev,
				  const struct iopf_key *key,
				  const struct iommu_fault *fault, bool whole);
int iopf_take_request(struct iopf_dev *idev, struct device *dev,
		      const struct iommu_fault *fault, bool refuse,
		      struct iopf_grp **complete);
int iopf_hand_over(struct device *dev, struct iopf_grp *grp);

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

/* memory.c */
int iopf_reserve_init(struct iopf_q *q);
void iopf_reserve_exit(struct iopf_q *q);
struct iopf_grp *iopf_grp_alloc(struct iopf_dev *idev);
void iopf_grp_free(struct iopf_dev *idev, struct iopf_grp *grp,
		   struct iopf_freed *freed);
void iopf_freed_end(struct iopf_dev *idev, struct iopf_freed *freed);
void iopf_spare_free(struct iopf_dev *idev);
bool iopf_grp_add_slots(struct iopf_dev *idev, struct iopf_grp *grp);

/* group.c */
struct iopf_grp *iopf_grp_new(struct iopf_dev *idev, const struct iopf_key *key,
			      const struct iommu_fault *fault);
void iopf_grp_drop(struct iopf_dev *idev, struct iopf_grp *grp,
		   struct iopf_freed *freed);
void iopf_grp_put(struct iopf_grp *grp);
struct iopf_grp *iopf_grp_find(struct iopf_dev *idev,
			       const struct iopf_key *key);
struct iopf_grp *iopf_grp_next(struct iopf_grp *grp);
bool iopf_grp_room(struct iopf_dev *idev, bool whole);
void iopf_grp_remove(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_grp_reject(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_grp_add_partial(struct iopf_dev *idev, struct iopf_grp *grp,
			  const struct iommu_fault *fault);
void iopf_grp_complete(struct iopf_dev *idev, struct iopf_grp *grp,
		       const struct iommu_fault *fault);

/* One request more for @grp, which has a slot for it. */
static inline void iopf_grp_append(struct iopf_dev *idev, struct iopf_grp *grp,
				   const struct iommu_fault *fault)
{
	struct iopf_fault *request = grp->slot++;

	lockdep_assert_held(&idev->lock);
	grp->nr_slots--;
	request->fault = *fault;
	list_add_tail(&request->list, &grp->pub.faults);
	grp->pub.fault_count++;
	idev->nr_partial++;
}

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

/* fault.c */
/**
 * struct iopf_mm - the address space that a worker works on
 * @mm: referenced by mm_users, NULL when there is none
 * @vma: read-locked, NULL when there is none
 * @vma_pages: pages that may yet be faulted in before others have their turn
 * @memcg: charged while it is set
 * @old_memcg: what @memcg stands in for
 * @min_flt: the worker's count of minor faults when it began
 * @maj_flt: that of major ones
 */
struct iopf_mm {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned int vma_pages;
	struct mem_cgroup *memcg;
	struct mem_cgroup *old_memcg;
	unsigned long min_flt;
	unsigned long maj_flt;
};

bool iopf_mm_enter(struct iopf_mm *imm, struct mm_struct *mm);
void iopf_mm_leave(struct iopf_mm *imm);
void iopf_mm_unlock(struct iopf_mm *imm);
enum iommu_page_response_code iopf_fault_group(struct iopf_mm *imm,
					       struct iopf_grp *grp);

/* account.c */
void iopf_account_begin(struct iopf_mm *imm);
void iopf_account_end(struct iopf_mm *imm);

/* stats.c */
/* The time in ns from the last request of @grp to its answer, 0 if not measured. */
static inline u64 iopf_age(const struct iopf_grp *grp)
{
	return grp->times.begun && grp->times.complete && grp->times.sent ?
	       grp->times.sent - grp->times.complete : 0;
}

void iopf_count_answer(struct iopf_grp *grp);
void iopf_count_time(struct iopf_dev *idev, enum iopf_phase phase, u64 since);

/* How many pages a worker of @lane may be ahead of the device. */
static inline unsigned int iopf_prefault_max(const struct iopf_lane *lane)
{
	int pages = READ_ONCE(lane->prefault_max);

	return pages < 0 ? READ_ONCE(lane->idev->q->prefault_max) : pages;
}

/* prefault.c */
unsigned int iopf_prefault(struct iopf_mm *imm, struct iopf_grp *grp,
			   unsigned int flags);
void iopf_lane_set_prefault(struct iopf_lane *lane, int pages);

/* respond.c */
void iopf_send_response(struct iopf_dev *idev, struct device *dev,
			const struct iopf_response *response);
void iopf_send_invalid(struct iopf_dev *idev, struct device *dev,
		       const struct iopf_request *request);
bool iopf_claim(struct iopf_dev *idev, struct iopf_grp *grp, int code,
		struct list_head *claimed);
void iopf_send(struct list_head *claimed);
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

/* deadline.c */
void iopf_watch_init(struct iopf_dev *idev);
void iopf_watch(struct iopf_dev *idev);
unsigned long iopf_timeout(struct iopf_dev *idev);
void iopf_watch_stop(struct iopf_dev *idev);

/* flush.c */
void iopf_claim_partial(struct iopf_lane *lane, int code,
			struct list_head *claimed);
void iopf_take_held(struct iopf_lane *lane, struct list_head *claimed);
void iopf_claim_all(struct iopf_lane *lane, struct list_head *claimed);
void iopf_claim_early(struct iopf_grp *grp, int code,
		      struct list_head *claimed);
void iopf_wait_answers(struct iopf_dev *idev);

#endif /* __IOPF_H */
