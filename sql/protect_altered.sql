-- protect_altered: policies that were altered by hand, and no longer count as protection
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
-- changes of protections by hand are what is tested here
SET cnap.guard = off;

SET client_min_messages = warning;
CREATE SCHEMA app;
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL, other uuid, name text, required text);
CREATE TABLE app.task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project, name text);
CREATE TABLE app.open (id int PRIMARY KEY);
CREATE TABLE app.event (id int, workspace_id uuid NOT NULL) PARTITION BY LIST (id);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES IN (1);
CREATE FUNCTION app.cnap_can_access(uuid) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT true';
SELECT cnap_protect('app.project', write_permission => 'administer'), cnap_protect('app.event'),
	cnap_protect_child('app.task', 'project_id') \g /dev/null

-- whether a table's protection is enforced after a change, which is undone; null: there is none left
CREATE FUNCTION pg_temp.enforced_after(relation regclass, change text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	result boolean;
BEGIN
	EXECUTE change;
	result := (SELECT enforced FROM cnap_protected_tables() t WHERE t.relation = enforced_after.relation);
	RAISE SQLSTATE 'UNDO1';
EXCEPTION WHEN SQLSTATE 'UNDO1' THEN
	RETURN result;
END $$;

-- ---- as they are, and with other names ----

SELECT change, pg_temp.enforced_after('app.project', change)
FROM unnest(ARRAY[
	'SELECT',
	'ALTER TABLE app.project RENAME workspace_id TO tenant',
	'ALTER POLICY cnap_select_restrictive ON app.project RENAME TO other_name',
	'CREATE POLICY more ON app.project USING (true)']) AS change;
SELECT change, pg_temp.enforced_after('app.task', change)
FROM unnest(ARRAY[
	'SELECT',
	'ALTER TABLE app.project RENAME id TO number',
	'ALTER TABLE app.task RENAME TO "Task"']) AS change;
SELECT pg_temp.enforced_after('app.event', 'SELECT') AS event;

-- ---- by a column ----

SELECT expression, pg_temp.enforced_after('app.project',
	format('ALTER POLICY cnap_select_restrictive ON app.project USING (%s)', expression))
FROM unnest(ARRAY[
	'cnap_can_access(workspace_id)',
	'true',
	'cnap_can_access(workspace_id) OR name IS NULL',
	'NOT cnap_can_access(workspace_id)',
	'cnap_can_access(workspace_id) IS NOT NULL',
	'app.cnap_can_access(workspace_id)',
	'cnap_can_access(other)',
	'cnap_can_access(coalesce(other, workspace_id))',
	'cnap_can_access(''00000000-0000-4000-8000-000000000001''::uuid)',
	'cnap_can_access(''carol''::text, workspace_id)',
	'cnap_has_permission(workspace_id, ''administer'')',
	'cnap_has_permission(workspace_id, ''transfer'')',
	'cnap_has_permission(workspace_id, ''undefined'')',
	'cnap_has_permission(workspace_id, NULL)',
	'cnap_has_permission(workspace_id, required)']) AS expression;
SELECT clauses, pg_temp.enforced_after('app.project', 'ALTER POLICY cnap_update_restrictive ON app.project ' || clauses)
FROM unnest(ARRAY[
	'USING (cnap_has_permission(workspace_id, ''administer'')) WITH CHECK (cnap_has_permission(workspace_id, ''administer''))',
	'USING (cnap_can_access(workspace_id))',
	'WITH CHECK (cnap_can_access(workspace_id))',
	'USING (cnap_can_access(workspace_id)) WITH CHECK (cnap_can_access(workspace_id))',
	'WITH CHECK (cnap_has_permission(other, ''administer''))',
	'USING (cnap_has_permission(other, ''administer'')) WITH CHECK (cnap_has_permission(other, ''administer''))',
	'WITH CHECK (true)',
	'TO regress_cnap_app',
	'TO regress_cnap_app, regress_cnap_plain']) AS clauses;
SELECT change, pg_temp.enforced_after('app.project', change)
FROM unnest(ARRAY[
	'DROP POLICY cnap_insert_restrictive ON app.project',
	'DROP POLICY cnap_select_restrictive ON app.project;
		CREATE POLICY cnap_select_restrictive ON app.project FOR SELECT USING (cnap_can_access(workspace_id))',
	'DROP POLICY cnap_delete_restrictive ON app.project;
		CREATE POLICY cnap_delete_restrictive ON app.project AS RESTRICTIVE USING (cnap_has_permission(workspace_id, ''administer''))',
	'ALTER TABLE app.project DISABLE ROW LEVEL SECURITY',
	'ALTER TABLE app.project NO FORCE ROW LEVEL SECURITY']) AS change;
SELECT pg_temp.enforced_after('app.event', 'ALTER POLICY cnap_select_restrictive ON app.event_1 USING (true)') AS event;

-- ---- by a parent ----

SELECT search, pg_temp.enforced_after('app.task',
	format('ALTER POLICY cnap_select_restrictive ON app.task USING (cnap.parent_visible(%s))', search))
FROM unnest(ARRAY[
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id OFFSET 0)',
	'true',
	'NOT EXISTS (SELECT FROM app.project p WHERE p.id = project_id)',
	'true = ALL (SELECT false FROM app.project p WHERE p.id = project_id)',
	'true = ANY (SELECT true FROM app.project p WHERE p.id = project_id)',
	'(SELECT true FROM app.project p WHERE p.id = project_id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id OR p.id = 1)',
	'EXISTS (SELECT FROM app.project p WHERE p.id <> project_id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id >= project_id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id::boolean = project_id::boolean)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = task.id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = p.id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = 1)',
	'EXISTS (SELECT FROM app.project p WHERE p.name = task.name)',
	'EXISTS (SELECT FROM app.project p)',
	'EXISTS (SELECT FROM app.open p WHERE p.id = project_id)',
	'EXISTS (SELECT FROM app.project p, app.project q WHERE p.id = project_id)',
	'EXISTS (SELECT FROM app.project p RIGHT JOIN (SELECT) q ON p.id = project_id)',
	'EXISTS (SELECT FROM app.project p TABLESAMPLE SYSTEM (1) WHERE p.id = project_id)',
	'EXISTS (SELECT count(*) FROM app.project p WHERE p.id = project_id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id GROUP BY ())',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id GROUP BY p.workspace_id)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id HAVING true)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id LIMIT 0)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id OFFSET 1)',
	'EXISTS (SELECT FROM app.project p WHERE p.id = project_id UNION ALL SELECT)',
	'EXISTS (SELECT generate_series(1, p.id) FROM app.project p WHERE p.id = project_id)',
	'EXISTS (WITH q AS (SELECT) SELECT FROM app.project p WHERE p.id = project_id)']) AS search;
