-- planner: the effect of planner support for the checks
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
-- changes of protections by hand are what is tested here
SET cnap.guard = off;
-- plans depend on what the session has cached
SET debug_discard_caches = 0;

-- 1000 workspaces of 20 rows: few owns 5 of them, some 300; more is a member of 500, most of 900
SET ROLE NONE;
INSERT INTO cnap.workspace (id, name, owner_id, created_at)
SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, 'w' || n,
	CASE WHEN n <= 5 THEN 'few' WHEN n <= 305 THEN 'some' ELSE 'rest' END, '2020-01-01'
FROM generate_series(1, 1000) n;
INSERT INTO cnap.workspace_member (workspace_id, user_id, created_at)
SELECT w.id, m.user_id, '2020-01-01'
FROM cnap.workspace w, (VALUES ('more', 500), ('most', 900)) m (user_id, workspaces)
WHERE w.name LIKE 'w%' AND substr(w.name, 2)::int <= m.workspaces;
CREATE SCHEMA app;
CREATE TABLE app.item (id integer PRIMARY KEY, workspace_id uuid NOT NULL, note text NOT NULL);
INSERT INTO app.item
SELECT n, ('00000000-0000-4000-9000-' || lpad((1 + (n * 7919) % 1000)::text, 12, '0'))::uuid, repeat('x', 50)
FROM generate_series(1, 20000) n;
CREATE INDEX item_workspace_id_idx ON app.item (workspace_id);
CREATE TABLE app.hashed AS TABLE app.item;
CREATE INDEX hashed_workspace_id_idx ON app.hashed USING hash (workspace_id);
CREATE TABLE app.second AS TABLE app.item;
CREATE INDEX second_idx ON app.second (note, workspace_id);
CREATE TABLE app.partial AS TABLE app.item;
CREATE INDEX partial_idx ON app.partial (workspace_id) WHERE id > 10000;
-- with so few statistics that estimates do not load a set of 300
CREATE TABLE app.sampled AS TABLE app.item;
ALTER TABLE app.sampled ALTER workspace_id SET STATISTICS 5;
CREATE INDEX sampled_workspace_id_idx ON app.sampled (workspace_id);
-- each workspace has two projects of ten rows: few the numbers 2 to 11
CREATE TABLE app.task AS
SELECT *, 2 * right(workspace_id::text, 12)::int + id / 1000 % 2 AS project_id FROM app.item;
CREATE INDEX task_workspace_id_idx ON app.task (workspace_id);
CREATE INDEX task_project_id_idx ON app.task (project_id);
GRANT USAGE ON SCHEMA app TO regress_cnap_app;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
VACUUM ANALYZE app.item, app.hashed, app.second, app.partial, app.sampled, app.task;
SELECT cnap_protect(t) FROM unnest('{app.item, app.hashed, app.sampled, app.task}'::regclass[]) t;

SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET ROLE regress_cnap_app;

-- how many rows the planner expects, and finds
CREATE FUNCTION pg_temp.estimate(query text, OUT expected float8, OUT actual float8)
LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, TIMING off, COSTS on, FORMAT json) ' || query INTO plan;
	expected := plan -> 0 -> 'Plan' -> 'Plan Rows';
	actual := plan -> 0 -> 'Plan' -> 'Actual Rows';
END
$$;

-- ---- the index, for users who reach few rows ----

SET cnap.user_id = 'few';
EXPLAIN (COSTS off) SELECT note FROM app.item;
SELECT count(*) FROM app.item;
EXPLAIN (COSTS off) SELECT count(*) FROM app.item;
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE id = 17;
-- not for a sample, of which an index would find more
EXPLAIN (COSTS off) SELECT note FROM app.item TABLESAMPLE BERNOULLI (10);
-- also without a user
SET cnap.user_id = '';
EXPLAIN (COSTS off) SELECT note FROM app.item;
SELECT count(*) FROM app.item;

-- ---- the table, for users who reach many rows ----

