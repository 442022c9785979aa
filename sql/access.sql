-- access: the access checks, with every way in
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model

-- ---- all users, all workspaces ----

-- as a role that can ask about any user
SET ROLE regress_cnap_app;
CREATE TEMP VIEW everybody AS
SELECT person, workspace, id
FROM unnest(ARRAY['ann', 'adam', 'mia', 'bea', 'carol', 'dave', 'erin', 'frank', 'gus', 'hal',
		'nobody']) WITH ORDINALITY AS p (person, rank),
	(VALUES ('w1', '00000000-0000-4000-8000-000000000001'::uuid),
		('w2', '00000000-0000-4000-8000-000000000002'),
		('w3', '00000000-0000-4000-8000-000000000003'),
		('w4', '00000000-0000-4000-8000-000000000004')) AS w (workspace, id)
ORDER BY rank, workspace;

SELECT person, workspace, cnap_can_access(person, id) AS can_access, cnap_workspace_role(person, id) AS role,
	array(SELECT p FROM unnest('{access,administer,manage_members,manage_roles,manage_delegation,billing,transfer,delete}'::text[]) p
		WHERE cnap_has_permission(person, id, p)) AS permissions
FROM everybody
WHERE cnap_can_access(person, id) OR cnap_workspace_role(person, id) IS NOT NULL
	OR cnap_has_permission(person, id, 'access');

-- the other functions give the same answers: about the current user, and as a set
DO $$
DECLARE
	e record;
BEGIN
	FOR e IN SELECT * FROM everybody LOOP
		PERFORM set_config('cnap.user_id', e.person, true);
		IF cnap_current_user() <> e.person
			OR cnap_can_access(e.id) <> cnap_can_access(e.person, e.id)
			OR cnap_workspace_role(e.id) IS DISTINCT FROM cnap_workspace_role(e.person, e.id)
			OR cnap_has_permission(e.id, 'administer') <> cnap_has_permission(e.person, e.id, 'administer')
			OR cnap_can_access(e.id) <> (e.id = ANY (cnap_accessible_workspaces()))
			OR cnap_can_access(e.person, e.id) <> (e.id = ANY (cnap_accessible_workspaces(e.person)))
			OR cnap_can_access(e.id) <> (e.id IN (SELECT id FROM cnap_workspaces()))
		THEN
			RAISE 'the functions disagree about % and %', e.person, e.workspace;
		END IF;
	END LOOP;
END $$;
SELECT person, array_agg(workspace ORDER BY id) AS workspaces,
	array_agg(id ORDER BY id) = cnap_accessible_workspaces(person) AS sorted_and_each_once
FROM everybody
WHERE cnap_can_access(person, id)
GROUP BY person ORDER BY person;

-- untyped literals, and a user whose id is a uuid
SELECT cnap_can_access('carol', '00000000-0000-4000-8000-000000000001');
SELECT cnap_has_permission('carol', '00000000-0000-4000-8000-000000000001', 'delete');
SELECT cnap_workspace_role('carol', '00000000-0000-4000-8000-000000000001');
RESET ROLE;
INSERT INTO cnap.workspace_member (workspace_id, user_id)
VALUES (:'w4', 'abcdefab-0000-4000-8000-00000000000a');
SET ROLE regress_cnap_app;
SELECT cnap_can_access('ABCDEFAB-0000-4000-8000-00000000000A'::uuid, :'w4') AS as_uuid,
	cnap_can_access('ABCDEFAB-0000-4000-8000-00000000000A'::text, :'w4') AS as_other_text,
	cnap_can_access('abcdefab-0000-4000-8000-00000000000a', :'w4') AS as_text;
SELECT cnap_has_permission('abcdefab-0000-4000-8000-00000000000a'::uuid, :'w4', 'access') AS access,
	cnap_has_permission('abcdefab-0000-4000-8000-00000000000a'::uuid, :'w4', 'administer') AS administer;
SELECT cnap_can_access('abcdefab-0000-4000-8000-00000000000b'::uuid, :'w4');

-- user ids are case-sensitive, and compared by their bytes
SELECT cnap_can_access('Carol', :'w1') AS other_case, cnap_can_access('carol ', :'w1') AS blank_after,
	cnap_can_access('caro', :'w1') AS prefix, cnap_can_access('carol%', :'w1') AS pattern,
	cnap_can_access(E'car\u006fl', :'w1') AS the_same;
