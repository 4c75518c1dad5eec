#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: the torture test in a guest, on the kernel that KERNEL, KSRC and CONFIG
# name, a debug kernel unless CONFIG says otherwise. Its TAP goes to stdout.
#
#   MINUTES  how long (5); SECONDS_OF_STRESS instead, for the short form
#   SEED     of all its choices; a new one without it
#   ROUND    begin with this round of the seed
#   DISTURB  the disturbances of all rounds: names separated by commas, or "none"
set -euo pipefail
: "${CONFIG:=debug}" "${MINUTES:=5}" "${SEED:=}" "${ROUND:=1}" "${DISTURB:=}"
export CONFIG
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

check_numbers MINUTES ROUND
check_seed
seconds=${SECONDS_OF_STRESS:-$((MINUTES * 60))}

programs=$("$TOP/tests/guest/build.sh")
# An unknown name is reported before the kernel is built.
"$programs/stress" -n ${DISTURB:+-d "$DISTURB"}
"$TOP/drivers-glue/in-tree/build.sh" kernel
module=$("$TOP/drivers-glue/softacc/build.sh")
export MODULES='' MEM=${MEM:-3G} TIMEOUT=${TIMEOUT:-$((seconds + seconds / 4 + 300))}
export FILES="$programs/stress $module $TOP/tests/guest/guest-setup.sh $TOP/tests/stress/guest-stress.sh"
# Caches of their own, so that objects can be counted; no KUnit suites at boot.
export APPEND="slab_nomerge kunit.enable=0 ${APPEND:-}"
# shellcheck disable=SC2086
exec "$TOP/tests/guest/run.sh" guest-setup.sh guest-stress.sh -t "$seconds" \
	-r "$ROUND" ${SEED:+-s $SEED} ${DISTURB:+-d $DISTURB}
