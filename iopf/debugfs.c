// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: debugfs
 *
 *	/sys/kernel/debug/iopf/QUEUE/stats		counters of all its devices
 *	/sys/kernel/debug/iopf/QUEUE/DEVICE/stats	counters
 *	/sys/kernel/debug/iopf/QUEUE/DEVICE/pasids	counters of its PASID queues
 *	/sys/kernel/debug/iopf/QUEUE/DEVICE/groups	groups without a response
 *
 * Readable by root only, as it tells which process uses which device, when, and how fast
 * its faults are served. Nothing can be written. The counters of a device go when it is
 * removed, and those of a PASID queue when it is freed.
 */
#include <linux/debugfs.h>
#include <linux/jiffies.h>
#include <linux/seq_file.h>

#include "entries.h"

static struct dentry *iopf_debugfs_root;

static const char * const iopf_phases[IOPF_NR_PHASES] = {
	[IOPF_REPORT] = "report",
	[IOPF_ASSEMBLY] = "assembly",
	[IOPF_WAIT] = "wait",
	[IOPF_MM] = "mm",
	[IOPF_HANDLER] = "handler",
	[IOPF_DEFERRED] = "deferred",
	[IOPF_RESPONSE] = "response",
	[IOPF_FREE] = "free",
};

/**
 * struct iopf_sums - contents of a stats file
 * @stats: counters
 * @latency: responses by latency
 * @held_groups: groups in memory
 * @held_requests: requests in them, not counting the last ones of complete groups
 * @partial: requests of unfinished groups
 * @pending: complete groups without a response
 * @handled: those of them that a registered handler owns
 * @pasid_queues: PASID queues
 */
struct iopf_sums {
	struct iopf_stats stats;
	u64 latency[IOPF_LATENCY_BUCKETS];
	unsigned int held_groups;
	unsigned int held_requests;
	unsigned int partial;
	unsigned int pending;
	unsigned int handled;
	unsigned int pasid_queues;
};

/* All counters are u64. */
static void iopf_add_counters(u64 *sum, const u64 *counters, size_t size)
{
	size_t i;

	for (i = 0; i < size / sizeof(u64); i++)
		sum[i] += counters[i];
}

static void iopf_add_sums(struct iopf_sums *sums, struct iopf_device *fdev)
{
	spin_lock(&fdev->lock);
	iopf_add_counters((u64 *)&sums->stats, (u64 *)&fdev->stats,
			  sizeof(fdev->stats));
	iopf_add_counters(sums->latency, fdev->latency, sizeof(fdev->latency));
	iopf_limits_refresh(fdev);
	sums->held_groups += iopf_held_groups(fdev);
	sums->held_requests += iopf_held_requests(fdev);
	sums->partial += fdev->partial_requests;
	sums->pending += iopf_nr_pending(fdev);
	sums->handled += fdev->nr_handled;
	sums->pasid_queues += fdev->nr_pqs;
	spin_unlock(&fdev->lock);
}

static void iopf_show_sums(struct seq_file *file, const struct iopf_sums *sums)
{
	const struct iopf_stats *stats = &sums->stats;
	int i;

	seq_printf(file, "requests %llu\n", stats->requests);
	seq_printf(file, "groups %llu\n", stats->groups);
	seq_printf(file, "success %llu\n",
		   stats->responses[IOMMU_PAGE_RESP_SUCCESS]);
	seq_printf(file, "invalid %llu\n",
		   stats->responses[IOMMU_PAGE_RESP_INVALID]);
	seq_printf(file, "failure %llu\n",
		   stats->responses[IOMMU_PAGE_RESP_FAILURE]);
	seq_printf(file, "late %llu\n", stats->late);
	seq_printf(file, "malformed %llu\n", stats->malformed);
	seq_printf(file, "unhandled %llu\n", stats->unhandled);
	seq_printf(file, "limited %llu\n", stats->limited);
	seq_printf(file, "nomem %llu\n", stats->nomem);
	seq_printf(file, "discarded %llu\n", stats->discarded);
	seq_printf(file, "interrupted %llu\n", stats->interrupted);
	seq_printf(file, "overdue %llu\n", stats->overdue);
	seq_printf(file, "retried %llu\n", stats->retried);
	seq_printf(file, "followed %llu\n", stats->followed);
	seq_printf(file, "prefaulted %llu\n", stats->prefaulted);
	seq_printf(file, "polled %llu\n", stats->polled);
	seq_printf(file, "quarantined %llu\n", stats->quarantined);
	for (i = 0; i < IOPF_NR_PHASES; i++)
		seq_printf(file, "ns_%s %llu\n", iopf_phases[i], stats->ns[i]);
	seq_printf(file, "held_groups %u\n", sums->held_groups);
	seq_printf(file, "held_requests %u\n", sums->held_requests);
	seq_printf(file, "partial_requests %u\n", sums->partial);
	seq_printf(file, "pending_groups %u\n", sums->pending);
	seq_printf(file, "handled_groups %u\n", sums->handled);
	seq_printf(file, "pasid_queues %u\n", sums->pasid_queues);
	/* Bucket n: less than 2^n us. */
	seq_puts(file, "latency_log2_us");
	for (i = 0; i < IOPF_LATENCY_BUCKETS; i++)
		seq_printf(file, " %llu", sums->latency[i]);
	seq_putc(file, '\n');
}

static int iopf_stats_show(struct seq_file *file, void *unused)
{
	struct iopf_sums sums = {};

	iopf_add_sums(&sums, file->private);
	iopf_show_sums(file, &sums);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iopf_stats);

