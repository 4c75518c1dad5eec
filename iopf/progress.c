// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: faults that sleep, and groups that nobody has begun
 *
 * A worker asleep in the mm keeps its group, and others have to go on in its place. An
 * unbound workqueue does not tell that a worker sleeps, so the scheduler is asked: at
 * each report about the worker that the PASID queue's next group waits for, and by the look
 * about all of them. A worker that was seen asleep is noted; it takes the note back
 * itself when it goes on.
 *
 * A group that asks for a page for which a worker is already asleep would only put
 * another worker to sleep. It waits for that one, as a follower. Followers stay queued
 * groups, which time out and can be claimed like any other, and when the worker goes
 * on they are handled like any other: their access may differ from its own, and it
 * may have failed.
 *
 * A report queues a worker when nobody is there to take the group. Whoever was there
 * may have fallen asleep since, or have lost its CPU to somebody else; a worker that
 * was queued may wait for a CPU; and responses that a worker has deferred may wait for
 * a fault that sleeps. Nothing tells the library. So while a device has groups that
 * nobody has begun, or deferred responses, they are looked at: every two milliseconds
 * where no group is begun, every four where some are.
 *
 * The timer interrupts any CPU, and the look runs on the workqueue of the timeouts. It
 * allocates nothing and never faults. A look takes a thread and a CPU's time that the
 * device's worker may need, so it has to be worth it: the timer ticks each millisecond,
 * and something has to wait in several ticks in a row.
 */
#include <linux/cpumask.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>

#include "compat.h"
#include "path.h"

/*
 * It is looked at when the ticks in a row in which something waits amount to that: those
 * between which groups have been begun count one each, others two.
 */
#define IOPF_WAITING_TICKS	4
/* Ticks in a row in which nothing waits, until the timer stops. */
#define IOPF_QUIET_TICKS	8

static struct hlist_head *iopf_sleepers(struct iopf_pasid_queue *pq,
					unsigned long page)
{
	u64 key = (u64)page ^ (unsigned long)pq;

	return &pq->fdev->sleepers[hash_64(key, IOPF_SLEEPER_BITS)];
}

/*
 * Note that @worker, which handles a group, is asleep, if it is: true.
 *
 * The thread may be woken at the same time. It looks at @asleep after it was woken, and
 * here it is looked at whether it was woken after @asleep is set: smp_mb() pairs with
 * the barriers of the scheduler between the two, and one of them sees the other. So
 * each note is taken back, and @page is the one of the sleep that was seen.
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
	/* See above: pairs with the scheduler. */
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

/* Note those of the PASID queue's workers that are asleep; those that are noted come last. */
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

/* The groups that have waited for @worker are the next ones of their PASID queue. */
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

/* @worker, which was seen asleep, goes on. */
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
	/* With one sleeper less there may be room for another. */
	if (pq->starved && iopf_pool_allows(pq, 1))
		iopf_pq_retry(pq);
	iopf_pq_make_ready(pq);
}

/* @worker, which was seen asleep, goes on to the next page, or begins with the first. */
void iopf_worker_leave_page(struct iopf_worker *worker)
{
	struct iopf_worker *next;

	spin_lock(&worker->fdev->lock);
	/* It may have been taken back meanwhile. */
	if (worker->asleep)
		iopf_worker_woke(worker);
	next = iopf_worker_wanted(worker->fdev);
	spin_unlock(&worker->fdev->lock);
	if (next)
		iopf_worker_queue(next);
}

/* A PASID may be another address space's by now, so this is not told by the PASID queue. */
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
 * Let @prg, the next one in its PASID queue, wait for the worker that sleeps for one
 * of its pages. False if there is none.
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

/* CPUs that unbound workers may use. */
static unsigned int iopf_nr_usable_cpus(void)
{
	unsigned int nr = 0;
	unsigned int cpu;

	rcu_read_lock();
	for_each_cpu_and(cpu, cpu_online_mask,
			 housekeeping_cpumask(HK_TYPE_DOMAIN))
		nr += housekeeping_test_cpu(cpu, IOPF_HK_TYPE_WQ);
	rcu_read_unlock();
	return nr;
}

/*
 * The timer ticks, and does not have the lock: is @fdev to be looked at? What waits now
 * and what has waited in the last tick may be two groups, the more so where groups are
 * begun, but a group that has waited since then is not overlooked. In a burst each tick
 * counts, so that what PASID queues may have for it ends with it. The look also ends the ticks,
 * and is quick where workers have come back.
 */
static bool iopf_monitor_tick(struct iopf_device *fdev)
{
	unsigned long taken = READ_ONCE(fdev->taken);

	if (READ_ONCE(fdev->nr_queued) || READ_ONCE(fdev->nr_deferred)) {
		fdev->ticks_quiet = 0;
		fdev->ticks_waiting += taken == fdev->tick_taken ? 2 : 1;
	} else {
		fdev->ticks_waiting = 0;
		fdev->ticks_quiet++;
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

/* Room has come back: all PASID queues that were refused may try again. */
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
 * Those that were queued or came since the last look have all fallen asleep? Then
 * twice as many may come at once: else a burst of faults that sleep would take a look
 * each to be begun.
 */
static void iopf_check_sleepers(struct iopf_device *fdev)
{
	struct iopf_worker *worker;
	struct iopf_worker *next;
	struct iopf_pasid_queue *pq;

	list_for_each_entry_safe(worker, next, &fdev->awake, node)
		iopf_worker_note_asleep(worker);
	fdev->nr_eager = 0;
	list_for_each_entry(pq, &fdev->busy, busy_node) {
		pq->nr_eager = 2 * pq->nr_slept;
		pq->nr_slept = 0;
		fdev->nr_eager += pq->nr_eager;
	}
}

/*
 * Take the deferred responses of the PASID queues, and offer those that have groups. A
 * PASID queue whose groups nobody has taken since the last look wants a worker,
 * whatever those do that it has.
 */
static void iopf_check_pqs(struct iopf_device *fdev, struct list_head *deferred)
{
	struct iopf_pasid_queue *pq;
	struct iopf_pasid_queue *next;

	list_for_each_entry_safe(pq, next, &fdev->busy, busy_node) {
		iopf_pq_take_deferred(pq, deferred);
		if (!pq->nr_queued || pq->starved) {
			pq->nr_eager = 0;
			list_del_init(&pq->busy_node);
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
 * The workers that are wanted now, on @workers. When no group has been taken since the
 * last look, one comes from elsewhere, even if there are as many as there are CPUs: what
 * these wait for is not known. Those that come from elsewhere and do not begin either
 * are no more than the CPUs.
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

static void iopf_monitor_fn(struct work_struct *work)
{
	struct iopf_device *fdev = container_of(work, struct iopf_device, monitor_work);
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
	again = !list_empty(&fdev->busy);
	if (again) {
		iopf_monitor_arm(fdev);
	} else {
		fdev->monitoring = false;
		fdev->nr_eager = 0;
	}
	spin_unlock(&fdev->lock);

	list_for_each_entry_safe(worker, next, &workers, node) {
		list_del_init(&worker->node);
		iopf_worker_queue(worker);
	}
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

/* The device is dead: its PASID queues are empty, and a look that runs finds that out. */
void iopf_monitor_stop(struct iopf_device *fdev)
{
	iopf_pool_leave(fdev);
	if (hrtimer_try_to_cancel(&fdev->monitor_timer) > 0)
		iopf_device_put(fdev);
}
