/* SPDX-License-Identifier: GPL-2.0 */
/*
 * iopf_forward: private structures
 *
 *	main.c      files and the devices that they are bound to
 *	queue.c     delivering groups to user space, and responses from there
 *
 * Locks:
 *
 *	forward.binding (mutex)		binding and unbinding of one file
 *	  fwd_lock (mutex)		list of files with a device
 *	  forward.responding (rwsem)	read: responses are being sent
 *	    forward.lock (spinlock)	groups and counters
 *
 * taken in this order. The fault queue's locks nest inside all of them but fwd_lock. An
 * unbind waits for responses that are being sent, which may take long. It holds
 * forward.binding meanwhile, but not fwd_lock, so files do not wait for each other. No
 * lock is held while user memory is accessed, which may sleep for an unbounded time.
 *
 * References: a file has one from open() until it is closed, and one from each bus
 * notifier that unbinds it. A group has one from the queue or table that it is in, or from
 * the task that has removed it from there, and one from each reader that copies it.
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
 * @node: in forward.queue, or in a local list of the task that has removed it
 * @fault_cookie: cookie of the fault queue, from iopf_fault_cookie()
 * @msg: PASID, Page Request Group Index and, once it is sent, the response code
 * @cookie: its index in forward.delivered; guarded by forward.lock
 * @read: user space has got the cookie, so a response is valid; guarded by forward.lock
 * @users: number of references; guarded by forward.lock
 * @count: number of requests
 * @records: records for user space without the cookie; constant
 */
struct fwd_group {
	struct list_head node;
	u64 fault_cookie;
	struct iommu_page_response msg;
	u32 cookie;
	bool read;
	unsigned int users;
	unsigned int count;
	struct iommu_hwpt_pgfault records[] __counted_by(count);
};

/**
 * struct forward - an open file
 * @users: reference count
 * @node: in fwd_files; guarded by fwd_lock
 * @dev: the device, referenced, from the start of a bind on, or NULL. Changes under
 *	@binding and fwd_lock
 * @bind: arguments of the bind; constant while the file is bound
 * @binding: serializes binding and unbinding
 * @bound: the bind has succeeded. Set once, with release semantics, after @dev and @bind;
 *	read with acquire semantics in fwd_check_bound()
 * @wait: wait queue of readers
 * @reap: drops groups that got their response from the library
 * @responding: held for reading while responses are sent; unbinding takes it for writing
 * @lock: guards the fields below
 * @closed: no group is queued any more; set by the unbind, lockless reads are allowed
 * @queue: groups to be read
 * @delivered: groups that were read, by cookie
 * @next_cookie: where the search for a free cookie starts, so that a cookie is reused as
 *	late as possible: a late response must not match a new group
 * @nr_groups: number of groups whose last reference was not dropped
 * @nr_requests: number of requests in these groups
 * @full_since: when a group first found no room since the reader was last active; 0 if
 *	all groups since then have found room
 * @nomem_since: when there first was no memory for a group since the last group that was
 *	queued; 0 if there was memory for all since then
 * @stats: counters
 */
struct forward {
	struct kref users;
	struct list_head node;
	struct device *dev;
	struct iopf_forward_bind bind;
	struct mutex binding; /* serializes binding and unbinding */
	bool bound;
	wait_queue_head_t wait;
	struct work_struct reap;
	struct rw_semaphore responding;

	spinlock_t lock; /* guards the fields below */
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
void fwd_requeue_delivered(struct forward *fwd);
void fwd_respond_all(struct forward *fwd);

#endif /* __IOPF_FORWARD_CORE_H */
