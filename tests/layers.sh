#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# layers.sh DIR: checks that no file of the library calls one above it. iopf/Makefile
# has the files from the bottom up, and DIR their objects. Calls are the symbols that an
# object refers to. This does not see functions that a lower file runs through a
# pointer: CALLBACKS lists them. Prints the calls upward; status 1 if there are any.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

# Files that give a work item or a timer its function
CALLBACKS='
queue.c iopf_fault_queue_release
progress.c iopf_monitor_fn
progress.c iopf_monitor_timer_fn
fault.c iopf_mm_put_fn
worker.c iopf_worker_fn
timeout.c iopf_timeout_fn
'

# Print the files from the bottom up.
files()
{
	sed -nE 's/^obj-[^ ]+ [:+]= ([a-z_]+)\.o$/\1/p' "$TOP/iopf/Makefile"
}

# symbols PATTERN: prints the symbols of each object whose type matches, as "symbol
# file".
symbols()
{
	local file

	for file in $(files); do
		nm "$objects/$file.o" | awk -v file="$file" -v types="$1" \
			'$(NF - 1) ~ types { print $NF, file }'
	done | sort
}

# Symbols that two objects share, as "symbol from to", compared by the order of files
upward_calls()
{
	join <(symbols '^U$') <(symbols '^[TDBRVW]$') |
		awk 'FNR == NR { level[$1] = FNR; next }
		     level[$3] > level[$2] {
			printf "%s.c calls %s() of %s.c, which is above it\n", $2, $1, $3
		     }' <(files) -
}

# Print the functions that are handed to the kernel to be run later.
callbacks()
{
	(cd "$TOP/iopf" && grep -HoE '(INIT_WORK|INIT_DELAYED_WORK|hrtimer_setup|timer_setup|call_rcu|kthread_create|queue_work_on|tasklet_setup|init_irq_work)\([^;]*' ./*.c) |
		sed -nE 's|^\./([a-z_]+\.c):.*, (iopf_[a-z_]+)[,)].*|\1 \2|p' | sort
}

# Print files without a place in the order, and places without a file.
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
# A difference is a status of diff, not an error.
found=$(strangers || true; upward_calls; unlisted_callbacks || true)
[ -n "$found" ] || exit 0
echo "$found"
exit 1
