// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: counters and latencies
 *
 * Counters are always kept. Latencies, from the last request of a group to its response,
 * and the time spent in each phase need reads of the clock, and are kept while
 * iopf.latency is set.
 */
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/moduleparam.h>

#include "stats.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf."

DEFINE_STATIC_KEY_FALSE(iopf_latency_key);

static bool iopf_latency;

static int iopf_set_latency(const char *value, const struct kernel_param *kp)
{
	int ret = param_set_bool(value, kp);

	if (ret)
		return ret;
	if (iopf_latency)
		static_branch_enable(&iopf_latency_key);
	else
		static_branch_disable(&iopf_latency_key);
	return 0;
}

static const struct kernel_param_ops iopf_latency_ops = {
	.flags = KERNEL_PARAM_OPS_FL_NOARG,
	.set = iopf_set_latency,
	.get = param_get_bool,
};

module_param_cb(latency, &iopf_latency_ops, &iopf_latency, 0644);
MODULE_PARM_DESC(latency,
		 "Measure how long page request groups take, and where their time goes (default N)");

/* Return the bucket of a latency: 0 below a microsecond, n below 2^n microseconds. */
unsigned int iopf_latency_bucket(u64 ns)
{
	u64 us = div_u64(ns, NSEC_PER_USEC);

	return min_t(unsigned int, us ? ilog2(us) + 1 : 0,
		     IOPF_LATENCY_BUCKETS - 1);
}

/* Add the phases of a group whose response was sent. */
void iopf_count_phases(struct iopf_stats *stats, const struct iopf_times *times)
{
	stats->ns[IOPF_ASSEMBLY] += times->complete - times->begun;
	stats->ns[IOPF_DEFERRED] += times->sent - times->claimed;
	if (times->taken && times->taken < times->claimed) {
		stats->ns[IOPF_WAIT] += times->taken - times->complete;
		stats->ns[IOPF_MM] += times->claimed - times->taken;
	} else {
		stats->ns[IOPF_HANDLER] += times->claimed - times->complete;
	}
}
