/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: locks and barriers
 *
 * Threads take turns, see sched.c, at the points below. No other thread runs under a
 * lock, but the hardware always does.
 */
#ifndef STUBS_LINUX_SPINLOCK_H
#define STUBS_LINUX_SPINLOCK_H

#include <linux/types.h>

typedef struct spinlock {
	bool held;
} spinlock_t;

void stub_point(void);
void stub_lock(spinlock_t *lock);
void stub_unlock(spinlock_t *lock);
void stub_assert_held(const spinlock_t *lock);
void stub_dma_rmb(void);

#define spin_lock_init(lock)		((lock)->held = false)
#define spin_lock(lock)			stub_lock(lock)
#define spin_unlock(lock)		stub_unlock(lock)
#define lockdep_assert_held(lock)	stub_assert_held(lock)

/* Threads take turns, so only the device's writes have an order of their own. */
#define dma_rmb()			stub_dma_rmb()
#define smp_rmb()			stub_point()
#define smp_wmb()			stub_point()
#define smp_load_acquire(ptr)		READ_ONCE(*(ptr))
#define smp_store_release(ptr, value) \
	do { \
		stub_point(); \
		WRITE_ONCE(*(ptr), value); \
		stub_point(); \
	} while (0)

#endif /* STUBS_LINUX_SPINLOCK_H */
