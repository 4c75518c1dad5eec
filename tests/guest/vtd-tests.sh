#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# vtd-tests.sh: in a guest whose accelerator is behind VT-d, runs the test programs that
# work on any IOMMU. Their TAP is concatenated.
failed=0
for program in test-groups test-sva test-removal.sh; do
	echo "# $program"
	"$program" || failed=1
done
exit $failed
