// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark: the time of each phase of a page request, as the library measures it
 */
#include <glob.h>

#include "bench.h"

#define LATENCY		"/sys/module/iopf/parameters/latency"
#define STATS		"/sys/kernel/debug/iopf/*/*/stats"
#define MAX_PHASES	16

/**
 * struct bench_times - the library's measurements so far
 * @requests: requests
 * @groups: groups
 * @names: of the phases
 * @ns: their durations
 * @nr: number of phases
 */
struct bench_times {
	uint64_t requests;
	uint64_t groups;
	char names[MAX_PHASES][64];
	uint64_t ns[MAX_PHASES];
	unsigned int nr;
};

static void bench_measure(const char *on)
{
	FILE *file = fopen(LATENCY, "w");

	if (!file || fputs(on, file) < 0 || fclose(file))
		bench_die(LATENCY);
}

/* Read the times of the first device, which the scenarios use. */
static void bench_read_times(struct bench_times *times)
{
	unsigned long long value;
	char name[64];
	FILE *file;
	glob_t files;

	*times = (struct bench_times){};
	if (glob(STATS, 0, NULL, &files))
		bench_die(STATS);
	file = fopen(files.gl_pathv[0], "r");
	if (!file)
		bench_die(files.gl_pathv[0]);
	while (fscanf(file, "%63s %llu%*[^\n]", name, &value) == 2) {
		if (!strcmp(name, "requests"))
			times->requests = value;
		if (!strcmp(name, "groups"))
			times->groups = value;
		if (strncmp(name, "ns_", 3) || times->nr == MAX_PHASES)
			continue;
		memcpy(times->names[times->nr], name + 3, sizeof(name) - 3);
		times->ns[times->nr++] = value;
	}
	fclose(file);
	globfree(&files);
}

void bench_phases(const char *scenario, const struct bench_stream *stream)
{
	struct bench_times before;
	struct bench_times after;
	char metric[80];
	unsigned int i;

	bench_measure("Y");
	bench_read_times(&before);
	bench_stream(scenario, stream);
	bench_read_times(&after);
	bench_measure("N");
	for (i = 0; i < after.nr; i++) {
		double ns = after.ns[i] - before.ns[i];

		snprintf(metric, sizeof(metric), "phase_%s", after.names[i]);
		/* These phases are measured per processor, the others per group. */
		if (!strcmp(after.names[i], "report") ||
		    !strcmp(after.names[i], "response") ||
		    !strcmp(after.names[i], "free"))
			ns /= after.requests - before.requests;
		else
			ns /= after.groups - before.groups;
		bench_result(scenario, metric, ns);
	}
}
