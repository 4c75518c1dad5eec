#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# model-test.sh: the report API against its reference model (tests/kunit/model.h), and
# used by three threads, on a user-mode kernel with KASAN, for MINUTES. Runs follow each
# other, each with the next seed; TAP, one line per run. A sequence that fails is shrunk
# and printed.
#
#   MINUTES     duration (5)
#   SEED        of the first run; a new one by default
#   OPERATIONS  of a run (100000)
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/runs.sh"
. "$(dirname "$0")/user-mode.sh"

: "${MINUTES:=5}" "${SEED:=}" "${OPERATIONS:=100000}"
check_numbers MINUTES OPERATIONS
check_seed
SEED=${SEED:-$((RANDOM << 15 | RANDOM))}

# Expect the full number of operations and no report of the kernel.
run_is_good()
{
	[ "$(grep -cE '^    ok ' "$1")" = 3 ] &&
		awk -v least="$OPERATIONS" '/ operations done$/ && $(NF - 2) >= least { found = 1 }
			END { exit !found }' "$1" &&
		! grep -qE '^ *not ok|WARNING: |BUG: |refcount_t: ' "$1"
}

find_tree ''
out=$(run_folder log/model-test)
lock "kunit-$(basename "$tree")-kasan"
build_user_mode "$IOPF_CACHE/kunit/$(basename "$tree")-kasan" CONFIG_KASAN=y CONFIG_KASAN_GENERIC=y

echo "TAP version 13"
number=0
failed=0
end=$((SECONDS + MINUTES * 60))
while [ $SECONDS -lt $end ]; do
	number=$((number + 1))
	log=$out/$SEED
	# iopf_model and iopf_threads
	limited 900 run_user_mode 'iopf_[mt][oh]*' "iopf_model.seed=$SEED" "iopf_threads.seed=$SEED" \
		"iopf_model.operations=$OPERATIONS" >"$log" || say "kunit.py ended with status $?"
	if run_is_good "$log"; then
		echo "ok $number seed $SEED: $OPERATIONS operations"
	else
		echo "not ok $number seed $SEED ($log)"
		sed -n '/caught after/,/not ok/p' "$log" | head -n 400 | sed 's/^/# /'
		tail -n 40 "$log" >&2
		failed=1
	fi
	SEED=$((SEED + 1))
done
echo "1..$number"
exit $failed
