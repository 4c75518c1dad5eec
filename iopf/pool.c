// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: which device and which PASID queue gets a worker
 *
 * A device has as many workers awake as there are PASID queues with groups, but no more than
 * CPUs. A device that was refused one is told when one comes back.
 */
#include "path.h"

static void iopf_pool_starve(struct iopf_dev *idev)
{
	struct iopf_pool *pool = &idev->fq->pool;

	lockdep_assert_held(&pool->lock);
	if (!list_empty(&idev->starved_node))
		return;
	refcount_inc(&idev->pub.users);
	list_add_tail(&idev->starved_node, &pool->starved);
}

/* A worker for @idev. Without one left NULL, and @idev is looked at when one is. */
struct iopf_worker *iopf_pool_get(struct iopf_dev *idev)
{
	struct iopf_pool *pool = &idev->fq->pool;
	struct iopf_worker *worker;

	lockdep_assert_held(&idev->lock);
	spin_lock(&pool->lock);
	worker = list_first_entry_or_null(&pool->free, struct iopf_worker,
					  node);
	if (worker) {
		list_del_init(&worker->node);
		WRITE_ONCE(pool->nr_free, pool->nr_free - 1);
		worker->far = IOPF_WORKERS - pool->nr_free > pool->nr_near;
	} else {
		iopf_pool_starve(idev);
	}
	spin_unlock(&pool->lock);
	return worker;
}

/* Are so many workers left that a PASID queue with sleepers may have a further one? */
bool iopf_pool_allows(struct iopf_pasid_queue *pq, unsigned int more)
{
	unsigned int nr_free = READ_ONCE(pq->idev->fq->pool.nr_free);

	return nr_free >= more && pq->nr_asleep <=
	       IOPF_SLEEPERS_PER_FREE * (nr_free - more);
}

/*
 * May @pq have a further sleeper, if that takes @more workers? The fewer workers are
 * left the fewer sleepers a PASID queue may have, so that one alone leaves a quarter of them,
 * and its first sleeper finds a worker as long as there is one. If not, @pq's device
 * is looked at when a worker comes back.
 */
bool iopf_pool_has_room(struct iopf_pasid_queue *pq, unsigned int more)
{
	struct iopf_pool *pool = &pq->idev->fq->pool;
	bool room;

	lockdep_assert_held(&pq->idev->lock);
	if (iopf_pool_allows(pq, more))
		return true;
	/* Under the lock no worker comes back between the look and the request. */
	spin_lock(&pool->lock);
	room = iopf_pool_allows(pq, more);
	if (!room)
		iopf_pool_starve(pq->idev);
	spin_unlock(&pool->lock);
	return room;
}

/* @worker comes back: all devices that were refused one are to look. */
void iopf_pool_put(struct iopf_worker *worker)
{
	struct iopf_pool *pool = &worker->idev->fq->pool;
	struct iopf_dev *idev;
	LIST_HEAD(told);

	spin_lock(&pool->lock);
	/* The next one had better find it in its cache. */
	list_add(&worker->node, &pool->free);
	WRITE_ONCE(pool->nr_free, pool->nr_free + 1);
	/* Those that are refused again come to the other list. */
	list_splice_init(&pool->starved, &told);
	while (unlikely(!list_empty(&told))) {
		idev = list_first_entry(&told, struct iopf_dev, starved_node);
		list_del_init(&idev->starved_node);
		spin_unlock(&pool->lock);

		spin_lock(&idev->lock);
		idev->room = true;
		iopf_look_soon(idev);
		spin_unlock(&idev->lock);
		iopf_dev_put(idev);
		spin_lock(&pool->lock);
	}
	spin_unlock(&pool->lock);
}

/* @idev is dead and wants no worker any more. */
void iopf_pool_leave(struct iopf_dev *idev)
{
	struct iopf_pool *pool = &idev->fq->pool;
	bool starved;

	spin_lock(&pool->lock);
	starved = !list_empty(&idev->starved_node);
	if (starved)
		list_del_init(&idev->starved_node);
	spin_unlock(&pool->lock);
	if (starved)
		iopf_dev_put(idev);
}

/*
 * A worker for the PASID queues of @idev, to be queued, or NULL: there may be none left, or
 * only some that are reserved for PASID queues without a sleeper.
 */
struct iopf_worker *iopf_worker_more(struct iopf_dev *idev)
{
	bool alone = !iopf_nr_active(idev);
	struct iopf_worker *worker;
	struct iopf_pasid_queue *pq;
	struct iopf_pasid_queue *next;

	lockdep_assert_held(&idev->lock);
	list_for_each_entry_safe(pq, next, &idev->ready, ready_node) {
		if (unlikely(pq->nr_asleep) && !iopf_pool_has_room(pq, 1)) {
			/* The worker that is on its way may be for this PASID queue. */
			if (!idev->nr_waiting)
				iopf_pq_starve(pq);
			continue;
		}
		worker = iopf_pool_get(idev);
		if (likely(worker)) {
			refcount_inc(&idev->pub.users);
			worker->idev = idev;
			idev->nr_waiting++;
			if (worker->far)
				idev->nr_far++;
			return worker;
		}
		/* One that is awake may come to the PASID queue, or comes back when it ends. */
		if (!alone)
			return NULL;
		iopf_pq_starve(pq);
	}
	return NULL;
}

void iopf_worker_queue(struct iopf_worker *worker)
{
	struct iopf_pool *pool = &worker->idev->fq->pool;

	queue_work(worker->far ? pool->far : pool->near, &worker->work);
}
