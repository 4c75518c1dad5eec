#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# test-stat.sh: in the guest, checks what the fault queue reports: debugfs files,
# iopfstat, trace events, messages. Their figures must be right.
DEBUGFS=/sys/kernel/debug/iopf
TRACING=/sys/kernel/tracing
LATENCY=/sys/module/iopf/parameters/latency
number=0
failed=0

check()
{
	number=$((number + 1))
	name=$1
	shift
	if "$@" >/tmp/check 2>&1; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		sed 's/^/# /' /tmp/check
		failed=1
	fi
}

# value FILE NAME
value()
{
	awk -v name="$2" '$1 == name { print $2 }' "$1"
}

work()
{
	test-sva -r sva.groups.anonymous >/dev/null
}

# Print the columns of iopfstat by their names in its header.
column()
{
	awk -v wanted="$1" -v line="$2" '
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i - NF; next }
		$0 ~ line { print $(NF + at[wanted]) }' /tmp/stat
}

# at_least COLUMN LINE RATE: one of these lines has at least RATE.
at_least()
{
	column "$1" "$2" | awk -v rate="$3" '$1 > rate { n++ } END { exit !n }'
}

# Expect a line with the average number of groups by the counters, however fast the
# machine is, and a latency within the histogram. Several processes have a PASID one
# after the other, so each PASID's lines have a part of the groups.
live()
{
	while :; do work; done &
	worker=$!
	groups=$(value "$stats" groups)
	read -r start _ </proc/uptime
	iopfstat -p -1 "$device" 1 4 >/tmp/stat
	groups=$(($(value "$stats" groups) - groups))
	read -r end _ </proc/uptime
	kill "$worker"
	wait
	cat /tmp/stat
	half=$(awk -v n="$groups" -v t0="$start" -v t1="$end" 'BEGIN { print n / (t1 - t0) / 2 }')
	echo "$groups groups, twice $half each second"
	[ "$groups" -gt 0 ] && at_least grp/s "^$device +[0-9]" "$half" &&
		at_least succ/s "^$device +[0-9]" "$half" &&
		column p99us "^$device +[0-9]" | awk '$1 > 1 && $1 < 4e6 { n++ } END { exit !n }' &&
		at_least grp/s "pasid [0-9]+ " "$(awk -v half="$half" 'BEGIN { print half / 5 }')"
}

# Each line is an object, and the counts are those of the device.
objects()
{
	while :; do work; done &
	worker=$!
	iopfstat -p -j "$device" 1 4 >/tmp/stat
	kill "$worker"
	wait
	cat /tmp/stat
	figure='([0-9]+([.][0-9]+)?|null|"-")'
	! grep -vE "^\{\"uptime\":$figure,\"seconds\":$figure,\"device\":\"$device\"(,\"[a-z0-9_]+\":$figure)+\}$" /tmp/stat &&
		grep -qE '"pasid":null.*"groups":[1-9].*"p99_us":[1-9]' /tmp/stat &&
		grep -qE '"pasid":[0-9]+.*"groups":[1-9].*"p99_us":[1-9]' /tmp/stat
}

turned_off_again()
{
	[ "$(cat "$LATENCY")" = N ]
}

# Latencies are not counted while that is off, and each response is while it is on.
histogram()
{
	before=$(awk '/^latency/ { for (i = 2; i <= NF; i++) n += $i; print n }' "$stats")
	responses=$(($(value "$stats" success) + $(value "$stats" invalid)))
	work
	off=$(awk '/^latency/ { for (i = 2; i <= NF; i++) n += $i; print n }' "$stats")
	counted=$(($(value "$stats" success) + $(value "$stats" invalid)))
	echo Y >"$LATENCY"
	work
	echo N >"$LATENCY"
	after=$(awk '/^latency/ { for (i = 2; i <= NF; i++) n += $i; print n }' "$stats")
	now=$(($(value "$stats" success) + $(value "$stats" invalid)))
	echo "latencies $before $off $after, responses $responses $counted $now"
	[ "$before" = "$off" ] && [ "$counted" -gt "$responses" ] &&
		[ $((after - off)) = $((now - counted)) ]
}

they_wait()
{
	[ -s /tmp/asleep ] || return 1
	pasid=$(cat /tmp/asleep)
	awk -v pasid="$pasid" '
		$1 == pasid { nr++; have[$4]++; old += $5 >= 500 && $5 < 60000 }
		END { exit !(nr == 20 && have["worker"] >= 16 &&
			     have["queued"] == 20 - have["worker"] && old == 20) }' "$DEBUGFS"/*/"$device"/groups &&
		awk -v pasid="$pasid" '
			$1 == pasid && $8 == 20 && $10 >= 16 && $9 == 20 - $10 { found = 1 }
			END { exit !found }' "$DEBUGFS"/*/"$device"/pasids
}

