// SPDX-License-Identifier: GPL-2.0
/*
 * VT-d page requests on the I/O page fault queue: registers, interrupt, setup, suspend
 *
 * Provides the functions of drivers/iommu/intel/prq.c, and is built in place of it with
 * CONFIG_IOPF_INTEL_PRQ.
 */
#include <linux/interrupt.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "compat.h"
#include "prq.h"

/* Registers of the page request interrupt: PECTL, PEDATA, PEADDR and PEUADDR. */
#define NR_EVENT_REGS	4

/**
 * struct intel_prq - the page request queue of a VT-d unit
 * @prq: the part that is independent of registers
 * @iommu: the unit
 * @pqa: value of PQA while hardware has the ring
 * @event_regs: values of the interrupt's registers, saved for suspend
 */
struct intel_prq {
	struct vtd_prq prq;
	struct intel_iommu *iommu;
	u64 pqa;
	u32 event_regs[NR_EVENT_REGS];
};

/* Indexed by intel_iommu.seq_id, because struct intel_iommu has no field for it. */
static DEFINE_XARRAY(intel_prqs);

static struct intel_prq *to_intel_prq(struct vtd_prq *prq)
{
	return container_of(prq, struct intel_prq, prq);
}

static struct vtd_prq *intel_prq_lookup(struct intel_iommu *iommu)
{
	struct intel_prq *iprq = xa_load(&intel_prqs, iommu->seq_id);

	return iprq ? &iprq->prq : NULL;
}

static unsigned int intel_prq_read_head(struct vtd_prq *prq)
{
	struct intel_iommu *iommu = to_intel_prq(prq)->iommu;

	return (readq(iommu->reg + DMAR_PQH_REG) & PRQ_RING_MASK) / 32;
}

static unsigned int intel_prq_read_tail(struct vtd_prq *prq)
{
	struct intel_iommu *iommu = to_intel_prq(prq)->iommu;

	return (readq(iommu->reg + DMAR_PQT_REG) & PRQ_RING_MASK) / 32;
}

static void intel_prq_write_head(struct vtd_prq *prq, unsigned int head)
{
	struct intel_iommu *iommu = to_intel_prq(prq)->iommu;

	writeq((u64)head * 32, iommu->reg + DMAR_PQH_REG);
}

static u32 intel_prq_read_status(struct vtd_prq *prq)
{
	return readl(to_intel_prq(prq)->iommu->reg + DMAR_PRS_REG);
}

static void intel_prq_clear_status(struct vtd_prq *prq, u32 bits)
{
	writel(bits, to_intel_prq(prq)->iommu->reg + DMAR_PRS_REG);
}

/* Devices are released under iopf_lock. */
static void intel_prq_lock_devices(struct vtd_prq *prq)
{
	mutex_lock(&to_intel_prq(prq)->iommu->iopf_lock);
}

static void intel_prq_unlock_devices(struct vtd_prq *prq)
{
	mutex_unlock(&to_intel_prq(prq)->iommu->iopf_lock);
}

static void intel_prq_trace(struct intel_iommu *iommu, struct device *dev,
			    const struct iopf_request *request)
{
	const struct iommu_fault_page_request *prm = &request->fault.prm;
	bool pasid = prm->flags & IOMMU_FAULT_PAGE_REQUEST_PASID_VALID;
	bool last = prm->flags & IOMMU_FAULT_PAGE_REQUEST_LAST_PAGE;

	/* Requests are decoded already: encode again what the event shows. */
	trace_prq_report(iommu, dev,
			 (u64)prm->pasid << 32 | (u64)pasid << 8 |
			 (u64)to_pci_dev(dev)->devfn << 16 |
			 (u64)to_pci_dev(dev)->bus->number << 24,
			 prm->addr | (u64)prm->grpid << 3 | (u64)last << 2 |
			 (prm->perm & (IOMMU_FAULT_PERM_READ |
				       IOMMU_FAULT_PERM_WRITE)),
			 request->private_data[0], request->private_data[1],
			 iommu->prq_seq_number++);
}

