/*
 * Invitations.
 *
 * The rights are checked in C, as in 50_organization.sql.
 */
CREATE FUNCTION @extschema@.cnap_invite_to_organization(
	organization uuid, role text DEFAULT 'member', email text DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, user_id text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_invite_to_organization';
COMMENT ON FUNCTION @extschema@.cnap_invite_to_organization(uuid, text, text, timestamptz, text) IS
'creates an invitation to an organization and returns its token, the only time that it is shown: whoever has it can become a member with that role, as long as its inviter could add one. email: where the application delivers it; not compared with the user who accepts it; expires_at: 7 days from now if it is null; user_id: the only one who can see and accept it, if not null. For its admins; a role other than member for its owners. Errors: 22023, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_invite_to_workspace(
	workspace uuid, role text DEFAULT 'member', email text DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, user_id text DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_invite_to_workspace';
COMMENT ON FUNCTION @extschema@.cnap_invite_to_workspace(uuid, text, text, timestamptz, text) IS
'creates an invitation to a workspace and returns its token, the only time that it is shown: whoever has it can become a direct member or admin, as long as its inviter could add one. email: where the application delivers it; not compared with the user who accepts it; expires_at: 7 days from now if it is null; user_id: the only one who can see and accept it, if not null. Requires the permission manage_members; an admin requires manage_roles. Errors: 22023, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_invitation(token text)
RETURNS TABLE (kind text, id uuid, name text, role text, inviter text, email text,
	expires_at timestamptz)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_invitation';
COMMENT ON FUNCTION @extschema@.cnap_invitation(text) IS
'what an invitation is to: kind is organization or workspace, with its id and name; with which role, by whom (null is the system), and until when. For any current user. Errors: 22023 for null and for a token that is unknown, expired, used, declined, revoked or malformed, for another user, or whose inviter could not make it any more, 28000';

CREATE FUNCTION @extschema@.cnap_accept_invitation(token text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_accept_invitation';
COMMENT ON FUNCTION @extschema@.cnap_accept_invitation(text) IS
'makes the current user a member, with the role of the invitation. Errors: 22023 for null and for a token that is unknown, expired, used, declined, revoked or malformed, for another user, or whose inviter could not make it any more, 23505 for somebody who is a member or the workspace''s owner, which leaves the invitation as it is, 28000';

CREATE FUNCTION @extschema@.cnap_decline_invitation(token text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_decline_invitation';
COMMENT ON FUNCTION @extschema@.cnap_decline_invitation(text) IS
'ends an invitation, for whoever could accept it. Errors: 22023 for null and for a token that is unknown, expired, used, declined, revoked or malformed, for another user, or whose inviter could not make it any more, 28000';

CREATE FUNCTION @extschema@.cnap_invitations(organization uuid)
RETURNS TABLE (id uuid, email text, user_id text, role text, state text, inviter text,
	created_at timestamptz, expires_at timestamptz, ended_at timestamptz, ended_by text)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_invitations';
COMMENT ON FUNCTION @extschema@.cnap_invitations(uuid) IS
'the invitations to an organization, newest first; state: pending, expired, accepted, declined or revoked; ended_at, ended_by: of the last three. For its admins. Errors: 22023, 28000, 42501, 42704 for an organization that does not exist or that the actor is not a member of';

CREATE FUNCTION @extschema@.cnap_workspace_invitations(workspace uuid)
RETURNS TABLE (id uuid, email text, user_id text, role text, state text, inviter text,
	created_at timestamptz, expires_at timestamptz, ended_at timestamptz, ended_by text)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_workspace_invitations';
COMMENT ON FUNCTION @extschema@.cnap_workspace_invitations(uuid) IS
'the invitations to a workspace, newest first; state: pending, expired, accepted, declined or revoked; ended_at, ended_by: of the last three. Requires the permission manage_members. Errors: 22023, 28000, 42501, 42704 for a workspace that does not exist or that the actor cannot access';

CREATE FUNCTION @extschema@.cnap_revoke_invitation(invitation_id uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_revoke_invitation';
COMMENT ON FUNCTION @extschema@.cnap_revoke_invitation(uuid) IS
'revokes an invitation. For users who could make it. Errors: 22023, 28000, 42501, 42704 for an invitation that does not exist or is to something that the actor cannot see, 55000 for one that was accepted, declined or revoked';

CREATE FUNCTION @extschema@.cnap_resend_invitation(invitation_id uuid) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_resend_invitation';
COMMENT ON FUNCTION @extschema@.cnap_resend_invitation(uuid) IS
'gives an invitation, even an expired one, a new token, which is returned, and the former time to live; the old token becomes invalid, and the user who resends it becomes the inviter. For users who could make it. Errors: 22023, 28000, 42501, 42704 for an invitation that does not exist or is to something that the actor cannot see, 55000 for one that was accepted, declined or revoked';
