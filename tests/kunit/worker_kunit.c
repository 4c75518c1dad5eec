// SPDX-License-Identifier: GPL-2.0
/*
 * Workers: shortage, starved PASID queues, sleep and end
 */
#include <linux/mm.h>
#include <linux/sched/isolation.h>
#include <linux/sched/mm.h>

#include "fake.h"
#include "slow.h"

/* A PASID beside %FAKE_SVA_PASID. */
#define OTHER_PASID	1000

/* Return true if there are @nr responses, soon, and no more a moment later. */
static bool has_responses(struct fake *fake, unsigned int nr)
{
	if (!fake_wait_for(READ_ONCE(fake->responses) >= nr, 5 * HZ))
		return false;
	msleep(20);
	return READ_ONCE(fake->responses) == nr;
}

/*
 * Return the number of sleepers of @pq. The monitor, which marks them, stops when no
 * group is queued, which may be before the last one is asleep.
 */
static unsigned int nr_asleep(struct iopf_pasid_queue *pq)
{
	unsigned int nr;

	spin_lock(&pq->fdev->lock);
	iopf_pq_note_sleepers(pq);
	nr = pq->nr_asleep;
	spin_unlock(&pq->fdev->lock);
	return nr;
}

/*
 * Report a group for page @page. Groups have one request unless a case says otherwise.
 */
static void report_page(struct fake *fake, unsigned int grpid,
			unsigned long addr, unsigned int page)
{
	fake_last(fake, FAKE_SVA_PASID, grpid, addr + page * PAGE_SIZE);
}

/* Check that @fdev has no group and no worker. */
static void expect_idle(struct kunit *test, struct iopf_device *fdev)
{
	KUNIT_EXPECT_TRUE(test, fake_wait_for(!READ_ONCE(fdev->nr_workers) &&
					      !READ_ONCE(fdev->nr_waiting) &&
					      !fake_nr_used_pqs(fdev) &&
					      !READ_ONCE(fdev->monitoring), 5 * HZ));
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_waiting);
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_asleep);
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_ready);
	KUNIT_EXPECT_TRUE(test, list_empty(&fdev->awake));
	KUNIT_EXPECT_TRUE(test, list_empty(&fdev->starved));
	KUNIT_EXPECT_EQ(test, 0, fake_nr_used_pqs(fdev));
}

/*
 * A worker that returns is not enough for the device that was refused first, as its
 * PASID queue has a sleeper already. The second device gets it.
 */
static void returned_worker_serves_second_device(struct kunit *test)
{
	unsigned long addr = slow_map(test, 3);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct device *dev = fake_add_second(test);
	struct iopf_device *second = to_iopf_device(rcu_dereference_raw(dev->iommu->fault_param));
	struct iopf_pasid_queue *pq;

	iopf_queue_set_timeout(fake->queue, 0);
	fake_leave_workers(test, 1);
	slow_hold(0);
	report_page(fake, 0, addr, 0);
	pq = fake_find_pq(fdev, FAKE_SVA_PASID);
	KUNIT_ASSERT_TRUE(test, fake_wait_for(nr_asleep(pq) == 1, 5 * HZ));
	report_page(fake, 1, addr, 1);
	KUNIT_ASSERT_TRUE(test, fake_wait_for(READ_ONCE(pq->starved), 5 * HZ));
	fake_report_from(dev, FAKE_LAST, FAKE_SVA_PASID, 2,
			 IOMMU_FAULT_PERM_WRITE, addr + 2 * PAGE_SIZE);
	pq = fake_find_pq(second, FAKE_SVA_PASID);
	KUNIT_ASSERT_TRUE(test, fake_wait_for(READ_ONCE(pq->starved), 5 * HZ));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);

	KUNIT_EXPECT_TRUE(test, fake_return_worker());
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_SVA_PASID, 2));
	slow_release(0);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 3));
	expect_idle(test, second);
	expect_idle(test, fdev);
}

/*
 * Make a PASID queue starve: it may have one sleeper, which is in a fault for page 0,
 * and groups for the pages up to @last are queued. All pages are held.
 */
