-- lint_own: cnap_lint() about the extension's own objects, and findings that are accepted
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
\set try :abs_srcdir '/sql/include/try.sql'
\i :try
\set include :abs_srcdir '/sql/include/lint.sql'
\i :include

-- ---- what CREATE EXTENSION made ----

-- there is nothing to find, and nothing is left out
SELECT * FROM findings();
SELECT pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend d
WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'cnap_org')
	AND CASE d.classid
		WHEN 'pg_proc'::regclass THEN d.objid NOT IN (SELECT object::regprocedure FROM cnap.made WHERE kind = 'function')
		WHEN 'pg_event_trigger'::regclass THEN (SELECT evtname FROM pg_event_trigger WHERE oid = d.objid)
			NOT IN (SELECT object FROM cnap.made WHERE kind = 'event trigger')
		WHEN 'pg_class'::regclass THEN (SELECT relkind FROM pg_class WHERE oid = d.objid) IN ('r', 'p')
			AND d.objid NOT IN (SELECT object::regclass FROM cnap.made WHERE kind = 'table') END;
SELECT tgname, tgrelid::regclass FROM pg_trigger
WHERE tgrelid::regclass::text LIKE 'cnap.%' AND NOT tgisinternal
	AND format('%I on %s', tgname, tgrelid::regclass) NOT IN (SELECT object FROM cnap.made WHERE kind = 'trigger');

