// SPDX-License-Identifier: GPL-2.0
/*
 * iopf_forward: page faults of a device in user space
 *
 * For devices that use address spaces which this kernel does not manage, such as those of
 * a guest. iommufd forwards the faults of devices that are assigned to a user. This module
 * forwards those of any device behind an IOMMU, through a registered handler.
 *
 * A file is bound only while its device exists, and no handler is registered any more when
 * dev->iommu is freed. device_del() sends BUS_NOTIFY_DEL_DEVICE, removes the device from
 * its bus, unbinds the driver, and sends BUS_NOTIFY_REMOVED_DEVICE, on which the IOMMU
 * core releases the device. On the first notification files are unbound, while the device
 * still has its driver. A bind may come after that, because the device is found until it
 * is removed from its bus. Therefore fwd_add_file() finds the device and adds the file to
 * fwd_files under one hold of fwd_lock, so that every file with the device is in the list
 * once the device is off its bus. On the second notification, which comes here before the
 * IOMMU core because of FWD_PRIORITY, files are unbound again; fwd_unbind() waits for a
 * bind in progress.
 */
#include <linux/capability.h>
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
#define FWD_DEFAULT_STALL_MS	10000

/* Higher than that of the IOMMU core, which is 0. */
#define FWD_PRIORITY		1

/* Guards fwd_files; not held while waiting. */
static DEFINE_MUTEX(fwd_lock);
static LIST_HEAD(fwd_files);

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

/* Return true if @bind is invalid; otherwise set the defaults. */
static bool fwd_bad_bind(struct iopf_forward_bind *bind)
{
	if (bind->flags & ~(IOPF_FORWARD_PASID | IOPF_FORWARD_REFUSE) ||
	    bind->groups > IOPF_FORWARD_MAX_GROUPS ||
	    bind->requests > IOPF_FORWARD_MAX_REQUESTS ||
	    bind->stall_ms > IOPF_FORWARD_MAX_STALL_MS ||
	    (bind->pasid && !(bind->flags & IOPF_FORWARD_PASID)))
		return true;
	bind->groups = bind->groups ?: FWD_DEFAULT_GROUPS;
	bind->requests = bind->requests ?: FWD_DEFAULT_REQUESTS;
	bind->stall_ms = bind->stall_ms ?: FWD_DEFAULT_STALL_MS;
	return strnlen(bind->device, sizeof(bind->device)) ==
	       sizeof(bind->device);
}

static void fwd_free(struct kref *users)
{
	struct forward *fwd = container_of(users, struct forward, users);

	put_device(fwd->dev);
	xa_destroy(&fwd->delivered);
	mutex_destroy(&fwd->binding);
	kfree(fwd);
}

static void fwd_put(struct forward *fwd)
{
	kref_put(&fwd->users, fwd_free);
}

/* Find the device and add the file to the list, under one hold of the lock: see above. */
static int fwd_add_file(struct forward *fwd)
{
	int ret = -ENODEV;

	lockdep_assert_held(&fwd->binding);
	mutex_lock(&fwd_lock);
	fwd->dev = fwd_find_device(fwd->bind.device);
	if (fwd->dev) {
		list_add(&fwd->node, &fwd_files);
		ret = 0;
	}
	mutex_unlock(&fwd_lock);
	return ret;
}

static void fwd_remove_file(struct forward *fwd)
{
	lockdep_assert_held(&fwd->binding);
	mutex_lock(&fwd_lock);
	list_del(&fwd->node);
	mutex_unlock(&fwd_lock);
}

static int fwd_bind(struct forward *fwd, const struct iopf_forward_bind *bind)
{
	int ret;

	lockdep_assert_held(&fwd->binding);
	if (fwd->bound)
		return -EBUSY;
	fwd->bind = *bind;
	ret = fwd_add_file(fwd);
	if (ret)
		return ret;
	ret = iommu_register_device_fault_handler(fwd->dev, fwd_handler, fwd);
	if (ret) {
		fwd_remove_file(fwd);
		put_device(fwd->dev);
		fwd->dev = NULL;
		return ret;
	}
	/* Pairs with smp_load_acquire() in fwd_check_bound(). */
	smp_store_release(&fwd->bound, true);
	return 0;
}

/*
 * Unbind the file, if @dev is not NULL only from that device. It cannot be bound again: it
 * remains closed.
 */
static void fwd_unbind(struct forward *fwd, struct device *dev)
{
	mutex_lock(&fwd->binding);
	if (!fwd->bound || fwd->closed || (dev && fwd->dev != dev))
		goto unlock;
	do {
		/* The handler may own groups that it is about to queue: try again. */
		fwd_respond_all(fwd);
		if (iommu_unregister_device_fault_handler(fwd->dev) != -EBUSY)
			break;
		usleep_range(100, 1000);
	} while (true);
	cancel_work_sync(&fwd->reap);
	/* Wait for writers that send late responses: the device may be freed after this. */
	down_write(&fwd->responding);
	up_write(&fwd->responding);
	fwd_remove_file(fwd);
	wake_up_interruptible(&fwd->wait);
unlock:
	mutex_unlock(&fwd->binding);
}

