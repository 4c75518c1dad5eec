// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: registers and ring
 *
 * VT-d 5.1, 7.4 to 7.6 and Table 31. One slot stays free: head = tail is an empty ring.
 * A request that finds the ring full sets PRO. While PRO is set or the ring is full,
 * hardware drops requests: one that is not the last of its group silently, a last one
 * after hardware has sent Success. An interrupt is sent when a request is put into the
 * ring (PPR) or dropped (PRO) while both bits are clear. A reset sets head and tail to
 * 0; the status bits survive it.
 *
 * The driver may read a slot only after it has read a tail register beyond it and has
 * ordered its reads after that, until it returns the slot: AddressSanitizer checks
 * this, and other slots are overwritten.
 */
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "fuzz.h"

struct hardware hw;

static struct vtd_prq_desc ring[MAX_SLOTS];
/* The tail that the driver has read, and the one up to which it may read slots */
static unsigned int seen_tail;
static unsigned int visible;
/* Where to look for the first unreported request of each requester */
static unsigned int next_post[NR_RIDS];

static unsigned int desc_size(void)
{
	return hw.rev == VTD_PRQ_REV2 ? 16 : 32;
}

static void *slot(unsigned int number)
{
	return (char *)ring + number * desc_size();
}

static unsigned int next_slot(unsigned int number)
{
	return (number + 1) % hw.size;
}

/* Return the number of requests between two slots. */
static unsigned int between(unsigned int from, unsigned int to)
{
	return (to - from) & (hw.size - 1);
}

unsigned int hardware_room(void)
{
	return hw.size - 1 - between(hw.head, hw.tail);
}

/* Return the number of requests that have left the ring and the driver. */
unsigned int hardware_done(void)
{
	return hw.nr_reported + hw.nr_lost;
}

struct vtd_prq_desc *hardware_ring(void)
{
	return ring;
}

static void write_slot(unsigned int number, const struct wire_request *req, u64 noise)
{
	struct vtd_prq_desc desc;

	wire_request_write(hw.rev, req, noise, &desc);
	ASAN_UNPOISON_MEMORY_REGION(slot(number), desc_size());
	memcpy(slot(number), &desc, desc_size());
	ASAN_POISON_MEMORY_REGION(slot(number), desc_size());
}

static void hide_slot(unsigned int number)
{
	memset(slot(number), 0xee, desc_size());
	ASAN_POISON_MEMORY_REGION(slot(number), desc_size());
}

static void set_status(u32 bit)
{
	if (!hw.status)
		hw.interrupt = true;
	hw.status |= bit;
}

/* Put a request into the ring. Return false if it is dropped, or hardware responds. */
bool hardware_post(const struct post *new, u64 noise)
{
	struct post *post = &hw.posts[hw.nr_posts];

	if (!hardware_room())
		set_status(VTD_PRQ_OVERFLOW);
	if (hw.status & VTD_PRQ_OVERFLOW || hw.nr_posts == MAX_POSTS) {
		note("dropped: requester %04x, PASID %u, index %u%s", rids[new->rid],
		     new->pasid, new->index, new->req.last ? ", last" : "");
		return false;
	}
	note("post %u in slot %u: requester %04x, PASID %u, index %u%s%s", hw.nr_posts,
	     hw.tail, rids[new->rid], new->pasid, new->index,
	     new->req.last ? ", last" : "",
	     wire_is_stop_marker(&new->req) ? ", a Stop Marker" : "");
	*post = *new;
	post->owed = ledger_owe(post);
	write_slot(hw.tail, &post->req, noise);
	hw.nr_posts++;
	hw.tail = next_slot(hw.tail);
	set_status(VTD_PRQ_PENDING);
	return true;
}

/* Return the first request of a requester that was posted and not reported. */
struct post *hardware_oldest_post(unsigned int rid)
{
	unsigned int i;

