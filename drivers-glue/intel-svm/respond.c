// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: response descriptors
 *
 * Responses to many groups are sent in one submission, so that the invalidation queue is
 * locked and waited for only once.
 *
 * If hardware refuses a descriptor (Invalidation Queue Error, 6.5.2.11), qi_submit_sync()
 * recovers only if it is the first one of its submission: that descriptor is dropped, and
 * the ones behind it are taken. If it is another one, the queue stops. So a response that
 * hardware may refuse gets a submission of its own, and is not submitted again.
 *
 * If hardware aborts the wait descriptor behind a submission, because a device has not
 * acknowledged an invalidation (Invalidation Time-out Error), it is not known which of the
 * responses were sent (6.5.2.11). They are submitted again, a few times: a device ignores a
 * response that it does not wait for (7.9), but waits for ever for one that was lost.
 */
#include <linux/bitfield.h>
#include <linux/printk.h>
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

/* VT-d 5.1, 7.6.1: page group response. First quadword ... */
#define REV3_PASID_PRESENT	BIT_ULL(4)
#define REV3_PRIVATE_PRESENT	BIT_ULL(5)
#define REV3_CODE		GENMASK_ULL(15, 12)
#define REV3_RID		GENMASK_ULL(31, 16)
#define REV3_PASID		GENMASK_ULL(51, 32)
/* ... and second. */
#define REV3_LPIG		BIT_ULL(2)
#define REV3_INDEX		GENMASK_ULL(11, 3)

static bool intel_prq_request_has_flag(const struct iopf_response *response, u32 flag)
{
	return response->fault.prm.flags & flag;
}

/* Return the PASID, or 0 without one: the field is reserved then, and hardware checks it. */
static u32 intel_prq_response_pasid(const struct iopf_response *response)
{
	if (!intel_prq_request_has_flag(response, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID))
		return 0;
	return response->fault.prm.pasid;
}

static void intel_prq_encode_stream(u16 rid, const struct iopf_response *response,
				    struct vtd_prq_desc *desc)
{
	const struct iommu_fault_page_request *prm = &response->fault.prm;

	desc->qw[0] = RESP_PAGE_STREAM |
		      FIELD_PREP(STREAM_PASID, intel_prq_response_pasid(response)) |
		      FIELD_PREP(STREAM_BUS, rid >> 8) |
		      FIELD_PREP(STREAM_PRIVATE, response->private_data[0]) |
		      FIELD_PREP(STREAM_INDEX, prm->grpid);
	desc->qw[1] = FIELD_PREP(STREAM_CODE,
				 iopf_pri_response_code(response->msg.code)) |
		      FIELD_PREP(STREAM_DEVFN, rid & 0xff) |
		      (prm->addr & STREAM_ADDRESS);
}

static void intel_prq_encode_rev2(u16 rid, const struct iopf_response *response,
				  struct vtd_prq_desc *desc)
{
	const struct iommu_fault_page_request *prm = &response->fault.prm;

	desc->qw[0] = RESP_PAGE_GROUP | FIELD_PREP(REV2_RID, rid) |
		      FIELD_PREP(REV2_PASID, intel_prq_response_pasid(response));
	if (intel_prq_request_has_flag(response, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID))
		desc->qw[0] |= REV2_PASID_PRESENT;
	desc->qw[1] = FIELD_PREP(REV2_CODE,
				 iopf_pri_response_code(response->msg.code)) |
		      FIELD_PREP(REV2_PRIVATE, response->private_data[0]) |
		      FIELD_PREP(REV2_INDEX, prm->grpid);
}

static void intel_prq_encode_rev3(u16 rid, const struct iopf_response *response,
				  bool lpig, struct vtd_prq_desc *desc)
{
	const struct iommu_fault_page_request *prm = &response->fault.prm;

	desc->qw[0] = RESP_PAGE_GROUP | FIELD_PREP(REV3_RID, rid) |
		      FIELD_PREP(REV3_PASID, intel_prq_response_pasid(response)) |
		      FIELD_PREP(REV3_CODE,
				 iopf_pri_response_code(response->msg.code));
	if (intel_prq_request_has_flag(response, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID))
		desc->qw[0] |= REV3_PASID_PRESENT;
	desc->qw[1] = FIELD_PREP(REV3_INDEX, prm->grpid);
	if (lpig && intel_prq_request_has_flag(response, IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE))
		desc->qw[1] |= REV3_LPIG;
	if (response->flags & IOPF_REQUEST_PRIVATE_DATA) {
		desc->qw[0] |= REV3_PRIVATE_PRESENT;
		desc->qw[2] = response->private_data[0];
		desc->qw[3] = response->private_data[1];
	}
}

