# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by lib.bash
#
# living.bash - a pair under flows that live (tests/tools/ctlive.c), and looks
# at what its caches know of them.
#
# A look takes the kernel's table of the active node, waits for as long as the
# protocol may take, and then takes a cache and that table again. What is the
# same in both tables has had its time to arrive: if the cache lacks it, it is
# missing, and if its state, mark or flags differ, it is wrong. What the cache
# has had since before the first table, and neither table has, is a zombie.
# However long the machine takes from one to the next, the verdict stands.

# as many at a time, however slow the machine is
LIFE_S=$((10 * LAB_SLOW))
RATE=$((200 / LAB_SLOW))
[ -z "${FULL:-}" ] || LIFE_S=30

living_pid='' epoch_ms='' go_on_ms=''

# Flows begin to live at this node, or go on where they stopped at the other.
start_living() { # NODE
	: "${epoch_ms:=$(lab_now)}"
	background "$1" "$D/client.living" "$B/tools/ctlive" -r "$RATE" \
		-l "$LIFE_S" -e "$epoch_ms" -f "${go_on_ms:-$epoch_ms}"
	living_pid=$bg
}

# A reference that carries traffic on a busy machine: what it loses with events it
# never tells, and its default buffer holds those of a second and less.
more_room() { # NODE
	sed -i '/^General/a NetlinkBufferSize 33554432\
NetlinkBufferSizeMaxGrowth 67108864' "$D/$1.conf"
}

stop_living() {
	kill -TERM "$living_pid"
	wait "$living_pid"
	go_on_ms=$(sed -n 's/.*go on with -f //p' "$D/client.living")
	sed 's/^/# flows: /' "$D/client.living" >&3
}

# Reads lines of a table or dump. Prints for each flow, with tabs between: its
# addresses and ports; what is to be equal; which life of them this is, where the
# line tells, and whether it is about to run out. $1: reply, if the reply tuple is
# to be equal as well
flows() {
	awk -v want="${1:-}" '{
		key = $1
		state = flags = reply = life = ""
		mark = "mark=0"
		n = 0
		for (i = 2; i <= NF; i++) {
			if ($i ~ /^src=/)
				n++
			if ($i ~ /^(src|dst|sport|dport)=/) {
				if (n == 1)
					key = key " " $i
				else
					reply = reply " " $i
			} else if ($i ~ /^mark=/)
				mark = $i
			else if ($i ~ /^id=/)
				life = $i
			else if ($i == "[ASSURED]" || $i == "[UNREPLIED]")
				flags = flags $i
			else if ($i ~ /^[A-Z_]+$/)
				state = $i
		}
		if ($3 ~ /^[0-9]+$/ && $3 < 5)
			life = life " ends"
		print key "\t" state " " mark " " flags \
			(want ? reply : "") "\t" life
	}'
}

kernel_flows() { # NODE [reply]
	lab_in "$1" conntrack -L -o id 2>/dev/null | flows "${2:-}"
}

# Compares a cache with what was before and after; true if it is right. Prints
# how it differs: numbers, and the first of each kind. What runs out within seconds
# does so here and there at different times, for whole seconds are told: it may be
# missing. EARLIER: what the cache had at first; without it nothing has begun since.
# ONLY: missing, zombies or wrong.
compare() { # BEFORE CACHE AFTER [EARLIER]
	awk -F '\t' -v only="${ONLY:-}" '
		function tell(kind, text) {
			if (only && kind != only)
				return
			bad = 1
			if (n[kind]++ < 3)
				example = example "\n  " kind ": " text
		}
		FILENAME == ARGV[1] { before[$1] = $2; life[$1] = $3; next }
		FILENAME == ARGV[2] { cache[$1] = $2; next }
		FILENAME == ARGV[3] { after[$1] = $2; again[$1] = $3; next }
		{ earlier[$1] }
		END {
			for (k in before) {
				if (!(k in after) || life[k] != again[k] ||
				    again[k] ~ / ends$/)
					continue
				total++
				if (!(k in cache))
					tell("missing", k)
				else if (before[k] == after[k] &&
					 cache[k] != after[k])
					tell("wrong", k ": " cache[k] \
						", not " after[k])
			}
			for (k in cache)
				if (!(k in before) && !(k in after) &&
				    (ARGC < 5 || k in earlier))
					tell("zombies", k)
			printf "%d flows: %d missing, %d zombies, %d wrong%s\n",
				total, n["missing"], n["zombies"], n["wrong"],
				example
			exit !total || bad
		}' "$@"
}

# Both caches of an active node and its backup, some time after.
look_after() { # SECONDS ACTIVE BACKUP
	internal "$2" | flows >"$D/internal.earlier"
	external "$3" | flows >"$D/external.earlier"
	kernel_flows "$2" >"$D/before"
	sleep "$1"
	internal "$2" | flows >"$D/internal"
	external "$3" | flows >"$D/external"
	kernel_flows "$2" >"$D/after"
	for cache in internal external; do
		compare "$D/before" "$D/$cache" "$D/after" \
			"$D/$cache.earlier" >"$D/look" || return 1
	done
}

# What is lost is asked for again at once, and again after three seconds.
LAGS='1 2 4'

# Tries a look with each lag; the last one has to succeed.
patiently() { # LOOK ARGUMENT...
	local look=$1 lag_s

	shift
	for lag_s in $LAGS; do
		! "$look" $((lag_s * LAB_SLOW)) "$@" || return 0
		sed "1s/^/# after $lag_s s, /; 2,\$s/^/#/" "$D/look" >&3
	done
	cat "$D/look"
	return 1
}

look() { # ACTIVE BACKUP
	patiently look_after "$@"
}

# fw1's kernel, and fw2's that follows it: like look_after(), with the kernel of
# fw2 in place of a cache.
follow_after() { # SECONDS
	kernel_flows fw2 reply >"$D/earlier"
	kernel_flows fw1 reply >"$D/before"
	sleep "$1"
	kernel_flows fw2 reply >"$D/follower"
	kernel_flows fw1 reply >"$D/after"
	compare "$D/before" "$D/follower" "$D/after" "$D/earlier" >"$D/look"
}

# Looks every few seconds, and begins when flows have ended.
look_for() { # SECONDS ACTIVE BACKUP
	local end_ms

	wait_until $((3 * LIFE_S)) some_live_again "$2"
	look "$2" "$3"
	end_ms=$(($(lab_now) + $1 * 1000))
	while [ "$(lab_now)" -lt $end_ms ]; do
		sleep 3
		look "$2" "$3"
	done
}

# With the second translation that ctlive gives.
some_live_again() { # NODE
	kernel "$1" | grep -q ' dst=172\.24\.'
}
