// SPDX-License-Identifier: GPL-2.0
/*
 * The forwarder's protection: permission to bind, removal of devices, readers that
 * stop, unbounded reads, and files that have to wait
 */
#include <glob.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vmm.h"
#include "harness.h"
#include "test.h"
#include "uffd.h"

#define AREA		(64 * PAGE)
#define NOBODY		65534
#define DEVICE		"platform/softacc.0"
#define ROUNDS		40

/* Limit on a debug kernel for what takes no time */
#define SOON_MS		5000

static void set_softacc(const char *name, const char *value)
{
	set_parameter("softacc", name, value);
}

static int forwarder(void)
{
	return open("/dev/iopf-forward", O_RDWR | O_CLOEXEC);
}

/* Return 0 or a negative errno. */
static int bind_to(int fd, const struct iopf_forward_bind *how, const char *device)
{
	struct iopf_forward_bind bind = *how;

	snprintf(bind.device, sizeof(bind.device), "%s", device);
	return ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind) ? -errno : 0;
}

static int bind_plainly(int fd, const char *device)
{
	const struct iopf_forward_bind how = { 0 };

	return bind_to(fd, &how, device);
}

/* Return a file bound to the first device, or -1 with errno. */
static int bound_file(void)
{
	int fd = forwarder();
	int ret = fd < 0 ? -errno : bind_plainly(fd, DEVICE);

	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = -ret;
	return -1;
}

/* Return whether the device of the file was removed. */
static bool is_gone(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1 && poll_fd.revents & POLLHUP;
}

/* Drop all privileges. */
static void drop_privilege(void)
{
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		_exit(99);
}

FIXTURE(forwarder)
{
	int acc;
	int fd;
	char *area;
	struct vmm vmm;
	struct softacc_completion end;
	struct iommu_hwpt_pgfault faults[128];
};

/* Open a device that retries as often as it is told to. */
static int open_patient(void)
{
	struct softacc_config config = {
		.pages_per_group = 8,
		.outstanding = 4,
		.threads = 1,
		.retry_limit = ~0U,
	};

	return acc_open_path(ACC_DEVICE, &config);
}

FIXTURE_SETUP(forwarder)
{
	self->acc = open_patient();
	ASSERT_LE(0, self->acc)
		TH_LOG("%s: %s", ACC_DEVICE, strerror(errno));
	self->fd = forwarder();
	ASSERT_LE(0, self->fd)
		TH_LOG("/dev/iopf-forward: %s", strerror(errno));
	self->area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	madvise(self->area, AREA, MADV_NOHUGEPAGE);
	self->vmm = (struct vmm){ .resolve = fwd_resolve };
	/* Keep the timeout from doing what the forwarder must do. */
	set_timeout("100");
}

FIXTURE_TEARDOWN(forwarder)
{
	set_softacc("slow_responses", "0");
	set_softacc("slow_removal", "0");
	if (self->fd >= 0)
		close(self->fd);
	if (self->acc >= 0)
		close(self->acc);
	set_timeout("10");
	/* Restore the device for the next test, also of other programs. */
	set_softacc("remove", "1");
	set_softacc("add", "1");
}

static int submit(struct _test_data_forwarder *self)
{
	return acc_submit(self->acc, SOFTACC_OP_FILL, NULL, self->area, AREA, 5);
}

/* Send one page request for page @page of the area. */
static int inject(struct _test_data_forwarder *self, int page, uint32_t flags)
{
	struct softacc_inject request = {
		.flags = flags,
		.grpid = SOFTACC_INJECT_GRPID,
		.perm = IOMMU_PGFAULT_PERM_WRITE,
		.addr = (uintptr_t)self->area + page * PAGE,
	};

	return ioctl(self->acc, SOFTACC_IOC_INJECT, &request);
}

/* Wait for the job and return its status. */
static int job_status(struct _test_data_forwarder *self, int ms)
{
	memset(&self->end, 0, sizeof(self->end));
	return acc_reap(self->acc, &self->end, ms) ? -errno : self->end.status;
}

