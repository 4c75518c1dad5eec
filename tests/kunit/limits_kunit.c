// SPDX-License-Identifier: GPL-2.0
/*
 * Limits on what the library stores for a device
 */
#include <kunit/static_stub.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "fake.h"
#include "slow.h"

static void set_limits(struct kunit *test, unsigned int unfinished,
		       unsigned int groups, unsigned int pasids)
{
	struct iopf_limits limits = {
		.groups = groups,
		.unfinished = unfinished,
		.pasids = pasids,
		.grpid_bits = 16,
	};

	fake_set_limits(test, &limits);
}

/* A group with too many partial requests is refused when its last request comes. */
static void limit_on_partial_requests(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;

	set_limits(test, 16, 0, 0);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 16, fdev->partial_requests);
	KUNIT_EXPECT_EQ(test, 1, fdev->nr_unfinished);
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 0, fdev->partial_requests);
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_unfinished);
}

/* Many groups begin, and none gets its last request. */
static void limit_on_unfinished_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_group *group;
	int i;

	set_limits(test, 16, 0, 0);
	for (i = 0; i < 1000; i++)
		fake_partial(fake, FAKE_PASID, i, 0);
	KUNIT_EXPECT_EQ(test, 16, fdev->partial_requests);
	KUNIT_EXPECT_EQ(test, 16, fdev->nr_unfinished);
	KUNIT_EXPECT_EQ(test, 16, iopf_nr_groups(fdev));
	KUNIT_EXPECT_EQ(test, 1000 - 16, fdev->stats.limited);
	/*
	 * The last request of a group whose earlier ones were dropped is accepted. The
	 * device asks for the missing pages again.
	 */
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 20, 0));
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	group = fake->taken[0];
	KUNIT_EXPECT_EQ(test, 1, group->fault_count);
	fake_finish_group(group);
}

static void limit_on_pending_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;

	set_limits(test, 0, 16, 0);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, i, 0));
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_last(fake, FAKE_PASID, i, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_partial(fake, FAKE_PASID, 100, 0));
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_last(fake, FAKE_PASID, 100, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	for (i = 0; i < 16; i++)
		fake_finish_group(fake->taken[i]);
	KUNIT_EXPECT_EQ(test, 18, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fdev));
}

/*
 * A domain's handler that responds to groups but does not free them gets no more at the
 * limit.
 */
static void limit_counts_groups_until_freed(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;

	set_limits(test, 0, 16, 0);
	for (i = 0; i < 100; i++)
		if (!fake_last(fake, FAKE_PASID, i, 0))
			iopf_group_response(fake->taken[i],
					    IOMMU_PAGE_RESP_SUCCESS);
	KUNIT_EXPECT_EQ(test, 100, fake->responses);
	KUNIT_EXPECT_EQ(test, 16, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 84, fdev->stats.limited);
	KUNIT_EXPECT_EQ(test, 16, iopf_held_groups(fdev));
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_groups(fdev));
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
				fake->log[i].code);
	for (; i < 100; i++)
		KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
				fake->log[i].code);

	iopf_free_group(fake->taken[--fake->nr_taken]);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 200, 0));
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_last(fake, FAKE_PASID, 201, 0));
	KUNIT_ASSERT_EQ(test, 16, fake->nr_taken);
	iopf_group_response(fake->taken[15], IOMMU_PAGE_RESP_SUCCESS);
	fake_free_taken(fake);
}

/* Requests, except the last one of each group, count as long as their groups. */
static void limit_on_requests_in_groups(struct kunit *test)
{
	struct iopf_limits limits = { .requests = 64, .unfinished = 32 };
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;
	int j;

	fake_set_limits(test, &limits);
	for (i = 0; i < 10; i++) {
		for (j = 0; j < 20; j++)
			fake_partial(fake, FAKE_PASID, i, 0);
		fake_last(fake, FAKE_PASID, i, 0);
		KUNIT_EXPECT_GE(test, 64, iopf_held_requests(fdev));
	}
	/* Three groups fit. The requests of refused groups do not count any more. */
	KUNIT_EXPECT_EQ(test, 3, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 7, fake->responses);
	fake_refresh_limits(fdev);
	KUNIT_EXPECT_EQ(test, 60, iopf_held_requests(fdev));
	/* A group of one request has none that count. */
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 100, 0));
	fake_respond_to_taken(fake);
	fake_refresh_limits(fdev);
	KUNIT_EXPECT_EQ(test, 0, iopf_held_requests(fdev));
	KUNIT_EXPECT_EQ(test, 0, iopf_held_groups(fdev));
}

