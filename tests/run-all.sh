#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run-all.sh [all]: runs all tests of "make test", or of "make test-all". Each part
# prints TAP, which is kept in the cache, in a folder per run, and counted here; a part
# that does not complete its plan counts as failed. The last lines are a table of the
# parts with their seconds.
#
#   MINUTES  test-all: how long the torture test runs on each debug kernel (15)
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$TOP/drivers-glue/in-tree/machine.sh"
. "$(dirname "$0")/runs.sh"

passed=0
failed=0
skipped=0
table=()

# row NAME SECONDS RESULT: adds a row to the table at the end.
row()
{
	table+=("$(printf '%-40s %6d  %s' "$1" "$2" "$3")")
}

# show_messages FILE: keeps standard input in FILE and shows the messages in it.
show_messages()
{
	tee "$1" | grep --line-buffered -E '^[0-9:]{8}  ' >&2 || true
}

# show_progress NAME FILE: says each minute how many tests have ended. It ends a second
# after this shell at the latest. There is no sleep that would outlive it and keep the output open:
# nothing is ever written to the pipe that it reads.
show_progress()
{
	local start=$SECONDS next=60 nothing

	exec {nothing}<> <(:)
	while ! read -r -t 1 -u "$nothing" && kill -0 $$ 2>/dev/null; do
		[ $((SECONDS - start)) -ge $next ] || continue
		next=$((next + 60))
		say "$1: $(grep -cE '^ *(not )?ok ' "$2") tests in $((SECONDS - start)) s"
	done
}

