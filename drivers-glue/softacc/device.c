// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: a device's groups, from the request to its answer
 *
 * As with a PCI function the index of a group is in use, whatever becomes of the
 * job, until the answer comes or the PASID has been drained.
 */
#include <linux/ktime.h>

#include "core.h"

#define SOFTACC_STAT(name)	offsetof(struct softacc_stats, name)

/* Add to a counter of the device, and of the file if there is one. */
static void softacc_count(struct softacc_dev *sdev, struct softacc_queue *queue,
			  size_t counter, s64 n)
{
	lockdep_assert_held(&sdev->lock);
	*(u64 *)((char *)&sdev->stats + counter) += n;
	if (queue)
		*(u64 *)((char *)&queue->stats + counter) += n;
}

static unsigned int softacc_lat_bucket(u64 ns)
{
	unsigned int log;

	if (ns < 4)
		return ns;
	log = fls64(ns) - 1;
	return min((log - 1) << 2 | (ns >> (log - 2) & 3),
		   SOFTACC_LAT_BUCKETS - 1U);
}

static void softacc_count_latency(struct softacc_stats *stats, u64 ns)
{
	stats->lat_count++;
	stats->lat_sum += ns;
	stats->lat_max = max(stats->lat_max, ns);
	stats->lat[softacc_lat_bucket(ns)]++;
}

static struct softacc_queue *softacc_group_queue(struct softacc_group *group)
{
	return group->thread ? group->thread->queue : NULL;
}

static void softacc_end_group(struct softacc_dev *sdev, u32 grpid)
{
	lockdep_assert_held(&sdev->lock);
	__clear_bit(grpid, sdev->busy);
	softacc_count(sdev, softacc_group_queue(&sdev->groups[grpid]),
		      SOFTACC_STAT(outstanding), -1);
}

/* An index for a group of @chunk, or a negative errno. */
static int softacc_begin_group(struct softacc_thread *thread,
			       struct softacc_chunk *chunk)
{
	struct softacc_queue *queue = thread->queue;
	struct softacc_dev *sdev = queue->dev;
	u32 grpid = SOFTACC_NR_PRG;

	spin_lock(&sdev->lock);
	if (!queue->stopped)
		grpid = find_first_zero_bit(sdev->busy, SOFTACC_NR_PRG);
	if (grpid < SOFTACC_NR_PRG) {
		__set_bit(grpid, sdev->busy);
		sdev->groups[grpid] = (struct softacc_group){
			.thread = thread,
			.chunk = chunk,
			.pasid = queue->pasid,
			.posted = ktime_get_ns(),
		};
		softacc_count(sdev, queue, SOFTACC_STAT(outstanding), 1);
	}
	spin_unlock(&sdev->lock);
	if (grpid < SOFTACC_NR_PRG)
		return grpid;
	return READ_ONCE(queue->stopped) ? -ECANCELED : -EBUSY;
}

/*
 * Ask for what @chunk misses. -EBUSY: no index or no room in the ring at the
 * moment; -ECANCELED: the PASID is going away.
 */
int softacc_post(struct softacc_thread *thread, struct softacc_chunk *chunk,
		 const struct softacc_miss *miss)
{
	struct softacc_queue *queue = thread->queue;
	struct softacc_dev *sdev = queue->dev;
	struct softacc_prq prq = {
		.dev = sdev,
		.addr = miss->addr,
		.pasid = queue->pasid,
		.perm = miss->perm,
		.flags = IOMMU_FAULT_PAGE_REQUEST_PASID_VALID |
			 IOMMU_FAULT_PAGE_RESPONSE_NEEDS_PASID |
			 IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE,
	};
	u32 count = min_t(u64, queue->config.pages_per_group,
			  (PAGE_ALIGN(miss->end) - miss->addr) >> PAGE_SHIFT);
	int grpid = softacc_begin_group(thread, chunk);
	bool posted;

	if (grpid < 0)
		return grpid;

	prq.grpid = grpid;
	chunk->grpid = grpid;
	chunk->first = miss->addr;
	chunk->answered = false;
	posted = softacc_ring_post(&prq, count);

	spin_lock(&sdev->lock);
	if (posted) {
		softacc_count(sdev, queue, SOFTACC_STAT(groups), 1);
		softacc_count(sdev, queue, SOFTACC_STAT(requests), count);
	} else {
		softacc_count(sdev, queue, SOFTACC_STAT(ring_full), 1);
		softacc_end_group(sdev, grpid);
	}
	spin_unlock(&sdev->lock);
	return posted ? 0 : -EBUSY;
}

