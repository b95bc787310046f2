#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Mode ALARM: what is told is told again and again, and goes when it is not.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

SECONDS_LONG=0
[ -z "${FULL:-}" ] || SECONDS_LONG=180

alarm_conf() { # NODE LINK [OPTION]...
	local node=$1 link=$2

	shift 2
	{
		printf 'Sync {\nMode ALARM {\n'
		printf '%s\n' "$@"
		printf '}\n'
		lab_link "$node" "$link"
		printf '}\n'
		lab_general "$node"
	} >"$D/$node.conf"
}

start_alarm() { # OF_FW1 OF_FW2 LINK [OPTION]...
	local of1=$1 of2=$2 link=$3

	case "$1 $2" in *ref*) need_reference ;; esac
	shift 3
	for node in fw1 fw2; do
		alarm_conf $node "$link" "$@"
	done
	start_daemon fw1 "$(binary_of "$of1")"
	start_daemon fw2 "$(binary_of "$of2")"
}

nothing_is_malformed() {
	for node in fw1 fw2; do
		ask $node -s network >"$D/network"
		cat "$D/network"
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
		[ "$(network_stat $node 'Packets lost')" -eq 0 ]
	done
}

# ---- every day: no more than the name of the mode ----

everyday() { # OF_FW1 OF_FW2 LINK
	start_alarm "$@"
	start_living fw1
	look_for $SECONDS_LONG fw1 fw2
	stop_living
	look fw1 fw2
	nothing_is_malformed
}

@test "ALARM every day: ours and ours, Multicast" {
	everyday ours ours Multicast
}

@test "ALARM every day: ours carries the traffic, the reference stands by, UDP" {
	everyday ours ref UDP
}

@test "ALARM every day: the reference carries the traffic, ours stands by, Multicast" {
	everyday ref ours Multicast
}

@test "ALARM every day: ours and ours, UDP over IPv6" {
	full_only
	everyday ours ours UDP6
}

@test "ALARM every day: ours carries the traffic, the reference stands by, Multicast" {
	full_only
	everyday ours ref Multicast
}

@test "ALARM every day: the reference carries the traffic, ours stands by, UDP" {
	full_only
	everyday ref ours UDP
}

# ---- what is told again stays, what is not goes ----

expires_within() { # SECONDS
	external fw2 >"$D/external"
	! grep -v "\[expires in [0-9]*s\] \[active since [0-9]*s\]$" \
		"$D/external" || return 1
	awk -v most="$1" '{
		match($0, /expires in [0-9]*/)
		left = substr($0, RSTART + 11, RLENGTH - 11)
		if (left > most)
			exit 1
	}' "$D/external"
}

# The node that has them was started when they were there, so nothing but their
# repetition tells of them.
repeated() { # OF_FW1 OF_FW2 LINK
	load fw1 -n insert 1000
	start_alarm "$@" 'RefreshTime 1' 'CacheTimeout 4'
	wait_until 10 count_is fw2 external 1000
	sleep 6 # longer than an entry lives that is not repeated
	count_is fw2 external 1000
	expires_within 4
	ask fw2 -n
	ask fw1 -B
	nothing_is_malformed
	kill -9 "$pid_fw1"
	[ "$(count_of fw2 external)" -gt 0 ] # not yet
	wait_until 20 count_is fw2 external 0
}

@test "ALARM: entries stay while they are repeated, and go with who repeats: ours" {
	full_only
	repeated ours ours Multicast
}

@test "ALARM: entries stay while they are repeated, and go with who repeats: ours at the reference" {
	full_only
	repeated ours ref UDP
}

@test "ALARM: entries stay while they are repeated, and go with who repeats: the reference at ours" {
	repeated ref ours UDP
}

# ---- the primary dies ----

fw2_knows_it() {
	external_has fw2 "tcp .*sport=$(stream_port tcp4) .*ASSURED"
}

failover() { # OF_FW1 OF_FW2 LINK
	start_alarm "$@" 'RefreshTime 5' 'CacheTimeout 30'
	start_server
	start_stream tcp4 10.2.0.10
	wait_until 20 fw2_knows_it
	nothing_is_malformed
	kill -9 "$pid_fw1"
	lab_cut fw1
	ask fw2 -c
	lab_vip fw2
	for option in -f -R -B; do
		ask fw2 $option
	done
	wait_until 20 progressed tcp4 $(($(progress tcp4) + 100))
	end_stream tcp4
	kernel fw2 >"$D/table"
	cat "$D/table"
	grep -q "^tcp .*src=10.1.0.10 .*dst=10.2.0.1 " "$D/table"
	run ! grep "can't be committed" "$D/fw2.log"
}

@test "ALARM failover: ours to ours, Multicast" {
	full_only
	failover ours ours Multicast
}

@test "ALARM failover: ours to the reference, UDP" {
	failover ours ref UDP
}

@test "ALARM failover: the reference to ours, Multicast" {
	full_only
	failover ref ours Multicast
}
