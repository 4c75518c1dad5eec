// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that take long and faults with rules of their own: userfaultfd, swap, slow
 * disks, NUMA hinting, limits. The device waits where the CPU would, other devices and
 * processes do not wait with it, and a fault that cannot be served gets a response.
 *
 * guest-setup.sh creates the slow disks.
 */
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "acc.h"
#include "file.h"
#include "harness.h"
#include "uffd.h"

#define TIMEOUT		"/sys/module/iopf/parameters/prq_timeout"
#define MB		(1UL << 20)
#define PAGE		4096UL
#define HUGE_PAGE	(2 * MB)
#define SEED		0x5eed
#define CGROUP		"/sys/fs/cgroup/test-mm"

/* enum iommu_page_response_code */
#define RESP_INVALID	1

/* Return the value of a line "NAME VALUE" in a file, or 0. */
static unsigned long long read_value(const char *path, const char *name)
{
	unsigned long long value;
	unsigned long long found = 0;
	char line[64];
	FILE *file = fopen(path, "r");

	while (file && fscanf(file, "%63s %llu\n", line, &value) == 2)
		if (!strcmp(line, name))
			found = value;
	if (file)
		fclose(file);
	return found;
}

static void fill(void *area, size_t len, uint64_t seed)
{
	uint64_t *word = area;
	size_t i;

	for (i = 0; i < len / 8; i++)
		word[i] = softacc_pattern(seed, i * 8);
}

/* Return the number of pages of @area for which /proc/self/pagemap has @bit. */
static size_t count_pages(void *area, size_t len, unsigned int bit)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t count = 0;
	uint64_t entry;
	size_t i;

	for (i = 0; i < len / PAGE; i++)
		if (pread(fd, &entry, 8, ((uintptr_t)area / PAGE + i) * 8) == 8)
			count += entry >> bit & 1;
	close(fd);
	return count;
}

#define PAGEMAP_PRESENT	63
#define PAGEMAP_SWAPPED	62

FIXTURE(mm)
{
	int fd;
	uint64_t spurious;
	struct softacc_completion end;
};

FIXTURE_SETUP(mm)
{
	struct softacc_stats stats;

	self->fd = acc_open(8, 16, 1);
	ASSERT_LE(0, self->fd)
		TH_LOG("%s: %s", ACC_DEVICE, strerror(errno));
	ASSERT_EQ(0, ioctl(self->fd, SOFTACC_IOC_DEV_STATS, &stats));
	self->spurious = stats.spurious;
}

/* No response was lost, and none came for a group that was not outstanding. */
FIXTURE_TEARDOWN(mm)
{
	struct softacc_stats stats;

	ASSERT_EQ(0, ioctl(self->fd, SOFTACC_IOC_DEV_STATS, &stats));
	EXPECT_EQ(self->spurious, stats.spurious);
	EXPECT_EQ(0, stats.forgotten);
	close(self->fd);
}

#define device_fill(area, len, seed)					\
	acc_run(self->fd, SOFTACC_OP_FILL, NULL, area, len, seed, &self->end)

#define device_compare(a, b, len)					\
	acc_run(self->fd, SOFTACC_OP_COMPARE, a, b, len, 0, &self->end)

/**
 * struct server - a thread that serves a userfaultfd
 * @uffd: the userfaultfd
 * @mode: UFFDIO_REGISTER_MODE_*
 * @page: content for missing pages
 * @delay: before each response, in microseconds
 * @served: events
 */
struct server {
	int uffd;
	uint64_t mode;
	void *page;
	unsigned int delay;
	unsigned int served;
};

