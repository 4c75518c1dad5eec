// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: devices on a queue
 */
#include <linux/export.h>
#include <linux/rhashtable.h>
#include <linux/slab.h>

#include "iopf.h"

/* Valid inside the caller's RCU read section. */
struct iopf_dev *iopf_dev_rcu(struct device *dev)
{
	struct iommu_fault_param *param;

	param = rcu_dereference(dev->iommu->fault_param);
	return param ? to_iopf_dev(param) : NULL;
}

/* A reference, or NULL if the device is on no queue. */
struct iopf_dev *iopf_dev_get(struct device *dev)
{
	struct iopf_dev *idev;

	rcu_read_lock();
	idev = iopf_dev_rcu(dev);
	if (idev && !refcount_inc_not_zero(&idev->pub.users))
		idev = NULL;
	rcu_read_unlock();
	return idev;
}

/* Not under iopf_dev.lock. */
void iopf_dev_put(struct iopf_dev *idev)
{
	if (!refcount_dec_and_test(&idev->pub.users))
		return;
	iopf_lanes_destroy(idev);
	iopf_q_put(idev->q);
	/* Reporters may still find it, and find it dead. */
	kfree_rcu(idev, pub.rcu);
}

static struct iopf_dev *iopf_dev_alloc(struct iopf_q *q, struct device *dev)
{
	struct iopf_dev *idev;

	idev = kzalloc(sizeof(*idev), GFP_KERNEL);
	if (!idev)
		return NULL;
	if (rhashtable_init(&idev->table, &iopf_table_params)) {
		kfree(idev);
		return NULL;
	}

	mutex_init(&idev->pub.lock);
	refcount_set(&idev->pub.users, 1);
	INIT_LIST_HEAD(&idev->pub.partial);
	INIT_LIST_HEAD(&idev->pub.faults);
	idev->pub.dev = dev;
	idev->pub.queue = &q->pub;

	refcount_inc(&q->users);
	idev->q = q;
	idev->ops = dev_iommu_ops(dev);
	spin_lock_init(&idev->lock);
	xa_init(&idev->lanes);
	INIT_LIST_HEAD(&idev->idle);
	iopf_limits_init(idev);
	mutex_init(&idev->flush_lock);
	init_waitqueue_head(&idev->flushed);
	iopf_watch_init(idev);
	return idev;
}

/**
 * iopf_queue_add_device() - Put a device on a fault queue
 * @queue: the queue
 * @dev: the device
 *
 * From here on page requests of @dev may be reported.
 *
 * Context: Process context, may sleep.
 * Return:
 * * %0 - the device is on the queue
 * * %-ENODEV - the device's IOMMU driver cannot send page responses
 * * %-EBUSY - the device is on a queue already
 * * %-ENOMEM - no memory
 */
int iopf_queue_add_device(struct iopf_queue *queue, struct device *dev)
{
	struct dev_iommu *iommu = dev->iommu;
	struct iopf_dev *idev;
	int ret = 0;

	if (!dev_iommu_ops(dev)->page_response)
		return -ENODEV;

	mutex_lock(&queue->lock);
	mutex_lock(&iommu->lock);
	if (rcu_access_pointer(iommu->fault_param)) {
		ret = -EBUSY;
		goto unlock;
	}
	idev = iopf_dev_alloc(to_iopf_q(queue), dev);
	if (!idev) {
		ret = -ENOMEM;
		goto unlock;
	}
	list_add_tail(&idev->pub.queue_list, &queue->devices);
	iopf_debugfs_add_device(idev);
	/* Pairs with rcu_dereference() in iopf_dev_rcu(). */
	rcu_assign_pointer(iommu->fault_param, &idev->pub);
unlock:
	mutex_unlock(&iommu->lock);
	mutex_unlock(&queue->lock);
	return ret;
}
EXPORT_SYMBOL_GPL(iopf_queue_add_device);

/* Take the device off its queue: no reporter that comes now finds it. */
static struct iopf_dev *iopf_dev_unlink(struct iopf_queue *queue,
					struct device *dev)
{
	struct dev_iommu *iommu = dev->iommu;
	struct iommu_fault_param *param;

	mutex_lock(&queue->lock);
	mutex_lock(&iommu->lock);
	param = rcu_dereference_protected(iommu->fault_param,
					  lockdep_is_held(&iommu->lock));
	if (param && param->queue == queue) {
		list_del(&param->queue_list);
		rcu_assign_pointer(iommu->fault_param, NULL);
	} else {
		param = NULL;
	}
	mutex_unlock(&iommu->lock);
	mutex_unlock(&queue->lock);
	return param ? to_iopf_dev(param) : NULL;
}

/**
 * iopf_queue_remove_device() - Take a device off its fault queue
 * @queue: the queue
 * @dev: the device
 *
 * Answers all groups of the device that were not answered with Invalid Request:
 * unfinished ones, those being handled, and those that a domain's handler has
 * taken over. On return all answers have been sent and page_response is not
 * called for @dev any more. What workers still do and handlers still hold is
 * their own; their later answers do nothing. Nobody waits for the mm here.
 *
 * The driver stops page requests of @dev and drains its hardware queue first,
 * and disables PRI on the device after it.
 *
 * Context: Process context, may sleep. The driver holds no lock that its
 * page_response takes.
 */
void iopf_queue_remove_device(struct iopf_queue *queue, struct device *dev)
{
	struct iopf_dev *idev = iopf_dev_unlink(queue, dev);
	struct iopf_lane *lane;
	unsigned long index;
	LIST_HEAD(claimed);

	if (WARN_ON(!idev))
		return;

	iopf_debugfs_remove_device(idev);
	spin_lock(&idev->lock);
	/* Reporters that found the device before look at this under the lock. */
	idev->dead = true;
	xa_for_each(&idev->lanes, index, lane) {
		iopf_claim_partial(lane, &claimed);
		iopf_claim_pending(lane, U64_MAX, true, &claimed);
	}
	spin_unlock(&idev->lock);

	iopf_send_list(&claimed, IOMMU_PAGE_RESP_INVALID);
	iopf_watch_stop(idev);
	iopf_wait_answers(idev);
	/* Empty, and nobody looks into the table of a dead device. */
	rhashtable_destroy(&idev->table);
	iopf_dev_put(idev);
}
EXPORT_SYMBOL_GPL(iopf_queue_remove_device);
