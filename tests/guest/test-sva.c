// SPDX-License-Identifier: GPL-2.0
/*
 * An accelerator works on all kinds of memory of a process: it reaches what the CPU
 * could reach, and a job on anything else ends with the right code.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "acc.h"
#include "file.h"
#include "harness.h"

#define MB		(1UL << 20)
#define PAGE		4096UL
#define HUGE_PAGE	(2 * MB)
#define SEED		0x5eed

/* enum iommu_page_response_code */
#define RESP_INVALID	1

FIXTURE(sva)
{
	int fd;
	uint64_t spurious;
	struct softacc_completion end;
};

FIXTURE_VARIANT(sva)
{
	unsigned int pages_per_group;
	unsigned int outstanding;
	unsigned int threads;
};

FIXTURE_VARIANT_ADD(sva, single)
{
	.pages_per_group = 1,
	.outstanding = 1,
	.threads = 1,
};

FIXTURE_VARIANT_ADD(sva, groups)
{
	.pages_per_group = 8,
	.outstanding = 16,
	.threads = 1,
};

FIXTURE_VARIANT_ADD(sva, wide)
{
	.pages_per_group = 32,
	.outstanding = 64,
	.threads = 4,
};

FIXTURE_SETUP(sva)
{
	struct softacc_stats stats;

	self->fd = acc_open(variant->pages_per_group, variant->outstanding,
			    variant->threads);
	ASSERT_LE(0, self->fd)
		TH_LOG("%s: %s", ACC_DEVICE, strerror(errno));
	ASSERT_EQ(0, ioctl(self->fd, SOFTACC_IOC_DEV_STATS, &stats));
	self->spurious = stats.spurious;
}

/* No response was lost, and none came for a group that was not outstanding. */
FIXTURE_TEARDOWN(sva)
{
	struct softacc_stats stats;

	ASSERT_EQ(0, ioctl(self->fd, SOFTACC_IOC_DEV_STATS, &stats));
	EXPECT_EQ(self->spurious, stats.spurious);
	EXPECT_EQ(0, stats.forgotten);
	close(self->fd);
}

/* Let the device write an area and read it back, and verify it by the CPU. */
#define check_area(area, len) do {					\
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_FILL, NULL, area,	\
			     len, SEED, &self->end))			\
		TH_LOG("fill: address %llx, code %u",			\
		       (unsigned long long)self->end.fault_addr,	\
		       self->end.fault_code);				\
	EXPECT_EQ(len, self->end.bytes);				\
	EXPECT_EQ(-1, acc_verify(area, len, SEED));			\
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_COMPARE, area, area,	\
			     len, 0, &self->end));			\
} while (0)

TEST_F(sva, anonymous)
{
	size_t len = 8 * MB;
	void *area = map(len, MAP_PRIVATE, -1);

	ASSERT_NE(MAP_FAILED, area);
	check_area(area, len);
	munmap(area, len);
}

TEST_F(sva, copy_and_compare)
{
	size_t len = 4 * MB;
	char *src = map(len, MAP_PRIVATE, -1);
	char *dst = map(len, MAP_PRIVATE, -1);

	ASSERT_NE(MAP_FAILED, src);
	ASSERT_NE(MAP_FAILED, dst);
	check_area(src, len);
	/* Source and destination with different offsets in their pages */
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_COPY, src, dst + 1000,
			     len - 1000, 0, &self->end));
	EXPECT_EQ(0, memcmp(src, dst + 1000, len - 1000));

	dst[1000 + 123456] ^= 1;
	EXPECT_EQ(-EILSEQ, acc_run(self->fd, SOFTACC_OP_COMPARE, src, dst + 1000,
				   len - 1000, 0, &self->end));
	EXPECT_EQ(123456, self->end.result);
	munmap(src, len);
	munmap(dst, len);
}

TEST_F(sva, checksum)
{
	size_t len = MB;
	uint64_t *area = map(len, MAP_PRIVATE, -1);
	uint64_t sum = 0;
	uint64_t i;

	ASSERT_NE(MAP_FAILED, area);
	for (i = 0; i < len / 8; i++)
		sum += softacc_mix(softacc_pattern(SEED, i * 8), i * 8);
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_FILL, NULL, area, len, SEED,
			     &self->end));
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_CHECKSUM, area, NULL, len, 0,
			     &self->end));
	EXPECT_EQ(sum, self->end.result);
	munmap(area, len);
}

