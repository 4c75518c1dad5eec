// SPDX-License-Identifier: GPL-2.0
/*
 * A reference model of the report API, see model.h
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/string.h>

#include "model.h"

#define PASID_VALID	IOMMU_FAULT_PAGE_REQUEST_PASID_VALID
#define LAST_PAGE	IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE
#define ACCESS		(IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE | \
			 IOMMU_FAULT_PERM_EXEC)
#define SINGLE		(IOPF_REQUEST_PRIVATE_DATA | IOPF_REQUEST_STREAMING)
/* In place of a response code: no response is sent. */
#define NO_RESPONSE	U32_MAX

/* Note that something is wrong. Only the first message is stored. */
void model_wrong(struct model *model, const char *format, ...)
{
	va_list args;

	if (model->wrong[0])
		return;
	va_start(args, format);
	vscnprintf(model->wrong, sizeof(model->wrong), format, args);
	va_end(args);
}

/* Properties of a request */

static bool is_last(const struct iopf_request *request)
{
	return request->fault.prm.flags & LAST_PAGE;
}

static bool is_valid(const struct iopf_request *request)
{
	return request->fault.prm.flags & PASID_VALID;
}

static u32 pasid_of(const struct iopf_request *request)
{
	return is_valid(request) ? request->fault.prm.pasid : 0;
}

/* PCIe 6.0, 10.4.1.2.1: L = 1, W = R = 0, with a PASID. */
static bool is_stop_marker(const struct iopf_request *request)
{
	return is_last(request) && is_valid(request) &&
	       !(request->fault.prm.perm & ACCESS);
}

static bool is_single(const struct iopf_request *request)
{
	return request->flags & SINGLE && !is_last(request);
}

/* Return true if the device waits for a response to this request. */
bool model_is_owed(const struct iopf_request *request)
{
	return request->fault.type == IOMMU_FAULT_PAGE_REQ &&
	       !is_stop_marker(request) &&
	       (is_last(request) || is_single(request));
}

/* Return true if no device may send such a request for a process. */
static bool is_malformed(struct model *model, const struct iopf_request *request)
{
	u32 perm = request->fault.prm.perm;

	return !(perm & ACCESS) ||
	       (perm & IOMMU_FAULT_PERM_EXEC && perm & IOMMU_FAULT_PERM_WRITE) ||
	       request->fault.prm.pasid >= model->max_pasids ||
	       request->fault.prm.addr >= model->task_size;
}

static bool has_index(struct model *model, const struct iopf_request *request)
{
	return model->limits.grpid_bits == 32 ||
	       request->fault.prm.grpid < 1U << model->limits.grpid_bits;
}

static bool is_bound(struct model *model, const struct iopf_request *request)
{
	u32 pasid = pasid_of(request);

	return is_valid(request) && pasid &&
	       (pasid == model->sva_pasid[0] || pasid == model->sva_pasid[1]);
}

/*
 * Groups
 */

/* Return the unfinished or pending group that @request belongs to, or NULL. */
static struct model_group *find_group(struct model *model,
				      const struct iopf_request *request)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (model_is_alive(group) && !group->single &&
		    group->valid == is_valid(request) &&
		    group->pasid == pasid_of(request) &&
		    group->grpid == request->fault.prm.grpid)
			return group;
	return NULL;
}

/* Return an unused group if there are @nr of them, else NULL. */
struct model_group *model_room(struct model *model, unsigned int nr)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (group->state == MODEL_FREE && !--nr)
			return group;
	return NULL;
}

/* Return true if an access of the group of @request is not allowed. */
bool model_is_bad(struct model *model, const struct iopf_request *request)
{
	const struct model_group *group = find_group(model, request);

	return group && group->bad;
}

static struct model_group *begin_group(struct model *model,
				       const struct iopf_request *request)
{
	struct model_group *group = model_room(model, 1);

	*group = (struct model_group){
		.state = MODEL_PARTIAL,
		.valid = is_valid(request),
		.pasid = pasid_of(request),
		.grpid = request->fault.prm.grpid,
		.single = is_single(request),
		.sva = is_bound(model, request),
		.joined = model->nr_joined,
	};
	return group;
}

