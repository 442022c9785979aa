-- lint_child: cnap_lint() about tables that belong to a workspace through foreign keys
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set include :abs_srcdir '/sql/include/lint.sql'
\i :include
-- changes of protections by hand are what is tested here
SET cnap.guard = off;

CREATE SCHEMA app;
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace, public boolean);
CREATE INDEX ON app.project (workspace_id);

-- ---- without protection ----

-- over several levels, by more than one path, with composite keys and hostile names
CREATE TABLE app.task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project, UNIQUE (project_id, id));
CREATE TABLE app."Sub 'task'" ("No" int PRIMARY KEY, p int NOT NULL, "the %s ""Task""" int NOT NULL,
	CONSTRAINT "of 'task'" FOREIGN KEY (p, "the %s ""Task""") REFERENCES app.task (project_id, id));
CREATE INDEX ON app."Sub 'task'" ("the %s ""Task""");
CREATE TABLE app.a_comment (id int, of_sub int NOT NULL REFERENCES app."Sub 'task'", of_task int REFERENCES app.task);
CREATE INDEX ON app.a_comment (of_sub);
CREATE INDEX ON app.a_comment (of_task);
CREATE TABLE app.deep_1 (id int PRIMARY KEY, up int NOT NULL REFERENCES app."Sub 'task'");
CREATE INDEX ON app.deep_1 (up);
CREATE TABLE app.a_deep_2 (id int PRIMARY KEY, up int NOT NULL REFERENCES app.deep_1);
CREATE INDEX ON app.a_deep_2 (up);
-- with a key that can be null, to itself, in a cycle, partitioned
CREATE TABLE app.nullable (id int PRIMARY KEY, project_id int REFERENCES app.project, parent_id int REFERENCES app.nullable);
CREATE INDEX ON app.nullable (project_id);
CREATE TABLE app.a_child_of_nullable (id int PRIMARY KEY REFERENCES app.nullable);
CREATE TABLE app.circle_1 (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project, c2 int);
CREATE TABLE app.circle_2 (id int PRIMARY KEY REFERENCES app.circle_1);
ALTER TABLE app.circle_1 ADD FOREIGN KEY (c2) REFERENCES app.circle_2;
CREATE INDEX ON app.circle_1 (project_id);
CREATE TABLE app.part (id int PRIMARY KEY, task_id int NOT NULL REFERENCES app.task) PARTITION BY LIST (id);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES IN (1);
CREATE INDEX ON app.part (task_id);
CREATE TABLE app.of_part (id int PRIMARY KEY REFERENCES app.part);
-- these don't belong to a project
CREATE TABLE app.country (code text PRIMARY KEY);
CREATE TABLE app.island (id int PRIMARY KEY, self int REFERENCES app.island, country text REFERENCES app.country);
ALTER TABLE app.project ADD country text REFERENCES app.country;
CREATE TABLE app.of_organization (id uuid REFERENCES cnap.organization);

SELECT * FROM findings();
SELECT * FROM close_all();
SELECT relation, workspace_column, parent, parent_columns, enforced
FROM cnap_protected_tables() ORDER BY relation::text COLLATE "C";

-- an inheritance child without the foreign key, which it needs first
BEGIN;
CREATE TABLE app.heir () INHERITS (app.deep_1);
CREATE INDEX ON app.heir (up);
SELECT * FROM findings();
ALTER TABLE app.heir ADD FOREIGN KEY (up) REFERENCES app."Sub 'task'";
SELECT * FROM findings();
SELECT * FROM close_all();
ROLLBACK;

-- no column identifies the foreign key
CREATE TABLE app.ambiguous (project_id int NOT NULL, task_id int NOT NULL, FOREIGN KEY (project_id) REFERENCES app.project,
	FOREIGN KEY (project_id, task_id) REFERENCES app.task (project_id, id), FOREIGN KEY (task_id) REFERENCES app.task);
SELECT rule, object, remedy FROM findings();
ALTER TABLE app.ambiguous DROP CONSTRAINT ambiguous_task_id_fkey;
SELECT rule, object, remedy FROM findings();
DROP TABLE app.ambiguous;

-- ---- not enforced, or weakened by hand ----

ALTER TABLE app.task DISABLE ROW LEVEL SECURITY;
DROP POLICY cnap_delete_restrictive ON app.task;
ALTER POLICY cnap_select_restrictive ON app.nullable USING (true);
SELECT * FROM findings();
SELECT * FROM close_all();
-- a row other than that of the foreign key
DO $$
BEGIN
	EXECUTE (SELECT format('ALTER POLICY cnap_select_restrictive ON app.nullable USING (%s)',
			replace(pg_get_expr(polqual, polrelid), 'nullable.project_id', 'nullable.id'))
		FROM pg_policy WHERE polrelid = 'app.nullable'::regclass AND polname = 'cnap_select_restrictive');
END $$;
SELECT severity, rule, object, finding, remedy FROM findings();
SELECT * FROM close_all();
-- all of them
SELECT format('ALTER POLICY %I ON app.nullable %s', polname,
	CASE polcmd WHEN 'a' THEN 'WITH CHECK (true)' ELSE 'USING (true)' END)
FROM pg_policy WHERE polrelid = 'app.nullable'::regclass ORDER BY polname \gexec
SELECT rule, object, remedy FROM findings();
SELECT * FROM close_all();
-- an alternative of its own
CREATE POLICY visible ON app.nullable FOR SELECT USING (current_user = 'x' OR cnap.parent_visible(
	EXISTS (SELECT FROM app.project WHERE project.id = nullable.project_id)));
