/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: queues, devices, PASID queues, groups, workers and handlers
 *
 * Structures, references, lists and limits. No group is claimed here and no response sent,
 * and nothing calls path.h or a header above it.
 */
#ifndef __IOPF_OBJECTS_H
#define __IOPF_OBJECTS_H

#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/jiffies.h>
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

/**
 * DOC: Overview
 *
 * A *fault queue* (&struct iopf_fault_queue) belongs to an IOMMU driver and has a fixed pool
 * of *workers* (&struct iopf_worker). *Devices* (&struct iopf_device) are added to it. A device
 * has a *PASID queue* (&struct iopf_pasid_queue) for each PASID that has sent page requests,
 * and one for requests without a PASID. *Page request groups* (&struct iopf_prg) are found in
 * a hash table of the device, and are on one list of their PASID queue.
 *
 * A group has exactly one owner at a time, &enum iopf_owner, which changes under the device's
 * lock. The part of the library that claims the group, by iopf_claim(), sends its response:
 * the owner, or a flush, a removal or a timeout that takes the group away from it. A later
 * attempt fails.
 */

/**
 * DOC: Locks
 *
 * Taken in this order::
 *
 *	iopf_handlers_lock (mutex)        registered handlers; adding and removing devices
 *	  iopf_queue.lock (mutex)         the queue's list of devices
 *	    dev_iommu.lock (mutex)        dev->iommu->fault_param
 *	      iopf_device.lock (spinlock) everything else that changes
 *	        iopf_handler.lock (spinlock)   the handler's quarantine
 *	        iopf_pool.lock (spinlock)      workers that no device uses
 *
 * iopf_device.lock nests inside any lock of the callers. Of the kernel's locks only those of
 * xarray (the PASIDs of the device's group included), slab, mempool, workqueue, timers, wait
 * queue, scheduler and sighand (of worker threads) nest inside it.
 *
 * No lock of the library is held while it calls iommu_ops.page_response, an iopf_handler, a
 * registered handler or the mm. A worker may take iopf_device.lock with a VMA read-locked, and
 * unlocks the VMA before it sends responses. Workers never take iommu_sva_lock: unbinding holds
 * it while it waits for a flush.
 */

/**
 * DOC: References
 *
 * ================= =========================================================================
 * object            references
 * ================= =========================================================================
 * iopf_prg          one of the library until the response is sent; one of its holder: the
 *                   PASID queue or worker, the domain's handler, or the reporter that delivers
 *                   the group or calls a registered handler with it. A registered handler has
 *                   none: it names a group by its key or cookie
 * iopf_device       one of the queue; one for each group, also for the one that is kept, each
 *                   worker that the device uses, each flush; one of the timeout work and of
 *                   the monitor while they are armed; one while the device is in
 *                   iopf_pool.starved
 * iopf_fault_queue  one of the driver, one for each device
 * iopf_handler      one of the registration, one for each call in progress
 * iopf_pasid_queue  counted by nr_users: groups, workers, responses being sent, a prefault
 *                   setting. Without users it is idle, and may be freed to make room
 * ================= =========================================================================
 */

struct iopf_prg;
struct iopf_handler;
struct iopf_pasid_queue;
struct iopf_worker;

/* Default of each limit of a PCI device. */
#define IOPF_DEFAULT_LIMIT	4096
/* Default for a device that stalls: as many groups as an SMMU's 16-bit tags distinguish. */
#define IOPF_STALL_LIMIT	65536
/* Objects that a queue reserves for when allocations fail. */
#define IOPF_RESERVE_GROUPS	64
#define IOPF_RESERVE_CHUNKS	16

/*
 * Workers of a queue. As many faults of one PASID may sleep as io-pgfault.c has work items
 * active at a time; the remaining quarter serves other PASIDs.
 */
#define IOPF_WORKERS		(WQ_DFL_ACTIVE + WQ_DFL_ACTIVE / 3)
/* log2 of the number of lists in iopf_device.sleepers. */
#define IOPF_SLEEPER_BITS	6

/**
 * struct iopf_pool - the workers of a queue
 * @lock: guards @free, @nr_free and @starved; nests inside iopf_device.lock
 * @free: workers that no device uses
 * @nr_free: length of @free; read without the lock where an estimate is enough
 * @starved: devices that were refused a worker; they are told when one is free
 * @nr_near: number of workers in use above which further ones are queued on @far
 * @near: workqueue whose work starts in the cache domain of the queueing CPU
 * @far: workqueue without cache domains, so that its concurrency is not divided among the
 *	NUMA nodes; its threads have a larger share of a CPU
 * @workers: all workers
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
 * @base: the public part; @base.lock guards @base.devices
 * @users: references, see "DOC: References"
 * @groups: reserve of &struct iopf_prg
 * @chunks: reserve of &struct iopf_chunk
 * @pool: the workers
 * @ops: optional callbacks of the driver, or NULL; constant once a device was added
 * @timeout_ms: timeout of groups in milliseconds; 0: none, negative: iopf.prq_timeout. Read
 *	without a lock, as the next two
 * @domain_timeout_ms: the same for groups that a domain's handler owns
 * @prefault_max: how far to fault in ahead of the devices, in pages; negative: iopf.prefault
 * @debugfs: the queue's folder
 * @release: frees the queue; a worker may drop the last reference and cannot wait for itself
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
	int prefault_max;
	struct dentry *debugfs;
	struct work_struct release;
};

/**
 * struct iopf_table - hash table of the groups of a device, by &struct iopf_key
 * @buckets: lists of groups
 * @bits: log2 of the number of buckets
 * @factor: random odd multiplier of the hash
 */
