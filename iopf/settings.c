// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: settings of queues, devices and PASIDs
 */
#include <linux/export.h>

#include "entries.h"

/**
 * iopf_queue_set_ops() - Say what the driver of a queue can do better
 * @queue: the queue
 * @ops: its operations, valid as long as the queue
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
 * iopf_queue_set_timeout() - Set how long the groups of a queue may take
 * @queue: the queue
 * @ms: time in milliseconds, 0 for no timeout, negative for what iopf.prq_timeout says,
 *	which is the default
 *
 * A complete group that has no response by then, give or take an eighth, is answered:
 * with Invalid Request if a registered handler owns it, which is too late from then
 * on; with Success if its own fault takes that long, so that the device asks again
 * and waits on. A group that has not got its last request by then is dropped. Groups
 * that a domain's handler owns have a timeout of their own:
 * iopf_queue_set_domain_timeout(). Takes effect with the next look at groups that exist
 * already.
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
 * iopf_queue_set_domain_timeout() - Set how long domains' handlers may take
 * @queue: the queue
 * @ms: time in milliseconds, 0 for no timeout, negative for what iopf.domain_timeout
 *	says, which is the default, and is 0 unless it was set
 *
 * A group that the iopf_handler of its domain has not answered by then, give or take
 * an eighth, is answered with Invalid Request. Takes effect with the next look at groups
 * that exist already.
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
	/* The next request is looked at again, as its index may be too wide now. */
	fdev->joined = NULL;
	/* What the driver says counts, whatever PRI grants. */
	fdev->pri_limits = limits->groups || limits->requests ||
			   limits->unfinished;
	iopf_table_move(&table, &fdev->table);
	swap(table, fdev->table);
	spin_unlock(&fdev->lock);

	iopf_table_exit(&table);
	iopf_device_put(fdev);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_device_set_limits);

/**
 * iopf_queue_set_prefault() - Fault in ahead of devices that go through memory
 * @queue: the queue
 * @pages: how far ahead, at most, in pages; 0, the default, for not at all
 *
 * Context: Any.
 * Return: 0, or %-EINVAL if @pages is more than %IOPF_MAX_PREFAULT.
 */
int iopf_queue_set_prefault(struct iopf_queue *queue, unsigned int pages)
{
	if (pages > IOPF_MAX_PREFAULT)
		return -EINVAL;
	WRITE_ONCE(to_iopf_fault_queue(queue)->prefault_max, pages);
	return 0;
}
EXPORT_SYMBOL_GPL(iopf_queue_set_prefault);

/**
 * iopf_pasid_set_prefault() - The same for one PASID
 * @dev: the device
 * @pasid: the PASID
 * @pages: how far ahead, at most, in pages; 0 for not at all, negative for what the
 *	queue says
 *
 * Ends with iopf_queue_flush_pasid(), as it is meant for one address space.
 *
 * Context: Process context.
 * Return:
 * * %0 - done
 * * %-EINVAL - more than %IOPF_MAX_PREFAULT pages
 * * %-ENODEV - the device is on no fault queue
 * * %-ENOMEM - no memory, or a limit of the device is reached
 */
int iopf_pasid_set_prefault(struct device *dev, u32 pasid, int pages)
{
	struct iopf_key key = iopf_pasid_key(pasid, 0);
	struct iopf_pasid_queue *pq;
	struct iopf_device *fdev;

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
	}
	spin_unlock(&fdev->lock);
	iopf_device_put(fdev);
	return pq ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(iopf_pasid_set_prefault);
