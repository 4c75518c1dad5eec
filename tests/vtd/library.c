// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: groups, in place of the library
 *
 * Stores what was reported as the library does: groups by requester, PASID and index,
 * and single requests, with private data or of a stream. A request for an index whose
 * group is complete is dropped, and a Stop Marker ends the unfinished groups of its
 * PASID. The input decides when complete groups get a response. Private data is
 * returned if the library has stored it as valid.
 */
#include <string.h>

#include "fuzz.h"

#define MAX_SINGLES	64
#define MAX_BATCH	40

enum group_state {
	GROUP_NONE,
	GROUP_UNFINISHED,
	GROUP_COMPLETE,
};

/**
 * struct group - a page request group, or a single request
 * @state: unused, unfinished or complete
 * @pasid: number of its PASID
 * @refused: one of its requests was refused
 * @generation: the use of its index
 * @last: its last request
 * @owed: number of the response that it must have
 */
struct group {
	enum group_state state;
	unsigned int pasid;
	bool refused;
	unsigned int generation;
	struct iopf_request last;
	int owed;
};

static struct group groups[NR_RIDS][NR_PASIDS][NR_INDICES];
static struct group singles[NR_RIDS][MAX_SINGLES];
static bool known[NR_RIDS];

/* Responses for the responder to send */
static unsigned int batch_rid;
static struct iopf_response batch[MAX_BATCH];
static unsigned int batch_count;

/* Threads in vtd_prq_respond(), for each requester */
static unsigned int nr_sending[NR_RIDS];

/* Drop all groups without a response. */
void library_forget(void)
{
	memset(groups, 0, sizeof(groups));
	memset(singles, 0, sizeof(singles));
}

void library_power_on(void)
{
	unsigned int i;

	library_forget();
	memset(nr_sending, 0, sizeof(nr_sending));
	for (i = 0; i < NR_RIDS; i++)
		known[i] = i < NR_KNOWN;
}

bool library_knows(unsigned int rid)
{
	return known[rid];
}

/*
 * Claim a group: its response leaves the library, and its index is free for another
 * one.
 */
static struct iopf_response claim(struct group *group,
				  enum iommu_page_response_code code)
{
	const struct iommu_fault_page_request *prm = &group->last.fault.prm;
	struct iopf_response response = {
		.fault = group->last.fault,
		.msg = { .pasid = prm->pasid, .grpid = prm->grpid, .code = code },
		.flags = group->last.flags & (IOPF_REQUEST_PRIVATE_DATA |
					      IOPF_REQUEST_STREAMING),
	};

	if (response.flags & IOPF_REQUEST_PRIVATE_DATA)
		memcpy(response.private_data, group->last.private_data,
		       sizeof(response.private_data));
	group->state = GROUP_NONE;
	ledger_release(group->owed, code);
	return response;
}

static void send_responses(unsigned int rid, const struct iopf_response *responses,
			   unsigned int count)
{
	nr_sending[rid]++;
	vtd_prq_respond(&prq, rids[rid], responses, count);
	nr_sending[rid]--;
}

bool library_is_sending(unsigned int rid)
{
	return nr_sending[rid];
}

static void respond_now(unsigned int rid, struct group *group,
			enum iommu_page_response_code code)
{
	struct iopf_response response = claim(group, code);

	send_responses(rid, &response, 1);
}

/* Complete a group. The device's limits end some groups at once. */
static void complete_group(const struct post *post, struct group *group,
			   const struct iopf_request *request)
{
	group->state = GROUP_COMPLETE;
	group->pasid = post->pasid;
	group->last = *request;
	group->owed = post->owed;
	if (group->refused || input_byte() >= 0xf0)
		respond_now(post->rid, group, IOMMU_PAGE_RESP_INVALID);
}

static void take_single(const struct post *post, const struct iopf_request *request)
{
	unsigned int i;

	for (i = 0; i < MAX_SINGLES - 1; i++)
		if (singles[post->rid][i].state == GROUP_NONE)
			break;
	/* The last entry stays free: it is beyond the limit. */
	singles[post->rid][i].refused = request->flags & IOPF_REQUEST_REFUSED ||
					i == MAX_SINGLES - 1;
	complete_group(post, &singles[post->rid][i], request);
}

static void forget_partial(unsigned int rid, unsigned int pasid)
{
	unsigned int i;

	for (i = 0; i < NR_INDICES; i++)
		if (groups[rid][pasid][i].state == GROUP_UNFINISHED)
			groups[rid][pasid][i].state = GROUP_NONE;
}

