// SPDX-License-Identifier: GPL-2.0
/*
 * Compare what the CPU and the device may do in a process
 *
 * For each kind of memory and each limit one process accesses it by the CPU, and
 * another one, set up in the same way, by the device. The results must agree: served or
 * refused, how fast a refusal comes, what the cgroup of the process is charged with
 * and, where a policy or a cpuset determines it, from which node memory comes. Where
 * device and CPU must differ, the table gives the reason.
 *
 * On the kernel's own fault queue a difference is printed and is no failure.
 *
 * Arguments select the kinds whose names begin with one of them; without arguments all
 * are tested. With -s, strict, the table's reasons do not count: a difference is a
 * failure. NUMA hinting is in test-mm, as its traps are set by a scanner that may not
 * come.
 */
#include <linux/iommufd.h>
#include <linux/mempolicy.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>

#include "acc.h"
#include "file.h"
#include "iommufd_test.h"
#include "kselftest.h"
#include "uffd.h"

#define TIMEOUT		"/sys/module/iopf/parameters/prq_timeout"
#define CGROUPS		"/sys/fs/cgroup"
#define CGROUP		CGROUPS "/parity"
#define PAGE		4096UL
#define MB		(1UL << 20)
#define HUGE_PAGE	(2 * MB)
#define SEED		0x5eed
/* Pages of most kinds, and of those whose nodes are compared */
#define PAGES		512
/*
 * How much longer than the CPU's access a refusal may take, and a served access; in ms
 */
#define REFUSE_MS	1000
#define SERVE_MS	10000
/* Pages by which the charges may differ: a cgroup's statistics lag behind. */
#define CHARGE_SLACK	200

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE	0x08
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#ifndef MADV_HWPOISON
#define MADV_HWPOISON	100
#endif
#ifndef MPOL_WEIGHTED_INTERLEAVE
#define MPOL_WEIGHTED_INTERLEAVE 6
#endif

/* This kernel does not have the kind. */
#define NOT_THERE	1

enum outcome {
	SERVED,
	REFUSED,
	NO_SUCCESS,	/* Success every time, but the access never succeeds */
	KILLED,		/* the process was killed for lack of memory */
	BROKEN,		/* the test itself */
};

static const char * const outcomes[] = {
	"served", "refused", "no success", "killed", "broken",
};

/**
 * struct place - the memory of one process
 * @area: the memory that is accessed
 * @pages: its size
 */
struct place {
	char *area;
	size_t pages;
};

struct kind;

/**
 * struct kind - a kind of memory, or a limit
 * @name: its name
 * @setup: run in the process that accesses the memory: 0, %NOT_THERE or an error
 * @arg: argument of @setup
 * @more: another argument of @setup
 * @begin: run before the processes start: 0, %NOT_THERE or an error
 * @end: run after they have ended
 * @only: test only this access, %PROT_READ or %PROT_WRITE; 0 for both
 * @nodes: compare the nodes that memory comes from
 * @free: do not compare the charges
 * @throttled: the process is throttled: compare the times
 * @device: the device's outcome where it differs from the CPU's
 * @why: why it must differ, NULL if it must not
 */
struct kind {
	const char *name;
	int (*setup)(const struct kind *kind, struct place *place);
	long arg;
	long more;
	int (*begin)(const struct kind *kind);
	void (*end)(const struct kind *kind);
	int only;
	bool nodes;
	bool free;
	bool throttled;
	enum outcome device;
	const char *why;
};

/**
 * struct result - the result of an access
 * @skip: this kernel does not have such memory
 * @outcome: served, refused and so on
 * @ms: its duration in ms of the machine's time
 * @charged: pages that the cgroup was charged with
 * @nodes: pages from each node
 */
struct result {
	bool skip;
	enum outcome outcome;
	double ms;
	long charged;
	int nodes[2];
};

static sigjmp_buf caught;

static void on_signal(int signal)
{
	siglongjmp(caught, 1);
}

static void on_early_signal(int signal)
{
}

/*
 * Handle faults at a stack on an alternate one. A process that has memory poisoned gets
 * a signal at once.
 */
static void prepare_for_signals(void)
{
	stack_t stack = {
		.ss_sp = map(16 * PAGE, MAP_PRIVATE, -1),
		.ss_size = 16 * PAGE,
	};

	sigaltstack(&stack, NULL);
	signal(SIGBUS, on_early_signal);
}

