#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# qemu.sh [--check]: prints the command that starts qemu-system-x86_64, in one line, quoted for
# the shell:
#
#	eval "qemu=($(tests/guest/qemu.sh))"
#	"${qemu[@]}" -net none ...
#
#   QEMU    the user's own program; default: Debian's QEMU 11, unpacked in the cache
#
# Debian's needs "-net none": its network boot ROMs are not fetched. With --check, only
# checks QEMU.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../../drivers-glue/in-tree/debian.sh"

: "${QEMU:=}"

# Print the newest one in the cache. A folder has its name only once it is complete.
find_cached()
{
	find "$IOPF_CACHE" -maxdepth 1 -name 'qemu-*' ! -name '*.tmp' 2>/dev/null |
		sort -V | tail -n 1
}

download()
{
	rm -f "$IOPF_CACHE"/apt/archives/*.deb
	debian_apt get install -y --download-only -t trixie-backports qemu-system-x86
}

unpack()
{
	local dir=$1 deb

	rm -rf "$dir.tmp"
	mkdir -p "$dir.tmp/root"
	for deb in "$IOPF_CACHE"/apt/archives/*.deb; do
		dpkg-deb -x "$deb" "$dir.tmp/root"
	done
	mv "$dir.tmp" "$dir"
}

fetch()
{
	local debs version

	# Another run may have fetched it meanwhile.
	with_lock qemu
	dir=$(find_cached)
	[ -z "$dir" ] || return 0

	debian_update
	run_logged "$IOPF_CACHE/log/fetch-qemu.log" \
		"fetching QEMU from Debian (about 40 MB)" download
	debs=("$IOPF_CACHE"/apt/archives/qemu-system-x86_*.deb)
	[ -e "${debs[0]}" ] ||
		die "apt has not fetched qemu-system-x86" \
		    "see $IOPF_CACHE/log/fetch-qemu.log, or give QEMU=PROGRAM"
	version=$(dpkg-deb -f "${debs[0]}" Version)
	version=${version#*:}
	dir=$IOPF_CACHE/qemu-${version%%[+~-]*}
	run_logged "$IOPF_CACHE/log/unpack-qemu.log" "unpacking it into $dir" \
		unpack "$dir"
	rm -f "$IOPF_CACHE"/apt/archives/*.deb
}

# Its libraries are those of its own suite, as is the loader.
print_cached()
{
	local root=$dir/root

	printf '%q %s %q %q -L %q -L %q\n' \
		"$root/usr/lib64/ld-linux-x86-64.so.2" \
		--library-path "$root/usr/lib/x86_64-linux-gnu" \
		"$root/usr/bin/qemu-system-x86_64" \
		"$root/usr/share/qemu" "$root/usr/share/seabios"
}

if [ -n "$QEMU" ]; then
	program=$(command -v -- "$QEMU") ||
		die "QEMU=$QEMU is no program" \
		    "QEMU=/path/to/qemu-system-x86_64, or none to have Debian's fetched"
	[ "${1:-}" = --check ] || printf '%q\n' "$program"
	exit
fi
[ "${1:-}" != --check ] || exit 0
dir=$(find_cached)
[ -n "$dir" ] || fetch
print_cached
