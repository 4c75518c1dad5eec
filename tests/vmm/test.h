/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Helpers for tests of faults that leave the kernel. Include it after harness.h.
 */
#ifndef TEST_H
#define TEST_H

#include "vmm.h"

#define SUCCESS		IOMMUFD_PAGE_RESP_SUCCESS
#define INVALID		IOMMUFD_PAGE_RESP_INVALID

static inline void set_parameter(const char *module, const char *name,
				 const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/%s", module,
		 name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		abort();
	close(fd);
}

static inline void set_timeout(const char *seconds)
{
	set_parameter("iopf", "prq_timeout", seconds);
}

/* Read the next faults within @ms of the machine's time. Return their number. */
static inline int get_faults(int fd, struct iommu_hwpt_pgfault *faults, int room,
			     int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	ssize_t ret = 0;

	if (pace_wait(ms, poll(&poll_fd, 1, 0) > 0))
		ret = read(fd, faults, room * sizeof(*faults));
	return ret < 0 ? -errno : ret / (int)sizeof(*faults);
}

static inline struct iopf_forward_stats fwd_stats(int fd)
{
	struct iopf_forward_stats stats = { 0 };

	ioctl(fd, IOPF_FORWARD_IOC_STATS, &stats);
	return stats;
}

#endif /* TEST_H */
