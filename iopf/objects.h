/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: queues, devices, PASIDs, groups, workers and handlers
 *
 * What there is, who refers to it, and which lists it is on. Nothing here decides what
 * becomes of a group, and nothing calls path.h or what is above it.
 *
 * Locks
 * =====
 *
 *	iopf_handlers_lock (mutex)	who has registered; coming and going of
 *					devices
 *	  iopf_queue.lock (mutex)	the queue's list of devices
 *	    dev_iommu.lock (mutex)	dev->iommu->fault_param
 *	      iopf_device.lock (spinlock)	everything else that can change
 *	        iopf_handler.lock (spinlock)	the handler's quarantine
 *	        iopf_pool.lock (spinlock)	workers that no device uses
 *
 * taken in this order. iopf_device.lock nests inside any lock of the callers, of
 * the kernel only the locks of xarray (the PASIDs of the device's group, too), slab,
 * mempool, workqueue, timers, wait queue and scheduler nest inside it. No lock of the
 * library is held when it calls iommu_ops.page_response, an iopf_handler or the mm. A
 * worker may take iopf_device.lock with a VMA read-locked, but lets go of the VMA before
 * it sends a response. Workers never take
 * iommu_sva_lock, which unbinding holds while it waits for flush.c.
 *
 * References
 * ==========
 *
 *	iopf_prg    one from the library until the group is answered, one from
 *	            its holder: the PASID queue or worker, the domain's handler, or the
 *	            reporter that delivers it or asks. A
 *	            registered handler holds none: he knows only key and cookie
 *	iopf_device    one from the queue, one per group, one per worker that it uses, one
 *	            per flush, one from its watch, one from its look, one while it is
 *	            in iopf_pool.starved
 *	iopf_fault_queue      one from the driver, one per device
 *	iopf_handler  one from its registration, one per call under way
 *	iopf_pasid_queue   none: lives as long as its iopf_device unless it is idle, that
 *	            is, has no group, no worker, no response on the way and
 *	            no prefault setting of its own
 */
#ifndef __IOPF_OBJECTS_H
#define __IOPF_OBJECTS_H

#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/mempool.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "../iommu-priv.h"
#include "request.h"
#include "stats.h"

struct iopf_prg;
struct iopf_handler;
struct iopf_pasid_queue;
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
/* A PASID queue may have so many sleepers for each worker that is left. */
#define IOPF_SLEEPERS_PER_FREE	3
/* Lists of workers by the page that they are asleep for. */
#define IOPF_SLEEPER_BITS	6

/**
 * struct iopf_pool - the workers of a queue
 * @lock: guards what follows; nests inside iopf_device.lock
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
	spinlock_t lock; /* nests inside iopf_device.lock */
	struct list_head free;
	unsigned int nr_free;
	struct list_head starved;
	unsigned int nr_near;
	struct workqueue_struct *near;
	struct workqueue_struct *far;
	struct iopf_worker *workers;
};

/**
 * struct iopf_fault_queue - a fault queue
 * @base: what <linux/iommu.h> shows of it; @base.lock guards @base.devices
 * @users: see References above
 * @groups: reserve of &struct iopf_prg
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
struct iopf_fault_queue {
	struct iopf_queue base;
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
 * struct iopf_table - groups by their &struct iopf_key
 * @buckets: lists of groups
 * @bits: log2 of their number
 * @factor: makes the bucket's number of a key
 * @nr_groups: in all buckets
 */
struct iopf_table {
	struct hlist_head *buckets;
	unsigned int bits;
	u64 factor;
	unsigned int nr_groups;
};

/**
 * struct iopf_flush - somebody who waits until groups of a device have ended
 * @node: in iopf_device.flushes
 * @pq: those of this PASID queue, or NULL for all; the PASID queue is used
 * @seq: groups up to this number
 * @nr_faulting: those of them that are the workers' to handle
 * @claims: groups up to this claim
 * @nr_responding: those of them whose responses are on their way
 *
 * On the stack of who waits. iopf_device.lock guards it; the two counts are read without the
 * lock to see whether they are zero. What came later is not counted, so it cannot make the
 * wait longer.
 */
