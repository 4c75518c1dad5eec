// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark: accelerators that touch memory as fast as they can
 */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "bench.h"

#define HUGE_SIZE	(2UL << 20)
#define BENCH_UNSUPPORTED	2
/* Time from one unbind to the next */
#define UNBIND_NS		10000000

/**
 * struct bench_figures - what one process has measured
 * @ready: the process is ready to start
 * @bytes: bytes touched
 * @ns: time that it took
 * @begin: when it began
 * @end: when it ended
 * @loops_per_s: what its disturbing thread did meanwhile
 * @stats: the accelerator's counters for it
 */
struct bench_figures {
	int ready;
	uint64_t bytes;
	uint64_t ns;
	uint64_t begin;
	uint64_t end;
	double loops_per_s;
	struct softacc_stats stats;
};

/**
 * struct bench_disturber - what a thread or process does beside accelerators
 * @stop: the thread is to end
 * @loops: how often it has changed mappings or unbound a PASID
 */
struct bench_disturber {
	int stop;
	uint64_t loops;
};

struct bench_shared {
	int go;
	struct bench_disturber unbinder;
	struct bench_figures figures[BENCH_MAX_PROCESSES];
};

static size_t bench_size(const struct bench_stream *stream)
{
	/* Many processes share the area. */
	return stream->processes > 8 ? bench_area / stream->processes : bench_area;
}

/* A thousand processes that poll every millisecond would be a load of their own. */
static void bench_wait_go(const int *go)
{
	while (!__atomic_load_n(go, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, go, FUTEX_WAIT, 0, NULL, NULL, 0);
}

static void bench_go(int *go)
{
	__atomic_store_n(go, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, go, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static char *bench_map(enum bench_memory memory, size_t area_size)
{
	size_t size = area_size + HUGE_SIZE;
	uintptr_t start;
	char *area;
	int fd = -1;

	if (memory == BENCH_FILE) {
		fd = memfd_create("bench", 0);
		if (fd < 0 || ftruncate(fd, size))
			bench_die("memfd");
	}
	area = mmap(NULL, size, PROT_READ | PROT_WRITE,
		    fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
	if (area == MAP_FAILED)
		bench_die("mmap");
	start = ((uintptr_t)area + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1);
	if (memory == BENCH_THP && madvise((void *)start, area_size,
					   MADV_HUGEPAGE))
		bench_die("MADV_HUGEPAGE");
	/* The file's pages are in the page cache; only the mapping is missing. */
	if (fd >= 0)
		memset((void *)start, 0, area_size);
	return (char *)start;
}

/* Run one round: touch the area, which is not mapped, and verify it. */
static uint64_t bench_round(int fd, char *area, size_t size, uint64_t seed)
{
	struct softacc_completion end;
	uint64_t start;
	uint64_t ns;
	size_t i;

	if (madvise(area, size, MADV_DONTNEED))
		bench_die("MADV_DONTNEED");
	start = bench_ns();
	if (acc_run(fd, SOFTACC_OP_TOUCH, NULL, area, size, seed, &end))
		bench_die("the accelerator's job");
	ns = bench_ns() - start;
	for (i = 0; i < size; i += 4096)
		if (*(uint64_t *)(area + i) != softacc_pattern(seed, i))
			bench_die("wrong data");
	return ns;
}

static void *bench_disturb(void *data)
{
	struct bench_disturber *disturber = data;

	while (!__atomic_load_n(&disturber->stop, __ATOMIC_RELAXED)) {
		char *area = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		mprotect(area, 4096, PROT_READ);
		munmap(area, 65536);
		disturber->loops++;
	}
	return NULL;
}

static int bench_open(const struct bench_stream *stream, unsigned int number)
{
	unsigned int device = stream->devices ? number % stream->devices : 0;
	char path[32];
	int fd;

	struct softacc_config config = {
		.pages_per_group = stream->pages,
		.outstanding = stream->outstanding,
		.threads = 1,
		.flags = stream->flags,
	};

	snprintf(path, sizeof(path), ACC_DEVICES, device);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bench_die(path);
	/* Not every fault queue supports every configuration. */
	if (ioctl(fd, SOFTACC_IOC_CONFIG, &config)) {
		if (errno == EOPNOTSUPP)
			_exit(BENCH_UNSUPPORTED);
		bench_die(path);
	}
	return fd;
}

static void bench_stats_diff(struct softacc_stats *stats,
			     const struct softacc_stats *old)
{
	unsigned int i;

	stats->lat_count -= old->lat_count;
	for (i = 0; i < SOFTACC_LAT_BUCKETS; i++)
		stats->lat[i] -= old->lat[i];
}

/* Run one process for @rounds rounds, or until it is killed. */
static void bench_process(const struct bench_stream *stream,
			  unsigned int number, unsigned int rounds,
			  const int *go, struct bench_figures *figures)
{
	size_t size = bench_size(stream);
	char *area = bench_map(stream->memory, size);
	int fd = bench_open(stream, number);
	struct softacc_stats old;
	struct bench_disturber disturber = {};
	uint64_t start;
	pthread_t thread;
	unsigned int i;

	/* Leave out the first round: threads, caches and page tables are new. */
	bench_round(fd, area, size, 0);
	if (ioctl(fd, SOFTACC_IOC_STATS, &old))
		bench_die("STATS");
	start = bench_ns();
	if (stream->disturb)
		pthread_create(&thread, NULL, bench_disturb, &disturber);
	__atomic_store_n(&figures->ready, 1, __ATOMIC_RELEASE);
	bench_wait_go(go);
	figures->begin = bench_ns();
	for (i = 1; !rounds || i <= rounds; i++) {
		figures->ns += bench_round(fd, area, size, i);
		figures->bytes += size;
	}
	figures->end = bench_ns();
	if (ioctl(fd, SOFTACC_IOC_STATS, &figures->stats))
		bench_die("STATS");
	bench_stats_diff(&figures->stats, &old);
	__atomic_store_n(&disturber.stop, 1, __ATOMIC_RELAXED);
	if (stream->disturb)
		pthread_join(thread, NULL);
	figures->loops_per_s = disturber.loops * 1e9 / (bench_ns() - start);
	close(fd);
}

static struct bench_shared *bench_share(void)
{
	struct bench_shared *shared;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		bench_die("mmap");
	return shared;
}

/* Return -1 if the fault queue does not support @stream. */
static pid_t bench_fork(const struct bench_stream *stream, unsigned int rounds,
			struct bench_shared *shared, unsigned int i)
{
	pid_t child = fork();
	int status;

	if (child < 0)
		bench_die("fork");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_process(stream, i, rounds, &shared->go,
			      &shared->figures[i]);
		_exit(0);
	}
	while (!__atomic_load_n(&shared->figures[i].ready, __ATOMIC_ACQUIRE)) {
		if (waitpid(child, &status, WNOHANG)) {
			if (WEXITSTATUS(status) == BENCH_UNSUPPORTED)
				return -1;
			bench_die("a process of the benchmark");
		}
		usleep(1000);
	}
	return child;
}

int bench_start(const struct bench_stream *stream)
{
	struct bench_shared *shared = bench_share();
	pid_t child = bench_fork(stream, 0, shared, 0);

	bench_go(&shared->go);
	return child;
}

void bench_stop(int child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void bench_print_latency(const char *scenario,
				const struct softacc_stats *stats)
{
	if (!stats->lat_count)
		return;
	bench_result(scenario, "p50_us", acc_percentile(stats, 50) / 1000);
	bench_result(scenario, "p99_us", acc_percentile(stats, 99) / 1000);
}

/* Loop at a fixed rate, so that both fault queues have the same to do. */
static void bench_unbind_loop(struct bench_disturber *unbinder)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct softacc_completion end;
	struct timespec pause = {};
	uint64_t next = bench_ns();
	uint64_t now;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), ACC_DEVICES, 0);
	for (;; unbinder->loops++) {
		now = bench_ns();
		pause.tv_nsec = now < next ? next - now : 0;
		nanosleep(&pause, NULL);
		next += UNBIND_NS;
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			bench_die(path);
		madvise(page, 4096, MADV_DONTNEED);
		if (acc_run(fd, SOFTACC_OP_TOUCH, NULL, page, 4096, 0, &end))
			bench_die("TOUCH");
		close(fd);
	}
}

static pid_t bench_start_unbinder(struct bench_disturber *unbinder)
{
	pid_t child = fork();

	if (child < 0)
		bench_die("fork");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		bench_unbind_loop(unbinder);
	}
	return child;
}

