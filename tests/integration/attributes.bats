#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Whatever attribute an entry of the kernel has arrives equal at a peer, and
# what a peer sends becomes an equal entry at commit. The entries are those of
# attributes.flows; neither they nor the recording peer pass through a codec
# of the daemon. This kernel does not track DCCP: captured messages instead.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

FLOWS=tests/integration/attributes.flows

# Timeouts are sent; labels are kept by a kernel in which a rule sets one.
prepare() { # [LINE OF Sync]
	for node in fw1 fw2; do
		lab_conf $node UDP
		sed -i '/CommitTimeout/d' "$D/$node.conf"
		[ -z "${1:-}" ] || sed -i "s/^UDP {/$1\n&/" "$D/$node.conf"
		lab_in $node nft -f - <<-END
			table inet attributes {
				chain c {
					type filter hook prerouting priority 0
					iifname none ct label set 1
				}
			}
		END
	done
}

# A recording peer in place of fw2.
start_peer() {
	mkfifo "$D/tell"
	background fw2 "$D/heard" "$B/tools/recpeer" 192.168.100.2 \
		192.168.100.1 3780 "$D/tell"
	wait_until 10 grep -q listening "$D/heard"
}

# What is sent before the peer has answered is sent again.
start_fw1() {
	start_daemon fw1 "$(binary_of ours)"
	wait_until 10 grep -q 'hears us' "$D/fw1.log"
}

tell() { # LINE...
	printf '%s\n' "$@" >"$D/tell"
}

add() { # NODE, lines on stdin
	lab_in "$1" "$B/tools/ctset" add
}

# Link traffic left out: the firewall does not track it, but what the test
# itself does may.
table() { # NODE
	lab_in "$1" "$B/tools/ctset" dump
}

# Compares lines of attributes in any order. Timeouts may have run down by some
# seconds. $3: an expression that makes lines of both comparable, for sed.
same_flows() { # WANTED GOT [SED]
	sed -E "${3:-}" "$1" | sort >"$D/wanted"
	sed -E "${3:-}" "$2" | sort >"$D/got"
	awk -v most=$((30 * LAB_SLOW)) '
		{
			timeout = 0
			if (match($0, / timeout=[0-9]+/)) {
				timeout = substr($0, RSTART + 9, RLENGTH - 9) + 0
				sub(/ timeout=[0-9]+/, " timeout=")
			}
		}
		NR == FNR { want[$0] = timeout; next }
		!($0 in want) { print "+ " $0; bad = 1; next }
		{
			late = want[$0] - timeout
			if (late < -1 || late > most) {
				print "timeout " timeout ", not " want[$0] ": " $0
				bad = 1
			}
			delete want[$0]
		}
		END {
			for (line in want) { print "- " line; bad = 1 }
			exit bad
		}' "$D/wanted" "$D/got"
}

# What the peer has heard of data of this kind, without the kind.
heard() { # KIND
	sed -n "s/^$1 //p" "$D/heard"
}

heard_count() { # KIND COUNT
	[ "$(heard "$1" | wc -l)" -eq "$2" ]
}

nothing_bad() {
	run ! grep -E '^(BAD|NACK)' "$D/heard"
	[ "$(network_stat fw1 'Malformed messages')" -eq 0 ]
}

@test "attributes: what the kernel has arrives equal at a recording peer" {
	prepare
	start_peer
	start_fw1
	add fw1 <"$FLOWS"
	table fw1 >"$D/table"
	same_flows "$FLOWS" "$D/table"
	wait_until 20 heard_count CT_NEW "$(wc -l <"$FLOWS")"
	heard CT_NEW >"$D/new"
	same_flows "$FLOWS" "$D/new"
	lab_in fw1 conntrack -F >/dev/null 2>&1
	# the end tells all that was last known
	wait_until 20 heard_count CT_DEL "$(wc -l <"$FLOWS")"
	heard CT_DEL >"$D/del"
	same_flows "$FLOWS" "$D/del"
	nothing_bad
}

@test "attributes: a RESYNC brings all of them again" {
	prepare
	add fw1 <"$FLOWS"
	start_peer
	start_fw1
	tell RESYNC
	wait_until 20 heard_count CT_NEW "$(wc -l <"$FLOWS")"
	heard CT_NEW >"$D/new"
	same_flows "$FLOWS" "$D/new"
	nothing_bad
}