struct iopf_flush {
	struct list_head node;
	struct iopf_pasid_queue *pq;
	u64 seq;
	unsigned int nr_faulting;
	u64 claims;
	unsigned int nr_responding;
};

/**
 * struct iopf_device - a device on a fault queue
 * @base: what <linux/iommu.h> shows of it; @base.users counts references
 * @fq: the queue, referenced
 * @ops: the device's iommu_ops
 * @debugfs: its folder
 * @spare: groups to be used again, as they have come back, without @lock
 * @nr_spare: length of @spare, more or less
 * @groups_freed: complete groups that were freed, ever, and
 * @requests_freed: requests in them beside the last ones; both without @lock
 * @lock: guards all that follows, and all PASID queues and groups of the device
 * @dead: removed from its queue: no new groups
 * @reuse: groups to be used again, the next ones
 * @table: all groups that are not answered
 * @joined: the group that the last request has joined, unfinished and not rejected,
 *	or NULL: most often the next one joins it, too
 * @PASID queues: the PASID queues, by iopf_pq_index()
 * @recent: the PASID queue that was found last, or NULL
 * @idle: idle PASID queues, the longest idle one first
 * @ready: PASID queues that want a worker, in the order in which they are served
 * @starved: PASID queues that have groups, and sleepers already, while others may need the
 *	workers that are left
 * @busy: PASID queues that the look has to see
 * @awake: workers that handle a group and were not seen asleep
 * @sleepers: workers that were seen asleep, by PASID queue and page
 * @cancelled: groups claimed by the device's removal, which sends their responses
 * @nr_pqs: PASID queues in @PASID queues
 * @nr_idle: PASID queues in @idle
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
 * @nr_queued: groups in the queues of all PASID queues; readable without the lock where a guess
 *	is enough
 * @nr_deferred: responses that workers have deferred; readable like @nr_queued
 * @nr_ready: length of @ready
 * @nr_workers: workers that run
 * @nr_waiting: workers that are queued and have not begun, or poll for a group
 * @nr_far: those of @nr_waiting that are queued on iopf_pool.far
 * @nr_asleep: those of @nr_workers that were seen asleep
 * @nr_eager: workers beyond the CPUs that PASID queues may have, see iopf_pasid_queue.nr_eager
 * @nr_cpus: CPUs that workers may use, as they were at the last look
 * @taken: groups that workers have taken; readable like @nr_queued
 * @taken_seen: what @taken was at the last look
 * @poll_pause: how many looks for a next group to leave out when the next one is in vain
 * @poll_skip: how many are yet to be left out
 * @monitor_timer: finds out whether it is time for @monitor_work
 * @ticks_waiting: what its ticks, up to the last, amount to in which something was queued
 *	or deferred; the timer's own while it runs, as the next two
 * @ticks_quiet: in how many of them nothing was
 * @tick_taken: what @taken was in the last one
 * @monitor_work: sees to it that queued groups are begun
 * @monitoring: @monitor_timer or @monitor_work is on its way
 * @room: workers have come back since @starved PASID queues were refused
 * @starved_node: in iopf_pool.starved, whose lock guards it
 * @timeout_work: looks for groups whose time is over
 * @timeout_armed: @timeout_work is on its way
 * @nr_faulting: groups that are the workers' to handle, @IOPF_OWNER_QUEUED or
 *	@IOPF_OWNER_WORKER
 * @claims: number of the last claim
 * @nr_responding: claimed groups whose responses are on their way
 * @flushes: those who wait for groups to end
 * @flushed: woken when a count of one of @flushes gets to zero
 * @stats: counters
 * @latency: answers by their latency, see iopf_count_response()
 */
struct iopf_device {
	struct iommu_fault_param base;
	struct iopf_fault_queue *fq;
	const struct iommu_ops *ops;
	struct dentry *debugfs;
	struct llist_head spare;
	atomic_t nr_spare;
	atomic_t groups_freed;
	atomic_t requests_freed;

