/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VT-d page requests on the I/O page fault queue: private structures
 *
 *	decode.c    a page request descriptor and what it asks for
 *	ring.c      the ring: taking requests out, overflow, waiting, restart
 *	suspects.c  which requester fills the ring
 *	drain.c     ending the page requests of a PASID
 *	respond.c   response descriptors
 *	driver.c    the registers, the interrupt, and the rest of intel-iommu
 *
 * All but the last one know the hardware by &struct iopf_prq_ops only, so that KUnit
 * can put a model in its place.
 *
 * One thread, the interrupt's, takes requests from the ring. It copies a batch out,
 * moves the head, and only then reports: the slots are free while faults are
 * handled. Draining waits for numbers: requests are counted when they are
 * copied and again when they have been reported.
 *
 * Sections are those of the VT-d specification, revision 5.1, unless another one is
 * named.
 */
#ifndef __IOPF_INTEL_PRQ_H
#define __IOPF_INTEL_PRQ_H

#include <linux/atomic.h>
#include <linux/iommu.h>
#include <linux/iopf.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

/* Requests that are copied out of the ring at once. */
#define IOPF_PRQ_BATCH		64

/* Status bits of PRS (11.4.11.4). */
#define IOPF_PRQ_PENDING	BIT(0)
#define IOPF_PRQ_OVERFLOW	BIT(1)

/* Requesters that are looked at when one of them fills the ring. */
#define IOPF_PRQ_SUSPECTS	8

/* Submissions of a response of which hardware does not tell whether it was sent. */
#define IOPF_PRQ_SUBMIT_TRIES	4

/* Hardware drains that an overflow has spoilt, before a requester has to go. */
#define IOPF_PRQ_DRAIN_TRIES	16

struct iopf_prq;

/**
 * struct iopf_prq_desc - a descriptor, of a request or of a response
 * @qw: its quadwords; those of revision 2 have two
 */
struct iopf_prq_desc {
	u64 qw[4];
};

/**
 * enum iopf_prq_format - descriptors by the revision of the VT-d specification
 * @IOPF_PRQ_REV2: 16 bytes, requests may be streaming
 * @IOPF_PRQ_REV3: 32 bytes, may have private data, responses repeat LPIG
 * @IOPF_PRQ_REV4: 32 bytes
 */
enum iopf_prq_format {
	IOPF_PRQ_REV2,
	IOPF_PRQ_REV3,
	IOPF_PRQ_REV4,
};

/**
 * struct iopf_prq_event - a page request descriptor, understood
 * @rid: requester ID
 * @bad: why it is refused, or NULL
 * @request: what is reported
 */
struct iopf_prq_event {
	u16 rid;
	const char *bad;
	struct iopf_request request;
};

/**
 * struct iopf_prq_ops - the hardware
 * @read_head: the slot that hardware takes for the next one to be read, by number
 * @read_tail: the slot that is written next, by number
 * @write_head: the slot that is read next, by number: what is before it is free
 * @read_status: PRS
 * @clear_status: clear bits of PRS
 * @lock_devices: devices stay what they are from here on
 * @unlock_devices: up to here
 * @report: report requests of one requester, in their order; %-ENODEV if there is no
 *	such device. Devices are locked
 * @forget_devices: hardware was reset, and the devices with it: forget what they have
 *	asked for. Devices are locked
 * @submit: put response descriptors into the invalidation queue and wait until they
 *	have been taken. Returns 0; %-EINVAL if hardware has refused the first one, which
 *	then was not sent while all others were; or another error, if it is not known
 *	which were sent
 * @drain: let hardware drain the page requests of a PASID of a device (7.10). Returns
 *	0, or an error if that is not to be had
 * @disable: let a requester send no more page requests. Returns 0, %-ENODEV if it is
 *	unknown, or %-EALREADY
 * @wake_thread: see to it that iopf_prq_run() runs
 */
struct iopf_prq_ops {
	unsigned int (*read_head)(struct iopf_prq *prq);
	unsigned int (*read_tail)(struct iopf_prq *prq);
	void (*write_head)(struct iopf_prq *prq, unsigned int head);
	u32 (*read_status)(struct iopf_prq *prq);
	void (*clear_status)(struct iopf_prq *prq, u32 bits);
	void (*lock_devices)(struct iopf_prq *prq);
	void (*unlock_devices)(struct iopf_prq *prq);
	int (*report)(struct iopf_prq *prq, u16 rid,
		      const struct iopf_request *requests, unsigned int count);
	void (*forget_devices)(struct iopf_prq *prq);
	int (*submit)(struct iopf_prq *prq, struct iopf_prq_desc *descs,
		      unsigned int count);
	int (*drain)(struct iopf_prq *prq, struct device *dev, u32 pasid);
	int (*disable)(struct iopf_prq *prq, u16 rid);
	void (*wake_thread)(struct iopf_prq *prq);
};

