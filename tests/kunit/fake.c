// SPDX-License-Identifier: GPL-2.0
/*
 * A fake IOMMU with a device on a fault queue, for the KUnit tests
 *
 * The IOMMU logs the responses that it is asked to send. One domain has a handler that
 * takes groups for the test to respond to; an SVA domain has the test's address space.
 */
#include <kunit/resource.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sort.h>
#include <linux/version.h>

#include "fake.h"
#include "slow.h"

static struct fake *the_fake;

static bool is_fake_device(struct device *dev)
{
	return dev_is_platform(dev) &&
	       !strcmp(to_platform_device(dev)->name, "iopf-kunit");
}

static struct iommu_device *fake_probe_device(struct device *dev)
{
	return is_fake_device(dev) ? &the_fake->iommu : ERR_PTR(-ENODEV);
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

/* The library handles SVA domains itself and does not call their handler. */
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

/* Put the device on the fault queue. */
void fake_add_device(struct kunit *test)
{
	struct fake *fake = test->priv;

	KUNIT_ASSERT_EQ(test, 0,
			iopf_queue_add_device(fake->queue, fake_dev(fake)));
}

/* Remove the device from the fault queue. */
void fake_remove_device(struct fake *fake)
{
	iopf_queue_remove_device(fake->queue, fake_dev(fake));
}

/* Attach @domain to @pasid of @dev. */
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

/* Make @domain an SVA domain of @mm, and attach it to @pasid of the device. */
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
 * Add a second device to the fault queue. The address space of fake_map() is attached
 * to its %FAKE_SVA_PASID.
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

/* Set up the IOMMU, the device and its queue. For struct kunit_suite.init. */
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

/*
 * Undo fake_init() and what tests have added. For struct kunit_suite.exit. It is not a
 * kunit action, as a test of the reference model has many fakes, one after the other.
 */
void fake_exit(struct kunit *test)
{
	struct fake *fake = test->priv;

	if (!fake)
		return;
	slow_release_all();
	/*
	 * The queue is NULL if fake_init() has failed, as it does if another IOMMU
	 * driver has the device.
	 */
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

/*
 * Map anonymous memory without pages, and attach the address space to %FAKE_SVA_PASID.
 */
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

/* Map @nr pages that may be read and written, see fake_map(). */
unsigned long fake_map_pages(struct kunit *test, unsigned int nr)
{
	return fake_map(test, nr * PAGE_SIZE, PROT_READ | PROT_WRITE);
}

/* Report a page request of @dev by iommu_report_device_fault(). */
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

/* Report @request of the device by iopf_report_requests(). */
int fake_report_request(struct fake *fake, const struct iopf_request *request)
{
	return iopf_report_requests(fake_dev(fake), request, 1);
}

/* Set the limits of the device. They have to be valid. */
void fake_set_limits(struct kunit *test, const struct iopf_limits *limits)
{
	struct fake *fake = test->priv;

	KUNIT_ASSERT_EQ(test, 0, iopf_device_set_limits(fake_dev(fake), limits));
}

/* Register @handler for the device. The test unregisters it. */
void fake_register_handler(struct kunit *test, iommu_dev_fault_handler_t handler,
			   void *data)
{
	struct fake *fake = test->priv;

	KUNIT_ASSERT_EQ(test, 0,
			iommu_register_device_fault_handler(fake_dev(fake),
							    handler, data));
}

/* Start a thread, referenced. The test ends it by kthread_stop_put(). */
struct task_struct *fake_start_thread(struct kunit *test, int (*fn)(void *data),
				      void *data)
{
	struct task_struct *task = kthread_create(fn, data, "iopf-kunit");

	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	return task;
}

/* Allocate an address space without mappings. The test is its only user. */
struct mm_struct *fake_new_mm(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	mm->task_size = TASK_SIZE;
	arch_pick_mmap_layout(mm, &current->signal->rlim[RLIMIT_STACK]);
	return mm;
}

KUNIT_DEFINE_ACTION_WRAPPER(drop_mm, mmdrop, struct mm_struct *);
KUNIT_DEFINE_ACTION_WRAPPER(free_array, kvfree, const void *);

/* Drop a reference to @mm that the test holds, after fake_exit(). */
void fake_drop_mm_at_exit(struct kunit *test, struct mm_struct *mm)
{
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, drop_mm, mm));
}

/* Allocate an array too large for kunit_kcalloc(). It is freed with the test. */
void *fake_kvcalloc(struct kunit *test, size_t nr, size_t size)
{
	void *array = kvcalloc(nr, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, array);
	KUNIT_ASSERT_EQ(test, 0,
			kunit_add_action_or_reset(test, free_array, array));
	return array;
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
 * Wait for @count responses. Return true if there are no more than that, also a moment
 * later. Many responses may take a slow machine long, so the wait lasts while further
 * ones arrive.
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

/* Return the number of responses to group @grpid of @pasid. */
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

/* Workers that the test has taken out of the queue's pool. */
static LIST_HEAD(withheld_workers);

/* Return a worker to the pool. Return false if there is none to return. */
bool fake_return_worker(void)
{
	struct iopf_worker *worker;
	struct iopf_device *fdev;

	worker = list_first_entry_or_null(&withheld_workers, struct iopf_worker, node);
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
 * Leave @nr workers in the queue's pool until the test ends. The others are withheld:
 * like workers in use they have a reference to the device, and so to the queue. They
 * are returned after fake_exit().
 */
void fake_leave_workers(struct kunit *test, unsigned int nr)
{
	struct iopf_device *fdev = fake_fdev(test->priv);
	struct iopf_worker *worker;

	if (list_empty(&withheld_workers))
		KUNIT_ASSERT_EQ(test, 0,
				kunit_add_action(test, return_workers, NULL));
	spin_lock(&fdev->lock);
	while (fdev->fq->pool.nr_free > nr) {
		worker = iopf_pool_get(fdev);
		worker->fdev = fdev;
		refcount_inc(&fdev->base.users);
		list_add(&worker->node, &withheld_workers);
	}
	spin_unlock(&fdev->lock);
}

/* Return the PASID queue of @pasid, or NULL. */
struct iopf_pasid_queue *fake_find_pq(struct iopf_device *fdev, u32 pasid)
{
	const struct iopf_key key = { true, pasid };
	struct iopf_pasid_queue *pq;

	spin_lock(&fdev->lock);
	pq = iopf_pq_find(fdev, &key);
	spin_unlock(&fdev->lock);
	return pq;
}

/* Return how many PASID queues of @fdev have users. */
unsigned int fake_nr_used_pqs(struct iopf_device *fdev)
{
	struct iopf_pasid_queue *pq;
	unsigned long index;
	unsigned int nr = 0;

	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq)
		nr += !!pq->nr_users;
	spin_unlock(&fdev->lock);
	return nr;
}

static int compare_times(const void *a, const void *b)
{
	u64 left = *(const u64 *)a;
	u64 right = *(const u64 *)b;

	return left < right ? -1 : left > right;
}

/*
 * Return how long a call of @probe takes, in ns, without disturbance by other tasks.
 * The clock of a user-mode kernel may advance in steps of microseconds, so this is the
 * mean of the middle half of the times and not a single one.
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
