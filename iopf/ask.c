// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: asking a registered handler
 *
 * The way of a request that is not as simple as most: somebody has registered for
 * the device's faults, or the request has a mark and may be owed an answer although
 * it is not the last of its group.
 *
 * What is owed an answer becomes a complete group before anybody is asked, so that
 * deadline, flush and removal watch over it like over any other, and its answer is
 * claimed as any other's. While the handler has it, the group is parked: nobody
 * faults on it. Then it is answered, or goes on to where it would have gone.
 */
#include <linux/export.h>
#include <trace/events/iopf.h>

#include "handler.h"
#include "iopf.h"

bool iopf_has_handler(struct device *dev)
{
	struct iopf_dev *idev;
	bool ret;

	rcu_read_lock();
	idev = iopf_dev_rcu(dev);
	ret = idev && rcu_access_pointer(idev->handler);
	rcu_read_unlock();
	return ret;
}

static bool iopf_is_owed(const struct iopf_request *request)
{
	return iopf_is_last(&request->fault) || request->marks;
}

/* A request that did not make it into a group. */
static int iopf_refuse_owed(struct iopf_dev *idev, struct device *dev,
			    const struct iopf_request *request, int error)
{
	/* Of two last requests with the same index one is owed an answer. */
	if (iopf_is_owed(request) && error != -EEXIST &&
	    !iopf_is_stop_marker(&request->fault))
		iopf_send_invalid(idev, dev, request);
	return error;
}

/* The caller gets a reference of the group's holder. */
static void iopf_park(struct iopf_dev *idev, struct iopf_grp *grp,
		      const struct iopf_request *request,
		      struct iopf_handler *handler)
{
	lockdep_assert_held(&idev->lock);
	grp->marks = request->marks;
	if (request->marks & IOPF_REQUEST_PRIVATE_DATA)
		memcpy(grp->pub.last_fault.fault.prm.private_data,
		       request->private_data, sizeof(request->private_data));
	grp->handled = handler ? IOPF_BY_PAIR : IOPF_PARKED;
	idev->nr_handled += grp->handled > IOPF_PARKED;
	grp->parked_mm = grp->mm;
	grp->mm = NULL;
}

/*
 * A complete, parked group for a request that is owed an answer: the group that it
 * is the last one of, or one of its own. @handler becomes NULL if he has left
 * meanwhile: nobody would wait for his answer.
 */
static struct iopf_grp *iopf_take_owed(struct iopf_dev *idev,
				       struct device *dev,
				       const struct iopf_request *request,
				       struct iopf_handler **handler)
{
	const struct iommu_fault *fault = &request->fault;
	struct iopf_key key = iopf_key(fault);
	struct iopf_grp *grp = NULL;

	spin_lock(&idev->lock);
	idev->stats.requests++;
	if (iopf_is_last(fault))
		grp = iopf_grp_find(idev, &key);
	else
		key.pasid_valid |= IOPF_KEY_SOLO;
	if (!grp) {
		grp = iopf_begin_group(idev, dev, &key, fault, true);
	} else if (grp->state != IOPF_PARTIAL) {
		idev->stats.malformed++;
		grp = ERR_PTR(-EEXIST);
	}
	if (!IS_ERR(grp)) {
		if (rcu_access_pointer(idev->handler) != *handler)
			*handler = NULL;
		iopf_grp_complete(idev, grp, fault);
		iopf_park(idev, grp, request, *handler);
	}
	spin_unlock(&idev->lock);
	return grp;
}

/*
 * Let a parked group go on to its domain. -EINVAL: it was answered meanwhile, or
 * went on before. The caller has a reference.
 */
static int iopf_go_on(struct iopf_dev *idev, struct device *dev,
		      struct iopf_grp *grp)
{
	struct iommu_fault *fault = &grp->pub.last_fault.fault;
	struct iopf_worker *worker = NULL;
	struct mm_struct *mm = NULL;
	bool malformed = false;
	bool mine;

	spin_lock(&idev->lock);
	mine = grp->state == IOPF_PENDING && grp->handled;
	if (mine) {
		idev->nr_handled -= grp->handled > IOPF_PARKED;
		grp->handled = IOPF_NOT_HANDLED;
		mm = grp->parked_mm;
		grp->mm = mm;
		grp->parked_mm = NULL;
		malformed = mm && iopf_is_malformed(dev, mm, fault);
		idev->stats.malformed += malformed;
		/* To a domain's handler all groups are whole. */
		if (!mm)
			fault->prm.flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
		if (!malformed)
			refcount_inc(&grp->users);
		if (mm && !malformed)
			worker = iopf_lane_push(grp->lane, grp);
	}
	spin_unlock(&idev->lock);

	if (worker)
		iopf_worker_queue(worker);
	if (malformed)
		iopf_answer(grp, IOMMU_PAGE_RESP_INVALID);
	if (!mine || malformed)
		return -EINVAL;
	return mm ? 0 : iopf_hand_over(dev, grp);
}

