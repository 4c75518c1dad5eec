// SPDX-License-Identifier: GPL-2.0
/*
 * Sequences of operations, on the library and on its reference model
 *
 * Each operation is done, then the model is told. When the library is quiet, the
 * responses that it has sent and its counters have to be the model's.
 */
#include <linux/delay.h>
#include <linux/fault-inject.h>
#include <linux/jiffies.h>
#include <linux/panic.h>
#include <linux/sched.h>
#include <linux/workqueue.h>

#include "model_run.h"
#include "world.h"

/* How long the library may take to become quiet. */
#define TIMEOUT	(20 * HZ)
/* Faults that sleep at the same time. */
#define MAX_ASLEEP	8
/* Groups that one operation may need in the model. */
#define MODEL_RESERVE	(WORLD_BATCH + 4)
/* Ticks: more than a timeout of one tick, and more than ten times that. */
#define TIMEOUT_TICKS	3
#define LATE_TICKS	13

/* Fail an allocation for OP_FAIL, if the kernel can do so. */
#ifdef CONFIG_FAULT_INJECTION
static void fail_begin(unsigned int nth)
{
	current->fail_nth = nth;
}

static void fail_end(void)
{
	current->fail_nth = 0;
}
#else
static void fail_begin(unsigned int nth)
{
}

static void fail_end(void)
{
}
#endif

/*
 * Checks
 */

/* Read the library's counters into those of the model. */
static void see_counts(struct iopf_device *fdev, struct model_counts *counts)
{
	const struct iopf_stats *stats = &fdev->stats;

	spin_lock(&fdev->lock);
	/*
	 * Not by iopf_limits_refresh(): the library itself has to call it where needed.
	 */
	*counts = (struct model_counts){
		.held_groups = fdev->nr_unfinished + fdev->groups_made -
			       (unsigned int)atomic_read(&fdev->groups_freed),
		.held_requests = fdev->partial_requests + fdev->requests_made -
				 (unsigned int)atomic_read(&fdev->requests_freed),
		.partial = fdev->partial_requests,
		.unfinished = fdev->nr_unfinished,
		.pending = iopf_nr_pending(fdev),
		.handled = fdev->nr_handled,
		.faulting = fdev->nr_faulting,
		.groups = iopf_nr_groups(fdev),
		.pasids = fdev->nr_pqs,
		.requests = stats->requests,
		.completed = stats->groups,
		.success = stats->responses[IOMMU_PAGE_RESP_SUCCESS],
		.invalid = stats->responses[IOMMU_PAGE_RESP_INVALID],
		.failure = stats->responses[IOMMU_PAGE_RESP_FAILURE],
		.malformed = stats->malformed,
		.unhandled = stats->unhandled,
		.discarded = stats->discarded,
		.overdue = stats->overdue,
		.retried = stats->retried,
		.quarantined = stats->quarantined,
		.limited = stats->limited,
		.nomem = stats->nomem,
		.late = stats->late,
	};
	spin_unlock(&fdev->lock);
}

struct count_name {
	const char *name;
	size_t offset;
};

#define COUNT(field)	{ #field, offsetof(struct model_counts, field) }

/*
 * Counters that have to be equal. The model has PASIDs in use, the library also idle
 * ones.
 */
static const struct count_name count_names[] = {
	COUNT(partial), COUNT(unfinished), COUNT(pending), COUNT(handled),
	COUNT(faulting), COUNT(groups), COUNT(requests), COUNT(completed),
	COUNT(success), COUNT(invalid), COUNT(failure), COUNT(malformed),
	COUNT(unhandled), COUNT(discarded), COUNT(overdue), COUNT(retried),
	COUNT(quarantined), COUNT(limited), COUNT(nomem), COUNT(late),
};

static u64 count_of(const struct model_counts *counts,
		    const struct count_name *name)
{
	return *(const u64 *)((const char *)counts + name->offset);
}

/*
 * Allow for late workers: one whose group has ended is counted as late when its fault
 * completes, unless it had not begun.
 */
static void allow_late_workers(struct model *model, u64 late)
{
	if (late <= model->counts.late ||
	    late > model->counts.late + model->slept)
		return;
	model->slept -= late - model->counts.late;
	model->counts.late = late;
}

