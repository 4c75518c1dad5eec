/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: counters and latencies
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
 * @IOPF_REPORT: reporting requests; time of the reporter
 * @IOPF_ASSEMBLY: from the first request of a group to the last
 * @IOPF_WAIT: from the last request until a worker takes the group
 * @IOPF_MM: from there until the worker has claimed the group
 * @IOPF_HANDLER: from the last request until the group is claimed, if no worker took it
 * @IOPF_DEFERRED: from the claim until the response is sent
 * @IOPF_RESPONSE: sending responses, once for a batch; time of the sender
 * @IOPF_FREE: freeing groups, except those that were alone; time of the sender
 * @IOPF_NR_PHASES: number of phases
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
 * struct iopf_stats - counters of a device, guarded by iopf_device.lock
 * @requests: page requests reported
 * @groups: complete groups
 * @responses: responses sent, by response code
 * @late: responses to groups that were claimed before
 * @malformed: requests that no device may send, or that their driver refused
 * @unhandled: groups of a PASID whose domain has no handler
 * @limited: requests beyond a limit of the device
 * @nomem: requests dropped because an allocation failed: the reserve of groups was empty, too,
 *	or there was no memory for a PASID queue
 * @discarded: groups that ended without a response
 * @interrupted: workers interrupted because their group was cancelled
 * @overdue: groups that reached their timeout
 * @retried: those of them that got Success, so that the device sends the request again
 * @followed: times that a group waited for a sleeper on one of its pages
 * @prefaulted: pages faulted in that were not requested
 * @polled: groups that a worker found by polling
 * @quarantined: groups refused because their key was quarantined
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
 * struct iopf_times - the life of a group, ktime in ns
 * @begun: first request; 0 if iopf.latency was not set then
 * @complete: last request
 * @taken: taken by a worker, or 0
 * @claimed: claimed
 * @sent: response sent
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

/* Return the time in ns if iopf.latency is set, else 0. */
static inline u64 iopf_now(void)
{
	return iopf_latency_enabled() ? ktime_get_ns() : 0;
}

/* Set @time if iopf.latency is set. */
static inline void iopf_stamp(u64 *time)
{
	if (iopf_latency_enabled())
		*time = ktime_get_ns();
}

/* Return the time in ns from the last request to the response, 0 if it was not measured. */
static inline u64 iopf_age(const struct iopf_times *times)
{
	if (!iopf_latency_enabled() || !times->begun || !times->complete || !times->sent)
		return 0;
	return times->sent - times->complete;
}

unsigned int iopf_latency_bucket(u64 ns);
void iopf_count_phases(struct iopf_stats *stats, const struct iopf_times *times);

/* Add the time since @since, a return value of iopf_now(), to @phase. */
static inline void iopf_count_time(struct iopf_stats *stats, enum iopf_phase phase,
				   u64 since)
{
	if (unlikely(since))
		stats->ns[phase] += ktime_get_ns() - since;
}

#endif /* __IOPF_STATS_H */