-- each of the triggers that is dropped, and each constraint, is missed
CREATE FUNCTION pg_temp.unnoticed(kinds text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	made record;
	noticed boolean;
BEGIN
	FOR made IN SELECT kind, object FROM cnap.made WHERE kind = ANY (kinds) AND object !~ 'user_epoch_|^made_pkey' LOOP
		BEGIN
			EXECUTE CASE made.kind
				WHEN 'trigger' THEN format('DROP TRIGGER %s', replace(made.object, ' on ', ' ON '))
				WHEN 'index' THEN format('DROP INDEX %s', made.object)
				ELSE format('ALTER TABLE %s DROP CONSTRAINT %s CASCADE', split_part(made.object, ' on ', 2), split_part(made.object, ' on ', 1)) END;
			noticed := EXISTS (SELECT FROM cnap.lint_own()
				WHERE rule = 'extension_altered' AND object = made.kind || ' ' || made.object AND remedy IS NOT NULL);
			RAISE SQLSTATE 'CNAP1';
		EXCEPTION WHEN SQLSTATE 'CNAP1' THEN
			IF NOT noticed THEN
				RETURN NEXT made.kind || ' ' || made.object;
			END IF;
		END;
	END LOOP;
END $$;
-- (partitions have theirs from the partitioned table)
SELECT unnoticed FROM pg_temp.unnoticed('{trigger,index,constraint}');

-- so is each property that may not change
CREATE FUNCTION pg_temp.is_noticed(statement text, about text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	noticed boolean;
BEGIN
	EXECUTE statement;
	noticed := EXISTS (SELECT FROM cnap.lint_own() WHERE object = about);
	RAISE SQLSTATE 'CNAP1';
EXCEPTION WHEN SQLSTATE 'CNAP1' THEN
	RETURN noticed;
END $$;
SELECT statement FROM (VALUES
	('ALTER TABLE cnap.audit_log FORCE ROW LEVEL SECURITY', 'table cnap.audit_log'),
	('ALTER TABLE cnap.beat_trail SET UNLOGGED', 'table cnap.beat_trail'),
	('ALTER TABLE cnap.install_link ALTER uses TYPE bigint', 'column cnap.install_link.uses'),
	('UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''cnap.workspace_owner_id_idx''::regclass', 'index cnap.workspace_owner_id_idx'),
	('ALTER FUNCTION cnap.is_slug SET search_path = public', 'function cnap.is_slug(text)'),
	('ALTER FUNCTION cnap_publish RESET search_path', 'function public.cnap_publish()'),
	('ALTER FUNCTION cnap_can_access(uuid) LEAKPROOF', 'function public.cnap_can_access(uuid)'),
	('ALTER FUNCTION cnap_can_access(uuid) STRICT', 'function public.cnap_can_access(uuid)'),
	('ALTER FUNCTION cnap_can_access(uuid) IMMUTABLE', 'function public.cnap_can_access(uuid)'),
	('ALTER FUNCTION cnap_accessible_workspaces() PARALLEL SAFE', 'function public.cnap_accessible_workspaces()'),
	('UPDATE pg_proc SET prosupport = 0 WHERE oid = ''cnap_can_access(uuid)''::regprocedure', 'function public.cnap_can_access(uuid)'),
	('ALTER EVENT TRIGGER cnap_guard ENABLE', 'event trigger cnap_guard'),
	('ALTER EVENT TRIGGER cnap_guard ENABLE REPLICA', 'event trigger cnap_guard')) change (statement, object)
WHERE NOT pg_temp.is_noticed(statement, object);
-- and the mode of the triggers of foreign keys
SELECT mode FROM (VALUES ('ENABLE ALWAYS'), ('ENABLE REPLICA'), ('DISABLE')) mode (mode), pg_trigger t
WHERE tgrelid = 'cnap.workspace_member'::regclass AND tgisinternal
	AND NOT pg_temp.is_noticed(format('ALTER TABLE cnap.workspace_member %s TRIGGER %I', mode, tgname), format('%I on cnap.workspace_member', tgname));

-- ---- tampering ----

CREATE VIEW open AS SELECT severity, rule, object, finding FROM findings();
ALTER TABLE cnap.workspace DROP CONSTRAINT workspace_management_whole;
ALTER TABLE cnap.workspace DROP CONSTRAINT workspace_name_format,
	ADD CONSTRAINT workspace_name_format CHECK (name <> '') NOT VALID;
ALTER TABLE cnap.workspace ALTER owner_id DROP NOT NULL, ALTER created_at SET DEFAULT '-infinity';
ALTER TABLE cnap.organization ENABLE ROW LEVEL SECURITY;
CREATE POLICY nothing ON cnap.organization USING (false);
CREATE RULE "Nothing" AS ON DELETE TO cnap.workspace_member DO INSTEAD NOTHING;
DROP TRIGGER record_change ON cnap.workspace;
DROP TRIGGER signal_update ON cnap.workspace;
CREATE TRIGGER signal_update AFTER UPDATE ON cnap.workspace FOR EACH ROW WHEN (false) EXECUTE FUNCTION cnap.signal_change();
DROP INDEX cnap.workspace_owner_id_idx;
CREATE OR REPLACE FUNCTION cnap.is_slug(value text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
ALTER FUNCTION cnap_current_user() SECURITY DEFINER;
ALTER DOMAIN cnap.user_id DROP CONSTRAINT user_id_format;
ALTER TABLE cnap.access_token DISABLE TRIGGER signal_update;
SELECT * FROM open;
SELECT * FROM close_all();
ALTER DOMAIN cnap.user_id ADD CONSTRAINT user_id_format CHECK (cnap.is_user_id(VALUE));
SELECT * FROM open;
SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'cnap.workspace'::regclass AND tgname = 'signal_update';

-- the event trigger, dropped or different
ALTER EXTENSION cnap_org DROP EVENT TRIGGER cnap_guard;
DROP EVENT TRIGGER cnap_guard;
SELECT * FROM open;
SELECT * FROM close_all();
ALTER EXTENSION cnap_org DROP EVENT TRIGGER cnap_guard;
DROP EVENT TRIGGER cnap_guard;
CREATE EVENT TRIGGER cnap_guard ON ddl_command_start WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION cnap.guard();
ALTER EXTENSION cnap_org ADD EVENT TRIGGER cnap_guard;
SELECT * FROM open;
SELECT * FROM close_all();
SELECT evtenabled, evttags IS NULL AS all_commands FROM pg_event_trigger WHERE evtname = 'cnap_guard';

-- owners
CREATE ROLE regress_cnap_owner;
ALTER TABLE cnap.workspace_member OWNER TO regress_cnap_owner;
ALTER FUNCTION cnap.is_name OWNER TO regress_cnap_owner;
ALTER SCHEMA cnap OWNER TO regress_cnap_owner;
SELECT * FROM open;
SELECT * FROM close_all();

-- ---- triggers of others ----

CREATE SCHEMA app AUTHORIZATION regress_cnap_owner;
CREATE FUNCTION app.react() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER react AFTER INSERT ON cnap.audit_log FOR EACH ROW EXECUTE FUNCTION app.react();
SELECT * FROM findings();
ALTER FUNCTION app.react() SECURITY DEFINER;
SELECT severity, rule, object FROM open;
-- one that is executed as an ordinary role is that role's business
ALTER FUNCTION app.react() OWNER TO regress_cnap_owner;
SELECT * FROM open;
ALTER FUNCTION app.react() SECURITY INVOKER;
SELECT severity, rule, object FROM open;
SELECT * FROM close_all();

-- ---- accepted findings ----

CREATE TABLE app.import (workspace_id uuid PRIMARY KEY);
GRANT TRUNCATE ON app.import TO regress_cnap_plain;
SELECT * FROM findings();
SELECT cnap_accept_finding('table_unprotected', 'app.import', 'only servers read it');
SELECT * FROM findings();
SELECT rule, object, finding, reason, accepted_by = current_user AS by_me, accepted_at <= now() AS by_now
FROM cnap_accepted_findings();
-- a finding that changes is another one
ALTER TABLE app.import RENAME workspace_id TO workspace;
SELECT * FROM findings();
SELECT cnap_accept_finding('table_unprotected', 'app.import', 'as before');
SELECT * FROM findings();
SELECT finding, reason FROM cnap_accepted_findings();
-- nor does accepting one hide others
SELECT FROM cnap_protect('app.import', 'workspace');
SELECT * FROM open;
SELECT cnap_accept_finding('table_grant', 'app.import', 'a nightly job');
SELECT * FROM open;
GRANT TRUNCATE ON app.import TO regress_cnap_app;
SELECT * FROM open;
-- nor what is opened to others, or reads more, afterwards
CREATE TABLE app.more (workspace_id uuid PRIMARY KEY);
SELECT FROM cnap_protect('app.more');
CREATE VIEW app.reader AS SELECT workspace FROM app.import;
CREATE MATERIALIZED VIEW app.stored AS SELECT workspace FROM app.import;
CREATE FUNCTION app.count() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT count(*) FROM app.import);
REVOKE ALL ON FUNCTION app.count() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.count() TO regress_cnap_plain;
GRANT SELECT ON app.reader, app.stored TO regress_cnap_plain;
SELECT count(cnap_accept_finding(rule, object, 'for one role')::text) FROM cnap_lint() WHERE object IN ('app.reader', 'app.stored', 'app.count()');
SELECT count(*) FROM cnap_lint() WHERE object IN ('app.reader', 'app.stored', 'app.count()');
GRANT EXECUTE ON FUNCTION app.count() TO PUBLIC;
GRANT SELECT ON app.reader, app.stored TO PUBLIC;
SELECT rule, object, replace(finding, current_user, 'the superuser') FROM cnap_lint() WHERE object IN ('app.reader', 'app.stored', 'app.count()');
SELECT count(cnap_accept_finding(rule, object, 'for all')::text) FROM cnap_lint() WHERE object IN ('app.reader', 'app.stored', 'app.count()');
CREATE OR REPLACE VIEW app.reader AS SELECT workspace FROM app.import UNION ALL SELECT workspace_id FROM app.more;
CREATE OR REPLACE FUNCTION app.count() RETURNS bigint LANGUAGE sql SECURITY DEFINER RETURN (SELECT count(*) FROM app.import, app.more);
SELECT rule, object, replace(finding, current_user, 'the superuser') FROM cnap_lint() WHERE object IN ('app.reader', 'app.stored', 'app.count()');
SELECT count(cnap_accept_finding(rule, object, NULL)::text) FROM cnap_accepted_findings() WHERE object IN ('app.reader', 'app.stored', 'app.count()');
DROP MATERIALIZED VIEW app.stored;
DROP VIEW app.reader;
DROP FUNCTION app.count;
DROP TABLE app.more;
-- it is for the owner of the extension, and for findings
\set VERBOSITY terse
SET ROLE regress_cnap_plain;
SELECT cnap_accept_finding('table_grant', 'app.import', 'I would like to');
SELECT cnap_accept_finding('table_grant', 'app.import', NULL);
SELECT count(*) FROM cnap_accepted_findings();
SELECT * FROM cnap.accepted_finding;
RESET ROLE;
SELECT cnap_accept_finding('table_grant', 'app.export', 'no such finding');
SELECT cnap_accept_finding(NULL, 'app.import', 'x');
SELECT cnap_accept_finding('table_grant', NULL, 'x');
SELECT cnap_accept_finding('table_grant', 'app.import', E' \t\f\n');
SELECT cnap_accept_finding('table_grant', 'app.import', repeat('x', 1001));
SELECT cnap_accept_finding('table_grant', 'app.import', repeat('x', 1000));
-- what did not succeed has changed nothing, and null takes it back
SELECT rule, object, finding FROM cnap_accepted_findings();
SELECT cnap_accept_finding('table_grant', 'app.import', NULL);
SELECT cnap_accept_finding('table_grant', 'app.import', NULL);
SELECT cnap_accept_finding('table_unprotected', 'app.import', NULL);
SELECT count(*) FROM cnap_accepted_findings();
SELECT * FROM open;

DROP VIEW open;
DROP SCHEMA app CASCADE;
DROP FUNCTION findings, close_all;
DROP TYPE told;
DROP ROLE regress_cnap_owner;
\pset tuples_only
\pset format aligned
\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
