// SPDX-License-Identifier: GPL-2.0
/*
 * Requests with a response of their own although they are not the last of their group,
 * as in older revisions of VT-d
 *
 * The requests are made from images of their descriptors, so that the bits are those of
 * the specification.
 */
#include <linux/bitfield.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "fake.h"

/*
 * VT-d 3.x, 7.4.1.1, Page Request Descriptor: 256 bits. A descriptor with private data
 * gets a response even if it is not the last one of its group, with the same data (7.6,
 * 7.7.1).
 */
#define V3_TYPE			GENMASK_ULL(7, 0)
#define V3_PASID_PRESENT	BIT_ULL(8)
#define V3_PRIVATE_PRESENT	BIT_ULL(9)
#define V3_PASID		GENMASK_ULL(51, 32)
#define V3_EXEC			BIT_ULL(52)
#define V3_PRIVILEGED		BIT_ULL(53)
#define V3_READ			BIT_ULL(0)
#define V3_WRITE		BIT_ULL(1)
#define V3_LAST			BIT_ULL(2)
#define V3_INDEX		GENMASK_ULL(11, 3)
#define V3_ADDR			GENMASK_ULL(63, 12)

/*
 * VT-d 2.x, 7.5: 128 bits, with 23 bits of private data that each response returns.
 * Descriptors with SRR and without LPIG get a Page Stream Response of their own.
 */
#define V2_SRR			BIT_ULL(0)
#define V2_PASID_PRESENT	BIT_ULL(2)
#define V2_LAST			BIT_ULL(3)
#define V2_PASID		GENMASK_ULL(23, 4)
#define V2_PRIVATE		GENMASK_ULL(54, 32)
#define V2_INDEX		GENMASK_ULL(63, 55)
#define V2_READ			BIT_ULL(0)
#define V2_WRITE		BIT_ULL(1)
#define V2_EXEC			BIT_ULL(2)
#define V2_PRIVILEGED		BIT_ULL(3)
#define V2_ADDR			GENMASK_ULL(63, 12)

static u32 perms(bool read, bool write, bool exec, bool privileged)
{
	return (read ? IOMMU_FAULT_PERM_READ : 0) |
	       (write ? IOMMU_FAULT_PERM_WRITE : 0) |
	       (exec ? IOMMU_FAULT_PERM_EXEC : 0) |
	       (privileged ? IOMMU_FAULT_PERM_PRIV : 0);
}

static struct iopf_request v3_request(const u64 image[4])
{
	struct iopf_request request = {
		.fault.type = IOMMU_FAULT_PAGE_REQ,
		.fault.prm = {
			.flags = (image[0] & V3_PASID_PRESENT ?
				  IOMMU_FAULT_PAGE_REQUEST_PASID_VALID : 0) |
				 (image[1] & V3_LAST ?
				  IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE : 0),
			.pasid = FIELD_GET(V3_PASID, image[0]),
			.grpid = FIELD_GET(V3_INDEX, image[1]),
			.perm = perms(image[1] & V3_READ, image[1] & V3_WRITE,
				      image[0] & V3_EXEC,
				      image[0] & V3_PRIVILEGED),
			.addr = image[1] & V3_ADDR,
		},
	};

	if (image[0] & V3_PRIVATE_PRESENT) {
		request.flags = IOPF_REQUEST_PRIVATE_DATA;
		request.private_data[0] = image[2];
		request.private_data[1] = image[3];
	}
	return request;
}

static struct iopf_request v2_request(const u64 image[2])
{
	struct iopf_request request = {
		.fault.type = IOMMU_FAULT_PAGE_REQ,
		.fault.prm = {
			.flags = (image[0] & V2_PASID_PRESENT ?
				  IOMMU_FAULT_PAGE_REQUEST_PASID_VALID : 0) |
				 (image[0] & V2_LAST ?
				  IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE : 0),
			.pasid = FIELD_GET(V2_PASID, image[0]),
			.grpid = FIELD_GET(V2_INDEX, image[0]),
			.perm = perms(image[1] & V2_READ, image[1] & V2_WRITE,
				      image[1] & V2_EXEC,
				      image[1] & V2_PRIVILEGED),
			.addr = image[1] & V2_ADDR,
		},
	};

