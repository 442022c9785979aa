-- protect_column: cnap_protect_child with a workspace column that follows the parent's
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set try :abs_srcdir '/sql/include/try.sql'
\i :try
-- changes of protections by hand are what is tested here
SET cnap.guard = off;

CREATE ROLE regress_cnap_dev;
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
GRANT USAGE ON SCHEMA app TO PUBLIC;

-- what maintains the columns
CREATE VIEW keepers AS
SELECT conrelid::regclass AS relation, pg_get_constraintdef(oid) AS definition, conname
FROM pg_constraint WHERE conname LIKE 'cnap\_%' AND connamespace = 'app'::regnamespace
UNION ALL
SELECT tgrelid::regclass, regexp_replace(pg_get_triggerdef(oid), '^CREATE TRIGGER \w+ ', ''), tgname
FROM pg_trigger WHERE tgfoid = 'cnap.fill_workspace'::regproc
UNION ALL
SELECT attrelid::regclass, 'NOT NULL', attname
FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
WHERE relnamespace = 'app'::regnamespace AND attname IN ('workspace_id', 'ws') AND attnotnull AND relkind IN ('r', 'p')
ORDER BY 1, 2;
-- rows whose column is wrong
CREATE FUNCTION untrue() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	kept record;
BEGIN
	FOR kept IN SELECT relation, workspace_column, parent, parent_columns FROM cnap_protected_tables() t
			WHERE parent IS NOT NULL AND workspace_column IS NOT NULL LOOP
		RETURN QUERY EXECUTE format('SELECT %L || c::text FROM %s c LEFT JOIN %s p ON p.id = c.%I
			WHERE c.%I IS DISTINCT FROM p.%I', kept.relation || ' ', kept.relation, kept.parent,
			kept.parent_columns[1], kept.workspace_column,
			(SELECT workspace_column FROM cnap_protected_tables() WHERE relation = kept.parent));
	END LOOP;
END $$;
GRANT SELECT ON keepers TO PUBLIC;

-- ---- the shape ----

SET ROLE regress_cnap_dev;
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL, name text);
CREATE TABLE app.task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project ON DELETE CASCADE, name text,
	changes int NOT NULL DEFAULT 0);
CREATE TABLE app.comment (id int PRIMARY KEY, task_id int REFERENCES app.task ON DELETE SET NULL, body text);
CREATE FUNCTION app.count_changes() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.changes := OLD.changes + 1; RETURN NEW; END $$;
CREATE TRIGGER count_changes BEFORE UPDATE ON app.task FOR EACH ROW EXECUTE FUNCTION app.count_changes();
CREATE TRIGGER count_always BEFORE UPDATE ON app.task FOR EACH ROW EXECUTE FUNCTION app.count_changes();
CREATE TRIGGER count_never BEFORE UPDATE ON app.task FOR EACH ROW EXECUTE FUNCTION app.count_changes();
ALTER TABLE app.task ENABLE ALWAYS TRIGGER count_always, DISABLE TRIGGER count_never;
INSERT INTO app.project VALUES (1, :'w1', 'p1'), (2, :'w2', 'p2'), (4, :'w4', 'p4');
INSERT INTO app.task VALUES (11, 1, 't11'), (12, 1, 't12'), (21, 2, 't21'), (41, 4, 't41');
INSERT INTO app.comment VALUES (111, 11, 'c'), (121, 12, 'c'), (211, 21, 'c'), (999, NULL, 'c');
CREATE INDEX ON app.project (workspace_id);
SELECT cnap_protect('app.project', write_permission => 'administer');
-- the parent must have a column itself
SELECT cnap_protect_child('app.task', 'project_id');
SELECT cnap_protect_child('app.comment', 'task_id', 'workspace_id');
-- in place of the policies that search the parent
SELECT cnap_protect_child('app.task', 'project_id', workspace_column => 'workspace_id');
CREATE INDEX ON app.task (workspace_id);
SELECT cnap_protect_child('app.comment', 'task_id', 'ws');
CREATE INDEX ON app.comment (ws);
SELECT * FROM cnap_protected_tables();
SELECT relation, definition FROM keepers;
SELECT polname, polcmd, pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS check
FROM pg_policy WHERE polrelid = 'app.comment'::regclass AND polpermissive ORDER BY polname;
-- the application's triggers did not fire, and are as they were
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'app.task'::regclass AND tgname LIKE 'count%' ORDER BY tgname;
-- again, without harm
SELECT cnap_protect_child('app.comment', 'task_id', 'ws');
SELECT count(*) FROM keepers;
RESET ROLE;
SELECT max(changes) FROM app.task;
SELECT * FROM app.comment ORDER BY id;
SELECT untrue();
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO regress_cnap_app;

