// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: requests that user space makes up
 *
 * They go into the ring as they are, whether they make sense or not, and their
 * answers are kept for the one who sent them. For tests of what no real engine
 * would send.
 */
#include <linux/capability.h>
#include <linux/slab.h>

#include "core.h"

/**
 * struct softacc_injected - a group that was injected
 * @node: in softacc_dev.injected
 * @queue: who sent it, NULL if he is gone
 * @pasid_valid: sent with a PASID
 * @answer: the key, and the answer; no answer yet if its count is 0
 */
struct softacc_injected {
	struct list_head node;
	struct softacc_queue *queue;
	bool pasid_valid;
	struct softacc_response answer;
};

static struct softacc_injected *softacc_find(struct softacc_dev *sdev,
					     bool pasid_valid, u32 pasid,
					     u32 grpid, bool answered)
{
	struct softacc_injected *injected;

	lockdep_assert_held(&sdev->lock);
	list_for_each_entry(injected, &sdev->injected, node)
		if (injected->pasid_valid == pasid_valid &&
		    injected->answer.pasid == pasid &&
		    injected->answer.grpid == grpid &&
		    !!injected->answer.count == answered)
			return injected;
	return NULL;
}

static void softacc_free_injected(struct softacc_injected *injected)
{
	list_del(&injected->node);
	kfree(injected);
}

/* A second answer goes on the account of the first one. */
bool softacc_answer_injected(struct softacc_dev *sdev, bool pasid_valid,
			     u32 pasid, u32 grpid, u32 code)
{
	struct softacc_injected *injected;

	injected = softacc_find(sdev, pasid_valid, pasid, grpid, false);
	if (!injected)
		injected = softacc_find(sdev, pasid_valid, pasid, grpid, true);
	if (!injected)
		return false;
	injected->answer.code = code;
	injected->answer.count++;
	sdev->stats.responses[min(code, 2U)]++;
	if (!injected->queue)
		softacc_free_injected(injected);
	return true;
}

void softacc_forget_injected(struct softacc_dev *sdev, u32 pasid)
{
	struct softacc_injected *injected;
	struct softacc_injected *next;

	list_for_each_entry_safe(injected, next, &sdev->injected, node)
		if (injected->pasid_valid && injected->answer.pasid == pasid &&
		    !injected->answer.count)
			softacc_free_injected(injected);
}

/* The sender goes away: unanswered groups stay until they are answered. */
void softacc_disown_injected(struct softacc_queue *queue)
{
	struct softacc_injected *injected;
	struct softacc_injected *next;

	lockdep_assert_held(&queue->dev->lock);
	list_for_each_entry_safe(injected, next, &queue->dev->injected, node) {
		if (injected->queue != queue)
			continue;
		injected->queue = NULL;
		if (injected->answer.count)
			softacc_free_injected(injected);
	}
}

int softacc_inject(struct softacc_queue *queue,
		   const struct softacc_inject *request)
{
	bool pasid_valid = !(request->flags & SOFTACC_INJECT_NO_PASID);
	struct softacc_dev *sdev = queue->dev;
	struct softacc_injected *injected;
	struct softacc_prq prq = {
		.dev = sdev,
		.addr = request->addr,
		.pasid = queue->pasid,
		.grpid = request->grpid,
		.perm = request->perm,
	};

	if (request->flags & ~(SOFTACC_INJECT_LAST | SOFTACC_INJECT_NO_PASID |
			       SOFTACC_INJECT_OTHER_PASID) || request->reserved)
		return -EINVAL;
	if (request->flags & SOFTACC_INJECT_OTHER_PASID) {
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		prq.pasid = request->pasid;
	} else if (request->pasid) {
		return -EINVAL;
	}
	if (pasid_valid)
		prq.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
			    IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID;
	else
		prq.pasid = 0;
	if (request->flags & SOFTACC_INJECT_LAST)
		prq.flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;

	injected = kzalloc(sizeof(*injected), GFP_KERNEL);
	if (!injected)
		return -ENOMEM;
	injected->queue = queue;
	injected->pasid_valid = pasid_valid;
	injected->answer.pasid = prq.pasid;
	injected->answer.grpid = prq.grpid;

	spin_lock_irq(&sdev->lock);
	if (softacc_find(sdev, pasid_valid, prq.pasid, prq.grpid, false))
		kfree(injected);
	else
		list_add_tail(&injected->node, &sdev->injected);
	sdev->stats.requests++;
	spin_unlock_irq(&sdev->lock);

	return softacc_ring_post(&prq, 1) ? 0 : -EAGAIN;
}

int softacc_reap_response(struct softacc_queue *queue,
			  struct softacc_response *response)
{
	struct softacc_dev *sdev = queue->dev;
	struct softacc_injected *injected;
	int ret = -EAGAIN;

	spin_lock_irq(&sdev->lock);
	list_for_each_entry(injected, &sdev->injected, node) {
		if (injected->queue != queue || !injected->answer.count)
			continue;
		*response = injected->answer;
		softacc_free_injected(injected);
		ret = 0;
		break;
	}
	spin_unlock_irq(&sdev->lock);
	return ret;
}