# Groups that wait are listed with their age and owner: 16 pages have a sleeping worker,
# and the 4 remaining groups follow one, or a few less if a worker was not seen asleep.
waiting()
{
	asleep 20 >/tmp/asleep &
	sleeper=$!
	status=1
	# They time out after 10 s.
	for _ in $(seq 80); do
		usleep 100000
		! they_wait || { status=0; break; }
	done
	cat "$DEBUGFS"/*/"$device"/groups "$DEBUGFS"/*/"$device"/pasids
	kill "$sleeper"
	wait
	return "$status"
}

# Groups of a device that has one at a time find a polling worker, if that is enabled.
polling()
{
	parameter=/sys/module/iopf/parameters/poll_us
	huge=/sys/kernel/mm/transparent_hugepage/enabled
	usual=$(cat "$parameter")
	pages=$(sed 's/.*\[\(.*\)\].*/\1/' "$huge")
	# Small pages, so that there are many groups
	echo never >"$huge"
	echo 0 >"$parameter"
	before=$(value "$stats" polled)
	test-sva -r sva.single.anonymous >/dev/null
	off=$(value "$stats" polled)
	echo 1000 >"$parameter"
	# With debug checks or on a busy machine most polls may find nothing.
	for attempt in $(seq 50); do
		test-sva -r sva.single.anonymous >/dev/null
		on=$(value "$stats" polled)
		[ $((on - off)) -lt 10 ] || break
	done
	! echo 1001 >"$parameter" || return 1
	echo "$usual" >"$parameter"
	echo "$pages" >"$huge"
	echo "polled $before $off $on in $attempt attempts"
	[ "$off" = "$before" ] && [ $((on - off)) -ge 10 ]
}

queue_is_the_sum()
{
	for queue in "$DEBUGFS"/*; do
		for key in requests groups success; do
			sum=0
			for file in "$queue"/*/stats; do
				[ -e "$file" ] || continue
				sum=$((sum + $(value "$file" "$key")))
			done
			echo "$queue $key $sum $(value "$queue/stats" "$key")"
			[ "$sum" = "$(value "$queue/stats" "$key")" ] || return 1
		done
	done
}

# Each event of a group, with its fields
events()
{
	echo >"$TRACING/trace"
	echo 1 >"$TRACING/events/iopf/enable"
	test-groups -r groups.one_response_for_all >/dev/null
	test-groups -r groups.deadline >/dev/null
	test-groups -r groups.stop_marker >/dev/null
	echo 0 >"$TRACING/events/iopf/enable"
	grep iopf_ "$TRACING/trace" | head -n 40
	for event in \
		"iopf_report: $device pasid=[0-9]* grpid=65536 addr=0x[0-9a-f]*000 perm=-w" \
		"iopf_complete: $device pasid=[0-9]* grpid=65536 requests=8" \
		"iopf_handle: $device pasid=[0-9]* grpid=65536 requests=8" \
		"iopf_respond: $device pasid=[0-9]* grpid=65536 addr=0x[0-9a-f]*000 code=success age=[0-9]* us" \
		"iopf_timeout: $device pasid=[0-9]* grpid=65536 requests=1" \
		"iopf_respond: .* code=success age=[0-9]*[0-9]\{6\} us" \
		"iopf_discard: $device pasid=[0-9]* grpid=65536 requests=1"
	do
		grep -q "$event" "$TRACING/trace" || { echo "missing: $event"; return 1; }
	done
}

messages()
{
	dmesg -c >/dev/null
	test-groups -r groups.pasid_not_bound >/dev/null
	test-groups -r groups.deadline >/dev/null
	dmesg
	dmesg | grep -q "$device: page request group 65536 of PASID 1048574 refused" &&
		dmesg | grep -q "$device: page request group 65536 of PASID [0-9]* still waits for its pages"
}

bad_arguments()
{
	for arguments in -x "1 2 3 4" 0 00 . 1.2.3 "1 0" "1 2.5" "none 1 1"; do
		# shellcheck disable=SC2086
		timeout 5 iopfstat $arguments
		case $? in
		1|2) ;;
		*) return 1 ;;
		esac
	done
	! IOPF_DEBUGFS=/none iopfstat 1 1
}

for stats in "$DEBUGFS"/*/softacc*/stats; do
	device=$(basename "$(dirname "$stats")")
done
echo "1..10"
check "iopfstat shows a device and a PASID at work" live
check "iopfstat writes objects for programs" objects
check "iopfstat leaves the measuring off" turned_off_again
check "latencies are measured when they are to be" histogram
check "groups that wait are shown" waiting
check "workers wait for the next group, and only if they are to" polling
check "a queue's counters are the sum of its devices'" queue_is_the_sum
check "trace events" events
check "messages name device and PASID" messages
check "iopfstat refuses nonsense" bad_arguments
exit $failed