struct iopf_table {
	struct hlist_head *buckets;
	unsigned int bits;
	u64 factor;
};

/**
 * struct iopf_flush - a waiter for groups of a device to end
 * @node: in iopf_device.flushes
 * @pq: wait for responses of this PASID queue only, which the waiter references; NULL: of all
 * @seq: wait for groups up to this number
 * @nr_faulting: those of them that are queued or with a worker
 * @claims: wait for groups up to this claim
 * @nr_responding: those of them whose responses are being sent
 *
 * On the waiter's stack, guarded by iopf_device.lock. The waiter reads the two counts without
 * the lock. Groups that come later are not counted, so they do not prolong the wait.
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
 * @base: the public part; @base.users counts references
 * @fq: the queue, referenced
 * @ops: the device's iommu_ops
 * @debugfs: the device's folder
 * @spare: freed groups for reuse, in the order they came back
 * @nr_spare: length of @spare, approximately
 * @groups_freed: complete groups freed without @lock since the device was added
 * @requests_freed: requests in these groups, not counting the last one of each
 * @monitor_timer: ticks while the monitor is armed, and queues @monitor_work
 * @tick_taken: value of @taken at the last tick
 * @ticks_waiting: weight of the consecutive ticks in which something was queued or deferred
 * @ticks_quiet: consecutive ticks in which nothing was
 * @starved_node: in iopf_pool.starved
 * @monitor_work: the monitor, see progress.c
 * @timeout_work: the timeout work, see timeout.c
 * @flushed: woken when a count of one of @flushes becomes 0
 * @lock: guards the device, its PASID queues and its groups
 * @dead: the device was removed from its queue, no group may be started
 * @monitoring: @monitor_timer or @monitor_work is pending or running
 * @timeout_armed: @timeout_work is pending or running
 * @room: workers became free since a PASID queue in @starved was refused one
 * @pri_limits: @limits were raised to what PRI grants
 * @poll_pause: how many polls were skipped after the last one without success, halved by
 *	each success since
 * @poll_skip: how many polls still to skip
 * @nr_ready: length of @ready
 * @ready: PASID queues that want a worker, in the order in which they are served
 * @kept: a group whose response was sent, for the next group of its address space: it still
 *	has its references to the device and the mm. NULL while the monitor is not armed
 * @parked: a worker that sleeps until the next group, see park.c, or NULL. NULL while the
 *	monitor is not armed
 * @groups_made: complete groups since the device was added, except those freed under @lock
 * @nr_waiting: workers that are queued and have not started, or poll for a group
 * @nr_workers: workers that run
 * @nr_queued: groups on the queues of all PASID queues
 * @nr_faulting: groups that are queued or with a worker
 * @joined: the unfinished group that the last request joined, or NULL: most often the next
 *	request joins it, too
 * @recent: the PASID queue found last, or NULL
 * @reuse: freed groups for reuse, taken from @spare
 * @seq: number of the youngest complete group. Numbers are unique across devices and across
 *	removal and addition of a device: they are the cookies of registered handlers
 * @nr_unfinished: groups whose last request has not come
 * @partial_requests: requests in them
 * @requests_made: requests in these groups, not counting the last one of each
 * @groups_seen: value of @groups_freed when it was last read
 * @stats: counters
 * @taken: groups that workers have taken
 * @claims: number of the last claim
 * @awake: workers that handle a group and were not noted asleep
 * @nr_responding: claimed groups whose responses are not sent yet
 * @nr_deferred: responses that workers have deferred
 * @nr_far: those of @nr_waiting that are queued on iopf_pool.far
 * @handler: the registered handler; also read under RCU
 * @table: all groups that are not claimed
 * @flushes: waiters for groups to end
 * @nr_asleep: those of @nr_workers that were noted asleep
 * @nr_eager: workers beyond one per CPU that PASID queues may have, because earlier ones fell
 *	asleep at once; set by the monitor
 * @nr_cpus: CPUs that workers may use, as of the last run of the monitor
 * @limits: limits of the device, see &struct iopf_limits
 * @driver_limits: limits that the driver has set, 0 in a field for none
 * @requests_seen: value of @requests_freed when it was last read
 * @nr_handled: groups that a registered handler owns
 * @nr_delivered: groups that a domain's handler owns
 * @taken_seen: value of @taken at the last run of the monitor
 * @monitored: PASID queues that the monitor checks
 * @starved: PASID queues that were refused a worker
 * @cancelled: groups that the removal of the device has claimed; it sends their responses
 * @pqs: the PASID queues, by iopf_pq_index()
 * @nr_pqs: PASID queues in @pqs
 * @nr_idle: PASID queues in @idle
 * @idle: PASID queues without users, the longest idle one first
 * @sleepers: workers that were noted asleep in a fault, by PASID queue and page
 * @latency: responses by latency, see iopf_count_response()
 *
 * Letters in the structure:
 *
 * I: constant from iopf_device_alloc() to the last reference.
 *
 * F: written without @lock by the parts that free groups.
 *
 * T: of the monitor's timer while @monitoring, else under @lock.
 *
 * P: guarded by iopf_pool.lock.
 *
 * W: has a lock of its own: work items and the wait queue.
 *
 * L: guarded by @lock.
 *
 * E: guarded by @lock; also read without it where an estimate is enough.
 *
 * A cache line that reporters and workers write in turn has to go from CPU to CPU for each
 * group, which costs more than most of what they do with it. So what both write shares the line
 * of @lock, which comes along anyway, and what only reporters or only workers write is on lines
 * of their own: the first counters of @stats are the reporters', the next ones the workers'. The
 * same holds for &struct iopf_pasid_queue. What is written without @lock is on none of these.
 */
