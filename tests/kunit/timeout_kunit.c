// SPDX-License-Identifier: GPL-2.0
/*
 * Timeouts of groups
 */
#include <linux/mm.h>
#include <linux/mman.h>

#include "fake.h"

#define TIMEOUT_MS	100

static void timeout_of_domain_handler(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long start = jiffies;

	KUNIT_EXPECT_EQ(test, 0,
			iopf_queue_set_domain_timeout(fake->queue, TIMEOUT_MS));
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies, start +
					      msecs_to_jiffies(TIMEOUT_MS)));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.overdue);

	/*
	 * The index can be used again, and the late response is not for the new group.
	 */
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_ASSERT_EQ(test, 2, fake->nr_taken);
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	fake_finish_group(fake->taken[1]);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[1].code);
}

/* The timeout of the queue is not for groups that a domain's handler has. */
static void queue_timeout_spares_domain_handler(struct kunit *test)
{
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	fake_last(fake, FAKE_PASID, 1, 0);
	fake_partial(fake, FAKE_PASID, 2, 0);
	msleep(3 * TIMEOUT_MS);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->stats.overdue);
	/* The timeout work has run. */
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

/* The timeout for a domain's handler is not for SVA faults. */
static void domain_timeout_spares_sva_faults(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, 0);
	iopf_queue_set_domain_timeout(fake->queue, TIMEOUT_MS);
	mmap_write_lock(current->mm);
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 1));
	msleep(3 * TIMEOUT_MS);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, FAKE_PASID, fake->log[0].pasid);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[1].code);
	iopf_free_group(fake->taken[0]);
}

/*
 * Faults that sleep on mmap_lock time out with Success, so that the device sends them
 * again. The worker's own responses come too late.
 */
static void timeout_of_sleeping_faults(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	int i;

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	mmap_write_lock(current->mm);
	for (i = 0; i < 100; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 100));
	KUNIT_EXPECT_EQ(test, 100, fake_fdev(fake)->stats.overdue);
	KUNIT_EXPECT_EQ(test, 100, fake_fdev(fake)->stats.retried);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
				fake->log[i].code);
	mmap_write_unlock(current->mm);
	msleep(50);
	KUNIT_EXPECT_EQ(test, 100, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fake_fdev(fake)));
}

/* Unfinished groups time out without a response. */
static void timeout_of_partial_requests(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	for (i = 0; i < 20; i++)
		fake_partial(fake, FAKE_PASID, i, 0);
	msleep(2 * TIMEOUT_MS);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
	KUNIT_EXPECT_EQ(test, 20, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

static void timeout_disabled(struct kunit *test)
{
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, 0);
	iopf_queue_set_domain_timeout(fake->queue, 0);
	fake_last(fake, FAKE_PASID, 1, 0);
	msleep(3 * TIMEOUT_MS);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

/* Without a timeout, flush and removal still end all groups early. */
static void flush_and_removal_without_timeout(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, 0);
	mmap_write_lock(current->mm);
	fake_last(fake, FAKE_PASID, 1, 0);
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_SVA_PASID, 1));

	fake_last(fake, FAKE_PASID, 2, 0);
	fake_last(fake, FAKE_SVA_PASID, 2, addr);
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 2));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_SVA_PASID, 2));
	mmap_write_unlock(current->mm);

	iopf_free_group(fake->taken[0]);
	iopf_free_group(fake->taken[1]);
	fake_add_device(test);
}

/* A new timeout applies to pending groups, whether it is shorter or longer. */
static void timeout_change_affects_pending_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long start = jiffies;

	iopf_queue_set_domain_timeout(fake->queue, 100000);
	fake_last(fake, FAKE_PASID, 1, 0);
	fake_remove_device(fake);
	fake_add_device(test);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);

	iopf_queue_set_domain_timeout(fake->queue, 0);
	fake_last(fake, FAKE_PASID, 2, 0);
	iopf_queue_set_domain_timeout(fake->queue, TIMEOUT_MS);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 3 * HZ));

	fake_last(fake, FAKE_PASID, 3, 0);
	iopf_queue_set_domain_timeout(fake->queue, 100000);
	msleep(3 * TIMEOUT_MS);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	iopf_group_response(fake->taken[2], IOMMU_PAGE_RESP_SUCCESS);
	fake_free_taken(fake);
}

