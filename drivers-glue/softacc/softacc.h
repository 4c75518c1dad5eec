/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * softacc: software accelerator with shared virtual addressing - user ABI
 *
 * Opening /dev/softacc-N binds the address space of the calling process to the device.
 * Jobs work on virtual addresses of that process, and the device sends page requests for
 * pages that are not present. No call blocks; poll() reports EPOLLIN when there is a
 * completion or a response to read. After the device was removed, calls fail with ENXIO,
 * but UACCE does not wake a poll() that waits: use a timeout.
 *
 * Reserved fields have to be zero.
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
 * struct softacc_info - properties of the device and of the kernel
 * @abi_version: %SOFTACC_ABI_VERSION
 * @pasid: PASID of the process on this device
 * @prg_indices: number of Page Request Group Indices, which bounds the groups without a
 *	response: of the device or, with the module parameter prg_per_pasid, of each PASID
 * @ring_entries: maximum number of requests in the page request ring
 * @implementation: the kernel's fault queue, "iopf" or "upstream"
 */
struct softacc_info {
	__u32 abi_version;
	__u32 pasid;
	__u32 prg_indices;
	__u32 ring_entries;
	char implementation[16];
};

/**
 * struct softacc_config - configuration of the engine of this file
 * @pages_per_group: maximum number of requests in a group
 * @outstanding: maximum number of groups without a response
 * @threads: number of engine threads
 * @retry_limit: number of Success responses for a page that is still missing after which
 *	a job fails; 0 for the default of 1000
 * @flags: SOFTACC_CONFIG_* values
 * @reserved: zero
 *
 * EBUSY: a job is queued.
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
 * The engine faults in missing pages itself, a group at a time and without page requests.
 * The time that jobs take then is that of the device and the mm alone, the lower bound
 * for any fault queue. For benchmarks.
 */
#define SOFTACC_CONFIG_FLOOR	(1 << 0)

/*
 * Let the fault queue prefault SOFTACC_PREFAULT_PAGES pages ahead. EOPNOTSUPP: the fault
 * queue does not support it.
 */
#define SOFTACC_CONFIG_PREFAULT	(1 << 1)
#define SOFTACC_PREFAULT_PAGES	64

enum softacc_op {
	SOFTACC_OP_FILL = 1,	/* write softacc_pattern() to dst */
	SOFTACC_OP_COPY,	/* copy src to dst */
	SOFTACC_OP_COMPARE,	/* compare src with dst */
	SOFTACC_OP_CHECKSUM,	/* sum softacc_mix() over src */
	SOFTACC_OP_TOUCH,	/* like FILL, but only the first 8 bytes of each page */
};

/**
 * struct softacc_job - a job
 * @op: &enum softacc_op
 * @flags: zero
 * @src: address to read, 0 if @op does not read
 * @dst: address to write or to compare with, 0 if @op has none
 * @len: length in bytes; @src, @dst and @len are multiples of 8
 * @seed: seed of the pattern
 * @tag: returned with the completion
 * @id: zero; set to the number of the job
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
 * struct softacc_completion - completion of a job
 * @id: number of the job
 * @status: 0 or a negative errno: -EFAULT: the response to a page request was not
 *	Success; -ESRCH: the process has exited; -ECANCELED: the job was cancelled, or the
 *	PASID is being detached; -ELOOP: &softacc_config.retry_limit was reached; -EILSEQ:
 *	COMPARE found a difference
 * @tag: &softacc_job.tag
 * @fault_addr: for -EFAULT and -ELOOP, the first page that was still missing
 * @fault_code: for -EFAULT, the response code (enum iommu_page_response_code)
 * @reserved: zero
 * @result: the checksum, or for -EILSEQ the offset of the first difference
 * @bytes: number of bytes processed
 * @requests: number of page requests sent
 * @groups: number of page request groups sent
 * @retries: number of groups sent again after a Success response
 * @ns: time from submission to completion, in nanoseconds
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
 * @groups: groups sent; those of the device include injected groups with a response
 * @responses: responses received, by response code
 * @spurious: responses to groups that were not waiting for one
 * @duplicate: spurious responses that were a second response to a group
 * @forgotten: groups that had no response when their PASID was drained
 * @abandoned: groups whose job ended before the response came
 * @early: spurious responses to unfinished groups, which are owed none
 * @outstanding: groups without a response now; those of the device include injected
 *	groups
 * @ring_full: number of times that the engine found no room in the ring
 * @lat_count: number of latencies, from request to response, in @lat; those of the device
 *	are of groups whose file was closed before the response came
 * @lat_sum: sum of the latencies, in nanoseconds
 * @lat_max: maximum of the latencies, in nanoseconds
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
	__u64 lat_count;
	__u64 lat_sum;
	__u64 lat_max;
	__u64 lat[SOFTACC_LAT_BUCKETS];
};

/**
 * struct softacc_inject - a page request that is sent to the IOMMU as it is
 * @flags: SOFTACC_INJECT_* values
 * @grpid: Page Request Group Index
 * @perm: IOMMU_FAULT_PERM_* values
 * @pasid: PASID with %SOFTACC_INJECT_OTHER_PASID, which needs CAP_SYS_ADMIN; otherwise 0
 * @addr: address
 * @reserved: zero
 *
 * The last request of a group makes the device wait for a response, which is read with
 * %SOFTACC_IOC_RESPONSE; poll() reports it. EAGAIN: there is no room in the ring, or
 * %SOFTACC_MAX_INJECTED groups have no response or one that was not read. Indices from
 * %SOFTACC_INJECT_GRPID on are not used by the engine. With port=vtd there are 256 of
 * these, and no others are allowed.
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
/* Send no interrupt, because more requests follow: they are reported together. */
#define SOFTACC_INJECT_MORE		(1 << 3)

