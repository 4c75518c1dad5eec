#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# run.sh COMMAND...: runs a command in a fresh guest and ends with its status.
# run.sh --shell: an interactive guest on this terminal.
# run.sh --check: only checks the variables, before a kernel is built for them.
#
#   KERNEL, IMPL, CONFIG, KSRC  the guest's kernel, as for build.sh
#   CMD        the command, if there are no arguments
#   FILES      'a b.ko c/': files and folders to put into the guest's /files, its
#              working folder and first in PATH; programs must be static
#   MODULES    'x.ko y.ko': loaded in this order before the command runs
#   SMP, MEM   2 CPUs, 2G of memory
#   TIMEOUT    300 seconds for all of it, not counting those in which a processor of
#              the guest had to wait for one of the host
#   BOOT_TIMEOUT  seconds of the same kind after which a guest that has not begun is
#              started again
#   ACCEL      kvm or tcg; default: KVM if it works
#   APPEND     more words for the kernel's command line
#   QEMU_ARGS  more arguments for QEMU (QEMU=PROGRAM: see qemu.sh)
#   LOG        file for the console's log; default: kept after a failure only
#
# Status: the command's own. 124 after a timeout; 125 when the guest died, gave no
# verdict, or its kernel reported something: standard error says which.
set -euo pipefail
. "$(dirname "$0")/../../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../runs.sh"

: "${KERNEL:=7.3}" "${IMPL:=iopf}" "${CONFIG:=release}" "${KSRC:=}"
: "${CMD:=}" "${FILES:=}" "${MODULES:=}" "${SMP:=2}" "${MEM:=2G}" "${TIMEOUT:=300}"
: "${ACCEL:=}" "${APPEND:=}" "${QEMU_ARGS:=}" "${LOG:=}" "${BOOT_TIMEOUT:=}"
export KERNEL IMPL CONFIG KSRC
GUEST=$TOP/tests/guest
BUILD=$TOP/drivers-glue/in-tree/build.sh
PROBED=$IOPF_CACHE/accel-probe
shell=
qemu_pid=

check_variables()
{
	[[ $SMP =~ ^[1-9][0-9]*$ ]] || die "SMP=$SMP is no number of CPUs"
	[[ $MEM =~ ^[1-9][0-9]*[MG]?$ ]] ||
		die "MEM=$MEM is no size of memory" "for example MEM=2G or MEM=512M"
	[[ $TIMEOUT =~ ^[1-9][0-9]*$ ]] || die "TIMEOUT=$TIMEOUT is no number of seconds"
	case $ACCEL in
	kvm)
		[ -w /dev/kvm ] || die "ACCEL=kvm, but /dev/kvm cannot be opened" \
			"ACCEL=tcg works everywhere"
		;;
	''|tcg) ;;
	*) die "ACCEL=$ACCEL is unknown" "ACCEL=kvm or ACCEL=tcg, or none to have it tried" ;;
	esac
}

check_command()
{
	[ -n "$shell" ] || [[ $CMD =~ [^[:space:]] ]] ||
		die "no command" "usage: $0 COMMAND..., or CMD='...'; $0 --shell"
}

# kbuild makes gen_init_cpio with the kernel if that has initramfs support.
find_gen_init_cpio()
{
	gen_init_cpio=$kdir/usr/gen_init_cpio
	[ ! -x "$gen_init_cpio" ] || return 0
	gen_init_cpio=$tmp/gen_init_cpio
	need_packages gcc libc6-dev
	gcc -O2 -o "$gen_init_cpio" "$("$BUILD" source)/usr/gen_init_cpio.c" ||
		die "usr/gen_init_cpio.c of the kernel does not build"
}

base_list()
{
	local dir applet

	for dir in bin dev proc sys tmp root files lib lib/modules; do
		echo "dir /$dir 0755 0 0"
	done
	echo "nod /dev/console 0600 0 0 c 5 1"
	echo "nod /dev/null 0666 0 0 c 1 3"
	echo "file /init $GUEST/init 0755 0 0"
	echo "file /bin/busybox /bin/busybox 0755 0 0"
	for applet in $(/bin/busybox --list); do
		[ "$applet" = busybox ] || echo "slink /bin/$applet busybox 0777 0 0"
	done
}

