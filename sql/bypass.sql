/*
 * A superuser who says whom they act for, and reads a protected table, is told
 * once that policies do not apply to superusers.
 */
SET client_min_messages = warning;
CREATE EXTENSION cnap_org;
CREATE SCHEMA bypass;
CREATE TABLE bypass.task (id int PRIMARY KEY, workspace_id uuid NOT NULL);
CREATE TABLE bypass.open (id int);
CREATE TABLE bypass.step (id int PRIMARY KEY, task_id int NOT NULL REFERENCES bypass.task ON UPDATE CASCADE ON DELETE CASCADE);
CREATE INDEX ON bypass.step (task_id);
SELECT cnap_create_workspace('Globex', owner => 'ann') AS globex \gset
INSERT INTO bypass.task VALUES (1, :'globex');
SELECT cnap_protect('bypass.task');
SELECT cnap_protect_child('bypass.step', 'task_id');
CREATE ROLE regress_cnap_bypass;
CREATE ROLE regress_cnap_bypassrls BYPASSRLS;
GRANT USAGE ON SCHEMA bypass TO regress_cnap_bypass, regress_cnap_bypassrls;
GRANT ALL ON bypass.task, bypass.step TO regress_cnap_bypass, regress_cnap_bypassrls;
CREATE VIEW bypass.view AS SELECT * FROM bypass.task;
RESET client_min_messages;

-- the system is not told, nor who reads something else, nor whom the policies apply to
SELECT count(*) FROM bypass.task;
SET cnap.user_id = 'ann';
SELECT count(*) FROM bypass.open;
SET ROLE regress_cnap_bypass;
SELECT count(*) FROM bypass.task;
RESET ROLE;

-- nor of the checks of foreign keys, which are made as a superuser who owns the tables
SET ROLE regress_cnap_bypass;
BEGIN;
INSERT INTO bypass.step VALUES (1, 1);
UPDATE bypass.task SET id = 3;
DELETE FROM bypass.step;
DELETE FROM bypass.task;
ROLLBACK;
RESET ROLE;

-- nor of a view to whose owner the policies apply
ALTER VIEW bypass.view OWNER TO regress_cnap_bypass;
SELECT count(*) FROM bypass.view;

-- only the first time
SELECT count(*) FROM bypass.task;
UPDATE bypass.task SET id = 2;

-- in a new session, as a role with BYPASSRLS, and by a command that writes
\c -
SELECT cnap_current_user();
SET cnap.user_id = 'ann';
SET ROLE regress_cnap_bypassrls;
DELETE FROM bypass.task WHERE id = 3;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA bypass CASCADE;
DROP EXTENSION cnap_org;
DROP ROLE regress_cnap_bypass, regress_cnap_bypassrls;
