/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Random operations: what its files have in common
 *
 *	main.c      rounds one after the other, and the verdict
 *	round.c     one round: processes, disturbance, what has to be true at its end
 *	process.c   a process: its threads, its files, what any file can be asked
 *	argument.c  where the kernel is told to read or write
 *	softacc.c   the accelerator's operations
 *	forward.c   the forwarder's
 *	mock.c      iommufd's, with its mock device
 *	answer.c    groups that are read and responded to: the forwarder's and iommufd's
 *	disturb.c   what is done to processes, devices and modules meanwhile
 *	trail.c     the last operations of each thread
 *	report.c    what the kernel has reported
 *
 * All choices come from one seed. How threads run beside each other is different
 * each time.
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
 * A close may take so long, in ms, and so many times what it takes where nothing
 * happens besides: that is little, but for a kernel that checks all that it does.
 */
#define CLOSE_MS	2000
#define CLOSE_TIMES	100

enum kind {
	KIND_SOFTACC,
	KIND_FORWARD,
	KIND_IOMMUFD,
	NR_KINDS,
	/* A fault queue of iommufd: counts as iommufd. */
	KIND_FAULTS = NR_KINDS,
	KIND_NONE,
};

/* What has to be true; what is not is counted. */
enum check {
	CHECK_CLOSE,		/* each close is quick */
	CHECK_ONCE,		/* one response for each group */
	CHECK_ENDS,		/* processes, devices and modules end */
	CHECK_MEMORY,		/* all is given back */
	CHECK_REPORT,		/* the kernel has nothing to say */
	NR_CHECKS,
};

/* The disturbances of a round; disturbances[] of main.c has their names. */
#define D_KILL		(1U << 0)	/* processes are killed */
#define D_REMOVE	(1U << 1)	/* devices and modules go and come */
#define D_DRIVER	(1U << 2)	/* the driver flushes, discards, replugs */
#define D_TIMEOUT	(1U << 3)	/* groups have little time */
#define D_LIMITS	(1U << 4)	/* and little room */
#define D_NOMEM		(1U << 5)	/* allocations fail */
#define D_HANDLERS	(1U << 6)	/* some PASIDs have a handler of their own */
#define NR_DISTURBANCES	7

#define MAX_OPERATIONS	24
#define NR_STEPS	16
#define MAX_TRAILS	64

/**
 * struct step - an operation
 * @name: what; a constant of the program, so all processes have it
 * @fd: of which file
 * @number: the command, the size, or whatever says most
 * @place: where its argument was
 * @begun: when, in the machine's time
 * @asleep_us: shared->asleep_us at that moment
 * @result: what it returned, or a negative errno; %STEP_RUNS before that
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
 * @kinds: what its process works with, a mask of 1 << &enum kind
 * @next: how many there were
 * @told: up to here it was told what takes too long
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
 * @kind: whose it is
 * @unknown: groups were read that nobody has counted, so nothing can be said
 * @reading: calls of read() whose groups are not counted yet
 * @delivered: how often each cookie was read
 * @accepted: how often a response with it was taken
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
 * @count: odd while the rest changes
 * @pid: who has it
 * @fd: its number there
 * @kind: of what
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
 * struct tally - an operation's outcomes
 * @name: the operation
 * @made: how often it was made
 * @good: how often it succeeded
 */
struct tally {
	const char *name;
	atomic_ulong made;
	atomic_ulong good;
};

/**
 * struct shared - what all processes see
 * @stop: end what you are doing
 * @round: number of the round
 * @unknown: groups were read that nobody has counted, and nobody knows from where
 * @next_grpid: page request group indices are used once
 * @holder: who keeps the kernel waiting for an argument: one thread at a time
 * @asleep_us: how long such arguments have kept it waiting, in the machine's time
 * @close_ms: the most that a close may take
 * @slowness: of this kernel, 1 for one that checks nothing
 * @closes: by &enum kind
 * @longest_us: the longest close, by &enum kind
 * @tallies: of operations, by &enum kind
 * @failures: by &enum kind, with %NR_KINDS for those of no device, and &enum check
 * @next_trail: trails that were handed out
 * @next_queue: queues that were handed out
 * @trails: the trails, used again and again
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
/* Devices that are used, a mask of 1 << &enum kind. */
extern unsigned int kinds;

/**
 * struct round - one round
 * @number: from 1
 * @seed: of all its choices
 * @flags: D_* values
 * @seconds: how long
 * @devices: how many there are
 * @processes: how many run at a time
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
 * @fd: its number, or -1
 * @kind: of what
 * @queue: in shared->queues, or -1
 *
 * Threads use and close files as they like: a number may be another file's by the
 * time it is used.
 */
struct file {
	atomic_int fd;
	enum kind kind;
	int queue;
};

/* The kinds of memory of a process that its devices work on. */
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
 * @kinds: what it works with, a mask of 1 << &enum kind
 * @files: its files
 * @areas: memory
 * @uffd: of AREA_LATE and AREA_NEVER
 * @actors: its threads
 * @nr_actors: how many
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

/* Where an argument may be. */
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
 * @rng: its choices
 * @trail: its last operations
 * @index: the thread's number in its process
 * @child: it is all that a child of the process has of it
 * @fail_nth: /proc/thread-self/fail-nth, or -1
 * @views: where its arguments are, all views of the same pages
 * @content: the same pages, always there
 * @slow: the content of the slow page
 * @slow_uffd: serves the slow page
 * @careful: its arguments are good
 * @vanish: wakes the thread that takes a page away
 * @vanish_rng: its choices
 * @vanishing: it goes on
 * @place: where the last argument was
 * @at: its offset in @content
 * @sent: the last file that it has left for others, or -1
 * @sent_kind: of what
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
 * struct operation - what can be done with a kind of files
 * @name: for trails and the table
 * @weight: how often, in comparison with others
 * @run: does it: what the system call returned, or a negative errno
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
uint64_t memory(struct actor *actor);

/* @file was @fd and @queue, and is it still. */
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

/* softacc.c, forward.c, mock.c: the operations, ended by one without a name */
extern const struct operation softacc_operations[];
extern const struct operation forward_operations[];
extern const struct operation iommufd_operations[];
extern const struct operation faults_operations[];

long softacc_open(struct actor *actor);
long forward_open(struct actor *actor);
int forward_bound(void);
long iommufd_open(struct actor *actor);

/* answer.c */
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
