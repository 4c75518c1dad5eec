/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory mappings and files with a value, for tests in the guest
 */
#ifndef FILE_H
#define FILE_H

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Map memory of file @fd, or anonymous memory if it is -1. */
static inline void *map(size_t len, int flags, int fd)
{
	if (fd < 0)
		flags |= MAP_ANONYMOUS;
	return mmap(NULL, len, PROT_READ | PROT_WRITE, flags, fd, 0);
}

/* Map the one page of a stack that may grow, at the end of @gap free bytes. */
static inline char *map_stack(size_t gap)
{
	size_t page = sysconf(_SC_PAGESIZE);
	char *free = mmap(NULL, gap, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (free == MAP_FAILED)
		return free;
	munmap(free, gap);
	return mmap(free + gap - page, page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN,
		    -1, 0);
}

/* Return 0 or a negative errno. */
static inline int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_TRUNC);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, value, strlen(value)) == strlen(value) ? 0 : -errno;
	close(fd);
	return ret;
}

#endif /* FILE_H */
