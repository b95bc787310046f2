#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A daemon is killed under load, again and again, and comes back by itself.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

KILLS=${KILLS:-5}

# Stops the load for as long as a comparison takes, so that both sides of it
# tell of the same moment.
hold_load() {
	kill -STOP "$load_pid"
}

release_load() {
	kill -CONT "$load_pid"
}

kills() { # OF_FW1 OF_FW2
	start_pair "$1" "$2" Multicast
	background fw1 "$D/client.load" "$B/tools/ctload" -r 2000 -k 4000 \
		churn 1000000
	load_pid=$bg
	wait_until 20 count_is_at_least fw2 external 3000
	for ((i = 0; i < KILLS; i++)); do
		known_flows fw1 >"$D/known"
		kill -9 "$pid_fw1"
		# what ends meanwhile is seen by nobody
		wait_until 20 have_ended 200 fw1
		start_daemon fw1 "$(binary_of "$1")"
		wait_until 20 have_ended 3000 fw1
		hold_load
		wait_until 10 internal_is_kernel fw1
		ask fw1 -B
		wait_until 20 external_is_kernel fw2 fw1
		release_load
	done
}

count_is_at_least() { # NODE CACHE COUNT
	[ "$(count_of "$1" "$2")" -ge "$3" ]
}

@test "five kills under 2,000 new flows a second leave no trace" {
	kills ours ours
}

@test "killed at the replica, its external cache is filled again" {
	start_pair ours ours Multicast
	load fw1 insert 5000
	wait_until 20 count_is fw2 external 5000
	kill -9 "$pid_fw2"
	start_daemon fw2 "$CONNTRACKD"
	ask fw2 -n
	wait_until 20 external_is_kernel fw2 fw1
}