static unsigned long starve_pasid_queue(struct kunit *test, unsigned int last)
{
	unsigned long addr = slow_map(test, last + 1);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;
	unsigned int i;

	fake_leave_workers(test, 1);
	for (i = 0; i <= last; i++)
		slow_hold(i);
	report_page(fake, 0, addr, 0);
	/* Deferred responses are not to be sent by the timeout work. */
	fake_postpone_timeout(fake);
	pq = fake_find_pq(fdev, FAKE_SVA_PASID);
	KUNIT_ASSERT_TRUE(test, fake_wait_for(nr_asleep(pq) == 1, 5 * HZ));
	for (i = 1; i <= last; i++)
		report_page(fake, i, addr, i);
	/* Wait until the monitor has stopped. */
	KUNIT_ASSERT_TRUE(test, fake_wait_for(READ_ONCE(pq->starved) &&
					      !READ_ONCE(fdev->monitoring), 5 * HZ));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	return addr;
}

/*
 * The sleeper of a starved PASID queue wakes, and its worker falls asleep in the next
 * group. The monitor does not see the PASID queue, and the first response is sent all
 * the same.
 */
static void starved_pasid_queue_sends_responses(struct kunit *test)
{
	struct fake *fake = test->priv;

	starve_pasid_queue(test, 2);
	slow_release(0);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 1));
	slow_release_all();
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 3));
	expect_idle(test, fake_fdev(fake));
}

/*
 * When its last group is taken, the PASID queue is not starved any more, and the
 * monitor does not see it either. The response is sent.
 */
static void last_group_of_starved_pasid_queue(struct kunit *test)
{
	struct fake *fake = test->priv;

	starve_pasid_queue(test, 1);
	slow_release(0);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 1));
	slow_release(1);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 2));
	expect_idle(test, fake_fdev(fake));
}

/* More than the CPUs and iopf_device.nr_eager can ever be. */
#define MANY_CPUS	10000

/* Pretend that @nr workers more are awake, so that no worker is queued. */
static void occupy_cpus(struct iopf_device *fdev, int nr)
{
	spin_lock(&fdev->lock);
	fdev->nr_workers += nr;
	fdev->nr_far += nr;
	spin_unlock(&fdev->lock);
}

/* Pages after which a worker changes PASID queues if others wait. */
#define TURN		16
/* Sleepers that a PASID queue may have where there are WORKERS workers. */
#define SLEEPERS	4
#define WORKERS		6
/* Pages that leave_starved_pasid_queue() uses. */
#define LEAVE_PAGES	(SLEEPERS + 2)

/*
 * A sleeper of a starved PASID queue wakes, changes to another PASID queue, and falls
 * asleep there. No worker returns to the pool, but with fewer sleepers the PASID queue
 * may have another worker. Return false if this was not tested, as a worker that has
 * slept for long ends instead.
 */
static bool leave_starved_pasid_queue(struct kunit *test, unsigned long addr,
				      unsigned int page)
{
	unsigned int last = page + SLEEPERS - 1;
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned int nr = fake->responses;
	struct iopf_pasid_queue *other;
	struct iopf_pasid_queue *pq;
	unsigned int asleep;
	unsigned int i;
	bool left;

	for (asleep = 1; asleep <= SLEEPERS; asleep++) {
		slow_hold(page);
		for (i = 1; page == last && i < TURN; i++)
			fake_partial(fake, FAKE_SVA_PASID, page,
				     addr + page * PAGE_SIZE);
		report_page(fake, page, addr, page);
		pq = fake_find_pq(fdev, FAKE_SVA_PASID);
		KUNIT_ASSERT_TRUE(test, fake_wait_for(nr_asleep(pq) == asleep, 5 * HZ));
		page++;
	}
	report_page(fake, page, addr, page);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(pq->starved));
	KUNIT_EXPECT_EQ(test, WORKERS - SLEEPERS,
			READ_ONCE(fdev->fq->pool.nr_free));

	/* The other PASID queue gets this worker, and none of the free ones. */
	occupy_cpus(fdev, MANY_CPUS);
	slow_hold(page + 1);
	fake_last(fake, OTHER_PASID, page + 1, addr + (page + 1) * PAGE_SIZE);
	slow_release(last);
	KUNIT_EXPECT_TRUE(test, fake_wait_for(READ_ONCE(pq->nr_workers) ==
					      SLEEPERS - 1, 5 * HZ));
	KUNIT_EXPECT_TRUE(test, has_responses(fake, nr + 1));
	other = fake_find_pq(fdev, OTHER_PASID);
	left = READ_ONCE(other->nr_workers);
	occupy_cpus(fdev, -MANY_CPUS);
	if (left) {
		KUNIT_EXPECT_TRUE(test, has_responses(fake, nr + 2));
		KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_SVA_PASID,
							    page));
	}
	slow_release_all();
	KUNIT_EXPECT_TRUE(test, has_responses(fake, nr + LEAVE_PAGES));
	expect_idle(test, fdev);
	return left;
}

