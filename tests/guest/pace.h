/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Time as the machine has it, for limits in programs in the guest
 *
 * A limit in a test says how long something takes on a machine that has nothing else
 * to do. Where the host has other work, the guest gets less than its clock says. The
 * guest cannot see that: what the host takes away counts as CPU time of whatever runs.
 * So a metronome does the same piece of work again and again, and the CPU time that
 * this seems to take shows how slow the machine is at the moment. pace_seconds() goes
 * by the clock on a machine that has its time for itself, and slower where that work
 * takes longer. It never goes faster, and other work of the guest, the library's too,
 * does not slow it down.
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
 * A beat is so many steps, and takes so long on an idle machine under TCG. It is longer
 * than the host lets a thread run while others wait, or it would not notice them.
 */
#define PACE_STEPS	4000000
#define PACE_NOMINAL	6000000LL
#define PACE_PAUSE_US	150000

/**
 * struct pace - what the metronome tells the test, and the test the metronome
 * @wall: the clock at the last beat, in ns
 * @machine: pace_seconds() at that moment, in ns
 * @percent: of the usual speed, at the last beat
 * @alarm: when the metronome sends SIGALRM, in ns of the machine's time, or 0
 */
struct pace {
	atomic_llong wall;
	atomic_llong machine;
	atomic_llong percent;
	atomic_llong alarm;
};

/* One for all files of a program and its children. */
__attribute__((weak)) struct pace *pace;

static inline long long pace_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* CPU time of one beat, in ns. */
static inline long long pace_beat(void)
{
	long long start = pace_clock(CLOCK_THREAD_CPUTIME_ID);
	uint64_t x = start;
	int i;

	for (i = 0; i < PACE_STEPS; i++)
		x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL;
	/* The compiler may not know that nothing becomes of it. */
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

/* To be called before there are threads or children; without it the clock counts. */
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
	/* The end of the program is the end of its output. */
	for (fd = 0; fd < 3; fd++)
		close(fd);
	pace_metronome(parent);
}

/* Seconds of the machine's time, from an arbitrary moment on. */
static inline double pace_seconds(void)
{
	long long now = pace_clock(CLOCK_MONOTONIC);
	long long wall;
	long long machine;

	if (!pace)
		return now / 1e9;
	/* The same beat's: it takes long until there is another one. */
	do {
		wall = atomic_load(&pace->wall);
		machine = atomic_load(&pace->machine);
	} while (wall != atomic_load(&pace->wall));
	return (machine + (now - wall) * atomic_load(&pace->percent) / 100) / 1e9;
}

/* Has @ms of the machine's time passed since @start, pace_seconds() then? */
static inline bool pace_over(double start, int ms)
{
	return pace_seconds() - start >= ms / 1e3;
}

/* Wait until @condition, for @ms of the machine's time at most; was it true? */
#define pace_wait(ms, condition) ({					\
	double start_ = pace_seconds();					\
	bool true_;							\
									\
	while (!(true_ = (condition)) && !pace_over(start_, ms))	\
		usleep(1000);						\
	true_;								\
})

#endif /* PACE_H */
