#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Mode NOTRACK: nothing is acknowledged. Ours and the reference, on both sides.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

SECONDS_LONG=3
[ -z "${FULL:-}" ] || SECONDS_LONG=60

export LAB_MODE=NOTRACK

# No more than it must have.
minimal_conf() { # NODE
	cat >"$D/$1.conf" <<-END
		Sync {
			Mode NOTRACK {
			}
			Multicast {
				IPv4_address 225.0.0.50
				Group 3780
				IPv4_interface 192.168.100.${1#fw}
				Interface sync0
			}
		}
		General {
			LogFile $D/$1.log
			LockFile $D/$1.lock
			UNIX {
				Path $D/$1.sock
			}
		}
	END
}

# What we say a reference takes, and the reverse; and nothing is held.
nothing_is_malformed() {
	for node in fw1 fw2; do
		ask $node -s network >"$D/network.$node"
		sed "s/^/# $node: /" "$D/network.$node"
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
		[ -z "$(ask $node -s rsqueue)" ]
		run ! grep rsqueue <(ask $node -s queue)
	done
}

everyday() { # OF_FW1 OF_FW2
	case "$1 $2" in *ref*) need_reference ;; esac
	minimal_conf fw1
	minimal_conf fw2
	[ "$1" != ref ] || more_room fw1
	start_daemon fw1 "$(binary_of "$1")"
	start_daemon fw2 "$(binary_of "$2")"
	wait_until 10 have_met
	start_living fw1
	look_for $SECONDS_LONG fw1 fw2
	stop_living
	look fw1 fw2
	nothing_is_malformed
}

@test "every day: ours and ours" {
	full_only
	everyday ours ours
}

@test "every day: ours carries the traffic, the reference stands by" {
	full_only
	everyday ours ref
}

@test "every day: the reference carries the traffic, ours stands by" {
	everyday ref ours
}

# ---- a take-over ----

knows_stream() {
	external_has fw2 "tcp .*sport=$(stream_port tcp) .*ASSURED"
}

failover() { # OF_FW1 OF_FW2 LINK
	start_pair "$@"
	wait_until 10 have_met
	start_server
	start_stream tcp 10.2.0.10
	wait_until 20 knows_stream
	nothing_is_malformed
	kill -9 "$pid_fw1"
	lab_cut fw1
	for option in -c -f -R -B; do
		ask fw2 $option
		[ $option != -c ] || lab_vip fw2
	done
	wait_until 20 progressed tcp $(($(progress tcp) + 100))
	end_stream tcp
	kernel fw2 | grep "^tcp .*src=10.1.0.10 .*dst=10.2.0.1 "
}

@test "failover: ours to ours, UDP" {
	failover ours ours UDP
}

@test "failover: ours to the reference, Multicast" {
	failover ours ref Multicast
}

@test "failover: the reference to ours, UDP" {
	failover ref ours UDP
}

@test "failover: ours to ours, Multicast, IPv6" {
	full_only
	failover ours ours Multicast6
}

# ---- all at once ----

N=${N:-2000}
[ -z "${FULL:-}" ] || N=100000

# Flows that were there before the daemons, so that only a bulk tells them. The
# default buffer is enough for what ours sends; the reference sends all at once.
start_with_flows() { # OF_FW1 OF_FW2
	case "$1 $2" in *ref*) need_reference ;; esac
	[ -z "${FULL:-}" ] || lab_room $((N + N / 8))
	for node in fw1 fw2; do
		if [ "$1" = ref ]; then
			LAB_LIMIT=$((2 * N)) lab_conf $node UDP
		else
			minimal_conf $node
		fi
	done
	load fw1 -t 600 insert "$N" >/dev/null
	start_daemon fw1 "$(binary_of "$1")"
	wait_until 30 count_is fw1 internal "$N"
	start_daemon fw2 "$(binary_of "$2")"
	wait_until 10 have_met
}

all_known() {
	count_is fw2 external "$N" && external_is_kernel fw2 fw1
}

# Nodes of ours that have just met may be told all once more meanwhile.
is_flushed() {
	ask fw2 -f external
	count_is fw2 external 0
}

all_is_told() { # NODE OPTION
	local since_ms

	# it hears nothing while it does that, the reference for a long time
	wait_until 20 is_flushed
	since_ms=$(lab_now)
	ask "$1" "$2"
	wait_until $((40 + N / 1000)) all_known
	echo "# $N entries by $2 at $1: $(($(lab_now) - since_ms)) ms" >&3
	nothing_is_malformed
}

@test "the reference asks ours for all, and is sent all" {
	start_with_flows ours ref
	all_is_told fw2 -n
	all_is_told fw1 -B
}

@test "ours asks the reference for all, and is sent all" {
	start_with_flows ref ours
	all_is_told fw2 -n
	all_is_told fw1 -B
}

@test "ours are told all when they meet, and when they ask" {
	start_with_flows ours ours
	wait_until $((20 + N / 5000)) all_known
	all_is_told fw2 -n
	all_is_told fw1 -B
}

# ---- losses ----

@test "what is lost between ours is seen, told once, and made up for" {
	start_pair ours ours UDP
	wait_until 10 have_met
	lab_loss fw2 30
	load fw1 -t 600 insert 2000 >/dev/null
	wait_until 20 grep -q 'messages of it are lost' "$D/fw2.log"
	lab_loss fw2 0
	wait_until 60 external_is_kernel fw2 fw1
	wait_until 40 grep -q 'no messages of it are lost any more' "$D/fw2.log"
	[ "$(grep -c ' are lost$' "$D/fw2.log")" -eq 1 ]
	nothing_is_malformed
}
