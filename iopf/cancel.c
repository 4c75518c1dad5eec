// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: taking groups away from their owners
 */
#include <linux/sched/signal.h>

#include "endings.h"

/**
 * DOC: Cancel
 *
 * Flush, discard, removal and timeout do not wait for faults in the mm. They claim groups,
 * interrupt the workers that handle them, and send the responses. Only the flush of a whole
 * device gives faults a tenth of a second to end first.
 */

/*
 * Wake @task also from sleeps that only a fatal signal ends: the lock of a page, a server
 * that does not respond. It does nothing else to a kernel thread, which ignores signals
 * that are sent to it.
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

/* Wake @worker if it sleeps, as its group was cancelled. */
static void iopf_worker_interrupt(struct iopf_worker *worker)
{
	lockdep_assert_held(&worker->fdev->lock);
	if (worker->interrupted)
		return;
	worker->fdev->stats.interrupted++;
	WRITE_ONCE(worker->interrupted, true);
	/*
	 * Sets the signal, then wakes; pairs with sleeps, which set the task's state and then
	 * check for signals. The wake-up orders @interrupted before what the thread reads
	 * afterwards, see iopf_fault_page().
	 */
	iopf_interrupt_task(worker->task);
}

/* Take a group away from its owner. The caller sends the response. */
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

/* Cancel groups up to number @seq that are queued or with a worker. */
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
 * Interrupt the workers of @pq whose groups up to number @seq were claimed, by a timeout
 * as well, which does not interrupt them.
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

/*
 * Cancel groups of @pq up to number @seq that are queued or with a worker, with Success,
 * so that a device that still needs the page sends the request again.
 */
void iopf_cancel_retry(struct iopf_pasid_queue *pq, u64 seq,
		       struct list_head *claimed)
{
	iopf_cancel_faulting(pq, seq, IOMMU_PAGE_RESP_SUCCESS, claimed);
	iopf_pq_interrupt(pq, seq);
	iopf_pq_take_deferred(pq, claimed);
	/* The PASID may be bound to another address space from here on. */
	pq->mm = NULL;
}

/* Cancel all groups of @pq, the complete ones with the same response. */
void iopf_cancel_pq(struct iopf_pasid_queue *pq, int code,
		    struct list_head *claimed)
{
	iopf_discard_unfinished(pq, claimed);
	iopf_cancel_list(&pq->pending, code, claimed);
	iopf_cancel_list(&pq->delivered, code, claimed);
	iopf_pq_interrupt(pq, U64_MAX);
	iopf_pq_take_deferred(pq, claimed);
}

/* Cancel all groups of @pq with Invalid Request. */
void iopf_cancel_all(struct iopf_pasid_queue *pq, struct list_head *claimed)
{
	iopf_cancel_pq(pq, IOMMU_PAGE_RESP_INVALID, claimed);
}

/* Send no response to claimed groups, deferred ones included. */
void iopf_drop_responses(struct list_head *claimed)
{
	struct iopf_prg *prg;

	list_for_each_entry(prg, claimed, base.pending_node)
		prg->code = IOPF_RESP_NONE;
}

/*
 * Cancel the groups of @pq with a worker whose address space has no task any more, and
 * interrupt the workers: the memory waits for nothing else.
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
