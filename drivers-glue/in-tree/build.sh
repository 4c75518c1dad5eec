#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh kernel|tree|kdir|source: builds the kernel that the variables select; or only
# prepares its source tree; or prints the build directory; or prints the source tree.
#
#   KERNEL  7.3 or 6.12: a series of Debian's linux-source packages
#   KSRC    the user's own tree instead; it is copied, never written to
#   IMPL    iopf or upstream: the fault queue
#   CONFIG  release, debug or kcsan
#   PRQ     kernel or iopf: intel-iommu's page request driver, or the library's
#   FIXES   1: with the fixes to known bugs of the tree
#
# All IMPL and CONFIG share a source tree; CONFIG_IOPF_QUEUE selects the fault queue. The
# tree has the fixes if the last build had FIXES=1.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kernel.sh"

: "${KERNEL:=7.3}" "${IMPL:=iopf}" "${CONFIG:=release}" "${KSRC:=}" "${FIXES:=0}"
: "${PRQ:=kernel}"
export FIXES
GLUE=$TOP/drivers-glue/in-tree
# About as many as the kernels of Debian's sources have
OBJECTS=1400
CONFIGS=$TOP/tests/configs

check_variables()
{
	case $IMPL in
	iopf|upstream) ;;
	*) die "IMPL=$IMPL is unknown" "IMPL=iopf or IMPL=upstream" ;;
	esac
	case $CONFIG in
	release|debug|kcsan) ;;
	*) die "CONFIG=$CONFIG is unknown" "CONFIG=release, CONFIG=debug or CONFIG=kcsan" ;;
	esac
	case $PRQ:$IMPL in
	kernel:*|iopf:iopf) ;;
	iopf:*) die "PRQ=iopf needs the library" "with IMPL=$IMPL there is PRQ=kernel only" ;;
	*) die "PRQ=$PRQ is unknown" "PRQ=kernel or PRQ=iopf" ;;
	esac
	[ -z "${BROKEN:-}" ] || [ -f "$TOP/tests/mutants/$BROKEN.patch" ] ||
		die "BROKEN=$BROKEN is unknown" "the names are those of tests/mutants/NAME.patch"
	case $FIXES in
	0|1) ;;
	*) die "FIXES=$FIXES is unknown" "FIXES=0 or FIXES=1" ;;
	esac
	if [ -n "$KSRC" ]; then
		check_kernel "$KSRC" "KSRC=$KSRC"
		KSRC=$(cd "$KSRC" && pwd)
		name=user-$(printf %s "$KSRC" | sha1sum | cut -c 1-8)
		return
	fi
	case $KERNEL in
	6.12|7.3) name=$KERNEL ;;
	*) die "KERNEL=$KERNEL is unknown" "KERNEL=7.3 or KERNEL=6.12, or KSRC=DIR for your own tree" ;;
	esac
}

# copy_cached FROM TO: copies a tree; files that are never written are hard links.
copy_cached()
{
	rm -rf "$2" "$2.tmp"
	cp -al "$1" "$2.tmp"
	rm -rf "$2.tmp/drivers/iommu" "$2.tmp/include"
	cp -a "$1/drivers/iommu" "$2.tmp/drivers/iommu"
	cp -a "$1/include" "$2.tmp/include"
	echo "$1" >"$2.tmp/.iopf-source"
	mv "$2.tmp" "$2"
}

# copy_user FROM TO: copies or updates a user's tree, without its objects and its
# configuration.
copy_user()
{
	rsync -a --delete --exclude .git --exclude '*.o' --exclude '.*.cmd' \
		--exclude /.config --exclude /include/config \
		--exclude /include/generated --exclude '/arch/*/include/generated' \
		--include '/drivers/iommu/iopf/.fixes/***' \
		--exclude '/drivers/iommu/iopf/*' --exclude '/include/*/iopf.h' \
		--exclude '/include/*/*/iopf.h' "$1/" "$2/"
}

# 6.12 refuses SVA on x86; see guest-sva.cocci.
lift_sva_refusal()
{
	local file=drivers/iommu/iommu-sva.c tmp

	grep -q 'IS_ENABLED(CONFIG_X86)' "$tree/$file" || return 0
	need_packages coccinelle
	tmp=$(mktemp -d)
	cp "$tree/$file" "$tmp/new.c"
	semantic_patch "$tmp/new.c" --in-place --sp-file "$GLUE/guest-sva.cocci" >/dev/null
	! grep -q 'IS_ENABLED(CONFIG_X86)' "$tmp/new.c" ||
		die "the refusal of SVA on x86 has a form that guest-sva.cocci does not know" \
		    "it is in $tree/$file"
	replace_file "$tree/$file" "$tmp/new.c"
	rm -rf "$tmp"
}

