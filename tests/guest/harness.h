/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's selftest harness with time limits in the machine's time, see pace.h
 *
 * A test that hangs still ends, and a test that is slow because the machine is does not
 * fail. The harness of 7.3 waits for a test with poll(), that of 6.12 sets an alarm.
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
 * Called before a test ends at an assertion. After that the harness of 6.12 may take
 * the child for its parent and skip the teardown.
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
