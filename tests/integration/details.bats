#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What the datagrams of a link look like on the wire, and what the options of a
# link do to them.

# shellcheck disable=SC2154,SC2034 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# Counts what arrives at fw2 on sync0 by the first rule that it meets.
count_at_fw2() { # NAME RULE [NAME RULE]...
	{
		echo "table inet lab_count {"
		for ((i = 1; i < $#; i += 2)); do
			echo "counter ${!i} { }"
		done
		echo "chain in { type filter hook prerouting priority -500;"
		while [ $# -gt 0 ]; do
			echo "iifname sync0 $2 counter name $1 accept"
			shift 2
		done
		printf '}\n}\n'
	} | lab_in fw2 nft -f -
}

counted() { # NAME
	lab_in fw2 nft list counter inet lab_count "$1" |
		sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

has_counted() { # NAME
	[ "$(counted "$1")" -gt 0 ]
}

reset_counters() {
	lab_in fw2 nft reset counters >/dev/null
}

# All datagrams of the link have a property.
all_have() { # LINK RULE
	start_pair ours ours "$1"
	count_at_fw2 good "udp dport 3780 $2" bad 'udp dport 3780'
	load fw1 insert 100 >/dev/null
	wait_until 20 count_is fw2 external 100
	has_counted good
	[ "$(counted bad)" -eq 0 ]
}

@test "datagrams have the class of network control, and go one hop: Multicast" {
	all_have Multicast 'ip dscp cs6 ip ttl 1'
	# none came back to who had sent it
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
		is_logged $node refused 0
	done
}

@test "datagrams have the class of network control, and go one hop: Multicast6" {
	full_only
	all_have Multicast6 'ip6 dscp cs6 ip6 hoplimit 1 ip6 daddr ff02::3780'
}

@test "datagrams have the class of network control: UDP" {
	full_only
	all_have UDP 'ip dscp cs6'
}

@test "without Checksum datagrams have none" {
	full_only
	lab_conf fw1 UDP
	lab_conf fw2 UDP
	sed -i 's/Checksum on/Checksum off/' "$D/fw1.conf" "$D/fw2.conf"
	start_both ours ours
	count_at_fw2 none 'udp dport 3780 udp checksum 0' bad 'udp dport 3780'
	load fw1 insert 100 >/dev/null
	wait_until 20 count_is fw2 external 100
	has_counted none
	[ "$(counted bad)" -eq 0 ]
}

# As ss shows it: twice what the option says.
buffer_of() { # NODE r or t
	lab_in "$1" ss -uanmp | grep -A 1 conntrackd | grep -o "$2b[0-9]*" |
		sort -u
}

@test "socket buffers have the size that is asked for, or a default" {
	full_only
	command -v ss >/dev/null || skip "no ss"
	start_pair ours ours UDP
	buffer_of fw1 r | grep -qx rb2498560
	buffer_of fw1 t | grep -qx tb2498560
	lab_kill fw1 TERM
	wait_until 10 test ! -e "$D/fw1.sock"
	sed -i '/SocketBuffer/d' "$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	buffer_of fw1 r | grep -qx rb16777216
}

@test "on a full link other traffic is lost first" {
	full_only
	ip -n "${P}fw1" link set sync0 txqueuelen 20 # of each class
	lab_in fw1 tc qdisc add dev sync0 root handle 1: tbf rate 1mbit \
		burst 16k latency 50ms 2>/dev/null &&
		lab_in fw1 tc qdisc add dev sync0 parent 1:1 pfifo_fast ||
		skip "no tbf with pfifo_fast"
	start_pair ours ours UDP
	background fw1 "$D/client.flood" bash -c 'for i in 1 2 3 4; do
		while :; do
			printf %1400s x
		done >/dev/udp/192.168.100.2/9 &
	done'
	count_at_fw2 flood 'udp dport 9'
	wait_until 10 has_counted flood
	load fw1 insert 5000 >/dev/null # some 3 Mbit
	wait_until 9 count_is fw2 external 5000
}

set_mtu() { # BYTES
	ip -n "${P}fw1" link set sync0 mtu "$1"
	ip -n "${P}fw2" link set sync0 mtu "$1"
}

@test "datagrams follow the MTU while they are sent: larger, and smaller" {
	local load_pid

	start_pair ours ours UDP
	count_at_fw2 large 'udp dport 3780 ip length > 1500' \
		middle 'udp dport 3780 ip length 1201-1500' \
		fragments 'ip frag-off & 0x3fff != 0'
	background fw1 "$D/client.load" "$B/tools/ctload" -r 20000 -t 6000 \
		insert 60000
	load_pid=$bg
	wait_until 10 has_counted middle
	set_mtu 9000
	wait_until 10 has_counted large
	set_mtu 1200
	sleep 0.2 # what was on its way
	reset_counters
	wait "$load_pid"
	wait_until 20 count_is fw2 external 60000
	[ "$(counted large)" -eq 0 ]
	[ "$(counted middle)" -eq 0 ]
	[ "$(counted fragments)" -eq 0 ]
	set_mtu 1500
	load fw1 -f 60000 insert 10000 >/dev/null
	wait_until 20 count_is fw2 external 70000
}
