-- growth.sql: organizations, sets of workspaces and tables of ten to a million
--
-- An organization of N members manages one workspace; "owner-N" owns N workspaces. Each table of N rows has the
-- same fifty rows of "reader" at its end.

DROP SCHEMA IF EXISTS growth CASCADE;
CREATE SCHEMA growth;
GRANT USAGE ON SCHEMA growth TO bench_app;
SET session_replication_role = replica;
DELETE FROM cnap.workspace WHERE name = 'growth';
DELETE FROM cnap.organization_member WHERE user_id LIKE 'growth-%';
DELETE FROM cnap.organization WHERE name = 'growth';

CREATE TABLE growth.size AS SELECT power(10, p)::int AS n FROM generate_series(1, 6) p;
INSERT INTO cnap.organization (id, name, created_at)
SELECT md5('growth ' || n)::uuid, 'growth', '2024-01-01' FROM growth.size;
INSERT INTO cnap.organization_member (organization_id, user_id, role, created_at)
SELECT md5('growth ' || n)::uuid, 'growth-' || m, CASE m WHEN 1 THEN 'owner' ELSE 'member' END, timestamptz '2024-01-01'
FROM growth.size, generate_series(1, n) m
ORDER BY 1, 2;
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since, managed_access, management_id,
	created_at)
SELECT md5('managed ' || n)::uuid, 'growth', 'nobody', md5('growth ' || n)::uuid, 'admin', '2024-01-01', 'all',
	gen_random_uuid(), timestamptz '2024-01-01'
FROM growth.size
ORDER BY 1;
INSERT INTO cnap.workspace (id, name, owner_id, created_at)
SELECT md5('owned ' || n || ' ' || w)::uuid, 'growth', 'owner-' || n, timestamptz '2024-01-01'
FROM growth.size, generate_series(1, n) w
UNION ALL
SELECT md5('read ' || w)::uuid, 'growth', 'reader', '2024-01-01' FROM generate_series(1, 7) w
ORDER BY 1;
RESET session_replication_role;

SELECT format('CREATE TABLE growth.rows_%s AS
	SELECT id, CASE WHEN id > %s - 50 THEN md5(''read '' || 1 + id %% 7)::uuid
		ELSE bench.workspace(12141 + id %% 5000) END AS workspace_id, ''title '' || id AS title
	FROM generate_series(1, %s) id;
	ALTER TABLE growth.rows_%s ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL;
	CREATE INDEX ON growth.rows_%s (workspace_id);
	GRANT SELECT ON growth.rows_%s TO bench_app;
	SELECT cnap_protect(''growth.rows_%s'');
	ANALYZE growth.rows_%s;', n, n, n, n, n, n, n, n)
FROM growth.size WHERE n >= 100 \gexec

VACUUM (ANALYZE) cnap.workspace, cnap.organization_member, cnap.organization;
CHECKPOINT;
