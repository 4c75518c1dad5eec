// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: page request groups
 *
 * A group is in the device's table from its first request until it is claimed.
 *
 * The table is a hash table whose size follows the device's limits: a group lives for
 * microseconds, so a table that grows and shrinks would be resized all the time. The
 * multiplier is random, so that a device cannot choose keys that share a bucket.
 */
#include <kunit/static_stub.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <trace/events/iopf.h>

#include "objects.h"

/* Groups per bucket of a device at its limits. */
#define IOPF_TABLE_LOAD		8
#define IOPF_TABLE_MIN_BITS	6
#define IOPF_TABLE_MAX_BITS	16

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
}

static unsigned int iopf_table_bits(const struct iopf_limits *limits)
{
	return clamp_t(unsigned int, ilog2(limits->groups / IOPF_TABLE_LOAD + 1),
		       IOPF_TABLE_MIN_BITS, IOPF_TABLE_MAX_BITS);
}

/* Allocate a table for the groups that @limits allow. Return 0 or -ENOMEM. May sleep. */
int iopf_table_init(struct iopf_table *table, const struct iopf_limits *limits)
{
	table->bits = iopf_table_bits(limits);
	table->buckets = kvcalloc(1 << table->bits, sizeof(*table->buckets),
				  GFP_KERNEL);
	table->factor = get_random_u64() | 1;
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
	struct iopf_prg *prg;
	unsigned int i;

	for (i = 0; i < 1 << from->bits; i++)
		hlist_for_each_entry_safe(prg, next, &from->buckets[i],
					  table_node) {
			hlist_del(&prg->table_node);
			iopf_table_insert(to, &prg->key,
					  &prg->table_node);
		}
}

/* Allowed transitions from each owner. */
static const u8 iopf_next_owners[IOPF_NR_OWNERS] = {
	[IOPF_OWNER_ASSEMBLING] = BIT(IOPF_OWNER_QUEUED) |
				  BIT(IOPF_OWNER_DOMAIN) |
				  BIT(IOPF_OWNER_HANDLER) |
				  BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_QUEUED] = BIT(IOPF_OWNER_WORKER) | BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_WORKER] = BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_DOMAIN] = BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_HANDLER] = BIT(IOPF_OWNER_QUEUED) |
			       BIT(IOPF_OWNER_DOMAIN) |
			       BIT(IOPF_OWNER_CLAIMED),
	[IOPF_OWNER_CLAIMED] = 0,
};

/* Report a forbidden transition. A KUnit case replaces this function. */
void iopf_prg_bad_owner(struct iopf_prg *prg, enum iopf_owner owner)
{
	KUNIT_STATIC_STUB_REDIRECT(iopf_prg_bad_owner, prg, owner);
	WARN_ONCE(1, "group %u of PASID %u goes from owner %u to %u\n",
		  prg->key.grpid, prg->key.pasid, prg->owner, owner);
}

/* Check a transition, under iopf_device.lock; see iopf_prg_set_owner(). */
void iopf_prg_check_owner(struct iopf_prg *prg, enum iopf_owner owner)
{
	bool queued = !list_empty(&prg->base.node);

	if (!(iopf_next_owners[prg->owner] & BIT(owner)) ||
	    (owner != IOPF_OWNER_ASSEMBLING && owner != IOPF_OWNER_CLAIMED &&
	     !prg->complete) ||
	    (owner == IOPF_OWNER_QUEUED && (!queued || !prg->mm)) ||
	    (owner == IOPF_OWNER_WORKER && (queued || !prg->mm)) ||
	    (owner == IOPF_OWNER_CLAIMED && queued &&
	     prg->owner == IOPF_OWNER_QUEUED))
		iopf_prg_bad_owner(prg, owner);
}

/*
 * Initialize a group, which may have been used before. Fields that its owners set are
 * left alone.
 */
static void iopf_prg_init(struct iopf_device *fdev, struct iopf_prg *prg)
{
	INIT_LIST_HEAD(&prg->base.faults);
	INIT_LIST_HEAD(&prg->base.node);
	prg->base.fault_count = 0;
	prg->base.attach_handle = NULL;
	prg->base.fault_param = &fdev->base;
	refcount_set(&prg->users, 1);
	prg->owner = IOPF_OWNER_ASSEMBLING;
	prg->worker = NULL;
	prg->complete = false;
	prg->rejected = false;
	prg->prefaulted = 0;
	prg->by_pair = false;
	if (iopf_latency_enabled())
		prg->times = (struct iopf_times){ .begun = iopf_now() };
	else
		prg->times.begun = 0;
	prg->flags = 0;
}

/*
 * Allocate a group of @key, with the library's reference, which lasts until its response
 * is sent. It takes the caller's reference to @pq. @mm may be NULL. NULL: no memory.
 */
struct iopf_prg *iopf_prg_new(struct iopf_pasid_queue *pq, const struct iopf_key *key,
			      struct mm_struct *mm)
{
	struct iopf_device *fdev = pq->fdev;
	struct iopf_prg *prg;

