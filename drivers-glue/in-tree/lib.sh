# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Functions that all scripts share: messages, the cache, Debian packages. Sourced.

: "${IOPF_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/iopf}"
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export IOPF_CACHE TOP

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

# run_logged LOG WHAT COMMAND...: runs a long command with its output in LOG, and shows the
# end of LOG if it fails.
run_logged()
{
	local log=$1 what=$2 start=$SECONDS

	shift 2
	mkdir -p "$(dirname "$log")"
	say "$what (log: $log)"
	# In the background, because "if" would disable errexit inside functions.
	"$@" >"$log" 2>&1 </dev/null &
	if ! wait $!; then
		tail -n 30 "$log" >&2
		die "$what failed after $((SECONDS - start)) s" "the whole log: $log"
	fi
	say "$what: done in $((SECONDS - start)) s"
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

# with_lock NAME: takes the lock NAME until the script ends.
with_lock()
{
	mkdir -p "$IOPF_CACHE/lock"
	exec 9>"$IOPF_CACHE/lock/$1"
	flock -n 9 && return
	say "waiting for another run that holds $IOPF_CACHE/lock/$1"
	flock 9
}

# need_packages PACKAGE...: installs Debian packages that are missing on the host, or dies
# with their names if it may not.
need_packages()
{
	local missing=() pkg sudo=()

	command -v dpkg-query >/dev/null ||
		die "this is no Debian system: dpkg-query is missing" \
		    "install the equivalents of: $*"
	for pkg; do
		dpkg-query -W -f '${db:Status-Status}' "$pkg" 2>/dev/null |
			grep -qx installed || missing+=("$pkg")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null ||
			die "Debian packages are missing: ${missing[*]}" \
			    "as root: apt-get install ${missing[*]}"
		sudo=(sudo -n)
	fi
	run_logged "$IOPF_CACHE/log/apt-install.log" \
		"installing Debian packages: ${missing[*]}" \
		install_packages "${missing[@]}"
}

# Called by run_logged; uses "sudo" of need_packages.
# shellcheck disable=SC2154
install_packages()
{
	export DEBIAN_FRONTEND=noninteractive
	"${sudo[@]}" apt-get -q update || true
	# Another run may be installing, too.
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qy -o DPkg::Lock::Timeout=600 --no-install-recommends install "$@"
}
