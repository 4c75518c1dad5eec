/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For the KUnit tests: an IOMMU and a device that do what a test says
 */
#ifndef __IOPF_TESTS_FAKE_H
#define __IOPF_TESTS_FAKE_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/iommu.h>
#include <linux/mm_types.h>
#include <linux/percpu_counter.h>
#include <linux/platform_device.h>

#include "../entries.h"

#define FAKE_LOG	4096
/* How often fake_cost() tries. */
#define FAKE_PROBES	101

/* A PASID with a domain of a test, and one with an address space. */
#define FAKE_PASID	5
#define FAKE_SVA_PASID	7

/**
 * struct fake - an IOMMU with one device on a fault queue
 * @iommu: the IOMMU
 * @pdev: the device
 * @queue: its fault queue
 * @lock: guards @log, @faults, @responses and @taken
 * @log: the responses that page_response was called with
 * @faults: the requests that these responses came with
 * @responses: length of @log
 * @block_pasid: page_response for it waits for @unblock
 * @unblock: see there
 * @blocked: completed when a page_response begins to wait
 * @domain: handled by the test: groups are kept, or an error is returned
 * @handle: attaches @domain to %FAKE_PASID
 * @handler_error: what the handler returns, if not 0
 * @taken: groups that the handler keeps
 * @nr_taken: length of @taken
 * @sva: the SVA domain of the test's own address space
 * @bond: attaches @sva to %FAKE_SVA_PASID, as a bind does
 * @second: another device, or NULL
 * @second_bond: attaches @sva to its %FAKE_SVA_PASID
 * @respond: called instead of writing a response to @log, or NULL
 */
struct fake {
	struct iommu_device iommu;
	struct platform_device *pdev;
	struct iopf_queue *queue;
	spinlock_t lock; /* log, answers, taken */
	struct iommu_page_response log[FAKE_LOG];
	struct iommu_fault faults[FAKE_LOG];
	unsigned int responses;
	u32 block_pasid;
	struct completion unblock;
	struct completion blocked;
	struct iommu_domain domain;
	struct iommu_attach_handle handle;
	int handler_error;
	struct iopf_group *taken[FAKE_LOG];
	unsigned int nr_taken;
	struct iommu_domain sva;
	struct iommu_sva bond;
	struct platform_device *second;
	struct iommu_sva second_bond;
	void (*respond)(struct fake *fake, const struct iommu_fault *fault,
			const struct iommu_page_response *msg);
};

int fake_init(struct kunit *test);
void fake_exit(struct kunit *test);

unsigned long fake_map(struct kunit *test, size_t len, unsigned long prot);
void fake_bind(struct kunit *test, struct iommu_domain *domain,
	       struct mm_struct *mm, u32 pasid, struct iommu_sva *bond);
void fake_bind_to(struct kunit *test, struct iommu_domain *domain,
		  struct device *dev, u32 pasid, struct iommu_sva *bond);
int fake_report_from(struct device *dev, u32 flags, u32 pasid, u32 grpid,
		     u32 perm, u64 addr);
int fake_report_request(struct fake *fake, const struct iopf_request *request);
bool fake_wait_responses(struct fake *fake, unsigned int count);
unsigned int fake_responses_for(struct fake *fake, u32 pasid, u32 grpid);
void fake_remove_device(struct fake *fake);
void fake_add_device(struct kunit *test);
struct device *fake_add_second(struct kunit *test);
void fake_leave_workers(struct kunit *test, unsigned int nr);
bool fake_return_worker(void);
struct iopf_pasid_queue *fake_find_pq(struct iopf_device *fdev, u32 pasid);
u64 fake_cost(struct fake *fake, void (*probe)(struct fake *fake, unsigned int i));

static inline struct device *fake_dev(struct fake *fake)
{
	return &fake->pdev->dev;
}

static inline int fake_report(struct fake *fake, u32 flags, u32 pasid,
			      u32 grpid, u32 perm, u64 addr)
{
	return fake_report_from(fake_dev(fake), flags, pasid, grpid, perm,
				addr);
}

/* A write request with a PASID, the usual one. */
static inline int fake_partial(struct fake *fake, u32 pasid, u32 grpid,
			       u64 addr)
{
	return fake_report(fake, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID, pasid,
			   grpid, IOMMU_FAULT_PERM_WRITE, addr);
}

static inline int fake_last(struct fake *fake, u32 pasid, u32 grpid, u64 addr)
{
	return fake_report(fake, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
			   IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE, pasid, grpid,
			   IOMMU_FAULT_PERM_WRITE, addr);
}

/* A group that ends without its last request, and without a word in the log. */
static inline void fake_begin_and_stop(struct fake *fake, u32 pasid)
{
	fake_partial(fake, pasid, 1, 0);
	/* A Stop Marker. */
	fake_report(fake, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
		    IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE, pasid, 0, 0, 0);
}

/* Answer all groups that the handler keeps, and give them up. */
static inline void fake_respond_to_taken(struct fake *fake)
{
	while (fake->nr_taken) {
		struct iopf_group *group = fake->taken[--fake->nr_taken];

		iopf_group_response(group, IOMMU_PAGE_RESP_SUCCESS);
		iopf_free_group(group);
	}
}

/* A group of %FAKE_PASID, from its last request to its end. */
static inline void fake_serve(struct fake *fake, unsigned int i)
{
	fake_last(fake, FAKE_PASID, i, 0);
	fake_respond_to_taken(fake);
}

/* Give up all groups that the handler keeps. */
static inline void fake_free_taken(struct fake *fake)
{
	while (fake->nr_taken)
		iopf_free_group(fake->taken[--fake->nr_taken]);
}

/* Anonymous pages of the test's address space, exactly. */
static inline s64 fake_anon_pages(void)
{
	return percpu_counter_sum(&current->mm->rss_stat[MM_ANONPAGES]);
}

/* The library's own view of the device, as long as it is on the queue. */
static inline struct iopf_device *fake_fdev(struct fake *fake)
{
	struct iommu_fault_param *param;

	param = rcu_dereference_raw(fake_dev(fake)->iommu->fault_param);
	return to_iopf_device(param);
}

/* For iopf_held_groups() and iopf_held_requests() to be exact. */
static inline void fake_refresh_limits(struct iopf_device *fdev)
{
	spin_lock(&fdev->lock);
	iopf_limits_refresh(fdev);
	spin_unlock(&fdev->lock);
}

/* Keep the watch, which takes deferred responses along, from looking meanwhile. */
static inline void fake_postpone_timeout(struct fake *fake)
{
	mod_delayed_work(iopf_wq, &fake_fdev(fake)->timeout_work, 20 * HZ);
}

#endif /* __IOPF_TESTS_FAKE_H */