static void check_counts(struct world *world, struct iopf_device *fdev)
{
	struct model *model = &world->model;
	struct model_counts seen;
	unsigned int i;

	see_counts(fdev, &seen);
	model_count(model);
	allow_late_workers(model, seen.late);
	for (i = 0; i < ARRAY_SIZE(count_names); i++) {
		const struct count_name *name = &count_names[i];
		u64 has = count_of(&seen, name);
		u64 wants = count_of(&model->counts, name);

		if (has != wants)
			model_wrong(model, "%s is %llu instead of %llu",
				    name->name, has, wants);
	}
	if (seen.pasids < model->counts.pasids)
		model_wrong(model, "%llu PASIDs instead of %llu", seen.pasids,
			    model->counts.pasids);
	model_check_limits(model, &seen);
}

static bool wire_equal(const struct model_wire *a, const struct model_wire *b)
{
	return a->pasid == b->pasid && a->grpid == b->grpid &&
	       a->code == b->code && a->flags == b->flags &&
	       a->addr == b->addr &&
	       a->private_data[0] == b->private_data[0] &&
	       a->private_data[1] == b->private_data[1];
}

static void wrong_wire(struct model *model, const char *what,
		       const struct model_wire *wire)
{
	model_wrong(model, "%s: PASID %u index %u code %u flags %#x addr %#llx data %#llx",
		    what, wire->pasid, wire->grpid, wire->code, wire->flags,
		    wire->addr, wire->private_data[0]);
}

/* Check that each expected response was sent once, in any order, and no other one. */
static void check_wire(struct world *world)
{
	struct model *model = &world->model;
	unsigned int i;
	unsigned int j;

	spin_lock(&world->lock);
	for (i = 0; i < world->nr_wire; i++) {
		for (j = 0; j < model->nr_wire; j++)
			if (wire_equal(&world->wire[i], &model->wire[j]))
				break;
		if (j == model->nr_wire) {
			wrong_wire(model, "a response that is not owed",
				   &world->wire[i]);
			break;
		}
		model->wire[j] = model->wire[--model->nr_wire];
	}
	if (model->nr_wire)
		wrong_wire(model, "no response", &model->wire[0]);
	model->nr_wire = 0;
	world->nr_wire = 0;
	spin_unlock(&world->lock);
}

/* Return true if nothing but sleeping faults is in progress. */
static bool is_quiet(struct world *world, struct iopf_device *fdev)
{
	bool quiet;

	spin_lock(&fdev->lock);
	quiet = !fdev->nr_responding &&
		fdev->nr_faulting == world->model.counts.faulting;
	spin_unlock(&fdev->lock);
	return quiet;
}

static bool has_workers(struct iopf_device *fdev)
{
	bool has;

	spin_lock(&fdev->lock);
	has = fdev->nr_workers;
	spin_unlock(&fdev->lock);
	return has;
}

static void do_nothing(struct work_struct *work)
{
}

/* Wait until work items that are queued on @wq now have begun. */
static void wait_for_begin(struct workqueue_struct *wq)
{
	struct work_struct work;

	INIT_WORK_ONSTACK(&work, do_nothing);
	queue_work(wq, &work);
	flush_work(&work);
	destroy_work_on_stack(&work);
}

/*
 * Let the workers run. To flush their workqueues would be to wait for the one that is
 * parked.
 */
static void wait_for_workers(struct world *world, struct iopf_device *fdev)
{
	if (!world->model.held) {
		wait_for_begin(fdev->fq->pool.near);
		if (is_quiet(world, fdev))
			return;
		wait_for_begin(fdev->fq->pool.far);
		if (is_quiet(world, fdev))
			return;
	}
	usleep_range(50, 100);
}

/* Wait until the library is quiet, and has no worker if @workers. */
static void wait_until_quiet(struct world *world, struct iopf_device *fdev,
			     bool workers)
{
	unsigned long end = jiffies + TIMEOUT;
	struct model *model = &world->model;

	model_count(model);
	/* Give a fault time to fall asleep. */
	if (model->counts.faulting > world->nr_asleep)
		usleep_range(50, 100);
	world->nr_asleep = model->counts.faulting;
	while (!is_quiet(world, fdev) || (workers && has_workers(fdev))) {
		if (time_after(jiffies, end)) {
			model_wrong(model, "not quiet: %u groups instead of %llu, %u responses",
				    fdev->nr_faulting, model->counts.faulting,
				    fdev->nr_responding);
			return;
		}
		wait_for_workers(world, fdev);
	}
}

