// SPDX-License-Identifier: GPL-2.0
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mman.h>
#include <linux/sort.h>
#include <linux/version.h>

#include "fake.h"
#include "slow.h"

static struct fake *the_fake;

static bool fake_is_ours(struct device *dev)
{
	return dev_is_platform(dev) &&
	       !strcmp(to_platform_device(dev)->name, "iopf-kunit");
}

static struct iommu_device *fake_probe_device(struct device *dev)
{
	return fake_is_ours(dev) ? &the_fake->iommu : ERR_PTR(-ENODEV);
}

static int fake_def_domain_type(struct device *dev)
{
	return IOMMU_DOMAIN_IDENTITY;
}

static void fake_page_response(struct device *dev, struct iopf_fault *evt,
			       struct iommu_page_response *resp)
{
	struct fake *fake = the_fake;

	if (fake->block_pasid && resp->pasid == fake->block_pasid) {
		complete(&fake->blocked);
		wait_for_completion(&fake->unblock);
	}
	if (fake->respond) {
		fake->respond(fake, &evt->fault, resp);
		return;
	}
	spin_lock(&fake->lock);
	if (fake->responses < FAKE_LOG) {
		fake->log[fake->responses] = *resp;
		fake->faults[fake->responses] = evt->fault;
	}
	fake->responses++;
	spin_unlock(&fake->lock);
}

static int fake_handler(struct iopf_group *group)
{
	struct fake *fake = the_fake;

	if (fake->handler_error)
		return fake->handler_error;
	iopf_group_dequeue(group);
	spin_lock(&fake->lock);
	fake->taken[fake->nr_taken++ % FAKE_LOG] = group;
	spin_unlock(&fake->lock);
	return 0;
}

/* The library handles SVA domains by itself. */
static int fake_sva_handler(struct iopf_group *group)
{
	WARN_ON(1);
	return -EINVAL;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
static int fake_attach_dev(struct iommu_domain *domain, struct device *dev,
			   struct iommu_domain *old)
{
	return 0;
}
#else
static int fake_attach_dev(struct iommu_domain *domain, struct device *dev)
{
	return 0;
}

static void fake_remove_dev_pasid(struct device *dev, ioasid_t pasid,
				  struct iommu_domain *domain)
{
}
#endif

static int fake_set_dev_pasid(struct iommu_domain *domain, struct device *dev,
			      ioasid_t pasid, struct iommu_domain *old)
{
	return 0;
}

static const struct iommu_domain_ops fake_domain_ops = {
	.attach_dev = fake_attach_dev,
	.set_dev_pasid = fake_set_dev_pasid,
};

static struct iommu_domain fake_identity = {
	.type = IOMMU_DOMAIN_IDENTITY,
	.ops = &fake_domain_ops,
};

static struct iommu_domain fake_blocked = {
	.type = IOMMU_DOMAIN_BLOCKED,
	.ops = &fake_domain_ops,
};

static const struct iommu_ops fake_ops = {
	.identity_domain = &fake_identity,
	.blocked_domain = &fake_blocked,
	.probe_device = fake_probe_device,
	.device_group = generic_device_group,
	.def_domain_type = fake_def_domain_type,
	.page_response = fake_page_response,
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
	.remove_dev_pasid = fake_remove_dev_pasid,
#endif
};

static const struct property_entry fake_properties[] = {
	PROPERTY_ENTRY_U32("pasid-num-bits", 20),
	{ }
};

void fake_add_device(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_ASSERT_EQ(test, 0,
			iopf_queue_add_device(fake->queue, fake_dev(fake)));
}

void fake_remove_device(struct fake *fake)
{
	iopf_queue_remove_device(fake->queue, fake_dev(fake));
}

/* Attach a domain that is handled by this file, or by the library. */
static void fake_attach(struct kunit *test, struct iommu_domain *domain,
			struct device *dev, u32 pasid,
			struct iommu_attach_handle *handle)
{
	domain->ops = &fake_domain_ops;
	domain->owner = &fake_ops;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_attach_device_pasid(domain, dev, pasid, handle));
}

/* Attach @domain, an SVA domain, to @pasid of @dev, with one user. */
void fake_bind_to(struct kunit *test, struct iommu_domain *domain,
		  struct device *dev, u32 pasid, struct iommu_sva *bond)
{
	fake_attach(test, domain, dev, pasid, &bond->handle);
	refcount_set(&bond->users, 1);
}

