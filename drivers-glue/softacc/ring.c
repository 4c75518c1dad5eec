// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: page request ring and interrupt thread
 *
 * Devices put requests at the tail. The thread, which is SCHED_FIFO as interrupt threads
 * are, copies a batch from the head, moves the head, and reports the batch: all requests
 * at once, or with single=1 one by one. A device that finds no room tries again.
 *
 * With overflow=1 the ring behaves as that of VT-d (5.1, 7.4.1 and Table 31): requests that
 * find no room are dropped, and so are all that come until the ring is empty and the
 * overflow is cleared. Hardware responds with Success to those that are the last of their
 * group, so that the device asks again.
 */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "core.h"

#define SOFTACC_BATCH	64

/**
 * struct softacc_batch - requests that the thread copies from the ring at a time
 * @entries: the requests as they were in the ring
 * @requests: requests that are reported at once; fields that softacc_decode() does not set
 *	are always zero
 */
struct softacc_batch {
	struct softacc_prq entries[SOFTACC_BATCH];
	struct iopf_request requests[SOFTACC_BATCH];
};

/**
 * struct softacc_call - a function to be called while no request is reported
 * @fn: the function
 * @dev: its argument
 * @done: completed when @fn has returned
 */
struct softacc_call {
	void (*fn)(struct device *dev);
	struct device *dev;
	struct completion done;
};

/*
 * @head, @tail and @reported count requests and never decrease; @reported follows @head
 * when a batch was reported, so a drain waits until it reaches the tail. The ring is
 * closed after an overflow or for a @call, one at a time under @call_lock. A closed ring
 * takes no requests until it is empty and the thread has opened it again.
 */
static struct {
	spinlock_t lock; /* guards entries, head, tail, closed, overflowed, call */
	struct softacc_prq *entries;
	unsigned int size;
	u64 head;
	u64 tail;
	u64 reported;
	bool closed;
	bool overflowed;
	struct softacc_call *call;
	struct mutex call_lock; /* serializes softacc_ring_call() */
	struct task_struct *thread;
	wait_queue_head_t not_empty;
	wait_queue_head_t progress;
} ring;

/* Fields that are not set here are zero in @fault already. */
static void softacc_decode(const struct softacc_prq *prq,
			   struct iommu_fault *fault)
{
	struct iommu_fault_page_request *prm = &fault->prm;

	fault->type = IOMMU_FAULT_PAGE_REQ;
	prm->flags = prq->flags;
	prm->pasid = prq->pasid;
	prm->grpid = prq->grpid;
	prm->perm = prq->perm;
	prm->addr = prq->addr;
}

/* Move requests from the ring to @batch. Return their number. */
static unsigned int softacc_ring_fetch_batch(struct softacc_batch *batch)
{
	unsigned int count = 0;
	u64 head;

	spin_lock(&ring.lock);
	for (head = ring.head; head != ring.tail && count < SOFTACC_BATCH; head++)
		batch->entries[count++] = ring.entries[head & (ring.size - 1)];
	WRITE_ONCE(ring.head, head);
	spin_unlock(&ring.lock);
	return count;
}

/* Report @count requests of @batch, consecutive ones of the same device at once. */
static void softacc_report_batch(struct softacc_batch *batch, unsigned int count)
{
	struct softacc_dev *sdev;
	unsigned int done = 0;
	unsigned int n;

	for (; done < count; done += n) {
		sdev = batch->entries[done].dev;
		for (n = 0; done + n < count &&
		     batch->entries[done + n].dev == sdev; n++)
			softacc_decode(&batch->entries[done + n],
				       &batch->requests[n].fault);
		/* The fault queue has sent the responses of requests that it did not take. */
		iopf_report_requests(sdev->dev, batch->requests, n);
	}
}

/* Report @count requests of @batch as a driver does that uses only <linux/iommu.h>. */
static void softacc_report_single(const struct softacc_batch *batch,
				  unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct iopf_fault event = {};

		softacc_decode(&batch->entries[i], &event.fault);
		iommu_report_device_fault(batch->entries[i].dev->dev, &event);
	}
}

/* Called when a closed ring is empty: handle the overflow or the call, and open the ring. */
static void softacc_reopen_ring(void)
{
	struct softacc_call *call;
	bool overflowed;

	spin_lock(&ring.lock);
	call = ring.call;
	ring.call = NULL;
	overflowed = ring.overflowed;
	spin_unlock(&ring.lock);

	if (overflowed)
		softacc_discard_partial(NULL);
	if (call) {
		call->fn(call->dev);
		complete(&call->done);
	}

	spin_lock(&ring.lock);
	ring.overflowed = false;
	WRITE_ONCE(ring.closed, !!ring.call);
	spin_unlock(&ring.lock);
}

