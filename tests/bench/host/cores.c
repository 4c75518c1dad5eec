// SPDX-License-Identifier: GPL-2.0
/*
 * Measures how far apart two cores of the host are
 *
 * A hypervisor may move a virtual core to where the other one's caches are not shared. Then a
 * cache line takes several times as long from core to core, and a benchmark with two threads
 * says something else than before. Prints a line for each measurement, until it is ended:
 *
 *	SECONDS NANOSECONDS
 *
 * the time of CLOCK_MONOTONIC, and how long a line takes from the first core that the program
 * may use to the second one, and back. Ends at once if there is one core only. Uses both cores
 * for less than a millisecond four times a second.
 */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_NS	250000000
#define ATTEMPTS	10
#define ROUND_TRIPS	100
/* How often the second core looks whether a measurement begins */
#define LOOK_NS		200000

/* Odd while the line is on its way to the second core */
static struct {
	alignas(64) atomic_ulong turn;
	alignas(64) atomic_bool measuring;
} shared;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_ns(long ns)
{
	const struct timespec time = { .tv_nsec = ns };

	nanosleep(&time, NULL);
}

/* Run on @core only and, where that is allowed, before other threads. */
static void run_on(int core)
{
	const struct sched_param param = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		exit(1);
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
}

static void *send_back(void *core)
{
	unsigned long turn;

	run_on(*(int *)core);
	for (;;) {
		if (!atomic_load(&shared.measuring)) {
			sleep_ns(LOOK_NS);
			continue;
		}
		turn = atomic_load(&shared.turn);
		if (turn & 1)
			atomic_store(&shared.turn, turn + 1);
	}
	return NULL;
}

static void round_trip(void)
{
	atomic_fetch_add(&shared.turn, 1);
	while (atomic_load(&shared.turn) & 1)
		;
}

/* The fastest attempt was not interrupted. */
static double measure(void)
{
	int64_t best = INT64_MAX;
	int64_t begun;
	int64_t took;
	int i;
	int j;

	atomic_store(&shared.measuring, true);
	round_trip();
	for (i = 0; i < ATTEMPTS; i++) {
		begun = now_ns();
		for (j = 0; j < ROUND_TRIPS; j++)
			round_trip();
		took = now_ns() - begun;
		if (took < best)
			best = took;
	}
	atomic_store(&shared.measuring, false);
	return (double)best / ROUND_TRIPS;
}

int main(void)
{
	int cores[2];
	int nr = 0;
	pthread_t thread;
	cpu_set_t set;
	int i;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	for (i = 0; i < CPU_SETSIZE && nr < 2; i++)
		if (CPU_ISSET(i, &set))
			cores[nr++] = i;
	if (nr < 2)
		return 0;
	if (pthread_create(&thread, NULL, send_back, &cores[1]))
		return 1;
	/* The other thread has to leave this core before real-time priority is taken. */
	sleep_ns(LOOK_NS * 50);
	run_on(cores[0]);
	for (;;) {
		printf("%.3f %.0f\n", now_ns() / 1e9, measure());
		if (fflush(stdout))
			return 1;
		sleep_ns(PERIOD_NS);
	}
}