static int iopf_queue_stats_show(struct seq_file *file, void *unused)
{
	struct iopf_fault_queue *fq = file->private;
	struct iommu_fault_param *param;
	struct iopf_sums sums = {};

	mutex_lock(&fq->base.lock);
	list_for_each_entry(param, &fq->base.devices, queue_list)
		iopf_add_sums(&sums, to_iopf_device(param));
	mutex_unlock(&fq->base.lock);
	iopf_show_sums(file, &sums);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iopf_queue_stats);

static unsigned int iopf_length(struct list_head *list)
{
	struct list_head *node;
	unsigned int length = 0;

	list_for_each(node, list)
		length++;
	return length;
}

static void iopf_show_pasid(struct seq_file *file, bool valid, u32 pasid)
{
	if (valid)
		seq_printf(file, "%u", pasid);
	else
		seq_putc(file, '-');
}

/* Not under iopf_device.lock: @pq is a copy, whose lists must not be followed. */
static void iopf_show_pq(struct seq_file *file, const struct iopf_pasid_queue *pq,
			 unsigned int partial, unsigned int pending)
{
	int i;

	iopf_show_pasid(file, pq->pasid_valid, pq->pasid);
	seq_printf(file, " %llu %llu %llu %llu %llu %u %u %u %u",
		   pq->requests, pq->groups,
		   pq->responses[IOMMU_PAGE_RESP_SUCCESS],
		   pq->responses[IOMMU_PAGE_RESP_INVALID],
		   pq->responses[IOMMU_PAGE_RESP_FAILURE],
		   partial, pending,
		   pq->nr_queued + pq->nr_following, pq->nr_workers);
	for (i = 0; i < IOPF_LATENCY_BUCKETS; i++)
		seq_printf(file, " %u", pq->latency[i]);
	seq_putc(file, '\n');
}

static int iopf_pasids_show(struct seq_file *file, void *unused)
{
	struct iopf_device *fdev = file->private;
	unsigned int partial;
	unsigned int pending;
	struct iopf_pasid_queue *pq;
	struct iopf_pasid_queue copy;
	unsigned long index;

	seq_puts(file, "pasid requests groups success invalid failure partial pending queued workers latency_log2_us\n");
	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		copy = *pq;
		partial = iopf_length(&pq->unfinished);
		pending = iopf_length(&pq->pending) +
			  iopf_length(&pq->delivered);
		spin_unlock(&fdev->lock);
		iopf_show_pq(file, &copy, partial, pending);
		cond_resched();
		spin_lock(&fdev->lock);
	}
	spin_unlock(&fdev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iopf_pasids);

static const char * const iopf_owners[IOPF_NR_OWNERS] = {
	[IOPF_OWNER_ASSEMBLING] = "assembling",
	[IOPF_OWNER_QUEUED] = "queued",
	[IOPF_OWNER_WORKER] = "worker",
	[IOPF_OWNER_DOMAIN] = "domain",
	[IOPF_OWNER_HANDLER] = "handler",
	[IOPF_OWNER_CLAIMED] = "claimed",
};

static void iopf_show_groups(struct seq_file *file, struct list_head *groups)
{
	struct iopf_prg *prg;

	list_for_each_entry(prg, groups, base.pending_node) {
		iopf_show_pasid(file, iopf_key_has_pasid(&prg->key),
				prg->key.pasid);
		seq_printf(file, " %u %zu %s %u\n", prg->key.grpid,
			   prg->base.fault_count, iopf_owners[prg->owner],
			   jiffies_to_msecs(jiffies - prg->since));
	}
}

static int iopf_groups_show(struct seq_file *file, void *unused)
{
	struct iopf_device *fdev = file->private;
	struct iopf_pasid_queue *pq;
	unsigned long index;

	seq_puts(file, "pasid grpid requests owner age_ms\n");
	spin_lock(&fdev->lock);
	xa_for_each(&fdev->pqs, index, pq) {
		iopf_show_groups(file, &pq->unfinished);
		iopf_show_groups(file, &pq->pending);
		iopf_show_groups(file, &pq->delivered);
		spin_unlock(&fdev->lock);
		cond_resched();
		spin_lock(&fdev->lock);
	}
	spin_unlock(&fdev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iopf_groups);

/* Errors of debugfs are ignored, as usual: the files are missing then. */
void iopf_debugfs_add_queue(struct iopf_fault_queue *fq, const char *name)
{
	fq->debugfs = debugfs_create_dir(name, iopf_debugfs_root);
	debugfs_create_file("stats", 0400, fq->debugfs, fq,
			    &iopf_queue_stats_fops);
}

void iopf_debugfs_remove_queue(struct iopf_fault_queue *fq)
{
	debugfs_remove(fq->debugfs);
}

void iopf_debugfs_add_device(struct iopf_device *fdev)
{
	fdev->debugfs = debugfs_create_dir(dev_name(fdev->base.dev),
					   fdev->fq->debugfs);
	debugfs_create_file("stats", 0400, fdev->debugfs, fdev,
			    &iopf_stats_fops);
	debugfs_create_file("pasids", 0400, fdev->debugfs, fdev,
			    &iopf_pasids_fops);
	debugfs_create_file("groups", 0400, fdev->debugfs, fdev,
			    &iopf_groups_fops);
}

/* Waits for readers, so @fdev may be freed afterwards. */
void iopf_debugfs_remove_device(struct iopf_device *fdev)
{
	debugfs_remove(fdev->debugfs);
}

static int __init iopf_debugfs_init(void)
{
	iopf_debugfs_root = debugfs_create_dir("iopf", NULL);
	return 0;
}
core_initcall(iopf_debugfs_init);
