#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# DisableExternalCache: what a peer tells is in the kernel at once, and nothing
# that was put there comes back.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

FLOWS=tests/integration/attributes.flows

direct_conf() { # NODE LINK
	lab_conf "$1" "$2"
	sed -i 's/CommitTimeout .*/DisableExternalCache yes/' "$D/$1.conf"
}

start_direct() { # OF_FW1 OF_FW2 LINK
	case "$1 $2" in *ref*) need_reference ;; esac
	direct_conf fw1 "$3"
	direct_conf fw2 "$3"
	start_both "$1" "$2"
}

kernel_has() { # NODE PATTERN
	kernel "$1" | grep -Eq "$2"
}

kernel_count_is() { # NODE COUNT
	[ "$(kernel "$1" | wc -l)" -eq "$2" ]
}

same_kernels() { # as for addresses, ports and translation
	kernel fw1 | tuples >"$D/kernel.fw1"
	kernel fw2 | tuples >"$D/kernel.fw2"
	same_lines "$D/kernel.fw1" "$D/kernel.fw2"
}

counter() { # NODE NAME
	ask "$1" -s counters | awk -v n="conntrackd_$2" '$1 == n { print $2 }'
}

no_malformed() {
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
}

# ---- every day ----

# fw1's kernel, and fw2's that follows it: like look() of living.bash, with the
# kernel of fw2 in place of a cache.
follow_after() { # SECONDS
	kernel_flows fw2 reply >"$D/earlier"
	kernel_flows fw1 reply >"$D/before"
	sleep "$1"
	kernel_flows fw2 reply >"$D/follower"
	kernel_flows fw1 reply >"$D/after"
	compare "$D/before" "$D/follower" "$D/after" "$D/earlier" >"$D/look"
}

everyday() { # OF_FW1 OF_FW2
	start_direct "$1" "$2" Multicast
	start_living fw1
	wait_until $((3 * LIFE_S)) some_live_again fw1
	patiently follow_after
	stop_living
	patiently follow_after
	[ "$2" = ref ] || count_is fw2 internal 0
	no_malformed
}

@test "inject: every day: ours and ours" {
	everyday ours ours
}

@test "inject: every day: ours carries the traffic, the reference stands by" {
	everyday ours ref
}

@test "inject: every day: the reference carries the traffic, ours stands by" {
	everyday ref ours
}

# The primary dies; nobody commits anything.
failover() { # OF_FW1 OF_FW2 LINK
	start_direct "$@"
	start_server
	start_stream tcp4 10.2.0.10
	start_stream tcp6 fd00:2::10
	start_stream udp 10.2.0.10 -u
	for port in $(stream_port tcp4) $(stream_port tcp6) $(stream_port udp); do
		wait_until 20 kernel_has fw2 "sport=$port .*ASSURED"
	done
	no_malformed
	kill -9 "$pid_fw1"
	lab_cut fw1
	lab_vip fw2
	for name in tcp4 tcp6 udp; do
		wait_until 20 progressed $name $(($(progress $name) + 100))
		end_stream $name
	done
}

@test "inject: failover without a commit, ours to ours" {
	failover ours ours UDP
}

@test "inject: failover without a commit, ours to the reference" {
	failover ours ref UDP
}

@test "inject: failover without a commit, the reference to ours" {
	failover ref ours Multicast
}
