-- demo.sql: the story of a vendor who runs software for its customers, played by test/demo.
-- What is expected to be refused stands between ON_ERROR_STOP off and on: any other error
-- ends the demo.

\echo
\echo '=== 1. An application, and its customers ==='
\echo
\echo 'A platform hosts the software of many companies. Each customer has a workspace. The'
\echo 'extension knows organizations, workspaces and who belongs to them; everything else is'
\echo 'the application''s own schema.'
\echo

CREATE EXTENSION cnap_org;

CREATE SCHEMA app;

CREATE TABLE app.project (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE,
    name         text NOT NULL,
    UNIQUE (workspace_id, id)
);

CREATE TABLE app.deployment (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE,
    project_id   bigint NOT NULL,
    version      text NOT NULL,
    status       text NOT NULL DEFAULT 'running',
    deployed_at  timestamptz NOT NULL,
    -- of the same workspace
    FOREIGN KEY (workspace_id, project_id) REFERENCES app.project (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX ON app.deployment (workspace_id);

CREATE TABLE app.log_line (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES cnap.workspace ON DELETE CASCADE,
    logged_at    timestamptz NOT NULL,
    level        text NOT NULL,
    message      text NOT NULL
);

\echo
\echo 'A superuser without a current user acts as the system, and creates workspaces for anybody.'
\echo 'A user is an id from the application''s identity provider. Gina owns the workspaces of Globex.'
\echo

SELECT cnap_create_workspace('Globex production', owner => 'gina') AS globex \gset
SELECT cnap_create_workspace('Globex staging', owner => 'gina') AS staging \gset
SELECT cnap_create_workspace('Initech', owner => 'ivan') AS initech \gset
\echo
\echo 'Globex production is' :globex
\echo 'Globex staging is   ' :staging
\echo 'Initech is          ' :initech
\echo
SELECT count(cnap_create_workspace('Customer ' || n, owner => 'customer-' || n)) AS created
FROM generate_series(1, 7) n;

INSERT INTO app.project (workspace_id, name)
SELECT w.id, p.name
FROM cnap.workspace w, unnest(ARRAY['shop', 'billing', 'reports']) AS p (name);

INSERT INTO app.deployment (workspace_id, project_id, version, deployed_at)
SELECT p.workspace_id, p.id, '1.' || n, now() - n * interval '1 day'
FROM app.project p, generate_series(1, 10) n;

INSERT INTO app.log_line (workspace_id, logged_at, level, message)
SELECT w.id, now() - n * interval '1 minute',
       CASE WHEN n % 50 = 0 THEN 'error' ELSE 'info' END, 'request ' || n || ' served'
FROM cnap.workspace w, generate_series(1, 500) n;

SELECT (SELECT count(*) FROM cnap.workspace) AS workspaces,
       (SELECT count(*) FROM app.project) AS projects,
       (SELECT count(*) FROM app.deployment) AS deployments,
       (SELECT count(*) FROM app.log_line) AS log_lines;

\echo
\echo '=== 2. One call protects a table ==='
\echo
\echo 'Reading requires access to the row''s workspace, and writing the permission named, here that'
\echo 'of running the workspace. A missing index is pointed out.'
\echo

SELECT cnap_protect('app.project', write_permission => 'administer');
SELECT cnap_protect('app.deployment', write_permission => 'administer');
SELECT cnap_protect('app.log_line');

CREATE INDEX CONCURRENTLY log_line_workspace_id_idx ON app.log_line (workspace_id);

SELECT * FROM cnap_protected_tables();

\echo
\echo 'The result is ordinary policies, among them restrictive ones, so that no policy added later'
\echo 'can open the table wider.'
\echo

SELECT cmd, permissive, qual, with_check
FROM pg_policies WHERE tablename = 'log_line' ORDER BY cmd, permissive;

\echo
\echo 'Views, functions, grants and roles can bypass policies. The linter finds what is open, and'
\echo 'says how to close it. Here, nothing is open.'
\echo

SELECT * FROM cnap_lint();

\echo
\echo '=== 3. The application server ==='
\echo
\echo 'It connects with an ordinary role. cnap_trust() lets that role state on whose behalf it'
\echo 'acts; SET LOCAL does so for one transaction, which suits connection poolers.'
\echo

CREATE ROLE app_server LOGIN;
GRANT USAGE ON SCHEMA app TO app_server;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA app TO app_server;
SELECT cnap_trust('app_server');

\echo
\echo '-- from here on connected as app_server'
\connect - app_server
\echo

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT cnap_current_user();
SELECT name, section, role FROM cnap_workspaces() ORDER BY name;
SELECT workspace_id, count(*) AS log_lines FROM app.log_line GROUP BY workspace_id;
COMMIT;

\echo
\echo 'With no current user there is nothing to see.'
\echo

SELECT cnap_current_user(), count(*) AS log_lines FROM app.log_line;

\echo
\echo '=== 4. The vendor: Acme, an organization with a team ==='
\echo
\echo 'Ann of Acme creates the organization and becomes its owner. Ben joins as a plain member.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT cnap_create_organization('Acme', slug => 'acme') AS acme \gset
\echo
\echo 'Acme is' :acme
\echo
SELECT cnap_add_organization_member(:'acme', 'ben');
SELECT user_id, role FROM cnap_organization_members(:'acme') ORDER BY user_id;
COMMIT;

\echo
\echo 'So far Acme manages nothing, and Ben sees no row.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ben';
SELECT count(*) AS log_lines FROM app.log_line;
COMMIT;

\echo
\echo '=== 5. The install link: Gina lets Acme manage her production workspace ==='
\echo
\echo 'Gina and Acme have never met. Ann creates a link for customers, by which Acme will manage'
\echo 'their workspaces for a year, and sends it to them. The database stores only its hash.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT cnap_create_install_link(:'acme', label => 'Spring mailing', max_uses => 100,
                                duration => '1 year') AS token \gset
COMMIT;
\echo
\echo 'The token is' :token

\echo
\echo 'Gina follows it, and sees who is asking, and for what. She consents.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT name, slug, role, until::date FROM cnap_install_link(:'token');
SELECT cnap_redeem_install_link(:'token', :'globex');
COMMIT;

\echo
\echo 'Ann sees that her link was used. She can revoke it, which does not affect Gina''s consent.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT id AS link FROM cnap_install_links(:'acme') \gset
SELECT label, uses, max_uses, role, duration FROM cnap_install_links(:'acme');
SELECT cnap_revoke_install_link(:'link');
COMMIT;

\set ON_ERROR_STOP off

BEGIN;
SET LOCAL cnap.user_id = 'ivan';
SELECT cnap_redeem_install_link(:'token', :'initech');
ROLLBACK;

\set ON_ERROR_STOP on

\echo
\echo 'From this moment Ben sees exactly the rows of that workspace, and none of any other.'
\echo 'The query does not mention workspaces: the policies do the work.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ben';
SELECT name, section, role, via, organization FROM cnap_workspaces();
SELECT workspace_id, workspace_id = :'globex' AS is_globex_production, count(*) AS log_lines
FROM app.log_line GROUP BY workspace_id;
SELECT level, message FROM app.log_line WHERE level = 'error' ORDER BY logged_at DESC LIMIT 3;
COMMIT;

\echo
\echo 'Dora joins Acme later. Nothing has to be shared with her; she simply has access.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT cnap_add_organization_member(:'acme', 'dora');
COMMIT;

BEGIN;
SET LOCAL cnap.user_id = 'dora';
SELECT count(*) AS log_lines FROM app.log_line;
UPDATE app.deployment SET status = 'restarted'
WHERE version = '1.1' RETURNING id, version, status;
SELECT cnap_update_workspace(:'globex', metadata => '{"region": "eu"}');
COMMIT;

\echo
\echo '=== 6. What a manager cannot do ==='
\echo
\echo 'A managing team runs the workspace, but cannot leave itself a back door: it cannot add'
\echo 'members, hand the workspace on, or delete it.'
\echo

\set ON_ERROR_STOP off

BEGIN;
SET LOCAL cnap.user_id = 'dora';
SELECT cnap_add_workspace_member(:'globex', 'dora');
ROLLBACK;

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT cnap_transfer_workspace(:'globex', 'ann');
ROLLBACK;

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT cnap_delete_workspace(:'globex');
ROLLBACK;

\echo
\echo 'As far as Dora can tell, a workspace to which she has no access does not exist, and she cannot'
\echo 'move a row into it.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'dora';
SELECT cnap_workspace_members(:'initech');
ROLLBACK;

BEGIN;
SET LOCAL cnap.user_id = 'dora';
UPDATE app.deployment SET workspace_id = :'initech' WHERE version = '1.1';
ROLLBACK;

\set ON_ERROR_STOP on

\echo
\echo 'Everybody with access to the workspace, as its owner sees it:'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT user_id, role, via FROM cnap_workspace_members(:'globex');
COMMIT;

\echo
\echo '=== 7. Somebody leaves Acme ==='
\echo
\echo 'Ben leaves, and loses his access everywhere. There is nothing to clean up.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ben';
SELECT count(*) AS log_lines_before FROM app.log_line;
SELECT cnap_leave_organization(:'acme');
SELECT count(*) AS log_lines_after FROM app.log_line;
COMMIT;

\echo
\echo 'Why does he have no access? The application''s role may ask about any user.'
\echo

SELECT cnap_can_access('ben', :'globex') AS ben, cnap_can_access('dora', :'globex') AS dora;
SELECT path, role, granted, reason FROM cnap_explain_access('ben', :'globex');
SELECT path, role, granted, reason FROM cnap_explain_access('dora', :'globex');

\echo
\echo '=== 8. The revocation: Gina ends the arrangement ==='
\echo
\echo 'First she checks who would lose access.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT user_id, role, loses_access FROM cnap_preview_revocation(:'globex');
SELECT cnap_revoke_management(:'globex');
COMMIT;

BEGIN;
SET LOCAL cnap.user_id = 'dora';
SELECT count(*) AS log_lines FROM app.log_line;
COMMIT;

\echo
\echo 'Nobody of Acme is left in the workspace, and all of Gina''s rows are still there.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT user_id, role, via FROM cnap_workspace_members(:'globex');
SELECT count(*) AS log_lines FROM app.log_line WHERE workspace_id = :'globex';
COMMIT;

\echo
\echo '=== 9. Who did what ==='
\echo
\echo 'Each change has left an entry in the audit log: who acted, with which database role, and'
\echo 'by which right.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'gina';
SELECT actor, database_role, action, path, detail FROM cnap_workspace_audit(:'globex');
COMMIT;

\echo
\echo 'Gina sees what Acme did in her workspace. Ann sees what happened in Acme.'
\echo

BEGIN;
SET LOCAL cnap.user_id = 'ann';
SELECT actor, action, subject, path FROM cnap_organization_audit(:'acme');
COMMIT;

\echo
\echo '=== 10. An identity cannot be forged ==='
\echo
\echo 'A role that is not trusted, such as that of a reporting tool, can neither become Gina nor ask'
\echo 'about anybody else, no matter which tables it may read.'
\echo

\connect - postgres
CREATE ROLE reporting LOGIN;
GRANT USAGE ON SCHEMA app TO reporting;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO reporting;

\echo
\echo '-- connected as reporting'
\connect - reporting
\echo

SELECT count(*) AS log_lines FROM app.log_line;

\set ON_ERROR_STOP off
SET cnap.user_id = 'gina';
SELECT cnap_can_access('gina', :'globex');
\set ON_ERROR_STOP on

\echo
\echo 'Such a role becomes a user only by an access token. The REST server in examples/rest connects as'
\echo 'such a role, and acts for whoever sends a request with a token.'
\echo

\connect - postgres
CREATE ROLE rest_server LOGIN;

\echo
\echo '=== What you have seen ==='
\echo
\echo '  1. Three tables, protected by one call each; the queries never mention who may see what.'
\echo '  2. The application server keeps one role, and says in each transaction who is asking.'
\echo '  3. No user, no rows: code that forgets to say who is asking sees nothing.'
\echo '  4. A customer consented to a vendor by a link, having seen who asks and for what.'
\echo '  5. The vendor''s whole team had access at once, later joiners included.'
\echo '  6. The team could run the workspace, but not add members, hand it on or delete it.'
\echo '  7. Who leaves the vendor loses access everywhere, also within the same transaction.'
\echo '  8. The customer ended the arrangement; nothing of the vendor is left in the workspace.'
\echo '  9. The audit log tells both sides who did what, and by which right.'
\echo ' 10. Other roles cannot take on a user''s identity.'
\echo
\echo 'Next: doc/schemas.md brings your own schema, doc/identity.md has the code for application'
\echo 'servers and poolers, doc/reference.md lists every function, examples/rest serves this'
\echo 'database by HTTP, and a page. To go on here, connect to the cluster below and become the application:'
\echo
\echo '    \\connect - app_server'
\echo '    BEGIN;'
\echo '    SET LOCAL cnap.user_id = ''gina'';'
\echo '    SELECT * FROM cnap_workspaces();'
\echo '    COMMIT;'
