#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Commands that meet: another one, a purge, the start, a daemon that does not
# answer. fw2 is asked; fw1 is the peer whose entries it commits.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

OWN=50         # entries of the kernel of fw2
PEER=30        # entries that fw1 has told
PEER_FIRST=500000

# ---- clients in the background ----

# Connections to the daemon's socket, those included that it has not accepted.
connections() {
	lab_in fw2 grep -c " $D/fw2.sock\$" /proc/net/unix
}

connections_are() { # COUNT
	[ "$(connections)" -eq "$1" ]
}

start_client() { # NAME OPTION...
	local name=$1

	shift
	background fw2 "$D/client.$name" "$CONNTRACKD" -C "$D/fw2.conf" "$@"
	declare -g "client_$name=$bg"
}

# Starts a client command; returns when its request is on the way.
ask_later() { # NAME OPTION...
	local before

	before=$(connections)
	start_client "$@"
	wait_until 5 connections_are $((before + 1))
}

# Waits for it, for a minute at most; its exit status.
status_of() { # NAME
	local pid=client_$1

	wait_until 60 ended "${!pid}" || return 99
	wait "${!pid}"
}

ended() { # PID
	! kill -0 "$1" 2>/dev/null ||
		grep -q '^State:	Z' "/proc/$1/status" 2>/dev/null
}

freeze() {
	kill -STOP "$pid_fw2"
}

thaw() {
	kill -CONT "$pid_fw2"
}

# ---- what is where ----

kernel_is() { # COUNT
	[ "$(lab_in fw2 conntrack -C)" -eq "$1" ]
}

kernel_has_all_of_the_peer() {
	external fw2 | keys >"$D/wanted"
	kernel fw2 | keys >"$D/kernel"
	[ -s "$D/wanted" ] && [ -z "$(comm -23 "$D/wanted" "$D/kernel")" ]
}

start_two() {
	lab_conf fw1 UDP
	lab_conf fw2 UDP
	start_both ours ours
	wait_until 10 grep -q 'hears us' "$D/fw2.log"
}

# Everything as it was at the beginning.
start_again() {
	ask fw2 -F
	ask fw2 -f
	ask fw2 -R
	load fw2 insert $OWN >"$D/load"
	wait_until 10 count_is fw2 internal $OWN
	ask fw2 -n
	wait_until 10 count_is fw2 external $PEER
}

# ---- one command after the other ----

# What a command does to the entries, own ones and the peer's.
model() { # COMMAND
	case $1 in
	-c) [ "$external" = 0 ] || kernel_peer=$PEER internal_peer=$PEER ;;
	-f) internal_own=0 internal_peer=0 external=0 ;;
	"-f internal") internal_own=0 internal_peer=0 ;;
	"-f external") external=0 ;;
	-F) kernel_own=0 kernel_peer=0 ;;
	-R) internal_own=$kernel_own internal_peer=$kernel_peer ;;
	esac
}

# Asks for the first and then for the others, and it begins with all of them: as
# if they had come after the first had ended.
meet() { # RUNNING COMMAND...
	local kernel_own=$OWN kernel_peer=0
	local internal_own=$OWN internal_peer=0 external=$PEER
	local n=0 command

	printf '%s; ' "$@" >"$D/client.meet"
	start_again
	freeze
	ask_later 0 "$1"
	model "$1"
	shift
	for command; do
		n=$((n + 1))
		# shellcheck disable=SC2086 # words
		start_client $n $command
		model "$command"
	done
	wait_until 5 connections_are $((2 + n))
	thaw
	for n in $(seq 0 $n); do
		status_of "$n"
	done
	kernel_is $((kernel_own + kernel_peer))
	wait_until 5 count_is fw2 internal $((internal_own + internal_peer))
	count_is fw2 external $external
}

meets_all() { # RUNNING
	local second

	start_two
	load fw1 -f $PEER_FIRST insert $PEER
	for second in -c -f "-f internal" "-f external" -F -R; do
		meet "$1" "$second"
	done
	meet "$1" -s -i -e -B -t
}

