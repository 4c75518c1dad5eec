#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# layers.sh DIR: checks that no file of the library calls one above it. iopf/Makefile has
# the files from the bottom up, and DIR their objects. Calls are seen as symbols that an
# object refers to. Functions that a lower file runs through a pointer are not seen so:
# CALLBACKS lists them. Prints what runs upward, and then has status 1.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

# Where a work item or a timer gets its function: file, function.
CALLBACKS='
queue.c iopf_fault_queue_release
progress.c iopf_monitor_fn
progress.c iopf_monitor_timer_fn
fault.c iopf_mm_put_fn
worker.c iopf_worker_fn
timeout.c iopf_timeout_fn
'

# The files from the bottom up.
files()
{
	sed -nE 's/^obj-[^ ]+ [:+]= ([a-z_]+)\.o$/\1/p' "$TOP/iopf/Makefile"
}

# symbols PATTERN: those of each object whose type matches, as "symbol file".
symbols()
{
	local file

	for file in $(files); do
		nm "$objects/$file.o" | awk -v file="$file" -v types="$1" \
			'$(NF - 1) ~ types { print $NF, file }'
	done | sort
}

# Symbols that two objects share: "symbol from to", then by the order of the files.
upward_calls()
{
	join <(symbols '^U$') <(symbols '^[TDBRVW]$') |
		awk 'FNR == NR { level[$1] = FNR; next }
		     level[$3] > level[$2] {
			printf "%s.c calls %s() of %s.c, which is above it\n", $2, $1, $3
		     }' <(files) -
}

# What is handed to the kernel as a function to be run later.
callbacks()
{
	(cd "$TOP/iopf" && grep -HoE '(INIT_WORK|INIT_DELAYED_WORK|hrtimer_setup|timer_setup|call_rcu|kthread_create|queue_work_on|tasklet_setup|init_irq_work)\([^;]*' ./*.c) |
		sed -nE 's|^\./([a-z_]+\.c):.*, (iopf_[a-z_]+)[,)].*|\1 \2|p' | sort
}

# Files without a place in the order, and places without a file.
strangers()
{
	diff <(files | sort) <(cd "$TOP/iopf" && find . -maxdepth 1 -name '*.c' -printf '%f\n' | sed 's/\.c$//' | sort) |
		sed -nE 's/^< (.*)/iopf\/Makefile has \1.o, and there is no \1.c/p
			 s/^> (.*)/iopf\/Makefile does not have \1.o/p'
}

unlisted_callbacks()
{
	diff <(grep . <<<"$CALLBACKS" | sort) <(callbacks) |
		sed -nE 's/^< (.*)/tests\/layers.sh lists a callback that is not there: \1/p
			 s/^> (.*)/a callback that tests\/layers.sh does not list: \1/p'
}

[ $# -eq 1 ] || die "usage: $0 DIR" "DIR has the objects of the library: drivers/iommu/iopf of a build"
objects=$1
for file in $(files); do
	[ -f "$objects/$file.o" ] || die "$objects has no $file.o" "build the kernel with CONFIG_IOPF_QUEUE"
done
need_packages binutils
# diff says by its status that it has found something.
found=$(strangers || true; upward_calls; unlisted_callbacks || true)
[ -n "$found" ] || exit 0
echo "$found"
exit 1
