// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: operations that a driver may do at any time
 *
 *	echo WORD > /sys/module/softacc/parameters/provoke
 *
 * does the operation for all devices, while page requests are under way. For tests.
 */
#include <linux/module.h>

#include "core.h"

static void softacc_flush(struct softacc_dev *sdev, unsigned int unused)
{
	softacc_iommu_flush(sdev->dev);
}

static void softacc_flush_handlers(struct softacc_dev *sdev,
				   unsigned int unused)
{
	softacc_iommu_lock_queue(sdev->dev);
	softacc_handler_flush(sdev);
	softacc_iommu_unlock_queue(sdev->dev);
}

static void softacc_replug(struct softacc_dev *sdev, unsigned int unused)
{
	softacc_iommu_replug(sdev->dev);
}

static void softacc_set_limits(struct softacc_dev *sdev, unsigned int limit)
{
	struct iopf_limits limits = {
		.groups = limit,
		.requests = limit,
	};

	softacc_iommu_lock_queue(sdev->dev);
	iopf_device_set_limits(sdev->dev, &limits);
	softacc_iommu_unlock_queue(sdev->dev);
}

static int softacc_provoke(const char *value, const struct kernel_param *kp)
{
	unsigned int number;

	/* The fault queue of another port belongs to the IOMMU driver. */
	if (softacc_port != &softacc_ring_port)
		return -EOPNOTSUPP;
	if (sysfs_streq(value, "flush"))
		softacc_for_each(softacc_flush, 0);
	else if (sysfs_streq(value, "flush_handlers"))
		softacc_for_each(softacc_flush_handlers, 0);
	else if (sysfs_streq(value, "replug"))
		softacc_for_each(softacc_replug, 0);
	else if (sysfs_streq(value, "discard"))
		softacc_iommu_discard();
	else if (sscanf(value, "limits=%u", &number) == 1)
		softacc_for_each(softacc_set_limits, number);
	else if (sscanf(value, "timeout=%u", &number) == 1)
		return softacc_iommu_set_timeout(number);
	else
		return -EINVAL;
	return 0;
}

static const struct kernel_param_ops softacc_provoke_ops = {
	.set = softacc_provoke,
};

module_param_cb(provoke, &softacc_provoke_ops, NULL, 0200);
MODULE_PARM_DESC(provoke,
		 "Write flush, flush_handlers, replug, discard, limits=N or timeout=MS (0 for their defaults)");
