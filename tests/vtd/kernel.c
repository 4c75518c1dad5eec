// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: other functions that the driver calls
 *
 * Devices, which stay while the driver holds them; reports, which go to the library if
 * the device is known; suspend and resume; the device that the driver blames for an
 * overflow.
 */
#include <string.h>

#include "fuzz.h"

struct vtd_prq prq;

static struct device devices[NR_RIDS];
static bool locked;
static bool has_to_forget;

/* Requests of each device between the last two overflows, and since the last one */
static unsigned int nr_before[NR_RIDS];
static unsigned int nr_since[NR_RIDS];

bool kernel_devices_are_locked(void)
{
	return locked;
}

static bool devices_are_free(unsigned int rid)
{
	return !locked;
}

/* Hardware was reset, and the library still has the groups from before. */
bool kernel_has_to_forget(void)
{
	return has_to_forget;
}

struct device *kernel_device(unsigned int rid)
{
	return &devices[rid];
}

unsigned int kernel_pasid_number(u32 pasid)
{
	unsigned int i;

	if (pasid == IOMMU_NO_PASID)
		return 0;
	for (i = 1; i < NR_PASIDS - 1; i++)
		if (pasids[i] == pasid)
			break;
	return i;
}

static unsigned int rid_number(u16 rid)
{
	unsigned int i;

	for (i = 0; i < NR_RIDS; i++)
		if (rids[i] == rid)
			break;
	return i;
}

static void lock_devices(struct vtd_prq *prq)
{
	sched_check_may_sleep(__func__);
	expect(CHECK_CONTEXT, !locked, "devices are locked twice");
	stub_point();
	locked = true;
	stub_point();
}

static void unlock_devices(struct vtd_prq *prq)
{
	sched_check_may_sleep(__func__);
	expect(CHECK_CONTEXT, locked, "devices are not locked");
	stub_point();
	locked = false;
	stub_point();
}

static void check_reported(u16 rid, const struct iopf_request *request)
{
	unsigned int number = rid_number(rid);
	struct post *post;

	expect(CHECK_REPORTED, number < NR_RIDS, "%04x has sent nothing", rid);
	post = hardware_oldest_post(number);
	expect(CHECK_REPORTED, post, "%04x has sent nothing more", rid);
	note("post %zu is reported", post - hw.posts);
	wire_check_event(hw.rev, &post->req, rid, request,
			 request->flags & IOPF_REQUEST_REFUSED);
	post->reported = true;
	hw.nr_reported++;
	nr_since[number]++;
	if (wire_is_refused(&post->req) || !library_knows(number))
		hw.nr_bad++;
	library_take(post, request);
}

static int report(struct vtd_prq *prq, u16 rid, const struct iopf_request *requests,
		  unsigned int count)
{
	unsigned int i;

	sched_check_may_sleep(__func__);
	expect(CHECK_CONTEXT, locked, "requests come while devices may go");
	expect(CHECK_RESET, !has_to_forget,
	       "requests come before those from before a reset are forgotten");
	stub_point();
	for (i = 0; i < count; i++)
		check_reported(rid, &requests[i]);
	stub_point();
	return library_knows(rid_number(rid)) ? 0 : -ENODEV;
}

static void reset_devices(struct vtd_prq *prq)
{
	sched_check_may_sleep(__func__);
	expect(CHECK_CONTEXT, locked, "devices are forgotten while they may go");
	expect(CHECK_RESET, has_to_forget, "devices are forgotten without a reset");
	note("devices are forgotten");
	stub_point();
	library_forget();
	has_to_forget = false;
	stub_point();
}

/* PRO was cleared. */
void kernel_overflow_cleared(void)
{
	memcpy(nr_before, nr_since, sizeof(nr_before));
	memset(nr_since, 0, sizeof(nr_since));
}

static int disable(struct vtd_prq *prq, u16 rid)
{
	unsigned int number = rid_number(rid);
	unsigned int sum = 0;
	unsigned int i;

	sched_check_may_sleep(__func__);
	for (i = 0; i < NR_RIDS; i++)
		sum += nr_before[i];
	expect(CHECK_BLAMED, number < NR_RIDS && nr_before[number] >= sum / 8,
	       "%04x is disabled, and has not filled the ring", rid);
	sched_yield_until(devices_are_free, number);
	if (!library_knows(number))
		return -ENODEV;
	if (!device_disable(number))
		return -EALREADY;
	note("%04x is disabled", rid);
	queue_device_disabled();
	return 0;
}

static void wake_thread(struct vtd_prq *prq)
{
	stub_point();
	hw.interrupt = true;
	stub_point();
}

static const struct vtd_prq_ops ops = {
	.read_head = hardware_read_head,
	.read_tail = hardware_read_tail,
	.write_head = hardware_write_head,
	.read_status = hardware_read_status,
	.clear_status = hardware_clear_status,
	.lock_devices = lock_devices,
	.unlock_devices = unlock_devices,
	.report = report,
	.reset_devices = reset_devices,
	.submit = queue_submit,
	.drain = queue_drain,
	.disable = disable,
	.wake_thread = wake_thread,
};

/* What driver.c does when the unit is enabled */
void kernel_power_on(void)
{
	static char queue;
	unsigned int i;

	locked = false;
	has_to_forget = false;
	memset(nr_before, 0, sizeof(nr_before));
	memset(nr_since, 0, sizeof(nr_since));
	for (i = 0; i < NR_RIDS; i++)
		devices[i].rid = i;

	memset(&prq, 0, sizeof(prq));
	vtd_prq_init(&prq);
	prq.ops = &ops;
	prq.name = "model";
	prq.queue = (struct iopf_queue *)&queue;
	prq.format = hw.rev;
	prq.ring = hardware_ring();
	prq.size = hw.size;
	vtd_prq_start(&prq);
}

/*
 * Reset hardware and devices while the interrupt thread has nothing to do and no
 * response is being sent; drains may be at any point. No response is sent until the
 * library has dropped the groups.
 */
void kernel_suspend_and_resume(void)
{
	unsigned int i;

	if (sched_is_live(FIBER_INTERRUPT) || sched_is_live(FIBER_RESPOND))
		return;
	for (i = 0; i < NR_RIDS; i++)
		if (library_is_sending(i))
			return;
	hardware_reset();
	ledger_reset();
	device_reset_all();
	has_to_forget = true;
	vtd_prq_restart(&prq);
}
