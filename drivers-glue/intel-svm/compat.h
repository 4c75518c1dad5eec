/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VT-d page requests on the I/O page fault queue: differences between kernel versions
 */
#ifndef __IOPF_INTEL_COMPAT_H
#define __IOPF_INTEL_COMPAT_H

#include <linux/syscore_ops.h>
#include <linux/version.h>

#include "../../intel/iommu.h"
#include "../../intel/pasid.h"
#include "../../intel/trace.h"
#include "../../iommu-pages.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
static inline void *prq_alloc_ring(struct intel_iommu *iommu)
{
	return iommu_alloc_pages_node_sz(iommu->node, GFP_KERNEL, PRQ_SIZE);
}

static inline void prq_free_ring(void *ring)
{
	iommu_free_pages(ring);
}

/* Return true while the device is on the fault queue, which is while a domain needs it. */
static inline bool prq_is_on_queue(struct device_domain_info *info)
{
	return info->iopf_refcount;
}
#else
static inline void *prq_alloc_ring(struct intel_iommu *iommu)
{
	return iommu_alloc_pages_node(iommu->node, GFP_KERNEL, PRQ_ORDER);
}

static inline void prq_free_ring(void *ring)
{
	iommu_free_pages(ring, PRQ_ORDER);
}

static inline bool prq_is_on_queue(struct device_domain_info *info)
{
	return info->pri_enabled;
}

static inline void qi_desc_piotlb_all(u16 did, u32 pasid, struct qi_desc *desc)
{
	qi_desc_piotlb(did, pasid, 0, -1, 0, desc);
}
#endif

/* Return Page Request Enable, the bit that context_clear_sm_pre() clears. */
static inline bool prq_is_enabled(const struct context_entry *context)
{
	return context->lo & BIT_ULL(4);
}

/* In newer kernels, stable ones among them, syscore callbacks have an argument. */
#ifdef PRQ_SYSCORE_HAS_DATA
#define PRQ_SYSCORE(name, suspend_units, resume_units)			\
static int name##_suspend(void *data)					\
{									\
	return suspend_units();						\
}									\
									\
static void name##_resume(void *data)					\
{									\
	resume_units();							\
}									\
									\
static const struct syscore_ops name##_ops = {				\
	.suspend = name##_suspend,					\
	.resume = name##_resume,					\
};									\
									\
static struct syscore name = { .ops = &name##_ops }

#define prq_register_syscore(syscore)	register_syscore(syscore)
#else
#define PRQ_SYSCORE(name, suspend_units, resume_units)			\
static struct syscore_ops name = {					\
	.suspend = suspend_units,					\
	.resume = resume_units,						\
}

#define prq_register_syscore(syscore)	register_syscore_ops(syscore)
#endif

/* The response format of the kernel's own driver: with the LPIG bit or without. */
#ifdef QI_PGRP_LPIG
#define PRQ_FORMAT	VTD_PRQ_REV3
#else
#define PRQ_FORMAT	VTD_PRQ_REV4
#endif

#endif /* __IOPF_INTEL_COMPAT_H */
