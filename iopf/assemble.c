// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: assembling groups
 *
 * Requests are added by iopf_add_request(): plain ones, those with flags, and those that
 * their driver refuses. Requests like the one before take a short cut, iopf_join_alike().
 * A request joins its group, or is a group by itself. A complete group passes to its next
 * owner in the same hold of the lock. Nothing sleeps here, except a domain's handler and
 * the driver's page_response if these do: reporters are real-time threads that hold locks
 * of their driver.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <trace/events/iopf.h>

#include "path.h"

/*
 * Start the group of @key with @fault. @whole: no other request will come. Return an
 * error pointer on failure.
 */
static struct iopf_prg *iopf_start_group(struct iopf_device *fdev,
					 const struct iopf_key *key,
					 const struct iommu_fault *fault,
					 bool whole)
{
	struct iopf_pasid_queue *pq;
	struct mm_struct *mm;
	struct iopf_prg *prg;

	if (fdev->dead)
		return ERR_PTR(-ENODEV);
	if (!iopf_prg_room(fdev, whole))
		return ERR_PTR(-ENOMEM);
	pq = iopf_pq_get(fdev, key);
	if (!pq)
		return ERR_PTR(-ENOMEM);
	mm = iopf_find_mm(pq, fault);
	/* The process may unbind and exit from here on. */
	prg = iopf_prg_new(pq, key, mm);
	if (!prg)
		return ERR_PTR(-ENOMEM);
	iopf_timeout_start(fdev);

	if (mm)
		pq->nr_mm++;
	return prg;
}

/* Return true if @fault differs from @last in nothing but the address. */
static inline bool iopf_is_alike(const struct iommu_fault *fault,
				 const struct iommu_fault *last)
{
	return fault->prm.grpid == last->prm.grpid &&
	       fault->prm.pasid == last->prm.pasid &&
	       fault->prm.flags == last->prm.flags &&
	       fault->prm.perm == last->prm.perm && fault->type == last->type;
}

/*
 * Let as many of @requests join as are like the request before. Most are, in the middle
 * of their group, and need no other check. Return how many. The rest is left to
 * iopf_add_request(), which would do the same with these.
 */
static unsigned int iopf_join_alike(struct iopf_device *fdev,
				    const struct iopf_request *requests,
				    unsigned int count)
{
	struct iopf_prg *prg = fdev->joined;
	const struct iommu_fault *last;
	u64 end = U64_MAX;
	unsigned int n;

	lockdep_assert_held(&fdev->lock);
	if (!prg)
		return 0;
	/* Each request is traced. */
	if (trace_iopf_report_enabled())
		return 0;
	count = min3(count, prg->nr_slots, iopf_request_room(fdev));
	last = &list_last_entry(&prg->base.faults, struct iopf_fault,
				list)->fault;
	if (prg->mm)
		end = prg->mm->task_size;
	for (n = 0; n < count; n++) {
		const struct iommu_fault *fault = &requests[n].fault;

		if (requests[n].flags || fault->prm.addr >= end ||
		    !iopf_is_alike(fault, last))
			break;
		iopf_prg_append(fdev, prg, fault);
	}
	fdev->stats.requests += n;
	return n;
}

/* Keep what goes back to the device with the response. */
static void iopf_keep_flags(struct iopf_prg *prg,
			    const struct iopf_request *request)
{
	prg->flags = request->flags & IOPF_REQUEST_SINGLE;
	if (request->flags & IOPF_REQUEST_PRIVATE_DATA)
		memcpy(prg->base.last_fault.fault.prm.private_data,
		       request->private_data, sizeof(request->private_data));
}

/*
 * Pass a complete group to its next owner: the registered @handler, the workers of its
 * PASID, or the handler of its domain. The caller calls handlers, without the lock, and
 * has the holder's reference until then. A rejected group is claimed for Invalid Request:
 * -EINVAL.
 */
static __always_inline int __iopf_route(struct iopf_device *fdev,
					struct iopf_prg *prg,
					struct iopf_handler *handler,
					struct iopf_actions *actions)
{
	lockdep_assert_held(&fdev->lock);
	if (unlikely(prg->rejected)) {
		iopf_claim(fdev, prg, IOMMU_PAGE_RESP_INVALID, &actions->claimed);
		return -EINVAL;
	}

	refcount_inc(&prg->users);
	if (handler) {
		iopf_prg_set_owner(fdev, prg, IOPF_OWNER_HANDLER);
		prg->by_pair = true;
		actions->prg = prg;
		actions->to_handler = true;
	} else if (likely(prg->mm)) {
		actions->worker = iopf_pq_queue_group(prg->pq, prg);
	} else {
		iopf_prg_set_owner(fdev, prg, IOPF_OWNER_DOMAIN);
		list_move_tail(&prg->base.pending_node, &prg->pq->delivered);
		prg->since = jiffies;
		/* Domains' handlers expect a last request in each group. */
		prg->base.last_fault.fault.prm.flags |=
			IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
		actions->prg = prg;
	}
	return 0;
}