SET cnap.user_id = 'most';
EXPLAIN (COSTS off) SELECT note FROM app.item;
EXPLAIN (COSTS off) SELECT count(*) FROM app.item;
SELECT count(*) FROM app.item;
EXPLAIN (COSTS off) SELECT count(*) FROM app.item;
EXPLAIN (COSTS off) SELECT note FROM app.item ORDER BY id DESC LIMIT 10;
-- the index alone, where it answers everything: what planning reads then depends on the table
SET cnap.user_id = 'some';
EXPLAIN (COSTS off) SELECT note FROM app.sampled;
EXPLAIN (COSTS off) SELECT count(*) FROM app.sampled;
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE note > 'w';
EXPLAIN (COSTS off) SELECT count(*) FROM app.item;
SELECT count(*) FROM app.item;
SET cnap.user_id = 'more';
EXPLAIN (COSTS off) SELECT count(*) FROM app.item;
SELECT count(*) FROM app.item;
SET cnap.user_id = 'some';
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE id BETWEEN 100 AND 200;

-- ---- values given by the query, which are all that an index has to search for ----

SET cnap.user_id = 'few';
SET enable_bitmapscan = off;
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE workspace_id = '00000000-0000-4000-9000-000000000001';
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE workspace_id IN ('00000000-0000-4000-9000-000000000001', '00000000-0000-4000-9000-000000000999');
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE workspace_id = ANY (cnap_accessible_workspaces());
EXPLAIN (COSTS off) SELECT i.note FROM app.sampled s JOIN app.item i USING (workspace_id)
WHERE s.id = 17 AND s.workspace_id = '00000000-0000-4000-9000-000000000001';
SELECT count(*) FROM app.item WHERE workspace_id IN ('00000000-0000-4000-9000-000000000001', '00000000-0000-4000-9000-000000000999');
SELECT count(*) FROM app.item WHERE workspace_id = ANY (cnap_accessible_workspaces());
-- these do not give any
SET enable_seqscan = off;
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE workspace_id <> '00000000-0000-4000-9000-000000000001';
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE workspace_id <> ALL ('{00000000-0000-4000-9000-000000000001}'::uuid[]);
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE workspace_id = md5(note)::uuid;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- ---- estimates ----

