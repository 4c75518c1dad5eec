// SPDX-License-Identifier: GPL-2.0
/*
 * Owners of a group, and the check of their changes
 */
#include <kunit/static_stub.h>
#include <linux/iopf.h>
#include <linux/mman.h>

#include "fake.h"

/* Changes of owner that are allowed, written independently of the library's table. */
static const struct {
	enum iopf_owner from;
	enum iopf_owner to;
} allowed[] = {
	{ IOPF_OWNER_ASSEMBLING, IOPF_OWNER_QUEUED },
	{ IOPF_OWNER_ASSEMBLING, IOPF_OWNER_DOMAIN },
	{ IOPF_OWNER_ASSEMBLING, IOPF_OWNER_HANDLER },
	{ IOPF_OWNER_ASSEMBLING, IOPF_OWNER_CLAIMED },
	{ IOPF_OWNER_QUEUED, IOPF_OWNER_WORKER },
	{ IOPF_OWNER_QUEUED, IOPF_OWNER_CLAIMED },
	{ IOPF_OWNER_WORKER, IOPF_OWNER_CLAIMED },
	{ IOPF_OWNER_DOMAIN, IOPF_OWNER_CLAIMED },
	{ IOPF_OWNER_HANDLER, IOPF_OWNER_QUEUED },
	{ IOPF_OWNER_HANDLER, IOPF_OWNER_DOMAIN },
	{ IOPF_OWNER_HANDLER, IOPF_OWNER_CLAIMED },
};

static unsigned int nr_bad;

static void count_bad_owner(struct iopf_prg *prg, enum iopf_owner owner)
{
	nr_bad++;
}

static bool is_allowed(enum iopf_owner from, enum iopf_owner to)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(allowed); i++)
		if (allowed[i].from == from && allowed[i].to == to)
			return true;
	return false;
}

static void check_pair(struct kunit *test, enum iopf_owner from,
		       enum iopf_owner to)
{
	struct iopf_prg *prg = kunit_kzalloc(test, sizeof(*prg), GFP_KERNEL);
	LIST_HEAD(queue);

	KUNIT_ASSERT_NOT_NULL(test, prg);
	INIT_LIST_HEAD(&prg->base.node);
	if (to == IOPF_OWNER_QUEUED)
		list_add(&prg->base.node, &queue);
	prg->complete = true;
	prg->mm = current->active_mm;
	prg->owner = from;
	nr_bad = 0;
	iopf_prg_check_owner(prg, to);
	KUNIT_EXPECT_EQ_MSG(test, !is_allowed(from, to), nr_bad,
			    "from %d to %d", from, to);
}

/* All pairs of owners, with a group in the state that they require. */
static void check_fires_for_wrong_pairs(struct kunit *test)
{
	enum iopf_owner from;
	enum iopf_owner to;

	kunit_activate_static_stub(test, iopf_prg_bad_owner, count_bad_owner);
	for (from = 0; from < IOPF_NR_OWNERS; from++)
		for (to = 0; to < IOPF_NR_OWNERS; to++)
			check_pair(test, from, to);
}

/*
 * The check also fires if the group is not in the state that its next owner requires.
 */
static void check_fires_for_unready_group(struct kunit *test)
{
	struct iopf_prg *prg = kunit_kzalloc(test, sizeof(*prg), GFP_KERNEL);
	LIST_HEAD(queue);

	KUNIT_ASSERT_NOT_NULL(test, prg);
	kunit_activate_static_stub(test, iopf_prg_bad_owner, count_bad_owner);
	INIT_LIST_HEAD(&prg->base.node);
	prg->mm = current->active_mm;
	prg->owner = IOPF_OWNER_ASSEMBLING;
	nr_bad = 0;
	/* Not complete */
	iopf_prg_check_owner(prg, IOPF_OWNER_DOMAIN);
	KUNIT_EXPECT_EQ(test, 1, nr_bad);
	/* On no queue */
	prg->complete = true;
	iopf_prg_check_owner(prg, IOPF_OWNER_QUEUED);
	KUNIT_EXPECT_EQ(test, 2, nr_bad);
	/* Still on a queue */
	list_add(&prg->base.node, &queue);
	prg->owner = IOPF_OWNER_QUEUED;
	iopf_prg_check_owner(prg, IOPF_OWNER_WORKER);
	KUNIT_EXPECT_EQ(test, 3, nr_bad);
	/* Without an address space */
	list_del_init(&prg->base.node);
	prg->mm = NULL;
	iopf_prg_check_owner(prg, IOPF_OWNER_WORKER);
	KUNIT_EXPECT_EQ(test, 4, nr_bad);
}

