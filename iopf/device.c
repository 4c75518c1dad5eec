// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: devices on a queue
 */
#include <linux/export.h>
#include <linux/slab.h>

#include "handler.h"
#include "iopf.h"

/* Valid inside the caller's RCU read section. */
struct iopf_dev *iopf_dev_rcu(struct device *dev)
{
	struct iommu_fault_param *param;

	/*
	 * Pairs with rcu_assign_pointer() in iopf_dev_install(). That the
	 * device is being removed is seen by idev->dead, under the lock.
	 */
	param = rcu_dereference(dev->iommu->fault_param);
	return param ? to_iopf_dev(param) : NULL;
}

/* A reference, or NULL if the device is on no queue, or has no IOMMU any more. */
struct iopf_dev *iopf_dev_get(struct device *dev)
{
	struct iopf_dev *idev;

	rcu_read_lock();
	idev = dev->iommu ? iopf_dev_rcu(dev) : NULL;
	if (idev && !refcount_inc_not_zero(&idev->pub.users))
		idev = NULL;
	rcu_read_unlock();
	return idev;
}

/* Drop @n references, not under iopf_dev.lock. */
void iopf_dev_put_many(struct iopf_dev *idev, int n)
{
	if (!refcount_sub_and_test(n, &idev->pub.users))
		return;
	iopf_lanes_destroy(idev);
	iopf_spare_free(idev);
	iopf_table_exit(&idev->table);
	iopf_q_put(idev->q);
	/* Reporters may still find it, and find it dead. */
	kfree_rcu(idev, pub.rcu);
}

/*
 * Numbers of groups are cookies, so that a device that comes again must not count
 * from the beginning: 2^40 groups for each time that one comes.
 */
static u64 iopf_first_seq(void)
{
	static atomic_t times;

	return (u64)atomic_inc_return(&times) << 40;
}

/* A device of @q whose faults are @handler's, or NULL without memory. */
static struct iopf_dev *iopf_dev_alloc(struct iopf_q *q, struct device *dev,
				       struct iopf_handler *handler)
{
	struct iopf_dev *idev;

	idev = kzalloc(sizeof(*idev), GFP_KERNEL);
	if (!idev)
		return NULL;
	iopf_limits_init(&idev->limits, dev);
	if (iopf_table_init(&idev->table, &idev->limits)) {
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
	init_llist_head(&idev->spare);
	spin_lock_init(&idev->lock);
	xa_init(&idev->lanes);
	INIT_LIST_HEAD(&idev->idle);
	INIT_LIST_HEAD(&idev->ready);
	INIT_LIST_HEAD(&idev->starved);
	INIT_LIST_HEAD(&idev->busy);
	INIT_LIST_HEAD(&idev->awake);
	INIT_LIST_HEAD(&idev->starved_node);
	INIT_LIST_HEAD(&idev->ending);
	idev->seq = iopf_first_seq();
	RCU_INIT_POINTER(idev->handler, handler);
	INIT_LIST_HEAD(&idev->flushes);
	init_waitqueue_head(&idev->flushed);
	return idev;
}

/*
 * Nobody finds the device any more: claim what is still owed. Under
 * iopf_handlers_lock, as its handler may leave after that.
 */
static void iopf_dev_kill(struct iopf_dev *idev)
{
	struct iopf_lane *lane;
	unsigned long index;
	unsigned int nr = 0;

	lockdep_assert_held(&iopf_handlers_lock);
	spin_lock(&idev->lock);
	/* Reporters that found the device before look at this under the lock. */
	idev->dead = true;
	xa_for_each(&idev->lanes, index, lane) {
		iopf_claim_all(lane, &idev->ending);
		iopf_lanes_pause(idev, &nr);
	}
	RCU_INIT_POINTER(idev->handler, NULL);
	spin_unlock(&idev->lock);
}

/* Answer what was claimed, without locks, as always when answers are sent. */
void iopf_dev_end(struct iopf_dev *idev)
{
	if (!idev)
		return;
	iopf_debugfs_remove_device(idev);
	iopf_send(&idev->ending);
	iopf_look_stop(idev);
	iopf_watch_stop(idev);
	iopf_wait_answers(idev);
	iopf_dev_put(idev);
}

/*
 * Put a device on a queue, with the handler that it has. If it is at home, in the
 * library's own queue, it leaves: @left is for the caller to end.
 */
int iopf_dev_install(struct iopf_queue *queue, struct device *dev,
		     struct iopf_dev **left)
{
	struct dev_iommu *iommu = dev->iommu;
	struct iommu_fault_param *old;
	struct iopf_dev *idev;
	int ret = 0;

	lockdep_assert_held(&iopf_handlers_lock);
	if (!dev_iommu_ops(dev)->page_response)
		return -ENODEV;