static bool job_is_right(struct _test_data_forwarder *self)
{
	return !job_status(self, 20000) && acc_verify(self->area, AREA, 5) < 0;
}

static int wait_for_child(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* An open file does not suffice to bind, nor to find out whether a device exists. */
TEST_F(forwarder, bind_needs_capability)
{
	pid_t pid = fork();

	ASSERT_LE(0, pid);
	if (!pid) {
		drop_privilege();
		if (open("/dev/iopf-forward", O_RDWR) >= 0 || errno != EACCES)
			_exit(1);
		if (bind_plainly(self->fd, DEVICE) != -EPERM)
			_exit(2);
		if (bind_plainly(self->fd, "platform/nothing") != -EPERM)
			_exit(3);
		if (ioctl(self->fd, IOPF_FORWARD_IOC_BIND, NULL) != -1 ||
		    errno != EPERM)
			_exit(4);
		_exit(0);
	}
	EXPECT_EQ(0, wait_for_child(pid));
	/* The file was not bound, and still can be. */
	EXPECT_EQ(0, bind_plainly(self->fd, DEVICE));
}

/* Run as a VMM without privileges that has inherited the file before it was bound. */
static int serve_passed_file(int fd, int from, int to)
{
	struct iommu_hwpt_pgfault faults[32];
	int count = 0;
	char byte = 0;
	int i;

	drop_privilege();
	if (bind_plainly(fd, DEVICE) != -EPERM)
		return 1;
	if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
		return 2;
	while (count < 32) {
		int got = get_faults(fd, faults + count, 32 - count, SOON_MS);

		if (got <= 0)
			return 3;
		count += got;
	}
	/* The process that owns the memory makes it present. */
	if (write(to, &byte, 1) != 1 || read(from, &byte, 1) != 1)
		return 4;
	for (i = 7; i < 32; i += 8)
		if (vmm_respond(fd, faults[i].cookie, SUCCESS))
			return 5;
	return fwd_stats(fd).responded[SUCCESS] == 4 ? 0 : 6;
}

TEST_F(forwarder, passed_file_needs_none)
{
	int to_child[2];
	int to_parent[2];
	char byte = 0;
	pid_t pid;

	ASSERT_EQ(0, pipe(to_child));
	ASSERT_EQ(0, pipe(to_parent));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(serve_passed_file(self->fd, to_child[0], to_parent[1]));
	close(to_parent[1]);
	ASSERT_EQ(1, read(to_parent[0], &byte, 1));
	ASSERT_EQ(0, bind_plainly(self->fd, DEVICE));
	ASSERT_EQ(1, write(to_child[1], &byte, 1));
	ASSERT_EQ(0, submit(self));
	ASSERT_EQ(1, read(to_parent[0], &byte, 1));
	ASSERT_EQ(0, madvise(self->area, AREA, MADV_POPULATE_WRITE));
	ASSERT_EQ(1, write(to_child[1], &byte, 1));
	EXPECT_EQ(0, wait_for_child(pid));
	EXPECT_TRUE(job_is_right(self));
}

/* The device is removed; files that were bound to it do no harm. */
TEST_F(forwarder, device_goes)
{
	ASSERT_EQ(0, bind_plainly(self->fd, DEVICE));
	ASSERT_EQ(0, submit(self));
	ASSERT_EQ(8, get_faults(self->fd, self->faults, 8, SOON_MS));
	EXPECT_FALSE(is_gone(self->fd));
	set_softacc("remove", "1");
	EXPECT_TRUE(is_gone(self->fd));
	EXPECT_EQ(-1, read(self->fd, self->faults, sizeof(self->faults)));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-ENODEV, vmm_respond(self->fd, self->faults[0].cookie, SUCCESS));
	EXPECT_EQ(-EBUSY, bind_plainly(self->fd, DEVICE));
	EXPECT_EQ(0, fwd_stats(self->fd).pending + fwd_stats(self->fd).queued);
	EXPECT_EQ(-1, bound_file());
	EXPECT_EQ(ENODEV, errno);
	close(self->acc);
	set_softacc("add", "1");
	self->acc = open_patient();
	ASSERT_LE(0, self->acc);
	/* The new device is not connected to the old file. */
	close(self->fd);
	self->fd = bound_file();
	ASSERT_LE(0, self->fd);
	vmm_start(&self->vmm, self->fd, 1);
	ASSERT_EQ(0, submit(self));
	EXPECT_TRUE(job_is_right(self));
	vmm_stop(&self->vmm);
}

