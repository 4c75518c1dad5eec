# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The Debian packages that scripts need. Sourced by lib.sh.

# What shows that a package is installed, on systems without dpkg: a command or a file.
# They have other names for most packages.
declare -A EVIDENCE=(
	[binutils]=nm
	[busybox-static]=/bin/busybox
	[coccinelle]=spatch
	[debian-archive-keyring]=/usr/share/keyrings/debian-archive-keyring.gpg
	[gnuplot-nox]=gnuplot
	[kmod]=depmod
	[libc6-dev]=/usr/include/stdio.h
	[libcap-dev]=/usr/include/sys/capability.h
	[libclang-rt-dev]=clang
	[libelf-dev]=/usr/include/gelf.h
	[libssl-dev]=/usr/include/openssl/ssl.h
	[python3-sphinx]=sphinx-build
	[xz-utils]=xz
)

# What a kernel, the modules and a guest need. Scripts ask for it at once, so that an
# administrator is asked once.
# shellcheck disable=SC2034
FOR_GUESTS=(gcc libc6-dev make flex bison bc libelf-dev libssl-dev kmod cpio perl python3
	    xz-utils busybox-static)

# is_installed PACKAGE
is_installed()
{
	local evidence=${EVIDENCE[$1]:-$1}

	if command -v dpkg-query >/dev/null; then
		dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
	elif [[ $evidence == /* ]]; then
		[ -e "$evidence" ]
	else
		command -v "$evidence" >/dev/null
	fi
}

# need_packages PACKAGE...: installs Debian packages that are missing on the host, or dies
# with their names if it may not.
need_packages()
{
	local missing=() pkg sudo=() hint

	for pkg; do
		is_installed "$pkg" || missing+=("$pkg")
	done
	[ ${#missing[@]} -gt 0 ] || return 0

	if ! command -v apt-get >/dev/null; then
		for pkg in "${!missing[@]}"; do
			missing[pkg]="${missing[pkg]} (${EVIDENCE[${missing[pkg]}]:-${missing[pkg]}})"
		done
		die "this is no Debian system, and what these packages of Debian have is missing:" \
		    "${missing[@]}" "install the same from this system's packages, then continue"
	fi
	if [ "$(id -u)" -ne 0 ]; then
		sudo -n true 2>/dev/null ||
			die "Debian packages are missing: ${missing[*]}" \
			    "as root: apt-get install ${missing[*]}"
		sudo=(sudo -n)
	fi
	# shellcheck disable=SC2034
	hint="or as root, when the mirror can be reached: apt-get install ${missing[*]}"
	run_logged "$IOPF_CACHE/log/apt-install.log" \
		"installing Debian packages: ${missing[*]}" \
		install_packages "${missing[@]}"
}

# Called by run_logged; uses "sudo" of need_packages.
# shellcheck disable=SC2154
install_packages()
{
	export DEBIAN_FRONTEND=noninteractive
	"${sudo[@]}" apt-get -q update || true
	# Another run may be installing, too.
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -qy -o DPkg::Lock::Timeout=600 --no-install-recommends install "$@"
}
