// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: faults that sleep, and groups that do not start
 */
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/sched.h>

#include "compat.h"
#include "path.h"

/**
 * DOC: Progress
 *
 * A worker asleep in the mm keeps its group, and other workers have to continue in its
 * place. The workqueue does not tell when an unbound worker sleeps, so the scheduler is
 * asked: each report asks about the worker that the next group of the PASID queue waits
 * for, and the monitor about all. A worker found asleep is noted as a *sleeper*. It
 * removes the note itself when it continues.
 *
 * A group that requests a page on which a worker sleeps already would put another worker
 * to sleep. It becomes a *follower* of that worker instead. Its owner is that of a queued
 * group, but it is on the worker's list and not on the PASID queue's. It times out and is
 * claimed like any other. When the sleeper continues the group
 * is queued again, as its access may differ from the worker's, which may have failed.
 *
 * A report queues a worker if none can take the group. A worker that could may have
 * fallen asleep since, or lost its CPU to another thread; a queued worker may wait for a
 * CPU; responses that a worker has deferred may wait for a fault that sleeps. The library
 * is told of none of these. So the *monitor* runs while a device has groups that have not
 * started or deferred responses: every two milliseconds if no group starts, every four if
 * some do.
 *
 * The monitor's timer may run on any CPU. Its work takes a thread and time of a CPU,
 * which workers may need, so the timer ticks every millisecond and queues the work only
 * if something has waited for several consecutive ticks.
 */

/*
 * Weight of consecutive ticks with something waiting at which the monitor runs. A tick
 * since which groups have started weighs one, others two.
 */
#define IOPF_WAITING_TICKS	4
/* Consecutive ticks with nothing waiting, and no group begun, after which it stops. */
#define IOPF_QUIET_TICKS	8

/* Return the list of sleepers on @page of @pq. */
static struct hlist_head *iopf_sleepers(struct iopf_pasid_queue *pq,
					unsigned long page)
{
	u64 key = (u64)page ^ (unsigned long)pq;

	return &pq->fdev->sleepers[hash_64(key, IOPF_SLEEPER_BITS)];
}

/*
 * Note @worker as a sleeper if it is asleep. Return true if it was noted.
 *
 * The thread may be woken at the same time. It reads @asleep after it was woken, and the
 * state of the thread is read again here after @asleep is set: smp_mb() pairs with the
 * barriers of the scheduler between the two, so that one side sees the other. Therefore
 * each note is removed, and @page is the page of the sleep that was seen.
 */
bool iopf_worker_note_asleep(struct iopf_worker *worker)
{
	struct iopf_pasid_queue *pq = worker->pq;
	struct iopf_device *fdev = worker->fdev;
	unsigned long page;

	lockdep_assert_held(&fdev->lock);
	if (worker->asleep || task_is_runnable(worker->task))
		return false;
	WRITE_ONCE(worker->asleep, true);
	/* Pairs with the barriers of the scheduler, see above. */
	smp_mb();
	if (task_is_runnable(worker->task)) {
		WRITE_ONCE(worker->asleep, false);
		return false;
	}
	page = READ_ONCE(worker->page);
	if (page != IOPF_NO_PAGE)
		hlist_add_head(&worker->sleeper_node,
			       iopf_sleepers(pq, page));
	list_del_init(&worker->node);
	list_move_tail(&worker->pq_node, &pq->workers);
	fdev->nr_asleep++;
	pq->nr_asleep++;
	pq->nr_slept++;
	return true;
}

/* Note all workers of @pq that are asleep. Workers that are noted already come last. */
void iopf_pq_note_sleepers(struct iopf_pasid_queue *pq)
{
	struct iopf_worker *worker;
	struct iopf_worker *next;

	list_for_each_entry_safe(worker, next, &pq->workers, pq_node) {
		if (worker->asleep)
			break;
		iopf_worker_note_asleep(worker);
	}
}

/* Queue the followers of @worker first. */
static void iopf_release_followers(struct iopf_worker *worker)
{
	struct iopf_pasid_queue *pq = worker->pq;
	struct iopf_prg *prg;

	list_for_each_entry(prg, &worker->followers, base.node) {
		prg->worker = NULL;
		pq->nr_following--;
		iopf_pq_count_queued(prg);
	}
	list_splice_init(&worker->followers, &pq->queue);
	iopf_monitor_pq(pq);
}

/* Let @pq, which was refused a worker, try again. */
static void iopf_pq_retry(struct iopf_pasid_queue *pq)
{
	iopf_pq_clear_ready(pq);
	iopf_monitor_pq(pq);
}

