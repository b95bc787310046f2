#!/bin/sh
# SPDX-License-Identifier: ISC
# run.sh BUILD SECONDS NAME...: each fuzzer in turn; new inputs stay in BUILD,
# a crash goes to tests/fuzz/corpus/NAME and belongs into the commit of its fix.
build=$1 seconds=$2
shift 2
failed=0
for name in "$@"; do
	mkdir -p "$build/fuzz/new/$name"
	echo "fuzz $name: $seconds s"
	"$build/fuzz/fuzz_$name" -max_total_time="$seconds" -print_final_stats=1 \
		-artifact_prefix="tests/fuzz/corpus/$name/" \
		"$build/fuzz/new/$name" "tests/fuzz/corpus/$name" \
		>"$build/fuzz/$name.log" 2>&1 || {
		tail -n 40 "$build/fuzz/$name.log"
		failed=1
	}
	grep -h 'number_of_executed_units' "$build/fuzz/$name.log"
done
exit $failed