static void *remove_device(void *unused)
{
	set_softacc("remove", "1");
	return NULL;
}

/*
 * A file that is bound after the notification of the removal, but before the device is
 * off its bus, is unbound when the device is gone.
 */
TEST_F(forwarder, bound_on_the_way_out)
{
	pthread_t thread;
	int fd;

	ASSERT_EQ(0, bind_plainly(self->fd, DEVICE));
	close(self->acc);
	self->acc = -1;
	set_softacc("slow_removal", "1000");
	ASSERT_EQ(0, pthread_create(&thread, NULL, remove_device, NULL));
	EXPECT_TRUE(pace_wait(SOON_MS, is_gone(self->fd)));
	fd = bound_file();
	EXPECT_LE(0, fd)
		TH_LOG("it is too late: %s", strerror(errno));
	pthread_join(thread, NULL);
	if (fd < 0)
		return;
	EXPECT_TRUE(is_gone(fd));
	EXPECT_EQ(-1, read(fd, self->faults, sizeof(self->faults)));
	EXPECT_EQ(ENODEV, errno);
	close(fd);
}

struct binder {
	atomic_bool *stop;
	unsigned long bound;
	unsigned long strange;
	pthread_t thread;
};

/* Bind and unbind in a loop, whether or not there is a device. */
static void *bind_until_told(void *data)
{
	struct binder *binder = data;

	while (!*binder->stop) {
		int fd = bound_file();

		if (fd >= 0) {
			binder->bound++;
			close(fd);
		} else if (errno != ENODEV && errno != EBUSY) {
			binder->strange++;
		}
	}
	return NULL;
}

/* Run jobs whenever there is a device. */
static void work_until_killed(void)
{
	struct softacc_completion end;

	for (;;) {
		char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int acc = open_patient();

		if (acc >= 0 && !acc_submit(acc, SOFTACC_OP_FILL, NULL, area,
					    AREA, 3))
			acc_reap(acc, &end, 20);
		close(acc);
		munmap(area, AREA);
	}
}

TEST_F(forwarder, bound_against_removal)
{
	struct binder binders[3];
	atomic_bool stop = false;
	unsigned long bound = 0;
	pid_t pid;
	int i;

	close(self->acc);
	self->acc = -1;
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		work_until_killed();
	for (i = 0; i < 3; i++) {
		binders[i] = (struct binder){ .stop = &stop };
		ASSERT_EQ(0, pthread_create(&binders[i].thread, NULL,
					    bind_until_told, &binders[i]));
	}
	for (i = 0; i < ROUNDS; i++) {
		set_softacc("slow_removal", i % 2 ? "0" : "5");
		set_softacc("add", "1");
		usleep(i % 4 * 5000);
		set_softacc("remove", "1");
	}
	stop = true;
	for (i = 0; i < 3; i++) {
		pthread_join(binders[i].thread, NULL);
		EXPECT_EQ(0, binders[i].strange);
		bound += binders[i].bound;
	}
	EXPECT_LT(0, bound);
	kill(pid, SIGKILL);
	wait_for_child(pid);
	set_softacc("add", "1");
	EXPECT_EQ(0, bind_plainly(self->fd, DEVICE));
}

