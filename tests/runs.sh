# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# runs.sh: what test scripts share that may run twice at the same time, and on a
# machine that has other work: folders of their own for what a run leaves behind,
# locks for what can only be used by one, and an end to patience. Sourced after lib.sh,
# never run.

# Runs that are kept.
KEEP=5

# run_folder NAME: makes a folder in the cache for this run alone, prints its name, has
# NAME/latest point at it, and removes those of the oldest runs that have ended. The
# folder is named after the moment and the process.
run_folder()
{
	local parent=$IOPF_CACHE/$1 run old

	run=$(date +%Y%m%d-%H%M%S)-$$
	mkdir -p "$parent/$run"
	# With another run at the same time, the last one to begin is the latest.
	ln -sfn "$run" "$parent/latest.$$"
	mv -fT "$parent/latest.$$" "$parent/latest"
	find "$parent" -mindepth 1 -maxdepth 1 -type d -name '2*-*-*' -printf '%f\n' |
		sort -r | tail -n "+$((KEEP + 1))" | while read -r old; do
		[ -d "/proc/${old##*-}" ] || rm -rf "${parent:?}/$old"
	done
	echo "$parent/$run"
}

# lock NAME: until the script ends or unlocks NAME, only this one works on it. The locks
# are those of with_lock. A message says that the script waits, and for which other one.
declare -A locks=()
exec {messages}>&2
lock()
{
	local file=$IOPF_CACHE/lock/$1 holder='' fd

	mkdir -p "$IOPF_CACHE/lock"
	exec {fd}>>"$file"
	locks[$1]=$fd
	if ! flock -n "$fd"; then
		read -r holder <"$file" || true
		say "waiting for ${holder:-another run} to be done with $1 ($file)" 2>&"$messages"
		flock "$fd"
	fi
	echo "process $$ (${0##*/}, since $(date +%H:%M:%S))" >"$file"
}

unlock()
{
	local fd=${locks[$1]}

	unset "locks[$1]"
	exec {fd}>&-
}

# without_locks COMMAND...: what runs on beside the script does not keep its locks.
without_locks()
{
	local fd

	for fd in "${locks[@]}"; do
		exec {fd}>&-
	done
	"$@"
}

# threads PID: the folders of all threads of a process and its children.
threads()
{
	local thread child children

	for thread in /proc/"$1"/task/*; do
		[ -e "$thread/schedstat" ] || continue
		echo "$thread"
		read -ra children 2>/dev/null <"$thread/children" || true
		for child in "${children[@]}"; do
			threads "$child"
		done
	done
}

# look_at PID: adds to "passed", in ms, the time since the last look in which none of its
# threads had to wait for a processor. So a limit is one of the time that the machine
# has given the process: the clock's where there is no other work.
declare -A delays=()
passed=0
looked=
look_at()
{
	local now thread delay most=0 waited

	read -r now _ </proc/uptime
	now=${now/./}0
	for thread in $(threads "$1"); do
		read -r _ delay _ 2>/dev/null <"$thread/schedstat" || continue
		waited=$(((delay - ${delays[$thread]:-$delay}) / 1000000))
		delays[$thread]=$delay
		[ $waited -le $most ] || most=$waited
	done
	[ -z "$looked" ] || [ $((now - looked)) -le $most ] ||
		passed=$((passed + now - looked - most))
	looked=$now
}

# end_tree SIGNAL PID: a process and its children.
end_tree()
{
	local thread

	threads "$2" | while IFS=/ read -r _ _ thread _; do
		kill "-$1" "$thread" 2>/dev/null || true
	done
}

# patience PID SECONDS FILE: ends the process when SECONDS of the time that it had the
# machine have passed; then FILE is there. To be run in the background.
patience()
{
	passed=0
	looked=
	while kill -0 "$1" 2>/dev/null; do
		look_at "$1"
		if [ $passed -ge $(($2 * 1000)) ]; then
			: >"$3"
			end_tree TERM "$1"
			sleep 5
			end_tree KILL "$1"
			return
		fi
		sleep 0.5
	done
}

# limited SECONDS COMMAND...: runs the command with patience for so long; 124 when that
# has ended.
limited()
{
	local seconds=$1 pid status=0 over

	shift
	over=$(mktemp -u)
	without_locks "$@" &
	pid=$!
	without_locks patience "$pid" "$seconds" "$over" >/dev/null 2>&1 </dev/null &
	wait "$pid" || status=$?
	[ ! -e "$over" ] || status=124
	rm -f "$over"
	return $status
}
