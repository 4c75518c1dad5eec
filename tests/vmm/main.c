// SPDX-License-Identifier: GPL-2.0
/*
 * vmm: serves a device's page faults from user space, and counts
 *
 *	-b softacc|iommufd  whose faults (softacc)
 *	-n FAULTS           number of faults to serve (100000)
 *	-t THREADS          number of threads that serve (2)
 *	-l N, -r N          groups of 1000 with a late response, refused (50, 5)
 *	-d                  a live view: for the demo
 *
 * Status 1 if anything was lost: a fault without a response, a surplus response, or wrong
 * data.
 */
#include <stdlib.h>

#include "vmm.h"

#define AREA		(32UL << 20)
#define MAX_PENDING	2048
#define NR_LOADS	2

static bool live;
static uint64_t wanted = 100000;
static double began;

static void fail(const char *what)
{
	fprintf(stderr, "vmm: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long get(const atomic_ullong *value)
{
	return *value;
}

/* Print the state in one line. */
static void show(struct vmm *vmm, bool end)
{
	double time = vmm_seconds() - began;
	uint64_t done = vmm->responded[0] + vmm->responded[1];

	if (!live && !end)
		return;
	printf("%s%6.1f s  leaving %8llu faults in %7llu groups, ",
	       live ? "\r" : "", time, get(&vmm->faults), get(&vmm->groups));
	printf("responses %7llu, late %6llu, refused %5llu, waiting %4lld%s",
	       (unsigned long long)done, get(&vmm->late),
	       get(&vmm->responded[1]),
	       (long long)(vmm->groups - done - vmm->never), end ? "\n" : "");
	fflush(stdout);
}

static void watch(struct vmm *vmm)
{
	while (vmm->faults < wanted) {
		usleep(200000);
		show(vmm, false);
	}
}

static bool expect(const char *what, uint64_t is, uint64_t should)
{
	if (is == should)
		return true;
	fprintf(stderr, "vmm: %s: %llu, not %llu\n", what,
		(unsigned long long)is, (unsigned long long)should);
	return false;
}

/* Each group that was read has one response, also by the kernel's counters. */
static bool balance(struct vmm *vmm, const char *device, uint64_t groups_before,
		    uint64_t late_before)
{
	uint64_t responses = vmm_kernel_stat(device, "success") +
			   vmm_kernel_stat(device, "invalid") +
			   vmm_kernel_stat(device, "failure");
	uint64_t groups = vmm_kernel_stat(device, "groups");
	bool good;

	good = expect("responses of the VMM",
		      vmm->responded[0] + vmm->responded[1], vmm->groups);
	good &= expect("responses that were not accepted, broken groups", vmm->bad, 0);
	good &= expect("groups of the kernel", groups - groups_before,
		       vmm->groups);
	good &= expect("responses of the kernel", responses, groups);
	good &= expect("late responses", vmm_kernel_stat(device, "late"),
		       late_before);
	good &= expect("groups left", vmm_kernel_stat(device, "pending_groups"), 0);
	return good;
}

static bool run_softacc(struct vmm *vmm, unsigned int threads)
{
	struct acc_load loads[NR_LOADS];
	struct iopf_forward_stats stats;
	struct softacc_stats device;
	uint64_t again = 0;
	uint64_t wrong = 0;
	uint64_t groups = vmm_kernel_stat("softacc.0", "groups");
	uint64_t late = vmm_kernel_stat("softacc.0", "late");
	bool good;
	int fd = fwd_open(0, 0, 0);
	int i;

	if (fd < 0)
		fail("/dev/iopf-forward");
	vmm->resolve = fwd_resolve;
	vmm_start(vmm, fd, threads);
	for (i = 0; i < NR_LOADS; i++)
		if (acc_load_start(&loads[i], AREA, ~0U))
			fail(ACC_DEVICE);
	watch(vmm);
	for (i = 0; i < NR_LOADS; i++)
		loads[i].stop = true;
	for (i = 0; i < NR_LOADS; i++)
		pthread_join(loads[i].thread, NULL);
	vmm_stop(vmm);
	show(vmm, true);
	if (ioctl(fd, IOPF_FORWARD_IOC_STATS, &stats) ||
	    ioctl(loads[0].fd, SOFTACC_IOC_DEV_STATS, &device))
		fail("reading the counters");
	good = balance(vmm, "softacc.0", groups, late);
	for (i = 0; i < NR_LOADS; i++) {
		again += loads[i].again;
		wrong += loads[i].wrong;
	}
	good &= expect("groups that the forwarder took", stats.groups,
		       vmm->groups);
	good &= expect("groups that it has left", stats.queued + stats.pending, 0);
	good &= expect("responses too late for it", stats.late, 0);
	good &= expect("groups that the device waits for", device.outstanding, 0);
	good &= expect("responses for no group", device.spurious, 0);
	good &= expect("rounds with wrong data", wrong, 0);
	printf("no room for %llu groups; %llu jobs repeated after a refusal; data %s\n",
	       stats.full, (unsigned long long)again,
	       wrong ? "WRONG" : "verified");
	close(fd);
	return good;
}

struct trigger {
	struct vmm *vmm;
	struct mock *mock;
	pthread_t thread;
	uint32_t pasid;
	atomic_ullong *sent;
};

/* Make faults in one thread, with as many in flight as a device would have. */
static void *trigger(void *data)
{
	struct trigger *trigger = data;
	struct vmm *vmm = trigger->vmm;
	uint32_t grpid = 0;

	while (*trigger->sent < wanted) {
		if (*trigger->sent - vmm->responded[0] - vmm->responded[1] >
		    MAX_PENDING) {
			usleep(100);
			continue;
		}
		if (mock_fault(trigger->mock, trigger->pasid, grpid++))
			fail("a fault of the mock device");
		++*trigger->sent;
	}
	return NULL;
}

static bool run_mock(struct vmm *vmm, unsigned int threads)
{
	struct trigger triggers[4];
	atomic_ullong sent = 0;
	struct mock mock;
	bool good;
	int i;

	if (mock_open(&mock))
		fail("iommufd's mock device");
	vmm_start(vmm, mock.queue_fd[0], threads);
	for (i = 0; i < 4; i++) {
		triggers[i] = (struct trigger){
			.vmm = vmm,
			.mock = &mock,
			.pasid = i + 1,
			.sent = &sent,
		};
		if (pthread_create(&triggers[i].thread, NULL, trigger,
				   &triggers[i]))
			fail("a thread");
	}
	watch(vmm);
	for (i = 0; i < 4; i++)
		pthread_join(triggers[i].thread, NULL);
	while (vmm->groups < sent)
		usleep(1000);
	vmm_stop(vmm);
	show(vmm, true);
	good = balance(vmm, "iommufd_mock*", 0, 0);
	good &= expect("faults made", sent, vmm->faults);
	mock_close(&mock);
	return good;
}

int main(int argc, char **argv)
{
	struct vmm vmm = { .policy = { 50, 5, 0, 20 } };
	const char *backend = "softacc";
	unsigned int threads = 2;
	bool good;
	int c;

	while ((c = getopt(argc, argv, "b:n:t:l:r:d")) != -1) {
		switch (c) {
		case 'b':
			backend = optarg;
			break;
		case 'n':
			wanted = strtoull(optarg, NULL, 0);
			break;
		case 't':
			threads = strtoul(optarg, NULL, 0);
			break;
		case 'l':
			vmm.policy.late = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			vmm.policy.refused = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			live = true;
			break;
		default:
			return 2;
		}
	}
	if (!threads || threads > VMM_MAX_THREADS || optind != argc) {
		fprintf(stderr, "vmm: 1 to %d threads, and no further words\n",
			VMM_MAX_THREADS);
		return 2;
	}
	pace_start();
	began = vmm_seconds();
	if (!strcmp(backend, "softacc")) {
		good = run_softacc(&vmm, threads);
	} else if (!strcmp(backend, "iommufd")) {
		good = run_mock(&vmm, threads);
	} else {
		fprintf(stderr, "vmm: -b %s: softacc or iommufd\n", backend);
		return 2;
	}
	printf("%s: %llu faults in %.1f s, %.0f/s, %s\n", backend,
	       get(&vmm.faults), vmm_seconds() - began,
	       vmm.faults / (vmm_seconds() - began),
	       good ? "nothing lost" : "NOT in order: see above");
	return !good;
}
