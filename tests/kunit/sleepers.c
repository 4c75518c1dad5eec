// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that sleep: others go on, and answers that wait behind them leave
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "fake.h"

static const struct iopf_key sva_key = { true, FAKE_SVA_PASID };

static struct iopf_lane *find_lane(struct fake *fake, const struct iopf_key *key)
{
	struct iopf_dev *idev = fake_idev(fake);
	struct iopf_lane *lane;

	spin_lock(&idev->lock);
	lane = iopf_lane_find(idev, key);
	spin_unlock(&idev->lock);
	return lane;
}

/* Until @nr groups of @lane wait for a worker, or for five seconds. */
static void wait_queued(struct iopf_lane *lane, unsigned int nr)
{
	unsigned long end = jiffies + 5 * HZ;

	while (READ_ONCE(lane->nr_queued) != nr && time_before(jiffies, end))
		msleep(20);
}

/* A lane's faults may sleep, as many as it has workers; the rest waits. */
static void bounded_sleepers(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct iopf_dev *idev = fake_idev(fake);
	struct iopf_lane *lane;
	int i;

	mmap_write_lock(current->mm);
	for (i = 0; i < 100; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr);
	lane = find_lane(fake, &sva_key);
	wait_queued(lane, 100 - IOPF_LANE_WORKERS);
	spin_lock(&idev->lock);
	KUNIT_EXPECT_EQ(test, IOPF_LANE_WORKERS, lane->nr_scheduled);
	KUNIT_EXPECT_EQ(test, 100 - IOPF_LANE_WORKERS, lane->nr_queued);
	spin_unlock(&idev->lock);
	/* Another PASID is served as if nothing were. */
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_answers(fake, 101));
}

#define FIRST_PASID	1000

/* The test's address space at @nr PASIDs from %FIRST_PASID on, too. */
static void attach_many(struct kunit *test, struct iommu_attach_handle *handles,
			unsigned int nr)
{
	struct fake *fake = test->priv;
	unsigned int i;

	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_EQ(test, 0,
				iommu_attach_device_pasid(&fake->sva,
							  fake_dev(fake),
							  FIRST_PASID + i,
							  &handles[i]));
}

static void detach_many(struct fake *fake, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		iommu_detach_device_pasid(&fake->sva, fake_dev(fake),
					  FIRST_PASID + i);
}

/* Of a process that is gone: its page requests are refused, which takes no lock. */
static struct mm_struct *gone_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mm->task_size = current->mm->task_size;
	mmgrab(mm);
	mmput(mm);
	return mm;
}

/* Workers of a new lane go where there are fewest, even if it is not here. */
static void spread_over_cpus(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct iommu_attach_handle handles[16];
	struct fake *fake = test->priv;
	struct iopf_key key = { true };
	unsigned int first = 0;
	unsigned int cpu;
	int balance = 0;
	int i;

	if (num_online_cpus() != 2)
		kunit_skip(test, "wants 2 CPUs");
	attach_many(test, handles, ARRAY_SIZE(handles));
	mmap_write_lock(current->mm);
	for (i = 0; i < ARRAY_SIZE(handles); i++) {
		key.pasid = FIRST_PASID + i;
		fake_last(fake, key.pasid, 0, addr);
		cpu = find_lane(fake, &key)->cpu;
		if (!i)
			first = cpu;
		balance += cpu == first ? 1 : -1;
		KUNIT_EXPECT_LE(test, abs(balance), 1);
	}
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_answers(fake, ARRAY_SIZE(handles)));
	detach_many(fake, ARRAY_SIZE(handles));
}

/* Workers that have begun; @waiting: those that have been queued and have not. */
static unsigned int nr_asleep(struct fake *fake, unsigned int *waiting)
{
	struct iopf_dev *idev = fake_idev(fake);
	struct iopf_lane *lane;
	unsigned long index;
	unsigned int nr = 0;

	*waiting = 0;
	spin_lock(&idev->lock);
	xa_for_each(&idev->lanes, index, lane) {
		nr += lane->nr_scheduled - lane->nr_waiting;
		*waiting += lane->nr_waiting;
	}
	spin_unlock(&idev->lock);
	return nr;
}

/*
 * Until no others fall asleep: those that were queued have begun and want no more. A
 * new thread for one of them may take a slow machine long; if there is none for ten
 * seconds, there is no room for it.
 */
static unsigned int wait_asleep(struct fake *fake)
{
	unsigned int waiting;
	unsigned int before;
	unsigned int nr = 0;
	int same = 0;

	do {
		before = nr;
		msleep(200);
		nr = nr_asleep(fake, &waiting);
		same = nr == before ? same + 1 : 0;
	} while (!same || (waiting && same < 50));
	return nr;
}

/*
 * However many PASIDs have all their faults asleep, more than the workqueue has room
 * for, another one gets in.
 */
