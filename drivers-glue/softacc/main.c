// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: a software accelerator behind a software IOMMU
 *
 * For trying out and testing shared virtual addressing without hardware. What it
 * asks of the kernel is what a real accelerator asks: a PASID for a process,
 * page requests, and their answers.
 */
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "core.h"

static unsigned int softacc_devices = 1;
module_param_named(devices, softacc_devices, uint, 0444);
MODULE_PARM_DESC(devices, "Number of devices, 1 to 16 (default 1)");

static unsigned int softacc_entries = 1024;
module_param_named(ring_entries, softacc_entries, uint, 0444);
MODULE_PARM_DESC(ring_entries,
		 "Size of the page request ring, a power of two (default 1024)");

unsigned int softacc_prg_bits = 9;
module_param_named(prg_bits, softacc_prg_bits, uint, 0444);
MODULE_PARM_DESC(prg_bits,
		 "Width of a page request group index, 1 to 16 (default 9, as PCI)");

bool softacc_prg_per_pasid;
module_param_named(prg_per_pasid, softacc_prg_per_pasid, bool, 0444);
MODULE_PARM_DESC(prg_per_pasid,
		 "Each PASID counts its group indices from 0, so that PASIDs use the same ones");

bool softacc_no_drain;
module_param_named(no_drain, softacc_no_drain, bool, 0644);
MODULE_PARM_DESC(no_drain,
		 "Misbehave: detach PASIDs without draining their page requests");

static struct softacc_dev *softacc_table[SOFTACC_MAX_DEVICES];
static DEFINE_MUTEX(softacc_table_lock);

static const struct property_entry softacc_properties[] = {
	PROPERTY_ENTRY_U32("pasid-num-bits", SOFTACC_MAX_PASID_BITS),
	{ }
};

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

/* The IOMMU probes the device when it is added, so all is told before. */
static struct platform_device *softacc_add_platform(int id)
{
	struct platform_device *pdev;
	int ret;

	pdev = platform_device_alloc("softacc", id);
	if (!pdev)
		return ERR_PTR(-ENOMEM);
	ret = device_create_managed_software_node(&pdev->dev,
						  softacc_properties, NULL);
	if (!ret)
		ret = softacc_iommu_prepare(&pdev->dev);
	if (!ret)
		ret = platform_device_add(pdev);
	if (!ret)
		return pdev;
	softacc_iommu_unprepare(&pdev->dev);
	platform_device_put(pdev);
	return ERR_PTR(ret);
}

static struct softacc_dev *softacc_add(int id)
{
	struct platform_device *pdev;
	struct softacc_dev *sdev;
	int ret;

	sdev = kvzalloc(sizeof(*sdev), GFP_KERNEL);
	if (!sdev)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&sdev->lock);
	INIT_LIST_HEAD(&sdev->queues);
	INIT_LIST_HEAD(&sdev->indices);
	hash_init(sdev->injected);

	pdev = softacc_add_platform(id);
	if (IS_ERR(pdev)) {
		ret = PTR_ERR(pdev);
		goto err_free;
	}
	sdev->dev = &pdev->dev;
	sdev->port = &softacc_ring_port;
	platform_set_drvdata(pdev, sdev);
	ret = softacc_iommu_add(sdev->dev);
	if (ret)
		goto err_device;
	ret = softacc_add_uacce(sdev);
	if (ret)
		goto err_iommu;
	return sdev;

err_iommu:
	softacc_iommu_remove(sdev->dev);
err_device:
	platform_device_unregister(pdev);
err_free:
	kvfree(sdev);
	return ERR_PTR(ret);
}

/* Files may be open: UACCE ends their queues and unbinds them first. */
static void softacc_remove(struct softacc_dev *sdev)
{
	uacce_remove(sdev->uacce);
	softacc_iommu_remove(sdev->dev);
	platform_device_unregister(to_platform_device(sdev->dev));
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

static int softacc_add_all(void)
{
	struct softacc_dev *sdev;
	int ret = 0;
	int i;

	mutex_lock(&softacc_table_lock);
	for (i = 0; i < softacc_devices && !ret; i++) {
		sdev = softacc_add(i);
		if (IS_ERR(sdev))
			ret = PTR_ERR(sdev);
		else
			softacc_table[i] = sdev;
	}
	mutex_unlock(&softacc_table_lock);
	return ret;
}

/*
 * A device pins the driver of its IOMMU, which is this module: the devices have
 * to go before rmmod can work.
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

static int __init softacc_init(void)
{
	int ret;

	if (!softacc_devices || softacc_devices > SOFTACC_MAX_DEVICES) {
		pr_err("softacc: devices=%u is not between 1 and %d\n",
		       softacc_devices, SOFTACC_MAX_DEVICES);
		return -EINVAL;
	}
	if (!is_power_of_2(softacc_entries) || softacc_entries > 1 << 20) {
		pr_err("softacc: ring_entries=%u is no power of two up to 2^20\n",
		       softacc_entries);
		return -EINVAL;
	}
	if (!softacc_prg_bits || softacc_prg_bits > SOFTACC_MAX_PRG_BITS) {
		pr_err("softacc: prg_bits=%u is not between 1 and %d\n",
		       softacc_prg_bits, SOFTACC_MAX_PRG_BITS);
		return -EINVAL;
	}
	ret = softacc_ring_init(softacc_entries);
	if (ret)
		return ret;
	ret = softacc_iommu_init();
	if (ret)
		goto err_ring;
	ret = softacc_add_all();
	if (ret)
		goto err_iommu;
	return 0;

err_iommu:
	softacc_remove_all();
	softacc_iommu_exit();
err_ring:
	softacc_ring_exit();
	return ret;
}
module_init(softacc_init);

static void __exit softacc_exit(void)
{
	softacc_remove_all();
	softacc_iommu_exit();
	softacc_ring_exit();
}
module_exit(softacc_exit);

MODULE_DESCRIPTION("Software accelerator with shared virtual addressing");
MODULE_LICENSE("GPL");
