/*
 * Install links.
 *
 * The rights are checked in C, as in 50_organization.sql.
 */
CREATE FUNCTION @extschema@.cnap_create_install_link(
	organization uuid, label text DEFAULT NULL, max_uses integer DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, role text DEFAULT 'admin',
	duration interval DEFAULT NULL, managers text DEFAULT 'all',
	activation interval DEFAULT '8 hours') RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_create_install_link';
COMMENT ON FUNCTION @extschema@.cnap_create_install_link(uuid, text, integer, timestamptz, text, interval, text, interval) IS
'creates an install link of an organization and returns its token, the only time that it is shown: with it, owners of workspaces let the organization manage them, with that role, for that duration and by these managers, as in cnap_grant_management(). label: distinguishes it from other links; max_uses: how often it can be redeemed; expires_at: until when; null means no limit. For its admins. Errors: 22023, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_install_link(token text)
RETURNS TABLE (organization uuid, name text, slug text, logo text, role text,
	until timestamptz, expires_at timestamptz, managers text, activation interval)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_install_link';
COMMENT ON FUNCTION @extschema@.cnap_install_link(text) IS
'who is asking: the organization of an install link; the role with which it would manage a workspace if the link were redeemed now, until when, and which of its members, whom it chooses itself, would get in, and for how long at a time; and when the link expires. For any current user. Errors: 22023 for null and for a token that is unknown, expired, used up, revoked or malformed, 28000';

CREATE FUNCTION @extschema@.cnap_redeem_install_link(token text, workspace uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_redeem_install_link';
COMMENT ON FUNCTION @extschema@.cnap_redeem_install_link(text, uuid) IS
'lets the organization of an install link manage a workspace, on the link''s terms, as cnap_grant_management() does, and counts a use of the link, but only once for a workspace. Requires the permission manage_delegation. Errors: 22023 for null and for a token that is unknown, expired, used up, revoked or malformed, 23001 for a workspace that another organization manages or that is managed on these terms, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_install_links(organization uuid)
RETURNS TABLE (id uuid, label text, role text, duration interval, max_uses integer,
	uses integer, expires_at timestamptz, created_by text, created_at timestamptz,
	revoked_at timestamptz, managers text, activation interval)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_install_links';
COMMENT ON FUNCTION @extschema@.cnap_install_links(uuid) IS
'the install links of an organization, newest first, including those that have ended; uses: how often each was redeemed. For its admins. Errors: 22023, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_revoke_install_link(link_id uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_revoke_install_link';
COMMENT ON FUNCTION @extschema@.cnap_revoke_install_link(uuid) IS
'revokes an install link, so that it cannot be redeemed any more; what was granted with it stays. For the admins of its organization. Errors: 22023, 28000, 42501, 42704 for a link that does not exist or is of an organization that the actor is not a member of, 55000 for one that is revoked already';