	spinlock_t lock; /* all that follows, PASID queues and groups */
	bool dead;
	struct llist_node *reuse;
	struct iopf_table table;
	struct iopf_prg *joined;
	struct xarray pqs;
	struct iopf_pasid_queue *recent;
	struct list_head idle;
	struct list_head ready;
	struct list_head starved;
	struct list_head busy;
	struct list_head awake;
	struct hlist_head sleepers[BIT(IOPF_SLEEPER_BITS)];
	struct list_head cancelled;
	unsigned int nr_pqs;
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
	unsigned long taken_seen;
	u8 poll_pause;
	u8 poll_skip;
	struct hrtimer monitor_timer;
	u8 ticks_waiting;
	u8 ticks_quiet;
	unsigned long tick_taken;
	struct work_struct monitor_work;
	bool monitoring;
	bool room;
	struct list_head starved_node;
	struct delayed_work timeout_work;
	bool timeout_armed;
	unsigned int nr_faulting;
	u64 claims;
	unsigned int nr_responding;
	struct list_head flushes;
	wait_queue_head_t flushed;
	struct iopf_stats stats;
	u64 latency[IOPF_LATENCY_BUCKETS];
};

/* Pages in a PASID queue for each further worker that takes groups from it. */
#define IOPF_WORKER_BACKLOG	64
/* The same in CPU time, for pages that take long: huge ones, copies. */
#define IOPF_WORKER_BACKLOG_NS	(400 * NSEC_PER_USEC)
#define IOPF_LONG_PAGE_NS	(32 * NSEC_PER_USEC)
/* PASID queues that a device keeps for PASIDs without a group, however long. */
#define IOPF_IDLE_PQS		64
/* How long it keeps those beyond that, at least. */
#define IOPF_IDLE_MS		1000
/* PASID queues that are looked at in one hold of iopf_device.lock. */
#define IOPF_PQS_PER_HOLD	16

/**
 * struct iopf_pasid_queue - the groups of one PASID on one device
 * @fdev: the device, whose lock guards everything here
 * @pasid_valid: the PASID queue of a PASID
 * @pasid: the PASID
 * @partial: groups that wait for their last request, in order of arrival
 * @pending: groups that are owed a response, in order of completion, but for those in
 *	@delivered
 * @delivered: groups that the handler of the PASID's domain owns, in order of delivery
 * @queue: pending groups of an SVA domain that no worker has taken yet
 * @claimed: groups that workers have handled and not yet answered
 * @workers: workers that take groups from it, those that are asleep last
 * @ready_node: in iopf_device.ready while it wants a worker, or in iopf_device.starved
 * @busy_node: in iopf_device.busy: the look has to see it
 * @idle_node: in iopf_device.idle while the PASID queue has no user
 * @idle_since: jiffies when it lost its last user
 * @mm: the address space of the PASID, as its groups without a response have it; NULL
 *	if there is none, or the next group has to ask the domain again
 * @mm_uses: groups that may yet be begun without asking
 * @nr_mm: groups without a response that hold it, or did before a flush
 * @nr_users: groups, workers and responses on their way
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
 * @starved: in iopf_device.starved: there is no room for a further sleeper
 * @taken: groups that workers have taken from @queue
 * @taken_seen: what @taken was at the last look
 * @page_ns: CPU time that a page of a request takes, a moving average
 * @prefault_max: pages to fault in ahead of the device, negative for those of the
 *	queue; set by iopf_pq_set_prefault()
 * @prefault_window: how many it would be next. Like @prefault_next a guess, without
 *	the lock
 * @prefault_next: where the device comes back if the guess was right
 * @nr_responding: claimed groups whose responses are on their way
 * @requests: page requests of its groups
 * @groups: groups completed by their last request
 * @responses: answers sent, by response code
 * @latency: answers by their latency, see iopf_count_response()
 */
struct iopf_pasid_queue {
	struct iopf_device *fdev;
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
	unsigned long taken_seen;
	u64 page_ns;
	int prefault_max;
	unsigned int prefault_window;
	u64 prefault_next;
	unsigned int nr_responding;
	u64 requests;
	u64 groups;
	u64 responses[3];
	u32 latency[IOPF_LATENCY_BUCKETS];
};

/* In place of a response code: the device does not wait for a response. */
#define IOPF_RESP_NONE		(-1)
/* Requests that a group holds without a further allocation. */
#define IOPF_INLINE_REQUESTS	8
/* Requests that are allocated together, beyond those. */
#define IOPF_CHUNK_REQUESTS	16

