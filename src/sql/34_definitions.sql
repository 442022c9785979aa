/*
 * The application's own roles and permissions.
 */
CREATE FUNCTION @extschema@.cnap_define_permission(
	name text, roles text[] DEFAULT '{}', delegable boolean DEFAULT true) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_define_permission';
COMMENT ON FUNCTION @extschema@.cnap_define_permission(text, text[], boolean) IS
'defines a permission in workspaces, or replaces its definition. roles: those that have it; the owner always does; delegable: whether managers can have it, if their role does. For the owner of the extension. Errors: 22023 for null, for a name that is built in or malformed, and for a role that does not exist, 42501, 54000 for more than 64 permissions';

CREATE FUNCTION @extschema@.cnap_define_role(name text, permissions text[]) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_define_role';
COMMENT ON FUNCTION @extschema@.cnap_define_role(text, text[]) IS
'defines a role in workspaces, or replaces its definition. permissions: administer, manage_members and those of the application''s own; access belongs to every role. For the owner of the extension. Errors: 22023 for null, for a name that is built in or malformed, and for a permission that does not exist or that no such role can have, 42501, 54000 for more than 250 roles';

CREATE FUNCTION @extschema@.cnap_drop_role(name text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_drop_role';
COMMENT ON FUNCTION @extschema@.cnap_drop_role(text) IS
'drops a role of the application''s own. For the owner of the extension. Errors: 22023 for null and for a role that is built in or does not exist, 2BP01 for one that members, grants, install links or invitations have, 42501';

CREATE FUNCTION @extschema@.cnap_drop_permission(name text) RETURNS void
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_drop_permission';
COMMENT ON FUNCTION @extschema@.cnap_drop_permission(text) IS
'drops a permission of the application''s own, and takes it from the roles that have it. For the owner of the extension. Errors: 22023 for null and for a permission that is built in or does not exist, 2BP01 for one that policies of this database name, 42501';

CREATE FUNCTION @extschema@.cnap_roles()
RETURNS TABLE (role text, permission text, delegable boolean, built_in boolean)
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_roles';
COMMENT ON FUNCTION @extschema@.cnap_roles() IS
'which role in a workspace has which permission, one row for each; delegable: whether managers have it too if that is their role; built_in: whether both the role and the permission are';

/* The policies that name a permission in a call of ours. */
CREATE FUNCTION cnap.policies_with(wanted text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(DISTINCT format('policy %I on %s', p.polname, p.polrelid::regclass), ', ')
	FROM pg_policy p
		JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
			AND d.refclassid = 'pg_proc'::regclass
	WHERE d.refobjid IN ('@extschema@.cnap_has_permission(uuid, text)'::regprocedure,
			'@extschema@.cnap_has_permission(text, uuid, text)'::regprocedure,
			'@extschema@.cnap_has_permission(uuid, uuid, text)'::regprocedure)
		AND strpos(concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
			quote_literal(wanted)) > 0
$$;
COMMENT ON FUNCTION cnap.policies_with(text) IS 'the policies that contain a check of that permission, as text; null for none';

/* Who has a role of the application's own. */
CREATE FUNCTION cnap.holders_of(wanted text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(format('%s %s', n, what), ', ')
	FROM (SELECT count(*), 'members of workspaces' FROM cnap.workspace_member WHERE own_role = wanted
		UNION ALL SELECT count(*), 'managed workspaces' FROM cnap.workspace WHERE own_role = wanted
		UNION ALL SELECT count(*), 'install links' FROM cnap.install_link WHERE own_role = wanted
		UNION ALL SELECT count(*), 'pending invitations' FROM cnap.invitation WHERE own_role = wanted) h (n, what)
	WHERE n > 0
$$;
COMMENT ON FUNCTION cnap.holders_of(text) IS 'how often a role of the application''s own is held, as text; null for never';
