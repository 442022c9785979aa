-- plans: whatever plan is made of a check, the result is the same
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model

-- 200 workspaces of 5 rows: few owns 2 of them and is a member of 2; some owns 50; most is a
-- member of 180, everybody of all
SET ROLE NONE;
INSERT INTO cnap.workspace (id, name, owner_id, created_at)
SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, 'w' || n,
	CASE WHEN n <= 2 THEN 'few' WHEN n <= 52 THEN 'some' ELSE 'rest' END, '2020-01-01'
FROM generate_series(1, 200) n;
INSERT INTO cnap.workspace_member (workspace_id, user_id, created_at)
SELECT w.id, m.user_id, '2020-01-01'
FROM cnap.workspace w, (VALUES ('few', 99, 100), ('most', 1, 180), ('everybody', 1, 200)) m (user_id, low, high)
WHERE w.name LIKE 'w%' AND substr(w.name, 2)::int BETWEEN m.low AND m.high;

-- the answers, by plain SQL
CREATE SCHEMA app;
CREATE TABLE app.reach AS
SELECT owner_id AS user_id, id AS workspace_id FROM cnap.workspace
UNION
SELECT user_id, workspace_id FROM cnap.workspace_member;
ALTER TABLE app.reach ADD PRIMARY KEY (user_id, workspace_id);

-- the same rows with each kind of index, and partitioned by the workspace; some without one
CREATE TABLE app.item (id integer PRIMARY KEY, workspace_id uuid, note text NOT NULL);
INSERT INTO app.item
SELECT n, CASE WHEN n % 21 > 0 THEN ('00000000-0000-4000-9000-' || lpad((1 + (n * 7919) % 200)::text, 12, '0'))::uuid END,
	'note ' || n % 7
FROM generate_series(1, 1050) n;
CREATE TABLE app.hashed AS TABLE app.item;
CREATE INDEX ON app.hashed USING hash (workspace_id);
CREATE TABLE app.second AS TABLE app.item;
CREATE INDEX ON app.second (note, workspace_id);
CREATE TABLE app.partial AS TABLE app.item;
CREATE INDEX ON app.partial (workspace_id, id) WHERE note = 'note 3';
CREATE TABLE app.descending AS TABLE app.item;
CREATE INDEX ON app.descending (workspace_id DESC NULLS LAST, note);
CREATE TABLE app.brin AS TABLE app.item;
CREATE INDEX ON app.brin USING brin (workspace_id);
CREATE TABLE app.by_hash (LIKE app.item) PARTITION BY HASH (workspace_id);
CREATE TABLE app.by_range (LIKE app.item) PARTITION BY RANGE (workspace_id);
SELECT format('CREATE TABLE app.by_hash_%s PARTITION OF app.by_hash FOR VALUES WITH (MODULUS 3, REMAINDER %1$s)', n)
FROM generate_series(0, 2) n \gexec
CREATE TABLE app.by_range_0 PARTITION OF app.by_range FOR VALUES FROM (MINVALUE) TO ('00000000-0000-4000-9000-000000000100');
CREATE TABLE app.by_range_1 PARTITION OF app.by_range FOR VALUES FROM ('00000000-0000-4000-9000-000000000100') TO (MAXVALUE);
CREATE TABLE app.by_range_2 PARTITION OF app.by_range DEFAULT;
INSERT INTO app.by_hash TABLE app.item;
INSERT INTO app.by_range TABLE app.item;
SELECT format('CREATE INDEX ON app.%I (workspace_id)', t) FROM unnest('{item, by_hash, by_range}'::text[]) t \gexec
GRANT USAGE ON SCHEMA app TO regress_cnap_app;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
VACUUM ANALYZE;

