/* SPDX-License-Identifier: GPL-2.0 */
/*
 * softacc: differences between kernel versions and fault queues
 */
#ifndef __SOFTACC_COMPAT_H
#define __SOFTACC_COMPAT_H

#include <linux/iommu.h>
#include <linux/version.h>

#if IS_ENABLED(CONFIG_IOPF_QUEUE)
#include <linux/iopf.h>
#define SOFTACC_IMPLEMENTATION	"iopf"
#else
#define SOFTACC_IMPLEMENTATION	"upstream"
static inline int iopf_queue_flush_pasid(struct device *dev, u32 pasid)
{
	return iopf_queue_flush_dev(dev);
}

/* Upstream's fault queue takes single requests only. */
#define iopf_request iopf_fault

static inline void iopf_report_requests(struct device *dev,
					struct iopf_request *requests,
					unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		iommu_report_device_fault(dev, &requests[i]);
}

static inline int iopf_pasid_set_prefault(struct device *dev, u32 pasid,
					  int pages)
{
	return pages < 0 ? 0 : -EOPNOTSUPP;
}

/* Upstream's fault queue has neither limits nor timeouts. */
struct iopf_limits {
	unsigned int groups;
	unsigned int requests;
};

static inline int iopf_device_set_limits(struct device *dev,
					 const struct iopf_limits *limits)
{
	return -EOPNOTSUPP;
}

static inline int iopf_queue_set_timeout(struct iopf_queue *queue, int ms)
{
	return -EOPNOTSUPP;
}

static inline int iopf_queue_set_domain_timeout(struct iopf_queue *queue,
						int ms)
{
	return -EOPNOTSUPP;
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
static inline int softacc_attach_dev(struct iommu_domain *domain,
				     struct device *dev,
				     struct iommu_domain *old)
{
	return 0;
}

#define SOFTACC_VERSION_OPS
#else
static inline int softacc_attach_dev(struct iommu_domain *domain,
				     struct device *dev)
{
	return 0;
}

static inline int softacc_feature(struct device *dev,
				  enum iommu_dev_features feature)
{
	return 0;
}

/* Older kernels detach PASIDs by remove_dev_pasid, and enable features by name. */
#define SOFTACC_VERSION_OPS				\
	.remove_dev_pasid = softacc_remove_dev_pasid,	\
	.dev_enable_feat = softacc_feature,		\
	.dev_disable_feat = softacc_feature,
#endif

#endif /* __SOFTACC_COMPAT_H */
