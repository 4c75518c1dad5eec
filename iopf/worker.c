// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: workers
 *
 * Groups are handled by work items of their lane on a bound, concurrency
 * managed workqueue: of all work items of a CPU one runs, and when it sleeps in
 * the mm the next one starts. So a lane with groups to handle always has a work
 * item that is queued but does not run yet, if it has one left: its turn comes
 * when the running one sleeps, or ends with nothing left to do. A lane with all
 * its work items asleep waits, and no other lane notices. The work items of a lane
 * have the same CPU; when its queue grows long, some come to help on others.
 *
 * A worker that has done its share goes to the end of the CPU's queue, behind
 * the workers of other lanes. It keeps its answers back, so that several leave
 * together; but when a fault sleeps, the next work item sends them.
 */
#include <linux/cpumask.h>
#include <linux/percpu.h>
#include <linux/sched/clock.h>
#include <linux/sched/isolation.h>
#include <linux/sched/signal.h>
#include <trace/events/iopf.h>

#include "iopf.h"

/* Pages that a worker asks for before it lets others have their turn. */
#define IOPF_WORKER_BUDGET	32
/* The same when other lanes have workers on its CPU. */
#define IOPF_WORKER_SHARE	16
/* Groups whose answers a worker keeps back: the device works while it goes on. */
#define IOPF_WORKER_HOLD	8

/*
 * Workers of a CPU, all lanes together, from which on a lane has one only: those that
 * sleep count for the workqueue's limit, and every lane has to get in.
 */
#define IOPF_CPU_WORKERS	(WQ_MAX_ACTIVE / 2)

/* Workers of all lanes that are scheduled on a CPU. */
static DEFINE_PER_CPU(atomic_t, iopf_cpu_workers);

static int iopf_cpu_load(unsigned int cpu)
{
	return atomic_read(per_cpu_ptr(&iopf_cpu_workers, cpu));
}

/* Each in turn of those that are not set apart, but not @this and not @avoid. */
static unsigned int iopf_other_cpu(const struct cpumask *allowed,
				   unsigned int this, unsigned int avoid)
{
	unsigned int cpu;
	int i;

	for (i = 0; i < 3; i++) {
		cpu = cpumask_any_and_distribute(allowed, cpu_online_mask);
		if (cpu != this && cpu != avoid)
			return cpu;
	}
	return nr_cpu_ids;
}

/*
 * The CPU for a worker: this one, where the request is warm in the cache, unless
 * another one has less to do. Not @avoid if possible, and never one that was set
 * apart.
 */
static unsigned int iopf_pick_cpu(unsigned int avoid)
{
	const struct cpumask *allowed = housekeeping_cpumask(HK_TYPE_DOMAIN);
	unsigned int this = raw_smp_processor_id();
	bool good = this != avoid && cpumask_test_cpu(this, allowed);
	unsigned int other;

	if (good && !iopf_cpu_load(this))
		return this;
	other = iopf_other_cpu(allowed, this, avoid);
	if (other >= nr_cpu_ids)
		return good || avoid >= nr_cpu_ids ? this : avoid;
	if (!good || iopf_cpu_load(other) < iopf_cpu_load(this))
		return other;
	return this;
}

/*
 * A work item for @lane, to be queued, which @helps those it has, or NULL. See
 * iopf_worker_wanted().
 */
struct iopf_worker *iopf_worker_schedule(struct iopf_lane *lane, bool helps)
{
	struct iopf_worker *worker;

