#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What other helpers than FTP's expect, negotiated through NAT before the primary
# dies and used after it: TFTP, SIP.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/expect.bash
. "$BATS_TEST_DIRNAME/expect.bash"

# ---- who talks ----

# A socket; its output in $D/client.NAME.
start_socket() { # NAME NODE PORT [-6]
	mkfifo "$D/tell.$1"
	# shellcheck disable=SC2086 # none or a word
	background "$2" "$D/client.$1" "$B/tools/datagram" ${4:-} "$3" \
		"$D/tell.$1"
	wait_until 10 grep -q ready "$D/client.$1"
}

tell_socket() { # NAME ADDRESS PORT TEXT
	echo "$2 $3 $4" >"$D/tell.$1"
}

# Waits until it has heard something.
hears() { # NAME PATTERN
	wait_until 10 grep -Eq "^from $2" "$D/client.$1"
}

# ---- take-over ----

# All that the primary expects.
fw2_expects_it() { # WAY
	local where=kernel

	[ "$1" != commit ] || where=-e
	expected_are fw2 $where "$(n_expected fw1 kernel)" &&
		count_at_fw2 "$1"
}

# With their masters.
count_at_fw2() { # WAY
	[ "$1" = commit ] || {
		kernel fw1 | keys >"$D/want"
		kernel fw2 | keys >"$D/got"
		same_lines "$D/want" "$D/got" >/dev/null
	}
}

fail_over() {
	kill -9 "$pid_fw1"
	lab_cut fw1
	ask fw2 -c
	lab_vip fw2
}

# Both firewalls, a helper. Sets where the server finds the client, by family.
start_helping() { # OF_FW1 OF_FW2 MODE WAY NAME PROTOCOL PORT
	start_expecting "$1" "$2" UDP "$3" "$4"
	way=$4
	shift 4
	use_helper "$@"
	seen4=10.2.0.1 seen6=fd00:2::1
	if [ "$bin_fw2" = "$REFERENCE" ]; then
		# it does not translate what is expected
		no_nat
		seen4=10.1.0.10 seen6=fd00:1::10
	fi
}

take_over() { # COUNT
	kernel_expects fw1
	expected_are fw1 kernel "$1"
	tell_again
	wait_until 10 fw2_expects_it "$way"
	fail_over
	run ! grep "can't be committed" "$D/fw2.log"
}

# "HELPER: MODE, PAIR, commit|direct: ..."
of_name() { # FUNCTION
	local mode pair way

	IFS=, read -r mode pair way <<<"${BATS_TEST_DESCRIPTION#*: }"
	way=${way#* }
	case $pair in
	" ours to ours") set -- "$1" ours ours ;;
	" ours to the reference") set -- "$1" ours ref ;;
	" the reference to ours") set -- "$1" ref ours ;;
	esac
	"$@" "$mode" "${way%%:*}"
}

# ---- TFTP ----

# The server answers a request from another port.
tftp() { # OF_FW1 OF_FW2 MODE WAY
	start_helping "$@" tftp udp 69
	start_socket ask4 cl 4000
	start_socket ask6 cl 4006 -6
	start_socket server4 srv 69
	start_socket server6 srv 69 -6
	start_socket data4 srv 7000
	start_socket data6 srv 7006 -6
	tell_socket ask4 10.2.0.10 69 '\0\1file\0octet\0'
	tell_socket ask6 fd00:2::10 69 '\0\1file\0octet\0'
	hears server4 "$seen4 4000 "
	hears server6 "$seen6 4006 "
	take_over 2
	tell_socket data4 $seen4 4000 '\0\3\0\1data'
	tell_socket data6 $seen6 4006 '\0\3\0\1data'
	hears ask4 '10.2.0.10 7000 .*data'
	hears ask6 'fd00:2::10 7006 .*data'
	# and the answer goes the same way
	tell_socket ask4 10.2.0.10 7000 '\0\4\0\1'
	hears data4 "$seen4 4000 "
}

# ---- SIP ----

# None with a reference as the second: it leaves out the class, and of the kernel's
# first class a connection has one expectation only. None of PPTP either: its GRE
# goes by keys that Linux learns from the control connection, and tells nobody.

