-- hazards: things that can go wrong with row-level security, tried on a protected table
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set VERBOSITY terse

CREATE ROLE regress_cnap_dev;
CREATE ROLE regress_cnap_bypass BYPASSRLS;
GRANT regress_cnap_app, regress_cnap_plain TO regress_cnap_dev;
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
GRANT ALL ON SCHEMA app TO PUBLIC;
SET ROLE regress_cnap_dev;
CREATE TABLE app.deployment (id int PRIMARY KEY, workspace_id uuid, note text);
CREATE INDEX ON app.deployment (workspace_id);
INSERT INTO app.deployment VALUES
	(1, :'w1', 'one'), (2, :'w2', 'two'), (3, :'w3', 'three'), (4, :'w4', 'four'), (9, NULL, 'nobody''s');
GRANT SELECT, INSERT, UPDATE, DELETE, REFERENCES ON app.deployment TO regress_cnap_app, regress_cnap_plain, regress_cnap_bypass;
SELECT FROM cnap_protect('app.deployment');

-- who sees what
SET ROLE regress_cnap_app;
CREATE FUNCTION pg_temp.seen_by(person text, query text DEFAULT 'app.deployment') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	former text := current_setting('cnap.user_id');
	ids text;
BEGIN
	PERFORM set_config('cnap.user_id', person, false);
	EXECUTE 'SELECT string_agg(id::text, '','' ORDER BY id) FROM ' || query INTO ids;
	PERFORM set_config('cnap.user_id', former, false);
	RETURN ids;
END $$;
SELECT person, pg_temp.seen_by(person)
FROM unnest(ARRAY['carol', 'frank', 'hal', 'ann', 'mia', 'erin', 'bea', 'nobody', '']) AS person;

-- ---- writing ----

SET cnap.user_id = 'carol';
INSERT INTO app.deployment VALUES (11, :'w1', 'mine') RETURNING id, note;
INSERT INTO app.deployment VALUES (12, :'w4', 'not mine');
INSERT INTO app.deployment VALUES (12, NULL, 'nobody''s');
INSERT INTO app.deployment VALUES (12, :'unknown', 'of a workspace that there is not');
INSERT INTO app.deployment VALUES (12, :'w1', 'mine'), (13, :'w4', 'not mine');
INSERT INTO app.deployment SELECT id + 20, workspace_id, note FROM app.deployment WHERE id < 10 RETURNING id;
WITH changed AS (UPDATE app.deployment SET note = note || '!' RETURNING id, note)
SELECT * FROM changed ORDER BY id;
UPDATE app.deployment SET note = 'changed' WHERE id = 4;
UPDATE app.deployment SET note = 'changed' WHERE id = 9;
DELETE FROM app.deployment WHERE id = 4 RETURNING id;
DELETE FROM app.deployment WHERE id = 21 RETURNING id;

-- moved to another workspace
UPDATE app.deployment SET workspace_id = :'w4' WHERE id = 11;
UPDATE app.deployment SET workspace_id = NULL WHERE id = 11;
UPDATE app.deployment d SET workspace_id = o.workspace_id
FROM (VALUES ('00000000-0000-4000-8000-000000000004'::uuid)) o (workspace_id) WHERE d.id = 11;
SET cnap.user_id = 'hal';
UPDATE app.deployment SET workspace_id = :'w4' WHERE id = 11 RETURNING id;
UPDATE app.deployment SET workspace_id = :'w1' WHERE id = 11 RETURNING id;

-- ON CONFLICT with a row that is hidden
SET cnap.user_id = 'carol';
INSERT INTO app.deployment VALUES (4, :'w1', 'mine');
INSERT INTO app.deployment VALUES (4, :'w1', 'mine') ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO app.deployment VALUES (4, :'w1', 'mine') ON CONFLICT (id) DO UPDATE SET note = 'changed' RETURNING id, note;
INSERT INTO app.deployment VALUES (4, :'w1', 'mine') ON CONFLICT (id) DO UPDATE SET workspace_id = excluded.workspace_id;
INSERT INTO app.deployment VALUES (11, :'w1', 'mine') ON CONFLICT (id) DO UPDATE SET note = 'mine again' RETURNING id, note;
INSERT INTO app.deployment VALUES (11, :'w1', 'mine') ON CONFLICT (id) DO UPDATE SET workspace_id = '00000000-0000-4000-8000-000000000004';

