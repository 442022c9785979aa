-- events: how code of an application's own learns of changes. A trigger on the audit log would run
-- with the rights of its owner, so none is executed; the log is followed instead.
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model

-- ---- triggers and rules on the audit log ----

CREATE SCHEMA app;
CREATE TABLE app.executed (what text);
CREATE FUNCTION app.execute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO app.executed VALUES (format('%s %s as %s', TG_WHEN, TG_LEVEL, current_user));
	RAISE 'this change of access must not happen';
END
$$;
CREATE TRIGGER a_before BEFORE INSERT ON cnap.audit_log FOR EACH ROW EXECUTE FUNCTION app.execute();
CREATE TRIGGER a_after AFTER INSERT ON cnap.audit_log FOR EACH ROW EXECUTE FUNCTION app.execute();
CREATE TRIGGER a_always AFTER INSERT ON cnap.audit_log FOR EACH ROW EXECUTE FUNCTION app.execute();
ALTER TABLE cnap.audit_log ENABLE ALWAYS TRIGGER a_always;
CREATE TRIGGER a_before_statement BEFORE INSERT ON cnap.audit_log FOR EACH STATEMENT EXECUTE FUNCTION app.execute();
CREATE TRIGGER a_statement AFTER INSERT ON cnap.audit_log FOR EACH STATEMENT EXECUTE FUNCTION app.execute();
CREATE CONSTRAINT TRIGGER a_deferred AFTER INSERT ON cnap.audit_log
	DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.execute();
CREATE RULE a_rule AS ON INSERT TO cnap.audit_log DO INSTEAD NOTHING;

-- no change of access executes them, nor fails because of them
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
SELECT cnap_revoke_management(:'w1');
SELECT cnap_remove_workspace_member(:'w1', 'hal');
SELECT cnap_can_access('mia', :'w1') AS mia, cnap_can_access('hal', :'w1') AS hal;
SET cnap.user_id = 'ann';
SELECT cnap_delete_organization(:'acme');
RESET cnap.user_id;
RESET ROLE;
UPDATE cnap.workspace SET name = 'Renamed' WHERE id = :'w1';
SELECT count(*) FROM app.executed;
SELECT action, workspace_id, subject FROM cnap.audit_log
WHERE action ~ 'revoke|remove|organization.delete|workspace.update' ORDER BY action, workspace_id;

-- constraints of the log are checked
ALTER TABLE cnap.audit_log ADD CONSTRAINT none_more CHECK (action <> 'workspace.update') NOT VALID;
\set VERBOSITY terse
UPDATE cnap.workspace SET name = 'Again' WHERE id = :'w1';
\set VERBOSITY default
ALTER TABLE cnap.audit_log DROP CONSTRAINT none_more;

-- indexes of any kind are maintained
CREATE INDEX mine ON cnap.audit_log ((detail ->> 'name')) WHERE action = 'workspace.create';
SELECT cnap_create_workspace('Indexed', 'carol') AS indexed \gset
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT action FROM cnap.audit_log
WHERE action = 'workspace.create' AND detail ->> 'name' = 'Indexed';
SELECT action, workspace_id = :'indexed' AS indexed FROM cnap.audit_log
WHERE action = 'workspace.create' AND detail ->> 'name' = 'Indexed';
RESET enable_seqscan;

SET client_min_messages = warning;
DROP RULE a_rule ON cnap.audit_log;
DROP INDEX cnap.mine;
DROP FUNCTION app.execute() CASCADE;
RESET client_min_messages;

-- ---- following the log ----

-- only roles that were given the privilege
CREATE ROLE regress_cnap_reader;
SET ROLE regress_cnap_app;
SELECT cnap_audit_cursor();
SELECT * FROM cnap_audit_feed();
RESET ROLE;
GRANT EXECUTE ON FUNCTION cnap_audit_cursor(), cnap_audit_feed(text, integer) TO regress_cnap_reader;
CREATE TABLE app.feed (cursor text);
GRANT ALL ON app.feed TO regress_cnap_reader;
GRANT USAGE ON SCHEMA app TO regress_cnap_reader;
SET ROLE regress_cnap_reader;
INSERT INTO app.feed VALUES (cnap_audit_cursor());
-- one turn of the consumer: what is new, and where to go on
CREATE FUNCTION pg_temp.turn(max_rows integer DEFAULT NULL) RETURNS TABLE (action text, subject text) LANGUAGE sql AS $$
	WITH entry AS MATERIALIZED (
		SELECT e.* FROM app.feed f, cnap_audit_feed(f.cursor, max_rows) e
	), advanced AS (
		UPDATE app.feed SET cursor = e.cursor FROM (SELECT DISTINCT e.cursor FROM entry e) e
	)
	SELECT e.action, e.subject FROM entry e ORDER BY e.id
