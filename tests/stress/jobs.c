// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: a process that runs jobs of its device
 *
 * Several jobs run at a time on memory of random kinds. The CPU verifies every byte
 * that a job reports as done.
 */
#include <linux/userfaultfd.h>

#include "acc.h"
#include "stress.h"

#define MAX_JOBS	4
/*
 * In the machine's time. A group that takes more than 10 s times out and is sent again.
 */
#define STUCK_SECONDS	60
/*
 * Memory that is never served is given up after this time, which is longer than the
 * timeout of a group.
 */
#define NEVER_SECONDS	12

/*
 * Faults that are never served occupy the workers of this PASID: from now on its
 * requests may take too long.
 */
static bool asleep;

/* Return whether @error means that the device was removed. */
bool is_gone(int error)
{
	return atomic_load(&shared->gone) &&
	       (error == ENXIO || error == ENODEV || error == ENOENT ||
		error == EINVAL || error == EIO);
}

int open_device(const struct round *round, struct rng *rng)
{
	static const unsigned int pages[] = { 1, 2, 4, 8, 16, 32, 64 };
	struct softacc_config config = {
		.pages_per_group = pages[rng_below(rng, 7)],
		.outstanding = rng_range(rng, 1, 48),
		.threads = rng_range(rng, 1, 3),
	};
	char path[32];

	snprintf(path, sizeof(path), ACC_DEVICES,
		 (unsigned int)rng_below(rng, round->devices));
	return acc_open_path(path, &config);
}

/* Return whether a job may end with @status. */
static bool is_allowed(const struct round *round, const struct area *area,
		       int status)
{
	bool racy = area->kind == KIND_PROTECT || area->kind == KIND_HOLES;

	/*
	 * A job on memory that is never served must not end before the memory is given
	 * up.
	 */
	if (!status)
		return area->kind != KIND_NEVER || area->uffd < 0;
	/* With short timeouts the device may have tried too often. */
	if (status == -ELOOP)
		return round->flags & D_TIMEOUT;
	if (status == -ECANCELED || status == -ESRCH)
		return true;
	if (status != -EFAULT)
		return false;
	return racy || round->flags & D_REFUSING;
}

/**
 * struct batch - concurrent jobs
 * @areas: their memory
 * @seeds: seeds of the patterns
 * @ends: their completions
 * @nr: number of jobs
 * @left: jobs that have not ended
 */
struct batch {
	struct area areas[MAX_JOBS];
	uint64_t seeds[MAX_JOBS];
	struct softacc_completion ends[MAX_JOBS];
	unsigned int nr;
	unsigned int left;
};

/*
 * A group whose fault takes too long is not refused: the device tries again. So jobs on
 * memory that user space never serves run until the userfaultfd is closed.
 */
static void give_up(struct batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->nr; i++) {
		struct area *area = &batch->areas[i];

		if (area->kind == KIND_NEVER && area->uffd >= 0) {
			struct uffdio_range range = {
				(uintptr_t)area->addr, area->len,
			};

			/* A child that was forked meanwhile keeps the file open. */
			ioctl(area->uffd, UFFDIO_UNREGISTER, &range);
			close(area->uffd);
			area->uffd = -1;
		}
	}
}

/* Reap the next completion. Return -1 if the round is over or the device is gone. */
static int reap(int fd, struct batch *batch, struct softacc_completion *end)
{
	double start = pace_seconds();

	while (acc_reap(fd, end, 50)) {
		if (errno != ETIMEDOUT) {
			if (!is_gone(errno))
				fail(CHECK_STUCK, "completion: %s", strerror(errno));
			return -1;
		}
		if (atomic_load(&shared->stop) || atomic_load(&shared->gone))
			return -1;
		if (batch && pace_over(start, NEVER_SECONDS * 1000))
			give_up(batch);
		if (pace_over(start, STUCK_SECONDS * 1000)) {
			fail(CHECK_STUCK, "no job has ended for %d s",
			     STUCK_SECONDS);
			return -1;
		}
	}
	return 0;
}

