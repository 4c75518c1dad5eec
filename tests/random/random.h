/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random operations: what its files share
 *
 *	main.c      runs the rounds, and checks the results
 *	round.c     one round: processes, disturbances, checks at its end
 *	process.c   a process: its threads, its files, operations of any file
 *	argument.c  where the kernel is told to read or write
 *	softacc.c   operations of the accelerator
 *	forward.c   operations of the forwarder
 *	mock.c      operations of iommufd with its mock device
 *	response.c  groups of the forwarder and of iommufd that are read and responded to
 *	disturb.c   disturbances of processes, devices and modules
 *	trail.c     the last operations of each thread
 *	report.c    kernel reports
 *
 * One seed determines all choices. How threads interleave differs each time.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel.h"
#include "pace.h"
#include "rng.h"

#define PAGE		4096UL

#define MAX_DEVICES	2
#define MAX_PROCESSES	6
#define MAX_THREADS	3
#define MAX_FILES	12

/*
 * The longest close in ms, and what is added in multiples of an undisturbed one; that
 * is little except on debug kernels
 */
#define CLOSE_MS	2000
#define CLOSE_TIMES	100

enum kind {
	KIND_SOFTACC,
	KIND_FORWARD,
	KIND_IOMMUFD,
	NR_KINDS,
	/* A fault queue of iommufd: counts as iommufd */
	KIND_FAULTS = NR_KINDS,
	KIND_NONE,
};

/* Conditions to check; violations are counted */
enum check {
	CHECK_CLOSE,		/* each close is quick */
	CHECK_ONCE,		/* one response for each group */
	CHECK_ENDS,		/* processes, devices and modules end */
	CHECK_MEMORY,		/* all memory is freed */
	CHECK_REPORT,		/* the kernel reports nothing */
	NR_CHECKS,
};

/* The disturbances of a round; disturbances[] of main.c has their names. */
#define D_KILL		(1U << 0)	/* processes are killed */
#define D_REMOVE	(1U << 1)	/* devices and modules are removed and come back */
#define D_DRIVER	(1U << 2)	/* the driver flushes, discards, replugs */
#define D_TIMEOUT	(1U << 3)	/* groups have short timeouts */
#define D_LIMITS	(1U << 4)	/* low limits */
#define D_NOMEM		(1U << 5)	/* allocations fail */
#define D_HANDLERS	(1U << 6)	/* some PASIDs have a handler of their own */
#define NR_DISTURBANCES	7

#define MAX_OPERATIONS	24
#define NR_STEPS	16
#define MAX_TRAILS	64

/**
 * struct step - an operation
 * @name: the operation; a constant of the program, so all processes can read it
 * @fd: the file's descriptor
 * @number: the command, the size, or what describes it best
 * @place: the place of its argument
 * @begun: start, in the machine's time
 * @asleep_us: shared->asleep_us at the start
 * @result: its return value, or a negative errno; %STEP_RUNS until then
 */
struct step {
	const char *name;
	int fd;
	unsigned long number;
	const char *place;
	double begun;
	long long asleep_us;
	atomic_long result;
};

#define STEP_RUNS	0x7fffffffL

/**
 * struct trail - the last operations of a thread
 * @tid: the thread
 * @kinds: the devices of its process, a mask of 1 << &enum kind
 * @next: number of operations so far
 * @told: value of @next for which a slow operation was reported
 * @steps: the last of them
 */
struct trail {
	pid_t tid;
	unsigned int kinds;
	atomic_uint next;
	unsigned int told;
	struct step steps[NR_STEPS];
};

#define MAX_QUEUES	1024
#define MAX_COOKIES	1024

/**
 * struct queue - cookies of a file that groups are read from
 * @kind: the device
 * @unknown: groups were read without being counted, so nothing can be checked
 * @reading: calls of read() whose groups are not counted yet
 * @delivered: how often each cookie was read
 * @accepted: how often a response with it was accepted
 * @recent: cookies that were read lately
 */
struct queue {
	enum kind kind;
	atomic_bool unknown;
	atomic_int reading;
	atomic_ushort delivered[MAX_COOKIES];
	atomic_ushort accepted[MAX_COOKIES];
	atomic_uint recent[16];
};

#define MAX_LETTERS	16

/**
 * struct letter - an open file that is left for other processes
 * @count: odd while the other members change
 * @pid: the process that has it
 * @fd: its descriptor there
 * @kind: its kind
 * @queue: in shared->queues, or -1
 */