-- ---- every command, as the application's role ----

SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
SELECT id, workspace_id FROM app.task ORDER BY id;
SELECT id, ws FROM app.comment ORDER BY id;
COPY (SELECT id, task_id FROM app.comment) TO STDOUT;
INSERT INTO app.task VALUES (13, 1, 'new') RETURNING id, workspace_id;
INSERT INTO app.comment VALUES (131, 13, 'new') RETURNING *;
-- not with another workspace's id, in any way
INSERT INTO app.task (id, project_id, workspace_id) VALUES (22, 2, :'w1');
INSERT INTO app.task (id, project_id, workspace_id) VALUES (22, 1, :'w2') RETURNING id, workspace_id;
INSERT INTO app.comment VALUES (998, NULL, 'no parent', :'w1');
INSERT INTO app.task (id, project_id) VALUES (51, 5);
INSERT INTO app.task (id, project_id, workspace_id) VALUES (51, 5, :'w1');
UPDATE app.task SET workspace_id = :'w2' WHERE id = 22 RETURNING id, workspace_id;
UPDATE app.task SET project_id = 2 WHERE id = 22;
UPDATE app.task SET project_id = 2, workspace_id = :'w1' WHERE id = 22;
UPDATE app.comment SET task_id = 22, ws = NULL WHERE id = 131 RETURNING *;
UPDATE app.comment SET task_id = NULL WHERE id = 131;
UPDATE app.comment SET body = 'seen' WHERE id = 211 RETURNING *;
DELETE FROM app.comment WHERE id IN (131, 211, 999) RETURNING id;
INSERT INTO app.task (id, project_id) VALUES (21, 1) ON CONFLICT (id) DO UPDATE SET name = 'seen';
INSERT INTO app.task (id, project_id) VALUES (22, 1) ON CONFLICT (id) DO UPDATE SET project_id = 2;
INSERT INTO app.task (id, project_id) VALUES (22, 1) ON CONFLICT (id) DO UPDATE SET name = 'again' RETURNING id, name;
MERGE INTO app.task t USING (VALUES (14, 1)) AS v (id, project) ON t.id = v.id
WHEN NOT MATCHED THEN INSERT (id, project_id) VALUES (v.id, v.project);
MERGE INTO app.task t USING (VALUES (15, 2)) AS v (id, project) ON t.id = v.id
WHEN NOT MATCHED THEN INSERT (id, project_id) VALUES (v.id, v.project);
MERGE INTO app.task t USING (VALUES (14), (21)) AS v (id) ON t.id = v.id
WHEN MATCHED THEN DELETE;
-- the parent is read for whoever may write the row, with or without a privilege of theirs on it
RESET ROLE;
GRANT INSERT ON app.task TO regress_cnap_plain;
SET ROLE regress_cnap_plain;
BEGIN;
INSERT INTO app.task (id, project_id) VALUES (16, 1);
ROLLBACK;
INSERT INTO app.task (id, project_id) VALUES (16, 2);
SET ROLE regress_cnap_app;
-- reading does not imply writing
SET cnap.user_id = 'hal';
SELECT count(*) FROM app.comment;
INSERT INTO app.comment VALUES (112, 11, 'by a member');
UPDATE app.task SET name = 'by a member' RETURNING *;
RESET cnap.user_id;
SELECT (SELECT count(*) FROM app.task) AS tasks, (SELECT count(*) FROM app.comment) AS comments;
RESET ROLE;
SELECT untrue();

-- ---- the parent moves, and everything below it ----

