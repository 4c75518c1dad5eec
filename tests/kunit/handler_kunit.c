// SPDX-License-Identifier: GPL-2.0
/*
 * Handlers that have registered for a device's faults, and their responses
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "fake.h"

#define TIMEOUT_MS	100

/**
 * struct watcher - a registered handler that does what a test says
 * @fake: the device
 * @says: what it returns
 * @says_of_partial: the same for requests that are owed no response
 * @take_cookie: ask for the cookie
 * @response: answer at once, before returning
 * @seen: requests that it was called with
 * @events: unrecoverable faults that it was called with
 * @requests: requests of the last complete group
 * @cookie: the last one taken
 * @fault: the last one seen
 * @event: the last one seen
 */
struct watcher {
	struct fake *fake;
	int says;
	int says_of_partial;
	bool take_cookie;
	bool response;
	unsigned int seen;
	unsigned int events;
	unsigned int requests;
	u64 cookie;
	struct iommu_fault fault;
	struct iommu_fault_unrecoverable event;
};

static int respond(struct fake *fake, u32 pasid, u32 grpid, u32 code)
{
	struct iommu_page_response msg = { pasid, grpid, code };

	return iommu_page_response(fake_dev(fake), &msg);
}

static int respond_by_cookie(struct fake *fake, u32 pasid, u32 grpid, u64 cookie)
{
	struct iommu_page_response msg = {
		pasid, grpid, IOMMU_PAGE_RESP_SUCCESS,
	};

	return iommu_page_response_by_cookie(fake_dev(fake), &msg, cookie);
}

static int timeout_work(struct iommu_fault *fault, void *data)
{
	struct watcher *watcher = data;
	const struct iopf_group *group;

	if (fault->type == IOMMU_FAULT_DMA_UNRECOV) {
		watcher->events++;
		watcher->event = *iopf_fault_unrecoverable(fault);
		return watcher->says;
	}
	watcher->seen++;
	watcher->fault = *fault;
	group = iopf_fault_whole_group(fault);
	if (!group)
		return watcher->says_of_partial;
	watcher->requests = group->fault_count;
	if (watcher->take_cookie)
		watcher->cookie = iopf_fault_cookie(fault);
	if (watcher->response)
		respond(watcher->fake, fault->prm.pasid, fault->prm.grpid,
			IOMMU_PAGE_RESP_SUCCESS);
	return watcher->says;
}

/* Registered, and takes everything but partial requests. */
static struct watcher *register_watcher(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher;

	watcher = kunit_kzalloc(test, sizeof(*watcher), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, watcher);
	watcher->fake = fake;
	watcher->says_of_partial = IOMMU_FAULT_STATUS_CONTINUE;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_register_device_fault_handler(fake_dev(fake),
							    timeout_work, watcher));
	return watcher;
}

static int unregister(struct fake *fake)
{
	return iommu_unregister_device_fault_handler(fake_dev(fake));
}

static void register_and_unregister(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher;

	KUNIT_EXPECT_EQ(test, -EINVAL, unregister(fake));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_register_device_fault_handler(fake_dev(fake),
							    NULL, NULL));
	watcher = register_watcher(test);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iommu_register_device_fault_handler(fake_dev(fake),
							    timeout_work, NULL));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, unregister(fake));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
	/* The domain has its faults back. */
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, watcher->seen);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
}

/* Only a response that matches takes a fault from the list. */
static void response_must_match_request(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);

	fake_last(fake, FAKE_PASID, 1, 0x1000);
	fake_last(fake, 99, 1, 0x2000);
	KUNIT_EXPECT_EQ(test, 2, watcher->seen);
	KUNIT_EXPECT_EQ(test, 2, fake_fdev(fake)->nr_handled);
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_PASID, 2, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, 98, 1, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, IOMMU_NO_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, 99, 1, 3));
	KUNIT_EXPECT_EQ(test, -EINVAL, respond_by_cookie(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL, respond_by_cookie(fake, 99, 1, 1234));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 2, fake_fdev(fake)->nr_handled);

	KUNIT_EXPECT_EQ(test, 0,
			respond(fake, 99, 1, IOMMU_PAGE_RESP_FAILURE));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 99, fake->log[0].pasid);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_FAILURE, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

