#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Modes, links, families, pairs and caches: a cell of the matrix is a test, which
# does what its name says (matrix.bash). `make check` has those that differ in
# code path.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/matrix.bash
. tests/integration/matrix.bash

# Most are not for `make check`: those make no lab.
setup() {
	:
}

# ---- FTFW ----

@test "FTFW Multicast IPv4, ours to ours, caches" { full_cell; }
@test "FTFW Multicast IPv4, ours to the reference, caches" { full_cell; }
@test "FTFW Multicast IPv4, the reference to ours, caches" { full_cell; }
@test "FTFW Multicast IPv4, ours to ours, no external" { full_cell; }
@test "FTFW Multicast IPv4, ours to the reference, no external" { full_cell; }
@test "FTFW Multicast IPv4, the reference to ours, no external" { full_cell; }

@test "FTFW Multicast IPv6, ours to ours, caches" { full_cell; }
@test "FTFW Multicast IPv6, ours to the reference, caches" { full_cell; }
@test "FTFW Multicast IPv6, the reference to ours, caches" { full_cell; }
@test "FTFW Multicast IPv6, ours to ours, no external" { full_cell; }
@test "FTFW Multicast IPv6, ours to the reference, no external" { full_cell; }
@test "FTFW Multicast IPv6, the reference to ours, no external" { full_cell; }

@test "FTFW UDP IPv4, ours to ours, caches" { full_cell; }
@test "FTFW UDP IPv4, ours to the reference, caches" { full_cell; }
@test "FTFW UDP IPv4, the reference to ours, caches" { full_cell; }
@test "FTFW UDP IPv4, ours to ours, no external" { full_cell; }
@test "FTFW UDP IPv4, ours to the reference, no external" { full_cell; }
@test "FTFW UDP IPv4, the reference to ours, no external" { full_cell; }

@test "FTFW UDP IPv6, ours to ours, caches" { full_cell; }
@test "FTFW UDP IPv6, ours to the reference, caches" { full_cell; }
@test "FTFW UDP IPv6, the reference to ours, caches" { full_cell; }
@test "FTFW UDP IPv6, ours to ours, no external" { full_cell; }
@test "FTFW UDP IPv6, ours to the reference, no external" { full_cell; }
@test "FTFW UDP IPv6, the reference to ours, no external" { full_cell; }

@test "FTFW TCP IPv4, ours to ours, caches" { full_cell; }
@test "FTFW TCP IPv4, ours to the reference, caches" { full_cell; }
@test "FTFW TCP IPv4, the reference to ours, caches" { full_cell; }
@test "FTFW TCP IPv4, ours to ours, no external" { full_cell; }
@test "FTFW TCP IPv4, ours to the reference, no external" { cell; }
@test "FTFW TCP IPv4, the reference to ours, no external" { full_cell; }

@test "FTFW TCP IPv6, ours to ours, caches" { cell; }
@test "FTFW TCP IPv6, ours to the reference, caches" { full_cell; }
@test "FTFW TCP IPv6, the reference to ours, caches" { full_cell; }
@test "FTFW TCP IPv6, ours to ours, no external" { full_cell; }
@test "FTFW TCP IPv6, ours to the reference, no external" { full_cell; }
@test "FTFW TCP IPv6, the reference to ours, no external" { full_cell; }

# ---- NOTRACK ----

@test "NOTRACK Multicast IPv4, ours to ours, caches" { full_cell; }
@test "NOTRACK Multicast IPv4, ours to the reference, caches" { full_cell; }
@test "NOTRACK Multicast IPv4, the reference to ours, caches" { full_cell; }
@test "NOTRACK Multicast IPv4, ours to ours, no internal" { full_cell; }
@test "NOTRACK Multicast IPv4, ours to the reference, no internal" { full_cell; }
@test "NOTRACK Multicast IPv4, the reference to ours, no internal" { cell; }
@test "NOTRACK Multicast IPv4, ours to ours, no external" { full_cell; }
@test "NOTRACK Multicast IPv4, ours to the reference, no external" { full_cell; }
@test "NOTRACK Multicast IPv4, the reference to ours, no external" { full_cell; }
@test "NOTRACK Multicast IPv4, ours to ours, no caches" { full_cell; }
@test "NOTRACK Multicast IPv4, ours to the reference, no caches" { full_cell; }
@test "NOTRACK Multicast IPv4, the reference to ours, no caches" { full_cell; }

@test "NOTRACK Multicast IPv6, ours to ours, caches" { full_cell; }
@test "NOTRACK Multicast IPv6, ours to the reference, caches" { full_cell; }
@test "NOTRACK Multicast IPv6, the reference to ours, caches" { full_cell; }
@test "NOTRACK Multicast IPv6, ours to ours, no internal" { full_cell; }
@test "NOTRACK Multicast IPv6, ours to the reference, no internal" { full_cell; }
@test "NOTRACK Multicast IPv6, the reference to ours, no internal" { full_cell; }
@test "NOTRACK Multicast IPv6, ours to ours, no external" { full_cell; }
@test "NOTRACK Multicast IPv6, ours to the reference, no external" { full_cell; }
@test "NOTRACK Multicast IPv6, the reference to ours, no external" { full_cell; }
@test "NOTRACK Multicast IPv6, ours to ours, no caches" { full_cell; }
@test "NOTRACK Multicast IPv6, ours to the reference, no caches" { full_cell; }
@test "NOTRACK Multicast IPv6, the reference to ours, no caches" { full_cell; }

