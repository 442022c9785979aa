-- writes.sql: the same table twice, once protected, and rows to be written by "big"

DROP TABLE IF EXISTS app.written_none, app.written_cnap, bench.new_row;
CREATE TABLE bench.new_row AS
SELECT n AS id, bench.workspace(1 + bench.pick(n, 12, 10000)) AS workspace_id, n % 7 AS state
FROM generate_series(1, 100000) n;
CREATE TABLE app.written_none (id bigint PRIMARY KEY, workspace_id uuid NOT NULL, state int NOT NULL);
INSERT INTO app.written_none SELECT 1000000 + id, workspace_id, state FROM bench.new_row WHERE id <= 20000;
CREATE INDEX ON app.written_none (workspace_id);
CREATE TABLE app.written_cnap (LIKE app.written_none INCLUDING ALL);
INSERT INTO app.written_cnap SELECT * FROM app.written_none;
SELECT cnap_protect('app.written_cnap');
GRANT INSERT, UPDATE, DELETE ON app.written_none, app.written_cnap TO bench_app;

/*
 * Executes a statement that changes rows, undoes it, and returns the median of the processor time
 * in microseconds, and the number of rows. Undoing empties the cache of decisions, which is filled
 * again before the next execution.
 */
CREATE OR REPLACE FUNCTION bench.time_write(
	statement text, runs int, OUT microseconds float8, OUT answer bigint)
LANGUAGE plpgsql AS $$
DECLARE
	begun float8;
	times float8[];
BEGIN
	FOR run IN 1 .. runs LOOP
		BEGIN
			PERFORM count(*) FROM (SELECT DISTINCT workspace_id FROM bench.new_row) w
			WHERE cnap_can_access(workspace_id);
			begun := bench.processor_time();
			EXECUTE statement;
			GET DIAGNOSTICS answer = ROW_COUNT;
			times := times || 1e6 * (bench.processor_time() - begun);
			RAISE SQLSTATE 'UNDO0';
		EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
			NULL;
		END;
	END LOOP;
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) INTO microseconds FROM unnest(times) t;
END
$$;

VACUUM (ANALYZE) app.written_none, app.written_cnap, bench.new_row;
