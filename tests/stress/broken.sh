#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# broken.sh [NAME...]: builds debug kernels with mistakes of tests/mutants in the
# library, one at a time, and runs the torture test on them for a minute, which must
# fail. TAP, with what noticed the mistake. Afterwards the kernel in the cache is a
# broken one; the next build makes the right one again.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

number=0
failed=0
# The KUnit suites notice the others.
NAMES=(double-response double-claim lost-group missing-reference no-limit early-flush)

broken()
{
	local status=0 noticed

	number=$((number + 1))
	BROKEN=$1 DISTURB=kill,flush,limits,abrupt,handlers SECONDS_OF_STRESS=60 APPEND=kmemleak=off \
		"$TOP/tests/stress/run.sh" \
		>"$tmp/tap" 2>"$tmp/err" || status=$?
	noticed=$(
		sed -n 's/^not ok [0-9]* //p' "$tmp/tap"
		grep -aoEm 1 '(BUG|WARNING|INFO|Oops|KASAN|kernel BUG|kmemleak).*' "$tmp/err" || true
	)
	if [ $status -ne 0 ] && [ -n "$noticed" ]; then
		echo "ok $number $1 is noticed: ${noticed//$'\n'/; }"
		grep '^# FAIL' "$tmp/tap" | head -n 4 || true
	else
		echo "not ok $number $1 is not noticed (status $status)"
		tail -n 30 "$tmp/tap" "$tmp/err" | sed 's/^/# /'
		failed=1
	fi
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ $# -gt 0 ] || set -- "${NAMES[@]}"
echo "TAP version 13"
echo "1..$#"
for name; do
	broken "$name"
done
exit $failed
