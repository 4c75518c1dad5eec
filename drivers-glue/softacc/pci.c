// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: PCI functions without hardware
 *
 * The bus of a PCIe root port with nothing behind it gets other config space operations.
 * They show a function with the capabilities that shared virtual addressing needs: ATS,
 * PRI and PASID. The PCI core finds this function, and the driver of the root port's IOMMU
 * probes it like any other.
 */
#include <linux/pci.h>
#include <linux/unaligned.h>

#include "core.h"

/* The vendor ID is that of QEMU's own devices, none of which has this device ID. */
#define SOFTACC_PCI_VENDOR	0x1234
#define SOFTACC_PCI_DEVICE	0xacc0
#define SOFTACC_PCI_CLASS	0x120000 /* processing accelerator */

#define SOFTACC_PCI_EXP		0x40
#define SOFTACC_PCI_ATS		0x100
#define SOFTACC_PCI_PRI		0x110
#define SOFTACC_PCI_PASID	0x120

#define SOFTACC_PCI_MAX_REQUESTS	4096

/**
 * struct softacc_slot - a function and its bus
 * @bus: the bus behind the root port
 * @old: previous config space operations of the bus
 * @config: the config space; guarded by the PCI core's config lock
 */
struct softacc_slot {
	struct pci_bus *bus;
	struct pci_ops *old;
	u8 config[PCI_CFG_SPACE_EXP_SIZE];
};

static struct softacc_slot *softacc_slots[SOFTACC_MAX_DEVICES];

static struct softacc_slot *softacc_find_slot(struct pci_bus *bus)
{
	int i;

	for (i = 0; i < SOFTACC_MAX_DEVICES; i++)
		if (softacc_slots[i] && softacc_slots[i]->bus == bus)
			return softacc_slots[i];
	return NULL;
}

static int softacc_pci_read(struct pci_bus *bus, unsigned int devfn, int where,
			    int size, u32 *value)
{
	struct softacc_slot *slot = softacc_find_slot(bus);
	int i;

	if (!slot || devfn) {
		PCI_SET_ERROR_RESPONSE(value);
		return PCIBIOS_DEVICE_NOT_FOUND;
	}
	*value = 0;
	for (i = 0; i < size; i++)
		*value |= (u32)slot->config[where + i] << (8 * i);
	return PCIBIOS_SUCCESSFUL;
}

/* PRI is stopped at once: softacc_vtd_post() reads the enable bit each time. */
static void softacc_write_pri(struct softacc_slot *slot, u16 control)
{
	u8 *pri = slot->config + SOFTACC_PCI_PRI;
	u16 status = PCI_PRI_STATUS_PASID;

	control &= PCI_PRI_CTRL_ENABLE;
	if (!control)
		status |= PCI_PRI_STATUS_STOPPED;
	put_unaligned_le16(control, pri + PCI_PRI_CTRL);
	put_unaligned_le16(status, pri + PCI_PRI_STATUS);
}

/* Writes to anything but control registers are ignored. */
static int softacc_pci_write(struct pci_bus *bus, unsigned int devfn, int where,
			     int size, u32 value)
{
	struct softacc_slot *slot = softacc_find_slot(bus);

	if (!slot || devfn)
		return PCIBIOS_DEVICE_NOT_FOUND;
	switch (where) {
	case PCI_COMMAND:
		put_unaligned_le16(value & PCI_COMMAND_MASTER,
				   slot->config + where);
		break;
	case SOFTACC_PCI_EXP + PCI_EXP_DEVCTL:
	case SOFTACC_PCI_EXP + PCI_EXP_DEVCTL2:
	case SOFTACC_PCI_ATS + PCI_ATS_CTRL:
	case SOFTACC_PCI_PASID + PCI_PASID_CTRL:
		put_unaligned_le16(value, slot->config + where);
		break;
	case SOFTACC_PCI_PRI + PCI_PRI_CTRL:
		softacc_write_pri(slot, value);
		break;
	case SOFTACC_PCI_PRI + PCI_PRI_ALLOC_REQ:
		put_unaligned_le32(value, slot->config + where);
		break;
	}
	return PCIBIOS_SUCCESSFUL;
}

static struct pci_ops softacc_pci_ops = {
	.read = softacc_pci_read,
	.write = softacc_pci_write,
};

static void softacc_put_ext_cap(u8 *config, u16 at, u16 id, u16 next)
{
	put_unaligned_le32(id | 1 << 16 | next << 20, config + at);
}

