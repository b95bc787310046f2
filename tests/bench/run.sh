#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# run.sh - what a connection costs: CPU time of the daemons per new, updated and
# deleted entry at the origin and at the replica, memory per entry, commit,
# resync, bulk and dump; direct injection; CPU time and wake-ups a second when nothing happens, with
# entries learnt by events and by the dump at start; events that are filtered, in
# user space and in the kernel; ours and the reference under
# the same load in one run, beside them the floor, a bare netlink program that
# does the kernel's part.
# Root. PARTS: some of `sizes inject filter`; SIZES: numbers of entries; RATE: entries a second (the slower, the more
# wake-ups are in a figure); ONLY: ours or ref; IDLE_S: seconds of idleness.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/lab.sh
. tests/lab.sh

B=${B:-build}
CONNTRACKD=${CONNTRACKD:-$B/conntrackd}
REFERENCE=${REFERENCE:-/usr/sbin/conntrackd}
PARTS=${PARTS:-sizes inject filter}
SIZES=${SIZES:-100000 1000000}
RATE=${RATE:-50000}
IDLE_S=${IDLE_S:-20}
hertz=$(getconf CLK_TCK)
declare -A result injected filtered

P=''

clean_up() {
	[ -z "$P" ] || lab_down
}

# A laboratory with room for the entries.
new_lab() {
	lab_names ctbench
	lab_up && lab_room "$buckets" || exit 1
}

# ---- measuring ----

