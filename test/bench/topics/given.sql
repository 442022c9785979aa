-- given.sql: vendors to which strangers give workspaces
--
-- Each of three vendors has 50 customers, and a manager "given-N". Strangers have given N workspaces to
-- each, which have no rows. Each manager sees 500 of a million rows, evenly spread.
-- Variables: rows, workspaces.

DROP TABLE IF EXISTS app.given;
DELETE FROM bench.granted WHERE user_id LIKE 'given-%';
SET session_replication_role = replica;
DELETE FROM cnap.workspace WHERE name = 'given';
DELETE FROM cnap.organization_member WHERE user_id LIKE 'given-%';
DELETE FROM cnap.organization WHERE name = 'given';

INSERT INTO cnap.organization (id, name, created_at)
SELECT md5('given-' || n)::uuid, 'given', '2024-01-01' FROM unnest('{0,5000,20000}'::int[]) n;
INSERT INTO cnap.organization_member (organization_id, user_id, role, created_at)
SELECT md5('given-' || n)::uuid, 'given-' || n, 'member', '2024-01-01' FROM unnest('{0,5000,20000}'::int[]) n;
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since,
	managed_access, management_id, created_at)
SELECT md5('given ' || n || ' ' || w)::uuid, 'given', 'stranger-' || w % 100, md5('given-' || n)::uuid, 'admin',
	'2024-01-01', 'all', gen_random_uuid(), '2024-01-01'
FROM unnest('{0,5000,20000}'::int[]) n, generate_series(1, 50 + n) w;
RESET session_replication_role;

INSERT INTO bench.granted
SELECT 'given-' || n, array_agg(md5('given ' || n || ' ' || w)::uuid)
FROM unnest('{0,5000,20000}'::int[]) n, generate_series(1, 50 + n) w
GROUP BY n;

CREATE TABLE app.given AS
SELECT id, CASE
		WHEN id % 2000 < 3 THEN md5('given ' || (ARRAY[0, 5000, 20000])[1 + id % 2000] || ' '
			|| 1 + bench.pick(id, 13, 50))::uuid
		ELSE bench.workspace(12141 + bench.pick(id, 5, least(:workspaces, 1000000) - 12140))
	END AS workspace_id, timestamptz '2024-01-01 00:00+00' + id * interval '1 second' AS created_at,
	'title ' || id AS title
FROM generate_series(1, :rows) id;
ALTER TABLE app.given ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL;
CREATE INDEX ON app.given (workspace_id);
SELECT cnap_protect('app.given');

VACUUM (ANALYZE) app.given, cnap.organization_member, cnap.workspace;
