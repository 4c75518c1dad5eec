// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: the software IOMMU
 *
 * It translates nothing: the engine uses the process's own page tables through
 * the CPU. What it does have is PASIDs that are attached and detached, page
 * requests, and their answers.
 */
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "core.h"

static struct iommu_device softacc_iommu;
static struct iopf_queue *softacc_iopf_queue;

static bool softacc_is_ours(struct device *dev)
{
	return dev_is_platform(dev) &&
	       !strcmp(to_platform_device(dev)->name, "softacc");
}

/*
 * No more requests of this PASID: the engine stops, what is in the ring is
 * reported, what has been reported is answered. After that the device forgets
 * groups that have got no answer.
 */
static void softacc_detach_pasid(struct device *dev, ioasid_t pasid)
{
	struct softacc_dev *sdev = dev_get_drvdata(dev);

	softacc_stop_pasid(sdev, pasid);
	if (!softacc_no_drain) {
		softacc_ring_drain();
		iopf_queue_flush_pasid(dev, pasid);
	}
	softacc_forget_pasid(sdev, pasid);
}

static int softacc_block_pasid(struct iommu_domain *domain, struct device *dev,
			       ioasid_t pasid, struct iommu_domain *old)
{
	softacc_detach_pasid(dev, pasid);
	return 0;
}

/* How kernels before 6.13 detach a PASID. */
static void __maybe_unused softacc_remove_dev_pasid(struct device *dev,
						    ioasid_t pasid,
						    struct iommu_domain *domain)
{
	softacc_detach_pasid(dev, pasid);
}

static int softacc_attach_pasid(struct iommu_domain *domain, struct device *dev,
				ioasid_t pasid, struct iommu_domain *old)
{
	return 0;
}

static void softacc_domain_free(struct iommu_domain *domain)
{
	kfree(domain);
}

static const struct iommu_domain_ops softacc_sva_ops = {
	.set_dev_pasid = softacc_attach_pasid,
	.free = softacc_domain_free,
};

static const struct iommu_domain_ops softacc_identity_ops = {
	.attach_dev = softacc_attach_dev,
};

static const struct iommu_domain_ops softacc_blocked_ops = {
	.attach_dev = softacc_attach_dev,
	.set_dev_pasid = softacc_block_pasid,
};

static struct iommu_domain softacc_identity_domain = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &softacc_identity_ops,
};

static struct iommu_domain softacc_blocked_domain = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &softacc_blocked_ops,
};

static struct iommu_domain *softacc_domain_alloc_sva(struct device *dev,
						     struct mm_struct *mm)
{
	struct iommu_domain *domain;

	domain = kzalloc(sizeof(*domain), GFP_KERNEL);
	if (!domain)
		return ERR_PTR(-ENOMEM);
	domain->ops = &softacc_sva_ops;
	return domain;
}

static struct iommu_device *softacc_probe_device(struct device *dev)
{
	return softacc_is_ours(dev) ? &softacc_iommu : ERR_PTR(-ENODEV);
}

static int softacc_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static void softacc_page_response(struct device *dev, struct iopf_fault *evt,
				  struct iommu_page_response *resp)
{
	bool pasid_valid = evt->fault.prm.flags &
			   IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;

	softacc_answer(dev_get_drvdata(dev), pasid_valid, resp->pasid,
		       resp->grpid, resp->code);
}

static const struct iommu_ops softacc_iommu_ops = {
	.owner = THIS_MODULE,
	.identity_domain = &softacc_identity_domain,
	.blocked_domain = &softacc_blocked_domain,
	.domain_alloc_sva = softacc_domain_alloc_sva,
	.probe_device = softacc_probe_device,
	.device_group = generic_device_group,
	.def_domain_type = softacc_def_domain_type,
	.page_response = softacc_page_response,
	SOFTACC_VERSION_OPS
};

/* Devices without a firmware node go to the first IOMMU that has none either. */
int softacc_iommu_add(struct device *dev)
{
	if (!dev->iommu || dev->iommu->iommu_dev != &softacc_iommu) {
		dev_err(dev, "another IOMMU driver has taken this device: softacc works only without a hardware IOMMU, try intel_iommu=off amd_iommu=off\n");
		return -EBUSY;
	}
	return iopf_queue_add_device(softacc_iopf_queue, dev);
}

void softacc_iommu_remove(struct device *dev)
{
	softacc_ring_drain();
	iopf_queue_remove_device(softacc_iopf_queue, dev);
}

/*
 * Registering without a device of its own makes the IOMMU core offer us all
 * platform devices that have no firmware node, which saves a fwspec and its lock
 * that modules cannot take.
 */
int softacc_iommu_init(void)
{
	int ret;

	softacc_iopf_queue = iopf_queue_alloc("softacc");
	if (!softacc_iopf_queue)
		return -ENOMEM;
	softacc_iommu.max_pasids = 1 << SOFTACC_MAX_PASID_BITS;
	ret = iommu_device_sysfs_add(&softacc_iommu, NULL, NULL, "softacc");
	if (ret)
		goto err_queue;
	ret = iommu_device_register(&softacc_iommu, &softacc_iommu_ops, NULL);
	if (ret)
		goto err_sysfs;
	return 0;

err_sysfs:
	iommu_device_sysfs_remove(&softacc_iommu);
err_queue:
	iopf_queue_free(softacc_iopf_queue);
	return ret;
}

void softacc_iommu_exit(void)
{
	iommu_device_unregister(&softacc_iommu);
	iommu_device_sysfs_remove(&softacc_iommu);
	iopf_queue_free(softacc_iopf_queue);
}
