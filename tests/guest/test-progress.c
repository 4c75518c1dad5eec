// SPDX-License-Identifier: GPL-2.0
/*
 * test-progress [-l MS] [-g GROUPS] SCENARIO...: page request groups beside busy CPUs
 *
 * Several processes let a device request fresh pages, one page per group, while other
 * programs own CPUs. The results are printed, one line per scenario, and not judged:
 * tests/progress.sh compares two fault queues.
 *
 *	progress NAME groups N overdue N p50_us X p99_us X max_us X lost N pace N
 *
 * A group is overdue if it had no response within twice the limit of -l (1000 ms) while the
 * hogs ran, and lost if it had none after they were gone either. p50 follows the clock. p99,
 * the maximum and the limits are in the machine's time, see pace.h; pace is its speed in
 * percent of the clock. The wait of an overdue group is the time until it was given up.
 *
 * CPU 0 is for the test: its processes, the metronome and, unless a scenario says otherwise,
 * the thread that reports the device's requests run there, and no real-time hog does.
 *
 * Status 1: a response was wrong, or a scenario could not be set up.
 */
#include <sched.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "acc.h"
#include "cpus.h"

#define PAGE		4096UL
#define PROCESSES	4
/* Groups of a process, by default */
#define GROUPS		401
#define MAX_GROUPS	1000
#define MAX_CPUS	16
#define MAX_HOGS	(2 * MAX_CPUS)
/* Below the priority of the reporter, which is that of interrupt threads */
#define HOG_PRIORITY	40
#define PERM_WRITE	(1 << 1)

#define PRQ_TIMEOUT	"/sys/module/iopf/parameters/prq_timeout"
#define RT_RUNTIME	"/proc/sys/kernel/sched_rt_runtime_us"
#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/cpu%d/runtime"
#define ISOLATED	"/sys/devices/system/cpu/isolated"
#define WQ_CPUMASK	"/sys/devices/virtual/workqueue/cpumask"
#define CPU_ONLINE	"/sys/devices/system/cpu/cpu%d/online"

enum hogs {
	HOGS_NONE,
	HOGS_LAST,	/* real-time, on the last CPU */
	HOGS_ALL,	/* real-time, on all CPUs but 0 */
	HOGS_NICE,	/* ordinary, two for each CPU */
};

enum reporter {
	REPORTER_CPU0,
	REPORTER_LAST,	/* on the last CPU */
	REPORTER_FREE,	/* where the scheduler places it */
};

/**
 * struct scenario - what happens beside the requests
 * @name: its name
 * @hogs: the programs that own CPUs
 * @on_ms: the hogs run for this long and pause for as long; 0 for no pauses
 * @reporter: CPU of the thread that reports requests
 * @pause_ms: pause between the bursts of requests of a process
 * @single: one process with one group at a time, instead of all with bursts
 * @isolated: the last CPU is isolated by the kernel
 * @hotplug: CPUs go offline and come back
 */
struct scenario {
	const char *name;
	enum hogs hogs;
	int on_ms;
	enum reporter reporter;
	int pause_ms;
	bool single;
	bool isolated;
	bool hotplug;
};

static const struct scenario scenarios[] = {
	{ .name = "fifo", .hogs = HOGS_LAST, .pause_ms = 2 },
	{ .name = "fifo-all", .hogs = HOGS_ALL, .pause_ms = 2 },
	{ .name = "fifo-onoff", .hogs = HOGS_LAST, .on_ms = 20,
	  .reporter = REPORTER_LAST, .pause_ms = 23 },
	{ .name = "fifo-reporter", .hogs = HOGS_LAST,
	  .reporter = REPORTER_LAST, .single = true },
	{ .name = "nice", .hogs = HOGS_NICE, .reporter = REPORTER_FREE,
	  .pause_ms = 2 },
	{ .name = "isolated", .hogs = HOGS_LAST, .reporter = REPORTER_FREE,
	  .pause_ms = 2, .isolated = true },
	{ .name = "isolated-reporter", .hogs = HOGS_LAST,
	  .reporter = REPORTER_LAST, .single = true, .isolated = true },
	/* isolcpus= and nohz_full= leave no CPU for unbound workers */
	{ .name = "no-housekeeping", .reporter = REPORTER_FREE, .pause_ms = 2 },
	{ .name = "hotplug", .reporter = REPORTER_FREE, .pause_ms = 40,
	  .hotplug = true },
};