	lockdep_assert_held(&lane->idev->lock);
	if (helps && (lane->queued_pages <
		      IOPF_WORKER_BACKLOG * (lane->nr_helpers + 1) ||
		      lane->nr_helpers + 1 >= num_online_cpus()))
		return NULL;
	if (lane->nr_scheduled && iopf_cpu_load(lane->cpu) >= IOPF_CPU_WORKERS)
		return NULL;
	for (worker = lane->workers;
	     worker < lane->workers + IOPF_LANE_WORKERS; worker++) {
		if (worker->scheduled)
			continue;
		/* The next in turn has to be where the others are. */
		if (!lane->nr_scheduled)
			lane->cpu = iopf_pick_cpu(nr_cpu_ids);
		worker->cpu = helps ? iopf_pick_cpu(lane->cpu) : lane->cpu;
		atomic_inc(per_cpu_ptr(&iopf_cpu_workers, worker->cpu));
		worker->scheduled = true;
		worker->helps = helps;
		refcount_inc(&lane->idev->pub.users);
		iopf_lane_use(lane);
		lane->nr_scheduled++;
		lane->nr_waiting++;
		lane->nr_helpers += helps;
		return worker;
	}
	return NULL;
}

void iopf_worker_queue(struct iopf_worker *worker)
{
	queue_work_on(worker->cpu, worker->lane->idev->q->pub.wq,
		      &worker->work);
}

/*
 * @worker is through with its group: whose answer is it? False if somebody else
 * has given it meanwhile; then the caller drops the group.
 */
static bool iopf_worker_claim(struct iopf_worker *worker)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_grp *grp = worker->grp;

	lockdep_assert_held(&lane->idev->lock);
	worker->grp = NULL;
	lane->idev->stats.prefaulted += grp->prefaulted;
	/*
	 * iopf_worker_disturb() cannot mean this thread any more: it looks for the
	 * group under the lock, where it has just gone from the worker.
	 */
	clear_notify_signal();
	if (!iopf_claim(lane->idev, grp, worker->code, &lane->claimed))
		return false;
	/* The lane's reference; the library's is still there. */
	refcount_dec(&grp->users);
	return true;
}

/* The next group for @worker, NULL if there is none. */
static struct iopf_grp *iopf_worker_take(struct iopf_worker *worker)
{
	struct iopf_dev *idev = worker->lane->idev;
	struct iopf_grp *grp;

	lockdep_assert_held(&idev->lock);
	grp = list_first_entry_or_null(&worker->lane->queue, struct iopf_grp,
				       pub.node);
	if (!grp)
		return NULL;
	iopf_lane_unqueue(grp);
	iopf_grp_set_owner(idev, grp, IOPF_OWNER_WORKER);
	worker->grp = grp;
	worker->task = current;
	grp->times.taken = iopf_now();
	trace_iopf_handle(idev->pub.dev, grp->key.pasid, grp->key.grpid,
			  grp->pub.fault_count);
	return grp;
}

/* Pages that @worker may ask for in its turn. Sleeping workers count as well. */
static size_t iopf_worker_budget(struct iopf_worker *worker)
{
	lockdep_assert_held(&worker->lane->idev->lock);
	return iopf_cpu_load(worker->cpu) > worker->lane->nr_scheduled ?
	       IOPF_WORKER_SHARE : IOPF_WORKER_BUDGET;
}

/*
 * End the group that @worker has handled, if there is one, and take the next, if
 * it may have one more: it has had @groups with @pages. Answers leave when there is
 * none, when there are many, or when nobody is there to send them while the next
 * group's fault sleeps.
 */
static struct iopf_grp *iopf_worker_step(struct iopf_worker *worker,
					 struct iopf_mm *imm,
					 unsigned int groups, size_t pages)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_grp *old = worker->grp;
	struct iopf_worker *next = NULL;
	struct iopf_grp *grp = NULL;
	LIST_HEAD(claimed);

	spin_lock(&lane->idev->lock);
	if (old && iopf_worker_claim(worker))
		old = NULL;
	if (pages < iopf_worker_budget(worker))
		grp = iopf_worker_take(worker);
	if (grp)
		next = iopf_worker_wanted(lane);
	if (!grp || !lane->nr_waiting || !(groups % IOPF_WORKER_HOLD))
		list_splice_init(&lane->claimed, &claimed);
	spin_unlock(&lane->idev->lock);

	if (next)
		iopf_worker_queue(next);
	if (old)
		iopf_grp_put(old);
	if (!list_empty(&claimed)) {
		iopf_mm_unlock(imm);
		iopf_send(&claimed);
	}
	return grp;
}

