#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# DisableInternalCache: events pass by, and who wants all is told what a dump of
# the kernel's table shows. Ours and the reference, on both sides.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

SECONDS_LONG=3
N=${N:-2000}
if [ -n "${FULL:-}" ]; then
	SECONDS_LONG=60
	N=20000
fi

export LAB_MODE=NOTRACK

# The first has no internal cache.
write_confs() { # LINK
	[ -z "${FULL:-}" ] || lab_room $((2 * N))
	for node in fw1 fw2; do
		LAB_LIMIT=$((4 * N)) lab_conf $node "$1"
	done
	sed -i '/Mode NOTRACK/a DisableInternalCache on' "$D/fw1.conf"
}

start_pair() { # OF_FW1 OF_FW2 LINK
	case "$1 $2" in *ref*) need_reference ;; esac
	write_confs "$3"
	start_daemon fw1 "$(binary_of "$1")"
	start_daemon fw2 "$(binary_of "$2")"
	wait_until 10 have_met
}

# What is told when they meet is told.
have_settled() {
	grep -q 'sending bulk update' "$D/fw1.log"
}

nothing_is_malformed() {
	for node in fw1 fw2; do
		ask $node -s network >"$D/network.$node"
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
}

is_complete() {
	external_is_kernel fw2 fw1
}

limit() {
	echo $((20 + N / 2000))
}

# ---- every day ----

everyday() { # OF_FW1 OF_FW2
	start_pair "$1" "$2" UDP
	start_living fw1
	look_for $SECONDS_LONG fw1 fw2
	stop_living
	look fw1 fw2
	nothing_is_malformed
}

@test "every day: ours to ours" {
	full_only
	everyday ours ours
}

@test "every day: ours to the reference" {
	everyday ours ref
}

@test "every day: the reference to ours" {
	full_only
	everyday ref ours
}

@test "every day, with TCPWindowTracking" {
	full_only
	need_reference
	write_confs UDP
	sed -i '/^Sync/a Options {\nTCPWindowTracking on\n}' "$D"/fw?.conf
	start_both ours ref
	start_living fw1
	look_for $SECONDS_LONG fw1 fw2
	stop_living
	nothing_is_malformed
}

# ---- bursts ----

# Half of them change, a quarter ends.
burst() { # OF_FW1 OF_FW2
	local since_ms

	start_pair "$1" "$2" Multicast
	lab_in fw1 "$B/tools/ctload" -r 5000 insert $((2 * N)) >"$D/load"
	since_ms=$(lab_now)
	wait_until "$(limit)" count_is fw2 external $((2 * N))
	echo "# $((2 * N)) flows, all there $(($(lab_now) - since_ms)) ms" \
		"after the last one" >&3
	lab_in fw1 "$B/tools/ctload" -r 5000 -m 7 update "$N" >"$D/load"
	lab_in fw1 "$B/tools/ctload" -r 5000 -f "$N" delete $((N / 2)) \
		>"$D/load"
	wait_until "$(limit)" count_is fw2 external $((2 * N - N / 2))
	wait_until "$(limit)" is_complete
	[ "$(external fw2 | grep -c 'mark=7\b')" -eq "$N" ]
	[ "$(network_stat fw2 'Packets lost')" -eq 0 ]
	nothing_is_malformed
}

@test "5,000 new flows a second arrive: ours to ours" {
	burst ours ours
}

@test "5,000 new flows a second arrive: ours to the reference" {
	burst ours ref
}

# ---- all at once ----

all_is_told() { # NODE OPTION
	ask fw2 -f external
	ask "$1" "$2"
	wait_until "$(limit)" count_is fw2 external "$N"
	wait_until "$(limit)" is_complete
	nothing_is_malformed
}

@test "all is told from a dump: to the reference" {
	start_pair ours ref UDP
	load fw1 insert "$N" >/dev/null
	wait_until "$(limit)" count_is fw2 external "$N"
	all_is_told fw1 -B
	all_is_told fw2 -n
}

bulk_of=([1]=-B [2]=-n)

