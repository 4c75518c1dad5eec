// SPDX-License-Identifier: GPL-2.0
/*
 * A model of a VT-d unit, see vtd_model.h
 */
#include <linux/minmax.h>
#include <linux/prandom.h>

#include "vtd_model.h"

static struct vtd_model *to_vtd_model(struct vtd_prq *prq)
{
	return container_of(prq, struct vtd_model, prq);
}

/* Call @hook at each @access, or nothing if it is NULL. */
void vtd_on(struct vtd_model *model, enum vtd_access access, vtd_hook_t hook)
{
	model->hooks[access] = hook;
}

/* Call the hook of @access, unless it is running already. */
static void vtd_happen(struct vtd_model *model, enum vtd_access access)
{
	vtd_hook_t hook = model->hooks[access];

	if (!hook || model->happening[access])
		return;
	model->happening[access] = true;
	hook(model);
	model->happening[access] = false;
}

static unsigned int vtd_read_head(struct vtd_prq *prq)
{
	return to_vtd_model(prq)->head;
}

static unsigned int vtd_read_tail(struct vtd_prq *prq)
{
	struct vtd_model *model = to_vtd_model(prq);

	vtd_happen(model, VTD_READ_TAIL);
	return READ_ONCE(model->tail);
}

static void vtd_write_head(struct vtd_prq *prq, unsigned int head)
{
	to_vtd_model(prq)->head = head;
}

static u32 vtd_read_status(struct vtd_prq *prq)
{
	struct vtd_model *model = to_vtd_model(prq);

	vtd_happen(model, VTD_READ_STATUS);
	return READ_ONCE(model->status);
}

/* Return the number of requests in the ring. */
unsigned int vtd_used(struct vtd_model *model)
{
	return (model->tail - model->head) % VTD_SLOTS;
}

static void vtd_clear_status(struct vtd_prq *prq, u32 bits)
{
	struct vtd_model *model = to_vtd_model(prq);
	bool overflow;

	spin_lock(&model->lock);
	overflow = model->status & bits & VTD_PRQ_OVERFLOW;
	if (overflow && vtd_used(model))
		model->early_clears++;
	if (overflow && model->stuck) {
		model->stuck--;
		bits &= ~VTD_PRQ_OVERFLOW;
	}
	WRITE_ONCE(model->status, model->status & ~bits);
	spin_unlock(&model->lock);
	if (overflow)
		vtd_happen(model, VTD_CLEARED);
}

static void vtd_lock_devices(struct vtd_prq *prq)
{
	to_vtd_model(prq)->locked = true;
}

static void vtd_unlock_devices(struct vtd_prq *prq)
{
	to_vtd_model(prq)->locked = false;
}

static int vtd_report(struct vtd_prq *prq, u16 rid,
		      const struct iopf_request *requests, unsigned int count)
{
	struct vtd_model *model = to_vtd_model(prq);
	unsigned int i;

	if (!model->locked || rid >> 8 != VTD_RID >> 8)
		return -ENODEV;
	if (model->blocking) {
		complete(&model->blocked);
		wait_for_completion(&model->go_on);
	}
	for (i = 0; i < count; i++) {
		unsigned int place = model->reported++ % VTD_LOG;

		model->heads[place] = model->head;
		model->rids[place] = rid;
		model->log[place] = requests[i];
	}
	if (rid == VTD_RID)
		iopf_report_requests(fake_dev(model->fake), requests, count);
	return 0;
}

static void vtd_reset_devices(struct vtd_prq *prq)
{
	struct vtd_model *model = to_vtd_model(prq);

	if (!model->locked)
		return;
	model->forgotten++;
	iopf_queue_reset_dev(fake_dev(model->fake));
}

static int vtd_submit(struct vtd_prq *prq, struct vtd_prq_desc *descs,
		      unsigned int count)
{
	struct vtd_model *model = to_vtd_model(prq);
	bool refused = model->nr_submissions >= model->refuse &&
		       model->nr_submissions <= model->refuse + model->refuse_more;

	model->most_sent = max(model->most_sent, count);
	model->sizes[model->nr_submissions++ % VTD_LOG] = count;
	for (; count--; model->nr_sent++, descs++)
		if (model->nr_sent < VTD_LOG)
			model->sent[model->nr_sent] = *descs;
	return refused ? model->refuse_with : 0;
}

static int vtd_drain(struct vtd_prq *prq, struct device *dev, u32 pasid)
{
	struct vtd_model *model = to_vtd_model(prq);

	model->nr_drains++;
	vtd_happen(model, VTD_DRAIN);
	return model->drain_error;
}

static int vtd_disable(struct vtd_prq *prq, u16 rid)
{
	struct vtd_model *model = to_vtd_model(prq);

	if (rid >> 8 != VTD_RID >> 8)
		return -ENODEV;
	if (model->disabled == rid)
		return -EALREADY;
	model->disabled = rid;
	model->nr_disabled++;
	return 0;
}

static void vtd_wake_thread(struct vtd_prq *prq)
{
	struct vtd_model *model = to_vtd_model(prq);

	model->woken++;
	if (model->threaded)
		queue_work(model->fake->queue->wq, &model->run);
}

