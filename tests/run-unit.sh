#!/bin/sh
# SPDX-License-Identifier: ISC
# run-unit.sh TEST... -- REPLAYER...: runs cmocka programs and the replayers of
# the fuzz targets, as many at a time as there are processors, shows the output of
# those that fail, and ends with one line `unit: N passed, N failed`. RUN: a prefix
# such as qemu-s390x.
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
export out RUN

# Each in a shell of its own: output and status go to files by its name.
# shellcheck disable=SC2016 # of that shell
for prog in "$@"; do
	case $prog in
	--) replay=yes ;;
	*) echo "$prog${replay:+ tests/fuzz/corpus/${prog##*/replay_}}" ;;
	esac
done | xargs -P "$(nproc)" -L 1 sh -c '
	$RUN "$@" >"$out/${1##*/}" 2>&1
	echo $? >"$out/${1##*/}.status"' sh

count() { # WORD NAME: number in the last line that begins with this word
	sed -n "s/^\[  $1  \] \([0-9]*\) test.*/\1/p" "$out/$2" | tail -n 1
}

passed=0 failed=0 replay=
for prog in "$@"; do
	if [ "$prog" = -- ]; then
		replay=yes
		continue
	fi
	name=${prog##*/}
	read -r status <"$out/$name.status" || status=none
	if [ -n "$replay" ]; then
		ok=1 bad=0
	else
		ok=$(count PASSED "$name") bad=$(count FAILED "$name")
	fi
	if [ "$status" = 0 ] && [ "${ok:-0}" -gt 0 ]; then
		printf 'ok   %s (%s)\n' "$name" "$ok"
	else
		cat "$out/$name"
		printf 'FAIL %s (exit %s)\n' "$name" "$status"
		[ "${bad:-0}" -gt 0 ] || bad=1
		[ -z "$replay" ] || ok=0
	fi
	passed=$((passed + ${ok:-0})) failed=$((failed + ${bad:-0}))
done
echo "unit: $passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