static void check(struct world *world, struct iopf_device *fdev)
{
	if (!world->checks)
		return;
	if (fdev) {
		wait_until_quiet(world, fdev, false);
		check_counts(world, fdev);
	}
	check_wire(world);
	if (world->next_call != world->nr_calls)
		model_wrong(&world->model, "a handler was called %u times too often",
			    world->nr_calls - world->next_call);
	world->nr_calls = 0;
	world->next_call = 0;
}

static void check_ret(struct world *world, const char *what, int ret, int wants)
{
	if (world->checks && ret != wants)
		model_wrong(&world->model, "%s returned %d instead of %d", what,
			    ret, wants);
}

/*
 * Reports
 */

static struct model_seen seen_since(struct iopf_device *fdev,
				    const struct model_counts *before, int ret)
{
	struct model_counts after = *before;

	if (fdev)
		see_counts(fdev, &after);
	return (struct model_seen){
		.ret = ret,
		.limited = after.limited - before->limited,
		.nomem = after.nomem - before->nomem,
	};
}

static int report(struct world *world, const struct iopf_request *requests,
		  unsigned int nr)
{
	struct iopf_fault evt = { .fault = requests[0].fault };

	if (nr > 1 || requests[0].flags)
		return iopf_report_requests(world_dev(world), requests, nr);
	return iommu_report_device_fault(world_dev(world), &evt);
}

/* Report one request, which may meet a limit or a failed allocation. */
static void report_one(struct world *world, const struct iopf_request *request,
		       bool refuse)
{
	struct iopf_request refused = *request;
	struct iopf_device *fdev = world_fdev(world);
	struct model_counts before = {};
	struct model_seen seen;
	int wants;
	int ret;

	if (fdev)
		see_counts(fdev, &before);
	fail_begin(world->fail);
	if (refuse)
		ret = iopf_refuse_request(world_dev(world), &request->fault);
	else
		ret = report(world, request, 1);
	fail_end();
	world->fail = 0;

	seen = seen_since(fdev, &before, ret);
	if (refuse) {
		refused.flags = IOPF_REQUEST_REFUSED;
		wants = model_report(&world->model, &refused, &seen) ?: -EINVAL;
	} else {
		wants = model_report(&world->model, request, &seen);
	}
	check_ret(world, "the report", ret, wants);
}

static void report_several(struct world *world,
			   const struct iopf_request *requests, unsigned int nr)
{
	struct iopf_device *fdev = world_fdev(world);
	struct model_counts before = {};
	const struct model_seen none = {};
	struct model_seen seen;
	int wants = 0;
	unsigned int i;
	int ret;

	if (fdev)
		see_counts(fdev, &before);
	ret = report(world, requests, nr);
	seen = seen_since(fdev, &before, ret);
	if (seen.limited || seen.nomem)
		model_wrong(&world->model, "a limit was met or memory was missing");
	for (i = 0; i < nr; i++) {
		int one = model_report(&world->model, &requests[i], &none);

		wants = wants ?: one;
	}
	check_ret(world, "the report", ret, wants);
}

static void report_batch(struct world *world)
{
	unsigned int nr = world->nr_batch;
	bool refuse = world->refuse;
	unsigned int i;

	world->nr_batch = 0;
	world->refuse = false;
	if (nr > 1 && !world->fail && !refuse &&
	    !(world->model.has_handler &&
	      world->model.mood_partial == MODEL_QUEUE) &&
	    !model_near_limit(&world->model, nr)) {
		report_several(world, world->batch, nr);
		return;
	}
	for (i = 0; i < nr; i++) {
		report_one(world, &world->batch[i], refuse && i == nr - 1);
		check(world, world_fdev(world));
	}
}

/*
 * Return true if the batch has a request with this index that is owed a response. A
 * device uses an index again after the response, which may be sent before or after the
 * next request of a batch is seen.
 */
static bool is_used_in_batch(struct world *world,
			     const struct iopf_request *request)
{
	const struct iommu_fault_page_request *prm = &request->fault.prm;
	unsigned int i;

	for (i = 0; i < world->nr_batch; i++)
		if (model_is_owed(&world->batch[i]) &&
		    world->batch[i].fault.prm.grpid == prm->grpid &&
		    world->batch[i].fault.prm.pasid == prm->pasid)
			return true;
	return false;
}

