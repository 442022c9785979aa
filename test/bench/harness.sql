-- harness.sql: functions that time statements inside the server, and swap the policies

CREATE OR REPLACE FUNCTION bench.trivial(workspace uuid) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'cnap_bench', 'bench_trivial_row';

CREATE OR REPLACE FUNCTION bench.trivial(user_id text, workspace uuid) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'cnap_bench', 'bench_trivial_check';

CREATE OR REPLACE FUNCTION bench.probe(user_id text, workspace uuid) RETURNS boolean
LANGUAGE C STABLE PARALLEL SAFE AS 'cnap_bench', 'bench_probe';

CREATE OR REPLACE FUNCTION bench.processor_time() RETURNS float8
LANGUAGE C VOLATILE AS 'cnap_bench', 'bench_processor_time';

-- Seconds by the clock, or with the setting bench.clock = processor those for which this process has
-- been executed, so that time for which others kept the processor busy does not count
CREATE OR REPLACE FUNCTION bench.now() RETURNS float8
LANGUAGE plpgsql AS $$
BEGIN
	IF current_setting('bench.clock', true) = 'processor' THEN
		RETURN bench.processor_time();
	END IF;
	RETURN extract(epoch FROM clock_timestamp() - timestamptz '2024-01-01 00:00+00');
END
$$;

-- Gives the application's table the policy of a variant; that of "none" and "raw" is none.
CREATE OR REPLACE PROCEDURE bench.use(variant text)
LANGUAGE plpgsql AS $$
DECLARE
	policy text;
BEGIN
	PERFORM cnap_unprotect('app.item');
	DROP POLICY IF EXISTS bench ON app.item;
	IF variant = 'cnap' THEN
		PERFORM cnap_protect('app.item');
	ELSE
		SELECT expression INTO policy FROM bench.policy p WHERE p.variant = use.variant;
		IF FOUND THEN
			EXECUTE format('CREATE POLICY bench ON app.item USING (%s)', policy);
			ALTER TABLE app.item ENABLE ROW LEVEL SECURITY;
		ELSE
			ALTER TABLE app.item DISABLE ROW LEVEL SECURITY;
		END IF;
	END IF;
END
$$;

/*
 * Executes a query repeatedly for budget milliseconds, planning it each time, and returns the
 * median in microseconds and the single value that the query returns.  The first executions are
 * not counted; but a query that takes longer than patience is executed only once. {raw} in the
 * query stands for the condition that would be written without row-level security.
 */
CREATE OR REPLACE FUNCTION bench.time_query(
	query text, budget float8, patience float8, OUT microseconds float8, OUT answer text)
LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	begun float8;
	times float8[];
BEGIN
	IF query LIKE '%{raw}%' THEN
		query := replace(query, '{raw}', (
			SELECT format('WHERE workspace_id = ANY (%L)', workspaces)
			FROM bench.granted WHERE user_id = current_setting('bench.user_id')));
	END IF;
	FOR run IN 1 .. 2000 LOOP
		begun := bench.now();
		EXECUTE query INTO answer;
		microseconds := 1e6 * (bench.now() - begun);
		IF run > 3 THEN
			times := times || microseconds;
			EXIT WHEN run > 5 AND clock_timestamp() > started + budget * interval '1 ms';
		ELSIF microseconds > 1000 * patience THEN
			RETURN;
		END IF;
	END LOOP;
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) INTO microseconds FROM unnest(times) t;
END
$$;

/*
 * Executes a prepared query in turn as two users, and returns the median of the second one's time
 * in microseconds, planning included.
 */
CREATE OR REPLACE FUNCTION bench.time_pool(
	query text, other text, own text, budget float8, OUT microseconds float8, OUT answer text)
LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	begun float8;
	times float8[];
BEGIN
	EXECUTE 'PREPARE pooled AS ' || query;
	FOR run IN 1 .. 200 LOOP
		PERFORM set_config('cnap.user_id', other, false);
		EXECUTE 'EXECUTE pooled' INTO answer;
		PERFORM set_config('cnap.user_id', own, false);
		begun := bench.processor_time();
		EXECUTE 'EXECUTE pooled' INTO answer;
		IF run > 3 THEN
			times := times || 1e6 * (bench.processor_time() - begun);
			EXIT WHEN run > 8 AND clock_timestamp() > started + budget * interval '1 ms';
		END IF;
	END LOOP;
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) INTO microseconds FROM unnest(times) t;
END
$$;

-- Executes a query once, and returns the time and the single value that it returns.
CREATE OR REPLACE FUNCTION bench.time_once(query text, OUT microseconds float8, OUT answer text)
LANGUAGE plpgsql AS $$
DECLARE
	begun float8 := bench.now();
BEGIN
	EXECUTE query INTO answer;
	microseconds := 1e6 * (bench.now() - begun);
END
$$;

-- all data in memory
CREATE EXTENSION IF NOT EXISTS pg_prewarm;
SELECT sum(pg_prewarm(oid::regclass)) FROM pg_class
WHERE relkind IN ('r', 'i')
	AND relnamespace::regnamespace::text IN ('alt', 'app', 'bench', 'cnap');

GRANT USAGE ON SCHEMA alt, app, bench TO bench_app;
GRANT SELECT ON ALL TABLES IN SCHEMA alt, app, bench TO bench_app;
