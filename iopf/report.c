// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: page requests come in
 *
 * The entry for IOMMU drivers. Nothing here sleeps, save what a handler of
 * another domain does: reporters are real-time threads that hold locks of
 * their driver.
 */
#include <linux/export.h>
#include <linux/minmax.h>
#include <linux/sched/mm.h>
#include <trace/events/iopf.h>

#include "handler.h"
#include "iopf.h"

/* Groups that are begun before the domain of their PASID is asked again. */
#define IOPF_MM_USES		64
/* Requests that are taken in under one hold of the lock. */
#define IOPF_RUN_REQUESTS	32U

/*
 * The handle stays valid as long as the driver keeps its side: what detaches a
 * PASID waits for reports of that PASID. Drivers that fail to do so are the
 * reason for looking at an SVA domain inside one RCU read section only.
 */
static struct iommu_attach_handle *
iopf_find_handle(struct device *dev, const struct iommu_fault *fault)
{
	struct iopf_key key = iopf_key(fault);
	struct iommu_attach_handle *handle;

	handle = iommu_attach_handle_get(dev->iommu_group,
					 key.pasid_valid ? key.pasid :
							   IOMMU_NO_PASID, 0);
	/* A PASID table in user space: the domain of the device has them all. */
	if (IS_ERR(handle) && key.pasid_valid &&
	    dev_iommu_ops(dev)->user_pasid_table)
		handle = iommu_attach_handle_get(dev->iommu_group,
						 IOMMU_NO_PASID,
						 IOMMU_DOMAIN_NESTED);
	if (IS_ERR(handle) || !handle->domain->iopf_handler)
		return NULL;
	return handle;
}

static void iopf_warn_refused(struct device *dev, u32 pasid, u32 grpid)
{
	dev_warn_ratelimited(dev, "page request group %u of PASID %u refused\n",
			     grpid, pasid);
}

/* Answer a request that has no group. Only the last one of a group is owed. */
static void iopf_refuse(struct device *dev, const struct iommu_fault *fault)
{
	struct iopf_request request = { .fault = *fault };
	struct iopf_dev *idev;

	if (!iopf_is_last(fault) || iopf_is_stop_marker(fault))
		return;
	iopf_warn_refused(dev, fault->prm.pasid, fault->prm.grpid);
	idev = iopf_dev_get(dev);
	iopf_send_invalid(idev, dev, &request);
	if (idev)
		iopf_dev_put(idev);
}

static bool iopf_fits(struct iopf_dev *idev, const struct iommu_fault *fault)
{
	return !((u64)fault->prm.grpid >> READ_ONCE(idev->limits.grpid_bits));
}

/* An index that the device does not have is no index of a group. */
bool iopf_is_too_wide(struct iopf_dev *idev, const struct iommu_fault *fault)
{
	if (likely(iopf_fits(idev, fault)))
		return false;
	spin_lock(&idev->lock);
	idev->stats.malformed++;
	spin_unlock(&idev->lock);
	return true;
}

/* The device does not wait for what a Stop Marker leaves behind. */
void iopf_stop_pasid(struct iopf_dev *idev, const struct iopf_key *key)
{
	struct iopf_lane *lane;
	LIST_HEAD(claimed);

	spin_lock(&idev->lock);
	lane = idev->dead ? NULL : iopf_lane_find(idev, key);
	if (lane)
		iopf_claim_partial(lane, IOPF_FORGET, &claimed);
	spin_unlock(&idev->lock);
	iopf_send(&claimed);
}

/*
 * The address space that @fault is about, NULL if its PASID's domain is none. What
 * comes while earlier groups of the PASID have no answer is for the same one: they
 * hold the mm, so the PASID cannot have been given away. The domain is asked again
 * when they are answered, after a flush, and now and then, as not every driver
 * flushes, and not every device stops when it should.
 */
static struct mm_struct *iopf_find_mm(struct iopf_lane *lane,
				      struct device *dev,
				      const struct iommu_fault *fault)
{
	struct iommu_attach_handle *handle;

	lockdep_assert_held(&lane->idev->lock);
	if (lane->mm && lane->mm_uses) {
		lane->mm_uses--;
		return lane->mm;
	}
	lane->mm = NULL;
	lane->mm_uses = IOPF_MM_USES;
	handle = iopf_find_handle(dev, fault);
	if (!handle || handle->domain->type != IOMMU_DOMAIN_SVA)
		return NULL;
	return handle->domain->mm;
}

