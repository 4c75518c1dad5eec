/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * softacc: a software accelerator with shared virtual addressing - user ABI
 *
 * Opening /dev/softacc-N binds the opener's address space to the device. Jobs
 * work on virtual addresses of that process; whatever is not present the device
 * asks for with page requests. No call blocks: poll() tells when there is a
 * completion to be reaped. (When the device is removed, calls fail with ENXIO, but
 * UACCE leaves a poll() that waits asleep: give it a timeout.)
 *
 * All reserved fields have to be zero.
 */
#ifndef _SOFTACC_H
#define _SOFTACC_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SOFTACC_ABI_VERSION	1

#define SOFTACC_MAX_PAGES_PER_GROUP	512
#define SOFTACC_MAX_OUTSTANDING		256
#define SOFTACC_MAX_THREADS		16
#define SOFTACC_MAX_JOBS		64

/**
 * struct softacc_info - what one has opened
 * @abi_version: %SOFTACC_ABI_VERSION
 * @pasid: PASID of the process on this device
 * @prg_indices: groups that can be outstanding, of the device or, if the module
 *	was loaded with prg_per_pasid, of each PASID
 * @ring_entries: size of the page request ring
 * @implementation: whose fault queue the kernel has, "iopf" or "upstream"
 */
struct softacc_info {
	__u32 abi_version;
	__u32 pasid;
	__u32 prg_indices;
	__u32 ring_entries;
	char implementation[16];
};

/**
 * struct softacc_config - how the engine of this file works
 * @pages_per_group: most pages that it asks for at once
 * @outstanding: most groups that it has under way
 * @threads: its threads
 * @retry_limit: responses of "success" for the same page, still missing, after
 *	which a job fails; 0 for the default of 1000
 * @flags: SOFTACC_CONFIG_* values
 * @reserved: zero
 *
 * Only while no job is queued, otherwise EBUSY.
 */
struct softacc_config {
	__u32 pages_per_group;
	__u32 outstanding;
	__u32 threads;
	__u32 retry_limit;
	__u64 flags;
	__u64 reserved;
};

/*
 * What is missing is faulted in by the engine itself, a group at a time, without
 * a page request: what remains is the work of the device and of the mm, the floor
 * that no fault queue gets under. For benchmarks.
 */
#define SOFTACC_CONFIG_FLOOR	(1 << 0)

/* Let the fault queue go ahead, if it can: EOPNOTSUPP if not. */
#define SOFTACC_CONFIG_PREFAULT	(1 << 1)
#define SOFTACC_PREFAULT_PAGES	64

enum softacc_op {
	SOFTACC_OP_FILL = 1,	/* write softacc_pattern() to dst */
	SOFTACC_OP_COPY,	/* copy src to dst */
	SOFTACC_OP_COMPARE,	/* compare src with dst */
	SOFTACC_OP_CHECKSUM,	/* sum softacc_mix() over src */
	SOFTACC_OP_TOUCH,	/* FILL, but of each page the first 8 bytes only */
};

/**
 * struct softacc_job - a job
 * @op: &enum softacc_op
 * @flags: zero
 * @src: address to read
 * @dst: address to write, or to compare with
 * @len: bytes; this and the addresses are multiples of 8
 * @seed: of the pattern
 * @tag: comes back with the completion
 * @id: out: names the job
 * @reserved: zero
 */
struct softacc_job {
	__u32 op;
	__u32 flags;
	__u64 src;
	__u64 dst;
	__u64 len;
	__u64 seed;
	__u64 tag;
	__u32 id;
	__u32 reserved;
};

/**
 * struct softacc_completion - how a job ended
 * @id: the job
 * @status: 0 or a negative errno: -EFAULT a page request was refused,
 *	-ESRCH the process is gone, -ECANCELED, -ELOOP retried too often,
 *	-EILSEQ COMPARE found a difference
 * @tag: the job's
 * @fault_addr: for -EFAULT and -ELOOP the first page that was still missing
 * @fault_code: for -EFAULT the response code (enum iommu_page_response_code)
 * @reserved: zero
 * @result: the checksum, or the offset of the first difference
 * @bytes: done
 * @requests: page requests sent
 * @groups: page request groups sent
 * @retries: accesses that failed again after a response of "success"
 * @ns: from submission to completion
 */
struct softacc_completion {
	__u32 id;
	__s32 status;
	__u64 tag;
	__u64 fault_addr;
	__u32 fault_code;
	__u32 reserved;
	__u64 result;
	__u64 bytes;
	__u64 requests;
	__u64 groups;
	__u64 retries;
	__u64 ns;
};

/* Latencies: four buckets for each power of two of nanoseconds. */
#define SOFTACC_LAT_BUCKETS	160

/**
 * struct softacc_stats - counters
 * @requests: page requests sent; those of the device include injected ones
 * @groups: groups sent; injected ones count, for the device, with their response
 * @responses: answers received, by response code
 * @spurious: answers for a group that was not outstanding
 * @duplicate: those of them that were a second response
 * @forgotten: groups that had no response when their PASID was drained
 * @abandoned: groups whose job did not wait for the response
 * @early: answers for a group whose last request was not sent yet, which is owed none;
 *	spurious, too
 * @outstanding: groups without a response now; those of the device include injected
 *	ones
 * @ring_full: times that the engine waited for room in the ring
 * @bytes: bytes done by jobs
 * @retries: accesses that failed again after a response of "success"
 * @lat_count: latencies, request to response, in @lat; those of the device are of
 *	groups whose file is closed
 * @lat_sum: their sum, in ns
 * @lat_max: their maximum, in ns
 * @lat: histogram, see softacc_lat_floor()
 */
