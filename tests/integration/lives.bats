#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Which life of a flow an event, a row of a dump or an answer is about, and
# which of them is the newer one. The cache, and the peer, have what the kernel
# has in the end.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

FLOW="-s 10.5.0.1 -d 10.6.0.1 --sport 1000"

all_equal() {
	internal_is_kernel fw1 && external_is_kernel fw2 fw1
}

conntrack_in() { # NODE OPTION...: without its remarks
	local node=$1

	shift
	lab_in "$node" conntrack "$@" >/dev/null 2>&1
}

# A pair with more lines in the General sections and the default buffer.
start_with() { # LINES [BINARY]
	local node

	for node in fw1 fw2; do
		LAB_FILTER=none lab_conf $node UDP
		sed -i "/^NetlinkBuffer/d; s/^Syslog off/&\n$1/" \
			"$D/$node.conf"
	done
	start_daemon fw1 "${2:-$CONNTRACKD}"
	start_daemon fw2 "$CONNTRACKD"
	wait_until 10 grep -q 'has all of the bulk' "$D/fw1.log"
}

# Events that a stopped daemon finds in a buffer of 64 KB; what it holds is
# lost soon.
small_buffer='NetlinkBufferSize 65536\nNetlinkBufferSizeMaxGrowth 65536'

# ---- NAT clashes ----

clash_rules() {
	ip -n "${P}fw1" addr add 10.9.0.1/24 dev lo
	ip -n "${P}fw1" route add 10.9.0.99 dev lo
	lab_ctl fw1 net.netfilter.nf_conntrack_udp_timeout=120
	lab_in fw1 nft -f - <<-'END'
		table ip balancer {
			chain out {
				type nat hook output priority -100;
				ip daddr 10.9.0.99 udp dport 53 dnat ip addr . port to numgen random mod 4 map { 0: 10.9.0.1 . 9000, 1: 10.9.0.1 . 9001, 2: 10.9.0.1 . 9002, 3: 10.9.0.1 . 9003 }
			}
			chain in {
				type filter hook input priority 0;
				udp dport 9000-9003 drop
			}
		}
	END
}

n_clashes() {
	lab_in fw1 conntrack -S | grep -o 'clash_resolve=[0-9]*' |
		awk -F= '{ n += $2 } END { print n }'
}

no_loser_is_left() {
	! lab_in fw1 conntrack -L -p udp 2>/dev/null | grep -q ' 0 src=10.9'
}

@test "the loser of a clash behind a balancer ends nobody" {
	[ "$(nproc)" -ge 2 ] || skip "one processor: nothing clashes"
	start_with ''
	clash_rules
	lab_in fw1 "$B/tools/udpclash" 10.9.0.99 53 2000
	echo "# $(n_clashes) clashes" >&3
	[ "$(n_clashes)" -gt 0 ] || skip "nothing clashed"
	# the losers die after a second, in silence or not
	wait_until 10 no_loser_is_left
	[ "$(lab_in fw1 conntrack -L -p udp 2>/dev/null |
		grep -c dst=10.9.0.99)" -eq 2000 ]
	wait_until 10 all_equal
}

# ---- ids ----

@test "an end that is told late, with reliable events, ends no later life" {
	local i

	start_with "$small_buffer\nNetlinkEventsReliable on"
	# shellcheck disable=SC2086 # words
	conntrack_in fw1 -I -p udp $FLOW --dport 53 -t 300
	for i in 1 2 3 4 5; do
		wait_until 10 internal_has fw1 'dport=53 '
		kill -STOP "$pid_fw1"
		# the end finds the buffer full; the kernel tells it again
		lab_in fw1 "$B/tools/ctload" -u -f $((i * 1000)) insert 900 \
			>/dev/null
		# shellcheck disable=SC2086
		conntrack_in fw1 -D -p udp $FLOW --dport 53
		# shellcheck disable=SC2086 # the program is started before
		lab_in fw1 sh -c "kill -CONT $pid_fw1
			exec conntrack -I -p udp $FLOW --dport 53 -t 300" \
			>/dev/null 2>&1
		wait_until 10 all_equal
	done
}

