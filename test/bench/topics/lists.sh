# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# lists.sh: pages of 50 rows, and all rows, of lists of ten thousand, against the joins written by hand

lists=(workspaces workspace_members organization_members organization_workspaces)

lists_measures() {
	local name
	for name in "${lists[@]}"; do
		echo lists_{page,later,whole}_"$name"
	done
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
	local part=${2#lists_} query user db
	db=$(database "$1_more")
	query=$(sql "$db" -c "SELECT bench.list_query('${part%%_*}', '${part#*_}', '$3')")
	user=$(sql "$db" -c "SELECT user_id FROM bench.listing WHERE name = '${part#*_}'")
	[ "$3" = cnap ] || user=
	PGOPTIONS="-c cnap.user_id=$user" timed "$1_more" superuser "SELECT * FROM bench.time_query(
		\$q\$SELECT count(l) FROM ($query) l\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)"
}

lists_targets() {
	local name
	for name in "${lists[@]}"; do
		printf 'lists_page_%s\tcnap_%s(), first 50 of 10 thousand\tcnap\thand\t<=\t2\tus\n' "$name" "$name"
		printf 'lists_later_%s\tcnap_%s(), 50 in the middle of 10 thousand\tcnap\thand\t<=\t2\tus\n' "$name" "$name"
		printf 'lists_whole_%s\tcnap_%s(), 10 thousand\tcnap\thand\t<=\t2\tus\n' "$name" "$name"
	done
}
