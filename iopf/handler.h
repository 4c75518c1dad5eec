/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: registered handlers
 *
 *	handler.c     who has registered
 *	ask.c         asks them, and lets what they do not want go on
 *	reply.c       their answers
 *	quarantine.c  and which of these may be late
 */
#ifndef __IOPF_HANDLER_H
#define __IOPF_HANDLER_H

#include <linux/completion.h>
#include <linux/jump_label.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include "iopf.h"

/* Answers that a handler may be late with, see quarantine.c. */
#define IOPF_QUARANTINE		256

/**
 * struct iopf_overdue - an answer that may still come, to a group that has one
 * @key: the group
 * @until: jiffies until when it is expected
 */
struct iopf_overdue {
	struct iopf_key key;
	unsigned long until;
};

/**
 * struct iopf_handler - who has registered for a device's faults
 * @node: in the list of all of them: RCU, changed under iopf_handlers_lock
 * @dev: the device, referenced
 * @handler: whom to call
 * @data: with what
 * @users: see References above
 * @idle: completed when the last user is gone
 * @rcu: frees it
 * @lock: guards all that follows
 * @nr_overdue: entries in @overdue
 * @full: an answer is expected that found no room: until @full_until none by
 *	PASID and index can be trusted
 * @full_until: see there, in jiffies
 * @overdue: in no order
 */
struct iopf_handler {
	struct list_head node;
	struct device *dev;
	iommu_dev_fault_handler_t handler;
	void *data;
	refcount_t users;
	struct completion idle;
	struct rcu_head rcu;

	spinlock_t lock; /* all that follows */
	unsigned int nr_overdue;
	bool full;
	unsigned long full_until;
	struct iopf_overdue overdue[IOPF_QUARANTINE];
};

/* handler.c */
DECLARE_STATIC_KEY_FALSE(iopf_handlers_exist);
extern struct mutex iopf_handlers_lock;

bool iopf_is_home(struct iopf_queue *queue);
struct iopf_handler *iopf_handler_of(struct device *dev);
struct iopf_handler *iopf_handler_get(struct iopf_dev *idev);
void iopf_handler_put(struct iopf_handler *handler);
int iopf_go_home(struct device *dev);

/* quarantine.c */
void iopf_expect_late(struct iopf_grp *grp);
void iopf_expect_none(struct iopf_handler *handler, const struct iopf_key *key);
bool iopf_is_quarantined(struct iopf_handler *handler,
			 const struct iopf_key *key);
bool iopf_late_answer(struct iopf_handler *handler, const struct iopf_key *key);

/**
 * struct iopf_event - a fault as a registered handler gets it: @request.fault
 * @request: the fault, and what travels beside it
 * @grp: the group that is owed an answer, NULL if none is owed
 * @unrecoverable: what it is if it is no page request
 */
struct iopf_event {
	struct iopf_request request;
	struct iopf_grp *grp;
	const struct iommu_fault_unrecoverable *unrecoverable;
};

/* ask.c */
int iopf_admit(struct iopf_dev *idev, struct iopf_handler *handler,
	       const struct iopf_request *request);
int iopf_ask(struct iopf_dev *idev, struct device *dev,
	     struct iopf_handler *handler, const struct iopf_request *request,
	     struct iopf_grp *grp);

/* Has a handler registered for the device? Under RCU; it may leave meanwhile. */
static inline bool iopf_has_handler(struct iopf_dev *idev)
{
	return static_branch_unlikely(&iopf_handlers_exist) &&
	       rcu_access_pointer(idev->handler);
}

#endif /* __IOPF_HANDLER_H */
