// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: waiting for the next group without sleeping
 *
 * A device with one group outstanding sends the next one soon after the response. Letting
 * the worker and the CPU sleep until then takes longer than the fault. So a worker that
 * has nothing left to do polls for the next group for a moment, if the CPU would be idle.
 * Polls without success become rarer: after each of them twice as many are skipped as
 * before. Where a host has too few cores the poll may be what keeps the device's thread
 * from running.
 */
#include <linux/minmax.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/sched/stat.h>

#include "path.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf."

#define IOPF_MAX_POLL_US	1000
/*
 * How long a worker may continue with groups that it finds by polling; a few polls at
 * least.
 */
#define IOPF_POLL_TIME		NSEC_PER_MSEC
#define IOPF_POLL_LOOKS		8
/* Most polls that are skipped after one without success. */
#define IOPF_MAX_POLL_PAUSE	255
/* The same after one that was cut short, which does not say when the group would come. */
#define IOPF_MAX_CUT_PAUSE	15

static unsigned int iopf_poll_us = 50;

static int iopf_set_poll_us(const char *value, const struct kernel_param *kp)
{
	return param_set_uint_minmax(value, kp, 0, IOPF_MAX_POLL_US);
}

static const struct kernel_param_ops iopf_poll_us_ops = {
	.set = iopf_set_poll_us,
	.get = param_get_uint,
};

module_param_cb(poll_us, &iopf_poll_us_ops, &iopf_poll_us, 0644);
MODULE_PARM_DESC(poll_us,
		 "Microseconds that a CPU without other work looks for a PASID's next group, 1 to 1000, 0 for never (default 50)");

static u64 iopf_poll_ns(void)
{
	return (u64)READ_ONCE(iopf_poll_us) * NSEC_PER_USEC;
}

/*
 * Return true if a worker that has polled since @begun, by local_clock(), or 0 for now,
 * may continue.
 */
static bool iopf_poll_has_time(u64 begun)
{
	return !begun || local_clock() - begun <=
	       max_t(u64, IOPF_POLL_TIME, IOPF_POLL_LOOKS * iopf_poll_ns());
}

/*
 * Return true if a worker that has polled since @begun, or 0 for now, is to poll for
 * @fdev, for which it has nothing else to do.
 */
bool iopf_poll_wanted(struct iopf_device *fdev, u64 begun)
{
	lockdep_assert_held(&fdev->lock);
	if (!READ_ONCE(iopf_poll_us))
		return false;
	if (!fdev->poll_skip)
		return iopf_poll_has_time(begun);
	fdev->poll_skip--;
	return false;
}

/*
 * Remember the result of a poll, which was @cut short if another thread wanted the CPU:
 * for a short errand of the kernel, or for each request if it is the device's thread.
 */
void iopf_poll_done(struct iopf_device *fdev, bool cut)
{
	u8 most = IOPF_MAX_POLL_PAUSE;

	lockdep_assert_held(&fdev->lock);
	if (fdev->nr_ready) {
		fdev->stats.polled++;
		fdev->poll_pause /= 2;
		return;
	}
	if (cut)
		most = max(fdev->poll_pause, IOPF_MAX_CUT_PAUSE);
	fdev->poll_pause = min(2 * fdev->poll_pause + 1, most);
	fdev->poll_skip = fdev->poll_pause;
}

/*
 * Poll for a PASID queue that wants a worker. Without the lock, so the caller checks
 * again. Not while another thread wants this CPU: it may be the reporter, which needs it
 * where the kernel is not preempted. Return true if the poll was cut short for that.
 */
bool iopf_poll(struct iopf_device *fdev)
{
	u64 until = local_clock() + iopf_poll_ns();

	while (list_empty(&fdev->ready) && local_clock() < until) {
		if (need_resched())
			cond_resched();
		else if (!single_task_running())
			return true;
		cpu_relax();
	}
	return false;
}