/* Remove the note that @worker is asleep. */
void iopf_worker_woke(struct iopf_worker *worker)
{
	struct iopf_pasid_queue *pq = worker->pq;
	struct iopf_device *fdev = worker->fdev;

	lockdep_assert_held(&fdev->lock);
	WRITE_ONCE(worker->asleep, false);
	worker->slept = true;
	hlist_del_init(&worker->sleeper_node);
	list_add(&worker->node, &fdev->awake);
	list_move(&worker->pq_node, &pq->workers);
	fdev->nr_asleep--;
	pq->nr_asleep--;
	if (!list_empty(&worker->followers))
		iopf_release_followers(worker);
	/* There is room for another sleeper. */
	if (pq->starved && iopf_pool_allows(pq, 1))
		iopf_pq_retry(pq);
	iopf_pq_make_ready(pq);
}

/*
 * Continue after a sleep: remove the note of @worker, and queue a worker if one is
 * wanted.
 */
void iopf_worker_leave_page(struct iopf_worker *worker)
{
	struct iopf_worker *next;

	spin_lock(&worker->fdev->lock);
	/* Checked without the lock by the caller. */
	if (worker->asleep)
		iopf_worker_woke(worker);
	next = iopf_worker_wanted(worker->fdev);
	spin_unlock(&worker->fdev->lock);
	if (next)
		iopf_worker_queue(next);
}

/*
 * Find a worker asleep on @page of the mm of @prg. The PASID alone does not tell: it may
 * belong to another address space by now.
 */
static struct iopf_worker *iopf_find_sleeper(struct iopf_prg *prg,
					     unsigned long page)
{
	struct iopf_worker *worker;

	hlist_for_each_entry(worker, iopf_sleepers(prg->pq, page),
			     sleeper_node)
		if (worker->pq == prg->pq && worker->prg->mm == prg->mm &&
		    READ_ONCE(worker->page) == page)
			return worker;
	return NULL;
}

/*
 * Let @prg, the next one of its PASID queue, follow the worker that sleeps on one of its
 * pages. False: there is none.
 */
bool iopf_prg_follow(struct iopf_prg *prg)
{
	struct iopf_pasid_queue *pq = prg->pq;
	struct iopf_worker *worker;
	struct iopf_fault *request;

	lockdep_assert_held(&pq->fdev->lock);
	list_for_each_entry(request, &prg->base.faults, list) {
		worker = iopf_find_sleeper(prg, request->fault.prm.addr &
						PAGE_MASK);
		if (!worker)
			continue;
		iopf_pq_unqueue(prg);
		prg->worker = worker;
		list_add_tail(&prg->base.node, &worker->followers);
		pq->nr_following++;
		pq->fdev->stats.followed++;
		return true;
	}
	return false;
}

/*
 * Return true if the monitor is to run. Called by the timer, without the lock. What waits
 * now and what waited at the last tick may be different groups, more so if groups start,
 * but a group that has waited since is not missed. In a burst the monitor runs at each
 * tick, so that the workers granted for it end with it. It also runs to stop the timer,
 * and soon after workers were freed.
 */
static bool iopf_monitor_tick(struct iopf_device *fdev)
{
	unsigned long taken = READ_ONCE(fdev->taken);

	if (READ_ONCE(fdev->nr_queued) || READ_ONCE(fdev->nr_deferred)) {
		fdev->ticks_quiet = 0;
		fdev->ticks_waiting += taken == fdev->tick_taken ? 2 : 1;
	} else {
		fdev->ticks_waiting = 0;
		/* A device with one group at a time is not quiet. */
		fdev->ticks_quiet = taken == fdev->tick_taken ? fdev->ticks_quiet + 1 : 0;
	}
	fdev->tick_taken = taken;
	return fdev->ticks_waiting >= IOPF_WAITING_TICKS ||
	       fdev->ticks_quiet >= IOPF_QUIET_TICKS ||
	       READ_ONCE(fdev->nr_eager) || READ_ONCE(fdev->room) ||
	       READ_ONCE(fdev->dead);
}

static enum hrtimer_restart iopf_monitor_timer_fn(struct hrtimer *timer)
{
	struct iopf_device *fdev = container_of(timer, struct iopf_device,
						monitor_timer);

	if (iopf_monitor_tick(fdev)) {
		queue_work(iopf_wq, &fdev->monitor_work);
		return HRTIMER_NORESTART;
	}
	hrtimer_forward_now(timer, ns_to_ktime(IOPF_TICK_NS));
	return HRTIMER_RESTART;
}

/* Retry all PASID queues that were refused a worker, as workers were freed. */
static void iopf_retry_starved(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq;
	struct iopf_pasid_queue *next;

	if (!fdev->room)
		return;
	fdev->room = false;
	list_for_each_entry_safe(pq, next, &fdev->starved, ready_node)
		iopf_pq_retry(pq);
}

/*
 * Note sleepers, and grant twice as many workers as have fallen asleep since the last
 * run. Else a burst of faults that sleep would start one of them per run.
 */
