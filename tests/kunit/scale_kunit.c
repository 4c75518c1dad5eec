// SPDX-License-Identifier: GPL-2.0
/*
 * The cost of a group for its reporter does not grow with the number of PASIDs
 */
#include <linux/mman.h>

#include "fake.h"

#define FIRST_PASID	1000
#define MANY		1024

static unsigned int nr_in_turn;

static void report_in_turn(struct fake *fake, unsigned int i)
{
	fake_begin_and_stop(fake, FIRST_PASID + i % nr_in_turn);
}

/* Return what a group costs if @nr PASIDs take turns. */
static u64 cost_in_turn(struct fake *fake, unsigned int nr)
{
	unsigned int i;

	nr_in_turn = nr;
	for (i = 0; i < nr; i++)
		report_in_turn(fake, i);
	return fake_cost(fake, report_in_turn);
}

/*
 * With one PASID more than there are idle PASID queues kept without a time limit, not
 * each group has to allocate one.
 */
static void report_cost_with_many_pasids(struct kunit *test)
{
	struct fake *fake = test->priv;
	u64 kept = cost_in_turn(fake, IOPF_IDLE_PQS);
	u64 more = cost_in_turn(fake, IOPF_IDLE_PQS + 1);
	u64 many = cost_in_turn(fake, MANY);

	kunit_info(test, "a group takes %llu ns with %u PASIDs, %llu with one more, %llu with %u",
		   kept, IOPF_IDLE_PQS, more, many, MANY);
	KUNIT_EXPECT_GE(test, 2 * kept + 2000, more);
	KUNIT_EXPECT_GE(test, 3 * kept + 2000, many);
}

static int flush_dev(void *data)
{
	return iopf_queue_flush_dev(fake_dev(data));
}

/* While a flush waits, a response does not look through all PASIDs. */
static void response_cost_during_flush(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	struct task_struct *task;
	u64 before;
	u64 during;

	cost_in_turn(fake, MANY);
	before = fake_cost(fake, fake_serve);
	fake->block_pasid = FAKE_SVA_PASID;
	fake_last(fake, FAKE_SVA_PASID, 1, addr);
	KUNIT_ASSERT_TRUE(test, wait_for_completion_timeout(&fake->blocked, 5 * HZ));
	task = fake_start_thread(test, flush_dev, fake);
	msleep(200);
	KUNIT_EXPECT_FALSE(test, list_empty(&fake_fdev(fake)->flushes));

	during = fake_cost(fake, fake_serve);
	kunit_info(test, "a group takes %llu ns, %llu during a flush, with %u PASIDs",
		   before, during, MANY);
	KUNIT_EXPECT_GE(test, 2 * before + 2000, during);

	fake->block_pasid = 0;
	complete(&fake->unblock);
	KUNIT_EXPECT_EQ(test, 0, kthread_stop_put(task));
}

static struct kunit_case iopf_scale_cases[] = {
	KUNIT_CASE(report_cost_with_many_pasids),
	KUNIT_CASE(response_cost_during_flush),
	{ }
};

static struct kunit_suite iopf_scale_suite = {
	.name = "iopf_scale",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_scale_cases,
};

kunit_test_suite(iopf_scale_suite);
