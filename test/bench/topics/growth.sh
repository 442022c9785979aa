# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# growth.sh: what costs how much when the data grow from ten to a million: members of an organization,
# workspaces of a user, rows of a table, and users that one session has asked about; growth.awk draws it

growth_sizes=(10 100 1000 10000 100000 1000000)

growth_measures() {
	local number
	[ "$1" = S ] || return 0
	for number in "${growth_sizes[@]}"; do
		echo growth_{removal,workspaces}_"$number"
		[ "$number" = 10 ] || echo growth_{members,rows}_"$number"
		[ "$number" = 1000000 ] || echo growth_{warm,memory}_"$number"
	done
}

growth_data() {
	make_copy "$1" growth
	make_step "$1_growth" topics/growth "$(extension_input)"
	make_harness "$1_growth"
}

growth_variants() {
	echo cnap
}

# growth_sample SCALE MEASURE VARIANT ROUND: microseconds for one of what is measured; bytes of memory
growth_sample() {
	local what number query='' pairs
	IFS=_ read -r _ what number <<<"$2"
	# users of the organization of a million, of whom some have access
	pairs="SELECT 'growth-' || m AS user_id, md5('managed 1000000')::uuid AS workspace_id
		FROM generate_series(1, $number) m"
	case $what in
		# a hundred members whom the session did not know
		members)
			timed "$1_growth" server "SELECT FROM bench.time_once('SELECT cnap_can_access(''nobody'', bench.workspace(1))') OFFSET 1;
				SELECT microseconds / 100 || '|' FROM bench.time_once('SELECT count(*) FROM generate_series(1, 100) m
					WHERE cnap_can_access(''growth-'' || 1 + (m * 7919 + $4) % $number, md5(''managed $number'')::uuid)')"
			;;
		# five members, one after the other
		removal)
			timed "$1_growth" superuser "BEGIN;
				SELECT FROM cnap_remove_organization_member(md5('growth $number')::uuid, 'growth-2') OFFSET 1;
				SELECT microseconds / 5 || '|' FROM bench.time_once('SELECT count(
					cnap_remove_organization_member(md5(''growth $number'')::uuid, ''growth-'' || m)) FROM generate_series(3, 7) m');
				ROLLBACK;"
			;;
		workspaces)
			timed "$1_growth" server "SELECT FROM bench.time_once('SELECT cnap_can_access(''nobody'', bench.workspace(1))') OFFSET 1;
				SELECT microseconds || '|' FROM bench.time_once('SELECT cardinality(cnap_accessible_workspaces(''owner-$number''))')"
			;;
		rows)
			timed "$1_growth" server "SET cnap.user_id = 'reader';
				SELECT microseconds || '|' FROM bench.time_query('SELECT sum(id) FROM
					(SELECT id, title FROM growth.rows_$number ORDER BY id DESC LIMIT 50) page', $BENCH_BUDGET, $BENCH_PATIENCE)"
			;;
		warm)
			timed "$1_growth" server "SET cnap.cache_size = '1GB';
				CREATE TEMP TABLE asked AS $pairs;
				SELECT FROM bench.time_once('SELECT count(*) FROM asked WHERE cnap_can_access(user_id, workspace_id)') OFFSET 1;
				SELECT microseconds / 100000 || '|' FROM bench.time_once('SELECT count(*)
					FROM generate_series(1, 100000 / $number), asked WHERE cnap_can_access(user_id, workspace_id)')"
			;;
		memory)
			timed "$1_growth" server "SET cnap.cache_size = '1GB';
				SELECT FROM bench.time_once(\$q\$SELECT count(*) FROM ($pairs) p WHERE cnap_can_access(user_id, workspace_id)\$q\$) OFFSET 1;
				SELECT bytes || '|' FROM cnap_cache_stats()"
			;;
	esac
}

growth_targets() {
	local number
	for number in "${growth_sizes[@]}"; do
		printf 'growth_members_%s\tcheck never seen, one of %s members\tcnap\t\t\t\tus\n' "$number" "$number"
		printf 'growth_removal_%s\tremoving one of %s members\tcnap\t\t\t\tus\n' "$number" "$number"
		printf 'growth_workspaces_%s\tlist of %s workspaces, not loaded yet\tcnap\t\t\t\tus\n' "$number" "$number"
		printf 'growth_rows_%s\tnewest 50 of %s rows\tcnap\t\t\t\tus\n' "$number" "$number"
		printf 'growth_warm_%s\tcheck of a known pair, one of %s\tcnap\t\t\t\tus\n' "$number" "$number"
		printf 'growth_memory_%s\tmemory for %s known pairs\tcnap\t\t\t\tbytes\n' "$number" "$number"
	done
}