static void softacc_make_config(struct softacc_slot *slot)
{
	u8 *config = slot->config;
	u8 *cap;

	put_unaligned_le16(SOFTACC_PCI_VENDOR, config + PCI_VENDOR_ID);
	put_unaligned_le16(SOFTACC_PCI_DEVICE, config + PCI_DEVICE_ID);
	put_unaligned_le16(PCI_STATUS_CAP_LIST, config + PCI_STATUS);
	put_unaligned_le32(SOFTACC_PCI_CLASS << 8, config + PCI_CLASS_REVISION);
	config[PCI_CAPABILITY_LIST] = SOFTACC_PCI_EXP;

	/* An endpoint on an x1 link that takes End-End TLP prefixes, which carry PASIDs. */
	cap = config + SOFTACC_PCI_EXP;
	cap[PCI_CAP_LIST_ID] = PCI_CAP_ID_EXP;
	put_unaligned_le16(2, cap + PCI_EXP_FLAGS);
	put_unaligned_le32(PCI_EXP_DEVCAP_RBER, cap + PCI_EXP_DEVCAP);
	put_unaligned_le32(PCI_EXP_LNKCAP_SLS_2_5GB | 1 << 4,
			   cap + PCI_EXP_LNKCAP);
	put_unaligned_le16(PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1,
			   cap + PCI_EXP_LNKSTA);
	put_unaligned_le32(PCI_EXP_DEVCAP2_EE_PREFIX, cap + PCI_EXP_DEVCAP2);

	softacc_put_ext_cap(config, SOFTACC_PCI_ATS, PCI_EXT_CAP_ID_ATS,
			    SOFTACC_PCI_PRI);
	put_unaligned_le16(PCI_ATS_CAP_PAGE_ALIGNED,
			   config + SOFTACC_PCI_ATS + PCI_ATS_CAP);

	softacc_put_ext_cap(config, SOFTACC_PCI_PRI, PCI_EXT_CAP_ID_PRI,
			    SOFTACC_PCI_PASID);
	softacc_write_pri(slot, 0);
	put_unaligned_le32(SOFTACC_PCI_MAX_REQUESTS,
			   config + SOFTACC_PCI_PRI + PCI_PRI_MAX_REQ);

	softacc_put_ext_cap(config, SOFTACC_PCI_PASID, PCI_EXT_CAP_ID_PASID, 0);
	put_unaligned_le16(SOFTACC_MAX_PASID_BITS << 8,
			   config + SOFTACC_PCI_PASID + PCI_PASID_CAP);
}

bool softacc_pci_pri_enabled(struct pci_dev *pdev)
{
	struct softacc_slot *slot = softacc_find_slot(pdev->bus);

	return slot && READ_ONCE(slot->config[SOFTACC_PCI_PRI + PCI_PRI_CTRL]) &
		       PCI_PRI_CTRL_ENABLE;
}

/* Find the bus of a root port with nothing behind it. */
static struct pci_bus *softacc_find_bus(void)
{
	struct pci_dev *pdev = NULL;

	for_each_pci_dev(pdev) {
		if (pci_is_pcie(pdev) &&
		    pci_pcie_type(pdev) == PCI_EXP_TYPE_ROOT_PORT &&
		    pdev->subordinate && list_empty(&pdev->subordinate->devices)) {
			struct pci_bus *bus = pdev->subordinate;

			pci_dev_put(pdev);
			return bus;
		}
	}
	return NULL;
}

static void softacc_free_slot(struct softacc_slot *slot, int id)
{
	pci_bus_set_ops(slot->bus, slot->old);
	softacc_slots[id] = NULL;
	kfree(slot);
}

/* Add the function of @slot to the PCI core. Frees @slot on error. */
static struct pci_dev *softacc_fill_slot(struct softacc_slot *slot, int id)
{
	struct pci_dev *pdev;

	slot->bus = softacc_find_bus();
	if (!slot->bus) {
		pr_err("softacc: no PCIe root port with nothing behind it for device %d; QEMU: -device pcie-root-port\n",
		       id);
		kfree(slot);
		return ERR_PTR(-ENODEV);
	}
	softacc_slots[id] = slot;
	slot->old = pci_bus_set_ops(slot->bus, &softacc_pci_ops);
	pci_scan_slot(slot->bus, 0);
	pci_bus_add_devices(slot->bus);
	pdev = pci_get_slot(slot->bus, 0);
	if (pdev)
		return pdev;
	softacc_free_slot(slot, id);
	return ERR_PTR(-ENODEV);
}

/* Add function number @id and return it, with a reference. */
struct pci_dev *softacc_pci_add(int id)
{
	struct softacc_slot *slot;
	struct pci_dev *pdev;

	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	if (!slot)
		return ERR_PTR(-ENOMEM);
	softacc_make_config(slot);
	pci_lock_rescan_remove();
	pdev = softacc_fill_slot(slot, id);
	pci_unlock_rescan_remove();
	return pdev;
}

void softacc_pci_remove(struct pci_dev *pdev)
{
	struct softacc_slot *slot = softacc_find_slot(pdev->bus);
	int id;

	pci_lock_rescan_remove();
	pci_stop_and_remove_bus_device(pdev);
	for (id = 0; id < SOFTACC_MAX_DEVICES; id++)
		if (softacc_slots[id] == slot)
			softacc_free_slot(slot, id);
	pci_unlock_rescan_remove();
	pci_dev_put(pdev);
}

/* Does nothing: with a driver bound, the function is not available to others. */
static int softacc_pci_probe(struct pci_dev *pdev,
			     const struct pci_device_id *id)
{
	return 0;
}

static const struct pci_device_id softacc_pci_ids[] = {
	{ PCI_DEVICE(SOFTACC_PCI_VENDOR, SOFTACC_PCI_DEVICE) },
	{ }
};

static struct pci_driver softacc_pci_driver = {
	.name = "softacc",
	.id_table = softacc_pci_ids,
	.probe = softacc_pci_probe,
};

int softacc_pci_init(void)
{
	int ret = softacc_ecam_init();

	if (ret)
		return ret;
	ret = pci_register_driver(&softacc_pci_driver);
	if (ret)
		softacc_ecam_exit();
	return ret;
}

void softacc_pci_exit(void)
{
	pci_unregister_driver(&softacc_pci_driver);
	softacc_ecam_exit();
}
