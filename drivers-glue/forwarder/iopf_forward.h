/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * iopf_forward: a device's page faults in user space - user ABI
 *
 * Each open file of /dev/iopf-forward can be bound to one device. From then on it
 * gets that device's faults, and is as a fault queue of iommufd:
 *
 * Binding needs CAP_SYS_ADMIN, in the initial user namespace: EPERM. Whoever has the
 * bound file sees where any user of the device works, and may let it wait or fail;
 * devices and their IOMMUs belong to no namespace. Reading and writing need the file
 * only, so a VMM without privilege can be given one that is bound.
 *
 * read() gives whole groups of struct iommu_hwpt_pgfault, as many as fit, and 0 if
 * there are none; it does not block. A group has the same cookie in all its records,
 * and IOMMU_PGFAULT_FLAGS_LAST_PAGE in the last one. No group has more than
 * IOPF_FORWARD_MAX_GROUP of them. ESPIPE: the size is no multiple of a record's.
 * EINVAL: too small for the next group. EFAULT: the first group cannot be stored. A
 * later one that cannot be ends the call without an error. Either stays to be read.
 *
 * write() takes answers, struct iommu_hwpt_page_response. It stops at the first that
 * is wrong and tells what was taken, or, if that is nothing, what is wrong. EINVAL: an
 * unknown cookie or code. A response that comes too late, because the device could not
 * wait any longer, is taken and counted.
 *
 * poll() says EPOLLIN when there is a group, and EPOLLHUP when the device is gone, as
 * does ENODEV.
 *
 * Closing the last reference of the file answers all that was not answered with
 * Invalid Request, and the device is without a forwarder again.
 */
#ifndef _IOPF_FORWARD_H
#define _IOPF_FORWARD_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOPF_FORWARD_MAX_GROUPS		65536
#define IOPF_FORWARD_MAX_REQUESTS	(1 << 20)
#define IOPF_FORWARD_MAX_GROUP		4096
#define IOPF_FORWARD_MAX_STALL_MS	100000

/**
 * struct iopf_forward_bind - which faults one wants
 * @flags: IOPF_FORWARD_* values
 * @dev_id: comes back in the records
 * @pasid: with %IOPF_FORWARD_PASID: only faults of this PASID, others go where they
 *	would go anyway
 * @groups: most groups without a response, read or not; 0 for the default of 1024
 * @requests: most requests in these groups; 0 for the default of 16384
 * @stall_ms: how long groups without room may have to be asked for again, in
 *	milliseconds, up to %IOPF_FORWARD_MAX_STALL_MS; 0 for the default of 10000
 * @device: bus and name: "platform/softacc.0", "pci/0000:00:03.0"
 *
 * A group that has no room is answered at once: with Success, so that the device asks
 * again, or, with %IOPF_FORWARD_REFUSE, with Invalid Request. A device must not ask
 * for ever because its reader is dead or stopped: when @stall_ms have passed since the
 * first group that found no room, and nothing was read or answered meanwhile, the
 * answer is Invalid Request. The next group that is read, or answered, starts that
 * time anew. The default is that of iopf.prq_timeout, after which groups that did find
 * room are answered with Invalid Request: none fares better for having found none.
 * Groups that there is no memory for are treated alike; that ends when there is.
 *
 * A group larger than @requests or %IOPF_FORWARD_MAX_GROUP can never have room: it is
 * answered with Invalid Request, and counted as full.
 *
 * EPERM: no CAP_SYS_ADMIN. EBUSY: this file is bound, or the device has a handler.
 * ENODEV: no such device, or none behind an IOMMU.
 */
struct iopf_forward_bind {
	__u32 flags;
	__u32 dev_id;
	__u32 pasid;
	__u32 groups;
	__u32 requests;
	__u32 stall_ms;
	char device[104];
};

#define IOPF_FORWARD_PASID	(1 << 0)
#define IOPF_FORWARD_REFUSE	(1 << 1)

/**
 * struct iopf_forward_stats - counters of a bound file
 * @groups: groups that were taken
 * @requests: requests in them
 * @delivered: groups that were read
 * @responded: answers, by response code
 * @late: responses that came too late
 * @overdue: groups that were dropped, because somebody else had answered them
 * @full: groups that had no room
 * @nomem: groups that there was no memory for
 * @again: groups that were read again
 * @unrecoverable: events that nobody can do anything about
 * @queued: groups not read yet
 * @pending: groups read and not answered
 */
struct iopf_forward_stats {
	__u64 groups;
	__u64 requests;
	__u64 delivered;
	__u64 responded[2];
	__u64 late;
	__u64 overdue;
	__u64 full;
	__u64 nomem;
	__u64 again;
	__u64 unrecoverable;
	__u64 queued;
	__u64 pending;
};

/*
 * AGAIN: all that was read and not answered is to be read again, with new cookies:
 * for one who takes over from a reader that has died.
 */
#define IOPF_FORWARD_IOC_BIND	_IOW('W', 0x60, struct iopf_forward_bind)
#define IOPF_FORWARD_IOC_STATS	_IOR('W', 0x61, struct iopf_forward_stats)
#define IOPF_FORWARD_IOC_AGAIN	_IO('W', 0x62)

#endif /* _IOPF_FORWARD_H */