/* Pages that were never written read as zeros for the device, too. */
TEST_F(sva, zero_pages)
{
	size_t len = MB;
	char *area = map(len, MAP_PRIVATE, -1);
	char *copy = map(len, MAP_PRIVATE, -1);

	ASSERT_NE(MAP_FAILED, area);
	memset(copy, 0xff, len);
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_COPY, area, copy, len, 0,
			     &self->end));
	EXPECT_EQ(0, copy[0] | copy[len / 2] | copy[len - 1]);
	munmap(area, len);
	munmap(copy, len);
}

TEST_F(sva, shared)
{
	size_t len = 4 * MB;
	char *area = map(len, MAP_SHARED, -1);
	pid_t pid;
	int status;

	ASSERT_NE(MAP_FAILED, area);
	check_area(area, len);
	/* A child sees what the device wrote for its parent. */
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(acc_verify(area, len, SEED) == -1 ? 0 : 1);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	munmap(area, len);
}

TEST_F(sva, memfd)
{
	size_t len = 4 * MB;
	int fd = memfd_create("softacc", MFD_CLOEXEC);
	void *area;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, len));
	area = map(len, MAP_SHARED, fd);
	ASSERT_NE(MAP_FAILED, area);
	check_area(area, len);
	munmap(area, len);
	close(fd);
}

/* A write of the device to a mapped file reaches the disk. */
TEST_F(sva, file)
{
	size_t len = 4 * MB;
	uint64_t word;
	void *area;
	int fd;

	fd = open("/mnt/file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd)
		TH_LOG("/mnt/file: %s", strerror(errno));
	ASSERT_EQ(0, ftruncate(fd, len));
	area = map(len, MAP_SHARED, fd);
	ASSERT_NE(MAP_FAILED, area);
	check_area(area, len);
	ASSERT_EQ(0, msync(area, len, MS_SYNC));
	munmap(area, len);

	/* Drop the page cache, so that the device reads from the disk. */
	ASSERT_EQ(0, posix_fadvise(fd, 0, len, POSIX_FADV_DONTNEED));
	ASSERT_EQ(8, pread(fd, &word, 8, len - 8));
	EXPECT_EQ(softacc_pattern(SEED, len - 8), word);
	ASSERT_EQ(0, posix_fadvise(fd, 0, len, POSIX_FADV_DONTNEED));
	area = map(len, MAP_PRIVATE, fd);
	ASSERT_NE(MAP_FAILED, area);
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_COMPARE, area, area, len, 0,
			     &self->end));
	EXPECT_EQ(-1, acc_verify(area, len, SEED));
	munmap(area, len);
	close(fd);
}

/* The CPU would get SIGBUS behind the end of a file. */
TEST_F(sva, behind_end_of_file)
{
	int fd = memfd_create("softacc", MFD_CLOEXEC);
	char *area;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	area = map(4 * PAGE, MAP_SHARED, fd);
	ASSERT_NE(MAP_FAILED, area);
	EXPECT_EQ(-EFAULT, acc_run(self->fd, SOFTACC_OP_FILL, NULL, area + PAGE,
				   PAGE, SEED, &self->end));
	EXPECT_EQ((uintptr_t)area + PAGE, self->end.fault_addr);
	EXPECT_EQ(RESP_INVALID, self->end.fault_code);
	munmap(area, 4 * PAGE);
	close(fd);
}

TEST_F(sva, transparent_huge_pages)
{
	size_t len = 8 * MB;
	char *area = map(len + HUGE_PAGE, MAP_PRIVATE, -1);
	char *aligned = (char *)(((uintptr_t)area + HUGE_PAGE - 1) &
				 ~(HUGE_PAGE - 1));

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, madvise(aligned, len, MADV_HUGEPAGE));
	check_area(aligned, len);
	munmap(area, len + HUGE_PAGE);
}

