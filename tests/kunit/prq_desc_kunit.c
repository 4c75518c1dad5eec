// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request and response descriptors
 */
#include "vtd_model.h"

/* RID 01:05.0, PASID 12345, index 1ab, read and write, last. */
static const u64 image[] = {
	0x0001234501280101ULL, 0x00007f1234567d5fULL, 0xaaaa, 0xbbbb,
};

static void decode_rev4(struct kunit *test)
{
	u64 reserved[] = { image[0] | PRIVATE, image[1], image[2], image[3] };
	struct vtd_prq_event event;

	vtd_prq_decode(VTD_PRQ_REV4, image, &event);
	KUNIT_EXPECT_EQ(test, 0x0128, event.rid);
	KUNIT_EXPECT_NULL(test, event.bad);
	KUNIT_EXPECT_EQ(test, 0, event.request.flags);
	vtd_check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
			  IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE, true);
	/* This revision has no private data. */
	vtd_prq_decode(VTD_PRQ_REV4, reserved, &event);
	KUNIT_EXPECT_EQ(test, 0, event.request.flags);
}

static void decode_rev3(struct kunit *test)
{
	u64 private_data[] = { image[0] | PRIVATE, image[1] & ~LAST, 0x1234, 0x5678 };
	struct vtd_prq_event event;

	vtd_prq_decode(VTD_PRQ_REV3, image, &event);
	KUNIT_EXPECT_EQ(test, 0, event.request.flags);
	vtd_prq_decode(VTD_PRQ_REV3, private_data, &event);
	KUNIT_EXPECT_EQ(test, IOPF_REQUEST_PRIVATE_DATA, event.request.flags);
	KUNIT_EXPECT_EQ(test, 0x1234, event.request.private_data[0]);
	KUNIT_EXPECT_EQ(test, 0x5678, event.request.private_data[1]);
	vtd_check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
			  IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE, false);
}

/* Bus 01, devfn 28, PASID 12345, index 1ab, private 55aa, streaming, write. */
static const u64 streaming[] = {
	0xd5800000000000ULL << 8 | 0x55aaULL << 32 | 0x01ULL << 24 |
	0x12345ULL << 4 | BIT_ULL(2) | BIT_ULL(0),
	0x00007f1234567000ULL | 0x28 << 4 | BIT_ULL(1),
};

static void decode_rev2(struct kunit *test)
{
	u64 last[] = { streaming[0] | BIT_ULL(3), streaming[1] };
	u64 partial[] = { streaming[0] & ~BIT_ULL(0), streaming[1] };
	struct vtd_prq_event event;

	vtd_prq_decode(VTD_PRQ_REV2, streaming, &event);
	KUNIT_EXPECT_EQ(test, 0x0128, event.rid);
	KUNIT_EXPECT_NULL(test, event.bad);
	KUNIT_EXPECT_EQ(test, IOPF_REQUEST_STREAMING | IOPF_REQUEST_PRIVATE_DATA,
			event.request.flags);
	KUNIT_EXPECT_EQ(test, 0x55aa, event.request.private_data[0]);
	vtd_check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
			  IOMMU_FAULT_PERM_WRITE, false);
	vtd_prq_decode(VTD_PRQ_REV2, last, &event);
	KUNIT_EXPECT_EQ(test, IOPF_REQUEST_PRIVATE_DATA, event.request.flags);
	vtd_check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
			  IOMMU_FAULT_PERM_WRITE, true);
	/* With a flag it would get a response of its own. */
	vtd_prq_decode(VTD_PRQ_REV2, partial, &event);
	KUNIT_EXPECT_EQ(test, 0, event.request.flags);
}

/**
 * struct field - position of a field in a page request descriptor
 * @qw: its quadword
 * @low: its lowest bit
 * @high: its highest bit, below @low if a revision does not have the field
 */
struct field {
	unsigned int qw;
	unsigned int low;
	unsigned int high;
};

#define NO_FIELD	{ 0, 1, 0 }

/*
 * The layouts of 7.4.1.1 of the three revisions, written independently of the driver.
 */