/*
 * A group whose fault sleeps stays with its worker after the timeout has sent its
 * response. There is no timeout where that would leave less than half of the limit for
 * further groups.
 */
static void sleepers_leave_half_of_limit(struct kunit *test)
{
	unsigned long addr = slow_map(test, 6);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;

	set_limits(test, 0, 8, 0);
	iopf_queue_set_timeout(fake->queue, 100);
	for (i = 0; i < 6; i++)
		slow_hold(i);
	for (i = 0; i < 4; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr + i * PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 4));
	KUNIT_EXPECT_EQ(test, 4, iopf_held_groups(fdev));
	for (; i < 6; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr + i * PAGE_SIZE);
	msleep(500);
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	slow_release_all();
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 6));
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS,
				fake->log[i].code);
}

static unsigned int grant_100(struct device *dev)
{
	return 100;
}

/* The limits rise to what PRI grants to the device. */
static void limits_follow_pri_grant(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;

	kunit_activate_static_stub(test, iopf_pri_allocation, grant_100);
	set_limits(test, 8, 16, 16);
	fdev->limits.requests = 16;
	fdev->driver_limits = (struct iopf_limits){};
	for (i = 0; i < 99; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_PASID, 1, 0));
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 100, fake->taken[0]->fault_count);
	/*
	 * The group has a response and is not freed, and the device sends as many
	 * requests again.
	 */
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	for (i = 0; i < 100; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 1000 + i, 1, 0) ==
					 -ENOMEM);
	KUNIT_EXPECT_EQ(test, 0, fdev->stats.limited);
	fake_free_taken(fake);
}

static unsigned int grant_50000(struct device *dev)
{
	return 50000;
}

/* Each limit that the driver has not set rises to what PRI grants, and no other one. */
static void grant_keeps_limits_of_driver(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);

	kunit_activate_static_stub(test, iopf_pri_allocation, grant_50000);
	fake_set_limits(test, &(struct iopf_limits){ .pasids = 8 });
	fake_refresh_limits(fdev);
	KUNIT_EXPECT_EQ(test, 100000, fdev->limits.groups);
	KUNIT_EXPECT_EQ(test, 100000, fdev->limits.requests);
	KUNIT_EXPECT_EQ(test, 50000, fdev->limits.unfinished);
	KUNIT_EXPECT_EQ(test, 8, fdev->limits.pasids);

	fake_set_limits(test, &(struct iopf_limits){ .groups = 16 });
	fake_refresh_limits(fdev);
	KUNIT_EXPECT_EQ(test, 16, fdev->limits.groups);
	KUNIT_EXPECT_EQ(test, 100000, fdev->limits.requests);
	KUNIT_EXPECT_EQ(test, 8, fdev->limits.unfinished);
	KUNIT_EXPECT_EQ(test, 100000, fdev->limits.pasids);
}

/* PASIDs that are used one after the other, see pasid_queues_stay(). */
#define TURNS		(IOPF_IDLE_PQS + 16)

/*
 * Check that PASIDs that are used in turn keep their PASID queues, also if these are
 * more than are kept without a time limit. Return false if the machine was so slow that
 * the PASID queues may have expired.
 */
static bool pasid_queues_stay(struct kunit *test, u32 first)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned long start = jiffies;
	struct iopf_pasid_queue *pq;
	u64 groups;
	u32 i;

	fake_last(fake, first, 1, 0);
	pq = fake_find_pq(fdev, first);
	for (i = 1; i < TURNS; i++)
		fake_last(fake, first + i, 1, 0);
	fake_last(fake, first, 2, 0);
	spin_lock(&fdev->lock);
	groups = list_empty(&fdev->idle) ? 0 :
		 list_last_entry(&fdev->idle, struct iopf_pasid_queue, idle_node)->groups;
	spin_unlock(&fdev->lock);
	if (time_after(jiffies, start + msecs_to_jiffies(IOPF_IDLE_MS / 2)))
		return false;
	KUNIT_EXPECT_PTR_EQ(test, pq, fake_find_pq(fdev, first));
	KUNIT_EXPECT_EQ(test, 2, groups);
	return true;
}

