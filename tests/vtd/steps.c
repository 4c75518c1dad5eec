// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: the input's steps
 *
 * The first bytes determine the revision, the size of the ring, what a previous kernel
 * has left in the registers, and whether devices keep the rules. Each step is a byte,
 * with the bytes that it reads after that. When these are used up no device sends
 * requests, everything that has begun must end, and all requests that were sent must be
 * reported and have their responses.
 */
#include "fuzz.h"

/* Enough for everything in flight */
#define ALL_TURNS	1000000
/* Few, so that all threads take part in what one of them does */
#define FEW_TURNS	8
/* As many as a device that floods gets at a time */
#define MANY_TURNS	200
#define MAX_ROUNDS	10000
#define MAX_FLOOD_ROUNDS	20000

static const u8 *input;
static size_t input_size;
static size_t input_pos;

/**
 * struct drain - a thread that waits for requests
 * @what: what it waits for
 * @rid: DRAIN_PASID: number of the requester
 * @pasid: DRAIN_PASID: number of its PASID
 * @slept: it has slept
 * @at_most: DRAIN_RING: requests posted when it began to sleep: it must not wait for
 *	others
 */
static struct drain {
	enum {
		DRAIN_PASID,
		DRAIN_RING,
		DRAIN_OVERFLOW,
	} what;
	unsigned int rid;
	unsigned int pasid;
	bool slept;
	unsigned int at_most;
} drains[NR_FIBERS];

/* Return the next byte of the input, 0 at its end. */
u8 input_byte(void)
{
	return input_pos < input_size ? input[input_pos++] : 0;
}

u64 input_word(void)
{
	u64 word = 0;
	int i;

	for (i = 0; i < 8; i++)
		word = word << 8 | input_byte();
	return word;
}

bool input_is_over(void)
{
	return input_pos == input_size;
}

static void run_interrupt(void)
{
	unsigned int before = hw.nr_reported;
	bool any = vtd_prq_run(&prq);

	expect(CHECK_COUNTERS, any || hw.nr_reported == before,
	       "%u are reported, and the interrupt is said to be another's",
	       hw.nr_reported - before);
}

/* The interrupt thread continues, or begins if there is an interrupt. */
static void step_interrupt(unsigned int turns)
{
	if (!sched_is_live(FIBER_INTERRUPT)) {
		if (!hw.interrupt)
			return;
		hw.interrupt = false;
		note("interrupt");
		sched_start(FIBER_INTERRUPT, run_interrupt);
	}
	sched_resume(FIBER_INTERRUPT, turns);
}

/*
 * Requests of a batch are reported by requester, not in the order of the ring, so their
 * number does not tell.
 */
static bool is_reported_up_to(unsigned int number)
{
	while (number--)
		if (!hw.posts[number].reported)
			return false;
	return true;
}

static void wait_for_ring(void)
{
	unsigned int before = hw.nr_posts;

	vtd_prq_wait(&prq);
	expect(CHECK_WAITED, is_reported_up_to(before),
	       "a wait for %u requests returns", before);
}

/*
 * A thread of the driver has read its condition and goes to sleep. Wake-ups may have
 * been for something else until the interrupt thread has ended.
 */
void steps_before_sleep(void)
{
	struct drain *drain = &drains[sched_current()];

	if (drain->what != DRAIN_RING)
		return;
	if (!drain->slept)
		drain->at_most = hw.nr_posts;
	else
		expect(CHECK_WAITED,
		       hardware_done() < drain->at_most || sched_is_live(FIBER_INTERRUPT),
		       "a wait for %u requests does not end", drain->at_most);
	drain->slept = true;
}

