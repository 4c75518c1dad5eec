// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: a process with its threads and files, and operations of any file
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "random.h"

/*
 * Descriptors that are closed at random are smaller than those of files that are left
 * for other processes, and these are smaller than the program's own.
 */
#define FIRST_SENT_FD	100
#define FIRST_OWN_FD	200

/* The address of the areas, far from the program's other mappings */
#define AREAS		0x20000000UL
#define AREAS_STRIDE	0x4000000UL

/* The slot is reserved for a file that is being added. */
#define FILE_TAKEN	-2

void add_file(struct process *process, int fd, enum kind kind, int queue)
{
	unsigned int i;

	for (i = 0; i < MAX_FILES; i++) {
		struct file *file = &process->files[i];
		int none = -1;

		if (!atomic_compare_exchange_strong(&file->fd, &none, FILE_TAKEN))
			continue;
		file->kind = kind;
		file->queue = queue;
		atomic_store(&file->fd, fd);
		return;
	}
	close(fd);
}

static enum kind counted_as(enum kind kind)
{
	return kind == KIND_FAULTS ? KIND_IOMMUFD : kind;
}

/* Return how long @step, a close, has taken up to now. */
static long long close_us(const struct step *step)
{
	long long us = (pace_seconds() - step->begun) * 1e6;

	/*
	 * UACCE reads arguments under a mutex that a close needs, so subtract the time
	 * for which this test's own arguments have kept the kernel waiting.
	 */
	if (step->number == KIND_SOFTACC)
		us -= atomic_load(&shared->asleep_us) - step->asleep_us;
	return us;
}

/* Return false if @step took too long. */
bool check_close(const struct step *step)
{
	long long us = close_us(step);

	if (us <= shared->close_ms * 1000LL)
		return true;
	fail(step->number, CHECK_CLOSE, "close(%d) takes %.1f s", step->fd,
	     us / 1e6);
	return false;
}

static void close_fd(struct actor *actor, int fd, enum kind kind)
{
	struct step *step;
	long long us;

	kind = counted_as(kind);
	arm_failure(actor);
	step = trail_step(actor->trail, "close", fd, kind, "");
	close(fd);
	us = close_us(step);
	atomic_store(&step->result, 0);
	check_close(step);
	disarm_failure(actor);
	atomic_fetch_add(&shared->closes[kind], 1);
	if (us > atomic_load(&shared->longest_us[kind]))
		atomic_store(&shared->longest_us[kind], us);
}

void close_file(struct actor *actor, struct file *file)
{
	enum kind kind = file->kind;
	int fd = atomic_load(&file->fd);

	if (fd >= 0 && atomic_compare_exchange_strong(&file->fd, &fd, -1))
		close_fd(actor, fd, kind);
}

/* Let one of the next allocations of this thread fail. */
void arm_failure(struct actor *actor)
{
	if (actor->fail_nth >= 0 && rng_percent(&actor->rng, 30))
		dprintf(actor->fail_nth, "%d", (int)rng_range(&actor->rng, 1, 24));
}

void disarm_failure(struct actor *actor)
{
	if (actor->fail_nth >= 0)
		pwrite(actor->fail_nth, "0", 1, 0);
}

/*
 * End the system call of @step, which has returned @ret: its failure is disarmed and its
 * result noted. Return @ret, or -errno.
 */
long end_call(struct actor *actor, struct step *step, long ret)
{
	if (ret < 0)
		ret = -errno;
	disarm_failure(actor);
	atomic_store(&step->result, ret);
	return ret;
}

/* Return an address in memory of a random kind. */
uint64_t memory(struct actor *actor)
{
	struct rng *rng = &actor->rng;

	if (rng_percent(rng, 5))
		return rng_next(rng) & ~7ULL;
	return (uintptr_t)actor->process->areas[rng_percent(rng, 50) ?
						AREA_ANONYMOUS :
						rng_below(rng, NR_AREAS)] +
	       rng_below(rng, AREA_PAGES) * PAGE;
}

