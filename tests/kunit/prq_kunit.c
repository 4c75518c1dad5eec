// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue, with a model of the registers and the ring
 *
 * The model produces what QEMU's emulation of VT-d cannot.
 */
#include <linux/prandom.h>

#include "vtd_model.h"

/* All slots are used at once, from the middle of the ring over its end. */
static void full_ring_wraps(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 100);
	unsigned int i;

	for (i = 0; i < VTD_SLOTS - 1; i++)
		vtd_put(model, VTD_OTHER, 0, 1, i, i << PAGE_SHIFT, WRITE_ACCESS);
	KUNIT_EXPECT_TRUE(test, vtd_prq_run(&model->prq));
	KUNIT_EXPECT_EQ(test, 99, model->head);
	KUNIT_ASSERT_EQ(test, VTD_SLOTS - 1, model->reported);
	for (i = 0; i < VTD_SLOTS - 1; i++)
		vtd_check_request(test, &model->log[i], 1, i, i << PAGE_SHIFT,
				  IOMMU_FAULT_PERM_WRITE, false);
	/* The slots of a batch are free before its first request is reported. */
	KUNIT_EXPECT_EQ(test, (100 + VTD_PRQ_BATCH) % VTD_SLOTS,
			model->heads[0]);
	KUNIT_EXPECT_FALSE(test, vtd_prq_run(&model->prq));
}

/* The requests of each device are reported in their order. */
static void requesters_keep_their_order(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int next[3] = { 0 };
	unsigned int i;

	for (i = 0; i < 60; i++)
		vtd_put(model, VTD_OTHER + i % 3, 0, 1, i, 0, WRITE_ACCESS);
	vtd_prq_run(&model->prq);
	KUNIT_ASSERT_EQ(test, 60, model->reported);
	for (i = 0; i < 60; i++) {
		u32 index = model->log[i].fault.prm.grpid;
		u16 device = model->rids[i] - VTD_OTHER;

		KUNIT_EXPECT_EQ(test, device, index % 3);
		KUNIT_EXPECT_EQ(test, next[device]++, index / 3);
	}
}

/* Of an unknown requester's requests, those that are owed a response get one. */
static void unknown_requester_gets_owed_responses(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->prq.format = VTD_PRQ_REV3;
	vtd_put(model, VTD_UNKNOWN, 0, 1, 1, 0x1000, WRITE_ACCESS);
	vtd_put(model, VTD_UNKNOWN, 0, 1, 1, 0, LAST);
	vtd_put(model, VTD_UNKNOWN, 0, 1, 2, 0x1000, WRITE_ACCESS | LAST);
	vtd_put(model, VTD_UNKNOWN, PRIVATE, 1, 3, 0x1000, WRITE_ACCESS);
	vtd_put(model, VTD_UNKNOWN, PRIVILEGED, 1, 4, 0x1000, WRITE_ACCESS | LAST);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->reported);
	KUNIT_ASSERT_EQ(test, 3, model->nr_sent);
	vtd_check_desc(test, &model->sent[0], 0x103001019ULL, 2 << 3 | LAST, 0, 0);
	vtd_check_desc(test, &model->sent[1], 0x103001039ULL, 3 << 3, 0x1111, 0x2222);
	vtd_check_desc(test, &model->sent[2], 0x103001019ULL, 4 << 3 | LAST, 0, 0);
}

/*
 * Check that a bad request, last or not, makes the response to its group Invalid
 * Request.
 */
static void check_refused(struct kunit *test, u64 extra0, u64 addr, u64 access)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	fake->responses = 0;
	vtd_put(model, VTD_RID, 0, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_put(model, VTD_RID, extra0, FAKE_PASID, 1, addr, access);
	vtd_put(model, VTD_RID, 0, FAKE_PASID, 1, 0x2000, WRITE_ACCESS | LAST);
	vtd_put(model, VTD_RID, 0, FAKE_PASID, 2, 0x3000, WRITE_ACCESS);
	vtd_put(model, VTD_RID, extra0, FAKE_PASID, 2, addr, access | LAST);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 2));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
	KUNIT_EXPECT_EQ(test, 2, model->prq.nr_bad);
}

static void bad_request_spoils_its_group(struct kunit *test)
{
	check_refused(test, PRIVILEGED, 0x5000, READ_ACCESS);
	check_refused(test, EXECUTE, 0x5000, READ_ACCESS);
	check_refused(test, 0, 0x0800000000000000ULL, WRITE_ACCESS);
}

