// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: one round
 *
 * Load the module, keep a number of processes running, disturb them, wait for all to
 * end or remove the devices, and check what is left.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"

#define MEMCG		"/sys/fs/cgroup/stress"
#define RECORD		"/sys/module/softacc/parameters/record"
/* For what should take no time, in ms of the machine's time */
#define PATIENCE	30000

/**
 * struct slot - the slot of a process
 * @limited: its memory is limited, so the OOM killer may kill it
 */
struct slot {
	bool limited;
};

static struct slot slots[MAX_SLOTS];
static pid_t pids[MAX_SLOTS];

static void start_process(const struct round *round, struct rng *rng,
			  unsigned int i)
{
	struct rng own = { rng_next(rng) };
	pid_t pid;

	slots[i].limited = rng_percent(rng, 20);
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		/* A cache that fails is used by fork(), too. */
		if (!(round->flags & D_NOMEM))
			fail(CHECK_STUCK, "fork: %s", strerror(errno));
		return;
	}
	if (pid) {
		pids[i] = pid;
		count(COUNT_PROCESSES, 1);
		return;
	}
	setpriority(PRIO_PROCESS, 0, 0);
	if (slots[i].limited)
		write_file(MEMCG "/cgroup.procs", "%d", getpid());
	if (rng_percent(&own, 40))
		run_hostile(round, &own);
	else
		run_jobs(round, &own);
	/* Exit ends its threads and closes its files. */
	_exit(0);
}

/* Check how a process ended. */
static void check_end(unsigned int i, int status)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;

	pids[i] = 0;
	if (!status || killed)
		return;
	fail(CHECK_STATUS, "a process ended with status %x", status);
}

static bool collect(void)
{
	bool left = false;
	unsigned int i;
	int status;

	for (i = 0; i < MAX_SLOTS; i++) {
		if (!pids[i])
			continue;
		if (waitpid(pids[i], &status, WNOHANG) == pids[i])
			check_end(i, status);
		else
			left = true;
	}
	return left;
}

static void collect_all(void)
{
	unsigned int i;

	pace_wait(PATIENCE, !collect());
	for (i = 0; i < MAX_SLOTS; i++) {
		if (!pids[i])
			continue;
		fail(CHECK_STUCK, "process %d does not end", pids[i]);
		print_stack(pids[i]);
		kill(pids[i], SIGKILL);
		pids[i] = 0;
	}
}

/* There are no more requests: the library must become idle. */
static void check_idle(const struct round *round)
{
	double start = pace_seconds();
	unsigned int i;

	for (i = 0; i < round->devices; i++) {
		long pending;
		long partial;

		do {
			usleep(20000);
			pending = library_stat(i, "pending_groups");
			partial = library_stat(i, "partial_requests");
			if (pending < 0 || partial < 0) {
				/* debugfs may have failed for lack of memory. */
				if (!(round->flags & D_NOMEM))
					fail(CHECK_STUCK,
					     "device %u tells no state", i);
				return;
			}
		} while (pending + partial && !pace_over(start, PATIENCE));
		if (pending + partial)
			fail(CHECK_STUCK,
			     "device %u: %ld groups and %ld partial requests left",
			     i, pending, partial);
	}
}

static void remove_devices(void)
{
	double start = pace_seconds();

	if (!write_file("/sys/module/softacc/parameters/remove", "1"))
		fail(CHECK_STUCK, "remove: %s", strerror(errno));
	if (pace_over(start, PATIENCE))
		fail(CHECK_STUCK, "removing the devices took %.0f s",
		     pace_seconds() - start);
}

/* Check the devices' record of their groups. */
static void check_record(const struct round *round)
{
	long missing = read_number(RECORD, "missing");
	long duplicate = read_number(RECORD, "duplicate");
	long unexpected = read_number(RECORD, "unexpected");
	long groups = read_number(RECORD, "groups");

	if (read_number(RECORD, "devices") != round->devices)
		fail(CHECK_STUCK, "there is no record of all devices");
	if (missing)
		fail(CHECK_RESPONSES, "%ld of %ld groups have no response", missing,
		     groups);
	if (duplicate)
		fail(CHECK_RESPONSES, "%ld of %ld groups have two responses",
		     duplicate, groups);
	if (unexpected)
		fail(CHECK_RESPONSES, "%ld responses for no group", unexpected);
	printf("# round %u: %ld requests in %ld groups\n", round->number,
	       read_number(RECORD, "requests"), groups);
}

static void run_processes(const struct round *round, struct rng *rng)
{
	struct disturber disturber = {
		.round = round,
		.rng = { rng_next(rng) },
		.pids = pids,
	};
	double end = seconds() + round->seconds;
	unsigned int i;

	disturb_begin(&disturber);
	while (seconds() < end) {
		for (i = 0; i < round->slots; i++)
			if (!pids[i])
				start_process(round, rng, i);
		usleep(rng_range(rng, 5000, 50000));
		collect();
		disturb(&disturber);
	}
	if (round->flags & D_ABRUPT) {
		atomic_store(&shared->gone, true);
		remove_devices();
	}
	atomic_store(&shared->stop, true);
	disturb_end(&disturber);
	collect_all();
}

void run_round(const struct round *round)
{
	struct rng rng = { round->seed };
	char parameters[160];

	snprintf(parameters, sizeof(parameters),
		 "devices=%u prg_bits=%u prg_per_pasid=%u ring_entries=%u handlers=%u",
		 round->devices, (unsigned int)rng_range(&rng, 4, 9),
		 (unsigned int)rng_below(&rng, 2),
		 1U << rng_range(&rng, 6, 10),
		 round->flags & D_HANDLERS ? 2 : 0);
	atomic_store(&shared->stop, false);
	atomic_store(&shared->gone, false);
	if (!load_module(parameters)) {
		fail(CHECK_STUCK, "softacc %s: %s", parameters, strerror(errno));
		return;
	}
	run_processes(round, &rng);
	if (!(round->flags & D_ABRUPT)) {
		check_idle(round);
		remove_devices();
	}
	check_record(round);
	if (!unload_module())
		fail(CHECK_STUCK, "softacc does not unload: %s", strerror(errno));
	check_slabs();
}
