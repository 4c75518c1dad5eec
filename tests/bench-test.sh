#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# bench-test.sh: the benchmark's collect.py and summary.py on results that are made up, as
# TAP. What the tables say about real guests is no test: nothing depends on it.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/tap.sh"

BENCH=$TOP/tests/bench
# Later than any time that collect.py may begin at
LATER=9999999999

# begin: starts anew, without results.
begin()
{
	rm -rf "$tmp/out"
	mkdir "$tmp/out"
	echo "host made up" >"$tmp/out/host"
	echo mode,rep,impl,report,scenario,metric,value,near_ns,far_ns >"$tmp/out/results.csv"
}

# result MODE REP VARIANT SCENARIO METRIC VALUE [NEAR FAR]: adds a result.
result()
{
	echo "$1,$2,${3%-*},${3#*-},$4,$5,$6,${7:-},${8:-}" >>"$tmp/out/results.csv"
}

# pair REP OURS THEIRS [NEAR FAR]: adds pages/s of s1. The cores are measured in our guest;
# in the other one they are near.
pair()
{
	result threads "$1" iopf-batch s1 pages_per_s "$2" "${4:-80}" "${5:-100}"
	result threads "$1" upstream-single s1 pages_per_s "$3" 80 100
}

summary()
{
	"$BENCH/summary.py" "$tmp/out"
}

# prints REGEX: the summary has such a line.
prints()
{
	summary >"$tmp/summary"
	cat "$tmp/summary"
	grep -qE "$1" "$tmp/summary"
}

pairs_are()
{
	[ "$("$BENCH/summary.py" --pairs "$tmp/out")" = "$1" ]
}

median_of_pairs()
{
	begin
	pair 1 200 100
	pair 2 90 100
	pair 3 120 100
	prints '^s1 +pages/s +100 +120 +1\.20 \(0\.90 to 2\.00\)$' &&
		prints ' 80 to 100 ns; 0 of 3 measurements left out' && pairs_are 3
}

moved_between_guests()
{
	begin
	pair 1 200 100
	pair 2 900 100 380 390
	pair 3 200 100
	prints ' 2\.00 \(2\.00 to 2\.00\)$' && prints ' 1 of 3 measurements left out' && pairs_are 2
}

moved_within_a_guest()
{
	begin
	pair 1 200 100
	pair 2 900 100 80 390
	prints ' 2\.00 \(2\.00 to 2\.00\)$' && pairs_are 1
}

# All results of a scenario are left out with one of them, and none of another scenario.
other_metrics_and_scenarios()
{
	begin
	pair 1 200 100
	pair 2 900 100 80 390
	for rep in 1 2; do
		result threads "$rep" iopf-batch s1 p99_us 10 80 100
		result threads "$rep" upstream-single s1 p99_us $((rep * 10)) 80 100
		result threads "$rep" iopf-batch s2 pages_per_s $((rep * 100)) 80 100
		result threads "$rep" upstream-single s2 pages_per_s 100 80 100
	done
	prints '^s1 +p99 us .* 1\.00 \(1\.00 to 1\.00\)$' &&
		prints '^s2 .* 1\.50 \(1\.00 to 2\.00\)$' && pairs_are 1
}

far_throughout_is_used()
{
	begin
	for rep in 1 2; do
		result threads "$rep" iopf-batch s1 pages_per_s 200 350 390
		result threads "$rep" upstream-single s1 pages_per_s 100 350 400
	done
	pairs_are 2 && prints ' 350 to 400 ns; 0 of 2 '
}

none_is_left()
{
	begin
	pairs_are 0 || return 1
	pair 1 200 100 380 390
	prints '^s1 +pages/s +nan +nan +-$' && prints '^cores moved: all 1 measurements left out$' && pairs_are 0
}

not_measured()
{
	begin
	result threads 1 iopf-batch s7.prefault pages_per_s 200 80 100
	pair 1 200 100
	prints '^s7.prefault +pages/s +nan +200 +-$' && pairs_are 1
	begin
	result threads 1 iopf-batch s1 pages_per_s 200
	result threads 1 upstream-single s1 pages_per_s 100
	prints '^cores not measured$' && pairs_are 1
}

# Guests that count instructions take turns in no time: cores do not matter.
instructions()
{
	begin
	for variant in iopf-batch upstream-single; do
		result icount 1 "$variant" floor1 pages_per_s 250000
	done
	result icount 1 iopf-batch s1 pages_per_s 100000
	result icount 1 upstream-single s1 pages_per_s 50000
	prints '^s1 +insns/page +20000 +5\.00 +10000 +2\.50 +0\.50 \(0\.50 to 0\.50\)$'
}

# verdict OURS OURS THEIRS METRIC: two pairs of an unmodified driver.
verdict()
{
	local rep

	begin
	for rep in 1 2; do
		result threads "$rep" iopf-single s1 "$4" "${!rep}" 80 100
		result threads "$rep" upstream-single s1 "$4" "$3" 80 100
	done
	summary | sed -n 's/^s1 .* 2 .*) *//p'
}

verdicts()
{
	[ "$(verdict 110 120 100 pages_per_s)" = ahead ] &&
		[ "$(verdict 90 80 100 pages_per_s)" = behind ] &&
		[ "$(verdict 90 110 100 pages_per_s)" = level ] &&
		[ "$(verdict 90 80 100 p99_us)" = ahead ] &&
		[ "$(verdict 110 120 100 p99_us)" = behind ]
}

# collect [CORES]: gives standard input to collect.py.
collect()
{
	"$BENCH/collect.py" "$tmp/out/results.csv" threads 7 iopf-batch "$@" 2>"$tmp/shown"
	cat "$tmp/out/results.csv" "$tmp/shown"
}

collected()
{
	grep -qxF "threads,7,iopf,batch,$1" "$tmp/out/results.csv"
}

# A scenario too short for a measurement has that of the one before.
times_of_a_scenario()
{
	begin
	printf '%s\n' "0.000 390" "$LATER.000 90" "$LATER.250 110" "$LATER.500 95" >"$tmp/cores"
	printf 'result %s\n' "s1 pages_per_s 5" "s1 p50_us 6" "s2 p50_us 7" | collect "$tmp/cores"
	collected s1,pages_per_s,5,90,110 && collected s1,p50_us,6,90,110 &&
		collected s2,p50_us,7,90,110
}

no_times()
{
	begin
	echo "result s1 pages_per_s 5" | collect
	collected s1,pages_per_s,5,,
}

other_lines()
{
	begin
	printf '%s\n' "bench: out of memory" "result s1" "result s1 p50_us 6" | collect
	collected s1,p50_us,6,, && [ "$(wc -l <"$tmp/out/results.csv")" = 2 ] &&
		[ "$(cat "$tmp/shown")" = $'bench: out of memory\nresult s1' ]
}

need_packages python3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "TAP version 13"
echo "1..12"
check "summary: the median of the pairs' ratios, the least and the greatest" median_of_pairs
check "summary: a pair is left out if cores moved between its guests" moved_between_guests
check "summary: a pair is left out if cores moved within a guest" moved_within_a_guest
check "summary: with all results of the scenario, and no others" other_metrics_and_scenarios
check "summary: a pair with cores that were far throughout is used" far_throughout_is_used
check "summary: all pairs are left out" none_is_left
check "summary: what was not measured" not_measured
check "summary: instructions, and floors" instructions
check "summary: ahead, behind and level" verdicts
check "collect: the least and the greatest time since the scenario before" times_of_a_scenario
check "collect: without measurements of cores" no_times
check "collect: lines that are no results are shown" other_lines
exit $failed
