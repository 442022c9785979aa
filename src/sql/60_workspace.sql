/*
 * Workspaces, their members, and their management by an organization.
 */
CREATE FUNCTION @extschema@.cnap_create_workspace(name text, owner text DEFAULT NULL) RETURNS uuid
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_create_workspace';
COMMENT ON FUNCTION @extschema@.cnap_create_workspace(text, text) IS
'creates a workspace, whose owner is the current user, and returns its id. owner: for the system, which must name one. Errors: 22023 for an invalid argument, 28000 without a current user, 42501 for somebody else as owner';

CREATE FUNCTION @extschema@.cnap_update_workspace(
	workspace uuid, name text DEFAULT NULL, metadata jsonb DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_update_workspace';
COMMENT ON FUNCTION @extschema@.cnap_update_workspace(uuid, text, jsonb) IS
'changes the settings of a workspace; null leaves a value as it is. Requires the permission administer. Errors: 22023, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_workspace(workspace uuid)
RETURNS TABLE (id uuid, name text, owner_id text, managed_by uuid, managed_role text,
	managed_since timestamptz, managed_until timestamptz, managers text, activation interval,
	metadata jsonb, created_at timestamptz, updated_at timestamptz)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_workspace';
COMMENT ON FUNCTION @extschema@.cnap_workspace(uuid) IS
'the settings of a workspace, and which organization manages it on what terms, null where none does. Requires the permission access. Errors: 22023, 28000, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_workspace_billing(workspace uuid)
RETURNS TABLE (billing_email text, customer_id text)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_workspace_billing';
COMMENT ON FUNCTION @extschema@.cnap_workspace_billing(uuid) IS
'the billing data of a workspace. Requires the permission billing. Errors: 22023, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_set_workspace_billing(
	workspace uuid, billing_email text DEFAULT NULL, customer_id text DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_set_workspace_billing';
COMMENT ON FUNCTION @extschema@.cnap_set_workspace_billing(uuid, text, text) IS
'changes the billing data of a workspace; null leaves a value as it is, and an empty string clears it. Requires the permission billing. Errors: 22023, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_transfer_workspace(workspace uuid, new_owner text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_transfer_workspace';
COMMENT ON FUNCTION @extschema@.cnap_transfer_workspace(uuid, text) IS
'makes one of the direct members the owner of a workspace; the former owner stays as a direct admin. Requires the permission transfer. Errors: 22023, 28000, 42501, 42704 for somebody who is not a direct member, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_delete_workspace(workspace uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_delete_workspace';
COMMENT ON FUNCTION @extschema@.cnap_delete_workspace(uuid) IS
'deletes a workspace with its memberships; rows that reference it follow their foreign keys. Requires the permission delete. Errors: 22023, 23503 for rows that reference it, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access, 55000 for a superuser where tables of several roles have triggers';

CREATE FUNCTION @extschema@.cnap_workspaces(after uuid DEFAULT NULL, max_rows integer DEFAULT NULL)
RETURNS TABLE (id uuid, name text, section text, role text, via text,
	organization uuid)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_workspaces';
COMMENT ON FUNCTION @extschema@.cnap_workspaces(uuid, integer) IS
'the workspaces that the current user has access to, each once, by section and name: section own (the user is the owner) or shared, the highest role, the way that gives it (owner, member, organization), and the organization. after: only those that follow this one, for the next page; max_rows: at most that many. Errors: 22023, 28000 without a current user, 42704 if after is not in the list';

CREATE FUNCTION @extschema@.cnap_workspace_members(
	workspace uuid, after text DEFAULT NULL, max_rows integer DEFAULT NULL)
RETURNS TABLE (user_id text, role text, via text, organization uuid,
	since timestamptz, until timestamptz, active boolean)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_workspace_members';
COMMENT ON FUNCTION @extschema@.cnap_workspace_members(uuid, text, integer) IS
'everyone with access to a workspace, by user_id, in the order of bytes, a row for each way in (owner, member, organization) and until when; with active false, those who could activate the management and have not. after: only those that follow this user id, for the next page; max_rows: at most that many, and all of the last user''s. Requires the permission access. Errors: 22023, 28000, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_add_workspace_member(
	workspace uuid, user_id text, role text DEFAULT 'member') RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_add_workspace_member';
COMMENT ON FUNCTION @extschema@.cnap_add_workspace_member(uuid, text, text) IS
'adds a direct member to a workspace, as member or admin. Requires the permission manage_members; an admin requires manage_roles. Errors: 22023, 23505 for somebody who is a direct member or the owner, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_set_workspace_role(
	workspace uuid, user_id text, role text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_set_workspace_role';
