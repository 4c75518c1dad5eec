/* SPDX-License-Identifier: GPL-2.0 */
/*
 * softacc: private structures
 *
 *	main.c      module parameters, adding and removing devices
 *	queue.c     files and jobs: the interface to UACCE and user space
 *	engine.c    engine threads, which work on jobs
 *	access.c    memory accesses of the engine
 *	floor.c     faulting in pages without page requests, for comparison
 *	device.c    groups of the engine, indices and counters of a device
 *	inject.c    requests that user space injects
 *	handler.c   PASIDs whose domain has a handler of softacc
 *	provoke.c   flush, removal and limits at any time, for tests
 *	asleep.c    the number of kernel threads that sleep in a fault, for tests
 *
 * The port "ring" is a software IOMMU:
 *
 *	platform.c  platform devices
 *	iommu.c     domains, PASIDs, responses
 *	ring.c      page request ring and interrupt thread
 *
 * The port "vtd" uses an emulated VT-d:
 *
 *	vtd.c       page requests in the ring of VT-d, and its responses
 *	pci.c       PCI functions that send them
 *	ecam.c      extended config space of the root ports
 *
 * Locks: softacc_dev.lock, softacc_queue.lock and the lock of the ring are not nested in
 * each other. Responses come in any context, so softacc_dev.lock is taken with interrupts
 * disabled.
 */
#ifndef __SOFTACC_CORE_H
#define __SOFTACC_CORE_H

#include <linux/bitmap.h>
#include <linux/hashtable.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/pci.h>
#include <linux/spinlock.h>
#include <linux/uacce.h>
#include <linux/wait.h>

#include "compat.h"
#include "softacc.h"

#define SOFTACC_MAX_DEVICES	16
#define SOFTACC_MAX_PASID_BITS	20

struct softacc_dev;
struct softacc_queue;
struct softacc_chunk;
struct softacc_handler;

/**
 * struct softacc_prq - a page request in the ring
 * @dev: the device that has sent it
 * @addr: page address
 * @pasid: PASID
 * @grpid: Page Request Group Index
 * @perm: IOMMU_FAULT_PERM_* values
 * @flags: IOMMU_FAULT_PAGE_REQUEST_* values
 */
struct softacc_prq {
	struct softacc_dev *dev;
	u64 addr;
	u32 pasid;
	u32 grpid;
	u32 perm;
	u32 flags;
};

/**
 * struct softacc_group - a group that waits for its response
 * @thread: engine thread of @chunk; NULL once @chunk does not wait any more
 * @chunk: the chunk that waits for the response
 * @pasid: PASID; remains set after the response, so that a second one is recognized
 * @posted: when the group was sent, softacc_clock(); 0 if it was not sent
 */
struct softacc_group {
	struct softacc_thread *thread;
	struct softacc_chunk *chunk;
	u32 pasid;
	u64 posted;
};

/**
 * struct softacc_indices - the Page Request Group Indices of a device or, with
 *	prg_per_pasid, of one PASID on it
 * @node: in softacc_dev.indices
 * @pasid: the PASID; unused if the indices are those of the device
 * @queues: number of files that use them
 * @nr: number of indices
 * @next: where the search for a free index starts. An index is reused as late as possible,
 *	so that a second response is recognized
 * @busy: indices of groups without a response
 * @groups: the groups, by index
 *
 * All fields are guarded by softacc_dev.lock.
 */
struct softacc_indices {
	struct list_head node;
	u32 pasid;
	unsigned int queues;
	unsigned int nr;
	unsigned int next;
	unsigned long *busy;
	struct softacc_group groups[] __counted_by(nr);
};

/**
 * enum softacc_sent - result of posting the requests of a group
 * @SOFTACC_NO_ROOM: there is no room for all of them, and none was sent
 * @SOFTACC_SENT: all requests are in the ring
 * @SOFTACC_DROPPED: the hardware has dropped the last request, and maybe others. The
 *	caller plays the hardware's part and calls softacc_respond_to_dropped()
 */
enum softacc_sent {
	SOFTACC_NO_ROOM,
	SOFTACC_SENT,
	SOFTACC_DROPPED,
};