/**
 * struct iopf_prq_suspect - a requester, and what it has sent since the last overflow
 * @rid: requester ID
 * @count: its requests, less what others' have taken off; 0 is a free place
 */
struct iopf_prq_suspect {
	u16 rid;
	unsigned int count;
};

/**
 * struct iopf_prq - the page request queue of an IOMMU
 * @ops: the hardware
 * @name: for messages
 * @queue: the fault queue
 * @format: how descriptors look
 * @ring: the ring
 * @size: its slots, a power of two
 * @patience: jiffies for which a drain bears with overflows, as many as
 *	%IOPF_PRQ_DRAIN_TRIES in any case
 * @lock: guards @head, @copied, @awaited and @lost, as one
 * @head: the slot that is read next
 * @copied: requests copied out of the ring, ever
 * @awaited: the largest number of @copied that was waited for
 * @lost: the thread has to forget the devices' requests
 * @restarted: hardware was reset and has got the ring anew; @head is not true. Set by
 *	iopf_prq_restart() in any context, cleared under @lock
 * @reported: requests reported, of those copied; never goes back. The thread's
 * @progress: woken when @reported has grown, and after an overflow
 * @nr_overflows: overflows, counted before the bit is cleared. The thread's
 * @nr_cleared: overflows, counted after the bit was cleared. The thread's
 * @blamed: the requester that has filled the ring before the last overflow, or -1
 * @flood_lock: guards @nr_disabled, and is held while a device is disabled
 * @nr_disabled: devices that drains have disabled
 * @alone: hardware has refused a response that others may have been sent with
 * @nr_unsent: responses that hardware has not taken
 * @nr_bad: requests refused here; the thread's, as all that follows
 * @nr_suspected: requests since the last overflow
 * @suspects: the requesters that have sent most of these
 * @batch: requests being reported
 * @requests: those of one requester
 */
struct iopf_prq {
	const struct iopf_prq_ops *ops;
	const char *name;
	struct iopf_queue *queue;
	enum iopf_prq_format format;
	void *ring;
	unsigned int size;
	unsigned long patience;

	spinlock_t lock; /* head, copied, awaited, lost */
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

	struct mutex flood_lock; /* nr_disabled */
	unsigned int nr_disabled;

	bool alone;
	atomic_t nr_unsent;

	u64 nr_bad;
	unsigned int nr_suspected;
	struct iopf_prq_suspect suspects[IOPF_PRQ_SUSPECTS];
	struct iopf_prq_event batch[IOPF_PRQ_BATCH];
	struct iopf_request requests[IOPF_PRQ_BATCH];
};

/* decode.c */
void iopf_prq_decode(enum iopf_prq_format format, const u64 *desc,
		     struct iopf_prq_event *event);
bool iopf_prq_is_stop_marker(const struct iommu_fault_page_request *prm);

/* ring.c */
void iopf_prq_init(struct iopf_prq *prq);
void iopf_prq_start(struct iopf_prq *prq);
void iopf_prq_restart(struct iopf_prq *prq);
bool iopf_prq_run(struct iopf_prq *prq);
void iopf_prq_wait(struct iopf_prq *prq);
void iopf_prq_wait_overflow(struct iopf_prq *prq);

/* suspects.c */
void iopf_prq_suspect(struct iopf_prq *prq, u16 rid, unsigned int count);
void iopf_prq_blame(struct iopf_prq *prq);

/* drain.c */
int iopf_prq_drain(struct iopf_prq *prq, struct device *dev, u32 pasid);

/* respond.c */
void iopf_prq_encode(enum iopf_prq_format format, u16 rid,
		     const struct iopf_response *response,
		     struct iopf_prq_desc *desc);
void iopf_prq_respond(struct iopf_prq *prq, u16 rid,
		      const struct iopf_response *responses,
		      unsigned int count);

#endif /* __IOPF_INTEL_PRQ_H */
