// SPDX-License-Identifier: GPL-2.0
/*
 * Page request groups and their responses, as seen by a device that sends exactly the
 * requests it is told to
 */
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "acc.h"
#include "cpus.h"
#include "harness.h"
#include "uffd.h"

#define PAGE		4096UL
#define GRPID		SOFTACC_INJECT_GRPID

#define PERM_READ	(1 << 0)
#define PERM_WRITE	(1 << 1)
#define PERM_EXEC	(1 << 2)

#define RESP_SUCCESS	0
#define RESP_INVALID	1

static int inject_perm(int fd, uint32_t grpid, const void *addr, uint32_t flags,
		       uint32_t perm)
{
	struct softacc_inject request = {
		.flags = flags,
		.grpid = grpid,
		.perm = perm,
		.addr = (uintptr_t)addr,
	};

	return ioctl(fd, SOFTACC_IOC_INJECT, &request);
}

static int inject(int fd, uint32_t grpid, const void *addr, uint32_t flags)
{
	return inject_perm(fd, grpid, addr, flags, PERM_WRITE);
}

/* Return the next response within @ms of the machine's time, or -1. */
static int next_response(int fd, struct softacc_response *response, int ms)
{
	return pace_wait(ms, !ioctl(fd, SOFTACC_IOC_RESPONSE, response)) ? 0 : -1;
}

static bool is_present(const void *addr)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (pread(fd, &entry, 8, (uintptr_t)addr / PAGE * 8) != 8)
		entry = 0;
	close(fd);
	return entry >> 63;
}

static uint64_t spurious(int fd)
{
	struct softacc_stats stats;

	return ioctl(fd, SOFTACC_IOC_DEV_STATS, &stats) ? ~0ULL :
							  stats.spurious;
}

FIXTURE(groups)
{
	int fd;
	char *area;
	uint64_t spurious;
	struct softacc_response response;
};

FIXTURE_SETUP(groups)
{
	self->fd = acc_open(8, 16, 1);
	ASSERT_LE(0, self->fd)
		TH_LOG("%s: %s", ACC_DEVICE, strerror(errno));
	self->area = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	madvise(self->area, 16 * PAGE, MADV_NOHUGEPAGE);
	self->spurious = spurious(self->fd);
}

FIXTURE_TEARDOWN(groups)
{
	EXPECT_EQ(self->spurious, spurious(self->fd));
	EXPECT_EQ(-1, next_response(self->fd, &self->response, 20))
		TH_LOG("one more response: index %x", self->response.grpid);
	close(self->fd);
}

#define expect_response(index, expected) do {				\
	ASSERT_EQ(0, next_response(self->fd, &self->response, 5000))		\
		TH_LOG("no response for index %x", index);		\
	EXPECT_EQ(index, self->response.grpid);				\
	EXPECT_EQ(expected, self->response.code);			\
	EXPECT_EQ(1, self->response.count);				\
} while (0)

TEST_F(groups, one_response_for_all)
{
	int i;

	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, inject(self->fd, GRPID, self->area + i * PAGE,
				    i == 7 ? SOFTACC_INJECT_LAST : 0));
	expect_response(GRPID, RESP_SUCCESS);
	for (i = 0; i < 8; i++)
		EXPECT_TRUE(is_present(self->area + i * PAGE));
	EXPECT_FALSE(is_present(self->area + 8 * PAGE));
}

/* Requests of several groups may be interleaved. */
TEST_F(groups, interleaved)
{
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, 0));
	ASSERT_EQ(0, inject(self->fd, GRPID + 1, self->area + PAGE, 0));
	ASSERT_EQ(0, inject(self->fd, GRPID + 1, self->area + 2 * PAGE,
			    SOFTACC_INJECT_LAST));
	expect_response(GRPID + 1, RESP_SUCCESS);
	EXPECT_FALSE(is_present(self->area));
	EXPECT_TRUE(is_present(self->area + PAGE));
	EXPECT_TRUE(is_present(self->area + 2 * PAGE));

	ASSERT_EQ(0, inject(self->fd, GRPID, self->area + 3 * PAGE,
			    SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_SUCCESS);
	EXPECT_TRUE(is_present(self->area));
	EXPECT_TRUE(is_present(self->area + 3 * PAGE));
}

