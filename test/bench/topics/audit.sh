# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# audit.sh: pages, and all entries of a workspace, from a large audit log, against the query written by hand
# and a page of a workspace with few entries; and a search for old entries that finds none

audit_measures() {
	echo audit_{first,half,all,prune}
}

audit_data() {
	make_copy "$1" audit
	make_step "$1_audit" topics/audit "$(extension_input)"
	make_harness "$1_audit"
}

audit_variants() {
	case $1 in
		audit_prune) echo limit cnap ;;
		audit_all) echo hand cnap ;;
		*) echo hand small cnap ;;
	esac
}

# audit_sample SCALE MEASURE VARIANT ROUND
audit_sample() {
	local query workspace="md5('audited-large')::uuid" before=NULL rows=NULL role=server db
	db=$(database "$1_audit")
	case $2 in
		audit_prune)
			if [ "$3" = limit ]; then
				echo '10000|'
			else
				sql "$db" -c "SET bench.clock = processor; SELECT * FROM bench.time_once('SELECT cnap_prune_audit(''10 years'')')"
			fi
			return
			;;
		audit_first) rows=50 ;;
		audit_half) before=$(sql "$db" -c 'SELECT max(id) / 2 FROM cnap.audit_log') rows=50 ;;
	esac
	if [ "$3" = small ]; then
		workspace="md5('audited-small')::uuid"
	fi
	query="cnap_workspace_audit($workspace, $before, $rows)"
	if [ "$3" = hand ]; then
		role=superuser
		query="(SELECT id, occurred_at, actor, database_role, action, organization_id, subject, path, detail
			FROM cnap.audit_log WHERE workspace_id = $workspace AND ($before::bigint IS NULL OR id < $before)
			ORDER BY id DESC LIMIT $rows)"
	fi
	query="SELECT count(a) FROM $query a"
	if [ "$2" = audit_all ]; then
		query="SELECT FROM bench.time_once(\$q\$$query\$q\$) OFFSET 1; SELECT * FROM bench.time_once(\$q\$$query\$q\$)"
	else
		query="SELECT * FROM bench.time_query(\$q\$$query\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)"
	fi
	timed "$1_audit" "$role" "$([ "$role" = superuser ] || echo "SET cnap.user_id = 'auditor';") $query"
}

audit_targets() {
	printf 'audit_%s\taudit log: %s\tcnap\thand\t<=\t2\tus\n' first 'first page' half 'a page half-way' all 'all of a tenth'
	printf 'audit_%s\t  against a workspace with few entries\tcnap\tsmall\t<=\t1.2\tus\n' first half
	printf 'audit_prune\taudit log: nothing to prune, in 10 ms\tcnap\tlimit\t<=\t1\tus\n'
}
