/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: what it offers beyond <linux/iommu.h>
 *
 * Drivers that know only <linux/iommu.h> work unchanged. Those that include
 * this header can flush one PASID instead of a whole device and translate
 * response codes for the wire. Others can have a device's faults shown to them
 * before anybody else sees them, and answer them: see
 * iommu_register_device_fault_handler().
 */
#ifndef __LINUX_IOPF_H
#define __LINUX_IOPF_H

#include <linux/bits.h>
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
 * struct iopf_limits - what the library holds for a device
 * @groups: page request groups, from their first request until their last holder has
 *	dropped them: the library, a worker whose fault sleeps, the handler of a domain
 * @requests: requests in these groups, beside the last one of each
 * @unfinished: of both, those that wait for the last request of their group
 * @pasids: PASIDs at the same time
 * @grpid_bits: width of the device's page request group index, 1 to 32; wider
 *	ones are malformed
 *
 * 0 means the default. For a PCI device that is 4096, or twice what PRI has granted it if
 * that is more, and half of it for @unfinished, so that no request that PRI allows meets
 * a limit. Other devices stall, and each request is the last one of its group: 65536, and
 * 4096 for @unfinished. Indices are not checked. %UINT_MAX means no limit.
 */
struct iopf_limits {
	unsigned int groups;
	unsigned int requests;
	unsigned int unfinished;
	unsigned int pasids;
	unsigned int grpid_bits;
};

/**
 * struct iopf_request - a page request, with what travels beside it
 * @fault: the page request
 * @flags: IOPF_REQUEST_* values
 * @private_data: what the device wants back with the response, if @flags says that
 *	there is something
 *
 * &struct iommu_fault is shown to user space by iommufd as it is, so it has no room
 * for what only the driver understands.
 *
 * A request with private data or of a stream that is not the last one of its group
 * is answered all the same, by itself and exactly once, with its own code; it is no
 * part of the group that has its index. This is what VT-d 3.x asks for with private
 * data (7.6) and VT-d 2.x with streaming requests. On a last request these flags change
 * nothing but what comes back with the response.
 */
struct iopf_request {
	struct iommu_fault fault;
	u32 flags;
/* private_data goes back with the response */
#define IOPF_REQUEST_PRIVATE_DATA	BIT(0)
/* the device waits for this one, not for its group */
#define IOPF_REQUEST_STREAMING		BIT(1)
/* not to be handled: its whole group is answered with Invalid Request */
#define IOPF_REQUEST_REFUSED		BIT(2)
	u64 private_data[2];
};

/**
 * struct iopf_response - one response of several
 * @fault: the request that is answered: the last one of its group, as a rule
 * @msg: the response
 * @flags: the request's
 * @private_data: the request's
 */
struct iopf_response {
	struct iommu_fault fault;
	struct iommu_page_response msg;
	u32 flags;
	u64 private_data[2];
};

/* Pages that a device can be ahead of, at most. */
#define IOPF_MAX_PREFAULT	512U

/* Responses that page_responses gets at once, at most. */
#define IOPF_MAX_RESPONSES	16

/**
 * struct iopf_queue_ops - what the driver of a queue can do better
 * @page_responses: send @count answers, %IOPF_MAX_RESPONSES at most, to groups
 *	of @dev. Called instead of &iommu_ops.page_response, under the same rules
 */
struct iopf_queue_ops {
	void (*page_responses)(struct device *dev,
			       const struct iopf_response *responses,
			       unsigned int count);
};

/* Type of a fault, beside those of &enum iommu_fault_type: nothing can be done. */
#define IOMMU_FAULT_DMA_UNRECOV		2

/**
 * enum iommu_fault_reason - why a translation failed for good
 * @IOMMU_FAULT_REASON_UNKNOWN: the IOMMU does not tell
 * @IOMMU_FAULT_REASON_PASID_FETCH: reading the PASID table entry failed
 * @IOMMU_FAULT_REASON_BAD_PASID_ENTRY: the PASID table entry is invalid
 * @IOMMU_FAULT_REASON_PASID_INVALID: the PASID is out of range or not attached
 * @IOMMU_FAULT_REASON_WALK_EABT: external abort while walking the page tables
 * @IOMMU_FAULT_REASON_PTE_FETCH: a page table entry is missing
 * @IOMMU_FAULT_REASON_PERMISSION: the page does not allow the access
 * @IOMMU_FAULT_REASON_ACCESS: the page's access flag is not set
 * @IOMMU_FAULT_REASON_OOR_ADDRESS: the address is beyond the page tables
 */
enum iommu_fault_reason {
	IOMMU_FAULT_REASON_UNKNOWN = 0,
	IOMMU_FAULT_REASON_PASID_FETCH,
	IOMMU_FAULT_REASON_BAD_PASID_ENTRY,
	IOMMU_FAULT_REASON_PASID_INVALID,
	IOMMU_FAULT_REASON_WALK_EABT,
	IOMMU_FAULT_REASON_PTE_FETCH,
	IOMMU_FAULT_REASON_PERMISSION,
	IOMMU_FAULT_REASON_ACCESS,
	IOMMU_FAULT_REASON_OOR_ADDRESS,
};