# Make the part that all guests share: init and busybox.
make_base()
{
	need_packages busybox-static
	base_list >"$tmp/base.list"
	base=$(cat "$tmp/base.list" "$GUEST/init" /bin/busybox | sha1sum)
	base=$IOPF_CACHE/guest/base-${base%% *}.cpio
	[ ! -e "$base" ] || return 0
	mkdir -p "$IOPF_CACHE/guest"
	find_gen_init_cpio
	"$gen_init_cpio" "$tmp/base.list" >"$base.$$" || die "gen_init_cpio fails"
	mv "$base.$$" "$base"
}

# put FROM DIR: copies FROM, following symbolic links.
put()
{
	local to

	to=$2/$(basename "$1")
	[ -e "$1" ] || die "$3: there is no $1"
	[ ! -e "$to" ] || die "$3 has two of the name $(basename "$1")"
	mkdir -p "$2"
	cp -rL --preserve=mode,timestamps "$1" "$to"
}

# make_initrd DIR COMMAND: makes the initrd of the common part and one run's own files.
make_initrd()
{
	local file order=$tmp/root/lib/modules/iopf

	rm -rf "$tmp/root"
	mkdir -p "$tmp/root" "$1"
	printf '%s\n' "$2" >"$tmp/root/command"
	# Unquoted: names are separated by spaces, and may be patterns.
	for file in $FILES; do
		put "$file" "$tmp/root/files" FILES
	done
	for file in $MODULES; do
		put "$file" "$order" MODULES
		basename "$file" >>"$order/modules.order"
	done
	cp "$base" "$1/initrd"
	(cd "$tmp/root" && find . -mindepth 1 -print0 |
		cpio --quiet --null -o -H newc -R 0:0) >>"$1/initrd"
}

# accel_args ACCEL: prints arguments for QEMU. -icount needs one thread; la57 and the
# rep instructions are slow under TCG.
accel_args()
{
	case $1 in
	kvm) echo -accel kvm -cpu host ;;
	tcg)
		case $QEMU_ARGS in
		*-icount*) echo -accel tcg,thread=single ;;
		*) echo -accel tcg,thread=multi ;;
		esac
		echo -cpu max,-erms,-fsrm,la57=off
		;;
	esac
}

# clock_words ACCEL: prints words for the kernel's command line, by which the guest need not
# measure its TSC. On a busy host it may measure half of it, and its clocks go twice as fast.
clock_words()
{
	local program=$IOPF_CACHE/guest/tsc-khz source=$TOP/tests/tools/tsc-khz.c

	[ "$1" = tcg ] || return 0
	case $QEMU_ARGS in
	*-icount*)
		echo tsc_early_khz=1000000
		return
		;;
	esac
	# Elsewhere the TSC is made of another counter.
	[ "$(uname -m)" = x86_64 ] || return 0
	if [ ! "$program" -nt "$source" ]; then
		need_packages gcc libc6-dev
		gcc -O2 -Wall -o "$program.$$" "$source" || die "$source does not build"
		mv "$program.$$" "$program"
	fi
	echo "tsc_early_khz=$("$program")"
}

# qemu_command DIR ACCEL: sets the array "command", without the serial ports. The
# verdict is derived from the kernel's log, so its buffer is large and /dev/kmsg is not
# rate-limited; a panic ends the guest at once.
qemu_command()
{
	local words="console=ttyS0 log_buf_len=4M printk.devkmsg=on panic=-1"

	words="$words tsc=reliable $(clock_words "$2") no_timer_check loglevel=$([ -n "$shell" ] && echo 5 || echo 7)"
	[ "$CONFIG" != debug ] || words="$words panic_on_warn=1 oops=panic"
	[ -z "$shell" ] || words="$words iopf.shell TERM=${TERM:-linux} $shell"
	command=("${qemu[@]}" -machine q35 -nodefaults -no-user-config -no-reboot
		 -display none -monitor none -net none -m "$MEM" -smp "$SMP"
		 -device "isa-debug-exit,iobase=0xf4,iosize=0x04"
		 -kernel "$kdir/bzImage" -initrd "$1/initrd")
	# shellcheck disable=SC2207
	command+=($(accel_args "$2"))
	# shellcheck disable=SC2206
	[ -z "$QEMU_ARGS" ] || command+=($QEMU_ARGS)
	command+=(-append "$words iopf.timeout=$TIMEOUT $APPEND")
}

