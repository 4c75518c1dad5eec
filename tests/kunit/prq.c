// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue, with a model in the place of registers and ring: what
 * the emulation that guests have cannot produce
 */
#include <linux/bitfield.h>

#include "../intel/prq.h"
#include "fake.h"

#define MODEL_SLOTS	128
#define MODEL_LOG	1024
#define MODEL_RID	0x0128

/**
 * struct model - a VT-d unit
 * @prq: what is tested
 * @ring: its ring
 * @head: the head register
 * @tail: the tail register
 * @status: PRS
 * @fake: where requests of %MODEL_RID go, besides @log
 * @log: requests reported
 * @rids: whose they are
 * @heads: the head register when they were
 * @reported: length of @log
 * @sent: response descriptors
 * @nr_sent: length of @sent
 * @most_sent: most of them at once
 * @open: devices are locked
 * @blocking: a report waits for @go_on, and completes @blocked before
 * @go_on: see there
 * @blocked: see there
 * @run: runs the queue
 * @wait: waits for it, then completes @waited
 * @waited: see there
 */
struct model {
	struct iopf_prq prq;
	u64 ring[MODEL_SLOTS * 4];
	unsigned int head;
	unsigned int tail;
	u32 status;
	struct fake *fake;
	struct iopf_request log[MODEL_LOG];
	u16 rids[MODEL_LOG];
	unsigned int heads[MODEL_LOG];
	unsigned int reported;
	struct iopf_prq_desc sent[MODEL_LOG];
	unsigned int nr_sent;
	unsigned int most_sent;
	bool open;
	bool blocking;
	struct completion go_on;
	struct completion blocked;
	struct work_struct run;
	struct work_struct wait;
	struct completion waited;
};

static struct model *to_model(struct iopf_prq *prq)
{
	return container_of(prq, struct model, prq);
}

static unsigned int model_tail(struct iopf_prq *prq)
{
	return READ_ONCE(to_model(prq)->tail);
}

static void model_set_head(struct iopf_prq *prq, unsigned int head)
{
	to_model(prq)->head = head;
}

static u32 model_status(struct iopf_prq *prq)
{
	return READ_ONCE(to_model(prq)->status);
}

static void model_clear(struct iopf_prq *prq, u32 bits)
{
	to_model(prq)->status &= ~bits;
}

static void model_lock_devices(struct iopf_prq *prq)
{
	to_model(prq)->open = true;
}

static void model_unlock_devices(struct iopf_prq *prq)
{
	to_model(prq)->open = false;
}

static int model_report(struct iopf_prq *prq, u16 rid,
			const struct iopf_request *requests, unsigned int count)
{
	struct model *model = to_model(prq);
	unsigned int i;

	if (!model->open || rid >> 8 != MODEL_RID >> 8)
		return -ENODEV;
	if (model->blocking) {
		complete(&model->blocked);
		wait_for_completion(&model->go_on);
	}
	for (i = 0; i < count; i++) {
		model->heads[model->reported] = model->head;
		model->rids[model->reported] = rid;
		model->log[model->reported++] = requests[i];
	}
	if (rid == MODEL_RID)
		iopf_report_requests(fake_dev(model->fake), requests, count);
	return 0;
}

static int model_submit(struct iopf_prq *prq, struct iopf_prq_desc *descs,
			unsigned int count)
{
	struct model *model = to_model(prq);

	model->most_sent = max(model->most_sent, count);
	while (count--)
		model->sent[model->nr_sent++] = *descs++;
	return 0;
}

static void model_wake_thread(struct iopf_prq *prq)
{
}

static const struct iopf_prq_ops model_ops = {
	.read_tail = model_tail,
	.write_head = model_set_head,
	.read_status = model_status,
	.clear_status = model_clear,
	.lock_devices = model_lock_devices,
	.unlock_devices = model_unlock_devices,
	.report = model_report,
	.submit = model_submit,
	.wake_thread = model_wake_thread,
};