/* Return true if there is room for the groups of a batch. */
static bool has_room(struct world *world)
{
	return model_room(&world->model, MODEL_RESERVE) &&
	       world->nr_taken < WORLD_TAKEN - MODEL_RESERVE;
}

/* Return false if no further fault should sleep. */
static bool may_sleep(struct world *world)
{
	model_count(&world->model);
	return world->model.counts.faulting < MAX_ASLEEP;
}

/*
 * A group with a page on which a worker sleeps may follow that worker, even if another
 * access of the group, or this one, is not allowed. Change @op so that no group has
 * both.
 */
static void keep_apart(struct world *world, struct op *op)
{
	struct model *model = &world->model;
	struct iopf_request request;
	enum model_page page;

	if (!model->held ||
	    (op->pasid != OP_PASID_SVA && op->pasid != OP_PASID_SVA2))
		return;
	world_make_request(world, op, &request);
	page = model->ops->page(model, &request.fault);
	if (page == MODEL_PAGE_GOOD ||
	    (page == MODEL_PAGE_SLOW && may_sleep(world) &&
	     !model_is_bad(model, &request)))
		return;
	op->addr = OP_ADDR_WRITABLE;
	op->perm = IOMMU_FAULT_PERM_READ;
}

static void do_report(struct world *world, const struct op *op)
{
	struct iopf_request request;
	struct op awake = *op;

	if (!has_room(world))
		return;
	keep_apart(world, &awake);
	/* iopf_refuse_request() takes none of these flags. */
	if (op->flags & OP_REFUSE)
		awake.flags &= ~(OP_PRIVATE | OP_STREAM | OP_REFUSED);
	world_make_request(world, &awake, &request);
	if (is_used_in_batch(world, &request)) {
		report_batch(world);
		check(world, world_fdev(world));
	}
	world->batch[world->nr_batch++] = request;
	world->refuse = op->flags & OP_REFUSE;
	if (!(op->flags & OP_MORE) || world->nr_batch == WORLD_BATCH)
		report_batch(world);
}

/* Report many requests of one group together, which join it as a run. */
static void do_flood(struct world *world, const struct op *op)
{
	const struct op one = {
		.kind = OP_REPORT,
		.pasid = op->pasid,
		.index = op->index,
		.perm = IOMMU_FAULT_PERM_WRITE,
		.addr = OP_ADDR_WRITABLE,
	};
	struct iopf_device *fdev = world_fdev(world);
	unsigned int nr = 1 + op->number % WORLD_FLOOD;
	struct model_counts before = {};
	struct model_counts after = {};
	struct model_seen seen;
	unsigned int i;
	int wants;
	int ret;

	if (world->model.has_handler || !fdev ||
	    !has_room(world))
		return;
	for (i = 0; i < nr; i++)
		world_make_request(world, &one, &world->flood[i]);
	see_counts(fdev, &before);
	ret = report(world, world->flood, nr);
	see_counts(fdev, &after);
	seen = seen_since(fdev, &before, ret);
	wants = model_flood(&world->model, &world->flood[0], nr, &seen,
			    after.partial);
	check_ret(world, "the report", ret, wants);
}

/*
 * Handlers
 */

static enum model_mood mood_of(const struct op *op)
{
	return op->perm % MODEL_NR_MOODS;
}

static void do_mood(struct world *world, const struct op *op)
{
	world->model.mood = mood_of(op);
	world->model.mood_code = op->number % 3;
}

/* Continue is the most frequent one, as most handlers want whole groups. */
static void do_mood_partial(struct world *world, const struct op *op)
{
	enum model_mood mood = mood_of(op);

	if (mood >= MODEL_RESPOND && mood != MODEL_QUEUE)
		mood = MODEL_CONTINUE;
	world->model.mood_partial = mood;
}

static void do_mood_domain(struct world *world, const struct op *op)
{
	world->model.domain_mood = mood_of(op);
	world->model.domain_code = op->number % 3;
}

static void do_respond_pair(struct world *world, const struct op *op)
{
	struct iommu_page_response msg = {
		.pasid = world_pasid(op->pasid),
		.grpid = world_index(op->index),
		.code = op->perm % 4,
	};
	int ret = iommu_page_response(world_dev(world), &msg);

	check_ret(world, "iommu_page_response()", ret,
		  model_respond(&world->model, &msg, 0));
}

