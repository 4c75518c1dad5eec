// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that sleep, up to the maximum number
 *
 * Faults beside them continue, groups for one page wait together, and a group that ends
 * for any reason wakes its followers.
 *
 * The library's timeout is off, except where a test is about it: a device that tries
 * again would hide a lost wake-up.
 *
 * While faults sleep the process must not change its mappings, and so must not allocate
 * memory: faults on the upstream queue sleep with the mmap_lock held, and faults in a
 * frozen file system sleep with the VMA locked on both queues. So whatever a test needs
 * is allocated before.
 *
 * guest-setup.sh creates the file system and the disk.
 */
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "acc.h"
#include "file.h"
#include "harness.h"
#include "uffd.h"

#define ASLEEP		"/sys/module/softacc/parameters/asleep"
#define TIMEOUT		"/sys/module/iopf/parameters/prq_timeout"
#define TRACING		"/sys/kernel/tracing/"
#define PAGE		4096UL
#define MB		(1UL << 20)
#define HUGE_PAGE	(2 * MB)
#define SEED		0x5eed

/*
 * Indices of groups that sleep begin with the first one, those of probes with the
 * second.
 */
#define GRPID		SOFTACC_INJECT_GRPID
#define GRPID_PROBE	(GRPID + 0x8000)

#define PERM_READ	(1 << 0)
#define PERM_WRITE	(1 << 1)

/* enum iommu_page_response_code */
#define RESP_SUCCESS	0
#define RESP_INVALID	1

#define PROBE_PAGES	1024
#define PROBES		20

/*
 * Pages of the slow disk that a test uses, and when its reads end. null_blk reports a
 * timeout after 5 seconds.
 */
#define DISK_PAGES	1024
#define DISK_SECONDS	4

#define NEVER		1e9

/* Read the beginning of a file as a string, empty if there is no file. */
static void read_file(const char *path, char *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, buffer, size - 1);

	buffer[len < 0 ? 0 : len] = 0;
	if (fd >= 0)
		close(fd);
}

static bool is_upstream(void)
{
	return access(TIMEOUT, F_OK);
}

/* Debug kernels have kmemleak. */
static bool is_debug(void)
{
	return !access("/sys/kernel/debug/kmemleak", F_OK);
}

/* Return the longest time that a fault beside sleepers may take, in ms. */
static double limit_ms(void)
{
	return is_debug() ? 1000 : 50;
}

/*
 * Return how many faults of a queue may sleep at the same time on the upstream
 * workqueue.
 */
static unsigned int slots(void)
{
	struct utsname name;

	return !uname(&name) && atoi(name.release) >= 7 ? 1024 : 256;
}

/* A single PASID may have as many sleepers as the upstream queue; stay below that. */
static unsigned int most_sleepers(void)
{
	return slots() - 8;
}

static unsigned int many_sleepers(void)
{
	return most_sleepers() < 200 ? most_sleepers() : 200;
}

/* Sort by size. qsort() may allocate memory. */
static void sort(double *values, int n)
{
	int i;
	int j;

	for (i = 1; i < n; i++) {
		double value = values[i];

		for (j = i; j > 0 && values[j - 1] > value; j--)
			values[j] = values[j - 1];
		values[j] = value;
	}
}

/* Count kernel threads that sleep in a fault. */
static int asleep(void)
{
	char count[16];

	read_file(ASLEEP, count, sizeof(count));
	return atoi(count);
}

/* The same, without threads that wait for something else for a moment. */
static int asleep_for_long(void)
{
	int least = asleep();
	int i;

	for (i = 0; i < 2; i++) {
		int count;

		usleep(20000);
		count = asleep();
		if (count < least)
			least = count;
	}
	return least;
}

/*
 * Return the bytes of anonymous memory of all processes. Free memory is less exact:
 * each CPU has pages of its own.
 */
static unsigned long anonymous_memory(void)
{
	static char text[4096];
	char *line;

	read_file("/proc/meminfo", text, sizeof(text));
	line = strstr(text, "AnonPages:");
	return line ? strtoul(line + 10, NULL, 10) * 1024 : 0;
}

/**
 * struct device - a file of the accelerator, and memory to measure with
 * @fd: the file
 * @memory: anonymous memory that was never touched
 * @probed: pages of it that were requested
 * @responded: groups of sleepers with a response
 * @failed: those of them whose response was not Success
 */
struct device {
	int fd;
	char *memory;
	unsigned int probed;
	unsigned int responded;
	unsigned int failed;
};

static int device_open(struct device *dev)
{
	memset(dev, 0, sizeof(*dev));
	dev->memory = map(PROBE_PAGES * PAGE, MAP_PRIVATE, -1);
	if (dev->memory == MAP_FAILED)
		return -1;
	madvise(dev->memory, PROBE_PAGES * PAGE, MADV_NOHUGEPAGE);
	dev->fd = acc_open(1, 1, 1);
	return dev->fd < 0 ? -1 : 0;
}

/* Send a group of one page. With @more, others follow at once. */
static int send_group(struct device *dev, uint32_t grpid, const void *page,
		      uint32_t perm, bool more)
{
	struct softacc_inject request = {
		.flags = SOFTACC_INJECT_LAST | (more ? SOFTACC_INJECT_MORE : 0),
		.grpid = grpid,
		.perm = perm,
		.addr = (uintptr_t)page,
	};
	int ret;

	while ((ret = ioctl(dev->fd, SOFTACC_IOC_INJECT, &request)) &&
	       errno == EAGAIN)
		usleep(1000);
	return ret;
}

