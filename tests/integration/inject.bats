#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# DisableExternalCache: what a peer tells is in the kernel at once, and nothing
# that was put there comes back.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

FLOWS=tests/integration/attributes.flows

direct_conf() { # NODE LINK
	lab_conf "$1" "$2"
	sed -i 's/CommitTimeout .*/DisableExternalCache yes/' "$D/$1.conf"
}

start_direct() { # OF_FW1 OF_FW2 LINK
	case "$1 $2" in *ref*) need_reference ;; esac
	direct_conf fw1 "$3"
	direct_conf fw2 "$3"
	start_both "$1" "$2"
}

kernel_has() { # NODE PATTERN
	kernel "$1" | grep -Eq "$2"
}

kernel_count_is() { # NODE COUNT
	[ "$(kernel "$1" | wc -l)" -eq "$2" ]
}

same_kernels() { # as for addresses, ports and translation
	kernel fw1 | tuples >"$D/kernel.fw1"
	kernel fw2 | tuples >"$D/kernel.fw2"
	same_lines "$D/kernel.fw1" "$D/kernel.fw2"
}

counter() { # NODE NAME
	ask "$1" -s counters | awk -v n="conntrackd_$2" '$1 == n { print $2 }'
}

no_malformed() {
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
}

# ---- every day ----

everyday() { # OF_FW1 OF_FW2
	start_direct "$1" "$2" Multicast
	start_living fw1
	wait_until $((3 * LIFE_S)) some_live_again fw1
	patiently follow_after
	stop_living
	patiently follow_after
	[ "$2" = ref ] || count_is fw2 internal 0
	no_malformed
}

@test "inject: every day: ours and ours" {
	everyday ours ours
}

@test "inject: every day: ours carries the traffic, the reference stands by" {
	full_only
	everyday ours ref
}

@test "inject: every day: the reference carries the traffic, ours stands by" {
	full_only
	everyday ref ours
}

# The primary dies; nobody commits anything.
failover() { # OF_FW1 OF_FW2 LINK
	start_direct "$@"
	start_server
	start_stream tcp4 10.2.0.10
	start_stream tcp6 fd00:2::10
	start_stream udp 10.2.0.10 -u
	for port in $(stream_port tcp4) $(stream_port tcp6) $(stream_port udp); do
		wait_until 20 kernel_has fw2 "sport=$port .*ASSURED"
	done
	no_malformed
	kill -9 "$pid_fw1"
	lab_cut fw1
	lab_vip fw2
	for name in tcp4 tcp6 udp; do
		wait_until 20 progressed $name $(($(progress $name) + 100))
		end_stream $name
	done
}

@test "inject: failover without a commit, ours to ours" {
	failover ours ours UDP
}

@test "inject: failover without a commit, ours to the reference" {
	full_only
	failover ours ref UDP
}

@test "inject: failover without a commit, the reference to ours" {
	failover ref ours Multicast
}

# ---- what entries have ----

@test "inject: every attribute of an entry is in the other kernel" {
	for node in fw1 fw2; do
		direct_conf $node UDP
		lab_in $node nft -f - <<-END
			table inet attributes {
				chain c {
					type filter hook prerouting priority 0
					iifname none ct label set 1
				}
			}
		END
	done
	start_both ours ours
	wait_until 10 grep -q 'hears us' "$D/fw1.log"
	lab_in fw1 "$B/tools/ctset" add <"$FLOWS"
	wait_until 20 same_attributes
	# changes, ends, and nothing of it comes back
	awk '{
		line = ""
		for (i = 1; i <= NF; i++)
			if ($i ~ /^(ipv[46]|l4proto|port|icmp_[a-z]*|zone)=/)
				line = line $i " "
		print line "mark=0x77"
	}' "$FLOWS" | lab_in fw1 "$B/tools/ctset" update
	lab_in fw1 "$B/tools/ctset" dump | grep -q mark=0x77
	wait_until 20 same_attributes
	count_is fw2 internal 0
	[ "$(counter fw2 injected_create_failed_total)" -eq 0 ]
	[ "$(counter fw2 injected_update_failed_total)" -eq 0 ]
	[ "$(counter fw2 injected_without_master_total)" -eq 0 ]
	lab_in fw1 conntrack -F >/dev/null 2>&1
	wait_until 20 kernel_count_is fw2 0
	wait_until 10 count_is fw1 internal 0
}