/* @chunk does not wait for its answer any more. The device still does. */
void softacc_abandon(struct softacc_thread *thread, struct softacc_chunk *chunk)
{
	struct softacc_queue *queue = thread->queue;
	struct softacc_dev *sdev = queue->dev;
	struct softacc_group *group = &sdev->groups[chunk->grpid];

	spin_lock(&sdev->lock);
	if (!chunk->answered) {
		softacc_count(sdev, queue, SOFTACC_STAT(abandoned), 1);
		queue->stats.outstanding--;
		group->thread = NULL;
	}
	spin_unlock(&sdev->lock);
}

static void softacc_tell(struct softacc_group *group, u32 code)
{
	struct softacc_chunk *chunk = group->chunk;

	if (!group->thread)
		return;
	chunk->code = code;
	/* Pairs with smp_load_acquire() in softacc_step_waiting(). */
	smp_store_release(&chunk->answered, true);
	wake_up(&group->thread->wait);
}

static bool softacc_answer_engine(struct softacc_dev *sdev, u32 pasid,
				  u32 grpid, u32 code)
{
	struct softacc_group *group = &sdev->groups[grpid];
	struct softacc_queue *queue;
	u64 ns;

	lockdep_assert_held(&sdev->lock);
	if (grpid >= SOFTACC_NR_PRG || !test_bit(grpid, sdev->busy) ||
	    group->pasid != pasid)
		return false;

	queue = softacc_group_queue(group);
	ns = ktime_get_ns() - group->posted;
	softacc_count_latency(&sdev->stats, ns);
	if (queue)
		softacc_count_latency(&queue->stats, ns);
	softacc_count(sdev, queue,
		      SOFTACC_STAT(responses) + min(code, 2U) * sizeof(u64), 1);
	softacc_end_group(sdev, grpid);
	softacc_tell(group, code);
	return true;
}

/* An answer comes in. Nothing here sleeps. */
void softacc_answer(struct softacc_dev *sdev, bool pasid_valid, u32 pasid,
		    u32 grpid, u32 code)
{
	spin_lock(&sdev->lock);
	if (!(pasid_valid && softacc_answer_engine(sdev, pasid, grpid, code)) &&
	    !softacc_answer_injected(sdev, pasid_valid, pasid, grpid, code))
		sdev->stats.spurious++;
	spin_unlock(&sdev->lock);
}

/* From here on no request of @pasid is sent. */
void softacc_stop_pasid(struct softacc_dev *sdev, u32 pasid)
{
	struct softacc_queue *queue;

	spin_lock(&sdev->lock);
	list_for_each_entry(queue, &sdev->queues, node)
		if (queue->pasid == pasid)
			queue->stopped = true;
	spin_unlock(&sdev->lock);
}

/* No answer for @pasid comes any more. Whoever waits for one is told so. */
void softacc_forget_pasid(struct softacc_dev *sdev, u32 pasid)
{
	unsigned long grpid;

	spin_lock(&sdev->lock);
	for_each_set_bit(grpid, sdev->busy, SOFTACC_NR_PRG) {
		struct softacc_group *group = &sdev->groups[grpid];

		if (group->pasid != pasid)
			continue;
		softacc_count(sdev, softacc_group_queue(group),
			      SOFTACC_STAT(forgotten), 1);
		softacc_end_group(sdev, grpid);
		softacc_tell(group, IOMMU_PAGE_RESP_INVALID);
	}
	softacc_forget_injected(sdev, pasid);
	spin_unlock(&sdev->lock);
}

void softacc_read_stats(struct softacc_dev *sdev,
			const struct softacc_stats *from,
			struct softacc_stats *to)
{
	spin_lock(&sdev->lock);
	*to = *from;
	spin_unlock(&sdev->lock);
}
