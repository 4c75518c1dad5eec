#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# lists.sh: checks that the lists in the documentation are those in the code. Prints what
# differs, and then has status 1.
#
# A list in a page is a list-table below a comment ".. list: NAME". Its items are the
# literals in the first column; "none" is no item.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/runs.sh"

DOC=Documentation

# Names of the kernel and of the outside that pages mention and our sources do not.
OTHERS='COPYING README.md arm_smmu_blocking_set_dev_pasid arm_smmu_remove_dev_pasid
dl_server_stop folio_wait_bit_common handle_userfault io_schedule iommu_resume
iommu_sva_bind_device iommu_sva_handle_iopf iommu_sva_invalidate_kva_range
pci_dev_reset_iommu_prepare pci_dev_reset_iommu_done pci_error_handlers percpu_rwsem_wait
reset_done reset_prepare rwsem_down_read_slowpath'

# ---- what the pages say

# listed NAME: the items of the list NAME.
listed()
{
	grep -rhxF -A 100000 ".. list: $1" "$DOC" README.md --include='*.rst' --include='*.md' |
		awk 'NR == 1 { next }
		     /^[^ ]/ && seen && !/^\.\. list-table/ { exit }
		     /^\.\. list-table/ { if (seen++) exit }
		     /^   \* - / { cell = 1; sub(/^   \* - /, "") }
		     /^     - / { cell = 0 }
		     cell' |
		grep -oE '``[^`]+``' | tr -d '`' | grep -vx none | sort || true
}

# pages: all pages, with their text.
pages()
{
	find "$DOC" README.md -name '*.rst' -o -name README.md
}

# literals: what pages have in double backquotes; in README.md in single ones.
literals()
{
	find "$DOC" -name '*.rst' -print0 | xargs -0 grep -hoE '``[^`]+``' | tr -d '`'
	grep -hoE '`[^`]+`' README.md | tr -d '`'
}

# ---- what the code says

# parameters FILE...: names of module parameters.
parameters()
{
	grep -hoE '^module_param(_named|_cb)?\([a-z_]+' "$@" | sed 's/.*(//' | sort
}

# With the phases in the place of %s.
counters()
{
	{
		sed -nE 's/.*seq_(printf|puts)\(file, "([a-z0-9_]+)( %ll?u\\n| %u\\n)?"[,)].*/\2/p' iopf/debugfs.c
		sed -nE 's/^\t\[IOPF_[A-Z]+\] = "([a-z]+)",$/ns_\1/p' iopf/debugfs.c
	} | sort
}

# columns WORD: the words of the heading that begins with "pasid WORD".
columns()
{
	sed -nE "s/.*seq_puts\(file, \"(pasid $1 .*)\\\\n\"\);/\1/p" iopf/debugfs.c | tr ' ' '\n' | sort
}

owners()
{
	sed -nE 's/^\t\[IOPF_OWNER_[A-Z]+\] = "([a-z]+)",$/\1/p' iopf/debugfs.c | sort
}

events()
{
	sed -nE 's/^(TRACE_EVENT\(|DEFINE_EVENT\([a-z_]+, )([a-z_]+),$/\2/p' include/trace/events/iopf.h | sort
}

# messages FILE...: formats of kernel messages, N for each value.
messages()
{
	cat "$@" | tr '\n' ' ' |
		grep -oE '\b(dev|pr)_(err|warn|notice|info)(_ratelimited)?\([^"]*"[^"]*"' |
		sed -E 's/^[^"]*"//; s/\\n"$//; s/%0?[0-9]*l*[a-z]/N/g' | sort
}

options()
{
	sed -nE 's/^config (.*)/CONFIG_\1/p' iopf/Kconfig | sort
}

# Names of disturbances: of an array of strings whose name says what they are.
disturbances()
{
	cat "$1"/*.[ch] | tr '\n' ' ' |
		grep -oE '\b[a-z_]*disturbance[a-z_]*\[[A-Z_]*\] = \{[^}]*\}' |
		grep -oE '"[a-z_-]+"' | tr -d '"' | sort || true
}

suites()
{
	cat tests/kunit/*_kunit.c | sed -nE 's/^\t\.name = "(iopf_[a-z_]+)",$/\1/p' | sort
}

cases()
{
	cat tests/kunit/*.c | sed -nE 's/.*KUNIT_CASE[A-Z_]*\(([a-z0-9_]+).*/\1/p' | sort -u
}