static void serve_one(struct server *server, uint64_t addr)
{
	struct uffdio_writeprotect unprotect = {
		.range = { addr, PAGE },
	};
	struct uffdio_continue resume = { .range = { addr, PAGE } };
	struct uffdio_copy copy = {
		.dst = addr,
		.src = (uintptr_t)server->page,
		.len = PAGE,
	};
	int ret;

	usleep(server->delay);
	server->served++;
	switch (server->mode) {
	case UFFDIO_REGISTER_MODE_WP:
		ret = ioctl(server->uffd, UFFDIO_WRITEPROTECT, &unprotect);
		break;
	case UFFDIO_REGISTER_MODE_MINOR:
		ret = ioctl(server->uffd, UFFDIO_CONTINUE, &resume);
		break;
	default:
		ret = ioctl(server->uffd, UFFDIO_COPY, &copy);
	}
	/* EEXIST: the page was requested twice. Then wake the waiters. */
	if (ret)
		ioctl(server->uffd, UFFDIO_WAKE, &resume.range);
}

static void *serve(void *data)
{
	struct server *server = data;
	struct uffd_msg msg;

	while (read(server->uffd, &msg, sizeof(msg)) == sizeof(msg))
		if (msg.event == UFFD_EVENT_PAGEFAULT)
			serve_one(server, msg.arg.pagefault.address & ~(PAGE - 1));
	return NULL;
}

#define start_server(server, thread) \
	ASSERT_EQ(0, pthread_create(thread, NULL, serve, server))

/* Closing the file does not wake a reader, so cancel the thread first. */
static void stop_server(struct server *server, pthread_t thread)
{
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	close(server->uffd);
}

/* Missing pages have the content that user space provides. */
TEST_F(mm, userfaultfd_missing)
{
	struct server server = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	size_t len = 64 * PAGE;
	char *area = map(len, MAP_PRIVATE, -1);
	char *copy = map(len, MAP_PRIVATE, -1);
	pthread_t thread;
	size_t same = 0;
	size_t i;

	ASSERT_NE(MAP_FAILED, area);
	server.page = map(PAGE, MAP_PRIVATE, -1);
	fill(server.page, PAGE, SEED);
	server.uffd = uffd_register(area, len, server.mode, 0);
	ASSERT_LE(0, server.uffd);
	server.delay = 1000;
	start_server(&server, &thread);

	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_COPY, area, copy, len, 0,
			     &self->end));
	for (i = 0; i < len / PAGE; i++)
		same += !memcmp(copy + i * PAGE, server.page, PAGE);
	EXPECT_EQ(len / PAGE, same);
	EXPECT_EQ(len / PAGE, count_pages(area, len, PAGEMAP_PRESENT));
	EXPECT_LE(len / PAGE, server.served);
	stop_server(&server, thread);
}

