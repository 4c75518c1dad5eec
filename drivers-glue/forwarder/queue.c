// SPDX-License-Identifier: GPL-2.0
/*
 * iopf_forward: delivering groups to user space, and responses from there
 *
 * A group is queued, delivered to a reader, and responded to. The task that removes it from
 * the queue or from the table of delivered groups sends the response, with the cookie of
 * the fault queue, so that a late response is recognized.
 *
 * read() and write() allocate no memory but for entries of the table. A reader copies a
 * group to user space without a lock, holding a reference; responses are copied from user
 * space to the stack.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

/* Number of records or responses that are copied through the stack at a time. */
#define FWD_BATCH	8

static struct fwd_group *fwd_alloc_group(struct forward *fwd,
					 struct iommu_fault *fault)
{
	const struct iopf_group *whole = iopf_fault_whole_group(fault);
	const struct iopf_fault *request;
	struct fwd_group *group;
	unsigned int i = 0;

	group = kmalloc(struct_size(group, records, whole->fault_count),
			GFP_NOWAIT | __GFP_NOWARN);
	if (!group)
		return NULL;
	group->fault_cookie = iopf_fault_cookie(fault);
	group->msg = (struct iommu_page_response){
		.pasid = fault->prm.pasid,
		.grpid = fault->prm.grpid,
	};
	group->users = 1;
	group->count = whole->fault_count;
	list_for_each_entry(request, &whole->faults, list)
		group->records[i++] = (struct iommu_hwpt_pgfault){
			.flags = request->fault.prm.flags &
				 IOMMU_PGFAULT_FLAGS_PASID_VALID,
			.dev_id = fwd->bind.dev_id,
			.pasid = request->fault.prm.pasid,
			.grpid = request->fault.prm.grpid,
			.perm = request->fault.prm.perm,
			.addr = request->fault.prm.addr,
		};
	/* A single request is a whole group for user space, too. */
	group->records[i - 1].flags |= IOMMU_PGFAULT_FLAGS_LAST_PAGE;
	return group;
}

/*
 * Note a shortage of room or memory, which began at *@since, or begins now if that is 0.
 * Return -EAGAIN if the device is to ask again, or -ENOSPC if the fault is to be refused.
 */
static int fwd_note_shortage(struct forward *fwd, ktime_t *since)
{
	ktime_t now = ktime_get();

	lockdep_assert_held(&fwd->lock);
	if (!*since)
		*since = now;
	if (fwd->bind.flags & IOPF_FORWARD_REFUSE ||
	    ktime_ms_delta(now, *since) >= fwd->bind.stall_ms)
		return -ENOSPC;
	return -EAGAIN;
}

/*
 * Queue @group, which is NULL if there was no memory for it. Return 0, or the error of
 * fwd_note_shortage().
 */
static int fwd_queue_group(struct forward *fwd, struct fwd_group *group)
{
	int ret = 0;

	spin_lock(&fwd->lock);
	if (fwd->closed) {
		/* The handler is being unregistered: let the device ask again. */
		ret = -EAGAIN;
	} else if (!group) {
		fwd->stats.nomem++;
		ret = fwd_note_shortage(fwd, &fwd->nomem_since);
	} else if (fwd->nr_groups >= fwd->bind.groups ||
		   fwd->nr_requests + group->count > fwd->bind.requests) {
		fwd->stats.full++;
		ret = fwd_note_shortage(fwd, &fwd->full_since);
	} else {
		list_add_tail(&group->node, &fwd->queue);
		fwd->nr_groups++;
		fwd->nr_requests += group->count;
		fwd->nomem_since = 0;
		fwd->stats.groups++;
		fwd->stats.requests += group->count;
		fwd->stats.queued++;
	}
	spin_unlock(&fwd->lock);
	return ret;
}

/*
 * Handle a fault that cannot be queued because of @why. If that is -EAGAIN, respond with
 * Success, so that the device asks again; otherwise refuse the fault.
 */
