// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: groups that are read and responded to
 *
 * The forwarder's files and iommufd's fault queues are read and written in the same
 * way. A cookie that was read may have one response. The file that a cookie belongs to
 * is known unless another thread closes the file meanwhile and a new file gets its
 * number.
 */
#include <linux/iommufd.h>

#include "random.h"

#define MAX_RECORDS	400
#define MAX_RESPONSES	32

/*
 * Return the index of a new file's queue. The last one serves all files beyond the
 * limit.
 */
int queue_new(enum kind kind)
{
	unsigned int i = atomic_fetch_add(&shared->next_queue, 1);

	if (i >= MAX_QUEUES)
		i = MAX_QUEUES - 1;
	shared->queues[i].kind = kind;
	return i;
}

static struct queue *queue_of(int number)
{
	return &shared->queues[number];
}

static void count_delivered(struct queue *queue, uint32_t cookie)
{
	if (cookie < MAX_COOKIES)
		atomic_fetch_add(&queue->delivered[cookie], 1);
	atomic_store(&queue->recent[cookie % 16], cookie);
}

/* Count the cookies that read() returned, if they can be seen. */
static void count_records(struct actor *actor, struct queue *queue, size_t size,
			  long ret)
{
	static __thread struct iommu_hwpt_pgfault records[MAX_RECORDS];
	long i;

	if (!argument_result(actor, records, size)) {
		atomic_store(&queue->unknown, true);
		return;
	}
	for (i = 0; i < ret / (long)sizeof(records[0]); i++)
		if (records[i].flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE)
			count_delivered(queue, records[i].cookie);
}

static uint32_t choose_cookie(struct rng *rng, struct queue *queue)
{
	if (rng_percent(rng, 80))
		return atomic_load(&queue->recent[rng_below(rng, 16)]);
	return rng_percent(rng, 80) ? rng_below(rng, 32) : rng_next(rng);
}

/* Choose responses: some cookies twice, and some that were never read. */
static unsigned int choose_responses(struct rng *rng, struct queue *queue,
				     struct iommu_hwpt_page_response *responses)
{
	unsigned int count = rng_range(rng, 1, rng_percent(rng, 70) ? 2 :
						      MAX_RESPONSES);
	unsigned int i;

	for (i = 0; i < count; i++) {
		responses[i].cookie = i && rng_percent(rng, 20) ?
				      responses[i - 1].cookie :
				      choose_cookie(rng, queue);
		responses[i].code = rng_percent(rng, 95) ? rng_below(rng, 2) :
							   rng_next(rng);
	}
	return count;
}

long queue_response(struct actor *actor, struct file *file)
{
	struct iommu_hwpt_page_response responses[MAX_RESPONSES];
	struct rng *rng = &actor->rng;
	int number = file->queue;
	int fd = atomic_load(&file->fd);
	struct queue *queue;
	struct step *step;
	size_t size;
	void *where;
	long ret;
	long i;

	if (number < 0)
		return 0;
	queue = queue_of(number);
	size = choose_responses(rng, queue, responses) * sizeof(responses[0]);
	where = argument(actor, responses, size);
	if (rng_percent(rng, 5))
		size += rng_below(rng, 8);
	step = trail_step(actor->trail, "write", fd, size,
			  place_names[actor->place]);
	arm_failure(actor);
	ret = end_call(actor, step, write(fd, where, size));
	argument_end(actor);
	/*
	 * If it is another file now, that one's count is one too low, which does no
	 * harm.
	 */
	if (!is_same(file, fd, number))
		return ret;
	for (i = 0; i < ret / (long)sizeof(responses[0]); i++)
		if (responses[i].cookie < MAX_COOKIES)
			atomic_fetch_add(&queue->accepted[responses[i].cookie], 1);
	return ret;
}

long queue_read(struct actor *actor, struct file *file)
{
	static const struct iommu_hwpt_pgfault none[MAX_RECORDS];
	struct rng *rng = &actor->rng;
	size_t size = rng_below(rng, MAX_RECORDS) * sizeof(none[0]);
	int number = file->queue;
	int fd = atomic_load(&file->fd);
	struct queue *queue;
	struct step *step;
	void *where;
	long ret;

	if (number < 0)
		return 0;
	queue = queue_of(number);
	if (rng_percent(rng, 10))
		size = rng_below(rng, 200);
	atomic_fetch_add(&queue->reading, 1);
	where = argument(actor, none, size);
	step = trail_step(actor->trail, "read", fd, size,
			  place_names[actor->place]);
	arm_failure(actor);
	ret = end_call(actor, step, read(fd, where, size));
	if (ret > 0)
		count_records(actor, queue, size, ret);
	argument_end(actor);
	if (ret > 0 && !is_same(file, fd, number))
		atomic_store(&shared->unknown, true);
	atomic_fetch_sub(&queue->reading, 1);
	/* There are groups to respond to. */
	while (ret > 0 && rng_percent(rng, 70))
		queue_response(actor, file);
	return ret;
}

static void check_queue(struct queue *queue)
{
	unsigned int i;

	for (i = 0; i < MAX_COOKIES; i++) {
		unsigned int delivered = atomic_load(&queue->delivered[i]);
		unsigned int accepted = atomic_load(&queue->accepted[i]);

		if (accepted > delivered)
			fail(queue->kind, CHECK_ONCE,
			     "cookie %u was read %u times, and %u responses were taken",
			     i, delivered, accepted);
	}
}

/*
 * Check the counts. All processes have ended; those that were killed during a read have
 * not counted it.
 */
void check_queues(void)
{
	unsigned int used = atomic_load(&shared->next_queue);
	unsigned int known = 0;
	unsigned int i;

	for (i = 0; i < MAX_QUEUES - 1 && i < used; i++) {
		struct queue *queue = queue_of(i);

		if (atomic_load(&queue->unknown) || atomic_load(&queue->reading) ||
		    atomic_load(&shared->unknown))
			continue;
		known++;
		check_queue(queue);
	}
	printf("# round %u: %u of %u queues are judged\n", shared->round, known,
	       used);
	memset(shared->queues, 0, sizeof(shared->queues));
	atomic_store(&shared->next_queue, 0);
	atomic_store(&shared->unknown, false);
}