BEGIN;
UPDATE app.project SET workspace_id = :'w4' WHERE id = 1;
SELECT id, workspace_id FROM app.task WHERE project_id = 1 ORDER BY id;
SELECT id, ws FROM app.comment WHERE task_id IN (11, 12) ORDER BY id;
SELECT untrue();
SET LOCAL ROLE regress_cnap_app;
SET LOCAL cnap.user_id = 'carol';
SELECT (SELECT count(*) FROM app.task) AS tasks, (SELECT count(*) FROM app.comment) AS comments;
SET LOCAL cnap.user_id = 'frank';
SELECT (SELECT count(*) FROM app.task) AS tasks, (SELECT count(*) FROM app.comment) AS comments;
ROLLBACK;
-- moved by a user who can write to both workspaces
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES (:'w4', 'carol', 'admin');
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
BEGIN;
UPDATE app.project SET workspace_id = :'w4' WHERE id = 1;
UPDATE app.task SET project_id = 4 WHERE id = 11;
SELECT id, workspace_id = :'w4' AS moved FROM app.task WHERE id IN (11, 12) ORDER BY id;
ROLLBACK;
RESET cnap.user_id;
RESET ROLE;
-- with session_replication_role = replica nothing fires; rows are applied as they were sent
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO app.task (id, project_id, workspace_id) VALUES (77, 1, :'w1');
SELECT untrue();
ROLLBACK;
-- COPY is for roles to which policies do not apply, and fills the column
BEGIN;
COPY app.task (id, project_id) FROM PROGRAM 'echo 77,1' (FORMAT csv);
SELECT workspace_id FROM app.task WHERE id = 77;
ROLLBACK;
-- the foreign key holds if the trigger was bypassed
BEGIN;
ALTER TABLE app.task DISABLE TRIGGER cnap_workspace;
SELECT pg_temp.try($$INSERT INTO app.task (id, project_id, workspace_id) VALUES (77, 1, '00000000-0000-4000-8000-000000000002')$$);
ROLLBACK;
BEGIN;
CREATE FUNCTION app.spoil() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.workspace_id := '00000000-0000-4000-8000-000000000002'; RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE INSERT OR UPDATE ON app.task FOR EACH ROW EXECUTE FUNCTION app.spoil();
SELECT pg_temp.try($$INSERT INTO app.task (id, project_id) VALUES (77, 1)$$);
SELECT pg_temp.try($$UPDATE app.task SET name = 'spoilt' WHERE id = 11$$);
ROLLBACK;
-- and if the foreign key has been dropped, the trigger refuses the row
BEGIN;
ALTER TABLE app.comment DROP CONSTRAINT cnap_comment_fkey;
SELECT pg_temp.try($$INSERT INTO app.comment VALUES (77, 11)$$);
SELECT relation, parent FROM cnap_protected_tables() WHERE relation = 'app.comment'::regclass;
SELECT cnap_protect_child('app.comment', 'task_id', 'ws');
SELECT pg_temp.try($$INSERT INTO app.comment VALUES (77, 11)$$);
ROLLBACK;

-- ---- deletion of parents ----

BEGIN;
DELETE FROM app.task WHERE id = 11;
SELECT * FROM app.comment WHERE id = 111;
DELETE FROM app.project WHERE id = 1;
SELECT * FROM app.comment ORDER BY id;
SELECT untrue();
ROLLBACK;

-- ---- renaming, and changes of permissions ----

SET ROLE regress_cnap_dev;
BEGIN;
ALTER TABLE app.task RENAME TO "Task's";
ALTER TABLE app."Task's" RENAME project_id TO "its project";
ALTER TABLE app."Task's" RENAME workspace_id TO "its workspace";
ALTER TABLE app.project RENAME id TO key;
ALTER TRIGGER cnap_workspace ON app."Task's" RENAME TO other_name;
SELECT * FROM cnap_protected_tables();
RESET ROLE;
INSERT INTO app."Task's" (id, "its project") VALUES (88, 1) RETURNING "its workspace";
INSERT INTO app.comment VALUES (881, 88) RETURNING ws;
ROLLBACK;
RESET ROLE;
INSERT INTO app.comment VALUES (881, 11) RETURNING ws;
DELETE FROM app.comment WHERE id = 881;
SET ROLE regress_cnap_dev;
SELECT cnap_protect('app.project', write_permission => 'billing');
SELECT relation, write_permission, enforced FROM cnap_protected_tables();
-- also if the parent's policies were incomplete
BEGIN;
DROP POLICY cnap_select_restrictive ON app.project;
SELECT cnap_protect('app.project', write_permission => 'delete');
SELECT relation, write_permission FROM cnap_protected_tables();
ROLLBACK;
-- but not if it differed before
SELECT cnap_protect('app.comment', 'ws', 'delete');
SELECT cnap_protect('app.project', write_permission => 'access');
SELECT cnap_protect('app.project', write_permission => 'administer');
SELECT relation, write_permission, parent FROM cnap_protected_tables();

