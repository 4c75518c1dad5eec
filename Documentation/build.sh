#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# build.sh: the documentation as HTML, in the cache, with the API that the kernel
# tree's kernel-doc finds in the sources. Warnings are errors.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"

OUT=$IOPF_CACHE/docs

api()
{
	local file

	for file in include/linux/iopf.h iopf/*.c drivers-glue/softacc/softacc.h \
		    drivers-glue/forwarder/iopf_forward.h; do
		(cd "$TOP" && python3 "$tree/scripts/kernel-doc" -rst "$file" 2>/dev/null)
	done
}

build()
{
	rm -rf "$OUT/source"
	mkdir -p "$OUT"
	cp -r "$TOP/Documentation" "$OUT/source"
	api >"$OUT/source/api-generated.inc"
	/usr/bin/sphinx-build -q -W --keep-going -b html "$OUT/source" "$OUT/html"
}

need_packages python3-sphinx
"$TOP/drivers-glue/in-tree/build.sh" tree
tree=$("$TOP/drivers-glue/in-tree/build.sh" source)
run_logged "$IOPF_CACHE/log/docs.log" "building the documentation" build
say "the documentation: $OUT/html/index.html"