static void catch_signals(void)
{
	struct sigaction action = {
		.sa_handler = on_signal,
		.sa_flags = SA_ONSTACK | SA_NODEFER,
	};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* Access the memory by the CPU. */
static enum outcome access_by_cpu(const struct place *place, int access)
{
	atomic_ullong *word;
	size_t i;

	if (sigsetjmp(caught, 1))
		return REFUSED;
	catch_signals();
	for (i = 0; i < place->pages; i++) {
		word = (atomic_ullong *)(place->area + i * PAGE);
		if (access == PROT_WRITE)
			atomic_store_explicit(word, i, memory_order_relaxed);
		else
			atomic_load_explicit(word, memory_order_relaxed);
	}
	return SERVED;
}

static enum outcome access_by_device(const struct place *place, int access, int fd)
{
	struct softacc_completion end;
	size_t len = place->pages * PAGE;
	int ret;

	if (access == PROT_WRITE)
		ret = acc_run(fd, SOFTACC_OP_TOUCH, NULL, place->area, len, SEED, &end);
	else
		ret = acc_run(fd, SOFTACC_OP_CHECKSUM, place->area, NULL, len, 0, &end);
	switch (ret) {
	case 0:
		return SERVED;
	case -EFAULT:
		return REFUSED;
	case -ELOOP:
		return NO_SUCCESS;
	default:
		printf("# the job ended with %d\n", ret);
		fflush(stdout);
		return BROKEN;
	}
}

/* Return the pages that the cgroup is charged with, those of files if @files. */
static long charged_pages(bool files)
{
	unsigned long long value;
	char name[64];
	long pages = 0;
	FILE *file = fopen(CGROUP "/memory.stat", "r");

	while (file && fscanf(file, "%63s %llu\n", name, &value) == 2)
		if (!strcmp(name, "anon") || (files && !strcmp(name, "file")))
			pages += value / PAGE;
	if (file)
		fclose(file);
	return pages;
}

static long charged(void)
{
	return charged_pages(true);
}

static void count_nodes(const struct place *place, int *nodes)
{
	size_t nr = place->pages < PAGES ? place->pages : PAGES;
	int status[PAGES];
	void *pages[PAGES];
	size_t i;

	for (i = 0; i < nr; i++)
		pages[i] = place->area + i * PAGE;
	if (syscall(SYS_move_pages, 0, nr, pages, NULL, status, 0))
		return;
	for (i = 0; i < nr; i++)
		if (status[i] == 0 || status[i] == 1)
			nodes[status[i]]++;
}

/* Map memory in small pages, without touching it. */
static char *fresh(size_t pages)
{
	char *area = map(pages * PAGE, MAP_PRIVATE, -1);

	if (area != MAP_FAILED)
		madvise(area, pages * PAGE, MADV_NOHUGEPAGE);
	return area;
}

/* Run as the process that accesses memory of @kind. */
static void accessor(const struct kind *kind, int access, bool device, int out)
{
	struct place place = { .pages = PAGES };
	struct result result = {};
	double start;
	long before;
	int fd = -1;
	int ret;

	if (write_file(CGROUP "/cgroup.procs", "0"))
		_exit(1);
	if (device) {
		fd = acc_open(8, 16, 1);
		if (fd < 0)
			_exit(2);
	}
	prepare_for_signals();
	ret = kind->setup(kind, &place);
	if (ret < 0) {
		printf("# %s: %s\n", kind->name, strerror(-ret));
		fflush(stdout);
		_exit(3);
	}
	result.skip = ret == NOT_THERE;
	if (!result.skip) {
		before = charged();
		start = pace_seconds();
		result.outcome = device ?
			access_by_device(&place, access, fd) :
			access_by_cpu(&place, access);
		result.ms = (pace_seconds() - start) * 1000;
		result.charged = charged() - before;
		if (result.outcome == SERVED)
			count_nodes(&place, result.nodes);
	}
	_exit(write(out, &result, sizeof(result)) != sizeof(result));
}

static struct result run_accessor(const struct kind *kind, int access,
				  bool device)
{
	struct result result = { .outcome = BROKEN };
	long before = charged_pages(false);
	int status;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return result;
	fflush(stdout);
	pid = fork();
	if (!pid)
		accessor(kind, access, device, ends[1]);
	close(ends[1]);
	if (read(ends[0], &result, sizeof(result)) != sizeof(result))
		result.outcome = BROKEN;
	close(ends[0]);
	if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGKILL)
		result.outcome = KILLED;
	/* A worker may have the memory of a killed process for a moment. */
	if (!pace_wait(10000, charged_pages(false) < before + CHARGE_SLACK / 2)) {
		printf("# memory of the process is still charged\n");
		result.outcome = BROKEN;
	}
	return result;
}

/* Return the result of an access, or an error if a requirement is missing. */
static int try_access(const struct kind *kind, int access, bool device,
		      struct result *result)
{
	int ret = kind->begin ? kind->begin(kind) : 0;