-- ---- objects that others depend on are kept ----

ALTER TABLE app.project ADD other uuid;
SELECT cnap_protect('app.project', 'other');
SELECT cnap_unprotect('app.project');
SELECT cnap_unprotect('app.task');
SELECT cnap_protect_child('app.task', 'project_id');
-- removed from the bottom up, with the columns
SELECT cnap_protect_child('app.comment', 'task_id');
SELECT cnap_unprotect('app.comment');
SELECT cnap_unprotect('app.task');
SELECT * FROM keepers;
SELECT cnap_unprotect('app.project');
RESET ROLE;
SET ROLE regress_cnap_dev;
SET client_min_messages = warning;
SELECT cnap_protect('app.project');
SELECT cnap_protect_child('app.task', 'project_id', 'workspace_id');
SELECT cnap_protect_child('app.comment', 'task_id', 'ws');
RESET ROLE;
SELECT untrue();
-- what two children need stays until the second is unprotected; foreign keys of the application's own stay
BEGIN;
SET ROLE regress_cnap_dev;
CREATE TABLE app.note (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project);
SELECT cnap_protect_child('app.note', 'project_id', 'workspace_id');
ALTER TABLE app.note ADD CONSTRAINT own_key FOREIGN KEY (project_id, workspace_id) REFERENCES app.project (id, workspace_id);
CREATE TABLE app.related (project_id int, workspace_id uuid, PRIMARY KEY (project_id, workspace_id));
ALTER TABLE app.note ADD CONSTRAINT a_key FOREIGN KEY (project_id, workspace_id) REFERENCES app.related
	DEFERRABLE INITIALLY DEFERRED;
RESET ROLE;
INSERT INTO app.note VALUES (1, 1);
SELECT untrue();
DELETE FROM app.note;
SET CONSTRAINTS ALL IMMEDIATE;
SET ROLE regress_cnap_dev;
SELECT parent FROM cnap_protected_tables() WHERE relation = 'app.note'::regclass;
SELECT cnap_unprotect('app.note');
SELECT conname FROM pg_constraint
WHERE conrelid IN ('app.note'::regclass, 'app.project'::regclass) AND contype <> 'n' ORDER BY conname;
ROLLBACK;
BEGIN;
SET ROLE regress_cnap_dev;
CREATE TABLE app.note (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project);
SELECT cnap_protect_child('app.note', 'project_id', 'workspace_id');
ALTER TABLE app.note ADD CONSTRAINT own_key FOREIGN KEY (project_id, workspace_id) REFERENCES app.project (id, workspace_id);
ALTER TABLE app.note DROP CONSTRAINT cnap_note_fkey;
SELECT cnap_unprotect('app.note');
SELECT conname FROM pg_constraint WHERE conrelid = 'app.note'::regclass AND contype <> 'n' ORDER BY conname;
ROLLBACK;
-- a constraint of the application's own is used, and kept
SET ROLE regress_cnap_dev;
SELECT cnap_unprotect('app.comment');
SELECT cnap_unprotect('app.task');
ALTER TABLE app.project ADD CONSTRAINT mine UNIQUE (workspace_id, id);
SELECT cnap_protect_child('app.task', 'project_id', 'workspace_id');
SELECT relation, conname FROM keepers;
SELECT cnap_unprotect('app.task');
SELECT conname FROM pg_constraint WHERE conrelid = 'app.project'::regclass AND contype = 'u';
DROP TABLE app.project, app.task, app.comment;

-- whatever its name begins with
CREATE TABLE app.cnap_project (id int UNIQUE, workspace_id uuid NOT NULL, PRIMARY KEY (workspace_id, id));
CREATE TABLE app.cnap_a (project_id int NOT NULL REFERENCES app.cnap_project (id));
SELECT cnap_protect('app.cnap_project');
SELECT cnap_protect_child('app.cnap_a', 'project_id', 'workspace_id');
SELECT cnap_unprotect('app.cnap_a');
SELECT conname FROM pg_constraint WHERE conname LIKE 'cnap\_%' AND contype IN ('f', 'p', 'u') ORDER BY conname;
SELECT cnap_protect_child('app.cnap_a', 'project_id', 'workspace_id');
ALTER TABLE app.cnap_a ADD FOREIGN KEY (project_id, workspace_id) REFERENCES app.cnap_project (id, workspace_id);
SELECT cnap_unprotect('app.cnap_a');
SELECT conname FROM pg_constraint WHERE conname LIKE 'cnap\_%' AND contype IN ('f', 'p', 'u') ORDER BY conname;
DROP TABLE app.cnap_project, app.cnap_a;

