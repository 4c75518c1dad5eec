// SPDX-License-Identifier: GPL-2.0
//
// Wait for RCU readers before the attach handle and the domain are freed. The bug and how to
// reproduce it are described in sva-unbind-rcu.mail.
//
// Files: drivers/iommu/iommu-sva.c

virtual patch
virtual present

@depends on patch@
identifier handle, domain, dev;
@@
 void iommu_sva_unbind_device(struct iommu_sva *handle)
 {
 	...
 	struct device *dev = ...;
+	struct iommu_domain *unused = NULL;
 	...
 	if (--domain->users == 0) {
 		...
-		iommu_domain_free(domain);
+		unused = domain;
 	}
 	...
 	mutex_unlock(...);
+	/* A page request being reported may still use the handle. */
+	synchronize_rcu();
+	if (unused)
+		iommu_domain_free(unused);
 	kfree(handle);
 }

@depends on present@
identifier handle;
@@
 void iommu_sva_unbind_device(struct iommu_sva *handle)
 {
 	...
*	synchronize_rcu();
 	... when != synchronize_rcu();
 	kfree(handle);
 }
