// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: PASIDs whose domain has a handler
 *
 * Groups of these PASIDs are delivered to softacc_handle_group() instead of being handled
 * by the library's workers. It treats them as iommufd's users and other handlers may: it
 * responds at once, late, never, or from two threads at the same time. A test chooses by
 * the address of a group's last request.
 */
#include <linux/kref.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "core.h"

static unsigned int softacc_handlers;
module_param_named(handlers, softacc_handlers, uint, 0444);
MODULE_PARM_DESC(handlers, "PASIDs of each device whose domain has a handler, up to 8 (default 0)");

/**
 * struct softacc_handler - the PASIDs of a device whose domain has a handler
 * @domain: the domain that is attached to them
 * @nr: number of attached PASIDs
 * @handles: their attach handles
 */
struct softacc_handler {
	struct iommu_domain domain;
	unsigned int nr;
	struct iommu_attach_handle handles[SOFTACC_MAX_HANDLERS];
};

/**
 * struct softacc_held - a group that the handler owns
 * @group: the group
 * @users: number of scheduled works that use it
 * @code: the response code
 * @response: send the response; otherwise free the group without one
 * @first: work that sends the response
 * @second: work that sends a second response
 */
struct softacc_held {
	struct iopf_group *group;
	struct kref users;
	enum iommu_page_response_code code;
	bool response;
	struct delayed_work first;
	struct delayed_work second;
};

/* Number of scheduled works. They outlive their device, but not this module. */
static atomic_t softacc_nr_held = ATOMIC_INIT(0);
static DECLARE_WAIT_QUEUE_HEAD(softacc_none_held);

static void softacc_release_held(struct kref *users)
{
	struct softacc_held *held = container_of(users, struct softacc_held,
						 users);

	iopf_free_group(held->group);
	kfree(held);
}

static void softacc_finish_held(struct softacc_held *held)
{
	if (held->response)
		iopf_group_response(held->group, held->code);
	kref_put(&held->users, softacc_release_held);
	if (atomic_dec_and_test(&softacc_nr_held))
		wake_up_all(&softacc_none_held);
}

static void softacc_first_fn(struct work_struct *work)
{
	softacc_finish_held(container_of(work, struct softacc_held, first.work));
}

static void softacc_second_fn(struct work_struct *work)
{
	softacc_finish_held(container_of(work, struct softacc_held, second.work));
}

static void softacc_schedule_held(struct softacc_held *held,
				  struct delayed_work *work, int cpu,
				  unsigned long delay)
{
	atomic_inc(&softacc_nr_held);
	queue_delayed_work_on(cpu, system_wq, work, delay);
}

/*
 * Keep @group, and respond to it @ms milliseconds later as @what says. A second response
 * comes from another CPU than the first one, if there are two.
 */
static int softacc_hold_group(struct iopf_group *group, u32 what,
			      enum iommu_page_response_code code, unsigned int ms)
{
	unsigned long delay = msecs_to_jiffies(ms);
	int cpu = raw_smp_processor_id();
	struct softacc_held *held;

	held = kzalloc(sizeof(*held), GFP_NOWAIT | __GFP_NOWARN);
	if (!held)
		return -ENOMEM;
	held->group = group;
	held->code = code;
	held->response = what != SOFTACC_HANDLE_NEVER;
	kref_init(&held->users);
	INIT_DELAYED_WORK(&held->first, softacc_first_fn);
	INIT_DELAYED_WORK(&held->second, softacc_second_fn);
	if (what == SOFTACC_HANDLE_TWICE) {
		kref_get(&held->users);
		softacc_schedule_held(held, &held->second,
				      cpumask_any_but(cpu_online_mask, cpu) <
				      nr_cpu_ids ? WORK_CPU_UNBOUND : cpu,
				      delay);
	}
	softacc_schedule_held(held, &held->first, cpu, delay);
	return 0;
}

/* The iopf_handler of the domain. */
static int softacc_handle_group(struct iopf_group *group)
{
	u64 addr = group->last_fault.fault.prm.addr;
	enum iommu_page_response_code code;

	code = SOFTACC_HANDLE_CODE(addr) % 3;
	switch (SOFTACC_HANDLE_WHAT(addr)) {
	case SOFTACC_HANDLE_NOW:
		iopf_group_response(group, code);
		iopf_free_group(group);
		return 0;
	case SOFTACC_HANDLE_LATER:
	case SOFTACC_HANDLE_TWICE:
	case SOFTACC_HANDLE_NEVER:
		return softacc_hold_group(group, SOFTACC_HANDLE_WHAT(addr), code,
				    SOFTACC_HANDLE_MS(addr));
	default:
		return -EBUSY;
	}
}

void softacc_handler_remove(struct softacc_dev *sdev)
{
	struct softacc_handler *handler = sdev->handler;

	if (!handler)
		return;
	while (handler->nr--)
		iommu_detach_device_pasid(&handler->domain, sdev->dev,
					  SOFTACC_HANDLER_PASID + handler->nr);
	kfree(handler);
	sdev->handler = NULL;
}

int softacc_handler_add(struct softacc_dev *sdev)
{
	struct softacc_handler *handler;
	int ret = 0;

	if (!softacc_handlers)
		return 0;
	handler = kzalloc(sizeof(*handler), GFP_KERNEL);
	if (!handler)
		return -ENOMEM;
	sdev->handler = handler;
	softacc_init_domain(&handler->domain);
	handler->domain.iopf_handler = softacc_handle_group;
	while (handler->nr < min(softacc_handlers, SOFTACC_MAX_HANDLERS)) {
		ret = iommu_attach_device_pasid(&handler->domain, sdev->dev,
						SOFTACC_HANDLER_PASID + handler->nr,
						&handler->handles[handler->nr]);
		if (ret)
			break;
		handler->nr++;
	}
	if (ret)
		softacc_handler_remove(sdev);
	return ret;
}

void softacc_handler_flush(struct softacc_dev *sdev)
{
	unsigned int i;

	for (i = 0; sdev->handler && i < sdev->handler->nr; i++)
		iopf_queue_flush_pasid(sdev->dev, SOFTACC_HANDLER_PASID + i);
}

void softacc_handler_exit(void)
{
	wait_event(softacc_none_held, !atomic_read(&softacc_nr_held));
}