/* A write to a write-protected page waits for user space, a read does not. */
TEST_F(mm, userfaultfd_write_protect)
{
	struct server server = { .mode = UFFDIO_REGISTER_MODE_WP };
	struct uffdio_writeprotect protect = {
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	size_t len = 64 * PAGE;
	char *area = map(len, MAP_PRIVATE, -1);
	char *copy = map(len, MAP_PRIVATE, -1);
	pthread_t thread;

	ASSERT_NE(MAP_FAILED, area);
	madvise(area, len, MADV_NOHUGEPAGE);
	fill(area, len, SEED);
	server.uffd = uffd_register(area, len, server.mode,
				    UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	ASSERT_LE(0, server.uffd);
	protect.range.start = (uintptr_t)area;
	protect.range.len = len;
	ASSERT_EQ(0, ioctl(server.uffd, UFFDIO_WRITEPROTECT, &protect));
	start_server(&server, &thread);

	EXPECT_EQ(0, acc_run(self->fd, SOFTACC_OP_COPY, area, copy, len, 0,
			     &self->end));
	EXPECT_EQ(0, server.served);
	EXPECT_EQ(-1, acc_verify(copy, len, SEED));
	EXPECT_EQ(0, device_fill(area, len, SEED + 1));
	EXPECT_EQ(-1, acc_verify(area, len, SEED + 1));
	EXPECT_LE(len / PAGE, server.served);
	stop_server(&server, thread);
}

/* The pages are in the page cache, and user space decides when they are mapped. */
TEST_F(mm, userfaultfd_minor)
{
	struct server server = { .mode = UFFDIO_REGISTER_MODE_MINOR };
	size_t len = 64 * PAGE;
	int fd = memfd_create("minor", MFD_CLOEXEC);
	pthread_t thread;
	char *area;
	char *other;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(fd, len));
	area = map(len, MAP_SHARED, fd);
	other = map(len, MAP_SHARED, fd);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_NE(MAP_FAILED, other);
	fill(other, len, SEED);
	server.uffd = uffd_register(area, len, server.mode,
				    UFFD_FEATURE_MINOR_SHMEM);
	ASSERT_LE(0, server.uffd);
	start_server(&server, &thread);

	EXPECT_EQ(0, device_compare(area, other, len));
	EXPECT_LE(len / PAGE, server.served);
	EXPECT_EQ(0, device_fill(area, len, SEED + 1));
	EXPECT_EQ(-1, acc_verify(other, len, SEED + 1));
	stop_server(&server, thread);
	close(fd);
}

/* Move this process to a memory cgroup. Return 0 or an error. */
static int enter_cgroup(void)
{
	write_file("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	mkdir(CGROUP, 0755);
	return write_file(CGROUP "/cgroup.procs", "0");
}

static int leave_cgroup(void)
{
	return write_file("/sys/fs/cgroup/cgroup.procs", "0") ?: rmdir(CGROUP);
}

/* Return the number of major or minor faults of this process. */
static long faults_since(const struct rusage *before, bool major)
{
	struct rusage now;

	getrusage(RUSAGE_SELF, &now);
	return major ? now.ru_majflt - before->ru_majflt :
		       now.ru_minflt - before->ru_minflt;
}

/*
 * Return the number of pages of @area that are on the swap device only, after another
 * attempt.
 */
static size_t push_out(void *area, size_t len)
{
	usleep(200000);
	write_file(CGROUP "/memory.reclaim", "8M");
	return count_pages(area, len, PAGEMAP_SWAPPED);
}

/* Pages come back from a slow swap device with their content. */
TEST_F(mm, swap)
{
	size_t len = 2 * MB;
	char *area = map(len, MAP_PRIVATE, -1);
	struct rusage before;
	size_t swapped;
	bool counted;

	ASSERT_NE(MAP_FAILED, area);
	madvise(area, len, MADV_NOHUGEPAGE);
	ASSERT_EQ(0, enter_cgroup());
	fill(area, len, SEED);
	ASSERT_EQ(0, madvise(area, len, MADV_PAGEOUT));
	/* Once they are written they may leave the swap cache, too. */
	pace_wait(20000, push_out(area, len) >= len / PAGE / 2);
	swapped = count_pages(area, len, PAGEMAP_SWAPPED);
	ASSERT_LE(len / PAGE / 2, swapped)
		TH_LOG("%zu pages swapped out: is there a swap device?",
		       swapped);
	getrusage(RUSAGE_SELF, &before);
	EXPECT_EQ(0, device_compare(area, area, len));
	/* A worker adds them up when it has nothing left to do. */
	counted = pace_wait(5000, faults_since(&before, true) > 0);
	EXPECT_EQ(0, count_pages(area, len, PAGEMAP_SWAPPED));
	EXPECT_EQ(-1, acc_verify(area, len, SEED));
	EXPECT_TRUE(counted);
	EXPECT_EQ(0, leave_cgroup());
}

/*
 * The device reads a file from a disk that takes 5 ms per page. Another process does
 * not wait for it.
 */
TEST_F(mm, slow_file)
{
	size_t len = 8 * MB;
	double alone = 0;
	double start;
	int status;
	pid_t pid;
	void *area;
	int done;
	int fd;

	fd = open("/slow/file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_LE(0, fd)
		TH_LOG("/slow/file: %s", strerror(errno));
	ASSERT_EQ(0, ftruncate(fd, len));
	area = map(len, MAP_SHARED, fd);
	ASSERT_NE(MAP_FAILED, area);
	fill(area, len, SEED);
	ASSERT_EQ(0, msync(area, len, MS_SYNC));
	munmap(area, len);
	ASSERT_EQ(0, fsync(fd));
	ASSERT_EQ(0, posix_fadvise(fd, 0, len, POSIX_FADV_DONTNEED));
	ASSERT_EQ(0, posix_fadvise(fd, 0, len, POSIX_FADV_RANDOM));
	area = map(len, MAP_SHARED, fd);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, madvise(area, len, MADV_RANDOM));

	ASSERT_EQ(0, acc_submit(self->fd, SOFTACC_OP_COMPARE, area, area, len,
				0));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct softacc_completion end;
		int other = acc_open(1, 1, 1);
		void *memory = map(16 * PAGE, MAP_PRIVATE, -1);

		_exit(other < 0 || acc_run(other, SOFTACC_OP_FILL, NULL, memory,
					   16 * PAGE, SEED, &end));
	}
	start = pace_seconds();
	waitpid(pid, &status, 0);
	alone = pace_seconds() - start;
	/* The slow job must still be running then. */
	done = !ioctl(self->fd, SOFTACC_IOC_REAP, &self->end);
	EXPECT_EQ(0, status);
	EXPECT_FALSE(done)
		TH_LOG("the other one took %.3f s", alone);
	if (!done)
		ASSERT_EQ(0, acc_reap(self->fd, &self->end, 60000));
	EXPECT_EQ(0, self->end.status);
	EXPECT_EQ(-1, acc_verify(area, len, SEED));
	munmap(area, len);
	close(fd);
}

/* The CPU would get SIGBUS if no huge page is left. */
TEST_F(mm, hugetlb_exhausted)
{
	size_t len = 4096 * HUGE_PAGE;
	char *area = map(len, MAP_PRIVATE | MAP_HUGETLB | MAP_NORESERVE, -1);
	char *all;
	size_t i;

	ASSERT_NE(MAP_FAILED, area)
		TH_LOG("huge pages: %s", strerror(errno));
	/* Take all of them: a reservation fails when none is left. */
	for (i = 0; ; i++) {
		all = map(HUGE_PAGE, MAP_PRIVATE | MAP_HUGETLB, -1);
		if (all == MAP_FAILED)
			break;
	}
	ASSERT_LT(0, i);
	EXPECT_EQ(-EFAULT, device_fill(area, HUGE_PAGE, SEED));
	EXPECT_EQ(RESP_INVALID, self->end.fault_code);
}

static void run_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

/*
 * Let NUMA balancing set its traps in @area, which has pages on one node for a process
 * on the other: it does not touch pages of a single-threaded process on its own node.
 * The scanner depends on the CPU time that the process has used, runs less often the
 * longer it takes, and skips a new area if it came at a bad moment.
 */
static bool set_traps(void *area, size_t len)
{
	unsigned long long traps;
	double start = pace_seconds();

	run_on(0);
	fill(area, len, SEED);
	traps = read_value("/proc/vmstat", "numa_pte_updates");
	run_on(1);
	while (!pace_over(start, 5000))
		if (read_value("/proc/vmstat", "numa_pte_updates") - traps >=
		    len / PAGE)
			return true;
	return false;
}

/*
 * NUMA hinting applies to the device, too. The scanner may have set traps elsewhere:
 * retry.
 */
TEST_F(mm, numa_hinting)
{
	unsigned long long hints = 0;
	unsigned int traps = 0;
	size_t len = MB;
	char *area;
	int i;

	if (write_file("/proc/sys/kernel/numa_balancing", "1") ||
	    access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "no NUMA balancing, or one node only");
	for (i = 0; i < 4 && hints < len / PAGE / 2; i++) {
		area = map(len, MAP_PRIVATE, -1);
		ASSERT_NE(MAP_FAILED, area);
		madvise(area, len, MADV_NOHUGEPAGE);
		traps += set_traps(area, len);
		hints = read_value("/proc/vmstat", "numa_hint_faults");
		EXPECT_EQ(0, device_compare(area, area, len));
		hints = read_value("/proc/vmstat", "numa_hint_faults") - hints;
		EXPECT_EQ(-1, acc_verify(area, len, SEED));
		munmap(area, len);
	}
	write_file("/proc/sys/kernel/numa_balancing", "0");
	if (!traps)
		SKIP(return, "the scanner of NUMA balancing has set no traps");
	EXPECT_LE(len / PAGE / 2, hints);
}

/* Memory may be unmapped while a fault waits, and mapped again. */
TEST_F(mm, races_with_munmap)
{
	size_t len = 2 * MB;
	char *area = map(len, MAP_PRIVATE, -1);
	unsigned int gone = 0;
	int i;

	ASSERT_NE(MAP_FAILED, area);
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(0, acc_submit(self->fd, SOFTACC_OP_FILL, NULL, area,
					len, SEED + i));
		usleep(i * 100);
		ASSERT_EQ(0, munmap(area + len / 2, len / 2));
		ASSERT_EQ(0, acc_reap(self->fd, &self->end, 60000));
		EXPECT_TRUE(!self->end.status || self->end.status == -EFAULT)
			TH_LOG("status %d", self->end.status);
		gone += self->end.status == -EFAULT;
		/* A failed job has completed what is before the hole. */
		if (self->end.status)
			EXPECT_LE((uintptr_t)area + len / 2,
				  self->end.fault_addr);
		EXPECT_EQ(-1, acc_verify(area, len / 2, SEED + i));
		ASSERT_EQ(area + len / 2,
			  mmap(area + len / 2, len / 2, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		ASSERT_EQ(0, madvise(area, len, MADV_DONTNEED));
	}
	EXPECT_LT(0, gone);
	EXPECT_EQ(0, device_fill(area, len, SEED));
	EXPECT_EQ(-1, acc_verify(area, len, SEED));
}

/* With the setting off a stack does not grow. */
TEST_F(mm, stack_growth_off)
{
	const char *parameter = "/sys/module/iopf/parameters/stack_growth";
	size_t gap = 4 * MB;
	char *stack = map_stack(gap);

	ASSERT_NE(MAP_FAILED, stack);
	stack[0] = 1;
	ASSERT_EQ(0, write_file(parameter, "N"));
	EXPECT_EQ(-EFAULT, device_fill(stack - PAGE, PAGE, SEED));
	EXPECT_EQ(RESP_INVALID, self->end.fault_code);
	ASSERT_EQ(0, write_file(parameter, "Y"));
	EXPECT_EQ(0, device_fill(stack - PAGE, PAGE, SEED));
	EXPECT_EQ(-1, acc_verify(stack - PAGE, PAGE, SEED));
}

/* Fork a child that lets the device fill 64 MB in a memory cgroup of 16 MB. */
static pid_t overeat(const char *score)
{
	pid_t pid = fork();
	struct softacc_completion end;
	void *area;
	int fd;

	if (pid)
		return pid;
	if (write_file(CGROUP "/cgroup.procs", "0") ||
	    write_file("/proc/self/oom_score_adj", score))
		_exit(10);
	fd = acc_open(8, 16, 1);
	area = map(64 * MB, MAP_PRIVATE, -1);
	if (fd < 0 || area == MAP_FAILED)
		_exit(11);
	switch (acc_run(fd, SOFTACC_OP_FILL, NULL, area, 64 * MB, SEED, &end)) {
	case 0:
		_exit(12);
	case -EFAULT:
		_exit(end.fault_code);
	default:
		_exit(13);
	}
}

/*
 * Without memory left in the cgroup a process is killed or, if it must not be, the
 * device gets a response. Nothing hangs, and other cgroups keep their memory.
 */
TEST_F(mm, memory_cgroup)
{
	struct rusage usage;
	double start = pace_seconds();
	int status;
	pid_t pid;

	ASSERT_EQ(0, enter_cgroup());
	write_file("/sys/fs/cgroup/cgroup.procs", "0");
	ASSERT_EQ(0, write_file(CGROUP "/memory.max", "16M"));
	write_file(CGROUP "/memory.swap.max", "0");

	pid = overeat("-1000");
	ASSERT_LE(0, pid);
	ASSERT_EQ(pid, wait4(pid, &status, 0, &usage));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(RESP_INVALID, WEXITSTATUS(status));
	/* The child's cgroup was charged, up to its limit. */
	EXPECT_LT(0, read_value(CGROUP "/memory.events", "max"));
	EXPECT_LT(3000, read_value(CGROUP "/memory.stat", "pgfault"));

	pid = overeat("0");
	ASSERT_LE(0, pid);
	ASSERT_EQ(pid, wait4(pid, &status, 0, &usage));
	EXPECT_TRUE(WIFSIGNALED(status) ||
		    WEXITSTATUS(status) == RESP_INVALID)
		TH_LOG("status %x", status);
	EXPECT_FALSE(pace_over(start, 20000));
	EXPECT_EQ(0, rmdir(CGROUP));

	/* The workers still work. */
	EXPECT_EQ(0, device_fill(map(4 * MB, MAP_PRIVATE, -1), 4 * MB, SEED));
}

/**
 * struct throttled - what a throttled process has measured
 * @status: the status of its job
 * @seconds: how long the job took
 * @changes: how often it changed the mapping during the job
 * @longest: how long the longest of these calls took, in seconds
 */
struct throttled {
	int status;
	double seconds;
	unsigned int changes;
	double longest;
};

/*
 * Fork a child in the cgroup that lets the device fill more than memory.high allows,
 * and changes the mapping meanwhile. The change needs the locks for writing, and no
 * memory: for kernel memory that is charged to the cgroup, as munmap() needs it now and
 * then, the child would be throttled itself.
 */
static pid_t fill_and_change(struct throttled *seen)
{
	struct softacc_completion end;
	size_t len = 16 * MB;
	pid_t pid = fork();
	double start;
	char *area;
	int fd;

	if (pid)
		return pid;
	fd = acc_open(8, 16, 1);
	area = map(len, MAP_PRIVATE, -1);
	if (fd < 0 || area == MAP_FAILED)
		_exit(10);
	madvise(area, len, MADV_NOHUGEPAGE);
	if (write_file(CGROUP "/cgroup.procs", "0") ||
	    acc_submit(fd, SOFTACC_OP_FILL, NULL, area, 5 * MB, SEED))
		_exit(11);
	start = pace_seconds();
	memset(&end, 0, sizeof(end));
	while (acc_reap(fd, &end, 20) && errno == ETIMEDOUT) {
		double begun = pace_seconds();
		double waited;

		madvise(area, len, ++seen->changes % 2 ? MADV_DONTFORK : MADV_DOFORK);
		waited = pace_seconds() - begun;
		if (waited > seen->longest)
			seen->longest = waited;
	}
	seen->seconds = pace_seconds() - start;
	seen->status = end.status;
	_exit(0);
}

/*
 * While the process is throttled for exceeding memory.high, its address space is not
 * locked: each change of its own to the mapping takes a small part of that time, where it
 * would wait for all of it. The kernel's own queue does not charge the process at all.
 */
TEST_F(mm, throttled_unlocked)
{
	struct throttled *seen = map(PAGE, MAP_SHARED, -1);
	int status;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, seen);
	ASSERT_EQ(0, enter_cgroup());
	write_file("/sys/fs/cgroup/cgroup.procs", "0");
	write_file(CGROUP "/memory.swap.max", "0");
	ASSERT_EQ(0, write_file(CGROUP "/memory.high", "4M"));
	pid = fill_and_change(seen);
	ASSERT_LE(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, seen->status);
	TH_LOG("%.1f s, %u changes meanwhile, which took %.1f ms each at most",
	       seen->seconds, seen->changes, 1e3 * seen->longest);
	EXPECT_LT(0, seen->changes);
	EXPECT_TRUE(seen->longest < 0.1 + seen->seconds / 4);
	EXPECT_EQ(0, rmdir(CGROUP));
}

/* Faults are counted for the process, whichever thread handles them. */
TEST_F(mm, faults_are_counted)
{
	size_t len = 8 * MB;
	char *area = map(len, MAP_PRIVATE, -1);
	struct rusage before;
	long faults;

	ASSERT_NE(MAP_FAILED, area);
	madvise(area, len, MADV_NOHUGEPAGE);
	getrusage(RUSAGE_SELF, &before);
	EXPECT_EQ(0, device_fill(area, len, SEED));
	pace_wait(5000, faults_since(&before, false) >= len / PAGE);
	faults = faults_since(&before, false);
	EXPECT_LE(len / PAGE, faults);
	EXPECT_GT(2 * len / PAGE, faults);
}

/*
 * Return the bytes per second that a device of this process fills, or 0. Measure for
 * half a second: a shorter measurement shows mostly which thread the host runs.
 */
static double throughput(void)
{
	struct softacc_completion end;
	size_t len = 32 * MB;
	int fd = acc_open(8, 16, 1);
	void *area = map(len, MAP_PRIVATE, -1);
	double start = pace_clock(CLOCK_MONOTONIC);
	double done = 0;
	double passed;

	do {
		madvise(area, len, MADV_DONTNEED);
		if (fd < 0 || acc_run(fd, SOFTACC_OP_FILL, NULL, area, len,
				      SEED, &end)) {
			done = 0;
			break;
		}
		done += len;
		passed = (pace_clock(CLOCK_MONOTONIC) - start) / 1e9;
	} while (passed < 0.5);
	munmap(area, len);
	close(fd);
	return done ? done / passed : 0;
}

/*
 * The device's writes wait for a frozen file system, for several times the timeout of a
 * group, and continue when it is thawed. The upstream queue has no timeout.
 */
TEST_F(mm, frozen_and_thawed)
{
	size_t len = 64 * PAGE;
	struct softacc_completion end;
	int dir = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int file = open("/mnt/frozen", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int fd = acc_open(8, 16, 1);
	void *area;

	ASSERT_LE(0, dir);
	ASSERT_LE(0, file);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ftruncate(file, len));
	area = map(len, MAP_SHARED, file);
	ASSERT_NE(MAP_FAILED, area);
	ASSERT_EQ(0, fsync(file));
	write_file(TIMEOUT, "1");
	ASSERT_EQ(0, ioctl(dir, FIFREEZE, 0));
	EXPECT_EQ(0, acc_submit(fd, SOFTACC_OP_FILL, NULL, area, len, SEED));
	/* The library's timers follow the clock, not the machine's time. */
	EXPECT_EQ(-1, acc_reap(fd, &end, 3500));
	EXPECT_EQ(0, ioctl(dir, FITHAW, 0));
	write_file(TIMEOUT, "10");
	EXPECT_EQ(0, acc_reap(fd, &end, 20000));
	EXPECT_EQ(0, end.status);
	EXPECT_EQ(-1, acc_verify(area, len, SEED));
	munmap(area, len);
	close(file);
	unlink("/mnt/frozen");
	close(fd);
	close(dir);
}

/*
 * The device also waits for a userfaultfd that takes several times the timeout of a
 * group.
 */
TEST_F(mm, slow_user_space)
{
	size_t len = 4 * PAGE;
	struct softacc_completion end;
	void *area = map(len, MAP_PRIVATE, -1);
	int fd = acc_open(8, 16, 1);
	int uffd;
	int i;

	ASSERT_LE(0, fd);
	uffd = uffd_register(area, len, UFFDIO_REGISTER_MODE_MISSING, 0);
	ASSERT_LE(0, uffd);
	if (access(TIMEOUT, F_OK))
		SKIP(return, "upstream's queue refuses faults in userfaultfd ranges");
	write_file(TIMEOUT, "1");
	EXPECT_EQ(0, acc_submit(fd, SOFTACC_OP_FILL, NULL, area, len, SEED));
	EXPECT_EQ(-1, acc_reap(fd, &end, 3500));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, uffd_provide(uffd, area + i * PAGE));
	EXPECT_EQ(0, acc_reap(fd, &end, 20000));
	write_file(TIMEOUT, "10");
	EXPECT_EQ(0, end.status);
	EXPECT_EQ(-1, acc_verify(area, len, SEED));
	close(uffd);
	close(fd);
	munmap(area, len);
}

