/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A fake IOMMU with a device on a fault queue, for the KUnit tests
 */
#ifndef __IOPF_TESTS_FAKE_H
#define __IOPF_TESTS_FAKE_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/mm_types.h>
#include <linux/percpu_counter.h>
#include <linux/platform_device.h>

#include "../entries.h"

/* Responses, and groups of the domain's handler, that a test can have. */
#define FAKE_LOG	4096
/* Measurements of fake_cost() */
#define FAKE_PROBES	101

/* PASID of the domain whose handler the fake has, and of the SVA domain */
#define FAKE_PASID	5
#define FAKE_SVA_PASID	7

/* Flags of the last request of a group that has a PASID. */
#define FAKE_LAST	(IOMMU_FAULT_PAGE_REQUEST_PASID_VALID | \
			 IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE)

/* Wait until @cond is true, but no longer than @timeout jiffies. Return @cond. */
#define fake_wait_for(cond, timeout)					\
({									\
	unsigned long __end = jiffies + (timeout);			\
	bool __done;							\
									\
	do {								\
		usleep_range(1000, 2000);				\
		__done = (cond);					\
	} while (!__done && time_before(jiffies, __end));		\
	__done;								\
})

/**
 * struct fake - a fake IOMMU with one device on a fault queue
 * @iommu: the IOMMU
 * @pdev: the device
 * @queue: its fault queue
 * @lock: guards @log, @faults, @responses and @taken
 * @log: the responses that page_response was called with
 * @faults: the requests that these responses were sent with
 * @responses: number of responses, which may exceed the length of @log
 * @block_pasid: page_response for this PASID waits for @unblock; 0 for none
 * @unblock: completed by the test to end that wait
 * @blocked: completed when page_response begins to wait
 * @domain: domain whose handler takes groups into @taken or returns @handler_error
 * @handle: attaches @domain to %FAKE_PASID
 * @handler_error: error that the domain's handler returns, 0 to take the group
 * @taken: groups that the domain's handler has taken and the test has not freed
 * @nr_taken: length of @taken
 * @sva: SVA domain of the test's own address space
 * @bond: attaches @sva to %FAKE_SVA_PASID, as binding does
 * @second: a second device on @queue, or NULL
 * @second_bond: attaches @sva to %FAKE_SVA_PASID of @second
 * @respond: called instead of adding a response to @log, or NULL
 */
struct fake {
	struct iommu_device iommu;
	struct platform_device *pdev;
	struct iopf_queue *queue;
	spinlock_t lock; /* log, faults, responses, taken */
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
unsigned long fake_map_pages(struct kunit *test, unsigned int nr);
void fake_bind(struct kunit *test, struct iommu_domain *domain,
	       struct mm_struct *mm, u32 pasid, struct iommu_sva *bond);
void fake_bind_to(struct kunit *test, struct iommu_domain *domain,
		  struct device *dev, u32 pasid, struct iommu_sva *bond);
int fake_report_from(struct device *dev, u32 flags, u32 pasid, u32 grpid,
		     u32 perm, u64 addr);
int fake_report_request(struct fake *fake, const struct iopf_request *request);
void fake_set_limits(struct kunit *test, const struct iopf_limits *limits);
void fake_register_handler(struct kunit *test, iommu_dev_fault_handler_t handler,
			   void *data);
struct task_struct *fake_start_thread(struct kunit *test, int (*fn)(void *data),
				      void *data);
struct mm_struct *fake_new_mm(struct kunit *test);
void fake_drop_mm_at_exit(struct kunit *test, struct mm_struct *mm);
void *fake_kvcalloc(struct kunit *test, size_t nr, size_t size);
bool fake_wait_responses(struct fake *fake, unsigned int count);
unsigned int fake_responses_for(struct fake *fake, u32 pasid, u32 grpid);
void fake_remove_device(struct fake *fake);
void fake_add_device(struct kunit *test);
struct device *fake_add_second(struct kunit *test);
void fake_leave_workers(struct kunit *test, unsigned int nr);
bool fake_return_worker(void);
struct iopf_pasid_queue *fake_find_pq(struct iopf_device *fdev, u32 pasid);
unsigned int fake_nr_used_pqs(struct iopf_device *fdev);
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

/* Report a write request that is not the last one of its group. */
static inline int fake_partial(struct fake *fake, u32 pasid, u32 grpid,
			       u64 addr)
{
	return fake_report(fake, IOMMU_FAULT_PAGE_REQUEST_PASID_VALID, pasid,
			   grpid, IOMMU_FAULT_PERM_WRITE, addr);
}

/* Report a write request that is the last one of its group. */
static inline int fake_last(struct fake *fake, u32 pasid, u32 grpid, u64 addr)
{
	return fake_report(fake, FAKE_LAST, pasid, grpid,
			   IOMMU_FAULT_PERM_WRITE, addr);
}

/* Return such a write request for a batch, see iopf_report_requests(). */
static inline struct iopf_request fake_request(u32 pasid, u32 grpid, u64 addr,
					       bool last)
{
	return (struct iopf_request){
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = last ? FAKE_LAST :
					 IOMMU_FAULT_PAGE_REQUEST_PASID_VALID,
				.pasid = pasid,
				.grpid = grpid,
				.perm = IOMMU_FAULT_PERM_WRITE,
				.addr = addr,
			},
		},
	};
}

