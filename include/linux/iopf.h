/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: what it offers beyond <linux/iommu.h>
 *
 * Drivers that know only <linux/iommu.h> work unchanged. Those that include
 * this header can flush one PASID instead of a whole device and translate
 * response codes for the wire.
 */
#ifndef __LINUX_IOPF_H
#define __LINUX_IOPF_H

#include <linux/iommu.h>
#include <linux/types.h>

/**
 * iopf_pri_response_code() - a response code as PCIe PRI encodes it
 * @code: the response code
 *
 * PCIe 6.0, 10.4.2.1: a PRG Response Message carries 0 (Success), 1 (Invalid
 * Request) or 0xf (Response Failure); all other values are reserved. VT-d's and
 * AMD's response descriptors use the same encoding.
 *
 * Context: Any.
 * Return: the four bits to send; an unknown @code is sent as Invalid Request.
 */
static inline u8 iopf_pri_response_code(enum iommu_page_response_code code)
{
	switch (code) {
	case IOMMU_PAGE_RESP_SUCCESS:
		return 0x0;
	case IOMMU_PAGE_RESP_FAILURE:
		return 0xf;
	case IOMMU_PAGE_RESP_INVALID:
	default:
		return 0x1;
	}
}

/**
 * struct iopf_limits - what the library remembers for a device
 * @partial: requests that wait for the last one of their group
 * @pending: complete groups without an answer
 * @lanes: PASIDs at the same time
 * @grpid_bits: width of the device's page request group index, 1 to 32; wider
 *	ones are malformed
 *
 * 0 means the default: 4096 each, or as many requests and groups as PRI has
 * granted the device if that is more; no limit for groups of a device that is no
 * PCI device, as it stalls and cannot have more than its IOMMU can hold; indices
 * are not checked. %UINT_MAX means no limit.
 */
struct iopf_limits {
	unsigned int partial;
	unsigned int pending;
	unsigned int lanes;
	unsigned int grpid_bits;
};

#ifdef CONFIG_IOPF_QUEUE
int iopf_device_set_limits(struct device *dev,
			   const struct iopf_limits *limits);
int iopf_queue_flush_pasid(struct device *dev, u32 pasid);
int iopf_queue_set_timeout(struct iopf_queue *queue, int ms);

/* Older <linux/iommu.h> lack the declaration; a second one does no harm. */
void iopf_group_dequeue(struct iopf_group *group);
#else
static inline int iopf_queue_flush_pasid(struct device *dev, u32 pasid)
{
	return iopf_queue_flush_dev(dev);
}
#endif

#endif /* __LINUX_IOPF_H */