/* The device does not use the PASID during the drain. */
static void drain_pasid(unsigned int rid, unsigned int pasid)
{
	const struct post *post;
	int ret;

	device_pause_pasid(rid, pasid, 1);
	queue_drain_begins();
	ret = vtd_prq_drain(&prq, kernel_device(rid), pasid ? pasids[pasid] : 0);
	if (ret == -EBUSY)
		queue_check_given_up();
	if (!ret && library_knows(rid)) {
		expect(CHECK_DRAINED, !device_is_sending(rid, pasid),
		       "a request of %04x, PASID %u, is still to come", rids[rid], pasid);
		post = ledger_find_open(rid, pasid);
		expect(CHECK_DRAINED, !post, "post %zu has no response", post - hw.posts);
	}
	device_pause_pasid(rid, pasid, -1);
}

static void run_drain(void)
{
	enum fiber_number number = sched_current();
	const struct drain *drain = &drains[number];

	if (drain->what == DRAIN_RING) {
		note("drain %u waits for the ring", number);
		wait_for_ring();
	} else if (drain->what == DRAIN_OVERFLOW) {
		note("drain %u waits for the end of an overflow", number);
		vtd_prq_wait_overflow(&prq);
	} else {
		note("drain %u is of %04x, PASID %u", number, rids[drain->rid],
		     drain->pasid);
		drain_pasid(drain->rid, drain->pasid);
	}
	note("drain %u is done", number);
}

static struct drain choose_drain(unsigned int what)
{
	u8 byte = input_byte();
	const struct post *post = device_on_way();
	struct drain drain = {
		.what = what < 3 ? DRAIN_PASID :
			what < 6 ? DRAIN_RING : DRAIN_OVERFLOW,
		.rid = byte % NR_KNOWN,
		.pasid = byte / NR_KNOWN % NR_PASIDS,
	};

	if (byte >= 0x80 && post && post->rid < NR_KNOWN) {
		drain.rid = post->rid;
		drain.pasid = post->pasid;
	}
	/* For the kernel PASID 0 is no PASID. */
	drain.pasid = drain.pasid ? kernel_pasid_number(pasids[drain.pasid]) : 0;
	return drain;
}

static void step_drain(enum fiber_number number, unsigned int what)
{
	if (!sched_is_live(number)) {
		drains[number] = choose_drain(what);
		sched_start(number, run_drain);
	}
	sched_resume(number, input_byte() % 32);
}

/* Rare steps */
static void step_seldom(unsigned int which)
{
	switch (which) {
	case 0:
		/* Another interrupt on this line */
		hw.interrupt = true;
		break;
	case 1:
	case 2:
		library_come_and_go(input_byte() % NR_KNOWN);
		break;
	case 3:
	case 4:
		if (!sched_is_live(FIBER_RESPOND) && !kernel_has_to_forget())
			library_flush(input_byte() % NR_KNOWN,
				      input_byte() % NR_PASIDS);
		break;
	case 5:
	case 6:
		device_delay(input_byte());
		break;
	case 7:
	case 8:
		device_flood(input_byte() % 4 == 1);
		break;
	case 9:
	case 10:
		kernel_suspend_and_resume();
		break;
	default:
		wire_check_raw();
	}
}

static void step(void)
{
	u8 byte = input_byte();
	unsigned int more = byte / 16;

	switch (byte % 16) {
	case 0 ... 4:
		device_send(1 + more);
		break;
	case 5 ... 8:
		step_interrupt(input_byte() % 32);
		break;
	case 9:
		device_fill(more);
		break;
	case 10:
		step_interrupt(MANY_TURNS);
		break;
	case 11:
		step_drain(more & 1 ? FIBER_DRAIN : FIBER_DRAIN_TOO, more / 2);
		break;
	case 12:
	case 13:
		library_respond(1 + 3 * more);
		sched_resume(FIBER_RESPOND, input_byte() % 16);
		break;
	case 14:
		sched_resume(FIBER_RESPOND, ALL_TURNS);
		break;
	case 15:
		step_seldom(more);
	}
}