/**
 * struct softacc_port - the IOMMU that devices are behind
 * @name: value of the module parameter "port"
 * @prg_bits: default width of the engine's Page Request Group Indices
 * @max_prg_bits: maximum width of these
 * @injected: number of indices from %SOFTACC_INJECT_GRPID on that can be injected, 0 if
 *	any index can
 * @init: Set up the port before the first device is added.
 * @exit: Tear down the port after the last device was removed.
 * @add: Create device number @id and set softacc_dev.dev.
 * @remove: Remove the device. Nothing is posted any more.
 * @post: Put the requests of a group into the ring: @first, and @count - 1 requests for
 *	the pages after it. If @first has the flag of a last request, only the last one of
 *	them gets it. Does not sleep.
 * @interrupt: Interrupt the IOMMU driver, so that it reads the ring. Callers may post
 *	several groups before. Does not sleep.
 * @capacity: Return the maximum number of requests in the ring.
 *
 * A port calls softacc_respond() for each response, and softacc_stop_pasid() and
 * softacc_forget_pasid() if it is told when a PASID is detached.
 */
struct softacc_port {
	const char *name;
	unsigned int prg_bits;
	unsigned int max_prg_bits;
	unsigned int injected;
	int (*init)(void);
	void (*exit)(void);
	int (*add)(struct softacc_dev *sdev, int id);
	void (*remove)(struct softacc_dev *sdev);
	enum softacc_sent (*post)(const struct softacc_prq *first,
				  unsigned int count);
	void (*interrupt)(void);
	unsigned int (*capacity)(void);
};

/**
 * struct softacc_dev - an accelerator
 * @dev: the platform device or PCI function
 * @port: the IOMMU that it is behind
 * @uacce: the character device
 * @handler: PASIDs whose domain has a handler, or NULL
 * @lock: guards the fields below
 * @queues: open files
 * @indices: Page Request Group Indices, one entry or one for each PASID
 * @injected: injected groups without a response, or with one that was not read
 * @stats: counters of the device
 */
struct softacc_dev {
	struct device *dev;
	const struct softacc_port *port;
	struct uacce_device *uacce;
	struct softacc_handler *handler;

	spinlock_t lock; /* guards the fields below */
	struct list_head queues;
	struct list_head indices;
	DECLARE_HASHTABLE(injected, 10);
	struct softacc_stats stats;
};

/**
 * struct softacc_work - a queued job
 * @node: in softacc_queue.jobs or softacc_queue.done
 * @job: the job
 * @end: the completion
 * @submitted: when it was submitted, ktime_get_ns()
 * @next: offset at which the next chunk begins
 * @limit: offset at which the job ends: its length, or the least offset at which it has
 *	failed. Chunks before it continue, so that of several failures the one with the
 *	least offset is reported. Read without the lock
 * @chunks: number of chunks in work
 *
 * Guarded by softacc_queue.lock.
 */
struct softacc_work {
	struct list_head node;
	struct softacc_job job;
	struct softacc_completion end;
	u64 submitted;
	u64 next;
	u64 limit;
	unsigned int chunks;
};

enum softacc_chunk_state {
	SOFTACC_FREE,
	SOFTACC_READY,
	SOFTACC_WAITING,
};

/**
 * struct softacc_chunk - a part of a job, on one engine thread
 * @state: state
 * @work: the job
 * @begin: offset in the job at which the chunk begins
 * @pos: offset of the next byte
 * @end: offset at which the chunk ends
 * @result: checksum of the chunk, or offset of the first difference
 * @retries: failed accesses since the last progress
 * @groups: number of groups sent
 * @requests: number of requests in these groups
 * @repeated: number of groups that were sent again for the same page
 * @group: the group, in state %SOFTACC_WAITING
 * @first: address of the first page that was requested
 * @after: address after the last page that was requested
 * @refused: the response was not Success: the job fails if one of these pages is missing
 * @responded: the response has come; written with release semantics after @code, by the
 *	thread that gets the response
 * @code: the response code
 *
 * Accessed by the engine thread only, but for @responded and @code.
 */
