/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A reference model of the report API
 *
 * Plain arrays and simple rules, written from what <linux/iommu.h>, <linux/iopf.h> and the
 * specifications promise, and from nothing else: the model shares no code and no
 * structure with the library. It is told what was done, and says what has to come of it:
 * the return value, the responses on the wire, the counters.
 *
 * The model decides everything by itself but what depends on memory: whether a limit or a
 * failed allocation has met a request is seen in the counters of the library. Then the
 * model says whether that was allowed.
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
 * enum model_state - where a group is
 * @MODEL_FREE: there is none
 * @MODEL_PARTIAL: its last request has not come
 * @MODEL_FAULTING: asleep in the mm; one whose pages are there is answered at once
 * @MODEL_DOMAIN: the handler of its domain has it
 * @MODEL_HANDLER: the registered handler has it
 * @MODEL_ENDED: responded to or forgotten, and the handler of its domain has not freed it
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
 * enum model_page - what the mm says of an access to a page
 * @MODEL_PAGE_GOOD: the page is there or comes at once
 * @MODEL_PAGE_BAD: the access is not allowed
 * @MODEL_PAGE_SLOW: the fault sleeps as long as pages are held
 */
enum model_page {
	MODEL_PAGE_GOOD,
	MODEL_PAGE_BAD,
	MODEL_PAGE_SLOW,
};

/* What responses of a registered handler and of domains' handlers are made of. */
enum model_mood {
	MODEL_KEEP,		/* and respond later */
	MODEL_KEEP_COOKIE,	/* the same, by cookie; domain: as MODEL_KEEP */
	MODEL_CONTINUE,		/* domain: free without a response */
	MODEL_FAIL,
	MODEL_ODD,		/* a result that is none; domain: as MODEL_FAIL */
	MODEL_RESPOND,		/* at once */
	MODEL_RESPOND_TWICE,
	MODEL_RESPOND_CONTINUE,	/* domain: as MODEL_RESPOND_FAIL */
	MODEL_RESPOND_FAIL,
	MODEL_QUEUE,		/* by iommu_queue_iopf(); domain: as MODEL_KEEP */
	MODEL_NR_MOODS,
};

/* What MODEL_FAIL and its like return. */
#define MODEL_HANDLER_ERROR	(-EPERM)
#define MODEL_DOMAIN_ERROR	(-EIO)

/**
 * struct model_wire - a response on the wire
 * @pasid: PASID of the message, 0 without one
 * @grpid: its index
 * @code: its code
 * @flags: the request's
 * @addr: the request's
 * @private_data: the request's, or 0
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
 * @state: see there
 * @valid: has a PASID
 * @pasid: the PASID, 0 without one
 * @grpid: the index
 * @single: one request, responded to by itself
 * @sva: its PASID was bound to the mm when it began
 * @rejected: Invalid Request when its last request comes
 * @bad: an access is not allowed
 * @slow: an access sleeps, if none before it is bad
 * @by_pair: the registered handler knows it by PASID and index
 * @cookie: the handler's cookie, if it has taken it
 * @order: place in the order of complete groups
 * @joined: which time that the device was on a queue it is from
 * @nr: its requests that the library keeps
 * @last: the request that has completed it
 * @taken: what the handler of its domain has, or NULL
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
 * struct model_late - a pair that a registered handler may be late for
 * @valid: has a PASID
 * @pasid: the PASID, 0 without one
 * @grpid: the index
 */
struct model_late {
	bool valid;
	u32 pasid;
	u32 grpid;
};

/**
 * struct model_counts - what the library counts, too
 * @partial: requests of groups without a last one
 * @unfinished: groups without a last one
 * @held_groups: groups that anybody has, by what was last seen; the library's alone
 * @held_requests: requests in them, beside last ones; the library's alone
 * @pending: complete groups without a response
 * @handled: those of them that the registered handler has
 * @faulting: those of them that are asleep in the mm
 * @groups: groups that are not responded to
 * @pasids: PASIDs with such groups; the library may have more
 * @requests: as in the library's statistics, as all that follows
 * @completed: groups whose last request has come
 * @success: responses by code
 * @invalid: see there
 * @failure: see there
 * @malformed: requests that no device should send
 * @unhandled: groups that no handler was found for
 * @discarded: groups that ended without a response
 * @overdue: groups that reached their timeout
 * @retried: those of them that were asleep
 * @quarantined: groups refused as a late response could be taken for theirs
 * @limited: requests that have met a limit
 * @nomem: requests that have met a failed allocation
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
 * struct model_seen - what was seen of a call, beside the wire
 * @ret: what it has returned
 * @limited: how often a limit was met
 * @nomem: how often memory was missing
 */
struct model_seen {
	int ret;
	unsigned int limited;
	unsigned int nomem;
};

/**
 * struct model_call - a call of a handler
 * @request: what it was shown
 * @nr: requests of the whole group, 0 if no response is owed
 * @cookie: what it has taken, or 0
 * @group: the group that a domain's handler was called with, or NULL
 * @ret: what came of a request that the handler has given to the queue at once
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
 * struct model_ops - what the model has to ask
 * @page: what the mm says of an access
 * @next_call: the next call of a handler that was seen, or NULL
 */
struct model_ops {
	enum model_page (*page)(struct model *model,
				const struct iommu_fault *fault);
	const struct model_call *(*next_call)(struct model *model);
};

/**
 * struct model - what must be true
 * @ops: see there
 * @group: the groups
 * @nr_orders: complete groups until now
 * @nr_joined: times that the device was put on a queue
 * @on_queue: the device is on a queue
 * @on_default_queue: which is the library's own
 * @has_handler: a handler is registered
 * @mood: of the registered handler, for requests that are owed a response
 * @mood_partial: the same for others: keep, continue, fail or queue
 * @mood_code: what it responds with
 * @domain_mood: of the domain's handler
 * @domain_code: what that responds with
 * @domain_pasid: the PASID of that domain
 * @sva_pasid: PASIDs that are bound to the mm, 0 for none
 * @task_size: of the mm
 * @max_pasids: of the device
 * @held: faults for slow pages sleep
 * @limits: of the device, all set
 * @before: what was held when the limits were set: it stays
 * @late: pairs that the handler may be late for
 * @nr_late: length of @late
 * @late_full: there were too many
 * @slept: groups that have ended while they were asleep; their workers are late
 * @counts: counters
 * @wire: responses that are owed
 * @nr_wire: length of @wire
 * @wrong: what is wrong, or ""
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
