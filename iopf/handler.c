// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: calling registered handlers
 */
#include <linux/export.h>
#include <trace/events/iopf.h>

#include "handlers.h"

/**
 * DOC: Handlers
 *
 * A registered handler is called with a request that no response is owed to before the
 * request is added to its group. A request that a response is owed to completes its group
 * first, so that timeout, flush and removal find the group like any other. While the
 * handler owns the group no worker does. Then the handler responds, or the group
 * continues to its domain.
 *
 * Handlers are rare. Reporters look for one only if any is registered, which a static key
 * tells.
 */

DEFINE_STATIC_KEY_FALSE(iopf_handlers_exist);

static int iopf_show(struct iopf_handler *handler,
		     const struct iopf_request *request, struct iopf_prg *prg)
{
	struct iopf_event event = {
		.request = *request,
		.prg = prg,
		.handler = handler,
	};

	return handler->handler(&event.request.fault, handler->data);
}

/*
 * Return true if handlers are called with @request: not with Stop Markers and refused
 * requests.
 */
static bool iopf_is_shown(const struct iopf_request *request)
{
	return request->fault.type == IOMMU_FAULT_PAGE_REQ &&
	       !iopf_is_stop_marker(&request->fault) &&
	       !(request->flags & IOPF_REQUEST_REFUSED);
}

/*
 * Refuse a group whose key is quarantined. Its earlier requests are forgotten, so that
 * they do not join the next group with its index.
 */
static void iopf_refuse_quarantined(struct iopf_device *fdev,
				    const struct iopf_request *request)
{
	struct iopf_key key = iopf_key(&request->fault);
	struct iopf_prg *prg = NULL;
	LIST_HEAD(claimed);

	spin_lock(&fdev->lock);
	fdev->stats.quarantined++;
	if (!iopf_is_single(request))
		prg = iopf_prg_find(fdev, &key);
	if (prg && prg->owner == IOPF_OWNER_ASSEMBLING)
		iopf_claim(fdev, prg, IOPF_RESP_NONE, &claimed);
	spin_unlock(&fdev->lock);
	iopf_send(&claimed);
}

/*
 * Call @handler, which may be NULL, with a request that no response is owed to, and check
 * the quarantine. %IOMMU_FAULT_STATUS_CONTINUE: add the request to its group. 0: the
 * handler keeps it. Or an error.
 */
int iopf_admit(struct iopf_device *fdev, struct iopf_handler *handler,
	       const struct iopf_request *request)
{
	struct iopf_key key = iopf_key(&request->fault);
	int ret;

	if (!handler || !iopf_is_shown(request) ||
	    !iopf_grpid_fits(fdev, &request->fault))
		return IOMMU_FAULT_STATUS_CONTINUE;
	if (!iopf_is_owed(request)) {
		ret = iopf_show(handler, request, NULL);
		return ret > IOMMU_FAULT_STATUS_CONTINUE ? -EINVAL : ret;
	}
	if (!iopf_is_quarantined(handler, &key))
		return IOMMU_FAULT_STATUS_CONTINUE;
	iopf_refuse_quarantined(fdev, request);
	return -EBUSY;
}

/*
 * Let a group of a registered handler continue to its domain. -EINVAL: it was claimed, or
 * has continued before. The caller has a reference.
 */
static int iopf_continue(struct iopf_device *fdev, struct device *dev,
			 struct iopf_prg *prg)
{
	const struct iommu_fault *fault = &prg->base.last_fault.fault;
	struct iopf_actions actions = IOPF_ACTIONS_INIT(actions);
	int ret = -EINVAL;

	spin_lock(&fdev->lock);
	if (prg->owner == IOPF_OWNER_HANDLER) {
		prg->by_pair = false;
		if (prg->mm && iopf_is_malformed(dev, prg->mm, fault)) {
			fdev->stats.malformed++;
			prg->rejected = true;
		}
		ret = iopf_route(fdev, prg, NULL, &actions);
	}
	spin_unlock(&fdev->lock);
	return iopf_finish_add(dev, ret, &actions);
}

