// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: the owner's limits, policy and counters
 */
#include <linux/cpuset.h>
#include <linux/cred.h>
#include <linux/memcontrol.h>
#include <linux/mempolicy.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "path.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf."

/**
 * DOC: Owner
 *
 * The mm asks the current task how far a stack may grow, from which NUMA nodes memory
 * comes, and whether a cgroup is above memory.high. Here that task is a worker. What a
 * process may not do, its device may not, and what it may, its device may. So a worker
 * takes on the limits and the policy of the task that owns the address space.
 *
 * The mm counts faults for the current task, too. The worker's counts are added to those
 * of the owner when it leaves the address space, so that ps, time and getrusage() show
 * them.
 *
 * The owner is mm_struct.owner, as for the memory cgroup. Of a process whose threads have
 * policies of their own it is one of them, usually the main thread. Without CONFIG_MEMCG
 * an address space has no owner: stacks do not grow, memory comes from the worker's
 * nodes, faults of killed processes are not interrupted, and counts are not added.
 */

static bool iopf_stack_growth = true;
module_param_named(stack_growth, iopf_stack_growth, bool, 0644);
MODULE_PARM_DESC(stack_growth,
		 "Let device faults grow a stack within its owner's limits (default Y)");

#ifdef CONFIG_MEMCG
/* The limits that the mm compares the size of a stack with. */
static const unsigned int iopf_stack_limits[] = {
	RLIMIT_STACK, RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK,
};

/* Reference the owner of @mm. NULL: it has none any more. */
static struct task_struct *iopf_get_owner(struct mm_struct *mm)
{
	struct task_struct *owner;

	rcu_read_lock();
	owner = rcu_dereference(mm->owner);
	if (owner)
		owner = tryget_task_struct(owner);
	rcu_read_unlock();
	return owner;
}

/*
 * Grow the stack above @addr down to it, within the owner's limits. Called with mmap_lock
 * held for reading, and returns with it only if there is a VMA.
 *
 * A worker is a process of its own, so changing its limits affects no other task.
 */
struct vm_area_struct *iopf_expand_stack(struct mm_struct *mm,
					 unsigned long addr)
{
	struct rlimit *limits = current->signal->rlim;
	unsigned long own[ARRAY_SIZE(iopf_stack_limits)];
	const struct cred *own_cred;
	const struct cred *cred;
	struct vm_area_struct *vma;
	struct task_struct *owner;
	unsigned int i;

	owner = iopf_stack_growth && !IS_ENABLED(CONFIG_STACK_GROWSUP) ?
		iopf_get_owner(mm) : NULL;
	if (!owner) {
		mmap_read_unlock(mm);
		return NULL;
	}
	cred = get_task_cred(owner);
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		unsigned int limit = iopf_stack_limits[i];

		own[i] = limits[limit].rlim_cur;
		WRITE_ONCE(limits[limit].rlim_cur, task_rlimit(owner, limit));
	}
	own_cred = override_creds(cred);

	vma = expand_stack(mm, addr);

	revert_creds(own_cred);
	for (i = 0; i < ARRAY_SIZE(own); i++)
		WRITE_ONCE(limits[iopf_stack_limits[i]].rlim_cur, own[i]);
	put_cred(cred);
	put_task_struct(owner);
	return vma;
}
#else
struct vm_area_struct *iopf_expand_stack(struct mm_struct *mm,
					 unsigned long addr)
{
	mmap_read_unlock(mm);
	return NULL;
}
#endif

#if defined(CONFIG_MEMCG) && defined(CONFIG_NUMA)
static void iopf_set_policy(struct mempolicy *policy)
{
	task_lock(current);
	current->mempolicy = policy;
	task_unlock(current);
}

/*
 * Use the memory policy and the nodes of the owner. The policy is copied, as the owner
 * may free its own at any time; only the worker uses the copy.
 */
void iopf_policy_use(struct iopf_mm *imm)
{
	struct task_struct *owner;
	nodemask_t nodes = NODE_MASK_NONE;

	rcu_read_lock();
	owner = rcu_dereference(imm->mm->owner);
	if (owner) {
		/* task_lock() guards both against changes. */
		task_lock(owner);
		if (owner->mempolicy) {
			imm->policy = *owner->mempolicy;
			imm->has_policy = true;
		}
#ifdef CONFIG_CPUSETS
		nodes = owner->mems_allowed;
		imm->has_nodes = !nodes_equal(nodes, current->mems_allowed);
#endif
		task_unlock(owner);
	}
	rcu_read_unlock();
	if (imm->has_nodes)
		set_mems_allowed(nodes);
	if (imm->has_policy) {
		atomic_set(&imm->policy.refcnt, 1);
		iopf_set_policy(&imm->policy);
	}
}

/* Use the worker's own policy and nodes again. */
void iopf_policy_restore(struct iopf_mm *imm)
{
	if (imm->has_policy)
		iopf_set_policy(NULL);
	if (imm->has_nodes)
		set_mems_allowed(cpuset_mems_allowed(current));
}
#endif

#ifdef CONFIG_MEMCG
/*
 * Wait while the owner's cgroup, which is above memory.high, is reclaimed from, as the
 * owner would. That may take two seconds, so not with a VMA locked or responses deferred.
 * No further worker comes to the PASID queue meanwhile: it would only prolong the wait.
 */
void iopf_throttle(struct iopf_mm *imm, struct iopf_worker *worker)
{
	struct iopf_pasid_queue *pq = worker->pq;
	struct iopf_device *fdev = worker->fdev;
	LIST_HEAD(claimed);

	/* Groups that request the same page need not follow this worker. */
	WRITE_ONCE(worker->page, IOPF_NO_PAGE);
	iopf_mm_unlock(imm);
	spin_lock(&fdev->lock);
	pq->nr_throttled++;
	iopf_pq_take_deferred(pq, &claimed);
	spin_unlock(&fdev->lock);
	iopf_send(&claimed);

	mem_cgroup_handle_over_high(GFP_KERNEL);

	spin_lock(&fdev->lock);
	pq->nr_throttled--;
	iopf_pq_make_ready(pq);
	spin_unlock(&fdev->lock);
	iopf_worker_leave_page(worker);
}
#endif

#ifdef CONFIG_MEMCG
/*
 * Add the faults since iopf_account_begin() to the owner's. A thread's counters are
 * written without a lock by the thread itself. These are added where an exiting thread
 * adds its own, under the same lock.
 */
void iopf_account_end(struct iopf_mm *imm)
{
	unsigned long min_flt = current->min_flt - imm->min_flt;
	unsigned long maj_flt = current->maj_flt - imm->maj_flt;
	struct signal_struct *sig;
	struct task_struct *owner;

	if (!min_flt && !maj_flt)
		return;
	rcu_read_lock();
	/* Pairs with mm_update_next_owner(), which may change the owner. */
	owner = rcu_dereference(imm->mm->owner);
	if (owner) {
		/* Freed with the last reference to the task, so not before RCU ends. */
		sig = owner->signal;
		write_seqlock_irq(&sig->stats_lock);
		sig->min_flt += min_flt;
		sig->maj_flt += maj_flt;
		write_sequnlock_irq(&sig->stats_lock);
	}
	rcu_read_unlock();
}
#else
/* An address space has no owner on record. */
void iopf_account_end(struct iopf_mm *imm)
{
}
#endif
