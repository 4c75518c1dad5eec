/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: fields of a descriptor
 */
#ifndef STUBS_LINUX_BITFIELD_H
#define STUBS_LINUX_BITFIELD_H

#include <linux/bits.h>

#define FIELD_GET(mask, word)	(((word) & (mask)) >> __builtin_ctzll(mask))
#define FIELD_PREP(mask, value) \
	(((u64)(value) << __builtin_ctzll(mask)) & (mask))

#endif /* STUBS_LINUX_BITFIELD_H */
