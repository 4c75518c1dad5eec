/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sequences of operations, on the library and on its reference model
 */
#ifndef __IOPF_TESTS_MODEL_RUN_H
#define __IOPF_TESTS_MODEL_RUN_H

#include <kunit/test.h>

#include "ops.h"

/**
 * struct run - a sequence of operations and what has come of it
 * @ops: the operations
 * @nr: how many
 * @at_once: the queue's driver sends several responses at once
 * @first: not an attempt to shrink it: say at once what is wrong
 * @before: operations that were done before
 * @done: operations that were done until something was wrong
 * @wrong: what was wrong, or ""
 */
struct run {
	const struct op *ops;
	unsigned int nr;
	bool at_once;
	bool first;
	unsigned long before;
	unsigned int done;
	char wrong[192];
};

/**
 * struct sequence - a sequence that is always run
 * @name: what it is about
 * @ops: the operations
 * @nr: how many
 */
struct sequence {
	const char *name;
	const struct op *ops;
	unsigned int nr;
};

extern const struct sequence model_regressions[];
extern const unsigned int nr_model_regressions;

bool model_run(struct kunit *test, struct run *run);
unsigned int model_shrink(struct kunit *test, struct op *ops, unsigned int nr,
			  struct run *run);

#endif /* __IOPF_TESTS_MODEL_RUN_H */
