#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest-setup.sh COMMAND...: in the guest, sets up what the tests of memory need: huge
# pages, a file system on a disk, and swap and another file system on slow disks. Then
# it runs the command.
set -e
echo "${HUGE_PAGES:-40}" >/proc/sys/vm/nr_hugepages
if ! grep -q ' /mnt ' /proc/mounts; then
	mkdir -p /mnt
	mke2fs /dev/ram0 >/dev/null 2>&1
	mount -t ext4 /dev/ram0 /mnt
fi

# slow_disk NAME NANOSECONDS DEPTH: creates /dev/NAME, a disk of 32 MB where every
# request takes NANOSECONDS and DEPTH of them run at a time.
slow_disk()
{
	nullb=/sys/kernel/config/nullb/$1

	mkdir "$nullb"
	echo 1 >"$nullb/memory_backed"
	echo 32 >"$nullb/size"
	echo 2 >"$nullb/irqmode"
	echo "$2" >"$nullb/completion_nsec"
	echo "$3" >"$nullb/hw_queue_depth"
	echo 1 >"$nullb/power"
}

if [ -d /sys/module/null_blk ] && ! grep -q ' /slow ' /proc/mounts; then
	mount -t configfs configfs /sys/kernel/config
	mkdir -p /slow
	slow_disk slowfiles 5000000 64
	mke2fs /dev/slowfiles >/dev/null 2>&1
	mount -t ext4 /dev/slowfiles /slow
	slow_disk slowswap 5000000 64
	mkswap /dev/slowswap >/dev/null
	swapon /dev/slowswap
	# The disk appears later, as its partition table is read first.
	slow_disk sleepers 4000000000 256 &
fi

# NUMA balancing, where it is enabled, must scan soon.
numa=/sys/kernel/debug/sched/numa_balancing
if [ -d $numa ]; then
	echo 10 >$numa/scan_delay_ms
	echo 100 >$numa/scan_period_min_ms
fi
exec "$@"
