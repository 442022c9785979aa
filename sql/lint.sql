-- lint: cnap_lint() about tables: without protection, with incomplete protection, without an index
--
-- Each flaw is introduced, shown, and fixed with the statements of the findings, after which there
-- is no finding.
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set include :abs_srcdir '/sql/include/lint.sql'
\i :include
-- changes of protections by hand are what is tested here
SET cnap.guard = off;

CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO PUBLIC;

-- ---- nothing to find ----

-- in a database with the extension alone
SELECT * FROM findings();

-- with a correct schema
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid REFERENCES cnap.workspace);
CREATE INDEX ON app.project (workspace_id, id);
CREATE TABLE app.event (workspace_id uuid, at date) PARTITION BY RANGE (at);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE INDEX ON app.event USING hash (workspace_id);
CREATE TABLE app.country (code text PRIMARY KEY, tenant uuid);
SELECT FROM cnap_protect('app.project', write_permission => 'administer');
SELECT FROM cnap_protect('app.event');
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
SELECT * FROM findings();

-- ---- without protection ----

CREATE TABLE app.named (workspace_id uuid PRIMARY KEY);
CREATE TABLE app.named_otherwise ("Order" int, "WorkspaceId" uuid PRIMARY KEY);
ALTER TABLE app.named_otherwise RENAME COLUMN "WorkspaceId" TO owning_workspace;
CREATE TABLE app.referring (id int, "of ""whom""" uuid PRIMARY KEY REFERENCES cnap.workspace);
CREATE TABLE app."Odd 'table'" (workspace uuid PRIMARY KEY, "workspaceUuid" uuid, workspace_id int);
CREATE TABLE app.text_id (workspace_id varchar(36) PRIMARY KEY);
CREATE DOMAIN app.ws AS uuid;
CREATE TABLE app.domained (workspace_id app.ws PRIMARY KEY);
CREATE TABLE app.parent (workspace_id uuid PRIMARY KEY);
CREATE TABLE app.heir (PRIMARY KEY (workspace_id)) INHERITS (app.parent);
-- these columns hold no workspace
CREATE TABLE app.none_1 (workspace_name text, workspace_count int, workspace_ids uuid[], dashboard_id uuid);
CREATE TABLE app.none_2 (workspace_id bigint);
CREATE TEMP TABLE none_3 (workspace_id uuid);
CREATE VIEW app.none_4 WITH (security_invoker) AS SELECT * FROM app.named;
SELECT * FROM findings();
SELECT * FROM close_all();
-- nor may it be of another type in a partitioned table
BEGIN;
CREATE TABLE app.text_parts (workspace_id text) PARTITION BY LIST (workspace_id);
SELECT severity, rule, object FROM findings() WHERE object ~ 'parts';
ROLLBACK;
-- whoever changes a type executes functions of the owner's
ALTER TABLE app.text_id ALTER workspace_id TYPE uuid USING workspace_id::uuid;
ALTER TABLE app.domained ALTER workspace_id TYPE uuid;
SELECT * FROM close_all();
SELECT relation, workspace_column, write_permission, enforced
FROM cnap_protected_tables() ORDER BY relation::text COLLATE "C";

-- a column with a name that a protected table uses
CREATE TABLE app.tenant_1 (tenant uuid UNIQUE);
SELECT FROM cnap_protect('app.tenant_1', 'tenant');
SELECT severity, rule, object, remedy FROM findings();
SELECT * FROM close_all();
DROP TABLE app.named, app.named_otherwise, app.referring, app."Odd 'table'", app.text_id, app.domained,
	app.parent, app.tenant_1 CASCADE;
SELECT FROM cnap_unprotect('app.country');

