# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# user-mode.sh: a user-mode kernel with the KUnit suites, by the tree's own kunit.py. Sourced
# after lib.sh and runs.sh, never run. The script sets out, a folder for logs.
# shellcheck disable=SC2154

# About as many as the kernel has
OBJECTS=750

# find_tree [TREE]: sets tree, which has the library: TREE, or the one of KERNEL or
# KSRC.
find_tree()
{
	need_packages python3 gcc make flex bison bc libelf-dev
	given=${1:-}
	tree=$given
	[ -z "$given" ] || return 0
	"$TOP/drivers-glue/in-tree/build.sh" tree
	tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
}

kunit()
{
	(cd "$tree" && ./tools/testing/kunit/kunit.py "$@" --build_dir="$build")
}

# build_user_mode BUILD [CONFIG...]: builds it in the folder BUILD, with more settings.
build_user_mode()
{
	local setting objects=$OBJECTS settings=(--kunitconfig=drivers/iommu/iopf/tests/.kunitconfig)

	build=$1
	shift
	for setting; do
		settings+=(--kconfig_add "$setting")
	done
	mkdir -p "$build"
	[ ! -e "$build/vmlinux.o" ] || objects=0
	# No other run may put another library into the tree during the build.
	[ -n "$given" ] || lock "build-$(basename "$tree")"
	run_logged "$out/config.log" "configuring a user-mode kernel for KUnit" \
		kunit config "${settings[@]}"
	run_build "$build" "$objects" "$out/build.log" "building it" \
		kunit build "${settings[@]}" --jobs "$(nproc)"
	[ -n "$given" ] || unlock "build-$(basename "$tree")"
}

# run_user_mode SUITES [WORD...]: runs the suites, with more words for the kernel's
# command line. The time limit of kunit.py is the clock's.
run_user_mode()
{
	local word words=()

	for word in "${@:2}"; do
		words+=(--kernel_args "$word")
	done
	cd "$tree" && exec ./tools/testing/kunit/kunit.py exec "$1" "${words[@]}" \
		--build_dir="$build" --timeout 7200 --raw_output=kunit
}
