-- guard: dropping the extension while tables are protected
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set try :abs_srcdir '/sql/include/try.sql'
\i :try
CREATE ROLE regress_cnap_dev;
CREATE SCHEMA app AUTHORIZATION regress_cnap_dev;
CREATE SCHEMA empty;
GRANT USAGE ON SCHEMA app TO PUBLIC;

-- nothing is protected: it can be dropped, also by other commands
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION cnap_org CASCADE;
ROLLBACK;
DROP SCHEMA empty CASCADE;
DROP EXTENSION IF EXISTS no_such_extension CASCADE;

-- ---- with protected tables ----

SET ROLE regress_cnap_dev;
CREATE TABLE app.project (id int PRIMARY KEY, workspace_id uuid NOT NULL UNIQUE);
CREATE TABLE app.task (project_id int NOT NULL UNIQUE REFERENCES app.project);
SELECT cnap_protect('app.project');
SELECT cnap_protect_child('app.task', 'project_id');
RESET ROLE;
DROP EXTENSION cnap_org CASCADE;
\set VERBOSITY sqlstate
DROP EXTENSION cnap_org;
DROP EXTENSION IF EXISTS no_such_extension, cnap_org CASCADE;
DROP SCHEMA cnap CASCADE;
DROP SCHEMA public CASCADE;
DROP SCHEMA public, cnap CASCADE;
\set VERBOSITY default
-- only some of many are named
SET client_min_messages = warning;
SELECT format('CREATE TABLE app.t%s (workspace_id uuid PRIMARY KEY); SELECT cnap_protect(''app.t%s'')', n, n)
FROM generate_series(1, 10) n \gexec
SELECT regexp_replace(pg_temp.try('DROP EXTENSION cnap_org CASCADE'), 'app.*, and', '..., and') AS result;
SELECT format('DROP TABLE app.t%s', n) FROM generate_series(1, 10) n \gexec
RESET client_min_messages;
SELECT count(*) FROM cnap_protected_tables() WHERE enforced;

-- as roles that own the extension, or the tables
CREATE ROLE regress_cnap_owner SUPERUSER;
CREATE TABLE public.regress_cnap_own (id int);
ALTER TABLE public.regress_cnap_own OWNER TO regress_cnap_owner;
BEGIN;
UPDATE pg_extension SET extowner = 'regress_cnap_owner'::regrole WHERE extname = 'cnap_org';
SELECT pg_temp.try('DROP OWNED BY regress_cnap_plain, regress_cnap_owner CASCADE');
SELECT pg_temp.try('DROP OWNED BY regress_cnap_plain CASCADE');
-- who owns the tables as well takes them along
ALTER TABLE app.project OWNER TO regress_cnap_owner;
SELECT pg_temp.try('DROP OWNED BY regress_cnap_owner CASCADE');
ROLLBACK;
DROP TABLE public.regress_cnap_own;
DROP ROLE regress_cnap_owner;

-- ordinary roles are not affected, and cannot call it
SET ROLE regress_cnap_dev;
CREATE TABLE app.passing (id int);
\set VERBOSITY sqlstate
DROP SCHEMA app;
DROP OWNED BY regress_cnap_plain CASCADE;
DROP OWNED BY CURRENT_USER, regress_cnap_app CASCADE;
SELECT extowner::regrole AS owner FROM pg_extension WHERE extname = 'cnap_org' \gset
DROP OWNED BY :owner CASCADE;
\set VERBOSITY default
-- nor does it tell them what is protected
DROP EXTENSION cnap_org CASCADE;
DROP SCHEMA public CASCADE;
SELECT cnap.guard();
RESET ROLE;
SELECT pg_temp.try('SELECT cnap.guard()');

-- a policy of the application's own that uses a function counts as well
SELECT count(*) FROM cnap_unprotect_schema('app', true);
CREATE POLICY mine ON app.passing USING (cnap_workspace_role(NULL) = 'owner');
SELECT pg_temp.try('DROP EXTENSION cnap_org CASCADE');
-- but not one that uses another function
CREATE FUNCTION app.everybody() RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE TABLE app.other (id int);
CREATE POLICY theirs ON app.other USING (app.everybody());
SELECT pg_temp.try('DROP EXTENSION cnap_org CASCADE');
-- but not those that are dropped with their tables
CREATE SCHEMA "Odd schema";
BEGIN;
DROP POLICY mine ON app.passing;
SET LOCAL client_min_messages = warning;
DROP EXTENSION cnap_org CASCADE;
CREATE EXTENSION cnap_org SCHEMA "Odd schema";
CREATE TABLE "Odd schema".one (workspace_id uuid PRIMARY KEY);
SELECT "Odd schema".cnap_protect('"Odd schema".one');
SELECT relation, statement FROM "Odd schema".cnap_protect_schema('app', true) WHERE statement IS NOT NULL;
SELECT pg_temp.try('DROP SCHEMA "Odd schema" CASCADE');
SELECT * FROM "Odd schema".cnap_unprotect_schema('app', true);
SELECT pg_temp.try('DROP SCHEMA "Odd schema" CASCADE');
SELECT count(*) FROM pg_extension WHERE extname = 'cnap_org';
ROLLBACK;

-- ---- it belongs to the extension ----

SELECT evtname, evtevent, evtenabled, evttags FROM pg_event_trigger;
DROP EVENT TRIGGER cnap_guard;
-- and can be disabled
BEGIN;
ALTER EVENT TRIGGER cnap_guard DISABLE;
SET LOCAL client_min_messages = warning;
DROP EXTENSION cnap_org CASCADE;
SELECT count(*) FROM pg_event_trigger;
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA app, "Odd schema" CASCADE;
DROP ROLE regress_cnap_dev;
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