/* Take the available responses. Return true if the one of @grpid was among them. */
static bool take_responses(struct device *dev, uint32_t grpid,
			   struct softacc_response *response)
{
	while (!ioctl(dev->fd, SOFTACC_IOC_RESPONSE, response)) {
		if (response->grpid == grpid)
			return true;
		if (response->grpid >= GRPID_PROBE)
			continue;
		dev->responded++;
		dev->failed += response->code != RESP_SUCCESS;
	}
	return false;
}

static bool all_responded(struct device *dev, unsigned int count)
{
	struct softacc_response response;

	take_responses(dev, 0, &response);
	return dev->responded >= count;
}

/* Return the ms of the machine's time that the fault of the next probe takes. */
static double await_probe(struct device *dev)
{
	uint32_t grpid = GRPID_PROBE + dev->probed++;
	struct softacc_response response;

	if (!pace_wait(3000, take_responses(dev, grpid, &response)) ||
	    response.code != RESP_SUCCESS)
		return NEVER;
	return response.ns / 1e6 * atomic_load(&pace->percent) / 100;
}

static double probe(struct device *dev)
{
	if (dev->probed >= PROBE_PAGES ||
	    send_group(dev, GRPID_PROBE + dev->probed,
		       dev->memory + dev->probed * PAGE, PERM_WRITE, false))
		return NEVER;
	return await_probe(dev);
}

/**
 * struct beside - another process that uses the device
 * @pid: the process
 * @ask: pipe for commands
 * @told: pipe for its replies
 */
struct beside {
	pid_t pid;
	int ask;
	int told;
};

#define BESIDE_PROBE	'p'	/* measure the time of a fault */
#define BESIDE_SLEEP	's'	/* try to have a fault sleep */

/* Return 1 if the fault sleeps. */
static double try_to_sleep(struct device *dev, char *page, int uffd)
{
	struct uffd_msg msg;

	fcntl(uffd, F_SETFL, O_NONBLOCK);
	if (send_group(dev, GRPID, page, PERM_WRITE, false))
		return 0;
	return pace_wait(5000, read(uffd, &msg, sizeof(msg)) == sizeof(msg));
}

static void beside_main(int ask, int told)
{
	char *page = map(PAGE, MAP_PRIVATE, -1);
	int uffd = uffd_register(page, PAGE, UFFDIO_REGISTER_MODE_MISSING, 0);
	struct device dev;
	double response;
	char what;

	if (uffd < 0 || device_open(&dev))
		_exit(1);
	/* The first fault of a process takes longer than others. */
	response = probe(&dev);
	while (write(told, &response, sizeof(response)) == sizeof(response) &&
	       read(ask, &what, 1) == 1)
		response = what == BESIDE_SLEEP ? try_to_sleep(&dev, page, uffd) :
						probe(&dev);
	_exit(0);
}

static double query_beside(struct beside *beside, char what)
{
	double response;

	if ((what && write(beside->ask, &what, 1) != 1) ||
	    read(beside->told, &response, sizeof(response)) != sizeof(response))
		return NEVER;
	return response;
}

