#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# guest-sva.sh demo|stress: builds everything and has FAULTS page faults served from
# user space in a guest, with a live view or without.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$TOP/drivers-glue/in-tree/machine.sh"

case ${1:-} in
demo) : "${FAULTS:=150000}" "${TIMEOUT:=300}" ;;
stress) : "${FAULTS:=1000000}" "${TIMEOUT:=3600}" ;;
*) die "usage: $0 demo|stress" ;;
esac
[[ $FAULTS =~ ^[1-9][0-9]*$ ]] || die "FAULTS=$FAULTS is no number of faults"
[ "${IMPL:-iopf}" = iopf ] ||
	die "IMPL=$IMPL: the kernel's own fault queue has no registered handlers" \
	    "leave IMPL out"
check_machine "make demo-guest-sva" 3000 6
need_packages "${FOR_GUESTS[@]}" rsync
"$TOP/tests/guest/run.sh" --check
"$TOP/drivers-glue/in-tree/build.sh" kernel
programs=$("$TOP/tests/guest/build.sh" vmm)
MODULES=$("$TOP/tests/guest/modules.sh")
export MODULES TIMEOUT
export FILES="$programs/vmm $TOP/tests/guest/serve-faults.sh"
lines=
[ -t 1 ] || lines=lines
say "booting a guest with it"
if "$TOP/tests/guest/run.sh" serve-faults.sh "$1" "$FAULTS" $lines; then
	say "$1: done, nothing was lost"
else
	die "the $1 run failed, see above"
fi
