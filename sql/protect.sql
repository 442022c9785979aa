-- protect: cnap_protect, cnap_unprotect, cnap_protected_tables
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

CREATE VIEW policies AS
SELECT polrelid::regclass AS relation, polname, polcmd AS cmd, polpermissive AS permissive,
	polroles = '{0}' AS everybody,
	pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS check
FROM pg_policy
ORDER BY polrelid::regclass::text COLLATE "C", polname COLLATE "C";
CREATE VIEW row_security AS
SELECT oid::regclass AS relation, relrowsecurity AS enabled, relforcerowsecurity AS forced
FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p')
ORDER BY relname COLLATE "C";
GRANT SELECT ON policies, row_security TO PUBLIC;

-- ---- the shape ----

SET ROLE regress_cnap_dev;
CREATE TABLE app.deployment (id int, workspace_id uuid);
SELECT cnap_protect('app.deployment');
SELECT * FROM policies;
SELECT * FROM row_security;
SELECT * FROM cnap_protected_tables();

-- an index that leads with the column silences the NOTICE; these do not
CREATE INDEX ON app.deployment (id, workspace_id);
CREATE INDEX ON app.deployment (workspace_id) WHERE id > 0;
CREATE INDEX ON app.deployment ((workspace_id::text));
CREATE INDEX ON app.deployment USING brin (workspace_id);
SELECT cnap_protect('app.deployment');
CREATE INDEX ON app.deployment (workspace_id, id);
-- again, without harm, also with another permission
SELECT cnap_protect('app.deployment');
SELECT count(*) FROM policies;
SELECT cnap_protect('app.deployment', write_permission => 'administer');
SELECT * FROM policies;
SELECT * FROM cnap_protected_tables();
SELECT cnap_protect('app.deployment', write_permission => 'access');
SELECT write_permission, enforced FROM cnap_protected_tables();
SELECT cnap_unprotect('app.deployment');
SELECT count(*) FROM policies;
SELECT * FROM row_security;
SELECT count(*) FROM cnap_protected_tables();
-- nothing to do
SELECT cnap_unprotect('app.deployment');

-- beside a permissive policy of the table's own, only the restrictive ones
CREATE POLICY owned ON app.deployment FOR SELECT TO PUBLIC USING (id > 0);
SELECT cnap_protect('app.deployment');
SELECT polname, permissive FROM policies;
SELECT relation, enforced FROM cnap_protected_tables();
-- repeated after that was dropped, with the permissive ones
DROP POLICY owned ON app.deployment;
SELECT cnap_protect('app.deployment');
SELECT polname, permissive FROM policies;
-- a restrictive policy of the table's own lets nobody in, so makes no difference
CREATE POLICY tight ON app.deployment AS RESTRICTIVE USING (id > 0);
SELECT cnap_protect('app.deployment');
SELECT polname, permissive FROM policies;
-- the table's own policy and row-level security stay when ours are dropped
SELECT cnap_unprotect('app.deployment');
SELECT polname, permissive FROM policies;
SELECT * FROM row_security;
DROP POLICY tight ON app.deployment;
ALTER TABLE app.deployment DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
-- a policy that calls a check, but is for one role, is not ours
CREATE POLICY mine ON app.deployment FOR SELECT TO regress_cnap_dev USING (cnap_can_access(workspace_id));
CREATE POLICY mine_too ON app.deployment FOR DELETE USING (cnap_can_access(workspace_id) OR id = 1);
SELECT count(*) FROM cnap_protected_tables();
SELECT cnap_protect('app.deployment');
SELECT cnap_unprotect('app.deployment');
SELECT polname FROM policies;
DROP TABLE app.deployment;

-- ---- names ----

CREATE TABLE app."Odd ""table""" ("order" int, "the ""Workspace""" uuid PRIMARY KEY);
SELECT cnap_protect('app."Odd ""table"""', 'the "Workspace"', 'billing');
CREATE TABLE app.plain ("Ws Id" uuid);
SELECT cnap_protect(relation => 'app.plain', workspace_column => 'Ws Id');
SELECT relation, polname, "using", "check" FROM policies WHERE cmd IN ('r', 'a');
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;

