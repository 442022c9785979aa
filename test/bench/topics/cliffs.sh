# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# cliffs.sh: users with more and more workspaces, few and many rows, against literal conditions, and against
# the next smaller number

cliffs_measures() {
	echo cliffs_{thin,thick}_{count,newest,half,after}_{200,300,3000,30000}
}

cliffs_data() {
	make_copy "$1" more
	make_step "$1_more" topics/cliffs "$(extension_input)"
	make_harness "$1_more"
}

cliffs_variants() {
	echo fewer cnap raw
}

# cliffs_sample SCALE MEASURE VARIANT ROUND
cliffs_sample() {
	local kind name number query
	IFS=_ read -r _ kind name number <<<"$2"
	case $name in
		count) query='SELECT count(title) FROM app.cliff {raw}' ;;
		newest)
			query='SELECT sum(id) FROM
				(SELECT id, title FROM app.cliff {raw} ORDER BY created_at DESC LIMIT 50) page'
			;;
		half)
			query='SELECT sum(id) FROM (SELECT id, title FROM app.cliff {raw}
				ORDER BY created_at DESC LIMIT 50 OFFSET 200) page'
			;;
		after)
			query="SELECT sum(id) FROM (SELECT id, title FROM (SELECT * FROM app.cliff {raw}) c
				WHERE created_at < '2024-01-06' ORDER BY created_at DESC LIMIT 50) page"
			;;
	esac
	if [ "$3" = fewer ]; then
		case $number in
			300) number=200 ;;
			3000) number=300 ;;
			30000) number=3000 ;;
		esac
	fi
	time_query_as "$1_more" "$3" "$kind-$number" "$query"
}

cliffs_targets() {
	local kind name number measure target
	for kind in thin thick; do
		for name in count newest half after; do
			for number in 200 300 3000 30000; do
				measure=cliffs_${kind}_${name}_$number
				printf '%s\t%s %s, %s\tcnap\traw\t<=\t1.5\tus\n' "$measure" "$number" "$kind" "$name"
				target=0
				case $number in
					200) continue ;;
					300) target=1.5 ;;
				esac
				printf '%s\t  against the next smaller number\tcnap\tfewer\t<=\t%s\tus\n' "$measure" "$target"
			done
		done
	done
}