/*
 * @worker was queued, or has @polled, and now runs. Others may have left it their
 * answers.
 */
static void iopf_worker_begin(struct iopf_worker *worker, bool polled)
{
	struct iopf_lane *lane = worker->lane;
	LIST_HEAD(claimed);

	spin_lock(&lane->idev->lock);
	lane->nr_waiting--;
	if (polled)
		iopf_poll_done(lane);
	list_splice_init(&lane->claimed, &claimed);
	spin_unlock(&lane->idev->lock);
	iopf_send(&claimed);
}

/* From the moment that it is not scheduled it may be queued again. */
static void iopf_worker_end(struct iopf_worker *worker)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_dev *idev = lane->idev;
	bool again;

	spin_lock(&idev->lock);
	again = lane->nr_queued;
	if (again) {
		lane->nr_waiting++;
	} else {
		atomic_dec(per_cpu_ptr(&iopf_cpu_workers, worker->cpu));
		worker->scheduled = false;
		lane->nr_helpers -= worker->helps;
		lane->nr_scheduled--;
		iopf_lane_unuse(lane);
	}
	spin_unlock(&idev->lock);

	if (again)
		queue_work_on(worker->cpu, idev->q->pub.wq, &worker->work);
	else
		iopf_dev_put(idev);
}

/* A worker's turn: groups of its lane, as many as its share. Returns how many. */
static unsigned int iopf_worker_run(struct iopf_worker *worker)
{
	struct iopf_mm imm = {};
	unsigned int groups = 0;
	struct iopf_grp *grp;
	size_t pages = 0;

	while ((grp = iopf_worker_step(worker, &imm, groups, pages))) {
		groups++;
		pages += grp->pub.fault_count;
		if (iopf_mm_enter(&imm, grp->mm))
			worker->code = iopf_fault_group(&imm, grp);
		else
			worker->code = IOMMU_PAGE_RESP_INVALID;
	}
	iopf_mm_leave(&imm);
	return groups;
}

/*
 * Wait for the lane's next group without giving up the CPU; meanwhile @worker counts as
 * one that is queued and does not run. Not if somebody else waits for this CPU, or
 * has helped, and not for too long: other work items that it has do not run. False if
 * the worker has to end.
 */
static bool iopf_worker_poll(struct iopf_worker *worker, u64 begun)
{
	struct iopf_lane *lane = worker->lane;
	struct iopf_dev *idev = lane->idev;
	bool poll;

	if (iopf_cpu_load(worker->cpu) > 1 || !iopf_poll_has_time(begun))
		return false;
	spin_lock(&idev->lock);
	poll = !lane->nr_queued && lane->nr_scheduled == 1 && !idev->dead &&
	       iopf_poll_wanted(lane);
	lane->nr_waiting += poll;
	spin_unlock(&idev->lock);
	if (!poll)
		return false;

	iopf_poll(lane, per_cpu_ptr(&iopf_cpu_workers, worker->cpu));
	return true;
}

/*
 * A device that waits for one answer at a time shows in runs of one group. Where there
 * are more, to go on at once would only make the runs shorter.
 */
static void iopf_worker_fn(struct work_struct *work)
{
	struct iopf_worker *worker = container_of(work, struct iopf_worker,
						  work);
	u64 begun = local_clock();
	bool polled = false;

	do {
		iopf_worker_begin(worker, polled);
		polled = iopf_worker_run(worker) == 1 &&
			 iopf_worker_poll(worker, begun);
	} while (polled);
	iopf_worker_end(worker);
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
		/*
		 * After iopf_claim(), see iopf_is_answered(). Sets the flag, then
		 * wakes; pairs with handle_userfault(), which goes to sleep first
		 * and then looks for the flag.
		 */
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