# boot DIR ACCEL SECONDS LOG: starts a guest. Its output goes to a file, which never
# blocks the guest, and is followed there.
boot()
{
	local command

	qemu_command "$1" "$2"
	: >"$1/output"
	: >"$1/verdict"
	: >"$4"
	"${command[@]}" -serial "file:$4" \
		-serial "file:$1/output" -serial "file:$1/verdict" \
		</dev/null >"$1/qemu" 2>&1 &
	qemu_pid=$!
	rm -f "$1/over"
	patience "$qemu_pid" "$3" "$1/over" >/dev/null 2>&1 </dev/null &
}

# begun LOG: succeeds if the guest runs its command within BOOT_TIMEOUT, or has ended.
begun()
{
	passed=0
	looked=
	while [ $passed -lt $((BOOT_TIMEOUT * 1000)) ]; do
		look_at "$qemu_pid"
		! grep -aqs 'iopf-guest: the command starts' "$1" || return 0
		kill -0 "$qemu_pid" 2>/dev/null || return 0
		sleep 0.5
	done
	return 1
}

# boot_again ARGUMENTS: boots, and once more if the guest hangs during boot.
boot_again()
{
	boot "$@"
	[ -n "$BOOT_TIMEOUT" ] && ! begun "$4" || return 0
	say "the guest has not begun after $BOOT_TIMEOUT s, trying again"
	kill "$qemu_pid"
	wait "$qemu_pid" || true
	boot "$@"
}

# finish DIR: waits for the guest and sets "status" and, unless it ended well, "why".
# QEMU's status must agree with the verdict: 3 success, 5 the command failed, 7 the
# kernel reported something.
finish()
{
	local verdict='' reports='' qemu_status=0

	wait "$qemu_pid" || qemu_status=$?
	qemu_pid=
	why=
	if [ -e "$1/over" ]; then
		status=124 why="the guest had not ended after $TIMEOUT s"
		return
	fi
	read -r verdict status reports < <(tail -n 1 "$1/verdict") || true
	case $qemu_status:$verdict:$status:$reports in
	3:verdict:0:0) ;;
	5:verdict:*:0) ;;
	7:verdict:-:*) status=125 why="the command did not run" ;;
	7:verdict:*:*) why="the kernel reported something; the command's status was $status" status=125 ;;
	[0357]:*) status=125 why="the guest died without a verdict" ;;
	*) status=125 why="QEMU ended with status $qemu_status: $(cat "$1/qemu")" ;;
	esac
}

# KVM may be available and yet hang or abort, so boot a guest to find out. The result is
# kept for a day, unless the host has another kernel or has loaded its KVM module again.
choose_accel()
{
	local host

	[ -z "$ACCEL" ] || return 0
	ACCEL=tcg
	if [ ! -w /dev/kvm ]; then
		[ ! -e /dev/kvm ] || say "/dev/kvm cannot be opened by this user: using TCG, which is slower"
		return 0
	fi
	host="$(uname -r) $(stat -c %Z /dev/kvm) ${qemu[*]}"
	if [ -z "$(find "$PROBED" -mmin -1440 2>/dev/null)" ] ||
	   [ "$(head -n 1 "$PROBED")" != "$host" ]; then
		printf '%s\n' "$host" "$(probe_kvm)" >"$PROBED.$$"
		mv "$PROBED.$$" "$PROBED"
	fi
	ACCEL=$(tail -n 1 "$PROBED")
}

# Runs in a subshell.
probe_kvm()
{
	shell='' FILES='' MODULES='' QEMU_ARGS='' APPEND='' SMP=2 MEM=512M
	make_initrd "$tmp/probe" true
	boot "$tmp/probe" kvm 20 "$tmp/probe/console"
	finish "$tmp/probe"
	if [ "$status" = 0 ]; then
		say "KVM works here (remembered for a day in $PROBED)"
		echo kvm
	else
		say "a guest with KVM does not start here: using TCG (remembered for a day in $PROBED; ACCEL=kvm overrides)"
		echo tcg
	fi
}