/* Add a request that the library stores. */
static void add_request(struct model *model, struct model_group *group,
			const struct iopf_request *request)
{
	group->nr++;
	if (!group->sva)
		return;
	switch (model->ops->page(model, &request->fault)) {
	case MODEL_PAGE_BAD:
		group->bad = true;
		break;
	case MODEL_PAGE_SLOW:
		group->slow |= !group->bad;
		break;
	default:
		break;
	}
}

static void owe(struct model *model, const struct iopf_request *request,
		u32 code)
{
	bool has_data = request->flags & IOPF_REQUEST_PRIVATE_DATA;

	if (model->nr_wire == MODEL_WIRE) {
		model_wrong(model, "too many responses for the model");
		return;
	}
	model->wire[model->nr_wire++] = (struct model_wire){
		.pasid = pasid_of(request),
		.grpid = request->fault.prm.grpid,
		.code = code,
		.flags = request->fault.prm.flags,
		.addr = request->fault.prm.addr,
		.private_data[0] = has_data ? request->private_data[0] : 0,
		.private_data[1] = has_data ? request->private_data[1] : 0,
	};
}

/* End a group, with a response or without. */
static void end_group(struct model *model, struct model_group *group, u32 code)
{
	if (code == NO_RESPONSE) {
		model->counts.discarded++;
	} else {
		owe(model, &group->last, code);
		*(code == IOMMU_PAGE_RESP_SUCCESS ? &model->counts.success :
		  code == IOMMU_PAGE_RESP_INVALID ? &model->counts.invalid :
						    &model->counts.failure) += 1;
	}
	group->state = group->taken ? MODEL_ENDED : MODEL_FREE;
}

static void add_late(struct model *model, const struct model_group *group)
{
	if (model->nr_late == MODEL_LATE) {
		model->late_full = true;
		return;
	}
	model->late[model->nr_late++] = (struct model_late){
		.valid = group->valid,
		.pasid = group->pasid,
		.grpid = group->grpid,
	};
}

static struct model_late *find_late(struct model *model, bool valid, u32 pasid,
				    u32 grpid)
{
	unsigned int i;

	for (i = 0; i < model->nr_late; i++)
		if (model->late[i].valid == valid &&
		    model->late[i].pasid == pasid &&
		    model->late[i].grpid == grpid)
			return &model->late[i];
	return NULL;
}

/* End a group before its owner has responded to it. */
static void end_early(struct model *model, struct model_group *group, u32 code)
{
	if (group->state == MODEL_PARTIAL)
		code = NO_RESPONSE;
	if (group->state == MODEL_HANDLER && group->by_pair)
		add_late(model, group);
	if (group->state == MODEL_FAULTING)
		model->slept++;
	end_group(model, group, code);
}

/* Return true if the request has met a limit or a failed allocation. */
static bool is_met(struct model *model, const struct model_seen *seen)
{
	if (seen->limited && !model_near_limit(model, 1))
		model_wrong(model, "a limit was met, far from it");
	model->counts.limited += seen->limited;
	model->counts.nomem += seen->nomem;
	return seen->limited || seen->nomem;
}

/*
 * Owners
 */

static int fault_group(struct model *model, struct model_group *group)
{
	if (model->held && group->slow)
		group->state = MODEL_FAULTING;
	else
		end_group(model, group, group->bad ? IOMMU_PAGE_RESP_INVALID :
						     IOMMU_PAGE_RESP_SUCCESS);
	return 0;
}

static const struct model_call *next_call(struct model *model,
					  const struct iopf_request *request,
					  bool domain)
{
	const struct model_call *call = model->ops->next_call(model);
	const struct iommu_fault_page_request *prm = &request->fault.prm;

	if (!call || !call->group == domain) {
		model_wrong(model, "the %s handler was not called",
			    domain ? "domain's" : "registered");
		return NULL;
	}
	if (call->request.fault.prm.grpid != prm->grpid ||
	    call->request.fault.prm.addr != prm->addr ||
	    call->request.fault.prm.perm != prm->perm ||
	    (is_valid(request) && call->request.fault.prm.pasid != prm->pasid) ||
	    (!domain && call->request.flags != request->flags))
		model_wrong(model, "a handler was called with another request");
	return call;
}

static void check_whole(struct model *model, const struct model_call *call,
			unsigned int nr)
{
	if (call && call->nr != nr)
		model_wrong(model, "a handler sees %u requests instead of %u",
			    call->nr, nr);
}