struct softacc_chunk {
	enum softacc_chunk_state state;
	struct softacc_work *work;
	u64 begin;
	u64 pos;
	u64 end;
	u64 result;
	u32 retries;
	u32 groups;
	u32 requests;
	u32 repeated;
	struct softacc_group *group;
	u64 first;
	u64 after;
	bool refused;
	bool responded;
	u32 code;
};

/**
 * struct softacc_thread - an engine thread
 * @queue: the file that it works for
 * @task: the thread
 * @wait: wait queue for responses and jobs
 * @nr_chunks: number of entries of @chunks
 * @nr_posted: number of groups in the ring for which no interrupt was sent yet
 * @todo: bitmap of the chunks that may make progress; accessed with atomic operations
 * @src: buffer of a page for data that it reads
 * @dst: buffer of a page for data that it writes or compares with
 * @chunks: the chunks
 */
struct softacc_thread {
	struct softacc_queue *queue;
	struct task_struct *task;
	wait_queue_head_t wait;
	unsigned int nr_chunks;
	unsigned int nr_posted;
	DECLARE_BITMAP(todo, SOFTACC_MAX_OUTSTANDING);
	u64 *src;
	u64 *dst;
	struct softacc_chunk chunks[] __counted_by(nr_chunks);
};

/**
 * struct softacc_queue - an open file
 * @dev: the device
 * @uq: UACCE's part, whose mutex serializes all calls from UACCE
 * @node: in softacc_dev.queues
 * @mm: the address space, referenced by mm_count
 * @pasid: PASID of @mm
 * @indices: Page Request Group Indices of its groups
 * @config: configuration; changes only while the engine is stopped
 * @threads: engine threads, started with the first job
 * @nr_threads: number of @threads
 * @stopped: the PASID is being detached, and nothing is sent any more. Guarded by
 *	softacc_dev.lock, as are the next four fields
 * @injected: injected groups without a response
 * @responses: injected groups with a response that was not read
 * @nr_injected: length of both lists
 * @stats: counters
 * @lock: guards the fields below
 * @jobs: jobs that are not completed; the engine works on the first one
 * @done: completed jobs that were not reaped
 * @nr_jobs: length of both lists
 * @last_id: number of the last job
 */
struct softacc_queue {
	struct softacc_dev *dev;
	struct uacce_queue *uq;
	struct list_head node;
	struct mm_struct *mm;
	u32 pasid;
	struct softacc_indices *indices;
	struct softacc_config config;
	struct softacc_thread *threads[SOFTACC_MAX_THREADS];
	unsigned int nr_threads;
	bool stopped;
	struct list_head injected;
	struct list_head responses;
	unsigned int nr_injected;
	struct softacc_stats stats;

	spinlock_t lock; /* guards the fields below */
	struct list_head jobs;
	struct list_head done;
	unsigned int nr_jobs;
	u32 last_id;
};

/**
 * struct softacc_miss - a page that an access found missing
 * @addr: address of the page
 * @end: end of the area that the chunk accesses
 * @perm: access that is needed, an IOMMU_FAULT_PERM_* value
 */
struct softacc_miss {
	u64 addr;
	u64 end;
	u32 perm;
};

/* Return the number of pages that a group requests for @miss. */
static inline u32 softacc_miss_pages(const struct softacc_queue *queue,
				     const struct softacc_miss *miss)
{
	return min_t(u64, queue->config.pages_per_group,
		     (PAGE_ALIGN(miss->end) - miss->addr) >> PAGE_SHIFT);
}

/* ring.c */
int softacc_ring_init(unsigned int entries);
void softacc_ring_exit(void);
void softacc_ring_drain(void);
void softacc_ring_call(void (*fn)(struct device *dev), struct device *dev);
enum softacc_sent softacc_ring_post(const struct softacc_prq *first,
				    unsigned int count);
void softacc_ring_interrupt(void);
unsigned int softacc_ring_capacity(void);

/* platform.c */
extern const struct softacc_port softacc_ring_port;

/* vtd.c */
extern const struct softacc_port softacc_vtd_port;

