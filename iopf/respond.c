// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: the response of a group
 */
#include <linux/export.h>
#include <linux/jiffies.h>
#include <trace/events/iopf.h>

#include "path.h"

/**
 * DOC: Responses
 *
 * The part of the library that moves a group to IOPF_OWNER_CLAIMED, under the device's
 * lock, sends its response, without the lock. Later attempts to claim the group fail.
 * Claimed groups are collected and their responses sent together.
 *
 * Waiters for groups to end, &struct iopf_flush, are told here.
 */

/* How long a flush of a whole device waits for groups to end by themselves. */
#define IOPF_FLUSH_GRACE_MS	100

/* Count @prg, which was queued for the workers, for waiters. */
void iopf_tell_queued(struct iopf_device *fdev, struct iopf_prg *prg)
{
	struct iopf_flush *flush;

	lockdep_assert_held(&fdev->lock);
	/* A group may be old: a registered handler has let it continue. */
	list_for_each_entry(flush, &fdev->flushes, node)
		flush->nr_faulting += prg->seq <= flush->seq;
}

/* Tell waiters that @prg, which was queued or with a worker, was claimed. */
static noinline void iopf_tell_claimed(struct iopf_device *fdev, struct iopf_prg *prg)
{
	struct iopf_flush *flush;

	lockdep_assert_held(&fdev->lock);
	list_for_each_entry(flush, &fdev->flushes, node)
		if (prg->seq <= flush->seq && !--flush->nr_faulting)
			wake_up_all(&fdev->flushed);
}

/* Tell waiters that the response of @prg was sent. */
static noinline void iopf_tell_responded(struct iopf_device *fdev, struct iopf_prg *prg)
{
	struct iopf_flush *flush;

	lockdep_assert_held(&fdev->lock);
	list_for_each_entry(flush, &fdev->flushes, node)
		if (prg->claim <= flush->claims &&
		    (!flush->pq || flush->pq == prg->pq) &&
		    !--flush->nr_responding)
			wake_up_all(&fdev->flushed);
}

/*
 * Take @prg off the queue of its PASID queue, or off the list of the sleeper that it
 * follows.
 */
static noinline void iopf_prg_unqueue(struct iopf_prg *prg)
{
	lockdep_assert_held(&prg->pq->fdev->lock);
	if (prg->worker) {
		list_del_init(&prg->base.node);
		prg->pq->nr_following--;
	} else {
		iopf_pq_unqueue(prg);
	}
	/* Drop the PASID queue's reference; the library's remains. */
	refcount_dec(&prg->users);
}

/*
 * Claim @prg for the response @code, or for none: %IOPF_RESP_NONE. Return true if it was
 * not claimed before. Then it is on @claimed, and the caller sends the response by
 * iopf_send().
 */
bool iopf_claim(struct iopf_device *fdev, struct iopf_prg *prg, int code,
		struct list_head *claimed)
{
	struct iopf_pasid_queue *pq = prg->pq;

	lockdep_assert_held(&fdev->lock);
	if (prg->owner == IOPF_OWNER_CLAIMED) {
		fdev->stats.late++;
		return false;
	}
	iopf_prg_remove(fdev, prg);
	if (iopf_prg_is_faulting(prg)) {
		fdev->nr_faulting--;
		if (unlikely(!list_empty(&fdev->flushes)))
			iopf_tell_claimed(fdev, prg);
	}
	if (unlikely(prg->owner == IOPF_OWNER_QUEUED))
		iopf_prg_unqueue(prg);
	iopf_prg_set_owner(fdev, prg, IOPF_OWNER_CLAIMED);
	prg->code = code;
	iopf_stamp(&prg->times.claimed);
	prg->claim = ++fdev->claims;
	pq->nr_responding++;
	fdev->nr_responding++;
	list_add_tail(&prg->base.pending_node, claimed);
	return true;
}

/*
 * Claim unfinished groups without a response. VT-d 5.1, 7.6: none is owed before the last
 * request has come. When the hardware queue overflows, hardware itself responds to last
 * requests that it drops.
 */
void iopf_discard_unfinished(struct iopf_pasid_queue *pq, struct list_head *claimed)
{
	struct iopf_prg *prg;
	struct iopf_prg *next;

	list_for_each_entry_safe(prg, next, &pq->unfinished, base.pending_node)
		iopf_claim(pq->fdev, prg, IOPF_RESP_NONE, claimed);
}

