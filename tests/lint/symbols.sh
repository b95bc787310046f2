#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# symbols.sh purity|globals|forbidden|calls OBJECTS: what the objects of src/, built
# without sanitizers and FORTIFY and not as PIE, reach for. Prints what breaks
# the rule; exit 1 if anything.
set -eu
cd "$(dirname "$0")/../.."
check=$1
objects=$2
here=tests/lint

# the objects that may make system calls; everything else is pure
io_objects() {
	sed -n 's/^\([a-z][a-z_/]*\).*/\1.o/p' $here/io-files
	(cd src && echo ./*.c | tr ' ' '\n') | sed 's|^\./\(.*\)\.c$|\1.o|'
}

pure_objects() {
	(cd "$objects" && find . -name '*.o' | sed 's|^\./||') | sort |
		grep -Fxv -f <(io_objects)
}

all_objects() {
	(cd "$objects" && find . -name '*.o' | sed 's|^\./||') | sort
}

purity() {
	local allowed own object bad=0 symbols

	own=$(mktemp)
	allowed=$(mktemp)
	# shellcheck disable=SC2064
	trap "rm -f $own $allowed" RETURN
	grep -v '^#' $here/allowed-symbols >"$allowed"
	pure_objects | (cd "$objects" && xargs -r nm --defined-only) |
		awk 'NF == 3 && $2 ~ /^[TRDB]$/ { print $3 }' | sort -u >"$own"
	for object in $(pure_objects); do
		symbols=$(nm -u "$objects/$object" | awk '{ print $2 }' |
			grep -Fxv -f "$own" | grep -Exv -f "$allowed" || :)
		[ -z "$symbols" ] || {
			echo "src/${object%.o}.c reaches for: ${symbols//$'\n'/ }"
			bad=1
		}
	done
	return $bad
}

globals() {
	local object bad=0 symbols

	for object in $(all_objects); do
		[ "$object" != base/log.o ] || continue
		symbols=$(nm "$objects/$object" |
			awk '$2 ~ /^[dDbBcCsSgG]$/ { print $3 }')
		[ -z "$symbols" ] || {
			echo "src/${object%.o}.c has mutable state: ${symbols//$'\n'/ }"
			bad=1
		}
	done
	return $bad
}

forbidden() {
	local object bad=0 symbols
	local names='strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|alloca|signal|__sysv_signal|system|select|_?setjmp|__sigsetjmp|malloc|strdup|strndup|popen'

	for object in $(all_objects); do
		symbols=$(nm -u "$objects/$object" | awk '{ print $2 }' |
			grep -Ex "$names" || :)
		[ -z "$symbols" ] || {
			echo "src/${object%.o}.c calls: ${symbols//$'\n'/ }"
			bad=1
		}
	done
	grep -rnE '\b(alloca|__builtin_alloca)[[:space:]]*\(' src && bad=1
	return $bad
}

# Functions are called where code refers to them: what stands in a table of
# function pointers is the table's to call, and no circle.
calls() {
	local object file

	for object in $(all_objects); do
		file=${object%.o}
		nm --defined-only "$objects/$object" |
			awk -v file="$file" '$2 == "T" { print "def", file, $3 }'
	done >"$objects/../calls"
	for object in $(all_objects); do
		file=${object%.o}
		readelf -rW "$objects/$object" | awk -v file="$file" '
			/^Relocation section/ { is_code = $3 ~ /\.text/ }
			is_code && NF >= 5 { print "use", file, $5 }'
	done >>"$objects/../calls"
	awk -f $here/calls.awk "$objects/../calls" | sort
	return "${PIPESTATUS[0]}"
}

$check