static int fwd_handle_shortage(struct forward *fwd, struct iommu_fault *fault, int why)
{
	struct iommu_page_response msg = {
		.pasid = fault->prm.pasid,
		.grpid = fault->prm.grpid,
		.code = IOMMU_PAGE_RESP_SUCCESS,
	};

	/* Free the room of groups that have a response already. */
	schedule_work(&fwd->reap);
	if (why != -EAGAIN)
		return why;
	iommu_page_response_by_cookie(fwd->dev, &msg, iopf_fault_cookie(fault));
	return IOMMU_FAULT_STATUS_HANDLED;
}

/* Return true if there never is room for the group, so that asking again does not help. */
static bool fwd_is_too_large(struct forward *fwd, struct iommu_fault *fault)
{
	size_t count = iopf_fault_whole_group(fault)->fault_count;

	if (count <= IOPF_FORWARD_MAX_GROUP && count <= fwd->bind.requests)
		return false;
	spin_lock(&fwd->lock);
	fwd->stats.full++;
	spin_unlock(&fwd->lock);
	return true;
}

/* Return true if the fault is to be forwarded. */
static bool fwd_wants(struct forward *fwd, struct iommu_fault *fault)
{
	if (READ_ONCE(fwd->closed))
		return false;
	/* Not the last request: the fault queue collects the requests of a group. */
	if (!iopf_fault_whole_group(fault))
		return false;
	return !(fwd->bind.flags & IOPF_FORWARD_PASID) ||
	       (fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID &&
		fault->prm.pasid == fwd->bind.pasid);
}

/* The registered handler of the device. */
int fwd_handler(struct iommu_fault *fault, void *data)
{
	struct forward *fwd = data;
	struct fwd_group *group;
	int ret;

	if (fault->type == IOMMU_FAULT_DMA_UNRECOV) {
		spin_lock(&fwd->lock);
		fwd->stats.unrecoverable++;
		spin_unlock(&fwd->lock);
		return IOMMU_FAULT_STATUS_HANDLED;
	}
	if (!fwd_wants(fwd, fault))
		return IOMMU_FAULT_STATUS_CONTINUE;

	if (fwd_is_too_large(fwd, fault))
		return -ENOSPC;
	group = fwd_alloc_group(fwd, fault);
	ret = fwd_queue_group(fwd, group);
	if (ret) {
		kfree(group);
		return fwd_handle_shortage(fwd, fault, ret);
	}
	wake_up_interruptible(&fwd->wait);
	return IOMMU_FAULT_STATUS_HANDLED;
}

/* Drop a reference to @group. The last one frees it and its room. */
static void fwd_put_group(struct forward *fwd, struct fwd_group *group)
{
	bool last;

	spin_lock(&fwd->lock);
	last = !--group->users;
	if (last) {
		fwd->nr_groups--;
		fwd->nr_requests -= group->count;
	}
	spin_unlock(&fwd->lock);
	if (last)
		kfree(group);
}

/* Note that the reader is active: the time of stall_ms starts anew. */
static void fwd_note_reader(struct forward *fwd)
{
	lockdep_assert_held(&fwd->lock);
	fwd->full_since = 0;
}

/* Remove @group from the table. The table's reference is the caller's now. */
static void fwd_remove_delivered(struct forward *fwd, struct fwd_group *group)
{
	lockdep_assert_held(&fwd->lock);
	xa_erase(&fwd->delivered, group->cookie);
	fwd->stats.pending--;
}

/*
 * Move the next group from the queue to the table, if it has at most @room records. Return
 * 1 and set @group, with a reference for the reader, and @cookie; 0 if there is no group;
 * or a negative errno.
 */
static int fwd_deliver(struct forward *fwd, size_t room,
		       struct fwd_group **group, u32 *cookie)
{
	struct fwd_group *next;
	int ret = 0;

	spin_lock(&fwd->lock);
	next = list_first_entry_or_null(&fwd->queue, struct fwd_group, node);
	if (!next)
		goto unlock;
	ret = -EINVAL;
	if (next->count > room)
		goto unlock;
	ret = xa_alloc_cyclic(&fwd->delivered, cookie, next, xa_limit_32b,
			      &fwd->next_cookie, GFP_NOWAIT | __GFP_NOWARN);
	if (ret < 0)
		goto unlock;
	next->cookie = *cookie;
	next->read = false;
	next->users++;
	list_del(&next->node);
	fwd->stats.queued--;
	fwd->stats.pending++;
	fwd->stats.delivered++;
	*group = next;
	ret = 1;
unlock:
	spin_unlock(&fwd->lock);
	return ret;
}

