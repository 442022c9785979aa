/*
 * What a user sees.
 */

/* The condition under which policies let a role execute a command on a row; null for always. */
CREATE FUNCTION cnap.row_condition(relation oid, role oid, command "char") RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(' AND ',
		coalesce('(' || string_agg(condition, ' OR ') FILTER (WHERE polpermissive) || ')', 'false'),
		string_agg(condition, ' AND ') FILTER (WHERE NOT polpermissive))
	FROM (SELECT polpermissive, format('(%s)', coalesce(pg_get_expr(polqual, polrelid), 'true'))
		FROM pg_policy
		WHERE polrelid = relation AND polcmd IN (command, '*')
			AND (polroles = '{0}' OR EXISTS (SELECT FROM unnest(polroles) r (oid) WHERE pg_has_role(role, r.oid, 'USAGE')))) p (polpermissive, condition)
$$;
COMMENT ON FUNCTION cnap.row_condition(oid, oid, "char") IS
'the condition that the policies of a table make for a role to execute a command on a row';

/*
 * Rows that can be updated or deleted are counted among those that are visible.  Rows
 * can be inserted into the workspaces in which the user has the table's permission.
 */
CREATE FUNCTION cnap.row_counts(schema name, role oid)
RETURNS TABLE (relation oid, statement text, note text)
LANGUAGE sql STABLE PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.oid,
		format('SELECT %s, %s, %s, %s%s',
			CASE WHEN readable THEN 'count(*)' ELSE 'NULL::bigint' END,
			CASE WHEN NOT has_any_column_privilege(role, c.oid, 'INSERT') THEN '0::bigint'
				WHEN t.write_permission IS NULL OR exempt THEN 'NULL::bigint'
				ELSE format('(SELECT count(*) FROM unnest(%s()) w (id) WHERE %s(w.id, %L))',
					'@extschema@.cnap_accessible_workspaces()'::regprocedure::regproc,
					'@extschema@.cnap_has_permission(uuid, text)'::regprocedure::regproc, t.write_permission) END,
			CASE WHEN NOT readable THEN 'NULL::bigint'
				WHEN NOT has_any_column_privilege(role, c.oid, 'UPDATE') THEN '0::bigint'
				WHEN exempt THEN 'count(*)'
				ELSE format('count(*) FILTER (WHERE %s)', cnap.row_condition(c.oid, role, 'w')) END,
			CASE WHEN NOT readable THEN 'NULL::bigint'
				WHEN NOT has_table_privilege(role, c.oid, 'DELETE') THEN '0::bigint'
				WHEN exempt THEN 'count(*)'
				ELSE format('count(*) FILTER (WHERE %s)', cnap.row_condition(c.oid, role, 'd')) END,
			CASE WHEN readable THEN format(' FROM %I.%I', n.nspname, c.relname) END),
		CASE WHEN NOT readable THEN 'no privilege to read it'
			WHEN r.rolbypassrls THEN format('row-level security does not apply to role "%s"', r.rolname)
			WHEN t.relation IS NULL THEN 'not protected'
			WHEN NOT t.enforced THEN 'its protection is not enforced' END
	FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		JOIN pg_roles r ON r.oid = role
		LEFT JOIN @extschema@.cnap_protected_tables() t ON t.relation = c.oid,
		LATERAL (SELECT has_schema_privilege(role, n.oid, 'USAGE') AND has_any_column_privilege(role, c.oid, 'SELECT'),
			r.rolbypassrls OR NOT c.relrowsecurity
			OR (NOT c.relforcerowsecurity AND pg_has_role(role, c.relowner, 'USAGE'))) a (readable, exempt)
	WHERE c.relkind IN ('r', 'p') AND (n.nspname = schema OR schema IS NULL AND t.relation IS NOT NULL)
	ORDER BY n.nspname, c.relname
$$;
COMMENT ON FUNCTION cnap.row_counts(name, oid) IS
'for cnap_visible_rows(): the statements that count the rows of the tables of a schema, or if that is null, of all protected ones';

CREATE FUNCTION @extschema@.cnap_visible_rows(user_id text, role regrole DEFAULT NULL, schema name DEFAULT NULL)
RETURNS TABLE (relation regclass, visible bigint, insertable_workspaces bigint, updatable bigint,
	deletable bigint, note text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_visible_rows';
COMMENT ON FUNCTION @extschema@.cnap_visible_rows(text, regrole, name) IS
'what a user sees as a role: how many rows of each protected table, or of each table of a schema, into how many workspaces new rows can be inserted, and how many of the rows can be updated and deleted. The rows are counted as that role, by default the current one. Errors: 22023 for a superuser as well, 42501 for a role that the current one cannot become, 42704 for a role that does not exist';

CREATE FUNCTION @extschema@.cnap_compare_protection(schema name, users text[], role regrole DEFAULT NULL,
	workspace_columns name[] DEFAULT '{workspace_id}', write_permission text DEFAULT NULL,
	read_permission text DEFAULT NULL, child_column name DEFAULT NULL, leave_out regclass[] DEFAULT '{}')
RETURNS TABLE (relation regclass, user_id text, before bigint, after bigint, note text)
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000 ROWS 50
SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'cnap_compare_protection';
COMMENT ON FUNCTION @extschema@.cnap_compare_protection(name, text[], regrole, name[], text, text, name, regclass[]) IS
'how many rows of the tables of a schema users see, counted as a role, before and after cnap_protect_schema() with these arguments, which is carried out and undone. Locks the tables meanwhile. For a trusted role that owns the tables. Errors: 22023, 3F000, 42501, 42704 for a role that does not exist, and what cnap_protect_schema() raises';