/*
 * Idle PASID queues beyond a number are freed after a while, not with each group. PASID
 * queues in use stay.
 */
static void idle_pasid_queues_expire(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;

	iopf_queue_set_timeout(fake->queue, 200);
	fake_last(fake, FAKE_PASID, 1, 0);
	for (i = 0; i < 10 && !pasid_queues_stay(test, 1000 + i * TURNS); i++)
		;
	KUNIT_EXPECT_GT(test, 10, i);
	for (i = 0; i < 500 && READ_ONCE(fdev->nr_idle) > IOPF_IDLE_PQS; i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, IOPF_IDLE_PQS, fdev->nr_idle);
	KUNIT_EXPECT_EQ(test, IOPF_IDLE_PQS + 1, fdev->nr_pqs);
	fake_free_taken(fake);
}

static void limit_on_pasid_queues(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	set_limits(test, 0, 0, 16);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 1000 + i, 1, 0));
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_partial(fake, 1000 + i, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, -ENOMEM, fake_last(fake, 1000 + i, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
}

/* An index beyond the device's width is refused, and so is an invalid width. */
static void limit_on_index_width(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_limits limits = { .grpid_bits = 33 };

	set_limits(test, 0, 0, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			fake_partial(fake, FAKE_PASID, 1 << 16, 0));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, FAKE_PASID, 1 << 16, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 2, fake_fdev(fake)->stats.malformed);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopf_device_set_limits(fake_dev(fake), &limits));
}

/* Limits of 0 set the defaults again. */
static void default_limits(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_limits limits = {};

	set_limits(test, 1, 1, 1);
	KUNIT_EXPECT_EQ(test, 0,
			iopf_device_set_limits(fake_dev(fake), &limits));
	KUNIT_EXPECT_EQ(test, IOPF_DEFAULT_LIMIT,
			fake_fdev(fake)->limits.unfinished);
	KUNIT_EXPECT_EQ(test, IOPF_STALL_LIMIT, fake_fdev(fake)->limits.groups);
	KUNIT_EXPECT_EQ(test, IOPF_STALL_LIMIT,
			fake_fdev(fake)->limits.requests);
	KUNIT_EXPECT_EQ(test, IOPF_STALL_LIMIT, fake_fdev(fake)->limits.pasids);
	KUNIT_EXPECT_EQ(test, 32, fake_fdev(fake)->limits.grpid_bits);
}

/* Idle PASID queues are freed where the limit needs it. */
static void idle_pasid_queues_make_room(struct kunit *test)
{
	struct iopf_limits limits = { .pasids = 2 };
	struct fake *fake = test->priv;
	u32 pasid;

	fake_set_limits(test, &limits);
	for (pasid = 200; pasid < 210; pasid++) {
		/* This PASID has no domain, so its group gets a response at once. */
		fake_last(fake, pasid, 1, 0);
		KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, pasid, 1));
		KUNIT_EXPECT_GE(test, 2, fake_fdev(fake)->nr_pqs);
	}
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->stats.limited);
	KUNIT_EXPECT_EQ(test, 10, fake_fdev(fake)->stats.unhandled);
}

static struct kunit_case iopf_limits_cases[] = {
	KUNIT_CASE(limit_on_partial_requests),
	KUNIT_CASE(limit_on_unfinished_groups),
	KUNIT_CASE(limit_on_pending_groups),
	KUNIT_CASE(limit_counts_groups_until_freed),
	KUNIT_CASE(limit_on_requests_in_groups),
	KUNIT_CASE(sleepers_leave_half_of_limit),
	KUNIT_CASE(limits_follow_pri_grant),
	KUNIT_CASE(grant_keeps_limits_of_driver),
	KUNIT_CASE(idle_pasid_queues_expire),
	KUNIT_CASE(limit_on_pasid_queues),
	KUNIT_CASE(limit_on_index_width),
	KUNIT_CASE(default_limits),
	KUNIT_CASE(idle_pasid_queues_make_room),
	{ }
};

static struct kunit_suite iopf_limits_suite = {
	.name = "iopf_limits",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_limits_cases,
};

kunit_test_suite(iopf_limits_suite);