model_mistakes()
{
	sed -nE 's/^check mutant (BROKEN_[A-Z_]+).*/\1/p' tests/model/model.sh | sort
}

vtd_checks()
{
	sed -n '/check_names\[/,/^};/p' tests/vtd/check.c |
		sed -nE 's/.*\[CHECK_[A-Z]+\] = "([a-z]+): .*/\1/p' | sort
}

stress_mistakes()
{
	sed -nE 's/^NAMES=\((.*)\)$/\1/p' tests/stress/broken.sh | tr ' ' '\n' | sort
}

fixes()
{
	cat drivers-glue/fixes/series-* | sed -E 's/#.*//; s/ .*//' | grep . | sort -u
}

kernels()
{
	sed -nE 's/^\t([0-9.|]+)\) ;;$/\1/p' drivers-glue/in-tree/kernel.sh | tr '|' '\n' | sort
}

# Of the scripts that know kernels, those whose list is another one.
other_kernels()
{
	sed -nE 's/^\t([0-9.|]+)\) name=.*/\1/p' drivers-glue/in-tree/build.sh | tr '|' '\n' |
		sort | cmp -s - <(kernels) || echo "kernels: build.sh has others than kernel.sh"
	printf '%s\n' drivers-glue/fixes/series-* | sed 's/.*-//' |
		sort | cmp -s - <(kernels) || echo "kernels: drivers-glue/fixes has others than kernel.sh"
	sed -nE 's/^## KERNEL=([0-9.|]+) .*/\1/p' Makefile | tr '|' '\n' |
		sort | cmp -s - <(kernels) || echo "kernels: make help names others than kernel.sh"
}

configurations()
{
	sed -nE 's/^\t(release[a-z|]*)\) ;;$/\1/p' drivers-glue/in-tree/build.sh | tr '|' '\n' | sort
}

# Folders of the repository that tree.sh copies into a tree.
places()
{
	sed -nE "s/^\t\tfind ([a-z/-]+) -type f -printf .*/\1/p" drivers-glue/in-tree/tree.sh | sort
}

targets()
{
	sed -nE 's/^([a-z-]+):.*## .*/\1/p' Makefile | sort
}

variables()
{
	sed -n '/^VARIABLES :=/,/[^\\]$/p' Makefile | tr -d '\134' | tr -s ' \t' '\n' | grep -E '^[A-Z_]+$' |
		grep -vx VARIABLES | sort
}

# ---- the checks

# equal NAME: the list NAME and standard input are the same.
equal()
{
	local code=$tmp/code

	cat >"$code"
	[ -s "$code" ] || { echo "$1: nothing is found in the code"; return 0; }
	listed "$1" >"$tmp/list"
	comm -23 "$code" "$tmp/list" | sed "s/^/$1: not in the documentation: /"
	comm -13 "$code" "$tmp/list" | sed "s/^/$1: not in the code: /"
}

# known WHAT NAMES: of the names on standard input, those that the lines of the file
# NAMES do not have.
known()
{
	sort -u | comm -23 - "$2" | sed "s/^/$1: /"
}

# Commands of pages: "make TARGET VARIABLE=...".
commands()
{
	local text=$tmp/commands

	pages | xargs cat | grep -oE '\bmake [a-z-]+( [A-Z_]+=[^ `]+)*( \\$)?' >"$text" || true
	targets >"$tmp/targets"
	variables >"$tmp/variables"
	# kbuild's own targets and the English verb.
	grep -oE '^make [a-z-]+' "$text" | cut -d ' ' -f 2 |
		grep -E "^($(targets | cut -d - -f 1 | sort -u | paste -sd '|'))(-|\$)" |
		known "a page has a target that the Makefile does not have" "$tmp/targets"
	grep -oE ' [A-Z_]+=' "$text" | tr -d ' =' |
		known "a page has a variable that the Makefile does not have" "$tmp/variables"
	targets | known "the Makefile has a target outside .PHONY" \
		<(sed -n '/^\.PHONY:/,/[^\\]$/p' Makefile | tr -d '\134' | tr -s ' \t' '\n' | sort)
}

