# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# measures.sh: what test/bench/run measures, apart from the topics
#
# A measure has variants. A sample of a variant is one line: "microseconds|answer" (of one
# execution, or of one check), where the answer must be the same for all variants, or "timeout".

query_measures=(count_few count_big count_half count_thin page_few page_big page_thin seq_scan)
pool_measures=(pool_{half_few,thin_few,few_half,thin_half,few_big,thin_big,few_thin,half_thin})
wire_measures=(row_{prepared,simple}_{few,big})
child_measures=(child_count_{few,big,half} child_page_{few,big,half} child_rows_{few,big})
check_measures=(check_warm check_cold check_wire_{1,2} check_changes check_changes_inside
	first_check memory remove_member)
neighbour_measures=(neighbour_{check,scan,list}_{few,big})
scale_measures=(scale_{warm,cold,probes,page_few,row_big})

page='SELECT sum(id) FROM
	(SELECT id, workspace_id, created_at, state, title FROM app.item {raw} ORDER BY id DESC LIMIT 50) page'

# Prints the measures of a scale.
measures_of() {
	echo "${query_measures[@]}" "${wire_measures[@]}"
	[ "$1" != XL ] || echo row_{prepared,simple}_huge
	echo "${child_measures[@]}" "${check_measures[@]}" "${neighbour_measures[@]}" "${pool_measures[@]}"
	[ "$1" != XL ] || echo neighbour_{check,scan,list}_huge
}

# Prints the variants that are measured in a round. Slow variants that are only for information are
# measured in the first round.
default_variants() {
	local first=
	case $1 in
		count_* | page_*) echo raw cnap a b c d e f ;;
		seq_scan) echo none trivial cnap ;;
		row_*)
			[ "$2" != 1 ] || first='a b c d e f'
			echo none cnap "$first"
			;;
		child_*) echo own column policy ;;
		check_warm) echo none trivial cnap c ;;
		check_cold) echo probe cnap c ;;
		check_wire_*)
			[ "$2" != 1 ] || first='a b c'
			echo true trivial cnap "$first"
			;;
		check_changes*) echo quiet changing elsewhere ;;
		pool_*) echo own other ;;
		neighbour_*) echo quiet renaming managing ;;
		remove_member) echo plain cnap direct ;;
		scale_*) echo S XL ;;
	esac
}

# default_sample SCALE MEASURE VARIANT ROUND
default_sample() {
	local scale=$1 measure=$2 variant=$3 round=$4
	case $measure in
		count_*) time_query "$scale" "$variant" "${measure#count_}" 'SELECT count(*) FROM app.item {raw}' ;;
		page_*) time_query "$scale" "$variant" "${measure#page_}" "$page" ;;
		seq_scan)
			PGOPTIONS='-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off' \
				time_query "$scale" "$variant" big 'SELECT count(*) FROM app.item' | sed 's/|.*/|/'
			;;
		row_*) time_row "$scale" "$variant" "${measure#row_}" ;;
		child_count_*)
			time_child "$scale" "${measure#child_count_}" "SELECT count(*) FROM app.note_$variant"
			;;
		child_page_*)
			time_child "$scale" "${measure#child_page_}" "SELECT sum(id) FROM (SELECT id, folder_id,
				created_at, title FROM app.note_$variant ORDER BY id DESC LIMIT 50) page"
			;;
		child_rows_*)
			time_child "$scale" "${measure#child_rows_}" "SELECT count(*) || min(title)
				FROM app.note_$variant WHERE id BETWEEN 500001 AND 500020"
			;;
		check_warm) time_warm "$scale" "$variant" ;;
		check_cold) time_cold "$scale" "$variant" "$round" ;;
		check_wire_*) time_wire "$scale" "$variant" "${measure#check_wire_}" ;;
		check_changes) while_changing "$scale" "$variant" time_wire "$scale" cnap 1 ;;
		check_changes_inside) while_changing "$scale" "$variant" time_warm "$scale" cnap ;;
		neighbour_check_*)
			while_changing "$scale" "$variant" time_query "$scale" cnap "${measure##*_}" \
				'SELECT count(*) FROM bench.warm WHERE cnap_can_access(workspace_id)'
			;;
		neighbour_scan_*)
			PGOPTIONS='-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off' \
				while_changing "$scale" "$variant" time_query "$scale" cnap "${measure##*_}" \
				'SELECT count(*) FROM app.item'
			;;
		neighbour_list_*)
			while_changing "$scale" "$variant" time_query "$scale" cnap "${measure##*_}" \
				'SELECT cardinality(cnap_accessible_workspaces())'
			;;
		pool_*) time_pool "$scale" "$variant" "${measure#pool_}" ;;
		remove_member) time_removal "$scale" "$variant" ;;
		scale_warm) time_warm "$variant" cnap ;;
		scale_cold) time_cold "$variant" cnap "$round" | sed 's/|.*/|/' ;;
		scale_probes) count_probes "$variant" "$round" ;;
		scale_page_few) time_query "$variant" cnap few "$page" ;;
		scale_row_big) time_row "$variant" cnap prepared_big ;;
	esac
}

