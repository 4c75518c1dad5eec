#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fetch.sh SERIES: prints the folder of the pristine kernel sources of SERIES (7.3 or
# 6.12), and first fetches them from Debian's linux-source package if the cache does not
# have them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/debian.sh"

# find_series SERIES: prints the series to fetch. Backports carry one kernel at a time, so
# a newer 7.x may have replaced 7.3.
find_series()
{
	local newest

	if [ -n "$(debian_newest "linux-source-$1")" ]; then
		echo "$1"
		return
	fi
	case $1 in
	7.*)
		newest=$(debian_apt cache search --names-only '^linux-source-7[.]' |
			 awk '{ print $1 }' | sort -V | tail -n 1)
		;;
	esac
	[ -n "${newest:-}" ] ||
		die "Debian's archive has no linux-source-$1" \
		    "give your own tree: make ... KSRC=/path/to/linux-$1"
	say "notice: the archive has no linux-source-$1 any more, using $newest"
	echo "${newest#linux-source-}"
}

unpack()
{
	local deb=$1 dir=$2 tmp=$2.tmp

	rm -rf "$tmp"
	mkdir -p "$tmp/deb"
	dpkg-deb --fsys-tarfile "$deb" | tar -xf - -C "$tmp/deb" --wildcards './usr/src/*.tar.xz'
	mkdir "$tmp/src"
	tar -xJf "$tmp"/deb/usr/src/*.tar.xz -C "$tmp/src" --strip-components=1
	mv "$tmp/src" "$dir"
	rm -rf "$tmp"
}

[ $# -eq 1 ] || die "usage: $0 SERIES"
with_lock fetch
found=("$IOPF_CACHE"/src/linux-"$1".*/)
if [ ${#found[@]} -ge 1 ] && [ -e "${found[-1]}Makefile" ]; then
	echo "${found[-1]%/}"
	exit
fi

need_packages xz-utils
debian_update
series=$(find_series "$1")
version=$(debian_newest "linux-source-$series")
dir=$IOPF_CACHE/src/linux-${version%%[~-]*}
if [ ! -e "$dir/Makefile" ]; then
	dl=$IOPF_CACHE/apt/download
	hint="the mirror may have a newer version: remove $IOPF_CACHE/apt/updated and try again" \
		run_logged "$IOPF_CACHE/log/fetch-$series.log" \
		"fetching linux-source-$series $version from Debian (about 160 MB)" \
		debian_download "linux-source-$series" "$version" "$dl"
	deb=$(find "$dl" -name "linux-source-${series}_*.deb" | head -n 1)
	run_logged "$IOPF_CACHE/log/unpack-$series.log" "unpacking it into $dir" \
		unpack "$deb" "$dir"
	rm -f "$deb"
fi
echo "$dir"
