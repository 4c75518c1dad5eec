// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: counting the kernel threads that sleep in a fault
 *
 *	cat /sys/module/softacc/parameters/asleep
 *
 * For tests, with any fault queue. With a thousand threads the same count from /proc takes
 * seconds on a debug kernel.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "core.h"

/*
 * Threads that wait for a lock or for a disk are uninterruptible. Workers that wait for
 * user space may be interruptible. Those without work are idle, which is neither. Threads
 * that wait for something else in the same way count, too.
 */
static bool softacc_is_asleep(struct task_struct *task)
{
	unsigned int flags = READ_ONCE(task->flags);
	unsigned int state = READ_ONCE(task->__state);

	if (!(flags & PF_KTHREAD) || state & TASK_NOLOAD)
		return false;
	return state & TASK_UNINTERRUPTIBLE ||
	       (state & TASK_INTERRUPTIBLE && flags & PF_WQ_WORKER);
}

static int softacc_count_asleep(char *buffer, const struct kernel_param *kp)
{
	struct task_struct *task;
	unsigned int count = 0;

	rcu_read_lock();
	for_each_process(task)
		count += softacc_is_asleep(task);
	rcu_read_unlock();
	return sysfs_emit(buffer, "%u\n", count);
}

static const struct kernel_param_ops softacc_asleep_ops = {
	.get = softacc_count_asleep,
};

module_param_cb(asleep, &softacc_asleep_ops, NULL, 0444);
MODULE_PARM_DESC(asleep, "Number of kernel threads that sleep in a fault");
