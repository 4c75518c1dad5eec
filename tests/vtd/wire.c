// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: descriptors
 *
 * The layouts as tables, written from the specification and not from the driver, and
 * the meaning of requests.
 */
#include <string.h>

#include "fuzz.h"

enum field {
	TYPE,
	PASID_PRESENT,
	PRIVATE_PRESENT,
	STREAMING,
	LAST,
	BUS,
	DEVFN,
	PASID,
	INDEX,
	READ,
	WRITE,
	EXECUTE,
	PRIVILEGED,
	PAGE,
	CODE,
	PRIVATE_LOW,
	PRIVATE_HIGH,
	NR_FIELDS,
};

/**
 * struct place - where a field is
 * @qw: the quadword
 * @low: its lowest bit
 * @width: number of its bits; 0: there is no such field
 */
struct place {
	u8 qw;
	u8 low;
	u8 width;
};

/* Page Request Descriptors: 7.4.1.1, or 7.5.1.1 in VT-d 2.5. */
static const struct place requests[NR_REVISIONS][NR_FIELDS] = {
	[VTD_PRQ_REV2] = {
		[STREAMING]	  = { 0, 0, 1 },
		[PASID_PRESENT]	  = { 0, 2, 1 },
		[LAST]		  = { 0, 3, 1 },
		[PASID]		  = { 0, 4, 20 },
		[BUS]		  = { 0, 24, 8 },
		[PRIVATE_LOW]	  = { 0, 32, 23 },
		[INDEX]		  = { 0, 55, 9 },
		[READ]		  = { 1, 0, 1 },
		[WRITE]		  = { 1, 1, 1 },
		[EXECUTE]	  = { 1, 2, 1 },
		[PRIVILEGED]	  = { 1, 3, 1 },
		[DEVFN]		  = { 1, 4, 8 },
		[PAGE]		  = { 1, 12, 52 },
	},
	[VTD_PRQ_REV3] = {
		[TYPE]		  = { 0, 0, 8 },
		[PASID_PRESENT]	  = { 0, 8, 1 },
		[PRIVATE_PRESENT] = { 0, 9, 1 },
		[DEVFN]		  = { 0, 16, 8 },
		[BUS]		  = { 0, 24, 8 },
		[PASID]		  = { 0, 32, 20 },
		[EXECUTE]	  = { 0, 52, 1 },
		[PRIVILEGED]	  = { 0, 53, 1 },
		[READ]		  = { 1, 0, 1 },
		[WRITE]		  = { 1, 1, 1 },
		[LAST]		  = { 1, 2, 1 },
		[INDEX]		  = { 1, 3, 9 },
		[PAGE]		  = { 1, 12, 52 },
		[PRIVATE_LOW]	  = { 2, 0, 64 },
		[PRIVATE_HIGH]	  = { 3, 0, 64 },
	},
	[VTD_PRQ_REV4] = {
		[TYPE]		  = { 0, 0, 8 },
		[PASID_PRESENT]	  = { 0, 8, 1 },
		[DEVFN]		  = { 0, 16, 8 },
		[BUS]		  = { 0, 24, 8 },
		[PASID]		  = { 0, 32, 20 },
		[EXECUTE]	  = { 0, 52, 1 },
		[PRIVILEGED]	  = { 0, 53, 1 },
		[READ]		  = { 1, 0, 1 },
		[WRITE]		  = { 1, 1, 1 },
		[LAST]		  = { 1, 2, 1 },
		[INDEX]		  = { 1, 3, 9 },
		[PAGE]		  = { 1, 12, 52 },
	},
};