static void response_without_pasid(struct kunit *test)
{
	struct fake *fake = test->priv;

	register_watcher(test);
	fake_report(fake, IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE, 0, 1,
		    IOMMU_FAULT_PERM_READ, 0);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, IOMMU_NO_PASID, 1, 0));
	/* PASID 0, and there is one. */
	fake_last(fake, 0, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, IOMMU_NO_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

static void response_from_within_handler(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);

	watcher->response = true;
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	/* One that responses and says something else has answered. */
	watcher->says = IOMMU_FAULT_STATUS_CONTINUE;
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, FAKE_PASID, 1, 0));
	watcher->says = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 3, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* It sees all requests; those that it lets go on are kept for the last one. */
static void handler_sees_whole_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);

	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0x1000));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 98, 1, 0x2000));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0x3000));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0x4000));
	KUNIT_EXPECT_EQ(test, 4, watcher->seen);
	KUNIT_EXPECT_EQ(test, 3, watcher->requests);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	/* Or it keeps them, and the library does not. */
	watcher->says_of_partial = IOMMU_FAULT_STATUS_HANDLED;
	fake_partial(fake, 97, 1, 0x1000);
	fake_last(fake, 97, 1, 0x2000);
	KUNIT_EXPECT_EQ(test, 1, watcher->requests);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->nr_partial);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 97, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* Requests that are reported several at a time are seen one by one, too. */
static void handler_sees_batched_requests(struct kunit *test)
{
	struct iopf_request requests[3] = {};
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);
	int i;

	for (i = 0; i < 3; i++)
		requests[i].fault = (struct iommu_fault){
			.type = IOMMU_FAULT_PAGE_REQ,
			.prm = {
				.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
					 (i == 2 ? IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE :
						   0),
				.pasid = 99,
				.perm = IOMMU_FAULT_PERM_READ,
				.addr = i * PAGE_SIZE,
			},
		};
	KUNIT_EXPECT_EQ(test, 0,
			iopf_report_requests(fake_dev(fake), requests, 3));
	KUNIT_EXPECT_EQ(test, 3, watcher->seen);
	KUNIT_EXPECT_EQ(test, 3, watcher->requests);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 0, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* What goes on ends where it would without a handler. */
static void continued_group_is_handled(struct kunit *test)
{
	unsigned long addr = fake_map(test, 4 * PAGE_SIZE,
				      PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);
	s64 before = fake_anon_pages();

	watcher->says = IOMMU_FAULT_STATUS_CONTINUE;
	fake_partial(fake, FAKE_SVA_PASID, 1, addr);
	KUNIT_EXPECT_EQ(test, 0,
			fake_last(fake, FAKE_SVA_PASID, 1, addr + PAGE_SIZE));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	/* A malformed one is found to be so. */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			fake_last(fake, FAKE_SVA_PASID, 1, TASK_SIZE));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.malformed);

	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	/* It is not the handler's any more. */
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_PASID, 1, 0));
	iopf_group_response(fake->taken[0], IOMMU_PAGE_RESP_SUCCESS);
	iopf_free_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 3, fake->responses);

	/* Nobody there: one response for the group. */
	fake_partial(fake, 99, 1, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[3].code);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

