/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: the differences between the kernels that it is built for
 */
#ifndef __IOPF_COMPAT_H
#define __IOPF_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/sched/isolation.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE
static inline void
hrtimer_setup(struct hrtimer *timer,
	      enum hrtimer_restart (*function)(struct hrtimer *timer),
	      clockid_t clock_id, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock_id, mode);
	timer->function = function;
}

/* Unbound workqueues also leave the CPUs of nohz_full= alone. */
#define IOPF_HK_TYPE_WQ		HK_TYPE_WQ
#else
#define IOPF_HK_TYPE_WQ		HK_TYPE_DOMAIN
#endif

#endif /* __IOPF_COMPAT_H */
