// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue, with a model in the place of registers and ring: what
 * the emulation that guests have cannot produce
 */
#include <linux/prandom.h>

#include "vtd_model.h"

/* The whole ring at once, from its middle over its end. */
static void full_ring_wraps(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 100);
	unsigned int i;

	for (i = 0; i < VTD_SLOTS - 1; i++)
		vtd_put(model, VTD_OTHER, 0, 1, i, i << PAGE_SHIFT, WRITE_ACCESS);
	KUNIT_EXPECT_TRUE(test, iopf_prq_run(&model->prq));
	KUNIT_EXPECT_EQ(test, 99, model->head);
	KUNIT_ASSERT_EQ(test, VTD_SLOTS - 1, model->reported);
	for (i = 0; i < VTD_SLOTS - 1; i++)
		vtd_check_request(test, &model->log[i], 1, i, i << PAGE_SHIFT,
				  IOMMU_FAULT_PERM_WRITE, false);
	/* The slots are free before the first request of a batch is reported. */
	KUNIT_EXPECT_EQ(test, (100 + IOPF_PRQ_BATCH) % VTD_SLOTS,
			model->heads[0]);
	KUNIT_EXPECT_FALSE(test, iopf_prq_run(&model->prq));
}

/* Each device's requests stay in their order. */
static void requesters_keep_their_order(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int next[3] = { 0 };
	unsigned int i;

	for (i = 0; i < 60; i++)
		vtd_put(model, VTD_OTHER + i % 3, 0, 1, i, 0, WRITE_ACCESS);
	iopf_prq_run(&model->prq);
	KUNIT_ASSERT_EQ(test, 60, model->reported);
	for (i = 0; i < 60; i++) {
		u32 index = model->log[i].fault.prm.grpid;
		u16 device = model->rids[i] - VTD_OTHER;

		KUNIT_EXPECT_EQ(test, device, index % 3);
		KUNIT_EXPECT_EQ(test, next[device]++, index / 3);
	}
}

/* Only what PRI owes a response to gets one. */
static void unknown_requester_gets_owed_responses(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->prq.format = IOPF_PRQ_REV3;
	vtd_put(model, VTD_UNKNOWN, 0, 1, 1, 0x1000, WRITE_ACCESS);
	vtd_put(model, VTD_UNKNOWN, 0, 1, 1, 0, LAST);
	vtd_put(model, VTD_UNKNOWN, 0, 1, 2, 0x1000, WRITE_ACCESS | LAST);
	vtd_put(model, VTD_UNKNOWN, PRIVATE, 1, 3, 0x1000, WRITE_ACCESS);
	vtd_put(model, VTD_UNKNOWN, PRIVILEGED, 1, 4, 0x1000, WRITE_ACCESS | LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->reported);
	KUNIT_ASSERT_EQ(test, 3, model->nr_sent);
	vtd_check_desc(test, &model->sent[0], 0x103001019ULL, 2 << 3 | LAST, 0, 0);
	vtd_check_desc(test, &model->sent[1], 0x103001039ULL, 3 << 3, 0x1111, 0x2222);
	vtd_check_desc(test, &model->sent[2], 0x103001019ULL, 4 << 3 | LAST, 0, 0);
}

/* One bad request, last or not, and its whole group gets one response, a bad one. */
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
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_PASID, 2));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_partial);
	KUNIT_EXPECT_EQ(test, 2, model->prq.nr_bad);
}

static void bad_request_spoils_its_group(struct kunit *test)
{
	check_refused(test, PRIVILEGED, 0x5000, READ_ACCESS);
	check_refused(test, EXECUTE, 0x5000, READ_ACCESS);
	check_refused(test, 0, 0x0800000000000000ULL, WRITE_ACCESS);
}

/* It ends its PASID's unfinished groups and is not answered. */
static void stop_marker_ends_unfinished_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_put(model, VTD_RID, 0, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_put(model, VTD_RID, 0, FAKE_PASID, 2, 0, LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_partial);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
}

/* Hardware has answered the last requests that it dropped: what waits is forgotten. */
static void overflow_discards_unfinished_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int i;

	for (i = 0; i < 10; i++)
		vtd_put(model, VTD_RID, 0, FAKE_PASID, i, 0x1000, WRITE_ACCESS);
	model->status = IOPF_PRQ_PENDING | IOPF_PRQ_OVERFLOW;
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	KUNIT_EXPECT_EQ(test, 1, model->prq.nr_overflows);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 10, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_partial);
}

/* A request that has left the ring and is not reported yet is waited for. */
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
	/* Nothing to wait for. */
	iopf_prq_wait(&model->prq);
	vtd_end(model);
}

/* Requests that come while the tail is already known to be at the head. */
static void complete_and_overflow(struct vtd_model *model)
{
	vtd_on(model, VTD_READ_STATUS, NULL);
	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x2000, WRITE_ACCESS | LAST);
	vtd_overflow(model, VTD_OTHER);
}

/*
 * The ring is full, and the overflow bit set, when the driver has just found it empty.
 * The group whose last request is among these is whole.
 */
static void overflow_after_ring_was_found_empty(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_post(model, VTD_RID, FAKE_PASID, 2, 0x1000, WRITE_ACCESS);
	vtd_on(model, VTD_READ_STATUS, complete_and_overflow);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->early_clears);
	KUNIT_EXPECT_EQ(test, 1, model->prq.nr_overflows);
	KUNIT_EXPECT_EQ(test, 0, model->status & IOPF_PRQ_OVERFLOW);
	KUNIT_EXPECT_EQ(test, VTD_SLOTS + 1, model->reported);
	KUNIT_EXPECT_EQ(test, 0, vtd_used(model));
	/* Both pages of the first group, and the other group is forgotten. */
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 2, fake->taken[0]->fault_count);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

