#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: measures this library against the kernel's own fault queue. Both kernels
# run in turn, each time in a fresh guest, and what is compared is the pairs: what
# else the machine does falls on both.
#
#   KERNEL     7.3 or 6.12
#   SMP        the guests' processors (2)
#   REPS       pairs (5)
#   MODE       threads, icount, or both (both). With icount QEMU counts
#              instructions: CPU work, repeatable, without parallelism
#   SCENARIOS  some instead of all, see Documentation/benchmarks.rst
#
# Results: a table here, and CSV, the table and plots in the cache.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

: "${KERNEL:=7.3}" "${SMP:=2}" "${REPS:=5}" "${MODE:=both}" "${SCENARIOS:=}"
[[ $REPS =~ ^[1-9][0-9]*$ ]] || die "REPS=$REPS is no number of pairs"
case $MODE in
both) modes="threads icount" ;;
threads|icount) modes=$MODE ;;
*) die "MODE=$MODE is unknown" "MODE=threads, MODE=icount or MODE=both" ;;
esac
export KERNEL SMP CONFIG=release MEM=${MEM:-3G} TIMEOUT=${TIMEOUT:-900}
export ACCEL=${ACCEL:-tcg}

# Those whose figure is work, not time.
COUNTED="cpu1 populate floor1 floor8 floor32 s1 s2 s3 s6 s7.prefault s8.file"

# The host's processors, memory and load: figures without them say little.
describe_host()
{
	echo "date $(date -u +%Y-%m-%d)"
	echo "host $(nproc) CPUs, $(awk '/^model name/{ sub(/.*: /, ""); print; exit }' /proc/cpuinfo)"
	echo "kernel $KERNEL, guests with $SMP CPUs, $ACCEL"
	echo "command make bench KERNEL=$KERNEL SMP=$SMP REPS=$REPS MODE=$MODE${SCENARIOS:+ SCENARIOS=\"$SCENARIOS\"}"
}

# guest MODE IMPL: one guest; prints its result lines.
guest()
{
	local options args='' scenarios=$SCENARIOS

	options="-r 4 -m 64"
	if [ "$1" = icount ]; then
		args="-icount shift=0,sleep=off"
		options="-r 3 -m 16"
		: "${scenarios:=$COUNTED}"
	fi
	IMPL=$2 MODULES=${module[$2]} FILES="$programs/bench" QEMU_ARGS=$args \
		"$TOP/tests/guest/run.sh" "bench $options $scenarios" 2>"$out/log" ||
		{ cat "$out/log" >&2; die "the benchmark failed in the guest ($1, $2)"; }
}

pair()
{
	local mode=$1 rep=$2 order="iopf upstream" impl

	[ $((rep % 2)) = 1 ] || order="upstream iopf"
	for impl in $order; do
		say "$mode, pair $rep of $REPS: $impl"
		guest "$mode" "$impl" | tr -d '\r' |
			awk -v OFS=, -v p="$mode,$rep,$impl" \
			    '$1 == "result" { print p, $2, $3, $4 }' >>"$out/results.csv"
	done
}

need_packages python3 gnuplot-nox
declare -A module
for impl in iopf upstream; do
	IMPL=$impl "$TOP/drivers-glue/in-tree/build.sh" kernel
	module[$impl]=$(IMPL=$impl "$TOP/drivers-glue/softacc/build.sh")
done
programs=$("$TOP/tests/guest/build.sh")
out=$IOPF_CACHE/bench/$KERNEL-smp$SMP
rm -rf "$out"
mkdir -p "$out"
describe_host >"$out/host"
echo mode,rep,impl,scenario,metric,value >"$out/results.csv"
for mode in $modes; do
	for ((rep = 1; rep <= REPS; rep++)); do
		pair "$mode" "$rep"
	done
done
"$TOP/tests/bench/summary.py" "$out"
case $modes in
*threads*) gnuplot -c "$TOP/tests/bench/plot.gp" "$out" ;;
esac
say "bench: done; $out has results.csv and summary.txt$([ "$modes" = icount ] ||
	echo ", throughput.svg and latency.svg")"
