# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by lib.bash
#
# matrix.bash - one cell of the matrix: two firewalls in a mode, over a link, of
# one kind or another, with both caches or without. All cells are alike: what was
# there before the backup arrives, what is new, what changes, what ends; live
# transfers survive the end of the primary; nobody was sent what it did not
# understand.
#
# The backup has a flow where a script would look for it: in its external cache,
# or in its kernel where there is no such cache. Flows that no packet makes are
# told apart by their mark; each round has all protocols.

OLD=71 NEW=72 CHANGED=73

# What the name of a test says: mode, link, caches, of_fw1, of_fw2.
parse_cell() { # "MODE LINK FAMILY, PAIR, CACHES"
	local words pair

	words=${1%%,*}
	pair=${1#*, }
	caches=${pair#*, }
	pair=${pair%%,*}
	read -r mode link family <<<"$words"
	[ "$family" = IPv4 ] || link=${link}6
	case $pair in
	"ours to ours") of_fw1=ours of_fw2=ours ;;
	"ours to the reference") of_fw1=ours of_fw2=ref ;;
	"the reference to ours") of_fw1=ref of_fw2=ours ;;
	*) return 1 ;;
	esac
}

has_internal() {
	[ "$caches" != "no caches" ] && [ "$caches" != "no internal" ]
}

has_external() {
	[ "$caches" != "no caches" ] && [ "$caches" != "no external" ]
}

# What entries of this mode may be asked for.
can_ask() {
	[ "$mode" != ALARM ]
}

matrix_conf() { # NODE
	{
		echo "Sync {"
		echo "Mode $mode {"
		[ "$mode" != ALARM ] || echo "RefreshTime 2"
		has_internal || echo "DisableInternalCache yes"
		has_external || echo "DisableExternalCache yes"
		echo "}"
		lab_link "$1" "$link"
		echo "}"
		lab_general "$1"
	} >"$D/$1.conf"
}

# ---- flows ----

# All protocols of a round, for ctset. The TCP ones and a UDP one are translated.
# A message has no keys of GRE: that is one flow between two hosts.
round() { # NUMBER MARK TCP_STATE
	local v4="timeout=600 mark=$2 ipv4=10.1.0.10,10.2.0.10"
	local v6="timeout=600 mark=$2 ipv6=fd00:1::10,fd00:2::10"
	local nat=status=0x19e plain=status=0xe echoed=status=0xa

	sed 's/$/ synproxy=0x0,0x0,0x0/' <<-END
		$v4 l4proto=6 port=${1}1,80 tcp_state=$3 $nat snat_ipv4=10.2.0.1 spat_port=61$1
		$v6 l4proto=6 port=${1}2,80 tcp_state=$3 $nat snat_ipv6=fd00:2::1 spat_port=61$1
		$v4 l4proto=17 port=${1}3,53 $nat snat_ipv4=10.2.0.1 spat_port=61$1
		$v6 l4proto=17 port=${1}4,53 $plain
		$v4 l4proto=1 icmp_type=8 icmp_code=0 icmp_id=${1}5 $echoed
		$v6 l4proto=58 icmp_type=128 icmp_code=0 icmp_id=${1}6 $echoed
		$v4 l4proto=132 port=${1}7,2000 sctp_state=4 $plain sctp_vtag_orig=0x12345678 sctp_vtag_repl=0x87654321
		${v4%.*}.$1 l4proto=47 port=0,0 $plain
	END
}

flows_of_round=8

# Makes or changes those of a round at the primary; what is translated stays so.
set_round() { # add|update NUMBER MARK TCP_STATE
	local leave_out=''

	[ "$1" = add ] || leave_out='s/ s[np]at_[^ ]*//g'
	round "$2" "$3" "$4" | sed "$leave_out" |
		lab_in fw1 "$B/tools/ctset" "$1"
}

# Reads a table or a cache; prints those with this mark, each as its protocol,
# what is known of its state, and its addresses and ports, sorted.
marked() { # MARK
	awk -v mark="mark=$1" '{
		text = $1
		has_mark = n = 0
		for (i = 2; i <= NF; i++) {
			if ($i == mark)
				has_mark = 1
			if ($i ~ /^src=/)
				n++
			if ($i ~ /^[A-Z_]+$/ || $i ~ /^\[(ASSURED|UNREPLIED)\]$/ ||
			    (n == 1 && $i ~ /^(src|dst|sport|dport|type|code|id)=/))
				text = text " " $i
		}
		if (has_mark)
			print text
	}' | sort -u
}