-- ---- other keys ----

-- with several columns, deferred, with changing keys of the parents
CREATE TABLE app.root (a int, b bigint, workspace_id uuid NOT NULL UNIQUE, PRIMARY KEY (a, b));
CREATE TABLE app.leaf (id int PRIMARY KEY, a int NOT NULL, b int NOT NULL,
	FOREIGN KEY (a, b) REFERENCES app.root ON UPDATE CASCADE ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED);
SELECT cnap_protect('app.root');
SELECT cnap_protect_child('app.leaf', 'b', 'ws');
SELECT relation, definition FROM keepers;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
-- a child that is inserted first specifies the workspace, which is checked at the end
BEGIN;
INSERT INTO app.leaf VALUES (1, 1, 1);
ROLLBACK;
BEGIN;
INSERT INTO app.leaf VALUES (1, 1, 1, :'w1');
INSERT INTO app.root VALUES (1, 1, :'w1');
COMMIT;
BEGIN;
INSERT INTO app.leaf VALUES (2, 1, 2, :'w1');
RESET ROLE;
INSERT INTO app.root VALUES (1, 2, :'w2');
\set VERBOSITY terse
COMMIT;
\set VERBOSITY default
SET ROLE regress_cnap_app;
UPDATE app.root SET b = 3;
SELECT * FROM app.leaf;
BEGIN;
SELECT pg_temp.try('DELETE FROM app.root') <> 'no error' AS refused;
ROLLBACK;
RESET cnap.user_id;
SET ROLE regress_cnap_dev;
DROP TABLE app.root, app.leaf;

-- with the workspace in the key
CREATE TABLE app.root (workspace_id uuid NOT NULL, id int, PRIMARY KEY (workspace_id, id));
CREATE TABLE app.leaf (ws uuid NOT NULL, root_id int NOT NULL, FOREIGN KEY (ws, root_id) REFERENCES app.root);
SELECT cnap_protect('app.root');
SELECT cnap_protect_child('app.leaf', 'root_id', 'other');
DROP TABLE app.root, app.leaf;

-- to defaults, and of some columns only
CREATE TABLE app.root (id int PRIMARY KEY, workspace_id uuid NOT NULL UNIQUE);
CREATE TABLE app.leaf (id int PRIMARY KEY, root_id int DEFAULT 1 REFERENCES app.root ON DELETE SET DEFAULT);
CREATE TABLE app.some (id int PRIMARY KEY, root_id int, kind int NOT NULL, UNIQUE (root_id),
	FOREIGN KEY (root_id) REFERENCES app.root ON DELETE SET NULL (root_id));
INSERT INTO app.root VALUES (1, :'w1'), (2, :'w2');
INSERT INTO app.leaf VALUES (1, 2);
INSERT INTO app.some VALUES (1, 2, 1);
SELECT cnap_protect('app.root');
SELECT cnap_protect_child('app.leaf', 'root_id', 'ws');
SELECT cnap_protect_child('app.some', 'root_id', 'ws');
SELECT relation, definition FROM keepers WHERE definition LIKE 'FOREIGN%';
RESET ROLE;
DELETE FROM app.root WHERE id = 2;
SELECT * FROM app.leaf;
SELECT * FROM app.some;
SET ROLE regress_cnap_dev;
DROP TABLE app.root, app.leaf, app.some;

