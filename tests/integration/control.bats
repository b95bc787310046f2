#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Start, stop, the control socket and its clients.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# The text that a failed connection is told by, on stderr; scripts look for it.
no_daemon="can't connect: is conntrackd running? appropriate permissions?"

start_one() {
	lab_conf fw1 Multicast
	start_daemon fw1 "$CONNTRACKD"
}

gone() { # PID
	[ ! -e "/proc/$1" ]
}

@test "a silent client and a slow reader do not delay -s" {
	start_one
	load fw1 insert 5000
	wait_until 20 count_is fw1 internal 5000
	for i in 1 2 3 4 5; do
		background fw1 "$D/silent.$i" "$B/tools/unixsock" silent \
			"$D/fw1.sock"
		wait_until 10 grep -q connected "$D/silent.$i"
	done
	background fw1 "$D/slow" "$B/tools/unixsock" slow "$D/fw1.sock" 16
	wait_until 10 grep -q connected "$D/slow"
	for i in 1 2 3; do
		within 5 ip netns exec "${P}fw1" "$CONNTRACKD" \
			-C "$D/fw1.conf" -s >/dev/null
	done
	# events go on as well
	load fw1 -f 100000 insert 100
	wait_until 20 count_is fw1 internal 5100
}

@test "-d returns when the daemon answers" {
	lab_conf fw1 Multicast
	for i in 1 2 3 4 5; do
		start_daemon fw1 "$CONNTRACKD"
		ask fw1 -s >/dev/null
		ask fw1 -k
		wait_until 10 gone "$pid_fw1"
	done
}

@test "-d tells why it fails, and exits 1" {
	lab_conf fw1 Multicast
	sed -i 's/Interface sync0/Interface nosuch0/' "$D/fw1.conf"
	run -1 lab_start fw1 "$CONNTRACKD"
	cat "$D/fw1.start"
	grep -q nosuch0 "$D/fw1.start"
	run ! lab_daemon_pid fw1
	[ ! -e "$D/fw1.sock" ]
}

@test "a second instance is refused, also when the lock file was deleted" {
	start_one
	run -1 lab_start fw1 "$CONNTRACKD"
	ask fw1 -s >/dev/null
	rm "$D/fw1.lock"
	run -1 lab_start fw1 "$CONNTRACKD"
	ask fw1 -s >/dev/null
	[ "$(lab_daemon_pid fw1)" = "$pid_fw1" ]
}

# It holds no lock on its file, which only has to be there.
@test "a start that a living reference refuses leaves it its lock and socket" {
	local inode

	need_reference
	lab_conf fw1 Multicast
	start_daemon fw1 "$REFERENCE"
	inode=$(stat -c %i "$D/fw1.lock" "$D/fw1.sock")
	run -1 lab_start fw1 "$CONNTRACKD"
	grep -q 'another conntrackd answers there' "$D/fw1.start"
	[ "$(stat -c %i "$D/fw1.lock" "$D/fw1.sock")" = "$inode" ]
	[ ! -s "$D/fw1.lock" ]
	# a second one is kept out by it
	run -1 lab_start fw1 "$REFERENCE"
	# where somebody has deleted it, none of ours stays
	rm "$D/fw1.lock"
	run -1 lab_start fw1 "$CONNTRACKD"
	[ ! -e "$D/fw1.lock" ]
	ask fw1 -s >/dev/null
}

@test "a symbolic link to no daemon is replaced as the socket, a file is not" {
	lab_conf fw1 Multicast
	ln -s "$D/nowhere" "$D/fw1.sock"
	start_daemon fw1 "$CONNTRACKD"
	[ -S "$D/fw1.sock" ] && [ ! -L "$D/fw1.sock" ]
	# one that leads to a living daemon
	mv "$D/fw1.sock" "$D/moved"
	ln -s moved "$D/fw1.sock"
	rm "$D/fw1.lock"
	run -1 lab_start fw1 "$CONNTRACKD"
	grep -q 'another conntrackd answers there' "$D/fw1.start"
	# and to a dead one
	kill -9 "$pid_fw1"
	wait_until 5 gone "$pid_fw1"
	start_daemon fw1 "$CONNTRACKD"
	[ ! -L "$D/fw1.sock" ]
	ask fw1 -k
	echo precious >"$D/fw1.sock"
	run -1 lab_start fw1 "$CONNTRACKD"
	grep -q 'a file that is no socket is there' "$D/fw1.start"
	[ "$(cat "$D/fw1.sock")" = precious ]
}

