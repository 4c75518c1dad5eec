#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# kunit-results.sh: in a guest whose kernel has run the built-in KUnit suites at boot,
# prints their results as TAP. KUNIT_CASES is the number of cases that must be there.
status=0
found=0
for results in /sys/kernel/debug/kunit/iopf[-_]*/results; do
	[ -e "$results" ] || continue
	grep -E '^ +(# |ok|not ok)' "$results" | sed 's/^ *//'
	found=$((found + $(grep -cE '^ +(not )?ok ' "$results")))
	! grep -q 'not ok' "$results" || status=1
done
if [ "$found" != "${KUNIT_CASES:-none}" ]; then
	echo "not ok - $found of ${KUNIT_CASES:-?} KUnit cases have a result"
	status=1
fi
exit $status