static void iopf_check_sleepers(struct iopf_device *fdev)
{
	struct iopf_worker *worker;
	struct iopf_worker *next;
	struct iopf_pasid_queue *pq;

	list_for_each_entry_safe(worker, next, &fdev->awake, node)
		iopf_worker_note_asleep(worker);
	fdev->nr_eager = 0;
	list_for_each_entry(pq, &fdev->monitored, monitored_node) {
		pq->nr_eager = 2 * pq->nr_slept;
		pq->nr_slept = 0;
		fdev->nr_eager += pq->nr_eager;
	}
}

/*
 * Collect deferred responses, and make PASID queues that have groups ready. One of whose
 * groups none was taken since the last run wants another worker, whatever its workers do.
 */
static void iopf_check_pqs(struct iopf_device *fdev, struct list_head *deferred)
{
	struct iopf_pasid_queue *pq;
	struct iopf_pasid_queue *next;

	list_for_each_entry_safe(pq, next, &fdev->monitored, monitored_node) {
		iopf_pq_take_deferred(pq, deferred);
		if (!pq->nr_queued || pq->starved) {
			pq->nr_eager = 0;
			list_del_init(&pq->monitored_node);
			continue;
		}
		if (pq->taken == pq->taken_seen && list_empty(&pq->ready_node))
			pq->nr_eager = max(pq->nr_eager,
					   iopf_pq_nr_awake(pq) + 1);
		pq->taken_seen = pq->taken;
		iopf_pq_make_ready(pq);
	}
}

/*
 * Collect the workers that are wanted now on @workers. If no group was taken since the
 * last run, add one of the far workqueue, even if there are as many as CPUs: it is not
 * known what these wait for. Far workers that do not start either are no more than the
 * CPUs.
 */
static void iopf_get_workers(struct iopf_device *fdev,
			     struct list_head *workers)
{
	bool stalled = fdev->taken == fdev->taken_seen;
	struct iopf_worker *worker;

	fdev->taken_seen = fdev->taken;
	while ((worker = iopf_worker_wanted(fdev)))
		list_add_tail(&worker->node, workers);
	if (!stalled || !fdev->nr_ready || fdev->nr_far >= fdev->nr_cpus)
		return;
	worker = iopf_worker_get(fdev);
	if (!worker)
		return;
	if (!worker->far)
		fdev->nr_far++;
	worker->far = true;
	list_add_tail(&worker->node, workers);
}

/*
 * No group comes: let the worker that was parked end, which is counted as queued already,
 * and drop the group that was kept. Both may be NULL.
 */
static void iopf_stop_waiting(struct iopf_worker *parked, struct iopf_prg *kept)
{
	if (parked)
		iopf_worker_queue(parked);
	if (kept)
		iopf_prg_put(kept);
}

static void iopf_monitor_fn(struct work_struct *work)
{
	struct iopf_device *fdev = container_of(work, struct iopf_device, monitor_work);
	struct iopf_worker *parked = NULL;
	struct iopf_prg *kept = NULL;
	struct iopf_worker *worker;
	struct iopf_worker *next;
	LIST_HEAD(deferred);
	LIST_HEAD(workers);
	bool again;

	spin_lock(&fdev->lock);
	fdev->nr_cpus = iopf_nr_usable_cpus();
	iopf_retry_starved(fdev);
	iopf_check_sleepers(fdev);
	iopf_check_pqs(fdev, &deferred);
	iopf_get_workers(fdev, &workers);
	again = !list_empty(&fdev->monitored);
	if (again) {
		iopf_monitor_arm(fdev);
	} else {
		fdev->monitoring = false;
		fdev->nr_eager = 0;
		parked = iopf_unpark(fdev);
		kept = iopf_prg_unkeep(fdev);
	}
	spin_unlock(&fdev->lock);

	list_for_each_entry_safe(worker, next, &workers, node) {
		list_del_init(&worker->node);
		iopf_worker_queue(worker);
	}
	iopf_stop_waiting(parked, kept);
	iopf_send(&deferred);
	if (!again)
		iopf_device_put(fdev);
}

void iopf_monitor_init(struct iopf_device *fdev)
{
	INIT_WORK(&fdev->monitor_work, iopf_monitor_fn);
	hrtimer_setup(&fdev->monitor_timer, iopf_monitor_timer_fn, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_HARD);
	fdev->nr_cpus = iopf_nr_usable_cpus();
}

/*
 * Stop the timer of a dead device. Its PASID queues are empty, and a work that runs
 * notices that.
 */
void iopf_monitor_stop(struct iopf_device *fdev)
{
	struct iopf_worker *parked;
	struct iopf_prg *kept;

	iopf_pool_leave(fdev);
	spin_lock(&fdev->lock);
	parked = iopf_unpark(fdev);
	kept = iopf_prg_unkeep(fdev);
	spin_unlock(&fdev->lock);
	iopf_stop_waiting(parked, kept);
	if (hrtimer_try_to_cancel(&fdev->monitor_timer) > 0)
		iopf_device_put(fdev);
}