/*
 * Call @handler with a complete group that it owns, which @request has completed. Drops
 * the caller's reference to @prg.
 */
int iopf_call_handler(struct iopf_device *fdev, struct device *dev,
		      struct iopf_handler *handler, const struct iopf_request *request,
		      struct iopf_prg *prg)
{
	int ret = iopf_show(handler, request, prg);

	if (ret != IOMMU_FAULT_STATUS_HANDLED)
		iopf_quarantine_cancel(handler, &prg->key);
	if (ret == IOMMU_FAULT_STATUS_CONTINUE) {
		ret = iopf_continue(fdev, dev, prg);
	} else if (ret != IOMMU_FAULT_STATUS_HANDLED) {
		iopf_respond(prg, IOMMU_PAGE_RESP_INVALID);
		ret = ret < 0 ? ret : -EINVAL;
	}
	iopf_prg_put(prg);
	return ret;
}

/* Find the handler's group that @fault has completed, and reference it. */
static struct iopf_prg *iopf_find_handled(struct iopf_device *fdev,
					  const struct iommu_fault *fault)
{
	struct iopf_key key = iopf_key(fault);
	struct iopf_prg *prg;

	if (!iopf_is_last(fault))
		key.flags |= IOPF_KEY_SINGLE;
	spin_lock(&fdev->lock);
	for (prg = iopf_prg_find(fdev, &key); prg; prg = iopf_prg_next(prg))
		if (prg->owner == IOPF_OWNER_HANDLER &&
		    prg->base.last_fault.fault.prm.addr == fault->prm.addr)
			break;
	if (prg)
		refcount_inc(&prg->users);
	spin_unlock(&fdev->lock);
	return prg;
}

/**
 * iommu_queue_iopf() - Give a fault to the fault queue
 * @fault: a fault that a registered handler was called with, or a copy of it
 * @cookie: the &struct device that it is from
 *
 * The fault continues as if the handler had returned %IOMMU_FAULT_STATUS_CONTINUE, which it
 * then does not return. Can be registered as a handler itself, with the device as its data: the
 * device's faults then go to the queue as without a handler. Can also be called later, until
 * the fault has a response. If the PASID's domain has an iopf_handler, the caller makes sure
 * that it is not detached meanwhile. Requests that are owed a response without being the last
 * one of a group are told apart by PASID, index and address: of several alike, any one continues.
 * After their response nothing tells them from requests that are owed none, and such a call
 * begins a group with the index, or joins one. A handler that may be late therefore takes the
 * cookie, and asks iommu_page_response_pending() first.
 *
 * Context: As the handler.
 * Return:
 * * %0 - the queue sends the response
 * * %-EINVAL - no page request; or, for the last request of a group, a response was sent before;
 *   or one is sent now because the PASID's domain has no handler
 * * %-ENODEV - the device is on no fault queue
 * * other - as iommu_report_device_fault()
 */
int iommu_queue_iopf(struct iommu_fault *fault, void *cookie)
{
	const struct iopf_request request = { .fault = *fault };
	struct iopf_actions actions = IOPF_ACTIONS_INIT(actions);
	struct device *dev = cookie;
	struct iopf_device *fdev;
	struct iopf_prg *prg;
	int ret = -EINVAL;

	if (fault->type != IOMMU_FAULT_PAGE_REQ)
		return -EINVAL;
	fdev = iopf_device_get(dev);
	if (!fdev)
		return -ENODEV;
	prg = iopf_find_handled(fdev, fault);
	if (prg) {
		ret = iopf_continue(fdev, dev, prg);
		iopf_prg_put(prg);
	} else if (!iopf_is_last(fault)) {
		spin_lock(&fdev->lock);
		ret = iopf_add_request(fdev, &request, NULL, &actions);
		spin_unlock(&fdev->lock);
		ret = iopf_finish_add(dev, ret, &actions);
	}
	iopf_device_put(fdev);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_queue_iopf);
