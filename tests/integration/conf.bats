#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
# shellcheck disable=SC2154 # what lib.bash sets by name
#
# conf.bats - configuration files and the real binary: real and broken files,
# -T, and what the daemon and the clients make of mistakes.

bats_require_minimum_version 1.5.0
load lib

setup() {
	! is_reference || skip "the reference has no -T"
	D=$(mktemp -d /tmp/ctconf.XXXXXX)
}

teardown() {
	rm -rf "$D"
}

# TEXT [OPTIONS]: becomes $D/c.conf, with a socket of its own in General, of
# which line 2 has the other options.
conf() {
	printf 'General { UNIX { Path %s/ctl } LockFile %s/lock%s }\n%s\n' \
		"$D" "$D" "${2:+$'\n'$2}" "$1" >"$D/c.conf"
}

# Runs our binary; stdout in $D/out, stderr in $D/err. False unless it ends
# with this status.
ours() { # STATUS OPTION...
	local want=$1 status=0

	shift
	within 20 "$CONNTRACKD" -C "$D/c.conf" "$@" \
		>"$D/out" 2>"$D/err" </dev/null || status=$?
	cat "$D/out" "$D/err"
	[ "$status" -eq "$want" ]
}

LINK='Multicast { IPv4_address 225.0.0.50 Group 3780 Interface lo }'

@test "every file of the corpus gets its verdict, at its place" {
	tests/tools/conf-corpus "$CONNTRACKD" >"$D/counts" || {
		cat "$D/counts"
		false
	}
	sed 's/^/# /' "$D/counts" >&3
}

