/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: finding a group by its key
 */
#ifndef __IOPF_TABLE_H
#define __IOPF_TABLE_H

#include <linux/iopf.h>
#include <linux/list.h>
#include <linux/types.h>

#include "request.h"

/**
 * struct iopf_table - groups by their &struct iopf_key
 * @buckets: lists of groups
 * @bits: log2 of their number
 * @factor: makes the bucket's number of a key
 * @nr_groups: in all buckets
 */
struct iopf_table {
	struct hlist_head *buckets;
	unsigned int bits;
	u64 factor;
	unsigned int nr_groups;
};

/* table.c */
int iopf_table_init(struct iopf_table *table, const struct iopf_limits *limits);
void iopf_table_exit(struct iopf_table *table);
void iopf_table_move(struct iopf_table *to, struct iopf_table *from);

static inline struct hlist_head *iopf_table_bucket(struct iopf_table *table,
						   const struct iopf_key *key)
{
	u64 word = (u64)key->pasid << 32 | key->grpid;

	return &table->buckets[word * table->factor >> (64 - table->bits)];
}

static inline void iopf_table_insert(struct iopf_table *table,
				     const struct iopf_key *key,
				     struct hlist_node *node)
{
	hlist_add_head(node, iopf_table_bucket(table, key));
	table->nr_groups++;
}

static inline void iopf_table_remove(struct iopf_table *table,
				     struct hlist_node *node)
{
	hlist_del(node);
	table->nr_groups--;
}

#endif /* __IOPF_TABLE_H */
