// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: registered handlers and their late responses
 */
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "objects.h"

/**
 * DOC: Quarantine
 *
 * iommu_page_response() identifies a group by PASID and index, which do not tell one use
 * of an index from the next. If the library has sent the response of such a group,
 * because of a timeout or a flush, the device may reuse the index, and the handler's late
 * response would be taken for one to the new group. Therefore the pair is quarantined:
 * new groups with it are refused until the late response has come, or for ten times the
 * timeout of groups. Handlers that respond by cookie are not affected.
 *
 * The list is bounded. When it is full, all groups of the handler are refused for that
 * time, because the library cannot tell which pairs are safe.
 */

#define IOPF_QUARANTINE_TIMES	10
/* For groups without a timeout. */
#define IOPF_QUARANTINE_DEFAULT	(100 * HZ)

struct iopf_handler *iopf_handler_alloc(struct device *dev,
					iommu_dev_fault_handler_t fn,
					void *data)
{
	struct iopf_handler *handler;

	handler = kzalloc(sizeof(*handler), GFP_KERNEL);
	if (!handler)
		return NULL;
	handler->dev = get_device(dev);
	handler->handler = fn;
	handler->data = data;
	refcount_set(&handler->users, 1);
	init_completion(&handler->idle);
	spin_lock_init(&handler->lock);
	return handler;
}

/*
 * Reference the registered handler of @fdev. NULL: there is none, or it is being
 * unregistered.
 */
struct iopf_handler *iopf_handler_get(struct iopf_device *fdev)
{
	struct iopf_handler *handler;

	rcu_read_lock();
	/* Pairs with rcu_assign_pointer() where handlers change. */
	handler = rcu_dereference(fdev->handler);
	if (handler && !refcount_inc_not_zero(&handler->users))
		handler = NULL;
	rcu_read_unlock();
	return handler;
}

void iopf_handler_put(struct iopf_handler *handler)
{
	if (handler && refcount_dec_and_test(&handler->users))
		complete(&handler->idle);
}

/* Free a handler that can no longer be found, after the calls in progress. */
void iopf_handler_free(struct iopf_handler *handler)
{
	iopf_handler_put(handler);
	wait_for_completion(&handler->idle);
	put_device(handler->dev);
	kfree_rcu(handler, rcu);
}

static void iopf_drop_expired(struct iopf_handler *handler)
{
	unsigned int i = 0;

	lockdep_assert_held(&handler->lock);
	while (i < handler->nr_overdue) {
		if (time_before(jiffies, handler->overdue[i].until))
			i++;
		else
			handler->overdue[i] =
				handler->overdue[--handler->nr_overdue];
	}
	if (handler->full && time_after_eq(jiffies, handler->full_until))
		handler->full = false;
}

static struct iopf_overdue *iopf_find_overdue(struct iopf_handler *handler,
					      const struct iopf_key *key)
{
	unsigned int i;

	lockdep_assert_held(&handler->lock);
	for (i = 0; i < handler->nr_overdue; i++)
		if (!memcmp(&handler->overdue[i].key, key, sizeof(*key)))
			return &handler->overdue[i];
	return NULL;
}

/*
 * Quarantine the key of @prg, whose handler knows it by PASID and index, and may respond
 * later.
 */
void iopf_quarantine_add(struct iopf_prg *prg)
{
	struct iopf_device *fdev = iopf_prg_device(prg);
	unsigned long time = IOPF_QUARANTINE_TIMES * iopf_timeout(fdev->fq);
	unsigned long until = jiffies + (time ?: IOPF_QUARANTINE_DEFAULT);
	struct iopf_key key = prg->key;
	struct iopf_handler *handler;

	handler = rcu_dereference_protected(fdev->handler,
					    lockdep_is_held(&fdev->lock));
	spin_lock(&handler->lock);
	iopf_drop_expired(handler);
	if (handler->nr_overdue < IOPF_QUARANTINE) {
		key.flags &= ~IOPF_KEY_SINGLE;
		handler->overdue[handler->nr_overdue++] = (struct iopf_overdue){
			.key = key,
			.until = until,
		};
	} else {
		handler->full = true;
		handler->full_until = until;
	}
	spin_unlock(&handler->lock);
}

/* Remove @key if it is quarantined. Return true if it was: the response is the late one. */
bool iopf_quarantine_remove(struct iopf_handler *handler, const struct iopf_key *key)
{
	struct iopf_overdue *overdue;

	spin_lock(&handler->lock);
	iopf_drop_expired(handler);
	overdue = iopf_find_overdue(handler, key);
	if (overdue)
		*overdue = handler->overdue[--handler->nr_overdue];
	spin_unlock(&handler->lock);
	return overdue;
}

/*
 * Remove @key, whose late response will not come: the handler did not keep the group, or
 * responds by cookie.
 */
void iopf_quarantine_cancel(struct iopf_handler *handler, const struct iopf_key *key)
{
	struct iopf_key plain = *key;

	plain.flags &= ~IOPF_KEY_SINGLE;
	iopf_quarantine_remove(handler, &plain);
}

bool iopf_is_quarantined(struct iopf_handler *handler,
			 const struct iopf_key *key)
{
	bool ret;

	spin_lock(&handler->lock);
	iopf_drop_expired(handler);
	ret = handler->full || iopf_find_overdue(handler, key);
	spin_unlock(&handler->lock);
	return ret;
}
