#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# run.sh: every check, one PASS or FAIL line each with what was found above it;
# ends with `lint: N passed, N failed`. B: build directory, FLAGS: how a file of
# src/ is compiled. LINT_ONLY: names of checks, otherwise all. FULL: clang-tidy
# follows every path through a function, which takes four times as long.
set -u
cd "$(dirname "$0")/../.." || exit 1
B=${B:-build}
L=$B/lint
mkdir -p "$L"
passed=0 failed=0 skipped=0
jobs=$(nproc)

check() { # NAME COMMAND...
	local name=$1 status

	shift
	[ -z "${LINT_ONLY:-}" ] || [[ " $LINT_ONLY " == *" $name "* ]] || return
	"$@" >"$L/$name.log" 2>&1
	status=$?
	if [ $status -eq 0 ]; then
		echo "PASS $name"
		passed=$((passed + 1))
	elif [ $status -eq 77 ]; then
		echo "SKIP $name: $(tail -n 1 "$L/$name.log")"
		skipped=$((skipped + 1))
	else
		tail -n 60 "$L/$name.log"
		echo "FAIL $name"
		failed=$((failed + 1))
	fi
}

c_files() {
	find src tests -name '*.[ch]' | sort
}

scripts() {
	find tests .ci bootstrap contrib -type f 2>/dev/null | while read -r file; do
		case $file in
		*.sh | *.bash | *.bats) echo "$file" ;;
		*) head -n 1 "$file" | grep -qE '^#!.*[ /](ba|da)?sh' &&
			echo "$file" ;;
		esac
	done | sort
}

# All objects of src/ and tests/, warnings are errors. The checks of sanitizers in
# the objects would cost half of the time and warn of nothing.
warnings() { # COMPILER [OPTION]
	make -j"$jobs" B="$L/$1" CC="$*" SAN=-O1 WERROR=-Werror objects
}

musl() {
	command -v musl-gcc >/dev/null || {
		echo "no musl-gcc"
		return 77
	}
	make -j"$jobs" B="$L/musl" WERROR=-Werror musl
}

format() {
	clang-format --version | grep -q 'version 14\.' || {
		echo "the layout is that of clang-format 14"
		return 77
	}
	c_files | xargs clang-format --dry-run -Werror
}

# Nearly all of its time is the analyzer's, in functions of many paths.
tidy() {
	local paths='-Xclang -analyzer-config -Xclang max-nodes=40000'

	[ -z "${FULL:-}" ] || paths=''
	find src -name '*.c' | sort | xargs -P "$jobs" -n 1 sh -c '
		clang-tidy --quiet "$@" -- '"$FLAGS $paths"' -DVERSION=\"x\" \
			2>/dev/null' sh
}

cpp_check() {
	cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$jobs" \
		--enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		--library=posix -Isrc src
}

shell_check() {
	# bats runs each test in a subshell; shellcheck takes that for a mistake
	scripts | xargs shellcheck -x -e SC2030,SC2031
}

includes() { # layers, cycles
	(cd src && find . -name '*.[ch]' | sed 's|^\./||' | sort |
		xargs awk -v check="$1" -f ../tests/lint/includes.awk)
}

# Objects that show what the source reaches for: no sanitizer, no FORTIFY, and
# not PIE, for there constant tables of pointers are writable until linked.
symbols() { # purity, globals, forbidden, calls
	make -s -j"$jobs" B="$L/plain" CFLAGS=-O2 HARDEN=-fno-pie plain ||
		return
	# what was built from files that have gone
	(cd "$L/plain/obj" && find . -name '*.o') | while read -r object; do
		[ -e "src/${object%.o}.c" ] || rm "$L/plain/obj/$object"
	done
	bash tests/lint/symbols.sh "$1" "$L/plain/obj"
}

spdx() {
	local bad=0 file

	for file in $(c_files) $(scripts) Makefile; do
		head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ISC' || {
			echo "$file: no SPDX line"
			bad=1
		}
	done
	return $bad
}

# Nothing may lean on files outside of this tree.
outside() {
	local pattern='\.\./sha''red|/wo''rk/|/tm''p/h/'

	! grep -rnIE "$pattern" --exclude-dir=.git --exclude-dir=build .
}

todo() {
	! grep -rnIE '\b(TO''DO|FIX''ME|XX''X)\b' src tests man bootstrap Makefile
}

# A fact that a comment takes from elsewhere is in the tree: in a chapter of
# PROTOCOL.md that exists.
cites() {
	local bad=0 chapter

	grep -rnE '\b[Ss]pec (cli |chapter |appendix |weakness )?[0-9A-Z]' \
		--include='*.[ch]' src tests && bad=1
	while read -r chapter; do
		grep -qE "^##+ ${chapter//./\\.}[. ]" PROTOCOL.md || {
			echo "PROTOCOL.md has no chapter $chapter"
			bad=1
		}
	done < <(grep -rhoE 'PROTOCOL\.md [0-9]+(\.[0-9]+)?' --include='*.[ch]' \
		src tests | cut -d ' ' -f 2 | sort -u)
	return $bad
}

# A counter names the module that keeps it.
owners() {
	local bad=0 owner

	while read -r owner; do
		[ -n "$(find src -name "$owner.[ch]")" ] || {
			echo "src/cli/counters.def: there is no module $owner"
			bad=1
		}
	done < <(sed -n 's/^\t"[^"]*", "\([^"]*\)",$/\1/p' \
		src/cli/counters.def | sort -u)
	return $bad
}

longest() {
	echo "longest files:"
	find src -name '*.[ch]' -exec wc -l {} + | grep -v total | sort -rn |
		head -n 10
	echo "longest functions:"
	find src -name '*.c' -exec awk -f tests/lint/longest.awk {} + |
		sort -rn | head -n 10
}

check gcc warnings gcc
# all that it warns of it knows without writing an object
check clang warnings clang -fsyntax-only -Wno-unused-command-line-argument
check musl musl
check format format
check layers includes layers
check cycles includes cycles
check purity symbols purity
check globals symbols globals
check forbidden symbols forbidden
check calls symbols calls
check spdx spdx
check outside outside
check todo todo
check owners owners
check cites cites
check shellcheck shell_check
check cppcheck cpp_check
check clang-tidy tidy
longest
echo "lint: $passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