-- MERGE
MERGE INTO app.deployment d USING (VALUES (4), (11)) s (id) ON d.id = s.id
WHEN MATCHED THEN UPDATE SET note = 'merged';
MERGE INTO app.deployment d USING (VALUES (4), (9)) s (id) ON d.id = s.id
WHEN MATCHED THEN DELETE;
MERGE INTO app.deployment d USING (VALUES (11)) s (id) ON d.id = s.id
WHEN MATCHED THEN UPDATE SET workspace_id = '00000000-0000-4000-8000-000000000004';
MERGE INTO app.deployment d USING (VALUES (12)) s (id) ON d.id = s.id
WHEN NOT MATCHED THEN INSERT VALUES (12, '00000000-0000-4000-8000-000000000004', 'not mine');
MERGE INTO app.deployment d USING (VALUES (12)) s (id) ON d.id = s.id
WHEN NOT MATCHED THEN INSERT VALUES (12, '00000000-0000-4000-8000-000000000001', 'merged');
SELECT id, note FROM app.deployment ORDER BY id;

-- COPY
COPY (SELECT id FROM app.deployment ORDER BY id) TO STDOUT;
RESET ROLE;
GRANT pg_read_server_files TO regress_cnap_app;
SET ROLE regress_cnap_app;
COPY app.deployment FROM '/dev/null';
RESET ROLE;
REVOKE pg_read_server_files FROM regress_cnap_app;
SET ROLE regress_cnap_app;

-- locks
SELECT id FROM app.deployment ORDER BY id FOR UPDATE;
SELECT id FROM app.deployment WHERE id IN (4, 9) FOR SHARE;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM app.deployment ORDER BY id FOR UPDATE;
FETCH c;
DELETE FROM app.deployment WHERE CURRENT OF c RETURNING id;
ROLLBACK;

-- none of this has touched rows of others
RESET ROLE;
SELECT id, note FROM app.deployment WHERE workspace_id IS DISTINCT FROM :'w1' ORDER BY id;
DELETE FROM app.deployment WHERE id > 10;

-- ---- reading requires access, writing the permission ----

SET ROLE regress_cnap_dev;
SELECT FROM cnap_protect('app.deployment', write_permission => 'administer');
SET ROLE regress_cnap_app;
SET cnap.user_id = 'hal';
SELECT id FROM app.deployment ORDER BY id;
SELECT id FROM app.deployment FOR UPDATE;
INSERT INTO app.deployment VALUES (11, :'w1', 'by a member');
UPDATE app.deployment SET note = 'by a member' RETURNING id;
DELETE FROM app.deployment RETURNING id;
-- admin in the old row's workspace, member in the new one's
SET cnap.user_id = 'ann';
SELECT id FROM app.deployment ORDER BY id;
UPDATE app.deployment SET note = 'by a manager' RETURNING id;
UPDATE app.deployment SET workspace_id = :'w2' WHERE id = 1;
UPDATE app.deployment SET workspace_id = :'w1' WHERE id = 2;
INSERT INTO app.deployment VALUES (11, :'w2', 'by a capped manager');
RESET ROLE;
UPDATE app.deployment SET note = 'one' WHERE id = 1;
SET ROLE regress_cnap_dev;
SELECT FROM cnap_protect('app.deployment');

-- ---- leaks ----

SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
CREATE FUNCTION pg_temp.leak(id int, note text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'leaked: % %', id, note;
	RETURN true;
END $$;
SELECT id FROM app.deployment WHERE pg_temp.leak(id, note);
CREATE FUNCTION pg_temp.leak(a text, b text) RETURNS boolean COST 0.0000001 LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'leaked: %', a;
	RETURN true;
END $$;
CREATE OPERATOR pg_temp.<< (FUNCTION = pg_temp.leak, LEFTARG = text, RIGHTARG = text);
SELECT id FROM app.deployment WHERE note OPERATOR(pg_temp.<<) 'x';
SELECT id FROM app.deployment WHERE 1 / (id - 4) IS NOT NULL;
UPDATE app.deployment SET note = note WHERE pg_temp.leak(id, note);
DELETE FROM app.deployment WHERE pg_temp.leak(id, note) AND false;
SET enable_seqscan = off;
SELECT id FROM app.deployment WHERE id > 0 AND pg_temp.leak(id, note);
RESET enable_seqscan;
-- nor through statistics
RESET ROLE;
ANALYZE app.deployment;
SET ROLE regress_cnap_app;
SELECT count(*) FROM pg_stats WHERE schemaname = 'app';
-- row_security = off raises an error, rather than bypassing the policies
SET row_security = off;
SELECT id FROM app.deployment;
RESET row_security;

-- ---- another permissive policy ----

SET ROLE regress_cnap_dev;
CREATE POLICY open_to_all ON app.deployment USING (true) WITH CHECK (true);
CREATE POLICY open_to_app ON app.deployment FOR SELECT TO regress_cnap_app USING (true);
SET ROLE regress_cnap_app;
SELECT id FROM app.deployment ORDER BY id;
INSERT INTO app.deployment VALUES (11, :'w4', 'not mine');
UPDATE app.deployment SET note = 'changed' WHERE id = 4 RETURNING id;
DELETE FROM app.deployment WHERE id = 4 RETURNING id;
UPDATE app.deployment SET workspace_id = :'w4';
SET ROLE regress_cnap_dev;
DROP POLICY open_to_all ON app.deployment;
DROP POLICY open_to_app ON app.deployment;

-- ---- other policies that use the functions, and row-level security on the extension's own tables
-- ----

CREATE TABLE app.project (id int, workspace_id uuid, deployment int);
INSERT INTO app.project VALUES (1, :'w1', 1), (4, :'w4', 4), (5, :'w1', 4);
CREATE POLICY of_its_deployment ON app.project
	USING (EXISTS (SELECT FROM app.deployment d WHERE d.id = project.deployment));
SELECT FROM cnap_protect('app.project');
GRANT SELECT ON app.project TO regress_cnap_app;
CREATE POLICY with_a_project ON app.deployment AS RESTRICTIVE FOR SELECT
	USING (workspace_id = ANY (cnap_accessible_workspaces()) AND cnap_workspace_role(workspace_id) IN ('admin', 'owner'));
RESET ROLE;
ALTER TABLE cnap.workspace ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE cnap.workspace_member ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SET ROLE regress_cnap_app;
SELECT person, pg_temp.seen_by(person, 'app.project') AS projects, pg_temp.seen_by(person) AS deployments
FROM unnest(ARRAY['carol', 'frank', 'hal']) AS person;
SELECT name, role FROM cnap_workspaces();
RESET ROLE;
ALTER TABLE cnap.workspace DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
ALTER TABLE cnap.workspace_member DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
SET ROLE regress_cnap_dev;
DROP POLICY with_a_project ON app.deployment;
DROP TABLE app.project;

-- ---- views and functions of other roles ----

CREATE VIEW app.view_of_owner AS SELECT * FROM app.deployment;
CREATE VIEW app.view_of_invoker WITH (security_invoker) AS SELECT * FROM app.deployment;
CREATE VIEW app.view_with_barrier WITH (security_barrier) AS SELECT * FROM app.deployment;
CREATE FUNCTION app.as_owner() RETURNS SETOF app.deployment LANGUAGE sql SECURITY DEFINER
AS 'SELECT * FROM app.deployment';
RESET ROLE;
CREATE VIEW app.view_of_superuser AS SELECT * FROM app.deployment;
CREATE VIEW app.view_of_superuser_invoker WITH (security_invoker) AS SELECT * FROM app.deployment;
CREATE MATERIALIZED VIEW app.copied AS SELECT * FROM app.deployment;
CREATE FUNCTION app.as_superuser() RETURNS SETOF app.deployment LANGUAGE sql SECURITY DEFINER
AS 'SELECT * FROM app.deployment';
SET ROLE regress_cnap_bypass;
CREATE VIEW app.view_of_bypass AS SELECT * FROM app.deployment;
RESET ROLE;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO regress_cnap_app;
GRANT UPDATE ON app.view_of_owner TO regress_cnap_app;
SET ROLE regress_cnap_app;
-- those of the table's owner show what the current user can see, because row-level security is
-- forced
SELECT source, pg_temp.seen_by('carol', source) AS carol, pg_temp.seen_by('', source) AS nobody
FROM unnest(ARRAY['app.view_of_owner', 'app.view_of_invoker', 'app.view_with_barrier', 'app.as_owner()',
	'app.view_of_superuser_invoker']) AS source;
-- those of a superuser or a role with BYPASSRLS show everything, as does any copy
SELECT source, pg_temp.seen_by('carol', source) AS carol
FROM unnest(ARRAY['app.view_of_superuser', 'app.view_of_bypass', 'app.as_superuser()', 'app.copied']) AS source;
UPDATE app.view_of_owner SET note = note WHERE id IN (1, 4) RETURNING id;
RESET ROLE;
DROP VIEW app.view_of_superuser, app.view_of_superuser_invoker, app.view_of_bypass;
DROP MATERIALIZED VIEW app.copied;
DROP FUNCTION app.as_superuser();

-- ---- to whom policies apply ----

SET cnap.user_id = 'carol';
SELECT string_agg(id::text, ',' ORDER BY id) AS superuser FROM app.deployment;
SET ROLE regress_cnap_bypass;
SELECT string_agg(id::text, ',' ORDER BY id) AS bypassrls FROM app.deployment;
-- they apply to a table's owner, with an identity and without
SET ROLE regress_cnap_dev;
SELECT string_agg(id::text, ',' ORDER BY id) AS owner FROM app.deployment;
INSERT INTO app.deployment VALUES (11, :'w4', 'not mine');
RESET ROLE;
RESET cnap.user_id;
SET ROLE regress_cnap_dev;
SELECT string_agg(id::text, ',' ORDER BY id) AS owner_without_user FROM app.deployment;
UPDATE app.deployment SET note = 'changed';
-- they do not apply to TRUNCATE, which requires a privilege of its own
SET ROLE regress_cnap_app;
TRUNCATE app.deployment;
SET ROLE regress_cnap_dev;
BEGIN;
TRUNCATE app.deployment;
ROLLBACK;
-- a foreign key sees hidden rows: a role that can reference a table can find out which keys it has
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
CREATE TABLE app.probe (id int REFERENCES app.deployment);
INSERT INTO app.probe VALUES (4);
INSERT INTO app.probe VALUES (5);
DROP TABLE app.probe;

-- ---- roles, plans and cursors that outlive an identity ----

-- SET ROLE changes the role, not the user
SELECT pg_temp.seen_by(cnap_current_user());
SET ROLE regress_cnap_dev;
SELECT cnap_current_user(), (SELECT string_agg(id::text, ',' ORDER BY id) FROM app.deployment);
SET ROLE regress_cnap_plain;
SELECT cnap_current_user(), (SELECT string_agg(id::text, ',' ORDER BY id) FROM app.deployment);
SET ROLE regress_cnap_app;

-- a plan has no identity
PREPARE seen AS SELECT id FROM app.deployment ORDER BY id;
PREPARE one(uuid) AS SELECT cnap_can_access($1);
PREPARE change(int) AS UPDATE app.deployment SET note = note WHERE id = $1 RETURNING id;
SET plan_cache_mode = force_generic_plan;
EXECUTE seen;
EXECUTE one(:'w1');
EXECUTE change(1);
SET cnap.user_id = 'frank';
EXECUTE seen;
EXECUTE one(:'w1');
EXECUTE change(1);
RESET cnap.user_id;
EXECUTE seen;
EXECUTE one(:'w1');
EXECUTE change(1);
SET ROLE regress_cnap_plain;
EXECUTE seen;
RESET ROLE;
EXECUTE seen;
SET ROLE regress_cnap_app;
BEGIN;
SET LOCAL cnap.user_id = 'carol';
EXECUTE seen;
SAVEPOINT s;
SET LOCAL cnap.user_id = 'frank';
EXECUTE seen;
ROLLBACK TO s;
EXECUTE seen;
COMMIT;
EXECUTE seen;
RESET plan_cache_mode;
-- nor has a plan of PL/pgSQL
CREATE FUNCTION app.seen() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT string_agg(id::text, ',' ORDER BY id) FROM app.deployment);
END $$;
SET cnap.user_id = 'carol';
SELECT app.seen() FROM generate_series(1, 8) GROUP BY 1;
SET cnap.user_id = 'frank';
SELECT app.seen();
-- nor does a revocation have to wait for the next plan
BEGIN;
EXECUTE seen;
SELECT FROM cnap_remove_workspace_member(:'w4', 'hal');
SET LOCAL cnap.user_id = 'hal';
EXECUTE seen;
SELECT app.seen();
ROLLBACK;

-- a cursor WITH HOLD keeps what the user of its transaction could see, until DISCARD ALL
BEGIN;
SET LOCAL cnap.user_id = 'carol';
DECLARE held CURSOR WITH HOLD FOR SELECT id FROM app.deployment ORDER BY id;
COMMIT;
FETCH ALL FROM held;
DISCARD ALL;
FETCH ALL FROM held;
SET ROLE regress_cnap_app;
SELECT cnap_current_user(), (SELECT count(*) FROM app.deployment);
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP OWNED BY regress_cnap_dev, regress_cnap_bypass CASCADE;
DROP ROLE regress_cnap_dev, regress_cnap_bypass;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