static int iopf_ask_owed(struct iopf_dev *idev, struct device *dev,
			 struct iopf_handler *handler,
			 const struct iopf_request *request)
{
	struct iopf_key key = iopf_key(&request->fault);
	struct iopf_event event = { .request = *request };
	int ret = IOMMU_FAULT_STATUS_CONTINUE;
	struct iopf_grp *grp;

	if (handler && iopf_is_quarantined(handler, &key)) {
		spin_lock(&idev->lock);
		idev->stats.quarantined++;
		spin_unlock(&idev->lock);
		return iopf_refuse_owed(idev, dev, request, -EBUSY);
	}
	grp = iopf_take_owed(idev, dev, request, &handler);
	if (IS_ERR(grp))
		return iopf_refuse_owed(idev, dev, request, PTR_ERR(grp));
	/* It has lost a request: this answers it. */
	if (grp->rejected) {
		ret = iopf_hand_over(dev, grp);
		iopf_expect_none(handler, &key);
		return ret;
	}

	event.grp = grp;
	if (handler)
		ret = handler->handler(&event.request.fault, handler->data);
	if (ret != IOMMU_FAULT_STATUS_HANDLED)
		iopf_expect_none(handler, &key);
	if (ret == IOMMU_FAULT_STATUS_CONTINUE) {
		ret = iopf_go_on(idev, dev, grp);
	} else if (ret != IOMMU_FAULT_STATUS_HANDLED) {
		iopf_answer(grp, IOMMU_PAGE_RESP_INVALID);
		ret = ret < 0 ? ret : -EINVAL;
	}
	iopf_grp_put(grp);
	return ret;
}

/* A request that no answer is owed for: it is noted, or joins its group. */
static int iopf_ask_partial(struct iopf_dev *idev, struct device *dev,
			    struct iopf_handler *handler,
			    const struct iopf_request *request)
{
	struct iopf_event event = { .request = *request };
	struct iopf_grp *complete;
	int ret = IOMMU_FAULT_STATUS_CONTINUE;

	if (handler)
		ret = handler->handler(&event.request.fault, handler->data);
	if (ret == IOMMU_FAULT_STATUS_CONTINUE)
		return iopf_take_request(idev, dev, &request->fault,
					 false, &complete);
	return ret <= 0 ? ret : -EINVAL;
}

/*
 * Report a request that somebody has registered for, or that has a mark. As all
 * reports it sees to the answer, whatever it returns.
 */
int iopf_ask(struct device *dev, const struct iopf_request *request)
{
	const struct iommu_fault *fault = &request->fault;
	struct iopf_key key = iopf_key(fault);
	struct iopf_handler *handler;
	struct iopf_dev *idev;
	int ret = 0;

	if (fault->type != IOMMU_FAULT_PAGE_REQ)
		return -EINVAL;
	trace_iopf_report(dev, fault);
	idev = iopf_dev_get(dev);
	if (!idev)
		return iopf_refuse_owed(NULL, dev, request, -ENODEV);

	handler = iopf_handler_get(idev);
	if (iopf_is_stop_marker(fault))
		iopf_stop_pasid(idev, &key);
	else if (iopf_is_too_wide(idev, fault))
		ret = iopf_refuse_owed(idev, dev, request, -EINVAL);
	else if (iopf_is_owed(request))
		ret = iopf_ask_owed(idev, dev, handler, request);
	else
		ret = iopf_ask_partial(idev, dev, handler, request);
	iopf_handler_put(handler);
	iopf_dev_put(idev);
	return ret;
}

/* The parked group that @fault made complete; the caller gets a reference. */
static struct iopf_grp *iopf_find_parked(struct iopf_dev *idev,
					 const struct iommu_fault *fault)
{
	struct iopf_key key = iopf_key(fault);
	struct iopf_grp *grp;

	if (!iopf_is_last(fault))
		key.pasid_valid |= IOPF_KEY_SOLO;
	spin_lock(&idev->lock);
	for (grp = iopf_grp_find(idev, &key); grp; grp = iopf_grp_next(grp))
		if (grp->handled &&
		    grp->pub.last_fault.fault.prm.addr == fault->prm.addr)
			break;
	if (grp)
		refcount_inc(&grp->users);
	spin_unlock(&idev->lock);
	return grp;
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
 * * %0 - the queue sees to the answer
 * * %-EINVAL - no page request, or it was answered before, or now, as nobody
 *   handles faults of its PASID
 * * %-ENODEV - the device is on no fault queue
 * * other - as iommu_report_device_fault()
 */
int iommu_queue_iopf(struct iommu_fault *fault, void *cookie)
{
	struct device *dev = cookie;
	struct iopf_grp *complete;
	struct iopf_dev *idev;
	struct iopf_grp *grp;
	int ret = -EINVAL;

	if (fault->type != IOMMU_FAULT_PAGE_REQ)
		return -EINVAL;
	idev = iopf_dev_get(dev);
	if (!idev)
		return -ENODEV;
	grp = iopf_find_parked(idev, fault);
	if (grp) {
		ret = iopf_go_on(idev, dev, grp);
		iopf_grp_put(grp);
	} else if (!iopf_is_last(fault)) {
		ret = iopf_take_request(idev, dev, fault, false,
					&complete);
	}
	iopf_dev_put(idev);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_queue_iopf);
