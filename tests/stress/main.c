// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: runs the rounds, and prints the totals and the results
 *
 *	stress -m softacc.ko [-s SEED] [-t SECONDS] [-r FIRST_ROUND] [-d DISTURBANCES]
 *	stress -n [-d DISTURBANCES]
 *
 * The first round has no disturbances. Those of the others are chosen by the seed, unless
 * DISTURBANCES, names separated by commas or "none", are those of all rounds. With -n only
 * the arguments are checked.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "flags.h"
#include "stress.h"

#define ROUND_SECONDS	8
#define FIRST_GRPID	0x10000

struct shared *shared;

static struct round round_now;
static double began;

/* The names of the D_* flags */
static const char *const disturbances[NR_DISTURBANCES] = {
	"kill", "flush", "discard", "replug", "timeout", "limits", "no_flush",
	"overflow", "nomem", "abrupt", "cpus", "suspend", "handlers", "hog",
};

/* The chance of each disturbance in percent of the rounds */
static const unsigned int chances[NR_DISTURBANCES] = {
	70, 40, 30, 20, 30, 25, 20, 25, 25, 40, 15, 8, 50, 20,
};

static const char *const counts[NR_COUNTS] = {
	"processes", "of them killed", "jobs", "of them refused",
	"bytes verified", "groups injected", "partial requests abandoned",
	"responses to injected groups", "disturbances",
};

static const char *const checks[NR_CHECKS] = {
	"every group has exactly one response", "every byte is right",
	"nothing is refused without a reason", "everything ends",
	"limits are kept", "all memory is given back",
};

double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Report a failure. Only the first ones of each check are printed. */
void fail(enum check check, const char *format, ...)
{
	char text[256];
	va_list args;

	if (atomic_fetch_add(&shared->failures[check], 1) >= 10)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Print it by one write, as several processes may fail at the same time. */
	dprintf(1, "# FAIL in round %u after %.0f s: %s\n", round_now.number,
		seconds() - began, text);
}

static void print_flags(const struct round *round)
{
	printf("# round %u: seed %llx, %u devices, %u processes, disturbances:",
	       round->number, (unsigned long long)round->seed, round->devices,
	       round->slots);
	flags_print(round->flags, disturbances, NR_DISTURBANCES);
	printf("\n");
	fflush(stdout);
}

static void choose_round(struct round *round, uint64_t seed,
			 unsigned int number, int flags)
{
	struct rng rng = { seed + number * 0x632be59bd9b4e019ULL };
	int i;

	*round = (struct round){
		.number = number,
		.seed = rng_next(&rng),
		.seconds = ROUND_SECONDS,
		.devices = rng_range(&rng, 1, MAX_DEVICES),
		.slots = rng_range(&rng, 4, 8),
	};
	for (i = 0; i < NR_DISTURBANCES; i++)
		if (rng_percent(&rng, chances[i]))
			round->flags |= 1U << i;
	if (number == 1 || rng_percent(&rng, 10))
		round->flags = 0;
	if (flags >= 0)
		round->flags = flags;
}

static int verdict(void)
{
	int status = 0;
	int i;

	for (i = 0; i < NR_COUNTS; i++)
		printf("# %lu %s\n", atomic_load(&shared->counts[i]), counts[i]);
	printf("1..%d\n", NR_CHECKS);
	for (i = 0; i < NR_CHECKS; i++) {
		unsigned long failures = atomic_load(&shared->failures[i]);

		printf("%sok %d %s\n", failures ? "not " : "", i + 1, checks[i]);
		if (failures)
			status = 1;
	}
	return status;
}

int main(int argc, char **argv)
{
	unsigned int number = 1;
	double duration = 60;
	uint64_t seed = 0;
	bool check_only = false;
	int flags = -1;
	int option;

	while ((option = getopt(argc, argv, "m:s:t:r:d:n")) != -1) {
		switch (option) {
		case 'm':
			module_path = optarg;
			break;
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			duration = atof(optarg);
			break;
		case 'r':
			number = atoi(optarg);
			break;
		case 'd':
			flags = flags_parse(optarg, "disturbance", disturbances,
					    NR_DISTURBANCES);
			if (flags < 0)
				return 2;
			break;
		case 'n':
			check_only = true;
			break;
		default:
			return 2;
		}
	}
	if (check_only && optind == argc)
		return 0;
	if (!module_path || optind < argc || !number) {
		fprintf(stderr,
			"usage: stress -m softacc.ko [-s SEED] [-t SECONDS] [-r ROUND] [-d DISTURBANCES]\n");
		return 2;
	}
	if (!seed && getrandom(&seed, 4, 0) != 4)
		return 2;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	pace_start();
	atomic_store(&shared->next_grpid, FIRST_GRPID);
	began = seconds();
	/* The disturbances must not wait for the disturbed processes. */
	setpriority(PRIO_PROCESS, 0, -15);
	printf("# seed %llu, %.0f s; again from round N: SEED=%llu ROUND=N\n",
	       (unsigned long long)seed, duration, (unsigned long long)seed);
	note_slabs();
	do {
		choose_round(&round_now, seed, number++, flags);
		print_flags(&round_now);
		run_round(&round_now);
	} while (seconds() - began < duration);
	printf("# %u rounds in %.0f s\n", round_now.number, seconds() - began);
	return verdict();
}