static const struct layout {
	unsigned int qwords;
	struct field pasid_present, pasid, index, last, read, write, execute, privileged;
	struct field bus, devfn, streaming, private_present, address;
} layouts[] = {
	[VTD_PRQ_REV2] = {
		.qwords = 2,
		.streaming = { 0, 0, 0 }, .pasid_present = { 0, 2, 2 },
		.last = { 0, 3, 3 }, .pasid = { 0, 4, 23 }, .bus = { 0, 24, 31 },
		.index = { 0, 55, 63 }, .read = { 1, 0, 0 }, .write = { 1, 1, 1 },
		.execute = { 1, 2, 2 }, .privileged = { 1, 3, 3 },
		.devfn = { 1, 4, 11 }, .private_present = NO_FIELD,
		.address = { 1, 12, 63 },
	},
	[VTD_PRQ_REV3] = {
		.qwords = 4,
		.pasid_present = { 0, 8, 8 }, .private_present = { 0, 9, 9 },
		.devfn = { 0, 16, 23 }, .bus = { 0, 24, 31 }, .pasid = { 0, 32, 51 },
		.execute = { 0, 52, 52 }, .privileged = { 0, 53, 53 },
		.read = { 1, 0, 0 }, .write = { 1, 1, 1 }, .last = { 1, 2, 2 },
		.index = { 1, 3, 11 }, .address = { 1, 12, 63 }, .streaming = NO_FIELD,
	},
	[VTD_PRQ_REV4] = {
		.qwords = 4,
		.pasid_present = { 0, 8, 8 }, .private_present = NO_FIELD,
		.devfn = { 0, 16, 23 }, .bus = { 0, 24, 31 }, .pasid = { 0, 32, 51 },
		.execute = { 0, 52, 52 }, .privileged = { 0, 53, 53 },
		.read = { 1, 0, 0 }, .write = { 1, 1, 1 }, .last = { 1, 2, 2 },
		.index = { 1, 3, 11 }, .address = { 1, 12, 63 }, .streaming = NO_FIELD,
	},
};

static u64 get_field(const u64 *desc, struct field field)
{
	u64 value = 0;
	unsigned int bit;

	for (bit = field.low; bit <= field.high && field.low <= field.high; bit++)
		if (desc[field.qw] & 1ULL << bit)
			value |= 1ULL << (bit - field.low);
	return value;
}

static u32 expected_perm(const struct layout *layout, const u64 *desc)
{
	bool pasid = get_field(desc, layout->pasid_present);
	u32 perm = 0;

	if (get_field(desc, layout->read))
		perm |= IOMMU_FAULT_PERM_READ;
	if (get_field(desc, layout->write))
		perm |= IOMMU_FAULT_PERM_WRITE;
	if (pasid && get_field(desc, layout->read) && get_field(desc, layout->execute))
		perm |= IOMMU_FAULT_PERM_EXEC;
	if (pasid && get_field(desc, layout->privileged))
		perm |= IOMMU_FAULT_PERM_PRIV;
	return perm;
}

/* Return true if @addr is not a sign-extended address of 57 bits. */
static bool is_odd_address(u64 addr)
{
	u64 above = addr / (1ULL << 56);

	return above != 0 && above != 0xff;
}

static bool expected_bad(const struct layout *layout, const u64 *desc)
{
	bool access = get_field(desc, layout->read) || get_field(desc, layout->write);
	u32 perm = expected_perm(layout, desc);

	if (get_field(desc, layout->pasid_present) && get_field(desc, layout->last) &&
	    !access)
		return false;
	if (is_odd_address(desc[1]))
		return true;
	return access && perm & (IOMMU_FAULT_PERM_EXEC | IOMMU_FAULT_PERM_PRIV);
}

static void check_decoded(struct kunit *test, enum vtd_prq_format format,
			  const u64 *desc)
{
	const struct layout *layout = &layouts[format];
	bool pasid = get_field(desc, layout->pasid_present);
	bool last = get_field(desc, layout->last);
	struct iommu_fault_page_request *prm;
	struct vtd_prq_event event;
	u32 flags = 0;

	if (get_field(desc, layout->streaming) && !last)
		flags |= IOPF_REQUEST_STREAMING;
	if (get_field(desc, layout->private_present))
		flags |= IOPF_REQUEST_PRIVATE_DATA;
	if (format == VTD_PRQ_REV2 && (get_field(desc, layout->streaming) || last))
		flags |= IOPF_REQUEST_PRIVATE_DATA;
	vtd_prq_decode(format, desc, &event);
	prm = &event.request.fault.prm;
	KUNIT_ASSERT_EQ(test, get_field(desc, layout->bus) << 8 |
			      get_field(desc, layout->devfn), event.rid);
	KUNIT_ASSERT_EQ(test, pasid, !!(prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID));
	KUNIT_ASSERT_EQ(test, pasid, !!(prm->flags & IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID));
	KUNIT_ASSERT_EQ(test, last, !!(prm->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE));
	KUNIT_ASSERT_EQ(test, pasid ? get_field(desc, layout->pasid) : 0, prm->pasid);
	KUNIT_ASSERT_EQ(test, get_field(desc, layout->index), prm->grpid);
	KUNIT_ASSERT_EQ(test, expected_perm(layout, desc), prm->perm);
	KUNIT_ASSERT_EQ(test, get_field(desc, layout->address) << 12, prm->addr);
	KUNIT_ASSERT_EQ(test, flags, event.request.flags);
	KUNIT_ASSERT_EQ(test, expected_bad(layout, desc), !!event.bad);
	if (!get_field(desc, layout->private_present))
		return;
	KUNIT_ASSERT_EQ(test, desc[2], event.request.private_data[0]);
	KUNIT_ASSERT_EQ(test, desc[3], event.request.private_data[1]);
}

