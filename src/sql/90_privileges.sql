/*
 * Who has which privileges on the extension's objects.
 *
 * This is the only list of them.  The installation sets exactly these (92_set_privileges.sql), cnap_trust()
 * grants those of trusted roles, and the linter reports any others.  What is not
 * listed is for the owner alone.
 */
CREATE FUNCTION cnap.privileges()
RETURNS TABLE (kind text, object text, classid oid, objid oid, privilege text, audience text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $$
	-- an overload that somebody has created beside our functions is none of them
	WITH own AS MATERIALIZED (
		SELECT p.oid, f.name, format('%s(%s)', f.name, oidvectortypes(p.proargtypes)) AS signature
		FROM cnap.lint_members('pg_proc') member (oid)
			JOIN pg_proc p USING (oid)
			JOIN pg_namespace n ON n.oid = p.pronamespace,
			LATERAL (SELECT format('%I.%I', n.nspname, p.proname)) f (name)
	), listed (kind, object, privilege, audience) AS (VALUES
		('SCHEMA', 'cnap', 'USAGE', 'everybody'),
		('TYPE', 'cnap.finding', 'USAGE', 'everybody'),
		('TYPE', 'cnap.user_id', 'USAGE', 'everybody'),

		-- about the current user, or for the owner of a table
		('FUNCTION', '@extschema@.cnap_accept_invitation', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_accepted_findings', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_access_tokens', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_accessible_workspaces()', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_activate_management', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_add_organization_member', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_add_workspace_member', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_assign_manager', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_authenticate', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_cache_stats', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_can_access(uuid)', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_create_access_token', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_create_install_link', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_create_organization', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_create_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_current_user', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_decline_invitation', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_delete_organization', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_delete_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_grant_management', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_has_permission(uuid, text)', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_install_link', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_install_links', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_invitation', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_invitations', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_invite_to_organization', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_invite_to_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_leave_organization', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_leave_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_lint', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_organization', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_organization_audit', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_organization_members', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_organization_workspaces', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_roles', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_organizations', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_position', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_preview_revocation', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_protect', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_protect_child', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_protect_schema', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_protected_tables', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_redeem_install_link', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_remove_organization_member', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_remove_workspace_member', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_resend_invitation', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_revoke_access_token', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_revoke_install_link', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_revoke_invitation', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_revoke_management', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_set_organization_role', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_set_workspace_billing', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_set_workspace_role', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_transfer_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_unassign_manager', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_unprotect', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_unprotect_schema', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_update_organization', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_update_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_uuid(bigint)', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_uuid(text)', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_wait', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_workspace_audit', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_workspace_billing', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_workspace_invitations', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_workspace_members', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_workspace_role(uuid)', 'EXECUTE', 'everybody'),
		('FUNCTION', '@extschema@.cnap_workspaces', 'EXECUTE', 'everybody'),

		-- called by policies, index conditions, triggers of protected tables, and
		-- the linter
		('FUNCTION', 'cnap.at_first', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.fill_workspace', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.is_trusted', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.never', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.parent_visible(boolean)', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.parent_visible(boolean, "any")', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.policies', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.privileges', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.protection_plan', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.protection_reasons', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.protections', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.published_tables', 'EXECUTE', 'everybody'),
		('FUNCTION', 'cnap.reachable(text)', 'EXECUTE', 'everybody'),

		-- for roles that the administrator chooses
		('FUNCTION', '@extschema@.cnap_audit_cursor', 'EXECUTE', 'chosen'),
		('FUNCTION', '@extschema@.cnap_audit_feed', 'EXECUTE', 'chosen'),
		('FUNCTION', '@extschema@.cnap_beat', 'EXECUTE', 'chosen'),
		('FUNCTION', '@extschema@.cnap_followers', 'EXECUTE', 'chosen'),
		('FUNCTION', '@extschema@.cnap_server_stats', 'EXECUTE', 'chosen'),

		-- about any user; those of the schema cnap are used in index conditions
		('PARAMETER', 'cnap.user_id', 'SET', 'trusted'),
		('TABLE', 'cnap.organization', 'REFERENCES', 'trusted'),
		('TABLE', 'cnap.workspace', 'REFERENCES', 'trusted'),
		('FUNCTION', '@extschema@.cnap_accessible_workspaces(text)', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_can_access(text, uuid)', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_can_access(uuid, uuid)', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_explain_access', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_forget_user', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_has_permission(text, uuid, text)', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_has_permission(uuid, uuid, text)', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_workspace_role(text, uuid)', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_compare_protection', 'EXECUTE', 'trusted'),
		('FUNCTION', '@extschema@.cnap_visible_rows', 'EXECUTE', 'trusted'),
		('FUNCTION', 'cnap.row_condition', 'EXECUTE', 'trusted'),
		('FUNCTION', 'cnap.row_counts', 'EXECUTE', 'trusted'),
		('FUNCTION', 'cnap.reachable(text, text)', 'EXECUTE', 'trusted'),
		('FUNCTION', 'cnap.reachable(uuid, text)', 'EXECUTE', 'trusted')
	)
	SELECT l.kind, coalesce(own.signature, l.object),
		CASE l.kind WHEN 'FUNCTION' THEN 'pg_proc'::regclass WHEN 'SCHEMA' THEN 'pg_namespace'
			WHEN 'TABLE' THEN 'pg_class' WHEN 'TYPE' THEN 'pg_type' END::oid,
		CASE l.kind WHEN 'FUNCTION' THEN own.oid WHEN 'SCHEMA' THEN to_regnamespace(l.object)
			WHEN 'TABLE' THEN to_regclass(l.object) WHEN 'TYPE' THEN to_regtype(l.object) END::oid,
		l.privilege, l.audience
	FROM listed l LEFT JOIN own ON l.kind = 'FUNCTION' AND l.object IN (own.name, own.signature)
	UNION ALL
	-- cnap_lint() calls these as its caller; they only read the catalogs
	SELECT 'FUNCTION', signature, 'pg_proc'::regclass, oid, 'EXECUTE', 'everybody'
	FROM own WHERE name LIKE 'cnap.lint\_%'
$$;
COMMENT ON FUNCTION cnap.privileges() IS
'the privileges on the extension''s objects of roles other than their owner: of everybody, of trusted roles, or of roles that the administrator chooses. An object without an entry is for its owner alone';
