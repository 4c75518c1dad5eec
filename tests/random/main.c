// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: runs the rounds, and checks the results
 *
 *	random [-s SEED] [-t SECONDS] [-r FIRST_ROUND] [-d DISTURBANCES] [-k DEVICES] [-v]
 *	random -n [-d DISTURBANCES] [-k DEVICES]
 *
 * DISTURBANCES are those of all rounds, and DEVICES the kinds of devices that are used:
 * names separated by commas, or "none". With -v each operation is written to the kernel's
 * log before it begins, which shows it after a panic. With -n only the arguments are
 * checked.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "flags.h"
#include "harness.h"
#include "random.h"

#define ROUND_SECONDS	6
#define LONG_ROUND_SECONDS 15
#define MAX_SLOWNESS	20
#define NR_CLOSES	21
#define FIRST_GRPID	0x10000
#define NR_SLABS	2
/* An operation that was run this often must have succeeded. */
#define ENOUGH		300
/*
 * System calls to measure, and what they take on an idle machine under TCG, in a kernel
 * without debug checks
 */
#define KERNEL_BEATS	500
#define KERNEL_NOMINAL	0.005

struct shared *shared;
bool verbose;
unsigned int kinds = ~0U;

static struct round round_now;
static double began;

static const char *const slabs[NR_SLABS] = { "iopf_prg", "iopf_chunk" };
static long slabs_before[NR_SLABS];

/* The names of enum kind */
static const char *const kind_names[NR_KINDS + 1] = {
	"softacc", "forwarder", "iommufd", "all",
};

/* The names of the D_* flags */
static const char *const disturbances[NR_DISTURBANCES] = {
	"kill", "remove", "driver", "timeout", "limits", "nomem", "handlers",
};

/* The chance of each disturbance in percent of the rounds */
static const unsigned int chances[NR_DISTURBANCES] = {
	70, 60, 50, 50, 30, 60, 50,
};

/* Report a failure. Only the first ones of each check are printed. */
void fail(enum kind kind, enum check check, const char *format, ...)
{
	char text[256];
	va_list args;
	unsigned long number;

	number = atomic_fetch_add(&shared->failures[kind][check], 1);
	if (number >= 10)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	/* Print it by one write, as several processes may fail at the same time. */
	dprintf(1, "# FAIL in round %u after %.0f s: %s: %s\n", shared->round,
		pace_clock(CLOCK_MONOTONIC) / 1e9 - began, kind_names[kind], text);
	if (number < 2)
		trail_print();
}

bool is_upstream(void)
{
	return access("/sys/module/iopf/parameters/prq_timeout", F_OK);
}

static void name_tallies(enum kind kind, const struct operation *operation)
{
	struct tally *tally = shared->tallies[kind];

	while (tally->name)
		tally++;
	for (; operation->name; operation++)
		(tally++)->name = operation->name;
}

static void print_tallies(enum kind kind)
{
	const struct tally *tally;

	printf("# %s: %lu closes, the longest took %.2f s;", kind_names[kind],
	       atomic_load(&shared->closes[kind]),
	       atomic_load(&shared->longest_us[kind]) / 1e6);
	for (tally = shared->tallies[kind]; tally->name; tally++)
		printf(" %s %lu/%lu", tally->name, atomic_load(&tally->good),
		       atomic_load(&tally->made));
	printf("\n");
}

/* Return the seconds of the machine's time that a series of system calls takes. */
static double kernel_beat(void)
{
	double start = pace_seconds();
	char byte = 0;
	int fds[2];
	int i;

	for (i = 0; i < KERNEL_BEATS; i++) {
		if (pipe(fds) || write(fds[1], &byte, 1) != 1 ||
		    read(fds[0], &byte, 1) != 1)
			return 0;
		close(fds[0]);
		close(fds[1]);
	}
	return pace_seconds() - start;
}

/*
 * Measure the slowdown by KASAN, lockdep and the like: with it there are fewer
 * disturbances, and rounds are longer.
 */
