// SPDX-License-Identifier: GPL-2.0
/*
 * Draining VT-d's page request queue, also while a device floods it
 */
#include <linux/jiffies.h>

#include "vtd_model.h"

/* The requester that floods the queue. */
#define FLOODING	0x0107
/* More drains than any bound allows, so that a failing case does not hang. */
#define TOO_MANY	(10 * VTD_PRQ_DRAIN_TRIES)

static int drain(struct vtd_model *model)
{
	return vtd_prq_drain(&model->prq, fake_dev(model->fake), FAKE_PASID);
}

static void request_while_draining(struct vtd_model *model)
{
	vtd_post(model, VTD_RID, FAKE_PASID, 2, 0x2000, WRITE_ACCESS | LAST);
}

/* Requests in the ring, and those that arrive during the drain, get a response. */
static void drain_ends_requests(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS | LAST);
	vtd_on(model, VTD_DRAIN, request_while_draining);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_EQ(test, 1, model->nr_drains);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 2));
	vtd_end(model);
}

/* An overflow begins during the drain, and the thread has not run yet. */
static void overflow_while_draining(struct vtd_model *model)
{
	vtd_on(model, VTD_DRAIN, NULL);
	vtd_overflow(model, VTD_OTHER);
}

static void drain_again_after_overflow(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	vtd_on(model, VTD_DRAIN, overflow_while_draining);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_EQ(test, 2, model->nr_drains);
	KUNIT_EXPECT_EQ(test, 0, model->nr_disabled);
	vtd_end(model);
}

/* The overflow begins and ends during the drain. */
static void short_overflow_while_draining(struct vtd_model *model)
{
	overflow_while_draining(model);
	vtd_prq_run(&model->prq);
}

static void drain_again_after_short_overflow(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_on(model, VTD_DRAIN, short_overflow_while_draining);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_EQ(test, 2, model->nr_drains);
	KUNIT_EXPECT_EQ(test, 0, model->nr_disabled);
}

/* The thread clears the bit of an overflow that it has counted before the drain. */
static void clear_while_draining(struct vtd_model *model)
{
	vtd_on(model, VTD_DRAIN, NULL);
	model->status &= ~VTD_PRQ_OVERFLOW;
	model->prq.nr_cleared++;
}

static void drain_again_after_counted_overflow(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->status |= VTD_PRQ_OVERFLOW;
	model->prq.nr_overflows++;
	vtd_on(model, VTD_DRAIN, clear_while_draining);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_EQ(test, 2, model->nr_drains);
	KUNIT_EXPECT_EQ(test, 0, model->nr_disabled);
}

static bool is_flooding(struct vtd_model *model)
{
	return model->disabled != FLOODING && model->nr_drains < TOO_MANY;
}

/* One device floods the queue until it is disabled, others send a little. */
static void flood(struct vtd_model *model)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		vtd_post(model, VTD_OTHER + 8 + i, 1, 0, 0x1000, WRITE_ACCESS);
	if (is_flooding(model))
		vtd_overflow(model, FLOODING);
}

static void drain_ends_flood(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	vtd_on(model, VTD_DRAIN, flood);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_EQ(test, VTD_PRQ_DRAIN_TRIES + 1, model->nr_drains);
	KUNIT_EXPECT_EQ(test, 1, model->nr_disabled);
	KUNIT_EXPECT_EQ(test, FLOODING, model->disabled);
	vtd_end(model);
}

/* End of the flood if the device is not disabled, so that the case does not hang. */
static unsigned long flood_until;

static void flood_for_a_while(struct vtd_model *model)
{
	if (model->disabled != FLOODING && time_before(jiffies, flood_until))
		vtd_overflow(model, FLOODING);
}

/*
 * The device floods the queue without a pause, and the overflow bit is set at each
 * check.
 */
static void drain_ends_endless_flood(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	flood_until = jiffies + 5 * HZ;
	vtd_on(model, VTD_DRAIN, flood_for_a_while);
	/* The queue overflows again as soon as the bit is cleared. */
	vtd_on(model, VTD_CLEARED, flood_for_a_while);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_GE(test, model->nr_drains, VTD_PRQ_DRAIN_TRIES + 1);
	KUNIT_EXPECT_EQ(test, 1, model->nr_disabled);
	KUNIT_EXPECT_EQ(test, FLOODING, model->disabled);
	vtd_end(model);
	KUNIT_EXPECT_EQ(test, 0, model->early_clears);
}

/* Two devices flood the queue, one after the other. Both have to be disabled. */
static void flood_in_turn(struct vtd_model *model)
{
	u16 rid = FLOODING + model->nr_disabled;

	if (model->nr_disabled < 2 && model->nr_drains < TOO_MANY)
		vtd_overflow(model, rid);
}

static void drain_ends_two_floods(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	vtd_on(model, VTD_DRAIN, flood_in_turn);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_EQ(test, 2, model->nr_disabled);
	KUNIT_EXPECT_EQ(test, FLOODING + 1, model->disabled);
	KUNIT_EXPECT_EQ(test, 2 * VTD_PRQ_DRAIN_TRIES + 1, model->nr_drains);
	vtd_end(model);
}