/* Return a request that the registered handler has kept, or NULL. */
static struct world_kept *find_kept(struct world *world, const struct op *op)
{
	unsigned int nr = min(world->nr_kept, WORLD_KEPT);

	return nr ? &world->kept[op->index % nr] : NULL;
}

static struct iommu_page_response response_to(const struct world_kept *kept,
					      u32 code)
{
	const struct iommu_fault_page_request *prm = &kept->request.fault.prm;
	bool valid = prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;

	return (struct iommu_page_response){
		.pasid = valid ? prm->pasid : IOMMU_NO_PASID,
		.grpid = prm->grpid,
		.code = code,
	};
}

/* Respond by cookie, sometimes by one that was not given out. */
static void do_respond_cookie(struct world *world, const struct op *op)
{
	const struct world_kept *kept = find_kept(world, op);
	struct iommu_page_response msg;
	u64 cookie;
	int ret;

	if (!kept || !kept->cookie)
		return;
	cookie = op->number ? kept->cookie : U64_MAX;
	msg = response_to(kept, op->perm % 4);
	ret = iommu_page_response_by_cookie(world_dev(world), &msg, cookie);
	check_ret(world, "iommu_page_response_by_cookie()", ret,
		  model_respond(&world->model, &msg, cookie));
}

static void do_pending(struct world *world, const struct op *op)
{
	const struct world_kept *kept = find_kept(world, op);
	struct iommu_page_response msg;
	bool pending;

	if (!kept || !kept->cookie)
		return;
	msg = response_to(kept, 0);
	pending = iommu_page_response_pending(world_dev(world), &msg,
					      kept->cookie);
	check_ret(world, "iommu_page_response_pending()", pending,
		  model_is_pending(&world->model, &msg, kept->cookie));
}

static void do_queue(struct world *world, const struct op *op)
{
	struct world_kept *kept = find_kept(world, op);
	struct iopf_device *fdev = world_fdev(world);
	struct model_counts before = {};
	struct model_seen seen;
	struct iommu_fault fault;
	unsigned int nr;
	int ret;

	/* See keep_apart(). */
	if (!kept || !has_room(world) || world->model.held)
		return;
	/* With two such groups it is not defined which one is continued. */
	model_find_queued(&world->model, &kept->request.fault, &nr);
	if (nr > 1)
		return;
	if (fdev)
		see_counts(fdev, &before);
	fault = kept->request.fault;
	ret = iommu_queue_iopf(&fault, world_dev(world));
	seen = seen_since(fdev, &before, ret);
	check_ret(world, "iommu_queue_iopf()", ret,
		  model_queue(&world->model, &kept->request, &seen));
}

static struct model_group *find_taken(struct world *world,
				      struct iopf_group *taken)
{
	struct model *model = &world->model;
	unsigned int i;

	for (i = 0; i < MODEL_GROUPS; i++)
		if (model->group[i].state != MODEL_FREE &&
		    model->group[i].taken == taken)
			return &model->group[i];
	model_wrong(model, "the model does not have a group");
	return NULL;
}

static void do_group_response(struct world *world, const struct op *op)
{
	struct iopf_group *taken;
	struct model_group *group;

	if (!world->nr_taken)
		return;
	taken = world->taken[op->index % world->nr_taken];
	group = find_taken(world, taken);
	if (!group)
		return;
	iopf_group_response(taken, op->perm % 3);
	model_group_response(&world->model, group, op->perm % 3);
}

static void do_free_group(struct world *world, const struct op *op)
{
	struct model_group *group;
	unsigned int i;

	if (!world->nr_taken)
		return;
	i = op->index % world->nr_taken;
	group = find_taken(world, world->taken[i]);
	if (group)
		model_free_group(&world->model, group);
	iopf_free_group(world->taken[i]);
	world->taken[i] = world->taken[--world->nr_taken];
}

/* Ends of groups */

static void do_flush_pasid(struct world *world, const struct op *op)
{
	u32 pasid = world_pasid(op->pasid);
	int wants = world->model.on_queue ? 0 : -ENODEV;

	check_ret(world, "iopf_queue_flush_pasid()",
		  iopf_queue_flush_pasid(world_dev(world), pasid), wants);
	if (!wants)
		model_flush_pasid(&world->model, pasid);
}