void bench_stream(const char *scenario, const struct bench_stream *stream)
{
	unsigned int n = stream->processes ?: 1;
	struct bench_shared *shared = bench_share();
	struct softacc_stats sum = {};
	uint64_t begin = UINT64_MAX;
	double pages_per_s = 0;
	double loops_per_s = 0;
	uint64_t bytes = 0;
	uint64_t end = 0;
	pid_t children[BENCH_MAX_PROCESSES];
	pid_t unbinder = 0;
	uint64_t start;
	unsigned int i;
	unsigned int j;
	int status;

	for (i = 0; i < n; i++) {
		children[i] = bench_fork(stream, bench_rounds, shared, i);
		if (children[i] < 0)
			return;
	}
	start = bench_ns();
	if (stream->unbinds)
		unbinder = bench_start_unbinder(&shared->unbinder);
	bench_go(&shared->go);
	for (i = 0; i < n; i++) {
		struct bench_figures *figures = &shared->figures[i];

		if (waitpid(children[i], &status, 0) < 0 || status)
			bench_die("a process of the benchmark");
		pages_per_s += figures->bytes / 4096 * 1e9 / figures->ns;
		loops_per_s += figures->loops_per_s;
		bytes += figures->bytes;
		begin = figures->begin < begin ? figures->begin : begin;
		end = figures->end > end ? figures->end : end;
		sum.lat_count += figures->stats.lat_count;
		for (j = 0; j < SOFTACC_LAT_BUCKETS; j++)
			sum.lat[j] += figures->stats.lat[j];
	}
	if (unbinder) {
		bench_stop(unbinder);
		loops_per_s = shared->unbinder.loops * 1e9 / (bench_ns() - start);
	}
	if (stream->whole)
		pages_per_s = bytes / 4096 * 1e9 / (end - begin);
	bench_result(scenario, "pages_per_s", pages_per_s);
	bench_print_latency(scenario, &sum);
	if (stream->disturb || stream->unbinds)
		bench_result(scenario, "loops_per_s", loops_per_s);
	munmap(shared, sizeof(*shared));
}
