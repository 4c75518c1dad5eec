// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: the ring
 *
 * Under the lock each request is in exactly one of three states: in the ring, copied but
 * not reported, or reported. The overflow bit is cleared only while the ring is empty.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <trace/events/iopf.h>

#include "prq.h"

static size_t intel_prq_desc_size(struct vtd_prq *prq)
{
	return prq->format == VTD_PRQ_REV2 ? 16 : 32;
}

/*
 * After a hardware reset, read the head again. The requests that were in the ring are
 * lost; count them as copied, so that vtd_prq_wait() does not wait for them.
 */
static void intel_prq_sync_head(struct vtd_prq *prq)
{
	lockdep_assert_held(&prq->lock);
	if (!READ_ONCE(prq->restarted))
		return;
	WRITE_ONCE(prq->restarted, false);
	prq->head = prq->ops->read_head(prq);
	prq->copied = max(prq->copied, prq->awaited);
	prq->lost = true;
}

/* Return the number of requests in the ring. */
static unsigned int intel_prq_ring_count(struct vtd_prq *prq)
{
	intel_prq_sync_head(prq);
	return (prq->ops->read_tail(prq) - prq->head) & (prq->size - 1);
}

static bool intel_prq_is_empty(struct vtd_prq *prq)
{
	bool empty;

	spin_lock(&prq->lock);
	empty = !intel_prq_ring_count(prq);
	spin_unlock(&prq->lock);
	return empty;
}

/**
 * struct intel_prq_fetched - result of intel_prq_fetch_batch()
 * @count: number of requests in vtd_prq.batch
 * @copied: value of vtd_prq.copied after these
 * @lost: hardware was reset; nothing was copied, and intel_prq_handle_reset() comes first
 */
struct intel_prq_fetched {
	unsigned int count;
	u64 copied;
	bool lost;
};

/*
 * Copy a batch of requests out of the ring and free their slots, under one hold of the
 * lock, so that vtd_prq_wait() counts each request either in the ring or as copied.
 * Return false if there is nothing to do.
 */
static bool intel_prq_fetch_batch(struct vtd_prq *prq, struct intel_prq_fetched *fetched)
{
	unsigned int used;
	unsigned int i;

	spin_lock(&prq->lock);
	used = intel_prq_ring_count(prq);
	fetched->lost = prq->lost;
	prq->lost = false;
	fetched->count = fetched->lost ? 0 : min_t(unsigned int, used, VTD_PRQ_BATCH);
	/* Read the descriptors after the tail. */
	dma_rmb();
	for (i = 0; i < fetched->count; i++) {
		vtd_prq_decode(prq->format,
			       prq->ring + prq->head * intel_prq_desc_size(prq),
			       &prq->batch[i]);
		prq->head = (prq->head + 1) & (prq->size - 1);
	}
	prq->copied += fetched->count;
	fetched->copied = prq->copied;
	if (fetched->count)
		prq->ops->write_head(prq, prq->head);
	spin_unlock(&prq->lock);
	return fetched->count || fetched->lost;
}

static void intel_prq_log_bad_request(struct vtd_prq *prq,
				      const struct vtd_prq_event *event,
			       const char *why)
{
	const struct iommu_fault_page_request *prm = &event->request.fault.prm;

	prq->nr_bad++;
	pr_err_ratelimited("%s: page request of %02x:%02x.%u, PASID %u, index %u: %s\n",
			   prq->name, event->rid >> 8, event->rid >> 3 & 0x1f,
			   event->rid & 7, prm->pasid, prm->grpid, why);
}

/*
 * Respond with Invalid Request to a request that the library did not get. A response is
 * owed to the last request of a group (7.6), to a request with private data (revision
 * 3.4) and to a streaming request (revision 2.5), but not to a Stop Marker.
 */
static void intel_prq_respond_invalid(struct vtd_prq *prq, u16 rid,
				      const struct iopf_request *request)
{
	const struct iommu_fault_page_request *prm = &request->fault.prm;
	u32 flags = request->flags & ~IOPF_REQUEST_REFUSED;
	struct iopf_response response = {
		.fault = request->fault,
		.msg = {
			.pasid = prm->pasid,
			.grpid = prm->grpid,
			.code = IOMMU_PAGE_RESP_INVALID,
		},
		.flags = flags,
		.private_data = {
			request->private_data[0], request->private_data[1],
		},
	};
	bool last = prm->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;

	if (vtd_prq_is_stop_marker(prm))
		return;
	if (last || flags)
		vtd_prq_respond(prq, rid, &response, 1);
}

