// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: the page request ring and its interrupt thread
 *
 * Devices put requests at the tail. The thread, real-time as the threads of
 * interrupts are, takes a batch from the head, moves the head early, and reports
 * the batch. A device that finds no room tries again.
 */
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "core.h"

#define SOFTACC_BATCH	64

/*
 * @lock guards @head, @tail and @entries. @reported follows @head when a batch
 * has been reported; these never go back, so a drain waits for numbers.
 */
static struct {
	spinlock_t lock; /* entries, head, tail */
	struct softacc_prq *entries;
	unsigned int size;
	u64 head;
	u64 tail;
	u64 reported;
	struct task_struct *thread;
	wait_queue_head_t not_empty;
	wait_queue_head_t progress;
} ring;

static unsigned int softacc_ring_take(struct softacc_prq *batch)
{
	unsigned int count = 0;

	spin_lock(&ring.lock);
	while (ring.head != ring.tail && count < SOFTACC_BATCH)
		batch[count++] = ring.entries[ring.head++ & (ring.size - 1)];
	spin_unlock(&ring.lock);
	return count;
}

static void softacc_report(const struct softacc_prq *prq)
{
	struct iopf_fault evt = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = prq->flags,
				.pasid = prq->pasid,
				.grpid = prq->grpid,
				.perm = prq->perm,
				.addr = prq->addr,
			},
		},
	};

	/* An error has been answered; there is nobody else to tell. */
	iommu_report_device_fault(prq->dev->dev, &evt);
}

static int softacc_irq_thread(void *unused)
{
	static struct softacc_prq batch[SOFTACC_BATCH];
	unsigned int count;
	unsigned int i;

	sched_set_fifo(current);
	while (!kthread_should_stop()) {
		wait_event_interruptible(ring.not_empty,
					 READ_ONCE(ring.head) != READ_ONCE(ring.tail) ||
					 kthread_should_stop());
		count = softacc_ring_take(batch);
		if (!count)
			continue;
		for (i = 0; i < count; i++)
			softacc_report(&batch[i]);
		/* Pairs with smp_load_acquire() in softacc_ring_drain(). */
		smp_store_release(&ring.reported, ring.reported + count);
		wake_up_all(&ring.progress);
	}
	return 0;
}

static bool softacc_ring_post(const struct softacc_prq *first,
			      unsigned int count)
{
	struct softacc_prq prq = *first;
	u32 last = first->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	bool room;
	unsigned int i;

	prq.flags &= ~last;
	spin_lock(&ring.lock);
	room = ring.tail - ring.head + count <= ring.size;
	for (i = 0; room && i < count; i++) {
		if (i == count - 1)
			prq.flags |= last;
		ring.entries[ring.tail++ & (ring.size - 1)] = prq;
		prq.addr += PAGE_SIZE;
	}
	spin_unlock(&ring.lock);
	if (room)
		wake_up(&ring.not_empty);
	return room;
}

static unsigned int softacc_ring_capacity(void)
{
	return ring.size;
}

const struct softacc_port softacc_ring_port = {
	.post = softacc_ring_post,
	.capacity = softacc_ring_capacity,
};

/* Wait until all that is in the ring now has been reported. */
void softacc_ring_drain(void)
{
	u64 tail;

	spin_lock(&ring.lock);
	tail = ring.tail;
	spin_unlock(&ring.lock);
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