static void model_run(struct work_struct *work)
{
	iopf_prq_run(&container_of(work, struct model, run)->prq);
}

static void model_wait(struct work_struct *work)
{
	struct model *model = container_of(work, struct model, wait);

	iopf_prq_wait(&model->prq);
	complete(&model->waited);
}

static struct model *make_model(struct kunit *test, unsigned int first_slot)
{
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, model);
	iopf_prq_init(&model->prq);
	model->fake = test->priv;
	model->prq.ops = &model_ops;
	model->prq.name = "model";
	model->prq.queue = model->fake->queue;
	model->prq.format = IOPF_PRQ_REV4;
	model->prq.ring = model->ring;
	model->prq.size = MODEL_SLOTS;
	model->prq.head = first_slot;
	model->head = first_slot;
	model->tail = first_slot;
	init_completion(&model->go_on);
	init_completion(&model->blocked);
	init_completion(&model->waited);
	INIT_WORK(&model->run, model_run);
	INIT_WORK(&model->wait, model_wait);
	return model;
}

/* What makes a descriptor of revision 3 and 4. */
#define READ_ACCESS	BIT_ULL(0)
#define WRITE_ACCESS	BIT_ULL(1)
#define LAST		BIT_ULL(2)
#define PRIVATE		BIT_ULL(9)
#define EXECUTE		BIT_ULL(52)
#define PRIVILEGED	BIT_ULL(53)

static void put(struct model *model, u16 rid, u64 extra0, u32 pasid, u32 index,
		u64 addr, u64 flags)
{
	u64 *slot = model->ring + 4 * model->tail;

	slot[0] = 1 | BIT_ULL(8) | (u64)rid << 16 | (u64)pasid << 32 | extra0;
	slot[1] = addr | index << 3 | flags;
	slot[2] = 0x1111;
	slot[3] = 0x2222;
	WRITE_ONCE(model->tail, (model->tail + 1) % MODEL_SLOTS);
}

static void check_request(struct kunit *test, const struct iopf_request *request,
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

/* RID 01:05.0, PASID 12345, index 1ab, read and write, last. */
static const u64 image[] = {
	0x0001234501280101ULL, 0x00007f1234567d5fULL, 0xaaaa, 0xbbbb,
};

static void decode_rev4(struct kunit *test)
{
	u64 reserved[] = { image[0] | PRIVATE, image[1], image[2], image[3] };
	struct iopf_prq_event event;

	iopf_prq_decode(IOPF_PRQ_REV4, image, &event);
	KUNIT_EXPECT_EQ(test, 0x0128, event.rid);
	KUNIT_EXPECT_NULL(test, event.bad);
	KUNIT_EXPECT_EQ(test, 0, event.request.marks);
	check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
		      IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE, true);
	/* Private data is gone from this revision. */
	iopf_prq_decode(IOPF_PRQ_REV4, reserved, &event);
	KUNIT_EXPECT_EQ(test, 0, event.request.marks);
}

static void decode_rev3(struct kunit *test)
{
	u64 private_data[] = { image[0] | PRIVATE, image[1] & ~LAST, 0x1234, 0x5678 };
	struct iopf_prq_event event;

	iopf_prq_decode(IOPF_PRQ_REV3, image, &event);
	KUNIT_EXPECT_EQ(test, 0, event.request.marks);
	iopf_prq_decode(IOPF_PRQ_REV3, private_data, &event);
	KUNIT_EXPECT_EQ(test, IOPF_REQUEST_PRIVATE_DATA, event.request.marks);
	KUNIT_EXPECT_EQ(test, 0x1234, event.request.private_data[0]);
	KUNIT_EXPECT_EQ(test, 0x5678, event.request.private_data[1]);
	check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
		      IOMMU_FAULT_PERM_READ | IOMMU_FAULT_PERM_WRITE, false);
}

/* Bus 01, devfn 28, PASID 12345, index 1ab, private 55aa, streaming, write. */
static const u64 streaming[] = {
	0xd5800000000000ULL << 8 | 0x55aaULL << 32 | 0x01ULL << 24 |
	0x12345ULL << 4 | BIT_ULL(2) | BIT_ULL(0),
	0x00007f1234567000ULL | 0x28 << 4 | BIT_ULL(1),
};

