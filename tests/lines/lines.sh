#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lines.sh: counts how often cache lines change hands between CPUs, by a plugin of QEMU that
# follows each access of the guest's kernel to memory, see lines.c. The library and the
# kernel's own fault queue run the same scenario: for lone groups one of
# tests/guest/test-progress.c with one request at a time, for storms one of the benchmark,
# whose requests are reported one by one.
#
#   KERNEL     7.3 or 6.12
#   REPS       guests of each fault queue (3)
#   SCENARIOS  one scenario: fifo-reporter (the default), isolated-reporter, s2, s3, ...
#
# Prints the lines per request of each guest, and the functions with most of them. What the
# kernel does beside the groups counts, too, timer interrupts for example, and differs from
# run to run, more so in storms, where the guest's clock sees that the plugin is slow. What is
# by the library itself differs little.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../runs.sh"

: "${KERNEL:=7.3}" "${REPS:=3}" "${SCENARIOS:=fifo-reporter}"
[[ $REPS =~ ^[1-9][0-9]*$ ]] || die "REPS=$REPS is no number of runs"
storms=$(bench_scenarios | xargs)
known="$(progress_scenarios | xargs) $storms"
[[ $SCENARIOS != *[[:space:]]* && " $known " == *" $SCENARIOS "* ]] ||
	die "SCENARIOS: no scenario is called $SCENARIOS" "there are $known"
export KERNEL CONFIG=release ACCEL=tcg

FUNCTIONS=16
# Functions of the library, io-pgfault.c and iommu-sva.c, and those of the workqueue
QUEUE='^(iopf_|iommu_report_device_fault|iommu_sva_)'
WORKQUEUE='^(__queue_work|queue_work_on|pwq_|move_linked_works|kick_pool|process_one_work|'
WORKQUEUE+='worker_|assign_work|insert_work|clear_pending_if_disabled)'

# vmlinux IMPL: prints the kernel's file with symbols.
vmlinux()
{
	echo "$IOPF_CACHE/build/$KERNEL-$1-$CONFIG/vmlinux"
}

# entry IMPL: prints the address of the function that softacc calls with a request.
entry()
{
	local name=iommu_report_device_fault

	# The benchmark reports one by one to both.
	[ "$1 $program" != "iopf test-progress" ] || name=iopf_report_requests
	nm "$(vmlinux "$1")" | awk -v name=$name '$3 == name { print $1 }'
}

# functions IMPL FILE: prints "LINES FUNCTION" per request.
functions()
{
	local executions

	read -r _ executions <"$2"
	{
		nm "$(vmlinux "$1")" | awk '$2 ~ /^[tTwW]$/ { print $1, 0, $3 }'
		sed 1d "$2" | awk '{ print $1, 1, $2 }'
	} | sort -k1,2 | awk -v n="$executions" '
		$2 == 0 { name = $3 }
		$2 == 1 { sum[$1 > "ffffffffa0" ? "(module)" : name] += $3 }
		END { for (name in sum) printf "%.1f %s\n", sum[name] / n, name }' | sort -rn
}

# count_lines IMPL RUN
count_lines()
{
	local impl=$1 out=$tmp/$1-$2

	say "$SCENARIOS on $KERNEL, run $2: $impl"
	IMPL=$impl MODULES=${module[$impl]} FILES=$programs/$program TIMEOUT=${TIMEOUT:-300} \
		APPEND="rcupdate.rcu_cpu_stall_suppress=1 nokaslr $parameter ${APPEND:-}" \
		QEMU_ARGS="-plugin $tmp/lines.so,entry=$(entry "$impl"),skip=$skip,count=$count,out=$out" \
		"$TOP/tests/guest/run.sh" "$program $options" >"$out.log" 2>&1 </dev/null ||
		{ cat "$out.log" >&2; die "$SCENARIOS failed in the guest ($impl)"; }
	[ -s "$out" ] || die "$SCENARIOS has reported fewer than $((skip + count)) requests" \
		"choose one with one request at a time: fifo-reporter or isolated-reporter," \
		"or a storm of the benchmark: s2 to s6"
	functions "$impl" "$out" >"$out.functions"
	awk -v impl="$impl" -v queue="$QUEUE" -v workqueue="$WORKQUEUE" '
		{ sum += $1 }
		$2 ~ queue { by_queue += $1 }
		$2 ~ workqueue { by_workqueue += $1 }
		END { printf "%-8s  %.1f lines a request: %.1f by the fault queue, %.1f by its workqueue\n",
			     impl, sum, by_queue, by_workqueue }' "$out.functions"
}

need_packages gcc libc6-dev binutils
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
gcc -O2 -Wall -Wextra -shared -fPIC -o "$tmp/lines.so" "$TOP/tests/lines/lines.c" ||
	die "tests/lines/lines.c does not build"
programs=$("$TOP/tests/guest/build.sh" test-progress bench)
if [[ " $storms " == *" $SCENARIOS "* ]]; then
	program=bench options="-r 1 -m 32 $SCENARIOS"
	parameter=iopf.softacc=single=1
	skip=2000 count=3000
else
	program=test-progress options="-l 100000 $SCENARIOS $SCENARIOS"
	parameter=''
	skip=150 count=600
fi
declare -A module
for impl in iopf upstream; do
	IMPL=$impl "$TOP/drivers-glue/in-tree/build.sh" kernel
	module[$impl]=$(IMPL=$impl "$TOP/drivers-glue/softacc/build.sh")
done
for ((run = 1; run <= REPS; run++)); do
	for impl in iopf upstream; do
		count_lines "$impl" "$run"
	done
done
for impl in iopf upstream; do
	echo
	echo "$impl, run $REPS"
	head -n $FUNCTIONS "$tmp/$impl-$REPS.functions" | awk '{ printf "%6s %s\n", $1, $2 }'
done
