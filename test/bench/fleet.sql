--
-- fleet.sql: the access data of test/bench/fleet, at the origin
--
-- Users u1, u2, ...: each is a member of one organization, which has a hundred, and of one workspace, which has
-- ten. Half of the workspaces are managed.
--
CREATE SCHEMA bench;

CREATE FUNCTION bench.id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN md5(kind || n)::uuid;

-- Revoke, one by one, what d1, d2, ... have, and note when each COMMIT has returned.
CREATE TABLE bench.revoked (n int, at timestamptz);

CREATE PROCEDURE bench.revoke(count int, pause float8) LANGUAGE plpgsql
AS $$
BEGIN
	FOR i IN 1 .. count LOOP
		PERFORM pg_sleep(pause * (0.5 + random()));
		DELETE FROM cnap.workspace_member WHERE workspace_id = bench.id('workspace', 1) AND user_id = 'd' || i;
		COMMIT;
		INSERT INTO bench.revoked VALUES (i, clock_timestamp());
	END LOOP;
END
$$;

SET session_replication_role = replica;

INSERT INTO cnap.organization (id, name, created_by)
SELECT bench.id('organization', n), 'Organization ' || n, 'u' || 100 * n FROM generate_series(1, :users / 100) n;

INSERT INTO cnap.organization_member (organization_id, user_id, role)
SELECT bench.id('organization', (n + 99) / 100), 'u' || n, CASE n % 100 WHEN 0 THEN 'owner' ELSE 'member' END
FROM generate_series(1, :users) n;

INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since, managed_access, management_id)
SELECT bench.id('workspace', n), 'Workspace ' || n, 'o' || n,
	CASE WHEN n % 2 = 0 THEN bench.id('organization', (n + 9) / 10) END,
	CASE WHEN n % 2 = 0 THEN 'admin' END,
	CASE WHEN n % 2 = 0 THEN now() END,
	CASE WHEN n % 2 = 0 THEN 'all' END,
	CASE WHEN n % 2 = 0 THEN gen_random_uuid() END
FROM generate_series(1, :users / 10) n;

INSERT INTO cnap.workspace_member (workspace_id, user_id, role)
SELECT bench.id('workspace', (n + 9) / 10), 'u' || n, 'member' FROM generate_series(1, :users) n;

RESET session_replication_role;
VACUUM ANALYZE;
