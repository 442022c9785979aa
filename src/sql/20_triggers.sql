/*
 * Triggers: what must hold for any writer.
 *
 * Of the triggers of one kind, PostgreSQL fires those first whose name sorts
 * first.  The rules fire as foreign keys do (not for a replica's apply, whose
 * origin has checked them already).
 */
CREATE FUNCTION cnap.membership_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_membership_before_write';
COMMENT ON FUNCTION cnap.membership_before_write() IS
'keeps the organization or workspace, and the user, of a membership; maintains updated_at';
REVOKE ALL ON FUNCTION cnap.membership_before_write() FROM PUBLIC;

CREATE FUNCTION cnap.organization_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_organization_before_write';
COMMENT ON FUNCTION cnap.organization_before_write() IS
'keeps the id of an organization; maintains updated_at';
REVOKE ALL ON FUNCTION cnap.organization_before_write() FROM PUBLIC;

CREATE FUNCTION cnap.workspace_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_workspace_before_write';
COMMENT ON FUNCTION cnap.workspace_before_write() IS
'keeps the id of a workspace and the columns of its management together; refuses to replace a manager; maintains updated_at';
REVOKE ALL ON FUNCTION cnap.workspace_before_write() FROM PUBLIC;

CREATE FUNCTION cnap.last_owner() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_last_owner';
COMMENT ON FUNCTION cnap.last_owner() IS
'refuses to take the last owner from an organization that goes on existing';
REVOKE ALL ON FUNCTION cnap.last_owner() FROM PUBLIC;

CREATE FUNCTION cnap.record_change() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_record_change';
COMMENT ON FUNCTION cnap.record_change() IS
'writes the audit entries of a changed row and queues their notifications';
REVOKE ALL ON FUNCTION cnap.record_change() FROM PUBLIC;

CREATE FUNCTION cnap.audit_log_before_write() RETURNS trigger
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'cnap_audit_log_before_write';
COMMENT ON FUNCTION cnap.audit_log_before_write() IS
'refuses to change or remove audit entries, but for the owner of the extension';
REVOKE ALL ON FUNCTION cnap.audit_log_before_write() FROM PUBLIC;

CREATE TRIGGER before_write BEFORE UPDATE ON cnap.organization
	FOR EACH ROW EXECUTE FUNCTION cnap.organization_before_write();
CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON cnap.organization
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();

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
CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON cnap.organization_member
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER before_write BEFORE INSERT OR UPDATE ON cnap.workspace
	FOR EACH ROW EXECUTE FUNCTION cnap.workspace_before_write();
CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON cnap.workspace
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER before_write BEFORE UPDATE ON cnap.workspace_member
	FOR EACH ROW EXECUTE FUNCTION cnap.membership_before_write();
CREATE TRIGGER record_change AFTER INSERT OR UPDATE OR DELETE ON cnap.workspace_member
	FOR EACH ROW EXECUTE FUNCTION cnap.record_change();

CREATE TRIGGER before_write BEFORE UPDATE OR DELETE ON cnap.audit_log
	FOR EACH ROW EXECUTE FUNCTION cnap.audit_log_before_write();
CREATE TRIGGER before_truncate BEFORE TRUNCATE ON cnap.audit_log
	FOR EACH STATEMENT EXECUTE FUNCTION cnap.audit_log_before_write();