static void do_flush_dev(struct world *world, const struct op *op)
{
	if (!world->model.on_queue)
		return;
	check_ret(world, "iopf_queue_flush_dev()",
		  iopf_queue_flush_dev(world_dev(world)), 0);
	model_flush_dev(&world->model);
}

static void do_discard(struct world *world, const struct op *op)
{
	check_ret(world, "iopf_queue_discard_partial()",
		  iopf_queue_discard_partial(world->fake->queue), 0);
	/* The device may be on the default queue. */
	if (!world->model.on_default_queue)
		model_discard_partial(&world->model);
}

static void do_reset(struct world *world, const struct op *op)
{
	int wants = world->model.on_queue ? 0 : -ENODEV;

	check_ret(world, "iopf_queue_reset_dev()",
		  iopf_queue_reset_dev(world_dev(world)), wants);
	if (!wants)
		model_reset(&world->model);
}

/* Check @fdev for the last time after the device has left its queue. */
static void left_queue(struct world *world, struct iopf_device *fdev)
{
	model_leave_queue(&world->model);
	check(world, fdev);
	if (!world_fdev(world))
		return;
	world_track_fdev(world);
	model_join_queue(&world->model, world_fdev(world)->base.queue !=
					world->fake->queue);
}

/* Return true if there is room in world->fdevs, with some for the last operations. */
static bool may_come_and_go(struct world *world)
{
	return world->ending || world->nr_fdevs < WORLD_IDEVS - 4;
}

static void do_remove(struct world *world, const struct op *op)
{
	struct iopf_device *fdev = world_fdev(world);
	struct model *model = &world->model;

	if (!model->on_queue || model->on_default_queue ||
	    !may_come_and_go(world))
		return;
	fake_remove_device(world->fake);
	left_queue(world, fdev);
	if (model->on_queue != model->has_handler ||
	    model->on_queue != model->on_default_queue)
		model_wrong(model, "the device is on a wrong queue");
}

static void do_add(struct world *world, const struct op *op)
{
	struct iopf_device *fdev = world_fdev(world);
	struct model *model = &world->model;
	bool is_there = model->on_queue && !model->on_default_queue;
	int ret;

	if (!may_come_and_go(world))
		return;
	ret = iopf_queue_add_device(world->fake->queue, world_dev(world));
	check_ret(world, "iopf_queue_add_device()", ret,
		  is_there ? -EBUSY : 0);
	if (is_there)
		return;
	if (model->on_default_queue) {
		left_queue(world, fdev);
	} else {
		world_track_fdev(world);
		model_join_queue(model, false);
	}
	if (model->on_default_queue || !model->on_queue)
		model_wrong(model, "the device is on a wrong queue");
}

static void do_register(struct world *world, const struct op *op)
{
	struct model *model = &world->model;
	int ret;

	if (!may_come_and_go(world))
		return;
	ret = iommu_register_device_fault_handler(world_dev(world),
						  world_handler, world);
	check_ret(world, "iommu_register_device_fault_handler()", ret,
		  model->has_handler ? -EBUSY : 0);
	if (model->has_handler)
		return;
	model->has_handler = true;
	model->nr_late = 0;
	model->late_full = false;
	if (!model->on_queue) {
		world_track_fdev(world);
		model_join_queue(model, true);
	}
}

static void do_unregister(struct world *world, const struct op *op)
{
	struct iopf_device *fdev = world_fdev(world);
	struct model *model = &world->model;
	int wants = 0;

	model_count(model);
	if (!model->has_handler)
		wants = -EINVAL;
	else if (model->counts.handled)
		wants = -EBUSY;
	check_ret(world, "iommu_unregister_device_fault_handler()",
		  iommu_unregister_device_fault_handler(world_dev(world)),
		  wants);
	if (wants)
		return;
	model->has_handler = false;
	model->nr_late = 0;
	model->late_full = false;
	if (model->on_default_queue)
		left_queue(world, fdev);
}

/*
 * Settings
 */

static void do_limits(struct world *world, const struct op *op)
{
	const struct iopf_limits limits = model_pick_limits(op->number,
							    op->index);

	check_ret(world, "iopf_device_set_limits()",
		  iopf_device_set_limits(world_dev(world), &limits),
		  model_set_limits(&world->model, &limits));
}

