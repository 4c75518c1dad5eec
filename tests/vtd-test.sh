#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vtd-test.sh short|long: the tests on an emulated VT-d, as TAP. For each pair of fault
# queue and page request driver there are a guest with all programs, and storms.
#
#   short   minutes, part of make test: the library with both drivers, with FIXES
#   long    1,000,000 requests and 200 rounds of processes that end in a storm; 6.12,
#           and under KASAN, too; and the behaviour without FIXES, which is printed,
#           not judged
#   debug   the last part of long: under KASAN
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

GUEST=$TOP/tests/guest
number=0
failed=0

# kernel KERNEL IMPL PRQ FIXES [CONFIG]: builds the kernel, its module and programs.
kernel()
{
	export KERNEL=$1 IMPL=$2 PRQ=$3 FIXES=$4 CONFIG=${5:-release} MODULES
	name="$1 $2, prq $3, fixes $4"
	[ "$CONFIG" = release ] || name="$name, $CONFIG"
	"$TOP/drivers-glue/in-tree/build.sh" kernel
	MODULES=$("$GUEST/modules.sh" | tr "\n" " ")
	programs=$("$GUEST/build.sh")
	export FILES="$programs/test-sva $programs/test-groups $programs/storm $programs/asleep $programs/pace $programs/vmm"
	FILES="$FILES $GUEST/guest-setup.sh $GUEST/test-removal.sh $GUEST/vtd-tests.sh"
}

# guest TIMEOUT COMMAND...: runs the command in a guest, and prints its TAP renumbered.
guest()
{
	local timeout=$1 status=0 out=$tmp/out line rest

	shift
	TIMEOUT=$timeout MEM=${MEM:-3G} "$GUEST/vtd.sh" "$@" >"$out" </dev/null || status=$?
	while read -r line; do
		case $line in
		ok\ *|not\ ok\ *)
			number=$((number + 1))
			rest=${line#*ok }
			echo "${line%%ok *}ok $number $name: ${rest#* }"
			;;
		'#'*) echo "$line" ;;
		esac
	done <"$out"
	! grep -q '^not ok' "$out" || failed=1
	return $status
}

# judged TIMEOUT COMMAND...: a guest that does not end well is a failure of its own.
judged()
{
	local status=0

	guest "$@" || status=$?
	if [ $status -gt 1 ]; then
		number=$((number + 1))
		echo "not ok $number $name: $2 ended with status $status"
		failed=1
	fi
}

# told TIMEOUT COMMAND...: prints the result without judging it.
told()
{
	local status=0 before=$failed

	TIMEOUT=$1 MEM=${MEM:-3G} "$GUEST/vtd.sh" "${@:2}" >"$tmp/out" 2>"$tmp/err" </dev/null || status=$?
	number=$((number + 1))
	echo "# $name:"
	grep -E '^(not )?ok|^#' "$tmp/out" | sed 's/^/#   /' || true
	grep -m 6 -E 'BUG|Oops|WARNING|RIP:|KASAN' "$tmp/err" | sed 's/^/#   /' || true
	echo "ok $number $name: told, the guest ended with status $status"
	failed=$before
}

tests_with_both_drivers()
{
	kernel "$1" iopf iopf 1
	judged 900 guest-setup.sh vtd-tests.sh
	judged "$4" storm -n "$2" -r "$3"
	kernel "$1" iopf kernel 1
	judged "$4" storm -n "$2" -r "$3"
}

# KASAN reports accesses to freed memory. A warning must not end the guest early.
under_kasan()
{
	# VT-d would take the device of the KUnit suites.
	export APPEND=kunit.enable=0
	kernel 7.3 iopf iopf 1 debug
	judged 1800 storm -n 20000 -r 40
	kernel 7.3 iopf kernel 1 debug
	judged 1800 storm -n 20000 -r 40
	APPEND="$APPEND panic_on_warn=0"
	kernel 7.3 iopf iopf 0 debug
	told 1800 storm -n 20000 -r 40
	kernel 7.3 iopf kernel 0 debug
	told 1800 storm -n 20000 -r 40
	kernel 7.3 upstream kernel 0 debug
	told 1800 storm -n 20000 -r 40
}

case ${1:-} in
short|long|debug) ;;
*) die "usage: $0 short|long|debug" ;;
esac
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "TAP version 13"
case $1 in
short) tests_with_both_drivers 7.3 30000 8 300 ;;
long)
	tests_with_both_drivers 7.3 1000000 200 3600
	tests_with_both_drivers 6.12 100000 20 900
	kernel 7.3 iopf iopf 0
	told 3600 storm -n 100000 -r 200
	kernel 7.3 iopf kernel 0
	told 3600 storm -n 100000 -r 200
	kernel 7.3 upstream kernel 0
	told 900 storm -n 100000 -r 20
	under_kasan
	;;
debug) under_kasan ;;
esac
echo "1..$number"
exit $failed