static void sleeper_leaves_starved_pasid_queue(struct kunit *test)
{
	unsigned long addr = slow_map(test, SLOW_PAGES);
	struct fake *fake = test->priv;
	struct iommu_sva bond;
	unsigned int page = 0;

	iopf_queue_set_timeout(fake->queue, 0);
	fake_bind_to(test, &fake->sva, fake_dev(fake), OTHER_PASID, &bond);
	fake_leave_workers(test, WORKERS);
	while (page + LEAVE_PAGES <= SLOW_PAGES &&
	       !leave_starved_pasid_queue(test, addr, page))
		page += LEAVE_PAGES;
	iommu_detach_device_pasid(&fake->sva, fake_dev(fake), OTHER_PASID);
	if (page + LEAVE_PAGES > SLOW_PAGES)
		kunit_skip(test, "the machine is too slow");
}

/**
 * struct two_spaces - two address spaces, to which OTHER_PASID is bound in turn
 * @domain: their domains
 * @mm: the address spaces
 * @addr: an address in both, where faults sleep while they are held
 * @bond: the present one
 */
struct two_spaces {
	struct iommu_domain *domain[2];
	struct mm_struct *mm[2];
	unsigned long addr;
	struct iommu_sva bond;
};

/* Let a worker fall asleep in the first of @two. Return the PASID queue. */
static struct iopf_pasid_queue *sleep_in_first(struct kunit *test, struct two_spaces *two)
{
	struct fake *fake = test->priv;
	struct iopf_pasid_queue *pq;
	int i;

	iopf_queue_set_timeout(fake->queue, 0);
	two->addr = 0;
	for (i = 0; i < 2; i++) {
		two->domain[i] = kunit_kzalloc(test, sizeof(*two->domain[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, two->domain[i]);
		two->mm[i] = slow_new_mm(test, i, &two->addr);
	}

	fake_bind(test, two->domain[0], two->mm[0], OTHER_PASID, &two->bond);
	slow_hold(0);
	fake_last(fake, OTHER_PASID, 0, two->addr);
	pq = fake_find_pq(fake_fdev(fake), OTHER_PASID);
	KUNIT_ASSERT_TRUE(test, fake_wait_for(nr_asleep(pq) == 1, 5 * HZ));
	return pq;
}

/*
 * A worker sleeps in a fault of an address space that is not attached to its PASID any
 * more. A group for the same address in the new address space does not follow it.
 */
static void rebind_while_worker_sleeps(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;
	struct two_spaces two;

	pq = sleep_in_first(test, &two);
	iopf_queue_flush_pasid(fake_dev(fake), OTHER_PASID);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	iommu_detach_device_pasid(two.domain[0], fake_dev(fake), OTHER_PASID);

	fake_bind(test, two.domain[1], two.mm[1], OTHER_PASID, &two.bond);
	fake_last(fake, OTHER_PASID, 1, two.addr);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 2));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 0, fdev->stats.followed);
	KUNIT_EXPECT_EQ(test, 1, nr_asleep(pq));

	slow_release(0);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 2));
	expect_idle(test, fdev);
	iommu_detach_device_pasid(two.domain[1], fake_dev(fake), OTHER_PASID);
	mmput(two.mm[0]);
	mmput(two.mm[1]);
}

/*
 * A group of an address space outlives those of the next one that its PASID was bound to.
 * The PASID queue does not use the latter without looking it up: nothing pins it.
 */