-- all policies alike: writing requires what the parent requires, and keys are compared for equality
CREATE FUNCTION pg_temp.alter_all(read text, write text) RETURNS text
RETURN (SELECT string_agg(format('ALTER POLICY cnap_%s_%s ON app.task %s (cnap.parent_visible(EXISTS (SELECT FROM app.project p WHERE %s)))',
		command, kind, clause, CASE command WHEN 'select' THEN read ELSE write END), ';')
	FROM unnest(ARRAY['restrictive', 'permissive']) AS kind,
		(VALUES ('select', 'USING'), ('insert', 'WITH CHECK'), ('update', 'USING'), ('update', 'WITH CHECK'), ('delete', 'USING')) p (command, clause));
SELECT condition, pg_temp.enforced_after('app.task', pg_temp.alter_all('p.id = project_id', 'p.id = project_id' || condition))
FROM unnest(ARRAY[
	' AND cnap_has_permission(p.workspace_id, ''administer'')',
	'',
	' AND cnap_can_access(p.workspace_id)',
	' AND cnap_has_permission(p.workspace_id, ''access'')',
	' AND cnap_has_permission(p.workspace_id, ''manage_members'')',
	' AND cnap_has_permission(p.workspace_id, ''delete'') AND cnap_has_permission(p.workspace_id, ''administer'')',
	' AND (cnap_has_permission(p.workspace_id, ''administer'') OR p.name IS NULL)']) AS condition;
SELECT key, pg_temp.enforced_after('app.task', pg_temp.alter_all(key, key || ' AND cnap_has_permission(p.workspace_id, ''administer'')'))
FROM unnest(ARRAY[
	'p.id = project_id',
	'p.id >= project_id',
	'p.id::boolean = project_id::boolean',
	'p.id <> project_id',
	'p.name = task.name',
	'p.id = p.id',
	'p.id = 1']) AS key;
-- and what the parent's policies have lost, those of its children have
SELECT change, pg_temp.enforced_after('app.task', change)
FROM unnest(ARRAY[
	'ALTER POLICY cnap_select_restrictive ON app.project USING (true)',
	'ALTER TABLE app.project NO FORCE ROW LEVEL SECURITY',
	'ALTER TABLE app.task DROP CONSTRAINT task_project_id_fkey; ALTER TABLE app.project DROP CONSTRAINT project_pkey']) AS change;

DROP SCHEMA app CASCADE;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
