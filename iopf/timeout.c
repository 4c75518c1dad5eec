// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: timeouts
 *
 * What a group gets when it has waited for too long depends on its owner:
 *
 *	worker, PASID queue	Success. The fault is slow and not wrong: a frozen file system, a
 *			slow disk, a userfaultfd. The device asks again and so waits on,
 *			as a CPU would
 *	handler		Invalid Request. A registered handler that does not answer blocks
 *			the device and its driver
 *	domain		nothing, unless a timeout of its own says so, then Invalid Request:
 *			a user of iommufd that is paused must not lose faults
 *	assembling	no response: the last request was lost
 *
 * A watch per device looks at the oldest groups of each PASID queue, eight times in the
 * shortest timeout and four times a second at least, as long as there are groups or
 * workers; no group has a timer. It also stops workers whose groups have lost their
 * owner: an address space without tasks waits for nobody but them.
 */
#include <linux/jiffies.h>
#include <trace/events/iopf.h>

#include "endings.h"

static bool iopf_is_overdue(struct iopf_prg *prg, unsigned long timeout)
{
	return time_after_eq(jiffies, prg->since + timeout);
}

/* Claim @prg for what its owner is answered for it when its time is over. */
static void iopf_time_out(struct iopf_prg *prg, struct list_head *claimed)
{
	struct iopf_device *fdev = iopf_prg_device(prg);

	if (prg->owner == IOPF_OWNER_ASSEMBLING) {
		iopf_cancel(prg, IOPF_RESP_NONE, claimed);
		return;
	}
	/* Its worker would hold it on, beside the one that the device asks for again. */
	if (prg->owner == IOPF_OWNER_WORKER && iopf_is_half_full(fdev))
		return;
	fdev->stats.overdue++;
	trace_iopf_timeout(fdev->base.dev, prg->key.pasid, prg->key.grpid,
			   prg->base.fault_count);
	if (iopf_prg_is_faulting(prg)) {
		/* The worker sleeps on: the device asks again and waits for it. */
		fdev->stats.retried++;
		iopf_claim(fdev, prg, IOMMU_PAGE_RESP_SUCCESS, claimed);
		return;
	}
	iopf_cancel(prg, IOMMU_PAGE_RESP_INVALID, claimed);
}

/* The oldest groups come first on each list of a PASID queue. */
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
					     "page request group %u of PASID %u not answered in time\n",
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
		iopf_time_out_list(&pq->partial, timeout, &claimed);
		iopf_pq_expire(pq);
		iopf_pqs_pause(fdev, &nr);
	}
	again = !fdev->dead &&
		(fdev->table.nr_groups || fdev->nr_workers ||
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

/* The device is dead. A watch that runs already finds that out by itself. */
void iopf_timeout_stop(struct iopf_device *fdev)
{
	if (cancel_delayed_work(&fdev->timeout_work))
		iopf_device_put(fdev);
}
