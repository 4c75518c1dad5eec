/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: what a page request says
 *
 * Which group a request belongs to, whether it is the last one of its group, and which
 * requests are malformed.
 */
#ifndef __IOPF_REQUEST_H
#define __IOPF_REQUEST_H

#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/mm_types.h>

/*
 * Flags of requests that get a response of their own, whether or not they are the last of
 * a group.
 */
#define IOPF_REQUEST_SINGLE	(IOPF_REQUEST_PRIVATE_DATA | \
				 IOPF_REQUEST_STREAMING)

#define IOPF_PERM_ACCESS	(IOMMU_FAULT_PERM_READ | \
				 IOMMU_FAULT_PERM_WRITE | \
				 IOMMU_FAULT_PERM_EXEC)

/**
 * struct iopf_key - what makes page requests a group, per device
 * @flags: IOPF_KEY_* values
 * @pasid: the PASID, 0 without one
 * @grpid: Page Request Group Index
 */
struct iopf_key {
	u32 flags;
/* a PASID came with the request */
#define IOPF_KEY_PASID_VALID	BIT(0)
/* one request with a response of its own, which none joins; a key may have several */
#define IOPF_KEY_SINGLE		BIT(1)
	u32 pasid;
	u32 grpid;
};

static inline bool iopf_has_pasid(const struct iommu_fault *fault)
{
	return fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
}

static inline struct iopf_key iopf_key(const struct iommu_fault *fault)
{
	bool valid = iopf_has_pasid(fault);

	return (struct iopf_key){
		.flags = valid ? IOPF_KEY_PASID_VALID : 0,
		.pasid = valid ? fault->prm.pasid : 0,
		.grpid = fault->prm.grpid,
	};
}

/* Return the key of index @grpid of @pasid. %IOMMU_NO_PASID means without a PASID. */
static inline struct iopf_key iopf_pasid_key(u32 pasid, u32 grpid)
{
	return (struct iopf_key){
		.flags = pasid != IOMMU_NO_PASID ? IOPF_KEY_PASID_VALID : 0,
		.pasid = pasid,
		.grpid = grpid,
	};
}

static inline bool iopf_key_has_pasid(const struct iopf_key *key)
{
	return key->flags & IOPF_KEY_PASID_VALID;
}

static inline bool iopf_key_equal(const struct iopf_key *a,
				  const struct iopf_key *b)
{
	return a->grpid == b->grpid && a->pasid == b->pasid &&
	       a->flags == b->flags;
}

static inline bool iopf_is_last(const struct iommu_fault *fault)
{
	return fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
}

/*
 * PCIe 6.0, 10.4.1.2.1: a Stop Marker has L = 1, W = R = 0 and a PASID. It follows all
 * requests of its PASID, and gets no response.
 */
static inline bool iopf_is_stop_marker(const struct iommu_fault *fault)
{
	return iopf_is_last(fault) && iopf_has_pasid(fault) &&
	       !(fault->prm.perm & IOPF_PERM_ACCESS);
}

/*
 * Return true for a request that is a group by itself although it is not the last of one.
 */
static inline bool iopf_is_single(const struct iopf_request *request)
{
	return request->flags & IOPF_REQUEST_SINGLE &&
	       !iopf_is_last(&request->fault);
}

/* Return true if the device waits for a response to this very request. */
static inline bool iopf_is_owed(const struct iopf_request *request)
{
	return request->fault.type == IOMMU_FAULT_PAGE_REQ &&
	       !iopf_is_stop_marker(&request->fault) &&
	       (iopf_is_last(&request->fault) || iopf_is_single(request));
}

/*
 * Return true for a request that no device may make of an address space. The handlers of
 * other domains check their requests themselves.
 */
static inline bool iopf_is_malformed(struct device *dev, struct mm_struct *mm,
				     const struct iommu_fault *fault)
{
	u32 perm = fault->prm.perm;

	if (!(perm & IOPF_PERM_ACCESS))
		return true;
	/* An instruction fetch does not write. */
	if ((perm & IOMMU_FAULT_PERM_EXEC) && (perm & IOMMU_FAULT_PERM_WRITE))
		return true;
	if (fault->prm.pasid >= dev->iommu->max_pasids)
		return true;
	return fault->prm.addr >= mm->task_size;
}

#endif /* __IOPF_REQUEST_H */
