-- protect_again: protecting again, and going back to what was there before
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
-- changes of protections by hand are what is tested here
SET cnap.guard = off;

CREATE SCHEMA app;
CREATE VIEW row_security AS
SELECT oid::regclass AS relation, relrowsecurity AS enabled, relforcerowsecurity AS forced
FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p')
ORDER BY relname COLLATE "C";
CREATE VIEW state AS
SELECT relation, workspace_column, write_permission, enforced
FROM cnap_protected_tables() ORDER BY relation::text COLLATE "C";
\pset format unaligned

-- ---- what is not named stays as it is ----

CREATE TABLE app.doc (tenant uuid NOT NULL, workspace_id uuid, id int UNIQUE NOT NULL);
CREATE INDEX ON app.doc (tenant);
CREATE INDEX ON app.doc (workspace_id);
SELECT cnap_protect('app.doc', 'tenant', 'administer') \g /dev/null
SELECT cnap_protect('app.doc') \g /dev/null
SELECT * FROM state;
SELECT cnap_protect('app.doc', NULL, NULL) \g /dev/null
SELECT * FROM state;
-- also by what is left of it
BEGIN;
DROP POLICY cnap_insert_restrictive ON app.doc;
DROP POLICY cnap_update_restrictive ON app.doc;
DROP POLICY cnap_delete_restrictive ON app.doc;
SELECT cnap_protect('app.doc') \g /dev/null
SELECT * FROM state;
ROLLBACK;
-- each on its own; a change of the permission is announced, for children as well
CREATE TABLE app.note (doc_id int NOT NULL REFERENCES app.doc (id));
CREATE INDEX ON app.note (doc_id);
SELECT cnap_protect_child('app.note', 'doc_id') \g /dev/null
SELECT cnap_protect('app.doc', write_permission => 'access') \g /dev/null
SELECT cnap_protect('app.doc', 'workspace_id') \g /dev/null
SELECT cnap_protect('app.doc', write_permission => 'administer') \g /dev/null
SELECT cnap_protect('app.doc', write_permission => 'administer') \g /dev/null
SELECT * FROM state;
-- the plan for the schema leaves it alone, and says so if another permission is asked for
SELECT relation, statement, reason FROM cnap_protect_schema('app') WHERE relation = 'app.doc'::regclass;
SELECT relation, statement, reason FROM cnap_protect_schema('app', true, write_permission => 'access')
WHERE relation = 'app.doc'::regclass;
SELECT * FROM state;
-- the permission of a table that was protected through a parent stays, too
ALTER TABLE app.note ADD workspace_id uuid;
CREATE INDEX ON app.note (workspace_id);
SELECT cnap_protect('app.note') \g /dev/null
SELECT * FROM state;
SELECT cnap_unprotect('app.note') \g /dev/null
SELECT cnap_protect('app.note') \g /dev/null
SELECT * FROM state;
DROP TABLE app.note, app.doc;

-- partitions: one NOTICE for those that were alike, one for each other
CREATE TABLE app.event (id int, workspace_id uuid) PARTITION BY LIST (id);
CREATE INDEX ON app.event (workspace_id);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES IN (1);
CREATE TABLE app.event_2 PARTITION OF app.event FOR VALUES IN (2);
SELECT cnap_protect('app.event', write_permission => 'administer') \g /dev/null
SELECT cnap_protect('app.event_2', write_permission => 'transfer') \g /dev/null
SELECT cnap_protect('app.event', write_permission => 'access') \g /dev/null
DROP TABLE app.event;

-- ---- row-level security as it was ----

CREATE TABLE app.t (workspace_id uuid PRIMARY KEY);
CREATE FUNCTION pg_temp.there_and_back(before text, meanwhile text DEFAULT 'SELECT') RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE before;
	PERFORM cnap_protect('app.t');
	EXECUTE meanwhile;
	PERFORM cnap_unprotect('app.t');
	SELECT format('enabled: %s, forced: %s, policies: %s', relrowsecurity, relforcerowsecurity,
		(SELECT count(*) FROM pg_policy WHERE polrelid = c.oid)) INTO result
	FROM pg_class c WHERE oid = 'app.t'::regclass;
	RAISE SQLSTATE 'UNDO1';
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
	RETURN result;