/*
 * The group of @key, begun by @fault, or an error; @whole: no other request will come.
 * Sleeps no more than its caller.
 */
struct iopf_grp *iopf_begin_group(struct iopf_dev *idev, struct device *dev,
				  const struct iopf_key *key,
				  const struct iommu_fault *fault, bool whole)
{
	struct mm_struct *mm;
	struct iopf_grp *grp;

	if (idev->dead)
		return ERR_PTR(-ENODEV);
	if (!iopf_grp_room(idev, whole))
		return ERR_PTR(-ENOMEM);
	grp = iopf_grp_new(idev, key, fault);
	if (!grp)
		return ERR_PTR(-ENOMEM);

	mm = iopf_find_mm(grp->lane, dev, fault);
	if (mm) {
		/* From here on the process may unbind, and it may exit. */
		mmgrab(mm);
		grp->mm = mm;
		grp->lane->mm = mm;
		grp->lane->nr_mm++;
	}
	return grp;
}

/* Add a request to its group. Returns a worker to be queued, if any. */
static struct iopf_worker *iopf_join(struct iopf_dev *idev, struct device *dev,
				     struct iopf_grp *grp,
				     const struct iommu_fault *fault,
				     bool refuse)
{
	lockdep_assert_held(&idev->lock);

	if (refuse || (grp->mm && iopf_is_malformed(dev, grp->mm, fault))) {
		idev->stats.malformed++;
		iopf_grp_reject(idev, grp);
	}
	if (!iopf_is_last(fault)) {
		iopf_grp_add_partial(idev, grp, fault);
		return NULL;
	}
	iopf_grp_complete(idev, grp, fault);
	if (!grp->mm || grp->rejected)
		return NULL;
	return iopf_lane_push(grp->lane, grp);
}

/* Does @fault ask for what @last has asked for, of another page? */
static inline bool iopf_is_alike(const struct iommu_fault *fault,
				 const struct iommu_fault *last)
{
	return fault->prm.grpid == last->prm.grpid &&
	       fault->prm.pasid == last->prm.pasid &&
	       fault->prm.flags == last->prm.flags &&
	       fault->prm.perm == last->prm.perm && fault->type == last->type;
}

/*
 * Most requests are in the middle of their group and like the one before: then nothing
 * but that is to be found out. Lets as many of @requests, from the first one on, join,
 * and returns how many. What is left is to be done thoroughly, by iopf_take(), which
 * would come to the same for these.
 */
static unsigned int iopf_join_alike(struct iopf_dev *idev,
				    const struct iopf_request *requests,
				    unsigned int count)
{
	struct iopf_grp *grp = idev->joined;
	const struct iommu_fault *last;
	u64 end = U64_MAX;
	unsigned int n;

	lockdep_assert_held(&idev->lock);
	if (!grp || idev->nr_partial >= idev->limits.partial)
		return 0;
	count = min3(count, grp->nr_slots,
		     idev->limits.partial - idev->nr_partial);
	last = &list_last_entry(&grp->pub.faults, struct iopf_fault,
				list)->fault;
	if (grp->mm)
		end = grp->mm->task_size;
	for (n = 0; n < count; n++) {
		const struct iommu_fault *fault = &requests[n].fault;

		if (requests[n].marks || fault->prm.addr >= end ||
		    !iopf_is_alike(fault, last))
			break;
		iopf_grp_append(idev, grp, fault);
	}
	idev->stats.requests += n;
	return n;
}

/**
 * struct iopf_taken - what is to be done, without the lock, for requests taken in
 * @worker: to be queued, or NULL
 * @complete: a group that nobody handles in the background, or NULL
 */
struct iopf_taken {
	struct iopf_worker *worker;
	struct iopf_grp *complete;
};

/* As iopf_take_request(). */
static int iopf_take(struct iopf_dev *idev, struct device *dev,
		     const struct iommu_fault *fault, bool refuse,
		     struct iopf_taken *taken)
{
	struct iopf_key key = iopf_key(fault);
	struct iopf_grp *grp;

