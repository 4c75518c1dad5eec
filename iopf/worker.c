// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: workers
 */
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/cputime.h>
#include <linux/sched/signal.h>
#include <trace/events/iopf.h>

#include "path.h"

/**
 * DOC: Workers
 *
 * A worker of a device takes groups from one PASID queue for a turn, then continues with
 * the PASID queue that has waited longest. So the number of PASID queues does not matter.
 * As many workers are awake as there are PASID queues with groups, but no more than CPUs,
 * except for those that the monitor adds.
 * A PASID queue with many groups has several workers, and so has one whose groups take
 * long, with huge pages for example: the expected CPU time decides.
 *
 * When a worker sleeps in the mm another one replaces it, as soon as a report or the
 * monitor notices, see "DOC: Progress".
 *
 * A worker defers responses so that several are sent together: until its turn ends, until
 * there are enough, or until the monitor finds them. The response of a group that is alone
 * leaves at once, and its worker waits for the next one (poll.c, park.c).
 */

/* Pages in a turn. */
#define IOPF_WORKER_BUDGET	32
/* Pages and time in a turn while other PASID queues wait. */
#define IOPF_WORKER_SHARE	16
#define IOPF_WORKER_SHARE_NS	NSEC_PER_MSEC
/* Groups whose responses are deferred. Few, so that the device can continue meanwhile. */
#define IOPF_WORKER_DEFER	8
/* Longest run of a work item, so that its thread notices changed CPUs and limits. */
#define IOPF_WORKER_MS		100
/* Most time of a page that enters the average. */
#define IOPF_MAX_PAGE_NS	(10 * NSEC_PER_MSEC)

/**
 * struct iopf_turn - a worker's turn in a PASID queue
 * @imm: the address space; kept from turn to turn
 * @until: when the work item ends, in jiffies
 * @groups: groups handled in this turn
 * @pages: pages requested by them, and pages faulted in ahead
 * @alone: no other group was there when the last one was handled
 * @poll: the worker polls for the next group
 * @cut: the poll was cut short
 * @park: the worker sleeps until the next group
 * @sent: the group that was @alone, whose response was sent, then one to be dropped
 * @since: local_clock() when the cost of groups was last counted; 0: it is not counted
 * @uncounted: pages handled since then
 * @polls: local_clock() when the work item first polled, or 0
 */
struct iopf_turn {
	struct iopf_mm imm;
	unsigned long until;
	unsigned int groups;
	size_t pages;
	bool alone;
	bool poll;
	bool cut;
	bool park;
	struct list_head sent;
	u64 since;
	unsigned int uncounted;
	u64 polls;
};

static unsigned long iopf_worker_until(void)
{
	return jiffies + msecs_to_jiffies(IOPF_WORKER_MS);
}

/* The rest is set when the worker enters a PASID queue, and an address space. */
static void iopf_turn_init(struct iopf_turn *turn)
{
	turn->imm.mm = NULL;
	turn->imm.vma = NULL;
	turn->until = iopf_worker_until();
	turn->polls = 0;
	turn->alone = false;
	turn->poll = false;
	turn->park = false;
	INIT_LIST_HEAD(&turn->sent);
}

/*
 * Note whether the worker that @pq's next group waits for is asleep: the one that came
 * last.
 */
static void iopf_pq_note_asleep(struct iopf_pasid_queue *pq)
{
	struct iopf_worker *worker;

	lockdep_assert_held(&pq->fdev->lock);
	if (!pq->nr_workers)
		return;
	worker = list_first_entry(&pq->workers, struct iopf_worker, pq_node);
	if (unlikely(!task_is_runnable(worker->task)))
		iopf_worker_note_asleep(worker);
}

/*
 * Queue @prg for the workers of @pq. Return a worker to be queued if the device needs
 * one.
 */
struct iopf_worker *iopf_pq_queue_group(struct iopf_pasid_queue *pq, struct iopf_prg *prg)
{
	struct iopf_device *fdev = pq->fdev;

	lockdep_assert_held(&fdev->lock);
	list_add_tail(&prg->base.node, &pq->queue);
	iopf_prg_set_owner(fdev, prg, IOPF_OWNER_QUEUED);
	fdev->nr_faulting++;
	if (unlikely(!list_empty(&fdev->flushes)))
		iopf_tell_queued(fdev, prg);
	iopf_pq_count_queued(prg);
	iopf_monitor_pq(pq);
	iopf_pq_note_asleep(pq);
	iopf_pq_make_ready(pq);
	return iopf_worker_wanted(fdev);
}

/*
 * Count the cost of groups from here on if it matters: other groups wait in this or
 * another PASID queue, or pages took long before. A device with one group at a time is
 * spared the reads of the clock.
 */
