/* SPDX-License-Identifier: GPL-2.0 */
/*
 * CPU affinity for programs in the guest
 */
#ifndef CPUS_H
#define CPUS_H

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

/* Let thread @pid, or the caller if @pid is 0, run on @cpu only. */
static inline bool pin(pid_t pid, int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	return !sched_setaffinity(pid, sizeof(cpus), &cpus);
}

#endif /* CPUS_H */
