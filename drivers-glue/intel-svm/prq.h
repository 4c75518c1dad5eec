/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VT-d page requests on the I/O page fault queue: private structures
 *
 *	decode.c    page request descriptors
 *	ring.c      page request ring: reporting, overflow, waiting, reset
 *	suspects.c  finding the requester that fills the ring
 *	drain.c     draining the page requests of a PASID
 *	respond.c   response descriptors
 *	driver.c    registers, interrupt, interface to the rest of intel-iommu
 *
 * All files but driver.c access the hardware through &struct vtd_prq_ops only, so that
 * KUnit can replace it by a model.
 *
 * Only the interrupt thread takes requests out of the ring. It copies a batch, moves the
 * head, and then reports the batch, so that the slots are free while faults are handled.
 * Requests are counted when they are copied (@copied) and again when they have been
 * reported (@reported); waiters compare these counts.
 *
 * Section numbers are those of the VT-d specification, revision 5.1, unless another
 * revision is named.
 */
#ifndef __IOPF_INTEL_PRQ_H
#define __IOPF_INTEL_PRQ_H

#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/* Maximum number of requests that are copied out of the ring under one hold of the lock. */
#define VTD_PRQ_BATCH		64

/* Bits of the Page Request Status Register, PRS (11.4.11.4). */
#define VTD_PRQ_PENDING	BIT(0)
#define VTD_PRQ_OVERFLOW	BIT(1)

/* Number of requesters whose requests are counted, see suspects.c. */
#define VTD_PRQ_SUSPECTS	8

/* Maximum number of submissions of a response if it is not known whether it was sent. */
#define VTD_PRQ_SUBMIT_TRIES	4

/* Hardware drains spoilt by an overflow before the flooding requester is disabled. */
#define VTD_PRQ_DRAIN_TRIES	16

struct vtd_prq;

/**
 * struct vtd_prq_desc - a request or response descriptor
 * @qw: quadwords; descriptors of revision 2 use the first two
 */
struct vtd_prq_desc {
	u64 qw[4];
};

/**
 * enum vtd_prq_format - descriptor formats by major revision of the VT-d specification
 * @VTD_PRQ_REV2: 16 bytes; streaming requests
 * @VTD_PRQ_REV3: 32 bytes; private data; responses repeat the LPIG bit
 * @VTD_PRQ_REV4: 32 bytes
 */
enum vtd_prq_format {
	VTD_PRQ_REV2,
	VTD_PRQ_REV3,
	VTD_PRQ_REV4,
};

/**
 * struct vtd_prq_event - a decoded page request descriptor
 * @rid: requester ID
 * @bad: message that says why the request is refused, or NULL
 * @request: the request to report
 */
struct vtd_prq_event {
	u16 rid;
	const char *bad;
	struct iopf_request request;
};

/**
 * struct vtd_prq_ops - hardware access
 * @read_head: Read the head register. Returns the index of the next slot to be read.
 * @read_tail: Read the tail register. Returns the index of the next slot that hardware
 *	writes.
 * @write_head: Write the index of the next slot to be read to the head register, which
 *	frees the slots before it.
 * @read_status: Read PRS.
 * @clear_status: Clear bits of PRS.
 * @lock_devices: Keep devices from being released until @unlock_devices is called.
 * @unlock_devices: Allow devices to be released again.
 * @report: Report requests of one requester, in order. Called between @lock_devices and
 *	@unlock_devices. Returns %-ENODEV if there is no such device, 0 otherwise.
 * @reset_devices: End the page requests of all devices without a response, after hardware
 *	was reset. Called between @lock_devices and @unlock_devices.
 * @submit: Submit response descriptors to the invalidation queue and wait until hardware
 *	has taken them. Returns 0; %-EINVAL if hardware has refused the first descriptor and
 *	taken all others; or another error if it is not known which responses were sent.
 * @drain: Let hardware drain the page requests of a PASID of a device (7.10). Returns 0,
 *	or an error if hardware did not.
 * @disable: Disable page requests of a requester. Returns 0, %-ENODEV if the requester is
 *	unknown, or %-EALREADY if its page requests are disabled.
 * @wake_thread: Make the interrupt thread call vtd_prq_run().
 */
struct vtd_prq_ops {
	unsigned int (*read_head)(struct vtd_prq *prq);
	unsigned int (*read_tail)(struct vtd_prq *prq);
	void (*write_head)(struct vtd_prq *prq, unsigned int head);
	u32 (*read_status)(struct vtd_prq *prq);
	void (*clear_status)(struct vtd_prq *prq, u32 bits);
	void (*lock_devices)(struct vtd_prq *prq);
	void (*unlock_devices)(struct vtd_prq *prq);
	int (*report)(struct vtd_prq *prq, u16 rid,
		      const struct iopf_request *requests, unsigned int count);
	void (*reset_devices)(struct vtd_prq *prq);
	int (*submit)(struct vtd_prq *prq, struct vtd_prq_desc *descs,
		      unsigned int count);
	int (*drain)(struct vtd_prq *prq, struct device *dev, u32 pasid);
	int (*disable)(struct vtd_prq *prq, u16 rid);
	void (*wake_thread)(struct vtd_prq *prq);
};