@test "every command waits for, or answers during, a commit" {
	is_reference && skip "it refuses"
	meets_all -c
}

@test "every command waits for, or answers during, a flush of the caches" {
	is_reference && skip "it refuses"
	meets_all -f
}

@test "every command waits for, or answers during, a flush of the kernel" {
	is_reference && skip "it refuses"
	meets_all -F
}

@test "every command waits for, or answers during, a resync" {
	is_reference && skip "it refuses"
	meets_all -R
}

@test "-k ends it whatever it does" {
	local first

	lab_conf fw1 UDP
	lab_conf fw2 UDP
	start_daemon fw1 "$CONNTRACKD"
	load fw1 -f $PEER_FIRST insert $PEER
	for first in -c -f -F -R; do
		start_daemon fw2 "$CONNTRACKD"
		wait_until 10 count_is fw2 external $PEER
		freeze
		ask_later first $first
		ask_later second -k
		thaw
		status_of second
		status_of first || grep -q 'ended before' "$D/client.first"
		wait_until 5 ended "$pid_fw2"
	done
}

@test "commands that come during the start are carried out after it" {
	local own=20000

	lab_conf fw1 UDP
	lab_conf fw2 UDP
	lab_ctl fw2 net.netfilter.nf_conntrack_events=1
	lab_in fw2 "$B/tools/ctload" insert $own
	# shellcheck disable=SC2034 # start_both sets it for lab_start
	bin_fw2=$CONNTRACKD
	lab_start fw2 "$CONNTRACKD" &
	wait_until 10 test -S "$D/fw2.sock"
	ask fw2 -c
	ask fw2 -f
	count_is fw2 internal 0
	ask fw2 -R
	count_is fw2 internal $own
	ask fw2 -F
	kernel_is 0
	wait
	pid_fw2=$(lab_daemon_pid fw2)
}

@test "thirty commands wait, and all are carried out" {
	is_reference && skip "it has no queue"
	start_two
	load fw2 insert $OWN
	freeze
	for i in $(seq 30); do
		background fw2 "$D/many.$i" timeout 60 "$B/tools/unixsock" \
			ask "$D/fw2.sock" 44
	done
	wait_until 20 connections_are 31
	thaw
	wait_until 60 connections_are 1
	ask fw2 -R
	ask fw2 -s runtime | grep -q 'resync with kernel table:.* 31$'
}

@test "what waits for a client that has left is not carried out" {
	is_reference && skip "it has no queue"
	start_two
	load fw2 insert $OWN
	wait_until 10 count_is fw2 internal $OWN
	freeze
	ask_later first -R
	ask_later second -F
	ask_later third -c
	kill -9 "$client_second"
	wait_until 5 ended "$client_second"
	thaw
	status_of first
	status_of third
	kernel_is $OWN
}

# ---- the purge ----

MANY=50000

start_purge() { # [SECONDS]
	local node

	for node in fw1 fw2; do
		LAB_LIMIT=200000 lab_conf $node UDP
		sed -i "s/PurgeTimeout 60/PurgeTimeout ${1:-1}/" "$D/$node.conf"
	done
	lab_ctl fw2 net.netfilter.nf_conntrack_events=1
	lab_in fw2 "$B/tools/ctload" insert $MANY >"$D/load"
	start_both ours ours
	load fw1 -f $PEER_FIRST insert $PEER >"$D/load"
	wait_until 20 count_is fw2 external $PEER
	ask fw2 -t
}

# Stops the daemon when the purge has deleted some entries.
catch_purge() {
	wait_until 20 purge_has_begun
	freeze
	left=$(lab_in fw2 conntrack -C)
	echo "# $left left" >&3
	[ "$left" -gt 0 ]
}

purge_has_begun() {
	[ "$(lab_in fw2 conntrack -C)" -lt $MANY ]
}

called_off() {
	grep -q "\`-t' is called off by" "$D/fw2.log"
}

scheduled() {
	grep -q '(scheduled)' "$D/fw2.log"
}