static int softacc_irq_thread(void *unused)
{
	static struct softacc_batch batch;
	unsigned int count;

	if (softacc_fifo)
		sched_set_fifo(current);
	while (!kthread_should_stop()) {
		wait_event_interruptible(ring.not_empty,
					 READ_ONCE(ring.head) != READ_ONCE(ring.tail) ||
					 READ_ONCE(ring.closed) ||
					 kthread_should_stop());
		count = softacc_ring_fetch_batch(&batch);
		if (!count && READ_ONCE(ring.closed))
			softacc_reopen_ring();
		if (!count)
			continue;
		if (softacc_single)
			softacc_report_single(&batch, count);
		else
			softacc_report_batch(&batch, count);
		/* Pairs with smp_load_acquire() in softacc_ring_drain(). */
		smp_store_release(&ring.reported, ring.reported + count);
		wake_up_all(&ring.progress);
	}
	return 0;
}

/*
 * Return how many of @count requests are to be put into the ring. Without overflow=1 that
 * is all or none. Otherwise, if there is no room for all, close the ring as overflowed:
 * the rest is dropped, and so are later requests until the thread opens the ring.
 */
static unsigned int softacc_ring_reserve(unsigned int count)
{
	unsigned int room = ring.size - (ring.tail - ring.head);

	lockdep_assert_held(&ring.lock);
	if (ring.closed)
		return 0;
	if (room >= count)
		return count;
	if (!softacc_overflow)
		return 0;
	ring.overflowed = true;
	WRITE_ONCE(ring.closed, true);
	return room;
}

enum softacc_sent softacc_ring_post(const struct softacc_prq *first,
				    unsigned int count)
{
	struct softacc_prq prq = *first;
	u32 last = first->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	enum softacc_sent sent = SOFTACC_SENT;
	unsigned int fit;
	unsigned int i;

	prq.flags &= ~last;
	spin_lock(&ring.lock);
	fit = softacc_ring_reserve(count);
	if (fit < count)
		sent = ring.overflowed ? SOFTACC_DROPPED : SOFTACC_NO_ROOM;
	for (i = 0; i < fit; i++) {
		if (i == count - 1)
			prq.flags |= last;
		ring.entries[(ring.tail + i) & (ring.size - 1)] = prq;
		prq.addr += PAGE_SIZE;
	}
	/* The thread reads it without the lock before it sleeps. */
	WRITE_ONCE(ring.tail, ring.tail + i);
	spin_unlock(&ring.lock);
	return sent;
}

void softacc_ring_interrupt(void)
{
	if (wq_has_sleeper(&ring.not_empty))
		wake_up(&ring.not_empty);
}

unsigned int softacc_ring_capacity(void)
{
	return ring.size;
}

/*
 * Let the thread call @fn when all requests in the ring have been reported, and before
 * there are new ones. No group of the engine is unfinished then, because the engine posts
 * all requests of a group at once.
 */
void softacc_ring_call(void (*fn)(struct device *dev), struct device *dev)
{
	struct softacc_call call = { .fn = fn, .dev = dev };

	init_completion(&call.done);
	mutex_lock(&ring.call_lock);
	spin_lock(&ring.lock);
	ring.call = &call;
	WRITE_ONCE(ring.closed, true);
	spin_unlock(&ring.lock);
	wake_up(&ring.not_empty);
	wait_for_completion(&call.done);
	mutex_unlock(&ring.call_lock);
}

/* Wait until all that is in the ring now has been reported. */
void softacc_ring_drain(void)
{
	u64 tail;

	spin_lock(&ring.lock);
	tail = ring.tail;
	spin_unlock(&ring.lock);
	/* A sender may have posted requests without an interrupt. */
	softacc_ring_interrupt();
	/* Pairs with smp_store_release() in softacc_irq_thread(). */
	wait_event(ring.progress, smp_load_acquire(&ring.reported) >= tail);
}

int softacc_ring_init(unsigned int entries)
{
	ring.size = entries;
	ring.entries = kvcalloc(entries, sizeof(*ring.entries), GFP_KERNEL);
	if (!ring.entries)
		return -ENOMEM;
	spin_lock_init(&ring.lock);
	mutex_init(&ring.call_lock);
	init_waitqueue_head(&ring.not_empty);
	init_waitqueue_head(&ring.progress);
	ring.thread = kthread_run(softacc_irq_thread, NULL, "irq/softacc-prq");
	if (IS_ERR(ring.thread)) {
		kvfree(ring.entries);
		return PTR_ERR(ring.thread);
	}
	return 0;
}

void softacc_ring_exit(void)
{
	kthread_stop(ring.thread);
	kvfree(ring.entries);
}
