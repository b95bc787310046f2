#!/bin/sh
# SPDX-License-Identifier: ISC
# need.sh ITEM...: names what this machine lacks, exit 1 if anything.
# An item is COMMAND, COMMAND:PACKAGE or header:FILE:PACKAGE (Debian's name).
missing=
for item in "$@"; do
	case $item in
	header:*)
		rest=${item#header:}
		echo "#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <setjmp.h>
#include <${rest%%:*}>" | ${CC:-cc} -E -o /dev/null - 2>/dev/null && continue
		missing="$missing ${rest#*:}"
		;;
	*)
		command -v "${item%%:*}" >/dev/null 2>&1 && continue
		missing="$missing ${item#*:}"
		;;
	esac
done
[ -z "$missing" ] && exit 0
echo "missing on this machine (names of Debian packages):$missing" >&2
echo "./bootstrap demo, ./bootstrap check or ./bootstrap lint installs them" >&2
exit 1
