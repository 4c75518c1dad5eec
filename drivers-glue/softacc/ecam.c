// SPDX-License-Identifier: GPL-2.0
/*
 * softacc: access to extended config space in kernels without CONFIG_PCI_MMCONFIG
 *
 * The kernel enables PASIDs only below a root port with Access Control Services (ACS), a
 * capability in extended config space. Without CONFIG_PCI_MMCONFIG it reaches only the
 * first 256 bytes. So while softacc is loaded, the root bus is accessed through the region
 * that the machine's MCFG table names, and root ports that were found without ACS are
 * removed and scanned again.
 */
#include <linux/acpi.h>
#include <linux/pci-ecam.h>

#include "core.h"

static struct {
	struct pci_bus *root;
	struct pci_ops *old;
	void __iomem *base;
} ecam;

static void __iomem *softacc_ecam_map(struct pci_bus *bus, unsigned int devfn,
				      int where)
{
	/* Buses behind root ports inherit these operations, and have no devices. */
	if (bus != ecam.root)
		return NULL;
	return ecam.base + PCIE_ECAM_OFFSET(0, devfn, where);
}

static struct pci_ops softacc_ecam_ops = {
	.map_bus = softacc_ecam_map,
	.read = pci_generic_config_read,
	.write = pci_generic_config_write,
};

/* Return the address of the extended config space of segment 0, or 0. */
static u64 softacc_ecam_address(void)
{
	struct acpi_table_header *table;
	struct acpi_mcfg_allocation *entry;
	u64 address = 0;

	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_MCFG, 0, &table)))
		return 0;
	entry = (void *)table + sizeof(struct acpi_table_mcfg);
	if (table->length >= sizeof(struct acpi_table_mcfg) + sizeof(*entry) &&
	    !entry->pci_segment && !entry->start_bus_number)
		address = entry->address;
	acpi_put_table(table);
	return address;
}

static bool softacc_lacks_acs(struct pci_dev *pdev)
{
	return pci_is_pcie(pdev) &&
	       pci_pcie_type(pdev) == PCI_EXP_TYPE_ROOT_PORT &&
	       !pdev->acs_cap && pdev->subordinate &&
	       list_empty(&pdev->subordinate->devices);
}

/* Let the PCI core find the root ports without ACS once more. */
static void softacc_rescan_root_ports(void)
{
	struct pci_dev *pdev;
	struct pci_dev *next;

	pci_lock_rescan_remove();
	list_for_each_entry_safe(pdev, next, &ecam.root->devices, bus_list)
		if (softacc_lacks_acs(pdev))
			pci_stop_and_remove_bus_device(pdev);
	pci_rescan_bus(ecam.root);
	pci_unlock_rescan_remove();
}

int softacc_ecam_init(void)
{
	u64 address;
	u32 value;

	ecam.root = pci_find_bus(0, 0);
	if (!ecam.root)
		return -ENODEV;
	/* Without an error, the kernel reaches extended config space itself. */
	if (!pci_bus_read_config_dword(ecam.root, 0, PCI_CFG_SPACE_SIZE, &value))
		return 0;
	address = softacc_ecam_address();
	if (!address) {
		pr_err("softacc: this machine has no extended PCI config space\n");
		return -ENODEV;
	}
	/* Only the part of bus 0 is used. */
	ecam.base = ioremap(address, SZ_1M);
	if (!ecam.base)
		return -ENOMEM;
	ecam.old = pci_bus_set_ops(ecam.root, &softacc_ecam_ops);
	softacc_rescan_root_ports();
	return 0;
}

void softacc_ecam_exit(void)
{
	struct pci_bus *bus;

	if (!ecam.base)
		return;
	pci_lock_rescan_remove();
	list_for_each_entry(bus, &ecam.root->children, node)
		if (bus->ops == &softacc_ecam_ops)
			pci_bus_set_ops(bus, ecam.old);
	pci_bus_set_ops(ecam.root, ecam.old);
	pci_unlock_rescan_remove();
	iounmap(ecam.base);
	ecam.base = NULL;
}
