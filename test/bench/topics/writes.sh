# shellcheck shell=bash disable=SC2034,SC2154 # shared with test/bench/run
#
# writes.sh: INSERT, UPDATE and DELETE of many rows, against the same table without protection

writes_measures() {
	echo writes_{insert,update,delete}
}

writes_variants() {
	echo none cnap
}

# writes_sample SCALE MEASURE VARIANT ROUND
writes_sample() {
	local statement
	case $2 in
		writes_insert) statement="INSERT INTO app.written_$3 SELECT * FROM bench.new_row" ;;
		writes_update) statement="UPDATE app.written_$3 SET state = state + 1 WHERE id <= 1010000" ;;
		writes_delete) statement="DELETE FROM app.written_$3 WHERE id <= 1010000" ;;
	esac
	sql "$(database "$1")" -c "VACUUM app.written_$3"
	timed "$1" big "SELECT * FROM bench.time_write('$statement', 3)"
}

writes_targets() {
	printf 'writes_%s\t%s\tcnap\tnone\t<=\t1.1\tus\n' \
		insert 'INSERT of 100 thousand rows' \
		update 'UPDATE of 10 thousand rows' \
		delete 'DELETE of 10 thousand rows'
}