struct letter {
	atomic_uint count;
	pid_t pid;
	int fd;
	enum kind kind;
	int queue;
};

/**
 * struct tally - results of an operation
 * @name: the operation
 * @made: how often it was run
 * @good: how often it succeeded
 */
struct tally {
	const char *name;
	atomic_ulong made;
	atomic_ulong good;
};

/**
 * struct shared - state that all processes share
 * @stop: end the processes
 * @round: number of the round
 * @unknown: groups were read from an unknown file without being counted
 * @next_grpid: next page request group index; each is used once
 * @holder: thread that keeps the kernel waiting for an argument, one at a time
 * @asleep_us: how long such arguments have kept the kernel waiting, in the machine's
 *	time
 * @close_ms: the longest time that a close may take
 * @slowness: slowdown of this kernel; 1 without debug checks
 * @closes: by &enum kind
 * @longest_us: the longest close, by &enum kind
 * @tallies: results of operations, by &enum kind
 * @failures: failures by &enum kind, or %NR_KINDS for no device, and &enum check
 * @next_trail: trails handed out
 * @next_queue: queues handed out
 * @trails: the trails; reused
 * @queues: the queues of this round
 * @letters: the letters of this round
 */
struct shared {
	atomic_bool stop;
	unsigned int round;
	atomic_bool unknown;
	atomic_uint next_grpid;
	atomic_int holder;
	atomic_llong asleep_us;
	int close_ms;
	double slowness;
	atomic_ulong closes[NR_KINDS];
	atomic_llong longest_us[NR_KINDS];
	struct tally tallies[NR_KINDS][MAX_OPERATIONS];
	atomic_ulong failures[NR_KINDS + 1][NR_CHECKS];
	atomic_uint next_trail;
	atomic_uint next_queue;
	struct trail trails[MAX_TRAILS];
	struct queue queues[MAX_QUEUES];
	struct letter letters[MAX_LETTERS];
};

extern struct shared *shared;
extern bool verbose;
/* Devices to test, a mask of 1 << &enum kind */
extern unsigned int kinds;

/**
 * struct round - one round
 * @number: from 1
 * @seed: seed of its choices
 * @flags: D_* values
 * @seconds: its duration
 * @devices: number of devices
 * @processes: number of processes at a time
 */
struct round {
	unsigned int number;
	uint64_t seed;
	unsigned int flags;
	unsigned int seconds;
	unsigned int devices;
	unsigned int processes;
};

/**
 * struct file - an open file of a process
 * @fd: its descriptor, or -1
 * @kind: its kind
 * @queue: in shared->queues, or -1
 *
 * Threads use and close files at random: a descriptor may be that of another file by
 * the time it is used.
 */
struct file {
	atomic_int fd;
	enum kind kind;
	int queue;
};

/* The kinds of memory that the devices of a process work on */
enum area {
	AREA_ANONYMOUS,
	AREA_READ_ONLY,
	AREA_VANISHING,		/* munmap() and mprotect() beside the device */
	AREA_LATE,		/* userfaultfd, served after a while */
	AREA_NEVER,		/* userfaultfd, never served */
	AREA_NONE,		/* PROT_NONE */
	NR_AREAS,
};

#define AREA_PAGES	64

struct actor;

/**
 * struct process - a process
 * @round: the round
 * @kinds: its devices, a mask of 1 << &enum kind
 * @files: its files
 * @areas: its memory
 * @uffd: userfaultfd of AREA_LATE and AREA_NEVER
 * @actors: its threads
 * @nr_actors: number of threads
 */
struct process {
	const struct round *round;
	unsigned int kinds;
	struct file files[MAX_FILES];
	char *areas[NR_AREAS];
	int uffd;
	struct actor *actors[MAX_THREADS];
	unsigned int nr_actors;
};

/* Places for an argument */
enum place {
	PLACE_GOOD,
	PLACE_END,		/* ends with the mapping */
	PLACE_CROSSING,		/* begins in it, ends behind it */
	PLACE_READ_ONLY,
	PLACE_VANISHING,	/* munmap() and mprotect() meanwhile */
	PLACE_SLOW,		/* userfaultfd: served late, or the process is killed */
	PLACE_PROTECTED,	/* PROT_NONE */
	PLACE_UNMAPPED,
	PLACE_NULL,
	PLACE_KERNEL,
	PLACE_NONSENSE,
	NR_PLACES,
};

