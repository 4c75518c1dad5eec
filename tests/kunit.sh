#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [TREE]: runs the KUnit suites on a user-mode kernel, by the tree's own
# kunit.py. TREE has the library already; without it the tree of KERNEL or KSRC is used.
# The cases go to stdout as TAP; logs of each run are kept in the cache's log/kunit.
# Concurrent runs wait for each other: there is one build folder per tree.
#
#   SUITE   only this suite, for example iopf_model of tests/kunit/model_kunit.c
#   APPEND  more words for the kernel's command line
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/runs.sh"
. "$(dirname "$0")/user-mode.sh"

: "${SUITE:=}" "${APPEND:=}"
files=("$TOP"/tests/kunit/*.c)
check_suite
[ -z "$SUITE" ] || files=("$TOP/tests/kunit/${SUITE#iopf_}_kunit.c")
find_tree "$@"
out=$(run_folder "log/kunit")
lock "kunit-$(basename "$tree")"
build_user_mode "$IOPF_CACHE/kunit/$(basename "$tree")"
say "running the KUnit suites (output: $out/output)"
# Some mistakes of tests/mutants let a suite hang.
seconds=300
[ -z "$SUITE" ] || seconds=120
# shellcheck disable=SC2086
limited $seconds run_user_mode "${SUITE:-iopf*}" $APPEND >"$out/output" || say "kunit.py ended with status $?"
unlock "kunit-$(basename "$tree")"
sed -n '/^    \(not \)\{0,1\}ok /s/^ *//p' "$out/output"

# A crash ends the output without an error of kunit.py.
cases=$(cat "${files[@]}" | grep -cE 'KUNIT_CASE(_SLOW)?\(')
results=$(grep -cE '^    (not )?ok ' "$out/output" || true)
if [ "$results" != "$cases" ]; then
	echo "not ok - only $results of $cases cases have a result"
	tail -n 40 "$out/output" >&2
	exit 1
fi
# KUnit does not check for reports of the kernel.
if grep -qE 'WARNING: |BUG: |refcount_t: ' "$out/output"; then
	echo "not ok - the kernel reported something"
	grep -nE -A 20 'WARNING: |BUG: |refcount_t: ' "$out/output" | head -n 40 >&2
	exit 1
fi
! grep -q '^    not ok' "$out/output"