static void iopf_turn_start_clock(struct iopf_turn *turn,
				  struct iopf_worker *worker)
{
	const struct iopf_pasid_queue *pq = worker->pq;

	if (turn->since ||
	    (!pq->nr_queued && list_empty(&pq->fdev->ready) &&
	     pq->page_ns < IOPF_LONG_PAGE_NS))
		return;
	turn->since = local_clock();
	turn->uncounted = 0;
	worker->runtime = current->se.sum_exec_runtime;
}

/*
 * Add the cost of the handled groups to the average of the PASID queue: after the first
 * group of a turn, the second, the fourth and so on. Groups that took long may have
 * slept, so their CPU time is used.
 */
static void iopf_worker_count_cost(struct iopf_worker *worker,
				   struct iopf_turn *turn)
{
	struct iopf_pasid_queue *pq = worker->pq;
	u64 now;
	u64 ns;

	now = local_clock();
	ns = now - turn->since;
	turn->since = now;
	if (unlikely(ns > turn->uncounted * IOPF_LONG_PAGE_NS)) {
		now = task_sched_runtime(current);
		ns = min(ns, now - worker->runtime);
		worker->runtime = now;
	}
	ns = div_u64(ns, turn->uncounted);
	pq->page_ns = (pq->page_ns + min_t(u64, ns, IOPF_MAX_PAGE_NS)) / 2;
	turn->uncounted = 0;
}

/* Clear the signal of iopf_worker_interrupt(), which no longer refers to this thread. */
static void iopf_worker_clear_interrupt(void)
{
	unsigned long flags;

	if (WARN_ON_ONCE(!lock_task_sighand(current, &flags)))
		return;
	sigdelset(&current->pending.signal, SIGKILL);
	recalc_sigpending();
	unlock_task_sighand(current, &flags);
}

/*
 * Claim the group that @worker has handled. Its response is deferred, or to be sent at
 * once if the group is alone. False: it was claimed before, and the caller drops it.
 */
static bool iopf_worker_claim(struct iopf_worker *worker, struct iopf_turn *turn)
{
	struct iopf_pasid_queue *pq = worker->pq;
	struct iopf_prg *prg = worker->prg;

	lockdep_assert_held(&pq->fdev->lock);
	worker->prg = NULL;
	pq->fdev->stats.prefaulted += prg->prefaulted;
	if (unlikely(worker->interrupted))
		iopf_worker_clear_interrupt();
	turn->alone = !pq->nr_deferred && list_empty(&pq->queue);
	if (!iopf_claim(pq->fdev, prg, worker->code,
			turn->alone ? &turn->sent : &pq->deferred)) {
		turn->alone = false;
		return false;
	}
	if (!turn->alone) {
		pq->nr_deferred++;
		WRITE_ONCE(pq->fdev->nr_deferred, pq->fdev->nr_deferred + 1);
	}
	/* Drop the PASID queue's reference; the library's remains. */
	refcount_dec(&prg->users);
	return true;
}

/*
 * Take the next group from the PASID queue of @worker. NULL: there is none, or too few
 * workers are free for another sleeper.
 */
static struct iopf_prg *iopf_worker_take(struct iopf_worker *worker)
{
	struct iopf_pasid_queue *pq = worker->pq;
	struct iopf_device *fdev = pq->fdev;
	struct iopf_prg *prg;

	lockdep_assert_held(&fdev->lock);
	if (list_empty(&pq->queue))
		return NULL;
	if (iopf_pq_nr_awake(pq) > 1)
		iopf_pq_note_sleepers(pq);
	prg = list_first_entry(&pq->queue, struct iopf_prg, base.node);
	while (unlikely(pq->nr_asleep) && iopf_prg_follow(prg)) {
		if (list_empty(&pq->queue))
			return NULL;
		prg = list_first_entry(&pq->queue, struct iopf_prg, base.node);
	}
	/* The group may put this worker to sleep: respect the limit of sleepers. */
	if (unlikely(pq->nr_asleep) && !iopf_pool_has_room(pq, 0)) {
		iopf_pq_starve(pq);
		return NULL;
	}

	iopf_pq_unqueue(prg);
	iopf_prg_set_owner(fdev, prg, IOPF_OWNER_WORKER);
	pq->taken++;
	WRITE_ONCE(fdev->taken, fdev->taken + 1);
	prg->worker = worker;
	worker->prg = prg;
	worker->page = IOPF_NO_PAGE;
	worker->interrupted = false;
	iopf_stamp(&prg->times.taken);
	trace_iopf_handle(fdev->base.dev, prg->key.pasid, prg->key.grpid,
			  prg->base.fault_count);
	return prg;
}

/*
 * Return true if @worker has used up its turn, which is shorter while other PASID queues
 * wait.
 */
