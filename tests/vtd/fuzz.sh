#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# fuzz.sh: libFuzzer on VT-d's page request queue and a model of the hardware. An input
# that fails is minimized and left in the cache; inputs that reach new code are kept
# there for the next run.
# fuzz.sh replay FILE...: shows what an input does.
#
#   MINUTES  duration (5)
#   SEED     libFuzzer's (a new one)
set -euo pipefail
: "${MINUTES:=5}" "${SEED:=}"
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/build.sh"

FUZZ=$IOPF_CACHE/fuzz

# In a subshell: the flags are not for gcc.
build_fuzzer()
(
	FLAGS+=(-fsanitize=fuzzer-no-link)
	mapfile -t sources < <(find "$VTD" -maxdepth 1 -name '*.c' -not -name main.c)
	# shellcheck disable=SC2046
	compile clang "$TOP" "$tmp/clang" "${sources[@]}" $(driver_sources "$TOP")
	clang "${FLAGS[@]}" -fsanitize=fuzzer -o "$tmp/fuzzer" "$tmp/clang"/*.o
)

replay()
{
	need_packages gcc libc6-dev
	build_ring "$tmp/objects" "$tmp/ring"
	"$tmp/ring" "$@"
}

fuzz()
{
	local status=0 found

	need_packages clang libclang-rt-dev gcc libc6-dev
	mkdir -p "$FUZZ/corpus" "$FUZZ/findings"
	say "building with clang"
	build_fuzzer
	say "fuzzing for $MINUTES min (log: $FUZZ/log)"
	"$tmp/fuzzer" -max_total_time=$((MINUTES * 60)) -max_len=4096 -timeout=20 \
		${SEED:+-seed="$SEED"} -print_final_stats=1 \
		-artifact_prefix="$FUZZ/findings/" \
		"$FUZZ/corpus" "$VTD/corpus" >"$FUZZ/log" 2>&1 || status=$?
	grep -E '^INFO: Seed|^stat::number_of_executed_units|^Done ' "$FUZZ/log" || true
	if [ $status = 0 ]; then
		say "nothing is found"
		return
	fi
	grep -A 2 -E '^FINDING|ERROR: AddressSanitizer|runtime error|ALARM' "$FUZZ/log" ||
		tail -n 20 "$FUZZ/log"
	found=$(sed -n 's/.*Test unit written to //p' "$FUZZ/log" | tail -n 1)
	[ -n "$found" ] || die "libFuzzer ends with status $status" "the whole log: $FUZZ/log"
	build_ring "$tmp/objects" "$tmp/ring"
	"$tmp/ring" -s "$found" 2>/dev/null || true
	die "an input has found something: $found" \
	    "to see what happens: tests/vtd/fuzz.sh replay $found"
}

check_numbers MINUTES
check_seed
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
case ${1:-} in
'') fuzz ;;
replay)
	shift
	[ $# -gt 0 ] || die "usage: $0 [replay FILE...]"
	replay "$@"
	;;
*) die "usage: $0 [replay FILE...]" ;;
esac
