#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tree.sh apply|unapply DIR: puts the library into the kernel tree DIR, beside
# drivers/iommu/io-pgfault.c, or removes it and leaves the tree as it was before. All
# checks are done before the first write. FORCE=1 allows kernel versions that were not
# tested, and overwrites or removes placed files that were edited in the tree. FIXES=1
# fixes known bugs of the tree. BROKEN=NAME applies tests/mutants/NAME.patch, to test the
# tests. TREE_NAME is what messages call the tree, its path by default.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kernel.sh"
. "$(dirname "$0")/fixes.sh"
. "$(dirname "$0")/broken.sh"

# The placed files with their checksums, in the format of sha1sum.
MANIFEST=drivers/iommu/iopf/.placed
BEGIN='# iopf: begin (placed by make apply)'
END='# iopf: end'
HOOKED=(drivers/iommu/Makefile drivers/iommu/intel/Makefile drivers/iommu/Kconfig)
UPSTREAM='obj-$(CONFIG_IOMMU_IOPF) += io-pgfault.o'

usage()
{
	die "usage: $0 apply|unapply DIR" "DIR is a Linux source tree: make apply KSRC=DIR"
}

# Prints lines "source in this repository<TAB>place in the kernel tree".
placements()
{
	(cd "$TOP" && {
		find iopf -type f -printf '%p\tdrivers/iommu/%p\n'
		find drivers-glue/intel-svm -type f -printf '%p\tdrivers/iommu/iopf/intel/%P\n'
		find tests/kunit -type f -printf '%p\tdrivers/iommu/iopf/tests/%P\n'
		find include -type f -printf '%p\t%p\n'
	} | sort)
}

# The hook functions are filters that make the changes to a file; unhook reverts them.
hook_makefile()
{
	awk -v begin="$BEGIN" -v end="$END" -v line="$UPSTREAM" '
		$0 != line { print; next }
		{
			print begin
			print "ifdef CONFIG_IOPF_QUEUE"
			print "obj-$(CONFIG_IOMMU_IOPF) += iopf/"
			print "else"
			print end
			print
			print begin
			print "endif"
			print end
		}'
}

# CONFIG_IOPF_INTEL_PRQ selects the library's page request driver or intel-iommu's own.
hook_intel()
{
	awk -v begin="$BEGIN" -v end="$END" '
		!/^obj-.* prq\.o( |$)/ { print; next }
		{
			with = $0
			sub(/ prq\.o/, "")
			print begin
			print "ifdef CONFIG_IOPF_INTEL_PRQ"
			print
			print "else"
			print end
			print with
			print begin
			print "endif"
			print end
		}'
}

hook_kconfig()
{
	awk -v begin="$BEGIN" -v end="$END" '
		/^endif # IOMMU_SUPPORT$/ {
			print begin
			print "source \"drivers/iommu/iopf/Kconfig\""
			print end
		}
		{ print }'
}

unhook()
{
	awk -v begin="$BEGIN" -v end="$END" '
		$0 == begin { skip = 1 }
		!skip { print }
		$0 == end { skip = 0 }'
}

# rewrite FILE FILTER: filters FILE, but writes it only if the text changes, so that make
# does not rebuild it otherwise.
rewrite()
{
	"$2" <"$DIR/$1" >"$tmp/text"
	cmp -s "$tmp/text" "$DIR/$1" || replace_file "$DIR/$1" "$tmp/text"
}

hook_makefile_again() { unhook | hook_makefile; }
hook_intel_again() { unhook | hook_intel; }
hook_kconfig_again() { unhook | hook_kconfig; }

check_tree()
{
	local file

	check_kernel "$DIR" "$SHOWN"
	for file in "${HOOKED[@]}"; do
		[ -f "$DIR/$file" ] || die "$SHOWN has no $file"
	done
	unhook <"$DIR/drivers/iommu/Makefile" | grep -qxF "$UPSTREAM" ||
		die "$SHOWN/drivers/iommu/Makefile does not build io-pgfault.o the way this script knows" \
		    "it looks for the line: $UPSTREAM"
	unhook <"$DIR/drivers/iommu/intel/Makefile" | grep -qE '^obj-.* prq\.o( |$)' ||
		die "$SHOWN/drivers/iommu/intel/Makefile does not build prq.o the way this script knows"
	grep -qx 'endif # IOMMU_SUPPORT' "$DIR/drivers/iommu/Kconfig" ||
		die "$SHOWN/drivers/iommu/Kconfig has no line 'endif # IOMMU_SUPPORT'"
}

# Writes the files to be placed to $tmp/place, and their checksums to $tmp/manifest.
stage()
{
	local source place

	copy_sources "$tmp/sources"
	if [ -n "$BROKEN" ]; then
		break_sources "$BROKEN" "$tmp/sources"
		say "notice: the library is broken on purpose: $BROKEN"
	fi
	while IFS=$'\t' read -r source place; do
		mkdir -p "$tmp/place/$(dirname "$place")"
		cp "$tmp/sources/$source" "$tmp/place/$place"
	done < <(placements)
	(cd "$tmp/place" && find . -type f -printf '%P\n' | sort | xargs sha1sum) >"$tmp/manifest"
}

