// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: threads
 *
 * The driver's code runs in fibers. A fiber has a number of turns; when they are used
 * up, it stops at its next point: a call of the hardware, an unlock, a barrier, a
 * wake-up. Under a lock it continues, and only the hardware may act there.
 */
#include <stdio.h>
#include <ucontext.h>

#include <linux/mutex.h>
#include <sanitizer/common_interface_defs.h>

#include "fuzz.h"

#define STACK_SIZE	(256 * 1024)
/* No input has as many: it is at most some thousand bytes long. */
#define MAX_POINTS	1000000

/**
 * struct fiber - a thread
 * @live: it has begun and not ended
 * @turns: points that it passes without stopping
 * @function: its function
 * @wq: where it sleeps
 * @seen: wake-ups of @wq before it slept
 * @context: where it continues
 * @stack: its stack
 */
static struct fiber {
	bool live;
	unsigned int turns;
	void (*function)(void);
	const wait_queue_head_t *wq;
	unsigned long seen;
	ucontext_t context;
	char stack[STACK_SIZE] __attribute__((aligned(16)));
} fibers[NR_FIBERS];

static struct fiber *current;
static unsigned int locks_held;
static unsigned int nr_points;
static ucontext_t scheduler;
static const void *scheduler_stack;
static size_t scheduler_stack_size;

void sched_power_on(void)
{
	int i;

	for (i = 0; i < NR_FIBERS; i++)
		fibers[i].live = false;
	current = NULL;
	locks_held = 0;
	nr_points = 0;
}

bool sched_is_live(enum fiber_number number)
{
	return fibers[number].live;
}

bool sched_is_asleep(enum fiber_number number)
{
	struct fiber *fiber = &fibers[number];

	return fiber->live && fiber->wq && fiber->wq->wakes == fiber->seen;
}

bool sched_in_fiber(void)
{
	return current;
}

enum fiber_number sched_current(void)
{
	return current ? current - fibers : NO_FIBER;
}

static void run_fiber(void)
{
	__sanitizer_finish_switch_fiber(NULL, &scheduler_stack, &scheduler_stack_size);
	current->function();
	expect(CHECK_CONTEXT, !locks_held, "a function returns with a lock held");
	current->live = false;
	__sanitizer_start_switch_fiber(NULL, scheduler_stack, scheduler_stack_size);
	swapcontext(&current->context, &scheduler);
}

void sched_start(enum fiber_number number, void (*function)(void))
{
	struct fiber *fiber = &fibers[number];

	fiber->live = true;
	fiber->function = function;
	fiber->wq = NULL;
	getcontext(&fiber->context);
	fiber->context.uc_stack.ss_sp = fiber->stack;
	fiber->context.uc_stack.ss_size = sizeof(fiber->stack);
	fiber->context.uc_link = NULL;
	makecontext(&fiber->context, run_fiber, 0);
}

/* Let a fiber that is not asleep run until its next point after @turns. */
void sched_resume(enum fiber_number number, unsigned int turns)
{
	struct fiber *fiber = &fibers[number];
	void *fake_stack;

	if (!fiber->live || sched_is_asleep(number))
		return;
	fiber->wq = NULL;
	fiber->turns = turns;
	current = fiber;
	__sanitizer_start_switch_fiber(&fake_stack, fiber->stack, sizeof(fiber->stack));
	swapcontext(&scheduler, &fiber->context);
	__sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
	current = NULL;
}

static void stop(void)
{
	struct fiber *fiber = current;
	void *fake_stack;

	__sanitizer_start_switch_fiber(&fake_stack, scheduler_stack,
				       scheduler_stack_size);
	swapcontext(&fiber->context, &scheduler);
	__sanitizer_finish_switch_fiber(fake_stack, &scheduler_stack,
					&scheduler_stack_size);
}

/*
 * Run other fibers until @condition of @arg holds. The scheduler itself does not wait.
 */
void sched_yield_until(bool (*condition)(unsigned int arg), unsigned int arg)
{
	sched_check_may_sleep("what waits for others");
	while (current && !condition(arg))
		stop();
}

/* Under a lock only the hardware continues. */
static void hardware_point(void)
{
	u8 byte = input_byte();

	if (byte % 4 == 1)
		device_send(1 + byte / 64);
	else if (byte % 16 == 2)
		device_fill(byte / 16);
}

void stub_point(void)
{
	expect(CHECK_ENDS, ++nr_points < MAX_POINTS, "the driver does not end");
	if (!current)
		return;
	if (current->turns)
		current->turns--;
	else if (locks_held)
		hardware_point();
	else
		stop();
}

void stub_lock(spinlock_t *lock)
{
	stub_point();
	expect(CHECK_CONTEXT, !lock->held, "a lock is taken twice");
	lock->held = true;
	locks_held++;
}

void stub_unlock(spinlock_t *lock)
{
	expect(CHECK_CONTEXT, lock->held, "a lock is given back that is not held");
	lock->held = false;
	locks_held--;
	stub_point();
}

void stub_assert_held(const spinlock_t *lock)
{
	expect(CHECK_CONTEXT, lock->held, "a lock is not held");
}

void sched_check_may_sleep(const char *where)
{
	expect(CHECK_CONTEXT, !locks_held, "%s is called under a lock", where);
}

void stub_mutex_lock(struct mutex *mutex)
{
	sched_check_may_sleep(__func__);
	stub_point();
	while (mutex->held)
		stop();
	mutex->held = true;
}

void stub_mutex_unlock(struct mutex *mutex)
{
	expect(CHECK_CONTEXT, mutex->held, "a mutex is given back that is not held");
	mutex->held = false;
	stub_point();
}

void stub_sleep(const wait_queue_head_t *wq, unsigned long seen)
{
	sched_check_may_sleep("wait_event()");
	steps_before_sleep();
	current->wq = wq;
	current->seen = seen;
	stop();
}

void stub_wake(wait_queue_head_t *wq)
{
	stub_point();
	wq->wakes++;
	stub_point();
}