# Timeouts run down, and what is made by a commit or injected is liberal.
attributes_of() { # NODE
	lab_in "$1" "$B/tools/ctset" dump |
		sed -E 's/ timeout=[0-9]+//; s/ status=0x([0-9a-f]*)/ status=0x\1/' |
		sort
}

same_attributes() {
	attributes_of fw1 >"$D/attributes.fw1"
	attributes_of fw2 >"$D/attributes.fw2"
	[ -s "$D/attributes.fw1" ] &&
		same_lines "$D/attributes.fw1" "$D/attributes.fw2"
}

# ---- what the kernel refuses ----

is_told_once() { # TEXT
	wait_until 10 grep -q "$1" "$D/fw2.log"
	[ "$(grep -c "$1" "$D/fw2.log")" -eq 1 ]
}

@test "inject: a missing master costs the master only, told once" {
	start_direct ours ours UDP
	wait_until 10 grep -q 'hears us' "$D/fw1.log"
	lab_in fw1 "$B/tools/ctset" add <<-END
		ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1010,21 tcp_state=3 status=0x200e timeout=609 mark=0x0 helper=ftp synproxy=0x0,0x0,0x0
		ipv4=10.2.0.10,10.1.0.10 l4proto=6 port=20,40100 tcp_state=3 status=0xf timeout=610 mark=0x0 master_ipv4=10.1.0.10,10.2.0.10 master_l4proto=6 master_port=1010,21 synproxy=0x0,0x0,0x0
	END
	wait_until 10 kernel_count_is fw2 2
	# gone from fw2 only, without a word
	ask fw2 -F
	lab_in fw1 "$B/tools/ctset" update \
		<<<"ipv4=10.2.0.10,10.1.0.10 l4proto=6 port=20,40100 mark=0x5"
	wait_until 20 kernel_has fw2 'sport=20 .*mark=5'
	[ "$(counter fw2 injected_without_master_total)" -eq 1 ]
	is_told_once 'masters that are not here: 1 flows of peers go without'
}

# ---- the client's commands ----

@test "inject: -c, -e and -f have nothing to do, and say so by success" {
	start_direct ours ours UDP
	load fw1 insert 100
	wait_until 20 kernel_count_is fw2 100
	for option in -c '-c ct' '-f external' -f -e '-e ct'; do
		# shellcheck disable=SC2086 # words
		[ -z "$(ask fw2 $option)" ]
	done
	kernel_count_is fw2 100
	grep -q 'disabling external cache' "$D/fw2.log"
	ask fw2 -s | grep -A3 '^external inject:$' | tail -n 3 >"$D/got"
	diff "$D/got" - <<-'END'
		connections created:		         100	failed:	           0
		connections updated:		           0	failed:	           0
		connections destroyed:		           0	failed:	           0
	END
	ask fw2 -s cache | grep -q '^external inject:$'
}

# ---- both nodes own flows ----

both_have() { # COUNT
	kernel_count_is fw1 "$1" && kernel_count_is fw2 "$1" && same_kernels
}

# Entries that a cache has and its kernel has not.
no_zombies() { # NODE
	kernel "$1" | tuples >"$D/kernel"
	internal "$1" | tuples | comm -13 "$D/kernel" - >"$D/zombies"
	[ ! -s "$D/zombies" ] || { head -n 3 "$D/zombies" && return 1; }
}

operations() { # NODE: of the kernel, for peers
	ask "$1" -s counters |
		awk '/^conntrackd_injected_(created|updated|destroyed)_total/ { n += $2 }
			END { print n }'
}

