/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: what is counted and measured
 */
#ifndef __IOPF_STATS_H
#define __IOPF_STATS_H

#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/types.h>

/* Powers of two of microseconds that latencies are told apart by. */
#define IOPF_LATENCY_BUCKETS	24

/**
 * enum iopf_phase - where the time of page requests goes, while iopf.latency is on
 * @IOPF_REPORT: reporting them; the reporter's time
 * @IOPF_ASSEMBLY: from a group's first request to its last
 * @IOPF_WAIT: from there until a worker takes it
 * @IOPF_MM: until the worker is through with its pages
 * @IOPF_HANDLER: from the last request until the response of somebody else: a handler, or
 *	who ends it before its time
 * @IOPF_DEFERRED: until its response leaves, with others
 * @IOPF_RESPONSE: sending responses, of a batch once; the sender's time
 * @IOPF_FREE: giving up what groups have; the sender's time
 * @IOPF_NR_PHASES: how many there are
 */
enum iopf_phase {
	IOPF_REPORT,
	IOPF_ASSEMBLY,
	IOPF_WAIT,
	IOPF_MM,
	IOPF_HANDLER,
	IOPF_DEFERRED,
	IOPF_RESPONSE,
	IOPF_FREE,
	IOPF_NR_PHASES,
};

/**
 * struct iopf_stats - what a device counts, guarded by iopf_device.lock
 * @requests: page requests reported
 * @groups: groups completed by their last request
 * @responses: answers sent, by response code
 * @late: responses of groups that had been answered before
 * @malformed: requests that no device should send
 * @unhandled: groups of a PASID that nobody handles
 * @limited: requests beyond a limit of the device
 * @nomem: requests dropped because even the reserve was empty
 * @discarded: groups that never got their last request
 * @interrupted: groups answered while their fault was still being handled
 * @overdue: groups answered because their time was over
 * @retried: of these, groups whose fault goes on: the device was told to ask again
 * @followed: times that a group waited for a worker asleep for one of its pages
 * @prefaulted: pages that nobody had asked for
 * @polled: groups that a worker has waited for without sleeping
 * @quarantined: groups refused because a late response could be taken for theirs
 * @ns: time by &enum iopf_phase
 */
struct iopf_stats {
	u64 requests;
	u64 groups;
	u64 responses[3];
	u64 late;
	u64 malformed;
	u64 unhandled;
	u64 limited;
	u64 nomem;
	u64 discarded;
	u64 interrupted;
	u64 overdue;
	u64 retried;
	u64 followed;
	u64 prefaulted;
	u64 polled;
	u64 quarantined;
	u64 ns[IOPF_NR_PHASES];
};

/**
 * struct iopf_times - when a group did what, ktime in ns
 * @begun: had its first request; 0 if nobody wanted to know then
 * @complete: had its last one
 * @taken: was taken by a worker, or 0
 * @claimed: somebody had its response
 * @sent: the response left
 */
struct iopf_times {
	u64 begun;
	u64 complete;
	u64 taken;
	u64 claimed;
	u64 sent;
};

DECLARE_STATIC_KEY_FALSE(iopf_latency_key);

static inline bool iopf_latency_enabled(void)
{
	return static_branch_unlikely(&iopf_latency_key);
}

/* The time, for those who measure, or 0. */
static inline u64 iopf_now(void)
{
	return iopf_latency_enabled() ? ktime_get_ns() : 0;
}

/* The time in ns from the last request of a group to its response, 0 if not measured. */
static inline u64 iopf_age(const struct iopf_times *times)
{
	return times->begun && times->complete && times->sent ?
	       times->sent - times->complete : 0;
}

unsigned int iopf_latency_bucket(u64 ns);
void iopf_count_phases(struct iopf_stats *stats, const struct iopf_times *times);
void iopf_count_time(struct iopf_stats *stats, enum iopf_phase phase, u64 since);

#endif /* __IOPF_STATS_H */
