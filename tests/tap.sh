# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# tap.sh: checks of test scripts, as TAP. Sourced after lib.sh, never run. The script sets
# tmp, a folder of its own, and ends with the status $failed.
# shellcheck disable=SC2154,SC2034

number=0
failed=0

# check NAME COMMAND...: passes if the command succeeds; otherwise prints its output.
check()
{
	local name=$1

	shift
	number=$((number + 1))
	if "$@" >"$tmp/log" 2>&1; then
		echo "ok $number $name"
		return
	fi
	echo "not ok $number $name"
	sed 's/^/# /' "$tmp/log"
	failed=1
}
