/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: the path of a page request
 */
#ifndef __IOPF_PATH_H
#define __IOPF_PATH_H

#include <linux/mempolicy.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nodemask.h>
#include <linux/sched.h>
#include <linux/sched/topology.h>
#include <linux/time64.h>

#include "objects.h"

/**
 * DOC: Path of a page request
 *
 * A page request visits these files in turn::
 *
 *	assemble.c  adds the request to its group, whose address space domain.c finds with the
 *	            first request, and passes complete groups to their next owner
 *	worker.c    takes complete groups of SVA domains from their PASID queue
 *	fault.c     calls the mm for each page, with the limits and the policy of the owner
 *	            (owner.c); prefault.c faults in pages that may be requested next
 *	respond.c   sends the one response of the group
 *
 * pool.c hands workers out to devices, progress.c starts others when workers sleep. The
 * worker of a group that was alone waits for the next one: poll.c without sleeping, park.c
 * asleep. Complete groups of other domains are delivered to their handler by domain.c.
 */

/* respond.c */
void iopf_send_invalid(struct iopf_device *fdev, struct device *dev,
		       const struct iopf_request *request);
void iopf_tell_queued(struct iopf_device *fdev, struct iopf_prg *prg);
bool iopf_claim(struct iopf_device *fdev, struct iopf_prg *prg, int code,
		struct list_head *claimed);
void iopf_discard_unfinished(struct iopf_pasid_queue *pq, struct list_head *claimed);
void iopf_send_batch(struct iopf_device *fdev, struct list_head *batch);
void iopf_end_responses(struct iopf_device *fdev, struct list_head *batch, u64 begun);
void iopf_put_responded(struct iopf_device *fdev, struct list_head *batch);
void iopf_send(struct list_head *claimed);
void iopf_respond(struct iopf_prg *prg, enum iommu_page_response_code code);
void iopf_prg_put(struct iopf_prg *prg);
u64 iopf_wait_faulting(struct iopf_device *fdev);
void iopf_wait_responding(struct iopf_device *fdev, struct iopf_pasid_queue *pq);
void iopf_wait_responses(struct iopf_device *fdev);

/* domain.c */
void iopf_warn_refused(struct device *dev, u32 pasid, u32 grpid);
struct mm_struct *iopf_find_mm(struct iopf_pasid_queue *pq,
			       const struct iommu_fault *fault);
bool iopf_pasid_is_unbound(struct device *dev, u32 pasid);
int iopf_deliver(struct device *dev, struct iopf_prg *prg);

/* pool.c */
struct iopf_worker *iopf_pool_get(struct iopf_device *fdev);
bool iopf_pool_allows(struct iopf_pasid_queue *pq, unsigned int more);
bool iopf_pool_has_room(struct iopf_pasid_queue *pq, unsigned int more);
void iopf_pool_put(struct iopf_worker *worker);
void iopf_pool_leave(struct iopf_device *fdev);
struct iopf_worker *iopf_worker_get(struct iopf_device *fdev);
void iopf_worker_queue(struct iopf_worker *worker);

/* Queued pages of a PASID queue for each worker beyond the first. */
#define IOPF_WORKER_BACKLOG	64
/* The same in CPU time, for pages that take long: huge pages, copies. */
#define IOPF_WORKER_BACKLOG_NS	(400 * NSEC_PER_USEC)
#define IOPF_LONG_PAGE_NS	(32 * NSEC_PER_USEC)

/*
 * Put @pq on the list of those that were refused a worker, until the monitor retries
 * them.
 */
static inline void iopf_pq_starve(struct iopf_pasid_queue *pq)
{
	iopf_pq_clear_ready(pq);
	list_add_tail(&pq->ready_node, &pq->fdev->starved);
	pq->starved = true;
}

/*
 * Return true if @pq wants another worker: it has groups and no worker awake, or so many
 * that another CPU helps.
 */
static inline bool iopf_pq_wants(const struct iopf_pasid_queue *pq)
{
	unsigned int awake = iopf_pq_nr_awake(pq);

	if (!pq->nr_queued || unlikely(pq->nr_throttled))
		return false;
	return awake < max(pq->nr_eager, 1U) ||
	       pq->queued_requests >= IOPF_WORKER_BACKLOG * awake ||
	       (pq->page_ns >= IOPF_LONG_PAGE_NS &&
		pq->queued_requests * pq->page_ns >=
		IOPF_WORKER_BACKLOG_NS * awake);
}

/* Put @pq on the list of those that want a worker, if it does. */
static inline void iopf_pq_make_ready(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (list_empty(&pq->ready_node) && iopf_pq_wants(pq)) {
		list_add_tail(&pq->ready_node, &pq->fdev->ready);
		pq->fdev->nr_ready++;
	}
}