static int start_beside(struct beside *beside)
{
	int to[2];
	int from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -1;
	beside->pid = fork();
	if (!beside->pid) {
		close(to[1]);
		close(from[0]);
		beside_main(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	beside->ask = to[1];
	beside->told = from[0];
	return beside->pid < 0 || query_beside(beside, 0) == NEVER ? -1 : 0;
}

static void stop_beside(struct beside *beside)
{
	close(beside->ask);
	close(beside->told);
	waitpid(beside->pid, NULL, 0);
}

/* What the faults of a test sleep for */
enum kind {
	KIND_USERFAULTFD,	/* user space, which does not serve them */
	KIND_FROZEN,		/* a frozen file system */
	KIND_DISK,		/* reading a page from a slow disk */
	/*
	 * A locked page: another thread reads ahead from the slow disk, and the pages
	 * stay locked in the page cache until they are read. User space has no better
	 * way to lock many pages at a time. If the page cache has large folios, this
	 * includes several pages of one locked folio.
	 */
	KIND_LOCKED,
};

/**
 * struct source - memory whose faults sleep
 * @kind: what they sleep for
 * @area: the memory
 * @pages: its size
 * @perm: the access that sleeps
 * @asked: pages that the device has requested, from the first one
 * @ended: pages whose faults no longer sleep, or never did
 * @fd: the file, or the userfaultfd
 * @dir: the root of the file system
 * @guard: the process that thaws it, see start_guard()
 * @leash: pipe whose closing ends the guard
 */
struct source {
	enum kind kind;
	char *area;
	unsigned int pages;
	uint32_t perm;
	unsigned int asked;
	unsigned int ended;
	int fd;
	int dir;
	pid_t guard;
	int leash;
};

/*
 * A process whose faults sleep in a frozen file system cannot end, not even when it is
 * killed. So another process, which does not belong to the test, thaws it when the test
 * ends or takes too long.
 */
static int start_guard(struct source *source)
{
	struct pollfd leash;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	source->guard = fork();
	if (!source->guard) {
		double start = pace_seconds();

		setsid();
		close(ends[1]);
		leash.fd = ends[0];
		leash.events = POLLIN;
		while (!poll(&leash, 1, 100) && !pace_over(start, 100000))
			;
		ioctl(source->dir, FITHAW, 0);
		_exit(0);
	}
	close(ends[0]);
	source->leash = ends[1];
	return source->guard < 0 ? -1 : 0;
}

/*
 * Thaw the file system after a failed assertion: the test cannot unmap memory before
 * that, which the harness does first.
 */
static void thaw(void)
{
	int dir = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ioctl(dir, FITHAW, 0);
	close(dir);
}

static int open_frozen(struct source *source)
{
	size_t len = source->pages * PAGE;

	source->perm = PERM_WRITE;
	source->dir = open("/mnt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	source->fd = open("/mnt/sleepers", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC,
			  0600);
	if (source->dir < 0 || source->fd < 0 || ftruncate(source->fd, len))
		return -1;
	unlink("/mnt/sleepers");
	source->area = map(len, MAP_SHARED, source->fd);
	return fsync(source->fd) ?: start_guard(source);
}

/* Each test has pages of its own, as they stay in the page cache. */
static int open_disk(struct source *source)
{
	off_t offset = source->kind * DISK_PAGES * PAGE;
	size_t len = source->pages * PAGE;

	source->perm = PERM_READ;
	/* The disk appears after its partition table has been read. */
	if (!pace_wait(20000, !access("/dev/sleepers", R_OK)))
		return -1;
	source->fd = open("/dev/sleepers", O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		return -1;
	posix_fadvise(source->fd, offset, len, POSIX_FADV_DONTNEED);
	source->area = mmap(NULL, len, PROT_READ, MAP_SHARED, source->fd, offset);
	/* Each fault of the device shall read one page. */
	return source->area == MAP_FAILED ? -1 :
	       madvise(source->area, len, MADV_RANDOM);
}

static int source_open(struct source *source, enum kind kind, unsigned int pages)
{
	*source = (struct source){
		.kind = kind,
		.pages = pages,
		.perm = PERM_WRITE,
		.dir = -1,
		.leash = -1,
	};
	switch (kind) {
	case KIND_FROZEN:
		return open_frozen(source);
	case KIND_DISK:
	case KIND_LOCKED:
		return open_disk(source);
	default:
		source->area = map(pages * PAGE, MAP_PRIVATE, -1);
		madvise(source->area, pages * PAGE, MADV_NOHUGEPAGE);
		source->fd = uffd_register(source->area, pages * PAGE,
					   UFFDIO_REGISTER_MODE_MISSING,
					   UFFD_FEATURE_POISON);
		return source->fd < 0 ? -1 : 0;
	}
}

/* Let faults sleep from now on. */
static int source_begin(struct source *source)
{
	switch (source->kind) {
	case KIND_FROZEN:
		return ioctl(source->dir, FIFREEZE, 0);
	case KIND_LOCKED:
		return posix_fadvise(source->fd, KIND_LOCKED * DISK_PAGES * PAGE,
				     source->pages * PAGE, POSIX_FADV_WILLNEED);
	default:
		return 0;
	}
}

/* Wake the faults. Those of a disk wake by themselves. */
static int source_end(struct source *source)
{
	struct uffdio_zeropage zero = {
		.range = {
			(uintptr_t)source->area + source->ended * PAGE,
			(source->asked - source->ended) * PAGE,
		},
	};

	source->ended = source->asked;
	switch (source->kind) {
	case KIND_FROZEN:
		return ioctl(source->dir, FITHAW, 0);
	case KIND_USERFAULTFD:
		return zero.range.len ? ioctl(source->fd, UFFDIO_ZEROPAGE, &zero) : 0;
	default:
		return 0;
	}
}

static void source_close(struct source *source)
{
	if (source->leash >= 0) {
		close(source->leash);
		waitpid(source->guard, NULL, 0);
	}
	munmap(source->area, source->pages * PAGE);
	close(source->fd);
	if (source->dir >= 0)
		close(source->dir);
}

/*
 * Request pages up to @count, each in a group of its own, in bursts that fit the ring.
 * With @more something else follows.
 */
static int source_request(struct source *source, struct device *dev,
			  unsigned int count, bool more)
{
	for (; source->asked < count; source->asked++)
		if (send_group(dev, GRPID + source->asked,
			       source->area + source->asked * PAGE, source->perm,
			       (source->asked + 1 < count && (source->asked + 1) % 32) ||
			       (source->asked + 1 == count && more)))
			return -1;
	return 0;
}

/**
 * struct env - the environment of a test
 * @device: the file of this process
 * @beside: another process
 * @source: memory whose faults sleep
 * @spurious: responses for no group that the device counted before the test
 * @forgotten: groups without a response that the device counted before the test
 */
struct env {
	struct device device;
	struct beside beside;
	struct source source;
	uint64_t spurious;
	uint64_t forgotten;
};

static void env_begin(struct __test_metadata *_metadata, struct env *env,
		      enum kind kind, unsigned int pages)
{
	struct softacc_stats stats;

	if (kind == KIND_USERFAULTFD && is_upstream())
		SKIP(return, "upstream's queue refuses faults in userfaultfd ranges");
	harness_on_assert = thaw;
	ASSERT_EQ(0, access(ASLEEP, R_OK));
	write_file(TIMEOUT, "0");
	ASSERT_EQ(0, start_beside(&env->beside));
	ASSERT_EQ(0, source_open(&env->source, kind, pages))
		TH_LOG("no memory whose faults sleep: %s", strerror(errno));
	ASSERT_EQ(0, device_open(&env->device))
		TH_LOG("%s: %s", ACC_DEVICE, strerror(errno));
	ASSERT_EQ(0, ioctl(env->device.fd, SOFTACC_IOC_DEV_STATS, &stats));
	env->spurious = stats.spurious;
	env->forgotten = stats.forgotten;
	EXPECT_GT(NEVER, probe(&env->device));
}

/* No thread still sleeps, no response was lost, and none came twice. */
static void env_end(struct __test_metadata *_metadata, struct env *env)
{
	struct softacc_stats stats;
	struct device dev;

	source_end(&env->source);
	if (env->device.fd >= 0)
		close(env->device.fd);
	source_close(&env->source);
	stop_beside(&env->beside);
	EXPECT_TRUE(pace_wait(2000 * DISK_SECONDS, !asleep()));
	ASSERT_EQ(0, device_open(&dev));
	ASSERT_EQ(0, ioctl(dev.fd, SOFTACC_IOC_DEV_STATS, &stats));
	EXPECT_EQ(0, stats.outstanding);
	EXPECT_EQ(env->spurious, stats.spurious);
	EXPECT_EQ(env->forgotten, stats.forgotten);
	close(dev.fd);
	write_file(TIMEOUT, "10");
}

/* The library's timeout is global, and a test that was killed leaves it changed. */
static void __attribute__((destructor)) restore_timeout(void)
{
	write_file(TIMEOUT, "10");
}

/*
 * Compare the median of faults of this process and of another one with the limit, while
 * all faults of the source sleep. A fault that is not served at all ends the
 * measurement.
 */
static void expect_served(struct __test_metadata *_metadata, struct env *env)
{
	double same[PROBES];
	double other[PROBES];
	double latency = 0;
	int n;

	for (n = 0; n < PROBES && latency < NEVER && !env->device.responded; n++) {
		same[n] = probe(&env->device);
		other[n] = query_beside(&env->beside, BESIDE_PROBE);
		latency = same[n] > other[n] ? same[n] : other[n];
	}
	EXPECT_TRUE(n >= PROBES / 4 || latency == NEVER)
		TH_LOG("the faults woke up by themselves after %d probes", n);
	if (!n)
		return;
	ksft_print_msg("%u asked for, %d asleep\n",
		       env->source.asked - env->source.ended, asleep());
	ASSERT_GT(NEVER, same[n - 1])
		TH_LOG("a fault of the same process is not served");
	ASSERT_GT(NEVER, other[n - 1])
		TH_LOG("a fault of another process is not served");
	sort(same, n);
	sort(other, n);
	ksft_print_msg("median %.2f ms, of another process %.2f ms\n",
		       same[n / 2], other[n / 2]);
	EXPECT_GT(limit_ms(), same[n / 2]);
	EXPECT_GT(limit_ms(), other[n / 2]);
}

/* Expect that all faults of the source end with Success. */
static void expect_all_end(struct __test_metadata *_metadata, struct env *env)
{
	EXPECT_TRUE(pace_wait(20000, all_responded(&env->device, env->source.asked)))
		TH_LOG("%u of %u faults had a response", env->device.responded,
		       env->source.asked);
	EXPECT_EQ(0, env->device.failed);
}

/* Expect that up to @count faults of the source sleep. */
static void expect_asleep(struct __test_metadata *_metadata, struct env *env,
			  unsigned int count)
{
	ASSERT_EQ(0, source_request(&env->source, &env->device, count, false));
	EXPECT_TRUE(pace_wait(count < 256 ? 4000 : 60000,
			      asleep() >= count - env->source.ended))
		TH_LOG("%d of %u faults sleep", asleep(), count);
}

FIXTURE(beside)
{
	struct env env;
};

FIXTURE_VARIANT(beside)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(beside, userfaultfd) { .kind = KIND_USERFAULTFD, };
FIXTURE_VARIANT_ADD(beside, frozen) { .kind = KIND_FROZEN, };
FIXTURE_VARIANT_ADD(beside, disk) { .kind = KIND_DISK, };
FIXTURE_VARIANT_ADD(beside, locked_pages) { .kind = KIND_LOCKED, };

FIXTURE_SETUP(beside)
{
	env_begin(_metadata, &self->env, variant->kind, many_sleepers());
}

FIXTURE_TEARDOWN(beside)
{
	env_end(_metadata, &self->env);
}

/* However many faults sleep, for any reason, one more fault does not wait for them. */
TEST_F_TIMEOUT(beside, sleepers, 120)
{
	const unsigned int counts[] = { 16, 32, many_sleepers() };
	struct env *env = &self->env;
	int i;

	ASSERT_EQ(0, source_begin(&env->source));
	for (i = 0; i < 3 && !_metadata->exit_code; i++) {
		expect_asleep(_metadata, env, counts[i]);
		expect_served(_metadata, env);
	}
	EXPECT_EQ(0, source_end(&env->source));
	expect_all_end(_metadata, env);
}

#define VICTIM_MEMORY	(64 * MB)
#define VICTIM_SLEEPERS	8

FIXTURE(owner)
{
	struct env env;
};

FIXTURE_VARIANT(owner)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(owner, userfaultfd) { .kind = KIND_USERFAULTFD, };
FIXTURE_VARIANT_ADD(owner, frozen) { .kind = KIND_FROZEN, };
FIXTURE_VARIANT_ADD(owner, disk) { .kind = KIND_DISK, };
FIXTURE_VARIANT_ADD(owner, locked_pages) { .kind = KIND_LOCKED, };

FIXTURE_SETUP(owner)
{
	env_begin(_metadata, &self->env, variant->kind, VICTIM_SLEEPERS);
}

FIXTURE_TEARDOWN(owner)
{
	env_end(_metadata, &self->env);
}

/*
 * Run as a process with much memory whose faults sleep. When they do it writes the
 * descriptor of its device to @told. A userfaultfd is its own, other sources are the
 * parent's.
 */
static void owner_main(struct source *source, int told)
{
	void *memory = map(VICTIM_MEMORY, MAP_PRIVATE, -1);
	struct device dev;

	if (memory == MAP_FAILED || device_open(&dev) ||
	    (source->kind == KIND_USERFAULTFD &&
	     source_open(source, KIND_USERFAULTFD, VICTIM_SLEEPERS)))
		_exit(1);
	memset(memory, 1, VICTIM_MEMORY);
	if (source_begin(source) ||
	    source_request(source, &dev, VICTIM_SLEEPERS, false) ||
	    !pace_wait(2000, asleep() >= VICTIM_SLEEPERS))
		_exit(2);
	if (write(told, &dev.fd, sizeof(dev.fd)) == sizeof(dev.fd))
		pause();
	_exit(3);
}

/*
 * Return how long faults that cannot be killed may take, in ms: as long as the disk on
 * the upstream queue.
 */
static double end_ms(enum kind kind)
{
	if (is_upstream() && (kind == KIND_DISK || kind == KIND_LOCKED))
		return 1000 * (DISK_SECONDS + 1);
	return 1000;
}

/*
 * The owner is killed while another process has its device's file open, so nothing is
 * unbound. Its faults must still end within a second, or within a second of waking
 * where they cannot be killed, and its memory is freed.
 */
TEST_F_TIMEOUT(owner, killed_with_open_file, 60)
{
	struct env *env = &self->env;
	unsigned long memory = anonymous_memory();
	int device = -1;
	int told[2];
	int status;
	int pidfd;
	pid_t pid;
	int fd;

	ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(told[0]);
		owner_main(&env->source, told[1]);
	}
	close(told[1]);
	EXPECT_EQ(sizeof(fd), read(told[0], &fd, sizeof(fd)));
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	if (pidfd >= 0)
		device = syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	EXPECT_LE(0, device)
		TH_LOG("no file of the owner: %s", strerror(errno));
	EXPECT_LT(memory + VICTIM_MEMORY / 2, anonymous_memory());

	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status))
		TH_LOG("status %x", status);
	if (variant->kind == KIND_FROZEN) {
		usleep(1500000);
		EXPECT_LE(VICTIM_SLEEPERS, asleep());
		thaw();
	}
	EXPECT_TRUE(pace_wait(end_ms(variant->kind), !asleep()));
	EXPECT_TRUE(pace_wait(1000, anonymous_memory() < memory + VICTIM_MEMORY / 2))
		TH_LOG("its memory does not come back");
	close(device);
	close(pidfd);
	close(told[0]);
}

