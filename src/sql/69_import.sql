/*
 * Importing organizations, workspaces and their members from tables that exist.
 *
 * For each kind of rows, a function takes the JSON array apart, and says of each row
 * whether it exists already, and what is wrong with it.  What it tests is what the
 * constraints of the tables demand, which remain the ones who decide.
 */
CREATE FUNCTION @extschema@.cnap_uuid(id bigint) RETURNS uuid
LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_uuid_bigint';
COMMENT ON FUNCTION @extschema@.cnap_uuid(bigint) IS
'the id, after an import, of an organization or workspace that had a number: a UUID of version 8, whose last twelve digits are the number in hexadecimal';

CREATE FUNCTION @extschema@.cnap_uuid(id text) RETURNS uuid
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_uuid_text';
COMMENT ON FUNCTION @extschema@.cnap_uuid(text) IS
'the id, after an import, of an organization or workspace that had the text as its id: that of a UUID is the UUID, that of a number is the one of the number, and that of any other text is a UUID of version 8 made from its SHA-256';

CREATE FUNCTION cnap.as_moment(value text) RETURNS timestamptz
LANGUAGE C STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'cnap_as_moment';
COMMENT ON FUNCTION cnap.as_moment(text) IS 'the text as a moment; null if it is none';

CREATE FUNCTION cnap.import_excess(excess jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT string_agg(format('"%s" is no column to import', left(name, 63)), ', ' ORDER BY name)
	FROM jsonb_object_keys(excess) k (name));
COMMENT ON FUNCTION cnap.import_excess(jsonb) IS 'what an imported row has that it should not';

