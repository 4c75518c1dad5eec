#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: measures this library against the kernel's own fault queue. The two kernels
# run in turn, each time in a fresh guest, and pairs of runs are compared, as other load
# of the host affects both runs of a pair.
#
#   KERNEL     7.3 or 6.12
#   SMP        the guests' processors (2)
#   REPS       pairs (5)
#   MODE       threads, icount, or both (both). With icount QEMU counts
#              instructions: CPU work, repeatable, without parallelism
#   SCENARIOS  only these, see Documentation/benchmarks.rst; "scale" for those with
#              many PASIDs and devices, and large groups
#   PORT       ring, softacc's own IOMMU (ring), or vtd: the emulated VT-d, the
#              library's driver against intel-iommu's prq.c and io-pgfault.c
#   REPORT     how the driver reports to the library: batch, several requests at once;
#              single, one by one, as an unmodified driver does; or both (batch, as
#              both takes half as much time again). To io-pgfault.c it is always
#              single. With PORT=vtd single is intel-iommu's prq.c on the library
#   REPORTER   fifo: the thread that reports is real-time, as an interrupt thread is;
#              normal: it is not (fifo). Not for PORT=vtd
#   AREA       MiB that a scenario touches in a round (64; icount: 16; SCENARIOS=scale:
#              256): less for a busy host
#
# Results: a table on standard output, and CSV, table and plots in the cache, in a
# folder per run: bench/NAME/latest. CSV and table are written anew after each pair, so
# the results of an interrupted run are valid for the pairs before. The plots are
# written once at the end, and with threads only.
#
# With threads host/cores.c measures meanwhile how far apart the host's cores are. Where that
# changed within a pair the pair is not used, and up to twice as many pairs are run.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../runs.sh"

: "${KERNEL:=7.3}" "${SMP:=2}" "${REPS:=5}" "${MODE:=both}" "${SCENARIOS:=}" "${PORT:=ring}"
: "${REPORT:=batch}" "${REPORTER:=fifo}" "${AREA:=}"
[[ $REPS =~ ^[1-9][0-9]*$ ]] || die "REPS=$REPS is no number of pairs"
case $MODE in
both) modes="threads icount" ;;
threads|icount) modes=$MODE ;;
*) die "MODE=$MODE is unknown" "MODE=threads, MODE=icount or MODE=both" ;;
esac
[[ $AREA =~ ^([1-9][0-9]*)?$ ]] || die "AREA=$AREA is no number of MiB"
# Each variant is a guest: the fault queue, and how the driver reports to it.
case $REPORT in
batch|single) variants="iopf-$REPORT upstream-single" ;;
both) variants="iopf-batch upstream-single iopf-single" ;;
*) die "REPORT=$REPORT is unknown" "REPORT=batch, REPORT=single or REPORT=both" ;;
esac
run=run.sh
name=$KERNEL-smp$SMP
parameters=''
case $REPORTER in
fifo) ;;
normal)
	[ "$PORT" != vtd ] || die "REPORTER=normal is not for PORT=vtd" \
		"there the thread is that of VT-d's interrupt"
	parameters=fifo=0,
	;;
*) die "REPORTER=$REPORTER is unknown" "REPORTER=fifo or REPORTER=normal" ;;
esac
# Scenarios whose time is measured per phase
TAKEN_APART="s1 s2 s3 s6"
case $PORT in
ring) ;;
vtd)
	# Without the fixes a killed process is never drained, which the kernel's own
	# queue does not survive.
	export FIXES=1
	run=vtd.sh
	# There the device is on its queue only while it is used.
	TAKEN_APART=''
	name=$name-vtd
	# Half of the indices belong to the engine, and there is one device.
	: "${SCENARIOS:=populate floor1 floor8 floor32 s1 s2 s3 s4 s5 s6 s9 s10}"
	;;
*) die "PORT=$PORT is unknown" "PORT=ring or PORT=vtd" ;;
esac
if [ "$SCENARIOS" = scale ]; then
	SCENARIOS="scale.pasids1 scale.pasids64 scale.pasids65 scale.pasids1024 scale.unbinds"
	SCENARIOS="$SCENARIOS scale.devices1 scale.devices16"
	SCENARIOS="$SCENARIOS scale.group8 scale.group64 scale.group512"
	parameters+=devices=16,prg_bits=12,ring_entries=16384,
	TAKEN_APART="scale.pasids1024 scale.unbinds"
	name=$name-scale
