# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables set by name
#
# lib.bash - what the integration tests share, on top of tests/lab.sh.
#
# CONNTRACKD: our daemon; REFERENCE: a conntrackd to run it against. With
# CONNTRACKD=$REFERENCE a test shows what the reference does.

cd "$BATS_TEST_DIRNAME/../.." || exit 1
# shellcheck source=tests/lab.sh
. tests/lab.sh

B=${B:-$PWD/build}
CONNTRACKD=${CONNTRACKD:-$B/conntrackd}
REFERENCE=${REFERENCE:-/usr/sbin/conntrackd}

# set by name: start_daemon, background
pid_fw1='' pid_fw2='' bg=''

setup() {
	lab_names ctlab
	lab_up
}

# Ends everything; shows the logs of a test that failed.
teardown() {
	local file

	[ -n "${P:-}" ] || return 0
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -z "${BATS_TEST_SKIPPED:-}" ]; then
		for file in "$D"/*.start "$D"/*.log "$D"/client.*; do
			[ -s "$file" ] || continue
			echo "--- ${file##*/}"
			tail -n 15 "$file"
		done
	fi
	lab_down
}

# Prints the binary of `ours` or `ref`.
binary_of() {
	case $1 in
	ours) echo "$CONNTRACKD" ;;
	ref) echo "$REFERENCE" ;;
	*) echo "$1" ;;
	esac
}

need_reference() {
	[ -x "$REFERENCE" ] || skip "no reference daemon at $REFERENCE"
}

# For what takes minutes and has a shorter sister.
full_only() {
	[ -n "${FULL:-}" ] || skip "with FULL=1"
}

# True where the daemon under test is the reference itself.
is_reference() {
	[ "$CONNTRACKD" = "$REFERENCE" ]
}

# True where it is built with ASan, which needs memory and time of its own.
has_asan() {
	grep -q __asan_init "$CONNTRACKD"
}

# Runs a command that must end within LIMIT seconds.
within() { # LIMIT COMMAND...
	local limit=$(($1 * LAB_SLOW))

	shift
	timeout "$limit" "$@"
}

# What a kernel has of flows, for have_ended.
known_flows() { # NODE
	kernel "$1" | keys
}

# Of the flows in $D/known so many are no longer there.
have_ended() { # COUNT NODE
	[ "$(known_flows "$2" | comm -23 "$D/known" - | wc -l)" -ge "$1" ]
}

# Starts a daemon in a node and keeps its binary and pid. A reference needs the
# help that its users give it: the lock file of a dead one deleted.
start_daemon() { # NODE BINARY
	[ "$2" != "$REFERENCE" ] || rm -f "$D/$1.lock"
	lab_start "$1" "$2" || return 1
	declare -g "bin_$1=$2"
	declare -g "pid_$1=$(lab_daemon_pid "$1")"
}

heard_by() { # NODE: datagrams that its links have received
	ask "$1" -s | awk '/ Pckts recv/ { n += $4 } END { print n + 0 }'
}

# A HELLO and the answer to its own.
have_met() {
	[ "$(heard_by fw1)" -ge 2 ] && [ "$(heard_by fw2)" -ge 2 ]
}

# A reference that hears a HELLO forgets what it still has to send: what a test
# makes comes after it.
start_both() { # OF_FW1 OF_FW2
	start_daemon fw1 "$(binary_of "$1")"
	start_daemon fw2 "$(binary_of "$2")"
	case "$1 $2" in *ref*) wait_until 10 have_met ;; esac
}

start_pair() { # OF_FW1 OF_FW2 LINK
	case "$1 $2" in *ref*) need_reference ;; esac
	lab_conf fw1 "$3"
	lab_conf fw2 "$3"
	start_both "$1" "$2"
}

# A client command of the node's own binary.
ask() { # NODE OPTION...
	local node=$1 bin=bin_$1

	shift
	lab_ask "$node" "${!bin}" "$@"
}

# Runs a program in a node, in the background; its pid is in `bg`.
background() { # NODE OUTPUT COMMAND...
	local node=$1 out=$2

	shift 2
	ip netns exec "$P$node" "$@" >"$out" 2>&1 3>&- 8>&- </dev/null &
	bg=$!
}

start_server() {
	background srv "$D/server" "$B/tools/stream" server 5000
	wait_until 10 grep -q listening "$D/server"
}

# Starts a transfer: its output in $D/client.NAME, its pid in stream_NAME.
start_stream() { # NAME ADDR [OPTION]...
	local name=$1 addr=$2

	shift 2
	background cl "$D/client.$name" "$B/tools/stream" \
		-s $((15000 * LAB_SLOW)) "$@" client "$addr" 5000
	declare -g "stream_$name=$bg"
	wait_until 20 progressed "$name" 1
}

stream_port() { # NAME
	sed -n 's/^connected from port //p' "$D/client.$1"
}