/* Attach @mm to @pasid by @domain, which becomes an SVA domain. */
void fake_bind(struct kunit *test, struct iommu_domain *domain,
	       struct mm_struct *mm, u32 pasid, struct iommu_sva *bond)
{
	struct fake *fake = test->priv;

	domain->mm = mm;
	domain->type = IOMMU_DOMAIN_SVA;
	domain->iopf_handler = fake_sva_handler;
	fake_bind_to(test, domain, fake_dev(fake), pasid, bond);
}

static struct platform_device *fake_new_pdev(struct kunit *test, int id)
{
	struct platform_device_info info = {
		.name = "iopf-kunit",
		.id = id,
		.properties = fake_properties,
	};
	struct platform_device *pdev;

	pdev = platform_device_register_full(&info);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pdev);
	return pdev;
}

/*
 * A second device on the queue, with the address space of fake_map() at
 * %FAKE_SVA_PASID.
 */
struct device *fake_add_second(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct device *dev;

	fake->second = fake_new_pdev(test, 2);
	dev = &fake->second->dev;
	KUNIT_ASSERT_NOT_NULL(test, dev->iommu);
	KUNIT_ASSERT_EQ(test, 0, iopf_queue_add_device(fake->queue, dev));
	fake_bind_to(test, &fake->sva, dev, FAKE_SVA_PASID, &fake->second_bond);
	return dev;
}

int fake_init(struct kunit *test)
{
	struct fake *fake;

	fake = kvzalloc(sizeof(*fake), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	the_fake = fake;
	test->priv = fake;
	spin_lock_init(&fake->lock);
	init_completion(&fake->unblock);
	init_completion(&fake->blocked);
	fake->iommu.max_pasids = 1 << 20;

	KUNIT_ASSERT_EQ(test, 0, iommu_device_sysfs_add(&fake->iommu, NULL,
							NULL, "iopf-kunit"));
	KUNIT_ASSERT_EQ(test, 0, iommu_device_register(&fake->iommu, &fake_ops,
						       NULL));
	fake->pdev = fake_new_pdev(test, PLATFORM_DEVID_NONE);
	KUNIT_ASSERT_NOT_NULL(test, fake_dev(fake)->iommu);
	fake->queue = iopf_queue_alloc("kunit");
	KUNIT_ASSERT_NOT_NULL(test, fake->queue);
	fake_add_device(test);

	fake->domain.type = IOMMU_DOMAIN_UNMANAGED;
	fake->domain.iopf_handler = fake_handler;
	fake_attach(test, &fake->domain, fake_dev(fake), FAKE_PASID,
		    &fake->handle);
	return 0;
}

void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (!fake)
		return;
	slow_release_all();
	/* Where another IOMMU has taken the device, this is how far it went. */
	iopf_queue_free(fake->queue);
	if (fake->handle.domain)
		iommu_detach_device_pasid(&fake->domain, fake_dev(fake),
					  FAKE_PASID);
	if (fake->second_bond.handle.domain)
		iommu_detach_device_pasid(&fake->sva, &fake->second->dev,
					  FAKE_SVA_PASID);
	if (fake->second)
		platform_device_unregister(fake->second);
	if (fake->sva.mm) {
		iommu_detach_device_pasid(&fake->sva, fake_dev(fake),
					  FAKE_SVA_PASID);
		mmdrop(fake->sva.mm);
	}
	if (!IS_ERR_OR_NULL(fake->pdev))
		platform_device_unregister(fake->pdev);
	iommu_device_unregister(&fake->iommu);
	iommu_device_sysfs_remove(&fake->iommu);
	kvfree(fake);
}

/* Memory that nobody has touched, at %FAKE_SVA_PASID. */
unsigned long fake_map(struct kunit *test, size_t len, unsigned long prot)
{
	struct fake *fake = test->priv;
	unsigned long addr;

	addr = kunit_vm_mmap(test, NULL, 0, len, prot,
			     MAP_PRIVATE | MAP_ANONYMOUS, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	if (!fake->sva.mm) {
		mmgrab(current->mm);
		fake_bind(test, &fake->sva, current->mm, FAKE_SVA_PASID,
			  &fake->bond);
	}
	return addr;
}

int fake_report_from(struct device *dev, u32 flags, u32 pasid, u32 grpid,
		     u32 perm, u64 addr)
{
	struct iopf_fault evt = {
		.fault = {
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = flags,
				.pasid = pasid,
				.grpid = grpid,
				.perm = perm,
				.addr = addr,
			},
		},
	};

	return iommu_report_device_fault(dev, &evt);
}

