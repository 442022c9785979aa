-- protect_read: tables that not everybody with access may read
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\pset format unaligned
SET client_min_messages = warning;
SELECT FROM cnap_define_permission('audit');
SELECT FROM cnap_define_permission('deploy', delegable => false);
SELECT FROM cnap_define_role('auditor', '{audit}');
SELECT FROM cnap_define_role('scribe', '{deploy}');
SELECT FROM cnap_define_role('keeper', '{audit,deploy}');
SELECT FROM cnap_add_workspace_member(:'w1', 'aud', 'auditor');
SELECT FROM cnap_add_workspace_member(:'w1', 'scr', 'scribe');
SELECT FROM cnap_add_workspace_member(:'w1', 'kim', 'keeper');
-- where the scribe may do everything
\set own '00000000-0000-4000-8000-000000000005'
INSERT INTO cnap.workspace (id, name, owner_id) VALUES (:'own', 'Own', 'scr');

CREATE SCHEMA app;
CREATE TABLE app.entry (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, n int);
CREATE INDEX ON app.entry (workspace_id);
CREATE TABLE app.line (id int PRIMARY KEY, entry_id int NOT NULL REFERENCES app.entry ON DELETE CASCADE, n int);
CREATE INDEX ON app.line (entry_id);
CREATE TABLE app.word (line_id int NOT NULL REFERENCES app.line ON DELETE CASCADE, n int);
CREATE INDEX ON app.word (line_id);
CREATE TABLE app.kept (entry_id int NOT NULL REFERENCES app.entry ON DELETE CASCADE, n int);
CREATE INDEX ON app.kept (entry_id);
INSERT INTO app.entry VALUES (1, :'w1', 0), (2, :'w2', 0);
INSERT INTO app.line VALUES (1, 1, 0), (2, 2, 0);
INSERT INTO app.word VALUES (1, 0), (2, 0);
INSERT INTO app.kept VALUES (1, 0), (2, 0);
GRANT USAGE ON SCHEMA app TO regress_cnap_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
RESET client_min_messages;

CREATE VIEW state AS
SELECT relation, workspace_column AS ws, write_permission AS write, read_permission AS read, enforced
FROM cnap_protected_tables() ORDER BY relation::text COLLATE "C";