/* Return how many workers are queued or awake. */
static inline unsigned int iopf_nr_active(const struct iopf_device *fdev)
{
	return fdev->nr_waiting + fdev->nr_workers - fdev->nr_asleep;
}

/*
 * Get the parked worker, which continues when the caller has queued it, without the lock.
 * NULL: there is none.
 */
static inline struct iopf_worker *iopf_unpark(struct iopf_device *fdev)
{
	struct iopf_worker *worker = fdev->parked;

	lockdep_assert_held(&fdev->lock);
	if (!worker)
		return NULL;
	fdev->parked = NULL;
	fdev->nr_waiting++;
	return worker;
}

/*
 * Return true if a worker is parked near this CPU: on one that shares its cache, or on any
 * if workers cannot use this one. An isolated CPU is in no cache domain.
 */
static inline bool iopf_has_parked(const struct iopf_device *fdev)
{
	unsigned int cpu = raw_smp_processor_id();

	return fdev->parked && (cpus_share_cache(cpu, task_cpu(fdev->parked->task)) ||
				!iopf_is_usable_cpu(cpu));
}

/*
 * Get a worker to be queued, by iopf_worker_queue() and without the lock, if more PASID
 * queues are ready than workers are queued and a CPU is left. NULL otherwise: running
 * workers look for further groups before they end, and if they do not get to it, the
 * monitor notices.
 */
static inline struct iopf_worker *iopf_worker_wanted(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	if (fdev->nr_ready <= fdev->nr_waiting ||
	    iopf_nr_active(fdev) >= fdev->nr_cpus + fdev->nr_eager)
		return NULL;
	if (iopf_has_parked(fdev))
		return iopf_unpark(fdev);
	return iopf_worker_get(fdev);
}

/* progress.c */
bool iopf_worker_note_asleep(struct iopf_worker *worker);
void iopf_pq_note_sleepers(struct iopf_pasid_queue *pq);
void iopf_worker_woke(struct iopf_worker *worker);
void iopf_worker_leave_page(struct iopf_worker *worker);
bool iopf_prg_follow(struct iopf_prg *prg);
void iopf_monitor_init(struct iopf_device *fdev);
void iopf_monitor_stop(struct iopf_device *fdev);

/* Let the monitor check @pq, which has groups or deferred responses. */
static inline void iopf_monitor_pq(struct iopf_pasid_queue *pq)
{
	struct iopf_device *fdev = pq->fdev;

	lockdep_assert_held(&fdev->lock);
	if (list_empty(&pq->monitored_node)) {
		list_add_tail(&pq->monitored_node, &fdev->monitored);
		pq->taken_seen = pq->taken - 1;
		pq->nr_slept = 0;
	}
	if (!fdev->monitoring)
		iopf_monitor_start(fdev);
}

/**
 * struct iopf_mm - the address space that a worker has entered
 * @mm: referenced by mm_users, or NULL
 * @vma: read-locked, or NULL
 * @vma_pages: pages that may be faulted in before the lock of @vma is dropped once
 * @memcg: the active memory cgroup of the worker
 * @old_memcg: what to restore
 * @min_flt: the worker's count of minor faults on entry
 * @maj_flt: the same of major faults
 * @policy: copy of the owner's memory policy, used by the worker
 * @has_policy: @policy is used
 * @has_nodes: the worker uses the nodes of the owner's cpuset
 */
struct iopf_mm {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned int vma_pages;
	struct mem_cgroup *memcg;
	struct mem_cgroup *old_memcg;
	unsigned long min_flt;
	unsigned long maj_flt;
	struct mempolicy policy;
	bool has_policy;
	bool has_nodes;
};

/* Unlock the VMA. To be called before anything that may sleep outside the mm. */
static inline void iopf_mm_unlock(struct iopf_mm *imm)
{
	if (imm->vma)
		vma_end_read(imm->vma);
	imm->vma = NULL;
}

/* owner.c */
struct vm_area_struct *iopf_expand_stack(struct mm_struct *mm,
					 unsigned long addr);
void iopf_policy_use(struct iopf_mm *imm);
void iopf_policy_restore(struct iopf_mm *imm);
void iopf_account_end(struct iopf_mm *imm);

/* Remember the worker's counts of faults. */
static inline void iopf_account_begin(struct iopf_mm *imm)
{
	imm->min_flt = current->min_flt;
	imm->maj_flt = current->maj_flt;
}

