#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit-results.sh: in a guest whose kernel has the KUnit suites built in and ran
# them when it booted, prints what they found, the cases as TAP.
status=0
found=0
for results in /sys/kernel/debug/kunit/iopf-*/results; do
	[ -e "$results" ] || continue
	found=1
	grep -E '^ +(# |ok|not ok)' "$results" | sed 's/^ *//'
	! grep -q 'not ok' "$results" || status=1
done
[ $found = 1 ] || echo "not ok 1 there are no KUnit results"
[ $found = 1 ] && exit $status