FIXTURE(many)
{
	struct env env;
};

FIXTURE_VARIANT(many)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(many, userfaultfd) { .kind = KIND_USERFAULTFD, };
FIXTURE_VARIANT_ADD(many, frozen) { .kind = KIND_FROZEN, };

FIXTURE_SETUP(many)
{
	env_begin(_metadata, &self->env, variant->kind, slots() + 64);
}

FIXTURE_TEARDOWN(many)
{
	env_end(_metadata, &self->env);
}

#define BURST	32
#define BURSTS	5

/*
 * The device requests pages whose faults sleep and, last, one whose fault does not, all
 * at once. The worker that takes one after the other must not be delayed.
 */
TEST_F_TIMEOUT(many, in_one_burst, 60)
{
	struct env *env = &self->env;
	struct source *source = &env->source;
	double latency[BURSTS];
	int i;

	for (i = 0; i < BURSTS; i++) {
		ASSERT_EQ(0, source_begin(source));
		ASSERT_EQ(0, source_request(source, &env->device,
					    source->ended + BURST, true));
		latency[i] = probe(&env->device);
		ASSERT_GT(NEVER, latency[i])
			TH_LOG("the fault behind %d sleepers is not served", BURST);
		EXPECT_EQ(0, source_end(source));
		expect_all_end(_metadata, env);
	}
	sort(latency, BURSTS);
	ksft_print_msg("behind %d sleepers: median %.2f ms, at most %.2f ms\n",
		       BURST, latency[BURSTS / 2], latency[BURSTS - 1]);
	EXPECT_GT(limit_ms(), latency[BURSTS / 2]);
}

