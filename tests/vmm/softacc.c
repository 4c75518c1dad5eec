// SPDX-License-Identifier: GPL-2.0
/*
 * An accelerator whose faults are forwarded, and jobs for it
 *
 * The program is its own guest: the accelerator works on its memory, so it can make the
 * requested pages present.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "vmm.h"

#define FWD_DEVICE	"/dev/iopf-forward"

/* Open a file with the faults of the first accelerator; -1 with errno. */
int fwd_open(uint32_t flags, uint32_t pasid, uint32_t groups)
{
	struct iopf_forward_bind bind = {
		.flags = flags,
		.dev_id = 7,
		.pasid = pasid,
		.groups = groups,
		.device = "platform/softacc.0",
	};
	int fd = open(FWD_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0 && ioctl(fd, IOPF_FORWARD_IOC_BIND, &bind)) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

bool fwd_resolve(const struct iommu_hwpt_pgfault *fault)
{
	void *page = (void *)(uintptr_t)(fault->addr & ~(PAGE - 1));
	bool write = fault->perm & IOMMU_PGFAULT_PERM_WRITE;

	return !madvise(page, PAGE,
			write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

/* Fill the area, however often it takes, verify it and drop its pages. */
static bool fill_and_verify(struct acc_load *load, uint64_t seed)
{
	struct softacc_completion end;
	int status;
	bool good;

	do {
		status = acc_run(load->fd, SOFTACC_OP_FILL, NULL, load->area,
				 load->len, seed, &end);
		load->again += status == -EFAULT;
	} while (status == -EFAULT);
	good = !status && acc_verify(load->area, load->len, seed) < 0;
	return !madvise(load->area, load->len, MADV_DONTNEED) && good;
}

static void *run_load(void *data)
{
	struct acc_load *load = data;
	unsigned int i;

	for (i = 0; i < load->rounds && !load->stop; i++)
		if (!fill_and_verify(load, i))
			load->wrong++;
	return NULL;
}

int acc_load_start(struct acc_load *load, size_t len, unsigned int rounds)
{
	*load = (struct acc_load){ .rounds = rounds, .len = len };
	load->fd = acc_open(8, 32, 1);
	if (load->fd < 0)
		return -1;
	load->area = mmap(NULL, len, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (load->area == MAP_FAILED)
		return -1;
	madvise(load->area, len, MADV_NOHUGEPAGE);
	errno = pthread_create(&load->thread, NULL, run_load, load);
	return errno ? -1 : 0;
}

void acc_load_end(struct acc_load *load)
{
	pthread_join(load->thread, NULL);
	munmap(load->area, load->len);
	close(load->fd);
}
