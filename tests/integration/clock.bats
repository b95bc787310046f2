#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The clock is set, an hour forward and two back: no timer and no timeout is
# disturbed. The daemons see a clock of libfaketime's; that of the machine is
# left alone, and so is its monotonic one.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# the clock jumps in it
PURGE_S=$((4 * LAB_SLOW))

set_clock() { # SECONDS, with sign
	echo "$1s" >"$D/clock.new"
	mv "$D/clock.new" "$D/clock"
}

# Makes a binary that sees the clock of $D/clock: $D/faked
fake_clock() {
	local lib

	for lib in /usr/lib/*/faketime/libfaketime.so.1 \
		/usr/lib*/faketime/libfaketime.so.1 \
		/usr/lib*/libfaketime.so.1; do
		[ ! -e "$lib" ] || break
	done
	[ -e "$lib" ] || skip "no libfaketime"
	readelf -d "$CONNTRACKD" | grep -q NEEDED || skip "a static binary"
	! has_asan || skip "a binary with ASan"
	set_clock +0
	cat >"$D/faked" <<-END
		#!/bin/sh
		export LD_PRELOAD=$lib FAKETIME_TIMESTAMP_FILE=$D/clock
		export FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1
		echo \$\$ >>$D/faked.pids
		exec "$CONNTRACKD" "\$@"
	END
	chmod +x "$D/faked"
}

start_faked() {
	local node pid

	fake_clock
	for node in fw1 fw2; do
		lab_conf $node Multicast
		# a commit sets the time that is left
		sed -i "/CommitTimeout/d; s/PurgeTimeout .*/PurgeTimeout $PURGE_S/" \
			"$D/$node.conf"
		start_daemon $node "$D/faked"
	done
	# what libfaketime has open there would stay for ever
	while read -r pid; do
		rm -f "/dev/shm/faketime_shm_$pid" \
			"/dev/shm/sem.faketime_sem_$pid"
	done <"$D/faked.pids"
	load fw1 -t 6000 insert 2000
	wait_until 20 count_is fw2 external 2000
	started_ms=$(lab_now)
}

# The last line of the log is of that clock.
log_is_of() { # NODE SECONDS
	local stamp

	stamp=$(sed -n 's/^\[\([^]]*\)\].*/\1/p' "$D/$1.log" | tail -n 1)
	stamp=$(($(date -d "$stamp" +%s) - $(date +%s) - $2))
	[ "${stamp#-}" -lt $((60 * LAB_SLOW)) ]
}

packets_heard() { # NODE
	ask "$1" -s | awk '/Pckts recv/ { print $4; exit }'
}

heard_more_than() { # NODE COUNT
	[ "$(packets_heard "$1")" -gt "$2" ]
}

# No entry is older than the test, none is in the future.
ages_are_sane() { # NODE OPTION
	local most=$((($(lab_now) - started_ms) / 1000 + 15 * LAB_SLOW))

	ask "$1" "$2" | awk -v most=$most '
		match($0, /active since [0-9-]+s/) {
			n++
			age = substr($0, RSTART + 13) + 0
			if (age < 0 || age > most) { print; bad = 1 }
		}
		END { exit bad || n != 2000 }'
}

marks_are() { # MARK COUNT
	[ "$(external fw2 | grep -c "mark=$1\b")" -eq "$2" ]
}

# All goes on as if nothing had happened.
goes_on() { # SECONDS
	local heard1 heard2 mark=$((++n_jumps + 100))

	set_clock "$1"
	heard1=$(packets_heard fw1)
	heard2=$(packets_heard fw2)
	ask fw1 -B
	log_is_of fw1 "$1"
	# signs of life, once in a second
	wait_until 10 heard_more_than fw1 $((heard1 + 2))
	wait_until 10 heard_more_than fw2 $((heard2 + 2))
	load fw1 -m $mark update 500
	wait_until 20 marks_are $mark 500
	ages_are_sane fw1 -i
	ages_are_sane fw2 -e
}

@test "the clock jumps: peers stay, changes arrive, dumps show sane ages" {
	local n_jumps=0 node

	start_faked
	for jump in +3600 -3600 +0; do
		goes_on $jump
	done
	internal_is_kernel fw1
	external_is_kernel fw2 fw1
	for node in fw1 fw2; do
		# once each, at the start
		[ "$(grep -c 'heard for the first time' "$D/$node.log")" -eq 1 ]
		[ "$(grep -c 'hears us' "$D/$node.log")" -eq 1 ]
		run ! grep -E 'silent|ERROR|warning' "$D/$node.log"
		[ "$(network_stat $node 'Packets lost')" -eq 0 ]
	done
}

# Timeouts of the kernel's table: the lowest and the highest
timeouts() { # NODE
	lab_in "$1" conntrack -L -p tcp --dport 80 2>/dev/null | awk '
		NR == 1 || $3 < low { low = $3 }
		$3 > high { high = $3 }
		END { print low + 0, high + 0 }'
}

@test "the clock jumps: a commit sets the time that is left" {
	local low high

	start_faked
	for jump in +3600 -3600; do
		set_clock $jump
		ask fw2 -c
		read -r low high <<<"$(timeouts fw2)"
		echo "# clock $jump: timeouts of $low to $high s" >&3
		[ "$low" -gt $((6000 - 60 * LAB_SLOW)) ] && [ "$high" -le 6000 ]
		lab_in fw2 conntrack -F >/dev/null 2>&1
	done
}

@test "the clock jumps: a purge comes when it is due" {
	local since_ms took_ms n=0

	start_faked
	for jump in +3600 -3600; do
		n=$((n + 1))
		since_ms=$(lab_now)
		ask fw2 -t
		set_clock $jump
		wait_until 20 purged $n
		took_ms=$(($(lab_now) - since_ms))
		log_is_of fw2 $jump
		echo "# clock $jump: purge after $took_ms ms" >&3
		[ $took_ms -ge $((PURGE_S * 1000 - 20)) ]
	done
}

purged() { # TIMES
	[ "$(grep -c '(scheduled)' "$D/fw2.log")" -eq "$1" ]
}
