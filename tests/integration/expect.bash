# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # set by lib.bash; set for who loads it
#
# expect.bash - connections that a helper of the kernel expects: a pair that
# replicates expectations, helpers and their rules, FTP clients that are told what
# to do one by one, and looks at what kernels and caches expect.

# ---- the pair ----

# What a test's words say: a mode, how flows get into the kernel of the backup.
expect_conf() { # NODE LINK MODE commit|direct [HELPER]...
	local node=$1 link=$2 mode=$3 way=$4 list=on

	shift 4
	[ $# -eq 0 ] || list="{ $* }"
	LAB_MODE=$mode lab_conf "$node" "$link"
	sed -i "s/^Sync {/&\\nOptions {\\nExpectationSync $list\\n}/" "$D/$node.conf"
	[ "$way" = commit ] ||
		sed -i '/CommitTimeout/d
			/^Mode /a DisableExternalCache yes' "$D/$node.conf"
}

start_expecting() { # OF_FW1 OF_FW2 LINK MODE commit|direct [HELPER]...
	local of_fw1=$1 of_fw2=$2

	case "$1 $2" in *ref*) need_reference ;; esac
	shift 2
	expect_conf fw1 "$@"
	expect_conf fw2 "$@"
	start_both "$of_fw1" "$of_fw2"
}

# ---- what is expected ----

# The kernel's expectations, each as addresses and ports of what is expected and
# of its master, without what it counts down.
kernel_expects() { # NODE
	{
		lab_in "$1" conntrack -L expect
		lab_in "$1" conntrack -L expect -f ipv6
	} 2>/dev/null | expectations
}

cache_expects() { # NODE -i|-e
	ask "$1" "$2" expect | expectations
}

# Reads lines of a kernel or a cache, which differ in what comes first and last.
expectations() {
	awk '{
		out = ""
		for (i = 1; i <= NF; i++) {
			if ($i ~ /^(proto|(mask-|master-)?(src|dst)|sport|dport|class|helper|zone)=/)
				out = out (out == "" ? "" : " ") $i
		}
		print out
	}' | sort
}

n_expected() { # NODE kernel|-i|-e
	if [ "$2" = kernel ]; then
		kernel_expects "$1"
	else
		cache_expects "$1" "$2"
	fi | wc -l
}

expected_are() { # NODE kernel|-i|-e COUNT
	[ "$(n_expected "$1" "$2")" -eq "$3" ]
}

# A reference learns from a dump alone what no event tells (shifts of sequence
# numbers), and what is expected before its master is told (of UDP, always).
tell_again() {
	[ "$bin_fw1" = "$REFERENCE" ] || return 0
	ask fw1 -R
	ask fw1 -B
}

# ---- helpers ----

# The helper, which Linux gives to nobody by itself; what is no control connection
# passes only if it is expected, from either side. The server is at the virtual
# address of the client's side too.
helper_rules() { # NODE NAME PROTOCOL PORT
	lab_in "$1" nft -f - <<-END
		table inet lab_helper {
			ct helper h {
				type "$2" protocol $3
			}
			chain assign {
				type filter hook prerouting priority 0
				$3 dport $4 ct helper set "h"
			}
			chain only {
				type filter hook forward priority -1
				ct state new $3 dport != $4 drop
			}
		}
		table ip lab_dnat {
			chain pre {
				type nat hook prerouting priority -100
				iifname "eth1" ip daddr 10.1.0.1 $3 dport $4 dnat to 10.2.0.10
			}
		}
		table ip6 lab_dnat {
			chain pre {
				type nat hook prerouting priority -100
				iifname "eth1" ip6 daddr fd00:1::1 $3 dport $4 dnat to fd00:2::10
			}
		}
	END
}

use_helper() { # NAME PROTOCOL PORT
	# where they are modules; no rule asks for the second by itself
	modprobe -q -a "nf_conntrack_$1" "nf_nat_$1" || :
	helper_rules fw1 "$@"
	helper_rules fw2 "$@"
}

no_nat() {
	local node

	for node in fw1 fw2; do
		lab_in $node nft delete table ip lab_nat
		lab_in $node nft delete table ip6 lab_nat
	done
}

# ---- FTP ----

start_ftp_server() {
	background srv "$D/ftp.server" "$B/tools/ftp" server
	wait_until 10 grep -q listening "$D/ftp.server"
}

# A client, connected: its output in $D/client.NAME, its pid in ftp_NAME.
start_ftp_client() { # NAME ADDRESS MODE
	local name=$1 own=10.1.0.10

	case $2 in *:*) own=fd00:1::10 ;; esac
	mkfifo "$D/tell.$name"
	background cl "$D/client.$name" "$B/tools/ftp" client $own "$2" \
		"$D/tell.$name"
	declare -g "ftp_$name=$bg"
	wait_until 10 grep -q connected "$D/client.$name"
	ftp_of "$name" "mode $3"
}

