// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: draining a PASID
 *
 * 7.10 wants hardware to be drained again if the queue has overflowed meanwhile. A
 * device that keeps the queue overflowing could so delay every unbind of the unit
 * without an end, under locks that all users of SVA share. The number of attempts has a
 * bound, then the device is no longer listened to.
 */
#include <linux/jiffies.h>
#include <linux/printk.h>

#include "prq.h"

/* Is there an overflow, or was there one since @before overflows were counted? */
static bool intel_prq_has_overflowed(struct iopf_prq *prq, u64 before)
{
	bool now = prq->ops->read_status(prq) & IOPF_PRQ_OVERFLOW;

	/* Cleared is counted: pairs with smp_wmb() in intel_prq_handle_overflow(). */
	smp_rmb();
	return now || READ_ONCE(prq->nr_overflows) != before;
}

/*
 * Let hardware drain until no overflow comes between. -EBUSY: there was one each time,
 * and patience is at its end.
 */
static int intel_prq_drain_hardware(struct iopf_prq *prq, struct device *dev,
				    u32 pasid)
{
	unsigned long until = jiffies + prq->patience;
	unsigned int tries = 0;
	u64 before;
	int ret;

	do {
		before = READ_ONCE(prq->nr_overflows);
		ret = prq->ops->drain(prq, dev, pasid);
		if (ret || !intel_prq_has_overflowed(prq, before))
			return ret;
		iopf_prq_wait_overflow(prq);
	} while (++tries < IOPF_PRQ_DRAIN_TRIES || time_before(jiffies, until));
	return -EBUSY;
}

static bool intel_prq_disable_blamed(struct iopf_prq *prq)
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
 * Silence the device that makes the queue overflow, unless another drain has done so since
 * @before devices were disabled. False if there is none to be had.
 */
static bool intel_prq_stop_flood(struct iopf_prq *prq, unsigned int before)
{
	bool stopped;

	mutex_lock(&prq->flood_lock);
	stopped = prq->nr_disabled != before || intel_prq_disable_blamed(prq);
	mutex_unlock(&prq->flood_lock);
	return stopped;
}

/**
 * iopf_prq_drain() - End the page requests of a PASID
 * @prq: the queue
 * @dev: the device
 * @pasid: the PASID, %IOMMU_NO_PASID for requests without one
 *
 * What is in the ring, or was copied out of it, is reported, the groups of @pasid get
 * their response; then hardware is drained (7.10), which may bring a few requests more
 * and is done again if it has dropped some meanwhile. Other PASIDs are not waited for.
 *
 * If the queue overflows in each of %IOPF_PRQ_DRAIN_TRIES attempts, for a second at
 * least, the device that has filled it most is disabled, and so on; if none is to be
 * found the drain is given up.
 *
 * Context: Process context, may sleep. The device has stopped to use @pasid, its
 * PASID entry is cleared, and IOTLB and device TLB are invalidated.
 * Return: 0, or an error if requests of @pasid may still come.
 */
int iopf_prq_drain(struct iopf_prq *prq, struct device *dev, u32 pasid)
{
	unsigned int disabled;
	int ret;

	iopf_prq_wait(prq);
	iopf_queue_flush_pasid(dev, pasid);
	do {
		disabled = READ_ONCE(prq->nr_disabled);
		ret = intel_prq_drain_hardware(prq, dev, pasid);
	} while (ret == -EBUSY && intel_prq_stop_flood(prq, disabled));
	if (ret)
		pr_err_ratelimited("%s: page requests of PASID %u are not drained, error %d\n",
				   prq->name, pasid, ret);
	iopf_prq_wait(prq);
	iopf_queue_flush_pasid(dev, pasid);
	return ret;
}