#if defined(CONFIG_MEMCG) && defined(CONFIG_NUMA)
/* Use the owner's memory policy and nodes, if there are nodes to choose from. */
static inline void iopf_policy_begin(struct iopf_mm *imm)
{
	imm->has_policy = false;
	imm->has_nodes = false;
	if (nr_online_nodes > 1)
		iopf_policy_use(imm);
}

static inline void iopf_policy_end(struct iopf_mm *imm)
{
	if (imm->has_policy || imm->has_nodes)
		iopf_policy_restore(imm);
}
#else
static inline void iopf_policy_begin(struct iopf_mm *imm)
{
}

static inline void iopf_policy_end(struct iopf_mm *imm)
{
}
#endif

#ifdef CONFIG_MEMCG
void iopf_throttle(struct iopf_mm *imm, struct iopf_worker *worker);

/* Return true if the last task of @mm has exited: its memory waits only for the workers. */
static inline bool iopf_mm_is_orphan(struct mm_struct *mm)
{
	return !rcu_access_pointer(mm->owner);
}

/* Return true if the worker has taken memory beyond the memory.high of a cgroup. */
static inline bool iopf_is_over_high(void)
{
	return current->memcg_nr_pages_over_high;
}
#else
static inline void iopf_throttle(struct iopf_mm *imm, struct iopf_worker *worker)
{
}

static inline bool iopf_mm_is_orphan(struct mm_struct *mm)
{
	return false;
}

static inline bool iopf_is_over_high(void)
{
	return false;
}
#endif

/* Return how far workers of @pq may fault in ahead of the device, in pages. */
static inline unsigned int iopf_prefault_max(const struct iopf_pasid_queue *pq)
{
	int pages = READ_ONCE(pq->prefault_max);

	return pages < 0 ? iopf_queue_prefault(pq->fdev->fq) : pages;
}

/* prefault.c */
unsigned int iopf_prefault(struct iopf_mm *imm, struct iopf_prg *prg,
			   unsigned int flags);

/* fault.c */
bool iopf_mm_enter(struct iopf_mm *imm, struct mm_struct *mm);
void iopf_mm_exit(struct iopf_mm *imm);
enum iommu_page_response_code iopf_fault_group(struct iopf_mm *imm,
					       struct iopf_worker *worker);

/* Leave the address space, if the worker has entered one. */
static inline void iopf_mm_leave(struct iopf_mm *imm)
{
	if (imm->mm)
		iopf_mm_exit(imm);
}

/* park.c */
bool iopf_park(struct iopf_worker *worker);
void iopf_park_wait(struct iopf_worker *worker);

/* poll.c */
bool iopf_poll_wanted(struct iopf_device *fdev, u64 begun);
void iopf_poll_done(struct iopf_device *fdev, bool cut);
bool iopf_poll(struct iopf_device *fdev);

/* worker.c */
struct iopf_worker *iopf_pq_queue_group(struct iopf_pasid_queue *pq,
					struct iopf_prg *prg);
void iopf_workers_init(struct iopf_pool *pool);

/**
 * struct iopf_actions - what to do, without the lock, after requests were added
 * @worker: queue this worker, or NULL
 * @prg: call a handler with this complete group, or NULL; with the holder's reference
 * @to_handler: call the registered handler, not that of the domain
 * @ret: result of the last request that iopf_add_requests() has added
 * @claimed: send the responses of these groups by iopf_send()
 */
struct iopf_actions {
	struct iopf_worker *worker;
	struct iopf_prg *prg;
	bool to_handler;
	int ret;
	struct list_head claimed;
};

#define IOPF_ACTIONS_INIT(name)	{ .claimed = LIST_HEAD_INIT((name).claimed) }

/* assemble.c */
int iopf_route(struct iopf_device *fdev, struct iopf_prg *prg,
	       struct iopf_handler *handler, struct iopf_actions *actions);
int iopf_add_request(struct iopf_device *fdev, const struct iopf_request *request,
		     struct iopf_handler *handler, struct iopf_actions *actions);
unsigned int iopf_add_requests(struct iopf_device *fdev,
			       const struct iopf_request *requests,
			       unsigned int count, struct iopf_actions *actions);
int iopf_finish_actions(struct device *dev, int ret, struct iopf_actions *actions);

/*
 * Do what is left to do without the lock after requests were added, the last one with
 * result @ret. The caller calls a registered handler.
 */
static inline int iopf_finish_add(struct device *dev, int ret,
				  struct iopf_actions *actions)
{
	if (actions->worker)
		iopf_worker_queue(actions->worker);
	if (likely(!actions->prg && list_empty(&actions->claimed)))
		return ret;
	return iopf_finish_actions(dev, ret, actions);
}

#endif /* __IOPF_PATH_H */
