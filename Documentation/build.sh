#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: builds the documentation as HTML, in the cache. Pages include text that is
# generated from the sources, by lines ".. include:: /generated/...":
#
#   FILE/doc/A-title.inc  the block "DOC: A title" of FILE
#   FILE/export.inc       the kernel-doc comments of the functions that FILE exports
#   FILE/all.inc          all kernel-doc comments of FILE except its DOC blocks
#   make-help.inc         what "make help" prints
#   mutants/DIR.inc       a table of the patches of DIR, with the text above their hunks
#
# kernel-doc is the kernel tree's. Its warnings and those of Sphinx are errors. So is a
# DOC block that does not exist, and a DOC block or an exported function of the library
# that no page includes.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

OUT=$IOPF_CACHE/docs
PAGES=$TOP/Documentation
INCLUDE='^\.\. include:: /generated/'

# includes: what the pages include of the generated text.
includes()
{
	find "$PAGES" -name '*.rst' -print0 |
		xargs -0 sed -nE "s|$INCLUDE(.*)\.inc\$|\1|p" | sort -u
}

# titles FILE: the titles of the DOC blocks of FILE.
titles()
{
	sed -nE 's|^ \* DOC: (.*)$|\1|p' "$TOP/$1"
}

# kernel_doc FILE OPTION...
kernel_doc()
{
	local file=$1

	shift
	(cd "$TOP" && python3 "$tree/scripts/kernel-doc" -rst -Wall -Werror "$@" "$file")
}

wrong()
{
	printf 'error: %s\n' "$*" >&2
	errors=$((errors + 1))
}

# source_file FILE: false, with a message, if a page names a file that does not exist.
source_file()
{
	[ -f "$TOP/$1" ] || { wrong "a page includes text of $1, which does not exist"; return 1; }
}

doc_block()
{
	local file=$1 title=${2//-/ }

	source_file "$file" || return 0
	if ! titles "$file" | grep -qxF "$title"; then
		wrong "$file has no block \"DOC: $title\", which a page includes"
		return 0
	fi
	kernel_doc "$file" -function "$title" || wrong "kernel-doc: $file, \"DOC: $title\""
}

functions_of()
{
	source_file "$1" || return 0
	kernel_doc "$@" || wrong "kernel-doc: $1"
}

# The paragraphs above the hunks of the patches of tests/DIR, as rows of a table.
mutants()
{
	local patch

	printf '.. list-table::\n   :header-rows: 1\n   :widths: 25 75\n\n   * - name\n     - mistake, and what has to notice it\n'
	for patch in "$TOP/tests/$1"/*.patch; do
		printf '   * - ``%s``\n' "$(basename "$patch" .patch)"
		# No markup there: the text is that of a mail. Bare names of functions stay as they are.
		sed '/^--- a\//,$d' "$patch" | sed -E 's/[`*|\\]/\\&/g; s/([a-z0-9])_(\W|$)/\1\\_\2/g' |
			awk 'BEGIN { ORS = "" }
			     /^$/ { gap = 1; next }
			     { print (NR == 1 ? "     - " : gap ? "\n\n       " : " ") $0; gap = 0 }
			     END { print "\n" }'
	done
	echo
}

# include NAME: the text of the include file NAME.
include()
{
	case $1 in
	make-help) printf '::\n\n'; make -s -C "$TOP" help | sed 's/^/   /' ;;
	mutants/*) mutants "${1#mutants/}" ;;
	*/doc/*) doc_block "${1%/doc/*}" "${1#*/doc/}" ;;
	*/export) functions_of "${1%/export}" -export ;;
	*/all) functions_of "${1%/all}" -no-doc-sections ;;
	*) wrong "a page includes $1.inc, which build.sh does not know" ;;
	esac
}

# What the library has to say and no page shows.
left_out()
{
	local file title

	while read -r file; do
		while read -r title; do
			grep -qxF "$file/doc/${title// /-}" <<<"$1" ||
				wrong "no page includes \"DOC: $title\" of $file"
		done < <(titles "$file")
		! grep -q '^EXPORT_SYMBOL' "$TOP/$file" || grep -qxF "$file/export" <<<"$1" ||
			wrong "no page includes the functions that $file exports"
	done < <(cd "$TOP" && printf '%s\n' iopf/*.[ch])
}

generate()
{
	local name names

	names=$(includes)
	while read -r name; do
		mkdir -p "$(dirname "$OUT/source/generated/$name")"
		include "$name" >"$OUT/source/generated/$name.inc"
	done <<<"$names"
	left_out "$names"
}

build()
{
	errors=0
	rm -rf "$OUT/source" "$OUT/html"
	mkdir -p "$OUT"
	cp -r "$PAGES" "$OUT/source"
	generate
	/usr/bin/sphinx-build -q -W --keep-going -b html "$OUT/source" "$OUT/html" ||
		wrong "Sphinx has warnings"
	[ "$errors" = 0 ]
}

need_packages python3-sphinx make
"$TOP/drivers-glue/in-tree/build.sh" tree
tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
run_logged "$IOPF_CACHE/log/docs.log" "building the documentation" build
say "the documentation: $OUT/html/index.html"