struct iopf_device {
	struct iommu_fault_param base;
	struct iopf_fault_queue *fq;		/* I */
	const struct iommu_ops *ops;		/* I */
	struct dentry *debugfs;			/* I */

	struct llist_head spare ____cacheline_aligned_in_smp;	/* F */
	atomic_t nr_spare;			/* F */
	atomic_t groups_freed;			/* F */
	atomic_t requests_freed;		/* F */

	struct hrtimer monitor_timer;		/* T */
	unsigned long tick_taken;		/* T */
	u8 ticks_waiting;			/* T */
	u8 ticks_quiet;				/* T */
	struct list_head starved_node;		/* P */
	struct work_struct monitor_work;	/* W */
	struct delayed_work timeout_work;	/* W */
	wait_queue_head_t flushed;		/* W */

	/* each hold of the lock */
	spinlock_t lock ____cacheline_aligned_in_smp; /* see the letters above */
	bool dead;				/* E */
	bool monitoring;			/* L */
	bool timeout_armed;			/* L */
	bool room;				/* E */
	bool pri_limits;			/* L */
	u8 poll_pause;				/* L */
	u8 poll_skip;				/* L */
	unsigned int nr_ready;			/* L */
	struct list_head ready;			/* E */
	struct iopf_prg *kept;			/* L */
	struct iopf_worker *parked;		/* L */
	unsigned int groups_made;		/* L */
	u16 nr_waiting;				/* L */
	u16 nr_workers;				/* L */
	unsigned int nr_queued;			/* E */
	unsigned int nr_faulting;		/* L */

	/* reporters write */
	struct iopf_prg *joined;		/* L */
	struct iopf_pasid_queue *recent;	/* L */
	struct llist_node *reuse;		/* L */
	u64 seq;				/* L */
	unsigned int nr_unfinished;		/* L */
	unsigned int partial_requests;		/* L */
	unsigned int requests_made;		/* L */
	unsigned int groups_seen;		/* L */
	struct iopf_stats stats;		/* L */

	/* workers write */
	unsigned long taken ____cacheline_aligned_in_smp; /* E */
	u64 claims;				/* L */
	struct list_head awake;			/* L */
	unsigned int nr_responding;		/* L */
	unsigned int nr_deferred;		/* E */
	unsigned int nr_far;			/* L */

	/* what changes less often */
	struct iopf_handler __rcu *handler ____cacheline_aligned_in_smp; /* L, RCU */
	struct iopf_table table;		/* L */
	struct list_head flushes;		/* L */
	unsigned int nr_asleep;			/* L */
	unsigned int nr_eager;			/* E */
	unsigned int nr_cpus;			/* L */
	struct iopf_limits limits;		/* E */
	struct iopf_limits driver_limits;	/* L */
	unsigned int requests_seen;		/* L */
	unsigned int nr_handled;		/* L */
	unsigned int nr_delivered;		/* L */
	unsigned long taken_seen;		/* L */
	struct list_head monitored;		/* L */
	struct list_head starved;		/* L */
	struct list_head cancelled;		/* L */
	struct xarray pqs;			/* L */
	unsigned int nr_pqs;			/* L */
	unsigned int nr_idle;			/* L */
	struct list_head idle;			/* L */
	struct hlist_head sleepers[BIT(IOPF_SLEEPER_BITS)];	/* L */
	u64 latency[IOPF_LATENCY_BUCKETS];	/* L */
};