int fake_report_request(struct fake *fake, const struct iopf_request *request)
{
	return iopf_report_requests(fake_dev(fake), request, 1);
}

static unsigned int fake_responses(struct fake *fake)
{
	unsigned int responses;

	spin_lock(&fake->lock);
	responses = fake->responses;
	spin_unlock(&fake->lock);
	return responses;
}

/*
 * True when there are exactly @count answers, soon, and still a moment later. Many
 * answers may take a slow machine long, so wait as long as others come.
 */
bool fake_wait_responses(struct fake *fake, unsigned int count)
{
	unsigned int before = 0;
	unsigned int responses;
	int i;

	for (i = 0; i < 5000; i++) {
		responses = fake_responses(fake);
		if (responses >= count)
			break;
		if (responses != before)
			i = 0;
		before = responses;
		usleep_range(1000, 2000);
	}
	usleep_range(2000, 3000);
	return fake_responses(fake) == count;
}

unsigned int fake_responses_for(struct fake *fake, u32 pasid, u32 grpid)
{
	unsigned int count = 0;
	unsigned int i;

	spin_lock(&fake->lock);
	for (i = 0; i < min(fake->responses, FAKE_LOG); i++)
		count += fake->log[i].pasid == pasid &&
			 fake->log[i].grpid == grpid;
	spin_unlock(&fake->lock);
	return count;
}

/* The workers that a test has taken out of the queue's pool. */
static LIST_HEAD(set_aside);

/* Give one back to the pool; false if there is none. */
bool fake_return_worker(void)
{
	struct iopf_worker *worker;
	struct iopf_device *fdev;

	worker = list_first_entry_or_null(&set_aside, struct iopf_worker, node);
	if (!worker)
		return false;
	fdev = worker->fdev;
	list_del_init(&worker->node);
	iopf_pool_put(worker);
	iopf_device_put(fdev);
	return true;
}

static void return_workers(void *unused)
{
	while (fake_return_worker())
		;
}

/*
 * Leave the queue @nr workers until the test ends. As those in use, the others hold the
 * device, and with it the queue: they are given back after fake_exit().
 */
void fake_leave_workers(struct kunit *test, unsigned int nr)
{
	struct iopf_device *fdev = fake_fdev(test->priv);
	struct iopf_worker *worker;

	if (list_empty(&set_aside))
		KUNIT_ASSERT_EQ(test, 0,
				kunit_add_action(test, return_workers, NULL));
	spin_lock(&fdev->lock);
	while (fdev->fq->pool.nr_free > nr) {
		worker = iopf_pool_get(fdev);
		worker->fdev = fdev;
		refcount_inc(&fdev->base.users);
		list_add(&worker->node, &set_aside);
	}
	spin_unlock(&fdev->lock);
}

struct iopf_pasid_queue *fake_find_pq(struct iopf_device *fdev, u32 pasid)
{
	const struct iopf_key key = { true, pasid };
	struct iopf_pasid_queue *pq;

	spin_lock(&fdev->lock);
	pq = iopf_pq_find(fdev, &key);
	spin_unlock(&fdev->lock);
	return pq;
}

static int compare_times(const void *a, const void *b)
{
	u64 left = *(const u64 *)a;
	u64 right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

/*
 * What @probe costs its caller that has nothing to do with others, in ns. The clock of a
 * user-mode kernel may advance in steps of microseconds, so this is not one of the times
 * but the mean of the middle half of them.
 */
u64 fake_cost(struct fake *fake, void (*probe)(struct fake *fake, unsigned int i))
{
	u64 times[FAKE_PROBES];
	u64 sum = 0;
	int i;

	for (i = 0; i < FAKE_PROBES; i++) {
		u64 start = ktime_get_ns();

		probe(fake, i);
		times[i] = ktime_get_ns() - start;
	}
	sort(times, FAKE_PROBES, sizeof(times[0]), compare_times, NULL);
	for (i = FAKE_PROBES / 4; i < 3 * FAKE_PROBES / 4; i++)
		sum += times[i];
	return div_u64(sum, 3 * FAKE_PROBES / 4 - FAKE_PROBES / 4);
}