/* As many faults may sleep as on the upstream queue. */
TEST_F_TIMEOUT(many, as_upstream, 180)
{
	struct env *env = &self->env;

	ASSERT_EQ(0, source_begin(&env->source));
	/* Check a few first: the rest takes long. */
	expect_asleep(_metadata, env, 64);
	if (!_metadata->exit_code) {
		expect_asleep(_metadata, env, most_sleepers());
		expect_served(_metadata, env);
	}
	EXPECT_EQ(0, source_end(&env->source));
	expect_all_end(_metadata, env);
}

/*
 * The device tries again when a group times out. The new fault must follow the one that
 * sleeps, without a sleeper of its own.
 */
TEST_F_TIMEOUT(many, asked_again, 60)
{
	struct env *env = &self->env;
	struct softacc_completion end;
	size_t len = 8 * PAGE;
	int at_first;
	int most;
	double start;
	int fd;

	fd = acc_open(1, 8, 1);
	ASSERT_LE(0, fd);
	write_file(TIMEOUT, "1");
	ASSERT_EQ(0, source_begin(&env->source));
	ASSERT_EQ(0, acc_submit(fd, SOFTACC_OP_FILL, NULL, env->source.area, len,
				SEED));
	EXPECT_TRUE(pace_wait(4000, asleep() >= 8));
	at_first = asleep_for_long();
	most = at_first;
	/* The library's timers follow the clock, not the machine's time. */
	start = pace_clock(CLOCK_MONOTONIC);
	while (pace_clock(CLOCK_MONOTONIC) - start < 5e9) {
		int now = asleep_for_long();

		if (now > most)
			most = now;
		usleep(200000);
	}
	EXPECT_EQ(-1, acc_reap(fd, &end, 1));
	EXPECT_EQ(at_first, most);
	env->source.asked = 8;
	EXPECT_EQ(0, source_end(&env->source));
	ASSERT_EQ(0, acc_reap(fd, &end, 20000));
	ksft_print_msg("%d asleep, later %d; asked again %llu times\n", at_first,
		       most, (unsigned long long)end.retries);
	EXPECT_EQ(0, end.status);
	EXPECT_EQ(-1, acc_verify(env->source.area, len, SEED));
	/* Eight pages, at least four times each */
	if (!is_upstream())
		EXPECT_LE(32, end.retries);
	close(fd);
	env->source.asked = 0;
}

