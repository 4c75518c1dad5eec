// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: disturbances of processes, devices and modules
 */
#include <signal.h>

#include "provoke.h"
#include "random.h"

#define RECORD		PARAMETER("record")
/* For what should take no time, in ms */
#define PATIENCE	(10 * shared->close_ms)

/* Return whether the kernel can make allocations fail. */
bool has_failures(void)
{
	return !access("/sys/kernel/debug/failslab", F_OK);
}

/* Let the kernel not log each failure. */
static void prepare_failures(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "iommufd/fail_iommufd",
		"fail_iommufd",
	};
	char path[96];
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 kinds[i]);
		write_file(path, "0");
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/%s/ignore-gfp-wait", kinds[i]);
		write_file(path, "N");
	}
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
}

/* Check the record of the removed devices. */
static void check_record(unsigned int devices)
{
	long missing = read_number(RECORD, "missing");
	long duplicate = read_number(RECORD, "duplicate");
	long unexpected = read_number(RECORD, "unexpected");

	if (read_number(RECORD, "devices") != devices)
		fail(KIND_SOFTACC, CHECK_ENDS, "there is no record of all devices");
	/*
	 * The kernel's own queue responds to each request of a PASID without a domain.
	 */
	if (missing || duplicate || (unexpected && !is_upstream()))
		fail(KIND_SOFTACC, CHECK_ONCE,
		     "of %ld groups %ld have no response, %ld have two; %ld responses for no group",
		     read_number(RECORD, "groups"), missing, duplicate,
		     unexpected);
	printf("# round %u: %ld requests in %ld groups, %ld responses for no group\n",
	       shared->round, read_number(RECORD, "requests"),
	       read_number(RECORD, "groups"), unexpected);
}

/*
 * Load the module while one of its allocations fails. Return false if loading failed,
 * which must leave nothing behind.
 */
static bool load_with_failures(struct disturber *disturber)
{
	unsigned int nth = rng_range(&disturber->rng, 1, 300);
	bool done;

	write_file("/proc/thread-self/fail-nth", "%u", nth);
	done = kernel_load_module(MODULES "softacc.ko", disturber->parameters);
	write_file("/proc/thread-self/fail-nth", "0");
	return done;
}

bool load_softacc(struct disturber *disturber)
{
	int tries;

	if (disturber->round->flags & D_NOMEM)
		for (tries = 0; tries < 3; tries++)
			if (load_with_failures(disturber))
				return true;
	return kernel_load_module(MODULES "softacc.ko", disturber->parameters);
}

void remove_devices(void)
{
	double start = pace_seconds();

	if (!write_file(PARAMETER("remove"), "1"))
		fail(KIND_SOFTACC, CHECK_ENDS, "remove: %s", strerror(errno));
	if (pace_over(start, PATIENCE))
		fail(KIND_SOFTACC, CHECK_ENDS, "removing the devices took %.0f s",
		     pace_seconds() - start);
}

void unload_softacc(void)
{
	if (!kernel_unload_module("softacc"))
		fail(KIND_SOFTACC, CHECK_ENDS, "softacc does not unload: %s",
		     strerror(errno));
}

/* Remove the devices with all that is in flight on them, and load new ones. */
static void replace_devices(struct disturber *disturber)
{
	remove_devices();
	check_record(disturber->round->devices);
	unload_softacc();
	if (!load_softacc(disturber))
		fail(KIND_SOFTACC, CHECK_ENDS, "softacc does not load: %s",
		     strerror(errno));
}

/* Reload the forwarder if no process has a file of it. */
static void replace_forwarder(void)
{
	if (syscall(SYS_delete_module, "iopf_forward", O_NONBLOCK))
		return;
	if (!kernel_load_module(MODULES "iopf_forward.ko", ""))
		fail(KIND_FORWARD, CHECK_ENDS, "the forwarder does not load: %s",
		     strerror(errno));
}

static void disturb_driver(struct rng *rng)
{
	static const char *const words[] = {
		"flush", "flush", "discard", "replug", "flush_handlers",
	};

	/* The kernel's own queue loses groups in flight when a device is removed. */
	write_file(PROVOKE, "%s", words[rng_below(rng, is_upstream() ? 3 : 5)]);
}

static void kill_one(struct disturber *disturber)
{
	struct rng *rng = &disturber->rng;
	pid_t pid = disturber->pids[rng_below(rng, disturber->round->processes)];

	/* With its process group, or without */
	if (pid > 0)
		kill(rng_percent(rng, 50) ? pid : -pid, SIGKILL);
}

void disturb_begin(struct disturber *disturber)
{
	unsigned int flags = disturber->round->flags;

	if (flags & D_NOMEM)
		prepare_failures();
	write_file(PARAMETER("slow_responses"), flags & D_DRIVER ? "1000" : "0");
	/*
	 * Some of softacc's handlers never respond, and a domain's handler has no
	 * timeout.
	 */
	write_file("/sys/module/iopf/parameters/domain_timeout",
		   flags & D_HANDLERS ? "1" : "0");
}

/* Run one of the disturbances of the round. */
void disturb(struct disturber *disturber)
{
	struct rng *rng = &disturber->rng;
	unsigned int flag = 1U << rng_below(rng, NR_DISTURBANCES);

	if (!(flag & disturber->round->flags))
		return;
	switch (flag) {
	case D_KILL:
		kill_one(disturber);
		break;
	case D_REMOVE:
		if (rng_percent(rng, 70))
			replace_forwarder();
		else if (rng_percent(rng, 40))
			replace_devices(disturber);
		break;
	case D_DRIVER:
		disturb_driver(rng);
		break;
	case D_TIMEOUT:
		provoke_timeout(rng);
		break;
	case D_LIMITS:
		provoke_limits(rng);
		break;
	default:
		break;
	}
}

/* Return the groups and partial requests of device @i, negative if unknown. */
static long left(unsigned int i)
{
	return library_stat(i, "pending_groups") +
	       library_stat(i, "partial_requests");
}

/*
 * All processes have ended: wait for the groups that they left, and remove the devices.
 */
void disturb_end(struct disturber *disturber)
{
	unsigned int i;

	write_file(PRQ_TIMEOUT, "10");
	write_file(PROVOKE, "timeout=0");
	for (i = 0; i < disturber->round->devices; i++)
		if (!pace_wait(PATIENCE, left(i) <= 0))
			fail(KIND_SOFTACC, CHECK_ENDS,
			     "device %u has %ld groups and partial requests left",
			     i, left(i));
	remove_devices();
	check_record(disturber->round->devices);
	unload_softacc();
	write_file("/sys/module/iopf/parameters/domain_timeout", "0");
}
