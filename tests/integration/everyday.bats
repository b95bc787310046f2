#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What everybody does first: a file with no more than it must have, one node
# that carries all traffic, one that stands by and says nothing of its own; for
# minutes (FULL), or for long enough that every time-out of a link has passed.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib
# shellcheck source=tests/integration/living.bash
. tests/integration/living.bash

SECONDS_LONG=20
[ -z "${FULL:-}" ] || SECONDS_LONG=180

minimal_conf() { # NODE: log, lock and socket are those of this node
	cat >"$D/$1.conf" <<-END
		Sync {
			Mode FTFW {
			}
			Multicast {
				IPv4_address 225.0.0.50
				Group 3780
				IPv4_interface 192.168.100.${1#fw}
				Interface sync0
			}
		}
		General {
			LogFile $D/$1.log
			LockFile $D/$1.lock
			UNIX {
				Path $D/$1.sock
			}
		}
	END
}

# Once the two have met and are equal there is nothing to tell an operator.
is_quiet() { # KIND NODE
	[ "$1" = ref ] || ! sed '1,/all is well/d' "$D/$2.log" | grep .
}

everyday() { # OF_FW1 OF_FW2
	case "$1 $2" in *ref*) need_reference ;; esac
	minimal_conf fw1
	minimal_conf fw2
	[ "$1" != ref ] || more_room fw1
	start_both "$1" "$2"
	start_living fw1
	look_for 0 fw1 fw2
	for node in fw1 fw2; do
		echo "all is well" >>"$D/$node.log"
	done
	look_for $SECONDS_LONG fw1 fw2
	stop_living
	look fw1 fw2
	is_quiet "$1" fw1
	is_quiet "$2" fw2
}

@test "every day: ours and ours" {
	everyday ours ours
}

@test "every day: ours carries the traffic, the reference stands by" {
	everyday ours ref
}

@test "every day: the reference carries the traffic, ours stands by" {
	everyday ref ours
}
