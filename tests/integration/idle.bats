#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# When nothing happens next to nothing is done, whatever the table holds; what
# may end in silence is found all the same. (The CPU time is in `make bench`.)

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

N=20000

sleeps_of() { # PID: how often it has slept
	awk '/^voluntary/ { print $2 }' "/proc/$1/status"
}

# Three times a second are to be expected: its announcement, the other's, and
# what is checked every second. Locks of the kernel may make it sleep, too, and
# nodes say more while one owes the other an answer: five are allowed.
slept_rarely() { # NODE: in five seconds
	local pid=pid_$1 before

	before=$(sleeps_of "${!pid}")
	sleep 5
	echo "# $1: $(($(sleeps_of "${!pid}") - before)) times in 5 s" >&3
	[ $(($(sleeps_of "${!pid}") - before)) -le 25 ]
}

@test "idle nodes wake up a few times a second" {
	# known by a dump at fw1, by the peer at fw2, by events at both
	load fw1 -t 3600 insert $N
	lab_conf fw1 Multicast
	lab_conf fw2 Multicast
	start_both ours ours
	load fw1 -t 3600 -f 1000000 insert 1000
	load fw2 -t 3600 -f 2000000 insert 1000
	wait_until 20 count_is fw2 external $((N + 1000))
	wait_until 20 count_is fw1 external 1000
	wait_until 30 slept_rarely fw1
	wait_until 30 slept_rarely fw2
}

@test "flows that began while nobody listened end in silence, and are found" {
	[ "$(lab_in fw1 cat /proc/sys/net/netfilter/nf_conntrack_events)" -eq 2 ] ||
		skip "a kernel that reports all ends"
	load fw1 -t 3600 insert 300
	start_pair ours ours Multicast
	wait_until 10 count_is fw2 external 300
	load fw1 delete 200
	# 50 in the first second, twice as many in each one after it
	wait_until 20 count_is fw1 internal 100
	wait_until 10 external_is_kernel fw2 fw1
}
