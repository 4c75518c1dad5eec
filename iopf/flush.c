// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: flushing, resetting, discarding
 *
 * What a driver calls when a PASID, a device or lost requests are to be done with. Waits
 * for responses that are on their way, and never for the mm.
 */
#include <linux/export.h>
#include <linux/minmax.h>

#include "endings.h"

/*
 * PASIDs that are looked at to find the one that is unbound, beside those with a PASID
 * queue.
 */
#define IOPF_FLUSH_PASIDS	4096U

/*
 * End the groups of PASIDs that are being unbound: iommu_sva_unbind_device() does not
 * call the driver before the last user of the PASID's handle is gone. So does one that
 * is being bound seem to, which does no harm. False if there are none.
 */
static bool iopf_flush_unbound(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;
	bool found = false;
	LIST_HEAD(claimed);

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		if (pq->pasid_valid &&
		    iopf_pasid_is_unbound(fdev->base.dev, pq->pasid)) {
			found = true;
			iopf_pq_ref(pq);
			iopf_cancel_faults(pq, U64_MAX, &claimed);
			spin_unlock(&fdev->lock);
			iopf_send(&claimed);
			iopf_wait_responding(fdev, pq);
			spin_lock(&fdev->lock);
			iopf_pq_put(pq);
		}
		iopf_pqs_pause(fdev, &nr);
	}
	spin_unlock(&fdev->lock);
	return found;
}

/*
 * Is a PASID of @dev being unbound that has not asked for a page lately, and so has no
 * PASID queue? PASIDs come from one allocator, the lowest free one first, so the lowest are all
 * there are where not more processes than that use devices.
 */
static bool iopf_is_unbinding(struct device *dev)
{
	u32 end = min(dev->iommu->max_pasids, IOPF_FLUSH_PASIDS);
	u32 pasid;

	for (pasid = IOMMU_FIRST_GLOBAL_PASID; pasid < end; pasid++)
		if (iopf_pasid_is_unbound(dev, pasid))
			return true;
	return false;
}

/* End all groups of @fdev, after a while in which they may end by themselves. */
static void iopf_flush_all(struct iopf_device *fdev)
{
	u64 seq = iopf_wait_faulting(fdev);
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;
	LIST_HEAD(claimed);

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		iopf_cancel_faults(pq, seq, &claimed);
		iopf_pqs_pause(fdev, &nr);
	}
	spin_unlock(&fdev->lock);

	iopf_send(&claimed);
	iopf_wait_responses(fdev);
}

/**
 * iopf_queue_flush_dev() - Get the page requests of a device done
 * @dev: the device
 *
 * A driver cannot say here which PASID goes away. Where iommu_sva_unbind_device() has
 * called the driver, it is seen: then the groups of that PASID are answered with Success
 * at once, and those of other PASIDs go on.
 *
 * Otherwise, and for a PASID beyond 4095 that has not asked for a page lately, this ends
 * groups of all PASIDs of the device. It waits for the groups of SVA domains that were complete
 * when it was called, a tenth of a second at most: those that take longer, because they
 * wait for disk, for a lock or for user space, are answered with Success, which makes a
 * device that still wants the page ask again, and are not touched any more.
 *
 * On return all responses of these groups have been sent. Groups that a domain's handler
 * has taken over stay with the handler. Drivers that can name the PASID should call
 * iopf_queue_flush_pasid().
 *
 * Context: Process context, may sleep. The driver holds no lock that its
 * page_response takes. Where a PASID is unbound, the caller is in the path that detaches
 * it, or excludes that path.
 * Return: 0, or %-ENODEV if the device is on no fault queue.
 */
