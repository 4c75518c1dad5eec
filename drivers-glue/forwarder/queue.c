// SPDX-License-Identifier: GPL-2.0
/*
 * iopf_forward: groups on their way to user space and back
 *
 * A group is queued, then delivered, then answered; whoever takes it out of the
 * queue or the table of delivered ones has to see to the answer. It is answered by
 * its cookie in the fault queue, so that a late answer is known to be one.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

/* What one call of read() or write() deals with at most, in bytes. */
#define FWD_CHUNK	(64 * 1024)

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
	/* One that is answered by itself is a whole group, too. */
	group->records[i - 1].flags |= IOMMU_PGFAULT_FLAGS_LAST_PAGE;
	return group;
}

/* False if there is no room, or the file is being closed. */
static bool fwd_queue_group(struct forward *fwd, struct fwd_group *group)
{
	bool room;

	spin_lock(&fwd->lock);
	room = !fwd->closed && fwd->nr_groups < fwd->bind.groups &&
	       fwd->nr_requests + group->count <= fwd->bind.requests;
	if (room) {
		list_add_tail(&group->node, &fwd->queue);
		fwd->nr_groups++;
		fwd->nr_requests += group->count;
		fwd->stats.groups++;
		fwd->stats.requests += group->count;
		fwd->stats.queued++;
	} else if (!fwd->closed) {
		fwd->stats.full++;
	}
	spin_unlock(&fwd->lock);
	return room;
}

/* What cannot be taken does not keep the device waiting. */
static int fwd_turn_away(struct forward *fwd, struct iommu_fault *fault)
{
	struct iommu_page_response msg = {
		.pasid = fault->prm.pasid,
		.grpid = fault->prm.grpid,
		.code = IOMMU_PAGE_RESP_SUCCESS,
	};

	/* Maybe the room is taken by groups that nobody waits for. */
	schedule_work(&fwd->reap);
	if (fwd->bind.flags & IOPF_FORWARD_REFUSE)
		return -ENOSPC;
	iommu_page_response_by_cookie(fwd->dev, &msg, iopf_fault_cookie(fault));
	return IOMMU_FAULT_STATUS_HANDLED;
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

	if (fault->type == IOMMU_FAULT_DMA_UNRECOV) {
		spin_lock(&fwd->lock);
		fwd->stats.unrecoverable++;
		spin_unlock(&fwd->lock);
		return IOMMU_FAULT_STATUS_HANDLED;
	}
	if (!fwd_wants(fwd, fault))
		return IOMMU_FAULT_STATUS_CONTINUE;

	group = fwd_alloc_group(fwd, fault);
	if (!group) {
		spin_lock(&fwd->lock);
		fwd->stats.nomem++;
		spin_unlock(&fwd->lock);
		return fwd_turn_away(fwd, fault);
	}
	if (!fwd_queue_group(fwd, group)) {
		kfree(group);
		return fwd_turn_away(fwd, fault);
	}
	wake_up_interruptible(&fwd->wait);
	return IOMMU_FAULT_STATUS_HANDLED;
}

/* @group has left the queue or the table. */
static void fwd_forget(struct forward *fwd, struct fwd_group *group)
{
	lockdep_assert_held(&fwd->lock);
	fwd->nr_groups--;
	fwd->nr_requests -= group->count;
}

/* Out of the table, if it is there. The caller has the lock. */
static struct fwd_group *fwd_take_back(struct forward *fwd, u32 cookie)
{
	struct fwd_group *group = xa_erase(&fwd->delivered, cookie);

	if (group)
		fwd->stats.pending--;
	return group;
}

/*
 * Fill @records, which have room for @room, with whole groups. The number of
 * records, or a negative errno if there is a group and none is delivered.
 */
static int fwd_deliver(struct forward *fwd, struct iommu_hwpt_pgfault *records,
		       unsigned int room)
{
	struct fwd_group *group;
	unsigned int done = 0;
	unsigned int i;
	int ret = 0;

	spin_lock(&fwd->lock);
	while (!ret && !list_empty(&fwd->queue)) {
		group = list_first_entry(&fwd->queue, struct fwd_group, node);
		if (group->count > room - done) {
			ret = -EINVAL;
			break;
		}
		ret = xa_alloc_cyclic(&fwd->delivered, &group->cookie, group,
				      xa_limit_32b, &fwd->next_cookie,
				      GFP_NOWAIT | __GFP_NOWARN);
		if (ret < 0)
			break;
		/* 1 says that the numbers have begun again. */
		ret = 0;
		list_del(&group->node);
		fwd->stats.queued--;
		fwd->stats.pending++;
		fwd->stats.delivered++;
		for (i = 0; i < group->count; i++) {
			records[done] = group->records[i];
			records[done++].cookie = group->cookie;
		}
	}
	spin_unlock(&fwd->lock);
	return done ?: ret;
}