static void take_in_group(const struct post *post, const struct iopf_request *request)
{
	struct group *group = &groups[post->rid][post->pasid][post->index];

	if (group->state == GROUP_COMPLETE) {
		if (post->owed >= 0)
			ledger_drop(post->owed);
		return;
	}
	if (group->state == GROUP_NONE) {
		group->state = GROUP_UNFINISHED;
		group->refused = false;
		group->generation = post->generation;
	}
	expect(CHECK_GROUP,
	       group->generation == post->generation || !device_keeps_rules(),
	       "requester %04x, PASID %u, index %u: use %u of the index joins use %u",
	       rids[post->rid], post->pasid, post->index, post->generation,
	       group->generation);
	if (request->flags & IOPF_REQUEST_REFUSED)
		group->refused = true;
	if (post->req.last)
		complete_group(post, group, request);
}

/* Take a reported request. Without a device the driver itself responds. */
void library_take(const struct post *post, const struct iopf_request *request)
{
	if (!known[post->rid]) {
		if (post->owed >= 0)
			ledger_release(post->owed, IOMMU_PAGE_RESP_INVALID);
	} else if (wire_is_stop_marker(&post->req)) {
		forget_partial(post->rid, post->pasid);
	} else if (wire_owed(hw.rev, &post->req) == OWED_BY_ITSELF) {
		take_single(post, request);
	} else {
		take_in_group(post, request);
	}
}

static struct group *nth_group(unsigned int rid, unsigned int n)
{
	if (n < MAX_SINGLES)
		return &singles[rid][n];
	return &groups[rid][0][0] + n - MAX_SINGLES;
}

#define NR_GROUPS	(MAX_SINGLES + NR_PASIDS * NR_INDICES)

/* Collect complete groups of a device, beginning with one that the input selects. */
static void fill_batch(unsigned int rid, unsigned int count)
{
	unsigned int first = input_byte();
	unsigned int i;

	batch_rid = rid;
	batch_count = 0;
	if (count > MAX_BATCH)
		count = MAX_BATCH;
	for (i = 0; i < NR_GROUPS && batch_count < count; i++) {
		struct group *group = nth_group(rid, (first + i) % NR_GROUPS);

		if (group->state == GROUP_COMPLETE)
			batch[batch_count++] = claim(group, input_byte() % 3);
	}
}

static void responder(void)
{
	send_responses(batch_rid, batch, batch_count);
}

/* Start a thread that sends responses to a device, unless there is one. */
void library_respond(unsigned int count)
{
	unsigned int rid = input_byte() % NR_KNOWN;

	if (sched_is_live(FIBER_RESPOND) || kernel_has_to_forget())
		return;
	fill_batch(rid, count);
	if (batch_count)
		sched_start(FIBER_RESPOND, responder);
}

static bool may_respond(unsigned int rid)
{
	return !kernel_has_to_forget();
}

/*
 * Return whether all responses to a requester are sent. A batch that was collected is
 * sent by a thread that may not have begun.
 */
static bool responses_are_out(unsigned int rid)
{
	return !nr_sending[rid] &&
	       !(sched_is_live(FIBER_RESPOND) && batch_rid == rid);
}

/* End the requests of a PASID. Their responses are sent on return. */
void library_flush(unsigned int rid, unsigned int pasid)
{
	unsigned int i;

	for (i = 0; i < NR_GROUPS; i++) {
		struct group *group = nth_group(rid, i);

		sched_yield_until(may_respond, rid);
		forget_partial(rid, pasid);
		if (group->state == GROUP_COMPLETE && group->pasid == pasid)
			respond_now(rid, group, IOMMU_PAGE_RESP_INVALID);
	}
	sched_yield_until(responses_are_out, rid);
}

int iopf_queue_flush_pasid(struct device *dev, u32 pasid)
{
	library_flush(dev->rid, kernel_pasid_number(pasid));
	return 0;
}

/* Add or remove a device while the driver does not need it. */
void library_come_and_go(unsigned int rid)
{
	unsigned int i;

	if (kernel_devices_are_locked() || sched_is_live(FIBER_RESPOND) ||
	    kernel_has_to_forget())
		return;
	for (i = 0; i < NR_PASIDS; i++)
		library_flush(rid, i);
	known[rid] = !known[rid];
}

void library_flush_all(void)
{
	unsigned int rid;
	unsigned int i;

	for (rid = 0; rid < NR_KNOWN; rid++)
		for (i = 0; i < NR_PASIDS; i++)
			library_flush(rid, i);
}

bool library_has_partial(void)
{
	unsigned int rid;
	unsigned int i;

	for (rid = 0; rid < NR_RIDS; rid++)
		for (i = 0; i < NR_GROUPS; i++)
			if (nth_group(rid, i)->state == GROUP_UNFINISHED)
				return true;
	return false;
}

int iopf_queue_discard_partial(struct iopf_queue *queue)
{
	unsigned int rid;
	unsigned int i;

	sched_check_may_sleep(__func__);
	stub_point();
	expect(CHECK_CONTEXT, queue == prq.queue, "partial groups of another queue");
	for (rid = 0; rid < NR_RIDS; rid++)
		for (i = 0; i < NR_PASIDS; i++)
			forget_partial(rid, i);
	stub_point();
	return 0;
}
