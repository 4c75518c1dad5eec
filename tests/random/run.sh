#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh: random operations in a guest, on the kernel that KERNEL, KSRC, IMPL and CONFIG
# name, a debug kernel unless CONFIG says otherwise. Its TAP goes to stdout.
#
#   MINUTES  how long (5)
#   SEED     of all its choices; a new one without it
#   ROUND    begin with this round of the seed
#   FLAGS    the same disturbances in all rounds, see tests/random/random.h
#   VERBOSE  1: each operation is in the kernel's log before it begins
set -euo pipefail
: "${CONFIG:=debug}" "${MINUTES:=5}" "${SEED:=}" "${ROUND:=1}" "${FLAGS:=}" "${VERBOSE:=0}"
export CONFIG
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"

check_numbers MINUTES ROUND
check_seed
seconds=$((MINUTES * 60))
words=
[ "$VERBOSE" = 0 ] || words=-v

"$TOP/drivers-glue/in-tree/build.sh" kernel
MODULES=$("$TOP/tests/guest/modules.sh" | tr '\n' ' ')
programs=$("$TOP/tests/guest/build.sh")
export MODULES MEM=${MEM:-3G} TIMEOUT=${TIMEOUT:-$((seconds + seconds / 4 + 300))}
export FILES="$programs/random $TOP/tests/guest/guest-setup.sh"
export APPEND="kunit.enable=0 ${APPEND:-}"
# shellcheck disable=SC2086
exec "$TOP/tests/guest/run.sh" guest-setup.sh random -t "$seconds" \
	-r "$ROUND" ${SEED:+-s $SEED} ${FLAGS:+-d $FLAGS} $words