static int intel_prq_report(struct vtd_prq *prq, u16 rid,
			    const struct iopf_request *requests,
			    unsigned int count)
{
	struct intel_iommu *iommu = to_intel_prq(prq)->iommu;
	struct device *dev = device_rbtree_find(iommu, rid);
	unsigned int i;

	if (!dev)
		return -ENODEV;
	if (trace_prq_report_enabled())
		for (i = 0; i < count; i++)
			intel_prq_trace(iommu, dev, &requests[i]);
	/* The library has sent the responses of requests that it did not take. */
	iopf_report_requests(dev, requests, count);
	return 0;
}

/* Return the first device if @node is NULL, or the one after @node. */
static struct rb_node *intel_prq_next_device(struct intel_iommu *iommu,
					     struct rb_node *node)
{
	unsigned long flags;

	spin_lock_irqsave(&iommu->device_rbtree_lock, flags);
	node = node ? rb_next(node) : rb_first(&iommu->device_rbtree);
	spin_unlock_irqrestore(&iommu->device_rbtree_lock, flags);
	return node;
}

/*
 * Devices are not released meanwhile, so the current node stays in the tree. Devices that
 * are added meanwhile have no requests from before the reset and may be missed.
 */
static void intel_prq_reset_devices(struct vtd_prq *prq)
{
	struct intel_iommu *iommu = to_intel_prq(prq)->iommu;
	struct rb_node *node = NULL;

	while ((node = intel_prq_next_device(iommu, node))) {
		struct device_domain_info *info;

		info = rb_entry(node, struct device_domain_info, node);
		/* Fails for devices that are on no fault queue, which is harmless. */
		iopf_queue_reset_dev(info->dev);
	}
}

static int intel_prq_submit(struct vtd_prq *prq, struct vtd_prq_desc *descs,
			    unsigned int count)
{
	BUILD_BUG_ON(sizeof(struct vtd_prq_desc) != sizeof(struct qi_desc));
	BUILD_BUG_ON(IOPF_MAX_RESPONSES + 2 > QI_LENGTH / 2);
	return qi_submit_sync(to_intel_prq(prq)->iommu, (struct qi_desc *)descs,
			      count, 0);
}

/*
 * Submit the descriptors that drain the page requests of a PASID (7.10): a fenced wait
 * descriptor with page request drain, then further invalidations of IOTLB and device TLB.
 */
static int intel_prq_submit_drain(struct vtd_prq *prq, struct device *dev, u32 pasid)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct intel_iommu *iommu = info->iommu;
	u16 sid = PCI_DEVID(info->bus, info->devfn);
	struct qi_desc desc[3] = { };
	u16 did = info->domain ? domain_id_iommu(info->domain, iommu) :
				 FLPT_DEFAULT_DID;

	desc[0].qw0 = QI_IWD_STATUS_DATA(QI_DONE) | QI_IWD_FENCE | QI_IWD_TYPE;
	if (pasid == IOMMU_NO_PASID) {
		qi_desc_iotlb(iommu, did, 0, 0, DMA_TLB_DSI_FLUSH, &desc[1]);
		qi_desc_dev_iotlb(sid, info->pfsid, info->ats_qdep, 0,
				  MAX_AGAW_PFN_WIDTH, &desc[2]);
	} else {
		qi_desc_piotlb_all(did, pasid, &desc[1]);
		qi_desc_dev_iotlb_pasid(sid, info->pfsid, pasid, info->ats_qdep,
					0, MAX_AGAW_PFN_WIDTH, &desc[2]);
	}
	return qi_submit_sync(iommu, desc, ARRAY_SIZE(desc), QI_OPT_WAIT_DRAIN);
}

/*
 * Clear Page Request Enable (9.4) in the context entry of a device, so that hardware takes
 * no page requests from it. Return -EALREADY if there is nothing to clear.
 */
