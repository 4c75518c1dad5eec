// SPDX-License-Identifier: GPL-2.0
/*
 * Shrink a sequence of operations that fails to one that still does
 *
 * Parts of it are left out, first halves, then halves of these and so on. What still fails
 * goes on without them. Each attempt is on a new device.
 */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "model_run.h"

/* The result is a help, and not worth more time. */
#define SHRINK_TIME	(20 * HZ)

/* Does it fail without @count operations from @first on? Then they are gone. */
static bool try_without(struct kunit *test, struct op *ops, struct op *tmp,
			unsigned int *nr, unsigned int first,
			unsigned int count, struct run *run)
{
	struct run attempt = {
		.ops = tmp,
		.nr = *nr - count,
		.at_once = run->at_once,
	};

	memcpy(tmp, ops, first * sizeof(*ops));
	memcpy(tmp + first, ops + first + count,
	       (*nr - first - count) * sizeof(*ops));
	if (model_run(test, &attempt))
		return false;
	/* What comes after the operation that fails is not needed either. */
	*nr = min(attempt.nr, attempt.done);
	memcpy(ops, tmp, *nr * sizeof(*ops));
	strscpy(run->wrong, attempt.wrong, sizeof(run->wrong));
	return true;
}

/*
 * @ops, of length @nr, fail with what @run says, which is then what the result fails with.
 * Returns the length of what is left.
 */
unsigned int model_shrink(struct kunit *test, struct op *ops, unsigned int nr,
			  struct run *run)
{
	unsigned long end = jiffies + SHRINK_TIME;
	struct op *tmp = kvcalloc(nr, sizeof(*ops), GFP_KERNEL);
	unsigned int count = max(nr / 2, 1U);

	KUNIT_ASSERT_NOT_NULL(test, tmp);
	for (;;) {
		bool shorter = false;
		unsigned int first = 0;

		while (first + count <= nr && time_before(jiffies, end)) {
			if (try_without(test, ops, tmp, &nr, first, count, run))
				shorter = true;
			else
				first += count;
		}
		if (time_after_eq(jiffies, end) || (count == 1 && !shorter))
			break;
		if (!shorter || count > nr / 2)
			count = max(count / 2, 1U);
	}
	kvfree(tmp);
	return nr;
}
