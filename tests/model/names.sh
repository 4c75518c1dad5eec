#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# names.sh: checks the functions that group.pml stands for, by its "Stands for:" lists.
# Prints those that iopf/ does not have, and then has status 1.
set -euo pipefail
cd "$(dirname "$0")/../.."

names=$(sed -n '/Stands for:/,/\*\/\|^ \*$/p' tests/model/group.pml |
	grep -oE '\b(iopf|iommu)_[a-z_]+' | sort -u)
[ -n "$names" ] || { echo "tests/model/group.pml stands for nothing"; exit 1; }
missing=0
for name in $names; do
	grep -qE "^([a-z].*[ *])?$name\(" iopf/*.[ch] && continue
	echo "tests/model/group.pml stands for $name(), which iopf/ does not have" >&2
	missing=1
done
echo "$names"
exit $missing
