/*
 * Queries of the listing functions.
 *
 * These are executed as the owner of the tables, by C functions that have
 * checked the caller's rights; nobody else can call them.
 *
 * The view below says for listings what ways.c says for a single decision.
 */
CREATE FUNCTION cnap.role_rank(role text) RETURNS integer
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_role_rank';
COMMENT ON FUNCTION cnap.role_rank(text) IS
'the order of roles in listings: a higher number for a higher role';

-- inlined, so the planner sees the comparison
CREATE FUNCTION cnap.holds_until(until timestamptz) RETURNS boolean
LANGUAGE sql VOLATILE PARALLEL SAFE
AS $$
	SELECT until IS NULL OR until > clock_timestamp()
$$;
COMMENT ON FUNCTION cnap.holds_until(timestamptz) IS
'whether what ends at that time, or never, holds now';

CREATE VIEW cnap.way_in AS
	SELECT id AS workspace_id, owner_id AS user_id, 'owner' AS via,
		'owner'::text AS role, NULL::uuid AS organization_id,
		NULL::timestamptz AS until, created_at AS since
	FROM cnap.workspace
	UNION ALL
	SELECT workspace_id, user_id, 'member', role, NULL, NULL, created_at
	FROM cnap.workspace_member
	UNION ALL
	SELECT w.id, m.user_id, 'organization', w.managed_role, w.managed_by,
		w.managed_until, greatest(w.managed_since, m.created_at)
	FROM cnap.workspace w
		JOIN cnap.organization_member m ON m.organization_id = w.managed_by
	WHERE w.managed_access = 'all'
		AND cnap.holds_until(w.managed_until)
	UNION ALL
	SELECT w.id, m.user_id, 'organization', w.managed_role, w.managed_by,
		least(w.managed_until, a.until), greatest(w.managed_since, m.created_at, a.created_at)
	FROM cnap.assignment a
		JOIN cnap.workspace w ON w.id = a.workspace_id AND w.management_id = a.management_id
		JOIN cnap.organization_member m ON m.organization_id = w.managed_by
			AND m.user_id = a.user_id AND m.membership_id = a.membership_id
	WHERE w.managed_access <> 'all'
		AND cnap.holds_until(w.managed_until)
		AND cnap.holds_until(a.until);
COMMENT ON VIEW cnap.way_in IS
'every current way of every user into every workspace: the rules of access as a single query';

