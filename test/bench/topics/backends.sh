# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# backends.sh: the private memory of many idle connections, in sum, which have made no check, or those
# of a thousand workspaces, for a user of seven or of ten thousand

backends_measures() {
	echo backends_{10,50,100,250,500}
}

backends_variants() {
	echo cold few big
}

# backends_sample SCALE MEASURE VARIANT ROUND: prints bytes
backends_sample() {
	local number=${2#backends_} pids i db
	db=$(database "$1")
	{
		case $3 in
			cold) echo 'SELECT bench.workspace(1), cnap_current_user();' ;;
			*) echo 'SELECT count(*) FROM bench.warm WHERE cnap_can_access(workspace_id);' ;;
		esac
		echo '\sleep 600 s'
	} >"$scratch/idle.sql"
	PGAPPNAME=idle "$BINDIR/pgbench" -n -U "bench_${3/cold/few}" -c "$number" -j 1 -t 1 \
		-f "$scratch/idle.sql" "$db" >/dev/null 2>"$scratch/idle.error" &
	child=$!
	for ((i = 0; i < 600; i++)); do
		mapfile -t pids < <(sql "$db" -c "SELECT pid FROM pg_stat_activity
			WHERE application_name = 'idle' AND state = 'idle' AND query LIKE 'SELECT%'")
		[ "${#pids[@]}" -lt "$number" ] || break
		kill -0 "$child" || { cat "$scratch/idle.error" >&2; return 1; }
		sleep 0.2
	done
	[ "${#pids[@]}" -eq "$number" ] || return 1
	# shellcheck disable=SC2016,SC2046 # a script of awk, and one word for each
	as_user awk '/^Private_Dirty:/ { kb += $2 } END { printf "%d|\n", kb * 1024 }' \
		$(printf '/proc/%s/smaps_rollup ' "${pids[@]}")
	kill "$child"
	wait "$child" || :
	child=
}

backends_targets() {
	local number
	for number in 10 50 100 250 500; do
		printf 'backends_%s\t%s idle connections, %s\t%s\tcold\t<=\t0\tbytes\n' \
			"$number" "$number" few few "$number" "$number" big big
	done
}