-- @column stands for the check, and for its answer in plain SQL
CREATE TABLE app.query (n serial, query text);
INSERT INTO app.query (query)
SELECT format('SELECT count(*), sum(id) FROM app.%I WHERE @workspace_id %s', t, condition)
FROM unnest('{item, hashed, second, partial, descending, brin, by_hash, by_range}'::text[]) t,
	unnest(ARRAY['', 'AND note = ''note 3''', 'AND id < 100', 'OR id = 17', 'OR (SELECT current_setting(''app.open'') = ''yes'')',
		'AND workspace_id = ''00000000-0000-4000-9000-000000000100''']) condition;
INSERT INTO app.query (query) VALUES
	-- in the order of an index, and only some of them
	('SELECT string_agg(id::text, '' '') FROM (SELECT id FROM app.item WHERE @workspace_id ORDER BY id DESC LIMIT 30) page'),
	('SELECT string_agg(id::text, '' '') FROM (SELECT id FROM app.descending WHERE @workspace_id ORDER BY workspace_id DESC NULLS LAST, note, id LIMIT 30) page'),
	('SELECT string_agg(page::text, '' '') FROM (SELECT note, workspace_id FROM app.second WHERE @workspace_id ORDER BY note, workspace_id LIMIT 30) page'),
	('SELECT string_agg(id::text, '' '') FROM (SELECT id FROM app.by_range WHERE @workspace_id ORDER BY workspace_id, id LIMIT 30) page'),
	('SELECT min(workspace_id::text), max(note) FROM app.item WHERE @workspace_id'),
	('SELECT string_agg(rows::text, '' '') FROM (SELECT count(*) AS rows FROM app.item WHERE @workspace_id GROUP BY workspace_id ORDER BY workspace_id) groups'),
	-- joined by the workspace
	('SELECT count(*), sum(a.id + b.id) FROM app.item a JOIN app.hashed b USING (workspace_id) WHERE @a.workspace_id AND a.id % 5 = 0 AND b.id % 5 = 0'),
	('SELECT count(*), sum(a.id + b.id) FROM app.by_hash a JOIN app.by_hash b USING (workspace_id) WHERE @a.workspace_id AND a.id % 5 = 0 AND b.id % 5 = 0'),
	('SELECT count(*), sum(b.id) FROM app.item a LEFT JOIN app.item b ON b.id = a.id + 1 AND @b.workspace_id WHERE a.id < 300'),
	('SELECT count(*), sum(a.id) FROM app.item a LEFT JOIN app.item b ON b.id = a.id + 1 WHERE @b.workspace_id'),
	('SELECT count(*), sum(a.id) FROM app.item a FULL JOIN app.partial b ON b.id = a.id AND b.note = ''note 3'' WHERE @a.workspace_id OR @b.workspace_id'),
	('SELECT count(*), sum(id) FROM app.item a WHERE EXISTS (SELECT FROM app.hashed b WHERE b.workspace_id = a.workspace_id AND @b.workspace_id AND b.id < 300)'),
	('SELECT count(*), sum(id) FROM app.item a WHERE NOT EXISTS (SELECT FROM app.hashed b WHERE b.workspace_id = a.workspace_id AND @b.workspace_id)'),
	('SELECT count(*), sum(id) FROM app.item a WHERE workspace_id IN (SELECT workspace_id FROM app.by_range b WHERE @b.workspace_id AND id < 300)'),
	('SELECT count(*), sum(b.id) FROM generate_series(1, 20) n, LATERAL (SELECT id FROM app.item WHERE id > n * 50 AND @workspace_id ORDER BY id LIMIT 3) b'),
	('SELECT count(*), sum(n * b.id) FROM app.item a LEFT JOIN LATERAL (SELECT id, a.id AS n FROM app.item WHERE @workspace_id) b ON true WHERE a.id < 20'),
	('SELECT count(*), sum(id) FROM (TABLE app.item UNION ALL TABLE app.by_hash UNION ALL TABLE app.second) every WHERE @workspace_id'),
	-- negated, twice, and of what is no column
	('SELECT count(*), sum(id) FROM app.item WHERE NOT @workspace_id'),
	('SELECT count(*), sum(id) FROM app.item WHERE @workspace_id AND @workspace_id AND note = ''note 3'''),
	('SELECT count(*) FILTER (WHERE @workspace_id), sum(CASE WHEN @workspace_id THEN id END) FROM app.item'),
	('SELECT count(*), sum(id) FROM app.item WHERE (@workspace_id) IS NOT TRUE AND id < 1000');
