// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: engine threads
 *
 * A job is divided into chunks of as many pages as a group may have. A thread works on
 * several chunks at a time: while one waits for its response, it continues with others.
 */
#include <linux/kthread.h>
#include <linux/mmu_context.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "core.h"

#define SOFTACC_RETRY_LIMIT	1000
/* Maximum number of groups that a thread posts before it interrupts the IOMMU driver. */
#define SOFTACC_COALESCE	8

enum softacc_step {
	SOFTACC_IDLE,		/* waits for a response or a job */
	SOFTACC_PROGRESS,
	SOFTACC_BLOCKED,	/* no free index, or no room in the ring */
};

/* Return the job that the engine works on, or NULL if all its chunks were started. */
static struct softacc_work *softacc_current_job(struct softacc_queue *queue)
{
	struct softacc_work *work;

	lockdep_assert_held(&queue->lock);
	work = list_first_entry_or_null(&queue->jobs, struct softacc_work,
					node);
	if (work && work->next < work->limit)
		return work;
	return NULL;
}

/*
 * Return the end of the next chunk. But for the first one, chunks begin at a page boundary
 * of the area that is written, or else of the one that is read.
 */
static u64 softacc_chunk_end(struct softacc_queue *queue,
			     struct softacc_work *work)
{
	u64 base = work->job.dst ?: work->job.src;
	u64 end = ((base + work->next) & PAGE_MASK) - base +
		  ((u64)queue->config.pages_per_group << PAGE_SHIFT);

	return min(end, work->job.len);
}

/* Start the next chunk of the current job in @chunk. Return false if there is none. */
static bool softacc_next_chunk(struct softacc_queue *queue,
			       struct softacc_chunk *chunk)
{
	struct softacc_work *work;

	spin_lock(&queue->lock);
	work = softacc_current_job(queue);
	if (work) {
		*chunk = (struct softacc_chunk){
			.state = SOFTACC_READY,
			.work = work,
			.begin = work->next,
			.pos = work->next,
			.end = softacc_chunk_end(queue, work),
		};
		work->next = chunk->end;
		work->chunks++;
	}
	spin_unlock(&queue->lock);
	return work;
}

static void softacc_finish_job(struct softacc_queue *queue,
			       struct softacc_work *work)
{
	lockdep_assert_held(&queue->lock);
	work->end.ns = ktime_get_ns() - work->submitted;
	list_move_tail(&work->node, &queue->done);
	wake_up_interruptible(&queue->uq->wait);
}

/* Add the results of @chunk to its job, and complete the job with its last chunk. */
static void softacc_finish_chunk(struct softacc_queue *queue,
				 struct softacc_chunk *chunk)
{
	struct softacc_work *work = chunk->work;
	bool finished;

	spin_lock(&queue->lock);
	work->end.bytes += chunk->pos - chunk->begin;
	work->end.groups += chunk->groups;
	work->end.requests += chunk->requests;
	work->end.retries += chunk->repeated;
	if (!work->end.status)
		work->end.result += chunk->result;
	finished = !--work->chunks && work->next >= work->limit;
	if (finished)
		softacc_finish_job(queue, work);
	spin_unlock(&queue->lock);

	chunk->state = SOFTACC_FREE;
	if (finished)
		softacc_engine_wake(queue);
}

/* Let the job of @chunk fail, unless it has failed at a smaller offset. */
static void softacc_fail_job(struct softacc_queue *queue,
			     struct softacc_chunk *chunk, int status, u64 addr)
{
	struct softacc_work *work = chunk->work;
	struct softacc_completion *end = &work->end;
	/* Without the process or the PASID, no other chunk can finish. */
	u64 offset = status == -ESRCH || status == -ECANCELED ? 0 : chunk->pos;

	spin_lock(&queue->lock);
	if (offset < work->limit) {
		WRITE_ONCE(work->limit, offset);
		end->status = status;
		end->result = status == -EILSEQ ? chunk->result : 0;
		end->fault_addr = addr;
		end->fault_code = status == -EFAULT ? chunk->code : 0;
	}
	spin_unlock(&queue->lock);
	softacc_engine_wake(queue);
}

static enum softacc_step softacc_chunk_done(struct softacc_queue *queue,
					    struct softacc_chunk *chunk,
					   int status, u64 addr)
{
	if (status)
		softacc_fail_job(queue, chunk, status, addr);
	softacc_finish_chunk(queue, chunk);
	return SOFTACC_PROGRESS;
}

/* Interrupt the IOMMU driver for the groups that were posted. */
static void softacc_interrupt(struct softacc_thread *thread)
{
	thread->queue->dev->port->interrupt();
	thread->nr_posted = 0;
}

