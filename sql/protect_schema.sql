-- protect_schema: cnap_protect_schema and cnap_unprotect_schema
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set try :abs_srcdir '/sql/include/try.sql'
\i :try
-- changes of protections by hand are what is tested here
SET cnap.guard = off;

CREATE ROLE regress_cnap_dev;
GRANT REFERENCES ON cnap.workspace TO regress_cnap_dev;
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
CREATE SCHEMA shared AUTHORIZATION regress_cnap_dev;
GRANT USAGE ON SCHEMA app, shared TO PUBLIC;
SET client_min_messages = warning;

-- ---- a schema with all kinds of relations ----

SET ROLE regress_cnap_dev;
-- by a column with that name, and by one that references workspaces
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE TABLE app.tag (id int PRIMARY KEY, tenant uuid NOT NULL REFERENCES cnap.workspace, UNIQUE (tenant, id));
-- by a parent: the shortest path, but keys that cannot be null first, however long the path
CREATE TABLE app.task (id int PRIMARY KEY, project_id int NOT NULL REFERENCES app.project);
CREATE TABLE app.comment (id int PRIMARY KEY,
	task_id int NOT NULL REFERENCES app.task,
	project_id int REFERENCES app.project,
	author int);
CREATE TABLE app.attachment (id int PRIMARY KEY,
	comment_id int NOT NULL REFERENCES app.comment,
	task_id int NOT NULL REFERENCES app.task);
CREATE TABLE app.label (task_id int NOT NULL REFERENCES app.task, tenant uuid NOT NULL, tag_id int NOT NULL,
	FOREIGN KEY (tenant, tag_id) REFERENCES app.tag (tenant, id));
CREATE TABLE app.link (tenant uuid NOT NULL, a int NOT NULL, b int NOT NULL,
	FOREIGN KEY (tenant, a) REFERENCES app.tag (tenant, id), FOREIGN KEY (tenant, b) REFERENCES app.tag (tenant, id));
-- a tree, and two that refer to each other
CREATE TABLE app.folder (id int PRIMARY KEY, up int REFERENCES app.folder, project_id int REFERENCES app.project);
CREATE TABLE app.egg (id int PRIMARY KEY, hen_id int NOT NULL, project_id int REFERENCES app.project);
CREATE TABLE app.hen (id int PRIMARY KEY, egg_id int NOT NULL REFERENCES app.egg);
ALTER TABLE app.egg ADD FOREIGN KEY (hen_id) REFERENCES app.hen;
-- with many partitions; generated and identity columns
CREATE TABLE app.event (id int GENERATED ALWAYS AS IDENTITY, task_id int NOT NULL REFERENCES app.task,
	twice int GENERATED ALWAYS AS (task_id * 2) STORED) PARTITION BY HASH (task_id);
CREATE TABLE app.event_0 PARTITION OF app.event FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- what cannot be protected
CREATE TABLE app.country (code text PRIMARY KEY);
CREATE TABLE app.node (id int PRIMARY KEY, up int REFERENCES app.node);
CREATE TABLE app.city (id int PRIMARY KEY, country text REFERENCES app.country);
CREATE TABLE app.legacy (workspace_id text);
CREATE TABLE app.transfer (id int PRIMARY KEY, source uuid REFERENCES cnap.workspace, target uuid REFERENCES cnap.workspace);
CREATE TABLE app.move (source uuid REFERENCES cnap.workspace, target uuid REFERENCES cnap.workspace,
	project_id int NOT NULL REFERENCES app.project);
CREATE TABLE app.base (project_id int NOT NULL REFERENCES app.project);
CREATE TABLE app.derived (FOREIGN KEY (project_id) REFERENCES app.project) INHERITS (app.base);
CREATE TABLE app.old (project_id int NOT NULL REFERENCES app.project);
CREATE TABLE app.older () INHERITS (app.old);
CREATE MATERIALIZED VIEW app.summary AS SELECT workspace_id FROM app.project;
CREATE VIEW app.overview AS SELECT workspace_id FROM app.project;
CREATE VIEW app.invoked WITH (security_invoker = true) AS
	SELECT t.id, p.workspace_id FROM app.task t JOIN app.project p ON p.id = t.project_id;
RESET ROLE;
CREATE FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE SERVER regress_cnap_server FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE FOREIGN TABLE app.remote (workspace_id uuid) SERVER regress_cnap_server;
ALTER FOREIGN TABLE app.remote OWNER TO regress_cnap_dev;
CREATE TABLE app.others (id int PRIMARY KEY, workspace_id uuid);
CREATE TABLE app.child_of_others (others_id int NOT NULL REFERENCES app.others);
ALTER TABLE app.child_of_others OWNER TO regress_cnap_dev;
CREATE TABLE app.mixed (id int NOT NULL, workspace_id uuid) PARTITION BY LIST (id);
CREATE FOREIGN TABLE app.mixed_remote PARTITION OF app.mixed FOR VALUES IN (1) SERVER regress_cnap_server;
ALTER TABLE app.mixed OWNER TO regress_cnap_dev;
ALTER FOREIGN TABLE app.mixed_remote OWNER TO regress_cnap_dev;

