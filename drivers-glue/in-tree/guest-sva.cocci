// SPDX-License-Identifier: GPL-2.0
//
// 6.12 refuses SVA on x86, where device TLBs may keep stale kernel mappings. The guests
// of our tests have no such device: their kernels, and only they, lift the refusal.
// See Documentation/kernels.rst.

@@
@@
-	if (IS_ENABLED(CONFIG_X86))
-		return ERR_PTR(-EOPNOTSUPP);