/*
 * The faults are not read: the device gets an error response after the patience of the
 * forwarder, not earlier.
 */
TEST_F(forwarder, reader_stops)
{
	const struct iopf_forward_bind how = { .groups = 1, .stall_ms = 1500 };
	double start;

	ASSERT_EQ(0, bind_to(self->fd, &how, DEVICE));
	/* Fill all room. */
	ASSERT_EQ(0, inject(self, 0, SOFTACC_INJECT_LAST));
	ASSERT_TRUE(pace_wait(SOON_MS, fwd_stats(self->fd).queued == 1));
	start = vmm_seconds();
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(-EFAULT, job_status(self, 20000));
	EXPECT_EQ(INVALID, self->end.fault_code);
	EXPECT_LE(1.5, vmm_seconds() - start);
	EXPECT_LT(0, self->end.retries);
	EXPECT_LT(1, fwd_stats(self->fd).full);
	/* Without a reader groups are refused at once. */
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(-EFAULT, job_status(self, 20000));
	EXPECT_EQ(0, self->end.retries);
	/* With a reader the forwarder waits again. */
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_TRUE(pace_wait(SOON_MS, !fwd_stats(self->fd).queued));
	ASSERT_EQ(0, submit(self));
	EXPECT_TRUE(job_is_right(self));
	vmm_stop(&self->vmm);
}

/* The reader was only late. */
TEST_F(forwarder, reader_is_late)
{
	const struct iopf_forward_bind how = { .groups = 1, .stall_ms = 60000 };

	ASSERT_EQ(0, bind_to(self->fd, &how, DEVICE));
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(-ETIMEDOUT, job_status(self, 2000));
	EXPECT_LT(1, fwd_stats(self->fd).full);
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_TRUE(job_is_right(self));
	vmm_stop(&self->vmm);
}

/* The reader takes long for each group, but continues: the device must not give up. */
TEST_F(forwarder, reader_is_slow)
{
	const struct iopf_forward_bind how = { .groups = 1, .stall_ms = 4000 };
	int i;

	ASSERT_EQ(0, bind_to(self->fd, &how, DEVICE));
	ASSERT_EQ(0, submit(self));
	for (i = 0; i < 4; i++) {
		ASSERT_LT(0, get_faults(self->fd, self->faults, 8, SOON_MS));
		usleep(1200000);
		fwd_resolve(&self->faults[0]);
		ASSERT_EQ(0, vmm_respond(self->fd, self->faults[0].cookie, SUCCESS));
	}
	EXPECT_EQ(-ETIMEDOUT, job_status(self, 1));
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_TRUE(job_is_right(self));
	vmm_stop(&self->vmm);
}

/* The device must not retry a group that can never have room. */
TEST_F(forwarder, group_is_too_large)
{
	const struct iopf_forward_bind how = { .requests = 7 };

	ASSERT_EQ(0, bind_to(self->fd, &how, DEVICE));
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(-EFAULT, job_status(self, SOON_MS));
	EXPECT_EQ(INVALID, self->end.fault_code);
	EXPECT_EQ(0, self->end.retries);
	EXPECT_LT(0, fwd_stats(self->fd).full);
	EXPECT_EQ(0, fwd_stats(self->fd).groups);
}

