#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The daemon as a process: its rights, its descriptors, what it tells a service
# manager, and that it needs next to nothing around it.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

status_of() { # FIELD: of fw1's daemon
	awk -v field="$1:" '$1 == field { print $2 }' "/proc/$pid_fw1/status"
}

# A log file may be anybody's one day, which takes another right (log.bats).
without_log_file() {
	lab_conf fw1 Multicast
	sed -i '/LogFile/d' "$D/fw1.conf"
}

start_manager() {
	background fw1 "$D/told" "$B/tools/unixsock" notify "$D/manager"
	manager=$bg
	wait_until 10 grep -q connected "$D/told"
}

@test "of root's rights the daemon keeps NET_ADMIN" {
	without_log_file
	start_daemon fw1 "$CONNTRACKD"
	[ "$(status_of CapEff)" = 0000000000001000 ]
	[ "$(status_of CapPrm)" = 0000000000001000 ]
	[ "$(status_of NoNewPrivs)" = 1 ]
	ask fw1 -k
	[ ! -e "$D/fw1.lock" ] && [ ! -e "$D/fw1.sock" ]
}

@test "it runs at nice -10, in real time only where the file says so" {
	lab_conf fw1 Multicast
	start_daemon fw1 "$CONNTRACKD"
	[ "$(ps -o cls=,ni= -p "$pid_fw1" | xargs)" = "TS -10" ]
	ask fw1 -k
	sed -i '/^General {/a Scheduler { Type RR Priority 20 }' "$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	[ "$(ps -o cls=,rtprio= -p "$pid_fw1" | xargs)" = "RR 20" ]
}

@test "NetlinkBufferSize is used without a limit, ignored above it" {
	lab_conf fw1 Multicast
	sed -i '/NetlinkBufferSizeMaxGrowth/d; s/\(NetlinkBufferSize\) .*/\1 700000/' \
		"$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	grep -q 'buffer size has been set to 700000 bytes' "$D/fw1.log"
	ask fw1 -k
	sed -i 's/^.*NetlinkBufferSize .*/&\nNetlinkBufferSizeMaxGrowth 600000/' \
		"$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	grep -q 'Using current system buffer size' "$D/fw1.log"
	grep -q 'above NetlinkBufferSizeMaxGrowth (600000): it is ignored' \
		"$D/fw1.start"
}

@test "without NetlinkBufferSize the buffer is large, within the limit given" {
	lab_conf fw1 Multicast
	sed -i '/NetlinkBufferSize/d' "$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	awk '/buffer size has been set to/ { n = $(NF - 1) }
		END { exit n < 1000000 || n > 67108864 }' "$D/fw1.log"
	ask fw1 -k
	sed -i 's/^Syslog off/&\nNetlinkBufferSizeMaxGrowth 600000/' \
		"$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	grep -q 'buffer size has been set to 600000 bytes' "$D/fw1.log"
	ask fw1 -k
	# as the reference has it: neither set nor grown
	sed -i 's/^NetlinkBufferSizeMaxGrowth .*/NetlinkBufferSizeMaxGrowth 0/' \
		"$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	grep -q 'Using current system buffer size' "$D/fw1.log"
}

@test "in a directory of another user it can still remove its files" {
	without_log_file
	chown 65534 "$D"
	start_daemon fw1 "$CONNTRACKD"
	[ "$(status_of CapEff)" = 0000000000001000 ]
	[ "$(status_of CapPrm)" = 0000000000001002 ]
	ask fw1 -k
	[ ! -e "$D/fw1.lock" ] && [ ! -e "$D/fw1.sock" ]
}

