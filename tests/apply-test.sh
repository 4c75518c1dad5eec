#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# apply-test.sh: make apply and unapply on copies of the parts of a kernel tree
# that they look at, as TAP.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

TREE_SH=$TOP/drivers-glue/in-tree/tree.sh
number=0
failed=0

check()
{
	local name=$1

	shift
	number=$((number + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $number $name"
		return
	fi
	echo "not ok $number $name"
	sed 's/^/# /' "$tmp/log"
	failed=1
}

copy_tree()
{
	rm -rf "$2"
	mkdir -p "$2/drivers"
	cp "$1/Makefile" "$2/"
	cp -a "$1/include" "$2/"
	cp -a "$1/drivers/iommu" "$2/drivers/"
}

same() { diff -r "$tmp/tree" "$tmp/pristine"; }

restores()
{
	"$TREE_SH" apply "$tmp/tree" && ! same >/dev/null &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

idempotent()
{
	"$TREE_SH" apply "$tmp/tree" && cp -a "$tmp/tree" "$tmp/once" &&
		"$TREE_SH" apply "$tmp/tree" && diff -r "$tmp/once" "$tmp/tree" &&
		"$TREE_SH" unapply "$tmp/tree" && "$TREE_SH" unapply "$tmp/tree" &&
		same
}

# refuses TEXT COMMAND...: it fails, says TEXT, and the tree is as it was.
refuses()
{
	local text=$1

	shift
	if "$@" >"$tmp/said" 2>&1; then
		echo "it did not fail"
		return 1
	fi
	cat "$tmp/said"
	grep -q "$text" "$tmp/said" && same
}

refuses_version()
{
	sed -i 's/^PATCHLEVEL = .*/PATCHLEVEL = 99/' "$tmp/tree/Makefile" "$tmp/pristine/Makefile"
	refuses "tested are" "$TREE_SH" apply "$tmp/tree" &&
		FORCE=1 "$TREE_SH" apply "$tmp/tree" &&
		FORCE=1 "$TREE_SH" unapply "$tmp/tree" && same
}

refuses_collision()
{
	echo mine >"$tmp/tree/include/linux/iopf.h"
	echo mine >"$tmp/pristine/include/linux/iopf.h"
	refuses "was not placed by" "$TREE_SH" apply "$tmp/tree"
}

fixed()
{
	grep -q 'if (fault_ignore)$' "$tmp/tree/drivers/iommu/intel/pasid.c" &&
		grep -q synchronize_rcu "$tmp/tree/drivers/iommu/iommu-sva.c"
}

# With the fixes, again, without them, with them once more, out.
restores_fixes()
{
	FIXES=1 "$TREE_SH" apply "$tmp/tree" && fixed &&
		rm -rf "$tmp/once" && cp -a "$tmp/tree" "$tmp/once" &&
		FIXES=1 "$TREE_SH" apply "$tmp/tree" && diff -r "$tmp/once" "$tmp/tree" &&
		FIXES=0 "$TREE_SH" apply "$tmp/tree" && ! fixed &&
		FIXES=1 "$TREE_SH" apply "$tmp/tree" && fixed &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

# What the user writes into a fixed file meanwhile stays.
keeps_edits()
{
	local file=drivers/iommu/intel/pasid.c

	FIXES=1 "$TREE_SH" apply "$tmp/tree" &&
		sed -i '1i /* mine */' "$tmp/tree/$file" "$tmp/pristine/$file" &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

# fix_refuses EDIT: the fix does not know what the sed expression EDIT leaves.
fix_refuses()
{
	local file=drivers/iommu/iommu-sva.c

	sed -i "$1" "$tmp/tree/$file" "$tmp/pristine/$file"
	refuses "does not know this tree's" env FIXES=1 "$TREE_SH" apply "$tmp/tree"
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/empty"
echo "TAP version 13"
echo "1..20"
for series in 7.3 6.12; do
	source=$("$TOP/drivers-glue/in-tree/fetch.sh" "$series")
	copy_tree "$source" "$tmp/pristine"
	copy_tree "$source" "$tmp/tree"
	check "$series: unapply restores the tree" restores
	check "$series: apply and unapply twice" idempotent
	check "$series: no kernel tree" refuses "is no Linux kernel tree" "$TREE_SH" apply "$tmp/empty"
	check "$series: no folder" refuses "is no folder" "$TREE_SH" apply "$tmp/none"
	check "$series: a file of the user's own" refuses_collision
	rm "$tmp/tree/include/linux/iopf.h" "$tmp/pristine/include/linux/iopf.h"
	check "$series: FIXES=1 and back" restores_fixes
	check "$series: unapply keeps edits of a fixed file" keeps_edits
	check "$series: FIXES=2" refuses "is unknown" env FIXES=2 "$TREE_SH" apply "$tmp/tree"
	check "$series: FIXES=1 on unknown text" fix_refuses 's/iommu_domain_free(domain);/free_it(domain);/'
	check "$series: another version" refuses_version
	rm -rf "$tmp/once"
done
exit $failed