# A message of the one at ADDRESS, who asks for media at PORT there.
sip() { # FIRST_LINE VIA FAMILY ADDRESS PORT
	local body host=$4

	[ "$3" = IP4 ] || host="[$4]"
	body="v=0\r\no=a 1 1 IN $3 $4\r\ns=-\r\nc=IN $3 $4\r\nt=0 0\r\n"
	body+="m=audio $5 RTP/AVP 0\r\n"
	printf '%s' "$1\r\nVia: SIP/2.0/UDP $2:5060;branch=z9hG4bK1\r\n" \
		'From: <sip:a@x.org>;tag=1\r\nTo: <sip:b@x.org>\r\n' \
		'Call-ID: 1@x.org\r\nCSeq: 1 INVITE\r\n' \
		"Contact: <sip:a@$host:5060>\r\n" \
		'Content-Type: application/sdp\r\n' \
		"Content-Length: $(printf '%b' "$body" | wc -c)\r\n\r\n$body"
}

# Where what a socket has heard asks for media.
media_port() { # NAME
	sed -n 's/.*m=audio \([0-9]*\) .*/\1/p' "$D/client.$1" | tail -n 1
}

# Names the sockets of a call by family.
start_call() { # 4|6 CLIENT SERVER SEEN
	local n=$1 family=IP$1 client=$2 server=$3 option='' to=$3

	[ "$n" = 4 ] || option=-6 to="[$3]"
	start_socket "phone$n" cl 5060 $option
	start_socket "media$n" cl 4000 $option
	start_socket "called$n" srv 5060 $option
	start_socket "stream$n" srv 6000 $option
	tell_socket "phone$n" "$server" 5060 \
		"$(sip "INVITE sip:b@$to SIP/2.0" "$2" "$family" "$client" 4000)"
	hears "called$n" "$4 5060 INVITE"
	grep -q "c=IN $family $4" "$D/client.called$n"
	# its own media; the answer goes back to where the call came from
	tell_socket "called$n" "$4" 5060 \
		"$(sip "SIP/2.0 200 OK" "$4" "$family" "$server" 6000)"
	hears "phone$n" "$server 5060 SIP/2.0 200 OK"
}

# Media of the called side are the first; then those of the other.
media_flow() { # 4|6 SERVER SEEN
	local port

	port=$(media_port "called$1")
	tell_socket "stream$1" "$3" "$port" rtp
	hears "media$1" "$2 6000 rtp"
	tell_socket "media$1" "$2" 6000 reply
	hears "stream$1" "$3 $port reply"
	tell_socket "media$1" "$2" 6000 more
	hears "stream$1" "$3 $port more"
}

sip_call() { # OF_FW1 OF_FW2 MODE WAY
	start_helping "$@" sip udp 5060
	start_call 4 10.1.0.10 10.2.0.10 $seen4
	start_call 6 fd00:1::10 fd00:2::10 $seen6
	# for each family and side, media and their control
	take_over 8
	media_flow 4 10.2.0.10 $seen4
	# nor does a reference tell what an IPv6 address was translated from
	[ "$bin_fw1" = "$REFERENCE" ] || media_flow 6 fd00:2::10 $seen6
}

@test "tftp: FTFW, ours to ours, commit: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: FTFW, ours to ours, direct: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: FTFW, ours to the reference, commit: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: FTFW, ours to the reference, direct: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: FTFW, the reference to ours, commit: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: FTFW, the reference to ours, direct: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: NOTRACK, ours to ours, commit: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: NOTRACK, ours to ours, direct: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: NOTRACK, ours to the reference, commit: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: NOTRACK, ours to the reference, direct: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: NOTRACK, the reference to ours, commit: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "tftp: NOTRACK, the reference to ours, direct: what was asked for before comes after" {
	full_only
	of_name tftp
}

@test "sip: FTFW, ours to ours, commit: what was asked for before comes after" {
	full_only
	of_name sip_call
}

@test "sip: FTFW, ours to ours, direct: what was asked for before comes after" {
	full_only
	of_name sip_call
}

@test "sip: FTFW, the reference to ours, commit: what was asked for before comes after" {
	full_only
	of_name sip_call
}

@test "sip: FTFW, the reference to ours, direct: what was asked for before comes after" {
	full_only
	of_name sip_call
}

@test "sip: NOTRACK, ours to ours, commit: what was asked for before comes after" {
	full_only
	of_name sip_call
}

@test "sip: NOTRACK, ours to ours, direct: what was asked for before comes after" {
	full_only
	of_name sip_call
}

@test "sip: NOTRACK, the reference to ours, commit: what was asked for before comes after" {
	full_only
	of_name sip_call
}

@test "sip: NOTRACK, the reference to ours, direct: what was asked for before comes after" {
	full_only
	of_name sip_call
}