# What the backup knows.
at_backup() {
	if has_external; then
		external fw2
	else
		kernel fw2
	fi
}

# The backup has of a round what the primary's kernel has: all of them.
backup_has() { # MARK
	kernel fw1 | marked "$1" >"$D/want"
	at_backup | marked "$1" >"$D/got"
	[ "$(wc -l <"$D/want")" -eq $flows_of_round ] &&
		same_lines "$D/want" "$D/got" >"$D/differ"
}

backup_has_none() { # MARK
	at_backup | marked "$1" >"$D/got"
	[ ! -s "$D/got" ]
}

backup_has_line() { # PATTERN
	at_backup | grep -Eq "$1"
}

# Waits for a condition at the backup, and says what it has if it does not come.
backup_gets() { # CONDITION ARGUMENT...
	wait_until 15 "$@" && return
	echo "not at the backup: $*"
	cat "$D/differ" 2>/dev/null
	at_backup | head -n 30
	return 1
}

# Some versions of the program delete both families at once.
end_round() { # MARK
	local family

	for family in ipv4 ipv6; do
		lab_in fw1 conntrack -D -f $family -m "$1" >/dev/null 2>&1 || :
	done
	kernel fw1 | marked "$1" >"$D/left"
	[ ! -s "$D/left" ]
}

# ---- the two ----

nobody_was_confused() { # NODE...
	local node

	for node; do
		[ "$(network_stat "$node" 'Malformed messages')" -eq 0 ] || {
			ask "$node" -s network
			return 1
		}
	done
}

# As failover scripts do it, with what there is. A flush of the internal cache
# empties the kernel where there is no cache (PROTOCOL.md 7).
promote() {
	! has_external || ask fw2 -c
	lab_vip fw2
	if has_internal; then
		ask fw2 -f
		ask fw2 -R
	fi
	! can_ask || ask fw2 -B
}

# The table that a primary leaves is that of its successor, translations too.
kernel_of() { # NODE
	kernel "$1" | grep "mark=$CHANGED\b" | tuples | uniq
}

start_cell() {
	matrix_conf fw1
	matrix_conf fw2
	start_daemon fw1 "$(binary_of "$of_fw1")"
	set_round add 1 $OLD 3
	start_daemon fw2 "$(binary_of "$of_fw2")"
	! can_ask || wait_until 15 have_met
}

cell() {
	local mode link family caches of_fw1 of_fw2

	parse_cell "$BATS_TEST_DESCRIPTION"
	case "$of_fw1 $of_fw2" in *ref*) need_reference ;; esac
	lab_names ctlab
	lab_up
	start_cell
	# before the backup was there
	! can_ask || ask fw2 -n
	backup_gets backup_has $OLD
	start_server
	start_stream tcp4 10.2.0.10
	start_stream tcp6 fd00:2::10
	# what is new, what changes, what ends
	set_round add 2 $NEW 3
	backup_gets backup_has $NEW
	set_round update 2 $CHANGED 5
	backup_gets backup_has $CHANGED
	end_round $OLD
	backup_gets backup_has_none $OLD
	backup_has $CHANGED
	for name in tcp4 tcp6; do
		backup_gets backup_has_line \
			"tcp .*ESTABLISHED .*sport=$(stream_port $name) .*ASSURED"
	done
	nobody_was_confused fw1 fw2

	kernel_of fw1 >"$D/primary"
	kill -9 "$pid_fw1"
	lab_cut fw1
	promote
	kernel_of fw2 >"$D/successor"
	[ "$(wc -l <"$D/successor")" -eq $flows_of_round ]
	same_lines "$D/primary" "$D/successor"
	for name in tcp4 tcp6; do
		wait_until 20 progressed $name $(($(progress $name) + 100))
		end_stream $name
	done
	nobody_was_confused fw2
}

full_cell() {
	full_only
	cell
}
