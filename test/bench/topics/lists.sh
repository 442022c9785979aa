# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# lists.sh: the first 50 rows, and all rows, of lists of ten thousand, against the joins written by hand

lists_measures() {
	echo lists_{page,whole}_{workspaces,workspace_members,organization_members}
}

lists_data() {
	make_copy "$1" more
	make_step "$1_more" topics/lists "$(extension_input)"
	make_harness "$1_more"
}

lists_variants() {
	echo cnap hand
}

# lists_sample SCALE MEASURE VARIANT ROUND
lists_sample() {
	local name=${2#lists_*_} limit='' query user db
	db=$(database "$1_more")
	[[ $2 = lists_whole_* ]] || limit='LIMIT 50'
	query=$(sql "$db" -c "SELECT $3 FROM bench.listing WHERE name = '$name'")
	user=$(sql "$db" -c "SELECT user_id FROM bench.listing WHERE name = '$name'")
	[ "$3" = cnap ] || user=
	PGOPTIONS="-c cnap.user_id=$user" timed "$1_more" superuser "SELECT * FROM bench.time_query(
		\$q\$SELECT count(l) FROM ($query $limit) l\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)"
}

lists_targets() {
	local name
	for name in workspaces workspace_members organization_members; do
		printf 'lists_page_%s\tcnap_%s(), first 50 of 10 thousand\tcnap\thand\t<=\t2\tus\n' "$name" "$name"
		printf 'lists_whole_%s\tcnap_%s(), 10 thousand\tcnap\thand\t<=\t2\tus\n' "$name" "$name"
	done
}
