#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# PollSecs: no events are read; the kernel's table is looked at every so many
# seconds, and the peers are told what differs.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash
# shellcheck source=tests/integration/matrix.bash
. tests/integration/matrix.bash

export LAB_POLL=1

# Most are not for `make check`: those make no lab.
setup() {
	:
}

make_lab() {
	lab_names ctlab
	lab_up
}

counter() { # NODE NAME
	ask "$1" -s counters | awk -v n="conntrackd_$2" '$1 == n { print $2 }'
}

# Polls that fw1 has begun after this was called.
polls_more() { # COUNT
	local end

	end=$(($(counter fw1 kernel_polls_total) + $1))
	wait_until $((10 * $1)) has_polled "$end"
}

has_polled() { # COUNT
	[ "$(counter fw1 kernel_polls_total)" -ge "$1" ]
}

all_equal() {
	internal_is_kernel fw1 && external_is_kernel fw2 fw1
}

# Both poll, but for the peer's mode of events, which its own table decides.
start_polled() { # OF_FW1 OF_FW2 LINK
	make_lab
	lab_ctl fw1 net.netfilter.nf_conntrack_events=2
	start_pair "$@"
}

# ---- what is told ----

@test "poll: what is new, changed or gone is told, and nothing else" {
	start_polled ours ours UDP
	grep -q 'running in polling mode' "$D/fw1.log"
	run ! grep -q 'event socket\|event filtering\|nf_conntrack_events' \
		"$D/fw1.log"
	load fw1 insert 1000
	wait_until 10 told_is 1000 0 0
	load fw1 -m 7 update 100
	load fw1 -f 100 delete 100
	load fw1 -f 1000 insert 100
	wait_until 10 told_is 1100 100 100
	all_equal
	[ "$(external fw2 | grep -c 'mark=7\b')" -eq 100 ]
	# time goes by, which is no news
	polls_more 2
	told_is 1100 100 100
	[ "$(counter fw1 kernel_events_total)" -eq 0 ]
	[ "$(lab_in fw1 cat /proc/sys/net/netfilter/nf_conntrack_events)" -eq 2 ]
}

@test "poll: -f, -R and -F: what is flushed from the kernel ends by -R" {
	full_only
	start_polled ours ours UDP
	load fw1 insert 1000
	wait_until 10 told_is 1000 0 0
	ask fw1 -f internal
	wait_until 10 count_is fw1 internal 1000
	all_equal
	ask fw1 -F
	[ "$(kernel fw1 | wc -l)" -eq 0 ]
	polls_more 3
	count_is fw1 internal 1000
	count_is fw2 external 1000
	ask fw1 -R
	count_is fw1 internal 0
	wait_until 10 count_is fw2 external 0
	load fw1 insert 10
	ask fw1 -R
	count_is fw1 internal 10
	wait_until 10 count_is fw2 external 10
}

@test "poll: what is committed is its node's own" {
	full_only
	make_lab
	start_pair ours ours UDP
	load fw1 insert 1000
	wait_until 10 count_is fw2 external 1000
	ask fw2 -c
	wait_until 10 count_is fw2 internal 1000
	internal_is_kernel fw2
	wait_until 10 count_is fw1 external 1000
	# who has told first owns them no less
	load fw1 delete 1000
	wait_until 10 count_is fw2 external 0
	count_is fw2 internal 1000
}

@test "poll: a NAT'd flow, the State filter, own links" {
	full_only
	make_lab
	LAB_SYNC=tracked lab_rules fw1
	LAB_FILTER=none lab_conf fw1 UDP
	LAB_FILTER=none lab_conf fw2 UDP
	sed -i 's/^General {/&\nFilter From Userspace {\nState Accept { ESTABLISHED for TCP }\n}/' \
		"$D/fw1.conf"
	start_both ours ours
	start_server
	start_stream one 10.2.0.10
	wait_until 10 external_has fw2 "dport=5000 .*ASSURED"
	internal_has fw1 "sport=$(stream_port one) .*dst=10.2.0.1 "
	polls_more 2
	run ! internal_has fw1 '192\.168\.100'
	end_stream one
}

# ---- direct injection ----

both_have() { # COUNT
	local node

	for node in fw1 fw2; do
		[ "$(kernel $node | wc -l)" -eq "$1" ] || return 1
	done
}

start_direct() {
	local node

	make_lab
	for node in fw1 fw2; do
		lab_conf $node UDP
		sed -i 's/CommitTimeout .*/DisableExternalCache yes/' \
			"$D/$node.conf"
	done
	start_both ours ours
	wait_until 10 grep -q 'has all of the bulk' "$D/fw1.log"
	wait_until 10 grep -q 'has all of the bulk' "$D/fw2.log"
}

