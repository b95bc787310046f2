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

STEADY_S=12 ROUNDS=1
[ -z "${FULL:-}" ] || STEADY_S=180 ROUNDS=3

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

# The backup commits what it has: its kernel then has all, translations too. What
# lived at the last look may have ended since, and its end may be lost and not yet
# sent again: that is no zombie.
take_over() { # FROM TO [OPTION]...: what follows -c
	local from=$1 to=$2 option

	shift 2
	cut -f 1 "$D/before" | sort >"$D/recent"
	kernel_flows "$from" reply >"$D/before"
	for option in -c "$@"; do
		ask "$to" "$option"
	done
	kernel_flows "$to" reply >"$D/taken"
	kernel_flows "$from" reply >"$D/after"
	cut -f 1 "$D/taken" | sort | comm -23 - "$D/recent" >"$D/strangers"
	compare "$D/before" "$D/taken" "$D/after" "$D/strangers"
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

# ---- one takes the place of the other ----

gone() { # PID
	[ ! -e "/proc/$1" ]
}

stop() { # NODE SIGNAL
	local pid=pid_$1

	kill "-$2" "${!pid}"
	wait_until 10 gone "${!pid}"
}

# Another daemon at the same address: scripts stop the one, start the other, and
# ask for what the active node has.
replace() { # NODE OTHER
	stop "$1" TERM
	start_daemon "$1" "$(binary_of "$2")"
	ask "$1" -n
}

has_no_flows() { # NODE
	[ -z "$(kernel "$1")" ]
}

# As failover scripts do it; flows go on at the new node.
fail_over() { # FROM TO
	stop_living
	look "$1" "$2"
	take_over "$1" "$2" -f -R -B
	start_living "$2"
	ask "$1" -t
	ask "$1" -n
	wait_until 15 has_no_flows "$1"
	look "$2" "$1"
}

# Both are upgraded while flows live, and downgraded again. No flow is lost, none
# is taken over that has ended, none with another state, mark or translation.
roll() { # FROM TO LINK LOSS
	start_mixed "$1" "$1" "$3" "$4"
	start_living fw1
	look_for 0 fw1 fw2
	for kind in "$2" "$1"; do
		replace fw2 "$kind"
		look fw1 fw2
		fail_over fw1 fw2
		replace fw1 "$kind"
		look fw2 fw1
		# what two of the reference do is measured elsewhere
		[ "$kind" = "$2" ] || [ "$1" = "$2" ] || break
		fail_over fw2 fw1
	done
}

@test "rolling upgrade and downgrade under load, UDP, 2 % loss" {
	roll ref ours UDP 2
}

@test "rolling upgrade and downgrade under load, Multicast, 0 % loss" {
	full_only
	roll ref ours Multicast 0
}

# It keeps all as well: that is what the two above are measured by.
@test "rolling restart of the reference alone, UDP, 2 % loss" {
	full_only
	roll ref ref UDP 2
}

@test "rolling restart of the reference alone, Multicast, 0 % loss" {
	full_only
	roll ref ref Multicast 0
}

@test "a reference takes the place of a backup of ours" {
	start_mixed ours ours UDP 0
	start_living fw1
	look_for 0 fw1 fw2
	replace fw2 ref
	look fw1 fw2
}

@test "our backup starts beside an active reference, 2 % loss" {
	start_mixed ref ours UDP 2
	start_living fw1
	look_for 0 fw1 fw2
	for ((i = 0; i < ROUNDS; i++)); do
		replace fw2 ours
		look fw1 fw2
	done
}

# What its own internal cache does not have. That may be wrong itself: it misses
# what happens while it starts.
zombies_after() { # SECONDS ACTIVE BACKUP
	external "$3" | flows >"$D/earlier"
	internal "$2" | flows >"$D/before"
	sleep "$1"
	external "$3" | flows >"$D/external"
	internal "$2" | flows >"$D/after"
	ONLY=zombies compare "$D/before" "$D/external" "$D/after" \
		"$D/earlier" >"$D/look"
}

# What ends while it is down, it does not tell.
@test "the active reference starts anew: what it does not tell again goes" {
	start_mixed ref ours UDP 0
	start_living fw1
	look_for 0 fw1 fw2
	for ((i = 0; i < ROUNDS; i++)); do
		known_flows fw1 >"$D/known"
		stop fw1 KILL
		wait_until 20 have_ended 50 fw1
		start_daemon fw1 "$REFERENCE"
		ask fw1 -B
		# with the end of its bulk, or of one that ours asks for, ten
		# seconds after the one before at the earliest
		LAGS='4 12 24' patiently zombies_after fw1 fw2
	done
}

has_all() { # ACTIVE BACKUP: what was there before
	external "$2" | flows >"$D/external"
	kernel_flows "$1" >"$D/after"
	ONLY=missing compare "$D/before" "$D/external" "$D/after" >"$D/look"
}

# When a node has said this, in seconds, a line each.
times_of() { # NODE TEXT
	sed -n "s/^\[\([^]]*\)\].*$2.*/\1/p" "$D/$1.log" | date -f - +%s
}

@test "StartupResync: the reference serves our backup at once, and once" {
	need_reference
	mixed_conf fw1 UDP
	mixed_conf fw2 UDP 'StartupResync on'
	start_both ref ours
	start_living fw1
	look_for 0 fw1 fw2
	for ((i = 0; i <= ROUNDS; i++)); do
		stop fw2 TERM
		start_daemon fw2 "$CONNTRACKD"
		kernel_flows fw1 >"$D/before"
		wait_until 20 has_all fw1 fw2
	done
	# what ours asks for later, for what a reference forgets at a HELLO, is
	# not counted
	times_of fw2 'resync requested' >"$D/asked"
	times_of fw1 'sending bulk' >"$D/served"
	look fw1 fw2
	paste "$D/asked" "$D/served"
	[ "$(wc -l <"$D/asked")" -eq $((ROUNDS + 2)) ]
	[ "$(wc -l <"$D/served")" -eq $((ROUNDS + 2)) ]
	paste "$D/asked" "$D/served" | awk '$2 - $1 > 2 { exit 1 }'
}
