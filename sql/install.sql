-- install: what CREATE EXTENSION creates, and what it withstands

\set VERBOSITY sqlstate

-- ---- existing objects stop the installation ----

CREATE FUNCTION public.cnap_can_access(text, text) RETURNS boolean LANGUAGE sql RETURN true;
CREATE EXTENSION cnap_org;
DROP FUNCTION public.cnap_can_access(text, text);

CREATE FUNCTION public.cnap_helper() RETURNS boolean LANGUAGE sql RETURN true;
\set VERBOSITY default
\set SHOW_CONTEXT never
CREATE EXTENSION cnap_org;
\set VERBOSITY sqlstate
\set SHOW_CONTEXT errors
DROP FUNCTION public.cnap_helper();

-- also in a schema whose name needs quotes
CREATE SCHEMA "Odd schema";
CREATE FUNCTION "Odd schema".cnap_can_access(text, text) RETURNS boolean LANGUAGE sql RETURN true;
CREATE EXTENSION cnap_org SCHEMA "Odd schema";
DROP EXTENSION IF EXISTS cnap_org;
DROP SCHEMA "Odd schema" CASCADE;

CREATE SCHEMA cnap;
CREATE EXTENSION cnap_org;
DROP SCHEMA cnap;

CREATE ROLE regress_cnap_plain;
GRANT CREATE ON SCHEMA public TO regress_cnap_plain;
SET ROLE regress_cnap_plain;
CREATE EXTENSION cnap_org;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM regress_cnap_plain;

-- nothing is left of the failed attempts
SELECT count(*) FROM pg_namespace WHERE nspname = 'cnap';
SELECT count(*) FROM pg_proc WHERE proname LIKE 'cnap\_%';

-- ---- a fresh installation ----

CREATE EXTENSION cnap_org;
SELECT extnamespace::regnamespace AS schema, extrelocatable FROM pg_extension WHERE extname = 'cnap_org';

-- one line for each object, so that a change of one changes one line
\pset format unaligned
\pset footer off
CREATE TEMP VIEW member AS
SELECT d.classid, d.objid
FROM pg_depend d
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE d.deptype = 'e' AND e.extname = 'cnap_org';

SELECT n.nspname AS schema,
	array(SELECT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE 'owner' END || ' ' || privilege_type
		FROM aclexplode(n.nspacl) ORDER BY 1) AS privileges
FROM member m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid;

SELECT t.oid::regtype AS type, t.typtype AS kind, coalesce(array(SELECT enumlabel
	FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder), '{}') AS labels
FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
WHERE t.typtype IN ('e', 'd')
ORDER BY t.typname COLLATE "C";

SELECT c.oid::regclass AS relation, c.relkind AS kind, c.relpersistence AS persistence,
	c.oid = ANY (e.extconfig) AS dumped
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	CROSS JOIN pg_extension e
WHERE e.extname = 'cnap_org'
ORDER BY c.relname COLLATE "C";

SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
	a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS default
FROM pg_attribute a
	JOIN pg_class c ON c.oid = a.attrelid
	LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'cnap'::regnamespace AND c.relkind IN ('r', 'v')
	AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname COLLATE "C", a.attnum;

SELECT conname, CASE WHEN conrelid <> 0 THEN conrelid::regclass::text ELSE contypid::regtype::text END AS of,
	pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE connamespace = 'cnap'::regnamespace AND contype <> 'n'
ORDER BY conname COLLATE "C", conrelid::regclass::text COLLATE "C";

SELECT pg_get_indexdef(i.indexrelid) AS index
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'cnap'::regnamespace
ORDER BY c.relname COLLATE "C";

SELECT pg_get_triggerdef(t.oid) AS trigger, t.tgenabled AS enabled
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'cnap'::regnamespace AND NOT t.tgisinternal
ORDER BY c.relname COLLATE "C", t.tgname COLLATE "C";

SELECT p.oid::regprocedure AS function, pg_get_function_result(p.oid) AS result
FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
ORDER BY p.oid::regprocedure::text COLLATE "C";

SELECT p.oid::regprocedure AS function, l.lanname AS language, p.provolatile AS volatile,
	p.proisstrict AS strict, p.proparallel AS parallel, p.proleakproof AS leakproof,
	p.prosecdef AS definer, p.prosupport AS support, p.proconfig AS config,
	array(SELECT CASE grantee WHEN 0 THEN 'PUBLIC' WHEN p.proowner THEN 'owner' ELSE grantee::regrole::text END
			|| CASE WHEN is_grantable THEN ' with grant option' ELSE '' END
		FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner)))
		ORDER BY 1) AS callers
FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	JOIN pg_language l ON l.oid = p.prolang
ORDER BY p.oid::regprocedure::text COLLATE "C";