# CPU time of a daemon in microseconds, that of its reaped children included
# (the reference dumps and flushes in children).
cpu_us() { # PID
	local stat

	stat=$(<"/proc/$1/stat")
	# shellcheck disable=SC2086 # fields after the name in brackets
	set -- ${stat##*) }
	echo $(((${12} + ${13} + ${14} + ${15}) * 1000000 / hertz))
}

rss_bytes() { # PID
	awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$1/status"
}

# Returns when neither daemon has used more than a tick in half a second.
settle() {
	local a b

	b=$(($(cpu_us "$pid1") + $(cpu_us "$pid2")))
	for _ in $(seq 240); do
		a=$b
		sleep 0.5
		b=$(($(cpu_us "$pid1") + $(cpu_us "$pid2")))
		[ $((b - a)) -gt 10000 ] || return 0
	done
	echo "the daemons do not come to rest" >&2
}

external_is() { # COUNT
	[ "$(lab_ask fw2 "$binary" -s | awk '
		/^cache external/ { on = 1 }
		on && /current active/ { print $NF; exit }')" -eq "$1" ]
}

# Keeps a number per entry: microseconds, bytes.
keep() { # NAME TOTAL
	result[$who,$n,$1]=$(awk -v t="$2" -v n="$n" 'BEGIN { printf "%.2f", t / n }')
}

# Runs a command and keeps what it costs both daemons, until they rest.
measure() { # NAME COMMAND...
	local name=$1 before1 before2

	shift
	before1=$(cpu_us "$pid1")
	before2=$(cpu_us "$pid2")
	"$@"
	settle
	keep "$name at the origin" $(($(cpu_us "$pid1") - before1))
	keep "$name at the replica" $(($(cpu_us "$pid2") - before2))
}

# Keeps the wall time a client command takes, in milliseconds.
wall() { # NAME NODE OPTION...
	local name=$1 node=$2 since

	shift 2
	since=$(lab_now)
	lab_ask "$node" "$binary" "$@" >/dev/null
	result[$who,$n,$name]=$(($(lab_now) - since))
}

# CPU time in microseconds and how often it slept, of fw1's daemon.
idle_state() {
	awk '{ printf "%d ", $1 / 1000 }' "/proc/$pid1/schedstat"
	awk '/^voluntary/ { print $2 }' "/proc/$pid1/status"
}

# What a second costs in which nothing happens.
idle() { # NAME
	local cpu0 slept0 cpu1 slept1

	settle
	sleep 16 # who has had two bulks waits so long for a third
	settle
	read -r cpu0 slept0 <<<"$(idle_state)"
	sleep "$IDLE_S"
	read -r cpu1 slept1 <<<"$(idle_state)"
	result[$who,$n,"$1, us of CPU a second"]=$(((cpu1 - cpu0) / IDLE_S))
	result[$who,$n,"$1, wake-ups a second"]=$(awk -v n=$((slept1 - slept0)) \
		-v s="$IDLE_S" 'BEGIN { printf "%.1f", n / s }')
}

internal_is() { # COUNT
	[ "$(lab_ask fw1 "$binary" -s | awk '
		/^cache internal/ { on = 1 }
		on && /current active/ { print $NF; exit }')" -eq "$1" ]
}

# The daemon of fw1 anew, which learns all from its first dump.
restart() {
	lab_kill fw1 TERM
	wait_until 60 sh -c "! kill -0 $pid1 2>/dev/null"
	rm -f "$D/fw1.lock"
	lab_start fw1 "$binary" || exit 1
	pid1=$(lab_daemon_pid fw1)
	wait_until 60 internal_is "$n"
}

load() {
	lab_in fw1 "$B/tools/ctload" -t 3600 -n "$@" >"$D/load" ||
		echo "load: $(cat "$D/load")" >&2
}

client() { # NODE OPTION...: output thrown away, node's daemon
	local node=$1

	shift
	lab_ask "$node" "$binary" "$@" >/dev/null
}

# One daemon on both nodes, n entries.
bench() {
	local base1 base2

	new_lab
	LAB_HASH=$buckets LAB_LIMIT=4000000 lab_conf fw1 Multicast
	LAB_HASH=$buckets LAB_LIMIT=4000000 lab_conf fw2 Multicast
	lab_start fw1 "$binary" && lab_start fw2 "$binary" || exit 1
	pid1=$(lab_daemon_pid fw1)
	pid2=$(lab_daemon_pid fw2)
	settle
	base1=$(rss_bytes "$pid1")
	base2=$(rss_bytes "$pid2")
	measure new load -r "$RATE" insert "$n"
	wait_until 60 external_is "$n" || lab_ask fw2 "$binary" -s
	idle idle
	keep "memory at the origin" $(($(rss_bytes "$pid1") - base1))
	keep "memory at the replica" $(($(rss_bytes "$pid2") - base2))
	measure "dump -i" client fw1 -i
	measure "resync -R" client fw1 -R
	measure "bulk -B" client fw1 -B
	measure updated load -r "$RATE" -m 77 update "$n"
	measure "commit -c" client fw2 -c
	wall "commit, empty table, ms" fw2 -c
	restart
	idle "idle after a start"
	measure deleted load -r "$RATE" delete "$n"
	grep -h 'ERROR' "$D"/*.log | head -n 5
	echo "$who: $(lab_ask fw1 "$binary" -s runtime |
		sed -n 's/^[[:space:]]*\(netlink overrun\):[[:space:]]*/\1 /p')"
	lab_down
	P=''
}

cost_of() { # reads ctload's last line
	sed -n 's/.* cpu \([0-9.]*\) us each.*/\1/p' "$1"
}

# What the kernel's part costs by itself, at the same rate.
floor() {
	new_lab
	lab_in fw1 "$B/tools/ctload" events "$n" >"$D/events" 2>"$D/ready" &
	wait_until 5 grep -q listening "$D/ready"
	load -r "$RATE" insert "$n"
	wait $!
	result[floor,$n,new at the origin]=$(cost_of "$D/events")
	result[floor,$n,resync -R at the origin]=$(lab_in fw1 \
		"$B/tools/ctload" dump >"$D/dump" && cost_of "$D/dump")
	load delete "$n"
	load insert "$n"
	result[floor,$n,commit -c at the replica]=$(cost_of "$D/load")
	lab_down
	P=''
}

# What a peer's entry costs that goes into the kernel at once, and the same
# entries by the bare program in the same kernel, while the daemon listens.
INJECT_N=${INJECT_N:-200000}
INJECT_RATE=${INJECT_RATE:-20000}
inject() {
	local before node

	new_lab
	for node in fw1 fw2; do
		LAB_HASH=$buckets LAB_LIMIT=4000000 lab_conf $node Multicast
		sed -i 's/CommitTimeout .*/DisableExternalCache yes/' "$D/$node.conf"
		lab_start $node "$binary" || exit 1
	done
	pid1=$(lab_daemon_pid fw1)
	pid2=$(lab_daemon_pid fw2)
	settle
	before=$(cpu_us "$pid2")
	load -r "$INJECT_RATE" insert "$INJECT_N"
	settle
	injected[$who]=$(awk -v us=$(($(cpu_us "$pid2") - before)) \
		-v n="$(lab_in fw2 conntrack -C)" 'BEGIN { printf "%.2f", us / n }')
	[ "$who" = ours ] || { lab_down && P='' && return; }
	lab_in fw2 conntrack -F 2>/dev/null
	settle
	lab_in fw2 "$B/tools/ctload" -t 3600 -n -r "$INJECT_RATE" \
		insert "$INJECT_N" >"$D/load"
	injected[floor]=$(cost_of "$D/load")
	lab_down
	P=''
}

report_inject() {
	printf '\n%s entries, %s a second, DisableExternalCache (us of CPU each)\n' \
		"$INJECT_N" "$INJECT_RATE"
	printf '| %-24s | %9s | %9s | %9s | %14s |\n' '' ours reference floor \
		'ours to floor'
	echo '|---|---|---|---|---|'
	printf '| %-24s | %9s | %9s | %9s | %14s |\n' 'new at the replica' \
		"${injected[ours]:-}" "${injected[ref]:-}" \
		"${injected[floor]:-}" "$(awk -v a="${injected[ours]:-}" \
			-v b="${injected[floor]:-}" \
			'BEGIN { if (b + 0 > 0) printf "%.2f", a / b }')"
}

# ---- events that are filtered ----

# Of FILTER_N new entries, 50,000 a second, one in a hundred passes. Each kind in
# turn, several times: the machine is not always the same.
FILTER_N=${FILTER_N:-204800}
FILTER_ROUNDS=${FILTER_ROUNDS:-3}
FILTER_SETS='Address Accept { IPv4_address 10.64.0.0/21 }'

# CPU time that a process has had, in microseconds.
exact_cpu_us() { # PID
	awk '{ printf "%d", $1 / 1000 }' "/proc/$1/schedstat"
}

filter_run() { # WHO Userspace|Kernelspace BINARY
	local before

	LAB_FILTER=none LAB_LIMIT=4000000 lab_conf fw1 Multicast
	sed -i "s#^General {#&\nFilter From $2 { $FILTER_SETS }#" "$D/fw1.conf"
	rm -f "$D/fw1.lock"
	lab_start fw1 "$3" || exit 1
	pid1=$(lab_daemon_pid fw1)
	pid2=$pid1
	settle
	before=$(exact_cpu_us "$pid1")
	load -r 50000 insert "$FILTER_N"
	settle
	filtered[$1,$2]+=" $(awk -v us=$(($(exact_cpu_us "$pid1") - before)) \
		-v n="$FILTER_N" 'BEGIN { printf "%.3f", us / n }')"
	filtered["$1, who makes them",$2]+=" $(cost_of "$D/load")"
	lab_kill fw1 TERM
	wait_until 60 sh -c "! kill -0 $pid1 2>/dev/null"
	load delete "$FILTER_N"
}

filter() {
	local who from

	new_lab
	for _ in $(seq "$FILTER_ROUNDS"); do
		for from in Userspace Kernelspace; do
			for who in ours ref; do
				binary=$CONNTRACKD
				[ $who = ours ] || binary=$REFERENCE
				[ "${ONLY:-$who}" != $who ] || [ ! -x "$binary" ] ||
					filter_run $who $from "$binary"
			done
		done
	done
	lab_down
	P=''
}

# The middle one of some numbers.
median() {
	printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}

report_filter() {
	local row user kernel

	printf '\n%s new entries, 50,000 a second, of which 1 %% passes (us of CPU each)\n' \
		"$FILTER_N"
	printf '| %-24s | %9s | %11s | %5s |\n' '' Userspace Kernelspace ratio
	echo '|---|---|---|---|'
	for row in ours ref 'ours, who makes them' 'ref, who makes them'; do
		# shellcheck disable=SC2086 # numbers
		user=$(median ${filtered[$row,Userspace]:-})
		# shellcheck disable=SC2086 # numbers
		kernel=$(median ${filtered[$row,Kernelspace]:-})
		printf '| %-24s | %9s | %11s | %5s |\n' "$row" "$user" "$kernel" \
			"$(awk -v a="$kernel" -v b="$user" \
				'BEGIN { if (b + 0 > 0) printf "%.2f", a / b }')"
	done
}

# ---- the table ----

rows='new at the origin
new at the replica
updated at the origin
updated at the replica
deleted at the origin
deleted at the replica
dump -i at the origin
resync -R at the origin
bulk -B at the origin
bulk -B at the replica
commit -c at the replica
memory at the origin
memory at the replica
idle, us of CPU a second
idle, wake-ups a second
idle after a start, us of CPU a second
idle after a start, wake-ups a second'

report() {
	local row ours ref floor ratio

	printf '\n%s entries, %s a second (us of CPU each; memory: bytes each)\n' \
		"$n" "$RATE"
	printf '| %-38s | %9s | %9s | %6s | %9s |\n' '' ours reference ratio floor
	echo '|---|---|---|---|---|'
	while read -r row; do
		ours=${result[ours,$n,$row]:-}
		ref=${result[ref,$n,$row]:-}
		floor=${result[floor,$n,$row]:-}
		ratio=$(awk -v a="$ours" -v b="$ref" 'BEGIN {
			if (a != "" && b + 0 > 0) printf "%.2f", a / b }')
		printf '| %-38s | %9s | %9s | %6s | %9s |\n' "$row" "$ours" \
			"$ref" "$ratio" "$floor"
	done <<<"$rows"
}

[ "$(id -u)" -eq 0 ] || {
	echo "the benchmark makes network namespaces: run it as root" >&2
	exit 1
}
trap clean_up EXIT
trap 'exit 1' INT TERM
is_wanted() { # PART
	case " $PARTS " in *" $1 "*) ;; *) false ;; esac
}

is_wanted sizes || SIZES=
for n in $SIZES; do
	buckets=$((n < 262144 ? 262144 : n))
	for who in ours ref; do
		[ "${ONLY:-$who}" = $who ] || continue
		binary=$CONNTRACKD
		[ $who = ours ] || binary=$REFERENCE
		[ -x "$binary" ] || {
			echo "no $binary: left out"
			continue
		}
		bench
	done
	floor
	report
done
buckets=262144
for who in ours ref; do
	is_wanted inject || break
	[ "${ONLY:-$who}" = $who ] || continue
	binary=$CONNTRACKD
	[ $who = ours ] || binary=$REFERENCE
	[ ! -x "$binary" ] || inject
done
! is_wanted inject || report_inject
if is_wanted filter; then
	filter
	report_filter
fi