-- ---- renaming and other changes of the table ----

ALTER TABLE app.plain RENAME COLUMN "Ws Id" TO ws;
ALTER TABLE app.plain RENAME TO renamed;
ALTER POLICY cnap_select_restrictive ON app.renamed RENAME TO some_name;
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;
SELECT cnap_protect('app.renamed', 'ws', 'administer');
SELECT polname FROM policies WHERE relation = 'app.renamed'::regclass;
\set VERBOSITY sqlstate
ALTER TABLE app.renamed DROP COLUMN ws;
ALTER TABLE app.renamed DROP COLUMN ws CASCADE;
\set VERBOSITY default
SELECT relation FROM cnap_protected_tables();
DROP TABLE app.renamed, app."Odd ""table""";

-- ---- weakened by hand ----

CREATE TABLE app.t (workspace_id uuid PRIMARY KEY, other uuid);
CREATE FUNCTION pg_temp.state(OUT workspace_column name, OUT write_permission text, OUT enforced boolean)
LANGUAGE sql AS 'SELECT workspace_column, write_permission, enforced FROM cnap_protected_tables() WHERE relation = ''app.t''::regclass';
SELECT cnap_protect('app.t');
SELECT * FROM pg_temp.state();
BEGIN;
ALTER TABLE app.t NO FORCE ROW LEVEL SECURITY;
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER TABLE app.t DISABLE ROW LEVEL SECURITY;
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
DROP POLICY cnap_select_restrictive ON app.t;
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_select_restrictive ON app.t USING (true);
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_select_restrictive ON app.t USING (cnap_can_access(workspace_id) OR other IS NULL);
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_update_restrictive ON app.t WITH CHECK (true);
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_delete_restrictive ON app.t USING (cnap_can_access(other));
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_delete_restrictive ON app.t USING (cnap_can_access('00000000-0000-4000-8000-000000000001'));
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_insert_restrictive ON app.t WITH CHECK (cnap_has_permission(workspace_id, 'access'));
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_insert_restrictive ON app.t WITH CHECK (cnap_has_permission(workspace_id, 'delete'));
SELECT * FROM pg_temp.state();
ROLLBACK;
BEGIN;
ALTER POLICY cnap_select_restrictive ON app.t TO regress_cnap_dev;
SELECT * FROM pg_temp.state();
ROLLBACK;
-- a function of the same name is not the check
BEGIN;
CREATE FUNCTION app.cnap_can_access(uuid) RETURNS boolean LANGUAGE sql RETURN true;
ALTER POLICY cnap_select_restrictive ON app.t USING (app.cnap_can_access(workspace_id));
SELECT * FROM pg_temp.state();
ROLLBACK;
-- only the restrictive ones count
BEGIN;
DROP POLICY cnap_select_permissive ON app.t;
SELECT * FROM pg_temp.state();
-- and a second call repairs everything
SELECT cnap_protect('app.t');
SELECT count(*) FROM policies;
ROLLBACK;
BEGIN;
ALTER POLICY cnap_select_restrictive ON app.t USING (true);
ALTER TABLE app.t NO FORCE ROW LEVEL SECURITY;
SELECT cnap_protect('app.t');
SELECT * FROM pg_temp.state();
SELECT polname, "using" FROM policies WHERE cmd = 'r';
ROLLBACK;
SELECT * FROM pg_temp.state();
-- moved to another column
SELECT cnap_protect('app.t', 'other');
SELECT * FROM pg_temp.state();
DROP TABLE app.t;

-- ---- partitions and inheritance ----

