// SPDX-License-Identifier: GPL-2.0
/*
 * Operations for the reference model, see ops.h
 */
#include <linux/iommu.h>
#include <linux/kernel.h>
#include <linux/siphash.h>
#include <linux/string.h>

#include "model.h"
#include "ops.h"

static const char * const names[OP_NR_KINDS] = {
	[OP_REPORT] = "OP_REPORT",
	[OP_FLOOD] = "OP_FLOOD",
	[OP_MOOD] = "OP_MOOD",
	[OP_MOOD_PARTIAL] = "OP_MOOD_PARTIAL",
	[OP_MOOD_DOMAIN] = "OP_MOOD_DOMAIN",
	[OP_RESPOND_PAIR] = "OP_RESPOND_PAIR",
	[OP_RESPOND_COOKIE] = "OP_RESPOND_COOKIE",
	[OP_PENDING] = "OP_PENDING",
	[OP_QUEUE] = "OP_QUEUE",
	[OP_GROUP_RESPONSE] = "OP_GROUP_RESPONSE",
	[OP_FREE_GROUP] = "OP_FREE_GROUP",
	[OP_FLUSH_PASID] = "OP_FLUSH_PASID",
	[OP_FLUSH_DEV] = "OP_FLUSH_DEV",
	[OP_DISCARD] = "OP_DISCARD",
	[OP_RESET] = "OP_RESET",
	[OP_REMOVE] = "OP_REMOVE",
	[OP_ADD] = "OP_ADD",
	[OP_REGISTER] = "OP_REGISTER",
	[OP_UNREGISTER] = "OP_UNREGISTER",
	[OP_LIMITS] = "OP_LIMITS",
	[OP_TIMEOUT] = "OP_TIMEOUT",
	[OP_EXPIRE] = "OP_EXPIRE",
	[OP_FAIL] = "OP_FAIL",
	[OP_HOLD] = "OP_HOLD",
	[OP_RELEASE] = "OP_RELEASE",
	[OP_UNBIND] = "OP_UNBIND",
	[OP_BIND] = "OP_BIND",
	[OP_UNRECOVERABLE] = "OP_UNRECOVERABLE",
};

/*
 * How often an operation is picked, of 10,000 times; reports have the rest. Operations
 * that sleep are rare: OP_EXPIRE waits for some ticks, OP_FLUSH_DEV for a tenth of a
 * second if a fault sleeps.
 */
static const u16 weights[OP_NR_KINDS] = {
	[OP_FLOOD] = 60,
	[OP_MOOD] = 160,
	[OP_MOOD_PARTIAL] = 100,
	[OP_MOOD_DOMAIN] = 200,
	[OP_RESPOND_PAIR] = 400,
	[OP_RESPOND_COOKIE] = 300,
	[OP_PENDING] = 60,
	[OP_QUEUE] = 150,
	[OP_GROUP_RESPONSE] = 500,
	[OP_FREE_GROUP] = 500,
	[OP_FLUSH_PASID] = 120,
	[OP_FLUSH_DEV] = 20,
	[OP_DISCARD] = 60,
	[OP_RESET] = 30,
	[OP_REMOVE] = 25,
	[OP_ADD] = 60,
	[OP_REGISTER] = 50,
	[OP_UNREGISTER] = 70,
	[OP_LIMITS] = 80,
	[OP_TIMEOUT] = 20,
	[OP_EXPIRE] = 8,
	[OP_FAIL] = 100,
	[OP_HOLD] = 12,
	[OP_RELEASE] = 16,
	[OP_UNBIND] = 12,
	[OP_BIND] = 40,
	[OP_UNRECOVERABLE] = 20,
};

/* Return true in @percent of a hundred calls. */
static bool chance(struct rnd_state *rnd, unsigned int percent)
{
	return prandom_u32_state(rnd) % 100 < percent;
}

