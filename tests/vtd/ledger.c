// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: responses that must be sent
 *
 * An entry is made when the hardware puts a request that needs a response into the
 * ring; to one that it drops it responds itself. The response may be sent when the
 * entry is released: by the library, or because there is no device to report to. A
 * response without an entry is one that the device does not expect.
 */
#include <string.h>

#include "fuzz.h"

enum entry_state {
	ENTRY_FREE,
	ENTRY_OWED,
	ENTRY_RELEASED,
	ENTRY_SUBMITTED,
};

/**
 * struct entry - a response that must be sent
 * @state: whether it must, and may, be sent
 * @post: the request
 * @desc: the response, once it may be sent
 */
static struct entry {
	enum entry_state state;
	const struct post *post;
	struct vtd_prq_desc desc;
} entries[MAX_POSTS];

static unsigned int nr_entries;

void ledger_reset(void)
{
	nr_entries = 0;
}

int ledger_owe(const struct post *post)
{
	if (wire_owed(hw.rev, &post->req) == OWED_NOTHING)
		return -1;
	entries[nr_entries] = (struct entry){ .state = ENTRY_OWED, .post = post };
	return nr_entries++;
}

void ledger_release(int number, enum iommu_page_response_code code)
{
	struct entry *entry = &entries[number];

	entry->state = ENTRY_RELEASED;
	wire_response_write(hw.rev, &entry->post->req, code, &entry->desc);
	note("released for post %zu: %016llx %016llx %016llx %016llx",
	     entry->post - hw.posts, entry->desc.qw[0], entry->desc.qw[1],
	     entry->desc.qw[2], entry->desc.qw[3]);
}

/*
 * The device gets no response: it has made a mistake, or hardware does not accept it.
 */
void ledger_drop(int number)
{
	entries[number].state = ENTRY_FREE;
}

/* A response is submitted. Return the number of its entry. */
int ledger_submit(const struct vtd_prq_desc *desc)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++)
		if (entries[i].state == ENTRY_RELEASED &&
		    !memcmp(&entries[i].desc, desc, sizeof(*desc)))
			break;
	expect(CHECK_OWED, i < nr_entries,
	       "no response like %016llx %016llx %016llx %016llx is owed", desc->qw[0],
	       desc->qw[1], desc->qw[2], desc->qw[3]);
	entries[i].state = ENTRY_SUBMITTED;
	return i;
}

/* Hardware has accepted the response, and the device has it. */
void ledger_sent(int number)
{
	const struct post *post = entries[number].post;

	ledger_drop(number);
	if (post->req.last)
		device_response(post->rid, post->pasid, post->index);
}

/* Find a request whose response must be sent; -1 stands for any requester or PASID. */
const struct post *ledger_find_open(int rid, int pasid)
{
	unsigned int i;

	for (i = 0; i < nr_entries; i++)
		if (entries[i].state != ENTRY_FREE &&
		    (rid < 0 || entries[i].post->rid == rid) &&
		    (pasid < 0 || entries[i].post->pasid == pasid))
			return entries[i].post;
	return NULL;
}
