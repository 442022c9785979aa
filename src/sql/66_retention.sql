/*
 * Removing users, and old audit entries.
 */
CREATE FUNCTION @extschema@.cnap_forget_user(user_id text, successor text DEFAULT NULL)
RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_forget_user';
COMMENT ON FUNCTION @extschema@.cnap_forget_user(text, text) IS
'removes a user from everything: memberships and access tokens are deleted, pending invitations by the user are revoked, and no other row names the user any more, except in the audit log, which gets an entry user.forget. successor: becomes the owner of the user''s workspaces, and of organizations whose last owner the user is. Errors: 22023, 23001 for a sole owner of something, which the detail lists, without a successor';

CREATE FUNCTION @extschema@.cnap_prune_audit(older_than interval) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_prune_audit';
COMMENT ON FUNCTION @extschema@.cnap_prune_audit(interval) IS
'deletes the audit entries that are older than that, returns how many, and records it. For the owner of the extension. Errors: 22023 for null, and for an age with a negative field or one of more than 1000 years, 42501';
