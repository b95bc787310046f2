# SPDX-License-Identifier: ISC
#
# calls.awk: from lines `def FILE SYMBOL` and, after them, `use FILE SYMBOL`
# finds the files of one folder that call each other in a circle. Prints one
# line a circle with the functions that close it; exit 1 if any. Each call that
# is part of a circle is in one of the lines: the shortest it is part of.

function folder(file) {
	return file ~ /\// ? substr(file, 1, index(file, "/") - 1) : ""
}

$1 == "def" {
	home[$3] = $2
}

$1 == "use" && ($3 in home) {
	n_uses++
	from = $2
	to = home[$3]
	if (from == to || folder(from) != folder(to))
		next
	if (!((from, to) in by)) {
		n[from]++
		callee[from, n[from]] = to
		by[from, to] = $3
	} else if (index(" " by[from, to] " ", " " $3 " ") == 0) {
		by[from, to] = by[from, to] " " $3
	}
}

# The shortest way back from `to` to `from`, breadth first: "" if there is none,
# otherwise files divided by blanks, `to` first.
function way_back(from, to,    queue, head, tail, came, at, next_file, i, way) {
	queue[1] = to
	came[to] = to
	tail = 1
	for (head = 1; head <= tail; head++) {
		at = queue[head]
		for (i = 1; i <= n[at]; i++) {
			next_file = callee[at, i]
			if (next_file in came)
				continue
			came[next_file] = at
			queue[++tail] = next_file
		}
	}
	if (!(from in came))
		return ""
	way = from
	for (at = from; at != to; at = came[at])
		way = came[at] " " way
	return way
}

# One circle is met once for each of its files: told beginning with the first of
# them in the alphabet.
function report(from, way,    file, count, first, i, line, at, following) {
	count = split(from " " way, file, " ") - 1
	first = 1
	for (i = 2; i <= count; i++)
		if (file[i] < file[first])
			first = i
	line = "src/" file[first] ".c"
	for (i = 0; i < count; i++) {
		at = file[(first - 1 + i) % count + 1]
		following = file[(first + i) % count + 1]
		line = line " -> " following ".c (" by[at, following] ")"
	}
	if (!told[line]++)
		print line
}

END {
	if (!n_uses) {
		print "no calls found: is readelf as expected?"
		exit 1
	}
	for (from in n)
		for (k = 1; k <= n[from]; k++) {
			way = way_back(from, callee[from, k])
			if (way == "")
				continue
			report(from, way)
			bad = 1
		}
	exit bad
}
