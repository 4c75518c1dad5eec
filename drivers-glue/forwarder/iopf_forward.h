/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * iopf_forward: page faults of a device in user space - user ABI
 *
 * An open file of /dev/iopf-forward can be bound to one device, once. A bound file gets
 * the device's page faults, and is used like a fault queue of iommufd.
 *
 * Binding needs CAP_SYS_ADMIN in the initial user namespace (EPERM), because devices and
 * their IOMMUs belong to no namespace, and the bound file shows the faulting addresses of
 * all users of the device and can delay or fail their faults. Reading and writing need
 * only the file, so a bound file can be passed to a VMM without privileges.
 *
 * read() returns whole groups of struct iommu_hwpt_pgfault, as many as fit, or 0 if there
 * are none; it does not block. All records of a group have the same cookie, and the last
 * one has IOMMU_PGFAULT_FLAGS_LAST_PAGE. A group has at most IOPF_FORWARD_MAX_GROUP
 * records. ESPIPE: the size is no multiple of the size of a record. EINVAL: the buffer is
 * too small for the next group. EFAULT: the first group cannot be stored. ENOMEM: there is
 * no memory to deliver the first group. If one of these concerns a later group, the call
 * returns those before it. Groups that were not returned can be read again.
 *
 * write() takes responses, struct iommu_hwpt_page_response. It stops at the first one that
 * is invalid and returns the size of those before it, or an error if there are none.
 * ESPIPE: the size is no multiple of the size of a response. EINVAL: unknown code, or a
 * cookie that no read() has stored. EFAULT: the response cannot be read. A response to a
 * group that has one already, because of a timeout or a flush, is accepted and counted as
 * late.
 *
 * poll() reports EPOLLIN when there is a group to read, and EPOLLHUP and EPOLLERR while the
 * file is not bound or after its device was removed. read() and write() fail with ENOTCONN
 * or ENODEV then.
 *
 * Closing the file sends Invalid Request to all groups without a response and unbinds it
 * from the device.
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
 * struct iopf_forward_bind - arguments of %IOPF_FORWARD_IOC_BIND
 * @flags: IOPF_FORWARD_PASID and IOPF_FORWARD_REFUSE
 * @dev_id: value of iommu_hwpt_pgfault.dev_id in the records
 * @pasid: with %IOPF_FORWARD_PASID, the only PASID whose faults are forwarded; faults of
 *	others are handled as without a forwarder
 * @groups: maximum number of groups without a response, read or not, up to
 *	%IOPF_FORWARD_MAX_GROUPS; 0 for the default of 1024
 * @requests: maximum number of requests in these groups, up to
 *	%IOPF_FORWARD_MAX_REQUESTS; 0 for the default of 16384
 * @stall_ms: how long groups that find no room get Success, in milliseconds, up to
 *	%IOPF_FORWARD_MAX_STALL_MS; 0 for the default of 10000
 * @device: bus and name of the device, such as "platform/softacc.0" or "pci/0000:00:03.0"
 *
 * A group that finds no room gets its response at once: Success, so that the device asks
 * again, or with %IOPF_FORWARD_REFUSE Invalid Request. If the reader is dead or stopped,
 * the device must not ask again for ever. So @stall_ms after the first group that found no
 * room the response becomes Invalid Request, unless a group was read or responded to
 * meanwhile, which starts that time anew. The default is that of iopf.prq_timeout, after
 * which groups that have found room get Invalid Request, too. If there is no memory for a
 * group, the same applies, until there is memory for one.
 *
 * A group with more requests than @requests or %IOPF_FORWARD_MAX_GROUP gets Invalid Request
 * at once and is counted as full.
 *
 * EPERM: no CAP_SYS_ADMIN. EINVAL: invalid arguments. EBUSY: the file is bound, or the
 * device has a handler. ENODEV: there is no such device on the platform and PCI buses, or
 * it is not behind an IOMMU. ENOMEM: no memory.
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
 * struct iopf_forward_stats - counters of a file
 * @groups: groups that were queued
 * @requests: requests in these groups
 * @delivered: groups that were read
 * @responded: responses that were sent, by response code
 * @late: responses to groups that had one already
 * @overdue: groups that were dropped because they had a response already
 * @full: groups that found no room
 * @nomem: groups for which there was no memory
 * @again: groups that %IOPF_FORWARD_IOC_AGAIN has queued again
 * @unrecoverable: unrecoverable faults
 * @queued: groups that are queued now
 * @pending: groups that were read and have no response now
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
 * IOPF_FORWARD_IOC_AGAIN queues all groups again that were read and have no response; they
 * get new cookies. For a process that takes over from a reader that has died.
 */
#define IOPF_FORWARD_IOC_BIND	_IOW('W', 0x60, struct iopf_forward_bind)
#define IOPF_FORWARD_IOC_STATS	_IOR('W', 0x61, struct iopf_forward_stats)
#define IOPF_FORWARD_IOC_AGAIN	_IO('W', 0x62)

#endif /* _IOPF_FORWARD_H */
