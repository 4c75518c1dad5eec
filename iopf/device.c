// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: devices on a queue
 *
 * While a device has groups, a monitor (progress.c) and a timeout work (timeout.c) are
 * armed. They allocate nothing and never fault. Both run on a workqueue that is unbound,
 * has a rescuer and a high priority, so that neither a CPU that a real-time thread
 * occupies, nor many ordinary threads, nor lack of memory delays responses.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/panic.h>
#include <linux/slab.h>

#include "objects.h"

/* Until the next run of the monitor while a burst of faults falls asleep. */
#define IOPF_BURST_NS		(250 * NSEC_PER_USEC)
/* Runs of the timeout work in the shortest timeout. */
#define IOPF_TIMEOUT_CHECKS		8
/* Longest period of the timeout work, to notice in time that an owner was killed. */
#define IOPF_ORPHAN_MS		250

struct workqueue_struct *iopf_wq;

/* IOMMU drivers add devices from subsys_initcall() on. */
static int __init iopf_wq_init(void)
{
	iopf_wq = alloc_workqueue("iopf",
				  WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_HIGHPRI,
				  0);
	if (!iopf_wq)
		panic("iopf: no memory for a workqueue\n");
	return 0;
}
core_initcall(iopf_wq_init);

/*
 * Reference the library's device of @dev. NULL: it is on no queue, or has no IOMMU any
 * more.
 */
struct iopf_device *iopf_device_get(struct device *dev)
{
	struct iopf_device *fdev;

	rcu_read_lock();
	fdev = dev->iommu ? iopf_device_rcu(dev) : NULL;
	if (fdev && !refcount_inc_not_zero(&fdev->base.users))
		fdev = NULL;
	rcu_read_unlock();
	return fdev;
}

/* Drop @n references. Not under iopf_device.lock. */
void iopf_device_put_many(struct iopf_device *fdev, int n)
{
	if (!refcount_sub_and_test(n, &fdev->base.users))
		return;
	iopf_pqs_destroy(fdev);
	iopf_spare_free(fdev);
	iopf_table_exit(&fdev->table);
	iopf_fault_queue_put(fdev->fq);
	/* Reporters in an RCU read section may still have found it. */
	kfree_rcu(fdev, base.rcu);
}

/*
 * Return where the numbers of a device's groups start. They are cookies, and must be
 * unique when the device is added again: there are 2^40 for each time that a device is
 * added.
 */
static u64 iopf_first_seq(void)
{
	static atomic_t times;

	return (u64)atomic_inc_return(&times) << 40;
}

/*
 * Allocate a device of @fq with the registered @handler, which may be NULL. NULL: no
 * memory.
 */
struct iopf_device *iopf_device_alloc(struct iopf_fault_queue *fq, struct device *dev,
				      struct iopf_handler *handler)
{
	struct iopf_device *fdev;

	fdev = kzalloc(sizeof(*fdev), GFP_KERNEL);
	if (!fdev)
		return NULL;
	iopf_limits_init(&fdev->limits, dev);
	if (iopf_table_init(&fdev->table, &fdev->limits)) {
		kfree(fdev);
		return NULL;
	}

	mutex_init(&fdev->base.lock);
	refcount_set(&fdev->base.users, 1);
	INIT_LIST_HEAD(&fdev->base.partial);
	INIT_LIST_HEAD(&fdev->base.faults);
	fdev->base.dev = dev;
	fdev->base.queue = &fq->base;

	refcount_inc(&fq->users);
	fdev->fq = fq;
	fdev->ops = dev_iommu_ops(dev);
	init_llist_head(&fdev->spare);
	spin_lock_init(&fdev->lock);
	xa_init(&fdev->pqs);
	INIT_LIST_HEAD(&fdev->idle);
	INIT_LIST_HEAD(&fdev->ready);
	INIT_LIST_HEAD(&fdev->starved);
	INIT_LIST_HEAD(&fdev->monitored);
	INIT_LIST_HEAD(&fdev->awake);
	INIT_LIST_HEAD(&fdev->starved_node);
	INIT_LIST_HEAD(&fdev->cancelled);
	fdev->seq = iopf_first_seq();
	RCU_INIT_POINTER(fdev->handler, handler);
	INIT_LIST_HEAD(&fdev->flushes);
	init_waitqueue_head(&fdev->flushed);
	return fdev;
}

/*
 * Start the timer of the monitor. Its period is short while a burst of faults falls
 * asleep.
 */
void iopf_monitor_arm(struct iopf_device *fdev)
{
	fdev->ticks_waiting = 0;
	fdev->ticks_quiet = 0;
	fdev->tick_taken = fdev->taken;
	hrtimer_start(&fdev->monitor_timer,
		      ns_to_ktime(fdev->nr_eager ? IOPF_BURST_NS : IOPF_TICK_NS),
		      HRTIMER_MODE_REL_HARD);
}

/* Arm the monitor unless it is. */
void iopf_monitor_start(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	if (fdev->monitoring)
		return;
	fdev->monitoring = true;
	/* The first run must not take groups that start until then for a stall. */
	fdev->taken_seen = fdev->taken - 1;
	refcount_inc(&fdev->base.users);
	iopf_monitor_arm(fdev);
}

/* Queue the timeout work. */
void iopf_timeout_schedule(struct iopf_device *fdev)
{
	unsigned long timeout = min_not_zero(iopf_timeout(fdev->fq),
					     iopf_domain_timeout(fdev->fq));
	/* Owners and settings are checked even if there is no timeout. */
	unsigned long delay = msecs_to_jiffies(IOPF_ORPHAN_MS);

	lockdep_assert_held(&fdev->lock);
	/* A timeout of few jiffies is checked at each of them. */
	if (timeout)
		delay = min(delay, timeout / IOPF_TIMEOUT_CHECKS);
	queue_delayed_work(iopf_wq, &fdev->timeout_work, delay + 1);
}

/* Arm the timeout work, see iopf_timeout_start(). */
void iopf_timeout_arm(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	fdev->timeout_armed = true;
	refcount_inc(&fdev->base.users);
	iopf_timeout_schedule(fdev);
}