/* Idle PASID queues that a device keeps without a time limit. */
#define IOPF_IDLE_PQS		64
/* How long it keeps further ones, at least. */
#define IOPF_IDLE_MS		1000
/* PASID queues that a walk visits in one hold of iopf_device.lock. */
#define IOPF_PQS_PER_HOLD	16

/**
 * struct iopf_pasid_queue - the groups of one PASID on one device
 * @queue: groups in @pending that wait for a worker
 * @pending: complete groups without a response, in order of completion, except those in
 *	@delivered
 * @ready_node: in iopf_device.ready while a worker is wanted, or in iopf_device.starved
 * @nr_users: groups, workers, responses being sent, a prefault setting
 * @nr_queued: length of @queue
 * @queued_requests: requests of the groups in @queue
 * @nr_mm: groups without a response that pin the mm
 * @fdev: the device, whose lock guards everything here unless said otherwise
 * @pasid_valid: false for the queue of requests without a PASID
 * @pasid: the PASID
 * @mm: while @nr_mm is not 0, the address space of all its groups without a response. NULL
 *	if they have several, or if the next group has to look up the domain
 * @mm_uses: groups that may still be started without looking up the domain
 * @unfinished: groups whose last request has not come, in order of arrival
 * @requests: page requests of its complete groups
 * @groups: complete groups
 * @workers: workers that take groups from @queue, those noted asleep last
 * @deferred: groups that workers have handled, and whose responses are deferred
 * @nr_deferred: length of @deferred
 * @nr_workers: length of @workers
 * @nr_responding: claimed groups whose responses are not sent yet
 * @taken: groups that workers have taken from @queue
 * @responses: responses sent, by response code
 * @page_ns: CPU time per requested page, a moving average
 * @idle_since: jiffies when the last user went
 * @delivered: groups that the handler of the PASID's domain owns, in order of delivery
 * @monitored_node: in iopf_device.monitored while the monitor checks the PASID queue
 * @idle_node: in iopf_device.idle while there are no users, if iopf_lists_idle()
 * @nr_following: queued groups that wait for a sleeper, and are not in @queue
 * @nr_asleep: those of @nr_workers that were noted asleep
 * @nr_slept: workers noted asleep since the last run of the monitor
 * @nr_eager: workers that may take groups whatever the backlog, because earlier ones fell
 *	asleep at once
 * @nr_throttled: workers that wait because the memory cgroup is above memory.high
 * @starved: in iopf_device.starved
 * @taken_seen: value of @taken at the last run of the monitor
 * @prefault_max: how far to fault in ahead of the device, in pages; negative: as the queue
 *	says. Set by iopf_pq_set_prefault(), read without the lock
 * @prefault_window: current window. Read and written without the lock, as @prefault_next:
 *	a lost update costs a smaller window
 * @prefault_next: where the device's next request is expected
 * @latency: responses by latency, see iopf_count_response()
 */
struct iopf_pasid_queue {
	/* each hold of the lock */
	struct list_head queue;
	struct list_head pending;
	struct list_head ready_node;
	unsigned int nr_users;
	unsigned int nr_queued;
	unsigned int queued_requests;
	unsigned int nr_mm;

	/* reporters write */
	struct iopf_device *fdev;
	bool pasid_valid;
	u32 pasid;
	struct mm_struct *mm;
	unsigned int mm_uses;
	struct list_head unfinished;
	u64 requests;
	u64 groups;

	/* workers write */
	struct list_head workers ____cacheline_aligned_in_smp;
	struct list_head deferred;
	unsigned int nr_deferred;
	unsigned int nr_workers;
	unsigned int nr_responding;
	unsigned long taken;
	u64 responses[3];
	u64 page_ns;
	unsigned long idle_since;

	/* what changes less often */
	struct list_head delivered ____cacheline_aligned_in_smp;
	struct list_head monitored_node;
	struct list_head idle_node;
	unsigned int nr_following;
	unsigned int nr_asleep;
	unsigned int nr_slept;
	unsigned int nr_eager;
	unsigned int nr_throttled;
	bool starved;
	unsigned long taken_seen;
	int prefault_max;
	unsigned int prefault_window;
	u64 prefault_next;
	u32 latency[IOPF_LATENCY_BUCKETS];
};

/* In place of a response code: send no response. */
#define IOPF_RESP_NONE		(-1)
/* Requests for which a group has room without a further allocation. */
#define IOPF_INLINE_REQUESTS	8
/* Requests in a &struct iopf_chunk. */
#define IOPF_CHUNK_REQUESTS	16