static void old_group_pins_no_other_mm(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;
	struct two_spaces two;

	pq = sleep_in_first(test, &two);
	KUNIT_EXPECT_PTR_EQ(test, two.mm[0], pq->mm);
	/* Without a flush, and the next group looks up the domain. */
	iommu_detach_device_pasid(two.domain[0], fake_dev(fake), OTHER_PASID);
	pq->mm_uses = 0;

	fake_bind(test, two.domain[1], two.mm[1], OTHER_PASID, &two.bond);
	fake_last(fake, OTHER_PASID, 1, two.addr);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, 1, pq->nr_mm);
	KUNIT_EXPECT_NULL(test, pq->mm);
	iommu_detach_device_pasid(two.domain[1], fake_dev(fake), OTHER_PASID);

	slow_release(0);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 2));
	expect_idle(test, fdev);
	mmput(two.mm[0]);
	mmput(two.mm[1]);
}

/*
 * A worker reads without the lock that it is marked as asleep. By the time that it has
 * the lock the mark may be gone.
 */
static void sleep_note_taken_back(struct kunit *test)
{
	unsigned long addr = slow_map(test, 1);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_worker *worker;
	struct iopf_pasid_queue *pq;

	/* Create the PASID queue. */
	report_page(fake, 0, addr, 0);
	KUNIT_ASSERT_TRUE(test, has_responses(fake, 1));
	pq = fake_find_pq(fdev, FAKE_SVA_PASID);
	expect_idle(test, fdev);

	spin_lock(&fdev->lock);
	worker = iopf_pool_get(fdev);
	spin_unlock(&fdev->lock);
	KUNIT_ASSERT_NOT_NULL(test, worker);
	worker->fdev = fdev;
	worker->pq = pq;
	iopf_worker_leave_page(worker);
	spin_lock(&fdev->lock);
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_asleep);
	KUNIT_EXPECT_EQ(test, 0, pq->nr_asleep);
	KUNIT_EXPECT_TRUE(test, list_empty(&worker->node));
	KUNIT_EXPECT_TRUE(test, list_empty(&worker->pq_node));
	/* Repair the counts if they are wrong, for other cases. */
	list_del_init(&worker->node);
	list_del_init(&worker->pq_node);
	fdev->nr_asleep = 0;
	pq->nr_asleep = 0;
	worker->pq = NULL;
	spin_unlock(&fdev->lock);
	iopf_pool_put(worker);
}

/*
 * Queue a group of another PASID that stays queued until it is removed: the monitor of
 * @fdev does not stop.
 */
static void keep_monitoring(struct fake *fake, unsigned int grpid, unsigned long addr)
{
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pasid_queue *pq;

	fake_partial(fake, OTHER_PASID, grpid, addr);
	pq = fake_find_pq(fdev, OTHER_PASID);
	spin_lock(&fdev->lock);
	pq->nr_throttled++;
	spin_unlock(&fdev->lock);
	fake_last(fake, OTHER_PASID, grpid, addr);
}

/* Report a group for the next page. Return the worker that is parked after it. */
static struct iopf_worker *parked_after_next(struct kunit *test, unsigned long addr)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned int page = READ_ONCE(fake->responses);

	report_page(fake, page, addr, page);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, page + 1));
	KUNIT_EXPECT_TRUE(test, fake_wait_for(!READ_ONCE(fdev->nr_workers) &&
					      !READ_ONCE(fdev->nr_waiting), 5 * HZ));
	return READ_ONCE(fdev->parked);
}

/* Longest run of a work item, including the time that its worker is parked. */
#define RUN_MS		100
#define PARK_ATTEMPTS	10
/* Three an attempt, and what a case adds */
#define PARK_PAGES	(3 * PARK_ATTEMPTS + 2)

/*
 * Two groups, one after the other, leave the same worker parked, and the same group kept.
 * The second one wakes that worker if it is near, so its thread sleeps once more; a
 * worker that is far away stays asleep, and another one takes the group. A work item
 * that has run for long enough ends instead. On a slow machine two groups may take as
 * long: then try again.
 */
