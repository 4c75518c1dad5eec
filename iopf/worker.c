// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: workers
 *
 * Groups are handled by work items of their lane on a bound, concurrency
 * managed workqueue: of all work items of a CPU one runs, and when it sleeps in
 * the mm the next one starts. So a lane with groups to handle always has a work
 * item that is queued but does not run yet, if it has one left: its turn comes
 * when the running one sleeps, or ends with nothing left to do. A lane with all
 * its work items asleep waits, and no other lane notices.
 *
 * A worker that has done its share goes to the end of the CPU's queue, behind
 * the workers of other lanes.
 */
#include <linux/cpumask.h>
#include <linux/sched/isolation.h>
#include <linux/sched/signal.h>
#include <trace/events/iopf.h>

#include "iopf.h"

/* Groups that a worker handles before it lets other lanes have their turn. */
#define IOPF_WORKER_BUDGET	8
/* Groups per scheduled worker from which on another CPU had better help. */
#define IOPF_WORKER_BACKLOG	4

/*
 * The CPU to work on: the reporter's, where the request is warm in the cache,
 * until the lane falls behind. Never one that was set apart.
 */
static int iopf_worker_cpu(struct iopf_lane *lane)
{
	const struct cpumask *allowed = housekeeping_cpumask(HK_TYPE_DOMAIN);
	unsigned int cpu = raw_smp_processor_id();

	if ((lane->nr_scheduled &&
	     lane->nr_queued > IOPF_WORKER_BACKLOG * lane->nr_scheduled) ||
	    !cpumask_test_cpu(cpu, allowed))
		cpu = cpumask_any_and_distribute(allowed, cpu_online_mask);
	return cpu < nr_cpu_ids ? cpu : WORK_CPU_UNBOUND;
}

/*
 * The worker to be queued, by iopf_worker_queue() and without the lock, when
 * the lane has groups and no worker on its way. Without one left NULL: those
 * that run look for further groups before they end.
 */
struct iopf_worker *iopf_worker_wanted(struct iopf_lane *lane)
{
	struct iopf_worker *worker;

	lockdep_assert_held(&lane->idev->lock);
	if (!lane->nr_queued || lane->nr_waiting)
		return NULL;
	for (worker = lane->workers;
	     worker < lane->workers + IOPF_LANE_WORKERS; worker++) {
		if (worker->scheduled)
			continue;
		worker->scheduled = true;
		worker->cpu = iopf_worker_cpu(lane);
		refcount_inc(&lane->idev->pub.users);
		iopf_lane_use(lane);
		lane->nr_scheduled++;
		lane->nr_waiting++;
		return worker;
	}
	return NULL;
}

void iopf_worker_queue(struct iopf_worker *worker)
{
	queue_work_on(worker->cpu, worker->lane->idev->q->pub.wq,
		      &worker->work);
}

/* The next group for @worker, NULL if there is none: then it is done. */
static struct iopf_grp *iopf_worker_take(struct iopf_worker *worker)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_dev *idev = lane->idev;
	struct iopf_worker *next = NULL;
	struct iopf_grp *grp;

	spin_lock(&idev->lock);
	grp = iopf_lane_pop(lane);
	if (grp) {
		worker->grp = grp;
		worker->task = current;
		if (grp->state == IOPF_PENDING)
			trace_iopf_handle(idev->pub.dev, grp->key.pasid,
					  grp->key.grpid, grp->pub.fault_count);
		next = iopf_worker_wanted(lane);
	}
	spin_unlock(&idev->lock);

	if (next)
		iopf_worker_queue(next);
	return grp;
}

/* @worker is through with its group. Somebody may have answered it meanwhile. */
static void iopf_worker_answer(struct iopf_worker *worker,
			       enum iommu_page_response_code code)
{
	struct iopf_dev *idev = worker->lane->idev;
	struct iopf_grp *grp = worker->grp;
	bool claimed;

	spin_lock(&idev->lock);
	worker->grp = NULL;
	claimed = iopf_claim(idev, grp);
	if (!claimed)
		idev->stats.late++;
	spin_unlock(&idev->lock);

	/* iopf_worker_disturb() cannot mean this thread any more. */
	clear_notify_signal();
	if (claimed)
		iopf_send(grp, code);
	iopf_grp_put(grp);
}

static void iopf_worker_fn(struct work_struct *work)
{
	struct iopf_worker *worker = container_of(work, struct iopf_worker,
						  work);
	struct iopf_lane *lane = worker->lane;
	struct iopf_dev *idev = lane->idev;
	enum iommu_page_response_code code;
	int budget = IOPF_WORKER_BUDGET;
	struct iopf_mm imm = {};
	struct iopf_grp *grp;
	bool again;

	spin_lock(&idev->lock);
	lane->nr_waiting--;
	spin_unlock(&idev->lock);

	while (budget-- && (grp = iopf_worker_take(worker))) {
		if (iopf_mm_enter(&imm, grp->mm))
			code = iopf_fault_group(grp);
		else
			code = IOMMU_PAGE_RESP_INVALID;
		iopf_worker_answer(worker, code);
	}
	iopf_mm_leave(&imm);

	/* From the moment that it is not scheduled it may be queued again. */
	spin_lock(&idev->lock);
	again = lane->nr_queued;
	if (again) {
		lane->nr_waiting++;
	} else {
		worker->scheduled = false;
		lane->nr_scheduled--;
		iopf_lane_unuse(lane);
	}
	spin_unlock(&idev->lock);

	if (again)
		queue_work(idev->q->pub.wq, work);
	else
		iopf_dev_put(idev);
}

/*
 * Somebody else has answered @grp: whoever handles it had better give up. Wakes
 * it, should it sleep in a fault that may be interrupted.
 */
void iopf_worker_disturb(struct iopf_grp *grp)
{
	struct iopf_lane *lane = grp->lane;
	int i;

	lockdep_assert_held(&lane->idev->lock);
	for (i = 0; i < IOPF_LANE_WORKERS; i++) {
		if (lane->workers[i].grp != grp)
			continue;
		lane->idev->stats.disowned++;
		set_notify_signal(lane->workers[i].task);
	}
}

void iopf_workers_init(struct iopf_lane *lane)
{
	int i;

	for (i = 0; i < IOPF_LANE_WORKERS; i++) {
		lane->workers[i].lane = lane;
		INIT_WORK(&lane->workers[i].work, iopf_worker_fn);
	}
}
