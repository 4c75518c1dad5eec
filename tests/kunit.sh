#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [TREE]: the KUnit suites on a user-mode kernel, by the tree's own kunit.py.
# TREE has the library already; without it the one of KERNEL or KSRC is used.
# The cases go to stdout as TAP; logs of each run are kept in the cache's log/kunit.
# Several runs take turns: there is one build folder for a tree.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/runs.sh"

need_packages python3 gcc make flex bison bc libelf-dev
tree=${1:-}
if [ -z "$tree" ]; then
	"$TOP/drivers-glue/in-tree/build.sh" tree
	tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
fi
build=$IOPF_CACHE/kunit/$(basename "$tree")
out=$(run_folder "log/kunit")
lock "kunit-$(basename "$tree")"
mkdir -p "$build"
kunit()
{
	(cd "$tree" && ./tools/testing/kunit/kunit.py "$@" \
		--kunitconfig=drivers/iommu/iopf/tests/.kunitconfig \
		--build_dir="$build")
}
# No other run may put another library into the tree while it is built.
[ $# -gt 0 ] || lock "build-$(basename "$tree")"
run_logged "$out/config.log" "configuring a user-mode kernel for KUnit" kunit config
run_logged "$out/build.log" "building it (first time: 2 minutes)" kunit build --jobs "$(nproc)"
[ $# -gt 0 ] || unlock "build-$(basename "$tree")"
say "running the KUnit suites (output: $out/output)"
# kunit.py's own limit goes by the clock.
suites()
{
	cd "$tree" && exec ./tools/testing/kunit/kunit.py exec 'iopf*' \
		--build_dir="$build" --timeout 7200 --raw_output=kunit
}
limited 300 suites >"$out/output" || say "kunit.py ended with status $?"
unlock "kunit-$(basename "$tree")"
sed -n '/^    \(not \)\{0,1\}ok /s/^ *//p' "$out/output"

# A crash ends the output, and kunit.py does not mind.
cases=$(cat "$TOP"/tests/kunit/*.c | grep -cE 'KUNIT_CASE(_SLOW)?\(')
results=$(grep -cE '^    (not )?ok ' "$out/output" || true)
if [ "$results" != "$cases" ]; then
	echo "not ok - only $results of $cases cases have a result"
	tail -n 40 "$out/output" >&2
	exit 1
fi
# Nor does KUnit mind what the kernel reports.
if grep -qE 'WARNING: |BUG: |refcount_t: ' "$out/output"; then
	echo "not ok - the kernel reported something"
	grep -nE -A 20 'WARNING: |BUG: |refcount_t: ' "$out/output" | head -n 40 >&2
	exit 1
fi
! grep -q '^    not ok' "$out/output"
