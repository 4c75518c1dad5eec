#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# model.sh: lets spin look at group.pml in all its scenarios, where it must find
# nothing, and in its broken variants, where it must find something. TAP.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../runs.sh"

MODEL=$TOP/tests/model/group.pml
number=0
failed=0

# ok WHAT, not_ok WHAT LOG
ok()
{
	number=$((number + 1))
	echo "ok $number $1"
}

not_ok()
{
	number=$((number + 1))
	echo "not ok $number $1"
	tail -n 20 "$2" | sed 's/^/# /'
	failed=1
}

# search OPTIMIZE DEF...: all states of the model with these definitions. Fails
# unless spin has seen them all and is content.
search()
{
	local optimize=$1

	shift
	(cd "$tmp" && rm -f pan* group.pml.trail && spin -a "${@/#/-D}" "$MODEL" &&
		gcc "$optimize" -w -DSAFETY -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c &&
		limited 300 ./pan -m40000 -w23) >"$tmp/log" 2>&1 || return 2
	grep -q 'errors: 0$' "$tmp/log" || return 1
	! grep -qE 'max search depth too small|Search not completed' "$tmp/log" || return 2
}

# scenario DEF...
scenario()
{
	if search -O1 "$@"; then
		ok "$*: $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$tmp/log" | tail -n 1) states"
	else
		not_ok "$*" "$tmp/log"
	fi
}

# mutant BROKEN_THING DEF...: what is broken, and the scenario that shows it
mutant()
{
	local status=0 found

	search -O0 "$@" || status=$?
	found=$(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' "$tmp/log" | tr -s ' ' | head -n 1)
	if [ $status = 1 ] && [ -n "$found" ]; then
		ok "$1 is noticed: $found"
	else
		not_ok "$1 is not noticed" "$tmp/log"
	fi
}

# What the model stands for has to be there, and most of the library has to be in
# the model.
functions()
{
	local name

	sed -n '/Stands for:/,/\*\/\|^ \*$/p' "$MODEL" | grep -oE '\b(iopf|iommu)_[a-z_]+' |
		sort -u >"$tmp/functions"
	: >"$tmp/log"
	while read -r name; do
		grep -qE "^([a-z].*[ *])?$name\(" "$TOP"/iopf/*.[ch] ||
			echo "iopf/ has no $name()" >>"$tmp/log"
	done <"$tmp/functions"
	if [ -s "$tmp/log" ] || [ ! -s "$tmp/functions" ]; then
		not_ok "the functions that it stands for" "$tmp/log"
	else
		ok "the $(wc -l <"$tmp/functions") functions that it stands for are there"
	fi
}

need_packages spin gcc libc6-dev
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

echo "TAP version 13"
functions
scenario SLEEP
scenario SLEEP CROWD REPORTS=2
scenario SLEEP DEADLINE REPORTS=2
scenario SLEEP FLUSH REPORTS=2
scenario SLEEP FLUSH_DEV WHOLE REPORTS=2
scenario SLEEP REMOVAL REPORTS=2
scenario SLEEP FLUSH REMOVAL POOL=1 WHOLE REPORTS=2
scenario SLEEP UNBIND DEADLINE POOL=1 WHOLE REPORTS=2
scenario SLEEP FLUSH DEADLINE POOL=1 WHOLE REPORTS=2
scenario SLEEP REMOVAL DEADLINE POOL=1 WHOLE REPORTS=2
scenario SLEEP WHOLE OTHERS=2 REPORTS=2
scenario SLEEP WHOLE POOL=3 RESERVED=1 OTHERS=1 REPORTS=2
scenario SLEEP WHOLE POOL=3 RESERVED=1 NR_INDICES=3
scenario HANDLER DEADLINE
scenario HANDLER FLUSH REMOVAL REPORTS=2

mutant BROKEN_CLAIM SLEEP DEADLINE WHOLE REPORTS=2
mutant BROKEN_REFERENCE DEADLINE
mutant BROKEN_OWNER SLEEP DEADLINE
mutant BROKEN_INDEX
mutant BROKEN_MMGRAB SLEEP UNBIND DEADLINE
mutant BROKEN_PASID SLEEP UNBIND DEADLINE
mutant BROKEN_DRAIN FLUSH
mutant BROKEN_DEAD REMOVAL
mutant BROKEN_LANE_USE SLEEP DEADLINE
mutant BROKEN_WANTED SLEEP WHOLE
mutant BROKEN_PUSH SLEEP WHOLE
mutant BROKEN_LOOK SLEEP WHOLE
mutant BROKEN_AGAIN SLEEP WHOLE
mutant BROKEN_HOLD SLEEP WHOLE
mutant BROKEN_DEFER SLEEP WHOLE POOL=3 RESERVED=1 NR_INDICES=3
mutant BROKEN_NOTE SLEEP WHOLE
mutant BROKEN_LEAVE SLEEP WHOLE
mutant BROKEN_STOPPED SLEEP FLUSH_DEV WHOLE REPORTS=2
mutant BROKEN_UNFOLLOW SLEEP DEADLINE WHOLE
mutant BROKEN_ROOM SLEEP WHOLE OTHERS=1
mutant BROKEN_FIRST SLEEP WHOLE OTHERS=1
mutant BROKEN_STOP SLEEP FLUSH WHOLE REPORTS=2
mutant BROKEN_REACH SLEEP FLUSH DEADLINE POOL=1 WHOLE REPORTS=2
mutant BROKEN_SLEEP SLEEP DEADLINE WHOLE
mutant BROKEN_CLEAR SLEEP FLUSH_DEV WHOLE REPORTS=2
mutant BROKEN_WATCH SLEEP DEADLINE
mutant BROKEN_FLUSH FLUSH
mutant BROKEN_FLUSHING FLUSH
mutant BROKEN_HANDLER HANDLER DEADLINE
echo "1..$number"
exit $failed