# A command that calls it off, at whatever stage it comes; what was not deleted
# by then stays. A batch or two may be under way.
calls_off() { # OPTION...
	start_purge
	catch_purge
	ask_later it "$@"
	thaw
	status_of it
	called_off
	[ "$(lab_in fw2 conntrack -C)" -ge $((left - 400)) ]
}

@test "a commit calls off a purge that is not due" {
	start_purge $((5 * ${LAB_SLOW:-1}))
	ask fw2 -c
	called_off
	run -1 wait_until 7 scheduled
	kernel_is $((MANY + PEER))
	count_is fw2 internal $((MANY + PEER))
}

@test "a commit calls off a purge that is deleting, and keeps what it makes" {
	calls_off -c
	kernel_has_all_of_the_peer
	# what comes after, as a promotion has it
	ask fw2 -f
	ask fw2 -R
	ask fw2 -B
	[ "$(count_of fw2 internal)" -eq "$(lab_in fw2 conntrack -C)" ]
}

@test "a flush of the internal cache calls off a purge" {
	calls_off -f internal
	count_is fw2 internal 0
}

@test "a purge ends before -F, -R and -f external" {
	local option

	start_purge
	catch_purge
	ask_later flush -F
	ask_later resync -R
	ask_later external -f external
	thaw
	for option in flush resync external; do
		status_of $option
	done
	run ! called_off
	kernel_is 0
	count_is fw2 internal 0
	count_is fw2 external 0
}

# ---- -F ----

@test "-F empties the kernel of what the cache had no room for, too" {
	local limit=100

	lab_conf fw1 UDP
	LAB_LIMIT=$limit lab_conf fw2 UDP
	start_both ours ours
	load fw2 insert 5000
	wait_until 10 count_is fw2 internal $limit
	wait_until 10 count_is fw1 external $limit
	# the filter refuses this one: it stays
	lab_in fw2 conntrack -I -p udp -s 192.168.100.77 -d 10.2.0.10 -t 300 \
		--sport 1 --dport 2 >/dev/null 2>&1
	ask fw2 -F
	kernel_is 1
	# neither cache is touched, here or there
	count_is fw2 internal $limit
	count_is fw1 external $limit
}

# ---- what there is nothing of ----

@test "without ExpectationSync commands on expectations have nothing to do" {
	local option

	start_two
	# a script of VyOS runs `-c exp` in any case, and looks at the status
	for option in -F -R -c "-c exp" "-c expect" "-i expect" "-e expect" \
		"-s expect" "-F expect" "-R expect"; do
		# shellcheck disable=SC2086
		run -0 ask fw2 $option
		[ -z "$output" ]
	done
	run ! grep expect "$D/fw2.log"
}

# ---- a daemon that does not answer ----

@test "a daemon that is stopped is not waited for" {
	local option name=0 status

	start_two
	freeze
	for option in -s "-s network" -n -B -t -i -e -c -f -F -R -k; do
		name=$((name + 1))
		# shellcheck disable=SC2086 # words
		background fw2 "$D/client.$name" "$CONNTRACKD" \
			-C "$D/fw2.conf" $option
		declare "client_$name=$bg"
	done
	for name in $(seq $name); do
		status=0
		status_of "$name" || status=$?
		[ $status -eq 1 ]
		grep -q "does not answer.*$pid_fw2 is stopped" \
			"$D/client.$name"
	done
	thaw
	# what was given up is not done later on, the end least of all
	ask fw2 -s >/dev/null
	run ! grep -E 'committing|flushing|resync with' "$D/fw2.log"
}

probed() {
	[ "$(connections)" -ge 3 ] # the listener, the request, the question
}

@test "a reference that is busy is waited for" {
	need_reference
	lab_conf fw1 UDP
	lab_conf fw2 UDP
	start_both ref ref
	load fw1 -f $PEER_FIRST insert $PEER
	wait_until 10 count_is fw2 external $PEER
	freeze
	background fw2 "$D/client.it" "$CONNTRACKD" -C "$D/fw2.conf" -c
	# shellcheck disable=SC2034 # read by status_of
	client_it=$bg
	# it asks after ten seconds whether somebody is there
	wait_until 30 probed
	thaw
	status_of it
	kernel_has_all_of_the_peer
}