FIXTURE(followers)
{
	struct env env;
};

FIXTURE_VARIANT(followers)
{
	enum kind kind;
};

FIXTURE_VARIANT_ADD(followers, userfaultfd) { .kind = KIND_USERFAULTFD, };
FIXTURE_VARIANT_ADD(followers, frozen) { .kind = KIND_FROZEN, };

FIXTURE_SETUP(followers)
{
	env_begin(_metadata, &self->env, variant->kind, 1);
}

FIXTURE_TEARDOWN(followers)
{
	env_end(_metadata, &self->env);
}

#define FOLLOWERS	32
/* Threads that may sleep for one page: others may be on their way when it begins. */
#define FEW		4
#define SLICE		64

static bool has_outstanding(int fd, unsigned int count)
{
	struct softacc_stats stats;

	return !ioctl(fd, SOFTACC_IOC_DEV_STATS, &stats) &&
	       stats.outstanding >= count;
}

/*
 * Every second group writes; the first one, which sleeps before the others come, reads.
 * A frozen file system can be read, so there all of them write.
 */
static uint32_t follower_perm(enum kind kind, int i)
{
	return i % 2 || kind == KIND_FROZEN ? PERM_WRITE : PERM_READ;
}

/* One thread sleeps for all groups. On the upstream queue each group has its own. */
static void expect_few(struct __test_metadata *_metadata, const char *what)
{
	int count;

	/* Allow time for surplus sleepers. */
	usleep(100000);
	count = asleep_for_long();
	ksft_print_msg("%d %s for a page, %d asleep\n", FOLLOWERS, what, count);
	if (!is_upstream())
		EXPECT_GE(FEW, count);
}

/* Send groups for one page: one that sleeps, and followers. */
static void request_page(struct __test_metadata *_metadata, struct env *env)
{
	int i;

	ASSERT_EQ(0, source_begin(&env->source));
	env->source.asked = 1;
	for (i = 0; i < FOLLOWERS; i++) {
		ASSERT_EQ(0, send_group(&env->device, GRPID + i, env->source.area,
					follower_perm(env->source.kind, i), false));
		if (!i)
			ASSERT_TRUE(pace_wait(4000, asleep() == 1));
	}
	expect_few(_metadata, "groups");
	EXPECT_GT(limit_ms(), probe(&env->device));
	EXPECT_EQ(0, env->device.responded);
}

/*
 * Expect a response to each follower: @reads for those that read, @writes for others.
 */
static void expect_responses(struct __test_metadata *_metadata, struct env *env,
			     uint32_t reads, uint32_t writes)
{
	enum kind kind = env->source.kind;
	struct softacc_response response;
	int i = 0;

	while (i < FOLLOWERS) {
		ASSERT_TRUE(pace_wait(5000, !ioctl(env->device.fd,
						   SOFTACC_IOC_RESPONSE,
						   &response)))
			TH_LOG("%d of %d groups had a response", i, FOLLOWERS);
		/* A late response to a probe. */
		if (response.grpid >= GRPID_PROBE)
			continue;
		i++;
		EXPECT_EQ(follower_perm(kind, response.grpid - GRPID) == PERM_READ ?
			  reads : writes, response.code)
			TH_LOG("group %d", response.grpid - GRPID);
		EXPECT_EQ(1, response.count);
	}
	EXPECT_TRUE(pace_wait(1000, !asleep()));
}

/* Submit a job for slice @i of the page. */
static int submit_slice(int fd, enum kind kind, int i, char *slice)
{
	if (follower_perm(kind, i) == PERM_WRITE)
		return acc_submit(fd, SOFTACC_OP_FILL, NULL, slice, SLICE, SEED + i);
	return acc_submit(fd, SOFTACC_OP_CHECKSUM, slice, NULL, SLICE, 0);
}

/* Jobs of the device read and write one page. */
TEST_F(followers, of_jobs)
{
	struct env *env = &self->env;
	struct softacc_completion end;
	char *page = env->source.area;
	int fds[FOLLOWERS];
	int i;

	for (i = 0; i < FOLLOWERS; i++) {
		fds[i] = acc_open(1, 1, 1);
		ASSERT_LE(0, fds[i]);
	}
	ASSERT_EQ(0, source_begin(&env->source));
	env->source.asked = 1;
	for (i = 0; i < FOLLOWERS; i++) {
		ASSERT_EQ(0, submit_slice(fds[i], variant->kind, i,
					  page + i * SLICE));
		if (!i)
			ASSERT_TRUE(pace_wait(4000, asleep() == 1));
	}
	EXPECT_TRUE(pace_wait(4000, has_outstanding(fds[0], FOLLOWERS)));
	expect_few(_metadata, "jobs");
	EXPECT_EQ(0, source_end(&env->source));
	for (i = 0; i < FOLLOWERS; i++) {
		ASSERT_EQ(0, acc_reap(fds[i], &end, 5000))
			TH_LOG("job %d does not end", i);
		EXPECT_EQ(0, end.status);
		/* The checksum of zeroes, or 0 for a fill. */
		EXPECT_EQ(0, end.result);
		if (follower_perm(variant->kind, i) == PERM_WRITE)
			EXPECT_EQ(-1, acc_verify(page + i * SLICE, SLICE, SEED + i));
		close(fds[i]);
	}
}

