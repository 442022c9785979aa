/*
 * Tables whose parents are searched: where there is a LIMIT, one by one for the first rows, then all
 * at once, with the same answers, in every kind of plan; these by the array of their keys, if that is the
 * same search.
 */
CREATE EXTENSION cnap_org;
SET client_min_messages = warning;
SET jit = off;
\pset format unaligned
\pset tuples_only on
CREATE ROLE regress_cnap_app;
SELECT FROM cnap_trust('regress_cnap_app');

-- half of 40 workspaces are Hugo's; each has 100 folders, and each of them 5 notes
INSERT INTO cnap.workspace (id, name, owner_id)
SELECT cnap_uuid(n), 'w' || n, CASE WHEN n % 2 = 0 THEN 'hugo' ELSE 'rest' END FROM generate_series(1, 40) n;
CREATE SCHEMA app;
CREATE TABLE app.folder AS SELECT id, cnap_uuid(1 + id % 40) AS workspace_id FROM generate_series(1, 4000) id;
ALTER TABLE app.folder ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL;
CREATE TABLE app.note AS SELECT id, 1 + id * 7919 % 4000 AS folder_id, 'note' AS title FROM generate_series(1, 20000) id;
ALTER TABLE app.note ADD PRIMARY KEY (id), ADD FOREIGN KEY (folder_id) REFERENCES app.folder;
CREATE INDEX ON app.note (folder_id);
CREATE TABLE app.line AS SELECT id, 1 + id * 31 % 20000 AS note_id FROM generate_series(1, 20000) id;
ALTER TABLE app.line ADD PRIMARY KEY (id), ADD FOREIGN KEY (note_id) REFERENCES app.note;
CREATE INDEX ON app.line (note_id);
CREATE TABLE app.part (LIKE app.note, FOREIGN KEY (folder_id) REFERENCES app.folder) PARTITION BY HASH (id);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE app.part_2 PARTITION OF app.part FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE app.part_3 PARTITION OF app.part FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE INDEX ON app.part (id);
INSERT INTO app.part TABLE app.note;
-- one with a policy of the application's own
CREATE TABLE app.open (LIKE app.note INCLUDING INDEXES, FOREIGN KEY (folder_id) REFERENCES app.folder);
INSERT INTO app.open TABLE app.note;
SELECT FROM cnap_protect('app.folder');
SELECT cnap_protect_child(t, 'folder_id') FROM unnest('{app.note, app.part, app.open}'::regclass[]) t;
SELECT FROM cnap_protect_child('app.line', 'note_id');
CREATE POLICY shown ON app.open AS RESTRICTIVE USING (id % 1000 < 900);
GRANT USAGE ON SCHEMA app TO regress_cnap_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
VACUUM ANALYZE app.folder, app.note, app.line, app.part, app.open;

-- the function that counts
SELECT count(*) FILTER (WHERE cnap.at_first(3)), count(*) FILTER (WHERE cnap.at_first(4)), count(*) FILTER (WHERE cnap.at_first(0)),
	count(*) FILTER (WHERE cnap.at_first(-1)), count(*) FILTER (WHERE cnap.at_first(NULL)), count(*) FILTER (WHERE cnap.at_first(2147483647))
FROM generate_series(1, 10);
-- a scan that is repeated goes on counting
SELECT count(*) FROM generate_series(1, 3) a, LATERAL (SELECT FROM generate_series(a, 10) b WHERE cnap.at_first(abs(b) * 0 + 4)) s;

-- how often each search for parents is executed, in the order of the plan
CREATE FUNCTION pg_temp.executed(query text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, TIMING off, COSTS off, FORMAT json) ' || query INTO plan;
	RETURN (SELECT string_agg(CASE kind WHEN 'InitPlan' THEN 'keys ' ELSE '' END || CASE WHEN loops > 1 THEN 'some' ELSE loops::text END, ', ')
		FROM (SELECT (p ->> 'Actual Loops')::numeric AS loops, p ->> 'Parent Relationship' AS kind
			FROM jsonb_path_query(plan, 'strict $.** ? (@."Parent Relationship" == "SubPlan" || @."Parent Relationship" == "InitPlan")') p) s);