static bool iopf_turn_is_over(const struct iopf_worker *worker,
			      const struct iopf_turn *turn)
{
	if (list_empty(&worker->fdev->ready))
		return turn->pages >= IOPF_WORKER_BUDGET;
	return turn->pages >= IOPF_WORKER_SHARE ||
	       turn->pages * worker->pq->page_ns >= IOPF_WORKER_SHARE_NS;
}

/*
 * Start a turn of @worker in the PASID queue that has waited longest. False: none waits,
 * or the work item has run long enough.
 */
static bool iopf_worker_enter_pq(struct iopf_worker *worker, struct iopf_turn *turn)
{
	struct iopf_device *fdev = worker->fdev;
	struct iopf_pasid_queue *pq;

	if (list_empty(&fdev->ready) || time_after(jiffies, turn->until))
		return false;
	pq = list_first_entry(&fdev->ready, struct iopf_pasid_queue, ready_node);
	iopf_pq_clear_ready(pq);
	iopf_pq_ref(pq);
	list_add(&worker->node, &fdev->awake);
	list_add(&worker->pq_node, &pq->workers);
	pq->nr_workers++;
	worker->pq = pq;
	turn->groups = 0;
	turn->pages = 0;
	turn->since = 0;
	turn->uncounted = 0;
	return true;
}

/* End the turn of @worker. Its deferred responses are moved to @claimed. */
static void iopf_worker_leave_pq(struct iopf_worker *worker,
				 struct list_head *claimed)
{
	struct iopf_pasid_queue *pq = worker->pq;

	iopf_pq_take_deferred(pq, claimed);
	worker->pq = NULL;
	list_del_init(&worker->node);
	list_del_init(&worker->pq_node);
	pq->nr_workers--;
	iopf_pq_make_ready(pq);
	iopf_pq_put(pq);
}

/*
 * Find the next group for @worker: in its PASID queue until the turn is over, then in the
 * next one. NULL: there is none, or the work item has run long enough.
 */
static struct iopf_prg *iopf_worker_find(struct iopf_worker *worker,
					 struct iopf_turn *turn,
					 struct list_head *claimed)
{
	struct iopf_prg *prg;

	while (worker->pq || iopf_worker_enter_pq(worker, turn)) {
		prg = iopf_turn_is_over(worker, turn) ? NULL :
							iopf_worker_take(worker);
		if (prg)
			return prg;
		iopf_worker_leave_pq(worker, claimed);
	}
	return NULL;
}

/* Count @worker as running, after it was queued, has polled or was parked. */
static void iopf_worker_begin(struct iopf_worker *worker, const struct iopf_turn *turn)
{
	struct iopf_device *fdev = worker->fdev;

	lockdep_assert_held(&fdev->lock);
	fdev->nr_waiting--;
	fdev->nr_workers++;
	if (turn->poll)
		iopf_poll_done(fdev, turn->cut);
	else if (worker->far)
		fdev->nr_far--;
}

/* Finish the group that @worker has handled. Return it if the caller has to drop it. */
static struct iopf_prg *iopf_worker_finish(struct iopf_worker *worker,
					   struct iopf_turn *turn)
{
	struct iopf_prg *prg = worker->prg;

	lockdep_assert_held(&worker->fdev->lock);
	if (unlikely(worker->asleep))
		iopf_worker_woke(worker);
	/* Time asleep does not count. */
	if (unlikely(worker->slept))
		turn->until = iopf_worker_until();
	worker->slept = false;
	turn->groups++;
	turn->uncounted += prg->base.fault_count;
	if (turn->since && is_power_of_2(turn->groups))
		iopf_worker_count_cost(worker, turn);
	turn->pages += prg->base.fault_count + prg->prefaulted;
	return iopf_worker_claim(worker, turn) ? NULL : prg;
}

/*
 * If the group that @worker has handled was alone, send its response before looking for
 * another one: the device may wait for it. Drops the lock meanwhile.
 */
static void iopf_worker_send_alone(struct iopf_worker *worker, struct iopf_turn *turn)
	__must_hold(&worker->fdev->lock)
{
	struct iopf_device *fdev = worker->fdev;
	struct iopf_prg *prg;
	u64 begun;

	lockdep_assert_held(&fdev->lock);
	if (list_empty(&turn->sent))
		return;
	worker->page = IOPF_NO_PAGE;
	spin_unlock(&fdev->lock);

	iopf_mm_unlock(&turn->imm);
	begun = iopf_now();
	iopf_send_batch(fdev, &turn->sent);

	spin_lock(&fdev->lock);
	iopf_end_responses(fdev, &turn->sent, begun);
	prg = list_first_entry(&turn->sent, struct iopf_prg, base.pending_node);
	INIT_LIST_HEAD(&turn->sent);
	prg = iopf_prg_keep(fdev, prg);
	if (prg)
		list_add(&prg->base.pending_node, &turn->sent);
	/* The driver may have slept or spun, which is no cost of the next group. */
	if (unlikely(worker->asleep))
		iopf_worker_woke(worker);
	worker->slept = false;
	turn->since = 0;
}

