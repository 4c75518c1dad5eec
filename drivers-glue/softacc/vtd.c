// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: the port "vtd": page requests in the ring of an emulated VT-d
 *
 * QEMU has VT-d's page request registers, but no device that uses them. This
 * writes page request descriptors into the ring that intel-iommu has set up,
 * moves the tail and sends the interrupt, all as the hardware would do it. What
 * intel-iommu answers goes into its invalidation queue, where a trace point sees
 * it; QEMU, which does not know of the function, drops it.
 */
#include <linux/delay.h>
#include <linux/irq_work.h>
#include <linux/tracepoint.h>

#include "core.h"
#include "iommu.h"

#define SOFTACC_VTD_INJECTED	256	/* indices from 256 on */
#define SOFTACC_VTD_RESPONSES	1024
#define SOFTACC_MSI_BASE	0xfee00000
#define SOFTACC_MSI_SIZE	0x100000

/**
 * struct softacc_vtd_response - a page group response descriptor, seen
 * @qw0: its first quadword
 * @qw1: its second
 */
struct softacc_vtd_response {
	u64 qw0;
	u64 qw1;
};

/*
 * There is one VT-d unit. @devices_lock guards @devices. @ring_lock guards the ring
 * and its tail. @responses_lock, which is taken under the lock of the invalidation
 * queue, guards @responses, of which @seen have come and @taken have been looked at.
 */
static struct {
	struct intel_iommu *iommu;
	void __iomem *msi;
	u64 *ring;
	unsigned int size;
	spinlock_t ring_lock; /* the ring and its tail */
	spinlock_t devices_lock; /* devices */
	struct softacc_dev *devices[SOFTACC_MAX_DEVICES];
	struct tracepoint *tracepoint;
	struct irq_work work;
	raw_spinlock_t responses_lock; /* answers, seen, taken */
	struct softacc_vtd_response responses[SOFTACC_VTD_RESPONSES];
	unsigned int seen;
	unsigned int taken;
} vtd;

/*
 * QEMU's VT-d lacks ECAP.SMPWC, a promise about the coherence of page walks that
 * an emulation keeps by its nature; intel-iommu does not do SVA without it. This
 * is the one place that says otherwise. For tests only.
 */
static void softacc_vtd_allow_sva(struct intel_iommu *iommu)
{
	iommu->flags |= VTD_FLAG_SVM_CAPABLE;
}

static u16 softacc_rid(struct softacc_dev *sdev)
{
	return pci_dev_id(to_pci_dev(sdev->dev));
}

/*
 * A page group index has 9 bits. The lower half belongs to the engine, the upper
 * half to injected requests.
 */
static u32 softacc_to_wire(u32 grpid)
{
	return grpid < SOFTACC_INJECT_GRPID ?
	       grpid : grpid - SOFTACC_INJECT_GRPID + SOFTACC_VTD_INJECTED;
}

static u32 softacc_from_wire(u32 index)
{
	return index < SOFTACC_VTD_INJECTED ?
	       index : index - SOFTACC_VTD_INJECTED + SOFTACC_INJECT_GRPID;
}

/* VT-d 4.1, 7.4.1.1: Page Request Descriptor. */
static void softacc_vtd_write(u64 *slot, const struct softacc_prq *prq, u32 flags)
{
	u64 qw0 = 1 | (u64)softacc_rid(prq->dev) << 16;
	u64 qw1 = (u64)softacc_to_wire(prq->grpid) << 3 | (prq->addr & PAGE_MASK);

	if (flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID)
		qw0 |= BIT_ULL(8) | (u64)prq->pasid << 32;
	if (prq->perm & IOMMU_FAULT_PERM_EXEC)
		qw0 |= BIT_ULL(52);
	if (prq->perm & IOMMU_FAULT_PERM_PRIV)
		qw0 |= BIT_ULL(53);
	if (prq->perm & IOMMU_FAULT_PERM_READ)
		qw1 |= BIT_ULL(0);
	if (prq->perm & IOMMU_FAULT_PERM_WRITE)
		qw1 |= BIT_ULL(1);
	if (flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE)
		qw1 |= BIT_ULL(2);
	slot[0] = qw0;
	slot[1] = qw1;
	slot[2] = 0;
	slot[3] = 0;
}

/*
 * Where the driver wants it, which may change with its affinity. It is sent
 * whenever there is something new, as the bit that says whether one is under way
 * (PRS.PPR) cannot be set from here.
 */
static void softacc_vtd_interrupt(void)
{
	void __iomem *reg = vtd.iommu->reg;
	u32 addr = readl(reg + DMAR_PEADDR_REG);

	if (addr - SOFTACC_MSI_BASE < SOFTACC_MSI_SIZE)
		writel(readl(reg + DMAR_PEDATA_REG),
		       vtd.msi + (addr - SOFTACC_MSI_BASE));
}

