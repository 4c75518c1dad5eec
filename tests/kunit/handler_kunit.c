// SPDX-License-Identifier: GPL-2.0
/*
 * Registered handlers of device faults, and their responses
 */
#include <linux/mm.h>
#include <linux/mman.h>

#include "fake.h"

#define TIMEOUT_MS	100

/**
 * struct recorder - a registered handler that records what it sees
 * @fake: the device
 * @result: what it returns for complete groups and unrecoverable faults
 * @partial_result: what it returns for requests that are owed no response
 * @remove: remove the device from its queue at a complete group, once
 * @take_cookie: take the cookie of complete groups
 * @respond: respond before returning
 * @seen: number of page requests that it was called with
 * @events: number of unrecoverable faults that it was called with
 * @requests: number of requests of the last complete group
 * @cookie: the last cookie
 * @fault: the last page request
 * @event: the last unrecoverable fault
 */
struct recorder {
	struct fake *fake;
	int result;
	int partial_result;
	bool remove;
	bool take_cookie;
	bool respond;
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

static int record_fault(struct iommu_fault *fault, void *data)
{
	struct recorder *recorder = data;
	const struct iopf_group *group;

	if (fault->type == IOMMU_FAULT_DMA_UNRECOV) {
		recorder->events++;
		recorder->event = *iopf_fault_unrecoverable(fault);
		return recorder->result;
	}
	recorder->seen++;
	recorder->fault = *fault;
	group = iopf_fault_whole_group(fault);
	if (!group)
		return recorder->partial_result;
	recorder->requests = group->fault_count;
	if (recorder->remove) {
		recorder->remove = false;
		fake_remove_device(recorder->fake);
	}
	if (recorder->take_cookie)
		recorder->cookie = iopf_fault_cookie(fault);
	if (recorder->respond)
		respond(recorder->fake, fault->prm.pasid, fault->prm.grpid,
			IOMMU_PAGE_RESP_SUCCESS);
	return recorder->result;
}

/*
 * Register a handler that takes all groups, and lets the library keep partial requests.
 */
static struct recorder *register_recorder(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder;

	recorder = kunit_kzalloc(test, sizeof(*recorder), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, recorder);
	recorder->fake = fake;
	recorder->partial_result = IOMMU_FAULT_STATUS_CONTINUE;
	fake_register_handler(test, record_fault, recorder);
	return recorder;
}

static void register_and_unregister(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder;

	KUNIT_EXPECT_EQ(test, -EINVAL, fake_unregister_handler(fake));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_register_device_fault_handler(fake_dev(fake),
							    NULL, NULL));
	recorder = register_recorder(test);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iommu_register_device_fault_handler(fake_dev(fake),
							    record_fault, NULL));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_unregister_handler(fake));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
	/* The domain's handler gets the faults again. */
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, recorder->seen);
	KUNIT_EXPECT_EQ(test, 1, fake->nr_taken);
	fake_finish_group(fake->taken[0]);
}

/* A response has to match PASID, index and cookie of a group that the handler has. */
static void response_must_match_request(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);

	fake_last(fake, FAKE_PASID, 1, 0x1000);
	fake_last(fake, 99, 1, 0x2000);
	KUNIT_EXPECT_EQ(test, 2, recorder->seen);
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
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

static void response_without_pasid(struct kunit *test)
{
	struct fake *fake = test->priv;

	register_recorder(test);
	fake_report(fake, IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE, 0, 1,
		    IOMMU_FAULT_PERM_READ, 0);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, IOMMU_NO_PASID, 1, 0));
	/* PASID 0 of a request that has a PASID. */
	fake_last(fake, 0, 1, 0);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, IOMMU_NO_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

static void response_from_within_handler(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);

	recorder->respond = true;
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	/* After a response the result does not matter for the group. */
	recorder->result = IOMMU_FAULT_STATUS_CONTINUE;
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, FAKE_PASID, 1, 0));
	recorder->result = -EIO;
	KUNIT_EXPECT_EQ(test, -EIO, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 3, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake->nr_taken);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/*
 * The handler sees all requests. Partial ones that it lets continue are in the group of
 * the last one.
 */