/*
 * Count @worker as ended, or let it wait for the next group: poll for it, while it counts
 * as queued, or park. It does if the last group was alone, so that the device may wait for
 * each response, if no other worker runs, and if it has no responses to send, in which the
 * driver may sleep.
 */
static void iopf_worker_end(struct iopf_worker *worker, struct iopf_turn *turn,
			    const struct list_head *claimed)
{
	struct iopf_device *fdev = worker->fdev;

	lockdep_assert_held(&fdev->lock);
	fdev->nr_workers--;
	turn->poll = false;
	turn->park = false;
	if (!turn->alone || !list_empty(claimed) || fdev->nr_ready ||
	    iopf_nr_active(fdev) || fdev->dead)
		return;
	/* It has polled before if it has handled nothing. */
	turn->poll = turn->groups && iopf_poll_wanted(fdev, turn->polls);
	if (turn->poll)
		fdev->nr_waiting++;
	else
		turn->park = time_before(jiffies, turn->until) && iopf_park(worker);
}

/*
 * Take the next group for @worker, or end it, and unlock. Deferred responses are sent at
 * the end of a turn, and when there are enough. @old is dropped, or NULL.
 */
static struct iopf_prg *iopf_worker_next(struct iopf_worker *worker,
					 struct iopf_turn *turn,
					 struct iopf_prg *old)
	__releases(&worker->fdev->lock)
{
	struct iopf_device *fdev = worker->fdev;
	struct iopf_worker *next;
	struct iopf_prg *prg;
	LIST_HEAD(claimed);

	prg = iopf_worker_find(worker, turn, &claimed);
	if (prg) {
		iopf_turn_start_clock(turn, worker);
		iopf_pq_make_ready(worker->pq);
		/*
		 * Do not defer responses of a PASID queue that was starved: the monitor does
		 * not check it, so it would not send them if this worker falls asleep.
		 */
		if (unlikely(list_empty(&worker->pq->monitored_node)) ||
		    (turn->groups && !(turn->groups % IOPF_WORKER_DEFER)))
			iopf_pq_take_deferred(worker->pq, &claimed);
	} else {
		iopf_worker_end(worker, turn, &claimed);
	}
	next = iopf_worker_wanted(fdev);
	spin_unlock(&fdev->lock);

	if (next)
		iopf_worker_queue(next);
	if (unlikely(old))
		iopf_prg_put(old);
	if (!list_empty(&turn->sent)) {
		iopf_put_responded(fdev, &turn->sent);
		INIT_LIST_HEAD(&turn->sent);
	}
	if (!list_empty(&claimed)) {
		iopf_mm_unlock(&turn->imm);
		iopf_send(&claimed);
	}
	return prg;
}

/* Handle groups until there is none, or the work item has run long enough. */
static void iopf_worker_run(struct iopf_worker *worker, struct iopf_turn *turn)
{
	struct iopf_device *fdev = worker->fdev;
	struct iopf_prg *old = NULL;
	struct iopf_prg *prg;

	turn->groups = 0;
	spin_lock(&fdev->lock);
	iopf_worker_begin(worker, turn);
	while ((prg = iopf_worker_next(worker, turn, old))) {
		if (iopf_mm_enter(&turn->imm, prg->mm))
			worker->code = iopf_fault_group(&turn->imm, worker);
		else
			worker->code = IOMMU_PAGE_RESP_INVALID;
		cond_resched();
		spin_lock(&fdev->lock);
		old = iopf_worker_finish(worker, turn);
		iopf_worker_send_alone(worker, turn);
	}
	iopf_mm_leave(&turn->imm);
}

static void iopf_worker_fn(struct work_struct *work)
{
	struct iopf_worker *worker = container_of(work, struct iopf_worker,
						  work);
	struct iopf_device *fdev = worker->fdev;
	struct iopf_turn turn __uninitialized;

	worker->task = current;
	iopf_turn_init(&turn);
	iopf_worker_run(worker, &turn);
	while (turn.poll || turn.park) {
		if (turn.park) {
			iopf_park_wait(worker);
			turn.polls = 0;
		} else {
			if (!turn.polls)
				turn.polls = local_clock();
			turn.cut = iopf_poll(fdev);
		}
		iopf_worker_run(worker, &turn);
	}
	/* Another device may use and queue the worker from here on. */
	iopf_pool_put(worker);
	iopf_device_put(fdev);
}

/* Set up the work items of @pool. */
void iopf_workers_init(struct iopf_pool *pool)
{
	unsigned int i;

	for (i = 0; i < IOPF_WORKERS; i++)
		INIT_WORK(&pool->workers[i].work, iopf_worker_fn);
}
