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
	local measure=${2#given_} query user=given-${2##*_}
	case ${measure%_*} in
		count) query='SELECT count(title) FROM app.given {raw}' ;;
		newest)
			query='SELECT sum(id) FROM
				(SELECT id, title FROM app.given {raw} ORDER BY id DESC LIMIT 50) page'
			;;
		search) query='SELECT sum(id) FROM (SELECT * FROM app.given {raw}) g WHERE title LIKE $$%77%$$' ;;
		row) query='SELECT count(title) FROM (SELECT * FROM app.given {raw}) g WHERE id = 2000000' ;;
	esac
	[ "$3" != before ] || user=given-0
	time_query_as "$1_more" "$3" "$user" "$query"
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
