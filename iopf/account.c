// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: whose faults they are
 *
 * The mm counts a fault for the thread that handles it, which is a worker here,
 * and for the memory cgroup of the address space. What a worker's own counters grow
 * by in a run is added to those of the process, where ps, time and getrusage()
 * look for it.
 */
#include <linux/mm_types.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>

#include "iopf.h"

/* @imm is entered: its faults begin. */
void iopf_account_begin(struct iopf_mm *imm)
{
	imm->min_flt = current->min_flt;
	imm->maj_flt = current->maj_flt;
}

#ifdef CONFIG_MEMCG
/*
 * A thread's counters are written by itself, without a lock. So these go where the
 * exit of a thread adds up what it leaves, under the same locks.
 */
void iopf_account_end(struct iopf_mm *imm)
{
	unsigned long min_flt = current->min_flt - imm->min_flt;
	unsigned long maj_flt = current->maj_flt - imm->maj_flt;
	struct signal_struct *sig;
	struct task_struct *owner;
	unsigned long flags;

	if (!min_flt && !maj_flt)
		return;
	rcu_read_lock();
	/* Pairs with mm_update_next_owner(), which may be handing the mm on. */
	owner = rcu_dereference(imm->mm->owner);
	if (owner && lock_task_sighand(owner, &flags)) {
		sig = owner->signal;
		write_seqlock(&sig->stats_lock);
		sig->min_flt += min_flt;
		sig->maj_flt += maj_flt;
		write_sequnlock(&sig->stats_lock);
		unlock_task_sighand(owner, &flags);
	}
	rcu_read_unlock();
}
#else
/* An address space has no owner on record. */
void iopf_account_end(struct iopf_mm *imm)
{
}
#endif
