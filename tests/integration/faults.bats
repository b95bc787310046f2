#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A bad line: a relay between the two loses, repeats, delays and damages what
# they say. Once the load stops, each external cache is the other's table.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

N=${N:-$([ -n "${FULL:-}" ] && echo 20000 || echo 5000)}
RATE=${RATE:-10000}
SEED=${SEED:-$RANDOM}

both_externals_are() { # COUNT
	count_is fw1 external "$1" && count_is fw2 external "$1"
}

both_complete() { # COUNT
	both_externals_are "$1" && external_is_kernel fw2 fw1 &&
		external_is_kernel fw1 fw2
}

both_load() { # ARGUMENT...
	background fw1 "$D/client.load1" "$B/tools/ctload" -r "$RATE" "$@"
	local first=$bg
	background fw2 "$D/client.load2" "$B/tools/ctload" -r "$RATE" \
		-f 1000000 "$@"
	wait "$first" "$bg"
}

# Says how long it took, for the margin of the limits.
took() { # WHAT SINCE_MS
	echo "# $1: complete after $(($(lab_now) - $2)) ms, seed $SEED" >&3
}

# Two with a relay between them, who know each other.
start_with_relay() { # LINK
	echo "seed $SEED"
	lab_relay "$SEED"
	wait_until 10 grep -q forwarding "$D/relay"
	start_pair ours ours "$1"
	load fw1 insert 10
	load fw2 -f 1000000 insert 10
	wait_until 20 both_externals_are 10
	load fw1 delete 10
	load fw2 -f 1000000 delete 10
	wait_until 20 both_externals_are 0
}

relay_counts() {
	kill -TERM "$lab_relay_pid"
	wait "$lab_relay_pid" || :
	tail -n 1 "$D/relay"
}

lossy() { # PERCENT LIMIT
	start_with_relay Multicast
	lab_faults loss "$1"
	both_load insert "$N"
	local since_ms
	since_ms=$(lab_now)
	wait_until "$2" both_complete "$N"
	took "$1 % loss, $N entries each" "$since_ms"
	both_load -m 7 update $((N / 4))
	both_load delete $((N / 4))
	wait_until "$2" both_complete $((N - N / 4))
	relay_counts
}

@test "1 % loss both ways: complete" {
	lossy 1 30
}

@test "5 % loss both ways: complete" {
	lossy 5 30
}

@test "20 % loss both ways: complete" {
	lossy 20 30
}

@test "40 % loss both ways: complete" {
	lossy 40 60
}

# The last mark that was set is the one that counts, on either side.
marks_are() { # NODE MARK COUNT
	[ "$(external "$1" | grep -c "mark=$2\b")" -eq "$3" ]
}

confused() {
	both_load insert "$N"
	for mark in 2 3 4 5; do
		both_load -m $mark update $((N / 4))
	done
	both_load delete $((N / 8))
}

@test "reordered, repeated and damaged at once: no stale state, errors counted" {
	start_with_relay Multicast
	lab_faults reorder 25 spread 20 duplicate 10 biterror 1 delay 1
	confused
	local since_ms
	since_ms=$(lab_now)
	wait_until 60 both_complete $((N - N / 8))
	took "reorder 25 %, duplicates 10 %, bit errors 1 %" "$since_ms"
	# what was deleted stays so, what was changed has the last mark
	for node in fw1 fw2; do
		wait_until 20 marks_are $node 5 $((N / 4 - N / 8))
		marks_are $node 4 0
		[ "$(network_stat $node 'Packets before')" -gt 0 ]
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
	relay_counts
}

# Without checksums, as of a bad memory: what damage did, a bulk puts right.
@test "damage that no checksum shows: alive, counted, and a bulk repairs it" {
	start_with_relay Multicast
	lab_faults reorder 25 spread 20 duplicate 10 biterror 3 truncate 2 seen 1
	confused
	lab_faults
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -gt 0 ]
	done
	wait_until 20 ask fw1 -B
	ask fw2 -B
	local since_ms
	since_ms=$(lab_now)
	wait_until 60 both_complete $((N - N / 8))
	took "after damage, by bulk" "$since_ms"
	for node in fw1 fw2; do
		marks_are $node 5 $((N / 4 - N / 8))
		marks_are $node 4 0
	done
	relay_counts
}

@test "the interface goes down and up, is deleted and made again, changes MTU" {
	start_pair ours ours Multicast
	both_load insert 1000
	wait_until 20 both_complete 1000
	ip -n "${P}fw1" link set sync0 down
	both_load -m 7 update 500
	ip -n "${P}fw1" link set sync0 up
	wait_until 30 both_complete 1000
	wait_until 20 marks_are fw2 7 500
	for mtu in 576 9000 68 1500; do
		for node in fw1 fw2; do
			ip -n "$P$node" link set sync0 mtu $mtu
		done
		both_load -m $((mtu + 7)) update 500
		# 68 octets: below what multicast works with on some kernels
		[ $mtu -eq 68 ] || wait_until 30 marks_are fw2 $((mtu + 7)) 500
	done
	ip -n "${P}fw1" link del sync0
	both_load delete 500
	lab_sync_link 0
	wait_until 30 both_complete 500
	both_load -f 5000 insert 100
	wait_until 30 both_complete 600
}