/**
 * enum iopf_owner - who owns a group, and with it the right to answer it
 * @IOPF_OWNER_ASSEMBLING: the device's table: the last request has not come
 * @IOPF_OWNER_QUEUED: its PASID queue, until a worker takes it
 * @IOPF_OWNER_WORKER: the worker that handles its faults
 * @IOPF_OWNER_DOMAIN: the iopf_handler of its domain, or the reporter that delivers
 *	it there
 * @IOPF_OWNER_HANDLER: the registered handler, or the reporter that asks it
 * @IOPF_OWNER_CLAIMED: the claimer, which sends the one response. No way back
 * @IOPF_NR_OWNERS: how many there are
 *
 * iopf_prg_set_owner() alone changes the owner, under iopf_device.lock. The PASID queue, the
 * worker and the domain's handler have a reference to the group of their own; the
 * claimer uses the library's, and drops it when the response is sent.
 */
enum iopf_owner {
	IOPF_OWNER_ASSEMBLING,
	IOPF_OWNER_QUEUED,
	IOPF_OWNER_WORKER,
	IOPF_OWNER_DOMAIN,
	IOPF_OWNER_HANDLER,
	IOPF_OWNER_CLAIMED,
	IOPF_NR_OWNERS,
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
 * struct iopf_prg - a page request group
 * @base: what <linux/iommu.h> shows of it. @base.pending_node is on the PASID queue's partial,
 *	pending, delivered or claimed list, @base.node on its queue or, for other handlers,
 *	on a list of theirs
 * @users: see References above
 * @key: its identity, constant
 * @table_node: in iopf_device.table until it is answered
 * @pq: its PASID queue, valid until it is answered
 * @mm: for SVA domains, the address space, referenced by mm_count; constant
 * @owner: guarded by iopf_device.lock, set by iopf_prg_set_owner(); readable without
 *	the lock where a stale @IOPF_OWNER_WORKER does no harm
 * @worker: the worker that handles it, or whose sleep it waits for while it is queued;
 *	guarded by iopf_device.lock
 * @rejected: refuse it when its last request comes; guarded by iopf_device.lock
 * @code: the response, %IOPF_RESP_NONE for none; set when it is claimed
 * @prefaulted: pages beyond its own; set by its worker
 * @claim: place in the order of claims; set when it is claimed
 * @by_pair: the registered handler that owns it answers by PASID and index, as it
 *	has not taken the cookie; guarded by iopf_device.lock
 * @seq: place in the order of complete groups, 0 while it is not complete
 * @since: jiffies when it came to the list that it is on
 * @times: see there
 * @slot: room for the next request; guarded by iopf_device.lock, as the next two
 * @nr_slots: how many there are from there on
 * @chunks: where @requests is not enough
 * @spare_node: in iopf_device.spare, when it is no group any more
 * @flags: of the request that is answered, those that go back with the response;
 *	private data is in @base.last_fault
 * @requests: room for the first requests
 */
struct iopf_prg {
	struct iopf_group base;
	refcount_t users;
	struct iopf_key key;
	struct hlist_node table_node;
	struct iopf_pasid_queue *pq;
	struct mm_struct *mm;
	enum iopf_owner owner;
	struct iopf_worker *worker;
	bool rejected;
	int code;
	unsigned int prefaulted;
	bool by_pair;
	u64 seq;
	u64 claim;
	unsigned long since;
	struct iopf_times times;
	struct iopf_fault *slot;
	unsigned int nr_slots;
	struct iopf_chunk *chunks;
	struct llist_node spare_node;
	u32 flags;
	struct iopf_fault requests[IOPF_INLINE_REQUESTS];
};

/**
 * struct iopf_freed - groups whose memory is to be given back, see iopf_freed_put()
 * @first: by spare_node
 * @last: the last of them
 * @nr: how many
 * @groups: how many of them were complete, and
 * @requests: had how many requests beside the last ones
 */
struct iopf_freed {
	struct llist_node *first;
	struct llist_node *last;
	int nr;
	int groups;
	int requests;
};

/* No page: the worker is not in a fault. */
#define IOPF_NO_PAGE		(~0UL)

/**
 * struct iopf_worker - a work item that handles groups
 * @work: on a workqueue of the queue's pool
 * @far: which of the two
 * @fdev: the device that uses it, referenced
 * @node: in iopf_pool.free, or in iopf_device.awake while it has a PASID queue and is not
 *	@asleep; under the lock of that list
 * @pq: the PASID queue that it takes groups from, or NULL; guarded by iopf_device.lock, as all
 *	that follows unless it says otherwise
 * @pq_node: in iopf_pasid_queue.workers
 * @task: the thread that handles @prg
 * @prg: the group being handled
 * @code: what became of @prg, when it is through; the thread's own
 * @page: the page that it asks the mm for, or %IOPF_NO_PAGE; written by the thread
 *	without the lock
 * @interrupted: nobody waits for @prg any more, and the thread was woken to see it;
 *	readable without the lock
 * @asleep: it was seen asleep and has not gone on since; readable without the lock, by
 *	the thread itself
 * @slept: it was @asleep since it took @prg
 * @sleeper_node: in iopf_device.sleepers while @asleep in a fault
 * @followers: groups that wait until it has gone on
 * @runtime: CPU time of the thread when it was looked at last; the thread's own
 */
struct iopf_worker {
	struct work_struct work;
	bool far;
	struct iopf_device *fdev;
	struct list_head node;
	struct iopf_pasid_queue *pq;
	struct list_head pq_node;
	struct task_struct *task;
	struct iopf_prg *prg;
	enum iommu_page_response_code code;
	unsigned long page;
	bool interrupted;
	bool asleep;
	bool slept;
	struct hlist_node sleeper_node;
	struct list_head followers;
	u64 runtime;
};

/* Responses that a handler may be late with, see quarantine.c. */
#define IOPF_QUARANTINE		256

/**
 * struct iopf_overdue - a response that may still come, to a group that has one
 * @key: the group
 * @until: jiffies until when it is expected
 */
struct iopf_overdue {
	struct iopf_key key;
	unsigned long until;
};

/**
 * struct iopf_handler - who has registered for a device's faults
 * @node: in the list of all of them: RCU, changed under iopf_handlers_lock
 * @dev: the device, referenced
 * @handler: whom to call
 * @data: with what
 * @users: see References above
 * @idle: completed when the last user is gone
 * @rcu: frees it
 * @lock: guards all that follows
 * @nr_overdue: entries in @overdue
 * @full: a response is expected that found no room: until @full_until none by
 *	PASID and index can be trusted
 * @full_until: see there, in jiffies
 * @overdue: in no order
 */
struct iopf_handler {
	struct list_head node;
	struct device *dev;
	iommu_dev_fault_handler_t handler;
	void *data;
	refcount_t users;
	struct completion idle;
	struct rcu_head rcu;