static int deliver_group(struct model *model, struct model_group *group)
{
	const struct model_call *call;

	if (!group->valid || group->pasid != model->domain_pasid) {
		model->counts.unhandled++;
		end_group(model, group, IOMMU_PAGE_RESP_INVALID);
		return -EINVAL;
	}
	call = next_call(model, &group->last, true);
	if (!call)
		return 0;
	check_whole(model, call, group->nr);
	group->state = MODEL_DOMAIN;
	switch (model->domain_mood) {
	case MODEL_KEEP:
	case MODEL_KEEP_COOKIE:
	case MODEL_QUEUE:
		group->taken = call->group;
		return 0;
	case MODEL_CONTINUE:
		return 0;
	case MODEL_RESPOND_TWICE:
		model->counts.late++;
		fallthrough;
	case MODEL_RESPOND:
		end_group(model, group, model->domain_code);
		return 0;
	case MODEL_RESPOND_CONTINUE:
	case MODEL_RESPOND_FAIL:
		end_group(model, group, model->domain_code);
		model->counts.late++;
		return MODEL_DOMAIN_ERROR;
	default:
		end_group(model, group, IOMMU_PAGE_RESP_INVALID);
		return MODEL_DOMAIN_ERROR;
	}
}

/* Give a complete group to the mm or to the domain's handler. */
static int route_group(struct model *model, struct model_group *group)
{
	if (group->rejected) {
		end_group(model, group, IOMMU_PAGE_RESP_INVALID);
		return -EINVAL;
	}
	return group->sva ? fault_group(model, group) :
			    deliver_group(model, group);
}

static int continue_group(struct model *model, struct model_group *group)
{
	if (group->state != MODEL_HANDLER)
		return -EINVAL;
	group->by_pair = false;
	if (group->sva && is_malformed(model, &group->last)) {
		model->counts.malformed++;
		group->rejected = true;
	}
	return route_group(model, group);
}

/* Return the oldest group that a response matches, or NULL. */
static struct model_group *match(struct model *model,
				 const struct iommu_page_response *msg,
				 u64 cookie, bool valid)
{
	struct model_group *found = NULL;
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (group->state == MODEL_HANDLER && group->valid == valid &&
		    group->pasid == msg->pasid && group->grpid == msg->grpid &&
		    (cookie ? group->cookie == cookie : group->by_pair) &&
		    (!found || group->order < found->order))
			found = group;
	return found;
}

/* PASID 0 in a response may be no PASID, which is tried first. */
static struct model_group *match_either(struct model *model,
					const struct iommu_page_response *msg,
					u64 cookie)
{
	struct model_group *group = NULL;

	if (!msg->pasid)
		group = match(model, msg, cookie, false);
	return group ?: match(model, msg, cookie, true);
}

static void expect_late(struct model *model,
			const struct iommu_page_response *msg)
{
	struct model_late *late = NULL;

	if (!msg->pasid)
		late = find_late(model, false, msg->pasid, msg->grpid);
	if (!late)
		late = find_late(model, true, msg->pasid, msg->grpid);
	if (!late)
		return;
	*late = model->late[--model->nr_late];
	model->counts.late++;
}

/*
 * Respond by the registered handler, by PASID and index if @cookie is 0. All cookies
 * except U64_MAX were given out.
 */
int model_respond(struct model *model, const struct iommu_page_response *msg,
		  u64 cookie)
{
	struct model_group *group;

	if (msg->code > IOMMU_PAGE_RESP_FAILURE)
		return -EINVAL;
	if (!model->on_queue)
		return -ENODEV;
	group = match_either(model, msg, cookie);
	if (group) {
		end_group(model, group, msg->code);
		return 0;
	}
	if (!cookie)
		expect_late(model, msg);
	else if (cookie != U64_MAX)
		model->counts.late++;
	return -EINVAL;
}

bool model_is_pending(struct model *model,
		      const struct iommu_page_response *msg, u64 cookie)
{
	return model->on_queue && match_either(model, msg, cookie);
}