END $$;
\set SHOW_CONTEXT never
-- without policies
SELECT pg_temp.there_and_back('SELECT');
SELECT pg_temp.there_and_back('ALTER TABLE app.t FORCE ROW LEVEL SECURITY');
SELECT pg_temp.there_and_back('ALTER TABLE app.t ENABLE ROW LEVEL SECURITY');
SELECT pg_temp.there_and_back('ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
-- with policies of its own, permissive or restrictive, in force or not
SELECT before, pg_temp.there_and_back(before)
FROM unnest(ARRAY[
	'ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON app.t USING (true)',
	'ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY p ON app.t FOR SELECT USING (true)',
	'CREATE POLICY p ON app.t USING (true)',
	'CREATE POLICY "A" ON app.t AS RESTRICTIVE USING (true); CREATE POLICY b ON app.t AS RESTRICTIVE USING (true)',
	'ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; CREATE POLICY "A" ON app.t AS RESTRICTIVE USING (true)',
	'ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON app.t FOR INSERT WITH CHECK (true)']) AS before;
-- with some that it has got since, which are in force
SELECT meanwhile, pg_temp.there_and_back('SELECT', meanwhile)
FROM unnest(ARRAY[
	'CREATE POLICY p ON app.t USING (true)',
	'CREATE POLICY tight ON app.t AS RESTRICTIVE USING (true)']) AS meanwhile;
SELECT meanwhile, pg_temp.there_and_back('CREATE POLICY "p, ""1""" ON app.t USING (true); CREATE POLICY q ON app.t USING (true)', meanwhile)
FROM unnest(ARRAY[
	'SELECT',
	'DROP POLICY q ON app.t',
	'CREATE POLICY p ON app.t USING (true)',
	'ALTER POLICY q ON app.t RENAME TO r']) AS meanwhile;
-- what is recorded outlasts repetition, changes, renaming and repairs
SELECT meanwhile, pg_temp.there_and_back(
	'ALTER TABLE app.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON app.t USING (true)', meanwhile)
FROM unnest(ARRAY[
	$$SELECT cnap_protect('app.t')$$,
	$$SELECT cnap_protect('app.t', write_permission => 'administer'); SELECT cnap_protect('app.t')$$,
	$$ALTER POLICY cnap_select_restrictive ON app.t RENAME TO other$$,
	$$ALTER POLICY cnap_select_restrictive ON app.t USING (true)$$,
	$$ALTER TABLE app.t RENAME TO u; ALTER TABLE app.u RENAME TO t$$,
	$$DROP POLICY cnap_insert_restrictive ON app.t; SELECT cnap_protect_schema('app', true)$$]) AS meanwhile;
-- without the record, or with a comment of somebody else's, policies of the table's own keep it enabled
SELECT meanwhile, pg_temp.there_and_back('CREATE POLICY p ON app.t USING (true)', meanwhile),
	pg_temp.there_and_back('SELECT', meanwhile)
FROM unnest(ARRAY[
	'COMMENT ON POLICY cnap_select_restrictive ON app.t IS NULL',
	'COMMENT ON POLICY cnap_select_restrictive ON app.t IS ''mine''',
	'DROP POLICY cnap_select_restrictive ON app.t']) AS meanwhile;
DROP TABLE app.t;
-- each partition as it was, also one that was created meanwhile
CREATE TABLE app.event (id int, workspace_id uuid) PARTITION BY LIST (id);
CREATE INDEX ON app.event (workspace_id);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES IN (1);
ALTER TABLE app.event_1 ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.event_1 USING (true);
SELECT cnap_protect('app.event') \g /dev/null
CREATE TABLE app.event_2 PARTITION OF app.event FOR VALUES IN (2);
SELECT cnap_unprotect('app.event') \g /dev/null
SELECT * FROM row_security;
DROP TABLE app.event;

-- ---- a policy of the table's own that is dropped later ----

SET client_min_messages = warning;
CREATE VIEW findings AS
SELECT rule, object FROM cnap_lint() WHERE rule LIKE 'policy\_%' ORDER BY rule, object;
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE INDEX ON app.project (workspace_id);
CREATE TABLE app.task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project);
CREATE TABLE app.event (id int, workspace_id uuid NOT NULL REFERENCES cnap.workspace) PARTITION BY LIST (id);
CREATE INDEX ON app.event (workspace_id);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES IN (1);
CREATE POLICY mine ON app.project USING (true);
CREATE POLICY mine ON app.task USING (true);
CREATE POLICY mine ON app.event_1 USING (true);
SELECT FROM cnap_protect_schema('app', true, write_permission => 'administer') \g /dev/null
SELECT relation, statement FROM cnap_protect_schema('app') WHERE statement IS NOT NULL;
SELECT * FROM findings;
DROP POLICY mine ON app.project;
DROP POLICY mine ON app.task;
DROP POLICY mine ON app.event_1;
SELECT * FROM findings;
SELECT relation, statement FROM cnap_protect_schema('app') WHERE statement IS NOT NULL;
SELECT FROM cnap_protect_schema('app', true) \g /dev/null
SELECT * FROM findings;
SELECT relation, statement FROM cnap_protect_schema('app') WHERE statement IS NOT NULL;
SELECT * FROM state;
-- so is a policy of ours that was dropped or altered, even beside one of the table's own
CREATE FUNCTION pg_temp.repaired_after(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE change;
	result := format('findings: %s, planned: %s', array(SELECT object FROM findings)::text,
		array(SELECT relation::text FROM cnap_protect_schema('app') WHERE statement IS NOT NULL)::text);
	PERFORM cnap_protect_schema('app', true);
	result := format('%s, left: %s', result, array(SELECT object FROM findings)::text);
	RAISE SQLSTATE 'UNDO1';
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
	RETURN result;
END $$;
SELECT change, pg_temp.repaired_after(change)
FROM unnest(ARRAY[
	'SELECT',
	'DROP POLICY cnap_update_permissive ON app.project',
	'ALTER POLICY cnap_select_permissive ON app.project USING (false)',
	'ALTER POLICY cnap_select_permissive ON app.project USING (false); CREATE POLICY mine ON app.project USING (true)',
	'DROP POLICY cnap_delete_permissive ON app.event_1',
	'ALTER POLICY cnap_insert_restrictive ON app.task WITH CHECK (true)',
	'CREATE POLICY mine ON app.project USING (true)']) AS change;
\pset format aligned

DROP VIEW findings, state, row_security;
DROP SCHEMA app CASCADE;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
