/*
 * Triggers: rules and audit entries that apply to every writer.
 *
 * A new row with a created_at other than now() is assumed to have been restored
 * from a dump or copied from elsewhere together with its audit entries, so no
 * new ones are written; unless it is imported, with the time at which it was created
 * elsewhere.
 *
 * PostgreSQL fires triggers of the same kind in alphabetical order by name.
 * The triggers that enforce rules fire when foreign keys do: not in logical
 * replication's apply workers, since the origin has checked the rows already.
 */
CREATE FUNCTION cnap.membership_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_membership_before_write';
COMMENT ON FUNCTION cnap.membership_before_write() IS
'prevents changes of the organization or workspace, and the user, of a membership; maintains updated_at';

CREATE FUNCTION cnap.organization_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_organization_before_write';
COMMENT ON FUNCTION cnap.organization_before_write() IS
'prevents changes of the id of an organization; maintains updated_at';

CREATE FUNCTION cnap.workspace_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_workspace_before_write';
COMMENT ON FUNCTION cnap.workspace_before_write() IS
'prevents changes of the id of a workspace; keeps the columns of its management consistent; refuses to replace a manager; maintains updated_at';

CREATE FUNCTION cnap.assignment_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_assignment_before_write';
COMMENT ON FUNCTION cnap.assignment_before_write() IS
'makes a new assignment one of the current grant and membership; prevents changes of its workspace and user';

CREATE FUNCTION cnap.remove_assignments() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_remove_assignments';
COMMENT ON FUNCTION cnap.remove_assignments() IS
'removes the assignments that have ended with a grant, a membership or a workspace';

CREATE FUNCTION cnap.last_owner() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_last_owner';
COMMENT ON FUNCTION cnap.last_owner() IS
'refuses to remove the last owner of an organization that continues to exist';

CREATE FUNCTION cnap.record_change() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_record_change';
COMMENT ON FUNCTION cnap.record_change() IS
'writes the audit entries of a changed row, or of TRUNCATE, and queues their notifications';

CREATE FUNCTION cnap.is_import() RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_is_import';
COMMENT ON FUNCTION cnap.is_import() IS
'whether the statement that is being executed imports rows';

CREATE FUNCTION cnap.audit_log_before_insert() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_audit_log_before_insert';
COMMENT ON FUNCTION cnap.audit_log_before_insert() IS
'makes an audit entry one of the transaction that inserts it, whatever it says';

CREATE FUNCTION cnap.audit_log_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_audit_log_before_write';
COMMENT ON FUNCTION cnap.audit_log_before_write() IS
'refuses to change or remove audit entries, except for the owner of the extension';

CREATE FUNCTION cnap.access_token_after_delete() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_access_token_after_delete';
COMMENT ON FUNCTION cnap.access_token_after_delete() IS
'forgets when a deleted access token was used last';

CREATE TRIGGER before_write BEFORE UPDATE ON cnap.organization
	FOR EACH ROW EXECUTE FUNCTION cnap.organization_before_write();
CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.organization
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.organization
	FOR EACH ROW WHEN (NEW.created_at = now() OR cnap.is_import())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.organization
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER before_write BEFORE UPDATE ON cnap.organization_member
	FOR EACH ROW EXECUTE FUNCTION cnap.membership_before_write();
CREATE TRIGGER last_owner_delete AFTER DELETE ON cnap.organization_member
	FOR EACH ROW WHEN (OLD.role = 'owner')
	EXECUTE FUNCTION cnap.last_owner();
CREATE TRIGGER last_owner_truncate AFTER TRUNCATE ON cnap.organization_member
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.last_owner();
CREATE TRIGGER last_owner_update AFTER UPDATE ON cnap.organization_member
	FOR EACH ROW WHEN (OLD.role = 'owner' AND NEW.role <> 'owner')
	EXECUTE FUNCTION cnap.last_owner();
CREATE TRIGGER remove_assignments AFTER DELETE ON cnap.organization_member
	FOR EACH ROW EXECUTE FUNCTION cnap.remove_assignments();
CREATE TRIGGER remove_assignments_truncate AFTER TRUNCATE ON cnap.organization_member
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.remove_assignments();
CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.organization_member
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.organization_member
	FOR EACH ROW WHEN (NEW.created_at = now() OR cnap.is_import())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.organization_member
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON cnap.workspace
	FOR EACH ROW EXECUTE FUNCTION cnap.workspace_before_write();
CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.workspace
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.workspace
	FOR EACH ROW WHEN (NEW.created_at = now() OR cnap.is_import())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.workspace
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER remove_assignments AFTER DELETE ON cnap.workspace
	FOR EACH ROW WHEN (OLD.managed_access <> 'all')
	EXECUTE FUNCTION cnap.remove_assignments();
CREATE TRIGGER remove_assignments_truncate AFTER TRUNCATE ON cnap.workspace
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.remove_assignments();
CREATE TRIGGER remove_assignments_update AFTER UPDATE ON cnap.workspace
	FOR EACH ROW WHEN ((OLD.managed_access <> 'all' OR NEW.managed_access <> 'all')
		AND OLD.management_id IS DISTINCT FROM NEW.management_id)
	EXECUTE FUNCTION cnap.remove_assignments();

CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON cnap.assignment
	FOR EACH ROW EXECUTE FUNCTION cnap.assignment_before_write();
CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.assignment
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.assignment
	FOR EACH ROW WHEN (NEW.created_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.assignment
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER before_write BEFORE UPDATE ON cnap.workspace_member
	FOR EACH ROW EXECUTE FUNCTION cnap.membership_before_write();
CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.workspace_member
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.workspace_member
	FOR EACH ROW WHEN (NEW.created_at = now() OR cnap.is_import())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.workspace_member
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER forget_use AFTER DELETE ON cnap.access_token
	FOR EACH ROW EXECUTE FUNCTION cnap.access_token_after_delete();
CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.access_token
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.access_token
	FOR EACH ROW WHEN (NEW.created_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.access_token
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.role_user
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.role_user
	FOR EACH ROW WHEN (NEW.created_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.role_user
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.install_link
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.install_link
	FOR EACH ROW WHEN (NEW.created_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.install_link
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER record_change AFTER INSERT OR UPDATE ON cnap.redemption
	FOR EACH ROW WHEN (NEW.redeemed_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.redemption
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.invitation
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.invitation
	FOR EACH ROW WHEN (NEW.created_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.invitation
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

-- Restored entries pass through this one; C code inserts the others without any.
CREATE TRIGGER before_insert BEFORE INSERT ON cnap.audit_log
	FOR EACH ROW EXECUTE FUNCTION cnap.audit_log_before_insert();
ALTER TABLE cnap.audit_log ENABLE ALWAYS TRIGGER before_insert;
CREATE TRIGGER before_write BEFORE UPDATE OR DELETE ON cnap.audit_log
	FOR EACH ROW EXECUTE FUNCTION cnap.audit_log_before_write();
CREATE TRIGGER before_truncate BEFORE TRUNCATE ON cnap.audit_log
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.audit_log_before_write();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.audit_log
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();

/*
 * Triggers that invalidate the sessions' caches.  An UPDATE does so if it
 * changes something that access depends on.  They are row triggers, which
 * know whom the change is about, and which logical replication's apply workers
 * fire as well.
 */
CREATE FUNCTION cnap.signal_change() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_signal_change';
COMMENT ON FUNCTION cnap.signal_change() IS
'tells every session that anything may have changed';

CREATE FUNCTION cnap.signal_user() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_signal_user';
COMMENT ON FUNCTION cnap.signal_user() IS
'tells every session that a membership, an assignment or an access token of the row''s user changed';

CREATE FUNCTION cnap.signal_workspace() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_signal_workspace';
COMMENT ON FUNCTION cnap.signal_workspace() IS
'tells every session that a workspace was created or deleted, or that its owner or management changed';

CREATE TRIGGER signal_row AFTER INSERT OR DELETE ON cnap.organization_member
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_user();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.organization_member
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
CREATE TRIGGER signal_update AFTER UPDATE ON cnap.organization_member
	FOR EACH ROW WHEN ((OLD.organization_id, OLD.user_id, OLD.membership_id)
		IS DISTINCT FROM (NEW.organization_id, NEW.user_id, NEW.membership_id))
	EXECUTE FUNCTION cnap.signal_user();
ALTER TABLE cnap.organization_member
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_truncate,
	ENABLE ALWAYS TRIGGER signal_update;

CREATE TRIGGER signal_row AFTER INSERT OR DELETE ON cnap.workspace_member
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_user();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.workspace_member
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
CREATE TRIGGER signal_update AFTER UPDATE ON cnap.workspace_member
	FOR EACH ROW WHEN ((OLD.workspace_id, OLD.user_id, OLD.role)
		IS DISTINCT FROM (NEW.workspace_id, NEW.user_id, NEW.role))
	EXECUTE FUNCTION cnap.signal_user();
ALTER TABLE cnap.workspace_member
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_truncate,
	ENABLE ALWAYS TRIGGER signal_update;

CREATE TRIGGER signal_row AFTER INSERT OR DELETE ON cnap.assignment
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_user();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.assignment
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
CREATE TRIGGER signal_update AFTER UPDATE ON cnap.assignment
	FOR EACH ROW WHEN ((OLD.workspace_id, OLD.user_id, OLD.until, OLD.management_id, OLD.membership_id)
		IS DISTINCT FROM (NEW.workspace_id, NEW.user_id, NEW.until, NEW.management_id, NEW.membership_id))
	EXECUTE FUNCTION cnap.signal_user();
ALTER TABLE cnap.assignment
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_truncate,
	ENABLE ALWAYS TRIGGER signal_update;

CREATE TRIGGER signal_row AFTER INSERT OR DELETE ON cnap.workspace
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_workspace();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.workspace
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
CREATE TRIGGER signal_update AFTER UPDATE ON cnap.workspace
	FOR EACH ROW WHEN ((OLD.id, OLD.owner_id, OLD.managed_by, OLD.managed_role, OLD.managed_until,
			OLD.managed_access, OLD.management_id)
		IS DISTINCT FROM (NEW.id, NEW.owner_id, NEW.managed_by, NEW.managed_role, NEW.managed_until,
			NEW.managed_access, NEW.management_id))
	EXECUTE FUNCTION cnap.signal_workspace();
ALTER TABLE cnap.workspace
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_truncate,
	ENABLE ALWAYS TRIGGER signal_update;

-- After these, a session that is signed in by a token looks it up again.
CREATE TRIGGER signal_delete AFTER DELETE ON cnap.access_token
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_user();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.access_token
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
CREATE TRIGGER signal_update AFTER UPDATE ON cnap.access_token
	FOR EACH ROW WHEN ((OLD.id, OLD.user_id, OLD.expires_at, OLD.revoked_at, OLD.workspaces, OLD.permissions)
		IS DISTINCT FROM (NEW.id, NEW.user_id, NEW.expires_at, NEW.revoked_at, NEW.workspaces, NEW.permissions))
	EXECUTE FUNCTION cnap.signal_user();
ALTER TABLE cnap.access_token
	ENABLE ALWAYS TRIGGER signal_delete,
	ENABLE ALWAYS TRIGGER signal_truncate,
	ENABLE ALWAYS TRIGGER signal_update;

-- After these, a session of the role looks again who its user is.
CREATE TRIGGER signal_row AFTER INSERT OR UPDATE OR DELETE ON cnap.role_user
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_user();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.role_user
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
ALTER TABLE cnap.role_user
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_truncate;

-- Definitions concern everybody.
CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.role_definition
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.role_definition
	FOR EACH ROW WHEN (NEW.created_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.role_definition
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER signal_row AFTER INSERT OR UPDATE OR DELETE ON cnap.role_definition
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_change();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.role_definition
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
ALTER TABLE cnap.role_definition
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_truncate;

CREATE TRIGGER record_change AFTER UPDATE OR DELETE ON cnap.permission_definition
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_insert AFTER INSERT ON cnap.permission_definition
	FOR EACH ROW WHEN (NEW.created_at = now())
	EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER record_truncate AFTER TRUNCATE ON cnap.permission_definition
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.record_change();
CREATE TRIGGER signal_row AFTER INSERT OR UPDATE OR DELETE ON cnap.permission_definition
	FOR EACH ROW EXECUTE FUNCTION cnap.signal_change();
CREATE TRIGGER signal_truncate AFTER TRUNCATE ON cnap.permission_definition
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.signal_change();
ALTER TABLE cnap.permission_definition
	ENABLE ALWAYS TRIGGER signal_row,
	ENABLE ALWAYS TRIGGER signal_truncate;