/* Call the registered handler with a complete group. */
static int ask_handler(struct model *model, struct model_group *group)
{
	struct iommu_page_response msg = {
		.pasid = group->pasid,
		.grpid = group->grpid,
		.code = model->mood_code,
	};
	const struct model_call *call = next_call(model, &group->last, false);

	if (!call)
		return 0;
	check_whole(model, call, group->nr);
	group->state = MODEL_HANDLER;
	group->by_pair = true;
	switch (model->mood) {
	case MODEL_KEEP:
		return 0;
	case MODEL_KEEP_COOKIE:
		group->by_pair = false;
		group->cookie = call->cookie;
		return 0;
	case MODEL_CONTINUE:
		return continue_group(model, group);
	case MODEL_RESPOND_TWICE:
		model_respond(model, &msg, 0);
		fallthrough;
	case MODEL_RESPOND:
		model_respond(model, &msg, 0);
		return 0;
	case MODEL_RESPOND_CONTINUE:
		model_respond(model, &msg, 0);
		return continue_group(model, group);
	case MODEL_QUEUE:
		continue_group(model, group);
		return 0;
	case MODEL_RESPOND_FAIL:
		model_respond(model, &msg, 0);
		break;
	default:
		break;
	}
	/* The response may have been for an older group. */
	if (group->state == MODEL_HANDLER)
		end_group(model, group, IOMMU_PAGE_RESP_INVALID);
	else
		model->counts.late++;
	return model->mood == MODEL_ODD ? -EINVAL : MODEL_HANDLER_ERROR;
}

/*
 * Requests
 */

static int refuse(struct model *model, const struct iopf_request *request,
		  int ret)
{
	if (model_is_owed(request))
		owe(model, request, IOMMU_PAGE_RESP_INVALID);
	return ret;
}

static void stop_pasid(struct model *model, bool valid, u32 pasid)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (group->state == MODEL_PARTIAL && group->valid == valid &&
		    group->pasid == pasid)
			end_early(model, group, NO_RESPONSE);
}

/* Add a request that is not the last one to its group. */
static int join_group(struct model *model, struct model_group *group,
		      const struct iopf_request *request,
		      const struct model_seen *seen)
{
	if (group->rejected)
		return 0;
	if (is_met(model, seen))
		group->rejected = true;
	else
		add_request(model, group, request);
	return 0;
}

static int complete_group(struct model *model, struct model_group *group,
			  const struct iopf_request *request, bool ask,
			  const struct model_seen *seen)
{
	group->last = *request;
	group->order = ++model->nr_orders;
	model->counts.completed++;
	if (is_met(model, seen))
		group->rejected = true;
	add_request(model, group, request);
	return ask && !group->rejected ? ask_handler(model, group) :
					 route_group(model, group);
}

/* Take a request in that the registered handler lets continue. */
static int take_request(struct model *model, const struct iopf_request *request,
			bool ask, const struct model_seen *seen)
{
	bool whole = is_last(request) || is_single(request);
	struct model_group *group = NULL;

	if (is_stop_marker(request)) {
		stop_pasid(model, true, pasid_of(request));
		return 0;
	}
	if (!has_index(model, request)) {
		model->counts.malformed++;
		return refuse(model, request, -EINVAL);
	}
	model->counts.requests++;
	if (!is_single(request))
		group = find_group(model, request);
	if (!group) {
		/* Only a group that cannot begin returns this error. */
		if ((seen->limited || seen->nomem) && seen->ret == -ENOMEM) {
			is_met(model, seen);
			return refuse(model, request, -ENOMEM);
		}
		group = begin_group(model, request);
	} else if (group->state != MODEL_PARTIAL) {
		model->counts.malformed++;
		return -EEXIST;
	}

	if (request->flags & IOPF_REQUEST_REFUSED ||
	    (group->sva && !(whole && ask) && is_malformed(model, request))) {
		model->counts.malformed++;
		group->rejected = true;
	}
	return whole ? complete_group(model, group, request, ask, seen) :
		       join_group(model, group, request, seen);
}

/*
 * Return what the handler does with a request that is owed no response. It gives none to
 * iommu_queue_iopf() if several groups match: it is not defined which one continues.
 */
enum model_mood model_mood_partial(struct model *model,
				   const struct iommu_fault *fault)
{
	unsigned int nr;

	if (model->mood_partial != MODEL_QUEUE)
		return model->mood_partial;
	model_find_queued(model, fault, &nr);
	return nr > 1 ? MODEL_CONTINUE : MODEL_QUEUE;
}

