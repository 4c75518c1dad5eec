/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Modules, parameters and the kernel's statistics, for programs in the guest
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pace.h"

static inline bool kernel_load_module(const char *path, const char *parameters)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return false;
	ret = syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
	return !ret;
}

/* Files of processes that have just died may be open for a moment, so retry. */
static inline bool kernel_unload_module(const char *name)
{
	return pace_wait(10000, !syscall(SYS_delete_module, name, O_NONBLOCK) ||
				errno == ENOENT);
}

__attribute__((format(printf, 2, 3)))
static inline bool write_file(const char *path, const char *format, ...)
{
	char text[128];
	va_list args;
	bool ret;
	int fd;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ret = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ret;
}

/*
 * Return the number after the word @name in a file, or its first number; -1 if there is
 * none.
 */
static inline long read_number(const char *path, const char *name)
{
	char text[4096] = " ";
	ssize_t len;
	char *at;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	len = read(fd, text + 1, sizeof(text) - 2);
	close(fd);
	if (len <= 0)
		return -1;
	text[len + 1] = 0;
	at = text;
	for (; name && at; at++) {
		at = strstr(at, name);
		if (!at)
			return -1;
		/* The name must be a word of its own. */
		if ((at[-1] == ' ' || at[-1] == '\n') &&
		    at[strlen(name)] == ' ')
			break;
	}
	return at ? strtol(at + (name ? strlen(name) : 0), NULL, 10) : -1;
}

/* Return a counter of the library for a device, or -1 if there is none. */
static inline long library_stat(unsigned int device, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/iopf/softacc/softacc.%u/stats", device);
	return read_number(path, name);
}

/*
 * Return the number of objects in use. Freed ones on the CPU's lists are released
 * first.
 */
static inline long slab_objects(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	write_file(path, "1");
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", name);
	return read_number(path, NULL);
}

/* Print a file, each line after @prefix. */
static inline void print_file(const char *path, const char *prefix)
{
	FILE *file = fopen(path, "r");
	char text[2048];

	while (file && fgets(text, sizeof(text), file))
		dprintf(1, "%s%s", prefix, text);
	if (file)
		fclose(file);
}

/* Print the kernel stack of process @pid. */
static inline void print_stack(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	print_file(path, "# ");
}

#endif /* KERNEL_H */
