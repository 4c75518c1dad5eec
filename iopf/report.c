// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: reporting page requests
 *
 * The entry for IOMMU drivers. Single requests, several at once and those that their
 * driver refuses are all added by assemble.c. If a handler is registered for the device
 * it is called before a request is added, or with the group that the request completes.
 */
#include <linux/export.h>
#include <linux/minmax.h>
#include <trace/events/iopf.h>

#include "entries.h"

/* Requests that are added in one hold of the lock. */
#define IOPF_RUN_REQUESTS	32U

static noinline void iopf_end_report(struct device *dev, u64 begun)
{
	struct iopf_device *fdev;

	rcu_read_lock();
	fdev = iopf_device_rcu(dev);
	if (fdev) {
		spin_lock(&fdev->lock);
		iopf_count_time(&fdev->stats, IOPF_REPORT, begun);
		spin_unlock(&fdev->lock);
	}
	rcu_read_unlock();
}

/* Send Invalid Request to a request that is in no group. */
static noinline void iopf_refuse(struct device *dev,
				 const struct iopf_request *request)
{
	const struct iopf_key key = iopf_key(&request->fault);
	struct iopf_device *fdev = iopf_device_get(dev);

	iopf_warn_refused(dev, key.pasid, key.grpid);
	iopf_send_invalid(fdev, dev, request);
	if (fdev)
		iopf_device_put(fdev);
}

/* Finish without the lock after @request, the last one, was added with result @ret. */
static inline int iopf_finish(struct device *dev, const struct iopf_request *request,
			      int ret, struct iopf_actions *actions)
{
	if (unlikely(ret) && ret != -EEXIST && list_empty(&actions->claimed) &&
	    iopf_is_owed(request))
		iopf_refuse(dev, request);
	return iopf_finish_add(dev, ret, actions);
}

/*
 * Report as many of @requests as need nothing but the lock, in one hold of it. Return how
 * many: 0 if a handler has to be called, or the device is on no queue. @ret is the result
 * of the last one.
 */
static unsigned int iopf_report_run(struct device *dev,
				    const struct iopf_request *requests,
				    unsigned int count, int *ret)
{
	struct iopf_actions actions = IOPF_ACTIONS_INIT(actions);
	struct iopf_device *fdev;
	unsigned int n = 0;

	rcu_read_lock();
	fdev = iopf_device_rcu(dev);
	if (fdev && !iopf_has_handler(fdev)) {
		spin_lock(&fdev->lock);
		n = iopf_add_requests(fdev, requests, min(count, IOPF_RUN_REQUESTS),
				      &actions);
		spin_unlock(&fdev->lock);
	}
	rcu_read_unlock();

	if (n)
		*ret = iopf_finish(dev, &requests[n - 1], actions.ret, &actions);
	return n;
}

/*
 * Report a request whose device has a registered handler or is on no queue. May sleep as
 * the handler.
 */
static noinline int iopf_report_slow(struct device *dev,
				     const struct iopf_request *request)
{
	struct iopf_actions actions = IOPF_ACTIONS_INIT(actions);
	struct iopf_handler *handler;
	struct iopf_device *fdev;
	int ret;

	if (request->fault.type != IOMMU_FAULT_PAGE_REQ)
		return -EINVAL;
	trace_iopf_report(dev, &request->fault);
	fdev = iopf_device_get(dev);
	if (!fdev)
		return iopf_finish(dev, request, -ENODEV, &actions);

	handler = iopf_handler_get(fdev);
	ret = iopf_admit(fdev, handler, request);
	if (ret == IOMMU_FAULT_STATUS_CONTINUE) {
		spin_lock(&fdev->lock);
		ret = iopf_add_request(fdev, request, handler, &actions);
		spin_unlock(&fdev->lock);
	}
	ret = iopf_finish(dev, request, ret, &actions);
	if (actions.to_handler)
		ret = iopf_call_handler(fdev, dev, handler, request, actions.prg);
	iopf_handler_put(handler);
	iopf_device_put(fdev);
	return ret;
}

