// SPDX-License-Identifier: GPL-2.0
/*
 * Shrinking of a failing sequence of operations
 *
 * Parts of it are left out, first halves, then halves of these and so on. If the
 * sequence still fails, the part stays out. Each attempt is on a new device.
 */
#include <linux/jiffies.h>
#include <linux/string.h>

#include "fake.h"
#include "model_run.h"

/* How long to try. A shorter sequence is not worth more time. */
#define SHRINK_TIME	(20 * HZ)

/*
 * Remove @count operations from @first on if the sequence fails without them. Return
 * true if so.
 */
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
	/* Operations after the one that fails are not needed. */
	*nr = min(attempt.nr, attempt.done);
	memcpy(ops, tmp, *nr * sizeof(*ops));
	strscpy(run->wrong, attempt.wrong, sizeof(run->wrong));
	return true;
}

/*
 * Shrink @ops, of length @nr, which fail with run->wrong. Return the new length.
 * run->wrong is what the shrunk sequence fails with.
 */
unsigned int model_shrink(struct kunit *test, struct op *ops, unsigned int nr,
			  struct run *run)
{
	unsigned long end = jiffies + SHRINK_TIME;
	struct op *tmp = fake_kvcalloc(test, nr, sizeof(*ops));
	unsigned int count = max(nr / 2, 1U);

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
	return nr;
}
