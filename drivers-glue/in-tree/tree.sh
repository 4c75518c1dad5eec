#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# tree.sh apply|unapply DIR: puts the library into the kernel tree DIR beside
# drivers/iommu/io-pgfault.c, or takes it out again and leaves the tree as it
# was. Everything is checked before the first byte is written. FORCE=1 allows
# kernel versions that nobody tested, FIXES=1 mends known bugs of the tree.
# BROKEN=NAME makes one of the mistakes in tests/broken.list, for tests of the tests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kernel.sh"
. "$(dirname "$0")/fixes.sh"

MANIFEST=drivers/iommu/iopf/.placed
BEGIN='# iopf: begin (placed by make apply)'
END='# iopf: end'
UPSTREAM='obj-$(CONFIG_IOMMU_IOPF) += io-pgfault.o'

usage()
{
	die "usage: $0 apply|unapply DIR" "DIR is a Linux source tree: make apply KSRC=DIR"
}

# What goes where: "source in this repository<TAB>place in the kernel tree".
placements()
{
	(cd "$TOP" && {
		find iopf -type f -printf '%p\tdrivers/iommu/%p\n'
		find drivers-glue/intel-svm -type f -printf '%p\tdrivers/iommu/iopf/intel/%P\n'
		find tests/kunit -type f -printf '%p\tdrivers/iommu/iopf/tests/%P\n'
		find include -type f -printf '%p\t%p\n'
	} | sort)
}

# The text that apply would leave in FILE; unhook is its inverse.
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

# intel-iommu's own page request driver, or ours.
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

# rewrite FILE FILTER: in place, so that owner and mode stay, and only if the
# text changes, so that make does not rebuild for nothing.
rewrite()
{
	local file=$1 text

	text=$("$2" <"$file"; echo .)
	text=${text%.}
	printf '%s' "$text" | cmp -s - "$file" && return
	printf '%s' "$text" >"$file.iopf-new"
	cat "$file.iopf-new" >"$file"
	rm "$file.iopf-new"
}

hook_makefile_again() { unhook | hook_makefile; }
hook_intel_again() { unhook | hook_intel; }
hook_kconfig_again() { unhook | hook_kconfig; }

check_tree()
{
	local version patch

	[ -d "$DIR" ] || die "$DIR is no folder"
	if ! grep -qs '^PATCHLEVEL = ' "$DIR/Makefile" || [ ! -f "$DIR/drivers/iommu/Kconfig" ]; then
		die "$DIR is no Linux kernel tree" \
		    "it has no Makefile with a kernel version, or no drivers/iommu/Kconfig"
	fi
	version=$(awk '/^VERSION = /{ v = $3 } /^PATCHLEVEL = /{ print v "." $3; exit }' "$DIR/Makefile")
	patch=$(awk '/^SUBLEVEL = /{ print $3; exit }' "$DIR/Makefile")
	case $version in
	6.12|7.3) ;;
	*)
		[ "${FORCE:-}" = 1 ] ||
			die "$DIR is Linux $version.$patch; tested are 6.12.y and 7.3.y" \
			    "FORCE=1 tries it all the same"
		;;
	esac
	[ -w "$DIR/drivers/iommu" ] || die "$DIR/drivers/iommu is not writable"
	unhook <"$DIR/drivers/iommu/Makefile" | grep -qxF "$UPSTREAM" ||
		die "$DIR/drivers/iommu/Makefile does not build io-pgfault.o the way this script knows" \
		    "it looks for the line: $UPSTREAM"
	unhook <"$DIR/drivers/iommu/intel/Makefile" | grep -qE '^obj-.* prq\.o( |$)' ||
		die "$DIR/drivers/iommu/intel/Makefile does not build prq.o the way this script knows"
	grep -qx 'endif # IOMMU_SUPPORT' "$DIR/drivers/iommu/Kconfig" ||
		die "$DIR/drivers/iommu/Kconfig has no line 'endif # IOMMU_SUPPORT'"
}

