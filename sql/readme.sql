-- readme.sql: the first session of README.md
--
-- The text between the two lines of equals signs is the README's, except for the prefix of test
-- roles; test/tap/readme.pl compares the two, and the output.
\set former_database :DBNAME
CREATE DATABASE regression_cnap_readme;
\connect regression_cnap_readme
-- ==========================================================================================
CREATE EXTENSION cnap_org;

CREATE TABLE deployment (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE,
    version      text NOT NULL
);
CREATE INDEX ON deployment (workspace_id);
SELECT cnap_protect('deployment', write_permission => 'administer');

CREATE ROLE regress_app_server LOGIN;
GRANT SELECT, INSERT, UPDATE, DELETE ON deployment TO regress_app_server;
SELECT cnap_trust('regress_app_server');

SET ROLE regress_app_server;

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT cnap_create_workspace('Globex') AS globex \gset
SELECT cnap_add_workspace_member(:'globex', 'otto');
INSERT INTO deployment (workspace_id, version) VALUES (:'globex', '1.0'), (:'globex', '1.1');
SELECT user_id, role, via FROM cnap_workspace_members(:'globex');
COMMIT;

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT cnap_create_organization('Acme', slug => 'acme') AS acme \gset
SELECT cnap_add_organization_member(:'acme', 'ben');
COMMIT;

BEGIN;
SET LOCAL cnap.user_id = 'ben';
SELECT id, version FROM deployment;
COMMIT;

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT cnap_grant_management(:'globex', :'acme');
COMMIT;

BEGIN;
SET LOCAL cnap.user_id = 'ben';
UPDATE deployment SET version = '1.2' WHERE version = '1.1';
SELECT d.id, w.name, w.section, w.role, d.version
FROM cnap_workspaces() w JOIN deployment d ON d.workspace_id = w.id ORDER BY d.id;
COMMIT;

SELECT path, role, granted FROM cnap_explain_access('ben', :'globex');

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT cnap_revoke_management(:'globex');
COMMIT;

SELECT cnap_can_access('ben', :'globex') AS ben, cnap_can_access('otto', :'globex') AS otto;

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT actor, action, subject, path FROM cnap_workspace_audit(:'globex');
COMMIT;

RESET ROLE;
-- ==========================================================================================
SELECT cnap_distrust('regress_app_server');
\connect :former_database
DROP DATABASE regression_cnap_readme;
DROP ROLE regress_app_server;
