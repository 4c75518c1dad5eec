// SPDX-License-Identifier: GPL-2.0
/*
 * Faults that sleep: others go on, and responses that wait behind them leave
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include "fake.h"
#include "slow.h"

static struct iopf_pasid_queue *find_pq(struct fake *fake)
{
	return fake_find_pq(fake_fdev(fake), FAKE_SVA_PASID);
}

/* Until @nr groups of @pq wait for a worker, or for five seconds. */
static void wait_queued(struct iopf_pasid_queue *pq, unsigned int nr)
{
	unsigned long end = jiffies + 5 * HZ;

	while (READ_ONCE(pq->nr_queued) != nr && time_before(jiffies, end))
		msleep(20);
}

/* Until all sleepers of @pq are there that it may have, or for five seconds. */
static void wait_starved(struct iopf_pasid_queue *pq)
{
	unsigned long end = jiffies + 5 * HZ;

	while (!READ_ONCE(pq->starved) && time_before(jiffies, end))
		msleep(20);
}

/* So many sleepers a PASID may have where there are so many workers. */
#define SLEEPERS	16
#define WORKERS		(SLEEPERS + SLEEPERS / 3)

/* @nr groups of a PASID, each for a page of its own from @addr on. */
static void report_pages(struct fake *fake, u32 pasid, unsigned long addr,
			 unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		fake_last(fake, pasid, i, addr + i * PAGE_SIZE);
}

/*
 * A PASID's faults may sleep until only the reserved workers are left. The rest waits,
 * and another PASID gets in. When they wake up, those that wait go on.
 */
static void sleepers_leave_reserved_workers(struct kunit *test)
{
	unsigned long addr = fake_map(test, 100 * PAGE_SIZE,
				      PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;

	iopf_queue_set_timeout(fake->queue, 0);
	fake_leave_workers(test, WORKERS);
	mmap_write_lock(current->mm);
	report_pages(fake, FAKE_SVA_PASID, addr, 100);
	pq = find_pq(fake);
	wait_starved(pq);
	wait_queued(pq, 100 - SLEEPERS);
	msleep(50);
	KUNIT_EXPECT_EQ(test, SLEEPERS, READ_ONCE(pq->nr_workers));
	KUNIT_EXPECT_EQ(test, 100 - SLEEPERS, READ_ONCE(pq->nr_queued));
	KUNIT_EXPECT_TRUE(test, READ_ONCE(pq->starved));
	/* Another PASID is served as if nothing were. */
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 101));
	KUNIT_EXPECT_EQ(test, 0, fdev->stats.followed);
}

/* A burst of faults that sleep is begun in a few looks, not in one look each. */
static void burst_of_sleepers(struct kunit *test)
{
	unsigned long addr = fake_map(test, 200 * PAGE_SIZE,
				      PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct iopf_pasid_queue *pq;
	u64 start;

	iopf_queue_set_timeout(fake->queue, 0);
	mmap_write_lock(current->mm);
	start = ktime_get_ns();
	report_pages(fake, FAKE_SVA_PASID, addr, 200);
	pq = find_pq(fake);
	while (READ_ONCE(pq->nr_queued) &&
	       ktime_get_ns() - start < 5ULL * NSEC_PER_SEC)
		usleep_range(500, 1000);
	KUNIT_EXPECT_EQ(test, 0, pq->nr_queued);
	kunit_info(test, "200 faults asleep after %llu us",
		   (ktime_get_ns() - start) / NSEC_PER_USEC);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 200));
}

