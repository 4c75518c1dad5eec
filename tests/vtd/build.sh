# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# build.sh: builds the model with the driver's sources, for the scripts here. Sourced
# after lib.sh, never run.

VTD=$TOP/tests/vtd
PRQ=drivers-glue/intel-svm
FLAGS=(-O1 -g -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all
	-fno-omit-frame-pointer
	-Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -DCONFIG_IOPF_QUEUE
	-I "$VTD/stubs" -I "$VTD")

# driver_sources DIR: prints all sources except those that access registers. DIR is a
# copy of our sources.
driver_sources()
{
	find "$1/$PRQ" -name '*.c' -not -name driver.c | sort
}

# compile COMPILER DIR OBJECTS SOURCE...: compiles with the driver's headers of DIR.
compile()
{
	local compiler=$1 dir=$2 objects=$3 source

	shift 3
	mkdir -p "$objects"
	for source; do
		"$compiler" "${FLAGS[@]}" -I "$dir/include" -I "$dir/$PRQ" \
			-c -o "$objects/$(basename "$source" .c).o" "$source"
	done
}

# build_ring OBJECTS PROGRAM: builds the program that runs fixed seeds and replays
# inputs.
build_ring()
{
	# shellcheck disable=SC2046
	compile gcc "$TOP" "$1" "$VTD"/*.c $(driver_sources "$TOP")
	gcc "${FLAGS[@]}" -o "$2" "$1"/*.o
}
