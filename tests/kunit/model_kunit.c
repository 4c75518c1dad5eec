// SPDX-License-Identifier: GPL-2.0
/*
 * The report API against a reference model: random sequences of operations
 *
 * The seed is printed, and can be set on the kernel's command line by iopf_model.seed=,
 * the number of operations by iopf_model.operations=. The same seed makes the same
 * operations. A sequence that fails is shrunk, and printed as a table for
 * model_regressions.c.
 */
#include <linux/moduleparam.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/slab.h>

#include "model_run.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "iopf_model."

/* Operations of a sequence. */
#define LENGTH		400
/* Debugging options make a kernel slow. */
#define SLOW_KERNEL	(IS_ENABLED(CONFIG_KASAN) || IS_ENABLED(CONFIG_KCSAN) || \
			 IS_ENABLED(CONFIG_PROVE_LOCKING))
#define DEFAULT_OPERATIONS	(SLOW_KERNEL ? 8000 : 200000)
/* Print the progress from time to time, as a crash prints nothing at the end. */
#define REPORT_EVERY	20000

static unsigned long seed = 1;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "Seed of the first random sequence of operations (default 1)");

static unsigned int operations = DEFAULT_OPERATIONS;
module_param(operations, uint, 0444);
MODULE_PARM_DESC(operations, "Operations of all random sequences");

static unsigned int failures = 1;
module_param(failures, uint, 0444);
MODULE_PARM_DESC(failures, "Number of sequences that have to fail before the test stops (default 1)");

/* Operations of sequences that have ended, and the running sequence or NULL. */
static unsigned long done;
static const struct run *running;

static int print_position(struct notifier_block *block, unsigned long action,
			  void *data)
{
	pr_emerg("iopf_model: crash after %lu operations\n",
		 done + (running ? running->done : 0));
	return NOTIFY_DONE;
}

static struct notifier_block crash_notifier = { .notifier_call = print_position };

static void print_sequence(struct kunit *test, const struct op *ops,
			   unsigned int nr)
{
	char line[80];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		op_print(line, sizeof(line), &ops[i]);
		kunit_err(test, "\t%s\n", line);
	}
}

/* Print why a sequence has failed, and the shortest form that is found. */
static void fail_sequence(struct kunit *test, struct op *ops, struct run *run,
			  unsigned long number)
{
	unsigned int nr = min(run->done, run->nr);

	kunit_err(test, "seed %lu, sequence %lu, the last one is %s\n", seed,
		  number, nr ? op_name(&ops[nr - 1]) : "none");
	nr = model_shrink(test, ops, nr, run);
	kunit_err(test, "shrunk to %u operations, at_once %d: %s\n", nr,
		  run->at_once, run->wrong);
	print_sequence(test, ops, nr);
	KUNIT_FAIL(test, "sequence %lu of seed %lu: %s", number, seed,
		   run->wrong);
}

static bool run_random(struct kunit *test, struct op *ops, unsigned long number)
{
	struct run run = {
		.ops = ops,
		.nr = LENGTH,
		.at_once = number & 1,
		.first = true,
		.before = done,
	};
	struct rnd_state rnd;
	bool good;

	ops_seed(&rnd, seed, number);
	ops_random(&rnd, ops, LENGTH);
	running = &run;
	good = model_run(test, &run);
	running = NULL;
	done += run.done;
	if (!good)
		fail_sequence(test, ops, &run, number);
	return good;
}

static void random_sequences(struct kunit *test)
{
	unsigned long next = REPORT_EVERY;
	unsigned long number = 0;
	unsigned int failed = 0;
	struct op *ops;

	kunit_info(test, "seed %lu, %u operations\n", seed, operations);
	ops = kunit_kcalloc(test, LENGTH, sizeof(*ops), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ops);
	for (done = 0; done < operations; number++) {
		if (!run_random(test, ops, number) && ++failed >= failures)
			return;
		if (done >= next) {
			kunit_info(test, "%lu operations\n", done);
			next += REPORT_EVERY;
		}
	}
	kunit_info(test, "%lu operations done\n", done);
}

static void regressions(struct kunit *test)
{
	unsigned int i;

	/*
	 * With a driver that sends one response at a time, and one that takes batches.
	 */
	for (i = 0; i < 2 * nr_model_regressions; i++) {
		const struct sequence *sequence = &model_regressions[i / 2];
		struct run run = {
			.ops = sequence->ops,
			.nr = sequence->nr,
			.at_once = i & 1,
		};

		if (!model_run(test, &run))
			KUNIT_FAIL(test, "%s, operation %u: %s", sequence->name,
				   run.done, run.wrong);
	}
}

static struct kunit_case iopf_model_cases[] = {
	KUNIT_CASE(regressions),
	KUNIT_CASE_SLOW(random_sequences),
	{ }
};

static int iopf_model_init(struct kunit_suite *suite)
{
	return atomic_notifier_chain_register(&panic_notifier_list,
					      &crash_notifier);
}

static void iopf_model_exit(struct kunit_suite *suite)
{
	atomic_notifier_chain_unregister(&panic_notifier_list,
					 &crash_notifier);
}

static struct kunit_suite iopf_model_suite = {
	.name = "iopf_model",
	.suite_init = iopf_model_init,
	.suite_exit = iopf_model_exit,
	.test_cases = iopf_model_cases,
};

kunit_test_suite(iopf_model_suite);
