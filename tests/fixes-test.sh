#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fixes-test.sh: tests make patch-fixes for both trees: checkpatch of the mails, and
# whether git am has the same result as make apply FIXES=1. TAP.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/tap.sh"

GLUE=$TOP/drivers-glue/in-tree
FIXES_DIR=$TOP/drivers-glue/fixes

patch_fixes() { OUT=$1 "$GLUE/patch-fixes.sh"; }

# Fixes that mails are made of
names() { grep -vE '^#| library$' "$FIXES_DIR/series-$series"; }

# There is a mail for each fix of the series.
writes_mails()
{
	patch_fixes "$tmp/mails" >"$tmp/printed" && cat "$tmp/printed" &&
		find "$tmp/mails" -type f | sort | diff "$tmp/printed" - &&
		[ "$(wc -l <"$tmp/printed")" = "$(names | wc -l)" ]
}

# The commits that "Fixes:" names are not in a repository here.
checkpatch()
{
	local mail

	for mail in "$tmp"/mails/*; do
		GIT_DIR=/none perl "$source/scripts/checkpatch.pl" --root="$source" --strict \
			--no-summary --terse --show-types --ignore UNKNOWN_COMMIT_ID "$mail" >"$tmp/found" 2>&1 ||
			{ cat "$tmp/found"; return 1; }
		[ ! -s "$tmp/found" ] || { cat "$tmp/found"; return 1; }
	done
}

copy_tree()
{
	rm -rf "$1"
	mkdir -p "$1/drivers" "$1/include"
	cp "$source/Makefile" "$1/"
	cp -a "$source/drivers/iommu" "$1/drivers/"
	names | while read -r name; do
		sed -n 's,^// Files: *,,p' "$FIXES_DIR/$name.cocci"
	done | tr -s ' ' '\n' | sort -u >"$tmp/files"
	(cd "$source" && xargs cp --parents -t "$1") <"$tmp/files"
}

git_here()
{
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -C "$tmp/git" \
		-c user.name=test -c user.email=test@localhost "$@"
}

applies()
{
	copy_tree "$tmp/git"
	git_here init --quiet
	git_here add --all
	git_here commit --quiet --message=pristine
	git_here am "$tmp"/mails/*.patch
}

same_as_apply()
{
	local file

	copy_tree "$tmp/tree"
	FIXES=1 "$GLUE/tree.sh" apply "$tmp/tree" || return 1
	while read -r file; do
		! diff -q "$source/$file" "$tmp/git/$file" &&
			diff "$tmp/tree/$file" "$tmp/git/$file" || return 1
	done <"$tmp/files"
}

# Calls that only a tree with the library can have
callers_name_the_pasid()
{
	local file

	for file in intel/prq.c amd/pasid.c arm/arm-smmu-v3/arm-smmu-v3.c; do
		grep -H "iopf_queue_flush_pasid(dev, pasid);" "$tmp/tree/drivers/iommu/$file" ||
			return 1
	done
}

# The tree is fixed by git am or by FIXES=1; the latter only as long as it is applied.
knows_fixed_trees()
{
	KSRC=$tmp/git patch_fixes "$tmp/none" 2>"$tmp/said" && cat "$tmp/said" &&
		grep "needs none of the fixes" "$tmp/said" && [ ! -e "$tmp/none" ] &&
		KSRC=$tmp/tree patch_fixes "$tmp/again" &&
		diff -r -I '^From ' -I '^Date: ' "$tmp/mails" "$tmp/again"
}

# refuses TEXT COMMAND...
refuses()
{
	local text=$1

	shift
	! "$@" 2>"$tmp/said" && cat "$tmp/said" && grep "$text" "$tmp/said"
}

refuses_bad_out()
{
	rm -rf "$tmp/others"
	mkdir "$tmp/others"
	touch "$tmp/file" "$tmp/others/0001-other.patch"
	refuses "is no folder" patch_fixes "$tmp/file" &&
		refuses "cannot be made" patch_fixes "$tmp/file/out" &&
		refuses "holds another mail" patch_fixes "$tmp/others" &&
		[ "$(ls "$tmp/others")" = 0001-other.patch ]
}

refuses_no_identity()
{
	GIT_DIR=/none GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 EMAIL='' \
		refuses "in whose name" patch_fixes "$tmp/none"
}

# Every fix has a text and names its trees and files.
is_complete()
{
	local name

	for name in "$FIXES_DIR"/*.cocci; do
		name=$(basename "$name" .cocci)
		echo "$name"
		grep -qx "$name library" "$FIXES_DIR"/series-* ||
			{ [ -s "$FIXES_DIR/$name.mail" ] && grep -qx "$name" "$FIXES_DIR"/series-*; } ||
			return 1
		grep -q '^// Files: ' "$FIXES_DIR/$name.cocci" || return 1
	done
}

need_packages coccinelle git patch perl
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# Names for the mails, if this system has none
export GIT_COMMITTER_NAME=${GIT_COMMITTER_NAME:-test} GIT_COMMITTER_EMAIL=${GIT_COMMITTER_EMAIL:-test@localhost}
echo "TAP version 13"
echo "1..15"
check "every fix has a series, and a mail if it goes by mail" is_complete
for series in 7.3 6.12; do
	export KERNEL=$series
	source=$("$GLUE/fetch.sh" "$series")
	rm -rf "$tmp/mails" "$tmp/again"
	check "$series: a mail for each fix" writes_mails
	check "$series: checkpatch --strict" checkpatch
	check "$series: git am" applies
	check "$series: the same as FIXES=1" same_as_apply
	check "$series: FIXES=1 has callers name the PASID" callers_name_the_pasid
	check "$series: trees that are fixed" knows_fixed_trees
done
check "bad folders for the mails" refuses_bad_out
unset GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
check "no name for the mails" refuses_no_identity
exit $failed
