// SPDX-License-Identifier: GPL-2.0
/*
 * asleep COUNT: a process with COUNT faults of its device that wait for user space,
 * which never serves them; fewer if the device cannot have as many. It prints its PASID
 * when they sleep.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "acc.h"
#include "uffd.h"

#define PAGES	16
#define PAGE	4096UL

static void die(const char *what)
{
	fprintf(stderr, "asleep: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	struct softacc_inject request = {
		.flags = SOFTACC_INJECT_LAST,
		.perm = 2,
	};
	int count = argc == 2 ? atoi(argv[1]) : 0;
	int fd = open(ACC_DEVICE, O_RDWR | O_CLOEXEC);
	char *area;
	int uffd;
	int i;

	if (count <= 0) {
		fprintf(stderr, "usage: asleep COUNT\n");
		return 1;
	}
	area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0)
		die(ACC_DEVICE);
	if (area == MAP_FAILED)
		die("mmap");
	uffd = uffd_register(area, PAGES * PAGE, UFFDIO_REGISTER_MODE_MISSING, 0);
	if (uffd < 0)
		die("userfaultfd");
	for (i = 0; i < count && i < (int)acc_indices(fd); i++) {
		request.grpid = SOFTACC_INJECT_GRPID + i;
		request.addr = (uintptr_t)area + i % PAGES * PAGE;
		while (ioctl(fd, SOFTACC_IOC_INJECT, &request)) {
			if (errno != EAGAIN)
				die("INJECT");
			usleep(1000);
		}
	}
	if (!uffd_asleep(uffd))
		die("no fault sleeps");
	printf("%u\n", acc_pasid(fd));
	fflush(stdout);
	pause();
	return 0;
}
