// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: devices on a queue
 *
 * A device has two things that look after it while it has groups: the look (progress.c)
 * and the watch (timeout.c). Neither allocates or faults, and both run on a workqueue
 * of their own, unbound, with a rescuer and with a high priority: neither a CPU that a
 * real-time thread owns nor many ordinary programs nor a lack of memory keep them from
 * answering.
 */
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/panic.h>
#include <linux/slab.h>

#include "objects.h"

/* Until the next look where a burst of faults goes to sleep. */
#define IOPF_BURST_NS		(250 * NSEC_PER_USEC)
/* Looks of the watch in the shortest timeout. */
#define IOPF_LOOKS		8
/* How often owners are looked at, at least: one that was killed is noticed in time. */
#define IOPF_ORPHAN_MS		250

struct workqueue_struct *iopf_watch_wq;

/* Before the first device: IOMMU drivers add theirs from subsys_initcall() on. */
static int __init iopf_watch_wq_init(void)
{
	iopf_watch_wq = alloc_workqueue("iopf_watch",
					WQ_UNBOUND | WQ_MEM_RECLAIM | WQ_HIGHPRI,
					0);
	if (!iopf_watch_wq)
		panic("iopf: no memory for a workqueue\n");
	return 0;
}
core_initcall(iopf_watch_wq_init);

/* Valid inside the caller's RCU read section. */
struct iopf_dev *iopf_dev_rcu(struct device *dev)
{
	struct iommu_fault_param *param;

	/*
	 * Pairs with rcu_assign_pointer() in iopf_dev_install(). That the
	 * device is being removed is seen by idev->dead, under the lock.
	 */
	param = rcu_dereference(dev->iommu->fault_param);
	return param ? to_iopf_dev(param) : NULL;
}

/* A reference, or NULL if the device is on no queue, or has no IOMMU any more. */
struct iopf_dev *iopf_dev_get(struct device *dev)
{
	struct iopf_dev *idev;

	rcu_read_lock();
	idev = dev->iommu ? iopf_dev_rcu(dev) : NULL;
	if (idev && !refcount_inc_not_zero(&idev->pub.users))
		idev = NULL;
	rcu_read_unlock();
	return idev;
}

/* Drop @n references, not under iopf_dev.lock. */
void iopf_dev_put_many(struct iopf_dev *idev, int n)
{
	if (!refcount_sub_and_test(n, &idev->pub.users))
		return;
	iopf_pqs_destroy(idev);
	iopf_spare_free(idev);
	iopf_table_exit(&idev->table);
	iopf_fault_queue_put(idev->fq);
	/* Reporters may still find it, and find it dead. */
	kfree_rcu(idev, pub.rcu);
}

/*
 * Numbers of groups are cookies, so that a device that comes again must not count
 * from the beginning: 2^40 groups for each time that one comes.
 */
static u64 iopf_first_seq(void)
{
	static atomic_t times;

	return (u64)atomic_inc_return(&times) << 40;
}

/* A device of @fq whose faults are @handler's, or NULL without memory. */
struct iopf_dev *iopf_dev_alloc(struct iopf_fault_queue *fq, struct device *dev,
				struct iopf_handler *handler)
{
	struct iopf_dev *idev;

	idev = kzalloc(sizeof(*idev), GFP_KERNEL);
	if (!idev)
		return NULL;
	iopf_limits_init(&idev->limits, dev);
	if (iopf_table_init(&idev->table, &idev->limits)) {
		kfree(idev);
		return NULL;
	}

	mutex_init(&idev->pub.lock);
	refcount_set(&idev->pub.users, 1);
	INIT_LIST_HEAD(&idev->pub.partial);
	INIT_LIST_HEAD(&idev->pub.faults);
	idev->pub.dev = dev;
	idev->pub.queue = &fq->pub;

	refcount_inc(&fq->users);
	idev->fq = fq;
	idev->ops = dev_iommu_ops(dev);
	init_llist_head(&idev->spare);
	spin_lock_init(&idev->lock);
	xa_init(&idev->pqs);
	INIT_LIST_HEAD(&idev->idle);
	INIT_LIST_HEAD(&idev->ready);
	INIT_LIST_HEAD(&idev->starved);
	INIT_LIST_HEAD(&idev->busy);
	INIT_LIST_HEAD(&idev->awake);
	INIT_LIST_HEAD(&idev->starved_node);
	INIT_LIST_HEAD(&idev->ending);
	idev->seq = iopf_first_seq();
	RCU_INIT_POINTER(idev->handler, handler);
	INIT_LIST_HEAD(&idev->flushes);
	init_waitqueue_head(&idev->flushed);
	return idev;
}

/* In a burst, where @idev->nr_eager is not 0, the tick is short. */
void iopf_look_start(struct iopf_dev *idev)
{
	idev->ticks_waiting = 0;
	idev->ticks_quiet = 0;
	idev->tick_taken = idev->taken;
	hrtimer_start(&idev->look_timer,
		      ns_to_ktime(idev->nr_eager ? IOPF_BURST_NS : IOPF_TICK_NS),
		      HRTIMER_MODE_REL_HARD);
}

/* See to it that @idev is looked at. */
void iopf_look_soon(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	if (idev->looking)
		return;
	idev->looking = true;
	/* What was begun before the first look does not count as stalled. */
	idev->looked = idev->taken - 1;
	refcount_inc(&idev->pub.users);
	iopf_look_start(idev);
}

void iopf_schedule_watch(struct iopf_dev *idev)
{
	unsigned long timeout = min_not_zero(iopf_timeout(idev->fq),
					     iopf_domain_timeout(idev->fq));

	lockdep_assert_held(&idev->lock);
	/* Without a timeout there are still owners to be looked at, and settings. */
	timeout = min_not_zero(timeout / IOPF_LOOKS,
			       msecs_to_jiffies(IOPF_ORPHAN_MS));
	queue_delayed_work(iopf_watch_wq, &idev->watch, timeout + 1);
}

/* There is a group: see to it that somebody looks after it. */
void iopf_watch(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	if (idev->watching)
		return;
	idev->watching = true;
	refcount_inc(&idev->pub.users);
	iopf_schedule_watch(idev);
}
