// SPDX-License-Identifier: GPL-2.0
/*
 * The environment of the reference model, see world.h
 */
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>

#include "slow.h"
#include "world.h"

/* How long references may take to be dropped. */
#define WORLD_TIMEOUT	(20 * HZ)
/* Below all mappings of the mm. */
#define WORLD_HOLE	0x1000

static struct world *the_world;

static const u32 pasids[OP_NR_PASIDS] = {
	[OP_PASID_SVA] = FAKE_SVA_PASID,
	[OP_PASID_SVA2] = WORLD_SVA_PASID2,
	[OP_PASID_DOMAIN] = FAKE_PASID,
	[OP_PASID_UNBOUND] = 99,
	[OP_PASID_NONE] = IOMMU_NO_PASID,
	[OP_PASID_GARBAGE] = 77,
	[OP_PASID_ZERO] = 0,
	[OP_PASID_WIDE] = (1 << 20) + 3,
};

static const u32 indices[OP_NR_INDICES] = { 1, 2, 3, 0x12345 };

u32 world_pasid(enum op_pasid pasid)
{
	return pasids[pasid];
}

u32 world_index(unsigned int index)
{
	return indices[index % OP_NR_INDICES];
}

static u64 world_addr(struct world *world, const struct op *op)
{
	u64 page = op->number % 2 * PAGE_SIZE;

	switch (op->addr) {
	case OP_ADDR_WRITABLE:
		return world->writable + page;
	case OP_ADDR_UNALIGNED:
		return world->writable + page + 0x123;
	case OP_ADDR_READABLE:
		return world->readable + page;
	case OP_ADDR_WRITE_ONLY:
		return world->write_only + page;
	case OP_ADDR_EXECUTABLE:
		return world->executable + page;
	case OP_ADDR_NONE:
		return world->none + page;
	case OP_ADDR_HOLE:
		return world->hole;
	case OP_ADDR_BEYOND:
		return world->mm->task_size + page;
	default:
		/* The page that is held, or one that is never held. */
		return world->slow + PAGE_SIZE *
		       (world->model.held ? world->nr_held - 1 : SLOW_PAGES - 1);
	}
}

/* Make the request of operation @op. */
void world_make_request(struct world *world, const struct op *op,
			struct iopf_request *request)
{
	bool valid = op->pasid != OP_PASID_NONE &&
		     op->pasid != OP_PASID_GARBAGE;

	*request = (struct iopf_request){
		.fault = {
			.type = op->flags & OP_OTHER_TYPE ?
				IOMMU_FAULT_DMA_UNRECOV : IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = (valid ? IOMMU_FAULT_PAGE_REQUEST_PASID_VALID : 0) |
					 (op->flags & OP_LAST ?
					  IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE : 0),
				.pasid = world_pasid(op->pasid),
				.grpid = world_index(op->index),
				.perm = op->perm,
				.addr = world_addr(world, op),
			},
		},
		.flags = (op->flags & OP_PRIVATE ? IOPF_REQUEST_PRIVATE_DATA : 0) |
			 (op->flags & OP_STREAM ? IOPF_REQUEST_STREAMING : 0) |
			 (op->flags & OP_REFUSED ? IOPF_REQUEST_REFUSED : 0),
	};
	if (op->flags & OP_PRIVATE) {
		request->private_data[0] = ++world->serial;
		request->private_data[1] = ~world->serial;
	}
}

/* Return true if @addr is in one of the two pages at @start. */
static bool is_in(unsigned long start, u64 addr)
{
	return addr >= start && addr < start + 2 * PAGE_SIZE;
}

/*
 * Return what the mm does on an access. PROT_WRITE implies PROT_READ, as for the CPU.
 */
static enum model_page world_page(struct model *model,
				  const struct iommu_fault *fault)
{
	struct world *world = container_of(model, struct world, model);
	u64 addr = fault->prm.addr;
	u32 allowed = 0;

	if (addr >= world->slow && addr < world->slow + SLOW_PAGES * PAGE_SIZE)
		allowed = IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE;
	else if (is_in(world->writable, addr) || is_in(world->write_only, addr))
		allowed = IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE;
	else if (is_in(world->readable, addr))
		allowed = IOMMU_FAULT_PERM_READ;
	else if (is_in(world->executable, addr))
		allowed = IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_EXEC;
	if (!allowed ||
	    fault->prm.perm & ~(allowed | IOMMU_FAULT_PERM_PRIV))
		return MODEL_PAGE_BAD;
	if (model->held &&
	    addr >> PAGE_SHIFT ==
	    (world->slow >> PAGE_SHIFT) + world->nr_held - 1)
		return MODEL_PAGE_SLOW;
	return MODEL_PAGE_GOOD;
}

