// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: responses of registered handlers
 *
 * Registered handlers name a group by PASID and index or by its cookie, and have no
 * reference. A response finds its group in O(1). If it finds none it was late or wrong,
 * and changes nothing.
 */
#include <linux/export.h>

#include "handlers.h"

/*
 * Return true if a response means @prg: by its cookie, or by its pair if the cookie was
 * not taken.
 */
static bool iopf_is_match(struct iopf_prg *prg, u64 cookie)
{
	return prg->owner == IOPF_OWNER_HANDLER &&
	       (cookie ? prg->seq == cookie : prg->by_pair);
}

/* Find the oldest group of @key that a response may mean. */
static struct iopf_prg *iopf_find_match(struct iopf_device *fdev,
					struct iopf_key key, u64 cookie)
{
	struct iopf_prg *found = iopf_prg_find(fdev, &key);
	struct iopf_prg *prg;

	if (found && !iopf_is_match(found, cookie))
		found = NULL;
	key.flags |= IOPF_KEY_SINGLE;
	for (prg = iopf_prg_find(fdev, &key); prg; prg = iopf_prg_next(prg))
		if (iopf_is_match(prg, cookie) &&
		    (!found || prg->seq < found->seq))
			found = prg;
	return found;
}

/*
 * Find the group that @msg means. A response does not say whether there is a PASID; PASID
 * 0 is not allocated, but a device may send it.
 */
static struct iopf_prg *iopf_match(struct iopf_device *fdev, struct iopf_key *key,
				   const struct iommu_page_response *msg,
				   u64 cookie)
{
	struct iopf_prg *prg;

	*key = iopf_pasid_key(msg->pasid, msg->grpid);
	prg = iopf_find_match(fdev, *key, cookie);
	if (prg || iopf_key_has_pasid(key))
		return prg;
	key->flags |= IOPF_KEY_PASID_VALID;
	prg = iopf_find_match(fdev, *key, cookie);
	if (!prg)
		key->flags &= ~IOPF_KEY_PASID_VALID;
	return prg;
}

/* Return true if a response that matches nothing is late: its group was claimed before. */
static bool iopf_is_late(struct iopf_device *fdev, const struct iopf_key *key,
			 u64 cookie)
{
	struct iopf_key zero = { .flags = IOPF_KEY_PASID_VALID, .grpid = key->grpid };
	struct iopf_handler *handler;

	if (cookie)
		return cookie <= fdev->seq;
	handler = rcu_dereference_protected(fdev->handler,
					    lockdep_is_held(&fdev->lock));
	if (!handler)
		return false;
	/* As in iopf_match(), PASID 0 may be meant. */
	return iopf_quarantine_remove(handler, key) ||
	       (!iopf_key_has_pasid(key) && iopf_quarantine_remove(handler, &zero));
}

static int iopf_respond_to(struct device *dev,
			   const struct iommu_page_response *msg, u64 cookie)
{
	struct iopf_device *fdev;
	struct iopf_prg *prg;
	struct iopf_key key;
	LIST_HEAD(claimed);

	if (msg->code > IOMMU_PAGE_RESP_FAILURE)
		return -EINVAL;
	fdev = iopf_device_get(dev);
	if (!fdev)
		return -ENODEV;

	spin_lock(&fdev->lock);
	prg = iopf_match(fdev, &key, msg, cookie);
	if (prg)
		/* It is not claimed: claiming takes it out of the table. */
		iopf_claim(fdev, prg, msg->code, &claimed);
	else
		fdev->stats.late += iopf_is_late(fdev, &key, cookie);
	spin_unlock(&fdev->lock);

	iopf_send(&claimed);
	iopf_device_put(fdev);
	return prg ? 0 : -EINVAL;
}

/**
 * iommu_page_response() - Respond to a fault that a registered handler has kept
 * @dev: the device
 * @msg: PASID and Page Request Group Index of the fault, and the response code
 *
 * Responds to the oldest fault with this PASID and index that the handler has kept, except those
 * whose cookie it has taken. A response that matches nothing changes nothing.
 *
 * PASID and index do not tell one use of an index from the next. If the library has sent a
 * response because the handler was late, new faults with the pair are refused until the late
 * response has come, which then matches nothing, or for ten times the timeout of groups (100 s
 * if there is none). Up to 256 pairs are quarantined; beyond that all faults of the device are
 * refused for that time. Handlers that respond by cookie are not limited so.
 *
 * Context: Process context, under any lock that page_response does not take. Sleeps only if the
 * driver's page_response does.
 * Return: 0, %-EINVAL if nothing matches or the code is unknown, or %-ENODEV if the device is
 * on no fault queue.
 */