static void handler_sees_whole_groups(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);

	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0x1000));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 98, 1, 0x2000));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0x3000));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0x4000));
	KUNIT_EXPECT_EQ(test, 4, recorder->seen);
	KUNIT_EXPECT_EQ(test, 3, recorder->requests);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	/* Those that it handles itself are not. */
	recorder->partial_result = IOMMU_FAULT_STATUS_HANDLED;
	fake_partial(fake, 97, 1, 0x1000);
	fake_last(fake, 97, 1, 0x2000);
	KUNIT_EXPECT_EQ(test, 1, recorder->requests);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->partial_requests);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 97, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* Requests that are reported together are seen one by one. */
static void handler_sees_batched_requests(struct kunit *test)
{
	struct iopf_request requests[3];
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);
	int i;

	for (i = 0; i < 3; i++)
		requests[i] = fake_request(99, 0, i * PAGE_SIZE, i == 2);
	KUNIT_EXPECT_EQ(test, 0,
			iopf_report_requests(fake_dev(fake), requests, 3));
	KUNIT_EXPECT_EQ(test, 3, recorder->seen);
	KUNIT_EXPECT_EQ(test, 3, recorder->requests);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 0, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* Groups that the handler lets continue are handled as without a handler. */
static void continued_group_is_handled(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 4);
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);
	s64 before = fake_anon_pages();

	recorder->result = IOMMU_FAULT_STATUS_CONTINUE;
	fake_partial(fake, FAKE_SVA_PASID, 1, addr);
	KUNIT_EXPECT_EQ(test, 0,
			fake_last(fake, FAKE_SVA_PASID, 1, addr + PAGE_SIZE));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	/* A malformed request is refused. */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			fake_last(fake, FAKE_SVA_PASID, 1, TASK_SIZE));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.malformed);

	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_ASSERT_EQ(test, 1, fake->nr_taken);
	/* The registered handler does not own the group any more. */
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_PASID, 1, 0));
	fake_finish_group(fake->taken[0]);
	KUNIT_EXPECT_EQ(test, 3, fake->responses);

	/* A PASID without a domain: one response for the group. */
	fake_partial(fake, 99, 1, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[3].code);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

static void handler_refuses_requests(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);

	recorder->result = -EPERM;
	KUNIT_EXPECT_EQ(test, -EPERM, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	recorder->partial_result = -EPERM;
	KUNIT_EXPECT_EQ(test, -EPERM, fake_partial(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* With iommu_queue_iopf() as handler, faults are handled as without a handler. */
static void iommu_queue_iopf_as_handler(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 2);
	struct fake *fake = test->priv;
	s64 before = fake_anon_pages();

	fake_register_handler(test, iommu_queue_iopf, fake_dev(fake));
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, FAKE_SVA_PASID, 1, addr));
	KUNIT_EXPECT_EQ(test, 0,
			fake_last(fake, FAKE_SVA_PASID, 1, addr + PAGE_SIZE));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	KUNIT_EXPECT_EQ(test, -EINVAL, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* A handler keeps a fault and gives it to iommu_queue_iopf() later. */
static void handler_queues_fault_later(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 2);
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);
	s64 before = fake_anon_pages();

	fake_partial(fake, FAKE_SVA_PASID, 1, addr);
	fake_last(fake, FAKE_SVA_PASID, 1, addr + PAGE_SIZE);
	msleep(20);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, before, fake_anon_pages());
	KUNIT_EXPECT_EQ(test, 0,
			iommu_queue_iopf(&recorder->fault, fake_dev(fake)));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, before + 2, fake_anon_pages());
	/* It can do so once. */
	KUNIT_EXPECT_EQ(test, -EINVAL,
			iommu_queue_iopf(&recorder->fault, fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_SVA_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* The group times out and its index is used again. Then the late response comes. */
static void late_response_by_cookie(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);
	u64 first;

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	recorder->take_cookie = true;
	fake_last(fake, FAKE_PASID, 1, 0x1000);
	first = recorder->cookie;
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.overdue);

	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0x2000));
	KUNIT_EXPECT_NE(test, first, recorder->cookie);
	KUNIT_EXPECT_EQ(test, -EINVAL,
			respond_by_cookie(fake, FAKE_PASID, 1, first));
	/* A group whose cookie was taken needs it in the response. */
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.late);
	KUNIT_EXPECT_EQ(test, 0, respond_by_cookie(fake, FAKE_PASID, 1,
						   recorder->cookie));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/*
 * Without a cookie, groups with this PASID and index are refused until the late
 * response has come.
 */
