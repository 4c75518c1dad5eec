// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU plugin that counts how often cache lines change hands between CPUs
 *
 * The caches have no limit, and there is one level: a CPU has a line from its first access
 * until another one writes to it. An access counts if it needs a line, or the right to write
 * to it, that another CPU has. Only accesses of the kernel are followed.
 *
 *	-plugin lines.so,entry=ADDRESS,skip=N,count=N,out=FILE
 *
 * Counts from the Nth execution of the instruction at ADDRESS on, COUNT executions long. Then
 * FILE has their number, and the accesses that count, by the address of their instruction.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

int qemu_plugin_version = 7;

#define KERNEL_START	0xffff800000000000ULL
#define LINE_BITS	6
/* Lines are followed this many executions before they are counted. */
#define WARM_UP		100
#define TABLE_BITS	22

/**
 * struct entry - an entry of a hash table with open addressing
 * @key: number of a line or address of an instruction; 0: free
 * @value: the CPUs that have the line, as bits, or what is counted for the instruction
 */
struct entry {
	uint64_t key;
	uint64_t value;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *lines;
static struct entry *counts;
static uint64_t entry;
static unsigned long skip;
static unsigned long count;
static unsigned long executions;
static FILE *out;

static void die(const char *what)
{
	fprintf(stderr, "lines: %s\n", what);
	exit(1);
}

static uint64_t *find(struct entry *table, uint64_t key)
{
	uint64_t mask = (1ULL << TABLE_BITS) - 1;
	uint64_t start = key * 0x9e3779b97f4a7c15ULL >> (64 - TABLE_BITS);
	uint64_t i = start;

	do {
		if (!table[i].key)
			table[i].key = key;
		if (table[i].key == key)
			return &table[i].value;
		i = (i + 1) & mask;
	} while (i != start);
	die("more lines than the table has room for");
	return NULL;
}

static void access_memory(unsigned int cpu, uint32_t info, uint64_t address, void *insn)
{
	uint64_t self = 1ULL << (cpu % 64);
	uint64_t *owners;
	bool moves;

	if (address < KERNEL_START ||
	    __atomic_load_n(&executions, __ATOMIC_RELAXED) + WARM_UP < skip)
		return;
	pthread_mutex_lock(&lock);
	owners = find(lines, address >> LINE_BITS);
	if (qemu_plugin_mem_is_store(info)) {
		moves = *owners & ~self;
		*owners = self;
	} else {
		moves = *owners && !(*owners & self);
		*owners |= self;
	}
	if (moves && out && executions >= skip)
		++*find(counts, (uintptr_t)insn);
	pthread_mutex_unlock(&lock);
}

static void write_result(void)
{
	unsigned long i;

	fprintf(out, "executions %lu\n", count);
	for (i = 0; i < 1UL << TABLE_BITS; i++)
		if (counts[i].key)
			fprintf(out, "%016lx %lu\n", (unsigned long)counts[i].key,
				(unsigned long)counts[i].value);
	if (fclose(out))
		die("the result cannot be written");
	out = NULL;
}

static void execute_entry(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	pthread_mutex_lock(&lock);
	__atomic_store_n(&executions, executions + 1, __ATOMIC_RELAXED);
	if (executions == skip + count && out)
		write_result();
	pthread_mutex_unlock(&lock);
}

static void translate(struct qemu_plugin_tb *tb, void *data)
{
	size_t nr = qemu_plugin_tb_n_insns(tb);
	size_t i;

	(void)data;
	for (i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);

		if (address < KERNEL_START)
			continue;
		if (address == entry)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, execute_entry,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		qemu_plugin_register_vcpu_mem_cb(insn, access_memory,
						 QEMU_PLUGIN_CB_NO_REGS,
						 QEMU_PLUGIN_MEM_RW,
						 (void *)(uintptr_t)address);
	}
}

static void parse(const char *arg)
{
	if (!strncmp(arg, "entry=", 6))
		entry = strtoull(arg + 6, NULL, 16);
	else if (!strncmp(arg, "skip=", 5))
		skip = strtoul(arg + 5, NULL, 10);
	else if (!strncmp(arg, "count=", 6))
		count = strtoul(arg + 6, NULL, 10);
	else if (!strncmp(arg, "out=", 4))
		out = fopen(arg + 4, "w");
	else
		die("unknown argument");
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++)
		parse(argv[i]);
	lines = calloc(1UL << TABLE_BITS, sizeof(*lines));
	counts = calloc(1UL << TABLE_BITS, sizeof(*counts));
	if (!entry || !count || !out || !lines || !counts)
		die("entry=, count= and out= are needed, and memory");
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate, NULL);
	return 0;
}
