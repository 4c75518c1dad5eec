// SPDX-License-Identifier: GPL-2.0
/*
 * Assembly of page requests into groups
 */
#include <linux/mman.h>

#include "fake.h"

/* Return the only group that the domain's handler has taken. */
static struct iopf_group *expect_taken(struct kunit *test, size_t fault_count)
{
	struct fake *fake = test->priv;
	struct iopf_group *group;

	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	group = fake->taken[0];
	fake->nr_taken = 0;
	KUNIT_EXPECT_EQ(test, fault_count, group->fault_count);
	KUNIT_EXPECT_EQ(test, fault_count, list_count_nodes(&group->faults));
	return group;
}

/*
 * Check that @count requests reach the domain's handler as one group, in their order.
 */
static void check_group(struct kunit *test, unsigned int count)
{
	struct fake *fake = test->priv;
	struct iopf_group *group;
	struct iopf_fault *request;
	unsigned int i;

	for (i = 0; i < count - 1; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_PASID, 1,
						      i * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, i * PAGE_SIZE));
	group = expect_taken(test, count);
	i = 0;
	list_for_each_entry(request, &group->faults, list)
		KUNIT_EXPECT_EQ(test, i++ * PAGE_SIZE, request->fault.prm.addr);
	KUNIT_EXPECT_PTR_EQ(test, &fake->handle, group->attach_handle);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	fake_finish_group(group);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
}

static void group_of_one_request(struct kunit *test)
{
	check_group(test, 1);
}

static void group_beyond_inline_requests(struct kunit *test)
{
	check_group(test, IOPF_INLINE_REQUESTS + 1);
}

static void group_of_512_requests(struct kunit *test)
{
	check_group(test, 512);
}

static void same_index_in_two_pasids(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_group *group;

	/* Another PASID, which has no domain, uses the same index. */
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0x9000));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_PASID, 1, 0x1000));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0x2000));
	group = expect_taken(test, 2);
	KUNIT_EXPECT_EQ(test, 0x1000,
			list_first_entry(&group->faults, struct iopf_fault,
					 list)->fault.prm.addr);
	fake_finish_group(group);
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, 99, 1, 0xa000));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, 99, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 1));
}

/* A request with PASID 0 and one without a PASID are in different groups. */
static void pasid_zero_is_not_no_pasid(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 0, 1, 0x1000));
	KUNIT_EXPECT_EQ(test, 0,
			fake_report(fake, 0, 0, 1, IOMMU_FAULT_PERM_READ, 0));
	KUNIT_EXPECT_EQ(test, 2, fake_fdev(fake)->partial_requests);
	KUNIT_EXPECT_EQ(test, 2, iopf_nr_groups(fake_fdev(fake)));
}

static void group_without_handler_gets_one_response(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	for (i = 0; i < 7; i++)
		KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 3, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, 99, 3, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.unhandled);
}

static void unknown_fault_type_is_refused(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_fault evt = { .fault.type = 77 };

	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_report_device_fault(fake_dev(fake), &evt));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

static void stop_marker_discards_unfinished_groups(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0,
			fake_report(fake, FAKE_LAST, FAKE_PASID, 2, 0, 0));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->partial_requests);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
}

