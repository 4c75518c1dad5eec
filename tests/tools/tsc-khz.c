// SPDX-License-Identifier: GPL-2.0
/*
 * Print the frequency of this machine's TSC in kHz
 *
 * That is also the frequency of the TSC of an emulated CPU, unless it counts
 * instructions. The guest's kernel could measure it itself, but on a busy host it may get
 * it wrong by half, and all its clocks and timeouts with it.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES		64
#define NSEC_PER_MSEC	1000000

static uint64_t ns_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/*
 * Read both clocks at about the same time: of several tries take the one that took
 * shortest, as the thread may lose its CPU in between.
 */
static void read_clocks(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;
	uint64_t before;
	uint64_t after;
	uint64_t now;
	int i;

	for (i = 0; i < TRIES; i++) {
		before = __rdtsc();
		now = ns_now();
		after = __rdtsc();
		if (after - before >= best)
			continue;
		best = after - before;
		*tsc = before + best / 2;
		*ns = now;
	}
}

int main(void)
{
	struct timespec pause = { .tv_nsec = 50 * NSEC_PER_MSEC };
	uint64_t tsc[2] = {};
	uint64_t ns[2] = {};

	read_clocks(&tsc[0], &ns[0]);
	nanosleep(&pause, NULL);
	read_clocks(&tsc[1], &ns[1]);
	printf("%.0f\n", (tsc[1] - tsc[0]) * 1e6 / (ns[1] - ns[0]));
	return 0;
}
