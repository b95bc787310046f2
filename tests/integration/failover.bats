#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The primary dies, the backup commits and takes over: what was there goes on.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# Entries that no traffic of ours makes, so that they stay as they are.
insert_icmp() {
	lab_in fw1 conntrack -I -p icmp -s 10.1.0.10 -d 10.2.0.10 -t 300 \
		--icmp-type 8 --icmp-code 0 --icmp-id 4711 >/dev/null 2>&1
	lab_in fw1 conntrack -I -p icmpv6 -s fd00:1::10 -d fd00:2::10 -t 300 \
		--icmpv6-type 128 --icmpv6-code 0 --icmpv6-id 4712 \
		>/dev/null 2>&1
}

fw2_knows_all() {
	external fw2 | keys >"$D/known"
	grep -q "^tcp src=10.1.0.10 .* sport=$(stream_port tcp4) " "$D/known" &&
		grep -q "^tcp src=fd00:1::10 .* sport=$(stream_port tcp6) " \
			"$D/known" &&
		grep -q "^udp src=10.1.0.10 .* sport=$(stream_port udp) " \
			"$D/known" &&
		grep -q '^icmp src=10.1.0.10 .* id=4711$' "$D/known" &&
		grep -q '^icmpv6 src=fd00:1::10 .* id=4712$' "$D/known"
}

# What a promotion runs, as known failover scripts do.
promote_fw2() {
	ask fw2 -c
	lab_vip fw2
	ask fw2 -f
	ask fw2 -R
	ask fw2 -B
}

failover() { # OF_FW1 OF_FW2 LINK
	start_pair "$@"
	start_server
	start_stream tcp4 10.2.0.10
	start_stream tcp6 fd00:2::10
	start_stream udp 10.2.0.10 -u
	insert_icmp
	wait_until 20 fw2_knows_all
	# the last transition of each: assured
	wait_until 20 external_has fw2 "tcp .*sport=$(stream_port tcp4) .*ASSURED"
	wait_until 20 external_has fw2 "tcp .*sport=$(stream_port tcp6) .*ASSURED"

	kill -9 "$pid_fw1"
	lab_cut fw1
	promote_fw2
	for name in tcp4 tcp6 udp; do
		wait_until 20 progressed $name $(($(progress $name) + 100))
		end_stream $name
	done

	kernel fw2 >"$D/table"
	cat "$D/table"
	grep -q "^tcp .*ESTABLISHED src=10.1.0.10 .*dst=10.2.0.1 " "$D/table" ||
		grep -q "^tcp .*src=10.1.0.10 .*dst=10.2.0.1 " "$D/table"
	grep -q "^tcp .*src=fd00:1::10 .*dst=fd00:2::1 " "$D/table"
	grep -q "^udp .*src=10.1.0.10 .*dst=10.2.0.1 " "$D/table"
	grep -q '^icmp .*id=4711' "$D/table"
	grep -q '^icmpv6 .*id=4712' "$D/table"
	run ! grep "can't be committed" "$D/fw2.log"
	grep -q 'commit has taken [0-9]*\.[0-9]\{6\} seconds' "$D/fw2.log"
}

@test "failover: ours to ours, Multicast" {
	failover ours ours Multicast
}

@test "failover: ours to ours, UDP" {
	failover ours ours UDP
}

@test "failover: ours to the reference, Multicast" {
	failover ours ref Multicast
}

@test "failover: ours to the reference, UDP" {
	failover ours ref UDP
}

@test "failover: the reference to ours, Multicast" {
	failover ref ours Multicast
}

@test "failover: the reference to ours, UDP" {
	failover ref ours UDP
}

@test "failover: ours to ours, TCP" {
	failover ours ours TCP
}

@test "failover: ours to the reference, TCP" {
	full_only
	failover ours ref TCP
}

@test "failover: the reference to ours, TCP" {
	full_only
	failover ref ours TCP
}

@test "a source-NATed flow is committed over an un-NATed entry of the kernel" {
	is_reference && skip "the reference keeps the kernel's reply tuple"
	start_pair ours ours Multicast
	load fw1 -n insert 100
	wait_until 20 count_is fw2 external 100
	load fw2 insert 100
	ask fw2 -c
	kernel fw1 | tuples >"$D/want"
	kernel fw2 | tuples >"$D/got"
	same_lines "$D/want" "$D/got"
}

@test "link traffic that is tracked is not replicated, filter or none" {
	LAB_SYNC=tracked lab_rules_again
	is_reference && skip "the reference does it only with a filter"
	LAB_FILTER=none start_pair ours ours UDP
	load fw1 insert 100
	wait_until 20 count_is fw2 external 100
	wait_until 10 kernel_has fw1 'udp .*src=192.168.100.1 .*dport=3780'
	run ! internal_has fw1 'port=3780'
	run ! internal_has fw2 'port=3780'
	run ! external_has fw2 'port=3780'
}

lab_rules_again() {
	for node in fw1 fw2; do
		lab_in $node nft flush ruleset
		lab_rules $node
	done
}

kernel_has() { # NODE PATTERN
	kernel "$1" | grep -Eq "$2"
}

# ---- packets that come before the commit ----