/* The largest group passes a read as a whole. */
TEST_F(forwarder, largest_group)
{
	struct iommu_hwpt_pgfault *faults;
	size_t size = 4096 * sizeof(*faults);
	struct softacc_response response;
	int count = 0;
	int i;

	faults = malloc(size);
	ASSERT_NE(NULL, faults);
	ASSERT_EQ(0, bind_plainly(self->fd, DEVICE));
	for (i = 0; i < 4096; i++) {
		uint32_t flags = i == 4095 ? SOFTACC_INJECT_LAST :
				 i % 64 == 63 ? 0 : SOFTACC_INJECT_MORE;

		ASSERT_TRUE(pace_wait(SOON_MS, !inject(self, i, flags)));
	}
	ASSERT_TRUE(pace_wait(SOON_MS, fwd_stats(self->fd).queued == 1));
	EXPECT_EQ(-EINVAL, get_faults(self->fd, faults, 4095, SOON_MS));
	count = get_faults(self->fd, faults, 4096, SOON_MS);
	ASSERT_EQ(4096, count);
	for (i = 0; i < count; i++) {
		ASSERT_EQ((uintptr_t)self->area + i * PAGE, faults[i].addr);
		ASSERT_EQ(faults[0].cookie, faults[i].cookie);
	}
	EXPECT_EQ(0, vmm_respond(self->fd, faults[0].cookie, INVALID));
	EXPECT_TRUE(pace_wait(SOON_MS, !ioctl(self->acc, SOFTACC_IOC_RESPONSE,
					      &response)));
	EXPECT_EQ(INVALID, response.code);
	free(faults);
}

static long vmalloc_used_kb(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmallocUsed: %ld kB", &kb);
	if (file)
		fclose(file);
	return kb;
}

struct reader {
	int fd;
	void *buf;
	size_t len;
	ssize_t ret;
	pthread_t thread;
};

static void *read_all(void *data)
{
	struct reader *reader = data;

	reader->ret = read(reader->fd, reader->buf, reader->len);
	return NULL;
}

/*
 * A huge read into memory that is not present: while it sleeps it allocates no kernel
 * memory and holds no lock that others need.
 */
TEST_F(forwarder, huge_read)
{
	const struct iopf_forward_bind how = {
		.requests = IOPF_FORWARD_MAX_REQUESTS,
	};
	struct reader reader = { .len = 1U << 30 };
	int uffd;
	long kb;

	reader.len -= reader.len % sizeof(self->faults[0]);
	reader.buf = mmap(NULL, reader.len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(MAP_FAILED, reader.buf);
	uffd = uffd_register(reader.buf, 16 * PAGE, UFFDIO_REGISTER_MODE_MISSING, 0);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, bind_to(self->fd, &how, DEVICE));
	ASSERT_EQ(0, submit(self));
	ASSERT_TRUE(pace_wait(SOON_MS, fwd_stats(self->fd).queued == 4));

	reader.fd = self->fd;
	kb = vmalloc_used_kb();
	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, read_all, &reader));
	ASSERT_TRUE(uffd_asleep(uffd));
	/* Leaves room for the reader's stack. */
	EXPECT_GT(kb + 1024, vmalloc_used_kb())
		TH_LOG("%ld kB more", vmalloc_used_kb() - kb);
	/* Meanwhile others read, and respond to the sleeping reader's groups. */
	EXPECT_LE(1, fwd_stats(self->fd).pending);
	EXPECT_EQ(24, get_faults(self->fd, self->faults, 128, SOON_MS));
	EXPECT_EQ(0, vmm_respond(self->fd, self->faults[0].cookie, SUCCESS));
	ASSERT_EQ(0, ioctl(self->fd, IOPF_FORWARD_IOC_AGAIN));
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_TRUE(job_is_right(self));
	vmm_stop(&self->vmm);
	uffd_provide(uffd, reader.buf);
	pthread_join(reader.thread, NULL);
	EXPECT_EQ(8 * sizeof(self->faults[0]), reader.ret);
	close(uffd);
	munmap(reader.buf, reader.len);
}

