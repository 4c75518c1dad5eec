/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the KUnit tests of VT-d's page request queue: a unit of which a test decides
 * what happens between any two accesses to its registers
 */
#ifndef __IOPF_TESTS_VTD_MODEL_H
#define __IOPF_TESTS_VTD_MODEL_H

#include <linux/prandom.h>

#include "../intel/prq.h"
#include "fake.h"

#define VTD_SLOTS	128
#define VTD_LOG	1024
/* The device of the fake; any other one on its bus is known, too, and reports nothing. */
#define VTD_RID	0x0128
#define VTD_OTHER	0x0100
#define VTD_UNKNOWN	0x0300

/* What makes a descriptor of revision 3 and 4. */
#define READ_ACCESS	BIT_ULL(0)
#define WRITE_ACCESS	BIT_ULL(1)
#define LAST		BIT_ULL(2)
#define HAS_PASID	BIT_ULL(8)
#define PRIVATE		BIT_ULL(9)
#define EXECUTE		BIT_ULL(52)
#define PRIVILEGED	BIT_ULL(53)

struct vtd_model;

/**
 * enum vtd_access - what the driver does to the unit
 * @VTD_READ_TAIL: before the tail is read
 * @VTD_READ_STATUS: before the status is read
 * @VTD_CLEARED: after the overflow bit was cleared
 * @VTD_DRAIN: while hardware drains
 * @VTD_NR_ACCESSES: how many these are
 */
enum vtd_access {
	VTD_READ_TAIL,
	VTD_READ_STATUS,
	VTD_CLEARED,
	VTD_DRAIN,
	VTD_NR_ACCESSES,
};

typedef void (*vtd_hook_t)(struct vtd_model *model);

/**
 * struct vtd_model - a VT-d unit
 * @prq: what is tested
 * @ring: its ring
 * @head: the head register
 * @lock: guards @tail and @status: requests come while the queue is run
 * @tail: the tail register
 * @status: PRS
 * @stuck: so many times the overflow bit is not cleared
 * @interrupts: how often the pending bit was set anew
 * @dropped: requests that were dropped because of an overflow
 * @early_clears: the overflow bit was cleared while the ring was not empty
 * @hooks: what happens at an access, or NULL
 * @happening: it does
 * @seed: of random numbers
 * @fake: where requests of %VTD_RID go, besides @log
 * @log: requests reported, the last %VTD_LOG
 * @rids: whose they are
 * @heads: the head register when they were
 * @reported: how many were
 * @sent: response descriptors, the first %VTD_LOG
 * @nr_sent: how many there were
 * @sizes: descriptors in each submission
 * @nr_submissions: length of @sizes
 * @most_sent: most descriptors at once
 * @refuse: number of the first submission that ends with @refuse_with, from 0 on
 * @refuse_more: how many more do
 * @refuse_with: see there; 0 for none
 * @nr_drains: drains
 * @drain_error: what they return
 * @disabled: requester that was disabled last, or -1
 * @nr_disabled: how often one was
 * @forgotten: how often devices were forgotten
 * @woken: how often the thread was to run
 * @threaded: then it does, by @run
 * @locked: devices are locked
 * @blocking: a report waits for @go_on, and completes @blocked before
 * @go_on: see there
 * @blocked: see there
 * @run: runs the queue
 * @wait: waits for it, then completes @waited
 * @waited: see there
 */
struct vtd_model {
	struct iopf_prq prq;
	u64 ring[VTD_SLOTS * 4];
	unsigned int head;
	spinlock_t lock; /* tail, status */
	unsigned int tail;
	u32 status;
	unsigned int stuck;
	unsigned int interrupts;
	unsigned int dropped;
	unsigned int early_clears;
	vtd_hook_t hooks[VTD_NR_ACCESSES];
	bool happening[VTD_NR_ACCESSES];
	struct rnd_state seed;
	struct fake *fake;
	struct iopf_request log[VTD_LOG];
	u16 rids[VTD_LOG];
	unsigned int heads[VTD_LOG];
	unsigned int reported;
	struct iopf_prq_desc sent[VTD_LOG];
	unsigned int nr_sent;
	unsigned int sizes[VTD_LOG];
	unsigned int nr_submissions;
	unsigned int most_sent;
	unsigned int refuse;
	unsigned int refuse_more;
	int refuse_with;
	unsigned int nr_drains;
	int drain_error;
	int disabled;
	unsigned int nr_disabled;
	unsigned int forgotten;
	unsigned int woken;
	bool threaded;
	bool locked;
	bool blocking;
	struct completion go_on;
	struct completion blocked;
	struct work_struct run;
	struct work_struct wait;
	struct completion waited;
};

struct vtd_model *vtd_model_new(struct kunit *test, unsigned int first_slot);
void vtd_end(struct vtd_model *model);
void vtd_on(struct vtd_model *model, enum vtd_access access, vtd_hook_t hook);
void vtd_put(struct vtd_model *model, u16 rid, u64 extra0, u32 pasid, u32 index,
	     u64 addr, u64 flags);
void vtd_post(struct vtd_model *model, u16 rid, u32 pasid, u32 index, u64 addr,
	      u64 flags);
void vtd_overflow(struct vtd_model *model, u16 rid);
unsigned int vtd_used(struct vtd_model *model);
void vtd_check_request(struct kunit *test, const struct iopf_request *request,
		       u32 pasid, u32 index, u64 addr, u32 perm, bool last);
void vtd_check_desc(struct kunit *test, const struct iopf_prq_desc *desc,
		    u64 qw0, u64 qw1, u64 qw2, u64 qw3);

/* For suites that use the model: the handler of %FAKE_PASID keeps what it gets. */
void vtd_suite_exit(struct kunit *test);

#endif /* __IOPF_TESTS_VTD_MODEL_H */
