// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: asking a registered handler
 *
 * A request that no response is owed for is shown to the handler before it is taken in.
 * One that is owed a response becomes a complete group first, so that timeout, flush and
 * removal see it like any other. While the handler owns the group no worker does. Then
 * the handler answers it, or it continues to where it would have gone.
 *
 * All that is rare. Reporters look for a handler only where there is one at all,
 * which a static key says.
 */
#include <linux/export.h>
#include <trace/events/iopf.h>

#include "handlers.h"

DEFINE_STATIC_KEY_FALSE(iopf_handlers_exist);

static int iopf_show(struct iopf_handler *handler,
		     const struct iopf_request *request, struct iopf_prg *prg)
{
	struct iopf_event event = { .request = *request, .prg = prg };

	return handler->handler(&event.request.fault, handler->data);
}

/* Stop markers and refused requests are not for handlers. */
static bool iopf_is_shown(const struct iopf_request *request)
{
	return request->fault.type == IOMMU_FAULT_PAGE_REQ &&
	       !iopf_is_stop_marker(&request->fault) &&
	       !(request->flags & IOPF_REQUEST_REFUSED);
}

/*
 * Refuse a group because of an earlier response. Earlier requests of the group do not
 * wait for the next one that has its index.
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
 * Ask @handler, or NULL, whether a request is to be taken in:
 * %IOMMU_FAULT_STATUS_CONTINUE. 0 if the handler keeps it, or an error.
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
 * Let a group of a registered handler continue to its domain. -EINVAL: it was answered
 * meanwhile, or has continued before. The caller has a reference.
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
 * Ask @handler about a complete group that it owns, which @request has completed. The
 * caller's reference to @prg goes.
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

/* The handler's group that @fault made complete; the caller gets a reference. */
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
 * @fault: a fault that a registered handler has been called with, or a copy of it
 * @cookie: the &struct device that it is from
 *
 * The fault goes on as if the handler had said %IOMMU_FAULT_STATUS_CONTINUE, which it
 * does not say any more. Can itself be registered as a handler, with the device as
 * its data: then the device's faults go to the queue, as without one. Can be called
 * later, too, as long as the fault is not answered; whoever does so for a PASID whose
 * domain has an iopf_handler makes sure that it is not detached meanwhile.
 *
 * Context: As the handler.
 * Return:
 * * %0 - the queue sees to the response
 * * %-EINVAL - no page request, or it was answered before, or now, as nobody
 *   handles faults of its PASID
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
		ret = iopf_add_request(fdev, dev, &request, NULL, &actions);
		spin_unlock(&fdev->lock);
		ret = iopf_finish_add(dev, ret, &actions);
	}
	iopf_device_put(fdev);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_queue_iopf);
