#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# errors-test.sh: tries what goes wrong in a first run, and checks that the scripts end with
# an error that says what is wrong and what to do. TAP. Nothing is built or fetched: a
# folder of links to the machine's commands lacks some, and has others that fail.
# Documentation/first-run.rst has the table.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/tap.sh"

# says TEXT... -- COMMAND...: the command fails and prints all the texts.
says()
{
	local texts=() text

	while [ "$1" != -- ]; do
		texts+=("$1")
		shift
	done
	shift
	if "$@" >"$tmp/said" 2>&1 </dev/null; then
		echo "it did not fail"
		return 1
	fi
	for text in "${texts[@]}"; do
		grep -qF -- "$text" "$tmp/said" || {
			echo "it does not say: $text"
			cat "$tmp/said"
			return 1
		}
	done
}

# new_machine: a machine with the commands of this one, an empty cache and no network.
new_machine()
{
	rm -rf "${tmp:?}/bin" "${tmp:?}/cache"
	mkdir "$tmp/bin" "$tmp/cache"
	# Later folders of PATH do not replace the links of earlier ones.
	printf '%s\n' "$PATH" | tr : '\n' | while read -r folder; do
		find "$folder/" -maxdepth 1 ! -type d -exec ln -s -t "$tmp/bin" {} + 2>/dev/null || true
	done
	echo 'exit 100' | instead apt-get
}

# without COMMAND...: the machine lacks these commands.
without()
{
	local command

	for command; do
		rm -f "$tmp/bin/$command"
	done
}

# instead COMMAND: the machine has a command with the text on standard input.
instead()
{
	rm -f "$tmp/bin/$1"
	{ echo '#!/bin/bash'; cat; } >"$tmp/bin/$1"
	chmod +x "$tmp/bin/$1"
}

# there COMMAND...: runs it on the machine.
there()
{
	env PATH="$tmp/bin" IOPF_CACHE="$tmp/cache" "$@"
}

demo()
{
	there "$TOP/tests/guest/demo.sh"
}

# make TARGET...: as a user runs it
run_make()
{
	there make -C "$TOP" IOPF_CACHE="$tmp/cache" "$@"
}

no_debian()
{
	new_machine
	without dpkg-query apt-get flex
	says "no Debian system" "flex (flex)" "install the same" -- demo
}

# What is needed is there, but apt-get would have to fetch the kernel sources.
no_debian_but_packages()
{
	new_machine
	without dpkg-query apt-get
	there bash -c '. "$0/drivers-glue/in-tree/lib.sh"; need_packages make bash' "$TOP" || return 1
	says "no apt-get" "KSRC=" "QEMU=" -- there bash -c '. "$0/drivers-glue/in-tree/lib.sh"
		. "$0/drivers-glue/in-tree/debian.sh"; debian_update' "$TOP"
}

no_root()
{
	new_machine
	echo 'echo 1000' | instead id
	echo 'exit 1' | instead sudo
	echo 'exit 1' | instead dpkg-query
	says "Debian packages are missing: gcc" "as root: apt-get install gcc" -- demo
}

# A failed update must be repeated by the next run.
no_mirror()
{
	local _

	new_machine
	instead apt-get <<-'EOF'
		case "$*" in
		indextargets*) echo "http://mirror.invalid/debian bookworm" ;;
		*update*) echo "$*" >>"$IOPF_CACHE/updates"; echo "Could not resolve mirror.invalid" >&2; exit 100 ;;
		esac
	EOF
	for _ in 1 2; do
		says "Could not resolve" "http://mirror.invalid/debian cannot be reached" "KSRC=DIR" -- \
			there "$TOP/drivers-glue/in-tree/fetch.sh" 7.3 || return 1
	done
	[ "$(grep -c 'Error-Mode=any' "$tmp/cache/updates")" = 2 ]
}

# Ubuntu's apt knows mirrors of Ubuntu only.
no_mirror_of_debian()
{
	new_machine
	instead apt-get <<-'EOF'
		case "$*" in
		indextargets*) ;;
		*update*) cat "$IOPF_CACHE/apt/sources.list"; exit 100 ;;
		esac
	EOF
	echo 'echo 1000' | instead id
	says "no mirror of Debian here, using http://deb.debian.org/debian" \
		"http://deb.debian.org/debian trixie-backports main" -- \
		there "$TOP/drivers-glue/in-tree/fetch.sh" 7.3
}