@test "no descriptor outlives an exec" {
	lab_conf fw1 Multicast
	start_daemon fw1 "$CONNTRACKD"
	ls "/proc/$pid_fw1/fd" >"$D/fds"
	[ "$(wc -l <"$D/fds")" -gt 8 ]
	while read -r fd; do
		case $(readlink "/proc/$pid_fw1/fd/$fd") in
		socket:* | anon_inode:* | "$D"/*) ;;
		*) continue ;; # handed down by who started it
		esac
		flags=$(awk '/^flags:/ { print $2 }' \
			"/proc/$pid_fw1/fdinfo/$fd")
		echo "$fd $flags $(readlink "/proc/$pid_fw1/fd/$fd")"
		(((8#$flags & 8#2000000) != 0)) # O_CLOEXEC
	done <"$D/fds"
}

@test "a service manager hears READY, WATCHDOG and STOPPING" {
	lab_conf fw1 Multicast
	start_manager
	NOTIFY_SOCKET=$D/manager WATCHDOG_USEC=400000 \
		background fw1 "$D/fw1.start" "$CONNTRACKD" -C "$D/fw1.conf"
	daemon=$bg
	wait_until 10 grep -qx READY=1 "$D/told"
	wait_until 10 grep -qx WATCHDOG=1 "$D/told"
	kill -TERM "$daemon"
	wait "$daemon"
	wait_until 10 grep -qx STOPPING=1 "$D/told"
	kill "$manager"
}

# The manager takes READY=1 only from the pid it has been told of.
@test "with -d the manager hears who goes on, and then READY from it" {
	lab_conf fw1 Multicast
	start_manager
	for _ in 1 2 3 4 5; do
		: >"$D/told"
		NOTIFY_SOCKET=$D/manager start_daemon fw1 "$CONNTRACKD"
		wait_until 10 grep -qx READY=1 "$D/told"
		[ "$(sed -n 1p "$D/told")" = "MAINPID=$pid_fw1" ]
		[ "$(sed -n 2p "$D/told")" = READY=1 ]
		ask fw1 -k
		wait_until 10 grep -qax STOPPING=1 "$D/told"
	done
	kill "$manager"
}

@test "with Systemd off the manager hears nothing" {
	lab_conf fw1 Multicast
	sed -i '/^General {/a Systemd off' "$D/fw1.conf"
	start_manager
	NOTIFY_SOCKET=$D/manager WATCHDOG_USEC=200000 \
		start_daemon fw1 "$CONNTRACKD"
	ask fw1 -k
	[ "$(cat "$D/told")" = connected ]
	kill "$manager"
}

@test "closed standard descriptors become no file of the daemon" {
	lab_conf fw1 Multicast
	lab_in fw1 "$CONNTRACKD" -C "$D/fw1.conf" -d <&- >&- 2>&- 3>&-
	pid=$(lab_daemon_pid fw1)
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]
	done
	# a lock file with messages in it has no readable pid
	[ "$(cat "$D/fw1.lock")" = "$pid" ]
}

@test "where the default lock file cannot be written, it is by the socket" {
	lab_conf fw1 Multicast
	sed -i '/LockFile/d' "$D/fw1.conf"
	lab_in fw1 unshare -m sh -c 'mount -t tmpfs -o ro none /var/lock &&
		exec "$@"' sh "$CONNTRACKD" -C "$D/fw1.conf" -d 3>&-
	[ "$(cat "$D/conntrackd.lock")" = "$(lab_daemon_pid fw1)" ]
	grep -q "using .$D/conntrackd.lock" "$D/fw1.log"
}

@test "a user with NET_ADMIN alone can run it, and end it" {
	lab_conf fw1 Multicast
	chown 65534 "$D"
	as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups
		--inh-caps +net_admin --ambient-caps +net_admin)
	lab_in fw1 "${as_nobody[@]}" "$CONNTRACKD" -C "$D/fw1.conf" -d 3>&-
	pid_fw1=$(lab_daemon_pid fw1)
	[ "$(status_of CapEff)" = 0000000000001000 ]
	lab_in fw1 "${as_nobody[@]}" "$CONNTRACKD" -C "$D/fw1.conf" -k
	[ ! -e "$D/fw1.lock" ] && [ ! -e "$D/fw1.sock" ]
}

@test "without /proc, /dev and /etc the static binary works" {
	make -s musl
	lab_conf fw1 Multicast
	mkdir -p "$D/root/run"
	cp "$B/musl/conntrackd" "$D/root/"
	sed -e "s|$D/fw1|/run/fw1|" "$D/fw1.conf" >"$D/root/run/fw1.conf"
	background fw1 "$D/fw1.start" chroot "$D/root" \
		/conntrackd -C /run/fw1.conf
	daemon=$bg
	wait_until 10 grep -q 'initialization completed' "$D/fw1.start"
	lab_in fw1 chroot "$D/root" /conntrackd -C /run/fw1.conf -s \
		>"$D/stats"
	grep -q 'cache internal' "$D/stats"
	kill -TERM "$daemon"
	wait "$daemon"
}

@test "the kernel is told to report every end" {
	lab_conf fw1 Multicast
	lab_in fw1 sysctl -qw net.netfilter.nf_conntrack_events=2
	start_daemon fw1 "$CONNTRACKD"
	[ "$(lab_in fw1 sysctl -n net.netfilter.nf_conntrack_events)" = 1 ]
	grep -q 'nf_conntrack_events was 2, set to 1' "$D/fw1.log"
}