/*
 * Two processes use the same index at the same time. The kernel's own queue gives the
 * page of the first group to the second, so this test must fail on it.
 */
TEST_F(groups, two_pasids_one_index)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, 0));

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct softacc_response response;
		int fd = acc_open(8, 16, 1);
		char *page;

		/* The child must not have the mapping that the parent requests. */
		munmap(self->area, 16 * PAGE);
		page = mmap(self->area - (1UL << 40), PAGE,
			    PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (fd < 0 || inject(fd, GRPID, page, SOFTACC_INJECT_LAST))
			_exit(2);
		if (next_response(fd, &response, 5000))
			_exit(3);
		if (response.code != RESP_SUCCESS || response.count != 1)
			_exit(4);
		_exit(is_present(page) ? 0 : 5);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status)
		TH_LOG("the other process: status %x", status);

	EXPECT_FALSE(is_present(self->area));
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area + PAGE,
			    SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_SUCCESS);
	EXPECT_TRUE(is_present(self->area));
	EXPECT_TRUE(is_present(self->area + PAGE));
}

/*
 * The group is refused as a whole, by one response. The kernel's own queue sends eight.
 */
TEST_F(groups, pasid_not_bound)
{
	struct softacc_inject request = {
		.flags = SOFTACC_INJECT_OTHER_PASID,
		.grpid = GRPID,
		.perm = PERM_WRITE,
		.pasid = 0xffffe,
		.addr = (uintptr_t)self->area,
	};
	int i;

	for (i = 0; i < 8; i++) {
		if (i == 7)
			request.flags |= SOFTACC_INJECT_LAST;
		ASSERT_EQ(0, ioctl(self->fd, SOFTACC_IOC_INJECT, &request));
	}
	/* Allow time for surplus responses. */
	pace_wait(50, false);
	expect_response(GRPID, RESP_INVALID);
	EXPECT_EQ(0xffffe, self->response.pasid);
}

TEST_F(groups, without_pasid)
{
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area,
			    SOFTACC_INJECT_LAST | SOFTACC_INJECT_NO_PASID));
	expect_response(GRPID, RESP_INVALID);
}

/* One bad page fails its group, with one response. */
TEST_F(groups, unmapped_page)
{
	int i;

	munmap(self->area + 3 * PAGE, PAGE);
	for (i = 0; i < 8; i++)
		ASSERT_EQ(0, inject(self->fd, GRPID, self->area + i * PAGE,
				    i == 7 ? SOFTACC_INJECT_LAST : 0));
	expect_response(GRPID, RESP_INVALID);
}

TEST_F(groups, malformed)
{
	/*
	 * An instruction fetch does not write. For VT-d it needs Read as well (5.1,
	 * 7.4.1.1).
	 */
	ASSERT_EQ(0, inject_perm(self->fd, GRPID, self->area,
				 SOFTACC_INJECT_LAST,
				 PERM_READ | PERM_EXEC | PERM_WRITE));
	expect_response(GRPID, RESP_INVALID);
	/* Not canonical */
	ASSERT_EQ(0, inject(self->fd, GRPID, (void *)0x8000000000000000UL,
			    SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_INVALID);
	/* In the kernel's half of the address space */
	ASSERT_EQ(0, inject(self->fd, GRPID, (void *)0xffff888000000000UL,
			    SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_INVALID);
	/* A bad request fails its group; the index can be used again after that. */
	ASSERT_EQ(0, inject_perm(self->fd, GRPID, self->area, 0, 0));
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_INVALID);
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_SUCCESS);
	/* Raw addresses are not refused for their alignment. */
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area + PAGE + 1234,
			    SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_SUCCESS);
	EXPECT_TRUE(is_present(self->area + PAGE));
}

/* A stop marker discards the unfinished groups of its PASID and has no response. */
TEST_F(groups, stop_marker)
{
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, 0));
	ASSERT_EQ(0, inject_perm(self->fd, GRPID + 1, NULL,
				 SOFTACC_INJECT_LAST, 0));
	EXPECT_EQ(-1, next_response(self->fd, &self->response, 50));
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area + PAGE,
			    SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_SUCCESS);
	EXPECT_FALSE(is_present(self->area));
	EXPECT_TRUE(is_present(self->area + PAGE));
}

