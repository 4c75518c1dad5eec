/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: page request groups
 */
#ifndef __IOPF_GROUP_H
#define __IOPF_GROUP_H

#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/refcount.h>

#include "queue.h"
#include "request.h"
#include "stats.h"

/* In place of a response code: the device does not wait for an answer. */
#define IOPF_FORGET		(-1)
/* Requests that a group holds without a further allocation. */
#define IOPF_INLINE_REQUESTS	8
/* Requests that are allocated together, beyond those. */
#define IOPF_CHUNK_REQUESTS	16

/**
 * enum iopf_owner - who owns a group, and with it the right to answer it
 * @IOPF_OWNER_ASSEMBLING: the device's table: the last request has not come
 * @IOPF_OWNER_QUEUED: its PASID's lane, until a worker takes it
 * @IOPF_OWNER_WORKER: the worker that handles its faults
 * @IOPF_OWNER_DOMAIN: the iopf_handler of its domain, or the reporter that delivers
 *	it there
 * @IOPF_OWNER_HANDLER: the registered handler, or the reporter that asks it
 * @IOPF_OWNER_CLAIMED: the claimer, which sends the one answer. No way back
 * @IOPF_NR_OWNERS: how many there are
 *
 * iopf_grp_set_owner() alone changes the owner, under iopf_dev.lock. The lane, the
 * worker and the domain's handler have a reference to the group of their own; the
 * claimer uses the library's, and drops it when the answer is sent.
 */
enum iopf_owner {
	IOPF_OWNER_ASSEMBLING,
	IOPF_OWNER_QUEUED,
	IOPF_OWNER_WORKER,
	IOPF_OWNER_DOMAIN,
	IOPF_OWNER_HANDLER,
	IOPF_OWNER_CLAIMED,
	IOPF_NR_OWNERS,
};

/**
 * struct iopf_chunk - room for further requests of a group
 * @next: more of it
 * @requests: requests, on the group's list
 */
struct iopf_chunk {
	struct iopf_chunk *next;
	struct iopf_fault requests[IOPF_CHUNK_REQUESTS];
};

/**
 * struct iopf_grp - a page request group
 * @pub: what <linux/iommu.h> shows of it. @pub.pending_node is on the lane's partial,
 *	pending, delivered or claimed list, @pub.node on its queue or, for other handlers,
 *	on a list of theirs
 * @users: see References above
 * @key: its identity, constant
 * @table_node: in iopf_dev.table until it is answered
 * @lane: the lane of its PASID, valid until it is answered
 * @mm: for SVA domains, the address space, referenced by mm_count; constant
 * @owner: guarded by iopf_dev.lock, set by iopf_grp_set_owner(); readable without
 *	the lock where a stale @IOPF_OWNER_WORKER does no harm
 * @worker: the worker that handles it, or whose sleep it waits for while it is queued;
 *	guarded by iopf_dev.lock
 * @rejected: refuse it when its last request comes; guarded by iopf_dev.lock
 * @code: the answer, %IOPF_FORGET for none; set when it is claimed
 * @prefaulted: pages beyond its own; set by its worker
 * @claim: place in the order of claims; set when it is claimed
 * @by_pair: the registered handler that owns it answers by PASID and index, as it
 *	has not taken the cookie; guarded by iopf_dev.lock
 * @seq: place in the order of complete groups, 0 while it is not complete
 * @since: jiffies when it came to the list that it is on
 * @times: see there
 * @slot: room for the next request; guarded by iopf_dev.lock, as the next two
 * @nr_slots: how many there are from there on
 * @chunks: where @requests is not enough
 * @spare_node: in iopf_dev.spare, when it is no group any more
 * @marks: of the request that is answered, those that go back with the answer;
 *	private data is in @pub.last_fault
 * @requests: room for the first requests
 */
struct iopf_grp {
	struct iopf_group pub;
	refcount_t users;
	struct iopf_key key;
	struct hlist_node table_node;
	struct iopf_lane *lane;
	struct mm_struct *mm;
	enum iopf_owner owner;
	struct iopf_worker *worker;
	bool rejected;
	int code;
	unsigned int prefaulted;
	bool by_pair;
	u64 seq;
	u64 claim;
	unsigned long since;
	struct iopf_times times;
	struct iopf_fault *slot;
	unsigned int nr_slots;
	struct iopf_chunk *chunks;
	struct llist_node spare_node;
	u32 marks;
	struct iopf_fault requests[IOPF_INLINE_REQUESTS];
};

