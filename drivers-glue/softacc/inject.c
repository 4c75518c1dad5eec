// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: requests that user space injects
 *
 * Injected requests go into the ring as they are, valid or not, and their responses are
 * kept until the file that has sent them reads them. For tests of requests that the
 * engine does not send.
 */
#include <linux/capability.h>
#include <linux/hash.h>
#include <linux/ktime.h>
#include <linux/slab.h>

#include "core.h"

/**
 * struct softacc_injected - an injected group
 * @hash: in softacc_dev.injected
 * @node: in softacc_queue.injected or, with a response, in softacc_queue.responses
 * @queue: the file that has sent it, NULL if that is closed
 * @pasid_valid: sent with a PASID
 * @posted: when it was sent, ktime_get_ns()
 * @response: PASID and index, and the response if its count is not 0
 *
 * All fields are guarded by softacc_dev.lock.
 */
struct softacc_injected {
	struct hlist_node hash;
	struct list_head node;
	struct softacc_queue *queue;
	bool pasid_valid;
	u64 posted;
	struct softacc_response response;
};

static u64 softacc_injected_key(u32 pasid, u32 grpid)
{
	return (u64)pasid << 32 | grpid;
}

static struct softacc_injected *softacc_find_injected(struct softacc_dev *sdev,
						      bool pasid_valid, u32 pasid,
					     u32 grpid, bool responded)
{
	struct softacc_injected *injected;

	lockdep_assert_held(&sdev->lock);
	hash_for_each_possible(sdev->injected, injected, hash,
			       softacc_injected_key(pasid, grpid))
		if (injected->pasid_valid == pasid_valid &&
		    injected->response.pasid == pasid &&
		    injected->response.grpid == grpid &&
		    !!injected->response.count == responded)
			return injected;
	return NULL;
}

static void softacc_free_injected(struct softacc_dev *sdev,
				  struct softacc_injected *injected)
{
	if (!injected->response.count)
		sdev->stats.outstanding--;
	hash_del(&injected->hash);
	if (injected->queue) {
		list_del(&injected->node);
		injected->queue->nr_injected--;
	}
	kfree(injected);
}

/*
 * Record a response to an injected group, a second one with the first. Return false if
 * there is no such group.
 */
bool softacc_respond_to_injected(struct softacc_dev *sdev, bool pasid_valid,
				 u32 pasid, u32 grpid, u32 code)
{
	struct softacc_injected *injected;

	injected = softacc_find_injected(sdev, pasid_valid, pasid, grpid, false);
	if (!injected) {
		injected = softacc_find_injected(sdev, pasid_valid, pasid, grpid, true);
		if (!injected)
			return false;
		injected->response.count++;
		sdev->stats.spurious++;
		sdev->stats.duplicate++;
		return true;
	}
	injected->response.code = code;
	injected->response.count = 1;
	injected->response.ns = ktime_get_ns() - injected->posted;
	sdev->stats.groups++;
	sdev->stats.outstanding--;
	sdev->stats.responses[min(code, 2U)]++;
	if (injected->queue) {
		list_move_tail(&injected->node, &injected->queue->responses);
		wake_up_interruptible(&injected->queue->uq->wait);
	} else {
		softacc_free_injected(sdev, injected);
	}
	return true;
}

/* Free the injected groups of @pasid without a response: none comes any more. */
void softacc_forget_injected(struct softacc_dev *sdev, u32 pasid)
{
	struct softacc_injected *injected;
	struct hlist_node *next;
	int bucket;

	lockdep_assert_held(&sdev->lock);
	hash_for_each_safe(sdev->injected, bucket, next, injected, hash)
		if (injected->pasid_valid && injected->response.pasid == pasid &&
		    !injected->response.count) {
			sdev->stats.forgotten++;
			softacc_free_injected(sdev, injected);
		}
}

/* Detach the groups of a file that is being closed. Those without a response wait for it. */
void softacc_cancel_injected(struct softacc_queue *queue)
{
	struct softacc_dev *sdev = queue->dev;
	struct softacc_injected *injected;
	struct softacc_injected *next;

	lockdep_assert_held(&sdev->lock);
	list_for_each_entry_safe(injected, next, &queue->responses, node)
		softacc_free_injected(sdev, injected);
	list_for_each_entry_safe(injected, next, &queue->injected, node) {
		list_del(&injected->node);
		injected->queue = NULL;
	}
}

/* Free all injected groups of a device that is being removed. */
void softacc_free_all_injected(struct softacc_dev *sdev)
{
	struct softacc_injected *injected;
	struct hlist_node *next;
	int bucket;

	hash_for_each_safe(sdev->injected, bucket, next, injected, hash)
		softacc_free_injected(sdev, injected);
}