-- a capped manager's own direct role is not capped
SELECT cnap_workspace_role('mia', :'w2') AS mia, cnap_workspace_role('ann', :'w2') AS ann;

-- ---- null, and users and workspaces that do not exist ----

SELECT cnap_can_access(NULL::text, :'w1') AS no_user, cnap_can_access(NULL::uuid, :'w1') AS no_uuid,
	cnap_can_access('carol', NULL) AS no_workspace, cnap_can_access(NULL::uuid) AS nothing;
SELECT cnap_has_permission(NULL::text, :'w1', 'access') AS no_user,
	cnap_has_permission(NULL::uuid, :'w1', 'access') AS no_uuid,
	cnap_has_permission('carol', NULL, 'access') AS no_workspace,
	cnap_has_permission('carol', :'w1', NULL) AS no_permission,
	cnap_has_permission(NULL, NULL) AS nothing,
	cnap_has_permission(NULL::text, NULL, NULL) AS nothing_of_three;
SELECT cnap_workspace_role(NULL) AS nothing, cnap_workspace_role(NULL, :'w1') AS no_user,
	cnap_workspace_role('carol', NULL) AS no_workspace, cnap_workspace_role('carol', :'unknown') AS unknown;
SELECT cnap_accessible_workspaces(NULL), cnap_accessible_workspaces(''), cnap_accessible_workspaces('nobody'),
	cnap_accessible_workspaces();
SELECT cnap_can_access('', :'w1') AS empty, cnap_can_access(' ', :'w1') AS blank,
	cnap_can_access(repeat('x', 256), :'w1') AS long, cnap_can_access('carol', :'unknown') AS unknown;
-- no current user
SELECT cnap_current_user(), cnap_can_access(:'w1'), cnap_has_permission(:'w1', 'access'), cnap_workspace_role(:'w1');

-- ---- explanations ----

SELECT person, workspace, path, role, granted, until, reason
FROM everybody, cnap_explain_access(person, id)
WHERE (person, workspace) IN (('carol', 'w1'), ('mia', 'w2'), ('ann', 'w2'), ('ann', 'w3'), ('bea', 'w1'), ('hal', 'w4'));
SELECT * FROM cnap_explain_access('carol', :'unknown');
-- granted agrees with the check
SELECT person, workspace FROM everybody
WHERE cnap_can_access(person, id) <> (SELECT bool_or(granted) FROM cnap_explain_access(person, id));
\set VERBOSITY sqlstate
SELECT * FROM cnap_explain_access(NULL, :'w1');
SELECT * FROM cnap_explain_access('carol', NULL);
SELECT * FROM cnap_explain_access('', :'w1');

-- ---- who can ask ----

RESET ROLE;
SET ROLE regress_cnap_plain;
SELECT cnap_can_access('carol', :'w1');
SELECT cnap_can_access('abcdefab-0000-4000-8000-00000000000a'::uuid, :'w1');
SELECT cnap_has_permission('carol', :'w1', 'access');
SELECT cnap_has_permission('abcdefab-0000-4000-8000-00000000000a'::uuid, :'w1', 'access');
SELECT cnap_workspace_role('carol', :'w1');
SELECT cnap_accessible_workspaces('carol');
SELECT * FROM cnap_explain_access('carol', :'w1');
SELECT cnap_current_user(), cnap_can_access(:'w1'), cnap_has_permission(:'w1', 'access'),
	cnap_workspace_role(:'w1'), cnap_accessible_workspaces();
RESET ROLE;
\set VERBOSITY default

-- ---- a transaction sees its own changes ----