-- policies of the table's own
CREATE TABLE app.handmade (workspace_id uuid PRIMARY KEY);
ALTER TABLE app.handmade ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.handmade USING (cnap_can_access(workspace_id));
SELECT * FROM findings();
-- that have nothing to do with the check
ALTER POLICY mine ON app.handmade USING (true);
SELECT severity, rule, object FROM findings();
-- that are not enforced
ALTER POLICY mine ON app.handmade USING (cnap_can_access(workspace_id));
ALTER TABLE app.handmade NO FORCE ROW LEVEL SECURITY;
SELECT severity, rule, object FROM findings();
ALTER TABLE app.handmade DISABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT severity, rule, object FROM findings();
SELECT * FROM close_all();
DROP TABLE app.handmade;

-- ---- not enforced, or weakened by hand ----

ALTER TABLE app.project NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.event_1 DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
SELECT * FROM findings();
SELECT * FROM close_all();

DROP POLICY cnap_select_restrictive ON app.project;
DROP POLICY cnap_delete_restrictive ON app.project;
DROP POLICY cnap_update_permissive ON app.project;
DROP POLICY cnap_insert_permissive ON app.event;
SELECT * FROM findings();
SELECT * FROM close_all();

ALTER POLICY cnap_select_restrictive ON app.project USING (true);
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER POLICY cnap_select_permissive ON app.project USING (cnap_can_access(workspace_id) OR id IS NULL);
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER POLICY cnap_update_restrictive ON app.project TO regress_cnap_app;
ALTER POLICY cnap_delete_restrictive ON app.project USING (cnap_can_access('00000000-0000-4000-8000-000000000001'));
SELECT severity, rule, object, finding FROM findings();
SELECT * FROM close_all();
-- all of them
SELECT format('ALTER POLICY %I ON app.event %s', polname,
	CASE polcmd WHEN 'a' THEN 'WITH CHECK (true)' WHEN 'w' THEN 'USING (true) WITH CHECK (true)' ELSE 'USING (true)' END)
FROM pg_policy WHERE polrelid = 'app.event'::regclass ORDER BY polname \gexec
GRANT TRUNCATE ON app.event TO regress_cnap_app;
SELECT rule, object, finding, remedy FROM findings();
SELECT * FROM close_all();
-- no longer restrictive, because of another policy with the same name
DROP POLICY cnap_delete_restrictive ON app.project;
CREATE POLICY cnap_delete_restrictive ON app.project FOR DELETE USING (cnap_has_permission(workspace_id, 'administer'));
SELECT severity, rule, object, finding, remedy FROM findings();
SELECT * FROM close_all();
-- a permission, and a column, that differs from the others
ALTER POLICY cnap_delete_restrictive ON app.project USING (cnap_can_access(workspace_id));
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER TABLE app.project ADD other uuid;
ALTER POLICY cnap_select_restrictive ON app.project USING (cnap_can_access(other));
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER POLICY cnap_select_restrictive ON app.project USING (cnap_has_permission(workspace_id, 'delete'::text));
SELECT severity, rule, object FROM findings();
SELECT * FROM close_all();
SELECT write_permission, enforced FROM cnap_protected_tables() WHERE relation = 'app.project'::regclass;
-- a renamed policy is still recognized, another permissive one opens nothing
ALTER POLICY cnap_select_restrictive ON app.project RENAME TO some_name;
CREATE POLICY more ON app.project FOR SELECT USING (true);
SELECT * FROM findings();
DROP POLICY more ON app.project;

-- ---- an alternative that no index serves ----

CREATE FUNCTION app.is_admin() RETURNS boolean LANGUAGE sql STABLE RETURN false;
CREATE TABLE app.slow (workspace_id uuid PRIMARY KEY, public boolean);
ALTER TABLE app.slow ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON app.slow USING (app.is_admin() OR cnap_can_access(workspace_id));
SELECT * FROM findings();
ALTER POLICY p ON app.slow USING (public AND (cnap_can_access(workspace_id) OR current_setting('app.admin', true) = 'on'));
SELECT rule, object FROM findings();
-- no such alternative
ALTER POLICY p ON app.slow USING (public OR cnap_can_access(workspace_id));
SELECT rule, object FROM findings();
ALTER POLICY p ON app.slow USING (cnap_can_access(workspace_id) AND (app.is_admin() OR current_user = 'x'));
SELECT rule, object FROM findings();
-- beside protection, it prevents no index scan
ALTER POLICY p ON app.slow USING (app.is_admin() OR cnap_can_access(workspace_id));
SELECT * FROM close_all();
INSERT INTO app.slow SELECT gen_random_uuid() FROM generate_series(1, 2000);
ANALYZE app.slow;
GRANT SELECT ON app.slow TO regress_cnap_app;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
DO $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) SELECT * FROM app.slow' INTO plan;
	RAISE WARNING 'on an index: %', plan::text ~ 'Index Cond.*reachable';
