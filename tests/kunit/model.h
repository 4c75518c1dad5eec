/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A reference model of the report API
 *
 * Plain arrays and simple rules, written from what <linux/iommu.h>, <linux/iopf.h> and
 * the specifications promise. The model shares no code and no structure with the
 * library. It is told which operation was done, and says what the result has to be: the
 * return value, the responses to the device, the counters.
 *
 * The model decides everything except what depends on memory. Whether a request has met
 * a limit or a failed allocation is read from the library's counters, and the model
 * says whether that was allowed.
 */
#ifndef __IOPF_TESTS_MODEL_H
#define __IOPF_TESTS_MODEL_H

#include <linux/iommu.h>
#include <linux/iopf.h>

#define MODEL_GROUPS		256
#define MODEL_WIRE		256
#define MODEL_LATE		256
#define MODEL_PASIDS		16

/**
 * enum model_state - state of a group
 * @MODEL_FREE: unused
 * @MODEL_PARTIAL: its last request has not come
 * @MODEL_FAULTING: its fault sleeps in the mm; groups whose pages are present get their
 *	response at once
 * @MODEL_DOMAIN: the domain's handler owns it
 * @MODEL_HANDLER: the registered handler owns it
 * @MODEL_ENDED: it has a response or was discarded, and the domain's handler has not
 *	freed it
 */
enum model_state {
	MODEL_FREE,
	MODEL_PARTIAL,
	MODEL_FAULTING,
	MODEL_DOMAIN,
	MODEL_HANDLER,
	MODEL_ENDED,
};

/**
 * enum model_page - what the mm does on an access
 * @MODEL_PAGE_GOOD: the page is present or faulted in at once
 * @MODEL_PAGE_BAD: the access is not allowed
 * @MODEL_PAGE_SLOW: the fault sleeps while pages are held
 */
enum model_page {
	MODEL_PAGE_GOOD,
	MODEL_PAGE_BAD,
	MODEL_PAGE_SLOW,
};

/* What the registered handler and the domain's handler do with a group. */
enum model_mood {
	MODEL_KEEP,		/* take it and respond later */
	MODEL_KEEP_COOKIE,	/* the same, by cookie; domain: as MODEL_KEEP */
	MODEL_CONTINUE,		/* domain: free without a response */
	MODEL_FAIL,
	MODEL_ODD,		/* return an invalid result; domain: as MODEL_FAIL */
	MODEL_RESPOND,		/* respond at once */
	MODEL_RESPOND_TWICE,
	MODEL_RESPOND_CONTINUE,	/* domain: as MODEL_RESPOND_FAIL */
	MODEL_RESPOND_FAIL,
	MODEL_QUEUE,		/* by iommu_queue_iopf(); domain: as MODEL_KEEP */
	MODEL_NR_MOODS,
};

/* Errors that the handlers return. */
#define MODEL_HANDLER_ERROR	(-EPERM)
#define MODEL_DOMAIN_ERROR	(-EIO)

/**
 * struct model_wire - a response that the device gets
 * @pasid: PASID of the response, 0 without one
 * @grpid: its page request group index
 * @code: its response code
 * @flags: flags of the request
 * @addr: address of the request
 * @private_data: private data of the request, or 0
 */
struct model_wire {
	u32 pasid;
	u32 grpid;
	u32 code;
	u32 flags;
	u64 addr;
	u64 private_data[2];
};

/**
 * struct model_group - a page request group
 * @state: its state
 * @valid: has a PASID
 * @pasid: the PASID, 0 without one
 * @grpid: the page request group index
 * @single: a single request, with a response of its own
 * @sva: its PASID was bound to the mm when it began
 * @rejected: the response is Invalid Request when the last request comes
 * @bad: one of its accesses is not allowed
 * @slow: the fault of one of its accesses sleeps, and no access before it is bad
 * @by_pair: the registered handler responds by PASID and index
 * @cookie: its cookie if the handler has taken it
 * @order: number in the order of complete groups
 * @joined: model.nr_joined when it began
 * @nr: number of requests that the library stores
 * @last: its last request
 * @taken: what the domain's handler has, or NULL
 */
struct model_group {
	enum model_state state;
	bool valid;
	u32 pasid;
	u32 grpid;
	bool single;
	bool sva;
	bool rejected;
	bool bad;
	bool slow;
	bool by_pair;
	u64 cookie;
	u64 order;
	unsigned int joined;
	unsigned int nr;
	struct iopf_request last;
	struct iopf_group *taken;
};

/**
 * struct model_late - a group that the registered handler may respond to late
 * @valid: has a PASID
 * @pasid: the PASID, 0 without one
 * @grpid: the page request group index
 */
struct model_late {
	bool valid;
	u32 pasid;
	u32 grpid;
};

/**
 * struct model_counts - counters that the library has, too
 * @partial: requests of unfinished groups
 * @unfinished: groups whose last request has not come
 * @held_groups: groups that are not freed; the library's only
 * @held_requests: requests in them except last ones; the library's only
 * @pending: complete groups without a response
 * @handled: those of them that the registered handler owns
 * @faulting: those of them whose faults sleep
 * @groups: groups without a response
 * @pasids: PASIDs with such groups; the library may have more
 * @requests: requests; this one and all that follow as in the library's statistics
 * @completed: groups whose last request has come
 * @success: responses with code Success
 * @invalid: responses with code Invalid Request
 * @failure: responses with code Response Failure
 * @malformed: requests that no device should send
 * @unhandled: groups for which there was no handler
 * @discarded: groups that ended without a response
 * @overdue: groups that reached their timeout
 * @retried: those of them whose faults slept
 * @quarantined: groups refused because of a late response
 * @limited: requests that met a limit
 * @nomem: requests that met a failed allocation
 * @late: responses to groups that had ended
 */
