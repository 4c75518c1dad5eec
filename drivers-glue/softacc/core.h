/* SPDX-License-Identifier: GPL-2.0 */
/*
 * softacc: structures
 *
 *	iommu.c     the software IOMMU: domains, PASIDs, answers
 *	ring.c      its page request ring and interrupt thread
 *	device.c    a device's outstanding groups and counters
 *	access.c    how the engine touches memory
 *	engine.c    its threads, which work on jobs
 *	floor.c     the pages without a page request, for comparison
 *	queue.c     files and jobs: what UACCE and user space see
 *	handler.c   PASIDs with a handler of their own
 *	provoke.c   disturbance on request
 *	main.c      devices come and go
 *
 * iommu.c and ring.c make, with platform.c, one of two ports. The other one:
 *
 *	vtd.c       page requests in the ring of an emulated VT-d, and its responses
 *	pci.c       the PCI function that sends them
 *	ecam.c      and what its root port lacks in some kernels
 *
 * Locks: softacc_dev.lock and softacc_queue.lock are not nested in each other;
 * the lock of the ring nests in neither. Answers come in any context, so
 * softacc_dev.lock is taken with interrupts off.
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
 * struct softacc_prq - a page request, as it stands in the ring
 * @dev: who asks
 * @addr: page address
 * @pasid: PASID
 * @grpid: page request group index
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
 * @thread: whose it is, NULL once nobody waits for it any more
 * @chunk: what waits for it
 * @pasid: PASID; with the response it stays, to know a second one
 * @posted: when it was sent, softacc_clock()
 */
struct softacc_group {
	struct softacc_thread *thread;
	struct softacc_chunk *chunk;
	u32 pasid;
	u64 posted;
};

/**
 * struct softacc_indices - the page request group indices of a device or, with
 *	prg_per_pasid, of one PASID on it
 * @node: in softacc_dev.indices
 * @pasid: the PASID, unused if the indices are the device's
 * @queues: files that use them
 * @nr: number of indices
 * @next: where to look for a free one: an index rests as long as possible before
 *	it is used again, so that a second response is seen to be one
 * @busy: indices of groups without a response
 * @groups: the groups, by index
 *
 * All guarded by softacc_dev.lock.
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
 * enum softacc_sent - what came of the requests of a group
 * @SOFTACC_NO_ROOM: there is no room for all, and nothing was sent
 * @SOFTACC_SENT: the driver gets them
 * @SOFTACC_DROPPED: hardware has dropped the last one, and others, maybe. If it was the
 *	last one of its group, it is answered with Success by the sender, on behalf of
 *	hardware
 */
enum softacc_sent {
	SOFTACC_NO_ROOM,
	SOFTACC_SENT,
	SOFTACC_DROPPED,
};

/**
 * struct softacc_port - where a device is, and how page requests leave it
 * @name: for the parameter of the module
 * @prg_bits: width of the engine's page request group indices, by default
 * @max_prg_bits: and at most
 * @injected: how many indices from %SOFTACC_INJECT_GRPID on it can carry, 0 for any
 * @init: once, before the first device
 * @exit: after the last one
 * @add: make the device @id, set softacc_dev.dev
 * @remove: and remove it; nothing is posted any more
 * @post: send the requests of a group: @first, and @count - 1 for the pages after
 *	it. The flag for the last one, if @first has it, belongs to the last one.
 *	Does not sleep.
 * @interrupt: tell the driver that there are requests. Not later than the sender has
 *	nothing more to send; it may collect some groups before. Does not sleep.
 * @capacity: most requests that post can have room for
 *
 * In the other direction a port calls softacc_respond() for what comes back, and
 * softacc_stop_pasid() and softacc_forget_pasid() if it knows of detached PASIDs.
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
 * @dev: its device
 * @port: where its requests go
 * @uacce: its character device
 * @handler: PASIDs with a handler of their own, or NULL
 * @lock: guards all that follows
 * @queues: open files
 * @indices: page request group indices in use
 * @injected: injected groups that are not answered, or answered and not yet read
 * @stats: counters of the device
 */
struct softacc_dev {
	struct device *dev;
	const struct softacc_port *port;
	struct uacce_device *uacce;
	struct softacc_handler *handler;

	spinlock_t lock; /* all that follows */
	struct list_head queues;
	struct list_head indices;
	DECLARE_HASHTABLE(injected, 10);
	struct softacc_stats stats;
};

/**
 * struct softacc_work - a queued job
 * @node: in softacc_queue.jobs or .done
 * @job: as submitted
 * @end: the completion to be
 * @submitted: when, ktime in ns
 * @next: where the next chunk begins
 * @limit: the job ends here: its length, or where it has failed first. Chunks
 *	before it go on, so that of several failures the first one counts
 * @chunks: chunks being worked on
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
 * @state: touched by the thread only
 * @work: the job
 * @begin: first byte of the job that is the chunk's
 * @pos: next byte to work on
 * @end: end of the chunk
 * @result: what CHECKSUM has summed up
 * @retries: failed accesses since the last progress
 * @groups: groups that were sent for it
 * @requests: requests in these
 * @repeated: those of the groups that asked for the same once more
 * @group: while waiting, the group
 * @first: the first page that was asked for
 * @after: the one after the last
 * @refused: the response was no: the first of them that is missing ends the job
 * @responded: the response has come; written after @code
 * @code: the response
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
 * @wait: where it waits for answers and jobs
 * @nr_chunks: chunks that it may have under way
 * @nr_posted: groups that are in the ring, but for which no interrupt was sent yet
 * @todo: chunks that there is a reason to look at
 * @src: a page's worth of what it reads
 * @dst: and of what it writes or compares with
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
 * @uq: what UACCE has of it; UACCE's mutex serialises all calls from there
 * @node: in softacc_dev.queues
 * @mm: the address space, referenced by mm_count
 * @pasid: its PASID
 * @indices: where its groups get theirs
 * @config: as set
 * @threads: the engine, started with the first job
 * @nr_threads: its size
 * @stopped: the PASID goes away: nothing is sent any more. Guarded by
 *	softacc_dev.lock
 * @injected: groups that it has injected, answered or not. Guarded by
 *	softacc_dev.lock, as are the next three
 * @responses: those of them that have a response to be read
 * @nr_injected: in both
 * @stats: counters
 * @lock: guards all that follows
 * @jobs: jobs to do; the engine works on the first
 * @done: jobs to be reaped
 * @nr_jobs: in both
 * @last_id: the youngest job
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

	spinlock_t lock; /* all that follows */
	struct list_head jobs;
	struct list_head done;
	unsigned int nr_jobs;
	u32 last_id;
};

/**
 * struct softacc_miss - what an access found missing
 * @addr: the page
 * @end: end of the area that is accessed
 * @perm: IOMMU_FAULT_PERM_* value that is needed
 */
struct softacc_miss {
	u64 addr;
	u64 end;
	u32 perm;
};

/* Pages that a group asks for. */
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
void softacc_iommu_begin(struct device *dev);
void softacc_iommu_end(struct device *dev);
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
void softacc_todo(struct softacc_thread *thread, struct softacc_chunk *chunk);

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
