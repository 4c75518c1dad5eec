// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: deadlines
 *
 * A device with a group that nobody answers is stuck, and so is its driver. So a
 * group has a time, whoever holds it: a worker, iommufd's user, a handler. A
 * watch per device looks at the oldest groups of each lane, eight times in the
 * time that a group has, as long as there are groups; no group has a timer.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <linux/moduleparam.h>
#include <trace/events/iopf.h>

#include "iopf.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf."

#define IOPF_MAX_TIMEOUT	100
#define IOPF_LOOKS		8

static unsigned int iopf_prq_timeout = 10;

static int iopf_set_prq_timeout(const char *value,
				const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, IOPF_MAX_TIMEOUT);
}

static const struct kernel_param_ops iopf_prq_timeout_ops = {
	.set = iopf_set_prq_timeout,
	.get = param_get_uint,
};

module_param_cb(prq_timeout, &iopf_prq_timeout_ops, &iopf_prq_timeout, 0644);
MODULE_PARM_DESC(prq_timeout,
		 "Seconds until a page request group is answered in any case, 1 to 100, 0 for never (default 10)");

/* The time of a group, in jiffies; 0 if it has all the time in the world. */
unsigned long iopf_timeout(struct iopf_dev *idev)
{
	/* A number by itself: WRITE_ONCE() in iopf_queue_set_timeout(). */
	int ms = READ_ONCE(idev->q->timeout_ms);

	if (ms < 0)
		ms = READ_ONCE(iopf_prq_timeout) * MSEC_PER_SEC;
	return msecs_to_jiffies(ms);
}

static void iopf_schedule_watch(struct iopf_dev *idev, unsigned long timeout)
{
	lockdep_assert_held(&idev->lock);
	/* With the time off there is still the switch to be looked at. */
	if (!timeout)
		timeout = IOPF_LOOKS * HZ;
	schedule_delayed_work(&idev->watch, timeout / IOPF_LOOKS + 1);
}

/* There is a group: see to it that somebody looks after it. */
void iopf_watch(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	if (idev->watching)
		return;
	idev->watching = true;
	refcount_inc(&idev->pub.users);
	iopf_schedule_watch(idev, iopf_timeout(idev));
}

static bool iopf_is_overdue(struct iopf_grp *grp, unsigned long timeout)
{
	return time_after_eq(jiffies, grp->since + timeout);
}

/* The oldest groups come first on both lists of a lane. */
static void iopf_claim_overdue(struct iopf_lane *lane, unsigned long timeout,
			       struct list_head *claimed)
{
	struct iopf_dev *idev = lane->idev;
	struct iopf_grp *grp;
	struct iopf_grp *next;

	list_for_each_entry_safe(grp, next, &lane->pending, pub.pending_node) {
		if (!iopf_is_overdue(grp, timeout))
			break;
		idev->stats.overdue++;
		trace_iopf_timeout(idev->pub.dev, grp->key.pasid,
				   grp->key.grpid, grp->pub.fault_count);
		iopf_claim_early(grp, IOMMU_PAGE_RESP_INVALID, claimed);
	}
	list_for_each_entry_safe(grp, next, &lane->partial, pub.pending_node) {
		if (!iopf_is_overdue(grp, timeout))
			break;
		/* A group without its last request is owed no answer. */
		iopf_claim_early(grp, IOPF_FORGET, claimed);
	}
}

static void iopf_warn_overdue(struct iopf_dev *idev, struct list_head *claimed)
{
	struct iopf_grp *grp;

	list_for_each_entry(grp, claimed, pub.pending_node)
		if (grp->code != IOPF_FORGET)
			dev_warn_ratelimited(idev->pub.dev,
					     "page request group %u of PASID %u not answered in time\n",
					     grp->key.grpid, grp->key.pasid);
}

static void iopf_watch_fn(struct work_struct *work)
{
	struct iopf_dev *idev = container_of(work, struct iopf_dev, watch.work);
	unsigned long timeout = iopf_timeout(idev);
	struct iopf_lane *lane;
	unsigned long index;
	LIST_HEAD(claimed);
	LIST_HEAD(held);
	bool again;

	spin_lock(&idev->lock);
	xa_for_each(&idev->lanes, index, lane) {
		iopf_take_held(lane, &held);
		if (timeout)
			iopf_claim_overdue(lane, timeout, &claimed);
	}
	again = !idev->dead && idev->table.nr_groups;
	if (again)
		iopf_schedule_watch(idev, timeout);
	else
		idev->watching = false;
	spin_unlock(&idev->lock);

	iopf_warn_overdue(idev, &claimed);
	iopf_send(&claimed);
	iopf_send(&held);
	if (!again)
		iopf_dev_put(idev);
}

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

/**
 * iopf_queue_set_timeout() - How long the groups of a queue may take
 * @queue: the queue
 * @ms: time in milliseconds, 0 for as long as they like, negative for what
 *	iopf.prq_timeout says, which is the default
 *
 * A complete group that has no answer by then, give or take an eighth, is answered
 * with Invalid Request; whoever holds it is too late. A group that has not got its
 * last request by then is dropped. Takes effect with the next look at groups that
 * exist already.
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @ms is more than 100 seconds.
 */
int iopf_queue_set_timeout(struct iopf_queue *queue, int ms)
{
	if (ms > (int)(IOPF_MAX_TIMEOUT * MSEC_PER_SEC))
		return -EINVAL;
	WRITE_ONCE(to_iopf_q(queue)->timeout_ms, ms);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_set_timeout);
