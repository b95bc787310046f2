#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The log: whoever reads it, or does not, the daemon goes on; and it follows a
# file that was rotated.

# shellcheck disable=SC2154,SC2034 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# What the system's log gets: at $D/devlog, printed to $D/syslog.
start_syslog() {
	rm -f "$D/devlog"
	background fw1 "$D/syslog" "$B/tools/unixsock" notify "$D/devlog"
	syslog=$bg
	wait_until 5 grep -q connected "$D/syslog"
}

# Runs a command of fw1 with a /dev of its own, where /dev/log is $D/devlog.
with_devlog() { # COMMAND...
	# shellcheck disable=SC2016
	lab_in fw1 sh -c 'mount -t tmpfs none /dev &&
		mknod -m 666 /dev/null c 1 3 &&
		mknod -m 444 /dev/urandom c 1 9 &&
		ln -s "$0/devlog" /dev/log && exec "$@"' "$D" "$@" \
		>"$D/fw1.start" 2>&1 3>&- </dev/null
}

start_with_syslog() {
	lab_conf fw1 Multicast
	sed -i 's/Syslog off/Syslog on/' "$D/fw1.conf"
	with_devlog "$CONNTRACKD" -C "$D/fw1.conf" -d
	bin_fw1=$CONNTRACKD
	pid_fw1=$(lab_daemon_pid fw1)
}

# Each -n is a line of the log.
make_lines() { # COUNT
	# shellcheck disable=SC2016
	timeout 120 ip netns exec "${P}fw1" sh -c 'for i in $(seq "$1"); do
			"$2" -C "$3" -n || exit 1
		done' sh "$1" "$CONNTRACKD" "$D/fw1.conf"
}

# The daemon does what it has to while nobody reads its lines.
goes_on() {
	timeout 10 ip netns exec "${P}fw1" "$CONNTRACKD" -C "$D/fw1.conf" -s \
		>/dev/null
	load fw1 -f 5000 insert 100
	wait_until 10 count_is fw1 internal 100
	load fw1 -f 5000 delete 100
}

# A line in a file; $2 has the form of an extended regular expression.
times_in() { # FILE PATTERN
	grep -cE "$2" "$1" || :
}

times_are() { # FILE PATTERN COUNT
	[ "$(times_in "$1" "$2")" -eq "$3" ]
}

@test "syslog gets each line once, with name, pid and severity" {
	start_syslog
	start_with_syslog
	# daemon.notice
	wait_until 5 grep -qE "^<29>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} conntrack-tools\[$pid_fw1\]: initialization completed$" \
		"$D/syslog"
	ask fw1 -n
	wait_until 5 times_are "$D/syslog" 'resync requested$' 1
}

@test "a hung syslog daemon stops nothing, and has all when it goes on" {
	local queue n

	read -r queue </proc/sys/net/unix/max_dgram_qlen
	[ "$queue" -le 2000 ] || skip "its queue takes $queue lines"
	n=$((queue + 50))
	start_syslog
	start_with_syslog
	kill -STOP "$syslog"
	make_lines $n
	goes_on
	times_are "$D/fw1.log" 'resync requested$' $n
	kill -CONT "$syslog"
	wait_until 30 times_are "$D/syslog" 'resync requested$' $n
}

@test "a syslog daemon that was started anew gets the next line" {
	start_syslog
	start_with_syslog
	kill "$syslog"
	wait "$syslog" || :
	make_lines 3
	start_syslog
	wait_until 10 times_are "$D/syslog" 'resync requested$' 3
	# the old one is still there, but hangs
	mv "$D/devlog" "$D/devlog.old"
	kill -STOP "$syslog"
	make_lines 200
	mv "$D/syslog" "$D/syslog.old"
	start_syslog
	make_lines 1
	wait_until 10 grep -q 'resync requested$' "$D/syslog"
}

@test "without a syslog daemon it runs, says so, and keeps lines for later" {
	start_with_syslog
	grep -q 'syslog: No such file or directory: lines wait' "$D/fw1.start"
	start_syslog
	wait_until 10 times_are "$D/syslog" 'initialization completed$' 1
}

# Opens a pipe that nobody reads, $D/pipe, and keeps it open.
hold_pipe() {
	mkfifo "$D/pipe"
	lab_in fw1 sleep 1000 <>"$D/pipe" >/dev/null 2>&1 3>&- &
}

