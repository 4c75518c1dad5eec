#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# modules.sh: builds the modules that guests load, for the kernel that KERNEL, KSRC,
# IMPL and CONFIG name, and prints their paths. The forwarder needs the library.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

"$TOP/drivers-glue/softacc/build.sh"
[ "${IMPL:-iopf}" = upstream ] || "$TOP/drivers-glue/forwarder/build.sh"