# Has a client do something; returns when it has succeeded.
ftp_of() { # NAME LINE
	local pid=ftp_$1 before

	before=$(grep -c "^$2 ok" "$D/client.$1" || :)
	echo "$2" >"$D/tell.$1"
	wait_until 20 done_or_dead "$1" "$2" "$before" "${!pid}"
	[ "$(grep -c "^$2 ok" "$D/client.$1")" -gt "$before" ]
}

done_or_dead() { # NAME LINE BEFORE PID
	[ "$(grep -c "^$2 ok" "$D/client.$1")" -gt "$3" ] ||
		! kill -0 "$4" 2>/dev/null
}

# Port and shifts of each control connection.
shifts() { # NODE
	lab_in "$1" "$B/tools/ctset" dump |
		sed -n 's/.* port=\([0-9]*,21\) .* seqadj=\([^ ]*\) .*/\1 \2/p' |
		sort
}

# ---- many ----

# Room for so many in each kernel, of which there is one number for all; put back
# by expect_room_restore.
expect_room() { # COUNT
	lab_lock -x
	expect_max=/proc/sys/net/netfilter/nf_conntrack_expect_max
	old_expect_max=$(cat "$expect_max")
	[ "$old_expect_max" -ge "$1" ] || echo "$1" >"$expect_max"
}

expect_room_restore() {
	[ -z "${old_expect_max:-}" ] || echo "$old_expect_max" >"$expect_max"
}

# Expectations in a cache by the statistics: no dump.
count_of_expected() { # NODE CACHE
	ask "$1" -s expect | awk -v want="cache $2:" '
		$0 == want { on = 1 }
		on && /current active/ { print $NF; exit }'
}

expected_count_is() { # NODE CACHE COUNT
	[ "$(count_of_expected "$1" "$2")" -eq "$3" ]
}

# ---- literal ones ----

# Each of a kind: plain, translated, of IPv6, of another class and flags, of
# another protocol.
some_masters() {
	local v4=ipv4=10.1.0.10,10.2.0.10 v6=ipv6=fd00:1::10,fd00:2::10
	local tcp='l4proto=6 tcp_state=3 timeout=600 synproxy=0x0,0x0,0x0'

	cat <<-END
		$v4 $tcp port=3000,21 status=0xe helper=ftp
		$v4 $tcp port=3001,21 status=0x19e helper=ftp snat_ipv4=10.2.0.1 spat_port=3001
		$v6 $tcp port=3002,21 status=0x19e helper=ftp snat_ipv6=fd00:2::1 spat_port=3002
		$v4 l4proto=17 timeout=600 port=5060,5060 status=0xe helper=sip
		$v4 $tcp port=3004,1723 status=0xe helper=pptp
	END
}

# What a master expects: from its server, at this address and port.
expects() { # PROTO CLIENT SERVER SPORT DPORT ADDRESS PORT [WORD]...
	local full=255.255.255.255

	case $2 in *:*) full=ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ;; esac
	echo "proto=$1 src=$3 dst=$6 sport=0 dport=$7 mask-proto=$1" \
		"mask-src=$full mask-dst=$full mask-sport=0 mask-dport=65535" \
		"master-proto=$1 master-src=$2 master-dst=$3" \
		"master-sport=$4 master-dport=$5 timeout=300" "${@:8}"
}

some_expectations() {
	local v4='10.1.0.10 10.2.0.10' v6='fd00:1::10 fd00:2::10'

	# shellcheck disable=SC2086 # two words each
	{
		expects 6 $v4 3000 21 10.1.0.10 50000 helper=ftp
		expects 6 $v4 3001 21 10.2.0.1 50001 helper=ftp nat-dir=1 \
			nat-proto=6 nat-src=10.1.0.10 nat-sport=40001 \
			fn=nat-follow-master
		expects 6 $v6 3002 21 fd00:2::1 50002 helper=ftp nat-dir=1 \
			nat-proto=6 nat-src=fd00:1::10 nat-sport=40002 \
			fn=nat-follow-master
		expects 17 $v4 5060 5060 10.2.0.1 50003 helper=sip class=1 \
			nat-dir=1 nat-proto=17 nat-src=10.1.0.10 \
			nat-sport=40003 fn=sip flags=1
		# keys are where ports are
		expects 6 $v4 3004 1723 10.2.0.1 50004 helper=pptp nat-dir=1 \
			nat-proto=6 nat-src=0.0.0.0 nat-sport=33 proto=47 \
			mask-proto=47 sport=77 mask-sport=65535
	}
}

n_some=5

add_masters() { # NODE
	lab_in "$1" "$B/tools/ctset" add
}

add_expectations() { # NODE
	lab_in "$1" "$B/tools/ctexp" add
}

del_expectations() { # NODE
	lab_in "$1" "$B/tools/ctexp" del
}

add_some() { # NODE
	some_masters | add_masters "$1"
	some_expectations | add_expectations "$1"
}

# All that a kernel knows of them, without what it counts down.
full_expectations() { # NODE
	lab_in "$1" "$B/tools/ctexp" dump | sed "s/ timeout=[0-9]*//" | sort
}

kernels_expect_the_same() {
	full_expectations fw1 >"$D/want"
	full_expectations fw2 >"$D/got"
	[ -s "$D/want" ] && same_lines "$D/want" "$D/got"
}
