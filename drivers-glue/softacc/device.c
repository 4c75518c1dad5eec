// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: groups of the engine, from the request to the response
 *
 * The index of a group is in use until the response comes or the PASID was drained, even
 * if the job has ended, as with a PCI function.
 */
#include <linux/mm.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include <linux/timex.h>

#include "core.h"

#define SOFTACC_PERM_ACCESS	(IOMMU_FAULT_PERM_READ | \
				 IOMMU_FAULT_PERM_WRITE | \
				 IOMMU_FAULT_PERM_EXEC)

#define SOFTACC_STAT(name)	offsetof(struct softacc_stats, name)

/* Add @n to a counter of the device, and of the file @queue unless it is NULL. */
static void softacc_count(struct softacc_dev *sdev, struct softacc_queue *queue,
			  size_t counter, s64 n)
{
	lockdep_assert_held(&sdev->lock);
	*(u64 *)((char *)&sdev->stats + counter) += n;
	if (queue)
		*(u64 *)((char *)&queue->stats + counter) += n;
}

/*
 * The clock is read twice for each group, so this is cheap: the TSC where there is one,
 * and only the difference is converted to nanoseconds.
 */
#ifdef CONFIG_X86_TSC
static u64 softacc_clock(void)
{
	return rdtsc();
}

static u64 softacc_clock_ns(u64 cycles)
{
	return div_u64(cycles * NSEC_PER_MSEC, tsc_khz);
}
#else
static u64 softacc_clock(void)
{
	return local_clock();
}

static u64 softacc_clock_ns(u64 ns)
{
	return ns;
}
#endif

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

static struct softacc_indices *softacc_find_indices(struct softacc_dev *sdev,
						    u32 pasid)
{
	struct softacc_indices *indices;

	lockdep_assert_held(&sdev->lock);
	list_for_each_entry(indices, &sdev->indices, node)
		if (!softacc_prg_per_pasid || indices->pasid == pasid)
			return indices;
	return NULL;
}

/* Return indices that no file uses and that belong to no group without a response. */
static struct softacc_indices *softacc_find_idle_indices(struct softacc_dev *sdev)
{
	struct softacc_indices *indices;

	list_for_each_entry(indices, &sdev->indices, node)
		if (!indices->queues && bitmap_empty(indices->busy, indices->nr))
			return indices;
	return NULL;
}

static void softacc_free_index_set(struct softacc_indices *indices)
{
	if (!indices)
		return;
	bitmap_free(indices->busy);
	kvfree(indices);
}

static struct softacc_indices *softacc_alloc_indices(void)
{
	unsigned int nr = 1 << softacc_prg_bits;
	struct softacc_indices *indices;

	indices = kvzalloc(struct_size(indices, groups, nr), GFP_KERNEL);
	if (!indices)
		return NULL;
	indices->nr = nr;
	indices->busy = bitmap_zalloc(nr, GFP_KERNEL);
	if (indices->busy)
		return indices;
	softacc_free_index_set(indices);
	return NULL;
}

/* Set the indices of @queue, before its first request. Serialized by UACCE's mutex. */
int softacc_get_indices(struct softacc_queue *queue)
{
	struct softacc_dev *sdev = queue->dev;
	struct softacc_indices *indices;
	struct softacc_indices *new = NULL;

	spin_lock_irq(&sdev->lock);
	indices = softacc_find_indices(sdev, queue->pasid);
	if (!indices)
		indices = softacc_find_idle_indices(sdev);
	spin_unlock_irq(&sdev->lock);
	if (!indices) {
		new = softacc_alloc_indices();
		if (!new)
			return -ENOMEM;
		indices = new;
	}

	spin_lock_irq(&sdev->lock);
	if (new)
		list_add_tail(&new->node, &sdev->indices);
	indices->pasid = queue->pasid;
	indices->queues++;
	queue->indices = indices;
	spin_unlock_irq(&sdev->lock);
	return 0;
}

/* Give up the indices of @queue. They are not freed, as groups may have no response yet. */
void softacc_put_indices(struct softacc_queue *queue)
{
	lockdep_assert_held(&queue->dev->lock);
	queue->indices->queues--;
}

/* Free all indices of a device that is being removed. */
void softacc_free_indices(struct softacc_dev *sdev)
{
	struct softacc_indices *indices;
	struct softacc_indices *next;

	list_for_each_entry_safe(indices, next, &sdev->indices, node) {
		WARN_ON(!bitmap_empty(indices->busy, indices->nr) &&
			!softacc_no_drain);
		softacc_free_index_set(indices);
	}
}

