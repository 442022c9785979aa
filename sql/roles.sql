-- Roles and permissions are names.
CREATE EXTENSION cnap_org;

SELECT cnap_create_workspace('Roles', owner => '7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11') AS w1 \gset
SELECT cnap_create_organization('Roles', owner => 'olga') AS o1 \gset

-- strings of any type are accepted, as drivers send them, and literals without
-- one: here a user id is text, though it looks like a uuid
PREPARE by_text (text, uuid, text) AS SELECT cnap_has_permission($1, $2, $3);
PREPARE by_varchar (varchar, uuid, varchar) AS SELECT cnap_has_permission($1, $2, $3);
PREPARE by_uuid (uuid, uuid, varchar) AS SELECT cnap_has_permission($1, $2, $3);
PREPARE by_unknown AS SELECT cnap_has_permission($1, $2, $3);
PREPARE current_text (uuid, text) AS SELECT cnap_has_permission($1, $2);
PREPARE current_varchar (uuid, varchar) AS SELECT cnap_has_permission($1, $2);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
EXECUTE by_text ('7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11', :'w1', 'delete');
EXECUTE by_varchar ('7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11', :'w1', 'delete');
EXECUTE by_uuid ('7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11', :'w1', 'delete');
EXECUTE by_unknown ('7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11', :'w1', 'delete');
EXECUTE by_unknown ('alice', :'w1', 'delete');
SELECT cnap_has_permission('7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11', :'w1', 'access'),
	cnap_can_access('7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11', :'w1'), cnap_can_access('alice', :'w1');
SET cnap.user_id = '7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11';
EXECUTE current_text (:'w1', 'billing');
EXECUTE current_varchar (:'w1', 'billing');
PREPARE add_member (uuid, varchar, varchar) AS SELECT FROM cnap_add_workspace_member($1, $2, $3);
EXECUTE add_member (:'w1', 'bob', 'admin');
SELECT cnap_workspace_role('bob', :'w1'), pg_typeof(cnap_workspace_role('bob', :'w1'));

-- a name that is not defined is an error, never an answer: neither for
-- somebody without access, nor without a current user
EXECUTE current_varchar (:'w1', 'deploi');
EXECUTE current_text (gen_random_uuid(), 'Access');
EXECUTE by_text ('nobody', :'w1', 'access ');
SELECT cnap_add_workspace_member(:'w1', 'eve', 'root');
SELECT cnap_add_workspace_member(:'w1', 'eve', 'owner');
RESET cnap.user_id;
EXECUTE current_text (:'w1', 'deploi');
EXECUTE current_text (:'w1', NULL);
SELECT cnap_add_organization_member(:'o1', 'eve', 'root');
SELECT cnap_has_permission(:'w1', repeat('x', 1000));

-- planning does not fail on it, since the statement may never get there
EXPLAIN (COSTS OFF) SELECT FROM cnap.workspace WHERE cnap_has_permission(id, 'deploi');
SELECT FROM cnap.workspace WHERE cnap_has_permission(id, 'deploi');

\set VERBOSITY terse
-- nor do direct statements write one
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES (:'w1', 'eve', 'root');
INSERT INTO cnap.organization_member (organization_id, user_id, role) VALUES (:'o1', 'eve', 'root');
UPDATE cnap.workspace SET managed_by = :'o1', managed_role = 'root' WHERE id = :'w1';


-- ---- the application's own ----
\set VERBOSITY default
RESET cnap.user_id;
SELECT cnap_create_organization('Vendor', owner => 'vera') AS vendor \gset
SELECT FROM cnap_define_permission('deploy', roles => '{admin,owner}');
SELECT FROM cnap_define_permission('secrets', roles => '{admin}', delegable => false);
SELECT FROM cnap_define_role('deployer', '{deploy,access}');
SELECT FROM cnap_define_role('keeper', '{secrets,administer,manage_members}');
SELECT role, string_agg(permission || CASE WHEN delegable THEN '' ELSE '!' END, ' ' ORDER BY permission) AS permissions
FROM cnap_roles() GROUP BY role ORDER BY role;
SELECT count(*) FROM cnap_roles() WHERE built_in;

-- whoever may give one needs manage_roles, as for an admin
SET cnap.user_id = 'bob';
SELECT cnap_add_workspace_member(:'w1', 'dan', 'deployer');
SET cnap.user_id = '7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11';
SELECT FROM cnap_add_workspace_member(:'w1', 'dan', 'deployer');
SELECT FROM cnap_add_workspace_member(:'w1', 'kim', 'keeper');
SELECT FROM cnap_invite_to_workspace(:'w1', 'keeper');
SELECT FROM cnap_grant_management(:'w1', :'vendor', 'keeper');
-- a grant that names no managers lets in all again, and says so if those were fewer
SELECT FROM cnap_grant_management(:'w1', :'vendor', 'keeper', managers => 'assigned');
SELECT FROM cnap_grant_management(:'w1', :'vendor', 'keeper', managers => 'activated');
SELECT FROM cnap_grant_management(:'w1', :'vendor', 'keeper');
SELECT FROM cnap_grant_management(:'w1', :'vendor', 'keeper', '2999-01-01');
SELECT FROM cnap_grant_management(:'w1', :'vendor', 'keeper');
SET cnap.user_id = 'kim';
SELECT FROM cnap_add_workspace_member(:'w1', 'plain');
SELECT cnap_add_workspace_member(:'w1', 'peter', 'deployer');
SELECT cnap_remove_workspace_member(:'w1', 'dan');
SELECT cnap_set_workspace_role(:'w1', 'kim', 'admin');
RESET cnap.user_id;
SELECT cnap_add_organization_member(:'vendor', 'eve', 'deployer');

