// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: files and jobs
 *
 * UACCE calls all functions here, ioctls included, under its mutex, so none waits for a
 * job. It calls put_queue when the file is closed, which for a killed process is after
 * exit_mmap().
 */
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

static int softacc_get_queue(struct uacce_device *uacce, unsigned long pasid,
			     struct uacce_queue *uq)
{
	struct softacc_dev *sdev = uacce->priv;
	struct softacc_queue *queue;
	int ret;

	queue = kzalloc(sizeof(*queue), GFP_KERNEL);
	if (!queue)
		return -ENOMEM;
	queue->dev = sdev;
	queue->uq = uq;
	queue->pasid = pasid;
	ret = softacc_get_indices(queue);
	if (ret) {
		kfree(queue);
		return ret;
	}
	queue->mm = current->mm;
	mmgrab(queue->mm);
	queue->config.pages_per_group = 8;
	queue->config.outstanding = 16;
	queue->config.threads = 1;
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->jobs);
	INIT_LIST_HEAD(&queue->done);
	INIT_LIST_HEAD(&queue->injected);
	INIT_LIST_HEAD(&queue->responses);
	uq->priv = queue;

	spin_lock_irq(&sdev->lock);
	list_add_tail(&queue->node, &sdev->queues);
	spin_unlock_irq(&sdev->lock);
	return 0;
}

static void softacc_free_jobs(struct list_head *jobs)
{
	struct softacc_work *work;
	struct softacc_work *next;

	list_for_each_entry_safe(work, next, jobs, node)
		kfree(work);
}

static void softacc_put_queue(struct uacce_queue *uq)
{
	struct softacc_queue *queue = uq->priv;
	struct softacc_dev *sdev = queue->dev;

	softacc_engine_stop(queue);
	spin_lock_irq(&sdev->lock);
	list_del(&queue->node);
	softacc_put_indices(queue);
	softacc_cancel_injected(queue);
	spin_unlock_irq(&sdev->lock);
	softacc_free_jobs(&queue->jobs);
	softacc_free_jobs(&queue->done);
	mmdrop(queue->mm);
	kfree(queue);
}

static int softacc_is_updated(struct uacce_queue *uq)
{
	struct softacc_queue *queue = uq->priv;

	return !list_empty_careful(&queue->done) ||
	       !list_empty_careful(&queue->responses);
}

static long softacc_ioc_info(struct softacc_queue *queue, void __user *arg)
{
	struct softacc_info info = {
		.abi_version = SOFTACC_ABI_VERSION,
		.pasid = queue->pasid,
		.prg_indices = queue->indices->nr,
		.ring_entries = queue->dev->port->capacity(),
		.implementation = SOFTACC_IMPLEMENTATION,
	};

	return copy_to_user(arg, &info, sizeof(info)) ? -EFAULT : 0;
}

static long softacc_ioc_config(struct softacc_queue *queue, void __user *arg)
{
	struct softacc_config config;
	int ret;

	if (copy_from_user(&config, arg, sizeof(config)))
		return -EFAULT;
	if (!config.pages_per_group ||
	    config.pages_per_group > SOFTACC_MAX_PAGES_PER_GROUP ||
	    config.pages_per_group > queue->dev->port->capacity() ||
	    !config.outstanding || config.outstanding > SOFTACC_MAX_OUTSTANDING ||
	    !config.threads || config.threads > SOFTACC_MAX_THREADS ||
	    (config.flags & ~(SOFTACC_CONFIG_FLOOR | SOFTACC_CONFIG_PREFAULT)) ||
	    config.reserved)
		return -EINVAL;
	if (!list_empty_careful(&queue->jobs))
		return -EBUSY;
	softacc_iommu_lock_queue(queue->dev->dev);
	ret = iopf_pasid_set_prefault(queue->dev->dev, queue->pasid,
				      config.flags & SOFTACC_CONFIG_PREFAULT ?
				      SOFTACC_PREFAULT_PAGES : -1);
	softacc_iommu_unlock_queue(queue->dev->dev);
	if (ret)
		return ret;
	softacc_engine_stop(queue);
	queue->config = config;
	return 0;
}

static bool softacc_bad_area(u64 addr, u64 len)
{
	return !addr || addr % 8 || !access_ok(u64_to_user_ptr(addr), len);
}

static bool softacc_bad_job(const struct softacc_job *job)
{
	bool reads = job->op != SOFTACC_OP_FILL && job->op != SOFTACC_OP_TOUCH;
	bool writes = job->op != SOFTACC_OP_CHECKSUM;

	return job->op < SOFTACC_OP_FILL || job->op > SOFTACC_OP_TOUCH ||
	       job->flags || job->reserved || job->id ||
	       !job->len || job->len % 8 ||
	       (reads ? softacc_bad_area(job->src, job->len) : job->src) ||
	       (writes ? softacc_bad_area(job->dst, job->len) : job->dst);
}

