/* SPDX-License-Identifier: GPL-2.0 */
/*
 * I/O page fault queue: functions for drivers, handlers and administrators
 *
 * report.c takes page requests, attach.c has queues, devices and registered handlers come
 * and go, settings.c has the settings of drivers, and debugfs.c shows counters and
 * groups.
 */
#ifndef __IOPF_ENTRIES_H
#define __IOPF_ENTRIES_H

#include "endings.h"
#include "handlers.h"

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void iopf_debugfs_add_queue(struct iopf_fault_queue *fq, const char *name);
void iopf_debugfs_remove_queue(struct iopf_fault_queue *fq);
void iopf_debugfs_add_device(struct iopf_device *fdev);
void iopf_debugfs_remove_device(struct iopf_device *fdev);
#else
static inline void iopf_debugfs_add_queue(struct iopf_fault_queue *fq, const char *name)
{
}

static inline void iopf_debugfs_remove_queue(struct iopf_fault_queue *fq)
{
}

static inline void iopf_debugfs_add_device(struct iopf_device *fdev)
{
}

static inline void iopf_debugfs_remove_device(struct iopf_device *fdev)
{
}
#endif

/* attach.c */
struct iopf_handler *iopf_handler_find(struct device *dev);

#endif /* __IOPF_ENTRIES_H */