struct model_counts {
	u64 partial;
	u64 unfinished;
	u64 held_groups;
	u64 held_requests;
	u64 pending;
	u64 handled;
	u64 faulting;
	u64 groups;
	u64 pasids;
	u64 requests;
	u64 completed;
	u64 success;
	u64 invalid;
	u64 failure;
	u64 malformed;
	u64 unhandled;
	u64 discarded;
	u64 overdue;
	u64 retried;
	u64 quarantined;
	u64 limited;
	u64 nomem;
	u64 late;
};

/**
 * struct model_seen - what was seen of a call, except the responses
 * @ret: its return value
 * @limited: how often a limit was met
 * @nomem: how often an allocation failed
 */
struct model_seen {
	int ret;
	unsigned int limited;
	unsigned int nomem;
};

/**
 * struct model_call - a call of a handler
 * @request: the request that it was called with
 * @nr: number of requests of the group, 0 if no response is owed
 * @cookie: the cookie if it has taken it, or 0
 * @group: group that the domain's handler was called with, or NULL
 * @ret: what iommu_queue_iopf() has returned to the handler
 */
struct model_call {
	struct iopf_request request;
	unsigned int nr;
	u64 cookie;
	struct iopf_group *group;
	int ret;
};

struct model;

/**
 * struct model_ops - callbacks of the model
 * @page: returns what the mm does on an access
 * @next_call: returns the next call of a handler that was seen, or NULL
 */
struct model_ops {
	enum model_page (*page)(struct model *model,
				const struct iommu_fault *fault);
	const struct model_call *(*next_call)(struct model *model);
};

/**
 * struct model - the reference model
 * @ops: its callbacks
 * @group: the groups
 * @nr_orders: number of complete groups
 * @nr_joined: number of times that the device was added to a queue
 * @on_queue: the device is on a queue
 * @on_default_queue: that queue is the default queue
 * @has_handler: a handler is registered
 * @mood: what the registered handler does with requests that are owed a response
 * @mood_partial: what it does with others: keep, continue, fail or queue
 * @mood_code: its response code
 * @domain_mood: what the domain's handler does
 * @domain_code: its response code
 * @domain_pasid: the PASID of the domain
 * @sva_pasid: PASIDs that are bound to the mm, 0 for none
 * @task_size: task_size of the mm
 * @max_pasids: max_pasids of the device
 * @held: faults for slow pages sleep
 * @limits: limits of the device; none is 0
 * @before: what was stored when the limits were set, which stays
 * @late: groups that the handler may respond to late
 * @nr_late: length of @late
 * @late_full: there were more of them
 * @slept: groups that have ended while their faults slept, so their workers are late
 * @counts: the counters
 * @wire: responses that are expected
 * @nr_wire: length of @wire
 * @wrong: the first mismatch, or ""
 */
struct model {
	const struct model_ops *ops;
	struct model_group group[MODEL_GROUPS];
	u64 nr_orders;
	unsigned int nr_joined;
	bool on_queue;
	bool on_default_queue;
	bool has_handler;
	enum model_mood mood;
	enum model_mood mood_partial;
	u32 mood_code;
	enum model_mood domain_mood;
	u32 domain_code;
	u32 domain_pasid;
	u32 sva_pasid[2];
	u64 task_size;
	u32 max_pasids;
	bool held;
	struct iopf_limits limits;
	struct iopf_limits before;
	struct model_late late[MODEL_LATE];
	unsigned int nr_late;
	bool late_full;
	unsigned int slept;
	struct model_counts counts;
	struct model_wire wire[MODEL_WIRE];
	unsigned int nr_wire;
	char wrong[192];
};

__printf(2, 3) void model_wrong(struct model *model, const char *format, ...);
void model_count(struct model *model);
struct model_group *model_room(struct model *model, unsigned int nr);
bool model_is_owed(const struct iopf_request *request);
bool model_is_bad(struct model *model, const struct iopf_request *request);

int model_report(struct model *model, const struct iopf_request *request,
		 const struct model_seen *seen);
int model_flood(struct model *model, const struct iopf_request *request,
		unsigned int nr, const struct model_seen *seen,
		unsigned int kept);
int model_respond(struct model *model, const struct iommu_page_response *msg,
		  u64 cookie);
bool model_is_pending(struct model *model,
		      const struct iommu_page_response *msg, u64 cookie);
int model_queue(struct model *model, const struct iopf_request *request,
		const struct model_seen *seen);
enum model_mood model_mood_partial(struct model *model,
				   const struct iommu_fault *fault);
struct model_group *model_find_queued(struct model *model,
				      const struct iommu_fault *fault,
				      unsigned int *nr);
void model_group_response(struct model *model, struct model_group *group,
			  u32 code);
void model_free_group(struct model *model, struct model_group *group);
void model_flush_pasid(struct model *model, u32 pasid);
void model_flush_unbound(struct model *model, u32 pasid);
void model_flush_dev(struct model *model);
void model_discard_partial(struct model *model);
void model_reset(struct model *model);
void model_expire(struct model *model, bool time, bool domain_time);
void model_leave_queue(struct model *model);
void model_join_queue(struct model *model, bool default_queue);
void model_release(struct model *model);

/* model_limits.c */
void model_default_limits(struct iopf_limits *limits);
struct iopf_limits model_pick_limits(unsigned int a, unsigned int b);
int model_set_limits(struct model *model, const struct iopf_limits *limits);
bool model_near_limit(struct model *model, unsigned int nr);
void model_check_limits(struct model *model, const struct model_counts *seen);

static inline bool model_is_alive(const struct model_group *group)
{
	return group->state != MODEL_FREE && group->state != MODEL_ENDED;
}

#endif /* __IOPF_TESTS_MODEL_H */
