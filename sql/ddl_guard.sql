-- ddl_guard: commands that would leave a protected table less protected
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set try :abs_srcdir '/sql/include/try.sql'
\i :try
SET client_min_messages = warning;
CREATE ROLE regress_cnap_dev;
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
GRANT REFERENCES ON cnap.workspace TO regress_cnap_dev;
GRANT USAGE ON SCHEMA cnap TO regress_cnap_dev;
SET ROLE regress_cnap_dev;
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE, name text);
CREATE TABLE app.task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project, name text);
CREATE TABLE app.comment (id int PRIMARY KEY, task_id int NOT NULL REFERENCES app.task, name text);
CREATE TABLE app.plain (id int PRIMARY KEY, workspace_id uuid NOT NULL, project_id int);
SELECT cnap_protect('app.project', write_permission => 'administer');
SELECT cnap_protect_child('app.task', 'project_id', 'workspace_id');
SELECT cnap_protect_child('app.comment', 'task_id');
CREATE TEMPORARY TABLE before AS SELECT * FROM cnap_protected_tables();
SELECT relation, enforced FROM before ORDER BY 1;

-- ---- what is refused ----

-- in the words of who reads it
ALTER TABLE app.project DISABLE ROW LEVEL SECURITY;
\set VERBOSITY terse
-- row-level security
SELECT pg_temp.try('ALTER TABLE app.project NO FORCE ROW LEVEL SECURITY');
SELECT pg_temp.try('ALTER TABLE app.task DISABLE ROW LEVEL SECURITY, ADD COLUMN more int');
-- by whatever name the session has: only where there is Citus, its nodes repeat what another one has decided
SET application_name = 'citus_internal gpid=10000000001';
SELECT pg_temp.try('ALTER TABLE app.project DISABLE ROW LEVEL SECURITY');
SET application_name = 'citus_rebalancer gpid=10000000001';
SELECT pg_temp.try('DROP POLICY cnap_select_restrictive ON app.project');
RESET application_name;
-- policies, whatever they are called now
SELECT pg_temp.try('DROP POLICY cnap_select_restrictive ON app.project');
SELECT pg_temp.try('DROP POLICY cnap_delete_permissive ON app.comment');
SELECT pg_temp.try('ALTER POLICY cnap_update_restrictive ON app.project USING (true)');
SELECT pg_temp.try('ALTER POLICY cnap_select_restrictive ON app.project TO regress_cnap_plain');
SELECT pg_temp.try(format('ALTER POLICY cnap_update_restrictive ON app.project WITH CHECK (%s)', 'cnap_can_access(workspace_id)'));
ALTER POLICY cnap_insert_restrictive ON app.project RENAME TO renamed;
SELECT pg_temp.try('DROP POLICY renamed ON app.project');
ALTER POLICY renamed ON app.project RENAME TO cnap_insert_restrictive;
-- the column
SELECT pg_temp.try('ALTER TABLE app.project DROP COLUMN workspace_id');
SELECT pg_temp.try('ALTER TABLE app.project DROP COLUMN workspace_id CASCADE');
SELECT rtrim(pg_temp.try('ALTER TABLE app.project ALTER COLUMN workspace_id TYPE text'), '.') AS try;
-- the keys
SELECT pg_temp.try('ALTER TABLE app.project DROP CONSTRAINT project_workspace_id_fkey');
SELECT pg_temp.try('ALTER TABLE app.comment DROP CONSTRAINT comment_task_id_fkey');
SELECT pg_temp.try('ALTER TABLE app.comment DROP CONSTRAINT comment_task_id_fkey,
	ADD CONSTRAINT comment_task_id_fkey FOREIGN KEY (task_id) REFERENCES app.task NOT VALID');
SELECT pg_temp.try('ALTER TABLE app.task DROP CONSTRAINT task_pkey CASCADE');
SELECT pg_temp.try((SELECT format('ALTER TABLE app.task DROP CONSTRAINT %I', conname)
	FROM pg_constraint WHERE conrelid = 'app.task'::regclass AND conname LIKE 'cnap\_%'));
SELECT pg_temp.try((SELECT format('ALTER TABLE app.project DROP CONSTRAINT %I CASCADE', conname)
	FROM pg_constraint WHERE conrelid = 'app.project'::regclass AND conname LIKE 'cnap\_%'));
-- the trigger
SELECT pg_temp.try('ALTER TABLE app.task DISABLE TRIGGER cnap_workspace');
SELECT pg_temp.try('ALTER TABLE app.task DISABLE TRIGGER USER');
SELECT pg_temp.try('ALTER TABLE app.task ENABLE REPLICA TRIGGER cnap_workspace');
SELECT pg_temp.try('DROP TRIGGER cnap_workspace ON app.task');
CREATE FUNCTION app.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
SELECT pg_temp.try('CREATE OR REPLACE TRIGGER cnap_workspace BEFORE INSERT ON app.task FOR EACH ROW EXECUTE FUNCTION app.nothing()');
-- by what another command takes along
SELECT pg_temp.try('DROP TABLE app.task CASCADE');
SELECT pg_temp.try('DROP TABLE app.project CASCADE');
SELECT pg_temp.try('DROP TABLE app.project, app.task CASCADE');
-- by inheritance: a query of the other table would show the rows
CREATE TABLE app.above (id int, workspace_id uuid NOT NULL, name text);
CREATE TABLE app.parted (id int, workspace_id uuid NOT NULL, name text) PARTITION BY LIST (id);
CREATE TABLE app.part (id int, workspace_id uuid NOT NULL, name text);
SELECT cnap_protect('app.part');
SELECT pg_temp.try('ALTER TABLE app.part INHERIT app.above');
SELECT pg_temp.try('ALTER TABLE app.parted ATTACH PARTITION app.part FOR VALUES IN (1)');
SELECT cnap_protect('app.parted', write_permission => 'administer');
SELECT pg_temp.try('ALTER TABLE app.parted ATTACH PARTITION app.part FOR VALUES IN (1)');

-- from within functions, scripts and other commands
CREATE FUNCTION app.migrate() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
$$ BEGIN EXECUTE 'ALTER TABLE app.project DISABLE ROW LEVEL SECURITY'; END $$;
SELECT pg_temp.try('SELECT app.migrate()');
SELECT pg_temp.try('DO $do$ BEGIN
	ALTER TABLE app.project ADD COLUMN x int;
	DROP POLICY cnap_insert_permissive ON app.project;
END $do$');
-- in steps that are undone and done
BEGIN;
SAVEPOINT a;
ALTER TABLE app.project DISABLE ROW LEVEL SECURITY;
ROLLBACK TO a;
CREATE INDEX ON app.project (workspace_id);
SAVEPOINT b;
CREATE TABLE app.later (id int);
ROLLBACK TO b;
ALTER TABLE app.project NO FORCE ROW LEVEL SECURITY;
ROLLBACK;
-- also as a superuser, in every session_replication_role, and in a session that has not loaded the library
RESET ROLE;
SELECT pg_temp.try('ALTER TABLE app.project DISABLE ROW LEVEL SECURITY');
SELECT pg_temp.try('ALTER TABLE app.task DISABLE TRIGGER ALL');
-- what others' event triggers have our functions do hides nothing
SET ROLE regress_cnap_dev;
CREATE TABLE app.other (id int, workspace_id uuid NOT NULL);
CREATE TABLE app.log (id int, workspace_id uuid NOT NULL) PARTITION BY LIST (id);
SELECT cnap_protect('app.log');
RESET ROLE;
CREATE FUNCTION app.protect_again() RETURNS event_trigger LANGUAGE plpgsql AS
	$$ BEGIN PERFORM public.cnap_protect('app.other'); END $$;
CREATE EVENT TRIGGER a_regress_cnap ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TRIGGER')
	EXECUTE FUNCTION app.protect_again();
SET ROLE regress_cnap_dev;
SELECT pg_temp.try('DROP TRIGGER cnap_workspace ON app.task');
CREATE TABLE app.log_1 PARTITION OF app.log FOR VALUES IN (1);
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text IN ('app.log', 'app.log_1', 'app.other') ORDER BY 1;
-- nor what they do and undo, with an error that they do not pass on
RESET ROLE;
CREATE OR REPLACE FUNCTION app.protect_again() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
	PERFORM public.cnap_protect('app.other');
	RAISE 'no';
EXCEPTION WHEN OTHERS THEN
	BEGIN
		ALTER TABLE app.other ALTER id SET DEFAULT 1;
		BEGIN ALTER TABLE app.other ALTER id SET DEFAULT 2; EXCEPTION WHEN OTHERS THEN END;
		RAISE 'no';
	EXCEPTION WHEN OTHERS THEN
	END;
END $$;
SET ROLE regress_cnap_dev;
SELECT pg_temp.try('DROP TRIGGER cnap_workspace ON app.task');
CREATE TABLE app.log_2 PARTITION OF app.log FOR VALUES IN (2);
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text LIKE 'app.log%' ORDER BY 1;
DROP TABLE app.other, app.log;
RESET ROLE;
DROP EVENT TRIGGER a_regress_cnap;
-- also a single trigger of a key on which the protection rests, on either side of it, but no other
BEGIN;
SELECT pg_temp.try(format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname)) <> 'no error' AS refused,
	t.tgrelid::regclass, t.tgfoid::regproc, c.conname
FROM pg_trigger t JOIN pg_constraint c ON c.oid = t.tgconstraint
WHERE t.tgrelid IN ('app.project'::regclass, 'app.task'::regclass, 'app.comment'::regclass) ORDER BY c.conname, t.tgfoid::regproc::text;
ROLLBACK;
SELECT pg_temp.try('ALTER TABLE app.project DISABLE TRIGGER ALL');
-- types of columns that policies compare are PostgreSQL's to refuse
SELECT left(pg_temp.try('ALTER TABLE app.task ALTER COLUMN id TYPE bigint'), 60);
SELECT left(pg_temp.try('ALTER TABLE app.comment ALTER COLUMN task_id TYPE bigint'), 60);
SET session_replication_role = replica;
SELECT pg_temp.try('DROP POLICY cnap_select_restrictive ON app.project');
RESET session_replication_role;
SELECT pg_temp.try('DROP OWNED BY regress_cnap_plain');
-- the session that changes it has not loaded the library
\c
\i :try
\set VERBOSITY terse
DROP POLICY cnap_select_restrictive ON app.project;
-- the library's own statement is over when it has failed
CREATE FUNCTION app.fail() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not now'; END $$;
CREATE EVENT TRIGGER regress_cnap_fail ON ddl_command_end WHEN TAG IN ('CREATE POLICY') EXECUTE FUNCTION app.fail();
SELECT pg_temp.try('SELECT cnap_protect(''app.plain'')');
SELECT pg_temp.try('DROP POLICY cnap_select_restrictive ON app.project');
DROP EVENT TRIGGER regress_cnap_fail;
DROP FUNCTION app.fail();
-- more relations than are noted
SET client_min_messages = warning;
DO $$ BEGIN
	CREATE SCHEMA many;
	FOR i IN 1 .. 300 LOOP EXECUTE format('CREATE TABLE many.t%s (id int)', i); END LOOP;
	CREATE TABLE many.parent (id int PRIMARY KEY, workspace_id uuid);
	CREATE TABLE app.reader (id int REFERENCES many.parent);
	PERFORM cnap_protect('many.parent');
	PERFORM cnap_protect_child('app.reader', 'id');
END $$;
DROP SCHEMA many CASCADE;
SELECT cnap_unprotect('app.reader');
DROP SCHEMA many CASCADE;
DROP TABLE app.reader;
-- nor do partitions escape that are attached together
DO $$ BEGIN
	CREATE SCHEMA many;
	CREATE TABLE many.parent (id int, workspace_id uuid NOT NULL, year int) PARTITION BY LIST (year);
	CREATE INDEX ON many.parent (workspace_id);
	PERFORM cnap_protect('many.parent');
	CREATE TABLE many.parts (LIKE many.parent) PARTITION BY LIST (id);
	FOR i IN 1 .. 300 LOOP EXECUTE format('CREATE TABLE many.p%s PARTITION OF many.parts FOR VALUES IN (%s)', i, i); END LOOP;
END $$;
ALTER TABLE many.parent ATTACH PARTITION many.parts FOR VALUES IN (2020);
SELECT count(*), bool_and(enforced) FROM cnap_protected_tables() WHERE relation::text LIKE 'many.%';
DROP SCHEMA many CASCADE;
-- nothing has happened
SELECT count(*) AS changed FROM cnap_protected_tables() t
WHERE relation::text IN ('app.project', 'app.task', 'app.comment') AND NOT enforced;

-- ---- what is not ----

SET ROLE regress_cnap_dev;
ALTER TABLE app.project RENAME TO projects;
ALTER TABLE app.projects RENAME COLUMN workspace_id TO ws;
ALTER TRIGGER cnap_workspace ON app.task RENAME TO fill;
ALTER TABLE app.projects ADD COLUMN note text, ALTER COLUMN name SET NOT NULL;
ALTER TABLE app.task ALTER COLUMN name TYPE varchar(100);
ALTER TABLE app.task DROP COLUMN name;
ALTER TABLE app.projects DROP CONSTRAINT project_workspace_id_fkey,
	ADD FOREIGN KEY (ws) REFERENCES cnap.workspace;
CREATE INDEX CONCURRENTLY ON app.projects (ws);
REINDEX TABLE CONCURRENTLY app.projects;
CREATE POLICY mine ON app.projects USING (true);
DROP POLICY mine ON app.projects;
CLUSTER app.projects USING project_pkey;
ALTER TABLE app.projects ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE app.plain DISABLE ROW LEVEL SECURITY;
SELECT relation, enforced FROM cnap_protected_tables() ORDER BY 1;
SELECT cnap_protect('app.projects', 'ws', 'access');
SELECT cnap_protect_child('app.task', 'project_id');
SELECT cnap_protect_child('app.task', 'project_id', 'workspace_id');
SELECT relation, workspace_column, write_permission, enforced FROM cnap_protected_tables() ORDER BY 1;
DROP TABLE app.comment;
DROP TABLE app.projects, app.task CASCADE;
RESET ROLE;

-- what shows no more rows: nulls are nobody's, a key is deferred for its checks alone, and a table of another owner is no less protected
BEGIN;
SELECT cnap_protect('app.parted', 'workspace_id');
ALTER TABLE app.parted ALTER COLUMN workspace_id DROP NOT NULL;
CREATE TABLE app.top (id int PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE TABLE app.low (top_id int NOT NULL REFERENCES app.top);
SELECT cnap_protect('app.top');
SELECT cnap_protect_child('app.low', 'top_id', 'workspace_id');
ALTER TABLE app.low ALTER CONSTRAINT cnap_low_fkey DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE app.top OWNER TO regress_cnap_dev;
CREATE SCHEMA elsewhere;
ALTER TABLE app.low SET SCHEMA elsewhere;
SELECT relation, enforced FROM cnap_protected_tables() ORDER BY 1;
ROLLBACK;

-- ---- what the extension finds by its name ----

SELECT pg_temp.try(command) AS try FROM unnest(ARRAY[
	'ALTER SCHEMA cnap RENAME TO former',
	'ALTER SCHEMA public RENAME TO former',
	'ALTER TABLE cnap.workspace RENAME TO former',
	'ALTER TABLE cnap.workspace SET SCHEMA app',
	'ALTER TABLE cnap.workspace RENAME COLUMN managed_by TO former',
	'ALTER TABLE cnap.workspace RENAME owner_id TO former',
	'ALTER VIEW cnap.way_in RENAME TO former',
	'ALTER FUNCTION cnap_can_access(uuid) RENAME TO former',
	'ALTER FUNCTION cnap_can_access(uuid) SET SCHEMA app',
	'ALTER ROUTINE cnap.reachable(text) RENAME TO former',
	'DO $do$ BEGIN EXECUTE ''ALTER SCHEMA cnap RENAME TO former''; END $do$']) command;
-- other changes
BEGIN;
SELECT pg_temp.try(command) AS try FROM unnest(ARRAY[
	'ALTER TABLE cnap.workspace ALTER COLUMN managed_by SET STATISTICS 100',
	'ALTER FUNCTION cnap_can_access(uuid) COST 2',
	'ALTER SCHEMA cnap OWNER TO CURRENT_USER']) command;
ROLLBACK;
-- protection refers to tables by OID
ALTER SCHEMA app RENAME TO former;
SELECT relation, enforced FROM cnap_protected_tables() ORDER BY 1;
ALTER SCHEMA former RENAME TO app;
BEGIN;
SET LOCAL cnap.guard = off;
ALTER SCHEMA cnap RENAME TO former;
ROLLBACK;

-- the setting is for superusers
SET ROLE regress_cnap_dev;
SET cnap.guard = off;
RESET ROLE;
BEGIN;
SET LOCAL cnap.guard = off;
SET LOCAL ROLE regress_cnap_dev;
ALTER TABLE app.part DISABLE ROW LEVEL SECURITY;
COMMIT;
-- what is not protected completely can be changed in other ways, but not further
SELECT pg_temp.try('ALTER TABLE app.part ADD COLUMN x int');
SELECT pg_temp.try('ALTER TABLE app.part NO FORCE ROW LEVEL SECURITY');
ALTER TABLE app.part ENABLE ROW LEVEL SECURITY;

-- ---- partitions and inheritance children ----

SET ROLE regress_cnap_dev;
CREATE TABLE app.event (id int NOT NULL, workspace_id uuid NOT NULL, at date NOT NULL, PRIMARY KEY (id, at))
	PARTITION BY RANGE (at);
SELECT cnap_protect('app.event', write_permission => 'administer');
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE app.event_2 PARTITION OF app.event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY HASH (id);
CREATE TABLE app.event_2_0 PARTITION OF app.event_2 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
-- with another order of columns, and partitions of its own
CREATE TABLE app.event_3 (at date NOT NULL, id int NOT NULL, workspace_id uuid NOT NULL) PARTITION BY HASH (id);
CREATE TABLE app.event_3_0 PARTITION OF app.event_3 FOR VALUES WITH (MODULUS 1, REMAINDER 0);
ALTER TABLE app.event ATTACH PARTITION app.event_3 FOR VALUES FROM ('2022-01-01') TO ('2023-01-01');
CREATE TABLE app.event_default (LIKE app.event);
ALTER TABLE app.event ATTACH PARTITION app.event_default DEFAULT;
SELECT relation, workspace_column, write_permission, enforced
FROM cnap_protected_tables() WHERE relation::text LIKE 'app.event%' ORDER BY 1;
-- one that is detached stays protected
ALTER TABLE app.event DETACH PARTITION app.event_1;
ALTER TABLE app.event DETACH PARTITION app.event_default;
ALTER TABLE app.event DETACH PARTITION app.event_3 CONCURRENTLY;
SELECT count(*) FROM cnap_protected_tables() WHERE relation::text LIKE 'app.event%' AND enforced;
ALTER TABLE app.event ATTACH PARTITION app.event_1 FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
-- below a parent
CREATE TABLE app.entry (id int, event_id int NOT NULL, at date NOT NULL, FOREIGN KEY (event_id, at) REFERENCES app.event)
	PARTITION BY LIST (id);
SELECT cnap_protect_child('app.entry', 'event_id');
CREATE TABLE app.entry_1 PARTITION OF app.entry FOR VALUES IN (1);
SELECT cnap_protect_child('app.entry', 'event_id', 'workspace_id');
CREATE TABLE app.entry_2 PARTITION OF app.entry FOR VALUES IN (2);
CREATE TABLE app.entry_3 (LIKE app.entry);
ALTER TABLE app.entry ATTACH PARTITION app.entry_3 FOR VALUES IN (3);
SELECT relation, workspace_column, parent, enforced
FROM cnap_protected_tables() WHERE relation::text LIKE 'app.entry%' ORDER BY 1;
-- the trigger of a partition is a clone, and goes with it
ALTER TABLE app.entry DETACH PARTITION app.entry_2;
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text = 'app.entry_2';
-- inheritance
CREATE TABLE app.heir (more int) INHERITS (app.part);
CREATE TABLE app.heir_2 (id int, workspace_id uuid NOT NULL, name text, x int);
ALTER TABLE app.heir_2 INHERIT app.part;
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text LIKE 'app.heir%' ORDER BY 1;
ALTER TABLE app.heir NO INHERIT app.part;
SELECT count(*) FROM cnap_protected_tables() WHERE relation::text LIKE 'app.heir%' AND enforced;
-- from two tables that are not protected in the same way, nothing can inherit
CREATE TABLE app.other (id int, owner_workspace uuid NOT NULL);
SELECT cnap_protect('app.other', 'owner_workspace');
SELECT pg_temp.try('CREATE TABLE app.heir_3 () INHERITS (app.part, app.other)');
CREATE TABLE app.heir_3 () INHERITS (app.other);
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text IN ('app.part', 'app.other', 'app.heir_3') ORDER BY 1;
DROP TABLE app.heir_3;
-- one that is not protected at all is no obstacle
CREATE TABLE app.bare (id int);
CREATE TABLE app.heir_3 () INHERITS (app.other, app.bare);
SELECT count(*) FROM cnap_protected_tables() WHERE relation::text = 'app.heir_3';
DROP TABLE app.heir_3;
-- nor what inherits from it
CREATE TABLE app.heir_3 () INHERITS (app.other, app.bare);
SELECT pg_temp.try('ALTER TABLE app.bare ADD workspace_id uuid NOT NULL, ADD name text, ADD x int; ALTER TABLE app.bare INHERIT app.part');
DROP TABLE app.heir_3;
-- which does not pass on foreign keys
CREATE TABLE app.key (id int PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE TABLE app.child (key_id int NOT NULL REFERENCES app.key);
SELECT cnap_protect('app.key');
SELECT cnap_protect_child('app.child', 'key_id');
SELECT pg_temp.try('CREATE TABLE app.heir_3 () INHERITS (app.child)');
CREATE TABLE app.heir_3 (key_id int NOT NULL REFERENCES app.key);
ALTER TABLE app.heir_3 INHERIT app.child;
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text = 'app.heir_3';
CREATE TABLE app.kept (key_id int NOT NULL REFERENCES app.key);
SELECT cnap_protect_child('app.kept', 'key_id', 'workspace_id');
SELECT pg_temp.try('CREATE TABLE app.heir_4 () INHERITS (app.kept)');
SELECT pg_temp.try('ALTER TABLE app.kept DROP COLUMN key_id CASCADE');
RESET ROLE;

-- somebody else cannot use it, and it cannot be called
SELECT pg_temp.try('SELECT cnap.ddl_guard()');
SELECT evtname, evtevent, evtenabled, evttags FROM pg_event_trigger WHERE evtname LIKE 'cnap\_ddl%' ORDER BY 1;
DROP SCHEMA app CASCADE;
DROP OWNED BY regress_cnap_dev CASCADE;
DROP ROLE regress_cnap_dev;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