	if (!ret)
		*result = run_accessor(kind, access, device);
	if (kind->end)
		kind->end(kind);
	return ret ?: result->skip ? NOT_THERE : 0;
}

static int setup_unmapped(const struct kind *kind, struct place *place)
{
	place->area = fresh(place->pages);
	return munmap(place->area, place->pages * PAGE) ? -errno : 0;
}

/* @arg: the protection. The memory has content. */
static int setup_protected(const struct kind *kind, struct place *place)
{
	size_t len = place->pages * PAGE;

	place->area = fresh(place->pages);
	memset(place->area, 1, len / 2);
	return mprotect(place->area, len, kind->arg) ? -errno : 0;
}

/* @arg: flags of mmap() */
static int setup_anonymous(const struct kind *kind, struct place *place)
{
	place->area = map(place->pages * PAGE, kind->arg, -1);
	if (place->area == MAP_FAILED)
		return errno == EINVAL || errno == EOPNOTSUPP ? NOT_THERE : -errno;
	madvise(place->area, place->pages * PAGE, MADV_NOHUGEPAGE);
	return 0;
}

/* @arg: advice for memory that was touched */
static int setup_advised(const struct kind *kind, struct place *place)
{
	size_t len = place->pages * PAGE;

	place->area = fresh(place->pages);
	memset(place->area, 1, len);
	if (madvise(place->area, len, kind->arg))
		return errno == EINVAL ? NOT_THERE : -errno;
	return 0;
}

/* @arg: advice for each page by itself; one success is enough */
static int setup_one_advised(const struct kind *kind, struct place *place)
{
	place->area = fresh(place->pages);
	memset(place->area, 1, place->pages * PAGE);
	if (madvise(place->area, PAGE, kind->arg))
		return errno == EINVAL ? NOT_THERE : -errno;
	return 0;
}

/* A test module's memory, which the CPU and the device may read only */
static int setup_shadow_stack(const struct kind *kind, struct place *place)
{
	int fd = open("/dev/shadow-stack", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	place->area = map(place->pages * PAGE, MAP_PRIVATE, fd);
	return place->area == MAP_FAILED ? -errno : 0;
}

static int setup_secret(const struct kind *kind, struct place *place)
{
	int fd = syscall(SYS_memfd_secret, 0);

	if (fd < 0)
		return NOT_THERE;
	if (ftruncate(fd, place->pages * PAGE))
		return -errno;
	place->area = map(place->pages * PAGE, MAP_SHARED, fd);
	return place->area == MAP_FAILED ? -errno : 0;
}

/* @arg: flags of mlock2() */
static int setup_locked(const struct kind *kind, struct place *place)
{
	place->area = fresh(place->pages);
	return syscall(SYS_mlock2, place->area, place->pages * PAGE, kind->arg) ? -errno : 0;
}

/* Create an unlinked file of @size bytes. Return it or an error. */
static int open_file(size_t size)
{
	int fd = open("/mnt/parity", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	unlink("/mnt/parity");
	return ftruncate(fd, size) ? -errno : fd;
}

/* @arg: flags of mmap(), @more: bytes that the file has per page of the mapping */
static int setup_file(const struct kind *kind, struct place *place)
{
	int fd = open_file(kind->more * place->pages);

	if (fd < 0)
		return fd;
	place->area = map(place->pages * PAGE, kind->arg, fd);
	return place->area == MAP_FAILED ? -errno : 0;
}

/* A file whose pages are on disk and in the page cache; @arg: flags of mmap() */
static int setup_written_file(const struct kind *kind, struct place *place)
{
	static char page[PAGE] = { 1 };
	int fd = open_file(0);
	size_t i;

	if (fd < 0)
		return fd;
	for (i = 0; i < place->pages; i++)
		if (write(fd, page, PAGE) != PAGE)
			return -errno;
	fsync(fd);
	place->area = map(place->pages * PAGE, kind->arg, fd);
	return place->area == MAP_FAILED ? -errno : 0;
}

static int setup_sealed(const struct kind *kind, struct place *place)
{
	size_t len = place->pages * PAGE;
	int fd = memfd_create("parity", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, len) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE))
		return -errno;
	place->area = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, 0);
	return place->area == MAP_FAILED ? -errno : 0;
}

/* Create a process that shares the pages and stays. */
static pid_t fork_other(void)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

static int setup_forked(const struct kind *kind, struct place *place)
{
	place->area = fresh(place->pages);
	memset(place->area, 1, place->pages * PAGE);
	return fork_other() < 0 ? -errno : 0;
}

