#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# run-bats.sh FILE...: integration tests, as root. Ends with one line
# `integration: N passed, N failed, N skipped`.
#
# TIMES: how often each file is run (1), for tests that have to hold. BATS_JOBS:
# how many files are run at a time (1). BUSY: how many processors are kept busy
# beside them (0). FILTER: tests whose names match it.
set -u
cd "$(dirname "$0")/.." || exit 1
TIMES=${TIMES:-1}
BATS_JOBS=${BATS_JOBS:-1}
export FILTER=${FILTER:-.}
if [ "$(id -u)" -ne 0 ]; then
	echo "integration tests make network namespaces: run them as root" >&2
	exit 1
fi
out=$(mktemp) || exit 1
busy=()
trap 'rm -f "$out" "$out.lock"; kill "${busy[@]}" 2>/dev/null' EXIT
for ((i = 0; i < ${BUSY:-0}; i++)); do
	while :; do :; done &
	busy+=($!)
done

# The output of files that run at a time, one after the other.
in_turn() { # FILE...
	# shellcheck disable=SC2016 # of the inner shell
	printf '%s\0' "$@" | xargs -0 -n 1 -P "$BATS_JOBS" bash -c '
		text=$(bats --timing --formatter tap -f "$FILTER" "$2" \
			2>&1 </dev/null)
		exec 9>"$1"
		flock 9
		printf "# %s\n%s\n" "$2" "$text"' bash "$out.lock"
}

for ((i = 0; i < TIMES; i++)); do
	if [ "$BATS_JOBS" -gt 1 ]; then
		in_turn "$@"
	else
		bats --timing --formatter tap -f "$FILTER" "$@" </dev/null 2>&1
	fi
done | tee "$out"
passed=$(grep '^ok ' "$out" | grep -cv '# skip')
failed=$(grep -c '^not ok ' "$out")
skipped=$(grep -c '^ok .*# skip' "$out")
# what bats announced and did not report has died on the way
planned=$(awk -F '\\.\\.' '/^1\.\.[0-9]+$/ { n += $2 } END { print n + 0 }' "$out")
[ "$planned" -gt 0 ] || planned=1
failed=$((failed + planned - passed - failed - skipped))
[ "$TIMES" -eq 1 ] || sed -n 's/^not ok [0-9]* \(.*\) in [0-9]*ms$/\1/p' "$out" |
	sort | uniq -c | sed 's/^/failed, of '"$TIMES"' times:/'
echo "integration: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