/* A stop marker ends the unfinished groups of its PASID and gets no response. */
static void stop_marker_ends_unfinished_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_put(model, VTD_RID, 0, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_put(model, VTD_RID, 0, FAKE_PASID, 2, 0, LAST);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
}

/*
 * Hardware has sent the responses to last requests that it dropped, so unfinished
 * groups are discarded.
 */
static void overflow_discards_unfinished_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int i;

	for (i = 0; i < 10; i++)
		vtd_put(model, VTD_RID, 0, FAKE_PASID, i, 0x1000, WRITE_ACCESS);
	model->status = VTD_PRQ_PENDING | VTD_PRQ_OVERFLOW;
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	KUNIT_EXPECT_EQ(test, 1, model->prq.nr_overflows);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 10, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
}

/* vtd_prq_wait() waits for requests that have left the ring and are not reported. */
static void wait_covers_copied_requests(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_put(model, VTD_OTHER, 0, 1, 1, 0x1000, WRITE_ACCESS);
	model->blocking = true;
	queue_work(model->fake->queue->wq, &model->run);
	wait_for_completion(&model->blocked);
	KUNIT_EXPECT_EQ(test, model->tail, model->head);
	queue_work(model->fake->queue->wq, &model->wait);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&model->waited,
							     HZ / 10));
	model->blocking = false;
	complete(&model->go_on);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&model->waited,
							     10 * HZ));
	/* Returns at once if there is nothing to wait for. */
	vtd_prq_wait(&model->prq);
	vtd_end(model);
}

/* Let requests arrive after the driver has found the ring empty. */
static void complete_and_overflow(struct vtd_model *model)
{
	vtd_on(model, VTD_READ_STATUS, NULL);
	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x2000, WRITE_ACCESS | LAST);
	vtd_overflow(model, VTD_OTHER);
}

/*
 * After the driver has found the ring empty, it fills and the overflow bit is set. A
 * group whose last request is in the ring is complete.
 */
static void overflow_after_ring_was_found_empty(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_post(model, VTD_RID, FAKE_PASID, 2, 0x1000, WRITE_ACCESS);
	vtd_on(model, VTD_READ_STATUS, complete_and_overflow);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->early_clears);
	KUNIT_EXPECT_EQ(test, 1, model->prq.nr_overflows);
	KUNIT_EXPECT_EQ(test, 0, model->status & VTD_PRQ_OVERFLOW);
	KUNIT_EXPECT_EQ(test, VTD_SLOTS + 1, model->reported);
	KUNIT_EXPECT_EQ(test, 0, vtd_used(model));
	/* The first group has both requests, the other one is discarded. */
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 2, fake->taken[0]->fault_count);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

/* Requests in the ring are reported before the overflow bit is cleared. */
static void overflow_with_full_ring(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 50);
	unsigned int i;

	for (i = 0; i < 2; i++)
		vtd_post(model, VTD_RID, FAKE_PASID, i, 0x1000, WRITE_ACCESS);
	while (vtd_used(model) < VTD_SLOTS - 3)
		vtd_post(model, VTD_OTHER, 1, 0, 0x1000, WRITE_ACCESS);
	for (i = 0; i < 2; i++)
		vtd_post(model, VTD_RID, FAKE_PASID, i, 0x2000,
			 WRITE_ACCESS | LAST);
	vtd_overflow(model, VTD_OTHER);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->early_clears);
	KUNIT_EXPECT_EQ(test, 2, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

static void post_last(struct vtd_model *model)
{
	vtd_on(model, VTD_CLEARED, NULL);
	vtd_post(model, VTD_RID, FAKE_PASID, 3, 0x1000, WRITE_ACCESS | LAST);
}

/*
 * A request arrives as soon as the overflow bit is cleared. The pending bit is still
 * set, so there is no interrupt for it.
 */
static void request_right_after_overflow(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int interrupts;

	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_on(model, VTD_READ_STATUS, complete_and_overflow);
	vtd_on(model, VTD_CLEARED, post_last);
	vtd_prq_run(&model->prq);
	interrupts = model->interrupts;
	KUNIT_EXPECT_EQ(test, 2, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, vtd_used(model));
	/* The next request interrupts. */
	vtd_post(model, VTD_RID, FAKE_PASID, 4, 0x1000, WRITE_ACCESS | LAST);
	KUNIT_EXPECT_EQ(test, interrupts + 1, model->interrupts);
}

/* If hardware does not clear the overflow bit, it is handled as one overflow. */
static void overflow_bit_stays_set(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->stuck = 100;
	model->status = VTD_PRQ_OVERFLOW;
	vtd_post(model, VTD_OTHER, 1, 1, 0x1000, WRITE_ACCESS);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->prq.nr_overflows);
}