/* ecam.c */
int softacc_ecam_init(void);
void softacc_ecam_exit(void);

/* pci.c */
int softacc_pci_init(void);
void softacc_pci_exit(void);
struct pci_dev *softacc_pci_add(int id);
void softacc_pci_remove(struct pci_dev *pdev);
bool softacc_pci_pri_enabled(struct pci_dev *pdev);

/* iommu.c */
extern bool softacc_single;
extern bool softacc_fifo;
extern bool softacc_no_drain;
extern bool softacc_no_flush;
extern bool softacc_overflow;
extern unsigned int softacc_slow_responses;

int softacc_iommu_init(void);
void softacc_iommu_exit(void);
int softacc_iommu_prepare(struct device *dev);
void softacc_iommu_unprepare(struct device *dev);
int softacc_iommu_add(struct device *dev);
void softacc_iommu_remove(struct device *dev);
void softacc_iommu_lock_queue(struct device *dev);
void softacc_iommu_unlock_queue(struct device *dev);
void softacc_iommu_flush(struct device *dev);
void softacc_iommu_replug(struct device *dev);
void softacc_iommu_discard(void);
void softacc_discard_partial(struct device *unused);
int softacc_iommu_set_timeout(unsigned int ms);
void softacc_init_domain(struct iommu_domain *domain);

/* device.c */
extern unsigned int softacc_prg_bits;
extern bool softacc_prg_per_pasid;

int softacc_get_indices(struct softacc_queue *queue);
void softacc_put_indices(struct softacc_queue *queue);
void softacc_free_indices(struct softacc_dev *sdev);
bool softacc_is_owed(const struct softacc_prq *prq);
void softacc_respond_to_dropped(const struct softacc_prq *prq);
int softacc_post(struct softacc_thread *thread, struct softacc_chunk *chunk,
		 const struct softacc_miss *miss);
void softacc_abandon(struct softacc_thread *thread, struct softacc_chunk *chunk);
void softacc_respond(struct softacc_dev *sdev, bool pasid_valid, u32 pasid,
		     u32 grpid, bool last, u32 code);
void softacc_stop_pasid(struct softacc_dev *sdev, u32 pasid);
void softacc_forget_pasid(struct softacc_dev *sdev, u32 pasid);
void softacc_read_stats(struct softacc_dev *sdev,
			const struct softacc_stats *from,
			struct softacc_stats *to);

/* inject.c */
int softacc_inject(struct softacc_queue *queue,
		   const struct softacc_inject *request);
int softacc_reap_response(struct softacc_queue *queue,
			  struct softacc_response *response);
bool softacc_respond_to_injected(struct softacc_dev *sdev, bool pasid_valid,
				 u32 pasid, u32 grpid, u32 code);
void softacc_forget_injected(struct softacc_dev *sdev, u32 pasid);
void softacc_cancel_injected(struct softacc_queue *queue);
void softacc_free_all_injected(struct softacc_dev *sdev);

/* access.c */
int softacc_access(struct softacc_thread *thread, struct softacc_chunk *chunk,
		   struct softacc_miss *miss);

/* floor.c */
int softacc_fault_in(struct softacc_queue *queue,
		     const struct softacc_miss *miss);

/* engine.c */
int softacc_engine_start(struct softacc_queue *queue);
void softacc_engine_stop(struct softacc_queue *queue);
void softacc_engine_wake(struct softacc_queue *queue);
void softacc_mark_todo(struct softacc_thread *thread, struct softacc_chunk *chunk);

/* handler.c */
int softacc_handler_add(struct softacc_dev *sdev);
void softacc_handler_remove(struct softacc_dev *sdev);
void softacc_handler_flush(struct softacc_dev *sdev);
void softacc_handler_exit(void);

/* main.c */
extern const struct softacc_port *softacc_port;

void softacc_for_each(void (*fn)(struct softacc_dev *sdev, unsigned int arg),
		      unsigned int arg);

/* queue.c */
extern const struct uacce_ops softacc_uacce_ops;

#endif /* __SOFTACC_CORE_H */
