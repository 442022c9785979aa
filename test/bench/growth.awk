# growth.awk: draws what the topic backends has measured, from raw.tsv, as SVG: memory against the
# number of connections, on logarithmic axes
#
#   awk -f test/bench/growth.awk test/bench/results/raw.tsv >doc/growth.svg

BEGIN {
	FS = "\t"
	split("cold few big", variant, " ")
	colour["cold"] = "#888888"
	colour["few"] = "#1a7f37"
	colour["big"] = "#c0392b"
	label["cold"] = "no check made"
	label["few"] = "few: a thousand workspaces checked"
	label["big"] = "big: a thousand workspaces checked"
}

$2 ~ /^backends_/ {
	number = substr($2, 10) + 0
	for (n = 1; n <= points[$3] && x[$3, n] != number; n++)
		continue
	if (n > points[$3])
		points[$3] = n
	x[$3, n] = number
	sum[$3, n] += $5 / 1048576
	rounds[$3, n]++
}

END {
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"400\" font-family=\"sans-serif\" font-size=\"12\">"
	print "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
	text(70, 24, "start", "#222222", "Private memory of idle connections, in sum, in MB")
	for (i = 10; i <= 1000; i *= 10) {
		line(across(i), 50, across(i), 340, "#dddddd")
		line(70, up(i), 600, up(i), "#dddddd")
		text(across(i), 358, "middle", "#444444", i)
		text(62, up(i) + 4, "end", "#444444", i)
	}
	text(335, 384, "middle", "#444444", "connections")
	for (v = 1; v <= 3; v++) {
		name = variant[v]
		for (n = 1; n <= points[name]; n++) {
			printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", across(x[name, n]), up(mean(name, n)), colour[name]
			if (n > 1)
				line(across(x[name, n - 1]), up(mean(name, n - 1)), across(x[name, n]), up(mean(name, n)), colour[name])
		}
		text(90, 60 + 18 * v, "start", colour[name], label[name])
	}
	print "</svg>"
}

function mean(name, n) {
	return sum[name, n] / rounds[name, n]
}

function across(value) {
	return 70 + 265 * log(value / 10) / log(10)
}

function up(value) {
	return 340 - 145 * log(value / 10) / log(10)
}

function line(x1, y1, x2, y2, stroke) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, stroke
}

function text(x, y, anchor, fill, words) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", x, y, anchor, fill, words
}