# ---- statements inside the server ----

# timed SCALE USER STATEMENT: executes it as that user, within the time allowed; what the functions of
# harness.sql measure is the time of the processor
timed() {
	if ! PGOPTIONS="-c bench.clock=processor ${PGOPTIONS-} -c statement_timeout=$BENCH_TIMEOUT" \
		sql "$(database "$1")" -U "bench_$2" 2>"$scratch/error" <<<"$3"; then
		grep -q 'due to statement timeout' "$scratch/error" || { cat "$scratch/error" >&2; return 1; }
		echo timeout
	fi
}

declare -A used

use_policy() {
	[ "${used[$1]-}" = "$2" ] || sql "$(database "$1")" -c "CALL bench.use('$2')"
	used[$1]=$2
}

# time_query SCALE VARIANT USER QUERY
time_query() {
	local query=$4
	use_policy "$1" "$2"
	[ "$2" = raw ] || query=${query//'{raw}'/}
	timed "$1" "$3" "SELECT * FROM bench.time_query(\$q\$$query\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)"
}

# time_query_as SCALE VARIANT USER QUERY: likewise on a table that has a policy of its own, as any user, who
# needs no role. Variants may have other users, whose answers differ, so it prints the time alone.
time_query_as() {
	local role=server setting=cnap query=${4/'{raw}'/}
	if [ "$2" = raw ]; then
		role=bypass setting=bench query=$4
	fi
	timed "$1" "$role" "
		SET $setting.user_id = '$3';
		SELECT * FROM bench.time_query(\$q\$$query\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)" | sed 's/|.*/|/'
}

# time_pool SCALE VARIANT OTHER_OWN: a prepared statement that a session executes in turn as two users
time_pool() {
	local other=${3%_*} own=${3#*_}
	use_policy "$1" cnap
	[ "$2" = other ] || other=$own
	timed "$1" server "SELECT * FROM bench.time_pool('SELECT count(title) FROM app.item',
		'${other/few/few-1}', '${own/few/few-1}', $BENCH_BUDGET)"
}

# time_child SCALE USER QUERY: on tables whose protection stays the same
time_child() {
	timed "$1" "$2" "SELECT * FROM bench.time_query(\$q\$$3\$q\$, $BENCH_BUDGET, $BENCH_PATIENCE)"
}

# Prints the name of the function of a variant that takes a user and a workspace.
check_function() {
	case $1 in
		cnap) echo cnap_can_access ;;
		trivial | probe) echo "bench.$1" ;;
		*) echo "alt.check_$1" ;;
	esac
}

# time_warm SCALE VARIANT: checks of pairs that have been checked before
time_warm() {
	local condition pairs=warm checks=20000
	case $2 in
		none) condition=allowed ;;
		c) pairs=known checks=1000 ;;
	esac
	: "${condition:=$(check_function "$2")(user_id, workspace_id)}"
	timed "$1" server "SELECT microseconds / $checks, round(answer::numeric / $checks, 3)
		FROM bench.time_query('SELECT count(*) FROM bench.$pairs WHERE $condition',
			$BENCH_BUDGET, $BENCH_PATIENCE)" | ignore_answer_of_trivial "$2"
}

# The trivial functions accept approximately as many rows as the check.
ignore_answer_of_trivial() {
	if [ "$1" = trivial ]; then
		sed 's/|.*/|/'
	else
		cat
	fi
}

# time_cold SCALE VARIANT ROUND: checks of 5000 pairs never seen, in a new session that has checked
# others
time_cold() {
	local first=$(($3 % 24 * 5000)) f
	f=$(check_function "$2")
	timed "$1" server "SELECT FROM bench.time_once(\$q\$SELECT count(*) FROM generate_series(1, 20) n
		WHERE $f('nobody-' || n, bench.workspace(n))\$q\$) OFFSET 1;
		SELECT microseconds / 5000, 'slice $3: ' || answer
		FROM bench.time_once(\$q\$SELECT count(*) FROM bench.pair
			WHERE n BETWEEN $first + 1 AND $first + 5000
				AND $f(user_id, workspace_id)\$q\$)"
}

# count_probes SCALE ROUND: how many times as long as what it reads at the least such a check takes
count_probes() {
	local check probe
	probe=$(time_cold "$1" probe "$2")
	check=$(time_cold "$1" cnap "$2")
	awk -v "check=${check%%|*}" -v "probe=${probe%%|*}" 'BEGIN { print check / probe "|" }'
}

# ---- over the wire ----