CREATE TABLE app.event (id int, workspace_id uuid) PARTITION BY RANGE (id);
CREATE TABLE app.event_1 PARTITION OF app.event FOR VALUES FROM (0) TO (100);
CREATE TABLE app.event_2 PARTITION OF app.event FOR VALUES FROM (100) TO (200) PARTITION BY LIST (id);
CREATE TABLE app.event_2a (workspace_id uuid, id int, junk int);
ALTER TABLE app.event_2a DROP COLUMN junk;
ALTER TABLE app.event_2 ATTACH PARTITION app.event_2a FOR VALUES IN (100);
CREATE TABLE app.base (workspace_id uuid);
CREATE TABLE app.derived (extra text) INHERITS (app.base);
SELECT cnap_protect('app.event');
SELECT cnap_protect('app.base');
SELECT relation, count(*) FROM policies GROUP BY relation ORDER BY relation::text;
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;
SELECT * FROM row_security;
RESET ROLE;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
INSERT INTO app.event VALUES (1, :'w1'), (100, :'w1');
INSERT INTO app.derived VALUES (:'w1', 'x');
INSERT INTO app.event VALUES (2, :'w4');
INSERT INTO app.event_1 VALUES (2, :'w4');
INSERT INTO app.event_2a (id, workspace_id) VALUES (100, :'w4');
INSERT INTO app.derived VALUES (:'w4', 'x');
SELECT (SELECT count(*) FROM app.event) AS event, (SELECT count(*) FROM app.event_1) AS event_1,
	(SELECT count(*) FROM app.event_2) AS event_2, (SELECT count(*) FROM app.event_2a) AS event_2a,
	(SELECT count(*) FROM app.base) AS base, (SELECT count(*) FROM app.derived) AS derived;
SET cnap.user_id = 'frank';
SELECT (SELECT count(*) FROM app.event) AS event, (SELECT count(*) FROM app.event_1) AS event_1,
	(SELECT count(*) FROM app.event_2) AS event_2, (SELECT count(*) FROM app.event_2a) AS event_2a,
	(SELECT count(*) FROM app.base) AS base, (SELECT count(*) FROM app.derived) AS derived;
RESET cnap.user_id;
RESET ROLE;
-- a partition added later is protected through its parent; by itself, after a second call
SET ROLE regress_cnap_dev;
CREATE TABLE app.event_3 PARTITION OF app.event FOR VALUES FROM (200) TO (300);
SELECT relation FROM cnap_protected_tables() WHERE relation = 'app.event_3'::regclass;
SELECT cnap_protect('app.event');
SELECT relation, enforced FROM cnap_protected_tables() WHERE relation = 'app.event_3'::regclass;
SELECT cnap_unprotect('app.event');
SELECT cnap_unprotect('app.base');
SELECT count(*) FROM policies;
SELECT * FROM row_security;
RESET ROLE;
DROP TABLE app.event, app.base CASCADE;

-- one that was protected by itself before it became a partition, in another way
BEGIN;
SET LOCAL ROLE regress_cnap_dev;
SET LOCAL client_min_messages = warning;
CREATE TABLE app.event (id int, workspace_id uuid, tenant uuid) PARTITION BY LIST (id);
CREATE TABLE app.event_1 (id int, workspace_id uuid, tenant uuid);
CREATE TABLE app.event_2 (tenant uuid, id int, workspace_id uuid);
SELECT cnap_protect('app.event', write_permission => 'administer'), cnap_protect('app.event_1', 'tenant', 'administer'),
	cnap_protect('app.event_2', write_permission => 'administer');