static const struct model_call *world_next_call(struct model *model)
{
	struct world *world = container_of(model, struct world, model);

	return world->next_call < world->nr_calls ?
	       &world->calls[world->next_call++] : NULL;
}

static const struct model_ops world_model_ops = {
	.page = world_page,
	.next_call = world_next_call,
};

/*
 * The wire
 */

static void world_add_wire(struct world *world, const struct iommu_fault *fault,
			   const struct iommu_page_response *msg,
			   const u64 *private_data)
{
	if (world->respond) {
		world->respond(world, fault, msg);
		return;
	}
	spin_lock(&world->lock);
	if (world->nr_wire < MODEL_WIRE)
		world->wire[world->nr_wire++] = (struct model_wire){
			.pasid = msg->pasid,
			.grpid = msg->grpid,
			.code = msg->code,
			.flags = fault->prm.flags,
			.addr = fault->prm.addr,
			.private_data[0] = private_data[0],
			.private_data[1] = private_data[1],
		};
	spin_unlock(&world->lock);
}

static void world_response(struct fake *fake, const struct iommu_fault *fault,
			   const struct iommu_page_response *msg)
{
	const u64 private_data[2] = {
		fault->prm.private_data[0], fault->prm.private_data[1],
	};

	world_add_wire(the_world, fault, msg, private_data);
}

static void world_responses(struct device *dev,
			    const struct iopf_response *responses,
			    unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		world_add_wire(the_world, &responses[i].fault,
			       &responses[i].msg, responses[i].private_data);
}

static const struct iopf_queue_ops world_queue_ops = {
	.page_responses = world_responses,
};

/*
 * Handlers
 */

static struct model_call *world_add_call(struct world *world)
{
	static struct model_call overflow;

	return world->nr_calls < WORLD_CALLS ?
	       &world->calls[world->nr_calls++] : &overflow;
}

static void world_keep(struct world *world, const struct iopf_request *request,
		       u64 cookie)
{
	world->kept[world->nr_kept++ % WORLD_KEPT] = (struct world_kept){
		.request = *request,
		.cookie = cookie,
	};
}

static void world_respond_to(struct world *world,
			     const struct iommu_fault *fault)
{
	bool valid = fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	struct iommu_page_response msg = {
		.pasid = valid ? fault->prm.pasid : IOMMU_NO_PASID,
		.grpid = fault->prm.grpid,
		.code = world->model.mood_code,
	};

	iommu_page_response(world_dev(world), &msg);
}

static int world_handle_partial(struct world *world, struct model_call *call,
				struct iommu_fault *fault)
{
	const struct iopf_request *request = iopf_fault_request(fault);

	switch (model_mood_partial(&world->model, fault)) {
	case MODEL_CONTINUE:
		return IOMMU_FAULT_STATUS_CONTINUE;
	case MODEL_FAIL:
		return MODEL_HANDLER_ERROR;
	case MODEL_ODD:
		return 7;
	case MODEL_QUEUE:
		call->ret = iommu_queue_iopf(fault, world_dev(world));
		return IOMMU_FAULT_STATUS_HANDLED;
	default:
		world_keep(world, request, 0);
		return IOMMU_FAULT_STATUS_HANDLED;
	}
}