@test "attributes: what changes is sent with all the rest" {
	prepare
	start_peer
	start_fw1
	add fw1 <"$FLOWS"
	wait_until 20 heard_count CT_NEW "$(wc -l <"$FLOWS")"
	lab_in fw1 "$B/tools/ctset" update <<-END
		ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1002,80 tcp_state=3 status=0xe timeout=900 mark=0x4d seqadj=0x1,2,3,0x4,5,-6 labels=0x1,0x2,0x3,0x4
	END
	wait_until 10 grep -q '^CT_UPD .*port=1002,80 .*mark=0x4d' "$D/heard"
	heard CT_UPD | tail -n 1 >"$D/upd"
	cat >"$D/want" <<-END
		ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1002,80 tcp_state=3 status=0x4e timeout=900 mark=0x4d seqadj=0x1,2,3,0x4,5,-6 labels=0x1,0x2,0x3,0x4 synproxy=0x0,0x0,0x0
	END
	same_flows "$D/want" "$D/upd"
	nothing_bad
}

@test "attributes: what a recording peer sends becomes equal at commit" {
	prepare
	start_peer
	start_fw1
	# what is related comes before its master
	tac "$FLOWS" | sed 's/^/CT_NEW /' >"$D/tell"
	wait_until 20 count_is fw1 external "$(wc -l <"$FLOWS")"
	ask fw1 -c
	table fw1 >"$D/table"
	same_flows "$FLOWS" "$D/table"
	run ! grep "can't be committed" "$D/fw1.log"
	# a second time, over what is there now
	ask fw1 -c
	table fw1 >"$D/table"
	same_flows "$FLOWS" "$D/table"
	run ! grep "can't be committed" "$D/fw1.log"
	sed 's/^/CT_DEL /' "$FLOWS" >"$D/tell"
	wait_until 20 count_is fw1 external 0
	nothing_bad
}

# 212 octets are left for messages: two of an ordinary TCP connection, but not
# one of 220.
@test "attributes: a message larger than the MTU goes alone, and arrives" {
	prepare
	for node in fw1 fw2; do
		ip -n "$P$node" link set sync0 mtu 240
	done
	start_peer
	start_fw1
	cat "$FLOWS" - >"$D/flows" <<-END
		ipv6=fd00:1::10,fd00:2::99 l4proto=6 port=1009,8080 tcp_state=3 status=0x21fe timeout=609 mark=0x7 spat_port=61000 dpat_port=80 seqadj=0x1020304,5,6,0xa0b0c0d,-2,8 helper=ftp labels=0x1,0x2,0x3,0x4 snat_ipv6=fd00:2::1 dnat_ipv6=fd00:2::10 synproxy=0x0,0x0,0x0
	END
	add fw1 <"$D/flows"
	wait_until 20 heard_count CT_NEW "$(wc -l <"$D/flows")"
	heard CT_NEW >"$D/new"
	same_flows "$D/flows" "$D/new"
	nothing_bad
	heard DATAGRAM | sort -n | uniq -c
	heard DATAGRAM | awk '
		$1 > 212 && $2 == 1 { large = 1 }
		$1 > 212 && $2 > 1 { bad = 1 }
		$2 > 1 { several = 1 }
		END { exit bad || !large || !several }'
}

@test "attributes: window scales, with TCPWindowTracking on, both ways" {
	prepare 'Options {\nTCPWindowTracking on\n}'
	start_peer
	start_fw1
	grep ' tcp_state=3 ' "$FLOWS" | grep -v master | sed -E \
		's/ (helper|labels|snat_ipv6|dnat_ipv6|synproxy)=/ wscale_orig=7 wscale_repl=14&/' \
		>"$D/scaled"
	add fw1 <"$D/scaled"
	wait_until 20 heard_count CT_NEW "$(wc -l <"$D/scaled")"
	heard CT_NEW >"$D/new"
	same_flows "$D/scaled" "$D/new"
	lab_in fw1 conntrack -F >/dev/null 2>&1
	sed 's/^/CT_NEW /' "$D/scaled" >"$D/tell"
	wait_until 20 count_is fw1 external "$(wc -l <"$D/scaled")"
	ask fw1 -c
	table fw1 >"$D/table"
	same_flows "$D/scaled" "$D/table"
	run ! grep "can't be committed" "$D/fw1.log"
	nothing_bad
}

