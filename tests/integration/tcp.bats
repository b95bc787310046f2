#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Links over TCP: the everyday case, connections that break, peers that stop,
# die and come back. Whatever happens to the connections, both sides are equal
# afterwards.

# shellcheck disable=SC2154,SC2034 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

# How the node sees both connections. $2: server, client; $3: connected or not
connection_is() { # NODE SIDE STATE
	ask "$1" -s network | grep -q "^TCP traffic (active device=sync0).* $2=$3"
}

all_connected() {
	connection_is fw1 server connected && connection_is fw1 client connected &&
		connection_is fw2 server connected &&
		connection_is fw2 client connected
}

times_logged() { # NODE TEXT
	grep -cF -- "$2" "$D/$1.log" || :
}

is_logged() { # NODE TEXT COUNT
	[ "$(times_logged "$1" "$2")" -eq "$3" ]
}

is_complete() { # COUNT
	count_is fw1 internal "$1" && count_is fw2 external "$1" &&
		external_is_kernel fw2 fw1
}

no_malformed() {
	[ "$(network_stat fw1 'Malformed messages')" -eq 0 ]
	[ "$(network_stat fw2 'Malformed messages')" -eq 0 ]
}

# What happens at either node arrives at the other.
replicates() {
	n_flows=$((${n_flows:-0} + 10))
	load fw1 -f $((10000000 + n_flows * 100)) insert 10
	load fw2 -f $((11000000 + n_flows * 100)) insert 10
	wait_until 20 external_is_kernel fw2 fw1
	wait_until 20 external_is_kernel fw1 fw2
}

# ---- nothing happens to the link ----

everyday() { # OF_FW1 OF_FW2 LINK SECONDS
	start_pair "$1" "$2" "$3"
	start_living fw1
	look_for "$4" fw1 fw2
	stop_living
	look fw1 fw2
	no_malformed
}

# What was there before, both ways, changes and ends.
joined() { # OF_FW1 OF_FW2 LINK
	case "$1 $2" in *ref*) need_reference ;; esac
	lab_conf fw1 "$3"
	lab_conf fw2 "$3"
	[ -z "${4:-}" ] || "$4"
	# with 2, the default, what begins before the daemon has no events
	lab_ctl fw1 net.netfilter.nf_conntrack_events=1
	load fw1 insert 2000
	start_both "$1" "$2"
	load fw2 -f 1000000 insert 2000
	[ "$1 $2" = "ours ours" ] || ask fw2 -n
	wait_until 20 count_is fw2 external 2000
	wait_until 20 count_is fw1 external 2000
	load fw1 -m 7 update 1000
	load fw1 delete 500
	load fw2 -f 1000000 delete 500
	wait_until 20 external_is_kernel fw2 fw1
	wait_until 20 external_is_kernel fw1 fw2
	wait_until 10 all_mark_7
	wait_until 10 all_connected
	no_malformed
}

all_mark_7() {
	[ "$(external fw2 | grep -c 'mark=7')" -eq 500 ]
}

link_local() {
	for node in fw1 fw2; do
		sed -i 's/fd00:100::/fe80::10/' "$D/$node.conf"
		ip -n "$P$node" addr add "fe80::10${node#fw}/64" dev sync0 nodad
	done
}

@test "TCP every day: ours and ours" {
	everyday ours ours TCP $((FULL ? 180 : 1))
}

@test "TCP every day: ours carries the traffic, the reference stands by" {
	full_only
	need_reference
	everyday ours ref TCP 60
}

@test "TCP every day: the reference carries the traffic, ours stands by" {
	full_only
	need_reference
	everyday ref ours TCP 60
}

@test "TCP: ours and ours, IPv6" {
	joined ours ours TCP6
}

@test "TCP: ours and ours, link-local addresses" {
	is_reference && skip "it does not connect to them"
	joined ours ours TCP6 link_local
}

@test "TCP: ours and the reference" {
	joined ours ref TCP
}

@test "TCP: the reference and ours" {
	joined ref ours TCP
}

@test "TCP: ours and the reference, IPv6" {
	full_only
	joined ours ref TCP6
}

@test "TCP: the reference and ours, IPv6" {
	full_only
	joined ref ours TCP6
}

kernel_has() { # NODE PATTERN
	kernel "$1" | grep -Eq "$2"
}

@test "TCP: the connections of the link are not replicated, filter or none" {
	is_reference && skip "the reference does it only with a filter"
	for node in fw1 fw2; do
		lab_in $node nft flush ruleset
		LAB_SYNC=tracked lab_rules $node
	done
	LAB_FILTER=none start_pair ours ours TCP
	wait_until 10 all_connected
	break_link
	load fw1 insert 100
	wait_until 20 count_is fw2 external 100
	for node in fw1 fw2; do
		wait_until 10 kernel_has $node 'tcp .*src=192.168.100.1 .*dport=3780'
		wait_until 10 kernel_has $node 'tcp .*src=192.168.100.2 .*dport=3780'
		run ! internal_has $node 'port=3780'
		run ! external_has $node 'port=3780'
	done
}

@test "TCP: who is not the peer is refused, counted and told once" {
	is_reference && skip "it takes whoever comes"
	start_pair ours ours TCP
	wait_until 10 all_connected
	ip -n "${P}fw2" addr add 192.168.100.9/24 dev sync0
	ip -n "${P}fw2" route add 192.168.100.1/32 dev sync0 src 192.168.100.9
	for _ in 1 2 3; do
		# it is closed: cat ends
		within 10 ip netns exec "${P}fw2" \
			bash -c 'cat </dev/tcp/192.168.100.1/3780' || :
	done
	ask fw1 -s link | grep -q '^ *3 Refused recv$'
	is_logged fw1 'link sync0: connections from 192.168.100.9 are refused: the peer is 192.168.100.2 (IPv4_Destination_Address)' 1
	is_logged fw1 'lost' 0
	replicates
}

