/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: what a page request says
 *
 * Which group it is in, whether it is the last one, and what no device asks for.
 */
#ifndef __IOPF_REQUEST_H
#define __IOPF_REQUEST_H

#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/mm_types.h>

/* In a key, beside a PASID being valid. */
#define IOPF_KEY_SOLO		BIT(1)

/* Marks of requests that are answered one by one, last in their group or not. */
#define IOPF_MARKS_SINGLE	(IOPF_REQUEST_PRIVATE_DATA | \
				 IOPF_REQUEST_STREAMING)

#define IOPF_PERM_ACCESS	(IOMMU_FAULT_PERM_READ | \
				 IOMMU_FAULT_PERM_WRITE | \
				 IOMMU_FAULT_PERM_EXEC)

/**
 * struct iopf_key - what makes page requests a group, per device
 * @pasid_valid: a PASID came with the request; with %IOPF_KEY_SOLO, this is one
 *	request that is answered by itself, and that none joins: there may be
 *	several of a key
 * @pasid: the PASID, 0 without one
 * @grpid: Page Request Group Index
 */
struct iopf_key {
	u32 pasid_valid;
	u32 pasid;
	u32 grpid;
};

static inline struct iopf_key iopf_key(const struct iommu_fault *fault)
{
	bool valid = fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;

	return (struct iopf_key){
		.pasid_valid = valid,
		.pasid = valid ? fault->prm.pasid : 0,
		.grpid = fault->prm.grpid,
	};
}

static inline bool iopf_key_has_pasid(const struct iopf_key *key)
{
	return key->pasid_valid & (u32)~IOPF_KEY_SOLO;
}

static inline bool iopf_key_equal(const struct iopf_key *a,
				  const struct iopf_key *b)
{
	return a->grpid == b->grpid && a->pasid == b->pasid &&
	       a->pasid_valid == b->pasid_valid;
}

static inline bool iopf_is_last(const struct iommu_fault *fault)
{
	return fault->prm.flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
}

/*
 * PCIe 6.0, 10.4.1.2.1: L = 1, W = R = 0 with a PASID is a Stop Marker. All
 * requests of that PASID have been sent before it, and it wants no response.
 */
static inline bool iopf_is_stop_marker(const struct iommu_fault *fault)
{
	return iopf_is_last(fault) && iopf_key(fault).pasid_valid &&
	       !(fault->prm.perm & IOPF_PERM_ACCESS);
}

/* A group by itself, although it is not the last request of one. */
static inline bool iopf_is_single(const struct iopf_request *request)
{
	return request->marks & IOPF_MARKS_SINGLE &&
	       !iopf_is_last(&request->fault);
}

/* Does the device wait for an answer to this very request? */
static inline bool iopf_is_owed(const struct iopf_request *request)
{
	return request->fault.type == IOMMU_FAULT_PAGE_REQ &&
	       !iopf_is_stop_marker(&request->fault) &&
	       (iopf_is_last(&request->fault) || iopf_is_single(request));
}

/*
 * What no device asks of a process's address space. Other domains have an
 * owner who knows his own rules.
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
