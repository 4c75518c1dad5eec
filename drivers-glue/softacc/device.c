// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: a device's groups, from the request to its response
 *
 * As with a PCI function the index of a group is in use, whatever becomes of the
 * job, until the response comes or the PASID has been drained.
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

/* Add to a counter of the device, and of the file if there is one. */
static void softacc_count(struct softacc_dev *sdev, struct softacc_queue *queue,
			  size_t counter, s64 n)
{
	lockdep_assert_held(&sdev->lock);
	*(u64 *)((char *)&sdev->stats + counter) += n;
	if (queue)
		*(u64 *)((char *)&queue->stats + counter) += n;
}

/*
 * Two looks at the clock are part of what each group costs, so they are cheap: cycles,
 * where these are a clock, and nanoseconds only for the difference.
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

/* Those of a PASID that nobody uses any more, every index answered. */
static struct softacc_indices *softacc_idle_indices(struct softacc_dev *sdev)
{
	struct softacc_indices *indices;

	list_for_each_entry(indices, &sdev->indices, node)
		if (!indices->queues && bitmap_empty(indices->busy, indices->nr))
			return indices;
	return NULL;
}

static void softacc_free_one(struct softacc_indices *indices)
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
	softacc_free_one(indices);
	return NULL;
}

/* Before the first request of @queue. UACCE's mutex keeps it from running twice. */
int softacc_get_indices(struct softacc_queue *queue)
{
	struct softacc_dev *sdev = queue->dev;
	struct softacc_indices *indices;
	struct softacc_indices *new = NULL;

	spin_lock_irq(&sdev->lock);
	indices = softacc_find_indices(sdev, queue->pasid);
	if (!indices)
		indices = softacc_idle_indices(sdev);
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

/* They stay: groups may have no response yet. */
void softacc_put_indices(struct softacc_queue *queue)
{
	lockdep_assert_held(&queue->dev->lock);
	queue->indices->queues--;
}

/* The device goes away. */
void softacc_free_indices(struct softacc_dev *sdev)
{
	struct softacc_indices *indices;
	struct softacc_indices *next;

	list_for_each_entry_safe(indices, next, &sdev->indices, node) {
		WARN_ON(!bitmap_empty(indices->busy, indices->nr) &&
			!softacc_no_drain);
		softacc_free_one(indices);
	}
}

static void softacc_end_group(struct softacc_dev *sdev,
			      struct softacc_indices *indices,
			      struct softacc_group *group)
{
	lockdep_assert_held(&sdev->lock);
	__clear_bit(group - indices->groups, indices->busy);
	softacc_count(sdev, softacc_group_queue(group),
		      SOFTACC_STAT(outstanding), -1);
}

/* A free index, or @indices->nr. */
static u32 softacc_take_index(struct softacc_indices *indices)
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

/* A group of @chunk, for @count pages: 0 or a negative errno. */
static int softacc_begin_group(struct softacc_thread *thread,
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
	grpid = softacc_take_index(indices);
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

/* PCIe 6.0, 10.4.1.2.1: it looks like a last request, and wants no response. */
static bool softacc_is_stop_marker(const struct softacc_prq *prq)
{
	return prq->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID &&
	       !(prq->perm & SOFTACC_PERM_ACCESS);
}

/* Does the device wait for a response from here on? */
bool softacc_is_owed(const struct softacc_prq *prq)
{
	return prq->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE &&
	       !softacc_is_stop_marker(prq);
}

/* Hardware answers a last request that it had to drop (VT-d 5.1, Table 31). */
void softacc_respond_to_dropped(const struct softacc_prq *prq)
{
	if (softacc_is_owed(prq))
		softacc_respond(prq->dev,
				prq->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID,
				prq->pasid, prq->grpid, true,
				IOMMU_PAGE_RESP_SUCCESS);
}

/*
 * Ask for what @chunk misses. -EBUSY: no index or no room in the ring at the moment;
 * -EAGAIN: hardware was full, dropped the request and has answered it; -ECANCELED: the
 * PASID is going away.
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
	ret = softacc_begin_group(thread, chunk, count);
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
	softacc_end_group(sdev, queue->indices, chunk->group);
	/* Nobody has seen it, so there is no second response to it. */
	chunk->group->posted = 0;
	spin_unlock_irq(&sdev->lock);
	return -EBUSY;
}

/* @chunk does not wait for its response any more. The device still does. */
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

static void softacc_tell(struct softacc_group *group, u32 code)
{
	struct softacc_chunk *chunk = group->chunk;

	if (!group->thread)
		return;
	chunk->code = code;
	/* Pairs with smp_load_acquire() in softacc_step_waiting(). */
	smp_store_release(&chunk->responded, true);
	softacc_todo(group->thread, chunk);
}

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
	softacc_end_group(sdev, indices, group);
	softacc_tell(group, code);
	return true;
}

/*
 * A response comes in, in any context. @last: the group's last request was received. An
 * injected group may not have one; the engine sends its groups whole.
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

/* From here on no request of @pasid is sent. */
void softacc_stop_pasid(struct softacc_dev *sdev, u32 pasid)
{
	struct softacc_queue *queue;

	spin_lock_irq(&sdev->lock);
	list_for_each_entry(queue, &sdev->queues, node)
		if (queue->pasid == pasid)
			queue->stopped = true;
	spin_unlock_irq(&sdev->lock);
}

/* No answer for @pasid comes any more. Whoever waits for one is told so. */
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
		softacc_end_group(sdev, indices, group);
		softacc_tell(group, IOMMU_PAGE_RESP_INVALID);
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