static struct iommu_page_response iopf_message(const struct iopf_prg *prg)
{
	return (struct iommu_page_response){
		.pasid = prg->key.pasid,
		.grpid = prg->key.grpid,
		.code = prg->code,
	};
}

/*
 * Return the response with what the device has sent: its private data, and whether it was
 * a last request.
 */
static struct iopf_response iopf_response(const struct iopf_prg *prg)
{
	struct iopf_response response = {
		.fault = prg->base.last_fault.fault,
		.msg = iopf_message(prg),
		.flags = prg->flags,
	};

	if (prg->key.flags & IOPF_KEY_SINGLE)
		response.fault.prm.flags &= ~IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	if (prg->flags)
		memcpy(response.private_data, response.fault.prm.private_data,
		       sizeof(response.private_data));
	return response;
}

/*
 * Send a response that needs more than PASID, index and code. @fdev may be NULL: @dev is
 * on no queue.
 */
static void iopf_send_response(struct iopf_device *fdev, struct device *dev,
			       const struct iopf_response *response)
{
	struct iopf_fault evt = { .fault = response->fault };
	struct iommu_page_response msg = response->msg;

	if (fdev && fdev->fq->ops && fdev->fq->ops->page_responses) {
		fdev->fq->ops->page_responses(dev, response, 1);
		return;
	}
	if (response->flags & IOPF_REQUEST_PRIVATE_DATA)
		memcpy(evt.fault.prm.private_data, response->private_data,
		       sizeof(response->private_data));
	dev_iommu_ops(dev)->page_response(dev, &evt, &msg);
}

/* Refuse a request that is in no group. @fdev may be NULL, as in iopf_send_response(). */
void iopf_send_invalid(struct iopf_device *fdev, struct device *dev,
		       const struct iopf_request *request)
{
	const struct iopf_key key = iopf_key(&request->fault);
	struct iopf_response response = {
		.fault = request->fault,
		.msg = {
			.pasid = key.pasid,
			.grpid = key.grpid,
			.code = IOMMU_PAGE_RESP_INVALID,
		},
		.flags = request->flags & IOPF_REQUEST_SINGLE,
	};

	memcpy(response.private_data, request->private_data,
	       sizeof(response.private_data));
	iopf_send_response(fdev, dev, &response);
}

static void iopf_send_each(struct iopf_device *fdev, struct list_head *batch)
{
	struct iopf_prg *prg;

	list_for_each_entry(prg, batch, base.pending_node) {
		struct iommu_page_response msg = iopf_message(prg);

		if (prg->code == IOPF_RESP_NONE)
			continue;
		if (unlikely(prg->flags)) {
			struct iopf_response response = iopf_response(prg);

			iopf_send_response(fdev, fdev->base.dev, &response);
			continue;
		}
		fdev->ops->page_response(fdev->base.dev, &prg->base.last_fault,
					 &msg);
	}
}

static void iopf_send_at_once(struct iopf_device *fdev, struct list_head *batch)
{
	struct iopf_response responses[IOPF_MAX_RESPONSES];
	unsigned int count = 0;
	struct iopf_prg *prg;

	list_for_each_entry(prg, batch, base.pending_node)
		if (prg->code != IOPF_RESP_NONE)
			responses[count++] = iopf_response(prg);
	if (count)
		fdev->fq->ops->page_responses(fdev->base.dev, responses, count);
}

static void iopf_trace_response(struct iopf_device *fdev, struct iopf_prg *prg)
{
	if (prg->code == IOPF_RESP_NONE)
		trace_iopf_discard(fdev->base.dev, prg->key.pasid,
				   prg->key.grpid, prg->base.fault_count);
	else
		trace_iopf_respond(fdev->base.dev, &prg->base.last_fault.fault,
				   prg->code, iopf_age(&prg->times) ?:
				   jiffies_to_nsecs(jiffies - prg->since));
}

/* Trace and time responses, if either is enabled. */
static void iopf_note_responses(struct iopf_device *fdev, struct list_head *batch)
{
	u64 now = iopf_now();
	struct iopf_prg *prg;

	if (!now && !trace_iopf_respond_enabled() &&
	    !trace_iopf_discard_enabled())
		return;
	list_for_each_entry(prg, batch, base.pending_node) {
		prg->times.sent = now;
		iopf_trace_response(fdev, prg);
	}
}

