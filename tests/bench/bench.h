/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The benchmark in the guest: what its files share
 *
 *	bench.c    the list of scenarios
 *	stream.c   accelerators that touch memory as fast as they can
 *	phases.c   the time of each phase, as the library measures it
 *	beside.c   how other PASIDs affect one PASID
 *	cpu.c      the same memory touched by the CPU, for comparison
 *
 * A scenario prints lines "result SCENARIO METRIC VALUE", which the host reads.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "acc.h"

enum bench_memory {
	BENCH_ANON,
	BENCH_FILE,
	BENCH_THP,
};

/**
 * struct bench_stream - an accelerator that touches memory
 * @pages: pages per group
 * @outstanding: groups in flight
 * @flags: SOFTACC_CONFIG_* values
 * @memory: what it touches
 * @processes: number of processes, each with its own memory and PASID
 * @devices: number of devices that they are spread over
 * @whole: measure the time of all processes together, from the first round to the last,
 *	with what is done between the rounds
 * @disturb: another thread of the process loops mmap(), mprotect(), munmap()
 * @unbinds: another process binds a PASID, has it request a page and unbinds it, 100 times
 *	a second
 */
struct bench_stream {
	unsigned int pages;
	unsigned int outstanding;
	unsigned int flags;
	enum bench_memory memory;
	unsigned int processes;
	unsigned int devices;
	int whole;
	int disturb;
	int unbinds;
};

#define BENCH_MAX_PROCESSES	1024

/* Bytes per round and number of rounds; options -m and -r set them. */
extern size_t bench_area;
extern unsigned int bench_rounds;

void bench_result(const char *scenario, const char *metric, double value);
void bench_die(const char *what) __attribute__((noreturn));

static inline uint64_t bench_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* stream.c */
void bench_stream(const char *scenario, const struct bench_stream *stream);
/* Start a stream that runs until bench_stop(), and return the handle for it. */
int bench_start(const struct bench_stream *stream);
void bench_stop(int child);

/* phases.c */
void bench_phases(const char *scenario, const struct bench_stream *stream);

/* beside.c */
void bench_unbind(const char *scenario);
void bench_quiet(const char *scenario);
void bench_stale(const char *scenario);

/* cpu.c */
void bench_store(const char *scenario, unsigned int threads);
void bench_populate(const char *scenario);

#endif /* BENCH_H */
