#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Commands on expectations: what they do, what they print and log, as a reference
# does for the same traffic. Those without ExpectationSync are in commands.bats.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/expect.bash
. "$BATS_TEST_DIRNAME/expect.bash"

# ---- like the reference ----

# Times, what depends on when it is asked for or started, and the class that a
# reference does not give to a kernel.
masked() {
	sed -E 's/\[active since [0-9]+s\]/[active since Ns]/
		s/\[expires in [0-9]+s\]/[expires in Ns]/
		s/class=[0-9]+ helper=sip/class=N helper=sip/
		s/^\[.*\] \(pid=[0-9]+\) //
		s/[0-9]+\.[0-9]{6} seconds/S seconds/
		/(Bytes|Pckts|Error) /s/ +[0-9]+ / N /g'
}

# Keeps what a command prints and its status.
note() { # NODE OPTION...
	local status=0

	{
		echo "$*:"
		ask "$@" >"$D/answer" 2>&1 || status=$?
		case $2 in
		-s) cat "$D/answer" ;;
		*) sort "$D/answer" ;;
		esac | masked
		echo "exit $status"
	} >>"$D/noted"
}

note_all() { # COMMANDS of fw2, one a line
	local options

	while read -r options; do
		# shellcheck disable=SC2086 # words
		note fw2 $options
		# a reference answers before its children have ended
		[ "${options#-F}" = "$options" ] ||
			wait_until 5 expected_are fw2 kernel 0
	done
}

# Where the two differ is not asked for: a reference's internal cache follows -F
# and ours does not, and of expectations it does not empty it at -f internal.
play() { # OURS_OR_REF
	rm -f "$D"/fw?.log "$D"/fw?.lock "$D/noted"
	start_expecting "$1" "$1" UDP FTFW commit
	add_some fw1
	wait_until 10 expected_are fw2 -e $n_some
	note fw1 -i expect
	note fw1 -i exp
	note fw1 -e expect
	note fw1 -s expect
	note_all <<-END
		-i expect
		-e expect
		-e exp
		-s expect
		-c ct
		-c expect
		-i expect
		-e expect
		-F expect
		-e expect
		-c
		-i expect
		-f internal
		-R ct
		-R expect
		-i expect
		-f
		-i expect
		-e expect
		-R
		-i expect
	END
	echo "log:" >>"$D/noted"
	masked <"$D/fw2.log" | grep -Ei 'expect|commit|flush|resync' >>"$D/noted"
	cp "$D/noted" "$D/noted.$1"
	for node in fw1 fw2; do
		lab_kill $node KILL
		wait_until 10 has_ended $node
		lab_in $node conntrack -F >/dev/null 2>&1
	done
}

has_ended() { # NODE
	! lab_daemon_pid "$1" >/dev/null
}

@test "commands on expectations answer, log and exit as a reference's" {
	full_only
	need_reference
	play ref
	play ours
	cat "$D/noted.ref"
	diff "$D/noted.ref" "$D/noted.ours"
}

# ---- what they do ----

start_with_some() {
	start_expecting ours ours UDP FTFW commit
	add_some fw1
	wait_until 10 expected_are fw2 -e $n_some
}

flows_are() { # NODE COUNT
	[ "$(lab_in "$1" conntrack -C)" -eq "$2" ]
}

@test "-c expect commits nothing else, and says what is missing" {
	is_reference && skip "it says it otherwise"
	start_with_some
	run -1 ask fw2 -c expect
	[[ $output == *"$n_some expectations can't be committed"* ]]
	expected_are fw2 kernel 0
	flows_are fw2 0
	grep -q "$n_some expectations can't be committed" "$D/fw2.log"
	ask fw2 -c ct
	expected_are fw2 kernel 0
	ask fw2 -c expect
	expected_are fw2 kernel $n_some
}

@test "-F empties the kernel of expectations too, and -F expect of nothing else" {
	is_reference && skip "its -F leaves them"
	start_with_some
	ask fw1 -F expect
	expected_are fw1 kernel 0
	flows_are fw1 $n_some
	# neither cache is touched, here or there
	expected_are fw1 -i $n_some
	expected_are fw2 -e $n_some
	some_expectations | add_expectations fw1
	ask fw1 -F
	expected_are fw1 kernel 0
	flows_are fw1 0
}

@test "-R expect finds what the cache has lost" {
	full_only
	start_with_some
	ask fw1 -f internal
	ask fw1 -R ct
	# what goes with which option is as with a reference: see the first test
	ask fw1 -R expect
	expected_are fw1 -i $n_some
}
