#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# module.sh FOLDER NAME: builds NAME.ko from FOLDER of the repository for the kernel that
# KERNEL, KSRC, IMPL and CONFIG select, or whose build folder KDIR is, and prints its path. A
# copy of the sources is built in the cache, so that no objects are written to the folder or to
# the kernel's build folder.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -eq 2 ] || die "usage: $0 FOLDER NAME"
if [ -n "${KDIR:-}" ]; then
	kdir=$KDIR
	name=user-$(printf %s "$kdir" | sha1sum | cut -c 1-8)
	kernel=$kdir/Module.symvers
else
	kdir=$("$TOP/drivers-glue/in-tree/build.sh" kdir)
	[ -e "$kdir/.stamp" ] || "$TOP/drivers-glue/in-tree/build.sh" kernel
	name=$(basename "$kdir")
	kernel=$kdir/.stamp
fi
build=$IOPF_CACHE/module/$name/$2
with_lock "module-$name"
# kbuild does not rebuild an external module when the kernel's configuration changes.
config=$(sha1sum <"$kdir/.config")
[ "$(cat "$build/.config-stamp" 2>/dev/null)" = "$config" ] || rm -rf "$build"
mkdir -p "$build"
echo "$config" >"$build/.config-stamp"
shopt -s nullglob
for file in "$TOP/$1"/{*.c,*.h,Makefile}; do
	cmp -s "$file" "$build/${file##*/}" || cp "$file" "$build/"
done
stamp=$(cat "$kernel" "$build"/*.[ch] "$build/Makefile" | sha1sum)
if [ "$(cat "$build/.stamp" 2>/dev/null)" != "$stamp" ]; then
	run_logged "$build/build.log" "building $2.ko for ${KDIR:-$name}" \
		make -C "$kdir" M="$build" W=1 modules
	echo "$stamp" >"$build/.stamp"
fi
echo "$build/$2.ko"