/* Report the first @count requests of prq->requests, which all come from @rid. */
static void intel_prq_report_requests(struct vtd_prq *prq, u16 rid,
				      unsigned int count)
{
	unsigned int i;

	vtd_prq_count_requests(prq, rid, count);
	if (prq->ops->report(prq, rid, prq->requests, count) != -ENODEV)
		return;
	for (i = 0; i < count; i++) {
		struct vtd_prq_event event = {
			.rid = rid,
			.request = prq->requests[i],
		};

		/* For a refused request a message was logged already. */
		if (!(event.request.flags & IOPF_REQUEST_REFUSED))
			intel_prq_log_bad_request(prq, &event, "unknown requester");
		intel_prq_respond_invalid(prq, rid, &event.request);
	}
}

/* Report all requests of the batch that have the requester ID of request @first. */
static void intel_prq_report_requester(struct vtd_prq *prq, unsigned int first,
				       unsigned int count, unsigned long *done)
{
	u16 rid = prq->batch[first].rid;
	unsigned int n = 0;
	unsigned int i;

	for (i = first; i < count; i++) {
		struct vtd_prq_event *event = &prq->batch[i];

		if (event->rid != rid)
			continue;
		__set_bit(i, done);
		if (event->bad) {
			intel_prq_log_bad_request(prq, event, event->bad);
			event->request.flags |= IOPF_REQUEST_REFUSED;
		}
		prq->requests[n++] = event->request;
	}
	intel_prq_report_requests(prq, rid, n);
}

static void intel_prq_report_batch(struct vtd_prq *prq, unsigned int count)
{
	DECLARE_BITMAP(done, VTD_PRQ_BATCH) = { };
	unsigned int first;

	prq->ops->lock_devices(prq);
	while ((first = find_first_zero_bit(done, count)) < count)
		intel_prq_report_requester(prq, first, count, done);
	prq->ops->unlock_devices(prq);
}

/* End the page requests of all devices without a response, after a hardware reset. */
static void intel_prq_handle_reset(struct vtd_prq *prq)
{
	prq->ops->lock_devices(prq);
	prq->ops->reset_devices(prq);
	prq->ops->unlock_devices(prq);
}

/* Report requests until the ring is empty. Return true if there were any. */
static bool intel_prq_empty_ring(struct vtd_prq *prq)
{
	struct intel_prq_fetched fetched;
	bool any = false;

	while (intel_prq_fetch_batch(prq, &fetched)) {
		any = true;
		if (fetched.lost)
			intel_prq_handle_reset(prq);
		else
			intel_prq_report_batch(prq, fetched.count);
		/* Pairs with smp_load_acquire() in intel_prq_is_reported(). */
		smp_store_release(&prq->reported, fetched.copied);
		wake_up_all(&prq->progress);
		/* A device can keep the ring filled. */
		cond_resched();
	}
	return any;
}

/*
 * Handle an overflow of the ring, once the ring is empty.
 *
 * Requests were dropped, and it is not known which. While the overflow bit is set,
 * hardware writes no request to the ring. It drops requests that are not the last one of
 * their group, and responds with Success to those that are (7.4.1 and Table 31). So the
 * tail is final once the bit is seen set.
 *
 * The last requests of unfinished groups may still be in the ring, so the ring is emptied
 * first. Groups that are unfinished then never get their last request, and are discarded.
 * That is done before the bit is cleared: later requests with the same index belong to
 * new groups. The devices have got hardware's response, and ask again for what they still
 * need.
 *
 * Return true if the ring has to be read again: it is not empty, or requests that came
 * after the bit was cleared may not have interrupted, because the pending bit was set
 * (7.5).
 */
static bool intel_prq_handle_overflow(struct vtd_prq *prq)
{
	if (!(prq->ops->read_status(prq) & VTD_PRQ_OVERFLOW))
		return false;
	if (!intel_prq_is_empty(prq))
		return true;

	WRITE_ONCE(prq->nr_overflows, prq->nr_overflows + 1);
	trace_iopf_overflow(prq->name, prq->nr_overflows);
	pr_info_ratelimited("%s: page request queue overflow\n", prq->name);
	vtd_prq_blame(prq);
	iopf_queue_discard_partial(prq->queue);
	/* Count before clearing. Pairs with smp_rmb() in intel_prq_has_overflowed(). */
	smp_wmb();
	prq->ops->clear_status(prq, VTD_PRQ_OVERFLOW);
	WRITE_ONCE(prq->nr_cleared, prq->nr_cleared + 1);
	wake_up_all(&prq->progress);

	/* A new overflow fills the ring. If it is empty, the bit is stuck: do not spin. */
	return !(prq->ops->read_status(prq) & VTD_PRQ_OVERFLOW) ||
	       !intel_prq_is_empty(prq);
}