-- as many columns as an index can have, and one fewer, which leaves room for the workspace
BEGIN;
SET LOCAL ROLE regress_cnap_dev;
SELECT string_agg(format('k%s int NOT NULL', n), ', ') AS columns, string_agg('k' || n, ', ') AS keys
FROM generate_series(1, 31) n \gset
CREATE TABLE app.wide_31 (:columns, workspace_id uuid NOT NULL, PRIMARY KEY (:keys));
CREATE INDEX ON app.wide_31 (workspace_id);
CREATE TABLE app.of_wide_31 (:columns, FOREIGN KEY (:keys) REFERENCES app.wide_31);
CREATE TABLE app.wide_32 (:columns, k32 int NOT NULL, workspace_id uuid NOT NULL, PRIMARY KEY (:keys, k32));
CREATE INDEX ON app.wide_32 (workspace_id);
CREATE TABLE app.of_wide_32 (:columns, k32 int NOT NULL, FOREIGN KEY (:keys, k32) REFERENCES app.wide_32);
CREATE INDEX ON app.of_wide_32 (k1);
SELECT cnap_protect('app.wide_31'), cnap_protect('app.wide_32');
SET LOCAL client_min_messages = warning;
SELECT cnap_protect_child('app.of_wide_31', 'k1', 'workspace_id');
SELECT pg_temp.try('SELECT cnap_protect_child(''app.of_wide_32'', ''k1'', ''workspace_id'')');
SELECT cnap_protect_child('app.of_wide_32', 'k1');
SELECT relation, cardinality(parent_columns) AS columns, workspace_column, enforced FROM cnap_protected_tables()
WHERE relation::text ~ 'wide' ORDER BY relation::text;
RESET ROLE;
SELECT format('INSERT INTO app.wide_%s SELECT %s, %L', n, (SELECT string_agg(i::text, ', ') FROM generate_series(1, n) i), :'w1'),
	format('INSERT INTO app.of_wide_%s SELECT %s', n, (SELECT string_agg(i::text, ', ') FROM generate_series(1, n) i))
FROM unnest(ARRAY[31, 32]) n \gexec
SELECT workspace_id = :'w1' AS filled FROM app.of_wide_31;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
SET LOCAL ROLE regress_cnap_app;
SET LOCAL cnap.user_id = 'carol';
SELECT (SELECT count(*) FROM app.of_wide_31) AS wide_31, (SELECT count(*) FROM app.of_wide_32) AS wide_32;
SET LOCAL cnap.user_id = 'frank';
SELECT (SELECT count(*) FROM app.of_wide_31) AS wide_31, (SELECT count(*) FROM app.of_wide_32) AS wide_32;
ROLLBACK;

-- ---- partitions ----

CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL) PARTITION BY HASH (id);
CREATE TABLE app.project_0 PARTITION OF app.project FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.project_1 PARTITION OF app.project FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE app.event (id int, project_id int NOT NULL REFERENCES app.project, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES FROM (0) TO (100);
CREATE TABLE app.event_2 (junk int, project_id int NOT NULL, id int NOT NULL);
ALTER TABLE app.event_2 DROP COLUMN junk;
ALTER TABLE app.event ATTACH PARTITION app.event_2 FOR VALUES FROM (100) TO (200);
CREATE INDEX ON app.project (workspace_id);
INSERT INTO app.project VALUES (1, :'w1'), (2, :'w2');
INSERT INTO app.event VALUES (1, 1), (2, 2), (101, 1), (102, 2);
SELECT cnap_protect('app.project');
SELECT cnap_protect_child('app.event', 'project_id', 'workspace_id');
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;
RESET ROLE;
INSERT INTO app.event VALUES (3, 1), (103, 2);
INSERT INTO app.event_2 (id, project_id) VALUES (104, 2);
UPDATE app.event SET id = id + 102 WHERE id = 3;
SELECT pg_temp.try('UPDATE app.event SET id = 150, project_id = 2 WHERE id = 1');
SELECT tableoid::regclass, id, project_id, workspace_id FROM app.event ORDER BY id;
UPDATE app.project SET workspace_id = :'w4' WHERE id = 1;
SELECT untrue();
-- a partitioned child is one child
SELECT pg_temp.try($$SELECT cnap_unprotect('app.project')$$);
-- the constraints for each partition of the parent do not count
BEGIN;
CREATE TABLE app.single (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project);
SET LOCAL client_min_messages = warning;
SELECT cnap_protect_child('app.single', 'project_id', 'workspace_id');
ALTER TABLE app.single RENAME CONSTRAINT cnap_single_fkey TO aaa;
INSERT INTO app.single VALUES (1, 1), (2, 2);
SELECT untrue();
ROLLBACK;
-- one that is added later has everything except the policies
SET ROLE regress_cnap_dev;
CREATE TABLE app.event_3 PARTITION OF app.event FOR VALUES FROM (200) TO (300);
-- and nothing that unprotecting it could take away
BEGIN;
ALTER TABLE app.event_3 ENABLE ROW LEVEL SECURITY;
SELECT cnap_unprotect('app.event_3');
SELECT relrowsecurity FROM pg_class WHERE oid = 'app.event_3'::regclass;
ROLLBACK;
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text LIKE 'app.event%' ORDER BY relation::text;
SELECT cnap_protect_child('app.event', 'project_id', 'workspace_id');
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation::text LIKE 'app.event%' ORDER BY relation::text;
SELECT cnap_unprotect('app.event');
SELECT * FROM keepers WHERE conname <> 'workspace_id';
DROP TABLE app.event, app.project;

-- ---- refusals ----

CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid, other uuid NOT NULL);
CREATE TABLE app.t (id int PRIMARY KEY, project_id int REFERENCES app.project, name text,
	twice uuid GENERATED ALWAYS AS (NULL::uuid) STORED);
