#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Events that the kernel had no room for. Some seconds after the load has ended
# kernel, cache and replica are equal, and only what differed was sent.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

RATE=${RATE:-$([ -n "${FULL:-}" ] && echo 50000 || echo 20000)}
N=$((RATE * 5)) # five seconds of load

# The buffer of fw1 holds a few events, and may not grow.
start_with_small_buffer() { # RESYNC_S [BYTES [LINE]]
	local node small bytes=${2:-8192}

	small="NetlinkBufferSize $bytes\nNetlinkBufferSizeMaxGrowth $bytes\n"
	small+="NetlinkOverrunResync $1\n${3:-}"
	lab_room "$N"
	for node in fw1 fw2; do
		LAB_LIMIT=$((2 * N)) lab_conf $node Multicast
	done
	sed -i "/^NetlinkBufferSizeMax/d; s/^NetlinkBufferSize .*/$small/
		/Mode NOTRACK/a DisableInternalCache on" "$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	[ -n "${LAB_MODE:-}" ] ||
		wait_until 10 grep -q 'has all of the bulk' "$D/fw1.log"
}

# Each flow was told, and next to none twice: one that begins during a dump is
# in the dump, and its event that follows is taken for that of a next life.
told_once() { # COUNT
	local new changes ends

	read -r new changes ends <<<"$(told)"
	echo "# told: $new new, $changes changes, $ends ends" >&3
	[ "$new" -ge "$1" ] && [ "$new" -le $(($1 + $1 / 1000)) ] &&
		[ "$changes" -le $(($1 / 1000)) ] &&
		[ "$ends" -le $(($1 / 1000)) ]
}

all_equal() {
	internal_is_kernel fw1 && external_is_kernel fw2 fw1
}

counts_are() { # COUNT
	count_is fw1 internal "$1" && count_is fw2 external "$1"
}

repairs() {
	ask fw1 -s runtime | awk '
		/netlink overrun:/ { lost = $NF }
		/resync with kernel table:/ { print lost, $NF }'
}

@test "new flows are missed for five seconds: equal soon after, and no storm" {
	local lost resyncs begin_ms since_ms end_ms

	start_with_small_buffer 2
	begin_ms=$(lab_now)
	lab_in fw1 "$B/tools/ctload" -r "$RATE" insert "$N" >"$D/load"
	since_ms=$(lab_now)
	sed 's/^/# /' "$D/load" >&3
	wait_until 30 counts_are "$N"
	end_ms=$(lab_now)
	echo "# equal after $((end_ms - since_ms)) ms" >&3
	all_equal
	read -r lost resyncs <<<"$(repairs)"
	echo "# $lost overruns, $resyncs repairs" >&3
	[ "$lost" -gt 0 ]
	# one in two seconds at most, and not for ever
	[ "$resyncs" -gt 0 ]
	[ "$resyncs" -le $(((end_ms - begin_ms) / 2000 + 2)) ]
	told_once "$N"
	[ "$(grep -c 'cannot be doubled' "$D/fw1.log")" -le "$resyncs" ]
}

@test "changes and ends are missed: equal soon after, each sent once" {
	local lost resyncs

	start_with_small_buffer 2
	load fw1 insert 20000
	wait_until 20 all_equal
	told_is 20000 0 0
	# so that nothing but the repair finds out
	kill -STOP "$pid_fw1"
	lab_in fw1 "$B/tools/ctload" -m 7 -f 5000 update 5000
	lab_in fw1 "$B/tools/ctload" -f 10000 delete 5000
	lab_in fw1 "$B/tools/ctload" -f 20000 insert 5000
	# addresses and ports in use again, translated otherwise
	lab_in fw1 "$B/tools/ctload" -f 15000 delete 1000
	lab_in fw1 "$B/tools/ctload" -n -f 15000 insert 1000
	kill -CONT "$pid_fw1"
	wait_until 30 told_is 26000 5000 6000
	all_equal
	[ "$(external fw2 | grep -c 'mark=7\b')" -eq 5000 ]
	read -r lost resyncs <<<"$(repairs)"
	echo "# $lost overruns, $resyncs repairs" >&3
	[ "$lost" -gt 0 ]
	# nothing follows
	wait_until 20 nothing_waits
	told_is 26000 5000 6000
}

@test "the repair fails, for lack of descriptors: it is tried again" {
	command -v prlimit >/dev/null || skip "no prlimit"
	start_with_small_buffer 1
	load fw1 insert 1000
	wait_until 20 all_equal
	prlimit --pid "$pid_fw1" --nofile=3:
	kill -STOP "$pid_fw1"
	lab_in fw1 "$B/tools/ctload" delete 500
	kill -CONT "$pid_fw1"
	wait_until 10 grep -q "can't get kernel .*: Too many open" "$D/fw1.log"
	prlimit --pid "$pid_fw1" --nofile=1024:
	wait_until 20 told_is 1000 0 500
	all_equal
}

# ---- NetlinkEventsReliable ----

# What had no room comes with the next event of its flow.
all_are_told() { # COUNT
	! count_is fw2 external "$1" || return 0
	mark=$((${mark:-1} + 1))
	lab_in fw1 "$B/tools/ctload" -r 2000 -m $mark update "$1"
	return 1
}

# Each of them has told something, so that nobody asks for it; no dump repairs
# anything.
ends_are_told_again() {
	local lost resyncs

	lab_in fw1 "$B/tools/ctload" -r 2000 insert 3000
	wait_until 60 all_are_told 3000
	kill -STOP "$pid_fw1"
	lab_in fw1 "$B/tools/ctload" delete 3000
	[ "$(lab_in fw1 cat /proc/sys/net/netfilter/nf_conntrack_count)" -gt 2000 ]
	kill -CONT "$pid_fw1"
	wait_until 20 count_is fw2 external 0
	read -r lost resyncs <<<"$(repairs)"
	echo "# $lost times without room, $resyncs repairs" >&3
	[ "$lost" -gt 0 ]
	[ "$resyncs" -eq 0 ]
}

@test "reliable: ends that had no room are told again, no dump is needed" {
	full_only
	start_with_small_buffer off 65536 'NetlinkEventsReliable on'
	ends_are_told_again
	count_is fw1 internal 0
}

@test "reliable: the same without an internal cache" {
	full_only
	export LAB_MODE=NOTRACK
	start_with_small_buffer off 65536 'NetlinkEventsReliable on'
	ends_are_told_again
}

# Nothing waits to be sent, and flows are all acknowledged; an announcement may
# be under way.
nothing_waits() {
	ask fw1 -s queue | awk '
		/^queue/ { name = $2 }
		/^current elements/ {
			if ($NF > (name == "rsqueue:" ? 4 : 0))
				busy = 1
		}
		END { exit busy || !name }'
}
