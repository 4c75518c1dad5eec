/* SPDX-License-Identifier: GPL-2.0 */
/*
 * softacc from programs in the guest: open it, run a job, read its statistics
 */
#ifndef ACC_H
#define ACC_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pace.h"
#include "softacc.h"

#define ACC_DEVICE	"/dev/softacc-0"
#define ACC_DEVICES	"/dev/softacc-%u"

/* Open the accelerator at @path and configure the file. Return it, or -1 with errno. */
static inline int acc_open_path(const char *path, const struct softacc_config *config)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, SOFTACC_IOC_CONFIG, config)) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

/* Open the first accelerator. Return the file, or -1 with errno. */
static inline int acc_open(unsigned int pages_per_group,
			   unsigned int outstanding, unsigned int threads)
{
	struct softacc_config config = {
		.pages_per_group = pages_per_group,
		.outstanding = outstanding,
		.threads = threads,
	};

	return acc_open_path(ACC_DEVICE, &config);
}

static inline uint32_t acc_pasid(int fd)
{
	struct softacc_info info;

	return ioctl(fd, SOFTACC_IOC_INFO, &info) ? 0 : info.pasid;
}

/*
 * Return the number of groups that it can have outstanding, and as many injected ones.
 */
static inline uint32_t acc_indices(int fd)
{
	struct softacc_info info;

	return ioctl(fd, SOFTACC_IOC_INFO, &info) ? 0 : info.prg_indices;
}

static inline int acc_submit(int fd, uint32_t op, const void *src, void *dst,
			     uint64_t len, uint64_t seed)
{
	struct softacc_job job = {
		.op = op,
		.src = (uintptr_t)src,
		.dst = (uintptr_t)dst,
		.len = len,
		.seed = seed,
	};

	return ioctl(fd, SOFTACC_IOC_SUBMIT, &job);
}

/*
 * Reap the next completion. Return -1 with ETIMEDOUT after @ms of the machine's time.
 */
static inline int acc_reap(int fd, struct softacc_completion *end, int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	double start = pace_seconds();

	while (ioctl(fd, SOFTACC_IOC_REAP, end)) {
		if (errno != EAGAIN)
			return -1;
		if (pace_over(start, ms)) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (poll(&poll_fd, 1, ms < 100 ? ms : 100) < 0)
			return -1;
	}
	return 0;
}

/* Run a job. Return its status, or the negative error of the call that failed. */
static inline int acc_run(int fd, uint32_t op, const void *src, void *dst,
			  uint64_t len, uint64_t seed,
			  struct softacc_completion *end)
{
	memset(end, 0, sizeof(*end));
	if (acc_submit(fd, op, src, dst, len, seed) || acc_reap(fd, end, 60000))
		return -errno;
	return end->status;
}

/* Return the offset of the first byte that differs from what FILL writes, or -1. */
static inline int64_t acc_verify(const void *area, uint64_t len, uint64_t seed)
{
	const uint64_t *word = area;
	uint64_t i;

	for (i = 0; i < len / 8; i++)
		if (word[i] != softacc_pattern(seed, i * 8))
			return i * 8;
	return -1;
}

/*
 * Return the thread that reports the requests of softacc's ring, 0 where VT-d's does.
 */
static inline pid_t acc_find_reporter(void)
{
	struct dirent *entry;
	char path[300];
	char comm[20];
	DIR *proc = opendir("/proc");
	pid_t pid = 0;

	while (proc && !pid && (entry = readdir(proc))) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) &&
		    !strcmp(comm, "irq/softacc-prq\n"))
			pid = atoi(entry->d_name);
		fclose(file);
	}
	if (proc)
		closedir(proc);
	return pid;
}

/*
 * Return the latency in ns that @percent of the requests stayed under, approximately.
 */
static inline double acc_percentile(const struct softacc_stats *stats,
				    double percent)
{
	double wanted = stats->lat_count * percent / 100;
	double sum = 0;
	unsigned int i;

	for (i = 0; i < SOFTACC_LAT_BUCKETS; i++) {
		double low = softacc_lat_floor(i);
		double high = softacc_lat_floor(i + 1);

		if (sum + stats->lat[i] >= wanted && stats->lat[i])
			return low + (high - low) * (wanted - sum) / stats->lat[i];
		sum += stats->lat[i];
	}
	return stats->lat_max;
}

#endif /* ACC_H */