/* Work on a chunk in state SOFTACC_READY. */
static enum softacc_step softacc_step_ready(struct softacc_thread *thread,
					    struct softacc_chunk *chunk)
{
	struct softacc_queue *queue = thread->queue;
	struct softacc_miss miss;
	int ret;

	ret = softacc_access(thread, chunk, &miss);
	if (ret != -EFAULT)
		return softacc_chunk_done(queue, chunk, ret, 0);
	if (chunk->refused && miss.addr >= chunk->first &&
	    miss.addr < chunk->after)
		return softacc_chunk_done(queue, chunk, -EFAULT, miss.addr);
	if (chunk->retries >= queue->config.retry_limit)
		return softacc_chunk_done(queue, chunk, -ELOOP, miss.addr);
	if (queue->config.flags & SOFTACC_CONFIG_FLOOR) {
		chunk->retries++;
		if (!softacc_fault_in(queue, &miss))
			return SOFTACC_PROGRESS;
		return softacc_chunk_done(queue, chunk, -EFAULT, miss.addr);
	}

	chunk->state = SOFTACC_WAITING;
	ret = softacc_post(thread, chunk, &miss);
	if (ret && ret != -EAGAIN) {
		chunk->state = SOFTACC_READY;
		return ret == -EBUSY ? SOFTACC_BLOCKED :
		       softacc_chunk_done(queue, chunk, ret, miss.addr);
	}
	if (++thread->nr_posted >= SOFTACC_COALESCE)
		softacc_interrupt(thread);
	chunk->groups++;
	chunk->requests += softacc_miss_pages(queue, &miss);
	/* The request was dropped before any fault handling, so this is no retry. */
	if (ret == -EAGAIN)
		return SOFTACC_BLOCKED;
	chunk->retries++;
	if (chunk->retries > 1)
		chunk->repeated++;
	return SOFTACC_IDLE;
}

static enum softacc_step softacc_step_waiting(struct softacc_thread *thread,
					      struct softacc_chunk *chunk)
{
	/* Pairs with smp_store_release() in softacc_notify_chunk(). */
	if (!smp_load_acquire(&chunk->responded))
		return SOFTACC_IDLE;
	if (READ_ONCE(thread->queue->stopped))
		return softacc_chunk_done(thread->queue, chunk, -ECANCELED, 0);
	/* The job fails at the first of these pages that is missing; some may be present. */
	chunk->refused = chunk->code != IOMMU_PAGE_RESP_SUCCESS;
	chunk->state = SOFTACC_READY;
	return SOFTACC_PROGRESS;
}

static enum softacc_step softacc_step(struct softacc_thread *thread,
				      struct softacc_chunk *chunk)
{
	if (chunk->state == SOFTACC_FREE &&
	    !softacc_next_chunk(thread->queue, chunk))
		return SOFTACC_IDLE;
	if (chunk->pos >= READ_ONCE(chunk->work->limit)) {
		if (chunk->state == SOFTACC_WAITING)
			softacc_abandon(thread, chunk);
		return softacc_chunk_done(thread->queue, chunk, 0, 0);
	}
	return chunk->state == SOFTACC_READY ?
	       softacc_step_ready(thread, chunk) :
	       softacc_step_waiting(thread, chunk);
}

/*
 * Return one word of the bitmap of chunks that may make progress. Bits that are set by
 * softacc_mark_todo() afterwards are seen before the thread sleeps.
 */
static unsigned long softacc_todo_word(struct softacc_thread *thread,
				       unsigned int word)
{
	/* Concurrent with set_bit() in softacc_mark_todo(). */
	return READ_ONCE(thread->todo[word]);
}

static bool softacc_has_todo(struct softacc_thread *thread)
{
	unsigned int word;

	for (word = 0; word < BITS_TO_LONGS(thread->nr_chunks); word++)
		if (softacc_todo_word(thread, word))
			return true;
	return false;
}

/* Let chunk @i make progress, and leave it marked unless it has to wait. */
static enum softacc_step softacc_step_chunk(struct softacc_thread *thread,
					    unsigned int i)
{
	enum softacc_step step;

	/*
	 * Clear the bit before the state is read, so that it is set again for a response that
	 * comes later.
	 */
	clear_bit(i, thread->todo);
	smp_mb__after_atomic(); /* pairs with smp_mb__before_atomic() in softacc_mark_todo() */
	step = softacc_step(thread, &thread->chunks[i]);
	if (step != SOFTACC_IDLE)
		set_bit(i, thread->todo);
	return step;
}

