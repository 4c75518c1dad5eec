// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: which requester fills the ring
 *
 * A few counters suffice to find requesters with a large share of the requests (Misra and
 * Gries): if all counters belong to other requesters, all of them are reduced instead. A
 * counter never exceeds what its requester has sent, so a requester that sends little is
 * never blamed.
 */
#include <linux/limits.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "prq.h"

/* Return the counter of @rid, or else an unused one, or NULL. */
static struct vtd_prq_suspect *intel_prq_find_suspect(struct vtd_prq *prq, u16 rid)
{
	struct vtd_prq_suspect *free = NULL;
	unsigned int i;

	for (i = 0; i < VTD_PRQ_SUSPECTS; i++) {
		struct vtd_prq_suspect *suspect = &prq->suspects[i];

		if (!suspect->count)
			free = suspect;
		else if (suspect->rid == rid)
			return suspect;
	}
	return free;
}

/* Reduce all counters by up to @count, none below 0. Return by how much. */
static unsigned int intel_prq_reduce_suspects(struct vtd_prq *prq, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < VTD_PRQ_SUSPECTS; i++)
		count = min(count, prq->suspects[i].count);
	for (i = 0; i < VTD_PRQ_SUSPECTS; i++)
		prq->suspects[i].count -= count;
	return count;
}

/* Count @count requests of @rid. Called by the interrupt thread. */
void vtd_prq_count_requests(struct vtd_prq *prq, u16 rid, unsigned int count)
{
	struct vtd_prq_suspect *suspect = intel_prq_find_suspect(prq, rid);

	prq->nr_suspected += count;
	if (!suspect) {
		count -= intel_prq_reduce_suspects(prq, count);
		suspect = intel_prq_find_suspect(prq, rid);
	}
	if (!suspect || !count)
		return;
	suspect->rid = rid;
	suspect->count += count;
}

/*
 * After an overflow, record in vtd_prq.blamed the requester that has sent most requests
 * since the previous overflow, if that is at least an eighth of all, and reset the
 * counters. Called by the interrupt thread.
 */
void vtd_prq_blame(struct vtd_prq *prq)
{
	const struct vtd_prq_suspect *worst = &prq->suspects[0];
	unsigned int i;

	for (i = 1; i < VTD_PRQ_SUSPECTS; i++)
		if (prq->suspects[i].count > worst->count)
			worst = &prq->suspects[i];
	if (worst->count && worst->count >= prq->nr_suspected / 8)
		WRITE_ONCE(prq->blamed, worst->rid);
	else
		WRITE_ONCE(prq->blamed, -1);
	memset(prq->suspects, 0, sizeof(prq->suspects));
	prq->nr_suspected = 0;
}
