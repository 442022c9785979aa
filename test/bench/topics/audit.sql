-- audit.sql: an audit log of a million entries, at scale XL of ten million
--
-- A tenth of the entries belong to the workspace "audited-large", 100 to "audited-small", the rest to
-- others at random. The entries were written in the order of time.
-- Variables: workspaces, huge.

\if :huge
	\set entries 10000000
\else
	\set entries 1000000
\endif

SET session_replication_role = replica;
INSERT INTO cnap.workspace (id, name, owner_id, created_at)
SELECT md5('audited-' || kind)::uuid, 'audited', 'auditor', '2024-01-01'
FROM unnest('{small,large}'::text[]) kind;
ALTER TABLE cnap.audit_log DISABLE TRIGGER ALL;
INSERT INTO cnap.audit_log (occurred_at, actor, database_role, action, workspace_id, subject, path, detail, xid)
SELECT now() - (:entries - n) * interval '1 second', bench.user_id(bench.pick(n, 16, 10000)), 'app', 'workspace.add_member',
	CASE WHEN n % 10 = 0 THEN md5('audited-large')::uuid WHEN n % (:entries / 100) = 1 THEN md5('audited-small')::uuid
		ELSE bench.workspace(1 + bench.pick(n, 17, :workspaces)) END,
	bench.user_id(bench.pick(n, 18, 10000)), 'member', '{"role": "member"}', '1'
FROM generate_series(1, :entries) n;
ALTER TABLE cnap.audit_log ENABLE TRIGGER ALL;
RESET session_replication_role;

VACUUM (ANALYZE) cnap.audit_log, cnap.workspace;
CHECKPOINT;