/* Pin the pages as iommufd does for a device that cannot fault. */
static int pin(void *area, size_t len)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_test_cmd device = {
		.size = sizeof(device),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
	};
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
		.user_va = (uintptr_t)area,
		.length = len,
	};
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return NOT_THERE;
	if (ioctl(fd, IOMMU_IOAS_ALLOC, &ioas))
		return -errno;
	device.id = ioas.out_ioas_id;
	map.ioas_id = ioas.out_ioas_id;
	if (ioctl(fd, IOMMU_TEST_CMD, &device))
		return errno == ENOTTY ? NOT_THERE : -errno;
	return ioctl(fd, IOMMU_IOAS_MAP, &map) ? -errno : 0;
}

/* As setup_forked(), of pages that are pinned. */
static int setup_pinned(const struct kind *kind, struct place *place)
{
	int ret;

	place->area = fresh(place->pages);
	memset(place->area, 1, place->pages * PAGE);
	ret = pin(place->area, place->pages * PAGE);
	if (ret)
		return ret;
	return fork_other() < 0 ? -errno : 0;
}

static unsigned long read_number(const char *path)
{
	unsigned long value = 0;
	FILE *file = fopen(path, "r");

	if (!file || fscanf(file, "%lu", &value) != 1)
		value = 0;
	if (file)
		fclose(file);
	return value;
}

/* Pages with the same content are merged. */
static int setup_merged(const struct kind *kind, struct place *place)
{
	const char *shared = "/sys/kernel/mm/ksm/pages_sharing";
	size_t len = place->pages * PAGE;

	if (write_file("/sys/kernel/mm/ksm/sleep_millisecs", "1") ||
	    write_file("/sys/kernel/mm/ksm/pages_to_scan", "10000") ||
	    write_file("/sys/kernel/mm/ksm/run", "1"))
		return NOT_THERE;
	place->area = fresh(place->pages);
	memset(place->area, 7, len);
	if (madvise(place->area, len, MADV_MERGEABLE))
		return -errno;
	return pace_wait(20000, read_number(shared) >= place->pages / 2) ? 0 : -ETIME;
}

static int setup_swapped(const struct kind *kind, struct place *place)
{
	int i;

	place->area = fresh(place->pages);
	memset(place->area, 1, place->pages * PAGE);
	for (i = 0; i < 20 && charged() >= (long)place->pages / 2; i++)
		write_file(CGROUP "/memory.reclaim", "1M");
	return charged() < (long)place->pages / 2 ? 0 : NOT_THERE;
}

#define STACK_GAP	(64 * MB)

static int set_limit(int resource, unsigned long bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	return setrlimit(resource, &limit) ? -errno : 0;
}

/* @arg: RLIMIT_STACK, @more: how far below the stack a page is accessed */
static int setup_stack(const struct kind *kind, struct place *place)
{
	char *stack = map_stack(STACK_GAP);

	if (stack == MAP_FAILED)
		return -errno;
	madvise(stack, PAGE, MADV_NOHUGEPAGE);
	stack[0] = 1;
	place->area = stack - kind->more;
	place->pages = 1;
	return set_limit(RLIMIT_STACK, kind->arg);
}

/* As setup_stack(), without RLIMIT_STACK: other limits apply. */
static int setup_unlimited_stack(const struct kind *kind, struct place *place)
{
	const struct kind unlimited = {
		.arg = RLIM_INFINITY,
		.more = kind->more,
	};

	return setup_stack(&unlimited, place);
}

/* Return the size of the process's address space in bytes. */
static unsigned long address_space(void)
{
	return read_number("/proc/self/statm") * PAGE;
}

/* @arg: the limit that leaves the process a megabyte; @more: as above */
static int setup_stack_limit(const struct kind *kind, struct place *place)
{
	return setup_unlimited_stack(kind, place) ?:
	       set_limit(kind->arg, address_space() + MB);
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = {};

	return syscall(SYS_capset, &header, none) ? -errno : 0;
}

/* A locked stack. @arg: with CAP_IPC_LOCK, @more: as above */
static int setup_stack_locked(const struct kind *kind, struct place *place)
{
	int ret = setup_unlimited_stack(kind, place);

	if (!ret && mlock(place->area + kind->more, PAGE))
		ret = -errno;
	ret = ret ?: set_limit(RLIMIT_MEMLOCK, 256 * 1024);
	return ret ?: kind->arg ? 0 : drop_capabilities();
}

static char overcommit[3][16];
static const char * const overcommit_files[3] = {
	"/proc/sys/vm/overcommit_memory",
	"/proc/sys/vm/overcommit_kbytes",
	"/proc/sys/vm/overcommit_ratio",
};

