#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# patch-fixes.sh: writes each fix that a kernel tree needs as a mail for git am and
# prints the names of the files.
#
#   KERNEL  7.3 or 6.12: for Debian's sources of this series
#   KSRC    the user's own tree instead; it is only read
#   OUT     folder for the mails (default: one in the cache)
#
# git makes the mails: each is a commit of a temporary repository that has only the files
# of the fixes. The author is the committer that git is configured with.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/kernel.sh"
. "$(dirname "$0")/fixes.sh"

: "${KERNEL:=7.3}" "${KSRC:=}" "${OUT:=}"

git_here() { git -C "$tmp/new" "$@"; }

read_identity()
{
	local ident

	ident=$(git -C "$TOP" -c user.useConfigOnly=true var GIT_COMMITTER_IDENT 2>"$tmp/err") ||
		die "git does not know in whose name the mails are to be" \
		    "git config --global user.name and user.email say so" "$(cat "$tmp/err")"
	export GIT_AUTHOR_NAME=${ident%% <*}
	export GIT_AUTHOR_EMAIL=${ident#*<}
	GIT_AUTHOR_EMAIL=${GIT_AUTHOR_EMAIL%%>*}
	export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
	# The user's signatures, hooks and formats must not apply to this repository.
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
}

check_out()
{
	local path=$OUT

	[ ! -e "$OUT" ] || [ -d "$OUT" ] || die "OUT=$OUT is no folder"
	while [ ! -e "$path" ]; do
		path=$(dirname "$path")
	done
	[ -d "$path" ] || die "OUT=$OUT cannot be made: $path is no folder"
	[ -w "$path" ] || die "OUT=$OUT cannot be written: $path is not writable"
}

# Other mails in the folder would be applied by "git am OUT/*.patch", too.
check_others()
{
	local file

	for file in "$OUT"/[0-9][0-9][0-9][0-9]-*.patch; do
		[ ! -e "$file" ] || [ -e "$tmp/mails/${file##*/}" ] ||
			die "OUT=$OUT holds another mail: ${file##*/}" \
			    "remove it, or name an empty folder"
	done
}

# commit_fix NAME: makes the commit of a fix, on top of those before.
commit_fix()
{
	[ -s "$FIXES_DIR/$1.mail" ] || die "drivers-glue/fixes has no $1.mail"
	apply_fix "$1" "$tmp/new"
	git_here add --all
	git_here diff --cached --quiet ||
		git_here commit --quiet --signoff --file="$FIXES_DIR/$1.mail"
}

[ $# -eq 0 ] || die "usage: make patch-fixes [KERNEL=|KSRC=] [OUT=DIR]"
need_packages coccinelle git patch
if [ -n "$KSRC" ]; then
	DIR=${KSRC%/}
	name=user-$(printf %s "$DIR" | sha1sum | cut -c 1-8)
else
	case $KERNEL in
	6.12|7.3) ;;
	*) die "KERNEL=$KERNEL is unknown" "KERNEL=7.3 or KERNEL=6.12, or KSRC=DIR for your own tree" ;;
	esac
	DIR=$("$TOP/drivers-glue/in-tree/fetch.sh" "$KERNEL")
	name=$KERNEL
fi
check_kernel "$DIR"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
ours=
if [ -z "$OUT" ]; then
	ours=1
	OUT=$IOPF_CACHE/patches/$name
fi
check_out
read_identity

mkdir "$tmp/new" "$tmp/mails"
names=$(fix_names "$DIR" without-library)
for fix in $names; do
	copy_unfixed "$fix" "$tmp/new"
done
git_here init --quiet --initial-branch=fixes
git_here add --all
git_here commit --quiet --message="${DIR##*/}"
git_here tag before
for fix in $names; do
	commit_fix "$fix"
done
git_here format-patch --quiet --no-signature --output-directory="$tmp/mails" before..fixes
[ -n "$ours" ] || check_others
mails=$(find "$tmp/mails" -type f -printf '%f\n' | sort)
if [ -z "$mails" ]; then
	say "$DIR needs none of the fixes"
	exit
fi
[ -z "$ours" ] || rm -rf "$OUT"
mkdir -p "$OUT"
cp "$tmp"/mails/* "$OUT/"
say "fixes to ${DIR##*/}, in the form of git am:"
while read -r mail; do
	echo "$OUT/$mail"
done <<<"$mails"
