# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# beside.sh: our policy beside a permissive one of the application's own, against that one alone; and the
# estimate of the rows of a column that is correlated with the workspace

beside_measures() {
	echo beside_{plain,fallback}_{count,newest,search}_{few,big,half} beside_estimate_{few,half}
}

beside_data() {
	make_copy "$1" more
	make_step "$1_more" topics/beside "$(extension_input)"
	make_harness "$1_more"
}

beside_variants() {
	case $1 in
		beside_estimate_*) echo exact estimate raw ;;
		*) echo alone both ;;
	esac
}

# beside_sample SCALE MEASURE VARIANT ROUND
beside_sample() {
	local policy name user author query table
	IFS=_ read -r _ policy name user <<<"$2"
	if [ "$policy" = estimate ]; then
		estimate_sample "$1" "$name" "$3"
		return
	fi
	author=$(case $user in few) echo 2 ;; big) echo 10 ;; half) echo 1 ;; esac)
	table=app.authored_${policy}_$3
	case $name in
		count) query="SELECT count(title) FROM $table" ;;
		newest) query="SELECT sum(id) FROM (SELECT id, title FROM $table ORDER BY id DESC LIMIT 50) page" ;;
		search) query="SELECT sum(id) FROM $table WHERE title LIKE \$\$%77%\$\$" ;;
	esac
	timed "$1_more" "$user" "SET app.author = $author;
		SELECT * FROM bench.time_query(\$q\$$query\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)"
}

# estimate_sample SCALE USER VARIANT: the factor by which the estimate is wrong
estimate_sample() {
	local application=500 role=$2 query
	[ "$2" = few ] || application=$(sql "$(database "$1_more")" -c "SELECT min(application_id)
		FROM app.application_row WHERE application_id > 0 AND workspace_id = ANY (
			SELECT bench.workspace(n) FROM generate_series(10001, 12000) n)")
	query="SELECT * FROM app.application_row WHERE application_id = $application"
	case $3 in
		exact)
			echo '1000|'
			return
			;;
		raw)
			role=bypass
			query+=" AND workspace_id = ANY ('$(sql "$(database "$1_more")" -c "SELECT workspaces
				FROM bench.granted WHERE user_id = '${2/few/few-1}'")')"
			;;
	esac
	timed "$1_more" "$role" "SELECT bench.misestimate(\$q\$$query\$q\$), ''"
}

beside_targets() {
	local user policy name
	for user in few big half; do
		for policy in plain fallback; do
			for name in count newest search; do
				printf 'beside_%s_%s_%s\tbeside a policy (%s), %s, %s\tboth\talone\t<=\t1.1\tus\n' \
					"$policy" "$name" "$user" "$policy" "$name" "$user"
			done
		done
	done
	for user in few half; do
		printf 'beside_estimate_%s\testimate for a correlated column, %s\testimate\texact\t<=\t5\tcount\n' "$user" "$user"
		printf 'beside_estimate_%s\t  of a literal condition\traw\texact\t<=\t0\tcount\n' "$user"
	done
}
