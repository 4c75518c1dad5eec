// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: PASID queues
 *
 * A PASID queue holds the groups of one PASID on one device. Workers serve PASID queues
 * in turn, so that one PASID does not delay the others. A PASID queue is allocated when
 * its PASID first sends a request. Idle ones are kept for a while, as a PASID often comes
 * back, but their number is bounded: a guest that chooses its PASIDs could have a
 * million. They are listed in the order in which they became idle once there are many: a
 * list would be changed with each lone group, by its reporter and by its worker.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "objects.h"

/* The queue of requests without a PASID comes after those of all PASIDs. */
static unsigned long iopf_pq_index(const struct iopf_key *key)
{
	return iopf_key_has_pasid(key) ? key->pasid : ULONG_MAX;
}

/* Find a PASID queue that is not the recent one, see iopf_pq_find(). */
struct iopf_pasid_queue *iopf_pq_lookup(struct iopf_device *fdev,
					const struct iopf_key *key)
{
	fdev->recent = xa_load(&fdev->pqs, iopf_pq_index(key));
	return fdev->recent;
}

static void iopf_pq_erase(struct iopf_pasid_queue *pq)
{
	struct iopf_device *fdev = pq->fdev;
	struct iopf_key key = {
		.flags = pq->pasid_valid ? IOPF_KEY_PASID_VALID : 0,
		.pasid = pq->pasid,
	};

	if (fdev->recent == pq)
		fdev->recent = NULL;
	xa_erase(&fdev->pqs, iopf_pq_index(&key));
	iopf_pq_remove_idle(pq);
	list_del(&pq->monitored_node);
	fdev->nr_pqs--;
	kfree(pq);
}

/* Put @pq, which has no users, in its place on the list of idle ones. */
void iopf_pq_add_idle(struct iopf_pasid_queue *pq)
{
	struct iopf_device *fdev = pq->fdev;
	struct iopf_pasid_queue *before;

	list_for_each_entry_reverse(before, &fdev->idle, idle_node)
		if (time_before_eq(before->idle_since, pq->idle_since))
			break;
	list_add(&pq->idle_node, &before->idle_node);
	fdev->nr_idle++;
}

/* Put the idle PASID queues on their list, as there are more than are kept. */
static void iopf_list_idle(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq;
	unsigned long index;

	xa_for_each(&fdev->pqs, index, pq)
		if (!pq->nr_users && list_empty(&pq->idle_node))
			iopf_pq_add_idle(pq);
}

/* Find the PASID queue that has been idle longest. NULL: all are in use. */
static struct iopf_pasid_queue *iopf_pq_find_idle(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *idle = NULL;
	struct iopf_pasid_queue *pq;
	unsigned long index;

	if (iopf_lists_idle(fdev))
		return list_first_entry_or_null(&fdev->idle,
						struct iopf_pasid_queue, idle_node);
	xa_for_each(&fdev->pqs, index, pq)
		if (!pq->nr_users &&
		    (!idle || time_before(pq->idle_since, idle->idle_since)))
			idle = pq;
	return idle;
}

/* Free the PASID queue that has been idle longest. False: all are in use. */
static bool iopf_pq_erase_idle(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq = iopf_pq_find_idle(fdev);

	if (pq)
		iopf_pq_erase(pq);
	return pq;
}

/*
 * Free @pq if it has been idle for IOPF_IDLE_MS, and more are idle than are kept. The
 * delay saves PASIDs that take turns an allocation for each group.
 */
void iopf_pq_expire(struct iopf_pasid_queue *pq)
{
	lockdep_assert_held(&pq->fdev->lock);
	if (!list_empty(&pq->idle_node) && iopf_has_many_pqs(pq->fdev) &&
	    time_after_eq(jiffies, pq->idle_since + msecs_to_jiffies(IOPF_IDLE_MS)))
		iopf_pq_erase(pq);
}

static struct iopf_pasid_queue *iopf_pq_alloc(struct iopf_device *fdev,
					      const struct iopf_key *key)
{
	struct iopf_pasid_queue *pq;

	pq = kzalloc(sizeof(*pq), GFP_NOWAIT | __GFP_NOWARN);
	if (!pq)
		return NULL;
	pq->fdev = fdev;
	pq->pasid_valid = iopf_key_has_pasid(key);
	pq->pasid = key->pasid;
	INIT_LIST_HEAD(&pq->unfinished);
	INIT_LIST_HEAD(&pq->pending);
	INIT_LIST_HEAD(&pq->delivered);
	INIT_LIST_HEAD(&pq->queue);
	INIT_LIST_HEAD(&pq->deferred);
	INIT_LIST_HEAD(&pq->workers);
	INIT_LIST_HEAD(&pq->ready_node);
	INIT_LIST_HEAD(&pq->monitored_node);
	INIT_LIST_HEAD(&pq->idle_node);
	pq->prefault_max = -1;
	return pq;
}

/* Allocate the PASID queue of @key, see iopf_pq_get(). */
struct iopf_pasid_queue *iopf_pq_new(struct iopf_device *fdev,
				     const struct iopf_key *key)
{
	struct iopf_pasid_queue *pq;

	if (fdev->nr_pqs >= fdev->limits.pasids &&
	    !iopf_pq_erase_idle(fdev)) {
		fdev->stats.limited++;
		return NULL;
	}
	/* Bound the idle ones also while they are too young to expire. */
	if (fdev->nr_idle >= IOPF_DEFAULT_LIMIT)
		iopf_pq_erase_idle(fdev);
	pq = iopf_pq_alloc(fdev, key);
	/* Reuse the memory of an idle one. */
	if (!pq && iopf_pq_erase_idle(fdev))
		pq = iopf_pq_alloc(fdev, key);
	if (pq && !xa_insert(&fdev->pqs, iopf_pq_index(key), pq,
			     GFP_NOWAIT | __GFP_NOWARN)) {
		if (fdev->nr_pqs++ == IOPF_IDLE_PQS)
			iopf_list_idle(fdev);
		return pq;
	}
	fdev->stats.nomem++;
	kfree(pq);
	return NULL;
}

/*
 * Set how far to fault in ahead, in pages; negative: as the queue says. A setting of its
 * own counts as a user, so that it is not lost when the PASID queue is idle.
 */
void iopf_pq_set_prefault(struct iopf_pasid_queue *pq, int pages)
{
	bool had = pq->prefault_max >= 0;
	bool has = pages >= 0;

	lockdep_assert_held(&pq->fdev->lock);
	if (has && !had)
		iopf_pq_ref(pq);
	WRITE_ONCE(pq->prefault_max, has ? pages : -1);
	if (had && !has)
		iopf_pq_put(pq);
}

/* Free all PASID queues. The last reference to the device is gone, so they are idle. */
void iopf_pqs_destroy(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq;
	unsigned long index;

	xa_for_each(&fdev->pqs, index, pq)
		kfree(pq);
	xa_destroy(&fdev->pqs);
}