static const struct vtd_prq_ops vtd_ops = {
	.read_head = vtd_read_head,
	.read_tail = vtd_read_tail,
	.write_head = vtd_write_head,
	.read_status = vtd_read_status,
	.clear_status = vtd_clear_status,
	.lock_devices = vtd_lock_devices,
	.unlock_devices = vtd_unlock_devices,
	.report = vtd_report,
	.reset_devices = vtd_reset_devices,
	.submit = vtd_submit,
	.drain = vtd_drain,
	.disable = vtd_disable,
	.wake_thread = vtd_wake_thread,
};

static void vtd_run(struct work_struct *work)
{
	vtd_prq_run(&container_of(work, struct vtd_model, run)->prq);
}

static void vtd_wait(struct work_struct *work)
{
	struct vtd_model *model = container_of(work, struct vtd_model, wait);

	vtd_prq_wait(&model->prq);
	complete(&model->waited);
}

struct vtd_model *vtd_model_new(struct kunit *test, unsigned int first_slot)
{
	struct vtd_model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, model);
	vtd_prq_init(&model->prq);
	model->fake = test->priv;
	model->prq.ops = &vtd_ops;
	model->prq.name = "model";
	model->prq.queue = model->fake->queue;
	model->prq.format = VTD_PRQ_REV4;
	model->prq.ring = model->ring;
	model->prq.size = VTD_SLOTS;
	model->prq.patience = 0;
	model->head = first_slot;
	model->tail = first_slot;
	model->disabled = -1;
	prandom_seed_state(&model->seed, 1);
	spin_lock_init(&model->lock);
	init_completion(&model->go_on);
	init_completion(&model->blocked);
	init_completion(&model->waited);
	INIT_WORK(&model->run, vtd_run);
	INIT_WORK(&model->wait, vtd_wait);
	vtd_prq_start(&model->prq);
	return model;
}

/* Wait until work of the model has ended, whether or not the test has passed. */
void vtd_end(struct vtd_model *model)
{
	/* Pairs with smp_load_acquire() in intel_prq_is_reported(). */
	smp_store_release(&model->prq.reported, U64_MAX);
	wake_up_all(&model->prq.progress);
	flush_work(&model->wait);
	flush_work(&model->run);
}

/* Put a descriptor into the ring, and change nothing else. */
void vtd_put(struct vtd_model *model, u16 rid, u64 extra0, u32 pasid, u32 index,
	     u64 addr, u64 flags)
{
	u64 *slot = model->ring + 4 * model->tail;

	slot[0] = 1 | HAS_PASID | (u64)rid << 16 | (u64)pasid << 32 | extra0;
	slot[1] = addr | index << 3 | flags;
	slot[2] = 0x1111;
	slot[3] = 0x2222;
	WRITE_ONCE(model->tail, (model->tail + 1) % VTD_SLOTS);
}

/*
 * Let a request arrive as hardware does (7.4.1, 7.5): it may be dropped, set the
 * overflow or the pending bit, and interrupt.
 */
void vtd_post(struct vtd_model *model, u16 rid, u32 pasid, u32 index, u64 addr,
	      u64 flags)
{
	u32 status;

	spin_lock(&model->lock);
	status = model->status;
	if (vtd_used(model) == VTD_SLOTS - 1)
		status |= VTD_PRQ_OVERFLOW;
	if (status & VTD_PRQ_OVERFLOW) {
		model->dropped++;
	} else {
		vtd_put(model, rid, 0, pasid, index, addr, flags);
		status |= VTD_PRQ_PENDING;
	}
	if (status && !model->status)
		model->interrupts++;
	WRITE_ONCE(model->status, status);
	spin_unlock(&model->lock);
}

/* Let requests of @rid arrive until one is dropped. */
void vtd_overflow(struct vtd_model *model, u16 rid)
{
	while (!(READ_ONCE(model->status) & VTD_PRQ_OVERFLOW))
		vtd_post(model, rid, 1, 0, 0x1000, WRITE_ACCESS);
}

void vtd_check_request(struct kunit *test, const struct iopf_request *request,
		       u32 pasid, u32 index, u64 addr, u32 perm, bool last)
{
	const struct iommu_fault_page_request *prm = &request->fault.prm;
	u32 flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
		    IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID |
		    (last ? IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE : 0);

	KUNIT_EXPECT_EQ(test, IOMMU_FAULT_PAGE_REQ, request->fault.type);
	KUNIT_EXPECT_EQ(test, flags, prm->flags);
	KUNIT_EXPECT_EQ(test, pasid, prm->pasid);
	KUNIT_EXPECT_EQ(test, index, prm->grpid);
	KUNIT_EXPECT_EQ(test, addr, prm->addr);
	KUNIT_EXPECT_EQ(test, perm, prm->perm);
}

void vtd_check_desc(struct kunit *test, const struct vtd_prq_desc *desc,
		    u64 qw0, u64 qw1, u64 qw2, u64 qw3)
{
	KUNIT_EXPECT_EQ(test, qw0, desc->qw[0]);
	KUNIT_EXPECT_EQ(test, qw1, desc->qw[1]);
	KUNIT_EXPECT_EQ(test, qw2, desc->qw[2]);
	KUNIT_EXPECT_EQ(test, qw3, desc->qw[3]);
}

/* Free the groups that the domain's handler has taken, and undo fake_init(). */
void vtd_suite_exit(struct kunit *test)
{
	if (test->priv)
		fake_free_taken(test->priv);
	fake_exit(test);
}
