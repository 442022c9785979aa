# access.awk: draws who reaches a workspace, and why, as SVG
#
# Reads rows of user, role, way in and the name of the organization, separated by "|"; there is none
# for a direct way in. Before them come rows of "organization", user and role in it. The variable
# "workspace" has the workspace's name. test/tap/readme.pl draws doc/access.svg.

BEGIN {
	FS = "|"
	width = 760
	row = 58
	top = 44
}

$1 == "organization" {
	role_of[$2] = $3
	next
}

{
	n++
	user[n] = $1
	role[n] = $2
	organization[n] = $4
	at[n] = top + (n - 1) * row
	if ($4 != "") {
		managers++
		sum += at[n]
		name = $4
		granted = $2
	}
}

END {
	height = 2 * top + (n - 1) * row
	middle = top + (n - 1) * row / 2
	managing = managers ? sum / managers : 0
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" ", width, height, width, height
	print "font-family=\"sans-serif\" font-size=\"14\" role=\"img\" aria-label=\"Who reaches the workspace, and why\">"
	print "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>"
	for (i = 1; i <= n; i++) {
		if (organization[i] == "")
			edge(118, at[i], 560, middle, role[i], 330, -1, "#1f6f43")
		else
			edge(118, at[i], 300, managing, role_of[user[i]], 206, -1, "#1d4f91")
	}
	if (managers) {
		edge(420, managing, 560, middle, "managed_by, " granted, 500, 1, "#1d4f91")
		box(300, managing, 120, "organization", name, "#e3ecf8", "#1d4f91")
	}
	for (i = 1; i <= n; i++)
		box(18, at[i], 100, "user", user[i], "#f4f4f4", "#555555")
	box(560, middle, 170, "workspace, and its rows", workspace, "#e2f3e8", "#1f6f43")
	print "</svg>"
}

# A line from one place to another, with its label at x, above (-1) or below (1)
function edge(x1, y1, x2, y2, label, x, side, colour,    slope, y) {
	slope = (y2 - y1) / (x2 - x1)
	y = y1 + slope * (x - x1) + side * ((slope < 0 ? -slope : slope) * length(label) * 3 + 6)
	if (side > 0)
		y += 9
	printf "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"2\"/>\n", x1, y1, x2, y2, colour
	printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"12\" fill=\"%s\" ", x, y, colour
	printf "stroke=\"#ffffff\" stroke-width=\"4\" paint-order=\"stroke\">%s</text>\n", escaped(label)
}

# A box around y, with a word that says what it is above its name
function box(x, y, w, kind, label, fill, colour) {
	printf "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"44\" rx=\"6\" fill=\"%s\" stroke=\"%s\"/>\n", x, y - 22, w, fill, colour
	printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-size=\"11\" fill=\"#555555\">%s</text>\n", x + w / 2, y - 6, kind
	printf "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\" font-weight=\"bold\" fill=\"#222222\">%s</text>\n", x + w / 2, y + 13, escaped(label)
}

function escaped(s) {
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	return s
}