static u64 random_qword(struct rnd_state *seed)
{
	return (u64)prandom_u32_state(seed) << 32 | prandom_u32_state(seed);
}

/*
 * Decode random descriptors, half of them with a canonical address, and each of them
 * again with one bit changed.
 */
static void decode_random_descriptors(struct kunit *test)
{
	enum vtd_prq_format format;
	struct rnd_state seed;
	unsigned int i;
	unsigned int n;

	prandom_seed_state(&seed, 1);
	for (format = VTD_PRQ_REV2; format <= VTD_PRQ_REV4; format++)
		for (i = 0; i < 20000; i++) {
			u64 desc[4];

			for (n = 0; n < ARRAY_SIZE(desc); n++)
				desc[n] = random_qword(&seed);
			if (i % 2)
				desc[1] &= GENMASK_ULL(55, 0);
			check_decoded(test, format, desc);
			n = prandom_u32_state(&seed) % (layouts[format].qwords * 64);
			desc[n / 64] ^= 1ULL << n % 64;
			check_decoded(test, format, desc);
		}
}

/* Without a PASID, the fields that belong to it are ignored. */
static void decode_without_pasid(struct kunit *test)
{
	u64 desc[] = { image[0] & ~HAS_PASID, image[1], 0, 0 };
	struct vtd_prq_event event;

	desc[0] |= EXECUTE | PRIVILEGED;
	vtd_prq_decode(VTD_PRQ_REV4, desc, &event);
	KUNIT_EXPECT_NULL(test, event.bad);
	KUNIT_EXPECT_EQ(test, 0, event.request.fault.prm.pasid);
	KUNIT_EXPECT_EQ(test, IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE,
			event.request.fault.prm.perm);
	KUNIT_EXPECT_EQ(test, IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE,
			event.request.fault.prm.flags);
}

/* Execute Requested needs Read. */
static void decode_execute_without_read(struct kunit *test)
{
	u64 desc[] = { image[0] | EXECUTE, image[1] & ~READ_ACCESS, 0, 0 };
	struct vtd_prq_event event;

	vtd_prq_decode(VTD_PRQ_REV4, desc, &event);
	KUNIT_EXPECT_NULL(test, event.bad);
	KUNIT_EXPECT_EQ(test, IOMMU_FAULT_PERM_WRITE,
			event.request.fault.prm.perm);
	desc[1] |= READ_ACCESS;
	vtd_prq_decode(VTD_PRQ_REV4, desc, &event);
	KUNIT_EXPECT_NOT_NULL(test, event.bad);
}

static struct iopf_response response_to(enum vtd_prq_format format,
					const u64 *desc,
					enum iommu_page_response_code code)
{
	struct iopf_response response = { .msg.code = code };
	struct vtd_prq_event event;

	vtd_prq_decode(format, desc, &event);
	response.fault = event.request.fault;
	response.flags = event.request.flags;
	response.private_data[0] = event.request.private_data[0];
	response.private_data[1] = event.request.private_data[1];
	return response;
}

