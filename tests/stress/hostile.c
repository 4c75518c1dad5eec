// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: a process whose device sends arbitrary page requests
 *
 * It sends groups of every kind, several at a time with their requests interleaved:
 * valid ones and such as no device should send. Each must have one response, in time,
 * and an invalid one must not have Success.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "acc.h"
#include "provoke.h"
#include "stress.h"

#define AREA_PAGES	256
#define OPEN_GROUPS	8
#define WINDOW		128
#define FLOOD		5000
/* The longest timeout and delay of a handler, in the machine's time */
#define STUCK_SECONDS	60

#define PERM_READ	(1 << 0)
#define PERM_WRITE	(1 << 1)
#define PERM_EXEC	(1 << 2)

#define RESP_SUCCESS	0
#define RESP_INVALID	1

enum nonsense {
	GOOD,
	UNMAPPED,	/* one of its pages is */
	BAD_PERM,
	BAD_ADDRESS,	/* of the kernel */
	NO_PASID,
	UNBOUND,	/* a PASID that is not bound */
	HANDLED,	/* one with a handler of its own */
	ABANDONED,	/* never completed */
	NR_NONSENSE,
};

/**
 * struct group - a group that is being sent or waits for its response
 * @used: this entry is in use
 * @what: what is wrong with it
 * @request: its next request, except for the address
 * @left: requests that remain to be sent
 * @sent: when the last one was sent, in the machine's time
 */
struct group {
	bool used;
	enum nonsense what;
	struct softacc_inject request;
	unsigned int left;
	double sent;
};

/**
 * struct hostile - the process
 * @round: the round
 * @rng: source of its choices
 * @fd: the device
 * @area: memory, whose last page is unmapped
 * @open: groups that are being sent
 * @sent: groups that wait for a response
 * @nr_sent: number of entries in @sent
 */
struct hostile {
	const struct round *round;
	struct rng *rng;
	int fd;
	char *area;
	struct group open[OPEN_GROUPS];
	struct group sent[WINDOW];
	unsigned int nr_sent;
};

static uint64_t good_page(struct hostile *hostile)
{
	return (uintptr_t)hostile->area +
	       rng_below(hostile->rng, AREA_PAGES - 1) * PAGE;
}

static void begin(struct hostile *hostile, struct group *group)
{
	bool handlers = hostile->round->flags & D_HANDLERS;
	struct rng *rng = hostile->rng;

	*group = (struct group){
		.used = true,
		.what = rng_percent(rng, 40) ? GOOD : rng_below(rng, NR_NONSENSE),
		.left = rng_percent(rng, 50) ? 1 : rng_range(rng, 1, 24),
		.request.grpid = atomic_fetch_add(&shared->next_grpid, 1),
	};
	if (group->what == HANDLED && !handlers)
		group->what = GOOD;
	switch (group->what) {
	case NO_PASID:
		group->request.flags = SOFTACC_INJECT_NO_PASID;
		break;
	case UNBOUND:
		group->request.flags = SOFTACC_INJECT_OTHER_PASID;
		group->request.pasid = 0xe0000 + rng_below(rng, 256);
		break;
	case HANDLED:
		group->request.flags = SOFTACC_INJECT_OTHER_PASID;
		group->request.pasid = SOFTACC_HANDLER_PASID + rng_below(rng, 2);
		break;
	default:
		break;
	}
}

/* Send the next request of @group. Return false if the device takes none now. */
static bool send_request(struct hostile *hostile, struct group *group)
{
	struct softacc_inject request = group->request;
	struct rng *rng = hostile->rng;
	bool last = group->left == 1;

	request.addr = good_page(hostile);
	request.perm = rng_percent(rng, 70) ? PERM_WRITE : PERM_READ;
	if (last && group->what == UNMAPPED)
		request.addr = (uintptr_t)hostile->area +
			       (AREA_PAGES - 1) * PAGE;
	if (last && group->what == BAD_ADDRESS)
		request.addr |= 0xffff800000000000ULL;
	if (last && group->what == BAD_PERM)
		request.perm = PERM_WRITE | PERM_EXEC;
	if (group->what == HANDLED)
		request.addr = provoke_address(rng, 3000);
	if (last && group->what != ABANDONED)
		request.flags |= SOFTACC_INJECT_LAST;
	if (ioctl(hostile->fd, SOFTACC_IOC_INJECT, &request))
		return false;
	group->left--;
	return true;
}

/* Finish @group, all of which is sent. */
static void end(struct hostile *hostile, struct group *group)
{
	unsigned int i;

	group->used = false;
	if (group->what == ABANDONED) {
		count(COUNT_PARTIAL, 1);
		return;
	}
	count(COUNT_INJECTED, 1);
	for (i = 0; i < WINDOW; i++) {
		if (hostile->sent[i].used)
			continue;
		hostile->sent[i] = *group;
		hostile->sent[i].used = true;
		hostile->sent[i].sent = pace_seconds();
		hostile->nr_sent++;
		return;
	}
}

