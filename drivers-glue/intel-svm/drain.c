// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: draining a PASID
 *
 * Hardware has to be drained again if the queue has overflowed during the drain (7.10).
 * A device that keeps the queue overflowing could thereby delay every unbind on the unit
 * for ever, under locks that all users of SVA share. So the attempts are bounded; then
 * page requests of that device are disabled.
 */
#include <linux/jiffies.h>
#include <linux/printk.h>

#include "prq.h"

/* Return true if there is an overflow, or was one since nr_overflows was @before. */
static bool intel_prq_has_overflowed(struct vtd_prq *prq, u64 before)
{
	bool now = prq->ops->read_status(prq) & VTD_PRQ_OVERFLOW;

	/*
	 * If the bit has been cleared, the overflow has been counted. Pairs with smp_wmb() in
	 * intel_prq_handle_overflow().
	 */
	smp_rmb();
	return now || READ_ONCE(prq->nr_overflows) != before;
}

/*
 * Let hardware drain until there is no overflow from the start of the drain to its end.
 * Return -EBUSY if there was one during each attempt.
 */
static int intel_prq_drain_hardware(struct vtd_prq *prq, struct device *dev,
				    u32 pasid)
{
	unsigned long until = jiffies + prq->patience;
	unsigned int tries = 0;
	bool overflowed;
	u64 before;
	int ret;

	do {
		before = READ_ONCE(prq->nr_overflows);
		/*
		 * An overflow may have been counted already, and its bit is cleared during
		 * the drain: check the bit, too. Pairs with smp_wmb() in
		 * intel_prq_handle_overflow().
		 */
		smp_rmb();
		overflowed = prq->ops->read_status(prq) & VTD_PRQ_OVERFLOW;
		ret = prq->ops->drain(prq, dev, pasid);
		if (ret || !(overflowed || intel_prq_has_overflowed(prq, before)))
			return ret;
		vtd_prq_wait_overflow(prq);
	} while (++tries < VTD_PRQ_DRAIN_TRIES || time_before(jiffies, until));
	return -EBUSY;
}

/* Disable page requests of the blamed device. Return false if there is none. */
static bool intel_prq_disable_blamed(struct vtd_prq *prq)
{
	int rid = READ_ONCE(prq->blamed);

	if (rid < 0 || prq->ops->disable(prq, rid))
		return false;
	WRITE_ONCE(prq->blamed, -1);
	WRITE_ONCE(prq->nr_disabled, prq->nr_disabled + 1);
	pr_err("%s: %02x:%02x.%u keeps the page request queue overflowing, its page requests are disabled\n",
	       prq->name, rid >> 8, rid >> 3 & 0x1f, rid & 7);
	return true;
}

/*
 * Disable page requests of the device that makes the queue overflow, unless another drain
 * has done so since nr_disabled was @before. Return false if no device is to blame.
 */
static bool intel_prq_stop_flood(struct vtd_prq *prq, unsigned int before)
{
	bool stopped;

	mutex_lock(&prq->flood_lock);
	stopped = prq->nr_disabled != before || intel_prq_disable_blamed(prq);
	mutex_unlock(&prq->flood_lock);
	return stopped;
}

/**
 * vtd_prq_drain() - Drain the page requests of a PASID
 * @prq: the page request queue
 * @dev: the device
 * @pasid: the PASID, or %IOMMU_NO_PASID for requests without one
 *
 * Waits until the requests in the ring have been reported, and flushes the groups of
 * @pasid. Then lets hardware drain (7.10), again if the queue overflows meanwhile. This
 * may write a few more requests to the ring, so waits and flushes once more. Does not
 * wait for faults of other PASIDs.
 *
 * If the queue overflows during each of %VTD_PRQ_DRAIN_TRIES hardware drains, and for at
 * least vtd_prq.patience (one second), page requests of the device that has filled the
 * ring are disabled, and the hardware drains start over. If no such device is found, the
 * hardware drain is given up.
 *
 * Context: Process context, may sleep. The device has stopped using @pasid, its PASID
 * entry is cleared, and IOTLB and device TLB are invalidated.
 * Return: 0, or an error if requests of @pasid may still come.
 */
int vtd_prq_drain(struct vtd_prq *prq, struct device *dev, u32 pasid)
{
	unsigned int disabled;
	int ret;

	vtd_prq_wait(prq);
	iopf_queue_flush_pasid(dev, pasid);
	do {
		disabled = READ_ONCE(prq->nr_disabled);
		ret = intel_prq_drain_hardware(prq, dev, pasid);
	} while (ret == -EBUSY && intel_prq_stop_flood(prq, disabled));
	if (ret)
		pr_err_ratelimited("%s: page requests of PASID %u are not drained, error %d\n",
				   prq->name, pasid, ret);
	vtd_prq_wait(prq);
	iopf_queue_flush_pasid(dev, pasid);
	return ret;
}
