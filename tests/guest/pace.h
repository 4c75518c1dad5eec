/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's time, for time limits of programs in the guest
 *
 * A limit in a test is the time that something takes on an otherwise idle machine. When
 * the host is busy, the guest gets less CPU time than its clock says and cannot see
 * that: the time that the host takes away counts as CPU time of the running thread. So
 * a separate process, the metronome, repeats the same piece of work, and the CPU time
 * that this seems to take shows how slow the machine is. pace_seconds() follows the
 * clock on an idle machine and runs slower when that work takes longer. It never runs
 * faster than the clock, and other work in the guest, the library's included, does not
 * slow it down.
 */
#ifndef PACE_H
#define PACE_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/*
 * A beat has this many steps and takes this long on an idle machine under TCG. It is
 * longer than the host's time slice, as it would not notice other work on the host
 * otherwise.
 */
#define PACE_STEPS	4000000
#define PACE_NOMINAL	6000000LL
#define PACE_PAUSE_US	150000

/**
 * struct pace - state that the metronome shares with the test
 * @wall: the clock at the last beat, in ns
 * @machine: pace_seconds() at that moment, in ns
 * @percent: speed at the last beat in percent of the usual one
 * @alarm: when the metronome is to send SIGALRM, in ns of the machine's time, or 0
 */
struct pace {
	atomic_llong wall;
	atomic_llong machine;
	atomic_llong percent;
	atomic_llong alarm;
};

/* Shared by all files of a program and its children. */
__attribute__((weak)) struct pace *pace;

static inline long long pace_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Return the CPU time of one beat in ns. */
static inline long long pace_beat(void)
{
	long long start = pace_clock(CLOCK_THREAD_CPUTIME_ID);
	uint64_t x = start;
	int i;

	for (i = 0; i < PACE_STEPS; i++)
		x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;
	/* Keep the compiler from removing the loop. */
	asm volatile("" : : "r" (x));
	return pace_clock(CLOCK_THREAD_CPUTIME_ID) - start;
}

static inline void pace_metronome(pid_t parent)
{
	for (;;) {
		long long percent = 100 * PACE_NOMINAL / pace_beat();
		long long alarm = atomic_load(&pace->alarm);
		long long now = pace_clock(CLOCK_MONOTONIC);
		long long passed = now - atomic_load(&pace->wall);

		if (percent > 100)
			percent = 100;
		atomic_fetch_add(&pace->machine, passed * percent / 100);
		atomic_store(&pace->percent, percent);
		atomic_store(&pace->wall, now);
		if (alarm && atomic_load(&pace->machine) >= alarm &&
		    atomic_compare_exchange_strong(&pace->alarm, &alarm, 0))
			kill(parent, SIGALRM);
		usleep(PACE_PAUSE_US);
	}
}

/*
 * Start the metronome. Call this before there are threads or children. Without it
 * pace_seconds() is the clock.
 */
static inline void pace_start(void)
{
	pid_t parent = getpid();
	pid_t pid;
	int fd;

	if (pace)
		return;
	pace = mmap(NULL, sizeof(*pace), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (pace == MAP_FAILED)
		abort();
	atomic_store(&pace->percent, 100);
	atomic_store(&pace->wall, pace_clock(CLOCK_MONOTONIC));
	atomic_store(&pace->machine, atomic_load(&pace->wall));
	pid = fork();
	if (pid < 0)
		abort();
	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	/* The metronome must not keep the program's output open. */
	for (fd = 0; fd < 3; fd++)
		close(fd);
	pace_metronome(parent);
}

/* Return seconds of the machine's time since an arbitrary moment. */
static inline double pace_seconds(void)
{
	long long now = pace_clock(CLOCK_MONOTONIC);
	long long wall;
	long long machine;

	if (!pace)
		return now / 1e9;
	/* Take both values from the same beat: the next one is far away. */
	do {
		wall = atomic_load(&pace->wall);
		machine = atomic_load(&pace->machine);
	} while (wall != atomic_load(&pace->wall));
	return (machine + (now - wall) * atomic_load(&pace->percent) / 100) / 1e9;
}

/*
 * Return whether @ms of the machine's time have passed since pace_seconds() was @start.
 */
static inline bool pace_over(double start, int ms)
{
	return pace_seconds() - start >= ms / 1e3;
}

/*
 * Wait until @condition is true, for at most @ms of the machine's time. True if it was.
 */
#define pace_wait(ms, condition) ({					\
	double start_ = pace_seconds();					\
	bool true_;							\
									\
	while (!(true_ = (condition)) && !pace_over(start_, ms))	\
		usleep(1000);						\
	true_;								\
})

#endif /* PACE_H */