	spinlock_t lock; /* all that follows */
	unsigned int nr_overdue;
	bool full;
	unsigned long full_until;
	struct iopf_overdue overdue[IOPF_QUARANTINE];
};

static inline struct iopf_fault_queue *to_iopf_fault_queue(struct iopf_queue *queue)
{
	return container_of(queue, struct iopf_fault_queue, base);
}

static inline struct iopf_device *to_iopf_device(struct iommu_fault_param *param)
{
	return container_of(param, struct iopf_device, base);
}

static inline struct iopf_prg *to_iopf_prg(struct iopf_group *group)
{
	return container_of(group, struct iopf_prg, base);
}

/* The group's device: valid as long as the group. */
static inline struct iopf_device *iopf_prg_device(struct iopf_prg *prg)
{
	return to_iopf_device(prg->base.fault_param);
}

/* memory.c */
int iopf_reserve_init(struct iopf_fault_queue *fq);
void iopf_reserve_exit(struct iopf_fault_queue *fq);
struct iopf_prg *iopf_prg_alloc(struct iopf_device *fdev);
void iopf_prg_free(struct iopf_device *fdev, struct iopf_prg *prg,
		   struct iopf_freed *freed);
void iopf_freed_end(struct iopf_device *fdev, struct iopf_freed *freed);
void iopf_spare_free(struct iopf_device *fdev);
bool iopf_prg_add_slots(struct iopf_device *fdev, struct iopf_prg *prg);
unsigned int iopf_default_unfinished(const struct iopf_limits *limits,
				     struct device *dev);
void iopf_limits_init(struct iopf_limits *limits, struct device *dev);
unsigned int iopf_pri_allocation(struct device *dev);
void iopf_limits_refresh(struct iopf_device *fdev);
bool iopf_is_half_full(struct iopf_device *fdev);

/* Groups that take memory, by what was last seen of those that were freed. */
static inline unsigned int iopf_held_groups(const struct iopf_device *fdev)
{
	return fdev->nr_unfinished + fdev->groups_made - fdev->groups_seen;
}

/* The same of requests, beside the last ones of complete groups. */
static inline unsigned int iopf_held_requests(const struct iopf_device *fdev)
{
	return fdev->nr_partial + fdev->requests_made - fdev->requests_seen;
}

static inline bool iopf_is_below_limits(const struct iopf_device *fdev, bool whole)
{
	if (!whole && fdev->nr_unfinished >= fdev->limits.unfinished)
		return false;
	return iopf_held_groups(fdev) < fdev->limits.groups;
}

/* Is there room for a group that will be complete at once, if it is @whole? */
static inline bool iopf_has_group_room(struct iopf_device *fdev, bool whole)
{
	lockdep_assert_held(&fdev->lock);
	if (likely(iopf_is_below_limits(fdev, whole)))
		return true;
	iopf_limits_refresh(fdev);
	return iopf_is_below_limits(fdev, whole);
}

/* Requests that unfinished groups may get, by what was last seen. */
static inline unsigned int iopf_request_room(const struct iopf_device *fdev)
{
	unsigned int held = iopf_held_requests(fdev);

	if (held >= fdev->limits.requests ||
	    fdev->nr_partial >= fdev->limits.unfinished)
		return 0;
	return min(fdev->limits.requests - held,
		   fdev->limits.unfinished - fdev->nr_partial);
}

static inline bool iopf_has_request_room(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	if (likely(iopf_request_room(fdev)))
		return true;
	iopf_limits_refresh(fdev);
	return iopf_request_room(fdev);
}

/* Does the device have page request group indices as wide as the one of @fault? */
static inline bool iopf_grpid_fits(struct iopf_device *fdev,
				   const struct iommu_fault *fault)
{
	return !((u64)fault->prm.grpid >> READ_ONCE(fdev->limits.grpid_bits));
}

/* pasid_queue.c */
struct iopf_pasid_queue *iopf_pq_lookup(struct iopf_device *fdev,
					const struct iopf_key *key);
struct iopf_pasid_queue *iopf_pq_new(struct iopf_device *fdev,
				     const struct iopf_key *key);
void iopf_pq_remove_idle(struct iopf_pasid_queue *pq);
void iopf_pq_add_idle(struct iopf_pasid_queue *pq);
void iopf_pq_expire(struct iopf_pasid_queue *pq);
void iopf_pq_set_prefault(struct iopf_pasid_queue *pq, int pages);
void iopf_pqs_destroy(struct iopf_device *fdev);

/* Are there idle PASID queues beyond those that are kept? */
static inline bool iopf_has_many_pqs(const struct iopf_device *fdev)
{
	return fdev->nr_idle > IOPF_IDLE_PQS;
}

/* The PASID queue of @key, NULL if there is none. */
static inline struct iopf_pasid_queue *iopf_pq_find(struct iopf_device *fdev,
						    const struct iopf_key *key)
{
	struct iopf_pasid_queue *pq = fdev->recent;

	lockdep_assert_held(&fdev->lock);
	if (pq && pq->pasid == key->pasid &&
	    pq->pasid_valid == iopf_key_has_pasid(key))
		return pq;
	return iopf_pq_lookup(fdev, key);
}

/*
 * For xa_for_each() over iopf_device.PASID queues: others have the lock now and then. A
 * PASID queue that comes meanwhile may be left out, and the one that was seen last may
 * be gone.
 */
static inline void iopf_pqs_pause(struct iopf_device *fdev, unsigned int *nr)
{
	lockdep_assert_held(&fdev->lock);
	if (++*nr % IOPF_PQS_PER_HOLD)
		return;
	spin_unlock(&fdev->lock);
	cond_resched();
	spin_lock(&fdev->lock);
}

/* As long as it has a user, a PASID queue stays. */
static inline void iopf_pq_ref(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (!pq->nr_users++)
		iopf_pq_remove_idle(pq);
}

/*
 * The PASID queue of @key, made if there is none, and used for the caller. NULL without
 * memory or beyond the device's limit.
 */
static inline struct iopf_pasid_queue *iopf_pq_get(struct iopf_device *fdev,
						   const struct iopf_key *key)
{
	struct iopf_pasid_queue *pq = iopf_pq_find(fdev, key);

	if (unlikely(!pq))
		pq = iopf_pq_new(fdev, key);
	if (pq)
		iopf_pq_ref(pq);
	return pq;
}

/* The caller's use of the PASID queue ends, and maybe the PASID queue with it. */
static inline void iopf_pq_put(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (!--pq->nr_users)
		iopf_pq_add_idle(pq);
}

/* The PASID queue wants no worker any more, or none for the time being. */
static inline void iopf_pq_clear_ready(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (list_empty(&pq->ready_node))
		return;
	list_del_init(&pq->ready_node);
	if (!pq->starved)
		pq->fdev->nr_ready--;
	pq->starved = false;
}

/* @prg is in its PASID queue now, put there by the caller. */
static inline void iopf_pq_count_queued(struct iopf_prg *prg)
{
	struct iopf_pasid_queue *pq = prg->pq;
	struct iopf_device *fdev = pq->fdev;

	lockdep_assert_held(&fdev->lock);
	pq->nr_queued++;
	pq->queued_pages += prg->base.fault_count;
	WRITE_ONCE(fdev->nr_queued, fdev->nr_queued + 1);
}

/* @prg, in its PASID queue, is not to be handled by the next worker any more. */
static inline void iopf_pq_unqueue(struct iopf_prg *prg)
{
	struct iopf_pasid_queue *pq = prg->pq;

	lockdep_assert_held(&pq->fdev->lock);
	list_del_init(&prg->base.node);
	pq->queued_pages -= prg->base.fault_count;
	WRITE_ONCE(pq->fdev->nr_queued, pq->fdev->nr_queued - 1);
	if (!--pq->nr_queued)
		iopf_pq_clear_ready(pq);
}

/* The PASID queue's workers that were not seen asleep. */
static inline unsigned int iopf_pq_nr_awake(const struct iopf_pasid_queue *pq)
{
	return pq->nr_workers - pq->nr_asleep;
}

/* The responses that workers have deferred are the caller's to send, by iopf_send(). */
static inline void iopf_pq_take_deferred(struct iopf_pasid_queue *pq,
					 struct list_head *claimed)
{
	struct iopf_device *fdev = pq->fdev;