static void park_worker(struct kunit *test, unsigned long addr)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_worker *first;
	struct iopf_worker *second;
	struct iopf_prg *kept;
	unsigned int free;
	unsigned long sleeps;
	unsigned long end;
	bool near;
	int i;

	for (i = 0; i < PARK_ATTEMPTS; i++) {
		while (READ_ONCE(fdev->parked)) {
			msleep(RUN_MS);
			parked_after_next(test, addr);
		}
		end = jiffies + msecs_to_jiffies(RUN_MS);
		first = parked_after_next(test, addr);
		free = READ_ONCE(fdev->fq->pool.nr_free);
		kept = fdev->kept;
		sleeps = first ? READ_ONCE(first->task->nvcsw) : 0;
		migrate_disable();
		near = first && iopf_has_parked(fdev);
		second = parked_after_next(test, addr);
		migrate_enable();
		if ((first && first == second) || time_before(jiffies, end))
			break;
	}
	KUNIT_EXPECT_NOT_NULL(test, first);
	KUNIT_EXPECT_EQ(test, IOPF_WORKERS - 1, free);
	KUNIT_EXPECT_PTR_EQ(test, first, second);
	if (near && first == second)
		KUNIT_EXPECT_TRUE(test, fake_wait_for(READ_ONCE(first->task->nvcsw) !=
						      sleeps, 5 * HZ));
	KUNIT_EXPECT_EQ(test, IOPF_WORKERS - 1, READ_ONCE(fdev->fq->pool.nr_free));
	KUNIT_EXPECT_EQ(test, IS_ENABLED(CONFIG_KASAN), !kept);
	KUNIT_EXPECT_PTR_EQ(test, kept, fdev->kept);
}

static atomic_t lazy_pins;

/* Count the CPU if it runs a kernel thread on the address space @info, which that pins. */
static void count_lazy(void *info)
{
	if (!current->mm && current->active_mm == info)
		atomic_inc(&lazy_pins);
}

/* Return how often @mm is pinned, but for CPUs that run a kernel thread on it. */
static int nr_pins(struct mm_struct *mm)
{
	atomic_set(&lazy_pins, 0);
	on_each_cpu(count_lazy, mm, 1);
	return atomic_read(&mm->mm_count) - atomic_read(&lazy_pins);
}

/*
 * After polls that find nothing up to 255 are skipped. After those that other threads cut
 * short it is 15, or as many as before. Each success halves the number.
 */
static void polls_pause(struct kunit *test)
{
	static const struct {
		bool found;
		bool cut;
		unsigned int pause;
	} polls[] = {
		{ .pause = 0, .found = true },
		{ .pause = 1, .cut = true },
		{ .pause = 3, .cut = true },
		{ .pause = 7, .cut = true },
		{ .pause = 15, .cut = true },
		{ .pause = 15, .cut = true },
		{ .pause = 7, .found = true, .cut = true },
		{ .pause = 15 },
		{ .pause = 31 },
		{ .pause = 31, .cut = true },
		{ .pause = 63 },
		{ .pause = 127 },
		{ .pause = 255 },
		{ .pause = 255 },
		{ .pause = 127, .found = true },
	};
	struct iopf_device *fdev = fake_fdev(test->priv);
	unsigned int skipped;
	int i;

	spin_lock(&fdev->lock);
	for (i = 0; i < ARRAY_SIZE(polls); i++) {
		fdev->nr_ready = polls[i].found;
		iopf_poll_done(fdev, polls[i].cut);
		KUNIT_EXPECT_EQ_MSG(test, polls[i].pause, fdev->poll_pause, "poll %d", i);
		for (skipped = 0; skipped <= U8_MAX && !iopf_poll_wanted(fdev, 0);)
			skipped++;
		KUNIT_EXPECT_EQ_MSG(test, polls[i].found ? 0 : polls[i].pause, skipped,
				    "poll %d", i);
	}
	fdev->nr_ready = 0;
	spin_unlock(&fdev->lock);
	KUNIT_EXPECT_EQ(test, 3, fdev->stats.polled);
}

/*
 * The worker of a lone group is parked, and the group's memory kept, for the next one
 * while the device is monitored. No worker is parked if few are free.
 */