/* Page Group Response Descriptors: 7.7.1, or 6.5.2.8 in VT-d 2.5. */
static const struct place responses[NR_REVISIONS][NR_FIELDS] = {
	[VTD_PRQ_REV2] = {
		[TYPE]		  = { 0, 0, 4 },
		[PASID_PRESENT]	  = { 0, 4, 1 },
		[DEVFN]		  = { 0, 16, 8 },
		[BUS]		  = { 0, 24, 8 },
		[PASID]		  = { 0, 32, 20 },
		[CODE]		  = { 1, 0, 4 },
		[PRIVATE_LOW]	  = { 1, 32, 23 },
		[INDEX]		  = { 1, 55, 9 },
	},
	[VTD_PRQ_REV3] = {
		[TYPE]		  = { 0, 0, 4 },
		[PASID_PRESENT]	  = { 0, 4, 1 },
		[PRIVATE_PRESENT] = { 0, 5, 1 },
		[CODE]		  = { 0, 12, 4 },
		[DEVFN]		  = { 0, 16, 8 },
		[BUS]		  = { 0, 24, 8 },
		[PASID]		  = { 0, 32, 20 },
		[LAST]		  = { 1, 2, 1 },
		[INDEX]		  = { 1, 3, 9 },
		[PRIVATE_LOW]	  = { 2, 0, 64 },
		[PRIVATE_HIGH]	  = { 3, 0, 64 },
	},
	[VTD_PRQ_REV4] = {
		[TYPE]		  = { 0, 0, 4 },
		[PASID_PRESENT]	  = { 0, 4, 1 },
		[CODE]		  = { 0, 12, 4 },
		[DEVFN]		  = { 0, 16, 8 },
		[BUS]		  = { 0, 24, 8 },
		[PASID]		  = { 0, 32, 20 },
		[INDEX]		  = { 1, 3, 9 },
	},
};

/* Page Stream Response Descriptor: VT-d 2.5, 6.5.2.9. */
static const struct place stream_response[NR_FIELDS] = {
	[TYPE]		= { 0, 0, 4 },
	[PASID]		= { 0, 4, 20 },
	[BUS]		= { 0, 24, 8 },
	[PRIVATE_LOW]	= { 0, 32, 23 },
	[INDEX]		= { 0, 55, 9 },
	[CODE]		= { 1, 0, 4 },
	[DEVFN]		= { 1, 4, 8 },
	[PAGE]		= { 1, 12, 52 },
};

static u64 place_mask(const struct place *place)
{
	return place->width == 64 ? ~0ULL : (1ULL << place->width) - 1;
}

static u64 get(const struct place *places, enum field field,
	       const struct vtd_prq_desc *desc)
{
	const struct place *place = &places[field];

	return desc->qw[place->qw] >> place->low & place_mask(place);
}

static void put(const struct place *places, enum field field, u64 value,
		struct vtd_prq_desc *desc)
{
	const struct place *place = &places[field];

	if (!place->width)
		return;
	desc->qw[place->qw] &= ~(place_mask(place) << place->low);
	desc->qw[place->qw] |= (value & place_mask(place)) << place->low;
}

static void read_request(enum vtd_prq_format rev, const struct vtd_prq_desc *desc,
			 struct wire_request *req)
{
	const struct place *places = requests[rev];

	*req = (struct wire_request){
		.bus = get(places, BUS, desc),
		.devfn = get(places, DEVFN, desc),
		.pasid_present = get(places, PASID_PRESENT, desc),
		.pasid = get(places, PASID, desc),
		.index = get(places, INDEX, desc),
		.last = get(places, LAST, desc),
		.read = get(places, READ, desc),
		.write = get(places, WRITE, desc),
		.execute = get(places, EXECUTE, desc),
		.privileged = get(places, PRIVILEGED, desc),
		.streaming = get(places, STREAMING, desc),
		.private_present = get(places, PRIVATE_PRESENT, desc),
		.private_data = {
			get(places, PRIVATE_LOW, desc),
			get(places, PRIVATE_HIGH, desc),
		},
		.page = get(places, PAGE, desc),
	};
}

/*
 * Write a descriptor. Bits that belong to no field are undefined, and come from @noise.
 */
void wire_request_write(enum vtd_prq_format rev, const struct wire_request *req,
			u64 noise, struct vtd_prq_desc *desc)
{
	const struct place *places = requests[rev];

	*desc = (struct vtd_prq_desc){ { noise, noise * 3, noise * 5, noise * 7 } };
	put(places, TYPE, 1, desc);
	put(places, BUS, req->bus, desc);
	put(places, DEVFN, req->devfn, desc);
	put(places, PASID_PRESENT, req->pasid_present, desc);
	put(places, PASID, req->pasid, desc);
	put(places, INDEX, req->index, desc);
	put(places, LAST, req->last, desc);
	put(places, READ, req->read, desc);
	put(places, WRITE, req->write, desc);
	put(places, EXECUTE, req->execute, desc);
	put(places, PRIVILEGED, req->privileged, desc);
	put(places, STREAMING, req->streaming, desc);
	put(places, PRIVATE_PRESENT, req->private_present, desc);
	put(places, PRIVATE_LOW, req->private_data[0], desc);
	put(places, PRIVATE_HIGH, req->private_data[1], desc);
	put(places, PAGE, req->page, desc);
}

