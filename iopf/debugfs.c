// SPDX-License-Identifier: GPL-2.0
/*
 * I/O page fault queue: a look inside
 *
 *	/sys/kernel/debug/iopf/QUEUE/DEVICE/stats	counters
 *	/sys/kernel/debug/iopf/QUEUE/DEVICE/groups	groups without an answer
 */
#include <linux/debugfs.h>
#include <linux/jiffies.h>
#include <linux/seq_file.h>

#include "iopf.h"

static struct dentry *iopf_debugfs_root;

static int iopf_stats_show(struct seq_file *file, void *unused)
{
	struct iopf_dev *idev = file->private;
	struct iopf_stats stats;
	unsigned int partial;
	unsigned int pending;
	unsigned int lanes;

	spin_lock(&idev->lock);
	stats = idev->stats;
	partial = idev->nr_partial;
	pending = idev->nr_pending;
	lanes = idev->nr_lanes;
	spin_unlock(&idev->lock);

	seq_printf(file, "requests %llu\n", stats.requests);
	seq_printf(file, "groups %llu\n", stats.groups);
	seq_printf(file, "success %llu\n",
		   stats.answers[IOMMU_PAGE_RESP_SUCCESS]);
	seq_printf(file, "invalid %llu\n",
		   stats.answers[IOMMU_PAGE_RESP_INVALID]);
	seq_printf(file, "failure %llu\n",
		   stats.answers[IOMMU_PAGE_RESP_FAILURE]);
	seq_printf(file, "late %llu\n", stats.late);
	seq_printf(file, "malformed %llu\n", stats.malformed);
	seq_printf(file, "unhandled %llu\n", stats.unhandled);
	seq_printf(file, "limited %llu\n", stats.limited);
	seq_printf(file, "nomem %llu\n", stats.nomem);
	seq_printf(file, "discarded %llu\n", stats.discarded);
	seq_printf(file, "disowned %llu\n", stats.disowned);
	seq_printf(file, "overdue %llu\n", stats.overdue);
	seq_printf(file, "partial_requests %u\n", partial);
	seq_printf(file, "pending_groups %u\n", pending);
	seq_printf(file, "lanes %u\n", lanes);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iopf_stats);

/* Who has the group now. */
static const char *iopf_holder(struct iopf_grp *grp)
{
	if (grp->state == IOPF_PARTIAL)
		return "partial";
	if (!grp->mm)
		return "handler";
	return list_empty(&grp->pub.node) ? "worker" : "queued";
}

static void iopf_show_groups(struct seq_file *file, struct list_head *groups)
{
	struct iopf_grp *grp;

	list_for_each_entry(grp, groups, pub.pending_node) {
		if (grp->key.pasid_valid)
			seq_printf(file, "%u", grp->key.pasid);
		else
			seq_puts(file, "-");
		seq_printf(file, " %u %zu %s %u\n", grp->key.grpid,
			   grp->pub.fault_count, iopf_holder(grp),
			   jiffies_to_msecs(jiffies - grp->since));
	}
}

static int iopf_groups_show(struct seq_file *file, void *unused)
{
	struct iopf_dev *idev = file->private;
	struct iopf_lane *lane;
	unsigned long index;

	seq_puts(file, "pasid grpid requests holder age_ms\n");
	spin_lock(&idev->lock);
	xa_for_each(&idev->lanes, index, lane) {
		iopf_show_groups(file, &lane->partial);
		iopf_show_groups(file, &lane->pending);
	}
	spin_unlock(&idev->lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(iopf_groups);

/* Errors of debugfs are nobody's concern: the files are missing, that is all. */
void iopf_debugfs_add_queue(struct iopf_q *q, const char *name)
{
	q->debugfs = debugfs_create_dir(name, iopf_debugfs_root);
}

void iopf_debugfs_remove_queue(struct iopf_q *q)
{
	debugfs_remove(q->debugfs);
}

void iopf_debugfs_add_device(struct iopf_dev *idev)
{
	idev->debugfs = debugfs_create_dir(dev_name(idev->pub.dev),
					   idev->q->debugfs);
	debugfs_create_file("stats", 0444, idev->debugfs, idev,
			    &iopf_stats_fops);
	debugfs_create_file("groups", 0444, idev->debugfs, idev,
			    &iopf_groups_fops);
}

/* Waits for readers, so @idev may go afterwards. */
void iopf_debugfs_remove_device(struct iopf_dev *idev)
{
	debugfs_remove(idev->debugfs);
}

static int __init iopf_debugfs_init(void)
{
	iopf_debugfs_root = debugfs_create_dir("iopf", NULL);
	return 0;
}
core_initcall(iopf_debugfs_init);