static void late_response_by_pasid_and_index(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);

	iopf_queue_set_timeout(fake->queue, TIMEOUT_MS);
	fake_last(fake, FAKE_PASID, 1, 0x1000);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));

	KUNIT_EXPECT_EQ(test, -EBUSY, fake_last(fake, FAKE_PASID, 1, 0x2000));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[1].code);
	KUNIT_EXPECT_EQ(test, 1, recorder->seen);
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.quarantined);
	/* Other groups are not refused. */
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));

	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake_fdev(fake)->stats.late);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0x2000));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* If the late response never comes, the index is usable again after a while. */
static void quarantine_expires(struct kunit *test)
{
	struct fake *fake = test->priv;

	register_recorder(test);
	iopf_queue_set_timeout(fake->queue, 20);
	fake_last(fake, FAKE_PASID, 1, 0);
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 1));
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_last(fake, FAKE_PASID, 1, 0));
	msleep(300);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, FAKE_PASID, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/*
 * With more late responses than the quarantine holds, all groups are refused for a
 * while.
 */
static void quarantine_full(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);
	u32 i;

	for (i = 0; i <= IOPF_QUARANTINE; i++)
		fake_last(fake, FAKE_PASID, i, 0);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID);
	KUNIT_EXPECT_EQ(test, IOPF_QUARANTINE + 1, fake->responses);
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_last(fake, 99, 12345, 0));
	KUNIT_EXPECT_EQ(test, IOPF_QUARANTINE + 1, recorder->seen);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
	/* A new handler has no late responses. */
	register_recorder(test);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 12345, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 12345, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/*
 * A device with a handler is on the default queue while its driver has it on no queue.
 */
static void handler_on_default_queue(struct kunit *test)
{
	unsigned long addr = fake_map_pages(test, 1);
	struct fake *fake = test->priv;
	struct recorder *recorder;

	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, -ENODEV, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	recorder = register_recorder(test);
	KUNIT_EXPECT_EQ(test, 0, fake_partial(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, recorder->requests);
	KUNIT_EXPECT_EQ(test, -EBUSY, fake_unregister_handler(fake));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	/* Groups that continue are handled. */
	recorder->result = IOMMU_FAULT_STATUS_CONTINUE;
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, FAKE_SVA_PASID, 1, addr));
	KUNIT_ASSERT_TRUE(test, fake_wait_responses(fake, 3));
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_SUCCESS, fake->log[2].code);

	/* Added to a queue: pending groups get a response, the handler stays. */
	recorder->result = IOMMU_FAULT_STATUS_HANDLED;
	fake_last(fake, 99, 2, 0);
	fake_add_device(test);
	KUNIT_EXPECT_EQ(test, 4, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[3].code);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			iopf_queue_add_device(fake->queue, fake_dev(fake)));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 3, 0));
	/* Back to the default queue. */
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 5, fake->responses);
	KUNIT_EXPECT_EQ(test, -EINVAL, respond(fake, 99, 3, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 4, 0));
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 4, 0));
	KUNIT_EXPECT_EQ(test, 6, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
	KUNIT_EXPECT_EQ(test, -ENODEV, fake_last(fake, 99, 4, 0));
	fake_add_device(test);
}

