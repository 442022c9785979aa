-- default privileges: those in force at CREATE EXTENSION give nobody anything, and take nothing away

CREATE ROLE regress_cnap_web LOGIN;
CREATE VIEW granted AS
SELECT pg_describe_object(d.classid, d.objid, 0) AS object,
	CASE a.grantee WHEN 0 THEN 'PUBLIC' WHEN o.owner THEN 'owner' ELSE a.grantee::regrole::text END AS grantee,
	a.privilege_type AS privilege, a.is_grantable AS grantable
FROM pg_extension e
	JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
	JOIN (SELECT 'pg_namespace'::regclass, oid, nspowner, coalesce(nspacl, acldefault('n', nspowner)) FROM pg_namespace
		UNION ALL SELECT 'pg_type'::regclass, oid, typowner, coalesce(typacl, acldefault('T', typowner)) FROM pg_type
		UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc
		UNION ALL SELECT 'pg_class'::regclass, oid, relowner,
			coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, relowner))
		FROM pg_class) o (classid, objid, owner, acl) USING (classid, objid)
	CROSS JOIN aclexplode(o.acl) a
WHERE e.extname = 'cnap_org';

CREATE EXTENSION cnap_org;
CREATE TABLE as_wanted AS TABLE granted;
SELECT DISTINCT grantee, grantable FROM as_wanted ORDER BY 1, 2;
SELECT count(*) > 300 AS many FROM as_wanted;
DROP EXTENSION cnap_org;

-- what a hosting provider sets up for the roles of its web API, and worse
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO regress_cnap_web WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO regress_cnap_web, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO regress_cnap_web WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO regress_cnap_web WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO regress_cnap_web, PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO regress_cnap_web;
CREATE EXTENSION cnap_org;
(TABLE granted EXCEPT ALL TABLE as_wanted) UNION ALL (TABLE as_wanted EXCEPT ALL TABLE granted);
SELECT severity, rule, object FROM cnap_lint();

-- pg_dump writes what differs from the initial privileges: nothing
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_init_privs i ON i.classoid = 'pg_proc'::regclass AND i.objoid = p.oid
WHERE p.pronamespace = 'cnap'::regnamespace AND p.proacl::text <> i.initprivs::text;
SELECT c.oid::regclass FROM pg_class c JOIN pg_init_privs i ON i.classoid = 'pg_class'::regclass AND i.objoid = c.oid
WHERE c.relnamespace = 'cnap'::regnamespace AND c.relacl::text <> i.initprivs::text;

SELECT cnap_create_workspace('Globex', owner => 'gina') AS globex \gset
SET ROLE regress_cnap_web;
SELECT count(*) FROM cnap.workspace;
UPDATE cnap.workspace SET owner_id = 'mallory';
SELECT nextval('cnap.audit_log_id_seq');
SELECT cnap_accessible_workspaces('gina');
SELECT cnap_forget_user('gina', 'mallory');
CREATE TABLE cnap.mine ();
SELECT cnap_current_user() IS NULL AS nobody, cnap_can_access(:'globex');
RESET ROLE;
DROP EXTENSION cnap_org;

-- what somebody sets up who lets nobody have anything by default
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM regress_cnap_web;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM CURRENT_USER;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM regress_cnap_web, PUBLIC, CURRENT_USER;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM regress_cnap_web, PUBLIC, CURRENT_USER;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM regress_cnap_web, PUBLIC, CURRENT_USER;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM regress_cnap_web, PUBLIC, CURRENT_USER;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON FUNCTIONS FROM regress_cnap_web;
CREATE EXTENSION cnap_org;
(TABLE granted EXCEPT ALL TABLE as_wanted) UNION ALL (TABLE as_wanted EXCEPT ALL TABLE granted);
SELECT severity, rule, object FROM cnap_lint();
SELECT cnap_create_workspace('Globex', owner => 'gina') AS globex \gset
SET ROLE regress_cnap_web;
SELECT cnap_current_user() IS NULL AS nobody, cnap_can_access(:'globex'), cnap_has_permission(:'globex', 'access');
SELECT count(*) FROM cnap_lint();
RESET ROLE;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO CURRENT_USER;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO CURRENT_USER;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO CURRENT_USER, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO CURRENT_USER, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO CURRENT_USER;
SELECT count(*) FROM pg_default_acl;

-- ---- EXECUTE by itself opens none of the functions for trusted roles ----

GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public, cnap TO regress_cnap_web;
SELECT DISTINCT rule, severity FROM cnap_lint();
SELECT object, finding FROM cnap_lint() WHERE object ~ 'forget_user|prune_audit|record_change' ORDER BY object COLLATE "C";
SET ROLE regress_cnap_web;
SELECT cnap_can_access('gina', :'globex');
SELECT cnap_can_access('00000000-0000-4000-8000-000000000009'::uuid, :'globex');
SELECT cnap_can_access(NULL::text, NULL);
SELECT cnap_has_permission('gina', :'globex', 'access');
SELECT cnap_has_permission('00000000-0000-4000-8000-000000000009'::uuid, :'globex', 'access');
SELECT cnap_workspace_role('gina', :'globex');
SELECT cnap_accessible_workspaces('gina');
SELECT * FROM cnap_explain_access('gina', :'globex');
SELECT cnap.reachable('gina'::text, 'access');
SELECT cnap.reachable('00000000-0000-4000-8000-000000000009'::uuid, 'access');
SELECT cnap_forget_user('gina', 'mallory');
SELECT cnap_prune_audit('1 year');
SELECT cnap_trust('regress_cnap_web');
SELECT cnap_distrust('regress_cnap_web');
RESET ROLE;
SELECT owner_id FROM cnap.workspace;
-- the linter leaves only what everybody has anyway, and what an administrator may grant
SELECT string_agg(remedy, ' ') AS remedies FROM cnap_lint() \gset
SELECT format('DO %L', 'BEGIN ' || :'remedies' || ' END') AS all_of_them \gset
:all_of_them;
SELECT count(*) FROM cnap_lint();
SELECT object FROM (TABLE granted EXCEPT ALL TABLE as_wanted) g
WHERE object NOT IN (SELECT pg_describe_object(classid, objid, 0) FROM cnap.privileges()
	WHERE audience IN ('everybody', 'chosen'));
TABLE as_wanted EXCEPT ALL TABLE granted;
-- nor does the privilege to set the identity open them, without EXECUTE
GRANT SET ON PARAMETER cnap.user_id TO regress_cnap_web;
SET ROLE regress_cnap_web;
SELECT cnap_can_access('gina', :'globex');
RESET ROLE;
-- both do, and it ends at the next check
SELECT FROM cnap_trust('regress_cnap_web');
SET ROLE regress_cnap_web;
SELECT cnap_can_access('gina', :'globex');
RESET ROLE;
GRANT EXECUTE ON FUNCTION cnap_can_access(text, uuid) TO PUBLIC;
REVOKE SET ON PARAMETER cnap.user_id FROM regress_cnap_web;
SET ROLE regress_cnap_web;
SELECT cnap_can_access('gina', :'globex');
RESET ROLE;

DROP EXTENSION cnap_org;
DROP TABLE as_wanted;
DROP VIEW granted;
DROP ROLE regress_cnap_web;