SET ROLE regress_cnap_app;
BEGIN;
SET LOCAL cnap.user_id = 'frank';
SELECT cnap_can_access('bea', :'w4') AS before;
SELECT FROM cnap_grant_management(:'w4', :'beta');
SELECT cnap_can_access('bea', :'w4') AS granted;
SAVEPOINT revoked;
SELECT FROM cnap_revoke_management(:'w4');
SELECT cnap_can_access('bea', :'w4') AS revoked;
ROLLBACK TO revoked;
SELECT cnap_can_access('bea', :'w4') AS granted_again;
SAVEPOINT added;
SELECT FROM cnap_add_workspace_member(:'w4', 'bea', 'admin');
SELECT cnap_workspace_role('bea', :'w4') AS direct_role;
SELECT FROM cnap_revoke_management(:'w4');
SELECT cnap_can_access('bea', :'w4') AS still_by_the_other_way;
ROLLBACK TO added;
SELECT count(*) FROM cnap_workspace_members(:'w4') WHERE user_id = 'bea';
ROLLBACK;
SELECT cnap_can_access('bea', :'w4') AS after_rollback;

-- an error rolls back as well
BEGIN;
SET LOCAL cnap.user_id = 'frank';
SELECT FROM cnap_add_workspace_member(:'w4', 'ivan');
SELECT cnap_can_access('ivan', :'w4') AS before_error;
SELECT 1 / 0;
ROLLBACK;
SELECT cnap_can_access('ivan', :'w4') AS after_error;

-- also within a PL/pgSQL block with its savepoint
DO $$
BEGIN
	SET LOCAL cnap.user_id = 'frank';
	BEGIN
		PERFORM cnap_add_workspace_member('00000000-0000-4000-8000-000000000004', 'ivan');
		RAISE NOTICE 'inside: %', cnap_can_access('ivan', '00000000-0000-4000-8000-000000000004');
		RAISE division_by_zero;
	EXCEPTION WHEN division_by_zero THEN
		RAISE NOTICE 'after: %', cnap_can_access('ivan', '00000000-0000-4000-8000-000000000004');
	END;
END $$;

-- each statement of a transaction uses the current data, in every isolation level
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL cnap.user_id = 'frank';
SELECT cnap_can_access('hal', :'w4') AS member;
SELECT FROM cnap_remove_workspace_member(:'w4', 'hal');
SELECT cnap_can_access('hal', :'w4') AS removed;
COMMIT;
SELECT cnap_can_access('hal', :'w4') AS removed;

-- ---- if one way ends, the others remain ----

BEGIN;
SET LOCAL cnap.user_id = 'dave';
SELECT cnap_workspace_role('mia', :'w2') AS both_ways;
SELECT FROM cnap_set_workspace_role(:'w2', 'mia', 'member');
SELECT FROM cnap_revoke_management(:'w2');
SELECT cnap_workspace_role('mia', :'w2') AS direct_way, cnap_can_access('ann', :'w2') AS colleague;
SELECT FROM cnap_grant_management(:'w2', :'acme');
SELECT FROM cnap_remove_workspace_member(:'w2', 'mia');
SELECT cnap_workspace_role('mia', :'w2') AS managing_way;
SET LOCAL cnap.user_id = 'mia';
SELECT FROM cnap_leave_organization(:'acme');
SELECT cnap_can_access('mia', :'w2') AS no_way, cnap_can_access('mia', :'w1') AS nor_elsewhere;
ROLLBACK;

-- a user who joins later has access at once
BEGIN;
SET LOCAL cnap.user_id = 'adam';
SELECT FROM cnap_add_organization_member(:'acme', 'newcomer');
SELECT cnap_workspace_role('newcomer', :'w1') AS w1, cnap_workspace_role('newcomer', :'w2') AS w2,
	cnap_workspace_role('newcomer', :'w3') AS w3;
ROLLBACK;

-- when managed_until has passed the managers lose access, and they regain it when that is extended
RESET ROLE;
BEGIN;
UPDATE cnap.workspace SET managed_until = clock_timestamp() + interval '1 second' WHERE id = :'w1';
SELECT cnap_can_access('ann', :'w1') AS now;
SELECT FROM pg_sleep(1.1);
SELECT cnap_can_access('ann', :'w1') AS at_its_end, cnap_can_access('gus', :'w1') AS direct;
UPDATE cnap.workspace SET managed_until = 'infinity' WHERE id = :'w1';
SELECT cnap_can_access('ann', :'w1') AS without_end;
UPDATE cnap.workspace SET managed_until = '-infinity' WHERE id = :'w1';
SELECT cnap_can_access('ann', :'w1') AS long_past;
ROLLBACK;

