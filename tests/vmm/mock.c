// SPDX-License-Identifier: GPL-2.0
/*
 * iommufd's mock device, by iommufd's test interface: a nested domain, as for a guest's
 * address space, whose faults go to a fault queue
 */
#include "vmm.h"

#include <stddef.h>

#include "iommufd_test.h"

static int new_fault_queue(struct mock *mock, int i)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };

	if (ioctl(mock->fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd))
		return -1;
	mock->queue[i] = cmd.out_fault_id;
	mock->queue_fd[i] = cmd.out_fault_fd;
	return 0;
}

static int new_parent(struct mock *mock)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = mock->device,
		.pt_id = mock->ioas,
	};

	if (ioctl(mock->fd, IOMMU_HWPT_ALLOC, &cmd))
		return -1;
	mock->parent = cmd.out_hwpt_id;
	return 0;
}

static int new_nested(struct mock *mock, int i)
{
	struct iommu_hwpt_selftest data = {
		.iotlb = IOMMU_TEST_IOTLB_DEFAULT,
	};
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = mock->device,
		.pt_id = mock->parent,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data),
		.data_uptr = (uintptr_t)&data,
		.fault_id = mock->queue[i],
	};

	if (ioctl(mock->fd, IOMMU_HWPT_ALLOC, &cmd))
		return -1;
	mock->hwpt[i] = cmd.out_hwpt_id;
	return 0;
}

/* Return 0, or -1 with errno. */
int mock_open(struct mock *mock)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	struct iommu_test_cmd domain = {
		.size = sizeof(domain),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
	};
	int i;

	*mock = (struct mock){ .queue_fd = { -1, -1 } };
	mock->fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (mock->fd < 0 || ioctl(mock->fd, IOMMU_IOAS_ALLOC, &ioas))
		return -1;
	mock->ioas = ioas.out_ioas_id;
	domain.id = mock->ioas;
	if (ioctl(mock->fd, IOMMU_TEST_CMD, &domain))
		return -1;
	mock->stdev = domain.mock_domain.out_stdev_id;
	mock->device = domain.mock_domain.out_idev_id;
	if (new_parent(mock))
		return -1;
	for (i = 0; i < 2; i++)
		if (new_fault_queue(mock, i) || new_nested(mock, i))
			return -1;
	return mock_attach(mock, mock->hwpt[0]);
}

void mock_close(struct mock *mock)
{
	int i;

	for (i = 0; i < 2; i++)
		if (mock->queue_fd[i] >= 0)
			close(mock->queue_fd[i]);
	close(mock->fd);
}

int mock_attach(struct mock *mock, uint32_t hwpt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = mock->stdev,
		.mock_domain_replace.pt_id = hwpt,
	};

	return ioctl(mock->fd, IOMMU_TEST_CMD, &cmd);
}

/*
 * Send a group of one request, from any thread. The test interface does not return its
 * response code.
 */
int mock_fault(struct mock *mock, uint32_t pasid, uint32_t grpid)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_TRIGGER_IOPF,
		.trigger_iopf = {
			.dev_id = mock->device,
			.pasid = pasid,
			.grpid = grpid,
			.perm = IOMMU_PGFAULT_PERM_READ |
				IOMMU_PGFAULT_PERM_WRITE,
			.addr = 0x1000000ULL + grpid * PAGE,
		},
	};

	return ioctl(mock->fd, IOMMU_TEST_CMD, &cmd);
}