# pgbench SCALE ROLE MODE CLIENTS SCRIPT ARGUMENT...: prints the mean latency of the script in
# microseconds, without the first tenth (and the first ten, if there are enough), in which plans
# are made and caches filled, and without the slowest twentieth, when the machine was probably
# doing other things
pgbench() {
	local scale=$1 role=$2 mode=$3 clients=$4 script=$5
	shift 5
	rm -f "$scratch"/log.*
	"$BINDIR/pgbench" -n -U "$role" -M "$mode" -c "$clients" -j "$clients" -f "$script" \
		--log --log-prefix="$scratch/log" "$@" "$(database "$scale")" \
		>"$scratch/pgbench.out" 2>&1 || { cat "$scratch/pgbench.out" >&2; return 1; }
	cat "$scratch"/log.* | sort -n -k 2,2 |
		awk -v "clients=$clients" '
			{ latency[NR] = $3 }
			END {
				skip = NR / 10 > 10 * clients ? NR / 10 : 10 * clients
				if (skip > NR / 2)
					skip = NR / 2
				for (i = int(skip) + 1; i <= NR; i++)
					print latency[i]
			}' |
		sort -n |
		awk '
			{ latency[NR] = $1 }
			END {
				n = NR > 20 ? int(NR * 0.95) : NR
				for (i = 1; i <= n; i++)
					sum += latency[i]
				printf "%.3f\n", sum / n
			}'
}

# time_row SCALE VARIANT PROTOCOL_USER: one row by primary key, which the user can see
time_row() {
	local user=${3#*_} id
	case $user in
		few) id="2800 * random(0, ($BENCH_ROWS - 2) / 2800) + 2" ;;
		big) id="10 * random(1, $BENCH_ROWS / 10)" ;;
		huge) id="10 * random(0, $BENCH_ROWS / 10 - 1) + 4" ;;
	esac
	use_policy "$1" "$2"
	printf '\\set id %s\nSELECT * FROM app.item WHERE id = :id;\n' "$id" >"$scratch/row.sql"
	pgbench "$1" "bench_$user" "${3%%_*}" 1 "$scratch/row.sql" -T "$BENCH_SECONDS"
}

# wire_script SCALE VARIANT PAIRS: a script with a check of each of the pairs, whose ids come from
# variables, as the parameters of prepared statements
wire_script() {
	local what=true
	[ "$2" = true ] || what="$(check_function "$2")(:u&, :w&)"
	seq "$3" | sed "s/.*/SELECT $what;/"
}

# time_wire SCALE VARIANT CLIENTS: point checks
time_wire() {
	local checks=1000 pairs
	case $2 in
		# each has half a millisecond to plan for each statement
		a | b | c) checks=100 ;;
	esac
	wire_script "$1" "$2" "$checks" >"$scratch/wire.sql"
	mapfile -t pairs < <(sql "$(database "$1")" -c "
		SELECT unnest(ARRAY['-D', 'u' || n || '=' || user_id, '-D', 'w' || n || '=' || workspace_id])
		FROM bench.known WHERE n <= $checks ORDER BY n")
	pgbench "$1" bench_server prepared "$3" "$scratch/wire.sql" -T "$BENCH_SECONDS" \
		"${pairs[@]}" |
		awk -v "checks=$checks" -v "clients=$3" '{ print $1 / checks / clients }'
}

# while_changing SCALE VARIANT COMMAND...: the command, while another session changes memberships
# a hundred times a second, or a table that no access depends on; or while the owner of a workspace
# gives it to an organization and takes it back without pause, or as often renames it
while_changing() {
	local scale=$1 variant=$2 add remove status=0 pace=(-R 50) options=
	shift 2
	case $variant in
		quiet)
			"$@"
			return
			;;
		changing)
			add="cnap_add_organization_member(bench.organization(:n), 'passer-by', 'member')"
			remove="cnap_remove_organization_member(bench.organization(:n), 'passer-by')"
			add="SELECT $add"
			remove="SELECT $remove"
			;;
		elsewhere)
			add="INSERT INTO alt.organization_member VALUES (bench.organization(:n), 'passer-by')"
			remove="DELETE FROM alt.organization_member
				WHERE organization_id = bench.organization(:n) AND user_id = 'passer-by'"
			;;
		managing)
			add='SELECT cnap_grant_management(bench.workspace(12142), bench.organization(30))'
			remove='SELECT cnap_revoke_management(bench.workspace(12142))'
			;;
		renaming)
			add="SELECT cnap_update_workspace(bench.workspace(12142), 'a')"
			remove="SELECT cnap_update_workspace(bench.workspace(12142), 'b')"
			;;
	esac
	case $variant in
		managing | renaming)
			pace=()
			options="-c cnap.user_id=$(sql "$(database "$scale")" -c "
				SELECT owner_id FROM alt.workspace WHERE id = bench.workspace(12142)")"
			;;
	esac
	printf '\\set n random(30, 900)\n%s;\n%s;\n' "$add" "${remove//$'\n'/ }" >"$scratch/change.sql"
	# PGAPPNAME names it in the server's statistics
	PGOPTIONS=$options PGAPPNAME=writer "$BINDIR/pgbench" -n -U postgres -M prepared "${pace[@]}" -T 60 \
		-f "$scratch/change.sql" \
		"$(database "$scale")" >/dev/null 2>"$scratch/writer.error" &
	child=$!
	sleep 0.5
	"$@" || status=$?
	kill "$child" 2>/dev/null || { cat "$scratch/writer.error" >&2; status=1; }
	wait "$child" || :
	child=
	sql "$(database "$scale")" <<-'END'
		DELETE FROM alt.organization_member WHERE user_id = 'passer-by';
		DELETE FROM cnap.organization_member WHERE user_id = 'passer-by';
		UPDATE cnap.workspace SET managed_by = NULL WHERE id = bench.workspace(12142);
	END
	return "$status"
}

