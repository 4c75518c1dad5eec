// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: response descriptors
 *
 * The answers of many groups leave in one submission: the invalidation queue is
 * locked, and waited for, once.
 */
#include <linux/bitfield.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "prq.h"

#define RESP_PAGE_GROUP		0x9
#define RESP_PAGE_STREAM	0xa

/* VT-d 2.5, 6.5.2.8: page group response. First quadword ... */
#define REV2_PASID_PRESENT	BIT_ULL(4)
#define REV2_RID		GENMASK_ULL(31, 16)
#define REV2_PASID		GENMASK_ULL(51, 32)
/* ... and second. */
#define REV2_CODE		GENMASK_ULL(3, 0)
#define REV2_PRIVATE		GENMASK_ULL(54, 32)
#define REV2_INDEX		GENMASK_ULL(63, 55)

/* VT-d 2.5, 6.5.2.9: page stream response. First quadword ... */
#define STREAM_PASID		GENMASK_ULL(23, 4)
#define STREAM_BUS		GENMASK_ULL(31, 24)
#define STREAM_PRIVATE		GENMASK_ULL(54, 32)
#define STREAM_INDEX		GENMASK_ULL(63, 55)
/* ... and second. */
#define STREAM_CODE		GENMASK_ULL(3, 0)
#define STREAM_DEVFN		GENMASK_ULL(11, 4)
#define STREAM_ADDRESS		GENMASK_ULL(63, 12)

/* VT-d 3.4 and 4.1, 7.7.1: page group response. First quadword ... */
#define REV3_PASID_PRESENT	BIT_ULL(4)
#define REV3_PRIVATE_PRESENT	BIT_ULL(5)
#define REV3_CODE		GENMASK_ULL(15, 12)
#define REV3_RID		GENMASK_ULL(31, 16)
#define REV3_PASID		GENMASK_ULL(51, 32)
/* ... and second. */
#define REV3_LPIG		BIT_ULL(2)
#define REV3_INDEX		GENMASK_ULL(11, 3)

static bool intel_prq_is_flagged(const struct iopf_response *response, u32 flag)
{
	return response->fault.prm.flags & flag;
}

static void intel_prq_encode_stream(u16 rid, const struct iopf_response *response,
				    struct iopf_prq_desc *desc)
{
	const struct iommu_fault_page_request *prm = &response->fault.prm;

	desc->qw[0] = RESP_PAGE_STREAM |
		      FIELD_PREP(STREAM_PASID, prm->pasid) |
		      FIELD_PREP(STREAM_BUS, rid >> 8) |
		      FIELD_PREP(STREAM_PRIVATE, response->private_data[0]) |
		      FIELD_PREP(STREAM_INDEX, prm->grpid);
	desc->qw[1] = FIELD_PREP(STREAM_CODE,
				 iopf_pri_response_code(response->msg.code)) |
		      FIELD_PREP(STREAM_DEVFN, rid & 0xff) |
		      (prm->addr & STREAM_ADDRESS);
}

static void intel_prq_encode_rev2(u16 rid, const struct iopf_response *response,
				  struct iopf_prq_desc *desc)
{
	const struct iommu_fault_page_request *prm = &response->fault.prm;

	desc->qw[0] = RESP_PAGE_GROUP | FIELD_PREP(REV2_RID, rid) |
		      FIELD_PREP(REV2_PASID, prm->pasid);
	if (intel_prq_is_flagged(response, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID))
		desc->qw[0] |= REV2_PASID_PRESENT;
	desc->qw[1] = FIELD_PREP(REV2_CODE,
				 iopf_pri_response_code(response->msg.code)) |
		      FIELD_PREP(REV2_PRIVATE, response->private_data[0]) |
		      FIELD_PREP(REV2_INDEX, prm->grpid);
}

static void intel_prq_encode_rev3(u16 rid, const struct iopf_response *response,
				  bool lpig, struct iopf_prq_desc *desc)
{
	const struct iommu_fault_page_request *prm = &response->fault.prm;

	desc->qw[0] = RESP_PAGE_GROUP | FIELD_PREP(REV3_RID, rid) |
		      FIELD_PREP(REV3_PASID, prm->pasid) |
		      FIELD_PREP(REV3_CODE,
				 iopf_pri_response_code(response->msg.code));
	if (intel_prq_is_flagged(response, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID))
		desc->qw[0] |= REV3_PASID_PRESENT;
	desc->qw[1] = FIELD_PREP(REV3_INDEX, prm->grpid);
	if (lpig && intel_prq_is_flagged(response, IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE))
		desc->qw[1] |= REV3_LPIG;
	if (response->marks & IOPF_REQUEST_PRIVATE_DATA) {
		desc->qw[0] |= REV3_PRIVATE_PRESENT;
		desc->qw[2] = response->private_data[0];
		desc->qw[3] = response->private_data[1];
	}
}

/* The answer @response to a request of @rid, as it goes into the queue. */
void iopf_prq_encode(enum iopf_prq_format format, u16 rid,
		     const struct iopf_response *response,
		     struct iopf_prq_desc *desc)
{
	memset(desc, 0, sizeof(*desc));
	if (response->marks & IOPF_REQUEST_STREAMING)
		intel_prq_encode_stream(rid, response, desc);
	else if (format == IOPF_PRQ_REV2)
		intel_prq_encode_rev2(rid, response, desc);
	else
		intel_prq_encode_rev3(rid, response, format == IOPF_PRQ_REV3, desc);
}

/*
 * Send answers. qi_submit_sync() waits until @count + 2 of the queue's 256 slots are
 * free, so a submission is kept well below that.
 */
void iopf_prq_respond(struct iopf_prq *prq, u16 rid,
		      const struct iopf_response *responses, unsigned int count)
{
	struct iopf_prq_desc descs[IOPF_MAX_RESPONSES];

	while (count) {
		unsigned int n = min_t(unsigned int, count, ARRAY_SIZE(descs));
		unsigned int i;

		for (i = 0; i < n; i++)
			iopf_prq_encode(prq->format, rid, &responses[i],
					&descs[i]);
		prq->ops->submit(prq, descs, n);
		responses += n;
		count -= n;
	}
}
