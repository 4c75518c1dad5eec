// SPDX-License-Identifier: GPL-2.0
/*
 * Sequences of operations that once failed, or that random ones seldom come to
 *
 * As random_sequences of model_kunit.c prints them when it has shrunk them. The fields are
 * those of struct op: kind, PASID, index, flags, permissions, address, number.
 */
#include <linux/kernel.h>

#include "model_run.h"

/* One of each kind, to begin with. */
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

/* The PASID field of a request that has none is not part of a response. */
static const struct op refused_without_pasid[] = {
	{ OP_REMOVE },
	{ OP_REPORT, OP_PASID_GARBAGE, 1, OP_LAST, 2, OP_ADDR_WRITABLE, 3 },
};

/* An index that the device does not have any more, in the group of the last request. */
static const struct op narrower_index[] = {
	{ OP_REPORT, OP_PASID_UNBOUND, 3, 0, 2, OP_ADDR_WRITABLE, 3 },
	{ OP_LIMITS, 7, 36, 0, 8, 0, 29 },
	{ OP_REPORT, OP_PASID_UNBOUND, 3, 0, 2, OP_ADDR_WRITABLE, 5 },
};

/* A group is refused as a response may be late: none of it is left for the next one. */
static const struct op refused_for_late_response[] = {
	{ OP_REGISTER },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_FLUSH_PASID, OP_PASID_UNBOUND },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, 0, 2, OP_ADDR_WRITABLE, 1 },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_RESPOND_PAIR, OP_PASID_UNBOUND, 0, 0, 0 },
	{ OP_REPORT, OP_PASID_UNBOUND, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
};

/* PASID 0 looks like none in a response, and may be late as any other. */
static const struct op late_for_pasid_zero[] = {
	{ OP_REGISTER },
	{ OP_REPORT, OP_PASID_ZERO, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_RESET },
	{ OP_RESPOND_PAIR, OP_PASID_ZERO, 0, 0, 0 },
	{ OP_REPORT, OP_PASID_ZERO, 0, OP_LAST, 2, OP_ADDR_WRITABLE, 0 },
};

/* A PASID is unbound: what sleeps for another one goes on. */
static const struct op unbind_beside_sleeper[] = {
	{ OP_HOLD },
	{ OP_REPORT, OP_PASID_SVA, 0, OP_LAST, 2, OP_ADDR_SLOW, 0 },
	{ OP_REPORT, OP_PASID_SVA2, 0, 0, 2, OP_ADDR_WRITABLE, 0 },
	{ OP_UNBIND },
	{ OP_RELEASE },
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
};

const unsigned int nr_model_regressions = ARRAY_SIZE(model_regressions);
