/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: the smaller and the larger one
 */
#ifndef STUBS_LINUX_MINMAX_H
#define STUBS_LINUX_MINMAX_H

#define min_t(type, a, b) \
	({ type min_a = (a), min_b = (b); min_a < min_b ? min_a : min_b; })
#define min(a, b) \
	({ typeof(a) min_a = (a); typeof(b) min_b = (b); \
	   min_a < min_b ? min_a : min_b; })
#define max(a, b) \
	({ typeof(a) max_a = (a); typeof(b) max_b = (b); \
	   max_a > max_b ? max_a : max_b; })

#endif /* STUBS_LINUX_MINMAX_H */