/* Call the registered handler with a request that is owed no response. */
static int ask_about_partial(struct model *model,
			     const struct iopf_request *request,
			     const struct model_seen *seen)
{
	const struct model_call *call = next_call(model, request, false);
	struct model_seen inner = *seen;

	check_whole(model, call, 0);
	switch (model_mood_partial(model, &request->fault)) {
	case MODEL_CONTINUE:
		return take_request(model, request, false, seen);
	case MODEL_QUEUE:
		inner.ret = call ? call->ret : 0;
		model_queue(model, request, &inner);
		return 0;
	case MODEL_FAIL:
		return MODEL_HANDLER_ERROR;
	case MODEL_ODD:
		return -EINVAL;
	default:
		return 0;
	}
}

static bool is_set_apart(struct model *model, const struct iopf_request *request)
{
	return model->late_full ||
	       find_late(model, is_valid(request), pasid_of(request),
			 request->fault.prm.grpid);
}

/*
 * Discard the requests of a group that is refused, so that they do not join the next
 * group with its index.
 */
static void forget_group(struct model *model, const struct iopf_request *request)
{
	struct model_group *group = NULL;

	if (!is_single(request))
		group = find_group(model, request);
	if (group && group->state == MODEL_PARTIAL)
		end_early(model, group, NO_RESPONSE);
}

int model_report(struct model *model, const struct iopf_request *request,
		 const struct model_seen *seen)
{
	bool shown;

	if (request->fault.type != IOMMU_FAULT_PAGE_REQ)
		return -EINVAL;
	if (!model->on_queue)
		return refuse(model, request, -ENODEV);
	shown = model->has_handler && !is_stop_marker(request) &&
		!(request->flags & IOPF_REQUEST_REFUSED) &&
		has_index(model, request);
	if (shown && !model_is_owed(request))
		return ask_about_partial(model, request, seen);
	if (shown && is_set_apart(model, request)) {
		model->counts.quarantined++;
		forget_group(model, request);
		return refuse(model, request, -EBUSY);
	}
	return take_request(model, request, shown, seen);
}

/*
 * Report @nr plain requests of one group together, possibly more than the limits allow.
 * @kept is the number of partial requests that the library has afterwards.
 */
int model_flood(struct model *model, const struct iopf_request *request,
		unsigned int nr, const struct model_seen *seen,
		unsigned int kept)
{
	struct model_seen none = {};
	struct model_group *group;
	unsigned int others;

	model_count(model);
	others = model->counts.partial;
	group = find_group(model, request);
	if (seen->limited + seen->nomem == 0) {
		int ret = 0;

		while (nr--)
			ret = model_report(model, request, &none) ?: ret;
		return ret;
	}
	model->counts.limited += seen->limited;
	model->counts.nomem += seen->nomem;
	model->counts.requests += nr;
	if (seen->limited && !model_near_limit(model, nr))
		model_wrong(model, "a limit was met by %u requests", nr);
	if (seen->ret)
		return -ENOMEM;
	if (!group)
		group = begin_group(model, request);
	while (others < kept && nr--) {
		add_request(model, group, request);
		others++;
	}
	group->rejected = true;
	return 0;
}

/* Return the group that iommu_queue_iopf() continues, and their number in *@nr. */
struct model_group *model_find_queued(struct model *model,
				      const struct iommu_fault *fault,
				      unsigned int *nr)
{
	const struct iopf_request request = { .fault = *fault };
	struct model_group *found = NULL;
	struct model_group *group;

	*nr = 0;
	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (group->state == MODEL_HANDLER &&
		    group->single == !is_last(&request) &&
		    group->valid == is_valid(&request) &&
		    group->pasid == pasid_of(&request) &&
		    group->grpid == fault->prm.grpid &&
		    group->last.fault.prm.addr == fault->prm.addr) {
			found = group;
			++*nr;
		}
	return found;
}

/* Let a handler give a fault to iommu_queue_iopf() later. */
int model_queue(struct model *model, const struct iopf_request *request,
		const struct model_seen *seen)
{
	struct iopf_request plain = { .fault = request->fault };
	struct model_group *group;
	unsigned int nr;

	if (!model->on_queue)
		return -ENODEV;
	group = model_find_queued(model, &request->fault, &nr);
	if (group)
		return continue_group(model, group);
	return is_last(request) ? -EINVAL :
				  take_request(model, &plain, false, seen);
}

