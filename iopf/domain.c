// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: the domain of a PASID
 *
 * Find out whether the domain is an SVA domain, and deliver complete groups to the
 * iopf_handler of any other domain.
 */
#include <linux/sched/mm.h>

#include "path.h"

/* Groups that are started before the domain of their PASID is looked up again. */
#define IOPF_MM_USES		64

/*
 * Find the attach handle of a request, if its domain has a handler. Drivers wait for
 * reports of a PASID before they detach it, so the handle stays valid. Not all drivers
 * do: the handle of an SVA domain is therefore only used under RCU or, by reporters,
 * under iopf_device.lock.
 */
static struct iommu_attach_handle *
iopf_find_handle(struct device *dev, const struct iommu_fault *fault)
{
	struct iopf_key key = iopf_key(fault);
	struct iommu_attach_handle *handle;

	handle = iommu_attach_handle_get(dev->iommu_group,
					 iopf_key_has_pasid(&key) ? key.pasid :
							   IOMMU_NO_PASID, 0);
	/* With a PASID table in user space the nested domain stands for all PASIDs. */
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
 * Return the mm for @fault, or NULL if its PASID has no SVA domain. The caller makes a
 * group of it.
 *
 * Groups without a response pin the mm, and a PASID is freed in __mmdrop(), so the mm of
 * the PASID queue is valid while there are any: all of them are of this mm. The domain is
 * looked up again when the last of them has ended, after a flush, and every IOPF_MM_USES
 * groups, as drivers may detach without a flush, and devices may not stop when they
 * should.
 */
struct mm_struct *iopf_find_mm(struct iopf_pasid_queue *pq,
			       const struct iommu_fault *fault)
{
	struct iommu_attach_handle *handle;
	struct mm_struct *mm = NULL;

	lockdep_assert_held(&pq->fdev->lock);
	if (pq->nr_mm && pq->mm && pq->mm_uses) {
		pq->mm_uses--;
		return pq->mm;
	}
	pq->mm_uses = IOPF_MM_USES;
	handle = iopf_find_handle(pq->fdev->base.dev, fault);
	if (handle && handle->domain->type == IOMMU_DOMAIN_SVA)
		mm = handle->domain->mm;
	/* Groups that pin another mm may outlive those of this one. */
	if (mm != pq->mm)
		pq->mm = pq->nr_mm ? NULL : mm;
	return mm;
}

/*
 * Return true if iommu-sva.c has bound @pasid to @dev and the last user is gone. The one
 * that removes the PASID from the device's group holds the group's mutex until the driver
 * has detached it.
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

/* Find the attach handle if the domain has a handler of its own, other than SVA. */
static struct iommu_attach_handle *
iopf_find_foreign_handle(struct device *dev, const struct iommu_fault *fault)
{
	struct iommu_attach_handle *handle;

	/* An SVA domain may be freed after the RCU read section. */
	rcu_read_lock();
	handle = iopf_find_handle(dev, fault);
	if (handle && handle->domain->type == IOMMU_DOMAIN_SVA)
		handle = NULL;
	rcu_read_unlock();
	return handle;
}

/*
 * Deliver a complete group to the handler of its domain, with the caller's reference. The
 * group is refused if there is no handler, or if it fails.
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
		 * On success the group belongs to the handler, which may have
		 * freed it already.
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
