/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: counters
 */
#ifndef STUBS_LINUX_ATOMIC_H
#define STUBS_LINUX_ATOMIC_H

typedef struct {
	int counter;
} atomic_t;

#define atomic_set(v, i)	((v)->counter = (i))
#define atomic_read(v)		((v)->counter)
#define atomic_inc(v)		((v)->counter++)

#endif /* STUBS_LINUX_ATOMIC_H */
