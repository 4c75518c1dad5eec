#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# one-by-one.sh PROGRAM...: in the guest, runs each test of the programs by itself with
# a time limit of its own, so that one test that hangs or crashes the program is one
# line. For the kernel's own fault queue, on which some fail:
#
#	make guest IMPL=upstream CMD='guest-setup.sh one-by-one.sh test-groups' ...
#
# Prints lines "pass|fail|hang TEST", and why it failed.

# Print the third column of the list.
tests()
{
	"$1" -l 2>&1 | awk '/^(#|-)/ { next } { name = substr($0, 48) } name != "" { print name }'
}

for program; do
	for test in $(tests "$program"); do
		timeout -s KILL 60 "$program" -t "$test" >/tmp/output 2>&1
		case $? in
		0) result=pass ;;
		137) result=hang ;;
		*) result=fail ;;
		esac
		grep -q "^ok.*# SKIP" /tmp/output && result=skip
		echo "$result $test"
		[ $result = pass ] ||
			grep -E ':(Expected|one more|no response)' /tmp/output | head -n 4
	done
done