static void softacc_finish_group(struct softacc_dev *sdev,
				 struct softacc_indices *indices,
			      struct softacc_group *group)
{
	lockdep_assert_held(&sdev->lock);
	__clear_bit(group - indices->groups, indices->busy);
	softacc_count(sdev, softacc_group_queue(group),
		      SOFTACC_STAT(outstanding), -1);
}

/* Allocate an index. Return @indices->nr if there is none. */
static u32 softacc_alloc_index(struct softacc_indices *indices)
{
	u32 grpid = find_next_zero_bit(indices->busy, indices->nr,
				       indices->next);

	if (grpid >= indices->nr)
		grpid = find_first_zero_bit(indices->busy, indices->nr);
	if (grpid < indices->nr) {
		__set_bit(grpid, indices->busy);
		indices->next = grpid + 1;
	}
	return grpid;
}

/* Start a group of @chunk for @count pages. Return 0 or a negative errno. */
static int softacc_start_group(struct softacc_thread *thread,
			       struct softacc_chunk *chunk, u32 count)
{
	struct softacc_queue *queue = thread->queue;
	struct softacc_indices *indices = queue->indices;
	struct softacc_dev *sdev = queue->dev;
	u32 grpid;
	int ret = 0;

	spin_lock_irq(&sdev->lock);
	if (queue->stopped) {
		ret = -ECANCELED;
		goto out;
	}
	grpid = softacc_alloc_index(indices);
	if (grpid == indices->nr) {
		ret = -EBUSY;
		goto out;
	}
	chunk->group = &indices->groups[grpid];
	*chunk->group = (struct softacc_group){
		.thread = thread,
		.chunk = chunk,
		.pasid = queue->pasid,
		.posted = softacc_clock(),
	};
	softacc_count(sdev, queue, SOFTACC_STAT(outstanding), 1);
	softacc_count(sdev, queue, SOFTACC_STAT(groups), 1);
	softacc_count(sdev, queue, SOFTACC_STAT(requests), count);
out:
	spin_unlock_irq(&sdev->lock);
	return ret;
}

/* A Stop Marker looks like a last request, but wants no response (PCIe 6.0, 10.4.1.2.1). */
static bool softacc_is_stop_marker(const struct softacc_prq *prq)
{
	return prq->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID &&
	       !(prq->perm & SOFTACC_PERM_ACCESS);
}

/* Return true if the device waits for a response after this request. */
bool softacc_is_owed(const struct softacc_prq *prq)
{
	return prq->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE &&
	       !softacc_is_stop_marker(prq);
}

/* Respond to a dropped last request in place of the hardware (VT-d 5.1, Table 31). */
void softacc_respond_to_dropped(const struct softacc_prq *prq)
{
	if (softacc_is_owed(prq))
		softacc_respond(prq->dev,
				prq->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID,
				prq->pasid, prq->grpid, true,
				IOMMU_PAGE_RESP_SUCCESS);
}

/*
 * Request the pages that @chunk misses. Return 0; -EBUSY if there is no free index or no
 * room in the ring; -EAGAIN if the ring was full, and the hardware has dropped the last
 * request and responded to it; or -ECANCELED if the PASID is being detached.
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
	u32 count = softacc_miss_pages(queue, miss);
	int ret;

	chunk->first = miss->addr;
	chunk->after = miss->addr + ((u64)count << PAGE_SHIFT);
	chunk->refused = false;
	chunk->responded = false;
	ret = softacc_start_group(thread, chunk, count);
	if (ret)
		return ret;

	prq.grpid = chunk->group - queue->indices->groups;
	switch (sdev->port->post(&prq, count)) {
	case SOFTACC_SENT:
		return 0;
	case SOFTACC_DROPPED:
		softacc_respond_to_dropped(&prq);
		return -EAGAIN;
	case SOFTACC_NO_ROOM:
		break;
	}

	spin_lock_irq(&sdev->lock);
	softacc_count(sdev, queue, SOFTACC_STAT(groups), -1);
	softacc_count(sdev, queue, SOFTACC_STAT(requests), -(s64)count);
	softacc_count(sdev, queue, SOFTACC_STAT(ring_full), 1);
	softacc_finish_group(sdev, queue->indices, chunk->group);
	/* The group was not sent, so a response to it is not a second one. */
	chunk->group->posted = 0;
	spin_unlock_irq(&sdev->lock);
	return -EBUSY;
}

