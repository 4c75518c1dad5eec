// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: finding a group by its key
 *
 * A hash table per device. A group lives for microseconds, so a table that grows
 * and shrinks with them would do little else: this one has the size that the
 * device's limits ask for. The factor is random, so that a device cannot choose
 * keys that meet in one bucket.
 */
#include <linux/list.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "iopf.h"

/* Groups in a bucket when a device is at all its limits. */
#define IOPF_TABLE_LOAD		8
#define IOPF_TABLE_MIN_BITS	6
#define IOPF_TABLE_MAX_BITS	16

static unsigned int iopf_table_bits(const struct iopf_limits *limits)
{
	return clamp_t(unsigned int, ilog2(limits->groups / IOPF_TABLE_LOAD + 1),
		       IOPF_TABLE_MIN_BITS, IOPF_TABLE_MAX_BITS);
}

/* A table for what @limits allow: 0 or -ENOMEM. May sleep. */
int iopf_table_init(struct iopf_table *table, const struct iopf_limits *limits)
{
	table->bits = iopf_table_bits(limits);
	table->buckets = kvcalloc(1 << table->bits, sizeof(*table->buckets),
				  GFP_KERNEL);
	table->factor = get_random_u64() | 1;
	table->nr_groups = 0;
	return table->buckets ? 0 : -ENOMEM;
}

void iopf_table_exit(struct iopf_table *table)
{
	kvfree(table->buckets);
}

/* Move all groups from @from to @to. */
void iopf_table_move(struct iopf_table *to, struct iopf_table *from)
{
	struct hlist_node *next;
	struct iopf_grp *grp;
	unsigned int i;

	for (i = 0; i < 1 << from->bits; i++)
		hlist_for_each_entry_safe(grp, next, &from->buckets[i],
					  table_node) {
			iopf_table_remove(from, &grp->table_node);
			iopf_table_insert(to, &grp->key,
					  &grp->table_node);
		}
}
