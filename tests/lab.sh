# SPDX-License-Identifier: ISC
# shellcheck shell=sh
#
# lab.sh - two firewalls between a client and a server, in network namespaces.
# Sourced by the demonstration, the integration tests and the benchmark.
#
#	cl --- lan --- fw1, fw2 --- wan --- srv       fw1 sync0 --- sync0 fw2
#	10.1.0.10     .2    .3     .2   .3  10.2.0.10  192.168.100.1   .2
#	fd00:1::10   ::2   ::3    ::2  ::3  fd00:2::10
#
# .1 and ::1 of both networks are the virtual addresses, which one firewall
# holds; connections are source-NATed to that of the wan side. A packet of a
# connection that a firewall does not know is dropped (tcp_loose=0).
#
# Needs root, ip and nft. P is the prefix of the namespaces' names, D a
# directory for files; both are new with each lab.

LAB_NODES="cl srv fw1 fw2 lan wan"

# Sets P and D. $1: a word for the names.
lab_names() {
	D=$(mktemp -d "/tmp/$1.XXXXXX") || return 1
	P=${D##*.}_
}

lab_in() { # NODE COMMAND...
	_node=$1
	shift
	ip netns exec "$P$_node" "$@"
}

lab_ctl() { # NODE KEY=VALUE...: sysctl without the program
	_node=$1
	shift
	# shellcheck disable=SC2016
	lab_in "$_node" sh -c 'for i; do
		f=/proc/sys/$(echo "${i%%=*}" | tr . /)
		[ ! -e "$f" ] || echo "${i#*=}" >"$f" || exit 1
	done' sh "$@"
}

lab_port() { # NODE IFNAME BRIDGE ADDR4 ADDR6
	ip link add "p$1" netns "$P$3" type veth peer name "$2" netns "$P$1" &&
		ip -n "$P$3" link set "p$1" master br0 up &&
		ip -n "$P$1" addr add "$4" dev "$2" &&
		ip -n "$P$1" addr add "$5" dev "$2" nodad &&
		ip -n "$P$1" link set "$2" up
}

# A second, third, ... dedicated link. $1: its number
lab_sync_link() {
	ip link add "sync$1" netns "${P}fw1" type veth peer name "sync$1" \
		netns "${P}fw2" || return 1
	for _k in 1 2; do
		_dev=sync$1
		ip -n "${P}fw$_k" addr add "192.168.$((100 + $1)).$_k/24" \
			dev "$_dev" &&
			ip -n "${P}fw$_k" addr add "fd00:10$1::$_k/64" \
				dev "$_dev" nodad &&
			ip -n "${P}fw$_k" link set "$_dev" up || return 1
	done
	wait_until 10 lab_has_carrier fw1 "$_dev" &&
		wait_until 10 lab_has_carrier fw2 "$_dev"
}

# The kernel tells of a carrier up to a second after it is there.
lab_has_carrier() { # NODE DEVICE
	ip -n "$P$1" link show dev "$2" | grep -q ' state UP '
}

# A relay in place of the dedicated link: faults by lab_faults. $1: seed
lab_relay() {
	ip netns add "${P}relay" &&
		lab_in relay sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
			echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' &&
		ip -n "${P}fw1" link del sync0 || return 1
	for _k in 1 2; do
		lab_relay_side fw$_k || return 1
	done
	: >"$D/faults"
	ip netns exec "${P}relay" "$B/tools/relay" -s "$1" "$D/faults" \
		side1 side2 >"$D/relay" 2>&1 3>&- </dev/null &
	# shellcheck disable=SC2034 # for who sources this
	lab_relay_pid=$!
}

# The link of one firewall to the relay, which may have been deleted.
lab_relay_side() { # NODE
	_own=${1#fw}
	ip link add "side$_own" netns "${P}relay" type veth peer name sync0 \
		netns "$P$1" &&
		ip -n "$P$1" addr add "192.168.100.$_own/24" dev sync0 &&
		ip -n "$P$1" link set sync0 up &&
		ip -n "${P}relay" link set "side$_own" up &&
		wait_until 10 lab_has_carrier "$1" sync0
}

# What the relay does from now on: pairs of name and value, see relay.c
lab_faults() { # [NAME VALUE]...
	printf '%s %s\n' "$@" >"$D/faults.new" && mv "$D/faults.new" "$D/faults"
}

lab_rules() { # NODE: its packet filter; LAB_SYNC=tracked: link traffic as well
	_notrack='iifname "sync*" notrack'
	_notrack_out='oifname "sync*" notrack'
	[ "${LAB_SYNC:-notrack}" = notrack ] || _notrack='' _notrack_out=''
	lab_in "$1" nft -f - <<-END
		table inet lab {
			chain raw_in {
				type filter hook prerouting priority -300;
				$_notrack
			}
			chain raw_out {
				type filter hook output priority -300;
				$_notrack_out
			}
			chain forward {
				type filter hook forward priority 0; policy drop;
				ct state invalid drop
				ct state established,related accept
				iifname "eth1" ct state new accept
			}
		}
		table ip lab_nat {
			chain post {
				type nat hook postrouting priority 100;
				oifname "eth2" ip saddr 10.1.0.0/24 snat to 10.2.0.1
			}
		}
		table ip6 lab_nat {
			chain post {
				type nat hook postrouting priority 100;
				oifname "eth2" ip6 saddr fd00:1::/64 snat to fd00:2::1
			}
		}
	END
}

# Builds everything; false when something is missing (lab_down cleans up).
lab_up() {
	for _n in $LAB_NODES; do
		ip netns add "$P$_n" && ip -n "$P$_n" link set lo up || return 1
	done
	for _n in lan wan; do
		ip -n "$P$_n" link add br0 type bridge &&
			ip -n "$P$_n" link set br0 up || return 1
	done
	for _n in cl srv fw1 fw2; do
		lab_ctl $_n net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 \
			net.ipv6.conf.default.accept_dad=0 \
			net.ipv4.conf.all.accept_redirects=0 \
			net.ipv4.conf.all.send_redirects=0 || return 1
	done
	lab_port cl eth0 lan 10.1.0.10/24 fd00:1::10/64 &&
		lab_port srv eth0 wan 10.2.0.10/24 fd00:2::10/64 || return 1
	for _k in 1 2; do
		lab_port fw$_k eth1 lan 10.1.0.$((_k + 1))/24 \
			fd00:1::$((_k + 1))/64 &&
			lab_in lan ip link set pfw$_k name lan$_k &&
			lab_port fw$_k eth2 wan 10.2.0.$((_k + 1))/24 \
				fd00:2::$((_k + 1))/64 &&
			lab_rules fw$_k || return 1
	done
	lab_sync_link 0 || return 1
	for _k in 1 2; do
		lab_ctl fw$_k net.ipv4.ip_forward=1 \
			net.ipv6.conf.all.forwarding=1 \
			net.netfilter.nf_conntrack_tcp_loose=0 \
			net.netfilter.nf_conntrack_tcp_be_liberal=0 \
			net.netfilter.nf_conntrack_checksum=0 || return 1
	done
	ip -n "${P}cl" route add default via 10.1.0.1
	ip -n "${P}cl" -6 route add default via fd00:1::1
	ip -n "${P}srv" route add default via 10.2.0.1
	ip -n "${P}srv" -6 route add default via fd00:2::1
	lab_vip fw1
}

# Room for this many entries in each of two tables. The limit and the buckets
# belong to the whole machine: lab_down puts them back.
lab_room() { # ENTRIES
	_sys=/proc/sys/net/netfilter/nf_conntrack
	: "${LAB_OLD_MAX:=$(cat ${_sys}_max)}"
	: "${LAB_OLD_BUCKETS:=$(cat ${_sys}_buckets)}"
	[ "$LAB_OLD_MAX" -gt $(($1 + $1 / 8)) ] ||
		echo $(($1 + $1 / 4)) >"${_sys}_max" || return 1
	[ "$LAB_OLD_BUCKETS" -ge $((2 * $1)) ] ||
		echo $((2 * $1)) >"${_sys}_buckets"
}

lab_room_restore() {
	[ -n "${LAB_OLD_MAX:-}" ] || return 0
	echo "$LAB_OLD_BUCKETS" >"${_sys}_buckets"
	echo "$LAB_OLD_MAX" >"${_sys}_max"
	LAB_OLD_MAX='' LAB_OLD_BUCKETS=''
}

# Ends what runs in the namespaces, by pid, then removes them and D.
lab_down() {
	for _n in $LAB_NODES relay; do
		for _pid in $(ip netns pids "$P$_n" 2>/dev/null); do
			kill -9 "$_pid" 2>/dev/null || :
		done
	done
	for _n in $LAB_NODES relay; do
		ip netns del "$P$_n" 2>/dev/null || :
	done
	lab_room_restore
	case $D in
	/tmp/*.*) rm -rf "$D" ;;
	esac
	return 0
}

# Moves the virtual addresses to this firewall; the neighbours learn it at once.
lab_vip() { # NODE
	for _n in fw1 fw2; do
		for _net in 1 2; do
			ip -n "$P$_n" addr del 10.$_net.0.1/24 \
				dev eth$_net 2>/dev/null || :
			ip -n "$P$_n" addr del fd00:$_net::1/64 \
				dev eth$_net 2>/dev/null || :
		done
	done
	for _net in 1 2; do
		ip -n "$P$1" addr add 10.$_net.0.1/24 dev eth$_net &&
			ip -n "$P$1" addr add fd00:$_net::1/64 \
				dev eth$_net nodad || return 1
	done
	for _n in cl srv; do
		ip -n "$P$_n" neigh flush dev eth0
	done
	return 0
}

# Cuts a firewall off, as if its power had failed.
lab_cut() { # NODE
	for _dev in eth1 eth2 sync0; do
		ip -n "$P$1" link set $_dev down
	done
}

# This share of what arrives on the dedicated links is lost, 0: none.
lab_loss() { # NODE PERCENT
	lab_in "$1" nft delete table inet lab_loss 2>/dev/null || :
	[ "$2" -gt 0 ] || return 0
	lab_in "$1" nft -f - <<-END
		table inet lab_loss {
			chain in {
				type filter hook prerouting priority -400;
				iifname "sync*" numgen random mod 100 < $2 counter drop
			}
		}
	END
}

# The part that every configuration has. LAB_FILTER=none: filters nothing.
lab_general() { # NODE
	cat <<-END
		General {
			HashSize ${LAB_HASH:-32768}
			HashLimit ${LAB_LIMIT:-131072}
			LogFile $D/$1.log
			Syslog off
			LockFile $D/$1.lock
			UNIX {
				Path $D/$1.sock
			}
			NetlinkBufferSize 2097152
			NetlinkBufferSizeMaxGrowth 8388608
	END
	[ "${LAB_FILTER:-}" = none ] || cat <<-END
			Filter From Userspace {
				Address Ignore {
					IPv4_address 127.0.0.1
					IPv4_address 192.168.100.0/24
					IPv6_address ::1
					IPv6_address fd00:100::/64
				}
			}
	END
	echo "}"
}

lab_link() { # NODE LINK: Multicast, UDP, Multicast6 or UDP6
	_own=${1#fw}
	_peer=$((3 - _own))
	case $2 in
	Multicast) cat <<-END ;;
		Multicast {
			IPv4_address 225.0.0.50
			Group 3780
			IPv4_interface 192.168.100.$_own
			Interface sync0
			SndSocketBuffer 1249280
			RcvSocketBuffer 1249280
			Checksum on
		}
	END
	UDP) cat <<-END ;;
		UDP {
			IPv4_address 192.168.100.$_own
			IPv4_Destination_Address 192.168.100.$_peer
			Port 3780
			Interface sync0
			SndSocketBuffer 1249280
			RcvSocketBuffer 1249280
			Checksum on
		}
	END
	Multicast6) cat <<-END ;;
		Multicast {
			IPv6_address ff02::3780
			Group 3780
			Interface sync0
			SndSocketBuffer 1249280
			RcvSocketBuffer 1249280
		}
	END
	UDP6) cat <<-END ;;
		UDP {
			IPv6_address fd00:100::$_own
			IPv6_Destination_Address fd00:100::$_peer
			Port 3780
			Interface sync0
			SndSocketBuffer 1249280
			RcvSocketBuffer 1249280
		}
	END
	esac
}

# Writes $D/NODE.conf: FT-FW over this kind of link.
lab_conf() { # NODE LINK
	{
		cat <<-END
			Sync {
			Mode FTFW {
				ResendQueueSize 131072
				CommitTimeout 180
				PurgeTimeout 60
				ACKWindowSize 300
			}
		END
		lab_link "$1" "$2"
		echo "}"
		lab_general "$1"
	} >"$D/$1.conf"
}

# Prints the pid of the daemon that runs with this node's configuration.
lab_daemon_pid() { # NODE
	for _pid in $(ip netns pids "$P$1"); do
		case $(tr '\0' ' ' <"/proc/$_pid/cmdline" 2>/dev/null) in
		*"-C $D/$1.conf "*) echo "$_pid" && return 0 ;;
		esac
	done
	return 1
}

# Starts a daemon; returns when it is ready. Its pid: lab_daemon_pid.
lab_start() { # NODE BINARY
	lab_in "$1" "$2" -C "$D/$1.conf" -d >"$D/$1.start" 2>&1 3>&- </dev/null
}

lab_kill() { # NODE SIGNAL
	_daemon=$(lab_daemon_pid "$1") && kill "-$2" "$_daemon"
}

lab_ask() { # NODE BINARY OPTION...: a client command
	_node=$1 _bin=$2
	shift 2
	lab_in "$_node" "$_bin" -C "$D/$_node.conf" "$@"
}

# Milliseconds since boot, of a clock of 10 ms.
lab_now() {
	read -r _up _ </proc/uptime
	echo $((${_up%.*} * 1000 + 10 * (1${_up#*.} - 100)))
}

# Tries a command until it succeeds; false after LIMIT seconds. The command does
# not call it itself.
wait_until() { # LIMIT COMMAND...
	_end=$(($(lab_now) + $1 * 1000))
	shift
	until "$@"; do
		if [ "$(lab_now)" -gt $_end ]; then
			echo "gave up waiting for: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}
