# plot.awk: draws summary.tsv as SVG
#
# One line for each target: the ratio as a dot with its range, the target as a bar, the
# alternatives as their letters, on a logarithmic scale on which left is better. Ratios for which
# more is better are drawn inverted.

BEGIN {
	FS = "\t"
	split("raw a b c d e f", others, " ")
	left = 400
	width = 760
	step = 22
	top = 70
	low = 0.05
	high = 20000
}

$5 > 0 {
	n++
	name[n] = $1 "   " $3
	upward = $4 == ">="
	target[n] = upward ? 1 / $5 : $5
	middle[n] = upward ? inverse($6) : $6
	from[n] = upward ? inverse($8) : $7
	to[n] = upward ? inverse($7) : $8
	verdict[n] = $9
	for (i = 1; i <= 7; i++)
		if ($(9 + i) != "")
			other[n, i] = upward ? inverse($(9 + i)) : $(9 + i)
}

END {
	bottom = top + n * step
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" ", left + width + 40, bottom + 60
	print "font-family=\"sans-serif\" font-size=\"12\">"
	print "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
	print text(20, 24, "start", "#222222", "cnap_can_access: time relative to each measure's reference, left is better")
	print text(20, 44, "start", "#666666", "green: target met; red: missed; bar: target; letters: alternatives; r: raw")
	for (x = 0.1; x <= high; x *= 10) {
		printf "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"%s\"/>\n", at(x), top - 8, at(x), bottom,
			x == 1 ? "#888888" : "#e0e0e0"
		print text(at(x), bottom + 18, "middle", "#666666", x)
	}
	for (k = 1; k <= n; k++) {
		y = top + (k - 0.5) * step
		colour = verdict[k] == "ok" ? "#1a7f37" : "#c62828"
		print text(left - 12, y + 4, "end", "#222222", name[k])
		for (i = 1; i <= 7; i++)
			if ((k, i) in other)
				print text(at(other[k, i]), y + 4, "middle", "#7a7a7a", substr(others[i], 1, 1))
		print stroke(at(target[k]), y - 8, at(target[k]), y + 8, "#1f4e9c", 2)
		print stroke(at(from[k]), y, at(to[k]), y, colour, 2)
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\"/>\n", at(middle[k]), y, colour
	}
	print "</svg>"
}

function inverse(x) {
	return x > 0 ? 1 / x : high
}

function at(x) {
	x = x < low ? low : x > high ? high : x
	return left + width * log(x / low) / log(high / low)
}

function stroke(x1, y1, x2, y2, colour, thick) {
	return sprintf("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%d\"/>",
		x1, y1, x2, y2, colour, thick)
}

function text(x, y, anchor, colour, what) {
	gsub(/&/, "\\&amp;", what)
	gsub(/</, "\\&lt;", what)
	return sprintf("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>", x, y, anchor, colour, what)
}
