#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# run-bats.sh FILE...: integration tests, as root. Ends with one line
# `integration: N passed, N failed, N skipped`.
set -u
cd "$(dirname "$0")/.." || exit 1
if [ "$(id -u)" -ne 0 ]; then
	echo "integration tests make network namespaces: run them as root" >&2
	exit 1
fi
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
bats --timing --formatter tap "$@" </dev/null 2>&1 | tee "$out"
passed=$(grep '^ok ' "$out" | grep -cv '# skip')
failed=$(grep -c '^not ok ' "$out")
skipped=$(grep -c '^ok .*# skip' "$out")
# what bats announced and did not report has died on the way
planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$out" | tail -n 1)
failed=$((failed + ${planned:-1} - passed - failed - skipped))
echo "integration: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
