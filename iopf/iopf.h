/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: private structures
 *
 * A page request walks the files in this order:
 *
 *	report.c    checks it (request.h) and finds out whom its group belongs to
 *	group.c     joins it to its group, which table.h finds
 *	lane.c      queues a complete group of an SVA domain on its PASID's lane
 *	worker.c    takes groups from lanes, on the workqueue
 *	fault.c     asks the mm for the pages, prefault.c for those that may follow
 *	respond.c   sends the one answer of the group
 *
 * One that somebody has registered for, or that has a mark, comes by ask.c after
 * report.c, and its answer by reply.c; handler.c knows who has registered, and
 * quarantine.c which answers of theirs may be late. queue.c and device.c make and
 * remove what these work on, memory.c has the memory of groups, limits.c says how
 * many there may be. flush.c ends groups before their time and deadline.c those
 * whose time is over; refuse.c takes requests that the driver itself refuses.
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
 *
 * taken in this order. iopf_dev.lock nests inside any lock of the callers, of
 * the kernel only the locks of xarray (the PASIDs of the device's group, too), slab,
 * mempool, workqueue, timer, wait queue and scheduler nest inside it. No lock of the
 * library is held when it calls iommu_ops.page_response, an iopf_handler or the mm. A
 * worker may take iopf_dev.lock with a VMA read-locked, but lets go of the VMA before
 * it sends an answer. Workers never take
 * iommu_sva_lock, which unbinding holds while it waits for flush.c.
 *
 * References
 * ==========
 *
 *	iopf_grp    one from the library until the group is answered, one from
 *	            its holder: the lane or worker, or the owner of the handler. A
 *	            registered handler holds none: he knows only key and cookie
 *	iopf_dev    one from the queue, one per group, one per scheduled worker,
 *	            one per flush, one from its watch
 *	iopf_q      one from the driver, one per device
 *	iopf_handler  one from its registration, one per call under way
 *	iopf_lane   none: lives as long as its iopf_dev unless it is idle, that
 *	            is, has no group, no scheduled worker, no answer on the way and
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

/* report.c */
void iopf_stop_pasid(struct iopf_dev *idev, const struct iopf_key *key);
bool iopf_is_too_wide(struct iopf_dev *idev, const struct iommu_fault *fault);
struct iopf_grp *iopf_begin_group(struct iopf_dev *idev, struct device *dev,
				  const struct iopf_key *key,
				  const struct iommu_fault *fault, bool whole);
int iopf_take_request(struct iopf_dev *idev, struct device *dev,
		      const struct iommu_fault *fault, bool refuse,
		      struct iopf_grp **complete);
int iopf_hand_over(struct device *dev, struct iopf_grp *grp);

/* respond.c */
void iopf_send_response(struct iopf_dev *idev, struct device *dev,
			const struct iopf_response *response);
void iopf_send_invalid(struct iopf_dev *idev, struct device *dev,
		       const struct iopf_request *request);
bool iopf_claim(struct iopf_dev *idev, struct iopf_grp *grp, int code,
		struct list_head *claimed);
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
void iopf_watch_init(struct iopf_dev *idev);
void iopf_watch(struct iopf_dev *idev);
unsigned long iopf_timeout(struct iopf_dev *idev);
void iopf_watch_stop(struct iopf_dev *idev);

/* flush.c */
void iopf_claim_partial(struct iopf_lane *lane, int code,
			struct list_head *claimed);
void iopf_take_held(struct iopf_lane *lane, struct list_head *claimed);
void iopf_claim_all(struct iopf_lane *lane, struct list_head *claimed);
void iopf_claim_early(struct iopf_grp *grp, int code,
		      struct list_head *claimed);
void iopf_wait_answers(struct iopf_dev *idev);

#endif /* __IOPF_H */
