#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vtd.sh COMMAND...: run.sh for a guest with an emulated VT-d that takes page requests,
# and a root port for softacc. vtd-setup.sh, which loads softacc with port=vtd, runs the
# command. QEMU must be 10.2 or newer.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

VTD=intel-iommu,scalable-mode=on,fsts=on,svm=on,pasid-bits=20,device-iotlb=on
VTD=$VTD,intremap=on,aw-bits=48,eim=off

export QEMU_ARGS="-machine kernel-irqchip=split -device $VTD \
-device pcie-root-port,id=softacc,chassis=1 ${QEMU_ARGS:-}"
export APPEND="iopf.nomods intel_iommu=on,sm_on iommu=pt ${APPEND:-}"
export FILES="${FILES:-} $TOP/tests/guest/vtd-setup.sh"
# About one boot in 35 hangs before the kernel has its first process.
export BOOT_TIMEOUT=${BOOT_TIMEOUT:-90}
exec "$TOP/tests/guest/run.sh" vtd-setup.sh "$@"
