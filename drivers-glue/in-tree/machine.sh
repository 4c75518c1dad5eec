# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What the machine must have for a first run. Sourced after lib.sh.

# Megabytes of memory that a guest and compilers need
NEEDED_MEMORY=4000

# The size of the cache in megabytes
cache_size()
{
	du -sm "$IOPF_CACHE" 2>/dev/null | cut -f 1
}

# check_machine WHAT DISK MINUTES: dies if there is no room for WHAT, which takes DISK
# megabytes of the cache and at first about MINUTES on two processors.
check_machine()
{
	local free size=0 memory

	free=$(free_space)
	memory=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
	if [ "$free" -lt "$2" ]; then
		size=$(cache_size)
		[ $((free + ${size:-0})) -ge "$2" ] ||
			die "$1 needs $2 MB of disk, and $IOPF_CACHE has $free MB free" \
			    "free some, or set IOPF_CACHE to a folder on another disk"
	fi
	[ "$memory" -ge $NEEDED_MEMORY ] ||
		say "notice: $memory MB of memory are free; guests and compilers take up to $NEEDED_MEMORY MB"
	[ -d "$IOPF_CACHE/build" ] ||
		say "the first run: about $3 minutes on 2 processors, $2 MB in $IOPF_CACHE"
}