/*
 * End the copying of @group with @cookie, whose result is @err, and drop the reader's
 * reference. The group can have a response now, or, on an error, is queued again before all
 * others. Nothing changes if it was completed meanwhile, or queued again and has another
 * cookie.
 */
static void fwd_end_read(struct forward *fwd, struct fwd_group *group, u32 cookie, int err)
{
	spin_lock(&fwd->lock);
	if (xa_load(&fwd->delivered, cookie) != group)
		goto unlock;
	if (!err) {
		group->read = true;
		goto unlock;
	}
	fwd_remove_delivered(fwd, group);
	list_add(&group->node, &fwd->queue);
	fwd->stats.delivered--;
	fwd->stats.queued++;
unlock:
	spin_unlock(&fwd->lock);
	if (err)
		wake_up_interruptible(&fwd->wait);
	fwd_put_group(fwd, group);
}

/*
 * Copy @group to user space with @cookie. The cookie is not stored in the records, because
 * another reader may get the group with a new cookie at the same time.
 */
static int fwd_copy_group(struct iommu_hwpt_pgfault __user *buf,
			  const struct fwd_group *group, u32 cookie)
{
	struct iommu_hwpt_pgfault records[FWD_BATCH];
	unsigned int done;
	unsigned int n;
	unsigned int i;

	for (done = 0; done < group->count; done += n) {
		n = min(group->count - done, FWD_BATCH);
		for (i = 0; i < n; i++) {
			records[i] = group->records[done + i];
			records[i].cookie = cookie;
		}
		if (copy_to_user(buf + done, records, n * sizeof(*records)))
			return -EFAULT;
	}
	return 0;
}

/*
 * Deliver one group to @buf. Return the number of its records, 0 if there is no group, or
 * a negative errno.
 */
static int fwd_read_group(struct forward *fwd,
			  struct iommu_hwpt_pgfault __user *buf, size_t room)
{
	struct fwd_group *group;
	int count;
	u32 cookie;
	int ret;

	ret = fwd_deliver(fwd, room, &group, &cookie);
	if (ret <= 0)
		return ret;
	count = group->count;
	ret = fwd_copy_group(buf, group, cookie);
	fwd_end_read(fwd, group, cookie, ret);
	return ret ?: count;
}

ssize_t fwd_read(struct forward *fwd, char __user *buf, size_t len)
{
	struct iommu_hwpt_pgfault __user *records = (void __user *)buf;
	size_t room = len / sizeof(*records);
	size_t done = 0;
	int ret;

	if (len % sizeof(*records))
		return -ESPIPE;
	while ((ret = fwd_read_group(fwd, records + done, room - done)) > 0) {
		done += ret;
		cond_resched();
	}
	if (!done)
		return ret;
	spin_lock(&fwd->lock);
	fwd_note_reader(fwd);
	spin_unlock(&fwd->lock);
	return done * sizeof(*records);
}

/* Send the response to a group that the caller has removed, and drop the reference. */
static void fwd_respond(struct forward *fwd, struct fwd_group *group, u32 code)
{
	int ret;

	group->msg.code = code;
	ret = iommu_page_response_by_cookie(fwd->dev, &group->msg,
					    group->fault_cookie);
	spin_lock(&fwd->lock);
	if (ret)
		fwd->stats.late++;
	else
		fwd->stats.responded[code]++;
	spin_unlock(&fwd->lock);
	fwd_put_group(fwd, group);
}

