// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: software IOMMU
 *
 * It does not translate addresses: the engine uses the page tables of the process through
 * the CPU. It attaches and detaches PASIDs, and handles page responses.
 */
#include <linux/delay.h>
#include <linux/property.h>
#include <linux/slab.h>

#include "core.h"

static struct iommu_device softacc_iommu;
static struct iopf_queue *softacc_iopf_queue;

/* Held for writing while softacc_replug_fn() has a device off its fault queue. */
static DECLARE_RWSEM(softacc_queue_sem);

void softacc_iommu_lock_queue(struct device *dev)
{
	down_read(&softacc_queue_sem);
}

void softacc_iommu_unlock_queue(struct device *dev)
{
	up_read(&softacc_queue_sem);
}

/*
 * End the requests of a PASID: let the engine send no more, wait until those in the ring
 * have been reported, and flush the fault queue. Groups without a response after that get
 * none any more.
 */
static void softacc_detach_pasid(struct device *dev, ioasid_t pasid)
{
	struct softacc_dev *sdev = dev_get_drvdata(dev);

	softacc_stop_pasid(sdev, pasid);
	/* Without a drain, responses still come. */
	if (softacc_no_drain)
		return;
	softacc_ring_drain();
	if (softacc_no_flush)
		return;
	softacc_iommu_lock_queue(dev);
	if (softacc_single)
		iopf_queue_flush_dev(dev);
	else
		iopf_queue_flush_pasid(dev, pasid);
	softacc_iommu_unlock_queue(dev);
	softacc_forget_pasid(sdev, pasid);
}

static int softacc_block_pasid(struct iommu_domain *domain, struct device *dev,
			       ioasid_t pasid, struct iommu_domain *old)
{
	softacc_detach_pasid(dev, pasid);
	return 0;
}

/* Kernels before 6.13 detach a PASID by this operation. */
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

static const struct iommu_domain_ops softacc_handled_ops = {
	.set_dev_pasid = softacc_attach_pasid,
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
	return &softacc_iommu;
}

static int softacc_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static void softacc_page_response(struct device *dev, struct iopf_fault *evt,
				  struct iommu_page_response *resp)
{
	unsigned int us = READ_ONCE(softacc_slow_responses);
	u32 flags = evt->fault.prm.flags;

	/* With slow_responses, one in eight is sent late, as with a full hardware queue. */
	if (us && !(resp->grpid & 7))
		usleep_range(us, 2 * us);
	softacc_respond(dev_get_drvdata(dev),
			flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID,
			resp->pasid, resp->grpid,
			flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE, resp->code);
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

void softacc_init_domain(struct iommu_domain *domain)
{
	domain->type = IOMMU_DOMAIN_UNMANAGED;
	domain->ops = &softacc_handled_ops;
	domain->owner = &softacc_iommu_ops;
}

/*
 * Put @dev, which was not added yet, behind this IOMMU. iommu_fwspec_init() does this for
 * devices that firmware describes, under a lock that modules cannot take; before
 * device_add() no lock is needed. The IOMMU core frees dev->iommu with the device.
 */
int softacc_iommu_prepare(struct device *dev)
{
	struct iommu_fwspec *fwspec;
	struct dev_iommu *iommu;

	fwspec = kzalloc(struct_size(fwspec, ids, 1), GFP_KERNEL);
	iommu = kzalloc(sizeof(*iommu), GFP_KERNEL);
	if (!fwspec || !iommu) {
		kfree(fwspec);
		kfree(iommu);
		return -ENOMEM;
	}
	mutex_init(&iommu->lock);
	fwspec->iommu_fwnode = fwnode_handle_get(softacc_iommu.fwnode);
	dev->iommu = iommu;
	dev_iommu_fwspec_set(dev, fwspec);
	return 0;
}

/* Undo softacc_iommu_prepare() for a device that could not be added. */
void softacc_iommu_unprepare(struct device *dev)
{
	struct dev_iommu *iommu = dev->iommu;

	if (!iommu)
		return;
	dev->iommu = NULL;
	if (iommu->fwspec)
		fwnode_handle_put(iommu->fwspec->iommu_fwnode);
	kfree(iommu->fwspec);
	kfree(iommu);
}

int softacc_iommu_add(struct device *dev)
{
	/* The IOMMU core does not report why it did not probe a device. */
	if (!dev->iommu || dev->iommu->iommu_dev != &softacc_iommu) {
		dev_err(dev, "the IOMMU core has not taken this device\n");
		return -ENODEV;
	}
	return iopf_queue_add_device(softacc_iopf_queue, dev);
}

void softacc_iommu_remove(struct device *dev)
{
	softacc_ring_drain();
	iopf_queue_remove_device(softacc_iopf_queue, dev);
}

void softacc_iommu_flush(struct device *dev)
{
	softacc_iommu_lock_queue(dev);
	iopf_queue_flush_dev(dev);
	softacc_iommu_unlock_queue(dev);
}

/* Called by the interrupt thread with an empty ring, so no request is reported meanwhile. */
static void softacc_replug_fn(struct device *dev)
{
	int ret;

	down_write(&softacc_queue_sem);
	iopf_queue_remove_device(softacc_iopf_queue, dev);
	do {
		ret = iopf_queue_add_device(softacc_iopf_queue, dev);
	} while (ret == -ENOMEM);
	WARN_ON(ret);
	up_write(&softacc_queue_sem);
}

/* Remove the device, with its groups, from its fault queue and add it again. */
void softacc_iommu_replug(struct device *dev)
{
	softacc_ring_call(softacc_replug_fn, dev);
}

void softacc_discard_partial(struct device *unused)
{
	iopf_queue_discard_partial(softacc_iopf_queue);
}

void softacc_iommu_discard(void)
{
	softacc_ring_call(softacc_discard_partial, NULL);
}

int softacc_iommu_set_timeout(unsigned int ms)
{
	int ret = iopf_queue_set_timeout(softacc_iopf_queue, ms ?: -1);

	return ret ?: iopf_queue_set_domain_timeout(softacc_iopf_queue,
						    ms ?: -1);
}

int softacc_iommu_init(void)
{
	struct fwnode_handle *fwnode;
	int ret;

	/* The firmware node distinguishes this IOMMU from others. */
	fwnode = fwnode_create_software_node(NULL, NULL);
	if (IS_ERR(fwnode))
		return PTR_ERR(fwnode);
	softacc_iommu.fwnode = fwnode;
	ret = -ENOMEM;
	softacc_iopf_queue = iopf_queue_alloc("softacc");
	if (!softacc_iopf_queue)
		goto err_node;
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
err_node:
	fwnode_remove_software_node(fwnode);
	return ret;
}

void softacc_iommu_exit(void)
{
	iommu_device_unregister(&softacc_iommu);
	iommu_device_sysfs_remove(&softacc_iommu);
	iopf_queue_free(softacc_iopf_queue);
	fwnode_remove_software_node(softacc_iommu.fwnode);
}
