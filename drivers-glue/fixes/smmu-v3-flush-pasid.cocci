// SPDX-License-Identifier: GPL-2.0
//
// End the groups of a PASID that goes away. The driver does not flush there; its context
// descriptor is cleared and its translations are gone by then. After the mutex: other
// devices of the unit do not wait for the flush. On a device that does not stall, which is
// on no fault queue, it does nothing.
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
identifier detach =~ "^arm_smmu_(blocking_set|remove)_dev_pasid$";
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
identifier detach =~ "^arm_smmu_(blocking_set|remove)_dev_pasid$";
identifier dev, pasid;
@@
 detach(..., struct device *dev, ioasid_t pasid, ...)
 {
 	...
 	mutex_unlock(&arm_smmu_asid_lock);
*	iopf_queue_flush_pasid(dev, pasid);
 	...
 }