/* A fault that user space serves late */
TEST_F(groups, userfaultfd)
{
	int uffd = uffd_register(self->area, 16 * PAGE,
				 UFFDIO_REGISTER_MODE_MISSING, 0);

	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, SOFTACC_INJECT_LAST));
	EXPECT_EQ(-1, next_response(self->fd, &self->response, 100));
	ASSERT_EQ(0, uffd_provide(uffd, self->area));
	expect_response(GRPID, RESP_SUCCESS);
	EXPECT_TRUE(is_present(self->area));
	close(uffd);
}

/*
 * User space does not serve the fault in time: the device is told to try again, and may
 * do so any number of times.
 */
TEST_F(groups, deadline)
{
	const char *parameter = "/sys/module/iopf/parameters/prq_timeout";
	int uffd = uffd_register(self->area, 16 * PAGE,
				 UFFDIO_REGISTER_MODE_MISSING, 0);
	int fd = open(parameter, O_WRONLY | O_CLOEXEC);
	double start;
	double clock;

	ASSERT_LE(0, fd)
		TH_LOG("%s: %s", parameter, strerror(errno));
	EXPECT_EQ(-1, write(fd, "101", 3));
	ASSERT_EQ(1, write(fd, "1", 1));
	ASSERT_LE(0, uffd);
	/* The library's timers follow the clock. */
	clock = pace_clock(CLOCK_MONOTONIC) / 1e9;
	start = pace_seconds();
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_SUCCESS);
	EXPECT_FALSE(is_present(self->area));
	EXPECT_LE(0.9, pace_clock(CLOCK_MONOTONIC) / 1e9 - clock);
	EXPECT_GT(2.5, pace_seconds() - start);
	ASSERT_EQ(2, write(fd, "10", 2));
	close(fd);
	/* When the page is present, the same group succeeds. */
	ASSERT_EQ(0, uffd_provide(uffd, self->area));
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, SOFTACC_INJECT_LAST));
	expect_response(GRPID, RESP_SUCCESS);
	close(uffd);
}

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return done;
}

#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"
#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/cpu1/runtime"

/*
 * A real-time program owns the CPU where a group was reported, so nothing else runs
 * there, not even the worker. The group must have its response in time all the same.
 */
TEST_F(groups, deadline_beside_hog)
{
	const struct sched_param hog_param = { .sched_priority = 40 };
	int uffd = uffd_register(self->area, 16 * PAGE,
				 UFFDIO_REGISTER_MODE_MISSING, 0);
	pid_t reporter = acc_find_reporter();
	cpu_set_t cpus;
	double clock;
	int responded;
	pid_t hog;

	if (access("/sys/module/iopf/parameters/prq_timeout", F_OK))
		SKIP(return, "upstream's queue has no timeout");
	if (!reporter)
		SKIP(return, "VT-d's interrupt thread goes where its interrupt goes");
	ASSERT_LE(0, uffd);
	ASSERT_LE(2, sysconf(_SC_NPROCESSORS_ONLN));
	ASSERT_EQ(0, sched_getaffinity(reporter, sizeof(cpus), &cpus));
	ASSERT_TRUE(pin(reporter, 1));
	ASSERT_TRUE(pin(0, 0));
	hog = fork();
	ASSERT_LE(0, hog);
	if (!hog) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!pin(0, 1) || sched_setscheduler(0, SCHED_FIFO, &hog_param))
			_exit(1);
		for (;;)
			;
	}
	write_to("/sys/module/iopf/parameters/prq_timeout", "1");
	EXPECT_TRUE(write_to(RT_RUNTIME, "-1"));
	/*
	 * Without that file, the fair server leaves a twentieth of the CPU to other
	 * tasks.
	 */
	write_to(FAIR_SERVER, "0");
	EXPECT_TRUE(pace_wait(5000, sched_getscheduler(hog) == SCHED_FIFO));
	usleep(100000);
	clock = pace_clock(CLOCK_MONOTONIC) / 1e9;
	EXPECT_EQ(0, inject(self->fd, GRPID, self->area, SOFTACC_INJECT_LAST));
	responded = next_response(self->fd, &self->response, 4000);
	clock = pace_clock(CLOCK_MONOTONIC) / 1e9 - clock;

	write_to(FAIR_SERVER, "50000000");
	write_to(RT_RUNTIME, "950000");
	write_to("/sys/module/iopf/parameters/prq_timeout", "10");
	kill(hog, SIGKILL);
	waitpid(hog, NULL, 0);
	sched_setaffinity(reporter, sizeof(cpus), &cpus);
	EXPECT_EQ(0, responded)
		TH_LOG("no response after %.1f s", clock);
	EXPECT_EQ(RESP_SUCCESS, self->response.code);
	EXPECT_LE(0.9, clock);
	/* If the start was just slow, the response would be sent now. */
	if (responded)
		next_response(self->fd, &self->response, 20000);
	close(uffd);
}