static void do_timeout(struct world *world, const struct op *op)
{
	static const int ms[] = { 0, 100000, -1, 100001 };
	int time = ms[op->number % ARRAY_SIZE(ms)];
	int domain_time = ms[op->index % ARRAY_SIZE(ms)];
	struct iopf_queue *queue = world->fake->queue;

	check_ret(world, "iopf_queue_set_timeout()",
		  iopf_queue_set_timeout(queue, time),
		  time > 100000 ? -EINVAL : 0);
	check_ret(world, "iopf_queue_set_domain_timeout()",
		  iopf_queue_set_domain_timeout(queue, domain_time),
		  domain_time > 100000 ? -EINVAL : 0);
}

/* Let groups reach the shortest timeout. The quarantine lasts ten times as long. */
static void do_expire(struct world *world, const struct op *op)
{
	struct iopf_queue *queue = world->fake->queue;
	struct iopf_device *fdev = world_fdev(world);
	struct model *model = &world->model;
	unsigned int nr_late = model->nr_late;
	bool time = op->number & 1;
	bool domain_time = op->number & 2;

	if (!model->on_queue || model->on_default_queue || nr_late > MODEL_LATE / 2)
		return;
	/* Sleeping faults may have no timeout if more than half of a limit is used. */
	model_count(model);
	if (model->counts.faulting &&
	    min(model->limits.groups, model->limits.requests) < MODEL_GROUPS)
		return;
	iopf_queue_set_timeout(queue, time);
	iopf_queue_set_domain_timeout(queue, domain_time);
	schedule_timeout_uninterruptible(TIMEOUT_TICKS);
	flush_delayed_work(&fdev->timeout_work);
	model_expire(model, time, domain_time);
	if (model->nr_late != nr_late)
		schedule_timeout_uninterruptible(LATE_TICKS);
	model->nr_late = nr_late;
	iopf_queue_set_timeout(queue, 0);
	iopf_queue_set_domain_timeout(queue, 0);
}

static void do_fail(struct world *world, const struct op *op)
{
	if (IS_ENABLED(CONFIG_FAILSLAB))
		world->fail = op->number;
}

static void do_hold(struct world *world, const struct op *op)
{
	if (!world->model.held)
		world->model.held = world_hold(world);
}

static void do_release(struct world *world, const struct op *op)
{
	struct iopf_device *fdev = world_fdev(world);
	struct model *model = &world->model;
	struct model_counts seen;

	world_release(world);
	if (!model->held)
		return;
	model_release(model);
	if (!fdev || !world->checks)
		return;
	wait_until_quiet(world, fdev, true);
	see_counts(fdev, &seen);
	allow_late_workers(model, seen.late);
	/* All late workers have come. */
	model->slept = 0;
}

/*
 * Unbind as iommu_sva_unbind_device() does: the last user goes, then the driver flushes
 * the device. The library notices which PASID that is if the PASID has a PASID queue.
 * If that is uncertain and makes a difference, do nothing.
 */
static void do_unbind(struct world *world, const struct op *op)
{
	struct model *model = &world->model;
	bool known = false;
	unsigned int i;

	model_count(model);
	for (i = 0; i < MODEL_GROUPS; i++)
		known |= model_is_alive(&model->group[i]) &&
			 model->group[i].valid &&
			 model->group[i].pasid == WORLD_SVA_PASID2;
	if (!model->sva_pasid[1] || (!known && model->counts.faulting))
		return;
	refcount_set(&world->bond.users, 0);
	if (model->on_queue) {
		check_ret(world, "iopf_queue_flush_dev()",
			  iopf_queue_flush_dev(world_dev(world)), 0);
		model_flush_unbound(model, WORLD_SVA_PASID2);
	}
	iommu_detach_device_pasid(&world->fake->sva, world_dev(world),
				  WORLD_SVA_PASID2);
	memset(&world->bond, 0, sizeof(world->bond));
	model->sva_pasid[1] = 0;
}

static void do_bind(struct world *world, const struct op *op)
{
	if (world->model.sva_pasid[1])
		return;
	fake_bind_to(world->test, &world->fake->sva, world_dev(world),
		     WORLD_SVA_PASID2, &world->bond);
	world->model.sva_pasid[1] = WORLD_SVA_PASID2;
}