# Each patch says what it breaks and what notices it, and pages name no others.
mistakes()
{
	local patch

	for patch in tests/mutants/*.patch tests/vtd/mutants/*.patch; do
		sed '/^--- a\//,$d' "$patch" | grep -qE 'KUnit:|Checks?:' ||
			echo "$patch does not say what has to notice it"
	done
	printf '%s\n' tests/mutants/*.patch tests/vtd/mutants/*.patch |
		sed 's|.*/||; s|\.patch$||' | sort -u >"$tmp/patches"
	listed "model operations" | known "model operations: no such mistake" "$tmp/patches"
	listed "stress mistakes" | known "stress mistakes: no such mistake" "$tmp/patches"
}

# Suites and cases that a page names behind "KUnit:".
kunit_names()
{
	{ cases; suites; echo page_response; } | sort -u >"$tmp/kunit"
	find "$DOC" -name '*.rst' -print0 | xargs -0 cat |
		awk '/^   \* - KUnit:/ { on = 1 } /^     - / { on = 0 } on' |
		grep -oE '``[a-z0-9_]+``' | tr -d '`' |
		known "a page names a KUnit case that does not exist" "$tmp/kunit"
}

# Functions, files and the like that a page names: some file has to have the word.
names()
{
	literals | grep -E '^[a-z0-9_./-]+(\(\))?$' | grep -E '[_(]|\.(c|h|sh|rst|cocci|pml)$' |
		sed 's/()$//' | sort -u >"$tmp/names"
	git ls-files -co --exclude-standard 2>/dev/null >"$tmp/files" ||
		find . -type f -not -path './.git/*' -printf '%P\n' >"$tmp/files"
	grep -vE '^Documentation/|^README.md$' "$tmp/files" | tr '\n' '\0' |
		xargs -0 cat 2>/dev/null | tr -cs 'A-Za-z0-9_.' '\n' | sed 's/\.$//' | sort -u >"$tmp/words"
	{
		cat "$tmp/words"
		sed 's/\.[a-z]*$//' "$tmp/words"
		tr '.' '\n' <"$tmp/words"
		tr ' ' '\n' <<<"$OTHERS"
		counters
		# A path, and each of its ends.
		while read -r path; do
			printf '%s\n' "$path"
			while [[ $path == */* ]]; do
				printf '%s\n' "${path%/*}" "${path#*/}"
				path=${path#*/}
			done
		done <"$tmp/files"
	} | sort -u >"$tmp/known"
	while read -r name; do
		case $name in
		# /sys and the like; a tree's own files; ends of names.
		/*|drivers/*|arch/*|[0-9]*|_*) continue ;;
		esac
		printf '%s\n' "$name" "${name%/}" "${name#*.}" | grep -qxF -f - "$tmp/known" ||
			echo "a page names $name, which is not in the repository"
	done <"$tmp/names"
}

all()
{
	parameters iopf/*.c | equal parameters
	parameters drivers-glue/softacc/*.c | equal "softacc parameters"
	counters | equal counters
	columns requests | equal "columns of pasids"
	columns grpid | equal "columns of groups"
	owners | equal owners
	events | equal events
	messages iopf/*.c | equal "messages of the library"
	messages drivers-glue/intel-svm/*.c | equal "messages of the VT-d driver"
	options | equal options
	disturbances tests/stress | equal "stress disturbances"
	disturbances tests/random | equal "random disturbances"
	bench_scenarios | equal "bench scenarios"
	progress_scenarios | equal "progress scenarios"
	suites | equal suites
	model_mistakes | equal "model mistakes"
	vtd_checks | equal "VT-d checks"
	stress_mistakes | equal "stress mistakes"
	fixes | equal fixes
	kernels | equal kernels
	other_kernels
	configurations | equal configurations
	places | equal places
	commands
	mistakes
	kunit_names
	names
}

cd "$TOP"
export LC_ALL=C
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
found=$(all)
[ -n "$found" ] || exit 0
printf '%s\n' "$found"
exit 1
