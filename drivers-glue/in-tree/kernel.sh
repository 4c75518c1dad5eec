# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Checking kernel trees, and changing files in them. Sourced.

# kernel_version DIR: prints the version without the patch level, "7.3" for 7.3.4.
kernel_version()
{
	awk '/^VERSION = /{ v = $3 } /^PATCHLEVEL = /{ print v "." $3; exit }' "$1/Makefile"
}

# check_kernel DIR [NAME]: dies unless DIR is a kernel tree of a version that was tested.
# Messages call it NAME.
check_kernel()
{
	local version patch shown=${2:-$1}

	[ -d "$1" ] || die "$shown is no folder"
	if ! grep -qs '^PATCHLEVEL = ' "$1/Makefile" || [ ! -f "$1/drivers/iommu/Kconfig" ]; then
		die "$shown is no Linux kernel tree" \
		    "it has no Makefile with a kernel version, or no drivers/iommu/Kconfig"
	fi
	version=$(kernel_version "$1")
	patch=$(awk '/^SUBLEVEL = /{ print $3; exit }' "$1/Makefile")
	case $version in
	6.12|7.3) ;;
	*)
		[ "${FORCE:-}" = 1 ] ||
			die "$shown is Linux $version.$patch; tested are 6.12.y and 7.3.y" \
			    "FORCE=1 tries it all the same"
		;;
	esac
}

# replace_file FILE NEW: replaces the text of FILE by that of NEW, with the same owner and
# mode. Creates a new file, because trees in the cache share files with the pristine sources
# by hard links.
replace_file()
{
	cp -p "$1" "$1.iopf-new"
	cat "$2" >"$1.iopf-new"
	mv -f "$1.iopf-new" "$1"
}

# semantic_patch FILE ARGUMENTS...: runs spatch on FILE; its output goes to stdout.
semantic_patch()
{
	local file=$1

	shift
	timeout 300 spatch --very-quiet --no-includes "$@" "$file" 2>"$file.spatch" || {
		cat "$file.spatch" >&2
		die "spatch failed: spatch $*"
	}
	rm -f "$file.spatch"
}