static void do_unrecoverable(struct world *world, const struct op *op)
{
	const struct iommu_fault_unrecoverable fault = {
		.reason = IOMMU_FAULT_REASON_PTE_FETCH,
	};

	check_ret(world, "iommu_report_unrecoverable_fault()",
		  iommu_report_unrecoverable_fault(world_dev(world), &fault),
		  world->model.has_handler ? 0 : -ENOENT);
}

static void (*const actions[OP_NR_KINDS])(struct world *world,
					  const struct op *op) = {
	[OP_REPORT] = do_report,
	[OP_FLOOD] = do_flood,
	[OP_MOOD] = do_mood,
	[OP_MOOD_PARTIAL] = do_mood_partial,
	[OP_MOOD_DOMAIN] = do_mood_domain,
	[OP_RESPOND_PAIR] = do_respond_pair,
	[OP_RESPOND_COOKIE] = do_respond_cookie,
	[OP_PENDING] = do_pending,
	[OP_QUEUE] = do_queue,
	[OP_GROUP_RESPONSE] = do_group_response,
	[OP_FREE_GROUP] = do_free_group,
	[OP_FLUSH_PASID] = do_flush_pasid,
	[OP_FLUSH_DEV] = do_flush_dev,
	[OP_DISCARD] = do_discard,
	[OP_RESET] = do_reset,
	[OP_REMOVE] = do_remove,
	[OP_ADD] = do_add,
	[OP_REGISTER] = do_register,
	[OP_UNREGISTER] = do_unregister,
	[OP_LIMITS] = do_limits,
	[OP_TIMEOUT] = do_timeout,
	[OP_EXPIRE] = do_expire,
	[OP_FAIL] = do_fail,
	[OP_HOLD] = do_hold,
	[OP_RELEASE] = do_release,
	[OP_UNBIND] = do_unbind,
	[OP_BIND] = do_bind,
	[OP_UNRECOVERABLE] = do_unrecoverable,
};

/* Do an operation. Requests that wait for another one are reported first. */
static void do_op(struct world *world, const struct op *op)
{
	if (op->kind != OP_REPORT && world->nr_batch) {
		report_batch(world);
		check(world, world_fdev(world));
	}
	actions[op->kind % OP_NR_KINDS](world, op);
	check(world, world_fdev(world));
}

/* End everything: groups, the registration, groups of the domain's handler. */
static const struct op last_ops[] = {
	{ .kind = OP_RELEASE },
	{ .kind = OP_ADD },
	{ .kind = OP_REMOVE },
	{ .kind = OP_UNREGISTER },
};

static void do_last_ops(struct world *world)
{
	const struct op free_group = { .kind = OP_FREE_GROUP };
	unsigned int i;

	world->ending = true;
	for (i = 0; i < ARRAY_SIZE(last_ops); i++)
		do_op(world, &last_ops[i]);
	while (world->nr_taken)
		do_op(world, &free_group);
}

/*
 * Check that the kernel has not warned. WARN_ONCE() warns once, so that cannot be
 * repeated.
 */
static void check_warning(struct model *model, unsigned long taints)
{
	if ((get_taint() ^ taints) & BIT(TAINT_WARN))
		model_wrong(model, "the kernel has warned");
}

/* Print what is wrong, once and before anything else, as a crash may follow. */
static void print_wrong(struct kunit *test, struct run *run,
			const struct model *model)
{
	if (run->first && model->wrong[0])
		kunit_err(test, "caught after %lu operations: %s\n",
			  run->before + run->done, model->wrong);
	if (model->wrong[0])
		run->first = false;
}

/* Run a sequence on a new device. Return false if something was wrong. */
bool model_run(struct kunit *test, struct run *run)
{
	struct world *world = world_begin(test, run->at_once);
	unsigned long taints = get_taint();
	struct model *model = &world->model;
	unsigned int i;

	for (i = 0; i < run->nr && !model->wrong[0]; i++) {
		run->done = i + 1;
		do_op(world, &run->ops[i]);
		check_warning(model, taints);
	}
	/* The rest is taken down without checks, and may crash. */
	if (model->wrong[0]) {
		print_wrong(test, run, model);
		world->checks = false;
	}
	do_last_ops(world);
	world_end(world);
	check_warning(model, taints);
	print_wrong(test, run, model);
	strscpy(run->wrong, model->wrong, sizeof(run->wrong));
	kvfree(world);
	return !run->wrong[0];
}
