// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: queues, devices and registered handlers come and go
 *
 * One who registers sees the faults of a device before the domains of its PASIDs
 * do: a hypervisor, whose guest has the address space, or a driver that wants to
 * know. He belongs to the device, not to its queue. A device that has a handler
 * and no queue of its IOMMU driver is in a queue of the library, on the default queue; when it
 * gets another queue it leaves, and when that goes it comes back.
 */
#include <linux/export.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "entries.h"

/* See objects.h. */
static DEFINE_MUTEX(iopf_handlers_lock);

static LIST_HEAD(iopf_handlers);
/* Made with the first handler that needs it, and kept. */
static struct iopf_queue *iopf_default_queue;

/**
 * iopf_queue_alloc() - Make a fault queue
 * @name: name of its workqueue, unique for the reader's sake
 *
 * An IOMMU driver has one queue for each of its hardware queues, or one for all.
 *
 * Context: Process context, may sleep.
 * Return: the queue, or NULL without memory.
 */
struct iopf_queue *iopf_queue_alloc(const char *name)
{
	struct iopf_fault_queue *fq = iopf_fault_queue_alloc(name);

	if (!fq)
		return NULL;
	iopf_workers_init(&fq->pool);
	iopf_debugfs_add_queue(fq, name);
	return &fq->base;
}
EXPORT_SYMBOL_GPL(iopf_queue_alloc);

/**
 * iopf_queue_free() - Free a fault queue
 * @queue: the queue, or NULL
 *
 * Removes the devices that are still on it, see iopf_queue_remove_device(). What
 * workers and handlers hold of it goes away when they are done; nobody waits for
 * them here.
 *
 * Context: Process context, may sleep. No device is added or removed, and no
 * request reported, at the same time.
 */
void iopf_queue_free(struct iopf_queue *queue)
{
	struct iommu_fault_param *param;

	if (!queue)
		return;

	while ((param = list_first_entry_or_null(&queue->devices,
						 struct iommu_fault_param,
						 queue_list)))
		iopf_queue_remove_device(queue, param->dev);
	iopf_debugfs_remove_queue(to_iopf_fault_queue(queue));
	iopf_fault_queue_put(to_iopf_fault_queue(queue));
}
EXPORT_SYMBOL_GPL(iopf_queue_free);

/* Under RCU or iopf_handlers_lock. */
static struct iopf_handler *iopf_handler_of(struct device *dev)
{
	struct iopf_handler *handler;

	list_for_each_entry_rcu(handler, &iopf_handlers, node,
				lockdep_is_held(&iopf_handlers_lock))
		if (handler->dev == dev)
			return handler;
	return NULL;
}

/* The same for a device that may be on no queue at all, if it takes longer. */
struct iopf_handler *iopf_handler_find(struct device *dev)
{
	struct iopf_handler *handler;

	rcu_read_lock();
	handler = iopf_handler_of(dev);
	if (handler && !refcount_inc_not_zero(&handler->users))
		handler = NULL;
	rcu_read_unlock();
	return handler;
}

/*
 * Nobody finds the device any more: claim what is still owed. Under
 * iopf_handlers_lock, as its handler may leave after that.
 */
static void iopf_device_cancel(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;

	lockdep_assert_held(&iopf_handlers_lock);
	spin_lock(&fdev->lock);
	/* Reporters that found the device before look at this under the lock. */
	fdev->dead = true;
	xa_for_each(&fdev->pqs, index, pq) {
		iopf_cancel_all(pq, &fdev->cancelled);
		iopf_pqs_pause(fdev, &nr);
	}
	RCU_INIT_POINTER(fdev->handler, NULL);
	spin_unlock(&fdev->lock);
}

/* Answer what was claimed, without locks, as always when responses are sent. */
static void iopf_device_finish(struct iopf_device *fdev)
{
	if (!fdev)
		return;
	iopf_debugfs_remove_device(fdev);
	iopf_send(&fdev->cancelled);
	iopf_monitor_stop(fdev);
	iopf_timeout_stop(fdev);
	iopf_wait_responses(fdev);
	iopf_device_put(fdev);
}

/*
 * Put a device on a queue, with the handler that it has. If it is on the default queue, in the
 * library's own queue, it leaves: @left is for the caller to end.
 */
static int iopf_device_install(struct iopf_queue *queue, struct device *dev,
			       struct iopf_device **left)
{
	struct dev_iommu *iommu = dev->iommu;
	struct iommu_fault_param *old;
	struct iopf_device *fdev;
	int ret = 0;

