# SPDX-License-Identifier: GPL-2.0
#
# file: drivers/iommu/iommu-sva.c
#
# iommu_sva_unbind_device() frees the attach handle and the domain as soon as the
# PASID is detached. Whoever reports a page request may have found the handle just
# before. The library looks at both inside one RCU read section only, so they have
# to live until these sections are over. That is waited for without the lock.

/^void iommu_sva_unbind_device\(/ { inside = 1 }
/^}/ { inside = 0 }

inside && /synchronize_rcu/ { good = 1 }

# The empty line before what is taken out goes with it.
inside && held {
	held = 0
	if ($0 != "\t\tiommu_domain_free(domain);")
		print ""
}
inside && $0 == "" {
	held = 1
	next
}

inside && !good && $0 == "\t\tiommu_domain_free(domain);" {
	taken++
	next
}
inside && taken == 1 && !other && $0 == "\t}" {
	print "\t} else {"
	print "\t\tdomain = NULL;"
	other = 1
}
inside && other && $0 == "\tkfree(handle);" {
	print "\t/* Whoever reports a page request may have found the handle. */"
	print "\tsynchronize_rcu();"
	print "\tif (domain)"
	print "\t\tiommu_domain_free(domain);"
	changed++
}

{ print }

# 0: fixed, 3: the tree has it already, 1: a tree that this does not know.
END { exit taken == 1 && changed == 1 ? 0 : !taken && good ? 3 : 1 }
