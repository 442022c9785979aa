-- lint_names: cnap_lint() about name resolution, and about powers that no access control list shows
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set include :abs_srcdir '/sql/include/lint.sql'
\i :include
SELECT current_database() AS db, current_user AS admin \gset

CREATE ROLE regress_cnap_dev;
CREATE ROLE regress_cnap_other LOGIN;
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
CREATE TABLE app.t (workspace_id uuid PRIMARY KEY);
ALTER TABLE app.t OWNER TO regress_cnap_dev;
SELECT FROM cnap_protect('app.t');
SELECT * FROM findings();

-- ---- the search path of a trusted role ----

-- a schema named like it
CREATE SCHEMA regress_cnap_app AUTHORIZATION regress_cnap_other;
SELECT * FROM findings();
ALTER SCHEMA regress_cnap_app OWNER TO regress_cnap_app;
SELECT * FROM findings();
GRANT CREATE ON SCHEMA regress_cnap_app TO regress_cnap_other;
SELECT * FROM findings();
-- unless its path is another one
ALTER ROLE regress_cnap_app SET search_path = public;
SELECT * FROM findings();
SELECT format('ALTER ROLE regress_cnap_app IN DATABASE %I SET search_path = "$user", public', :'db') \gexec
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT format('ALTER ROLE regress_cnap_app IN DATABASE %I RESET search_path', :'db') \gexec
ALTER ROLE regress_cnap_app RESET search_path;
-- that of the database
CREATE SCHEMA "Odd path" AUTHORIZATION :admin;
GRANT CREATE ON SCHEMA "Odd path" TO PUBLIC;
SELECT format('ALTER DATABASE %I SET search_path = "Odd path", APP', :'db') \gexec
SELECT * FROM findings();
-- unless the role has one of its own
ALTER ROLE regress_cnap_app SET search_path = public;
SELECT * FROM findings();
ALTER ROLE regress_cnap_app RESET search_path;
SELECT * FROM close_all();
-- as it was written, without quotation marks
SELECT set_config('search_path', '$user, public', false);
SELECT format('ALTER DATABASE %I SET search_path FROM CURRENT', :'db') \gexec
RESET search_path;
GRANT CREATE ON SCHEMA regress_cnap_app TO regress_cnap_other, regress_cnap_dev;
SELECT * FROM findings();
SELECT * FROM close_all();
SELECT format('ALTER DATABASE %I RESET search_path', :'db') \gexec
SELECT * FROM findings();

-- ---- the database, and the schema of the functions ----

SELECT format('GRANT CREATE ON DATABASE %I TO regress_cnap_app, regress_cnap_dev', :'db') \gexec
SELECT severity, rule, finding FROM findings();
SELECT format('GRANT CREATE ON DATABASE %I TO regress_cnap_other', :'db') \gexec
SELECT severity, rule, finding FROM findings();
SELECT format('GRANT CREATE ON DATABASE %I TO PUBLIC', :'db') \gexec
SELECT severity, rule, finding FROM findings();
SELECT * FROM close_all();
SELECT has_database_privilege('regress_cnap_other', :'db', 'CREATE');
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_cnap_app', :'db') \gexec
SELECT nspowner::regrole AS former FROM pg_namespace WHERE nspname = 'public' \gset
ALTER SCHEMA public OWNER TO regress_cnap_other;
SELECT severity, rule, object, finding FROM findings();
SELECT * FROM close_all();
ALTER SCHEMA public OWNER TO regress_cnap_dev;
SELECT severity, rule, object, finding FROM findings();
ALTER SCHEMA public OWNER TO pg_database_owner;
SELECT severity, rule, object, finding FROM findings();
BEGIN;
SELECT format('ALTER DATABASE %I OWNER TO regress_cnap_other', :'db') \gexec
SELECT severity, rule, object, finding, remedy FROM findings();
ROLLBACK;
ALTER SCHEMA public OWNER TO :former;

-- ---- parameters, and attributes of roles ----

