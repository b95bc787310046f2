# SPDX-License-Identifier: ISC
# longest.awk FILE...: lines of each function, `LINES FILE NAME`.
FNR == 1 { name = "" }
/^[a-z].*\(/ && !/;$/ {
	name = $0
	sub(/\(.*/, "", name)
	sub(/.*[ *]/, "", name)
}
/^{/ { start = FNR }
/^}/ && name != "" && start {
	print FNR - start + 1, FILENAME, name
	name = ""
	start = 0
}
