#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The lines that operators grep for: tests/log-lines.tsv has those of the
# reference, one a row: level, text, and the scenario below in which both daemons
# say the same of them; or `-` and why this one never says it, or `~` and in which
# other circumstances it does.

# shellcheck disable=SC2154,SC2034 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

TABLE=$BATS_TEST_DIRNAME/../log-lines.tsv

# The rows that the lines of a log belong to, each as its level and its text;
# what is repeated at once counts as one.
rows_of() { # LOG
	awk -F'\t' '
		NR == FNR { row[n++] = "\\[" $1 "\\] " $2; next }
		{
			line = $0
			sub(/^\[[^]]*\] \(pid=[0-9]+\) /, "", line)
			for (i = 0; i < n; i++)
				if (line ~ "^" row[i] "$")
					print row[i]
		}' "$TABLE" "$1" | uniq
}

# Each row of the scenario is in the log.
has_rows_of() { # SCENARIO FILE
	local level text scenario

	while IFS=$'\t' read -r level text scenario _; do
		[ "$scenario" != "$1" ] || grep -qxF -- "\\[$level\\] $text" "$2" || {
			echo "$1: no line '[$level] $text'"
			return 1
		}
	done <"$TABLE"
}

stop() { # NODE
	local pid=pid_$1

	ask "$1" -k
	wait_until 10 gone "${!pid}"
}

gone() { # PID
	[ ! -e "/proc/$1" ]
}

# Runs a scenario with both; what they say has to be the same rows in the same
# order, and all of the scenario among them.
same_lines_in() { # SCENARIO
	need_reference
	for who in ref ours; do
		rm -f "$D/fw1.log" "$D/fw2.log"
		"scenario_$1" "$(binary_of $who)"
		rows_of "$D/fw1.log" >"$D/$who.rows"
	done
	has_rows_of "$1" "$D/ref.rows"
	diff -u "$D/ref.rows" "$D/ours.rows"
}

start_stop() { # BINARY
	start_daemon fw1 "$1"
	stop fw1
}

