// SPDX-License-Identifier: GPL-2.0
/*
 * Flush, removal, reset and unbinding while groups are pending
 */
#include <linux/mm.h>
#include <linux/mman.h>

#include "fake.h"

/* Removal responds to groups that the domain's handler has, and does not free them. */
static void remove_with_group_at_domain_handler(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake_last(fake, FAKE_PASID, 1, 0);
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	iopf_free_group(fake->taken[0]);
	fake_add_device(test);
	fake->nr_taken = 0;
	/* The same index can be used when the device is on the queue again. */
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
}

/* No response is owed before the last request has come. */
static void remove_discards_partial(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake_partial(fake, FAKE_PASID, 1, 0);
	fake_partial(fake, FAKE_PASID, 1, 0);
	fake_partial(fake, 99, 1, 0);
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	fake_add_device(test);
}

static void discard_partial(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake_partial(fake, FAKE_PASID, 1, 0);
	fake_partial(fake, FAKE_PASID, 1, 0);
	fake_partial(fake, FAKE_PASID, 2, 0);
	fake_last(fake, FAKE_PASID, 3, 0);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_discard_partial(fake->queue));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 2, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, -EINVAL, iopf_queue_discard_partial(NULL));
}

static void flush_one_pasid(struct kunit *test)
{
	struct fake *fake = test->priv;

	fake_partial(fake, 99, 1, 0);
	fake_partial(fake, FAKE_PASID, 1, 0);
	fake_last(fake, FAKE_PASID, 2, 0);
	KUNIT_EXPECT_EQ(test, 0,
			iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 2, fake->log[0].grpid);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->partial_requests);
	/* The handler's response is too late. */
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

static int flush_sva_pasid(void *data)
{
	struct fake *fake = data;

	return iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
}

/*
 * A flush of a PASID waits for its responses that are being sent, and not for those of
 * other PASIDs.
 */
static void flush_waits_for_responses(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	struct task_struct *task;

	fake->block_pasid = FAKE_SVA_PASID;
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	KUNIT_ASSERT_TRUE(test, wait_for_completion_timeout(&fake->blocked, HZ));

	KUNIT_EXPECT_EQ(test, 0,
			iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);

	task = fake_start_thread(test, flush_sva_pasid, fake);
	msleep(50);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_TRUE(test, list_is_singular(&fake_fdev(fake)->flushes));
	fake->block_pasid = 0;
	complete(&fake->unblock);
	KUNIT_EXPECT_EQ(test, 0, kthread_stop_put(task));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

/* A fault sleeps on mmap_lock. A flush does not wait for it. */
static void flush_does_not_wait_for_sleeping_fault(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned long start;

	mmap_write_lock(current->mm);
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	msleep(20);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	start = jiffies;
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + HZ));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fdev->stats.interrupted);
	/* The same for a flush of the PASID when the device has asked again. */
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_pasid(fake_dev(fake),
							FAKE_SVA_PASID));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2));
}

/* The PASID that is unbound, by setting the users of its handle to 0. */
#define UNBOUND_PASID	99
/* Beyond the PASIDs that a flush looks up. */
#define HIGH_PASID	5000

/*
 * A flush of the device while a PASID is unbound ends the groups of this PASID only,
 * and does not wait for those of others.
 */
