#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# apply-test.sh: tests make apply and unapply on copies of those parts of a kernel tree
# that they read. TAP.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/../drivers-glue/in-tree/broken.sh"

TREE_SH=$TOP/drivers-glue/in-tree/tree.sh
PLACED=drivers/iommu/iopf

# Print the files that fixes change.
files_of_fixes()
{
	sed -n 's,^// Files: *,,p' "$TOP"/drivers-glue/fixes/*.cocci | tr -s ' ' '\n' | sort -u
}

copy_tree()
{
	rm -rf "$2"
	mkdir -p "$2/drivers" "$2/include/linux" "$2/include/trace/events"
	cp "$1/Makefile" "$2/"
	cp "$1/include/linux/iommu.h" "$2/include/linux/"
	cp "$1/include/trace/events/iommu.h" "$2/include/trace/events/"
	cp -a "$1/drivers/iommu" "$2/drivers/"
	(cd "$1" && files_of_fixes | xargs cp --parents -t "$2")
}

# Succeed if the tree is as FOLDER, or as it was at first.
same() { diff -r "$tmp/tree" "${1:-$tmp/pristine}"; }

remember()
{
	rm -rf "$tmp/once"
	cp -a "$tmp/tree" "$tmp/once"
}

# semantic_edit FILE: edits FILE in the tree and in the pristine one by the semantic
# patch on standard input.
semantic_edit()
{
	cat >"$tmp/edit.cocci"
	spatch --very-quiet --no-includes --in-place --sp-file "$tmp/edit.cocci" "$tmp/tree/$1" &&
		! same >/dev/null &&
		cp "$tmp/tree/$1" "$tmp/pristine/$1"
}

# Move all lines of FILE by one.
edit_first_line()
{
	{ echo "/* mine */"; cat "$1"; } >"$tmp/text"
	cat "$tmp/text" >"$1"
}