ALTER TABLE app.project ADD UNIQUE (other);
CREATE TABLE app.known (other uuid REFERENCES app.project (other));
CREATE TABLE app.base (project_id int REFERENCES app.project);
CREATE TABLE app.derived () INHERITS (app.base);
CREATE TABLE app.spread (project_id int REFERENCES app.project, ws uuid, other uuid) PARTITION BY LIST (project_id);
CREATE TABLE app.spread_all PARTITION OF app.spread DEFAULT PARTITION BY HASH ((ws::text));
CREATE TABLE app.generated (doc jsonb, project_id int GENERATED ALWAYS AS ((doc->>'project')::int) STORED REFERENCES app.project);
SELECT cnap_protect('app.project');
SELECT pg_temp.try($$SELECT cnap_protect_child('app.t', 'project_id', 'ws')$$);
ALTER TABLE app.project ALTER workspace_id SET NOT NULL;
SELECT call, pg_temp.try('SELECT ' || call) AS result
FROM unnest(ARRAY[
	$$cnap_protect_child('app.t', 'project_id', 'name')$$,
	$$cnap_protect_child('app.t', 'project_id', 'ctid')$$,
	$$cnap_protect_child('app.t', 'project_id', 'twice')$$,
	$$cnap_protect_child('app.t', 'project_id', 'project_id')$$,
	$$cnap_protect_child('app.known', 'other', 'other')$$,
	$$cnap_protect_child('app.base', 'project_id', 'ws')$$,
	$$cnap_protect_child('app.generated', 'project_id', 'ws')$$,
	$$cnap_protect_child('app.spread', 'project_id', 'ws')$$,
	$$cnap_protect_child('app.spread_all', 'project_id', 'ws')$$,
	$$cnap_protect_child('app.spread_all', 'project_id', 'other')$$]) AS call;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT cnap_protect_child('app.t', 'project_id', 'ws');
ROLLBACK;
-- not for a parent of another owner
RESET ROLE;
ALTER TABLE app.project OWNER TO regress_cnap_plain;
SET ROLE regress_cnap_dev;
SELECT cnap_protect_child('app.t', 'project_id', 'ws');
-- filling it executes functions of the table's owner in no other name, also if a superuser has asked for it,
-- and they leave nothing behind for that
BEGIN;
SET LOCAL ROLE regress_cnap_dev;
CREATE FUNCTION app.tell(int) RETURNS boolean LANGUAGE plpgsql AS
$$
BEGIN
	RAISE WARNING 'executed as %', current_user;
	CREATE TEMP TABLE trap ();
	RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
	RAISE WARNING '%', sqlerrm;
	PERFORM set_config('app.told', 'yes', false);
	RETURN true;
