// SPDX-License-Identifier: GPL-2.0
/*
 * The torture test: the module, and objects of the library's slab caches
 */
#include <stdio.h>

#include "stress.h"

#define NR_SLABS	2

const char *module_path;

static const char *const slabs[NR_SLABS] = { "iopf_prg", "iopf_chunk" };
static long before[NR_SLABS];

bool load_module(const char *parameters)
{
	return kernel_load_module(module_path, parameters);
}

bool unload_module(void)
{
	return kernel_unload_module("softacc");
}

void note_slabs(void)
{
	int i;

	for (i = 0; i < NR_SLABS; i++) {
		before[i] = slab_objects(slabs[i]);
		if (before[i] < 0)
			printf("# objects of %s are not counted by this kernel\n",
			       slabs[i]);
	}
}

/* A queue and its reserve are freed in the background. */
void check_slabs(void)
{
	int i;

	for (i = 0; i < NR_SLABS; i++) {
		if (!pace_wait(10000, slab_objects(slabs[i]) <= before[i]))
			fail(CHECK_MEMORY, "%ld objects of %s are left over",
			     slab_objects(slabs[i]) - before[i], slabs[i]);
	}
}
