# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# runs.sh: shared by test scripts that may run twice at the same time, and on a busy
# machine: a folder for the results of each run, locks, and timeouts; and the names of
# scenarios. Sourced after lib.sh, never run.

# Number of runs whose results are kept
KEEP=5

# run_folder NAME: makes a folder in the cache for this run and prints its name, lets
# NAME/latest point to it, and removes those of the oldest runs that have ended. The
# folder's name has the time and the process.
run_folder()
{
	local parent=$IOPF_CACHE/$1 run old

	run=$(date +%Y%m%d-%H%M%S)-$$
	mkdir -p "$parent/$run"
	# Of several runs at the same time, the last one to begin is the latest.
	ln -sfn "$run" "$parent/latest.$$"
	mv -fT "$parent/latest.$$" "$parent/latest"
	find "$parent" -mindepth 1 -maxdepth 1 -type d -name '2*-*-*' -printf '%f\n' |
		sort -r | tail -n "+$((KEEP + 1))" | while read -r old; do
		[ -d "/proc/${old##*-}" ] || rm -rf "${parent:?}/$old"
	done
	echo "$parent/$run"
}

# lock NAME: locks NAME until the script ends or unlocks it. The locks are those of
# with_lock. A message says that the script waits, and for which run.
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

# without_locks COMMAND...: a command that outlives the script must not keep its locks.
without_locks()
{
	local fd

	for fd in "${locks[@]}"; do
		exec {fd}>&-
	done
	"$@"
}

# threads PID: prints the folders of all threads of a process and its children.
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

# look_at PID: adds the time since the last call to "passed", in ms, as far as none of
# the process's threads had to wait for a processor. So a limit is one of the time that
# the machine has given the process, which is the clock's on an idle machine.
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

# end_tree SIGNAL PID: sends the signal to a process and its children.
end_tree()
{
	local thread

	threads "$2" | while IFS=/ read -r _ _ thread _; do
		kill "-$1" "$thread" 2>/dev/null || true
	done
}

# patience PID SECONDS FILE: ends the process after SECONDS by look_at, and creates
# FILE. Run it in the background.
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

# limited SECONDS COMMAND...: runs the command with a time limit by patience; status 124
# after that.
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

# bench_scenarios: prints the names of the scenarios of tests/bench.
bench_scenarios()
{
	sed -nE 's/^\t(RUN|STREAM|SCALE)\("([^"]+)".*/\2/p' "$TOP/tests/bench/bench.c" | sort
}

# progress_scenarios: prints those of tests/guest/test-progress.c.
progress_scenarios()
{
	sed -nE 's/^\t\{ \.name = "([a-z-]+)".*/\1/p' "$TOP/tests/guest/test-progress.c" | sort
}
