-- lint_rights: cnap_lint() about privileges, roles, settings, and the extension's own triggers
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set include :abs_srcdir '/sql/include/lint.sql'
\i :include

CREATE ROLE regress_cnap_dev;
CREATE ROLE "regress_cnap ""odd"" 50%";
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
GRANT USAGE ON SCHEMA app TO PUBLIC;
CREATE TABLE app.deployment (id int PRIMARY KEY, workspace_id uuid);
CREATE TABLE app.unprotected (id int PRIMARY KEY);
CREATE INDEX ON app.deployment (workspace_id);
ALTER TABLE app.deployment OWNER TO regress_cnap_dev;
SELECT FROM cnap_protect('app.deployment');

-- ---- privileges on protected tables ----

GRANT ALL ON app.unprotected TO PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.deployment TO PUBLIC;
GRANT REFERENCES ON cnap.organization TO regress_cnap_plain;
SELECT * FROM findings();
GRANT REFERENCES (id) ON app.deployment TO PUBLIC;
SELECT * FROM findings();
GRANT ALL ON app.deployment TO regress_cnap_app;
GRANT TRIGGER ON app.deployment TO regress_cnap_plain WITH GRANT OPTION;
SET ROLE regress_cnap_plain;
GRANT TRIGGER ON app.deployment TO "regress_cnap ""odd"" 50%";
RESET ROLE;
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT privilege_type, cnap.lint_role(grantee) FROM pg_class, aclexplode(relacl)
WHERE oid = 'app.deployment'::regclass AND grantee <> relowner AND privilege_type <> 'MAINTAIN' ORDER BY 1, 2;
-- superusers do not need them
CREATE ROLE regress_cnap_super SUPERUSER;
GRANT TRUNCATE ON app.deployment TO regress_cnap_super WITH GRANT OPTION;
SELECT * FROM findings();
SET ROLE regress_cnap_super;
GRANT TRUNCATE ON app.deployment TO regress_cnap_app;
RESET ROLE;
SELECT * FROM findings();
SELECT * FROM close_all();

ALTER DEFAULT PRIVILEGES FOR ROLE regress_cnap_dev GRANT SELECT, TRUNCATE ON TABLES TO regress_cnap_app;
ALTER DEFAULT PRIVILEGES FOR ROLE regress_cnap_plain GRANT TRUNCATE ON TABLES TO regress_cnap_app;
ALTER DEFAULT PRIVILEGES FOR ROLE "regress_cnap ""odd"" 50%" IN SCHEMA app GRANT ALL ON TABLES TO regress_cnap_app, PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO regress_cnap_app;
SELECT * FROM findings();
SELECT * FROM close_all();

-- ---- privileges on the extension's objects ----

GRANT SELECT ON cnap.workspace TO regress_cnap_app;
GRANT UPDATE (name), REFERENCES (id) ON cnap.organization TO PUBLIC;
GRANT REFERENCES ON cnap.audit_log TO regress_cnap_plain;
GRANT USAGE ON cnap.audit_log_id_seq TO regress_cnap_plain;
GRANT EXECUTE ON FUNCTION cnap_can_access(text, uuid) TO regress_cnap_plain;
GRANT EXECUTE ON FUNCTION cnap_explain_access TO PUBLIC;
SELECT * FROM findings();
SELECT * FROM close_all();

-- of everybody, even if it is no more than REFERENCES; and of what somebody has to be chosen for
GRANT REFERENCES ON cnap.audit_log TO PUBLIC;
GRANT EXECUTE ON FUNCTION cnap_beat TO PUBLIC;
GRANT EXECUTE ON FUNCTION cnap_followers TO regress_cnap_plain;
SELECT * FROM findings();
SELECT * FROM close_all();
REVOKE EXECUTE ON FUNCTION cnap_followers FROM regress_cnap_plain;

-- ---- who can set the identity ----

GRANT SET ON PARAMETER cnap.user_id TO regress_cnap_plain WITH GRANT OPTION;
SET ROLE regress_cnap_plain;
GRANT SET ON PARAMETER cnap.user_id TO "regress_cnap ""odd"" 50%";
RESET ROLE;
SELECT * FROM findings();
SELECT * FROM close_all();
-- a role that cannot connect to this database cannot do so here
GRANT SET ON PARAMETER cnap.user_id TO regress_cnap_plain;
SELECT format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT * FROM findings();
SELECT format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()) \gexec
SELECT * FROM close_all();
-- one of whom is trusted
GRANT SET ON PARAMETER cnap.user_id TO regress_cnap_app WITH GRANT OPTION;
SET ROLE regress_cnap_app;
GRANT SET ON PARAMETER cnap.user_id TO "regress_cnap ""odd"" 50%";
RESET ROLE;
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT has_parameter_privilege('regress_cnap_app', 'cnap.user_id', 'SET');
GRANT SET ON PARAMETER cnap.user_id TO PUBLIC;
SELECT * FROM findings();
SELECT * FROM close_all();
GRANT ALTER SYSTEM, SET ON PARAMETER cnap.user_id TO regress_cnap_super;
GRANT SET ON PARAMETER cnap.notify TO regress_cnap_plain;
SELECT * FROM findings();
REVOKE SET ON PARAMETER cnap.notify FROM regress_cnap_plain;
GRANT SET ON PARAMETER cnap.claims_key TO regress_cnap_plain;
GRANT ALTER SYSTEM ON PARAMETER cnap.claims_setting TO regress_cnap_app;
GRANT SET ON PARAMETER session_replication_role TO regress_cnap_plain, regress_cnap_super;
SELECT * FROM findings();
SELECT * FROM close_all();

-- ---- defaults of settings ----

