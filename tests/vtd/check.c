// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: what is checked
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

const char *const check_names[NR_CHECKS] = {
	[CHECK_DECODE] = "decode: requests are what the tables of the revision say",
	[CHECK_ENCODE] = "encode: responses are what the tables of the revision say",
	[CHECK_REPORTED] = "reported: what was posted, once, in each requester's order",
	[CHECK_RING] = "ring: only slots between head and tail are read, after the tail",
	[CHECK_HEAD] = "head: it goes forward, and never passes what was read",
	[CHECK_OVERFLOW] = "overflow: PRO is cleared on an empty ring, after discarding",
	[CHECK_OWED] = "owed: each response is one that is owed, with its code",
	[CHECK_SUBMISSION] = "submission: no more at once than may be, refused ones alone",
	[CHECK_GROUP] = "group: it has no request from an earlier use of its index",
	[CHECK_WAITED] = "waited: all that was there before is reported, no more is waited for",
	[CHECK_DRAINED] = "drained: nothing of the PASID is left, nor on its way",
	[CHECK_BLAMED] = "blamed: a device that is disabled has filled the ring",
	[CHECK_RESET] = "reset: what was asked before is forgotten, once",
	[CHECK_ENDS] = "ends: what was begun ends, whatever devices do",
	[CHECK_CONTEXT] = "context: locks, and calls that may sleep or need devices",
	[CHECK_COUNTERS] = "counters: what is refused, unsent and overflows is counted",
	[CHECK_QUIET] = "quiet: all is reported, with all responses sent, when nothing happens",
};

u64 check_counts[NR_CHECKS];
bool check_ignored[NR_CHECKS];
bool verbose;
void (*on_finding)(void);

void note(const char *fmt, ...)
{
	va_list args;

	if (!verbose)
		return;
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

void finding(enum check check, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "FINDING %s\n\t", check_names[check]);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n\tring: %u slots, head %u, tail %u, PRS %x; posted %u, reported %u\n",
		hw.size, hw.head, hw.tail, hw.status, hw.nr_posts, hw.nr_reported);
	/* libFuzzer needs a crash. */
	if (!on_finding)
		abort();
	on_finding();
	exit(EXIT_FAILURE);
}

void stub_print(const char *fmt, ...)
{
	va_list args;

	if (!verbose)
		return;
	fputs("\tdriver: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
}
