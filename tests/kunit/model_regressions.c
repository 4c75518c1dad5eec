// SPDX-License-Identifier: GPL-2.0
/*
 * Sequences of operations that once failed, or that are rare among random ones
 *
 * In the form in which random_sequences of model_kunit.c prints shrunk ones. The fields
 * are those of struct op: kind, PASID, index, flags, permissions, address, number.
 */
#include <linux/kernel.h>

#include "model.h"
#include "model_run.h"

/* Some requests and what ends them. */
static const struct op one_of_each[] = {
	{ OP_REPORT, OP_PASID_SVA, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_REPORT, OP_PASID_DOMAIN, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_REPORT, OP_PASID_NONE, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_REPORT, OP_PASID_SVA, 0, 0, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_DISCARD },
	{ OP_GROUP_RESPONSE },
	{ OP_FREE_GROUP },
	{ OP_FLUSH_PASID, OP_PASID_DOMAIN },
};

/* The PASID field of a request without a PASID is not used in the response. */
static const struct op refused_without_pasid[] = {
	{ OP_REMOVE },
	{ OP_REPORT, OP_PASID_GARBAGE, 1, OP_LAST, 2, OP_ADDR_WRITABLE, 3 },
};

/* The limit on indices is lowered below that of the unfinished group. */
static const struct op narrower_index[] = {
	{ OP_REPORT, OP_PASID_UNBOUND, 3, 0, 2, OP_ADDR_WRITABLE, 3 },
	{ OP_LIMITS, 7, 36, 0, 8, 0, 29 },
	{ OP_REPORT, OP_PASID_UNBOUND, 3, 0, 2, OP_ADDR_WRITABLE, 5 },
};

/*
 * A group is refused because of a late response. Its requests are not in the next
 * group.
 */
static const struct op refused_for_late_response[] = {
	{ OP_REGISTER },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_FLUSH_PASID, OP_PASID_UNBOUND },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, 0, 2, OP_ADDR_WRITABLE, 1 },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_RESPOND_PAIR, OP_PASID_UNBOUND, 0, 0, 0 },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
};

/* A late response for PASID 0, which looks like one without a PASID. */
static const struct op late_for_pasid_zero[] = {
	{ OP_REGISTER },
	{ OP_REPORT, OP_PASID_ZERO, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_RESET },
	{ OP_RESPOND_PAIR, OP_PASID_ZERO, 0, 0, 0 },
	{ OP_REPORT, OP_PASID_ZERO, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
};

/* A PASID is unbound while a fault of another one sleeps. */
static const struct op unbind_beside_sleeper[] = {
	{ OP_HOLD },
	{ OP_REPORT, OP_PASID_SVA, 0, OP_LAST, 2, OP_ADDR_SLOW, 0 },
	{ OP_REPORT, OP_PASID_SVA2, 0, 0, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_UNBIND },
	{ OP_RELEASE },
};

/* A late response comes when its pair is not quarantined any more. */
static const struct op late_after_quarantine[] = {
	{ OP_REGISTER },
	{ OP_REPORT, OP_PASID_DOMAIN, 2, OP_LAST, 4, OP_ADDR_WRITABLE, 7 },
	{ OP_EXPIRE, 0, 0, 0, 0, 0, 3 },
	{ OP_RESPOND_PAIR, OP_PASID_DOMAIN, 2, 0, 2, 0, 0 },
};

/*
 * Two requests that are owed a response without being last ones, and one that is not, are
 * alike for iommu_queue_iopf().
 */
static const struct op alike_for_queue[] = {
	{ OP_REGISTER },
	{ OP_REPORT, OP_PASID_ZERO, 1, OP_LAST, 2, OP_ADDR_READABLE, 0 },
	{ OP_MOOD_PARTIAL, 0, 0, 0, MODEL_QUEUE, 0, 0 },
	{ OP_REPORT, OP_PASID_SVA2, 0, OP_PRIVATE, 13, OP_ADDR_WRITABLE, 0 },
	{ OP_RESPOND_PAIR, OP_PASID_ZERO, 1, 0, 1, 0, 22 },
	{ OP_REPORT, OP_PASID_SVA2, 0, OP_STREAM, 8, OP_ADDR_WRITABLE, 0 },
	{ OP_REPORT, OP_PASID_SVA2, 0, 0, 2, OP_ADDR_WRITABLE, 6 },
};

const struct sequence model_regressions[] = {
	{ "one_of_each", one_of_each, ARRAY_SIZE(one_of_each) },
	{ "refused_without_pasid", refused_without_pasid,
	  ARRAY_SIZE(refused_without_pasid) },
	{ "narrower_index", narrower_index, ARRAY_SIZE(narrower_index) },
	{ "refused_for_late_response", refused_for_late_response,
	  ARRAY_SIZE(refused_for_late_response) },
	{ "late_for_pasid_zero", late_for_pasid_zero,
	  ARRAY_SIZE(late_for_pasid_zero) },
	{ "unbind_beside_sleeper", unbind_beside_sleeper,
	  ARRAY_SIZE(unbind_beside_sleeper) },
	{ "late_after_quarantine", late_after_quarantine,
	  ARRAY_SIZE(late_after_quarantine) },
	{ "alike_for_queue", alike_for_queue, ARRAY_SIZE(alike_for_queue) },
};

const unsigned int nr_model_regressions = ARRAY_SIZE(model_regressions);