@test "what reliable events leave out is found" {
	start_with "$small_buffer\nNetlinkEventsReliable on"
	kill -STOP "$pid_fw1"
	lab_in fw1 "$B/tools/ctload" insert 3000
	kill -CONT "$pid_fw1"
	# most have told nothing, and will tell nothing as long as they live
	wait_until 20 all_equal
	[ "$(count_of fw1 internal)" -eq 3000 ]
}

@test "two flows that differ in the zone of one direction are two" {
	local zone

	start_with ''
	for zone in 1 2; do
		# shellcheck disable=SC2086
		conntrack_in fw1 -I -p udp $FLOW --dport 53 -t 300 \
			--orig-zone $zone -r 10.6.0.1 -q 10.7.0.1 \
			--reply-port-src 53 --reply-port-dst 100$zone
	done
	wait_until 10 count_is fw1 internal 2
	internal_has fw1 'zone-orig=1 '
	internal_has fw1 'zone-orig=2 '
	# the repair and -R find both there
	ask fw1 -R
	count_is fw1 internal 2
	# shellcheck disable=SC2086
	conntrack_in fw1 -D -p udp $FLOW --dport 53 --orig-zone 1
	wait_until 10 count_is fw1 internal 1
	internal_has fw1 'zone-orig=2 '
}

helper_and_more="helper=ftp seqadj=0x10,0,-5,0x20,0,7 labels=0x8,0x0,0x0,0x0"
line="ipv4=10.5.0.1,10.6.0.1 l4proto=6 port=1000,21 tcp_state=3 status=0xe"
line="$line timeout=300 mark=0x0"

has_mark_9() {
	internal_has fw1 'mark=9'
}

@test "a life that was not heard of inherits nothing of the one before" {
	modprobe -q nf_conntrack_ftp || :
	start_with "$small_buffer"
	echo "$line $helper_and_more" | lab_in fw1 "$B/tools/ctset" add ||
		skip "the kernel has no FTP helper"
	wait_until 10 internal_has fw1 helper=ftp
	kill -STOP "$pid_fw1"
	lab_in fw1 "$B/tools/ctload" -u insert 3000
	lab_in fw1 "$B/tools/ctload" -u delete 3000
	# shellcheck disable=SC2086
	conntrack_in fw1 -D -p tcp $FLOW --dport 21
	echo "${line/mark=0x0/mark=0x9}" | lab_in fw1 "$B/tools/ctset" add
	kill -CONT "$pid_fw1"
	wait_until 10 has_mark_9
	internal fw1 >"$D/internal"
	run ! grep helper= "$D/internal"
	wait_until 10 external_has fw2 'mark=9'
	ask fw2 -c
	lab_in fw2 "$B/tools/ctset" dump >"$D/table"
	cat "$D/table"
	grep -q mark=0x9 "$D/table"
	run ! grep -E 'helper=|seqadj=|labels=' "$D/table"
}

# ---- begins that were not told ----

# A packet filter that labels connections as they begin: without one the kernel
# has no labels.
label_rules() {
	local node

	for node in fw1 fw2; do
		lab_in $node nft -f - <<-'END' || skip "no labels in this kernel"
			table inet labels {
				chain f {
					type filter hook forward priority -10;
					ct state new ct label set 3
				}
			}
		END
	done
}

# At fw2 a commit makes it with its label.
comes_with_its_label() {
	ask fw2 -c
	lab_in fw2 "$B/tools/ctset" dump >"$D/table"
	cat "$D/table"
	grep -q labels=0x8 "$D/table"
}

@test "what begins with an update is asked for: a State filter" {
	local only="Filter From Userspace { State Accept { ESTABLISHED } }"

	start_with "${only/ESTABLISHED/ESTABLISHED for TCP}"
	label_rules
	start_server
	start_stream one 10.2.0.10
	lab_in fw1 "$B/tools/ctset" dump | grep -q labels=0x8
	wait_until 10 external_has fw2 dport=5000
	comes_with_its_label
	end_stream one
}

