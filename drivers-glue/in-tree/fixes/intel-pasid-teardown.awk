# SPDX-License-Identifier: GPL-2.0
#
# file: drivers/iommu/intel/pasid.c
#
# intel_pasid_tear_down_entry() clears the present bit of a PASID entry under the
# lock, and the rest of it later, by intel_pasid_clear_entry(), which is to mark the
# entry of a dead process (fault processing disabled). It does that only if it finds
# the entry present, which is never so. The unbind that comes then takes the entry for
# one that was never used, and drains nothing. So it does, with a warning, if it
# comes in the middle.
#
# The mark is set in the moment that the present bit is cleared, it stays whatever
# that bit was, and to find an entry half torn down is no reason for a warning.

/^intel_pasid_clear_entry\(/ { clear = 1 }
/^void intel_pasid_tear_down_entry\(/ { tear = 1 }
/^}/ { clear = tear = 0 }

clear && /if \(fault_ignore && pasid_pte_is_present\(pe\)\)/ {
	sub(/ && pasid_pte_is_present\(pe\)/, "")
	changed++
}
clear && /if \(fault_ignore\)/ { good++ }

tear && $0 == "\t\t\tWARN_ON(READ_ONCE(pte->val[0]) != 0);" {
	changed++
	next
}

{ print }

tear && $0 == "\tpasid_clear_present(pte);" {
	print "\tif (fault_ignore)"
	print "\t\tpasid_set_bits(&pte->val[0], PASID_PTE_FPD, PASID_PTE_FPD);"
	changed++
}
tear && /pasid_set_bits\(&pte->val\[0\], PASID_PTE_FPD/ { good++ }

# 0: fixed, 3: the tree has it already, 1: a tree that this does not know.
END { exit changed == 3 ? 0 : changed <= 1 && good == 2 ? 3 : 1 }
