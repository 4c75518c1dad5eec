// SPDX-License-Identifier: GPL-2.0
//
// Flush only the PASID that is detached, so that the groups of others are not affected. The
// driver has waited until its requests in the ring were reported, and drains the hardware
// afterwards. It holds no lock that its page_response takes.
//
// Files: drivers/iommu/intel/prq.c

virtual patch
virtual present

@depends on patch@
@@
+#include <linux/iopf.h>
 #include <linux/pci.h>

@depends on patch@
identifier dev, pasid;
@@
 void intel_iommu_drain_pasid_prq(struct device *dev, u32 pasid)
 {
 	<...
-	iopf_queue_flush_dev(dev);
+	iopf_queue_flush_pasid(dev, pasid);
 	...>
 }

@depends on present exists@
identifier dev, pasid;
@@
 void intel_iommu_drain_pasid_prq(struct device *dev, u32 pasid)
 {
 	...
*	iopf_queue_flush_pasid(dev, pasid);
 	...
 }
