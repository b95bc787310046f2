#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Expectations that no helper makes but a tool: with every attribute, in a zone,
# of some helpers only; how they end; peers and caches that are not there.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/expect.bash
. "$BATS_TEST_DIRNAME/expect.bash"

# Where the backup has them.
where_is() { # WAY
	where=kernel
	[ "$1" != commit ] || where=-e
}

caches_agree() {
	cache_expects fw1 -i >"$D/want"
	cache_expects fw2 -e >"$D/got"
	same_lines "$D/want" "$D/got"
}

# Two programs name the keys of GRE otherwise.
internal_is_right() {
	kernel_expects fw1 | grep -v proto=47 >"$D/want"
	cache_expects fw1 -i | grep -v proto=47 >"$D/got"
	same_lines "$D/want" "$D/got"
}

# ---- attributes ----

attributes() { # OF_FW1 OF_FW2 MODE WAY
	start_expecting "$1" "$2" Multicast "$3" "$4"
	where_is "$4"
	add_some fw1
	wait_until 10 expected_are fw2 $where $n_some
	ask fw2 -c
	kernels_expect_the_same
	# they are replaced as often as one likes
	ask fw2 -c
	ask fw2 -c
	kernels_expect_the_same
	run ! grep "can't be committed" "$D/fw2.log"
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
}

@test "every attribute arrives in the peer's kernel, commit" {
	is_reference && skip "it leaves out class, translation and function"
	attributes ours ours FTFW commit
}

@test "every attribute arrives in the peer's kernel, direct" {
	full_only
	is_reference && skip "it leaves out class, translation and function"
	attributes ours ours FTFW direct
}

@test "every attribute arrives in the peer's kernel, NOTRACK" {
	full_only
	is_reference && skip "it leaves out class, translation and function"
	attributes ours ours NOTRACK commit
}

# A reference sends no IPv6 address of a translation.
@test "attributes that a reference sends arrive in our kernel" {
	full_only
	is_reference && skip "it leaves out class, translation and function"
	start_expecting ref ours Multicast FTFW commit
	add_some fw1
	wait_until 10 expected_are fw2 -e $n_some
	ask fw2 -c
	full_expectations fw1 | sed 's/ nat-src=fd[^ ]*/ nat-src=::/' >"$D/want"
	full_expectations fw2 >"$D/got"
	same_lines "$D/want" "$D/got"
}

@test "attributes that we send arrive at a reference" {
	full_only
	start_expecting ours ref Multicast FTFW commit
	add_some fw1
	wait_until 10 expected_are fw2 -e $n_some
	caches_agree
	ask fw2 -c
	[ "$(kernel_expects fw2 | grep -v helper=sip)" = \
		"$(kernel_expects fw1 | grep -v helper=sip)" ]
	[ "$(network_stat fw2 'Malformed messages')" -eq 0 ]
}

# The kernel tells no zone of an expectation: it is its master's.
@test "an expectation of a master in a zone arrives in that zone" {
	is_reference && skip "it never sends them"
	start_expecting ours ours UDP FTFW commit
	echo "ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=3003,21 tcp_state=3" \
		"status=0xe timeout=600 zone=5 helper=ftp" \
		"synproxy=0x0,0x0,0x0" | add_masters fw1
	expects 6 10.1.0.10 10.2.0.10 3003 21 10.1.0.10 50000 helper=ftp \
		zone=5 >"$D/in_zone"
	add_expectations fw1 <"$D/in_zone"
	wait_until 10 expected_are fw2 -e 1
	ask fw2 -e expect | grep -q ' zone=5 '
	ask fw2 -c
	expected_are fw2 kernel 1
	# and not in another
	run -1 del_expectations fw2 < <(sed 's/ zone=5//' "$D/in_zone")
	del_expectations fw2 <"$D/in_zone"
	del_expectations fw1 <"$D/in_zone"
	wait_until 10 expected_are fw2 -e 0
}

# ---- which ----

@test "only what the helpers of the list expect is told" {
	full_only
	start_expecting ours ours UDP FTFW commit SIP
	add_some fw1
	wait_until 10 expected_are fw2 -e 1
	cache_expects fw2 -e | grep -q helper=sip
	expected_are fw1 -i 1
	ask fw1 -R expect
	ask fw1 -B
	caches_agree
}

@test "what a filter keeps back as a flow has no expectations either" {
	full_only
	is_reference && skip "its filter is the internal cache, the same here"
	expect_conf fw1 UDP FTFW commit
	expect_conf fw2 UDP FTFW commit
	sed -i 's/IPv4_address 127.0.0.1/&\nIPv4_address 10.1.0.10/' \
		"$D/fw1.conf"
	start_both ours ours
	add_some fw1
	wait_until 10 expected_are fw2 -e 1
	cache_expects fw2 -e | grep -q fd00:1::10
}