# What began before the daemon, what began and what ended while it was away.
@test "all is told from a dump: to ours, with what has ended" {
	write_confs UDP
	load fw1 insert "$N" >/dev/null
	start_both ours ours
	wait_until "$(limit)" is_complete
	kill -9 "$pid_fw1"
	load fw1 delete $((N / 2)) >/dev/null
	load fw1 -f "$N" insert 100 >/dev/null
	start_daemon fw1 "$CONNTRACKD"
	wait_until "$(limit)" is_complete
	count_is fw2 external $((N / 2 + 100))
	for i in 1 2; do
		ask fw2 -f external
		ask fw$i "${bulk_of[$i]}"
		wait_until "$(limit)" is_complete
	done
	nothing_is_malformed
}

# Nothing of it is in the events of fw1, which it has no room for.
@test "events are lost: a dump makes up for them" {
	local small

	write_confs UDP
	small="NetlinkBufferSize 8192\n"
	small+="NetlinkBufferSizeMaxGrowth 8192\nNetlinkOverrunResync 1"
	sed -i "/^NetlinkBufferSizeMax/d; s/^NetlinkBufferSize .*/$small/" \
		"$D/fw1.conf"
	start_both ours ours
	wait_until 10 have_settled
	load fw1 insert "$N" >/dev/null
	wait_until 30 is_complete
	kill -STOP "$pid_fw1"
	lab_in fw1 "$B/tools/ctload" -m 7 update $((N / 4)) >/dev/null
	lab_in fw1 "$B/tools/ctload" -f $((N / 2)) delete $((N / 4)) >/dev/null
	lab_in fw1 "$B/tools/ctload" -f "$N" insert $((N / 4)) >/dev/null
	kill -CONT "$pid_fw1"
	wait_until 30 is_complete
	[ "$(external fw2 | grep -c 'mark=7\b')" -eq $((N / 4)) ]
	ask fw1 -s runtime | grep -q 'netlink overrun:.* [1-9]'
}

# ---- a take-over ----

knows_stream() {
	external_has fw2 "tcp .*sport=$(stream_port tcp) .*ASSURED"
}

# A translated connection goes on at fw2.
fails_over() {
	start_server
	start_stream tcp 10.2.0.10
	wait_until 20 knows_stream
	kill -9 "$pid_fw1"
	lab_cut fw1
	for option in -c -f -R -B; do
		ask fw2 $option
		[ $option != -c ] || lab_vip fw2
	done
	wait_until 20 progressed tcp $(($(progress tcp) + 100))
	end_stream tcp
	kernel fw2 | grep "^tcp .*src=10.1.0.10 .*dst=10.2.0.1 "
}

failover() { # OF_FW1 OF_FW2
	start_pair "$1" "$2" UDP
	fails_over
}

# Who takes over has none either: the commands of a failover do no harm.
@test "failover: ours to ours" {
	start_pair ours ours UDP
	ask fw2 -k
	sed -i '/Mode NOTRACK/a DisableInternalCache on' "$D/fw2.conf"
	start_daemon fw2 "$CONNTRACKD"
	fails_over
}

@test "failover: ours to the reference" {
	full_only
	failover ours ref
}

@test "failover: the reference to ours" {
	full_only
	failover ref ours
}

# ---- commands ----

# What both daemons show of one table. The time that is left runs.
shown() { # NODE BINARY
	start_daemon "$1" "$2"
	load fw1 -f 1000 insert 50 >/dev/null
	load fw1 -m 3 update 50 >/dev/null
	load fw1 -f 1000 delete 50 >/dev/null
	wait_until 10 passed_on "$1"
	lab_ask "$1" "$2" -i | sed -E 's/^([a-z]+ +[0-9]+) [0-9]+/\1 T/' |
		sort
	lab_ask "$1" "$2" -s | sed -n '1,/^$/p'
	lab_ask "$1" "$2" -s cache | sed -n '1,/^$/p'
	lab_ask "$1" "$2" -k
}

passed_on() { # NODE
	ask "$1" -s | grep -q 'connections destroyed:.* 50$'
}

