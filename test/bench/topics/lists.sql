-- lists.sql: who reaches what, ten thousand rows each, as functions and as joins written by hand
--
-- "listed" owns a workspace with ten thousand direct members, and an organization with as many; "big" has ten
-- thousand workspaces.

DROP TABLE IF EXISTS bench.listing;
SET session_replication_role = replica;
DELETE FROM cnap.organization_member WHERE organization_id = md5('listed')::uuid;
DELETE FROM cnap.workspace_member WHERE workspace_id = md5('listed')::uuid;
DELETE FROM cnap.organization WHERE id = md5('listed')::uuid;
DELETE FROM cnap.workspace WHERE id = md5('listed')::uuid;
INSERT INTO cnap.organization (id, name, created_at) VALUES (md5('listed')::uuid, 'listed', '2024-01-01');
INSERT INTO cnap.workspace (id, name, owner_id, created_at)
VALUES (md5('listed')::uuid, 'listed', 'listed', '2024-01-01');
INSERT INTO cnap.organization_member (organization_id, user_id, role, created_at)
SELECT md5('listed')::uuid, 'listed', 'owner', timestamptz '2024-01-01'
UNION ALL
SELECT md5('listed')::uuid, 'member-' || n, CASE WHEN n % 100 = 0 THEN 'admin' ELSE 'member' END, '2024-01-01'
FROM generate_series(1, 9999) n;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role, created_at)
SELECT md5('listed')::uuid, 'member-' || n, CASE WHEN n % 100 = 0 THEN 'admin' ELSE 'member' END, '2024-01-01'
FROM generate_series(1, 9999) n;
RESET session_replication_role;

CREATE TABLE bench.listing (name text PRIMARY KEY, user_id text NOT NULL, cnap text NOT NULL, hand text NOT NULL);
INSERT INTO bench.listing VALUES
	('workspaces', 'big', 'SELECT id, name, section, role, via, organization FROM cnap_workspaces()',
		$$SELECT w.id, w.name, CASE WHEN w.owner_id = 'big' THEN 'own' ELSE 'shared' END AS section, i.role, i.via, i.organization
		FROM (
			SELECT DISTINCT ON (id) id, role, via, organization
			FROM (
				SELECT id, 'owner' AS role, 'owner' AS via, NULL::uuid AS organization
				FROM cnap.workspace WHERE owner_id = 'big'
				UNION ALL
				SELECT workspace_id, role, 'member', NULL FROM cnap.workspace_member WHERE user_id = 'big'
				UNION ALL
				SELECT w.id, w.managed_role, 'organization', w.managed_by
				FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by
				WHERE m.user_id = 'big' AND (w.managed_until IS NULL OR w.managed_until > now())
			) ways
			ORDER BY id, CASE role WHEN 'owner' THEN 3 WHEN 'admin' THEN 2 ELSE 1 END DESC, via
		) i JOIN cnap.workspace w USING (id)
		ORDER BY section, w.name, w.id$$),
	('workspace_members', 'listed', $$SELECT * FROM cnap_workspace_members(md5('listed')::uuid)$$,
		$$SELECT user_id, role, via, organization, since, until, true
		FROM (
			SELECT owner_id AS user_id, 'owner' AS role, 'owner' AS via, NULL::uuid AS organization,
				created_at AS since, NULL::timestamptz AS until
			FROM cnap.workspace WHERE id = md5('listed')::uuid
			UNION ALL
			SELECT user_id, role, 'member', NULL, created_at, NULL
			FROM cnap.workspace_member WHERE workspace_id = md5('listed')::uuid
			UNION ALL
			SELECT m.user_id, w.managed_role, 'organization', w.managed_by,
				greatest(w.managed_since, m.created_at), w.managed_until
			FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by
			WHERE w.id = md5('listed')::uuid AND (w.managed_until IS NULL OR w.managed_until > now())
		) ways
		ORDER BY CASE role WHEN 'owner' THEN 3 WHEN 'admin' THEN 2 ELSE 1 END DESC, user_id, via$$),
	('organization_members', 'listed', $$SELECT * FROM cnap_organization_members(md5('listed')::uuid)$$,
		$$SELECT user_id, role, added_by, created_at
		FROM cnap.organization_member WHERE organization_id = md5('listed')::uuid
		ORDER BY CASE role WHEN 'owner' THEN 3 WHEN 'admin' THEN 2 ELSE 1 END DESC, user_id$$);

VACUUM (ANALYZE) cnap.organization_member, cnap.workspace_member, cnap.workspace, bench.listing;