static int intel_prq_disable_context(struct device_domain_info *info)
{
	struct intel_iommu *iommu = info->iommu;
	struct context_entry *context = NULL;
	int ret = -EALREADY;
	u16 did = 0;

	spin_lock(&iommu->lock);
	if (!context_copied(iommu, info->bus, info->devfn))
		context = iommu_context_addr(iommu, info->bus, info->devfn, 0);
	if (context && context_present(context) && prq_is_enabled(context)) {
		did = context_domain_id(context);
		context_clear_sm_pre(context);
		if (!ecap_coherent(iommu->ecap))
			clflush_cache_range(context, sizeof(*context));
		ret = 0;
	}
	spin_unlock(&iommu->lock);
	if (!ret)
		intel_context_flush_no_pasid(info, context, did,
					     PCI_DEVID(info->bus, info->devfn));
	return ret;
}

/*
 * Clear the device's own PRI enable bit, too; a broken device may ignore that. Leave
 * pdev->pri_enabled set, because intel-iommu disables PRI again when the device is
 * released; after that, or after a reset, PRI can be enabled as usual. Virtual functions
 * have no enable bit of their own.
 */
static void intel_prq_disable_pri(struct pci_dev *pdev)
{
	u16 control;

	if (pdev->is_virtfn || !pdev->pri_cap)
		return;
	pci_read_config_word(pdev, pdev->pri_cap + PCI_PRI_CTRL, &control);
	pci_write_config_word(pdev, pdev->pri_cap + PCI_PRI_CTRL,
			      control & ~PCI_PRI_CTRL_ENABLE);
}

static int intel_prq_disable_requester(struct vtd_prq *prq, u16 rid)
{
	struct intel_iommu *iommu = to_intel_prq(prq)->iommu;
	struct device *dev;
	int ret = -ENODEV;

	mutex_lock(&iommu->iopf_lock);
	dev = device_rbtree_find(iommu, rid);
	if (dev)
		ret = intel_prq_disable_context(dev_iommu_priv_get(dev));
	if (!ret)
		intel_prq_disable_pri(to_pci_dev(dev));
	mutex_unlock(&iommu->iopf_lock);
	return ret;
}

static void intel_prq_wake_thread(struct vtd_prq *prq)
{
	struct intel_prq *iprq = to_intel_prq(prq);

	irq_wake_thread(iprq->iommu->pr_irq, iprq);
}

static const struct vtd_prq_ops intel_prq_ops = {
	.read_head = intel_prq_read_head,
	.read_tail = intel_prq_read_tail,
	.write_head = intel_prq_write_head,
	.read_status = intel_prq_read_status,
	.clear_status = intel_prq_clear_status,
	.lock_devices = intel_prq_lock_devices,
	.unlock_devices = intel_prq_unlock_devices,
	.report = intel_prq_report,
	.reset_devices = intel_prq_reset_devices,
	.submit = intel_prq_submit,
	.drain = intel_prq_submit_drain,
	.disable = intel_prq_disable_requester,
	.wake_thread = intel_prq_wake_thread,
};

static irqreturn_t intel_prq_thread(int irq, void *data)
{
	struct intel_prq *iprq = data;

	return IRQ_RETVAL(vtd_prq_run(&iprq->prq));
}

static void intel_prq_page_responses(struct device *dev,
				     const struct iopf_response *responses,
				     unsigned int count)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct vtd_prq *prq = intel_prq_lookup(info->iommu);

	if (prq)
		vtd_prq_respond(prq, PCI_DEVID(info->bus, info->devfn),
				responses, count);
}

static const struct iopf_queue_ops intel_prq_queue_ops = {
	.page_responses = intel_prq_page_responses,
};

/* iommu_ops.page_response, for fault queues without page_responses. */
void intel_iommu_page_response(struct device *dev, struct iopf_fault *evt,
			       struct iommu_page_response *msg)
{
	struct iopf_response response = {
		.fault = evt->fault,
		.msg = *msg,
	};

	intel_prq_page_responses(dev, &response, 1);
}

/**
 * intel_iommu_drain_pasid_prq() - Drain the page requests of a PASID
 * @dev: the device
 * @pasid: the PASID, or %IOMMU_NO_PASID for requests without one
 *
 * See vtd_prq_drain(), which logs errors; callers cannot handle them.
 *
 * Context: Process context, may sleep. The device has stopped using @pasid, its PASID
 * entry is cleared, and IOTLB and device TLB are invalidated.
 */