@test "-i and -s show what the reference shows" {
	need_reference
	write_confs UDP
	load fw1 insert 300 >/dev/null
	load fw1 -n -u -f 500 insert 10 >/dev/null
	load fw1 -m 3 update 50 >/dev/null
	shown fw1 "$REFERENCE" >"$D/want"
	shown fw1 "$CONNTRACKD" >"$D/got"
	[ "$(grep -c ' T ' "$D/got")" -ge 310 ]
	diff "$D/want" "$D/got"
}

@test "-f leaves the kernel alone, -R is unsupported, -F empties it" {
	write_confs UDP
	start_daemon fw1 "$CONNTRACKD"
	load fw1 insert 300 >/dev/null
	for what in '' internal; do
		run -0 --separate-stderr ask fw1 -f ${what:+"$what"}
		[ -z "$output$stderr" ]
	done
	run -0 --separate-stderr ask fw1 -R
	[ -z "$output" ]
	[[ $stderr == *"resync is unsupported in this mode" ]]
	grep -q ' resync is unsupported in this mode$' "$D/fw1.log"
	grep -q ' disabling internal cache$' "$D/fw1.log"
	[ "$(internal fw1 | wc -l)" -eq 300 ]
	run -0 ask fw1 -F
	[ "$(internal fw1 | wc -l)" -eq 0 ]
	ask fw1 -k
}

# -t empties the kernel's table, and comes to its end.
@test "a purge comes to its end" {
	full_only
	write_confs UDP
	sed -i 's/PurgeTimeout .*/PurgeTimeout 1/' "$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	load fw1 insert 300 >/dev/null
	ask fw1 -t
	wait_until 10 table_is fw1 0
	run -0 ask fw1 -c # waits for it
}

table_is() { # NODE COUNT
	[ "$(internal "$1" | wc -l)" -eq "$2" ]
}

# Many read at once, one does not, and nobody waits.
@test "-i does not hold up others" {
	local pids=()

	write_confs UDP
	start_daemon fw1 "$CONNTRACKD"
	load fw1 insert "$N" >/dev/null
	background fw1 /dev/null sh -c "'$CONNTRACKD' -C '$D/fw1.conf' -i |
		{ read -r line; sleep 60; }"
	for i in 1 2 3 4; do
		internal fw1 >"$D/table.$i" &
		pids+=($!)
	done
	for option in -s -c; do
		within 10 ip netns exec "${P}fw1" "$CONNTRACKD" \
			-C "$D/fw1.conf" $option >/dev/null
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	for i in 1 2 3 4; do
		[ "$(wc -l <"$D/table.$i")" -eq "$N" ]
	done
	kill "$bg"
}

# ---- no cache at all ----

knows_ping() {
	kernel fw2 | grep -q '^icmp .*src=10\.1\.0\.10 dst=10\.2\.0\.10 '
}

no_external() {
	[ "$(ask fw2 -s | grep -c '^external inject:')" -eq 1 ] &&
		[ -z "$(external fw2)" ]
}

# What is injected is not sent back.
@test "both caches off on both sides: an ICMP flow arrives in the kernel" {
	write_confs UDP
	sed -i '/DisableInternalCache/d
		/Mode NOTRACK/a DisableInternalCache on\nDisableExternalCache on
		/CommitTimeout/d' "$D"/fw?.conf
	start_both ours ours
	lab_in fw1 "$B/tools/ctset" add <<-END
		ipv4=10.1.0.10,10.2.0.10 l4proto=1 status=0x8 timeout=60 icmp_type=8 icmp_code=0 icmp_id=77
	END
	wait_until 10 knows_ping
	no_external
	load fw1 insert 500 >/dev/null
	wait_until 10 table_is_at_least fw2 500
	ask fw2 -s | grep -q 'connections new:.* 0$'
	run -0 ask fw1 -k
	run -0 ask fw2 -k
}

table_is_at_least() { # NODE COUNT
	[ "$(internal "$1" | wc -l)" -ge "$2" ]
}
