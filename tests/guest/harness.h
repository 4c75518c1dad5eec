/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's selftest harness, whose time limits are in the machine's time here. A
 * test that hangs still ends, and one that is merely slow because the machine is does
 * not. 7.3 waits for a test with poll(), 6.12 has an alarm.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <poll.h>
#include <setjmp.h>
#include <unistd.h>

#include "pace.h"

static inline int harness_poll(struct pollfd *fds, nfds_t nr, int ms)
{
	double start = pace_seconds();
	int ret;

	do {
		ret = poll(fds, nr, 100);
	} while (!ret && !pace_over(start, ms));
	return ret;
}

static inline unsigned int harness_alarm(unsigned int seconds)
{
	long long now = pace_seconds() * 1e9;

	atomic_store(&pace->alarm, seconds ? now + seconds * 1000000000LL : 0);
	return 0;
}

static void __attribute__((constructor)) harness_start(void)
{
	pace_start();
}

/*
 * Called before a test ends at an assertion. 6.12's harness may take the child for its
 * parent after that, and leave out the teardown.
 */
static void (*harness_on_assert)(void) __attribute__((unused));

static inline void harness_longjmp(jmp_buf env, int value)
{
	if (harness_on_assert)
		harness_on_assert();
	longjmp(env, value);
}

#define longjmp(env, value)	harness_longjmp(env, value)
#define poll(fds, nr, ms)	harness_poll(fds, nr, ms)
#define alarm(seconds)		harness_alarm(seconds)
#include "kselftest_harness.h"
#undef poll
#undef alarm
#undef longjmp

#endif /* HARNESS_H */
