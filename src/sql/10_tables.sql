/*
 * Tables.
 *
 * Only the extension's owner reads or writes them directly; all others use the
 * public functions.  The rules are constraints, and triggers in
 * 20_triggers.sql, so that they apply to every writer.
 */
/*
 * The application's own roles and permissions; the built-in ones stand in
 * src/core/permission.c.  The number is that of the permission's bit, and of the
 * role in the sessions' caches.  What a role has of the application's permissions
 * stands with these.
 */
CREATE TABLE cnap.role_definition (
	name text COLLATE "C" CONSTRAINT role_definition_pkey PRIMARY KEY
		CONSTRAINT role_definition_name_format CHECK (cnap.is_definable(name)),
	number smallint NOT NULL
		CONSTRAINT role_definition_number_key UNIQUE
		CONSTRAINT role_definition_number_range CHECK (number BETWEEN 4 AND 250),
	permissions text[] NOT NULL DEFAULT '{}'
		CONSTRAINT role_definition_permissions_known CHECK (
			permissions <@ '{administer,manage_members}'::text[]),
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cnap.role_definition IS
'the application''s own roles in workspaces, and which of the built-in permissions each has besides access';

CREATE TABLE cnap.permission_definition (
	name text COLLATE "C" CONSTRAINT permission_definition_pkey PRIMARY KEY
		CONSTRAINT permission_definition_name_format CHECK (cnap.is_definable(name)),
	number smallint NOT NULL
		CONSTRAINT permission_definition_number_key UNIQUE
		CONSTRAINT permission_definition_number_range CHECK (number BETWEEN 8 AND 63),
	roles text[] NOT NULL DEFAULT '{}',
	delegable boolean NOT NULL DEFAULT true,
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cnap.permission_definition IS
'the application''s own permissions, the roles that have each besides owner, and whether managers can have it';

CREATE TABLE cnap.organization (
	id uuid CONSTRAINT organization_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
	name text NOT NULL
		CONSTRAINT organization_name_format CHECK (cnap.is_name(name)),
	slug text COLLATE "C"
		CONSTRAINT organization_slug_key UNIQUE
		CONSTRAINT organization_slug_format CHECK (cnap.is_slug(slug)),
	logo text
		CONSTRAINT organization_logo_format CHECK (cnap.is_https_url(logo)),
	management_email text
		CONSTRAINT organization_management_email_format CHECK (cnap.is_email(management_email)),
	customer_id text
		CONSTRAINT organization_customer_id_format CHECK (cnap.is_name(customer_id)),
	accepts text NOT NULL DEFAULT 'anyone'
		CONSTRAINT organization_accepts_known CHECK (accepts IN ('anyone', 'links')),
	metadata jsonb NOT NULL DEFAULT '{}'
		CONSTRAINT organization_metadata_format CHECK (cnap.is_metadata(metadata)),
	created_by cnap.user_id,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cnap.organization IS 'a vendor''s organization, whose members manage workspaces of its customers';
COMMENT ON COLUMN cnap.organization.accepts IS
'who can make it the manager of a workspace: anyone, or only those who redeem one of its install links';

CREATE TABLE cnap.organization_member (
	organization_id uuid NOT NULL
		CONSTRAINT organization_member_organization_id_fkey
		REFERENCES cnap.organization (id) ON DELETE CASCADE,
	user_id cnap.user_id NOT NULL,
	role text COLLATE "C" NOT NULL DEFAULT 'member'
		CONSTRAINT organization_member_role_known CHECK (role IN ('member', 'admin', 'owner')),
	added_by cnap.user_id,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	membership_id uuid NOT NULL DEFAULT gen_random_uuid(),
	CONSTRAINT organization_member_pkey PRIMARY KEY (organization_id, user_id)
);
COMMENT ON TABLE cnap.organization_member IS 'who belongs to an organization, and with which role';
COMMENT ON COLUMN cnap.organization_member.membership_id IS
'identifies this membership: somebody who leaves and joins again has another one';
CREATE INDEX organization_member_user_id_idx ON cnap.organization_member (user_id, organization_id);

CREATE TABLE cnap.workspace (
	id uuid CONSTRAINT workspace_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
	name text NOT NULL
		CONSTRAINT workspace_name_format CHECK (cnap.is_name(name)),
	owner_id cnap.user_id NOT NULL,
	managed_by uuid
		CONSTRAINT workspace_managed_by_fkey
		REFERENCES cnap.organization (id) ON DELETE SET NULL,
	managed_role text COLLATE "C"
		CONSTRAINT workspace_managed_role_cap CHECK (managed_role <> 'owner'),
	managed_until timestamptz,
	managed_since timestamptz,
	managed_access text COLLATE "C"
		CONSTRAINT workspace_managed_access_known CHECK (managed_access IN ('all', 'assigned', 'activated')),
	managed_activation interval
		CONSTRAINT workspace_managed_activation_format CHECK (cnap.is_duration(managed_activation)),
	management_id uuid,
	billing_email text
		CONSTRAINT workspace_billing_email_format CHECK (cnap.is_email(billing_email)),
	customer_id text
		CONSTRAINT workspace_customer_id_format CHECK (cnap.is_name(customer_id)),
	metadata jsonb NOT NULL DEFAULT '{}'
		CONSTRAINT workspace_metadata_format CHECK (cnap.is_metadata(metadata)),
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	own_role text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN managed_role NOT IN ('member', 'admin', 'owner') THEN managed_role END) STORED
		CONSTRAINT workspace_own_role_fkey REFERENCES cnap.role_definition (name),
	CONSTRAINT workspace_management_whole CHECK (
		(managed_by IS NULL) = (managed_role IS NULL)
		AND (managed_by IS NULL) = (managed_since IS NULL)
		AND (managed_by IS NULL) = (managed_access IS NULL)
		AND (managed_by IS NULL) = (management_id IS NULL)
		AND (managed_activation IS NOT NULL) = (managed_access IS NOT DISTINCT FROM 'activated')
		AND (managed_by IS NOT NULL OR managed_until IS NULL))
);
COMMENT ON TABLE cnap.workspace IS 'a customer''s workspace, and the organization that manages it';
COMMENT ON COLUMN cnap.workspace.managed_access IS
'which members of the organization have access: all, those who have been assigned, or those who have activated it';
COMMENT ON COLUMN cnap.workspace.managed_activation IS 'for how long at most a manager can activate the management';
COMMENT ON COLUMN cnap.workspace.management_id IS
'identifies this grant, with these managed_access and managed_activation: assignments belong to it';
CREATE INDEX workspace_own_role_idx ON cnap.workspace (own_role) WHERE own_role IS NOT NULL;
CREATE INDEX workspace_owner_id_idx ON cnap.workspace (owner_id);
CREATE INDEX workspace_managed_by_idx ON cnap.workspace (managed_by, managed_access);

CREATE TABLE cnap.workspace_member (
	workspace_id uuid NOT NULL
		CONSTRAINT workspace_member_workspace_id_fkey
		REFERENCES cnap.workspace (id) ON DELETE CASCADE,
	user_id cnap.user_id NOT NULL,
	role text COLLATE "C" NOT NULL DEFAULT 'member'
		CONSTRAINT workspace_member_role_not_owner CHECK (role <> 'owner'),
	added_by cnap.user_id,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	own_role text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN role NOT IN ('member', 'admin', 'owner') THEN role END) STORED
		CONSTRAINT workspace_member_own_role_fkey REFERENCES cnap.role_definition (name),
	CONSTRAINT workspace_member_pkey PRIMARY KEY (workspace_id, user_id)
);
COMMENT ON TABLE cnap.workspace_member IS 'the direct members of a workspace; its owner is workspace.owner_id';
CREATE INDEX workspace_member_own_role_idx ON cnap.workspace_member (own_role) WHERE own_role IS NOT NULL;
CREATE INDEX workspace_member_user_id_idx ON cnap.workspace_member (user_id, workspace_id);

/*
 * An assignment belongs to one grant and to one membership, which it names by their
 * ids, and counts only as long as both are there: if one of them ends, and another
 * one begins, that has another id.  So what has ended stays so, whoever ended it
 * and in whatever order, although nobody waits for anybody.  There are no foreign
 * keys: the customer's side and the managers' would delete the same rows, and have
 * to wait for each other.  The triggers remove what has ended and is not in use.
 */
CREATE TABLE cnap.assignment (
	workspace_id uuid NOT NULL,
	user_id cnap.user_id NOT NULL,
	until timestamptz,
	reason text
		CONSTRAINT assignment_reason_format CHECK (cnap.is_name(reason)),
	assigned_by cnap.user_id,
	created_at timestamptz NOT NULL DEFAULT now(),
	management_id uuid NOT NULL,
	membership_id uuid NOT NULL,
	CONSTRAINT assignment_pkey PRIMARY KEY (workspace_id, user_id)
);
COMMENT ON TABLE cnap.assignment IS
'who of the managing organization gets into a workspace whose managed_access is not all';
COMMENT ON COLUMN cnap.assignment.reason IS 'why the user activated the management; null: somebody assigned the user';
COMMENT ON COLUMN cnap.assignment.management_id IS 'workspace.management_id of the grant that it belongs to';
COMMENT ON COLUMN cnap.assignment.membership_id IS 'organization_member.membership_id of the membership that it belongs to';
CREATE INDEX assignment_user_id_idx ON cnap.assignment (user_id, workspace_id);

CREATE TABLE cnap.access_token (
	id uuid CONSTRAINT access_token_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
	user_id cnap.user_id NOT NULL,
	name text NOT NULL
		CONSTRAINT access_token_name_format CHECK (cnap.is_name(name)),
	token_hash bytea NOT NULL
		CONSTRAINT access_token_token_hash_key UNIQUE
		CONSTRAINT access_token_token_hash_format CHECK (octet_length(token_hash) = 32),
	expires_at timestamptz,
	revoked_at timestamptz,
	workspaces uuid[]
		CONSTRAINT access_token_workspaces_format CHECK (
			cardinality(workspaces) <= 1000 AND coalesce(array_ndims(workspaces), 1) = 1
			AND array_position(workspaces, NULL) IS NULL),
	permissions text[]
		CONSTRAINT access_token_permissions_format CHECK (cnap.is_permission_list(permissions)),
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cnap.access_token IS 'personal access tokens, and whom they sign in; of the tokens only the SHA-256 is stored';
COMMENT ON COLUMN cnap.access_token.workspaces IS
'the only workspaces in which a session signed in by it has rights; null: all of the user''s';
COMMENT ON COLUMN cnap.access_token.permissions IS
'the only permissions that such a session has; null: all of the user''s';
CREATE INDEX access_token_user_id_idx ON cnap.access_token (user_id);

/*
 * Signing in keeps the row locked until the end of the transaction.  That must
 * not block others who revoke or delete the token, so this is a separate
 * table, without a foreign key.
 */
CREATE TABLE cnap.access_token_use (
	token_id uuid CONSTRAINT access_token_use_pkey PRIMARY KEY,
	last_used_at timestamptz
);
COMMENT ON TABLE cnap.access_token_use IS 'when an access token was last used to sign in, give or take a minute';

CREATE TABLE cnap.role_user (
	role regrole CONSTRAINT role_user_pkey PRIMARY KEY,
	user_id cnap.user_id NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE cnap.role_user IS
'the users of database roles that people log in with; a role that has been dropped is left behind, and means nothing';
CREATE INDEX role_user_user_id_idx ON cnap.role_user (user_id);

CREATE TABLE cnap.install_link (
	id uuid CONSTRAINT install_link_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
	organization_id uuid NOT NULL
		CONSTRAINT install_link_organization_id_fkey
		REFERENCES cnap.organization (id) ON DELETE CASCADE,
	label text
		CONSTRAINT install_link_label_format CHECK (cnap.is_name(label)),
	token_hash bytea NOT NULL
		CONSTRAINT install_link_token_hash_key UNIQUE
		CONSTRAINT install_link_token_hash_format CHECK (octet_length(token_hash) = 32),
	role text COLLATE "C" NOT NULL DEFAULT 'admin'
		CONSTRAINT install_link_role_cap CHECK (role <> 'owner'),
	duration interval
		CONSTRAINT install_link_duration_format CHECK (cnap.is_duration(duration)),
	managers text COLLATE "C" NOT NULL DEFAULT 'all'
		CONSTRAINT install_link_managers_known CHECK (managers IN ('all', 'assigned', 'activated')),
	activation interval
		CONSTRAINT install_link_activation_format CHECK (cnap.is_duration(activation)),
	max_uses integer
		CONSTRAINT install_link_max_uses_positive CHECK (max_uses > 0),
	uses integer NOT NULL DEFAULT 0
		CONSTRAINT install_link_uses_not_negative CHECK (uses >= 0),
	expires_at timestamptz,
	revoked_at timestamptz,
	created_by cnap.user_id,
	created_at timestamptz NOT NULL DEFAULT now(),
	own_role text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN role NOT IN ('member', 'admin', 'owner') AND revoked_at IS NULL THEN role END) STORED
		CONSTRAINT install_link_own_role_fkey REFERENCES cnap.role_definition (name),
	CONSTRAINT install_link_activation_whole CHECK ((activation IS NOT NULL) = (managers = 'activated')),
	CONSTRAINT install_link_uses_at_most CHECK (uses <= max_uses)
);
COMMENT ON TABLE cnap.install_link IS
'install links: with one, the owner of a workspace lets an organization manage it; of its token only the SHA-256 is stored';
COMMENT ON COLUMN cnap.install_link.duration IS 'how long after the redemption the management ends; null: never';
COMMENT ON COLUMN cnap.install_link.managers IS 'becomes workspace.managed_access, and activation managed_activation';
CREATE INDEX install_link_organization_id_idx ON cnap.install_link (organization_id);

/*
 * A workspace uses up no more than one of the uses of a link, however often its
 * management is ended and granted again.
 */
CREATE TABLE cnap.redemption (
	link_id uuid NOT NULL
		CONSTRAINT redemption_link_id_fkey
		REFERENCES cnap.install_link (id) ON DELETE CASCADE,
	workspace_id uuid NOT NULL
		CONSTRAINT redemption_workspace_id_fkey
		REFERENCES cnap.workspace (id) ON DELETE CASCADE,
	redeemed_at timestamptz NOT NULL DEFAULT now(),
	CONSTRAINT redemption_pkey PRIMARY KEY (link_id, workspace_id)
);
COMMENT ON TABLE cnap.redemption IS
'for which workspaces an install link was redeemed, and when it was last';
CREATE INDEX redemption_workspace_id_idx ON cnap.redemption (workspace_id);

CREATE TABLE cnap.invitation (
	id uuid CONSTRAINT invitation_pkey PRIMARY KEY DEFAULT gen_random_uuid(),
	organization_id uuid
		CONSTRAINT invitation_organization_id_fkey
		REFERENCES cnap.organization (id) ON DELETE CASCADE,
	workspace_id uuid
		CONSTRAINT invitation_workspace_id_fkey
		REFERENCES cnap.workspace (id) ON DELETE CASCADE,
	token_hash bytea NOT NULL
		CONSTRAINT invitation_token_hash_key UNIQUE
		CONSTRAINT invitation_token_hash_format CHECK (octet_length(token_hash) = 32),
	role text COLLATE "C" NOT NULL DEFAULT 'member'
		CONSTRAINT invitation_role_known CHECK (workspace_id IS NOT NULL OR role IN ('member', 'admin', 'owner')),
	inviter cnap.user_id,
	expires_at timestamptz NOT NULL,
	outcome text
		CONSTRAINT invitation_outcome_known CHECK (outcome IN ('accepted', 'declined', 'revoked')),
	outcome_at timestamptz,
	outcome_by cnap.user_id,
	email text
		CONSTRAINT invitation_email_format CHECK (cnap.is_email(email)),
	user_id cnap.user_id,
	sent_at timestamptz NOT NULL DEFAULT now(),
	created_at timestamptz NOT NULL DEFAULT now(),
	own_role text COLLATE "C" GENERATED ALWAYS AS (CASE WHEN role NOT IN ('member', 'admin', 'owner') AND outcome IS NULL THEN role END) STORED
		CONSTRAINT invitation_own_role_fkey REFERENCES cnap.role_definition (name),
	CONSTRAINT invitation_to_one_thing CHECK (num_nonnulls(organization_id, workspace_id) = 1),
	CONSTRAINT invitation_role_not_owner CHECK (workspace_id IS NULL OR role <> 'owner'),
	CONSTRAINT invitation_expires_later CHECK (expires_at > sent_at),
	CONSTRAINT invitation_outcome_whole CHECK (
		(outcome IS NULL) = (outcome_at IS NULL)
		AND (outcome IS NOT NULL OR outcome_by IS NULL))
);
COMMENT ON TABLE cnap.invitation IS
'invitations to organizations and to workspaces; of the tokens only the SHA-256 is stored';
COMMENT ON COLUMN cnap.invitation.inviter IS
'the user whose right to add such a member the invitation depends on; null is the system, and for one that has ended also a user who was forgotten';
COMMENT ON COLUMN cnap.invitation.email IS
'where the application delivers the token; not checked';
COMMENT ON COLUMN cnap.invitation.user_id IS
'the only user who can see and accept it; null: whoever has the token';
COMMENT ON COLUMN cnap.invitation.sent_at IS 'when the current token was created';
CREATE INDEX invitation_organization_id_idx ON cnap.invitation (organization_id);
CREATE INDEX invitation_workspace_id_idx ON cnap.invitation (workspace_id);

CREATE TABLE cnap.audit_log (
	id bigint GENERATED ALWAYS AS IDENTITY
		CONSTRAINT audit_log_pkey PRIMARY KEY,
	occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	actor cnap.user_id,
	database_role text NOT NULL
		CONSTRAINT audit_log_database_role_short CHECK (octet_length(database_role) < 64),
	action text NOT NULL
		CONSTRAINT audit_log_action_short CHECK (octet_length(action) < 64),
	organization_id uuid,
	workspace_id uuid,
	subject cnap.user_id,
	path text NOT NULL
		CONSTRAINT audit_log_path_short CHECK (octet_length(path) < 256),
	detail jsonb NOT NULL DEFAULT '{}'
		CONSTRAINT audit_log_detail_short CHECK (octet_length(detail::text) < 65536),
	xid xid8 NOT NULL
);
COMMENT ON TABLE cnap.audit_log IS
'append-only record of every change; it keeps the ids of deleted objects, so it has no foreign keys';
COMMENT ON COLUMN cnap.audit_log.actor IS 'the user who acted; null if there was no current user';
COMMENT ON COLUMN cnap.audit_log.xid IS 'the transaction that wrote the entry, or restored it';
-- Entries come in the order of time, but for a few, so this tells pruning at hardly any cost where old ones are.
CREATE INDEX audit_log_occurred_at_idx ON cnap.audit_log USING brin (occurred_at) WITH (autosummarize = on);
CREATE INDEX audit_log_xid_idx ON cnap.audit_log (xid);
CREATE INDEX audit_log_organization_id_idx ON cnap.audit_log (organization_id, id)
	WHERE organization_id IS NOT NULL;
CREATE INDEX audit_log_workspace_id_idx ON cnap.audit_log (workspace_id, id)
	WHERE workspace_id IS NOT NULL;

/*
 * A dump does not contain this row, so a database that is restored gets another
 * id; pg_upgrade keeps it, as it keeps the numbers of transactions.
 */
CREATE TABLE cnap.audit_history (
	id uuid NOT NULL
);
COMMENT ON TABLE cnap.audit_history IS
'one row: to which sequence of transactions the numbers in cnap.audit_log.xid belong';
INSERT INTO cnap.audit_history VALUES (gen_random_uuid());

SELECT pg_extension_config_dump('cnap.role_definition', '');
SELECT pg_extension_config_dump('cnap.permission_definition', '');
SELECT pg_extension_config_dump('cnap.organization', '');
SELECT pg_extension_config_dump('cnap.organization_member', '');
SELECT pg_extension_config_dump('cnap.workspace', '');
SELECT pg_extension_config_dump('cnap.workspace_member', '');
SELECT pg_extension_config_dump('cnap.assignment', '');
SELECT pg_extension_config_dump('cnap.access_token', '');
SELECT pg_extension_config_dump('cnap.access_token_use', '');
-- A role that has been dropped would be dumped as a number, which may be that of
-- another role where the dump is restored.
SELECT pg_extension_config_dump('cnap.role_user', 'WHERE role::pg_catalog.oid IN (SELECT oid FROM pg_catalog.pg_roles)');
SELECT pg_extension_config_dump('cnap.install_link', '');
SELECT pg_extension_config_dump('cnap.redemption', '');
SELECT pg_extension_config_dump('cnap.invitation', '');
SELECT pg_extension_config_dump('cnap.audit_log', '');
SELECT pg_extension_config_dump('cnap.audit_log_id_seq', '');
