// SPDX-License-Identifier: GPL-2.0
/*
 * The demo: a process maps memory without touching it, an accelerator fills and copies
 * it, and the process verifies the result
 *
 *	demo [lines]
 *
 * With "lines", for an output that is no terminal, a line for each step replaces the
 * bar that grows.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>

#include "acc.h"

#define MB		(1UL << 20)
#define PAGE		4096UL
#define STEP		(2 * MB)
#define BAR		40

/* The first half of a part is filled and copied to the second. */
static struct part {
	const char *name;
	size_t len;
	char *area;
} parts[] = {
	{ "anonymous", 128 * MB, NULL },
	{ "file on ext4", 64 * MB, NULL },
	{ "huge pages", 64 * MB, NULL },
};

static bool only_lines;

#define NR_PARTS	(sizeof(parts) / sizeof(parts[0]))

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	fprintf(stderr, "demo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void map_parts(void)
{
	int prot = PROT_READ | PROT_WRITE;
	int fd;

	parts[0].area = mmap(NULL, parts[0].len, prot,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(parts[0].area, parts[0].len, MADV_NOHUGEPAGE);

	fd = open("/mnt/demo", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, parts[1].len))
		fail("/mnt/demo");
	parts[1].area = mmap(NULL, parts[1].len, prot, MAP_SHARED, fd, 0);

	parts[2].area = mmap(NULL, parts[2].len, prot,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(parts[2].area, parts[2].len, MADV_HUGEPAGE);

	for (fd = 0; fd < (int)NR_PARTS; fd++)
		if (parts[fd].area == MAP_FAILED)
			fail(parts[fd].name);
}

static void bar(const char *name, const char *what, size_t done, size_t len)
{
	int filled = done * BAR / len;

	if (only_lines && done < len)
		return;
	printf("%s  %-13s %-8s [%.*s%*s] %3zu of %zu MiB", only_lines ? "" : "\r",
	       name, what, filled,
	       "########################################", BAR - filled, "",
	       done / MB, len / MB);
	if (done == len)
		printf("\n");
	fflush(stdout);
}

/* Submit a job for each step, so that the progress is visible. */
static void work(int fd, struct part *part, uint32_t op)
{
	size_t half = part->len / 2;
	bool copy = op == SOFTACC_OP_COPY;
	struct softacc_completion end;
	size_t done;

	for (done = 0; done < half; done += STEP) {
		char *from = part->area + done;

		bar(part->name, copy ? "copied" : "filled", done, half);
		if (!acc_run(fd, op, copy ? from : NULL,
			     copy ? from + half : from, STEP, done, &end))
			continue;
		printf("\n");
		fprintf(stderr,
			"demo: status %d at address %llx, response code %u\n",
			end.status, (unsigned long long)end.fault_addr,
			end.fault_code);
		exit(1);
	}
	bar(part->name, copy ? "copied" : "filled", half, half);
}

static bool verify(const struct part *part)
{
	size_t half = part->len / 2;
	size_t done;
	int i;

	for (i = 0; i < 2; i++) {
		for (done = 0; done < half; done += STEP) {
			const char *at = part->area + i * half + done;
			int64_t wrong = acc_verify(at, STEP, done);

			if (wrong < 0)
				continue;
			fprintf(stderr, "demo: %s: wrong data at offset %zu\n",
				part->name, (size_t)(at - part->area) + wrong);
			return false;
		}
	}
	return true;
}

static void histogram(const struct softacc_stats *stats)
{
	uint64_t octaves[64] = { 0 };
	uint64_t most = 1;
	unsigned int i;

	for (i = 0; i < SOFTACC_LAT_BUCKETS; i++)
		octaves[i / 4] += stats->lat[i];
	for (i = 0; i < 64; i++)
		most = octaves[i] > most ? octaves[i] : most;
	printf("    groups by the time from request to response:\n");
	for (i = 0; i < 64; i++) {
		if (!octaves[i])
			continue;
		printf("    from %9.1f us %8llu groups %.*s\n",
		       softacc_lat_floor(i * 4) / 1e3,
		       (unsigned long long)octaves[i],
		       (int)((octaves[i] * BAR + most - 1) / most),
		       "########################################");
	}
}

int main(int argc, char **argv)
{
	struct softacc_info info;
	struct softacc_stats stats;
	size_t total = 0;
	bool good = true;
	struct utsname os;
	double time;
	size_t i;
	int fd;

	only_lines = argc > 1 && !strcmp(argv[1], "lines");
	fd = acc_open(8, 16, 1);
	if (fd < 0 || ioctl(fd, SOFTACC_IOC_INFO, &info))
		fail(ACC_DEVICE);
	map_parts();
	for (i = 0; i < NR_PARTS; i++)
		total += parts[i].len;
	printf("A process maps %zu MiB and touches none of it; the accelerator does.\n\n",
	       total / MB);

	time = seconds();
	for (i = 0; i < NR_PARTS; i++) {
		work(fd, &parts[i], SOFTACC_OP_FILL);
		work(fd, &parts[i], SOFTACC_OP_COPY);
	}
	time = seconds() - time;
	if (ioctl(fd, SOFTACC_IOC_STATS, &stats))
		fail("reading the counters");
	printf("\nThe process reads it for the first time ...\n");
	for (i = 0; i < NR_PARTS; i++)
		good &= verify(&parts[i]);
	good &= !stats.spurious && !stats.forgotten && !stats.outstanding;

	uname(&os);
	printf("\n  kernel              Linux %s, fault queue: %s\n", os.release,
	       info.implementation);
	printf("  PASID               %u\n", info.pasid);
	printf("  page requests       %llu in %llu groups\n",
	       (unsigned long long)stats.requests,
	       (unsigned long long)stats.groups);
	printf("  memory faulted in   %zu MiB, %zu pages of 4 KiB\n", total / MB,
	       total / PAGE);
	printf("  time                %.2f s, %.0f page requests/s\n", time,
	       stats.requests / time);
	printf("  responses           %llu success, %llu invalid, %llu failure\n",
	       (unsigned long long)stats.responses[0],
	       (unsigned long long)stats.responses[1],
	       (unsigned long long)stats.responses[2]);
	printf("  request to response p50 %.0f us, p90 %.0f us, p99 %.0f us, max %.0f us\n",
	       acc_percentile(&stats, 50) / 1e3,
	       acc_percentile(&stats, 90) / 1e3,
	       acc_percentile(&stats, 99) / 1e3, stats.lat_max / 1e3);
	histogram(&stats);
	printf("\n%s\n", good ?
	       "Data verified: it is all there, and every group has had one response." :
	       "NOT verified: see above.");
	return !good;
}
