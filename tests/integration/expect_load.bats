#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Expectations by the ten thousands: 10,000 a second for five seconds, each of a
# master of its own, arrive at the peer, over links that lose messages too.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/expect.bash
. "$BATS_TEST_DIRNAME/expect.bash"

N=50000
RATE=10000

teardown() {
	local status=$?

	expect_room_restore
	[ -n "${BATS_TEST_COMPLETED:-}" ] || tell_numbers
	lab_down
	return $status
}

tell_numbers() {
	ask fw1 -s expect
	ask fw2 -s expect
	ask fw2 -s network
}

many() { # ACTION [OPTION]...
	local action=$1

	shift
	lab_in fw1 "$B/tools/ctload" -r $RATE -n "$@" "$action" $N >"$D/load"
	sed "s/^/# $action: /" "$D/load" >&3
}

is_complete() {
	kernel_expects fw1 >"$D/want"
	cache_expects fw2 -e >"$D/got"
	same_lines "$D/want" "$D/got"
}

burst() { # OF_FW1 OF_FW2 MODE LOSS_PERCENT
	local since_ms

	full_only
	lab_room $((2 * N))
	expect_room $((3 * N))
	start_expecting "$1" "$2" UDP "$3" commit
	lab_loss fw1 "$4"
	lab_loss fw2 "$4"
	many insert -h
	wait_until 60 count_is fw2 external $N
	many expect
	since_ms=$(lab_now)
	wait_until 60 expected_count_is fw2 external $N
	echo "# all there $(($(lab_now) - since_ms)) ms after the last one" >&3
	is_complete
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
	# and into the kernel
	ask fw2 -c
	kernel_expects fw2 >"$D/got"
	same_lines "$D/want" "$D/got"
	# what is withdrawn ends at the peer
	many unexpect
	wait_until 60 expected_count_is fw2 external 0
}

@test "10,000 expectations a second: ours to ours" {
	burst ours ours FTFW 0
}

@test "10,000 expectations a second: ours to ours, 5 % lost" {
	burst ours ours FTFW 5
}

@test "10,000 expectations a second: ours to ours, NOTRACK" {
	burst ours ours NOTRACK 0
}

@test "10,000 expectations a second: ours to the reference" {
	burst ours ref FTFW 0
}

@test "10,000 expectations a second: ours to the reference, 5 % lost" {
	burst ours ref FTFW 5
}

@test "10,000 expectations a second: the reference to ours" {
	burst ref ours FTFW 0
}