END
$$;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'hugo';
SET max_parallel_workers_per_gather = 0;
SELECT pg_temp.executed('SELECT * FROM app.note ORDER BY id DESC LIMIT 10');
SELECT pg_temp.executed('SELECT * FROM app.note ORDER BY id DESC LIMIT 10 OFFSET 10');
SELECT pg_temp.executed('SELECT * FROM app.note ORDER BY title LIMIT 10');
SELECT pg_temp.executed('SELECT max(id) FROM app.note');
SELECT pg_temp.executed('SELECT * FROM app.line ORDER BY id DESC LIMIT 10');
SELECT pg_temp.executed('SELECT * FROM app.part ORDER BY id LIMIT 3');
SELECT pg_temp.executed('SELECT * FROM app.open ORDER BY id LIMIT 10');
-- without a LIMIT, or for each row of another table, it is one or the other
SELECT pg_temp.executed('SELECT * FROM generate_series(1, 500) f, LATERAL (SELECT * FROM app.note WHERE folder_id = f ORDER BY id LIMIT 1) n');
SELECT pg_temp.executed('SELECT f, (SELECT min(id) FROM app.note WHERE folder_id = f) FROM generate_series(1, 500) f');
SELECT pg_temp.executed('SELECT count(*) FROM app.note');
SELECT pg_temp.executed('SELECT * FROM app.note WHERE id = 4');
SELECT pg_temp.executed('SELECT folder_id FROM app.note WHERE id BETWEEN 4 AND 20');
SELECT pg_temp.executed('SELECT count(*) FROM app.note a JOIN app.line b ON b.id = a.id');
SELECT pg_temp.executed('SELECT * FROM app.note WHERE id % 3 = 0 OR folder_id IS NULL');
-- a check that is an operand may also be part of a condition of a join, where it is not replaced
RESET ROLE;
CREATE TABLE app.flag AS SELECT id, folder_id, id % 2 = 0 AS flag FROM app.note WHERE id < 1000;
ANALYZE app.flag;
GRANT SELECT ON app.flag TO regress_cnap_app;
SET ROLE regress_cnap_app;
SELECT a.id, b.id FROM app.flag a, app.flag b
WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = a.folder_id)) = b.flag AND (a.id % 2 = 0) = b.flag
ORDER BY 1, 2 LIMIT 2;
-- and one of UNION ALL is part of each arm, also of one that is no table
SELECT count(*), sum(id) FROM (
	SELECT * FROM (SELECT id, folder_id FROM app.note UNION ALL (SELECT DISTINCT id, folder_id FROM app.flag)
		UNION ALL SELECT f, f FROM generate_series(1, 100) f) u
	WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = u.folder_id)) LIMIT 100000) s;
-- or of joins that are part of each partition
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT count(*), sum(id) FROM (
	SELECT p.id FROM app.flag f JOIN app.part p ON p.id = f.id
		AND (cnap.parent_visible(EXISTS (SELECT FROM app.folder o WHERE o.id = p.folder_id)) AND p.id < 300 AND f.id < 200
			OR cnap.parent_visible(EXISTS (SELECT FROM app.folder o WHERE o.id = p.folder_id + 2)) AND p.id > 19000 AND NOT f.flag)
	LIMIT 100000) s;
