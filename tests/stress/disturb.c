// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: disturbances from outside of the processes
 *
 * What the driver, the administrator and the machine do while page requests are in
 * flight.
 */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpus.h"
#include "provoke.h"
#include "stress.h"

#define PARAMETER(name)	"/sys/module/softacc/parameters/" name
#define FAIL_SLAB(name)	"/sys/kernel/debug/failslab/" name
#define FAIL_PAGE(name)	"/sys/kernel/debug/fail_page_alloc/" name
#define CPU_ONLINE	"/sys/devices/system/cpu/cpu1/online"

/* Below the priority of the thread that reports */
#define HOG_PRIORITY	40

/* Caches that the library allocates from in atomic context */
static const char *const caches[] = {
	"iopf_prg", "iopf_chunk", "radix_tree_node",
};

static void filter_caches(bool on)
{
	char path[96];
	size_t i;

	for (i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/slab/%s/failslab",
			 caches[i]);
		write_file(path, "%d", on);
	}
	write_file(FAIL_SLAB("cache-filter"), on ? "Y" : "N");
}

/*
 * Let allocations fail in the thread that reports and in the workers of fault queues.
 */
static void mark_threads(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[300];
	char name[64];
	FILE *file;

	while (proc && (entry = readdir(proc))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (!fgets(name, sizeof(name), file))
			name[0] = 0;
		fclose(file);
		if (!strstr(name, "iopf_queue") && !strstr(name, "softacc-prq"))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail",
			 entry->d_name);
		write_file(path, "1");
	}
	if (proc)
		closedir(proc);
}

static void fail_allocations(struct rng *rng)
{
	bool threads = rng_percent(rng, 50);

	write_file(FAIL_SLAB("verbose"), "0");
	write_file(FAIL_PAGE("verbose"), "0");
	write_file(FAIL_SLAB("task-filter"), threads ? "Y" : "N");
	write_file(FAIL_SLAB("ignore-gfp-wait"), threads ? "N" : "Y");
	write_file(FAIL_PAGE("task-filter"), "Y");
	write_file(FAIL_PAGE("ignore-gfp-wait"), "N");
	write_file(FAIL_PAGE("ignore-gfp-highmem"), "N");
	write_file(FAIL_PAGE("min-order"), "0");
	filter_caches(!threads);
	if (threads)
		mark_threads();
	write_file(FAIL_SLAB("times"), "-1");
	write_file(FAIL_PAGE("times"), "-1");
	write_file(FAIL_SLAB("probability"), threads ? "3" : "30");
	write_file(FAIL_PAGE("probability"), threads ? "3" : "0");
}

static void stop_failing(void)
{
	write_file(FAIL_SLAB("probability"), "0");
	write_file(FAIL_PAGE("probability"), "0");
	filter_caches(false);
}

static void set_timeouts(struct rng *rng)
{
	static const int seconds[] = { 1, 1, 2, 3 };

	if (provoke_timeout(rng))
		write_file("/sys/module/iopf/parameters/domain_timeout", "%d",
			   seconds[rng_below(rng, 4)]);
}

static void kill_one(struct disturber *disturber)
{
	pid_t pid = disturber->pids[rng_below(&disturber->rng,
					      disturber->round->slots)];

	if (pid > 0 && !kill(pid, SIGKILL))
		count(COUNT_KILLED, 1);
}

/*
 * Let a real-time program own a CPU for a while. Wait for its end, so that there is
 * only one and no CPU goes offline meanwhile: other tasks always have a CPU left.
 */
static void own_cpu(struct rng *rng)
{
	const struct sched_param param = { .sched_priority = HOG_PRIORITY };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int cpu = rng_below(rng, cpus);
	long ms = rng_range(rng, 50, 200);
	pid_t pid;

	if (cpus < 2)
		return;
	pid = fork();
	if (!pid) {
		long long end = pace_clock(CLOCK_MONOTONIC) + ms * 1000000LL;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (pin(0, cpu) && !sched_setscheduler(0, SCHED_FIFO, &param))
			while (pace_clock(CLOCK_MONOTONIC) < end)
				;
		_exit(0);
	}
	/* The fork may have failed. */
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void check_limits(const struct round *round)
{
	unsigned int i;

	for (i = 0; i < round->devices; i++) {
		long partial = library_stat(i, "partial_requests");

		if (partial > 4096)
			fail(CHECK_LIMITS, "device %u has %ld partial requests",
			     i, partial);
	}
}

void disturb_begin(struct disturber *disturber)
{
	unsigned int flags = disturber->round->flags;

	write_file(PARAMETER("no_flush"), flags & D_NO_FLUSH ? "Y" : "N");
	write_file(PARAMETER("overflow"), flags & D_OVERFLOW ? "Y" : "N");
	/* A flush must find responses in flight. */
	write_file(PARAMETER("slow_responses"), flags & D_FLUSH ? "2000" : "0");
}

/* Disturbances that happen from time to time, not once in a round */
#define D_REPEATED	(D_KILL | D_FLUSH | D_HANDLERS | D_DISCARD | D_REPLUG | \
			 D_TIMEOUT | D_LIMITS | D_NOMEM | D_CPUS | D_SUSPEND | \
			 D_HOG)

/* Run one of the disturbances of the round. */
void disturb(struct disturber *disturber)
{
	struct rng *rng = &disturber->rng;
	unsigned int flag;

	check_limits(disturber->round);
	if (!(disturber->round->flags & D_REPEATED) || rng_percent(rng, 50))
		return;
	do {
		flag = 1U << rng_below(rng, NR_DISTURBANCES);
	} while (!(disturber->round->flags & D_REPEATED & flag));
	/* This one takes seconds, so run it rarely. */
	if (flag == D_SUSPEND && rng_percent(rng, 90))
		return;
	count(COUNT_DISTURBANCES, 1);
	switch (flag) {
	case D_KILL:
		kill_one(disturber);
		break;
	case D_FLUSH:
		write_file(PROVOKE, "flush");
		break;
	case D_HANDLERS:
		write_file(PROVOKE, "flush_handlers");
		break;
	case D_DISCARD:
		write_file(PROVOKE, "discard");
		break;
	case D_REPLUG:
		write_file(PROVOKE, "replug");
		break;
	case D_TIMEOUT:
		set_timeouts(rng);
		break;
	case D_LIMITS:
		provoke_limits(rng);
		break;
	case D_NOMEM:
		fail_allocations(rng);
		break;
	case D_CPUS:
		write_file(CPU_ONLINE, "0");
		usleep(20000);
		write_file(CPU_ONLINE, "1");
		break;
	case D_SUSPEND:
		write_file("/sys/module/suspend/parameters/pm_test_delay", "1");
		write_file("/sys/power/pm_freeze_timeout", "3000");
		write_file("/sys/power/pm_test", "devices");
		write_file("/sys/power/state", "freeze");
		break;
	case D_HOG:
		own_cpu(rng);
		break;
	default:
		break;
	}
}

/* Undo the disturbances, so that the remaining work can end. */
void disturb_end(struct disturber *disturber)
{
	if (disturber->round->flags & D_NOMEM)
		stop_failing();
	if (disturber->round->flags & D_TIMEOUT) {
		write_file(PRQ_TIMEOUT, "10");
		write_file("/sys/module/iopf/parameters/domain_timeout", "10");
		write_file(PROVOKE, "timeout=0");
	}
}
