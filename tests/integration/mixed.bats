#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Our daemon and the reference in one pair, for minutes (FULL) or for some
# seconds, under 200 new flows a second that change and end.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

STEADY_S=12
[ -z "${FULL:-}" ] || STEADY_S=180

# What is not said has its default.
mixed_conf() { # NODE LINK [LINE OF FTFW]
	{
		printf 'Sync {\nMode FTFW {\nPurgeTimeout 3\n%s\n}\n' "${3:-}"
		lab_link "$1" "$2"
		printf '}\n'
		LAB_FILTER=none lab_general "$1"
	} >"$D/$1.conf"
}

start_mixed() { # OF_FW1 OF_FW2 LINK LOSS
	need_reference
	for node in fw1 fw2; do
		mixed_conf $node "$3"
		lab_loss $node "$4"
	done
	start_both "$1" "$2"
}

# The backup commits what it has: its kernel then has all, translations too.
take_over() { # FROM TO [OPTION]...: what follows -c
	local from=$1 to=$2 option

	shift 2
	kernel_flows "$from" reply >"$D/before"
	for option in -c "$@"; do
		ask "$to" "$option"
	done
	kernel_flows "$to" reply >"$D/taken"
	kernel_flows "$from" reply >"$D/after"
	compare "$D/before" "$D/taken" "$D/after"
}

steady() { # OF_FW1 OF_FW2 LINK LOSS
	start_mixed "$@"
	start_living fw1
	look_for $STEADY_S fw1 fw2
	stop_living
	look fw1 fw2
	take_over fw1 fw2
}

@test "steady: ours is active, the reference backup, Multicast, 2 % loss" {
	steady ours ref Multicast 2
}

@test "steady: the reference is active, ours backup, UDP, 2 % loss" {
	steady ref ours UDP 2
}

@test "steady: ours is active, the reference backup, Multicast, 0 % loss" {
	full_only
	steady ours ref Multicast 0
}

@test "steady: ours is active, the reference backup, UDP, 0 % loss" {
	full_only
	steady ours ref UDP 0
}

@test "steady: ours is active, the reference backup, UDP, 2 % loss" {
	full_only
	steady ours ref UDP 2
}

@test "steady: the reference is active, ours backup, UDP, 0 % loss" {
	full_only
	steady ref ours UDP 0
}

@test "steady: the reference is active, ours backup, Multicast, 0 % loss" {
	full_only
	steady ref ours Multicast 0
}

@test "steady: the reference is active, ours backup, Multicast, 2 % loss" {
	full_only
	steady ref ours Multicast 2
}
