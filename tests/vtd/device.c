// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: devices that send page requests
 *
 * By the rules, no device uses an index while it waits for the response to the last
 * request of a group, and a Stop Marker ends all groups of its PASID. Some inputs have
 * devices that break the rules. Requests are in flight for a while before they arrive
 * at the hardware, in order.
 */
#include <string.h>

#include "fuzz.h"

#define MAX_ON_WAY	64

/* More than the driver remembers as those that may have filled the ring */
const u16 rids[NR_RIDS] = {
	0x0128, 0x0000, 0x0129, 0xffff,
	0x0228, 0x8001, 0x7fff, 0xff00, 0x00ff, 0x0001, 0x0100,
};

/* The first one is what the field has without a PASID. */
const u32 pasids[NR_PASIDS] = { 0xabcde, 1, 2, 0, 0xfffff };
static const u16 indices[NR_INDICES] = { 0, 1, 2, 0x0aa, 0x100, 0x1ff };

/**
 * struct use - how a device uses a group index
 * @generation: how many uses have ended
 * @waits: the last request was sent, and its response has not come
 */
static struct use {
	unsigned int generation;
	bool waits;
} uses[NR_RIDS][NR_PASIDS][NR_INDICES];

static bool keeps_rules;
/* Number of drains that have stopped the PASID on the device */
static unsigned int paused[NR_RIDS][NR_PASIDS];
static bool disabled[NR_RIDS];

/* Ring of requests in flight, and the number of those that stay there */
static struct post on_way[MAX_ON_WAY];
static unsigned int first_on_way;
static unsigned int nr_on_way;
static unsigned int delay;

/* A device that may fill the ring again as soon as PRO is cleared */
static struct post flood;
static bool floods;
/* Another device, which sends at times */
static struct post bystander;

void device_power_on(bool well_behaved)
{
	memset(uses, 0, sizeof(uses));
	memset(paused, 0, sizeof(paused));
	memset(disabled, 0, sizeof(disabled));
	keeps_rules = well_behaved;
	nr_on_way = 0;
	delay = 0;
	floods = false;
}

/* Reset all devices. */
void device_reset_all(void)
{
	struct use *use = &uses[0][0][0];
	unsigned int i;

	for (i = 0; i < NR_RIDS * NR_PASIDS * NR_INDICES; i++, use++) {
		use->generation++;
		use->waits = false;
	}
	memset(disabled, 0, sizeof(disabled));
	nr_on_way = 0;
	floods = false;
}

bool device_keeps_rules(void)
{
	return keeps_rules;
}

void device_response(unsigned int rid, unsigned int pasid, unsigned int index)
{
	struct use *use = &uses[rid][pasid][index];

	use->waits = false;
	use->generation++;
}

static void end_pasid(unsigned int rid, unsigned int pasid)
{
	unsigned int index;

	for (index = 0; index < NR_INDICES; index++)
		if (!uses[rid][pasid][index].waits)
			uses[rid][pasid][index].generation++;
}

/* Let the oldest request arrive at the hardware, which may have to respond itself. */
static void arrive(void)
{
	struct post *post = &on_way[first_on_way % MAX_ON_WAY];

	first_on_way++;
	nr_on_way--;
	if (!hardware_post(post, post->req.page & 1 ? 0 : 0x9e3779b97f4a7c15ULL) &&
	    wire_owed(hw.rev, &post->req) == OWED_BY_GROUP)
		device_response(post->rid, post->pasid, post->index);
}

void device_arrive_all(void)
{
	while (nr_on_way)
		arrive();
}

void device_delay(unsigned int requests)
{
	delay = requests % MAX_ON_WAY;
	while (nr_on_way > delay)
		arrive();
}

/* Return the next request to arrive. */
const struct post *device_on_way(void)
{
	return nr_on_way ? &on_way[first_on_way % MAX_ON_WAY] : NULL;
}

bool device_is_sending(unsigned int rid, unsigned int pasid)
{
	unsigned int i;

	for (i = 0; i < nr_on_way; i++) {
		struct post *post = &on_way[(first_on_way + i) % MAX_ON_WAY];

		if (post->rid == rid && post->pasid == pasid)
			return true;
	}
	return false;
}

/* Stop the PASID on the device if @count is 1, and end that if it is -1. */
void device_pause_pasid(unsigned int rid, unsigned int pasid, int count)
{
	paused[rid][pasid] += count;
}