static void decode_rev2(struct kunit *test)
{
	u64 last[] = { streaming[0] | BIT_ULL(3), streaming[1] };
	struct iopf_prq_event event;

	iopf_prq_decode(IOPF_PRQ_REV2, streaming, &event);
	KUNIT_EXPECT_EQ(test, 0x0128, event.rid);
	KUNIT_EXPECT_NULL(test, event.bad);
	KUNIT_EXPECT_EQ(test, IOPF_REQUEST_STREAMING, event.request.marks);
	KUNIT_EXPECT_EQ(test, 0x55aa, event.request.private_data[0]);
	check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
		      IOMMU_FAULT_PERM_WRITE, false);
	iopf_prq_decode(IOPF_PRQ_REV2, last, &event);
	KUNIT_EXPECT_EQ(test, 0, event.request.marks);
	check_request(test, &event.request, 0x12345, 0x1ab, 0x7f1234567000ULL,
		      IOMMU_FAULT_PERM_WRITE, true);
}

static struct iopf_response response_to(enum iopf_prq_format format,
					const u64 *desc,
					enum iommu_page_response_code code)
{
	struct iopf_response response = { .msg.code = code };
	struct iopf_prq_event event;

	iopf_prq_decode(format, desc, &event);
	response.fault = event.request.fault;
	response.marks = event.request.marks;
	response.private_data[0] = event.request.private_data[0];
	response.private_data[1] = event.request.private_data[1];
	return response;
}

static void check_desc(struct kunit *test, const struct iopf_prq_desc *desc,
		       u64 qw0, u64 qw1, u64 qw2, u64 qw3)
{
	KUNIT_EXPECT_EQ(test, qw0, desc->qw[0]);
	KUNIT_EXPECT_EQ(test, qw1, desc->qw[1]);
	KUNIT_EXPECT_EQ(test, qw2, desc->qw[2]);
	KUNIT_EXPECT_EQ(test, qw3, desc->qw[3]);
}

static void encode(struct kunit *test)
{
	u64 private_data[] = { image[0] | PRIVATE, image[1], 0x1234, 0x5678 };
	struct iopf_response response;
	struct iopf_prq_desc desc;

	response = response_to(IOPF_PRQ_REV4, image, IOMMU_PAGE_RESP_SUCCESS);
	iopf_prq_encode(IOPF_PRQ_REV4, 0x0128, &response, &desc);
	check_desc(test, &desc, 0x0001234501280019ULL, 0xd58, 0, 0);
	response.msg.code = IOMMU_PAGE_RESP_INVALID;
	iopf_prq_encode(IOPF_PRQ_REV4, 0x0128, &response, &desc);
	check_desc(test, &desc, 0x0001234501281019ULL, 0xd58, 0, 0);
	/* The kernel's own driver sends 2 here, which PRI does not have. */
	response.msg.code = IOMMU_PAGE_RESP_FAILURE;
	iopf_prq_encode(IOPF_PRQ_REV4, 0x0128, &response, &desc);
	check_desc(test, &desc, 0x000123450128f019ULL, 0xd58, 0, 0);

	response = response_to(IOPF_PRQ_REV3, private_data,
			       IOMMU_PAGE_RESP_SUCCESS);
	iopf_prq_encode(IOPF_PRQ_REV3, 0x0128, &response, &desc);
	check_desc(test, &desc, 0x0001234501280039ULL, 0xd5c, 0x1234, 0x5678);

	response = response_to(IOPF_PRQ_REV2, streaming, IOMMU_PAGE_RESP_INVALID);
	iopf_prq_encode(IOPF_PRQ_REV2, 0x0128, &response, &desc);
	check_desc(test, &desc,
		   0xd5800000000000ULL << 8 | 0x55aaULL << 32 | 0x01123450ULL | 0xa,
		   0x00007f1234567281ULL, 0, 0);
}

