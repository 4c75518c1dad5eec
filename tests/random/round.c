// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: one round
 *
 * Load the accelerator, keep a number of processes running, disturb them, end all,
 * remove the devices and check what is left.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "random.h"

/*
 * How long killed processes may take to end, in ms. iommufd waits up to a minute for
 * users of an object that is destroyed; what hangs does so for longer.
 */
#define PATIENCE	(60000 + 10 * shared->close_ms)
#define MAX_STARTED	4096

static pid_t pids[MAX_PROCESSES];
/* All process groups of the round */
static pid_t started[MAX_STARTED];
static unsigned int nr_started;

/* Return the kinds of devices that the kernel has. */
static unsigned int all_kinds(void)
{
	return (1U << KIND_SOFTACC |
		(access("/dev/iommu", F_OK) ? 0 : 1U << KIND_IOMMUFD) |
		(is_upstream() ? 0 : 1U << KIND_FORWARD)) & kinds;
}

static unsigned int choose_kinds(struct rng *rng, unsigned int slot)
{
	static const unsigned int first[] = {
		1U << KIND_SOFTACC, 1U << KIND_SOFTACC | 1U << KIND_FORWARD,
		1U << KIND_IOMMUFD,
	};
	unsigned int chosen = slot < 3 ? first[slot] : rng_range(rng, 1, 7);

	return chosen & all_kinds() ?: all_kinds();
}

static void start_process(const struct round *round, struct rng *rng,
			  unsigned int slot)
{
	struct rng own = { rng_next(rng) };
	unsigned int chosen = choose_kinds(&own, slot);
	pid_t pid;

	if (nr_started == MAX_STARTED)
		return;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		setpriority(PRIO_PROCESS, 0, 0);
		run_process(round, &own, chosen);
	}
	if (pid < 0) {
		fail(NR_KINDS, CHECK_ENDS, "fork: %s", strerror(errno));
		return;
	}
	setpgid(pid, pid);
	pids[slot] = pid;
	started[nr_started++] = pid;
}

/* Collect ended processes. Orphaned children are reparented to this process. */
static bool collect(void)
{
	bool left = false;
	unsigned int i;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < MAX_PROCESSES; i++) {
			if (pids[i] != pid)
				continue;
			pids[i] = 0;
			if (status && status != SIGKILL)
				fail(NR_KINDS, CHECK_ENDS,
				     "process %d ended with status %x", pid,
				     status);
		}
	}
	for (i = 0; i < nr_started; i++)
		left |= !kill(-started[i], 0);
	return left;
}

static void kill_all(void)
{
	unsigned int i;

	for (i = 0; i < nr_started; i++)
		kill(-started[i], SIGKILL);
}

static void name_living(void)
{
	unsigned int i;

	for (i = 0; i < nr_started; i++)
		if (!kill(-started[i], 0))
			fail(NR_KINDS, CHECK_ENDS, "process %d does not end",
			     started[i]);
	report_asleep();
}

static bool all_ended(void)
{
	trail_check();
	return !collect();
}

/* End all processes. Return false if some do not end. */
static bool end_processes(void)
{
	double start = pace_seconds();
	bool ended;

	atomic_store(&shared->stop, true);
	pace_wait(shared->close_ms, !collect());
	kill_all();
	ended = pace_wait(PATIENCE, all_ended());
	if (!ended)
		name_living();
	printf("# round %u: %u processes, the last ones ended in %.1f s\n",
	       shared->round, nr_started, pace_seconds() - start);
	nr_started = 0;
	memset(pids, 0, sizeof(pids));
	memset(shared->letters, 0, sizeof(shared->letters));
	return ended;
}

static bool run_processes(const struct round *round, struct disturber *disturber,
			  struct rng *rng)
{
	double end = pace_clock(CLOCK_MONOTONIC) / 1e9 + round->seconds;
	unsigned int i;

	disturb_begin(disturber);
	while (pace_clock(CLOCK_MONOTONIC) / 1e9 < end) {
		for (i = 0; i < round->processes; i++)
			if (!pids[i])
				start_process(round, rng, i);
		usleep(rng_range(rng, 2000, 30000) * shared->slowness);
		collect();
		trail_check();
		disturb(disturber);
	}
	if (!end_processes())
		return false;
	disturb_end(disturber);
	return true;
}

/* Run a round. Return false if this kernel cannot run another one. */
bool run_round(const struct round *round)
{
	struct rng rng = { round->seed };
	struct disturber disturber = {
		.round = round, .rng = { rng_next(&rng) }, .pids = pids,
	};

	snprintf(disturber.parameters, sizeof(disturber.parameters),
		 "devices=%u prg_bits=%u prg_per_pasid=%u ring_entries=%u handlers=%u",
		 round->devices, (unsigned int)rng_range(&rng, 4, 9),
		 (unsigned int)rng_below(&rng, 2), 1U << rng_range(&rng, 6, 10),
		 round->flags & D_HANDLERS ? 2 : 0);
	atomic_store(&shared->stop, false);
	if (!load_softacc(&disturber)) {
		fail(KIND_SOFTACC, CHECK_ENDS, "softacc %s: %s",
		     disturber.parameters, strerror(errno));
		return false;
	}
	if (!run_processes(round, &disturber, &rng))
		return false;
	check_queues();
	return true;
}