	lockdep_assert_held(&fdev->lock);
	prg = iopf_prg_alloc(fdev, mm);
	if (!prg) {
		fdev->stats.nomem++;
		iopf_pq_put(pq);
		return NULL;
	}

	iopf_prg_init(fdev, prg);
	prg->key = *key;
	prg->pq = pq;
	iopf_table_insert(&fdev->table, key, &prg->table_node);
	list_add_tail(&prg->base.pending_node, &pq->unfinished);
	fdev->nr_unfinished++;
	prg->since = jiffies;
	return prg;
}

/* Find the group of @key. NULL: there is none. The groups of a dead device are claimed. */
struct iopf_prg *iopf_prg_find(struct iopf_device *fdev,
			       const struct iopf_key *key)
{
	struct iopf_prg *prg;

	lockdep_assert_held(&fdev->lock);
	if (fdev->joined && iopf_key_equal(&fdev->joined->key, key))
		return fdev->joined;
	if (fdev->dead)
		return NULL;
	hlist_for_each_entry(prg, iopf_table_bucket(&fdev->table, key),
			     table_node)
		if (iopf_key_equal(&prg->key, key))
			return prg;
	return NULL;
}

/* Find the next group with the key of @prg. Only single requests can have one. */
struct iopf_prg *iopf_prg_next(struct iopf_prg *prg)
{
	const struct iopf_key *key = &prg->key;

	hlist_for_each_entry_continue(prg, table_node)
		if (iopf_key_equal(&prg->key, key))
			return prg;
	return NULL;
}

/* Check the limits again with what was freed meanwhile, see iopf_prg_room(). */
bool iopf_prg_find_room(struct iopf_device *fdev, bool whole)
{
	lockdep_assert_held(&fdev->lock);
	iopf_limits_refresh(fdev);
	if (iopf_is_below_limits(fdev, whole))
		return true;
	fdev->stats.limited++;
	return false;
}

/* Make sure that the next request does not join @prg by the short cut. */
static void iopf_prg_close(struct iopf_device *fdev, struct iopf_prg *prg)
{
	if (fdev->joined == prg)
		fdev->joined = NULL;
}

/*
 * Take @prg out of the table and off its list. The device may reuse the index as soon as
 * it has the response, so this comes before the response.
 */
void iopf_prg_remove(struct iopf_device *fdev, struct iopf_prg *prg)
{
	lockdep_assert_held(&fdev->lock);
	hlist_del(&prg->table_node);
	list_del_init(&prg->base.pending_node);
	if (prg->mm)
		prg->pq->nr_mm--;
	if (!prg->complete) {
		iopf_prg_close(fdev, prg);
		fdev->nr_unfinished--;
		fdev->partial_requests -= prg->base.fault_count;
	}
}

/* Refuse @prg when its last request comes. */
void iopf_prg_reject(struct iopf_device *fdev, struct iopf_prg *prg)
{
	lockdep_assert_held(&fdev->lock);
	prg->rejected = true;
	iopf_prg_close(fdev, prg);
}

static bool iopf_has_request_room(struct iopf_device *fdev)
{
	lockdep_assert_held(&fdev->lock);
	if (likely(iopf_request_room(fdev)))
		return true;
	iopf_limits_refresh(fdev);
	return iopf_request_room(fdev);
}

/*
 * Add a request that is not the last one. One that cannot be kept spoils the group, which
 * is refused when its last request comes.
 */
void iopf_prg_add_partial(struct iopf_device *fdev, struct iopf_prg *prg,
			  const struct iommu_fault *fault)
{
	lockdep_assert_held(&fdev->lock);
	if (prg->rejected)
		return;
	if (!iopf_has_request_room(fdev)) {
		fdev->stats.limited++;
		iopf_prg_reject(fdev, prg);
		return;
	}
	if (!prg->nr_slots && !iopf_prg_add_slots(fdev, prg)) {
		fdev->stats.nomem++;
		iopf_prg_reject(fdev, prg);
		return;
	}
	iopf_prg_append(fdev, prg, fault);
	/* Single requests, which may share a key, are not partial. */
	fdev->joined = prg;
}

/* Add the last request. The caller passes the group to its next owner by iopf_route(). */
void iopf_prg_complete(struct iopf_device *fdev, struct iopf_prg *prg,
		       const struct iommu_fault *fault)
{
	lockdep_assert_held(&fdev->lock);
	iopf_prg_close(fdev, prg);
	prg->base.last_fault.fault = *fault;
	list_add_tail(&prg->base.last_fault.list, &prg->base.faults);
	fdev->nr_unfinished--;
	fdev->partial_requests -= prg->base.fault_count;
	fdev->groups_made++;
	fdev->requests_made += prg->base.fault_count;
	prg->base.fault_count++;
	fdev->stats.groups++;
	prg->pq->groups++;
	prg->pq->requests += prg->base.fault_count;
	prg->complete = true;
	prg->seq = ++fdev->seq;
	list_move_tail(&prg->base.pending_node, &prg->pq->pending);
	prg->since = jiffies;
	iopf_stamp(&prg->times.complete);
	trace_iopf_complete(fdev->base.dev, prg->key.pasid, prg->key.grpid,
			    prg->base.fault_count);
}