-- more workspaces than are loaded at once, or fit into the cache
BEGIN;
INSERT INTO cnap.organization (id, name) VALUES ('00000000-0000-4000-8000-0000000000d1', 'Many');
INSERT INTO cnap.organization_member (organization_id, user_id) VALUES ('00000000-0000-4000-8000-0000000000d1', 'manny');
INSERT INTO cnap.workspace (name, owner_id, managed_by)
SELECT n, 'customer', '00000000-0000-4000-8000-0000000000d1' FROM generate_series(1, 3000) n;
SELECT count(*) FILTER (WHERE cnap_can_access('manny', id)) FROM cnap.workspace WHERE owner_id = 'customer';
SELECT cardinality(cnap_accessible_workspaces('manny'));
SET LOCAL cnap.cache_size = 64;
SELECT count(*) FILTER (WHERE cnap_can_access('manny', id)) FROM cnap.workspace WHERE owner_id = 'customer';
SELECT cardinality(cnap_accessible_workspaces('manny'));
SELECT id AS one FROM cnap.workspace WHERE owner_id = 'customer' AND name = '1' \gset
UPDATE cnap.workspace SET managed_until = clock_timestamp() + interval '1 second' WHERE id = :'one';
SELECT cnap_can_access('manny', :'one') \g /dev/null
SELECT FROM pg_sleep(1.1);
SELECT cnap_can_access('manny', :'one') AS at_its_end;
ROLLBACK;

-- After the cache was emptied, its memory still holds former decisions. With these two ids, and mia
-- as its first user, the second decision follows the first in a bucket, and has an equal tag.
BEGIN;
\set first '5c7cbda5-c927-473d-acb7-a063bb4904ab'
\set second '8ce1fb23-41b1-401b-bbce-1b6ccd653297'
INSERT INTO cnap.workspace (id, name, owner_id) VALUES (:'first', 'first', 'carol'), (:'second', 'second', 'carol');
INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES (:'first', 'mia'), (:'second', 'mia');
SET LOCAL cnap.cache_size = '1MB';
SELECT cnap_can_access('mia', id) FROM unnest(ARRAY[:'first', :'second']::uuid[]) id;
DELETE FROM cnap.workspace_member WHERE workspace_id = :'second';
SET LOCAL cnap.cache_size = '2MB';
SELECT cnap_can_access('mia', id) FROM unnest(ARRAY[:'first', :'second']::uuid[]) id;
ROLLBACK;

-- the check depends neither on usable indexes nor on planner settings
BEGIN;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_seqscan = off;
DROP INDEX cnap.workspace_owner_id_idx, cnap.workspace_managed_by_idx;
SELECT cnap_accessible_workspaces('carol') = ARRAY[:'w1'::uuid] AS owner,
	cnap_accessible_workspaces('ann') = ARRAY[:'w1', :'w2']::uuid[] AS manager;
ROLLBACK;

-- nor on rows that VACUUM has not removed
DELETE FROM cnap.workspace_member WHERE workspace_id = :'w1' AND user_id = 'hal';
SELECT cnap_can_access('hal', :'w1');
INSERT INTO cnap.workspace_member (workspace_id, user_id) VALUES (:'w1', 'hal');
SELECT cnap_can_access('hal', :'w1');
VACUUM cnap.workspace_member;
REINDEX TABLE CONCURRENTLY cnap.workspace_member;
SELECT cnap_can_access('hal', :'w1'), cnap_can_access('hal', :'w2');

-- in parallel workers
CREATE TABLE many AS
SELECT (ARRAY[:'w1', :'w2', :'w3', :'w4']::uuid[])[1 + n % 4] AS workspace_id FROM generate_series(1, 4000) n;
GRANT SELECT ON many TO regress_cnap_app;
ALTER TABLE many SET (parallel_workers = 2);
SET ROLE regress_cnap_app;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET cnap.user_id = 'ann';
SELECT count(*) FROM many WHERE cnap_can_access(workspace_id);
BEGIN;
SELECT FROM cnap_revoke_management(:'w1');
SELECT count(*) FROM many WHERE cnap_can_access(workspace_id);
ROLLBACK;
SELECT count(*) FROM many WHERE cnap_can_access(workspace_id);
EXPLAIN (COSTS OFF) SELECT count(*) FROM many WHERE cnap_can_access(workspace_id);
RESET ROLE;
DROP TABLE many;

\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