/* Start another process with 512 faults of its device that sleep. */
static pid_t start_asleep(void)
{
	char line[16];
	int out[2];
	pid_t pid;

	if (pipe(out))
		return -1;
	pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		execlp("asleep", "asleep", "512", NULL);
		_exit(1);
	}
	close(out[1]);
	if (read(out[0], line, sizeof(line)) <= 0)
		pid = -1;
	close(out[0]);
	return pid;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return x < y ? -1 : x > y;
}

#define FEW_ROUNDS	7
#define MANY_ROUNDS	21

/*
 * While 512 faults of one process sleep, the throughput of another one stays the same.
 * Runs with sleepers are compared with the runs right before and after them, as other
 * load on the machine affects all of these. If the first rounds do not show it, there
 * are more; the median is that of all. A debug kernel on an idle machine takes half a
 * minute for the first rounds.
 */
TEST_F_TIMEOUT(mm, asleep_beside, 180)
{
	double ratios[MANY_ROUNDS];
	double slowest = 0;
	double before;
	double start;
	int status;
	int n = 0;
	pid_t pid;

	/* Sleepers that are killed end at once, not after their timeout. */
	write_file(TIMEOUT, "100");
	throughput();
	before = throughput();
	do {
		double beside;
		double after;

		pid = start_asleep();
		ASSERT_LT(0, pid);
		beside = throughput();

		start = pace_seconds();
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		start = pace_seconds() - start;
		if (start > slowest)
			slowest = start;
		after = throughput();
		ASSERT_LT(0, before);
		ASSERT_LT(0, after);
		ratios[n++] = 2 * beside / (before + after);
		before = after;
		qsort(ratios, n, sizeof(*ratios), compare);
	} while (n < FEW_ROUNDS || (n < MANY_ROUNDS && ratios[n / 2] <= 0.6));
	write_file(TIMEOUT, "10");
	ksft_print_msg("beside 512 asleep: %.0f percent (%.0f to %.0f, %d rounds)\n",
		       100 * ratios[n / 2], 100 * ratios[0],
		       100 * ratios[n - 1], n);
	ksft_print_msg("killed within %.3f s\n", slowest);
	/* The promise is 90 percent; on a shared machine two runs differ by more. */
	EXPECT_LT(0.6, ratios[n / 2]);
	EXPECT_GT(1, slowest);
}

