// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: the port "ring": platform devices behind the software IOMMU
 */
#include <linux/delay.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include "core.h"

#define SOFTACC_MAX_PRG_BITS	16

static unsigned int softacc_entries = 1024;
module_param_named(ring_entries, softacc_entries, uint, 0444);
MODULE_PARM_DESC(ring_entries,
		 "Size of the software IOMMU's page request ring, a power of two (default 1024)");

static unsigned int softacc_slow_removal;
module_param_named(slow_removal, softacc_slow_removal, uint, 0644);
MODULE_PARM_DESC(slow_removal,
		 "Milliseconds from the notification that a device is deleted to its end on the bus (default 0)");

static const struct property_entry softacc_properties[] = {
	PROPERTY_ENTRY_U32("pasid-num-bits", SOFTACC_MAX_PASID_BITS),
	{ }
};

/* The IOMMU core probes the device in platform_device_add(), so all is set before. */
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

static int softacc_platform_add(struct softacc_dev *sdev, int id)
{
	struct platform_device *pdev = softacc_add_platform(id);
	int ret;

	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	sdev->dev = &pdev->dev;
	platform_set_drvdata(pdev, sdev);
	ret = softacc_iommu_add(sdev->dev);
	if (ret)
		goto err_device;
	ret = softacc_handler_add(sdev);
	if (ret)
		goto err_iommu;
	return 0;

err_iommu:
	softacc_iommu_remove(sdev->dev);
err_device:
	platform_device_unregister(pdev);
	return ret;
}

static void softacc_platform_remove(struct softacc_dev *sdev)
{
	softacc_handler_remove(sdev);
	softacc_iommu_remove(sdev->dev);
	platform_device_unregister(to_platform_device(sdev->dev));
}

/*
 * With slow_removal, delay the removal after all other notifiers have run, to catch users
 * of a device that ignore BUS_NOTIFY_DEL_DEVICE.
 */
static int softacc_notify(struct notifier_block *nb, unsigned long action,
			  void *data)
{
	struct device *dev = data;

	if (action != BUS_NOTIFY_DEL_DEVICE ||
	    strcmp(to_platform_device(dev)->name, "softacc"))
		return NOTIFY_DONE;
	msleep(READ_ONCE(softacc_slow_removal));
	return NOTIFY_OK;
}

/* Called last of all notifiers. */
static struct notifier_block softacc_notifier = {
	.notifier_call = softacc_notify,
	.priority = INT_MIN,
};

static int softacc_platform_init(void)
{
	int ret;

	if (!is_power_of_2(softacc_entries) || softacc_entries > 1 << 20) {
		pr_err("softacc: ring_entries=%u is no power of two up to 2^20\n",
		       softacc_entries);
		return -EINVAL;
	}
	ret = softacc_ring_init(softacc_entries);
	if (ret)
		return ret;
	ret = softacc_iommu_init();
	if (ret)
		goto err_ring;
	ret = bus_register_notifier(&platform_bus_type, &softacc_notifier);
	if (ret)
		goto err_iommu;
	return 0;

err_iommu:
	softacc_iommu_exit();
err_ring:
	softacc_ring_exit();
	return ret;
}

static void softacc_platform_exit(void)
{
	bus_unregister_notifier(&platform_bus_type, &softacc_notifier);
	softacc_handler_exit();
	softacc_iommu_exit();
	softacc_ring_exit();
}

const struct softacc_port softacc_ring_port = {
	.name = "ring",
	.prg_bits = 9,
	.max_prg_bits = SOFTACC_MAX_PRG_BITS,
	.init = softacc_platform_init,
	.exit = softacc_platform_exit,
	.add = softacc_platform_add,
	.remove = softacc_platform_remove,
	.post = softacc_ring_post,
	.interrupt = softacc_ring_interrupt,
	.capacity = softacc_ring_capacity,
};
