// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: kernel reports
 *
 * The guest's init checks the whole log once more. Here a report is assigned to its
 * round.
 */
#include <ctype.h>
#include <dirent.h>

#include "random.h"

static const char *const reports[] = {
	"WARNING:", "BUG:", "KASAN", "UBSAN", "Oops", "kernel BUG at",
	"general protection", "INFO: task ", "blocked for more than",
	"possible circular locking", "possible recursive locking",
	"inconsistent lock state", "suspicious RCU", "INFO: trying to register",
	"detected stall", "self-detected stall", "soft lockup", "hard LOCKUP",
};

static int kmsg = -1;

void report_start(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

static bool is_report(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (strstr(text, reports[i]))
			return true;
	return false;
}

/*
 * A record is "PRIORITY,SEQUENCE,TIME,-;text", followed by lines that begin with a
 * space.
 */
void report_check(void)
{
	char record[8192];
	ssize_t len;
	char *text;

	while (kmsg >= 0) {
		len = read(kmsg, record, sizeof(record) - 1);
		if (len < 0 && errno == EPIPE)
			continue;
		if (len <= 0)
			break;
		record[len] = 0;
		record[strcspn(record, "\n")] = 0;
		text = strchr(record, ';');
		if (text && is_report(text))
			fail(NR_KINDS, CHECK_REPORT, "the kernel: %s", text + 1);
	}
}

/* Return the state of @task as a letter, and its name. */
static char task_state(const char *task, char *name, size_t size)
{
	char path[350];
	char text[256] = "";
	char *end;
	int fd;

	snprintf(path, sizeof(path), "%.300s/stat", task);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	end = strrchr(text, ')');
	if (!end || !end[1])
		return 0;
	snprintf(name, size, "%.*s", (int)(end + 1 - text), text);
	return end[2];
}

static void print_task(const char *task)
{
	char name[64];
	char path[350];

	if (task_state(task, name, sizeof(name)) != 'D')
		return;
	dprintf(1, "# asleep: %s\n", name);
	snprintf(path, sizeof(path), "%.300s/stack", task);
	print_file(path, "#   ");
}

static void each_number(const char *folder, void (*fn)(const char *path))
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[350];

	while (dir && (entry = readdir(dir))) {
		if (!isdigit(entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "%.300s/%.20s", folder, entry->d_name);
		fn(path);
	}
	if (dir)
		closedir(dir);
}

static void print_tasks(const char *process)
{
	char path[350];

	snprintf(path, sizeof(path), "%.300s/task", process);
	each_number(path, print_task);
}

/* Print the tasks in uninterruptible sleep, with their stacks. */
void report_asleep(void)
{
	each_number("/proc", print_tasks);
}