/* Count the response of @prg, which was sent. */
static void iopf_count_response(struct iopf_device *fdev, struct iopf_prg *prg)
{
	u64 age = iopf_age(&prg->times);
	unsigned int bucket;

	lockdep_assert_held(&fdev->lock);
	fdev->stats.responses[prg->code]++;
	prg->pq->responses[prg->code]++;
	/* iopf.latency may have been changed since the group was started. */
	if (!age || !prg->times.claimed)
		return;
	bucket = iopf_latency_bucket(age);
	fdev->latency[bucket]++;
	prg->pq->latency[bucket]++;
	iopf_count_phases(&fdev->stats, &prg->times);
}

/*
 * Account for the responses of @batch, which iopf_send_batch() has sent, and tell
 * waiters. @begun: a return value of iopf_now().
 */
void iopf_end_responses(struct iopf_device *fdev, struct list_head *batch, u64 begun)
{
	struct iopf_prg *prg;

	lockdep_assert_held(&fdev->lock);
	iopf_count_time(&fdev->stats, IOPF_RESPONSE, begun);
	list_for_each_entry(prg, batch, base.pending_node) {
		if (prg->code == IOPF_RESP_NONE)
			fdev->stats.discarded++;
		else
			iopf_count_response(fdev, prg);
		prg->pq->nr_responding--;
		fdev->nr_responding--;
		if (unlikely(!list_empty(&fdev->flushes)))
			iopf_tell_responded(fdev, prg);
		iopf_pq_put(prg->pq);
	}
}

/*
 * Move the first groups of @claimed that have the same device to @batch. Return the
 * device.
 */
static struct iopf_device *iopf_cut_batch(struct list_head *claimed,
					  struct list_head *batch)
{
	struct iopf_prg *last = list_first_entry(claimed, struct iopf_prg,
						 base.pending_node);
	struct iopf_device *fdev = iopf_prg_device(last);
	unsigned int count = 0;
	struct iopf_prg *prg;

	list_for_each_entry(prg, claimed, base.pending_node) {
		if (iopf_prg_device(prg) != fdev || count++ == IOPF_MAX_RESPONSES)
			break;
		last = prg;
	}
	list_cut_position(batch, claimed, &last->base.pending_node);
	return fdev;
}

/* Free the groups in @freed, and drop their references to @fdev. */
static void iopf_freed_put(struct iopf_device *fdev, struct iopf_freed *freed)
{
	if (!freed->nr)
		return;
	iopf_freed_end(fdev, freed);
	iopf_device_put_many(fdev, freed->nr);
}

/* Drop a reference. Not under iopf_device.lock. */
void iopf_prg_put(struct iopf_prg *prg)
{
	struct iopf_device *fdev = iopf_prg_device(prg);
	struct iopf_freed freed = {};

	iopf_prg_drop(fdev, prg, &freed);
	iopf_freed_put(fdev, &freed);
}

/* Drop the library's references to @batch. The last one may free the device. */
void iopf_put_responded(struct iopf_device *fdev, struct list_head *batch)
{
	struct iopf_freed freed = {};
	u64 begun = iopf_now();
	struct iopf_prg *prg;
	struct iopf_prg *next;

	list_for_each_entry_safe(prg, next, batch, base.pending_node)
		iopf_prg_drop(fdev, prg, &freed);
	if (begun && freed.nr) {
		spin_lock(&fdev->lock);
		iopf_count_time(&fdev->stats, IOPF_FREE, begun);
		spin_unlock(&fdev->lock);
	}
	iopf_freed_put(fdev, &freed);
}

/*
 * Send the responses of claimed groups of @fdev. The caller accounts for them by
 * iopf_end_responses(), under the lock, and drops the references by iopf_put_responded().
 */
void iopf_send_batch(struct iopf_device *fdev, struct list_head *batch)
{
	iopf_note_responses(fdev, batch);
	if (fdev->fq->ops && fdev->fq->ops->page_responses)
		iopf_send_at_once(fdev, batch);
	else
		iopf_send_each(fdev, batch);
}

