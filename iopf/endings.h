/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: groups that end before their time
 *
 * cancel.c takes groups away from their owners. flush.c ends groups of a PASID or a
 * device for drivers, and timeout.c those that reach their timeout.
 */
#ifndef __IOPF_ENDINGS_H
#define __IOPF_ENDINGS_H

#include "path.h"

/* cancel.c */
void iopf_cancel(struct iopf_prg *prg, int code,
		 struct list_head *claimed);
void iopf_cancel_retry(struct iopf_pasid_queue *pq, u64 seq,
		       struct list_head *claimed);
void iopf_cancel_pq(struct iopf_pasid_queue *pq, int code,
		    struct list_head *claimed);
void iopf_cancel_all(struct iopf_pasid_queue *pq, struct list_head *claimed);
void iopf_drop_responses(struct list_head *claimed);
void iopf_pq_interrupt_orphans(struct iopf_pasid_queue *pq, struct list_head *claimed);

/* timeout.c */
void iopf_timeout_init(struct iopf_device *fdev);
void iopf_timeout_stop(struct iopf_device *fdev);

#endif /* __IOPF_ENDINGS_H */