\pset format aligned
\pset footer on

-- ---- rules for all of it ----

-- everything has a comment
SELECT pg_describe_object(m.classid, m.objid, 0)
FROM member m
	LEFT JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	LEFT JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
WHERE coalesce(obj_description(m.objid, m.classid::regclass::name), '') = ''
	AND coalesce(t.typtype IN ('e', 'd'), true) AND coalesce(c.relkind <> 'S', true);

-- of at most a paragraph: the reference has the rest
SELECT pg_describe_object(d.classoid, d.objoid, d.objsubid), length(d.description)
FROM member m JOIN pg_description d ON d.classoid = m.classid AND d.objoid = m.objid
WHERE length(d.description) > 600;

-- everything belongs to whoever created the extension
SELECT pg_describe_object(m.classid, m.objid, 0), o.rolname
FROM member m
	LEFT JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	LEFT JOIN pg_class c ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	LEFT JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
	LEFT JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
	JOIN pg_roles o ON o.oid = coalesce(p.proowner, c.relowner, t.typowner, n.nspowner)
WHERE o.oid <> (SELECT extowner FROM pg_extension WHERE extname = 'cnap_org');

-- the schema contains nothing that does not belong to the extension
SELECT c.oid::regclass FROM pg_class c
WHERE c.relnamespace = 'cnap'::regnamespace AND c.relkind NOT IN ('i', 't', 'c')
	AND c.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass);

-- every public function's arguments have names
SELECT p.oid::regprocedure FROM member m
	JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.proname LIKE 'cnap\_%' AND p.pronargs > 0 AND (p.proargnames IS NULL OR '' = ANY (p.proargnames[1:p.pronargs]));

-- every trigger function knows how it may be called
\set VERBOSITY terse
DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
		WHERE p.prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) ORDER BY p.oid::regprocedure::text COLLATE "C"
	LOOP
		BEGIN
			EXECUTE format('SELECT %s', f);
			RAISE NOTICE '% can be called', f;
		EXCEPTION WHEN trigger_protocol_violated OR event_trigger_protocol_violated THEN
			NULL;
		END;
	END LOOP;
END $$;
CREATE TABLE pg_temp.fired (id uuid, user_id text);
CREATE TRIGGER signal_user AFTER INSERT ON fired EXECUTE FUNCTION cnap.signal_user();
CREATE TRIGGER record_change AFTER UPDATE ON fired EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER fill_workspace BEFORE DELETE ON fired EXECUTE FUNCTION cnap.fill_workspace();
INSERT INTO fired VALUES (NULL, 'ann');
UPDATE fired SET user_id = 'ben';
DELETE FROM fired;
DROP TABLE fired;
\set VERBOSITY sqlstate

-- the numbers of columns in the sources are those of the catalog
\getenv abs_srcdir PG_ABS_SRCDIR
\set own_catalog :abs_srcdir '/src/core/own_catalog.h'
CREATE TEMPORARY VIEW numbered AS
SELECT c.relname || '_' || a.attname AS name, a.attnum::integer AS number
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'cnap'::regnamespace AND c.relkind = 'r' AND a.attnum > 0;
CREATE TEMPORARY TABLE defined AS
SELECT m[1] AS name, m[2] AS value
FROM regexp_matches(pg_read_file(:'own_catalog'), '^#define Anum_(\w+) (\w+)$', 'gn') m;
SELECT d.name, d.value, n.number
FROM defined d LEFT JOIN numbered n USING (name)
	LEFT JOIN numbered same ON 'Anum_' || same.name = d.value
WHERE coalesce(same.number::text, d.value) IS DISTINCT FROM n.number::text;
SELECT count(*) > 50 AS all_defined FROM defined;
DROP VIEW numbered;
DROP TABLE defined;

-- only the owner has privileges on the tables
SELECT c.oid::regclass, a.grantee, a.privilege_type
FROM pg_class c, aclexplode(c.relacl) a
WHERE c.relnamespace = 'cnap'::regnamespace AND a.grantee <> c.relowner;
SELECT attrelid::regclass, attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.relnamespace = 'cnap'::regnamespace AND a.attacl IS NOT NULL;

SET ROLE regress_cnap_plain;
SELECT count(*) FROM cnap.organization;
SELECT count(*) FROM cnap.way_in;
SELECT last_value FROM cnap.audit_log_id_seq;
INSERT INTO cnap.audit_log (database_role, action, path) VALUES ('a', 'a', 'a');
CREATE TABLE cnap.mine ();
TRUNCATE cnap.organization CASCADE;
BEGIN;
LOCK TABLE cnap.workspace IN ACCESS SHARE MODE;
ROLLBACK;
COPY cnap.workspace TO STDOUT;
SELECT cnap.is_name('a');
SELECT count(*) FROM cnap.list_organizations('ann');
SELECT cnap_can_access('ann'::text, '00000000-0000-4000-8000-000000000001');
SELECT cnap_trust('regress_cnap_plain');
RESET ROLE;

