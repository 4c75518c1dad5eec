// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: how the engine touches memory
 *
 * The thread wears the process's mm but holds it by mm_count only; it takes a
 * user reference for the time of an access. Page faults are disabled: what is
 * not there is a miss, as it is for a device.
 */
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "core.h"

static u64 softacc_piece(u64 len, u64 addr)
{
	return min(len, PAGE_SIZE - (addr & ~PAGE_MASK));
}

static int softacc_missing(const struct softacc_chunk *chunk, u64 base,
			   u32 perm, struct softacc_miss *miss)
{
	miss->addr = (base + chunk->pos) & PAGE_MASK;
	miss->end = base + chunk->end;
	miss->perm = perm;
	return -EFAULT;
}

/* The next @n bytes of the area at @base: 0, or -EFAULT with @miss. */
static int softacc_read(const struct softacc_chunk *chunk, u64 base, void *to,
			u64 n, struct softacc_miss *miss)
{
	if (__copy_from_user_inatomic(to, u64_to_user_ptr(base + chunk->pos), n))
		return softacc_missing(chunk, base, IOMMU_FAULT_PERM_READ,
				       miss);
	return 0;
}

static int softacc_write(const struct softacc_chunk *chunk, u64 base,
			 const void *from, u64 n, struct softacc_miss *miss)
{
	if (__copy_to_user_inatomic(u64_to_user_ptr(base + chunk->pos), from, n))
		return softacc_missing(chunk, base, IOMMU_FAULT_PERM_WRITE,
				       miss);
	return 0;
}

static int softacc_fill(struct softacc_thread *thread,
			struct softacc_chunk *chunk, u64 n,
			struct softacc_miss *miss)
{
	const struct softacc_job *job = &chunk->work->job;
	u64 i;

	for (i = 0; i < n / 8; i++)
		thread->dst[i] = softacc_pattern(job->seed, chunk->pos + i * 8);
	return softacc_write(chunk, job->dst, thread->dst, n, miss);
}

/* The first word of a page, or of what the job has of it. */
static int softacc_touch(const struct softacc_chunk *chunk,
			 struct softacc_miss *miss)
{
	const struct softacc_job *job = &chunk->work->job;
	u64 __user *word = u64_to_user_ptr(job->dst + chunk->pos);

	/* One failing access, where a copy would try once more bytewise. */
	if (__put_user(softacc_pattern(job->seed, chunk->pos), word))
		return softacc_missing(chunk, job->dst, IOMMU_FAULT_PERM_WRITE,
				       miss);
	return 0;
}

static int softacc_copy(struct softacc_thread *thread,
			struct softacc_chunk *chunk, u64 n,
			struct softacc_miss *miss)
{
	const struct softacc_job *job = &chunk->work->job;
	int ret;

	ret = softacc_read(chunk, job->src, thread->src, n, miss);
	if (ret)
		return ret;
	return softacc_write(chunk, job->dst, thread->src, n, miss);
}

static int softacc_compare(struct softacc_thread *thread,
			   struct softacc_chunk *chunk, u64 n,
			   struct softacc_miss *miss)
{
	const struct softacc_job *job = &chunk->work->job;
	const u8 *src = (const u8 *)thread->src;
	const u8 *dst = (const u8 *)thread->dst;
	u64 i;
	int ret;

	ret = softacc_read(chunk, job->src, thread->src, n, miss);
	if (!ret)
		ret = softacc_read(chunk, job->dst, thread->dst, n, miss);
	if (ret)
		return ret;
	for (i = 0; i < n; i++) {
		if (src[i] != dst[i]) {
			chunk->result = chunk->pos + i;
			return -EILSEQ;
		}
	}
	return 0;
}

static int softacc_checksum(struct softacc_thread *thread,
			    struct softacc_chunk *chunk, u64 n,
			    struct softacc_miss *miss)
{
	const struct softacc_job *job = &chunk->work->job;
	u64 i;
	int ret;

	ret = softacc_read(chunk, job->src, thread->src, n, miss);
	if (ret)
		return ret;
	for (i = 0; i < n / 8; i++)
		chunk->result += softacc_mix(thread->src[i],
					     chunk->pos + i * 8);
	return 0;
}

static int softacc_access_piece(struct softacc_thread *thread,
				struct softacc_chunk *chunk, u64 n,
				struct softacc_miss *miss)
{
	switch (chunk->work->job.op) {
	case SOFTACC_OP_FILL:
		return softacc_fill(thread, chunk, n, miss);
	case SOFTACC_OP_COPY:
		return softacc_copy(thread, chunk, n, miss);
	case SOFTACC_OP_COMPARE:
		return softacc_compare(thread, chunk, n, miss);
	case SOFTACC_OP_TOUCH:
		return softacc_touch(chunk, miss);
	default:
		return softacc_checksum(thread, chunk, n, miss);
	}
}

/*
 * Go on with @chunk as far as memory is there. 0 when it is done; -EFAULT with
 * @miss; -ESRCH: no process any more; -EILSEQ: a difference.
 */
int softacc_access(struct softacc_thread *thread, struct softacc_chunk *chunk,
		   struct softacc_miss *miss)
{
	const struct softacc_job *job = &chunk->work->job;
	struct mm_struct *mm = thread->queue->mm;
	int ret = 0;

	if (!mmget_not_zero(mm))
		return -ESRCH;
	pagefault_disable();
	while (chunk->pos < chunk->end) {
		u64 n = chunk->end - chunk->pos;

		/* Unused addresses are 0 and cut nothing off. */
		n = softacc_piece(n, job->src ? job->src + chunk->pos : 0);
		n = softacc_piece(n, job->dst ? job->dst + chunk->pos : 0);
		ret = softacc_access_piece(thread, chunk, n, miss);
		if (ret)
			break;
		chunk->pos += n;
		chunk->retries = 0;
	}
	pagefault_enable();
	mmput_async(mm);
	return ret;
}
