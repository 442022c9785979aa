-- events: an application's own trigger on the audit log
\getenv abs_srcdir PG_ABS_SRCDIR
\set model :abs_srcdir '/sql/include/model.sql'
\i :model

-- ---- an application's handler that ends live connections ----

CREATE SCHEMA app;
CREATE TABLE app.ended (id bigint GENERATED ALWAYS AS IDENTITY, action text, workspace_id uuid, subject text,
	mia boolean, hal boolean, executed_as text, caller text, search_path text);
CREATE FUNCTION app.end_connections() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO app.ended (action, workspace_id, subject, mia, hal, executed_as, caller, search_path)
	VALUES (NEW.action, NEW.workspace_id, NEW.subject,
		public.cnap_can_access('mia', '00000000-0000-4000-8000-000000000001'),
		public.cnap_can_access('hal', '00000000-0000-4000-8000-000000000001'),
		CASE WHEN current_user = session_user THEN 'owner' ELSE current_user END,
		public.cnap_current_user(), current_setting('search_path'));
	RETURN NULL;
END
$$;
CREATE TRIGGER end_connections AFTER INSERT ON cnap.audit_log
	FOR EACH ROW WHEN (NEW.action ~ '^management\.(revoke|change)|\.remove$|^workspace\.delete')
	EXECUTE FUNCTION app.end_connections();

-- nobody else can create one
GRANT USAGE ON SCHEMA app TO regress_cnap_app;
SET ROLE regress_cnap_app;
CREATE TRIGGER mine AFTER INSERT ON cnap.audit_log
	FOR EACH ROW EXECUTE FUNCTION app.end_connections();

-- ---- it runs within the act, as the owner, and sees the current state ----

SELECT cnap_can_access('mia', :'w1') AS mia, cnap_can_access('hal', :'w1') AS hal;

SET cnap.user_id = 'carol';
SELECT cnap_revoke_management(:'w1');
SELECT cnap_grant_management(:'w1', :'acme');
SELECT cnap_can_access('mia', :'w1') AS mia, cnap_can_access('hal', :'w1') AS hal;
SELECT cnap_remove_workspace_member(:'w1', 'hal');
SET cnap.user_id = 'ann';
SELECT cnap_remove_organization_member(:'acme', 'mia');
SET cnap.user_id = 'carol';
SELECT cnap_delete_workspace(:'w1');
RESET cnap.user_id;
RESET ROLE;
SELECT action, subject, mia, hal, executed_as, caller, search_path FROM app.ended ORDER BY id;

-- also for direct statements, and for management that ends with the deletion of an organization
TRUNCATE app.ended;
UPDATE cnap.workspace SET managed_role = 'admin' WHERE id = :'w2';
SET ROLE regress_cnap_app;
SET cnap.user_id = 'ann';
SELECT cnap_delete_organization(:'acme');
RESET cnap.user_id;
RESET ROLE;
SELECT action, workspace_id FROM app.ended ORDER BY workspace_id, action;

-- but not for rows that are restored
DROP TRIGGER end_connections ON cnap.audit_log;
CREATE TRIGGER end_connections AFTER INSERT ON cnap.audit_log
	FOR EACH ROW WHEN (NEW.action ~ '^management\.(revoke|change)|^workspace\.create') EXECUTE FUNCTION app.end_connections();
TRUNCATE app.ended;
INSERT INTO cnap.workspace (id, name, owner_id, created_at) VALUES (:'w1', 'Globex', 'carol', '2020-01-01');
SELECT count(*) FROM app.ended;

-- ---- rollback ----

SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
SELECT cnap_grant_management(:'w1', :'beta');
BEGIN;
SELECT cnap_revoke_management(:'w1');
ROLLBACK;
SELECT cnap_can_access('bea', :'w1') AS bea;

-- an error in it aborts the act
RESET ROLE;
ALTER TABLE app.ended ADD CONSTRAINT no_more CHECK (false) NOT VALID;
SET ROLE regress_cnap_app;
\set VERBOSITY terse
SELECT cnap_revoke_management(:'w1');
\set VERBOSITY default
SELECT cnap_can_access('bea', :'w1') AS bea;
RESET cnap.user_id;
RESET ROLE;
SELECT count(*) FROM app.ended;

-- ---- it never sees a token ----

DROP TRIGGER end_connections ON cnap.audit_log;
CREATE TABLE app.entry (row text);
CREATE FUNCTION app.keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO app.entry VALUES (NEW::text);
	RETURN NULL;
END
$$;
CREATE TRIGGER keep AFTER INSERT ON cnap.audit_log FOR EACH ROW EXECUTE FUNCTION app.keep();
SET ROLE regress_cnap_app;
SET cnap.user_id = 'carol';
SELECT cnap_revoke_management(:'w1');
SELECT cnap_invite_to_workspace(:'w1') AS invitation \gset
SET cnap.user_id = 'bea';
SELECT cnap_create_install_link(:'beta') AS link \gset
SELECT cnap_create_access_token('Script') AS token \gset
SELECT cnap_accept_invitation(:'invitation');
SET cnap.user_id = 'carol';
SELECT cnap_redeem_install_link(:'link', :'w1');
RESET cnap.user_id;
RESET ROLE;
SELECT count(DISTINCT row) AS entries,
	bool_or(strpos(row, given) > 0 OR strpos(row, encode(sha256(given::bytea), 'hex')) > 0) AS with_token
FROM app.entry, unnest(ARRAY[:'invitation', :'link', :'token']) given;

SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
RESET client_min_messages;

\set drop_model :abs_srcdir '/sql/include/drop_model.sql'
\i :drop_model
