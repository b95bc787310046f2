#!/bin/sh
# SPDX-License-Identifier: ISC
#
# run.sh SOAK FIRST SEEDS KINDS: the seeds that ended wrong once, then SEEDS of
# each kind from FIRST on; without SEEDS 10,000 of our own nodes and 3,000 of the
# others. A kind may follow a mode: `notrack:own`, a quarter of the seeds. A line
# for each that ends wrong; the last line is `soak: N passed, N failed`, by kinds.
soak=$1 first=$2 seeds=$3 kinds=$4
passed=0 failed=0
jobs=$(nproc)

count() { # STATUS
	if [ "$1" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
}

former() {
	status=0
	grep -v '^#' "$(dirname "$0")/former.txt" | {
		while read -r kind seed mode; do
			"$soak" -m "${mode:-ftfw}" -k "$kind" "$seed" 1 >"$soak.former" ||
				status=1
			grep "^$kind seed " "$soak.former"
		done
		rm -f "$soak.former"
		[ $status -eq 0 ]
	}
}

former
count $?
for kind in $kinds; do
	n=${seeds:-3000}
	[ -n "$seeds" ] || [ "$kind" != own ] || n=10000
	mode=ftfw
	case $kind in
	*:*) mode=${kind%:*} kind=${kind#*:} n=$((n / 4 + 1)) ;;
	esac
	"$soak" -m "$mode" -k "$kind" -j "$jobs" "$first" "$n"
	count $?
done
echo "soak: $passed passed, $failed failed"
[ $failed -eq 0 ]