static void lone_worker_is_parked(struct kunit *test)
{
	unsigned long addr = slow_map(test, SLOW_PAGES);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pool *pool = &fdev->fq->pool;
	int count = nr_pins(current->mm);
	struct iommu_sva bond;

	iopf_queue_set_timeout(fake->queue, 0);
	fake_bind_to(test, &fake->sva, fake_dev(fake), OTHER_PASID, &bond);
	keep_monitoring(fake, 0, addr);
	park_worker(test, addr);

	/* The monitor stops. */
	iopf_queue_flush_pasid(fake_dev(fake), OTHER_PASID);
	expect_idle(test, fdev);
	KUNIT_EXPECT_NULL(test, fdev->parked);
	KUNIT_EXPECT_NULL(test, fdev->kept);
	KUNIT_EXPECT_TRUE(test, fake_wait_for(READ_ONCE(pool->nr_free) == IOPF_WORKERS,
					      5 * HZ));
	KUNIT_EXPECT_TRUE(test, fake_wait_for(nr_pins(current->mm) <= count, 5 * HZ));

	/* No other worker can take the group. */
	keep_monitoring(fake, 1, addr);
	park_worker(test, addr);
	fake_leave_workers(test, 0);
	KUNIT_EXPECT_NULL(test, parked_after_next(test, addr));
	iopf_queue_flush_pasid(fake_dev(fake), OTHER_PASID);
	iommu_detach_device_pasid(&fake->sva, fake_dev(fake), OTHER_PASID);
}

/* When a device is removed its parked worker ends, and its kept group is freed. */
static void parked_worker_at_removal(struct kunit *test)
{
	unsigned long addr = slow_map(test, PARK_PAGES);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_pool *pool = &fdev->fq->pool;
	struct iommu_sva bond;

	iopf_queue_set_timeout(fake->queue, 0);
	fake_bind_to(test, &fake->sva, fake_dev(fake), OTHER_PASID, &bond);
	keep_monitoring(fake, 0, addr);
	park_worker(test, addr);
	refcount_inc(&fdev->base.users);
	fake_remove_device(fake);
	KUNIT_EXPECT_TRUE(test, fake_wait_for(READ_ONCE(pool->nr_free) == IOPF_WORKERS,
					      5 * HZ));
	KUNIT_EXPECT_TRUE(test, fake_wait_for(refcount_read(&fdev->base.users) == 1,
					      5 * HZ));
	iopf_device_put(fdev);
	iommu_detach_device_pasid(&fake->sva, fake_dev(fake), OTHER_PASID);
}

/* Time of a fault, and number of faults: together more than a worker may take. */
#define SPIN_MS		4
#define SPINNING	60

/*
 * Groups take longer than a worker may run: it ends, and another worker handles the
 * remaining ones.
 */
static void worker_ends_after_time_limit(struct kunit *test)
{
	unsigned long addr = slow_map(test, SPINNING);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	unsigned int others = fdev->nr_cpus - 1;
	unsigned int i;

	iopf_queue_set_timeout(fake->queue, 0);
	slow.busy_ms = SPIN_MS;
	slow.work = NULL;
	slow.nr_works = 0;
	/* One worker at a time, and none of iopf_pool.far. */
	spin_lock(&fdev->lock);
	fdev->nr_workers += others;
	fdev->nr_far += fdev->nr_cpus;
	spin_unlock(&fdev->lock);
	for (i = 0; i < SPINNING; i++)
		report_page(fake, i, addr, i);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, SPINNING));
	KUNIT_EXPECT_EQ(test, SPINNING,
			fdev->stats.responses[IOMMU_PAGE_RESP_SUCCESS]);
	KUNIT_EXPECT_LT(test, 1, slow.nr_works);
	spin_lock(&fdev->lock);
	fdev->nr_workers -= others;
	fdev->nr_far -= fdev->nr_cpus;
	spin_unlock(&fdev->lock);
	expect_idle(test, fdev);
}

/*
 * A worker drops the last user of an address space, which a work item of its own on an
 * unbound workqueue tears down.
 */