	lockdep_assert_held(&fdev->lock);
	list_splice_tail_init(&pq->claimed, claimed);
	WRITE_ONCE(fdev->nr_deferred, fdev->nr_deferred - pq->nr_deferred);
	pq->nr_deferred = 0;
}

/* How many pages a worker of @pq may be ahead of the device. */
static inline unsigned int iopf_prefault_max(const struct iopf_pasid_queue *pq)
{
	int pages = READ_ONCE(pq->prefault_max);

	return pages < 0 ? READ_ONCE(pq->fdev->fq->prefault_max) : pages;
}

/* group.c */
int iopf_table_init(struct iopf_table *table, const struct iopf_limits *limits);
void iopf_table_exit(struct iopf_table *table);
void iopf_table_move(struct iopf_table *to, struct iopf_table *from);
void iopf_prg_check_owner(struct iopf_prg *prg, enum iopf_owner owner);
void iopf_prg_bad_owner(struct iopf_prg *prg, enum iopf_owner owner);
struct iopf_prg *iopf_prg_new(struct iopf_device *fdev, const struct iopf_key *key);
void iopf_prg_drop(struct iopf_device *fdev, struct iopf_prg *prg,
		   struct iopf_freed *freed);
struct iopf_prg *iopf_prg_find(struct iopf_device *fdev,
			       const struct iopf_key *key);
struct iopf_prg *iopf_prg_next(struct iopf_prg *prg);
bool iopf_prg_room(struct iopf_device *fdev, bool whole);
void iopf_prg_remove(struct iopf_device *fdev, struct iopf_prg *prg);
void iopf_prg_reject(struct iopf_device *fdev, struct iopf_prg *prg);
void iopf_prg_add_partial(struct iopf_device *fdev, struct iopf_prg *prg,
			  const struct iommu_fault *fault);
void iopf_prg_complete(struct iopf_device *fdev, struct iopf_prg *prg,
		       const struct iommu_fault *fault);

/* Is the group its PASID's workers' to handle? Then they own it until it is claimed. */
static inline bool iopf_prg_is_faulting(const struct iopf_prg *prg)
{
	return prg->owner == IOPF_OWNER_QUEUED ||
	       prg->owner == IOPF_OWNER_WORKER;
}

/* Also without the lock: whoever sees it late does a page too many. */
static inline bool iopf_prg_is_claimed(const struct iopf_prg *prg)
{
	return READ_ONCE(prg->owner) == IOPF_OWNER_CLAIMED;
}

/* Hand @prg to another owner. A debug kernel checks that it may go there. */
static inline void iopf_prg_set_owner(struct iopf_device *fdev,
				      struct iopf_prg *prg,
				      enum iopf_owner owner)
{
	lockdep_assert_held(&fdev->lock);
	if (IS_ENABLED(CONFIG_IOPF_QUEUE_DEBUG))
		iopf_prg_check_owner(prg, owner);
	if (owner == IOPF_OWNER_HANDLER)
		fdev->nr_handled++;
	else if (unlikely(prg->owner == IOPF_OWNER_HANDLER))
		fdev->nr_handled--;
	/* Pairs with READ_ONCE() in iopf_prg_is_claimed(). */
	WRITE_ONCE(prg->owner, owner);
}

/* One request more for @prg, which has a slot for it. */
static inline void iopf_prg_append(struct iopf_device *fdev, struct iopf_prg *prg,
				   const struct iommu_fault *fault)
{
	struct iopf_fault *request = prg->slot++;

	lockdep_assert_held(&fdev->lock);
	prg->nr_slots--;
	request->fault = *fault;
	list_add_tail(&request->list, &prg->base.faults);
	prg->base.fault_count++;
	fdev->nr_partial++;
}

/* queue.c */
#define IOPF_MAX_TIMEOUT	100 /* seconds */

struct iopf_fault_queue *iopf_fault_queue_alloc(const char *name);
void iopf_fault_queue_put(struct iopf_fault_queue *fq);
unsigned long iopf_timeout(const struct iopf_fault_queue *fq);
unsigned long iopf_domain_timeout(const struct iopf_fault_queue *fq);

/* quarantine.c */
struct iopf_handler *iopf_handler_alloc(struct device *dev,
					iommu_dev_fault_handler_t fn,
					void *data);
struct iopf_handler *iopf_handler_get(struct iopf_device *fdev);
void iopf_handler_put(struct iopf_handler *handler);
void iopf_handler_free(struct iopf_handler *handler);
void iopf_quarantine_add(struct iopf_prg *prg);
void iopf_quarantine_cancel(struct iopf_handler *handler, const struct iopf_key *key);
bool iopf_is_quarantined(struct iopf_handler *handler,
			 const struct iopf_key *key);
bool iopf_quarantine_remove(struct iopf_handler *handler, const struct iopf_key *key);

/* device.c */
/* From tick to tick of the timer of the look. */
#define IOPF_TICK_NS		NSEC_PER_MSEC

extern struct workqueue_struct *iopf_wq;

struct iopf_device *iopf_device_alloc(struct iopf_fault_queue *fq, struct device *dev,
				      struct iopf_handler *handler);
struct iopf_device *iopf_device_rcu(struct device *dev);
struct iopf_device *iopf_device_get(struct device *dev);
void iopf_device_put_many(struct iopf_device *fdev, int n);
void iopf_monitor_arm(struct iopf_device *fdev);
void iopf_monitor_start(struct iopf_device *fdev);
void iopf_timeout_schedule(struct iopf_device *fdev);
void iopf_timeout_start(struct iopf_device *fdev);

static inline void iopf_device_put(struct iopf_device *fdev)
{
	iopf_device_put_many(fdev, 1);
}

#endif /* __IOPF_OBJECTS_H */
