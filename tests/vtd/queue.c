// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: the invalidation queue
 *
 * Hardware may refuse a descriptor. The kernel's code for the queue recovers if it is
 * the first one of its submission; behind another one the queue would hang. A wait may
 * end with another error, and then the number of accepted descriptors is unknown: the
 * same descriptors are submitted again, a few times, and devices ignore the copies. A
 * drain brings requests in flight into the ring, unless there is an overflow (7.10).
 */
#include <string.h>

#include "fuzz.h"

/* More drains than a driver needs to give up, or to disable all devices */
#define MAX_DRAINS	((VTD_PRQ_DRAIN_TRIES + HZ) * (NR_RIDS + 2))

/* Hardware refuses responses without a PASID, and sometimes others. */
#define REFUSES_NO_PASID	1
#define REFUSES_OTHERS		2

static u8 refuses;
static bool has_refused_other;
/* Drains of each thread: all, and those since a device was disabled */
static unsigned int nr_drains[NR_FIBERS];
static unsigned int nr_drains_since[NR_FIBERS];

/**
 * struct submission - descriptors of which a thread does not know whether they were
 *	accepted
 * @count: their number, or 0
 * @tries: how often they were submitted
 * @refused: the first one is refused each time
 * @descs: the descriptors
 * @owed: numbers of the responses; -1: accepted
 */
static struct submission {
	unsigned int count;
	unsigned int tries;
	bool refused;
	struct vtd_prq_desc descs[IOPF_MAX_RESPONSES];
	int owed[IOPF_MAX_RESPONSES];
} submissions[NR_FIBERS + 1];

unsigned long jiffies;

void queue_power_on(u8 what_it_refuses)
{
	refuses = what_it_refuses;
	has_refused_other = false;
	memset(submissions, 0, sizeof(submissions));
}

/* Refuse only the first one of a submission: behind it the queue would hang. */
static bool is_refused(const struct vtd_prq_desc *desc)
{
	if (!wire_has_pasid(desc))
		return refuses & REFUSES_NO_PASID;
	return refuses & REFUSES_OTHERS && !wire_is_stream(desc) &&
	       input_byte() >= 0xe0;
}

/* Check a submission. A repeated one was composed when less was known. */
static void check_submission(const struct vtd_prq_desc *descs, unsigned int count)
{
	unsigned int i;

	expect(CHECK_SUBMISSION, count && count <= IOPF_MAX_RESPONSES,
	       "%u descriptors are submitted", count);
	if (count == 1 || submissions[sched_current()].count)
		return;
	for (i = 0; i < count; i++)
		expect(CHECK_SUBMISSION, wire_has_pasid(&descs[i]),
		       "a response without a PASID is one of %u", count);
	expect(CHECK_SUBMISSION, !has_refused_other,
	       "hardware is known to refuse responses, and gets %u at once", count);
}

/* Record what this thread submits, for the first time or again. */
static struct submission *note_submission(const struct vtd_prq_desc *descs,
					  unsigned int count)
{
	struct submission *sub = &submissions[sched_current()];
	unsigned int i;

	if (sub->count) {
		expect(CHECK_SUBMISSION, sub->count == count &&
		       !memcmp(sub->descs, descs, count * sizeof(*descs)),
		       "%u of which nothing is known are not submitted again", sub->count);
	} else {
		memcpy(sub->descs, descs, count * sizeof(*descs));
		for (i = 0; i < count; i++)
			sub->owed[i] = ledger_submit(&descs[i]);
		sub->count = count;
		sub->tries = 0;
		sub->refused = is_refused(&descs[0]);
	}
	sub->tries++;
	return sub;
}

/* Accept the first @count, except for those that are refused. */
static void take_submission(struct submission *sub, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		note("response %016llx %016llx%s", sub->descs[i].qw[0], sub->descs[i].qw[1],
		     sub->refused && !i ? " is refused" : "");
		if (sub->owed[i] < 0)
			continue;
		if (sub->refused && !i)
			ledger_drop(sub->owed[i]);
		else
			ledger_sent(sub->owed[i]);
		sub->owed[i] = -1;
	}
}

/* The driver does not retry, and treats all of them as unsent. */
static void give_up_submission(struct submission *sub)
{
	unsigned int i;

	for (i = 0; i < sub->count; i++)
		if (sub->owed[i] >= 0)
			ledger_drop(sub->owed[i]);
	hw.nr_unsent += sub->count;
	sub->count = 0;
}

int queue_submit(struct vtd_prq *prq, struct vtd_prq_desc *descs,
		 unsigned int count)
{
	struct submission *sub;
	u8 outcome = input_byte();

	sched_check_may_sleep(__func__);
	check_submission(descs, count);
	sub = note_submission(descs, count);
	stub_point();
	if (sub->refused) {
		take_submission(sub, count);
		stub_point();
		sub->count = 0;
		hw.nr_unsent++;
		has_refused_other |= wire_has_pasid(&descs[0]);
		return -EINVAL;
	}
	if (outcome >= 0xe0) {
		take_submission(sub, outcome % (count + 1));
		stub_point();
		if (sub->tries == VTD_PRQ_SUBMIT_TRIES)
			give_up_submission(sub);
		return outcome & 1 ? -EAGAIN : -ETIMEDOUT;
	}
	take_submission(sub, count);
	stub_point();
	sub->count = 0;
	return 0;
}

/* A drain of the driver begins in this thread. */
void queue_drain_begins(void)
{
	nr_drains[sched_current()] = 0;
	nr_drains_since[sched_current()] = 0;
}

void queue_device_disabled(void)
{
	memset(nr_drains_since, 0, sizeof(nr_drains_since));
}

/*
 * A drain may give up only after enough attempts since the last time that a device was
 * disabled, by any thread.
 */
void queue_check_given_up(void)
{
	expect(CHECK_DRAINED,
	       nr_drains_since[sched_current()] >= VTD_PRQ_DRAIN_TRIES,
	       "a drain is given up, %u attempts after a device was disabled",
	       nr_drains_since[sched_current()]);
}

/* The overflow has ended, or there is another one than the one after @before. */
static bool overflow_has_ended(unsigned int before)
{
	return !(hw.status & VTD_PRQ_OVERFLOW) || hw.nr_overflows != before;
}

int queue_drain(struct vtd_prq *prq, struct device *dev, u32 pasid)
{
	bool overflow;

	sched_check_may_sleep(__func__);
	jiffies++;
	expect(CHECK_ENDS, ++nr_drains[sched_current()] < MAX_DRAINS,
	       "hardware is drained again and again");
	nr_drains_since[sched_current()]++;
	if (input_byte() >= 0xf8)
		return -EIO;
	stub_point();
	if (input_byte() % 8 == 7)
		device_fill(2);
	overflow = hw.status & VTD_PRQ_OVERFLOW;
	if (!overflow) {
		device_arrive_all();
		overflow = hw.status & VTD_PRQ_OVERFLOW;
	}
	note("hardware is drained%s", overflow ? ", without success" : "");
	/* The overflow may have ended when the driver reads the status. */
	if (overflow && input_byte() % 2)
		sched_yield_until(overflow_has_ended, hw.nr_overflows);
	stub_point();
	return 0;
}
