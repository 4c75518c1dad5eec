/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: registered handlers
 *
 *	handler.c           asks them, and lets what they do not want go on
 *	handler_response.c  their responses
 *
 * attach.c knows who has registered, and quarantine.c which answers may be late.
 */
#ifndef __IOPF_HANDLERS_H
#define __IOPF_HANDLERS_H

#include <linux/jump_label.h>

#include "path.h"

/**
 * struct iopf_event - a fault as a registered handler gets it: @request.fault
 * @request: the fault, and what travels beside it
 * @prg: the group that is owed a response, NULL if none is owed
 * @unrecoverable: what it is if it is no page request
 */
struct iopf_event {
	struct iopf_request request;
	struct iopf_prg *prg;
	const struct iommu_fault_unrecoverable *unrecoverable;
};

/* handler.c */
DECLARE_STATIC_KEY_FALSE(iopf_handlers_exist);

int iopf_admit(struct iopf_device *fdev, struct iopf_handler *handler,
	       const struct iopf_request *request);
int iopf_call_handler(struct iopf_device *fdev, struct device *dev,
		      struct iopf_handler *handler, const struct iopf_request *request,
		      struct iopf_prg *prg);

/* Has a handler registered for the device? Under RCU; it may leave meanwhile. */
static inline bool iopf_has_handler(struct iopf_device *fdev)
{
	return static_branch_unlikely(&iopf_handlers_exist) &&
	       rcu_access_pointer(fdev->handler);
}

#endif /* __IOPF_HANDLERS_H */
