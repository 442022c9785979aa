/*
 * Organizations and their members.
 *
 * The functions check in C who is allowed to do what, and have a fixed
 * search_path for the statements that they execute as the owner of the tables.
 */
CREATE FUNCTION @extschema@.cnap_create_organization(
	name text, slug text DEFAULT NULL, logo text DEFAULT NULL,
	management_email text DEFAULT NULL, owner text DEFAULT NULL) RETURNS uuid
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_create_organization';
COMMENT ON FUNCTION @extschema@.cnap_create_organization(text, text, text, text, text) IS
'creates an organization, whose owner is the current user, and returns its id. slug: 1 to 63 lower-case letters, digits and inner hyphens, unique; logo: an https URL; owner: for the system, which must name one. Errors: 22023 for an invalid argument, 23505 for a slug that is taken, 28000 without a current user, 42501 for somebody else as owner';

CREATE FUNCTION @extschema@.cnap_update_organization(
	organization uuid, name text DEFAULT NULL, slug text DEFAULT NULL,
	logo text DEFAULT NULL, management_email text DEFAULT NULL, metadata jsonb DEFAULT NULL,
	accepts text DEFAULT NULL) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_update_organization';
COMMENT ON FUNCTION @extschema@.cnap_update_organization(uuid, text, text, text, text, jsonb, text) IS
'changes an organization; null leaves a value as it is, and an empty string clears it. accepts: who can make it a manager, anyone or links, which is only those who redeem one of its install links. For its admins. Errors: 22023 for an invalid argument, 23505 for a slug that is taken, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of, 55000 for a superuser where tables of several roles have triggers';

CREATE FUNCTION @extschema@.cnap_delete_organization(organization uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_delete_organization';
COMMENT ON FUNCTION @extschema@.cnap_delete_organization(uuid) IS
'deletes an organization with its memberships; the workspaces that it managed stay with their owners. For its owners. Errors: 22023, 23503 for rows that reference it, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of, 55000 for a superuser where tables of several roles have triggers';

CREATE FUNCTION @extschema@.cnap_organizations()
RETURNS TABLE (id uuid, name text, slug text, logo text, role text,
	created_at timestamptz)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_organizations';
COMMENT ON FUNCTION @extschema@.cnap_organizations() IS
'the current user''s organizations, with the user''s role, by name. Errors: 28000 without a current user';

CREATE FUNCTION @extschema@.cnap_organization(organization uuid)
RETURNS TABLE (id uuid, name text, slug text, logo text, management_email text,
	customer_id text, accepts text, metadata jsonb, created_by text, created_at timestamptz,
	updated_at timestamptz)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_organization';
COMMENT ON FUNCTION @extschema@.cnap_organization(uuid) IS
'an organization. For its members. Errors: 22023, 28000, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_organization_workspaces(
	organization uuid, after uuid DEFAULT NULL, max_rows integer DEFAULT NULL)
RETURNS TABLE (id uuid, name text, owner_id text, managed_role text,
	managed_since timestamptz, managed_until timestamptz, managers text, activation interval,
	assigned text[])
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_organization_workspaces';
COMMENT ON FUNCTION @extschema@.cnap_organization_workspaces(uuid, uuid, integer) IS
'the workspaces that an organization manages now, by name, and which of its members get in (managers); unless all do, those who are in now (assigned). after: only those that follow this one, for the next page; max_rows: at most that many. For its members. Errors: 22023, 28000, 42704 for an organization that does not exist or that the actor is not a member of, 42704 if after is not in the list';

CREATE FUNCTION @extschema@.cnap_organization_members(
	organization uuid, after text DEFAULT NULL, max_rows integer DEFAULT NULL)
RETURNS TABLE (user_id text, role text, added_by text, created_at timestamptz)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_organization_members';
COMMENT ON FUNCTION @extschema@.cnap_organization_members(uuid, text, integer) IS
'the members of an organization, by user_id, in the order of bytes; after: only those that follow this user id, for the next page; max_rows: at most that many. For its members. Errors: 22023, 28000, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_add_organization_member(
	organization uuid, user_id text, role text DEFAULT 'member') RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_add_organization_member';
COMMENT ON FUNCTION @extschema@.cnap_add_organization_member(uuid, text, text) IS
'adds a member to an organization. For its admins; a role other than member for its owners. Errors: 22023, 23505 for somebody who is a member, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_set_organization_role(
	organization uuid, user_id text, role text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_set_organization_role';
COMMENT ON FUNCTION @extschema@.cnap_set_organization_role(uuid, text, text) IS
'changes the role of a member of an organization. For its owners. Errors: 22023, 23001 for the last owner, 28000, 42501, 42704 for somebody who is not a member, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_remove_organization_member(organization uuid, user_id text)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_remove_organization_member';
COMMENT ON FUNCTION @extschema@.cnap_remove_organization_member(uuid, text) IS
'removes a member from an organization, and with that from every workspace that it manages. For its admins; somebody with a role other than member for its owners. Errors: 22023, 23001 for the last owner, 28000, 42501, 42704 for somebody who is not a member, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_leave_organization(organization uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_leave_organization';
COMMENT ON FUNCTION @extschema@.cnap_leave_organization(uuid) IS
'ends the current user''s membership of an organization. Errors: 22023, 23001 for the last owner, 28000, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_organization_audit(
	organization uuid, before bigint DEFAULT NULL, max_rows integer DEFAULT NULL)
RETURNS TABLE (id bigint, occurred_at timestamptz, actor text, database_role text,
	action text, workspace_id uuid, subject text, path text, detail jsonb)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_organization_audit';
COMMENT ON FUNCTION @extschema@.cnap_organization_audit(uuid, bigint, integer) IS
'the audit entries of an organization, newest first; before: only those with a lower id, for the next page; max_rows: at most that many. actor: null if there was no current user, as for the system; database_role: who called then. For its admins. Errors: 22023, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of';
