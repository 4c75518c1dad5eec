# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# What every script of the project shares: messages, the cache, Debian
# packages. Sourced, never run.

: "${IOPF_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/iopf}"
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export IOPF_CACHE TOP

# Progress goes to stderr: several scripts print a result on stdout.
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

# run_logged LOG WHAT COMMAND...: hides the output of a long command, shows its
# end when it fails.
run_logged()
{
	local log=$1 what=$2 start=$SECONDS

	shift 2
	mkdir -p "$(dirname "$log")"
	say "$what (log: $log)"
	# In the background, for "if" would switch off errexit inside functions.
	"$@" >"$log" 2>&1 </dev/null &
	if ! wait $!; then
		tail -n 30 "$log" >&2
		die "$what failed after $((SECONDS - start)) s" "the whole log: $log"
	fi
	say "$what: done in $((SECONDS - start)) s"
}

# check_numbers NAME...: variables that are numbers from 1.
check_numbers()
{
	local name

	for name; do
		[[ ${!name} =~ ^[1-9][0-9]*$ ]] || die "$name=${!name} is no number from 1"
	done
}

# SEED is a number, or empty: a new one.
check_seed()
{
	[[ $SEED =~ ^[0-9]*$ ]] || die "SEED=$SEED is no number"
}

# with_lock NAME: until the script ends, only one of its kind works on NAME.
with_lock()
{
	mkdir -p "$IOPF_CACHE/lock"
	exec 9>"$IOPF_CACHE/lock/$1"
	flock -n 9 && return
	say "waiting for another run that holds $IOPF_CACHE/lock/$1"
	flock 9
}

# need_packages PACKAGE...: Debian packages that the host has to have. Installed
# when they are missing and we may, else named.
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

# Called through run_logged, with the caller's sudo.
# shellcheck disable=SC2154
install_packages()
{
	export DEBIAN_FRONTEND=noninteractive
	"${sudo[@]}" apt-get -q update || true
	# Another run may be installing, too.
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qy -o DPkg::Lock::Timeout=600 --no-install-recommends install "$@"
}
