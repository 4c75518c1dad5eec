/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Userfaultfd, for programs in the guest that serve faults of their own memory
 */
#ifndef UFFD_H
#define UFFD_H

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pace.h"

/*
 * Register @area for accesses of @mode, with @flags of userfaultfd(). Return the
 * userfaultfd, or -1.
 */
static inline int uffd_register_flags(void *area, size_t len, uint64_t mode,
				      uint64_t features, int flags)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	struct uffdio_register range = {
		.range = { (uintptr_t)area, len },
		.mode = mode,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | flags);

	if (fd >= 0 && (ioctl(fd, UFFDIO_API, &api) ||
			ioctl(fd, UFFDIO_REGISTER, &range))) {
		close(fd);
		return -1;
	}
	return fd;
}

static inline int uffd_register(void *area, size_t len, uint64_t mode,
				uint64_t features)
{
	return uffd_register_flags(area, len, mode, features, 0);
}

/* Serve the accesses that wait for a page, with zeroes. */
static inline int uffd_provide(int fd, void *page)
{
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)page, sysconf(_SC_PAGESIZE) },
	};

	return ioctl(fd, UFFDIO_ZEROPAGE, &zero);
}

/*
 * Wait until accesses sleep that the caller does not serve: each has left a message.
 * The fault queue decides how many sleep at the same time, so wait until no more come.
 * Return false if none does.
 */
static inline bool uffd_asleep(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	struct uffd_msg msg;
	bool asleep;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	asleep = pace_wait(20000, read(fd, &msg, sizeof(msg)) == sizeof(msg));
	while (asleep && pace_wait(50, read(fd, &msg, sizeof(msg)) == sizeof(msg)))
		;
	fcntl(fd, F_SETFL, flags);
	return asleep;
}

#endif /* UFFD_H */
