#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The reference that the simulator plays against is a model. Here the dialogues
# that test it are held with a real one: what the one answers, the other has to.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

# A few of those that differ most; all 31 take two minutes.
DIALOGUES="4 10 12 17 18 23 25"
[ -z "${FULL:-}" ] || DIALOGUES=

# A program that does to fw2 what a dialogue needs: see refprobe.c.
write_command() {
	cat >"$D/node" <<-END
		#!/bin/bash
		flow="-p tcp -s 10.1.0.10 -d 10.2.0.10 --dport 80 --sport \$((3000 + \$2))"
		there() { ip netns exec ${P}fw2 "\$@"; }
		daemon() { there "$REFERENCE" -C $D/fw2.conf "\$@"; }
		gone() { ! daemon -s; }
		wait_for() { for i in {1..100}; do "\$@" && return; sleep 0.05; done; return 1; }
		exec >>$D/node.log 2>&1
		case \$1 in
		start)
			rm -f $D/fw2.lock
			sed -i "s/StartupResync .*/StartupResync \$([ \$2 = 1 ] && echo on || echo off)/" $D/fw2.conf
			daemon -d && wait_for daemon -s ;;
		stop)
			daemon -k; wait_for gone; there conntrack -F ;;
		begin)
			there conntrack -I \$flow --state ESTABLISHED -t 600 -u SEEN_REPLY,ASSURED ;;
		update)
			there conntrack -U \$flow -m 7 ;;
		finish)
			there conntrack -D \$flow ;;
		has)
			daemon -e | grep -q "sport=\$((2000 + \$2)) " ;;
		lacks)
			! daemon -e | grep -q "sport=\$((2000 + \$2)) " ;;
		esac
	END
	chmod +x "$D/node"
}

@test "a reference answers as the model of the simulator does" {
	need_reference
	lab_conf fw2 UDP
	sed -i 's/ACKWindowSize .*/ACKWindowSize 20\n StartupResync off/' \
		"$D/fw2.conf"
	write_command
	# shellcheck disable=SC2086 # a list
	lab_in fw1 "$B/tools/refprobe" 192.168.100.1 192.168.100.2 3780 \
		"$D/node" $DIALOGUES >"$D/probes.log"
}