static int fwd_open(struct inode *inode, struct file *file)
{
	struct forward *fwd;

	fwd = kzalloc(sizeof(*fwd), GFP_KERNEL_ACCOUNT);
	if (!fwd)
		return -ENOMEM;
	kref_init(&fwd->users);
	mutex_init(&fwd->binding);
	fwd_init_queue(fwd);
	file->private_data = fwd;
	return nonseekable_open(inode, file);
}

static int fwd_release(struct inode *inode, struct file *file)
{
	struct forward *fwd = file->private_data;

	fwd_unbind(fwd, NULL);
	fwd_put(fwd);
	return 0;
}

/* Return 0 if the file is bound, or an error if it was not bound yet or is not any more. */
static int fwd_check_bound(struct forward *fwd)
{
	/* Pairs with smp_store_release() in fwd_bind(). */
	if (!smp_load_acquire(&fwd->bound))
		return -ENOTCONN;
	return READ_ONCE(fwd->closed) ? -ENODEV : 0;
}

static ssize_t fwd_fop_read(struct file *file, char __user *buf, size_t len,
			    loff_t *pos)
{
	return fwd_check_bound(file->private_data) ?:
	       fwd_read(file->private_data, buf, len);
}

static ssize_t fwd_fop_write(struct file *file, const char __user *buf,
			     size_t len, loff_t *pos)
{
	return fwd_check_bound(file->private_data) ?:
	       fwd_write(file->private_data, buf, len);
}

static __poll_t fwd_fop_poll(struct file *file, poll_table *table)
{
	struct forward *fwd = file->private_data;
	__poll_t events = EPOLLOUT | EPOLLWRNORM;

	poll_wait(file, &fwd->wait, table);
	if (fwd_check_bound(fwd))
		return EPOLLHUP | EPOLLERR;
	if (!list_empty_careful(&fwd->queue))
		events |= EPOLLIN | EPOLLRDNORM;
	return events;
}

static long fwd_ioc_bind(struct forward *fwd, void __user *arg)
{
	struct iopf_forward_bind bind;
	long ret;

	/* In the initial user namespace, see iopf_forward.h. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&bind, arg, sizeof(bind)))
		return -EFAULT;
	if (fwd_bad_bind(&bind))
		return -EINVAL;
	ret = mutex_lock_interruptible(&fwd->binding);
	if (ret)
		return ret;
	ret = fwd_bind(fwd, &bind);
	mutex_unlock(&fwd->binding);
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
		fwd_requeue_delivered(fwd);
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

/* Return a file that is bound to @dev or being bound to it, with a reference, or NULL. */
static struct forward *fwd_find_file(struct device *dev)
{
	struct forward *fwd;

	mutex_lock(&fwd_lock);
	list_for_each_entry(fwd, &fwd_files, node) {
		if (fwd->dev == dev) {
			kref_get(&fwd->users);
			goto unlock;
		}
	}
	fwd = NULL;
unlock:
	mutex_unlock(&fwd_lock);
	return fwd;
}

/* Unbind all files of a device that is being removed, which wakes their readers. */
static int fwd_notify(struct notifier_block *nb, unsigned long action,
		      void *data)
{
	struct forward *fwd;

	if (action != BUS_NOTIFY_DEL_DEVICE &&
	    action != BUS_NOTIFY_REMOVED_DEVICE)
		return NOTIFY_DONE;
	while ((fwd = fwd_find_file(data))) {
		fwd_unbind(fwd, data);
		fwd_put(fwd);
	}
	return NOTIFY_OK;
}

static struct notifier_block fwd_notifiers[ARRAY_SIZE(fwd_buses)];

static void fwd_unregister_notifiers(unsigned int count)
{
	while (count--)
		bus_unregister_notifier(fwd_buses[count], &fwd_notifiers[count]);
}

static int fwd_register_notifiers(void)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(fwd_buses); i++) {
		fwd_notifiers[i].notifier_call = fwd_notify;
		fwd_notifiers[i].priority = FWD_PRIORITY;
		ret = bus_register_notifier(fwd_buses[i], &fwd_notifiers[i]);
		if (ret) {
			fwd_unregister_notifiers(i);
			return ret;
		}
	}
	return 0;
}

/* The notifiers are registered before the first file can be opened. */
static int __init fwd_module_init(void)
{
	int ret;

	ret = fwd_register_notifiers();
	if (ret)
		return ret;
	ret = misc_register(&fwd_misc);
	if (ret)
		fwd_unregister_notifiers(ARRAY_SIZE(fwd_buses));
	return ret;
}
module_init(fwd_module_init);

static void __exit fwd_module_exit(void)
{
	misc_deregister(&fwd_misc);
	fwd_unregister_notifiers(ARRAY_SIZE(fwd_buses));
}
module_exit(fwd_module_exit);

MODULE_DESCRIPTION("Page faults of a device, forwarded to user space");
MODULE_LICENSE("GPL");