# ---- connections that break ----

# Both connections, as seen by one node or the other.
break_link() {
	case $((n_breaks = ${n_breaks:-0} + 1)) in
	*[13579]) lab_in fw1 ss -K -t '( sport = :3780 or dport = :3780 )' >/dev/null ;;
	*)
		lab_in fw2 nft -f - <<-END
			table inet lab_reset {
				chain in {
					type filter hook input priority 0;
					tcp dport 3780 reject with tcp reset
				}
			}
		END
		wait_until 10 connection_is fw1 client disconnected
		lab_in fw2 nft delete table inet lab_reset
		;;
	esac
}

# Carries nothing from now on, and says nothing about it.
cut_link() {
	lab_in fw1 nft -f - <<-END
		table inet lab_cut {
			chain in {
				type filter hook prerouting priority -400;
				iifname "sync*" drop
			}
			chain out {
				type filter hook postrouting priority 0;
				oifname "sync*" drop
			}
		}
	END
}

mend_link() {
	lab_in fw1 nft delete table inet lab_cut
}

is_equal() {
	internal_is_kernel fw1 && external_is_kernel fw2 fw1
}

# Half of the operations of churn are new flows, the others ends.
resets() { # OF_FW1 OF_FW2 LINK RESETS OPERATIONS_PER_S
	start_pair "$1" "$2" "$3"
	wait_until 10 all_connected
	background fw1 "$D/client.load" "$B/tools/ctload" -r "$5" churn 10000000
	for _ in $(seq "$4"); do
		break_link
		wait_until 30 connection_is fw1 client connected
	done
	kill -TERM "$bg" # which tells that there was load to the end
	wait "$bg" || :
	wait_until 30 is_equal
	[ "$(count_of fw1 internal)" -gt 1000 ]
	wait_until 30 all_connected
}

@test "TCP: connections are reset under load: complete" {
	resets ours ours TCP 4 2000
	[ "$(times_logged fw1 'is lost')" -ge 4 ]
}

@test "TCP: 20 resets under 5,000 new flows a second: complete" {
	full_only
	resets ours ours TCP 20 10000
}

@test "TCP: 20 resets, ours to the reference" {
	full_only
	need_reference
	resets ours ref TCP 20 2000
}

@test "TCP: 20 resets, the reference to ours" {
	full_only
	need_reference
	resets ref ours TCP 20 2000
}

@test "TCP: a link that is cut silently is known at both ends" {
	full_only
	start_pair ours ours TCP
	wait_until 10 all_connected
	cut_link
	for node in fw1 fw2; do
		wait_until 12 connection_is $node server disconnected
		wait_until 12 connection_is $node client disconnected
	done
	load fw1 insert 1000
	mend_link
	wait_until 40 all_connected
	wait_until 20 is_complete 1000
}

@test "TCP: an interface that comes back is used at once" {
	local since_ms

	start_pair ours ours TCP
	wait_until 10 all_connected
	ip -n "${P}fw1" link set sync0 down
	load fw1 insert 1000
	sleep 3
	ip -n "${P}fw1" link set sync0 up
	since_ms=$(lab_now)
	wait_until 20 count_is fw2 external 1000
	echo "# after $(($(lab_now) - since_ms)) ms" >&3
	is_complete 1000
}

# ---- peers that stop, die and come back ----

@test "TCP: a node that starts late is connected to at once" {
	local since_ms

	lab_conf fw1 TCP
	lab_conf fw2 TCP
	load fw1 insert 1000
	start_daemon fw1 "$CONNTRACKD"
	wait_until 20 is_logged fw1 'connect to 192.168.100.2: Connection refused' 1
	start_daemon fw2 "$CONNTRACKD"
	since_ms=$(lab_now)
	wait_until 10 count_is fw2 external 1000
	echo "# after $(($(lab_now) - since_ms)) ms" >&3
	# either may have been killed without a word
	for node in fw1 fw2; do
		pid=pid_$node
		kill -9 "${!pid}"
		wait_until 10 connection_is "fw$((3 - ${node#fw}))" server disconnected
		start_daemon $node "$CONNTRACKD"
		wait_until 10 all_connected
		replicates
	done
}

rss_kb() { # PID
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

@test "TCP: a peer that is stopped for 30 s under load: complete after" {
	local before_kb most_kb=0 now_kb end_ms

	full_only
	lab_room 300000
	LAB_LIMIT=262144 start_pair ours ours TCP
	wait_until 10 all_connected
	load fw1 insert 100000
	wait_until 30 is_complete 100000
	before_kb=$(rss_kb "$pid_fw1")
	background fw1 "$D/client.load" "$B/tools/ctload" -f 1000000 -r 5000 \
		churn 200000
	kill -STOP "$pid_fw2"
	end_ms=$(($(lab_now) + 30000))
	while [ "$(lab_now)" -lt $end_ms ]; do
		now_kb=$(rss_kb "$pid_fw1")
		[ "$now_kb" -le "$most_kb" ] || most_kb=$now_kb
		sleep 0.2
	done
	echo "# resident before $before_kb KB, at most $most_kb KB" >&3
	is_logged fw1 '192.168.100.2 reads nothing: the connection is closed' 1
	kill -CONT "$pid_fw2"
	wait "$bg"
	wait_until 60 is_complete 104000
	[ "$most_kb" -le "$((2 * before_kb))" ]
	is_logged fw1 'reads nothing' 1
}
