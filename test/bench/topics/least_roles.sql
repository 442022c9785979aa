-- least_roles.sql: the greatest number of permissions, and 200 roles, which members and managers have

SELECT cnap_define_role('role_' || n, '{administer}') FROM generate_series(1, 200) n;
SELECT cnap_define_permission('permission_' || n, (
	SELECT array_agg('role_' || r) FROM generate_series(1, 200) r WHERE (r + n) % 3 = 0))
FROM generate_series(1, 56) n;

SET session_replication_role = replica;
UPDATE cnap.workspace_member SET role = 'role_' || 1 + abs(hashtext(workspace_id::text || user_id) % 200);
UPDATE cnap.workspace SET managed_role = 'role_' || 1 + abs(hashtext(id::text) % 200)
WHERE managed_by IS NOT NULL;
RESET session_replication_role;

VACUUM (FULL, ANALYZE) cnap.workspace_member;
VACUUM (FULL, ANALYZE) cnap.workspace;
CHECKPOINT;