static void worker_drops_last_user_of_mm(struct kunit *test)
{
	struct iommu_sva bond;
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iommu_domain *domain;
	struct iopf_pasid_queue *pq;
	unsigned long addr = 0;
	struct mm_struct *mm;

	iopf_queue_set_timeout(fake->queue, 0);
	domain = kunit_kzalloc(test, sizeof(*domain), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, domain);
	mm = slow_new_mm(test, 0, &addr);
	fake_bind(test, domain, mm, OTHER_PASID, &bond);
	slow_hold(0);
	fake_last(fake, OTHER_PASID, 0, addr);
	pq = fake_find_pq(fdev, OTHER_PASID);
	KUNIT_ASSERT_TRUE(test, fake_wait_for(READ_ONCE(pq->nr_workers) == 1, 5 * HZ));

	/* The worker takes its reference before its fault sleeps. */
	KUNIT_ASSERT_TRUE(test, fake_wait_for(atomic_read(&mm->mm_users) == 2, 5 * HZ));
	mmput(mm);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&mm->mm_users));
	slow_release(0);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_ASSERT_TRUE(test,
			  wait_for_completion_timeout(&slow.closed, 5 * HZ));
	KUNIT_EXPECT_PTR_EQ(test, &mm->async_put_work, slow.closer);
	KUNIT_EXPECT_TRUE_MSG(test, strstarts(slow.closer_comm, "kworker/u"),
			      "torn down by %s", slow.closer_comm);
	expect_idle(test, fdev);
	/* A process that has exited has no pages. */
	fake_last(fake, OTHER_PASID, 1, addr);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 2));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	iommu_detach_device_pasid(domain, fake_dev(fake), OTHER_PASID);
}

/*
 * The driver sleeps while it sends the response of the only group. Meanwhile others are
 * handled, and afterwards the worker has left nothing behind.
 */
static void driver_sleeps_in_lone_response(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 3);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);

	fake->block_pasid = FAKE_SVA_PASID;
	report_page(fake, 0, addr, 0);
	KUNIT_ASSERT_TRUE(test, wait_for_completion_timeout(&fake->blocked, HZ));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	fake->block_pasid = 0;
	report_page(fake, 1, addr, 1);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 1));
	/* No group follows a worker that has none. */
	report_page(fake, 2, addr, 0);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 2));
	KUNIT_EXPECT_EQ(test, 0, fdev->stats.followed);

	complete(&fake->unblock);
	KUNIT_EXPECT_TRUE(test, has_responses(fake, 3));
	expect_idle(test, fdev);
}

/*
 * The share of the smallest node counts CPUs that are online, as the workqueue does, not
 * those that may be plugged in later.
 */
static void share_of_smallest_node(struct kunit *test)
{
	struct fake *fake = test->priv;
	unsigned int share = WQ_MAX_ACTIVE;
	unsigned int nr;
	int node;

	if (housekeeping_enabled(HK_TYPE_DOMAIN))
		kunit_skip(test, "CPUs are isolated");
	for_each_online_node(node) {
		nr = cpumask_weight_and(cpumask_of_node(node), cpu_online_mask);
		if (nr)
			share = min(share, WQ_MAX_ACTIVE * nr / num_online_cpus());
	}
	KUNIT_EXPECT_EQ(test, share, fake_fdev(fake)->fq->pool.nr_near);
}

static struct kunit_case iopf_worker_cases[] = {
	KUNIT_CASE(returned_worker_serves_second_device),
	KUNIT_CASE(starved_pasid_queue_sends_responses),
	KUNIT_CASE(last_group_of_starved_pasid_queue),
	KUNIT_CASE(sleeper_leaves_starved_pasid_queue),
	KUNIT_CASE(rebind_while_worker_sleeps),
	KUNIT_CASE(old_group_pins_no_other_mm),
	KUNIT_CASE(sleep_note_taken_back),
	KUNIT_CASE(polls_pause),
	KUNIT_CASE(lone_worker_is_parked),
	KUNIT_CASE(parked_worker_at_removal),
	KUNIT_CASE(worker_ends_after_time_limit),
	KUNIT_CASE(worker_drops_last_user_of_mm),
	KUNIT_CASE(driver_sleeps_in_lone_response),
	KUNIT_CASE(share_of_smallest_node),
	{ }
};

static struct kunit_suite iopf_worker_suite = {
	.name = "iopf_worker",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_worker_cases,
};

kunit_test_suite(iopf_worker_suite);
