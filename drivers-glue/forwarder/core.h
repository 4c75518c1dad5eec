/* SPDX-License-Identifier: GPL-2.0 */
/*
 * iopf_forward: structures
 *
 *	main.c      files, and the devices that they are bound to
 *	queue.c     groups on their way to user space and back
 *
 * Locks:
 *
 *	forward.binding (mutex)		binding and unbinding of one file
 *	  fwd_lock (mutex)		the list of files with a device
 *	  forward.responding (rwsem)	read: responses on their way to the device
 *	    forward.lock (spinlock)	groups and counters
 *
 * in this order; the fault queue's locks nest in all of them but fwd_lock. An unbind
 * may wait for as long as a driver takes to send responses. It holds the file's own
 * lock only, so fwd_lock is never held for long. No lock is held where user memory is
 * touched, which may take as long as its owner likes.
 *
 * References: a file has one from its opener until it is closed, and one from each bus
 * notifier that unbinds it. A group has one from the queue or table that it is in, or
 * from the task that has taken it out, and one from each reader that copies it.
 */
#ifndef __IOPF_FORWARD_CORE_H
#define __IOPF_FORWARD_CORE_H

#include <linux/device.h>
#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/iommufd.h>

#include "iopf_forward.h"

/**
 * struct fwd_group - a page request group without a response
 * @node: in forward.queue, or on the way out of it
 * @fault_cookie: the fault queue's name for it
 * @msg: its PASID and index, and room for the response
 * @cookie: user space's name for it, once it was read; guarded by forward.lock
 * @users: references; guarded by forward.lock
 * @count: its requests
 * @records: as user space gets them, but for the cookie; constant
 */
struct fwd_group {
	struct list_head node;
	u64 fault_cookie;
	struct iommu_page_response msg;
	u32 cookie;
	unsigned int users;
	unsigned int count;
	struct iommu_hwpt_pgfault records[] __counted_by(count);
};

/**
 * struct forward - an open file
 * @users: references
 * @node: in the list of files with a device; guarded by fwd_lock
 * @dev: the device, referenced, from the beginning of a bind on; NULL if there is none.
 *	Changes under @binding and fwd_lock
 * @bind: how it is bound, constant while it is
 * @binding: held while it is bound or unbound
 * @bound: the bind has succeeded. Set once, with release semantics, after @dev and
 *	@bind; fwd_state() acquires it
 * @wait: readers
 * @reap: drops groups that have had a response without this file
 * @responding: held for reading by those who send responses; unbinding waits for them
 * @lock: guards all that follows
 * @closed: no group is taken any more
 * @queue: groups to be read
 * @delivered: groups that were read, by cookie
 * @next_cookie: where to look for a free one: late responses should not meet a new
 *	group
 * @nr_groups: groups, until their last reference is gone
 * @nr_requests: in these
 * @full_since: when the first group found no room, of those since the reader was last
 *	seen alive; 0 if all have found room
 * @nomem_since: when there was no memory for a group, if there has been none since; 0
 *	otherwise
 * @stats: counters
 */
struct forward {
	struct kref users;
	struct list_head node;
	struct device *dev;
	struct iopf_forward_bind bind;
	struct mutex binding; /* see above */
	bool bound;
	wait_queue_head_t wait;
	struct work_struct reap;
	struct rw_semaphore responding;

	spinlock_t lock; /* all that follows */
	bool closed;
	struct list_head queue;
	struct xarray delivered;
	u32 next_cookie;
	unsigned int nr_groups;
	unsigned int nr_requests;
	ktime_t full_since;
	ktime_t nomem_since;
	struct iopf_forward_stats stats;
};

/* queue.c */
void fwd_init_queue(struct forward *fwd);
int fwd_handler(struct iommu_fault *fault, void *data);
ssize_t fwd_read(struct forward *fwd, char __user *buf, size_t len);
ssize_t fwd_write(struct forward *fwd, const char __user *buf, size_t len);
void fwd_again(struct forward *fwd);
void fwd_respond_all(struct forward *fwd);

#endif /* __IOPF_FORWARD_CORE_H */