/* The whole ring at once, from its middle over its end. */
static void full_ring_wraps(struct kunit *test)
{
	struct model *model = make_model(test, 100);
	unsigned int i;

	for (i = 0; i < MODEL_SLOTS - 1; i++)
		put(model, 0x0100, 0, 1, i, i << PAGE_SHIFT, WRITE_ACCESS);
	KUNIT_EXPECT_TRUE(test, iopf_prq_run(&model->prq));
	KUNIT_EXPECT_EQ(test, 99, model->head);
	KUNIT_ASSERT_EQ(test, MODEL_SLOTS - 1, model->reported);
	for (i = 0; i < MODEL_SLOTS - 1; i++)
		check_request(test, &model->log[i], 1, i, i << PAGE_SHIFT,
			      IOMMU_FAULT_PERM_WRITE, false);
	/* The slots are free before the first request of a batch is reported. */
	KUNIT_EXPECT_EQ(test, (100 + IOPF_PRQ_BATCH) % MODEL_SLOTS,
			model->heads[0]);
	KUNIT_EXPECT_FALSE(test, iopf_prq_run(&model->prq));
}

/* Each device's requests stay in their order. */
static void several_requesters(struct kunit *test)
{
	struct model *model = make_model(test, 0);
	unsigned int next[3] = { 0 };
	unsigned int i;

	for (i = 0; i < 60; i++)
		put(model, 0x0100 + i % 3, 0, 1, i, 0, WRITE_ACCESS);
	iopf_prq_run(&model->prq);
	KUNIT_ASSERT_EQ(test, 60, model->reported);
	for (i = 0; i < 60; i++) {
		u32 index = model->log[i].fault.prm.grpid;
		u16 device = model->rids[i] - 0x0100;

		KUNIT_EXPECT_EQ(test, device, index % 3);
		KUNIT_EXPECT_EQ(test, next[device]++, index / 3);
	}
}

/* Only what PRI owes an answer to gets one. */
static void unknown_requester(struct kunit *test)
{
	struct model *model = make_model(test, 0);

	model->prq.format = IOPF_PRQ_REV3;
	put(model, 0x0300, 0, 1, 1, 0x1000, WRITE_ACCESS);
	put(model, 0x0300, 0, 1, 1, 0, LAST);
	put(model, 0x0300, 0, 1, 2, 0x1000, WRITE_ACCESS | LAST);
	put(model, 0x0300, PRIVATE, 1, 3, 0x1000, WRITE_ACCESS);
	put(model, 0x0300, PRIVILEGED, 1, 4, 0x1000, WRITE_ACCESS | LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->reported);
	KUNIT_ASSERT_EQ(test, 3, model->nr_sent);
	check_desc(test, &model->sent[0], 0x103001019ULL, 2 << 3 | LAST, 0, 0);
	check_desc(test, &model->sent[1], 0x103001039ULL, 3 << 3, 0x1111, 0x2222);
	check_desc(test, &model->sent[2], 0x103001019ULL, 4 << 3 | LAST, 0, 0);
}

/* One bad request, last or not, and its whole group gets one answer, a bad one. */
static void check_refused(struct kunit *test, u64 extra0, u64 addr, u64 access)
{
	struct fake *fake = test->priv;
	struct model *model = make_model(test, 0);

	fake->answers = 0;
	put(model, MODEL_RID, 0, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	put(model, MODEL_RID, extra0, FAKE_PASID, 1, addr, access);
	put(model, MODEL_RID, 0, FAKE_PASID, 1, 0x2000, WRITE_ACCESS | LAST);
	put(model, MODEL_RID, 0, FAKE_PASID, 2, 0x3000, WRITE_ACCESS);
	put(model, MODEL_RID, extra0, FAKE_PASID, 2, addr, access | LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 2, fake->answers);
	KUNIT_EXPECT_EQ(test, 1, fake_answers_for(fake, FAKE_PASID, 1));
	KUNIT_EXPECT_EQ(test, 1, fake_answers_for(fake, FAKE_PASID, 2));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, fake_idev(fake)->nr_partial);
	KUNIT_EXPECT_EQ(test, 2, model->prq.nr_bad);
}