SELECT format('ALTER DATABASE %I SET cnap.user_id = ''carol''', current_database()) \gexec
ALTER ROLE regress_cnap_plain SET cnap.user_id = 'carol';
ALTER ROLE ALL SET cnap.user_id = '';
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER ROLE ALL SET cnap.user_id = 'carol';
ALTER ROLE "regress_cnap ""odd"" 50%" SET session_replication_role = 'replica';
SELECT format('ALTER ROLE regress_cnap_plain IN DATABASE %I SET session_replication_role = ''replica''', current_database()) \gexec
ALTER ROLE regress_cnap_plain SET session_replication_role = 'origin';
ALTER ROLE regress_cnap_app IN DATABASE template1 SET session_replication_role = 'replica';
SELECT * FROM findings();
SELECT * FROM close_all();

-- ---- claims ----

SELECT format('ALTER DATABASE %I SET cnap.claims_setting = ''request.jwt.claims''', current_database()) \gexec
ALTER ROLE regress_cnap_app SET cnap.claims_setting = 'request.jwt.claims';
ALTER ROLE regress_cnap_plain SET cnap.claims_setting = '';
SELECT * FROM findings();
SELECT * FROM close_all();

-- who can create overloads of the extension's functions
GRANT CREATE ON SCHEMA public TO regress_cnap_dev;
SELECT * FROM findings();
GRANT CREATE ON SCHEMA public TO regress_cnap_plain;
GRANT CREATE ON SCHEMA cnap TO PUBLIC;
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT * FROM findings();

-- ---- roles ----

CREATE ROLE regress_cnap_login LOGIN;
CREATE ROLE regress_cnap_group;
CREATE ROLE regress_cnap_bypass BYPASSRLS;
SELECT * FROM findings();
GRANT regress_cnap_dev TO regress_cnap_group, "regress_cnap ""odd"" 50%";
GRANT regress_cnap_group TO regress_cnap_login;
SELECT * FROM findings();
SELECT * FROM close_all();
GRANT regress_cnap_bypass TO regress_cnap_group;
GRANT regress_cnap_super TO "regress_cnap ""odd"" 50%" WITH ADMIN OPTION;
ALTER ROLE "regress_cnap ""odd"" 50%" LOGIN;
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER ROLE regress_cnap_super LOGIN;
ALTER ROLE regress_cnap_bypass LOGIN;
ALTER ROLE "regress_cnap ""odd"" 50%" LOGIN SUPERUSER BYPASSRLS;
SELECT * FROM findings();
SELECT * FROM close_all();
-- a trusted role that has come to bypass policies, and a superuser who was granted what only a trusted role needs
ALTER ROLE regress_cnap_app BYPASSRLS;
ALTER ROLE regress_cnap_super SUPERUSER;
GRANT SET ON PARAMETER cnap.user_id TO regress_cnap_super;
SELECT * FROM findings();
SELECT * FROM close_all();
-- who creates a role gets the ADMIN OPTION on it since PostgreSQL 16, before that any role
CREATE ROLE regress_cnap_creator LOGIN CREATEROLE;
SET ROLE regress_cnap_creator;
CREATE ROLE regress_cnap_created;
RESET ROLE;
SELECT FROM cnap_trust('regress_cnap_created');
SELECT severity, rule, object FROM findings();
SELECT * FROM close_all();
SELECT FROM cnap_distrust('regress_cnap_created');
-- irrelevant without a protected table
ALTER ROLE regress_cnap_super SUPERUSER;
ALTER ROLE regress_cnap_bypass BYPASSRLS;
SELECT FROM cnap_unprotect('app.deployment');
DROP TABLE app.deployment;
SELECT * FROM findings();
ALTER ROLE regress_cnap_super NOLOGIN;

-- who has all privileges without an access control list that says so; superusers do not need them
GRANT pg_read_all_data TO regress_cnap_plain;
GRANT pg_write_all_data TO "regress_cnap ""odd"" 50%";
GRANT pg_read_all_data TO regress_cnap_super;
ALTER ROLE regress_cnap_plain LOGIN;
SELECT * FROM findings();
GRANT "regress_cnap ""odd"" 50%" TO regress_cnap_plain;
SELECT * FROM findings();
SELECT * FROM close_all();
GRANT pg_read_server_files TO regress_cnap_plain;
GRANT pg_write_server_files TO "regress_cnap ""odd"" 50%";
GRANT pg_execute_server_program TO regress_cnap_login;
SELECT * FROM findings();
SELECT * FROM close_all();
REVOKE "regress_cnap ""odd"" 50%" FROM regress_cnap_plain;
ALTER ROLE regress_cnap_plain NOLOGIN;

-- ---- the extension's triggers ----

SET ROLE regress_cnap_super;
ALTER TABLE cnap.workspace ENABLE TRIGGER ALL;
ALTER TABLE cnap.organization_member DISABLE TRIGGER USER;
ALTER TABLE cnap.audit_log ENABLE ALWAYS TRIGGER before_write;
RESET ROLE;
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER EVENT TRIGGER cnap_guard DISABLE;
SELECT * FROM findings();
SELECT * FROM close_all();
ALTER TABLE cnap.workspace_member DISABLE TRIGGER ALL;
SELECT severity, rule, regexp_replace(object, '_\d+"', '_N"', 'g'), finding FROM findings();
SELECT * FROM close_all();

DROP SCHEMA app CASCADE;
DROP FUNCTION findings, close_all;
DROP TYPE told;
DROP OWNED BY regress_cnap_dev, "regress_cnap ""odd"" 50%", regress_cnap_super;
DROP ROLE regress_cnap_dev, "regress_cnap ""odd"" 50%", regress_cnap_super, regress_cnap_login, regress_cnap_group, regress_cnap_bypass,
	regress_cnap_creator, regress_cnap_created;
\pset tuples_only
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
