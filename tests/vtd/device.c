// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: devices that send page requests
 *
 * By the rules, no device uses an index while it waits for the response to the last
 * request of a group, and a Stop Marker ends all groups of its PASID. Some inputs have
 * devices that keep no rules. Requests are on their way for a while before they come to
 * the hardware, and stay in their order.
 */
#include <string.h>

#include "fuzz.h"

#define MAX_ON_WAY	64

/* More than the driver keeps in mind as those that may have filled the ring. */
const u16 rids[NR_RIDS] = {
	0x0128, 0x0000, 0x0129, 0xffff,
	0x0228, 0x8001, 0x7fff, 0xff00, 0x00ff, 0x0001, 0x0100,
};

/* The first one is what stands in the field where there is none. */
const u32 pasids[NR_PASIDS] = { 0xabcde, 1, 2, 0, 0xfffff };
static const u16 indices[NR_INDICES] = { 0, 1, 2, 0x0aa, 0x100, 0x1ff };

/**
 * struct use - how a device uses a group index
 * @generation: how often its use has ended
 * @waits: the last request was sent, and has no response yet
 */
static struct use {
	unsigned int generation;
	bool waits;
} uses[NR_RIDS][NR_PASIDS][NR_INDICES];

static bool keeps_rules;
/* Those that drain a PASID have stopped the device from using it. */
static unsigned int paused[NR_RIDS][NR_PASIDS];
static bool disabled[NR_RIDS];

/* Requests on their way, a ring; and how many stay there. */
static struct post on_way[MAX_ON_WAY];
static unsigned int first_on_way;
static unsigned int nr_on_way;
static unsigned int delay;

/* One device may fill the ring again as soon as PRO is cleared. */
static struct post flood;
static bool floods;
/* Another one sends now and then. */
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

/* Devices begin anew. */
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

/* The oldest request comes to the hardware, which may have to respond itself. */
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

/* The next one to arrive. */
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

/* @count is 1, and -1 when the device may go on. */
void device_pause_pasid(unsigned int rid, unsigned int pasid, int count)
{
	paused[rid][pasid] += count;
}

/* False if it is already. What is on its way is dropped, silently. */
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
	req->streaming = hw.rev == IOPF_PRQ_REV2 && access % 5 == 4;
	req->private_present = hw.rev == IOPF_PRQ_REV3 && access % 7 == 6;
	if (access < 0xc0)
		return;
	/* Stop Markers, and what is refused. */
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
	/* Canonical for 57 bits, just not, and anything. */
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
	if (hw.rev != IOPF_PRQ_REV2)
		req->private_data[1] = ~req->private_data[0];
	choose_access(req);
	req->page = choose_page();
}

/* What the request means to its device, whether or not hardware has room for it. */
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

/* Fill the ring, and send @more that hardware has to drop, some of them last ones. */
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

/* A device that floods keeps no rules: it does not wait for its responses. */
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
