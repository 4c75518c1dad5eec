// SPDX-License-Identifier: GPL-2.0
/*
 * Entry points for page requests
 *
 * The same checks are made of a single request, one in a batch, one with private data
 * and one that its driver refuses.
 */
#include <linux/iopf.h>

#include "fake.h"

#define PASID_VALID	IOMMU_FAULT_PAGE_REQUEST_PASID_VALID
#define LAST_PAGE	IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE
#define WRITE_PERM	IOMMU_FAULT_PERM_WRITE

/* The ways to report a request. */
enum way { ALONE, BATCH, PRIVATE, REFUSED, NR_WAYS };

static const char * const ways[NR_WAYS] = {
	[ALONE] = "alone", [BATCH] = "in a batch", [PRIVATE] = "private data",
	[REFUSED] = "refused",
};

static int report_way(struct fake *fake, enum way way,
		      const struct iommu_fault *fault)
{
	struct iopf_request request = { .fault = *fault };
	struct iopf_fault evt = { .fault = *fault };

	switch (way) {
	case ALONE:
		return iommu_report_device_fault(fake_dev(fake), &evt);
	case REFUSED:
		return iopf_refuse_request(fake_dev(fake), fault);
	case PRIVATE:
		request.flags = IOPF_REQUEST_PRIVATE_DATA;
		fallthrough;
	default:
		return iopf_report_requests(fake_dev(fake), &request, 1);
	}
}

static struct iommu_fault make_fault(u32 type, u32 flags, u32 grpid, u32 perm)
{
	return (struct iommu_fault){
		.type = type,
		.prm = {
			.flags = PASID_VALID | flags,
			.pasid = FAKE_PASID,
			.grpid = grpid,
			.perm = perm,
			.addr = 0x1000,
		},
	};
}

/**
 * struct entry - a request that gets no group, and what is expected of it
 * @what: description
 * @type: type of the fault
 * @flags: IOMMU_FAULT_PAGE_REQUEST_* values beside the one for the PASID
 * @grpid: the page request group index
 * @perm: permissions
 * @ret: expected return value, but for refused requests
 * @responses: number of Invalid Request responses, by way
 */
struct entry {
	const char *what;
	u32 type;
	u32 flags;
	u32 grpid;
	u32 perm;
	int ret;
	u8 responses[NR_WAYS];
};

static const struct entry entries[] = {
	{ "no page request", IOMMU_FAULT_DMA_UNRECOV, LAST_PAGE, 1, WRITE_PERM,
	  -EINVAL, { 0, 0, 0, 0 } },
	{ "stop marker", IOMMU_FAULT_PAGE_REQ, LAST_PAGE, 1, 0,
	  0, { 0, 0, 0, 0 } },
	{ "index too wide, last", IOMMU_FAULT_PAGE_REQ, LAST_PAGE, 512,
	  WRITE_PERM, -EINVAL, { 1, 1, 1, 1 } },
	{ "index too wide, not last", IOMMU_FAULT_PAGE_REQ, 0, 512, WRITE_PERM,
	  -EINVAL, { 0, 0, 1, 0 } },
	{ "index in use", IOMMU_FAULT_PAGE_REQ, LAST_PAGE, 9, WRITE_PERM,
	  -EEXIST, { 0, 0, 0, 0 } },
};

static void check_entry(struct kunit *test, const struct entry *entry,
			enum way way)
{
	struct iommu_fault fault = make_fault(entry->type, entry->flags,
					      entry->grpid, entry->perm);
	struct fake *fake = test->priv;
	unsigned int before = fake->responses;
	int ret = entry->ret;

	if (way == REFUSED)
		ret = ret ?: -EINVAL;
	KUNIT_EXPECT_EQ_MSG(test, ret, report_way(fake, way, &fault), "%s, %s",
			    entry->what, ways[way]);
	KUNIT_EXPECT_EQ_MSG(test, entry->responses[way], fake->responses - before,
			    "%s, %s", entry->what, ways[way]);
	if (fake->responses > before)
		KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID,
				fake->log[before].code);
}

