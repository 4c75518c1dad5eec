#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# mutants.sh: breaks a copy of the library, one way at a time, and runs the KUnit
# suites on it, which have to notice. TAP.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

number=0
failed=0

# mutant NAME FILE EDIT: EDIT is a sed expression that has to change FILE.
mutant()
{
	local name=$1 file=$tree/drivers/iommu/iopf/$2 edit=$3 noticed status=0

	number=$((number + 1))
	cp "$file" "$tmp/original"
	sed -i "$edit" "$file"
	! cmp -s "$file" "$tmp/original" ||
		die "mutant $name: the edit changes nothing in iopf/$2"
	"$TOP/tests/kunit.sh" "$tree" >"$tmp/tap" 2>"$tmp/err" || status=$?
	cp "$tmp/original" "$file"
	noticed=$(awk '/^not ok/ { printf "%s ", $NF }' "$tmp/tap")
	if [ $status -ne 0 ] && [ -s "$tmp/tap" ]; then
		echo "ok $number $name is noticed by: $noticed"
	else
		echo "not ok $number $name is not noticed"
		tail -n 5 "$tmp/err" | sed 's/^/# /'
		failed=1
	fi
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export KERNEL=7.3 KSRC=''
"$TOP/drivers-glue/in-tree/build.sh" tree
source=$("$TOP/drivers-glue/in-tree/build.sh" source)
tree=$IOPF_CACHE/tree/mutant
rm -rf "$tree"
cp -al "$source" "$tree"
rm -rf "$tree/drivers/iommu"
cp -a "$source/drivers/iommu" "$tree/drivers/iommu"

echo "TAP version 13"
echo "1..7"
mutant "double answer" respond.c 's/if (grp->state == IOPF_ANSWERED)/if (0)/'
mutant "PASID ignored" report.c 's/\.pasid = valid ? fault->prm.pasid : 0,/.pasid = 0,/'
mutant "no limit" group.c 's/if (iopf_over_partial(idev, idev->nr_partial))/if (0)/'
mutant "flush returns early" flush.c 's/^\t\tiopf_lane_wait_answers(lane);$/\t\t;/'
mutant "groups lost by a flush" flush.c 's/if (grp->mm || all)/if ((grp->mm || all) \&\& grp->seq % 16)/'
mutant "no deadline" deadline.c 's/return time_after_eq(jiffies, .*/return false;/'
mutant "missing reference" group.c 's/^\trefcount_inc(&grp->users);$/\t;/'
exit $failed