/* An index is in use until the response to its group is sent. */
static void index_in_use_until_response(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_group *group;

	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, -EEXIST, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, -EEXIST, fake_partial(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	group = expect_taken(test, 1);
	fake_finish_group(group);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	fake_finish_group(expect_taken(test, 1));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
}

/* The requests of two groups are mixed in one batch. */
static void batch_of_two_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_request requests[IOPF_INLINE_REQUESTS + 6];
	struct iopf_fault *request;
	unsigned int count = 0;
	unsigned int i;

	for (i = 0; i < 3; i++)
		requests[count++] = fake_request(FAKE_PASID, 1, i * PAGE_SIZE,
						 false);
	requests[count++] = fake_request(FAKE_PASID, 2, 0, false);
	/* More requests than a group has room for without an allocation. */
	for (; i <= IOPF_INLINE_REQUESTS; i++)
		requests[count++] = fake_request(FAKE_PASID, 1, i * PAGE_SIZE,
						 false);
	requests[count++] = fake_request(FAKE_PASID, 2, PAGE_SIZE, true);
	requests[count++] = fake_request(FAKE_PASID, 1, i * PAGE_SIZE, true);
	KUNIT_ASSERT_LE(test, count, ARRAY_SIZE(requests));

	KUNIT_EXPECT_EQ(test, 0, iopf_report_requests(fake_dev(fake), requests,
						      count));
	KUNIT_ASSERT_EQ(test, 2, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 2, fake->taken[0]->fault_count);
	KUNIT_EXPECT_EQ(test, IOPF_INLINE_REQUESTS + 2,
			fake->taken[1]->fault_count);
	i = 0;
	list_for_each_entry(request, &fake->taken[1]->faults, list)
		KUNIT_EXPECT_EQ(test, i++ * PAGE_SIZE, request->fault.prm.addr);
	KUNIT_EXPECT_EQ(test, count, fake_fdev(fake)->stats.requests);
	fake_finish_group(fake->taken[0]);
	fake_finish_group(fake->taken[1]);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
}

/* Bad requests in the middle of a batch are found as they are elsewhere. */
static void batch_with_bad_requests(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	struct iopf_request requests[4];
	unsigned int i;

	for (i = 0; i < 4; i++)
		requests[i] = fake_request(FAKE_PASID, 1, i * PAGE_SIZE, i == 3);
	requests[2].fault.type = 17;
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopf_report_requests(fake_dev(fake), requests, 4));
	/* The bad request is left out, the other ones are a group. */
	fake_finish_group(expect_taken(test, 3));

	for (i = 0; i < 4; i++)
		requests[i] = fake_request(FAKE_SVA_PASID, 1, addr, i == 3);
	requests[2].fault.prm.perm = 0;
	iopf_report_requests(fake_dev(fake), requests, 4);
	KUNIT_ASSERT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.malformed);
}

/* Requests of a batch beyond the device's limit are refused. */
static void batch_beyond_limit(struct kunit *test)
{
	struct iopf_limits limits = { .unfinished = 4, .groups = 64 };
	struct fake *fake = test->priv;
	struct iopf_request requests[8];
	unsigned int i;

	fake_set_limits(test, &limits);
	for (i = 0; i < 8; i++)
		requests[i] = fake_request(FAKE_PASID, 1, i * PAGE_SIZE, i == 7);
	KUNIT_EXPECT_EQ(test, 0, iopf_report_requests(fake_dev(fake), requests, 7));
	KUNIT_EXPECT_EQ(test, 4, fake_fdev(fake)->partial_requests);
	iopf_report_requests(fake_dev(fake), &requests[7], 1);
	KUNIT_ASSERT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
}

static struct kunit_case iopf_assemble_cases[] = {
	KUNIT_CASE(batch_of_two_groups),
	KUNIT_CASE(batch_with_bad_requests),
	KUNIT_CASE(batch_beyond_limit),
	KUNIT_CASE(group_of_one_request),
	KUNIT_CASE(group_beyond_inline_requests),
	KUNIT_CASE(group_of_512_requests),
	KUNIT_CASE(same_index_in_two_pasids),
	KUNIT_CASE(pasid_zero_is_not_no_pasid),
	KUNIT_CASE(group_without_handler_gets_one_response),
	KUNIT_CASE(unknown_fault_type_is_refused),
	KUNIT_CASE(stop_marker_discards_unfinished_groups),
	KUNIT_CASE(index_in_use_until_response),
	{ }
};

static struct kunit_suite iopf_assemble_suite = {
	.name = "iopf_assemble",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_assemble_cases,
};

kunit_test_suite(iopf_assemble_suite);
