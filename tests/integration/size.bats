#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What the binaries weigh and need, and that the static one works.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

setup() { # no laboratory but the demonstration's own
	:
}

teardown() {
	:
}

@test "the default binary needs libc only" {
	is_reference && skip "not ours"
	readelf -d "$B/conntrackd" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' \
		>"$BATS_TEST_TMPDIR/needed"
	cat "$BATS_TEST_TMPDIR/needed"
	run ! grep -vE '^(libc\.so|libc\.musl-|ld-linux|ld-musl|ld64)' \
		"$BATS_TEST_TMPDIR/needed"
	[ -s "$BATS_TEST_TMPDIR/needed" ]
}

@test "the default binary is hardened: PIE, RELRO, bound at start" {
	is_reference && skip "not ours"
	readelf -hW "$B/conntrackd" | grep -q 'Type: *DYN'
	readelf -lW "$B/conntrackd" | grep -q GNU_RELRO
	readelf -dW "$B/conntrackd" | grep -q 'BIND_NOW\|FLAGS.* NOW'
	run ! grep -q 'GNU_STACK.*RWE' <(readelf -lW "$B/conntrackd")
}

make_musl() {
	command -v musl-gcc >/dev/null || ldd --version 2>&1 | grep -q musl ||
		skip "no musl-gcc"
	make -s musl
}

@test "the static musl binary has at most 340 KB" {
	is_reference && skip "not ours"
	make_musl
	size=$(stat -c %s "$B/musl/conntrackd")
	echo "$size bytes"
	[ "$size" -le 348160 ]
	run ! grep -q NEEDED <(readelf -d "$B/musl/conntrackd")
}

@test "the static musl binary passes the failover" {
	is_reference && skip "not ours"
	make_musl
	make -s demo DAEMON="$B/musl/conntrackd"
}