/* The response to a group is not deferred for as long as the next one's fault sleeps. */
static void deferred_response_sent_while_next_fault_sleeps(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned long addr = slow_map(test, 2);
	unsigned long start = jiffies;
	struct iopf_pasid_queue *pq;

	slow_hold(1);

	/* One worker takes both: no other one is there, and none comes meanwhile. */
	spin_lock(&fdev->lock);
	fdev->nr_workers += 2 * nr_cpu_ids;
	spin_unlock(&fdev->lock);
	report_pages(fake, FAKE_SVA_PASID, addr, 2);
	spin_lock(&fdev->lock);
	fdev->nr_workers -= 2 * nr_cpu_ids;
	spin_unlock(&fdev->lock);
	fake_postpone_timeout(fake);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 8 * HZ));
	pq = find_pq(fake);
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(pq->nr_workers));
	slow_release(1);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2));
}

/* A group asleep for the page at @addr, and @nr others that wait for it. */
static struct iopf_pasid_queue *sleep_and_follow(struct kunit *test, unsigned long addr,
						 unsigned int nr)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;
	unsigned int i;

	for (i = 0; i <= nr; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr);
	pq = find_pq(fake);
	wait_queued(pq, 0);
	KUNIT_EXPECT_EQ(test, nr, READ_ONCE(fdev->stats.followed));
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(pq->nr_asleep));
	KUNIT_EXPECT_EQ(test, 0, READ_ONCE(pq->nr_queued));
	return pq;
}

/* Those that wait for a page take one worker, and each is answered. */
static void followers_share_one_worker(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, 0);
	mmap_write_lock(current->mm);
	sleep_and_follow(test, addr, 50);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 51));
	KUNIT_EXPECT_EQ(test, 51,
			fake_fdev(fake)->stats.responses[IOMMU_PAGE_RESP_SUCCESS]);
}

static void followers_flushed(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;

	mmap_write_lock(current->mm);
	sleep_and_follow(test, addr, 5);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
	KUNIT_EXPECT_EQ(test, 6, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.interrupted);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 6));
}

/*
 * When their time is over, the worker sleeps on for those that ask again. A flush still
 * reaches it.
 */
static void followers_timed_out(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;

	iopf_queue_set_timeout(fake->queue, 200);
	mmap_write_lock(current->mm);
	pq = sleep_and_follow(test, addr, 5);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 6));
	KUNIT_EXPECT_EQ(test, 6, fdev->stats.retried);
	KUNIT_EXPECT_EQ(test, 0, fdev->stats.interrupted);
	iopf_queue_set_timeout(fake->queue, 0);
	fake_last(fake, FAKE_SVA_PASID, 7, addr);
	wait_queued(pq, 0);
	KUNIT_EXPECT_EQ(test, 6, READ_ONCE(fdev->stats.followed));
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(pq->nr_workers));
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
	KUNIT_EXPECT_EQ(test, 7, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fdev->stats.interrupted);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 7));
}

#define FIRST_PASID	1000

/* The test's address space at @nr PASIDs from %FIRST_PASID on, too. */
static void attach_many(struct kunit *test, struct iommu_sva *bonds,
			unsigned int nr)
{
	struct fake *fake = test->priv;
	unsigned int i;

	for (i = 0; i < nr; i++)
		fake_bind_to(test, &fake->sva, fake_dev(fake), FIRST_PASID + i,
			     &bonds[i]);
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

/* PASID queues that have one worker. */
static unsigned int nr_pasid_queues_with_one(struct fake *fake)
{
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq)
		if (pq->nr_workers == 1)
			nr++;
	spin_unlock(&fdev->lock);
	return nr;
}

/*
 * Until all but @nr workers of the pool have a group, or for ten seconds. Not until they
 * are seen asleep: nobody looks at them where nothing waits for one.
 */
static void wait_free(struct iopf_device *fdev, unsigned int nr)
{
	int i;

	for (i = 0; i < 500; i++) {
		if (READ_ONCE(fdev->fq->pool.nr_free) == nr &&
		    !READ_ONCE(fdev->nr_waiting))
			return;
		msleep(20);
	}
}

#define CROWD		40

/*
 * However many PASIDs have a fault asleep, and would have others, another one gets in
 * as long as there is a worker; and when there is none, as soon as one comes back.
 */
