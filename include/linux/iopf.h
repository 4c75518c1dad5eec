/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: the interface beyond <linux/iommu.h>
 *
 * IOMMU drivers that use only <linux/iommu.h> work unchanged. With this header a driver
 * can flush a single PASID instead of a whole device, report requests in batches and with
 * private data, send responses in batches, and encode response codes for PCIe PRI.
 * Other kernel code can register a handler that sees a device's faults before the domains
 * of its PASIDs do: see iommu_register_device_fault_handler().
 */
#ifndef __LINUX_IOPF_H
#define __LINUX_IOPF_H

#include <linux/bits.h>
#include <linux/iommu.h>
#include <linux/types.h>

/**
 * iopf_pri_response_code() - Encode a response code for PCIe PRI
 * @code: the response code
 *
 * A PRG Response Message (PCIe 6.0, 10.4.2.1) carries 0 (Success), 1 (Invalid Request)
 * or 0xf (Response Failure); all other values are reserved. The response descriptors of
 * VT-d and AMD IOMMUs use the same encoding.
 *
 * Context: Any.
 * Return: the value of the four-bit field, that of Invalid Request for an unknown @code.
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
 * struct iopf_limits - limits of a device, for iopf_device_set_limits()
 * @groups: maximum number of page request groups. A group counts from its first request
 *	until the last reference to it is dropped: by the library, by a worker that sleeps
 *	in its fault, or by the iopf_handler of its domain.
 * @requests: maximum number of requests in these groups, not counting the last request
 *	of each group
 * @unfinished: maximum number of unfinished groups, that is, groups whose last request
 *	has not come, and also the maximum number of requests in them
 * @pasids: maximum number of PASID queues
 * @grpid_bits: width of the device's Page Request Group Index, 1 to 32 bits; a request
 *	with a wider index is malformed
 *
 * A field that is 0 selects the default. %UINT_MAX means no limit.
 *
 * For PCI devices the default is 4096, or twice the PRI allocation of the device if that
 * is more; for @unfinished it is half of it. So no request that PRI allows meets a limit.
 * Other devices stall, and each of their requests is the last one of its group. Their
 * default is 65536, and 4096 for @unfinished. The default of @grpid_bits is 32, with
 * which any index is accepted.
 */
struct iopf_limits {
	unsigned int groups;
	unsigned int requests;
	unsigned int unfinished;
	unsigned int pasids;
	unsigned int grpid_bits;
};

/* Values of iopf_request.flags and iopf_response.flags, see struct iopf_request. */
#define IOPF_REQUEST_PRIVATE_DATA	BIT(0)
#define IOPF_REQUEST_STREAMING		BIT(1)
#define IOPF_REQUEST_REFUSED		BIT(2)

/**
 * struct iopf_request - a page request with flags and private data
 * @fault: the page request
 * @flags: IOPF_REQUEST_* values, or 0
 * @private_data: data that the device wants back with the response; valid if
 *	%IOPF_REQUEST_PRIVATE_DATA is set
 *
 * For iopf_report_requests(). Adds to &struct iommu_fault what only the IOMMU driver and
 * the device understand.
 *
 * %IOPF_REQUEST_PRIVATE_DATA
 *	@private_data is sent back with the response.
 * %IOPF_REQUEST_STREAMING
 *	The device waits for the response to this request, not to its group.
 * %IOPF_REQUEST_REFUSED
 *	The driver refuses the request. It is not handled, and the response to its whole
 *	group is Invalid Request.
 *
 * A request with one of the first two flags that is not the last request of its group is
 * a single request: it gets exactly one response of its own, with its own code, and is no
 * part of the group with its index. VT-d 3.4, 7.6, requires this for private data, and
 * VT-d 2.5 for streaming requests. On the last request of a group these flags only say
 * what is sent back with the response.
 */
struct iopf_request {
	struct iommu_fault fault;
	u32 flags;
	u64 private_data[2];
};

/**
 * struct iopf_response - a response to a group or to a single request
 * @fault: the last request of the group, or the single request, which does not have
 *	%IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE
 * @msg: PASID, Page Request Group Index and response code
 * @flags: &iopf_request.flags of @fault, without %IOPF_REQUEST_REFUSED
 * @private_data: &iopf_request.private_data of @fault; valid if @flags has
 *	%IOPF_REQUEST_PRIVATE_DATA
 */
struct iopf_response {
	struct iommu_fault fault;
	struct iommu_page_response msg;
	u32 flags;
	u64 private_data[2];
};

/**
 * define IOPF_MAX_PREFAULT - Maximum number of pages that are faulted in ahead of a device
 *
 * The upper bound for iopf_queue_set_prefault() and iopf_pasid_set_prefault().
 */
#define IOPF_MAX_PREFAULT	512U

/**
 * define IOPF_MAX_RESPONSES - Maximum number of responses in one call of
 *	&iopf_queue_ops.page_responses
 */
#define IOPF_MAX_RESPONSES	16

/**
 * struct iopf_queue_ops - optional driver callbacks of a fault queue
 * @page_responses: Send @count responses, 1 to %IOPF_MAX_RESPONSES, to @dev. Called
 *	instead of &iommu_ops.page_response and under the same rules: in process context,
 *	with no lock of the library held. Unlike page_response it also gets the flags and
 *	the private data of requests.
 *
 * Set with iopf_queue_set_ops().
 */
