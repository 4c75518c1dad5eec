#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# with-softacc.sh [--shell]: run.sh with an up-to-date kernel and our modules loaded,
# softacc first, unless MODULES names others.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

if [ -z "${CMD:-}" ] && [ $# -eq 0 ]; then
	die "no command" "make guest CMD='uname -a' [FILES='a b']"
fi
"$TOP/tests/guest/run.sh" --check
"$TOP/drivers-glue/in-tree/build.sh" kernel
: "${MODULES=$("$TOP/tests/guest/modules.sh")}"
export MODULES
exec "$TOP/tests/guest/run.sh" "$@"
