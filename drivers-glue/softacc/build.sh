#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: builds softacc.ko for the kernel that KERNEL, KSRC, IMPL and CONFIG
# name and prints where it is. A copy of the sources is built in the cache, so
# that neither this folder nor the kernel's gets objects.
set -euo pipefail
. "$(dirname "$0")/../in-tree/lib.sh"

kdir=$("$TOP/drivers-glue/in-tree/build.sh" kdir)
[ -e "$kdir/.stamp" ] || "$TOP/drivers-glue/in-tree/build.sh" kernel
build=$IOPF_CACHE/module/$(basename "$kdir")/softacc
with_lock "module-$(basename "$kdir")"
mkdir -p "$build"
for file in "$TOP"/drivers-glue/softacc/{*.c,*.h,Makefile}; do
	cmp -s "$file" "$build/${file##*/}" || cp "$file" "$build/"
done
stamp=$(cat "$kdir/.stamp" "$build"/*.[ch] "$build/Makefile" | sha1sum)
if [ "$(cat "$build/.stamp" 2>/dev/null)" != "$stamp" ]; then
	run_logged "$build/build.log" "building softacc.ko for $(basename "$kdir")" \
		make -C "$kdir" M="$build" W=1 modules
	echo "$stamp" >"$build/.stamp"
fi
echo "$build/softacc.ko"