	if (!(image[0] & (V2_SRR | V2_LAST)))
		return request;
	request.flags = IOPF_REQUEST_PRIVATE_DATA;
	request.private_data[0] = FIELD_GET(V2_PRIVATE, image[0]);
	if (!(image[0] & V2_LAST))
		request.flags |= IOPF_REQUEST_STREAMING;
	return request;
}

static int report_v3(struct fake *fake, u64 qw0, u64 qw1, u64 qw2, u64 qw3)
{
	const u64 image[4] = { qw0, qw1, qw2, qw3 };
	struct iopf_request request = v3_request(image);

	return fake_report_request(fake, &request);
}

static int report_v2(struct fake *fake, u64 qw0, u64 qw1)
{
	const u64 image[2] = { qw0, qw1 };
	struct iopf_request request = v2_request(image);

	return fake_report_request(fake, &request);
}

/* Check what response number @nr has returned to the device. */
static void expect_response(struct kunit *test, int nr, bool is_last, u64 word0,
			    u64 word1)
{
	struct fake *fake = test->priv;
	struct iommu_fault *fault = &fake->faults[nr];

	KUNIT_EXPECT_EQ(test, is_last, iopf_is_last(fault));
	KUNIT_EXPECT_EQ(test, word0, fault->prm.private_data[0]);
	KUNIT_EXPECT_EQ(test, word1, fault->prm.private_data[1]);
}

/* PASID 7 (SVA), index 5, two pages. The first request has private data. */
static void v3_private_data_on_partial_request(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 2);
	struct fake *fake = test->priv;
	s64 before = fake_anon_pages();

	KUNIT_EXPECT_EQ(test, 0,
			report_v3(fake, 0x0000000700000301ULL, addr | 0x2a,
				  0x1122334455667788ULL, 0x99aabbccddeeff00ULL));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, FAKE_SVA_PASID, fake->log[0].pasid);
	KUNIT_EXPECT_EQ(test, 5, fake->log[0].grpid);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	expect_response(test, 0, false, 0x1122334455667788ULL,
			0x99aabbccddeeff00ULL);
	KUNIT_EXPECT_EQ(test, before + 1, fake_anon_pages());

	/* The last request has none: this is the response of the group. */
	KUNIT_EXPECT_EQ(test, 0,
			report_v3(fake, 0x0000000700000101ULL,
				  (addr + PAGE_SIZE) | 0x2e, 1, 2));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 2));
	expect_response(test, 1, true, 0, 0);
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
}

/* Private data of the last request is returned with the only response of the group. */
static void v3_private_data_on_last_request(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 2);
	struct fake *fake = test->priv;
	s64 before = fake_anon_pages();

	report_v3(fake, 0x0000000700000101ULL, addr | 0x2a, 0, 0);
	report_v3(fake, 0x0000000700000301ULL, (addr + PAGE_SIZE) | 0x2e,
		  0xa, 0xb);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	expect_response(test, 0, true, 0xa, 0xb);
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fake_fdev(fake)));
}

/*
 * Requests with private data get a response also if nothing handles them or the device
 * is on no queue.
 */
static void v3_response_without_handler_or_queue(struct kunit *test)
{
	struct fake *fake = test->priv;

	/*
	 * PASID 0x63 has no domain. The partial request without data is owed no
	 * response.
	 */
	report_v3(fake, 0x0000006300000101ULL, 0x1000 | 0x2a, 0, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			report_v3(fake, 0x0000006300000301ULL, 0x2000 | 0x2a,
				  3, 4));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	expect_response(test, 0, false, 3, 4);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	/* On no queue. */
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, -ENODEV,
			report_v3(fake, 0x0000006300000301ULL, 0x3000 | 0x2a,
				  5, 6));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	expect_response(test, 1, false, 5, 6);
	fake_add_device(test);
}