/* A PASID with 512 sleeping faults is unbound at once. */
TEST_F(mm, unbound_asleep)
{
	struct softacc_inject request = {
		.flags = SOFTACC_INJECT_LAST,
		.perm = 2,
	};
	char *area = map(16 * PAGE, MAP_PRIVATE, -1);
	int uffd = uffd_register(area, 16 * PAGE, UFFDIO_REGISTER_MODE_MISSING, 0);
	int fd = acc_open(8, 16, 1);
	double start;
	int i;

	ASSERT_LE(0, uffd);
	ASSERT_LE(0, fd);
	/* The timeout must not end the faults, however slow the machine is. */
	write_file(TIMEOUT, "100");
	for (i = 0; i < 512; i++) {
		request.grpid = SOFTACC_INJECT_GRPID + i;
		request.addr = (uintptr_t)area + i % 16 * PAGE;
		ASSERT_EQ(0, ioctl(fd, SOFTACC_IOC_INJECT, &request));
	}
	ASSERT_TRUE(uffd_asleep(uffd));
	start = pace_seconds();
	close(fd);
	start = pace_seconds() - start;
	EXPECT_GT(1, start)
		TH_LOG("%.1f s", start);
	/* Other processes can bind meanwhile: the global SVA lock is not held. */
	start = pace_seconds();
	fd = acc_open(8, 16, 1);
	EXPECT_LE(0, fd);
	EXPECT_FALSE(pace_over(start, 1000));
	write_file(TIMEOUT, "10");
	close(fd);
	close(uffd);
}

TEST_HARNESS_MAIN
