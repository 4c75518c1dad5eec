// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations: iommufd, its mock device and its fault queues
 *
 * Objects have small IDs, so random IDs are often those of objects, of the right kind
 * or of another one.
 */
#include <linux/iommufd.h>
#include <sys/ioctl.h>

#include "random.h"
#include "iommufd_test.h"

#define MAX_ID	16

/* The kernel has returned a file in @fd, or could not write it. */
static void add_queue(struct actor *actor, int fd)
{
	if (fd > 2 && fcntl(fd, F_GETFD) >= 0)
		add_file(actor->process, fd, KIND_FAULTS, queue_new(KIND_IOMMUFD));
}

static long ioas_alloc(struct actor *actor, int fd)
{
	struct iommu_ioas_alloc cmd = { .size = sizeof(cmd) };

	return do_ioctl(actor, fd, IOMMU_IOAS_ALLOC, &cmd, sizeof(cmd)) ?:
	       (long)cmd.out_ioas_id;
}

static long queue_alloc(struct actor *actor, int fd)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	long ret;

	ret = do_ioctl(actor, fd, IOMMU_FAULT_QUEUE_ALLOC, &cmd, sizeof(cmd));
	if (ret)
		return ret;
	add_queue(actor, cmd.out_fault_fd);
	return cmd.out_fault_id;
}

static long device_alloc(struct actor *actor, int fd, uint32_t ioas)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN,
		.id = ioas,
	};

#ifdef IOMMU_TEST_PASID_RESERVED
	if (rng_percent(&actor->rng, 50)) {
		cmd.op = IOMMU_TEST_OP_MOCK_DOMAIN_FLAGS;
		cmd.mock_domain_flags.dev_flags = MOCK_FLAGS_DEVICE_PASID;
	}
#endif
	return do_ioctl(actor, fd, IOMMU_TEST_CMD, &cmd, sizeof(cmd)) ?:
	       (long)cmd.mock_domain.out_idev_id;
}

static long parent_alloc(struct actor *actor, int fd, uint32_t device,
			 uint32_t ioas)
{
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_ALLOC_NEST_PARENT,
		.dev_id = device,
		.pt_id = ioas,
	};

	return do_ioctl(actor, fd, IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd)) ?:
	       (long)cmd.out_hwpt_id;
}

static long nested_alloc(struct actor *actor, int fd, uint32_t device,
			 uint32_t parent, uint32_t queue)
{
	struct iommu_hwpt_selftest data = { .iotlb = IOMMU_TEST_IOTLB_DEFAULT };
	struct iommu_hwpt_alloc cmd = {
		.size = sizeof(cmd),
		.flags = IOMMU_HWPT_FAULT_ID_VALID,
		.dev_id = device,
		.pt_id = parent,
		.data_type = IOMMU_HWPT_DATA_SELFTEST,
		.data_len = sizeof(data),
		.data_uptr = rng_percent(&actor->rng, 95) ?
			     (uintptr_t)&data : rng_next(&actor->rng),
		.fault_id = queue,
	};

	return do_ioctl(actor, fd, IOMMU_HWPT_ALLOC, &cmd, sizeof(cmd)) ?:
	       (long)cmd.out_hwpt_id;
}

static long replace(struct actor *actor, int fd, uint32_t stdev, uint32_t hwpt)
{
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_MOCK_DOMAIN_REPLACE,
		.id = stdev,
		.mock_domain_replace.pt_id = hwpt,
	};

	return do_ioctl(actor, fd, IOMMU_TEST_CMD, &cmd, sizeof(cmd));
}

/*
 * Create an address space, a device and two domains whose faults go to queues, unless
 * the kernel cannot access an argument.
 */
static void prepare(struct actor *actor, int fd)
{
	long ioas;
	long device;
	long parent;
	long hwpt = 0;
	int i;

	actor->careful = rng_percent(&actor->rng, 80);
	ioas = ioas_alloc(actor, fd);
	device = device_alloc(actor, fd, ioas);
	parent = parent_alloc(actor, fd, device, ioas);
	for (i = 0; i < 2; i++)
		hwpt = nested_alloc(actor, fd, device, parent,
				    queue_alloc(actor, fd));
	/* The ID of the device for the test interface precedes it. */
	replace(actor, fd, device - 1, hwpt);
	actor->careful = false;
}

long iommufd_open(struct actor *actor)
{
	struct step *step = trail_step(actor->trail, "open iommu", -1, 0, "");
	int fd = open("/dev/iommu", O_RDWR | O_CLOEXEC);

	fd = fd < 0 ? -errno : fd;
	atomic_store(&step->result, fd);
	if (fd < 0)
		return fd;
	if (rng_percent(&actor->rng, 80))
		prepare(actor, fd);
	add_file(actor->process, fd, KIND_IOMMUFD, -1);
	return fd;
}