	lockdep_assert_held(&iopf_handlers_lock);
	if (!dev_iommu_ops(dev)->page_response)
		return -ENODEV;

	mutex_lock(&queue->lock);
	mutex_lock(&iommu->lock);
	old = rcu_dereference_protected(iommu->fault_param,
					lockdep_is_held(&iommu->lock));
	if (old && (queue == old->queue || old->queue != iopf_default_queue)) {
		ret = -EBUSY;
		goto unlock;
	}
	fdev = iopf_device_alloc(to_iopf_fault_queue(queue), dev, iopf_handler_of(dev));
	if (!fdev) {
		ret = -ENOMEM;
		goto unlock;
	}
	iopf_monitor_init(fdev);
	iopf_timeout_init(fdev);
	list_add_tail(&fdev->base.queue_list, &queue->devices);
	iopf_debugfs_add_device(fdev);
	/* Pairs with rcu_dereference() in iopf_device_rcu(). */
	rcu_assign_pointer(iommu->fault_param, &fdev->base);
unlock:
	mutex_unlock(&iommu->lock);
	mutex_unlock(&queue->lock);
	if (ret || !old)
		return ret;

	mutex_lock(&old->queue->lock);
	list_del(&old->queue_list);
	mutex_unlock(&old->queue->lock);
	*left = to_iopf_device(old);
	iopf_device_cancel(*left);
	return 0;
}

/*
 * A device without a queue of its driver, but with a handler: to the library's
 * own queue. Without memory it stays outside, and its faults are refused.
 */
