#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest-setup.sh COMMAND...: in the guest, provides what the tests of memory
# want, huge pages and a file system on a disk, and runs the command.
set -e
echo "${HUGE_PAGES:-40}" >/proc/sys/vm/nr_hugepages
if ! grep -q ' /mnt ' /proc/mounts; then
	mkdir -p /mnt
	mke2fs /dev/ram0 >/dev/null 2>&1
	mount -t ext4 /dev/ram0 /mnt
fi
exec "$@"