ALTER TABLE app.event ATTACH PARTITION app.event_2 FOR VALUES IN (2);
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;
ALTER TABLE app.event ATTACH PARTITION app.event_1 FOR VALUES IN (1);
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;
SELECT cnap_protect('app.event_1', 'workspace_id', 'access');
SELECT * FROM cnap_protected_tables() ORDER BY relation::text;
SELECT cnap_protect('app.event', write_permission => 'administer');
SELECT DISTINCT enforced FROM cnap_protected_tables();
ROLLBACK;
-- one that inherits from two, which are protected in different ways
BEGIN;
SET LOCAL ROLE regress_cnap_dev;
SET LOCAL client_min_messages = warning;
CREATE TABLE app.a (workspace_id uuid);
CREATE TABLE app.b (tenant uuid);
CREATE TABLE app.of_both () INHERITS (app.a, app.b);
SELECT cnap_protect('app.a');
SET LOCAL client_min_messages = notice;
SELECT cnap_protect('app.b', 'tenant');
SELECT relation, workspace_column, enforced FROM cnap_protected_tables() ORDER BY relation::text;
ROLLBACK;
-- one that inherits from a table without a workspace, queries of which return its rows
BEGIN;
SET LOCAL ROLE regress_cnap_dev;
CREATE TABLE app.document (id int);
CREATE TABLE app.contract () INHERITS (app.document);
CREATE TABLE app.secret_contract (workspace_id uuid) INHERITS (app.contract);
SELECT cnap_protect('app.secret_contract');
SELECT relation, enforced FROM cnap_protected_tables();
ALTER TABLE app.document ADD workspace_id uuid;
SELECT cnap_protect('app.document');
SELECT relation, enforced FROM cnap_protected_tables() ORDER BY relation::text;
ROLLBACK;

-- ---- overloads of the checks, of somebody else ----

BEGIN;
CREATE FUNCTION public.cnap_has_permission(uuid, varchar) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION public.cnap_can_access(anyelement) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT true';
SET LOCAL ROLE regress_cnap_dev;
SET LOCAL client_min_messages = warning;
CREATE TABLE app.t (workspace_id uuid);
SELECT cnap_protect('app.t', write_permission => 'administer');
SELECT write_permission, enforced FROM cnap_protected_tables();
ROLLBACK;

-- ---- refusals ----

SET ROLE regress_cnap_dev;
CREATE TABLE app.t (workspace_id uuid, name text, ids uuid[]);
CREATE VIEW app.v AS SELECT * FROM app.t;
CREATE MATERIALIZED VIEW app.m AS SELECT * FROM app.t;
CREATE SEQUENCE app.s;
CREATE INDEX i ON app.t (workspace_id);
CREATE TYPE app.c AS (workspace_id uuid);
CREATE DOMAIN app.ws AS uuid;
CREATE TABLE app.domained (workspace_id app.ws);
RESET ROLE;
CREATE FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE SERVER regress_cnap_server FOREIGN DATA WRAPPER regress_cnap_fdw;
CREATE FOREIGN TABLE app.f (workspace_id uuid) SERVER regress_cnap_server;
ALTER FOREIGN TABLE app.f OWNER TO regress_cnap_dev;
CREATE TABLE app.others (workspace_id uuid);
SET ROLE regress_cnap_dev;
SELECT call, pg_temp.try('SELECT ' || call) AS result
FROM unnest(ARRAY[
	$$cnap_protect('app.t', 'no_such_column')$$,
	$$cnap_protect('app.t', 'ctid')$$,
	$$cnap_protect('app.t', 'tableoid')$$,
	$$cnap_protect('app.t', '')$$,
	$$cnap_protect('app.t', 'name')$$,
	$$cnap_protect('app.t', 'ids')$$,
	$$cnap_protect('app.v')$$,
	$$cnap_protect('app.m')$$,
	$$cnap_protect('app.s')$$,
	$$cnap_protect('app.i')$$,
	$$cnap_protect('app.c')$$,
	$$cnap_protect('app.f')$$,
	$$cnap_protect('app.others')$$,
	$$cnap_protect('pg_catalog.pg_class')$$,
	$$cnap_protect('cnap.workspace', 'id')$$,
	$$cnap_protect('cnap.workspace_member')$$,
	$$cnap_protect('cnap.audit_log')$$,
	$$cnap_protect('app.nothing')$$,
	$$cnap_protect(0)$$,
	$$cnap_protect(1)$$,
	$$cnap_protect(NULL)$$,
	$$cnap_protect('app.t', 'workspace_id', 'all')$$,
	$$cnap_unprotect(NULL)$$,
	$$cnap_unprotect('app.v')$$,
	$$cnap_unprotect('app.others')$$,
	$$cnap_unprotect('cnap.workspace')$$,
	$$cnap_unprotect('pg_catalog.pg_class')$$]) AS call;