# ---- the end ----

ends() { # WAY
	start_expecting ours ours UDP FTFW "$1"
	where_is "$1"
	add_some fw1
	# of this helper's the kernel waits for three seconds only
	echo "ipv4=10.1.0.10,10.2.0.10 l4proto=17 port=137,137 status=0xe" \
		"timeout=600 helper=netbios-ns" | add_masters fw1
	expects 17 10.1.0.10 10.2.0.10 137 137 10.1.0.10 50005 \
		helper=netbios-ns | add_expectations fw1
	wait_until 10 expected_are fw2 $where $((n_some + 1))
	wait_until 20 expected_are fw1 kernel $n_some
	wait_until 10 expected_are fw2 $where $n_some
	# somebody deletes it
	some_expectations | head -n 1 | del_expectations fw1
	wait_until 10 expected_are fw2 $where $((n_some - 1))
	# its master ends
	lab_in fw1 conntrack -D -p udp --orig-port-src 5060 >/dev/null 2>&1
	wait_until 10 expected_are fw2 $where $((n_some - 2))
	internal_is_right
}

@test "what is expected no longer ends at the peer" {
	full_only
	ends commit
}

@test "what is expected no longer ends in the peer's kernel" {
	full_only
	ends direct
}

@test "what has come is expected no longer, at the peer either" {
	full_only
	start_expecting ours ours UDP FTFW commit
	use_helper ftp tcp 21
	start_ftp_server
	start_ftp_client main 10.2.0.10 port
	# the helper reads no line before it has seen the end of one
	ftp_of main 'noop one'
	ftp_of main offer
	wait_until 10 expected_are fw2 -e 1
	ftp_of main 'get 10'
	expected_are fw1 kernel 0
	wait_until 10 expected_are fw2 -e 0
}

# ---- what is not there ----

@test "expectations without an internal cache" {
	full_only
	is_reference && skip "it sends none"
	expect_conf fw1 UDP NOTRACK commit
	expect_conf fw2 UDP NOTRACK commit
	sed -i '/^Mode /a DisableInternalCache yes' "$D/fw1.conf"
	start_both ours ours
	add_some fw1
	wait_until 10 expected_are fw2 -e $n_some
	ask fw2 -c
	kernels_expect_the_same
	some_expectations | del_expectations fw1
	wait_until 10 expected_are fw2 -e 0
	# again, with one that was there before
	some_expectations | add_expectations fw1
	wait_until 10 expected_are fw2 -e $n_some
	ask fw1 -s expect
}

@test "expectations of a kernel that is polled" {
	full_only
	is_reference && skip "it sends none"
	LAB_POLL=1 expect_conf fw1 UDP FTFW commit
	expect_conf fw2 UDP FTFW commit
	start_both ours ours
	add_some fw1
	wait_until 10 expected_are fw2 -e $n_some
	internal_is_right
	ask fw2 -c
	kernels_expect_the_same
	some_expectations | del_expectations fw1
	wait_until 10 expected_are fw2 -e 0
}

not_harmed() { # OF_FW2
	case $1 in ref) need_reference ;; esac
	expect_conf fw1 UDP FTFW commit
	lab_conf fw2 UDP
	start_both ours "$1"
	add_some fw1
	wait_until 10 count_is fw2 external $n_some
	ask fw1 -B
	load fw1 insert 10
	wait_until 10 count_is fw2 external $((n_some + 10))
	run -0 ask fw2 -e expect
	[ -z "$output" ]
	ask fw2 -c
	[ "$(network_stat fw2 'Malformed messages')" -eq 0 ]
	expected_are fw2 kernel 0
}

@test "a peer without ExpectationSync is not harmed, ours" {
	full_only
	not_harmed ours
}

@test "a peer without ExpectationSync is not harmed, a reference" {
	full_only
	not_harmed ref
}

@test "a peer that starts later learns what is expected" {
	full_only
	expect_conf fw1 UDP FTFW commit
	expect_conf fw2 UDP FTFW commit
	start_daemon fw1 "$CONNTRACKD"
	add_some fw1
	start_daemon fw2 "$CONNTRACKD"
	wait_until 10 have_met
	ask fw2 -n
	wait_until 10 expected_are fw2 -e $n_some
	# and so does a primary that starts when there are some
	kill -9 "$pid_fw1"
	rm -f "$D/fw1.lock" "$D/fw1.sock"
	start_daemon fw1 "$CONNTRACKD"
	expected_are fw1 -i $n_some
}