static int begin_strict(const struct kind *kind)
{
	int i;

	for (i = 0; i < 3; i++)
		snprintf(overcommit[i], sizeof(overcommit[i]), "%lu",
			 read_number(overcommit_files[i]));
	return 0;
}

/* No memory is left to commit, for other processes neither. */
static int setup_strict(const struct kind *kind, struct place *place)
{
	return setup_stack(kind, place) ?:
	       write_file(overcommit_files[1], "1") ?:
	       write_file(overcommit_files[0], "2");
}

static void end_strict(const struct kind *kind)
{
	write_file(overcommit_files[0], overcommit[0]);
	if (atol(overcommit[1]))
		write_file(overcommit_files[1], overcommit[1]);
	else
		write_file(overcommit_files[2], overcommit[2]);
}

static int begin_huge_limit(const struct kind *kind)
{
	write_file(CGROUPS "/cgroup.subtree_control", "+hugetlb");
	return write_file(CGROUP "/hugetlb.2MB.max", "0") ? NOT_THERE : 0;
}

static void end_huge_limit(const struct kind *kind)
{
	write_file(CGROUP "/hugetlb.2MB.max", "max");
}

/* @arg: reservations take all other huge pages */
static int setup_huge(const struct kind *kind, struct place *place)
{
	place->pages = 1;
	place->area = map(HUGE_PAGE, MAP_PRIVATE | MAP_HUGETLB | MAP_NORESERVE, -1);
	if (place->area == MAP_FAILED)
		return -errno;
	while (kind->arg &&
	       map(HUGE_PAGE, MAP_PRIVATE | MAP_HUGETLB, -1) != MAP_FAILED)
		;
	return 0;
}

/* @more: the amount of memory in pages */
static int setup_cgroup(const struct kind *kind, struct place *place)
{
	place->pages = kind->more;
	place->area = fresh(place->pages);
	return place->area == MAP_FAILED ? -ENOMEM : 0;
}

/* Set the limit of the cgroup that the kind is named after. */
static int set_memory_limit(const struct kind *kind, const char *limit)
{
	char path[64];

	snprintf(path, sizeof(path), CGROUP "/%s", kind->name);
	return write_file(path, limit);
}

static int begin_memory_limit(const struct kind *kind)
{
	return write_file(CGROUP "/memory.swap.max", "0") ?:
	       set_memory_limit(kind, "4M");
}

static void end_memory_limit(const struct kind *kind)
{
	set_memory_limit(kind, "max");
	write_file(CGROUP "/memory.swap.max", "max");
}

static bool one_node(void)
{
	return access("/sys/devices/system/node/node1", F_OK);
}

/* @arg: a policy of the memory, @more: its nodes */
static int setup_mbind(const struct kind *kind, struct place *place)
{
	unsigned long nodes = kind->more;

	if (one_node())
		return NOT_THERE;
	place->area = fresh(place->pages);
	return syscall(SYS_mbind, place->area, place->pages * PAGE, kind->arg,
		       &nodes, 8 * sizeof(nodes), 0) ? -errno : 0;
}

/* The same policy of the task, as far as it applies. */
static int setup_policy(const struct kind *kind, struct place *place)
{
	unsigned long nodes = kind->more;

	if (one_node())
		return NOT_THERE;
	place->area = fresh(place->pages);
	if (!syscall(SYS_set_mempolicy, kind->arg, &nodes, 8 * sizeof(nodes)))
		return 0;
	return errno == EINVAL ? NOT_THERE : -errno;
}

/* @arg: the node */
static int begin_cpuset(const struct kind *kind)
{
	if (one_node())
		return NOT_THERE;
	write_file(CGROUPS "/cgroup.subtree_control", "+cpuset");
	return write_file(CGROUP "/cpuset.mems", kind->arg ? "1" : "0");
}

static void end_cpuset(const struct kind *kind)
{
	write_file(CGROUP "/cpuset.mems", "\n");
}

static void serve(int uffd, const struct uffd_msg *msg)
{
	struct uffdio_range page = { msg->arg.pagefault.address & ~(PAGE - 1), PAGE };
	struct uffdio_writeprotect writable = { .range = page };
	struct uffdio_continue present = { .range = page };
	struct uffdio_zeropage zero = { .range = page };

	if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP)
		ioctl(uffd, UFFDIO_WRITEPROTECT, &writable);
	else if (msg->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_MINOR)
		ioctl(uffd, UFFDIO_CONTINUE, &present);
	else
		ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
}

static void *serve_all(void *data)
{
	int uffd = *(int *)data;
	struct uffd_msg msg;

	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg))
		serve(uffd, &msg);
	return NULL;
}

