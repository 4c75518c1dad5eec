// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: the forwarder
 *
 * Its groups come from accelerators that the processes use, too.
 */
#include <sys/ioctl.h>

#include "random.h"
#include "iopf_forward.h"

/* Open a file with the faults of the first accelerator. Return it, or -1. */
int forward_bound(void)
{
	struct iopf_forward_bind bind = { .device = "platform/softacc.0" };
	int fd = open("/dev/iopf-forward", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind);
	return fd;
}

static long forward_bind(struct actor *actor, struct file *file)
{
	static const char *const names[] = {
		"platform/softacc.0", "platform/softacc.1", "platform/softacc.7",
		"pci/0000:00:00.0", "platform/", "softacc.0", "", "/",
		"platform/iommufd_selftest_iommu.0",
	};
	struct rng *rng = &actor->rng;
	struct iopf_forward_bind bind = {
		.flags = rng_percent(rng, 80) ? rng_below(rng, 4) : rng_next(rng),
		.dev_id = rng_next(rng),
		.groups = rng_percent(rng, 60) ? 0 : rng_below(rng, 70000),
		.requests = rng_percent(rng, 60) ? 0 : rng_below(rng, 1 << 21),
	};
	const char *name = names[rng_percent(rng, 70) ?
				 rng_below(rng, 2) :
				 rng_below(rng, sizeof(names) / sizeof(names[0]))];

	snprintf(bind.device, sizeof(bind.device), "%s", name);
	if (bind.flags & IOPF_FORWARD_PASID)
		bind.pasid = rng_below(rng, 8);
	if (rng_percent(rng, 3))
		memset(bind.device, 'x', sizeof(bind.device));
	return do_ioctl(actor, atomic_load(&file->fd), IOPF_FORWARD_IOC_BIND,
			&bind, sizeof(bind));
}

long forward_open(struct actor *actor)
{
	struct step *step = trail_step(actor->trail, "open forwarder", -1, 0, "");
	struct file file = { .kind = KIND_FORWARD };
	int fd;

	arm_failure(actor);
	fd = end_call(actor, step, open("/dev/iopf-forward", O_RDWR | O_CLOEXEC));
	if (fd < 0)
		return fd;
	file.queue = queue_new(KIND_FORWARD);
	atomic_store(&file.fd, fd);
	if (rng_percent(&actor->rng, 60))
		forward_bind(actor, &file);
	add_file(actor->process, fd, KIND_FORWARD, file.queue);
	return fd;
}

static long forward_stats(struct actor *actor, struct file *file)
{
	struct iopf_forward_stats stats;

	return do_ioctl(actor, atomic_load(&file->fd), IOPF_FORWARD_IOC_STATS,
			&stats, sizeof(stats));
}

static long forward_again(struct actor *actor, struct file *file)
{
	return do_plain_ioctl(actor, atomic_load(&file->fd),
			      IOPF_FORWARD_IOC_AGAIN);
}

const struct operation forward_operations[] = {
	{ "bind", 20, forward_bind },
	{ "read", 24, queue_read },
	{ "response", 30, queue_response },
	{ "stats", 4, forward_stats },
	{ "again", 4, forward_again },
	{ }
};