CREATE FUNCTION cnap.show_organization(organization uuid)
RETURNS TABLE (id uuid, name text, slug text, logo text, management_email text,
	customer_id text, accepts text, metadata jsonb, created_by text, created_at timestamptz,
	updated_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
	SELECT o.id, o.name, o.slug, o.logo, o.management_email, o.customer_id,
		o.accepts, o.metadata, o.created_by, o.created_at, o.updated_at
	FROM cnap.organization o
	WHERE o.id = organization
$$;
COMMENT ON FUNCTION cnap.show_organization(uuid) IS 'rows of cnap_organization()';

CREATE FUNCTION cnap.show_workspace(workspace uuid)
RETURNS TABLE (id uuid, name text, owner_id text, managed_by uuid, managed_role text,
	managed_since timestamptz, managed_until timestamptz, managers text, activation interval,
	metadata jsonb, created_at timestamptz, updated_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
	SELECT w.id, w.name, w.owner_id, m.managed_by, m.managed_role,
		m.managed_since, m.managed_until, m.managed_access, m.managed_activation,
		w.metadata, w.created_at, w.updated_at
	FROM cnap.workspace w
		LEFT JOIN cnap.workspace m ON m.id = w.id AND m.managed_by IS NOT NULL
			AND cnap.holds_until(m.managed_until)
	WHERE w.id = workspace
$$;
COMMENT ON FUNCTION cnap.show_workspace(uuid) IS
'rows of cnap_workspace(); what is about the management is null where none is in force';

CREATE FUNCTION cnap.list_organizations(person text)
RETURNS TABLE (id uuid, name text, slug text, logo text, role text,
	created_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
	SELECT o.id, o.name, o.slug, o.logo, m.role, o.created_at
	FROM cnap.organization_member m
		JOIN cnap.organization o ON o.id = m.organization_id
	WHERE m.user_id = person
	ORDER BY o.name, o.id
$$;
COMMENT ON FUNCTION cnap.list_organizations(text) IS 'rows of cnap_organizations()';

/*
 * The pages of lists begin after a row of the page before, at a place in the order
 * rather than at a number: nothing is shown twice or left out because something else
 * has come or gone.  With max_rows null, the page is all that is left.
 *
 * The members of one object are ordered by user_id alone, so that a page is read from
 * the index of the primary key and costs what a page costs.  User ids are not empty,
 * so '' is before all of them, and the comparison is an index condition in a plan for
 * any arguments: planning would take longer than reading.
 */
CREATE FUNCTION cnap.list_organization_members(organization uuid, after text, max_rows integer)
RETURNS TABLE (user_id text, role text, added_by text, created_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
	SELECT m.user_id, m.role, m.added_by, m.created_at
	FROM cnap.organization_member m
	WHERE m.organization_id = organization AND m.user_id > coalesce(after, '')
	ORDER BY m.user_id
	LIMIT max_rows
$$;
COMMENT ON FUNCTION cnap.list_organization_members(uuid, text, integer) IS 'rows of cnap_organization_members()';

CREATE FUNCTION cnap.list_organization_workspaces(organization uuid, after uuid, max_rows integer,
	after_name text)
RETURNS TABLE (id uuid, name text, owner_id text, managed_role text,
	managed_since timestamptz, managed_until timestamptz, managers text, activation interval,
	assigned text[])
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
	SELECT w.id, w.name, w.owner_id, w.managed_role, w.managed_since, w.managed_until,
		w.managed_access, w.managed_activation,
		CASE WHEN w.managed_access <> 'all' THEN ARRAY(
			SELECT i.user_id::text FROM cnap.way_in i
			WHERE i.workspace_id = w.id AND i.via = 'organization' ORDER BY i.user_id) END
	FROM cnap.workspace w
	WHERE w.managed_by = organization
		AND cnap.holds_until(w.managed_until)
		AND (after IS NULL OR (w.name, w.id) > (after_name, after))
	ORDER BY w.name, w.id
	LIMIT max_rows
$$;
COMMENT ON FUNCTION cnap.list_organization_workspaces(uuid, uuid, integer, text) IS
'rows of cnap_organization_workspaces(); after_name is the name of the workspace after';

/*
 * A page of the audit log must come from the index that leads with the id of
 * the organization or workspace.  The planner might choose the primary key if
 * that provided the order, and read the entries of all others on the way to
 * old ones, so the order includes that id.  It would disregard a column that it
 * knows to be constant, so the comparison is not by "=".  The plan is made for
 * the arguments (CURSOR_OPT_CUSTOM_PLAN), so that before is an index condition.
 */
CREATE FUNCTION cnap.list_organization_audit(organization uuid, before bigint, max_rows integer)
RETURNS TABLE (id bigint, occurred_at timestamptz, actor text, database_role text,
	action text, workspace_id uuid, subject text, path text, detail jsonb)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
	SELECT a.id, a.occurred_at, a.actor, a.database_role, a.action, a.workspace_id,
		a.subject, a.path, a.detail
	FROM cnap.audit_log a
	WHERE a.organization_id = ANY (ARRAY[organization]) AND (before IS NULL OR a.id < before)
	ORDER BY a.organization_id DESC, a.id DESC
	LIMIT max_rows
$$;
COMMENT ON FUNCTION cnap.list_organization_audit(uuid, bigint, integer) IS 'rows of cnap_organization_audit()';

CREATE FUNCTION cnap.list_sole_property(person text)
RETURNS TABLE (kind text, id uuid, name text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
	SELECT 'organization', o.id, o.name
	FROM cnap.organization_member m
		JOIN cnap.organization o ON o.id = m.organization_id
	WHERE m.user_id = person AND m.role = 'owner' AND NOT EXISTS (
		SELECT FROM cnap.organization_member other
		WHERE other.organization_id = m.organization_id AND other.role = 'owner'
			AND other.user_id <> m.user_id)
	UNION ALL
	SELECT 'workspace', w.id, w.name
	FROM cnap.workspace w
	WHERE w.owner_id = person
$$;
COMMENT ON FUNCTION cnap.list_sole_property(text) IS
'what a user is the sole owner of: their workspaces, and the organizations without another owner';

CREATE FUNCTION cnap.list_workspaces(after uuid, max_rows integer, person text, limited boolean,
	after_name text, after_shared boolean)
RETURNS TABLE (id uuid, name text, section text, role text, via text,
	organization uuid)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
	SELECT w.id, w.name,
		CASE WHEN w.owner_id = person THEN 'own' ELSE 'shared' END,
		CASE WHEN limited THEN @extschema@.cnap_workspace_role(w.id) ELSE best.role END,
		best.via, best.organization_id
	FROM (
		SELECT DISTINCT ON (i.workspace_id) i.workspace_id, i.role, i.via, i.organization_id
		FROM cnap.way_in i
		WHERE i.user_id = person
		ORDER BY i.workspace_id, cnap.role_rank(i.role) DESC, i.via
	) best
		JOIN cnap.workspace w ON w.id = best.workspace_id
	WHERE (NOT limited OR @extschema@.cnap_can_access(w.id))
		AND (after IS NULL OR (w.owner_id <> person, w.name, w.id) > (after_shared, after_name, after))
	ORDER BY w.owner_id <> person, w.name, w.id
	LIMIT max_rows
$$;
COMMENT ON FUNCTION cnap.list_workspaces(uuid, integer, text, boolean, text, boolean) IS
'rows of cnap_workspaces(); limited: for a session that a limited token of that user has signed in; after_shared and after_name: of the workspace after';

/*
 * What way_in says, for a single workspace and in the order of user_id.  Each part has a
 * user at most once, so the first max_rows rows of each are all that the page can need,
 * and they are read from an index in that order, so that a page costs what a page costs.
 * The planner does that because the workspace is in the outer query, whose columns are
 * constants to the parts; and OFFSET 0 keeps it from beginning with the organization's
 * members where only few of them are assigned.  Where they activate the management, those
 * who have and those who could are one part: the search for 50 who could would otherwise
 * pass all who have.
 */
CREATE FUNCTION cnap.list_workspace_members(workspace uuid, after text, max_rows integer)
RETURNS TABLE (user_id text, role text, via text, organization uuid,
	since timestamptz, until timestamptz, active boolean)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
	SELECT i.*
	FROM cnap.workspace w
		CROSS JOIN LATERAL (
			SELECT w.owner_id, 'owner', 'owner', NULL::uuid, w.created_at, NULL::timestamptz, true
			WHERE w.owner_id > coalesce(after, '')
			UNION ALL (
				SELECT m.user_id, m.role, 'member', NULL, m.created_at, NULL, true
				FROM cnap.workspace_member m
				WHERE m.workspace_id = w.id AND m.user_id > coalesce(after, '')
				ORDER BY m.user_id
				LIMIT max_rows)
			UNION ALL (
				SELECT m.user_id, w.managed_role, 'organization', w.managed_by,
					greatest(w.managed_since, m.created_at), w.managed_until, true
				FROM cnap.organization_member m
				WHERE m.organization_id = w.managed_by AND m.user_id > coalesce(after, '')
					AND w.managed_access = 'all'
					AND cnap.holds_until(w.managed_until)
				ORDER BY m.user_id
				LIMIT max_rows)
			UNION ALL (
				SELECT a.user_id, w.managed_role, 'organization', w.managed_by,
					greatest(w.managed_since, m.created_at, a.created_at), least(w.managed_until, a.until), true
				FROM cnap.assignment a
					CROSS JOIN LATERAL (
						SELECT m.created_at
						FROM cnap.organization_member m
						WHERE m.organization_id = w.managed_by AND m.user_id = a.user_id
							AND m.membership_id = a.membership_id
						OFFSET 0
					) m
				WHERE a.workspace_id = w.id AND a.user_id > coalesce(after, '')
					AND a.management_id = w.management_id
					AND w.managed_access = 'assigned'
					AND cnap.holds_until(w.managed_until)
					AND cnap.holds_until(a.until)
				ORDER BY a.user_id
				LIMIT max_rows)
			UNION ALL (
				SELECT m.user_id, w.managed_role, 'organization', w.managed_by,
					CASE WHEN a.created_at IS NOT NULL THEN greatest(w.managed_since, m.created_at, a.created_at) END,
					least(w.managed_until, a.until), a.created_at IS NOT NULL
				FROM cnap.organization_member m
					LEFT JOIN LATERAL (
						SELECT a.created_at, a.until
						FROM cnap.assignment a
						WHERE a.workspace_id = w.id AND a.user_id = m.user_id
							AND a.management_id = w.management_id AND a.membership_id = m.membership_id
							AND cnap.holds_until(a.until)
						OFFSET 0
					) a ON true
				WHERE m.organization_id = w.managed_by AND m.user_id > coalesce(after, '')
					AND w.managed_access = 'activated'
					AND cnap.holds_until(w.managed_until)
				ORDER BY m.user_id
				LIMIT max_rows)
			ORDER BY 1
			FETCH FIRST (max_rows) ROWS WITH TIES
		) i (user_id, role, via, organization, since, until, active)
	WHERE w.id = workspace
	ORDER BY i.user_id, i.via
$$;
COMMENT ON FUNCTION cnap.list_workspace_members(uuid, text, integer) IS
'rows of cnap_workspace_members(): all of the first max_rows and of those with the same user_id as the last';

CREATE FUNCTION cnap.list_workspace_audit(workspace uuid, before bigint, max_rows integer)
RETURNS TABLE (id bigint, occurred_at timestamptz, actor text, database_role text,
	action text, organization_id uuid, subject text, path text, detail jsonb)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
	SELECT a.id, a.occurred_at, a.actor, a.database_role, a.action, a.organization_id,
		a.subject, a.path, a.detail
	FROM cnap.audit_log a
	WHERE a.workspace_id = ANY (ARRAY[workspace]) AND (before IS NULL OR a.id < before)
	ORDER BY a.workspace_id DESC, a.id DESC
	LIMIT max_rows
$$;
COMMENT ON FUNCTION cnap.list_workspace_audit(uuid, bigint, integer) IS 'rows of cnap_workspace_audit()';

CREATE FUNCTION cnap.list_revocation(workspace uuid)
RETURNS TABLE (user_id text, organization uuid, role text, loses_access boolean,
	remaining_role text, assigned boolean)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
AS $$
	SELECT i.user_id, i.organization_id, i.role, other.role IS NULL, other.role,
		(SELECT w.managed_access <> 'all' FROM cnap.workspace w WHERE w.id = workspace)
	FROM cnap.way_in i
		LEFT JOIN LATERAL (
			SELECT o.role
			FROM cnap.way_in o
			WHERE o.workspace_id = workspace AND o.user_id = i.user_id
				AND o.via <> 'organization'
			ORDER BY cnap.role_rank(o.role) DESC
			LIMIT 1
		) other ON true
	WHERE i.workspace_id = workspace AND i.via = 'organization'
	ORDER BY i.user_id
$$;
COMMENT ON FUNCTION cnap.list_revocation(uuid) IS 'rows of cnap_preview_revocation()';

CREATE FUNCTION cnap.show_install_link(link_id uuid)
RETURNS TABLE (organization uuid, name text, slug text, logo text, role text,
	until timestamptz, expires_at timestamptz, managers text, activation interval)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
	SELECT o.id, o.name, o.slug, o.logo, l.role, clock_timestamp() + l.duration, l.expires_at,
		l.managers, l.activation
	FROM cnap.install_link l
		JOIN cnap.organization o ON o.id = l.organization_id
	WHERE l.id = link_id
$$;
COMMENT ON FUNCTION cnap.show_install_link(uuid) IS 'rows of cnap_install_link()';

CREATE FUNCTION cnap.list_install_links(organization uuid)
RETURNS TABLE (id uuid, label text, role text, duration interval, max_uses integer,
	uses integer, expires_at timestamptz, created_by text, created_at timestamptz,
	revoked_at timestamptz, managers text, activation interval)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
	SELECT l.id, l.label, l.role, l.duration, l.max_uses, l.uses, l.expires_at,
		l.created_by, l.created_at, l.revoked_at, l.managers, l.activation
	FROM cnap.install_link l
	WHERE l.organization_id = organization
	ORDER BY l.created_at DESC, l.id
$$;
COMMENT ON FUNCTION cnap.list_install_links(uuid) IS 'rows of cnap_install_links()';

CREATE FUNCTION cnap.show_invitation(invitation_id uuid)
RETURNS TABLE (kind text, id uuid, name text, role text, inviter text, email text,
	expires_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 1
AS $$
	SELECT CASE WHEN o.id IS NOT NULL THEN 'organization' ELSE 'workspace' END,
		coalesce(o.id, w.id), coalesce(o.name, w.name), i.role, i.inviter, i.email, i.expires_at
	FROM cnap.invitation i
		LEFT JOIN cnap.organization o ON o.id = i.organization_id
		LEFT JOIN cnap.workspace w ON w.id = i.workspace_id
	WHERE i.id = invitation_id
$$;
COMMENT ON FUNCTION cnap.show_invitation(uuid) IS 'rows of cnap_invitation()';

CREATE VIEW cnap.invitation_state AS
	SELECT i.id, i.organization_id, i.workspace_id, i.email, i.user_id, i.role,
		CASE
			WHEN i.outcome IS NOT NULL THEN i.outcome
			WHEN i.expires_at > clock_timestamp() THEN 'pending'
			ELSE 'expired'
		END AS state,
		i.inviter, i.created_at, i.expires_at, i.outcome_at, i.outcome_by
	FROM cnap.invitation i;
COMMENT ON VIEW cnap.invitation_state IS
'the invitations as shown to those who invite, without anything that reveals their tokens';

CREATE FUNCTION cnap.list_organization_invitations(organization uuid)
RETURNS TABLE (id uuid, email text, user_id text, role text, state text, inviter text,
	created_at timestamptz, expires_at timestamptz, ended_at timestamptz, ended_by text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
	SELECT i.id, i.email, i.user_id, i.role, i.state, i.inviter, i.created_at, i.expires_at,
		i.outcome_at, i.outcome_by
	FROM cnap.invitation_state i
	WHERE i.organization_id = organization
	ORDER BY i.created_at DESC, i.id
$$;
COMMENT ON FUNCTION cnap.list_organization_invitations(uuid) IS 'rows of cnap_invitations()';

CREATE FUNCTION cnap.list_workspace_invitations(workspace uuid)
RETURNS TABLE (id uuid, email text, user_id text, role text, state text, inviter text,
	created_at timestamptz, expires_at timestamptz, ended_at timestamptz, ended_by text)
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
	SELECT i.id, i.email, i.user_id, i.role, i.state, i.inviter, i.created_at, i.expires_at,
		i.outcome_at, i.outcome_by
	FROM cnap.invitation_state i
	WHERE i.workspace_id = workspace
	ORDER BY i.created_at DESC, i.id
$$;
COMMENT ON FUNCTION cnap.list_workspace_invitations(uuid) IS 'rows of cnap_workspace_invitations()';

CREATE FUNCTION cnap.list_access_tokens(person text)
RETURNS TABLE (id uuid, name text, created_at timestamptz, expires_at timestamptz,
	last_used_at timestamptz, revoked_at timestamptz, workspaces uuid[], permissions text[])
LANGUAGE sql STABLE PARALLEL SAFE ROWS 10
AS $$
	SELECT t.id, t.name, t.created_at, t.expires_at, u.last_used_at, t.revoked_at,
		t.workspaces, t.permissions
	FROM cnap.access_token t
		LEFT JOIN cnap.access_token_use u ON u.token_id = t.id
	WHERE t.user_id = person
	ORDER BY t.created_at DESC, t.id
$$;
COMMENT ON FUNCTION cnap.list_access_tokens(text) IS 'rows of cnap_access_tokens()';