GRANT SET ON PARAMETER session_preload_libraries TO regress_cnap_other;
GRANT ALTER SYSTEM ON PARAMETER archive_command TO regress_cnap_other;
GRANT SET ON PARAMETER work_mem TO regress_cnap_other;
SELECT * FROM findings();
SELECT * FROM close_all();
REVOKE SET ON PARAMETER work_mem FROM regress_cnap_other;
-- all that are dangerous
GRANT SET ON PARAMETER session_preload_libraries, shared_preload_libraries, local_preload_libraries, dynamic_library_path, archive_command,
	archive_cleanup_command, recovery_end_command, restore_command, cnap.guard TO regress_cnap_other;
SELECT regexp_split_to_table(finding, '; ') FROM findings() WHERE rule = 'parameter_grant';
SELECT * FROM close_all();
ALTER ROLE regress_cnap_other REPLICATION;
SELECT * FROM findings();
ALTER ROLE regress_cnap_other NOREPLICATION;

-- ---- tokens ----

GRANT pg_monitor TO regress_cnap_dev;
GRANT regress_cnap_dev TO regress_cnap_other;
ALTER ROLE regress_cnap_app SET log_min_duration_statement = -1;
ALTER ROLE regress_cnap_plain SET log_statement = 'ddl';
SELECT format('ALTER DATABASE %I SET log_min_duration_statement = 100', :'db') \gexec
SELECT rule, object, finding, remedy FROM findings() WHERE rule <> 'role_owns';
SELECT format('ALTER ROLE regress_cnap_app IN DATABASE %I SET log_statement = ''all''', :'db') \gexec
-- without tokens, there is none to be read
INSERT INTO cnap.access_token (user_id, name, token_hash) VALUES ('carol', 'Script', sha256('x'));
SELECT severity, rule, regexp_replace(object, :'db', 'the database') AS object, finding, remedy FROM findings() WHERE rule <> 'role_owns';
-- links and invitations are tokens as well
SELECT rule FROM findings() WHERE rule = 'role_reads_statements';
BEGIN;
TRUNCATE cnap.access_token;
SELECT rule FROM findings() WHERE rule = 'role_reads_statements';
INSERT INTO cnap.install_link (organization_id, token_hash, created_by) VALUES (:'acme', sha256('y'), 'ann');
SELECT rule FROM findings() WHERE rule = 'role_reads_statements';
ROLLBACK;
BEGIN;
TRUNCATE cnap.access_token;
INSERT INTO cnap.invitation (organization_id, token_hash, inviter, expires_at) VALUES (:'acme', sha256('z'), 'ann', 'infinity');
SELECT rule FROM findings() WHERE rule = 'role_reads_statements';
ROLLBACK;
GRANT pg_read_all_stats TO regress_cnap_other;
SELECT object, remedy FROM findings() WHERE rule = 'role_reads_statements';
SELECT remedy FROM findings() WHERE rule = 'role_reads_statements' \gexec
REVOKE regress_cnap_dev FROM regress_cnap_other;
SELECT rule FROM findings() WHERE rule <> 'tokens_logged';
GRANT pg_read_all_stats TO regress_cnap_other;
ALTER ROLE regress_cnap_plain SET log_min_duration_sample = 0;
ALTER ROLE regress_cnap_other SET auto_explain.log_min_duration = '10ms';
SELECT rule, object, finding FROM findings() WHERE object !~ 'DATABASE';
REVOKE pg_read_all_stats FROM regress_cnap_other;
ALTER ROLE regress_cnap_other RESET ALL;
ALTER ROLE regress_cnap_app RESET ALL;
SELECT format('ALTER ROLE regress_cnap_app IN DATABASE %I RESET ALL', :'db') \gexec
SELECT format('ALTER DATABASE %I RESET log_min_duration_statement', :'db') \gexec
ALTER ROLE regress_cnap_plain RESET ALL;
SELECT * FROM findings();
TRUNCATE cnap.access_token;

DROP SCHEMA app, "Odd path", regress_cnap_app CASCADE;
DROP FUNCTION findings, close_all;
DROP TYPE told;
DROP OWNED BY regress_cnap_dev, regress_cnap_other;
DROP ROLE regress_cnap_dev, regress_cnap_other;
\pset tuples_only
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