	lockdep_assert_held(&idev->lock);
	idev->stats.requests++;
	grp = iopf_grp_find(idev, &key);
	if (!grp) {
		grp = iopf_begin_group(idev, dev, &key, fault,
				       iopf_is_last(fault));
	} else if (grp->state != IOPF_PARTIAL) {
		idev->stats.malformed++;
		grp = ERR_PTR(-EEXIST);
	}
	if (IS_ERR(grp))
		return PTR_ERR(grp);
	taken->worker = iopf_join(idev, dev, grp, fault, refuse);
	if (iopf_is_last(fault) && (!grp->mm || grp->rejected))
		taken->complete = grp;
	return 0;
}

/*
 * Take a request in; with @refuse its group is to be refused when it is complete. On
 * success @complete is the group that it completed, if the caller has to see to it:
 * nobody handles it in the background.
 *
 * -EEXIST: the index is still in use, an answer is on its way and this request
 * is owed none. Other errors: an answer is owed if this is a last request.
 */
int iopf_take_request(struct iopf_dev *idev, struct device *dev,
		      const struct iommu_fault *fault, bool refuse,
		      struct iopf_grp **complete)
{
	struct iopf_taken taken = {};
	int ret;

	spin_lock(&idev->lock);
	ret = iopf_take(idev, dev, fault, refuse, &taken);
	spin_unlock(&idev->lock);

	if (taken.worker)
		iopf_worker_queue(taken.worker);
	if (taken.complete)
		*complete = taken.complete;
	return ret;
}

/* The handle of a PASID whose domain has a handler of its own, or NULL. */
static struct iommu_attach_handle *
iopf_find_foreign_handle(struct device *dev, const struct iommu_fault *fault)
{
	struct iommu_attach_handle *handle;

	/* An SVA domain may be about to go, and is none of ours here. */
	rcu_read_lock();
	handle = iopf_find_handle(dev, fault);
	if (handle && handle->domain->type == IOMMU_DOMAIN_SVA)
		handle = NULL;
	rcu_read_unlock();
	return handle;
}

/* A complete group that is no SVA domain's, or that must not be handled. */
int iopf_hand_over(struct device *dev, struct iopf_grp *grp)
{
	struct iopf_dev *idev = iopf_grp_dev(grp);
	struct iommu_attach_handle *handle = NULL;
	int ret = -EINVAL;

	if (!grp->rejected) {
		handle = iopf_find_foreign_handle(dev,
						  &grp->pub.last_fault.fault);
		if (!handle) {
			spin_lock(&idev->lock);
			idev->stats.unhandled++;
			spin_unlock(&idev->lock);
		}
	}
	if (handle) {
		grp->pub.attach_handle = handle;
		/*
		 * On success the group is the handler's, who may have answered
		 * and freed it already.
		 */
		ret = handle->domain->iopf_handler(&grp->pub);
		if (!ret)
			return 0;
	}

	iopf_warn_refused(dev, grp->key.pasid, grp->key.grpid);
	iopf_answer(grp, IOMMU_PAGE_RESP_INVALID);
	iopf_grp_put(grp);
	return ret;
}

/* What is left to do for a request that was taken in with @ret, without any lock. */
static int iopf_end_take(struct device *dev, const struct iommu_fault *fault,
			 int ret, struct iopf_grp *complete)
{
	if (unlikely(complete))
		return iopf_hand_over(dev, complete);
	if (unlikely(ret) && ret != -EEXIST)
		iopf_refuse(dev, fault);
	return ret;
}

/* Away from the usual way, which needs no room for it. */
static noinline int iopf_ask_handler(struct device *dev,
				     const struct iommu_fault *fault)
{
	struct iopf_request request = { .fault = *fault };

	return iopf_ask(dev, &request);
}

static noinline void iopf_end_report(struct device *dev, u64 begun)
{
	struct iopf_dev *idev;

	rcu_read_lock();
	idev = iopf_dev_rcu(dev);
	if (idev) {
		spin_lock(&idev->lock);
		iopf_count_time(idev, IOPF_REPORT, begun);
		spin_unlock(&idev->lock);
	}
	rcu_read_unlock();
}