static int iopf_add_to_default_queue(struct device *dev)
{
	struct iopf_device *left = NULL;

	lockdep_assert_held(&iopf_handlers_lock);
	if (!iopf_handler_of(dev))
		return 0;
	if (!iopf_default_queue)
		iopf_default_queue = iopf_queue_alloc("handlers");
	return iopf_default_queue ? iopf_device_install(iopf_default_queue, dev, &left) : -ENOMEM;
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
	struct iopf_device *left = NULL;
	int ret;

	mutex_lock(&iopf_handlers_lock);
	ret = iopf_device_install(queue, dev, &left);
	mutex_unlock(&iopf_handlers_lock);
	iopf_device_finish(left);
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
static bool iopf_unpublish(struct device *dev, struct iommu_fault_param *param)
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
static struct iopf_device *iopf_device_unlink(struct iopf_queue *queue, struct device *dev)
{
	struct iommu_fault_param *param;
	struct iopf_device *fdev;
	bool released = false;

	mutex_lock(&queue->lock);
	param = iopf_find_on_queue(queue, dev);
	if (param) {
		list_del(&param->queue_list);
		released = !iopf_unpublish(dev, param);
	}
	mutex_unlock(&queue->lock);
	if (!param)
		return NULL;
	fdev = to_iopf_device(param);
	iopf_device_cancel(fdev);
	if (released)
		iopf_drop_responses(&fdev->cancelled);
	return fdev;
}

/**
 * iopf_queue_remove_device() - Take a device off its fault queue
 * @queue: the queue
 * @dev: the device
 *
 * Answers all complete groups of the device that were not answered with Invalid
 * Request: those being handled, and those that a domain's handler or a registered one
 * has taken over. Unfinished groups are forgotten: they are owed no response. On return
 * all responses have been sent and page_response is not called for what was reported
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
	struct iopf_device *fdev;

	mutex_lock(&iopf_handlers_lock);
	fdev = iopf_device_unlink(queue, dev);
	if (!WARN_ON(!fdev))
		iopf_add_to_default_queue(dev);
	mutex_unlock(&iopf_handlers_lock);
	iopf_device_finish(fdev);
}
EXPORT_SYMBOL_GPL(iopf_queue_remove_device);

/* The device's faults are @new's from now on, unless the old one has some. */
static int iopf_set_handler(struct device *dev, struct iopf_handler *new)
{
	struct iopf_device *fdev = iopf_device_get(dev);
	int ret = 0;

	if (!fdev)
		return 0;
	spin_lock(&fdev->lock);
	if (fdev->nr_handled)
		ret = -EBUSY;
	else
		rcu_assign_pointer(fdev->handler, new);
	spin_unlock(&fdev->lock);
	iopf_device_put(fdev);
	return ret;
}

static int iopf_register(struct iopf_handler *handler)
{
	struct device *dev = handler->dev;
	int ret = 0;

	lockdep_assert_held(&iopf_handlers_lock);
	if (!dev->iommu || !dev->iommu->iommu_dev)
		return -ENODEV;
	if (iopf_handler_of(dev))
		return -EBUSY;
	list_add_rcu(&handler->node, &iopf_handlers);
	if (rcu_access_pointer(dev->iommu->fault_param))
		ret = iopf_set_handler(dev, handler);
	else if (dev_iommu_ops(dev)->page_response)
		ret = iopf_add_to_default_queue(dev);
	if (ret)
		list_del_rcu(&handler->node);
	return ret;
}

/**
 * iommu_register_device_fault_handler() - Be the first to see a device's faults
 * @dev: the device, behind an IOMMU
 * @handler: called for each fault of @dev, in the reporter's context
 * @data: what @handler is called with
 *
 * @handler sees page requests that iommu_report_device_fault() and
 * iopf_report_requests() report, Stop Markers excepted, and unrecoverable faults.
 * What it says decides:
 *
 * * %IOMMU_FAULT_STATUS_HANDLED: the request is the handler's. If it is the last of
 *   its group, or has a flag of &struct iopf_request, a response is owed:
 *   iommu_page_response() or iommu_page_response_by_cookie() gives it, from any
 *   context that may sleep as the driver's page_response may. It answers the whole
 *   group, earlier requests that were let go on included.
 * * %IOMMU_FAULT_STATUS_CONTINUE: the request goes on as without a handler. A handler
 *   that wants whole groups lets all but the last ones go on: the library keeps them,
 *   and iopf_fault_whole_group() shows them with the last one.
 * * a negative errno: the request is refused.
 *
 * The library watches over the response. When the queue's timeout (iopf.prq_timeout) is
 * over, and when the PASID is flushed or the device removed from its queue, the group
 * is answered with Invalid Request, and the handler is too late.
 *
 * The handler belongs to the device whether or not that is on a fault queue. One that
 * is not gets a queue of the library's own; with iopf_queue_add_device() it moves to
 * the driver's, with iopf_queue_remove_device() it comes back. Both answer what is
 * pending.
 *
 * The handler has to be unregistered before the IOMMU core releases the device, at
 * BUS_NOTIFY_REMOVED_DEVICE, and the caller makes sure that the device is not released
 * while it registers. A driver that is bound to the device does both. Others want a bus
 * notifier with a priority above 0, the IOMMU core's. The registration holds a reference
 * to the device, so one that is unregistered too late is found, and no other device takes
 * its place; until then, timeouts call the driver for a device that it has released.
 *
 * Context: Process context, may sleep.
 * Return:
 * * %0 - the handler sees what is reported from now on
 * * %-EBUSY - the device has a handler already
 * * %-ENODEV - the device is not behind an IOMMU
 * * %-EINVAL - no @handler
 * * %-ENOMEM - no memory
 */
int iommu_register_device_fault_handler(struct device *dev,
					iommu_dev_fault_handler_t handler,
					void *data)
{
	struct iopf_handler *new;
	int ret;

	if (!handler)
		return -EINVAL;
	new = iopf_handler_alloc(dev, handler, data);
	if (!new)
		return -ENOMEM;

	static_branch_inc(&iopf_handlers_exist);
	mutex_lock(&iopf_handlers_lock);
	ret = iopf_register(new);
	mutex_unlock(&iopf_handlers_lock);
	if (ret) {
		static_branch_dec(&iopf_handlers_exist);
		iopf_handler_free(new);
	}
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_register_device_fault_handler);

/**
 * iommu_unregister_device_fault_handler() - Be it no longer
 * @dev: the device
 *
 * On return the handler does not run and is not called any more. If the IOMMU core has
 * released the device, its faults are forgotten without a response.
 *
 * Context: Process context, may sleep; waits for calls of the handler, so not from
 * the handler itself.
 * Return:
 * * %0 - done
 * * %-EBUSY - the handler has faults that it has not answered
 * * %-EINVAL - nobody has registered
 */
int iommu_unregister_device_fault_handler(struct device *dev)
{
	struct iopf_handler *handler;
	struct iopf_device *fdev = NULL;
	int ret = -EINVAL;

	mutex_lock(&iopf_handlers_lock);
	handler = iopf_handler_of(dev);
	if (handler)
		ret = iopf_set_handler(dev, NULL);
	if (!ret) {
		list_del_rcu(&handler->node);
		if (iopf_default_queue)
			fdev = iopf_device_unlink(iopf_default_queue, dev);
	}
	mutex_unlock(&iopf_handlers_lock);
	if (ret)
		return ret;
	iopf_device_finish(fdev);
	iopf_handler_free(handler);
	static_branch_dec(&iopf_handlers_exist);
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_unregister_device_fault_handler);