# part NAME COMMAND...: runs the command and counts its TAP.
part()
{
	local name=$1 out ok not_ok skip result status=0 start=$SECONDS ticker

	out=$RESULTS/${name// /-}.tap
	shift
	say "$name ..."
	: >"$out"
	show_progress "$name" "$out" </dev/null &
	ticker=$!
	"$@" >"$out" 2> >(show_messages "$out.err") </dev/null || status=$?
	kill $ticker
	wait $ticker 2>/dev/null || true
	skip=$(grep -cE '^ *ok .*# SKIP' "$out" || true)
	ok=$(($(grep -cE '^ *ok ' "$out" || true) - skip))
	not_ok=$(grep -cE '^ *not ok ' "$out" || true)
	# A crash leaves no "not ok", nor does a part that never began.
	if { [ $status -ne 0 ] && [ "$not_ok" -eq 0 ]; } || [ $((ok + skip + not_ok)) -eq 0 ]; then
		not_ok=$((not_ok + 1))
		tail -n 40 "$out.err" >&2
	fi
	if [ "$not_ok" -gt 0 ]; then
		say "$name has failures:"
		grep -E -B 12 '^ *not ok ' "$out" | tail -n 120 >&2 || true
	fi
	passed=$((passed + ok))
	failed=$((failed + not_ok))
	skipped=$((skipped + skip))
	result="$ok passed, $not_ok failed, $skip skipped"
	row "$name" $((SECONDS - start)) "$result"
	say "$name: $result in $((SECONDS - start)) s ($out)"
}

# whole NAME COMMAND...: counts a command that prints no TAP as one test.
whole()
{
	local name=$1 status=0

	shift
	echo "1..1"
	"$@" | sed 's/^/# /' || status=$?
	if [ $status = 0 ]; then
		echo "ok 1 $name"
	else
		echo "not ok 1 $name (status $status)"
	fi
	return $status
}

# kernel KERNEL IMPL CONFIG: builds the kernel and the modules and programs for it. A
# failed build is a failure.
kernel()
{
	local start=$SECONDS result="is there"

	export KERNEL=$1 IMPL=$2 CONFIG=$3 MODULES
	"$TOP/drivers-glue/in-tree/build.sh" kernel &&
		MODULES=$("$TOP/tests/guest/modules.sh") &&
		programs=$("$TOP/tests/guest/build.sh") || result="does not build"
	row "kernel $*" $((SECONDS - start)) "$result"
	[ "$result" = "is there" ] && return
	failed=$((failed + 1))
	return 1
}

# For NUMA hinting; each node has a CPU, and one more that stays offline (maxcpus=2).
two_nodes="-smp 4,sockets=4,cores=1,threads=1"
for node in 0 1; do
	two_nodes="$two_nodes -object memory-backend-ram,id=node$node,size=1536M"
	two_nodes="$two_nodes -numa node,memdev=node$node,cpus=$node,cpus=$((node + 2))"
done
nodes=$two_nodes

guest()
{
	local guest=$TOP/tests/guest words=${APPEND:-}

	[ "$nodes" != "$two_nodes" ] || words="maxcpus=2 $words"
	FILES="$programs/test-sva $programs/test-groups $programs/test-mm $programs/test-parity \
		$programs/asleep $programs/pace $programs/test-sleepers $programs/test-vmm \
		$programs/test-forward $programs/vmm $programs/random $programs/iommufd \
		$guest/*.sh $TOP/tests/tools/iopfstat" \
		QEMU_ARGS="$nodes" APPEND=$words MEM=3G TIMEOUT=${TIMEOUT:-1800} "$guest/run.sh" "$@"
}

# The same with four CPUs in one node
guest_of_four()
{
	local nodes=''

	SMP=4 guest "$@"
}

# The number of CPUs used depends on the cost of the work. Here that is the number of
# instructions, so other load of the host does not matter.
cpus()
{
	local nodes="-icount shift=0,sleep=off"

	SMP=4 guest test-sleepers -t cpus
}

# expect_failure TEST: a test of groups must fail on the kernel's own fault queue, or it
# proves nothing.
expect_failure()
{
	local status=0

	echo "1..1"
	guest "test-groups -t $1" | sed 's/^/# /' || status=$?
	if [ $status = 1 ]; then
		echo "ok 1 $1 fails on the kernel's own fault queue"
	else
		echo "not ok 1 $1 fails on the kernel's own fault queue (status $status)"
	fi
	[ $status = 1 ]
}

cases=$(cat "$TOP"/tests/kunit/*.c | grep -cE 'KUNIT_CASE(_SLOW)?\(')

# Guests run all tests on these kernels.
guests()
{
	local config

	for config in "7.3 release" "6.12 debug" "7.3 debug"; do
		kernel "${config% *}" iopf "${config#* }" || continue
		part "guest $config" guest HUGE_PAGES=512 "KUNIT_CASES=$cases" \
			guest-setup.sh guest-tests.sh
		[ "$CONFIG" != debug ] || part "stress $config" short_stress
		[ "$CONFIG" = debug ] || part "cpus $config" cpus
	done
}

short_stress()
{
	SECONDS_OF_STRESS=60 "$TOP/tests/stress/run.sh"
}

stress_with_kcsan()
{
	kernel 7.3 iopf kcsan || return 0
	part "stress 7.3 kcsan" short_stress
	part "threads 7.3 kcsan" threads_with_kcsan
}

# Three threads use the report API when the kernel boots.
threads_with_kcsan()
{
	APPEND="kunit.enable=1 kunit.filter_glob=iopf_threads ${APPEND:-}" \
		guest KUNIT_CASES=1 kunit-results.sh
}

# On the upstream queue: tests that must fail there, those of sleeping faults, which
# must pass, and the comparison with the CPU, which is only printed.
upstream()
{
	local test

	kernel 7.3 upstream release || return 0
	for test in two_pasids_one_index pasid_not_bound; do
		part "upstream $test" expect_failure "$test"
	done
	part "upstream sleepers" guest_of_four guest-setup.sh test-sleepers
	part "upstream parity" guest HUGE_PAGES=64 guest-setup.sh test-parity
}

# The library beside programs that own CPUs, compared with the upstream queue
progress()
{
	local config

	for config in "7.3 release" "6.12 debug"; do
		kernel "${config% *}" upstream "${config#* }" || continue
		part "progress $config" "$TOP/tests/progress.sh"
	done
}

# What a fix to the kernel changes in the comparison with the CPU
fixed_parity()
{
	export FIXES=1
	kernel 7.3 iopf release &&
		part "fixes parity" guest HUGE_PAGES=64 guest-setup.sh test-parity -s hugetlb
	unset FIXES KERNEL IMPL CONFIG MODULES
}

long_stress()
{
	local series

	for series in 6.12 7.3; do
		export MINUTES
		KERNEL=$series CONFIG=debug part "long stress $series debug" "$TOP/tests/stress/run.sh"
	done
}

# The parts of "make test"
parts()
{
	KERNEL=7.3 part "kunit 7.3" "$TOP/tests/kunit.sh"
	guests
	stress_with_kcsan
	upstream
	progress
	unset KERNEL IMPL CONFIG MODULES
	part "model" "$TOP/tests/model/model.sh"
	part "vtd ring" "$TOP/tests/vtd/ring-test.sh"
	part "vtd" "$TOP/tests/vtd-test.sh" short
	fixed_parity
	part "bench" "$TOP/tests/bench-test.sh"
	part "errors" "$TOP/tests/errors-test.sh"
	part "apply" "$TOP/tests/apply-test.sh"
	part "fixes" "$TOP/tests/fixes-test.sh"
	part "check" "$TOP/tests/check.sh"
}

# The additional parts of "make test-all". The last one leaves a broken kernel in the
# cache.
more_parts()
{
	part "docs" whole "the documentation builds" "$TOP/Documentation/build.sh"
	part "mutants" "$TOP/tests/mutants.sh"
	part "guest-sva" whole "a million faults are served" "$TOP/tests/guest/guest-sva.sh" stress
	long_stress
	part "vtd long" "$TOP/tests/vtd-test.sh" long
	part "stress broken" "$TOP/tests/stress/broken.sh"
}

[ -z "${KSRC:-}" ] ||
	die "KSRC=$KSRC: make test is for Debian's 7.3 and 6.12" \
	    "make kunit, demo, guest, stress and random take KSRC"
: "${MINUTES:=15}"
check_numbers MINUTES
case ${1:-} in
''|all) ;;
*) die "usage: $0 [all]" ;;
esac
check_machine "make test${1:+-$1}" 9000 60
need_packages "${FOR_GUESTS[@]}" rsync libcap-dev coccinelle patch git spin sparse shellcheck binutils
RESULTS=$(run_folder results)
start=$SECONDS
parts
[ "${1:-}" != all ] || more_parts

printf '%s\n' "${table[@]}" >"$RESULTS/table"
say "parts, and their seconds:"
cat "$RESULTS/table" >&2
say "all parts took $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s"
if [ $failed -eq 0 ]; then
	say "All tests passed."
else
	say "There are failures: see above, and $RESULTS"
fi
echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
[ $failed -eq 0 ]