END $$;
CREATE TABLE app.root (id int PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE TABLE app.leaf (root_id int NOT NULL UNIQUE REFERENCES app.root);
INSERT INTO app.root VALUES (1, :'w1');
INSERT INTO app.leaf VALUES (1);
ALTER TABLE app.leaf ADD CHECK (app.tell(root_id)) NOT VALID;
SET LOCAL client_min_messages = warning;
SELECT cnap_protect('app.root');
RESET ROLE;
SELECT cnap_protect_child('app.leaf', 'root_id', 'ws');
SELECT current_setting('app.told', true) AS told;
ROLLBACK;
-- nor does the foreign key, which may convert the values
BEGIN;
SET LOCAL ROLE regress_cnap_dev;
CREATE TYPE app.number AS ENUM ('1');
CREATE FUNCTION app.to_int(app.number) RETURNS int LANGUAGE plpgsql AS
$$
BEGIN
	IF current_user <> 'regress_cnap_dev' THEN
		RAISE 'executed as another role';
	END IF;
	RETURN $1::text::int;
END $$;
CREATE CAST (app.number AS int) WITH FUNCTION app.to_int AS IMPLICIT;
CREATE TABLE app.root (id int PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE TABLE app.leaf (root_id app.number NOT NULL UNIQUE REFERENCES app.root);
INSERT INTO app.root VALUES (1, :'w1');
INSERT INTO app.leaf VALUES ('1');
SET LOCAL client_min_messages = warning;
SELECT cnap_protect('app.root');
RESET ROLE;
SELECT cnap_protect_child('app.leaf', 'root_id', 'ws');
SELECT root_id, ws = :'w1' AS filled FROM app.leaf;
ROLLBACK;
-- the trigger does not reveal a parent's workspace: it reads as the owner of its table
RESET ROLE;
GRANT REFERENCES ON app.project TO regress_cnap_dev;
INSERT INTO app.project VALUES (1, :'w4', :'w4');
ALTER TABLE app.project ADD UNIQUE (id, workspace_id);
SET ROLE regress_cnap_dev;
CREATE TABLE app.spy (project_id int, ws uuid, FOREIGN KEY (project_id, ws) REFERENCES app.project (id, workspace_id));
CREATE TRIGGER spy BEFORE INSERT OR UPDATE OF project_id, ws ON app.spy FOR EACH ROW EXECUTE FUNCTION cnap.fill_workspace();
INSERT INTO app.spy VALUES (1) RETURNING ws;
RESET ROLE;
INSERT INTO app.spy VALUES (1) RETURNING ws;
GRANT SELECT, UPDATE ON app.project TO regress_cnap_dev;
SET ROLE regress_cnap_dev;
INSERT INTO app.spy VALUES (1) RETURNING ws;
-- nor can it be used for anything else
CREATE TRIGGER other AFTER INSERT ON app.spy FOR EACH ROW EXECUTE FUNCTION cnap.fill_workspace();
CREATE TABLE app.plain (a int, b int);
CREATE TRIGGER plain BEFORE INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION cnap.fill_workspace();
CREATE TABLE app.ints (a int REFERENCES app.project, b int);
CREATE TRIGGER ints BEFORE INSERT OR UPDATE OF a ON app.ints FOR EACH ROW EXECUTE FUNCTION cnap.fill_workspace();
CREATE TABLE app.pair (a int, b int, PRIMARY KEY (a, b));
INSERT INTO app.pair VALUES (1, 1);
CREATE TABLE app.of_pair (a int, b int, FOREIGN KEY (a, b) REFERENCES app.pair);
CREATE TRIGGER pair BEFORE INSERT OR UPDATE OF a, b ON app.of_pair FOR EACH ROW EXECUTE FUNCTION cnap.fill_workspace();
INSERT INTO app.spy VALUES (NULL);
INSERT INTO app.plain VALUES (1);
INSERT INTO app.ints VALUES (1);
INSERT INTO app.of_pair VALUES (1);
SELECT pg_temp.try('SELECT cnap.fill_workspace()');
RESET ROLE;

DROP VIEW keepers;
DROP FUNCTION untrue();
-- ---- going back and protecting again ----

RESET ROLE;
SET client_min_messages = notice;
CREATE SCHEMA back;
CREATE TABLE back.parent (id int PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE INDEX ON back.parent (workspace_id);
CREATE TABLE back.child (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES back.parent);
CREATE TABLE back.own (id int PRIMARY KEY, parent_id int NOT NULL REFERENCES back.parent, workspace_id uuid);
CREATE INDEX ON back.own (workspace_id);
SELECT relation, protection FROM cnap_protect_schema('back', true, child_column => 'workspace_id');
SELECT cnap_protect_child('back.own', 'parent_id', 'workspace_id');
-- the column that was added goes; one that was there stays, and it says so
SELECT relation FROM cnap_unprotect_schema('back', true);
SELECT attrelid::regclass, attname FROM pg_attribute
WHERE attrelid::regclass::text LIKE 'back.%' AND attname = 'workspace_id' AND attrelid::regclass::text NOT LIKE '%\_idx' ORDER BY 1;
-- so nothing that is left counts as a workspace column
SELECT relation, protection, columns FROM cnap_protect_schema('back') WHERE relation = 'back.child'::regclass;
SET client_min_messages = warning;
DROP SCHEMA back CASCADE;

DROP SCHEMA app CASCADE;
DROP OWNED BY regress_cnap_dev CASCADE;
DROP ROLE regress_cnap_dev;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
