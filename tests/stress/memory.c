// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: kinds of memory
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "uffd.h"

#define HUGE_PAGE	(2 * MB)
#define COW_BYTE	0x33

/* Serve faults late. */
static void *serve(void *arg)
{
	struct area *area = arg;
	struct pollfd poll_fd = { .fd = area->uffd, .events = POLLIN };
	struct uffd_msg msg;

	while (!atomic_load(&area->end)) {
		struct uffdio_zeropage zero = { .range.len = PAGE };

		if (poll(&poll_fd, 1, 10) <= 0 ||
		    read(area->uffd, &msg, sizeof(msg)) != sizeof(msg))
			continue;
		usleep(msg.arg.pagefault.address % 7 * 300);
		zero.range.start = msg.arg.pagefault.address & ~(PAGE - 1);
		ioctl(area->uffd, UFFDIO_ZEROPAGE, &zero);
	}
	return NULL;
}

static void *protect(void *arg)
{
	struct area *area = arg;

	while (!atomic_load(&area->end)) {
		mprotect(area->addr, area->len, PROT_READ);
		usleep(200);
		mprotect(area->addr, area->len, PROT_READ | PROT_WRITE);
		usleep(2000);
	}
	return NULL;
}

/* Replace the mapping, so that no other mapping gets its address meanwhile. */
static bool replace(char *addr, size_t len, int prot)
{
	return mmap(addr, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		    -1, 0) != MAP_FAILED;
}

static void *punch(void *arg)
{
	struct area *area = arg;
	size_t half = area->len / 2 & ~(PAGE - 1);

	while (!atomic_load(&area->end)) {
		if (!replace(area->addr + half, area->len - half, PROT_NONE))
			break;
		usleep(300);
		if (!replace(area->addr + half, area->len - half,
			     PROT_READ | PROT_WRITE))
			break;
		madvise(area->addr, half, MADV_DONTNEED);
		usleep(1000);
	}
	return NULL;
}

static void help(struct area *area, void *(*fn)(void *))
{
	pthread_t helper;

	area->helping = !pthread_create(&helper, NULL, fn, area);
	area->helper = helper;
}

/* Fork a child that must see the memory as it was before the device wrote to it. */
static bool share_with_child(struct area *area, int device)
{
	size_t i;
	char c;

	memset(area->addr, COW_BYTE, area->len);
	if (pipe(area->pipe))
		return false;
	area->child = fork();
	if (area->child)
		return area->child > 0;
	close(device);
	close(area->pipe[1]);
	if (read(area->pipe[0], &c, 1) < 0)
		_exit(2);
	for (i = 0; i < area->len; i++)
		if (area->addr[i] != COW_BYTE)
			_exit(1);
	_exit(0);
}

static bool serve_by_uffd(struct area *area)
{
	area->uffd = uffd_register(area->addr, area->len,
				   UFFDIO_REGISTER_MODE_MISSING, 0);
	return area->uffd >= 0 && !fcntl(area->uffd, F_SETFL, O_NONBLOCK);
}

static void *map_file(struct area *area)
{
	char path[] = "/mnt/stress-XXXXXX";
	void *addr = MAP_FAILED;
	int fd;

	fd = area->kind == KIND_FILE ? mkstemp(path) :
				       memfd_create("stress", MFD_CLOEXEC);
	if (fd < 0)
		return addr;
	if (area->kind == KIND_FILE)
		unlink(path);
	if (!ftruncate(fd, area->len))
		addr = mmap(NULL, area->len, PROT_READ | PROT_WRITE, MAP_SHARED,
			    fd, 0);
	close(fd);
	return addr;
}

static void *map_memory(struct area *area)
{
	int flags = area->kind == KIND_SHARED ? MAP_SHARED : MAP_PRIVATE;

	if (area->kind == KIND_FILE || area->kind == KIND_MEMFD)
		return map_file(area);
	if (area->kind == KIND_HUGETLB)
		flags |= MAP_HUGETLB;
	return mmap(NULL, area->len, PROT_READ | PROT_WRITE,
		    flags | MAP_ANONYMOUS, -1, 0);
}

/* Map memory of a random kind. Return false if there is no more of it. */
bool area_map(struct area *area, struct rng *rng, int device)
{
	*area = (struct area){ .kind = rng_below(rng, NR_KINDS), .uffd = -1 };
	/* Such memory delays the process until it is given up, so use it rarely. */
	if (area->kind == KIND_NEVER && rng_percent(rng, 80))
		area->kind = KIND_LATE;
	area->len = rng_range(rng, 1, 128) * PAGE;
	if (area->kind == KIND_THP || area->kind == KIND_HUGETLB)
		area->len = 2 * HUGE_PAGE;
	if (area->kind == KIND_NEVER)
		area->len = rng_range(rng, 1, 16) * PAGE;
	area->addr = map_memory(area);
	if (area->addr == MAP_FAILED)
		return false;

	switch (area->kind) {
	case KIND_THP:
		madvise(area->addr, area->len, MADV_HUGEPAGE);
		break;
	case KIND_COW:
		if (share_with_child(area, device))
			break;
		goto unmap;
	case KIND_PROTECT:
		help(area, protect);
		break;
	case KIND_HOLES:
		help(area, punch);
		break;
	case KIND_LATE:
	case KIND_NEVER:
		if (!serve_by_uffd(area))
			goto unmap;
		if (area->kind == KIND_LATE)
			help(area, serve);
		break;
	default:
		break;
	}
	return true;

unmap:
	munmap(area->addr, area->len);
	return false;
}

void area_push_out(struct area *area)
{
	if (area->kind == KIND_SWAP || area->kind == KIND_FILE)
		madvise(area->addr, area->len, MADV_PAGEOUT);
}

/* Unmap the memory. Return false if the child saw what the device wrote. */
bool area_unmap(struct area *area)
{
	int status = 0;

	atomic_store(&area->end, true);
	if (area->helping)
		pthread_join(area->helper, NULL);
	if (area->child) {
		/*
		 * Other children have this end of the pipe, too, so closing it is not
		 * enough.
		 */
		if (write(area->pipe[1], "", 1) != 1)
			kill(area->child, SIGKILL);
		close(area->pipe[1]);
		close(area->pipe[0]);
		waitpid(area->child, &status, 0);
	}
	if (area->uffd >= 0)
		close(area->uffd);
	munmap(area->addr, area->len);
	/* The child may have been killed, for example by the OOM killer. */
	return !WIFEXITED(status) || !WEXITSTATUS(status);
}