/* A cookie is not valid after the device was removed from its queue. */
static void cookie_invalid_after_removal(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);
	u64 first;

	recorder->take_cookie = true;
	fake_last(fake, 99, 1, 0);
	first = recorder->cookie;
	fake_remove_device(fake);
	fake_add_device(test);
	fake_last(fake, 99, 1, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, respond_by_cookie(fake, 99, 1, first));
	KUNIT_EXPECT_EQ(test, 0,
			respond_by_cookie(fake, 99, 1, recorder->cookie));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/*
 * The device is removed while the handler runs. Nothing is quarantined for the group, as
 * the handler takes its cookie.
 */
static void cookie_taken_after_removal(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);

	recorder->remove = true;
	recorder->take_cookie = true;
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, IOMMU_PAGE_RESP_INVALID, fake->log[0].code);
	fake_add_device(test);
	KUNIT_EXPECT_EQ(test, 0, fake_last(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, respond_by_cookie(fake, 99, 1, recorder->cookie));
	KUNIT_EXPECT_EQ(test, 2, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
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
	struct recorder *recorder;

	KUNIT_EXPECT_EQ(test, -ENOENT,
			iommu_report_unrecoverable_fault(dev, &event));
	recorder = register_recorder(test);
	KUNIT_EXPECT_EQ(test, 0, iommu_report_unrecoverable_fault(dev, &event));
	KUNIT_EXPECT_EQ(test, 1, recorder->events);
	KUNIT_EXPECT_EQ(test, 0xabc000, recorder->event.addr);
	KUNIT_EXPECT_EQ(test, IOMMU_FAULT_REASON_PERMISSION,
			recorder->event.reason);
	recorder->result = IOMMU_FAULT_STATUS_CONTINUE;
	KUNIT_EXPECT_EQ(test, -ENOENT,
			iommu_report_unrecoverable_fault(dev, &event));
	/* A queue is not needed for unrecoverable faults. */
	recorder->result = IOMMU_FAULT_STATUS_HANDLED;
	fake_remove_device(fake);
	KUNIT_EXPECT_EQ(test, 0, iommu_report_unrecoverable_fault(dev, &event));
	fake_add_device(test);
	KUNIT_EXPECT_EQ(test, 0, recorder->seen);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

static void flush_responds_to_handler_groups(struct kunit *test)
{
	struct fake *fake = test->priv;

	register_recorder(test);
	fake_last(fake, FAKE_PASID, 1, 0);
	fake_last(fake, 99, 1, 0);
	/* A flush of the device leaves them with the handler. */
	iopf_queue_flush_dev(fake_dev(fake));
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	iopf_queue_flush_pasid(fake_dev(fake), FAKE_PASID);
	KUNIT_EXPECT_EQ(test, 1, fake->responses);
	KUNIT_EXPECT_EQ(test, FAKE_PASID, fake->log[0].pasid);
	KUNIT_EXPECT_EQ(test, 0, respond(fake, 99, 1, 0));
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
}

/* Add a second device, on no queue of its driver, whose handler has a group. */
static struct iopf_device *register_for_second(struct kunit *test,
					       struct recorder *recorder)
{
	struct fake *fake = test->priv;
	struct iopf_device *fdev;
	struct device *dev;

	fake_map(test, PAGE_SIZE, PROT_READ);
	dev = fake_add_second(test);
	iopf_queue_remove_device(fake->queue, dev);
	recorder->fake = fake;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_register_device_fault_handler(dev, record_fault,
							    recorder));
	KUNIT_EXPECT_EQ(test, 0,
			fake_report_from(dev, FAKE_LAST, 99, 1,
					 IOMMU_FAULT_PERM_READ, 0));
	fdev = iopf_device_get(dev);
	KUNIT_ASSERT_NOT_NULL(test, fdev);
	KUNIT_EXPECT_EQ(test, 1, fdev->nr_handled);
	return fdev;
}

/* Let the IOMMU core release the second device while it has a handler. */
static struct device *release_second(struct fake *fake)
{
	struct device *dev = get_device(&fake->second->dev);

	iommu_detach_device_pasid(&fake->sva, dev, FAKE_SVA_PASID);
	fake->second_bond.handle.domain = NULL;
	platform_device_unregister(fake->second);
	fake->second = NULL;
	return dev;
}

/*
 * A handler is unregistered after the device was released: all objects are freed and no
 * response is sent.
 */
static void unregister_after_device_release(struct kunit *test)
{
	struct recorder *recorder = kunit_kzalloc(test, sizeof(*recorder),
						GFP_KERNEL);
	struct iommu_page_response msg = { 99, 1, IOMMU_PAGE_RESP_SUCCESS };
	struct fake *fake = test->priv;
	struct iopf_device *fdev;
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, recorder);
	fdev = register_for_second(test, recorder);
	dev = release_second(fake);
	KUNIT_ASSERT_NULL(test, dev->iommu);
	KUNIT_EXPECT_EQ(test, -ENODEV, iommu_page_response(dev, &msg));
	KUNIT_EXPECT_EQ(test, 0, iommu_unregister_device_fault_handler(dev));
	KUNIT_EXPECT_TRUE(test, fdev->dead);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fdev));
	KUNIT_EXPECT_EQ(test, 0, fdev->nr_handled);
	KUNIT_EXPECT_EQ(test, 0, fake->responses);
	KUNIT_EXPECT_EQ(test, -EINVAL, iommu_unregister_device_fault_handler(dev));
	KUNIT_EXPECT_EQ(test, -ENODEV,
			iommu_register_device_fault_handler(dev, record_fault,
							    recorder));
	iopf_device_put(fdev);
	put_device(dev);
}