# Print the console from its first report on, or from init's report of a hang, or its
# end.
console_end()
{
	local first

	[ -s "$log" ] || return 0
	first=$(grep -anEm 1 'cut here|BUG: |WARNING: |UBSAN: |Oops: |Kernel panic|iopf-guest: still' "$log" |
		cut -d : -f 1 || true)
	echo "console:"
	tail -n "+${first:-1}" "$log" | if [ -n "$first" ]; then head -n 100; else tail -n 40; fi
}

explain()
{
	! grep -aqs 'Kernel panic' "$log" || why="$why: its kernel panicked"
	printf 'error: %s\n' "$why"
	# Print what the guest reported, or the console if it reported nothing.
	grep -av '^verdict ' "$tmp/guest/verdict" || console_end
}

run_guest()
{
	local tail_pid

	boot_again "$tmp/guest" "$ACCEL" "$TIMEOUT" "$log"
	tail -s 0.1 --pid "$qemu_pid" -c +1 -f "$tmp/guest/output" &
	tail_pid=$!
	finish "$tmp/guest"
	wait "$tail_pid" || true
}

# QEMU's translator sometimes executes the breakpoint by which an SMP kernel patches its
# code after it has been removed. That is not the guest's fault.
tripped()
{
	[ "$ACCEL" = tcg ] && [ "$status" = 125 ] && grep -aqs 'Oops: int3' "$log" &&
		! grep -aqs 'iopf-guest: the command starts' "$log"
}

run_command()
{
	log=${LOG:-$IOPF_CACHE/log/guest-$(basename "$kdir")-$$.log}
	{ mkdir -p "$(dirname "$log")" && : >>"$log"; } 2>/dev/null || die "LOG=$log cannot be written"
	find "$IOPF_CACHE/log" -name 'guest-*.log' -mtime +7 -delete 2>/dev/null || true
	[[ $log != *,* ]] || die "LOG=$log: QEMU takes no comma in it"
	make_initrd "$tmp/guest" "$CMD"
	run_guest
	if tripped; then
		say "the emulator tripped over code that was being patched, trying again"
		run_guest
	fi
	[ -z "$why" ] || explain >&2
	if [ "$status" = 0 ]; then
		[ -n "$LOG" ] || rm -f "$log"
	else
		say "the guest's console: $log"
	fi
	exit "$status"
}

run_shell()
{
	local command size

	size=$(stty size 2>/dev/null || true)
	[[ $size =~ ^[1-9][0-9]*\ [1-9][0-9]*$ ]] || size="24 80"
	shell="iopf.rows=${size% *} iopf.cols=${size#* }"
	make_initrd "$tmp/guest" ""
	qemu_command "$tmp/guest" "$ACCEL"
	say "leave the guest with Ctrl-A X, or \"exit\""
	"${command[@]}" -serial mon:stdio -serial null -serial null || true
}

clean_up()
{
	if [ -n "$qemu_pid" ]; then
		kill "$qemu_pid" 2>/dev/null || true
		wait "$qemu_pid" || true
	fi
	rm -rf "$tmp"
}

case ${1:-} in
--check)
	check_variables
	"$GUEST/qemu.sh" --check
	exit
	;;
--shell) shell=yes ;;
--) shift ;;
-*) die "unknown option $1" "usage: $0 COMMAND..., or CMD='...'; $0 --shell" ;;
esac
[ -n "$shell" ] || [ $# -eq 0 ] || CMD="$*"
check_variables
check_command
need_packages cpio
qemu=$("$GUEST/qemu.sh")
eval "qemu=($qemu)"
kdir=$("$BUILD" kdir)
# A build that was interrupted has no stamp.
[ -e "$kdir/.stamp" ] || "$BUILD" kernel

tmp=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
make_base
choose_accel
if [ -n "$shell" ]; then
	run_shell
else
	run_command
fi