int iopf_queue_flush_dev(struct device *dev)
{
	struct iopf_device *fdev = iopf_device_get(dev);

	if (WARN_ON_ONCE(!fdev))
		return -ENODEV;
	if (!iopf_flush_unbound(fdev) && !iopf_is_unbinding(dev))
		iopf_flush_all(fdev);
	iopf_device_put(fdev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_flush_dev);

/**
 * iopf_queue_flush_pasid() - End the page requests of one PASID
 * @dev: the device
 * @pasid: the PASID that goes away, %IOMMU_NO_PASID for requests without one
 *
 * Answers all complete groups of @pasid with Invalid Request at once, those of a
 * domain's handler, too, and waits until these responses have been sent. Unfinished
 * groups are forgotten: they are owed no response. Does not wait for faults in progress,
 * which hold nothing of the caller: the address space stays valid for them, and their
 * late result is dropped. Other PASIDs are not affected and do not make it slower.
 *
 * The driver stops the PASID and drains its hardware queue first, so that all
 * its requests have been reported.
 *
 * Context: Process context, may sleep. The driver holds no lock that its
 * page_response takes.
 * Return: 0, or %-ENODEV if the device is on no fault queue.
 */
int iopf_queue_flush_pasid(struct device *dev, u32 pasid)
{
	struct iopf_device *fdev = iopf_device_get(dev);
	struct iopf_key key = iopf_pasid_key(pasid, 0);
	struct iopf_pasid_queue *pq;
	LIST_HEAD(claimed);

	if (!fdev)
		return -ENODEV;

	spin_lock(&fdev->lock);
	pq = iopf_pq_find(fdev, &key);
	if (pq) {
		iopf_pq_ref(pq);
		iopf_cancel_all(pq, &claimed);
		iopf_pq_set_prefault(pq, -1);
	}
	spin_unlock(&fdev->lock);

	if (pq) {
		iopf_send(&claimed);
		iopf_wait_responding(fdev, pq);
		spin_lock(&fdev->lock);
		iopf_pq_put(pq);
		spin_unlock(&fdev->lock);
	}
	iopf_device_put(fdev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_flush_pasid);

/**
 * iopf_queue_reset_dev() - Forget the page requests of a device that was reset
 * @dev: the device
 *
 * For a driver whose device has lost its state, by a function level reset or because
 * its PRI was reset: it waits for no response any more, and would take one for a response
 * to what it asks next. All groups of @dev end, those of handlers, too, and none is
 * answered; later answers do nothing. Responses that were already on their way have been
 * sent on return. Nobody waits for the mm here.
 *
 * Context: Process context, may sleep. No requests of @dev are reported at the same
 * time. The driver holds no lock that its page_response takes.
 * Return: 0, or %-ENODEV if the device is on no fault queue.
 */
int iopf_queue_reset_dev(struct device *dev)
{
	struct iopf_device *fdev = iopf_device_get(dev);
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;
	LIST_HEAD(claimed);

	if (!fdev)
		return -ENODEV;

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		iopf_cancel_pq(pq, IOPF_RESP_NONE, &claimed);
		iopf_pqs_pause(fdev, &nr);
	}
	iopf_drop_responses(&claimed);
	spin_unlock(&fdev->lock);

	iopf_send(&claimed);
	iopf_wait_responses(fdev);
	iopf_device_put(fdev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_reset_dev);

/**
 * iopf_queue_discard_partial() - Forget the groups that wait for a request
 * @queue: the fault queue
 *
 * For drivers whose hardware queue has overflowed: requests were lost, last ones
 * among them, and nobody knows which. Groups that have not got their last request are
 * forgotten. They get no response: none is owed before the last request has come, and
 * hardware has answered those that it dropped (VT-d 5.1, 7.6 and 7.4.1), so that the
 * device asks again for what it still needs.
 *
 * Context: Process context, may sleep. No requests of the queue's devices are
 * reported at the same time. The driver holds no lock that its page_response
 * takes.
 * Return: 0, or %-EINVAL without a @queue.
 */
int iopf_queue_discard_partial(struct iopf_queue *queue)
{
	struct iommu_fault_param *param;
	LIST_HEAD(claimed);

	if (!queue)
		return -EINVAL;

	mutex_lock(&queue->lock);
	list_for_each_entry(param, &queue->devices, queue_list) {
		struct iopf_device *fdev = to_iopf_device(param);
		struct iopf_pasid_queue *pq;
		unsigned long index;
		unsigned int nr = 0;

		spin_lock(&fdev->lock);
		xa_for_each(&fdev->pqs, index, pq) {
			iopf_forget_partial(pq, &claimed);
			iopf_pqs_pause(fdev, &nr);
		}
		spin_unlock(&fdev->lock);
	}
	mutex_unlock(&queue->lock);

	/* A device that is removed now waits until these are out. */
	iopf_send(&claimed);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_discard_partial);
