/*
 * The identity: trust, and access tokens.
 */
CREATE FUNCTION cnap.is_trusted(role oid) RETURNS boolean
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_is_trusted';
COMMENT ON FUNCTION cnap.is_trusted(oid) IS
'whether the role may set cnap.user_id, by its own or another role''s privilege, and so act as any user';

CREATE FUNCTION @extschema@.cnap_authenticate(token text, is_local boolean DEFAULT true)
RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_authenticate';
COMMENT ON FUNCTION @extschema@.cnap_authenticate(text, boolean) IS
'makes the user who created an access token the current user, until the end of the transaction, or of the session if is_local is false, as long as the token is valid; returns the user''s id. Errors: 22023 for null, 28000 for a token that is unknown, expired, revoked or malformed, 55000 while cnap.user_id is set';

CREATE FUNCTION @extschema@.cnap_create_access_token(
	name text, expires_at timestamptz DEFAULT NULL, workspaces uuid[] DEFAULT NULL,
	permissions text[] DEFAULT NULL) RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_create_access_token';
COMMENT ON FUNCTION @extschema@.cnap_create_access_token(text, timestamptz, uuid[], text[]) IS
'creates an access token of the current user and returns it, the only time that it is shown; the name distinguishes it from others; it expires at that time, or never. A session signed in by it has, of the user''s rights, only those permissions, in those workspaces; null: all. Errors: 22023, 28000 without a current user, 42501 for a user who is signed in by a token, 42704 for a workspace that does not exist or is hidden';

CREATE FUNCTION @extschema@.cnap_access_tokens()
RETURNS TABLE (id uuid, name text, created_at timestamptz, expires_at timestamptz,
	last_used_at timestamptz, revoked_at timestamptz, workspaces uuid[], permissions text[])
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_access_tokens';
COMMENT ON FUNCTION @extschema@.cnap_access_tokens() IS
'the current user''s access tokens, newest first, including those that have ended; last_used_at is precise to a minute; workspaces and permissions are its limits, null for none. Errors: 28000 without a current user, 42501 if a limited token has signed in';

CREATE FUNCTION @extschema@.cnap_revoke_access_token(token_id uuid) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_revoke_access_token';
COMMENT ON FUNCTION @extschema@.cnap_revoke_access_token(uuid) IS
'revokes an access token; sessions signed in by it have no current user as of their next statement. For its user. Errors: 22023, 28000, 42704 for a token that does not exist or is somebody else''s, 55000 for one that is revoked already';

CREATE FUNCTION @extschema@.cnap_set_role_user(role regrole, user_id text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_set_role_user';
COMMENT ON FUNCTION @extschema@.cnap_set_role_user(regrole, text) IS
'says which user a person is who logs in with that role, in this database; null for nobody. Takes effect at the next check of every session. For superusers. Errors: 22023 for an invalid user id and for null as the role, 42704 for a role that does not exist';
