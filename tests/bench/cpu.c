// SPDX-License-Identifier: GPL-2.0
/*
 * Benchmark: the same memory touched by the CPU, for comparison
 */
#include <pthread.h>
#include <sys/mman.h>

#include "bench.h"

static char *cpu_map(void)
{
	char *area = mmap(NULL, bench_area, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		bench_die("mmap");
	return area;
}

struct cpu_part {
	char *area;
	size_t size;
};

static void *cpu_touch(void *arg)
{
	struct cpu_part *part = arg;
	size_t i;

	for (i = 0; i < part->size; i += 4096)
		__atomic_store_n(&part->area[i], 1, __ATOMIC_RELAXED);
	return NULL;
}

static void cpu_print(const char *scenario, uint64_t ns)
{
	bench_result(scenario, "pages_per_s",
		     bench_area / 4096 * bench_rounds * 1e9 / ns);
}

/* Touch the area by ordinary stores of @threads threads, four at most. */
void bench_store(const char *scenario, unsigned int threads)
{
	struct cpu_part parts[4];
	pthread_t ids[4];
	uint64_t start;
	uint64_t ns = 0;
	unsigned int round;
	unsigned int i;
	char *area;

	for (round = 0; round < bench_rounds; round++) {
		area = cpu_map();
		start = bench_ns();
		for (i = 0; i < threads; i++) {
			parts[i].size = bench_area / threads;
			parts[i].area = area + i * parts[i].size;
			if (i && pthread_create(&ids[i], NULL, cpu_touch,
						&parts[i]))
				bench_die("pthread_create");
		}
		cpu_touch(&parts[0]);
		for (i = 1; i < threads; i++)
			pthread_join(ids[i], NULL);
		ns += bench_ns() - start;
		munmap(area, bench_area);
	}
	cpu_print(scenario, ns);
}

void bench_populate(const char *scenario)
{
	uint64_t start;
	uint64_t ns = 0;
	unsigned int round;
	char *area;

	for (round = 0; round < bench_rounds; round++) {
		area = cpu_map();
		start = bench_ns();
		if (madvise(area, bench_area, MADV_POPULATE_WRITE))
			bench_die("MADV_POPULATE_WRITE");
		ns += bench_ns() - start;
		munmap(area, bench_area);
	}
	cpu_print(scenario, ns);
}