	for (i = next_post[rid]; i < hw.nr_posts; i++)
		if (hw.posts[i].rid == rid && !hw.posts[i].reported)
			break;
	next_post[rid] = i;
	return i < hw.nr_posts ? &hw.posts[i] : NULL;
}

unsigned int hardware_read_head(struct vtd_prq *prq)
{
	unsigned int head;

	stub_point();
	head = hw.head;
	note("head is %u", head);
	stub_point();
	return head;
}

unsigned int hardware_read_tail(struct vtd_prq *prq)
{
	stub_point();
	seen_tail = hw.tail;
	note("tail is %u", seen_tail);
	/* The value may be old as soon as it is read. */
	stub_point();
	return seen_tail;
}

void stub_dma_rmb(void)
{
	while (visible != seen_tail) {
		ASAN_UNPOISON_MEMORY_REGION(slot(visible), desc_size());
		visible = next_slot(visible);
		check_counts[CHECK_RING]++;
	}
	stub_point();
}

void hardware_write_head(struct vtd_prq *prq, unsigned int head)
{
	stub_point();
	note("head becomes %u", head);
	expect(CHECK_HEAD, head < hw.size, "head %u is beyond the ring", head);
	expect(CHECK_HEAD, between(hw.head, head) <= between(hw.head, visible),
	       "head goes to %u, beyond what the driver may have read", head);
	while (hw.head != head) {
		hide_slot(hw.head);
		hw.head = next_slot(hw.head);
	}
	stub_point();
}

u32 hardware_read_status(struct vtd_prq *prq)
{
	u32 status;

	stub_point();
	status = hw.status;
	note("status is %x", status);
	stub_point();
	return status;
}

/* A dropped request may have belonged to the group of one that is still in the ring. */
static void check_overflow(void)
{
	expect(CHECK_OVERFLOW, hw.head == hw.tail, "PRO is cleared and the ring is not empty");
	expect(CHECK_OVERFLOW, hardware_done() == hw.nr_posts,
	       "PRO is cleared before all is reported");
	expect(CHECK_OVERFLOW, !library_has_partial() || kernel_has_to_forget(),
	       "PRO is cleared before unfinished groups are forgotten");
}

void hardware_clear_status(struct vtd_prq *prq, u32 bits)
{
	bool overflow = bits & hw.status & VTD_PRQ_OVERFLOW;

	stub_point();
	note("status bits %x cleared", bits);
	if (bits & hw.status & VTD_PRQ_OVERFLOW)
		check_overflow();
	hw.status &= ~bits;
	if (overflow && sched_in_fiber()) {
		hw.nr_overflows++;
		kernel_overflow_cleared();
		device_overflow_cleared();
	}
	stub_point();
}

static void empty_ring(unsigned int first, u32 status)
{
	hw.head = first;
	hw.tail = first;
	hw.status = status;
	hw.interrupt = false;
	seen_tail = first;
	visible = first;
	hardware_power_off();
	memset(ring, 0xee, sizeof(ring));
	ASAN_POISON_MEMORY_REGION(ring, sizeof(ring));
}

/* Requests in the ring are lost. */
void hardware_reset(void)
{
	unsigned int i;

	note("reset");
	for (i = 0; i < hw.nr_posts; i++) {
		if (hw.posts[i].reported)
			continue;
		hw.posts[i].reported = true;
		hw.nr_lost++;
	}
	empty_ring(0, hw.status);
}

void hardware_power_on(enum vtd_prq_format rev, unsigned int size, u32 first,
		       u32 status)
{
	hw.rev = rev;
	hw.size = size;
	hw.nr_posts = 0;
	hw.nr_reported = 0;
	hw.nr_lost = 0;
	hw.nr_bad = 0;
	hw.nr_overflows = 0;
	hw.nr_unsent = 0;
	memset(next_post, 0, sizeof(next_post));
	empty_ring(first, status);
}

void hardware_power_off(void)
{
	ASAN_UNPOISON_MEMORY_REGION(ring, sizeof(ring));
}