prepare_tree()
{
	local source

	if [ -n "$KSRC" ]; then
		need_packages rsync
		mkdir -p "$tree"
		run_logged "$IOPF_CACHE/log/copy-$name.log" "copying $KSRC" \
			copy_user "$KSRC" "$tree"
	else
		source=$("$GLUE/fetch.sh" "$KERNEL")
		if [ "$(cat "$tree/.iopf-source" 2>/dev/null)" != "$source" ]; then
			mkdir -p "$(dirname "$tree")"
			run_logged "$IOPF_CACHE/log/copy-$name.log" \
				"copying ${source##*/} to build in" \
				copy_cached "$source" "$tree"
		fi
	fi
	TREE_NAME=${KSRC:+the copy of $KSRC} "$GLUE/tree.sh" apply "$tree"
	lift_sva_refusal
}

fragments()
{
	local major

	major=$(awk '/^VERSION = /{ print $3 }' "$tree/Makefile")
	ls "$CONFIGS/base.config" "$CONFIGS/base-$major.config" \
		"$CONFIGS/$CONFIG.config" "$CONFIGS/$CONFIG-$major.config" \
		"$CONFIGS/$IMPL.config" "$CONFIGS/$IMPL-$CONFIG-$major.config" \
		"$CONFIGS/prq-$PRQ.config" 2>/dev/null || true
}

# Prints a checksum of all that the result depends on. If it is that of the last build,
# there is nothing to build.
stamp()
{
	{
		gcc --version | head -n 1
		cat "$tree/Makefile" "$0"
		fragments | xargs cat
		cat "$tree/drivers/iommu/iopf/.placed"
		[ ! -d "$tree/drivers/iommu/iopf/.fixes" ] ||
			find "$tree/drivers/iommu/iopf/.fixes" -type f -print0 | sort -z | xargs -0 sha1sum
		sha1sum <"$tree/drivers/iommu/iommu-sva.c"
		sha1sum <"$tree/drivers/iommu/intel/Makefile"
		[ -z "$KSRC" ] || find "$tree" -type f -newer "$build/.stamp" 2>/dev/null
	} | sha1sum
}

# Fails if an option is not set as requested: kconfig drops silently what dependencies do not
# allow.
configure()
{
	local all=$build/fragments.config missing

	fragments | xargs cat >"$all"
	make -C "$tree" O="$build" KCONFIG_ALLCONFIG="$all" allnoconfig
	missing=$(grep -hE '^(CONFIG_|# CONFIG_.* is not set)' "$all" | while read -r line; do
		case $line in
		\#*)
			line=${line#\# }
			! grep -q "^${line%% *}=" "$build/.config" || echo "$line"
			;;
		*)
			grep -qxF "$line" "$build/.config" || echo "$line"
			;;
		esac
	done)
	[ -z "$missing" ] || { echo "kconfig dropped: $missing"; return 1; }
}

# Starts with a copy of another build of this CONFIG if there is one. Most objects are the
# same; kbuild rebuilds those that depend on other options.
seed()
{
	local other

	for other in "$IOPF_CACHE/build/$name"-{iopf,upstream}-"$CONFIG"{,-prq}{,-fixes}; do
		if [ -e "$other/.stamp" ] && [ "$other" != "$build" ]; then
			rm -rf "$build"
			cp -a "$other" "$build"
			rm -f "$build/.stamp"
			# Dependency files of tools have absolute paths; rebuilt tools rebuild all.
			grep -rlZ --include='*.cmd' --include='*.d' "$other" \
				"$build/tools" | xargs -0r sed -i "s|$other|$build|g"
			return
		fi
	done
	mkdir -p "$build"
}

compile()
{
	make -C "$tree" O="$build" -j"$(nproc)" bzImage modules
	ln -sf arch/x86/boot/bzImage "$build/bzImage"
}

kernel()
{
	local objects

	[ "$(uname -m)" = x86_64 ] ||
		die "this is a machine of type $(uname -m): kernels are built for x86-64 on x86-64 only" \
		    "make apply, unapply and patch-fixes work on all"
	need_packages "${FOR_GUESTS[@]}"
	with_lock "build-$name"
	prepare_tree
	if [ "$(cat "$build/.stamp" 2>/dev/null)" = "$(stamp)" ]; then
		say "kernel ${build##*/} is up to date"
		return
	fi
	# Also when all that is there is a configuration that has failed.
	[ -e "$build/vmlinux.o" ] || seed
	# Fewer if a build was interrupted
	objects=$((OBJECTS - $(find "$build" -name '.*.o.cmd' 2>/dev/null | wc -l)))
	[ ! -e "$build/vmlinux.o" ] && [ $objects -gt 0 ] || objects=0
	run_logged "$build.config.log" "configuring kernel ${build##*/}" configure
	run_build "$build" "$objects" "$build.log" "building kernel ${build##*/}" compile
	stamp >"$build/.stamp.new"
	mv "$build/.stamp.new" "$build/.stamp"
	say "kernel ${build##*/}: $build/bzImage"
}

check_variables
tree=$IOPF_CACHE/tree/$name
build=$IOPF_CACHE/build/$name-$IMPL-$CONFIG
[ "$PRQ" = kernel ] || build=$build-prq
[ "$FIXES" = 0 ] || build=$build-fixes
case ${1:-} in
kernel) kernel ;;
tree)
	with_lock "build-$name"
	prepare_tree
	;;
kdir) echo "$build" ;;
source) echo "$tree" ;;
*) die "usage: $0 kernel|tree|kdir|source" ;;
esac
