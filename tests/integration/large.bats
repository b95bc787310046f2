#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A large table that is there before the daemon: it is read at start, goes to
# an empty peer as a bulk, and into the kernel there.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

N=${N:-100000}
[ -z "${FULL:-}" ] || N=1000000
LIMIT_S=$((20 + N / 10000))

rss_bytes() { # NODE
	local pid=pid_$1

	awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/${!pid}/status"
}

# At most 128 bytes for each entry beyond what an empty daemon has.
is_small() { # NODE ENTRIES
	local each=$((($(rss_bytes "$1") - empty_bytes) / $2))

	echo "# $1: $each bytes for each of $2 entries" >&3
	has_asan || [ "$each" -le 128 ]
}

took() { # WHAT SINCE_MS
	echo "# $1: $(($(lab_now) - $2)) ms" >&3
}

# What the daemon told of its turns when it ended. The bound is 20 ms of CPU
# time; a machine that is shared is slower.
turns_are_short() { # NODE
	local below_us longest_us

	read -r below_us longest_us <<<"$(sed -n \
		's/.* below \([0-9]*\) us .* longest \([0-9]*\) us.*/\1 \2/p' \
		"$D/$1.log")"
	echo "# $1: turns of the loop: 99.9 % below $below_us us," \
		"the longest $longest_us us" >&3
	has_asan || {
		[ "$below_us" -lt $((60000 * LAB_SLOW)) ] &&
			[ "$longest_us" -lt $((100000 * LAB_SLOW)) ]
	}
}

all_equal() {
	internal_is_kernel fw1 && external_is_kernel fw2 fw1
}

@test "a large table is there at start, goes to an empty peer, is committed" {
	local since_ms empty_bytes node

	lab_room $((N + N / 8))
	for node in fw1 fw2; do
		LAB_LIMIT=$((2 * N)) lab_conf $node Multicast
		# with 2 the entries would never report an end
		lab_ctl $node net.netfilter.nf_conntrack_events=1
	done
	lab_in fw1 "$B/tools/ctload" -n -t 36000 insert "$N" >"$D/load"
	start_daemon fw2 "$CONNTRACKD"
	empty_bytes=$(rss_bytes fw2)

	since_ms=$(lab_now)
	start_daemon fw1 "$CONNTRACKD"
	took "start" "$since_ms"
	[ "$(count_of fw1 internal)" -eq "$N" ]

	since_ms=$(lab_now)
	wait_until "$LIMIT_S" count_is fw2 external "$N"
	took "bulk" "$since_ms"
	is_small fw1 "$N"
	is_small fw2 "$N"
	wait_until "$LIMIT_S" all_equal

	since_ms=$(lab_now)
	ask fw2 -c
	took "commit" "$since_ms"
	grep -q "Committed $N new entries" "$D/fw2.log"
	wait_until 60 internal_is_kernel fw2
	# it has them in both caches now
	is_small fw2 $((2 * N))
	[ "$(grep -c ERROR "$D"/fw1.log)" -eq 0 ]
	[ "$(grep -c ERROR "$D"/fw2.log)" -eq 0 ]

	for node in fw1 fw2; do
		ask $node -k
		turns_are_short $node
	done
}