/* iopf_prg_set_owner() calls the check. */
static void setter_calls_check(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct iopf_prg *prg;

	if (!IS_ENABLED(CONFIG_IOPF_QUEUE_DEBUG))
		kunit_skip(test, "CONFIG_IOPF_QUEUE_DEBUG is off");
	fake_last(fake, FAKE_PASID, 1, 0x1000);
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	prg = to_iopf_prg(fake->taken[0]);

	kunit_activate_static_stub(test, iopf_prg_bad_owner, count_bad_owner);
	nr_bad = 0;
	spin_lock(&fdev->lock);
	iopf_prg_set_owner(fdev, prg, IOPF_OWNER_WORKER);
	prg->owner = IOPF_OWNER_DOMAIN;
	spin_unlock(&fdev->lock);
	KUNIT_EXPECT_EQ(test, 1, nr_bad);
	fake_free_taken(fake);
}

static void domain_handler_owns_group(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_prg *prg;

	fake_partial(fake, FAKE_PASID, 1, 0x1000);
	fake_last(fake, FAKE_PASID, 1, 0x2000);
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	prg = to_iopf_prg(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, IOPF_OWNER_DOMAIN, prg->owner);
	iopf_group_response(&prg->base, IOMMU_PAGE_RESP_SUCCESS);
	KUNIT_EXPECT_EQ(test, IOPF_OWNER_CLAIMED, prg->owner);
	fake_free_taken(fake);
}

/**
 * struct owners - what a registered handler sees and does
 * @fake: the device
 * @owner: owner of the group when the handler is called
 * @after: owner after the handler has called iommu_queue_iopf()
 * @queue: give the fault to iommu_queue_iopf()
 */
struct owners {
	struct fake *fake;
	enum iopf_owner owner;
	enum iopf_owner after;
	bool queue;
};

static int see_owner(struct iommu_fault *fault, void *data)
{
	const struct iopf_group *group = iopf_fault_whole_group(fault);
	struct owners *owners = data;
	const struct iopf_prg *prg;

	if (!group)
		return IOMMU_FAULT_STATUS_CONTINUE;
	prg = container_of(group, struct iopf_prg, base);
	owners->owner = prg->owner;
	if (!owners->queue)
		return IOMMU_FAULT_STATUS_HANDLED;
	iommu_queue_iopf(fault, fake_dev(owners->fake));
	owners->after = prg->owner;
	return IOMMU_FAULT_STATUS_HANDLED;
}

static void registered_handler_owns_group(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);
	struct owners owners = { .fake = fake };
	struct iommu_page_response msg = {
		.pasid = FAKE_PASID,
		.grpid = 1,
		.code = IOMMU_PAGE_RESP_SUCCESS,
	};

	fake_register_handler(test, see_owner, &owners);
	fake_last(fake, FAKE_PASID, 1, 0x1000);
	KUNIT_EXPECT_EQ(test, IOPF_OWNER_HANDLER, owners.owner);
	KUNIT_EXPECT_EQ(test, 1, fdev->nr_handled);
	KUNIT_EXPECT_EQ(test, 0, iommu_page_response(fake_dev(fake), &msg));
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_handled);

	owners.queue = true;
	fake_last(fake, FAKE_PASID, 2, 0x1000);
	KUNIT_EXPECT_EQ(test, IOPF_OWNER_HANDLER, owners.owner);
	KUNIT_EXPECT_EQ(test, IOPF_OWNER_DOMAIN, owners.after);
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_handled);
	fake_free_taken(fake);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

static int queue_and_refuse(struct iommu_fault *fault, void *data)
{
	if (!iopf_fault_whole_group(fault))
		return IOMMU_FAULT_STATUS_CONTINUE;
	iommu_queue_iopf(fault, data);
	return -EPERM;
}

/*
 * A handler gives a fault to iommu_queue_iopf() and refuses it as well. The group
 * leaves the PASID queue when it is claimed, and gets one response.
 */
static void handler_queues_and_refuses(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	struct iopf_device *fdev = fake_fdev(fake);

	fake_register_handler(test, queue_and_refuse, fake_dev(fake));
	/* If the worker is faster than the handler, its fault sleeps on this lock. */
	mmap_write_lock(current->mm);
	KUNIT_EXPECT_EQ(test, -EPERM, fake_last(fake, FAKE_SVA_PASID, 1, addr));
	KUNIT_EXPECT_EQ(test, 1, fake_responses_for(fake, FAKE_SVA_PASID, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	mmap_write_unlock(current->mm);

	/*
	 * The PASID queue works on, and there is no other response to the first group.
	 */
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_SVA_PASID, 2, addr));
	KUNIT_EXPECT_TRUE(test, fake_wait_responses(fake, 2));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fdev));
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_groups(fdev));
}

static struct kunit_case iopf_owner_cases[] = {
	KUNIT_CASE(check_fires_for_wrong_pairs),
	KUNIT_CASE(check_fires_for_unready_group),
	KUNIT_CASE(setter_calls_check),
	KUNIT_CASE(domain_handler_owns_group),
	KUNIT_CASE(registered_handler_owns_group),
	KUNIT_CASE(handler_queues_and_refuses),
	{ }
};

static struct kunit_suite iopf_owner_suite = {
	.name = "iopf_owner",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_owner_cases,
};

kunit_test_suite(iopf_owner_suite);