/**
 * struct iopf_freed - groups whose memory is to be given back, see iopf_freed_put()
 * @first: by spare_node
 * @last: the last of them
 * @nr: how many
 * @groups: how many of them were complete, and
 * @requests: had how many requests beside the last ones
 */
struct iopf_freed {
	struct llist_node *first;
	struct llist_node *last;
	int nr;
	int groups;
	int requests;
};

static inline struct iopf_grp *to_iopf_grp(struct iopf_group *group)
{
	return container_of(group, struct iopf_grp, pub);
}

/* The group's device: valid as long as the group. */
static inline struct iopf_dev *iopf_grp_dev(struct iopf_grp *grp)
{
	return to_iopf_dev(grp->pub.fault_param);
}

/* memory.c */
int iopf_reserve_init(struct iopf_q *q);
void iopf_reserve_exit(struct iopf_q *q);
struct iopf_grp *iopf_grp_alloc(struct iopf_dev *idev);
void iopf_grp_free(struct iopf_dev *idev, struct iopf_grp *grp,
		   struct iopf_freed *freed);
void iopf_freed_end(struct iopf_dev *idev, struct iopf_freed *freed);
void iopf_spare_free(struct iopf_dev *idev);
bool iopf_grp_add_slots(struct iopf_dev *idev, struct iopf_grp *grp);

/* group.c */
void iopf_grp_check_owner(struct iopf_grp *grp, enum iopf_owner owner);
void iopf_grp_bad_owner(struct iopf_grp *grp, enum iopf_owner owner);
struct iopf_grp *iopf_grp_new(struct iopf_dev *idev, const struct iopf_key *key);
void iopf_grp_drop(struct iopf_dev *idev, struct iopf_grp *grp,
		   struct iopf_freed *freed);
void iopf_freed_put(struct iopf_dev *idev, struct iopf_freed *freed);
void iopf_grp_put(struct iopf_grp *grp);
struct iopf_grp *iopf_grp_find(struct iopf_dev *idev,
			       const struct iopf_key *key);
struct iopf_grp *iopf_grp_next(struct iopf_grp *grp);
bool iopf_grp_room(struct iopf_dev *idev, bool whole);
void iopf_grp_remove(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_grp_reject(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_grp_add_partial(struct iopf_dev *idev, struct iopf_grp *grp,
			  const struct iommu_fault *fault);
void iopf_grp_complete(struct iopf_dev *idev, struct iopf_grp *grp,
		       const struct iommu_fault *fault);

/* Is the group its PASID's workers' to handle? Then they own it until it is claimed. */
static inline bool iopf_grp_is_faulting(const struct iopf_grp *grp)
{
	return grp->owner == IOPF_OWNER_QUEUED ||
	       grp->owner == IOPF_OWNER_WORKER;
}

/* Also without the lock: whoever sees it late does a page too many. */
static inline bool iopf_grp_is_claimed(const struct iopf_grp *grp)
{
	return READ_ONCE(grp->owner) == IOPF_OWNER_CLAIMED;
}

/* Hand @grp to another owner. A debug kernel checks that it may go there. */
static inline void iopf_grp_set_owner(struct iopf_dev *idev,
				      struct iopf_grp *grp,
				      enum iopf_owner owner)
{
	lockdep_assert_held(&idev->lock);
	if (IS_ENABLED(CONFIG_IOPF_QUEUE_DEBUG))
		iopf_grp_check_owner(grp, owner);
	if (owner == IOPF_OWNER_HANDLER)
		idev->nr_handled++;
	else if (unlikely(grp->owner == IOPF_OWNER_HANDLER))
		idev->nr_handled--;
	/* Pairs with READ_ONCE() in iopf_grp_is_claimed(). */
	WRITE_ONCE(grp->owner, owner);
}

/* One request more for @grp, which has a slot for it. */
static inline void iopf_grp_append(struct iopf_dev *idev, struct iopf_grp *grp,
				   const struct iommu_fault *fault)
{
	struct iopf_fault *request = grp->slot++;

	lockdep_assert_held(&idev->lock);
	grp->nr_slots--;
	request->fault = *fault;
	list_add_tail(&request->list, &grp->pub.faults);
	grp->pub.fault_count++;
	idev->nr_partial++;
}

#endif /* __IOPF_GROUP_H */
