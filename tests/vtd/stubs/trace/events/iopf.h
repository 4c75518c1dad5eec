/* SPDX-License-Identifier: GPL-2.0 */
/*
 * User-space build of VT-d's page request queue: trace events, without effect
 */
#ifndef STUBS_TRACE_EVENTS_IOPF_H
#define STUBS_TRACE_EVENTS_IOPF_H

#include <linux/types.h>

static inline void trace_iopf_overflow(const char *name, u64 count)
{
}

#endif /* STUBS_TRACE_EVENTS_IOPF_H */
