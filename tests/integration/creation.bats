#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What a kernel takes only when an entry is made, or keeps to itself, where it has
# it at all: helpers in user space, timeout policies, flow tables, netem. The
# stock kernel of Debian 12 has all of them (`make check-kernel`).

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

TCP1="ipv4=10.1.0.10,10.2.0.10 l4proto=6 port=1001,80"

# Timeouts are sent, and committed as what is left of them.
start_ours() {
	for node in fw1 fw2; do
		lab_conf $node UDP
		sed -i '/CommitTimeout/d' "$D/$node.conf"
	done
	start_both ours ours
}

# A module that the kernel may have, or be built with.
modules() { # NAME...
	local name

	for name in "$@"; do
		modprobe "$name" 2>/dev/null || :
	done
}

add() { # NODE LINE
	lab_in "$1" "$B/tools/ctset" add <<<"$2"
}

table() { # NODE
	lab_in "$1" "$B/tools/ctset" dump
}

# The entry with these addresses and ports.
entry() { # NODE PATTERN
	table "$1" | grep -E "$2"
}

timeout_of() { # NODE PATTERN
	entry "$1" "$2" | sed -n 's/.* timeout=\([0-9]*\).*/\1/p'
}

cthelper() { # new or del
	lab_in fw1 "$B/tools/cthelper" "$1" userlab
}

@test "a helper in user space arrives, and is committed where there is one" {
	modules nfnetlink_cthelper
	cthelper new || skip "this kernel has no helpers in user space"
	start_ours
	add fw1 "$TCP1 tcp_state=3 status=0xe timeout=600 mark=0x1 helper=userlab"
	add fw1 "${TCP1/1001/1002} tcp_state=3 status=0xe timeout=600 mark=0x2 helper=userlab"
	wait_until 20 external_has fw2 'sport=1002 .*helper=userlab'
	external_has fw2 'sport=1001 .*helper=userlab'
	ask fw2 -c
	entry fw2 'port=1001,80 .* helper=userlab'
	entry fw2 'port=1002,80 .* helper=userlab'
	# gone from the kernel, and with it from what it is to commit
	lab_in fw2 conntrack -F >/dev/null 2>&1
	cthelper del
	ask fw2 -c
	entry fw2 'port=1001,80 .* mark=0x1 ' >"$D/entry"
	run ! grep helper "$D/entry"
	run ! grep "can't be committed" "$D/fw2.log"
}

# The policy that a rule has given an entry is the kernel's own: what is left of
# its time arrives, and here it runs down by the policy that this kernel has.
@test "the time of a timeout policy arrives, the policy does not" {
	modules nfnetlink_cttimeout nft_ct
	lab_in fw1 nft -f - <<-END || skip "this kernel has no timeout policies"
		table ip policies {
			ct timeout long {
				protocol udp
				policy = { unreplied : 7000, replied : 7000 }
			}
			chain c {
				type filter hook output priority -100
				udp dport 5353 ct timeout set "long"
			}
		}
	END
	start_ours
	lab_in fw1 bash -c 'echo x >/dev/udp/10.2.0.10/5353'
	wait_until 20 external_has fw2 '^udp .* dport=5353 '
	ask fw2 -c
	[ "$(timeout_of fw2 'l4proto=17 port=[0-9]*,5353 ')" -gt 6000 ]
}

# Real packets, or else no entry is offloaded.
offload() {
	modules nf_flow_table nf_flow_table_inet nft_flow_offload
	lab_in fw1 nft -f - <<-END 2>/dev/null || return 1
		table inet fast {
			flowtable f {
				hook ingress priority 0
				devices = { eth1, eth2 }
			}
			chain forward {
				type filter hook forward priority 10
				meta l4proto tcp flow add @f
			}
		}
	END
}

is_offloaded() { # NODE
	kernel "$1" | grep -q 'dport=5000 .*\[OFFLOAD\]'
}

@test "a flow of a flow table is replicated, committed, and goes on" {
	offload || skip "this kernel has no flow tables"
	start_ours
	start_server
	start_stream tcp 10.2.0.10
	wait_until 20 is_offloaded fw1
	wait_until 20 external_has fw2 "^tcp .*sport=$(stream_port tcp) "
	# no event tells that an entry is offloaded: a dump does
	ask fw1 -R
	wait_until 20 internal_has fw1 "^tcp .*dport=5000 .*\[OFFLOAD\]"
	kill -9 "$pid_fw1"
	lab_cut fw1
	ask fw2 -c
	run ! is_offloaded fw2
	entry fw2 ',5000 .*tcp_state=3 status=0x[0-9a-f]*e '
	[ "$(timeout_of fw2 ",5000 ")" -gt 60 ]
	lab_vip fw2
	wait_until 20 progressed tcp $(($(progress tcp) + 100))
	end_stream tcp
}

@test "netem: late, lost, doubled and out of order, all arrives" {
	modules sch_netem
	for node in fw1 fw2; do
		ip netns exec "$P$node" tc qdisc add dev sync0 root netem delay 20ms \
			10ms loss 5% duplicate 5% reorder 25% 2>/dev/null ||
			skip "this kernel has no netem"
	done
	start_ours
	load fw1 -t 600 insert 2000 >/dev/null
	wait_until 30 external_is_kernel fw2 fw1
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
}
