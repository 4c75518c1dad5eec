/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: waiting
 *
 * A waiter reads its condition again only when it was woken, so a missing wake-up is
 * noticed. A wake-up during the read counts.
 */
#ifndef STUBS_LINUX_WAIT_H
#define STUBS_LINUX_WAIT_H

typedef struct wait_queue_head {
	unsigned long wakes;
} wait_queue_head_t;

void stub_sleep(const wait_queue_head_t *wq, unsigned long seen);
void stub_wake(wait_queue_head_t *wq);

#define init_waitqueue_head(wq)	((wq)->wakes = 0)
#define wake_up_all(wq)		stub_wake(wq)
#define wait_event(wq, condition) \
	do { \
		unsigned long seen = (wq).wakes; \
		if (condition) \
			break; \
		stub_sleep(&(wq), seen); \
	} while (1)

#endif /* STUBS_LINUX_WAIT_H */