elif [ -n "$SCENARIOS" ]; then
	wanted=''
	for scenario in $TAKEN_APART; do
		[[ " $SCENARIOS " != *" $scenario "* ]] || wanted+=" $scenario"
	done
	TAKEN_APART=${wanted# }
fi
known=$(bench_scenarios | xargs)
for scenario in $SCENARIOS; do
	[[ " $known " == *" $scenario "* ]] ||
		die "SCENARIOS: no scenario is called $scenario" \
			"there are scale, for all of scale.*, and $known"
done
export KERNEL SMP CONFIG=release MEM=${MEM:-3G} TIMEOUT=${TIMEOUT:-900}
export ACCEL=${ACCEL:-tcg}

# Scenarios whose result is work, not time
COUNTED="cpu1 populate floor1 floor8 floor32 s1 s2 s3 s6 s7.prefault s8.file"

# The host's processors, memory and load, without which the results say little
describe_host()
{
	echo "date $(date -u +%Y-%m-%d)"
	echo "host $(nproc) CPUs, $(awk '/^model name/{ sub(/.*: /, ""); print; exit }' /proc/cpuinfo)"
	echo "kernel $KERNEL, guests with $SMP CPUs, $ACCEL"
	echo "command make bench KERNEL=$KERNEL SMP=$SMP REPS=$REPS MODE=$MODE PORT=$PORT" \
		"REPORT=$REPORT REPORTER=$REPORTER${AREA:+ AREA=$AREA}${SCENARIOS:+ SCENARIOS=\"$SCENARIOS\"}"
}

# start_cores: builds host/cores.c and lets it measure until the script ends.
start_cores()
{
	local program=$IOPF_CACHE/bench/cores

	need_packages gcc libc6-dev
	gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -pthread -o "$program.$$" \
		"$TOP/tests/bench/host/cores.c"
	mv -f "$program.$$" "$program"
	"$program" >"$out/cores" &
	cores=$!
	trap stop_cores EXIT
}

stop_cores()
{
	{ kill "$cores" && wait "$cores"; } 2>/dev/null || true
	cores=''
}

# guest MODE VARIANT [-p]: runs a guest and prints its output.
guest()
{
	local mode=$1 variant=$2 args='' scenarios=$SCENARIOS given=$parameters
	local options="${3:-} -r 4 -m ${AREA:-64}"

	[[ $variant != *-single ]] || given+=single=1,
	if [ "$mode" = icount ]; then
		args="-icount shift=0,sleep=off"
		options="${3:-} -r 12 -m ${AREA:-16}"
		: "${scenarios:=$COUNTED}"
	fi
	# Enough for each of a thousand processes
	[[ $name != *-scale ]] || options="${3:-} -r 4 -m ${AREA:-256}"
	[ "${3:-}" != -p ] || scenarios=$TAKEN_APART
	[ "$PORT" != vtd ] || given=''
	IMPL=${variant%-*} PRQ=${prq[$variant]} MODULES=${module[$variant]} \
		APPEND="${APPEND:-}${given:+ iopf.softacc=${given%,}}" FILES="$programs/bench" \
		QEMU_ARGS=$args "$TOP/tests/guest/$run" "bench $options $scenarios" 2>"$out/log" ||
		{ cat "$out/log" >&2; die "the benchmark failed in the guest ($mode, $variant)"; }
}

# results MODE REP VARIANT: adds result lines to the CSV file.
results()
{
	"$TOP/tests/bench/collect.py" "$out/results.csv" "$@"
}

pair()
{
	local mode=$1 rep=$2 order='' most=$REPS variant

	[ "$rep" -le "$REPS" ] || most="up to $((2 * REPS))"
	for variant in $variants; do
		if [ $((rep % 2)) = 1 ]; then
			order="$order $variant"
		else
			order="$variant $order"
		fi
	done
	for variant in $order; do
		say "$mode, pair $rep of $most: ${variant/-/, }"
		guest "$mode" "$variant" |
			results "$mode" "$rep" "$variant" ${cores:+"$out/cores"}
	done
	"$TOP/tests/bench/summary.py" "$out" >/dev/null
}

# Measure the time of each phase, for the library only, which has the probes.
take_apart()
{
	local variant

	for variant in $variants; do
		[[ $variant == iopf-* ]] || continue
		say "$1: where the time goes (${variant#*-})"
		guest "$1" "$variant" -p | grep ' phase_' | results "$1" phases "$variant"
	done
}

need_packages python3 gnuplot-nox
declare -A module
declare -A prq=([iopf-batch]=kernel [iopf-single]=kernel [upstream-single]=kernel)
[ "$PORT" != vtd ] || prq[iopf-batch]=iopf
for variant in $variants; do
	export IMPL=${variant%-*} PRQ=${prq[$variant]}
	"$TOP/drivers-glue/in-tree/build.sh" kernel
	module[$variant]=$("$TOP/drivers-glue/softacc/build.sh")
done
programs=$("$TOP/tests/guest/build.sh" bench)
out=$(run_folder "bench/$name")
# Two benchmarks at the same time would measure each other.
lock bench
describe_host >"$out/host"
echo mode,rep,impl,report,scenario,metric,value,near_ns,far_ns >"$out/results.csv"
for mode in $modes; do
	cores=''
	[ "$mode" = icount ] || start_cores
	for ((rep = 1; rep <= REPS; rep++)); do
		pair "$mode" "$rep"
	done
	# Of instructions no pair is left out.
	for ((; rep <= 2 * REPS; rep++)); do
		[ -n "$cores" ] || break
		pairs=$("$TOP/tests/bench/summary.py" --pairs "$out")
		[ "$pairs" -lt "$REPS" ] || break
		say "a scenario has $pairs pairs that can be used, $REPS are wanted"
		pair "$mode" "$rep"
	done
	stop_cores
	[ -z "$TAKEN_APART" ] || take_apart "$mode"
done
"$TOP/tests/bench/summary.py" "$out"
case $modes in
*threads*) gnuplot -c "$TOP/tests/bench/plot.gp" "$out" ;;
esac
say "bench: done; $out has results.csv and summary.txt$([ "$modes" = icount ] ||
	echo ", throughput.svg and latency.svg")"
