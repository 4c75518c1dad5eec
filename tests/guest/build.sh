#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh [PROGRAM...]: builds these of the guest's static programs, or all, for the
# kernel that KERNEL and KSRC name, whose selftest harness they use, and that kernel's own
# selftest of iommufd, unmodified; prints the folder with them.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../runs.sh"

wanted=" $* "
need_packages gcc libc6-dev make
tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
[ -e "$tree/Makefile" ] || "$TOP/drivers-glue/in-tree/build.sh" tree
build=$IOPF_CACHE/programs/$(basename "$tree")
lock "programs-$(basename "$tree")"
mkdir -p "$build/headers"

# is_wanted PROGRAM
is_wanted()
{
	[ "$wanted" = "  " ] || [[ $wanted == *" $1 "* ]]
}

install_headers()
{
	[ "$tree/Makefile" -nt "$build/headers/.stamp" ] || return 0
	need_packages rsync
	run_logged "$build/headers.log" "installing the kernel's headers" \
		make -C "$tree" O="$build/headers" -j"$(nproc)" headers
	touch "$build/headers/.stamp"
}

# program NAME SOURCE...
program()
{
	local program=$build/$1 stamp

	is_wanted "$1" || return 0
	shift
	stamp=$(cat "$@" "$0" "$TOP"/tests/*/*.h "$TOP"/drivers-glue/*/{softacc,iopf_forward}.h | sha1sum)
	[ "$(cat "$program.stamp" 2>/dev/null)" != "$stamp" ] || return 0
	run_logged "$program.log" "building ${program##*/}" \
		gcc -O2 -Wall -Wextra -Werror -Wno-unused-parameter \
		-Wno-sign-compare -Wno-clobbered -static -pthread -D_GNU_SOURCE \
		-I "$TOP/tests/guest" -I "$TOP/drivers-glue/softacc" \
		-I "$TOP/drivers-glue/forwarder" -I "$tree/drivers/iommu/iommufd" \
		-isystem "$build/headers/usr/include" \
		-I "$tree/tools/testing/selftests" \
		-I "$tree/tools/testing/selftests/kselftest" \
		-o "$program" "$@"
	echo "$stamp" >"$program.stamp"
}

# The demo needs no headers newer than the host's.
[ "$wanted" = " demo " ] || install_headers
for source in "$TOP"/tests/guest/*.c; do
	program "$(basename "$source" .c)" "$source"
done
program bench "$TOP"/tests/bench/*.c
program vmm "$TOP"/tests/vmm/{main,serve,softacc,mock}.c
program test-vmm "$TOP"/tests/vmm/{test,serve,softacc,mock}.c
program test-forward "$TOP"/tests/vmm/{forward,serve,softacc}.c
program stress "$TOP"/tests/stress/*.c
program random "$TOP"/tests/random/*.c

# 6.12.117 has a selftest that is newer than its headers. Its cases with page requests
# do not use the missing names (a device flag for PASIDs is left out), the others are
# not run.
missing_names()
{
	grep -q IOMMU_HW_INFO_TYPE_DEFAULT "$tree/include/uapi/linux/iommufd.h" ||
		echo -Din_data_type=out_data_type -DIOMMU_HW_INFO_TYPE_DEFAULT=0 \
		     -DIOMMU_HW_INFO_FLAG_INPUT_TYPE=1 \
		     -DMOCK_FLAGS_DEVICE_PASID=0 -DMOCK_PASID_WIDTH=20
}

build_iommufd()
{
	# shellcheck disable=SC2046
	gcc -O2 -Wall -Wno-unused-function -D_GNU_SOURCE= -static \
		$(missing_names) -isystem "$build/headers/usr/include" \
		-I "$tree/tools/testing/selftests" \
		-o "$build/iommufd" "$tree/tools/testing/selftests/iommu/iommufd.c" -lcap
}

if is_wanted iommufd && [ "$tree/Makefile" -nt "$build/iommufd" ]; then
	need_packages libcap-dev
	run_logged "$build/iommufd.log" "building the kernel's selftest of iommufd" build_iommufd
	touch "$build/iommufd"
fi
for name; do
	[ -x "$build/$name" ] || die "there is no program $name"
done
echo "$build"