TEST_F(sva, hugetlb)
{
	size_t len = 4 * HUGE_PAGE;
	void *area = map(len, MAP_PRIVATE | MAP_HUGETLB, -1);

	ASSERT_NE(MAP_FAILED, area)
		TH_LOG("huge pages: %s", strerror(errno));
	check_area(area, len);
	munmap(area, len);
}

/* After a fork a write of the device makes a copy, as one by the CPU would. */
TEST_F(sva, copy_on_write)
{
	size_t len = MB;
	char *area = map(len, MAP_PRIVATE, -1);
	int go[2];
	pid_t pid;
	int status;
	char c;

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, pipe(go));
	memset(area, 0x11, len);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		size_t i;

		close(go[1]);
		if (read(go[0], &c, 1) < 0)
			_exit(2);
		for (i = 0; i < len; i++)
			if (area[i] != 0x11)
				_exit(1);
		_exit(0);
	}
	close(go[0]);
	check_area(area, len);
	close(go[1]);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	munmap(area, len);
}

TEST_F(sva, read_only)
{
	size_t len = MB;
	char *area = map(len, MAP_PRIVATE, -1);
	char *copy = map(len, MAP_PRIVATE, -1);

	ASSERT_NE(MAP_FAILED, area);
	memset(area, 0x22, len);
	ASSERT_EQ(0, mprotect(area, len, PROT_READ));
	EXPECT_EQ(-EFAULT, acc_run(self->fd, SOFTACC_OP_FILL, NULL, area, len,
				   SEED, &self->end));
	EXPECT_EQ((uintptr_t)area, self->end.fault_addr & ~(len - 1) ?
		  (uintptr_t)area : 0);
	EXPECT_EQ(RESP_INVALID, self->end.fault_code);
	EXPECT_EQ(0x22, area[0]);
	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_COPY, area, copy, len, 0,
			     &self->end));
	EXPECT_EQ(0, memcmp(area, copy, len));
	munmap(area, len);
	munmap(copy, len);
}

TEST_F(sva, no_access)
{
	char *area = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	ASSERT_NE(MAP_FAILED, area);
	EXPECT_EQ(-EFAULT, acc_run(self->fd, SOFTACC_OP_CHECKSUM, area, NULL,
				   PAGE, 0, &self->end));
	EXPECT_EQ(RESP_INVALID, self->end.fault_code);
	munmap(area, PAGE);
}

/* The job ends at the hole, and the data before the hole is written. */
TEST_F(sva, unmapped)
{
	size_t len = MB;
	char *area = map(len, MAP_PRIVATE, -1);

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, munmap(area + len / 2, len / 2));
	EXPECT_EQ(-EFAULT, acc_run(self->fd, SOFTACC_OP_FILL, NULL, area, len,
				   SEED, &self->end));
	EXPECT_LE((uintptr_t)area + len / 2 -
		  (variant->pages_per_group - 1) * PAGE, self->end.fault_addr);
	EXPECT_EQ(RESP_INVALID, self->end.fault_code);
	EXPECT_GT(len, self->end.bytes);
	munmap(area, len / 2);
}

/*
 * mprotect() and munmap() run beside the device, which sees the state before or after.
 */
TEST_F(sva, races_with_mprotect)
{
	size_t len = 4 * MB;
	char *area = map(len, MAP_PRIVATE, -1);
	int i;

	ASSERT_NE(MAP_FAILED, area);
	for (i = 0; i < 8; i++) {
		int ret;

		ASSERT_EQ(0, acc_submit(self->fd, SOFTACC_OP_FILL, NULL, area,
					len, SEED + i));
		madvise(area + len / 2, len / 2, MADV_DONTNEED);
		mprotect(area, len, PROT_READ);
		usleep(100);
		mprotect(area, len, PROT_READ | PROT_WRITE);
		ASSERT_EQ(0, acc_reap(self->fd, &self->end, 60000));
		ret = self->end.status;
		EXPECT_TRUE(!ret || ret == -EFAULT)
			TH_LOG("status %d", ret);
	}
	munmap(area, len);
}

