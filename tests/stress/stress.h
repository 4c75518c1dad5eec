/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The torture test: what its files have in common
 *
 *	main.c      rounds one after the other, the totals and the verdict
 *	round.c     one round: processes, disturbance, what has to be true at its end
 *	disturb.c   what is done to the processes, the driver and the machine meanwhile
 *	jobs.c      a process that lets its device work and verifies every byte
 *	memory.c    the kinds of memory that it works on
 *	hostile.c   a process whose device sends whatever page requests it likes
 *	kernel.c    the module, its parameters, what the kernel tells about itself
 *
 * All choices come from one seed, so that a round can be repeated; how its threads
 * run beside each other is different each time.
 */
#ifndef STRESS_H
#define STRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include "kernel.h"
#include "pace.h"
#include "rng.h"

#define PAGE		4096UL
#define MB		(1UL << 20)

#define MAX_DEVICES	4
#define MAX_SLOTS	12

/* The disturbances of a round; disturbances[] of main.c has their names. */
#define D_KILL		(1U << 0)	/* processes are killed */
#define D_FLUSH		(1U << 1)	/* the driver flushes */
#define D_DISCARD	(1U << 2)	/* it discards partial groups */
#define D_REPLUG	(1U << 3)	/* it takes devices off their queue and back */
#define D_TIMEOUT	(1U << 4)	/* groups have little time */
#define D_LIMITS	(1U << 5)	/* low limits, and floods of partial groups */
#define D_NO_FLUSH	(1U << 6)	/* it does not flush what it detaches */
#define D_OVERFLOW	(1U << 7)	/* its ring overflows */
#define D_NOMEM		(1U << 8)	/* allocations fail */
#define D_ABRUPT	(1U << 9)	/* the devices go while they are used */
#define D_CPUS		(1U << 10)	/* processors go and come */
#define D_SUSPEND	(1U << 11)	/* the machine falls asleep and wakes up */
#define D_HANDLERS	(1U << 12)	/* some PASIDs have a handler of their own */
#define D_HOG		(1U << 13)	/* a real-time program owns a processor */
#define NR_DISTURBANCES	14

/* With these a good page request may be refused. */
#define D_REFUSING	(D_REPLUG | D_LIMITS | D_NOMEM | D_SUSPEND)
/* With these a bad one may be told to try again. */
#define D_RETRYING	(D_FLUSH | D_DISCARD | D_OVERFLOW | D_TIMEOUT)

/* What is counted for the totals. */
enum count {
	COUNT_PROCESSES,
	COUNT_KILLED,
	COUNT_JOBS,
	COUNT_JOBS_FAILED,	/* as they may */
	COUNT_BYTES,		/* verified */
	COUNT_INJECTED,		/* groups */
	COUNT_PARTIAL,		/* requests of groups without a last one */
	COUNT_RESPONSES,
	COUNT_DISTURBANCES,
	NR_COUNTS,
};

/* What has to be true; what is not is counted. */
enum check {
	CHECK_RESPONSES,		/* one for each group */
	CHECK_DATA,		/* every byte */
	CHECK_STATUS,		/* nothing is refused without a reason */
	CHECK_STUCK,		/* all ends in time */
	CHECK_LIMITS,		/* no more partial requests than allowed */
	CHECK_MEMORY,		/* all given back */
	NR_CHECKS,
};

/**
 * struct shared - what all processes see
 * @stop: end what you are doing
 * @gone: the devices are on their way out, so calls may fail
 * @next_grpid: page request group indices are used once
 * @counts: for the totals
 * @failures: by &enum check
 */
struct shared {
	atomic_bool stop;
	atomic_bool gone;
	atomic_uint next_grpid;
	atomic_ulong counts[NR_COUNTS];
	atomic_ulong failures[NR_CHECKS];
};

extern struct shared *shared;

static inline void count(enum count what, unsigned long n)
{
	atomic_fetch_add(&shared->counts[what], n);
}

/**
 * struct round - one round
 * @number: from 1
 * @seed: of all its choices
 * @flags: D_* values
 * @seconds: how long
 * @devices: how many there are
 * @slots: processes at a time
 */
struct round {
	unsigned int number;
	uint64_t seed;
	unsigned int flags;
	unsigned int seconds;
	unsigned int devices;
	unsigned int slots;
};

/* main.c */
__attribute__((format(printf, 2, 3)))
void fail(enum check check, const char *format, ...);
double seconds(void);

/* round.c */
void run_round(const struct round *round);

/* disturb.c */
struct disturber {
	const struct round *round;
	struct rng rng;
	pid_t *pids;
};

void disturb_begin(struct disturber *disturber);
void disturb(struct disturber *disturber);
void disturb_end(struct disturber *disturber);

/* jobs.c, hostile.c: processes; they do not return before they are told to stop */
void run_jobs(const struct round *round, struct rng *rng);
void run_hostile(const struct round *round, struct rng *rng);
int open_device(const struct round *round, struct rng *rng);
bool is_gone(int error);

/* kernel.c */
extern const char *module_path;

bool load_module(const char *parameters);
bool unload_module(void);
void note_slabs(void);
void check_slabs(void);

/* memory.c */
enum kind {
	KIND_ANONYMOUS,
	KIND_SHARED,
	KIND_MEMFD,
	KIND_FILE,
	KIND_THP,
	KIND_HUGETLB,
	KIND_COW,		/* a child has it, too, and must not see the writes */
	KIND_SWAP,		/* pushed out between two jobs */
	KIND_PROTECT,		/* mprotect() beside the device */
	KIND_HOLES,		/* munmap() beside the device */
	KIND_LATE,		/* userfaultfd, served after a while */
	KIND_NEVER,		/* userfaultfd, never served */
	NR_KINDS,
};

/**
 * struct area - memory for a job
 * @kind: what it is
 * @addr: where
 * @len: bytes
 * @helper: the thread that serves it or races with the device
 * @helping: there is one
 * @end: it shall end
 * @uffd: its userfaultfd, or -1
 * @child: of %KIND_COW
 * @pipe: tells it to look
 */
struct area {
	enum kind kind;
	char *addr;
	size_t len;
	unsigned long helper;
	bool helping;
	atomic_bool end;
	int uffd;
	pid_t child;
	int pipe[2];
};

bool area_map(struct area *area, struct rng *rng, int device);
void area_push_out(struct area *area);
bool area_unmap(struct area *area);

#endif /* STRESS_H */
