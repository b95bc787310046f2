#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Two links: when the one that is used goes, or is up and carries nothing, the
# other takes over, and nothing is lost.

# shellcheck disable=SC2154,SC2034 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

N_FLOWS=0

# Both nodes, with two links of a kind.
start_two_links() { # OF_FW1 OF_FW2 LINK
	local node

	case "$1 $2" in *ref*) need_reference ;; esac
	lab_sync_link 1
	for node in fw1 fw2; do
		lab_conf $node "$3"
		add_link $node "$3" 1
	done
	start_both "$1" "$2"
	# what nobody needs any more is not what is to be found at the end
	load_some 100
	settles
}

load_some() { # COUNT
	load fw1 -r 5000 -t 6000 -f "$N_FLOWS" insert "$1" >/dev/null
	N_FLOWS=$((N_FLOWS + $1))
}

# The same in the background; loaded waits for its end.
start_load() { # COUNT
	background fw1 "$D/client.load" "$B/tools/ctload" -r 5000 -t 6000 \
		-f "$N_FLOWS" insert "$1"
	load_pid=$bg
	N_FLOWS=$((N_FLOWS + $1))
}

settles() {
	wait_until 20 count_is fw2 external "$N_FLOWS"
}

has_more_than() { # COUNT
	[ "$(count_of fw2 external)" -gt "$1" ]
}

# Nothing that arrives by a link reaches the daemon of a node, as if the cable
# led nowhere; and ends that.
cut_silently() { # NODE LINK
	lab_in "$1" nft -f - <<-END
		table inet lab_cut {
			chain in {
				type filter hook prerouting priority -400;
				iifname "$2" drop
			}
		}
	END
}

mend() { # NODE
	lab_in "$1" nft delete table inet lab_cut
}

# The current link is cut under load by the given command: the other one takes
# over within three times the time that it should take, and all flows arrive.
takes_over() { # COMMAND...
	local since_ms n

	start_load 20000
	wait_until 10 has_more_than 1000
	"$@"
	since_ms=$(lab_now)
	# what begins from now on cannot have been on its way
	n=$(count_of fw1 internal)
	wait_until 9 has_more_than $((n + 100))
	echo "# taken over after $(($(lab_now) - since_ms)) ms" >&3
	wait "$load_pid"
	settles
	active_link_is fw1 sync1
	active_link_is fw2 sync1
}

# How often each node has chosen another link.
choices_are() { # FW1 FW2
	is_logged fw1 'becomes dedicated link' "$1"
	is_logged fw2 'becomes dedicated link' "$2"
}

# ---- everyday ----

goes_down_and_comes_back() { # LINK
	start_two_links ours ours "$1"
	active_link_is fw1 sync0
	takes_over ip -n "${P}fw1" link set sync0 down
	ip -n "${P}fw1" link set sync0 up
	waits_for_log fw1 'link sync0: is usable now'
	waits_for_log fw2 'link sync0: is usable now'
	load_some 1000
	settles
	# nobody goes back by himself
	active_link_is fw1 sync1
	choices_are 1 1
	is_logged fw1 'heard for the first time' 1
	is_logged fw2 'heard for the first time' 1
}

@test "an interface goes down under load, the other link takes over: UDP" {
	goes_down_and_comes_back UDP
}

@test "an interface goes down under load, the other link takes over: Multicast6" {
	full_only
	goes_down_and_comes_back Multicast6
}

cut_both() {
	cut_silently fw1 sync0
	cut_silently fw2 sync0
}

# By whoever left it first: the other followed.
is_told_again() {
	cat "$D"/fw?.log | grep -q 'link sync0: a peer is heard here again'
}

carries_nothing() { # LINK
	start_two_links ours ours "$1"
	takes_over cut_both
	mend fw1
	mend fw2
	wait_until 20 is_told_again
	load_some 1000
	settles
	choices_are 1 1
}

@test "a link is up but carries nothing any more: the other takes over: Multicast" {
	carries_nothing Multicast
}

@test "a link is up but carries nothing any more: the other takes over: UDP6" {
	full_only
	carries_nothing UDP6
}

@test "a link carries nothing in one direction" {
	full_only
	start_two_links ours ours UDP
	takes_over cut_silently fw2 sync0
	waits_for_log fw2 'link sync0: nothing comes here from a peer that is heard on sync1'
	mend fw2
	waits_for_log fw2 'link sync0: a peer is heard here again'
	# and now the answers of the other link do not arrive
	cut_silently fw1 sync1
	waits_for_log fw1 'link sync1: nothing comes here from a peer that is heard on sync0'
	load_some 1000
	settles
	active_link_is fw1 sync0
	active_link_is fw2 sync0
	mend fw1
	choices_are 2 2
}

@test "a link that carries nothing at the start: they find each other" {
	local node

	lab_sync_link 1
	for node in fw1 fw2; do
		lab_conf $node Multicast
		add_link $node Multicast 1
		cut_silently $node sync0
	done
	start_both ours ours
	load_some 100
	settles
	wait_until 20 active_link_is fw1 sync1
	wait_until 20 active_link_is fw2 sync1
}

@test "nodes that begin with different links come together" {
	local node

	lab_sync_link 1
	for node in fw1 fw2; do
		lab_conf $node UDP
		add_link $node UDP 1
	done
	sed -i '0,/UDP {/s//UDP Default {/' "$D/fw1.conf"
	sed -i ':a;N;$!ba;s/\(.*\)UDP {/\1UDP Default {/' "$D/fw2.conf"
	start_both ours ours
	load_some 1000
	settles
	[ $(($(times_logged fw1 'becomes dedicated link') +
		$(times_logged fw2 'becomes dedicated link'))) -le 3 ]
}

# ---- rare ----

has_status() { # NODE STATUS
	link_is "$1" sync0 "$2"
}

@test "a link that goes and comes twenty times is left once" {
	full_only
	start_two_links ours ours UDP
	start_load 20000
	for _ in $(seq 20); do
		ip -n "${P}fw1" link set sync0 down
		wait_until 10 has_status fw2 NO-CARRIER
		ip -n "${P}fw1" link set sync0 up
		wait_until 10 has_status fw2 RUNNING
	done
	wait "$load_pid"
	settles
	choices_are 1 1
}

@test "a link that carries something and nothing by turns is left once" {
	full_only
	start_two_links ours ours Multicast
	for i in $(seq 20); do
		cut_both
		if [ "$i" -eq 1 ]; then
			waits_for_log fw1 'becomes dedicated link'
			waits_for_log fw2 'becomes dedicated link'
		fi
		load_some 2000
		mend fw1
		mend fw2
		load_some 2000
	done
	settles
	choices_are 1 1
}

@test "losses on the link that is used are no reason to leave it" {
	full_only
	start_two_links ours ours UDP
	lab_loss fw1 10
	lab_loss fw2 10
	start_load 20000
	wait "$load_pid"
	settles
	choices_are 0 0
}

# ---- with the reference ----

with_reference() { # OF_FW1 OF_FW2 LINK
	start_two_links "$1" "$2" "$3"
	takes_over ip -n "${P}fw1" link set sync0 down
	ip -n "${P}fw1" link set sync0 up
	load_some 1000
	settles
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
}

@test "an interface goes down under load: ours and a reference" {
	with_reference ours ref UDP
}

@test "an interface goes down under load: a reference and ours" {
	full_only
	with_reference ref ours Multicast
}
