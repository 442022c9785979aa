-- load.sql: creates the extension anew, with a copy of the access data

SELECT 'SELECT count(*) FROM cnap_unprotect_schema(''app'', true)'
FROM pg_proc WHERE proname = 'cnap_unprotect_schema' \gexec
DROP EXTENSION IF EXISTS cnap_org CASCADE;
CREATE EXTENSION cnap_org;

-- The rows come in the order of the primary keys; the other indexes are faster to make at the end.
CREATE TEMP TABLE secondary AS
SELECT indexrelid::regclass::text AS index, pg_get_indexdef(indexrelid) AS definition
FROM pg_index
WHERE indrelid IN ('cnap.organization_member'::regclass, 'cnap.workspace'::regclass,
		'cnap.workspace_member'::regclass, 'cnap.assignment'::regclass)
	AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid);
SELECT 'DROP INDEX ' || index FROM secondary \gexec

-- like a restore or a replica, without row triggers
SET session_replication_role = replica;
INSERT INTO cnap.organization (id, name, created_at)
SELECT id, 'Organization', '2024-01-01' FROM alt.organization;
INSERT INTO cnap.organization_member (organization_id, user_id, role, created_at)
SELECT organization_id, user_id,
	CASE user_id WHEN 'owner' THEN 'owner' ELSE 'member' END, '2024-01-01'
FROM alt.organization_member;
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_role, managed_since,
	managed_access, managed_activation, management_id, managed_until, created_at)
SELECT id, 'Workspace', owner_id, managed_by,
	CASE WHEN managed_by IS NOT NULL THEN 'admin' END,
	CASE WHEN managed_by IS NOT NULL THEN timestamptz '2024-01-01' END,
	managers,
	CASE WHEN managers = 'activated' THEN interval '8 hours' END,
	CASE WHEN managed_by IS NOT NULL THEN gen_random_uuid() END,
	managed_until, '2024-01-01'
FROM alt.workspace, LATERAL (
	SELECT CASE WHEN managed_by IS NULL THEN NULL
		WHEN :'managers' = 'mixed' AND hashtext(id::text) % 4 = 0 THEN 'assigned'
		WHEN :'managers' = 'mixed' AND abs(hashtext(id::text) % 4) = 2 THEN 'activated'
		ELSE 'all' END
	) m (managers);
-- all members are let in, so that the answers are the same
INSERT INTO cnap.assignment (workspace_id, user_id, until, reason, created_at, management_id, membership_id)
SELECT w.id, m.user_id, CASE w.managed_access WHEN 'activated' THEN timestamptz '2099-01-01' END,
	CASE w.managed_access WHEN 'activated' THEN 'ticket' END, '2024-01-01', w.management_id, m.membership_id
FROM cnap.workspace w JOIN cnap.organization_member m ON m.organization_id = w.managed_by
WHERE w.managed_access <> 'all'
ORDER BY w.id, m.user_id;
INSERT INTO cnap.workspace_member (workspace_id, user_id, role, created_at)
SELECT workspace_id, user_id, 'member', '2024-01-01'
FROM alt.workspace_member;
RESET session_replication_role;
SELECT definition FROM secondary \gexec

SELECT cnap_trust('bench_app');

VACUUM (ANALYZE);
CHECKPOINT;