/* The reader could not be given these: they are still to be read, in this order. */
static void fwd_undeliver(struct forward *fwd,
			  const struct iommu_hwpt_pgfault *records, int count)
{
	struct fwd_group *group;
	LIST_HEAD(back);
	int i;

	spin_lock(&fwd->lock);
	for (i = 0; i < count; i++) {
		if (!(records[i].flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE))
			continue;
		group = fwd_take_back(fwd, records[i].cookie);
		if (!group)
			continue;
		list_add_tail(&group->node, &back);
		fwd->stats.delivered--;
		fwd->stats.queued++;
	}
	list_splice(&back, &fwd->queue);
	spin_unlock(&fwd->lock);
}

ssize_t fwd_read(struct forward *fwd, char __user *buf, size_t len)
{
	struct iommu_hwpt_pgfault *records;
	ssize_t ret;

	if (len % sizeof(*records))
		return -ESPIPE;
	if (list_empty_careful(&fwd->queue))
		return 0;
	/* A group may be larger than what is given out at a time. */
	len = min(len, max_t(size_t, FWD_CHUNK / sizeof(*records) *
			     sizeof(*records),
			     fwd->bind.requests * sizeof(*records)));
	records = kvmalloc(max_t(size_t, len, 1), GFP_KERNEL);
	if (!records)
		return -ENOMEM;
	ret = fwd_deliver(fwd, records, len / sizeof(*records));
	if (ret > 0 && copy_to_user(buf, records, ret * sizeof(*records))) {
		fwd_undeliver(fwd, records, ret);
		ret = -EFAULT;
	}
	kvfree(records);
	return ret > 0 ? ret * sizeof(*records) : ret;
}

/* The answer of a group that the caller has taken. */
static void fwd_answer(struct forward *fwd, struct fwd_group *group, u32 code)
{
	int ret;

	group->msg.code = code;
	ret = iommu_page_response_by_cookie(fwd->dev, &group->msg,
					    group->fault_cookie);
	spin_lock(&fwd->lock);
	if (ret)
		fwd->stats.late++;
	else
		fwd->stats.answered[code]++;
	fwd_forget(fwd, group);
	spin_unlock(&fwd->lock);
	kfree(group);
}

static int fwd_take_answer(struct forward *fwd,
			   const struct iommu_hwpt_page_response *response)
{
	struct fwd_group *group;

	if (response->code != IOMMUFD_PAGE_RESP_SUCCESS &&
	    response->code != IOMMUFD_PAGE_RESP_INVALID)
		return -EINVAL;
	spin_lock(&fwd->lock);
	group = fwd_take_back(fwd, response->cookie);
	spin_unlock(&fwd->lock);
	if (!group)
		return -EINVAL;
	fwd_answer(fwd, group, response->code);
	return 0;
}

ssize_t fwd_write(struct forward *fwd, const char __user *buf, size_t len)
{
	struct iommu_hwpt_page_response *responses;
	size_t size = sizeof(*responses);
	size_t done = 0;
	size_t count;
	int ret = 0;

	if (len % size)
		return -ESPIPE;
	len = min_t(size_t, len, FWD_CHUNK);
	responses = kvmalloc(max_t(size_t, len, 1), GFP_KERNEL);
	if (!responses)
		return -ENOMEM;
	/* What can be read counts, as with answers that are written one by one. */
	count = (len - copy_from_user(responses, buf, len)) / size;
	if (count < len / size)
		ret = -EFAULT;

	down_read(&fwd->answering);
	while (done < count) {
		int err = fwd_take_answer(fwd, &responses[done]);

		if (err) {
			ret = err;
			break;
		}
		done++;
	}
	up_read(&fwd->answering);
	kvfree(responses);
	return done ? done * size : ret;
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
void fwd_answer_all(struct forward *fwd)
{
	struct fwd_group *group;
	struct fwd_group *next;
	unsigned long cookie;
	LIST_HEAD(all);

	spin_lock(&fwd->lock);
	fwd->closed = true;
	list_splice_init(&fwd->queue, &all);
	fwd->stats.queued = 0;
	xa_for_each(&fwd->delivered, cookie, group) {
		fwd_take_back(fwd, cookie);
		list_add_tail(&group->node, &all);
	}
	spin_unlock(&fwd->lock);
	list_for_each_entry_safe(group, next, &all, node)
		fwd_answer(fwd, group, IOMMU_PAGE_RESP_INVALID);
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
	list_for_each_entry(group, &dead, node) {
		fwd_forget(fwd, group);
		fwd->stats.overdue++;
	}
	spin_unlock(&fwd->lock);
	list_for_each_entry_safe(group, next, &dead, node)
		kfree(group);
}

void fwd_init_queue(struct forward *fwd)
{
	init_waitqueue_head(&fwd->wait);
	spin_lock_init(&fwd->lock);
	INIT_LIST_HEAD(&fwd->queue);
	xa_init_flags(&fwd->delivered, XA_FLAGS_ALLOC);
	INIT_WORK(&fwd->reap, fwd_reap);
	init_rwsem(&fwd->answering);
}
