// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: the accelerator
 *
 * Each group that a thread injects has an index of its own: using an index that is in
 * use is the device's mistake, and then the number of responses is undefined.
 */
#include <misc/uacce/uacce.h>
#include <sys/ioctl.h>

#include "provoke.h"
#include "random.h"

long softacc_open(struct actor *actor)
{
	const unsigned int devices = actor->process->round->devices;
	struct step *step;
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/dev/softacc-%u",
		 (unsigned int)rng_below(&actor->rng, devices));
	step = trail_step(actor->trail, "open softacc", -1, 0, "");
	arm_failure(actor);
	fd = open(path, O_RDWR | (rng_percent(&actor->rng, 50) ? O_CLOEXEC :
							       O_NONBLOCK));
	fd = end_call(actor, step, fd);
	if (fd >= 0)
		add_file(actor->process, fd, KIND_SOFTACC, -1);
	return fd;
}

static long softacc_info(struct actor *actor, struct file *file)
{
	struct softacc_info info;

	return do_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_INFO, &info,
			sizeof(info));
}

static long softacc_config(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	bool good = rng_percent(rng, 80);
	struct softacc_config config = {
		.pages_per_group = good ? rng_range(rng, 1, 16) : rng_next(rng),
		.outstanding = good ? rng_range(rng, 1, 32) : rng_below(rng, 300),
		.threads = good ? rng_range(rng, 1, 3) : rng_below(rng, 20),
		.retry_limit = rng_below(rng, 100),
		.flags = rng_percent(rng, 70) ? 0 : rng_below(rng, 8),
		.reserved = rng_percent(rng, 95) ? 0 : rng_next(rng),
	};

	return do_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_CONFIG,
			&config, sizeof(config));
}

static long softacc_submit(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	struct softacc_job job = {
		.op = rng_below(rng, SOFTACC_OP_TOUCH + 2),
		.len = rng_percent(rng, 90) ? rng_range(rng, 1, 32) * PAGE :
					      rng_next(rng) >> rng_below(rng, 64),
		.seed = rng_next(rng),
		.flags = rng_percent(rng, 97) ? 0 : rng_next(rng),
	};

	if (job.op != SOFTACC_OP_FILL && job.op != SOFTACC_OP_TOUCH)
		job.src = memory(actor);
	if (job.op != SOFTACC_OP_CHECKSUM)
		job.dst = memory(actor);
	return do_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_SUBMIT, &job,
			sizeof(job));
}

static long softacc_reap(struct actor *actor, struct file *file)
{
	struct softacc_completion end;

	return do_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_REAP, &end,
			sizeof(end));
}

static long softacc_cancel(struct actor *actor, struct file *file)
{
	return do_plain_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_CANCEL);
}

static long softacc_stats(struct actor *actor, struct file *file)
{
	struct softacc_stats stats;

	return do_ioctl(actor, atomic_load(&file->fd),
			rng_percent(&actor->rng, 50) ? SOFTACC_IOC_STATS :
						       SOFTACC_IOC_DEV_STATS,
			&stats, sizeof(stats));
}

/*
 * PASIDs of other processes are left out: the request might come after its owner has
 * stopped the PASID.
 */
static uint32_t other_pasid(struct actor *actor)
{
	struct rng *rng = &actor->rng;

	if (actor->process->round->flags & D_HANDLERS && rng_percent(rng, 60))
		return SOFTACC_HANDLER_PASID + rng_below(rng, 2);
	return rng_percent(rng, 50) ? 0xe0000 + rng_below(rng, 256) :
				      rng_next(rng) | 1U << 20;
}

static long softacc_inject(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	struct softacc_inject request = {
		.flags = rng_next(rng) & (SOFTACC_INJECT_LAST |
					  SOFTACC_INJECT_MORE),
		.grpid = atomic_fetch_add(&shared->next_grpid, 1),
		.perm = rng_percent(rng, 80) ? rng_range(rng, 1, 3) :
					       rng_below(rng, 16),
		.addr = memory(actor),
	};
	unsigned int i;
	long ret;

	if (rng_percent(rng, 5))
		request.flags |= 1U << rng_below(rng, 32);
	if (rng_percent(rng, 10))
		request.flags |= SOFTACC_INJECT_NO_PASID;
	if (rng_percent(rng, 20)) {
		request.flags |= SOFTACC_INJECT_OTHER_PASID;
		request.pasid = other_pasid(actor);
		if (request.pasid >= SOFTACC_HANDLER_PASID)
			request.addr = provoke_address(rng, 1000);
	}
	/* Up to eight requests, of which the last one is as chosen */
	for (i = rng_percent(rng, 30) ? rng_below(rng, 8) : 0; i; i--) {
		struct softacc_inject partial = request;

		partial.flags &= ~SOFTACC_INJECT_LAST;
		do_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_INJECT,
			 &partial, sizeof(partial));
		request.addr += PAGE;
	}
	ret = do_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_INJECT,
		       &request, sizeof(request));
	return ret;
}

static long softacc_response(struct actor *actor, struct file *file)
{
	struct softacc_response response = { .count = 1 };
	long ret;

	ret = do_ioctl(actor, atomic_load(&file->fd), SOFTACC_IOC_RESPONSE,
		       &response, sizeof(response));
	if (!ret && response.count > 1)
		fail(KIND_SOFTACC, CHECK_ONCE,
		     "group %x of PASID %x has %u responses", response.grpid,
		     response.pasid, response.count);
	return ret;
}

/* Run one of the commands of UACCE itself. */
static long softacc_uacce(struct actor *actor, struct file *file)
{
	return do_ioctl(actor, atomic_load(&file->fd),
			rng_percent(&actor->rng, 50) ? UACCE_CMD_START_Q :
						       UACCE_CMD_PUT_Q,
			NULL, 0);
}

const struct operation softacc_operations[] = {
	{ "info", 2, softacc_info },
	{ "config", 8, softacc_config },
	{ "submit", 20, softacc_submit },
	{ "reap", 16, softacc_reap },
	{ "cancel", 4, softacc_cancel },
	{ "stats", 2, softacc_stats },
	{ "inject", 24, softacc_inject },
	{ "response", 16, softacc_response },
	{ "uacce", 2, softacc_uacce },
	{ }
};