SELECT rule, object FROM findings();
DROP POLICY cnap_select_restrictive ON app.nullable;
SELECT rule, object, remedy FROM findings();
SELECT * FROM close_all();
DROP POLICY visible ON app.nullable;

-- the permission of a parent
SELECT FROM cnap_protect('app.project', write_permission => 'administer');
SELECT rule, object FROM findings();
SELECT count(*) FROM cnap_protected_tables() WHERE write_permission = 'administer' AND enforced;
BEGIN;
SELECT format('ALTER POLICY %I ON app.project %s', polname, CASE polcmd
	WHEN 'a' THEN 'WITH CHECK (cnap_can_access(workspace_id))' ELSE 'USING (cnap_can_access(workspace_id))' END)
FROM pg_policy WHERE polrelid = 'app.project'::regclass AND polcmd <> 'r' ORDER BY polname \gexec
ALTER POLICY cnap_update_restrictive ON app.project WITH CHECK (cnap_can_access(workspace_id));
ALTER POLICY cnap_update_permissive ON app.project WITH CHECK (cnap_can_access(workspace_id));
SELECT severity, rule, object, finding, remedy FROM findings();
SELECT * FROM close_all();
SELECT DISTINCT write_permission FROM cnap_protected_tables();
ROLLBACK;

-- ---- indexes ----

DROP INDEX app.part_task_id_idx, app.nullable_project_id_idx, app."Sub 'task'_the %s ""Task""_idx";
SELECT * FROM findings();
CREATE INDEX ON app."Sub 'task'" (p);
SELECT * FROM close_all();

-- ---- a foreign key that was dropped, a parent that is no longer protected ----

ALTER TABLE app.nullable DROP CONSTRAINT nullable_project_id_fkey;
SELECT * FROM findings();
ALTER TABLE app.nullable ADD CONSTRAINT nullable_project_id_fkey FOREIGN KEY (project_id) REFERENCES app.project NOT VALID;
SELECT * FROM findings();
ALTER TABLE app.nullable VALIDATE CONSTRAINT nullable_project_id_fkey;
CREATE TABLE app.tenant (id int PRIMARY KEY, tenant uuid);
CREATE INDEX ON app.tenant (tenant);
SELECT FROM cnap_protect('app.tenant', 'tenant');
CREATE TABLE app.of_tenant (id int PRIMARY KEY REFERENCES app.tenant);
SELECT FROM cnap_protect_child('app.of_tenant', 'id');
SELECT * FROM findings();
SELECT format('DROP POLICY %I ON app.tenant', polname)
FROM pg_policy WHERE polrelid = 'app.tenant'::regclass ORDER BY polname \gexec
SELECT * FROM findings();
SELECT * FROM close_all();
DROP TABLE app.tenant, app.of_tenant;

-- ---- a partition that was added later ----

CREATE TABLE app.part_2 PARTITION OF app.part FOR VALUES IN (2);
SELECT * FROM findings();
SELECT * FROM close_all();

-- ---- a column of its own ----

SELECT FROM cnap_protect_child('app.circle_1', 'project_id', workspace_column => 'workspace_id');
CREATE INDEX ON app.circle_1 (workspace_id);
SELECT * FROM findings();
ALTER TABLE app.circle_1 ENABLE ALWAYS TRIGGER cnap_workspace;
SELECT * FROM findings();
-- the foreign key that keeps it
BEGIN;
ALTER TABLE app.project DISABLE TRIGGER ALL;
SELECT DISTINCT severity, rule, regexp_replace(object, '\d+', 'N'), finding, regexp_replace(remedy, '_([ac])_\d+', '_\1_N') FROM findings() ORDER BY 2, 3;
SELECT * FROM close_all();
ROLLBACK;
ALTER TABLE app.circle_1 ENABLE REPLICA TRIGGER cnap_workspace;
ALTER POLICY cnap_select_restrictive ON app.circle_1 USING (true);
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = 'app.circle_1'::regclass AND contype = 'f' ORDER BY conname COLLATE "C";
ALTER TABLE app.circle_1 DROP CONSTRAINT cnap_circle_1_fkey;
SELECT * FROM findings();
-- nor does one keep it that old rows need not obey
BEGIN;
ALTER TABLE app.circle_1 ADD CONSTRAINT cnap_circle_1_fkey FOREIGN KEY (project_id, workspace_id) REFERENCES app.project (id, workspace_id)
	ON UPDATE CASCADE NOT VALID;
SELECT severity, rule, object, finding FROM findings() WHERE rule = 'column_not_kept';
ALTER TABLE app.circle_1 VALIDATE CONSTRAINT cnap_circle_1_fkey;
SELECT severity, rule, object, finding FROM findings() WHERE rule = 'column_not_kept';
ROLLBACK;
SELECT FROM cnap_protect_child('app.circle_1', 'project_id', workspace_column => 'workspace_id');
SELECT * FROM findings();

-- ---- after cnap_protect_schema() ----

SELECT count(*) FROM cnap_unprotect_schema('app', execute => true);
SELECT DISTINCT rule FROM findings();
SELECT relation, reason FROM cnap_protect_schema('app', execute => true, write_permission => 'administer')
WHERE protection = 'none' ORDER BY relation::text COLLATE "C";
SELECT * FROM findings();

DROP SCHEMA app CASCADE;
DROP FUNCTION findings, close_all;
DROP TYPE told;
\pset tuples_only
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
