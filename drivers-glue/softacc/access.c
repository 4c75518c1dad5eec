// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: memory accesses of the engine
 *
 * The engine thread uses the mm of the process, which it references by mm_count only; it
 * takes a reference by mm_users for the time of an access. Page faults are disabled, so a
 * page that is not present is missing, as it is for a device.
 */
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "core.h"

/* Return @len, or less to end at the end of the page of @addr. */
static u64 softacc_clamp_to_page(u64 len, u64 addr)
{
	return min(len, PAGE_SIZE - (addr & ~PAGE_MASK));
}

static int softacc_set_miss(const struct softacc_chunk *chunk, u64 base,
			    u32 perm, struct softacc_miss *miss)
{
	miss->addr = (base + chunk->pos) & PAGE_MASK;
	miss->end = base + chunk->end;
	miss->perm = perm;
	return -EFAULT;
}

/* Read the next @n bytes of the area at @base. Return 0, or -EFAULT and set @miss. */
static int softacc_read(const struct softacc_chunk *chunk, u64 base, void *to,
			u64 n, struct softacc_miss *miss)
{
	if (__copy_from_user_inatomic(to, u64_to_user_ptr(base + chunk->pos), n))
		return softacc_set_miss(chunk, base, IOMMU_FAULT_PERM_READ,
				       miss);
	return 0;
}

static int softacc_write(const struct softacc_chunk *chunk, u64 base,
			 const void *from, u64 n, struct softacc_miss *miss)
{
	if (__copy_to_user_inatomic(u64_to_user_ptr(base + chunk->pos), from, n))
		return softacc_set_miss(chunk, base, IOMMU_FAULT_PERM_WRITE,
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

/* Write the first word of a page, or of the part of it that belongs to the job. */
static int softacc_touch(const struct softacc_chunk *chunk,
			 struct softacc_miss *miss)
{
	const struct softacc_job *job = &chunk->work->job;
	u64 __user *word = u64_to_user_ptr(job->dst + chunk->pos);

	/* A copy that fails would be tried again byte by byte. */
	if (__put_user(softacc_pattern(job->seed, chunk->pos), word))
		return softacc_set_miss(chunk, job->dst, IOMMU_FAULT_PERM_WRITE,
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
 * Continue with @chunk until it is done or a page is missing. Return 0 when it is done;
 * -EFAULT, with @miss set, if a page is missing; -ESRCH if the process has exited; -EILSEQ
 * if COMPARE has found a difference.
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

		/* Unused addresses are 0 and do not shorten the piece. */
		n = softacc_clamp_to_page(n, job->src ? job->src + chunk->pos : 0);
		n = softacc_clamp_to_page(n, job->dst ? job->dst + chunk->pos : 0);
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