static void verify(const struct round *round, struct area *area,
		   const struct softacc_completion *end, uint64_t seed)
{
	int64_t wrong;

	if (!is_allowed(round, area, end->status)) {
		fail(CHECK_STATUS,
		     "memory of kind %d: status %d, code %u, page %llu of %zu",
		     area->kind, end->status, end->fault_code,
		     ((unsigned long long)end->fault_addr -
		      (uintptr_t)area->addr) / PAGE, area->len / PAGE);
		return;
	}
	if (end->status) {
		count(COUNT_JOBS_FAILED, 1);
		return;
	}
	if (end->bytes != area->len)
		fail(CHECK_DATA, "memory of kind %d: %llu bytes of %zu done",
		     area->kind, (unsigned long long)end->bytes, area->len);
	/* Data that was written into a hole is lost. */
	if (area->kind == KIND_HOLES)
		return;
	wrong = acc_verify(area->addr, area->len, seed);
	if (wrong >= 0)
		fail(CHECK_DATA, "memory of kind %d: wrong at %lld of %zu",
		     area->kind, (long long)wrong, area->len);
	else
		count(COUNT_BYTES, area->len);
}

/* Let the device read the data that it has written, and compare the checksum. */
static int read_back(int fd, const struct round *round, struct area *area,
		     uint64_t seed)
{
	struct softacc_completion end;
	uint64_t sum = 0;
	uint64_t i;

	if (area->kind == KIND_HOLES)
		return 0;
	area_push_out(area);
	if (acc_submit(fd, SOFTACC_OP_CHECKSUM, area->addr, NULL, area->len, 0))
		return is_gone(errno) ? -1 : 0;
	if (reap(fd, NULL, &end))
		return -1;
	count(COUNT_JOBS, 1);
	if (end.status) {
		if (!is_allowed(round, area, end.status))
			fail(CHECK_STATUS, "memory of kind %d: read back: status %d",
			     area->kind, end.status);
		return 0;
	}
	for (i = 0; i < area->len; i += 8)
		sum += softacc_mix(softacc_pattern(seed, i), i);
	if (sum != end.result)
		fail(CHECK_DATA, "memory of kind %d: wrong checksum",
		     area->kind);
	return 0;
}

static void submit(int fd, struct batch *batch, struct rng *rng)
{
	unsigned int nr = rng_range(rng, 1, MAX_JOBS);
	struct softacc_job job = { .op = SOFTACC_OP_FILL };

	batch->nr = 0;
	while (batch->nr < nr) {
		struct area *area = &batch->areas[batch->nr];

		if (!area_map(area, rng, fd))
			break;
		if (area->kind == KIND_NEVER)
			asleep = true;
		batch->seeds[batch->nr] = rng_next(rng);
		job.id = 0;
		job.dst = (uintptr_t)area->addr;
		job.len = area->len;
		job.seed = batch->seeds[batch->nr];
		job.tag = batch->nr;
		if (ioctl(fd, SOFTACC_IOC_SUBMIT, &job)) {
			area_unmap(area);
			break;
		}
		batch->nr++;
	}
	batch->left = batch->nr;
}

/* Finish the batch. Return false if the file is to be closed. */
static bool finish(int fd, const struct round *round, struct batch *batch)
{
	struct softacc_completion end;
	unsigned int i;

	for (; batch->left; batch->left--) {
		if (reap(fd, batch, &end))
			return false;
		batch->ends[end.tag] = end;
		count(COUNT_JOBS, 1);
	}
	for (i = 0; i < batch->nr; i++) {
		verify(round, &batch->areas[i], &batch->ends[i],
		       batch->seeds[i]);
		if (!batch->ends[i].status &&
		    read_back(fd, round, &batch->areas[i], batch->seeds[i]))
			return false;
	}
	return true;
}

static bool run_batch(int fd, const struct round *round, struct rng *rng)
{
	struct batch batch;
	bool more = false;
	unsigned int i;

	submit(fd, &batch, rng);
	switch (rng_below(rng, 16)) {
	case 0:
		ioctl(fd, SOFTACC_IOC_CANCEL, 0);
		break;
	case 1:
		/* Unmap the memory while the device works on it. */
		usleep(rng_below(rng, 3000));
		goto unmap;
	default:
		break;
	}
	more = finish(fd, round, &batch);
unmap:
	for (i = 0; i < batch.nr; i++)
		if (!area_unmap(&batch.areas[i]))
			fail(CHECK_DATA, "a child saw what the device wrote");
	return more;
}

void run_jobs(const struct round *round, struct rng *rng)
{
	int batches = rng_range(rng, 1, 20);
	int fd = open_device(round, rng);

	if (fd < 0) {
		if (!is_gone(errno) && !(round->flags & D_NOMEM))
			fail(CHECK_STUCK, "open: %s", strerror(errno));
		return;
	}
	while (batches-- && !atomic_load(&shared->stop) &&
	       run_batch(fd, round, rng))
		;
	/* Close the file or leave that to exit: the order of teardown differs. */
	if (rng_percent(rng, 50))
		close(fd);
}