/* Another drain disables the device during the last attempt of this one. */
static void flood_until_other_drain(struct vtd_model *model)
{
	if (model->nr_drains < VTD_PRQ_DRAIN_TRIES) {
		vtd_overflow(model, FLOODING);
	} else if (model->nr_drains == VTD_PRQ_DRAIN_TRIES) {
		vtd_overflow(model, FLOODING);
		model->disabled = FLOODING;
		model->prq.nr_disabled++;
	}
}

static void other_drain_ends_flood(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	vtd_on(model, VTD_DRAIN, flood_until_other_drain);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_EQ(test, VTD_PRQ_DRAIN_TRIES + 1, model->nr_drains);
	vtd_end(model);
}

/*
 * An unknown requester floods the queue and cannot be disabled. The drain fails, and
 * its groups end all the same.
 */
static void flood_from_nowhere(struct vtd_model *model)
{
	if (model->nr_drains < TOO_MANY)
		vtd_overflow(model, VTD_UNKNOWN);
}

static void drain_gives_up(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS | LAST);
	vtd_on(model, VTD_DRAIN, flood_from_nowhere);
	KUNIT_EXPECT_EQ(test, -EBUSY, drain(model));
	KUNIT_EXPECT_EQ(test, VTD_PRQ_DRAIN_TRIES, model->nr_drains);
	KUNIT_EXPECT_EQ(test, 0, model->nr_disabled);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	vtd_end(model);
}

/*
 * A drain also continues for a time, as several overflows in a row may be those of a
 * busy machine.
 */
static void drain_is_patient(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned long begun = jiffies;

	model->threaded = true;
	model->prq.patience = HZ / 5;
	flood_until = begun + 2 * HZ;
	vtd_on(model, VTD_DRAIN, flood_for_a_while);
	KUNIT_EXPECT_EQ(test, 0, drain(model));
	KUNIT_EXPECT_GE(test, jiffies - begun, HZ / 5);
	KUNIT_EXPECT_EQ(test, 1, model->nr_disabled);
	vtd_end(model);
}

/* A drain that fails is not repeated. */
static void drain_fails(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	model->threaded = true;
	model->drain_error = -ETIMEDOUT;
	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS | LAST);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, drain(model));
	KUNIT_EXPECT_EQ(test, 1, model->nr_drains);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	vtd_end(model);
}

/*
 * Let @count devices send @each requests in turn, and another one @more in the same
 * time. Return the requester that is blamed for the overflow, or -1.
 */
static int blame(struct vtd_model *model, unsigned int count, unsigned int each,
		 unsigned int more)
{
	unsigned int i;
	unsigned int n;

	for (n = 0; n < each; n++) {
		for (i = 0; i < count; i++)
			vtd_prq_count_requests(&model->prq, VTD_OTHER + i, 1);
		vtd_prq_count_requests(&model->prq, FLOODING + 0x1000, more / each);
	}
	vtd_prq_blame(&model->prq);
	return model->prq.blamed;
}

/* A device that sends much is blamed, and never one that sends little. */
static void blame_flooding_requester(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	KUNIT_EXPECT_EQ(test, FLOODING + 0x1000, blame(model, 0, 10, 100));
	KUNIT_EXPECT_EQ(test, FLOODING + 0x1000, blame(model, 50, 10, 1000));
	KUNIT_EXPECT_EQ(test, FLOODING + 0x1000, blame(model, 50, 10, 250));
	KUNIT_EXPECT_EQ(test, -1, blame(model, 100, 10, 10));
	KUNIT_EXPECT_EQ(test, -1, blame(model, 20, 100, 100));
	/* Each overflow is judged separately. */
	KUNIT_EXPECT_EQ(test, VTD_OTHER, blame(model, 1, 10, 0));
	KUNIT_EXPECT_EQ(test, -1, blame(model, 0, 1, 0));
}

static struct kunit_case iopf_prq_drain_cases[] = {
	KUNIT_CASE(drain_ends_requests),
	KUNIT_CASE(drain_again_after_overflow),
	KUNIT_CASE(drain_again_after_short_overflow),
	KUNIT_CASE(drain_again_after_counted_overflow),
	KUNIT_CASE(drain_ends_flood),
	KUNIT_CASE(drain_ends_endless_flood),
	KUNIT_CASE(drain_ends_two_floods),
	KUNIT_CASE(other_drain_ends_flood),
	KUNIT_CASE(drain_gives_up),
	KUNIT_CASE(drain_is_patient),
	KUNIT_CASE(drain_fails),
	KUNIT_CASE(blame_flooding_requester),
	{ }
};

static struct kunit_suite iopf_prq_drain_suite = {
	.name = "iopf_prq_drain",
	.init = fake_init,
	.exit = vtd_suite_exit,
	.test_cases = iopf_prq_drain_cases,
};

kunit_test_suite(iopf_prq_drain_suite);