static int iopf_report(struct device *dev, const struct iommu_fault *fault)
{
	struct iopf_grp *complete = NULL;
	struct iopf_dev *idev;
	int ret = -ENODEV;

	if (fault->type != IOMMU_FAULT_PAGE_REQ)
		return -EINVAL;

	if (static_branch_unlikely(&iopf_handlers_exist) &&
	    iopf_has_handler(dev))
		return iopf_ask_handler(dev, fault);
	trace_iopf_report(dev, fault);
	rcu_read_lock();
	idev = iopf_dev_rcu(dev);
	if (idev && iopf_is_stop_marker(fault)) {
		struct iopf_key key = iopf_key(fault);

		iopf_stop_pasid(idev, &key);
		ret = 0;
	} else if (idev && iopf_is_too_wide(idev, fault)) {
		ret = -EINVAL;
	} else if (idev) {
		ret = iopf_take_request(idev, dev, fault, false, &complete);
	}
	rcu_read_unlock();
	return iopf_end_take(dev, fault, ret, complete);
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
 * * %-EBUSY - a handler that answers by PASID and index may still be late with an
 *   answer to an earlier group of this pair
 * * other - what the domain's handler, or the registered one, returned
 */
int iommu_report_device_fault(struct device *dev, struct iopf_fault *evt)
{
	u64 begun = iopf_now();
	int ret;

	ret = iopf_report(dev, &evt->fault);
	if (begun)
		iopf_end_report(dev, begun);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_report_device_fault);

/* Nothing is to be found out about it but its group. */
static bool iopf_is_plain(struct iopf_dev *idev,
			  const struct iopf_request *request)
{
	return !request->marks && request->fault.type == IOMMU_FAULT_PAGE_REQ &&
	       !iopf_is_stop_marker(&request->fault) &&
	       iopf_fits(idev, &request->fault);
}

/*
 * Take requests in until there is something to be done without the lock. Returns how
 * many; @ret is what came of the last one.
 */
static unsigned int iopf_take_run(struct iopf_dev *idev, struct device *dev,
				  const struct iopf_request *requests,
				  unsigned int count, int *ret,
				  struct iopf_taken *taken)
{
	unsigned int n = 0;

	lockdep_assert_held(&idev->lock);
	while (n < count && !*ret && !taken->worker && !taken->complete) {
		n += iopf_join_alike(idev, requests + n, count - n);
		if (n == count || !iopf_is_plain(idev, &requests[n]))
			break;
		*ret = iopf_take(idev, dev, &requests[n++].fault, false, taken);
	}
	return n;
}

/*
 * Report as many of @requests, from the first one on, as need nothing but the lock, in
 * one hold of it. Returns how many these are; @ret is what came of the last one.
 */
static unsigned int iopf_report_run(struct device *dev,
				    const struct iopf_request *requests,
				    unsigned int count, int *ret)
{
	struct iopf_taken taken = {};
	struct iopf_dev *idev;
	unsigned int n = 0;

	/* These see each by itself. */
	if (static_branch_unlikely(&iopf_handlers_exist) ||
	    trace_iopf_report_enabled())
		return 0;
	*ret = 0;
	rcu_read_lock();
	idev = iopf_dev_rcu(dev);
	if (idev) {
		spin_lock(&idev->lock);
		n = iopf_take_run(idev, dev, requests,
				  min(count, IOPF_RUN_REQUESTS), ret, &taken);
		spin_unlock(&idev->lock);
	}
	rcu_read_unlock();

	if (taken.worker)
		iopf_worker_queue(taken.worker);
	if (n)
		*ret = iopf_end_take(dev, &requests[n - 1].fault, *ret,
				     taken.complete);
	return n;
}

/**
 * iopf_report_requests() - Report page requests of a device
 * @dev: the device
 * @requests: the page requests, in the order that the device has sent them; copied,
 *	the caller keeps them
 * @count: how many
 *
 * As iommu_report_device_fault() for each of them, for drivers that read several
 * from their hardware queue at once, or whose requests have marks, see
 * &struct iopf_request.
 *
 * Context: As iommu_report_device_fault().
 * Return: 0, or the first error; later requests were reported nevertheless.
 */
int iopf_report_requests(struct device *dev,
			 const struct iopf_request *requests,
			 unsigned int count)
{
	u64 begun = iopf_now();
	unsigned int i;
	unsigned int n;
	int ret = 0;
	int err;

	for (i = 0; i < count; i += n ?: 1) {
		n = iopf_report_run(dev, requests + i, count - i, &err);
		if (!n && requests[i].marks)
			err = iopf_ask(dev, &requests[i]);
		else if (!n)
			err = iopf_report(dev, &requests[i].fault);
		ret = ret ?: err;
	}
	if (begun)
		iopf_end_report(dev, begun);
	return ret;
}
EXPORT_SYMBOL_GPL(iopf_report_requests);
