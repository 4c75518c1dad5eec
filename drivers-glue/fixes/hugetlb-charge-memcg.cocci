// SPDX-License-Identifier: GPL-2.0
//
// Charge a huge page to the cgroup of the memory that is charged on behalf of others. The
// bug and how to reproduce it are described in hugetlb-charge-memcg.mail.
//
// Files: mm/hugetlb_cgroup.c

virtual patch
virtual present

@depends on patch@
@@
 #include <linux/hugetlb_cgroup.h>
+#include <linux/memcontrol.h>

@depends on patch@
symbol current;
identifier idx, h_cg;
@@
 int __hugetlb_cgroup_charge_cgroup(int idx, ...)
 {
 	...
 	h_cg = hugetlb_cgroup_from_task(current);
+#ifdef CONFIG_MEMCG
+	/* On behalf of another cgroup, see set_active_memcg(). */
+	if (current->active_memcg) {
+		struct cgroup *cgrp = current->active_memcg->css.cgroup;
+
+		h_cg = hugetlb_cgroup_from_css(cgroup_e_css(cgrp, &hugetlb_cgrp_subsys));
+	}
+#endif
 	...
 }

@depends on present exists@
symbol current;
identifier idx, h_cg;
@@
 int __hugetlb_cgroup_charge_cgroup(int idx, ...)
 {
 	...
	if (current->active_memcg) {
 		...
*		h_cg = hugetlb_cgroup_from_css(...);
 	}
 	...
 }
