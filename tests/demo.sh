#!/bin/sh
# SPDX-License-Identifier: ISC
#
# demo.sh - a firewall dies and a connection lives. Called by `make demo`, as
# root. DAEMON: the daemon to show, or none. Exit 0 only if the transfer
# through the firewalls survives.
#
# shellcheck disable=SC2317 # functions that wait_until calls
if [ "$(id -u)" -ne 0 ]; then
	echo "the demonstration makes network namespaces: run it as root" >&2
	exit 1
fi
cd "$(dirname "$0")/.." || exit 1
# shellcheck source=tests/lab.sh
. tests/lab.sh

SECONDS_AFTER=4
started_ms=$(lab_now)

say() {
	_ms=$(($(lab_now) - started_ms))
	printf '%2d.%02d  ' $((_ms / 1000)) $((_ms % 1000 / 10))
	# shellcheck disable=SC2059
	printf "$@"
	printf '\n'
}

fail() {
	say "$@"
	for _f in "$D"/*.start "$D"/*.log; do
		[ ! -s "$_f" ] || tail -n 5 "$_f"
	done
	exit 1
}

states() { # NODE
	lab_ask "$1" "$DAEMON" -e | wc -l
}

has_states() { # NODE COUNT
	[ "$(states "$1")" -ge "$2" ]
}

is_running() { # NODE PORT: the transfer has begun and is known here
	lab_ask "$1" "$DAEMON" -e | grep -q "tcp.*ESTABLISHED.*sport=$2 "
}

has_line() { # FILE TEXT
	grep -q "$2" "$1"
}

lab_names ctdemo || exit 1
trap lab_down EXIT
trap 'exit 1' INT TERM
lab_up || fail 'the network namespaces could not be set up'
say 'set up: client 10.1.0.10 - two firewalls - server 10.2.0.10, source NAT'
say 'the first firewall holds the gateway addresses; both drop packets of'
say 'connections that they do not know (nf_conntrack_tcp_loose=0)'

if [ "$DAEMON" != none ]; then
	for node in fw1 fw2; do
		lab_conf $node Multicast
		lab_start $node "$DAEMON" || fail '%s does not start' "$DAEMON"
	done
	say 'both run %s, FT-FW mode, dedicated link' "${DAEMON##*/}"
else
	say 'no daemon replicates their states'
fi

# not by lab_in: $! has to be the program
ip netns exec "${P}srv" "$B/tools/stream" server 5000 >"$D/server" 2>&1 &
wait_until 5 has_line "$D/server" listening || fail 'no server'
ip netns exec "${P}cl" "$B/tools/stream" -s $((4000 * LAB_SLOW)) \
	client 10.2.0.10 5000 >"$D/client" 2>&1 &
client=$!
wait_until 5 has_line "$D/client" connected || fail 'no connection'
port=$(sed -n 's/^connected from port //p' "$D/client")
say 'a transfer runs: port %s, a checked record every 10 ms' "$port"

if [ "$DAEMON" != none ]; then
	lab_in fw1 "$B/tools/ctload" insert 1000 >/dev/null
	wait_until 10 is_running fw2 "$port" ||
		fail 'the transfer is not known at the second firewall'
	wait_until 10 has_states fw2 1001 ||
		fail 'the states do not reach the second firewall'
	say '%s states replicated to the second firewall' "$(states fw2)"
fi
sleep 1

[ "$DAEMON" = none ] || lab_kill fw1 KILL
lab_cut fw1
say 'the first firewall is dead: interfaces down%s' \
	"$([ "$DAEMON" = none ] || echo ', daemon killed with SIGKILL')"

if [ "$DAEMON" != none ]; then
	lab_ask fw2 "$DAEMON" -c || fail 'commit failed'
	taken=$(sed -n 's/.*commit has taken \([0-9.]*\) seconds.*/\1/p' \
		"$D/fw2.log" | tail -n 1)
	say 'the second has committed %s states in %s s' \
		"$(sed -n 's/.*Committed \([0-9]*\) new entries.*/\1/p' \
			"$D/fw2.log" | tail -n 1)" "${taken:-?}"
fi
lab_vip fw2
say 'the second has taken over the gateway addresses'
if [ "$DAEMON" != none ]; then
	for option in -f -R -B; do
		lab_ask fw2 "$DAEMON" $option
	done
fi

sleep $SECONDS_AFTER
kill -TERM $client 2>/dev/null
wait $client
result=$?
say '%s' "$(grep '^sent' "$D/client")"
if [ $result -eq 0 ]; then
	say 'the connection SURVIVED, all data right and in order'
else
	say 'the connection DIED (%s)' "$(sed -n 's/^died: //p' "$D/client")"
fi
exit $result
