#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Somebody on the dedicated link, or at the control socket, who means harm or
# is out of order: the kernel's table stays as it is, the daemon lives, its
# memory does not grow, and what is refused is told once.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

SEED=${SEED:-$RANDOM}
MUTATED=${MUTATED:-100000}
[ -z "${FULL:-}" ] || MUTATED=1000000

play() { # INTERFACE ARGUMENT...: what fw2 has said, into that side
	local dev=$1

	shift
	lab_in relay "$B/tools/relay" play -s "$SEED" "$@" "$D/capture" 2 "$dev"
}

# Two with a relay between them that has a capture of a bulk and of changes.
start_with_capture() { # LINK
	echo "seed $SEED"
	lab_relay "$SEED"
	wait_until 10 grep -q forwarding "$D/relay"
	lab_faults capture "$D/capture"
	start_pair ours ours "$1"
	load fw1 insert 200
	load fw2 -f 1000000 insert 1000
	wait_until 20 count_is fw1 external 1000
	load fw2 -f 1000000 -m 7 update 1000
	wait_until 20 marks_are fw1 7 1000
	lab_faults
	kernel fw1 | tuples >"$D/kernel.before"
}

marks_are() { # NODE MARK COUNT
	[ "$(external "$1" | grep -c "mark=$2\b")" -eq "$3" ]
}

rss_kb() { # NODE
	local pid=pid_$1

	awk '/^VmRSS:/ { print $2 }' "/proc/${!pid}/status"
}

# fw1 has read all that was played to it: a flow of fw2 that lives for a moment
# comes after it.
catches_up() {
	load fw2 -f 3000000 insert 1
	wait_until 20 external_has fw1 'src=10\.109\.198\.192 '
	load fw2 -f 3000000 delete 1
	wait_until 20 external_lacks fw1 'src=10\.109\.198\.192 '
}

external_lacks() { # NODE PATTERN
	! external_has "$@"
}

# Alive, and the kernel's table and its image as they were.
is_unharmed() { # NODE
	local pid=pid_$1

	kill -0 "${!pid}" || return 1
	kernel "$1" | tuples >"$D/kernel.after"
	same_lines "$D/kernel.before" "$D/kernel.after" &&
		internal_is_kernel "$1"
}

times_logged() { # NODE TEXT
	grep -c "$2" "$D/$1.log"
}

refused_by() { # NODE: datagrams, by the statistics of its link
	ask "$1" -s link | awk '/ Refused recv$/ { n = $1 } END { print n + 0 }'
}

has_refused() { # NODE COUNT
	[ "$(refused_by "$1")" -ge "$2" ]
}

