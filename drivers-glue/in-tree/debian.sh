# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Debian packages of other suites, without changes to the system: a second apt root in the
# cache, with the mirrors that the system uses, whose indexes are verified with the Debian
# archive keyring. Sourced after lib.sh.

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# For systems that know no mirror of Debian, such as Ubuntu
DEFAULT_MIRROR=http://deb.debian.org/debian

# Prints the addresses of the archive and of the security archive that the system uses.
# stable-security is listed as "bookworm-security" or (oldstable) by suite name.
debian_mirrors()
{
	apt-get indextargets --format '$(REPO_URI) $(SUITE)' \
		'Created-By: Packages' 'Origin: Debian' 2>/dev/null |
	awk '$2 ~ /-security$/ { security = $1; next }
	     $2 !~ /-backports/ && !main { main = $1 }
	     END { print main, security }'
}

debian_apt()
{
	local root=$IOPF_CACHE/apt verb=$1

	shift
	"apt-$verb" -q -o "Dir::Etc::SourceList=$root/sources.list" \
		-o Dir::Etc::SourceParts=/dev/null \
		-o "Dir::State::Lists=$root/lists" \
		-o "Dir::Cache=$root" \
		-o "Dir::State::status=$root/status" \
		-o APT::Sandbox::User= \
		-o APT::Install-Recommends=false "$@"
}

# debian_update: creates the second apt root and reads the indexes, at most once a day.
debian_update()
{
	local root=$IOPF_CACHE/apt main security suite hint

	command -v apt-get >/dev/null ||
		die "this system has no apt-get to fetch kernel sources and QEMU from Debian" \
		    "give your own: KSRC=/path/to/linux QEMU=/path/to/qemu-system-x86_64"
	[ -r "$KEYRING" ] || need_packages debian-archive-keyring
	if [ -n "$(find "$root/updated" -mmin -1440 2>/dev/null)" ]; then
		return
	fi
	read -r main security < <(debian_mirrors)
	if [ -z "$main" ] && [ "$(id -u)" -eq 0 ]; then
		# shellcheck disable=SC2034
		hint="apt-get update fails for this system's own packages, too"
		run_logged "$IOPF_CACHE/log/apt-update.log" \
			"reading the system's package lists" apt-get -q update
		read -r main security < <(debian_mirrors)
	fi
	if [ -z "$main" ]; then
		main=$DEFAULT_MIRROR
		say "notice: apt knows no mirror of Debian here, using $main"
	fi

	mkdir -p "$root/lists/partial" "$root/archives/partial"
	: >"$root/status"
	for suite in trixie trixie-backports; do
		echo "deb [signed-by=$KEYRING] $main $suite main"
	done >"$root/sources.list"
	if [ -n "$security" ]; then
		for suite in trixie-security bookworm-security; do
			echo "deb [signed-by=$KEYRING] $security $suite main"
		done >>"$root/sources.list"
	fi
	# shellcheck disable=SC2034
	hint="$main cannot be reached; KSRC=DIR and QEMU=PROGRAM need no mirror"
	run_logged "$IOPF_CACHE/log/apt-update.log" \
		"reading package lists of trixie, its backports and security" \
		debian_apt get -o APT::Update::Error-Mode=any update
	touch "$root/updated"
}

# debian_newest PACKAGE: prints the newest version in any of the suites.
debian_newest()
{
	debian_apt cache madison "$1" | awk -F ' *[|] *' '{ print $2 }' | sort -uV | tail -n 1
}

# debian_download PACKAGE VERSION DIR: downloads the .deb, verified by apt, to DIR.
debian_download()
{
	mkdir -p "$3"
	(cd "$3" && debian_apt get download "$1=$2")
}