/*
 * Let a few requests arrive, at times more than the ring holds. The address of each one
 * is its number.
 */
static void post_at_random(struct vtd_model *model)
{
	unsigned int count = prandom_u32_state(&model->seed) % 8;

	if (prandom_u32_state(&model->seed) % 64 == 0)
		count = VTD_SLOTS + 5;
	while (count--) {
		unsigned int number = model->reported + vtd_used(model);

		vtd_post(model, VTD_OTHER, 1, 0, (u64)number << PAGE_SHIFT,
			 WRITE_ACCESS);
	}
}

/*
 * Requests arrive between any two accesses, and the queue is run only after an
 * interrupt. No request stays in the ring, and each one is reported once and in order.
 */
static void random_arrivals(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int handled = 0;
	unsigned int begun;
	unsigned int i;

	for (i = 0; i < 2000; i++) {
		post_at_random(model);
		if (model->interrupts == handled)
			continue;
		handled = model->interrupts;
		begun = model->reported;
		vtd_on(model, VTD_READ_STATUS, post_at_random);
		vtd_on(model, VTD_CLEARED, post_at_random);
		vtd_prq_run(&model->prq);
		for (; begun < model->reported; begun++)
			if (model->reported - begun <= VTD_LOG)
				KUNIT_ASSERT_EQ(test, (u64)begun << PAGE_SHIFT,
						model->log[begun % VTD_LOG].fault.prm.addr);
		if (model->interrupts == handled)
			KUNIT_ASSERT_EQ(test, 0, vtd_used(model));
	}
	KUNIT_EXPECT_GT(test, model->prq.nr_overflows, 10);
	KUNIT_EXPECT_EQ(test, 0, model->early_clears);
}

/* Registers as an earlier kernel has left them (kexec, kdump). */
static void start_with_stale_registers(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->head = 17;
	model->tail = 17;
	model->status = VTD_PRQ_PENDING | VTD_PRQ_OVERFLOW;
	vtd_prq_start(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	vtd_post(model, VTD_OTHER, 1, 1, 0x1000, WRITE_ACCESS);
	KUNIT_EXPECT_EQ(test, 1, model->interrupts);
	vtd_prq_run(&model->prq);
	KUNIT_ASSERT_EQ(test, 1, model->reported);
	vtd_check_request(test, &model->log[0], 1, 1, 0x1000,
			  IOMMU_FAULT_PERM_WRITE, false);
	KUNIT_EXPECT_EQ(test, 18, model->head);
}

/* A request arrived before the stale pending bit was cleared, without an interrupt. */
static void start_checks_ring(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->status = VTD_PRQ_PENDING;
	vtd_post(model, VTD_OTHER, 1, 1, 0x1000, WRITE_ACCESS);
	KUNIT_EXPECT_EQ(test, 0, model->interrupts);
	vtd_prq_start(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
}

/*
 * Devices that an earlier kernel has left running have filled the ring. It is emptied
 * before the overflow bit is cleared.
 */
static void start_keeps_overflow(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_overflow(model, VTD_OTHER);
	vtd_prq_start(&model->prq);
	KUNIT_EXPECT_EQ(test, VTD_PRQ_OVERFLOW, model->status);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	KUNIT_EXPECT_EQ(test, VTD_SLOTS - 1, model->reported);
	KUNIT_EXPECT_EQ(test, 0, model->early_clears);
}

/*
 * Reset the unit: hardware and devices have lost their state, and the ring its
 * requests.
 */
static void reset_unit(struct vtd_model *model)
{
	model->head = 0;
	model->tail = 0;
	model->status = VTD_PRQ_OVERFLOW;
	vtd_prq_restart(&model->prq);
}

static void reset_discards_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 60);

	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_post(model, VTD_RID, FAKE_PASID, 2, 0x1000, WRITE_ACCESS | LAST);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	vtd_post(model, VTD_RID, FAKE_PASID, 3, 0x1000, WRITE_ACCESS | LAST);
	reset_unit(model);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	/* The first request after the reset has the index of an earlier one. */
	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x5000, WRITE_ACCESS | LAST);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->forgotten);
	KUNIT_EXPECT_EQ(test, 3, model->reported);
	KUNIT_EXPECT_EQ(test, 1, model->head);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_ASSERT_EQ(test, 2, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 1, fake->taken[1]->fault_count);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->forgotten);
}

