#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# FTP in active mode behind source NAT: the kernel's helper writes another
# address into the control connection, of another length. The sequence numbers
# that are shifted by that must survive the first firewall.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

rules() { # NODE: the helper, which Linux gives to nobody by itself
	lab_in "$1" nft -f - <<-END
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
}

start_ftp() {
	# where they are modules; no rule asks for the second by itself
	modprobe -q -a nf_conntrack_ftp nf_nat_ftp || :
	rules fw1
	rules fw2
	background srv "$D/ftp.server" "$B/tools/ftp" server
	wait_until 10 grep -q listening "$D/ftp.server"
	mkfifo "$D/tell"
	background cl "$D/client.ftp" "$B/tools/ftp" client 10.1.0.10 \
		10.2.0.10 "$D/tell"
	client=$bg
	wait_until 10 grep -q connected "$D/client.ftp"
}

# Has the client do something; returns when it has succeeded.
ftp() { # LINE
	echo "$1" >"$D/tell"
	wait_until 20 done_or_dead "$1"
	grep -q "^$1 ok" "$D/client.ftp"
}

done_or_dead() { # LINE
	grep -q "^$1 ok" "$D/client.ftp" || ! kill -0 "$client" 2>/dev/null
}

control_line() { # NODE: the control connection as the kernel has it
	lab_in "$1" "$B/tools/ctset" dump | grep ' port=[0-9]*,21 '
}

seqadj_of() { # NODE
	control_line "$1" | sed -n 's/.* seqadj=\([^ ]*\) .*/\1/p'
}

# Commits until the entry has all that fw1 had: a commit is all that shows what
# the external cache knows of it.
fw2_has_adjustment() {
	ask fw2 -c
	[ "$(seqadj_of fw2)" = "$want" ]
}

fail_over() {
	kill -9 "$pid_fw1"
	lab_cut fw1
	ask fw2 -c
	lab_vip fw2
}

shifted() { # what fw1 has now, and that it is a shift at all
	want=$(seqadj_of fw1)
	echo "seqadj $want"
	[ -n "$want" ]
	[[ $want != *,0,0,*,0,0 ]]
}

survive() { # OF_FW1 OF_FW2 LINK
	start_pair "$@"
	start_ftp
	ftp 'noop one'
	ftp 'get 100000'
	shifted
	# the second PORT moves the numbers on, and no event tells of it
	ftp 'get 2000'
	ftp 'hold'
	ftp 'ping first'
	shifted
	wait_until 10 fw2_has_adjustment
	fail_over
	ftp 'noop two'
	ftp 'ping second'
	ftp 'get 30000'
	ftp 'noop three'
	ftp 'get 300'
	ftp 'ping third'
	# what it said on the way, in the server's words
	run -0 grep -c '^PORT 10,2,0,1,' "$D/ftp.server"
	[ "$output" -eq 5 ]
	run ! grep 'PORT 10,1' "$D/ftp.server"
	# the held connection is related to its master, in the kernel of fw2
	lab_in fw2 "$B/tools/ctset" dump >"$D/table"
	cat "$D/table"
	grep -q 'master_ipv4=10.1.0.10,10.2.0.10 master_l4proto=6 master_port=[0-9]*,21 .*dnat_ipv4=10.1.0.10' \
		"$D/table"
	grep ' port=[0-9]*,21 ' "$D/table" | grep -q 'helper=ftp'
	run ! grep "can't be committed" "$D/fw2.log"
}

@test "ftp: the control connection survives, ours to ours" {
	survive ours ours Multicast
}

@test "ftp: the control connection survives, ours to the reference" {
	survive ours ref UDP
}

@test "ftp: numbers shifted with no data connection to tell of it" {
	start_pair ours ours UDP
	start_ftp
	# the helper reads no line before it has seen the end of one
	ftp 'noop one'
	ftp 'get 10'
	shifted
	wait_until 10 fw2_has_adjustment
	# one more that it shifts, and the data connection is lost
	lab_in fw1 nft add table ip lab_block
	lab_in fw1 nft add chain ip lab_block c \
		'{ type filter hook forward priority -1; }'
	lab_in fw1 nft add rule ip lab_block c ip saddr 10.2.0.10 tcp flags \
		'& (syn|ack) == syn' drop
	echo 'get 20' >"$D/tell"
	before=$want
	wait_until 10 moved_on
	wait_until 10 fw2_has_adjustment
}

moved_on() {
	want=$(seqadj_of fw1)
	[ -n "$want" ] && [ "$want" != "$before" ]
}

# With a State filter the data connection is told without its master, so that
# it is expected at fw1 and not at fw2.
@test "ftp: what was expected at the peer is committed as often as one likes" {
	local node

	for node in fw1 fw2; do
		lab_conf $node UDP
		sed -i '/Filter From Userspace/a State Accept { ESTABLISHED for TCP }' \
			"$D/$node.conf"
	done
	start_both ours ours
	start_ftp
	ftp 'noop one'
	ftp 'hold'
	ftp 'ping one'
	wait_until 10 count_is fw2 external 2
	for _ in 1 2 3; do
		ask fw2 -c
	done
	[ "$(kernel fw2 | grep -c ESTABLISHED)" -eq 2 ]
	run ! grep "can't be committed" "$D/fw2.log"
}