static enum softacc_sent softacc_vtd_post(const struct softacc_prq *first,
					  unsigned int count)
{
	void __iomem *reg = vtd.iommu->reg;
	struct softacc_prq prq = *first;
	u32 last = first->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;
	unsigned int mask = vtd.size - 1;
	unsigned int head;
	unsigned int tail;
	unsigned int i;

	if (!softacc_pci_pri_enabled(to_pci_dev(first->dev->dev)))
		return SOFTACC_NO_ROOM;
	prq.flags &= ~last;
	spin_lock(&vtd.ring_lock);
	head = readq(reg + DMAR_PQH_REG) / 32 & mask;
	tail = readq(reg + DMAR_PQT_REG) / 32 & mask;
	/* A full ring would look like an empty one. */
	if (count > ((head - tail - 1) & mask)) {
		spin_unlock(&vtd.ring_lock);
		return SOFTACC_NO_ROOM;
	}
	for (i = 0; i < count; i++) {
		if (i == count - 1)
			prq.flags |= last;
		softacc_vtd_write(vtd.ring + 4 * tail, &prq, prq.flags);
		prq.addr += PAGE_SIZE;
		tail = (tail + 1) & mask;
	}
	/* After the descriptors: writeq() orders. */
	writeq((u64)tail * 32, reg + DMAR_PQT_REG);
	spin_unlock(&vtd.ring_lock);
	return SOFTACC_SENT;
}

static unsigned int softacc_vtd_capacity(void)
{
	return vtd.size - 1;
}

static enum iommu_page_response_code softacc_from_pri(u64 code)
{
	switch (code) {
	case 0x0:
		return IOMMU_PAGE_RESP_SUCCESS;
	case 0x1:
		return IOMMU_PAGE_RESP_INVALID;
	default:
		return IOMMU_PAGE_RESP_FAILURE;
	}
}

/* VT-d 4.1, 7.7.1: Page Group Response Descriptor. It tells of whole groups. */
static void softacc_vtd_response(const struct softacc_vtd_response *response)
{
	u16 rid = response->qw0 >> 16;
	int i;

	for (i = 0; i < SOFTACC_MAX_DEVICES; i++) {
		struct softacc_dev *sdev = vtd.devices[i];

		if (!sdev || softacc_rid(sdev) != rid)
			continue;
		softacc_respond(sdev, response->qw0 & BIT_ULL(4),
				response->qw0 >> 32 & 0xfffff,
				softacc_from_wire(response->qw1 >> 3 & 0x1ff), true,
				softacc_from_pri(response->qw0 >> 12 & 0xf));
	}
}

static void softacc_vtd_work(struct irq_work *work)
{
	struct softacc_vtd_response response;
	unsigned long flags;
	bool more;

	spin_lock_irqsave(&vtd.devices_lock, flags);
	do {
		raw_spin_lock(&vtd.responses_lock);
		more = vtd.taken != vtd.seen;
		if (more)
			response = vtd.responses[vtd.taken++ % SOFTACC_VTD_RESPONSES];
		raw_spin_unlock(&vtd.responses_lock);
		if (more)
			softacc_vtd_response(&response);
	} while (more);
	spin_unlock_irqrestore(&vtd.devices_lock, flags);
}

/* Called with the lock of the invalidation queue, interrupts off. */
static void softacc_qi_submit(void *data, struct intel_iommu *iommu, u64 qw0,
			      u64 qw1, u64 qw2, u64 qw3)
{
	if ((qw0 & 0xf) != QI_PGRP_RESP_TYPE)
		return;
	raw_spin_lock(&vtd.responses_lock);
	/* The function has no more indices than there is room. */
	if (!WARN_ON_ONCE(vtd.seen - vtd.taken == SOFTACC_VTD_RESPONSES))
		vtd.responses[vtd.seen++ % SOFTACC_VTD_RESPONSES] =
			(struct softacc_vtd_response){ qw0, qw1 };
	raw_spin_unlock(&vtd.responses_lock);
	irq_work_queue(&vtd.work);
}

/* The trace point is not exported by its own name. */
static void softacc_match_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "qi_submit"))
		vtd.tracepoint = tp;
}

/* The unit that @dev is behind, if it is a VT-d that takes page requests. */
static struct intel_iommu *softacc_vtd_of(struct device *dev)
{
	struct iommu_device *unit = dev->iommu ? dev->iommu->iommu_dev : NULL;
	struct device_domain_info *info;

