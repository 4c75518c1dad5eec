// SPDX-License-Identifier: GPL-2.0
/*
 * Read faults and respond to them; the same for the forwarder and for iommufd
 */
#include <glob.h>
#include <stdlib.h>
#include <time.h>

#include "vmm.h"

#define READ_FAULTS	512
#define MAX_LATE	8192

/**
 * struct server - a thread that serves
 * @vmm: its VMM
 * @seed: seed of its choices
 * @faults: faults that were read last
 * @ready: responses to be written
 * @nr_ready: length of @ready
 * @late: cookies of groups that get a late response, in order
 * @due: when to respond to them
 * @first_late: index of the oldest one
 * @nr_late: number of them
 */
struct server {
	struct vmm *vmm;
	uint64_t seed;
	struct iommu_hwpt_pgfault faults[READ_FAULTS];
	struct iommu_hwpt_page_response ready[READ_FAULTS];
	unsigned int nr_ready;
	uint32_t late[MAX_LATE];
	double due[MAX_LATE];
	unsigned int first_late;
	unsigned int nr_late;
};

double vmm_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static unsigned int random_below(struct server *server, unsigned int limit)
{
	server->seed = server->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (server->seed >> 33) % limit;
}

/* Send one response. Return 0 or a negative errno. */
int vmm_respond(int fd, uint32_t cookie, uint32_t code)
{
	struct iommu_hwpt_page_response response = { cookie, code };
	ssize_t ret = write(fd, &response, sizeof(response));

	return ret == sizeof(response) ? 0 : ret < 0 ? -errno : -EIO;
}

/* Send all responses that are ready, in random order. */
static void send_ready(struct server *server)
{
	struct iommu_hwpt_page_response *ready = server->ready;
	struct vmm *vmm = server->vmm;
	unsigned int sent = 0;
	unsigned int i;

	for (i = server->nr_ready; i > 1; i--) {
		unsigned int other = random_below(server, i);
		struct iommu_hwpt_page_response swap = ready[other];

		ready[other] = ready[i - 1];
		ready[i - 1] = swap;
	}
	while (sent < server->nr_ready) {
		size_t len = (server->nr_ready - sent) * sizeof(*ready);
		ssize_t ret = write(vmm->fd, &ready[sent], len);
		unsigned int done = ret > 0 ? ret / sizeof(*ready) : 0;

		for (i = 0; i < done; i++)
			vmm->responded[ready[sent + i].code]++;
		sent += done;
		if (ret < (ssize_t)len) {
			vmm->bad++;
			sent++;
		}
	}
	server->nr_ready = 0;
}

static void add_ready(struct server *server, uint32_t cookie, uint32_t code)
{
	if (server->nr_ready == READ_FAULTS)
		send_ready(server);
	server->ready[server->nr_ready++] =
		(struct iommu_hwpt_page_response){ cookie, code };
}

static uint32_t resolve(struct vmm *vmm, const struct iommu_hwpt_pgfault *faults,
			unsigned int count)
{
	unsigned int i;

	for (i = 0; vmm->resolve && i < count; i++)
		if (!vmm->resolve(&faults[i]))
			return IOMMUFD_PAGE_RESP_INVALID;
	return IOMMUFD_PAGE_RESP_SUCCESS;
}

/* Make the pages present at once, and choose when to respond. */
static void decide(struct server *server, const struct iommu_hwpt_pgfault *faults,
		   unsigned int count)
{
	struct vmm *vmm = server->vmm;
	const struct vmm_policy *policy = &vmm->policy;
	unsigned int dice = random_below(server, 1000);
	uint32_t cookie = faults[count - 1].cookie;
	unsigned int at;

	if (dice < policy->never) {
		vmm->never++;
		return;
	}
	dice -= policy->never;
	if (dice < policy->refused) {
		add_ready(server, cookie, IOMMUFD_PAGE_RESP_INVALID);
		return;
	}
	dice -= policy->refused;
	if (dice < policy->late && server->nr_late < MAX_LATE) {
		resolve(vmm, faults, count);
		at = (server->first_late + server->nr_late++) % MAX_LATE;
		server->late[at] = cookie;
		server->due[at] = vmm_seconds() + policy->late_ms / 1e3;
		return;
	}
	add_ready(server, cookie, resolve(vmm, faults, count));
}

static void send_late(struct server *server)
{
	double now = vmm_seconds();

	while (server->nr_late && server->due[server->first_late] <= now) {
		add_ready(server, server->late[server->first_late],
			  IOMMUFD_PAGE_RESP_SUCCESS);
		server->vmm->late++;
		server->first_late = (server->first_late + 1) % MAX_LATE;
		server->nr_late--;
	}
}

/* Groups come whole: each has one cookie and ends with a last fault. */
static void take(struct server *server, unsigned int count)
{
	struct vmm *vmm = server->vmm;
	unsigned int begin = 0;
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct iommu_hwpt_pgfault *fault = &server->faults[i];

		vmm->bad += fault->cookie != server->faults[begin].cookie;
		if (!(fault->flags & IOMMU_PGFAULT_FLAGS_LAST_PAGE))
			continue;
		vmm->groups++;
		vmm->faults += i + 1 - begin;
		decide(server, &server->faults[begin], i + 1 - begin);
		begin = i + 1;
	}
	vmm->bad += begin != count;
}

static void *serve(void *data)
{
	struct server *server = data;
	struct vmm *vmm = server->vmm;
	struct pollfd poll_fd = { .fd = vmm->fd, .events = POLLIN };

	while (!vmm->stop || server->nr_late) {
		ssize_t ret = 0;

		if (poll(&poll_fd, 1, server->nr_late ? 1 : 20) > 0) {
			ret = read(vmm->fd, server->faults,
				   sizeof(server->faults));
			if (ret < 0)
				break;
		}
		take(server, ret / sizeof(server->faults[0]));
		send_late(server);
		send_ready(server);
	}
	free(server);
	return NULL;
}

void vmm_start(struct vmm *vmm, int fd, unsigned int nr_threads)
{
	unsigned int i;

	vmm->fd = fd;
	vmm->nr_threads = nr_threads;
	vmm->stop = false;
	for (i = 0; i < nr_threads; i++) {
		struct server *server = calloc(1, sizeof(*server));

		server->vmm = vmm;
		server->seed = i + 1;
		if (pthread_create(&vmm->threads[i], NULL, serve, server))
			abort();
	}
}

void vmm_stop(struct vmm *vmm)
{
	unsigned int i;

	vmm->stop = true;
	for (i = 0; i < vmm->nr_threads; i++)
		pthread_join(vmm->threads[i], NULL);
	vmm->nr_threads = 0;
}

/*
 * Return a counter of the library, summed over devices of that name; ~0 if there is
 * none.
 */
uint64_t vmm_kernel_stat(const char *device, const char *name)
{
	char pattern[256];
	char line[128];
	char found[64];
	unsigned long long value;
	uint64_t ret = ~0ULL;
	glob_t files;
	size_t i;

	snprintf(pattern, sizeof(pattern), "/sys/kernel/debug/iopf/*/%s/stats",
		 device);
	if (glob(pattern, 0, NULL, &files))
		return ret;
	for (i = 0; i < files.gl_pathc; i++) {
		FILE *file = fopen(files.gl_pathv[i], "r");

		while (file && fgets(line, sizeof(line), file))
			if (sscanf(line, "%63s %llu", found, &value) == 2 &&
			    !strcmp(found, name))
				ret = (ret == ~0ULL ? 0 : ret) + value;
		if (file)
			fclose(file);
	}
	globfree(&files);
	return ret;
}
