#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# refresh-mutants.sh [NAME...]: writes the patches in tests/mutants and
# tests/vtd/mutants again where the lines around a mistake have moved or changed
# slightly. Prints those that must be made by hand: change the sources, put "diff -up"
# of them below the paragraph, and undo the change.
set -euo pipefail
. "$(dirname "$0")/../drivers-glue/in-tree/lib.sh"
. "$(dirname "$0")/../drivers-glue/in-tree/broken.sh"

failed=0

# Print the paragraph, and the difference between a/ and b/.
print_patch()
{
	local text file

	text=$(cat "$MUTANTS/$1.patch")
	printf '%s\n\n' "${text%%$'\n\n--- a/'*}"
	(cd "$tmp/a" && find . -type f -printf '%P\n' | sort) | while read -r file; do
		diff -up --label "a/$file" --label "b/$file" "$tmp/a/$file" "$tmp/b/$file" || true
	done
}

refresh()
{
	local name=$1 said

	check_mutant_name "$name"
	rm -rf "$tmp/b"
	copy_sources "$tmp/b"
	if ! said=$(LC_ALL=C patch --directory="$tmp/b" --strip=1 --force \
			--no-backup-if-mismatch --reject-file=- <"$MUTANTS/$name.patch" 2>&1) ||
	   unchanged_sources "$tmp/b"; then
		printf '%s has to be made by hand:\n%s\n' "$name" "$said"
		failed=1
		return
	fi
	print_patch "$name" >"$tmp/new"
	cmp -s "$tmp/new" "$MUTANTS/$name.patch" && return
	cat "$tmp/new" >"$MUTANTS/$name.patch"
	if grep -q '^Hunk .*fuzz' <<<"$said"; then
		echo "$name is refreshed; look at it, for lines around the mistake have changed"
	else
		echo "$name is refreshed"
	fi
}

for name; do
	[ -f "$TOP/tests/mutants/$name.patch" ] || [ -f "$TOP/tests/vtd/mutants/$name.patch" ] ||
		die "$name is no deliberate mistake" \
		    "the names are those of the patches in tests/mutants and tests/vtd/mutants"
done
need_packages patch
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
copy_sources "$tmp/a"
for MUTANTS in "$TOP/tests/mutants" "$TOP/tests/vtd/mutants"; do
	for name in $(mutant_names); do
		if [ $# -eq 0 ] || [[ " $* " == *" $name "* ]]; then
			refresh "$name"
		fi
	done
done
exit $failed
