#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Files whose mode, link or caches are none of the defaults: those of the corpus
# run as they are, and small ones as system tests of such daemons write them.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

CORPUS=tests/corpus

# ---- the corpus ----

# With the options that were the last to be built.
has_other_mode() { # FILE
	grep -Eiq '^[^#]*(Mode[[:space:]]+(NOTRACK|ALARM|PERSISTENT)|TCP[[:space:]]*(Default)?[[:space:]]*\{|Disable(In|Ex)ternalCache)' "$1"
}

@test "what is not in this version is Stats alone" {
	local file

	for file in "$CORPUS"/{configs,own,bad-configs}/*.conf; do
		"$CONNTRACKD" -T -C "$file" 2>&1 || :
	done | grep 'not in this version' |
		sed 's/.*: \(the \)\{0,1\}\([^ ]*\) .*is not in .*/\2/' |
		sort -u >"$D/words"
	cat "$D/words"
	printf '%s\n' Stats >"$D/want"
	same_lines "$D/want" "$D/words"
}

# Interfaces and own addresses of links of a file, each as `IFNAME ADDRESS`; each
# interface alone as well.
addresses_of() { # FILE
	sed 's/#.*//; s/\r//; s/[{}]/\n/g' "$1" | awk '
		$1 ~ /^(Multicast|UDP|TCP)$/ {
			in_link = 1
			n = 0
			dev = ""
		}
		$1 ~ /^(General|Options|Filter|Address|Mode)$/ { in_link = 0 }
		!in_link { next }
		$1 == "Interface" {
			print $2
			for (k = 0; k < n; k++)
				print $2, addr[k]
			dev = $2
		}
		$1 ~ /^IPv[46]_(address|interface)$/ {
			addr[n++] = $2
			if (dev)
				print dev, $2
		}' | sort -u
}

# Folders for its paths, below those that are empty.
folders_of() { # FILE
	echo /run/lock
	tr -d '\r' <"$1" | awk '
		$1 ~ /^(LockFile|LogFile|Path)$/ &&
		$2 ~ "^/(run|var/run|var/lock|var/log)/" {
			sub("/[^/]*$", "", $2)
			print $2
		}'
}

# Runs a file as it is: folders that it names are empty ones of this namespace.
# Starts, answers, ends.
runs() { # FILE
	local dev addr

	addresses_of "$1" >"$D/addresses"
	while read -r dev addr; do
		ip -n "${P}fw1" link show "$dev" >/dev/null 2>&1 || {
			n_devs=$((n_devs + 1))
			ip -n "${P}fw1" link add "$dev" type veth \
				peer name peer$n_devs
			ip -n "${P}fw1" link set peer$n_devs up
		}
		ip -n "${P}fw1" link set "$dev" up
		case $addr in
		'' | 127.* | ::1 | 22[4-9].* | 23?.* | ff*) ;;
		*:*) ip -n "${P}fw1" addr replace "$addr/64" dev "$dev" nodad ;;
		*) ip -n "${P}fw1" addr replace "$addr/24" dev "$dev" ;;
		esac
	done <"$D/addresses"
	# shellcheck disable=SC2016,SC2046 # of the inner shell; words
	lab_in fw1 sh -c '
		for dir in /var/lock /run /var/log; do
			mount -t tmpfs none "$(readlink -f $dir)" || exit 1
		done
		daemon=$0 file=$1
		shift
		mkdir -p "$@" || exit 1
		timeout 60 "$daemon" -C "$file" -d 3>&- || exit 1
		timeout 10 "$daemon" -C "$file" -s >/dev/null &&
			timeout 10 "$daemon" -C "$file" -k
	' "$CONNTRACKD" "$1" $(folders_of "$1") >"$D/runs" 2>&1
}

@test "files of the corpus with another mode, link or no caches run" {
	local file n=0 n_devs=0

	for file in "$CORPUS"/{configs,own,bad-configs}/*.conf; do
		has_other_mode "$file" || continue
		"$CONNTRACKD" -T -C "$file" >"$D/verdict" 2>&1 || :
		# what is wrong otherwise, or for statistics; there are folders
		! grep -v missing-directory "$D/verdict" |
			grep -Eq ': error: |Stats section' || continue
		runs "$file" || {
			echo "$file"
			cat "$D/addresses" "$D/runs"
			return 1
		}
		n=$((n + 1))
	done
	echo "# $n files" >&3
	[ "$n" -ge 20 ]
}

# ---- as tests of a distribution have it ----

suite_general() { # NODE
	cat <<-END
		General {
			LogFile $D/$1.log
			LockFile $D/$1.lock
			UNIX {
				Path $D/$1.sock
			}
		}
	END
}

# As of a `ping` through fw1.
add_ping() {
	lab_in fw1 conntrack -I -p icmp -s 10.1.0.10 -d 10.2.0.10 -t 30 \
		--icmp-type 8 --icmp-code 0 --icmp-id 4711 >/dev/null 2>&1
}

ended() { # PID
	[ ! -e "/proc/$1" ]
}

@test "NOTRACK without caches over TCP to itself: starts, harms nothing, ends" {
	{
		cat <<-END
			Sync {
				Mode NOTRACK {
					DisableInternalCache on
					DisableExternalCache on
				}
				TCP {
					IPv4_address 127.0.0.1
					IPv4_Destination_Address 127.0.0.1
					Port 3780
					Interface lo
					Checksum on
				}
			}
		END
		suite_general fw1
	} >"$D/fw1.conf"
	start_daemon fw1 "$CONNTRACKD"
	start_server
	start_stream tcp4 10.2.0.10
	add_ping
	kernel fw1 | grep -q '^icmp .*src=10.1.0.10 dst=10.2.0.10'
	wait_until 20 progressed tcp4 300
	kernel fw1 | grep -q "^tcp .*ESTABLISHED .*sport=$(stream_port tcp4) "
	end_stream tcp4
	ask fw1 -s >/dev/null
	ask fw1 -k
	wait_until 10 ended "$pid_fw1"
}

@test "nothing but Mode NOTRACK, a group and an interface: a ping is replicated" {
	local node

	for node in fw1 fw2; do
		{
			cat <<-END
				Sync {
					Mode NOTRACK { }
					Multicast {
						IPv4_address 225.0.0.50
						Group 3780
						IPv4_interface 192.168.100.${node#fw}
						Interface sync0
					}
				}
			END
			suite_general $node
		} >"$D/$node.conf"
		start_daemon $node "$CONNTRACKD"
	done
	add_ping
	wait_until 10 internal_has fw1 '^icmp .*src=10.1.0.10 dst=10.2.0.10 type=8'
	wait_until 10 external_has fw2 '^icmp .*src=10.1.0.10 dst=10.2.0.10 type=8'
	for node in fw1 fw2; do
		pid=pid_$node
		ask $node -k
		wait_until 10 ended "${!pid}"
	done
}