@test "inject: both nodes own flows; each tells its own, once" {
	start_direct ours ours UDP
	load fw1 -n -f 0 insert 300
	load fw2 -n -f 1000 insert 300
	wait_until 20 both_have 600
	load fw1 -m 7 -f 0 update 100
	load fw2 -m 8 -f 1000 update 100
	load fw1 -f 200 delete 100
	wait_until 20 both_have 500
	wait_until 20 is_marked 7 100
	wait_until 20 is_marked 8 100
	count_is fw1 internal 200
	count_is fw2 internal 300
	# 300 new, 100 changed, some ended: whatever comes back would be more
	[ "$(operations fw1)" -eq 400 ]
	[ "$(operations fw2)" -eq 500 ]
	no_malformed
}

is_marked() { # MARK COUNT
	for node in fw1 fw2; do
		[ "$(kernel $node | grep -c "mark=$1 ")" -eq "$2" ] || return 1
	done
}

# fw1 sees what the client sends, fw2 what the server sends.
split_paths() {
	for node in fw1 fw2; do
		lab_in $node nft delete table ip lab_nat
	done
	ip -n "${P}fw1" addr del 10.2.0.1/24 dev eth2
	ip -n "${P}fw2" addr add 10.2.0.1/24 dev eth2
	ip -n "${P}srv" neigh flush dev eth0
}

both_agree_on() { # PORT STATE
	for node in fw1 fw2; do
		kernel_flows $node reply | grep "sport=$1 " | cut -f 1,2 \
			>"$D/flow.$node"
		grep -q "$2" "$D/flow.$node" || return 1
	done
	cmp -s "$D/flow.fw1" "$D/flow.fw2"
}

@test "inject: paths are asymmetric: both kernels know both directions" {
	direct_conf fw1 UDP
	direct_conf fw2 UDP
	start_both ours ours
	wait_until 10 grep -q 'hears us' "$D/fw1.log"
	split_paths
	start_server
	start_stream tcp4 10.2.0.10
	start_stream udp 10.2.0.10 -u
	wait_until 20 both_agree_on "$(stream_port tcp4)" 'ESTABLISHED .*ASSURED'
	wait_until 20 both_agree_on "$(stream_port udp)" ASSURED
	wait_until 20 progressed tcp4 100
	wait_until 20 progressed udp 100
	end_stream tcp4
	end_stream udp
	wait_until 20 both_agree_on "$(stream_port tcp4)" 'TIME_WAIT\|CLOSE'
	[ "$(operations fw1)" -le 12 ]
	[ "$(operations fw2)" -le 12 ]
}

# ---- roles that change ----

# As known scripts do.
change_roles() { # PRIMARY BACKUP
	for option in -c -f -R -B; do
		ask "$1" $option
	done
	ask "$2" -t
	ask "$2" -n
}

# The primary goes down and up; meanwhile some flows begin, change and end.
ping_pong() { # FLOWS
	local count=$1 primary=fw1 backup=fw2 i

	start_direct ours ours UDP
	load fw1 -n -t 3600 insert "$count"
	wait_until 60 kernel_count_is fw2 "$count"
	for i in $(seq 20); do
		[ $((i % 2)) -eq 0 ] && primary=fw1 backup=fw2 ||
			primary=fw2 backup=fw1
		change_roles $primary $backup
		load $primary -n -t 3600 -f $((count + 10 * (i - 1))) insert 10
		# each another: a change of the last 2 s would stand here
		load $primary -m $((100 + i)) -f $((195 + 5 * i)) update 5
		load $primary -f $((10 * (i - 1))) delete 10
	done
	wait_until 60 both_have "$count"
	for node in fw1 fw2; do
		[ "$(kernel $node | grep -c 'mark=1[0-2][0-9] ')" -eq 100 ]
	done
	no_zombies fw1
	no_zombies fw2
	no_malformed
}

