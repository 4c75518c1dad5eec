// SPDX-License-Identifier: GPL-2.0
/*
 * iopf_forward: a device's page faults in user space
 *
 * For devices whose address spaces are somebody's who lives there: a guest's. What
 * iommufd does for devices that are assigned to a user, this does for any device
 * behind an IOMMU, through the report API: it registers a handler.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "core.h"

#define FWD_DEFAULT_GROUPS	1024
#define FWD_DEFAULT_REQUESTS	16384

/* Binding and unbinding; the files that are bound. */
static DEFINE_MUTEX(fwd_lock);
static LIST_HEAD(fwd_bound);

static const struct bus_type *const fwd_buses[] = {
	&platform_bus_type,
#ifdef CONFIG_PCI
	&pci_bus_type,
#endif
};

static struct device *fwd_find_device(const char *name)
{
	const char *slash = strchr(name, '/');
	unsigned int i;

	for (i = 0; slash && i < ARRAY_SIZE(fwd_buses); i++)
		if (strlen(fwd_buses[i]->name) == slash - name &&
		    !strncmp(fwd_buses[i]->name, name, slash - name))
			return bus_find_device_by_name(fwd_buses[i], NULL,
						       slash + 1);
	return NULL;
}

static bool fwd_bad_bind(struct iopf_forward_bind *bind)
{
	if (bind->flags & ~(IOPF_FORWARD_PASID | IOPF_FORWARD_REFUSE) ||
	    bind->reserved || bind->groups > IOPF_FORWARD_MAX_GROUPS ||
	    bind->requests > IOPF_FORWARD_MAX_REQUESTS ||
	    (bind->pasid && !(bind->flags & IOPF_FORWARD_PASID)))
		return true;
	bind->groups = bind->groups ?: FWD_DEFAULT_GROUPS;
	bind->requests = bind->requests ?: FWD_DEFAULT_REQUESTS;
	return strnlen(bind->device, sizeof(bind->device)) ==
	       sizeof(bind->device);
}

static int fwd_bind(struct forward *fwd, const struct iopf_forward_bind *bind)
{
	struct device *dev;
	int ret;

	lockdep_assert_held(&fwd_lock);
	if (fwd->dev || fwd->closed)
		return -EBUSY;
	dev = fwd_find_device(bind->device);
	if (!dev)
		return -ENODEV;
	fwd->bind = *bind;
	fwd->dev = dev;
	ret = iommu_register_device_fault_handler(dev, fwd_handler, fwd);
	if (ret) {
		fwd->dev = NULL;
		put_device(dev);
		return ret;
	}
	list_add(&fwd->node, &fwd_bound);
	return 0;
}

/* For good: a file is bound once. */
static void fwd_unbind(struct forward *fwd)
{
	lockdep_assert_held(&fwd_lock);
	if (!fwd->dev || fwd->closed)
		return;
	do {
		/* The handler may just be queueing another one. */
		fwd_answer_all(fwd);
		if (iommu_unregister_device_fault_handler(fwd->dev) != -EBUSY)
			break;
		usleep_range(100, 1000);
	} while (true);
	cancel_work_sync(&fwd->reap);
	/* Late answers are on their way, too, and the device may go after this. */
	down_write(&fwd->answering);
	up_write(&fwd->answering);
	list_del(&fwd->node);
	wake_up_interruptible(&fwd->wait);
}

static int fwd_open(struct inode *inode, struct file *file)
{
	struct forward *fwd;

	fwd = kzalloc(sizeof(*fwd), GFP_KERNEL);
	if (!fwd)
		return -ENOMEM;
	fwd_init_queue(fwd);
	file->private_data = fwd;
	return nonseekable_open(inode, file);
}

static int fwd_release(struct inode *inode, struct file *file)
{
	struct forward *fwd = file->private_data;

	mutex_lock(&fwd_lock);
	fwd_unbind(fwd);
	mutex_unlock(&fwd_lock);
	if (fwd->dev)
		put_device(fwd->dev);
	xa_destroy(&fwd->delivered);
	kfree(fwd);
	return 0;
}