static void handler_refuses_requests(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);

	watcher->says = -EPERM;
	KUNIT_EXPECT_EQ(test, -EPERM, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	watcher->says_of_partial = -EPERM;
	KUNIT_EXPECT_EQ(test, -EPERM, fake_partial(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* The queue as a handler: as if there were none. */
static void iommu_queue_iopf_as_handler(struct kunit *test)
{
	unsigned long addr = fake_map(test, 2 * PAGE_SIZE,
				      PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	s64 before = fake_anon_pages();

	KUNIT_ASSERT_EQ(test, 0,
			iommu_register_device_fault_handler(fake_dev(fake),
							    iommu_queue_iopf,
							    fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_SVA_PASID, 1, addr));
	KUNIT_EXPECT_EQ(test, 0,
			fake_last(fake, FAKE_SVA_PASID, 1, addr + PAGE_SIZE));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* A handler that keeps a fault and gives it to the queue later. */
static void handler_queues_fault_later(struct kunit *test)
{
	unsigned long addr = fake_map(test, 2 * PAGE_SIZE,
				      PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);
	s64 before = fake_anon_pages();

	fake_partial(fake, FAKE_SVA_PASID, 1, addr);
	fake_last(fake, FAKE_SVA_PASID, 1, addr + PAGE_SIZE);
	msleep(20);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, before, fake_anon_pages());
	KUNIT_EXPECT_EQ(test, 0,
			iommu_queue_iopf(&watcher->fault, fake_dev(fake)));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	/* Once. */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_queue_iopf(&watcher->fault, fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_SVA_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* The time is over; the index is used again; then the late response comes. */
static void late_response_by_cookie(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);
	u64 first;

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	watcher->take_cookie = true;
	fake_last(fake, FAKE_PASID, 1, 0x1000);
	first = watcher->cookie;
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.overdue);

	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0x2000));
	KUNIT_EXPECT_NE(test, first, watcher->cookie);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			respond_by_cookie(fake, FAKE_PASID, 1, first));
	/* A handler that has the cookie is not meant without it. */
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.late);
	KUNIT_EXPECT_EQ(test, 0, respond_by_cookie(fake, FAKE_PASID, 1,
						   watcher->cookie));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* Without a cookie the pair is set apart until the late response has come. */
static void late_response_by_pasid_and_index(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	fake_last(fake, FAKE_PASID, 1, 0x1000);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));

	KUNIT_EXPECT_EQ(test, -EBUSY, fake_last(fake, FAKE_PASID, 1, 0x2000));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 1, watcher->seen);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.quarantined);
	/* Another pair is none of that. */
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));

	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.late);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0x2000));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* A late response that never comes does not cost the index for ever. */
static void quarantine_expires(struct kunit *test)
{
	struct fake *fake = test->priv;

	register_watcher(test);
	iopf_queue_set_timeout(fake->queue, 20);
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_last(fake, FAKE_PASID, 1, 0));
	msleep(300);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* More than the list holds: nothing by PASID and index is trusted for a while. */
static void quarantine_full(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);
	u32 i;

	for (i = 0; i <= IOPF_QUARANTINE; i++)
		fake_last(fake, FAKE_PASID, i, 0);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID);
	KUNIT_EXPECT_EQ(test, IOPF_QUARANTINE + 1, fake->responses);
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_last(fake, 99, 12345, 0));
	KUNIT_EXPECT_EQ(test, IOPF_QUARANTINE + 1, watcher->seen);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
	/* A new handler owes nothing. */
	register_watcher(test);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 12345, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 12345, 0));
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* A device that is on no queue of its driver, and then is, and then not. */
static void handler_on_default_queue(struct kunit *test)
{
	unsigned long addr = fake_map(test, PAGE_SIZE, PROT_READ | PROT_WRITE);
	struct fake *fake = test->priv;
	struct watcher *watcher;

	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, -ENODEV, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	watcher = register_watcher(test);
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, watcher->requests);
	KUNIT_EXPECT_EQ(test, -EBUSY, unregister(fake));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	/* What goes on is served all the same. */
	watcher->says = IOMMU_FAULT_STATUS_CONTINUE;
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_SVA_PASID, 1, addr));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 3));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[2].code);

	/* A queue: what is pending is answered, the handler stays. */
	watcher->says = IOMMU_FAULT_STATUS_HANDLED;
	fake_last(fake, 99, 2, 0);
	fake_add_device(test);
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[3].code);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iopf_queue_add_device(fake->queue, fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 3, 0));
	/* And none again. */
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 5, fake->responses);
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, 99, 3, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 4, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 4, 0));
	KUNIT_EXPECT_EQ(test, 6, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_last(fake, 99, 4, 0));
	fake_add_device(test);
}