/* The index is in use: the second group is the device's mistake and has no response. */
TEST_F(groups, index_used_twice)
{
	int uffd = uffd_register(self->area, PAGE,
				 UFFDIO_REGISTER_MODE_MISSING, 0);

	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area, SOFTACC_INJECT_LAST));
	ASSERT_TRUE(uffd_asleep(uffd));
	ASSERT_EQ(0, inject(self->fd, GRPID, self->area + PAGE,
			    SOFTACC_INJECT_LAST));
	EXPECT_EQ(-1, next_response(self->fd, &self->response, 50));
	ASSERT_EQ(0, uffd_provide(uffd, self->area));
	expect_response(GRPID, RESP_SUCCESS);
	close(uffd);
}

/* A PASID may have only a few sleeping faults, and other PASIDs are not affected. */
TEST_F(groups, asleep)
{
	int uffd = uffd_register(self->area, 16 * PAGE,
				 UFFDIO_REGISTER_MODE_MISSING, 0);
	struct softacc_completion end;
	int number = acc_indices(self->fd);
	pid_t pid;
	int status;
	int i;

	ASSERT_LE(0, uffd);
	for (i = 0; i < number; i++)
		ASSERT_EQ(0, inject(self->fd, GRPID + i,
				    self->area + i % 16 * PAGE,
				    SOFTACC_INJECT_LAST));
	ASSERT_TRUE(uffd_asleep(uffd));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = acc_open(8, 16, 1);
		char *area = mmap(NULL, 1UL << 20, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		_exit(fd >= 0 && !acc_run(fd, SOFTACC_OP_FILL, NULL, area,
					  1UL << 20, 7, &end) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	for (i = 0; i < 16; i++)
		uffd_provide(uffd, self->area + i * PAGE);
	for (i = 0; i < number; i++) {
		ASSERT_EQ(0, next_response(self->fd, &self->response, 5000));
		ASSERT_EQ(RESP_SUCCESS, self->response.code);
		ASSERT_EQ(1, self->response.count);
	}
	close(uffd);
}

static bool set_timeout(const char *seconds)
{
	int fd = open("/sys/module/iopf/parameters/prq_timeout",
		      O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, seconds, strlen(seconds)) > 0;

	close(fd);
	return done;
}

/*
 * A process that is killed while its faults wait for user space, which never serves
 * them, is gone within a second. The timeout must not be the reason, however slow the
 * machine is.
 */
TEST_F(groups, killed_asleep)
{
	int uffd_pipe[2];
	double start;
	int status;
	pid_t pid;
	char c;

	/* The upstream queue has no timeout. */
	set_timeout("100");
	ASSERT_EQ(0, pipe(uffd_pipe));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int fd = acc_open(8, 16, 1);
		int uffd = uffd_register(self->area, 16 * PAGE,
					 UFFDIO_REGISTER_MODE_MISSING, 0);
		int i;

		for (i = 0; i < 64; i++)
			if (inject(fd, GRPID + i, self->area,
				   SOFTACC_INJECT_LAST))
				_exit(1);
		if (uffd < 0 || !uffd_asleep(uffd) ||
		    write(uffd_pipe[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	close(uffd_pipe[1]);
	ASSERT_EQ(1, read(uffd_pipe[0], &c, 1));
	start = pace_seconds();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	start = pace_seconds() - start;
	set_timeout("10");
	EXPECT_GT(1.0, start)
		TH_LOG("%.1f s", start);
}

TEST_HARNESS_MAIN