/**
 * struct vtd_prq_suspect - a counter of a requester's requests since the last overflow
 * @rid: requester ID
 * @count: lower bound of its requests; 0 if the counter is unused
 */
struct vtd_prq_suspect {
	u16 rid;
	unsigned int count;
};

/**
 * struct vtd_prq - the page request queue of an IOMMU
 * @ops: hardware access
 * @name: name for messages
 * @queue: the fault queue
 * @format: descriptor format
 * @ring: the ring
 * @size: number of slots, a power of two
 * @patience: time in jiffies after which a drain that overflows keep spoiling gives up,
 *	but not before %VTD_PRQ_DRAIN_TRIES attempts
 * @lock: guards @head, @copied, @awaited and @lost
 * @head: index of the next slot to be read
 * @copied: number of requests copied out of the ring since it was set up
 * @awaited: largest value of @copied that vtd_prq_wait() has waited for
 * @lost: hardware was reset, and the thread has yet to call @ops->reset_devices
 * @restarted: hardware was reset and has got the ring again, so @head is stale. Set by
 *	vtd_prq_restart() in any context, cleared under @lock
 * @reported: value of @copied up to which requests have been reported; never decreases.
 *	Written by the thread only
 * @progress: woken when @reported has grown, and after an overflow
 * @nr_overflows: number of overflows, incremented before the overflow bit is cleared.
 *	Written by the thread only
 * @nr_cleared: number of overflows, incremented after the overflow bit was cleared.
 *	Written by the thread only
 * @blamed: requester ID of the device that filled the ring before the last overflow, or
 *	-1; lockless
 * @flood_lock: guards @nr_disabled; held while a device is disabled
 * @nr_disabled: number of devices that drains have disabled
 * @alone: hardware has refused a response with a PASID, so each response is submitted by
 *	itself; only ever set, lockless
 * @nr_unsent: number of responses that could not be sent
 * @nr_bad: number of requests refused here. This and what follows belongs to the thread
 * @nr_suspected: number of requests since the last overflow
 * @suspects: counters of the requesters that have sent most of them
 * @batch: requests being reported
 * @requests: those requests of @batch that one requester has sent
 */
struct vtd_prq {
	const struct vtd_prq_ops *ops;
	const char *name;
	struct iopf_queue *queue;
	enum vtd_prq_format format;
	void *ring;
	unsigned int size;
	unsigned long patience;

	spinlock_t lock; /* guards head, copied, awaited, lost */
	unsigned int head;
	u64 copied;
	u64 awaited;
	bool lost;
	bool restarted;
	u64 reported;
	wait_queue_head_t progress;
	u64 nr_overflows;
	u64 nr_cleared;
	int blamed;

	struct mutex flood_lock; /* guards nr_disabled */
	unsigned int nr_disabled;

	bool alone;
	atomic_t nr_unsent;

	u64 nr_bad;
	unsigned int nr_suspected;
	struct vtd_prq_suspect suspects[VTD_PRQ_SUSPECTS];
	struct vtd_prq_event batch[VTD_PRQ_BATCH];
	struct iopf_request requests[VTD_PRQ_BATCH];
};

/* decode.c */
void vtd_prq_decode(enum vtd_prq_format format, const u64 *desc,
		    struct vtd_prq_event *event);
bool vtd_prq_is_stop_marker(const struct iommu_fault_page_request *prm);

/* ring.c */
void vtd_prq_init(struct vtd_prq *prq);
void vtd_prq_start(struct vtd_prq *prq);
void vtd_prq_restart(struct vtd_prq *prq);
bool vtd_prq_run(struct vtd_prq *prq);
void vtd_prq_wait(struct vtd_prq *prq);
void vtd_prq_wait_overflow(struct vtd_prq *prq);

/* suspects.c */
void vtd_prq_count_requests(struct vtd_prq *prq, u16 rid, unsigned int count);
void vtd_prq_blame(struct vtd_prq *prq);

/* drain.c */
int vtd_prq_drain(struct vtd_prq *prq, struct device *dev, u32 pasid);

/* respond.c */
void vtd_prq_encode(enum vtd_prq_format format, u16 rid,
		    const struct iopf_response *response,
		    struct vtd_prq_desc *desc);
void vtd_prq_respond(struct vtd_prq *prq, u16 rid,
		     const struct iopf_response *responses,
		     unsigned int count);

#endif /* __IOPF_INTEL_PRQ_H */