# A file of the tree's own where one of ours would go is never overwritten.
check_collisions()
{
	local place

	while IFS=$'\t' read -r _ place; do
		[ -e "$DIR/$place" ] || continue
		grep -qsxF "$place" "$DIR/$MANIFEST" ||
			die "$DIR/$place exists and was not placed by make apply" \
			    "move it away first"
	done < <(placements)
}

remove_placed()
{
	local place

	[ -f "$DIR/$MANIFEST" ] || return 0
	while read -r place; do
		rm -f "${DIR:?}/$place"
	done <"$DIR/$MANIFEST"
	rm -f "$DIR/$MANIFEST"
	rmdir "$DIR/drivers/iommu/iopf/tests" "$DIR/drivers/iommu/iopf/intel" "$DIR/drivers/iommu/iopf" 2>/dev/null || true
	[ ! -d "$DIR/drivers/iommu/iopf" ] ||
		say "notice: $DIR/drivers/iommu/iopf holds other files and stays"
}

# Drops what an older version placed and this one does not have.
remove_stale()
{
	local place

	[ -f "$DIR/$MANIFEST" ] || return 0
	while read -r place; do
		placements | cut -f 2 | grep -qxF "$place" || rm -f "${DIR:?}/$place"
	done <"$DIR/$MANIFEST"
}

# mistake COLUMN: of the one that BROKEN names.
mistake()
{
	awk -F '\t' -v name="$BROKEN" -v column="$1" \
		'!/^#/ && $1 == name { print $column }' "$TOP/tests/broken.list"
}

check_broken()
{
	local file

	[ -n "$BROKEN" ] || return 0
	file=$TOP/iopf/$(mistake 2)
	[ -f "$file" ] ||
		die "BROKEN=$BROKEN is unknown" "tests/broken.list has the names"
	! sed -e "$(mistake 3)" "$file" | cmp -s - "$file" ||
		die "BROKEN=$BROKEN changes nothing in iopf/$(mistake 2)" \
		    "the code has changed: mend tests/broken.list"
	say "notice: the library is broken on purpose: $BROKEN"
}

# text_of SOURCE: as it is to be placed.
text_of()
{
	if [ -n "$BROKEN" ] && [ "$1" = "iopf/$(mistake 2)" ]; then
		sed -e "$(mistake 3)" "$TOP/$1"
	else
		cat "$TOP/$1"
	fi
}

apply()
{
	local source place

	check_broken
	check_collisions
	prepare_fixes "$tmp"
	remove_stale
	mkdir -p "$DIR/drivers/iommu/iopf"
	placements | cut -f 2 >"$DIR/$MANIFEST"
	while IFS=$'\t' read -r source place; do
		text_of "$source" | cmp -s - "$DIR/$place" && continue
		mkdir -p "$(dirname "$DIR/$place")"
		text_of "$source" >"$DIR/$place"
	done < <(placements)
	rewrite "$DIR/drivers/iommu/Makefile" hook_makefile_again
	rewrite "$DIR/drivers/iommu/intel/Makefile" hook_intel_again
	rewrite "$DIR/drivers/iommu/Kconfig" hook_kconfig_again
	install_fixes "$tmp"
	say "the library is in $DIR: choose it with CONFIG_IOPF_QUEUE"
}

unapply()
{
	FIXES=0
	prepare_fixes "$tmp"
	install_fixes "$tmp"
	remove_placed
	rewrite "$DIR/drivers/iommu/Makefile" unhook
	rewrite "$DIR/drivers/iommu/intel/Makefile" unhook
	rewrite "$DIR/drivers/iommu/Kconfig" unhook
	say "the library is out of $DIR"
}

[ $# -eq 2 ] || usage
[ -n "$2" ] || usage
DIR=${2%/}
: "${BROKEN:=}"
case $1 in
apply|unapply) ;;
*) usage ;;
esac
case ${FIXES:-0} in
0|1) ;;
*) die "FIXES=$FIXES is unknown" "FIXES=1 mends known bugs of the tree, see Documentation/fixes.rst" ;;
esac
check_tree
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
"$1"
