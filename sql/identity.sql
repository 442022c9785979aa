-- identity: the current user, and that nobody can pretend to be another one
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model

CREATE ROLE regress_cnap_super SUPERUSER;
CREATE ROLE "regress_cnap Odd ""role""; --" LOGIN;
ALTER ROLE regress_cnap_app LOGIN;
ALTER ROLE regress_cnap_plain LOGIN;
SELECT current_user AS admin \gset
CREATE FUNCTION who(OUT current_user_id text, OUT ann_is_let_in boolean) LANGUAGE sql
RETURN ROW(cnap_current_user(), cnap_can_access('00000000-0000-4000-8000-000000000001'));
CREATE FUNCTION who_as_superuser(OUT current_user_id text, OUT ann_is_let_in boolean) LANGUAGE sql SECURITY DEFINER
RETURN ROW(cnap_current_user(), cnap_can_access('00000000-0000-4000-8000-000000000001'));

-- ---- a trusted role ----

\c - regress_cnap_app
SELECT cnap_current_user();
SET cnap.user_id = 'ann';
SELECT * FROM who();
BEGIN;
SET LOCAL cnap.user_id = 'bea';
SELECT * FROM who();
SAVEPOINT s;
SET LOCAL cnap.user_id = 'mia';
SELECT * FROM who();
ROLLBACK TO s;
SELECT * FROM who();
COMMIT;
SELECT * FROM who();
BEGIN;
SELECT set_config('cnap.user_id', 'mia', true);
SELECT * FROM who();
ROLLBACK;
SELECT * FROM who();
RESET cnap.user_id;
SELECT * FROM who();
SET cnap.user_id = '';
SELECT * FROM who();
SET cnap.user_id = 'ann';
DISCARD ALL;
SELECT * FROM who();

-- an invalid user id is refused, and the former value stays
SET cnap.user_id = 'ann';
SET cnap.user_id = ' ';
SET cnap.user_id = ' ann';
SET cnap.user_id = E'ann\n';
SELECT set_config('cnap.user_id', repeat('x', 256), false) AS too_long;
SELECT cnap_current_user();
SELECT length(set_config('cnap.user_id', repeat('x', 255), false)) AS long_enough;
SELECT length(cnap_current_user());
SET cnap.user_id = 'auth0|a b';
SELECT cnap_current_user();

-- a trusted role is not the system, and has only the rights of its user
RESET cnap.user_id;
SELECT cnap_create_workspace('Space', owner => 'ann');
SELECT cnap_delete_workspace(:'w1');
SELECT * FROM cnap_workspaces();
SET cnap.user_id = 'ann';
SELECT cnap_create_workspace('Space', owner => 'bea');
SELECT cnap_delete_workspace(:'w1');
SET cnap.notify = off;
-- (the text differs between versions)
\set VERBOSITY sqlstate
ALTER ROLE regress_cnap_plain SET cnap.user_id = 'ann';
\set VERBOSITY default

-- an unknown setting with our prefix
SET cnap.userid = 'ann';
SET cnap.claims = 'ann';

-- ---- an ordinary role ----

\c - regress_cnap_plain
SELECT * FROM who();
SET cnap.user_id = 'ann';
SET LOCAL cnap.user_id = 'ann';
SELECT set_config('cnap.user_id', 'ann', true);
-- (the text differs between minor versions)
\set VERBOSITY sqlstate
SET SESSION AUTHORIZATION regress_cnap_app;
\set VERBOSITY default
SET ROLE regress_cnap_app;
ALTER ROLE regress_cnap_plain SET cnap.user_id = 'ann';
ALTER ROLE CURRENT_USER SET cnap.user_id = 'ann';
CREATE FUNCTION pg_temp.disguised() RETURNS boolean LANGUAGE sql
	SET cnap.user_id = 'ann' RETURN cnap_can_access('00000000-0000-4000-8000-000000000001');
UPDATE pg_settings SET setting = 'ann' WHERE name = 'cnap.user_id';
SELECT * FROM who();

