// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: timeouts
 *
 * What a group gets when it has waited for too long depends on its owner:
 *
 *	worker, lane	Success. The fault is slow and not wrong: a frozen file system, a
 *			slow disk, a userfaultfd. The device asks again and so waits on,
 *			as a CPU would
 *	handler		Invalid Request. A registered handler that does not answer blocks
 *			the device and its driver
 *	domain		nothing, unless a timeout of its own says so, then Invalid Request:
 *			a user of iommufd that is paused must not lose faults
 *	assembling	no answer: the last request was lost
 *
 * A watch per device looks at the oldest groups of each lane, eight times in the
 * shortest timeout and four times a second at least, as long as there are groups or
 * workers; no group has a timer. It also stops workers whose groups have lost their
 * owner: an address space without tasks waits for nobody but them. The watch
 * allocates nothing and never faults, and runs on a workqueue of its own, unbound, with
 * a rescuer and with a high priority: neither a CPU that a real-time thread owns nor many
 * ordinary programs nor a lack of memory keep it from answering.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/panic.h>
#include <trace/events/iopf.h>

#include "iopf.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf."

#define IOPF_MAX_TIMEOUT	100
#define IOPF_LOOKS		8
/* How often owners are looked at, at least: one that was killed is noticed in time. */
#define IOPF_ORPHAN_MS		250

struct workqueue_struct *iopf_watch_wq;

static unsigned int iopf_prq_timeout = 10;
static unsigned int iopf_domain_timeout;

static int iopf_set_seconds(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, IOPF_MAX_TIMEOUT);
}

static const struct kernel_param_ops iopf_seconds_ops = {
	.set = iopf_set_seconds,
	.get = param_get_uint,
};

module_param_cb(prq_timeout, &iopf_seconds_ops, &iopf_prq_timeout, 0644);
MODULE_PARM_DESC(prq_timeout,
		 "Seconds until a group that a worker or a registered handler owns is answered, 1 to 100, 0 for never (default 10)");
module_param_cb(domain_timeout, &iopf_seconds_ops, &iopf_domain_timeout, 0644);
MODULE_PARM_DESC(domain_timeout,
		 "The same for groups that the handler of a domain owns, such as iommufd's (default 0)");

/* A queue's own setting is a number by itself: WRITE_ONCE() in the setters. */
static unsigned long iopf_timeout_jiffies(const int *ms, const unsigned int *s)
{
	int time = READ_ONCE(*ms);

	if (time < 0)
		time = READ_ONCE(*s) * MSEC_PER_SEC;
	return msecs_to_jiffies(time);
}

/* The time of a group, in jiffies; 0 without a timeout. */
unsigned long iopf_timeout(struct iopf_dev *idev)
{
	return iopf_timeout_jiffies(&idev->q->timeout_ms, &iopf_prq_timeout);
}

/* The same for groups that a domain's handler owns. */
static unsigned long iopf_timeout_of_domain(struct iopf_dev *idev)
{
	return iopf_timeout_jiffies(&idev->q->domain_timeout_ms,
				    &iopf_domain_timeout);
}

static void iopf_schedule_watch(struct iopf_dev *idev)
{
	unsigned long timeout = min_not_zero(iopf_timeout(idev),
					     iopf_timeout_of_domain(idev));

	lockdep_assert_held(&idev->lock);
	/* Without a timeout there are still owners to be looked at, and settings. */
	timeout = min_not_zero(timeout / IOPF_LOOKS,
			       msecs_to_jiffies(IOPF_ORPHAN_MS));
	queue_delayed_work(iopf_watch_wq, &idev->watch, timeout + 1);
}

/* There is a group: see to it that somebody looks after it. */
void iopf_watch(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	if (idev->watching)
		return;
	idev->watching = true;
	refcount_inc(&idev->pub.users);
	iopf_schedule_watch(idev);
}

static bool iopf_is_overdue(struct iopf_grp *grp, unsigned long timeout)
{
	return time_after_eq(jiffies, grp->since + timeout);
}

/* Claim @grp for what its owner is answered for it when its time is over. */
static void iopf_claim_timed_out(struct iopf_grp *grp, struct list_head *claimed)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);

	if (grp->owner == IOPF_OWNER_ASSEMBLING) {
		iopf_claim_early(grp, IOPF_FORGET, claimed);
		return;
	}
	/* Its worker would hold it on, beside the one that the device asks for again. */
	if (grp->owner == IOPF_OWNER_WORKER && iopf_is_half_full(idev))
		return;
	idev->stats.overdue++;
	trace_iopf_timeout(idev->pub.dev, grp->key.pasid, grp->key.grpid,
			   grp->pub.fault_count);
	if (iopf_grp_is_faulting(grp)) {
		/* The worker sleeps on: the device asks again and waits for it. */
		idev->stats.retried++;
		iopf_claim(idev, grp, IOMMU_PAGE_RESP_SUCCESS, claimed);
		return;
	}
	iopf_claim_early(grp, IOMMU_PAGE_RESP_INVALID, claimed);
}

/* The oldest groups come first on each list of a lane. */
static void iopf_claim_overdue(struct list_head *groups, unsigned long timeout,
			       struct list_head *claimed)
{
	struct iopf_grp *grp;
	struct iopf_grp *next;