/* Return the response code: PCIe 6.0, 10.4.2.1. */
static u64 wire_code(enum iommu_page_response_code code)
{
	static const u8 codes[] = {
		[IOMMU_PAGE_RESP_SUCCESS] = 0x0,
		[IOMMU_PAGE_RESP_INVALID] = 0x1,
		[IOMMU_PAGE_RESP_FAILURE] = 0xf,
	};

	return codes[code];
}

/* Write the response to @req that must be sent: unused bits are 0. */
void wire_response_write(enum vtd_prq_format rev, const struct wire_request *req,
			 enum iommu_page_response_code code,
			 struct vtd_prq_desc *desc)
{
	bool stream = rev == VTD_PRQ_REV2 && wire_owed(rev, req) == OWED_BY_ITSELF;
	const struct place *places = stream ? stream_response : responses[rev];

	*desc = (struct vtd_prq_desc){ };
	put(places, TYPE, stream ? 0xa : 0x9, desc);
	put(places, BUS, req->bus, desc);
	put(places, DEVFN, req->devfn, desc);
	put(places, PASID_PRESENT, req->pasid_present, desc);
	put(places, PASID, req->pasid_present ? req->pasid : 0, desc);
	put(places, INDEX, req->index, desc);
	put(places, LAST, req->last, desc);
	put(places, CODE, wire_code(code), desc);
	put(places, PAGE, req->page, desc);
	put(places, PRIVATE_PRESENT, req->private_present, desc);
	if (rev == VTD_PRQ_REV2 || req->private_present) {
		put(places, PRIVATE_LOW, req->private_data[0], desc);
		put(places, PRIVATE_HIGH, req->private_data[1], desc);
	}
}

/* The other type is that of responses to groups. */
bool wire_is_stream(const struct vtd_prq_desc *response)
{
	return get(stream_response, TYPE, response) == 0xa;
}

bool wire_has_pasid(const struct vtd_prq_desc *response)
{
	return wire_is_stream(response) ||
	       get(responses[hw.rev], PASID_PRESENT, response);
}

/* PCIe 6.0, 10.4.1.2.1: whatever its address and other bits are */
bool wire_is_stop_marker(const struct wire_request *req)
{
	return req->pasid_present && req->last && !req->read && !req->write;
}

/*
 * VT-d 7.6: only the last request has a response, except with private data and streams
 */
enum owed wire_owed(enum vtd_prq_format rev, const struct wire_request *req)
{
	if (wire_is_stop_marker(req))
		return OWED_NOTHING;
	if (req->last)
		return OWED_BY_GROUP;
	if ((rev == VTD_PRQ_REV2 && req->streaming) ||
	    (rev == VTD_PRQ_REV3 && req->private_present))
		return OWED_BY_ITSELF;
	return OWED_NOTHING;
}

/* Execute Requested is valid only with a PASID and Read. */
static bool wire_executes(const struct wire_request *req)
{
	return req->pasid_present && req->execute && req->read;
}

static bool wire_is_privileged(const struct wire_request *req)
{
	return req->pasid_present && req->privileged;
}

/*
 * Return whether no page table of the IOMMU could allow the request; addresses have at
 * most 57 bits.
 */
bool wire_is_refused(const struct wire_request *req)
{
	u64 above = req->page >> 44;

	if (wire_is_stop_marker(req))
		return false;
	if (above != 0 && above != 0xff)
		return true;
	return wire_executes(req) ||
	       (wire_is_privileged(req) && (req->read || req->write));
}

static u32 wire_perm(const struct wire_request *req)
{
	u32 perm = 0;

	if (req->read)
		perm |= IOMMU_FAULT_PERM_READ;
	if (req->write)
		perm |= IOMMU_FAULT_PERM_WRITE;
	if (wire_executes(req))
		perm |= IOMMU_FAULT_PERM_EXEC;
	if (wire_is_privileged(req))
		perm |= IOMMU_FAULT_PERM_PRIV;
	return perm;
}

static u32 wire_flags(const struct wire_request *req)
{
	u32 flags = 0;

	if (req->pasid_present)
		flags |= IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
			 IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID;
	if (req->last)
		flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	return flags;
}

#define expect_equal(what, is, should_be) \
	expect(CHECK_DECODE, (is) == (should_be), \
	       "%s is %#llx instead of %#llx", what, (u64)(is), (u64)(should_be))