/* The registered handler: does what the model's mood says. */
int world_handler(struct iommu_fault *fault, void *data)
{
	const struct iopf_group *group;
	struct world *world = data;
	struct model_call *call;

	if (fault->type != IOMMU_FAULT_PAGE_REQ)
		return IOMMU_FAULT_STATUS_HANDLED;
	group = iopf_fault_whole_group(fault);
	call = world_add_call(world);
	*call = (struct model_call){
		.request = *iopf_fault_request(fault),
		.nr = group ? group->fault_count : 0,
	};
	if (!group)
		return world_handle_partial(world, call, fault);

	switch (world->model.mood) {
	case MODEL_KEEP_COOKIE:
		call->cookie = iopf_fault_cookie(fault);
		fallthrough;
	case MODEL_KEEP:
		world_keep(world, &call->request, call->cookie);
		return IOMMU_FAULT_STATUS_HANDLED;
	case MODEL_CONTINUE:
		return IOMMU_FAULT_STATUS_CONTINUE;
	case MODEL_FAIL:
		return MODEL_HANDLER_ERROR;
	case MODEL_ODD:
		return 7;
	case MODEL_RESPOND_TWICE:
		world_respond_to(world, fault);
		fallthrough;
	case MODEL_RESPOND:
		world_respond_to(world, fault);
		return IOMMU_FAULT_STATUS_HANDLED;
	case MODEL_RESPOND_CONTINUE:
		world_respond_to(world, fault);
		return IOMMU_FAULT_STATUS_CONTINUE;
	case MODEL_RESPOND_FAIL:
		world_respond_to(world, fault);
		return MODEL_HANDLER_ERROR;
	default:
		iommu_queue_iopf(fault, world_dev(world));
		return IOMMU_FAULT_STATUS_HANDLED;
	}
}

/* The handler of the domain at FAKE_PASID, likewise. */
static int world_domain_handler(struct iopf_group *group)
{
	struct world *world = the_world;
	struct model_call *call = world_add_call(world);
	u32 code = world->model.domain_code;

	*call = (struct model_call){
		.request.fault = group->last_fault.fault,
		.nr = group->fault_count,
		.group = group,
	};
	switch (world->model.domain_mood) {
	case MODEL_KEEP:
	case MODEL_KEEP_COOKIE:
	case MODEL_QUEUE:
		iopf_group_dequeue(group);
		world->taken[world->nr_taken++ % WORLD_TAKEN] = group;
		return 0;
	case MODEL_CONTINUE:
		break;
	case MODEL_RESPOND_TWICE:
		iopf_group_response(group, code);
		fallthrough;
	case MODEL_RESPOND:
		iopf_group_response(group, code);
		break;
	case MODEL_RESPOND_CONTINUE:
	case MODEL_RESPOND_FAIL:
		iopf_group_response(group, code);
		return MODEL_DOMAIN_ERROR;
	default:
		return MODEL_DOMAIN_ERROR;
	}
	iopf_free_group(group);
	return 0;
}

/*
 * The mm
 */