# As a NAT between the two, or an address of a cloud, would have it.
@test "a peer that comes from another address: told once, and counted" {
	local node other

	for node in fw1 fw2; do
		other=$((3 - ${node#fw}))
		lab_conf $node UDP
		sed -i 's/\(Destination_Address\) .*/\1 192.168.100.99/' \
			"$D/$node.conf"
		lab_in $node nft -f - <<-END
			table ip lab_moved {
				chain out {
					type nat hook output priority -100;
					ip daddr 192.168.100.99 udp dport 3780 dnat to 192.168.100.$other
				}
			}
		END
		lab_in $node nft flush chain inet lab raw_out
		lab_in $node nft flush chain inet lab raw_in
		start_daemon $node "$CONNTRACKD"
	done
	for node in fw1 fw2; do
		other=$((3 - ${node#fw}))
		wait_until 10 has_refused $node 3
		[ "$(times_logged $node "link sync0: datagrams from 192.168.100.$other are refused: the peer is 192.168.100.99 (IPv4_Destination_Address)")" -eq 1 ]
		# nothing else is shown where there is nothing to tell
		ask $node -s | tee "$D/stats"
		run ! grep -qi refused "$D/stats"
	done
}

@test "a forged source is refused by a UDP link, and told once" {
	start_with_capture UDP
	external fw1 | sort >"$D/before"
	play side1 -a 192.168.100.77 -n 20000
	play side1 -a 192.168.100.78 -n 1000 -g
	catches_up
	external fw1 | sort >"$D/after"
	wait_until 10 is_unharmed fw1
	[ "$(keys <"$D/before" | md5sum)" = "$(keys <"$D/after" | md5sum)" ]
	[ "$(refused_by fw1)" -gt 1000 ]
	[ "$(network_stat fw1 'Not from the peer')" -eq "$(refused_by fw1)" ]
	[ "$(times_logged fw1 'datagrams from 192.168.100.77 are refused')" -eq 1 ]
	[ "$(times_logged fw1 'datagrams from 192.168.100.78 are refused')" -eq 1 ]
	[ "$(network_stat fw1 'Malformed messages')" -eq 0 ]
}

@test "the group's datagrams on another interface are not taken" {
	start_with_capture Multicast
	# without a membership there the kernel itself drops them
	ip -n "${P}fw1" addr add 225.0.0.50/32 dev eth1 autojoin
	for i in 1 2 3; do
		ip netns exec "${P}lan" "$B/tools/relay" play -s "$SEED" \
			-a 10.1.0.66 -n 1000 "$D/capture" 2 pfw1
	done
	catches_up
	kill -0 "$pid_fw1"
	[ "$(count_of fw1 external)" -eq 1000 ]
	[ "$(network_stat fw1 'Malformed messages')" -eq 0 ]
	[ "$(times_logged fw1 'from 10.1.0.66 are refused')" -le 1 ]
	[ "$(times_logged fw1 'heard for the first time')" -eq 1 ]
}

@test "a replayed capture of this life and of an earlier one changes nothing" {
	start_with_capture Multicast
	load fw2 -f 1000000 -m 9 update 1000
	load fw2 -f 1000500 delete 500
	wait_until 20 external_is_kernel fw1 fw2
	wait_until 20 marks_are fw1 9 500
	for i in 1 2 3; do
		play side1
	done
	catches_up
	external_is_kernel fw1 fw2
	marks_are fw1 9 500
	kill -9 "$pid_fw2"
	start_daemon fw2 "$CONNTRACKD"
	load fw2 -f 1000000 -m 11 update 500
	wait_until 20 marks_are fw1 11 500
	for i in 1 2 3; do
		play side1
	done
	catches_up
	wait_until 20 external_is_kernel fw1 fw2
	wait_until 20 marks_are fw1 11 500
	# and it still hears the peer
	load fw2 -f 1000000 -m 12 update 500
	wait_until 20 marks_are fw1 12 500
	is_unharmed fw1
}

@test "mutated datagrams: nothing breaks, nothing grows, a bulk repairs" {
	local before_kb after_kb

	start_with_capture Multicast
	play side1 -m -n 5000
	before_kb=$(rss_kb fw1)
	play side1 -m -n "$MUTATED" -r 20000
	after_kb=$(rss_kb fw1)
	is_unharmed fw1
	echo "# $MUTATED mutated datagrams: $before_kb kB, then $after_kb kB," \
		"seed $SEED" >&3
	# as many entries as mutated ones made, but no more than HashLimit
	[ $((after_kb - before_kb)) -lt 20000 ]
	[ "$(network_stat fw1 'Malformed messages')" -gt 0 ]
	[ "$(wc -l <"$D/fw1.log")" -lt 500 ]
	bulks_repair
}

# The first may meet a peer that a forged life has just taken the place of.
bulks_repair() {
	for i in {1..18}; do
		ask fw2 -B
		! wait_until 5 external_is_kernel fw1 fw2 >"$D/differences" ||
			return 0
	done
	cat "$D/differences"
	return 1
}

longest_turn_us() { # NODE: as told at its end
	sed -n 's/.*the longest \([0-9]*\) us.*/\1/p' "$D/$1.log" |
		tail -n 1
}

# An event waits for the turn of the loop that is running, and for the end of
# its own.
@test "a flood of garbage: events go on, no turn of the loop takes long" {
	local n=200 kind

	start_with_capture Multicast
	for kind in -g -m; do
		background relay "$D/flood" "$B/tools/relay" play -s "$SEED" \
			$kind -r 20000 -n 100000000 "$D/capture" 2 side1
		for i in {1..5}; do
			load fw1 -f $((2000000 + n)) insert 100 >/dev/null
			n=$((n + 100))
			wait_until 20 count_is fw1 internal $n
		done
		kill -9 "$bg"
	done
	[ "$(network_stat fw1 'Malformed messages')" -gt 1000 ]
	[ "$(wc -l <"$D/fw1.log")" -lt 500 ]
	ask fw1 -k
	wait_until 10 gone "$pid_fw1"
	echo "# longest turn in a flood: $(longest_turn_us fw1) us" >&3
	[ "$(longest_turn_us fw1)" -lt $((100000 * LAB_SLOW)) ]
}

# ---- the control socket ----

@test "clients that are silent, cut off or wrong cost nothing but themselves" {
	local before_kb after_kb pids=()

	lab_conf fw1 Multicast
	start_daemon fw1 "$CONNTRACKD"
	load fw1 insert 2000
	wait_until 20 count_is fw1 internal 2000
	kernel fw1 | tuples >"$D/kernel.before"
	ask fw1 -i >/dev/null
	before_kb=$(rss_kb fw1)
	for ((i = 0; i < 100; i++)); do
		background fw1 "$D/silent.$i" "$B/tools/unixsock" silent \
			"$D/fw1.sock"
		pids+=("$bg")
	done
	wait_until 10 grep -q connected "$D/silent.99"
	within 5 ip netns exec "${P}fw1" "$CONNTRACKD" -C "$D/fw1.conf" \
		-s >/dev/null
	for code in 99 -1 0x7fffffff 4095 65536; do
		run -0 within 5 "$B/tools/unixsock" ask "$D/fw1.sock" $code
	done
	for i in 1 2 3 4 5 6 7 8 9 10; do
		within 5 "$B/tools/unixsock" half "$D/fw1.sock"
		timeout 0.02 "$B/tools/unixsock" slow "$D/fw1.sock" 16 || :
	done
	kill "${pids[@]}"
	is_unharmed fw1
	after_kb=$(rss_kb fw1)
	echo "# $before_kb kB, then $after_kb kB" >&3
	[ $((after_kb - before_kb)) -lt 4096 ]
	ask fw1 -s runtime | grep -q 'unknown'
}

@test "commits: the client dies, two at once, and -k in the middle" {
	start_pair ours ours Multicast
	load fw1 insert 20000
	wait_until 20 count_is fw2 external 20000
	# the client dies: the commit goes on without it
	ask fw2 -c >/dev/null 2>&1 3>&- </dev/null &
	client=$!
	wait_until 10 grep -q committing "$D/fw2.log"
	kill -9 "$client" || :
	wait_until 20 grep -q 'Committed 20000 new entries' "$D/fw2.log"
	# two at once: one is refused, or comes after the other
	ask fw2 -c >"$D/c1" 2>&1 3>&- </dev/null &
	client=$!
	ask fw2 -c >"$D/c2" 2>&1 || grep -q 'in progress' "$D/c2"
	wait "$client" || grep -q 'in progress' "$D/c1"
	[ "$(kernel fw2 | grep -c 'dport=80\b')" -eq 20000 ]
	wait_until 20 internal_is_kernel fw2
	ask fw2 -c >/dev/null 2>&1 3>&- </dev/null &
	client=$!
	ask fw2 -k
	wait "$client" || :
	wait_until 10 gone "$pid_fw2"
	[ ! -e "$D/fw2.sock" ]
	[ "$(kernel fw2 | grep -c 'dport=80\b')" -eq 20000 ]
	start_daemon fw2 "$CONNTRACKD"
	wait_until 20 count_is fw2 external 20000
}

gone() { # PID
	[ ! -e "/proc/$1" ]
}
