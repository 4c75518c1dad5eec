// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: the last operations of each thread
 *
 * They are in memory that outlives the process, and are printed after a failure. A
 * panic loses them: with -v each operation is written to the kernel's log before it
 * begins.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "random.h"

/* In seconds */
#define RECENT	2

/* Return a trail for the calling thread. */
struct trail *trail_begin(unsigned int kinds)
{
	unsigned int i = atomic_fetch_add(&shared->next_trail, 1) % MAX_TRAILS;
	struct trail *trail = &shared->trails[i];

	trail->tid = syscall(SYS_gettid);
	trail->kinds = kinds;
	atomic_store(&trail->next, 0);
	trail->told = 0;
	return trail;
}

struct step *trail_step(struct trail *trail, const char *name, int fd,
			unsigned long number, const char *place)
{
	unsigned int i = atomic_load(&trail->next) % NR_STEPS;
	struct step *step = &trail->steps[i];

	step->name = name;
	step->fd = fd;
	step->number = number;
	step->place = place;
	step->begun = pace_seconds();
	step->asleep_us = atomic_load(&shared->asleep_us);
	atomic_store(&step->result, STEP_RUNS);
	atomic_fetch_add(&trail->next, 1);
	if (verbose)
		write_file("/dev/kmsg", "random: %d %s fd %d %lx %s\n", trail->tid,
			   name, fd, number, place);
	return step;
}

static void print_step(const struct step *step, double now)
{
	long result = atomic_load(&step->result);
	char text[32] = "runs";

	if (result != STEP_RUNS)
		snprintf(text, sizeof(text), "%ld", result);
	printf("#     %6.2f s ago: %s fd %d %#lx %s: %s\n", now - step->begun,
	       step->name, step->fd, step->number, step->place, text);
}

/* Return whether the thread exists or has ended only just now. */
static bool is_recent(const struct trail *trail, double now)
{
	unsigned int next = atomic_load(&trail->next);

	return next && (!kill(trail->tid, 0) ||
			now - trail->steps[(next - 1) % NR_STEPS].begun < RECENT);
}

/* Print all trails, the oldest operation first. */
void trail_print(void)
{
	double now = pace_seconds();
	unsigned int i;
	unsigned int j;

	for (i = 0; i < MAX_TRAILS; i++) {
		const struct trail *trail = &shared->trails[i];
		unsigned int next = atomic_load(&trail->next);

		if (!is_recent(trail, now))
			continue;
		printf("#   thread %d, %u operations, devices:", trail->tid, next);
		print_kinds(trail->kinds);
		printf("\n");
		for (j = next > NR_STEPS ? next - NR_STEPS : 0; j < next; j++)
			print_step(&trail->steps[j % NR_STEPS], now);
	}
	fflush(stdout);
}

/* Check closes that have not returned: the process may be killed before they do. */
void trail_check(void)
{
	unsigned int i;

	for (i = 0; i < MAX_TRAILS; i++) {
		struct trail *trail = &shared->trails[i];
		unsigned int next = atomic_load(&trail->next);
		const struct step *step = &trail->steps[(next - 1) % NR_STEPS];

		if (!next || next == trail->told || kill(trail->tid, 0) ||
		    strcmp(step->name, "close") ||
		    atomic_load(&step->result) != STEP_RUNS)
			continue;
		if (!check_close(step))
			trail->told = next;
	}
}