/* Encode the descriptor of @response to requester @rid. */
void vtd_prq_encode(enum vtd_prq_format format, u16 rid,
		    const struct iopf_response *response,
		    struct vtd_prq_desc *desc)
{
	memset(desc, 0, sizeof(*desc));
	if (response->flags & IOPF_REQUEST_STREAMING)
		intel_prq_encode_stream(rid, response, desc);
	else if (format == VTD_PRQ_REV2)
		intel_prq_encode_rev2(rid, response, desc);
	else
		intel_prq_encode_rev3(rid, response, format == VTD_PRQ_REV3, desc);
}

/*
 * Return true if hardware may refuse @response: emulated hardware refuses all responses
 * without a PASID. Once hardware has refused any other one, it may refuse every one.
 */
static bool intel_prq_must_submit_alone(struct vtd_prq *prq,
					const struct iopf_response *response)
{
	return READ_ONCE(prq->alone) ||
	       !intel_prq_request_has_flag(response, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID);
}

/* Return how many of @responses, from the first one on, can go into one submission. */
static unsigned int intel_prq_submission_size(struct vtd_prq *prq,
					      const struct iopf_response *responses,
					     unsigned int count)
{
	unsigned int n = 1;

	if (intel_prq_must_submit_alone(prq, &responses[0]))
		return 1;
	while (n < count && n < IOPF_MAX_RESPONSES &&
	       !intel_prq_must_submit_alone(prq, &responses[n]))
		n++;
	return n;
}

/* Count and log a response that could not be sent: the device gets none. */
static void intel_prq_log_unsent(struct vtd_prq *prq, u16 rid,
				 const struct iopf_response *response, int error)
{
	const struct iommu_fault_page_request *prm = &response->fault.prm;

	atomic_inc(&prq->nr_unsent);
	pr_err_ratelimited("%s: response to %02x:%02x.%u, PASID %u, index %u is not sent, error %d\n",
			   prq->name, rid >> 8, rid >> 3 & 0x1f, rid & 7,
			   prm->pasid, prm->grpid, error);
}

/*
 * Handle a response that hardware has refused. If it has a PASID, that is unexpected:
 * from now on each response gets a submission of its own.
 */
static void intel_prq_handle_refused(struct vtd_prq *prq, u16 rid,
				     const struct iopf_response *response)
{
	if (intel_prq_request_has_flag(response, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID))
		WRITE_ONCE(prq->alone, true);
	intel_prq_log_unsent(prq, rid, response, -EINVAL);
}

/* Submit @count responses, and again if it is not known whether they were sent. */
static void intel_prq_submit_responses(struct vtd_prq *prq, u16 rid,
				       const struct iopf_response *responses,
				       unsigned int count)
{
	struct vtd_prq_desc descs[IOPF_MAX_RESPONSES];
	unsigned int tries = 0;
	unsigned int i;
	int ret;

	for (i = 0; i < count; i++)
		vtd_prq_encode(prq->format, rid, &responses[i], &descs[i]);
	do {
		ret = prq->ops->submit(prq, descs, count);
	} while (ret && ret != -EINVAL && ++tries < VTD_PRQ_SUBMIT_TRIES);
	if (ret == -EINVAL)
		intel_prq_handle_refused(prq, rid, &responses[0]);
	else if (ret)
		for (i = 0; i < count; i++)
			intel_prq_log_unsent(prq, rid, &responses[i], ret);
}

/**
 * vtd_prq_respond() - Send responses to a device
 * @prq: the page request queue
 * @rid: requester ID of the device
 * @responses: the responses
 * @count: number of responses
 *
 * qi_submit_sync() waits until two slots more are free than it gets descriptors, out of
 * the 256 slots of the queue, so submissions are kept well below that.
 *
 * Context: Process context, may sleep. May run on several CPUs at once.
 */
void vtd_prq_respond(struct vtd_prq *prq, u16 rid,
		     const struct iopf_response *responses, unsigned int count)
{
	while (count) {
		unsigned int n = intel_prq_submission_size(prq, responses, count);

		intel_prq_submit_responses(prq, rid, responses, n);
		responses += n;
		count -= n;
	}
}
