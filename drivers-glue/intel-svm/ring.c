// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: the ring
 */
#include <linux/bitmap.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <trace/events/iopf.h>

#include "prq.h"

static size_t intel_prq_desc_size(struct iopf_prq *prq)
{
	return prq->format == IOPF_PRQ_REV2 ? 16 : 32;
}

static unsigned int intel_prq_used(struct iopf_prq *prq)
{
	lockdep_assert_held(&prq->lock);
	return (prq->ops->read_tail(prq) - prq->head) & (prq->size - 1);
}

/*
 * Copy requests out of the ring and give their slots back. Whoever drains sees a
 * request either in the ring or as one that is copied and not reported.
 */
static unsigned int intel_prq_take(struct iopf_prq *prq)
{
	unsigned int count;
	unsigned int i;

	spin_lock(&prq->lock);
	count = min_t(unsigned int, intel_prq_used(prq), IOPF_PRQ_BATCH);
	/* The tail was read before what it stands for. */
	dma_rmb();
	for (i = 0; i < count; i++) {
		iopf_prq_decode(prq->format,
				prq->ring + prq->head * intel_prq_desc_size(prq),
				&prq->batch[i]);
		prq->head = (prq->head + 1) & (prq->size - 1);
	}
	prq->copied += count;
	if (count)
		prq->ops->write_head(prq, prq->head);
	spin_unlock(&prq->lock);
	return count;
}

static void intel_prq_complain(struct iopf_prq *prq, const struct iopf_prq_event *event,
			       const char *why)
{
	const struct iommu_fault_page_request *prm = &event->request.fault.prm;

	prq->nr_bad++;
	pr_err_ratelimited("%s: page request of %02x:%02x.%u, PASID %u, index %u: %s\n",
			   prq->name, event->rid >> 8, event->rid >> 3 & 0x1f,
			   event->rid & 7, prm->pasid, prm->grpid, why);
}

/*
 * Send a response to a request that belongs to no group. The last request of a group
 * is owed one (7.6), and so is one with private data (revision 3.4) or of a stream
 * (revision 2.5); a stop marker is not.
 */
static void intel_prq_respond_invalid(struct iopf_prq *prq, u16 rid,
				      const struct iopf_request *request)
{
	const struct iommu_fault_page_request *prm = &request->fault.prm;
	u32 marks = request->marks & ~IOPF_REQUEST_REFUSED;
	struct iopf_response response = {
		.fault = request->fault,
		.msg = {
			.pasid = prm->pasid,
			.grpid = prm->grpid,
			.code = IOMMU_PAGE_RESP_INVALID,
		},
		.marks = marks,
		.private_data = {
			request->private_data[0], request->private_data[1],
		},
	};
	bool last = prm->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;

	if (iopf_prq_is_stop_marker(prm))
		return;
	if (last || marks)
		iopf_prq_respond(prq, rid, &response, 1);
}

/* Report @count requests of one device, collected in prq->requests. */
static void intel_prq_report_requests(struct iopf_prq *prq, u16 rid, unsigned int count)
{
	unsigned int i;

	if (prq->ops->report(prq, rid, prq->requests, count) != -ENODEV)
		return;
	for (i = 0; i < count; i++) {
		struct iopf_prq_event event = {
			.rid = rid,
			.request = prq->requests[i],
		};

		/* Of one that is refused something worse has been said. */
		if (!(event.request.marks & IOPF_REQUEST_REFUSED))
			intel_prq_complain(prq, &event, "unknown requester");
		intel_prq_respond_invalid(prq, rid, &event.request);
	}
}

/* Report those of the batch that have the requester of number @first. */
static void intel_prq_report_requester(struct iopf_prq *prq, unsigned int first,
				       unsigned int count, unsigned long *done)
{
	u16 rid = prq->batch[first].rid;
	unsigned int n = 0;
	unsigned int i;

	for (i = first; i < count; i++) {
		struct iopf_prq_event *event = &prq->batch[i];

		if (event->rid != rid)
			continue;
		__set_bit(i, done);
		if (event->bad) {
			intel_prq_complain(prq, event, event->bad);
			event->request.marks |= IOPF_REQUEST_REFUSED;
		}
		prq->requests[n++] = event->request;
	}
	intel_prq_report_requests(prq, rid, n);
}

static void intel_prq_report_batch(struct iopf_prq *prq, unsigned int count)
{
	DECLARE_BITMAP(done, IOPF_PRQ_BATCH) = { };
	unsigned int first;

	prq->ops->lock_devices(prq);
	while ((first = find_first_zero_bit(done, count)) < count)
		intel_prq_report_requester(prq, first, count, done);
	prq->ops->unlock_devices(prq);
}

/*
 * Requests were dropped, last ones among them, and nobody knows which. VT-d 4.1,
 * 7.4.1: hardware answers those itself, with Success, and takes no more until the
 * bit is cleared. What waits here for a last request that is gone is forgotten: the
 * device has its response, and asks again for what it still needs.
 */
static void intel_prq_handle_overflow(struct iopf_prq *prq)
{
	prq->nr_overflows++;
	trace_iopf_overflow(prq->name, prq->nr_overflows);
	pr_info_ratelimited("%s: page request queue overflow\n", prq->name);
	iopf_queue_discard_partial(prq->queue);
	prq->ops->clear_status(prq, IOPF_PRQ_OVERFLOW);
}

/* From the interrupt's thread: all that is in the ring. True if there was any. */
bool iopf_prq_run(struct iopf_prq *prq)
{
	unsigned int count;
	bool any = false;

	/* Before the tail is read: later requests interrupt again. */
	prq->ops->clear_status(prq, IOPF_PRQ_PENDING);
	while ((count = intel_prq_take(prq))) {
		any = true;
		intel_prq_report_batch(prq, count);
		/* Pairs with smp_load_acquire() in intel_prq_is_reported(). */
		smp_store_release(&prq->reported, prq->reported + count);
		wake_up_all(&prq->progress);
	}
	if (prq->ops->read_status(prq) & IOPF_PRQ_OVERFLOW) {
		intel_prq_handle_overflow(prq);
		wake_up_all(&prq->progress);
	}
	return any;
}

static bool intel_prq_is_reported(struct iopf_prq *prq, u64 until)
{
	/* Pairs with smp_store_release() in iopf_prq_run(). */
	return smp_load_acquire(&prq->reported) >= until;
}

/* Wait until all that is in the ring now, or was copied out of it, is reported. */
void iopf_prq_wait(struct iopf_prq *prq)
{
	u64 until;

	spin_lock(&prq->lock);
	until = prq->copied + intel_prq_used(prq);
	spin_unlock(&prq->lock);
	if (intel_prq_is_reported(prq, until))
		return;
	prq->ops->wake_thread(prq);
	wait_event(prq->progress, intel_prq_is_reported(prq, until));
}

/* Wait until hardware takes requests again, if it does not. */
void iopf_prq_wait_overflow(struct iopf_prq *prq)
{
	prq->ops->wake_thread(prq);
	wait_event(prq->progress,
		   !(prq->ops->read_status(prq) & IOPF_PRQ_OVERFLOW));
}

void iopf_prq_init(struct iopf_prq *prq)
{
	spin_lock_init(&prq->lock);
	init_waitqueue_head(&prq->progress);
	atomic_set(&prq->nr_unsent, 0);
}