static void refused(struct kunit *test)
{
	check_refused(test, PRIVILEGED, 0x5000, READ_ACCESS);
	check_refused(test, EXECUTE, 0x5000, READ_ACCESS);
	check_refused(test, 0, 0x0800000000000000ULL, WRITE_ACCESS);
}

/* It ends its PASID's unfinished groups and is not answered. */
static void stop_marker(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct model *model = make_model(test, 0);

	put(model, MODEL_RID, 0, FAKE_PASID, 1, 0x1000, WRITE_ACCESS);
	put(model, MODEL_RID, 0, FAKE_PASID, 2, 0, LAST);
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, fake->answers);
	KUNIT_EXPECT_EQ(test, 0, fake_idev(fake)->nr_partial);
	KUNIT_EXPECT_EQ(test, 1, fake_idev(fake)->stats.discarded);
}

/* Hardware has answered the last requests that it dropped: what waits is forgotten. */
static void overflow(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct model *model = make_model(test, 0);
	unsigned int i;

	for (i = 0; i < 10; i++)
		put(model, MODEL_RID, 0, FAKE_PASID, i, 0x1000, WRITE_ACCESS);
	model->status = IOPF_PRQ_PENDING | IOPF_PRQ_OVERFLOW;
	iopf_prq_run(&model->prq);
	KUNIT_EXPECT_EQ(test, 0, model->status);
	KUNIT_EXPECT_EQ(test, 1, model->prq.nr_overflows);
	KUNIT_EXPECT_EQ(test, 0, fake->answers);
	KUNIT_EXPECT_EQ(test, 10, fake_idev(fake)->stats.discarded);
	KUNIT_EXPECT_EQ(test, 0, fake_idev(fake)->nr_partial);
}

/* A request that has left the ring and is not reported yet is waited for. */
static void drain_waits_for_copied(struct kunit *test)
{
	struct model *model = make_model(test, 0);

	put(model, 0x0100, 0, 1, 1, 0x1000, WRITE_ACCESS);
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
	flush_work(&model->run);
	flush_work(&model->wait);
	/* Nothing to wait for. */
	iopf_prq_wait(&model->prq);
}

/* The invalidation queue is never asked for more than it can have. */
static void many_responses(struct kunit *test)
{
	struct model *model = make_model(test, 0);
	struct iopf_response *responses;
	unsigned int i;

	responses = kunit_kcalloc(test, 200, sizeof(*responses), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, responses);
	for (i = 0; i < 200; i++) {
		responses[i].fault.prm.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
		responses[i].fault.prm.grpid = i;
	}
	iopf_prq_respond(&model->prq, MODEL_RID, responses, 200);
	KUNIT_EXPECT_EQ(test, IOPF_MAX_RESPONSES, model->most_sent);
	KUNIT_ASSERT_EQ(test, 200, model->nr_sent);
	for (i = 0; i < 200; i++)
		KUNIT_EXPECT_EQ(test, i << 3, model->sent[i].qw[1]);
}

static struct kunit_case iopf_prq_cases[] = {
	KUNIT_CASE(decode_rev4),
	KUNIT_CASE(decode_rev3),
	KUNIT_CASE(decode_rev2),
	KUNIT_CASE(encode),
	KUNIT_CASE(full_ring_wraps),
	KUNIT_CASE(several_requesters),
	KUNIT_CASE(unknown_requester),
	KUNIT_CASE(refused),
	KUNIT_CASE(stop_marker),
	KUNIT_CASE(overflow),
	KUNIT_CASE(drain_waits_for_copied),
	KUNIT_CASE(many_responses),
	{ }
};

static struct kunit_suite iopf_prq_suite = {
	.name = "iopf-prq",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_prq_cases,
};

kunit_test_suite(iopf_prq_suite);
