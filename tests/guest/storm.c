// SPDX-License-Identifier: GPL-2.0
/*
 * storm [-n REQUESTS] [-r ROUNDS] [-p PROCESSES]
 *
 * Many processes let the accelerator request pages, in groups of 1 to 16: first
 * undisturbed, until REQUESTS requests have been sent. Then, in each round, half of the
 * processes close their files, exit or are killed with jobs under way. All data is
 * verified, and each group must have exactly one response. Prints TAP.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "acc.h"

#define MB		(1UL << 20)
#define AREA		(2 * MB)
#define MAX_PROCESSES	16
#define MAX_GROUP	16

enum end {
	FINISH,		/* verify all data */
	CLOSE,		/* close the file with a job under way */
	CLOSE_TWICE,	/* two files of one process: the last one unbinds */
	EXIT,		/* end with the file open */
	KILLED,		/* killed by the parent */
	NR_ENDS,
};

static const char * const end_names[] = {
	"finish", "close", "close two", "exit", "SIGKILL",
};

static int tests;
static int failures;

static void result(bool good, const char *name)
{
	printf("%sok %d %s\n", good ? "" : "not ", ++tests, name);
	failures += !good;
	fflush(stdout);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void sleep_ms(int ms)
{
	usleep(ms * 1000);
}

/* Open a new file, with groups of @pages pages: a file in use cannot change them. */
static int open_engine(int pages)
{
	int fd = acc_open(pages, 32, 1);

	if (fd < 0)
		_exit(10);
	return fd;
}

static char *map_area(void)
{
	char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		_exit(11);
	madvise(area, AREA, MADV_NOHUGEPAGE);
	return area;
}

/*
 * Run one job on untouched memory and return its number of requests. Exit if it fails.
 */
static uint64_t fill(int fd, char *area, uint64_t seed)
{
	struct softacc_completion end;

	madvise(area, AREA, MADV_DONTNEED);
	if (acc_run(fd, SOFTACC_OP_FILL, NULL, area, AREA, seed, &end))
		_exit(12);
	if (acc_verify(area, AREA, seed) >= 0)
		_exit(13);
	return end.requests;
}

/* Run jobs until @requests requests have been sent. */
static void work(unsigned int id, uint64_t requests)
{
	char *area = map_area();
	uint64_t done = 0;
	uint64_t round;

	for (round = 0; done < requests; round++) {
		int fd = open_engine(1 + (id + round) % MAX_GROUP);

		done += fill(fd, area, id << 20 | round);
		close(fd);
	}
	_exit(0);
}

/* Begin jobs, and end in the way of @end while they run. */
static void be_victim(unsigned int id, enum end end, int ms)
{
	int fd = open_engine(1 + id % MAX_GROUP);
	char *area = map_area();
	int second = -1;
	int i;

	if (end == CLOSE_TWICE) {
		second = open_engine(MAX_GROUP);
		acc_submit(second, SOFTACC_OP_FILL, NULL, map_area(), AREA, id);
	}
	for (i = 0; i < 32; i++)
		if (acc_submit(fd, SOFTACC_OP_FILL, NULL, map_area(), AREA, i))
			_exit(14);
	if (end == KILLED) {
		for (;;)
			pause();
	}
	sleep_ms(ms);
	if (end == EXIT)
		_exit(0);
	close(fd);
	if (second >= 0)
		close(second);
	/* The process continues, and its PASID is bound again. */
	fill(open_engine(8), area, id);
	_exit(0);
}

static bool read_stats(int fd, struct softacc_stats *stats)
{
	return !ioctl(fd, SOFTACC_IOC_DEV_STATS, stats);
}

/* Return whether, within two seconds, each group had one response and none is left. */
static bool all_responded(int fd, struct softacc_stats *stats)
{
	double start = pace_seconds();

	do {
		if (!read_stats(fd, stats))
			return false;
		if (!stats->outstanding)
			break;
		sleep_ms(10);
	} while (!pace_over(start, 2000));
	if (!stats->outstanding && !stats->spurious && !stats->forgotten &&
	    stats->groups == stats->responses[0] + stats->responses[1] +
			     stats->responses[2])
		return true;
	printf("# groups %llu, responses %llu %llu %llu\n",
	       (unsigned long long)stats->groups,
	       (unsigned long long)stats->responses[0],
	       (unsigned long long)stats->responses[1],
	       (unsigned long long)stats->responses[2]);
	printf("# outstanding %llu, spurious %llu, forgotten %llu\n",
	       (unsigned long long)stats->outstanding,
	       (unsigned long long)stats->spurious,
	       (unsigned long long)stats->forgotten);
	return false;
}

static bool reap(pid_t pid, unsigned int id, bool killed)
{
	int status;

	waitpid(pid, &status, 0);
	if (killed ? WIFSIGNALED(status) : !status)
		return true;
	printf("# process %u: status %x\n", id, status);
	return false;
}

static pid_t start(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid)
		return pid;
	/* No child outlives a parent that fails. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	return 0;
}

static void storm(int fd, unsigned int processes, uint64_t requests)
{
	struct softacc_stats before;
	struct softacc_stats after;
	pid_t pids[MAX_PROCESSES];
	double time = seconds();
	bool good = read_stats(fd, &before);
	unsigned int i;

	for (i = 0; i < processes; i++) {
		pids[i] = start();
		if (!pids[i])
			work(i, requests / processes);
	}
	for (i = 0; i < processes; i++)
		good &= reap(pids[i], i, false);
	time = seconds() - time;
	good &= all_responded(fd, &after);
	printf("# %llu requests in %llu groups in %.1f s: %.0f requests/s, no room %llu times\n",
	       (unsigned long long)(after.requests - before.requests),
	       (unsigned long long)(after.groups - before.groups), time,
	       (after.requests - before.requests) / time,
	       (unsigned long long)(after.ring_full - before.ring_full));
	good &= after.requests - before.requests >= requests / processes * processes;
	result(good, "storm");
}

/* Let every second process end as @end says; the others finish their work. */
static bool storm_round(unsigned int processes, unsigned int number, enum end end)
{
	pid_t pids[MAX_PROCESSES];
	int ms = 5 + number * 7 % 60;
	bool good = true;
	unsigned int i;

	for (i = 0; i < processes; i++) {
		pids[i] = start();
		if (pids[i])
			continue;
		if (i % 2)
			be_victim(i + number, end, ms + i);
		else
			work(i + number, AREA / 4096);
	}
	if (end == KILLED) {
		sleep_ms(ms);
		for (i = 1; i < processes; i += 2)
			kill(pids[i], SIGKILL);
	}
	for (i = 0; i < processes; i++)
		good &= reap(pids[i], i, end == KILLED && i % 2);
	return good;
}

static void storm_with_ends(int fd, unsigned int processes, unsigned int rounds)
{
	unsigned int bad[NR_ENDS] = { 0 };
	unsigned int number[NR_ENDS] = { 0 };
	struct softacc_stats stats;
	unsigned int i;
	char name[64];

	for (i = 0; i < rounds; i++) {
		enum end end = CLOSE + i % (NR_ENDS - CLOSE);
		bool good = storm_round(processes, i, end);

		good &= all_responded(fd, &stats);
		number[end]++;
		bad[end] += !good;
	}
	for (i = CLOSE; i < NR_ENDS; i++) {
		snprintf(name, sizeof(name), "%s in a storm, %u of %u rounds failed",
			 end_names[i], bad[i], number[i]);
		result(!bad[i], name);
	}
}

int main(int argc, char **argv)
{
	unsigned long requests = 100000;
	unsigned int processes = 8;
	unsigned int rounds = 20;
	int option;
	int fd;

	while ((option = getopt(argc, argv, "n:r:p:")) >= 0) {
		unsigned long value = optarg ? strtoul(optarg, NULL, 10) : 0;

		if (option == 'n')
			requests = value;
		else if (option == 'r')
			rounds = value;
		else if (option == 'p' && value && value <= MAX_PROCESSES)
			processes = value;
		else
			return 2;
	}
	fd = open(ACC_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		printf("Bail out! %s: %s\n", ACC_DEVICE, strerror(errno));
		return 1;
	}
	pace_start();
	printf("TAP version 13\n1..%d\n", rounds ? NR_ENDS : 1);
	fflush(stdout);
	storm(fd, processes, requests);
	if (rounds)
		storm_with_ends(fd, processes, rounds);
	return !!failures;
}
