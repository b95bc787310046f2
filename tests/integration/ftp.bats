#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# FTP through NAT: the kernel's helper writes another address into the control
# connection, of another length, and expects the data connection. The sequence
# numbers that are shifted by that must survive the first firewall, and so must
# what it expects.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/expect.bash
. "$BATS_TEST_DIRNAME/expect.bash"

start_ftp() {
	use_helper ftp tcp 21
	start_ftp_server
	start_ftp_client main 10.2.0.10 port
}

ftp() { # LINE
	ftp_of main "$1"
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
	echo 'get 20' >"$D/tell.main"
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

# ---- the next data connection ----

# One client for each way to negotiate: the server connects to translated clients,
# and clients connect to a server behind translation of either side.
FTP_NAT="port:10.2.0.10 eprt:10.2.0.10 pasv:10.1.0.1 epsv:10.1.0.1
	eprt:fd00:2::10 epsv:fd00:1::1"
# The reference gives a kernel neither translation nor function of what is
# expected: this is what it can do.
FTP_PLAIN="port:10.2.0.10 eprt:10.2.0.10 pasv:10.2.0.10 epsv:10.2.0.10
	eprt:fd00:2::10 epsv:fd00:2::10"

start_clients() { # MODE:ADDRESS...
	local what

	names=()
	for what; do
		names+=("c${#names[@]}_${what%%:*}")
		start_ftp_client "${names[-1]}" "${what#*:}" "${what%%:*}"
	done
}

all_ftp() { # LINE
	local name

	for name in "${names[@]}"; do
		ftp_of "$name" "$1"
	done
}

# Kernel and shifts alike; a reference learns of shifts from a dump only.
fw2_knows_it_all() { # WAY
	local where=kernel

	if [ "$1" = commit ]; then
		ask fw2 -c ct
		where=-e
	fi
	expected_are fw2 "$where" "${#names[@]}" || return 1
	[ "$(shifts fw2)" = "$(shifts fw1)" ]
}

negotiated() { # OF_FW1 OF_FW2 MODE WAY
	local what=$FTP_NAT

	start_expecting "$1" "$2" UDP "$3" "$4"
	use_helper ftp tcp 21
	if [ "$bin_fw2" = "$REFERENCE" ]; then
		what=$FTP_PLAIN
		no_nat
	fi
	start_ftp_server
	# shellcheck disable=SC2086 # words
	start_clients $what
	all_ftp 'noop one'
	all_ftp 'offer'
	kernel_expects fw1
	expected_are fw1 kernel "${#names[@]}"
	tell_again
	wait_until 10 fw2_knows_it_all "$4"
	fail_over
	all_ftp 'get 30000'
	# and what the helper of the second firewall expects
	all_ftp 'noop two'
	all_ftp 'get 300'
	run ! grep "can't be committed" "$D/fw2.log"
}

# "ftp: MODE, PAIR, commit|direct: ..."
negotiated_of_name() {
	local words pair way

	IFS=, read -r words pair way <<<"${BATS_TEST_DESCRIPTION#ftp: }"
	way=${way#* }
	case $pair in
	" ours to ours") set -- ours ours ;;
	" ours to the reference") set -- ours ref ;;
	" the reference to ours") set -- ref ours ;;
	esac
	negotiated "$1" "$2" "$words" "${way%%:*}"
}

@test "ftp: FTFW, ours to ours, commit: what was negotiated before is opened after" {
	negotiated_of_name
}

@test "ftp: FTFW, ours to ours, direct: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: FTFW, ours to the reference, commit: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: FTFW, ours to the reference, direct: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: FTFW, the reference to ours, commit: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: FTFW, the reference to ours, direct: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: NOTRACK, ours to ours, commit: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: NOTRACK, ours to ours, direct: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: NOTRACK, ours to the reference, commit: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: NOTRACK, ours to the reference, direct: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: NOTRACK, the reference to ours, commit: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}

@test "ftp: NOTRACK, the reference to ours, direct: what was negotiated before is opened after" {
	full_only
	negotiated_of_name
}
