// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: the module, its parameters, what the kernel tells about itself
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"

#define NR_SLABS	2

const char *module_path;

static const char *const slabs[NR_SLABS] = { "iopf_grp", "iopf_chunk" };
static long before[NR_SLABS];

bool load_module(const char *parameters)
{
	int fd = open(module_path, O_RDONLY | O_CLOEXEC);
	int ret;

	if (fd < 0)
		return false;
	ret = syscall(SYS_finit_module, fd, parameters, 0);
	close(fd);
	return !ret;
}

/* Files of processes that have just died may be open for another moment. */
bool unload_module(void)
{
	return pace_wait(10000, !syscall(SYS_delete_module, "softacc",
					 O_NONBLOCK) || errno == ENOENT);
}

bool write_file(const char *path, const char *format, ...)
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

/* The number behind @name in a file, or its first one; -1 if there is none. */
long read_number(const char *path, const char *name)
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
		/* A word of its own. */
		if ((at[-1] == ' ' || at[-1] == '\n') &&
		    at[strlen(name)] == ' ')
			break;
	}
	return at ? strtol(at + (name ? strlen(name) : 0), NULL, 10) : -1;
}

/* A counter of the library, -1 if there is no such device. */
long library_stat(unsigned int device, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path),
		 "/sys/kernel/debug/iopf/softacc/softacc.%u/stats", device);
	return read_number(path, name);
}

/* All objects that are handed out: freed ones are taken off the lists first. */
static long slab_objects(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/shrink", name);
	write_file(path, "1");
	snprintf(path, sizeof(path), "/sys/kernel/slab/%s/objects", name);
	return read_number(path, NULL);
}

void note_slabs(void)
{
	int i;

	for (i = 0; i < NR_SLABS; i++) {
		before[i] = slab_objects(slabs[i]);
		if (before[i] < 0)
			printf("# objects of %s are not counted by this kernel\n",
			       slabs[i]);
	}
}

/* A queue and its reserve are given back in the background. */
void check_slabs(void)
{
	int i;

	for (i = 0; i < NR_SLABS; i++) {
		if (!pace_wait(10000, slab_objects(slabs[i]) <= before[i]))
			fail(CHECK_MEMORY, "%ld objects of %s are left over",
			     slab_objects(slabs[i]) - before[i], slabs[i]);
	}
}
