#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# ring-test.sh [NAME...]: VT-d's page request queue against a model of the hardware, as
# TAP. First it runs inputs that have failed before (tests/vtd/corpus) and fixed seeds,
# then the mistakes of tests/vtd/mutants, one at a time: each must be noticed, by a
# check that its paragraph names, with the inputs of the corpus that it names and fixed
# seeds. With NAMEs only these mistakes.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
MUTANTS=$TOP/tests/vtd/mutants
. "$TOP/drivers-glue/in-tree/broken.sh"
. "$(dirname "$0")/build.sh"

number=0
failed=0
FINDINGS=$IOPF_CACHE/fuzz/findings

# Pass the program's own TAP on. An input that fails is minimized.
seeds()
{
	local status=0 found

	"$tmp/ring" -t "$FINDINGS" "$VTD"/corpus/* >"$tmp/out" 2>"$tmp/err" || status=$?
	cat "$tmp/out"
	number=$(grep -cE '^(not )?ok ' "$tmp/out" || true)
	[ $status -ne 0 ] || return 0
	failed=1
	if [ "$number" -eq 0 ]; then
		number=1
		echo "not ok 1 the model ends with status $status"
	fi
	sed 's/^/# /' "$tmp/err"
	found=$(sed -n 's/^# the input is in //p' "$tmp/out")
	[ -n "$found" ] || return 0
	"$tmp/ring" -s "$found" 2>/dev/null || true
	echo "# to see what happens: tests/vtd/fuzz.sh replay $found"
}

# noticed_by FILE: prints the check that failed, or the compiler's error.
noticed_by()
{
	if grep -qE 'AddressSanitizer:|runtime error:' "$1"; then
		echo memory
	else
		sed -n 's/^FINDING \([a-z]*\):.*/\1/p' "$1" | head -n 1
	fi
}

# checks_of NAME WORD: prints what the paragraph has after WORD.
checks_of()
{
	sed -n "/^--- /q; s/^$2: \(.*\)\.$/\1/p" "$MUTANTS/$1.patch" | tr -d ,
}

# Build only what has changed.
build_mutant()
{
	local source changed=()

	rm -rf "$tmp/tree" "$tmp/mutant"
	copy_sources "$tmp/tree"
	break_sources "$1" "$tmp/tree"
	cp -r "$tmp/objects" "$tmp/mutant"
	for source in $(driver_sources "$tmp/tree"); do
		cmp -s "$source" "$TOP/${source#"$tmp/tree/"}" || changed+=("$source")
	done
	compile gcc "$tmp/tree" "$tmp/mutant" "${changed[@]}"
	gcc "${FLAGS[@]}" -o "$tmp/mutant/ring" "$tmp/mutant"/*.o
}

mutant()
{
	local name=$1 check ignored=() inputs=()

	number=$((number + 1))
	build_mutant "$name"
	for check in $(checks_of "$name" Ignored); do
		ignored+=(-i "$check")
	done
	# What only a rare sequence shows is not left to the fixed seeds.
	for check in $(checks_of "$name" Input); do
		inputs+=("$VTD/corpus/$check")
	done
	rm -rf "$tmp/found"
	mkdir "$tmp/found"
	"$tmp/mutant/ring" "${ignored[@]}" -t "$tmp/found" "${inputs[@]}" >/dev/null 2>"$tmp/err" || true
	check=$(noticed_by "$tmp/err")
	if [[ -n $check && " $(checks_of "$name" Check) " == *" $check "* ]]; then
		echo "ok $number mistake $name is noticed by: $check"
	else
		echo "not ok $number mistake $name is noticed by: ${check:-nothing}"
		sed 's/^/# /' "$tmp/err" | head -n 20
		failed=1
	fi
}

need_packages gcc libc6-dev patch
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$FINDINGS"
build_ring "$tmp/objects" "$tmp/ring"
echo "TAP version 13"
if [ $# -eq 0 ]; then
	seeds
	# shellcheck disable=SC2046
	set -- $(mutant_names)
fi
for name; do
	mutant "$name"
done
echo "1..$number"
exit $failed
