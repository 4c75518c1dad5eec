// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: waiting for the next group asleep
 *
 * A device with one group at a time needs a worker for each of them. To queue a work item
 * and to start it takes longer than to wake a thread. So the worker of a group that was
 * alone sleeps in its work item, it is parked, until the next group or until the monitor
 * stops, a few milliseconds after the last group. A device has one parked worker at most,
 * and parks none while fewer than half of the queue's workers are free.
 */
#include <linux/sched.h>

#include "path.h"

/* Park @worker, which calls iopf_park_wait() next, without the lock. False: it ends. */
bool iopf_park(struct iopf_worker *worker)
{
	struct iopf_device *fdev = worker->fdev;

	lockdep_assert_held(&fdev->lock);
	if (fdev->parked || !fdev->monitoring || worker->far ||
	    READ_ONCE(fdev->fq->pool.nr_free) < IOPF_WORKERS / 2)
		return false;
	worker->parked = true;
	fdev->parked = worker;
	return true;
}

/*
 * Sleep until @worker, which is parked, is queued. Does not count as load, as an idle
 * worker thread.
 */
void iopf_park_wait(struct iopf_worker *worker)
{
	for (;;) {
		set_current_state(TASK_IDLE);
		if (!READ_ONCE(worker->parked))
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}