/**
 * vtd_prq_run() - Report all requests in the ring and handle overflows
 * @prq: the page request queue
 *
 * Context: The interrupt thread, may sleep.
 * Return: true if there was anything to do.
 */
bool vtd_prq_run(struct vtd_prq *prq)
{
	bool any = false;
	bool again;

	do {
		/* Before the tail is read, so that later requests interrupt again. */
		prq->ops->clear_status(prq, VTD_PRQ_PENDING);
		any |= intel_prq_empty_ring(prq);
		again = intel_prq_handle_overflow(prq);
		any |= again;
	} while (again);
	return any;
}

static bool intel_prq_is_reported(struct vtd_prq *prq, u64 until)
{
	/* Pairs with smp_store_release() in intel_prq_empty_ring(). */
	return smp_load_acquire(&prq->reported) >= until;
}

/**
 * vtd_prq_wait() - Wait until the requests in the ring have been reported
 * @prq: the page request queue
 *
 * On return all requests have been reported that were in the ring, or copied out of it,
 * when the function was called. Does not wait for later ones.
 *
 * Context: Process context, not the interrupt thread. May sleep.
 */
void vtd_prq_wait(struct vtd_prq *prq)
{
	unsigned int used;
	u64 until;

	spin_lock(&prq->lock);
	used = intel_prq_ring_count(prq);
	until = prq->copied + used;
	prq->awaited = max(prq->awaited, until);
	spin_unlock(&prq->lock);
	if (intel_prq_is_reported(prq, until))
		return;
	prq->ops->wake_thread(prq);
	wait_event(prq->progress, intel_prq_is_reported(prq, until));
}

/**
 * vtd_prq_wait_overflow() - Wait until an overflow has been handled
 * @prq: the page request queue
 *
 * Returns after one overflow was cleared, even if the next one has come meanwhile.
 *
 * Context: Process context, not the interrupt thread. May sleep.
 */
void vtd_prq_wait_overflow(struct vtd_prq *prq)
{
	u64 cleared = READ_ONCE(prq->nr_cleared);

	prq->ops->wake_thread(prq);
	wait_event(prq->progress,
		   READ_ONCE(prq->nr_cleared) != cleared ||
		   !(prq->ops->read_status(prq) & VTD_PRQ_OVERFLOW));
}

/**
 * vtd_prq_start() - Start taking requests from a new ring
 * @prq: the page request queue
 *
 * Reads the head from its register instead of assuming its value. The status bits survive
 * a reset (11.4.11.4), so a previous kernel (kexec, kdump) may have left them set, which
 * would keep hardware from interrupting (7.5) and from writing requests (7.4.1). The
 * pending bit is cleared here. An overflow is left to the thread, because devices that the
 * previous kernel used may have filled the ring by now, and the bit may be cleared only
 * while the ring is empty.
 *
 * Context: Process context. Hardware has the ring, and the interrupt has its thread.
 */
void vtd_prq_start(struct vtd_prq *prq)
{
	spin_lock(&prq->lock);
	prq->head = prq->ops->read_head(prq);
	spin_unlock(&prq->lock);
	prq->ops->clear_status(prq, VTD_PRQ_PENDING);
	/* Requests that came while the pending bit was set have not interrupted. */
	if (prq->ops->read_status(prq) & VTD_PRQ_OVERFLOW ||
	    !intel_prq_is_empty(prq))
		prq->ops->wake_thread(prq);
}

/**
 * vtd_prq_restart() - Restart after a hardware reset
 * @prq: the page request queue
 *
 * Head and tail have returned to 0, and the requests in the ring are lost. The devices
 * were reset, too, so their requests end without a response. The thread does the work.
 *
 * Context: Any. Hardware has the ring again.
 */
void vtd_prq_restart(struct vtd_prq *prq)
{
	WRITE_ONCE(prq->restarted, true);
	prq->ops->clear_status(prq, VTD_PRQ_PENDING | VTD_PRQ_OVERFLOW);
	prq->ops->wake_thread(prq);
}

/* Initialize @prq. The caller sets ops, name, queue, format, ring and size. */
void vtd_prq_init(struct vtd_prq *prq)
{
	spin_lock_init(&prq->lock);
	init_waitqueue_head(&prq->progress);
	mutex_init(&prq->flood_lock);
	atomic_set(&prq->nr_unsent, 0);
	prq->patience = HZ;
	prq->blamed = -1;
}
