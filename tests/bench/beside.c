// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark: how other PASIDs affect one PASID
 */
#include <stdlib.h>
#include <sys/wait.h>

#include "bench.h"
#include "file.h"

#define UNBINDS		50
#define STALE		1000000

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a;
	uint64_t y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * Measure how long it takes to unbind an idle PASID. If @used, it has requested a page.
 */
static void unbind_idle(const char *scenario, bool used)
{
	struct softacc_completion end;
	uint64_t ns[UNBINDS];
	uint64_t start;
	unsigned int i;
	char *page;
	int fd;

	page = map(4096, MAP_PRIVATE, -1);
	for (i = 0; i < UNBINDS; i++) {
		fd = open(ACC_DEVICE, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			bench_die(ACC_DEVICE);
		madvise(page, 4096, MADV_DONTNEED);
		if (used && acc_run(fd, SOFTACC_OP_TOUCH, NULL, page, 4096, 0, &end))
			bench_die("TOUCH");
		usleep(2000);
		start = bench_ns();
		close(fd);
		ns[i] = bench_ns() - start;
	}
	munmap(page, 4096);
	qsort(ns, UNBINDS, sizeof(*ns), compare);
	bench_result(scenario, "p50_us", ns[UNBINDS / 2] / 1000.0);
	bench_result(scenario, "max_us", ns[UNBINDS - 1] / 1000.0);
}

void bench_unbind(const char *scenario)
{
	const struct bench_stream storm = { .pages = 8, .outstanding = 16 };
	char alone[32];
	char used[32];
	int children[3];
	unsigned int i;

	snprintf(alone, sizeof(alone), "%s.alone", scenario);
	unbind_idle(alone, false);
	for (i = 0; i < 3; i++)
		children[i] = bench_start(&storm);
	unbind_idle(scenario, false);
	snprintf(used, sizeof(used), "%s.used", scenario);
	unbind_idle(used, true);
	for (i = 0; i < 3; i++)
		bench_stop(children[i]);
}

/* Measure a PASID with one request at a time beside one with 32 groups in flight. */
void bench_quiet(const char *scenario)
{
	const struct bench_stream storm = { .pages = 1, .outstanding = 32 };
	const struct bench_stream quiet = { .pages = 1, .outstanding = 1 };
	char alone[32];
	int child;

	snprintf(alone, sizeof(alone), "%s.alone", scenario);
	bench_stream(alone, &quiet);
	child = bench_start(&storm);
	bench_stream(scenario, &quiet);
	bench_stop(child);
}

/* Send requests without a last one; their groups stay unfinished. */
void bench_stale(const char *scenario)
{
	const struct bench_stream stream = { .pages = 1, .outstanding = 1 };
	struct softacc_inject request = { .perm = 2, .addr = 0x10000 };
	size_t area = bench_area;
	char before[32];
	unsigned int i;
	int fd;

	snprintf(before, sizeof(before), "%s.before", scenario);
	bench_stream(before, &stream);
	fd = open(ACC_DEVICE, O_RDWR | O_CLOEXEC);
	for (i = 0; i < STALE; i++) {
		request.grpid = SOFTACC_INJECT_GRPID + i;
		while (ioctl(fd, SOFTACC_IOC_INJECT, &request)) {
			if (errno != EAGAIN)
				bench_die("INJECT");
			usleep(1000);
		}
	}
	/* The upstream io-pgfault.c takes tens of milliseconds for each page now. */
	bench_area = 256 << 10;
	bench_stream(scenario, &stream);
	bench_area = area;
	close(fd);
}
