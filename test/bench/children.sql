-- children.sql: tables that reach their workspace through a parent
--
-- A note belongs to one of 100 thousand folders, at random, and there are as many notes as the
-- application's table has rows, but no more than a million. Each folder has the workspace of the
-- item with its number, so a user sees the same fraction of the notes as of the items. There are
-- three copies of the notes: with a workspace column of their own ("own"), with one that follows
-- the folder's ("column"), and protected by policies that search the folder ("policy").
--
-- Variable: rows.

DROP TABLE IF EXISTS app.note_own, app.note_column, app.note_policy, app.folder;

CREATE TABLE app.folder AS
SELECT id, workspace_id FROM app.item WHERE id <= 100000;
ALTER TABLE app.folder ADD PRIMARY KEY (id), ALTER workspace_id SET NOT NULL;
CREATE INDEX ON app.folder (workspace_id);

CREATE TABLE app.note_policy AS
SELECT n.id, 1 + bench.pick(n.id, 11, f.folders) AS folder_id, n.created_at, n.title
FROM app.item n, (SELECT count(*) AS folders FROM app.folder) f
WHERE n.id <= 1000000
ORDER BY n.id;
CREATE TABLE app.note_column AS SELECT * FROM app.note_policy ORDER BY id;
CREATE TABLE app.note_own AS
SELECT n.*, f.workspace_id FROM app.note_policy n JOIN app.folder f ON f.id = n.folder_id ORDER BY n.id;
SELECT format('ALTER TABLE app.note_%s ADD PRIMARY KEY (id), ALTER folder_id SET NOT NULL,
	ADD FOREIGN KEY (folder_id) REFERENCES app.folder', variant)
FROM unnest('{own,column,policy}'::text[]) variant \gexec
CREATE INDEX ON app.note_policy (folder_id);
CREATE INDEX ON app.note_own (workspace_id);

SELECT cnap_protect('app.folder'), cnap_protect('app.note_own');
SELECT cnap_protect_child('app.note_policy', 'folder_id');
SELECT cnap_protect_child('app.note_column', 'folder_id', 'workspace_id');
CREATE INDEX ON app.note_column (workspace_id);
CREATE INDEX ON app.note_column (folder_id);
-- remove the dead tuples of the UPDATE
VACUUM (FULL) app.note_column;
VACUUM (ANALYZE) app.folder, app.note_own, app.note_column, app.note_policy;
CHECKPOINT;
