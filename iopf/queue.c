// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: queues and their workers
 *
 * The workers of a queue are allocated with it, so that starting a fault needs no memory.
 * Their number bounds how many faults sleep at a time.
 *
 * Workers are unbound. The scheduler moves a thread that waits for a CPU elsewhere,
 * whatever a real-time thread does to that CPU, and isolated CPUs are left alone. Work
 * starts in the cache domain of the CPU that queues it. The workqueue divides the
 * concurrency of an unbound workqueue among the NUMA nodes; where that leaves a node less
 * than the queue has workers, the others run on a workqueue without cache domains.
 */
#include <linux/cpumask.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "compat.h"
#include "objects.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf."

/*
 * io-pgfault.c runs a thread per group, and so has as many shares of a busy CPU as it has
 * groups. A worker does the work of many such threads, and one share is too small for it.
 * A worker that is queued because others do not make progress therefore has a larger
 * share.
 */
#define IOPF_FAR_NICE		(-10)

static unsigned int iopf_prq_seconds = 10;
static unsigned int iopf_domain_seconds;
/* The parameter iopf.prefault, see iopf_queue_prefault(). */
unsigned int iopf_prefault_pages;

static int iopf_set_seconds(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, IOPF_MAX_TIMEOUT);
}

static const struct kernel_param_ops iopf_seconds_ops = {
	.set = iopf_set_seconds,
	.get = param_get_uint,
};

module_param_cb(prq_timeout, &iopf_seconds_ops, &iopf_prq_seconds, 0644);
MODULE_PARM_DESC(prq_timeout,
		 "Seconds until a group that a worker or a registered handler owns gets a response, 1 to 100, 0 for never (default 10)");
module_param_cb(domain_timeout, &iopf_seconds_ops, &iopf_domain_seconds, 0644);
MODULE_PARM_DESC(domain_timeout,
		 "The same for groups that the handler of a domain owns, such as iommufd's (default 0)");

static int iopf_set_prefault_pages(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, IOPF_MAX_PREFAULT);
}

static const struct kernel_param_ops iopf_prefault_ops = {
	.set = iopf_set_prefault_pages,
	.get = param_get_uint,
};

module_param_cb(prefault, &iopf_prefault_ops, &iopf_prefault_pages, 0644);
MODULE_PARM_DESC(prefault,
		 "Pages to fault in at most ahead of devices that access memory in order, 1 to 512, 0 for none (default 0)");

/*
 * Return a queue's setting or the module's. Settings are written by WRITE_ONCE() in
 * settings.c.
 */
static unsigned long iopf_timeout_jiffies(const int *ms, const unsigned int *s)
{
	int time = READ_ONCE(*ms);

	if (time < 0)
		time = READ_ONCE(*s) * MSEC_PER_SEC;
	return msecs_to_jiffies(time);
}

/* Return the timeout of groups of @fq in jiffies, 0 for none. */
unsigned long iopf_timeout(const struct iopf_fault_queue *fq)
{
	return iopf_timeout_jiffies(&fq->timeout_ms, &iopf_prq_seconds);
}

/* Return the timeout of groups that a domain's handler owns in jiffies, 0 for none. */
unsigned long iopf_domain_timeout(const struct iopf_fault_queue *fq)
{
	return iopf_timeout_jiffies(&fq->domain_timeout_ms, &iopf_domain_seconds);
}

/* Return true if unbound workers may use @cpu. */
bool iopf_is_usable_cpu(unsigned int cpu)
{
	bool usable;

	rcu_read_lock();
	usable = housekeeping_test_cpu(cpu, HK_TYPE_DOMAIN) &&
		 housekeeping_test_cpu(cpu, IOPF_HK_TYPE_WQ);
	rcu_read_unlock();
	return usable;
}

static unsigned int iopf_nr_usable(const struct cpumask *cpus)
{
	unsigned int nr = 0;
	unsigned int cpu;

	for_each_cpu_and(cpu, cpus, cpu_online_mask)
		nr += iopf_is_usable_cpu(cpu);
	return nr;
}

/*
 * Return how many CPUs unbound workers may use. If isolcpus= and nohz_full= leave none,
 * workqueues ignore one of them.
 */
unsigned int iopf_nr_usable_cpus(void)
{
	return iopf_nr_usable(cpu_online_mask) ?: num_online_cpus();
}

/*
 * Return how many unbound work items the smallest node with a CPU may run at a time. CPUs
 * may come and go afterwards: then the monitor notices workers that do not start, see
 * progress.c.
 */
static unsigned int iopf_node_share(void)
{
	unsigned int share = WQ_MAX_ACTIVE;
	unsigned int cpus = iopf_nr_usable_cpus();
	unsigned int weight;
	int node;

	for_each_online_node(node) {
		weight = iopf_nr_usable(cpumask_of_node(node));
		if (weight)
			share = min(share, WQ_MAX_ACTIVE * weight / cpus);
	}
	return max_t(unsigned int, share, WQ_DFL_MIN_ACTIVE);
}

/*
 * Allocate an unbound workqueue. The default scope differs between kernels, so it is set.
 */
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

/* Free the workers. No device uses the queue, but a worker may still be on its way out. */
static void iopf_pool_exit(struct iopf_pool *pool)
{
	if (pool->near)
		destroy_workqueue(pool->near);
	if (pool->far)
		destroy_workqueue(pool->far);
	kvfree(pool->workers);
}

static int iopf_pool_init(struct iopf_pool *pool, const char *name)
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

		INIT_LIST_HEAD(&worker->pq_node);
		INIT_HLIST_NODE(&worker->sleeper_node);
		INIT_LIST_HEAD(&worker->followers);
		list_add_tail(&worker->node, &pool->free);
	}
	pool->nr_free = IOPF_WORKERS;
	return 0;
}

/*
 * Free a queue. Runs on a workqueue of the system because a worker may drop the last
 * reference, and cannot wait for itself.
 */
static void iopf_fault_queue_release(struct work_struct *work)
{
	struct iopf_fault_queue *fq = container_of(work, struct iopf_fault_queue, release);

	iopf_pool_exit(&fq->pool);
	iopf_reserve_exit(fq);
	kfree(fq);
}

void iopf_fault_queue_put(struct iopf_fault_queue *fq)
{
	if (refcount_dec_and_test(&fq->users))
		queue_work(system_dfl_wq, &fq->release);
}

/* Allocate a queue. NULL: no memory. */
struct iopf_fault_queue *iopf_fault_queue_alloc(const char *name)
{
	struct iopf_fault_queue *fq;

	fq = kzalloc(sizeof(*fq), GFP_KERNEL);
	if (!fq)
		return NULL;
	if (iopf_reserve_init(fq))
		goto err_free;
	if (iopf_pool_init(&fq->pool, name))
		goto err_reserve;
	fq->base.wq = fq->pool.near;

	refcount_set(&fq->users, 1);
	fq->timeout_ms = -1;
	fq->domain_timeout_ms = -1;
	fq->prefault_max = -1;
	INIT_WORK(&fq->release, iopf_fault_queue_release);
	INIT_LIST_HEAD(&fq->base.devices);
	mutex_init(&fq->base.lock);
	return fq;

err_reserve:
	iopf_reserve_exit(fq);
err_free:
	kfree(fq);
	return NULL;
}
