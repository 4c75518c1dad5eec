// SPDX-License-Identifier: GPL-2.0
//
// 6.12 refuses SVA on x86, because device TLBs may keep stale kernel mappings. The guests of
// the tests have no such device, so the refusal is removed, in their kernels only. See
// Documentation/kernels.rst.

@@
@@
-	if (IS_ENABLED(CONFIG_X86))
-		return ERR_PTR(-EOPNOTSUPP);