static void check_private_data(enum vtd_prq_format rev,
			       const struct wire_request *req,
			       const struct iopf_request *request)
{
	bool flagged = request->flags & IOPF_REQUEST_PRIVATE_DATA;
	bool streaming = request->flags & IOPF_REQUEST_STREAMING;

	/* In revision 2 all requests have it, and it needs no response. */
	if (rev == VTD_PRQ_REV2) {
		expect(CHECK_DECODE, !flagged || wire_owed(rev, req) != OWED_NOTHING,
		       "a request with private data becomes one that is owed a response");
		expect_equal("streaming", streaming, req->streaming && !req->last);
	} else {
		expect_equal("private data present", flagged, req->private_present);
		expect_equal("streaming", streaming, false);
	}
	if (rev == VTD_PRQ_REV2 || req->private_present) {
		expect_equal("private data", request->private_data[0],
			     req->private_data[0]);
		expect_equal("more private data", request->private_data[1],
			     req->private_data[1]);
	}
}

/*
 * Check the driver's result for @req. A Stop Marker has only a requester and a PASID.
 */
void wire_check_event(enum vtd_prq_format rev, const struct wire_request *req,
		      u16 rid, const struct iopf_request *request, bool refused)
{
	const struct iommu_fault_page_request *prm = &request->fault.prm;

	expect_equal("type", request->fault.type, IOMMU_FAULT_PAGE_REQ);
	expect_equal("requester", rid, (u16)(req->bus << 8 | req->devfn));
	expect_equal("flags", prm->flags, wire_flags(req));
	expect_equal("PASID", prm->pasid, req->pasid_present ? req->pasid : 0);
	expect(CHECK_DECODE, refused == wire_is_refused(req),
	       "page %#llx, permissions %x%s is %srefused", req->page, wire_perm(req),
	       wire_is_stop_marker(req) ? ", a Stop Marker," : "",
	       refused ? "" : "not ");
	if (wire_is_stop_marker(req)) {
		expect_equal("Stop Marker's permissions",
			     prm->perm & ~IOMMU_FAULT_PERM_PRIV, 0);
		return;
	}
	expect_equal("permissions", prm->perm, wire_perm(req));
	expect_equal("index", prm->grpid, req->index);
	expect_equal("address", prm->addr, req->page << 12);
	check_private_data(rev, req, request);
}

/* Check a response to @request, for which the device has sent @req. */
static void check_encoding(enum vtd_prq_format rev, const struct wire_request *req,
			   u16 rid, const struct iopf_request *request,
			   enum iommu_page_response_code code)
{
	struct iopf_response response = {
		.fault = request->fault,
		.msg = {
			.pasid = request->fault.prm.pasid,
			.grpid = request->fault.prm.grpid,
			.code = code,
		},
		.flags = request->flags & ~IOPF_REQUEST_REFUSED,
		.private_data = {
			request->private_data[0], request->private_data[1],
		},
	};
	struct vtd_prq_desc is;
	struct vtd_prq_desc should_be;
	int i;

	memset(&is, 0xa5, sizeof(is));
	vtd_prq_encode(rev, rid, &response, &is);
	wire_response_write(rev, req, code, &should_be);
	for (i = 0; i < 4; i++)
		expect(CHECK_ENCODE, is.qw[i] == should_be.qw[i],
		       "revision %d, quadword %d is %#llx instead of %#llx", rev + 2, i,
		       is.qw[i], should_be.qw[i]);
}

static void check_raw(enum vtd_prq_format rev, const struct vtd_prq_desc *desc,
		      enum iommu_page_response_code code)
{
	struct wire_request req;
	struct vtd_prq_event event;
	u64 two[2] = { desc->qw[0], desc->qw[1] };

	memset(&event, 0xa5, sizeof(event));
	vtd_prq_decode(rev, rev == VTD_PRQ_REV2 ? two : desc->qw, &event);
	read_request(rev, desc, &req);
	wire_check_event(rev, &req, event.rid, &event.request, event.bad);
	if (wire_owed(rev, &req) != OWED_NOTHING)
		check_encoding(rev, &req, event.rid, &event.request, code);
}

/* Check arbitrary bits, and the response to them. */
void wire_check_raw(void)
{
	enum iommu_page_response_code code = input_byte() % 3;
	struct vtd_prq_desc desc;
	int i;

	for (i = 0; i < 4; i++)
		desc.qw[i] = input_word();
	for (i = 0; i < NR_REVISIONS; i++)
		check_raw(i, &desc, code);
}