static bool is_right(struct hostile *hostile, struct group *group, uint32_t code)
{
	unsigned int flags = hostile->round->flags;

	if (flags & D_REFUSING || group->what == HANDLED)
		return true;
	if (group->what == GOOD)
		return code == RESP_SUCCESS;
	return code == RESP_INVALID || flags & D_RETRYING;
}

static void check_response(struct hostile *hostile,
			   const struct softacc_response *response)
{
	unsigned int i;

	count(COUNT_RESPONSES, 1);
	if (response->count != 1)
		fail(CHECK_RESPONSES, "group %x of PASID %u has %u responses",
		     response->grpid, response->pasid, response->count);
	for (i = 0; i < WINDOW; i++) {
		struct group *group = &hostile->sent[i];

		if (!group->used || group->request.grpid != response->grpid)
			continue;
		if (!is_right(hostile, group, response->code))
			fail(CHECK_STATUS, "group %x of kind %d: response %u",
			     response->grpid, group->what, response->code);
		group->used = false;
		hostile->nr_sent--;
		return;
	}
	fail(CHECK_RESPONSES, "a response for group %x, which does not wait",
	     response->grpid);
}

static void read_responses(struct hostile *hostile)
{
	struct softacc_response response;

	while (!ioctl(hostile->fd, SOFTACC_IOC_RESPONSE, &response))
		check_response(hostile, &response);
}

static void look_for_lost(struct hostile *hostile)
{
	unsigned int i;

	for (i = 0; i < WINDOW; i++) {
		struct group *group = &hostile->sent[i];

		if (!group->used || !pace_over(group->sent, STUCK_SECONDS * 1000))
			continue;
		fail(CHECK_STUCK, "group %x of kind %d has no response after %d s",
		     group->request.grpid, group->what, STUCK_SECONDS);
		group->used = false;
		hostile->nr_sent--;
	}
}

/*
 * Send a stop marker: unfinished groups of the PASID are discarded without a response.
 */
static void send_stop_marker(struct hostile *hostile)
{
	struct softacc_inject marker = { .flags = SOFTACC_INJECT_LAST };
	unsigned int i;

	for (i = 0; i < OPEN_GROUPS; i++)
		if (hostile->open[i].used)
			return;
	ioctl(hostile->fd, SOFTACC_IOC_INJECT, &marker);
}

/* Send many partial requests, in one group or in as many groups. */
static void flood(struct hostile *hostile)
{
	bool one = rng_percent(hostile->rng, 50);
	struct softacc_inject request = {
		.perm = PERM_WRITE,
		.grpid = atomic_fetch_add(&shared->next_grpid, FLOOD),
	};
	int i;

	for (i = 0; i < FLOOD && !atomic_load(&shared->stop); i++) {
		request.addr = good_page(hostile);
		if (ioctl(hostile->fd, SOFTACC_IOC_INJECT, &request)) {
			if (errno != EAGAIN)
				return;
			usleep(100);
			continue;
		}
		count(COUNT_PARTIAL, 1);
		request.grpid += !one;
	}
}

/* Run one step. Return false when the device is gone. */
static bool step(struct hostile *hostile)
{
	struct rng *rng = hostile->rng;
	struct group *group = &hostile->open[rng_below(rng, OPEN_GROUPS)];

	if (rng_below(rng, 300) == 0)
		send_stop_marker(hostile);
	if (hostile->round->flags & D_LIMITS && rng_below(rng, 2000) == 0)
		flood(hostile);
	if (!group->used) {
		if (hostile->nr_sent + OPEN_GROUPS >= WINDOW) {
			usleep(500);
			return true;
		}
		begin(hostile, group);
	}
	if (!send_request(hostile, group)) {
		if (errno != EAGAIN && errno != ENOMEM)
			return false;
		usleep(500);
	} else if (!group->left) {
		end(hostile, group);
	}
	return true;
}

void run_hostile(const struct round *round, struct rng *rng)
{
	struct hostile *hostile = calloc(1, sizeof(*hostile));
	unsigned long steps = rng_range(rng, 500, 20000);

	hostile->round = round;
	hostile->rng = rng;
	hostile->fd = open_device(round, rng);
	if (hostile->fd < 0) {
		if (!is_gone(errno) && !(round->flags & D_NOMEM))
			fail(CHECK_STUCK, "open: %s", strerror(errno));
		return;
	}
	hostile->area = mmap(NULL, AREA_PAGES * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(hostile->area + (AREA_PAGES - 1) * PAGE, PAGE);
	while (steps-- && !atomic_load(&shared->stop) &&
	       !atomic_load(&shared->gone)) {
		if (!step(hostile)) {
			if (!is_gone(errno))
				fail(CHECK_STUCK, "inject: %s", strerror(errno));
			return;
		}
		read_responses(hostile);
		if (steps % 64 == 0)
			look_for_lost(hostile);
		/* Drop the memory at times, so that it must be requested again. */
		if (rng_below(rng, 200) == 0)
			madvise(hostile->area, (AREA_PAGES - 1) * PAGE,
				MADV_DONTNEED);
	}
	if (rng_percent(rng, 50))
		close(hostile->fd);
}
