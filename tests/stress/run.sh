#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: the torture test in a guest, on the kernel that KERNEL, KSRC and CONFIG name,
# a debug kernel by default. Its TAP goes to stdout.
#
#   MINUTES  duration (5); or SECONDS_OF_STRESS, for the short form
#   SEED     of all choices; a new one by default
#   ROUND    first round of the seed to run
#   DISTURB  the disturbances of all rounds: names separated by commas, or "none"
set -euo pipefail
: "${CONFIG:=debug}" "${MINUTES:=5}" "${SEED:=}" "${ROUND:=1}" "${DISTURB:=}"
export CONFIG
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

check_numbers MINUTES ROUND
check_seed
"$TOP/tests/guest/run.sh" --check
seconds=${SECONDS_OF_STRESS:-$((MINUTES * 60))}

programs=$("$TOP/tests/guest/build.sh" stress)
# Report an unknown name before the kernel is built.
"$programs/stress" -n ${DISTURB:+-d "$DISTURB"}
"$TOP/drivers-glue/in-tree/build.sh" kernel
module=$("$TOP/drivers-glue/softacc/build.sh")
export MODULES='' MEM=${MEM:-3G} TIMEOUT=${TIMEOUT:-$((seconds + seconds / 4 + 300))}
export FILES="$programs/stress $module $TOP/tests/guest/guest-setup.sh $TOP/tests/stress/guest-stress.sh"
# No merged slab caches, so that objects can be counted; no KUnit suites at boot.
export APPEND="slab_nomerge kunit.enable=0 ${APPEND:-}"
# shellcheck disable=SC2086
exec "$TOP/tests/guest/run.sh" guest-setup.sh guest-stress.sh -t "$seconds" \
	-r "$ROUND" ${SEED:+-s $SEED} ${DISTURB:+-d $DISTURB}
