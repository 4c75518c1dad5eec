#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# test-removal.sh: in the guest, removes the device and the module while processes use
# them, and adds them again.
TIMEOUT=/sys/module/iopf/parameters/prq_timeout
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

# wait_for COMMAND...: repeats the command until it succeeds; fails after a minute or
# more.
wait_for()
{
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || return 1
		usleep 100000
	done
}

# Print the number of page request groups that the fault queue has had.
groups()
{
	awk '$1 == "groups" { n += $2 } END { print n + 0 }' /sys/kernel/debug/iopf/*/*/stats
}

# more_groups NUMBER: succeeds if there have been more than NUMBER groups.
more_groups()
{
	[ "$(groups)" -gt "$1" ]
}

# Start processes that keep the device busy; they end with an error when it is removed.
busy()
{
	before=$(groups)
	for _ in 1 2 3; do
		(while test-sva -r sva.groups.anonymous; do :; done) >/dev/null 2>&1 &
	done
	wait_for more_groups $((before + 100))
}

remove_devices()
{
	echo 1 >/sys/module/softacc/parameters/remove
	[ ! -e /dev/softacc-0 ]
}

none_asleep()
{
	[ "$(cat /sys/module/softacc/parameters/asleep)" = 0 ]
}

# remove_asleep SECONDS: removing a device does not wait for faults that user space
# never serves: it takes a second at most, and slightly more under KASAN. No worker
# continues to sleep, even if all groups have timed out after SECONDS.
remove_asleep()
{
	: >/tmp/asleep
	echo "$1" >"$TIMEOUT"
	asleep 512 >/tmp/asleep &
	wait_for test -s /tmp/asleep || return 1
	[ "$1" != 1 ] || sleep 2
	# The timeout must not end them, however slow the machine is.
	echo 100 >"$TIMEOUT"
	took=$(pace sh -c 'echo 1 >/sys/module/softacc/parameters/remove') || return 1
	echo 10 >"$TIMEOUT"
	[ ! -e /dev/softacc-0 ] || return 1
	wait_for none_asleep || return 1
	kill $!
	wait
	echo "# removed in $took s"
	awk -v took="$took" 'BEGIN { exit !(took < 3) }'
}

forwarded()
{
	grep -q 'leaving *[1-9]' /tmp/vmm
}

# The same for faults that are on their way through user space
remove_forwarded()
{
	: >/tmp/vmm
	vmm -b softacc -n 1000000000 -d >/tmp/vmm 2>&1 &
	wait_for forwarded || { cat /tmp/vmm; return 1; }
	kill -0 $! || { cat /tmp/vmm; return 1; }
	remove_devices
	status=$?
	kill -9 $!
	wait
	return "$status"
}

# Load it with another device, if there is room for it.
load()
{
	if [ -n "$SOFTACC_PARAMETERS" ]; then
		# shellcheck disable=SC2086
		insmod /lib/modules/iopf/softacc.ko $SOFTACC_PARAMETERS
	else
		insmod /lib/modules/iopf/softacc.ko devices=2
	fi
}

nobody_left()
{
	test "$(pidof test-sva | wc -w)" = 0
}

idle()
{
	wait
	wait_for nobody_left
}

echo "1..17"
failed=0
busy
check "the device goes while it is used" remove_devices
check "its users end" idle
check "the module goes" rmmod softacc
check "the module comes again" load
check "the device works again" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
check "the device goes at once while 512 faults sleep" remove_asleep 100
check "the module goes after it" rmmod softacc
check "the module comes again after it" load
check "the device works again after it" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
check "the device goes at once after 512 faults have timed out" remove_asleep 1
check "the module goes after they have" rmmod softacc
check "the module comes again after they have" load
check "the device works again after they have" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
# vmm needs a platform device.
if [ -n "$SOFTACC_PARAMETERS" ]; then
	for number in 14 15 16 17; do
		echo "ok $number # SKIP the accelerator is a PCI device"
	done
	exit $failed
fi
check "the device goes while its faults are forwarded" remove_forwarded
check "the module goes after that" rmmod softacc
check "the module comes again after that" load
check "the device works again after that" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
exit $failed
