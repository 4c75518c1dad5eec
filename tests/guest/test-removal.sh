#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# test-removal.sh: in the guest, the device and the module go while processes use
# them, and come again.
number=0

check()
{
	number=$((number + 1))
	name=$1
	shift
	if "$@" 2>&1; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=1
	fi
}

# Processes that keep the device busy; they end with an error when it goes.
busy()
{
	for _ in 1 2 3; do
		(while test-sva -r sva.groups.anonymous; do :; done) >/dev/null 2>&1 &
	done
	sleep 2
}

remove_devices()
{
	echo 1 >/sys/module/softacc/parameters/remove
	[ ! -e /dev/softacc-0 ]
}

# A device does not wait for faults that user space never serves: it takes a second at
# most, and somewhat more under KASAN on a busy machine.
remove_asleep()
{
	asleep 512 >/tmp/asleep &
	sleep 2
	[ -s /tmp/asleep ] || return 1
	read -r before _ </proc/uptime
	remove_devices || return 1
	read -r after _ </proc/uptime
	kill $!
	wait
	awk -v before="$before" -v after="$after" 'BEGIN {
		printf "# removed in %.2f s\n", after - before
		exit !(after - before < 3)
	}'
}

# Nor for faults that are on their way through user space.
remove_forwarded()
{
	vmm -b softacc -n 1000000000 >/tmp/vmm 2>&1 &
	sleep 2
	kill -0 $! || { cat /tmp/vmm; return 1; }
	remove_devices
	status=$?
	kill -9 $!
	wait
	return "$status"
}

# With another device, where there is room for it.
load()
{
	if [ -n "$SOFTACC_PARAMETERS" ]; then
		# shellcheck disable=SC2086
		insmod /lib/modules/iopf/softacc.ko $SOFTACC_PARAMETERS
	else
		insmod /lib/modules/iopf/softacc.ko devices=2
	fi
}

idle()
{
	wait
	test "$(pidof test-sva | wc -w)" = 0
}

echo "1..13"
failed=0
busy
check "the device goes while it is used" remove_devices
check "its users end" idle
check "the module goes" rmmod softacc
check "the module comes again" load
check "the device works again" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
check "the device goes at once while 512 faults sleep" remove_asleep
check "the module goes after it" rmmod softacc
check "the module comes again after it" load
check "the device works again after it" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
# vmm takes a platform device.
if [ -n "$SOFTACC_PARAMETERS" ]; then
	for number in 10 11 12 13; do
		echo "ok $number # SKIP the accelerator is a PCI device"
	done
	exit $failed
fi
check "the device goes while its faults are forwarded" remove_forwarded
check "the module goes after that" rmmod softacc
check "the module comes again after that" load
check "the device works again after that" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
exit $failed
