/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Operations for the reference model: random ones, and how they are printed
 *
 * An operation is a few small numbers, and each of them means something in each state, so
 * that a sequence that has lost some of its operations is a sequence still.
 */
#ifndef __IOPF_TESTS_OPS_H
#define __IOPF_TESTS_OPS_H

#include <linux/bits.h>
#include <linux/prandom.h>
#include <linux/types.h>

/**
 * enum op_kind - what is done
 * @OP_REPORT: report a request; with %OP_MORE together with the next one
 * @OP_FLOOD: report many requests of one group at once
 * @OP_MOOD: how the registered handler goes on
 * @OP_MOOD_PARTIAL: the same for requests that are owed no response
 * @OP_MOOD_DOMAIN: how the domain's handler goes on
 * @OP_RESPOND_PAIR: the registered handler responds by PASID and index
 * @OP_RESPOND_COOKIE: the same, to something that it has kept, by cookie
 * @OP_PENDING: it asks whether what it has kept is pending
 * @OP_QUEUE: it gives what it has kept to the queue
 * @OP_GROUP_RESPONSE: the domain's handler responds
 * @OP_FREE_GROUP: and frees a group
 * @OP_FLUSH_PASID: flush a PASID
 * @OP_FLUSH_DEV: flush the device
 * @OP_DISCARD: the hardware queue has overflowed
 * @OP_RESET: the device was reset
 * @OP_REMOVE: take the device off its queue
 * @OP_ADD: put it on its queue
 * @OP_REGISTER: register a handler
 * @OP_UNREGISTER: unregister it
 * @OP_LIMITS: set limits
 * @OP_TIMEOUT: set timeouts that are not reached
 * @OP_EXPIRE: let groups reach their timeout
 * @OP_FAIL: let the nth allocation of the next report fail
 * @OP_HOLD: let faults for slow pages sleep from now on
 * @OP_RELEASE: wake them
 * @OP_UNBIND: unbind a PASID from the mm, as a driver does that can flush a device only
 * @OP_BIND: bind it
 * @OP_UNRECOVERABLE: report an unrecoverable fault
 * @OP_NR_KINDS: how many there are
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

/* PASIDs, by what there is behind them. */
enum op_pasid {
	OP_PASID_SVA,		/* the mm */
	OP_PASID_SVA2,		/* the mm, as long as it is bound */
	OP_PASID_DOMAIN,	/* a domain with a handler */
	OP_PASID_UNBOUND,	/* nothing */
	OP_PASID_NONE,		/* no PASID came with the request */
	OP_PASID_GARBAGE,	/* the same, but the field is not 0 */
	OP_PASID_ZERO,		/* PASID 0 */
	OP_PASID_WIDE,		/* more than the device can have */
	OP_NR_PASIDS,
};

/* Addresses, by what there is. */
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
#define OP_MORE		BIT(4)	/* comes together with the next one */
#define OP_REFUSE	BIT(5)	/* by iopf_refuse_request() */
#define OP_OTHER_TYPE	BIT(6)	/* no page request */

/* Indices; the last one is wider than what some limits allow. */
#define OP_NR_INDICES	4

/**
 * struct op - an operation
 * @kind: &enum op_kind
 * @pasid: &enum op_pasid
 * @index: the page request group index, or which of several things is meant
 * @flags: OP_LAST and so on
 * @perm: IOMMU_FAULT_PERM_* values, or a response code, or a mood
 * @addr: &enum op_addr
 * @number: how many
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

void ops_random(struct rnd_state *rnd, struct op *ops, unsigned int nr);
void op_random_report(struct rnd_state *rnd, struct op *op);
int op_print(char *buf, size_t size, const struct op *op);
const char *op_name(const struct op *op);

#endif /* __IOPF_TESTS_OPS_H */
