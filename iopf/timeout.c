// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: timeouts
 */
#include <linux/jiffies.h>
#include <trace/events/iopf.h>

#include "endings.h"

/**
 * DOC: Timeouts
 *
 * What a group gets at its timeout depends on its owner:
 *
 *  - The workers: Success. The fault is slow, not wrong: a frozen file system, a slow disk,
 *    userfaultfd. The device sends the request again, and so waits on as a CPU would.
 *  - A registered handler: Invalid Request. It blocks the device and its driver.
 *  - A domain's handler: nothing, unless a timeout was set for these, then Invalid Request. A
 *    paused user of iommufd must not lose faults.
 *  - An unfinished group: no response, as its last request was lost.
 *
 * A timeout work per device checks the oldest groups of each PASID queue, eight times in
 * the shortest timeout and at least four times a second, while there are groups or
 * workers. Groups have no timers. It also interrupts workers whose address space has no
 * task any more, sends deferred responses, and frees idle PASID queues.
 */

/* Part of the first jiffy had passed when the time was taken, so that one does not count. */
static bool iopf_is_overdue(struct iopf_prg *prg, unsigned long timeout)
{
	return time_after(jiffies, prg->since + timeout);
}

/* Claim @prg for the response that its owner's timeout has. */
static void iopf_time_out(struct iopf_prg *prg, struct list_head *claimed)
{
	struct iopf_device *fdev = iopf_prg_device(prg);

	if (prg->owner == IOPF_OWNER_ASSEMBLING) {
		iopf_cancel(prg, IOPF_RESP_NONE, claimed);
		return;
	}
	/* The worker would keep its memory, and the device would send another one. */
	if (prg->owner == IOPF_OWNER_WORKER && iopf_is_half_full(fdev))
		return;
	fdev->stats.overdue++;
	trace_iopf_timeout(fdev->base.dev, prg->key.pasid, prg->key.grpid,
			   prg->base.fault_count);
	if (iopf_prg_is_faulting(prg)) {
		/* The worker is not interrupted: the group that is sent again follows it. */
		fdev->stats.retried++;
		iopf_claim(fdev, prg, IOMMU_PAGE_RESP_SUCCESS, claimed);
		return;
	}
	iopf_cancel(prg, IOMMU_PAGE_RESP_INVALID, claimed);
}

/* Time out the groups of a list. The oldest come first. */
static void iopf_time_out_list(struct list_head *groups, unsigned long timeout,
			       struct list_head *claimed)
{
	struct iopf_prg *prg;
	struct iopf_prg *next;

	if (!timeout)
		return;
	list_for_each_entry_safe(prg, next, groups, base.pending_node) {
		if (!iopf_is_overdue(prg, timeout))
			break;
		iopf_time_out(prg, claimed);
	}
}

static void iopf_warn_overdue(struct iopf_device *fdev, struct list_head *claimed)
{
	struct iopf_prg *prg;

	list_for_each_entry(prg, claimed, base.pending_node) {
		if (prg->code == IOMMU_PAGE_RESP_SUCCESS)
			dev_notice_ratelimited(fdev->base.dev,
					       "page request group %u of PASID %u still waits for its pages\n",
					       prg->key.grpid, prg->key.pasid);
		else if (prg->code != IOPF_RESP_NONE)
			dev_warn_ratelimited(fdev->base.dev,
					     "page request group %u of PASID %u got no response in time\n",
					     prg->key.grpid, prg->key.pasid);
	}
}

static void iopf_timeout_fn(struct work_struct *work)
{
	struct iopf_device *fdev = container_of(work, struct iopf_device, timeout_work.work);
	unsigned long domain_timeout = iopf_domain_timeout(fdev->fq);
	unsigned long timeout = iopf_timeout(fdev->fq);
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;
	LIST_HEAD(claimed);
	LIST_HEAD(deferred);
	bool again;

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		iopf_pq_take_deferred(pq, &deferred);
		iopf_pq_interrupt_orphans(pq, &deferred);
		iopf_time_out_list(&pq->pending, timeout, &claimed);
		iopf_time_out_list(&pq->delivered, domain_timeout, &claimed);
		iopf_time_out_list(&pq->unfinished, timeout, &claimed);
		iopf_pq_expire(pq);
		iopf_pqs_pause(fdev, &nr);
	}
	again = !fdev->dead &&
		(iopf_nr_groups(fdev) || fdev->nr_workers || fdev->nr_responding ||
		 iopf_has_many_pqs(fdev));
	if (again)
		iopf_timeout_schedule(fdev);
	else
		fdev->timeout_armed = false;
	spin_unlock(&fdev->lock);

	iopf_warn_overdue(fdev, &claimed);
	iopf_send(&claimed);
	iopf_send(&deferred);
	if (!again)
		iopf_device_put(fdev);
}

void iopf_timeout_init(struct iopf_device *fdev)
{
	INIT_DELAYED_WORK(&fdev->timeout_work, iopf_timeout_fn);
}

/* Stop the timeout work of a dead device. One that runs notices that. */
void iopf_timeout_stop(struct iopf_device *fdev)
{
	if (cancel_delayed_work(&fdev->timeout_work))
		iopf_device_put(fdev);
}
