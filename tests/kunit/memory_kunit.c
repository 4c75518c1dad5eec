// SPDX-License-Identifier: GPL-2.0
/*
 * Failing allocations, and bounds of memory use
 */
#include "fake.h"

/*
 * Requests of a group that needs an allocation for them.
 */
#define REQUESTS	(IOPF_INLINE_REQUESTS + 4)

#ifdef CONFIG_FAILSLAB
/*
 * Report a group, and let its allocation number @nth fail. Return true if there were as
 * many allocations.
 */
static bool report_with_failure(struct fake *fake, u32 pasid, u32 grpid,
				unsigned int nth)
{
	bool failed;
	int i;

	/* Spare memory of earlier groups would make the allocation unnecessary. */
	iopf_spare_free(fake_fdev(fake));
	current->fail_nth = nth;
	for (i = 1; i < REQUESTS; i++)
		fake_partial(fake, pasid, grpid, 0);
	fake_last(fake, pasid, grpid, 0);
	failed = !current->fail_nth;
	current->fail_nth = 0;
	return failed;
}

/*
 * Each allocation of a group fails once. The group is handled with memory of the
 * reserve, or refused.
 */
static void each_group_allocation_fails(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int n = 1;

	while (report_with_failure(fake, FAKE_PASID, n, n)) {
		fake_respond_to_taken(fake);
		KUNIT_EXPECT_EQ(test, 1,
				fake_responses_for(fake, FAKE_PASID, n));
		n++;
		KUNIT_ASSERT_GT(test, 100, n);
	}
	fake_respond_to_taken(fake);
	/* The PASID queue, the group, and room for its further requests. */
	KUNIT_EXPECT_LE(test, 4, n);
}

/* Groups are allocated from the reserve until that is empty, and then refused. */
static void reserve_exhausted(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	int i;

	/* There is no reserve of PASID queues, so the PASID has to have one. */
	fake_last(fake, FAKE_PASID, IOPF_RESERVE_GROUPS + 1, 0);
	fake_respond_to_taken(fake);
	iopf_spare_free(fdev);
	for (i = 0; i <= IOPF_RESERVE_GROUPS; i++) {
		current->fail_nth = 1;
		KUNIT_EXPECT_EQ(test, i < IOPF_RESERVE_GROUPS ? 0 : -ENOMEM,
				fake_last(fake, FAKE_PASID, i, 0));
		KUNIT_EXPECT_EQ(test, 0, current->fail_nth);
		current->fail_nth = 0;
	}
	KUNIT_EXPECT_EQ(test, 1, fdev->stats.nomem);
	KUNIT_EXPECT_EQ(test, IOPF_RESERVE_GROUPS, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID,
						    IOPF_RESERVE_GROUPS));
	fake_respond_to_taken(fake);
	KUNIT_EXPECT_EQ(test, IOPF_RESERVE_GROUPS + 2, fake->responses);
}

/* Each allocation of the first group of a PASID fails once; it needs a PASID queue. */
static void each_pasid_queue_allocation_fails(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int n = 1;

	while (report_with_failure(fake, 1000 + n, 1, n)) {
		KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, 1000 + n, 1));
		n++;
		KUNIT_ASSERT_GT(test, 100, n);
	}
	KUNIT_EXPECT_LE(test, 5, n);
}
#else
static void reserve_exhausted(struct kunit *test)
{
	kunit_skip(test, "CONFIG_FAILSLAB is not set");
}

static void each_group_allocation_fails(struct kunit *test)
{
	kunit_skip(test, "CONFIG_FAILSLAB is not set");
}

static void each_pasid_queue_allocation_fails(struct kunit *test)
{
	kunit_skip(test, "CONFIG_FAILSLAB is not set");
}
#endif

/*
 * A million requests of groups that never get their last one: what is stored of them is
 * limited, and other groups take no longer. Upstream's queue stores all of them, and
 * walks through them for each last request.
 */
static void million_partial_requests(struct kunit *test)
{
	int requests = IS_ENABLED(CONFIG_KASAN) ? 100000 : 1000000;
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	u64 before, after;
	int i;

	before = fake_cost(fake, fake_serve);
	for (i = 0; i < requests; i++)
		fake_partial(fake, FAKE_SVA_PASID, i, 0);
	KUNIT_EXPECT_EQ(test, IOPF_DEFAULT_LIMIT, fdev->partial_requests);
	KUNIT_EXPECT_EQ(test, IOPF_DEFAULT_LIMIT, fdev->nr_unfinished);
	KUNIT_EXPECT_EQ(test, requests - IOPF_DEFAULT_LIMIT,
			fdev->stats.limited);
	after = fake_cost(fake, fake_serve);
	kunit_info(test, "a group takes its reporter %llu ns before, %llu ns after\n",
		   before, after);
	KUNIT_EXPECT_LE(test, after, 3 * before + 2000);
	KUNIT_EXPECT_EQ(test, 2 * FAKE_PROBES, fake->responses);
}

/* A million PASIDs with a group each: the number of PASID queues is limited. */
static void million_pasids(struct kunit *test)
{
	u32 pasids = IS_ENABLED(CONFIG_KASAN) ? 10000 : 1000000;
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned int most = 0;
	u32 pasid;

	for (pasid = 100; pasid < 100 + pasids; pasid++) {
		fake_begin_and_stop(fake, pasid);
		most = max(most, fdev->nr_pqs);
		if (!(pasid % 1024))
			cond_resched();
	}
	KUNIT_EXPECT_GE(test, IOPF_DEFAULT_LIMIT, most);
	KUNIT_EXPECT_EQ(test, pasids, fdev->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fdev->stats.limited);
	fake_refresh_limits(fdev);
	KUNIT_EXPECT_EQ(test, 0, iopf_held_groups(fdev));
}

/* The sizes that Documentation/guarantees/memory.rst states. */
static void object_sizes(struct kunit *test)
{
	kunit_info(test, "bytes: group %zu, %u more requests %zu, PASID queue %zu, device %zu, worker %zu\n",
		   sizeof(struct iopf_prg), IOPF_CHUNK_REQUESTS,
		   sizeof(struct iopf_chunk), sizeof(struct iopf_pasid_queue),
		   sizeof(struct iopf_device), sizeof(struct iopf_worker));
	/* Lock debugging makes locks larger. */
	if (IS_ENABLED(CONFIG_LOCKDEP))
		return;
	KUNIT_EXPECT_GE(test, 896, sizeof(struct iopf_prg));
	KUNIT_EXPECT_GE(test, 1088, sizeof(struct iopf_chunk));
	KUNIT_EXPECT_GE(test, 512, sizeof(struct iopf_pasid_queue));
}

static struct kunit_case iopf_memory_cases[] = {
	KUNIT_CASE(object_sizes),
	KUNIT_CASE(million_pasids),
	KUNIT_CASE(each_group_allocation_fails),
	KUNIT_CASE(each_pasid_queue_allocation_fails),
	KUNIT_CASE(reserve_exhausted),
	KUNIT_CASE(million_partial_requests),
	{ }
};

static struct kunit_suite iopf_memory_suite = {
	.name = "iopf_memory",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_memory_cases,
};

kunit_test_suite(iopf_memory_suite);