static int fwd_handle_response(struct forward *fwd,
			       const struct iommu_hwpt_page_response *response)
{
	struct fwd_group *group;

	if (response->code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    response->code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	spin_lock(&fwd->lock);
	group = xa_load(&fwd->delivered, response->cookie);
	/* No reader has the cookie of a group that is still being copied. */
	if (!group || !group->read) {
		spin_unlock(&fwd->lock);
		return -EINVAL;
	}
	fwd_remove_delivered(fwd, group);
	fwd_note_reader(fwd);
	spin_unlock(&fwd->lock);
	fwd_respond(fwd, group, response->code);
	return 0;
}

/* Handle responses up to the first invalid one. Return their number; set *@ret on error. */
static unsigned int
fwd_handle_responses(struct forward *fwd,
		     const struct iommu_hwpt_page_response *responses,
		   unsigned int count, int *ret)
{
	unsigned int done;

	down_read(&fwd->responding);
	for (done = 0; done < count; done++) {
		int err = fwd_handle_response(fwd, &responses[done]);

		if (err) {
			*ret = err;
			break;
		}
	}
	up_read(&fwd->responding);
	return done;
}

ssize_t fwd_write(struct forward *fwd, const char __user *buf, size_t len)
{
	struct iommu_hwpt_page_response responses[FWD_BATCH];
	size_t size = sizeof(*responses);
	size_t done = 0;
	int ret = 0;

	if (len % size)
		return -ESPIPE;
	while (done < len && !ret) {
		size_t want = min(len - done, sizeof(responses));
		size_t left = copy_from_user(responses, buf + done, want);

		/* Handle the responses that were copied, as if they were written one by one. */
		if (left)
			ret = -EFAULT;
		done += size * fwd_handle_responses(fwd, responses,
						  (want - left) / size, &ret);
		cond_resched();
	}
	return done ?: ret;
}

/* Queue all groups again that were read and have no response, in the order of the table. */
void fwd_requeue_delivered(struct forward *fwd)
{
	struct fwd_group *group;
	unsigned long cookie;
	LIST_HEAD(back);

	spin_lock(&fwd->lock);
	xa_for_each(&fwd->delivered, cookie, group) {
		fwd_remove_delivered(fwd, group);
		list_add_tail(&group->node, &back);
		fwd->stats.again++;
		fwd->stats.queued++;
	}
	list_splice(&back, &fwd->queue);
	spin_unlock(&fwd->lock);
	wake_up_interruptible(&fwd->wait);
}

/* Close the queue and send Invalid Request to all groups without a response. */
void fwd_respond_all(struct forward *fwd)
{
	struct fwd_group *group;
	struct fwd_group *next;
	unsigned long cookie;
	LIST_HEAD(all);

	spin_lock(&fwd->lock);
	WRITE_ONCE(fwd->closed, true);
	list_splice_init(&fwd->queue, &all);
	fwd->stats.queued = 0;
	xa_for_each(&fwd->delivered, cookie, group) {
		fwd_remove_delivered(fwd, group);
		list_add_tail(&group->node, &all);
	}
	spin_unlock(&fwd->lock);
	list_for_each_entry_safe(group, next, &all, node)
		fwd_respond(fwd, group, IOMMU_PAGE_RESP_INVALID);
}

static bool fwd_is_overdue(struct forward *fwd, struct fwd_group *group)
{
	return !iommu_page_response_pending(fwd->dev, &group->msg,
					    group->fault_cookie);
}

/* Drop groups that the library has responded to, because of a timeout or a flush. */
static void fwd_reap(struct work_struct *work)
{
	struct forward *fwd = container_of(work, struct forward, reap);
	struct fwd_group *group;
	struct fwd_group *next;
	unsigned long cookie;
	LIST_HEAD(dead);

	spin_lock(&fwd->lock);
	list_for_each_entry_safe(group, next, &fwd->queue, node) {
		if (!fwd_is_overdue(fwd, group))
			continue;
		list_move(&group->node, &dead);
		fwd->stats.queued--;
	}
	xa_for_each(&fwd->delivered, cookie, group) {
		if (!fwd_is_overdue(fwd, group))
			continue;
		fwd_remove_delivered(fwd, group);
		list_add(&group->node, &dead);
	}
	list_for_each_entry(group, &dead, node)
		fwd->stats.overdue++;
	spin_unlock(&fwd->lock);
	list_for_each_entry_safe(group, next, &dead, node)
		fwd_put_group(fwd, group);
}

void fwd_init_queue(struct forward *fwd)
{
	init_waitqueue_head(&fwd->wait);
	spin_lock_init(&fwd->lock);
	INIT_LIST_HEAD(&fwd->queue);
	xa_init_flags(&fwd->delivered, XA_FLAGS_ALLOC);
	INIT_WORK(&fwd->reap, fwd_reap);
	init_rwsem(&fwd->responding);
}
