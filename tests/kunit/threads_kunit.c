// SPDX-License-Identifier: GPL-2.0
/*
 * The report API, used by several threads at the same time
 *
 * The result of each call is not predictable, so only the end is checked: each group
 * whose last request was reported has had one response, no other group has had any, and
 * all references were dropped. The index of a group is its number, which is never used
 * again, so that its responses can be counted. Threads report, respond, flush, register
 * handlers, change limits and timeouts, and take the device off its queue. What must
 * not run at the same time as reports is left out: a reset, and an overflow.
 */
#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "world.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf_threads."

#define THREADS		3
#define SLOW_KERNEL	(IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN) || \
			 IS_ENABLED(CONFIG_PROVE_LOCKING))
#define KEPT		64
#define TIMEOUT		(20 * HZ)

static unsigned long seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Seed of the first round (default 1)");

static unsigned int operations = SLOW_KERNEL ? 2000 : 20000;
module_param(operations, uint, 0444);
MODULE_PARM_DESC(operations, "Operations of each thread in a round");

/**
 * struct kept - a fault that the registered handler has kept
 * @msg: a response to it
 * @cookie: its cookie, or 0
 */
struct kept {
	struct iommu_page_response msg;
	u64 cookie;
};

/**
 * struct crowd - the threads and what they share
 * @world: the device and the mm
 * @mutex: held while the device is off its queue, and by flushes, for which it has to
 *	be on one
 * @next: number of the last group
 * @max: number of groups that there can be
 * @owed: responses that a group is owed, by its number
 * @had: responses that it has had, likewise
 * @lock: guards what follows
 * @taken: groups that the domain's handler has
 * @nr_taken: length of @taken
 * @kept: faults that the registered handler has kept, the last ones
 * @nr_kept: number of faults that it has ever kept
 */
struct crowd {
	struct world *world;
	struct mutex mutex; /* the device is on its queue */
	atomic_t next;
	unsigned int max;
	u8 *owed;
	atomic_t *had;
	spinlock_t lock; /* all that follows */
	struct iopf_group *taken[KEPT];
	unsigned int nr_taken;
	struct kept kept[KEPT];
	unsigned int nr_kept;
};

static struct crowd *the_crowd;

/* Choose what a handler does with a group, by the group's number. */
static unsigned int choice(u32 grpid, unsigned int nr)
{
	return hash_32(grpid, 16) % nr;
}

static void count_response(struct world *world, const struct iommu_fault *fault,
			   const struct iommu_page_response *msg)
{
	if (msg->grpid < the_crowd->max)
		atomic_inc(&the_crowd->had[msg->grpid]);
}

/*
 * Handlers
 */

static bool keep_group(struct iopf_group *group)
{
	struct crowd *crowd = the_crowd;
	bool kept;

	spin_lock(&crowd->lock);
	kept = crowd->nr_taken < KEPT;
	if (kept)
		crowd->taken[crowd->nr_taken++] = group;
	spin_unlock(&crowd->lock);
	return kept;
}

static int handle_in_domain(struct iopf_group *group)
{
	switch (choice(group->last_fault.fault.prm.grpid, 5)) {
	case 0:
		return -EIO;
	case 1:
		iopf_group_response(group, IOMMU_PAGE_RESP_SUCCESS);
		iopf_group_response(group, IOMMU_PAGE_RESP_INVALID);
		iopf_free_group(group);
		return 0;
	default:
		return keep_group(group) ? 0 : -EIO;
	}
}

static void keep_fault(const struct iommu_fault *fault, u64 cookie)
{
	struct crowd *crowd = the_crowd;

	spin_lock(&crowd->lock);
	crowd->kept[crowd->nr_kept++ % KEPT] = (struct kept){
		.msg = {
			.pasid = fault->prm.pasid,
			.grpid = fault->prm.grpid,
			.code = IOMMU_PAGE_RESP_SUCCESS,
		},
		.cookie = cookie,
	};
	spin_unlock(&crowd->lock);
}

static int handle_first(struct iommu_fault *fault, void *data)
{
	struct iommu_page_response msg = {
		.pasid = fault->prm.pasid,
		.grpid = fault->prm.grpid,
		.code = IOMMU_PAGE_RESP_FAILURE,
	};
	struct world *world = data;

	if (!iopf_fault_whole_group(fault))
		return IOMMU_FAULT_STATUS_CONTINUE;
	switch (choice(fault->prm.grpid, 8)) {
	case 0:
		return -EPERM;
	case 1:
		iommu_page_response(world_dev(world), &msg);
		return IOMMU_FAULT_STATUS_HANDLED;
	case 2:
		iommu_queue_iopf(fault, world_dev(world));
		return IOMMU_FAULT_STATUS_HANDLED;
	case 3:
		keep_fault(fault, 0);
		return IOMMU_FAULT_STATUS_HANDLED;
	case 4:
		keep_fault(fault, iopf_fault_cookie(fault));
		return IOMMU_FAULT_STATUS_HANDLED;
	default:
		return IOMMU_FAULT_STATUS_CONTINUE;
	}
}