-- what somebody can do with a table: the number of rows, or the error
CREATE FUNCTION pg_temp.attempt(person text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	affected bigint;
BEGIN
	PERFORM set_config('cnap.user_id', person, true), set_config('role', 'regress_cnap_app', true);
	EXECUTE statement;
	GET DIAGNOSTICS affected = ROW_COUNT;
	RAISE SQLSTATE 'UNDO1';
EXCEPTION
	WHEN SQLSTATE 'UNDO1' THEN RETURN affected;
	WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.attempts(statements text[])
RETURNS TABLE (statement text, aud text, scr text, kim text, carol text, hal text, ann text, nobody text)
LANGUAGE sql AS $$
	SELECT s, pg_temp.attempt('aud', s), pg_temp.attempt('scr', s), pg_temp.attempt('kim', s), pg_temp.attempt('carol', s),
		pg_temp.attempt('hal', s), pg_temp.attempt('ann', s), pg_temp.attempt('', s)
	FROM unnest(statements) s
$$;

-- ---- reading, writing, and both ----

SELECT FROM cnap_protect('app.entry', write_permission => 'deploy', read_permission => 'audit');
SELECT * FROM state;
SELECT polname, pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS with_check
FROM pg_policy WHERE polrelid = 'app.entry'::regclass AND NOT polpermissive ORDER BY polname;
SELECT * FROM pg_temp.attempts(ARRAY[
	'SELECT FROM app.entry',
	format('INSERT INTO app.entry VALUES (3, %L)', :'w1'),
	format('INSERT INTO app.entry VALUES (3, %L) RETURNING id', :'w1'),
	'UPDATE app.entry SET n = n + 1',
	'UPDATE app.entry SET n = 1',
	-- nor can somebody who may write there, but not read, take the rows along
	format('UPDATE app.entry SET workspace_id = %L', :'own'),
	format('UPDATE app.entry SET workspace_id = %L', :'w2'),
	'DELETE FROM app.entry',
	'DELETE FROM app.entry WHERE id = 1',
	'SELECT FROM app.entry FOR UPDATE',
	format('INSERT INTO app.entry VALUES (1, %L) ON CONFLICT (id) DO UPDATE SET n = 1', :'w1'),
	'MERGE INTO app.entry e USING (VALUES (1)) v (id) ON e.id = v.id WHEN MATCHED THEN UPDATE SET n = 1']);
-- a role that gets the permission, or loses it, sees so at once
SELECT FROM cnap_define_permission('audit', roles => '{auditor,scribe}');
SELECT * FROM pg_temp.attempts('{SELECT FROM app.entry,UPDATE app.entry SET n = 1}');
SELECT FROM cnap_define_permission('audit', roles => '{}');
SELECT * FROM pg_temp.attempts('{SELECT FROM app.entry,UPDATE app.entry SET n = 1}');
SELECT FROM cnap_define_permission('audit', roles => '{auditor,keeper}');

-- ---- what is not named stays as it is ----

SELECT FROM cnap_protect('app.entry');
SELECT FROM cnap_protect('app.entry', NULL, 'deploy', NULL);
SELECT * FROM state;
SELECT FROM cnap_protect('app.entry', read_permission => 'administer');
SELECT FROM cnap_protect('app.entry', write_permission => 'access');
SELECT * FROM state;
SELECT * FROM pg_temp.attempts('{SELECT FROM app.entry,UPDATE app.entry SET n = 1}');
SELECT FROM cnap_protect('app.entry', write_permission => 'administer');
SELECT polname, pg_get_expr(polqual, polrelid) AS using
FROM pg_policy WHERE polrelid = 'app.entry'::regclass AND NOT polpermissive AND polqual IS NOT NULL ORDER BY polname;
SELECT FROM cnap_protect('app.entry', write_permission => 'deploy', read_permission => 'audit');
SELECT cnap_protect('app.entry', read_permission => 'nothing');
SELECT cnap_protect('app.entry', read_permission => '');
SELECT * FROM cnap_protect_schema('app', read_permission => 'nothing');
SELECT * FROM state;

-- ---- children ----

SELECT relation, statement, reason FROM cnap_protect_schema('app', read_permission => 'access');
SELECT FROM cnap_protect_child('app.line', 'entry_id');
SELECT FROM cnap_protect_child('app.word', 'line_id');
SELECT FROM cnap_protect_child('app.kept', 'entry_id', 'workspace_id');
CREATE INDEX ON app.kept (workspace_id);
SELECT * FROM state;
SELECT * FROM pg_temp.attempts(ARRAY[
	'SELECT FROM app.line', 'UPDATE app.line SET n = 1', 'INSERT INTO app.line VALUES (3, 1)', 'DELETE FROM app.line',
	'SELECT FROM app.word', 'UPDATE app.word SET n = 1', 'INSERT INTO app.word VALUES (1)',
	'SELECT FROM app.kept', 'UPDATE app.kept SET n = 1', 'INSERT INTO app.kept VALUES (1)', 'DELETE FROM app.kept']);
-- where everybody with access may write, what is read through the parent does not do for it
SELECT FROM cnap_protect('app.entry', write_permission => 'access');
SELECT pg_get_expr(polwithcheck, polrelid) FROM pg_policy
WHERE polrelid = 'app.line'::regclass AND polname = 'cnap_insert_restrictive';
SELECT * FROM state;
-- and back, when reading requires no more than that
SELECT FROM cnap_protect('app.entry', read_permission => 'access');
SELECT * FROM state;
SELECT * FROM pg_temp.attempts('{SELECT FROM app.line,SELECT FROM app.word,SELECT FROM app.kept,UPDATE app.word SET n = 1}');
SELECT FROM cnap_protect('app.entry', write_permission => 'access', read_permission => 'audit');
SELECT * FROM state;
SELECT relation, statement, reason FROM cnap_protect_schema('app') WHERE statement IS NOT NULL;
SET client_min_messages = warning;
-- a table that was protected through its parent keeps what that requires
BEGIN;
ALTER TABLE app.line ADD workspace_id uuid;
SELECT FROM cnap_protect('app.line', 'workspace_id');
SELECT * FROM state WHERE relation = 'app.line'::regclass;
ROLLBACK;
-- a column with other permissions than the parent's is left alone
SELECT FROM cnap_protect('app.kept', read_permission => 'access');
SELECT FROM cnap_protect('app.entry', read_permission => 'administer');
SELECT * FROM state;
SELECT FROM cnap_protect_child('app.kept', 'entry_id', 'workspace_id');
SELECT * FROM state WHERE relation = 'app.kept'::regclass;
SELECT FROM cnap_protect('app.entry', write_permission => 'deploy', read_permission => 'audit');

-- ---- partitions ----

CREATE TABLE app.event (id int, workspace_id uuid NOT NULL REFERENCES cnap.workspace) PARTITION BY LIST (id);
CREATE INDEX ON app.event (workspace_id);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES IN (1);
SELECT FROM cnap_protect('app.event', read_permission => 'audit');
CREATE TABLE app.event_2 PARTITION OF app.event FOR VALUES IN (2);
SELECT * FROM state WHERE relation::text ~ 'event';
SELECT FROM cnap_protect('app.event_1', read_permission => 'access');
SELECT * FROM state WHERE relation::text ~ 'event';
SELECT rule, object, finding, remedy FROM cnap_lint() WHERE object ~ 'app';
SELECT FROM cnap_protect_schema('app', true);
SELECT * FROM state WHERE relation::text ~ 'event';

-- ---- what has been changed by hand ----

CREATE FUNCTION pg_temp.after(relation regclass, change text, OUT enforced boolean, OUT findings text, OUT planned text, OUT repaired boolean)
LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL cnap.guard = off;
	EXECUTE change;
	enforced := (SELECT t.enforced FROM cnap_protected_tables() t WHERE t.relation = after.relation);
	findings := array(SELECT rule || ' ' || object FROM cnap_lint() WHERE object ~ 'app')::text;
	planned := array(SELECT p.relation::text FROM cnap_protect_schema('app') p WHERE statement IS NOT NULL)::text;
	PERFORM cnap_protect_schema('app', true);
	repaired := (SELECT t.enforced FROM cnap_protected_tables() t WHERE t.relation = after.relation);
	RAISE SQLSTATE 'UNDO1';
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN RETURN;
END $$;
SELECT clauses, a.* FROM unnest(ARRAY[
	-- as it is
	$$cnap_delete_restrictive ON app.entry USING (cnap_has_permission(workspace_id, 'deploy') AND cnap_has_permission(workspace_id, 'audit'))$$,
	$$cnap_delete_restrictive ON app.entry USING (cnap_has_permission(workspace_id, 'deploy'))$$,
	$$cnap_delete_restrictive ON app.entry USING (cnap_has_permission(workspace_id, 'audit') AND cnap_has_permission(workspace_id, 'deploy'))$$,
	$$cnap_delete_restrictive ON app.entry USING (cnap_has_permission(workspace_id, 'deploy') OR cnap_has_permission(workspace_id, 'audit'))$$,
	$$cnap_delete_restrictive ON app.entry USING (cnap_has_permission(workspace_id, 'deploy') AND cnap_has_permission(workspace_id, 'audit') AND id > 0)$$,
	$$cnap_select_restrictive ON app.entry USING (cnap_can_access(workspace_id))$$,
	$$cnap_select_restrictive ON app.entry USING (cnap_has_permission(workspace_id, 'deploy'))$$,
	$$cnap_insert_restrictive ON app.entry WITH CHECK (cnap_has_permission(workspace_id, 'audit'))$$,
	$$cnap_select_permissive ON app.entry USING (cnap_can_access(workspace_id))$$]) clauses,
	pg_temp.after('app.entry', 'ALTER POLICY ' || clauses) a;
SELECT clauses, a.* FROM unnest(ARRAY[
	$$cnap_select_restrictive ON app.line USING (cnap.parent_visible(EXISTS (SELECT FROM ONLY app.entry parent WHERE parent.id = entry_id)))$$,
	$$cnap_select_restrictive ON app.line USING (cnap.parent_visible(EXISTS (SELECT FROM ONLY app.entry parent
		WHERE parent.id = entry_id AND cnap_has_permission(parent.workspace_id, 'audit'))))$$,
	$$cnap_insert_restrictive ON app.line WITH CHECK (cnap.parent_visible(EXISTS (SELECT FROM ONLY app.entry parent WHERE parent.id = entry_id)))$$]) clauses,
	pg_temp.after('app.line', 'ALTER POLICY ' || clauses) a;
-- the guard refuses the same
ALTER POLICY cnap_delete_restrictive ON app.entry USING (cnap_has_permission(workspace_id, 'deploy'));
ALTER POLICY cnap_select_restrictive ON app.entry USING (cnap_can_access(workspace_id));

-- ---- a permission that does not exist ----

SELECT cnap_drop_permission('audit');
BEGIN;
DELETE FROM cnap.permission_definition WHERE name = 'audit';
SELECT * FROM pg_temp.attempts('{SELECT FROM app.entry,SELECT FROM app.line,UPDATE app.entry SET n = 1}');
SELECT * FROM state;
SELECT severity, rule, object, finding, remedy FROM cnap_lint() WHERE object ~ 'app';
SELECT relation, statement, reason FROM cnap_protect_schema('app');
SELECT count(*) FROM cnap_protect_schema('app', true);
-- it is guarded all the same, and no statement is offered that would require less
SAVEPOINT s;
DROP POLICY cnap_select_restrictive ON app.entry;
ROLLBACK TO s;
SET cnap.guard = off;
DROP POLICY cnap_insert_restrictive ON app.entry;
RESET cnap.guard;
SELECT rule, object, remedy FROM cnap_lint() WHERE object = 'app.entry';
SAVEPOINT s;
SELECT cnap_protect('app.entry');
ROLLBACK TO s;
SELECT FROM cnap_define_permission('deploy', roles => '{scribe}');
RESET client_min_messages;
SELECT FROM cnap_protect('app.entry', read_permission => 'deploy');
SELECT * FROM state WHERE relation IN ('app.entry'::regclass, 'app.line'::regclass);
ROLLBACK;
-- nor does the plan make a table require less by way of one that it inherits from
BEGIN;
CREATE TABLE app.top (workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE TABLE app.heir () INHERITS (app.top);
SELECT FROM cnap_protect('app.heir', write_permission => 'deploy', read_permission => 'audit');
SELECT relation, statement FROM cnap_protect_schema('app') WHERE relation = 'app.top'::regclass;
SELECT rule, object, remedy FROM cnap_lint() WHERE object = 'app.top';
DELETE FROM cnap.permission_definition WHERE name = 'audit';
SELECT relation, statement, reason FROM cnap_protect_schema('app') WHERE relation = 'app.top'::regclass;
SELECT rule, object, remedy FROM cnap_lint() WHERE object = 'app.top';
ROLLBACK;
-- defined anew, it is as it was
BEGIN;
DELETE FROM cnap.permission_definition WHERE name = 'audit';
SELECT FROM cnap_define_permission('audit', roles => '{auditor}');
SELECT * FROM pg_temp.attempts('{SELECT FROM app.entry,SELECT FROM app.line}');
SELECT * FROM state;
ROLLBACK;
SELECT FROM cnap_unprotect_schema('app', true);
SELECT * FROM state;
SELECT FROM cnap_drop_permission('audit');

-- ---- by filter and by index, with the cache ----

SET client_min_messages = warning;
SELECT FROM cnap_define_permission('audit', roles => '{auditor}');
INSERT INTO cnap.workspace (id, name, owner_id)
SELECT ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, 'w' || n, 'rest' FROM generate_series(1, 1000) n;
-- lee has access to 100 workspaces, and audits 3 of them; big audits 900
INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
SELECT id, 'lee', CASE WHEN name IN ('w1', 'w2', 'w3') THEN 'auditor' ELSE 'member' END
FROM cnap.workspace WHERE name ~ '^w\d{1,2}$';
INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
SELECT id, 'big', 'auditor' FROM cnap.workspace WHERE name ~ '^w[1-9]\d*$' AND substr(name, 2)::int <= 900;
CREATE TABLE app.item (id int PRIMARY KEY, workspace_id uuid NOT NULL, note text);
INSERT INTO app.item
SELECT n, ('00000000-0000-4000-9000-' || lpad((1 + (n * 7919) % 1000)::text, 12, '0'))::uuid, repeat('x', 50)
FROM generate_series(1, 20000) n;
CREATE INDEX ON app.item (workspace_id);
VACUUM ANALYZE app.item;
SELECT FROM cnap_protect('app.item', read_permission => 'audit', write_permission => 'deploy');
GRANT SELECT, UPDATE ON app.item TO regress_cnap_app;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'lee';
EXPLAIN (COSTS off) SELECT count(note) FROM app.item;
SELECT count(note) FROM app.item;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
EXPLAIN (COSTS off) SELECT count(note) FROM app.item;
SELECT count(note) FROM app.item;
RESET enable_indexscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;
EXPLAIN (COSTS off) UPDATE app.item SET note = 'y' WHERE note = 'x';
SET cnap.user_id = 'big';
EXPLAIN (COSTS off) SELECT count(note) FROM app.item;
SELECT count(note) FROM app.item;
-- a prepared statement, whoever executes it, and whatever the definition becomes
PREPARE q AS SELECT count(note) FROM app.item;
EXECUTE q;
SET cnap.user_id = 'lee';
EXECUTE q;
RESET ROLE;
RESET cnap.user_id;
SELECT FROM cnap_define_permission('audit', roles => '{auditor,member}');
SET ROLE regress_cnap_app;
SET cnap.user_id = 'lee';
EXECUTE q;
RESET ROLE;
RESET cnap.user_id;
SELECT FROM cnap_define_permission('audit', roles => '{}');
SET ROLE regress_cnap_app;
SET cnap.user_id = 'lee';
EXECUTE q;
RESET ROLE;
RESET cnap.user_id;

DEALLOCATE q;
DROP VIEW state;
DROP SCHEMA app CASCADE;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