/* The timeout work leaves groups alone that are in time, and ends without groups. */
static void timeout_work_ends_without_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	iopf_queue_set_domain_timeout(fake->queue, TIMEOUT_MS);
	for (i = 0; i < 8; i++) {
		fake_last(fake, FAKE_PASID, i, 0);
		KUNIT_EXPECT_TRUE(test, fake_fdev(fake)->timeout_armed);
		msleep(TIMEOUT_MS / 2);
		fake_finish_group(fake->taken[i]);
	}
	KUNIT_EXPECT_EQ(test, 8, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->stats.overdue);
	msleep(TIMEOUT_MS / 2);
	KUNIT_EXPECT_FALSE(test, fake_fdev(fake)->timeout_armed);
}

static void timeout_out_of_range(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopf_queue_set_timeout(fake->queue, 100001));
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_set_timeout(fake->queue, 100000));
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_set_timeout(fake->queue, -1));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopf_queue_set_domain_timeout(fake->queue, 100001));
	KUNIT_EXPECT_EQ(test, 0,
			iopf_queue_set_domain_timeout(fake->queue, 100000));
	KUNIT_EXPECT_EQ(test, 0,
			iopf_queue_set_domain_timeout(fake->queue, -1));
}

/* A timeout of few jiffies is checked as often as one of many. */
static void short_timeouts_are_checked(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct timer_list *timer = &fake_fdev(fake)->timeout_work.timer;
	unsigned int i;

	for (i = 1; i <= 9; i++) {
		unsigned int ms = jiffies_to_msecs(i);
		unsigned long timeout = msecs_to_jiffies(ms);

		KUNIT_EXPECT_EQ(test, 0, iopf_queue_set_timeout(fake->queue, ms));
		fake_partial(fake, FAKE_PASID, i, 0);
		KUNIT_EXPECT_TRUE(test, time_before_eq(READ_ONCE(timer->expires),
						       jiffies + timeout / 8 + 1));
		while (READ_ONCE(fake_fdev(fake)->timeout_armed))
			usleep_range(500, 1000);
	}
	KUNIT_EXPECT_EQ(test, 9, fake_fdev(fake)->stats.discarded);
}

/*
 * Removal stops the timeout work. It starts again when the device is on a queue again.
 */
static void removal_stops_timeout_work(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	iopf_queue_set_timeout(fake->queue, 10);
	iopf_queue_set_domain_timeout(fake->queue, 10);
	for (i = 0; i < 50; i++) {
		fake_partial(fake, FAKE_PASID, i, 0);
		usleep_range(500, 2000);
		fake_remove_device(fake);
		fake_add_device(test);
	}
	KUNIT_EXPECT_GE(test, 50, fake->responses);
	fake_last(fake, FAKE_PASID, 100, 0);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, fake->responses + 1));
	iopf_free_group(fake->taken[0]);
}

static struct kunit_case iopf_timeout_cases[] = {
	KUNIT_CASE(timeout_of_domain_handler),
	KUNIT_CASE(queue_timeout_spares_domain_handler),
	KUNIT_CASE(domain_timeout_spares_sva_faults),
	KUNIT_CASE(timeout_of_sleeping_faults),
	KUNIT_CASE(timeout_of_partial_requests),
	KUNIT_CASE(timeout_disabled),
	KUNIT_CASE(flush_and_removal_without_timeout),
	KUNIT_CASE(timeout_change_affects_pending_groups),
	KUNIT_CASE(timeout_work_ends_without_groups),
	KUNIT_CASE(timeout_out_of_range),
	KUNIT_CASE(short_timeouts_are_checked),
	KUNIT_CASE(removal_stops_timeout_work),
	{ }
};

static struct kunit_suite iopf_timeout_suite = {
	.name = "iopf_timeout",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_timeout_cases,
};

kunit_test_suite(iopf_timeout_suite);