static int start_server(int uffd)
{
	static pthread_t thread;
	static int fd;

	fd = uffd;
	if (fd < 0)
		return errno == EINVAL ? NOT_THERE : -errno;
	return -pthread_create(&thread, NULL, serve_all, &fd);
}

/* @arg: flags of userfaultfd() */
static int setup_userfaultfd(const struct kind *kind, struct place *place)
{
	place->area = fresh(place->pages);
	return start_server(uffd_register_flags(place->area, place->pages * PAGE,
						UFFDIO_REGISTER_MODE_MISSING, 0,
						kind->arg));
}

static int setup_write_protected(const struct kind *kind, struct place *place)
{
	struct uffdio_writeprotect protect = {
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};
	size_t len = place->pages * PAGE;
	int uffd;

	place->area = fresh(place->pages);
	memset(place->area, 1, len);
	uffd = uffd_register(place->area, len, UFFDIO_REGISTER_MODE_WP,
			     UFFD_FEATURE_PAGEFAULT_FLAG_WP);
	protect.range.start = (uintptr_t)place->area;
	protect.range.len = len;
	if (uffd >= 0 && ioctl(uffd, UFFDIO_WRITEPROTECT, &protect))
		return -errno;
	return start_server(uffd);
}

/* The pages are in the page cache, and are not mapped before user space says so. */
static int setup_minor(const struct kind *kind, struct place *place)
{
	size_t len = place->pages * PAGE;
	int fd = memfd_create("parity", MFD_CLOEXEC);
	char *other;

	if (fd < 0 || ftruncate(fd, len))
		return -errno;
	place->area = map(len, MAP_SHARED, fd);
	other = map(len, MAP_SHARED, fd);
	if (place->area == MAP_FAILED || other == MAP_FAILED)
		return -errno;
	memset(other, 1, len);
	return start_server(uffd_register(place->area, len,
					  UFFDIO_REGISTER_MODE_MINOR,
					  UFFD_FEATURE_MINOR_SHMEM));
}

static int setup_poisoned(const struct kind *kind, struct place *place)
{
	struct uffdio_poison poison = {};
	int uffd;

	place->area = fresh(place->pages);
	uffd = uffd_register(place->area, place->pages * PAGE,
			     UFFDIO_REGISTER_MODE_MISSING, UFFD_FEATURE_POISON);
	if (uffd < 0)
		return NOT_THERE;
	poison.range.start = (uintptr_t)place->area;
	poison.range.len = place->pages * PAGE;
	return ioctl(uffd, UFFDIO_POISON, &poison) ? -errno : 0;
}

#define PROT(what, prot)						\
	{ .name = "protection " what, .setup = setup_protected, .arg = prot }
#define STACK(what, limit, distance)					\
	{ .name = "stack " what, .setup = setup_stack, .arg = limit, .more = distance }

