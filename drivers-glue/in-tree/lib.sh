# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Functions that all scripts share: messages, the cache, long commands. Sourced.

: "${IOPF_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/iopf}"
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export IOPF_CACHE TOP
. "$TOP/drivers-glue/in-tree/packages.sh"

# Progress goes to stderr, because several scripts print a result to stdout.
say()
{
	printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2
}

die()
{
	printf 'error: %s\n' "$1" >&2
	shift
	[ $# -eq 0 ] || printf '       %s\n' "$@" >&2
	exit 1
}

# Kbuild and the guest's lists of files take no such paths.
for path in "$TOP" "$IOPF_CACHE"; do
	[[ $path != *[[:space:]:]* ]] ||
		die "the path \"$path\" has a space or a colon" \
		    "move the repository, or set IOPF_CACHE to another folder"
done

# free_space: prints the megabytes that are free where the cache is or will be.
free_space()
{
	local folder=$IOPF_CACHE

	while [ ! -e "$folder" ]; do
		folder=$(dirname "$folder")
	done
	df -Pm "$folder" | awk 'NR == 2 { print $4 }'
}

# Dies because of a failed command of run_logged. "hint" is what the caller suggests.
die_of_command()
{
	local what=$1 log=$2 advice=("the whole log: $2")

	tail -n 30 "$log" >&2
	[ -z "${hint:-}" ] || advice+=("$hint")
	[ "$(free_space)" -ge 100 ] ||
		advice+=("the disk of $IOPF_CACHE is full; make clean removes what can be built again")
	die "$what" "${advice[@]}"
}

# run_logged LOG WHAT COMMAND...: runs a long command with its output in LOG, and shows the
# end of LOG if it fails, and the text in the variable "hint" if there is one. The command
# is a process group of its own, which ends with the script.
run_logged()
{
	local log=$1 what=$2 start=$SECONDS traps pid

	shift 2
	mkdir -p "$(dirname "$log")"
	say "$what (log: $log)"
	traps=$(trap -p INT TERM HUP)
	# In the background, because "if" would disable errexit inside functions.
	set -m
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	set +m
	# shellcheck disable=SC2064
	trap "kill -- -$pid 2>/dev/null; wait $pid; exit 130" INT TERM HUP
	[ -z "${build_folder:-}" ] || show_objects "$pid" "$what"
	wait "$pid" || die_of_command "$what failed after $((SECONDS - start)) s" "$log"
	trap - INT TERM HUP
	eval "$traps"
	say "$what: done in $((SECONDS - start)) s"
}

# run_build FOLDER OBJECTS LOG WHAT COMMAND...: as run_logged, for a kernel that is built in
# FOLDER: shows how many of about OBJECTS objects are compiled. OBJECTS is 0 if the number
# is not known, because some are there already.
run_build()
{
	local build_folder=$1 objects=$2

	shift 2
	run_logged "$@"
}

# show_objects PID WHAT: shows the progress of run_build until the process ends: a bar on a
# terminal, or else a line every minute.
show_objects()
{
	local start=$SECONDS next=60 passed text count begun

	begun=@$(date +%s)
	while kill -0 "$1" 2>/dev/null; do
		sleep 1
		passed=$((SECONDS - start))
		[ -t 2 ] || [ $passed -ge $next ] || continue
		next=$((passed + 60))
		# kbuild writes a .cmd file for each object.
		count=$(find "$build_folder" -name '.*.o.cmd' -newermt "$begun" 2>/dev/null | wc -l)
		text=$(describe_objects "$count" "$objects" "$passed")
		if [ -t 2 ]; then
			printf '\r          %s\033[K' "$text" >&2
		else
			say "$2: $text"
		fi
	done
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# describe_objects DONE OBJECTS SECONDS
describe_objects()
{
	local bar=####################

	if [ "$2" -eq 0 ]; then
		echo "$1 objects"
	elif [ "$1" -lt "$2" ]; then
		printf '[%-20s] %d of about %d objects' "${bar:0:$(($1 * 20 / $2))}" "$1" "$2"
		[ $(($1 * 20)) -lt "$2" ] ||
			printf ', about %d min left' $((($2 - $1) * $3 / $1 / 60 + 1))
	else
		printf '[%s] %d objects, linking' "$bar" "$1"
	fi
}

# check_numbers NAME...: dies unless these variables are numbers from 1.
check_numbers()
{
	local name

	for name; do
		[[ ${!name} =~ ^[1-9][0-9]*$ ]] || die "$name=${!name} is no number from 1"
	done
}

# Dies unless SEED is a number, or empty for a new one.
check_seed()
{
	[[ $SEED =~ ^[0-9]*$ ]] || die "SEED=$SEED is no number"
}

# Dies unless SUITE is a KUnit suite of tests/kunit, or empty for all.
check_suite()
{
	[ -z "$SUITE" ] || [ -f "$TOP/tests/kunit/${SUITE#iopf_}_kunit.c" ] ||
		die "SUITE=$SUITE is unknown" "tests/kunit/NAME_kunit.c has iopf_NAME"
}

# with_lock NAME: takes the lock NAME until the script ends.
with_lock()
{
	mkdir -p "$IOPF_CACHE/lock"
	exec 9>"$IOPF_CACHE/lock/$1"
	flock -n 9 && return
	say "waiting for another run that holds $IOPF_CACHE/lock/$1"
	flock 9
}