/* Run everything that can run, for @turns turns. Return false if there was nothing. */
static bool run_all(unsigned int turns)
{
	unsigned int i;
	bool any = false;

	for (i = 0; i < NR_FIBERS; i++) {
		if (sched_is_live(i) && !sched_is_asleep(i)) {
			sched_resume(i, turns);
			any = true;
		}
	}
	if (hw.interrupt) {
		step_interrupt(turns);
		any = true;
	}
	return any;
}

static void check_end(void)
{
	const struct post *post;
	unsigned int i;

	for (i = 0; i < NR_FIBERS; i++)
		expect(CHECK_ENDS, !sched_is_live(i), "thread %u sleeps for ever", i);
	expect(CHECK_QUIET, hw.head == hw.tail, "there are requests in the ring");
	expect(CHECK_QUIET, !(hw.status & VTD_PRQ_OVERFLOW), "PRO is set");
	expect(CHECK_QUIET, hardware_done() == hw.nr_posts, "%u of %u requests are reported",
	       hardware_done(), hw.nr_posts);
	expect(CHECK_RESET, !kernel_has_to_forget(), "devices are not forgotten");
	library_flush_all();
	post = ledger_find_open(-1, -1);
	expect(CHECK_QUIET, !post, "post %zu has no response", post - hw.posts);
	expect(CHECK_COUNTERS, prq.nr_bad == hw.nr_bad, "%llu refused instead of %u",
	       prq.nr_bad, hw.nr_bad);
	expect(CHECK_COUNTERS, prq.nr_overflows == hw.nr_overflows,
	       "%llu overflows instead of %u", prq.nr_overflows, hw.nr_overflows);
	expect(CHECK_COUNTERS, atomic_read(&prq.nr_unsent) == hw.nr_unsent,
	       "%d unsent instead of %u", atomic_read(&prq.nr_unsent), hw.nr_unsent);
}

/* Let two threads drain while a device floods, unless they wait already. */
static void drain_flood(void)
{
	if (!device_floods())
		return;
	step_drain(FIBER_DRAIN, 0);
	step_drain(FIBER_DRAIN_TOO, 0);
}

static bool drains_are_live(void)
{
	return sched_is_live(FIBER_DRAIN) || sched_is_live(FIBER_DRAIN_TOO);
}

/* Drains must end although a device floods, and everything when none sends any more. */
static void quiesce(void)
{
	unsigned int turns = 1 + hw.nr_posts % FEW_TURNS;
	unsigned int rounds = 0;

	drain_flood();
	while (device_floods() && drains_are_live() && run_all(turns))
		expect(CHECK_ENDS, ++rounds < MAX_FLOOD_ROUNDS,
		       "a device floods, and a drain does not end");
	device_flood(false);
	device_delay(0);
	while (run_all(ALL_TURNS))
		expect(CHECK_ENDS, ++rounds < MAX_ROUNDS, "there is always something to do");
	check_end();
}

static void power_on(void)
{
	static const unsigned int sizes[] = { 2, 4, 8, 16, 64, MAX_SLOTS };
	enum vtd_prq_format rev = input_byte() % NR_REVISIONS;
	unsigned int size = sizes[input_byte() % ARRAY_SIZE(sizes)];
	u8 left = input_byte();
	bool keeps_rules = input_byte() % 2;
	u8 refuses = input_byte();
	u8 early = input_byte();

	note("revision %d, %u slots, first %u, status %x, devices keep %s", rev + 2, size,
	     left / 4 % size, left % 4, keeps_rules ? "the rules" : "no rules");
	sched_power_on();
	ledger_reset();
	library_power_on();
	device_power_on(keeps_rules);
	queue_power_on(refuses);
	hardware_power_on(rev, size, left / 4 % size, left % 4);
	/* Devices of a previous kernel may still send. */
	if (early % 4 == 1)
		device_send(early / 16);
	else if (early % 4 == 2)
		device_fill(early / 16);
	kernel_power_on();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	input = data;
	input_size = size;
	input_pos = 0;
	power_on();
	while (!input_is_over())
		step();
	quiesce();
	hardware_power_off();
	return 0;
}