/**
 * struct iommu_fault_unrecoverable - a fault that nobody can help with
 * @reason: &enum iommu_fault_reason
 * @flags: which of the following are valid, IOMMU_FAULT_UNRECOV_* values
 * @pasid: PASID of the access
 * @perm: the access, IOMMU_FAULT_PERM_* values
 * @addr: where it went
 * @fetch_addr: where reading a table failed
 */
struct iommu_fault_unrecoverable {
	u32 reason;
#define IOMMU_FAULT_UNRECOV_PASID_VALID		BIT(0)
#define IOMMU_FAULT_UNRECOV_ADDR_VALID		BIT(1)
#define IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID	BIT(2)
	u32 flags;
	u32 pasid;
	u32 perm;
	u64 addr;
	u64 fetch_addr;
};

/**
 * enum iommu_fault_status - what a fault handler says of a fault
 * @IOMMU_FAULT_STATUS_HANDLED: it is the handler's, who answers later, or has
 *	answered already, if a response is owed
 * @IOMMU_FAULT_STATUS_CONTINUE: let it go on to the domain of its PASID
 *
 * An error says that the fault is refused: if a response is owed, it is Invalid
 * Request.
 */
enum iommu_fault_status {
	IOMMU_FAULT_STATUS_HANDLED = 0,
	IOMMU_FAULT_STATUS_CONTINUE,
};

/**
 * typedef iommu_dev_fault_handler_t - a handler of a device's faults
 * @fault: the fault: %IOMMU_FAULT_PAGE_REQ, or %IOMMU_FAULT_DMA_UNRECOV, of which
 *	iopf_fault_unrecoverable() tells more. Valid until the handler returns
 * @data: what it was registered with
 *
 * Context: The reporter's: process context, under locks of the IOMMU driver. May
 * sleep if the IOMMU driver's reporters may, but keeps later faults of the device
 * waiting. May answer the fault; may not unregister itself.
 * Return: &enum iommu_fault_status or a negative errno.
 */
typedef int (*iommu_dev_fault_handler_t)(struct iommu_fault *fault, void *data);

#ifdef CONFIG_IOPF_QUEUE
int iommu_register_device_fault_handler(struct device *dev,
					iommu_dev_fault_handler_t handler,
					void *data);
int iommu_unregister_device_fault_handler(struct device *dev);
int iommu_page_response(struct device *dev, struct iommu_page_response *msg);
int iommu_page_response_by_cookie(struct device *dev,
				  const struct iommu_page_response *msg,
				  u64 cookie);
bool iommu_page_response_pending(struct device *dev,
				 const struct iommu_page_response *msg,
				 u64 cookie);
int iommu_queue_iopf(struct iommu_fault *fault, void *cookie);
int iommu_report_unrecoverable_fault(struct device *dev,
				     const struct iommu_fault_unrecoverable *fault);

/* What a handler may ask about the fault that it was called with, while it runs. */
u64 iopf_fault_cookie(struct iommu_fault *fault);
const struct iopf_request *iopf_fault_request(struct iommu_fault *fault);
const struct iopf_group *iopf_fault_whole_group(struct iommu_fault *fault);
const struct iommu_fault_unrecoverable *
iopf_fault_unrecoverable(struct iommu_fault *fault);

int iopf_report_requests(struct device *dev,
			 const struct iopf_request *requests,
			 unsigned int count);
int iopf_refuse_request(struct device *dev, const struct iommu_fault *fault);
void iopf_queue_set_ops(struct iopf_queue *queue,
			const struct iopf_queue_ops *ops);
int iopf_device_set_limits(struct device *dev,
			   const struct iopf_limits *limits);
int iopf_queue_flush_pasid(struct device *dev, u32 pasid);
int iopf_queue_reset_dev(struct device *dev);
int iopf_queue_set_timeout(struct iopf_queue *queue, int ms);
int iopf_queue_set_domain_timeout(struct iopf_queue *queue, int ms);
int iopf_queue_set_prefault(struct iopf_queue *queue, unsigned int pages);
int iopf_pasid_set_prefault(struct device *dev, u32 pasid, int pages);

/* Older <linux/iommu.h> lack the declaration; a second one does no harm. */
void iopf_group_dequeue(struct iopf_group *group);
#else
/* The kernel's own queue warns of a device that is on none. */
static inline int iopf_queue_flush_pasid(struct device *dev, u32 pasid)
{
	if (!dev->iommu || !rcu_access_pointer(dev->iommu->fault_param))
		return -ENODEV;
	return iopf_queue_flush_dev(dev);
}
#endif

#endif /* __LINUX_IOPF_H */
