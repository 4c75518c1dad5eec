#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# guest-tests.sh: in the guest, runs all tests that this kernel can run, after
# guest-setup.sh. Their TAP is concatenated.
failed=0

# A test program ends with 1 when a test has failed, which its TAP shows.
run()
{
	echo "# $*"
	"$@"
	status=$?
	[ $status -eq 0 ] || failed=1
	[ $status -le 1 ] || echo "not ok - $1 ended with status $status"
}

# serve BACKEND FAULTS: runs the VMM program, whose status is the result.
serve()
{
	echo "# vmm -b $1 -n $2"
	if vmm -b "$1" -n "$2" >/tmp/vmm 2>&1; then
		echo "ok - $2 faults of $1 are served from user space"
	else
		echo "not ok - $2 faults of $1 are served from user space"
		failed=1
	fi
	sed 's/^/# /' /tmp/vmm
}

run test-groups
run test-sva
run test-mm
run test-parity
run test-sleepers
[ ! -e /sys/kernel/debug/iopf ] || run test-stat.sh
run test-vmm
run test-forward
serve softacc 10000
serve iommufd 10000
# The cases with page requests; not all kernels have all of them.
for case in alloc_hwpt_nested viommu_alloc_nested_iopf pasid_attach; do
	if iommufd -l 2>&1 | grep -q " $case\$"; then
		run iommufd -t "$case"
	else
		echo "# this kernel's iommufd selftest has no $case"
	fi
done
[ ! -e /sys/kernel/debug/kunit ] || run kunit-results.sh
run test-removal.sh
run random
exit $failed