-- ---- the plan ----

SET ROLE regress_cnap_dev;
SELECT relation, protection, columns, parent FROM cnap_protect_schema('app');
SELECT relation, reason FROM cnap_protect_schema('app') WHERE reason IS NOT NULL;
SELECT statement FROM cnap_protect_schema('app') WHERE statement IS NOT NULL;
-- nothing has changed
SELECT count(*) FROM cnap_protected_tables();
-- another permission, another column
SELECT relation, statement FROM cnap_protect_schema('app', write_permission => 'administer') WHERE protection = 'column';
SELECT relation, columns FROM cnap_protect_schema(schema => 'app', workspace_columns => '{tenant}') WHERE protection = 'column';

-- ---- execution ----

SELECT count(*) AS done FROM cnap_protect_schema('app', true, write_permission => 'administer') WHERE statement IS NOT NULL;
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;
-- again, with nothing left to do
SELECT relation, statement FROM cnap_protect_schema('app', true) WHERE statement IS NOT NULL;
SELECT relation, protection, reason FROM cnap_protect_schema('app') LIMIT 3;
-- weakened protection is repaired in the same way, also a partition that was added
CREATE TABLE app.event_new (LIKE app.event_0);
ALTER TABLE app.event DETACH PARTITION app.event_1;
DROP TABLE app.event_1;
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE app.tag NO FORCE ROW LEVEL SECURITY;
DROP POLICY cnap_delete_restrictive ON app.attachment;
SELECT relation, protection, statement FROM cnap_protect_schema('app', true) WHERE statement IS NOT NULL;
SELECT relation, write_permission FROM cnap_protected_tables() WHERE NOT enforced OR relation = 'app.tag'::regclass;
DROP TABLE app.event_new;

-- with the permission that is left, rather than the given one
BEGIN;
DROP POLICY cnap_delete_restrictive ON app.project;
SELECT relation, statement FROM cnap_protect_schema('app', true, write_permission => 'access') WHERE statement IS NOT NULL;
ROLLBACK;

-- ---- as the application's role ----

RESET ROLE;
INSERT INTO app.project VALUES (1, :'w1'), (2, :'w2');
INSERT INTO app.task VALUES (11, 1), (21, 2);
INSERT INTO app.comment VALUES (111, 11, 2), (211, 21, 1);
INSERT INTO app.attachment VALUES (1, 111, 11), (2, 211, 21);
INSERT INTO app.event (task_id) VALUES (11), (21);
INSERT INTO app.folder VALUES (1, NULL, 1), (2, NULL, NULL);
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
SELECT * FROM app.comment;
SELECT * FROM app.attachment;
SELECT * FROM app.folder;
SELECT * FROM app.event;
SELECT * FROM app.invoked;
INSERT INTO app.event (task_id) VALUES (11) RETURNING *;
INSERT INTO app.event (task_id) VALUES (21);
RESET cnap.user_id;

-- ---- other schemas ----

-- a parent in another schema, if it is protected
SET ROLE regress_cnap_dev;
CREATE TABLE shared.note (id int PRIMARY KEY, comment_id int NOT NULL REFERENCES app.comment);
CREATE TABLE shared.page (id int PRIMARY KEY, note_id int NOT NULL REFERENCES shared.note, country text REFERENCES app.country);
SELECT relation, protection, parent, statement FROM cnap_protect_schema('shared', true);
-- and enforced
BEGIN;
SELECT count(*) FROM cnap_unprotect_schema('shared', true);
ALTER TABLE app.comment DISABLE ROW LEVEL SECURITY;
SELECT relation, protection, reason FROM cnap_protect_schema('shared');
ROLLBACK;
-- nor is a plan made that would be refused, or is carried out already, because of tables of others
BEGIN;
ALTER TABLE app.comment DISABLE ROW LEVEL SECURITY;
SELECT relation, protection, statement, reason FROM cnap_protect_schema('shared', true);
DROP POLICY cnap_delete_restrictive ON shared.note;
SELECT cnap_unprotect('shared.page');
SELECT relation, protection, statement, reason FROM cnap_protect_schema('shared', true);
ALTER TABLE app.comment ENABLE ROW LEVEL SECURITY;
SELECT relation, protection, statement, reason FROM cnap_protect_schema('shared', true);
ROLLBACK;
BEGIN;
CREATE TABLE app.above (created timestamptz);
CREATE TABLE shared.heir (id int PRIMARY KEY, workspace_id uuid) INHERITS (app.above);
CREATE TABLE shared.of_heir (heir_id int NOT NULL REFERENCES shared.heir);
SELECT relation, protection, statement, reason FROM cnap_protect_schema('shared', true) WHERE relation::text ~ 'heir';
SELECT relation, protection, statement, reason FROM cnap_protect_schema('shared', true) WHERE relation::text ~ 'heir';
-- what cannot be protected with the table that it inherits from
CREATE TABLE app.below (workspace_id uuid) INHERITS (app.above);
SELECT relation, protection, reason FROM cnap_protect_schema('app') WHERE relation = 'app.above'::regclass;
ROLLBACK;
-- which cannot be unprotected before its children
SELECT * FROM cnap_unprotect_schema('app') LIMIT 4;
SELECT count(*) FROM cnap_unprotect_schema('app', true);
SELECT count(*) FROM cnap_protected_tables() WHERE enforced;
SELECT * FROM cnap_unprotect_schema('shared', true);
SELECT count(*) FROM cnap_unprotect_schema('app', true);
SELECT count(*) FROM cnap_protected_tables();
SELECT * FROM cnap_unprotect_schema('app', true);