-- before the library is loaded, anybody can set a placeholder; it is discarded when the library is
-- loaded
\c - regress_cnap_plain
SET cnap.user_id = 'ann';
SELECT current_setting('cnap.user_id') AS forged;
SELECT * FROM who();
SHOW cnap.user_id;
SELECT * FROM who();

\c - regress_cnap_plain
BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT * FROM who();
COMMIT;
SELECT * FROM who();

\c - regress_cnap_plain
SELECT set_config('cnap.user_id', 'ann', false) IS NULL;
SELECT * FROM who();
SET cnap.user_id = 'ann';
SELECT * FROM who();

-- values set within savepoints are discarded as well
\c - regress_cnap_plain
SET cnap.user_id = 'ann';
BEGIN;
SET LOCAL cnap.user_id = 'adam';
SAVEPOINT s;
SET cnap.user_id = 'mia';
SELECT * FROM who();
ROLLBACK TO s;
SELECT * FROM who();
COMMIT;
SELECT * FROM who();

-- also if a superuser's function loads the library
\c - regress_cnap_plain
SET cnap.user_id = 'ann';
SELECT * FROM who_as_superuser();
SELECT * FROM who();

-- nor can it be set by a function's SET clause or ALTER ROLE, with the library loaded or not
\c - regress_cnap_plain
CREATE FUNCTION pg_temp.disguised() RETURNS boolean LANGUAGE sql
	SET cnap.user_id = 'ann' RETURN true;
ALTER ROLE regress_cnap_plain SET cnap.user_id = 'ann';
SELECT * FROM who();

-- a value set by a trusted role before the library is loaded is kept
\c - regress_cnap_app
SET cnap.user_id = 'ann';
SELECT * FROM who();
\c - regress_cnap_app
SET cnap.user_id = ' ann';
SELECT * FROM who();

-- connection options
\c -reuse-previous=on "user=regress_cnap_plain options='-c cnap.user_id=ann'"
SHOW cnap.user_id;
SELECT * FROM who();
DISCARD ALL;
SELECT * FROM who();
\c -reuse-previous=on "user=regress_cnap_app"
SELECT * FROM who();
\c -reuse-previous=on "options=''"

-- ---- cnap_set_role_user, ALTER ROLE ... SET ----

\c - :admin
CREATE ROLE regress_cnap_person LOGIN;
SELECT FROM cnap_set_role_user('regress_cnap_person', 'ann');
\c - regress_cnap_person
SELECT * FROM who();
SET cnap.user_id = 'bea';
RESET cnap.user_id;
SELECT * FROM who();
DISCARD ALL;
SELECT * FROM who();
-- it is about the role that logs in
\c - :admin
SET ROLE regress_cnap_person;
SELECT * FROM who();
RESET ROLE;
SET SESSION AUTHORIZATION regress_cnap_person;
SELECT * FROM who();
SELECT cnap_set_role_user('regress_cnap_person', 'bea');
RESET SESSION AUTHORIZATION;
SELECT FROM cnap_set_role_user('regress_cnap_person', 'bea');
SELECT FROM cnap_set_role_user('regress_cnap_person', 'bea');
SELECT FROM cnap_set_role_user('regress_cnap_person', NULL);
SELECT FROM cnap_set_role_user('regress_cnap_person', NULL);
SELECT cnap_set_role_user(NULL, 'ann');
SELECT cnap_set_role_user('regress_cnap_person', ' ann');
SELECT cnap_set_role_user('regress_cnap_person', '');
SELECT cnap_set_role_user('regress_cnap_nobody', 'ann');
SELECT cnap_set_role_user('4000000000', 'ann');
SELECT action, actor, subject, path, detail FROM cnap.audit_log WHERE action LIKE 'role.%set_user' ORDER BY id;
-- a value that ALTER ROLE gives counts only while the role may set it
ALTER ROLE regress_cnap_person SET cnap.user_id = 'ann';
\c - regress_cnap_person
SELECT * FROM who();
SHOW cnap.user_id;
\c - :admin
SELECT FROM cnap_trust('regress_cnap_person');
\c - regress_cnap_person
SELECT * FROM who();
\c - :admin
SELECT rule FROM cnap_lint() WHERE rule LIKE 'identity%';
REVOKE SET ON PARAMETER cnap.user_id FROM regress_cnap_person;
SELECT rule, object, remedy FROM cnap_lint() WHERE rule LIKE 'identity%';
SELECT FROM cnap_distrust('regress_cnap_person');
SELECT count(*) FROM pg_db_role_setting WHERE setrole = 'regress_cnap_person'::regrole;
DROP ROLE regress_cnap_person;