RESET enable_seqscan;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- what a query answers on the tables of a schema
RESET ROLE;
CREATE FUNCTION pg_temp.answer(query text, tables text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE 'SELECT string_agg(r::text, '' '') FROM (' || regexp_replace(query, '\{(\w+)\}', tables || '.\1', 'g') || ') r' INTO answer;
	RETURN coalesce(answer, 'nothing');
END
$$;
CREATE TEMP TABLE question (query text);
INSERT INTO question VALUES
	('SELECT count(*), sum(id) FROM {note} t'),
	('SELECT id FROM {note} t ORDER BY id DESC LIMIT 50'),
	('SELECT id FROM {note} t ORDER BY id LIMIT 10 OFFSET 5000'),
	('SELECT max(id), min(id) FROM {note} t'),
	('SELECT folder_id, count(*) FROM {note} t GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5'),
	('SELECT count(*) FROM {note} n JOIN {note} m ON m.id = n.id + 1'),
	('SELECT f, (SELECT count(*) FROM {note} n WHERE n.folder_id = f) FROM generate_series(1, 60) f ORDER BY f'),
	('SELECT f, t.id FROM generate_series(1, 30) f LEFT JOIN LATERAL (SELECT id FROM {note} n WHERE id > f * 500 ORDER BY id LIMIT 3) t ON true ORDER BY 1, 2'),
	('SELECT count(*) FROM {note} n LEFT JOIN {line} l ON l.note_id = n.id WHERE n.id < 300'),
	('SELECT count(*) FROM generate_series(1, 500) s WHERE NOT EXISTS (SELECT FROM {note} t WHERE id = s)'),
	('SELECT sum(id) FROM (SELECT id FROM {note} t UNION ALL SELECT id FROM {part} t) u'),
	('SELECT sum(id) FROM {note} t WHERE false'),
	('SELECT sum(id) FROM {note} t WHERE id = ANY (''{1,2,3,4,5,6,7,8}'')'),
	('SELECT count(*), sum(id) FROM {line} t'),
	('SELECT id FROM {line} t ORDER BY id DESC LIMIT 20'),
	('SELECT max(id) FROM {line} t'),
	('SELECT count(*), sum(id) FROM {part} t'),
	('SELECT max(id), min(id) FROM {part} t'),
	('SELECT id FROM {part} t ORDER BY id DESC LIMIT 50'),
	('SELECT count(*) FROM {part} p JOIN {part} q USING (id) JOIN {note} n USING (id)'),
	('SELECT count(*) FROM (SELECT FROM {note} n LIMIT 7000) t'),
	('SELECT n.id FROM {note} n JOIN {note} m ON m.id = n.id + 2 ORDER BY n.id LIMIT 700'),
	('SELECT n.id, (SELECT l.id FROM {line} l WHERE l.note_id = n.id ORDER BY l.id LIMIT 1) FROM {note} n ORDER BY n.id LIMIT 600'),
	('SELECT p.id FROM {part} p JOIN {part} q USING (id) ORDER BY 1 LIMIT 900'),
	('SELECT count(*), sum(id) FROM {open} t'),
	('SELECT id FROM {open} t ORDER BY id DESC LIMIT 50');
GRANT SELECT ON question TO regress_cnap_app;
-- Hugo's rows alone
CREATE SCHEMA mine;
CREATE TABLE mine.folder AS SELECT f.id FROM app.folder f JOIN cnap.workspace w ON w.id = workspace_id WHERE w.owner_id = 'hugo';
CREATE TABLE mine.note AS SELECT * FROM app.note WHERE folder_id IN (SELECT id FROM mine.folder);
CREATE TABLE mine.line AS SELECT * FROM app.line WHERE note_id IN (SELECT id FROM mine.note);
CREATE TABLE mine.part AS SELECT * FROM app.part WHERE folder_id IN (SELECT id FROM mine.folder);
CREATE TABLE mine.open AS SELECT * FROM app.open WHERE folder_id IN (SELECT id FROM mine.folder) AND id % 1000 < 900;
ALTER TABLE mine.note ADD PRIMARY KEY (id);
ANALYZE mine.folder, mine.note, mine.line, mine.part, mine.open;
CREATE TEMP TABLE expected AS SELECT query, pg_temp.answer(query, 'mine') AS answer FROM question;
GRANT SELECT ON expected TO regress_cnap_app;
SELECT count(DISTINCT answer), count(*) FILTER (WHERE answer = 'nothing') FROM expected;

-- the differences, which there are none of
PREPARE differences AS
SELECT query, answer, found FROM expected, pg_temp.answer(query, 'app') found WHERE found <> answer;
SET ROLE regress_cnap_app;
EXECUTE differences;
SET plan_cache_mode = force_generic_plan;
EXECUTE differences;
SET enable_partitionwise_join = on;
SET enable_partitionwise_aggregate = on;
EXECUTE differences;
SET enable_hashjoin = off;
EXECUTE differences;
RESET enable_hashjoin;
SET enable_bitmapscan = off;
EXECUTE differences;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
EXECUTE differences;
RESET ALL;
SET client_min_messages = warning;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'hugo';

-- a statement that is prepared, for another user, who sees nothing
PREPARE newest AS SELECT count(*), max(id) FROM (SELECT id FROM app.note ORDER BY id DESC LIMIT 500) n;
EXECUTE newest;
SET cnap.user_id = 'nobody';
EXECUTE newest;
SET cnap.user_id = 'hugo';
EXECUTE newest;

-- Keys of another search are not looked up, as far as they are not the same: each of these queries
-- asks for folders below 1000, but the arrays have others.
RESET ROLE;
CREATE VIEW app.some AS SELECT * FROM app.folder;
CREATE TABLE app.other AS SELECT id + 1 AS id, id AS number FROM app.folder;
GRANT SELECT ON app.some, app.other TO regress_cnap_app;
CREATE FUNCTION pg_temp.found(keys text, condition text DEFAULT 'AND f.id < 1000', key text DEFAULT 'n.folder_id', from_clause text DEFAULT 'app.flag n') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	plan text;
	line text;
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %s WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id %s), %s, ARRAY(%s))', from_clause, condition, key, keys) INTO n;
	FOR line IN EXECUTE format('EXPLAIN (COSTS off) SELECT count(*) FROM %s WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id %s), %s, ARRAY(%s))', from_clause, condition, key, keys)
	LOOP
		plan := concat(plan, line);
	END LOOP;
	RETURN n || CASE WHEN plan LIKE '%IS TRUE%' THEN ' looked up' ELSE '' END;