@test "attributes: bits that belong to the sender are not committed" {
	prepare
	start_peer
	start_fw1
	# DYING; OFFLOAD and HW_OFFLOAD, without timeout and state; TEMPLATE
	# and NAT_CLASH; EXPECTED without a master
	tell "CT_NEW ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1,80 tcp_state=3 status=0x20e timeout=600" \
		"CT_NEW ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=2,80 status=0xc00e" \
		"CT_NEW ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=3,80 status=0x400e" \
		"CT_NEW ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=4,80 status=0x180e timeout=600" \
		"CT_NEW ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=5,80 status=0xf timeout=600" \
		"CT_NEW ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=6,80 status=0xe"
	wait_until 20 count_is fw1 external 6
	ask fw1 -c
	cat >"$D/want" <<-END
		ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1,80 tcp_state=3 status=0xe timeout=600 mark=0x0 synproxy=0x0,0x0,0x0
		ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=2,80 tcp_state=3 status=0xe timeout=86400 mark=0x0 synproxy=0x0,0x0,0x0
		ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=3,80 status=0xe timeout=120 mark=0x0 synproxy=0x0,0x0,0x0
		ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=4,80 status=0xe timeout=600 mark=0x0 synproxy=0x0,0x0,0x0
		ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=5,80 status=0xe timeout=600 mark=0x0 synproxy=0x0,0x0,0x0
		ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=6,80 status=0xe timeout=60 mark=0x0 synproxy=0x0,0x0,0x0
	END
	table fw1 >"$D/table"
	same_flows "$D/want" "$D/table"
	run ! grep "can't be committed" "$D/fw1.log"
	nothing_bad
}

@test "attributes: captured messages of DCCP and of others are taken" {
	prepare
	start_peer
	start_fw1
	for file in tests/golden/wire/ct-new-*.hex; do
		tell "hex $PWD/$file"
	done
	wait_until 20 external_has fw1 '^dccp +33 .*OPEN src=192\.0\.2\.1 '
	external_has fw1 '^dccp +33 .*PARTOPEN src=2001:db8::1 '
	external_has fw1 '^sctp +132 .*ESTABLISHED src=192\.0\.2\.1 '
	# a kernel without DCCP keeps neither ports nor state; the masters of
	# some others are unknown here, and the helper of one
	ask fw1 -c || true
	run ! grep 'not supported' "$D/fw1.log"
	table fw1 >"$D/table"
	grep '^ipv4=192.0.2.1,198.51.100.2 l4proto=33 ' "$D/table"
	grep '^ipv6=2001:db8::1,2001:db8:1::2 l4proto=33 ' "$D/table"
	nothing_bad
}

# ---- a reference node ----

# Two daemons without CommitTimeout.
start_two() { # OF_FW1 OF_FW2
	need_reference
	prepare
	start_both "$1" "$2"
}

# The reference keeps keys of GRE and ports of UDP-Lite to itself, at sending
# and at commit.
PORTLESS='s/ l4proto=(47|136) port=[0-9,]*/ l4proto=\1/'

# At commit it damages the first tag of SCTP, and forgets its translated port.
SCTP='/ l4proto=132 /s/ (spat_port|sctp_vtag_orig)=[^ ]*//g'

none_malformed() {
	[ "$(network_stat fw1 'Malformed messages')" -eq 0 ]
	[ "$(network_stat fw2 'Malformed messages')" -eq 0 ]
}

@test "attributes: ours to the reference, its dump and its commit" {
	start_two ours ref
	add fw1 <"$FLOWS"
	wait_until 20 count_is fw2 external "$(wc -l <"$FLOWS")"
	ask fw2 -e -x >"$D/xml"
	# a line for each entry; what the form shows of it
	for has in '<sport>1005</sport>.*<state>ESTABLISHED</state>' \
		'<src>fd00:1::10</src>' 'protoname="sctp"' \
		'protoname="icmpv6"' '<zone>513</zone>' \
		'<helper>ftp</helper>' '<mark>3735928559</mark>'; do
		grep -Eq "$has" "$D/xml" || echo "missing: $has"
		grep -Eq "$has" "$D/xml"
	done
	ask fw2 -c
	table fw2 >"$D/table"
	same_flows "$FLOWS" "$D/table" "$PORTLESS;$SCTP"
	none_malformed
}

@test "attributes: the reference to ours, and our commit" {
	start_two ref ours
	add fw1 <"$FLOWS"
	wait_until 20 count_is fw2 external "$(wc -l <"$FLOWS")"
	ask fw2 -c
	table fw2 >"$D/table"
	same_flows "$FLOWS" "$D/table" "$PORTLESS"
	none_malformed
}
