#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutants.sh [NAME...]: applies the mistakes of tests/mutants to a copy of the kernel tree, one
# at a time, and runs the KUnit suites, which have to fail: first those with the cases that the
# patch names, then all of them if these pass. The output is TAP.
#
#   SUITE  run only this suite, see kunit.sh. With iopf_model the number of operations until the
#          mistake is noticed is printed, and mistakes that the model cannot notice ("Model: no"
#          in the patch) are skipped
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../drivers-glue/in-tree/broken.sh"

: "${SUITE:=}"
number=0
failed=0

# after: prints after how many operations the reference model has noticed the mistake.
after()
{
	local output=$IOPF_CACHE/log/kunit/latest/output

	[ "$SUITE" = iopf_model ] || return 0
	grep -aoE '(caught|crash) after [0-9]+ operations' "$output" | head -n 1 || true
	sed -n 's/.*caught after [0-9]* operations: \(.*\)/(\1)/p' "$output" | head -n 1
}

# suites NAME: the suites to run for a mistake, in this order. An empty line means all.
suites()
{
	if [ -n "$SUITE" ]; then
		echo "$SUITE"
		return
	fi
	sed '/^--- a\//,$d' "$MUTANTS/$1.patch" | grep -oE '[a-z0-9_]{4,}' | sort -u |
		sed 's/.*/KUNIT_CASE(&)\nKUNIT_CASE_SLOW(&)\nKUNIT_CASE_PARAM(&,/' >"$tmp/words"
	(cd "$TOP/tests/kunit" && grep -lFf "$tmp/words" ./*_kunit.c) |
		sed -E 's|^\./(.*)_kunit\.c$|iopf_\1|'
	echo
}

# mutant NAME: prints the result of one mistake.
mutant()
{
	local name=$1 noticed suite status=0

	number=$((number + 1))
	if [ "$SUITE" = iopf_model ] && grep -q '^Model: no' "$MUTANTS/$name.patch"; then
		echo "ok $number $name # SKIP $(sed -n 's/^Model: //p' "$MUTANTS/$name.patch")"
		return
	fi
	BROKEN=$name "$TOP/drivers-glue/in-tree/tree.sh" apply "$tree"
	for suite in $(suites "$name" | sed 's/^$/all/'); do
		SUITE=${suite#all} "$TOP/tests/kunit.sh" "$tree" >"$tmp/tap" 2>"$tmp/err" || status=$?
		[ $status -eq 0 ] || break
	done
	noticed=$(awk '/^not ok/ { printf "%s ", $NF }' "$tmp/tap")
	if [ $status -ne 0 ] && [ -s "$tmp/tap" ]; then
		echo "ok $number $name is noticed by: $noticed$(after | tr '\n' ' ')"
	else
		echo "not ok $number $name is not noticed"
		tail -n 5 "$tmp/err" | sed 's/^/# /'
		failed=1
	fi
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
check_suite
export KERNEL=7.3 KSRC=''
"$TOP/drivers-glue/in-tree/build.sh" tree
source=$("$TOP/drivers-glue/in-tree/build.sh" source)
tree=$IOPF_CACHE/tree/mutant
rm -rf "$tree"
cp -al "$source" "$tree"
rm -rf "$tree/drivers/iommu" "$tree/include"
cp -a "$source/drivers/iommu" "$tree/drivers/iommu"
cp -a "$source/include" "$tree/include"
# The objects of the last mistake of an earlier run are newer than the correct sources.
find "$tree/drivers/iommu/iopf" -type f -exec touch {} +

# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(mutant_names)
echo "TAP version 13"
echo "1..$#"
for name; do
	mutant "$name"
done
exit $failed