no_kernel_in_archive()
{
	new_machine
	echo 'exit 0' | instead apt-cache
	echo 'echo "http://mirror.invalid/debian bookworm"' | instead apt-get
	says "no linux-source-6.12" "KSRC=/path/to/linux-6.12" -- \
		there "$TOP/drivers-glue/in-tree/fetch.sh" 6.12
}

no_disk()
{
	new_machine
	printf '%s\n' 'echo header' 'echo "disk 1000 900 100 90% /"' | instead df
	says "make demo needs" "has 100 MB free" "set IOPF_CACHE" -- demo
}

disk_gets_full()
{
	new_machine
	printf '%s\n' 'echo header' 'echo "disk 1000 1000 0 100% /"' | instead df
	says "No space left" "building failed" "is full" "make clean" -- \
		there bash -c '. "$0/drivers-glue/in-tree/lib.sh"
		fill() { echo "No space left on device"; false; }
		run_logged "$IOPF_CACHE/log" building fill' "$TOP"
}

other_machine()
{
	new_machine
	echo 'echo aarch64' | instead uname
	says "of type aarch64" "x86-64 only" "make apply" -- demo
}

path_with_space()
{
	new_machine
	ln -sfn "$TOP" "$tmp/my folder"
	says "my folder\" has a space" "IOPF_CACHE" -- there "$tmp/my folder/tests/guest/demo.sh" &&
		says "has a space" -- env IOPF_CACHE="$tmp/a cache" "$TOP/tests/guest/demo.sh"
}

# kernel_tree VERSION PATCHLEVEL: makes a tree that check_kernel takes for a kernel.
kernel_tree()
{
	rm -rf "$tmp/linux"
	mkdir -p "$tmp/linux/drivers/iommu"
	printf 'VERSION = %s\nPATCHLEVEL = %s\nSUBLEVEL = 1\n' "$1" "$2" >"$tmp/linux/Makefile"
	: >"$tmp/linux/drivers/iommu/Kconfig"
}

bad_tree()
{
	new_machine
	says "KSRC=/none is no folder" -- run_make kernel KSRC=/none &&
		says "KSRC=$tmp/cache is no Linux kernel tree" -- run_make kernel KSRC="$tmp/cache"
}

other_version()
{
	new_machine
	kernel_tree 5 10
	says "KSRC=$tmp/linux is Linux 5.10.1" "tested are" "FORCE=1" -- \
		run_make kernel KSRC="$tmp/linux"
}

# A tree whose build files are not known: the message names the tree that was given.
unknown_text()
{
	new_machine
	kernel_tree 7 3
	mkdir -p "$tmp/linux/drivers/iommu/intel"
	: >"$tmp/linux/drivers/iommu/Makefile"
	: >"$tmp/linux/drivers/iommu/intel/Makefile"
	says "the copy of $tmp/linux/drivers/iommu/Makefile does not build io-pgfault.o" -- \
		run_make kernel KSRC="$tmp/linux"
}

bad_variables()
{
	new_machine
	says "unknown variable: KERNELL" "make help" -- run_make demo KERNELL=7.3 &&
		says "KERNEL=5.4 is unknown" "KERNEL=7.3 or" -- run_make kernel KERNEL=5.4 &&
		says "IMPL=x is unknown" -- run_make kernel IMPL=x &&
		says "CONFIG=x is unknown" -- run_make kernel CONFIG=x &&
		says "FIXES=2 is unknown" -- run_make kernel FIXES=2 &&
		says "PRQ=x is unknown" -- run_make kernel PRQ=x &&
		says "PRQ=iopf needs the library" -- run_make kernel PRQ=iopf IMPL=upstream &&
		says "SMP=0 is no number of CPUs" -- run_make guest CMD=true SMP=0 &&
		says "MEM=2T is no size" "MEM=2G" -- run_make guest CMD=true MEM=2T &&
		says "TIMEOUT=x is no number" -- run_make guest CMD=true TIMEOUT=x &&
		says "ACCEL=x is unknown" "ACCEL=kvm or" -- run_make guest CMD=true ACCEL=x &&
		says "no command" "CMD=" -- run_make guest &&
		says "QEMU=/none is no program" -- run_make guest CMD=true QEMU=/none &&
		says "MINUTES=0 is no number" -- run_make random MINUTES=0 &&
		says "SEED=x is no number" -- run_make random SEED=x &&
		says "VERBOSE=9 is unknown" -- run_make random VERBOSE=9 &&
		says "BROKEN=x is unknown" "tests/mutants" -- run_make kernel BROKEN=x &&
		says "SUITE=x is unknown" -- run_make mutants SUITE=x &&
		says "MINUTES=x is no number" -- run_make test MINUTES=x &&
		says "KSRC=/linux" "kunit, demo" -- run_make test KSRC=/linux &&
		says "SUITE=x is unknown" -- run_make kunit SUITE=x &&
		says "FAULTS=x is no number" -- run_make demo-guest-sva FAULTS=x &&
		says "REPS=0 is no number" -- run_make bench REPS=0 &&
		says "MODE=x is unknown" "MODE=icount" -- run_make bench MODE=x &&
		says "PORT=x is unknown" "PORT=vtd" -- run_make bench PORT=x &&
		says "REPORT=x is unknown" "REPORT=single" -- run_make bench REPORT=x &&
		says "REPORTER=x is unknown" "REPORTER=normal" -- run_make bench REPORTER=x &&
		says "AREA=x is no number" -- run_make bench AREA=x &&
		says "called s8" "s8.file" -- run_make bench SCENARIOS="s1 s8" &&
		says "REPS=x is no number" -- run_make lines REPS=x &&
		says "called s" "fifo-reporter" -- run_make lines SCENARIOS=s &&
		says "called s1 s10" -- run_make lines SCENARIOS="s1 s10"
}

