// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: the ring
 *
 * A request is in the ring, or copied and not reported, or reported: under the lock it
 * is seen in one of these. The overflow bit is cleared only when the ring is empty.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <trace/events/iopf.h>

#include "prq.h"

static size_t intel_prq_desc_size(struct iopf_prq *prq)
{
	return prq->format == IOPF_PRQ_REV2 ? 16 : 32;
}

/*
 * After a reset the head is where its register says. What was in the ring is gone,
 * and so is what the devices knew: let those who wait for it go on.
 */
static void intel_prq_sync_head(struct iopf_prq *prq)
{
	lockdep_assert_held(&prq->lock);
	if (!READ_ONCE(prq->restarted))
		return;
	WRITE_ONCE(prq->restarted, false);
	prq->head = prq->ops->read_head(prq);
	prq->copied = max(prq->copied, prq->awaited);
	prq->lost = true;
}

static unsigned int intel_prq_used(struct iopf_prq *prq)
{
	intel_prq_sync_head(prq);
	return (prq->ops->read_tail(prq) - prq->head) & (prq->size - 1);
}

static bool intel_prq_is_empty(struct iopf_prq *prq)
{
	bool empty;

	spin_lock(&prq->lock);
	empty = !intel_prq_used(prq);
	spin_unlock(&prq->lock);
	return empty;
}

/**
 * struct intel_prq_taken - what was taken from the ring
 * @count: requests in the batch
 * @copied: requests copied up to these
 * @lost: nothing was taken, as the devices' requests have to be forgotten before
 */
struct intel_prq_taken {
	unsigned int count;
	u64 copied;
	bool lost;
};

/*
 * Copy requests out of the ring and give their slots back. A drain sees a request
 * either in the ring or as one that is copied and not reported. False if there is
 * nothing to do.
 */
static bool intel_prq_take(struct iopf_prq *prq, struct intel_prq_taken *taken)
{
	unsigned int used;
	unsigned int i;

	spin_lock(&prq->lock);
	used = intel_prq_used(prq);
	taken->lost = prq->lost;
	prq->lost = false;
	taken->count = taken->lost ? 0 : min_t(unsigned int, used, IOPF_PRQ_BATCH);
	/* The tail was read before what it stands for. */
	dma_rmb();
	for (i = 0; i < taken->count; i++) {
		iopf_prq_decode(prq->format,
				prq->ring + prq->head * intel_prq_desc_size(prq),
				&prq->batch[i]);
		prq->head = (prq->head + 1) & (prq->size - 1);
	}
	prq->copied += taken->count;
	taken->copied = prq->copied;
	if (taken->count)
		prq->ops->write_head(prq, prq->head);
	spin_unlock(&prq->lock);
	return taken->count || taken->lost;
}

static void intel_prq_complain(struct iopf_prq *prq,
			       const struct iopf_prq_event *event,
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

	if (iopf_prq_is_stop_marker(prm))
		return;
	if (last || flags)
		iopf_prq_respond(prq, rid, &response, 1);
}