CREATE FUNCTION cnap.import_id(value jsonb) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(value) IN ('string', 'number') AND value #>> '{}' <> ''
	THEN @extschema@.cnap_uuid(value #>> '{}') END;
COMMENT ON FUNCTION cnap.import_id(jsonb) IS 'the id of what is known by a text or number; null if there is none';

CREATE FUNCTION cnap.import_time_problem(row_given jsonb, name text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN row_given ->> name <> '' AND cnap.as_moment(row_given ->> name) IS NULL
	THEN name || ' is not a moment' END;
COMMENT ON FUNCTION cnap.import_time_problem(jsonb, text) IS 'what is wrong with a time of an imported row';

CREATE FUNCTION cnap.import_organizations(imported jsonb, skip_existing boolean)
RETURNS TABLE (n bigint, key text, problems text[], existing boolean, id uuid, name text, slug text,
	logo text, management_email text, customer_id text, accepts text, metadata jsonb,
	created_by text, created_at timestamptz, owner_id text)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH given AS MATERIALIZED (
		SELECT e.n, left(concat_ws(', ', e.r ->> 'id', e.r ->> 'name'), 100) AS key, e.r,
			CASE WHEN jsonb_typeof(e.r) = 'object'
				THEN nullif(e.r - '{id,name,owner_id,slug,logo,management_email,customer_id,accepts,metadata,created_by,created_at}'::text[], '{}') END AS excess,
			cnap.import_id(e.r -> 'id') AS id, e.r ->> 'name' AS name, nullif(e.r ->> 'slug', '') AS slug,
			nullif(e.r ->> 'logo', '') AS logo, nullif(e.r ->> 'management_email', '') AS management_email,
			nullif(e.r ->> 'customer_id', '') AS customer_id,
			coalesce(nullif(e.r ->> 'accepts', ''), 'anyone') AS accepts,
			coalesce(nullif(e.r -> 'metadata', 'null'), '{}') AS metadata,
			nullif(e.r ->> 'created_by', '') AS created_by,
			coalesce(cnap.as_moment(e.r ->> 'created_at'), now()) AS created_at, e.r ->> 'owner_id' AS owner_id
		FROM jsonb_array_elements(imported) WITH ORDINALITY e (r, n)
	), compared AS (
		SELECT g.*, o.id IS NOT NULL AS known, count(*) OVER (PARTITION BY g.id) > 1 AS twice,
			count(*) OVER (PARTITION BY g.slug COLLATE "C") > 1 AS same_slug, s.id IS NOT NULL AND s.id <> g.id AS slug_taken
		FROM given g LEFT JOIN cnap.organization o ON o.id = g.id
			LEFT JOIN cnap.organization s ON s.slug = g.slug
	)
	SELECT c.n, c.key,
		CASE WHEN c.known AND skip_existing THEN '{}'
			WHEN jsonb_typeof(c.r) <> 'object' THEN '{"is no object"}' ELSE array_remove(ARRAY[
			cnap.import_excess(c.excess),
			CASE WHEN c.id IS NULL THEN 'id is required' END,
			CASE WHEN coalesce(c.name, '') = '' THEN 'name is required' END,
			CASE WHEN coalesce(c.owner_id, '') = '' THEN 'owner_id is required' END,
			CASE WHEN c.owner_id <> '' AND NOT cnap.is_user_id(c.owner_id) THEN 'invalid owner_id' END,
			CASE WHEN NOT cnap.is_user_id(c.created_by) THEN 'invalid created_by' END,
			cnap.import_time_problem(c.r, 'created_at'),
			CASE WHEN c.known THEN 'exists already' END,
			CASE WHEN c.id IS NOT NULL AND c.twice THEN 'has the id of another row' END,
			CASE WHEN c.name <> '' AND NOT cnap.is_name(c.name) THEN 'invalid name' END,
			CASE WHEN NOT cnap.is_slug(c.slug) THEN 'invalid slug' END,
			CASE WHEN c.slug_taken THEN 'slug is that of an organization that exists' END,
			CASE WHEN c.slug IS NOT NULL AND c.same_slug THEN 'slug is that of another row' END,
			CASE WHEN NOT cnap.is_https_url(c.logo) THEN 'invalid logo' END,
			CASE WHEN NOT cnap.is_email(c.management_email) THEN 'invalid management_email' END,
			CASE WHEN NOT cnap.is_name(c.customer_id) THEN 'invalid customer_id' END,
			CASE WHEN c.accepts NOT IN ('anyone', 'links') THEN 'invalid accepts' END,
			CASE WHEN NOT cnap.is_metadata(c.metadata) THEN 'invalid metadata' END], NULL) END,
		c.known, c.id, c.name, c.slug, c.logo, c.management_email, c.customer_id, c.accepts, c.metadata,
		c.created_by, c.created_at, c.owner_id
	FROM compared c
$$;
COMMENT ON FUNCTION cnap.import_organizations(jsonb, boolean) IS
'the organizations of a JSON array, and what is wrong with each';

CREATE FUNCTION cnap.import_organization_members(imported jsonb, skip_existing boolean)
RETURNS TABLE (n bigint, key text, problems text[], existing boolean, organization_id uuid, user_id text,
	role text, added_by text, created_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH given AS MATERIALIZED (
		SELECT e.n, left(concat_ws(', ', e.r ->> 'organization_id', e.r ->> 'user_id'), 100) AS key, e.r,
			CASE WHEN jsonb_typeof(e.r) = 'object'
				THEN nullif(e.r - '{organization_id,user_id,role,added_by,created_at}'::text[], '{}') END AS excess,
			cnap.import_id(e.r -> 'organization_id') AS organization_id, e.r ->> 'user_id' AS user_id,
			coalesce(nullif(e.r ->> 'role', ''), 'member') AS role, nullif(e.r ->> 'added_by', '') AS added_by,
			coalesce(cnap.as_moment(e.r ->> 'created_at'), now()) AS created_at
		FROM jsonb_array_elements(imported) WITH ORDINALITY e (r, n)
	), compared AS (
		SELECT g.*, o.id IS NULL AS nowhere, m.role AS known,
			count(*) OVER (PARTITION BY g.organization_id, g.user_id COLLATE "C") > 1 AS twice
		FROM given g LEFT JOIN cnap.organization o ON o.id = g.organization_id
			LEFT JOIN cnap.organization_member m
				ON m.organization_id = g.organization_id AND m.user_id = g.user_id
	)
	SELECT c.n, c.key,
		CASE WHEN c.known IS NOT NULL AND skip_existing THEN '{}'
			WHEN jsonb_typeof(c.r) <> 'object' THEN '{"is no object"}' ELSE array_remove(ARRAY[
			cnap.import_excess(c.excess),
			CASE WHEN c.organization_id IS NULL THEN 'organization_id is required' END,
			CASE WHEN coalesce(c.user_id, '') = '' THEN 'user_id is required' END,
			CASE WHEN c.user_id <> '' AND NOT cnap.is_user_id(c.user_id) THEN 'invalid user_id' END,
			CASE WHEN NOT cnap.is_user_id(c.added_by) THEN 'invalid added_by' END,
			cnap.import_time_problem(c.r, 'created_at'),
			CASE WHEN c.organization_id IS NOT NULL AND c.nowhere THEN 'the organization does not exist' END,
			CASE WHEN c.known <> c.role THEN format('is a member already, as %s', c.known) END,
			CASE WHEN c.organization_id IS NOT NULL AND c.user_id IS NOT NULL AND c.twice
				THEN 'has the ids of another row' END,
			CASE WHEN c.role NOT IN ('member', 'admin', 'owner') THEN format('role "%s" does not exist', c.role) END
			], NULL) END,
		c.known IS NOT NULL, c.organization_id, c.user_id, c.role, c.added_by, c.created_at
	FROM compared c
$$;
COMMENT ON FUNCTION cnap.import_organization_members(jsonb, boolean) IS
'the members of organizations in a JSON array, and what is wrong with each';

CREATE FUNCTION cnap.import_workspaces(imported jsonb, skip_existing boolean)
RETURNS TABLE (n bigint, key text, problems text[], existing boolean, id uuid, name text, owner_id text,
	managed_by uuid, managed_role text, managed_access text, managed_until timestamptz, managed_since timestamptz,
	billing_email text, customer_id text, metadata jsonb, created_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH given AS MATERIALIZED (
		SELECT e.n, left(concat_ws(', ', e.r ->> 'id', e.r ->> 'name'), 100) AS key, e.r,
			CASE WHEN jsonb_typeof(e.r) = 'object'
				THEN nullif(e.r - '{id,name,owner_id,managed_by,managed_role,managed_access,managed_until,managed_since,billing_email,customer_id,metadata,created_at}'::text[], '{}') END AS excess,
			cnap.import_id(e.r -> 'id') AS id, e.r ->> 'name' AS name, e.r ->> 'owner_id' AS owner_id,
			nullif(e.r ->> 'managed_by', '') AS manager, cnap.import_id(e.r -> 'managed_by') AS managed_by,
			nullif(e.r ->> 'managed_role', '') AS managed_role, nullif(e.r ->> 'managed_access', '') AS managed_access,
			cnap.as_moment(e.r ->> 'managed_until') AS managed_until,
			cnap.as_moment(e.r ->> 'managed_since') AS managed_since,
			nullif(e.r ->> 'billing_email', '') AS billing_email, nullif(e.r ->> 'customer_id', '') AS customer_id,
			coalesce(nullif(e.r -> 'metadata', 'null'), '{}') AS metadata,
			coalesce(cnap.as_moment(e.r ->> 'created_at'), now()) AS created_at
		FROM jsonb_array_elements(imported) WITH ORDINALITY e (r, n)
	), compared AS (
		SELECT g.*, w.id IS NOT NULL AS known, o.id IS NULL AS nowhere,
			count(*) OVER (PARTITION BY g.id) > 1 AS twice, d.name IS NOT NULL AS defined
		FROM given g LEFT JOIN cnap.workspace w ON w.id = g.id
			LEFT JOIN cnap.organization o ON o.id = g.managed_by
			LEFT JOIN cnap.role_definition d ON d.name = g.managed_role
	)
	SELECT c.n, c.key,
		CASE WHEN c.known AND skip_existing THEN '{}'
			WHEN jsonb_typeof(c.r) <> 'object' THEN '{"is no object"}' ELSE array_remove(ARRAY[
			cnap.import_excess(c.excess),
			CASE WHEN c.id IS NULL THEN 'id is required' END,
			CASE WHEN coalesce(c.name, '') = '' THEN 'name is required' END,
			CASE WHEN coalesce(c.owner_id, '') = '' THEN 'owner_id is required' END,
			CASE WHEN c.owner_id <> '' AND NOT cnap.is_user_id(c.owner_id) THEN 'invalid owner_id' END,
			cnap.import_time_problem(c.r, 'managed_until'),
			cnap.import_time_problem(c.r, 'managed_since'),
			cnap.import_time_problem(c.r, 'created_at'),
			CASE WHEN c.known THEN 'exists already' END,
			CASE WHEN c.id IS NOT NULL AND c.twice THEN 'has the id of another row' END,
			CASE WHEN c.name <> '' AND NOT cnap.is_name(c.name) THEN 'invalid name' END,
			CASE WHEN c.manager IS NOT NULL AND c.nowhere THEN 'the managing organization does not exist' END,
			CASE WHEN c.manager IS NULL AND num_nonnulls(c.managed_role, c.managed_access, c.managed_until, c.managed_since) > 0
				THEN 'terms of management without managed_by' END,
			CASE WHEN c.managed_role NOT IN ('member', 'admin') AND NOT c.defined THEN format('a manager cannot be %s', c.managed_role) END,
			CASE WHEN c.managed_access NOT IN ('all', 'assigned', 'activated') THEN 'invalid managed_access' END,
			CASE WHEN NOT cnap.is_email(c.billing_email) THEN 'invalid billing_email' END,
			CASE WHEN NOT cnap.is_name(c.customer_id) THEN 'invalid customer_id' END,
			CASE WHEN NOT cnap.is_metadata(c.metadata) THEN 'invalid metadata' END], NULL) END,
		c.known, c.id, c.name, c.owner_id, c.managed_by, c.managed_role, c.managed_access, c.managed_until, c.managed_since,
		c.billing_email, c.customer_id, c.metadata, c.created_at
	FROM compared c
$$;
COMMENT ON FUNCTION cnap.import_workspaces(jsonb, boolean) IS
'the workspaces of a JSON array, and what is wrong with each';

/* A row about the owner of a workspace, who is no member of it, is about nothing new. */
CREATE FUNCTION cnap.import_workspace_members(imported jsonb, skip_existing boolean)
RETURNS TABLE (n bigint, key text, problems text[], existing boolean, workspace_id uuid, user_id text,
	role text, added_by text, created_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH given AS MATERIALIZED (
		SELECT e.n, left(concat_ws(', ', e.r ->> 'workspace_id', e.r ->> 'user_id'), 100) AS key, e.r,
			CASE WHEN jsonb_typeof(e.r) = 'object'
				THEN nullif(e.r - '{workspace_id,user_id,role,added_by,created_at}'::text[], '{}') END AS excess,
			cnap.import_id(e.r -> 'workspace_id') AS workspace_id, e.r ->> 'user_id' AS user_id,
			coalesce(nullif(e.r ->> 'role', ''), 'member') AS role, nullif(e.r ->> 'added_by', '') AS added_by,
			coalesce(cnap.as_moment(e.r ->> 'created_at'), now()) AS created_at
		FROM jsonb_array_elements(imported) WITH ORDINALITY e (r, n)
	), compared AS (
		SELECT g.*, w.id IS NULL AS nowhere, coalesce(w.owner_id = g.user_id, false) AS owns, m.role AS known, d.name IS NOT NULL AS defined,
			count(*) OVER (PARTITION BY g.workspace_id, g.user_id COLLATE "C") > 1 AS twice
		FROM given g LEFT JOIN cnap.workspace w ON w.id = g.workspace_id
			LEFT JOIN cnap.workspace_member m ON m.workspace_id = g.workspace_id AND m.user_id = g.user_id
			LEFT JOIN cnap.role_definition d ON d.name = g.role
	)
	SELECT c.n, c.key,
		CASE WHEN c.known IS NOT NULL AND skip_existing THEN '{}'
			WHEN jsonb_typeof(c.r) <> 'object' THEN '{"is no object"}' ELSE array_remove(ARRAY[
			cnap.import_excess(c.excess),
			CASE WHEN c.workspace_id IS NULL THEN 'workspace_id is required' END,
			CASE WHEN coalesce(c.user_id, '') = '' THEN 'user_id is required' END,
			CASE WHEN c.user_id <> '' AND NOT cnap.is_user_id(c.user_id) THEN 'invalid user_id' END,
			CASE WHEN NOT cnap.is_user_id(c.added_by) THEN 'invalid added_by' END,
			cnap.import_time_problem(c.r, 'created_at'),
			CASE WHEN c.workspace_id IS NOT NULL AND c.nowhere THEN 'the workspace does not exist' END,
			CASE WHEN c.known <> c.role THEN format('is a member already, as %s', c.known) END,
			CASE WHEN c.workspace_id IS NOT NULL AND c.user_id IS NOT NULL AND c.twice
				THEN 'has the ids of another row' END,
			CASE WHEN c.role = 'owner' AND NOT c.owns AND NOT c.nowhere
				THEN 'the workspace has another owner; import this one as admin' END,
			CASE WHEN c.role NOT IN ('member', 'admin', 'owner') AND NOT c.defined
				THEN format('role "%s" does not exist', c.role) END
			], NULL) END,
		c.owns OR c.known IS NOT NULL, c.workspace_id, c.user_id, c.role, c.added_by, c.created_at
	FROM compared c
$$;
COMMENT ON FUNCTION cnap.import_workspace_members(jsonb, boolean) IS
'the members of workspaces in a JSON array, and what is wrong with each';

CREATE FUNCTION @extschema@.cnap_check_import(kind text, rows jsonb, skip_existing boolean DEFAULT false)
RETURNS TABLE (n bigint, key text, problem text)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 10
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_check_import';
COMMENT ON FUNCTION @extschema@.cnap_check_import(text, jsonb, boolean) IS
'what would keep cnap_import() from importing these rows: the number of the row, its ids, and what is wrong with it. For the owner of the extension. Errors: 22023 for an unknown kind and for rows that are no array, 42501';

CREATE FUNCTION @extschema@.cnap_import(kind text, rows jsonb, audit boolean DEFAULT true,
	skip_existing boolean DEFAULT false) RETURNS bigint
LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_import';
COMMENT ON FUNCTION @extschema@.cnap_import(text, jsonb, boolean, boolean) IS
'imports rows of a kind, all or none, and returns how many. kind: organizations, organization_members, workspaces or workspace_members; rows: a JSON array of objects, or null for none; audit: whether each row gets an entry in the audit log, besides the one about the import; skip_existing: whether to pass over what exists already, instead of refusing it. For the owner of the extension. Errors: 22023 for rows that cannot be imported, of which the detail lists the first, 42501';
