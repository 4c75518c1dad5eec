/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: time, which advances with each drain
 */
#ifndef STUBS_LINUX_JIFFIES_H
#define STUBS_LINUX_JIFFIES_H

#define HZ	20

extern unsigned long jiffies;

#define time_before(a, b)	((long)((a) - (b)) < 0)
#define time_after(a, b)	time_before(b, a)

#endif /* STUBS_LINUX_JIFFIES_H */
