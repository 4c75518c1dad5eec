/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: locks that sleep
 */
#ifndef STUBS_LINUX_MUTEX_H
#define STUBS_LINUX_MUTEX_H

#include <linux/types.h>

struct mutex {
	bool held;
};

void stub_mutex_lock(struct mutex *mutex);
void stub_mutex_unlock(struct mutex *mutex);

#define mutex_init(mutex)	((mutex)->held = false)
#define mutex_lock(mutex)	stub_mutex_lock(mutex)
#define mutex_unlock(mutex)	stub_mutex_unlock(mutex)

#endif /* STUBS_LINUX_MUTEX_H */
