/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disturbances of softacc's driver and of the library by module parameters, for the
 * random tests
 */
#ifndef PROVOKE_H
#define PROVOKE_H

#include "kernel.h"
#include "rng.h"
#include "softacc.h"

#define PROVOKE		"/sys/module/softacc/parameters/provoke"
#define PRQ_TIMEOUT	"/sys/module/iopf/parameters/prq_timeout"

/*
 * Set the library's timeout, or the one of softacc's queues to a second at most. Return
 * true if it was the library's.
 */
static inline bool provoke_timeout(struct rng *rng)
{
	static const int seconds[] = { 1, 1, 2, 3, 0 };

	if (rng_percent(rng, 50)) {
		write_file(PRQ_TIMEOUT, "%d", seconds[rng_below(rng, 5)]);
		return true;
	}
	write_file(PROVOKE, "timeout=%u", (unsigned int)rng_range(rng, 1, 1000));
	return false;
}

/* Set low limits. */
static inline void provoke_limits(struct rng *rng)
{
	write_file(PROVOKE, "limits=%u", (unsigned int)rng_below(rng, 64));
}

/*
 * Return an address that tells softacc's handler what to do, see softacc.h: one in ten
 * has a delay below @max_delay ms, the others one below 20 ms.
 */
static inline uint64_t provoke_address(struct rng *rng, unsigned int max_delay)
{
	return rng_below(rng, SOFTACC_HANDLE_REFUSE + 1) << 12 |
	       rng_below(rng, 3) << 15 |
	       (rng_percent(rng, 10) ? rng_below(rng, max_delay) :
				       rng_below(rng, 20)) << 17;
}

#endif /* PROVOKE_H */