/*
 * The domain's handler gets each request as a whole group, with the last flag. The
 * device gets its own flags back.
 */
static void v3_domain_handler_gets_single_requests(struct kunit *test)
{
	struct fake *fake = test->priv;
	int i;

	/* PASID 5, index 5, three times. */
	report_v3(fake, 0x0000000500000301ULL, 0x1000 | 0x2a, 1, 1);
	report_v3(fake, 0x0000000500000301ULL, 0x2000 | 0x2a, 2, 2);
	report_v3(fake, 0x0000000500000301ULL, 0x3000 | 0x2e, 3, 3);
	KUNIT_ASSERT_EQ(test, 3, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 3, iopf_nr_pending(fake_fdev(fake)));
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_EQ(test, 1, fake->taken[i]->fault_count);
		KUNIT_EXPECT_TRUE(test,
				  iopf_is_last(&fake->taken[i]->last_fault.fault));
	}
	for (i = 2; i >= 0; i--) {
		fake_finish_group(fake->taken[i]);
		expect_response(test, 2 - i, i == 2, i + 1, i + 1);
	}
	KUNIT_EXPECT_EQ(test, 3, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fake_fdev(fake)));
}

/*
 * A flush and the timeout send one response, and later ones of the handler are not
 * sent.
 */
static void v3_flush_and_timeout_respond_once(struct kunit *test)
{
	struct fake *fake = test->priv;

	report_v3(fake, 0x0000000500000301ULL, 0x1000 | 0x2a, 1, 1);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	expect_response(test, 0, false, 1, 1);
	iopf_queue_set_domain_timeout(fake->queue, 50);
	report_v3(fake, 0x0000000500000301ULL, 0x1000 | 0x2a, 2, 2);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 2));
	expect_response(test, 1, false, 2, 2);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_group_response(fake->taken[1], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	iopf_free_group(fake->taken[1]);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 2, fake_fdev(fake)->stats.late);
}

/* What see() was called with. */
struct seen {
	struct fake *fake;
	unsigned int count;
	u32 flags[4];
	u64 data[4];
	u64 cookie[4];
};

static int see(struct iommu_fault *fault, void *data)
{
	const struct iopf_request *request = iopf_fault_request(fault);
	struct seen *seen = data;

	seen->flags[seen->count] = request->flags;
	seen->data[seen->count] = request->private_data[1];
	seen->cookie[seen->count] = iopf_fault_cookie(fault);
	seen->count++;
	return IOMMU_FAULT_STATUS_HANDLED;
}

