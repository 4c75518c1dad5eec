#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# vtd-setup.sh COMMAND...: in the guest, loads the modules, with softacc behind VT-d,
# and runs the command. iopf.nomods keeps init from loading it without its parameter.
set -e
modules=/lib/modules/iopf
export SOFTACC_PARAMETERS="port=vtd $SOFTACC_PARAMETERS"
while read -r module; do
	parameters=
	[ "$module" != softacc.ko ] || parameters=$SOFTACC_PARAMETERS
	# shellcheck disable=SC2086
	insmod "$modules/$module" $parameters || {
		dmesg | tail -n 5
		exit 1
	}
done <$modules/modules.order
grep -q dmar0-prq /proc/interrupts || {
	echo "intel-iommu has no page request interrupt"
	exit 1
}
exec "$@"