static void crowd_of_sleepers(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	unsigned int nr = num_online_cpus() *
			  (WQ_MAX_ACTIVE / IOPF_LANE_WORKERS + 1);
	unsigned int groups = nr * IOPF_LANE_WORKERS;
	struct iopf_limits limits = { .pending = groups + 1, .lanes = nr + 1 };
	struct fake *fake = test->priv;
	struct iommu_attach_handle *handles;
	struct iommu_attach_handle handle;
	struct iommu_domain *gone;
	unsigned int i;

	/* For many threads a slow machine takes longer than groups may usually take. */
	iopf_queue_set_timeout(fake->queue, 0);
	gone = kunit_kzalloc(test, sizeof(*gone), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, gone);
	*gone = fake->sva;
	gone->mm = gone_mm(test);
	KUNIT_ASSERT_EQ(test, 0,
			iommu_attach_device_pasid(gone, fake_dev(fake),
						  FIRST_PASID + nr, &handle));
	handles = kunit_kcalloc(test, nr, sizeof(*handles), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, handles);
	KUNIT_ASSERT_EQ(test, 0,
			iopf_device_set_limits(fake_dev(fake), &limits));
	attach_many(test, handles, nr);

	mmap_write_lock(current->mm);
	for (i = 0; i < groups; i++)
		fake_last(fake, FIRST_PASID + i / IOPF_LANE_WORKERS, i, addr);
	KUNIT_EXPECT_GE(test, wait_asleep(fake), nr);
	KUNIT_EXPECT_EQ(test, 0, fake->answers);
	fake_last(fake, FIRST_PASID + nr, groups, addr);
	KUNIT_EXPECT_TRUE(test, fake_wait_answers(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	mmap_write_unlock(current->mm);

	KUNIT_EXPECT_TRUE(test, fake_wait_answers(fake, groups + 1));
	detach_many(fake, nr);
	iommu_detach_device_pasid(gone, fake_dev(fake), FIRST_PASID + nr);
	mmdrop(gone->mm);
}

#define KEPT		IOPF_LANE_WORKERS

/*
 * All workers of a lane sleep, and one of them has kept back the answer of group %KEPT,
 * as it would if its work item's turn to send it never came.
 */
static void keep_answer_back(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct iopf_dev *idev = fake_idev(fake);
	struct iopf_lane *lane;
	struct iopf_grp *grp;
	int i;

	mmap_write_lock(current->mm);
	for (i = 0; i <= KEPT; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr);
	lane = find_lane(fake, &sva_key);
	wait_queued(lane, 1);
	spin_lock(&idev->lock);
	grp = list_first_entry_or_null(&lane->queue, struct iopf_grp, pub.node);
	if (grp)
		iopf_claim(idev, grp, IOMMU_PAGE_RESP_SUCCESS, &lane->claimed);
	spin_unlock(&idev->lock);
	KUNIT_EXPECT_NOT_NULL(test, grp);
	KUNIT_EXPECT_EQ(test, 0, fake->answers);
}

/* The answer that was kept back has left, as it was; all others are @code. */
static void expect_answers(struct kunit *test,
			   enum iommu_page_response_code code)
{
	struct fake *fake = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, KEPT + 1, fake->answers);
	for (i = 0; i < min(fake->answers, KEPT + 1); i++)
		KUNIT_EXPECT_EQ(test, fake->log[i].code,
				fake->log[i].grpid == KEPT ?
				IOMMU_PAGE_RESP_SUCCESS : code);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_answers(fake, KEPT + 1));
}

static void kept_back_and_flushed(struct kunit *test)
{
	struct fake *fake = test->priv;

	keep_answer_back(test);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
	expect_answers(test, IOMMU_PAGE_RESP_INVALID);
}

/* Nor does the flush of all PASIDs wait for the watch to send it. */
static void kept_back_and_all_flushed(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long start;

	iopf_queue_set_timeout(fake->queue, 100 * MSEC_PER_SEC);
	keep_answer_back(test);
	start = jiffies;
	iopf_queue_flush_dev(fake_dev(fake));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 5 * HZ));
	expect_answers(test, IOMMU_PAGE_RESP_SUCCESS);
}

static void kept_back_and_removed(struct kunit *test)
{
	struct fake *fake = test->priv;

	keep_answer_back(test);
	fake_remove_device(fake);
	expect_answers(test, IOMMU_PAGE_RESP_INVALID);
	fake_add_device(test);
}

static void kept_back_and_overdue(struct kunit *test)
{
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, 2000);
	keep_answer_back(test);
	/* It leaves with the watch's next look, long before the others' time is over. */
	KUNIT_EXPECT_TRUE(test, fake_wait_answers(fake, 1));
	fake_wait_answers(fake, KEPT + 1);
	expect_answers(test, IOMMU_PAGE_RESP_SUCCESS);
}

static void kept_back_and_forgotten(struct kunit *test)
{
	struct fake *fake = test->priv;

	keep_answer_back(test);
	iopf_queue_forget_dev(fake_dev(fake));
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_answers(fake, 0));
	KUNIT_EXPECT_EQ(test, KEPT + 1, fake_idev(fake)->stats.discarded);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(bounded_sleepers),
	KUNIT_CASE(spread_over_cpus),
	KUNIT_CASE_SLOW(crowd_of_sleepers),
	KUNIT_CASE(kept_back_and_flushed),
	KUNIT_CASE(kept_back_and_all_flushed),
	KUNIT_CASE(kept_back_and_removed),
	KUNIT_CASE_SLOW(kept_back_and_overdue),
	KUNIT_CASE(kept_back_and_forgotten),
	{ }
};

static struct kunit_suite suite = {
	.name = "iopf-sleepers",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