static const struct kind kinds[] = {
	{ .name = "unmapped", .setup = setup_unmapped },
	PROT("---", PROT_NONE),
	PROT("r--", PROT_READ),
	PROT("-w-", PROT_WRITE),
	PROT("rw-", PROT_READ | PROT_WRITE),
	PROT("r-x", PROT_READ | PROT_EXEC),
	PROT("-wx", PROT_WRITE | PROT_EXEC),
	PROT("rwx", PROT_READ | PROT_WRITE | PROT_EXEC),
	{ .name = "protection --x", .setup = setup_protected, .arg = PROT_EXEC,
	  .device = REFUSED,
	  .why = "the CPU reads it if it has no protection keys; devices have none" },
	{ .name = "guard region", .setup = setup_advised, .arg = MADV_GUARD_INSTALL },
	{ .name = "shadow stack", .setup = setup_shadow_stack },
	{ .name = "memfd_secret", .setup = setup_secret },
	{ .name = "shared anonymous", .setup = setup_anonymous, .arg = MAP_SHARED },
	{ .name = "MAP_DROPPABLE", .setup = setup_anonymous, .arg = MAP_DROPPABLE },
	{ .name = "MADV_FREE", .setup = setup_advised, .arg = MADV_FREE },
	{ .name = "MADV_DONTNEED", .setup = setup_advised, .arg = MADV_DONTNEED },
	{ .name = "mlock", .setup = setup_locked },
	{ .name = "MLOCK_ONFAULT", .setup = setup_locked, .arg = 1 },
	STACK("4M, next page", 4 * MB, PAGE),
	STACK("4M, below", 4 * MB, 4 * MB - 16 * PAGE),
	STACK("4M, beyond", 4 * MB, 4 * MB + 16 * PAGE),
	STACK("16M, below", 16 * MB, 16 * MB - 16 * PAGE),
	STACK("16M, beyond", 16 * MB, 16 * MB + 16 * PAGE),
	STACK("unlimited", RLIM_INFINITY, 32 * MB),
	{ .name = "stack below RLIMIT_AS", .setup = setup_stack_limit,
	  .arg = RLIMIT_AS, .more = 64 * PAGE },
	{ .name = "stack beyond RLIMIT_AS", .setup = setup_stack_limit,
	  .arg = RLIMIT_AS, .more = 4 * MB },
	{ .name = "stack and RLIMIT_DATA", .setup = setup_stack_limit,
	  .arg = RLIMIT_DATA, .more = 4 * MB },
	{ .name = "stack below RLIMIT_MEMLOCK", .setup = setup_stack_locked,
	  .more = 8 * PAGE },
	{ .name = "stack beyond RLIMIT_MEMLOCK", .setup = setup_stack_locked,
	  .more = MB },
	{ .name = "stack beyond RLIMIT_MEMLOCK, CAP_IPC_LOCK",
	  .setup = setup_stack_locked, .arg = true, .more = MB },
	{ .name = "stack and strict overcommit", .setup = setup_strict,
	  .arg = RLIM_INFINITY, .more = 48 * MB,
	  .begin = begin_strict, .end = end_strict },
	{ .name = "hugetlb, empty pool", .setup = setup_huge, .arg = true },
	{ .name = "hugetlb beyond its cgroup", .setup = setup_huge,
	  .begin = begin_huge_limit, .end = end_huge_limit, .device = SERVED,
	  .why = "the mm charges huge pages to the cgroup of the current task" },
	{ .name = "memory.max", .setup = setup_cgroup, .more = 4096,
	  .begin = begin_memory_limit, .end = end_memory_limit, .only = PROT_WRITE, .free = true,
	  .device = REFUSED,
	  .why = "the device may be refused before its owner is killed" },
	{ .name = "memory.high", .setup = setup_cgroup, .more = 1280,
	  .begin = begin_memory_limit, .end = end_memory_limit,
	  .only = PROT_WRITE, .throttled = true },
	{ .name = "mbind: bind", .setup = setup_mbind, .arg = MPOL_BIND,
	  .more = 2, .nodes = true, .only = PROT_WRITE },
	{ .name = "mbind: interleave", .setup = setup_mbind,
	  .arg = MPOL_INTERLEAVE, .more = 3, .nodes = true, .only = PROT_WRITE },
	{ .name = "policy: bind", .setup = setup_policy, .arg = MPOL_BIND,
	  .more = 2, .nodes = true, .only = PROT_WRITE },
	{ .name = "policy: preferred", .setup = setup_policy,
	  .arg = MPOL_PREFERRED, .more = 2, .nodes = true, .only = PROT_WRITE },
	{ .name = "policy: interleave", .setup = setup_policy,
	  .arg = MPOL_INTERLEAVE, .more = 3, .nodes = true, .only = PROT_WRITE },
	{ .name = "policy: weighted interleave", .setup = setup_policy,
	  .arg = MPOL_WEIGHTED_INTERLEAVE, .more = 3, .nodes = true,
	  .only = PROT_WRITE },
	{ .name = "cpuset.mems 0", .setup = setup_cgroup, .more = PAGES,
	  .begin = begin_cpuset, .end = end_cpuset, .nodes = true,
	  .only = PROT_WRITE },
	{ .name = "cpuset.mems 1", .setup = setup_cgroup, .arg = 1, .more = PAGES,
	  .begin = begin_cpuset, .end = end_cpuset, .nodes = true,
	  .only = PROT_WRITE },
	{ .name = "userfaultfd", .setup = setup_userfaultfd },
	{ .name = "userfaultfd, user mode only", .setup = setup_userfaultfd,
	  .arg = UFFD_USER_MODE_ONLY },
	{ .name = "userfaultfd, write-protected", .setup = setup_write_protected },
	{ .name = "userfaultfd, minor", .setup = setup_minor },
	{ .name = "userfaultfd, poisoned", .setup = setup_poisoned },
	{ .name = "KSM", .setup = setup_merged, .free = true },
	{ .name = "hole of a file, shared", .setup = setup_file,
	  .arg = MAP_SHARED, .more = PAGE },
	{ .name = "hole of a file, private", .setup = setup_file,
	  .arg = MAP_PRIVATE, .more = PAGE },
	{ .name = "beyond the end of a file", .setup = setup_file,
	  .arg = MAP_SHARED, .free = true },
	{ .name = "file, shared", .setup = setup_written_file,
	  .arg = MAP_SHARED },
	{ .name = "file, private", .setup = setup_written_file,
	  .arg = MAP_PRIVATE },
	{ .name = "write-sealed memfd", .setup = setup_sealed },
	{ .name = "swap", .setup = setup_swapped, .free = true },
	{ .name = "hwpoison", .setup = setup_one_advised, .arg = MADV_HWPOISON,
	  .free = true },
	{ .name = "soft-offline", .setup = setup_one_advised,
	  .arg = MADV_SOFT_OFFLINE },
	{ .name = "copy on write after fork", .setup = setup_forked },
	{ .name = "copy on write of pinned pages", .setup = setup_pinned },
};