/* A stack grows for the device as for the CPU, within the same limit. */
TEST_F(sva, stack_growth)
{
	struct rlimit limit;
	size_t gap = 4 * MB;
	char *stack = map_stack(gap);

	ASSERT_NE(MAP_FAILED, stack);
	stack[0] = 1;
	check_area(stack - 64 * PAGE, 64 * PAGE);

	ASSERT_EQ(0, getrlimit(RLIMIT_STACK, &limit));
	limit.rlim_cur = MB;
	ASSERT_EQ(0, setrlimit(RLIMIT_STACK, &limit));
	EXPECT_EQ(-EFAULT, acc_run(self->fd, SOFTACC_OP_FILL, NULL,
				   stack - MB - PAGE, PAGE, SEED, &self->end));
	EXPECT_EQ(RESP_INVALID, self->end.fault_code);
}

/* Eight processes with a PASID each, all of them verified */
TEST_F(sva, processes)
{
	size_t len = 2 * MB;
	pid_t pids[8];
	int status;
	int i;

	for (i = 0; i < 8; i++) {
		pids[i] = fork();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			struct softacc_completion end;
			int fd = acc_open(variant->pages_per_group,
					  variant->outstanding,
					  variant->threads);
			void *area = map(len, MAP_PRIVATE, -1);

			if (fd < 0 || area == MAP_FAILED)
				_exit(2);
			if (acc_run(fd, SOFTACC_OP_FILL, NULL, area, len, i,
				    &end))
				_exit(3);
			_exit(acc_verify(area, len, i) == -1 ? 0 : 4);
		}
	}
	for (i = 0; i < 8; i++) {
		waitpid(pids[i], &status, 0);
		EXPECT_EQ(0, status)
			TH_LOG("process %d: status %x", i, status);
	}
}

/* A process dies while its device works, and leaves nothing behind. */
TEST_F(sva, killed)
{
	int begun[2];
	int status;
	char c;
	int i;

	ASSERT_EQ(0, pipe(begun));
	for (i = 0; i < 20; i++) {
		pid_t pid = fork();

		ASSERT_LE(0, pid);
		if (!pid) {
			int fd = acc_open(variant->pages_per_group,
					  variant->outstanding,
					  variant->threads);
			void *area = map(64 * MB, MAP_PRIVATE, -1);

			if (fd < 0 || acc_submit(fd, SOFTACC_OP_FILL, NULL,
						 area, 64 * MB, SEED) ||
			    write(begun[1], "", 1) != 1)
				_exit(2);
			pause();
		}
		ASSERT_EQ(1, read(begun[0], &c, 1));
		usleep(i * 500);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		EXPECT_TRUE(WIFSIGNALED(status));
	}
}

/* Closing the file unbinds the process while its device works. */
TEST_F(sva, closed)
{
	size_t len = 16 * MB;
	void *area;
	int fd;
	int i;

	for (i = 0; i < 20; i++) {
		area = map(len, MAP_PRIVATE, -1);
		ASSERT_NE(MAP_FAILED, area);
		fd = acc_open(variant->pages_per_group, variant->outstanding,
			      variant->threads);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, acc_submit(fd, SOFTACC_OP_FILL, NULL, area, len,
					SEED));
		usleep(1000 + i * 200);
		close(fd);
		munmap(area, len);
	}
}

TEST_F(sva, cancelled)
{
	size_t len = 64 * MB;
	void *area = map(len, MAP_PRIVATE, -1);

	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, acc_submit(self->fd, SOFTACC_OP_FILL, NULL, area, len,
				SEED));
	ASSERT_EQ(0, acc_submit(self->fd, SOFTACC_OP_FILL, NULL, area, len,
				SEED));
	usleep(1000);
	ASSERT_EQ(0, ioctl(self->fd, SOFTACC_IOC_CANCEL, 0));
	ASSERT_EQ(0, acc_reap(self->fd, &self->end, 10000));
	EXPECT_EQ(-ECANCELED, self->end.status);
	ASSERT_EQ(0, acc_reap(self->fd, &self->end, 10000));
	EXPECT_EQ(-ECANCELED, self->end.status);
	munmap(area, len);
}

#define PREFAULT	"/sys/module/iopf/parameters/prefault"

/*
 * Fill new memory in order, one request at a time. Return the number of requests, or -1
 * if the data is wrong.
 */
