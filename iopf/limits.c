// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: limits of a device
 *
 * A group counts from its first request until its last holder has dropped it, and so do
 * its requests. Those that hold complete groups drop them without the device's lock, so
 * what was made is counted under the lock, what was freed beside it, and the latter is
 * looked at only when a limit seems to be reached.
 *
 * PRI bounds what a device has under way. It may have as much as that beside what was
 * answered and is held on by a fault that sleeps: see iopf_is_half_full().
 */
#include <kunit/static_stub.h>
#include <linux/export.h>
#include <linux/pci.h>

#include "iopf.h"

/* Of groups that wait for their last request, and of requests in them. */
static unsigned int iopf_default_unfinished(const struct iopf_limits *limits,
					    struct device *dev)
{
	unsigned int half = max(min(limits->groups, limits->requests) / 2, 1U);

	/* A stalled transaction is the last request of its group. */
	return dev_is_pci(dev) ? half : min(half, IOPF_DEFAULT_LIMIT);
}

void iopf_limits_init(struct iopf_limits *limits, struct device *dev)
{
	unsigned int most = dev_is_pci(dev) ? IOPF_DEFAULT_LIMIT :
					      IOPF_STALL_LIMIT;

	*limits = (struct iopf_limits){
		.groups = most,
		.requests = most,
		.lanes = most,
		.grpid_bits = 32,
	};
	limits->unfinished = iopf_default_unfinished(limits, dev);
}

/*
 * Requests that PRI lets the device have under way; its VFs share them. A KUnit case
 * takes this function's place.
 */
unsigned int iopf_pri_allocation(struct device *dev)
{
	KUNIT_STATIC_STUB_REDIRECT(iopf_pri_allocation, dev);
#ifdef CONFIG_PCI_PRI
	if (dev_is_pci(dev))
		return pci_physfn(to_pci_dev(dev))->pri_reqs_alloc;
#endif
	return 0;
}

/* PRI may be enabled after the device was put on its queue; it does not change then. */
static void iopf_limits_grant(struct iopf_dev *idev)
{
	unsigned int granted = min(iopf_pri_allocation(idev->pub.dev),
				   UINT_MAX / 2);
	struct iopf_limits *limits = &idev->limits;

	limits->groups = max(limits->groups, 2 * granted);
	limits->requests = max(limits->requests, 2 * granted);
	limits->unfinished = max(limits->unfinished, granted);
	limits->lanes = max(limits->lanes, 2 * granted);
	idev->pri_limits = true;
}

/* A limit seems to be reached. See what was freed, and what PRI has granted. */
void iopf_limits_look(struct iopf_dev *idev)
{
	lockdep_assert_held(&idev->lock);
	idev->groups_seen = atomic_read(&idev->groups_freed);
	idev->requests_seen = atomic_read(&idev->requests_freed);
	if (!idev->pri_limits)
		iopf_limits_grant(idev);
}

/*
 * Is more than half of what the device may have held? Then a group whose fault sleeps is
 * not answered when its time is over: it would be held on, and the device, which PRI bounds
 * by what it has no response to, would send another one for it.
 */
bool iopf_is_half_full(struct iopf_dev *idev)
{
	iopf_limits_look(idev);
	return iopf_held_groups(idev) > idev->limits.groups / 2 ||
	       iopf_held_requests(idev) > idev->limits.requests / 2;
}

/**
 * iopf_device_set_limits() - Set what the library remembers for a device
 * @dev: the device
 * @limits: the limits; 0 for what is to be the default
 *
 * A group that loses a request to a limit is answered with Invalid Request when its
 * last request comes. A request that would begin a group beyond a limit is dropped, and
 * answered so if it is a last one. What is beyond a limit already when it is set stays.
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
	new.groups = limits->groups ?: new.groups;
	new.requests = limits->requests ?: new.requests;
	new.unfinished = limits->unfinished ?: iopf_default_unfinished(&new, dev);
	new.lanes = limits->lanes ?: new.lanes;
	new.grpid_bits = limits->grpid_bits ?: new.grpid_bits;
	if (iopf_table_init(&table, &new)) {
		iopf_dev_put(idev);
		return -ENOMEM;
	}

	spin_lock(&idev->lock);
	idev->limits = new;
	/* The next request is looked at again, as its index may be too wide now. */
	idev->joined = NULL;
	/* What the driver says counts, whatever PRI grants. */
	idev->pri_limits = limits->groups || limits->requests ||
			   limits->unfinished;
	iopf_table_move(&table, &idev->table);
	swap(table, idev->table);
	spin_unlock(&idev->lock);

	iopf_table_exit(&table);
	iopf_dev_put(idev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_device_set_limits);
