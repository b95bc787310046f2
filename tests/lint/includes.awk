# SPDX-License-Identifier: ISC
#
# includes.awk -v check=layers|cycles FILE...: run in src/. Prints one line for
# each include that breaks the rule; exit 1 if any.
#
# layers: a folder includes its own files and those of lower levels, never a
# sister, never upwards; quoted includes are spelled from src/.
# cycles: no file includes itself through others.

BEGIN {
	level["base"] = 0
	level["netlink"] = level["cache"] = 1
	level["sync"] = 2
	level["conf"] = level["cli"] = 3
	level[""] = 4
}

function folder(file) {
	return file ~ /\// ? substr(file, 1, index(file, "/") - 1) : ""
}

function report(text) {
	print "src/" text
	bad = 1
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	to = part[2]
	from = FILENAME
	n = ++n_includes[from]
	includes[from, n] = to
	if (check != "layers")
		next
	a = folder(from)
	b = folder(to)
	if (!(a in level))
		report(from ": a folder that has no level")
	else if (!(b in level) || to ~ /\.\./)
		report(from ":" FNR ": \"" to "\" is not spelled from src/")
	else if (a != b && level[b] >= level[a])
		report(from ":" FNR ": " (a == "" ? "src" : a) \
			" may not include " to)
}

# Depth first; path is the chain of files that led here.
function visit(file, path,    i, to) {
	if (state[file] == 2)
		return
	if (state[file] == 1) {
		report("include cycle: " path " -> " file)
		return
	}
	state[file] = 1
	for (i = 1; i <= n_includes[file]; i++) {
		to = includes[file, i]
		visit(to, path " -> " file)
	}
	state[file] = 2
}

END {
	if (check == "cycles")
		for (file in n_includes)
			visit(file, "")
	exit bad
}