/**
 * struct group - a page request group
 * @sent: when it was sent, by the clock in ns
 * @machine: the same in the machine's time, by pace_seconds()
 * @percent: the machine's speed at that moment
 * @wait: time until its response, by the clock in ns, or 0
 * @machine_wait: the same in the machine's time
 */
struct group {
	long long sent;
	double machine;
	int percent;
	double wait;
	double machine_wait;
};

/**
 * struct process - results of a process with a device
 * @ready: its device is open
 * @sent: groups sent
 * @responded: groups with a response while the hogs were there
 * @late: groups with a response after that
 * @wrong: responses that are not Success, and second responses
 * @given_up: no more responses can come in time
 * @groups: its groups, by index
 */
struct process {
	atomic_bool ready;
	unsigned int sent;
	unsigned int responded;
	unsigned int late;
	unsigned int wrong;
	atomic_bool given_up;
	struct group groups[MAX_GROUPS];
};

/**
 * struct shared - state that all processes share
 * @go: send requests
 * @calm: the hogs are gone
 * @turns: how often a CPU went offline and came back
 * @processes: those with a device
 */
struct shared {
	atomic_bool go;
	atomic_bool calm;
	atomic_uint turns;
	struct process processes[PROCESSES];
};

static struct shared *shared;
static int limit_ms = 1000;
static unsigned int nr_groups = GROUPS;
static int nr_cpus;
static pid_t reporter;
static cpu_set_t reporter_cpus;

static __attribute__((format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("# ");
	vprintf(format, args);
	printf("\n");
	va_end(args);
	exit(1);
}

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	if (fd >= 0)
		close(fd);
	return done;
}

static void read_from(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, size - 1);

	text[len > 0 ? len : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	if (fd >= 0)
		close(fd);
}

/* Fork a process that ends with its parent. Return 0 in it. */
static pid_t start_process(void)
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void place_reporter(const struct scenario *scenario)
{
	bool done = false;

	switch (scenario->reporter) {
	case REPORTER_CPU0:
		done = pin(reporter, 0);
		break;
	case REPORTER_LAST:
		done = pin(reporter, nr_cpus - 1);
		break;
	case REPORTER_FREE:
		done = !sched_setaffinity(reporter, sizeof(reporter_cpus),
					  &reporter_cpus);
		break;
	}
	if (!done)
		die("the reporter cannot be moved: %s", strerror(errno));
}

/*
 * 6.12 has the file, but its scheduler warns when the share of a running server is set.
 */
static bool may_set_fair_server(void)
{
	struct utsname name;

	return !uname(&name) && atoi(name.release) >= 7;
}

/*
 * Let real-time programs have all of a CPU: nothing is reserved for other tasks. Not
 * all kernels allow to set the share of the fair server.
 */
static void set_shares(bool all)
{
	static bool noted;
	char path[80];
	int cpu;

	if (!write_to(RT_RUNTIME, all ? "-1" : "950000"))
		die("%s: %s", RT_RUNTIME, strerror(errno));
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		snprintf(path, sizeof(path), FAIR_SERVER, cpu);
		if (noted || (may_set_fair_server() &&
			      write_to(path, all ? "0" : "50000000")))
			continue;
		printf("# %s is not set: others may have a twentieth of a hog's CPU\n",
		       path);
		noted = true;
	}
}

/* Own a CPU, with a pause of @on_ms after each @on_ms if that is not 0. */
static void hog(int cpu, bool real_time, int on_ms)
{
	const struct sched_param param = { .sched_priority = HOG_PRIORITY };

	if (!pin(0, cpu) ||
	    (real_time && sched_setscheduler(0, SCHED_FIFO, &param)))
		_exit(1);
	for (;;) {
		long long start = pace_clock(CLOCK_MONOTONIC);

		while (!on_ms ||
		       pace_clock(CLOCK_MONOTONIC) - start < on_ms * 1000000LL)
			;
		usleep(on_ms * 1000);
	}
}

