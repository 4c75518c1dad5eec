// SPDX-License-Identifier: GPL-2.0
//
// End the groups of a PASID that goes away. The driver does not flush there; its translations
// are gone by then. After the spinlock: the flush may sleep, and page_response takes a lock
// of its own. On a device without PRI, which is on no fault queue, it does nothing.
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