/**
 * enum iopf_owner - the owner of a group
 * @IOPF_OWNER_ASSEMBLING: the table: the last request has not come
 * @IOPF_OWNER_QUEUED: the PASID queue, until a worker takes the group
 * @IOPF_OWNER_WORKER: the worker that handles its faults
 * @IOPF_OWNER_DOMAIN: the iopf_handler of its domain, or the reporter that delivers it there
 * @IOPF_OWNER_HANDLER: the registered handler, or the reporter that calls it
 * @IOPF_OWNER_CLAIMED: the claimer, which sends the response; final
 * @IOPF_NR_OWNERS: number of owners
 *
 * Changed by iopf_prg_set_owner() only, under iopf_device.lock. The PASID queue, the worker and
 * the domain's handler have a reference of their own; the claimer uses the library's, and drops
 * it when the response is sent.
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
 * @requests: requests on the group's list; each is a cache line, as in &struct iopf_prg
 * @next: the group's next chunk
 */
struct iopf_chunk {
	struct iopf_fault requests[IOPF_CHUNK_REQUESTS] ____cacheline_aligned_in_smp;
	struct iopf_chunk *next;
};

/**
 * struct iopf_prg - a page request group
 * @base: the public part. @base.pending_node is on the unfinished, pending, delivered or
 *	deferred list of the PASID queue, or on a list of claimed groups; @base.node is on its
 *	queue, in iopf_worker.followers, or on a list of the domain's handler
 * @users: references, see "DOC: References"
 * @key: PASID and index; constant
 * @table_node: in iopf_device.table until the group is claimed
 * @pq: the PASID queue; valid until the response is sent
 * @mm: the address space if the domain is an SVA domain, pinned by mm_count; constant
 * @owner: see &enum iopf_owner; also read without the lock where a stale owner does no harm
 * @code: the response code, or %IOPF_RESP_NONE; set by the claim
 * @worker: the worker that handles the group, or the sleeper that a queued group follows
 * @prefaulted: pages faulted in beyond the requested ones; written by the worker
 * @flags: flags of the request that go back with the response. Its private data is in
 *	@base.last_fault
 * @complete: its last request has come
 * @rejected: send Invalid Request when the last request comes
 * @by_pair: the registered handler may respond by PASID and index, it has not taken the cookie
 * @claim: number among the claims; set by the claim, until the response is sent
 * @spare_node: in iopf_device.spare or .reuse while it is free
 * @seq: number among the complete groups, undefined until the group is complete
 * @since: jiffies when it was started, completed or delivered to the domain's handler
 * @nr_slots: room from @slot on
 * @slot: where the next request goes
 * @chunks: chunks that have been filled, or are being filled
 * @times: when it did what, if iopf.latency is set
 * @requests: room for the first requests. A request is a cache line long, and does not
 *	straddle two
 *
 * iopf_device.lock guards what is not constant, unless said otherwise.
 */
struct iopf_prg {
	struct iopf_group base;
	refcount_t users;
	struct iopf_key key;
	struct hlist_node table_node;
	struct iopf_pasid_queue *pq;
	struct mm_struct *mm;
	enum iopf_owner owner;
	int code;
	struct iopf_worker *worker;
	unsigned int prefaulted;
	u8 flags;
	bool complete;
	bool rejected;
	bool by_pair;
	union {
		u64 claim;
		struct llist_node spare_node;
	};

	/* what workers need less often */
	u64 seq;
	unsigned long since;
	unsigned int nr_slots;
	struct iopf_fault *slot;
	struct iopf_chunk *chunks;
	struct iopf_times times;
	struct iopf_fault requests[IOPF_INLINE_REQUESTS] ____cacheline_aligned_in_smp;
};

/**
 * struct iopf_freed - groups to be freed together by iopf_freed_put()
 * @first: the first of them, linked by spare_node
 * @last: the last of them
 * @nr: how many
 * @groups: how many of them were complete
 * @requests: requests in the complete ones, not counting the last one of each
 */
struct iopf_freed {
	struct llist_node *first;
	struct llist_node *last;
	int nr;
	int groups;
	int requests;
};

/* In place of a page's address: the worker is not in a fault. */
#define IOPF_NO_PAGE		(~0UL)

/**
 * struct iopf_worker - a work item that handles groups
 * @work: the work item, on a workqueue of the queue's pool
 * @far: it is queued on iopf_pool.far
 * @parked: its thread sleeps until this is false, see park.c; written without the lock
 * @fdev: the device that uses it, referenced
 * @task: the thread that runs the work item, since it has begun
 * @node: in iopf_pool.free, or in iopf_device.awake while it has a PASID queue and is not
 *	@asleep; guarded by the lock of that list
 * @pq: the PASID queue that it takes groups from, or NULL
 * @pq_node: in iopf_pasid_queue.workers
 * @prg: the group being handled
 * @code: the result of @prg; of the thread alone
 * @page: address of the page in the fault handler, or %IOPF_NO_PAGE; written by the thread
 *	without the lock
 * @interrupted: @prg was cancelled, and the thread was woken to see it; also read without the
 *	lock
 * @asleep: it was noted asleep and has not continued since; the thread reads it without the
 *	lock
 * @slept: it was @asleep at least once since it took @prg
 * @sleeper_node: in iopf_device.sleepers while @asleep in a fault
 * @followers: groups that wait until it continues
 * @runtime: CPU time of the thread when it was last read; of the thread alone
 *
 * iopf_device.lock guards @pq and what follows, unless said otherwise.
 */