int iommu_page_response(struct device *dev, struct iommu_page_response *msg)
{
	return iopf_respond_to(dev, msg, 0);
}
EXPORT_SYMBOL_GPL(iommu_page_response);

/**
 * iommu_page_response_by_cookie() - Respond to exactly one fault
 * @dev: the device
 * @msg: PASID and Page Request Group Index of the fault, and the response code
 * @cookie: return value of iopf_fault_cookie()
 *
 * As iommu_page_response(), but a late response is recognized whatever the device has used the
 * index for meanwhile.
 *
 * Context: As iommu_page_response().
 * Return: 0, %-EINVAL if the fault has a response or an argument is wrong, or %-ENODEV if the
 * device is on no fault queue.
 */
int iommu_page_response_by_cookie(struct device *dev,
				  const struct iommu_page_response *msg,
				  u64 cookie)
{
	return cookie ? iopf_respond_to(dev, msg, cookie) : -EINVAL;
}
EXPORT_SYMBOL_GPL(iommu_page_response_by_cookie);

/**
 * iommu_page_response_pending() - Return whether a response to a fault is still owed
 * @dev: the device
 * @msg: PASID and Page Request Group Index of the fault
 * @cookie: return value of iopf_fault_cookie()
 *
 * For handlers that keep something for each fault, and want to free it when the library has sent
 * the response.
 *
 * Context: Process context.
 * Return: true if the fault has no response yet.
 */
bool iommu_page_response_pending(struct device *dev,
				 const struct iommu_page_response *msg,
				 u64 cookie)
{
	struct iopf_device *fdev = cookie ? iopf_device_get(dev) : NULL;
	struct iopf_key key;
	bool ret;

	if (!fdev)
		return false;
	spin_lock(&fdev->lock);
	ret = iopf_match(fdev, &key, msg, cookie);
	spin_unlock(&fdev->lock);
	iopf_device_put(fdev);
	return ret;
}
EXPORT_SYMBOL_GPL(iommu_page_response_pending);

static struct iopf_event *iopf_event(struct iommu_fault *fault)
{
	return container_of(fault, struct iopf_event, request.fault);
}

/**
 * iopf_fault_cookie() - Get a fault's unique cookie
 * @fault: what the handler was called with, not a copy
 *
 * A handler that takes the cookie responds with it.
 *
 * Context: The handler, while it runs.
 * Return: the cookie, or 0 if no response is owed.
 */
u64 iopf_fault_cookie(struct iommu_fault *fault)
{
	struct iopf_event *event = iopf_event(fault);
	struct iopf_prg *prg = event->prg;
	struct iopf_device *fdev;

	if (!prg)
		return 0;
	fdev = iopf_prg_device(prg);
	spin_lock(&fdev->lock);
	if (prg->by_pair) {
		prg->by_pair = false;
		/* The device may have left its queue, and so its handler, meanwhile. */
		if (prg->owner == IOPF_OWNER_CLAIMED)
			iopf_quarantine_cancel(event->handler, &prg->key);
	}
	spin_unlock(&fdev->lock);
	return prg->seq;
}
EXPORT_SYMBOL_GPL(iopf_fault_cookie);

/**
 * iopf_fault_request() - Get the flags and private data of a page request
 * @fault: what the handler was called with, not a copy
 *
 * Context: The handler, while it runs.
 * Return: the request.
 */
const struct iopf_request *iopf_fault_request(struct iommu_fault *fault)
{
	return &iopf_event(fault)->request;
}
EXPORT_SYMBOL_GPL(iopf_fault_request);

/**
 * iopf_fault_whole_group() - Get all requests of a group
 * @fault: what the handler was called with, not a copy
 *
 * Context: The handler, while it runs and has not responded to the fault.
 * Return: the group, with the earlier requests that the handler has let continue, in the order of
 * their arrival; NULL if no response is owed.
 */
const struct iopf_group *iopf_fault_whole_group(struct iommu_fault *fault)
{
	struct iopf_prg *prg = iopf_event(fault)->prg;

	return prg ? &prg->base : NULL;
}
EXPORT_SYMBOL_GPL(iopf_fault_whole_group);

/**
 * iopf_fault_unrecoverable() - Get the details of an unrecoverable fault
 * @fault: what the handler was called with, not a copy
 *
 * Context: The handler, while it runs.
 * Return: the details, or NULL if @fault is of another type.
 */
const struct iommu_fault_unrecoverable *
iopf_fault_unrecoverable(struct iommu_fault *fault)
{
	return iopf_event(fault)->unrecoverable;
}
EXPORT_SYMBOL_GPL(iopf_fault_unrecoverable);
