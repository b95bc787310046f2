#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What the kernel refuses at a commit: it is tried another way where there is
# one, told once for each reason where there is none, and the rest goes in.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

FILL=5000000 # numbers of entries that only take room

add() { # NODE LINE...: see tests/tools/attrs.h
	local node=$1

	shift
	printf '%s synproxy=0x0,0x0,0x0\n' "$@" | lab_in "$node" "$B/tools/ctset" add
}

table() { # NODE
	lab_in "$1" "$B/tools/ctset" dump
}

times_logged() { # NODE TEXT
	grep -c "$2" "$D/$1.log" || :
}

# A commit that has come to its end is a success, or no cluster manager would
# fail over. What was refused is told on stderr.
commits() { # STATUS
	run --separate-stderr "-$1" within 30 ip netns exec "${P}fw2" \
		"$CONNTRACKD" -C "$D/fw2.conf" -c
	[ -z "$output" ]
	output=$stderr
}

@test "a full table: told once, and the rest goes in when there is room" {
	local max committed=0 refused

	lab_lock -x
	max=$(</proc/sys/net/netfilter/nf_conntrack_max)
	[ "$max" -le 1000000 ] || skip "nf_conntrack_max is $max: too much to fill"
	# with 2 the kernel never tells the end of what begins unheard
	lab_ctl fw2 net.netfilter.nf_conntrack_events=1
	lab_in fw2 "$B/tools/ctload" -f $FILL insert $((max - 1000))
	LAB_LIMIT=$((max + 10000)) lab_conf fw1 Multicast
	LAB_LIMIT=$((max + 10000)) lab_conf fw2 Multicast
	load fw1 insert 5000
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	wait_until 20 count_is fw2 external 5000

	commits 0
	committed=$(sed -n 's/.*Committed \([0-9]*\) new.*/\1/p' "$D/fw2.log")
	refused=$((5000 - committed))
	echo "# $committed went in, $refused were refused" >&3
	[ "$committed" -ge 990 ] && [ "$committed" -lt 1100 ]
	[ "$(times_logged fw2 'commit-')" -eq 1 ]
	grep -q "commit-create: Cannot allocate memory ($refused entries)" \
		"$D/fw2.log"
	[[ $output == *"$refused entries can't be committed: commit-create: Cannot allocate memory ($refused)" ]]
	[ "$(grep -c "$refused entries can't be committed" "$D/fw2.log")" -eq 1 ]

	# the daemon goes on: what changes arrives
	load fw1 -m 7 update 10
	wait_until 20 external_has fw2 'mark=7\b'

	load fw2 -f $FILL delete 6000
	commits 0
	[ "$(kernel fw2 | grep -c 'dport=80\b')" -eq \
		$((max - 7000 + 5000)) ]
	# a busy machine may miss events: it repairs after 30 s
	wait_until 45 internal_is_kernel fw2
	[ "$(times_logged fw2 'commit-')" -eq 1 ]
}

@test "the translated address is another flow's: that one stays, the rest goes in" {
	start_pair ours ours Multicast
	add fw2 "ipv4=10.1.0.11,10.2.0.10 l4proto=6 port=1001,80 tcp_state=3 status=0x19e timeout=600 mark=0x1 snat_ipv4=10.2.0.1 spat_port=61000"
	add fw1 "ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1001,80 tcp_state=3 status=0x19e timeout=600 mark=0x2 snat_ipv4=10.2.0.1 spat_port=61000" \
		"ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=1002,53 status=0x19e timeout=600 mark=0x2 snat_ipv4=10.2.0.1 spat_port=61000"
	load fw1 insert 100
	wait_until 20 count_is fw2 external 102
	commits 0
	[[ $output == *"1 entries can't be committed: commit-create: File exists (1)" ]]
	[ "$(times_logged fw2 'commit-')" -eq 1 ]
	grep -q 'commit-create: File exists (1 entries)' "$D/fw2.log"
	grep -q 'Committed 101 new entries' "$D/fw2.log"
	table fw2 >"$D/table"
	grep -q '^ipv4=10.1.0.11,10.2.0.10 .*mark=0x1 .*spat_port=61000' "$D/table"
	run ! grep '^ipv4=10.1.0.10,10.2.0.10 l4proto=6 ' "$D/table"
	grep -q '^ipv4=10.1.0.10,10.2.0.10 l4proto=17 .*mark=0x2 ' "$D/table"
}

@test "the kernel has it the other way round, or translated otherwise: replaced" {
	start_pair ours ours Multicast
	add fw2 "ipv4=10.2.0.10,10.1.0.10 l4proto=6 port=80,1001 tcp_state=3 status=0xe timeout=600 mark=0x1" \
		"ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1002,80 tcp_state=3 status=0x19e timeout=600 mark=0x1 snat_ipv4=10.2.0.3"
	add fw1 "ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1001,80 tcp_state=3 status=0xe timeout=600 mark=0x2" \
		"ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1002,80 tcp_state=3 status=0x19e timeout=600 mark=0x2 snat_ipv4=10.2.0.1"
	wait_until 20 count_is fw2 external 2
	wait_until 20 count_is fw2 internal 2
	commits 0
	table fw2 >"$D/table"
	[ "$(grep -c l4proto=6 "$D/table")" -eq 2 ]
	grep -q '^ipv4=10.1.0.10,10.2.0.10 .*port=1001,80 .*mark=0x2 ' "$D/table"
	grep -q '^ipv4=10.1.0.10,10.2.0.10 .*port=1002,80 .*mark=0x2 snat_ipv4=10.2.0.1 ' \
		"$D/table"
	wait_until 20 internal_is_kernel fw2
}

# The cache of fw2 has entries that its kernel has dropped.
@test "the cache knows nothing of what the kernel has: asked for, and updated" {
	start_pair ours ours Multicast
	load fw1 -n insert 5000
	wait_until 20 count_is fw2 external 5000
	commits 0
	ask fw2 -f internal
	commits 0
	[ "$(times_logged fw2 'Committed 5000 new')" -eq 2 ]
	[ "$(times_logged fw2 'commit-')" -eq 0 ]
}

@test "entries that are to be updated have gone from the kernel: made anew" {
	local cached

	lab_conf fw1 Multicast
	lab_conf fw2 Multicast
	sed -i "/^NetlinkBufferSizeMax/d
		s/^NetlinkBufferSize .*/NetlinkBufferSize 8192\nNetlinkBufferSizeMaxGrowth 8192\nNetlinkOverrunResync 600/" \
		"$D/fw2.conf"
	load fw1 insert 2000
	load fw2 insert 2000
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	wait_until 20 count_is fw2 external 2000
	count_is fw2 internal 2000
	kill -STOP "$pid_fw2"
	lab_in fw2 "$B/tools/ctload" delete 2000
	kill -CONT "$pid_fw2"
	# it will find out in ten minutes
	cached=$(count_of fw2 internal)
	commits 0
	echo "# $cached of 2000 were in the cache only" >&3
	[ "$cached" -gt 1000 ]
	grep -q 'Committed 2000 new entries' "$D/fw2.log"
	[ "$(times_logged fw2 'commit-')" -eq 0 ]
	[ "$(kernel fw2 | grep -c 'dport=80\b')" -eq 2000 ]
	# of its echo the small buffer may have lost some
	ask fw2 -R
	wait_until 20 internal_is_kernel fw2
}

@test "a flow outlives its master: it is made without one" {
	local master="ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1010,21"

	start_pair ours ours Multicast
	add fw1 "$master tcp_state=3 status=0xe timeout=600 mark=0x0" \
		"ipv4=10.2.0.10,10.1.0.10 l4proto=6 port=20,40100 tcp_state=3 status=0xf timeout=610 mark=0x3 master_ipv4=10.1.0.10,10.2.0.10 master_l4proto=6 master_port=1010,21"
	wait_until 20 count_is fw2 external 2
	lab_in fw1 conntrack -D -p tcp --dport 21 >/dev/null 2>&1
	wait_until 20 count_is fw2 external 1
	commits 0
	[ "$(times_logged fw2 'commit-')" -eq 0 ]
	table fw2 >"$D/table"
	grep -q '^ipv4=10.2.0.10,10.1.0.10 .*port=20,40100 tcp_state=3 status=0xe .*mark=0x3' \
		"$D/table"
	# and again, over what is there now
	commits 0
	table fw2 >"$D/table"
	grep -q '^ipv4=10.2.0.10,10.1.0.10 .*port=20,40100 tcp_state=3 status=0xe .*mark=0x3' \
		"$D/table"
}

refused_is() { # NODE COUNT: by its internal cache
	[ "$(ask "$1" -s cache | awk '/no space left/ { print $NF; exit }')" \
		-eq "$2" ]
}

@test "a full cache: told once, with how many it cost" {
	LAB_LIMIT=100 lab_conf fw1 Multicast
	LAB_LIMIT=50 lab_conf fw2 Multicast
	sed -i 's/PurgeTimeout .*/PurgeTimeout 3/' "$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	load fw1 insert 150
	wait_until 10 grep -q 'cache internal is full (HashLimit): [1-9][0-9]* new' \
		"$D/fw1.log"
	wait_until 10 grep -q 'cache external is full' "$D/fw2.log"
	load fw1 -f 1000 insert 50
	wait_until 10 refused_is fw1 100
	# it looks once a second; three seconds of its own later:
	ask fw1 -t
	wait_until 15 grep -q 'table (scheduled)' "$D/fw1.log"
	[ "$(grep -c 'is full' "$D/fw1.log")" -eq 1 ]
}

no_memory() { # NODE: by its internal cache
	ask "$1" -s cache | awk '/no memory available/ { print $NF; exit }'
}

has_no_memory() { # NODE
	[ "$(no_memory "$1")" -gt 0 ]
}

@test "no memory: told, counted, and it goes on when there is some again" {
	local kb

	has_asan && skip "ASan ends what has no memory"
	start_pair ours ours Multicast
	load fw1 insert 1000
	wait_until 10 count_is fw1 internal 1000
	kb=$(awk '/^VmSize:/ { print $2 }' "/proc/$pid_fw1/status")
	prlimit -p "$pid_fw1" --as=$(((kb + 256) * 1024)):unlimited
	load fw1 -f 10000 insert 50000
	wait_until 10 has_no_memory fw1
	wait_until 10 grep -q '\[warning\] no memory for cache internal: [1-9][0-9]* flows or changes' \
		"$D/fw1.log"
	[ "$(grep -c 'no memory' "$D/fw1.log")" -eq 1 ]
	prlimit -p "$pid_fw1" --as=unlimited:unlimited
	ask fw1 -R
	count_is fw1 internal 51000
	ask fw1 -B
	wait_until 20 count_is fw2 external 51000
}
