// SPDX-License-Identifier: GPL-2.0
//
// Flush the groups of a PASID that is detached, which the driver does not do. Its translations
// are invalidated by then. The flush comes after the spinlock is released: it may sleep, and
// page_response takes a lock of its own. A device without PRI is on no fault queue, and the
// flush does nothing for it.
//
// Files: drivers/iommu/amd/pasid.c

virtual patch
virtual present

@depends on patch@
@@
 #include <linux/iommu.h>
+#include <linux/iopf.h>

@depends on patch@
identifier dev, pasid;
@@
 void amd_iommu_remove_dev_pasid(struct device *dev, ioasid_t pasid, ...)
 {
 	<...
 	spin_unlock_irqrestore(...);
+	iopf_queue_flush_pasid(dev, pasid);
 	...>
 }

@depends on present exists@
identifier dev, pasid;
@@
 void amd_iommu_remove_dev_pasid(struct device *dev, ioasid_t pasid, ...)
 {
 	...
 	spin_unlock_irqrestore(...);
*	iopf_queue_flush_pasid(dev, pasid);
 	...
 }