SELECT who, actual, expected BETWEEN actual * 0.8 AND actual * 1.25 AS near
FROM unnest('{few, some, more, most}'::text[]) who,
	LATERAL (SELECT set_config('cnap.user_id', who, false)) s (setting),
	LATERAL pg_temp.estimate('SELECT * FROM app.item WHERE ' || quote_literal(setting) || ' <> ''''') e
ORDER BY actual;

-- ---- the query's other conditions ----

SET cnap.user_id = 'few';
-- used with an index if no column is in what it compares with, and only then before the check
EXPLAIN (COSTS off) SELECT note FROM app.task WHERE project_id = COALESCE(nullif(current_setting('app.project', true), '')::int, 4);
CREATE FUNCTION pg_temp.see(project_id int) RETURNS int COST 0.000001
LANGUAGE plpgsql AS $$
BEGIN
	IF project_id NOT BETWEEN 2 AND 11 THEN
		RAISE EXCEPTION 'saw %', project_id;
	END IF;
	RETURN project_id;
END
$$;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM app.task WHERE project_id = COALESCE(pg_temp.see(project_id), 0);
RESET enable_indexscan;
RESET enable_bitmapscan;

-- ---- other kinds of indexes ----

SET cnap.user_id = 'few';
-- a hash index does not get the condition, which it supports in bitmap scans only, but serves others
SET seq_page_cost = 1000000;
EXPLAIN (COSTS off) SELECT note FROM app.hashed;
RESET seq_page_cost;
SET enable_seqscan = off;
EXPLAIN (COSTS off) SELECT note FROM app.hashed WHERE workspace_id = '00000000-0000-4000-9000-000000000001';
RESET enable_seqscan;
SELECT count(*) FROM app.hashed;
-- not a later column of an index, which would break the order of its rows
SET seq_page_cost = 1000;
EXPLAIN (COSTS off) SELECT note, workspace_id FROM app.second WHERE cnap_can_access(workspace_id) ORDER BY note, workspace_id;
-- a partial index, if the query implies its condition
EXPLAIN (COSTS off) SELECT note FROM app.partial WHERE cnap_can_access(workspace_id) AND id > 15000;
EXPLAIN (COSTS off) SELECT note FROM app.partial WHERE cnap_can_access(workspace_id) AND id > 5000;
RESET seq_page_cost;
SELECT count(*) FROM app.partial WHERE cnap_can_access(workspace_id) AND id > 15000;

-- ---- other forms of the check ----

EXPLAIN (COSTS off) SELECT note FROM app.second s JOIN app.item i USING (note) WHERE s.id = 17 AND cnap_has_permission(i.workspace_id, 'billing');
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_has_permission(workspace_id, 'billing');
RESET ROLE;
ALTER TABLE app.item DISABLE ROW LEVEL SECURITY;
SET ROLE regress_cnap_app;
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_can_access('few', workspace_id);
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_can_access('most', workspace_id);
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_can_access('00000000-0000-4000-8000-000000000001'::uuid, workspace_id);
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_has_permission('few', workspace_id, 'delete');
EXPLAIN (COSTS off) SELECT note FROM app.item
WHERE cnap_has_permission('00000000-0000-4000-8000-00000000000f'::uuid, workspace_id, 'delete');
SELECT count(*) FROM app.item
WHERE cnap_has_permission('00000000-0000-4000-8000-00000000000f'::uuid, workspace_id, 'delete');
-- not if it is not a condition on one column, or depends on the row
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_can_access(note, workspace_id);
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE NOT cnap_can_access(workspace_id);
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_can_access(workspace_id) OR id = 17;
SELECT count(*) FROM app.item WHERE cnap_can_access(workspace_id) OR id = 17;

-- ---- a generic plan is correct for every user ----

SET plan_cache_mode = force_generic_plan;
PREPARE rows AS SELECT count(*) FROM app.item WHERE cnap_can_access(workspace_id);
PREPARE rows_of (text) AS SELECT count(*) FROM app.item WHERE cnap_can_access($1, workspace_id);
EXPLAIN (COSTS off) EXECUTE rows;
EXECUTE rows;
SET cnap.user_id = 'most';
EXECUTE rows;
SET cnap.user_id = '';
EXECUTE rows;
EXPLAIN (COSTS off) EXECUTE rows_of ('few');
EXECUTE rows_of ('few');
EXECUTE rows_of ('most');
EXECUTE rows_of (NULL);
DEALLOCATE ALL;
RESET plan_cache_mode;

-- PostgreSQL asks what the body of a function costs before it puts it in place of the call
RESET ROLE;
CREATE FUNCTION app.answer(visible boolean) RETURNS text IMMUTABLE LANGUAGE sql
AS $$ SELECT CASE WHEN visible THEN 'yes' WHEN NOT visible THEN 'no' END $$;
GRANT USAGE ON SCHEMA app TO regress_cnap_app;
SET ROLE regress_cnap_app;
SELECT app.answer(cnap_can_access('few', workspace_id)) AS few,
	app.answer(cnap_has_permission(upper('NOBODY'), workspace_id, 'access')) AS nobody, count(*)
FROM app.item GROUP BY 1, 2 ORDER BY 1, 2;

-- ---- one row at most, by a unique key: nothing is looked up, and a plan serves everybody ----

RESET ROLE;
CREATE TABLE app.keyed AS
SELECT id, workspace_id, note, id % 100 AS part, id / 100 AS number, id + 0.5 AS leaky, id AS later, id AS even
FROM app.item;
ALTER TABLE app.keyed ADD PRIMARY KEY (id), ADD UNIQUE (part, number), ADD UNIQUE (leaky),
	ADD UNIQUE (later) DEFERRABLE;
CREATE UNIQUE INDEX ON app.keyed (even) WHERE even % 2 = 0;
CREATE INDEX keyed_workspace_id_idx ON app.keyed (workspace_id);
GRANT SELECT ON app.keyed TO regress_cnap_app;
VACUUM ANALYZE app.keyed;
SELECT cnap_protect('app.keyed');
SET ROLE regress_cnap_app;

-- whether planning for a user whom the session does not know looks anything up
CREATE FUNCTION pg_temp.looks_up(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	PERFORM set_config('cnap.user_id', 'newcomer-' || md5(condition), true);
	SELECT misses + loads INTO before FROM cnap_cache_stats();
	EXECUTE 'EXPLAIN SELECT note FROM app.keyed WHERE ' || condition;
	RETURN misses + loads > before FROM cnap_cache_stats();
END
$$;
SELECT condition, pg_temp.looks_up(condition) FROM unnest(ARRAY['id = 17', 'part = 17 AND number = 3',
	'17 = id AND length(note) > 3', 'even = 18 AND even % 2 = 0',
	-- these find more than one row, or may, or must not come before the check
	'true', 'id IN (17, 18)', 'id < 17', 'part = 17', 'id = part', 'later = 17', 'even = 18', 'leaky = 17.5']) condition;

-- the key, or the index on the workspace for somebody who reaches few rows
SET cnap.user_id = 'few';
EXPLAIN (COSTS off) SELECT note FROM app.keyed WHERE part = 17 AND number = 3;
EXPLAIN (COSTS off) SELECT note FROM app.keyed WHERE leaky = 17.5;
SELECT count(*) FROM app.keyed WHERE id IN (SELECT id FROM app.item);
CREATE FUNCTION pg_temp.visible(who text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	visible bigint := 0;
BEGIN
	PERFORM set_config('cnap.user_id', who, true);
	FOR n IN 1 .. 200 LOOP
		visible := visible + (SELECT count(*) FROM app.keyed WHERE id = n);
	END LOOP;
	RETURN visible;
END
$$;
SELECT who, pg_temp.visible(who), answer
FROM unnest('{few, most, nobody, some}'::text[]) who,
	LATERAL (SELECT count(*) AS answer FROM app.item WHERE id <= 200 AND cnap_can_access(who, workspace_id)) a;

-- a role that cannot execute the condition's function gets no condition, and no error
RESET ROLE;
GRANT SET ON PARAMETER cnap.user_id TO regress_cnap_plain;
GRANT EXECUTE ON FUNCTION cnap_can_access(text, uuid) TO regress_cnap_plain;
GRANT USAGE ON SCHEMA app TO regress_cnap_plain;
GRANT SELECT ON app.item TO regress_cnap_plain;
SET ROLE regress_cnap_app;
SET plan_cache_mode = force_generic_plan;
PREPARE planned AS SELECT count(*) FROM app.item WHERE cnap_can_access('few', workspace_id);
EXECUTE planned;
SET ROLE regress_cnap_plain;
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_can_access('few', workspace_id);
SELECT count(*) FROM app.item WHERE cnap_can_access('few', workspace_id);
-- also from a statement planned for another role
EXECUTE planned;
DEALLOCATE planned;
RESET plan_cache_mode;

-- a role that can execute both functions, but is not trusted, gets a plan that is the same for all
-- users, and no answer
RESET ROLE;
REVOKE SET ON PARAMETER cnap.user_id FROM regress_cnap_plain;
GRANT EXECUTE ON FUNCTION cnap.reachable(text, text) TO regress_cnap_plain;
SET ROLE regress_cnap_plain;
EXPLAIN (COSTS off) SELECT note FROM app.item WHERE cnap_can_access('few', workspace_id);
SELECT count(*) FROM app.item WHERE cnap_can_access('few', workspace_id);

-- Estimates may fill the cache, and it is emptied before the next question: of a user with whom several
-- checks of a column are compared, no more is then used than the id. The estimates of the other table
-- leave less room than those of the first one need; the others make the user not the first one in memory.
RESET ROLE;
INSERT INTO cnap.workspace (id, name, owner_id)
SELECT cnap_uuid(n), 'w', CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END FROM generate_series(1, 12000) n;
CREATE TABLE app.even AS SELECT cnap_uuid(2 + 2 * (n % 400)) AS workspace_id FROM generate_series(1, 4000) n;
CREATE TABLE app.odd AS SELECT cnap_uuid(1 + 2 * (n % 500)) AS workspace_id FROM generate_series(1, 4000) n;
ALTER TABLE app.even ALTER workspace_id SET STATISTICS 1000;
ALTER TABLE app.odd ALTER workspace_id SET STATISTICS 1000;
CREATE INDEX ON app.even (workspace_id);
VACUUM ANALYZE app.even, app.odd;
BEGIN;
SET LOCAL cnap.cache_size = 64;
DO $$ BEGIN
	EXECUTE format(
		'EXPLAIN SELECT FROM app.even e, app.odd o
		WHERE cnap_can_access(''even'', e.workspace_id) AND cnap_has_permission(''even'', e.workspace_id, ''administer'')
			AND cnap_has_permission(''even'', e.workspace_id, ''billing'') AND cnap_can_access(''odd'', o.workspace_id)
			AND cnap_has_permission(''odd'', o.workspace_id, ''billing'') AND %s',
		(SELECT string_agg(format('cnap_can_access(%L, o.workspace_id)', repeat('x', 250) || n), ' AND ') FROM generate_series(1, 8) n));
END $$;
SELECT person, count(*) FROM unnest('{even,odd,1,2,3,4,5,6,7,8,9,10,11,12}'::text[]) person, generate_series(1, 1000) n
WHERE cnap_can_access(person, cnap_uuid(n)) GROUP BY 1 ORDER BY 1;
COMMIT;

RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
