-- hostile: look-alikes of everything at the front of the search path, during CREATE EXTENSION and
-- after

\getenv abs_srcdir PG_ABS_SRCDIR
\set look_alikes :abs_srcdir '/sql/include/look_alikes.sql'
\i :look_alikes
SELECT evil.make_temporary();

SET search_path = evil, pg_temp, pg_catalog, public;
SELECT now() IS NULL;
CREATE EXTENSION cnap_org SCHEMA public;

-- nothing of the extension depends on the look-alikes
SELECT pg_catalog.count(*)
FROM pg_catalog.pg_depend d
	JOIN pg_catalog.pg_depend e ON e.classid OPERATOR(pg_catalog.=) d.classid AND e.objid OPERATOR(pg_catalog.=) d.objid
WHERE e.deptype OPERATOR(pg_catalog.=) 'e'
	AND e.refobjid OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_extension
		WHERE extname OPERATOR(pg_catalog.=) 'cnap_org')
	AND pg_catalog.pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)
		OPERATOR(pg_catalog.~) '(evil|pg_temp)';

CREATE ROLE regress_cnap_app;
SELECT FROM public.cnap_trust('regress_cnap_app');

-- every function, called with that path and those temporary tables
CREATE FUNCTION pg_temp.story() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	org pg_catalog.uuid;
	ws pg_catalog.uuid;
BEGIN
	PERFORM pg_catalog.set_config('cnap.user_id', 'ann', true);
	org := public.cnap_create_organization('Acme', 'acme', 'https://acme.example', 'a@acme.example');
	PERFORM public.cnap_update_organization(org, 'Acme 2', metadata => '{"a": 1}');
	PERFORM public.cnap_add_organization_member(org, 'bob');
	PERFORM public.cnap_set_organization_role(org, 'bob', 'owner');
	PERFORM public.cnap_set_organization_role(org, 'bob', 'member');
	PERFORM * FROM public.cnap_organizations();
	PERFORM * FROM public.cnap_organization(org);
	PERFORM * FROM public.cnap_organization_members(org);
	ws := public.cnap_create_workspace('Space');
	PERFORM public.cnap_update_workspace(ws, 'Space 2', '{"b": 2}');
	PERFORM public.cnap_set_workspace_billing(ws, 'bill@acme.example', '12');
	PERFORM * FROM public.cnap_workspace(ws);
	PERFORM * FROM public.cnap_workspace_billing(ws);
	PERFORM public.cnap_add_workspace_member(ws, 'carl');
	PERFORM public.cnap_set_workspace_role(ws, 'carl', 'admin');
	PERFORM * FROM public.cnap_workspaces();
	PERFORM * FROM public.cnap_workspace_members(ws);
	PERFORM public.cnap_grant_management(ws, org, until => '2999-01-01');
	PERFORM * FROM public.cnap_organization_workspaces(org);
	PERFORM * FROM public.cnap_preview_revocation(ws);
	IF NOT public.cnap_can_access('bob', ws) OR NOT public.cnap_has_permission('bob', ws, 'administer')
		OR public.cnap_workspace_role('bob', ws)::pg_catalog.text OPERATOR(pg_catalog.<>) 'admin'
		OR NOT public.cnap_can_access(ws)
		OR public.cnap_accessible_workspaces('bob') OPERATOR(pg_catalog.<>) ARRAY[ws]
	THEN
		RAISE 'wrong answer';
	END IF;
	PERFORM * FROM public.cnap_explain_access('bob', ws);
	PERFORM public.cnap_revoke_management(ws);
	PERFORM public.cnap_transfer_workspace(ws, 'carl');
	PERFORM public.cnap_leave_workspace(ws);
	PERFORM public.cnap_remove_organization_member(org, 'bob');
	PERFORM * FROM public.cnap_organization_audit(org);
	PERFORM public.cnap_delete_organization(org);
	PERFORM pg_catalog.set_config('cnap.user_id', 'carl', true);
	PERFORM * FROM public.cnap_workspace_audit(ws);
	PERFORM public.cnap_add_workspace_member(ws, 'dora');
	PERFORM public.cnap_remove_workspace_member(ws, 'dora');
	PERFORM public.cnap_delete_workspace(ws);
END $$;
SET ROLE regress_cnap_app;
SELECT pg_temp.story();

-- protection of a table with the same name as another one
RESET ROLE;
CREATE TABLE public.workspace (workspace_id pg_catalog.uuid, note pg_catalog.text);
SELECT public.cnap_protect('public.workspace');
SELECT public.cnap_protect('public.workspace', write_permission => 'administer');
SELECT relation, write_permission, enforced FROM public.cnap_protected_tables();
GRANT ALL ON public.workspace TO regress_cnap_app;
SELECT rule, object, remedy FROM public.cnap_lint();
SELECT public.cnap_unprotect('public.workspace');
SELECT rule, object, remedy FROM public.cnap_lint();
SELECT public.cnap_distrust('regress_cnap_app');

-- the triggers and foreign keys of the tables, for a direct writer
INSERT INTO cnap.organization (id, name) VALUES ('00000000-0000-4000-8000-0000000000a1', 'Acme');
INSERT INTO cnap.organization_member (organization_id, user_id, role)
VALUES ('00000000-0000-4000-8000-0000000000a1', 'ann', 'owner');
INSERT INTO cnap.workspace (name, owner_id, managed_by)
VALUES ('Space', 'ann', '00000000-0000-4000-8000-0000000000a1');
UPDATE cnap.workspace SET managed_until = '2999-01-01', name = 'Space 2';
UPDATE cnap.organization_member SET role = 'member';
DELETE FROM cnap.organization;
DELETE FROM cnap.workspace;
TABLE pg_temp.audit_log;
TABLE evil.audit_log;

RESET search_path;
DROP TABLE public.workspace;
DROP EXTENSION cnap_org;
DROP ROLE regress_cnap_app;
SET client_min_messages = warning;
DROP SCHEMA evil CASCADE;