END $$;
RESET cnap.user_id;
RESET ROLE;
DROP TABLE app.slow;

-- ---- indexes ----

DROP INDEX app.project_workspace_id_id_idx;
SELECT * FROM findings();
CREATE INDEX ON app.project (id, workspace_id);
CREATE INDEX ON app.project (workspace_id) WHERE id > 0;
CREATE INDEX ON app.project ((workspace_id::text));
CREATE INDEX ON app.project USING brin (workspace_id);
CREATE INDEX invalid ON app.project (workspace_id);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.invalid'::regclass;
SELECT rule, object, remedy FROM findings();
SELECT remedy FROM findings() \gexec
SELECT * FROM findings();
DROP INDEX app.event_workspace_id_idx;
SELECT * FROM findings();
CREATE INDEX ON app.event_1 (workspace_id);
SELECT * FROM findings();
CREATE TABLE app.event_2 PARTITION OF app.event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (at);
CREATE TABLE app.event_2a PARTITION OF app.event_2 FOR VALUES IN ('2021-01-01');

-- ---- partitions and children that were added later ----

SELECT * FROM findings();
SELECT * FROM close_all();
CREATE TABLE app.heir () INHERITS (app.project);
SELECT * FROM findings();
SELECT * FROM close_all();

-- protected in another way than its parent
BEGIN;
CREATE TABLE app.event_3 (at date, workspace_id uuid, tenant uuid);
CREATE INDEX ON app.event_3 (workspace_id);
CREATE INDEX ON app.event_3 (tenant);
ALTER TABLE app.event ADD tenant uuid;
SELECT FROM cnap_protect('app.event_3', 'tenant');
ALTER TABLE app.event ATTACH PARTITION app.event_3 FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT FROM cnap_protect('app.event_3', write_permission => 'administer');
SELECT * FROM findings();
SELECT * FROM close_all();
ROLLBACK;
-- over several levels, and with policies altered: protecting the topmost table remedies all, also
-- if the statements are executed one after the other without looking again
BEGIN;
CREATE TABLE app.top (workspace_id uuid, another uuid);
CREATE TABLE app.middle () INHERITS (app.top);
CREATE TABLE app.bottom () INHERITS (app.middle);
CREATE INDEX ON app.top (workspace_id);
CREATE INDEX ON app.middle (workspace_id);
CREATE INDEX ON app.bottom (workspace_id);
SELECT FROM cnap_protect('app.top', write_permission => 'administer');
CREATE INDEX ON app.bottom (another);
SELECT FROM cnap_protect('app.bottom', 'another');
ALTER POLICY cnap_insert_restrictive ON app.middle TO CURRENT_USER;
ALTER POLICY cnap_update_restrictive ON app.middle TO CURRENT_USER;
ALTER POLICY cnap_delete_restrictive ON app.middle TO CURRENT_USER;
SELECT * FROM findings();
SELECT remedy FROM cnap_lint() \gexec
SELECT * FROM findings();
ROLLBACK;
-- nor does protecting a table weaken those that inherit from it, or protect them in another way
BEGIN;
CREATE TABLE app.top (workspace_id uuid);
CREATE TABLE app.bottom () INHERITS (app.top);
CREATE INDEX ON app.top (workspace_id);
CREATE INDEX ON app.bottom (workspace_id);
SELECT FROM cnap_protect('app.bottom', write_permission => 'administer');
SELECT * FROM findings();
SELECT * FROM close_all();
CREATE TABLE app.other (workspace_id uuid, "the workspace" uuid);
CREATE INDEX ON app.other ("the workspace");
SELECT FROM cnap_protect('app.other', 'the workspace');
CREATE TABLE app.of_other (my_workspace uuid) INHERITS (app.other);
CREATE INDEX ON app.of_other ("the workspace");
SELECT * FROM findings();
SELECT * FROM close_all();
ROLLBACK;
-- inheriting from several tables: the strictest protection is that of all, but columns cannot be
-- reconciled
BEGIN;
CREATE TABLE app.a (workspace_id uuid);
CREATE TABLE app.b (workspace_id uuid);
CREATE TABLE app.c (tenant uuid);
CREATE TABLE app.d (workspace_id uuid);
CREATE TABLE app.of_b () INHERITS (app.b);
SET LOCAL client_min_messages = warning;
CREATE TABLE app.of_both () INHERITS (app.a, app.of_b);
CREATE TABLE app.of_all () INHERITS (app.a, app.d, app.b);
CREATE TABLE app.of_neither () INHERITS (app.a, app.c);
RESET client_min_messages;
CREATE INDEX ON app.a (workspace_id);
CREATE INDEX ON app.b (workspace_id);
CREATE INDEX ON app.c (tenant);
CREATE INDEX ON app.d (workspace_id);
CREATE INDEX ON app.of_all (workspace_id);
CREATE INDEX ON app.of_b (workspace_id);
CREATE INDEX ON app.of_both (workspace_id);
CREATE INDEX ON app.of_neither (workspace_id);
CREATE INDEX ON app.of_neither (tenant);
SELECT FROM cnap_protect('app.c', 'tenant');
SELECT FROM cnap_protect('app.b', write_permission => 'administer');
SELECT FROM cnap_protect('app.d');
SELECT FROM cnap_protect('app.a');
SELECT rule, object, remedy FROM findings() WHERE object ~ '[.]of_';
SELECT * FROM close_all();
SELECT relation, workspace_column, write_permission, enforced FROM cnap_protected_tables()
WHERE relation::text ~ '[.](of_)?(a|b|c|d|all|both|neither)$' ORDER BY relation::text;
ROLLBACK;
-- inheriting from tables without a workspace
BEGIN;
CREATE TABLE app.top (id int);
CREATE TABLE app.middle () INHERITS (app.top);
CREATE TABLE app.bottom (workspace_id uuid) INHERITS (app.middle);
CREATE INDEX ON app.bottom (workspace_id);
SELECT FROM cnap_protect('app.bottom');
SELECT * FROM findings();
ALTER TABLE app.top ADD workspace_id uuid;
CREATE INDEX ON app.top (workspace_id);
CREATE INDEX ON app.middle (workspace_id);
SELECT * FROM findings();
SELECT * FROM close_all();
ROLLBACK;