/* Return a number below @nr. */
static u8 pick(struct rnd_state *rnd, unsigned int nr)
{
	return prandom_u32_state(rnd) % nr;
}

/* Make a random report. Two thirds of them are what well-behaved devices send. */
void op_random_report(struct rnd_state *rnd, struct op *op)
{
	*op = (struct op){
		.kind = OP_REPORT,
		.index = pick(rnd, OP_NR_INDICES),
		.pasid = chance(rnd, 60) ? pick(rnd, OP_PASID_UNBOUND) :
					   pick(rnd, OP_NR_PASIDS),
		.flags = chance(rnd, 45) ? OP_LAST : 0,
		.perm = chance(rnd, 70) ? IOMMU_FAULT_PERM_READ |
					  pick(rnd, 2) * IOMMU_FAULT_PERM_WRITE :
					  pick(rnd, 16),
		.addr = chance(rnd, 60) ? OP_ADDR_WRITABLE :
					  pick(rnd, OP_NR_ADDRS),
		.number = pick(rnd, 8),
	};
	if (chance(rnd, 10))
		op->flags |= OP_PRIVATE;
	if (chance(rnd, 5))
		op->flags |= OP_STREAM;
	if (chance(rnd, 4))
		op->flags |= OP_REFUSED;
	if (chance(rnd, 30))
		op->flags |= OP_MORE;
	if (chance(rnd, 2))
		op->flags |= OP_REFUSE;
	if (chance(rnd, 1))
		op->flags |= OP_OTHER_TYPE;
	/* Plain writes are what drivers report most. */
	if (chance(rnd, 30))
		op->perm = IOMMU_FAULT_PERM_WRITE;
}

static enum op_kind pick_kind(struct rnd_state *rnd)
{
	unsigned int number = prandom_u32_state(rnd) % 10000;
	unsigned int kind;

	for (kind = 0; kind < OP_NR_KINDS; kind++) {
		if (number < weights[kind])
			return kind;
		number -= weights[kind];
	}
	return OP_REPORT;
}

static void op_random(struct rnd_state *rnd, struct op *op)
{
	enum op_kind kind = pick_kind(rnd);

	if (kind == OP_REPORT) {
		op_random_report(rnd, op);
		return;
	}
	*op = (struct op){
		.kind = kind,
		.pasid = pick(rnd, OP_NR_PASIDS),
		.index = kind == OP_RESPOND_PAIR || kind == OP_FLOOD ?
			 pick(rnd, OP_NR_INDICES) : pick(rnd, 64),
		.perm = pick(rnd, MODEL_NR_MOODS),
		.number = pick(rnd, 64),
	};
	/* Response codes; code 3 is invalid. */
	if (kind == OP_RESPOND_PAIR || kind == OP_RESPOND_COOKIE ||
	    kind == OP_GROUP_RESPONSE)
		op->perm = pick(rnd, kind == OP_GROUP_RESPONSE ? 3 : 4);
	if (kind == OP_FAIL)
		op->number = 1 + pick(rnd, 5);
}

/*
 * Seed the @number-th generator of @seed. prandom_seed_state() ignores low bits, so seeds
 * that follow each other would make the same operations.
 */
void ops_seed(struct rnd_state *rnd, u64 seed, u64 number)
{
	static const siphash_key_t key;

	prandom_seed_state(rnd, siphash_2u64(seed, number, &key));
}

/* Make @nr random operations. */
void ops_random(struct rnd_state *rnd, struct op *ops, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		op_random(rnd, &ops[i]);
}

const char *op_name(const struct op *op)
{
	return names[op->kind];
}

/* Print an operation as an initializer of struct op. */
int op_print(char *buf, size_t size, const struct op *op)
{
	return scnprintf(buf, size, "{ %s, %u, %u, %#x, %u, %u, %u },",
			 names[op->kind], op->pasid, op->index, op->flags,
			 op->perm, op->addr, op->number);
}
