-- memberships: what the cache knows of a user whose set of workspaces is too large to be loaded
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model

-- the queries are many and small
SET jit = off;

CREATE SCHEMA test;
-- The planner does not know who is in this table, so loads nothing.
CREATE TABLE test.person AS SELECT 'mia' AS user_id;
ANALYZE test.person;
CREATE FUNCTION test.place(n integer) RETURNS uuid LANGUAGE sql
RETURN format('00000000-0000-4000-8000-0000000010%s', lpad(n::text, 2, '0'))::uuid;

-- ninety-nine more workspaces that acme manages; mia is a member of acme, and of two of them
INSERT INTO cnap.workspace (id, name, owner_id, managed_by)
SELECT test.place(n), 'place ' || n, 'carol', :'acme' FROM generate_series(1, 99) n;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
VALUES (test.place(91), 'mia', 'admin'), (test.place(92), 'mia', 'member');

-- What the cache says, and what is read anew, about those of the workspaces that have not been
-- asked about yet
CREATE FUNCTION test.disagreements(first integer, last integer, OUT checked bigint, OUT differ bigint)
LANGUAGE sql
BEGIN ATOMIC
	SELECT count(*), count(*) FILTER (WHERE cnap_workspace_role(p.user_id, test.place(n)) IS DISTINCT FROM
		(SELECT role FROM cnap_explain_access(p.user_id, test.place(n)) e WHERE granted
			ORDER BY array_position('{owner,admin,member}', role) LIMIT 1))
	FROM test.person p, generate_series(first, last) n;
END;

-- The number of scans of the tables of members that this transaction has made
CREATE FUNCTION test.scans() RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
	SELECT sum(pg_stat_get_xact_numscans(i.indexrelid))
	FROM pg_index i WHERE i.indrelid IN ('cnap.organization_member'::regclass, 'cnap.workspace_member'::regclass);
END;

-- ---- after some checks, one row is read for each ----

BEGIN;
-- the number of scans depends on what the session has cached
SET LOCAL debug_discard_caches = 0;
SELECT count(*) AS accessible FROM test.person, generate_series(1, 10) n WHERE cnap_can_access(user_id, test.place(n));
SELECT loads, entries FROM cnap_cache_stats();
SELECT test.scans() AS before \gset
SELECT count(*) AS accessible FROM test.person, generate_series(11, 14) n WHERE cnap_can_access(user_id, test.place(n));
SELECT test.scans() - :before AS scans;
SELECT cnap_workspace_role(user_id, test.place(91)) AS direct,
	cnap_has_permission(user_id, test.place(91), 'manage_members') AS manages_members,
	cnap_workspace_role(user_id, test.place(11)) AS managed,
	cnap_has_permission(user_id, test.place(11), 'manage_members') AS manages_members
FROM test.person;
SELECT test.scans() - :before AS scans;
COMMIT;

-- ---- any change of a membership ends that ----

BEGIN;
DELETE FROM cnap.organization_member WHERE organization_id = :'acme' AND user_id = 'mia';
SELECT * FROM test.disagreements(1, 14);
SELECT n, cnap_can_access(user_id, test.place(n)) FROM test.person, unnest('{14,91}'::integer[]) n;
ROLLBACK;
SELECT * FROM test.disagreements(21, 34);
SELECT n, cnap_can_access(user_id, test.place(n)) FROM test.person, unnest('{14,34}'::integer[]) n;

BEGIN;
SAVEPOINT s;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role) VALUES (test.place(50), 'mia', 'admin');
SELECT * FROM test.disagreements(41, 50);
ROLLBACK TO s;
SELECT * FROM test.disagreements(50, 60);
SELECT cnap_has_permission(user_id, test.place(50), 'manage_members') FROM test.person;
COMMIT;

-- ---- random changes, also rolled back and committed ----

-- carried out one by one; before and after each, mia's roles are compared
CREATE PROCEDURE test.change_at_random(changes integer, INOUT differ bigint DEFAULT 0)
LANGUAGE plpgsql AS $$
DECLARE
	place uuid;
	vendor uuid;
	first integer;
BEGIN
	FOR i IN 1 .. changes LOOP
		place := test.place(10 + floor(random() * 90)::integer);
		vendor := format('00000000-0000-4000-8000-0000000000%s1', CASE WHEN random() < 0.7 THEN 'a' ELSE 'b' END);
		first := 10 + floor(random() * 80)::integer;
		BEGIN
			CASE floor(random() * 8)
				WHEN 0 THEN
					DELETE FROM cnap.organization_member WHERE organization_id = vendor AND user_id = 'mia';
				WHEN 1, 2 THEN
					INSERT INTO cnap.organization_member (organization_id, user_id)
					VALUES (vendor, 'mia') ON CONFLICT DO NOTHING;
				WHEN 3 THEN
					INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
					VALUES (place, 'mia', 'admin') ON CONFLICT DO NOTHING;
				WHEN 4 THEN
					DELETE FROM cnap.workspace_member WHERE workspace_id = place AND user_id = 'mia';
				WHEN 5 THEN
					UPDATE cnap.workspace SET managed_by = NULL WHERE id = place;
				WHEN 6 THEN
					UPDATE cnap.workspace SET managed_by = vendor WHERE managed_by IS NULL;
				ELSE
					UPDATE cnap.workspace SET owner_id = CASE owner_id WHEN 'mia' THEN 'carol' ELSE 'mia' END
					WHERE id = place;
			END CASE;
			differ := differ + (test.disagreements(1, 9)).differ + (test.disagreements(first, first + 9)).differ;
			IF random() < 0.3 THEN
				RAISE SQLSTATE 'UNDO0';
			END IF;
		EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
			NULL;
		END;
		differ := differ + (test.disagreements(1, 9)).differ + (test.disagreements(first, first + 9)).differ;
		IF random() < 0.5 THEN
			COMMIT;
		END IF;
	END LOOP;
END
$$;
SELECT setseed(0.5);
CALL test.change_at_random(300);
DELETE FROM cnap.workspace_member WHERE user_id = 'mia';
UPDATE cnap.workspace SET owner_id = 'carol', managed_by = NULL;
UPDATE cnap.workspace SET managed_by = :'acme';
INSERT INTO cnap.organization_member (organization_id, user_id) VALUES (:'acme', 'mia') ON CONFLICT DO NOTHING;

-- ---- and they are not used for a workspace that was changed after they had been read ----

-- A transaction that ends a membership and moves a workspace is visible before its messages
-- arrive. Here they never do.
ALTER TABLE cnap.organization_member DISABLE TRIGGER signal_row;
ALTER TABLE cnap.workspace DISABLE TRIGGER signal_update;
UPDATE cnap.workspace SET managed_by = NULL WHERE id = test.place(70);
SELECT * FROM test.disagreements(61, 69);
BEGIN;
DELETE FROM cnap.organization_member WHERE organization_id = :'acme' AND user_id = 'mia';
UPDATE cnap.workspace SET managed_by = :'acme' WHERE id = test.place(70);
COMMIT;
SELECT cnap_can_access(user_id, test.place(70)) FROM test.person;
ALTER TABLE cnap.organization_member ENABLE ALWAYS TRIGGER signal_row;
ALTER TABLE cnap.workspace ENABLE ALWAYS TRIGGER signal_update;

SET client_min_messages = warning;
DROP SCHEMA test CASCADE;
RESET client_min_messages;

\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
