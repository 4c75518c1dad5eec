// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: taking groups away from whoever has them
 *
 * Flushing, discarding, removing and timeouts never wait for the mm. They answer the
 * groups themselves, and tell the workers to give up.
 */
#include <linux/sched/signal.h>

#include "endings.h"

/*
 * Wake @task from what only a fatal signal ends, too: the lock of a page, a server that
 * does not answer. It is no more than that for a kernel thread, which handles no
 * signals and has them ignored when they are sent.
 */
static void iopf_interrupt_task(struct task_struct *task)
{
	unsigned long flags;

	if (WARN_ON_ONCE(!lock_task_sighand(task, &flags)))
		return;
	sigaddset(&task->pending.signal, SIGKILL);
	signal_wake_up(task, true);
	unlock_task_sighand(task, &flags);
}

/* Nobody waits for the group of @worker any more: wake it, should it sleep. */
static void iopf_worker_interrupt(struct iopf_worker *worker)
{
	lockdep_assert_held(&worker->fdev->lock);
	if (worker->interrupted)
		return;
	worker->fdev->stats.interrupted++;
	WRITE_ONCE(worker->interrupted, true);
	/*
	 * Sets the signal, then wakes; pairs with whoever goes to sleep first and then
	 * looks for signals. The waking orders @interrupted before what the thread looks at
	 * afterwards, see iopf_fault_page().
	 */
	iopf_interrupt_task(worker->task);
}

/* Take a group away from its owner. The caller will answer it. */
void iopf_cancel(struct iopf_prg *prg, int code, struct list_head *claimed)
{
	enum iopf_owner owner = prg->owner;

	if (owner == IOPF_OWNER_HANDLER && prg->by_pair)
		iopf_quarantine_add(prg);
	iopf_claim(iopf_prg_device(prg), prg, code, claimed);
	if (owner == IOPF_OWNER_WORKER)
		iopf_worker_interrupt(prg->worker);
}

static void iopf_cancel_list(struct list_head *groups, int code,
			     struct list_head *claimed)
{
	struct iopf_prg *prg;
	struct iopf_prg *next;

	list_for_each_entry_safe(prg, next, groups, base.pending_node)
		iopf_cancel(prg, code, claimed);
}

/* Groups up to number @seq that are the workers' to handle. */
static void iopf_cancel_faulting(struct iopf_pasid_queue *pq, u64 seq, int code,
				 struct list_head *claimed)
{
	struct iopf_prg *prg;
	struct iopf_prg *next;

	list_for_each_entry_safe(prg, next, &pq->pending, base.pending_node) {
		if (prg->seq > seq)
			break;
		if (iopf_prg_is_faulting(prg))
			iopf_cancel(prg, code, claimed);
	}
}

/*
 * Stop the workers of @pq whose groups, up to number @seq, have been claimed: those
 * too that were claimed by a timeout, which leaves the worker alone.
 */
static void iopf_pq_interrupt(struct iopf_pasid_queue *pq, u64 seq)
{
	struct iopf_worker *worker;

	lockdep_assert_held(&pq->fdev->lock);
	list_for_each_entry(worker, &pq->workers, pq_node)
		if (worker->prg && worker->prg->seq <= seq &&
		    iopf_prg_is_claimed(worker->prg))
			iopf_worker_interrupt(worker);
}

/* End the groups of @pq, up to number @seq, that are the workers' to handle. */
void iopf_cancel_faults(struct iopf_pasid_queue *pq, u64 seq,
			struct list_head *claimed)
{
	iopf_cancel_faulting(pq, seq, IOMMU_PAGE_RESP_SUCCESS, claimed);
	iopf_pq_interrupt(pq, seq);
	iopf_pq_take_deferred(pq, claimed);
	/* Its PASID may be another address space's from now on. */
	pq->mm = NULL;
}

/* All groups of a PASID queue that goes away, the complete ones with the same answer. */
void iopf_cancel_pq(struct iopf_pasid_queue *pq, int code,
		    struct list_head *claimed)
{
	iopf_forget_partial(pq, claimed);
	iopf_cancel_list(&pq->pending, code, claimed);
	iopf_cancel_list(&pq->delivered, code, claimed);
	iopf_pq_interrupt(pq, U64_MAX);
	iopf_pq_take_deferred(pq, claimed);
}

void iopf_cancel_all(struct iopf_pasid_queue *pq, struct list_head *claimed)
{
	iopf_cancel_pq(pq, IOMMU_PAGE_RESP_INVALID, claimed);
}

/* No response to what was claimed: those that were deferred are among it. */
void iopf_drop_responses(struct list_head *claimed)
{
	struct iopf_prg *prg;

	list_for_each_entry(prg, claimed, base.pending_node)
		prg->code = IOPF_RESP_NONE;
}

/*
 * Stop the workers of @pq whose groups belong to an address space without tasks, and
 * claim these groups: their memory waits for nobody else.
 */
void iopf_pq_interrupt_orphans(struct iopf_pasid_queue *pq, struct list_head *claimed)
{
	struct iopf_worker *worker;

	lockdep_assert_held(&pq->fdev->lock);
	list_for_each_entry(worker, &pq->workers, pq_node) {
		struct iopf_prg *prg = worker->prg;

		if (!prg || !iopf_mm_is_orphan(prg->mm))
			continue;
		if (!iopf_prg_is_claimed(prg))
			iopf_claim(pq->fdev, prg, IOMMU_PAGE_RESP_INVALID,
				   claimed);
		iopf_worker_interrupt(worker);
	}
}
