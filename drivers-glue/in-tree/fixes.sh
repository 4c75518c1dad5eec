# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# FIXES=1: fixes to known bugs of a kernel tree, as semantic patches in drivers-glue/fixes.
# Sourced, after lib.sh and kernel.sh, by scripts that set DIR, the tree.
#
# NAME.cocci names the files that it changes in lines "// Files: PATH...". It has two modes:
#   -D patch    make the fix
#   -D present  mark with a star a place in a file that has the whole fix
# "present" has to find its place in each of these files, before or after "patch".
#
# The changes to a file are kept in the tree as a patch, so that they can be reverted even
# if the file was edited elsewhere meanwhile.

FIXES_DIR=$TOP/drivers-glue/fixes
FIXES_RECORD=drivers/iommu/iopf/.fixes

# fix_names DIR [without-library]: prints the fixes for this tree, in order; with
# "without-library" only those that do not need the library. A version that was not tested,
# which FORCE=1 allows, gets the fixes of the newest tested one.
fix_names()
{
	local series name kind

	series=$FIXES_DIR/series-$(kernel_version "$1")
	[ -e "$series" ] ||
		series=$(printf '%s\n' "$FIXES_DIR"/series-* | sort -V | tail -n 1)
	while read -r name kind _; do
		case $name in
		''|\#*) continue ;;
		esac
		case $kind in
		'') ;;
		library) [ "${2:-}" != without-library ] || continue ;;
		*) die "${series#"$TOP/"} says $kind of $name: it may say library" ;;
		esac
		[ -e "$FIXES_DIR/$name.cocci" ] ||
			die "${series#"$TOP/"} names $name, which is not in drivers-glue/fixes"
		echo "$name"
	done <"$series"
}

fix_files()
{
	sed -n 's,^// Files: *,,p' "$FIXES_DIR/$1.cocci" | tr -s ' ' '\n'
}

# Prints the files of the tree that have fixes.
recorded_files()
{
	[ ! -d "$DIR/$FIXES_RECORD" ] ||
		(cd "$DIR/$FIXES_RECORD" && find . -name '*.patch' -printf '%P\n') |
			sed 's/\.patch$//'
}

# unfixed FILE TO: writes FILE as it was before all fixes to TO.
unfixed()
{
	local patch=$DIR/$FIXES_RECORD/$1.patch

	mkdir -p "$(dirname "$2")"
	cp "$DIR/$1" "$2"
	[ -e "$patch" ] || return 0
	need_packages patch
	patch --quiet --reverse --force --no-backup-if-mismatch -r - "$2" "$patch" >/dev/null ||
		die "the fixes cannot be taken out of ${SHOWN:-$DIR}/$1: it was edited there" \
		    "undo this by hand, then remove the file: $patch"
}

# has_fix NAME FILE: true if FILE has the fix.
has_fix()
{
	local found

	found=$(semantic_patch "$2" -D present --sp-file "$FIXES_DIR/$1.cocci") || exit 1
	[ -n "$found" ]
}

# apply_fix NAME TO: applies the fix to its files in TO.
apply_fix()
{
	local name=$1 to=$2 file needed=0

	for file in $(fix_files "$name"); do
		has_fix "$name" "$to/$file" && continue
		needed=1
		semantic_patch "$to/$file" -D patch --in-place \
			--sp-file "$FIXES_DIR/$name.cocci" >/dev/null
		has_fix "$name" "$to/$file" ||
			die "the fix $name does not know this tree's $file" \
			    "see Documentation/fixes.rst; without FIXES=1 the library goes in as it is"
	done
	[ $needed = 1 ] || say "notice: ${SHOWN:-$DIR} does not need the fix $name"
}

# copy_unfixed NAME TO: copies the files of a fix, without fixes, to TO, unless they are
# there.
copy_unfixed()
{
	local file

	for file in $(fix_files "$1"); do
		[ ! -e "$2/$file" ] || continue
		[ -f "$DIR/$file" ] ||
			die "the fix $1 is for $file, which ${SHOWN:-$DIR} does not have" \
			    "see Documentation/fixes.rst; without FIXES=1 the library goes in as it is"
		unfixed "$file" "$2/$file"
	done
}

# prepare_fixes TO: writes the files that fixes change to TO/old, without fixes, and to
# TO/new, with fixes if FIXES=1. If that fails, the tree is unchanged.
prepare_fixes()
{
	local to=$1 names file name

	mkdir -p "$to/old" "$to/new"
	for file in $(recorded_files); do
		[ ! -f "$DIR/$file" ] || unfixed "$file" "$to/old/$file"
	done
	names=
	if [ "${FIXES:-0}" = 1 ]; then
		need_packages coccinelle patch
		names=$(fix_names "$DIR")
	fi
	for name in $names; do
		copy_unfixed "$name" "$to/old"
	done
	cp -a "$to/old/." "$to/new"
	for name in $names; do
		apply_fix "$name" "$to/new"
	done
}

# install_fixes FROM: installs in the tree what prepare_fixes has written.
install_fixes()
{
	local from=$1 file patch

	(cd "$from/new" && find . -type f -printf '%P\n') | while read -r file; do
		cmp -s "$from/new/$file" "$DIR/$file" || replace_file "$DIR/$file" "$from/new/$file"
		patch=$DIR/$FIXES_RECORD/$file.patch
		rm -f "$patch"
		! cmp -s "$from/old/$file" "$from/new/$file" || continue
		mkdir -p "$(dirname "$patch")"
		diff -u --label "a/$file" --label "b/$file" "$from/old/$file" \
			"$from/new/$file" >"$patch" || true
	done
	[ ! -d "$DIR/$FIXES_RECORD" ] || find "$DIR/$FIXES_RECORD" -depth -type d -empty -delete
}
