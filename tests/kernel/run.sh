#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# run.sh [FILE]...: the demonstration and integration tests under the stock
# kernel of this Debian; without FILE those that depend on the kernel most, with
# FULL all, at the sizes of `make check`. Ends with one line `kernel: N passed, N
# failed`.
#
# FILTER: tests whose names match it. LAB_SLOW: how much longer limits are (10).
set -u
cd "$(dirname "$0")/../.." || exit 1
here=tests/kernel
files=tests/integration

# Interfaces and their ends; attributes, both ways; helpers; rights and sysctls;
# what a commit meets; what a dump and a question find.
SOME="what the kernel has arrives equal
what a recording peer sends becomes equal
captured messages of DCCP
failover: ours to ours, Multicast
the interface goes down and up
ftp: the control connection survives, ours to ours
of root's rights
the kernel is told to report every end
or translated otherwise: replaced
-R finds what no event told"
some() {
	FILTER=${FILTER:-$(paste -sd '|' <<<"$SOME")}
	tests=("$files"/{attributes,failover,faults,ftp,process,refused,control}.bats)
}

if [ $# -gt 0 ]; then
	tests=("$@")
elif [ -n "${FULL:-}" ]; then
	tests=("$files"/*.bats)
else
	some
fi

out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
export LAB_SLOW=${LAB_SLOW:-10} BATS_JOBS=${BATS_JOBS:-2}
export LIMIT_S=${LIMIT_S:-$([ -n "${FULL:-}" ] && echo 36000 || echo 1800)}
# shellcheck disable=SC2016 # of the shell in the guest
bash $here/boot.sh env LAB_SLOW="$LAB_SLOW" BATS_JOBS="$BATS_JOBS" \
	B="$B" CONNTRACKD="$CONNTRACKD" REFERENCE="${REFERENCE:-}" \
	FILTER="${FILTER:-}" DAEMON="$CONNTRACKD" bash -c '
		echo "under Linux $(uname -r):"
		sh tests/demo.sh
		echo "demonstration: $?"
		bash tests/run-bats.sh "$@"' bash "${tests[@]}" 2>&1 |
	sed -u 's/^integration:/tests:/' | tee "$out"
status=${PIPESTATUS[0]}
if [ "$status" -eq 77 ]; then
	echo "kernel: 0 passed, 0 failed, all skipped: $(tail -n 1 "$out")"
	exit 0
fi

read -r passed failed < <(awk '
	/^demonstration: / { passed += $2 == 0; failed += $2 != 0 }
	/^tests: / { passed += $2; failed += $4; done = 1 }
	END { print passed + 0, failed + !done }' "$out")
echo "kernel: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