-- PUBLIC can execute all public functions, except those for particular roles
SELECT p.oid::regprocedure
FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.proname LIKE 'cnap\_%' AND NOT has_function_privilege('regress_cnap_plain', p.oid, 'EXECUTE')
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- its objects cannot be dropped separately
DROP TABLE cnap.invitation;
DROP FUNCTION cnap_can_access(uuid);
ALTER EXTENSION cnap_org SET SCHEMA cnap;

-- ---- again, in the same session ----

SELECT length(cnap_create_workspace('first', owner => 'ann')::text);
DROP EXTENSION cnap_org;
SELECT count(*) FROM pg_namespace WHERE nspname = 'cnap';
SELECT count(*) FROM pg_proc WHERE proname LIKE 'cnap\_%';
CREATE EXTENSION cnap_org;
SELECT length(cnap_create_workspace('second', owner => 'ann')::text);
SELECT id, action, detail FROM cnap.audit_log;
SET cnap.user_id = 'ann';
SELECT name, section, role, via FROM cnap_workspaces();
SELECT cnap_can_access(id) FROM cnap_workspaces();
RESET cnap.user_id;

-- within one transaction, rolled back
BEGIN;
DROP EXTENSION cnap_org;
CREATE EXTENSION cnap_org;
SELECT cnap_create_workspace('third', owner => 'ann') AS third \gset
SELECT cnap_can_access('ann', :'third');
ROLLBACK;
SELECT cnap_can_access('ann', :'third');
SELECT name, cnap_can_access('ann', id) FROM cnap.workspace;
DROP EXTENSION cnap_org;

-- ---- in another schema ----

CREATE SCHEMA "Tenants of us";
CREATE EXTENSION cnap_org SCHEMA "Tenants of us";
SELECT p.pronamespace::regnamespace AS schema, p.proname LIKE 'cnap\_%' AS public_name, count(*) > 0
FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT FROM "Tenants of us".cnap_trust('regress_cnap_plain');
SELECT "Tenants of us".cnap_create_workspace('ours', owner => 'ann') AS ours \gset
CREATE TABLE public.note (workspace_id uuid PRIMARY KEY, text text);
SELECT FROM "Tenants of us".cnap_protect('public.note', write_permission => 'administer');
SELECT polname, polpermissive, pg_get_expr(polqual, polrelid) AS using, pg_get_expr(polwithcheck, polrelid) AS check
FROM pg_policy WHERE polrelid = 'public.note'::regclass ORDER BY polname COLLATE "C";
SELECT * FROM "Tenants of us".cnap_protected_tables();
GRANT ALL ON public.note TO regress_cnap_plain;
GRANT USAGE ON SCHEMA "Tenants of us" TO regress_cnap_plain;
SET ROLE regress_cnap_plain;
SET cnap.user_id = 'ann';
INSERT INTO public.note VALUES (:'ours', 'mine');
SET cnap.user_id = 'bob';
INSERT INTO public.note VALUES ('00000000-0000-4000-8000-000000000001', 'not mine');
SELECT text FROM public.note;
SELECT "Tenants of us".cnap_can_access('ann', :'ours');
SET cnap.user_id = 'ann';
SELECT text FROM public.note;
SELECT "Tenants of us".cnap_distrust('regress_cnap_plain');
RESET ROLE;
RESET cnap.user_id;
SELECT FROM "Tenants of us".cnap_unprotect('public.note');
SELECT count(*) FROM "Tenants of us".cnap_protected_tables();
SELECT FROM "Tenants of us".cnap_distrust('regress_cnap_plain');
DROP TABLE public.note;
DROP EXTENSION cnap_org;

-- a schema whose owner could drop it
ALTER SCHEMA "Tenants of us" OWNER TO regress_cnap_plain;
CREATE EXTENSION cnap_org SCHEMA "Tenants of us";
DROP EXTENSION cnap_org;
DROP SCHEMA "Tenants of us";
DROP ROLE regress_cnap_plain;

-- the library's functions without the extension
CREATE FUNCTION public.can_access(text, uuid) RETURNS boolean LANGUAGE c STRICT
AS '$libdir/cnap_org', 'cnap_can_access_user';
\set VERBOSITY default
SELECT public.can_access('ann', '00000000-0000-4000-8000-000000000001');
DROP FUNCTION public.can_access;
