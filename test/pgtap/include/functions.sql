/*
 * The specification of every public function: who can call it, its arguments
 * with their names, types and defaults, and values with which a call succeeds.
 * To be included after setup.sql.
 *
 * A public function without a row here, or with arguments other than those
 * given here, fails the tests arguments.sql and privileges.sql.
 */

-- workspaces into which not all of the managers get
INSERT INTO test.named VALUES
	('assigned', '00000000-0000-4000-8000-0000000000b6'), ('activated', '00000000-0000-4000-8000-0000000000b7');
INSERT INTO cnap.workspace (id, name, owner_id, managed_by, managed_access) VALUES
	(test.id('assigned'), 'Assigned', 'greta', test.id('vendor'), 'assigned'),
	(test.id('activated'), 'Activated', 'greta', test.id('vendor'), 'activated');
INSERT INTO cnap.assignment (workspace_id, user_id) VALUES (test.id('assigned'), 'mia');

CREATE TABLE test.function (
	signature text PRIMARY KEY,
	open_to text NOT NULL,		-- everybody, trusted, superuser
	actor text NOT NULL			-- a user with whom the call below succeeds; empty for none
);
INSERT INTO test.function VALUES
	('cnap_current_user()', 'everybody', 'wanda'),
	('cnap_cache_stats()', 'everybody', 'wanda'),
	('cnap_can_access(uuid)', 'everybody', 'wanda'),
	('cnap_can_access(text,uuid)', 'trusted', 'wanda'),
	('cnap_can_access(uuid,uuid)', 'trusted', 'wanda'),
	('cnap_has_permission(uuid,text)', 'everybody', 'wanda'),
	('cnap_has_permission(text,uuid,text)', 'trusted', 'wanda'),
	('cnap_has_permission(uuid,uuid,text)', 'trusted', 'wanda'),
	('cnap_workspace_role(uuid)', 'everybody', 'wanda'),
	('cnap_workspace_role(text,uuid)', 'trusted', 'wanda'),
	('cnap_accessible_workspaces()', 'everybody', 'wanda'),
	('cnap_accessible_workspaces(text)', 'trusted', 'wanda'),
	('cnap_explain_access(text,uuid)', 'trusted', 'wanda'),
	('cnap_authenticate(text,boolean)', 'everybody', ''),
	('cnap_create_access_token(text,timestamp with time zone,uuid[],text[])', 'everybody', 'wanda'),
	('cnap_access_tokens()', 'everybody', 'wanda'),
	('cnap_revoke_access_token(uuid)', 'everybody', 'wanda'),
	('cnap_define_permission(text,text[],boolean)', 'superuser', 'wanda'),
	('cnap_define_role(text,text[])', 'superuser', 'wanda'),
	('cnap_drop_permission(text)', 'superuser', 'wanda'),
	('cnap_drop_role(text)', 'superuser', 'wanda'),
	('cnap_roles()', 'everybody', 'wanda'),
	('cnap_trust(regrole)', 'superuser', 'wanda'),
	('cnap_distrust(regrole)', 'superuser', 'wanda'),
	('cnap_set_role_user(regrole,text)', 'superuser', 'wanda'),
	('cnap_create_organization(text,text,text,text,text)', 'everybody', 'wanda'),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 'everybody', 'olga'),
	('cnap_delete_organization(uuid)', 'everybody', 'olga'),
	('cnap_organizations()', 'everybody', 'olga'),
	('cnap_organization(uuid)', 'everybody', 'olga'),
	('cnap_organization_workspaces(uuid)', 'everybody', 'olga'),
	('cnap_organization_members(uuid)', 'everybody', 'olga'),
	('cnap_add_organization_member(uuid,text,text)', 'everybody', 'olga'),
	('cnap_set_organization_role(uuid,text,text)', 'everybody', 'olga'),
	('cnap_remove_organization_member(uuid,text)', 'everybody', 'olga'),
	('cnap_leave_organization(uuid)', 'everybody', 'olga'),
	('cnap_organization_audit(uuid,bigint,integer)', 'everybody', 'olga'),
	('cnap_create_workspace(text,text)', 'everybody', 'wanda'),
	('cnap_update_workspace(uuid,text,jsonb)', 'everybody', 'wanda'),
	('cnap_workspace_billing(uuid)', 'everybody', 'wanda'),
	('cnap_set_workspace_billing(uuid,text,text)', 'everybody', 'wanda'),
	('cnap_transfer_workspace(uuid,text)', 'everybody', 'wanda'),
	('cnap_delete_workspace(uuid)', 'everybody', 'wanda'),
	('cnap_workspaces()', 'everybody', 'wanda'),
	('cnap_workspace_members(uuid)', 'everybody', 'wanda'),
	('cnap_add_workspace_member(uuid,text,text)', 'everybody', 'wanda'),
	('cnap_set_workspace_role(uuid,text,text)', 'everybody', 'wanda'),
	('cnap_remove_workspace_member(uuid,text)', 'everybody', 'wanda'),
	('cnap_leave_workspace(uuid)', 'everybody', 'dave'),
	('cnap_workspace_audit(uuid,bigint,integer)', 'everybody', 'wanda'),
	('cnap_grant_management(uuid,uuid,text,timestamp with time zone,text,interval)', 'everybody', 'wanda'),
	('cnap_assign_manager(uuid,text,timestamp with time zone)', 'everybody', 'olga'),
	('cnap_unassign_manager(uuid,text)', 'everybody', 'olga'),
	('cnap_activate_management(uuid,text,interval)', 'everybody', 'mia'),
	('cnap_revoke_management(uuid)', 'everybody', 'wanda'),
	('cnap_preview_revocation(uuid)', 'everybody', 'wanda'),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 'everybody', 'adam'),
	('cnap_install_link(text)', 'everybody', 'nina'),
	('cnap_redeem_install_link(text,uuid)', 'everybody', 'wanda'),
	('cnap_install_links(uuid)', 'everybody', 'adam'),
	('cnap_revoke_install_link(uuid)', 'everybody', 'adam'),
	('cnap_invite_to_organization(uuid,text,text,timestamp with time zone,text)', 'everybody', 'olga'),
	('cnap_invite_to_workspace(uuid,text,text,timestamp with time zone,text)', 'everybody', 'wanda'),
	('cnap_invitation(text)', 'everybody', 'nina'),
	('cnap_accept_invitation(text)', 'everybody', 'nina'),
	('cnap_decline_invitation(text)', 'everybody', 'nina'),
	('cnap_invitations(uuid)', 'everybody', 'adam'),
	('cnap_workspace_invitations(uuid)', 'everybody', 'dora'),
	('cnap_revoke_invitation(uuid)', 'everybody', 'adam'),
	('cnap_resend_invitation(uuid)', 'everybody', 'adam'),
	('cnap_forget_user(text,text)', 'trusted', 'wanda'),
	('cnap_uuid(bigint)', 'everybody', 'wanda'),
	('cnap_uuid(text)', 'everybody', 'wanda'),
	('cnap_check_import(text,jsonb,boolean)', 'superuser', 'wanda'),
	('cnap_import(text,jsonb,boolean,boolean)', 'superuser', 'wanda'),
	('cnap_prune_audit(interval)', 'superuser', 'wanda'),
	('cnap_audit_cursor()', 'superuser', 'wanda'),
	('cnap_beat(boolean)', 'superuser', 'wanda'),
	('cnap_publish()', 'superuser', 'wanda'),
	('cnap_followers()', 'superuser', 'wanda'),
	('cnap_server_stats()', 'superuser', 'wanda'),
	('cnap_position()', 'everybody', 'wanda'),
	('cnap_wait(text,interval)', 'everybody', 'wanda'),
	('cnap_audit_feed(text,integer)', 'superuser', 'wanda'),
	('cnap_protect(regclass,name,text,text)', 'everybody', 'wanda'),
	('cnap_protect_child(regclass,name,name)', 'everybody', 'wanda'),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 'everybody', 'wanda'),
	('cnap_unprotect(regclass)', 'everybody', 'wanda'),
	('cnap_unprotect_schema(name,boolean)', 'everybody', 'wanda'),
	('cnap_protected_tables()', 'everybody', 'wanda'),
	('cnap_visible_rows(text,regrole,name)', 'trusted', 'wanda'),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 'trusted', 'wanda'),
	('cnap_lint()', 'everybody', 'wanda'),
	('cnap_accept_finding(text,text,text)', 'superuser', 'wanda'),
	('cnap_accepted_findings()', 'everybody', 'wanda');

