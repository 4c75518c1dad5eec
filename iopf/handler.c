// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: who has registered for a device's faults
 *
 * One who registers sees the faults of a device before the domains of its PASIDs
 * do: a hypervisor, whose guest has the address space, or a driver that wants to
 * know. He belongs to the device, not to its queue. A device that has a handler
 * and no queue of its IOMMU driver is in a queue of the library, at home; when it
 * gets another queue it leaves, and when that goes it comes back.
 *
 * All that is rare. Reporters look for a handler only where there is one at all,
 * which a static key says.
 */
#include <linux/export.h>
#include <linux/rculist.h>
#include <linux/slab.h>

#include "handler.h"
#include "iopf.h"

DEFINE_STATIC_KEY_FALSE(iopf_handlers_exist);
/* See iopf.h. */
DEFINE_MUTEX(iopf_handlers_lock);

static LIST_HEAD(iopf_handlers);
/* Made with the first handler that needs it, and kept. */
static struct iopf_queue *iopf_home;

bool iopf_is_home(struct iopf_queue *queue)
{
	lockdep_assert_held(&iopf_handlers_lock);
	return queue == iopf_home;
}

/* Under RCU or iopf_handlers_lock. */
struct iopf_handler *iopf_handler_of(struct device *dev)
{
	struct iopf_handler *handler;

	list_for_each_entry_rcu(handler, &iopf_handlers, node,
				lockdep_is_held(&iopf_handlers_lock))
		if (handler->dev == dev)
			return handler;
	return NULL;
}

/* For a call of it. NULL if there is none, or none any more. */
struct iopf_handler *iopf_handler_get(struct iopf_dev *idev)
{
	struct iopf_handler *handler;

	rcu_read_lock();
	/* Pairs with rcu_assign_pointer() where handlers change. */
	handler = rcu_dereference(idev->handler);
	if (handler && !refcount_inc_not_zero(&handler->users))
		handler = NULL;
	rcu_read_unlock();
	return handler;
}

/* The same for a device that may be on no queue at all, if it takes longer. */
static struct iopf_handler *iopf_handler_find(struct device *dev)
{
	struct iopf_handler *handler;

	rcu_read_lock();
	handler = iopf_handler_of(dev);
	if (handler && !refcount_inc_not_zero(&handler->users))
		handler = NULL;
	rcu_read_unlock();
	return handler;
}

void iopf_handler_put(struct iopf_handler *handler)
{
	if (handler && refcount_dec_and_test(&handler->users))
		complete(&handler->idle);
}

/*
 * A device without a queue of its driver, but with a handler: to the library's
 * own queue. Without memory it stays outside, and its faults are refused.
 */
int iopf_go_home(struct device *dev)
{
	struct iopf_dev *left = NULL;

	lockdep_assert_held(&iopf_handlers_lock);
	if (!iopf_handler_of(dev))
		return 0;
	if (!iopf_home)
		iopf_home = iopf_queue_alloc("handlers");
	return iopf_home ? iopf_dev_install(iopf_home, dev, &left) : -ENOMEM;
}

/* The device's faults are @new's from now on, unless the old one has some. */
static int iopf_set_handler(struct device *dev, struct iopf_handler *new)
{
	struct iopf_dev *idev = iopf_dev_get(dev);
	int ret = 0;

	if (!idev)
		return 0;
	spin_lock(&idev->lock);
	if (idev->nr_handled)
		ret = -EBUSY;
	else
		rcu_assign_pointer(idev->handler, new);
	spin_unlock(&idev->lock);
	iopf_dev_put(idev);
	return ret;
}

/* Nobody finds it any more: wait for those that have found it. */
static void iopf_handler_free(struct iopf_handler *handler)
{
	iopf_handler_put(handler);
	wait_for_completion(&handler->idle);
	put_device(handler->dev);
	kfree_rcu(handler, rcu);
}

static struct iopf_handler *iopf_handler_alloc(struct device *dev,
					       iommu_dev_fault_handler_t fn,
					       void *data)
{
	struct iopf_handler *handler;

	handler = kzalloc(sizeof(*handler), GFP_KERNEL);
	if (!handler)
		return NULL;
	handler->dev = get_device(dev);
	handler->handler = fn;
	handler->data = data;
	refcount_set(&handler->users, 1);
	init_completion(&handler->idle);
	spin_lock_init(&handler->lock);
	return handler;
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
		ret = iopf_go_home(dev);
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
 *   its group, or has a mark of &struct iopf_request, an answer is owed:
 *   iommu_page_response() or iommu_page_response_by_cookie() gives it, from any
 *   context that may sleep as the driver's page_response may. It answers the whole
 *   group, earlier requests that were let go on included.
 * * %IOMMU_FAULT_STATUS_CONTINUE: the request goes on as without a handler. A handler
 *   that wants whole groups lets all but the last ones go on: the library keeps them,
 *   and iopf_fault_whole_group() shows them with the last one.
 * * a negative errno: the request is refused.
 *
 * The library watches over the answer. When the queue's timeout (iopf.prq_timeout) is
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
	struct iopf_dev *idev = NULL;
	int ret = -EINVAL;

	mutex_lock(&iopf_handlers_lock);
	handler = iopf_handler_of(dev);
	if (handler)
		ret = iopf_set_handler(dev, NULL);
	if (!ret) {
		list_del_rcu(&handler->node);
		if (iopf_home)
			idev = iopf_dev_unlink(iopf_home, dev);
	}
	mutex_unlock(&iopf_handlers_lock);
	if (ret)
		return ret;
	iopf_dev_end(idev);
	iopf_handler_free(handler);
	static_branch_dec(&iopf_handlers_exist);
	return 0;
}
EXPORT_SYMBOL_GPL(iommu_unregister_device_fault_handler);

/**
 * iommu_report_unrecoverable_fault() - Report a fault that nobody can help with
 * @dev: the device
 * @fault: what is known of it; copied, the caller keeps it
 *
 * For faults that the IOMMU has ended by itself: the device does not wait, so there
 * is nothing to answer. The registered handler gets to know, nobody else.
 *
 * Context: Process context, under any lock of the driver that the handler does not
 * take.
 * Return: 0 if the handler has taken notice, %-ENOENT if nobody has registered or the
 * handler would not have it, or what the handler returned.
 */
int iommu_report_unrecoverable_fault(struct device *dev,
				     const struct iommu_fault_unrecoverable *fault)
{
	struct iopf_event event = {
		.request.fault.type = IOMMU_FAULT_DMA_UNRECOV,
		.unrecoverable = fault,
	};
	struct iopf_handler *handler;
	int ret = -ENOENT;

	handler = iopf_handler_find(dev);
	if (handler) {
		ret = handler->handler(&event.request.fault, handler->data);
		if (ret == IOMMU_FAULT_STATUS_CONTINUE)
			ret = -ENOENT;
	}
	iopf_handler_put(handler);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_report_unrecoverable_fault);