# Records that have come back so far, as the client last told.
progress() { # NAME
	local n

	n=$(sed -n 's/^received \([0-9]*\)$/\1/p' "$D/client.$1" | tail -n 1)
	echo "${n:-0}"
}

progressed() { # NAME COUNT
	[ "$(progress "$1")" -ge "$2" ]
}

# Ends a transfer; false unless it survived.
end_stream() { # NAME
	local pid=stream_$1

	kill -TERM "${!pid}"
	wait "${!pid}"
}

# ---- tables ----

# Reads lines of a dump; prints protocol and both tuples of each, sorted.
tuples() {
	awk '{
		out = $1
		for (i = 2; i <= NF; i++)
			if ($i ~ /^(src|dst|sport|dport|type|code|id)=/)
				out = out " " $i
		print out
	}' | sort
}

# The same, original tuple only: what an external cache has.
keys() {
	awk '{
		out = $1
		n = 0
		for (i = 2; i <= NF; i++) {
			if ($i ~ /^src=/ && n++)
				break
			if ($i ~ /^(src|dst|sport|dport|type|code|id)=/)
				out = out " " $i
		}
		print out
	}' | sort
}

# The kernel's table. conntrack without -f lists IPv4 only.
kernel() { # NODE
	lab_in "$1" conntrack -L 2>/dev/null | grep -v '=127\.0\.0\.1 '
	lab_in "$1" conntrack -L -f ipv6 2>/dev/null
	return 0
}

internal() { # NODE
	ask "$1" -i
}

external() { # NODE
	ask "$1" -e
}

internal_has() { # NODE PATTERN
	internal "$1" | grep -Eq "$2"
}

external_has() { # NODE PATTERN
	external "$1" | grep -Eq "$2"
}

# Shows the first differences of two files of sorted lines; false if any.
same_lines() { # FILE FILE
	local differences

	differences=$(comm -3 "$1" "$2")
	[ -n "$differences" ] || return 0
	echo "$(wc -l <"$1") and $(wc -l <"$2") lines, they differ in" \
		"$(wc -l <<<"$differences"):"
	head -n 5 <<<"$differences"
	return 1
}

internal_is_kernel() { # NODE
	kernel "$1" | tuples >"$D/kernel"
	internal "$1" | tuples >"$D/internal"
	same_lines "$D/kernel" "$D/internal"
}

# The external cache of one node holds what the kernel of the other has.
external_is_kernel() { # NODE OTHER
	kernel "$2" | keys >"$D/kernel"
	external "$1" | keys >"$D/external"
	same_lines "$D/kernel" "$D/external"
}

# Entries in a cache by the statistics: no dump. $2: internal, external
count_of() { # NODE CACHE
	ask "$1" -s | awk -v want="cache $2:" '
		$0 == want { on = 1 }
		on && /current active/ { print $NF; exit }'
}

count_is() { # NODE CACHE COUNT
	[ "$(count_of "$1" "$2")" -eq "$3" ]
}

# What fw2 has been told of flows: new ones, changes, ends.
told() {
	ask fw2 -s | awk '
		/^cache external/ { on = 1 }
		on && /^connections/ { print $3 }' | head -n 3 | paste -sd ' '
}

told_is() { # NEW CHANGES ENDS
	[ "$(told)" = "$1 $2 $3" ]
}

# A number of the network statistics. $2: the label, the first of that name
network_stat() { # NODE LABEL
	ask "$1" -s network | awk -F: -v l="$2" '
		index($1, l) { print $2 + 0; exit }'
}

# Slowly enough that a busy machine loses no event (the repair takes 30 s).
load() { # NODE ARGUMENT...
	local node=$1

	shift
	lab_in "$node" "$B/tools/ctload" -r 10000 "$@"
}

# ---- links and logs ----

times_logged() { # NODE TEXT
	grep -cF -- "$2" "$D/$1.log" || :
}

is_logged() { # NODE TEXT COUNT
	[ "$(times_logged "$1" "$2")" -eq "$3" ]
}

waits_for_log() { # NODE TEXT [COUNT]
	wait_until 20 is_logged "$1" "$2" "${3:-1}"
}

link_is() { # NODE DEVICE STATUS
	ask "$1" -s link | grep -q " device=$2 status=$3 "
}

active_link_is() { # NODE DEVICE
	ask "$1" -s link | grep -q " device=$2 .* role=ACTIVE:"
}

# A second link of the same kind in both files.
add_link() { # NODE LINK NUMBER
	lab_link "$1" "$2" | sed "s/sync0/sync$3/; s/192\.168\.100/192.168.$((100 + $3))/
		s/fd00:100/fd00:10$3/; s/3780/$((3780 + $3))/; s/225\.0\.0\.50/225.0.0.$((50 + $3))/" \
		>"$D/link"
	# behind the first, before the brace that closes Sync
	sed -i "$(($(grep -n '^General' "$D/$1.conf" | cut -d: -f1) - 2))r $D/link" \
		"$D/$1.conf"
}