-- ---- with columns for the children ----

ALTER TABLE app.hen ADD workspace_id text;
ALTER TABLE app.comment ADD ws text;
SELECT relation, statement, reason FROM cnap_protect_schema('app', child_column => 'ws') WHERE protection = 'parent';
SELECT count(*) FROM cnap_protect_schema('app', true, child_column => 'ws');
SELECT relation, statement, reason FROM cnap_protect_schema('shared', child_column => 'ws') WHERE protection = 'parent';
SELECT relation, workspace_column, enforced, parent FROM cnap_protected_tables() ORDER BY relation::text;
SELECT statement FROM cnap_protect_schema('app', true, child_column => 'ws') WHERE statement IS NOT NULL;
-- not with a generated key, and not where no column can be added
BEGIN;
CREATE TABLE app.generated (doc jsonb, project_id int GENERATED ALWAYS AS ((doc->>'project')::int) STORED REFERENCES app.project);
CREATE TYPE app.note_type AS (project_id int);
CREATE TABLE app.note OF app.note_type;
ALTER TABLE app.note ADD FOREIGN KEY (project_id) REFERENCES app.project;
CREATE TABLE app.spread (project_id int NOT NULL REFERENCES app.project, ws uuid) PARTITION BY HASH (ws);
CREATE TABLE app.folder_part (up int, project_id int NOT NULL REFERENCES app.project) PARTITION BY LIST (up);
CREATE TABLE shared.folder_1 PARTITION OF app.folder_part FOR VALUES IN (1);
SELECT relation, statement, reason FROM cnap_protect_schema('app', child_column => 'ws') WHERE relation::text IN ('app.generated', 'app.note', 'app.spread');
SELECT relation, statement, reason FROM cnap_protect_schema('shared', child_column => 'ws') WHERE relation = 'shared.folder_1'::regclass;
SELECT count(*) FROM cnap_protect_schema('app', true, child_column => 'ws');
ROLLBACK;
-- nor a parent that belongs to another role, also for a superuser
BEGIN;
RESET ROLE;
ALTER TABLE app.others ALTER workspace_id SET NOT NULL;
SELECT relation, statement, reason FROM cnap_protect_schema('app', child_column => 'ws') WHERE relation = 'app.child_of_others'::regclass;
ALTER TABLE app.child_of_others OWNER TO CURRENT_USER;
SELECT relation, statement, reason FROM cnap_protect_schema('app', child_column => 'ws') WHERE relation = 'app.child_of_others'::regclass;
ROLLBACK;
SELECT relation FROM cnap_unprotect_schema('app', true);
SELECT count(*) FROM cnap_protected_tables();

-- ---- changes by hand ----

-- unprotecting removes everything, even if it no longer counts as protection: policies that were
-- altered, or dropped from a parent, or from all but the partitions; the trigger of a column
-- without any policies
BEGIN;
SELECT count(*) FROM cnap_protect_schema('app', true, child_column => 'tenant');
DO $$
DECLARE
	policy record;
BEGIN
	FOR policy IN SELECT polname, polrelid::regclass AS relation FROM pg_policy
			WHERE polrelid IN ('app.tag'::regclass, 'app.task'::regclass, 'app.project'::regclass) LOOP
		EXECUTE format('ALTER POLICY %I ON %s TO CURRENT_USER', policy.polname, policy.relation);
	END LOOP;
	FOR policy IN SELECT polname, polrelid::regclass AS relation FROM pg_policy
			WHERE polrelid IN ('app.comment'::regclass, 'app.event'::regclass) LOOP
		EXECUTE format('DROP POLICY %I ON %s', policy.polname, policy.relation);
	END LOOP;
