/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program in the place of a virtual machine monitor: it reads a device's page faults,
 * makes the pages present, at any time and in any order, and responds.
 *
 *	serve.c     reads faults from a file and responds to them, by a policy
 *	softacc.c   forwarded faults of an accelerator, and jobs for it
 *	mock.c      faults of iommufd's mock device, sent by many threads
 *	main.c      the program: a stress test, and a live view
 *	test.c      tests of the forwarder and of iommufd
 *	forward.c   tests of the forwarder's protection
 */
#ifndef VMM_H
#define VMM_H

#include <linux/iommufd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "acc.h"
#include "iopf_forward.h"

#define PAGE		4096UL
#define VMM_MAX_THREADS	16

/**
 * struct vmm_policy - how to respond to groups, in parts of 1000; the others get
 *	Success at once
 * @late: respond after @late_ms or less
 * @refused: respond with Invalid Request
 * @never: do not respond
 * @late_ms: in milliseconds
 */
struct vmm_policy {
	unsigned int late;
	unsigned int refused;
	unsigned int never;
	unsigned int late_ms;
};

/**
 * struct vmm - a program that responds to faults
 * @fd: file with the faults, of the forwarder or of iommufd
 * @policy: how to respond
 * @resolve: makes the page of a fault present, or NULL
 * @nr_threads: threads that serve
 * @faults: faults read
 * @groups: groups read
 * @responded: responses sent, by response code
 * @late: responses that were not sent at once
 * @never: groups without a response on purpose
 * @bad: responses that were not accepted, and groups that were not whole
 * @stop: end when there is nothing to do
 */
struct vmm {
	int fd;
	struct vmm_policy policy;
	bool (*resolve)(const struct iommu_hwpt_pgfault *fault);
	unsigned int nr_threads;
	atomic_ullong faults;
	atomic_ullong groups;
	atomic_ullong responded[2];
	atomic_ullong late;
	atomic_ullong never;
	atomic_ullong bad;
	atomic_bool stop;
	pthread_t threads[VMM_MAX_THREADS];
};

/* serve.c */
void vmm_start(struct vmm *vmm, int fd, unsigned int nr_threads);
void vmm_stop(struct vmm *vmm);
int vmm_respond(int fd, uint32_t cookie, uint32_t code);
double vmm_seconds(void);
uint64_t vmm_kernel_stat(const char *device, const char *name);

/* softacc.c */
int fwd_open(uint32_t flags, uint32_t pasid, uint32_t groups);
bool fwd_resolve(const struct iommu_hwpt_pgfault *fault);

/**
 * struct acc_load - a thread that keeps an accelerator busy
 * @rounds: rounds to run
 * @area: memory that is dropped after each round
 * @len: its length
 * @fd: the accelerator
 * @again: jobs that were repeated because a fault was refused
 * @wrong: rounds that ended with wrong data or an error
 * @stop: end after this round
 * @thread: the thread
 */
struct acc_load {
	unsigned int rounds;
	char *area;
	size_t len;
	int fd;
	atomic_ullong again;
	atomic_ullong wrong;
	atomic_bool stop;
	pthread_t thread;
};

int acc_load_start(struct acc_load *load, size_t len, unsigned int rounds);
void acc_load_end(struct acc_load *load);

/* mock.c */
/**
 * struct mock - iommufd's mock device, with a nested domain that has a fault queue
 * @fd: iommufd
 * @ioas: the address space
 * @device: ID of the device for iommufd
 * @stdev: its ID for the test interface
 * @parent: domain that @hwpt are nested in
 * @queue: IDs of the fault queues
 * @queue_fd: files with their faults
 * @hwpt: domains whose faults go to @queue
 */
struct mock {
	int fd;
	uint32_t ioas;
	uint32_t device;
	uint32_t stdev;
	uint32_t parent;
	uint32_t queue[2];
	int queue_fd[2];
	uint32_t hwpt[2];
};

int mock_open(struct mock *mock);
void mock_close(struct mock *mock);
int mock_attach(struct mock *mock, uint32_t hwpt);
int mock_fault(struct mock *mock, uint32_t pasid, uint32_t grpid);

#endif /* VMM_H */
