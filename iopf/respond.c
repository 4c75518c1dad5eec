// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: the one answer of a group
 *
 * Whoever moves a group to IOPF_ANSWERED, under the device's lock, has claimed
 * it and sends its answer, without the lock. All others come too late, which is
 * counted and does nothing.
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <trace/events/iopf.h>

#include "iopf.h"

/* True if the caller has to send the answer, by iopf_send(). */
bool iopf_claim(struct iopf_dev *idev, struct iopf_grp *grp)
{
	struct iopf_lane *lane = grp->lane;

	lockdep_assert_held(&idev->lock);
	if (grp->state == IOPF_ANSWERED)
		return false;
	iopf_grp_remove(idev, grp);
	WRITE_ONCE(grp->state, IOPF_ANSWERED);
	grp->phase = lane->phase;
	lane->answering[grp->phase]++;
	return true;
}

/* The answer is out, or none was owed: those who wait for it may go on. */
static void iopf_end_answer(struct iopf_dev *idev, struct iopf_grp *grp)
{
	lockdep_assert_held(&idev->lock);
	grp->lane->answering[grp->phase]--;
	iopf_lane_unuse(grp->lane);
	if (idev->nr_flushing)
		wake_up_all(&idev->flushed);
}

static void iopf_page_response(struct iopf_grp *grp,
			       enum iommu_page_response_code code)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);
	struct iommu_page_response resp = {
		.pasid = grp->key.pasid,
		.grpid = grp->key.grpid,
		.code = code,
	};

	trace_iopf_respond(idev->pub.dev, grp->key.pasid, grp->key.grpid, code,
			   jiffies_to_msecs(jiffies - grp->since));
	idev->ops->page_response(idev->pub.dev, &grp->pub.last_fault, &resp);
}

/* Send the answer of a claimed group and drop the library's reference. */
void iopf_send(struct iopf_grp *grp, enum iommu_page_response_code code)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);

	iopf_page_response(grp, code);
	spin_lock(&idev->lock);
	idev->stats.answers[code]++;
	iopf_end_answer(idev, grp);
	spin_unlock(&idev->lock);
	iopf_grp_put(grp);
}

/* The same for groups that are linked by pub.pending_node. */
void iopf_send_list(struct list_head *claimed,
		    enum iommu_page_response_code code)
{
	struct iopf_grp *grp;
	struct iopf_grp *next;

	list_for_each_entry_safe(grp, next, claimed, pub.pending_node) {
		list_del_init(&grp->pub.pending_node);
		iopf_send(grp, code);
	}
}

/* Drop claimed groups that the device does not wait for. */
void iopf_forget_list(struct list_head *claimed)
{
	struct iopf_grp *grp;
	struct iopf_grp *next;

	list_for_each_entry_safe(grp, next, claimed, pub.pending_node) {
		struct iopf_dev *idev = iopf_grp_dev(grp);

		list_del_init(&grp->pub.pending_node);
		trace_iopf_discard(idev->pub.dev, grp->key.pasid,
				   grp->key.grpid, grp->pub.fault_count);
		spin_lock(&idev->lock);
		idev->stats.discarded++;
		iopf_end_answer(idev, grp);
		spin_unlock(&idev->lock);
		iopf_grp_put(grp);
	}
}

/* Answer a group unless somebody else does. The caller has a reference. */
void iopf_answer(struct iopf_grp *grp, enum iommu_page_response_code code)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);
	bool claimed;

	spin_lock(&idev->lock);
	claimed = iopf_claim(idev, grp);
	if (!claimed)
		idev->stats.late++;
	spin_unlock(&idev->lock);
	if (claimed)
		iopf_send(grp, code);
}

/**
 * iopf_group_response() - Answer a group of page requests
 * @group: the group
 * @status: the response code
 *
 * For handlers of a domain (iommu_domain.iopf_handler) that have taken the group
 * over. If the group was answered meanwhile, because its device was removed or
 * its PASID flushed, this does nothing. The handler still has to call
 * iopf_free_group().
 *
 * Context: Process context, any lock that page_response does not take. Sleeps
 * only if the driver's page_response does.
 */
void iopf_group_response(struct iopf_group *group,
			 enum iommu_page_response_code status)
{
	if (WARN_ON_ONCE(status > IOMMU_PAGE_RESP_FAILURE))
		status = IOMMU_PAGE_RESP_INVALID;
	iopf_answer(to_iopf_grp(group), status);
}
EXPORT_SYMBOL_GPL(iopf_group_response);

/**
 * iopf_group_dequeue() - Take a group over for answering later
 * @group: the group
 *
 * Handlers may say so before they publish the group to those who answer it.
 * Here it changes nothing: a handler holds a reference of its own from the
 * moment that it is called, and the library goes on watching over the answer.
 *
 * Context: Any.
 */
void iopf_group_dequeue(struct iopf_group *group)
{
}
EXPORT_SYMBOL_GPL(iopf_group_dequeue);

/**
 * iopf_free_group() - Give up a group that a handler has taken over
 * @group: the group; not to be used afterwards
 *
 * Does not answer it. A group that is given up without an answer stays with the
 * library until its device is removed or its PASID flushed.
 *
 * Context: Process context.
 */
void iopf_free_group(struct iopf_group *group)
{
	iopf_grp_put(to_iopf_grp(group));
}
EXPORT_SYMBOL_GPL(iopf_free_group);
