// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: page requests come in
 *
 * The entry for IOMMU drivers, and the only way in. Several requests, a single one
 * and one that its driver refuses are all taken in by iopf_add_request(). Where a handler
 * has registered for the device's faults it is asked, before a request is taken in
 * or with the group that the request completes.
 */
#include <linux/export.h>
#include <linux/minmax.h>
#include <trace/events/iopf.h>

#include "entries.h"

/* Requests that are taken in under one hold of the lock. */
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

/* Answer a request that made it into no group. */
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

/* The lock is gone, and @request, the last of those taken in, was taken with @ret. */
static int iopf_finish(struct device *dev, const struct iopf_request *request,
		       int ret, struct iopf_actions *actions)
{
	if (unlikely(ret) && ret != -EEXIST && list_empty(&actions->claimed) &&
	    iopf_is_owed(request))
		iopf_refuse(dev, request);
	return iopf_finish_add(dev, ret, actions);
}

/*
 * Report as many of @requests, from the first one on, as need nothing but the lock, in
 * one hold of it. Returns how many these are, none if a handler has to be asked or the
 * device is on no queue; @ret is what came of the last one.
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
		n = iopf_add_requests(fdev, dev, requests,
				      min(count, IOPF_RUN_REQUESTS), ret, &actions);
		spin_unlock(&fdev->lock);
	}
	rcu_read_unlock();

	if (n)
		*ret = iopf_finish(dev, &requests[n - 1], *ret, &actions);
	return n;
}

/*
 * Report a request whose device has a registered handler, or is on no queue. May sleep
 * as the handler does.
 */
static noinline int iopf_report_to_handler(struct device *dev,
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
		ret = iopf_add_request(fdev, dev, request, handler, &actions);
		spin_unlock(&fdev->lock);
	}
	ret = iopf_finish(dev, request, ret, &actions);
	if (actions.asked)
		ret = iopf_call_handler(fdev, dev, handler, request, actions.prg);
	iopf_handler_put(handler);
	iopf_device_put(fdev);
	return ret;
}

/* What came of the first error is returned, and all are reported. */
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
			err = iopf_report_to_handler(dev, &requests[i]);
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
 * @evt: the page request; copied, the caller keeps it
 *
 * Joins the request to its group (PCIe 6.0, 10.4: requests with the same PASID
 * and Page Request Group Index, up to the one marked as the last). With the
 * last request the group goes to the SVA fault handling of this library, which
 * works in the background, or to the iopf_handler of the PASID's domain, which
 * is called from here. Somebody who has registered for faults of @dev is asked
 * before both, see iommu_register_device_fault_handler().
 *
 * A group is answered exactly once by iommu_ops.page_response, in any case: by
 * its handler, by this function if nobody handles it, or when the device, the
 * PASID or the queue goes away. A request that is not the last one of its group
 * is never answered by itself.
 *
 * PASID Stop Markers may be reported: they end the unfinished groups of their
 * PASID and get no response.
 *
 * The caller makes sure that a PASID is detached only after the reports of its
 * requests have returned.
 *
 * Context: Process context, under any lock of the driver that page_response
 * does not take. Does not sleep, unless a domain's own handler does.
 * Return: whatever it is, the caller need not answer:
 *
 * * %0 - the request was taken
 * * %-EINVAL - malformed, or nobody handles faults of this PASID
 * * %-ENODEV - the device is on no fault queue
 * * %-ENOMEM - no memory, not even the queue's reserve, or a limit of the device
 *   is reached
 * * %-EEXIST - the group is being handled already; this request is dropped
 * * %-EBUSY - a handler that responses by PASID and index may still be late with an
 *   answer to an earlier group of this pair
 * * other - what the domain's handler, or the registered one, returned
 */
int iommu_report_device_fault(struct device *dev, struct iopf_fault *evt)
{
	const struct iopf_request request = { .fault = evt->fault };

	return iopf_report(dev, &request, 1);
}
EXPORT_SYMBOL_GPL(iommu_report_device_fault);

/**
 * iopf_report_requests() - Report page requests of a device
 * @dev: the device
 * @requests: the page requests, in the order that the device has sent them; copied,
 *	the caller keeps them
 * @count: how many
 *
 * As iommu_report_device_fault() for each of them, for drivers that read several
 * from their hardware queue at once, or whose requests have flags, see
 * &struct iopf_request.
 *
 * Context: As iommu_report_device_fault().
 * Return: 0, or the first error; later requests were reported nevertheless.
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
 * Instead of reporting it, as iopf_report_requests() of a request with
 * %IOPF_REQUEST_REFUSED. The whole group of @fault is answered with Invalid Request
 * when its last request comes, which may be this one. A Stop Marker is none to be
 * refused, and is taken as one.
 *
 * Context: As iommu_report_device_fault().
 * Return: %-EINVAL, or what has kept the request from its group.
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
