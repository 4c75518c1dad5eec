// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that leave the kernel by the forwarder or by iommufd: what a VMM may do with
 * them, and what it should not
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "vmm.h"
#include "harness.h"
#include "test.h"

#define AREA		(64 * PAGE)

/* Return an address where nothing is mapped, unknown to the compiler. */
static void *nowhere(void)
{
	return (void *)strtoul("8", NULL, 0);
}

/* Set the timeout of groups that a domain's handler owns, such as iommufd's. */
static void set_domain_timeout(const char *seconds)
{
	int fd = open("/sys/module/iopf/parameters/domain_timeout",
		      O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		write(fd, seconds, strlen(seconds));
	close(fd);
}

FIXTURE(forward)
{
	int acc;
	int fd;
	char *area;
	struct vmm vmm;
	struct softacc_stats before;
	struct softacc_completion end;
	struct iommu_hwpt_pgfault faults[128];
};

FIXTURE_SETUP(forward)
{
	self->acc = acc_open(8, 4, 1);
	ASSERT_LE(0, self->acc)
		TH_LOG("%s: %s", ACC_DEVICE, strerror(errno));
	self->fd = fwd_open(0, 0, 0);
	ASSERT_LE(0, self->fd)
		TH_LOG("/dev/iopf-forward: %s", strerror(errno));
	self->area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->area);
	madvise(self->area, AREA, MADV_NOHUGEPAGE);
	self->vmm = (struct vmm){ .resolve = fwd_resolve };
	ASSERT_EQ(0, ioctl(self->acc, SOFTACC_IOC_DEV_STATS, &self->before));
}

FIXTURE_TEARDOWN(forward)
{
	struct softacc_stats after;

	if (self->fd >= 0)
		close(self->fd);
	ASSERT_EQ(0, ioctl(self->acc, SOFTACC_IOC_DEV_STATS, &after));
	EXPECT_EQ(self->before.spurious, after.spurious);
	EXPECT_EQ(0, after.outstanding);
	close(self->acc);
}

static int submit(struct _test_data_forward *self)
{
	return acc_submit(self->acc, SOFTACC_OP_FILL, NULL, self->area, AREA, 5);
}

/* Wait for the job and return its status. */
static int job_status(struct _test_data_forward *self, int ms)
{
	memset(&self->end, 0, sizeof(self->end));
	return acc_reap(self->acc, &self->end, ms) ? -errno : self->end.status;
}

/* Read the four groups of eight requests that the device sends. */
static int four_groups(struct _test_data_forward *self)
{
	int count = 0;
	int got;

	while (count < 32 &&
	       (got = get_faults(self->fd, self->faults + count, 128 - count,
				 2000)) > 0)
		count += got;
	return count;
}

static void resolve_all(struct _test_data_forward *self, int count)
{
	int i;

	for (i = 0; i < count; i++)
		fwd_resolve(&self->faults[i]);
}