@test "a stale lock and a stale socket are replaced" {
	start_one
	kill -9 "$pid_fw1"
	wait_until 10 gone "$pid_fw1"
	[ -e "$D/fw1.lock" ] && [ -e "$D/fw1.sock" ]
	lab_start fw1 "$CONNTRACKD"
	ask fw1 -s >/dev/null
}

@test "SIGHUP opens the log file anew and loses nothing" {
	start_one
	load fw1 insert 100
	wait_until 20 count_is fw1 internal 100
	mv "$D/fw1.log" "$D/fw1.log.1"
	kill -HUP "$pid_fw1"
	wait_until 10 test -e "$D/fw1.log"
	count_is fw1 internal 100
	ask fw1 -c
	grep -q 'commit has taken' "$D/fw1.log"
}

@test "SIGTERM and -k end it, files included" {
	start_one
	kill -TERM "$pid_fw1"
	wait_until 10 gone "$pid_fw1"
	[ ! -e "$D/fw1.sock" ]
	start_one
	ask fw1 -k
	wait_until 10 gone "$pid_fw1"
	[ ! -e "$D/fw1.sock" ]
	run -1 --separate-stderr ask fw1 -s
	# shellcheck disable=SC2154 # set by run
	[[ "$stderr" == *"$no_daemon"* ]]
}

@test "exit codes" {
	start_one
	for options in -s "-s c" "-s network" "-s runtime" "-s link" -i "-i ct" \
		-e "-e ct" -c "-c ct" -f "-f internal" "-f external" -R -B -n \
		-F -t; do
		# shellcheck disable=SC2086 # words
		ask fw1 $options >/dev/null || {
			echo "$options: exit $?"
			return 1
		}
	done
	run -0 "$CONNTRACKD" -h
	run -0 "$CONNTRACKD" -v
	[ -n "$output" ]
	run -1 ask fw1 -s nosuch
	run -1 ask fw1 -f nosuch
	run -1 ask fw1 -d -s
	run -1 lab_in fw1 "$CONNTRACKD" -C "$D/nosuch.conf" -s
	echo 'General {' >"$D/broken.conf"
	run -1 lab_in fw1 "$CONNTRACKD" -C "$D/broken.conf" -s
}

@test "what is no option is an error" {
	is_reference && skip "1.4.7 exits 0"
	start_one
	run -1 ask fw1 -z
	run -1 ask fw1 status
	run -1 lab_in fw1 "$CONNTRACKD" -C
}

@test "an unknown request ends at once, and so does half of one" {
	start_one
	run -0 within 5 "$B/tools/unixsock" ask "$D/fw1.sock" 999
	run -0 within 5 "$B/tools/unixsock" ask "$D/fw1.sock" 27
	ask fw1 -s >/dev/null
}

bulk_is_logged_once() { # BEFORE: how often it was already
	[ "$(grep -c 'sending bulk update' "$D/fw1.log")" -eq $(($1 + 1)) ]
}

# Every command of one client on the other's daemon.
try_all() { # CLIENT
	lab_ask fw1 "$1" -s >"$D/out.s"
	grep -q '^cache internal:$' "$D/out.s"
	grep -q 'current active connections:' "$D/out.s"
	lab_ask fw1 "$1" -i | tuples >"$D/out.i"
	kernel fw1 | tuples >"$D/kernel"
	same_lines "$D/out.i" "$D/kernel"
	before=$(grep -c 'sending bulk update' "$D/fw1.log" || :)
	lab_ask fw1 "$1" -B
	wait_until 20 count_is fw2 external 200
	[ "$bin_fw1" = "$REFERENCE" ] ||
		wait_until 10 bulk_is_logged_once "$before"
	lab_ask fw1 "$1" -n
	lab_ask fw1 "$1" -c
	grep -q 'commit has taken' "$D/fw1.log"
	lab_ask fw1 "$1" -f internal
	count_is fw1 internal 0
	lab_ask fw1 "$1" -R
	wait_until 20 count_is fw1 internal "$(kernel fw1 | wc -l)"
	lab_ask fw1 "$1" -f external
	count_is fw1 external 0
	lab_ask fw1 "$1" -f
	count_is fw1 internal 0
	# the reference's, after a commit, empties the kernel's table as well
	[ "$bin_fw1" = "$REFERENCE" ] || [ "$(kernel fw1 | wc -l)" -ge 200 ]
	lab_ask fw1 "$1" -F
	[ -z "$(kernel fw1)" ]
	lab_ask fw1 "$1" -k
	wait_until 10 gone "$pid_fw1"
}

