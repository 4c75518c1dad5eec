// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: page request descriptors
 *
 * Decodes the three layouts that revisions of the specification have defined, and checks
 * what can be checked without knowing the device. A field that the specification leaves
 * undefined in a request is decoded as 0.
 */
#include <linux/bitfield.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "prq.h"

/* VT-d 2.5, 7.4.1.1. First quadword ... */
#define REV2_SRR		BIT_ULL(0)
#define REV2_PASID_PRESENT	BIT_ULL(2)
#define REV2_LPIG		BIT_ULL(3)
#define REV2_PASID		GENMASK_ULL(23, 4)
#define REV2_BUS		GENMASK_ULL(31, 24)
#define REV2_PRIVATE		GENMASK_ULL(54, 32)
#define REV2_INDEX		GENMASK_ULL(63, 55)
/* ... and second. */
#define REV2_READ		BIT_ULL(0)
#define REV2_WRITE		BIT_ULL(1)
#define REV2_EXECUTE		BIT_ULL(2)
#define REV2_PRIVILEGED		BIT_ULL(3)
#define REV2_DEVFN		GENMASK_ULL(11, 4)

/* VT-d 3.4 and 5.1, 7.4.1.1. First quadword ... */
#define REV3_PASID_PRESENT	BIT_ULL(8)
#define REV3_PRIVATE_PRESENT	BIT_ULL(9)
#define REV3_RID		GENMASK_ULL(31, 16)
#define REV3_PASID		GENMASK_ULL(51, 32)
#define REV3_EXECUTE		BIT_ULL(52)
#define REV3_PRIVILEGED		BIT_ULL(53)
/* ... and second. */
#define REV3_READ		BIT_ULL(0)
#define REV3_WRITE		BIT_ULL(1)
#define REV3_LPIG		BIT_ULL(2)
#define REV3_INDEX		GENMASK_ULL(11, 3)

#define DESC_ADDRESS		GENMASK_ULL(63, 12)

/**
 * struct intel_prq_fields - fields of a descriptor that all revisions have
 * @pasid_present: the request has a PASID
 * @pasid: the PASID; undefined unless @pasid_present
 * @last: last request of its group (LPIG)
 * @index: Page Request Group Index
 * @read: read access requested
 * @write: write access requested
 * @execute: execute access requested; undefined unless @pasid_present and @read
 * @privileged: privileged access requested; undefined unless @pasid_present
 */
struct intel_prq_fields {
	bool pasid_present;
	u32 pasid;
	bool last;
	u32 index;
	bool read;
	bool write;
	bool execute;
	bool privileged;
};

/* Translate @fields to @prm, and leave out those that are undefined (7.4.1.1). */
static void intel_prq_set_fields(struct iommu_fault_page_request *prm,
				 const struct intel_prq_fields *fields)
{
	prm->grpid = fields->index;
	if (fields->last)
		prm->flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	if (fields->read)
		prm->perm |= IOMMU_FAULT_PERM_READ;
	if (fields->write)
		prm->perm |= IOMMU_FAULT_PERM_WRITE;
	if (!fields->pasid_present)
		return;
	prm->flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
		      IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID;
	prm->pasid = fields->pasid;
	if (fields->read && fields->execute)
		prm->perm |= IOMMU_FAULT_PERM_EXEC;
	if (fields->privileged)
		prm->perm |= IOMMU_FAULT_PERM_PRIV;
}

