// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: the port "vtd": page requests in the ring of an emulated VT-d
 *
 * QEMU emulates the page request registers of VT-d, but has no device that uses them. This
 * file writes page request descriptors into the ring that intel-iommu has set up, moves
 * the tail and sends the interrupt, as the hardware would. The responses of intel-iommu go
 * into its invalidation queue, where a probe of the tracepoint qi_submit reads them. QEMU
 * does not know the function and drops them.
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
 * struct softacc_vtd_response - a page group response descriptor
 * @qw0: first quadword
 * @qw1: second quadword
 */
struct softacc_vtd_response {
	u64 qw0;
	u64 qw1;
};

/*
 * The one VT-d unit that all devices are behind. @responses is a ring buffer: @seen
 * responses were put into it by the tracepoint, and @taken were read by @work.
 * @responses_lock is taken under the lock of the invalidation queue.
 */
static struct {
	struct intel_iommu *iommu;
	void __iomem *msi;
	u64 *ring;
	unsigned int size;
	spinlock_t ring_lock; /* guards the ring and its tail */
	spinlock_t devices_lock; /* guards devices */
	struct softacc_dev *devices[SOFTACC_MAX_DEVICES];
	struct tracepoint *tracepoint;
	struct irq_work work;
	raw_spinlock_t responses_lock; /* guards responses, seen, taken */
	struct softacc_vtd_response responses[SOFTACC_VTD_RESPONSES];
	unsigned int seen;
	unsigned int taken;
} vtd;

/*
 * Let intel-iommu allow SVA on QEMU's VT-d. It requires ECAP.SMPWC, coherent page walks,
 * which QEMU does not report although the walks of an emulation are coherent. For tests
 * only.
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
 * A Page Request Group Index of VT-d has 9 bits. The engine uses the lower half of the
 * indices, injected requests the upper half.
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

/* VT-d 5.1, 7.4.1.1: Page Request Descriptor. */
static void softacc_vtd_write_desc(u64 *slot, const struct softacc_prq *prq, u32 flags)
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
 * Send the page request interrupt to the address that the driver has programmed, which
 * depends on its affinity. Unlike the hardware, this sends it even if one is pending,
 * because the pending bit (PRS.PPR) cannot be set from here.
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
	/* One slot remains free: a full ring would look like an empty one. */
	if (count > ((head - tail - 1) & mask)) {
		spin_unlock(&vtd.ring_lock);
		return SOFTACC_NO_ROOM;
	}
	for (i = 0; i < count; i++) {
		if (i == count - 1)
			prq.flags |= last;
		softacc_vtd_write_desc(vtd.ring + 4 * tail, &prq, prq.flags);
		prq.addr += PAGE_SIZE;
		tail = (tail + 1) & mask;
	}
	/* writeq() orders this after the descriptors. */
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

/* VT-d 5.1, 7.6.1: Page Group Response Descriptor. It has no LPIG bit. */
static void softacc_vtd_handle_response(const struct softacc_vtd_response *response)
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
			softacc_vtd_handle_response(&response);
	} while (more);
	spin_unlock_irqrestore(&vtd.devices_lock, flags);
}

/* Tracepoint probe, called under the lock of the invalidation queue, interrupts disabled. */
static void softacc_qi_submit(void *data, struct intel_iommu *iommu, u64 qw0,
			      u64 qw1, u64 qw2, u64 qw3)
{
	if ((qw0 & 0xf) != QI_PGRP_RESP_TYPE)
		return;
	raw_spin_lock(&vtd.responses_lock);
	/* There is room for a response to each index of a function. */
	if (!WARN_ON_ONCE(vtd.seen - vtd.taken == SOFTACC_VTD_RESPONSES))
		vtd.responses[vtd.seen++ % SOFTACC_VTD_RESPONSES] =
			(struct softacc_vtd_response){ qw0, qw1 };
	raw_spin_unlock(&vtd.responses_lock);
	irq_work_queue(&vtd.work);
}

/* Find the tracepoint, which is not exported. */
static void softacc_match_tracepoint(struct tracepoint *tp, void *data)
{
	if (!strcmp(tp->name, "qi_submit"))
		vtd.tracepoint = tp;
}

/* Return the VT-d unit that @dev is behind, or NULL if there is none that takes requests. */
static struct intel_iommu *softacc_find_vtd(struct device *dev)
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

static int softacc_vtd_set_unit(struct softacc_dev *sdev, struct intel_iommu *iommu)
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
	iommu = softacc_find_vtd(sdev->dev);
	if (iommu)
		ret = softacc_vtd_set_unit(sdev, iommu);
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
 * All PASIDs are unbound. If intel-iommu has not drained them, their requests may still be
 * in the ring: wait up to a second for the responses.
 */
static void softacc_vtd_remove(struct softacc_dev *sdev)
{
	int tries;
	int i;

	for (tries = 0; tries < 1000 && !softacc_is_idle(sdev); tries++)
		fsleep(1000);
	if (!softacc_is_idle(sdev))
		dev_err(sdev->dev, "%llu groups have no response\n",
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
		pr_err("softacc: this kernel has no tracepoint qi_submit\n");
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
