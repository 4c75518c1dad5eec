#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# serve-faults.sh demo|stress FAULTS [lines]: in the guest, the part of guest-sva.sh that
# runs there. The demo has a live view, but not with "lines", for an output that is no
# terminal.
view=
if [ "$1" = demo ]; then
	[ "${3:-}" = lines ] || view=-d
	echo "An accelerator works on memory that is not there. Its page faults leave the kernel;"
	echo "a program makes the pages present and responds: most at once, one in twenty late, one"
	echo "in two hundred with a refusal, after which the job is repeated."
	echo
fi
vmm -b softacc -t 4 -n "$2" $view || exit 1
if [ "$1" = demo ]; then
	echo
	echo "The same program serves iommufd's fault queue, with faults of its mock device."
	echo
fi
vmm -b iommufd -t 4 -n "$2" $view