client_of_daemon() { # CLIENT DAEMON
	start_pair "$2" "$2" Multicast
	load fw1 insert 200
	load fw2 -f 1000 insert 50
	wait_until 20 count_is fw2 external 200
	wait_until 20 count_is fw1 external 50
	try_all "$(binary_of "$1")"
}

@test "our client, our daemon" {
	client_of_daemon ours ours
}

@test "our client, the reference's daemon" {
	need_reference
	client_of_daemon ours ref
}

@test "the reference's client, our daemon" {
	need_reference
	client_of_daemon ref ours
}

@test "both clients print the same statistics" {
	need_reference
	start_pair ours ours Multicast
	load fw1 insert 50
	wait_until 20 count_is fw1 internal 50
	lab_ask fw1 "$CONNTRACKD" -s | sed 5,99d >"$D/ours"
	lab_ask fw1 "$REFERENCE" -s | sed 5,99d >"$D/ref"
	same_lines "$D/ours" "$D/ref"
	[ -s "$D/ours" ]
}

# Names in the table of the source, in its order.
table_of_counters() {
	sed -n 's/^COUNTER([A-Z_]*, "\([a-z_]*\)".*/conntrackd_\1/p' \
		"$BATS_TEST_DIRNAME/../../src/cli/counters.def"
}

counter() { # NODE NAME[{LABELS}]
	ask "$1" -s counters | awk -v n="$2" '$1 == n { print $2; exit }'
}

@test "-s counters tells every counter of the table, and of whom" {
	is_reference && skip "it has no such word"
	start_pair ours ours Multicast
	load fw1 insert 50
	wait_until 20 count_is fw2 external 50
	ask fw1 -s counters >"$D/counters"
	cat "$D/counters"
	sed 's/[{ ].*//' "$D/counters" | uniq >"$D/names"
	# nothing is injected here: inject.bats
	table_of_counters | grep -v '^conntrackd_injected_' >"$D/table"
	[ "$(wc -l <"$D/table")" -gt 70 ]
	same_lines "$D/names" "$D/table"
	run ! grep -vE '^[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")?\})? [0-9]+(\.[0-9]+)?$' \
		"$D/counters"
	# of the caches, links and peers there are
	[ "$(counter fw1 'conntrackd_cache_active_entries{cache="internal"}')" \
		-eq "$(count_of fw1 internal)" ]
	[ "$(counter fw2 'conntrackd_cache_active_entries{cache="external"}')" \
		-eq 50 ]
	[ "$(counter fw1 'conntrackd_link_active{link="0",device="sync0"}')" \
		-eq 1 ]
	grep -q '^conntrackd_peer_live{peer="[0-9]*",address="[0-9.]*"} 1$' \
		"$D/counters"
}

@test "-s counters shows what no other answer does" {
	is_reference && skip "it has no such word"
	start_one
	run -0 within 5 "$B/tools/unixsock" ask "$D/fw1.sock" 999
	[ "$(counter fw1 conntrackd_control_requests_unknown_total)" -eq 1 ]
	before=$(counter fw1 conntrackd_control_requests_total)
	ask fw1 -s >/dev/null
	[ "$(counter fw1 conntrackd_control_requests_total)" -eq \
		$((before + 2)) ]
}

@test "a reference that does not know a request of ours is told of" {
	need_reference
	lab_conf fw1 Multicast
	start_daemon fw1 "$REFERENCE"
	run -1 lab_ask fw1 "$CONNTRACKD" -s counters
	[[ $output == *"this daemon does not know \`-s counters'" ]]
}

kernel_has() { # NODE COUNT
	[ "$(kernel "$1" | wc -l)" -eq "$2" ]
}

@test "-R finds what no event told, for -B to send; its end is found unasked" {
	start_pair ours ours Multicast
	load fw1 insert 10
	wait_until 20 count_is fw2 external 10
	# flows made from now on have no events, to their end
	lab_ctl fw1 net.netfilter.nf_conntrack_events=0
	load fw1 -f 1000 insert 20
	kernel_has fw1 30
	count_is fw1 internal 10
	ask fw1 -R
	count_is fw1 internal 30
	ask fw1 -B
	wait_until 20 external_is_kernel fw2 fw1
	load fw1 -f 1000 delete 20
	kernel_has fw1 10
	wait_until 20 count_is fw1 internal 10
	wait_until 20 external_is_kernel fw2 fw1
}

@test "the control socket is root's alone" {
	start_one
	[ "$(stat -c %a "$D/fw1.sock")" = 600 ]
}
