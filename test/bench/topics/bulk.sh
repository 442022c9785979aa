# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# bulk.sh: changes of many memberships, against the same table without triggers; and what grows with the
# size of what it changes or looks at, for each of N, against N / 5

bulk_measures() {
	echo bulk_{copy,update,delete,organization,forget,protect,lint}
}

bulk_data() {
	make_copy "$1" bulk
	make_step "$1_bulk" topics/bulk "$(extension_input)"
	make_harness "$1_bulk"
}

bulk_variants() {
	case $1 in
		bulk_copy) echo plain cnap ;;
		bulk_update | bulk_delete) echo plain logged cnap ;;
		*) echo fifth whole ;;
	esac
}

# bulk_sample SCALE MEASURE VARIANT ROUND
bulk_sample() {
	local db table=cnap.workspace_member number=whole statements
	db=$(database "$1_bulk")
	[ "$3" != fifth ] || number=fifth
	number=$(sql "$db" -c "SELECT $number FROM bench.bulk")
	case $2 in
		bulk_protect) number=$([ "$3" = whole ] && echo 1000 || echo 200) ;;
		bulk_lint) number=$([ "$3" = whole ] && echo 5000 || echo 1000) ;;
	esac
	case $3 in
		plain | logged) table=bench.member_$3 ;;
	esac
	statements="'COPY $table (workspace_id, user_id, role, created_at) FROM ''$WORK/data/bulk.copy'''"
	case $2 in
		bulk_copy) ;;
		bulk_update) statements+=", 'UPDATE $table SET role = ''admin'' WHERE user_id LIKE ''bulk-%'''" ;;
		bulk_delete) statements+=", 'DELETE FROM $table WHERE user_id LIKE ''bulk-%'''" ;;
		bulk_organization) statements="'SELECT cnap_delete_organization(md5(''bulk-$number'')::uuid)'" ;;
		bulk_forget) statements="'SELECT cnap_forget_user(''bulk-$number'', ''successor'')'" ;;
		bulk_protect) statements="'SELECT count(*) FROM cnap_protect_schema(''bulk_$number'', true)'" ;;
		bulk_lint) statements="'CALL bench.make_tables($number)', 'SELECT count(*) FROM cnap_lint()'" ;;
	esac
	case $2 in
		bulk_protect | bulk_lint) sql "$db" -c 'VACUUM pg_class, pg_attribute, pg_depend, pg_policy' ;;
		*) sql "$db" -c "VACUUM $table, cnap.workspace, cnap.organization_member, cnap.audit_log" ;;
	esac
	sql "$db" -c "SELECT bench.time_last($statements) / $number, ''"
}

bulk_targets() {
	local what
	for what in copy update delete; do
		printf 'bulk_%s\t%s of many memberships, each\tcnap\tplain\t<=\t1.5\tus\n' "$what" "${what^^}"
		[ "$what" = copy ] ||
			printf 'bulk_%s\t  against a trigger in PL/pgSQL\tcnap\tlogged\t<=\t0\tus\n' "$what"
	done
	printf 'bulk_%s\t%s, each\twhole\tfifth\t<=\t1.2\tus\n' \
		organization 'deleting an organization: members, workspaces' \
		forget 'forgetting a user: workspaces' \
		protect 'cnap_protect_schema(): tables' \
		lint 'cnap_lint(): tables'
}
