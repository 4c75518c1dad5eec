#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modules.sh: builds softacc.ko and iopf_forward.ko for the kernel whose build folder KDIR
# is, or that KERNEL, KSRC, IMPL and CONFIG name, and prints their paths. The forwarder needs
# the library.
#
#   KDIR  for example /lib/modules/$(uname -r)/build
set -euo pipefail
. "$(dirname "$0")/lib.sh"

: "${KDIR:=}"

# has OPTION: succeeds if the kernel has the option, as a module at least.
has()
{
	grep -qE "^$1=[ym]$" "$KDIR/include/config/auto.conf"
}

check_kdir()
{
	local option missing=()

	[ -d "$KDIR" ] || die "KDIR=$KDIR is no folder"
	KDIR=$(cd "$KDIR" && pwd)
	if [ ! -e "$KDIR/include/config/auto.conf" ] || [ ! -e "$KDIR/Module.symvers" ]; then
		die "KDIR=$KDIR is no build folder of a kernel that was built" \
		    "it has no include/config/auto.conf or no Module.symvers"
	fi
	for option in CONFIG_MODULES CONFIG_IOMMU_SVA CONFIG_IOMMU_IOPF CONFIG_UACCE; do
		has $option || missing+=("$option")
	done
	[ ${#missing[@]} -eq 0 ] ||
		die "the kernel of KDIR=$KDIR is built without ${missing[*]}" \
		    "softacc needs it"
}

[ -z "$KDIR" ] || check_kdir
export KDIR
"$TOP/drivers-glue/softacc/build.sh"
if [ -z "$KDIR" ]; then
	[ "${IMPL:-iopf}" = upstream ] || "$TOP/drivers-glue/forwarder/build.sh"
elif has CONFIG_IOPF_QUEUE; then
	"$TOP/drivers-glue/forwarder/build.sh"
else
	say "notice: no iopf_forward.ko: this kernel is built without CONFIG_IOPF_QUEUE"
fi
