// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: making and freeing queues
 */
#include <linux/export.h>
#include <linux/slab.h>

#include "iopf.h"

/*
 * The last reference may be a worker's, which cannot wait for its own end: so
 * this runs elsewhere. By now all devices and groups are gone.
 */
static void iopf_q_release(struct work_struct *work)
{
	struct iopf_q *q = container_of(work, struct iopf_q, release);

	iopf_pool_exit(&q->pool);
	iopf_reserve_exit(q);
	kfree(q);
}

void iopf_q_put(struct iopf_q *q)
{
	if (refcount_dec_and_test(&q->users))
		queue_work(system_dfl_wq, &q->release);
}

/**
 * iopf_queue_alloc() - Make a fault queue
 * @name: name of its workqueue, unique for the reader's sake
 *
 * An IOMMU driver has one queue for each of its hardware queues, or one for all.
 *
 * Context: Process context, may sleep.
 * Return: the queue, or NULL without memory.
 */
struct iopf_queue *iopf_queue_alloc(const char *name)
{
	struct iopf_q *q;

	q = kzalloc(sizeof(*q), GFP_KERNEL);
	if (!q)
		return NULL;
	if (iopf_reserve_init(q))
		goto err_free;
	if (iopf_pool_init(&q->pool, name))
		goto err_reserve;
	iopf_workers_init(&q->pool);
	q->pub.wq = q->pool.near;

	refcount_set(&q->users, 1);
	q->timeout_ms = -1;
	q->domain_timeout_ms = -1;
	INIT_WORK(&q->release, iopf_q_release);
	INIT_LIST_HEAD(&q->pub.devices);
	mutex_init(&q->pub.lock);
	iopf_debugfs_add_queue(q, name);
	return &q->pub;

err_reserve:
	iopf_reserve_exit(q);
err_free:
	kfree(q);
	return NULL;
}
EXPORT_SYMBOL_GPL(iopf_queue_alloc);

/**
 * iopf_queue_free() - Free a fault queue
 * @queue: the queue, or NULL
 *
 * Removes the devices that are still on it, see iopf_queue_remove_device(). What
 * workers and handlers hold of it goes away when they are done; nobody waits for
 * them here.
 *
 * Context: Process context, may sleep. No device is added or removed, and no
 * request reported, at the same time.
 */
void iopf_queue_free(struct iopf_queue *queue)
{
	struct iommu_fault_param *param;

	if (!queue)
		return;

	while ((param = list_first_entry_or_null(&queue->devices,
						 struct iommu_fault_param,
						 queue_list)))
		iopf_queue_remove_device(queue, param->dev);
	iopf_debugfs_remove_queue(to_iopf_q(queue));
	iopf_q_put(to_iopf_q(queue));
}
EXPORT_SYMBOL_GPL(iopf_queue_free);

/**
 * iopf_queue_set_ops() - Say what the driver of a queue can do better
 * @queue: the queue
 * @ops: its operations, valid as long as the queue
 *
 * Context: Any, before the first device is added to @queue.
 */
void iopf_queue_set_ops(struct iopf_queue *queue,
			const struct iopf_queue_ops *ops)
{
	WARN_ON(!list_empty(&queue->devices));
	to_iopf_q(queue)->ops = ops;
}
EXPORT_SYMBOL_GPL(iopf_queue_set_ops);
