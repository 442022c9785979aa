# growth.awk: draws what the topics growth and backends have measured, from raw.tsv, as SVG: time against the
# size of what is asked about, and memory against connections and users, on logarithmic axes
#
#   awk -f test/bench/growth.awk test/bench/results/raw.tsv >doc/growth.svg

BEGIN {
	FS = "\t"
	series("growth_workspaces", "a list of N workspaces, not loaded yet", "#c0392b", 1)
	series("growth_removal", "removing one of N members", "#8e44ad", 1)
	series("growth_rows", "newest 50 of N rows", "#1f6feb", 1)
	series("growth_members", "check never seen, one of N members", "#b7791f", 1)
	series("growth_warm", "check of a known pair, one of N", "#1a7f37", 1)
	series("backends_big", "N connections, checks made, big", "#c0392b", 2)
	series("backends_few", "N connections, checks made, few", "#1a7f37", 2)
	series("backends_cold", "N connections, no checks", "#888888", 2)
	series("growth_memory", "cache of one connection, N known pairs", "#1f6feb", 2)
}

function series(name, words, stroke, side) {
	known[++count] = name
	label[name] = words
	colour[name] = stroke
	panel[name] = side
}

$2 ~ /^(growth|backends)_/ {
	number = $2
	sub(/.*_/, "", number)
	name = $2 ~ /^backends/ ? "backends_" $3 : substr($2, 1, length($2) - length(number) - 1)
	for (n = 1; n <= points[name] && x[name, n] != number; n++)
		continue
	if (n > points[name])
		points[name] = n
	x[name, n] = number + 0
	sum[name, n] += panel[name] == 1 ? $5 : $5 / 1048576
	rounds[name, n]++
}

END {
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"960\" height=\"420\" font-family=\"sans-serif\" font-size=\"12\">"
	print "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
	axes(1, "processor time", -2, 6)
	axes(2, "memory in MB", -2, 4)
	for (i = 1; i <= count; i++)
		draw(known[i], ++entries[panel[known[i]]])
	print "</svg>"
}

# axes(SIDE, TITLE, FROM, TO): from and to are powers of ten
function axes(side, title, from, to,    i) {
	bottom[side] = from
	height[side] = 320 / (to - from)
	text(left(side), 20, "start", "#222222", title)
	for (i = 1; i <= 6; i++) {
		line(across(side, 10 ^ i), 60, across(side, 10 ^ i), 380, "#dddddd")
		text(across(side, 10 ^ i), 396, "middle", "#444444", i < 3 ? 10 ^ i : i < 6 ? 10 ^ (i - 3) "k" : "1M")
	}
	for (i = from; i <= to; i++) {
		line(left(side), up(side, 10 ^ i), left(side) + 400, up(side, 10 ^ i), "#dddddd")
		text(left(side) - 6, up(side, 10 ^ i) + 4, "end", "#444444",
			side == 2 ? 10 ^ i : i < 0 ? 10 ^ (i + 3) " ns" : i < 3 ? 10 ^ i " µs" : i < 6 ? 10 ^ (i - 3) " ms" : "1 s")
	}
	text(left(side) + 200, 414, "middle", "#444444", "N")
}

function draw(name, place,    side, n) {
	side = panel[name]
	for (n = 1; n <= points[name]; n++) {
		printf "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
			across(side, x[name, n]), up(side, mean(name, n)), colour[name]
		if (n > 1)
			line(across(side, x[name, n - 1]), up(side, mean(name, n - 1)), across(side, x[name, n]),
				up(side, mean(name, n)), colour[name])
	}
	if (points[name])
		text(left(side) + (side == 1 ? 12 : 170), 58 + 16 * place, "start", colour[name], label[name])
}

function mean(name, n) {
	return sum[name, n] / rounds[name, n]
}

function left(side) {
	return side == 1 ? 60 : 540
}

function across(side, value) {
	return left(side) + 80 * (log(value) / log(10) - 1)
}

function up(side, value) {
	return 380 - height[side] * (log(value) / log(10) - bottom[side])
}

function line(x1, y1, x2, y2, stroke) {
	printf "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, stroke
}

function text(x, y, anchor, fill, words) {
	printf "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"%s\">%s</text>\n", x, y, anchor, fill, words
}
