/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: page requests, as the kernel has them
 */
#ifndef STUBS_LINUX_IOMMU_H
#define STUBS_LINUX_IOMMU_H

#include <errno.h>

#include <linux/bits.h>
#include <linux/jiffies.h>
#include <linux/types.h>

#define IOMMU_NO_PASID	0

#define IOMMU_FAULT_PERM_READ	BIT(0)
#define IOMMU_FAULT_PERM_WRITE	BIT(1)
#define IOMMU_FAULT_PERM_EXEC	BIT(2)
#define IOMMU_FAULT_PERM_PRIV	BIT(3)

#define IOMMU_FAULT_PAGE_REQ	1

#define IOMMU_FAULT_PAGE_REQUEST_PASID_VALID	BIT(0)
#define IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE	BIT(1)
#define IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID	BIT(2)

struct iommu_fault_page_request {
	u32 flags;
	u32 pasid;
	u32 grpid;
	u32 perm;
	u64 addr;
	u64 private_data[2];
};

struct iommu_fault {
	u32 type;
	struct iommu_fault_page_request prm;
};

enum iommu_page_response_code {
	IOMMU_PAGE_RESP_SUCCESS,
	IOMMU_PAGE_RESP_INVALID,
	IOMMU_PAGE_RESP_FAILURE,
};

struct iommu_page_response {
	u32 pasid;
	u32 grpid;
	u32 code;
};

struct device;
struct iopf_group;
struct iopf_queue;

int iopf_queue_discard_partial(struct iopf_queue *queue);

#endif /* STUBS_LINUX_IOMMU_H */
