#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Both nodes under load, both ways: once it stops, each external cache is the
# other's table, whatever the link lost meanwhile.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

N=5000
[ -z "${FULL:-}" ] || N=20000

both_externals_are() { # COUNT
	count_is fw1 external "$1" && count_is fw2 external "$1"
}

# Where the two stand, for a test that has failed.
tell() {
	for node in fw1 fw2; do
		echo "$node: $(count_of $node internal) internal," \
			"$(count_of $node external) external"
		ask $node -s network
	done
	return 1
}

# The statistics first: a dump only when the numbers are right.
both_complete() { # COUNT
	both_externals_are "$1" && external_is_kernel fw2 fw1 &&
		external_is_kernel fw1 fw2
}

both_load() { # ARGUMENT...
	background fw1 "$D/client.load1" "$B/tools/ctload" -r 5000 "$@"
	local first=$bg
	background fw2 "$D/client.load2" "$B/tools/ctload" -r 5000 \
		-f 1000000 "$@"
	wait "$first" "$bg"
}

# Each node's ten are told again, as updates, until the other has them.
both_have_met() {
	both_externals_are 10 && return
	mark=$((mark + 1))
	load fw1 -m $mark update 10
	load fw2 -f 1000000 -m $mark update 10
	return 1
}

# The two get to know each other before anything is lost: a reference that
# hears the HELLO of a peer forgets what it still owes it (10 of 20,000 entries
# were missing in every second run of two references). That may be these, too.
meet() {
	local mark=0

	load fw1 insert 10
	load fw2 -f 1000000 insert 10
	wait_until 20 both_have_met || tell
	load fw1 delete 10
	load fw2 -f 1000000 delete 10
	wait_until 20 both_externals_are 0 || tell
}

no_malformed() { # OF_FW1 OF_FW2: at the references
	[ "$1" != ref ] || [ "$(network_stat fw1 'Malformed messages')" -eq 0 ]
	[ "$2" != ref ] || [ "$(network_stat fw2 'Malformed messages')" -eq 0 ]
}

complete() { # OF_FW1 OF_FW2 LINK LOSS
	start_pair "$1" "$2" "$3"
	meet
	lab_loss fw1 "$4"
	lab_loss fw2 "$4"
	both_load insert $N
	wait_until 30 both_complete $N || tell
	both_load -m 7 update $((N / 4))
	both_load delete $((N / 4))
	wait_until 30 both_complete $((N - N / 4)) || tell
	no_malformed "$1" "$2"
}

@test "complete: ours and ours, no loss" {
	complete ours ours Multicast 0
}

@test "complete: ours and ours, 5 % loss, Multicast" {
	complete ours ours Multicast 5
}

@test "complete: ours and ours, 5 % loss, UDP" {
	complete ours ours UDP 5
}

@test "complete: ours and the reference, no loss" {
	complete ours ref Multicast 0
}

@test "complete: ours and the reference, 5 % loss" {
	complete ours ref Multicast 5
}

@test "complete: the reference and ours, 5 % loss" {
	complete ref ours UDP 5
}

ip6_count() { # NODE COUNTER
	lab_in "$1" sed -n "s/^Ip6$2[[:space:]]*//p" /proc/net/snmp6
}

ip6_sent() { # NODE COUNT
	[ "$(ip6_count "$1" OutRequests)" -ge "$2" ]
}

@test "complete: over IPv6, Multicast, 5 % loss" {
	complete ours ours Multicast6 5
	before=$(ip6_count fw1 OutRequests)
	ask fw1 -B
	wait_until 20 ip6_sent fw1 $((before + N / 100))
	# full datagrams fit the MTU, headers included
	[ "$(ip6_count fw1 FragCreates)" -eq 0 ]
}

@test "complete: over IPv6, UDP, ours and the reference" {
	complete ours ref UDP6 0
}

@test "complete: over IPv6, Multicast, the reference and ours" {
	complete ref ours Multicast6 0
}
