#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Filter From Kernelspace: the same traffic in fw1 and fw2, of which the first
# filters in user space and the second in the kernel, has to leave the same in
# both internal caches. Entries are made by raw netlink: attributes.flows, and
# what ctload makes.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

FLOWS=tests/integration/attributes.flows

write_conf() { # NODE Userspace|Kernelspace SETS [OPTION]
	LAB_FILTER=none lab_conf "$1" UDP
	printf '%s\n' "Filter From $2 { $3 }" "${4:-}" >"$D/filter"
	sed -i "/^General {/r $D/filter" "$D/$1.conf"
}

start_twins() { # SETS
	write_conf fw1 Userspace "$1"
	write_conf fw2 Kernelspace "$1"
	for node in fw1 fw2; do
		start_daemon $node "$CONNTRACKD"
	done
	is_logged fw1 'using user-space event filtering' 1
	is_logged fw2 'using kernel-space event filtering' 1
}

stop_twins() {
	for node in fw1 fw2; do
		lab_kill $node TERM
		wait_until 10 is_gone $node
		rm -f "$D/$node.log"
	done
}

is_gone() { # NODE
	local pid=pid_$1

	[ ! -e "/proc/${!pid}" ]
}

in_both() { # COMMAND...: input for each of them
	local text

	text=$(cat)
	for node in fw1 fw2; do
		lab_in $node "$@" <<<"$text" >/dev/null 2>&1 || :
	done
}

# So many entries, the same in both; of a deletion that finds nothing the twins
# have told nothing.
both_have() { # COUNT
	for node in fw1 fw2; do
		wait_until 20 count_is $node internal "$1" || {
			echo "$node has $(count_of $node internal)"
			return 1
		}
		internal $node | tuples >"$D/$node.cache"
	done
	same_lines "$D/fw1.cache" "$D/fw2.cache"
}

events_of() { # NODE
	ask "$1" -s counters | awk '$1 ~ /_kernel_events_total$/ { print $2 }'
}

count_in_kernel() { # NODE COUNT
	[ "$(lab_in "$1" conntrack -C)" -ge "$2" ]
}

make_entries() {
	in_both "$B/tools/ctset" add <"$FLOWS"
	in_both "$B/tools/ctload" insert 100 </dev/null
}

# By the dump at start, by events, by -R. There are entries before, and after.
compare_twins() { # COUNT SETS
	start_twins "$2"
	both_have "$1"
	in_both conntrack -F </dev/null
	both_have 0
	make_entries
	both_have "$1"
	for node in fw1 fw2; do
		ask $node -R
	done
	both_have "$1"
	stop_twins
}

compare_polls() { # COUNT SETS
	write_conf fw1 Userspace "$2" 'PollSecs 1'
	write_conf fw2 Kernelspace "$2" 'PollSecs 1'
	start_both ours ours
	both_have "$1"
	in_both conntrack -F </dev/null
	both_have 0
	make_entries
	both_have "$1"
	stop_twins
}

@test "what the kernel filters is what the daemon filters" {
	start_twins 'Protocol Ignore { ICMP SCTP }
		Address Accept { IPv4_address 10.1.0.0/31 IPv4_address 10.2.0.10
			IPv6_address fd00:1::10/127 }
		State Ignore { SYN_SENT TIME_WAIT for TCP }'
	in_both "$B/tools/ctset" add <"$FLOWS"
	both_have 30
	[ "$(events_of fw2)" -lt "$(events_of fw1)" ]
	# into a state that passes, and out of one: only the end is told of that
	in_both "$B/tools/ctset" update <<-END
		ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1001,80 tcp_state=7 status=0xe
		ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1002,80 tcp_state=3 status=0xe
	END
	both_have 31
	in_both conntrack -F </dev/null
	both_have 0
}

@test "each set by itself: at the start, by events, by -R and by polls" {
	full_only
	make_entries
	while read -r accepted ignored kind set; do
		compare_twins "$accepted" "$kind Accept { $set }"
		compare_twins "$ignored" "$kind Ignore { $set }"
	done <<-END
		119 19 Protocol TCP
		1 137 Protocol IPv6-ICMP
		136 21 State ESTABLISHED for TCP
		127 11 Address IPv4_address 10.2.0.10/0
		27 111 Address IPv4_address 10.2.0.11/31
		27 111 Address IPv4_address 10.1.0.10/32
		100 38 Address IPv4_address 10.128.0.1
		0 138 Address IPv4_address 128.0.0.0/1
		64 74 Address IPv4_address 10.64.0.0/26
		2 136 Address IPv4_address 10.64.0.7/31
		1 137 Address IPv4_address 10.64.0.7/32
		0 138 Address IPv4_address 10.2.0.99
		11 127 Address IPv6_address ::/0
		11 127 Address IPv6_address fd00:2::11/127
		11 127 Address IPv6_address fd00:2::10/128
		0 138 Address IPv6_address fd00:2::99
	END
	compare_polls 64 'Address Accept { IPv4_address 10.64.0.0/26 }'
}

# No program of so many comparisons fits: one line tells, and the daemon filters.
@test "a filter that is too long for the kernel is one of the daemon" {
	full_only
	local nets

	nets=$(seq 10000 | awk '{ printf "IPv4_address 10.%d.%d.%d\n",
		64 + $1 / 32768, $1 / 128 % 256, $1 % 128 * 2 }')
	write_conf fw2 Kernelspace "Address Ignore { $nets }"
	start_daemon fw2 "$CONNTRACKD"
	is_logged fw2 'using kernel-space event filtering' 0
	is_logged fw2 'using user-space event filtering: the kernel takes no filter of' 1
	load fw2 insert 30000
	wait_until 30 count_is fw2 internal 20000
}

# What a peer tells goes into the kernel at once; nobody wants to hear of that.
@test "what is injected is not told, beside a filter" {
	lab_conf fw1 UDP
	write_conf fw2 Kernelspace 'Protocol Ignore { UDP }'
	sed -i 's/CommitTimeout .*/DisableExternalCache on/' "$D/fw2.conf"
	start_both ours ours
	load fw1 insert 2000
	wait_until 20 count_in_kernel fw2 2000
	[ "$(events_of fw2)" -lt 100 ]
}

# With an internal cache it is, and fills that.
@test "what a commit makes is not told where there is no internal cache" {
	export LAB_MODE=NOTRACK
	lab_conf fw1 UDP
	write_conf fw2 Kernelspace 'Protocol Ignore { UDP }'
	sed -i '/Mode NOTRACK/a DisableInternalCache on' "$D/fw2.conf"
	start_both ours ours
	load fw1 insert 2000
	wait_until 20 count_is fw2 external 2000
	ask fw2 -c
	count_in_kernel fw2 2000
	[ "$(events_of fw2)" -lt 100 ]
}
