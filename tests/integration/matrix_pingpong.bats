#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The primary goes down and up, many times, while flows end and begin: at the
# end no kernel and no cache has one too few, or one too many.

# shellcheck disable=SC2154 # what lib.bash sets by name
bats_require_minimum_version 1.5.0
load lib

N=10000 TURNOVER=200 ROUNDS=${ROUNDS:-20}

pingpong_conf() { # NODE "MODE { OPTIONS }"
	{
		printf 'Sync {\nMode %s\nPurgeTimeout 1\n' "$2"
		lab_link "$1" UDP
		printf '}\n'
		lab_general "$1"
	} >"$D/$1.conf"
}

# What is to be where: the flows FIRST to FIRST + N, by their sources.
wanted() {
	awk -v first="$first" -v n=$N 'BEGIN {
		for (i = first; i < first + n; i++)
			printf "src=10.%d.%d.%d\n", 64 + i / 65536, i / 256 % 256, i % 256
	}' | sort
}

sources() {
	grep -o ' src=10\.6[4-9][^ ]*' | tr -d ' ' | sort
}

# All flows and no others, each once.
has_wanted() { # NODE WHAT: kernel, internal or external
	"$2" "$1" | sources >"$D/got"
	same_lines "$D/wanted" "$D/got" >"$D/differ"
}

gets_wanted() { # NODE WHAT
	local since_ms

	since_ms=$(lab_now)
	wait_until 120 has_wanted "$@" && {
		[ $(($(lab_now) - since_ms)) -lt 8000 ] ||
			echo "# round $round: after $(($(lab_now) - since_ms)) ms" >&3
		return
	}
	echo "$1, $2, round $round:"
	cat "$D/differ"
	grep 'bulk\|resync\|lost\|usable' "$D/fw1.log" | tail -n 12
	grep 'bulk\|resync\|lost\|usable' "$D/fw2.log" | tail -n 12
	return 1
}

# The active node: one flow ends for each that begins.
turn_over() { # NODE
	load "$1" -f $first delete $TURNOVER >/dev/null
	load "$1" -n -f $((first + N)) insert $TURNOVER >/dev/null
	first=$((first + TURNOVER))
	wanted >"$D/wanted"
	has_wanted "$1" kernel
}

lab_mend() { # NODE
	printf 'link set %s up\n' eth1 eth2 sync0 | ip -n "$P$1" -batch -
	lab_sync_addrs 0 "${1#fw}" | ip -n "$P$1" -force -batch - 2>/dev/null || :
	lab_carrier "$1"
}

# One that goes down gives its flows away, as the script of its state `fault' has
# it: what it told of them when it is back would be taken for new.
fall() { # NODE
	lab_cut "$1"
	ask "$1" -t
}

rise() { # NODE
	wait_until 15 has_none "$1" kernel
	lab_mend "$1"
	ask "$1" -n
}

take_over() { # NODE
	[ "$injects" ] || ask "$1" -c
	lab_vip "$1"
	[ "$injects" ] || ask "$1" -f
	ask "$1" -R
	ask "$1" -B
}

has_none() { # NODE WHAT
	"$2" "$1" | sources >"$D/differ"
	[ ! -s "$D/differ" ]
}

# What was the other's before is gone from both.
holds_nothing_else() {
	local node what

	while read -r node what; do
		wait_until 15 has_none "$node" "$what" && continue
		echo "$node, $what, round $round: $(wc -l <"$D/differ")"
		head -n 5 "$D/differ"
		return 1
	done <<-END
		$active external
		$backup internal
		$backup kernel
	END
}

pingpong() { # "MODE { OPTIONS }" [injects]
	local injects=${2:-} first=0 active=fw1 backup=fw2 where=external round=0

	full_only
	[ ! "$injects" ] || where=kernel
	pingpong_conf fw1 "$1"
	pingpong_conf fw2 "$1"
	start_both ours ours
	load fw1 -n insert $N
	wanted >"$D/wanted"
	gets_wanted fw2 $where
	for ((round = 1; round <= ROUNDS; round++)); do
		fall "$active"
		take_over "$backup"
		has_wanted "$backup" kernel
		turn_over "$backup"
		rise "$active"
		read -r active backup <<<"$backup $active"
		turn_over "$active"
		gets_wanted "$backup" $where
		gets_wanted "$active" internal
		[ "$injects" ] || holds_nothing_else
	done
	has_wanted "$active" kernel
	for node in fw1 fw2; do
		[ "$(network_stat $node 'Malformed messages')" -eq 0 ]
	done
}

@test "the primary goes down and up twenty times: FT-FW" {
	pingpong 'FTFW { }'
}

@test "the primary goes down and up twenty times: NOTRACK" {
	pingpong 'NOTRACK { }'
}

@test "the primary goes down and up twenty times: FT-FW, direct injection" {
	pingpong 'FTFW { DisableExternalCache yes }' injects
}

@test "the primary goes down and up twenty times: NOTRACK, direct injection" {
	pingpong 'NOTRACK { DisableExternalCache yes }' injects
}
