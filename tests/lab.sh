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
# directory for files; both are new with each lab. LAB_SLOW: how many times
# longer all limits are than on a usual machine, for an emulator.

LAB_NODES="cl srv fw1 fw2 lan wan"
: "${LAB_SLOW:=1}"
# between two tries of wait_until; where they are slow, they shall not be all
# that the machine does
[ "$LAB_SLOW" -gt 1 ] && LAB_PAUSE=0.5 || LAB_PAUSE=0.05

# Sets P and D. $1: a word for the names.
lab_names() {
	D=$(mktemp -d "/tmp/$1.XXXXXX") || return 1
	P=${D##*.}_
}

lab_in() { # NODE COMMAND...
	_node=$1
	shift
	ip netns exec "$P$_node" "$@" 8>&-
}

lab_ctl() { # NODE KEY=VALUE...: sysctl without the program
	_node=$1
	shift
	# shellcheck disable=SC2016,SC2046 # of the inner shell; words
	lab_in "$_node" sh -c 'for i; do
		f=/proc/sys/${i%%=*}
		# a kernel may be without IPv6
		[ -e "$f" ] || [ -n "${f##*/ipv6/*}" ] || continue
		echo "${i#*=}" >"$f" || exit 1
	done' sh $(echo "$*" | tr . /)
}

# What follows writes commands for `ip -batch`: under an emulator each process
# takes a tenth of a second and more.

# A port of a network with an interface of a node at it.
lab_port() { # NETWORK NODE IFNAME
	echo "link add p$2 netns $P$1 type veth peer name $3 netns $P$2"
}

# A dedicated link. $1: its number, $2: how many there have been. A new one is
# another one, as with real interfaces. Where both ends have one index, the
# kernel takes a second to tell of the carrier.
lab_cable() {
	echo "link add sync$1 index 1$2$1 netns ${P}fw1 type veth" \
		"peer name sync$1 index 2$2$1 netns ${P}fw2"
}

lab_bridge() { # PORT...
	printf '%s\n' "link set lo up" "link add br0 type bridge" \
		"link set br0 up"
	printf 'link set %s master br0 up\n' "$@"
}

lab_addrs() { # IFNAME ADDR4 ADDR6
	printf '%s\n' "addr add $2 dev $1" "addr add $3 dev $1 nodad" \
		"link set $1 up"
}

lab_host() { # NET: 1 or 2, the node at .10 behind its virtual address
	echo "link set lo up"
	lab_addrs eth0 "10.$1.0.10/24" "fd00:$1::10/64"
	printf 'route add default via %s\n' "10.$1.0.1" "fd00:$1::1"
}

lab_sync_addrs() { # LINK OWN: of a firewall, 1 or 2
	lab_addrs "sync$1" "192.168.$((100 + $1)).$2/24" "fd00:10$1::$2/64"
}

lab_firewall() { # OWN: 1 or 2
	echo "link set lo up"
	for _net in 1 2; do
		lab_addrs eth$_net "10.$_net.0.$(($1 + 1))/24" \
			"fd00:$_net::$(($1 + 1))/64"
	done
	lab_sync_addrs 0 "$1"
}

# A second, third, ... dedicated link. $1: its number
lab_sync_link() {
	_n_cables=$((${_n_cables:-0} + 1))
	lab_cable "$1" $_n_cables | ip -batch - &&
		lab_sync_addrs "$1" 1 | ip -n "${P}fw1" -batch - &&
		lab_sync_addrs "$1" 2 | ip -n "${P}fw2" -batch - &&
		lab_carrier fw1 && lab_carrier fw2
}

# Returns when all interfaces of a node that are up have a carrier, and who
# listens has been told: the kernel takes up to a second for it.
lab_carrier() { # NODE
	wait_until 10 lab_has_carrier "$1"
}

lab_has_carrier() { # NODE
	ip -n "$P$1" -o link show up | awk '
		$2 != "lo:" && !/LOWER_UP.* state UP / { bad = 1 }
		END { exit bad }'
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
		lab_carrier "$1" && lab_carrier relay
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

# The limit of the kernel's table and its buckets belong to the whole machine, and
# while they change a dump of any table misses entries. -s: beside others; -x:
# alone, for who changes them or fills a table. Until lab_down. Who waits stands
# in the gate: else several others would never all have left.
lab_lock() { # -s or -x
	command -v flock >/dev/null || return 0
	exec 8>>/tmp/ctlab.lock 7>>/tmp/ctlab.gate
	flock -u 8 && flock -w 900 7 && flock -w 900 "$1" 8
	_locked=$?
	exec 7>&-
	return $_locked
}

# Builds everything; false when something is missing (lab_down cleans up).
lab_up() {
	lab_lock -s || return 1
	# shellcheck disable=SC2086 # words
	printf "netns add $P%s\n" $LAB_NODES | ip -batch - || return 1
	# before there are interfaces to inherit them
	for _n in cl srv fw1 fw2; do
		lab_ctl $_n net.ipv4.conf.all.rp_filter=0 \
			net.ipv4.conf.default.rp_filter=0 \
			net.ipv6.conf.default.accept_dad=0 \
			net.ipv4.conf.all.accept_redirects=0 \
			net.ipv4.conf.all.send_redirects=0 || return 1
	done
	{
		lab_port lan cl eth0
		lab_port wan srv eth0
		for _k in 1 2; do
			lab_port lan fw$_k eth1
			lab_port wan fw$_k eth2
		done
		lab_cable 0 0
	} | ip -batch - &&
		lab_bridge pcl pfw1 pfw2 | ip -n "${P}lan" -batch - &&
		lab_bridge psrv pfw1 pfw2 | ip -n "${P}wan" -batch - &&
		lab_host 1 | ip -n "${P}cl" -batch - &&
		lab_host 2 | ip -n "${P}srv" -batch - || return 1
	for _k in 1 2; do
		lab_firewall $_k | ip -n "${P}fw$_k" -batch - &&
			lab_rules fw$_k &&
			lab_ctl fw$_k net.ipv4.ip_forward=1 \
				net.ipv6.conf.all.forwarding=1 \
				net.netfilter.nf_conntrack_tcp_loose=0 \
				net.netfilter.nf_conntrack_tcp_be_liberal=0 \
				net.netfilter.nf_conntrack_checksum=0 || return 1
	done
	lab_vip fw1 && lab_carrier fw1 && lab_carrier fw2
}

# Room for this many entries in each of two tables; lab_down puts it back. The
# lab is up: only then the module is there for certain.
lab_room() { # ENTRIES
	_sys=/proc/sys/net/netfilter/nf_conntrack
	lab_lock -x || return 1
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
	# shellcheck disable=SC2086 # words
	for _pid in $(printf "netns pids $P%s\n" $LAB_NODES relay |
		ip -force -batch - 2>/dev/null); do
		kill -9 "$_pid" 2>/dev/null || :
	done
	# shellcheck disable=SC2086 # words
	printf "netns del $P%s\n" $LAB_NODES relay |
		ip -force -batch - 2>/dev/null || :
	lab_room_restore
	flock -u 8 2>/dev/null || :
	case $D in
	/tmp/*.*) rm -rf "$D" ;;
	esac
	return 0
}

# Moves the virtual addresses to this firewall; the neighbours learn it at once.
lab_vip() { # NODE
	for _n in fw1 fw2; do
		for _net in 1 2; do
			printf "addr del %s dev eth$_net\n" \
				10.$_net.0.1/24 fd00:$_net::1/64
		done | ip -n "$P$_n" -force -batch - 2>/dev/null || :
	done
	for _net in 1 2; do
		echo "addr add 10.$_net.0.1/24 dev eth$_net"
		echo "addr add fd00:$_net::1/64 dev eth$_net nodad"
	done | ip -n "$P$1" -batch - || return 1
	for _n in cl srv; do
		ip -n "$P$_n" neigh flush dev eth0
	done
	return 0
}

# Cuts a firewall off, as if its power had failed.
lab_cut() { # NODE
	printf 'link set %s down\n' eth1 eth2 sync0 | ip -n "$P$1" -batch -
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

# The part that every configuration has. LAB_FILTER=none: filters nothing;
# LAB_POLL: PollSecs. The buffers are large: a busy machine hands out a second's
# events at once, and what is lost is not the subject of most tests.
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
			NetlinkBufferSize 33554432
			NetlinkBufferSizeMaxGrowth 67108864
			${LAB_POLL:+PollSecs $LAB_POLL}
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

lab_link() { # NODE LINK: Multicast, UDP or TCP, with 6 over IPv6
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
	UDP | TCP) cat <<-END ;;
		$2 {
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
	UDP6 | TCP6) cat <<-END ;;
		${2%6} {
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
lab_conf() { # NODE LINK; LAB_MODE: another one than FTFW
	{
		cat <<-END
			Sync {
			Mode ${LAB_MODE:-FTFW} {
				CommitTimeout 180
				PurgeTimeout 60
		END
		[ "${LAB_MODE:-FTFW}" != FTFW ] || cat <<-END
				ResendQueueSize 131072
				ACKWindowSize 300
		END
		echo "}"
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
	_end=$(($(lab_now) + $1 * 1000 * LAB_SLOW))
	shift
	until "$@"; do
		if [ "$(lab_now)" -gt $_end ]; then
			echo "gave up waiting for: $*" >&2
			return 1
		fi
		sleep "$LAB_PAUSE"
	done
}
