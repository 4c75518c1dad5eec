#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh [vtd]: builds everything and shows the demo in a guest, on softacc's own IOMMU
# or on an emulated VT-d.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$TOP/drivers-glue/in-tree/machine.sh"

check_machine "make demo" 3000 6
"$TOP/tests/guest/run.sh" --check
"$TOP/drivers-glue/in-tree/build.sh" kernel
programs=$("$TOP/tests/guest/build.sh" demo)
MODULES=$("$TOP/drivers-glue/softacc/build.sh")
export MODULES
export FILES="$programs/demo $TOP/tests/guest/guest-setup.sh"
say "booting a guest with it"
run=run.sh
lines=
[ -t 1 ] || lines=lines
[ "${1:-}" != vtd ] || run=vtd.sh
if HUGE_PAGES=0 "$TOP/tests/guest/$run" guest-setup.sh demo $lines; then
	say "demo: done, the data is verified"
else
	die "the demo failed, see above"
fi