static void flush_dev_during_unbind(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 2);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iommu_sva bond;

	fake_bind_to(test, &fake->sva, fake_dev(fake), UNBOUND_PASID, &bond);
	mmap_write_lock(current->mm);
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	fake_last(fake, UNBOUND_PASID, 1, addr);
	fake_last(fake, UNBOUND_PASID, 2, addr + PAGE_SIZE);
	refcount_set(&bond.users, 0);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, UNBOUND_PASID, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, UNBOUND_PASID, 2));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_EXPECT_NULL(test, fake_find_pq(fdev, UNBOUND_PASID)->mm);
	/* The PASID has no groups any more, but its PASID queue still exists. */
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);

	/* No PASID is unbound: all groups end. */
	refcount_set(&bond.users, 1);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, 3, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_SVA_PASID, 1));

	/*
	 * Bound again, the PASID gets a response for its new request, and no other one.
	 */
	iommu_detach_device_pasid(&fake->sva, fake_dev(fake), UNBOUND_PASID);
	fake_bind_to(test, &fake->sva, fake_dev(fake), UNBOUND_PASID, &bond);
	fake_last(fake, UNBOUND_PASID, 1, addr);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 4));
	msleep(50);
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	KUNIT_EXPECT_EQ(test, 2, fake_responses_for(fake, UNBOUND_PASID, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, UNBOUND_PASID, 2));
	iommu_detach_device_pasid(&fake->sva, fake_dev(fake), UNBOUND_PASID);
}

/*
 * Flush the device while @pasid is unbound, which has sent @requests requests, 0 or 1. The
 * fault of another PASID sleeps on, and succeeds afterwards.
 */
static void expect_flush_of_unbound(struct kunit *test, u32 pasid, int requests)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	struct iommu_sva bond;

	fake_bind_to(test, &fake->sva, fake_dev(fake), pasid, &bond);
	mmap_write_lock(current->mm);
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	if (requests)
		fake_last(fake, pasid, 1, addr);
	refcount_set(&bond.users, 0);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, requests, fake->responses);
	KUNIT_EXPECT_EQ(test, requests, fake_responses_for(fake, pasid, 1));
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, requests + 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[requests].code);
	iommu_detach_device_pasid(&fake->sva, fake_dev(fake), pasid);
}

/* The PASID that is unbound has never had a request, and so has no PASID queue. */
static void flush_dev_during_unbind_of_idle_pasid(struct kunit *test)
{
	expect_flush_of_unbound(test, UNBOUND_PASID, 0);
}

/* A PASID with requests is found also where not all are looked up. */
static void flush_dev_during_unbind_of_high_pasid(struct kunit *test)
{
	expect_flush_of_unbound(test, HIGH_PASID, 1);
}

/* A device that was reset gets no response to earlier requests. */
static void reset_dev_sends_no_response(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;

	mmap_write_lock(current->mm);
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	fake_partial(fake, FAKE_PASID, 1, 0);
	fake_last(fake, FAKE_PASID, 2, 0);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_reset_dev(fake_dev(fake)));
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_EQ(test, 3, fake_fdev(fake)->stats.discarded);
	/* The handler's response comes too late to be sent. */
	fake_finish_group(fake->taken[0]);
	fake->nr_taken = 0;
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	/* Later requests get a response. */
	fake_last(fake, FAKE_PASID, 2, 0);
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

/*
 * Requests of a PASID that has groups are for the mm of these groups, without a look-up
 * of the domain. After a flush, by which a driver ends a PASID, the domain is looked up
 * again.
 */
static void mm_looked_up_again_after_flush(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;

	/* An unfinished group survives the flush. */
	fake_partial(fake, FAKE_SVA_PASID, 1, addr);
	iommu_detach_device_pasid(&fake->sva, fake_dev(fake), FAKE_SVA_PASID);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			fake_last(fake, FAKE_SVA_PASID, 2, addr));
	KUNIT_ASSERT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.unhandled);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_pasid(fake_dev(fake),
							FAKE_SVA_PASID));
	mmdrop(fake->sva.mm);
	fake->sva.mm = NULL;
}

/* Faults that do not sleep complete during a flush of the device. */
static void flush_dev_lets_faults_finish(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 64);
	struct fake *fake = test->priv;
	s64 before = fake_anon_pages();
	int i;

	for (i = 0; i < 64; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr + i * PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, 64, fake->responses);
	KUNIT_EXPECT_EQ(test, before + 64, fake_anon_pages());
}

/*
 * A flush returns when the groups that it waits for have ended, not when its time limit
 * is reached. The least of several times counts, as the machine may be busy.
 */
