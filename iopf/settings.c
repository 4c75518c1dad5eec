// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: settings of queues, devices and PASIDs
 */
#include <linux/export.h>

#include "entries.h"

/**
 * iopf_queue_set_ops() - Set optional driver callbacks
 * @queue: the queue
 * @ops: the callbacks, valid as long as the queue
 *
 * Context: Any, before the first device is added to @queue.
 */
void iopf_queue_set_ops(struct iopf_queue *queue,
			const struct iopf_queue_ops *ops)
{
	WARN_ON(!list_empty(&queue->devices));
	to_iopf_fault_queue(queue)->ops = ops;
}
EXPORT_SYMBOL_GPL(iopf_queue_set_ops);

static int iopf_set_timeout(int *to, int ms)
{
	if (ms > (int)(IOPF_MAX_TIMEOUT * MSEC_PER_SEC))
		return -EINVAL;
	WRITE_ONCE(*to, ms);
	return 0;
}

/**
 * iopf_queue_set_timeout() - Set the timeout of a queue's groups
 * @queue: the queue
 * @ms: time in milliseconds, 0 for none, negative for iopf.prq_timeout, the default
 *
 * A complete group that has no response by then gets one: Invalid Request if a registered
 * handler owns it, whose response is late from then on; Success if its fault takes that long,
 * so that the device sends the request again. An unfinished group is forgotten. Groups that a
 * domain's handler owns have a timeout of their own, see iopf_queue_set_domain_timeout(). The
 * timeout is checked eight times in its length and at least four times a second, so a group may
 * have an eighth more. A new value counts from the next check, for existing groups as well.
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @ms is more than 100 seconds.
 */
int iopf_queue_set_timeout(struct iopf_queue *queue, int ms)
{
	return iopf_set_timeout(&to_iopf_fault_queue(queue)->timeout_ms, ms);
}
EXPORT_SYMBOL_GPL(iopf_queue_set_timeout);

/**
 * iopf_queue_set_domain_timeout() - Set the timeout of groups that a domain's handler owns
 * @queue: the queue
 * @ms: time in milliseconds, 0 for none, negative for iopf.domain_timeout, the default, which is
 *	0 unless it was set
 *
 * A group to which the iopf_handler of its domain has not responded by then gets Invalid Request.
 * Checked as the timeout of iopf_queue_set_timeout().
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @ms is more than 100 seconds.
 */
int iopf_queue_set_domain_timeout(struct iopf_queue *queue, int ms)
{
	return iopf_set_timeout(&to_iopf_fault_queue(queue)->domain_timeout_ms, ms);
}
EXPORT_SYMBOL_GPL(iopf_queue_set_domain_timeout);

/**
 * iopf_device_set_limits() - Set the limits of a device
 * @dev: the device
 * @limits: the limits; 0 in a field for the default
 *
 * A group that loses a request to a limit gets Invalid Request when its last request comes. A
 * request that would start a group beyond a limit is dropped, or refused if it is a last one.
 * Groups that exceed a new limit stay.
 *
 * Context: Process context, may sleep.
 * Return: 0, %-EINVAL if the index is wider than 32 bits, %-ENODEV if the device is on no fault
 * queue, or %-ENOMEM; the limits do not change on error.
 */
int iopf_device_set_limits(struct device *dev, const struct iopf_limits *limits)
{
	struct iopf_table table;
	struct iopf_limits new;
	struct iopf_device *fdev;

	if (limits->grpid_bits > 32)
		return -EINVAL;
	fdev = iopf_device_get(dev);
	if (!fdev)
		return -ENODEV;

	iopf_limits_init(&new, dev);
	new.groups = limits->groups ?: new.groups;
	new.requests = limits->requests ?: new.requests;
	new.unfinished = limits->unfinished ?: iopf_default_unfinished(&new, dev);
	new.pasids = limits->pasids ?: new.pasids;
	new.grpid_bits = limits->grpid_bits ?: new.grpid_bits;
	if (iopf_table_init(&table, &new)) {
		iopf_device_put(fdev);
		return -ENOMEM;
	}

	spin_lock(&fdev->lock);
	fdev->limits = new;
	/* The index of the group may be too wide now: check the next request. */
	fdev->joined = NULL;
	fdev->driver_limits = *limits;
	fdev->pri_limits = false;
	iopf_table_move(&table, &fdev->table);
	swap(table, fdev->table);
	spin_unlock(&fdev->lock);

	iopf_table_exit(&table);
	iopf_device_put(fdev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_device_set_limits);

/**
 * iopf_queue_set_prefault() - Fault in ahead of devices that access memory in order
 * @queue: the queue
 * @pages: how far ahead, at most, in pages; 0 for not at all, negative for iopf.prefault, the
 *	default, which is 0 unless it was set
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @pages is more than %IOPF_MAX_PREFAULT.
 */
int iopf_queue_set_prefault(struct iopf_queue *queue, int pages)
{
	if (pages > (int)IOPF_MAX_PREFAULT)
		return -EINVAL;
	WRITE_ONCE(to_iopf_fault_queue(queue)->prefault_max, pages);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_set_prefault);

/**
 * iopf_pasid_set_prefault() - Fault in ahead of a device for one PASID
 * @dev: the device
 * @pasid: the PASID
 * @pages: how far ahead, at most, in pages; 0 for not at all, negative for the queue's setting
 *
 * iopf_queue_flush_pasid() removes the setting, which is meant for one address space.
 *
 * Context: Process context.
 * Return:
 * * %0 - success
 * * %-EINVAL - more than %IOPF_MAX_PREFAULT pages
 * * %-ENODEV - the device is on no fault queue
 * * %-ENOMEM - no memory, or a limit of the device is reached
 */
int iopf_pasid_set_prefault(struct device *dev, u32 pasid, int pages)
{
	struct iopf_key key = iopf_pasid_key(pasid, 0);
	struct iopf_pasid_queue *pq;
	struct iopf_device *fdev;
	int ret = -ENOMEM;

	if (pages > (int)IOPF_MAX_PREFAULT)
		return -EINVAL;
	fdev = iopf_device_get(dev);
	if (!fdev)
		return -ENODEV;

	spin_lock(&fdev->lock);
	pq = fdev->dead ? NULL : iopf_pq_get(fdev, &key);
	if (pq) {
		iopf_pq_set_prefault(pq, pages);
		iopf_pq_put(pq);
		ret = 0;
	} else if (fdev->dead) {
		ret = -ENODEV;
	}
	spin_unlock(&fdev->lock);
	iopf_device_put(fdev);
	return ret;
}
EXPORT_SYMBOL_GPL(iopf_pasid_set_prefault);
