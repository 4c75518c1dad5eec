// SPDX-License-Identifier: GPL-2.0
/*
 * pace COMMAND...: runs a command and prints how many seconds of the machine's time it
 * took, see pace.h. For scripts in the guest. The command's output goes to standard
 * error, and its status is that of pace.
 *
 * pace -m: prints the duration of beats in nanoseconds, to set PACE_NOMINAL.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "pace.h"

int main(int argc, char **argv)
{
	double start;
	int status;
	pid_t pid;
	int i;

	if (argc == 2 && !strcmp(argv[1], "-m")) {
		for (i = 0; i < 20; i++) {
			printf("%lld\n", pace_beat());
			usleep(PACE_PAUSE_US);
		}
		return 0;
	}
	if (argc < 2) {
		fprintf(stderr, "usage: pace COMMAND...\n");
		return 2;
	}
	pace_start();
	/* Keep the first beat from standing for all that follow. */
	usleep(PACE_PAUSE_US);
	start = pace_seconds();
	pid = fork();
	if (pid < 0)
		return 126;
	if (!pid) {
		dup2(2, 1);
		execvp(argv[1], argv + 1);
		_exit(127);
	}
	if (waitpid(pid, &status, 0) != pid)
		return 126;
	printf("%.2f\n", pace_seconds() - start);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