TEST_F(followers, of_groups)
{
	request_page(_metadata, &self->env);
	EXPECT_EQ(0, source_end(&self->env.source));
	expect_responses(_metadata, &self->env, RESP_SUCCESS, RESP_SUCCESS);
}

/* A PASID is unbound at once, with its followers; the process continues. */
TEST_F(followers, closed)
{
	struct env *env = &self->env;
	double start;

	if (is_upstream())
		SKIP(return, "upstream's queue waits for faults that sleep");
	request_page(_metadata, env);
	start = pace_seconds();
	close(env->device.fd);
	env->device.fd = -1;
	EXPECT_FALSE(pace_over(start, 1000));
	/* A fault that cannot be interrupted continues when it wakes. */
	if (variant->kind == KIND_FROZEN)
		EXPECT_EQ(0, source_end(&env->source));
	EXPECT_TRUE(pace_wait(1000, !asleep()));
}

FIXTURE(interruptible)
{
	struct env env;
};

FIXTURE_SETUP(interruptible)
{
	env_begin(_metadata, &self->env, KIND_USERFAULTFD, slots() + 64);
}

FIXTURE_TEARDOWN(interruptible)
{
	env_end(_metadata, &self->env);
}

/* A process with the maximum of sleepers leaves room for others. */
TEST_F_TIMEOUT(interruptible, too_many, 180)
{
	struct env *env = &self->env;

	ASSERT_EQ(0, source_begin(&env->source));
	expect_asleep(_metadata, env, 64);
	if (!_metadata->exit_code) {
		ASSERT_EQ(0, source_request(&env->source, &env->device,
					    env->source.pages, false));
		EXPECT_TRUE(pace_wait(60000, asleep() >= most_sleepers()));
		EXPECT_GE(slots(), asleep_for_long());
		EXPECT_EQ(1, query_beside(&env->beside, BESIDE_SLEEP))
			TH_LOG("no room for another process's sleeper");
		EXPECT_GT(limit_ms(), query_beside(&env->beside, BESIDE_PROBE));
		ksft_print_msg("%u asked for, %d asleep\n", env->source.asked,
			       asleep());
	}
	EXPECT_EQ(0, source_end(&env->source));
	expect_all_end(_metadata, env);
}

/* The group that slept may read; the followers may not write. */
TEST_F(interruptible, protected)
{
	request_page(_metadata, &self->env);
	ASSERT_EQ(0, mprotect(self->env.source.area, PAGE, PROT_READ));
	EXPECT_EQ(0, uffd_provide(self->env.source.fd, self->env.source.area));
	expect_responses(_metadata, &self->env, RESP_SUCCESS, RESP_INVALID);
}

/* The group that slept fails, and each follower fails by itself. */
TEST_F(interruptible, unmapped)
{
	struct uffdio_range range = { (uintptr_t)self->env.source.area, PAGE };

	request_page(_metadata, &self->env);
	ASSERT_EQ(0, munmap(self->env.source.area, PAGE));
	EXPECT_EQ(0, ioctl(self->env.source.fd, UFFDIO_WAKE, &range));
	expect_responses(_metadata, &self->env, RESP_INVALID, RESP_INVALID);
}

TEST_F(interruptible, poisoned)
{
	struct uffdio_poison poison = {
		.range = { (uintptr_t)self->env.source.area, PAGE },
	};

	request_page(_metadata, &self->env);
	EXPECT_EQ(0, ioctl(self->env.source.fd, UFFDIO_POISON, &poison));
	expect_responses(_metadata, &self->env, RESP_INVALID, RESP_INVALID);
}

/*
 * The groups have timed out, but the fault still sleeps, or may: closing the file ends
 * it.
 */
TEST_F(interruptible, closed_after_timeout)
{
	struct env *env = &self->env;
	double start;

	request_page(_metadata, env);
	write_file(TIMEOUT, "1");
	EXPECT_TRUE(pace_wait(5000, all_responded(&env->device, FOLLOWERS)));
	EXPECT_EQ(0, env->device.failed);
	write_file(TIMEOUT, "0");
	ksft_print_msg("%d asleep after the timeout\n", asleep_for_long());
	start = pace_seconds();
	close(env->device.fd);
	env->device.fd = -1;
	EXPECT_FALSE(pace_over(start, 1000));
	EXPECT_TRUE(pace_wait(1000, !asleep()));
}

/*
 * Run as a process with much memory whose groups for @pages pages sleep. It writes to
 * @told when they do or, with @timed_out, when all have timed out.
 */
static void victim_main(unsigned int pages, bool timed_out, int told)
{
	void *memory = map(VICTIM_MEMORY, MAP_PRIVATE, -1);
	struct source source;
	struct device dev;
	int i;

	if (memory == MAP_FAILED || device_open(&dev) ||
	    source_open(&source, KIND_USERFAULTFD, pages))
		_exit(1);
	memset(memory, 1, VICTIM_MEMORY);
	for (i = 0; i < FOLLOWERS; i++)
		if (send_group(&dev, GRPID + i, source.area + i % pages * PAGE,
			       follower_perm(KIND_USERFAULTFD, i), false))
			_exit(2);
	if (!pace_wait(4000, asleep()))
		_exit(3);
	usleep(100000);
	if (timed_out) {
		write_file(TIMEOUT, "1");
		if (!pace_wait(5000, all_responded(&dev, FOLLOWERS)))
			_exit(4);
		write_file(TIMEOUT, "0");
	}
	if (write(told, "", 1) == 1)
		pause();
	_exit(5);
}