/*
 * What threads do
 */

/* Report a group of up to four requests, in most cases with the last one. */
static void report_group(struct crowd *crowd, struct rnd_state *rnd)
{
	unsigned int nr = 1 + prandom_u32_state(rnd) % 4;
	bool whole = prandom_u32_state(rnd) % 8;
	bool private;
	struct iopf_request requests[4];
	u32 grpid = atomic_inc_return(&crowd->next);
	struct op op;
	unsigned int i;

	if (grpid >= crowd->max)
		return;
	op_random_report(rnd, &op);
	private = op.flags & OP_PRIVATE;
	op.flags &= OP_REFUSED;
	/* A response without a PASID cannot be told from one for PASID 0. */
	op.pasid %= OP_PASID_NONE;
	/* A last request without access is a stop marker. */
	op.perm |= IOMMU_FAULT_PERM_READ;
	if (op.addr == OP_ADDR_SLOW)
		op.addr = OP_ADDR_WRITABLE;
	for (i = 0; i < nr; i++) {
		bool last = whole && i == nr - 1;

		op.flags = (op.flags & OP_REFUSED) | (last ? OP_LAST : 0);
		world_make_request(crowd->world, &op, &requests[i]);
		requests[i].fault.prm.grpid = grpid;
		if (private && last)
			requests[i].flags |= IOPF_REQUEST_PRIVATE_DATA;
	}
	crowd->owed[grpid] = whole;
	if (prandom_u32_state(rnd) % 2) {
		iopf_report_requests(world_dev(crowd->world), requests, nr);
		return;
	}
	for (i = 0; i < nr; i++)
		iopf_report_requests(world_dev(crowd->world), &requests[i], 1);
}

