-- lists.sql: who reaches what, ten thousand rows each, as functions and as joins written by hand
--
-- "listed" owns a workspace with ten thousand direct members, and an organization with as many members, which
-- manages ten thousand workspaces; "big" has ten thousand workspaces.

SET session_replication_role = replica;
DELETE FROM cnap.organization_member WHERE organization_id = md5('listed')::uuid;
DELETE FROM cnap.workspace_member WHERE workspace_id = md5('listed')::uuid;
DELETE FROM cnap.organization WHERE id = md5('listed')::uuid;
DELETE FROM cnap.workspace WHERE id = md5('listed')::uuid OR managed_by = md5('listed')::uuid;
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
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since, managed_access, management_id, created_at)
SELECT md5('listed ' || n)::uuid, 'Workspace ' || n, 'customer-' || n, md5('listed')::uuid, 'admin', '2024-01-01', 'all',
	gen_random_uuid(), '2024-01-01'
FROM generate_series(1, 10000) n;
RESET session_replication_role;

/*
 * One row for each list: the call of the function, to which arguments are added, and the join, to which a condition
 * and an order are.  The last two are those of the page in the middle, after the row number 5000.
 */
DROP TABLE IF EXISTS bench.listing;
CREATE TABLE bench.listing (name text PRIMARY KEY, user_id text NOT NULL, cnap text NOT NULL, hand text NOT NULL,
	sorted_by text NOT NULL, later_cnap text, later_hand text);
INSERT INTO bench.listing VALUES
	('workspaces', 'big', 'SELECT id, name, section, role, via, organization FROM cnap_workspaces(',
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
		) i JOIN cnap.workspace w USING (id)$$,
		'section, name, id'),
	('workspace_members', 'listed', $$SELECT * FROM cnap_workspace_members(md5('listed')::uuid, $$,
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
		) ways$$,
		'user_id, via'),
	('organization_members', 'listed', $$SELECT * FROM cnap_organization_members(md5('listed')::uuid, $$,
		$$SELECT user_id, role, added_by, created_at
		FROM cnap.organization_member WHERE organization_id = md5('listed')::uuid$$,
		'user_id'),
	('organization_workspaces', 'listed', $$SELECT * FROM cnap_organization_workspaces(md5('listed')::uuid, $$,
		$$SELECT id, name, owner_id, managed_role, managed_since, managed_until, managed_access, managed_activation, NULL::text[]
		FROM cnap.workspace
		WHERE managed_by = md5('listed')::uuid AND (managed_until IS NULL OR managed_until > now())$$,
		'name, id');
DO $$
DECLARE
	l bench.listing;
	key text;
BEGIN
	FOR l IN SELECT * FROM bench.listing LOOP
		-- a user's ways are on one page
		key := replace(l.sorted_by, ', via', '');
		EXECUTE format('SELECT %s, format(%L, %s) FROM (%s) l ORDER BY %s OFFSET 4999 LIMIT 1',
			substring(key, '\w+$'), '(' || key || ') > (' || regexp_replace(key, '\w+', '%L', 'g') || ')', key, l.hand, l.sorted_by)
			INTO l.later_cnap, l.later_hand;
		UPDATE bench.listing SET later_cnap = l.later_cnap, later_hand = l.later_hand WHERE name = l.name;
	END LOOP;
END
$$;

-- The query for the page at the beginning, a later one, or the whole
CREATE OR REPLACE FUNCTION bench.list_query(part text, list text, variant text) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT CASE variant
		WHEN 'cnap' THEN format('%s after => %L, max_rows => %s)', l.cnap,
			CASE part WHEN 'later' THEN l.later_cnap END, CASE part WHEN 'whole' THEN 'NULL' ELSE '50' END)
		ELSE format('SELECT * FROM (%s) l WHERE %s ORDER BY %s LIMIT %s', l.hand,
			CASE part WHEN 'later' THEN l.later_hand ELSE 'true' END, l.sorted_by, CASE part WHEN 'whole' THEN 'NULL' ELSE '50' END)
		END
	FROM bench.listing l
	WHERE l.name = list
$$;

VACUUM (ANALYZE) cnap.organization_member, cnap.workspace_member, cnap.workspace, bench.listing;