	if (!timeout)
		return;
	list_for_each_entry_safe(grp, next, groups, pub.pending_node) {
		if (!iopf_is_overdue(grp, timeout))
			break;
		iopf_claim_timed_out(grp, claimed);
	}
}

static void iopf_warn_overdue(struct iopf_dev *idev, struct list_head *claimed)
{
	struct iopf_grp *grp;

	list_for_each_entry(grp, claimed, pub.pending_node) {
		if (grp->code == IOMMU_PAGE_RESP_SUCCESS)
			dev_notice_ratelimited(idev->pub.dev,
					       "page request group %u of PASID %u still waits for its pages\n",
					       grp->key.grpid, grp->key.pasid);
		else if (grp->code != IOPF_FORGET)
			dev_warn_ratelimited(idev->pub.dev,
					     "page request group %u of PASID %u not answered in time\n",
					     grp->key.grpid, grp->key.pasid);
	}
}

static void iopf_watch_fn(struct work_struct *work)
{
	struct iopf_dev *idev = container_of(work, struct iopf_dev, watch.work);
	unsigned long domain_timeout = iopf_timeout_of_domain(idev);
	unsigned long timeout = iopf_timeout(idev);
	struct iopf_lane *lane;
	unsigned long index;
	unsigned int nr = 0;
	LIST_HEAD(claimed);
	LIST_HEAD(held);
	bool again;

	spin_lock(&idev->lock);
	xa_for_each(&idev->lanes, index, lane) {
		iopf_take_held(lane, &held);
		iopf_lane_stop_orphans(lane, &held);
		iopf_claim_overdue(&lane->pending, timeout, &claimed);
		iopf_claim_overdue(&lane->delivered, domain_timeout, &claimed);
		iopf_claim_overdue(&lane->partial, timeout, &claimed);
		iopf_lane_age(lane);
		iopf_lanes_pause(idev, &nr);
	}
	again = !idev->dead &&
		(idev->table.nr_groups || idev->nr_workers ||
		 iopf_lanes_are_many(idev));
	if (again)
		iopf_schedule_watch(idev);
	else
		idev->watching = false;
	spin_unlock(&idev->lock);

	iopf_warn_overdue(idev, &claimed);
	iopf_send(&claimed);
	iopf_send(&held);
	if (!again)
		iopf_dev_put(idev);
}

/* Before the first device: IOMMU drivers add theirs from subsys_initcall() on. */
static int __init iopf_watch_wq_init(void)
{
	iopf_watch_wq = alloc_workqueue("iopf_watch",
					WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_HIGHPRI,
					0);
	if (!iopf_watch_wq)
		panic("iopf: no memory for a workqueue\n");
	return 0;
}
core_initcall(iopf_watch_wq_init);

void iopf_watch_init(struct iopf_dev *idev)
{
	INIT_DELAYED_WORK(&idev->watch, iopf_watch_fn);
}

/* The device is dead. A watch that runs already finds that out by itself. */
void iopf_watch_stop(struct iopf_dev *idev)
{
	if (cancel_delayed_work(&idev->watch))
		iopf_dev_put(idev);
}

static int iopf_set_timeout(int *to, int ms)
{
	if (ms > (int)(IOPF_MAX_TIMEOUT * MSEC_PER_SEC))
		return -EINVAL;
	WRITE_ONCE(*to, ms);
	return 0;
}

/**
 * iopf_queue_set_timeout() - Set how long the groups of a queue may take
 * @queue: the queue
 * @ms: time in milliseconds, 0 for no timeout, negative for what iopf.prq_timeout says,
 *	which is the default
 *
 * A complete group that has no answer by then, give or take an eighth, is answered:
 * with Invalid Request if a registered handler owns it, which is too late from then
 * on; with Success if its own fault takes that long, so that the device asks again
 * and waits on. A group that has not got its last request by then is dropped. Groups
 * that a domain's handler owns have a timeout of their own:
 * iopf_queue_set_domain_timeout(). Takes effect with the next look at groups that exist
 * already.
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @ms is more than 100 seconds.
 */
int iopf_queue_set_timeout(struct iopf_queue *queue, int ms)
{
	return iopf_set_timeout(&to_iopf_q(queue)->timeout_ms, ms);
}
EXPORT_SYMBOL_GPL(iopf_queue_set_timeout);

/**
 * iopf_queue_set_domain_timeout() - Set how long domains' handlers may take
 * @queue: the queue
 * @ms: time in milliseconds, 0 for no timeout, negative for what iopf.domain_timeout
 *	says, which is the default, and is 0 unless it was set
 *
 * A group that the iopf_handler of its domain has not answered by then, give or take
 * an eighth, is answered with Invalid Request. Takes effect with the next look at groups
 * that exist already.
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @ms is more than 100 seconds.
 */
int iopf_queue_set_domain_timeout(struct iopf_queue *queue, int ms)
{
	return iopf_set_timeout(&to_iopf_q(queue)->domain_timeout_ms, ms);
}
EXPORT_SYMBOL_GPL(iopf_queue_set_domain_timeout);
