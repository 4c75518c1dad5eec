/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program in the place of a virtual machine monitor: a device's page faults come
 * to it, it makes the pages present, when and in what order it likes, and answers.
 *
 *	serve.c     reads faults from a file and answers them, by a policy
 *	softacc.c   faults of an accelerator, forwarded, and the accelerator's work
 *	mock.c      faults of iommufd's own mock device, made up by many threads
 *	main.c      the program: stress, and a view of it
 *	test.c      the tests: both ways out
 *	forward.c   the forwarder against those who would harm others by it
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
 * struct vmm_policy - what becomes of a group, in parts of 1000; the rest is answered
 *	at once
 * @late: answered after @late_ms or less
 * @refused: answered with Invalid Request
 * @never: not answered
 * @late_ms: in milliseconds
 */
struct vmm_policy {
	unsigned int late;
	unsigned int refused;
	unsigned int never;
	unsigned int late_ms;
};

/**
 * struct vmm - one who answers
 * @fd: where the faults come from: the forwarder's or iommufd's, it is the same
 * @policy: what he does with them
 * @resolve: make the page of a fault present, or NULL if there is none
 * @nr_threads: that serve
 * @faults: read
 * @groups: read
 * @responded: by response code
 * @late: of these, not at once
 * @never: groups that are not answered on purpose
 * @bad: responses that were not taken, groups that were not whole
 * @stop: end, when there is nothing to do
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
 * @rounds: to do
 * @area: memory that is forgotten after each round
 * @len: its length
 * @fd: the accelerator
 * @again: jobs that failed because of a refused fault, and were repeated
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
 * @ioas: address space
 * @device: the device, for iommufd
 * @stdev: and for its test interface
 * @parent: domain to nest in
 * @queue: fault queues
 * @queue_fd: to read their faults
 * @hwpt: domains whose faults go there
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