CREATE FUNCTION pg_temp.answers() RETURNS TABLE (person text, role text, permissions text, listed bigint)
LANGUAGE sql AS $$
	SELECT p, cnap_workspace_role(p, w.id),
		(SELECT string_agg(i, ' ' ORDER BY i) FROM (SELECT DISTINCT permission FROM cnap_roles()) r (i)
			WHERE cnap_has_permission(p, w.id, i)),
		(SELECT count(*) FROM (SELECT DISTINCT permission FROM cnap_roles()) r (i)
			WHERE w.id = ANY (cnap.reachable(p, i)))
	FROM cnap.workspace w,
		unnest('{7b1f0c9e-3f5d-4c57-9d0a-0d6a2b8f4e11,bob,dan,kim,plain,vera,nobody}'::text[]) WITH ORDINALITY u (p, n)
	WHERE w.name = 'Roles' ORDER BY n
$$;
SELECT * FROM pg_temp.answers();

-- a definition that changes takes effect at once, and is undone with its transaction
BEGIN;
SELECT FROM cnap_define_permission('deploy', roles => '{member}', delegable => false);
SELECT FROM cnap_define_role('keeper', '{deploy}');
SELECT * FROM pg_temp.answers();
SAVEPOINT s;
SELECT FROM cnap_define_role('keeper', '{}');
SELECT cnap_has_permission('kim', :'w1', 'deploy');
ROLLBACK TO s;
SELECT cnap_has_permission('kim', :'w1', 'deploy');
ROLLBACK;
SELECT * FROM pg_temp.answers();

-- who holds both a role and the management has both
SELECT FROM cnap_add_workspace_member(:'w1', 'vera', 'deployer');
SELECT person, role, permissions FROM pg_temp.answers() WHERE person = 'vera';
SELECT path, role FROM cnap_explain_access('vera', :'w1') WHERE granted;
SELECT FROM cnap_remove_workspace_member(:'w1', 'vera');

-- in a policy
CREATE TABLE public.release (id int, workspace_id uuid);
INSERT INTO public.release VALUES (1, :'w1');
SELECT FROM cnap_protect('public.release', write_permission => 'deploy');
SELECT relation, write_permission, enforced FROM cnap_protected_tables();
CREATE ROLE regress_cnap_roles;
GRANT SELECT, UPDATE ON public.release TO regress_cnap_roles;
SET ROLE regress_cnap_roles;
SELECT * FROM cnap_define_role('mine', '{}');
SELECT count(*) > 0 FROM cnap_roles();
RESET ROLE;
SET cnap.user_id = 'plain';
SET ROLE regress_cnap_roles;
UPDATE public.release SET id = 2;
SELECT id FROM public.release;
RESET ROLE;
SET cnap.user_id = 'dan';
SET ROLE regress_cnap_roles;
UPDATE public.release SET id = 3 RETURNING id;
RESET ROLE;
RESET cnap.user_id;

-- what is in use stays; a direct statement is refused as well
SELECT cnap_drop_permission('deploy');
SELECT cnap_drop_role('keeper');
\set VERBOSITY terse
DELETE FROM cnap.role_definition WHERE name = 'keeper';
\set VERBOSITY default
-- a policy that names a permission that has gone is an error, never an answer
DELETE FROM cnap.permission_definition WHERE name = 'deploy';
SET cnap.user_id = 'dan';
SET ROLE regress_cnap_roles;
UPDATE public.release SET id = 4;
RESET ROLE;
RESET cnap.user_id;
SELECT severity, rule, object FROM cnap_lint() WHERE object LIKE '%release%' AND rule ~ '^p';
SELECT FROM cnap_define_permission('deploy');
SELECT FROM cnap_unprotect('public.release');
DROP TABLE public.release;
DROP ROLE regress_cnap_roles;
SELECT FROM cnap_revoke_management(:'w1');
SELECT FROM cnap_set_workspace_role(:'w1', 'kim', 'member');
SELECT FROM cnap_revoke_invitation((SELECT id FROM cnap.invitation));
SELECT FROM cnap_drop_role('keeper');
SELECT FROM cnap_drop_permission('deploy');
SELECT cnap_has_permission('kim', :'w1', 'deploy');
SELECT cnap_add_workspace_member(:'w1', 'eve', 'keeper');

-- arguments
SELECT cnap_define_role('admin', '{}');
SELECT cnap_define_role('access', '{}');
SELECT cnap_define_role('Mine', '{}');
SELECT cnap_define_role('a' || repeat('b', 63), '{}');
SELECT cnap_define_role('trailing-', '{}');
SELECT cnap_define_role('mine', '{billing}');
SELECT cnap_define_role('mine', '{deploy}');
SELECT cnap_define_role('mine', '{access,null}');
SELECT cnap_define_role('mine', NULL);
SELECT cnap_define_permission('delete');
SELECT cnap_define_permission('p', roles => '{root}');
SELECT cnap_define_permission('p', delegable => NULL);
SELECT cnap_drop_role('mine');
SELECT cnap_drop_permission('billing');

-- the limits
BEGIN;
SELECT count(cnap_define_permission('p' || n)) FROM generate_series(1, 55) n;
SELECT cnap_define_permission('p56');
ROLLBACK;
BEGIN;
SELECT count(cnap_define_role('r' || n, '{secrets}')) FROM generate_series(1, 246) n;
SELECT FROM cnap_add_workspace_member(:'w1', 'last', 'r246');
SELECT cnap_has_permission('last', :'w1', 'secrets'), cnap_has_permission('last', :'w1', 'administer');
SELECT cnap_define_role('r247', '{}');
ROLLBACK;
SELECT action, detail FROM cnap.audit_log WHERE action ~ '^(role|permission)' ORDER BY id;

DEALLOCATE ALL;
DROP EXTENSION cnap_org;