# Prints the files in the tree's manifest. Older versions wrote paths without checksums.
placed()
{
	[ ! -f "$DIR/$MANIFEST" ] || sed -E 's/^[0-9a-f]{40}  //' "$DIR/$MANIFEST" | sort -u
}

# only_files: filters a list of paths; prints those that exist in the tree.
only_files()
{
	local place

	while read -r place; do
		[ ! -e "$DIR/$place" ] || printf '%s\n' "$place"
	done
}

# Prints the placed files that were edited in the tree: they have neither the text that was
# placed nor the one that is to be placed now. A file without a checksum counts as unedited.
edited()
{
	local place

	[ -f "$DIR/$MANIFEST" ] || return 0
	placed | only_files | (cd "$DIR" && xargs -r sha1sum) >"$tmp/sums"
	grep -vxF -f "$tmp/manifest" -f "$DIR/$MANIFEST" "$tmp/sums" | while read -r _ place; do
		grep -qxF "$place" "$DIR/$MANIFEST" || printf '%s\n' "$place"
	done || true
}

check_edited()
{
	local files

	edited >"$tmp/edited"
	mapfile -t files <"$tmp/edited"
	[ ${#files[@]} -gt 0 ] || return 0
	[ "${FORCE:-}" = 1 ] ||
		die "files that make apply has placed were edited in $SHOWN; nothing was changed" \
		    "${files[@]}" "save the edits, then FORCE=1 overwrites or removes these files"
	say "notice: FORCE=1, edits of these files in $SHOWN are lost: ${files[*]}"
}

# Dies if a file of the tree itself is where one is to be placed.
check_collisions()
{
	local others

	placed >"$tmp/placed"
	placements | cut -f 2 | sort | only_files | comm -13 "$tmp/placed" - >"$tmp/others"
	mapfile -t others <"$tmp/others"
	[ ${#others[@]} -eq 0 ] ||
		die "$SHOWN/${others[0]} exists and was not placed by make apply" \
		    "move it away first"
}

# The folders have to be writable, because each file is written as a new one beside it.
check_writable()
{
	local path

	{
		printf '%s\n' "${HOOKED[@]}" "$MANIFEST"
		placements | cut -f 2
		placed
		(cd "$tmp/new" && find . -type f -printf '%P\n')
	} | xargs dirname | sort -u >"$tmp/folders"
	while read -r path; do
		path=$DIR/$path
		while [ ! -e "$path" ]; do
			path=$(dirname "$path")
		done
		[ -d "$path" ] || die "$path is no folder"
		[ -w "$path" ] || die "$path is not writable"
	done <"$tmp/folders"
}

remove_placed()
{
	local place

	[ -f "$DIR/$MANIFEST" ] || return 0
	placed | while read -r place; do
		rm -f "${DIR:?}/$place"
	done
	rm -f "$DIR/$MANIFEST"
	rmdir "$DIR/drivers/iommu/iopf/tests" "$DIR/drivers/iommu/iopf/intel" "$DIR/drivers/iommu/iopf" 2>/dev/null || true
	[ ! -d "$DIR/drivers/iommu/iopf" ] ||
		say "notice: $SHOWN/drivers/iommu/iopf holds other files and stays"
}

# Removes files that an older version has placed and this one does not have.
remove_stale()
{
	local place

	placed | while read -r place; do
		[ -e "$tmp/place/$place" ] || rm -f "${DIR:?}/$place"
	done
}

# Places the files. Until this is done the manifest has the old and the new files, because an
# interrupted apply leaves both in the tree.
place()
{
	local place

	mkdir -p "$DIR/drivers/iommu/iopf"
	cat "$tmp/manifest" >>"$DIR/$MANIFEST"
	remove_stale
	while read -r _ place; do
		cmp -s "$tmp/place/$place" "$DIR/$place" && continue
		mkdir -p "$(dirname "$DIR/$place")"
		cp -T "$tmp/place/$place" "$DIR/$place.iopf-new"
		mv -fT "$DIR/$place.iopf-new" "$DIR/$place"
	done <"$tmp/manifest"
	cp "$tmp/manifest" "$DIR/$MANIFEST"
}

apply()
{
	check_collisions
	prepare_fixes "$tmp"
	check_writable
	place
	rewrite drivers/iommu/Makefile hook_makefile_again
	rewrite drivers/iommu/intel/Makefile hook_intel_again
	rewrite drivers/iommu/Kconfig hook_kconfig_again
	install_fixes "$tmp"
	say "the library is in $SHOWN: CONFIG_IOPF_QUEUE enables it"
}

unapply()
{
	FIXES=0
	prepare_fixes "$tmp"
	check_writable
	install_fixes "$tmp"
	remove_placed
	rewrite drivers/iommu/Makefile unhook
	rewrite drivers/iommu/intel/Makefile unhook
	rewrite drivers/iommu/Kconfig unhook
	say "the library is out of $SHOWN"
}

[ $# -eq 2 ] || usage
[ -n "$2" ] || usage
DIR=${2%/}
# What messages call it
SHOWN=${TREE_NAME:-$DIR}
: "${BROKEN:=}"
case $1 in
apply|unapply) ;;
*) usage ;;
esac
case ${FIXES:-0} in
0|1) ;;
*) die "FIXES=$FIXES is unknown" "FIXES=1 fixes known bugs of the tree, see Documentation/fixes.rst" ;;
esac
check_tree
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
stage
check_edited
"$1"
