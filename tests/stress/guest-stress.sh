#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest-stress.sh ARGUMENTS...: in the guest, sets up what the torture test needs
# besides guest-setup.sh, swap and a memory cgroup, and runs it. The test itself loads
# and unloads the module repeatedly.
set -e
mkswap /dev/ram1 >/dev/null
swapon /dev/ram1
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p /sys/fs/cgroup/stress
echo 24M >/sys/fs/cgroup/stress/memory.max
[ ! -e /proc/sys/kernel/hung_task_timeout_secs ] ||
	echo 60 >/proc/sys/kernel/hung_task_timeout_secs
# Let a hog have all of its processor.
echo -1 >/proc/sys/kernel/sched_rt_runtime_us
# Some of softacc's handlers never respond, and a domain's handler has no timeout.
[ ! -e /sys/module/iopf/parameters/domain_timeout ] ||
	echo 10 >/sys/module/iopf/parameters/domain_timeout
exec stress -m softacc.ko "$@"
