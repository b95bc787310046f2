#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Links that are not there yet, go, and come back: the daemon goes on, tries
# again, says it once, and says when it is mended.

# shellcheck disable=SC2154,SC2034 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# What happens at fw1 arrives at fw2, and the reverse.
replicates() {
	n_flows=$((${n_flows:-0} + 10))
	load fw1 -f $((n_flows * 100)) insert 10
	load fw2 -f $((1000000 + n_flows * 100)) insert 10
	wait_until 20 count_is fw2 external $n_flows
	wait_until 20 count_is fw1 external $n_flows
}

has_no_carrier() { # NODE DEVICE
	ip -n "$P$1" link show dev "$2" | grep -q NO-CARRIER
}

@test "a carrier that comes a moment after the start alarms nobody" {
	lab_conf fw1 Multicast
	lab_conf fw2 Multicast
	ip -n "${P}fw2" link set sync0 down
	wait_until 10 has_no_carrier fw1 sync0
	start_daemon fw1 "$CONNTRACKD"
	link_is fw1 sync0 NO-CARRIER
	ip -n "${P}fw2" link set sync0 up
	wait_until 10 link_is fw1 sync0 RUNNING
	start_daemon fw2 "$CONNTRACKD"
	replicates
	run ! grep -E 'no dedicated|link sync0' "$D/fw1.log"
}

@test "a link that does not come up is told, its return, loss and return too" {
	lab_conf fw1 Multicast
	lab_conf fw2 Multicast
	ip -n "${P}fw2" link set sync0 down
	wait_until 10 has_no_carrier fw1 sync0
	start_daemon fw1 "$CONNTRACKD"
	waits_for_log fw1 '[ERROR] no dedicated links available!'
	is_logged fw1 '[warning] link sync0: has no carrier' 1
	for i in 1 2; do
		ip -n "${P}fw2" link set sync0 up
		waits_for_log fw1 "[notice] device \`sync0' becomes dedicated link" $i
		is_logged fw1 '[notice] link sync0: is usable now' $i
		ip -n "${P}fw2" link set sync0 down
		waits_for_log fw1 'no dedicated links available!' $((i + 1))
		is_logged fw1 'link sync0: has no carrier' $((i + 1))
	done
	ip -n "${P}fw2" link set sync0 up
	start_daemon fw2 "$CONNTRACKD"
	replicates
}

@test "of two links one is lost and comes back: told, while the other is used" {
	local node

	lab_sync_link 1
	for node in fw1 fw2; do
		lab_conf $node Multicast
		add_link $node Multicast 1
		start_daemon $node "$CONNTRACKD"
	done
	replicates
	ip -n "${P}fw1" link set sync1 down
	waits_for_log fw1 'link sync1: is down'
	waits_for_log fw2 'link sync1: has no carrier'
	ip -n "${P}fw1" link set sync1 up
	waits_for_log fw1 'link sync1: is usable now'
	waits_for_log fw2 'link sync1: is usable now'
	ip -n "${P}fw1" link set sync0 down
	waits_for_log fw1 "device \`sync1' becomes dedicated link"
	replicates
	for node in fw1 fw2; do
		is_logged $node 'no dedicated links available!' 0
		is_logged $node 'heard for the first time' 1
	done
}

# ---- addresses ----

@test "an IPv6 address that is tentative at the start is waited for" {
	lab_conf fw1 UDP6
	lab_conf fw2 UDP6
	ip -n "${P}fw1" addr flush dev sync0
	lab_ctl fw1 net.ipv6.conf.all.accept_dad=1 \
		net.ipv6.conf.sync0.accept_dad=1 \
		net.ipv6.conf.sync0.dad_transmits=3
	ip -n "${P}fw1" addr add fd00:100::1/64 dev sync0
	ip -n "${P}fw1" -6 addr show dev sync0 | grep -q tentative
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	grep -q '\[warning\] link sync0: bind to the local address: Cannot assign requested address' \
		"$D/fw1.start"
	waits_for_log fw1 '[notice] link sync0: is usable now'
	replicates
	is_logged fw1 'link sync0: bind' 1
}

