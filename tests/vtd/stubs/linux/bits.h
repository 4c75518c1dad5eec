/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: bits and masks
 */
#ifndef STUBS_LINUX_BITS_H
#define STUBS_LINUX_BITS_H

#define BIT(nr)			(1UL << (nr))
#define BIT_ULL(nr)		(1ULL << (nr))
#define GENMASK_ULL(high, low)	((~0ULL >> (63 - (high))) & (~0ULL << (low)))

#endif /* STUBS_LINUX_BITS_H */