/* A registered handler sees the flags, and responds to each request by its cookie. */
static void v3_handler_responds_by_cookie(struct kunit *test)
{
	struct iommu_page_response msg = { 0x63, 5, IOMMU_PAGE_RESP_SUCCESS };
	struct fake *fake = test->priv;
	struct seen seen = { fake };
	int i;

	fake_register_handler(test, see, &seen);
	for (i = 0; i < 3; i++)
		report_v3(fake, 0x0000006300000301ULL, 0x1000 | 0x2a, 0, i);
	KUNIT_EXPECT_EQ(test, 3, seen.count);
	for (i = 2; i >= 0; i--) {
		KUNIT_EXPECT_EQ(test, IOPF_REQUEST_PRIVATE_DATA, seen.flags[i]);
		KUNIT_EXPECT_EQ(test, i, seen.data[i]);
		KUNIT_EXPECT_EQ(test, 0,
				iommu_page_response_by_cookie(fake_dev(fake),
							      &msg,
							      seen.cookie[i]));
		expect_response(test, 2 - i, false, 0, i);
	}
	KUNIT_EXPECT_EQ(test, 3, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

static int keep(struct iommu_fault *fault, void *data)
{
	return IOMMU_FAULT_STATUS_HANDLED;
}

/* A response by PASID and index is for the oldest request. */
static void v3_handler_responds_to_oldest_first(struct kunit *test)
{
	struct iommu_page_response msg = { 0x63, 5, IOMMU_PAGE_RESP_SUCCESS };
	struct fake *fake = test->priv;
	int i;

	fake_register_handler(test, keep, NULL);
	report_v3(fake, 0x0000006300000301ULL, 0x1000 | 0x2a, 0, 1);
	report_v3(fake, 0x0000006300000101ULL, 0x2000 | 0x2e, 0, 2);
	report_v3(fake, 0x0000006300000301ULL, 0x3000 | 0x2a, 0, 3);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0,
				iommu_page_response(fake_dev(fake), &msg));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_page_response(fake_dev(fake), &msg));
	expect_response(test, 0, false, 0, 1);
	expect_response(test, 1, true, 0, 0);
	expect_response(test, 2, false, 0, 3);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* PASID 7, index 3: two streamed requests, a plain one, and the last one. */
static void v2_streaming_requests_get_responses(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 4);
	struct fake *fake = test->priv;
	s64 before = fake_anon_pages();

	KUNIT_EXPECT_EQ(test, 0, report_v2(fake, 0x0180000100000075ULL,
					   addr | 0x2));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, 0, report_v2(fake, 0x0180000200000075ULL,
					   (addr + PAGE_SIZE) | 0x2));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 2));
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	KUNIT_EXPECT_EQ(test, 0, report_v2(fake, 0x0180000300000074ULL,
					   (addr + 2 * PAGE_SIZE) | 0x2));
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2));
	KUNIT_EXPECT_EQ(test, 0, report_v2(fake, 0x0180000400000078ULL | 0x4,
					   (addr + 3 * PAGE_SIZE) | 0x2));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 3));
	KUNIT_EXPECT_EQ(test, before + 4, fake_anon_pages());

	expect_response(test, 0, false, 1, 0);
	expect_response(test, 1, false, 2, 0);
	expect_response(test, 2, true, 4, 0);
	/* A Page Stream Response carries the address. */
	KUNIT_EXPECT_EQ(test, addr + PAGE_SIZE, fake->faults[1].prm.addr);
	KUNIT_EXPECT_EQ(test, 3, fake->log[1].grpid);
}

/*
 * Each response has its own code. A bad request spoils neither the other ones nor the
 * group.
 */
static void v2_streaming_response_codes(struct kunit *test)
{
	unsigned long addr = fake_map(test, 2 * PAGE_SIZE, PROT_READ);
	struct fake *fake = test->priv;

	report_v2(fake, 0x0180000100000075ULL, addr | 0x2);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	report_v2(fake, 0x0180000200000075ULL, addr | 0x1);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 2));
	report_v2(fake, 0x018000030000007cULL, (addr + PAGE_SIZE) | 0x1);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 3));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[2].code);
}

static struct kunit_case iopf_flags_cases[] = {
	KUNIT_CASE(v3_private_data_on_partial_request),
	KUNIT_CASE(v3_private_data_on_last_request),
	KUNIT_CASE(v3_response_without_handler_or_queue),
	KUNIT_CASE(v3_domain_handler_gets_single_requests),
	KUNIT_CASE(v3_flush_and_timeout_respond_once),
	KUNIT_CASE(v3_handler_responds_by_cookie),
	KUNIT_CASE(v3_handler_responds_to_oldest_first),
	KUNIT_CASE(v2_streaming_requests_get_responses),
	KUNIT_CASE(v2_streaming_response_codes),
	{ }
};

static struct kunit_suite iopf_flags_suite = {
	.name = "iopf_flags",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_flags_cases,
};

kunit_test_suite(iopf_flags_suite);