address_comes_late() { # LINK
	local node

	lab_conf fw1 "$1"
	lab_conf fw2 "$1"
	ip -n "${P}fw1" addr flush dev sync0
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	waits_for_log fw1 'no dedicated links available!'
	is_logged fw1 'link sync0: bind to' 1
	is_logged fw1 'Cannot assign requested address: tried again' 1
	ip -n "${P}fw1" addr add 192.168.100.1/24 dev sync0
	waits_for_log fw1 'link sync0: is usable now'
	waits_for_log fw1 "device \`sync0' becomes dedicated link"
	replicates
	is_logged fw1 'link sync0: bind to' 1
}

@test "an address that is absent at the start is waited for: UDP" {
	address_comes_late UDP
}

@test "an address that is absent at the start is waited for: Multicast" {
	address_comes_late Multicast
}

@test "a peer that sends from another address than the one it is reached at" {
	local node other

	for node in fw1 fw2; do
		other=$((3 - ${node#fw}))
		lab_conf $node UDP
		sed -i "s/.*IPv4_Destination_Address .*/&\n\t\tIPv4_Destination_Address 192.168.100.99/" \
			"$D/$node.conf"
		lab_in $node nft -f - <<-END
			table inet lab {
				chain raw_in { }
				chain raw_out { }
			}
			flush chain inet lab raw_in
			flush chain inet lab raw_out
			table ip relay {
				chain out {
					type nat hook output priority -100;
					ip daddr 192.168.100.99 udp dport 3780 \
						dnat to 192.168.100.$other
				}
			}
		END
	done
	start_both ours ours
	replicates
	for node in fw1 fw2; do
		is_logged $node refused 0
		is_logged $node 'heard for the first time' 1
		# and that traffic is not replicated
		[ "$(internal $node | grep -c '192\.168\.100\.')" -eq 0 ]
	done
	lab_in fw1 conntrack -L 2>/dev/null | grep -q 'dst=192\.168\.100\.99 '
}

@test "an address that is absent at the start is waited for: TCP" {
	address_comes_late TCP
}

# The kernel refuses the membership for reasons that pass.
joins_late() { # LINK ERROR REPAIR...
	lab_conf fw1 "$1"
	lab_conf fw2 "$1"
	start_daemon fw1 "$CONNTRACKD"
	start_daemon fw2 "$CONNTRACKD"
	is_logged fw1 "link sync0: join the group: $2" 1
	"${@:3}"
	waits_for_log fw1 'link sync0: is usable now'
	replicates
	is_logged fw1 'link sync0: join' 1
}

@test "a group that cannot be joined at the start is tried again: no room" {
	lab_ctl fw1 net.ipv4.igmp_max_memberships=0
	joins_late Multicast 'No buffer space available' \
		lab_ctl fw1 net.ipv4.igmp_max_memberships=20
}

@test "a group that cannot be joined at the start is tried again: no IPv6" {
	ip -n "${P}fw1" link set sync0 mtu 1000 # IPv6 needs 1280
	joins_late Multicast6 'No such device' \
		ip -n "${P}fw1" link set sync0 mtu 1500
}

@test "link-local addresses work, also on an interface that is made again" {
	local node

	for node in fw1 fw2; do
		lab_conf $node UDP6
		sed -i 's/fd00:100::/fe80::10/' "$D/$node.conf"
		ip -n "$P$node" addr add "fe80::10${node#fw}/64" dev sync0 nodad
		start_daemon $node "$CONNTRACKD"
	done
	replicates
	ip -n "${P}fw1" link del sync0
	waits_for_log fw1 'link sync0: there is no interface of this name'
	waits_for_log fw2 'link sync0: there is no interface of this name'
	lab_sync_link 0
	for node in fw1 fw2; do
		ip -n "$P$node" addr add "fe80::10${node#fw}/64" dev sync0 nodad
		waits_for_log $node 'link sync0: is usable now'
	done
	replicates
}

# ---- interfaces ----

@test "an interface that comes a moment after the start is waited for" {
	lab_conf fw1 Multicast
	lab_conf fw2 Multicast
	ip -n "${P}fw1" link del sync0
	lab_in fw1 "$CONNTRACKD" -C "$D/fw1.conf" -d >"$D/fw1.start" 2>&1 \
		3>&- </dev/null &
	starter=$!
	wait_until 10 grep -q 'conf:.*: warning: there is no interface .sync0. here \[interface\]$' \
		"$D/fw1.start"
	lab_sync_link 0
	wait "$starter"
	bin_fw1=$CONNTRACKD
	start_daemon fw2 "$CONNTRACKD"
	replicates
	is_logged fw1 ERROR 0
}

@test "a start without any interface of its links fails, and says so" {
	local since_ms

	lab_conf fw1 Multicast
	ip -n "${P}fw1" link del sync0
	since_ms=$(lab_now)
	run -1 lab_start fw1 "$CONNTRACKD"
	# a service manager that starts it again does not give up at once
	[ $(($(lab_now) - since_ms)) -gt 2500 ]
	grep -q "\[ERROR\] can't open channel socket: sync0: interface: No such device" \
		"$D/fw1.start"
	[ ! -e "$D/fw1.lock" ] && [ ! -e "$D/fw1.sock" ]
}

@test "of two links one is missing: the other is used, and the one that comes" {
	local node

	for node in fw1 fw2; do
		lab_conf $node UDP
		add_link $node UDP 1
		start_daemon $node "$CONNTRACKD"
		grep -q 'no interface .sync1. here' "$D/$node.start"
	done
	replicates
	for node in fw1 fw2; do
		waits_for_log $node '[warning] link sync1: there is no interface of this name'
		link_is $node sync1 DOWN
		is_logged $node ERROR 0
	done
	lab_sync_link 1
	for node in fw1 fw2; do
		waits_for_log $node '[notice] link sync1: is usable now'
	done
	ip -n "${P}fw1" link set sync0 down
	wait_until 10 active_link_is fw1 sync1
	replicates
}

@test "a link whose sockets cannot be made is tried again, told and mended" {
	start_pair ours ours Multicast
	replicates
	prlimit -p "$pid_fw1" --nofile=3:1024
	ip -n "${P}fw1" link del sync0
	lab_sync_link 0
	waits_for_log fw1 '[warning] link sync0: socket: Too many open files'
	prlimit -p "$pid_fw1" --nofile=1024:1024
	waits_for_log fw1 '[notice] link sync0: is usable now'
	replicates
	is_logged fw1 'link sync0: socket' 1
}

@test "a name that goes is told, a name that comes back is used" {
	start_pair ours ours UDP
	replicates
	ip -n "${P}fw1" link set sync0 down
	ip -n "${P}fw1" link set sync0 name other0
	ip -n "${P}fw1" link set other0 up
	waits_for_log fw1 'no dedicated links available!'
	wait_until 10 link_is fw1 sync0 DOWN
	ip -n "${P}fw1" link set other0 down
	ip -n "${P}fw1" link set other0 name sync0
	ip -n "${P}fw1" addr replace 192.168.100.1/24 dev sync0
	ip -n "${P}fw1" link set sync0 up
	waits_for_log fw1 'link sync0: is usable now'
	replicates
}

@test "an alternative name of an interface is as good as its own" {
	local node

	for node in fw1 fw2; do
		ip -n "$P$node" link property add dev sync0 altname enp9s0sync ||
			skip "no alternative names"
		lab_conf $node Multicast
		sed -i 's/Interface sync0/Interface enp9s0sync/' "$D/$node.conf"
		start_daemon $node "$CONNTRACKD"
	done
	replicates
	wait_until 10 link_is fw1 enp9s0sync RUNNING
	ip -n "${P}fw1" link set sync0 down
	waits_for_log fw1 'link enp9s0sync: is down'
	ip -n "${P}fw1" link set sync0 up
	waits_for_log fw1 'link enp9s0sync: is usable now'
	replicates
}
