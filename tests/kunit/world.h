/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The environment of the reference model: a fake device, an mm with all kinds of
 * mappings, handlers that do what the model says, and a record of what was seen
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

/* The second PASID of the mm, which operations bind and unbind. */
#define WORLD_SVA_PASID2	9

/**
 * struct world_kept - a request that the registered handler has kept
 * @request: the request
 * @cookie: its cookie if the handler has taken it, else 0
 */
struct world_kept {
	struct iopf_request request;
	u64 cookie;
};

/**
 * struct world - the environment of the reference model
 * @test: the running test
 * @fake: the device
 * @model: the reference model
 * @mm: the address space
 * @mm_count: references of @mm before the first operation
 * @writable: two pages that may be read and written
 * @readable: two pages that may be read
 * @write_only: two pages whose mapping has only PROT_WRITE
 * @executable: two pages that may be read and executed
 * @none: two pages of a mapping without permissions
 * @hole: an address that is not mapped
 * @slow: pages whose faults can be held, each one once
 * @nr_held: number of them that were held
 * @nr_asleep: faults that were asleep after the last operation
 * @bond: attaches the mm to %WORLD_SVA_PASID2
 * @lock: guards @wire and @nr_wire
 * @wire: responses since the last check
 * @nr_wire: length of @wire
 * @calls: calls of handlers since the last check
 * @nr_calls: length of @calls
 * @next_call: index of the call that the model sees next
 * @kept: requests that the registered handler has kept, the last ones
 * @nr_kept: number of requests that it has ever kept
 * @taken: groups that the domain's handler has taken
 * @nr_taken: length of @taken
 * @fdevs: the library's objects for the device, referenced; the last one is the current
 *	one
 * @nr_fdevs: length of @fdevs
 * @batch: requests that are reported together with the next one
 * @nr_batch: length of @batch
 * @flood: many requests that are reported together
 * @refuse: report the last request of @batch by iopf_refuse_request()
 * @fail: number of the allocation of the next report that fails, 0 for none
 * @serial: last private data that was given out
 * @at_once: the queue's driver sends several responses at a time
 * @ending: the sequence is over: only its last operations are done
 * @checks: compare the library with the model
 * @respond: called instead of adding a response to @wire, or NULL
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
void world_track_fdev(struct world *world);
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