/* What is in the ring with the bit set is reported before the bit is cleared. */
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
	iopf_prq_run(&model->prq);
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
 * A request comes as soon as hardware takes any again. The pending bit is still set, so
 * there is no interrupt for it.
 */
static void request_right_after_overflow(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);
	unsigned int interrupts;

	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_on(model, VTD_READ_STATUS, complete_and_overflow);
	vtd_on(model, VTD_CLEARED, post_last);
	iopf_prq_run(&model->prq);
	interrupts = model->interrupts;
	KUNIT_EXPECT_EQ(test, 2, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, vtd_used(model));
	/* The next one interrupts. */
	vtd_post(model, VTD_RID, FAKE_PASID, 4, 0x1000, WRITE_ACCESS | LAST);
	KUNIT_EXPECT_EQ(test, interrupts + 1, model->interrupts);
}

/* A bit that hardware does not clear keeps the thread no longer than an overflow. */
static void overflow_bit_stays_set(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->stuck = 100;
	model->status = IOPF_PRQ_OVERFLOW;
	vtd_post(model, VTD_OTHER, 1, 1, 0x1000, WRITE_ACCESS);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->prq.nr_overflows);
}

/* A few requests, at times a whole ring of them, each with the next number for address. */
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
 * Requests come between any two accesses, and the queue is run only when there was an
 * interrupt: none stays in the ring, none is reported twice or in another order.
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
		iopf_prq_run(&model->prq);
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

/* As a former kernel has left it (kexec, kdump). */
static void start_with_stale_registers(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->head = 17;
	model->tail = 17;
	model->status = IOPF_PRQ_PENDING | IOPF_PRQ_OVERFLOW;
	iopf_prq_start(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	vtd_post(model, VTD_OTHER, 1, 1, 0x1000, WRITE_ACCESS);
	KUNIT_EXPECT_EQ(test, 1, model->interrupts);
	iopf_prq_run(&model->prq);
	KUNIT_ASSERT_EQ(test, 1, model->reported);
	vtd_check_request(test, &model->log[0], 1, 1, 0x1000,
			  IOMMU_FAULT_PERM_WRITE, false);
	KUNIT_EXPECT_EQ(test, 18, model->head);
}

/* A request that has come before the stale pending bit was cleared: no interrupt. */
static void start_checks_ring(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	model->status = IOPF_PRQ_PENDING;
	vtd_post(model, VTD_OTHER, 1, 1, 0x1000, WRITE_ACCESS);
	KUNIT_EXPECT_EQ(test, 0, model->interrupts);
	iopf_prq_start(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
}

/* Devices that a former kernel has left running have filled the ring: first it is emptied. */
static void start_keeps_overflow(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_overflow(model, VTD_OTHER);
	iopf_prq_start(&model->prq);
	KUNIT_EXPECT_EQ(test, IOPF_PRQ_OVERFLOW, model->status);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	KUNIT_EXPECT_EQ(test, VTD_SLOTS - 1, model->reported);
	KUNIT_EXPECT_EQ(test, 0, model->early_clears);
}

/* Hardware and devices have lost their state; a request in the ring, too. */
static void reset_unit(struct vtd_model *model)
{
	model->head = 0;
	model->tail = 0;
	model->status = IOPF_PRQ_OVERFLOW;
	iopf_prq_restart(&model->prq);
}

static void reset_discards_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 60);

	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_post(model, VTD_RID, FAKE_PASID, 2, 0x1000, WRITE_ACCESS | LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	vtd_post(model, VTD_RID, FAKE_PASID, 3, 0x1000, WRITE_ACCESS | LAST);
	reset_unit(model);
	KUNIT_EXPECT_EQ(test, 1, model->woken);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	/* The first request of the device's new life has an old index. */
	vtd_post(model, VTD_RID, FAKE_PASID, 1, 0x5000, WRITE_ACCESS | LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->forgotten);
	KUNIT_EXPECT_EQ(test, 3, model->reported);
	KUNIT_EXPECT_EQ(test, 1, model->head);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_ASSERT_EQ(test, 2, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 1, fake->taken[1]->fault_count);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 1, model->forgotten);
}

/* Requests that were waited for, and that a reset took away, are not waited for. */
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
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_NE(test, 0, wait_for_completion_timeout(&model->waited,
							     10 * HZ));
	KUNIT_EXPECT_EQ(test, 1, model->reported);
	/* Numbers are right again. */
	KUNIT_EXPECT_EQ(test, model->prq.copied, model->prq.reported);
	vtd_end(model);
}

/* The first one to look after a reset is one who waits. */
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

/* A stop marker says nothing but that it is one, and is owed no response. */
static void check_odd_marker(struct kunit *test, u16 rid, u64 extra0, u64 addr)
{
	struct fake *fake = test->priv;
	struct vtd_model *model = vtd_model_new(test, 0);

	model->prq.format = IOPF_PRQ_REV3;
	vtd_put(model, rid, 0, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	vtd_put(model, rid, extra0, FAKE_PASID, 2, addr, LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, model->nr_sent);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_partial);
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

/* Without a PASID there are no stop markers: it is a last request as any other. */
static void stop_marker_needs_pasid(struct kunit *test)
{
	struct vtd_model *model = vtd_model_new(test, 0);

	vtd_put(model, VTD_UNKNOWN, 0, 0, 2, 0, LAST);
	model->ring[0] &= ~HAS_PASID;
	iopf_prq_run(&model->prq);
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