/* Cookies from before the device was removed name nothing afterwards. */
static void cookie_invalid_after_removal(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);
	u64 first;

	watcher->take_cookie = true;
	fake_last(fake, 99, 1, 0);
	first = watcher->cookie;
	fake_remove_device(fake);
	fake_add_device(test);
	fake_last(fake, 99, 1, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, respond_by_cookie(fake, 99, 1, first));
	KUNIT_EXPECT_EQ(test, 0,
			respond_by_cookie(fake, 99, 1, watcher->cookie));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

static void unrecoverable_faults(struct kunit *test)
{
	struct iommu_fault_unrecoverable event = {
		.reason = IOMMU_FAULT_REASON_PERMISSION,
		.flags = IOMMU_FAULT_UNRECOV_ADDR_VALID,
		.perm = IOMMU_FAULT_PERM_WRITE,
		.addr = 0xabc000,
	};
	struct fake *fake = test->priv;
	struct device *dev = fake_dev(fake);
	struct watcher *watcher;

	KUNIT_EXPECT_EQ(test, -ENOENT,
			iommu_report_unrecoverable_fault(dev, &event));
	watcher = register_watcher(test);
	KUNIT_EXPECT_EQ(test, 0, iommu_report_unrecoverable_fault(dev, &event));
	KUNIT_EXPECT_EQ(test, 1, watcher->events);
	KUNIT_EXPECT_EQ(test, 0xabc000, watcher->event.addr);
	KUNIT_EXPECT_EQ(test, IOMMU_FAULT_REASON_PERMISSION,
			watcher->event.reason);
	watcher->says = IOMMU_FAULT_STATUS_CONTINUE;
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iommu_report_unrecoverable_fault(dev, &event));
	/* Not a queue's affair: it works without one. */
	watcher->says = IOMMU_FAULT_STATUS_HANDLED;
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 0, iommu_report_unrecoverable_fault(dev, &event));
	fake_add_device(test);
	KUNIT_EXPECT_EQ(test, 0, watcher->seen);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

static void flush_responds_to_handler_groups(struct kunit *test)
{
	struct fake *fake = test->priv;

	register_watcher(test);
	fake_last(fake, FAKE_PASID, 1, 0);
	fake_last(fake, 99, 1, 0);
	/* As groups of a domain's handler, they stay where they are. */
	iopf_queue_flush_dev(fake_dev(fake));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, FAKE_PASID, fake->log[0].pasid);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
}

/* A second device, on no queue of its driver's, with a handler and a group that it has. */
static struct iopf_device *register_for_second(struct kunit *test,
					       struct watcher *watcher)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev;
	struct device *dev;

	fake_map(test, PAGE_SIZE, PROT_READ);
	dev = fake_add_second(test);
	iopf_queue_remove_device(fake->queue, dev);
	watcher->fake = fake;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_register_device_fault_handler(dev, timeout_work,
							    watcher));
	KUNIT_EXPECT_EQ(test, 0,
			fake_report_from(dev,
					 IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
					 IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE,
					 99, 1, IOMMU_FAULT_PERM_READ, 0));
	fdev = iopf_device_get(dev);
	KUNIT_ASSERT_NOT_NULL(test, fdev);
	KUNIT_EXPECT_EQ(test, 1, fdev->nr_handled);
	return fdev;
}

/* The IOMMU core releases a device that has a handler. */
static struct device *release_second(struct fake *fake)
{
	struct device *dev = get_device(&fake->second->dev);

	iommu_detach_device_pasid(&fake->sva, dev, FAKE_SVA_PASID);
	fake->second_bond.handle.domain = NULL;
	platform_device_unregister(fake->second);
	fake->second = NULL;
	return dev;
}

