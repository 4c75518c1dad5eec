/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What operations for the reference model work on: a fake device, an mm of all kinds of
 * memory, handlers that do what they are told, and what was seen of all of them
 */
#ifndef __IOPF_TESTS_WORLD_H
#define __IOPF_TESTS_WORLD_H

#include <kunit/test.h>

#include "fake.h"
#include "model.h"
#include "ops.h"

#define WORLD_CALLS	64
#define WORLD_KEPT	16
#define WORLD_TAKEN	64
#define WORLD_IDEVS	32
#define WORLD_BATCH	8
#define WORLD_FLOOD	24

/* The second PASID of the mm, which is bound and unbound. */
#define WORLD_SVA_PASID2	9

/**
 * struct world_kept - something that the registered handler was shown
 * @request: the request
 * @cookie: its cookie if the handler has taken it
 */
struct world_kept {
	struct iopf_request request;
	u64 cookie;
};

/**
 * struct world - see above
 * @test: the test
 * @fake: the device
 * @model: what must be true
 * @mm: the address space
 * @mm_count: its references in the beginning
 * @writable: two pages of it, by their permissions
 * @readable: two others
 * @write_only: two others
 * @executable: two others
 * @none: two others
 * @hole: an address where there is nothing
 * @slow: pages whose faults can be held, each one once
 * @nr_held: how many of them were held
 * @nr_asleep: faults that were asleep after the last operation
 * @bond: attaches the mm to %WORLD_SVA_PASID2
 * @lock: guards what comes next, up to @nr_calls
 * @wire: responses, since they were looked at last
 * @nr_wire: how many
 * @calls: calls of handlers
 * @nr_calls: how many
 * @next_call: the next one that the model sees
 * @kept: what the registered handler was shown last, and did not let go
 * @nr_kept: how much it has kept until now
 * @taken: groups that the domain's handler has
 * @nr_taken: how many
 * @fdevs: the library's views of the device, referenced, the last one the current one
 * @nr_fdevs: how many
 * @batch: requests that are reported together with the next one
 * @nr_batch: how many
 * @flood: many requests that are reported together
 * @refuse: report the next one by iopf_refuse_request()
 * @fail: let this allocation of the next report fail, 0 for none
 * @serial: makes private data
 * @at_once: the queue's driver sends several responses at once
 * @ending: only what ends everything is still done
 * @checks: compare with the model
 * @respond: called instead of writing a response to @wire, or NULL
 */
struct world {
	struct kunit *test;
	struct fake *fake;
	struct model model;
	struct mm_struct *mm;
	int mm_count;
	unsigned long writable;
	unsigned long readable;
	unsigned long write_only;
	unsigned long executable;
	unsigned long none;
	unsigned long hole;
	unsigned long slow;
	unsigned int nr_held;
	unsigned int nr_asleep;
	struct iommu_sva bond;
	spinlock_t lock; /* wire, nr_wire */
	struct model_wire wire[MODEL_WIRE];
	unsigned int nr_wire;
	struct model_call calls[WORLD_CALLS];
	unsigned int nr_calls;
	unsigned int next_call;
	struct world_kept kept[WORLD_KEPT];
	unsigned int nr_kept;
	struct iopf_group *taken[WORLD_TAKEN];
	unsigned int nr_taken;
	struct iopf_device *fdevs[WORLD_IDEVS];
	unsigned int nr_fdevs;
	struct iopf_request batch[WORLD_BATCH];
	unsigned int nr_batch;
	struct iopf_request flood[WORLD_FLOOD];
	bool refuse;
	unsigned int fail;
	u64 serial;
	bool at_once;
	bool ending;
	bool checks;
	void (*respond)(struct world *world, const struct iommu_fault *fault,
			const struct iommu_page_response *msg);
};

struct world *world_begin(struct kunit *test, bool at_once);
bool world_end(struct world *world);
void world_look_at_fdev(struct world *world);
struct iopf_device *world_fdev(struct world *world);
int world_handler(struct iommu_fault *fault, void *data);
bool world_hold(struct world *world);
void world_release(struct world *world);
void world_make_request(struct world *world, const struct op *op,
			struct iopf_request *request);
u32 world_pasid(enum op_pasid pasid);
u32 world_index(unsigned int index);

static inline struct device *world_dev(struct world *world)
{
	return fake_dev(world->fake);
}

#endif /* __IOPF_TESTS_WORLD_H */
