// SPDX-License-Identifier: GPL-2.0
//
// Set Fault Processing Disable (FPD) together with clearing the present bit. The bug and how
// to reproduce it are described in intel-pasid-teardown.mail.
//
// Files: drivers/iommu/intel/pasid.c

virtual patch
virtual present

@depends on patch@
identifier ignore, pe;
@@
 intel_pasid_clear_entry(..., bool ignore)
 {
 	...
 	if (
-	    ignore && pasid_pte_is_present(pe)
+	    ignore
 	   )
 		pasid_clear_entry_with_fpd(pe);
 	else
 		pasid_clear_entry(pe);
 }

@depends on patch@
identifier ignore, pte;
@@
 void intel_pasid_tear_down_entry(..., bool ignore)
 {
 	...
 	if (!pasid_pte_is_present(pte)) {
 		if (!pasid_pte_is_fault_disabled(pte)) {
-			WARN_ON(...);
 			...
 			return;
 		}
 		...
 	}
 	...
 	pasid_clear_present(pte);
+	if (ignore)
+		pasid_set_bits(&pte->val[0], PASID_PTE_FPD, PASID_PTE_FPD);
 	spin_unlock(...);
 	...
 }

@clear depends on present@
identifier ignore, pe;
@@
 intel_pasid_clear_entry(..., bool ignore)
 {
 	...
 	if (ignore)
 		pasid_clear_entry_with_fpd(pe);
 	else
 		pasid_clear_entry(pe);
 }

@depends on present && clear@
identifier ignore, pte;
@@
 void intel_pasid_tear_down_entry(..., bool ignore)
 {
 	...
 	pasid_clear_present(pte);
 	if (ignore)
*		pasid_set_bits(&pte->val[0], PASID_PTE_FPD, PASID_PTE_FPD);
 	...
 }
