// SPDX-License-Identifier: GPL-2.0
//
// Flush the groups of a PASID that is detached, which the driver does not do. Its context
// descriptor is cleared and its translations are invalidated by then. The flush comes after
// the mutex is released, so that other devices of the unit do not wait for it. A device that
// does not stall is on no fault queue, and the flush does nothing for it.
//
// Files: drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3.c

virtual patch
virtual present

@depends on patch@
@@
 #include <linux/io-pgtable.h>
+#include <linux/iopf.h>

@depends on patch@
symbol arm_smmu_asid_lock;
identifier detach = {arm_smmu_blocking_set_dev_pasid, arm_smmu_remove_dev_pasid};
identifier dev, pasid;
@@
 detach(..., struct device *dev, ioasid_t pasid, ...)
 {
 	...
 	arm_smmu_remove_master_domain(...);
 	...
 	mutex_unlock(&arm_smmu_asid_lock);
+	iopf_queue_flush_pasid(dev, pasid);
 	...
 }

@depends on present exists@
symbol arm_smmu_asid_lock;
identifier detach = {arm_smmu_blocking_set_dev_pasid, arm_smmu_remove_dev_pasid};
identifier dev, pasid;
@@
 detach(..., struct device *dev, ioasid_t pasid, ...)
 {
 	...
 	mutex_unlock(&arm_smmu_asid_lock);
*	iopf_queue_flush_pasid(dev, pasid);
 	...
 }