static void sleepers_of_many_pasids(struct kunit *test)
{
	unsigned long addr = fake_map(test, 2 * PAGE_SIZE,
				      PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iommu_sva *bonds;
	struct iommu_sva bond;
	struct iommu_domain *gone;
	unsigned int i;

	iopf_queue_set_timeout(fake->queue, 0);
	gone = kunit_kzalloc(test, sizeof(*gone), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, gone);
	*gone = fake->sva;
	gone->mm = gone_mm(test);
	fake_bind_to(test, gone, fake_dev(fake), FIRST_PASID + CROWD, &bond);
	bonds = kunit_kcalloc(test, CROWD, sizeof(*bonds), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, bonds);
	attach_many(test, bonds, CROWD);
	fake_leave_workers(test, CROWD + 2);

	mmap_write_lock(current->mm);
	for (i = 0; i < CROWD; i++)
		fake_last(fake, FIRST_PASID + i, 0, addr);
	wait_free(fdev, 2);
	for (i = 0; i < CROWD; i++)
		fake_last(fake, FIRST_PASID + i, 1, addr + PAGE_SIZE);
	/* One of the two that are left is for a PASID without a sleeper. */
	wait_free(fdev, 1);
	msleep(50);
	KUNIT_EXPECT_EQ(test, CROWD - 1, nr_pasid_queues_with_one(fake));
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(fdev->fq->pool.nr_free));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	fake_last(fake, FIRST_PASID + CROWD, CROWD, addr);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);

	/* The last ones go; the next fault waits until one of them is back. */
	fake_leave_workers(test, 0);
	fake_last(fake, FIRST_PASID + CROWD, CROWD, addr);
	msleep(50);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_FALSE(test, list_empty(&fdev->starved));
	KUNIT_EXPECT_TRUE(test, fake_return_worker());
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2));
	mmap_write_unlock(current->mm);

	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2 * CROWD + 2));
	detach_many(fake, CROWD);
	iommu_detach_device_pasid(gone, fake_dev(fake), FIRST_PASID + CROWD);
	mmdrop(gone->mm);
}

#define KEPT		SLEEPERS

/*
 * All workers that a PASID queue may have sleep, and no signal wakes them. One of them has
 * deferred the response to group %KEPT, which the look does not know of.
 */
static void defer_response(struct kunit *test)
{
	unsigned long addr = slow_map(test, KEPT + 1);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;
	struct iopf_prg *prg;
	unsigned int i;

	fake_leave_workers(test, WORKERS);
	for (i = 0; i <= KEPT; i++)
		slow_hold(i);
	report_pages(fake, FAKE_SVA_PASID, addr, KEPT + 1);
	pq = find_pq(fake);
	wait_starved(pq);
	wait_queued(pq, 1);
	/* The look takes the PASID queue off its list. */
	msleep(50);
	KUNIT_EXPECT_TRUE(test, list_empty(&pq->busy_node));
	fake_postpone_timeout(fake);
	spin_lock(&fdev->lock);
	prg = list_first_entry_or_null(&pq->queue, struct iopf_prg, base.node);
	if (prg)
		iopf_claim(fdev, prg, IOMMU_PAGE_RESP_SUCCESS, &pq->claimed);
	spin_unlock(&fdev->lock);
	KUNIT_EXPECT_NOT_NULL(test, prg);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

/* The answer that was deferred has left, as it was; all others are @code. */
static void expect_responses(struct kunit *test,
			     enum iommu_page_response_code code)
{
	struct fake *fake = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, KEPT + 1, fake->responses);
	for (i = 0; i < min(fake->responses, KEPT + 1); i++)
		KUNIT_EXPECT_EQ(test, fake->log[i].code,
				fake->log[i].grpid == KEPT ?
				IOMMU_PAGE_RESP_SUCCESS : code);
	slow_release_all();
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, KEPT + 1));
}

