// SPDX-License-Identifier: GPL-2.0
/*
 * Progress of other faults and of responses while faults sleep
 */
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

/* Wait until @nr groups of @pq are queued. */
static void wait_queued(struct iopf_pasid_queue *pq, unsigned int nr)
{
	fake_wait_for(READ_ONCE(pq->nr_queued) == nr, 5 * HZ);
}

/* Wait until @pq has as many sleepers as it may have. */
static void wait_starved(struct iopf_pasid_queue *pq)
{
	fake_wait_for(READ_ONCE(pq->starved), 5 * HZ);
}

/* Sleepers that a PASID queue may have, and workers for which that is so. */
#define SLEEPERS	16
#define WORKERS		(SLEEPERS + SLEEPERS / 3)

/* Report @nr groups of a PASID, each for a page of its own from @addr on. */
static void report_pages(struct fake *fake, u32 pasid, unsigned long addr,
			 unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		fake_last(fake, pasid, i, addr + i * PAGE_SIZE);
}

/*
 * Faults of a PASID may sleep until only the reserved workers are left. Its other
 * groups wait, and another PASID is served. They are handled when the faults wake up.
 */
static void sleepers_leave_reserved_workers(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 100);
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
	/* Another PASID is served. */
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	fake_finish_group(fake->taken[0]);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 101));
	KUNIT_EXPECT_EQ(test, 0, fdev->stats.followed);
}

/*
 * The monitor starts many faults that sleep within a few of its runs, and not one fault
 * in each run.
 */
static void burst_of_sleepers(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 200);
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

/* A deferred response is sent although the fault of the next group sleeps. */
static void deferred_response_sent_while_next_fault_sleeps(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned long addr = slow_map(test, 2);
	unsigned long start = jiffies;
	struct iopf_pasid_queue *pq;

	slow_hold(1);

	/* Pretend that all CPUs have workers, so that one worker takes both groups. */
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

/* Let a group's fault for the page at @addr sleep, and @nr groups follow it. */
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

/* Groups that wait for one page need one worker, and each gets a response. */
static void followers_share_one_worker(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;

	iopf_queue_set_timeout(fake->queue, 0);
	mmap_write_lock(current->mm);
	sleep_and_follow(test, addr, 50);
	mmap_write_unlock(current->mm);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 51));
	KUNIT_EXPECT_EQ(test, 51,
			fake_fdev(fake)->stats.responses[IOMMU_PAGE_RESP_SUCCESS]);
}

/* A flush responds to the sleeper's group and to its followers. */
static void followers_flushed(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
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
 * After the timeout has responded to all groups, the worker sleeps on for those that
 * the device sends again. A flush still interrupts it.
 */
static void followers_timed_out(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
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

/* Attach the test's address space to @nr PASIDs from %FIRST_PASID on. */
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

/*
 * Create an mm without users, as of a process that has exited. Its page requests are
 * refused without a lock.
 */
static struct mm_struct *new_dead_mm(struct kunit *test)
{
	struct mm_struct *mm = fake_new_mm(test);

	mmgrab(mm);
	fake_drop_mm_at_exit(test, mm);
	mmput(mm);
	return mm;
}

/* Return the number of PASID queues that have one worker. */
static unsigned int nr_pqs_with_one_worker(struct fake *fake)
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
 * Wait until all but @nr workers of the pool have a group. Not until they are marked as
 * asleep, as the monitor does not run when no group is queued.
 */
static void wait_free(struct iopf_device *fdev, unsigned int nr)
{
	fake_wait_for(READ_ONCE(fdev->fq->pool.nr_free) == nr &&
		      !READ_ONCE(fdev->nr_waiting), 10 * HZ);
}

/* PASIDs with a sleeper each. */
#define CROWD		40

/*
 * However many PASIDs have a sleeper and further groups, another PASID is served as
 * long as there is a worker. When there is none, it is served as soon as one returns.
 */
static void sleepers_of_many_pasids(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 2);
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
	gone->mm = new_dead_mm(test);
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
	/*
	 * One of the two remaining workers is reserved for a PASID without a sleeper.
	 */
	wait_free(fdev, 1);
	msleep(50);
	KUNIT_EXPECT_EQ(test, CROWD - 1, nr_pqs_with_one_worker(fake));
	KUNIT_EXPECT_EQ(test, 1, READ_ONCE(fdev->fq->pool.nr_free));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	fake_last(fake, FIRST_PASID + CROWD, CROWD, addr);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);

	/* Without workers, the next fault waits until one returns. */
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
}