TEST_F(forward, binding)
{
	struct iopf_forward_bind bind = { .device = "platform/nothing" };
	int fd = open("/dev/iopf-forward", O_RDWR | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOTCONN, get_faults(fd, self->faults, 1, 10));
	EXPECT_EQ(-1, ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(ENODEV, errno);
	snprintf(bind.device, sizeof(bind.device), "softacc.0");
	EXPECT_EQ(-1, ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(ENODEV, errno);
	/* A device that is not behind an IOMMU */
	snprintf(bind.device, sizeof(bind.device), "platform/serial8250");
	EXPECT_EQ(-1, ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(ENODEV, errno);
	bind.flags = 4;
	EXPECT_EQ(-1, ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(EINVAL, errno);
	bind.flags = 0;
	bind.stall_ms = IOPF_FORWARD_MAX_STALL_MS + 1;
	EXPECT_EQ(-1, ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(EINVAL, errno);
	memset(bind.device, 'x', sizeof(bind.device));
	bind.stall_ms = 0;
	EXPECT_EQ(-1, ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(EINVAL, errno);
	/* The device is bound to another file already. */
	memset(&bind, 0, sizeof(bind));
	snprintf(bind.device, sizeof(bind.device), "platform/softacc.0");
	EXPECT_EQ(-1, ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-1, ioctl(self->fd, IOPF_FORWARD_IOC_BIND, &bind));
	EXPECT_EQ(EBUSY, errno);
	close(fd);
}

/*
 * Groups come whole, with the right device and PASID, and the data is right in the end.
 */
TEST_F(forward, served)
{
	int count;
	int i;

	ASSERT_EQ(0, submit(self));
	count = four_groups(self);
	ASSERT_EQ(32, count);
	for (i = 0; i < count; i++) {
		struct iommu_hwpt_pgfault *fault = &self->faults[i];

		EXPECT_EQ(7, fault->dev_id);
		EXPECT_EQ(acc_pasid(self->acc), fault->pasid);
		EXPECT_EQ(IOMMU_PGFAULT_PERM_WRITE, fault->perm);
		EXPECT_EQ(self->faults[i - i % 8].cookie, fault->cookie);
		EXPECT_EQ(IOMMU_PGFAULT_FLAGS_PASID_VALID |
			  (i % 8 == 7 ? IOMMU_PGFAULT_FLAGS_LAST_PAGE : 0),
			  fault->flags);
	}
	EXPECT_EQ(-ETIMEDOUT, job_status(self, 50));
	resolve_all(self, count);
	for (i = 7; i < count; i += 8)
		EXPECT_EQ(0, vmm_respond(self->fd, self->faults[i].cookie, SUCCESS));
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

TEST_F(forward, out_of_order)
{
	int count;
	int i;

	ASSERT_EQ(0, submit(self));
	while (job_status(self, 1) == -ETIMEDOUT) {
		count = get_faults(self->fd, self->faults, 128, 20);
		resolve_all(self, count);
		for (i = count - 1; i >= 0; i -= 8)
			ASSERT_EQ(0, vmm_respond(self->fd, self->faults[i].cookie,
						 SUCCESS));
	}
	EXPECT_EQ(0, self->end.status);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

TEST_F(forward, refused)
{
	self->vmm.policy.refused = 1000;
	vmm_start(&self->vmm, self->fd, 1);
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(-EFAULT, job_status(self, 10000));
	EXPECT_EQ((uintptr_t)self->area, self->end.fault_addr);
	EXPECT_EQ(INVALID, self->end.fault_code);
	vmm_stop(&self->vmm);
}

TEST_F(forward, late)
{
	self->vmm.policy.late = 500;
	self->vmm.policy.late_ms = 30;
	vmm_start(&self->vmm, self->fd, 3);
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	EXPECT_LT(0, self->vmm.late);
	EXPECT_EQ(0, self->vmm.bad);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

/* Without a response the timeout ends the groups, and later responses are ignored. */
TEST_F(forward, never)
{
	struct iopf_forward_stats stats;
	uint32_t cookie;

	set_timeout("1");
	ASSERT_EQ(0, submit(self));
	ASSERT_EQ(32, four_groups(self));
	cookie = self->faults[0].cookie;
	EXPECT_EQ(-EFAULT, job_status(self, 5000));
	EXPECT_EQ(INVALID, self->end.fault_code);
	/* The job ends with the first of them. */
	EXPECT_TRUE(pace_wait(5000, !vmm_kernel_stat("softacc.0",
						     "pending_groups")));
	set_timeout("10");
	/* New groups are in flight, some of them perhaps with the same indices. */
	ASSERT_EQ(0, submit(self));
	ASSERT_EQ(8, get_faults(self->fd, self->faults + 32, 8, 2000));
	EXPECT_EQ(0, vmm_respond(self->fd, cookie, SUCCESS));
	stats = fwd_stats(self->fd);
	EXPECT_EQ(1, stats.late);
	EXPECT_EQ(0, stats.responded[0]);
	vmm_start(&self->vmm, self->fd, 1);
	resolve_all(self, 40);
	EXPECT_EQ(0, vmm_respond(self->fd, self->faults[39].cookie, SUCCESS));
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

/* Errors of a VMM affect nothing else, and its valid responses count. */
TEST_F(forward, hostile)
{
	struct iommu_hwpt_page_response responses[3];
	uint32_t cookie;
	int i;

	EXPECT_EQ(-EINVAL, vmm_respond(self->fd, 0, SUCCESS));
	ASSERT_EQ(0, submit(self));
	/* Too small for the group; not a multiple of a record; no address */
	EXPECT_EQ(-EINVAL, get_faults(self->fd, self->faults, 7, 2000));
	EXPECT_EQ(-1, read(self->fd, self->faults, 100));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, read(self->fd, nowhere(), sizeof(self->faults)));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(32, four_groups(self));
	cookie = self->faults[0].cookie;

	EXPECT_EQ(-EINVAL, vmm_respond(self->fd, cookie, 2));
	EXPECT_EQ(-EINVAL, vmm_respond(self->fd, cookie, ~0U));
	EXPECT_EQ(-EINVAL, vmm_respond(self->fd, ~0U, SUCCESS));
	EXPECT_EQ(-EINVAL, vmm_respond(self->fd, cookie + 1000, SUCCESS));
	EXPECT_EQ(-1, write(self->fd, responses, 7));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, write(self->fd, nowhere(), 8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-ETIMEDOUT, job_status(self, 20));

	/* The first is accepted, the second is not, the third is not reached. */
	resolve_all(self, 32);
	for (i = 0; i < 3; i++)
		responses[i] = (struct iommu_hwpt_page_response){
			self->faults[i * 8].cookie, i == 1 ? 77 : SUCCESS,
		};
	EXPECT_EQ(8, write(self->fd, responses, sizeof(responses)));
	EXPECT_EQ(-EINVAL, vmm_respond(self->fd, cookie, SUCCESS));
	for (i = 1; i < 4; i++)
		EXPECT_EQ(0, vmm_respond(self->fd, self->faults[i * 8].cookie,
					 SUCCESS));
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

/* There is room for one group: the device is told to retry the others. */
TEST_F(forward, full)
{
	struct iopf_forward_stats stats;

	close(self->fd);
	self->fd = fwd_open(0, 0, 1);
	ASSERT_LE(0, self->fd);
	vmm_start(&self->vmm, self->fd, 1);
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	stats = fwd_stats(self->fd);
	EXPECT_LT(0, stats.full);
	EXPECT_EQ(stats.groups, stats.responded[0]);
	EXPECT_EQ(0, stats.queued + stats.pending);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

/* With this flag it is told that the others fail. */
TEST_F(forward, full_refused)
{
	close(self->fd);
	self->fd = fwd_open(IOPF_FORWARD_REFUSE, 0, 1);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, submit(self));
	ASSERT_EQ(8, get_faults(self->fd, self->faults, 128, 2000));
	pace_wait(5000, fwd_stats(self->fd).full >= 3);
	EXPECT_EQ(3, fwd_stats(self->fd).full);
	EXPECT_EQ(0, get_faults(self->fd, self->faults, 128, 20));
	resolve_all(self, 8);
	EXPECT_EQ(0, vmm_respond(self->fd, self->faults[0].cookie, SUCCESS));
	EXPECT_EQ(-EFAULT, job_status(self, 10000));
}

/* Groups that timed out do not take the room for ever. */
TEST_F(forward, full_of_overdue)
{
	close(self->fd);
	self->fd = fwd_open(0, 0, 2);
	ASSERT_LE(0, self->fd);
	set_timeout("1");
	ASSERT_EQ(0, submit(self));
	while (get_faults(self->fd, self->faults, 128, 200) > 0)
		;
	EXPECT_NE(-ETIMEDOUT, job_status(self, 10000));
	/* The job ends with the first of them. */
	EXPECT_TRUE(pace_wait(5000, !vmm_kernel_stat("softacc.0",
						     "pending_groups")));
	set_timeout("10");
	vmm_start(&self->vmm, self->fd, 1);
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	EXPECT_LE(2, fwd_stats(self->fd).overdue);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

/*
 * Closing the file ends faults that were read and that were not; then the kernel
 * serves.
 */
TEST_F(forward, closed)
{
	double start;

	set_timeout("100");
	ASSERT_EQ(0, submit(self));
	ASSERT_EQ(8, get_faults(self->fd, self->faults, 8, 2000));
	start = pace_seconds();
	close(self->fd);
	self->fd = -1;
	/* Closing the file sends the responses, not the timeout. */
	EXPECT_FALSE(pace_over(start, 5000));
	set_timeout("10");
	EXPECT_EQ(-EFAULT, job_status(self, 2000));
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(0, job_status(self, 10000));
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

/* A reader dies with what it has read; another one takes over. */
TEST_F(forward, reader_dies)
{
	int status;
	pid_t pid;

	ASSERT_EQ(0, submit(self));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		if (four_groups(self) != 32)
			_exit(1);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	ASSERT_TRUE(WIFSIGNALED(status));
	EXPECT_EQ(0, get_faults(self->fd, self->faults, 128, 20));
	EXPECT_EQ(4, fwd_stats(self->fd).pending);
	ASSERT_EQ(0, ioctl(self->fd, IOPF_FORWARD_IOC_AGAIN));
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	EXPECT_EQ(4, fwd_stats(self->fd).again);
	EXPECT_EQ(-1, acc_verify(self->area, AREA, 5));
}

/* Faults of one PASID are forwarded; those of another process stay in the kernel. */
TEST_F(forward, one_pasid)
{
	int status;
	pid_t pid;

	close(self->fd);
	self->fd = fwd_open(IOPF_FORWARD_PASID, acc_pasid(self->acc), 0);
	ASSERT_LE(0, self->fd);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int acc = acc_open(8, 4, 1);

		_exit(acc < 0 || acc_run(acc, SOFTACC_OP_FILL, NULL, area, AREA,
					 3, &self->end) ||
		      acc_verify(area, AREA, 3) >= 0);
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, fwd_stats(self->fd).groups);
	ASSERT_EQ(0, submit(self));
	EXPECT_EQ(-ETIMEDOUT, job_status(self, 50));
	vmm_start(&self->vmm, self->fd, 1);
	EXPECT_EQ(0, job_status(self, 10000));
	vmm_stop(&self->vmm);
	/* A page may be requested once more; each group was forwarded. */
	EXPECT_LE(8, self->end.groups);
	EXPECT_EQ(self->end.groups, fwd_stats(self->fd).groups);
}

/*
 * A process that is killed while its faults are outside of the kernel is gone at once.
 */
TEST_F(forward, killed)
{
	double start;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		int acc = acc_open(8, 4, 1);
		char *area = mmap(NULL, AREA, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		acc_run(acc, SOFTACC_OP_FILL, NULL, area, AREA, 3, &self->end);
		_exit(1);
	}
	ASSERT_LT(0, get_faults(self->fd, self->faults, 128, 5000));
	start = pace_seconds();
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_FALSE(pace_over(start, 2000));
	/* Its PASID was flushed: the late response is ignored. */
	usleep(200000);
	EXPECT_EQ(0, vmm_respond(self->fd, self->faults[0].cookie, SUCCESS));
	EXPECT_EQ(1, fwd_stats(self->fd).late);
}

/* Many threads on both sides, with all policies except @never */
TEST_F(forward, storm)
{
	struct acc_load loads[3];
	struct iopf_forward_stats stats;
	int i;

	self->vmm.policy = (struct vmm_policy){
		.late = 100, .refused = 20, .late_ms = 10,
	};
	vmm_start(&self->vmm, self->fd, 4);
	for (i = 0; i < 3; i++)
		ASSERT_EQ(0, acc_load_start(&loads[i], 512 * PAGE, 4));
	for (i = 0; i < 3; i++) {
		acc_load_end(&loads[i]);
		EXPECT_EQ(0, loads[i].wrong);
	}
	vmm_stop(&self->vmm);
	stats = fwd_stats(self->fd);
	EXPECT_EQ(0, self->vmm.bad);
	EXPECT_EQ(stats.groups, self->vmm.groups);
	EXPECT_EQ(stats.groups, self->vmm.responded[0] + self->vmm.responded[1]);
	EXPECT_EQ(0, stats.late + stats.queued + stats.pending);
	EXPECT_LE(3 * 4 * 512, self->vmm.faults);
}

FIXTURE(mock)
{
	struct mock mock;
	struct vmm vmm;
	struct iommu_hwpt_pgfault faults[256];
};

FIXTURE_SETUP(mock)
{
	ASSERT_EQ(0, mock_open(&self->mock))
		TH_LOG("iommufd's mock device: %s", strerror(errno));
	self->vmm = (struct vmm){ .fd = -1 };
}

FIXTURE_TEARDOWN(mock)
{
	mock_close(&self->mock);
}

static uint64_t mock_stat(const char *name)
{
	return vmm_kernel_stat("iommufd_mock*", name);
}

static uint64_t mock_responses(void)
{
	return mock_stat("success") + mock_stat("invalid");
}

static int make_faults(struct mock *mock, int from, int count)
{
	int i;

	for (i = from; i < from + count; i++)
		if (mock_fault(mock, 1, i))
			return -errno;
	return 0;
}

struct trigger {
	struct mock *mock;
	uint32_t pasid;
	pthread_t thread;
};

static void *make_many(void *data)
{
	struct trigger *trigger = data;
	uint32_t i;

	for (i = 0; i < 500; i++)
		mock_fault(trigger->mock, trigger->pasid, i);
	return NULL;
}

/* Many threads use the same indices at once, and others respond out of order. */
TEST_F(mock, storm)
{
	struct trigger triggers[8];
	int i;

	self->vmm.policy = (struct vmm_policy){
		.late = 300, .refused = 100, .late_ms = 10,
	};
	vmm_start(&self->vmm, self->mock.queue_fd[0], 4);
	for (i = 0; i < 8; i++) {
		triggers[i] = (struct trigger){ &self->mock, i + 1, 0 };
		ASSERT_EQ(0, pthread_create(&triggers[i].thread, NULL, make_many,
					    &triggers[i]));
	}
	for (i = 0; i < 8; i++)
		pthread_join(triggers[i].thread, NULL);
	while (self->vmm.groups < 4000)
		usleep(1000);
	vmm_stop(&self->vmm);
	EXPECT_EQ(4000, self->vmm.responded[0] + self->vmm.responded[1]);
	EXPECT_EQ(0, self->vmm.bad);
	EXPECT_EQ(4000, mock_responses());
	EXPECT_EQ(4000, mock_stat("groups"));
	EXPECT_EQ(self->vmm.responded[1], mock_stat("invalid"));
	EXPECT_EQ(0, mock_stat("late"));
}

/* The domain is replaced while its faults are outside, read and unread. */
TEST_F(mock, replaced)
{
	ASSERT_EQ(0, make_faults(&self->mock, 0, 100));
	ASSERT_EQ(50, get_faults(self->mock.queue_fd[0], self->faults, 50, 1000));
	EXPECT_EQ(0, vmm_respond(self->mock.queue_fd[0], self->faults[3].cookie,
				 SUCCESS));
	ASSERT_EQ(0, mock_attach(&self->mock, self->mock.hwpt[1]));
	EXPECT_EQ(100, mock_responses());
	EXPECT_EQ(1, mock_stat("success"));
	EXPECT_EQ(0, get_faults(self->mock.queue_fd[0], self->faults, 50, 20));
	EXPECT_EQ(-EINVAL, vmm_respond(self->mock.queue_fd[0],
				       self->faults[0].cookie, SUCCESS));
	/* The same indices are used again. */
	ASSERT_EQ(0, make_faults(&self->mock, 0, 100));
	EXPECT_EQ(0, get_faults(self->mock.queue_fd[0], self->faults, 50, 20));
	vmm_start(&self->vmm, self->mock.queue_fd[1], 2);
	while (self->vmm.groups < 100)
		usleep(1000);
	vmm_stop(&self->vmm);
	EXPECT_EQ(200, mock_responses());
	EXPECT_EQ(101, mock_stat("success"));
}

struct storm {
	struct mock *mock;
	uint32_t pasid;
	atomic_bool *stop;
	uint32_t made;
	pthread_t thread;
};

static void *make_until_told(void *data)
{
	struct storm *storm = data;

	while (!*storm->stop && storm->made < 100000)
		mock_fault(storm->mock, storm->pasid, storm->made++);
	return NULL;
}

/* The domain is replaced repeatedly while many threads make faults. */
TEST_F(mock, replaced_in_a_storm)
{
	struct vmm other = { .fd = -1 };
	struct storm storms[4];
	atomic_bool stop = false;
	uint64_t made = 0;
	int i;

	vmm_start(&self->vmm, self->mock.queue_fd[0], 1);
	vmm_start(&other, self->mock.queue_fd[1], 1);
	for (i = 0; i < 4; i++) {
		storms[i] = (struct storm){ &self->mock, i + 1, &stop, 0, 0 };
		ASSERT_EQ(0, pthread_create(&storms[i].thread, NULL,
					    make_until_told, &storms[i]));
	}
	for (i = 0; i < 20 || (i < 1000 && (!self->vmm.groups || !other.groups));
	     i++) {
		ASSERT_EQ(0, mock_attach(&self->mock,
					 self->mock.hwpt[(i + 1) % 2]));
		usleep(2000);
	}
	stop = true;
	for (i = 0; i < 4; i++) {
		pthread_join(storms[i].thread, NULL);
		made += storms[i].made;
	}
	pace_wait(5000, !mock_stat("pending_groups"));
	vmm_stop(&self->vmm);
	vmm_stop(&other);
	EXPECT_EQ(made, mock_stat("groups"));
	EXPECT_EQ(made, mock_responses());
	EXPECT_EQ(0, mock_stat("pending_groups"));
	EXPECT_LT(0, self->vmm.groups);
	EXPECT_LT(0, other.groups);
}

/* The file is closed with faults in it, which end with the domain. */
TEST_F(mock, closed)
{
	ASSERT_EQ(0, make_faults(&self->mock, 0, 100));
	ASSERT_EQ(50, get_faults(self->mock.queue_fd[0], self->faults, 50, 1000));
	close(self->mock.queue_fd[0]);
	self->mock.queue_fd[0] = -1;
	EXPECT_EQ(0, mock_responses());
	ASSERT_EQ(0, mock_attach(&self->mock, self->mock.hwpt[1]));
	EXPECT_EQ(100, mock_responses());
	EXPECT_EQ(100, mock_stat("invalid"));
	EXPECT_EQ(0, mock_stat("pending_groups"));
}

/* A VMM that is paused loses nothing: a domain's handler has no timeout by default. */
TEST_F(mock, paused)
{
	set_timeout("1");
	ASSERT_EQ(0, make_faults(&self->mock, 0, 20));
	pace_wait(2500, mock_responses());
	set_timeout("10");
	EXPECT_EQ(0, mock_responses());
	EXPECT_EQ(20, mock_stat("pending_groups"));
	ASSERT_EQ(20, get_faults(self->mock.queue_fd[0], self->faults, 256, 1000));
	EXPECT_EQ(0, vmm_respond(self->mock.queue_fd[0], self->faults[0].cookie,
				 SUCCESS));
	EXPECT_EQ(1, mock_stat("success"));
}

/* The VMM does not respond in time; the index is used again meanwhile. */
TEST_F(mock, never)
{
	uint64_t overdue;

	set_domain_timeout("1");
	ASSERT_EQ(0, make_faults(&self->mock, 0, 20));
	ASSERT_EQ(10, get_faults(self->mock.queue_fd[0], self->faults, 10, 1000));
	pace_wait(1500, mock_stat("overdue") == 20);
	set_domain_timeout("0");
	overdue = mock_stat("overdue");
	EXPECT_EQ(20, overdue);
	EXPECT_EQ(20, mock_stat("invalid"));
	ASSERT_EQ(0, make_faults(&self->mock, 0, 10));
	/* Late responses must not match the new groups. */
	EXPECT_EQ(0, vmm_respond(self->mock.queue_fd[0], self->faults[0].cookie,
				 SUCCESS));
	EXPECT_EQ(20, mock_responses());
	EXPECT_EQ(1, mock_stat("late"));
	/* Ten old ones, and the new ones. */
	ASSERT_EQ(20, get_faults(self->mock.queue_fd[0], self->faults, 256, 1000));
	EXPECT_EQ(0, vmm_respond(self->mock.queue_fd[0], self->faults[19].cookie,
				 SUCCESS));
	EXPECT_EQ(1, mock_stat("success"));
}

TEST_F(mock, hostile)
{
	struct iommu_hwpt_page_response responses[2];
	int fd = self->mock.queue_fd[0];

	ASSERT_EQ(0, make_faults(&self->mock, 0, 4));
	EXPECT_EQ(-EINVAL, vmm_respond(fd, 1, SUCCESS));
	EXPECT_EQ(-1, read(fd, self->faults, 39));
	EXPECT_EQ(ESPIPE, errno);
	ASSERT_EQ(4, get_faults(fd, self->faults, 4, 1000));
	EXPECT_EQ(-EINVAL, vmm_respond(fd, self->faults[0].cookie, 2));
	EXPECT_EQ(-EINVAL, vmm_respond(fd, ~0U, SUCCESS));
	EXPECT_EQ(-1, write(fd, responses, 15));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, write(fd, nowhere(), 8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(0, mock_responses());
	responses[0] = (struct iommu_hwpt_page_response){
		self->faults[2].cookie, SUCCESS,
	};
	responses[1] = responses[0];
	EXPECT_EQ(8, write(fd, responses, sizeof(responses)));
	EXPECT_EQ(1, mock_responses());
}

TEST_HARNESS_MAIN