/* Map an area. Nothing follows it, as far as a device may run ahead of its faults. */
static void *map_area(enum area area)
{
	int prot = area == AREA_NONE ? PROT_NONE :
		   area == AREA_READ_ONLY ? PROT_READ : PROT_READ | PROT_WRITE;

	return mmap((void *)(AREAS + area * AREAS_STRIDE), AREA_PAGES * PAGE, prot,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static bool watch(struct process *process, enum area area)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)process->areas[area], AREA_PAGES * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	return !ioctl(process->uffd, UFFDIO_REGISTER, &range);
}

static bool map_areas(struct process *process)
{
	struct uffdio_api api = { .api = UFFD_API };
	enum area area;
	int fd;

	for (area = 0; area < NR_AREAS; area++) {
		process->areas[area] = map_area(area);
		if (process->areas[area] == MAP_FAILED)
			return false;
	}
	fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	process->uffd = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
	close(fd);
	return process->uffd >= 0 && !ioctl(process->uffd, UFFDIO_API, &api) &&
	       watch(process, AREA_LATE) && watch(process, AREA_NEVER);
}

/* Serve the accesses that wait for a page of AREA_LATE. */
static void serve_late(struct process *process)
{
	struct pollfd poll_fd = { .fd = process->uffd, .events = POLLIN };
	uintptr_t late = (uintptr_t)process->areas[AREA_LATE];
	struct uffdio_zeropage zero = { .range.len = PAGE };
	struct uffd_msg msg;

	poll(&poll_fd, 1, 10);
	while (read(process->uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		zero.range.start = msg.arg.pagefault.address & ~(PAGE - 1);
		if (zero.range.start - late < AREA_PAGES * PAGE)
			ioctl(process->uffd, UFFDIO_ZEROPAGE, &zero);
	}
}

static void change_areas(struct process *process, unsigned int times)
{
	char *vanishing = process->areas[AREA_VANISHING];
	size_t len = AREA_PAGES * PAGE;

	mprotect(vanishing, len, times % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
	mmap(vanishing, len / 2, times % 4 ? PROT_READ | PROT_WRITE : PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	madvise(process->areas[AREA_ANONYMOUS], len, MADV_DONTNEED);
	madvise(process->areas[AREA_LATE], len, MADV_DONTNEED);
}

/* Change the memory meanwhile, in a thread that sleeps most of the time. */
static void *disturb_memory(void *arg)
{
	struct process *process = arg;
	unsigned int times;
	double next = 0;

	for (times = 0;; times++) {
		double start = pace_clock(CLOCK_MONOTONIC) / 1e9;
		double now;

		serve_late(process);
		if (start < next)
			continue;
		change_areas(process, times);
		now = pace_clock(CLOCK_MONOTONIC) / 1e9;
		next = now + 10 * (now - start);
	}
	return NULL;
}

/* Return a size for a read or write of a file whose records have some size. */
static size_t random_size(struct rng *rng)
{
	static const size_t sizes[] = {
		0, 1, 7, 8, 16, 39, 40, 41, 80, 400, 4096, 20480, 65536,
		0x7ffff000, 0x7fffffff, ~0UL >> 1, ~0UL,
	};

	return rng_percent(rng, 30) ? rng_below(rng, 20000) :
				      sizes[rng_below(rng, sizeof(sizes) /
							   sizeof(sizes[0]))];
}

static long any_transfer(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	size_t size = random_size(rng);
	off_t offset = rng_percent(rng, 50) ? 0 : rng_next(rng);
	unsigned int how = rng_below(rng, 4);
	int fd = atomic_load(&file->fd);
	struct step *step;
	void *where;
	long ret;

	/* Reads of queues are counted, see response.c. */
	if (file->queue >= 0)
		return 0;
	where = argument(actor, actor->slow, 0);
	step = trail_step(actor->trail, "transfer", fd, size,
			  place_names[actor->place]);
	arm_failure(actor);
	ret = how == 0 ? read(fd, where, size) :
	      how == 1 ? write(fd, where, size) :
	      how == 2 ? pread(fd, where, size, offset) :
			 pwrite(fd, where, size, offset);
	ret = end_call(actor, step, ret);
	argument_end(actor);
	/* Only queues can be read and written: the descriptor was a queue's before. */
	if (ret > 0)
		atomic_store(&shared->unknown, true);
	return ret;
}

static long any_poll(struct actor *actor, struct file *file)
{
	struct pollfd poll_fd = {
		.fd = atomic_load(&file->fd), .events = rng_next(&actor->rng),
	};

	return poll(&poll_fd, 1, rng_below(&actor->rng, 4)) < 0 ? -errno : 0;
}

static long any_mmap(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	off_t offset = rng_percent(rng, 70) ? rng_below(rng, 4) * PAGE :
					      rng_next(rng) & ~(PAGE - 1);
	size_t len = rng_percent(rng, 80) ? rng_range(rng, 1, 8) * PAGE :
					    rng_next(rng);
	int fd = atomic_load(&file->fd);
	struct step *step = trail_step(actor->trail, "mmap", fd, offset, "");
	char *addr;

	arm_failure(actor);
	addr = mmap(NULL, len, rng_below(rng, 8),
		    rng_percent(rng, 80) ? MAP_SHARED : MAP_PRIVATE, fd, offset);
	disarm_failure(actor);
	atomic_store(&step->result, addr == MAP_FAILED ? -errno : 0);
	if (addr == MAP_FAILED)
		return -errno;
	munmap(addr, len);
	return 0;
}

static long any_flags(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	int fd = atomic_load(&file->fd);

	switch (rng_below(rng, 3)) {
	case 0:
		return fcntl(fd, F_SETFL, rng_next(rng) &
			     (O_NONBLOCK | O_APPEND | O_NOATIME)) ? -errno : 0;
	case 1:
		return lseek(fd, rng_next(rng), rng_below(rng, 5)) < 0 ? -errno : 0;
	default:
		return fsync(fd) ? -errno : 0;
	}
}

/* Run an ioctl with a known or unknown command and a size that may not match it. */
static long any_ioctl(struct actor *actor, struct file *file)
{
	static const char types[] = { 'W', ';', 0, 'T' };
	struct rng *rng = &actor->rng;
	unsigned int command = _IOC(rng_below(rng, 4), types[rng_below(rng, 4)],
				    rng_below(rng, 256), rng_below(rng, 512));
	uint64_t content[32];
	uint32_t size = rng_below(rng, 80);
	size_t i;

	/*
	 * Allow all commands of iommufd, except that the test interface may not lower
	 * limits.
	 */
	if (file->kind == KIND_IOMMUFD && rng_percent(rng, 50))
		command = _IO(';', rng_range(rng, 0x80, 0x9f));
	if (_IOC_TYPE(command) == ';' && _IOC_NR(command) > 0x9f)
		return 0;
	for (i = 0; i < sizeof(content) / sizeof(content[0]); i++)
		content[i] = rng_percent(rng, 50) ? rng_below(rng, 64) :
						    rng_next(rng);
	memcpy(content, &size, sizeof(size));
	return do_ioctl(actor, atomic_load(&file->fd), command, content,
			rng_below(rng, sizeof(content)));
}

static long any_dup(struct actor *actor, struct file *file)
{
	enum kind kind = file->kind;
	int queue = file->queue;
	int from = atomic_load(&file->fd);
	int fd = dup(from);

	if (fd < 0)
		return -errno;
	/* It may be another file's descriptor now. */
	if (!is_same(file, from, queue)) {
		close_fd(actor, fd, kind);
		return -EBUSY;
	}
	add_file(actor->process, fd, kind, queue);
	return 0;
}

static long any_close(struct actor *actor, struct file *file)
{
	close_file(actor, file);
	return 0;
}

/*
 * Leave a file for other processes. There are no sockets in this kernel. The file gets
 * a descriptor of its own in this process, so its kind is known until the next one is
 * left.
 */
static long any_send(struct actor *actor, struct file *file)
{
	struct letter *letter = &shared->letters[actor->trail->tid % MAX_LETTERS];
	unsigned int count = atomic_load(&letter->count) & ~1U;
	enum kind kind = file->kind;
	int queue = file->queue;
	int from = atomic_load(&file->fd);
	int fd;

	if (actor->child)
		return 0;
	fd = fcntl(from, F_DUPFD_CLOEXEC, FIRST_SENT_FD);
	if (fd < 0)
		return -errno;
	if (!is_same(file, from, queue) ||
	    !atomic_compare_exchange_strong(&letter->count, &count, count + 1)) {
		close_fd(actor, fd, kind);
		return -EBUSY;
	}
	letter->pid = getpid();
	letter->kind = kind;
	letter->queue = queue;
	letter->fd = fd;
	atomic_store(&letter->count, count + 2);
	if (actor->sent >= 0)
		close_fd(actor, actor->sent, actor->sent_kind);
	actor->sent = fd;
	actor->sent_kind = kind;
	return 0;
}

static long any_receive(struct actor *actor, struct file *file)
{
	struct letter *letter = &shared->letters[rng_below(&actor->rng,
							   MAX_LETTERS)];
	unsigned int count = atomic_load(&letter->count);
	enum kind kind = letter->kind;
	int queue = letter->queue;
	int pidfd;
	int fd;

	if (!letter->pid || count % 2)
		return 0;
	pidfd = syscall(SYS_pidfd_open, letter->pid, 0);
	if (pidfd < 0)
		return -errno;
	fd = syscall(SYS_pidfd_getfd, pidfd, letter->fd, 0);
	close(pidfd);
	if (fd < 0)
		return -errno;
	if (atomic_load(&letter->count) == count)
		add_file(actor->process, fd, kind, queue);
	else
		close(fd);
	return 0;
}

static void act(struct actor *actor);
static void start_actor(struct actor *actor);

/*
 * Run a child, which has the files and none of the other threads. It uses and closes
 * some.
 */
static void run_child(struct actor *actor)
{
	unsigned int steps = rng_below(&actor->rng, 30);
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	start_actor(actor);
	for (i = 0; i < steps && !atomic_load(&shared->stop); i++)
		act(actor);
	for (i = 0; i < MAX_FILES; i++)
		if (rng_percent(&actor->rng, 50))
			close_file(actor, &actor->process->files[i]);
	_exit(0);
}

static long any_fork(struct actor *actor, struct file *file)
{
	struct rng rng = { rng_next(&actor->rng) };
	bool wait = rng_percent(&actor->rng, 50);
	struct step *step;
	pid_t pid;

	if (actor->child)
		return 0;
	step = trail_step(actor->trail, "fork", -1, wait, "");
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		actor->rng = rng;
		actor->child = true;
		run_child(actor);
	}
	atomic_store(&step->result, pid);
	if (rng_percent(&actor->rng, 30)) {
		usleep(rng_below(&rng, 20000));
		kill(pid, SIGKILL);
	}
	/* A child without a waiter ends with this thread, or with the round. */
	if (wait)
		waitpid(pid, NULL, 0);
	else
		waitpid(-1, NULL, WNOHANG);
	return 0;
}

static long any_open(struct actor *actor, struct file *file)
{
	unsigned int kinds = actor->process->kinds;
	enum kind kind = rng_below(&actor->rng, NR_KINDS);

	if (!(kinds & 1U << kind))
		return 0;
	return kind == KIND_SOFTACC ? softacc_open(actor) :
	       kind == KIND_FORWARD ? forward_open(actor) : iommufd_open(actor);
}

/* Operations of any file */
static const struct operation any_operations[] = {
	{ "transfer", 8, any_transfer },
	{ "poll", 6, any_poll },
	{ "mmap", 4, any_mmap },
	{ "flags", 2, any_flags },
	{ "ioctl", 12, any_ioctl },
	{ "dup", 6, any_dup },
	{ "close", 14, any_close },
	{ "send", 4, any_send },
	{ "receive", 4, any_receive },
	{ "fork", 1, any_fork },
	{ "open", 40, any_open },
	{ }
};

static const struct operation *const operations[] = {
	[KIND_SOFTACC] = softacc_operations,
	[KIND_FORWARD] = forward_operations,
	[KIND_IOMMUFD] = iommufd_operations,
	[KIND_FAULTS] = faults_operations,
	[KIND_NONE] = any_operations,
};

static const struct operation *choose(struct rng *rng,
				      const struct operation *list)
{
	const struct operation *operation;
	unsigned int sum = 0;
	unsigned int dice;

	for (operation = list; operation->name; operation++)
		sum += operation->weight;
	dice = rng_below(rng, sum);
	for (operation = list; dice >= operation->weight; operation++)
		dice -= operation->weight;
	return operation;
}

static void count(enum kind kind, const char *name, bool good)
{
	struct tally *tally = shared->tallies[counted_as(kind)];

	for (; tally->name; tally++) {
		if (strcmp(tally->name, name))
			continue;
		atomic_fetch_add(&tally->made, 1);
		atomic_fetch_add(&tally->good, good);
	}
}

/* Run one operation on one of the files. */
static void act(struct actor *actor)
{
	struct file *file = &actor->process->files[rng_below(&actor->rng,
							     MAX_FILES)];
	bool any = atomic_load(&file->fd) < 0 || rng_percent(&actor->rng, 25);
	enum kind kind = any ? KIND_NONE : file->kind;
	const struct operation *operation = choose(&actor->rng, operations[kind]);
	long ret;

	ret = operation->run(actor, file);
	if (!any)
		count(kind, operation->name, ret >= 0);
}

/* Run first in the thread of @actor. */
static void start_actor(struct actor *actor)
{
	int fd = -1;

	actor->trail = trail_begin(actor->process->kinds);
	actor->fail_nth = -1;
	if (actor->process->round->flags & D_NOMEM)
		fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		actor->fail_nth = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
		close(fd);
	}
	if (!argument_start(actor))
		_exit(1);
}

static void *run_actor(void *arg)
{
	struct actor *actor = arg;

	start_actor(actor);
	while (!atomic_load(&shared->stop)) {
		act(actor);
		if (rng_percent(&actor->rng, 10))
			usleep(rng_below(&actor->rng, 3000));
	}
	return NULL;
}

/* Half of the processes close their files, the others leave that to exit. */
static void end_process(struct process *process)
{
	struct actor *actor = process->actors[0];
	unsigned int i;

	if (rng_percent(&actor->rng, 50))
		for (i = 0; i < MAX_FILES; i++)
			close_file(actor, &process->files[i]);
	_exit(0);
}

void run_process(const struct round *round, struct rng *rng, unsigned int kinds)
{
	struct process *process = calloc(1, sizeof(*process));
	pthread_t thread;
	unsigned int i;

	setpgid(0, 0);
	process->round = round;
	process->kinds = kinds;
	process->nr_actors = rng_range(rng, 1, MAX_THREADS);
	for (i = 0; i < MAX_FILES; i++)
		atomic_store(&process->files[i].fd, -1);
	if (!map_areas(process) ||
	    pthread_create(&thread, NULL, disturb_memory, process))
		_exit(1);
	for (i = 0; i < process->nr_actors; i++) {
		struct actor *actor = calloc(1, sizeof(*actor));

		*actor = (struct actor){
			.process = process,
			.rng = { rng_next(rng) },
			.index = i,
			.sent = -1,
		};
		process->actors[i] = actor;
		if (i && pthread_create(&actor->thread, NULL, run_actor, actor))
			_exit(1);
	}
	run_actor(process->actors[0]);
	for (i = 1; i < process->nr_actors; i++)
		pthread_join(process->actors[i]->thread, NULL);
	end_process(process);
}