-- what cannot be protected is refused to a superuser as well
RESET ROLE;
SELECT call, pg_temp.try('SELECT ' || call) AS result
FROM unnest(ARRAY[
	$$cnap_protect('pg_catalog.pg_class')$$,
	$$cnap_protect('information_schema.sql_features')$$,
	$$cnap_protect('pg_toast.pg_toast_2619')$$,
	$$cnap_protect('cnap.workspace', 'id')$$,
	$$cnap_protect('cnap.invitation')$$,
	$$cnap_unprotect('cnap.workspace')$$]) AS call;
-- who need not own the table
SELECT cnap_protect('app.others');
SELECT relation, enforced FROM cnap_protected_tables();
-- neither a child of another owner nor its parent is touched
SET ROLE regress_cnap_dev;
CREATE TABLE app.parent (workspace_id uuid);
CREATE TABLE app.child () INHERITS (app.parent);
RESET ROLE;
ALTER TABLE app.child OWNER TO regress_cnap_plain;
SET ROLE regress_cnap_dev;
SELECT cnap_protect('app.parent');
SELECT count(*) FROM policies WHERE relation = 'app.parent'::regclass;
-- nor is any table with a foreign table among its partitions; if that comes later, each of the
-- others can be protected, and all of them at once while it is detached, and unprotected at any time
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER regress_cnap_server TO regress_cnap_dev;
SET ROLE regress_cnap_dev;
CREATE TABLE app.mixed (workspace_id uuid, region int) PARTITION BY LIST (region);
CREATE TABLE app.mixed_1 PARTITION OF app.mixed FOR VALUES IN (1);
CREATE INDEX ON app.mixed_1 (workspace_id);
SELECT cnap_protect('app.mixed');
CREATE FOREIGN TABLE app.mixed_2 PARTITION OF app.mixed FOR VALUES IN (2) SERVER regress_cnap_server;
CREATE TABLE app.mixed_3 PARTITION OF app.mixed FOR VALUES IN (3);
CREATE INDEX ON app.mixed_3 (workspace_id);
SELECT cnap_protect('app.mixed', write_permission => 'administer');
SELECT cnap_protect('app.mixed_3');
SELECT relation, write_permission FROM cnap_protected_tables();
BEGIN;
ALTER TABLE app.mixed DETACH PARTITION app.mixed_2;
SELECT cnap_protect('app.mixed', write_permission => 'administer');
ALTER TABLE app.mixed ATTACH PARTITION app.mixed_2 FOR VALUES IN (2);
COMMIT;
SELECT relation, write_permission FROM cnap_protected_tables();
SELECT relation, statement, reason FROM cnap_unprotect_schema('app');
SELECT cnap_unprotect('app.mixed');
SELECT relation FROM cnap_protected_tables();
DROP TABLE app.mixed;
-- a domain over uuid is not accepted
SELECT pg_temp.try($$SELECT cnap_protect('app.domained')$$);

-- a temporary table can be protected
CREATE TEMP TABLE mine (workspace_id uuid PRIMARY KEY);
SELECT cnap_protect('mine');
SELECT count(*) FROM policies WHERE relation = 'mine'::regclass;
DROP TABLE mine;

-- it is transactional
BEGIN;
SELECT cnap_protect('app.t');
ROLLBACK;
SELECT count(*) FROM policies WHERE relation = 'app.t'::regclass;
RESET ROLE;

-- DROP EXTENSION does not open protected tables behind the owner's back
SET ROLE regress_cnap_dev;
SELECT cnap_protect('app.t');
RESET ROLE;
DROP VIEW policies, row_security;
\set VERBOSITY sqlstate
DROP EXTENSION cnap_org;
\set VERBOSITY default
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP OWNED BY regress_cnap_dev CASCADE;
DROP SERVER regress_cnap_server;
DROP FOREIGN DATA WRAPPER regress_cnap_fdw;
DROP ROLE regress_cnap_dev;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
