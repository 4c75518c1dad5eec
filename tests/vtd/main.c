// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d's page request queue against a model: fixed seeds, and inputs from files
 *
 *	ring FILE...		replay inputs, and print what happens
 *	ring -s FILE		minimize an input that finds something
 *	ring -t DIR FILE...	TAP: run the inputs of the files, then those of fixed seeds
 *	ring -i CHECK ...	the same, ignoring what CHECK finds
 *
 * An input that finds something is left in DIR. libFuzzer needs none of this.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sanitizer/common_interface_defs.h>

#include "fuzz.h"

#define MAX_INPUT	4096
/* Inputs of each revision, with devices that keep the rules and with others */
#define NR_INPUTS	6000
#define NR_GROUPS	(NR_REVISIONS * 2)
/* No input needs a thousandth of it. */
#define MAX_SECONDS	60

static const char *const revisions[NR_REVISIONS] = {
	[VTD_PRQ_REV2] = "2.5",
	[VTD_PRQ_REV3] = "3.4",
	[VTD_PRQ_REV4] = "5.1",
};

static u8 input[MAX_INPUT];
static size_t input_length;
static const char *folder;
static const char *running;
static unsigned int number;

static bool write_input(const char *name)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	bool ok = fd >= 0 && write(fd, input, input_length) == (ssize_t)input_length;

	if (!ok)
		perror(name);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Called when anything may be corrupted */
static void save_input(void)
{
	static bool saved;
	char name[4096];

	if (saved || !folder)
		return;
	saved = true;
	printf("not ok %u %s\n", number + 1, running);
	snprintf(name, sizeof(name), "%s/finding-%d", folder, getpid());
	if (write_input(name))
		printf("# the input is in %s\n", name);
	fflush(stdout);
}

/*
 * A hook of UndefinedBehaviorSanitizer, which does not call AddressSanitizer's callback
 */
void __ubsan_on_report(void);
void __ubsan_on_report(void)
{
	save_input();
}

static void hang(int signal)
{
	finding(CHECK_ENDS, "the driver does not come back");
}

static void run_input(void)
{
	alarm(MAX_SECONDS);
	LLVMFuzzerTestOneInput(input, input_length);
	alarm(0);
}

static void read_input(const char *name)
{
	FILE *file = fopen(name, "r");

	if (!file) {
		perror(name);
		exit(EXIT_FAILURE);
	}
	input_length = fread(input, 1, sizeof(input), file);
	fclose(file);
}

static void replay(int argc, char **argv)
{
	int i;

	verbose = true;
	for (i = 0; i < argc; i++) {
		read_input(argv[i]);
		run_input();
		fprintf(stderr, "%s: nothing is found\n", argv[i]);
	}
}

static bool finds_something(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		freopen("/dev/null", "w", stderr);
		run_input();
		_exit(EXIT_SUCCESS);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status;
}

/* Leave out @length bytes at @from if the rest still finds the same. */
static bool leave_out(size_t from, size_t length)
{
	u8 before[MAX_INPUT];

	memcpy(before, input, input_length);
	memmove(input + from, input + from + length, input_length - from - length);
	input_length -= length;
	if (finds_something())
		return true;
	input_length += length;
	memcpy(input, before, input_length);
	return false;
}

static int shrink(const char *name)
{
	size_t length;
	size_t from;

	read_input(name);
	if (!finds_something()) {
		fprintf(stderr, "%s: nothing is found\n", name);
		return EXIT_FAILURE;
	}
	for (length = input_length / 2; length; length /= 2)
		for (from = 0; from + length <= input_length; )
			if (!leave_out(from, length))
				from += length;
	return write_input(name) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Return a pseudorandom number that is the same on all machines: xorshift64*. */
static u64 next_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* Most inputs are short, as most mistakes need few steps and are found sooner then. */
static void make_input(unsigned int revision, bool keeps_rules, unsigned int seed)
{
	u64 state = 0x9e3779b97f4a7c15ULL * (seed + 1);
	size_t most = seed % 4 ? 512 : MAX_INPUT;
	size_t i;

	input_length = 32 + (next_random(&state) >> 40) % (most - 32);
	for (i = 0; i < input_length; i++)
		input[i] = next_random(&state) >> 56;
	input[0] = revision;
	input[3] = keeps_rules;
}

/* A case that never happened was not tested. */
static void result(const char *what, u64 count, const char *unit)
{
	printf("%sok %u %s: %llu %s\n", count ? "" : "not ", ++number, what, count, unit);
	if (!count)
		exit(EXIT_FAILURE);
}

static void run_files(int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		running = argv[i];
		read_input(argv[i]);
		run_input();
	}
	if (argc)
		result("what has found something before", argc, "inputs");
}

static void run_group(unsigned int group)
{
	unsigned int revision = group / 2;
	bool keeps_rules = group % 2;
	unsigned int seed;
	char name[100];

	snprintf(name, sizeof(name), "VT-d %s, devices that %s", revisions[revision],
		 keeps_rules ? "keep the rules" : "do anything");
	running = name;
	for (seed = 0; seed < NR_INPUTS; seed++) {
		make_input(revision, keeps_rules, group * NR_INPUTS + seed);
		run_input();
	}
	result(name, NR_INPUTS, "seeds");
}

static void run_tests(int argc, char **argv)
{
	unsigned int i;

	run_files(argc, argv);
	for (i = 0; i < NR_GROUPS; i++)
		run_group(i);
	for (i = 0; i < NR_CHECKS; i++)
		result(check_names[i], check_counts[i], "times");
}

static void ignore(const char *name)
{
	unsigned int i;

	for (i = 0; i < NR_CHECKS; i++)
		if (!strncmp(check_names[i], name, strlen(name)))
			check_ignored[i] = true;
}

int main(int argc, char **argv)
{
	on_finding = save_input;
	__sanitizer_set_death_callback(save_input);
	signal(SIGALRM, hang);
	for (; argc > 2 && !strcmp(argv[1], "-i"); argc -= 2, argv += 2)
		ignore(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "-s"))
		return shrink(argv[2]);
	if (argc > 2 && !strcmp(argv[1], "-t")) {
		folder = argv[2];
		run_tests(argc - 3, argv + 3);
	} else {
		replay(argc - 1, argv + 1);
	}
	return EXIT_SUCCESS;
}