$$;
SELECT * FROM pg_temp.turn();
RESET ROLE;

SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
SELECT cnap_add_workspace_member(:'w1', 'ivy');
BEGIN;
SELECT cnap_set_workspace_role(:'w1', 'ivy', 'admin');
SAVEPOINT a;
SELECT cnap_add_workspace_member(:'w1', 'jon');
ROLLBACK TO a;
SELECT cnap_remove_workspace_member(:'w1', 'ivy');
COMMIT;
BEGIN;
SELECT cnap_add_workspace_member(:'w1', 'kim');
ROLLBACK;
RESET cnap.user_id;
RESET ROLE;
SET ROLE regress_cnap_reader;
-- transactions are returned whole, whatever the limit
SELECT * FROM pg_temp.turn(1);
SELECT * FROM pg_temp.turn(1);
SELECT * FROM pg_temp.turn(1);
RESET ROLE;

-- from the beginning, everything
SELECT count(*) = (SELECT count(*) FROM cnap.audit_log) AS everything, count(DISTINCT cursor) AS cursors,
	array_agg(id) = array_agg(id ORDER BY id) AS in_order
FROM cnap_audit_feed(max_rows => NULL);
SELECT count(DISTINCT id) = (SELECT count(*) FROM cnap.audit_log) AS default_limit FROM cnap_audit_feed();

-- a transaction that reads its own entries does not take them for read
BEGIN;
SELECT cnap_create_workspace('Own', 'carol') AS own \gset
SELECT * FROM pg_temp.turn();
INSERT INTO app.feed VALUES (cnap_audit_cursor());
DELETE FROM app.feed WHERE ctid < (SELECT max(ctid) FROM app.feed);
COMMIT;
SELECT * FROM pg_temp.turn();
SELECT * FROM pg_temp.turn();

-- an entry belongs to the transaction that inserts it, whatever it says
INSERT INTO cnap.audit_log (id, database_role, action, path, xid) OVERRIDING SYSTEM VALUE
VALUES (-1, 'nobody', 'restored', 'by hand', '18446744073709551615');
SELECT xid = pg_current_xact_id() AS mine, xid <= pg_snapshot_xmax(pg_current_snapshot()) AS past FROM cnap.audit_log WHERE id = -1;
SELECT * FROM pg_temp.turn();
SELECT * FROM pg_temp.turn();

-- cursors that are none, or of another database
SELECT * FROM cnap_audit_feed('');
SELECT * FROM cnap_audit_feed('1');
SELECT * FROM cnap_audit_feed('a/b/c');
SELECT * FROM cnap_audit_feed((SELECT cursor || 'x' FROM app.feed));
SELECT * FROM cnap_audit_feed('00000000-0000-4000-8000-000000000000/1/10:10:');
SELECT count(*) FROM cnap_audit_feed((SELECT replace(cursor, '/1/', '/2/') FROM app.feed));
SELECT * FROM cnap_audit_feed(max_rows => -1);
SELECT * FROM cnap_audit_feed(max_rows => 0);

-- ---- no entry contains a token ----

SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
SELECT cnap_invite_to_workspace(:'w1') AS invitation \gset
SET cnap.user_id = 'bea';
SELECT cnap_create_install_link(:'beta') AS link \gset
SELECT cnap_create_access_token('Script') AS token \gset
SELECT cnap_accept_invitation(:'invitation');
SET cnap.user_id = 'carol';
SELECT cnap_redeem_install_link(:'link', :'w1');
RESET cnap.user_id;
RESET ROLE;
SELECT count(DISTINCT e.id) AS entries,
	bool_or(strpos(e::text, given) > 0 OR strpos(e::text, encode(sha256(given::bytea), 'hex')) > 0) AS with_token
FROM (SELECT e.* FROM app.feed f, cnap_audit_feed(f.cursor) e) e, unnest(ARRAY[:'invitation', :'link', :'token']) given;

DROP FUNCTION pg_temp.turn(integer);
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
RESET client_min_messages;
DROP OWNED BY regress_cnap_reader;
DROP ROLE regress_cnap_reader;

\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
