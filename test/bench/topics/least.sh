# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# least.sh: what the ways of giving less cost: as many roles and permissions as there can be, management
# for those who are assigned or have activated it, and tokens limited to a thousand workspaces; each
# against the same model without. At scale S alone

least_queries=(count_few count_big page_few page_big scan_big list_few list_big)

least_measures() {
	[ "$1" = S ] || return 0
	echo least_{cold,warm} "${least_queries[@]/#/least_}" least_token_{cold,warm,count,page,scan,list}
}

least_data() {
	local input copy
	input=$(extension_input)
	make_step "$1" topics/least "$input"
	make_copy "$1" roles
	make_step "$1_roles" topics/least_roles "$input"
	make_copy "$1" managers
	make_load "$1_managers" mixed
	for copy in "$1_roles" "$1_managers"; do
		make_harness "$copy"
		use_policy "$copy" cnap
	done
}

least_variants() {
	case $1 in
		least_token_*) echo whole limited ;;
		*) echo none roles managers ;;
	esac
}

# least_sample SCALE MEASURE VARIANT ROUND
least_sample() {
	local scale=$1 measure=${2#least_} user
	use_policy "$1" cnap
	if [[ $measure = token_* ]]; then
		time_token "$1" "$3" "${measure#token_}"
		return
	fi
	[ "$3" = none ] || scale=$1_$3
	user=${measure#*_}
	case $measure in
		cold) time_cold "$scale" cnap "$4" ;;
		warm) time_warm "$scale" cnap ;;
		*) timed "$scale" "$user" "$(least_statement "${measure%_*}")" ;;
	esac
}

# least_statement NAME: prints the statement that measures it for the user of the session
least_statement() {
	local query
	case $1 in
		count) query='SELECT count(*) FROM app.item' ;;
		page) query=${page/'{raw}'/} ;;
		scan)
			echo 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;'
			query='SELECT count(*) FROM app.item'
			;;
		list) query='SELECT cardinality(cnap_accessible_workspaces())' ;;
		warm) query='SELECT count(*) FROM bench.asked_often WHERE cnap_can_access(workspace_id)' ;;
		cold)
			echo "SELECT FROM bench.time_once('SELECT cnap_can_access(bench.workspace(12001))') OFFSET 1;
				SELECT * FROM bench.time_once('SELECT count(*) FROM bench.asked WHERE cnap_can_access(workspace_id)')"
			return
			;;
	esac
	echo "SELECT * FROM bench.time_query(\$q\$$query\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)"
}

# time_token SCALE VARIANT WHAT: in a session that the user "tenth" has signed in by a token
time_token() {
	timed "$1" app "SELECT FROM bench.token, cnap_authenticate(token, false) WHERE name = '$2' OFFSET 1;
		$(least_statement "$3")"
}

least_targets() {
	local measure label
	for measure in cold warm "${least_queries[@]}"; do
		case $measure in
			cold) label='check inside, never seen' ;;
			warm) label='check inside, warm' ;;
			scan_*) label="forced seq scan, ${measure#*_}" ;;
			list_*) label="list of workspaces, ${measure#*_}" ;;
			count_*) label="count(*), ${measure#*_}" ;;
			page_*) label="newest 50 rows, ${measure#*_}" ;;
		esac
		printf 'least_%s\t%s: 200 roles, 64 permissions\troles\tnone\t<=\t1.2\tus\n' "$measure" "$label"
		printf 'least_%s\t%s: assigned, activated\tmanagers\tnone\t<=\t1.2\tus\n' "$measure" "$label"
	done
	for measure in cold warm count page scan list; do
		printf 'least_token_%s\ttoken of a thousand workspaces: %s\tlimited\twhole\t<=\t1.2\tus\n' \
			"$measure" "$measure"
	done
}