@test "inject: the primary goes down and up 20 times with 300 flows" {
	ping_pong 300
}

@test "inject: the primary goes down and up 20 times with 10,000 flows" {
	full_only
	ping_pong 10000
}

# ---- limits, and helpers ----

is_refused() { # COUNT, at least
	[ "$(counter fw2 injected_table_full_total)" -ge "$1" ]
}

@test "inject: a full table: counted, told once, and it goes on" {
	local max

	full_only
	lab_lock -x
	max=$(</proc/sys/net/netfilter/nf_conntrack_max)
	[ "$max" -le 1500000 ] || skip "nf_conntrack_max is $max: too much to fill"
	for node in fw1 fw2; do
		LAB_LIMIT=$((max + 10000)) direct_conf $node UDP
	done
	lab_in fw2 "$B/tools/ctload" -f 5000000 insert $((max - 100))
	start_both ours ours
	load fw1 insert 3000
	wait_until 20 is_refused 2000
	wait_until 10 grep -q 'table is full' "$D/fw2.log"
	[ "$(grep -c 'table is full' "$D/fw2.log")" -eq 1 ]
	ask fw2 -s | grep -Eq '^connections created:.*failed:	 +[1-9]'
	# what changes is told again, and there is room now
	load fw2 -f 5000000 delete 6000
	load fw1 -m 7 update 3000
	wait_until 20 kernel_marked fw2 7 3000
}

kernel_marked() { # NODE MARK COUNT
	[ "$(lab_in "$1" conntrack -L -m "$2" 2>/dev/null | wc -l)" -eq "$3" ]
}

# ---- related flows ----

# Active FTP behind source NAT: the kernel's helper writes another address.
start_ftp() {
	modprobe -q -a nf_conntrack_ftp nf_nat_ftp || :
	for node in fw1 fw2; do
		lab_in $node nft -f - <<-END
			table ip lab_ftp {
				ct helper ftp {
					type "ftp" protocol tcp
				}
				chain c {
					type filter hook prerouting priority 0
					tcp dport 21 ct helper set "ftp"
				}
			}
		END
	done
	background srv "$D/ftp.server" "$B/tools/ftp" server
	wait_until 10 grep -q listening "$D/ftp.server"
	mkfifo "$D/tell"
	background cl "$D/client.ftp" "$B/tools/ftp" client 10.1.0.10 \
		10.2.0.10 "$D/tell"
	client=$bg
	wait_until 10 grep -q connected "$D/client.ftp"
}

ftp() { # LINE: the client does it, and succeeds
	echo "$1" >"$D/tell"
	wait_until 20 done_or_dead "$1"
	grep -q "^$1 ok" "$D/client.ftp"
}

done_or_dead() { # LINE
	grep -q "^$1 ok" "$D/client.ftp" || ! kill -0 "$client" 2>/dev/null
}

# The control connection, with its shifts, and the held one with its master.
same_ftp() {
	for node in fw1 fw2; do
		attributes_of $node | grep -E ' port=[0-9]*,21 | master_' |
			sed -E 's/ (status|synproxy|wscale_[a-z]*)=[^ ]*//g' \
			>"$D/ftp.$node"
	done
	grep -q seqadj= "$D/ftp.fw1" && grep -q master_port= "$D/ftp.fw1" &&
		same_lines "$D/ftp.fw1" "$D/ftp.fw2"
}

@test "inject: ftp data is related to its control connection, failover" {
	start_direct ours ours UDP
	start_ftp
	ftp 'noop one'
	ftp 'get 100000'
	ftp 'hold'
	ftp 'ping first'
	wait_until 20 same_ftp
	[ "$(counter fw2 injected_without_master_total)" -eq 0 ]
	kill -9 "$pid_fw1"
	lab_cut fw1
	lab_vip fw2
	ftp 'noop two'
	ftp 'ping second'
	ftp 'get 30000'
}
