# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# given.sh: workspaces that strangers gave to a vendor, against the same queries of a manager whose vendor
# has got none, and against literal conditions

given_measures() {
	echo given_{count,newest,search,row}_{5000,20000}
}

given_data() {
	make_copy "$1" more
	make_step "$1_more" topics/given "$(extension_input)"
	make_harness "$1_more"
}

given_variants() {
	echo before after raw
}

# given_sample SCALE MEASURE VARIANT ROUND
given_sample() {
	local measure=${2#given_} query user=given-${2##*_} role=server
	case ${measure%_*} in
		count) query='SELECT count(title) FROM app.given {raw}' ;;
		newest)
			query='SELECT sum(id) FROM
				(SELECT id, title FROM app.given {raw} ORDER BY id DESC LIMIT 50) page'
			;;
		search) query='SELECT sum(id) FROM (SELECT * FROM app.given {raw}) g WHERE title LIKE $$%77%$$' ;;
		row) query='SELECT count(title) FROM (SELECT * FROM app.given {raw}) g WHERE id = 2000000' ;;
	esac
	case $3 in
		before) user=given-0 ;;
		raw) role=bypass ;;
	esac
	[ "$3" = raw ] || query=${query/'{raw}'/}
	timed "$1_more" "$role" "
		SET $([ "$role" = bypass ] && echo bench || echo cnap).user_id = '$user';
		SELECT * FROM bench.time_query(\$q\$$query\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)" | sed 's/|.*/|/'
}

given_targets() {
	local number query
	for number in 5000 20000; do
		for query in count newest search row; do
			printf 'given_%s_%s\t%s thousand workspaces given: %s\tafter\traw\t<=\t1.2\tus\n' \
				"$query" "$number" "$((number / 1000))" "$query"
			printf 'given_%s_%s\t  against before\tafter\tbefore\t<=\t0\tus\n' "$query" "$number"
		done
	done
}