COMMENT ON FUNCTION @extschema@.cnap_set_workspace_role(uuid, text, text) IS
'changes the role of a direct member of a workspace to member or admin. Requires the permission manage_roles. Errors: 22023, 23001 for the owner, 28000, 42501, 42704 for somebody who is not a direct member, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_remove_workspace_member(workspace uuid, user_id text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_remove_workspace_member';
COMMENT ON FUNCTION @extschema@.cnap_remove_workspace_member(uuid, text) IS
'removes a direct member from a workspace. Requires the permission manage_members; an admin requires manage_roles. Errors: 22023, 23001 for the owner, 28000, 42501, 42704 for somebody who is not a direct member, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_leave_workspace(workspace uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_leave_workspace';
COMMENT ON FUNCTION @extschema@.cnap_leave_workspace(uuid) IS
'ends the current user''s direct membership of a workspace. Errors: 22023, 23001 for the owner, 28000, 42704 for somebody who is not a direct member, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_workspace_audit(
	workspace uuid, before bigint DEFAULT NULL, max_rows integer DEFAULT NULL)
RETURNS TABLE (id bigint, occurred_at timestamptz, actor text, database_role text,
	action text, organization_id uuid, subject text, path text, detail jsonb)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_workspace_audit';
COMMENT ON FUNCTION @extschema@.cnap_workspace_audit(uuid, bigint, integer) IS
'the audit entries of a workspace, newest first: what the customer''s users and the managers did, and by which path; before: only those with a lower id, for the next page; max_rows: at most that many. actor: null if there was no current user, as for the system; database_role: who called then. Requires the permission manage_members. Errors: 22023, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_grant_management(
	workspace uuid, organization uuid, role text DEFAULT 'admin',
	until timestamptz DEFAULT NULL, managers text DEFAULT 'all',
	activation interval DEFAULT '8 hours') RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_grant_management';
COMMENT ON FUNCTION @extschema@.cnap_grant_management(uuid, uuid, text, timestamptz, text, interval) IS
'lets an organization manage a workspace: its members have access with that role, until a time or the revocation. managers: all, those assigned, or those who activate it, for at most activation. If it manages it already, this changes the terms; other managers end all assignments. Requires the permission manage_delegation. Errors: 22023, 23001 for a workspace that another one manages or that is managed on these terms, 28000, 42501, also for one that accepts links alone, 42704 for an organization that does not exist, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_revoke_management(workspace uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_revoke_management';
COMMENT ON FUNCTION @extschema@.cnap_revoke_management(uuid) IS
'ends the management of a workspace. Requires the permission manage_delegation, or the role admin in the managing organization, which releases the workspace. Errors: 22023, 28000, 42501, 55000 for a workspace that is not managed, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_assign_manager(
	workspace uuid, user_id text, until timestamptz DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_assign_manager';
COMMENT ON FUNCTION @extschema@.cnap_assign_manager(uuid, text, timestamptz) IS
'assigns a member of the managing organization to a workspace whose managers are assigned, until a time or null, or changes that time; it ends with the membership and with the grant as well. For owners and admins of that organization. Errors: 22023, 23505 for somebody who is assigned until that time, 28000, 42501, 42704 for somebody who is not a member of the organization, 42704 for a workspace that does not exist or that the actor cannot access, 55000 for other managers';

CREATE FUNCTION @extschema@.cnap_unassign_manager(workspace uuid, user_id text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_unassign_manager';
COMMENT ON FUNCTION @extschema@.cnap_unassign_manager(uuid, text) IS
'ends somebody''s assignment to a workspace, or activation. For owners and admins of the managing organization, and for the user. Requires the permission manage_delegation of anybody else. Errors: 22023, 28000, 42501, 42704 for somebody who is not assigned, 42704 for a workspace that does not exist or that the actor cannot access, 55000 for the system where nobody manages';

CREATE FUNCTION @extschema@.cnap_activate_management(
	workspace uuid, reason text, duration interval DEFAULT NULL) RETURNS timestamptz
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_activate_management';
COMMENT ON FUNCTION @extschema@.cnap_activate_management(uuid, text, interval) IS
'gives the current user, a member of the managing organization, access to a workspace whose managers activate that, and returns until when. reason: for the audit log, which the customer reads; duration: null means as long as the grant allows. Errors: 22023, also for a longer duration, 28000, 42501 for others who can access the workspace, 42704 for a workspace that does not exist or that the actor cannot access, 55000 for other managers';

CREATE FUNCTION @extschema@.cnap_preview_revocation(workspace uuid)
RETURNS TABLE (user_id text, organization uuid, role text, loses_access boolean,
	remaining_role text, assigned boolean)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_preview_revocation';
COMMENT ON FUNCTION @extschema@.cnap_preview_revocation(uuid) IS
'everyone who has access to a workspace through the managing organization, whether they would lose it if the management ended, which role they would keep by another way, and whether by an assignment or activation, which would be gone. Requires the permission manage_delegation. Errors: 22023, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';
