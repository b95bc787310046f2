#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# kill -9 at random moments: at start, in a dump, a commit, a bulk, under
# load, of either daemon. Each starts again without help, and afterwards both
# sides hold what the other's kernel has.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

KILLS=${KILLS:-10}
[ -z "${FULL:-}" ] || KILLS=100
SEED=${SEED:-$RANDOM}

# Sleeps up to 255 ms: the moment is the point of this test.
a_moment() {
	sleep "0.$((RANDOM % 250 + 5))"
}

# Kills a node amid what is asked of it. $2: start, load, or an option
kill_amid() { # NODE WHAT
	local pid=pid_$1 client=''

	case $2 in
	start)
		kill -9 "${!pid}"
		wait_until 10 gone "${!pid}"
		lab_in "$1" "$CONNTRACKD" -C "$D/$1.conf" -d \
			>"$D/$1.start" 2>&1 3>&- </dev/null &
		client=$!
		a_moment
		lab_kill "$1" KILL || :
		wait "$client" || :
		;;
	load)
		a_moment
		kill -9 "${!pid}"
		;;
	*)
		ask "$1" "$2" >/dev/null 2>&1 3>&- </dev/null &
		client=$!
		a_moment
		kill -9 "${!pid}"
		wait "$client" || :
		;;
	esac
	lab_kill "$1" KILL || :
	wait_until 10 no_daemon "$1"
	start_daemon "$1" "$CONNTRACKD"
}

gone() { # PID
	[ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"
}

no_daemon() { # NODE
	! lab_daemon_pid "$1" >/dev/null
}

count_is_at_least() { # NODE CACHE COUNT
	[ "$(count_of "$1" "$2")" -ge "$3" ]
}

both_complete() {
	internal_is_kernel fw1 && external_is_kernel fw2 fw1
}

kills_of() { # NODE WHAT...
	local node=$1 load_pid what

	shift
	echo "seed $SEED"
	RANDOM=$SEED
	start_pair ours ours Multicast
	background fw1 "$D/client.load" "$B/tools/ctload" -r 1000 -k 4000 \
		churn 10000000
	load_pid=$bg
	wait_until 20 count_is_at_least fw2 external 3000
	for ((i = 1; i <= KILLS; i++)); do
		what=${*:RANDOM % $# + 1:1}
		echo "kill $i amid $what"
		kill_amid "$node" "$what"
		[ $((i % 10)) -eq 0 ] || [ "$i" -eq "$KILLS" ] || continue
		kill -STOP "$load_pid"
		wait_until 20 both_complete
		kill -CONT "$load_pid"
	done
	echo "# $KILLS kills of $node, seed $SEED" >&3
}

@test "the sender is killed at random points: both sides equal afterwards" {
	kills_of fw1 start -i -B -s load load
}

@test "the receiver is killed at random points: both sides equal afterwards" {
	kills_of fw2 start -e -n -s load
}

# What it had committed is in the kernel, and is nobody's entry twice.
@test "killed amid a commit, the rest can be committed later" {
	RANDOM=$SEED
	start_pair ours ours Multicast
	load fw1 insert 20000
	wait_until 20 count_is fw2 external 20000
	for ((i = 0; i < KILLS / 4; i++)); do
		kill_amid fw2 -c
		wait_until 20 count_is fw2 external 20000
	done
	wait_until 20 internal_is_kernel fw2
	ask fw2 -c
	[ "$(kernel fw2 | grep -c 'dport=80\b')" -eq 20000 ]
	wait_until 20 internal_is_kernel fw2
}