/*
 * Disable a device. Requests in flight are dropped silently. Return false if it is
 * disabled already.
 */
bool device_disable(unsigned int rid)
{
	unsigned int i;

	if (disabled[rid])
		return false;
	disabled[rid] = true;
	for (i = nr_on_way; i--;) {
		struct post post = on_way[first_on_way % MAX_ON_WAY];

		first_on_way++;
		if (post.rid == rid)
			nr_on_way--;
		else
			on_way[(first_on_way + nr_on_way - 1) % MAX_ON_WAY] = post;
	}
	return true;
}

static void choose_access(struct wire_request *req)
{
	u8 access = input_byte();

	req->read = access & 1;
	req->write = access & 2 || !(access & 13);
	req->last = access % 3 == 2;
	req->streaming = hw.rev == VTD_PRQ_REV2 && access % 5 == 4;
	req->private_present = hw.rev == VTD_PRQ_REV3 && access % 7 == 6;
	if (access < 0xc0)
		return;
	/* Stop Markers and requests that are refused */
	req->execute = access & 4;
	req->privileged = access & 8;
	if (access & 0x10) {
		req->last = true;
		req->read = false;
		req->write = false;
	}
}

static u64 choose_page(void)
{
	u8 page = input_byte();

	if (page < 0xf0)
		return page;
	/* Addresses that are canonical for 57 bits, almost canonical, and arbitrary */
	if (page < 0xf8)
		return (page & 1 ? 0xff0ULL << 40 : 0x00fULL << 40) + page;
	return input_word() >> 12;
}

static void choose_request(struct post *post)
{
	struct wire_request *req = &post->req;
	u8 who = input_byte();
	u8 what = input_byte();

	*post = (struct post){
		.rid = who % (who < 0xa0 ? NR_KNOWN : NR_RIDS),
		.pasid = who / NR_RIDS % NR_PASIDS,
		.index = what % NR_INDICES,
	};
	req->bus = rids[post->rid] >> 8;
	req->devfn = rids[post->rid];
	req->pasid_present = post->pasid;
	req->pasid = pasids[post->pasid];
	req->index = indices[post->index];
	req->private_data[0] = what * 0x10101ULL & 0x7fffff;
	if (hw.rev != VTD_PRQ_REV2)
		req->private_data[1] = ~req->private_data[0];
	choose_access(req);
	req->page = choose_page();
}

/* Update the device for a request, whether or not the hardware has room for it. */
static void send(struct post *post)
{
	struct use *use = &uses[post->rid][post->pasid][post->index];

	if (disabled[post->rid] || paused[post->rid][post->pasid])
		return;
	if (wire_is_stop_marker(&post->req))
		end_pasid(post->rid, post->pasid);
	else if (keeps_rules && use->waits)
		return;
	else if (wire_owed(hw.rev, &post->req) == OWED_BY_GROUP)
		use->waits = true;
	post->generation = use->generation;
	on_way[(first_on_way + nr_on_way++) % MAX_ON_WAY] = *post;
	while (nr_on_way > delay)
		arrive();
}

void device_send(unsigned int count)
{
	struct post post;

	while (count-- && !input_is_over()) {
		choose_request(&post);
		send(&post);
	}
}

/*
 * Fill the ring, and send @more requests that the hardware must drop, some of them
 * last.
 */
static void fill(const struct post *post, unsigned int more)
{
	unsigned int count = hardware_room() + more;
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct post next = *post;

		next.index = (post->index + i) % NR_INDICES;
		next.req.index = indices[next.index];
		next.req.last = i % 4 == 3 || (i >= count - more && i % 2);
		next.req.page ^= i;
		send(&next);
	}
}

void device_fill(unsigned int more)
{
	struct post post;

	choose_request(&post);
	fill(&post, more);
}

/* Let a device flood the ring. It breaks the rules: it does not wait for responses. */
void device_flood(bool on)
{
	floods = on && !keeps_rules;
	if (!floods)
		return;
	choose_request(&flood);
	flood.req.last = false;
	flood.req.read = true;
	choose_request(&bystander);
}

bool device_floods(void)
{
	return floods && !disabled[flood.rid];
}

void device_overflow_cleared(void)
{
	unsigned int i;

	if (!floods)
		return;
	send(&bystander);
	for (i = hardware_room() + 2; i; i--)
		send(&flood);
}
