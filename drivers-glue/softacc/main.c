// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: software accelerator behind a software or an emulated IOMMU
 *
 * For testing shared virtual addressing without hardware. It uses the kernel as a real
 * accelerator does: it binds processes to PASIDs, sends page requests and waits for the
 * responses.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "core.h"

static unsigned int softacc_devices = 1;
module_param_named(devices, softacc_devices, uint, 0444);
MODULE_PARM_DESC(devices, "Number of devices, 1 to 16 (default 1)");

static char *softacc_port_name = "ring";
module_param_named(port, softacc_port_name, charp, 0444);
MODULE_PARM_DESC(port,
		 "Where page requests go: ring, a software IOMMU (default), or vtd, the emulated VT-d of QEMU");

const struct softacc_port *softacc_port;

unsigned int softacc_prg_bits;
module_param_named(prg_bits, softacc_prg_bits, uint, 0444);
MODULE_PARM_DESC(prg_bits,
		 "Width of the engine's page request group indices, 1 to 16 (default 9, as PCI; vtd: 8 at most, the other indices are for injected requests)");

bool softacc_prg_per_pasid;
module_param_named(prg_per_pasid, softacc_prg_per_pasid, bool, 0444);
MODULE_PARM_DESC(prg_per_pasid,
		 "Each PASID has all group indices, so that PASIDs use the same ones");

bool softacc_single;
module_param_named(single, softacc_single, bool, 0444);
MODULE_PARM_DESC(single,
		 "Report page requests one by one and flush whole devices, as a driver that uses only <linux/iommu.h> (default: report batches, flush PASIDs; not for port=vtd)");

bool softacc_fifo = true;
module_param_named(fifo, softacc_fifo, bool, 0444);
MODULE_PARM_DESC(fifo,
		 "The reporting thread is SCHED_FIFO, as interrupt threads are (default true; not for port=vtd)");

bool softacc_no_drain;
module_param_named(no_drain, softacc_no_drain, bool, 0644);
MODULE_PARM_DESC(no_drain,
		 "Misbehave: detach PASIDs without draining their page requests");

bool softacc_no_flush;
module_param_named(no_flush, softacc_no_flush, bool, 0644);
MODULE_PARM_DESC(no_flush,
		 "Misbehave: detach PASIDs after draining their page requests, without flushing the fault queue");

unsigned int softacc_slow_responses;
module_param_named(slow_responses, softacc_slow_responses, uint, 0644);
MODULE_PARM_DESC(slow_responses,
		 "Microseconds that it takes to send one response in eight (default 0)");

bool softacc_overflow;
module_param_named(overflow, softacc_overflow, bool, 0644);
MODULE_PARM_DESC(overflow,
		 "The page request ring overflows as VT-d's does: requests that find no room are dropped, the hardware responds to last requests");

static struct softacc_dev *softacc_table[SOFTACC_MAX_DEVICES];
static DEFINE_MUTEX(softacc_table_lock);

static int softacc_add_uacce(struct softacc_dev *sdev)
{
	struct uacce_interface interface = {
		.name = "softacc",
		.flags = UACCE_DEV_SVA,
		.ops = &softacc_uacce_ops,
	};
	int ret;

	sdev->uacce = uacce_alloc(sdev->dev, &interface);
	if (IS_ERR(sdev->uacce))
		return PTR_ERR(sdev->uacce);
	sdev->uacce->priv = sdev;
	sdev->uacce->algs = "fill\ncopy\ncompare\nchecksum\n";
	sdev->uacce->api_ver = "softacc_v1";
	ret = sdev->uacce->flags & UACCE_DEV_SVA ? 0 : -EOPNOTSUPP;
	if (!ret)
		ret = uacce_register(sdev->uacce);
	if (ret)
		uacce_remove(sdev->uacce);
	return ret;
}

static struct softacc_dev *softacc_add(int id)
{
	struct softacc_dev *sdev;
	int ret;

	sdev = kvzalloc(sizeof(*sdev), GFP_KERNEL);
	if (!sdev)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&sdev->lock);
	INIT_LIST_HEAD(&sdev->queues);
	INIT_LIST_HEAD(&sdev->indices);
	hash_init(sdev->injected);
	sdev->port = softacc_port;

	ret = sdev->port->add(sdev, id);
	if (ret)
		goto err_free;
	ret = softacc_add_uacce(sdev);
	if (ret)
		goto err_port;
	return sdev;

err_port:
	sdev->port->remove(sdev);
err_free:
	kvfree(sdev);
	return ERR_PTR(ret);
}

/**
 * struct softacc_record - sums of the counters of removed devices
 * @devices: number of removed devices
 * @requests: page requests sent
 * @groups: groups sent
 * @missing: groups that got no response
 * @duplicate: second responses to a group
 * @unexpected: responses to no group
 *
 * Guarded by softacc_table_lock.
 */
static struct softacc_record {
	u64 devices;
	u64 requests;
	u64 groups;
	u64 missing;
	u64 duplicate;
	u64 unexpected;
} softacc_record;

/* Called after the device left its fault queue, when all responses have been sent. */
static void softacc_add_record(struct softacc_dev *sdev)
{
	struct softacc_stats *stats = &sdev->stats;

	softacc_record.devices++;
	softacc_record.requests += stats->requests;
	softacc_record.groups += stats->groups;
	softacc_record.missing += stats->outstanding + stats->forgotten;
	softacc_record.duplicate += stats->duplicate;
	softacc_record.unexpected += stats->spurious - stats->duplicate;
}