static void check_all_entries(struct kunit *test)
{
	struct iopf_limits limits = { .grpid_bits = 9 };
	struct fake *fake = test->priv;
	unsigned int i;
	enum way way;

	fake_set_limits(test, &limits);
	fake_last(fake, FAKE_PASID, 9, 0x1000);
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	for (i = 0; i < ARRAY_SIZE(entries); i++)
		for (way = 0; way < NR_WAYS; way++)
			check_entry(test, &entries[i], way);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
	fake_free_taken(fake);
}

static void same_checks_at_all_entry_points(struct kunit *test)
{
	check_all_entries(test);
}

static int handle_nothing(struct iommu_fault *fault, void *data)
{
	unsigned int *seen = data;

	++*seen;
	return IOMMU_FAULT_STATUS_CONTINUE;
}

/* A registered handler is not called with requests that fail the checks. */
static void same_checks_with_handler(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int seen = 0;

	fake_register_handler(test, handle_nothing, &seen);
	check_all_entries(test);
	/* It has seen the group whose index is in use. */
	KUNIT_EXPECT_EQ(test, 1, seen);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* A stop marker ends the unfinished groups of its PASID, however it is reported. */
static void stop_marker_ends_groups(struct kunit *test)
{
	struct iommu_fault marker = make_fault(IOMMU_FAULT_PAGE_REQ, LAST_PAGE,
					       3, 0);
	struct fake *fake = test->priv;
	enum way way;

	for (way = 0; way < NR_WAYS; way++) {
		fake_partial(fake, FAKE_PASID, 1, 0x1000);
		fake_partial(fake, FAKE_PASID, 2, 0x1000);
		KUNIT_EXPECT_EQ(test, 2, fake_fdev(fake)->partial_requests);
		report_way(fake, way, &marker);
		KUNIT_EXPECT_EQ_MSG(test, 0, fake_fdev(fake)->partial_requests, "%s",
				    ways[way]);
	}
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

/* A refused request in a batch spoils its group and no other one. */
static void refused_request_in_batch(struct kunit *test)
{
	struct iopf_request requests[] = {
		{ make_fault(IOMMU_FAULT_PAGE_REQ, 0, 1, WRITE_PERM) },
		{ make_fault(IOMMU_FAULT_PAGE_REQ, 0, 2, WRITE_PERM) },
		{ make_fault(IOMMU_FAULT_PAGE_REQ, 0, 1, WRITE_PERM),
		  IOPF_REQUEST_REFUSED },
		{ make_fault(IOMMU_FAULT_PAGE_REQ, LAST_PAGE, 1, WRITE_PERM) },
		{ make_fault(IOMMU_FAULT_PAGE_REQ, LAST_PAGE, 2, WRITE_PERM) },
	};
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			iopf_report_requests(fake_dev(fake), requests,
					     ARRAY_SIZE(requests)));
	KUNIT_ASSERT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake->log[0].grpid);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 2, fake->taken[0]->fault_count);
	fake_free_taken(fake);
}

/* A refused request with private data gets a response of its own with the data. */
static void refused_request_with_private_data(struct kunit *test)
{
	struct iopf_request request = {
		.fault = make_fault(IOMMU_FAULT_PAGE_REQ, 0, 1, WRITE_PERM),
		.flags = IOPF_REQUEST_REFUSED | IOPF_REQUEST_PRIVATE_DATA,
		.private_data = { 0x1234, 0x5678 },
	};
	struct fake *fake = test->priv;

	KUNIT_EXPECT_EQ(test, -EINVAL, fake_report_request(fake, &request));
	KUNIT_ASSERT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 0x1234, fake->faults[0].prm.private_data[0]);
	KUNIT_EXPECT_EQ(test, 0x5678, fake->faults[0].prm.private_data[1]);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
}

static struct kunit_case iopf_report_cases[] = {
	KUNIT_CASE(same_checks_at_all_entry_points),
	KUNIT_CASE(same_checks_with_handler),
	KUNIT_CASE(stop_marker_ends_groups),
	KUNIT_CASE(refused_request_in_batch),
	KUNIT_CASE(refused_request_with_private_data),
	{ }
};

static struct kunit_suite iopf_report_suite = {
	.name = "iopf_report",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_report_cases,
};

kunit_test_suite(iopf_report_suite);
