// SPDX-License-Identifier: GPL-2.0
/*
 * Groups have a time, and when it is over they are answered
 */
#include <linux/delay.h>
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

	/* The index may be used again, and the late response is not for that. */
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_ASSERT_EQ(test, 2, fake->nr_taken);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	iopf_group_response(fake->taken[1], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[1]);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[1].code);
}

/* A domain's handler has all the time that it wants, whatever the timeout of others. */
static void queue_timeout_spares_domain_handler(struct kunit *test)
{
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	fake_last(fake, FAKE_PASID, 1, 0);
	fake_partial(fake, FAKE_PASID, 2, 0);
	msleep(3 * TIMEOUT_MS);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->stats.overdue);
	/* The watch did look. */
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

/* And the other way round: its timeout is not that of a fault of the library's own. */
static void domain_timeout_spares_sva_faults(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
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
 * A fault that waits for mmap_lock is answered, too: the device is told to ask again.
 * Its worker is late.
 */
static void timeout_of_sleeping_faults(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
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
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_pending);
}

/* Requests that wait for the last one of their group do not wait for ever. */
static void timeout_of_partial_requests(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	for (i = 0; i < 20; i++)
		fake_partial(fake, FAKE_PASID, i, 0);
	msleep(2 * TIMEOUT_MS);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_partial);
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
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

/* Nobody waits for a deadline then: what ends groups early ends them all. */
static void flush_and_removal_without_timeout(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
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

/* A new time is for groups that are there already, too, and in both directions. */
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
	iopf_free_group(fake->taken[0]);
	iopf_free_group(fake->taken[1]);
	iopf_free_group(fake->taken[2]);
}

/* Groups in time are left alone, and without groups nobody looks. */
static void timeout_work_ends_without_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	iopf_queue_set_domain_timeout(fake->queue, TIMEOUT_MS);
	for (i = 0; i < 8; i++) {
		fake_last(fake, FAKE_PASID, i, 0);
		KUNIT_EXPECT_TRUE(test, fake_fdev(fake)->timeout_armed);
		msleep(TIMEOUT_MS / 2);
		iopf_group_response(fake->taken[i], IOMMU_PAGE_RESP_SUCCESS);
		iopf_free_group(fake->taken[i]);
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

/* The watch ends with the device, and begins again with its next life. */
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