int iopf_route(struct iopf_device *fdev, struct iopf_prg *prg,
	       struct iopf_handler *handler, struct iopf_actions *actions)
{
	return __iopf_route(fdev, prg, handler, actions);
}

/*
 * Forget unfinished groups of a PASID, whose device expects no responses after a Stop
 * Marker.
 */
static void iopf_stop_pasid(struct iopf_device *fdev, const struct iopf_key *key,
			    struct list_head *claimed)
{
	struct iopf_pasid_queue *pq = fdev->dead ? NULL : iopf_pq_find(fdev, key);

	if (pq)
		iopf_discard_unfinished(pq, claimed);
}

/*
 * Add a request to its group. If it completes the group, @handler is to be called with
 * it. What is left to do without the lock is added to @actions.
 *
 * -EEXIST: the index is in use until its response is sent, and no response is owed to
 * this request. Other errors: if iopf_is_owed() a response is owed, which the group in
 * actions->claimed provides if there is one.
 */
static __always_inline int __iopf_add_request(struct iopf_device *fdev,
					      const struct iopf_request *request,
					      struct iopf_handler *handler,
					      struct iopf_actions *actions)
{
	const struct iommu_fault *fault = &request->fault;
	struct iopf_key key = iopf_key(fault);
	bool single = iopf_is_single(request);
	bool whole = single || iopf_is_last(fault);
	struct iopf_prg *prg = NULL;

	lockdep_assert_held(&fdev->lock);
	if (unlikely(fault->type != IOMMU_FAULT_PAGE_REQ))
		return -EINVAL;
	if (unlikely(iopf_is_stop_marker(fault))) {
		iopf_stop_pasid(fdev, &key, &actions->claimed);
		return 0;
	}
	/* The device has no such index, so no group can have it. */
	if (unlikely(!iopf_grpid_fits(fdev, fault))) {
		fdev->stats.malformed++;
		return -EINVAL;
	}

	fdev->stats.requests++;
	if (single)
		key.flags |= IOPF_KEY_SINGLE;
	else
		prg = iopf_prg_find(fdev, &key);
	if (!prg) {
		prg = iopf_start_group(fdev, &key, fault, whole);
	} else if (prg->owner != IOPF_OWNER_ASSEMBLING) {
		fdev->stats.malformed++;
		prg = ERR_PTR(-EEXIST);
	}
	if (IS_ERR(prg))
		return PTR_ERR(prg);

	/* The handler was unregistered meanwhile. */
	if (handler && rcu_access_pointer(fdev->handler) != handler)
		handler = NULL;
	/* Groups for a registered handler are checked when they continue: iopf_continue(). */
	if (request->flags & IOPF_REQUEST_REFUSED ||
	    (prg->mm && !(whole && handler) &&
	     iopf_is_malformed(fdev->base.dev, prg->mm, fault))) {
		fdev->stats.malformed++;
		iopf_prg_reject(fdev, prg);
	}
	if (!whole) {
		iopf_prg_add_partial(fdev, prg, fault);
		return 0;
	}
	iopf_prg_complete(fdev, prg, fault);
	if (unlikely(request->flags))
		iopf_keep_flags(prg, request);
	return __iopf_route(fdev, prg, handler, actions);
}

int iopf_add_request(struct iopf_device *fdev, const struct iopf_request *request,
		     struct iopf_handler *handler, struct iopf_actions *actions)
{
	return __iopf_add_request(fdev, request, handler, actions);
}

static bool iopf_actions_are_none(const struct iopf_actions *actions)
{
	return !actions->worker && !actions->prg && list_empty(&actions->claimed);
}

/*
 * Add @requests, of which there are @count, one at least, until there is something to do
 * without the lock. Return how many were added; @actions has the result of the last one.
 */
unsigned int iopf_add_requests(struct iopf_device *fdev,
			       const struct iopf_request *requests,
			       unsigned int count, struct iopf_actions *actions)
{
	unsigned int n = 0;

	lockdep_assert_held(&fdev->lock);
	do {
		n += iopf_join_alike(fdev, requests + n, count - n);
		if (n == count)
			break;
		if (requests[n].fault.type == IOMMU_FAULT_PAGE_REQ)
			trace_iopf_report(fdev->base.dev, &requests[n].fault);
		actions->ret = __iopf_add_request(fdev, &requests[n++], NULL,
						  actions);
	} while (n < count && !actions->ret && iopf_actions_are_none(actions));
	return n;
}

/* Send responses, and call the handler of a domain, see iopf_finish_add(). */
int iopf_finish_actions(struct device *dev, int ret, struct iopf_actions *actions)
{
	if (!list_empty(&actions->claimed)) {
		struct iopf_prg *prg = list_first_entry(&actions->claimed,
							struct iopf_prg,
							base.pending_node);

		if (ret)
			iopf_warn_refused(dev, prg->key.pasid, prg->key.grpid);
		iopf_send(&actions->claimed);
	}
	if (actions->prg && !actions->to_handler)
		return iopf_deliver(dev, actions->prg);
	return ret;
}