@test "changed files are judged otherwise than there only for listed reasons" {
	local n=2000

	need_reference
	[ -z "${FULL:-}" ] || n=20000
	tests/tools/conf-mutate -n $n -o "$CONNTRACKD" -r "$REFERENCE" \
		-k "$D/bad" >"$D/counts" || {
		cat "$D/counts"
		head -n 5 "$D"/bad/*.ours
		false
	}
	echo "# $n changed files" >&3
	sed 's/^/# /' "$D/counts" >&3
}

@test "-T tells all mistakes of a file, one to a line" {
	conf "Sync { Mode FTFW { ResendQueuSize 5 } $LINK }
Stats { Syslog maybe }" 'Pollsecs 5 Port 1'
	ours 1 -T
	[ ! -s "$D/out" ]
	[ "$(grep -c "^$D/c.conf:[0-9]*:[0-9]*: error: .*\]$" "$D/err")" -ge 4 ]
	grep -q "c.conf:2:1: error: .*PollSecs.*\[option\]$" "$D/err"
	grep -q "c.conf:3:20: error: .*ResendQueueSize.*\[option\]$" "$D/err"
	run ! grep -q ': ok$' "$D/err"
}

@test "findings come in the order of lines, wherever they come from" {
	conf "Sync { Mode NOTRACK { }
Multicast { IPv4_address 225.0.0.50 Group 3780 Interface nosuch0 } }
Helper { Type ftp inet tcp { }
}
General { }
Stats { Syslog maybe }"
	ours 1 -T
	cut -d: -f2,3 "$D/err" >"$D/places"
	sort -t: -k1,1n -k2,2n "$D/places" | cmp - "$D/places"
	# of each kind: this version, this machine, an option, a check
	for name in version interface facility combination duplicate-section; do
		grep -q "\[$name\]$" "$D/err"
	done
}

@test "-T says ok with warnings as well, and touches nothing" {
	conf "Sync { Mode FTFW { } $LINK }" "LogFile $D/log HashSize 0"
	ours 0 -T
	grep -q "warning: .*\[zero\]$" "$D/err"
	[ "$(tail -n 1 "$D/err")" = "$D/c.conf: ok" ]
	[ ! -s "$D/out" ]
	[ "$(ls "$D")" = "c.conf
err
out" ]
}

@test "-T -T prints the configuration on stdout, the rest on stderr" {
	conf "Sync { Mode FTFW { } $LINK }" 'HashSize 0'
	ours 0 -T -T
	grep -q 'HashSize 65536' "$D/out"
	run ! grep -q 'warning\|: ok' "$D/out"
	grep -q '\[zero\]$' "$D/err"
	mv "$D/out" "$D/c.conf"
	cp "$D/c.conf" "$D/first"
	ours 0 -T -T
	cmp "$D/first" "$D/out"
}

@test "what is no readable file ends with status 1 and its reason" {
	mkdir "$D/c.conf"
	ours 1 -T
	grep -q "c.conf.*Is a directory" "$D/err"
	ours 1 -s
	grep -q "c.conf.*Is a directory" "$D/err"
	[ "$(wc -l <"$D/err")" -eq 1 ]
	rmdir "$D/c.conf"
	for role in -T -s; do
		ours 1 $role
		grep -q "c.conf.*No such file or directory" "$D/err"
	done
	ours 1
	grep -q "c.conf.*No such file or directory" "$D/err"
}

@test "on a terminal the line is shown, with a caret under the place" {
	type script >/dev/null 2>&1 || skip "needs script(1)"
	printf 'Stats {\n\tSyslog\t# \303\251\n\t  yess\n}\nSync { ' >"$D/c.conf"
	SHELL=/bin/sh script -qec "'$CONNTRACKD' -C '$D/c.conf' -T" /dev/null \
		</dev/null | tr -d '\r' >"$D/out"
	cat "$D/out"
	grep -A 2 ':3:4: warning: ' "$D/out" | tail -n 2 >"$D/shown"
	printf '              yess\n              ^\n' | cmp - "$D/shown"
	grep -A 2 ':5:8: error: ' "$D/out" | tail -n 2 >"$D/shown"
	printf '    Sync { \n           ^\n' | cmp - "$D/shown"
	# nothing of it elsewhere
	ours 1 -T
	run ! grep -v "^$D/c.conf:" "$D/err"
}

@test "a client goes on with the path, and says so in one line" {
	local status=0

	conf "Sync { Mode FTFW { } Foo 1 $LINK }" 'Bar 2 HashSize 0'
	ours 1 -s
	[ ! -s "$D/out" ]
	grep -qx "$D/c.conf: 2 errors, see conntrackd -C $D/c.conf -T" "$D/err"
	[ "$(wc -l <"$D/err")" -eq 2 ]
	# it went on and found no daemon
	tail -n 1 "$D/err" | grep -q "can't connect"
}

@test "a client says nothing of warnings" {
	conf "Sync { $LINK }" 'HashSize 0 Nice -5'
	ours 1 -s
	[ "$(wc -l <"$D/err")" -eq 1 ]
	grep -q "can't connect" "$D/err"
}

@test "a client fails where errors hide the path" {
	printf 'General { UNIX { Path tmp/x } }\nStats { }\n' >"$D/c.conf"
	ours 1 -s
	[ ! -s "$D/out" ]
	[ "$(wc -l <"$D/err")" -eq 1 ]
	grep -qE "^$D/c.conf: [0-9]+ errors?, see conntrackd -C $D/c.conf -T$" \
		"$D/err"
}

@test "what the machine lacks is a warning to -T and stops the daemon" {
	conf "Sync { Mode FTFW { }
Multicast { IPv4_address 225.0.0.50 Group 3780 Interface nosuch0 } }" \
		"LogFile $D/none/log"
	ours 0 -T
	grep -q "c.conf:4:58: warning: .*nosuch0.* \[interface\]$" "$D/err"
	grep -q "c.conf:2:9: warning: .*\[missing-directory\]$" "$D/err"
	ours 1
	grep -q "c.conf:4:58: warning: .*nosuch0.* \[interface\]$" "$D/err"
	grep -q "c.conf:2:9: error: .*\[missing-directory\]$" "$D/err"
	[ ! -e "$D/lock" ]
	[ ! -e "$D/ctl" ]
}

@test "a Helper section alone is valid, but no daemon starts with it" {
	conf 'Helper {
	Type ftp inet tcp { QueueNum 1 }
	Type tns inet tcp { QueueNum 2 } }'
	ours 0 -T
	[ "$(grep -c 'warning: .*\[helper-unsupported\]$' "$D/err")" -eq 2 ]
	grep -q 'c.conf:2:1: warning: .*\[empty-daemon\]$' "$D/err"
	ours 1
	grep -q 'c.conf:2:1: error: .*\[empty-daemon\]$' "$D/err"
	[ ! -e "$D/ctl" ]
}

@test "a Sync without a link is explained" {
	conf 'Sync { Mode FTFW { } }'
	ours 1 -T
	grep -q 'c.conf:2:1: error: Sync has no .* link \[link\]$' "$D/err"
}

@test "what is not in this version yet is said, and stops what cannot be" {
	conf 'Stats { }'
	ours 0 -T
	grep -q 'c.conf:2:1: warning: the Stats section .*\[version\]$' "$D/err"
	ours 1
	grep -q 'c.conf:2:1: error: the Stats section .*\[version\]$' "$D/err"
	[ ! -e "$D/ctl" ]
}
