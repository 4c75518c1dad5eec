/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: private structures
 *
 * A page request walks the files in this order:
 *
 *	report.c    the way in: asks a registered handler, if there is one
 *	assemble.c  checks it (request.h), joins it to its group, which group.c makes and
 *	            table.h finds, and gives complete groups to their next owner
 *	domain.c    finds the address space of its PASID, or the domain's handler
 *	lane.c      queues a complete group of an SVA domain on its PASID's lane
 *	worker.c    takes groups from lanes, on a workqueue; pool.c has the workers
 *	fault.c     asks the mm for the pages, with the limits and the policy of their
 *	            owner (owner.c), prefault.c for those that may follow
 *	respond.c   sends the one answer of the group
 *
 * Who owns a group meanwhile is &enum iopf_owner. Registered handlers are asked by
 * ask.c, and answer by reply.c; handler.c knows who has registered, and quarantine.c
 * which answers of theirs may be late. queue.c and device.c make and remove what these
 * work on, memory.c has the memory of groups, limits.c says how many there may be.
 * sleeper.c knows which workers are asleep, and look.c sees to it that others come.
 * flush.c ends groups before their time and deadline.c those whose time is over.
 * stats.c and account.c count, debugfs.c shows.
 *
 * Locks
 * =====
 *
 *	iopf_handlers_lock (mutex)	who has registered; coming and going of
 *					devices
 *	  iopf_queue.lock (mutex)	the queue's list of devices
 *	    dev_iommu.lock (mutex)	dev->iommu->fault_param
 *	      iopf_dev.lock (spinlock)	everything else that can change
 *	        iopf_handler.lock (spinlock)	the handler's quarantine
 *	        iopf_pool.lock (spinlock)	workers that no device uses
 *
 * taken in this order. iopf_dev.lock nests inside any lock of the callers, of
 * the kernel only the locks of xarray (the PASIDs of the device's group, too), slab,
 * mempool, workqueue, timers, wait queue and scheduler nest inside it. No lock of the
 * library is held when it calls iommu_ops.page_response, an iopf_handler or the mm. A
 * worker may take iopf_dev.lock with a VMA read-locked, but lets go of the VMA before
 * it sends an answer. Workers never take
 * iommu_sva_lock, which unbinding holds while it waits for flush.c.
 *
 * References
 * ==========
 *
 *	iopf_grp    one from the library until the group is answered, one from
 *	            its holder: the lane or worker, the domain's handler, or the
 *	            reporter that delivers it or asks. A
 *	            registered handler holds none: he knows only key and cookie
 *	iopf_dev    one from the queue, one per group, one per worker that it uses, one
 *	            per flush, one from its watch, one from its look, one while it is
 *	            in iopf_pool.starved
 *	iopf_q      one from the driver, one per device
 *	iopf_handler  one from its registration, one per call under way
 *	iopf_lane   none: lives as long as its iopf_dev unless it is idle, that
 *	            is, has no group, no worker, no answer on the way and
 *	            no prefault setting of its own
 */
#ifndef __IOPF_H
#define __IOPF_H

#include "group.h"
#include "lane.h"
#include "mm.h"
#include "queue.h"
#include "request.h"
#include "stats.h"
#include "table.h"
#include "worker.h"

/* domain.c */
void iopf_warn_refused(struct device *dev, u32 pasid, u32 grpid);
struct mm_struct *iopf_find_mm(struct iopf_lane *lane, struct device *dev,
			       const struct iommu_fault *fault);
bool iopf_pasid_is_unbound(struct device *dev, u32 pasid);
int iopf_deliver(struct device *dev, struct iopf_grp *grp);

/* assemble.c */
/**
 * struct iopf_taken - what is to be done, without the lock, for requests taken in
 * @worker: to be queued, or NULL
 * @grp: a complete group that a handler is to be called with, or NULL; with the
 *	reference of its holder
 * @asked: a registered handler, not that of the domain
 * @claimed: groups to be answered, for iopf_send()
 */
struct iopf_taken {
	struct iopf_worker *worker;
	struct iopf_grp *grp;
	bool asked;
	struct list_head claimed;
};

#define IOPF_TAKEN_INIT(name)	{ .claimed = LIST_HEAD_INIT((name).claimed) }

static inline bool iopf_taken_is_empty(const struct iopf_taken *taken)
{
	return !taken->worker && !taken->grp && list_empty(&taken->claimed);
}

int iopf_route(struct iopf_dev *idev, struct iopf_grp *grp,
	       struct iopf_handler *handler, struct iopf_taken *taken);
int iopf_take(struct iopf_dev *idev, struct device *dev,
	      const struct iopf_request *request, struct iopf_handler *handler,
	      struct iopf_taken *taken);
unsigned int iopf_take_run(struct iopf_dev *idev, struct device *dev,
			   const struct iopf_request *requests,
			   unsigned int count, int *ret,
			   struct iopf_taken *taken);
int iopf_end_take(struct device *dev, int ret, struct iopf_taken *taken);

/* respond.c */
void iopf_send_response(struct iopf_dev *idev, struct device *dev,
			const struct iopf_response *response);
void iopf_send_invalid(struct iopf_dev *idev, struct device *dev,
		       const struct iopf_request *request);
bool iopf_claim(struct iopf_dev *idev, struct iopf_grp *grp, int code,
		struct list_head *claimed);
void iopf_forget_partial(struct iopf_lane *lane, struct list_head *claimed);
void iopf_send(struct list_head *claimed);
void iopf_answer(struct iopf_grp *grp, enum iommu_page_response_code code);

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void iopf_debugfs_add_queue(struct iopf_q *q, const char *name);
void iopf_debugfs_remove_queue(struct iopf_q *q);
void iopf_debugfs_add_device(struct iopf_dev *idev);
void iopf_debugfs_remove_device(struct iopf_dev *idev);
#else
static inline void iopf_debugfs_add_queue(struct iopf_q *q, const char *name)
{
}

static inline void iopf_debugfs_remove_queue(struct iopf_q *q)
{
}

static inline void iopf_debugfs_add_device(struct iopf_dev *idev)
{
}

static inline void iopf_debugfs_remove_device(struct iopf_dev *idev)
{
}
#endif

/* deadline.c */
extern struct workqueue_struct *iopf_watch_wq;

void iopf_watch_init(struct iopf_dev *idev);
void iopf_watch(struct iopf_dev *idev);
unsigned long iopf_timeout(struct iopf_dev *idev);
void iopf_watch_stop(struct iopf_dev *idev);

/* flush.c */
void iopf_flush_queued(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_flush_claimed(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_flush_answered(struct iopf_dev *idev, struct iopf_grp *grp);
void iopf_forget_claimed(struct list_head *claimed);
void iopf_claim_all(struct iopf_lane *lane, struct list_head *claimed);
void iopf_claim_early(struct iopf_grp *grp, int code,
		      struct list_head *claimed);
void iopf_wait_answers(struct iopf_dev *idev);

#endif /* __IOPF_H */