/*
 * A device with a handler is removed from its queue after it was released: it goes to no
 * other queue.
 */
static void remove_after_device_release(struct kunit *test)
{
	struct recorder *recorder = kunit_kzalloc(test, sizeof(*recorder),
						GFP_KERNEL);
	struct fake *fake = test->priv;
	struct device *dev;

	KUNIT_ASSERT_NOT_NULL(test, recorder);
	fake_map(test, PAGE_SIZE, PROT_READ);
	dev = fake_add_second(test);
	recorder->fake = fake;
	KUNIT_ASSERT_EQ(test, 0,
			iommu_register_device_fault_handler(dev, record_fault,
							    recorder));
	dev = release_second(fake);
	KUNIT_ASSERT_NULL(test, dev->iommu);
	iopf_queue_remove_device(fake->queue, dev);
	KUNIT_EXPECT_EQ(test, 0, iommu_unregister_device_fault_handler(dev));
	put_device(dev);
}

/* A handler refers to the device, so that no other device gets the same address. */
static void registration_holds_device(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct kref *users = &fake_dev(fake)->kobj.kref;
	unsigned int before = kref_read(users);

	register_recorder(test);
	KUNIT_EXPECT_EQ(test, before + 1, kref_read(users));
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
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

/*
 * The handler is registered and unregistered while faults are reported. Each group gets
 * one response.
 */
static void register_while_faults_are_reported(struct kunit *test)
{
	struct fake *fake = test->priv;
	struct recorder *recorder = register_recorder(test);
	struct task_struct *task;
	unsigned int wrong = 0;
	int i;

	recorder->respond = true;
	task = fake_start_thread(test, report_many, fake);
	for (i = 0; i < 20; i++) {
		usleep_range(100, 1000);
		while (fake_unregister_handler(fake))
			usleep_range(10, 100);
		usleep_range(100, 200);
		KUNIT_EXPECT_EQ(test, 0,
				iommu_register_device_fault_handler(fake_dev(fake),
								    record_fault,
								    recorder));
	}
	kthread_stop_put(task);
	KUNIT_EXPECT_EQ(test, 0, fake_unregister_handler(fake));
	for (i = 0; i < 2000; i++)
		wrong += fake_responses_for(fake, 99, i) != 1;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	KUNIT_EXPECT_EQ(test, 0, iopf_nr_pending(fake_fdev(fake)));
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
	KUNIT_CASE(cookie_taken_after_removal),
	KUNIT_CASE(unrecoverable_faults),
	KUNIT_CASE(flush_responds_to_handler_groups),
	KUNIT_CASE(unregister_after_device_release),
	KUNIT_CASE(remove_after_device_release),
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