/* Report all requests. Return the first error. */
static int iopf_report(struct device *dev, const struct iopf_request *requests,
		       unsigned int count)
{
	u64 begun = iopf_now();
	unsigned int i;
	unsigned int n;
	int ret = 0;
	int err;

	for (i = 0; i < count; i += n) {
		n = iopf_report_run(dev, requests + i, count - i, &err);
		if (unlikely(!n)) {
			err = iopf_report_slow(dev, &requests[i]);
			n = 1;
		}
		ret = ret ?: err;
	}
	if (begun)
		iopf_end_report(dev, begun);
	return ret;
}

/**
 * iommu_report_device_fault() - Report a page request of a device
 * @dev: the device
 * @evt: the page request; copied
 *
 * Adds the request to its group (PCIe 6.0, 10.4: requests with the same PASID and Page Request
 * Group Index, up to the one marked as the last). With the last request the group goes to the
 * workers of this library if the PASID has an SVA domain, or to the iopf_handler of its domain,
 * which is called from here. A handler that is registered for @dev is called before both, see
 * iommu_register_device_fault_handler().
 *
 * Each group gets exactly one response by iommu_ops.page_response: from its handler, from this
 * function if there is none, or when the device, the PASID or the queue goes away. A request
 * that is not the last one of its group gets no response of its own.
 *
 * PASID Stop Markers may be reported: they end the unfinished groups of their PASID, and get no
 * response.
 *
 * The caller makes sure that a PASID is detached only after reports of its requests
 * have returned.
 *
 * Context: Process context, under any lock of the driver that page_response does not take.
 * Sleeps only if a domain's own handler, a registered handler or page_response does.
 * Return: in any case the caller sends no response:
 *
 * * %0 - the request was added. If it is not the last one of its group and was malformed or had
 *   no room, its group is refused when the last one comes
 * * %-EINVAL - the group is refused, as one of its requests was malformed or had no room; or the
 *   PASID's domain has no handler
 * * %-ENODEV - the device is on no fault queue
 * * %-ENOMEM - no memory for another group, or a limit of the device is reached
 * * %-EEXIST - a group with this index has no response yet; the request is dropped
 * * %-EBUSY - a late response to an earlier group with this PASID and index is still expected
 * * other - what the domain's or the registered handler returned
 */
int iommu_report_device_fault(struct device *dev, struct iopf_fault *evt)
{
	const struct iopf_request request = { .fault = evt->fault };

	return iopf_report(dev, &request, 1);
}
EXPORT_SYMBOL_GPL(iommu_report_device_fault);

/**
 * iopf_report_requests() - Report several page requests of a device
 * @dev: the device
 * @requests: the page requests, in the order in which the device has sent them; copied
 * @count: how many
 *
 * As iommu_report_device_fault() for each of them. For drivers that read several requests from
 * their hardware queue at once, or whose requests have flags, see &struct iopf_request.
 *
 * Context: As iommu_report_device_fault().
 * Return: 0, or the first error; later requests are reported nevertheless.
 */
int iopf_report_requests(struct device *dev,
			 const struct iopf_request *requests,
			 unsigned int count)
{
	return iopf_report(dev, requests, count);
}
EXPORT_SYMBOL_GPL(iopf_report_requests);

/**
 * iopf_refuse_request() - Report a page request that must not be handled
 * @dev: the device
 * @fault: the request
 *
 * As iopf_report_requests() of a request with %IOPF_REQUEST_REFUSED. The whole group of @fault
 * gets Invalid Request when its last request comes, which may be this one. A Stop Marker cannot
 * be refused, and is handled as one.
 *
 * Context: As iommu_report_device_fault().
 * Return: %-EINVAL, or the error that has kept the request from its group.
 */
int iopf_refuse_request(struct device *dev, const struct iommu_fault *fault)
{
	const struct iopf_request request = {
		.fault = *fault,
		.flags = IOPF_REQUEST_REFUSED,
	};

	return iopf_report(dev, &request, 1) ?: -EINVAL;
}
EXPORT_SYMBOL_GPL(iopf_refuse_request);

/**
 * iommu_report_unrecoverable_fault() - Report a fault that cannot be handled
 * @dev: the device
 * @fault: the fault; the handler may use it until it returns
 *
 * For faults that the IOMMU has ended by itself: the device does not wait, so no response is
 * owed. The registered handler is called, if there is one.
 *
 * Context: Process context, under any lock of the driver that the handler does not take.
 * Return: 0 if the handler has handled it, %-ENOENT if there is no handler or it let the fault
 * continue, or the handler's error.
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
