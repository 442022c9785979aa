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

DEALLOCATE ALL;
DROP EXTENSION cnap_org;