bad_kdir()
{
	new_machine
	mkdir -p "$tmp/kdir/include/config"
	says "KDIR=/none is no folder" -- run_make modules KDIR=/none &&
		says "KDIR=$tmp/kdir is no build folder" -- run_make modules KDIR="$tmp/kdir" || return 1
	: >"$tmp/kdir/Module.symvers"
	echo CONFIG_MODULES=y >"$tmp/kdir/include/config/auto.conf"
	says "without CONFIG_IOMMU_SVA CONFIG_IOMMU_IOPF CONFIG_UACCE" -- \
		run_make modules KDIR="$tmp/kdir"
}

# soon COMMAND...: succeeds as soon as the command does, within half a minute.
soon()
{
	local _

	for _ in $(seq 300); do
		! "$@" || return 0
		sleep 0.1
	done
	return 1
}

# Another run has the lock.
two_runs()
{
	local pid status=0

	new_machine
	mkdir "$tmp/cache/lock"
	exec {fd}>"$tmp/cache/lock/fetch"
	flock "$fd"
	there "$TOP/drivers-glue/in-tree/fetch.sh" 7.3 {fd}>&- >"$tmp/said" 2>&1 &
	pid=$!
	soon grep -q "waiting for another run" "$tmp/said" || status=1
	kill "$pid"
	exec {fd}>&-
	wait "$pid" || true
	return "$status"
}

is_gone()
{
	! pgrep -f "$1" >/dev/null
}

# The end of a script is the end of what it has started.
interrupted()
{
	local signal

	new_machine
	for signal in INT TERM HUP; do
		there timeout -s "$signal" 1 bash -c '. "$0/drivers-glue/in-tree/lib.sh"
			long() { sleep 98765 & wait; }
			run_logged "$IOPF_CACHE/log" building long' "$TOP" || true
		if ! soon is_gone "sleep 98765"; then
			echo "it continues after $signal"
			pkill -f "sleep 98765"
			return 1
		fi
	done
}

progress()
{
	there bash -c '. "$0/drivers-glue/in-tree/lib.sh"
		for state in "0 1400 5" "700 1400 150" "1500 1400 300" "12 0 60"; do
			echo "$(describe_objects $state)"
		done' "$TOP" >"$tmp/said"
	diff "$tmp/said" - <<-'EOF'
		[                    ] 0 of about 1400 objects
		[##########          ] 700 of about 1400 objects, about 3 min left
		[####################] 1500 objects, linking
		12 objects
	EOF
}

# shellcheck disable=SC2034
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo "TAP version 13"
echo "1..18"
check "a system without dpkg: what is missing" no_debian
check "a system without apt: own sources and QEMU" no_debian_but_packages
check "not root" no_root
check "the mirror is not reachable" no_mirror
check "apt knows no mirror of Debian" no_mirror_of_debian
check "the archive has no such kernel" no_kernel_in_archive
check "no room on the disk" no_disk
check "the disk gets full" disk_gets_full
check "no x86-64" other_machine
check "paths with spaces" path_with_space
check "KSRC is no kernel tree" bad_tree
check "KSRC is another version" other_version
check "KSRC has unknown build files" unknown_text
check "wrong variables" bad_variables
check "KDIR is no build folder" bad_kdir
check "two runs at once" two_runs
check "interrupted" interrupted
check "progress of a build" progress
exit $failed
