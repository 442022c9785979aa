-- discard: the same answers while PostgreSQL discards its caches at every opportunity
--
-- Only a server configured with --enable-cassert can do that. There, what is looked up in the
-- catalogs has gone again by the next lookup, and another lookup of the same may free it.
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model
SET client_min_messages = warning;
CREATE TABLE project (id int PRIMARY KEY, workspace_id uuid NOT NULL REFERENCES cnap.workspace);
CREATE TABLE task (id int PRIMARY KEY, project_id int REFERENCES project, workspace_id uuid);
SELECT FROM cnap_protect('project');
SELECT FROM cnap_protect_child('task', 'project_id', 'workspace_id');
GRANT SELECT, INSERT ON project, task TO regress_cnap_app;
INSERT INTO project VALUES (1, :'w1'), (4, :'w4');

SELECT count(set_config(name, least(max_val::int, 1)::text, false))
FROM pg_settings WHERE name = 'debug_discard_caches';
SET ROLE regress_cnap_app;

-- the check, by each way in and in each form
SELECT cnap_can_access(:'unknown', :'w1') AS nobody, cnap_can_access('carol', :'w1') AS owner,
	cnap_can_access('gus', :'w1') AS direct, cnap_can_access('mia', :'w1') AS managing,
	cnap_can_access('hal', :'w2') AS elsewhere;
SET cnap.user_id = 'mia';
SELECT cnap_can_access(:'w1'), cnap_has_permission(:'w1', 'administer') AS administer,
	cnap_has_permission(:'w1', 'billing') AS billing, cnap_workspace_role(:'w2') AS role,
	cardinality(cnap_accessible_workspaces()) AS workspaces;
SELECT path, role, granted FROM cnap_explain_access('mia', :'w2') ORDER BY path;

-- so often that the whole set is loaded
SELECT workspace, count(*)
FROM generate_series(1, 10), unnest(ARRAY[:'w1', :'w2', :'w3', :'w4']::uuid[]) workspace
WHERE cnap_can_access('mia', workspace)
GROUP BY workspace
ORDER BY workspace;

-- policies, and the column that follows the parent's
INSERT INTO task (id, project_id) VALUES (1, 1), (2, 1);
INSERT INTO task (id, project_id) VALUES (3, 4);
SELECT id, workspace_id = :'w1' AS is_w1 FROM task ORDER BY id;

-- changes, seen at once
SET cnap.user_id = 'carol';
SELECT FROM cnap_add_workspace_member(:'w1', 'nina');
SELECT cnap_can_access('nina', :'w1');
SELECT FROM cnap_revoke_management(:'w1');
SELECT cnap_can_access('nina', :'w1'), cnap_can_access('mia', :'w1');
RESET ROLE;

DROP EXTENSION cnap_org CASCADE;
RESET debug_discard_caches;
SELECT FROM cnap_unprotect('task');
SELECT FROM cnap_unprotect('project');
DROP TABLE task, project;
RESET client_min_messages;

\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
