#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Nothing is lost by default: a file that says nothing about buffers and
# repairs takes bursts of new flows, and what found no room all the same is
# repaired unasked.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# A pair whose file says nothing, but: LINES
start_plain() { # [LINES]
	local node

	for node in fw1 fw2; do
		LAB_LIMIT=${LIMIT:-1000000} lab_conf $node Multicast
		sed -i "/^NetlinkBuffer/d; s/^Syslog off/&\n${1:-}/" \
			"$D/$node.conf"
	done
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	wait_until 10 grep -q 'has all of the bulk' "$D/fw1.log"
}

# COUNT new flows at once, while the daemon gets no processor.
burst() { # COUNT
	kill -STOP "$pid_fw1"
	lab_in fw1 "$B/tools/ctload" insert "$1"
	kill -CONT "$pid_fw1"
}

counts_are() { # COUNT
	count_is fw1 internal "$1" && count_is fw2 external "$1"
}

runtime() { # LABEL
	ask fw1 -s runtime | awk -F: -v l="$1" 'index($1, l) { print $2 + 0 }'
}

# What fw2 has been told: new flows and changes.
told() {
	ask fw2 -s | awk '
		/^cache external/ { on = 1 }
		on && /^connections (created|updated)/ { n += $3 }
		END { print n }'
}

@test "1,000 new flows at once all find room" {
	start_plain
	burst 1000
	wait_until 10 counts_are 1000
	internal_is_kernel fw1
	external_is_kernel fw2 fw1
	[ "$(runtime 'netlink overrun')" -eq 0 ]
	[ "$(told)" -eq 1000 ]
}

@test "100,000 new flows at once are at the peer soon" {
	local since_ms

	start_plain
	lab_room 200000
	lab_in fw1 "$B/tools/ctload" insert 100000
	since_ms=$(lab_now)
	wait_until 20 counts_are 100000
	echo "# equal after $(($(lab_now) - since_ms)) ms" >&3
	internal_is_kernel fw1
	external_is_kernel fw2 fw1
}

@test "more than the buffer holds: it grows, and a repair comes by itself" {
	# with this one, not with what a large machine begins with
	start_plain 'NetlinkBufferSize 1048576\nNetlinkBufferSizeMaxGrowth 8388608'
	burst 20000
	wait_until 10 counts_are 20000
	internal_is_kernel fw1
	external_is_kernel fw2 fw1
	[ "$(runtime 'netlink overrun')" -gt 0 ]
	[ "$(runtime 'resync with kernel table')" -eq 1 ]
	# what differed was sent, each once
	[ "$(told)" -eq 20000 ]
	grep -q 'has been doubled to 2097152 bytes' "$D/fw1.log"
}

@test "where the file forbids a repair there is none" {
	start_plain 'NetlinkOverrunResync no\nNetlinkBufferSize 65536'
	burst 2000
	wait_until 10 grep -q 'cannot be doubled' "$D/fw1.log"
	load fw1 -f 10000 insert 100 # told after that
	wait_until 10 internal_has fw1 'sport=30[0-9]*'
	[ "$(count_of fw1 internal)" -lt 2100 ]
	[ "$(runtime 'resync with kernel table')" -eq 0 ]
}

@test "flows that a full cache refused come when there is room" {
	LIMIT=1000 start_plain
	load fw1 insert 1500
	wait_until 10 count_is fw1 internal 1000
	load fw1 delete 700
	wait_until 10 counts_are 800
	internal_is_kernel fw1
	external_is_kernel fw2 fw1
}