END $$;
SELECT relation, enforced FROM cnap_protected_tables() ORDER BY relation::text;
SAVEPOINT s;
SELECT cnap_unprotect('app.project');
ROLLBACK TO s;
SELECT relation, statement FROM cnap_unprotect_schema('app', true);
SELECT polrelid::regclass, polname FROM pg_policy WHERE polname LIKE 'cnap%';
SELECT tgrelid::regclass FROM pg_trigger WHERE tgfoid = 'cnap.fill_workspace'::regproc;
SELECT oid::regclass FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relrowsecurity;
-- policies that read each other's tables are refused, since opening either table would open the other
CREATE TABLE app.hen_house (id int PRIMARY KEY, coop_id int);
CREATE TABLE app.coop (id int PRIMARY KEY, hen_house_id int);
CREATE POLICY p ON app.hen_house FOR SELECT USING (cnap.parent_visible(EXISTS (SELECT FROM app.coop WHERE coop.id = hen_house.coop_id)));
CREATE POLICY p ON app.coop FOR SELECT USING (cnap.parent_visible(EXISTS (SELECT FROM app.hen_house WHERE hen_house.id = coop.hen_house_id)));
SELECT relation, protection FROM cnap_protect_schema('app') WHERE relation IN ('app.hen_house'::regclass, 'app.coop'::regclass);
SELECT relation, statement FROM cnap_unprotect_schema('app');
SELECT relation, statement FROM cnap_unprotect_schema('app', true);
ROLLBACK;

-- all or nothing: if one is refused, the others are rolled back
RESET ROLE;
CREATE FUNCTION shared.refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity LIKE '% on app.task') THEN
		RAISE EXCEPTION 'no';
	END IF;
END $$;
CREATE EVENT TRIGGER regress_cnap_refuse ON ddl_command_end EXECUTE FUNCTION shared.refuse();
SET ROLE regress_cnap_dev;
\set VERBOSITY terse
SELECT count(*) FROM cnap_protect_schema('app', true);
\set VERBOSITY default
RESET ROLE;
DROP EVENT TRIGGER regress_cnap_refuse;
SELECT count(*) FROM cnap_protected_tables();

-- ---- overloads of the functions that it calls, of somebody else ----

BEGIN;
CREATE FUNCTION public.cnap_protect(text, text, text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END';
CREATE FUNCTION public.cnap_protect(regclass, name) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END';
CREATE FUNCTION public.cnap_protect_child(text, text, text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END';
CREATE FUNCTION public.cnap_protect_child(regclass, name) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END';
CREATE FUNCTION public.cnap_unprotect(text) RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE ''called''; END';
SET LOCAL ROLE regress_cnap_dev;
SELECT count(*) FROM cnap_protect_schema('app', true) WHERE statement IS NOT NULL;
SELECT count(*) FROM cnap_protected_tables();
SELECT count(*) FROM cnap_unprotect_schema('app', true) WHERE statement IS NOT NULL;
SELECT count(*) FROM cnap_protected_tables();
ROLLBACK;

-- ---- a role that does not own the tables sees the plan, and changes nothing ----

SET ROLE regress_cnap_plain;
SELECT DISTINCT protection, statement, regexp_replace(reason, ' own .*', ' own') AS reason
FROM cnap_protect_schema('app', true) ORDER BY reason;
SELECT count(*) FROM cnap_protected_tables();

-- ---- refusals ----

SELECT call, pg_temp.try('SELECT count(*) FROM ' || call) AS result
FROM unnest(ARRAY[
	$$cnap_protect_schema(NULL)$$,
	$$cnap_protect_schema('app', NULL)$$,
	$$cnap_protect_schema('app', true, NULL)$$,
	$$cnap_protect_schema('nothing')$$,
	$$cnap_protect_schema('pg_catalog', true)$$,
	$$cnap_protect_schema('cnap', true)$$,
	$$cnap_unprotect_schema(NULL)$$,
	$$cnap_unprotect_schema('app', NULL)$$,
	$$cnap_unprotect_schema('nothing')$$]) AS call;
-- nor can a superuser protect the extension's own tables
RESET ROLE;
SELECT DISTINCT protection, reason FROM cnap_protect_schema('cnap', true);

DROP SCHEMA app, shared CASCADE;
DROP OWNED BY regress_cnap_dev CASCADE;
DROP SERVER regress_cnap_server;
DROP FOREIGN DATA WRAPPER regress_cnap_fdw;
DROP ROLE regress_cnap_dev;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