void intel_iommu_drain_pasid_prq(struct device *dev, u32 pasid)
{
	struct device_domain_info *info = dev_iommu_priv_get(dev);
	struct vtd_prq *prq = intel_prq_lookup(info->iommu);

	if (prq && prq_is_on_queue(info))
		vtd_prq_drain(prq, dev, pasid);
}

/* Give the ring to hardware, empty. Called in any context. */
static void intel_prq_enable_ring(struct intel_prq *iprq)
{
	struct intel_iommu *iommu = iprq->iommu;

	writeq(0ULL, iommu->reg + DMAR_PQH_REG);
	writeq(0ULL, iommu->reg + DMAR_PQT_REG);
	writeq(virt_to_phys(iommu->prq) | PRQ_ORDER, iommu->reg + DMAR_PQA_REG);
	iprq->pqa = readq(iommu->reg + DMAR_PQA_REG);
}

/* Take the ring from hardware, which writes nothing to it after this. */
static void intel_prq_disable_ring(struct intel_iommu *iommu)
{
	writeq(0ULL, iommu->reg + DMAR_PQH_REG);
	writeq(0ULL, iommu->reg + DMAR_PQT_REG);
	writeq(0ULL, iommu->reg + DMAR_PQA_REG);
	readq(iommu->reg + DMAR_PQA_REG);
}

/* Allocate what @iprq needs. Pointers that intel-iommu uses go to struct intel_iommu. */
static int intel_prq_set_up(struct intel_prq *iprq)
{
	struct intel_iommu *iommu = iprq->iommu;
	struct vtd_prq *prq = &iprq->prq;
	int irq;

	snprintf(iommu->iopfq_name, sizeof(iommu->iopfq_name), "dmar%d-iopfq",
		 iommu->seq_id);
	snprintf(iommu->prq_name, sizeof(iommu->prq_name), "dmar%d-prq",
		 iommu->seq_id);
	init_completion(&iommu->prq_complete);
	vtd_prq_init(prq);
	prq->ops = &intel_prq_ops;
	prq->name = iommu->prq_name;
	prq->format = PRQ_FORMAT;
	prq->size = PRQ_DEPTH;

	prq->ring = prq_alloc_ring(iommu);
	iommu->prq = prq->ring;
	if (!prq->ring)
		return -ENOMEM;
	prq->queue = iopf_queue_alloc(iommu->iopfq_name);
	iommu->iopf_queue = prq->queue;
	if (!prq->queue)
		return -ENOMEM;
	iopf_queue_set_ops(prq->queue, &intel_prq_queue_ops);

	irq = dmar_alloc_hwirq(IOMMU_IRQ_ID_OFFSET_PRQ + iommu->seq_id,
			       iommu->node, iommu);
	if (irq <= 0)
		return -EINVAL;
	iommu->pr_irq = irq;
	return xa_err(xa_store(&intel_prqs, iommu->seq_id, iprq, GFP_KERNEL));
}

/*
 * Free @iprq and what intel_prq_set_up() has allocated, also if that failed half way. The
 * interrupt has no thread any more, and hardware no ring.
 */
static void intel_prq_tear_down(struct intel_prq *iprq)
{
	struct intel_iommu *iommu = iprq->iommu;

	if (iommu->pr_irq)
		dmar_free_hwirq(iommu->pr_irq);
	iommu->pr_irq = 0;
	iopf_queue_free(iommu->iopf_queue);
	iommu->iopf_queue = NULL;
	xa_erase(&intel_prqs, iommu->seq_id);
	if (iommu->prq)
		prq_free_ring(iommu->prq);
	iommu->prq = NULL;
	kfree(iprq);
}

/*
 * Hardware gets the ring before the interrupt gets its thread, so that the thread reads
 * valid registers. Status bits that a previous kernel has left are cleared last.
 */
static int intel_prq_enable(struct intel_prq *iprq)
{
	struct intel_iommu *iommu = iprq->iommu;
	int ret;

	intel_prq_enable_ring(iprq);
	ret = request_threaded_irq(iommu->pr_irq, NULL, intel_prq_thread,
				   IRQF_ONESHOT, iommu->prq_name, iprq);
	if (ret) {
		intel_prq_disable_ring(iommu);
		return ret;
	}
	vtd_prq_start(&iprq->prq);
	return 0;
}

