/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The torture test: what its files share
 *
 *	main.c      runs the rounds, and prints the totals and the results
 *	round.c     one round: processes, disturbances, checks at its end
 *	disturb.c   disturbances of the processes, the driver and the machine
 *	jobs.c      a process that runs jobs of its device and verifies every byte
 *	memory.c    the kinds of memory that these work on
 *	hostile.c   a process whose device sends arbitrary page requests
 *	kernel.c    the module, and objects of the library's slab caches
 *
 * One seed determines all choices, so that a round can be repeated; how its threads
 * interleave differs each time.
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
#define D_DISCARD	(1U << 2)	/* it discards unfinished groups */
#define D_REPLUG	(1U << 3)	/* it takes devices off their queue and back */
#define D_TIMEOUT	(1U << 4)	/* groups have short timeouts */
#define D_LIMITS	(1U << 5)	/* low limits, and floods of unfinished groups */
#define D_NO_FLUSH	(1U << 6)	/* it does not flush what it detaches */
#define D_OVERFLOW	(1U << 7)	/* its ring overflows */
#define D_NOMEM		(1U << 8)	/* allocations fail */
#define D_ABRUPT	(1U << 9)	/* the devices are removed while they are used */
#define D_CPUS		(1U << 10)	/* CPUs go offline and come back */
#define D_SUSPEND	(1U << 11)	/* the machine suspends and resumes */
#define D_HANDLERS	(1U << 12)	/* some PASIDs have a handler of their own */
#define D_HOG		(1U << 13)	/* a real-time program owns a CPU */
#define NR_DISTURBANCES	14

/* With these a valid page request may be refused. */
#define D_REFUSING	(D_REPLUG | D_LIMITS | D_NOMEM | D_SUSPEND)
/* With these the device may be told to retry an invalid one. */
#define D_RETRYING	(D_FLUSH | D_DISCARD | D_OVERFLOW | D_TIMEOUT)

/* Counted for the totals */
enum count {
	COUNT_PROCESSES,
	COUNT_KILLED,
	COUNT_JOBS,
	COUNT_JOBS_FAILED,	/* for a valid reason */
	COUNT_BYTES,		/* verified */
	COUNT_INJECTED,		/* groups injected */
	COUNT_PARTIAL,		/* requests of groups without a last one */
	COUNT_RESPONSES,
	COUNT_DISTURBANCES,
	NR_COUNTS,
};

/* Conditions to check; violations are counted */
enum check {
	CHECK_RESPONSES,		/* one for each group */
	CHECK_DATA,		/* every byte is right */
	CHECK_STATUS,		/* nothing is refused without a reason */
	CHECK_STUCK,		/* everything ends in time */
	CHECK_LIMITS,		/* no more partial requests than allowed */
	CHECK_MEMORY,		/* all memory is freed */
	NR_CHECKS,
};

/**
 * struct shared - state that all processes share
 * @stop: end the processes
 * @gone: the devices are being removed, so calls may fail
 * @next_grpid: next page request group index; each is used once
 * @counts: for the totals
 * @failures: violations, by &enum check
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
 * @seed: seed of its choices
 * @flags: D_* values
 * @seconds: its duration
 * @devices: number of devices
 * @slots: number of processes at a time
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

/* jobs.c, hostile.c: the processes; these return when the round ends, or earlier */
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
	KIND_COW,		/* shared with a child, which must not see the writes */
	KIND_SWAP,		/* pushed out between two jobs */
	KIND_PROTECT,		/* mprotect() beside the device */
	KIND_HOLES,		/* munmap() beside the device */
	KIND_LATE,		/* userfaultfd, served after a while */
	KIND_NEVER,		/* userfaultfd, never served */
	NR_KINDS,
};

/**
 * struct area - memory for a job
 * @kind: its kind
 * @addr: its address
 * @len: its size in bytes
 * @helper: the thread that serves it or races with the device
 * @helping: @helper runs
 * @end: end the helper
 * @uffd: its userfaultfd, or -1
 * @child: the child of %KIND_COW
 * @pipe: tells the child to check the memory
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
