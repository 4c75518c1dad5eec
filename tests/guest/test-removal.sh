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

idle()
{
	wait
	test "$(pidof test-sva | wc -w)" = 0
}

echo "1..5"
failed=0
busy
check "the device goes while it is used" remove_devices
check "its users end" idle
check "the module goes" rmmod softacc
check "the module comes again" insmod /lib/modules/iopf/softacc.ko devices=2
check "the device works again" sh -c 'test-sva -r sva.groups.anonymous >/dev/null'
exit $failed