static unsigned int start_hogs(const struct scenario *scenario, pid_t *hogs)
{
	bool real_time = scenario->hogs != HOGS_NICE;
	unsigned int nr = 0;
	int first = 0;
	int cpu;
	int i;

	if (scenario->hogs == HOGS_NONE)
		return 0;
	if (scenario->hogs == HOGS_LAST)
		first = nr_cpus - 1;
	else if (scenario->hogs == HOGS_ALL)
		first = 1;
	for (cpu = first; cpu < nr_cpus; cpu++) {
		for (i = 0; i < (real_time ? 1 : 2); i++) {
			hogs[nr] = start_process();
			if (!hogs[nr])
				hog(cpu, real_time, scenario->on_ms);
			nr++;
		}
	}
	for (i = 0; real_time && i < nr; i++)
		if (!pace_wait(5000, sched_getscheduler(hogs[i]) == SCHED_FIFO))
			die("a hog does not get its priority");
	return nr;
}

static void end_processes(const pid_t *pids, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < nr; i++)
		waitpid(pids[i], NULL, 0);
}

static void set_online(int cpu, bool online)
{
	char path[64];

	snprintf(path, sizeof(path), CPU_ONLINE, cpu);
	if (write_to(path, online ? "1" : "0") && online)
		atomic_fetch_add(&shared->turns, 1);
}

/* Take the CPUs offline one after the other, with the reporter on them, and back. */
static void hotplug(void)
{
	int cpu = 1;

	while (!atomic_load(&shared->calm)) {
		pin(reporter, cpu);
		usleep(10000);
		set_online(cpu, false);
		usleep(10000);
		set_online(cpu, true);
		if (++cpu == nr_cpus)
			cpu = 1;
	}
	_exit(0);
}

/* Send one group of one page. */
static void send_group(int fd, char *area, struct process *process)
{
	struct group *group = &process->groups[process->sent];
	struct softacc_inject request = {
		.flags = SOFTACC_INJECT_LAST,
		.grpid = SOFTACC_INJECT_GRPID + process->sent,
		.perm = PERM_WRITE,
		.addr = (uintptr_t)area + process->sent * PAGE,
	};

	group->sent = pace_clock(CLOCK_MONOTONIC);
	group->machine = pace_seconds();
	group->percent = atomic_load(&pace->percent);
	/* The ring is full: the reporter must run first. */
	while (ioctl(fd, SOFTACC_IOC_INJECT, &request)) {
		if (errno != EAGAIN)
			_exit(2);
		usleep(1000);
	}
	process->sent++;
}

/*
 * Set the wait of @group, which has been @ns long until now. The machine's time is a
 * guess between two beats and may be set back at the next one, so a short wait is
 * computed from its speed.
 */
static void end_wait(struct group *group, double ns)
{
	double clock = pace_clock(CLOCK_MONOTONIC) - group->sent;
	double machine = (pace_seconds() - group->machine) * 1e9;
	int percent = atomic_load(&pace->percent);

	group->wait = ns;
	if (percent < group->percent)
		percent = group->percent;
	if (clock < 3e3 * PACE_PAUSE_US)
		group->machine_wait = ns * percent / 100;
	else
		group->machine_wait = machine < clock ? ns * machine / clock : ns;
}

static void read_responses(int fd, struct process *process)
{
	struct softacc_response response;

	while (!ioctl(fd, SOFTACC_IOC_RESPONSE, &response)) {
		if (response.code || response.count != 1)
			process->wrong++;
		if (atomic_load(&process->given_up)) {
			process->late++;
			continue;
		}
		process->responded++;
		end_wait(&process->groups[response.grpid - SOFTACC_INJECT_GRPID],
			 response.ns);
	}
}

/*
 * Wait for all responses, at most @ms of the machine's time. Return whether they came.
 */
static bool await_responses(int fd, struct process *process, int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	double start = pace_seconds();

	for (;;) {
		read_responses(fd, process);
		if (process->responded + process->late == process->sent)
			return true;
		if (pace_over(start, ms))
			return false;
		poll(&poll_fd, 1, 10);
	}
}