static uint32_t random_id(struct rng *rng)
{
	return rng_percent(rng, 95) ? rng_below(rng, MAX_ID) : rng_next(rng);
}

static uint32_t random_pasid(struct rng *rng)
{
	return rng_percent(rng, 70) ? 0 : rng_percent(rng, 80) ?
	       rng_below(rng, 8) : rng_next(rng);
}

static long iommufd_allocate(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	int fd = atomic_load(&file->fd);

	switch (rng_below(rng, 5)) {
	case 0:
		return ioas_alloc(actor, fd);
	case 1:
		return queue_alloc(actor, fd);
	case 2:
		return device_alloc(actor, fd, random_id(rng));
	case 3:
		return parent_alloc(actor, fd, random_id(rng), random_id(rng));
	default:
		return nested_alloc(actor, fd, random_id(rng), random_id(rng),
				    random_id(rng));
	}
}

static long iommufd_replace(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;

	return replace(actor, atomic_load(&file->fd),
		       rng_percent(rng, 70) ? 2 : random_id(rng), random_id(rng));
}

static long iommufd_destroy(struct actor *actor, struct file *file)
{
	struct iommu_destroy cmd = {
		.size = sizeof(cmd), .id = random_id(&actor->rng),
	};

	return do_ioctl(actor, atomic_load(&file->fd), IOMMU_DESTROY, &cmd,
			sizeof(cmd));
}

/* In a prepared context the device is the third object. */
static long iommufd_fault(struct actor *actor, struct file *file)
{
	struct rng *rng = &actor->rng;
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_TRIGGER_IOPF,
		.trigger_iopf = {
			.dev_id = rng_percent(rng, 80) ? 3 : random_id(rng),
			.pasid = random_pasid(rng),
			.grpid = rng_below(rng, 512),
			.perm = rng_percent(rng, 80) ? 3 : rng_below(rng, 16),
			.addr = rng_next(rng) >> rng_below(rng, 64),
		},
	};

	return do_ioctl(actor, atomic_load(&file->fd), IOMMU_TEST_CMD, &cmd,
			sizeof(cmd));
}

/* 7.3 has PASID attachments. */
static long iommufd_pasid(struct actor *actor, struct file *file)
{
#ifdef IOMMU_TEST_PASID_RESERVED
	struct rng *rng = &actor->rng;
	struct iommu_test_cmd cmd = {
		.size = sizeof(cmd),
		.op = IOMMU_TEST_OP_PASID_ATTACH + rng_below(rng, 4),
		.id = rng_percent(rng, 70) ? 2 : random_id(rng),
		.pasid_attach = {
			.pasid = rng_below(rng, 8), .pt_id = random_id(rng),
		},
	};

	return do_ioctl(actor, atomic_load(&file->fd), IOMMU_TEST_CMD, &cmd,
			sizeof(cmd));
#else
	return 0;
#endif
}

/* Run the same commands with wrong sizes and reserved fields. */
static long iommufd_wrong(struct actor *actor, struct file *file)
{
	static const unsigned int commands[] = {
		IOMMU_DESTROY, IOMMU_IOAS_ALLOC, IOMMU_HWPT_ALLOC,
		IOMMU_FAULT_QUEUE_ALLOC, IOMMU_TEST_CMD,
	};
	struct rng *rng = &actor->rng;
	uint32_t content[32];
	unsigned int i;

	for (i = 0; i < 32; i++)
		content[i] = rng_percent(rng, 80) ? rng_below(rng, MAX_ID) :
						    rng_next(rng);
	content[0] = rng_percent(rng, 50) ? rng_below(rng, 129) : rng_next(rng);
	/* Not an operation of the test interface */
	content[1] |= 1U << 8;
	return do_ioctl(actor, atomic_load(&file->fd),
			commands[rng_below(rng, 5)], content, sizeof(content));
}

const struct operation iommufd_operations[] = {
	{ "allocate", 16, iommufd_allocate },
	{ "replace", 10, iommufd_replace },
	{ "destroy", 6, iommufd_destroy },
	{ "fault", 40, iommufd_fault },
	{ "pasid", 6, iommufd_pasid },
	{ "wrong", 6, iommufd_wrong },
	{ }
};

const struct operation faults_operations[] = {
	{ "read", 30, queue_read },
	{ "response", 40, queue_response },
	{ }
};
