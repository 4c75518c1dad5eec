#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# model.sh: lets spin check group.pml in all its scenarios, where it must find no error,
# and in its broken variants, where it must find one. TAP.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../runs.sh"

MODEL=$TOP/tests/model/group.pml
number=0

# ok WHAT, not_ok WHAT LOG
ok()
{
	echo "ok $number $1"
}

not_ok()
{
	echo "not ok $number $1"
	tail -n 20 "$2" | sed 's/^/# /'
}

# check COMMAND...: runs the command beside one other, in a folder of its own.
check()
{
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
		wait -n || true
	done
	number=$((number + 1))
	dir=$tmp/$(printf %03d $number)
	mkdir "$dir"
	"$@" >"$dir/out" &
}

# search DEF...: searches all states of the model with these definitions. Fails unless spin
# has seen all of them without an error. To optimize the program takes longer than it saves.
search()
{
	(cd "$dir" && spin -a "${@/#/-D}" "$MODEL" &&
		gcc -O0 -w -DSAFETY -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c &&
		limited 300 ./pan -m40000 -w23) >"$dir/log" 2>&1 || return 2
	grep -q 'errors: 0$' "$dir/log" || return 1
	! grep -qE 'max search depth too small|Search not completed' "$dir/log" || return 2
}

# scenario DEF...
scenario()
{
	if search "$@"; then
		ok "$*: $(sed -n 's/^ *\([0-9]*\) states, stored.*/\1/p' "$dir/log" | tail -n 1) states"
	else
		not_ok "$*" "$dir/log"
	fi
}

# mutant BROKEN_THING DEF...: what is broken, and the scenario that shows it
mutant()
{
	local status=0 found

	search "$@" || status=$?
	found=$(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' "$dir/log" | tr -s ' ' | head -n 1)
	if [ $status = 1 ] && [ -n "$found" ]; then
		ok "$1 is noticed: $found"
	else
		not_ok "$1 is not noticed" "$dir/log"
	fi
}

# The library must have the functions that the model stands for.
functions()
{
	if "$TOP/tests/model/names.sh" >"$dir/functions" 2>"$dir/log"; then
		ok "the $(wc -l <"$dir/functions") functions that it stands for are there"
	else
		not_ok "the functions that it stands for" "$dir/log"
	fi
}

need_packages spin gcc libc6-dev
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

echo "TAP version 13"
check functions
check scenario SLEEP
check scenario SLEEP CROWD REPORTS=2
check scenario SLEEP DEADLINE REPORTS=2
check scenario SLEEP FLUSH REPORTS=2
check scenario SLEEP FLUSH_DEV WHOLE REPORTS=2
check scenario SLEEP REMOVAL REPORTS=2
check scenario SLEEP FLUSH REMOVAL POOL=1 WHOLE REPORTS=2
check scenario SLEEP UNBIND DEADLINE POOL=1 WHOLE REPORTS=2
check scenario SLEEP FLUSH DEADLINE POOL=1 WHOLE REPORTS=2
check scenario SLEEP REMOVAL DEADLINE POOL=1 WHOLE REPORTS=2
check scenario SLEEP WHOLE OTHERS=2 REPORTS=2
check scenario SLEEP WHOLE NR_INDICES=3
check scenario HANDLER DEADLINE
check scenario HANDLER FLUSH REMOVAL REPORTS=2

check mutant BROKEN_CLAIM SLEEP DEADLINE WHOLE REPORTS=2
check mutant BROKEN_REFERENCE DEADLINE WHOLE REPORTS=2
check mutant BROKEN_OWNER SLEEP DEADLINE WHOLE REPORTS=2
check mutant BROKEN_INDEX
check mutant BROKEN_MMGRAB SLEEP UNBIND DEADLINE POOL=1 WHOLE REPORTS=2
check mutant BROKEN_PASID SLEEP UNBIND DEADLINE POOL=1 WHOLE REPORTS=2
check mutant BROKEN_DRAIN FLUSH
check mutant BROKEN_DEAD REMOVAL
check mutant BROKEN_PARKED SLEEP REMOVAL REPORTS=2
check mutant BROKEN_PQ_USE SLEEP DEADLINE WHOLE REPORTS=2
check mutant BROKEN_WANTED SLEEP WHOLE
check mutant BROKEN_PUSH SLEEP WHOLE
check mutant BROKEN_MONITOR SLEEP WHOLE
check mutant BROKEN_AGAIN SLEEP WHOLE
check mutant BROKEN_UNSENT SLEEP WHOLE
check mutant BROKEN_DEFER SLEEP WHOLE NR_INDICES=3
check mutant BROKEN_NOTE SLEEP WHOLE
check mutant BROKEN_LEAVE SLEEP WHOLE
check mutant BROKEN_INTERRUPTED SLEEP FLUSH_DEV WHOLE REPORTS=2
check mutant BROKEN_UNFOLLOW SLEEP DEADLINE WHOLE
check mutant BROKEN_LONE REMOVAL WHOLE REPORTS=2
check mutant BROKEN_ROOM SLEEP WHOLE OTHERS=1
check mutant BROKEN_FIRST SLEEP WHOLE OTHERS=1
check mutant BROKEN_INTERRUPT SLEEP FLUSH WHOLE REPORTS=2
check mutant BROKEN_REACH SLEEP FLUSH DEADLINE POOL=1 WHOLE REPORTS=2
check mutant BROKEN_SLEEP SLEEP DEADLINE WHOLE
check mutant BROKEN_CLEAR SLEEP FLUSH_DEV WHOLE REPORTS=2
check mutant BROKEN_TIMEOUT SLEEP DEADLINE REPORTS=2
check mutant BROKEN_FLUSH FLUSH
check mutant BROKEN_FLUSHING FLUSH
check mutant BROKEN_HANDLER HANDLER DEADLINE
wait
cat "$tmp"/*/out
echo "1..$number"
! grep -q '^not ok' "$tmp"/*/out