/* Report @count requests of one device, collected in prq->requests. */
static void intel_prq_report_requests(struct iopf_prq *prq, u16 rid,
				      unsigned int count)
{
	unsigned int i;

	iopf_prq_suspect(prq, rid, count);
	if (prq->ops->report(prq, rid, prq->requests, count) != -ENODEV)
		return;
	for (i = 0; i < count; i++) {
		struct iopf_prq_event event = {
			.rid = rid,
			.request = prq->requests[i],
		};

		/* Of one that is refused something worse has been said. */
		if (!(event.request.flags & IOPF_REQUEST_REFUSED))
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
			event->request.flags |= IOPF_REQUEST_REFUSED;
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

static void intel_prq_forget(struct iopf_prq *prq)
{
	prq->ops->lock_devices(prq);
	prq->ops->forget_devices(prq);
	prq->ops->unlock_devices(prq);
}

/* Report what is in the ring, until there is nothing. True if there was anything. */
static bool intel_prq_empty_ring(struct iopf_prq *prq)
{
	struct intel_prq_taken taken;
	bool any = false;

	while (intel_prq_take(prq, &taken)) {
		any = true;
		if (taken.lost)
			intel_prq_forget(prq);
		else
			intel_prq_report_batch(prq, taken.count);
		/* Pairs with smp_load_acquire() in intel_prq_is_reported(). */
		smp_store_release(&prq->reported, taken.copied);
		wake_up_all(&prq->progress);
		/* A device can keep this going. */
		cond_resched();
	}
	return any;
}

/*
 * Requests were dropped, last ones among them, and it is not known which. From the
 * overflow on hardware drops those that are not the last one of their group, responds
 * to the others by itself, with Success, and takes no more until the bit is cleared
 * (7.4.1 and table 31). So the tail that is read after the bit is final.
 *
 * The rest of a group that is known may still be in the ring, so that is emptied
 * first. Groups that have not got their last request then will never get it: they are
 * forgotten, before the bit is cleared and the first request comes that is not to be.
 * The device has its response, and asks again for what it still needs.
 *
 * True if the ring has to be looked at again: for what is in it, or for what came after
 * the bit was cleared and has not interrupted, as the pending bit was set (7.5).
 */
static bool intel_prq_handle_overflow(struct iopf_prq *prq)
{
	if (!(prq->ops->read_status(prq) & IOPF_PRQ_OVERFLOW))
		return false;
	if (!intel_prq_is_empty(prq))
		return true;

	WRITE_ONCE(prq->nr_overflows, prq->nr_overflows + 1);
	trace_iopf_overflow(prq->name, prq->nr_overflows);
	pr_info_ratelimited("%s: page request queue overflow\n", prq->name);
	iopf_prq_blame(prq);
	iopf_queue_discard_partial(prq->queue);
	/* Counted, then cleared: pairs with smp_rmb() in intel_prq_has_overflowed(). */
	smp_wmb();
	prq->ops->clear_status(prq, IOPF_PRQ_OVERFLOW);
	WRITE_ONCE(prq->nr_cleared, prq->nr_cleared + 1);
	wake_up_all(&prq->progress);

	/* An overflow fills the ring. A bit that is set without is stuck. */
	return !(prq->ops->read_status(prq) & IOPF_PRQ_OVERFLOW) ||
	       !intel_prq_is_empty(prq);
}

/**
 * iopf_prq_run() - Report all that is in the ring
 * @prq: the queue
 *
 * Context: The interrupt's thread, may sleep.
 * Return: true if there was anything to do.
 */
bool iopf_prq_run(struct iopf_prq *prq)
{
	bool any = false;
	bool again;

	do {
		/* Before the tail is read: later requests interrupt again. */
		prq->ops->clear_status(prq, IOPF_PRQ_PENDING);
		any |= intel_prq_empty_ring(prq);
		again = intel_prq_handle_overflow(prq);
		any |= again;
	} while (again);
	return any;
}

static bool intel_prq_is_reported(struct iopf_prq *prq, u64 until)
{
	/* Pairs with smp_store_release() in intel_prq_empty_ring(). */
	return smp_load_acquire(&prq->reported) >= until;
}

/**
 * iopf_prq_wait() - Wait for the requests that have come
 * @prq: the queue
 *
 * What is in the ring now, or was copied out of it, is reported on return; what comes
 * later is not waited for.
 *
 * Context: Process context, not the interrupt's thread. May sleep.
 */
void iopf_prq_wait(struct iopf_prq *prq)
{
	unsigned int used;
	u64 until;

	spin_lock(&prq->lock);
	used = intel_prq_used(prq);
	until = prq->copied + used;
	prq->awaited = max(prq->awaited, until);
	spin_unlock(&prq->lock);
	if (intel_prq_is_reported(prq, until))
		return;
	prq->ops->wake_thread(prq);
	wait_event(prq->progress, intel_prq_is_reported(prq, until));
}

/**
 * iopf_prq_wait_overflow() - Wait until hardware takes requests again
 * @prq: the queue
 *
 * Returns after one overflow, also if the next one has come meanwhile.
 *
 * Context: Process context, not the interrupt's thread. May sleep.
 */
void iopf_prq_wait_overflow(struct iopf_prq *prq)
{
	u64 cleared = READ_ONCE(prq->nr_cleared);

	prq->ops->wake_thread(prq);
	wait_event(prq->progress,
		   READ_ONCE(prq->nr_cleared) != cleared ||
		   !(prq->ops->read_status(prq) & IOPF_PRQ_OVERFLOW));
}

/**
 * iopf_prq_start() - Begin with a ring that hardware has just got
 * @prq: the queue
 *
 * The head is what the register says, whatever was written there. Status bits survive a
 * reset (11.4.11.4): those that a former kernel has left set (kexec, kdump) would keep
 * hardware from interrupting (7.5) and from taking requests (7.4.1). An overflow is left
 * to the thread: devices of that kernel may have filled the ring by now, and then the bit
 * stays until the ring is empty.
 *
 * Context: Process context. Hardware knows the ring, the interrupt has its thread.
 */
void iopf_prq_start(struct iopf_prq *prq)
{
	spin_lock(&prq->lock);
	prq->head = prq->ops->read_head(prq);
	spin_unlock(&prq->lock);
	prq->ops->clear_status(prq, IOPF_PRQ_PENDING);
	/* What has come while the pending bit was set has not interrupted. */
	if (prq->ops->read_status(prq) & IOPF_PRQ_OVERFLOW ||
	    !intel_prq_is_empty(prq))
		prq->ops->wake_thread(prq);
}

/**
 * iopf_prq_restart() - Go on with hardware that was reset
 * @prq: the queue
 *
 * Head and tail have returned to 0, what was in the ring is lost, and the devices
 * were reset, too: their requests are forgotten without a response.
 *
 * Context: Any. Hardware knows the ring again.
 */
void iopf_prq_restart(struct iopf_prq *prq)
{
	WRITE_ONCE(prq->restarted, true);
	prq->ops->clear_status(prq, IOPF_PRQ_PENDING | IOPF_PRQ_OVERFLOW);
	prq->ops->wake_thread(prq);
}

/* The caller sets @prq->ops, name, queue, format, ring and size. */
void iopf_prq_init(struct iopf_prq *prq)
{
	spin_lock_init(&prq->lock);
	init_waitqueue_head(&prq->progress);
	mutex_init(&prq->flood_lock);
	atomic_set(&prq->nr_unsent, 0);
	prq->patience = HZ;
	prq->blamed = -1;
}