static long requests_of_fill(size_t len)
{
	struct softacc_completion end;
	struct softacc_stats stats = { 0 };
	void *area = map(len, MAP_PRIVATE, -1);
	int fd = acc_open(1, 1, 1);
	long requests = -1;

	madvise(area, len, MADV_NOHUGEPAGE);
	if (!acc_run(fd, SOFTACC_OP_FILL, NULL, area, len, SEED, &end) &&
	    acc_verify(area, len, SEED) == -1 &&
	    !ioctl(fd, SOFTACC_IOC_STATS, &stats))
		requests = stats.requests;
	close(fd);
	munmap(area, len);
	return requests;
}

/* An administrator lets pages be faulted in ahead of all devices. */
TEST(prefault_parameter)
{
	const size_t len = 4 * MB;
	const long pages = len / PAGE;
	long ahead;

	if (access(PREFAULT, W_OK))
		SKIP(return, "the kernel's own fault queue has no prefault");
	EXPECT_EQ(pages, requests_of_fill(len));
	ASSERT_EQ(0, write_file(PREFAULT, "64"));
	ahead = requests_of_fill(len);
	EXPECT_LT(0, ahead);
	EXPECT_GT(pages / 8, ahead);
	EXPECT_EQ(-EINVAL, write_file(PREFAULT, "513"));
	EXPECT_EQ(-EINVAL, write_file(PREFAULT, "-1"));
	ASSERT_EQ(0, write_file(PREFAULT, "0"));
	EXPECT_EQ(pages, requests_of_fill(len));
}

TEST(bad_arguments)
{
	static uint64_t area[512];
	struct softacc_config config = { 8, 16, 1, 0, 0, 0 };
	struct softacc_completion end;
	struct softacc_job job = {
		.op = SOFTACC_OP_FILL,
		.dst = (uintptr_t)area,
		.len = 64,
	};
	struct softacc_job bad;
	int fd = acc_open(8, 16, 1);

	ASSERT_LE(0, fd);
#define EXPECT_ERROR(error, call) do {			\
	EXPECT_EQ(-1, call);				\
	EXPECT_EQ(error, errno);			\
} while (0)
#define EXPECT_BAD_JOB(field, value) do {		\
	bad = job;					\
	bad.field = value;				\
	EXPECT_ERROR(EINVAL, ioctl(fd, SOFTACC_IOC_SUBMIT, &bad)); \
} while (0)
	EXPECT_BAD_JOB(op, 0);
	EXPECT_BAD_JOB(op, SOFTACC_OP_TOUCH + 1);
	EXPECT_BAD_JOB(flags, 1);
	EXPECT_BAD_JOB(reserved, 1);
	EXPECT_BAD_JOB(src, (uintptr_t)area);
	EXPECT_BAD_JOB(dst, 0);
	EXPECT_BAD_JOB(dst, (uintptr_t)area + 4);
	EXPECT_BAD_JOB(dst, 1UL << 63);
	EXPECT_BAD_JOB(len, 0);
	EXPECT_BAD_JOB(len, 12);
	EXPECT_BAD_JOB(len, ~7UL);
	config.threads = 0;
	EXPECT_ERROR(EINVAL, ioctl(fd, SOFTACC_IOC_CONFIG, &config));
	config.threads = 17;
	EXPECT_ERROR(EINVAL, ioctl(fd, SOFTACC_IOC_CONFIG, &config));
	config.threads = 1;
	config.reserved = 1;
	EXPECT_ERROR(EINVAL, ioctl(fd, SOFTACC_IOC_CONFIG, &config));
	EXPECT_ERROR(EFAULT, ioctl(fd, SOFTACC_IOC_CONFIG, NULL));
	EXPECT_ERROR(EFAULT, ioctl(fd, SOFTACC_IOC_SUBMIT, NULL));
	EXPECT_ERROR(EAGAIN, ioctl(fd, SOFTACC_IOC_REAP, &end));
	EXPECT_ERROR(ENOTTY, ioctl(fd, _IO('W', 0x7f), 0));
	EXPECT_EQ(0, acc_run(fd, SOFTACC_OP_FILL, NULL, area, 64, SEED, &end));
	close(fd);
}

TEST_HARNESS_MAIN