@test "what begins with an update is asked for: after -f internal" {
	start_with ''
	label_rules
	start_server
	start_stream one 10.2.0.10
	wait_until 10 external_has fw2 dport=5000
	ask fw1 -f internal
	ask fw2 -f external
	# its packets make a change that the kernel tells
	lab_in fw1 nft add rule inet labels f ct mark set 5
	wait_until 10 external_has fw2 mark=5
	comes_with_its_label
	end_stream one
}

# ---- which is newer ----

# A binary that $D/hold holds at its requests: see tests/tools/preload/hold.c
make_held() {
	readelf -d "$CONNTRACKD" | grep -q NEEDED || skip "a static binary"
	! has_asan || skip "a binary with ASan"
	mkdir "$D/hold"
	cat >"$D/held" <<-END
		#!/bin/sh
		export LD_PRELOAD=$B/tools/hold.so HOLD=$D/hold
		exec "$CONNTRACKD" "\$@"
	END
	chmod +x "$D/held"
}

is_there() {
	[ -e "$1" ]
}

@test "a row that is older than an event does not undo it" {
	make_held
	start_with '' "$D/held"
	# shellcheck disable=SC2086
	conntrack_in fw1 -I -p tcp $FLOW --dport 80 --state SYN_RECV \
		-u SEEN_REPLY -t 600
	wait_until 10 external_has fw2 SYN_RECV
	touch "$D/hold/dump"
	ask fw1 -R &
	wait_until 10 is_there "$D/hold/before"
	rm "$D/hold/before"
	wait_until 10 is_there "$D/hold/after" # the rows are made
	# shellcheck disable=SC2086
	conntrack_in fw1 -U -p tcp $FLOW --dport 80 --state ESTABLISHED \
		-u ASSURED,SEEN_REPLY
	rm "$D/hold/after"
	wait $!
	internal_has fw1 ESTABLISHED
	wait_until 10 external_has fw2 ESTABLISHED
}

@test "an answer that is older than an event does not end the next life" {
	make_held
	# known by a dump only: asked for once a second
	# shellcheck disable=SC2086
	conntrack_in fw1 -I -p udp $FLOW --dport 53 -t 300
	start_with '' "$D/held"
	touch "$D/hold/get"
	wait_until 10 is_there "$D/hold/before"
	# shellcheck disable=SC2086
	conntrack_in fw1 -D -p udp $FLOW --dport 53
	rm "$D/hold/before"
	wait_until 10 is_there "$D/hold/after" # it is answered: gone
	# shellcheck disable=SC2086
	conntrack_in fw1 -I -p udp $FLOW --dport 53 -t 300 -m 7
	rm "$D/hold/after"
	wait_until 10 internal_has fw1 mark=7
	wait_until 10 external_has fw2 mark=7
	# nothing follows that ends it
	ask fw1 -R
	all_equal
}

events_are() { # VALUE
	[ "$(lab_in fw1 cat /proc/sys/net/netfilter/nf_conntrack_events)" -eq "$1" ]
}

@test "conntrack is set up when its module is surely loaded" {
	events_are 2 || skip "a kernel that reports all ends"
	make_held
	lab_conf fw1 UDP
	# what loads it is the first request at the latest
	touch "$D/hold/dump"
	lab_start fw1 "$D/held" &
	wait_until 10 is_there "$D/hold/before"
	events_are 2
	rm "$D/hold/before"
	wait_until 10 is_there "$D/hold/after"
	rm "$D/hold/after"
	wait $!
	events_are 1
}

@test "marks change while -R reads the table again and again" {
	local n=0

	start_with ''
	load fw1 insert 20000
	wait_until 20 count_is fw2 external 20000
	background fw1 "$D/client.load" "$B/tools/ctload" -m 7 -r 10000 \
		update 20000
	while kill -0 "$bg" 2>/dev/null; do
		ask fw1 -R
		n=$((n + 1))
	done
	echo "# -R: $n times" >&3
	wait_until 10 all_equal
	[ "$(internal fw1 | grep -c mark=7)" -eq 20000 ]
	[ "$(external fw2 | grep -c mark=7)" -eq 20000 ]
}