/* Return whether the two results agree; print what does not. */
static bool agree(const struct kind *kind, const struct result *cpu,
		  const struct result *device, bool strict)
{
	enum outcome expected = cpu->outcome;
	bool good = true;

	if (cpu->outcome == BROKEN || device->outcome == BROKEN)
		return false;
	if (kind->why && !strict && device->outcome == kind->device)
		expected = kind->device;
	if (device->outcome != expected) {
		printf("# the device is %s\n", outcomes[device->outcome]);
		good = false;
	}
	if (device->outcome == REFUSED && device->ms > cpu->ms + REFUSE_MS) {
		printf("# the device is refused late\n");
		good = false;
	}
	if (device->outcome != SERVED || cpu->outcome != SERVED)
		return good;
	if (device->ms > cpu->ms * 4 + SERVE_MS ||
	    (kind->throttled && cpu->ms > device->ms * 4 + 500)) {
		printf("# the device's access takes another time\n");
		good = false;
	}
	if (!kind->free && labs(device->charged - cpu->charged) > CHARGE_SLACK) {
		printf("# the device's access is charged otherwise\n");
		good = false;
	}
	if (kind->nodes && abs(device->nodes[1] - cpu->nodes[1]) > 8) {
		printf("# the device's memory is on other nodes\n");
		good = false;
	}
	return good;
}

static void show(const char *who, const struct result *result)
{
	printf("# %s: %s in %.1f ms, %ld pages charged, %d and %d of node 0 and 1\n",
	       who, outcomes[result->outcome], result->ms, result->charged,
	       result->nodes[0], result->nodes[1]);
}

static void compare(const struct kind *kind, int access, bool upstream, bool strict)
{
	const char *name = access == PROT_WRITE ? "written" : "read";
	struct result device;
	struct result cpu;
	int ret = try_access(kind, access, false, &cpu) ?:
		  try_access(kind, access, true, &device);

	if (ret == NOT_THERE) {
		ksft_test_result_skip("%s, %s: not on this machine\n",
				      kind->name, name);
		return;
	}
	if (ret) {
		ksft_test_result_fail("%s, %s: %s\n", kind->name, name,
				      strerror(-ret));
		return;
	}
	show("CPU", &cpu);
	show("device", &device);
	if (kind->why && !strict)
		printf("# may differ: %s\n", kind->why);
	if (agree(kind, &cpu, &device, strict))
		ksft_test_result_pass("%s, %s: %s\n", kind->name, name,
				      outcomes[device.outcome]);
	else if (upstream)
		ksft_test_result_skip("%s, %s: io-pgfault.c is otherwise\n",
				      kind->name, name);
	else
		ksft_test_result_fail("%s, %s\n", kind->name, name);
}

static bool wanted(const struct kind *kind, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (!strncmp(kind->name, argv[i], strlen(argv[i])))
			return true;
	return !argc;
}

int main(int argc, char **argv)
{
	bool upstream = access(TIMEOUT, F_OK);
	unsigned int plan = 0;
	bool strict = false;
	int option;
	size_t i;

	while ((option = getopt(argc, argv, "s")) != -1) {
		if (option != 's')
			ksft_exit_fail_msg("usage: %s [-s] [KIND...]\n", argv[0]);
		strict = true;
	}
	argc -= optind;
	argv += optind;
	pace_start();
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (wanted(&kinds[i], argc, argv))
			plan += kinds[i].only ? 1 : 2;
	ksft_print_header();
	ksft_set_plan(plan);
	write_file(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		ksft_exit_fail_msg("%s: %s\n", CGROUP, strerror(errno));
	write_file(TIMEOUT, "0");
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const struct kind *kind = &kinds[i];

		if (!wanted(kind, argc, argv))
			continue;
		if (kind->only != PROT_WRITE)
			compare(kind, PROT_READ, upstream, strict);
		if (kind->only != PROT_READ)
			compare(kind, PROT_WRITE, upstream, strict);
	}
	write_file(TIMEOUT, "10");
	write_file("/sys/kernel/mm/ksm/run", "2");
	pace_wait(5000, !rmdir(CGROUP));
	ksft_finished();
}
