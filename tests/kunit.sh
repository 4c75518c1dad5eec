#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kunit.sh [TREE]: the KUnit suites on a user-mode kernel, by the tree's own kunit.py.
# TREE has the library already; without it the one of KERNEL or KSRC is used.
# The cases go to stdout as TAP.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

need_packages python3 gcc make flex bison bc libelf-dev
tree=${1:-}
if [ -z "$tree" ]; then
	"$TOP/drivers-glue/in-tree/build.sh" tree
	tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
fi
build=$IOPF_CACHE/kunit/$(basename "$tree")
mkdir -p "$build"
with_lock "kunit-$(basename "$tree")"
kunit()
{
	(cd "$tree" && timeout 900 ./tools/testing/kunit/kunit.py "$@" \
		--kunitconfig=drivers/iommu/iopf/tests/.kunitconfig \
		--build_dir="$build")
}
run_logged "$build.config.log" "configuring a user-mode kernel for KUnit" kunit config
run_logged "$build.log" "building it (first time: 2 minutes)" kunit build --jobs "$(nproc)"
say "running the KUnit suites"
(cd "$tree" && timeout 300 ./tools/testing/kunit/kunit.py exec 'iopf*' \
	--build_dir="$build" --timeout 240 --raw_output=kunit) >"$build.tap"
sed -n '/^    \(not \)\{0,1\}ok /s/^ *//p' "$build.tap"

# A crash ends the output, and kunit.py does not mind.
cases=$(cat "$TOP"/tests/kunit/*.c | grep -cE 'KUNIT_CASE(_SLOW)?\(')
results=$(grep -cE '^    (not )?ok ' "$build.tap" || true)
if [ "$results" != "$cases" ]; then
	echo "not ok - only $results of $cases cases have a result"
	tail -n 40 "$build.tap" >&2
	exit 1
fi
! grep -q '^    not ok' "$build.tap"