# The flow of a stream that the server sends, as a packet of the server's makes
# it where nobody knows it.
runs_back() { # NODE
	kernel_has "$1" 'udp .* src=10.2.0.10 dst=10.2.0.1 sport=5000 dport=4000 \[UNREPLIED\]'
}

start_push() { # INTERVAL_US
	background srv "$D/push.server" "$B/tools/push" server 5000 "$1"
	wait_until 5 grep -q listening "$D/push.server"
	background cl "$D/client.push" "$B/tools/push" client 10.2.0.10 5000 4000
	wait_until 10 progressed push 50
}

@test "a NATed flow is committed although the server's packets came first" {

	is_reference && skip "it fails"
	start_pair ours ours UDP
	start_push 100
	wait_until 10 external_has fw2 'udp .*dport=5000 \[ASSURED\]'
	kill -9 "$pid_fw1"
	lab_vip fw2
	# packets go on while the entry in the way is replaced
	for _ in 1 2 3 4 5; do
		wait_until 10 runs_back fw2
		ask fw2 -c
		kernel_has fw2 'udp .* src=10.1.0.10 .* dst=10.2.0.1 sport=5000 dport=4000 '
		wait_until 10 progressed push $(($(progress push) + 100))
		lab_in fw2 conntrack -D -p udp --orig-port-src 4000 >/dev/null 2>&1
	done
	run ! grep 'commit-' "$D/fw2.log"
}

@test "a connection of a dead peer gives way to one that began here since" {
	is_reference && skip "it replaces whatever there is"
	start_pair ours ours UDP
	start_server
	echo "ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=4000,5000 tcp_state=3" \
		"status=0x19e timeout=600 mark=0x2 snat_ipv4=10.2.0.1" \
		"spat_port=61000 synproxy=0x0,0x0,0x0" |
		lab_in fw1 "$B/tools/ctset" add
	wait_until 10 external_has fw2 'sport=4000 .*active since [1-9]'
	kill -9 "$pid_fw1"
	lab_vip fw2
	mkfifo "$D/tell"
	background cl "$D/client.new" "$B/tools/reset" 10.2.0.10 5000 4000 1 \
		"$D/tell"
	wait_until 10 grep -q connected "$D/client.new"
	wait_until 10 internal_has fw2 'ESTABLISHED .*sport=4000 '
	ask fw2 -c
	grep -q '1 entries give way to newer connections' "$D/fw2.log"
	kernel_has fw2 'tcp .*ESTABLISHED .*sport=4000 .* dport=4000 .*mark=0'
	run ! kernel_has fw2 'dport=61000'
}

# ---- resets ----

start_resets() { # COUNT
	start_server
	mkfifo "$D/tell"
	background cl "$D/client.reset" "$B/tools/reset" 10.2.0.10 5000 0 "$1" \
		"$D/tell"
	wait_until 10 grep -q connected "$D/client.reset"
}

tell() { # LINE
	echo "$1" >"$D/tell"
	wait_until 10 grep -q "^$1 ok" "$D/client.reset"
}

externals_are() { # COUNT PATTERN
	[ "$(external fw2 | grep -c "$2")" -eq "$1" ]
}

# Seconds that the longest of the entries of port 5000 has left; 0: none.
longest_left() { # NODE
	kernel "$1" | awk '/dport=5000/ && $3 > max { max = $3 }
		END { print max + 0 }'
}

nothing_left() { # NODE
	[ "$(longest_left "$1")" -eq 0 ]
}

@test "what was reset has what the kernel gives it, not CommitTimeout" {
	is_reference && skip "it gives it CommitTimeout"
	start_pair ours ours UDP
	start_resets 5
	wait_until 10 externals_are 5 'ESTABLISHED .*dport=5000'
	tell reset
	wait_until 10 externals_are 5 'CLOSE .*dport=5000'
	kill -9 "$pid_fw1"
	lab_vip fw2
	ask fw2 -c
	[ "$(longest_left fw2)" -le 10 ]
	wait_until 30 nothing_left fw2
}

retransmitted() { # COUNT
	# shellcheck disable=SC2016 # of awk
	lab_in cl awk '/^Tcp: [0-9]/ { print $13 }' /proc/net/snmp | {
		read -r n
		[ "$n" -ge "$1" ]
	}
}

# The kernel keeps such a flow established, for ten seconds, and tells nobody
# (nf_conntrack_proto_tcp.c): who takes over within them knows no better.
@test "what is reset with data under way lives for CommitTimeout at most" {
	lab_conf fw1 UDP
	lab_conf fw2 UDP
	sed -i 's/CommitTimeout 180/CommitTimeout 5/' "$D/fw2.conf"
	start_both ours ours
	start_resets 5
	wait_until 10 externals_are 5 'ESTABLISHED .*dport=5000'
	lab_in srv nft -f - <<-END
		table ip mute {
			chain out {
				type filter hook output priority 0
				drop
			}
		}
	END
	tell data
	wait_until 10 retransmitted 5
	tell reset
	[ "$(longest_left fw1)" -le 300 ]
	kill -9 "$pid_fw1"
	lab_vip fw2
	ask fw2 -c
	[ "$(longest_left fw2)" -le 5 ]
	wait_until 20 nothing_left fw2
}
