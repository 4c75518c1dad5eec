// SPDX-License-Identifier: GPL-2.0
/*
 * Limits in the reference model
 *
 * The model does not predict which request meets a limit, but takes that from the
 * library. It checks that no more is stored than the limit and what one request may
 * add, and that no request is refused while all that the library and handlers have is
 * far from a limit.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/minmax.h>

#include "model.h"

/* The library's defaults for a device that is no PCI device. */
#define DEFAULT_LIMIT		65536
#define DEFAULT_UNFINISHED	4096
/* PASID queues and groups that workers may still use after the groups have ended. */
#define LINGERING		2

void model_default_limits(struct iopf_limits *limits)
{
	*limits = (struct iopf_limits){
		.groups = DEFAULT_LIMIT,
		.requests = DEFAULT_LIMIT,
		.unfinished = DEFAULT_UNFINISHED,
		.pasids = DEFAULT_LIMIT,
		.grpid_bits = 32,
	};
}

/* Return limits by two numbers: most of them high, some of them soon met. */
struct iopf_limits model_pick_limits(unsigned int a, unsigned int b)
{
	static const unsigned int unfinished[] = { 0, 0, 1, 4, 9, 16, UINT_MAX };
	static const unsigned int groups[] = { 0, 0, 0, 1, 3, 8 };
	static const unsigned int requests[] = { 0, 0, 0, 0, 5, 20, UINT_MAX };
	static const unsigned int pasids[] = { 0, 0, 0, 3, 6 };
	static const unsigned int bits[] = { 0, 0, 0, 9, 16, 33 };

	return (struct iopf_limits){
		.groups = groups[a % ARRAY_SIZE(groups)],
		.requests = requests[(a + 3 * b) % ARRAY_SIZE(requests)],
		.unfinished = unfinished[(7 * a + b) % ARRAY_SIZE(unfinished)],
		.pasids = pasids[b % ARRAY_SIZE(pasids)],
		.grpid_bits = bits[(a + b / 7) % ARRAY_SIZE(bits)],
	};
}

/* Return the number of groups and requests that the library and handlers have. */
static unsigned int count_held(struct model *model)
{
	struct model_group *group;
	unsigned int nr = 0;

	for (group = model->group; group < model->group + MODEL_GROUPS; group++)
		if (group->state != MODEL_FREE)
			nr += 1 + group->nr;
	return nr;
}

/* Return true if @nr further requests may meet a limit. */
bool model_near_limit(struct model *model, unsigned int nr)
{
	unsigned int held = count_held(model) + 2 * nr + LINGERING;

	model_count(model);
	return held >= model->limits.groups || held >= model->limits.requests ||
	       held >= model->limits.unfinished ||
	       model->counts.pasids + nr + LINGERING >= model->limits.pasids;
}

static void check_limit(struct model *model, const char *what, u64 has,
			unsigned int before, unsigned int limit)
{
	if (has > 1 + (u64)max(before, limit))
		model_wrong(model, "%llu %s, limit %u", has, what, limit);
}

/*
 * Check that there is no more than the limit, or what was there when it was set, and
 * what one request may add.
 */
void model_check_limits(struct model *model, const struct model_counts *seen)
{
	const struct iopf_limits *before = &model->before;
	const struct iopf_limits *limits = &model->limits;

	check_limit(model, "requests of unfinished groups", seen->partial,
		    before->unfinished, limits->unfinished);
	check_limit(model, "unfinished groups", seen->unfinished,
		    before->unfinished, limits->unfinished);
	check_limit(model, "groups", seen->held_groups, before->groups,
		    limits->groups);
	check_limit(model, "requests", seen->held_requests, before->requests,
		    limits->requests);
	check_limit(model, "PASIDs", seen->pasids, before->pasids, limits->pasids);
}

int model_set_limits(struct model *model, const struct iopf_limits *limits)
{
	struct iopf_limits *before = &model->before;
	struct iopf_limits new;

	if (limits->grpid_bits > 32)
		return -EINVAL;
	if (!model->on_queue)
		return -ENODEV;
	model_default_limits(&new);
	new.groups = limits->groups ?: new.groups;
	new.requests = limits->requests ?: new.requests;
	new.unfinished = limits->unfinished ?:
			 clamp(min(new.groups, new.requests) / 2, 1U,
			       (unsigned int)DEFAULT_UNFINISHED);
	new.pasids = limits->pasids ?: new.pasids;
	new.grpid_bits = limits->grpid_bits ?: new.grpid_bits;

	/* Existing groups stay, and so do idle PASID queues. */
	model_count(model);
	before->unfinished = max(model->counts.partial, model->counts.unfinished);
	before->groups = max(before->groups, model->limits.groups);
	before->requests = max(before->requests, model->limits.requests);
	before->pasids = max(before->pasids, model->limits.pasids);
	model->limits = new;
	return 0;
}