-- ---- foreign tables ----

CREATE FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE SERVER regress_cnap_server FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE FOREIGN TABLE app.remote (workspace_id uuid) SERVER regress_cnap_server;
SELECT * FROM findings();
GRANT SELECT ON app.remote TO regress_cnap_plain WITH GRANT OPTION;
SET ROLE regress_cnap_plain;
GRANT SELECT ON app.remote TO regress_cnap_app;
RESET ROLE;
SELECT * FROM findings();
SELECT * FROM close_all();
-- a table cannot be protected while it has such a partition or inheritance child, but its other
-- partitions can, each by itself
BEGIN;
CREATE TABLE app.mixed (workspace_id uuid, region int) PARTITION BY LIST (region);
CREATE TABLE app.mixed_1 PARTITION OF app.mixed FOR VALUES IN (1);
CREATE INDEX ON app.mixed (workspace_id);
SELECT cnap_protect('app.mixed');
CREATE FOREIGN TABLE app.mixed_2 PARTITION OF app.mixed FOR VALUES IN (2) SERVER regress_cnap_server;
CREATE TABLE app.mixed_3 PARTITION OF app.mixed FOR VALUES IN (3);
CREATE TABLE app.archived (workspace_id uuid);
CREATE FOREIGN TABLE app.archived_1 () INHERITS (app.archived) SERVER regress_cnap_server;
SELECT * FROM findings();
GRANT SELECT ON app.mixed_2 TO regress_cnap_plain;
SELECT severity, rule, object, remedy FROM findings() WHERE rule = 'foreign_table';
SELECT * FROM close_all();
ROLLBACK;