static void flush_returns_when_groups_end(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 8);
	struct fake *fake = test->priv;
	unsigned long least = ULONG_MAX;
	unsigned long start;
	int i;

	for (i = 0; i < 8; i++) {
		fake_last(fake, FAKE_SVA_PASID, i, addr + i * PAGE_SIZE);
		start = jiffies;
		KUNIT_EXPECT_EQ(test, 0, iopf_queue_flush_dev(fake_dev(fake)));
		least = min(least, jiffies - start);
		KUNIT_EXPECT_EQ(test, i + 1, fake->responses);
	}
	KUNIT_EXPECT_GT(test, msecs_to_jiffies(50), least);
}

/* The device is removed and the queue freed while a worker sleeps in a fault. */
static void remove_with_sleeping_worker(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	int i;

	mmap_write_lock(current->mm);
	for (i = 0; i < 100; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr);
	msleep(20);
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 100, fake->responses);
	iopf_queue_free(fake->queue);
	fake->queue = NULL;
	mmap_write_unlock(current->mm);
	msleep(20);
	KUNIT_EXPECT_EQ(test, 100, fake->responses);
}

struct reporter {
	struct fake *fake;
	unsigned long addr;
	int id;
};

static int report_storm(void *data)
{
	struct reporter *reporter = data;
	int i;

	for (i = 0; i < 500; i++) {
		u32 grpid = reporter->id * 1000 + i;

		fake_partial(reporter->fake, FAKE_SVA_PASID, grpid,
			     reporter->addr);
		fake_last(reporter->fake, FAKE_SVA_PASID, grpid,
			  reporter->addr + PAGE_SIZE);
		if (i % 64 == 0)
			cond_resched();
	}
	return 0;
}

/* Four threads report while the test flushes. Each group gets one response. */
static void flush_during_fault_storm(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 2);
	struct fake *fake = test->priv;
	struct reporter reporters[4];
	struct task_struct *tasks[4];
	unsigned int wrong = 0;
	int i;
	int j;

	for (i = 0; i < 4; i++) {
		reporters[i] = (struct reporter){ fake, addr, i };
		tasks[i] = fake_start_thread(test, report_storm, &reporters[i]);
	}
	for (i = 0; i < 10; i++) {
		iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
		iopf_queue_flush_dev(fake_dev(fake));
		usleep_range(100, 2000);
	}
	for (i = 0; i < 4; i++)
		kthread_stop_put(tasks[i]);
	/*
	 * If a flush came between the two requests of a group, the last one is a group
	 * of its own.
	 */
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
	for (i = 0; i < 4; i++)
		for (j = 0; j < 500; j++)
			if (fake_responses_for(fake, FAKE_SVA_PASID,
					       i * 1000 + j) != 1)
				wrong++;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_groups(fake_fdev(fake)));
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fake_fdev(fake)));
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
	KUNIT_EXPECT_EQ(test, 2000, fake->responses);
}

static struct kunit_case iopf_lifetime_cases[] = {
	KUNIT_CASE(remove_with_group_at_domain_handler),
	KUNIT_CASE(remove_discards_partial),
	KUNIT_CASE(discard_partial),
	KUNIT_CASE(flush_one_pasid),
	KUNIT_CASE(flush_waits_for_responses),
	KUNIT_CASE(flush_does_not_wait_for_sleeping_fault),
	KUNIT_CASE(flush_dev_lets_faults_finish),
	KUNIT_CASE(flush_returns_when_groups_end),
	KUNIT_CASE(flush_dev_during_unbind),
	KUNIT_CASE(flush_dev_during_unbind_of_idle_pasid),
	KUNIT_CASE(flush_dev_during_unbind_of_high_pasid),
	KUNIT_CASE(reset_dev_sends_no_response),
	KUNIT_CASE(mm_looked_up_again_after_flush),
	KUNIT_CASE(remove_with_sleeping_worker),
	KUNIT_CASE(flush_during_fault_storm),
	{ }
};

static struct kunit_suite iopf_lifetime_suite = {
	.name = "iopf_lifetime",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_lifetime_cases,
};

kunit_test_suite(iopf_lifetime_suite);