static unsigned long world_map(struct kunit *test, unsigned long prot)
{
	unsigned long addr = vm_mmap(NULL, 0, 2 * PAGE_SIZE, prot,
				     MAP_PRIVATE | MAP_ANONYMOUS, 0);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

/*
 * Make the mm. Afterwards only workers use it, so its reference counts show whether
 * they have dropped it.
 */
static void world_make_mm(struct kunit *test, struct world *world)
{
	struct mm_struct *mm = fake_new_mm(test);

	world->mm = mm;
	kthread_use_mm(mm);
	world->writable = world_map(test, PROT_READ | PROT_WRITE);
	world->readable = world_map(test, PROT_READ);
	world->write_only = world_map(test, PROT_WRITE);
	world->executable = world_map(test, PROT_READ | PROT_EXEC);
	world->none = world_map(test, PROT_NONE);
	world->hole = WORLD_HOLE;
	world->slow = slow_map_pages(test, 0, 0, SLOW_PAGES);
	kthread_unuse_mm(mm);
}

/* Let faults for the next slow page sleep. Return false if there is none. */
bool world_hold(struct world *world)
{
	if (world->nr_held == SLOW_PAGES - 1)
		return false;
	slow_hold(world->nr_held++);
	return true;
}

/* Wake all faults that sleep. */
void world_release(struct world *world)
{
	slow_release_all();
}

/*
 * The device
 */

/* Return the library's object for the device, or NULL if it is on no queue. */
struct iopf_device *world_fdev(struct world *world)
{
	return rcu_access_pointer(world_dev(world)->iommu->fault_param) ?
	       fake_fdev(world->fake) : NULL;
}

/* Take a reference to the library's object for the device if it is a new one. */
void world_track_fdev(struct world *world)
{
	struct iopf_device *fdev = world_fdev(world);

	if (!fdev || (world->nr_fdevs &&
		      world->fdevs[world->nr_fdevs - 1] == fdev))
		return;
	refcount_inc(&fdev->base.users);
	world->fdevs[world->nr_fdevs++] = fdev;
}

static void world_init_model(struct world *world)
{
	struct model *model = &world->model;

	model->ops = &world_model_ops;
	model->task_size = world->mm->task_size;
	model->max_pasids = world_dev(world)->iommu->max_pasids;
	model->domain_pasid = FAKE_PASID;
	model->sva_pasid[0] = FAKE_SVA_PASID;
	model->sva_pasid[1] = WORLD_SVA_PASID2;
	model->mood_partial = MODEL_CONTINUE;
	model_join_queue(model, false);
}

/* Set up a new device, queue and mm for a sequence. */
struct world *world_begin(struct kunit *test, bool at_once)
{
	struct world *world;
	struct fake *fake;

	world = kvzalloc(sizeof(*world), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, world);
	the_world = world;
	world->test = test;
	world->checks = true;
	world->at_once = at_once;
	spin_lock_init(&world->lock);
	world_make_mm(test, world);

	fake_init(test);
	fake = test->priv;
	world->fake = fake;
	fake->respond = world_response;
	fake->domain.iopf_handler = world_domain_handler;
	if (at_once) {
		fake_remove_device(fake);
		iopf_queue_set_ops(fake->queue, &world_queue_ops);
		fake_add_device(test);
	}
	iopf_queue_set_timeout(fake->queue, 0);
	iopf_queue_set_domain_timeout(fake->queue, 0);
	mmgrab(world->mm);
	fake_bind(test, &fake->sva, world->mm, FAKE_SVA_PASID, &fake->bond);
	fake_bind_to(test, &fake->sva, fake_dev(fake), WORLD_SVA_PASID2,
		     &world->bond);
	world->mm_count = atomic_read(&world->mm->mm_count);
	world_init_model(world);
	world_track_fdev(world);
	return world;
}

static bool world_wait_for_ref(struct world *world, struct iopf_device *fdev)
{
	unsigned long end = jiffies + WORLD_TIMEOUT;

	while (refcount_read(&fdev->base.users) > 1) {
		if (time_after(jiffies, end)) {
			model_wrong(&world->model,
				    "%u references to the device are left",
				    refcount_read(&fdev->base.users) - 1);
			return false;
		}
		schedule_timeout_uninterruptible(1);
	}
	return true;
}

/* Check that @fdev has no group, no worker and no PASID queue in use. */
static void world_check_fdev(struct world *world, struct iopf_device *fdev)
{
	if (iopf_nr_groups(fdev) || fdev->partial_requests || fdev->nr_unfinished ||
	    iopf_nr_pending(fdev) || fdev->nr_handled || fdev->nr_faulting ||
	    fdev->nr_responding || fdev->nr_queued || fdev->nr_deferred)
		model_wrong(&world->model, "groups are left");
	if (fake_nr_used_pqs(fdev))
		model_wrong(&world->model, "PASIDs are left in use: %u of %u",
			    fake_nr_used_pqs(fdev), fdev->nr_pqs);
	if (fdev->nr_workers || fdev->nr_waiting)
		model_wrong(&world->model, "workers are left");
}

/* Check that the mm has no other users. Workers may need a moment. */
static void world_check_mm(struct world *world)
{
	unsigned long end = jiffies + WORLD_TIMEOUT;
	struct mm_struct *mm = world->mm;

	while (atomic_read(&mm->mm_users) > 1 ||
	       atomic_read(&mm->mm_count) > world->mm_count) {
		if (time_after(jiffies, end)) {
			model_wrong(&world->model,
				    "the mm has %d users, %d references of %d",
				    atomic_read(&mm->mm_users),
				    atomic_read(&mm->mm_count),
				    world->mm_count);
			return;
		}
		schedule_timeout_uninterruptible(1);
	}
}

/*
 * Take everything down, and return true if nothing was wrong. The device is on no queue
 * and no handler has a group. Objects that are still referenced are not checked
 * further.
 */
bool world_end(struct world *world)
{
	struct fake *fake = world->fake;
	bool whole = true;
	unsigned int i;

	for (i = 0; i < world->nr_fdevs; i++) {
		whole &= world_wait_for_ref(world, world->fdevs[i]);
		if (whole)
			world_check_fdev(world, world->fdevs[i]);
		iopf_device_put(world->fdevs[i]);
	}
	world_check_mm(world);
	if (world->bond.handle.domain)
		iommu_detach_device_pasid(&fake->sva, fake_dev(fake),
					  WORLD_SVA_PASID2);
	fake_exit(world->test);
	world->test->priv = NULL;
	mmput(world->mm);
	return !world->model.wrong[0];
}
