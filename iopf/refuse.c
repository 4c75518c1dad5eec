// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: requests that the driver refuses
 *
 * A driver knows of requests that its IOMMU could never translate. They are part of a
 * group like others, and it is the group that gets the answer.
 */
#include <linux/export.h>

#include "iopf.h"

/**
 * iopf_refuse_request() - Report a page request that must not be handled
 * @dev: the device
 * @fault: the request
 *
 * Instead of reporting it. The whole group of @fault is answered with Invalid Request
 * when its last request comes, which may be this one.
 *
 * Context: As iommu_report_device_fault().
 * Return: %-EINVAL, or what has kept the request from its group.
 */
int iopf_refuse_request(struct device *dev, const struct iommu_fault *fault)
{
	const struct iopf_request request = { .fault = *fault };
	struct iopf_dev *idev = iopf_dev_get(dev);
	struct iopf_grp *complete = NULL;
	int ret = -ENODEV;

	if (idev)
		ret = iopf_is_too_wide(idev, fault) ? -EINVAL :
		      iopf_take_request(idev, dev, fault, true, &complete);
	if (complete)
		iopf_hand_over(dev, complete);
	else if (ret && ret != -EEXIST && iopf_is_last(fault))
		iopf_send_invalid(idev, dev, &request);
	if (idev)
		iopf_dev_put(idev);
	return ret ?: -EINVAL;
}
EXPORT_SYMBOL_GPL(iopf_refuse_request);