/* A response is taken only when its group was read, even if its cookie can be guessed. */
TEST_F(forwarder, response_before_read_ends)
{
	struct reader reader = {
		.fd = self->fd, .len = 8 * sizeof(self->faults[0]),
	};
	struct iommu_hwpt_pgfault *faults;
	unsigned int cookie;
	int uffd;

	faults = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, faults);
	uffd = uffd_register(faults, PAGE, UFFDIO_REGISTER_MODE_MISSING, 0);
	ASSERT_LE(0, uffd);
	ASSERT_EQ(0, bind_plainly(self->fd, DEVICE));
	ASSERT_EQ(0, submit(self));
	ASSERT_TRUE(pace_wait(SOON_MS, fwd_stats(self->fd).queued == 4));

	reader.buf = faults;
	ASSERT_EQ(0, pthread_create(&reader.thread, NULL, read_all, &reader));
	ASSERT_TRUE(uffd_asleep(uffd));
	ASSERT_EQ(1, fwd_stats(self->fd).pending);
	for (cookie = 0; cookie < 16; cookie++)
		EXPECT_EQ(-EINVAL, vmm_respond(self->fd, cookie, SUCCESS));
	uffd_provide(uffd, faults);
	pthread_join(reader.thread, NULL);
	ASSERT_EQ(8 * sizeof(*faults), reader.ret);
	EXPECT_GT(16, faults[0].cookie);
	fwd_resolve(&faults[0]);
	EXPECT_EQ(0, vmm_respond(self->fd, faults[0].cookie, SUCCESS));
	EXPECT_EQ(-EINVAL, vmm_respond(self->fd, faults[0].cookie, SUCCESS));
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_TRUE(job_is_right(self));
	vmm_stop(&self->vmm);
	close(uffd);
	munmap(faults, PAGE);
}

struct closer {
	int fd;
	atomic_bool closing;
	atomic_bool closed;
	pthread_t thread;
};

static void *close_file(void *data)
{
	struct closer *closer = data;

	closer->closing = true;
	close(closer->fd);
	closer->closed = true;
	return NULL;
}

/* An unbind that waits for its driver does not delay files of another device. */
TEST_F(forwarder, unbind_waits_alone)
{
	struct closer closer = { .fd = self->fd };
	int unbound;
	int fd;

	set_softacc("add", "2");
	ASSERT_EQ(0, bind_plainly(self->fd, DEVICE));
	ASSERT_EQ(0, inject(self, 0, SOFTACC_INJECT_LAST));
	ASSERT_TRUE(pace_wait(SOON_MS, fwd_stats(self->fd).queued == 1));
	set_softacc("slow_responses", "5000000");
	self->fd = -1;
	ASSERT_EQ(0, pthread_create(&closer.thread, NULL, close_file, &closer));
	/* It has responded, and waits for the driver to send the response. */
	while (!closer.closing ||
	       (!closer.closed &&
		vmm_kernel_stat("softacc.0", "handled_groups")))
		usleep(1000);

	unbound = forwarder();
	fd = forwarder();
	EXPECT_EQ(0, close(unbound));
	EXPECT_EQ(0, bind_plainly(fd, "platform/softacc.1"));
	EXPECT_EQ(0, close(fd));
	fd = forwarder();
	EXPECT_EQ(0, bind_plainly(fd, "platform/softacc.1"));
	EXPECT_EQ(0, close(fd));
	EXPECT_FALSE(closer.closed);
	set_softacc("slow_responses", "0");
	pthread_join(closer.thread, NULL);
}

static bool has_mode(const char *pattern, mode_t mode, unsigned int *files)
{
	struct stat info;
	bool good = true;
	glob_t found;
	size_t i;

	if (glob(pattern, 0, NULL, &found))
		return false;
	for (i = 0; i < found.gl_pathc; i++) {
		if (stat(found.gl_pathv[i], &info) || !S_ISREG(info.st_mode))
			continue;
		good &= (info.st_mode & 07777) == mode && !info.st_uid;
		++*files;
	}
	globfree(&found);
	return good;
}

/* The library's debugfs files are for root only. */
TEST_F(forwarder, debugfs_is_for_root)
{
	unsigned int files = 0;

	EXPECT_TRUE(has_mode("/sys/kernel/debug/iopf/*/*", 0400, &files));
	EXPECT_TRUE(has_mode("/sys/kernel/debug/iopf/*/*/*", 0400, &files));
	EXPECT_LE(4, files);
}

TEST_HARNESS_MAIN