/* Unregistered too late: nothing of the device is left, and nothing is sent. */
static void unregister_after_device_release(struct kunit *test)
{
	struct watcher *watcher = kunit_kzalloc(test, sizeof(*watcher),
						GFP_KERNEL);
	struct iommu_page_response msg = { 99, 1, IOMMU_PAGE_RESP_SUCCESS };
	struct fake *fake = test->priv;
	struct iopf_device *fdev;
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, watcher);
	fdev = register_for_second(test, watcher);
	dev = release_second(fake);
	KUNIT_ASSERT_NULL(test, dev->iommu);
	KUNIT_EXPECT_EQ(test, -ENODEV, iommu_page_response(dev, &msg));
	KUNIT_EXPECT_EQ(test, 0, iommu_unregister_device_fault_handler(dev));
	KUNIT_EXPECT_TRUE(test, fdev->dead);
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_pending);
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_handled);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_unregister_device_fault_handler(dev));
	KUNIT_EXPECT_EQ(test, -ENODEV,
			iommu_register_device_fault_handler(dev, timeout_work,
							    watcher));
	iopf_device_put(fdev);
	put_device(dev);
}

/* As long as there is a handler, no other device can be at the device's address. */
static void registration_holds_device(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct kref *users = &fake_dev(fake)->kobj.kref;
	unsigned int before = kref_read(users);

	register_watcher(test);
	KUNIT_EXPECT_EQ(test, before + 1, kref_read(users));
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
	KUNIT_EXPECT_EQ(test, before, kref_read(users));
}

static int report_many(void *data)
{
	struct fake *fake = data;
	int i;

	for (i = 0; i < 2000; i++)
		fake_last(fake, 99, i, 0);
	return 0;
}

/* Coming and going while faults are reported: each has its one response. */
static void register_while_faults_are_reported(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct watcher *watcher = register_watcher(test);
	struct task_struct *task;
	unsigned int wrong = 0;
	int i;

	watcher->response = true;
	task = kthread_create(report_many, fake, "iopf-kunit");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	get_task_struct(task);
	wake_up_process(task);
	for (i = 0; i < 20; i++) {
		usleep_range(100, 1000);
		while (unregister(fake))
			usleep_range(10, 100);
		usleep_range(100, 200);
		KUNIT_EXPECT_EQ(test, 0,
				iommu_register_device_fault_handler(fake_dev(fake),
								    timeout_work,
								    watcher));
	}
	kthread_stop_put(task);
	KUNIT_EXPECT_EQ(test, 0, unregister(fake));
	for (i = 0; i < 2000; i++)
		wrong += fake_responses_for(fake, 99, i) != 1;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_pending);
	KUNIT_EXPECT_EQ(test, 0, fake_fdev(fake)->nr_handled);
}

static struct kunit_case iopf_handler_cases[] = {
	KUNIT_CASE(register_and_unregister),
	KUNIT_CASE(response_must_match_request),
	KUNIT_CASE(response_without_pasid),
	KUNIT_CASE(response_from_within_handler),
	KUNIT_CASE(handler_sees_whole_groups),
	KUNIT_CASE(handler_sees_batched_requests),
	KUNIT_CASE(continued_group_is_handled),
	KUNIT_CASE(handler_refuses_requests),
	KUNIT_CASE(iommu_queue_iopf_as_handler),
	KUNIT_CASE(handler_queues_fault_later),
	KUNIT_CASE(late_response_by_cookie),
	KUNIT_CASE(late_response_by_pasid_and_index),
	KUNIT_CASE(quarantine_expires),
	KUNIT_CASE(quarantine_full),
	KUNIT_CASE(handler_on_default_queue),
	KUNIT_CASE(cookie_invalid_after_removal),
	KUNIT_CASE(unrecoverable_faults),
	KUNIT_CASE(flush_responds_to_handler_groups),
	KUNIT_CASE(unregister_after_device_release),
	KUNIT_CASE(registration_holds_device),
	KUNIT_CASE(register_while_faults_are_reported),
	{ }
};

static struct kunit_suite iopf_handler_suite = {
	.name = "iopf_handler",
	.init = fake_init,
	.exit = fake_exit,
	.test_cases = iopf_handler_cases,
};

kunit_test_suite(iopf_handler_suite);
