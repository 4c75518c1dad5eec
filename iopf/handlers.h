/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: registered handlers
 *
 * handler.c calls them, and handler_response.c takes their responses. They are registered
 * in attach.c, and quarantine.c has their late responses.
 */
#ifndef __IOPF_HANDLERS_H
#define __IOPF_HANDLERS_H

#include <linux/jump_label.h>

#include "path.h"

/**
 * struct iopf_event - a fault for a registered handler, which is called with @request.fault
 * @request: the fault, with its flags and private data
 * @prg: the group that a response is owed to, or NULL
 * @handler: the handler that is called, which the caller has a reference to
 * @unrecoverable: the fault if it is no page request, or NULL
 */
struct iopf_event {
	struct iopf_request request;
	struct iopf_prg *prg;
	struct iopf_handler *handler;
	const struct iommu_fault_unrecoverable *unrecoverable;
};

/* handler.c */
DECLARE_STATIC_KEY_FALSE(iopf_handlers_exist);

int iopf_admit(struct iopf_device *fdev, struct iopf_handler *handler,
	       const struct iopf_request *request);
int iopf_call_handler(struct iopf_device *fdev, struct device *dev,
		      struct iopf_handler *handler, const struct iopf_request *request,
		      struct iopf_prg *prg);

/*
 * Return true if a handler is registered for the device. Under RCU; it may be
 * unregistered meanwhile.
 */
static inline bool iopf_has_handler(struct iopf_device *fdev)
{
	return static_branch_unlikely(&iopf_handlers_exist) &&
	       rcu_access_pointer(fdev->handler);
}

#endif /* __IOPF_HANDLERS_H */