/* Ends of groups */

void model_group_response(struct model *model, struct model_group *group,
			  u32 code)
{
	if (group->state == MODEL_DOMAIN)
		end_group(model, group, code);
	else if (group->joined == model->nr_joined)
		model->counts.late++;
}

void model_free_group(struct model *model, struct model_group *group)
{
	group->taken = NULL;
	if (group->state == MODEL_ENDED)
		group->state = MODEL_FREE;
}

/* Flush a PASID. 0 stands for requests without one. */
void model_flush_pasid(struct model *model, u32 pasid)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (model_is_alive(group) && group->valid == !!pasid &&
		    group->pasid == pasid)
			end_early(model, group, IOMMU_PAGE_RESP_INVALID);
}

static void flush_faulting(struct model *model, bool all, u32 pasid)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (group->state == MODEL_FAULTING &&
		    (all || (group->valid && group->pasid == pasid)))
			end_early(model, group, IOMMU_PAGE_RESP_SUCCESS);
}

/* Flush the device while @pasid is being unbound, which the library has noticed. */
void model_flush_unbound(struct model *model, u32 pasid)
{
	flush_faulting(model, false, pasid);
}

void model_flush_dev(struct model *model)
{
	flush_faulting(model, true, 0);
}

void model_discard_partial(struct model *model)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (group->state == MODEL_PARTIAL)
			end_early(model, group, NO_RESPONSE);
}

static void end_all(struct model *model, u32 code)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (model_is_alive(group))
			end_early(model, group, code);
}

/* Reset the device. */
void model_reset(struct model *model)
{
	end_all(model, NO_RESPONSE);
}

/* Let all groups reach their timeout, if they have one. */
void model_expire(struct model *model, bool time, bool domain_time)
{
	struct model_group *group;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++) {
		bool domain = group->state == MODEL_DOMAIN;
		u32 code = IOMMU_PAGE_RESP_INVALID;

		if (!model_is_alive(group) || !(domain ? domain_time : time))
			continue;
		if (group->state == MODEL_FAULTING) {
			model->counts.retried++;
			code = IOMMU_PAGE_RESP_SUCCESS;
		}
		model->counts.overdue += group->state != MODEL_PARTIAL;
		end_early(model, group, code);
	}
}

/* Let faults for held pages complete. These pages are not held again. */
void model_release(struct model *model)
{
	struct model_group *group;

	model->held = false;
	for (group = model->group; group < model->group + MODEL_GROUPS; group++) {
		group->slow = false;
		if (group->state == MODEL_FAULTING)
			fault_group(model, group);
	}
}

void model_leave_queue(struct model *model)
{
	end_all(model, IOMMU_PAGE_RESP_INVALID);
	model->on_queue = false;
	model->on_default_queue = false;
}

/* Add the device to a queue, with new counters and limits. */
void model_join_queue(struct model *model, bool default_queue)
{
	model->on_queue = true;
	model->on_default_queue = default_queue;
	model->nr_joined++;
	model_default_limits(&model->limits);
	model->before = (struct iopf_limits){};
	memset(&model->counts, 0, sizeof(model->counts));
	model->slept = 0;
}

static bool is_first_of_pasid(struct model *model, struct model_group *group)
{
	struct model_group *other;

	for (other = model->group; other < group; other++)
		if (model_is_alive(other) && other->valid == group->valid &&
		    other->pasid == group->pasid)
			return false;
	return true;
}

/* Update the counters of existing groups. */
void model_count(struct model *model)
{
	struct model_counts *counts = &model->counts;
	struct model_group *group;

	counts->partial = 0;
	counts->unfinished = 0;
	counts->pending = 0;
	counts->handled = 0;
	counts->faulting = 0;
	counts->groups = 0;
	counts->pasids = 0;
	for (group = model->group; group < model->group + MODEL_GROUPS; group++) {
		if (!model_is_alive(group))
			continue;
		counts->groups++;
		counts->pasids += is_first_of_pasid(model, group);
		counts->pending += group->state != MODEL_PARTIAL;
		counts->handled += group->state == MODEL_HANDLER;
		counts->faulting += group->state == MODEL_FAULTING;
		if (group->state == MODEL_PARTIAL) {
			counts->partial += group->nr;
			counts->unfinished++;
		}
	}
}
