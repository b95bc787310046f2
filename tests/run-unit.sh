#!/bin/sh
# SPDX-License-Identifier: ISC
# run-unit.sh TEST... -- REPLAYER...: runs cmocka programs and the replayers of
# the fuzz targets, shows the output of those that fail, and ends with one line
# `unit: N passed, N failed`. RUN: a prefix such as qemu-s390x.
passed=0 failed=0 replay=
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT

count() { # number in the last line of $out that begins with this word
	sed -n "s/^\[  $1  \] \([0-9]*\) test.*/\1/p" "$out" | tail -n 1
}

for prog in "$@"; do
	if [ "$prog" = -- ]; then
		replay=yes
		continue
	fi
	name=${prog##*/}
	if [ -n "$replay" ]; then
		$RUN "$prog" tests/fuzz/corpus/"${name#replay_}" >"$out" 2>&1
		status=$? ok=1 bad=0
	else
		$RUN "$prog" >"$out" 2>&1
		status=$? ok=$(count PASSED) bad=$(count FAILED)
	fi
	if [ $status -eq 0 ] && [ "${ok:-0}" -gt 0 ]; then
		printf 'ok   %s (%s)\n' "$name" "$ok"
	else
		cat "$out"
		printf 'FAIL %s (exit %s)\n' "$name" $status
		[ "${bad:-0}" -gt 0 ] || bad=1
		[ -z "$replay" ] || ok=0
	fi
	passed=$((passed + ${ok:-0})) failed=$((failed + ${bad:-0}))
done
echo "unit: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