injections() { # NODE: operations of its kernel, for peers
	ask "$1" -s counters |
		awk '/^conntrackd_injected_(created|updated|destroyed)_total/ { n += $2 }
			END { print n }'
}

@test "poll: what was injected is not told back" {
	local before

	start_direct
	load fw1 -f 0 insert 300
	load fw2 -f 1000 insert 200
	wait_until 10 both_have 500
	load fw1 -m 7 -f 0 update 100
	load fw1 -f 200 delete 100
	wait_until 10 both_have 400
	before=$(injections fw1),$(injections fw2)
	polls_more 2
	count_is fw1 internal 200
	count_is fw2 internal 200
	[ "$(injections fw1),$(injections fw2)" = "$before" ]
	# what changes over there is theirs from then on
	load fw2 -m 9 -f 50 update 50
	wait_until 10 count_is fw2 internal 250
}

@test "poll: flows in use again and again stay where they are injected" {
	full_only
	start_direct
	start_living fw1
	wait_until $((3 * LIFE_S)) some_live_again fw1
	patiently follow_after
	stop_living
	count_is fw2 internal 0
}

# ---- all modes ----

@test "FTFW UDP IPv4, ours to ours, caches" { full_cell; }
@test "FTFW Multicast IPv4, ours to the reference, caches" { full_cell; }
@test "FTFW Multicast IPv4, the reference to ours, caches" { full_cell; }
@test "FTFW UDP IPv4, ours to ours, no external" { full_cell; }
@test "FTFW TCP IPv6, ours to ours, caches" { full_cell; }
@test "NOTRACK UDP IPv4, ours to ours, caches" { full_cell; }
@test "NOTRACK Multicast IPv4, ours to the reference, caches" { full_cell; }
@test "NOTRACK Multicast IPv4, the reference to ours, caches" { full_cell; }
@test "NOTRACK UDP IPv4, ours to ours, no internal" { full_cell; }
@test "NOTRACK UDP IPv4, ours to the reference, no internal" { full_cell; }
@test "NOTRACK UDP IPv4, ours to ours, no external" { full_cell; }
@test "NOTRACK UDP IPv4, ours to ours, no caches" { full_cell; }
@test "ALARM Multicast IPv4, ours to ours, caches" { full_cell; }
@test "ALARM Multicast IPv4, ours to the reference, caches" { full_cell; }
@test "ALARM Multicast IPv4, the reference to ours, caches" { full_cell; }

# ---- many ----

N=${N:-100000}
RATE=${RATE:-1000} # changes a second: 3 of 5 are marks, the others begin or end

cpu_ms() { # NODE
	local pid=pid_$1

	awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' \
		"/proc/${!pid}/stat"
}

# The table of fw1 is never the same for long; each of five times what has been
# in it for three seconds is at the peer.
many() { # OF_FW1 OF_FW2
	local cpu_ms since_ms

	export LAB_LIMIT=$((4 * N))
	make_lab
	lab_room $((2 * N))
	start_pair "$1" "$2" Multicast
	load fw1 -t 3600 insert "$N"
	wait_until 30 count_is fw2 external "$N"
	background fw1 "$D/client.marks" "$B/tools/ctload" -m 7 \
		-r $((RATE * 3 / 5)) update $((N / 2))
	background fw1 "$D/client.ends" "$B/tools/ctload" -f $((N / 2)) \
		-r $((RATE / 5)) delete $((N / 2))
	background fw1 "$D/client.begins" "$B/tools/ctload" -t 3600 -f "$N" \
		-r $((RATE / 5)) insert "$N"
	since_ms=$(lab_now) cpu_ms=$(cpu_ms fw1)
	for _ in 1 2 3 4 5; do
		look_after $((3 * LAB_SLOW)) fw1 fw2 || {
			cat "$D/look"
			return 1
		}
		sed "1s/^/# $((($(lab_now) - since_ms) / 1000)) s: /" \
			"$D/look" >&3
	done
	kill -0 "$bg" # they were there all the time
	echo "# $1: $((($(cpu_ms fw1) - cpu_ms) * 100 / ($(lab_now) - since_ms)))" \
		"% of a processor" >&3
	[ "$(network_stat fw2 'Malformed messages')" -eq 0 ]
}

@test "poll: 100,000 flows, 1,000 changes a second, ours to ours" {
	full_only
	many ours ours
}

@test "poll: 100,000 flows, 1,000 changes a second, ours to the reference" {
	full_only
	many ours ref
}