struct iopf_queue_ops {
	void (*page_responses)(struct device *dev,
			       const struct iopf_response *responses,
			       unsigned int count);
};

/**
 * define IOMMU_FAULT_DMA_UNRECOV - Type of an unrecoverable fault
 *
 * A value of &iommu_fault.type in addition to those of &enum iommu_fault_type. Only
 * registered handlers see such faults, see iommu_report_unrecoverable_fault().
 */
#define IOMMU_FAULT_DMA_UNRECOV		2

/**
 * enum iommu_fault_reason - why a translation failed
 * @IOMMU_FAULT_REASON_UNKNOWN: not reported by the IOMMU
 * @IOMMU_FAULT_REASON_PASID_FETCH: reading the PASID table entry failed
 * @IOMMU_FAULT_REASON_BAD_PASID_ENTRY: the PASID table entry is invalid
 * @IOMMU_FAULT_REASON_PASID_INVALID: the PASID is out of range or not attached
 * @IOMMU_FAULT_REASON_WALK_EABT: external abort during the page table walk
 * @IOMMU_FAULT_REASON_PTE_FETCH: a page table entry is missing
 * @IOMMU_FAULT_REASON_PERMISSION: the page does not allow the access
 * @IOMMU_FAULT_REASON_ACCESS: the access flag of the page is not set
 * @IOMMU_FAULT_REASON_OOR_ADDRESS: the address is out of range of the page tables
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

/* Values of iommu_fault_unrecoverable.flags. */
#define IOMMU_FAULT_UNRECOV_PASID_VALID		BIT(0)
#define IOMMU_FAULT_UNRECOV_ADDR_VALID		BIT(1)
#define IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID	BIT(2)

/**
 * struct iommu_fault_unrecoverable - a fault that the IOMMU has ended with an error
 * @reason: &enum iommu_fault_reason
 * @flags: which of the fields below are valid, IOMMU_FAULT_UNRECOV_* values; @perm
 *	always is
 * @pasid: PASID of the access, with %IOMMU_FAULT_UNRECOV_PASID_VALID
 * @perm: kind of access, IOMMU_FAULT_PERM_* values
 * @addr: address of the access, with %IOMMU_FAULT_UNRECOV_ADDR_VALID
 * @fetch_addr: address at which reading a table failed, with
 *	%IOMMU_FAULT_UNRECOV_FETCH_ADDR_VALID
 *
 * The device does not wait for a response.
 */
struct iommu_fault_unrecoverable {
	u32 reason;
	u32 flags;
	u32 pasid;
	u32 perm;
	u64 addr;
	u64 fetch_addr;
};

/**
 * enum iommu_fault_status - what a registered handler returns for a fault
 * @IOMMU_FAULT_STATUS_HANDLED: the handler has taken the fault. If a response is owed,
 *	the handler sends it later or has sent it already.
 * @IOMMU_FAULT_STATUS_CONTINUE: the fault continues to the domain of its PASID
 *
 * A negative errno refuses the fault. If a response is owed, it is Invalid Request.
 */
enum iommu_fault_status {
	IOMMU_FAULT_STATUS_HANDLED = 0,
	IOMMU_FAULT_STATUS_CONTINUE,
};

/**
 * typedef iommu_dev_fault_handler_t - registered handler of a device's faults
 * @fault: the fault, valid until the handler returns. Its type is %IOMMU_FAULT_PAGE_REQ
 *	or %IOMMU_FAULT_DMA_UNRECOV; in the latter case only the type is set, and
 *	iopf_fault_unrecoverable() gives the details.
 * @data: the pointer passed to iommu_register_device_fault_handler()
 *
 * While it runs, the handler may call iopf_fault_cookie(), iopf_fault_request(),
 * iopf_fault_whole_group() and iopf_fault_unrecoverable() with @fault. It may send the
 * response with iommu_page_response() or iommu_page_response_by_cookie(). It must not
 * unregister itself.
 *
 * Context: Process context of the reporter, under locks of the IOMMU driver. May sleep if
 * the reporters of the IOMMU driver may, but later faults of the device wait meanwhile.
 * Return: &enum iommu_fault_status or a negative errno.
 */
typedef int (*iommu_dev_fault_handler_t)(struct iommu_fault *fault, void *data);

#ifdef CONFIG_IOPF_QUEUE
/* Registered handlers */
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

/* Only from a registered handler, with the fault that it was called with */
u64 iopf_fault_cookie(struct iommu_fault *fault);
const struct iopf_request *iopf_fault_request(struct iommu_fault *fault);
const struct iopf_group *iopf_fault_whole_group(struct iommu_fault *fault);
const struct iommu_fault_unrecoverable *
iopf_fault_unrecoverable(struct iommu_fault *fault);

/* IOMMU drivers */
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
int iopf_queue_set_prefault(struct iopf_queue *queue, int pages);
int iopf_pasid_set_prefault(struct device *dev, u32 pasid, int pages);

/* Not declared in <linux/iommu.h> of older kernels */
void iopf_group_dequeue(struct iopf_group *group);
#else
/*
 * Without the library, flush the whole device. A device that is on no fault queue is
 * checked for first, because io-pgfault.c warns about it.
 */
static inline int iopf_queue_flush_pasid(struct device *dev, u32 pasid)
{
	if (!dev->iommu || !rcu_access_pointer(dev->iommu->fault_param))
		return -ENODEV;
	return iopf_queue_flush_dev(dev);
}
#endif

#endif /* __LINUX_IOPF_H */