restores()
{
	"$TREE_SH" apply "$tmp/tree" && ! same >/dev/null &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

idempotent()
{
	"$TREE_SH" apply "$tmp/tree" && remember &&
		"$TREE_SH" apply "$tmp/tree" && same "$tmp/once" &&
		"$TREE_SH" unapply "$tmp/tree" && "$TREE_SH" unapply "$tmp/tree" &&
		same
}

# refuses TEXT COMMAND...: the command fails and prints TEXT, and the tree is unchanged.
refuses()
{
	rm -rf "$tmp/once"
	refuses_still "$tmp/pristine" "$@"
}

# refuses_still FOLDER TEXT COMMAND...: the same with a tree that is as FOLDER.
refuses_still()
{
	local folder=$1 text=$2

	shift 2
	if "$@" >"$tmp/said" 2>&1; then
		echo "it did not fail"
		return 1
	fi
	cat "$tmp/said"
	grep -q "$text" "$tmp/said" && same "$folder"
}

refuses_version()
{
	sed -i 's/^PATCHLEVEL = .*/PATCHLEVEL = 99/' "$tmp/tree/Makefile" "$tmp/pristine/Makefile"
	refuses "tested are" "$TREE_SH" apply "$tmp/tree" &&
		FORCE=1 FIXES=1 "$TREE_SH" apply "$tmp/tree" && fixed &&
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
		grep -q synchronize_rcu "$tmp/tree/drivers/iommu/iommu-sva.c" &&
		grep -q active_memcg "$tmp/tree/mm/hugetlb_cgroup.c"
}

# With the fixes, twice, without them, with them once more, and unapply
restores_fixes()
{
	FIXES=1 "$TREE_SH" apply "$tmp/tree" && fixed &&
		remember &&
		FIXES=1 "$TREE_SH" apply "$tmp/tree" && same "$tmp/once" &&
		FIXES=0 "$TREE_SH" apply "$tmp/tree" && ! fixed &&
		FIXES=1 "$TREE_SH" apply "$tmp/tree" && fixed &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

# An edit of a fixed file by the user stays.
keeps_edits()
{
	local file=drivers/iommu/intel/pasid.c

	FIXES=1 "$TREE_SH" apply "$tmp/tree" &&
		edit_first_line "$tmp/tree/$file" && edit_first_line "$tmp/pristine/$file" &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

refuses_fixes()
{
	refuses "does not know this tree's $1" env FIXES=1 "$TREE_SH" apply "$tmp/tree"
}

# No hunk of the fix fits.
refuses_unknown_text()
{
	semantic_edit drivers/iommu/iommu-sva.c <<-'EOF' &&
	@@ @@
	-iommu_domain_free
	+free_it
	 (...)
	EOF
		refuses_fixes drivers/iommu/iommu-sva.c
}

# One of its two functions fits.
refuses_half_a_fix()
{
	semantic_edit drivers/iommu/intel/pasid.c <<-'EOF' &&
	@@ @@
	-pasid_clear_present
	+clear_it
	 (...)
	EOF
		refuses_fixes drivers/iommu/intel/pasid.c
}

refuses_no_file()
{
	local file=drivers/iommu/iommu-sva.c

	rm "$tmp/tree/$file" "$tmp/pristine/$file"
	refuses "is for $file, which" env FIXES=1 "$TREE_SH" apply "$tmp/tree"
}

# The tree has the fix already.
fix_not_needed()
{
	local file

	FIXES=1 "$TREE_SH" apply "$tmp/tree" && remember &&
		"$TREE_SH" unapply "$tmp/tree" || return 1
	for file in $(files_of_fixes); do
		cp "$tmp/once/$file" "$tmp/tree/$file"
		cp "$tmp/once/$file" "$tmp/pristine/$file"
	done
	FIXES=1 "$TREE_SH" apply "$tmp/tree" 2>"$tmp/said" &&
		grep "does not need the fix intel-pasid-teardown" "$tmp/said" &&
		grep "does not need the fix sva-unbind-rcu" "$tmp/said" &&
		grep "does not need the fix hugetlb-charge-memcg" "$tmp/said" &&
		grep "does not need the fix intel-flush-pasid" "$tmp/said" &&
		[ ! -e "$tmp/tree/$PLACED/.fixes" ] && fixed &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

# A tree in the cache shares its files with the pristine sources by hard links.
keeps_what_is_linked()
{
	rm -rf "$tmp/copy" "$tmp/tree"
	cp -a "$tmp/pristine" "$tmp/copy"
	cp -al "$tmp/copy" "$tmp/tree"
	FIXES=1 "$TREE_SH" apply "$tmp/tree" && fixed && diff -r "$tmp/copy" "$tmp/pristine"
}

# refuses_edited FILE COMMAND: the command refuses a tree in which FILE, a placed one,
# was edited.
refuses_edited()
{
	local file=$1 command=$2

	"$TREE_SH" apply "$tmp/tree" && echo "/* mine */" >>"$tmp/tree/$file" && remember &&
		refuses_still "$tmp/once" "$file" "$TREE_SH" "$command" "$tmp/tree" &&
		grep "were edited" "$tmp/said" &&
		FORCE=1 "$TREE_SH" "$command" "$tmp/tree" || return 1
	case $command in
	apply) ! grep "mine" "$tmp/tree/$file" ;;
	unapply) same ;;
	esac
}

# A placed file with an edit that the repository has, too, is accepted.
accepts_edit_taken_over()
{
	"$TREE_SH" apply "$tmp/tree" && remember &&
		(cd "$tmp/tree" && echo "/* mine */" >>"$PLACED/fault.c" &&
			cut -c 43- "$tmp/once/$PLACED/.placed" | xargs sha1sum >"$PLACED/.placed" &&
			cp "$TOP/iopf/fault.c" "$PLACED/fault.c") &&
		"$TREE_SH" apply "$tmp/tree" && same "$tmp/once"
}

# A manifest of an older version has paths only.
accepts_old_manifest()
{
	local manifest=$tmp/tree/$PLACED/.placed

	"$TREE_SH" apply "$tmp/tree" && remember &&
		cut -c 43- "$tmp/once/$PLACED/.placed" >"$manifest" &&
		grep -qx "$PLACED/fault.c" "$manifest" &&
		echo "/* of before */" >>"$tmp/tree/$PLACED/fault.c" &&
		"$TREE_SH" apply "$tmp/tree" && same "$tmp/once" &&
		cut -c 43- "$tmp/once/$PLACED/.placed" >"$manifest" &&
		echo "/* of before */" >>"$tmp/tree/$PLACED/fault.c" &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

# The apply that would repair a deliberate mistake is interrupted, by a folder in the
# place of a temporary file. The next apply must not take the remaining files for edits.
resumes()
{
	local way=$tmp/tree/$PLACED/assemble.c.iopf-new

	BROKEN=no-limit "$TREE_SH" apply "$tmp/tree" &&
		rm "$tmp/tree/$PLACED/assemble.c" && mkdir "$way" || return 1
	if "$TREE_SH" apply "$tmp/tree"; then
		echo "it was not interrupted"
		return 1
	fi
	rm -r "$way"
	! diff -q "$TOP/iopf/group.c" "$tmp/tree/$PLACED/group.c" &&
		"$TREE_SH" apply "$tmp/tree" &&
		diff -r -x tests -x intel -x .placed "$TOP/iopf" "$tmp/tree/$PLACED" &&
		"$TREE_SH" unapply "$tmp/tree" && same
}

# in_copy COMMAND...: runs the command with $copy, a copy of our sources.
in_copy()
{
	copy=$tmp/sources
	rm -rf "$copy"
	copy_sources "$copy"
	"$@"
}

mutant_applies()
{
	grep -q '[a-z]' < <(head -n 1 "$MUTANTS/$1.patch") &&
		! head -n 1 "$MUTANTS/$1.patch" | grep '^---' &&
		(break_sources "$1" "$copy")
}

mutants_apply()
{
	local name

	for name in $(mutant_names); do
		in_copy mutant_applies "$name" || return 1
	done
	[ "$(mutant_names | wc -l)" -gt 0 ]
}

# mutant_refused NAME: a patch that does not apply exactly is refused.
mutant_refused()
{
	! (break_sources "$1" "$copy") 2>"$tmp/said" && cat "$tmp/said" &&
		grep -q "does not apply exactly" "$tmp/said"
}

refuses_moved_mutant()
{
	edit_first_line "$copy/iopf/group.c"
	mutant_refused no-limit
}

refuses_unknown_mutant()
{
	refuses "is unknown" env BROKEN=../mutants/no-limit "$TREE_SH" apply "$tmp/tree" &&
		refuses "is unknown" env BROKEN=none "$TREE_SH" apply "$tmp/tree"
}

# The second hunk does not fit where the first has been applied.
refuses_half_a_mutant()
{
	local last

	# The line before its last hunk, which the first hunk has moved by one
	last=$(sed -n 's/^@@ -\([0-9]*\),.*/\1/p' "$MUTANTS/monitor-blind.patch" | tail -n 1)
	last=$((last - 1))
	(break_sources monitor-blind "$copy") &&
		cp "$copy/iopf/progress.c" "$tmp/text" &&
		in_copy true &&
		head -n "$last" "$copy/iopf/progress.c" >"$tmp/head" &&
		tail -n +"$last" "$tmp/text" | cat "$tmp/head" - >"$copy/iopf/progress.c" &&
		mutant_refused monitor-blind
}

both_trees()
{
	copy_tree "$source" "$tmp/pristine"
	copy_tree "$source" "$tmp/tree"
}

# series_checks SERIES: in a folder of its own, which stays the folder of this shell
series_checks()
{
	local series=$1

	tmp=$tmp/$series
	source=$("$TOP/drivers-glue/in-tree/fetch.sh" "$series")
	mkdir -p "$tmp/empty"
	both_trees
	check "$series: unapply restores the tree" restores
	check "$series: apply and unapply twice" idempotent
	check "$series: no kernel tree" refuses "is no Linux kernel tree" "$TREE_SH" apply "$tmp/empty"
	check "$series: no folder" refuses "is no folder" "$TREE_SH" apply "$tmp/none"
	check "$series: a file of the user's own" refuses_collision
	rm "$tmp/tree/include/linux/iopf.h" "$tmp/pristine/include/linux/iopf.h"
	check "$series: an edited file and apply" refuses_edited $PLACED/fault.c apply
	check "$series: an edited header and apply" refuses_edited include/linux/iopf.h apply
	check "$series: an edited file and unapply" refuses_edited $PLACED/fault.c unapply
	check "$series: an edit that is ours now" accepts_edit_taken_over
	both_trees
	check "$series: a manifest without checksums" accepts_old_manifest
	check "$series: an apply that was interrupted" resumes
	check "$series: FIXES=1 and back" restores_fixes
	check "$series: unapply keeps edits of a fixed file" keeps_edits
	check "$series: FIXES=2" refuses "is unknown" env FIXES=2 "$TREE_SH" apply "$tmp/tree"
	check "$series: FIXES=1 and files with links" keeps_what_is_linked
	both_trees
	check "$series: FIXES=1 on unknown text" refuses_unknown_text
	both_trees
	check "$series: FIXES=1 on text that is known in part" refuses_half_a_fix
	both_trees
	check "$series: FIXES=1 on a tree without the file" refuses_no_file
	both_trees
	check "$series: FIXES=1 on a tree that is fixed" fix_not_needed
	both_trees
	check "$series: another version" refuses_version
}

mutants_checks()
{
	both_trees
	check "mutants: each applies exactly" mutants_apply
	check "mutants: one whose lines have moved" in_copy refuses_moved_mutant
	check "mutants: one that fits in part" in_copy refuses_half_a_mutant
	check "mutants: one that is unknown" refuses_unknown_mutant
}

# The first checks, and the others, which run beside them
first() { series_checks 7.3; return $failed; }
others() { number=20; series_checks 6.12; mutants_checks; return $failed; }

need_packages coccinelle patch
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "TAP version 13"
echo "1..44"
status=0
others >"$tmp/others" &
others=$!
first &
wait $! || status=1
wait $others || status=1
cat "$tmp/others"
exit $status