/* Let @chunk not wait for its response any more. The device still does. */
void softacc_abandon(struct softacc_thread *thread, struct softacc_chunk *chunk)
{
	struct softacc_queue *queue = thread->queue;
	struct softacc_dev *sdev = queue->dev;

	spin_lock_irq(&sdev->lock);
	if (!chunk->responded) {
		softacc_count(sdev, queue, SOFTACC_STAT(abandoned), 1);
		queue->stats.outstanding--;
		chunk->group->thread = NULL;
	}
	spin_unlock_irq(&sdev->lock);
}

/* Pass the response to the chunk that waits for it. */
static void softacc_notify_chunk(struct softacc_group *group, u32 code)
{
	struct softacc_chunk *chunk = group->chunk;

	if (!group->thread)
		return;
	chunk->code = code;
	/* Pairs with smp_load_acquire() in softacc_step_waiting(). */
	smp_store_release(&chunk->responded, true);
	softacc_mark_todo(group->thread, chunk);
}

/* Respond to a group of the engine. Return false if it has sent no such group. */
static bool softacc_respond_to_engine(struct softacc_dev *sdev, u32 pasid,
				      u32 grpid, u32 code)
{
	struct softacc_indices *indices = softacc_find_indices(sdev, pasid);
	struct softacc_group *group;
	struct softacc_queue *queue;
	u64 ns;

	if (!indices || grpid >= indices->nr)
		return false;
	group = &indices->groups[grpid];
	if (group->pasid != pasid || !group->posted)
		return false;
	if (!test_bit(grpid, indices->busy)) {
		sdev->stats.spurious++;
		sdev->stats.duplicate++;
		return true;
	}

	queue = softacc_group_queue(group);
	ns = softacc_clock_ns(softacc_clock() - group->posted);
	softacc_count_latency(queue ? &queue->stats : &sdev->stats, ns);
	softacc_count(sdev, queue,
		      SOFTACC_STAT(responses) + min(code, 2U) * sizeof(u64), 1);
	softacc_finish_group(sdev, indices, group);
	softacc_notify_chunk(group, code);
	return true;
}

/*
 * Handle a response. @last says whether the IOMMU driver has got the last request of the
 * group; without it no response is owed. Called in any context.
 */
void softacc_respond(struct softacc_dev *sdev, bool pasid_valid, u32 pasid,
		     u32 grpid, bool last, u32 code)
{
	unsigned long flags;

	spin_lock_irqsave(&sdev->lock, flags);
	if (!last)
		sdev->stats.early++;
	if (!last ||
	    !((pasid_valid && softacc_respond_to_engine(sdev, pasid, grpid, code)) ||
	      softacc_respond_to_injected(sdev, pasid_valid, pasid, grpid, code)))
		sdev->stats.spurious++;
	spin_unlock_irqrestore(&sdev->lock, flags);
}

/* Let the engine send no more requests of @pasid. */
void softacc_stop_pasid(struct softacc_dev *sdev, u32 pasid)
{
	struct softacc_queue *queue;

	spin_lock_irq(&sdev->lock);
	list_for_each_entry(queue, &sdev->queues, node)
		if (queue->pasid == pasid)
			queue->stopped = true;
	spin_unlock_irq(&sdev->lock);
}

/*
 * End the groups of @pasid that have no response: none comes any more. Chunks that wait
 * for one get Invalid Request.
 */
void softacc_forget_pasid(struct softacc_dev *sdev, u32 pasid)
{
	struct softacc_indices *indices;
	unsigned long grpid;

	spin_lock_irq(&sdev->lock);
	indices = softacc_find_indices(sdev, pasid);
	for (grpid = 0; indices && grpid < indices->nr; grpid++) {
		struct softacc_group *group = &indices->groups[grpid];

		if (!test_bit(grpid, indices->busy) || group->pasid != pasid)
			continue;
		softacc_count(sdev, softacc_group_queue(group),
			      SOFTACC_STAT(forgotten), 1);
		softacc_finish_group(sdev, indices, group);
		softacc_notify_chunk(group, IOMMU_PAGE_RESP_INVALID);
	}
	softacc_forget_injected(sdev, pasid);
	spin_unlock_irq(&sdev->lock);
}

void softacc_read_stats(struct softacc_dev *sdev,
			const struct softacc_stats *from,
			struct softacc_stats *to)
{
	spin_lock_irq(&sdev->lock);
	*to = *from;
	spin_unlock_irq(&sdev->lock);
}