/* Index of the group whose response defer_response() defers. */
#define DEFERRED	SLEEPERS

/*
 * Let all workers that a PASID queue may have sleep uninterruptibly, and defer the
 * response to group %DEFERRED. The monitor does not know of that response.
 */
static void defer_response(struct kunit *test)
{
	unsigned long addr = slow_map(test, DEFERRED + 1);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;
	struct iopf_prg *prg;
	unsigned int i;

	fake_leave_workers(test, WORKERS);
	for (i = 0; i <= DEFERRED; i++)
		slow_hold(i);
	report_pages(fake, FAKE_SVA_PASID, addr, DEFERRED + 1);
	pq = find_pq(fake);
	wait_starved(pq);
	wait_queued(pq, 1);
	/* Let the monitor take the PASID queue off its list. */
	msleep(50);
	KUNIT_EXPECT_TRUE(test, list_empty(&pq->monitored_node));
	fake_postpone_timeout(fake);
	spin_lock(&fdev->lock);
	prg = list_first_entry_or_null(&pq->queue, struct iopf_prg, base.node);
	if (prg)
		iopf_claim(fdev, prg, IOMMU_PAGE_RESP_SUCCESS, &pq->deferred);
	spin_unlock(&fdev->lock);
	KUNIT_EXPECT_NOT_NULL(test, prg);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
}

/*
 * Check that the deferred response was sent unchanged, and that all others have @code.
 */
static void expect_responses(struct kunit *test,
			     enum iommu_page_response_code code)
{
	struct fake *fake = test->priv;
	unsigned int i;

	KUNIT_EXPECT_EQ(test, DEFERRED + 1, fake->responses);
	for (i = 0; i < min(fake->responses, DEFERRED + 1); i++)
		KUNIT_EXPECT_EQ(test, fake->log[i].code,
				fake->log[i].grpid == DEFERRED ?
				IOMMU_PAGE_RESP_SUCCESS : code);
	slow_release_all();
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, DEFERRED + 1));
}

static void deferred_response_on_flush_pasid(struct kunit *test)
{
	struct fake *fake = test->priv;

	defer_response(test);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_SVA_PASID);
	expect_responses(test, IOMMU_PAGE_RESP_INVALID);
}

/* A flush of the device does not leave it to the timeout work either. */
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
	/*
	 * The timeout work sends it in its next run, long before the timeout of the
	 * other groups.
	 */
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 1));
	fake_wait_responses(fake, DEFERRED + 1);
	expect_responses(test, IOMMU_PAGE_RESP_SUCCESS);
}

static void deferred_response_on_reset(struct kunit *test)
{
	struct fake *fake = test->priv;

	defer_response(test);
	iopf_queue_reset_dev(fake_dev(fake));
	slow_release_all();
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 0));
	KUNIT_EXPECT_EQ(test, DEFERRED + 1, fake_fdev(fake)->stats.discarded);
}

#ifdef CONFIG_MEMCG
/*
 * The last task of an address space has exited: a fault that sleeps in it ends, as do
 * its followers, and their references to the mm are dropped.
 */
static void fault_of_killed_process_ends(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct mm_struct *mm = current->mm;
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct task_struct *owner;
	int i;

	iopf_queue_set_timeout(fake->queue, 0);
	mmap_write_lock(mm);
	for (i = 0; i < 8; i++)
		fake_last(fake, FAKE_SVA_PASID, i, addr);
	fake_wait_for(READ_ONCE(find_pq(fake)->nr_asleep), 10 * HZ);
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&mm->mm_users));
	msleep(500);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);

	owner = rcu_dereference_protected(mm->owner, true);
	rcu_assign_pointer(mm->owner, NULL);
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 8));
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[i].code);
	fake_wait_for(!READ_ONCE(fdev->nr_workers), 10 * HZ);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&mm->mm_users));
	rcu_assign_pointer(mm->owner, owner);
	mmap_write_unlock(mm);

	/* The worker's thread handles further faults. */
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