lines_in_pipe() { # PATTERN COUNT
	timeout 1 cat "$D/pipe" >>"$D/read" || :
	[ "$(times_in "$D/read" "$1")" -ge "$2" ]
}

# What was lost is told, so that the sum is right: $D/read has it all.
is_complete() { # COUNT of lines made
	local lost

	lost=$(sed -n 's/.*: \([0-9]*\) lines were lost$/\1/p' "$D/read" |
		awk '{ n += $1 } END { print n + 0 }')
	echo "# $lost of $1 lines were lost" >&3
	[ "$(($(times_in "$D/read" 'resync requested$') + lost))" -ge "$1" ]
}

foreground() { # COMMAND...: of fw1, with a pipe that nobody reads as output
	hold_pipe
	lab_in fw1 "$@" >"$D/pipe" 2>&1 3>&- </dev/null &
	wait_until 10 lab_ask fw1 "$CONNTRACKD" -s >/dev/null
	bin_fw1=$CONNTRACKD
	make_lines 2000
	goes_on
	wait_until 30 lines_in_pipe 'resync requested$' 900
	wait_until 30 is_complete 2000
}

@test "a full pipe as standard output stops nothing, what is lost is told" {
	lab_conf fw1 Multicast
	sed -i '/LogFile/d' "$D/fw1.conf"
	foreground "$CONNTRACKD" -C "$D/fw1.conf"
}

@test "the same where there is no /proc" {
	lab_conf fw1 Multicast
	sed -i '/LogFile/d' "$D/fw1.conf"
	foreground sh -c 'mount -t tmpfs none /proc && exec "$@"' sh \
		"$CONNTRACKD" -C "$D/fw1.conf"
}

# The mount is in the daemon's own tree of files.
@test "a full disk stops nothing, and what it cost is told" {
	local disk

	lab_conf fw1 Multicast
	mkdir "$D/small"
	sed -i "s|LogFile .*|LogFile $D/small/log|" "$D/fw1.conf"
	# shellcheck disable=SC2016
	lab_in fw1 sh -c 'mount -t tmpfs -o size=64k none "$0" && exec "$@"' \
		"$D/small" "$CONNTRACKD" -C "$D/fw1.conf" -d \
		>"$D/fw1.start" 2>&1 3>&- </dev/null
	bin_fw1=$CONNTRACKD
	pid_fw1=$(lab_daemon_pid fw1)
	disk=/proc/$pid_fw1/root/$D/small
	head -c 100000 /dev/zero >"$disk/filler" || :
	make_lines 700
	goes_on
	: >"$disk/filler"
	wait_until 10 grep -q 'log file: [0-9]* lines were lost' "$disk/log"
	cp "$disk/log" "$D/read"
	is_complete 700
}

# ---- rotation ----

capability() { # FIELD
	awk -v field="$1:" '$1 == field { print $2 }' "/proc/$pid_fw1/status"
}

# As logrotate does: `create 640 syslog adm`
rotate() { # OWNER
	mv "$D/fw1.log" "$D/fw1.log.1"
	: >"$D/fw1.log"
	chmod 640 "$D/fw1.log"
	chown "$1" "$D/fw1.log"
	kill -HUP "$pid_fw1"
}

@test "SIGHUP goes on in a file that belongs to another user" {
	lab_conf fw1 Multicast
	start_daemon fw1 "$CONNTRACKD"
	rotate 101:4
	wait_until 5 grep -q 'log files reopened' "$D/fw1.log"
	ask fw1 -n
	grep -q 'resync requested' "$D/fw1.log"
	run ! grep -q 'resync requested' "$D/fw1.log.1"
	# the right to do so is used for nothing else
	[ "$(capability CapEff)" = 0000000000001000 ]
	[ "$(capability CapPrm)" = 0000000000001002 ]
}

@test "SIGHUP while the file cannot be opened: tried again, told once" {
	lab_conf fw1 Multicast
	mkdir "$D/log"
	sed -i "s|LogFile .*|LogFile $D/log/log|" "$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	mv "$D/log" "$D/log.1"
	kill -HUP "$pid_fw1"
	wait_until 5 grep -q "can't open logfile" "$D/log.1/log"
	mkdir "$D/log"
	wait_until 10 grep -q 'log files reopened' "$D/log/log"
	[ "$(times_in "$D/log.1/log" "can't open logfile")" -eq 1 ]
}