/*
 * Let the device wait for the response to the last request of a group. Return -EEXIST if
 * it waits for one with this index already: tests inject such requests on purpose, and
 * one response is due for both.
 */
static int softacc_track_injected(struct softacc_queue *queue,
				  const struct softacc_prq *prq)
{
	bool pasid_valid = prq->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	struct softacc_dev *sdev = queue->dev;
	struct softacc_injected *injected;
	int ret = 0;

	injected = kzalloc(sizeof(*injected), GFP_KERNEL_ACCOUNT);
	if (!injected)
		return -ENOMEM;
	injected->queue = queue;
	injected->pasid_valid = pasid_valid;
	injected->posted = ktime_get_ns();
	injected->response.pasid = prq->pasid;
	injected->response.grpid = prq->grpid;

	spin_lock_irq(&sdev->lock);
	if (queue->nr_injected >= SOFTACC_MAX_INJECTED)
		ret = -EAGAIN;
	else if (softacc_find_injected(sdev, pasid_valid, prq->pasid, prq->grpid, false))
		ret = -EEXIST;
	if (!ret) {
		hash_add(sdev->injected, &injected->hash,
			 softacc_injected_key(prq->pasid, prq->grpid));
		list_add_tail(&injected->node, &queue->injected);
		queue->nr_injected++;
		sdev->stats.outstanding++;
	}
	spin_unlock_irq(&sdev->lock);
	if (ret)
		kfree(injected);
	return ret;
}

/*
 * Undo softacc_track_injected() for a request that was not sent. The group may be gone: its
 * PASID was detached meanwhile, or a wrong response has come.
 */
static void softacc_untrack_injected(struct softacc_queue *queue,
				     const struct softacc_prq *prq)
{
	struct softacc_dev *sdev = queue->dev;
	struct softacc_injected *injected;

	spin_lock_irq(&sdev->lock);
	injected = softacc_find_injected(sdev, prq->flags &
				IOMMU_FAULT_PAGE_REQUEST_PASID_VALID,
				prq->pasid, prq->grpid, false);
	if (injected && injected->queue == queue)
		softacc_free_injected(sdev, injected);
	spin_unlock_irq(&sdev->lock);
}

int softacc_inject(struct softacc_queue *queue,
		   const struct softacc_inject *request)
{
	struct softacc_dev *sdev = queue->dev;
	bool expected = false;
	struct softacc_prq prq = {
		.dev = sdev,
		.addr = request->addr,
		.pasid = queue->pasid,
		.grpid = request->grpid,
		.perm = request->perm,
	};
	int ret;

	if (request->flags & ~(SOFTACC_INJECT_LAST | SOFTACC_INJECT_NO_PASID |
			       SOFTACC_INJECT_OTHER_PASID |
			       SOFTACC_INJECT_MORE) || request->reserved)
		return -EINVAL;
	if (sdev->port->injected &&
	    request->grpid - SOFTACC_INJECT_GRPID >= sdev->port->injected)
		return -EINVAL;
	if (request->flags & SOFTACC_INJECT_OTHER_PASID) {
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		prq.pasid = request->pasid;
	} else if (request->pasid) {
		return -EINVAL;
	}
	if (!(request->flags & SOFTACC_INJECT_NO_PASID))
		prq.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
			    IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID;
	else
		prq.pasid = 0;
	if (request->flags & SOFTACC_INJECT_LAST)
		prq.flags |= IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	if (softacc_is_owed(&prq)) {
		ret = softacc_track_injected(queue, &prq);
		if (ret && ret != -EEXIST)
			return ret;
		expected = !ret;
	}
	switch (sdev->port->post(&prq, 1)) {
	case SOFTACC_SENT:
		break;
	case SOFTACC_DROPPED:
		softacc_respond_to_dropped(&prq);
		break;
	case SOFTACC_NO_ROOM:
		if (expected)
			softacc_untrack_injected(queue, &prq);
		/* The ring may be full of requests for which no interrupt was sent. */
		sdev->port->interrupt();
		return -EAGAIN;
	}
	if (!(request->flags & SOFTACC_INJECT_MORE))
		sdev->port->interrupt();
	spin_lock_irq(&sdev->lock);
	sdev->stats.requests++;
	spin_unlock_irq(&sdev->lock);
	return 0;
}

int softacc_reap_response(struct softacc_queue *queue,
			  struct softacc_response *response)
{
	struct softacc_dev *sdev = queue->dev;
	struct softacc_injected *injected;

	spin_lock_irq(&sdev->lock);
	injected = list_first_entry_or_null(&queue->responses,
					    struct softacc_injected, node);
	if (injected) {
		*response = injected->response;
		softacc_free_injected(sdev, injected);
	}
	spin_unlock_irq(&sdev->lock);
	return injected ? 0 : -EAGAIN;
}