static void intel_prq_decode_rev2(const u64 *qw, struct vtd_prq_event *event)
{
	struct iopf_request *request = &event->request;
	const struct intel_prq_fields fields = {
		.pasid_present = qw[0] & REV2_PASID_PRESENT,
		.pasid = FIELD_GET(REV2_PASID, qw[0]),
		.last = qw[0] & REV2_LPIG,
		.index = FIELD_GET(REV2_INDEX, qw[0]),
		.read = qw[1] & REV2_READ,
		.write = qw[1] & REV2_WRITE,
		.execute = qw[1] & REV2_EXECUTE,
		.privileged = qw[1] & REV2_PRIVILEGED,
	};

	event->rid = FIELD_GET(REV2_BUS, qw[0]) << 8 | FIELD_GET(REV2_DEVFN, qw[1]);
	intel_prq_set_fields(&request->fault.prm, &fields);
	/* The last request of a group gets the response of the group, not of the stream. */
	if (qw[0] & REV2_SRR && !fields.last)
		request->flags |= IOPF_REQUEST_STREAMING;
	/* Revision 2 has private data in all requests. Flag it only if a response is owed. */
	request->private_data[0] = FIELD_GET(REV2_PRIVATE, qw[0]);
	if (qw[0] & REV2_SRR || fields.last)
		request->flags |= IOPF_REQUEST_PRIVATE_DATA;
}

static void intel_prq_decode_rev3(const u64 *qw, bool private_data,
				  struct vtd_prq_event *event)
{
	struct iopf_request *request = &event->request;
	const struct intel_prq_fields fields = {
		.pasid_present = qw[0] & REV3_PASID_PRESENT,
		.pasid = FIELD_GET(REV3_PASID, qw[0]),
		.last = qw[1] & REV3_LPIG,
		.index = FIELD_GET(REV3_INDEX, qw[1]),
		.read = qw[1] & REV3_READ,
		.write = qw[1] & REV3_WRITE,
		.execute = qw[0] & REV3_EXECUTE,
		.privileged = qw[0] & REV3_PRIVILEGED,
	};

	event->rid = FIELD_GET(REV3_RID, qw[0]);
	intel_prq_set_fields(&request->fault.prm, &fields);
	if (private_data && qw[0] & REV3_PRIVATE_PRESENT) {
		request->flags |= IOPF_REQUEST_PRIVATE_DATA;
		request->private_data[0] = qw[2];
		request->private_data[1] = qw[3];
	}
}

/**
 * vtd_prq_is_stop_marker() - Tell whether a request is a PASID Stop Marker
 * @prm: the decoded request
 *
 * A Stop Marker has a PASID, L set, and R and W clear (PCIe 6.0, 10.4.1.2.1). Its other
 * fields have no meaning, and no response is owed.
 *
 * Context: Any.
 * Return: true for a Stop Marker.
 */
bool vtd_prq_is_stop_marker(const struct iommu_fault_page_request *prm)
{
	const u32 flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
			  IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	const u32 access = IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE;

	return (prm->flags & flags) == flags && !(prm->perm & access);
}

static bool intel_prq_is_canonical(u64 addr)
{
	/* 57 bits, as many as a page table of five levels translates. */
	s64 above = (s64)addr >> 56;

	return !above || above == -1;
}

/*
 * Return why no translation of intel-iommu can allow a request, or NULL if one can.
 *
 * intel-iommu does not enable supervisor requests (Supervisor Request Enable, 9.6) and
 * maps nothing for execution by devices. The library refuses requests for no access.
 */
static const char *intel_prq_check_request(const struct iommu_fault_page_request *prm)
{
	u32 access = prm->perm & (IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE);

	if (vtd_prq_is_stop_marker(prm))
		return NULL;
	if (!intel_prq_is_canonical(prm->addr))
		return "address is not canonical";
	if (prm->perm & IOMMU_FAULT_PERM_PRIV && access)
		return "privileged access";
	if (prm->perm & IOMMU_FAULT_PERM_EXEC)
		return "execute access";
	return NULL;
}

/* Decode the descriptor at @desc, whose length depends on @format. */
void vtd_prq_decode(enum vtd_prq_format format, const u64 *desc,
		    struct vtd_prq_event *event)
{
	memset(event, 0, sizeof(*event));
	event->request.fault.type = IOMMU_FAULT_PAGE_REQ;
	if (format == VTD_PRQ_REV2)
		intel_prq_decode_rev2(desc, event);
	else
		intel_prq_decode_rev3(desc, format == VTD_PRQ_REV3, event);
	event->request.fault.prm.addr = desc[1] & DESC_ADDRESS;
	event->bad = intel_prq_check_request(&event->request.fault.prm);
}
