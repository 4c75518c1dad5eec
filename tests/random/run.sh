#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: random operations in a guest, on the kernel that KERNEL, KSRC, IMPL and CONFIG
# name, a debug kernel by default. Its TAP goes to stdout.
#
#   MINUTES  duration (5)
#   SEED     of all choices; a new one by default
#   ROUND    first round of the seed to run
#   DISTURB  the disturbances of all rounds: names separated by commas, or "none"
#   VERBOSE  1: each operation is written to the kernel's log before it begins
set -euo pipefail
: "${CONFIG:=debug}" "${MINUTES:=5}" "${SEED:=}" "${ROUND:=1}" "${DISTURB:=}" "${VERBOSE:=0}"
export CONFIG
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

check_numbers MINUTES ROUND
check_seed
case $VERBOSE in
0|1) ;;
*) die "VERBOSE=$VERBOSE is unknown" "VERBOSE=1 logs each operation" ;;
esac
"$TOP/tests/guest/run.sh" --check
seconds=$((MINUTES * 60))
words=
[ "$VERBOSE" = 0 ] || words=-v

programs=$("$TOP/tests/guest/build.sh" random)
# Report an unknown name before the kernel is built.
"$programs/random" -n ${DISTURB:+-d "$DISTURB"}
"$TOP/drivers-glue/in-tree/build.sh" kernel
MODULES=$("$TOP/tests/guest/modules.sh" | tr '\n' ' ')
export MODULES MEM=${MEM:-3G} TIMEOUT=${TIMEOUT:-$((seconds + seconds / 4 + 300))}
export FILES="$programs/random $TOP/tests/guest/guest-setup.sh"
export APPEND="kunit.enable=0 ${APPEND:-}"
# shellcheck disable=SC2086
exec "$TOP/tests/guest/run.sh" guest-setup.sh random -t "$seconds" \
	-r "$ROUND" ${SEED:+-s $SEED} ${DISTURB:+-d $DISTURB} $words
