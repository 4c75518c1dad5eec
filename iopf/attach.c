// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: adding and removing queues, devices and registered handlers
 */
#include <linux/export.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "entries.h"

/**
 * DOC: Attach
 *
 * A registered handler sees the faults of a device before the domains of its PASIDs do:
 * for a hypervisor whose guest has the address space, or a driver that wants to know.
 * Registration is per device and survives queue changes. A device with a registered
 * handler that is on no queue of its IOMMU driver is on the library's default queue. It
 * leaves the default queue when it is added to another one, and returns when it is
 * removed from that.
 */

/* See "DOC: Locks". */
static DEFINE_MUTEX(iopf_handlers_lock);

static LIST_HEAD(iopf_handlers);
/* Allocated on first use, never freed. */
static struct iopf_queue *iopf_default_queue;

/**
 * iopf_queue_alloc() - Allocate a fault queue
 * @name: name of its workqueues and of its debugfs folder, should be unique
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
 * Removes the devices that are still on the queue, see iopf_queue_remove_device(). Workers and
 * handlers may keep parts of it until they are done. Does not wait for them.
 *
 * Context: Process context, may sleep. No device is added or removed, and no request reported, at
 * the same time.
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

/* Find the handler registered for @dev. Under RCU or iopf_handlers_lock. */
static struct iopf_handler *iopf_handler_of(struct device *dev)
{
	struct iopf_handler *handler;

	list_for_each_entry_rcu(handler, &iopf_handlers, node,
				lockdep_is_held(&iopf_handlers_lock))
		if (handler->dev == dev)
			return handler;
	return NULL;
}

/* Find and reference the handler registered for @dev, which may be on no queue. */
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
 * Claim the groups of a device that reporters can no longer find. Under
 * iopf_handlers_lock, as its registered handler may be unregistered afterwards.
 */
static void iopf_device_cancel(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;

	lockdep_assert_held(&iopf_handlers_lock);
	spin_lock(&fdev->lock);
	/* Reporters that found the device before check this under the lock. */
	fdev->dead = true;
	xa_for_each(&fdev->pqs, index, pq) {
		iopf_cancel_all(pq, &fdev->cancelled);
		iopf_pqs_pause(fdev, &nr);
	}
	RCU_INIT_POINTER(fdev->handler, NULL);
	spin_unlock(&fdev->lock);
}

/*
 * Send the responses of a cancelled device and drop the queue's reference. Without locks,
 * as responses are sent.
 */
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
 * Add a device to a queue, with its registered handler. If the device is on the default
 * queue it is removed from there: @left is for the caller to finish.
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
 * Add a device that has a registered handler, and is on no queue of its driver, to the
 * default queue. Without memory it stays outside, and its faults are refused.
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
 * iopf_queue_add_device() - Add a device to a fault queue
 * @queue: the queue
 * @dev: the device
 *
 * Page requests of @dev may be reported from here on. A handler that is registered for @dev stays
 * registered, see iommu_register_device_fault_handler().
 *
 * Context: Process context, may sleep.
 * Return:
 * * %0 - success
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
 * Make sure that reporters no longer find @param. False: the IOMMU core has released the
 * device.
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
 * Remove the device from its queue. NULL: it is not on @queue. The caller has to finish
 * it. If the IOMMU core has released the device its groups get no response, as the driver
 * does not know it any more.
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
 * iopf_queue_remove_device() - Remove a device from its fault queue
 * @queue: the queue
 * @dev: the device
 *
 * Sends Invalid Request to all complete groups of the device that have no response: those being
 * handled, and those that a domain's handler or a registered handler owns. Unfinished groups
 * are forgotten: no response is owed to them. On return all responses have been sent, and
 * page_response is not called any more for what was reported before, by reports that have
 * returned. Workers and handlers may keep groups; their later responses do nothing. Does not wait
 * for the mm. A handler that is registered for @dev stays registered.
 *
 * The driver stops page requests of @dev and drains its hardware queue first, and disables PRI on
 * the device afterwards.
 *
 * Context: Process context, may sleep. The driver holds no lock that its page_response takes.
 */
void iopf_queue_remove_device(struct iopf_queue *queue, struct device *dev)
{
	struct iopf_device *fdev;

	mutex_lock(&iopf_handlers_lock);
	fdev = iopf_device_unlink(queue, dev);
	/* Nothing is reported any more for a device that the IOMMU core has released. */
	if (!WARN_ON(!fdev) && dev->iommu)
		iopf_add_to_default_queue(dev);
	mutex_unlock(&iopf_handlers_lock);
	iopf_device_finish(fdev);
}
EXPORT_SYMBOL_GPL(iopf_queue_remove_device);

/*
 * Set or clear the registered handler of a device that is on a queue. -EBUSY: the handler
 * has faults.
 */
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
 * iommu_register_device_fault_handler() - Register a device fault handler
 * @dev: the device, behind an IOMMU
 * @handler: called for each fault of @dev, in the reporter's context
 * @data: argument of @handler
 *
 * @handler is called with page requests that iommu_report_device_fault() and
 * iopf_report_requests() report, and with unrecoverable faults. Stop Markers, refused requests and
 * those whose index the device cannot have are not shown. Its return value decides:
 *
 * * %IOMMU_FAULT_STATUS_HANDLED: the handler keeps the request. If it is the last of its group, or
 *   has a flag of &struct iopf_request, a response is owed, by iommu_page_response() or
 *   iommu_page_response_by_cookie(), from any context that may sleep as the driver's page_response
 *   may. It is the response of the whole group, with the earlier requests that the handler has let
 *   continue.
 * * %IOMMU_FAULT_STATUS_CONTINUE: the request continues as without a handler. A handler that wants
 *   whole groups lets all but the last request continue: the library keeps them, and
 *   iopf_fault_whole_group() returns them with the last one.
 * * a negative errno: the request is refused.
 *
 * The library sends Invalid Request if the handler does not respond within the queue's timeout
 * (iopf.prq_timeout), and when the PASID is flushed or the device removed from its queue. The
 * handler's response is late then.
 *
 * Registration is per device, whether or not it is on a fault queue. A device that is on none is
 * added to a queue of the library; iopf_queue_add_device() moves it to the driver's, and
 * iopf_queue_remove_device() moves it back. Both send responses to what is pending.
 *
 * The handler has to be unregistered before the IOMMU core releases the device, at
 * BUS_NOTIFY_REMOVED_DEVICE, and the caller makes sure that the device is not released while it
 * registers. A driver that is bound to the device does both. Others need a bus notifier with a
 * priority above 0, the IOMMU core's. The registration holds a reference to the device, so a
 * handler that is unregistered too late is found; until then timeouts call the driver for a
 * device that it has released.
 *
 * Context: Process context, may sleep.
 * Return:
 * * %0 - the handler is called for faults from here on
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
 * iommu_unregister_device_fault_handler() - Unregister a device fault handler
 * @dev: the device
 *
 * On return the handler does not run and is not called any more. If the IOMMU core has released
 * the device, its faults end without a response.
 *
 * Context: Process context, may sleep. Waits for calls of the handler, so not from the handler
 * itself.
 * Return:
 * * %0 - success
 * * %-EBUSY - the handler has faults that it has not responded to
 * * %-EINVAL - the device has no registered handler
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