struct iopf_worker {
	struct work_struct work ____cacheline_aligned_in_smp;
	bool far;
	bool parked;
	struct iopf_device *fdev;
	struct task_struct *task;

	/* what only the worker and the monitor use */
	struct list_head node ____cacheline_aligned_in_smp;
	struct iopf_pasid_queue *pq;
	struct list_head pq_node;
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

/* Late responses that a handler may owe, see quarantine.c. */
#define IOPF_QUARANTINE		256

/**
 * struct iopf_overdue - a late response that a registered handler may still send
 * @key: the group's key
 * @until: jiffies until when it is expected
 */
struct iopf_overdue {
	struct iopf_key key;
	unsigned long until;
};

/**
 * struct iopf_handler - a registered handler
 * @node: in the list of registered handlers: RCU, changed under iopf_handlers_lock
 * @dev: the device, referenced
 * @handler: the function
 * @data: its argument
 * @users: references, see "DOC: References"
 * @idle: completed when the last reference is dropped
 * @rcu: frees it
 * @lock: guards what follows
 * @nr_overdue: entries in @overdue
 * @full: @overdue had no room for an entry: until @full_until all groups are refused
 * @full_until: in jiffies
 * @overdue: late responses to expect, in no order
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

/* Return the device of @prg, which is valid as long as @prg. */
static inline struct iopf_device *iopf_prg_device(struct iopf_prg *prg)
{
	return to_iopf_device(prg->base.fault_param);
}

/* memory.c */
int iopf_reserve_init(struct iopf_fault_queue *fq);
void iopf_reserve_exit(struct iopf_fault_queue *fq);
struct iopf_prg *iopf_prg_alloc(struct iopf_device *fdev, struct mm_struct *mm);
void iopf_prg_drop(struct iopf_device *fdev, struct iopf_prg *prg,
		   struct iopf_freed *freed);
void iopf_freed_end(struct iopf_device *fdev, struct iopf_freed *freed);
struct iopf_prg *iopf_prg_keep(struct iopf_device *fdev, struct iopf_prg *prg);
struct iopf_prg *iopf_prg_unkeep(struct iopf_device *fdev);
void iopf_spare_free(struct iopf_device *fdev);
bool iopf_prg_add_slots(struct iopf_device *fdev, struct iopf_prg *prg);
unsigned int iopf_default_unfinished(const struct iopf_limits *limits,
				     struct device *dev);
void iopf_limits_init(struct iopf_limits *limits, struct device *dev);
unsigned int iopf_pri_allocation(struct device *dev);
void iopf_limits_refresh(struct iopf_device *fdev);
bool iopf_is_half_full(struct iopf_device *fdev);

/* Return how many complete groups are not claimed. */
static inline unsigned int iopf_nr_pending(const struct iopf_device *fdev)
{
	return fdev->nr_faulting + fdev->nr_handled + fdev->nr_delivered;
}

/* Return how many groups are in the table. */
static inline unsigned int iopf_nr_groups(const struct iopf_device *fdev)
{
	return fdev->nr_unfinished + iopf_nr_pending(fdev);
}

/* Return how many groups have memory, as of the last iopf_limits_refresh(). */
static inline unsigned int iopf_held_groups(const struct iopf_device *fdev)
{
	return fdev->nr_unfinished + fdev->groups_made - fdev->groups_seen;
}

/* Return how many requests do, not counting the last ones of complete groups. */
static inline unsigned int iopf_held_requests(const struct iopf_device *fdev)
{
	return fdev->partial_requests + fdev->requests_made - fdev->requests_seen;
}

/* Return how many requests may join, as of the last iopf_limits_refresh(). */
static inline unsigned int iopf_request_room(const struct iopf_device *fdev)
{
	unsigned int held = iopf_held_requests(fdev);

	if (held >= fdev->limits.requests ||
	    fdev->partial_requests >= fdev->limits.unfinished)
		return 0;
	return min(fdev->limits.requests - held,
		   fdev->limits.unfinished - fdev->partial_requests);
}

/* Return true if the device has indices as wide as the one of @fault. */
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
void iopf_pq_add_idle(struct iopf_pasid_queue *pq);
void iopf_pq_expire(struct iopf_pasid_queue *pq);
void iopf_pq_set_prefault(struct iopf_pasid_queue *pq, int pages);
void iopf_pqs_destroy(struct iopf_device *fdev);

/* Return true if PASID queues may be freed, so that the idle ones are on a list. */
static inline bool iopf_lists_idle(const struct iopf_device *fdev)
{
	return fdev->nr_pqs > IOPF_IDLE_PQS;
}

/* Return true if there are more idle PASID queues than are kept without a time limit. */
static inline bool iopf_has_many_pqs(const struct iopf_device *fdev)
{
	return fdev->nr_idle > IOPF_IDLE_PQS;
}

/* Find the PASID queue of @key. NULL: it has none. */
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
 * Drop the lock once in IOPF_PQS_PER_HOLD steps of an xa_for_each() over iopf_device.pqs.
 * xa_for_each() continues by index, so it is safe that the PASID queue visited last may be
 * freed meanwhile. One that is added meanwhile may not be visited.
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

/* Take @pq off the list of idle ones, if it is there. */
static inline void iopf_pq_remove_idle(struct iopf_pasid_queue *pq)
{
	if (list_empty(&pq->idle_node))
		return;
	list_del_init(&pq->idle_node);
	pq->fdev->nr_idle--;
}

/* Reference @pq: it is not freed while it has users. */
static inline void iopf_pq_ref(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (!pq->nr_users++)
		iopf_pq_remove_idle(pq);
}

/*
 * Find or allocate the PASID queue of @key, and reference it. NULL: no memory, or the
 * device's limit is reached.
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

/* Drop a reference to @pq. Without users it may be freed to make room. */
static inline void iopf_pq_put(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (--pq->nr_users)
		return;
	pq->idle_since = jiffies;
	if (unlikely(iopf_lists_idle(pq->fdev)))
		iopf_pq_add_idle(pq);
}

/* Take @pq off the list of those that want a worker, or were refused one. */
static inline void iopf_pq_clear_ready(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (list_empty(&pq->ready_node))
		return;
	list_del_init(&pq->ready_node);
	if (unlikely(pq->starved))
		pq->starved = false;
	else
		pq->fdev->nr_ready--;
}

/* Count @prg, which the caller has put on the queue of its PASID queue. */
static inline void iopf_pq_count_queued(struct iopf_prg *prg)
{
	struct iopf_pasid_queue *pq = prg->pq;
	struct iopf_device *fdev = pq->fdev;

	lockdep_assert_held(&fdev->lock);
	pq->nr_queued++;
	pq->queued_requests += prg->base.fault_count;
	WRITE_ONCE(fdev->nr_queued, fdev->nr_queued + 1);
}

/* Take @prg off the queue of its PASID queue. */
static inline void iopf_pq_unqueue(struct iopf_prg *prg)
{
	struct iopf_pasid_queue *pq = prg->pq;

	lockdep_assert_held(&pq->fdev->lock);
	list_del_init(&prg->base.node);
	pq->queued_requests -= prg->base.fault_count;
	WRITE_ONCE(pq->fdev->nr_queued, pq->fdev->nr_queued - 1);
	if (!--pq->nr_queued)
		iopf_pq_clear_ready(pq);
}

/* Return how many workers of @pq were not noted asleep. */
static inline unsigned int iopf_pq_nr_awake(const struct iopf_pasid_queue *pq)
{
	return pq->nr_workers - pq->nr_asleep;
}

/* Move the deferred responses of @pq to @claimed. The caller sends them by iopf_send(). */
static inline void iopf_pq_take_deferred(struct iopf_pasid_queue *pq,
					 struct list_head *claimed)
{
	struct iopf_device *fdev = pq->fdev;

