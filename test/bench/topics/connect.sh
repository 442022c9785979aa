# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# connect.sh: a connection with a single query, against the same without protection, by the clock, and where
# protection selects other rows, against the literal, since a new process maps each page that it reads; and
# single-row INSERT over the wire

connect_measures() {
	echo connect_{row,page}_{few,big} connect_insert_{prepared,simple}
	[ "$1" != XL ] || echo connect_{row,page}_huge
}

connect_data() {
	make_step "$1" topics/writes "$(extension_input)"
}

connect_variants() {
	case $1 in
		connect_page_huge) echo none cnap ;;
		connect_page_*) echo none raw cnap ;;
		*) echo none cnap ;;
	esac
}

# connect_sample SCALE MEASURE VARIANT ROUND
connect_sample() {
	local what user condition='' protocol=simple role
	IFS=_ read -r _ what user <<<"$2"
	role=bench_$user
	case $what in
		row) echo "SELECT * FROM app.item WHERE id = $([ "$user" = few ] && echo 2802 || echo 1010);" ;;
		page)
			if [ "$3" = raw ]; then
				condition="WHERE workspace_id = ANY ('$(sql "$(database "$1")" -c "SELECT workspaces
					FROM bench.granted WHERE user_id = '${user/few/few-1}'")')"
			fi
			echo "SELECT id, title FROM app.item $condition ORDER BY id DESC LIMIT 50;"
			;;
		insert)
			# the workspaces of "big", each time another one
			printf '\\set n random(1, 1000000000000)\n\\set w random(1, 10000)\n'
			echo "INSERT INTO app.written_$3 VALUES (:n, bench.workspace(:w), 0);"
			;;
	esac >"$scratch/connect.sql"
	case $what in
		insert) protocol=$user role=bench_big ;;
		*)
			[ "$3" = cnap ] || role=bench_bypass
			use_policy "$1" "$([ "$3" = cnap ] && echo cnap || echo none)"
			;;
	esac
	if [ "$what" != insert ]; then
		# the latencies that it logs are those without connecting
		pgbench "$1" "$role" "$protocol" 1 "$scratch/connect.sql" -T "$BENCH_SECONDS" -C >/dev/null
		awk '/^tps/ { printf "%.3f\n", 1e6 / $3 }' "$scratch/pgbench.out"
	else
		pgbench "$1" "$role" "$protocol" 1 "$scratch/connect.sql" -T "$BENCH_SECONDS"
		sql "$(database "$1")" -c "DELETE FROM app.written_$3 WHERE id > 2000000" -c "VACUUM app.written_$3"
	fi
}

connect_targets() {
	local what user label reference
	for user in few big huge; do
		for what in row page; do
			label=$([ "$what" = row ] && echo 'one row' || echo 'newest 50 rows')
			reference=$([ "$what$user" = pagefew ] || [ "$what$user" = pagebig ] && echo raw || echo none)
			printf 'connect_%s_%s\tconnection and %s, %s\tcnap\t%s\t<=\t1.5\tus\n' \
				"$what" "$user" "$label" "$user" "$reference"
		done
	done
	printf 'connect_insert_%s\tsingle-row INSERT, %s\tcnap\tnone\t<=\t1.1\tus\n' prepared prepared simple simple
}