struct softacc_stats {
	__u64 requests;
	__u64 groups;
	__u64 responses[3];
	__u64 spurious;
	__u64 duplicate;
	__u64 forgotten;
	__u64 abandoned;
	__u64 early;
	__u64 outstanding;
	__u64 ring_full;
	__u64 bytes;
	__u64 retries;
	__u64 lat_count;
	__u64 lat_sum;
	__u64 lat_max;
	__u64 lat[SOFTACC_LAT_BUCKETS];
};

/**
 * struct softacc_inject - one page request, sent to the IOMMU as it is
 * @flags: SOFTACC_INJECT_* values
 * @grpid: page request group index
 * @perm: IOMMU_FAULT_PERM_* values
 * @pasid: with %SOFTACC_INJECT_OTHER_PASID; needs CAP_SYS_ADMIN
 * @addr: address
 * @reserved: zero
 *
 * The last request makes a group that waits for a response, which is read by
 * %SOFTACC_IOC_RESPONSE; poll() tells when there is one. EAGAIN: no room in the
 * ring, or %SOFTACC_MAX_INJECTED groups without a response that has been read. Use
 * a @grpid of %SOFTACC_INJECT_GRPID or more to keep clear of the engine's. A device
 * on VT-d has 256 of these and no others.
 */
struct softacc_inject {
	__u32 flags;
	__u32 grpid;
	__u32 perm;
	__u32 pasid;
	__u64 addr;
	__u64 reserved;
};

#define SOFTACC_INJECT_LAST		(1 << 0)
#define SOFTACC_INJECT_NO_PASID		(1 << 1)
#define SOFTACC_INJECT_OTHER_PASID	(1 << 2)
/* Others follow at once: no interrupt for this one, so that they are reported together. */
#define SOFTACC_INJECT_MORE		(1 << 3)

#define SOFTACC_INJECT_GRPID		(1 << 16)

#define SOFTACC_MAX_INJECTED		65536

/**
 * struct softacc_response - the response of an injected group
 * @pasid: PASID
 * @grpid: page request group index
 * @code: response code
 * @count: responses that this group got: more than one is a bug
 * @ns: from the request to the first response
 */
struct softacc_response {
	__u32 pasid;
	__u32 grpid;
	__u32 code;
	__u32 count;
	__u64 ns;
};

/*
 * With the module's parameter handlers=N, page requests of N PASIDs from
 * SOFTACC_HANDLER_PASID on go to a handler, which does what the address of a
 * group's last request says: answer with CODE, MS milliseconds later.
 */
#define SOFTACC_HANDLER_PASID	0xf0000
#define SOFTACC_MAX_HANDLERS	8U

#define SOFTACC_HANDLE_WHAT(addr)	(((addr) >> 12) & 7)
#define SOFTACC_HANDLE_CODE(addr)	(((addr) >> 15) & 3)
#define SOFTACC_HANDLE_MS(addr)		(((addr) >> 17) & 0xfff)

enum softacc_handling {
	SOFTACC_HANDLE_NOW,	/* before the report returns */
	SOFTACC_HANDLE_LATER,
	SOFTACC_HANDLE_TWICE,	/* by two threads at once */
	SOFTACC_HANDLE_NEVER,	/* given up without a response */
	SOFTACC_HANDLE_REFUSE,	/* not taken over; all other values, too */
};

/* Those of UACCE count from 0. */
#define SOFTACC_IOC_INFO	_IOR('W', 0x40, struct softacc_info)
#define SOFTACC_IOC_CONFIG	_IOW('W', 0x41, struct softacc_config)
#define SOFTACC_IOC_SUBMIT	_IOWR('W', 0x42, struct softacc_job)
#define SOFTACC_IOC_REAP	_IOR('W', 0x43, struct softacc_completion)
#define SOFTACC_IOC_CANCEL	_IO('W', 0x44)
#define SOFTACC_IOC_STATS	_IOR('W', 0x45, struct softacc_stats)
#define SOFTACC_IOC_DEV_STATS	_IOR('W', 0x46, struct softacc_stats)
#define SOFTACC_IOC_INJECT	_IOW('W', 0x47, struct softacc_inject)
#define SOFTACC_IOC_RESPONSE	_IOR('W', 0x48, struct softacc_response)

/* The 8 bytes at @offset of an area filled with @seed. */
static inline __u64 softacc_pattern(__u64 seed, __u64 offset)
{
	return (seed + (offset >> 3)) * 0x9e3779b97f4a7c15ULL;
}

/* What the 8 bytes @word at @offset add to a checksum. */
static inline __u64 softacc_mix(__u64 word, __u64 offset)
{
	return (word ^ (word >> 29)) * ((offset >> 2) | 1);
}

/* The least latency, in ns, that counts in @bucket. */
static inline __u64 softacc_lat_floor(unsigned int bucket)
{
	return bucket < 4 ? bucket :
			    (4ULL + (bucket & 3)) << ((bucket >> 2) - 1);
}

#endif /* _SOFTACC_H */