#define SOFTACC_INJECT_GRPID		(1 << 16)

#define SOFTACC_MAX_INJECTED		65536

/**
 * struct softacc_response - response to an injected group
 * @pasid: PASID
 * @grpid: Page Request Group Index
 * @code: response code of the first response
 * @count: number of responses to this group; more than one is a bug of the fault queue
 * @ns: time from the request to the first response, in nanoseconds
 */
struct softacc_response {
	__u32 pasid;
	__u32 grpid;
	__u32 code;
	__u32 count;
	__u64 ns;
};

/*
 * With the module parameter handlers=N, a handler of softacc owns the groups of N PASIDs
 * from SOFTACC_HANDLER_PASID on. The address of a group's last request says what it does:
 * send a response with CODE, MS milliseconds later, as enum softacc_handling says.
 */
#define SOFTACC_HANDLER_PASID	0xf0000
#define SOFTACC_MAX_HANDLERS	8U

#define SOFTACC_HANDLE_WHAT(addr)	(((addr) >> 12) & 7)
#define SOFTACC_HANDLE_CODE(addr)	(((addr) >> 15) & 3)
#define SOFTACC_HANDLE_MS(addr)		(((addr) >> 17) & 0xfff)

enum softacc_handling {
	SOFTACC_HANDLE_NOW,	/* before the report returns */
	SOFTACC_HANDLE_LATER,
	SOFTACC_HANDLE_TWICE,	/* two responses from two threads at once */
	SOFTACC_HANDLE_NEVER,	/* free the group without a response */
	SOFTACC_HANDLE_REFUSE,	/* refuse the group; so do all other values */
};

/* The numbers of UACCE's ioctls start at 0. */
#define SOFTACC_IOC_INFO	_IOR('W', 0x40, struct softacc_info)
#define SOFTACC_IOC_CONFIG	_IOW('W', 0x41, struct softacc_config)
#define SOFTACC_IOC_SUBMIT	_IOWR('W', 0x42, struct softacc_job)
#define SOFTACC_IOC_REAP	_IOR('W', 0x43, struct softacc_completion)
#define SOFTACC_IOC_CANCEL	_IO('W', 0x44)
#define SOFTACC_IOC_STATS	_IOR('W', 0x45, struct softacc_stats)
#define SOFTACC_IOC_DEV_STATS	_IOR('W', 0x46, struct softacc_stats)
#define SOFTACC_IOC_INJECT	_IOW('W', 0x47, struct softacc_inject)
#define SOFTACC_IOC_RESPONSE	_IOR('W', 0x48, struct softacc_response)

/* Return the 8 bytes at @offset of an area filled with @seed. */
static inline __u64 softacc_pattern(__u64 seed, __u64 offset)
{
	return (seed + (offset >> 3)) * 0x9e3779b97f4a7c15ULL;
}

/* Return what the 8 bytes @word at @offset add to a checksum. */
static inline __u64 softacc_mix(__u64 word, __u64 offset)
{
	return (word ^ (word >> 29)) * ((offset >> 2) | 1);
}

/* Return the smallest latency, in nanoseconds, that is counted in @bucket. */
static inline __u64 softacc_lat_floor(unsigned int bucket)
{
	return bucket < 4 ? bucket :
			    (4ULL + (bucket & 3)) << ((bucket >> 2) - 1);
}

#endif /* _SOFTACC_H */
