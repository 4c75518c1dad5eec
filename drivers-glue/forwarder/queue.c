// SPDX-License-Identifier: GPL-2.0
/*
 * iopf_forward: groups on their way to user space and back
 *
 * A group is queued, then delivered, then answered; whoever takes it out of the queue
 * or the table of delivered ones sends the response. It is known to the fault queue by
 * its cookie there, so that a late response is known to be one.
 *
 * What a call of read() or write() allocates does not depend on its size: nothing. Groups
 * are copied to user space from where they are, without a lock, by a reader that has a
 * reference; responses come by way of the stack.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

/* Records and responses that go by way of the stack at a time. */
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
	/* A request that is answered by itself is a whole group, too. */
	group->records[i - 1].flags |= IOMMU_PGFAULT_FLAGS_LAST_PAGE;
	return group;
}

/*
 * Room or memory is lacking since *@since, or from now on. -EAGAIN: the device may ask
 * again, -ENOSPC: no more.
 */
static int fwd_lack(struct forward *fwd, ktime_t *since)
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

/* Queue @group, NULL if there was no memory for it. 0, or as fwd_lack(). */
static int fwd_queue_group(struct forward *fwd, struct fwd_group *group)
{
	int ret = 0;

	spin_lock(&fwd->lock);
	if (fwd->closed) {
		/* It will find another way. */
		ret = -EAGAIN;
	} else if (!group) {
		fwd->stats.nomem++;
		ret = fwd_lack(fwd, &fwd->nomem_since);
	} else if (fwd->nr_groups >= fwd->bind.groups ||
		   fwd->nr_requests + group->count > fwd->bind.requests) {
		fwd->stats.full++;
		ret = fwd_lack(fwd, &fwd->full_since);
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

/* What cannot be taken does not keep the device waiting. */
static int fwd_turn_away(struct forward *fwd, struct iommu_fault *fault, int why)
{
	struct iommu_page_response msg = {
		.pasid = fault->prm.pasid,
		.grpid = fault->prm.grpid,
		.code = IOMMU_PAGE_RESP_SUCCESS,
	};

	/* Maybe the room is taken by groups that have had a response. */
	schedule_work(&fwd->reap);
	if (why != -EAGAIN)
		return why;
	iommu_page_response_by_cookie(fwd->dev, &msg, iopf_fault_cookie(fault));
	return IOMMU_FAULT_STATUS_HANDLED;
}

/* Asked for again it would be as large. */
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

static bool fwd_wants(struct forward *fwd, struct iommu_fault *fault)
{
	if (READ_ONCE(fwd->closed))
		return false;
	/* The fault queue keeps the requests of a group until the last one. */
	if (!iopf_fault_whole_group(fault))
		return false;
	return !(fwd->bind.flags & IOPF_FORWARD_PASID) ||
	       (fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID &&
		fault->prm.pasid == fwd->bind.pasid);
}

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
		return fwd_turn_away(fwd, fault, ret);
	}
	wake_up_interruptible(&fwd->wait);
	return IOMMU_FAULT_STATUS_HANDLED;
}

/* Drop a reference to @group. It takes up room until the last one is gone. */
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

/* There is a reader, and it does something for the room that was lacking. */
static void fwd_reader_lives(struct forward *fwd)
{
	lockdep_assert_held(&fwd->lock);
	fwd->full_since = 0;
}

/* Out of the table, if it is there, with the table's reference. */
static struct fwd_group *fwd_take_back(struct forward *fwd, u32 cookie)
{
	struct fwd_group *group = xa_erase(&fwd->delivered, cookie);

	lockdep_assert_held(&fwd->lock);
	if (group)
		fwd->stats.pending--;
	return group;
}

/*
 * Deliver the next group, under a cookie of its own, if it has @room records at most. 0 if
 * there is none; with a reference for the reader, otherwise.
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

/* The reader could not be given @group: it is still to be read, before all others. */
static void fwd_undeliver(struct forward *fwd, struct fwd_group *group, u32 cookie)
{
	spin_lock(&fwd->lock);
	/* Answered meanwhile, or delivered again under another cookie? */
	if (xa_load(&fwd->delivered, cookie) == group) {
		fwd_take_back(fwd, cookie);
		list_add(&group->node, &fwd->queue);
		fwd->stats.delivered--;
		fwd->stats.queued++;
	}
	spin_unlock(&fwd->lock);
	wake_up_interruptible(&fwd->wait);
}

/*
 * Copy @group to user space. Others may deliver it anew meanwhile, so the cookie is put in
 * on the way.
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

/* Deliver one group to @buf: its records, 0 if there is none, or a negative errno. */
static int fwd_read_group(struct forward *fwd,
			  struct iommu_hwpt_pgfault __user *buf, size_t room)
{
	struct fwd_group *group;
	u32 cookie;
	int ret;

	ret = fwd_deliver(fwd, room, &group, &cookie);
	if (ret <= 0)
		return ret;
	ret = fwd_copy_group(buf, group, cookie);
	if (ret)
		fwd_undeliver(fwd, group, cookie);
	else
		ret = group->count;
	fwd_put_group(fwd, group);
	return ret;
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
	fwd_reader_lives(fwd);
	spin_unlock(&fwd->lock);
	return done * sizeof(*records);
}

/* Send the response of a group that the caller has taken, with its reference. */
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

static int fwd_take_response(struct forward *fwd,
			     const struct iommu_hwpt_page_response *response)
{
	struct fwd_group *group;

	if (response->code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    response->code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	spin_lock(&fwd->lock);
	group = fwd_take_back(fwd, response->cookie);
	if (group)
		fwd_reader_lives(fwd);
	spin_unlock(&fwd->lock);
	if (!group)
		return -EINVAL;
	fwd_respond(fwd, group, response->code);
	return 0;
}

/* Take responses up to the first that is wrong: their number, and in *@ret what is. */
static unsigned int
fwd_take_responses(struct forward *fwd,
		   const struct iommu_hwpt_page_response *responses,
		   unsigned int count, int *ret)
{
	unsigned int done;

	down_read(&fwd->responding);
	for (done = 0; done < count; done++) {
		int err = fwd_take_response(fwd, &responses[done]);

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

		/* What can be read counts, as if responses came one by one. */
		if (left)
			ret = -EFAULT;
		done += size * fwd_take_responses(fwd, responses,
						  (want - left) / size, &ret);
		cond_resched();
	}
	return done ?: ret;
}

/* All that was read and not answered goes back to the queue, oldest first. */
void fwd_again(struct forward *fwd)
{
	struct fwd_group *group;
	unsigned long cookie;
	LIST_HEAD(back);

	spin_lock(&fwd->lock);
	xa_for_each(&fwd->delivered, cookie, group) {
		fwd_take_back(fwd, cookie);
		list_add_tail(&group->node, &back);
		fwd->stats.again++;
		fwd->stats.queued++;
	}
	list_splice(&back, &fwd->queue);
	spin_unlock(&fwd->lock);
	wake_up_interruptible(&fwd->wait);
}

/* Close the queue, and answer what is in it or was read from it. */
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
		fwd_take_back(fwd, cookie);
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
		fwd_take_back(fwd, cookie);
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
