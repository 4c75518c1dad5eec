#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh: sets everything up and shows the main job in a guest.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

"$TOP/drivers-glue/in-tree/build.sh" kernel
programs=$("$TOP/tests/guest/build.sh")
MODULES=$("$TOP/drivers-glue/softacc/build.sh")
export MODULES
export FILES="$programs/demo $TOP/tests/guest/guest-setup.sh"
say "booting a guest with it"
if HUGE_PAGES=0 "$TOP/tests/guest/run.sh" guest-setup.sh demo; then
	say "demo: done, the data is verified"
else
	die "the demo failed, see above"
fi