/**
 * struct actor - a thread of a process
 * @process: the process
 * @rng: source of its choices
 * @trail: its last operations
 * @index: the thread's number in its process
 * @child: runs as the only thread of a child of the process
 * @fail_nth: /proc/thread-self/fail-nth, or -1
 * @views: addresses of its arguments, all of them views of the same pages
 * @content: the same pages, always mapped
 * @slow: content of the slow page
 * @slow_uffd: userfaultfd of the slow page
 * @careful: use good arguments only
 * @vanish: wakes the thread that takes a page away
 * @vanish_rng: source of that thread's choices
 * @vanishing: keep taking the page away
 * @place: place of the last argument
 * @at: its offset in @content
 * @sent: the last file that it left for other processes, or -1
 * @sent_kind: its kind
 * @thread: the thread
 */
struct actor {
	struct process *process;
	struct rng rng;
	struct trail *trail;
	unsigned int index;
	bool child;
	int fail_nth;
	char *views;
	char *content;
	char slow[PAGE];
	int slow_uffd;
	bool careful;
	sem_t vanish;
	struct rng vanish_rng;
	atomic_bool vanishing;
	enum place place;
	size_t at;
	int sent;
	enum kind sent_kind;
	pthread_t thread;
};

/**
 * struct operation - an operation on files of a kind
 * @name: its name in trails and in the table
 * @weight: its relative frequency
 * @run: runs it; returns the result of the system call, or a negative errno
 */
struct operation {
	const char *name;
	unsigned int weight;
	long (*run)(struct actor *actor, struct file *file);
};

/* main.c */
__attribute__((format(printf, 3, 4)))
void fail(enum kind kind, enum check check, const char *format, ...);
bool is_upstream(void);
void print_kinds(unsigned int mask);

/* round.c */
bool run_round(const struct round *round);

/* process.c */
void run_process(const struct round *round, struct rng *rng,
		 unsigned int kinds);
void add_file(struct process *process, int fd, enum kind kind, int queue);
void close_file(struct actor *actor, struct file *file);
bool check_close(const struct step *step);
void arm_failure(struct actor *actor);
void disarm_failure(struct actor *actor);
long end_call(struct actor *actor, struct step *step, long ret);
uint64_t memory(struct actor *actor);

/* Return whether @file still has @fd and @queue. */
static inline bool is_same(struct file *file, int fd, int queue)
{
	return atomic_load(&file->fd) == fd && file->queue == queue;
}

/* argument.c */
extern const char *const place_names[NR_PLACES];

bool argument_start(struct actor *actor);
void *argument(struct actor *actor, const void *content, size_t len);
bool argument_result(struct actor *actor, void *result, size_t len);
void argument_end(struct actor *actor);
long do_plain_ioctl(struct actor *actor, int fd, unsigned int command);
long do_ioctl(struct actor *actor, int fd, unsigned int command,
	      void *content, size_t len);

/* softacc.c, forward.c, mock.c: the operations; the last entry has no name */
extern const struct operation softacc_operations[];
extern const struct operation forward_operations[];
extern const struct operation iommufd_operations[];
extern const struct operation faults_operations[];

long softacc_open(struct actor *actor);
long forward_open(struct actor *actor);
int forward_bound(void);
long iommufd_open(struct actor *actor);

/* response.c */
int queue_new(enum kind kind);
long queue_read(struct actor *actor, struct file *file);
long queue_response(struct actor *actor, struct file *file);
void check_queues(void);

/* disturb.c */
#define MODULES		"/lib/modules/iopf/"
#define PARAMETER(name)	"/sys/module/softacc/parameters/" name

struct disturber {
	const struct round *round;
	struct rng rng;
	pid_t *pids;
	char parameters[160];
};

void disturb_begin(struct disturber *disturber);
void disturb(struct disturber *disturber);
void disturb_end(struct disturber *disturber);
void remove_devices(void);
bool load_softacc(struct disturber *disturber);
void unload_softacc(void);
bool has_failures(void);

/* trail.c */
struct trail *trail_begin(unsigned int kinds);
struct step *trail_step(struct trail *trail, const char *name, int fd,
			unsigned long number, const char *place);
void trail_print(void);
void trail_check(void);

/* report.c */
void report_start(void);
void report_check(void);
void report_asleep(void);

#endif /* RANDOM_H */
