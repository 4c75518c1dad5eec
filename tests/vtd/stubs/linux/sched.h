/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: cond_resched() runs other fibers
 */
#ifndef STUBS_LINUX_SCHED_H
#define STUBS_LINUX_SCHED_H

#include <linux/spinlock.h>

#define cond_resched()	stub_point()

#endif /* STUBS_LINUX_SCHED_H */
