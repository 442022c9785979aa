# report.awk: prints the table from targets.tsv and raw.tsv, and writes summary.tsv for plot.awk
#
# Variables: summary, the name of that file. Tabs separate the columns of all of them.

BEGIN {
	FS = "\t"
	printf "" >summary
	split("raw a b c d e f", others, " ")
	print "Ratios: less is better, but for those with >=. The columns a to f and raw hold the ratio to"
	print "the same reference: (a) SQL function, (b) the same as SECURITY DEFINER, (c) PL/pgSQL with early"
	print "exit, (d) three EXISTS, (e) IN (SELECT), (f) = ANY (ARRAY (SELECT function())), (raw) no"
	print "row-level security and a literal array. One starting with > was given up; ! marks a miss."
	print ""
	printf "%-5s %-48s %10s %10s  %-24s %-7s %-4s", "scale", "measure", "reference", "measured",
		"ratio (range)", "target", ""
	for (i = 1; i <= 7; i++)
		printf " %8s", others[i]
	print ""
}

FILENAME == ARGV[1] {
	if ($0 !~ /^#/)
		line[++lines] = $0
	next
}

{
	key = $1 SUBSEP $2 SUBSEP $3
	value[key, $4] = $5
	if ($4 > rounds[key])
		rounds[key] = $4
	if ($6 == "over")
		over[key] = 1
	if (!($1 in seen)) {
		seen[$1] = 1
		scale[++scales] = $1
	}
}

END {
	for (s = 1; s <= scales; s++)
		for (l = 1; l <= lines; l++)
			table_line(scale[s], line[l])
	printf "\n%d targets, %d met, %d missed\n", met + missed, met, missed
}

function table_line(scale, definition,    f, r, n, ratio, best, reference, mid, target, verdict, i, k) {
	split(definition, f, "\t")
	reference = fastest(scale, f[1], f[4])
	if (median_of(scale, f[1], f[3]) == "" || (f[4] != "" && reference == ""))
		return
	if (f[4] == "") {
		printf "%-5s %-48s %10s %10s\n", scale, f[2], "", human(median_of(scale, f[1], f[3]), f[7])
		return
	}
	n = 0
	for (r = 1; r <= 1000; r++)
		if (at(scale, f[1], f[3], r) != "" && at(scale, f[1], reference, r) > 0)
			ratio[++n] = quotient(at(scale, f[1], f[3], r), at(scale, f[1], reference, r), f[5])
	if (n == 0)
		ratio[++n] = quotient(median_of(scale, f[1], f[3]), median_of(scale, f[1], reference), f[5])
	sort(ratio, n)
	mid = median(ratio, n)
	target = verdict = ""
	if (f[6] > 0) {
		target = f[5] " " f[6]
		if (f[5] == ">=" ? mid >= f[6] : mid <= f[6]) {
			verdict = "ok"
			met++
		} else {
			verdict = "!"
			missed++
		}
	}
	printf "%-5s %-48s %10s %10s  %-24s %-7s %-4s", scale, f[2],
		human(median_of(scale, f[1], reference), f[7]),
		mark(scale, f[1], f[3], "<=") human(median_of(scale, f[1], f[3]), f[7]),
		mark(scale, f[1], f[3], f[5]) short(mid) (n > 1 ? " (" short(ratio[1]) " to " short(ratio[n]) ")" : ""), target, verdict
	printf "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", scale, f[1], f[2], f[5], f[6], mid, ratio[1],
		ratio[n], verdict >summary
	for (i = 1; i <= 7; i++) {
		k = ""
		if (median_of(scale, f[1], others[i]) != "" && reference !~ /-/)
			k = quotient(median_of(scale, f[1], others[i]), median_of(scale, f[1], reference), f[5])
		printf " %8s", k == "" ? "" : mark(scale, f[1], others[i], f[5]) short(k)
		printf "\t%s", k >summary
	}
	print ""
	print "" >summary
}

function quotient(a, b, sense) {
	return sense == ">=" ? b / a : a / b
}

function mark(scale, measure, variant, sense) {
	if (!((scale, measure, variant) in over))
		return ""
	return sense == ">=" ? "<" : ">"
}

# The value of a round. "x-y" is a difference.
function at(scale, measure, variant, round,    part, x, y) {
	if (split(variant, part, "-") == 2) {
		x = at(scale, measure, part[1], round)
		y = at(scale, measure, part[2], round)
		return x == "" || y == "" ? "" : x - y
	}
	if (!((scale SUBSEP measure SUBSEP variant, round) in value))
		return ""
	return value[scale SUBSEP measure SUBSEP variant, round]
}

function median_of(scale, measure, variant,    r, n, all) {
	n = 0
	for (r = 1; r <= 1000; r++)
		if (at(scale, measure, variant, r) != "")
			all[++n] = at(scale, measure, variant, r)
	if (n == 0)
		return ""
	sort(all, n)
	return median(all, n)
}

function fastest(scale, measure, names,    i, n, name, m, best, least) {
	n = split(names, name, ",")
	best = ""
	for (i = 1; i <= n; i++) {
		m = median_of(scale, measure, name[i])
		if (m != "" && (best == "" || m + 0 < least)) {
			best = name[i]
			least = m + 0
		}
	}
	return best
}

function median(sorted, n) {
	return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

function sort(array, n,    i, j, x) {
	for (i = 2; i <= n; i++) {
		x = array[i]
		for (j = i - 1; j >= 1 && array[j] + 0 > x + 0; j--)
			array[j + 1] = array[j]
		array[j + 1] = x
	}
}

function short(x) {
	return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x)
}

function human(x, unit) {
	if (unit == "count")
		return sprintf("%d", x)
	if (unit == "bytes")
		return sprintf("%.2f MB", x / 1048576)
	if (x >= 1e6)
		return sprintf("%.2f s", x / 1e6)
	if (x >= 1e3)
		return sprintf("%.2f ms", x / 1e3)
	return x >= 1 ? sprintf("%.2f us", x) : sprintf("%.1f ns", x * 1e3)
}