/* A wait for requests ends when a reset removes them from the ring. */
static void reset_ends_wait(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 100);
	unsigned int i;

	for (i = 0; i < 3; i++)
		vtd_post(model, VTD_OTHER, 1, i, 0x1000, WRITE_ACCESS);
	queue_work(model->fake->queue->wq, &model->wait);
	KUNIT_EXPECT_EQ(test, 0, wait_for_completion_timeout(&model->waited,
							     HZ / 10));
	reset_unit(model);
	vtd_post(model, VTD_OTHER, 1, 7, 0x1000, WRITE_ACCESS);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&model->waited,
							     10 * HZ));
	KUNIT_EXPECT_EQ(test, 1, model->reported);
	/* The counts match again. */
	KUNIT_EXPECT_EQ(test, model->prq.copied, model->prq.reported);
	vtd_end(model);
}

/* A waiter is the first to notice a reset. */
static void wait_after_reset(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 100);

	reset_unit(model);
	vtd_post(model, VTD_OTHER, 1, 7, 0x1000, WRITE_ACCESS);
	model->threaded = true;
	queue_work(model->fake->queue->wq, &model->wait);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&model->waited,
							     10 * HZ));
	vtd_end(model);
	KUNIT_EXPECT_EQ(test, 1, model->reported);
	KUNIT_EXPECT_EQ(test, 1, model->forgotten);
	KUNIT_EXPECT_EQ(test, 1, model->head);
}

/* Check that a stop marker with @extra0 and @addr is handled as any other one. */
static void check_odd_marker(struct kunit *test, u16 rid, u64 extra0, u64 addr)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	model->prq.format = VTD_PRQ_REV3;
	vtd_put(model, rid, 0, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_put(model, rid, extra0, FAKE_PASID, 2, addr, LAST);
	vtd_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, model->nr_sent);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->partial_requests);
	if (rid == VTD_RID)
		KUNIT_EXPECT_EQ(test, 0, model->prq.nr_bad);
}

static void stop_marker_ignores_other_fields(struct kunit *test)
{
	static const u16 rids[] = { VTD_RID, VTD_UNKNOWN };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rids); i++) {
		check_odd_marker(test, rids[i], 0, 0x0800000000000000ULL);
		check_odd_marker(test, rids[i], EXECUTE, 0x1000);
		check_odd_marker(test, rids[i], PRIVILEGED, 0x1000);
		check_odd_marker(test, rids[i], PRIVATE, 0x1000);
		check_odd_marker(test, rids[i], EXECUTE | PRIVILEGED | PRIVATE,
				 0xf000000000000000ULL);
	}
}

/* Without a PASID, a last request without access is not a stop marker. */
static void stop_marker_needs_pasid(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_put(model, VTD_UNKNOWN, 0, 0, 2, 0, LAST);
	model->ring[0] &= ~HAS_PASID;
	vtd_prq_run(&model->prq);
	KUNIT_ASSERT_EQ(test, 1, model->nr_sent);
	vtd_check_desc(test, &model->sent[0], 0x03001009, 2 << 3, 0, 0);
}

static struct kunit_case iopf_prq_cases[] = {
	KUNIT_CASE(full_ring_wraps),
	KUNIT_CASE(requesters_keep_their_order),
	KUNIT_CASE(unknown_requester_gets_owed_responses),
	KUNIT_CASE(bad_request_spoils_its_group),
	KUNIT_CASE(stop_marker_ends_unfinished_groups),
	KUNIT_CASE(stop_marker_ignores_other_fields),
	KUNIT_CASE(stop_marker_needs_pasid),
	KUNIT_CASE(overflow_discards_unfinished_groups),
	KUNIT_CASE(overflow_after_ring_was_found_empty),
	KUNIT_CASE(overflow_with_full_ring),
	KUNIT_CASE(request_right_after_overflow),
	KUNIT_CASE(overflow_bit_stays_set),
	KUNIT_CASE(random_arrivals),
	KUNIT_CASE(start_with_stale_registers),
	KUNIT_CASE(start_checks_ring),
	KUNIT_CASE(start_keeps_overflow),
	KUNIT_CASE(reset_discards_groups),
	KUNIT_CASE(reset_ends_wait),
	KUNIT_CASE(wait_after_reset),
	KUNIT_CASE(wait_covers_copied_requests),
	{ }
};

static struct kunit_suite iopf_prq_suite = {
	.name = "iopf_prq",
	.init = fake_init,
	.exit = vtd_suite_exit,
	.test_cases = iopf_prq_cases,
};

kunit_test_suite(iopf_prq_suite);