static void encode_responses(struct kunit *test)
{
	u64 private_data[] = { image[0] | PRIVATE, image[1], 0x1234, 0x5678 };
	struct iopf_response response;
	struct vtd_prq_desc desc;

	response = response_to(VTD_PRQ_REV4, image, IOMMU_PAGE_RESP_SUCCESS);
	vtd_prq_encode(VTD_PRQ_REV4, 0x0128, &response, &desc);
	vtd_check_desc(test, &desc, 0x0001234501280019ULL, 0xd58, 0, 0);
	response.msg.code = IOMMU_PAGE_RESP_INVALID;
	vtd_prq_encode(VTD_PRQ_REV4, 0x0128, &response, &desc);
	vtd_check_desc(test, &desc, 0x0001234501281019ULL, 0xd58, 0, 0);
	/* Upstream's driver sends 2 here, which PRI does not define. */
	response.msg.code = IOMMU_PAGE_RESP_FAILURE;
	vtd_prq_encode(VTD_PRQ_REV4, 0x0128, &response, &desc);
	vtd_check_desc(test, &desc, 0x000123450128f019ULL, 0xd58, 0, 0);

	response = response_to(VTD_PRQ_REV3, private_data,
			       IOMMU_PAGE_RESP_SUCCESS);
	vtd_prq_encode(VTD_PRQ_REV3, 0x0128, &response, &desc);
	vtd_check_desc(test, &desc, 0x0001234501280039ULL, 0xd5c, 0x1234, 0x5678);

	response = response_to(VTD_PRQ_REV2, streaming, IOMMU_PAGE_RESP_INVALID);
	vtd_prq_encode(VTD_PRQ_REV2, 0x0128, &response, &desc);
	vtd_check_desc(test, &desc,
		       0xd5800000000000ULL << 8 | 0x55aaULL << 32 | 0x01123450ULL | 0xa,
		       0x00007f1234567281ULL, 0, 0);
}

/* A response to a request without a PASID has none, and PASID Present is 0. */
static void encode_without_pasid(struct kunit *test)
{
	struct iopf_response response;
	struct vtd_prq_desc desc;

	response = response_to(VTD_PRQ_REV4, image, IOMMU_PAGE_RESP_SUCCESS);
	response.fault.prm.flags &= ~IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	vtd_prq_encode(VTD_PRQ_REV4, 0x0128, &response, &desc);
	vtd_check_desc(test, &desc, 0x01280009, 0xd58, 0, 0);
	vtd_prq_encode(VTD_PRQ_REV2, 0x0128, &response, &desc);
	vtd_check_desc(test, &desc, 0x01280009, 0xd5800000ULL << 32, 0, 0);
}

/* Make @count responses with a PASID, and with the indices from 0 on. */
static struct iopf_response *make_responses(struct kunit *test, unsigned int count)
{
	struct iopf_response *responses;
	unsigned int i;

	responses = kunit_kcalloc(test, count, sizeof(*responses), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, responses);
	for (i = 0; i < count; i++) {
		responses[i].fault.prm.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
		responses[i].fault.prm.pasid = 1;
		responses[i].fault.prm.grpid = i;
	}
	return responses;
}

static void check_sent_in_order(struct kunit *test, struct vtd_model *model,
				unsigned int count)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, count, model->nr_sent);
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_EQ(test, i << 3, model->sent[i].qw[1]);
}

/* No submission is larger than the invalidation queue allows. */
static void many_responses_are_split(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_prq_respond(&model->prq, VTD_RID, make_responses(test, 200), 200);
	KUNIT_EXPECT_EQ(test, IOPF_MAX_RESPONSES, model->most_sent);
	check_sent_in_order(test, model, 200);
}

static void check_sizes(struct kunit *test, struct vtd_model *model,
			const unsigned int *sizes, unsigned int count)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, count, model->nr_submissions);
	for (i = 0; i < count; i++)
		KUNIT_EXPECT_EQ(test, sizes[i], model->sizes[i]);
}

/* Responses that hardware may refuse, those without a PASID, are submitted alone. */
static void submitted_alone_without_pasid(struct kunit *test)
{
	static const unsigned int sizes[] = { 3, 1, 2, 1, 1 };
	struct iopf_response *responses = make_responses(test, 8);
	struct vtd_model *model = vtd_model_new(test, 0);

	responses[3].fault.prm.flags = 0;
	responses[6].fault.prm.flags = 0;
	responses[7].fault.prm.flags = 0;
	vtd_prq_respond(&model->prq, VTD_RID, responses, 8);
	check_sizes(test, model, sizes, ARRAY_SIZE(sizes));
	check_sent_in_order(test, model, 8);
}

/*
 * A refused response is counted and not submitted again, as it would be refused again.
 */