static void send_bursts(int fd, char *area, struct process *process,
			const struct scenario *scenario)
{
	static const unsigned int bursts[] = { 1, 4, 16, 128 };
	unsigned int i;
	unsigned int n;

	/* Processes begin with different groups. */
	for (i = process - shared->processes; process->sent < nr_groups; i++) {
		for (n = bursts[i % 4]; n && process->sent < nr_groups; n--)
			send_group(fd, area, process);
		read_responses(fd, process);
		usleep(scenario->pause_ms * 1000);
	}
	await_responses(fd, process, 2 * limit_ms);
}

static void send_singles(int fd, char *area, struct process *process)
{
	while (process->sent < nr_groups) {
		send_group(fd, area, process);
		if (!await_responses(fd, process, 2 * limit_ms))
			break;
	}
}

/* Run a process with a device. */
static void storm(const struct scenario *scenario, struct process *process)
{
	size_t len = nr_groups * PAGE;
	int fd = acc_open(1, 1, 1);
	char *area;
	unsigned int i;

	area = mmap(NULL, len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || area == MAP_FAILED)
		_exit(3);
	madvise(area, len, MADV_NOHUGEPAGE);
	atomic_store(&process->ready, true);
	while (!atomic_load(&shared->go))
		usleep(1000);

	if (scenario->single)
		send_singles(fd, area, process);
	else
		send_bursts(fd, area, process, scenario);
	for (i = 0; i < process->sent; i++) {
		struct group *group = &process->groups[i];

		if (!group->wait)
			end_wait(group, pace_clock(CLOCK_MONOTONIC) - group->sent);
	}
	atomic_store(&process->given_up, true);
	/* Hogs must not delay the end either. */
	while (!atomic_load(&shared->calm))
		usleep(1000);
	await_responses(fd, process, 10 * limit_ms);
	_exit(0);
}

static bool all(unsigned int nr, bool given_up)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct process *process = &shared->processes[i];

		if (!atomic_load(given_up ? &process->given_up : &process->ready))
			return false;
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Print the results of all processes. The machine's speed was @pace percent. */
static bool print_result(const char *name, long pace)
{
	static double machine_waits[PROCESSES * MAX_GROUPS];
	static double waits[PROCESSES * MAX_GROUPS];
	unsigned int responded = 0;
	unsigned int wrong = 0;
	unsigned int late = 0;
	unsigned int nr = 0;
	unsigned int i;
	unsigned int j;

	for (i = 0; i < PROCESSES; i++) {
		struct process *process = &shared->processes[i];

		for (j = 0; j < process->sent; j++) {
			waits[nr] = process->groups[j].wait / 1e3;
			machine_waits[nr++] = process->groups[j].machine_wait / 1e3;
		}
		responded += process->responded;
		wrong += process->wrong;
		late += process->late;
	}
	qsort(waits, nr, sizeof(*waits), compare);
	qsort(machine_waits, nr, sizeof(*machine_waits), compare);
	if (wrong)
		printf("# %s: %u wrong responses\n", name, wrong);
	printf("progress %s groups %u overdue %u ", name, nr, nr - responded);
	printf("p50_us %.0f p99_us %.0f max_us %.0f ", waits[nr / 2],
	       machine_waits[nr * 99 / 100], machine_waits[nr - 1]);
	printf("lost %u pace %ld\n", nr - responded - late, pace);
	return !wrong;
}

/*
 * Isolate the last CPU, or end that. CPUs isolated by isolcpus= must end with the last
 * one. Without isolcpus= unbound workqueues are kept off the last CPU, as isolcpus=
 * does.
 */
static void isolate(bool on)
{
	char text[32];
	char last[12];

	read_from(ISOLATED, text, sizeof(text));
	snprintf(last, sizeof(last), "%d", nr_cpus - 1);
	if (strlen(text) >= strlen(last) &&
	    !strcmp(text + strlen(text) - strlen(last), last))
		return;
	if (on)
		printf("# the kernel isolates no CPU %s: unbound work keeps off it, no more\n",
		       last);
	snprintf(text, sizeof(text), "%x", (1U << (nr_cpus - on)) - 1);
	if (!write_to(WQ_CPUMASK, text))
		die("%s: %s", WQ_CPUMASK, strerror(errno));
}