/* Send the responses of claimed groups, and drop the library's references. */
void iopf_send(struct list_head *claimed)
{
	while (!list_empty(claimed)) {
		LIST_HEAD(batch);
		struct iopf_device *fdev = iopf_cut_batch(claimed, &batch);
		u64 begun = iopf_now();

		iopf_send_batch(fdev, &batch);
		spin_lock(&fdev->lock);
		iopf_end_responses(fdev, &batch, begun);
		spin_unlock(&fdev->lock);
		iopf_put_responded(fdev, &batch);
	}
}

/*
 * Claim a group and send its response, unless it was claimed. The caller has a reference.
 */
void iopf_respond(struct iopf_prg *prg, enum iommu_page_response_code code)
{
	struct iopf_device *fdev = iopf_prg_device(prg);
	LIST_HEAD(claimed);

	spin_lock(&fdev->lock);
	iopf_claim(fdev, prg, code, &claimed);
	spin_unlock(&fdev->lock);
	iopf_send(&claimed);
}

/*
 * Wait for the groups of @fdev that are queued or with a worker now, IOPF_FLUSH_GRACE_MS
 * at most. Return the number of the youngest.
 */
u64 iopf_wait_faulting(struct iopf_device *fdev)
{
	struct iopf_flush flush = {};

	spin_lock(&fdev->lock);
	flush.seq = fdev->seq;
	flush.nr_faulting = fdev->nr_faulting;
	list_add_tail(&flush.node, &fdev->flushes);
	spin_unlock(&fdev->lock);

	wait_event_timeout(fdev->flushed, !READ_ONCE(flush.nr_faulting),
			   msecs_to_jiffies(IOPF_FLUSH_GRACE_MS));

	spin_lock(&fdev->lock);
	list_del(&flush.node);
	spin_unlock(&fdev->lock);
	return flush.seq;
}

/*
 * Wait until responses being sent now have been sent: those of @pq, which the caller
 * references, or all if it is NULL.
 */
void iopf_wait_responding(struct iopf_device *fdev, struct iopf_pasid_queue *pq)
{
	struct iopf_flush flush = { .pq = pq };

	spin_lock(&fdev->lock);
	flush.claims = fdev->claims;
	flush.nr_responding = pq ? pq->nr_responding : fdev->nr_responding;
	list_add_tail(&flush.node, &fdev->flushes);
	spin_unlock(&fdev->lock);

	wait_event(fdev->flushed, !READ_ONCE(flush.nr_responding));

	spin_lock(&fdev->lock);
	list_del(&flush.node);
	spin_unlock(&fdev->lock);
}

/* Wait until all responses being sent now have been sent. */
void iopf_wait_responses(struct iopf_device *fdev)
{
	iopf_wait_responding(fdev, NULL);
}

/**
 * iopf_group_response() - Respond to a group of page requests
 * @group: the group
 * @status: the response code
 *
 * For handlers of a domain (iommu_domain.iopf_handler) that have accepted the group. Does
 * nothing but count if the response was sent before, because the device was removed, the
 * PASID flushed or the timeout reached. The handler still has to call iopf_free_group().
 *
 * Context: Process context, under any lock that page_response does not take. Sleeps only if
 * the driver's page_response does.
 */
void iopf_group_response(struct iopf_group *group,
			 enum iommu_page_response_code status)
{
	if (WARN_ON_ONCE(status > IOMMU_PAGE_RESP_FAILURE))
		status = IOMMU_PAGE_RESP_INVALID;
	iopf_respond(to_iopf_prg(group), status);
}
EXPORT_SYMBOL_GPL(iopf_group_response);

/**
 * iopf_group_dequeue() - Accept a group for a later response
 * @group: the group
 *
 * Handlers call it before others may respond to the group. It does nothing in this library: a
 * handler has a reference from the moment that it is called, and the library still sends the
 * response when the device is removed or the PASID flushed.
 *
 * Context: Any.
 */
void iopf_group_dequeue(struct iopf_group *group)
{
}
EXPORT_SYMBOL_GPL(iopf_group_dequeue);

/**
 * iopf_free_group() - Drop a handler's reference to a group
 * @group: the group; not to be used afterwards
 *
 * Sends no response. A group without a response stays with the library until its device is
 * removed, its PASID flushed, or its timeout reached.
 *
 * Context: Process context.
 */
void iopf_free_group(struct iopf_group *group)
{
	iopf_prg_put(to_iopf_prg(group));
}
EXPORT_SYMBOL_GPL(iopf_free_group);