/* 0 if there is a device, and it is still there. */
static int fwd_state(struct forward *fwd)
{
	if (!READ_ONCE(fwd->dev))
		return -ENOTCONN;
	return READ_ONCE(fwd->closed) ? -ENODEV : 0;
}

static ssize_t fwd_fop_read(struct file *file, char __user *buf, size_t len,
			    loff_t *pos)
{
	return fwd_state(file->private_data) ?:
	       fwd_read(file->private_data, buf, len);
}

static ssize_t fwd_fop_write(struct file *file, const char __user *buf,
			     size_t len, loff_t *pos)
{
	return fwd_state(file->private_data) ?:
	       fwd_write(file->private_data, buf, len);
}

static __poll_t fwd_fop_poll(struct file *file, poll_table *table)
{
	struct forward *fwd = file->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &fwd->wait, table);
	if (fwd_state(fwd))
		return EPOLLHUP | EPOLLERR;
	if (!list_empty_careful(&fwd->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	return events;
}

static long fwd_ioc_bind(struct forward *fwd, void __user *arg)
{
	struct iopf_forward_bind bind;
	long ret;

	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (fwd_bad_bind(&bind))
		return -EINVAL;
	mutex_lock(&fwd_lock);
	ret = fwd_bind(fwd, &bind);
	mutex_unlock(&fwd_lock);
	return ret;
}

static long fwd_ioc_stats(struct forward *fwd, void __user *arg)
{
	struct iopf_forward_stats stats;

	spin_lock(&fwd->lock);
	stats = fwd->stats;
	spin_unlock(&fwd->lock);
	return copy_to_user(arg, &stats, sizeof(stats)) ? -EFAULT : 0;
}

static long fwd_fop_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct forward *fwd = file->private_data;

	switch (cmd) {
	case IOPF_FORWARD_IOC_BIND:
		return fwd_ioc_bind(fwd, (void __user *)arg);
	case IOPF_FORWARD_IOC_STATS:
		return fwd_ioc_stats(fwd, (void __user *)arg);
	case IOPF_FORWARD_IOC_AGAIN:
		if (arg)
			return -EINVAL;
		fwd_again(fwd);
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations fwd_fops = {
	.owner = THIS_MODULE,
	.open = fwd_open,
	.release = fwd_release,
	.read = fwd_fop_read,
	.write = fwd_fop_write,
	.poll = fwd_fop_poll,
	.unlocked_ioctl = fwd_fop_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice fwd_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "iopf-forward",
	.fops = &fwd_fops,
	.mode = 0600,
};

/* A device goes away: its faults are answered, and its reader learns of it. */
static int fwd_notify(struct notifier_block *nb, unsigned long action,
		      void *data)
{
	struct forward *fwd;
	struct forward *next;

	if (action != BUS_NOTIFY_DEL_DEVICE)
		return NOTIFY_DONE;
	mutex_lock(&fwd_lock);
	list_for_each_entry_safe(fwd, next, &fwd_bound, node)
		if (fwd->dev == data)
			fwd_unbind(fwd);
	mutex_unlock(&fwd_lock);
	return NOTIFY_OK;
}

static struct notifier_block fwd_notifiers[ARRAY_SIZE(fwd_buses)];

static int __init fwd_module_init(void)
{
	unsigned int i;
	int ret;

	ret = misc_register(&fwd_misc);
	if (ret)
		return ret;
	for (i = 0; i < ARRAY_SIZE(fwd_buses); i++) {
		fwd_notifiers[i].notifier_call = fwd_notify;
		bus_register_notifier(fwd_buses[i], &fwd_notifiers[i]);
	}
	return 0;
}
module_init(fwd_module_init);

static void __exit fwd_module_exit(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fwd_buses); i++)
		bus_unregister_notifier(fwd_buses[i], &fwd_notifiers[i]);
	misc_deregister(&fwd_misc);
}
module_exit(fwd_module_exit);

MODULE_DESCRIPTION("Page faults of a device, forwarded to user space");
MODULE_LICENSE("GPL");
