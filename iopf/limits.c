// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: limits of a device
 */
#include <linux/export.h>
#include <linux/pci.h>

#include "iopf.h"

void iopf_limits_init(struct iopf_limits *limits, struct device *dev)
{
	*limits = (struct iopf_limits){
		.partial = IOPF_DEFAULT_LIMIT,
		/* Stalled transactions are kept by the IOMMU, and are few. */
		.pending = dev_is_pci(dev) ? IOPF_DEFAULT_LIMIT :
						       UINT_MAX,
		.lanes = IOPF_DEFAULT_LIMIT,
		.grpid_bits = 32,
	};
}

/* Requests that PRI lets the device have under way; its VFs share them. */
static unsigned int iopf_pri_allocation(struct device *dev)
{
#ifdef CONFIG_PCI_PRI
	if (dev_is_pci(dev))
		return pci_physfn(to_pci_dev(dev))->pri_reqs_alloc;
#endif
	return 0;
}

/*
 * @nr has reached @limit, one of the device's. PRI may be enabled after the device was
 * put on its queue, so this is the time to look what it grants; but only once, it does
 * not change. True if there is room after that.
 */
bool iopf_is_granted(struct iopf_dev *idev, unsigned int nr,
		     const unsigned int *limit)
{
	unsigned int granted;

	lockdep_assert_held(&idev->lock);
	if (!idev->pri_limits) {
		idev->pri_limits = true;
		granted = iopf_pri_allocation(idev->pub.dev);
		idev->limits.partial = max(idev->limits.partial, granted);
		idev->limits.pending = max(idev->limits.pending, granted);
	}
	return nr < *limit;
}

/**
 * iopf_device_set_limits() - Set what the library remembers for a device
 * @dev: the device
 * @limits: the limits; 0 for what is to be the default
 *
 * A group that loses a request to a limit is answered with Invalid Request when its
 * last request comes. What is beyond a limit already when it is set stays.
 *
 * Context: Process context, may sleep.
 * Return: 0, %-EINVAL if the index is wider than 32 bits, %-ENODEV if the device is
 * on no fault queue, or %-ENOMEM; then the old limits stay.
 */
int iopf_device_set_limits(struct device *dev, const struct iopf_limits *limits)
{
	struct iopf_table table;
	struct iopf_limits new;
	struct iopf_dev *idev;

	if (limits->grpid_bits > 32)
		return -EINVAL;
	idev = iopf_dev_get(dev);
	if (!idev)
		return -ENODEV;

	iopf_limits_init(&new, dev);
	new.partial = limits->partial ?: new.partial;
	new.pending = limits->pending ?: new.pending;
	new.lanes = limits->lanes ?: new.lanes;
	new.grpid_bits = limits->grpid_bits ?: new.grpid_bits;
	if (iopf_table_init(&table, &new)) {
		iopf_dev_put(idev);
		return -ENOMEM;
	}

	spin_lock(&idev->lock);
	idev->limits = new;
	/* What the driver says counts, whatever PRI grants. */
	idev->pri_limits = limits->partial || limits->pending;
	iopf_table_move(&table, &idev->table);
	swap(table, idev->table);
	spin_unlock(&idev->lock);

	iopf_table_exit(&table);
	iopf_dev_put(idev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_device_set_limits);