	lockdep_assert_held(&fdev->lock);
	list_splice_tail_init(&pq->deferred, claimed);
	WRITE_ONCE(fdev->nr_deferred, fdev->nr_deferred - pq->nr_deferred);
	pq->nr_deferred = 0;
}

/* group.c */
int iopf_table_init(struct iopf_table *table, const struct iopf_limits *limits);
void iopf_table_exit(struct iopf_table *table);
void iopf_table_move(struct iopf_table *to, struct iopf_table *from);
void iopf_prg_check_owner(struct iopf_prg *prg, enum iopf_owner owner);
void iopf_prg_bad_owner(struct iopf_prg *prg, enum iopf_owner owner);
struct iopf_prg *iopf_prg_new(struct iopf_pasid_queue *pq, const struct iopf_key *key,
			      struct mm_struct *mm);
struct iopf_prg *iopf_prg_find(struct iopf_device *fdev,
			       const struct iopf_key *key);
struct iopf_prg *iopf_prg_next(struct iopf_prg *prg);
bool iopf_prg_find_room(struct iopf_device *fdev, bool whole);
void iopf_prg_remove(struct iopf_device *fdev, struct iopf_prg *prg);
void iopf_prg_reject(struct iopf_device *fdev, struct iopf_prg *prg);
void iopf_prg_add_partial(struct iopf_device *fdev, struct iopf_prg *prg,
			  const struct iommu_fault *fault);
void iopf_prg_complete(struct iopf_device *fdev, struct iopf_prg *prg,
		       const struct iommu_fault *fault);

static inline bool iopf_is_below_limits(const struct iopf_device *fdev, bool whole)
{
	if (!whole && fdev->nr_unfinished >= fdev->limits.unfinished)
		return false;
	return iopf_held_groups(fdev) < fdev->limits.groups;
}

/*
 * Check the limits before a group is allocated; @whole: it will be complete at once.
 * Without room the request is dropped, and the device sends an unfinished group again.
 */
static inline bool iopf_prg_room(struct iopf_device *fdev, bool whole)
{
	lockdep_assert_held(&fdev->lock);
	return likely(iopf_is_below_limits(fdev, whole)) ||
	       iopf_prg_find_room(fdev, whole);
}

/* Return true if @prg is queued or with a worker. */
static inline bool iopf_prg_is_faulting(const struct iopf_prg *prg)
{
	return prg->owner == IOPF_OWNER_QUEUED ||
	       prg->owner == IOPF_OWNER_WORKER;
}

/* May be called without the lock: a stale owner costs the fault of one more page. */
static inline bool iopf_prg_is_claimed(const struct iopf_prg *prg)
{
	return READ_ONCE(prg->owner) == IOPF_OWNER_CLAIMED;
}

/* Change the owner of @prg. A debug kernel checks the transition. */
static inline void iopf_prg_set_owner(struct iopf_device *fdev,
				      struct iopf_prg *prg,
				      enum iopf_owner owner)
{
	lockdep_assert_held(&fdev->lock);
	if (IS_ENABLED(CONFIG_IOPF_QUEUE_DEBUG))
		iopf_prg_check_owner(prg, owner);
	if (owner == IOPF_OWNER_HANDLER)
		fdev->nr_handled++;
	else if (owner == IOPF_OWNER_DOMAIN)
		fdev->nr_delivered++;
	if (unlikely(prg->owner == IOPF_OWNER_HANDLER))
		fdev->nr_handled--;
	else if (unlikely(prg->owner == IOPF_OWNER_DOMAIN))
		fdev->nr_delivered--;
	/* Pairs with READ_ONCE() in iopf_prg_is_claimed(). */
	WRITE_ONCE(prg->owner, owner);
}

/* Add a request to @prg, which has a slot for it. */
static inline void iopf_prg_append(struct iopf_device *fdev, struct iopf_prg *prg,
				   const struct iommu_fault *fault)
{
	struct iopf_fault *request = prg->slot++;

	lockdep_assert_held(&fdev->lock);
	prg->nr_slots--;
	request->fault = *fault;
	list_add_tail(&request->list, &prg->base.faults);
	prg->base.fault_count++;
	fdev->partial_requests++;
}

/* queue.c */
#define IOPF_MAX_TIMEOUT	100 /* seconds */

extern unsigned int iopf_prefault_pages;

struct iopf_fault_queue *iopf_fault_queue_alloc(const char *name);
void iopf_fault_queue_put(struct iopf_fault_queue *fq);
unsigned long iopf_timeout(const struct iopf_fault_queue *fq);
unsigned long iopf_domain_timeout(const struct iopf_fault_queue *fq);
bool iopf_is_usable_cpu(unsigned int cpu);
unsigned int iopf_nr_usable_cpus(void);

/* Return how many pages may be faulted in ahead of the devices of @fq. */
static inline unsigned int iopf_queue_prefault(const struct iopf_fault_queue *fq)
{
	int pages = READ_ONCE(fq->prefault_max);

	return pages < 0 ? READ_ONCE(iopf_prefault_pages) : pages;
}

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
/* Period of the monitor's timer. */
#define IOPF_TICK_NS		NSEC_PER_MSEC

extern struct workqueue_struct *iopf_wq;

struct iopf_device *iopf_device_alloc(struct iopf_fault_queue *fq, struct device *dev,
				      struct iopf_handler *handler);
struct iopf_device *iopf_device_get(struct device *dev);
void iopf_device_put_many(struct iopf_device *fdev, int n);
void iopf_monitor_arm(struct iopf_device *fdev);
void iopf_monitor_start(struct iopf_device *fdev);
void iopf_timeout_schedule(struct iopf_device *fdev);
void iopf_timeout_arm(struct iopf_device *fdev);

/*
 * Return the library's device of @dev inside an RCU read section, NULL if it is on no
 * queue.
 */
static inline struct iopf_device *iopf_device_rcu(struct device *dev)
{
	struct iommu_fault_param *param;

	/*
	 * Pairs with rcu_assign_pointer() in iopf_device_install(). The device may be
	 * removed meanwhile: check fdev->dead under the lock.
	 */
	param = rcu_dereference(dev->iommu->fault_param);
	return param ? to_iopf_device(param) : NULL;
}

/* Arm the timeout work unless it is, as there is a group. */
static inline void iopf_timeout_start(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	if (unlikely(!fdev->timeout_armed))
		iopf_timeout_arm(fdev);
}

static inline void iopf_device_put(struct iopf_device *fdev)
{
	iopf_device_put_many(fdev, 1);
}

#endif /* __IOPF_OBJECTS_H */
