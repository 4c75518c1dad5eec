// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: the workers of a queue
 *
 * A queue has a fixed number of workers, which its devices use in turn: so many faults
 * can be asleep at a time. They are allocated with the queue, so that a fault needs no
 * memory to be begun. A device that was refused one is told when one comes back.
 *
 * Workers are unbound: the scheduler moves a thread that waits for a CPU to another
 * one, whatever a real-time thread does to the first, and isolated CPUs are left alone.
 * They begin in the cache domain of who queues them. The workqueue divides the number
 * of its unbound workers among the NUMA nodes; where that leaves a node less than the
 * queue has, further ones come from a workqueue without domains.
 */
#include <linux/cpumask.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "iopf.h"

/*
 * A queue with a thread for each group has as many shares of a CPU as it has groups. A
 * worker does alone what these threads would do, and beside programs that want the CPU
 * the share of one thread is too small. So one that comes because others have not got on
 * has a larger share.
 */
#define IOPF_FAR_NICE		(-10)

/*
 * The number of unbound workers that the smallest node with a CPU is left with. CPUs may
 * come and go after this: the look notices workers that are not begun, see look.c.
 */
static unsigned int iopf_node_share(void)
{
	unsigned int share = WQ_MAX_ACTIVE;
	unsigned int cpus;
	unsigned int weight;
	int node;

	rcu_read_lock();
	cpus = cpumask_weight(housekeeping_cpumask(HK_TYPE_DOMAIN));
	for_each_online_node(node) {
		weight = cpumask_weight_and(cpumask_of_node(node),
					    housekeeping_cpumask(HK_TYPE_DOMAIN));
		if (weight)
			share = min(share, WQ_MAX_ACTIVE * weight / cpus);
	}
	rcu_read_unlock();
	return max_t(unsigned int, share, WQ_DFL_MIN_ACTIVE);
}

/* The default scope is not the same in all kernels. */
static struct workqueue_struct *iopf_alloc_wq(const char *fmt, const char *name,
					      enum wq_affn_scope scope,
					      int nice)
{
	struct workqueue_attrs *attrs;
	struct workqueue_struct *wq;

	attrs = alloc_workqueue_attrs();
	if (!attrs)
		return NULL;
	attrs->affn_scope = scope;
	attrs->nice = nice;
	wq = alloc_workqueue(fmt, WQ_UNBOUND, WQ_MAX_ACTIVE, name);
	if (wq && apply_workqueue_attrs(wq, attrs)) {
		destroy_workqueue(wq);
		wq = NULL;
	}
	free_workqueue_attrs(attrs);
	return wq;
}

int iopf_pool_init(struct iopf_pool *pool, const char *name)
{
	unsigned int i;

	spin_lock_init(&pool->lock);
	INIT_LIST_HEAD(&pool->free);
	INIT_LIST_HEAD(&pool->starved);
	pool->nr_near = iopf_node_share();
	pool->workers = kvcalloc(IOPF_WORKERS, sizeof(*pool->workers),
				 GFP_KERNEL);
	pool->near = iopf_alloc_wq("iopf_queue/%s", name,
				   WQ_AFFN_CACHE, 0);
	pool->far = iopf_alloc_wq("iopf_far/%s", name,
				  WQ_AFFN_SYSTEM, IOPF_FAR_NICE);
	if (!pool->workers || !pool->near || !pool->far) {
		iopf_pool_exit(pool);
		return -ENOMEM;
	}
	for (i = 0; i < IOPF_WORKERS; i++) {
		struct iopf_worker *worker = &pool->workers[i];

		INIT_LIST_HEAD(&worker->lane_node);
		INIT_HLIST_NODE(&worker->sleeper_node);
		INIT_LIST_HEAD(&worker->followers);
		list_add_tail(&worker->node, &pool->free);
	}
	pool->nr_free = IOPF_WORKERS;
	return 0;
}

/* No device uses the queue any more; its workers may be about to return. */
void iopf_pool_exit(struct iopf_pool *pool)
{
	if (pool->near)
		destroy_workqueue(pool->near);
	if (pool->far)
		destroy_workqueue(pool->far);
	kvfree(pool->workers);
}

static void iopf_pool_starve(struct iopf_dev *idev)
{
	struct iopf_pool *pool = &idev->q->pool;

	lockdep_assert_held(&pool->lock);
	if (!list_empty(&idev->starved_node))
		return;
	refcount_inc(&idev->pub.users);
	list_add_tail(&idev->starved_node, &pool->starved);
}

/* A worker for @idev. Without one left NULL, and @idev is looked at when one is. */
struct iopf_worker *iopf_pool_get(struct iopf_dev *idev)
{
	struct iopf_pool *pool = &idev->q->pool;
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

/* Are so many workers left that a lane with sleepers may have a further one? */
bool iopf_pool_allows(struct iopf_lane *lane, unsigned int more)
{
	unsigned int nr_free = READ_ONCE(lane->idev->q->pool.nr_free);

	return nr_free >= more && lane->nr_asleep <=
	       IOPF_SLEEPERS_PER_FREE * (nr_free - more);
}

/*
 * May @lane have a further sleeper, if that takes @more workers? The fewer workers are
 * left the fewer sleepers a lane may have, so that one alone leaves a quarter of them,
 * and its first sleeper finds a worker as long as there is one. If not, @lane's device
 * is looked at when a worker comes back.
 */
bool iopf_pool_has_room(struct iopf_lane *lane, unsigned int more)
{
	struct iopf_pool *pool = &lane->idev->q->pool;
	bool room;

	lockdep_assert_held(&lane->idev->lock);
	if (iopf_pool_allows(lane, more))
		return true;
	/* Under the lock no worker comes back between the look and the request. */
	spin_lock(&pool->lock);
	room = iopf_pool_allows(lane, more);
	if (!room)
		iopf_pool_starve(lane->idev);
	spin_unlock(&pool->lock);
	return room;
}

/* @worker comes back: all devices that were refused one are to look. */
void iopf_pool_put(struct iopf_worker *worker)
{
	struct iopf_pool *pool = &worker->idev->q->pool;
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
	struct iopf_pool *pool = &idev->q->pool;
	bool starved;

	spin_lock(&pool->lock);
	starved = !list_empty(&idev->starved_node);
	if (starved)
		list_del_init(&idev->starved_node);
	spin_unlock(&pool->lock);
	if (starved)
		iopf_dev_put(idev);
}