static void respond_to_group(struct crowd *crowd, struct rnd_state *rnd)
{
	struct iopf_group *group = NULL;

	spin_lock(&crowd->lock);
	if (crowd->nr_taken)
		group = crowd->taken[--crowd->nr_taken];
	spin_unlock(&crowd->lock);
	if (!group)
		return;
	if (prandom_u32_state(rnd) % 4)
		iopf_group_response(group, IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(group);
}

static void respond_to_fault(struct crowd *crowd, struct rnd_state *rnd)
{
	struct kept kept;

	spin_lock(&crowd->lock);
	kept = crowd->kept[prandom_u32_state(rnd) % KEPT];
	spin_unlock(&crowd->lock);
	if (kept.cookie)
		iommu_page_response_by_cookie(world_dev(crowd->world),
					      &kept.msg, kept.cookie);
	else
		iommu_page_response(world_dev(crowd->world), &kept.msg);
}

static void come_and_go(struct crowd *crowd)
{
	struct iopf_queue *queue = crowd->world->fake->queue;
	struct device *dev = world_dev(crowd->world);

	mutex_lock(&crowd->mutex);
	iopf_queue_remove_device(queue, dev);
	usleep_range(1, 100);
	WARN_ON(iopf_queue_add_device(queue, dev));
	mutex_unlock(&crowd->mutex);
}

/* Flush the device, which has to be on a queue. */
static void flush_dev(struct crowd *crowd)
{
	mutex_lock(&crowd->mutex);
	iopf_queue_flush_dev(world_dev(crowd->world));
	mutex_unlock(&crowd->mutex);
}

static void change_settings(struct crowd *crowd, struct rnd_state *rnd)
{
	struct iopf_queue *queue = crowd->world->fake->queue;
	const struct iopf_limits limits =
		model_pick_limits(prandom_u32_state(rnd), prandom_u32_state(rnd));

	iopf_device_set_limits(world_dev(crowd->world), &limits);
	iopf_queue_set_timeout(queue, prandom_u32_state(rnd) % 3 * 4);
	iopf_queue_set_domain_timeout(queue, prandom_u32_state(rnd) % 3 * 4);
}

static void do_something(struct crowd *crowd, struct rnd_state *rnd)
{
	struct device *dev = world_dev(crowd->world);
	unsigned int what = prandom_u32_state(rnd) % 1000;

	if (what < 650)
		report_group(crowd, rnd);
	else if (what < 750)
		respond_to_group(crowd, rnd);
	else if (what < 900)
		respond_to_fault(crowd, rnd);
	else if (what < 940)
		iopf_queue_flush_pasid(dev, world_pasid(prandom_u32_state(rnd) %
							OP_PASID_NONE));
	else if (what < 950)
		usleep_range(1, 100);
	else if (what < 965)
		iommu_register_device_fault_handler(dev, handle_first,
						    crowd->world);
	else if (what < 980)
		iommu_unregister_device_fault_handler(dev);
	else if (what < 990)
		change_settings(crowd, rnd);
	else if (what < 995)
		come_and_go(crowd);
	else
		flush_dev(crowd);
}

/**
 * struct member - one of the threads
 * @crowd: all threads
 * @rnd: its random numbers
 * @done: completed when it has ended
 */
struct member {
	struct crowd *crowd;
	struct rnd_state rnd;
	struct completion done;
};

static int member_fn(void *data)
{
	struct member *member = data;
	unsigned int i;

	for (i = 0; i < operations; i++) {
		do_something(member->crowd, &member->rnd);
		cond_resched();
	}
	complete(&member->done);
	return 0;
}

static void run_threads(struct kunit *test, struct crowd *crowd, u64 round)
{
	struct member members[THREADS];
	struct task_struct *task;
	unsigned int i;

	for (i = 0; i < THREADS; i++) {
		members[i].crowd = crowd;
		init_completion(&members[i].done);
		ops_seed(&members[i].rnd, round, i);
		task = kthread_run(member_fn, &members[i], "iopf-kunit/%u", i);
		if (!IS_ERR(task))
			continue;
		KUNIT_FAIL(test, "no thread");
		complete(&members[i].done);
	}
	for (i = 0; i < THREADS; i++)
		wait_for_completion(&members[i].done);
}

/* Free the groups of the handlers, and remove the device from its queue. */
static void end_crowd(struct kunit *test, struct crowd *crowd)
{
	struct world *world = crowd->world;
	struct iopf_fault_queue *fq = to_iopf_fault_queue(world->fake->queue);
	unsigned long end = jiffies + TIMEOUT;

	fake_remove_device(world->fake);
	/* On the default queue the device may have groups again. */
	while (iommu_unregister_device_fault_handler(world_dev(world)) == -EBUSY) {
		fake_add_device(test);
		fake_remove_device(world->fake);
	}
	while (crowd->nr_taken)
		iopf_free_group(crowd->taken[--crowd->nr_taken]);
	while (world->nr_fdevs)
		iopf_device_put(world->fdevs[--world->nr_fdevs]);
	/* Each addition of the device to the queue has a reference to it. */
	while (refcount_read(&fq->users) > 1 && time_before(jiffies, end))
		schedule_timeout_uninterruptible(1);
	KUNIT_EXPECT_EQ_MSG(test, 1, refcount_read(&fq->users),
			    "the device is still used");
}

static void check_responses(struct kunit *test, struct crowd *crowd)
{
	unsigned int nr = min_t(unsigned int, atomic_read(&crowd->next) + 1,
				crowd->max);
	unsigned int owed = 0;
	unsigned int wrong = 0;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		owed += crowd->owed[i];
		if (atomic_read(&crowd->had[i]) == crowd->owed[i])
			continue;
		if (!wrong++)
			kunit_err(test, "group %u has had %d responses instead of %u\n",
				  i, atomic_read(&crowd->had[i]), crowd->owed[i]);
	}
	KUNIT_EXPECT_EQ_MSG(test, 0, wrong, "groups with a wrong number of responses");
	kunit_info(test, "%u groups, %u responses\n", nr, owed);
}

static void run_round(struct kunit *test, u64 round)
{
	struct crowd *crowd = kunit_kzalloc(test, sizeof(*crowd), GFP_KERNEL);
	struct world *world;

	KUNIT_ASSERT_NOT_NULL(test, crowd);
	crowd->max = THREADS * operations;
	crowd->owed = fake_kvcalloc(test, crowd->max, sizeof(*crowd->owed));
	crowd->had = fake_kvcalloc(test, crowd->max, sizeof(*crowd->had));
	mutex_init(&crowd->mutex);
	spin_lock_init(&crowd->lock);
	the_crowd = crowd;

	world = world_begin(test, round & 1);
	crowd->world = world;
	world->respond = count_response;
	world->fake->domain.iopf_handler = handle_in_domain;
	run_threads(test, crowd, round);
	end_crowd(test, crowd);
	check_responses(test, crowd);
	if (!world_end(world))
		KUNIT_FAIL(test, "%s", world->model.wrong);
	kvfree(world);
}

/* One round with a driver that sends responses one by one, one with batches. */
static void three_threads(struct kunit *test)
{
	kunit_info(test, "seed %lu, %u operations each\n", seed, operations);
	run_round(test, 2 * seed);
	run_round(test, 2 * seed + 1);
}

static struct kunit_case iopf_threads_cases[] = {
	KUNIT_CASE_SLOW(three_threads),
	{ }
};

static struct kunit_suite iopf_threads_suite = {
	.name = "iopf_threads",
	.test_cases = iopf_threads_cases,
};

kunit_test_suite(iopf_threads_suite);