-- ---- the system ----

SELECT cnap_current_user() IS NULL AS nobody;
ALTER SYSTEM SET cnap.user_id = 'ann';
SELECT cnap_create_workspace('By the system', owner => 'zoe') AS made \gset
SELECT cnap_create_workspace('Without an owner');
SELECT actor, database_role = current_user AS database_role, action, path FROM cnap.audit_log WHERE workspace_id = :'made';
-- a superuser with a user is held to that user's rights
SET cnap.user_id = 'ann';
\set VERBOSITY sqlstate
SELECT cnap_delete_workspace(:'made');
\set VERBOSITY default
SELECT cnap_delete_workspace(:'w1');
SELECT cnap_create_workspace('For another', owner => 'zoe');
SET cnap.user_id = '';
-- the system has all rights from the first statement of its session on
\c - :admin
SELECT user_id, role FROM cnap_workspace_members(:'made');
\c - :admin
SELECT FROM cnap_delete_workspace(:'made');
-- functions about the current user require one
SELECT * FROM cnap_workspaces();
SELECT * FROM cnap_organizations();
SELECT cnap_leave_organization(:'acme');
SELECT cnap_leave_workspace(:'w1');
SELECT cnap_accessible_workspaces(), cnap_can_access(:'w1');

-- code of a superuser does not make its caller the system
CREATE FUNCTION as_definer(workspace uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
	SELECT cnap_delete_workspace(workspace);
END;
ALTER FUNCTION as_definer(uuid) OWNER TO regress_cnap_super;
SET ROLE regress_cnap_plain;
SELECT as_definer(:'w1');
RESET ROLE;
SET SESSION AUTHORIZATION regress_cnap_plain;
SELECT as_definer(:'w1');
RESET SESSION AUTHORIZATION;
-- nor does another role's function act as the system when a superuser executes it
CREATE FUNCTION of_somebody(workspace uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
BEGIN ATOMIC
	SELECT cnap_delete_workspace(workspace);
END;
ALTER FUNCTION of_somebody(uuid) OWNER TO regress_cnap_plain;
SELECT of_somebody(:'w1');
-- nor does code that a superuser's maintenance commands execute
GRANT CREATE ON SCHEMA public TO regress_cnap_plain;
SET ROLE regress_cnap_plain;
CREATE TABLE trap (id int);
INSERT INTO trap VALUES (1);
CREATE FUNCTION trap_function(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	IF (SELECT rolsuper FROM pg_roles WHERE rolname = session_user) AND current_setting('trap.armed', true) = 'yes' THEN
		PERFORM public.cnap_delete_workspace('00000000-0000-4000-8000-000000000001');
	END IF;
	RETURN 'a';
END $$;
CREATE INDEX trap_index ON trap (trap_function(id));
RESET ROLE;
SET trap.armed = 'yes';
REINDEX TABLE trap;
RESET trap.armed;
CREATE MATERIALIZED VIEW trap_view AS SELECT cnap_create_workspace('By maintenance', owner => 'zoe');
SELECT count(*) FROM cnap.workspace WHERE id = :'w1';
DROP TABLE trap;
DROP FUNCTION trap_function(int), as_definer(uuid), of_somebody(uuid);
REVOKE CREATE ON SCHEMA public FROM regress_cnap_plain;

-- a SECURITY DEFINER function does not change the current user
SET ROLE regress_cnap_app;
SET cnap.user_id = 'ann';
SELECT * FROM who_as_superuser();
SET cnap.user_id = 'bea';
SELECT * FROM who_as_superuser();
RESET cnap.user_id;
RESET ROLE;

-- ---- cnap_trust, cnap_distrust ----

CREATE VIEW trusted AS
SELECT rolname, has_parameter_privilege(r.oid, 'cnap.user_id', 'SET') AS identity,
	has_parameter_privilege(r.oid, 'cnap.user_id', 'ALTER SYSTEM') AS alter_system,
	has_table_privilege(r.oid, 'cnap.organization', 'REFERENCES')
		AND has_table_privilege(r.oid, 'cnap.workspace', 'REFERENCES') AS reference,
	has_table_privilege(r.oid, 'cnap.workspace', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
		OR has_table_privilege(r.oid, 'cnap.organization', 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
		OR has_table_privilege(r.oid, 'cnap.workspace_member', 'SELECT, INSERT, REFERENCES')
		OR has_table_privilege(r.oid, 'cnap.organization_member', 'SELECT, INSERT, REFERENCES')
		OR has_table_privilege(r.oid, 'cnap.audit_log', 'SELECT, INSERT, REFERENCES') AS other_rights,
	array(SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.proname LIKE 'cnap\_%' AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
			AND NOT has_function_privilege('pg_monitor', p.oid, 'EXECUTE')
		ORDER BY p.oid::regprocedure::text COLLATE "C") AS functions
FROM pg_roles r WHERE rolname LIKE 'regress\_cnap%' AND NOT rolsuper
ORDER BY rolname COLLATE "C";
SELECT FROM cnap_trust('"regress_cnap Odd ""role""; --"');
SELECT FROM cnap_trust('"regress_cnap Odd ""role""; --"');
\x
SELECT * FROM trusted;
SELECT FROM cnap_distrust('"regress_cnap Odd ""role""; --"');
SELECT FROM cnap_distrust('"regress_cnap Odd ""role""; --"');
SELECT * FROM trusted WHERE rolname LIKE '%Odd%';
\x
SELECT actor, database_role = current_user AS database_role, action, path, detail FROM cnap.audit_log
WHERE action IN ('role.trust', 'role.distrust') ORDER BY id;
SELECT cnap_trust(NULL);
SELECT cnap_trust('regress_cnap_nobody');
SELECT cnap_trust(0);
SELECT cnap_distrust(NULL);
-- a role to which no policy applies
CREATE ROLE regress_cnap_bypass BYPASSRLS;
SELECT cnap_trust('regress_cnap_super');
SELECT cnap_trust('regress_cnap_bypass');
SELECT rolname FROM trusted WHERE rolname = 'regress_cnap_bypass' AND (identity OR reference);
ALTER ROLE regress_cnap_bypass NOBYPASSRLS;
SELECT FROM cnap_trust('regress_cnap_bypass');
ALTER ROLE regress_cnap_bypass BYPASSRLS;
SELECT FROM cnap_distrust('regress_cnap_bypass');
DROP ROLE regress_cnap_bypass;
-- a role that keeps the privilege from elsewhere
CREATE ROLE regress_cnap_heir IN ROLE regress_cnap_app;
SELECT FROM cnap_distrust('regress_cnap_heir');
DROP ROLE regress_cnap_heir;
-- only a superuser
GRANT EXECUTE ON FUNCTION cnap_trust(regrole) TO regress_cnap_app;
SET ROLE regress_cnap_app;
SET cnap.user_id = 'ann';
\set VERBOSITY sqlstate
SELECT cnap_trust('regress_cnap_plain');
SELECT cnap_distrust('regress_cnap_plain');
\set VERBOSITY default
RESET cnap.user_id;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION cnap_trust(regrole) FROM regress_cnap_app;
SELECT count(*) FROM cnap.audit_log WHERE detail ->> 'role' = 'regress_cnap_plain';
-- a role that is no longer trusted cannot set the user
SELECT FROM cnap_distrust('regress_cnap_app');
SET SESSION AUTHORIZATION regress_cnap_app;
SET cnap.user_id = 'bea';
SELECT cnap_can_access('ann', :'w1');
RESET SESSION AUTHORIZATION;

DROP VIEW trusted;
DROP FUNCTION who(), who_as_superuser();
DROP ROLE "regress_cnap Odd ""role""; --", regress_cnap_super;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