static bool run(const struct scenario *scenario)
{
	bool real_time = scenario->hogs == HOGS_LAST || scenario->hogs == HOGS_ALL;
	unsigned int nr = scenario->single ? 1 : PROCESSES;
	pid_t pids[PROCESSES + 1];
	pid_t hogs[MAX_HOGS];
	unsigned int nr_hogs;
	bool good = true;
	long speed = 0;
	long looks = 0;
	unsigned int i;
	int status;

	memset(shared, 0, sizeof(*shared));
	place_reporter(scenario);
	if (scenario->isolated)
		isolate(true);
	for (i = 0; i < nr; i++) {
		pids[i] = start_process();
		if (!pids[i])
			storm(scenario, &shared->processes[i]);
	}
	if (!pace_wait(10000, all(nr, false)))
		die("%s: the device does not open", scenario->name);
	if (real_time)
		set_shares(true);
	nr_hogs = start_hogs(scenario, hogs);
	if (scenario->hotplug) {
		pids[nr] = start_process();
		if (!pids[nr])
			hotplug();
	}
	/* Two beats of the metronome, so that it measures the load. */
	usleep(2 * PACE_PAUSE_US);
	atomic_store(&shared->go, true);
	do {
		usleep(10000);
		speed += atomic_load(&pace->percent);
		looks++;
	} while (!all(nr, true));

	end_processes(hogs, nr_hogs);
	if (real_time)
		set_shares(false);
	atomic_store(&shared->calm, true);
	for (i = 0; i < nr + scenario->hotplug; i++) {
		waitpid(pids[i], &status, 0);
		if (status)
			printf("# %s: a process ended with status %x\n",
			       scenario->name, status);
		good = good && !status;
	}
	if (scenario->isolated)
		isolate(false);
	if (scenario->hotplug) {
		printf("# %s: %u times a CPU came back\n", scenario->name,
		       atomic_load(&shared->turns));
		good = good && atomic_load(&shared->turns);
	}
	return print_result(scenario->name, speed / looks) && good;
}

static const struct scenario *find(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(name, scenarios[i].name))
			return &scenarios[i];
	die("there is no scenario %s", name);
	return NULL;
}

static void set_up(void)
{
	nr_cpus = sysconf(_SC_NPROCESSORS_ONLN);
	if (nr_cpus < 2 || nr_cpus > MAX_CPUS)
		die("2 to %d CPUs are needed", MAX_CPUS);
	reporter = acc_find_reporter();
	if (!reporter ||
	    sched_getaffinity(reporter, sizeof(reporter_cpus), &reporter_cpus))
		die("there is no thread that reports for softacc's ring");
	if (!write_to(PRQ_TIMEOUT, "0"))
		printf("# no %s\n", PRQ_TIMEOUT);
	/* Populate the pages, as the processes would have to fault beside the hogs. */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (shared == MAP_FAILED)
		die("no memory");
	if (!pin(0, 0))
		die("there is no CPU 0");
	/* The metronome must not delay the workers on this CPU. */
	setpriority(PRIO_PROCESS, 0, 5);
	pace_start();
	setpriority(PRIO_PROCESS, 0, 0);
}

int main(int argc, char **argv)
{
	bool good = true;
	int option;
	int i;

	while ((option = getopt(argc, argv, "l:g:")) != -1) {
		unsigned int value = atoi(optarg ? optarg : "");

		if (option == 'l' && value)
			limit_ms = value;
		else if (option == 'g' && value && value <= MAX_GROUPS)
			nr_groups = value;
		else
			return 2;
	}
	for (i = optind; i < argc; i++)
		find(argv[i]);
	set_up();
	for (i = optind; i < argc; i++) {
		good = run(find(argv[i])) && good;
		fflush(stdout);
	}
	write_to(PRQ_TIMEOUT, "10");
	return !good;
}