/**
 * intel_iommu_enable_prq() - Enable page requests of a VT-d unit
 * @iommu: the unit
 *
 * Context: Process context, may sleep.
 * Return: 0 or a negative errno.
 */
int intel_iommu_enable_prq(struct intel_iommu *iommu)
{
	struct intel_prq *iprq;
	int ret;

	iprq = kzalloc(sizeof(*iprq), GFP_KERNEL);
	if (!iprq)
		return -ENOMEM;
	iprq->iommu = iommu;
	ret = intel_prq_set_up(iprq);
	if (!ret)
		ret = intel_prq_enable(iprq);
	if (ret) {
		pr_err("%s: no page requests, error %d\n", iommu->name, ret);
		intel_prq_tear_down(iprq);
	}
	return ret;
}

/**
 * intel_iommu_finish_prq() - Disable page requests of a VT-d unit
 * @iommu: the unit
 *
 * The interrupt is freed before the registers are cleared: with a cleared tail register,
 * the thread would report old requests again.
 *
 * Context: Process context, may sleep. No device is on the unit's fault queue.
 * Return: 0.
 */
int intel_iommu_finish_prq(struct intel_iommu *iommu)
{
	struct vtd_prq *prq = intel_prq_lookup(iommu);

	if (prq)
		free_irq(iommu->pr_irq, to_intel_prq(prq));
	intel_prq_disable_ring(iommu);
	if (prq)
		intel_prq_tear_down(to_intel_prq(prq));
	return 0;
}

/* PECTL, PEDATA, PEADDR and PEUADDR are adjacent. */
static void __iomem *intel_prq_event_reg(struct intel_iommu *iommu, unsigned int i)
{
	return iommu->reg + DMAR_PECTL_REG + 4 * i;
}

/* Save the interrupt's registers, as intel-iommu does for its fault interrupt. */
static int intel_prq_suspend(void)
{
	struct intel_prq *iprq;
	unsigned long index;
	unsigned int i;

	xa_for_each(&intel_prqs, index, iprq)
		for (i = 0; i < NR_EVENT_REGS; i++)
			iprq->event_regs[i] =
				readl(intel_prq_event_reg(iprq->iommu, i));
	return 0;
}

/*
 * Return true if hardware was reset since it got the ring, or has got the ring of another
 * kernel meanwhile. The thread does not run during resume, so the head register has to
 * have the value that was written last.
 */
static bool intel_prq_is_reset(struct intel_prq *iprq)
{
	return readq(iprq->iommu->reg + DMAR_PQA_REG) != iprq->pqa ||
	       intel_prq_read_head(&iprq->prq) != READ_ONCE(iprq->prq.head);
}

/* Restore the interrupt, and give hardware the ring again if it was reset. */
static void intel_prq_resume_unit(struct intel_prq *iprq)
{
	struct intel_iommu *iommu = iprq->iommu;
	unsigned int i;

	/* PECTL is last: until then the interrupt is masked, or its registers were valid. */
	for (i = NR_EVENT_REGS; i--; )
		writel(iprq->event_regs[i], intel_prq_event_reg(iommu, i));
	if (intel_prq_is_reset(iprq)) {
		intel_prq_enable_ring(iprq);
		vtd_prq_restart(&iprq->prq);
	} else {
		intel_prq_wake_thread(&iprq->prq);
	}
}

/*
 * Runs before intel-iommu enables translation: intel-iommu registers its own callbacks
 * later, and resume callbacks are called in the order of registration.
 */
static void intel_prq_resume(void)
{
	struct intel_prq *iprq;
	unsigned long index;

	xa_for_each(&intel_prqs, index, iprq)
		intel_prq_resume_unit(iprq);
}

PRQ_SYSCORE(intel_prq_syscore, intel_prq_suspend, intel_prq_resume);

static int __init intel_prq_init(void)
{
	if (IS_ENABLED(CONFIG_PM_SLEEP))
		prq_register_syscore(&intel_prq_syscore);
	return 0;
}
core_initcall(intel_prq_init);
