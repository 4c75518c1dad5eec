/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory whose faults take as long as a test wants, for the KUnit tests
 */
#ifndef __IOPF_TESTS_SLOW_H
#define __IOPF_TESTS_SLOW_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

/* Pages of such memory. */
#define SLOW_PAGES	64

/**
 * struct slow - what tests set and see of the mappings
 * @busy_ms: how long each fault spins, in milliseconds
 * @work: work item that has handled the last fault
 * @nr_works: number of changes of @work
 * @closed: completed when a mapping is closed
 * @closer: work item that has closed a mapping last, or NULL
 * @closer_comm: name of the thread that has closed it
 */
struct slow {
	unsigned int busy_ms;
	struct work_struct *work;
	unsigned int nr_works;
	struct completion closed;
	struct work_struct *closer;
	char closer_comm[TASK_COMM_LEN];
};

extern struct slow slow;

unsigned long slow_map(struct kunit *test, unsigned int nr);
unsigned long slow_map_pages(struct kunit *test, unsigned long addr,
			     unsigned int page, unsigned int nr);
struct mm_struct *slow_new_mm(struct kunit *test, unsigned int page,
			      unsigned long *addr);
void slow_hold(unsigned int page);
void slow_release(unsigned int page);
void slow_release_all(void);

#endif /* __IOPF_TESTS_SLOW_H */
