// SPDX-License-Identifier: GPL-2.0
/*
 * The benchmark in the guest
 *
 *	bench [-p] [-r ROUNDS] [-m MEBIBYTES] [SCENARIO...]
 *
 * Without SCENARIO all scenarios run except those of scale, which need softacc with
 * devices=16 prg_bits=12 ring_entries=16384. With -p the time of each phase is measured
 * instead, by the library. The host's part is run.sh.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

size_t bench_area = 64UL << 20;
unsigned int bench_rounds = 4;

void bench_result(const char *scenario, const char *metric, double value)
{
	printf("result %s %s %.3f\n", scenario, metric, value);
	fflush(stdout);
}

void bench_die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void bench_store1(const char *scenario)
{
	bench_store(scenario, 1);
}

static void bench_store2(const char *scenario)
{
	bench_store(scenario, 2);
}

#define RUN(_name, _run) { .name = (_name), .run = (_run) }
#define STREAM(_name, _pages, _outstanding, ...) {			\
	.name = (_name),						\
	.stream = { .pages = (_pages), .outstanding = (_outstanding),	\
		    ##__VA_ARGS__ },					\
}

/* The total memory is the same for 1 PASID and for 1024. */
#define SCALE(_name, ...) {						\
	.name = (_name),						\
	.stream = { .pages = 8, .outstanding = 2, .whole = 1,		\
		    ##__VA_ARGS__ },					\
}

/**
 * struct bench_scenario - a scenario
 * @name: as in Documentation/benchmarks.rst
 * @run: runs it, or
 * @stream: what bench_stream() is to do instead
 */
static const struct bench_scenario {
	const char *name;
	void (*run)(const char *scenario);
	struct bench_stream stream;
} bench_scenarios[] = {
	RUN("cpu1", bench_store1),
	RUN("cpu2", bench_store2),
	RUN("populate", bench_populate),
	STREAM("floor1", 1, 32, .flags = SOFTACC_CONFIG_FLOOR),
	STREAM("floor8", 8, 16, .flags = SOFTACC_CONFIG_FLOOR),
	STREAM("floor32", 32, 16, .flags = SOFTACC_CONFIG_FLOOR),
	STREAM("s1", 1, 1),
	STREAM("s2", 1, 32),
	STREAM("s3", 8, 16),
	STREAM("s4", 8, 16, .processes = 4),
	STREAM("s5", 8, 16, .disturb = 1),
	STREAM("s6", 32, 16),
	STREAM("s7", 1, 1),
	STREAM("s7.prefault", 1, 1, .flags = SOFTACC_CONFIG_PREFAULT),
	STREAM("s8.file", 8, 16, .memory = BENCH_FILE),
	STREAM("s8.thp", 8, 16, .memory = BENCH_THP),
	RUN("s9", bench_unbind),
	RUN("s10", bench_quiet),
	STREAM("s12.alone", 8, 16, .processes = 3),
	STREAM("s12", 8, 16, .processes = 3, .unbinds = 1),
	/* After the others: io-pgfault.c never forgets the requests without a last one. */
	RUN("s11", bench_stale),
	SCALE("scale.pasids1", .processes = 1),
	SCALE("scale.pasids64", .processes = 64),
	SCALE("scale.pasids65", .processes = 65),
	SCALE("scale.pasids1024", .processes = 1024),
	SCALE("scale.unbinds", .processes = 1024, .unbinds = 1),
	SCALE("scale.devices1", .processes = 64, .devices = 1),
	SCALE("scale.devices16", .processes = 64, .devices = 16),
	STREAM("scale.group8", 8, 4),
	STREAM("scale.group64", 64, 4),
	STREAM("scale.group512", 512, 4),
};

#define NR_SCENARIOS	(sizeof(bench_scenarios) / sizeof(*bench_scenarios))

static int bench_wants_phases;

static void bench_one(const struct bench_scenario *scenario)
{
	if (scenario->run)
		scenario->run(scenario->name);
	else if (bench_wants_phases)
		bench_phases(scenario->name, &scenario->stream);
	else
		bench_stream(scenario->name, &scenario->stream);
}

static int bench_is_scale(const struct bench_scenario *scenario)
{
	return !strncmp(scenario->name, "scale.", 6);
}

static const struct bench_scenario *bench_find(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_SCENARIOS; i++)
		if (!strcmp(bench_scenarios[i].name, name))
			return &bench_scenarios[i];
	fprintf(stderr, "bench: no scenario is called %s; there are", name);
	for (i = 0; i < NR_SCENARIOS; i++)
		fprintf(stderr, " %s", bench_scenarios[i].name);
	fprintf(stderr, "\n");
	exit(1);
}

/* Guest memory that the host has never backed is slow when it is first touched. */
static void bench_touch_guest_memory(void)
{
	size_t size = 1UL << 30;
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (area == MAP_FAILED)
		bench_die("mmap");
	munmap(area, size);
}

int main(int argc, char **argv)
{
	unsigned int i;
	int option;

	while ((option = getopt(argc, argv, "pr:m:")) >= 0) {
		if (option == 'p') {
			bench_wants_phases = 1;
		} else if (option == 'r' && atoi(optarg) > 0) {
			bench_rounds = atoi(optarg);
		} else if (option == 'm' && atoi(optarg) > 0) {
			bench_area = (size_t)atoi(optarg) << 20;
		} else {
			fprintf(stderr,
				"usage: bench [-p] [-r ROUNDS] [-m MEBIBYTES] [SCENARIO...]\n");
			return 1;
		}
	}
	for (i = optind; i < argc; i++)
		bench_find(argv[i]);
	bench_touch_guest_memory();
	for (i = optind; i < argc; i++)
		bench_one(bench_find(argv[i]));
	for (i = 0; optind == argc && i < NR_SCENARIOS; i++)
		if (!bench_is_scale(&bench_scenarios[i]))
			bench_one(&bench_scenarios[i]);
	return 0;
}
