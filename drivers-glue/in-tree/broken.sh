# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Deliberate mistakes in the library (mutants): patches to its sources in tests/mutants, or
# in the folder that MUTANTS names. A paragraph in each says what is wrong and which test
# has to detect it. Sourced.

: "${MUTANTS:=$TOP/tests/mutants}"
# The sources that go into a kernel tree.
SOURCES=(iopf drivers-glue/intel-svm tests/kunit include)

mutant_names()
{
	find "$MUTANTS" -name '*.patch' -printf '%f\n' | sed 's/\.patch$//' | sort
}

check_mutant_name()
{
	[[ $1 =~ ^[a-z0-9-]+$ && -f $MUTANTS/$1.patch ]] ||
		die "BROKEN=$1 is unknown" "the names are those of the patches in ${MUTANTS#"$TOP/"}"
}

# copy_sources DIR: copies the sources to DIR.
copy_sources()
{
	mkdir -p "$1"
	(cd "$TOP" && cp -a --parents "${SOURCES[@]}" "$1")
}

# break_sources NAME DIR: makes the mistake NAME in DIR, a copy of the sources. The patch has
# to apply exactly: otherwise it might make another mistake than its paragraph describes.
break_sources()
{
	local said

	check_mutant_name "$1"
	need_packages patch
	if ! said=$(LC_ALL=C patch --directory="$2" --strip=1 --fuzz=0 --force \
			--no-backup-if-mismatch --reject-file=- <"$MUTANTS/$1.patch" 2>&1) ||
	   grep -qE '^Hunk .*(offset|fuzz)' <<<"$said"; then
		die "${MUTANTS#"$TOP/"}/$1.patch does not apply exactly: the code has changed" \
		    "make refresh-mutants follows code that has moved" "$said"
	fi
	! unchanged_sources "$2" ||
		die "${MUTANTS#"$TOP/"}/$1.patch changes nothing"
}

# unchanged_sources DIR: true if the sources in DIR are those of the repository.
unchanged_sources()
{
	local dir

	for dir in "${SOURCES[@]}"; do
		diff -rq "$TOP/$dir" "$1/$dir" >/dev/null || return 1
	done
}
