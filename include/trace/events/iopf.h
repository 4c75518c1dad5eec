/* SPDX-License-Identifier: GPL-2.0 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iopf

#if !defined(_TRACE_IOPF_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOPF_H

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/math64.h>
#include <linux/tracepoint.h>

/* Programs that read events know the values of these names by this only. */
TRACE_DEFINE_ENUM(IOMMU_PAGE_RESP_SUCCESS);
TRACE_DEFINE_ENUM(IOMMU_PAGE_RESP_INVALID);
TRACE_DEFINE_ENUM(IOMMU_PAGE_RESP_FAILURE);

/* A page request is reported, before it joins its group. */
TRACE_EVENT(iopf_report,
	TP_PROTO(struct device *dev, const struct iommu_fault *fault),
	TP_ARGS(dev, fault),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u64, addr)
		__field(u32, pasid)
		__field(u32, grpid)
		__field(u32, perm)
		__field(u32, flags)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->addr = fault->prm.addr;
		__entry->pasid = fault->prm.pasid;
		__entry->grpid = fault->prm.grpid;
		__entry->perm = fault->prm.perm;
		__entry->flags = fault->prm.flags;
	),
	TP_printk("%s pasid=%u grpid=%u addr=0x%llx perm=%c%c%c%c%s%s",
		  __get_str(dev), __entry->pasid, __entry->grpid,
		  __entry->addr,
		  __entry->perm & IOMMU_FAULT_PERM_READ ? 'r' : '-',
		  __entry->perm & IOMMU_FAULT_PERM_WRITE ? 'w' : '-',
		  __entry->perm & IOMMU_FAULT_PERM_EXEC ? 'x' : '-',
		  __entry->perm & IOMMU_FAULT_PERM_PRIV ? 'p' : '-',
		  __entry->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID ?
		  "" : " no-pasid",
		  __entry->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE ?
		  " last" : "")
);

DECLARE_EVENT_CLASS(iopf_group,
	TP_PROTO(struct device *dev, u32 pasid, u32 grpid, size_t requests),
	TP_ARGS(dev, pasid, grpid, requests),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u32, pasid)
		__field(u32, grpid)
		__field(size_t, requests)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->pasid = pasid;
		__entry->grpid = grpid;
		__entry->requests = requests;
	),
	TP_printk("%s pasid=%u grpid=%u requests=%zu", __get_str(dev),
		  __entry->pasid, __entry->grpid, __entry->requests)
);

/* The last request of a group has come; a response is owed from now on. */
DEFINE_EVENT(iopf_group, iopf_complete,
	TP_PROTO(struct device *dev, u32 pasid, u32 grpid, size_t requests),
	TP_ARGS(dev, pasid, grpid, requests)
);

/* A worker takes a group to fault in its pages. */
DEFINE_EVENT(iopf_group, iopf_handle,
	TP_PROTO(struct device *dev, u32 pasid, u32 grpid, size_t requests),
	TP_ARGS(dev, pasid, grpid, requests)
);

/* A group has had no response within its timeout. */
DEFINE_EVENT(iopf_group, iopf_timeout,
	TP_PROTO(struct device *dev, u32 pasid, u32 grpid, size_t requests),
	TP_ARGS(dev, pasid, grpid, requests)
);

/* A group ends without a response: it is unfinished, or its device was reset. */
DEFINE_EVENT(iopf_group, iopf_discard,
	TP_PROTO(struct device *dev, u32 pasid, u32 grpid, size_t requests),
	TP_ARGS(dev, pasid, grpid, requests)
);

/*
 * The response to a group is sent, @age ns after its last request came. The resolution of
 * @age is a jiffy unless the module parameter iopf.latency is on. The address is that of
 * the last request.
 */
TRACE_EVENT(iopf_respond,
	TP_PROTO(struct device *dev, const struct iommu_fault *fault, u32 code,
		 u64 age),
	TP_ARGS(dev, fault, code, age),
	TP_STRUCT__entry(
		__string(dev, dev_name(dev))
		__field(u64, addr)
		__field(u64, age_us)
		__field(u32, pasid)
		__field(u32, grpid)
		__field(u32, code)
	),
	TP_fast_assign(
		__assign_str(dev);
		__entry->addr = fault->prm.addr;
		__entry->age_us = div_u64(age, NSEC_PER_USEC);
		__entry->pasid = fault->prm.pasid;
		__entry->grpid = fault->prm.grpid;
		__entry->code = code;
	),
	TP_printk("%s pasid=%u grpid=%u addr=0x%llx code=%s age=%llu us",
		  __get_str(dev), __entry->pasid, __entry->grpid,
		  __entry->addr,
		  __print_symbolic(__entry->code,
				   { IOMMU_PAGE_RESP_SUCCESS, "success" },
				   { IOMMU_PAGE_RESP_INVALID, "invalid" },
				   { IOMMU_PAGE_RESP_FAILURE, "failure" }),
		  __entry->age_us)
);

/* A hardware queue has overflowed, for the @count-th time, and requests were dropped. */
TRACE_EVENT(iopf_overflow,
	TP_PROTO(const char *name, u64 count),
	TP_ARGS(name, count),
	TP_STRUCT__entry(
		__string(name, name)
		__field(u64, count)
	),
	TP_fast_assign(
		__assign_str(name);
		__entry->count = count;
	),
	TP_printk("%s overflow=%llu", __get_str(name), __entry->count)
);

#endif /* _TRACE_IOPF_H */

#include <trace/define_trace.h>