scenario_start() { # BINARY
	local filter

	lab_conf fw1 Multicast
	sed -i 's/\(NetlinkBufferSizeMaxGrowth\) .*/\1 1000/' "$D/fw1.conf"
	start_stop "$1"
	LAB_FILTER=none lab_conf fw1 Multicast
	sed -i 's/^General {/&\nNetlinkEventsReliable on/
		s/^Mode FTFW {/&\nStartupResync on/' "$D/fw1.conf"
	start_stop "$1"
	lab_conf fw1 Multicast
	sed -i '/^Mode FTFW/,/^}/d' "$D/fw1.conf"
	start_stop "$1"
	LAB_POLL=5 lab_conf fw1 Multicast
	start_stop "$1"
	for filter in 'Userspace { State Accept { ESTABLISHED for TCP } }' \
		'Kernelspace { Protocol Ignore { UDP } }' 'Userspace { }' \
		'Kernelspace { }'; do
		LAB_FILTER=none lab_conf fw1 Multicast
		sed -i "s/^General {/&\nFilter From $filter/" "$D/fw1.conf"
		start_stop "$1"
	done
}

@test "the same lines at start and end" {
	same_lines_in start
}

scenario_console() { # BINARY
	lab_conf fw1 Multicast
	rm -f "$D/fw1.lock"
	background fw1 "$D/console" "$1" -C "$D/fw1.conf"
	bin_fw1=$1
	pid_fw1=$bg
	wait_until 10 grep -q -- '-- starting in console' "$D/fw1.log"
	stop fw1
}

@test "the same lines in the foreground" {
	same_lines_in console
}

scenario_commands() { # BINARY
	local options

	lab_conf fw1 Multicast
	start_daemon fw1 "$1"
	for options in -c "-c ct" -f "-f internal" "-f external" -F "-F ct" \
		-R "-R ct" -n -B -t -s -i -e; do
		# shellcheck disable=SC2086 # words
		ask fw1 $options >/dev/null
	done
	stop fw1
}

@test "the same lines for commands" {
	same_lines_in commands
}

# Not -F: the reference does not get to its second half.
scenario_expectations() { # BINARY
	local options

	lab_conf fw1 Multicast
	sed -i 's/^Sync {/&\nOptions { ExpectationSync on }/' "$D/fw1.conf"
	start_daemon fw1 "$1"
	for options in -c "-c ct" "-c expect" "-F expect" -R "-R ct" \
		"-R expect" -f; do
		# shellcheck disable=SC2086 # words
		ask fw1 $options >/dev/null
	done
	stop fw1
}

@test "the same lines for commands on expectations" {
	same_lines_in expectations
}

# Not -B: without an internal cache the reference does not say that it sends.
scenario_nocaches() { # BINARY
	LAB_MODE=NOTRACK lab_conf fw1 Multicast
	sed -i 's/^Mode NOTRACK {/&\nDisableInternalCache on\nDisableExternalCache on/
		/CommitTimeout/d' "$D/fw1.conf"
	start_daemon fw1 "$1"
	for options in -R -c -f -n; do
		ask fw1 $options >/dev/null 2>&1
	done
	stop fw1
}

@test "the same lines without caches" {
	same_lines_in nocaches
}

purged() {
	grep -q 'table (scheduled)' "$D/fw1.log"
}

scenario_purge() { # BINARY
	lab_conf fw1 Multicast
	sed -i 's/PurgeTimeout .*/PurgeTimeout 1/' "$D/fw1.conf"
	start_daemon fw1 "$1"
	ask fw1 -t
	wait_until 10 purged
	stop fw1
}

@test "the same lines for a purge" {
	same_lines_in purge
}

asked_by_other() {
	grep -q 'requested by other' "$D/fw1.log" &&
		tail -n 1 "$D/fw1.log" | grep -q 'sending bulk update'
}

# Only what comes after they have met: ours begin with a bulk.
scenario_peers() { # BINARY
	lab_conf fw1 Multicast
	lab_conf fw2 Multicast
	start_daemon fw1 "$1"
	start_daemon fw2 "$1"
	wait_until 20 have_met
	load fw1 insert 10
	wait_until 10 count_is fw2 external 10
	wait_until 10 is_quiet
	: >"$D/fw1.log"
	ask fw2 -n
	wait_until 10 asked_by_other
	stop fw1
	stop fw2
	load fw1 delete 10
}

# The bulks of the start are sent.
is_quiet() {
	[ "$bin_fw1" = "$REFERENCE" ] ||
		[ "$(grep -c 'has all of the bulk' "$D/fw1.log")" -ge 1 ]
}

@test "the same lines when a peer asks" {
	same_lines_in peers
}

says() { # TEXT COUNT
	[ "$(grep -cF -- "$1" "$D/fw1.log")" -ge "$2" ]
}

scenario_links() { # BINARY
	ip -n "${P}fw1" link show sync1 >/dev/null 2>&1 || lab_sync_link 1
	lab_conf fw1 Multicast
	lab_link fw1 Multicast | sed 's/sync0/sync1/; s/192.168.100/192.168.101/; s/3780/3781/' \
		>"$D/link"
	sed -i "$(($(grep -n '^General' "$D/fw1.conf" | cut -d: -f1) - 2))r $D/link" \
		"$D/fw1.conf"
	start_daemon fw1 "$1"
	wait_until 10 both_links_run
	ip -n "${P}fw1" link set sync0 down
	wait_until 10 says "\`sync1' becomes dedicated link" 1
	ip -n "${P}fw1" link set sync1 down
	wait_until 10 says 'no dedicated links available!' 1
	ip -n "${P}fw1" link set sync0 up
	wait_until 10 says "\`sync0' becomes dedicated link" 1
	ip -n "${P}fw1" link set sync1 up
	wait_until 10 both_links_run
	stop fw1
}

both_links_run() {
	[ "$(ask fw1 -s link | grep -c status=RUNNING)" -eq 2 ]
}

@test "the same lines when links go and come" {
	same_lines_in links
}

# A start that fails: a port below 1024, without the right to it.
scenario_port() { # BINARY
	lab_conf fw1 UDP
	sed -i 's/Port .*/Port 80/' "$D/fw1.conf"
	rm -f "$D/fw1.lock"
	run -1 lab_in fw1 setpriv --bounding-set -net_bind_service \
		"$1" -C "$D/fw1.conf" -d
}

@test "the same lines when a link cannot be opened" {
	same_lines_in port
}

scenario_socket() { # BINARY
	lab_conf fw1 UDP
	mkdir -p "$D/ro"
	sed -i "s|Path .*|Path $D/ro/sock|" "$D/fw1.conf"
	rm -f "$D/fw1.lock"
	# shellcheck disable=SC2016
	run -1 lab_in fw1 sh -c 'mount -t tmpfs -o ro none "$0" && exec "$@"' \
		"$D/ro" "$1" -C "$D/fw1.conf" -d
}

@test "the same lines when the control socket cannot be made" {
	same_lines_in socket
}

# ---- the table itself ----

# Scenarios that need so much that they are tests of their own.
@test "each row of the table has a scenario, or a reason why not" {
	local level text scenario reason

	while IFS=$'\t' read -r level text scenario reason; do
		case $scenario in
		- | '~') [ -n "$reason" ] ;;
		overrun) grep -q 'cannot be doubled' tests/integration/overrun.bats ;;
		refused) grep -q "entries can't be committed" tests/integration/refused.bats &&
			grep -q 'commit-create: ' tests/integration/refused.bats ;;
		*) declare -F "scenario_$scenario" >/dev/null ;;
		esac || {
			echo "$level $text: neither scenario nor reason"
			return 1
		}
	done <"$TABLE"
	[ "$(wc -l <"$TABLE")" -ge 50 ]
}

# Else the table is not true any more.
@test "what is never said is not in the program" {
	local text scenario literal

	while IFS=$'\t' read -r _ text scenario _; do
		[ "$scenario" = - ] || continue
		literal=${text//\\/}
		literal=${literal%%[.[|]*}
		run ! grep -qaF -- "$literal" "$CONNTRACKD"
	done <"$TABLE"
}
