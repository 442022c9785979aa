# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# queries.sh: some 30 queries of an application, against literal conditions on each table

queries_measures() {
	local query user users=(few big)
	[ "$1" != XL ] || users+=(huge)
	sed -n "s/^\t('\([a-z0-9_]*\)', .*/\1/p" "$here/topics/queries.sql" |
		while read -r query; do
			printf "queries_${query}_%s\n" "${users[@]}"
		done
}

queries_variants() {
	echo raw cnap
}

# queries_sample SCALE MEASURE VARIANT ROUND
queries_sample() {
	local name=${2#queries_} user=${2##*_} role literals=NULL
	name=${name%_*}
	role=$user
	if [ "$3" = raw ]; then
		role=bypass
		literals="'${user/few/few-1}'"
	fi
	timed "$1" "$role" "SELECT * FROM bench.time_query(
		bench.written('$name', $literals), $BENCH_BUDGET, $BENCH_PATIENCE)"
}

queries_targets() {
	local measure label
	queries_measures XL | while read -r measure; do
		label=${measure#queries_}
		printf '%s\tquery %s, %s\tcnap\traw\t<=\t1.3\tus\n' "$measure" "${label%_*}" "${label##*_}"
	done
}
