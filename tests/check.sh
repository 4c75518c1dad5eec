#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check.sh: checks our files with tools, as TAP: checkpatch of the kernel tree, sparse
# and W=1, kernel-doc, shellcheck, the functions that the model names, the layers of the
# library's files, words, and the documentation's lists. Any finding fails. Logs of each
# run are kept in the cache's log/check.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/runs.sh"

TRACE='^include/trace/'
USER_SPACE='^tests/(guest|bench|lines|random|stress|vmm)/|^drivers-glue/(softacc/softacc|forwarder/iopf_forward).h'
# Stubs of kernel headers; and libFuzzer determines the name of its entry.
STUBS='^tests/vtd/'
number=0
failed=0

sources()
{
	cd "$TOP"
	git ls-files -co --exclude-standard '*.c' '*.h' 2>/dev/null |
		grep . || find iopf include drivers-glue tests -name '*.[ch]'
}

scripts()
{
	cd "$TOP"
	find . -name '*.sh' -not -path './.git/*'
	echo tests/guest/init
	echo tests/tools/iopfstat
	echo .ci/run
}

# check NAME COMMAND...: passes if the command succeeds and prints nothing.
check()
{
	local name=$1 log

	log=$LOGS/${name// /-}.log
	shift
	number=$((number + 1))
	if "$@" >"$log" 2>&1 </dev/null && [ ! -s "$log" ]; then
		echo "ok $number $name"
		return
	fi
	echo "not ok $number $name"
	sed 's/^/# /' "$log" | head -n 60
	failed=1
}

# Some checks are disabled: 6.12 has no kzalloc_obj(), comparisons with both kernels'
# versions are wanted, user-space programs have the types and macros of user space, and
# trace events are macros of a shape of their own. The licence check needs a git tree of
# the kernel, hence GIT_DIR.
checkpatch()
{
	local ignore=FILE_PATH_CHANGES,LINUX_VERSION_CODE,CONSTANT_COMPARISON
	local user=BIT_MACRO,PREFER_KERNEL_TYPES,ARRAY_SIZE,MACRO_ARG_REUSE
	local trace=OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT
	local stubs=NEW_TYPEDEFS,MEMORY_BARRIER,VOLATILE,CAMELCASE

	user=$user,PREFER_DEFINED_ATTRIBUTE_MACRO
	ignore=$ignore,ALLOC_WITH_SIZEOF,ALLOC_WITH_MULTIPLY
	sources | grep -vE "$USER_SPACE|$TRACE|$STUBS" | run_checkpatch "$ignore"
	sources | grep -E "$TRACE" | run_checkpatch "$ignore,$trace"
	sources | grep -E "$USER_SPACE" | run_checkpatch "$ignore,$user"
	sources | grep -E "$STUBS" | run_checkpatch "$ignore,$user,$stubs"
}

run_checkpatch()
{
	GIT_DIR=/none xargs perl "$tree/scripts/checkpatch.pl" --root="$tree" \
		--strict --no-summary --terse --show-types --file --ignore "$1"
}

# use KERNEL CONFIG: sets tree and kdir.
use()
{
	export KERNEL=$1 CONFIG=$2 IMPL=iopf
	"$TOP/drivers-glue/in-tree/build.sh" kernel
	tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
	kdir=$("$TOP/drivers-glue/in-tree/build.sh" kdir)
}

# Print what the compiler or sparse reports about our files, and errors of make.
warnings()
{
	local log=$LOGS/make.log

	make "$@" >"$log" 2>&1 || cat "$log"
	grep -E '(warning|error):' "$log" |
		awk '/iommu\/iopf|linux\/iopf|softacc|forwarder/ || !/(arch|include|scripts|tools)\//' || true
}

warnings_of_library()
{
	lock "build-$(basename "$tree")"
	warnings -C "$tree" O="$kdir" W=1 "$@" drivers/iommu/iopf/
	unlock "build-$(basename "$tree")"
}

warnings_of_modules()
{
	local module modules

	modules=$("$TOP/tests/guest/modules.sh" 2>/dev/null)
	lock "module-$(basename "$kdir")"
	for module in $modules; do
		warnings -C "$kdir" M="$(dirname "$module")" W=1 "$@" modules
	done
	unlock "module-$(basename "$kdir")"
}

kernel_doc()
{
	cd "$TOP"
	sources | grep -E '^(\./)?(iopf|include|drivers-glue|tests/kunit)/' |
		xargs python3 "$tree/scripts/kernel-doc" -none -Wall
}

# Functions are called indirectly, and awk programs are quoted. The guest's shell is
# that of busybox, an ash.
shell_check()
{
	cd "$TOP"
	scripts | xargs grep -lx '#!/bin/sh' | xargs shellcheck -s dash -e SC2317
	scripts | xargs grep -Lx '#!/bin/sh' |
		xargs shellcheck -s bash -x -P SCRIPTDIR -e SC2016,SC2317
}

# The model's own run checks this, too, but takes minutes.
names_of_model()
{
	"$TOP/tests/model/names.sh" >/dev/null
}

need_packages gcc make perl sparse shellcheck
LOGS=$(run_folder log/check)

echo "TAP version 13"
echo "1..11"
# No sparse of Debian parses 7.3: it fails at every module_param().
use 6.12 debug
check "6.12: sparse and W=1 on the library" warnings_of_library C=2
check "6.12: sparse and W=1 on the modules" warnings_of_modules C=2
use 7.3 debug
check "7.3: W=1 on the library and its KUnit suites" warnings_of_library
check "7.3: W=1 on the modules" warnings_of_modules
check "calls run downward" "$TOP/tests/layers.sh" "$kdir/drivers/iommu/iopf"
check "checkpatch --strict" checkpatch
check "kernel-doc" kernel_doc
check "shellcheck" shell_check
check "the model's functions are there" names_of_model
check "words of comments and documentation" "$TOP/tests/words.sh"
check "lists of the documentation" "$TOP/tests/lists.sh"
exit $failed