/*
 * Their arguments.  Kind is what the argument means, and decides what is
 * refused (arguments.sql); the last column is a literal that is not.
 */
CREATE TABLE test.argument (
	signature text REFERENCES test.function,
	position integer,
	name text NOT NULL,
	has_default boolean NOT NULL,
	kind text NOT NULL,
	good text NOT NULL,
	PRIMARY KEY (signature, position)
);
INSERT INTO test.argument VALUES
	('cnap_can_access(uuid)', 1, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_can_access(text,uuid)', 1, 'user_id', false, 'asked user', '''wanda'''),
	('cnap_can_access(text,uuid)', 2, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_can_access(uuid,uuid)', 1, 'user_id', false, 'asked uuid', '{unknown}'),
	('cnap_can_access(uuid,uuid)', 2, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_has_permission(uuid,text)', 1, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_has_permission(uuid,text)', 2, 'permission', false, 'asked permission', '''access'''),
	('cnap_has_permission(text,uuid,text)', 1, 'user_id', false, 'asked user', '''wanda'''),
	('cnap_has_permission(text,uuid,text)', 2, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_has_permission(text,uuid,text)', 3, 'permission', false, 'asked permission', '''delete'''),
	('cnap_has_permission(uuid,uuid,text)', 1, 'user_id', false, 'asked uuid', '{unknown}'),
	('cnap_has_permission(uuid,uuid,text)', 2, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_has_permission(uuid,uuid,text)', 3, 'permission', false, 'asked permission', '''delete'''),
	('cnap_workspace_role(uuid)', 1, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_workspace_role(text,uuid)', 1, 'user_id', false, 'asked user', '''wanda'''),
	('cnap_workspace_role(text,uuid)', 2, 'workspace', false, 'asked workspace', '{ws}'),
	('cnap_accessible_workspaces(text)', 1, 'user_id', false, 'asked user', '''wanda'''),
	('cnap_explain_access(text,uuid)', 1, 'user_id', false, 'user', '''wanda'''),
	('cnap_explain_access(text,uuid)', 2, 'workspace', false, 'explained workspace', '{ws}'),
	('cnap_authenticate(text,boolean)', 1, 'token', false, 'access token', '''cnap_pat_3kseszoe3npgduxsx5yuo3h6qilmsmdne6ftx3q'''),
	('cnap_authenticate(text,boolean)', 2, 'is_local', true, 'required boolean', 'true'),
	('cnap_create_access_token(text,timestamp with time zone,uuid[],text[])', 1, 'name', false, 'name', '''Script'''),
	('cnap_create_access_token(text,timestamp with time zone,uuid[],text[])', 2, 'expires_at', true, 'until', '''2999-12-31'''),
	('cnap_create_access_token(text,timestamp with time zone,uuid[],text[])', 3, 'workspaces', true, 'optional workspaces', 'ARRAY[{ws}]::uuid[]'),
	('cnap_create_access_token(text,timestamp with time zone,uuid[],text[])', 4, 'permissions', true, 'optional permissions', 'ARRAY[''access'']'),
	('cnap_revoke_access_token(uuid)', 1, 'token_id', false, 'access token id', '{token}'),
	('cnap_trust(regrole)', 1, 'role', false, 'database role', '''cnap_test_visitor'''),
	('cnap_distrust(regrole)', 1, 'role', false, 'database role', '''cnap_test_app'''),
	('cnap_set_role_user(regrole,text)', 1, 'role', false, 'database role', '''cnap_test_visitor'''),
	('cnap_set_role_user(regrole,text)', 2, 'user_id', false, 'invited user', '''wanda'''),
	('cnap_create_organization(text,text,text,text,text)', 1, 'name', false, 'name', '''New'''),
	('cnap_create_organization(text,text,text,text,text)', 2, 'slug', true, 'slug', '''new'''),
	('cnap_create_organization(text,text,text,text,text)', 3, 'logo', true, 'logo', '''https://new.example/'''),
	('cnap_create_organization(text,text,text,text,text)', 4, 'management_email', true, 'email', '''a@new.example'''),
	('cnap_create_organization(text,text,text,text,text)', 5, 'owner', true, 'owner', '''wanda'''),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 2, 'name', true, 'new name', '''New'''),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 3, 'slug', true, 'slug', '''new'''),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 4, 'logo', true, 'logo', '''https://new.example/'''),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 5, 'management_email', true, 'email', '''a@new.example'''),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 6, 'metadata', true, 'metadata', '''{"a": 1}'''),
	('cnap_update_organization(uuid,text,text,text,text,jsonb,text)', 7, 'accepts', true, 'accepts', '''links'''),
	('cnap_delete_organization(uuid)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_organization(uuid)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_organization_workspaces(uuid)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_organization_members(uuid)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_add_organization_member(uuid,text,text)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_add_organization_member(uuid,text,text)', 2, 'user_id', false, 'new member', '''nina'''),
	('cnap_add_organization_member(uuid,text,text)', 3, 'role', true, 'organization role', '''admin'''),
	('cnap_set_organization_role(uuid,text,text)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_set_organization_role(uuid,text,text)', 2, 'user_id', false, 'organization member', '''mia'''),
	('cnap_set_organization_role(uuid,text,text)', 3, 'role', false, 'organization role', '''admin'''),
	('cnap_remove_organization_member(uuid,text)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_remove_organization_member(uuid,text)', 2, 'user_id', false, 'organization member', '''mia'''),
	('cnap_leave_organization(uuid)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_organization_audit(uuid,bigint,integer)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_organization_audit(uuid,bigint,integer)', 2, 'before', true, 'before', '''1000000'''),
	('cnap_organization_audit(uuid,bigint,integer)', 3, 'max_rows', true, 'max rows', '''10'''),
	('cnap_create_workspace(text,text)', 1, 'name', false, 'name', '''New'''),
	('cnap_create_workspace(text,text)', 2, 'owner', true, 'owner', '''wanda'''),
	('cnap_update_workspace(uuid,text,jsonb)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_update_workspace(uuid,text,jsonb)', 2, 'name', true, 'new name', '''New'''),
	('cnap_update_workspace(uuid,text,jsonb)', 3, 'metadata', true, 'metadata', '''{"a": 1}'''),
	('cnap_workspace_billing(uuid)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_set_workspace_billing(uuid,text,text)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_set_workspace_billing(uuid,text,text)', 2, 'billing_email', true, 'email', '''pay@new.example'''),
	('cnap_set_workspace_billing(uuid,text,text)', 3, 'customer_id', true, 'text', '''c-1'''),
	('cnap_transfer_workspace(uuid,text)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_transfer_workspace(uuid,text)', 2, 'new_owner', false, 'workspace member', '''dave'''),
	('cnap_delete_workspace(uuid)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_workspace_members(uuid)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_add_workspace_member(uuid,text,text)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_add_workspace_member(uuid,text,text)', 2, 'user_id', false, 'new member', '''nina'''),
	('cnap_add_workspace_member(uuid,text,text)', 3, 'role', true, 'workspace role', '''admin'''),
	('cnap_set_workspace_role(uuid,text,text)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_set_workspace_role(uuid,text,text)', 2, 'user_id', false, 'workspace member', '''dave'''),
	('cnap_set_workspace_role(uuid,text,text)', 3, 'role', false, 'workspace role', '''admin'''),
	('cnap_remove_workspace_member(uuid,text)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_remove_workspace_member(uuid,text)', 2, 'user_id', false, 'workspace member', '''dave'''),
	('cnap_leave_workspace(uuid)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_workspace_audit(uuid,bigint,integer)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_workspace_audit(uuid,bigint,integer)', 2, 'before', true, 'before', '''1000000'''),
	('cnap_workspace_audit(uuid,bigint,integer)', 3, 'max_rows', true, 'max rows', '''10'''),
	('cnap_grant_management(uuid,uuid,text,timestamp with time zone,text,interval)', 1, 'workspace', false, 'workspace', '{free}'),
	('cnap_grant_management(uuid,uuid,text,timestamp with time zone,text,interval)', 2, 'organization', false, 'manager', '{vendor}'),
	('cnap_grant_management(uuid,uuid,text,timestamp with time zone,text,interval)', 3, 'role', true, 'workspace role', '''member'''),
	('cnap_grant_management(uuid,uuid,text,timestamp with time zone,text,interval)', 4, 'until', true, 'until', '''2999-12-31'''),
	('cnap_grant_management(uuid,uuid,text,timestamp with time zone,text,interval)', 5, 'managers', true, 'managers', '''assigned'''),
	('cnap_grant_management(uuid,uuid,text,timestamp with time zone,text,interval)', 6, 'activation', true, 'duration', '''2 hours'''),
	('cnap_assign_manager(uuid,text,timestamp with time zone)', 1, 'workspace', false, 'workspace', '{assigned}'),
	('cnap_assign_manager(uuid,text,timestamp with time zone)', 2, 'user_id', false, 'organization member', '''max'''),
	('cnap_assign_manager(uuid,text,timestamp with time zone)', 3, 'until', true, 'until', '''2999-12-31'''),
	('cnap_unassign_manager(uuid,text)', 1, 'workspace', false, 'workspace', '{assigned}'),
	('cnap_unassign_manager(uuid,text)', 2, 'user_id', false, 'assigned manager', '''mia'''),
	('cnap_activate_management(uuid,text,interval)', 1, 'workspace', false, 'workspace', '{activated}'),
	('cnap_activate_management(uuid,text,interval)', 2, 'reason', false, 'reason of a manager', '''ticket 4711'''),
	('cnap_activate_management(uuid,text,interval)', 3, 'duration', true, 'activation', '''1 hour'''),
	('cnap_revoke_management(uuid)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_preview_revocation(uuid)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 2, 'label', true, 'label', '''Spring'''),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 3, 'max_uses', true, 'max uses', '''3'''),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 4, 'expires_at', true, 'until', '''2999-12-31'''),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 5, 'role', true, 'workspace role', '''member'''),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 6, 'duration', true, 'duration', '''30 days'''),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 7, 'managers', true, 'managers', '''assigned'''),
	('cnap_create_install_link(uuid,text,integer,timestamp with time zone,text,interval,text,interval)', 8, 'activation', true, 'duration', '''2 hours'''),
	('cnap_install_link(text)', 1, 'token', false, 'install link', '''cnap_link_7bqk4xv2mzt3hnwc5ydroi6paeujsgflqhbi5zq'''),
	('cnap_redeem_install_link(text,uuid)', 1, 'token', false, 'install link', '''cnap_link_7bqk4xv2mzt3hnwc5ydroi6paeujsgflqhbi5zq'''),
	('cnap_redeem_install_link(text,uuid)', 2, 'workspace', false, 'workspace', '{free}'),
	('cnap_install_links(uuid)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_revoke_install_link(uuid)', 1, 'link_id', false, 'install link id', '{link}'),
	('cnap_invite_to_organization(uuid,text,text,timestamp with time zone,text)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_invite_to_organization(uuid,text,text,timestamp with time zone,text)', 2, 'role', true, 'organization role', '''admin'''),
	('cnap_invite_to_organization(uuid,text,text,timestamp with time zone,text)', 3, 'email', true, 'email', '''nina@new.example'''),
	('cnap_invite_to_organization(uuid,text,text,timestamp with time zone,text)', 4, 'expires_at', true, 'until', '''2999-12-31'''),
	('cnap_invite_to_organization(uuid,text,text,timestamp with time zone,text)', 5, 'user_id', true, 'invited user', '''nina'''),
	('cnap_invite_to_workspace(uuid,text,text,timestamp with time zone,text)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_invite_to_workspace(uuid,text,text,timestamp with time zone,text)', 2, 'role', true, 'workspace role', '''admin'''),
	('cnap_invite_to_workspace(uuid,text,text,timestamp with time zone,text)', 3, 'email', true, 'email', '''nina@new.example'''),
	('cnap_invite_to_workspace(uuid,text,text,timestamp with time zone,text)', 4, 'expires_at', true, 'until', '''2999-12-31'''),
	('cnap_invite_to_workspace(uuid,text,text,timestamp with time zone,text)', 5, 'user_id', true, 'invited user', '''nina'''),
	('cnap_invitation(text)', 1, 'token', false, 'invitation', '''cnap_invite_p2xw4hq7zk3mvb6ntcy5rdsjaeoiugfmxkwvcqi'''),
	('cnap_accept_invitation(text)', 1, 'token', false, 'invitation', '''cnap_invite_p2xw4hq7zk3mvb6ntcy5rdsjaeoiugfmxkwvcqi'''),
	('cnap_decline_invitation(text)', 1, 'token', false, 'invitation', '''cnap_invite_p2xw4hq7zk3mvb6ntcy5rdsjaeoiugfmxkwvcqi'''),
	('cnap_invitations(uuid)', 1, 'organization', false, 'organization', '{vendor}'),
	('cnap_workspace_invitations(uuid)', 1, 'workspace', false, 'workspace', '{ws}'),
	('cnap_revoke_invitation(uuid)', 1, 'invitation_id', false, 'invitation id', '{invitation}'),
	('cnap_resend_invitation(uuid)', 1, 'invitation_id', false, 'invitation id', '{invitation}'),
	('cnap_forget_user(text,text)', 1, 'user_id', false, 'user', '''dave'''),
	('cnap_forget_user(text,text)', 2, 'successor', true, 'successor', '''dina'''),
	('cnap_define_permission(text,text[],boolean)', 1, 'name', false, 'definable permission', '''deploy'''),
	('cnap_define_permission(text,text[],boolean)', 2, 'roles', true, 'array of names', 'ARRAY[''admin'']'),
	('cnap_define_permission(text,text[],boolean)', 3, 'delegable', true, 'required boolean', 'false'),
	('cnap_define_role(text,text[])', 1, 'name', false, 'definable role', '''deployer'''),
	('cnap_define_role(text,text[])', 2, 'permissions', false, 'array of names', 'ARRAY[''administer'']'),
	('cnap_drop_permission(text)', 1, 'name', false, 'own permission', '''own_permission'''),
	('cnap_drop_role(text)', 1, 'name', false, 'own role', '''own_role'''),
	('cnap_uuid(bigint)', 1, 'id', false, 'any number', '42::bigint'),
	('cnap_uuid(text)', 1, 'id', false, 'any text', '''acme'''),
	('cnap_check_import(text,jsonb,boolean)', 1, 'kind', false, 'kind of rows', '''workspaces'''),
	('cnap_check_import(text,jsonb,boolean)', 2, 'rows', false, 'rows', '''[{"id": 7}]'''),
	('cnap_check_import(text,jsonb,boolean)', 3, 'skip_existing', true, 'required boolean', 'true'),
	('cnap_import(text,jsonb,boolean,boolean)', 1, 'kind', false, 'kind of rows', '''workspaces'''),
	('cnap_import(text,jsonb,boolean,boolean)', 2, 'rows', false, 'rows', '''[{"id": 7, "name": "Seven", "owner_id": "sven"}]'''),
	('cnap_import(text,jsonb,boolean,boolean)', 3, 'audit', true, 'required boolean', 'false'),
	('cnap_import(text,jsonb,boolean,boolean)', 4, 'skip_existing', true, 'required boolean', 'true'),
	('cnap_prune_audit(interval)', 1, 'older_than', false, 'age', '''1 year'''),
	('cnap_audit_feed(text,integer)', 1, 'after', true, 'cursor', 'null'),
	('cnap_audit_feed(text,integer)', 2, 'max_rows', true, 'max rows', '''10'''),
	('cnap_accept_finding(text,text,text)', 1, 'rule', false, 'finding', '''table_unprotected'''),
	('cnap_accept_finding(text,text,text)', 2, 'object', false, 'finding', '''test.import'''),
	('cnap_accept_finding(text,text,text)', 3, 'reason', false, 'reason', '''looked at'''),
	('cnap_beat(boolean)', 1, 'take_over', true, 'required boolean', 'false'),
	('cnap_wait(text,interval)', 1, 'position', false, 'position',
		(SELECT quote_literal(format('%s/%s@0/0', c.system_identifier, d.oid))
			FROM pg_control_system() c, pg_database d WHERE d.datname = current_database())),
	('cnap_wait(text,interval)', 2, 'timeout', true, 'time', '''1 s'''),
	('cnap_protect(regclass,name,text,text)', 1, 'relation', false, 'relation', '''test.document'''),
	('cnap_protect(regclass,name,text,text)', 2, 'workspace_column', true, 'optional column', '''workspace_id'''),
	('cnap_protect(regclass,name,text,text)', 3, 'write_permission', true, 'optional permission', '''administer'''),
	('cnap_protect(regclass,name,text,text)', 4, 'read_permission', true, 'optional permission', '''administer'''),
	('cnap_protect_child(regclass,name,name)', 1, 'relation', false, 'relation', '''test.entry'''),
	('cnap_protect_child(regclass,name,name)', 2, 'parent_column', false, 'parent column', '''folder_id'''),
	('cnap_protect_child(regclass,name,name)', 3, 'workspace_column', true, 'kept column', '''ws'''),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 1, 'schema', false, 'schema', '''public'''),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 2, 'execute', true, 'required boolean', 'false'),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 3, 'workspace_columns', true, 'array of names', 'ARRAY[''workspace_id'']'),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 4, 'write_permission', true, 'optional permission', '''administer'''),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 5, 'read_permission', true, 'optional permission', '''administer'''),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 6, 'child_column', true, 'any name', '''ws'''),
	('cnap_protect_schema(name,boolean,name[],text,text,name,regclass[])', 7, 'leave_out', true, 'array of tables', 'ARRAY[''test.import'']'),
	('cnap_visible_rows(text,regrole,name)', 1, 'user_id', false, 'user', '''dave'''),
	('cnap_visible_rows(text,regrole,name)', 2, 'role', true, 'role to count as', '''cnap_test_app'''),
	('cnap_visible_rows(text,regrole,name)', 3, 'schema', true, 'schema to count', '''test'''),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 1, 'schema', false, 'schema', '''public'''),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 2, 'users', false, 'array of names', 'ARRAY[''dave'']'),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 3, 'role', true, 'role to count as', '''cnap_test_app'''),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 4, 'workspace_columns', true, 'array of names', 'ARRAY[''workspace_id'']'),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 5, 'write_permission', true, 'optional permission', '''administer'''),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 6, 'read_permission', true, 'optional permission', '''administer'''),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 7, 'child_column', true, 'any name', '''ws'''),
	('cnap_compare_protection(name,text[],regrole,name[],text,text,name,regclass[])', 8, 'leave_out', true, 'array of tables', 'ARRAY[''test.import'']'),
	('cnap_unprotect_schema(name,boolean)', 1, 'schema', false, 'schema', '''public'''),
	('cnap_unprotect_schema(name,boolean)', 2, 'execute', true, 'required boolean', 'false'),
	('cnap_unprotect(regclass)', 1, 'relation', false, 'relation', '''test.document''');

-- a table of the application, and one of another owner
GRANT CREATE ON SCHEMA test TO cnap_test_app, cnap_test_visitor;
CREATE TABLE test.import (workspace_id uuid);
CREATE TABLE test.document (workspace_id uuid PRIMARY KEY);
ALTER TABLE test.document OWNER TO cnap_test_app;
CREATE TABLE test.somebodys (workspace_id uuid PRIMARY KEY);
CREATE TABLE test.folder (id int PRIMARY KEY, workspace_id uuid NOT NULL UNIQUE);
ALTER TABLE test.folder OWNER TO cnap_test_app;
SELECT cnap_protect('test.folder');
CREATE TABLE test.entry (folder_id int PRIMARY KEY REFERENCES test.folder);
ALTER TABLE test.entry OWNER TO cnap_test_app;

/* The type of an argument, from the catalog. */
CREATE FUNCTION test.type_of(argument test.argument) RETURNS text STABLE
RETURN (SELECT p.proargtypes[argument.position - 1]::regtype::text FROM pg_proc p
	WHERE p.oid = argument.signature::regprocedure);

/* A call, with the given literal for one of the arguments. */
CREATE FUNCTION test.call_with(signature text, "position" integer, literal text) RETURNS text STABLE
RETURN (SELECT format('SELECT * FROM %s(%s)', split_part($1, '(', 1),
		string_agg(format('%I => %s::%s', a.name,
			CASE WHEN a.position = $2 THEN $3 ELSE a.good END, test.type_of(a)),
			', ' ORDER BY a.position))
	FROM test.argument a WHERE a.signature = $1);

/* A call with good values: named, or in their places and untyped. */
CREATE FUNCTION test.named_call(signature text, with_defaults boolean) RETURNS text STABLE
RETURN (SELECT format('SELECT * FROM %s(%s)', split_part($1, '(', 1),
		string_agg(format('%I => %s', a.name, a.good), ', ' ORDER BY a.position DESC))
	FROM test.argument a WHERE a.signature = $1 AND (with_defaults OR NOT a.has_default));
CREATE FUNCTION test.positional_call(signature text) RETURNS text STABLE
RETURN (SELECT format('SELECT * FROM %s(%s)', split_part($1, '(', 1),
		string_agg(a.good, ', ' ORDER BY a.position))
	FROM test.argument a WHERE a.signature = $1);

/* The database role to whom the call is open. */
CREATE FUNCTION test.caller(function test.function) RETURNS text IMMUTABLE
RETURN CASE WHEN function.open_to = 'superuser' THEN 'none' ELSE 'cnap_test_app' END;

/* What is not a token, in every way in which that can be, from one that is. */
CREATE FUNCTION test.bad_token(good text) RETURNS TABLE (what text, literal text)
LANGUAGE sql IMMUTABLE AS $$
	SELECT bad.what, quote_literal(bad.value)
	FROM (VALUES
		('empty', ''), ('blank', ' '), ('256 bytes', repeat('x', 256)),
		('a typing error', translate(good, 'a3', '3a')),
		('eight characters reversed', left(good, -8) || reverse(right(good, 8))),
		('truncated', left(good, -1)),
		('the prefix alone', regexp_replace(good, '_[^_]*$', '_')),
		('without the prefix', regexp_replace(good, '^.*_', '')),
		('in upper case', upper(good)),
		('a blank at the end', good || ' '),
		('twice', good || good),
		('1 MB', rpad(good, 1024 * 1024, good))) bad (what, value)
$$;