	mutex_lock(&queue->lock);
	mutex_lock(&iommu->lock);
	old = rcu_dereference_protected(iommu->fault_param,
					lockdep_is_held(&iommu->lock));
	if (old && (queue == old->queue || !iopf_is_home(old->queue))) {
		ret = -EBUSY;
		goto unlock;
	}
	idev = iopf_dev_alloc(to_iopf_q(queue), dev, iopf_handler_of(dev));
	if (!idev) {
		ret = -ENOMEM;
		goto unlock;
	}
	iopf_look_init(idev);
	iopf_watch_init(idev);
	list_add_tail(&idev->pub.queue_list, &queue->devices);
	iopf_debugfs_add_device(idev);
	/* Pairs with rcu_dereference() in iopf_dev_rcu(). */
	rcu_assign_pointer(iommu->fault_param, &idev->pub);
unlock:
	mutex_unlock(&iommu->lock);
	mutex_unlock(&queue->lock);
	if (ret || !old)
		return ret;

	mutex_lock(&old->queue->lock);
	list_del(&old->queue_list);
	mutex_unlock(&old->queue->lock);
	*left = to_iopf_dev(old);
	iopf_dev_kill(*left);
	return 0;
}

/**
 * iopf_queue_add_device() - Put a device on a fault queue
 * @queue: the queue
 * @dev: the device
 *
 * From here on page requests of @dev may be reported. A handler that is registered
 * for @dev stays, see iommu_register_device_fault_handler().
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
	struct iopf_dev *left = NULL;
	int ret;

	mutex_lock(&iopf_handlers_lock);
	ret = iopf_dev_install(queue, dev, &left);
	mutex_unlock(&iopf_handlers_lock);
	iopf_dev_end(left);
	return ret;
}
EXPORT_SYMBOL_GPL(iopf_queue_add_device);

static struct iommu_fault_param *iopf_find_on_queue(struct iopf_queue *queue,
						    struct device *dev)
{
	struct iommu_fault_param *param;

	lockdep_assert_held(&queue->lock);
	list_for_each_entry(param, &queue->devices, queue_list)
		if (param->dev == dev)
			return param;
	return NULL;
}

/*
 * No reporter that comes now finds @param. False if none could: the IOMMU core has
 * released the device.
 */
static bool iopf_hide(struct device *dev, struct iommu_fault_param *param)
{
	struct dev_iommu *iommu = dev->iommu;
	bool found;

	if (!iommu)
		return false;
	mutex_lock(&iommu->lock);
	found = rcu_access_pointer(iommu->fault_param) == param;
	if (found)
		rcu_assign_pointer(iommu->fault_param, NULL);
	mutex_unlock(&iommu->lock);
	return found;
}

/*
 * Take the device off its queue: no reporter that comes now finds it. The caller has to
 * end it. NULL if it is not on @queue. The groups of one that the IOMMU core has released
 * meanwhile are forgotten: the driver that would send their responses does not know the
 * device any more.
 */
struct iopf_dev *iopf_dev_unlink(struct iopf_queue *queue, struct device *dev)
{
	struct iommu_fault_param *param;
	struct iopf_dev *idev;
	bool released = false;

	mutex_lock(&queue->lock);
	param = iopf_find_on_queue(queue, dev);
	if (param) {
		list_del(&param->queue_list);
		released = !iopf_hide(dev, param);
	}
	mutex_unlock(&queue->lock);
	if (!param)
		return NULL;
	idev = to_iopf_dev(param);
	iopf_dev_kill(idev);
	if (released)
		iopf_forget_claimed(&idev->ending);
	return idev;
}

/**
 * iopf_queue_remove_device() - Take a device off its fault queue
 * @queue: the queue
 * @dev: the device
 *
 * Answers all complete groups of the device that were not answered with Invalid
 * Request: those being handled, and those that a domain's handler or a registered one
 * has taken over. Unfinished groups are forgotten: they are owed no response. On return
 * all answers have been sent and page_response is not called for what was reported
 * before. What workers still do and handlers still hold is their own; their later
 * answers do nothing. Nobody waits for the mm here. A handler that is registered for
 * @dev stays, and sees what is reported afterwards.
 *
 * The driver stops page requests of @dev and drains its hardware queue first,
 * and disables PRI on the device after it.
 *
 * Context: Process context, may sleep. The driver holds no lock that its
 * page_response takes.
 */
void iopf_queue_remove_device(struct iopf_queue *queue, struct device *dev)
{
	struct iopf_dev *idev;

	mutex_lock(&iopf_handlers_lock);
	idev = iopf_dev_unlink(queue, dev);
	if (!WARN_ON(!idev))
		iopf_go_home(dev);
	mutex_unlock(&iopf_handlers_lock);
	iopf_dev_end(idev);
}
EXPORT_SYMBOL_GPL(iopf_queue_remove_device);