END
$$;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'hugo';
SELECT count(*) FROM app.flag n JOIN app.folder f ON f.id = n.folder_id WHERE f.id < 1000;
SELECT pg_temp.found('SELECT f.id FROM app.folder f WHERE f.id < 1000');
SELECT pg_temp.found('SELECT f.id FROM app.folder f');
SELECT pg_temp.found('SELECT f.id FROM app.folder f WHERE f.id < 2000');
SELECT pg_temp.found('SELECT f.id FROM app.folder f WHERE f.id < 1000 OFFSET 0');
SELECT pg_temp.found('SELECT f.id FROM app.folder f WHERE f.id < 1000 LIMIT 1');
SELECT pg_temp.found('SELECT DISTINCT f.id FROM app.folder f WHERE f.id < 1000');
SELECT pg_temp.found('SELECT max(f.id) FROM app.folder f WHERE f.id < 1000');
SELECT pg_temp.found('SELECT f.id FROM app.folder f WHERE f.id < 1000 GROUP BY f.id HAVING f.id > 3');
SELECT pg_temp.found('SELECT f.id FROM app.folder f WHERE f.id < 1000 UNION SELECT 1');
SELECT pg_temp.found('SELECT f.id + 1 FROM app.folder f WHERE f.id < 1000');
SELECT pg_temp.found('SELECT f.id FROM app.folder f TABLESAMPLE BERNOULLI (100) WHERE f.id < 1000');
SELECT pg_temp.found('SELECT f.id FROM app.some f WHERE f.id < 1000');
SELECT pg_temp.found('SELECT f.id FROM app.other f WHERE f.id < 1000');
SELECT pg_temp.found('SELECT f.id FROM app.folder f, app.other o WHERE f.id < 1000 AND o.id = f.id');
SELECT pg_temp.found('SELECT f.id::bigint FROM app.folder f WHERE f.id < 1000');
SELECT count(*) FROM app.flag n
WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE n.folder_id = 3920 AND f.id < 0), n.folder_id, ARRAY(SELECT 3920 FROM app.folder f WHERE f.id < 0 HAVING true));
SELECT pg_temp.found('SELECT f.id FROM app.folder f WHERE f.id < g.x', 'AND f.id < g.x', from_clause => '(SELECT 1000 AS x OFFSET 0) g, LATERAL (SELECT * FROM app.flag n WHERE n.id > g.x - 1000 OFFSET 0) n');
-- an array that is another one for each row of an outer query
SELECT g.x, n.found, n.found = (SELECT count(*) FROM app.flag n JOIN app.folder f ON f.id = n.folder_id WHERE f.id < g.x) AS right
FROM (SELECT x FROM generate_series(3500, 500, -1000) x OFFSET 0) g,
	LATERAL (SELECT count(*) AS found FROM app.flag n
		WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id AND f.id < g.x), n.folder_id, ARRAY(SELECT f.id FROM app.folder f WHERE f.id < g.x))) n;
