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
 * for less than a millisecond four times a second, and sleeps otherwise.
 */
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PERIOD_NS	250000000
#define ATTEMPTS	10
#define ROUND_TRIPS	100

/**
 * struct shared - what both cores use
 * @turn: the line: odd while it is on its way to the second core
 * @measured: number of measurements that are done
 */
static struct {
	alignas(64) atomic_ulong turn;
	alignas(64) atomic_long measured;
} shared;

/* When the first measurement begins; further ones do every PERIOD_NS. */
static int64_t begin;

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Sleep until measurement @nr, from 0, begins. */
static void await(long nr)
{
	int64_t then = begin + nr * PERIOD_NS;
	const struct timespec time = {
		.tv_sec = then / 1000000000,
		.tv_nsec = then % 1000000000,
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
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
	long nr;

	run_on(*(int *)core);
	for (nr = 0;; nr++) {
		await(nr);
		while (atomic_load(&shared.measured) <= nr) {
			turn = atomic_load(&shared.turn);
			if (turn & 1)
				atomic_store(&shared.turn, turn + 1);
		}
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

	round_trip();
	for (i = 0; i < ATTEMPTS; i++) {
		begun = now_ns();
		for (j = 0; j < ROUND_TRIPS; j++)
			round_trip();
		took = now_ns() - begun;
		if (took < best)
			best = took;
	}
	atomic_fetch_add(&shared.measured, 1);
	return (double)best / ROUND_TRIPS;
}

int main(void)
{
	int nr_cores = 0;
	pthread_t thread;
	cpu_set_t set;
	int cores[2];
	long nr;
	int i;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	for (i = 0; i < CPU_SETSIZE && nr_cores < 2; i++)
		if (CPU_ISSET(i, &set))
			cores[nr_cores++] = i;
	if (nr_cores < 2)
		return 0;
	begin = now_ns() + PERIOD_NS;
	if (pthread_create(&thread, NULL, send_back, &cores[1]))
		return 1;
	/* The other thread has to leave this core before real-time priority is taken. */
	await(0);
	run_on(cores[0]);
	for (nr = 1;; nr++) {
		printf("%.3f %.0f\n", now_ns() / 1e9, measure());
		if (fflush(stdout))
			return 1;
		await(nr);
	}
}