	if (!unit || !unit->dev || strncmp(dev_name(unit->dev), "dmar", 4)) {
		dev_err(dev, "no VT-d has taken this function; kernel: intel_iommu=on,sm_on\n");
		return NULL;
	}
	info = dev_iommu_priv_get(dev);
	if (!info->pri_supported || !info->pasid_supported) {
		dev_err(dev, "this VT-d takes no page requests; QEMU 10.2 or newer: -device intel-iommu,scalable-mode=on,fsts=on,svm=on,pasid-bits=20,device-iotlb=on\n");
		return NULL;
	}
	return info->iommu;
}

static int softacc_vtd_use(struct softacc_dev *sdev, struct intel_iommu *iommu)
{
	u64 pqa = readq(iommu->reg + DMAR_PQA_REG);

	if (vtd.iommu && vtd.iommu != iommu) {
		dev_err(sdev->dev, "all functions have to be behind the same VT-d unit\n");
		return -EINVAL;
	}
	vtd.iommu = iommu;
	vtd.ring = phys_to_virt(pqa & PAGE_MASK);
	vtd.size = (SZ_4K << (pqa & 7)) / 32;
	softacc_vtd_allow_sva(iommu);
	return 0;
}

static int softacc_vtd_add(struct softacc_dev *sdev, int id)
{
	struct pci_dev *pdev = softacc_pci_add(id);
	struct intel_iommu *iommu;
	int ret = -ENODEV;

	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	sdev->dev = &pdev->dev;
	iommu = softacc_vtd_of(sdev->dev);
	if (iommu)
		ret = softacc_vtd_use(sdev, iommu);
	if (ret) {
		softacc_pci_remove(pdev);
		return ret;
	}
	pci_set_drvdata(pdev, sdev);
	spin_lock_irq(&vtd.devices_lock);
	vtd.devices[id] = sdev;
	spin_unlock_irq(&vtd.devices_lock);
	return 0;
}

static bool softacc_is_idle(struct softacc_dev *sdev)
{
	bool idle;

	spin_lock_irq(&sdev->lock);
	idle = !sdev->stats.outstanding;
	spin_unlock_irq(&sdev->lock);
	return idle;
}

/*
 * All PASIDs are unbound. An intel-iommu that does not drain them may still have
 * requests in the ring, whose responses come in a moment.
 */
static void softacc_vtd_remove(struct softacc_dev *sdev)
{
	int tries;
	int i;

	for (tries = 0; tries < 1000 && !softacc_is_idle(sdev); tries++)
		fsleep(1000);
	if (!softacc_is_idle(sdev))
		dev_err(sdev->dev, "%llu groups have got no answer\n",
			sdev->stats.outstanding);
	spin_lock_irq(&vtd.devices_lock);
	for (i = 0; i < SOFTACC_MAX_DEVICES; i++)
		if (vtd.devices[i] == sdev)
			vtd.devices[i] = NULL;
	spin_unlock_irq(&vtd.devices_lock);
	softacc_pci_remove(to_pci_dev(sdev->dev));
}

static int softacc_vtd_init(void)
{
	int ret;

	spin_lock_init(&vtd.ring_lock);
	spin_lock_init(&vtd.devices_lock);
	raw_spin_lock_init(&vtd.responses_lock);
	init_irq_work(&vtd.work, softacc_vtd_work);
	for_each_kernel_tracepoint(softacc_match_tracepoint, NULL);
	if (!vtd.tracepoint) {
		pr_err("softacc: this kernel has no trace point qi_submit\n");
		return -ENODEV;
	}
	vtd.msi = ioremap(SOFTACC_MSI_BASE, SOFTACC_MSI_SIZE);
	if (!vtd.msi)
		return -ENOMEM;
	ret = tracepoint_probe_register(vtd.tracepoint, softacc_qi_submit, NULL);
	if (ret)
		goto err_msi;
	ret = softacc_pci_init();
	if (ret)
		goto err_probe;
	return 0;

err_probe:
	tracepoint_probe_unregister(vtd.tracepoint, softacc_qi_submit, NULL);
	tracepoint_synchronize_unregister();
err_msi:
	iounmap(vtd.msi);
	return ret;
}

static void softacc_vtd_exit(void)
{
	softacc_pci_exit();
	tracepoint_probe_unregister(vtd.tracepoint, softacc_qi_submit, NULL);
	tracepoint_synchronize_unregister();
	irq_work_sync(&vtd.work);
	iounmap(vtd.msi);
}

const struct softacc_port softacc_vtd_port = {
	.name = "vtd",
	.prg_bits = 8,
	.max_prg_bits = 8,
	.injected = SOFTACC_VTD_INJECTED,
	.init = softacc_vtd_init,
	.exit = softacc_vtd_exit,
	.add = softacc_vtd_add,
	.remove = softacc_vtd_remove,
	.post = softacc_vtd_post,
	.interrupt = softacc_vtd_interrupt,
	.capacity = softacc_vtd_capacity,
};