-- one that is read by somebody else
RESET ROLE;
CREATE VIEW app.everybodys AS SELECT n.*, ARRAY(SELECT f.id FROM app.folder f) AS keys FROM app.flag n;
GRANT SELECT ON app.everybodys TO regress_cnap_app;
SET ROLE regress_cnap_app;
SELECT count(*) FROM app.flag n JOIN app.folder f ON f.id = n.folder_id;
SELECT count(*) FROM app.everybodys n WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id), n.folder_id, n.keys);
-- a call with what looks like a lookup, or hides a parameter
SELECT count(*) FROM app.flag n
WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id AND f.id < 1000), n.folder_id, CASE WHEN n.folder_id > 0 THEN n.folder_id = ANY ('{1,2,3,4,5,6,7,8,9,10}') END)
	AND cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id), n.folder_id, ARRAY(SELECT f.id FROM app.folder f));
SELECT count(*) FROM app.flag n
WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id AND f.id < 1000), n.folder_id, CASE WHEN cnap.never() THEN n.folder_id = ANY ('{1,2,3,4,5,6,7,8,9,10}') END)
	AND cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id), n.folder_id, ARRAY(SELECT f.id FROM app.folder f));
-- values that somebody else's condition gives or not are no condition of an index
RESET ROLE;
CREATE TABLE app.loose AS SELECT id, folder_id FROM app.note;
CREATE INDEX ON app.loose (folder_id);
ANALYZE app.loose;
GRANT SELECT ON app.loose TO regress_cnap_app;
SET ROLE regress_cnap_app;
SELECT count(*) FROM app.loose n
WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id AND f.id < 300), n.folder_id, CASE WHEN pg_has_role('pg_monitor', 'USAGE') THEN '{1,2}'::int[] END);
SELECT count(*) FROM app.loose n JOIN app.folder f ON f.id = n.folder_id WHERE f.id < 300;
PREPARE hidden(int, int[]) AS SELECT count(*) FROM app.flag n
WHERE cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id AND f.id < 1000), n.folder_id, CASE WHEN cnap.never() THEN n.folder_id = ANY ($2) END)
	AND cnap.parent_visible(EXISTS (SELECT FROM app.folder f WHERE f.id = n.folder_id), n.folder_id, CASE WHEN cnap.never() THEN $2 END);