static void hardware_refuses_without_pasid(struct kunit *test)
{
	static const unsigned int sizes[] = { 2, 1, 2, 2 };
	struct iopf_response *responses = make_responses(test, 5);
	struct vtd_model *model = vtd_model_new(test, 0);

	responses[2].fault.prm.flags = 0;
	model->refuse = 1;
	model->refuse_with = -EINVAL;
	vtd_prq_respond(&model->prq, VTD_RID, responses, 5);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&model->prq.nr_unsent));
	check_sent_in_order(test, model, 5);
	/*
	 * This refusal was possible, so other responses are still submitted together.
	 */
	model->nr_sent = 0;
	vtd_prq_respond(&model->prq, VTD_RID, responses, 2);
	check_sizes(test, model, sizes, ARRAY_SIZE(sizes));
}

/*
 * After hardware has refused a response with a PASID, all further ones are submitted
 * alone: one that is refused in the middle of a submission stops the queue. The other
 * responses of the refused submission were sent.
 */
static void hardware_refuses_with_pasid(struct kunit *test)
{
	static const unsigned int sizes[] = { IOPF_MAX_RESPONSES, 1, 1, 1, 1 };
	unsigned int count = IOPF_MAX_RESPONSES + 4;
	struct vtd_model *model = vtd_model_new(test, 0);

	model->refuse_with = -EINVAL;
	vtd_prq_respond(&model->prq, VTD_RID, make_responses(test, count), count);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&model->prq.nr_unsent));
	check_sizes(test, model, sizes, ARRAY_SIZE(sizes));
	check_sent_in_order(test, model, count);
}

/* Check that responses with the indices from 0 on were sent twice. */
static void check_sent_twice(struct kunit *test, struct vtd_model *model,
			     unsigned int count)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 2 * count, model->nr_sent);
	for (i = 0; i < 2 * count; i++)
		KUNIT_EXPECT_EQ(test, i % count << 3, model->sent[i].qw[1]);
}

/*
 * A submission that was aborted because of another device is repeated, as it is not
 * known which responses were sent.
 */
static void check_aborted(struct kunit *test, int error)
{
	static const unsigned int sizes[] = { 5, 5 };
	struct vtd_model *model = vtd_model_new(test, 0);

	model->refuse_with = error;
	vtd_prq_respond(&model->prq, VTD_RID, make_responses(test, 5), 5);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&model->prq.nr_unsent));
	check_sizes(test, model, sizes, ARRAY_SIZE(sizes));
	check_sent_twice(test, model, 5);
}

static void submission_aborted_once(struct kunit *test)
{
	check_aborted(test, -EAGAIN);
	check_aborted(test, -ETIMEDOUT);
}

/* A submission is repeated a few times. Then the next one is made. */
static void submission_aborted_repeatedly(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int count = IOPF_MAX_RESPONSES + 1;

	model->refuse_with = -EAGAIN;
	model->refuse_more = VTD_PRQ_SUBMIT_TRIES - 1;
	vtd_prq_respond(&model->prq, VTD_RID, make_responses(test, count), count);
	KUNIT_EXPECT_EQ(test, IOPF_MAX_RESPONSES, atomic_read(&model->prq.nr_unsent));
	KUNIT_EXPECT_EQ(test, VTD_PRQ_SUBMIT_TRIES + 1, model->nr_submissions);
	KUNIT_EXPECT_EQ(test, 1, model->sizes[VTD_PRQ_SUBMIT_TRIES]);
	KUNIT_EXPECT_FALSE(test, model->prq.alone);
}

static struct kunit_case iopf_prq_desc_cases[] = {
	KUNIT_CASE(decode_rev4),
	KUNIT_CASE(decode_rev3),
	KUNIT_CASE(decode_rev2),
	KUNIT_CASE(decode_random_descriptors),
	KUNIT_CASE(decode_without_pasid),
	KUNIT_CASE(decode_execute_without_read),
	KUNIT_CASE(encode_responses),
	KUNIT_CASE(encode_without_pasid),
	KUNIT_CASE(many_responses_are_split),
	KUNIT_CASE(submitted_alone_without_pasid),
	KUNIT_CASE(hardware_refuses_without_pasid),
	KUNIT_CASE(hardware_refuses_with_pasid),
	KUNIT_CASE(submission_aborted_once),
	KUNIT_CASE(submission_aborted_repeatedly),
	{ }
};

static struct kunit_suite iopf_prq_desc_suite = {
	.name = "iopf_prq_desc",
	.init = fake_init,
	.exit = vtd_suite_exit,
	.test_cases = iopf_prq_desc_cases,
};

kunit_test_suite(iopf_prq_desc_suite);