/* Let all marked chunks make progress. */
static void softacc_step_chunks(struct softacc_thread *thread)
{
	bool blocked = false;
	bool progress = false;
	unsigned int word;
	unsigned long i;

	for (word = 0; word < BITS_TO_LONGS(thread->nr_chunks); word++) {
		unsigned long todo = softacc_todo_word(thread, word);

		for_each_set_bit(i, &todo, BITS_PER_LONG) {
			switch (softacc_step_chunk(thread, word * BITS_PER_LONG + i)) {
			case SOFTACC_PROGRESS:
				progress = true;
				break;
			case SOFTACC_BLOCKED:
				blocked = true;
				break;
			case SOFTACC_IDLE:
				break;
			}
		}
	}
	if (thread->nr_posted)
		softacc_interrupt(thread);
	if (progress)
		cond_resched();
	else if (blocked)
		/* There is no wakeup when an index or room in the ring is freed. */
		schedule_timeout_interruptible(1);
}

static int softacc_engine_thread(void *data)
{
	struct softacc_thread *thread = data;
	unsigned int i;

	kthread_use_mm(thread->queue->mm);
	while (!kthread_should_stop()) {
		wait_event_interruptible(thread->wait,
					 kthread_should_stop() ||
					 softacc_has_todo(thread));
		softacc_step_chunks(thread);
	}
	for (i = 0; i < thread->nr_chunks; i++)
		if (thread->chunks[i].state == SOFTACC_WAITING)
			softacc_abandon(thread, &thread->chunks[i]);
	kthread_unuse_mm(thread->queue->mm);
	return 0;
}

/* Mark @chunk, which may make progress, and wake its thread. */
void softacc_mark_todo(struct softacc_thread *thread, struct softacc_chunk *chunk)
{
	smp_mb__before_atomic(); /* pairs with smp_mb__after_atomic() in softacc_step_chunk() */
	set_bit(chunk - thread->chunks, thread->todo);
	if (wq_has_sleeper(&thread->wait))
		wake_up(&thread->wait);
}

/* Mark all chunks and wake all threads. */
void softacc_engine_wake(struct softacc_queue *queue)
{
	unsigned int i;
	unsigned int j;

	for (i = 0; i < queue->nr_threads; i++)
		for (j = 0; j < queue->threads[i]->nr_chunks; j++)
			softacc_mark_todo(queue->threads[i],
					  &queue->threads[i]->chunks[j]);
}

static void softacc_thread_free(struct softacc_thread *thread)
{
	kfree(thread->src);
	kfree(thread->dst);
	kfree(thread);
}

static struct softacc_thread *softacc_thread_alloc(struct softacc_queue *queue)
{
	unsigned int nr_chunks = max(queue->config.outstanding /
				     queue->config.threads, 1U);
	struct softacc_thread *thread;

	thread = kzalloc(struct_size(thread, chunks, nr_chunks), GFP_KERNEL);
	if (!thread)
		return NULL;
	thread->queue = queue;
	thread->nr_chunks = nr_chunks;
	bitmap_set(thread->todo, 0, nr_chunks);
	init_waitqueue_head(&thread->wait);
	thread->src = kmalloc(PAGE_SIZE, GFP_KERNEL);
	thread->dst = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (thread->src && thread->dst)
		return thread;
	softacc_thread_free(thread);
	return NULL;
}

/* Stop the engine, without waiting for the mm. Jobs that are not completed stay queued. */
void softacc_engine_stop(struct softacc_queue *queue)
{
	unsigned int i;

	for (i = 0; i < queue->nr_threads; i++)
		kthread_stop(queue->threads[i]->task);
	/*
	 * A response may still be about to wake a thread that has seen it already. Wait for it:
	 * softacc_notify_chunk() does both under this lock.
	 */
	spin_lock_irq(&queue->dev->lock);
	spin_unlock_irq(&queue->dev->lock);
	for (i = 0; i < queue->nr_threads; i++) {
		put_task_struct(queue->threads[i]->task);
		softacc_thread_free(queue->threads[i]);
	}
	queue->nr_threads = 0;
}

/* Start the engine, before a job is queued. Serialized by UACCE's mutex. */
int softacc_engine_start(struct softacc_queue *queue)
{
	struct softacc_thread *thread;
	unsigned int i;

	if (queue->nr_threads)
		return 0;
	if (!queue->config.retry_limit)
		queue->config.retry_limit = SOFTACC_RETRY_LIMIT;
	for (i = 0; i < queue->config.threads; i++) {
		thread = softacc_thread_alloc(queue);
		if (!thread)
			goto err_stop;
		thread->task = kthread_create(softacc_engine_thread, thread,
					      "softacc/%u.%u", queue->pasid, i);
		if (IS_ERR(thread->task)) {
			softacc_thread_free(thread);
			goto err_stop;
		}
		get_task_struct(thread->task);
		queue->threads[queue->nr_threads++] = thread;
	}
	for (i = 0; i < queue->nr_threads; i++)
		wake_up_process(queue->threads[i]->task);
	return 0;

err_stop:
	softacc_engine_stop(queue);
	return -ENOMEM;
}