static void set_slowness(void)
{
	double beat = kernel_beat();

	shared->slowness = beat / KERNEL_NOMINAL;
	if (shared->slowness < 1)
		shared->slowness = 1;
	if (shared->slowness > MAX_SLOWNESS)
		shared->slowness = MAX_SLOWNESS;
	printf("# %d system calls took %.3f s\n", 5 * KERNEL_BEATS, beat);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Set the limit for a close from the median of undisturbed ones. */
static void set_close_time(void)
{
	double took[NR_CLOSES];
	int i;

	for (i = 0; i < NR_CLOSES; i++) {
		int fd = open("/dev/softacc-0", O_RDWR | O_CLOEXEC);
		double start = pace_seconds();

		close(fd);
		took[i] = pace_seconds() - start;
	}
	qsort(took, NR_CLOSES, sizeof(took[0]), compare);
	shared->close_ms = CLOSE_MS +
			   took[NR_CLOSES / 2] * 1000 * CLOSE_TIMES;
	printf("# a close takes %.2f ms, and may take %.1f s\n",
	       took[NR_CLOSES / 2] * 1000, shared->close_ms / 1e3);
}

void print_kinds(unsigned int mask)
{
	flags_print(mask, kind_names, NR_KINDS);
}

static void choose_round(uint64_t seed, unsigned int number, int flags)
{
	struct rng rng = { seed + number * 0x632be59bd9b4e019ULL };
	struct round *round = &round_now;
	int i;

	*round = (struct round){
		.number = number,
		.seed = rng_next(&rng),
		.seconds = shared->slowness > 4 ? LONG_ROUND_SECONDS :
						  ROUND_SECONDS,
		.devices = rng_range(&rng, 1, MAX_DEVICES),
		.processes = rng_range(&rng, 3, MAX_PROCESSES),
	};
	for (i = 0; i < NR_DISTURBANCES; i++)
		if (rng_percent(&rng, chances[i]))
			round->flags |= 1U << i;
	if (flags >= 0)
		round->flags = flags;
	if (!has_failures())
		round->flags &= ~D_NOMEM;
	/* It has no timeouts, and does not survive the other disturbances. */
	if (is_upstream())
		round->flags &= D_KILL | D_DRIVER;
	shared->round = number;
}

static void print_round(void)
{
	printf("# round %u: %u devices, %u processes, disturbances:",
	       round_now.number, round_now.devices, round_now.processes);
	flags_print(round_now.flags, disturbances, NR_DISTURBANCES);
	printf("\n");
	fflush(stdout);
}

/*
 * Count the objects of the library's caches. The library allocates a queue, with its
 * reserve, for devices that are removed while they have a handler, and keeps it, so
 * have it allocated first.
 */
static void note_slabs(void)
{
	int fd;
	int i;

	fd = forward_bound();
	write_file(PARAMETER("remove"), "1");
	kernel_unload_module("softacc");
	close(fd);
	for (i = 0; i < NR_SLABS; i++)
		slabs_before[i] = slab_objects(slabs[i]);
}

/*
 * Compare the counts of the library's caches, whose objects are freed in the
 * background.
 */
static void check_slabs(void)
{
	int i;

	for (i = 0; i < NR_SLABS; i++)
		if (slabs_before[i] >= 0 &&
		    !pace_wait(10000, slab_objects(slabs[i]) <= slabs_before[i]))
			fail(NR_KINDS, CHECK_MEMORY,
			     "%ld objects of %s are left over",
			     slab_objects(slabs[i]) - slabs_before[i], slabs[i]);
}

static bool run_rounds(uint64_t seed, unsigned int number, double duration,
		       int flags)
{
	bool alive;

	do {
		choose_round(seed, number++, flags);
		print_round();
		alive = run_round(&round_now);
		if (alive)
			check_slabs();
		report_check();
	} while (alive && pace_clock(CLOCK_MONOTONIC) / 1e9 - began < duration);
	printf("# %u rounds in %.0f s\n", round_now.number,
	       pace_clock(CLOCK_MONOTONIC) / 1e9 - began);
	return alive;
}

static unsigned long failures(enum kind kind, enum check check)
{
	return atomic_load(&shared->failures[kind][check]);
}

FIXTURE(device)
{
};

FIXTURE_VARIANT(device)
{
	enum kind kind;
};

FIXTURE_SETUP(device)
{
	if (!(kinds & 1U << variant->kind))
		SKIP(return, "not asked for");
	if (variant->kind == KIND_FORWARD && is_upstream())
		SKIP(return, "the forwarder needs the library");
	if (variant->kind == KIND_IOMMUFD && access("/dev/iommu", F_OK))
		SKIP(return, "this kernel has no iommufd");
}

FIXTURE_TEARDOWN(device)
{
}

FIXTURE_VARIANT_ADD(device, softacc)
{
	.kind = KIND_SOFTACC,
};

FIXTURE_VARIANT_ADD(device, forwarder)
{
	.kind = KIND_FORWARD,
};

FIXTURE_VARIANT_ADD(device, iommufd)
{
	.kind = KIND_IOMMUFD,
};

/* Otherwise the other results mean nothing. */
TEST_F(device, each_operation_succeeds_at_times)
{
	const struct tally *tally;

	for (tally = shared->tallies[variant->kind]; tally->name; tally++) {
		EXPECT_TRUE(atomic_load(&tally->made) < ENOUGH ||
			    atomic_load(&tally->good) ||
			    !strcmp(tally->name, "wrong"))
			TH_LOG("%s: %lu times, and never with success", tally->name,
			       atomic_load(&tally->made));
	}
	EXPECT_LT(0, atomic_load(&shared->closes[variant->kind]));
}

TEST_F(device, each_close_is_quick)
{
	EXPECT_EQ(0, failures(variant->kind, CHECK_CLOSE));
}

TEST_F(device, no_response_twice)
{
	EXPECT_EQ(0, failures(variant->kind, CHECK_ONCE));
}

TEST(everything_ends)
{
	enum kind kind;

	for (kind = 0; kind <= NR_KINDS; kind++) {
		EXPECT_EQ(0, failures(kind, CHECK_ENDS))
			TH_LOG("%s", kind_names[kind]);
	}
}

TEST(all_memory_is_given_back)
{
	if (slabs_before[0] < 0)
		SKIP(return, "the library's caches are not counted");
	EXPECT_EQ(0, failures(NR_KINDS, CHECK_MEMORY));
}

TEST(the_kernel_reports_nothing)
{
	EXPECT_EQ(0, failures(NR_KINDS, CHECK_REPORT));
}

static void prepare(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		exit(2);
	atomic_store(&shared->next_grpid, FIRST_GRPID);
	name_tallies(KIND_SOFTACC, softacc_operations);
	name_tallies(KIND_FORWARD, forward_operations);
	name_tallies(KIND_IOMMUFD, iommufd_operations);
	name_tallies(KIND_IOMMUFD, faults_operations);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* The disturbances must not wait for the disturbed processes. */
	setpriority(PRIO_PROCESS, 0, -10);
	write_file(PARAMETER("remove"), "1");
	kernel_unload_module("softacc");
	kernel_load_module(MODULES "softacc.ko", "");
	set_slowness();
	set_close_time();
	note_slabs();
	report_start();
}

int main(int argc, char **argv)
{
	double duration = has_failures() ? 60 : 20;
	unsigned int number = 1;
	uint64_t seed = 0;
	bool check_only = false;
	enum kind kind;
	int chosen;
	int flags = -1;
	int option;

	while ((option = getopt(argc, argv, "s:t:r:d:k:vn")) != -1) {
		switch (option) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			duration = atof(optarg);
			break;
		case 'r':
			number = atoi(optarg);
			break;
		case 'd':
			flags = flags_parse(optarg, "disturbance", disturbances,
					    NR_DISTURBANCES);
			if (flags < 0)
				return 2;
			break;
		case 'k':
			chosen = flags_parse(optarg, "device", kind_names, NR_KINDS);
			if (chosen < 0)
				return 2;
			kinds = chosen;
			break;
		case 'v':
			verbose = true;
			break;
		case 'n':
			check_only = true;
			break;
		default:
			return 2;
		}
	}
	if (check_only && optind == argc)
		return 0;
	if (optind < argc || !number) {
		fprintf(stderr,
			"usage: random [-s SEED] [-t SECONDS] [-r ROUND] [-d DISTURBANCES] [-k DEVICES] [-v]\n");
		return 2;
	}
	if (!seed && getrandom(&seed, 4, 0) != 4)
		return 2;
	prepare();
	began = pace_clock(CLOCK_MONOTONIC) / 1e9;
	printf("# seed %llu, %.0f s; again from round N: SEED=%llu ROUND=N\n",
	       (unsigned long long)seed, duration, (unsigned long long)seed);
	if (run_rounds(seed, number, duration, flags))
		kernel_load_module(MODULES "softacc.ko", "");
	for (kind = 0; kind < NR_KINDS; kind++)
		print_tallies(kind);
	fflush(stdout);
	/* The harness parses options of its own, so it gets none. */
	optind = 1;
	return test_harness_run(1, argv);
}
