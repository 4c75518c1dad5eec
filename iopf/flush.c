// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: flush, reset and discard
 *
 * Drivers call these when a PASID goes away, a device was reset or requests were lost. A
 * flush and a reset wait for responses being sent. None waits for the mm, except that the
 * flush of a whole device gives faults a tenth of a second.
 */
#include <linux/export.h>
#include <linux/minmax.h>

#include "endings.h"

/*
 * Send the responses of @claimed, groups of @pq, which is referenced, and wait for others
 * of @pq that are being sent. NULL: there was no PASID queue.
 */
static void iopf_flush_finish(struct iopf_device *fdev, struct iopf_pasid_queue *pq,
			      struct list_head *claimed)
{
	if (!pq)
		return;
	iopf_send(claimed);
	iopf_wait_responding(fdev, pq);
	spin_lock(&fdev->lock);
	iopf_pq_put(pq);
	spin_unlock(&fdev->lock);
}

/* PASIDs below this number are checked, whether they have sent requests or not. */
#define IOPF_FLUSH_PASIDS	4096U

/*
 * Return the PASID of @fdev that is being unbound, or %IOMMU_PASID_INVALID.
 * iommu_sva_unbind_device() calls the driver after the last user of the PASID's handle is
 * gone. A PASID that is being bound looks the same, and is not harmed. A lock of the core
 * allows one of either at a time. PASIDs are allocated from the lowest free one on, so all
 * are below the limit unless very many processes use devices; of the others, those with a
 * PASID queue are found.
 */
static u32 iopf_unbound_pasid(struct iopf_device *fdev)
{
	struct device *dev = fdev->base.dev;
	u32 end = min(dev->iommu->max_pasids, IOPF_FLUSH_PASIDS);
	u32 unbound = IOMMU_PASID_INVALID;
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;
	u32 pasid;

	for (pasid = IOMMU_FIRST_GLOBAL_PASID; pasid < end; pasid++)
		if (iopf_pasid_is_unbound(dev, pasid))
			return pasid;

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		if (pq->pasid_valid && pq->pasid >= IOPF_FLUSH_PASIDS &&
		    iopf_pasid_is_unbound(dev, pq->pasid)) {
			unbound = pq->pasid;
			break;
		}
		iopf_pqs_pause(fdev, &nr);
	}
	spin_unlock(&fdev->lock);
	return unbound;
}

/* End the complete groups of @pasid, which is being unbound. */
static void iopf_flush_unbound(struct iopf_device *fdev, u32 pasid)
{
	struct iopf_key key = iopf_pasid_key(pasid, 0);
	struct iopf_pasid_queue *pq;
	LIST_HEAD(claimed);

	spin_lock(&fdev->lock);
	pq = iopf_pq_find(fdev, &key);
	if (pq) {
		iopf_pq_ref(pq);
		iopf_cancel_retry(pq, U64_MAX, &claimed);
	}
	spin_unlock(&fdev->lock);
	iopf_flush_finish(fdev, pq, &claimed);
}

/* End all groups of @fdev after a grace period in which they may end by themselves. */
static void iopf_flush_all(struct iopf_device *fdev)
{
	u64 seq = iopf_wait_faulting(fdev);
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;
	LIST_HEAD(claimed);

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		iopf_cancel_retry(pq, seq, &claimed);
		iopf_pqs_pause(fdev, &nr);
	}
	spin_unlock(&fdev->lock);

	iopf_send(&claimed);
	iopf_wait_responses(fdev);
}

/**
 * iopf_queue_flush_dev() - Flush a device's page requests
 * @dev: the device
 *
 * For drivers that cannot name the PASID that goes away. If iommu_sva_unbind_device()
 * has called the driver, the library finds the PASID: its groups get Success at once,
 * and those of other PASIDs continue.
 *
 * Otherwise, and for a PASID above 4095 that has not sent requests lately, groups of
 * all PASIDs of the device end. Groups of SVA domains that were complete when the
 * function was called have a tenth of a second to end by themselves. Those that take
 * longer, because they wait for a disk, a lock or user space, get Success, so that a
 * device that still needs the page sends the request again.
 *
 * On return the responses of these groups have been sent. Groups that a domain's handler owns
 * stay with it. Drivers that can name the PASID should call iopf_queue_flush_pasid().
 *
 * Context: Process context, may sleep. The driver holds no lock that its page_response
 * takes. If a PASID is unbound, the caller is in the path that detaches it, or excludes
 * that path.
 * Return: 0, or %-ENODEV if the device is on no fault queue.
 */
int iopf_queue_flush_dev(struct device *dev)
{
	struct iopf_device *fdev = iopf_device_get(dev);
	u32 pasid;

	if (WARN_ON_ONCE(!fdev))
		return -ENODEV;
	pasid = iopf_unbound_pasid(fdev);
	if (pasid == IOMMU_PASID_INVALID)
		iopf_flush_all(fdev);
	else
		iopf_flush_unbound(fdev, pasid);
	iopf_device_put(fdev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_flush_dev);

/**
 * iopf_queue_flush_pasid() - End the page requests of one PASID
 * @dev: the device
 * @pasid: the PASID that goes away, %IOMMU_NO_PASID for requests without a PASID
 *
 * Sends Invalid Request to all complete groups of @pasid at once, those of a domain's
 * handler included, and waits until the responses have been sent. Unfinished groups are
 * forgotten: no response is owed to them. Does not wait for faults in progress. They
 * hold nothing of the caller, pin the address space, and their result is dropped. Other
 * PASIDs are not affected, and do not delay the call.
 *
 * The driver stops the PASID and drains its hardware queue first, so that all requests of the
 * PASID have been reported.
 *
 * Context: Process context, may sleep. The driver holds no lock that its page_response takes.
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
	iopf_flush_finish(fdev, pq, &claimed);
	iopf_device_put(fdev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_flush_pasid);

/**
 * iopf_queue_reset_dev() - End the page requests of a device that was reset
 * @dev: the device
 *
 * For drivers whose device has lost its state, by a function level reset or because its
 * PRI was reset. Such a device waits for no response, and would take one for the
 * response to a later request. All groups of @dev end, those of handlers included, and
 * get no response. Later responses of handlers do nothing. Responses that were being
 * sent have been sent on return. Does not wait for the mm.
 *
 * Context: Process context, may sleep. No requests of @dev are reported at the same time. The
 * driver holds no lock that its page_response takes.
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
 * iopf_queue_discard_partial() - Forget unfinished groups
 * @queue: the fault queue
 *
 * For drivers whose hardware queue has overflowed, so that requests were lost. Groups whose
 * last request has not come are forgotten. They get no response: none is owed before the last
 * request has come, and hardware responds to the last requests that it drops (VT-d 5.1, 7.6 and
 * 7.4.1). The device sends again what it still needs.
 *
 * Context: Process context, may sleep. No requests of the queue's devices are reported
 * at the same time. The driver holds no lock that its page_response takes.
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
			iopf_discard_unfinished(pq, &claimed);
			iopf_pqs_pause(fdev, &nr);
		}
		spin_unlock(&fdev->lock);
	}
	mutex_unlock(&queue->lock);

	/* The removal of a device waits until these have been sent. */
	iopf_send(&claimed);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_discard_partial);
