/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A model of a VT-d unit, for the KUnit tests of its page request queue
 *
 * A test decides what happens between any two accesses to the unit's registers.
 */
#ifndef __IOPF_TESTS_VTD_MODEL_H
#define __IOPF_TESTS_VTD_MODEL_H

#include <linux/prandom.h>

#include "../intel/prq.h"
#include "fake.h"

/* Slots of the ring, and requests and responses that are logged. */
#define VTD_SLOTS	128
#define VTD_LOG	1024
/*
 * Requester IDs: the fake's device; another one on its bus, which is known, and whose
 * requests are only logged; and an unknown one.
 */
#define VTD_RID	0x0128
#define VTD_OTHER	0x0100
#define VTD_UNKNOWN	0x0300

/* Bits of page request descriptors of revision 3 and 4. */
#define READ_ACCESS	BIT_ULL(0)
#define WRITE_ACCESS	BIT_ULL(1)
#define LAST		BIT_ULL(2)
#define HAS_PASID	BIT_ULL(8)
#define PRIVATE		BIT_ULL(9)
#define EXECUTE		BIT_ULL(52)
#define PRIVILEGED	BIT_ULL(53)

struct vtd_model;

/**
 * enum vtd_access - points at which a hook is called
 * @VTD_READ_TAIL: before the tail is read
 * @VTD_READ_STATUS: before the status is read
 * @VTD_CLEARED: after the overflow bit was cleared
 * @VTD_DRAIN: while hardware drains
 * @VTD_NR_ACCESSES: number of these points
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
 * @prq: the queue that is tested
 * @ring: its ring
 * @head: the head register
 * @lock: guards @tail and @status, as requests arrive while the queue is run
 * @tail: the tail register
 * @status: the page request status register
 * @stuck: number of times that the overflow bit is not cleared
 * @interrupts: number of interrupts
 * @dropped: requests that were dropped because of an overflow
 * @early_clears: number of times that the overflow bit was cleared while the ring was
 *	not empty
 * @hooks: called at an access, or NULL
 * @happening: the hook is running
 * @seed: state of random numbers
 * @fake: gets the requests of %VTD_RID
 * @log: the last %VTD_LOG requests that were reported
 * @rids: their requesters
 * @heads: the head register when they were reported
 * @reported: number of requests that were reported
 * @sent: the first %VTD_LOG response descriptors
 * @nr_sent: number of response descriptors
 * @sizes: descriptors in each submission
 * @nr_submissions: length of @sizes
 * @most_sent: most descriptors in a submission
 * @refuse: number of the first submission that fails with @refuse_with, from 0 on
 * @refuse_more: number of further ones that fail
 * @refuse_with: error of these submissions, 0 for none
 * @nr_drains: number of drains
 * @drain_error: error that a drain returns
 * @disabled: requester that was disabled last, or -1
 * @nr_disabled: number of times that a requester was disabled
 * @forgotten: number of times that devices were reset
 * @woken: number of times that the thread was woken
 * @threaded: @run is queued when the thread is woken
 * @locked: devices are locked
 * @blocking: a report completes @blocked and waits for @go_on
 * @go_on: ends that wait
 * @blocked: completed when it begins
 * @run: runs the queue, in place of the thread
 * @wait: waits for the queue, then completes @waited
 * @waited: completed by @wait
 */
struct vtd_model {
	struct vtd_prq prq;
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
	struct vtd_prq_desc sent[VTD_LOG];
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
void vtd_check_desc(struct kunit *test, const struct vtd_prq_desc *desc,
		    u64 qw0, u64 qw1, u64 qw2, u64 qw3);

/* For struct kunit_suite.exit of suites that use the model. */
void vtd_suite_exit(struct kunit *test);

#endif /* __IOPF_TESTS_VTD_MODEL_H */