static int softacc_get_record(char *buffer, const struct kernel_param *kp)
{
	int len;

	mutex_lock(&softacc_table_lock);
	len = sysfs_emit(buffer,
			 "devices %llu requests %llu groups %llu missing %llu duplicate %llu unexpected %llu\n",
			 softacc_record.devices, softacc_record.requests,
			 softacc_record.groups, softacc_record.missing,
			 softacc_record.duplicate, softacc_record.unexpected);
	mutex_unlock(&softacc_table_lock);
	return len;
}

static const struct kernel_param_ops softacc_record_ops = {
	.get = softacc_get_record,
};

module_param_cb(record, &softacc_record_ops, NULL, 0444);
MODULE_PARM_DESC(record, "Sums of the counters of removed devices");

/* Remove a device. Files may be open: uacce_remove() puts their queues and unbinds them. */
static void softacc_remove(struct softacc_dev *sdev)
{
	uacce_remove(sdev->uacce);
	sdev->port->remove(sdev);
	softacc_add_record(sdev);
	softacc_free_indices(sdev);
	softacc_free_all_injected(sdev);
	kvfree(sdev);
}

static void softacc_remove_all(void)
{
	int i;

	mutex_lock(&softacc_table_lock);
	for (i = 0; i < SOFTACC_MAX_DEVICES; i++) {
		if (softacc_table[i])
			softacc_remove(softacc_table[i]);
		softacc_table[i] = NULL;
	}
	mutex_unlock(&softacc_table_lock);
}

/* Add those of the first @count devices that do not exist. */
static int softacc_add_all(unsigned int count)
{
	struct softacc_dev *sdev;
	int ret = 0;
	int i;

	mutex_lock(&softacc_table_lock);
	for (i = 0; i < count && !ret; i++) {
		if (softacc_table[i])
			continue;
		sdev = softacc_add(i);
		if (IS_ERR(sdev))
			ret = PTR_ERR(sdev);
		else
			softacc_table[i] = sdev;
	}
	mutex_unlock(&softacc_table_lock);
	return ret;
}

void softacc_for_each(void (*fn)(struct softacc_dev *sdev, unsigned int arg),
		      unsigned int arg)
{
	int i;

	mutex_lock(&softacc_table_lock);
	for (i = 0; i < SOFTACC_MAX_DEVICES; i++)
		if (softacc_table[i])
			fn(softacc_table[i], arg);
	mutex_unlock(&softacc_table_lock);
}

/*
 * Remove all devices, so that the module can be unloaded: a device holds a reference to
 * the driver of its IOMMU, which is this module.
 */
static int softacc_set_remove(const char *value, const struct kernel_param *kp)
{
	softacc_remove_all();
	return 0;
}

static const struct kernel_param_ops softacc_remove_ops = {
	.set = softacc_set_remove,
};

module_param_cb(remove, &softacc_remove_ops, NULL, 0200);
MODULE_PARM_DESC(remove, "Write anything: remove all devices, so that the module can be unloaded");

static int softacc_set_add(const char *value, const struct kernel_param *kp)
{
	unsigned int count;
	int ret;

	ret = kstrtouint(value, 0, &count);
	if (ret)
		return ret;
	/* While the module is being loaded, there is no port yet. */
	if (!softacc_port || !count || count > SOFTACC_MAX_DEVICES)
		return -EINVAL;
	return softacc_add_all(count);
}

static const struct kernel_param_ops softacc_add_ops = {
	.set = softacc_set_add,
};

module_param_cb(add, &softacc_add_ops, NULL, 0200);
MODULE_PARM_DESC(add, "Write a number: have that many devices, those that were removed too");

static const struct softacc_port *softacc_find_port(const char *name)
{
	static const struct softacc_port * const ports[] = {
		&softacc_ring_port,
#ifdef SOFTACC_HAS_VTD
		&softacc_vtd_port,
#endif
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(ports); i++)
		if (sysfs_streq(name, ports[i]->name))
			return ports[i];
	return NULL;
}

static int __init softacc_init(void)
{
	int ret;

	if (!softacc_devices || softacc_devices > SOFTACC_MAX_DEVICES) {
		pr_err("softacc: devices=%u is not between 1 and %d\n",
		       softacc_devices, SOFTACC_MAX_DEVICES);
		return -EINVAL;
	}
	softacc_port = softacc_find_port(softacc_port_name);
	if (!softacc_port) {
		pr_err("softacc: this kernel has no port=%s; there is port=ring, and port=vtd with intel-iommu\n",
		       softacc_port_name);
		return -EINVAL;
	}
	softacc_prg_bits = softacc_prg_bits ?: softacc_port->prg_bits;
	if (softacc_prg_bits > softacc_port->max_prg_bits) {
		pr_err("softacc: prg_bits=%u is not between 1 and %u\n",
		       softacc_prg_bits, softacc_port->max_prg_bits);
		return -EINVAL;
	}
	ret = softacc_port->init();
	if (ret)
		return ret;
	ret = softacc_add_all(softacc_devices);
	if (ret) {
		softacc_remove_all();
		softacc_port->exit();
	}
	return ret;
}
module_init(softacc_init);

static void __exit softacc_exit(void)
{
	softacc_remove_all();
	softacc_port->exit();
}
module_exit(softacc_exit);

MODULE_DESCRIPTION("Software accelerator with shared virtual addressing");
MODULE_LICENSE("GPL");