static inline int fake_unregister_handler(struct fake *fake)
{
	return iommu_unregister_device_fault_handler(fake_dev(fake));
}

/* Begin a group and end it by a stop marker, so that no response is sent. */
static inline void fake_begin_and_stop(struct fake *fake, u32 pasid)
{
	fake_partial(fake, pasid, 1, 0);
	fake_report(fake, FAKE_LAST, pasid, 0, 0, 0);
}

/* Respond Success to a group that the domain's handler has taken, and free it. */
static inline void fake_finish_group(struct iopf_group *group)
{
	iopf_group_response(group, IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(group);
}

/* Respond to all groups that the domain's handler has taken, and free them. */
static inline void fake_respond_to_taken(struct fake *fake)
{
	while (fake->nr_taken)
		fake_finish_group(fake->taken[--fake->nr_taken]);
}

/* Report a group of %FAKE_PASID, and respond to it. */
static inline void fake_serve(struct fake *fake, unsigned int i)
{
	fake_last(fake, FAKE_PASID, i, 0);
	fake_respond_to_taken(fake);
}

/* Free the groups that the domain's handler has taken, without a response. */
static inline void fake_free_taken(struct fake *fake)
{
	while (fake->nr_taken)
		iopf_free_group(fake->taken[--fake->nr_taken]);
}

/* Return the exact number of anonymous pages of the test's address space. */
static inline s64 fake_anon_pages(void)
{
	return percpu_counter_sum(&current->mm->rss_stat[MM_ANONPAGES]);
}

/* Return the library's object for the device, which has to be on a queue. */
static inline struct iopf_device *fake_fdev(struct fake *fake)
{
	struct iommu_fault_param *param;

	param = rcu_dereference_raw(fake_dev(fake)->iommu->fault_param);
	return to_iopf_device(param);
}

/* Update the counts of iopf_held_groups() and iopf_held_requests(). */
static inline void fake_refresh_limits(struct iopf_device *fdev)
{
	spin_lock(&fdev->lock);
	iopf_limits_refresh(fdev);
	spin_unlock(&fdev->lock);
}

/* Postpone the timeout work, which would send deferred responses. */
static inline void fake_postpone_timeout(struct fake *fake)
{
	mod_delayed_work(iopf_wq, &fake_fdev(fake)->timeout_work, 20 * HZ);
}

#endif /* __IOPF_TESTS_FAKE_H */