# time_removal SCALE VARIANT: one member of an organization that manages 10 thousand workspaces
time_removal() {
	local leavers=500 table=cnap role=postgres statement db
	db=$(database "$1")
	case $2 in
		cnap)
			role=bench_owner
			statement="SELECT cnap_remove_organization_member(bench.organization(1), 'leaver-' || :n)"
			;;
		plain) table=alt ;;
	esac
	: "${statement:=DELETE FROM $table.organization_member
		WHERE organization_id = bench.organization(1) AND user_id = 'leaver-' || :n}"
	sql "$db" -v "table=$table" <<-END
		SELECT 'DELETE FROM $table.organization_member WHERE user_id LIKE ''leaver-%''' \gexec
		SELECT 'INSERT INTO $table.organization_member SELECT bench.organization(1), ''leaver-'' || n'
			|| CASE '$table' WHEN 'cnap' THEN ', ''member'', NULL, ''2024-01-01''' ELSE '' END
			|| ' FROM generate_series(1, $leavers) n' \gexec
	END
	printf '\\set n :n + 1\n%s;\n' "${statement//$'\n'/ }" >"$scratch/remove.sql"
	pgbench "$1" "$role" prepared 1 "$scratch/remove.sql" -D n=0 -t "$leavers"
}

# ---- measures of a different form: special_measure SCALE MEASURE takes all samples ----

special_measure() {
	case $2 in
		first_check) first_check "$1" ;;
		memory) memory "$1" ;;
		*) return 1 ;;
	esac
}

# The first check in a new connection, of a workspace that the user can or cannot access: medians
# of nine connections, alternating between the users. The library is loaded before that.
first_check() {
	local scale=$1 round user own number turn users=(few big)
	[ "$scale" != XL ] || users+=(huge)
	for ((round = 1; round <= BENCH_ROUNDS; round++)); do
		rm -f "$scratch"/first_*
		for turn in {1..9}; do
			for user in "${users[@]}"; do
				case $user in
					few) own=12005 number=7 ;;
					big) own=7 number=12005 ;;
					huge) own=1500000 number=12005 ;;
				esac
				time_first "$scale" "$user" "$own" true >>"$scratch/first_${user}_yes"
				time_first "$scale" "$user" "$number" false >>"$scratch/first_${user}_no"
			done
		done
		for user in "${users[@]}"; do
			for turn in yes no; do
				record "$scale" first_check "${user}_$turn" "$round" \
					"$(sort -n "$scratch/first_${user}_$turn" | sed -n 5p)"
			done
		done
	done
}

# time_first SCALE USER WORKSPACE ANSWER
time_first() {
	timed "$1" "$2" "SELECT FROM bench.time_once('SELECT bench.workspace(1), cnap_current_user()') OFFSET 1;
		SELECT microseconds, answer::boolean = $4
		FROM bench.time_once('SELECT cnap_can_access(bench.workspace($3))')" |
		sed -n 's/|t$//p'
}

# The memory for decisions of 100 thousand pairs, with 1 thousand users, and with as many users as
# possible; and the maximum for a small cache
memory() {
	local scale=$1 db variant value
	db=$(database "$scale")
	if [ -z "$(sql "$db" -c "SELECT to_regproc('cnap_cache_stats')")" ]; then
		say "skipped: there is no cnap_cache_stats()"
		return
	fi
	for variant in same other bounded; do
		sql "$db" -v "variant=$variant" <"$here/memory.sql" >>"$scratch/memory"
	done
	while IFS='|' read -r variant value; do
		record "$scale" memory "$variant" 1 "$value"
	done <"$scratch/memory"
	rm "$scratch/memory"
	record "$scale" memory limit 1 8388608
	record "$scale" memory limit_of_many 1 12582912
}