static long softacc_ioc_submit(struct softacc_queue *queue, void __user *arg)
{
	struct softacc_work *work;
	int ret;

	work = kzalloc(sizeof(*work), GFP_KERNEL_ACCOUNT);
	if (!work)
		return -ENOMEM;
	ret = -EFAULT;
	if (copy_from_user(&work->job, arg, sizeof(work->job)))
		goto err_free;
	ret = -EINVAL;
	if (softacc_bad_job(&work->job))
		goto err_free;
	ret = softacc_engine_start(queue);
	if (ret)
		goto err_free;
	ret = -EAGAIN;
	if (queue->nr_jobs >= SOFTACC_MAX_JOBS)
		goto err_free;

	work->job.id = queue->last_id + 1;
	work->limit = work->job.len;
	work->end.id = work->job.id;
	work->end.tag = work->job.tag;
	ret = -EFAULT;
	if (copy_to_user(arg, &work->job, sizeof(work->job)))
		goto err_free;

	work->submitted = ktime_get_ns();
	spin_lock(&queue->lock);
	queue->last_id++;
	queue->nr_jobs++;
	list_add_tail(&work->node, &queue->jobs);
	spin_unlock(&queue->lock);
	softacc_engine_wake(queue);
	return 0;

err_free:
	kfree(work);
	return ret;
}

static long softacc_ioc_reap(struct softacc_queue *queue, void __user *arg)
{
	struct softacc_work *work;

	spin_lock(&queue->lock);
	work = list_first_entry_or_null(&queue->done, struct softacc_work,
					node);
	spin_unlock(&queue->lock);
	if (!work)
		return -EAGAIN;
	/* UACCE's mutex serializes reaping, and the engine has completed the job. */
	if (copy_to_user(arg, &work->end, sizeof(work->end)))
		return -EFAULT;
	spin_lock(&queue->lock);
	list_del(&work->node);
	queue->nr_jobs--;
	spin_unlock(&queue->lock);
	kfree(work);
	return 0;
}

/* Cancel all jobs that are not completed, without waiting for responses. */
static long softacc_ioc_cancel(struct softacc_queue *queue)
{
	struct softacc_work *work;
	struct softacc_work *next;

	spin_lock(&queue->lock);
	list_for_each_entry_safe(work, next, &queue->jobs, node) {
		WRITE_ONCE(work->limit, 0);
		work->end.status = -ECANCELED;
		work->end.result = 0;
		work->end.fault_addr = 0;
		work->end.fault_code = 0;
		if (work->chunks)
			continue;
		work->end.ns = ktime_get_ns() - work->submitted;
		list_move_tail(&work->node, &queue->done);
	}
	spin_unlock(&queue->lock);
	softacc_engine_wake(queue);
	wake_up_interruptible(&queue->uq->wait);
	return 0;
}

static long softacc_ioc_stats(struct softacc_queue *queue,
			      const struct softacc_stats *from,
			      void __user *arg)
{
	struct softacc_stats *stats;
	long ret;

	stats = kmalloc(sizeof(*stats), GFP_KERNEL);
	if (!stats)
		return -ENOMEM;
	softacc_read_stats(queue->dev, from, stats);
	ret = copy_to_user(arg, stats, sizeof(*stats)) ? -EFAULT : 0;
	kfree(stats);
	return ret;
}

static long softacc_ioc_inject(struct softacc_queue *queue, void __user *arg)
{
	struct softacc_inject request;

	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	return softacc_inject(queue, &request);
}

static long softacc_ioc_response(struct softacc_queue *queue, void __user *arg)
{
	struct softacc_response response;
	int ret;

	ret = softacc_reap_response(queue, &response);
	if (!ret && copy_to_user(arg, &response, sizeof(response)))
		ret = -EFAULT;
	return ret;
}

static long softacc_ioctl(struct uacce_queue *uq, unsigned int cmd,
			  unsigned long arg)
{
	struct softacc_queue *queue = uq->priv;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case SOFTACC_IOC_INFO:
		return softacc_ioc_info(queue, user);
	case SOFTACC_IOC_CONFIG:
		return softacc_ioc_config(queue, user);
	case SOFTACC_IOC_SUBMIT:
		return softacc_ioc_submit(queue, user);
	case SOFTACC_IOC_REAP:
		return softacc_ioc_reap(queue, user);
	case SOFTACC_IOC_CANCEL:
		return arg ? -EINVAL : softacc_ioc_cancel(queue);
	case SOFTACC_IOC_STATS:
		return softacc_ioc_stats(queue, &queue->stats, user);
	case SOFTACC_IOC_DEV_STATS:
		return softacc_ioc_stats(queue, &queue->dev->stats, user);
	case SOFTACC_IOC_INJECT:
		return softacc_ioc_inject(queue, user);
	case SOFTACC_IOC_RESPONSE:
		return softacc_ioc_response(queue, user);
	default:
		return -ENOTTY;
	}
}

const struct uacce_ops softacc_uacce_ops = {
	.get_queue = softacc_get_queue,
	.put_queue = softacc_put_queue,
	.is_q_updated = softacc_is_updated,
	.ioctl = softacc_ioctl,
};