static void deferred_response_on_flush_pasid(struct kunit *test)
{
	struct fake *fake = test->priv;

	defer_response(test);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
	expect_responses(test, IOMMU_PAGE_RESP_INVALID);
}

/* Nor does the flush of all PASIDs wait for the watch to send it. */
static void deferred_response_on_flush_dev(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned long start;

	iopf_queue_set_timeout(fake->queue, 100 * MSEC_PER_SEC);
	defer_response(test);
	start = jiffies;
	iopf_queue_flush_dev(fake_dev(fake));
	KUNIT_EXPECT_TRUE(test, time_before(jiffies, start + 5 * HZ));
	expect_responses(test, IOMMU_PAGE_RESP_SUCCESS);
}

static void deferred_response_on_removal(struct kunit *test)
{
	struct fake *fake = test->priv;

	defer_response(test);
	fake_remove_device(fake);
	expect_responses(test, IOMMU_PAGE_RESP_INVALID);
	fake_add_device(test);
}

static void deferred_response_on_timeout(struct kunit *test)
{
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, 2000);
	defer_response(test);
	mod_delayed_work(iopf_wq, &fake_fdev(fake)->timeout_work, 0);
	/* It leaves with the watch's next look, long before the others' time is over. */
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 1));
	fake_wait_responses(fake, KEPT + 1);
	expect_responses(test, IOMMU_PAGE_RESP_SUCCESS);
}

static void deferred_response_on_reset(struct kunit *test)
{
	struct fake *fake = test->priv;

	defer_response(test);
	iopf_queue_reset_dev(fake_dev(fake));
	slow_release_all();
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 0));
	KUNIT_EXPECT_EQ(test, KEPT + 1, fake_fdev(fake)->stats.discarded);
}

#ifdef CONFIG_MEMCG
/*
 * The last task of an address space is gone: a fault that sleeps in it ends, as do those
 * that follow it, and nobody uses it any more.
 */
static void fault_of_killed_process_ends(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct mm_struct *mm = current->mm;
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct task_struct *owner;
	int i;

	iopf_queue_set_timeout(fake->queue, 0);
	mmap_write_lock(mm);
	for (i = 0; i < 8; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr);
	for (i = 0; i < 500 && !READ_ONCE(find_pq(fake)->nr_asleep); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&mm->mm_users));
	msleep(500);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);

	owner = rcu_dereference_protected(mm->owner, true);
	rcu_assign_pointer(mm->owner, NULL);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 8));
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[i].code);
	for (i = 0; i < 500 && READ_ONCE(fdev->nr_workers); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&mm->mm_users));
	rcu_assign_pointer(mm->owner, owner);
	mmap_write_unlock(mm);

	/* The thread is as good as ever. */
	fake_last(fake, FAKE_SVA_PASID, 8, addr);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 9));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[8].code);
}
#endif

static struct kunit_case iopf_progress_cases[] = {
#ifdef CONFIG_MEMCG
	KUNIT_CASE(fault_of_killed_process_ends),
#endif
	KUNIT_CASE(sleepers_leave_reserved_workers),
	KUNIT_CASE(burst_of_sleepers),
	KUNIT_CASE(deferred_response_sent_while_next_fault_sleeps),
	KUNIT_CASE(followers_share_one_worker),
	KUNIT_CASE(followers_flushed),
	KUNIT_CASE(followers_timed_out),
	KUNIT_CASE(sleepers_of_many_pasids),
	KUNIT_CASE(deferred_response_on_flush_pasid),
	KUNIT_CASE(deferred_response_on_flush_dev),
	KUNIT_CASE(deferred_response_on_removal),
	KUNIT_CASE_SLOW(deferred_response_on_timeout),
	KUNIT_CASE(deferred_response_on_reset),
	{ }
};

static struct kunit_suite iopf_progress_suite = {
	.name = "iopf_progress",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_progress_cases,
};

kunit_test_suite(iopf_progress_suite);