/* Kill such a process: its faults and its memory must be gone within a second. */
static void expect_killed(struct __test_metadata *_metadata, unsigned int pages,
			  bool timed_out)
{
	unsigned long memory = anonymous_memory();
	double start;
	int told[2];
	int status;
	pid_t pid;
	char c;

	ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(told[0]);
		victim_main(pages, timed_out, told[1]);
	}
	close(told[1]);
	c = 1;
	EXPECT_EQ(1, read(told[0], &c, 1));
	EXPECT_LT(memory + VICTIM_MEMORY / 2, anonymous_memory());
	ksft_print_msg("%d asleep\n", asleep_for_long());
	start = pace_seconds();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFSIGNALED(status))
		TH_LOG("status %x", status);
	EXPECT_FALSE(pace_over(start, 1000));
	EXPECT_TRUE(pace_wait(1000, !asleep()));
	EXPECT_TRUE(pace_wait(2000, anonymous_memory() < memory + VICTIM_MEMORY / 2))
		TH_LOG("its memory does not come back");
	close(told[0]);
}

TEST_F(interruptible, killed)
{
	expect_killed(_metadata, 1, false);
}

TEST_F(interruptible, killed_after_timeout)
{
	expect_killed(_metadata, 1, true);
}

/* The same without followers: each fault has a sleeper. */
TEST_F(interruptible, sleepers_killed_after_timeout)
{
	expect_killed(_metadata, 8, true);
}

/* Return a mask of the CPUs on which kernel threads have allocated pages. */
static unsigned long cpus_of_trace(void)
{
	FILE *file = fopen(TRACING "trace", "r");
	unsigned long cpus = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		char *cpu = strstr(line, " [");

		/* Skip the test itself and kernel threads that are not workers. */
		if (line[0] == '#' || !cpu || strstr(line, "test-sleepers") ||
		    strstr(line, "softacc") || strstr(line, "khugepaged") ||
		    strstr(line, "kthreadd"))
			continue;
		cpus |= 1UL << atoi(cpu + 2);
	}
	if (file)
		fclose(file);
	return cpus;
}

#define TRACED	32

static void serve_groups(struct __test_metadata *_metadata, struct device *dev,
			 char *first, size_t stride)
{
	unsigned int before = dev->responded;
	int i;

	for (i = 0; i < TRACED; i++)
		ASSERT_EQ(0, send_group(dev, GRPID + i, first + i * stride, PERM_WRITE,
					i + 1 < TRACED));
	EXPECT_TRUE(pace_wait(20000, all_responded(dev, before + TRACED)));
	EXPECT_EQ(0, dev->failed);
}

/*
 * Return the number of CPUs that serve 32 groups at once, of one page each, @stride
 * apart: those where pages of @order are allocated. The upstream queue has no
 * tracepoints of its own. The same is done before without being traced, as the library
 * expects the cost of a page to be that of the PASID's pages before.
 */
static int cpus_for(struct __test_metadata *_metadata, size_t stride,
		    const char *order, int advice)
{
	const char *event = TRACING "events/kmem/mm_page_alloc/enable";
	size_t len = 2 * TRACED * stride + HUGE_PAGE;
	struct device dev;
	char *area;
	char *first;
	int count;

	area = map(len, MAP_PRIVATE, -1);
	EXPECT_NE(MAP_FAILED, area);
	madvise(area, len, advice);
	first = (char *)(((uintptr_t)area + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	ASSERT_EQ(0, device_open(&dev));
	EXPECT_GT(NEVER, probe(&dev));
	serve_groups(_metadata, &dev, first, stride);
	ASSERT_EQ(0, write_file(TRACING "events/kmem/mm_page_alloc/filter", order));
	write_file(TRACING "trace", "");
	ASSERT_EQ(0, write_file(event, "1"));
	serve_groups(_metadata, &dev, first + TRACED * stride, stride);
	write_file(event, "0");
	count = __builtin_popcountl(cpus_of_trace());
	write_file(TRACING "events/kmem/mm_page_alloc/filter", "0");
	close(dev.fd);
	munmap(dev.memory, PROBE_PAGES * PAGE);
	munmap(area, len);
	return count;
}

#define ROUNDS	7

/*
 * Work that takes long uses all CPUs, short work does not wake them. Compare the
 * median, as the scheduler places threads at random.
 */
TEST(cpus)
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double huge[ROUNDS];
	double small[ROUNDS];
	int i;

	if (!access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "upstream's workers stay on a node");
	for (i = 0; i < ROUNDS; i++) {
		huge[i] = cpus_for(_metadata, HUGE_PAGE, "order == 9",
				   MADV_HUGEPAGE);
		small[i] = cpus_for(_metadata, PAGE, "order == 0",
				    MADV_NOHUGEPAGE);
	}
	sort(huge, ROUNDS);
	sort(small, ROUNDS);
	ksft_print_msg("of %d CPUs, %d huge pages use %.0f (%.0f to %.0f)\n", cpus,
		       TRACED, huge[ROUNDS / 2], huge[0], huge[ROUNDS - 1]);
	ksft_print_msg("and %d small ones %.0f (%.0f to %.0f)\n", TRACED,
		       small[ROUNDS / 2], small[0], small[ROUNDS - 1]);
	/* On a busy host one of many CPUs may come too late. */
	EXPECT_LE(cpus > 2 ? cpus - 1 : cpus, huge[ROUNDS / 2]);
	/*
	 * In virtual time it is one, and rarely another: by the clock of a slow machine
	 * small pages may be worth another CPU. The upstream workers are not tested.
	 */
	if (!is_upstream())
		EXPECT_EQ(1, small[ROUNDS / 2]);
}

TEST_HARNESS_MAIN
