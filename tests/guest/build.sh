#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: builds the guest's programs, static, for the kernel that KERNEL and
# KSRC name, whose selftest harness they use, and that kernel's own selftest of
# iommufd, as it is; prints the folder with them.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

need_packages gcc libc6-dev make libcap-dev rsync
tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
build=$IOPF_CACHE/programs/$(basename "$tree")
mkdir -p "$build"
for source in "$TOP"/tests/guest/*.c; do
	program=$build/$(basename "$source" .c)
	stamp=$(cat "$source" "$TOP"/tests/guest/*.h "$TOP/drivers-glue/softacc/softacc.h" | sha1sum)
	[ "$(cat "$program.stamp" 2>/dev/null)" != "$stamp" ] || continue
	run_logged "$program.log" "building ${program##*/}" \
		gcc -O2 -Wall -Wextra -Werror -Wno-unused-parameter \
		-Wno-sign-compare -Wno-clobbered -static -pthread \
		-I "$TOP/tests/guest" -I "$TOP/drivers-glue/softacc" \
		-I "$tree/tools/testing/selftests" \
		-I "$tree/tools/testing/selftests/kselftest" \
		-o "$program" "$source"
	echo "$stamp" >"$program.stamp"
done

# 6.12.117 has a selftest that is newer than its headers. Its cases with page
# requests are not about the new names (a device flag for PASIDs is left out), the
# others are not run.
missing_names()
{
	grep -q IOMMU_HW_INFO_TYPE_DEFAULT "$tree/include/uapi/linux/iommufd.h" ||
		echo -Din_data_type=out_data_type -DIOMMU_HW_INFO_TYPE_DEFAULT=0 \
		     -DIOMMU_HW_INFO_FLAG_INPUT_TYPE=1 \
		     -DMOCK_FLAGS_DEVICE_PASID=0 -DMOCK_PASID_WIDTH=20
}

build_iommufd()
{
	make -C "$tree" O="$build/headers" headers
	# shellcheck disable=SC2046
	gcc -O2 -Wall -Wno-unused-function -D_GNU_SOURCE= -static \
		$(missing_names) -isystem "$build/headers/usr/include" \
		-I "$tree/tools/testing/selftests" \
		-o "$build/iommufd" "$tree/tools/testing/selftests/iommu/iommufd.c" -lcap
}

if [ "$tree/Makefile" -nt "$build/iommufd" ]; then
	mkdir -p "$build/headers"
	run_logged "$build/iommufd.log" "building the kernel's selftest of iommufd" build_iommufd
	touch "$build/iommufd"
fi
echo "$build"
