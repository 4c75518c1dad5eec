// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: handing workers out to devices
 *
 * A device gets as many workers awake as it has PASID queues with groups, up to one per
 * CPU; the monitor may add some. A device that was refused a worker is told when one is free.
 */
#include <linux/rcupdate.h>
#include <linux/sched.h>

#include "path.h"

/* A PASID queue may have this many sleepers for each free worker. */
#define IOPF_SLEEPERS_PER_FREE	3

static void iopf_pool_starve(struct iopf_device *fdev)
{
	struct iopf_pool *pool = &fdev->fq->pool;

	lockdep_assert_held(&pool->lock);
	if (!list_empty(&fdev->starved_node))
		return;
	refcount_inc(&fdev->base.users);
	list_add_tail(&fdev->starved_node, &pool->starved);
}

/* Get a free worker. NULL: there is none, and the monitor of @fdev runs when there is. */
struct iopf_worker *iopf_pool_get(struct iopf_device *fdev)
{
	struct iopf_pool *pool = &fdev->fq->pool;
	struct iopf_worker *worker;

	lockdep_assert_held(&fdev->lock);
	spin_lock(&pool->lock);
	worker = list_first_entry_or_null(&pool->free, struct iopf_worker,
					  node);
	if (worker) {
		list_del_init(&worker->node);
		WRITE_ONCE(pool->nr_free, pool->nr_free - 1);
		worker->far = IOPF_WORKERS - pool->nr_free > pool->nr_near;
	} else {
		iopf_pool_starve(fdev);
	}
	spin_unlock(&pool->lock);
	return worker;
}

/* Return true if so many workers are free that @pq, which has sleepers, may have @more. */
bool iopf_pool_allows(struct iopf_pasid_queue *pq, unsigned int more)
{
	unsigned int nr_free = READ_ONCE(pq->fdev->fq->pool.nr_free);

	return nr_free >= more && pq->nr_asleep <=
	       IOPF_SLEEPERS_PER_FREE * (nr_free - more);
}

/*
 * Return true if @pq may have a further sleeper, which takes @more workers. The fewer
 * workers are free, the fewer sleepers a PASID queue may have: one alone leaves a quarter
 * of the workers, and its first sleeper gets a worker as long as there is one. If false,
 * the monitor of the device runs when a worker is free.
 */
bool iopf_pool_has_room(struct iopf_pasid_queue *pq, unsigned int more)
{
	struct iopf_pool *pool = &pq->fdev->fq->pool;
	bool room;

	lockdep_assert_held(&pq->fdev->lock);
	if (iopf_pool_allows(pq, more))
		return true;
	/* Under the lock no worker is freed between the check and the request. */
	spin_lock(&pool->lock);
	room = iopf_pool_allows(pq, more);
	if (!room)
		iopf_pool_starve(pq->fdev);
	spin_unlock(&pool->lock);
	return room;
}

/* Free @worker, and start the monitor of all devices that were refused one. */
void iopf_pool_put(struct iopf_worker *worker)
{
	struct iopf_pool *pool = &worker->fdev->fq->pool;
	struct iopf_device *fdev;
	LIST_HEAD(told);

	spin_lock(&pool->lock);
	/* Reuse the worker that is most likely in the cache. */
	list_add(&worker->node, &pool->free);
	WRITE_ONCE(pool->nr_free, pool->nr_free + 1);
	/* Devices that are refused again are added to pool->starved. */
	list_splice_init(&pool->starved, &told);
	while (unlikely(!list_empty(&told))) {
		fdev = list_first_entry(&told, struct iopf_device, starved_node);
		list_del_init(&fdev->starved_node);
		spin_unlock(&pool->lock);

		spin_lock(&fdev->lock);
		fdev->room = true;
		iopf_monitor_start(fdev);
		spin_unlock(&fdev->lock);
		iopf_device_put(fdev);
		spin_lock(&pool->lock);
	}
	spin_unlock(&pool->lock);
}

/* Take @fdev, which is dead, off the list of devices that wait for a worker. */
void iopf_pool_leave(struct iopf_device *fdev)
{
	struct iopf_pool *pool = &fdev->fq->pool;
	bool starved;

	spin_lock(&pool->lock);
	starved = !list_empty(&fdev->starved_node);
	if (starved)
		list_del_init(&fdev->starved_node);
	spin_unlock(&pool->lock);
	if (starved)
		iopf_device_put(fdev);
}

/*
 * Get a free worker for @fdev, or else its parked one, wherever that is. NULL: there is
 * none.
 */
static struct iopf_worker *iopf_device_get_worker(struct iopf_device *fdev)
{
	struct iopf_worker *worker = iopf_pool_get(fdev);

	if (unlikely(!worker))
		return iopf_unpark(fdev);
	refcount_inc(&fdev->base.users);
	worker->fdev = fdev;
	fdev->nr_waiting++;
	if (worker->far)
		fdev->nr_far++;
	return worker;
}

/*
 * Get a worker for the first PASID queue that may have one. NULL: no worker is free, or
 * the free ones are reserved for PASID queues without sleepers.
 */
struct iopf_worker *iopf_worker_get(struct iopf_device *fdev)
{
	bool alone = !iopf_nr_active(fdev);
	struct iopf_worker *worker;
	struct iopf_pasid_queue *pq;
	struct iopf_pasid_queue *next;

	lockdep_assert_held(&fdev->lock);
	list_for_each_entry_safe(pq, next, &fdev->ready, ready_node) {
		if (unlikely(pq->nr_asleep) && !iopf_pool_has_room(pq, 1)) {
			/* A worker that is queued may take this PASID queue. */
			if (!fdev->nr_waiting)
				iopf_pq_starve(pq);
			continue;
		}
		worker = iopf_device_get_worker(fdev);
		if (likely(worker))
			return worker;
		/* A worker that is awake takes the PASID queue, or is freed. */
		if (!alone)
			return NULL;
		iopf_pq_starve(pq);
	}
	return NULL;
}

/* Wake the thread of @worker, which is parked. */
static void iopf_worker_wake(struct iopf_worker *worker)
{
	struct task_struct *task = worker->task;

	/* The thread may continue and exit as soon as it sees that it is not parked. */
	rcu_read_lock();
	WRITE_ONCE(worker->parked, false);
	wake_up_process(task);
	rcu_read_unlock();
}

/* Queue @worker, or wake it if it is parked. */
void iopf_worker_queue(struct iopf_worker *worker)
{
	struct iopf_pool *pool = &worker->fdev->fq->pool;

	if (worker->parked) {
		iopf_worker_wake(worker);
		return;
	}
	/* For a new work item queue_work() need not look up which CPUs' pool ran it last. */
	INIT_WORK(&worker->work, worker->work.func);
	queue_work(worker->far ? pool->far : pool->near, &worker->work);
}