SET plan_cache_mode = force_generic_plan;
EXECUTE hidden(1, '{1,2}');
RESET plan_cache_mode;
-- nor are more keys collected than an array can hold, where the estimate is sixteen times too small
RESET ROLE;
BEGIN;
CREATE FUNCTION pg_temp.plan(query text, parents bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	plan text;
	line text;
BEGIN
	UPDATE pg_class SET reltuples = parents WHERE oid = 'app.folder'::regclass;
	SET LOCAL ROLE regress_cnap_app;
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
		plan := concat(plan, line);
	END LOOP;
	SET LOCAL ROLE NONE;
	RETURN CASE WHEN plan LIKE '%IS TRUE%' THEN 'looked up' WHEN plan LIKE '%hashed%' THEN 'searched' ELSE plan END;
END
$$;
SET LOCAL work_mem = '2GB';
UPDATE pg_class SET reltuples = 1e10 WHERE oid = 'app.note'::regclass;
SELECT parents, pg_temp.plan('SELECT count(*) FROM app.note', parents) FROM unnest('{8000000, 9000000}'::bigint[]) parents;
ROLLBACK;
-- a child with few rows does not collect the keys of many parents
CREATE TABLE app.small AS SELECT * FROM app.note WHERE id < 40;
ALTER TABLE app.small ADD FOREIGN KEY (folder_id) REFERENCES app.folder;
CREATE INDEX ON app.small (folder_id);
SELECT FROM cnap_protect_child('app.small', 'folder_id');
GRANT SELECT ON app.small TO regress_cnap_app;
VACUUM ANALYZE app.small;
UPDATE cnap.workspace SET owner_id = 'rest' WHERE id > cnap_uuid(4) AND owner_id = 'hugo';
SET ROLE regress_cnap_app;
SELECT count(*), pg_temp.executed('SELECT count(*) FROM app.small') FROM app.small;
RESET ROLE;
UPDATE cnap.workspace SET owner_id = 'hugo' WHERE substr(name, 2)::int % 2 = 0;
-- a role that must not execute the hash function
CREATE TABLE app.priced AS SELECT id::numeric AS price, workspace_id FROM app.folder;
ALTER TABLE app.priced ADD PRIMARY KEY (price), ALTER workspace_id SET NOT NULL;
CREATE TABLE app.bought AS SELECT id, folder_id::numeric AS price FROM app.note;
ALTER TABLE app.bought ADD FOREIGN KEY (price) REFERENCES app.priced;
SELECT FROM cnap_protect('app.priced');
SELECT FROM cnap_protect_child('app.bought', 'price');
GRANT SELECT ON app.priced, app.bought TO regress_cnap_app;
VACUUM ANALYZE app.priced, app.bought;
BEGIN;
SET LOCAL ROLE regress_cnap_app;
SELECT count(*), pg_temp.executed('SELECT count(*) FROM app.bought') FROM app.bought;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION hash_numeric(numeric) FROM PUBLIC;
SET LOCAL ROLE regress_cnap_app;
SELECT count(*), pg_temp.executed('SELECT count(*) FROM app.bought') FROM app.bought;
SELECT count(*) FROM (SELECT FROM app.bought LIMIT 3) b;
ROLLBACK;
SET ROLE regress_cnap_app;
-- nor are the keys of another search those of the same with a permission that not everybody has
RESET ROLE;
UPDATE cnap.workspace SET owner_id = 'someone' WHERE id = cnap_uuid(2);
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES (cnap_uuid(2), 'hugo', 'member');
SELECT FROM cnap_protect('app.folder', write_permission => 'administer');
SET ROLE regress_cnap_app;
SET cnap.user_id = 'hugo';
SELECT count(*), count(*) FILTER (WHERE folder_id % 40 = 1) FROM app.part;
BEGIN;
WITH u AS (UPDATE app.part SET title = 'changed' RETURNING *) SELECT count(*), count(*) FILTER (WHERE folder_id % 40 = 1) FROM u;
WITH d AS (DELETE FROM app.part RETURNING *) SELECT count(*), count(*) FILTER (WHERE folder_id % 40 = 1) FROM d;
ROLLBACK;
RESET ROLE;
UPDATE cnap.workspace SET owner_id = 'hugo' WHERE id = cnap_uuid(2);

-- keys of other types: what is NULL, text, and equal without being the same
CREATE COLLATION app.fold (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false);
CREATE TABLE app.box AS SELECT 'k' || id AS key, id::bigint AS number, 'K' || id AS folded, workspace_id FROM app.folder;
ALTER TABLE app.box ALTER folded TYPE text COLLATE app.fold, ALTER key TYPE varchar(20), ALTER workspace_id SET NOT NULL, ADD PRIMARY KEY (key), ADD UNIQUE (number), ADD UNIQUE (folded);
UPDATE app.box SET number = NULL WHERE number % 7 = 0;
CREATE TABLE app.by_key AS SELECT id, 'k' || 1 + id % 4000 AS box FROM generate_series(1, 9000) id;
CREATE TABLE app.by_number AS SELECT id, CASE WHEN id % 5 > 0 THEN number END AS box FROM generate_series(1, 9000) id LEFT JOIN app.box ON number = id % 4000;
CREATE TABLE app.by_small AS SELECT id, box::int FROM app.by_number;
CREATE TABLE app.by_folded AS SELECT id, 'k' || 1 + id % 4000 AS box FROM generate_series(1, 9000) id;
ALTER TABLE app.by_folded ALTER box TYPE text COLLATE app.fold;
ALTER TABLE app.by_key ADD FOREIGN KEY (box) REFERENCES app.box;
ALTER TABLE app.by_number ADD FOREIGN KEY (box) REFERENCES app.box (number);
ALTER TABLE app.by_small ADD FOREIGN KEY (box) REFERENCES app.box (number);
ALTER TABLE app.by_folded ADD FOREIGN KEY (box) REFERENCES app.box (folded);
SELECT FROM cnap_protect('app.box');
SELECT cnap_protect_child(t, 'box') FROM unnest('{app.by_key, app.by_number, app.by_small, app.by_folded}'::regclass[]) t;
CREATE INDEX ON app.by_number (box);
GRANT SELECT ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
VACUUM ANALYZE app.box, app.by_key, app.by_number, app.by_small, app.by_folded;
CREATE TABLE mine.box AS SELECT b.* FROM app.box b JOIN cnap.workspace w ON w.id = workspace_id WHERE w.owner_id = 'hugo';
SELECT (SELECT count(*) FROM app.by_key c JOIN mine.box b ON b.key = c.box), (SELECT count(*) FROM app.by_number c JOIN mine.box b ON b.number = c.box),
	(SELECT count(*) FROM app.by_small c JOIN mine.box b ON b.number = c.box), (SELECT count(*) FROM app.by_folded c JOIN mine.box b ON b.folded = c.box);
SET ROLE regress_cnap_app;
SET cnap.user_id = 'hugo';
SELECT (SELECT count(*) FROM app.by_key), (SELECT count(*) FROM app.by_number), (SELECT count(*) FROM app.by_small), (SELECT count(*) FROM app.by_folded);
SELECT pg_temp.executed('SELECT count(*) FROM app.by_key'), pg_temp.executed('SELECT count(id) FROM app.by_number'),
	pg_temp.executed('SELECT count(*) FROM app.by_small'), pg_temp.executed('SELECT count(*) FROM app.by_folded');

-- a cursor that goes to and fro
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM app.note ORDER BY id LIMIT 6000;
MOVE 5000 IN c;
FETCH c;
MOVE BACKWARD 4990 IN c;
FETCH c;
MOVE ABSOLUTE 5001 IN c;
FETCH c;
COMMIT;

-- objects of a version before that of the library
RESET ROLE;
BEGIN;
SET LOCAL cnap.guard = off;
ALTER FUNCTION cnap.never() RENAME TO not_there;
SET ROLE regress_cnap_app;
SELECT count(*) FROM app.note;
ROLLBACK;
SET ROLE regress_cnap_app;

-- rows that are changed
BEGIN;
WITH u AS (UPDATE app.note SET title = 'changed' RETURNING id) SELECT count(*) FROM u;
WITH u AS (UPDATE app.part SET title = 'changed' WHERE id < 3000 RETURNING id) SELECT count(*) FROM u;
DELETE FROM app.line;
WITH d AS (DELETE FROM app.note RETURNING id) SELECT count(*) FROM d;
SELECT count(*) FROM app.note;
MERGE INTO app.part p USING app.open o ON o.id = p.id WHEN MATCHED AND p.id < 10000 THEN DELETE WHEN MATCHED THEN UPDATE SET title = 'merged';
SELECT count(*), min(title), max(title) FROM app.part;
RESET ROLE;
SELECT count(*) FROM app.line;
SELECT count(*) FROM app.note;
SELECT count(*) FROM app.note WHERE title <> 'note';
SELECT title, count(*) FROM app.part GROUP BY 1 ORDER BY 1;
ROLLBACK;

RESET ROLE;
DEALLOCATE ALL;
DROP FUNCTION pg_temp.executed(text), pg_temp.answer(text, text), pg_temp.found(text, text, text, text);
DROP TABLE question, expected;
DROP SCHEMA app, mine CASCADE;
SELECT FROM cnap_distrust('regress_cnap_app');
DROP ROLE regress_cnap_app;
DROP EXTENSION cnap_org;