-- what plain SQL answers
CREATE TABLE app.answer (n int, user_id text, open text, answer text);
DO $$
DECLARE
	q record;
	form text := 'coalesce(\1 IN (SELECT r.workspace_id FROM app.reach r WHERE r.user_id = current_setting(''cnap.user_id'')), false)';
BEGIN
	FOR q IN SELECT *
		FROM app.query, unnest('{few, some, most, everybody, nobody, ""}'::text[]) user_id, unnest('{no, yes}'::text[]) open LOOP
		PERFORM set_config('cnap.user_id', q.user_id, true), set_config('app.open', q.open, true);
		EXECUTE format('INSERT INTO app.answer SELECT $1, $2, $3, a::text FROM (%s) a',
			regexp_replace(q.query, '@([a-z_.]+)', form, 'g'))
		USING q.n, q.user_id, q.open;
	END LOOP;
END $$;
SELECT count(*) FROM app.query;
SELECT user_id, count(DISTINCT answer) > 10 AS various FROM app.answer WHERE answer <> '(0,)' GROUP BY user_id ORDER BY user_id;
GRANT SELECT ON app.query, app.answer TO regress_cnap_app;

-- Executes each query for each user with certain kinds of plans switched off, planned for the user
-- and with one plan for all users, and returns whatever differs from plain SQL.
CREATE FUNCTION pg_temp.differences(off text, form text DEFAULT 'cnap_can_access(\1)')
RETURNS TABLE (query text, who text, expected text, result text, shared text)
LANGUAGE plpgsql AS $$
DECLARE
	kind text;
	q record;
	a record;
	checked text;
BEGIN
	FOREACH kind IN ARRAY string_to_array(off, ' ') LOOP
		PERFORM set_config('enable_' || kind, 'off', true);
	END LOOP;
	PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
	FOR q IN SELECT * FROM app.query ORDER BY n LOOP
		query := q.query;
		checked := 'SELECT a::text FROM (' || regexp_replace(query, '@([a-z_.]+)', form, 'g') || ') a';
		EXECUTE 'PREPARE shared AS ' || checked;
		FOR a IN SELECT * FROM app.answer WHERE n = q.n AND open = current_setting('app.open') ORDER BY user_id LOOP
			who := a.user_id;
			expected := a.answer;
			PERFORM set_config('cnap.user_id', who, true);
			EXECUTE checked INTO result;
			EXECUTE 'EXECUTE shared' INTO shared;
			IF (result, shared) IS DISTINCT FROM (expected, expected) THEN
				RETURN NEXT;
			END IF;
		END LOOP;
		DEALLOCATE shared;
	END LOOP;
END $$;

SET ROLE regress_cnap_app;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET app.open = 'no';
SELECT * FROM pg_temp.differences('');
SELECT * FROM pg_temp.differences('', 'cnap_can_access(current_setting(''cnap.user_id''), \1)');
SELECT * FROM pg_temp.differences('', 'cnap_has_permission(\1, ''access'')');
SELECT * FROM pg_temp.differences('seqscan bitmapscan hashjoin');
SELECT * FROM pg_temp.differences('seqscan indexscan indexonlyscan mergejoin');
SELECT * FROM pg_temp.differences('indexscan indexonlyscan bitmapscan nestloop hashagg');
SET app.open = 'yes';
SET enable_partitionwise_join = on;
SELECT * FROM pg_temp.differences('seqscan');
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SELECT * FROM pg_temp.differences('');

RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