-- ---- open tables beside protected ones ----

CREATE FUNCTION open_tables() RETURNS TABLE (severity text, rule text, object text, finding text, remedy text)
LANGUAGE sql AS $$ SELECT * FROM cnap_lint() WHERE rule = 'table_open' $$;
CREATE SCHEMA beside;
GRANT USAGE ON SCHEMA beside TO PUBLIC;
CREATE TABLE beside.users (id text PRIMARY KEY, name text, secret text);
CREATE TABLE beside.audit (at timestamptz, actor text) PARTITION BY RANGE (at);
CREATE TABLE beside.audit_1 PARTITION OF beside.audit DEFAULT;
GRANT SELECT ON ALL TABLES IN SCHEMA beside TO regress_cnap_app;
-- not in a schema without protected tables
SELECT * FROM open_tables() WHERE object ~ 'beside';
CREATE TABLE beside.doc (workspace_id uuid PRIMARY KEY REFERENCES cnap.workspace ON DELETE CASCADE);
SELECT FROM cnap_protect('beside.doc');
SELECT * FROM open_tables() WHERE object ~ 'beside';
-- single columns, everybody, and what only adds rows
REVOKE ALL ON beside.users, beside.audit FROM regress_cnap_app;
GRANT SELECT (name), UPDATE (name) ON beside.users TO PUBLIC;
GRANT INSERT ON beside.audit TO regress_cnap_app;
SELECT * FROM open_tables() WHERE object ~ 'beside';
-- an owner that is trusted
REVOKE ALL (name) ON beside.users FROM PUBLIC;
ALTER TABLE beside.users OWNER TO regress_cnap_app;
SELECT * FROM open_tables() WHERE object ~ 'beside';
-- policies of its own
ALTER TABLE beside.users ENABLE ROW LEVEL SECURITY;
SELECT * FROM open_tables() WHERE object ~ 'beside';
ALTER TABLE beside.users DISABLE ROW LEVEL SECURITY;
-- accepted, until it is open to one more
SELECT cnap_accept_finding('table_open', 'beside.users', 'the server shows each user only themselves');
SELECT * FROM open_tables() WHERE object ~ 'beside';
GRANT SELECT ON beside.users TO regress_cnap_plain;
SELECT * FROM open_tables() WHERE object ~ 'beside';
-- or until somebody may do more
SELECT cnap_accept_finding('table_open', 'beside.users', 'a reader as well');
SELECT * FROM open_tables() WHERE object ~ 'beside';
GRANT DELETE ON beside.users TO regress_cnap_plain;
SELECT * FROM open_tables() WHERE object ~ 'beside';
SELECT cnap_accept_finding('table_open', 'beside.users', NULL);
-- somebody for whom policies would change nothing
GRANT UPDATE ON beside.audit TO regress_cnap_plain;
ALTER ROLE regress_cnap_plain BYPASSRLS;
SELECT * FROM open_tables() WHERE object ~ 'beside';
ALTER ROLE regress_cnap_plain NOBYPASSRLS;
DROP FUNCTION open_tables;

-- ---- dropped objects leave nothing behind ----

DROP SCHEMA app, beside CASCADE;
SELECT * FROM findings();
DROP FUNCTION findings, close_all;
DROP TYPE told;
DROP SERVER regress_cnap_server;
DROP FOREIGN DATA WRAPPER regress_cnap_fdw;
\pset tuples_only
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
