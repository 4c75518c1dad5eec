// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: the domain of a PASID
 *
 * Tells whether the domain is an SVA domain, whose address space the fault queue
 * works on, and delivers complete groups to the iopf_handler of any other domain.
 */
#include <linux/sched/mm.h>

#include "path.h"

/* Groups that are begun before the domain of their PASID is asked again. */
#define IOPF_MM_USES		64

/*
 * The handle stays valid as long as the driver keeps its side: what detaches a
 * PASID waits for reports of that PASID. Drivers that fail to do so are the
 * reason for looking at an SVA domain inside one RCU read section only.
 */
static struct iommu_attach_handle *
iopf_find_handle(struct device *dev, const struct iommu_fault *fault)
{
	struct iopf_key key = iopf_key(fault);
	struct iommu_attach_handle *handle;

	handle = iommu_attach_handle_get(dev->iommu_group,
					 iopf_key_has_pasid(&key) ? key.pasid :
							   IOMMU_NO_PASID, 0);
	/* A PASID table in user space: the domain of the device has them all. */
	if (IS_ERR(handle) && iopf_key_has_pasid(&key) &&
	    dev_iommu_ops(dev)->user_pasid_table)
		handle = iommu_attach_handle_get(dev->iommu_group,
						 IOMMU_NO_PASID,
						 IOMMU_DOMAIN_NESTED);
	if (IS_ERR(handle) || !handle->domain->iopf_handler)
		return NULL;
	return handle;
}

void iopf_warn_refused(struct device *dev, u32 pasid, u32 grpid)
{
	dev_warn_ratelimited(dev, "page request group %u of PASID %u refused\n",
			     grpid, pasid);
}

/*
 * The address space that @fault is about, NULL if its PASID's domain is none. What
 * comes while earlier groups of the PASID have no response is for the same one: they
 * hold the mm, so the PASID cannot have been given away. The domain is asked again
 * when they are answered, after a flush, and now and then, as not every driver
 * flushes, and not every device stops when it should.
 */
struct mm_struct *iopf_find_mm(struct iopf_pasid_queue *pq, struct device *dev,
			       const struct iommu_fault *fault)
{
	struct iommu_attach_handle *handle;

	lockdep_assert_held(&pq->fdev->lock);
	if (pq->mm && pq->mm_uses) {
		pq->mm_uses--;
		return pq->mm;
	}
	pq->mm = NULL;
	pq->mm_uses = IOPF_MM_USES;
	handle = iopf_find_handle(dev, fault);
	if (!handle || handle->domain->type != IOMMU_DOMAIN_SVA)
		return NULL;
	return handle->domain->mm;
}

/*
 * Is @pasid of @dev bound by iommu-sva.c, and the last user gone? Who takes it out of the
 * group's PASIDs holds the group's mutex until the driver has let go of it.
 */
bool iopf_pasid_is_unbound(struct device *dev, u32 pasid)
{
	struct iommu_attach_handle *handle;
	bool unbound = false;

	rcu_read_lock();
	handle = iommu_attach_handle_get(dev->iommu_group, pasid,
					 IOMMU_DOMAIN_SVA);
	if (!IS_ERR(handle))
		unbound = !refcount_read(&container_of(handle, struct iommu_sva,
						       handle)->users);
	rcu_read_unlock();
	return unbound;
}

/* The handle of a PASID whose domain has a handler of its own, or NULL. */
static struct iommu_attach_handle *
iopf_find_foreign_handle(struct device *dev, const struct iommu_fault *fault)
{
	struct iommu_attach_handle *handle;

	/* An SVA domain may be about to go, and is none of ours here. */
	rcu_read_lock();
	handle = iopf_find_handle(dev, fault);
	if (handle && handle->domain->type == IOMMU_DOMAIN_SVA)
		handle = NULL;
	rcu_read_unlock();
	return handle;
}

/*
 * Deliver a complete group to the handler of its domain. The caller's reference
 * becomes the handler's. Without a handler, or if it fails, the group is refused.
 */
int iopf_deliver(struct device *dev, struct iopf_prg *prg)
{
	struct iopf_device *fdev = iopf_prg_device(prg);
	struct iommu_attach_handle *handle;
	int ret = -EINVAL;

	handle = iopf_find_foreign_handle(dev, &prg->base.last_fault.fault);
	if (handle) {
		prg->base.attach_handle = handle;
		/*
		 * On success the group is the handler's, who may have answered
		 * and freed it already.
		 */
		ret = handle->domain->iopf_handler(&prg->base);
		if (!ret)
			return 0;
	} else {
		spin_lock(&fdev->lock);
		fdev->stats.unhandled++;
		spin_unlock(&fdev->lock);
	}

	iopf_warn_refused(dev, prg->key.pasid, prg->key.grpid);
	iopf_respond(prg, IOMMU_PAGE_RESP_INVALID);
	iopf_prg_put(prg);
	return ret;
}
