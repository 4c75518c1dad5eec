/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sequences of operations, on the library and on its reference model
 */
#ifndef __IOPF_TESTS_MODEL_RUN_H
#define __IOPF_TESTS_MODEL_RUN_H

#include <kunit/test.h>

#include "ops.h"

/**
 * struct run - a sequence of operations and its result
 * @ops: the operations
 * @nr: length of @ops
 * @at_once: the queue's driver sends several responses at a time
 * @first: print what is wrong at once; not set for attempts to shrink the sequence
 * @before: operations of earlier sequences
 * @done: operations that were done when something was wrong
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
 * struct sequence - a sequence that is run each time
 * @name: name of what it tests
 * @ops: the operations
 * @nr: length of @ops
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