@test "NOTRACK UDP IPv4, ours to ours, caches" { full_cell; }
@test "NOTRACK UDP IPv4, ours to the reference, caches" { full_cell; }
@test "NOTRACK UDP IPv4, the reference to ours, caches" { full_cell; }
@test "NOTRACK UDP IPv4, ours to ours, no internal" { full_cell; }
@test "NOTRACK UDP IPv4, ours to the reference, no internal" { full_cell; }
@test "NOTRACK UDP IPv4, the reference to ours, no internal" { full_cell; }
@test "NOTRACK UDP IPv4, ours to ours, no external" { full_cell; }
@test "NOTRACK UDP IPv4, ours to the reference, no external" { full_cell; }
@test "NOTRACK UDP IPv4, the reference to ours, no external" { full_cell; }
@test "NOTRACK UDP IPv4, ours to ours, no caches" { full_cell; }
@test "NOTRACK UDP IPv4, ours to the reference, no caches" { full_cell; }
@test "NOTRACK UDP IPv4, the reference to ours, no caches" { full_cell; }

@test "NOTRACK UDP IPv6, ours to ours, caches" { full_cell; }
@test "NOTRACK UDP IPv6, ours to the reference, caches" { cell; }
@test "NOTRACK UDP IPv6, the reference to ours, caches" { full_cell; }
@test "NOTRACK UDP IPv6, ours to ours, no internal" { full_cell; }
@test "NOTRACK UDP IPv6, ours to the reference, no internal" { full_cell; }
@test "NOTRACK UDP IPv6, the reference to ours, no internal" { full_cell; }
@test "NOTRACK UDP IPv6, ours to ours, no external" { full_cell; }
@test "NOTRACK UDP IPv6, ours to the reference, no external" { full_cell; }
@test "NOTRACK UDP IPv6, the reference to ours, no external" { full_cell; }
@test "NOTRACK UDP IPv6, ours to ours, no caches" { full_cell; }
@test "NOTRACK UDP IPv6, ours to the reference, no caches" { full_cell; }
@test "NOTRACK UDP IPv6, the reference to ours, no caches" { full_cell; }

@test "NOTRACK TCP IPv4, ours to ours, caches" { full_cell; }
@test "NOTRACK TCP IPv4, ours to the reference, caches" { full_cell; }
@test "NOTRACK TCP IPv4, the reference to ours, caches" { full_cell; }
@test "NOTRACK TCP IPv4, ours to ours, no internal" { full_cell; }
@test "NOTRACK TCP IPv4, ours to the reference, no internal" { full_cell; }
@test "NOTRACK TCP IPv4, the reference to ours, no internal" { full_cell; }
@test "NOTRACK TCP IPv4, ours to ours, no external" { full_cell; }
@test "NOTRACK TCP IPv4, ours to the reference, no external" { full_cell; }
@test "NOTRACK TCP IPv4, the reference to ours, no external" { full_cell; }
@test "NOTRACK TCP IPv4, ours to ours, no caches" { cell; }
@test "NOTRACK TCP IPv4, ours to the reference, no caches" { full_cell; }
@test "NOTRACK TCP IPv4, the reference to ours, no caches" { full_cell; }

@test "NOTRACK TCP IPv6, ours to ours, caches" { full_cell; }
@test "NOTRACK TCP IPv6, ours to the reference, caches" { full_cell; }
@test "NOTRACK TCP IPv6, the reference to ours, caches" { full_cell; }
@test "NOTRACK TCP IPv6, ours to ours, no internal" { full_cell; }
@test "NOTRACK TCP IPv6, ours to the reference, no internal" { full_cell; }
@test "NOTRACK TCP IPv6, the reference to ours, no internal" { full_cell; }
@test "NOTRACK TCP IPv6, ours to ours, no external" { full_cell; }
@test "NOTRACK TCP IPv6, ours to the reference, no external" { full_cell; }
@test "NOTRACK TCP IPv6, the reference to ours, no external" { full_cell; }
@test "NOTRACK TCP IPv6, ours to ours, no caches" { full_cell; }
@test "NOTRACK TCP IPv6, ours to the reference, no caches" { full_cell; }
@test "NOTRACK TCP IPv6, the reference to ours, no caches" { full_cell; }

# ---- ALARM ----

@test "ALARM Multicast IPv4, ours to ours, caches" { full_cell; }
@test "ALARM Multicast IPv4, ours to the reference, caches" { full_cell; }
@test "ALARM Multicast IPv4, the reference to ours, caches" { cell; }

@test "ALARM Multicast IPv6, ours to ours, caches" { full_cell; }
@test "ALARM Multicast IPv6, ours to the reference, caches" { full_cell; }
@test "ALARM Multicast IPv6, the reference to ours, caches" { full_cell; }

@test "ALARM UDP IPv4, ours to ours, caches" { full_cell; }
@test "ALARM UDP IPv4, ours to the reference, caches" { full_cell; }
@test "ALARM UDP IPv4, the reference to ours, caches" { full_cell; }

@test "ALARM UDP IPv6, ours to ours, caches" { full_cell; }
@test "ALARM UDP IPv6, ours to the reference, caches" { full_cell; }
@test "ALARM UDP IPv6, the reference to ours, caches" { full_cell; }

@test "ALARM TCP IPv4, ours to ours, caches" { full_cell; }
@test "ALARM TCP IPv4, ours to the reference, caches" { full_cell; }
@test "ALARM TCP IPv4, the reference to ours, caches" { full_cell; }

@test "ALARM TCP IPv6, ours to ours, caches" { full_cell; }
@test "ALARM TCP IPv6, ours to the reference, caches" { full_cell; }
@test "ALARM TCP IPv6, the reference to ours, caches" { full_cell; }
