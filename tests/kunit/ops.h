/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Operations for the reference model: random ones, and how they are printed
 *
 * An operation is a few small numbers. Each operation is valid in each state, so a
 * sequence of which some operations were removed is still a sequence.
 */
#ifndef __IOPF_TESTS_OPS_H
#define __IOPF_TESTS_OPS_H

#include <linux/bits.h>
#include <linux/prandom.h>
#include <linux/types.h>

/**
 * enum op_kind - kinds of operations
 * @OP_REPORT: report a request; with %OP_MORE together with the next one
 * @OP_FLOOD: report many requests of one group together
 * @OP_MOOD: set what the registered handler does
 * @OP_MOOD_PARTIAL: set what it does with requests that are owed no response
 * @OP_MOOD_DOMAIN: set what the domain's handler does
 * @OP_RESPOND_PAIR: the registered handler responds by PASID and index
 * @OP_RESPOND_COOKIE: it responds to a request that it has kept, by cookie
 * @OP_PENDING: it asks whether a request that it has kept is pending
 * @OP_QUEUE: it gives a request that it has kept to iommu_queue_iopf()
 * @OP_GROUP_RESPONSE: the domain's handler responds to a group
 * @OP_FREE_GROUP: the domain's handler frees a group
 * @OP_FLUSH_PASID: flush a PASID
 * @OP_FLUSH_DEV: flush the device
 * @OP_DISCARD: discard partial requests, as after an overflow
 * @OP_RESET: reset the device
 * @OP_REMOVE: remove the device from its queue
 * @OP_ADD: add the device to its queue
 * @OP_REGISTER: register a handler
 * @OP_UNREGISTER: unregister the handler
 * @OP_LIMITS: set limits
 * @OP_TIMEOUT: set timeouts that are not reached
 * @OP_EXPIRE: let groups reach their timeout
 * @OP_FAIL: let an allocation of the next report fail
 * @OP_HOLD: let faults for slow pages sleep
 * @OP_RELEASE: wake these faults
 * @OP_UNBIND: unbind a PASID from the mm, as a driver does that flushes the whole
 *	device
 * @OP_BIND: bind that PASID
 * @OP_UNRECOVERABLE: report an unrecoverable fault
 * @OP_NR_KINDS: number of kinds
 */
enum op_kind {
	OP_REPORT,
	OP_FLOOD,
	OP_MOOD,
	OP_MOOD_PARTIAL,
	OP_MOOD_DOMAIN,
	OP_RESPOND_PAIR,
	OP_RESPOND_COOKIE,
	OP_PENDING,
	OP_QUEUE,
	OP_GROUP_RESPONSE,
	OP_FREE_GROUP,
	OP_FLUSH_PASID,
	OP_FLUSH_DEV,
	OP_DISCARD,
	OP_RESET,
	OP_REMOVE,
	OP_ADD,
	OP_REGISTER,
	OP_UNREGISTER,
	OP_LIMITS,
	OP_TIMEOUT,
	OP_EXPIRE,
	OP_FAIL,
	OP_HOLD,
	OP_RELEASE,
	OP_UNBIND,
	OP_BIND,
	OP_UNRECOVERABLE,
	OP_NR_KINDS,
};

/* PASIDs, by what is attached to them. */
enum op_pasid {
	OP_PASID_SVA,		/* the mm */
	OP_PASID_SVA2,		/* the mm, while it is bound */
	OP_PASID_DOMAIN,	/* a domain with a handler */
	OP_PASID_UNBOUND,	/* nothing */
	OP_PASID_NONE,		/* no PASID came with the request */
	OP_PASID_GARBAGE,	/* the same, but the PASID field is not 0 */
	OP_PASID_ZERO,		/* PASID 0 */
	OP_PASID_WIDE,		/* more than the device can have */
	OP_NR_PASIDS,
};

/* Addresses, by what is mapped there. */
enum op_addr {
	OP_ADDR_WRITABLE,
	OP_ADDR_UNALIGNED,	/* writable */
	OP_ADDR_READABLE,
	OP_ADDR_WRITE_ONLY,
	OP_ADDR_EXECUTABLE,	/* and readable */
	OP_ADDR_NONE,		/* mapped, without a permission */
	OP_ADDR_HOLE,		/* not mapped */
	OP_ADDR_BEYOND,		/* beyond task_size */
	OP_ADDR_SLOW,		/* writable; faults sleep while it is held */
	OP_NR_ADDRS,
};

/* Flags of requests. */
#define OP_LAST		BIT(0)
#define OP_PRIVATE	BIT(1)
#define OP_STREAM	BIT(2)
#define OP_REFUSED	BIT(3)
#define OP_MORE		BIT(4)	/* reported together with the next one */
#define OP_REFUSE	BIT(5)	/* by iopf_refuse_request() */
#define OP_OTHER_TYPE	BIT(6)	/* no page request */

/* Page request group indices. The last one is wider than some limits allow. */
#define OP_NR_INDICES	4

/**
 * struct op - an operation
 * @kind: &enum op_kind
 * @pasid: &enum op_pasid
 * @index: the page request group index, or selects one of several things
 * @flags: OP_LAST and so on
 * @perm: IOMMU_FAULT_PERM_* values, a response code, or &enum model_mood
 * @addr: &enum op_addr
 * @number: a number whose meaning depends on @kind
 */
struct op {
	u8 kind;
	u8 pasid;
	u8 index;
	u8 flags;
	u8 perm;
	u8 addr;
	u8 number;
};

void ops_seed(struct rnd_state *rnd, u64 seed, u64 number);
void ops_random(struct rnd_state *rnd, struct op *ops, unsigned int nr);
void op_random_report(struct rnd_state *rnd, struct op *op);
int op_print(char *buf, size_t size, const struct op *op);
const char *op_name(const struct op *op);

#endif /* __IOPF_TESTS_OPS_H */
